package timeline

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
	"culprit/internal/sysabi"
)

func TestDescriptors(t *testing.T) {
	open := func(s *synth, pid int32, fd int64, path string, flags int) {
		s.call(pid, fd, "openat", fdcwd, path, flags)
	}
	tests := []struct {
		name string
		do   func(s *synth)
		want []string
	}{
		{"open and close", func(s *synth) {
			s.probe(10, 3)
			open(s, 10, 3, "etc/app.conf", 0)
			s.probe(10, 3)
			s.call(10, -2, "openat", fdcwd, "/none", 0) // ENOENT makes nothing
			s.call(10, 0, "close", 3)
			s.probe(10, 3)
			open(s, 10, 3, "/b", 0) // the number is used again
			s.probe(10, 3)
			s.call(10, -5, "close", 3) // EIO: closed all the same
			s.probe(10, 3)
		}, []string{"-", "/home/ada/etc/app.conf", "-", "/b", "-"}},
		{"directories", func(s *synth) {
			s.call(10, 3, "open", "sub", 0)
			s.call(10, 4, "openat", 3, "file", 0)
			s.probe(10, 4)
			s.call(10, 0, "chdir", "/srv")
			open(s, 10, 5, "../etc/x", 0)
			s.probe(10, 5)
			s.call(10, 0, "fchdir", 3)
			open(s, 10, 6, "y", 0)
			s.probe(10, 6)
			s.call(10, 7, "openat", 99, "z", 0) // a directory that nothing is known of
			s.probe(10, 7)
			s.call(10, 8, "creat", "made", 0o644)
			s.probe(10, 8)
		}, []string{"/home/ada/sub/file", "/etc/x", "/home/ada/sub/y", "z", "/home/ada/sub/made"}},
		{"dup", func(s *synth) {
			open(s, 10, 3, "/a", 0)
			open(s, 10, 4, "/b", 0)
			s.call(10, 5, "dup", 3)
			s.call(10, 4, "dup2", 3, 4) // closes /b
			s.call(10, 6, "dup3", 3, 6, cloexec)
			s.call(10, 7, "fcntl", 3, 0, 7)    // F_DUPFD
			s.call(10, 8, "fcntl", 3, 1030, 8) // F_DUPFD_CLOEXEC
			s.call(10, 0, "close", 3)
			for fd := 3; fd <= 8; fd++ {
				s.probe(10, fd)
			}
			s.call(10, -9, "dup2", 50, 4) // EBADF changes nothing
			s.probe(10, 4)
			s.call(10, 4, "dup2", 51, 4) // of a descriptor that nothing is known of
			s.probe(10, 4)
		}, []string{"-", "/a", "/a", "/a", "/a", "/a", "/a", "-"}},
		{"exec closes what is close-on-exec", func(s *synth) {
			open(s, 10, 3, "/keep", 0)
			open(s, 10, 4, "/shut", cloexec)
			s.call(10, 5, "dup", 4) // the copy is not
			s.call(10, 6, "dup3", 3, 6, cloexec)
			s.call(10, 7, "fcntl", 3, 1030, 7)
			s.call(10, 8, "dup", 3)
			s.call(10, 0, "fcntl", 8, 2, 1) // F_SETFD, FD_CLOEXEC
			s.call(10, 4, "dup2", 4, 4)     // does nothing at all
			s.call(10, 9, "openat2", fdcwd, "/how", 0x7000, 24, in(0x7000, u32s(cloexec, 0, 0, 0, 0, 0)))
			s.add(10, &event.Exec{Exe: "/bin/other", Argv: []string{"other"}})
			for fd := 3; fd <= 9; fd++ {
				s.probe(10, fd)
			}
		}, []string{"/keep", "-", "/shut", "-", "-", "-", "-"}},
		{"fork copies, then each has its own", func(s *synth) {
			open(s, 10, 3, "/a", 0)
			s.add(10, &event.Fork{Child: 11})
			s.probe(11, 3)
			s.call(11, 0, "close", 3)
			open(s, 11, 3, "/child", 0)
			s.probe(10, 3)
			s.probe(11, 3)
			s.add(10, &event.Fork{Child: 12, Thread: true}) // a thread is no process
			s.add(11, &event.Exit{})
			s.add(10, &event.Fork{Child: 11}) // the number is used again
			s.probe(11, 3)
		}, []string{"/a", "/a", "/child", "/a"}},
		{"close_range", func(s *synth) {
			for fd := 3; fd <= 8; fd++ {
				open(s, 10, int64(fd), "/f", 0)
			}
			s.call(10, 0, "close_range", 4, 5, 0)
			s.call(10, 0, "close_range", 6, 7, 4)     // CLOSE_RANGE_CLOEXEC
			s.call(10, -22, "close_range", 3, 8, 255) // EINVAL
			for fd := 3; fd <= 8; fd++ {
				s.probe(10, fd)
			}
			s.add(10, &event.Exec{Exe: "/bin/other", Argv: []string{"other"}})
			for fd := 3; fd <= 8; fd++ {
				s.probe(10, fd)
			}
			s.call(10, 0, "close_range", 3, 0xffffffff, 0)
			s.probe(10, 8)
		}, []string{"/f", "-", "-", "/f", "/f", "/f", "/f", "-", "-", "-", "-", "/f", "-"}},
		{"pipes and pairs", func(s *synth) {
			s.call(10, 0, "pipe2", 0x5000, cloexec, out(0x5000, u32s(3, 4)))
			s.call(10, 0, "pipe", 0x5000, out(0x5000, u32s(5, 6)))
			s.call(10, 0, "socketpair", 1, 1|cloexec, 0, 0x5000, out(0x5000, u32s(7, 8)))
			s.call(10, -24, "pipe", 0x5000, out(0x5000, u32s(9, 10))) // EMFILE
			for fd := 3; fd <= 9; fd++ {
				s.probe(10, fd)
			}
			s.add(10, &event.Exec{Exe: "/bin/other", Argv: []string{"other"}})
			for fd := 3; fd <= 8; fd++ {
				s.probe(10, fd)
			}
		}, []string{"pipe", "pipe", "pipe", "pipe", "socket", "socket", "-", "-", "-", "pipe", "pipe", "-", "-"}},
		{"what /proc said", func(s *synth) {
			s.add(10, &event.FD{FD: 0, Link: "/dev/pts/1"})
			s.add(10, &event.FD{FD: 3, Link: "/var/log/x"})
			s.add(10, &event.FD{FD: 4, Link: "pipe:[5]"})
			s.add(10, &event.FD{FD: 5, Link: "anon_inode:[eventfd]"})
			s.probe(10, 0)
			s.probe(10, 3)
			s.probe(10, 4)
			s.probe(10, 5)
			open(s, 10, 6, "/link", 0)
			s.add(10, &event.FD{FD: 6, Link: "/target"})
			s.probe(10, 6)
		}, []string{"/dev/pts/1", "/var/log/x", "pipe:[5]", "anon_inode:[eventfd]", "/target"}},
		{"a process that was never announced", func(s *synth) {
			open(s, 77, 3, "/stray", 0)
			s.probe(77, 3)
		}, []string{"/stray"}},
		{"a call that never returned", func(s *synth) {
			open(s, 10, 3, "/fifo", 0)
			s.events[len(s.events)-1].Body.(*event.Syscall).Flags = event.Unfinished
			s.probe(10, 3)
		}, []string{"-"}},
		{"a call that culprit made itself", func(s *synth) {
			open(s, 10, 3, "/ours", 0)
			s.events[len(s.events)-1].Body.(*event.Syscall).Flags = event.Injected
			s.probe(10, 3)
		}, []string{"-"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSynth(t)
			tt.do(s)
			if d := cmp.Diff(tt.want, probed(s.build())); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// Both ends of a pipe and of a pair know each other.
func TestPeers(t *testing.T) {
	s := newSynth(t)
	s.call(10, 0, "pipe", 0x5000, out(0x5000, u32s(3, 4)))
	s.call(10, 0, "socketpair", 1, 1, 0, 0x5000, out(0x5000, u32s(5, 6)))
	s.add(10, &event.Fork{Child: 11})
	for fd := 3; fd <= 6; fd++ {
		s.probe(10+int32(fd%2), fd)
	}
	var d []*Desc
	for _, c := range s.build().Calls {
		if c.Name() == "fsync" {
			d = append(d, c.Desc)
		}
	}
	if d[0].Peer != d[1] || d[1].Peer != d[0] || d[2].Peer != d[3] || d[3].Peer != d[2] {
		t.Error("the ends of a pipe or a pair are not each other's peers")
	}
	if d[0] == d[1] || d[2] == d[3] {
		t.Error("both ends are one")
	}
}

// Processes: their tree, ends, and names.
func TestProcesses(t *testing.T) {
	s := newSynth(t)
	s.add(10, &event.Fork{Child: 11})
	s.add(11, &event.Exec{Exe: "/bin/kid", Argv: []string{"/bin/kid", "-x"}, Cwd: "/tmp"})
	s.add(11, &event.Exit{Status: 11 | 0x80})
	s.add(10, &event.Exit{Status: 3 << 8})
	s.add(0, &event.End{Status: 3 << 8})
	tl := s.build()
	if len(tl.Procs) != 2 || tl.Root != tl.Procs[0] {
		t.Fatalf("%d processes", len(tl.Procs))
	}
	root, kid := tl.Procs[0], tl.Procs[1]
	if kid.Parent != root || len(root.Kids) != 1 || root.Parent != nil {
		t.Error("the tree is wrong")
	}
	got := []string{root.Name(), root.HowEnded(), root.Cwd, kid.Name(), kid.HowEnded(), kid.Cwd}
	if d := cmp.Diff([]string{"prog", "exited with 3", "/home/ada", "kid", "killed by SIGSEGV", "/tmp"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if root.Alive() || tl.End == nil {
		t.Error("the end was not seen")
	}
}

func TestNetlinkSockets(t *testing.T) {
	s := newSynth(t)
	s.call(10, 3, "socket", 16, 3, 9) // AF_NETLINK, SOCK_RAW, NETLINK_AUDIT
	s.call(10, 4, "socket", 2, 1, 0)  // AF_INET
	s.add(10, &event.FD{FD: 3, Link: "socket:[1]", Local: []byte{16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, Type: 3})
	s.add(10, &event.FD{FD: 5, Link: "socket:[2]", Local: []byte{16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, Type: 3})
	s.call(10, 6, "dup", 3)
	for fd := 3; fd <= 7; fd++ {
		s.probe(10, fd)
	}
	tl := s.build()
	var got []int
	for _, c := range tl.Calls {
		if c.Name() == "fsync" {
			got = append(got, c.Desc.Netlink())
		}
	}
	if d := cmp.Diff([]int{9, sysabi.NotNetlink, sysabi.NetlinkUnknown, 9, sysabi.NotNetlink}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
