package live

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestConsole types at a terminal: an interrupted line, history, completion, the
// end of input.
func TestConsole(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	c := NewConsole(tty)
	complete := func(line string, at int) []string {
		var out []string
		for _, w := range []string{"node.name", "node.next"} {
			if strings.HasPrefix(w, line[:at]) || strings.HasPrefix(w, strings.TrimPrefix(line[:at], "p ")) {
				out = append(out, w)
			}
		}
		return out
	}
	for _, step := range []struct {
		typed, line string
		err         error
	}{
		{"p 1+\x03", "", ErrInterrupted},
		{"p 1+1\r", "p 1+1", nil},
		{"\x1b[A\r", "p 1+1", nil},
		{"p no\ta\t\r", "p node.name", nil},
		{"half\x03", "", ErrInterrupted},
		{"\x1b[A\x1b[A\x1b[A\r", "p 1+1", nil},
		{"\x04", "", io.EOF},
		{"last\r", "last", nil},
	} {
		shown := make(chan error, 1)
		go func() { // types when the prompt is there
			var seen strings.Builder
			b := make([]byte, 256)
			for !strings.Contains(seen.String(), "(Pdb) ") {
				n, err := master.Read(b)
				if err != nil {
					shown <- err
					return
				}
				seen.Write(b[:n])
			}
			_, err := master.WriteString(step.typed)
			shown <- err
		}()
		type result struct {
			line string
			err  error
		}
		got := make(chan result, 1)
		go func() {
			line, err := c.ReadLine("(Pdb) ", complete)
			got <- result{line, err}
		}()
		select {
		case r := <-got:
			if r.line != step.line || !errors.Is(r.err, step.err) {
				t.Fatalf("%q gave %q, %v; want %q, %v", step.typed, r.line, r.err, step.line, step.err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%q gave no line", step.typed)
		}
		if err := <-shown; err != nil {
			t.Fatal(err)
		}
	}
	after, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the terminal's mode is %+v, was %+v (%v)", after, before, err)
	}
}
