package strace

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/sysabi"
)

// tape is a recording of one of the scenes of TestFormat.
type tape struct {
	t     *testing.T
	now   event.Time
	steps []Step
}

func (p *tape) add(tid int32, b event.Body) {
	p.now += 1000
	p.steps = append(p.steps, Step{Time: p.now, PID: 100, TID: tid, Body: b})
}

// enter records a call; what it returns completes it.
func (p *tape) enter(tid int32, name string, args [6]uint64, mem ...event.Mem) func(ret int64, mem ...event.Mem) {
	nr, ok := sysabi.Number(event.ArchX8664, name)
	if !ok {
		p.t.Fatalf("no call %s", name)
	}
	s := &event.Syscall{Arch: event.ArchX8664, NR: nr, Args: args, Mem: mem, Flags: event.Unfinished}
	p.add(tid, s)
	return func(ret int64, mem ...event.Mem) {
		s.Ret, s.Flags, s.Mem = ret, 0, append(s.Mem, mem...)
		p.add(tid, s)
		p.steps[len(p.steps)-1].Return = true
	}
}

func recordedOne(p *tape) {
	info := make([]byte, 128)
	info[0], info[16] = byte(unix.SIGTERM), 7
	p.enter(100, "openat", [6]uint64{cwd, 0x1000, 0x80000}, in(0x1000, "/etc/passwd\x00"))(3)
	p.enter(100, "read", [6]uint64{3, 0x2000, 4096})(6, out(0x2000, "root:\n"))
	p.enter(100, "openat", [6]uint64{cwd, 0x1000, 0}, in(0x1000, "/nothing/here/that/is/longer/than/a/column\x00"))(-2)
	p.enter(100, "write", [6]uint64{1, 0x3000, 3}, out(0x3000, "abc"))(-512)
	p.add(100, &event.Signal{Siginfo: info})
	p.enter(100, "read", [6]uint64{0, 0x2000, 10})
	p.add(100, &event.Exit{Status: 15})
}

func recordedTwo(p *tape) {
	a := p.enter(100, "futex", [6]uint64{0x5000, 128, 7})
	p.add(100, &event.Fork{Child: 101, Thread: true})
	b := p.enter(101, "read", [6]uint64{3, 0x2000, 4096})
	a(0)
	b(1, out(0x2000, "x"))
	p.enter(100, "getpid", [6]uint64{})
	b = p.enter(101, "execve", [6]uint64{0x1000, 0x1100, 0x1200}, in(0x1000, "/bin/true\x00"), in(0x1100, "\x00\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
		in(0x1200, "\x00\x00\x00\x00\x00\x00\x00\x00"))
	p.add(100, &event.Exec{Former: 101})
	b(0)
	p.steps[len(p.steps)-1].TID = 100
	p.add(100, &event.Exit{})
}

// TestReplay: a recording is printed as the run was.
func TestReplay(t *testing.T) {
	for _, x := range []struct {
		golden string
		args   []string
		play   func(*tape)
	}{
		{"plain", nil, recordedOne},
		{"column", []string{"-a", "10", "-s", "3", "-qq"}, recordedOne},
		{"raw", []string{"-e", "raw=all", "-e", "signal=none"}, recordedOne},
		{"failed", []string{"-Z"}, recordedOne},
		{"unfinished", []string{"-e", "status=unfinished"}, recordedOne},
		{"hex", []string{"-xx", "-e", "trace=read,write"}, recordedOne},
		{"numbers", []string{"-X", "raw"}, recordedOne},
		{"both", []string{"-X", "verbose"}, recordedOne},
		{"class", []string{"-e", "%file"}, recordedOne},
		{"dump", []string{"-e", "read=3", "-e", "write=1", "-e", "trace=%desc"}, recordedOne},
		{"threads", []string{"-f"}, recordedTwo},
		{"threads-quiet", []string{"-f", "-e", "quiet=thread-execve,attach,exit"}, recordedTwo},
	} {
		t.Run(x.golden, func(t *testing.T) {
			c, err := ParseRecorded(x.args)
			if err != nil {
				t.Fatal(err)
			}
			p := &tape{t: t}
			x.play(p)
			var got bytes.Buffer
			if err := Replay(c, Process{Name: "strace", Stderr: &got, Log: &got, Direct: true}, 100, slices.Values(p.steps)); err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(filepath.Join("testdata", x.golden+".golden"))
			if err != nil {
				t.Fatal(err)
			}
			// A recording has no group-stops.
			want = bytes.Replace(want, []byte("--- stopped by SIGSTOP ---\n"), nil, 1)
			if d := cmp.Diff(string(want), got.String()); d != "" {
				t.Errorf("(-run +recording):\n%s", d)
			}
		})
	}
}

func TestParseRecorded(t *testing.T) {
	for _, args := range [][]string{{"ls"}, {"-P", "/x"}, {"-Y"}, {"-i"}, {"-o", "x"}, {"-e", "inject=all:error=EIO"}, {"-h"}} {
		var e *NotRecorded
		if _, err := ParseRecorded(args); !errors.As(err, &e) {
			t.Errorf("%q: %v", args, err)
		}
	}
	if _, err := ParseRecorded([]string{"-e", "trace=nonsense"}); err == nil {
		t.Error("a wrong option is taken")
	}
}

// Without -f only the first thread is there, and what never ended is let go.
func TestReplayOne(t *testing.T) {
	p := &tape{t: t}
	p.enter(101, "getpid", [6]uint64{})(7)
	p.enter(100, "getpid", [6]uint64{})(7)
	p.enter(100, "pause", [6]uint64{})
	c, err := ParseRecorded(nil)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := Replay(c, Process{Name: "strace", Stderr: &got, Log: &got}, 100, slices.Values(p.steps)); err != nil {
		t.Fatal(err)
	}
	want := "getpid()                                = 7\npause(strace: Process 100 detached\n <detached ...>\n"
	if d := cmp.Diff(want, got.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// What a recorded socket is comes with the step, and interfaces have no names.
func TestReplayNetlink(t *testing.T) {
	p := &tape{t: t}
	message := "\x20\x00\x00\x00\x12\x00\x01\x00\x05\x00\x00\x00\x00\x00\x00\x00" + // RTM_GETLINK
		"\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	for _, netlink := range []func(int64) int{nil, func(int64) int { return unix.NETLINK_ROUTE }} {
		p.enter(100, "sendto", [6]uint64{3, 0x1000, 32}, out(0x1000, message))(32)
		for i := range p.steps[len(p.steps)-2:] {
			p.steps[len(p.steps)-2+i].Netlink = netlink
		}
	}
	c, err := ParseRecorded([]string{"-qq", "-s", "4"})
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := Replay(c, Process{Name: "strace", Stderr: &got, Log: &got}, 100, slices.Values(p.steps)); err != nil {
		t.Fatal(err)
	}
	want := `sendto(3, " \0\0\0"..., 32, 0, NULL, 0) = 32
sendto(3, [{nlmsg_len=32, nlmsg_type=RTM_GETLINK, nlmsg_flags=NLM_F_REQUEST, nlmsg_seq=5, nlmsg_pid=0}, {ifi_family=AF_UNSPEC, ifi_type=ARPHRD_NETROM, ifi_index=1, ifi_flags=0, ifi_change=0}], 32, 0, NULL, 0) = 32
`
	if d := cmp.Diff(want, got.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
