package stage

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Terminal is a program on a pseudoterminal (pty(7)) of its own, as its
// session's leader.
type Terminal struct {
	Process *os.Process

	s      *Stage
	master *os.File
	cmd    *exec.Cmd
	done   chan struct{} // closed when the reader has ended

	mu   sync.Mutex
	text []byte
	seen int // end of what Expect matched
}

// Terminal starts r on a new terminal with before between its prefix and its command.
func (s *Stage) Terminal(r Run, before ...string) *Terminal {
	s.t.Helper()
	master, slave, err := openPTY()
	if err != nil {
		s.t.Fatalf("open a pseudoterminal: %v", err)
	}
	argv := append(append(append([]string{}, r.Prefix...), before...), r.Argv...)
	cmd := exec.Command(argv[0], argv[1:]...)
	if p := Program(argv[0]); p != "" {
		cmd.Path, cmd.Err = p, nil
	}
	cmd.Env, cmd.Dir = append(s.Environ(), r.Env...), s.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	slave.Close()
	if err != nil {
		master.Close()
		s.t.Fatalf("start %q: %v", argv, err)
	}
	t := &Terminal{Process: cmd.Process, s: s, master: master, cmd: cmd, done: make(chan struct{})}
	go t.read()
	s.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
		master.Close() // hangs up on what is left of the session
		<-t.done
	})
	return t
}

func openPTY() (master, slave *os.File, err error) {
	// Non-blocking, so that Close ends a pending Read.
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 200})
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, err
	}
	return master, slave, nil
}

func (t *Terminal) read() {
	defer close(t.done)
	buf := make([]byte, 4096)
	for {
		n, err := t.master.Read(buf)
		t.mu.Lock()
		t.text = append(t.text, buf[:n]...)
		t.mu.Unlock()
		if err != nil { // EIO: nobody has the slave open any more
			return
		}
	}
}

// Type sends keys; \x03 is Ctrl-C, \x1a Ctrl-Z.
func (t *Terminal) Type(keys string) {
	t.s.t.Helper()
	if _, err := t.master.WriteString(keys); err != nil {
		t.s.t.Fatalf("type %q: %v", keys, err)
	}
}

// Expect waits until the pattern shows up behind what the last Expect found,
// and returns the match. It ends the test after 20 s.
func (t *Terminal) Expect(pattern string) string {
	t.s.t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		t.mu.Lock()
		m := re.FindIndex(t.text[t.seen:])
		if m != nil {
			found := string(t.text[t.seen+m[0] : t.seen+m[1]])
			t.seen += m[1]
			t.mu.Unlock()
			return found
		}
		t.mu.Unlock()
		if time.Now().After(end) {
			t.s.t.Fatalf("%q did not show up; the terminal shows:\n%s", pattern, t.Text())
		}
	}
}

// Text is all that was shown so far.
func (t *Terminal) Text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ReplaceAll(string(t.text), "\r\n", "\n")
}

// Wait waits for the program's end, 20 s at most, and returns its status as a
// shell has it: 128+n when signal n killed it.
func (t *Terminal) Wait() int {
	t.s.t.Helper()
	timer := time.AfterFunc(20*time.Second, func() { t.cmd.Process.Kill() })
	err := t.cmd.Wait()
	if !timer.Stop() {
		t.s.t.Fatalf("did not end; the terminal shows:\n%s", t.Text())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.s.t.Fatal(err)
	}
	st := t.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if st.Signaled() {
		return 128 + int(st.Signal())
	}
	return st.ExitStatus()
}
