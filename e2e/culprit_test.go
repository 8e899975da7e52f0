package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"culprit/e2e/stage"
)

// scratch holds the binary under test. Other users may run it.
var scratch string

func TestMain(m *testing.M) {
	// Under nohup SIGHUP is ignored, and by what the tests start too; with a
	// handler here it is as usual there.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	os.Exit(func() int {
		var err error
		if scratch, err = os.MkdirTemp("", "culprit-e2e-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(scratch)
		if err := os.Chmod(scratch, 0o755); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

var build = sync.OnceValues(func() (string, error) {
	exe := filepath.Join(scratch, "culprit")
	out, err := exec.Command("go", "build", "-o", exe, "culprit/cmd/culprit").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build culprit: %w\n%s", err, out)
	}
	return exe, nil
})

func culprit(t *testing.T) string {
	t.Helper()
	exe, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// report is the part of culprit.report/1 that is compared.
type report struct {
	Schema  string
	Command []string
	Exit    struct {
		Code   *int
		Signal string
	}
	Verdict  verdict
	Findings []verdict
	Coverage map[string]any
}

type verdict struct {
	Cause, Title, Confidence, Side string
	Facts                          map[string]any
	Evidence                       []struct {
		Lens string
		Time float64
		Text string
	}
	Next []string
}

// text is where facts are looked for.
func (v verdict) text() string {
	var b strings.Builder
	fmt.Fprintln(&b, v.Title)
	for k, f := range v.Facts {
		fmt.Fprintln(&b, k, f)
	}
	for _, e := range v.Evidence {
		fmt.Fprintln(&b, e.Text)
	}
	return b.String()
}

// recording is one run under culprit.
type recording struct {
	stage.Result
	report    report
	hasReport bool
	casePath  string
}

// record runs r under `culprit run -q`, which prints nothing of its own.
func record(t *testing.T, s *stage.Stage, r stage.Run, flags ...string) recording {
	t.Helper()
	dir := s.Path(".culprit") // a name that no program under test uses
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil { // for culprit run by nobody
		t.Fatal(err)
	}
	rec := recording{casePath: filepath.Join(dir, "run.pcapng")}
	file := filepath.Join(dir, "report.json")
	before := append([]string{culprit(t), "run", "-q", "--report", file, "-o", rec.casePath}, flags...)
	rec.Result = s.Exec(r, append(before, "--")...)
	b, err := os.ReadFile(file)
	if err != nil {
		return rec
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&rec.report); err != nil {
		t.Fatalf("report: %v\n%s", err, b)
	}
	if rec.report.Schema != "culprit.report/1" {
		t.Errorf("schema %q", rec.report.Schema)
	}
	rec.hasReport = true
	return rec
}

var grades = map[string]int{"possible": 1, "likely": 2, "certain": 3}

// TestCases runs every program plainly and under culprit: same words, same
// status, and the verdict of the table.
func TestCases(t *testing.T) {
	culprit(t)
	for _, c := range Cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			stage.Need(t, c.Needs...)
			s := stage.New(t)
			run := c.Setup(s)
			plain := s.Exec(run)
			checkPlain(t, c, plain)
			rec := record(t, s, run)
			if c.Varies {
				checkPlain(t, c, rec.Result)
			} else {
				same(t, plain, rec.Result)
			}
			checkVerdict(t, c, rec)
		})
	}
}

// same compares a run under culprit with the plain one.
func same(t *testing.T, plain, got stage.Result) {
	t.Helper()
	code := plain.Code
	if plain.Signal != 0 {
		code = 128 + int(plain.Signal)
	}
	if got.Code != code {
		t.Errorf("exit status %d (signal %d) under culprit, plainly %d", got.Code, got.Signal, code)
	}
	if got.Stdout != plain.Stdout {
		t.Errorf("stdout under culprit:\n%s\nplainly:\n%s", got.Stdout, plain.Stdout)
	}
	if got.Stderr != plain.Stderr {
		t.Errorf("stderr under culprit:\n%s\nplainly:\n%s", got.Stderr, plain.Stderr)
	}
}

