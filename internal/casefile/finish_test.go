package casefile

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
	"culprit/internal/pcapng"
	"culprit/internal/testkit"
)

const tlsPort = "9101"

// layout makes the layout of a case from a real capture and its keys: packets
// of two processes and three rows, one of them between the packets.
func layout(t *testing.T) Layout {
	t.Helper()
	const wall = 1_700_000_000_000_000_000
	l := Layout{
		Culprit: "1.2", Wall: wall,
		Interfaces: []Interface{{Name: "lo", Description: "loopback", Snaplen: 0x40000}},
		Names:      map[netip.Addr][]string{netip.MustParseAddr("127.0.0.1"): {"server.example"}},
	}
	keys, err := os.ReadFile("testdata/tls13.keys")
	if err != nil {
		t.Fatal(err)
	}
	l.Secrets = [][]byte{nil, keys}
	var first int64
	for block, err := range Blocks("testdata/tls13.pcap") {
		if err != nil {
			t.Fatal(err)
		}
		switch b := block.(type) {
		case *pcapng.Interface:
			l.Interfaces[0].LinkType = b.LinkType
		case *pcapng.Packet:
			if first == 0 {
				first = b.Nanos
			}
			l.Packets = append(l.Packets, Packet{
				Time: event.Time(b.Nanos - first + 1000), PID: 4711, TID: 4712, Direction: pcapng.Outbound,
				Data: bytes.Clone(b.Data), Comments: []string{"curl[4711]"},
			})
		}
	}
	last := l.Packets[len(l.Packets)-1].Time
	l.Rows = []Row{ // not in order: Finish sorts
		{Time: last + 1e9, Fields: []Field{{"MESSAGE", "write(4) = -1 EPIPE\nand a second line"}, {"PRIORITY", "3"}, {"_PID", "4711"}, {"ERRNO", "32"}}},
		{Time: 0, Fields: []Field{{"MESSAGE", "curl started"}, {"PRIORITY", "6"}, {"_PID", "4711"}}},
		{Time: 1000, Fields: []Field{{"MESSAGE", "at the time of the first packet"}, {"PRIORITY", "6"}}},
	}
	return l
}

func TestFinish(t *testing.T) {
	want := sample()
	path := record(t, Options{Batch: 100}, want...)
	if err := Finish(path, path, layout(t)); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(files) != 1 || files[0] != path {
		t.Errorf("files left: %q", files)
	}
	if st, err := os.Stat(path); err != nil || st.Mode() != 0o600 {
		t.Error(err, st.Mode())
	}
	c := open(t, path)
	if c.Spool() || c.Lacks() != nil || c.batches != 1 || c.Count() != uint64(len(want)) || c.Writer() != "culprit 1.2" {
		t.Errorf("spool %v, lacks %q, %d batches, %d events, writer %q", c.Spool(), c.Lacks(), c.batches, c.Count(), c.Writer())
	}
	got, damage := all(c)
	if d := cmp.Diff(want, got); d != "" || damage != nil {
		t.Errorf("%q (-want +got):\n%s", damage, d)
	}
	if h, e, ok := c.Header(); !ok || h.Culprit != want[0].Body.(*event.Header).Culprit || e.Time != want[0].Time {
		t.Errorf("header %+v of %+v, %v", h, e, ok)
	}
	// Secrets and names come before the first packet, times never go back.
	var order []string
	var last int64
	for block, err := range c.Blocks() {
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(fmt.Sprintf("%T", block), "*pcapng.")
		if p, ok := block.(*pcapng.Packet); ok {
			if p.Nanos < last || p.PID != 4711 || p.TID != 4712 || p.Direction() != pcapng.Outbound {
				t.Errorf("packet at %d after %d: process %d, thread %d", p.Nanos, last, p.PID, p.TID)
			}
			last = p.Nanos
		}
		if len(order) == 0 || order[len(order)-1] != name {
			order = append(order, name)
		}
	}
	if d := cmp.Diff([]string{"Section", "Interface", "Names", "Secrets", "Journal", "Packet", "Journal", "Packet", "Journal"}, order); d != "" {
		t.Errorf("order of blocks (-want +got):\n%s", d)
	}
	// A finished case can be laid out anew over itself.
	if err := Finish(path, path, Layout{}); err != nil {
		t.Fatal(err)
	}
	if again, _ := all(open(t, path)); len(again) != len(want) {
		t.Errorf("%d events the second time", len(again))
	}
}

