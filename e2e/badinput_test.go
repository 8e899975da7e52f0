package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"culprit/e2e/stage"
	"culprit/internal/casefile"
)

// Commands that can't be started.
func TestStartFailures(t *testing.T) {
	culprit(t)
	tests := []struct {
		name  string
		argv  func(s *stage.Stage) []string
		code  int
		cause string // of the report; "" where there is nothing to report
		facts []string
		says  string
	}{
		{"no-such-command", func(*stage.Stage) []string { return []string{"acme-sign", "--all"} },
			127, "command-not-found", []string{`acme-sign`, `/usr/local/sbin.*/usr/bin`}, `acme-sign`},
		{"no-such-path", func(*stage.Stage) []string { return []string{"./bin/acme-sign"} },
			127, "command-not-found", []string{`\./bin/acme-sign`}, `acme-sign`},
		{"not-executable", func(s *stage.Stage) []string { return []string{s.File("notes.txt", "echo hi\n", 0o644)} },
			126, "exec-permission", []string{`notes\.txt`}, `notes\.txt`},
		{"a-directory", func(s *stage.Stage) []string { return []string{s.Dir} },
			126, "exec-permission", []string{`stage-`}, `stage-`},
		{"nothing", func(*stage.Stage) []string { return nil }, 2, "", nil, `(?i)command|usage`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := stage.New(t)
			run := stage.Run{Argv: tt.argv(s)}
			loud := s.Exec(run, culprit(t), "run", "-o", s.Path("loud.pcapng"), "--")
			if loud.Code != tt.code || !regexp.MustCompile(tt.says).MatchString(loud.Stderr) {
				t.Errorf("exit status %d, want %d; stderr %q, want %q in it", loud.Code, tt.code, loud.Stderr, tt.says)
			}
			rec := record(t, s, run)
			if rec.Code != tt.code {
				t.Errorf("with -q: exit status %d, want %d", rec.Code, tt.code)
			}
			if tt.cause == "" {
				if rec.hasReport {
					t.Error("a report of nothing")
				}
				return
			}
			checkVerdict(t, Case{Code: tt.code, Cause: tt.cause, Facts: tt.facts}, rec)
		})
	}
}

// What can't be written is said before the program starts.
func TestUnwritableCase(t *testing.T) {
	t.Parallel()
	exe := culprit(t)
	s := stage.New(t)
	file := s.File("file", "", 0o644)
	for _, path := range []string{s.Path("no/such/dir/run.pcapng"), file + "/run.pcapng", s.Dir} {
		got := s.Exec(stage.Run{Argv: []string{exe, "run", "-o", path, "--", "touch", "ran"}})
		if got.Code == 0 || !strings.Contains(got.Stderr, path) {
			t.Errorf("-o %s: exit status %d, stderr %q", path, got.Code, got.Stderr)
		}
		if _, err := os.Stat(s.Path("ran")); err == nil {
			t.Fatalf("-o %s: the program was run", path)
		}
	}
}

// Cases that can't be read, or not to the end.
func TestBadCases(t *testing.T) {
	t.Parallel()
	exe := culprit(t)
	s := stage.New(t)
	// Thousands of events, so that the end isn't all there is.
	rec := record(t, s, shell("cat etc/app.conf; i=0; while [ $i -lt 300 ]; do i=$((i+1)); cat etc/app.conf; done"))
	whole, err := os.ReadFile(rec.casePath)
	if err != nil {
		t.Fatal(err)
	}
	newer := bytes.Clone(whole)
	old := binary.LittleEndian.AppendUint16([]byte(casefile.Magic), casefile.Version)
	if !bytes.Contains(newer, old) {
		t.Fatal("found no version in a case")
	}
	newer = bytes.ReplaceAll(newer, old, binary.LittleEndian.AppendUint16([]byte(casefile.Magic), casefile.Version+1))

	tests := []struct {
		name  string
		data  []byte
		says  string // on stderr
		shows bool   // what could be read is still shown
	}{
		{"cut-in-half", whole[:len(whole)/2], `(?i)cut|truncat|damage|incomplete|lacks`, false},
		{"cut-at-the-end", whole[:len(whole)-5], `(?i)cut|truncat|damage|incomplete|lacks`, true},
		{"newer", newer, `(?i)newer|format`, false},
		{"text", []byte("2024-01-01 all is well\n"), `(?i)not a case`, false},
		{"empty", nil, `(?i)not a case|empty`, false},
		{"png", append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 500)...), `(?i)not a case`, false},
		{"zeros", make([]byte, 4096), `(?i)not a case`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := s.File(tt.name+".pcapng", string(tt.data), 0o600)
			for _, command := range []string{"explain", "show"} {
				got := s.Exec(stage.Run{Argv: []string{exe, command, path}})
				if got.Code != 1 {
					t.Errorf("%s: exit status %d, want 1", command, got.Code)
				}
				if !regexp.MustCompile(tt.says).MatchString(got.Stderr) || !strings.Contains(got.Stderr, path) {
					t.Errorf("%s: stderr %q, want the path and %q", command, got.Stderr, tt.says)
				}
				if regexp.MustCompile(`goroutine \d+|panic:`).MatchString(got.Stderr) {
					t.Errorf("%s: panics", command)
				}
				if tt.shows && command == "show" && !strings.Contains(got.Stdout, "etc/app.conf") {
					t.Errorf("%s: nothing of what could be read: %q", command, got.Stdout)
				}
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		got := s.Exec(stage.Run{Argv: []string{exe, "explain", s.Path("none.pcapng")}})
		if got.Code != 1 || !strings.Contains(got.Stderr, "none.pcapng") {
			t.Errorf("exit status %d, stderr %q", got.Code, got.Stderr)
		}
	})
}

