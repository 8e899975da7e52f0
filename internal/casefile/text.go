package casefile

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"culprit/internal/event"
)

// maxLine bounds a line of the text twin: the largest event in base64.
const maxLine = 2 * MaxEvent

// hexFields are written as "0x..." from 0x10000 on, because people read them so.
var hexFields = map[string]bool{"arch": true, "args": true, "addr": true}

// All gives the events as Events does, for WriteText.
func All(events ...event.Event) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// WriteText writes the text twin: one JSON object a line, the envelope first
// ("t" in ns, "pid", "tid", "kind"), then the body's fields by their names in
// lower case. Fields that are zero are left out, as are the zeros that end a
// list of arguments. Bytes are a string when they are printable UTF-8 (a few
// zero bytes allowed), else {"b64":"..."}. The first error of events ends it.
func WriteText(w io.Writer, events iter.Seq2[event.Event, error]) error {
	bw := bufio.NewWriter(w)
	var line []byte
	for e, err := range events {
		if err != nil {
			return errors.Join(err, bw.Flush())
		}
		line = appendText(line[:0], e)
		if _, err := bw.Write(line); err != nil {
			return fmt.Errorf("write events as text: %w", err)
		}
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write events as text: %w", err)
	}
	return nil
}

func appendText(b []byte, e event.Event) []byte {
	b = strconv.AppendInt(append(b, `{"t":`...), int64(e.Time), 10)
	b = strconv.AppendInt(append(b, `,"pid":`...), int64(e.PID), 10)
	b = strconv.AppendInt(append(b, `,"tid":`...), int64(e.TID), 10)
	b = appendQuoted(append(b, `,"kind":`...), e.Body.Kind().String())
	if u, ok := e.Body.(*event.Unknown); ok {
		b = appendBytes(append(b, `,"data":`...), u.Data)
	} else {
		b = appendFields(b, reflect.ValueOf(e.Body).Elem(), true)
	}
	return append(b, '}', '\n')
}

func appendFields(b []byte, v reflect.Value, more bool) []byte {
	for i := range v.NumField() {
		f := v.Field(i)
		if f.IsZero() || f.Kind() == reflect.Slice && f.Len() == 0 {
			continue
		}
		if more {
			b = append(b, ',')
		}
		more = true
		name := strings.ToLower(v.Type().Field(i).Name)
		b = append(appendQuoted(b, name), ':')
		b = appendValue(b, f, hexFields[name])
	}
	return b
}

func appendValue(b []byte, v reflect.Value, hex bool) []byte {
	switch v.Kind() {
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case reflect.Int32, reflect.Int64:
		return strconv.AppendInt(b, v.Int(), 10)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if hex && v.Uint() > 0xffff {
			return append(strconv.AppendUint(append(b, `"0x`...), v.Uint(), 16), '"')
		}
		return strconv.AppendUint(b, v.Uint(), 10)
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return appendBase64(b, []byte(v.String()))
		}
		return appendQuoted(b, v.String())
	case reflect.Struct:
		return append(appendFields(append(b, '{'), v, false), '}')
	}
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		return appendBytes(b, v.Bytes())
	}
	n := v.Len()
	for v.Kind() == reflect.Array && n > 0 && v.Index(n-1).IsZero() {
		n--
	}
	b = append(b, '[')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendValue(b, v.Index(i), hex)
	}
	return append(b, ']')
}

// appendBytes writes text as text, zero bytes included where they are few: they
// end the strings in a program's memory.
func appendBytes(b, data []byte) []byte {
	zeros := 0
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		i += n
		switch {
		case r == 0:
			zeros++
		case r == utf8.RuneError && n == 1:
			return appendBase64(b, data)
		case !unicode.IsPrint(r) && r != '\n' && r != '\t' && r != '\r':
			return appendBase64(b, data)
		}
	}
	if zeros > 1+len(data)/4 {
		return appendBase64(b, data)
	}
	return appendQuoted(b, string(data))
}

func appendBase64(b, data []byte) []byte {
	b = base64.StdEncoding.AppendEncode(append(b, `{"b64":"`...), data)
	return append(b, '"', '}')
}