// Stock Wireshark opens the case, decrypts it and shows the rows.
func TestFinishTshark(t *testing.T) {
	path := record(t, Options{}, sample()...)
	spool := path + SpoolSuffix
	run(t, "capinfos", spool)
	if out := run(t, "tshark", "-r", spool); !strings.Contains(out, "32473") {
		t.Errorf("tshark shows the spool as\n%s", out)
	}
	if err := Finish(path, path, layout(t)); err != nil {
		t.Fatal(err)
	}
	run(t, "capinfos", path)
	if out := run(t, "tshark", "-r", path, "-d", "tcp.port=="+tlsPort+",tls", "-Y", "http.response.code == 413", "-T", "fields", "-e", "http.response.phrase", "-e", "frame.comment"); out != "Request Entity Too Large\tcurl[4711]\n" {
		t.Errorf("decrypted answer: %q", out)
	}
	if out := run(t, "tshark", "-r", path, "-Y", "systemd_journal.errno == 32", "-T", "fields", "-e", "systemd_journal.message", "-e", "systemd_journal.pid"); !strings.Contains(out, "EPIPE") || !strings.Contains(out, "second line") || !strings.Contains(out, "4711") {
		t.Errorf("row by errno: %q", out)
	}
	if out := run(t, "tshark", "-r", path, "-Y", "frame.number == 1", "-T", "fields", "-e", "systemd_journal.message", "-e", "frame.time_epoch"); !strings.HasPrefix(out, "curl started\t1700000000.0000") {
		t.Errorf("first row: %q", out)
	}
	if out := run(t, "tshark", "-N", "n", "-r", path, "-c", "2", "-T", "fields", "-e", "ip.src_host"); !strings.Contains(out, "server.example") {
		t.Errorf("names: %q", out)
	}
	// A tool that rewrites captures keeps the events.
	copied := filepath.Join(t.TempDir(), "copy.pcapng")
	run(t, "editcap", path, copied)
	c := open(t, copied)
	if got, damage := all(c); len(got) != len(sample()) || damage != nil || c.Lacks() != nil {
		t.Errorf("after editcap: %d events, %q, %q", len(got), damage, c.Lacks())
	}
}

func TestFinishErrors(t *testing.T) {
	path := record(t, Options{}, sample()...)
	old := []byte("an older case")
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	spool := path + SpoolSuffix
	for name, tt := range map[string]struct {
		out  string
		lay  Layout
		want string
	}{
		"interface":  {path, Layout{Packets: []Packet{{}}}, "interface 0 of 0"},
		"field name": {path, Layout{Rows: []Row{{Fields: []Field{{"a b", ""}}}}}, `"a b"`},
		"directory":  {filepath.Dir(path), Layout{}, "not a regular file"},
		"missing":    {filepath.Join(filepath.Dir(path), "none", "x"), Layout{}, "no such file"},
	} {
		if err := Finish(spool, tt.out, tt.lay); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.out) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if err := Finish(filepath.Join(t.TempDir(), "none"), path, Layout{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, old) {
		t.Errorf("the older case is now %q, %v", got, err)
	}
	if c := open(t, spool); c.Count() != uint64(len(sample())) {
		t.Errorf("the spool has %d events", c.Count())
	}
	if files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(files) != 2 {
		t.Errorf("files left: %q", files)
	}
}

// Many small batches become few large ones, and nothing changes.
func TestFinishMerges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	w, err := Create(path, Options{Batch: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	const n = 20000
	data := make([]byte, 1000)
	for i := range n {
		w.Put(event.Event{Time: event.Time(i), Body: &event.Agent{Data: data}})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	before := open(t, path).batches
	if err := Finish(w.Path(), path, Layout{}); err != nil {
		t.Fatal(err)
	}
	c := open(t, path)
	if before < 250 || c.batches > 6 {
		t.Errorf("%d batches became %d", before, c.batches)
	}
	i := 0
	for e, err := range c.Events() {
		if err != nil || e.Time != event.Time(i) || len(e.Body.(*event.Agent).Data) != len(data) {
			t.Fatalf("event %d: %+v %v", i, e.Time, err)
		}
		i++
	}
	if i != n {
		t.Errorf("%d events of %d", i, n)
	}
}

// run runs a program of Wireshark's and gives its output; without it the test
// is skipped, but not in CI.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	testkit.Program(t, name)
	var out, errs bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Errorf("%s %q: %v\n%s", name, args, err, errs.String())
	}
	return out.String()
}
