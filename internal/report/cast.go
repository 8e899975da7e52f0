package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"culprit/internal/timeline"
)

// Cast writes what the run's processes put on the command's terminal, or wherever
// else its output went, as an asciicast v2 (docs.asciinema.org, "asciicast v2").
// Missing counts the bytes that the recording does not hold: buffers are cut at
// --snaplen.
func Cast(w io.Writer, t *timeline.Timeline, columns, rows int) (missing int64, err error) {
	head := map[string]any{"version": 2, "width": columns, "height": rows, "timestamp": t.Header.Wall / 1e9, "command": shell(t.Header.Command)}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(head); err != nil {
		return 0, err
	}
	var rest []byte // of a letter whose other bytes come with the next write
	for _, call := range t.Output {
		data, cut := call.Decode().Buffer()
		missing += int64(cut)
		text := append(rest, data...)
		text, rest = whole(text)
		if len(text) == 0 {
			continue
		}
		text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n")) // as the terminal would (ONLCR)
		at := float64((call.Leave()-t.Start)/1e3) / 1e6
		if err := e.Encode([]any{at, "o", string(bytes.ToValidUTF8(text, []byte("\uFFFD")))}); err != nil {
			return missing, fmt.Errorf("write the cast: %w", err)
		}
	}
	return missing, nil
}

// whole cuts an unfinished UTF-8 letter off the end of a text.
func whole(b []byte) (text, rest []byte) {
	for i := len(b) - 1; i >= max(0, len(b)-utf8.UTFMax); i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return b[:i], slices.Clone(b[i:])
			}
			break
		}
	}
	return b, nil
}
