package ptrace

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"culprit/internal/event"
)

// Of four children that get a fatal signal two die of it: those have a stack,
// through libc where it calls abort(3).
func TestCrash(t *testing.T) {
	bin := prog(t)
	stacks, at := of[*event.Native](record(t, Options{}, bin, "crash"))
	type end struct {
		Signo uint32
		Own   []string // functions of the program itself
	}
	var got []end
	for i, n := range stacks {
		e := end{Signo: n.Signo}
		for _, f := range n.Frames {
			if filepath.Base(f.Object) == "prog" {
				e.Own = append(e.Own, f.Symbol)
				if f.Build == "" || f.Addr == 0 || f.Offset == 0 {
					t.Errorf("%+v", f)
				}
			}
		}
		if at[i].PID != at[i].TID || n.More || len(n.Frames) > maxNative {
			t.Errorf("%d frames, more %v, of %d", len(n.Frames), n.More, at[i].TID)
		}
		got = append(got, e)
	}
	own := []string{"crash_inner", "crash_outer", "main", "_start"}
	if d := cmp.Diff([]end{{uint32(unix.SIGSEGV), own}, {uint32(unix.SIGABRT), own}}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