// A case whose writer was killed opens and says what it lacks.
func TestKilledWriter(t *testing.T) {
	t.Parallel()
	exe := culprit(t)
	s := stage.New(t)
	casePath := s.Path("run.pcapng")
	// It ends by itself: a recorder that dies must not take it along, nor hang it.
	cmd := exec.Command(exe, "run", "-q", "-o", casePath, "--", "sh", "-c", "cat etc/app.conf; echo ready; for i in 1 2 3 4 5 6 7 8; do sleep 0.5; cat etc/app.conf; done")
	cmd.Env, cmd.Dir = s.Environ(), s.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	spool := casePath + casefile.SpoolSuffix
	big := until(10*time.Second, func() bool {
		return s.Exec(stage.Run{Argv: []string{exe, "show", spool}}).Stdout != ""
	})
	cmd.Process.Kill()
	cmd.Wait()
	if !big {
		t.Fatal("nothing in the spool after 10 s")
	}
	got := s.Exec(stage.Run{Argv: []string{exe, "show", spool}})
	if got.Stdout == "" {
		t.Error("shows nothing of what was recorded")
	}
	if !regexp.MustCompile(`(?i)incomplete|cut|killed|lacks|unfinished|no end`).MatchString(got.Stderr + got.Stdout) {
		t.Errorf("doesn't say what it lacks: %q", got.Stderr)
	}
	if got := s.Exec(stage.Run{Argv: []string{exe, "explain", spool}}); !strings.Contains(got.Stdout+got.Stderr, "culprit") || got.Code > 1 {
		t.Errorf("explain: exit status %d, stderr %q", got.Code, got.Stderr)
	}
}

func until(limit time.Duration, ok func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return ok()
}

// Garbage in the key log is passed over, and the user's own key log gets its lines.
func TestKeyLogGarbage(t *testing.T) {
	t.Parallel()
	culprit(t)
	stage.Need(t, "curl", "sh")
	const garbage = "hello\n\x00\xff\xfe\nCLIENT_RANDOM zz zz\nCLIENT_RANDOM 00\n"
	s := stage.New(t)
	mine := s.File("keys.log", garbage, 0o600)
	script := s.File("get.sh", `printf 'junk\n\000\377 \nCLIENT_RANDOM 12 34\n' >> "$SSLKEYLOGFILE"; exec curl -sf --cacert "$1" "$2"`+"\n", 0o644)
	rec := record(t, s, stage.Run{
		Argv: []string{"sh", script, s.PKI.CAFile, s.Status(401, &s.PKI.Good) + "/private"},
		Env:  []string{"SSLKEYLOGFILE=" + mine},
	})
	checkVerdict(t, Case{Code: 22, Cause: "http-unauthorized", Facts: []string{`\b401\b`, `/private`}}, rec)
	b, err := os.ReadFile(mine)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(b, []byte(garbage)) || !bytes.Contains(b, []byte("CLIENT_TRAFFIC_SECRET_0 ")) {
		t.Errorf("the user's key log holds %q", b)
	}
}

// Memory stays bounded however much goes through a socket.
func TestGigabyte(t *testing.T) {
	culprit(t)
	stage.Need(t, "gcc")
	s := stage.New(t)
	exe := s.C("writer", writer)
	host, port, _ := strings.Cut(s.Sink(), ":")
	rec := record(t, s, stage.Run{Argv: []string{exe, host, port}})
	if rec.Code != 0 || rec.report.Verdict.Cause != "ok" {
		t.Errorf("exit status %d, cause %q, stderr %s", rec.Code, rec.report.Verdict.Cause, rec.Stderr)
	}
	// getrusage(2): of culprit and the processes it waited for, the largest, in KiB.
	t.Logf("peak RSS %d KiB, %v", rec.Usage.Maxrss, rec.Took)
	if rec.Usage.Maxrss > 300<<10 {
		t.Errorf("peak RSS %d KiB, want less than 300 MiB", rec.Usage.Maxrss)
	}
	st, err := os.Stat(rec.casePath)
	if err != nil {
		t.Fatal(err)
	}
	if st.Size() > 64<<20 {
		t.Errorf("the case has %d bytes", st.Size())
	}
	cover(t, rec, `(?i)drop|truncat|not kept|max.?stream|10\d{8}`) // what wasn't kept is counted
}

// cover wants a pattern in what the report says about coverage.
func cover(t *testing.T, rec recording, pattern string) {
	t.Helper()
	b, err := json.Marshal(rec.report.Coverage)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(pattern).Match(b) {
		t.Errorf("coverage doesn't say %q: %s", pattern, b)
	}
}

// The program that was started has ended: culprit returns, and what went into
// the background lives on.
func TestDaemon(t *testing.T) {
	t.Parallel()
	stage.Need(t, "gcc")
	for _, under := range []string{"plain", "culprit"} {
		t.Run(under, func(t *testing.T) {
			t.Parallel()
			s := stage.New(t)
			alive := s.Path("alive")
			run := stage.Run{Argv: []string{s.C("agentd", daemon), alive}}
			var got stage.Result
			if under == "plain" {
				got = s.Exec(run)
			} else {
				got = record(t, s, run).Result
			}
			if got.Code != 7 || got.Took > 5*time.Second {
				t.Errorf("exit status %d after %v, want 7 at once", got.Code, got.Took)
			}
			if !until(15*time.Second, func() bool {
				b, err := os.ReadFile(alive)
				return err == nil && string(b) == "alive\n"
			}) {
				t.Error("the daemon did not do its work")
			}
		})
	}
}
