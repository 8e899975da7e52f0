package show

import (
	"bufio"
	"fmt"
	"strings"
	"unicode/utf8"

	"culprit/internal/filter"
	"culprit/internal/rows"
)

// Columns are the fields that a line has for each row, and how they stand
// there: tshark's -T fields with -e and -E.
type Columns struct {
	Fields     []*rows.Field
	Header     bool
	Separator  string // a tab when empty
	Aggregator string // between the values of one field; a comma when empty
	Quote      string // around a field
	Occurrence byte   // 'f' first value only, 'l' last, else all
}

// Set takes one of tshark's -E options, e.g. "header=y" or "separator=,".
func (c *Columns) Set(option string) error {
	name, value, ok := strings.Cut(option, "=")
	if !ok || value == "" {
		return fmt.Errorf("-E %s: it is header=y, separator=CHARACTER, aggregator=CHARACTER, quote=d or occurrence=f", option)
	}
	character := func(to *string) error {
		switch value {
		case "/t":
			*to = "\t"
		case "/s":
			*to = " "
		default:
			if utf8.RuneCountInString(value) != 1 {
				return fmt.Errorf("-E %s: it is one character, /t for a tab or /s for a blank", option)
			}
			*to = value
		}
		return nil
	}
	switch name {
	case "header":
		c.Header = value == "y"
		if value != "y" && value != "n" {
			return fmt.Errorf("-E %s: it is y or n", option)
		}
	case "separator":
		return character(&c.Separator)
	case "aggregator":
		return character(&c.Aggregator)
	case "quote":
		q, ok := map[string]string{"d": `"`, "s": "'", "n": ""}[value]
		if !ok {
			return fmt.Errorf("-E %s: it is d, s or n", option)
		}
		c.Quote = q
	case "occurrence":
		if value != "f" && value != "l" && value != "a" {
			return fmt.Errorf("-E %s: it is f, l or a", option)
		}
		c.Occurrence = value[0]
	default:
		return fmt.Errorf("-E %s: there is no option %q", option, name)
	}
	return nil
}

// Write writes a line for each row.
func (c *Columns) Write(w *bufio.Writer, list Rows) error {
	separator, aggregator := c.Separator, c.Aggregator
	if separator == "" {
		separator = "\t"
	}
	if aggregator == "" {
		aggregator = ","
	}
	var b []byte
	if c.Header {
		for i, f := range c.Fields {
			if i > 0 {
				b = append(b, separator...)
			}
			b = append(b, f.Name...)
		}
		b = append(b, '\n')
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	var values []filter.Value
	for r := range list {
		b = b[:0]
		for i, f := range c.Fields {
			if i > 0 {
				b = append(b, separator...)
			}
			values = f.Get(r, values[:0])
			switch {
			case len(values) == 0:
				continue
			case c.Occurrence == 'f':
				values = values[:1]
			case c.Occurrence == 'l':
				values = values[len(values)-1:]
			}
			b = append(b, c.Quote...)
			for j := range values {
				if j > 0 {
					b = append(b, aggregator...)
				}
				b = appendCell(b, &values[j], f.Type)
			}
			b = append(b, c.Quote...)
		}
		b = append(b, '\n')
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// appendCell appends a value so that it keeps to its line: a presence is 1, as
// with tshark a name of a protocol; control characters are escaped.
func appendCell(b []byte, v *filter.Value, t filter.Type) []byte {
	if t == filter.Protocol {
		return append(b, '1')
	}
	if t == filter.String {
		return rows.AppendClean(b, v.S)
	}
	return v.Append(b, t)
}
