package explain

import (
	"bytes"
	"fmt"
	"strings"

	"culprit/internal/timeline"
)

var encodingError = Cause{
	Names: []string{"encoding-error"},
	Doc:   "bytes were not text in the encoding that they were read as, or text could not be written in one",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, e := range c.tied() {
			l := c.final[e]
			if !e.Is("UnicodeError") {
				continue
			}
			f := c.exceptionFinding("encoding-error", e, l)
			enc := e.Attrs["encoding"]
			f.Facts = append(f.Facts, Fact{"encoding", enc}, Fact{"position", e.Attrs["start"]}, Fact{"reason", e.Attrs["reason"]})
			bad := e.Attrs["bytes"]
			if bad != "" && e.Is("UnicodeDecodeError") {
				f.Facts = append(f.Facts, Fact{"byte", fmt.Sprintf("0x%02x", bad[0])})
			}
			if name, call := c.fileRead(e, bad); name != "" {
				f.Title = fmt.Sprintf("%s is not %s", name, strings.ToUpper(enc))
				f.Why = fmt.Sprintf("Reading it as %s failed: %s.", strings.ToUpper(enc), firstLine(e.Text))
				f.Facts = append(f.Facts, Fact{"path", name})
				f.Evidence = append([]Evidence{callEvidence(call)}, f.Evidence...)
				f.Next = []string{fmt.Sprintf("find out its encoding (`file %s`) and convert it (`iconv -f LATIN1 -t UTF-8 %s`), or open it with the right one", name, name)}
			} else {
				f.Title = fmt.Sprintf("text and encoding do not fit: %s", firstLine(e.Text))
				f.Next = []string{"set a UTF-8 locale (LANG=C.UTF-8, PYTHONUTF8=1), or name the encoding where the text is read or written"}
			}
			out = append(out, f)
		}
		return out
	},
}

// fileRead is the file that the exception's thread had read the bytes from that
// could not be decoded.
func (c *Case) fileRead(e *timeline.Exception, bad string) (string, *timeline.Call) {
	if !e.Is("UnicodeDecodeError") || bad == "" {
		return "", nil
	}
	calls := e.Proc.Calls
	for i := len(calls) - 1; i >= 0; i-- {
		call := calls[i]
		if call.TID != e.TID || call.Leave() > e.Time || call.Raw.Ret <= 0 {
			continue
		}
		if e.Time-call.Leave() > 5e9 {
			break
		}
		d := call.Desc
		if d == nil || d.Kind != timeline.DescFile || d.Path == "" || !strings.Contains(call.Name(), "read") {
			continue
		}
		data, missing := call.Decode().Buffer()
		if bytes.Contains(data, []byte(bad)) || missing > 0 && strings.Contains(e.Origin().File, "codecs") {
			return d.Path, call
		}
	}
	return "", nil
}
