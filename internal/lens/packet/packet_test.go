package packet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/testkit"
)

// The test binary is also the program that is recorded.
func TestMain(m *testing.M) {
	if addr := os.Getenv("PACKET_TEST_DIAL"); addr != "" {
		if err := talk(addr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// talk has a conversation, is refused twice, and reads none of a last answer.
func talk(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "from the recorded program"); err != nil {
		return err
	}
	if _, err := io.ReadAll(c); err != nil {
		return err
	}
	if _, err := net.Dial("tcp", "127.0.0.1:1"); err == nil {
		return errors.New("somebody listens on port 1")
	}
	u, err := net.Dial("udp", "127.0.0.1:1")
	if err != nil {
		return err
	}
	defer u.Close()
	_, err = io.WriteString(u, "to nobody")
	return err
}

type collector struct {
	mu   sync.Mutex
	list []event.Event
}

func (c *collector) Put(e event.Event) {
	e, _, err := event.Decode(event.Append(nil, e))
	if err != nil {
		panic(err)
	}
	c.mu.Lock()
	c.list = append(c.list, e)
	c.mu.Unlock()
}

func need(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	testkit.Lack(t, err)
}

var probe = sync.OnceValue(New(Options{}).Probe)

// serve answers each connection with n bytes once something came.
func serve(t testing.TB, n int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = c.Read(make([]byte, 4096))
				_, _ = c.Write(make([]byte, n))
			}()
		}
	}()
	return l.Addr().String()
}

// start is a command in the lens's cgroup.
func start(t testing.TB, n *Lens, addr string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PACKET_TEST_DIAL="+addr)
	cmd.Stderr = os.Stderr
	if g := n.Cgroup(); g != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(g.Fd())}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// text says what the packets are, in the manner of tcpdump, without numbers that
// change, and what else was put.
func text(t testing.TB, events []event.Event, addr string) (packets []string, rest []event.Body) {
	t.Helper()
	where := netip.MustParseAddrPort(addr)
	for _, e := range events {
		p, ok := e.Body.(*event.Packet)
		if !ok {
			rest = append(rest, e.Body)
			continue
		}
		h, ok := headers(p.Data)
		if !ok {
			t.Fatalf("packet %x", p.Data)
		}
		way := "in "
		if p.Out {
			way = "out"
		}
		if h.quoted != nil {
			packets = append(packets, way+" icmp error")
			continue
		}
		peer := h.src
		if p.Out {
			peer = h.dst
		}
		name := peer.String()
		if peer == where {
			name = "server"
		}
		s := fmt.Sprintf("%s %s", way, name)
		if b := p.Data[20:]; h.proto == 6 {
			for i, flag := range []string{" fin", " syn", " rst"} {
				if b[13]>>i&1 != 0 {
					s += flag
				}
			}
			if data := b[min(int(b[12]>>4)*4, len(b)):]; len(data) > 0 {
				s += fmt.Sprintf(" %.40q", bytes.TrimRight(data, "\x00"))
			}
		}
		packets = append(packets, s)
	}
	return packets, rest
}

// Of the machine's packets those of the recorded program are kept, and the
// errors and resets that concern it.
func TestRecord(t *testing.T) {
	need(t, probe())
	addr := serve(t, 5)
	n := New(Options{})
	if err := n.Prepare(); err != nil {
		t.Fatal(err)
	}
	group := n.Cgroup().Name()
	var c collector
	ctx, done := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Record(ctx, lens.Target{}, &c) }()
	if err := talk(addr); err != nil { // not recorded: it is another process
		t.Fatal(err)
	}
	if err := start(t, n, addr).Wait(); err != nil {
		t.Fatal(err)
	}
	done()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	got, rest := text(t, c.list, addr)
	// How data and acknowledgements are joined is up to the kernel.
	got = slices.DeleteFunc(got, func(s string) bool { return s == "in  server" || s == "out server" })
	slices.Sort(got)
	want := []string{"in  127.0.0.1:1 rst", `in  icmp error`, `in  server ""`, "in  server fin", "in  server syn",
		"out 127.0.0.1:1", "out 127.0.0.1:1 syn", `out server "from the recorded program"`, "out server fin", "out server syn"}
	if !slices.Equal(got, want) {
		t.Errorf("packets %q\nwant %q", got, want)
	}
	var names []string
	for _, b := range rest {
		switch b := b.(type) {
		case *event.Interface:
			names = append(names, b.Name)
		case *event.Note:
			if want := fmt.Sprintf("%d packets by cgroup", n.count); b.Code != "packets" || b.Text != want {
				t.Errorf("note %+v, want %q", b, want)
			}
		default:
			t.Errorf("%T %+v", b, b)
		}
	}
	if !slices.Equal(names, []string{"lo"}) {
		t.Errorf("interfaces %q", names)
	}
	if _, err := os.Stat(group); !os.IsNotExist(err) {
		t.Errorf("the cgroup is still there: %v", err)
	}
}

