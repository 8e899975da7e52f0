package sysabi

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Tables are made when they are first asked for, see lazily: every start of
// culprit pays for what is made before.
func TestInit(t *testing.T) {
	const most = 200 << 10 // bytes; all tables together have more than 1 MB
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const name = "init culprit/internal/sysabi "
	for line := range bytes.Lines(out) {
		var at, clock string
		var size int
		if n, _ := fmt.Sscanf(string(bytes.TrimPrefix(line, []byte(name))), "@%s ms, %s ms clock, %d bytes", &at, &clock, &size); n == 3 && bytes.HasPrefix(line, []byte(name)) {
			if size > most {
				t.Errorf("the package's variables take %d bytes at the start, more than %d: which are not made lazily?", size, most)
			}
			return
		}
	}
	t.Fatalf("no line for the package in\n%s", out)
}
