package show

import (
	"bufio"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"culprit/internal/filter"
	"culprit/internal/rows"
	"culprit/internal/sysabi"
)

// jsonRow is a row as JSON. Members are only ever added.
type jsonRow struct {
	Time   float64        `json:"time"` // seconds from the start
	Lens   string         `json:"lens"`
	Kind   string         `json:"kind"`
	PID    int32          `json:"pid,omitempty"`
	TID    int32          `json:"tid,omitempty"`
	Errno  string         `json:"errno,omitempty"`
	Conn   int            `json:"conn,omitempty"`
	Failed bool           `json:"failed,omitempty"`
	Text   string         `json:"text"`
	Call   *jsonCall      `json:"call,omitempty"`
	Fields map[string]any `json:"fields,omitempty"` // by name; of what is no call
	Frames []jsonFrame    `json:"frames,omitempty"` // of an exception, innermost first
}

type jsonCall struct {
	Name       string    `json:"name"`
	Number     uint32    `json:"nr"`
	Args       []jsonArg `json:"args"`
	Result     *int64    `json:"result,omitempty"` // absent when it did not return
	Error      string    `json:"error,omitempty"`
	Duration   float64   `json:"duration"` // seconds
	Path       string    `json:"path,omitempty"`
	Descriptor string    `json:"descriptor,omitempty"` // what it works on: a path, socket:[N], ...
}

// jsonArg is an argument: a number, the text of a string, a list of strings, or
// of memory that is none of these its address.
type jsonArg struct {
	Name      string `json:"name"`
	Value     any    `json:"value,omitempty"`
	Text      string `json:"text,omitempty"`   // how it stands in the call's text, where that says more
	Base64    []byte `json:"base64,omitempty"` // in the place of value, where bytes are no text
	Length    *int   `json:"length,omitempty"` // of a buffer
	Truncated bool   `json:"truncated,omitempty"`
}

type jsonFrame struct {
	File   string      `json:"file"`
	Line   int         `json:"line"`
	Func   string      `json:"func"`
	Locals []jsonLocal `json:"locals,omitempty"`
}

type jsonLocal struct {
	Name string `json:"name"`
	Text string `json:"text"` // bounded, credentials masked
}

// JSON writes a line of JSON for each row.
func JSON(w *bufio.Writer, list Rows, o rows.TextOptions) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for r := range list {
		m := jsonRow{Time: r.Seconds(), Lens: r.Kind.Lens(), Kind: r.Kind.String(), PID: r.PID, TID: r.TID,
			Failed: r.Failed(), Text: string(r.Append(nil, o))}
		if r.Conn != nil {
			m.Conn = r.Conn.ID
		}
		if r.Call != nil {
			m.Call = callOf(r)
			m.Errno = m.Call.Error
		} else {
			m.Fields = fieldsOf(r)
		}
		if r.Exception != nil {
			for _, f := range r.Exception.Stack {
				x := jsonFrame{File: f.File, Line: f.Line, Func: f.Func}
				for _, l := range f.Locals {
					x.Locals = append(x.Locals, jsonLocal{l.Name, l.Text})
				}
				m.Frames = append(m.Frames, x)
			}
		}
		if err := enc.Encode(m); err != nil {
			return err
		}
	}
	return nil
}

func callOf(r *rows.Row) *jsonCall {
	d := r.Decoded()
	c := &jsonCall{Name: d.Name, Number: r.Call.Raw.NR, Args: []jsonArg{}, Duration: float64(r.Call.Raw.Dur) / 1e9, Path: r.Call.Path}
	if e := r.Call.Errno(); e != 0 {
		c.Error = e.Name()
	}
	if !d.Unfinished {
		c.Result = &r.Call.Raw.Ret
	}
	if x := r.Call.Desc; x != nil {
		c.Descriptor = x.Link
		if x.Path != "" {
			c.Descriptor = x.Path
		}
	}
	for i := range d.Args {
		c.Args = append(c.Args, argOf(&d.Args[i]))
	}
	return c
}

func argOf(v *sysabi.Value) jsonArg {
	a := jsonArg{Name: v.Name}
	bytes := func(b []byte) {
		if utf8.Valid(b) {
			a.Value = string(b)
		} else {
			a.Base64 = b
		}
	}
	switch v.Kind {
	case sysabi.KindInt, sysabi.KindLong, sysabi.KindFD, sysabi.KindOffset, sysabi.KindID, sysabi.KindPID:
		a.Value = v.Int
		return a
	case sysabi.KindUint, sysabi.KindSize:
		a.Value = v.Uint
		return a
	case sysabi.KindPath, sysabi.KindString:
		if v.Captured {
			bytes([]byte(v.Str))
			a.Truncated = v.Truncated
			return a
		}
	case sysabi.KindStrings:
		if v.Captured {
			a.Value, a.Truncated = v.Strings, v.Truncated
			return a
		}
	case sysabi.KindBuffer, sysabi.KindIovec, sysabi.KindMessage, sysabi.KindMessages:
		if v.Captured {
			bytes(v.Data)
			a.Length, a.Truncated = &v.Len, v.Truncated
			return a
		}
	case sysabi.KindDirFD, sysabi.KindSignal:
		a.Value, a.Text = v.Int, v.Text()
		return a
	}
	a.Value, a.Text = v.Uint, v.Text()
	return a
}

// fieldsOf are the fields of a row but for those that every row has, and but
// for bytes, which would be long.
func fieldsOf(r *rows.Row) map[string]any {
	out := map[string]any{}
	var values []filter.Value
	for i := range rows.Fields().Fields() {
		f := &rows.Fields().Fields()[i]
		family, _, _ := strings.Cut(f.Name, ".")
		switch family {
		case "frame", "process", "syscall":
			continue
		}
		inFrames := strings.HasPrefix(f.Name, "py.frame.") || f.Name == "py.local"
		if f.Type == filter.Protocol || f.Type == filter.Bytes || inFrames {
			continue
		}
		values = f.Get(r, values[:0])
		list := make([]any, len(values))
		for j := range values {
			list[j] = jsonValue(&values[j], f)
		}
		switch len(list) {
		case 0:
		case 1:
			out[f.Name] = list[0]
		default:
			out[f.Name] = list
		}
	}
	return out
}

func jsonValue(v *filter.Value, f *rows.Field) any {
	switch f.Type {
	case filter.Bool:
		return v.N != 0
	case filter.Uint:
		return v.N
	case filter.Int:
		return int64(v.N)
	case filter.Duration:
		return float64(int64(v.N)) / 1e9
	}
	return string(v.Append(nil, f.Type))
}