func checkVerdict(t *testing.T, c Case, rec recording) {
	t.Helper()
	if !rec.hasReport {
		t.Fatalf("no report; stderr:\n%s", rec.Stderr)
	}
	r, v := rec.report, rec.report.Verdict
	switch {
	case c.Signal != 0 && r.Exit.Signal == "":
		t.Errorf("report's exit has no signal, want %v", c.Signal)
	case c.Signal == 0 && (r.Exit.Code == nil || *r.Exit.Code != c.Code):
		b, _ := json.Marshal(r.Exit)
		t.Errorf("report's exit %s, want code %d", b, c.Code)
	}
	if v.Cause != c.Cause {
		t.Errorf("cause %s, want %s", v.Cause, c.Cause)
	}
	least := c.Confidence
	if least == "" {
		least = "likely"
	}
	if grades[v.Confidence] < grades[least] {
		t.Errorf("confidence %q, want %q or better", v.Confidence, least)
	}
	text := v.text()
	for _, f := range c.Facts {
		if !regexp.MustCompile(f).MatchString(text) {
			t.Errorf("the verdict doesn't say %q", f)
		}
	}
	if len(c.Facts) > 0 && len(v.Evidence) == 0 {
		t.Error("a verdict without evidence")
	}
	for _, lens := range []string{"kernel", "code", "wire"} {
		if _, ok := r.Coverage[lens]; !ok {
			t.Errorf("coverage says nothing about the %s lens", lens)
		}
	}
	if t.Failed() {
		t.Logf("verdict: %s, %s\n%s", v.Cause, v.Confidence, text)
		for _, f := range r.Findings {
			t.Logf("finding: %s, %s: %s", f.Cause, f.Confidence, f.Title)
		}
	}
}

// What a person sees: the program's own last words, then the verdict.
func TestVerdictFollowsTheProgram(t *testing.T) {
	t.Parallel()
	stage.Need(t, "asciinema", "nginx")
	c := asciinema("python3", stage.FinThenReset, true)
	s := stage.New(t)
	run := c.Setup(s)
	plain := s.Exec(run)
	got := s.Exec(run, culprit(t), "run", "--color", "never", "-o", s.Path("run.pcapng"), "--")
	if got.Code != 1 || got.Stdout != plain.Stdout {
		t.Errorf("exit status %d, stdout %q", got.Code, got.Stdout)
	}
	rest, ok := strings.CutPrefix(got.Stderr, plain.Stderr)
	if !ok {
		t.Fatalf("stderr doesn't begin with the program's own:\n%s", got.Stderr)
	}
	if !regexp.MustCompile(`(?m)^culprit: .*413 Request Entity Too Large`).MatchString(rest) || !strings.Contains(rest, s.Path("run.pcapng")) {
		t.Errorf("printed:\n%s", rest)
	}
	if strings.Contains(rest, "\x1b[") {
		t.Error("colour, though --color never")
	}
	st, err := os.Stat(s.Path("run.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Perm() != 0o600 {
		t.Errorf("case has mode %v, want 0600: it holds secrets", st.Mode())
	}

	for _, cmd := range [][]string{
		{"explain", s.Path("run.pcapng")},
		{"show", s.Path("run.pcapng")},
		{"show", "--json", s.Path("run.pcapng")},
		{"follow", s.Path("run.pcapng")},
	} {
		got := s.Exec(stage.Run{Argv: append([]string{culprit(t)}, cmd...)})
		if got.Code != 0 || !strings.Contains(got.Stdout, "413") {
			t.Errorf("%v: exit status %d, stderr %s, stdout doesn't say 413: %.600s", cmd, got.Code, got.Stderr, got.Stdout)
		}
	}
	for _, tool := range [][]string{{"capinfos", s.Path("run.pcapng")}, {"tshark", "-r", s.Path("run.pcapng")}} {
		stage.Need(t, tool[0])
		if got := s.Exec(stage.Run{Argv: tool}); got.Code != 0 {
			t.Errorf("%v: exit status %d\n%s", tool, got.Code, got.Stderr)
		}
	}
}

// TestDemo runs the story as shipped, with and without a python3.
func TestDemo(t *testing.T) {
	t.Parallel()
	exe := culprit(t)
	stage.Need(t, "python3")
	says := []string{`upload failed: <`, `413 Request Entity Too Large`, `localhost`, `EPIPE|Broken pipe`}
	for name, env := range map[string][]string{"python": nil, "no-python": {"PATH=" + t.TempDir()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stage.New(t)
			got := s.Exec(stage.Run{Argv: []string{exe, "demo", "--color", "never"}, Env: env})
			want := says
			if name == "no-python" {
				want = append(want[:len(want):len(want)], `python3`)
			}
			for _, p := range want {
				if !regexp.MustCompile(p).MatchString(got.Stdout + got.Stderr) {
					t.Errorf("doesn't say %q", p)
				}
			}
			if t.Failed() {
				t.Logf("exit status %d\nstdout: %s\nstderr: %s", got.Code, got.Stdout, got.Stderr)
			}
		})
	}
}
