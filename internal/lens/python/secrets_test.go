package python

import (
	"bytes"
	"testing"

	"culprit/internal/event"
	"culprit/internal/lens/python/stream"
)

// What is a credential by its name or its shape never leaves the process.
func TestSecrets(t *testing.T) {
	each(t, func(t *testing.T, py string, env []string) {
		r := record(t, "", env, py, script("secrets.py"))
		for _, e := range r.sink.events {
			a, ok := e.Body.(*event.Agent)
			if !ok {
				continue
			}
			for _, secret := range []string{"hunter22", "HUNTER22", "777777777777"} {
				if i := bytes.Index(a.Data, []byte(secret)); i >= 0 {
					t.Errorf("a record holds %s: %q", secret, a.Data[max(0, i-80):i+len(secret)])
				}
			}
		}
		var text, page string
		for _, l := range all[*stream.Left](r) {
			for _, v := range l.Locals {
				switch v.Name {
				case "password":
					text = v.Text
				case "query":
					page = v.Text
				}
			}
		}
		if want := "<masked>"; text != want {
			t.Errorf("password %q, want %q", text, want)
		}
		if want := "'https://h/x?access_token=<masked>&page=2'"; page != want {
			t.Errorf("query %q, want %q", page, want)
		}
	})
}
