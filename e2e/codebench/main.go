// Codebench measures what the code lens costs a Python program, and prints a
// table. `make bench-code` runs it over the Pythons that it finds. It judges
// nothing: a busy machine makes numbers larger, which is why the two sides of a
// ratio take turns and the least of several rounds counts on each.
package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"culprit/internal/casefile"
	"culprit/internal/event"
	"culprit/internal/lens"
	"culprit/internal/lens/python"
	"culprit/internal/lens/python/remote"
	"culprit/internal/record"
)

//go:embed work.py
var work []byte

func main() {
	rounds := flag.Int("rounds", 9, "how often each program runs, without the agent and with it")
	only := flag.String("only", "", "run the rows whose name holds this")
	pythons := flag.String("python", "", "interpreters, with commas between; empty: those of PATH and ~/.pyenv")
	flag.Parse()
	dir, err := os.MkdirTemp("", "codebench-")
	if err != nil {
		fatal(err)
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, rounds: *rounds, script: filepath.Join(dir, "work.py")}
	if err := os.WriteFile(b.script, work, 0o600); err != nil {
		fatal(err)
	}
	b.pythons = strings.Split(*pythons, ",")
	if *pythons == "" {
		b.pythons = found()
	}
	if len(b.pythons) == 0 {
		fatal(errors.New("no Python of a version from 3.8 on in PATH or ~/.pyenv"))
	}
	fmt.Printf("%-34s", "")
	for _, py := range b.pythons {
		fmt.Printf("%9s", version(py))
	}
	fmt.Println()
	for _, r := range rows {
		if !strings.Contains(r.name, *only) {
			continue
		}
		fmt.Printf("%-34s", r.name+" ("+r.unit+")")
		for _, py := range b.pythons {
			v, err := r.measure(b, py)
			if err != nil {
				fmt.Printf("%9s", "-")
				fmt.Fprintf(os.Stderr, "codebench: %s under %s: %v\n", r.name, py, err)
				continue
			}
			fmt.Printf("%9.2f", v)
		}
		fmt.Println()
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "codebench:", err)
	os.Exit(1)
}

type bench struct {
	dir     string
	script  string
	rounds  int
	pythons []string
}

// row is one line of the table.
type row struct {
	name, unit string
	measure    func(b *bench, python string) (float64, error)
}

var rows = []row{
	{"function calls", "x plain", ratio("calls")},
	{"attributes", "x plain", ratio("attributes")},
	{"asyncio echo", "x plain", ratio("echo")},
	{"big import", "x plain", ratio("import")},
	{"storm of exceptions", "x plain", ratio("storm")},
	{"start-up added", "ms", startUp},
	{"stack from outside, 9 frames", "us", stack},
	{"os.write, traced", "us", func(b *bench, py string) (float64, error) { w, _, err := b.traced(py); return w, err }},
	{"os.write/record, traced", "x", func(b *bench, py string) (float64, error) { w, r, err := b.traced(py); return w / r, err }},
	{"pause of attach", "ms", pause},
}

// found lists the Pythons of a version that the lens knows, one a version.
func found() []string {
	home, _ := os.UserHomeDir()
	var all []string
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), filepath.Join(home, ".pyenv/versions/3.*/bin")) {
		list, _ := filepath.Glob(filepath.Join(dir, "python3*"))
		all = append(all, list...)
	}
	by := map[string]string{}
	for _, py := range all {
		if v := version(py); v != "" && by[v] == "" {
			by[v] = py
		}
	}
	var out []string
	for _, v := range []string{"3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"} {
		var these []string
		for full, py := range by {
			if strings.HasPrefix(full, v+".") {
				these = append(these, py)
			}
		}
		slices.Sort(these)
		out = append(out, these...)
	}
	return out
}

// version is what an interpreter says, "" when it is none.
func version(py string) string {
	if base := filepath.Base(py); strings.Trim(base, "python0123456789.") != "" {
		return ""
	}
	out, err := exec.Command(py, "-Ec", "import sys; print('%d.%d.%d' % sys.version_info[:3] * (sys.implementation.name == 'cpython'))").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// plainEnv is the environment without what would change Python's ways.
func plainEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "PYTHON") || strings.HasPrefix(e, "CULPRIT") })
}

