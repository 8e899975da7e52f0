package timeline

import (
	"testing"

	"culprit/internal/event"
)

// streamOf is a recording's events behind one another, as they lie in a batch.
func streamOf(events []event.Event) []byte {
	var b []byte
	for _, e := range events {
		b = event.Append(b, e)
	}
	return b
}

// seeds are recordings that reach most of the package.
func seeds(t testing.TB) [][]byte {
	s := newSynth(t)
	s.add(0, &event.File{Path: "/etc/hosts", Data: []byte("127.0.0.1 localhost\n")})
	s.server(10, 3, "10.0.0.53:53")
	s.messages(10, "sendmmsg", 3, message(1, "a.example", typeA, -1), message(2, "a.example", typeAAAA, -1))
	s.messages(10, "recvmmsg", 3, message(1, "a.example", typeA, 0, [4]byte{10, 0, 0, 1}), message(2, "a.example", typeAAAA, 3))
	s.call(10, 1, "poll", 0x7000, 1, 100, in(0x7000, u32s(3, 4)), out(0x7000, u32s(3, 8<<16)))

	web := newSynth(t)
	web.dial(10, 4, "10.0.0.1:80")
	web.write(10, 4, "POST /up HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nbody")
	web.call(10, -32, "write", 4, 0x9000, 4, out(0x9000, "more"))
	web.add(10, &event.Peek{FD: 4, Link: inode, When: "close", Queued: 20, Data: []byte("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")})
	web.add(10, &event.Signal{Siginfo: make([]byte, 128)})
	web.add(10, &event.Native{Signo: 11, Frames: []event.NativeFrame{{Object: "/bin/x", Addr: 0x1136, Symbol: "_Z4leafi", Offset: 4}, {Addr: 9}}, Stack: 1})
	web.write(10, 2, "failed\nbadly")
	web.add(10, &event.Exit{Status: 256})
	web.add(0, &event.End{Status: 256})

	fds := newSynth(t)
	fds.call(10, 0, "pipe2", 0x5000, 0, out(0x5000, u32s(3, 4)))
	fds.call(10, 0, "socketpair", 1, 1, 0, 0x5000, out(0x5000, u32s(5, 6)))
	fds.add(10, &event.Fork{Child: 11})
	fds.call(11, 0, "close_range", 3, 0xffffffff, 4)
	fds.call(11, 7, "openat2", fdcwd, "x", 0x7000, 24, in(0x7000, u32s(cloexec, 0)))
	fds.add(11, &event.Exec{Exe: "/bin/x", Argv: []string{"x"}})
	fds.add(11, &event.Wait{State: "S", Wchan: "pipe_read", Syscall: "0 0x3"})
	fds.add(11, &event.Agent{Lang: "python", Data: []byte("{\xe9\x01\x00\x00\x00")})
	fds.add(0, &event.Secrets{Source: "SSLKEYLOGFILE", Lines: []byte("CLIENT_RANDOM 00 11\n")})
	fds.add(0, &event.Loss{Lens: "kernel", What: "x", Count: 1})
	return [][]byte{streamOf(s.events), streamOf(web.events), streamOf(fds.events)}
}

// FuzzBuild reads any bytes as events. Whatever they say, the timeline is in
// order, complete in itself, and not much larger than they are.
func FuzzBuild(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		size := len(b)
		n := 0
		tl, err := Build(func(yield func(event.Event, error) bool) {
			for len(b) > 0 {
				var e event.Event
				var err error
				if e, b, err = event.Decode(b); !yield(e, err) {
					return
				}
				n++
			}
		})
		if err != nil {
			return
		}
		if len(tl.Calls) > n || len(tl.Procs) > 2*n || len(tl.Conns) > n || len(tl.Lines) > size+n {
			t.Fatalf("%d calls, %d processes, %d connections, %d lines of %d events, %d bytes",
				len(tl.Calls), len(tl.Procs), len(tl.Conns), len(tl.Lines), n, size)
		}
		for i, c := range tl.Calls {
			if c.Seq != i || c.Proc == nil || i > 0 && c.Enter < tl.Calls[i-1].Enter {
				t.Fatalf("call %d: number %d, process %v", i, c.Seq, c.Proc)
			}
			_ = c.Decode().String()
		}
		for i, c := range tl.Conns {
			if c.ID != i+1 || c.Proc == nil || (c.Errno != 0) != (c.Failed != nil) {
				t.Fatalf("connection %d: number %d, process %v, errno %v of %v", i, c.ID, c.Proc, c.Errno, c.Failed)
			}
			held := 0
			for _, s := range c.Segments {
				if s.Gap < 0 || s.Call == nil && !s.Unread {
					t.Fatalf("connection %d: gap %d, call %v", i, s.Gap, s.Call)
				}
				held += len(s.Data)
			}
			if held > size {
				t.Fatalf("connection %d holds %d bytes of %d", i, held, size)
			}
		}
		for _, p := range tl.Procs {
			for q, depth := p, 0; q != nil; q, depth = q.Parent, depth+1 {
				if depth > len(tl.Procs) {
					t.Fatal("a process descends from itself")
				}
			}
			_, _ = p.Name(), p.HowEnded()
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	s := &synth{t: b}
	s.add(0, &event.Header{Command: []string{"prog"}})
	for i := range 10_000 {
		fd := 3 + i%50
		s.call(10, int64(fd), "openat", fdcwd, "/usr/lib/python3/dist-packages/x.py", cloexec)
		s.call(10, 4, "read", fd, 0x9000, 4096, out(0x9000, "text"))
		s.call(10, 0, "close", fd)
	}
	all := func(yield func(event.Event, error) bool) {
		for _, e := range s.events {
			if !yield(e, nil) {
				return
			}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Build(all); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(s.events)*b.N)/b.Elapsed().Seconds(), "events/s")
}
