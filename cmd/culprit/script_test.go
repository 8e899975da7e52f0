package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"culprit/internal/casefile"
)

var update = flag.Bool("update", false, "write the expectations in testdata/script anew")

// searchPath is PATH in scripts, behind the directory of the commands: what a
// plain Debian has, whatever the developer's own shell looks in.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// actAsStrace in the environment makes the test binary `culprit strace`.
const actAsStrace = "CULPRIT_TEST_STRACE"

func TestMain(m *testing.M) {
	if os.Getenv(actAsStrace) != "" {
		os.Exit(straceMain(os.Args[0], os.Args[1:], 0))
	}
	testscript.Main(m, map[string]func(){
		"culprit": main,
		"strace":  main, // by its name it is `culprit strace`
	})
}

func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"case":          cmdCase,
			"status":        cmdStatus,
			"need":          cmdNeed,
			"mode":          cmdMode,
			"newer":         cmdNewer,
			"cut":           cmdCut,
			"kill-recorder": cmdKillRecorder,
			"json":          cmdJSON,
			"absent":        cmdAbsent,
		},
	})
}

func setup(e *testscript.Env) error {
	bin, _, _ := strings.Cut(e.Getenv("PATH"), ":") // where testscript put culprit
	e.Setenv("PATH", bin+":"+searchPath)
	e.Setenv("LC_ALL", "C.UTF-8")
	e.Setenv("VERSION", version)
	captures, err := filepath.Abs("../../internal/wire/testdata")
	if err != nil {
		return err
	}
	e.Setenv("CAPTURES", captures)
	e.Values["t"] = e.T()
	return nil
}

// status STATUS COMMAND [ARG...] runs a command and wants that exit status.
// cmdCase makes a case of a recorded one: case NAME FILE.
func cmdCase(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: case NAME FILE")
	}
	packed, err := os.Open(filepath.Join("..", "..", "internal", "explain", "testdata", "cases", args[0]+".events.gz"))
	ts.Check(err)
	defer packed.Close()
	plain, err := gzip.NewReader(packed)
	ts.Check(err)
	events, err := os.Create(ts.MkAbs(args[0] + ".jsonl"))
	ts.Check(err)
	_, err = io.Copy(events, plain)
	ts.Check(errors.Join(err, events.Close()))
	ts.Check(ts.Exec("culprit", "debug", "pack", args[0]+".jsonl", args[1]))
}

func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status STATUS COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// need PROGRAM... skips the script where one is missing, or, for "root", where it
// does not run as root; with CI=true it fails.
func cmdNeed(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		for dir := range strings.SplitSeq(searchPath, ":") {
			if st, err := os.Stat(filepath.Join(dir, name)); err == nil && st.Mode()&0o111 != 0 {
				name = ""
				break
			}
		}
		switch {
		case name == "" || name == "root" && os.Geteuid() == 0:
		case os.Getenv("CI") == "true":
			ts.Fatalf("CI must have %s", name)
		default:
			ts.Value("t").(testscript.T).Skip("needs " + name)
		}
	}
}

// mode MODE FILE wants the file's permission bits, in octal.
func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.ParseUint(args[0], 8, 32)
	ts.Check(err)
	st, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := st.Mode().Perm(); uint64(got) != want != neg {
		ts.Fatalf("%s has mode %#o", args[1], got)
	}
}

// newer CASE OUT makes a case of the next format version.
func cmdNewer(ts *testscript.TestScript, neg bool, args []string) {
	head := func(version uint16) []byte {
		return binary.LittleEndian.AppendUint16([]byte(casefile.Magic), version)
	}
	old := []byte(ts.ReadFile(args[0]))
	if !bytes.Contains(old, head(casefile.Version)) {
		ts.Fatalf("%s holds no batch", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), bytes.ReplaceAll(old, head(casefile.Version), head(casefile.Version+1)), 0o600))
}

// cut CASE BYTES OUT copies a file without its last bytes.
func cmdCut(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	whole := []byte(ts.ReadFile(args[0]))
	if n > len(whole) {
		ts.Fatalf("%s has only %d bytes", args[0], len(whole))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), whole[:len(whole)-n], 0o600))
}

// absent FILE... wants files not to exist; unlike `! exists` it takes patterns.
func cmdAbsent(ts *testscript.TestScript, neg bool, args []string) {
	for _, a := range args {
		found, err := filepath.Glob(ts.MkAbs(a))
		ts.Check(err)
		if len(found) > 0 {
			ts.Fatalf("there are %v", found)
		}
	}
}

// kill-recorder SPOOL BYTES waits until a recording that runs in the background
// has written more than so many bytes, and kills the process that writes it.
func cmdKillRecorder(ts *testscript.TestScript, neg bool, args []string) {
	spool := ts.MkAbs(args[0])
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if st, err := os.Stat(spool); err == nil && st.Size() > size {
			break
		}
		if time.Now().After(end) {
			ts.Fatalf("%s has not grown to %d bytes", spool, size)
		}
	}
	for _, front := range ts.BackgroundCmds() {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", front.Process.Pid))
		ts.Check(err)
		for _, path := range tasks {
			pids, _ := os.ReadFile(path)
			for pid := range strings.FieldsSeq(string(pids)) {
				line, _ := os.ReadFile("/proc/" + pid + "/cmdline")
				if !strings.Contains(string(line), recorderCommand) {
					continue
				}
				n, err := strconv.Atoi(pid)
				ts.Check(err)
				ts.Check(unix.Kill(n, unix.SIGKILL))
				return
			}
		}
	}
	ts.Fatalf("no recorder runs")
}

// json FILE PATH PATTERN wants a value in a JSON file, or in the first line of
// stdout that has it, to match: json report.json verdict.cause '^ok$'.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	want, err := regexp.Compile(args[2])
	ts.Check(err)
	d := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	d.UseNumber()
	var seen []string
	for d.More() {
		var v any
		if err := d.Decode(&v); err != nil {
			ts.Fatalf("%s: %v", args[0], err)
		}
		text, ok := dig(v, args[1])
		if ok && want.MatchString(text) {
			if neg {
				ts.Fatalf("%s is %q", args[1], text)
			}
			return
		}
		if ok && len(seen) < 5 {
			seen = append(seen, text)
		}
	}
	if !neg {
		ts.Fatalf("%s is %q", args[1], seen)
	}
}

// dig finds a.b.0 in a decoded JSON value.
func dig(v any, path string) (string, bool) {
	for key := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = x[key]; !ok {
				return "", false
			}
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(x) {
				return "", false
			}
			v = x[i]
		default:
			return "", false
		}
	}
	switch x := v.(type) {
	case string:
		return x, true
	case json.Number:
		return x.String(), true
	}
	b, err := json.Marshal(v)
	return string(b), err == nil
}