// What is over the limit of a flow is kept without its data, and said.
func TestHeadersOnly(t *testing.T) {
	need(t, probe())
	const sent, limit = 8 << 20, 1 << 20
	addr := serve(t, sent)
	n := New(Options{MaxStream: limit})
	if err := n.Prepare(); err != nil {
		t.Fatal(err)
	}
	var c collector
	ctx, done := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Record(ctx, lens.Target{}, &c) }()
	if err := start(t, n, addr).Wait(); err != nil {
		t.Fatal(err)
	}
	done()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	kept, wire := 0, 0
	for _, e := range c.list {
		switch b := e.Body.(type) {
		case *event.Packet:
			kept, wire = kept+len(b.Data), wire+int(b.Len)
		case *event.Loss:
			t.Errorf("lost: %+v", b)
		case *event.Note:
			if !strings.Contains(b.Text, "only the headers were kept") {
				t.Errorf("note %q", b.Text)
			}
		}
	}
	if wire < sent || kept < limit || kept > 2*limit {
		t.Errorf("%d bytes of %d kept", kept, wire)
	}
}

// Processes that are left go back to where they would be without us.
func TestLeftover(t *testing.T) {
	need(t, probe())
	n := New(Options{Buffer: 1 << 20})
	if err := n.Prepare(); err != nil {
		t.Fatal(err)
	}
	path := n.Cgroup().Name()
	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(n.Cgroup().Fd())}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the cgroup is still there: %v", err)
	}
	own, err := ownCgroup("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	if its, err := ownCgroup(fmt.Sprintf("/proc/%d/cgroup", cmd.Process.Pid)); err != nil || its != own {
		t.Errorf("the process is in %q, %v; want %q", its, err, own)
	}
}

// Without a cgroup the kernel lens says whose a packet is, after it was sent.
func TestKnown(t *testing.T) {
	need(t, Reachable())
	addr := serve(t, 5)
	n := New(Options{})
	var c collector
	s := n.Watch(&c)
	ctx, done := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Record(ctx, lens.Target{}, &c) }()
	time.Sleep(100 * time.Millisecond) // the socket is bound
	if err := talk(addr); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "known"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); err != nil {
		t.Fatal(err)
	}
	s.Put(event.Event{Body: &event.FD{FD: 3, Type: 1, Link: "socket:[7]", Local: sockaddr(conn.LocalAddr()), Remote: sockaddr(conn.RemoteAddr())}})
	conn.Close()
	time.Sleep(100 * time.Millisecond)
	done()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	got, _ := text(t, c.list, addr)
	got = slices.DeleteFunc(got, func(s string) bool { return s == "in  server" || s == "out server" })
	want := []string{"out server syn", "in  server syn", `out server "known"`, `in  server ""`, "in  server fin", "out server fin"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("packets %q\nwant %q", got, want)
	}
}

func sockaddr(a net.Addr) []byte {
	p := netip.MustParseAddrPort(a.String())
	b := []byte{2, 0, byte(p.Port() >> 8), byte(p.Port())}
	return append(append(b, p.Addr().AsSlice()...), make([]byte, 8)...)
}

// What a recorder that was killed has left is taken away by the next.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	ours := fmt.Sprintf("culprit-%d-1", os.Getpid())
	for _, name := range []string{"culprit-999999999-1", ours, "other"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sweep(dir)
	var left []string
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		left = append(left, e.Name())
	}
	if !slices.Equal(left, []string{ours, "other"}) {
		t.Errorf("left: %q", left)
	}
}

func TestCgroupFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const line = "30 25 0:26 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
	if got, err := cgroupMount(write("hybrid", "24 1 8:1 / / rw - ext4 /dev/sda rw\n31 25 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"+line)); err != nil || got != "/sys/fs/cgroup/unified" {
		t.Errorf("mount %q, %v", got, err)
	}
	for name, text := range map[string]string{"v1": "31 25 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", "part": strings.Replace(line, " / ", " /sub ", 1)} {
		if got, err := cgroupMount(write(name, text)); err == nil {
			t.Errorf("%s: mount %q", name, got)
		}
	}
	if got, err := ownCgroup(write("own", "9:name=systemd:/x\n0::/user.slice/a b\n")); err != nil || got != "/user.slice/a b" {
		t.Errorf("own %q, %v", got, err)
	}
	if got, err := ownCgroup(write("none", "9:name=systemd:/x\n")); err == nil {
		t.Errorf("own %q", got)
	}
}

// FuzzHeaders reads hostile packets.
func FuzzHeaders(f *testing.F) {
	f.Add([]byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 3, 3, 0, 0, 0, 0, 0, 0, 0x45})
	f.Add(append([]byte{0x60, 0, 0, 0, 0, 20, 6, 64}, make([]byte, 52)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, ok := headers(b); ok && h.quoted != nil {
			headers(h.quoted)
		}
		n := New(Options{})
		n.packet = event.Packet{Data: b}
		if n.again(1) {
			t.Error("seen before")
		}
	})
}
