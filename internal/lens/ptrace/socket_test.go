package ptrace

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"culprit/internal/event"
)

const refusal = "HTTP/1.1 413 Too Large\r\n\r\n"

// The answer that the program has not read when its write fails.
func TestPeekAtFailedWrite(t *testing.T) {
	for _, mode := range []string{"answer-unix", "answer-tcp"} {
		t.Run(mode, func(t *testing.T) {
			r := record(t, Options{}, prog(t), mode)
			peeks := client(r)
			if len(peeks) != 1 || peeks[0].When != "write-failed" || string(peeks[0].Data) != refusal ||
				peeks[0].Queued != uint32(len(refusal)) || !strings.HasPrefix(peeks[0].Link, "socket:[") {
				t.Fatalf("peeks %+v", peeks)
			}
		})
	}
}

// client returns the looks at the client's queue; the server has a request in
// its own when it closes. One look serves all failed writes.
func client(r run) []*event.Peek {
	all, _ := of[*event.Peek](r)
	return slices.DeleteFunc(all, func(p *event.Peek) bool { return p.Queued == uint32(len("POST / HTTP/1.1\r\n")) })
}

// Data and error wait together; looking at close takes neither.
func TestPeekKeepsError(t *testing.T) {
	r := record(t, Options{}, prog(t), "pending")
	if r.out != "error Connection reset by peer\n" {
		t.Errorf("the program says %q", r.out)
	}
	peeks, _ := of[*event.Peek](r)
	found := false
	for _, p := range peeks {
		found = found || string(p.Data) == "unread answer"
	}
	if !found {
		t.Errorf("peeks %+v", peeks)
	}
}

func TestPeekLimit(t *testing.T) {
	r := record(t, Options{MaxPeek: 5}, prog(t), "answer-tcp")
	peeks := client(r)
	if len(peeks) != 1 || string(peeks[0].Data) != refusal[:5] || peeks[0].Queued != uint32(len(refusal)) {
		t.Errorf("peeks %+v", peeks)
	}
}

func TestSocketAddresses(t *testing.T) {
	r := record(t, Options{}, prog(t), "answer-tcp")
	fds, _ := of[*event.FD](r)
	var client, server *event.FD
	for _, f := range fds {
		switch {
		case f.Type != unix.SOCK_STREAM:
		case client == nil && len(f.Remote) > 0:
			client = f
		case client != nil && f.Link != client.Link && len(f.Remote) > 0:
			server = f
		}
	}
	if client == nil || server == nil {
		t.Fatalf("descriptors %+v", fds)
	}
	if !bytes.Equal(client.Remote, server.Local) || !bytes.Equal(client.Local, server.Remote) {
		t.Errorf("the two ends differ: %+v, %+v", client, server)
	}
	if client.Remote[0] != unix.AF_INET || len(client.Remote) != 16 {
		t.Errorf("address %x", client.Remote)
	}
}

func TestPartialWrites(t *testing.T) {
	r := record(t, Options{}, prog(t), "partial")
	var out []string
	want := make([]byte, 1<<20)
	for i := range want {
		want[i] = byte(i*7 + i/251)
	}
	for _, c := range r.calls("write") {
		if c.Args[2] < 1<<19 {
			continue // printf
		}
		out = append(out, fmt.Sprintf("write %d", max(c.Ret, -1)))
		if c.Ret <= 0 {
			if n := len(c.text(c.Args[1])); n > 256 {
				t.Errorf("%d bytes kept of a write that failed", n)
			}
			continue
		}
		got := c.text(c.Args[1])
		if got != string(want[:c.Ret]) {
			t.Errorf("%d bytes kept of %d, or others", len(got), c.Ret)
		}
		want = want[c.Ret:]
	}
	if d := cmp.Diff(r.out, strings.Join(out, "\n")+"\n"); d != "" {
		t.Errorf("writes (-printed +recorded):\n%s", d)
	}
}

func TestMessages(t *testing.T) {
	r := record(t, Options{}, prog(t), "iovecs")
	for _, c := range r.calls("sendmsg", "recvmsg") {
		var data string
		for _, m := range c.Mem {
			if s := string(m.Data); strings.Contains("one two three", s) {
				data += s
			}
		}
		if c.Ret != 13 || data != "one two three" {
			t.Errorf("%s: %d, data %q, %+v", c.name, c.Ret, data, c.Mem)
		}
	}
	if n := len(r.calls("sendmsg", "recvmsg")); n != 2 {
		t.Errorf("%d calls", n)
	}
}

func TestMaxStream(t *testing.T) {
	const total, keep = 20 << 20, 3<<20 + 5
	r := record(t, Options{MaxStream: keep}, prog(t), "flood", fmt.Sprint(total))
	kept, moved := map[string]uint64{}, map[string]uint64{}
	link := map[[2]int32]string{}
	for _, e := range r.events {
		switch b := e.Body.(type) {
		case *event.FD:
			link[[2]int32{e.PID, b.FD}] = b.Link
		case *event.Syscall:
			if b.NR != unix.SYS_WRITE && b.NR != unix.SYS_READ {
				continue
			}
			l := link[[2]int32{e.PID, int32(b.Args[0])}]
			if !strings.HasPrefix(l, "socket:[") || b.Ret <= 0 {
				continue
			}
			moved[l] += uint64(b.Ret)
			for _, m := range b.Mem {
				kept[l] += uint64(len(m.Data))
			}
		}
	}
	if len(moved) != 2 {
		t.Fatalf("sockets %v", moved)
	}
	lost := map[string]uint64{}
	losses, _ := of[*event.Loss](r)
	for _, l := range losses {
		if l.Lens != "kernel" || l.Count == 0 {
			t.Errorf("loss %+v", l)
		}
		lost[strings.TrimPrefix(l.What, "stream bytes over --max-stream: ")] += l.Bytes
	}
	for l, n := range moved {
		if n != total || kept[l] != keep || lost[l] != total-keep {
			t.Errorf("%s: moved %d, kept %d, lost %d", l, n, kept[l], lost[l])
		}
	}
}

func TestBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 1 GB")
	}
	pid, out := start(t, nil, prog(t), "flood", fmt.Sprint(1<<30))
	defer out.Close()
	peak := recordCounting(t, pid)
	if peak > 300<<20 {
		t.Errorf("peak resident set %d MB", peak>>20)
	}
	t.Logf("peak resident set %d MB", peak>>20)
}