// turns runs a command without the agent and with it, in turns, and returns the
// least that measure says of each.
func (b *bench) turns(py string, measure func(env []string) (float64, error)) (plain, with float64, err error) {
	dir, err := os.MkdirTemp(b.dir, "run-")
	if err != nil {
		return 0, 0, err
	}
	env := plainEnv()
	added, err := python.Prepare(dir, env)
	if err != nil {
		return 0, 0, err
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- (&python.Lens{}).Record(ctx, lens.Target{Dir: dir}, nowhere{}) }()
	defer func() { stop(); err = errors.Join(err, <-done) }()
	envs := [][]string{env, append(slices.Clip(env), added...)}
	if _, err := measure(envs[1]); err != nil { // the first one compiles the agent
		return 0, 0, err
	}
	var least [2]float64
	for range b.rounds {
		for i, env := range envs {
			v, err := measure(env)
			if err != nil {
				return 0, 0, err
			}
			if least[i] == 0 || v < least[i] {
				least[i] = v
			}
		}
	}
	return least[0], least[1], nil
}

type nowhere struct{}

func (nowhere) Put(event.Event) {}

func ratio(name string) func(b *bench, py string) (float64, error) {
	return func(b *bench, py string) (float64, error) {
		plain, with, err := b.turns(py, func(env []string) (float64, error) {
			cmd := exec.Command(py, b.script, name)
			cmd.Env = env
			out, err := cmd.Output()
			if err != nil {
				return 0, err
			}
			return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		})
		return with / plain, err
	}
}

func startUp(b *bench, py string) (float64, error) {
	plain, with, err := b.turns(py, func(env []string) (float64, error) {
		cmd := exec.Command(py, "-c", "pass")
		cmd.Env = env
		at := time.Now()
		err := cmd.Run()
		return time.Since(at).Seconds() * 1e3, err
	})
	return with - plain, err
}

// standing starts a program that stands in a call under nine frames.
func (b *bench) standing(py string) (*exec.Cmd, error) {
	cmd := exec.Command(py, b.script, "stand")
	cmd.Env = plainEnv()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		end(cmd)
		return nil, fmt.Errorf("the program said %q: %v", line, err)
	}
	return cmd, nil
}

func end(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func stack(b *bench, py string) (float64, error) {
	cmd, err := b.standing(py)
	if err != nil {
		return 0, err
	}
	defer end(cmd)
	p, err := remote.Find(cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	r := p.Reader()
	frames := r.Stack(nil, int32(cmd.Process.Pid))
	if len(frames) != 9 {
		return 0, fmt.Errorf("%d frames: %v", len(frames), frames)
	}
	least := time.Duration(1 << 62)
	for range 50 {
		const n = 100
		at := time.Now()
		for range n {
			frames = r.Stack(frames[:0], int32(cmd.Process.Pid))
		}
		least = min(least, time.Since(at)/n)
	}
	return least.Seconds() * 1e6, nil
}

// traced measures under the ptrace recorder what writing a record's bytes takes,
// and what handing a record to the agent's ring does, in microseconds.
func (b *bench) traced(py string) (write, rec float64, err error) {
	dir, err := os.MkdirTemp(b.dir, "traced-")
	if err != nil {
		return 0, 0, err
	}
	if _, err := python.Prepare(dir, nil); err != nil {
		return 0, 0, err
	}
	text := filepath.Join(dir, "python", "agent.py")
	out := filepath.Join(dir, "out")
	cmd := fmt.Sprintf("exec %q %q write %q %q > %q", py, b.script, dir, text, out)
	res, err := record.Run(context.Background(), record.Config{
		Command: []string{"sh", "-c", cmd}, Env: plainEnv(), Case: filepath.Join(dir, "case.pcapng"), NoInject: true, Backend: "ptrace",
	}, record.Watcher{})
	if err != nil {
		return 0, 0, err
	}
	if res.Tail != nil {
		res.Tail(context.Background())
	}
	said, err := os.ReadFile(out)
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscan(string(said), &write, &rec); err != nil {
		return 0, 0, fmt.Errorf("the program said %q: %w", said, err)
	}
	return write / 1e3, rec / 1e3, nil
}

// pause is how long a program that hangs stands still to be attached to.
func pause(b *bench, py string) (float64, error) {
	cmd, err := b.standing(py)
	if err != nil {
		return 0, err
	}
	defer end(cmd)
	least := 0.0
	for i := range max(b.rounds/3, 1) {
		path := filepath.Join(b.dir, fmt.Sprintf("attach-%d-%d.pcapng", cmd.Process.Pid, i))
		err := record.Attach(context.Background(), record.Attachment{PIDs: []int{cmd.Process.Pid}, Case: path, Backend: "ptrace", Timeout: 300 * time.Millisecond}, record.Watcher{})
		if err != nil {
			return 0, err
		}
		c, err := casefile.Open(path + ".partial")
		if err != nil {
			return 0, err
		}
		longest := int64(0)
		for e, err := range c.Events() {
			if a, ok := e.Body.(*event.Attach); ok && err == nil {
				longest = max(longest, a.Pause)
			}
		}
		if ms := float64(longest) / 1e6; i == 0 || ms < least {
			least = ms
		}
	}
	return least, nil
}
