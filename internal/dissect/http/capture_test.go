package http

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"culprit/internal/dissect"
	"culprit/internal/testkit/captest"
)

// run feeds a connection's inputs and returns its outputs, Data copied.
func run(o Options, ins []dissect.Input) (outs []Output) {
	c := New(o)
	take := func(list []Output) {
		for _, x := range list {
			x.Data = slices.Clone(x.Data)
			outs = append(outs, x)
		}
	}
	var last dissect.Input
	for _, in := range ins {
		take(c.Feed(in))
		last = in
	}
	take(c.Close(dissect.Input{Time: last.Time, Ref: last.Ref}))
	return outs
}

// heads lists the start lines of what came out, sorted.
func heads(outs []Output) []string {
	var list []string
	for _, o := range outs {
		m, ok := o.Msg.(*Message)
		switch {
		case !ok || m.Version == "HTTP/0.9":
		case m.Answer:
			list = append(list, strconv.Itoa(m.Status))
		default:
			list = append(list, m.Method+" "+m.Target)
		}
	}
	slices.Sort(list)
	return list
}

// contains says whether the sorted list all holds part, each as often.
func contains(all, part []string) bool {
	for _, p := range part {
		i := slices.Index(all, p)
		if i < 0 {
			return false
		}
		all = slices.Delete(slices.Clone(all), i, i+1)
	}
	return true
}

// different lists connections where tshark's list is not the aim, and why.
var different = map[string]string{
	"zeek-connect-with-smtp.pcap#0":       "a request line with a stray slash: tshark cuts the target there",
	"arkime-wireshark-retrans.pcap#0":     "tshark lists answers again that were sent again",
	"zeek-vxlan-encapsulated-http.pcap#0": "tunnels are not opened",
}

// TestSharedCaptures compares the requests and answers of plain captures with
// those that tshark lists.
func TestSharedCaptures(t *testing.T) {
	for _, folder := range []string{"http1", "tcp", "link"} {
		files := captest.Shared(folder)
		if len(files) == 0 {
			t.Skip("the shared capture collection does not lie beside the repository")
		}
		good, more, total := 0, 0, 0
		for _, path := range files {
			b, err := os.ReadFile(strings.TrimSuffix(path, filepath.Ext(path)) + ".expected.json")
			if err != nil {
				t.Fatal(err)
			}
			var x struct {
				Options string
				HTTP    struct {
					Lines int
					Head  []string
				} `json:"K-http"`
			}
			if err := json.Unmarshal(b, &x); err != nil {
				t.Fatal(err)
			}
			cap, err := captest.Read(path)
			if err != nil {
				t.Error(err)
				continue
			}
			if cap.Keys != nil || x.HTTP.Lines == 0 || x.HTTP.Lines != len(x.HTTP.Head) {
				continue
			}
			want := map[int][]string{}
			for _, l := range x.HTTP.Head {
				f := append(strings.Split(l, "\t"), "", "", "", "", "", "")
				n, err := strconv.Atoi(f[1])
				if err != nil {
					continue
				}
				methods, uris := strings.Split(f[2], ","), strings.Split(f[3], ",")
				for i := range methods {
					if methods[i] != "" && i < len(uris) {
						want[n] = append(want[n], methods[i]+" "+uris[i])
					}
				}
				for _, s := range strings.Split(f[5], ",") {
					if s != "" {
						want[n] = append(want[n], s)
					}
				}
			}
			for n, w := range want {
				total++
				slices.Sort(w)
				if n >= len(cap.Conns) {
					if different[fmt.Sprintf("%s#%d", filepath.Base(path), n)] != "" {
						continue
					}
					t.Errorf("%s#%d: only %d connections", filepath.Base(path), n, len(cap.Conns))
					continue
				}
				outs := run(Options{}, cap.Conns[n].Inputs)
				got := heads(outs)
				switch {
				case slices.Equal(got, w):
					good++
					continue
				case contains(got, w):
					more++
					continue
				case different[fmt.Sprintf("%s#%d", filepath.Base(path), n)] != "":
					continue
				}
				t.Errorf("%s#%d:\n got  %q\n want %q", filepath.Base(path), n, got, w)
				for _, o := range outs {
					switch m := o.Msg.(type) {
					case *Message:
						t.Logf("  %s %s %d %s seen %d of %d complete %v %s %q", o.Dir, m.Method, m.Status, m.Framing, m.Seen, m.Announced, m.Complete, m.Why, m.Issues)
					case Raw:
						t.Logf("  %s raw %d", o.Dir, len(o.Data))
					default:
						t.Log("  ", o.Dir, fmt.Sprintf("%T %+v", m, m))
					}
				}
			}
		}
		t.Logf("%s: of %d connections %d give tshark's requests and answers, %d more than those", folder, total, good, more)
	}
}
