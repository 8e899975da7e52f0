// Package python is the code lens: it puts an agent into every Python process
// of the run and collects what the agents write.
//
// The agent comes in at Py_RunMain, brought by whoever traces (package inject).
// Where nobody may trace it comes through the environment: PYTHONPATH names a
// private directory whose sitecustomize.py loads it and then hands over to the
// sitecustomize that would have run; it stays out where Python is started with
// -I, -E, -S or another environment. The agent sees exceptions by
// sys.monitoring (3.12 and later), by a jump at the start of the interpreter's
// PyTraceBack_Here (3.8 to 3.11 on x86-64), or by sys.settrace where that can't
// be placed; CULPRIT_CODE=trace asks for the last.
//
// This package interprets nothing: it copies whole records from the rings
// (package stream has the format) and keeps the source files that they name.
package python

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/lens/python/inject"
)

//go:embed agent
var agent embed.FS

// parts are the files of the agent that records, in their order.
var parts = []string{"values.py", "ring.py", "native.py", "names.py", "exceptions.py", "sites.py", "monitoring.py", "hook.py", "trace.py",
	"milestones.py", "start.py"}

// code is one text of some of the agent's files. Before each stands its name.
func code(names ...string) []byte {
	var text []byte
	for _, n := range names {
		b, err := agent.ReadFile("agent/" + n)
		if err != nil {
			panic(err) // it is embedded
		}
		text = append(append(text, "# "+n+"\n"...), b...)
	}
	return text
}

// Variables of the program's environment.
const (
	dirVar  = "CULPRIT_DIR"
	pathVar = "PYTHONPATH"
)

// agentDir is where Prepare puts the agent inside the run's directory.
const agentDir = "python"

// Agent returns the agent of a run for whoever traces. dir is the run's private
// directory, keys the file for TLS keys. came is told of each interpreter.
func Agent(dir, keys string, came func(inject.Arrival)) (*inject.Agent, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the run directory: %w", err)
	}
	own := filepath.Join(dir, agentDir)
	if err := os.MkdirAll(own, 0o700); err != nil {
		return nil, fmt.Errorf("make the agent's directory: %w", err)
	}
	return &inject.Agent{Name: "<culprit>", Source: code(parts...), Cache: own, Values: map[string]string{"RUN": dir, "KEYS": keys}, Came: came}, nil
}

// Threads is code that tells what the frames of all threads hold, to be asked for
// it; [stream.Threads] reads the answer.
func Threads() *inject.Agent {
	return &inject.Agent{Name: "<culprit>", Source: code("values.py", "threads.py")}
}

// Refusal says why the agent is not in an interpreter, nil when it is.
func Refusal(a inject.Arrival) *event.Note {
	if a.Err == nil {
		return nil
	}
	code := "python-refused"
	for err, c := range map[error]string{inject.ErrOld: "python-too-old", inject.ErrNew: "python-too-new", inject.ErrPyPy: "python-not-cpython",
		inject.ErrFreeThreaded: "python-free-threaded", inject.ErrSecure: "python-set-uid"} {
		if errors.Is(a.Err, err) {
			code = c
		}
	}
	return &event.Note{Lens: "code", Code: code, Text: "no exceptions recorded: " + a.Err.Error()}
}

// Prepare writes the agent into dir, the run's private directory, and returns
// what has to be put into the program's environment, as NAME=VALUE: an existing
// PYTHONPATH of env stays behind the agent's.
func Prepare(dir string, env []string) (added []string, err error) {
	return PrepareOther(dir, env, code(parts...))
}

// PrepareOther is Prepare for another agent: text, which finds the run's
// directory in the variable RUN.
func PrepareOther(dir string, env []string, text []byte) (added []string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the run directory: %w", err)
	}
	if strings.ContainsRune(dir, os.PathListSeparator) {
		return nil, &lens.Unavailable{Ability: "Python agent", Reason: "the run directory " + dir + " has a colon in its name, which PYTHONPATH can't hold"}
	}
	own := filepath.Join(dir, agentDir)
	if err := os.MkdirAll(own, 0o700); err != nil {
		return nil, fmt.Errorf("make the agent's directory: %w", err)
	}
	loader, err := agent.ReadFile("agent/sitecustomize.py")
	if err != nil {
		return nil, fmt.Errorf("read embedded sitecustomize.py: %w", err)
	}
	for name, text := range map[string][]byte{"sitecustomize.py": loader, "agent.py": text} {
		if err := os.WriteFile(filepath.Join(own, name), text, 0o600); err != nil {
			return nil, fmt.Errorf("write the agent: %w", err)
		}
	}
	path := own
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, pathVar+"="); ok && v != "" {
			path = own + string(os.PathListSeparator) + v
		}
	}
	return []string{dirVar + "=" + dir, pathVar + "=" + path}, nil
}
