package record

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"culprit/internal/event"
)

// kept collects what was recorded; like a real sink it copies at once.
type kept struct {
	mu    sync.Mutex
	lines bytes.Buffer
	puts  int
	loss  []event.Loss
}

func (k *kept) Put(e event.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch b := e.Body.(type) {
	case *event.Secrets:
		k.lines.Write(b.Lines)
		k.puts++
	case *event.Loss:
		k.loss = append(k.loss, *b)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenKeyLog(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "mine.keys")
	appendTo(t, mine, "CLIENT_RANDOM old\n")
	private := filepath.Join(dir, "tls.keys")
	tests := []struct {
		name  string
		env   []string
		path  string
		added []string
		from  int64
	}{
		{"none", nil, private, []string{"SSLKEYLOGFILE=" + private, "NODE_OPTIONS=--tls-keylog=" + private}, 0},
		{"set, but empty", []string{"SSLKEYLOGFILE="}, private, []string{"SSLKEYLOGFILE=" + private, "NODE_OPTIONS=--tls-keylog=" + private}, 0},
		{"the user's", []string{"SSLKEYLOGFILE=" + mine}, mine, []string{"NODE_OPTIONS=--tls-keylog=" + mine}, 18},
		{"the user's, not there yet", []string{"SSLKEYLOGFILE=" + dir + "/new"}, dir + "/new", []string{"NODE_OPTIONS=--tls-keylog=" + dir + "/new"}, 0},
		{"options of Node are kept", []string{"NODE_OPTIONS=--no-warnings"}, private,
			[]string{"SSLKEYLOGFILE=" + private, "NODE_OPTIONS=--no-warnings --tls-keylog=" + private}, 0},
		{"Node has one", []string{"NODE_OPTIONS=--tls-keylog=x"}, private, []string{"SSLKEYLOGFILE=" + private}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.RemoveAll(private); err != nil {
				t.Fatal(err)
			}
			k, added := openKeyLog(dir, tt.env)
			if k.path != tt.path || k.from != tt.from {
				t.Errorf("%s from %d, want %s from %d", k.path, k.from, tt.path, tt.from)
			}
			if d := cmp.Diff(tt.added, added); d != "" {
				t.Errorf("added (-want +got):\n%s", d)
			}
			if tt.path == private {
				st, err := os.Stat(private)
				if err != nil {
					t.Fatal(err)
				}
				if st.Mode().Perm() != 0o600 {
					t.Errorf("mode %v", st.Mode())
				}
			}
		})
	}
}

// Lines are taken whole, in order, each once; what is no key goes along, since
// judging is the reader's business.
func TestKeyLogLines(t *testing.T) {
	mine := filepath.Join(t.TempDir(), "keys")
	appendTo(t, mine, "CLIENT_RANDOM of earlier days\n")
	k, _ := openKeyLog(t.TempDir(), []string{"SSLKEYLOGFILE=" + mine})
	var got kept
	step := func(add string, last bool, want string) {
		t.Helper()
		if add != "" {
			appendTo(t, mine, add)
		}
		k.read(&got, last)
		if d := cmp.Diff(want, got.lines.String()); d != "" {
			t.Fatalf("after %.20q (-want +got):\n%s", add, d)
		}
	}
	step("", false, "")
	step("A 1\nB", false, "A 1\n")
	step("", false, "A 1\n")
	step(" 2\n", false, "A 1\nB 2\n")
	step("\x00\xffgarbage\n\n", false, "A 1\nB 2\n\x00\xffgarbage\n\n")
	step("without an end", false, "A 1\nB 2\n\x00\xffgarbage\n\n")
	step("", true, "A 1\nB 2\n\x00\xffgarbage\n\nwithout an end")
	if err := os.Truncate(mine, 3); err != nil { // rotated away: nothing more, and no loop
		t.Fatal(err)
	}
	step("", true, "A 1\nB 2\n\x00\xffgarbage\n\nwithout an end")
}

func TestKeyLogLarge(t *testing.T) {
	dir := t.TempDir()
	k, _ := openKeyLog(dir, nil)
	var all strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&all, "CLIENT_TRAFFIC_SECRET_0 %064x %064x\n", i, i)
	}
	all.WriteString(strings.Repeat("x", 200<<10)) // one line longer than the buffer
	all.WriteString("\n")
	appendTo(t, k.path, all.String())
	var got kept
	k.read(&got, false)
	k.read(&got, true)
	if got.lines.String() != all.String() {
		t.Errorf("%d bytes of %d, or others", got.lines.Len(), all.Len())
	}
	if len(got.loss) != 0 {
		t.Errorf("lost %v", got.loss)
	}

	// Over the limit it is counted, not kept.
	k.kept = maxKeyLog
	appendTo(t, k.path, "A 1\nA 2\n")
	before := got.lines.Len()
	k.read(&got, true)
	if got.lines.Len() != before || len(got.loss) != 1 || got.loss[0].Bytes != 8 {
		t.Errorf("%d bytes more, lost %+v", got.lines.Len()-before, got.loss)
	}
}

// A key log that is a pipe is somebody else's to read: taking from it would rob
// them, and opening it would wait for a writer.
func TestKeyLogPipe(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	k, _ := openKeyLog(t.TempDir(), []string{"SSLKEYLOGFILE=" + fifo})
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.read(new(kept), true)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for a writer")
	}
}
