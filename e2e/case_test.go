package e2e

import (
	"regexp"
	"syscall"
	"testing"

	"culprit/e2e/stage"
)

// Case is a program with what it says and returns without culprit, and what
// culprit has to say about it.
type Case struct {
	Name string
	// Needs is what the machine must have, see stage.Need.
	Needs []string
	// Setup prepares the run; what it starts lives as long as the test.
	Setup func(s *stage.Stage) stage.Run

	// The plain run.
	Code   int            // exit status
	Signal syscall.Signal // or what killed it
	Says   []string       // patterns, each found in its stdout or stderr; none: it says nothing at all
	// Varies is set when its words differ from run to run (a port, a time).
	Varies bool

	// The verdict.
	Cause string
	Facts []string // patterns, each found in the verdict's title, facts or evidence
	// Confidence is the least that will do; "likely" when "".
	Confidence string
}

// Cases is the table.
var Cases = concat(uploadCases(), httpCases(), networkCases(), tlsCases(), fileCases(), pythonCases(), otherCases())

func concat(lists ...[]Case) (all []Case) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// checkPlain compares what a run came to with the plain part of c.
func checkPlain(t *testing.T, c Case, got stage.Result) {
	t.Helper()
	wantCode := c.Code
	if c.Signal != 0 {
		wantCode = -1
	}
	if got.Code != wantCode || got.Signal != c.Signal {
		t.Errorf("exit status %d, signal %d; want %d, %d", got.Code, got.Signal, wantCode, c.Signal)
	}
	for _, p := range c.Says {
		re := regexp.MustCompile(p)
		if !re.MatchString(got.Stdout) && !re.MatchString(got.Stderr) {
			t.Errorf("doesn't say %q", p)
		}
	}
	if len(c.Says) == 0 && got.Stdout+got.Stderr != "" {
		t.Error("says something")
	}
	if t.Failed() {
		t.Logf("stdout: %s\nstderr: %s", got.Stdout, got.Stderr)
	}
}

// TestPlain holds the fixtures to what they claim, without culprit.
func TestPlain(t *testing.T) {
	for _, c := range Cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			stage.Need(t, c.Needs...)
			s := stage.New(t)
			run := c.Setup(s)
			checkPlain(t, c, s.Exec(run))
		})
	}
}

// TestTable rejects a case that no run could fail.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	causes := map[string]bool{}
	for _, c := range Cases {
		if c.Name == "" || seen[c.Name] {
			t.Errorf("name %q is empty or used twice", c.Name)
		}
		seen[c.Name] = true
		causes[c.Cause] = true
		for _, p := range append(append([]string{}, c.Says...), c.Facts...) {
			if re, err := regexp.Compile(p); err != nil || re.MatchString("") {
				t.Errorf("%s: pattern %q is wrong or matches anything", c.Name, p)
			}
		}
		if len(c.Facts) == 0 && c.Cause != "ok" && c.Cause != "unknown" {
			t.Errorf("%s: a verdict without facts", c.Name)
		}
	}
	for _, cause := range firstCauses {
		if !causes[cause] {
			t.Errorf("no case for %s", cause)
		}
	}
}

// firstCauses is what the first version has to tell apart.
var firstCauses = []string{
	"http-body-too-large", "http-unauthorized", "http-forbidden", "http-not-found", "http-server-error",
	"connection-refused", "connection-reset", "dns-name-not-found",
	"tls-cert-expired", "tls-cert-untrusted", "tls-hostname-mismatch",
	"file-missing", "file-permission", "command-not-found",
	"python-module-missing", "python-exception", "python-swallowed-exception",
	"crashed", "ok", "unknown",
}
