package python

import (
	"strings"
	"testing"

	"culprit/internal/event"
	"culprit/internal/lens/python/stream"

	"github.com/google/go-cmp/cmp"
)

func TestChain(t *testing.T) {
	each(t, func(t *testing.T, py string, env []string) {
		r := record(t, "", env, py, script("wrapped.py"))
		if r.Status != "exit status 1" || r.Stderr != "upload failed: <urlopen error [Errno 32] Broken pipe>\n" {
			t.Fatalf("%+v", r.outcome)
		}
		pipe, url := r.raised("BrokenPipeError"), r.raised("urllib.error.URLError")
		conn, api, exit := r.raised("__main__.HTTPConnectionError"), r.raised("__main__.APIError"), r.raised("SystemExit")
		if pipe == nil || url == nil || conn == nil || api == nil || exit == nil {
			t.Fatalf("raised: %q", r.types())
		}
		if pipe.Attr("errno") != int64(32) || pipe.Text != "[Errno 32] Broken pipe" {
			t.Errorf("pipe: %+v", pipe)
		}
		if url.Context != pipe.Exc || url.Cause != 0 || conn.Cause != url.Exc || api.Context != conn.Exc || api.Cause != 0 || api.Attr("suppress_context") != true {
			t.Errorf("links: pipe %d, url %+v, conn %+v, api %+v", pipe.Exc, url, conn, api)
		}
		if url.Text != "<urlopen error [Errno 32] Broken pipe>" {
			t.Errorf("url: %q", url.Text)
		}
		want := []string{"send", "do_open", "post", "upload", "execute", "<module>"}
		var got []string
		for _, f := range pipe.Stack {
			got = append(got, f.Func[strings.LastIndexByte(f.Func, '.')+1:])
			if f.File != script("wrapped.py") || f.Line == 0 {
				t.Errorf("frame %+v", f)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		var reason bool
		for _, x := range all[*stream.Wrapped](r) {
			reason = reason || x.How == "reason" && x.From == pipe.Exc && x.To == url.Exc
		}
		if !reason {
			t.Error("the reason of URLError is not linked")
		}
		var locals []stream.Local
		for _, l := range all[*stream.Left](r) {
			if l.Exc == pipe.Exc && strings.HasSuffix(l.Frame.Func, "send") {
				locals = l.Locals
				if !strings.HasSuffix(l.To.Func, "do_open") || l.To.Line == 0 {
					t.Errorf("left for %+v", l.To)
				}
			}
		}
		if d := cmp.Diff([]stream.Local{
			{Name: "data", Type: "bytes", Text: `b'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'+936`},
			{Name: "password", Type: "str", Text: "<masked>"},
			{Name: "headers", Type: "dict", Text: `{'Authorization': <masked>, 'n': 1}`},
			{Name: "odd", Type: "__main__.Odd", Text: "<__main__.Odd size=3 token=<masked>>"},
		}, locals); d != "" {
			t.Error(d)
		}
		fin := all[*stream.Final](r)
		if len(fin) != 1 || fin[0].Exc != exit.Exc || fin[0].How != "exit" {
			t.Errorf("final: %+v", fin)
		}
		if z := all[*stream.Done](r); len(z) != 1 || z[0].RC != 1 {
			t.Errorf("done: %+v", z)
		}
		var src bool
		for _, e := range r.sink.events {
			if f, ok := e.Body.(*event.File); ok && f.Path == script("wrapped.py") {
				src = strings.Contains(string(f.Data), "class HTTPConnectionError")
			}
		}
		if !src {
			t.Error("no source text")
		}
		mode := "monitoring"
		if strings.HasSuffix(t.Name(), "-trace") {
			mode = "trace"
		} else if old(t, py) {
			mode = "hook"
		}
		if h := all[*stream.Hello](r); len(h) != 1 || h[0].Mode != mode {
			t.Errorf("hello: %+v, want mode %s", h[0], mode)
		}
	})
}
