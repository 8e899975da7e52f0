package show

import (
	"fmt"
	"mime"
	"net/url"
	"path"
	"strings"

	"culprit/internal/dissect/http"
	"culprit/internal/rows"
)

// Object is the body of an HTTP message, to be written to a file.
type Object struct {
	Name string // a file's name, without folders, unique among the objects
	Type string // media type
	From string // the message's first line
	Data []byte // decoded
	Lost int64  // bytes of the body that Data lacks
	Note string // why Data is not decoded, or cut short
}

// Objects gives the bodies of the HTTP messages among the rows.
func Objects(list Rows) func(yield func(*Object) bool) {
	return func(yield func(*Object) bool) {
		taken := map[string]bool{}
		for r := range list {
			m := r.HTTP
			if m == nil || len(m.Body) == 0 {
				continue
			}
			o := &Object{Data: rows.Body(m), Note: m.DecodeErr, Lost: m.Seen + m.Missing - int64(len(m.Body))}
			o.Type, _, _ = mime.ParseMediaType(m.Get("Content-Type"))
			target := m
			o.From = m.Method + " " + r.Exchange.URL
			if m.Answer {
				o.From = fmt.Sprintf("%d for %s", m.Status, r.Exchange.URL)
				target = r.Exchange.Request
			}
			if !m.Complete && o.Note == "" {
				o.Note = m.Why
			}
			o.Name = unique(objectName(target, m, o.Type), taken)
			if !yield(o) {
				return
			}
		}
	}
}

// objectName is the last part of the request's path, made harmless.
func objectName(request, m *http.Message, typ string) string {
	name := ""
	if request != nil {
		target := request.Target
		if u, err := url.Parse(target); err == nil && u.Path != "" {
			target = u.Path
		}
		name = path.Base(path.Clean("/" + target))
	}
	name = harmless(name)
	if name == "" {
		name = "index"
	}
	if !m.Answer {
		name = harmless(m.Method + "-" + name)
	}
	if path.Ext(name) == "" {
		name += extensions[typ]
	}
	return name
}

// extensions of the types that names often lack them for.
var extensions = map[string]string{
	"text/html": ".html", "text/plain": ".txt", "application/json": ".json", "application/xml": ".xml", "text/xml": ".xml",
	"text/css": ".css", "text/javascript": ".js", "application/javascript": ".js", "image/png": ".png", "image/jpeg": ".jpg",
	"image/gif": ".gif", "image/svg+xml": ".svg", "application/pdf": ".pdf", "application/zip": ".zip", "text/csv": ".csv",
}

// maxName is how long a file's name gets, with room for a number behind it.
const maxName = 120

// harmless keeps letters, digits and a few signs, so that a name neither leaves
// its folder nor hides nor looks like an option.
func harmless(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-+=@,", r):
			return r
		}
		return '_'
	}, s)
	s = strings.TrimLeft(s, "._-")
	if len(s) > maxName {
		s = s[:maxName]
	}
	return s
}

func unique(name string, taken map[string]bool) string {
	stem, ext := strings.TrimSuffix(name, path.Ext(name)), path.Ext(name)
	for n := 2; taken[name]; n++ {
		name = fmt.Sprintf("%s-%d%s", stem, n, ext)
	}
	taken[name] = true
	return name
}