func appendQuoted(b []byte, s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // a string can't fail
		return append(b, `""`...)
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// ReadText reads what WriteText wrote. Empty lines and lines that begin with #
// are skipped. An error names the line; the events before it are returned with
// it.
func ReadText(r io.Reader) ([]event.Event, error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLine)
	var out []event.Event
	for n := 1; sc.Scan(); n++ {
		line := bytes.TrimSpace(sc.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		e, err := parseText(line)
		if err != nil {
			return out, fmt.Errorf("line %d: %w", n, err)
		}
		out = append(out, e)
	}
	if err := sc.Err(); err != nil {
		return out, fmt.Errorf("read events as text: %w", err)
	}
	return out, nil
}

func parseText(line []byte) (e event.Event, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return e, err
	}
	var kind string
	for name, to := range map[string]any{"t": &e.Time, "pid": &e.PID, "tid": &e.TID, "kind": &kind} {
		v, ok := fields[name]
		if !ok {
			return e, fmt.Errorf("no %q", name)
		}
		if err := json.Unmarshal(v, to); err != nil {
			return e, fmt.Errorf("%q: %w", name, err)
		}
		delete(fields, name)
	}
	if k := event.KindOf(kind); k != 0 {
		e.Body = k.New()
		return e, setFields(reflect.ValueOf(e.Body).Elem(), fields)
	}
	num, ok := strings.CutPrefix(kind, "kind(")
	num, ok2 := strings.CutSuffix(num, ")")
	raw, err := strconv.ParseUint(num, 10, 16)
	if !ok || !ok2 || err != nil || event.Kind(raw).New() != nil {
		return e, fmt.Errorf("no kind is called %q", kind)
	}
	u := &event.Unknown{Raw: event.Kind(raw)}
	e.Body = u
	for name, v := range fields {
		if name != "data" {
			return e, fmt.Errorf("%s has no field %q", kind, name)
		}
		if u.Data, err = parseBytes(v); err != nil {
			return e, fmt.Errorf("%q: %w", name, err)
		}
	}
	return e, nil
}

func setFields(v reflect.Value, fields map[string]json.RawMessage) error {
	for i := range v.NumField() {
		name := strings.ToLower(v.Type().Field(i).Name)
		raw, ok := fields[name]
		if !ok {
			continue
		}
		delete(fields, name)
		if err := setValue(v.Field(i), raw); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
	for name := range fields {
		return fmt.Errorf("%v has no field %q", v.Type(), name)
	}
	return nil
}

func setValue(v reflect.Value, raw json.RawMessage) error {
	switch v.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		n, err := strconv.ParseUint(text, 0, v.Type().Bits())
		if err != nil {
			return err
		}
		v.SetUint(n)
		return nil
	case reflect.String:
		b, err := parseBytes(raw)
		v.SetString(string(b))
		return err
	case reflect.Struct:
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(raw, &fields); err != nil {
			return err
		}
		return setFields(v, fields)
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			b, err := parseBytes(raw)
			v.SetBytes(b)
			return err
		}
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return err
		}
		if v.Kind() == reflect.Slice && len(list) > 0 {
			v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
		}
		if len(list) > v.Len() {
			return fmt.Errorf("%d elements, at most %d fit", len(list), v.Len())
		}
		for i, el := range list {
			if err := setValue(v.Index(i), el); err != nil {
				return err
			}
		}
		return nil
	default: // bool, int32, int64
		return json.Unmarshal(raw, v.Addr().Interface())
	}
}

// parseBytes reads a string or {"b64":...}; nothing comes back as nil.
func parseBytes(raw json.RawMessage) ([]byte, error) {
	var text string
	if err := json.Unmarshal(raw, &text); err == nil {
		if text == "" {
			return nil, nil
		}
		return []byte(text), nil
	}
	var coded struct {
		B64 []byte `json:"b64"`
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&coded); err != nil {
		return nil, fmt.Errorf("neither a string nor {\"b64\":...}: %w", err)
	}
	if len(coded.B64) == 0 {
		return nil, nil
	}
	return coded.B64, nil
}
