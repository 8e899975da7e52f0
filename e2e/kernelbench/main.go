// Kernelbench measures what recording a program's system calls costs it, beside
// strace, and prints a table. `make bench-kernel` runs it; it needs root for the
// eBPF recorder. It judges nothing: a busy machine makes every number larger,
// which is why all tools take turns and the least of several rounds counts.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"culprit/internal/casefile"
	"culprit/internal/event"
	"culprit/internal/explain"
	"culprit/internal/record"
	"culprit/internal/timeline"
)

func main() {
	if len(os.Args) > 3 && os.Args[1] == "record" {
		recordOne(os.Args[2], os.Args[3], os.Args[4:])
		return
	}
	if len(os.Args) == 4 && os.Args[1] == "read" {
		read(os.Args[2], os.Args[3])
		return
	}
	rounds := flag.Int("rounds", 5, "how often each program runs under each tool")
	storm := flag.Int("storm", 5_000_000, "reads, and writes, of the storm")
	only := flag.String("only", "", "run the rows whose name holds this")
	flag.Parse()
	dir, err := os.MkdirTemp("", "kernelbench-")
	if err != nil {
		fatal(err)
	}
	b := &bench{dir: dir, rounds: *rounds, only: *only}
	defer os.RemoveAll(dir)
	b.programs()
	b.server()
	b.storm(*storm)
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "kernelbench:", err)
	os.Exit(1)
}

// recordOne records a command as `culprit run` does, and explains nothing. It
// leaves behind how long the command ran.
func recordOne(backend, path string, command []string) {
	var started time.Time
	res, err := record.Run(context.Background(), record.Config{
		Command: command, Env: os.Environ(), Case: path, NoInject: true, Backend: backend,
	}, record.Watcher{Started: func(int) { started = time.Now() }})
	if err != nil {
		fatal(err)
	}
	if err := os.WriteFile(path+tookSuffix, []byte(time.Since(started).String()), 0o600); err != nil {
		fatal(err)
	}
	if res.Tail != nil {
		res.Tail(context.Background())
	}
}

// read answers one question about a case, and says how long that took.
func read(how, path string) {
	at := time.Now()
	c, err := casefile.Open(path)
	if err != nil {
		fatal(err)
	}
	found := 0
	switch how {
	case "look":
		for e, err := range c.Events() {
			if s, ok := e.Body.(*event.Syscall); ok && err == nil && s.Ret == -int64(syscall.EPIPE) {
				found++
			}
		}
	case "diagnose":
		t, err := timeline.Build(c.Events())
		if err != nil {
			fatal(err)
		}
		_ = explain.Explain(t)
	case "count":
		var lost uint64
		for e, err := range c.Events() {
			switch b := e.Body.(type) {
			case *event.Syscall:
				if err == nil {
					found++
				}
			case *event.Loss:
				lost += b.Count
			}
		}
		fmt.Println(found, lost)
		return
	}
	fmt.Printf("%.1f\n", time.Since(at).Seconds())
}

type bench struct {
	dir    string
	rounds int
	only   string
}

// tools are what a program runs under, by column.
var tools = []string{"plain", "strace", "ptrace", "ebpf"}

// under is the command line of a program under a tool.
func (b *bench) under(tool string, argv []string) []string {
	switch tool {
	case "plain":
		return argv
	case "strace":
		return append([]string{"strace", "-f", "-o", "/dev/null"}, argv...)
	}
	return append([]string{"/proc/self/exe", "record", tool, b.path(tool)}, argv...)
}

const tookSuffix = ".took"

// took is how long the program ran that was recorded last, from its first
// instruction to its end.
func (b *bench) took(tool string) time.Duration {
	text, err := os.ReadFile(b.path(tool) + tookSuffix)
	if err != nil {
		return 0
	}
	d, _ := time.ParseDuration(string(text))
	return d
}

func (b *bench) path(tool string) string { return filepath.Join(b.dir, tool+".pcapng") }

// spent is what a run took: all of it, and the most memory that the process that
// was started, or one that it waited for, had.
type spent struct {
	wall   time.Duration
	memory int64 // bytes
}

func run(argv []string) (spent, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	if argv[0] == "/proc/self/exe" {
		cmd.Path = self()
	}
	at := time.Now()
	err := cmd.Run()
	s := spent{wall: time.Since(at)}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.memory = u.Maxrss << 10
	}
	return s, err
}

func self() string {
	path, err := os.Executable()
	if err != nil {
		fatal(err)
	}
	return path
}

// job is one row.
type job struct {
	name string
	argv []string
}

func jobs(dir string) []job {
	source := filepath.Join(dir, "small.c")
	if err := os.WriteFile(source, []byte("#include <stdio.h>\nint main(void) { puts(\"x\"); return 0; }\n"), 0o600); err != nil {
		fatal(err)
	}
	dd := []string{"dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=300000"}
	shell := func(s string) []string { return []string{"sh", "-c", s} }
	return []job{
		{"start-up (true)", []string{"true"}},
		{"dd, 600 k calls", dd},
		{"dd, on one core", append([]string{"taskset", "-c", "0"}, dd...)},
		{"git log --stat", []string{"git", "log", "--stat", "-n", "300"}},
		{"git status x 20", shell("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do git status; done")},
		{"python imports x 10", shell("for i in 1 2 3 4 5 6 7 8 9 10; do python3 -c 'import json, ssl, asyncio, argparse, logging'; done")},
		{"C compiles x 10", shell("for i in 1 2 3 4 5 6 7 8 9 10; do gcc -c -o " + dir + "/x.o " + source + "; done")},
		{"find /usr", []string{"find", "/usr", "-name", "x"}},
	}
}

// programs measures the programs that end by themselves. The second ratio says
// how many times the time that strace adds is that which a recorder adds, its
// start-up left out; the last column is the program's own time under ebpf, from
// its first instruction to its end.
func (b *bench) programs() {
	fmt.Printf("%-20s %9s %16s %16s %16s %14s %14s %16s\n", "seconds (x plain)", "plain", "strace -f", "ptrace", "ebpf", "strace/ptrace", "added s./ebpf", "ebpf, running")
	var start [4]time.Duration
	for _, j := range jobs(b.dir) {
		if !strings.Contains(j.name, b.only) && j.argv[0] != "true" {
			continue
		}
		var best [4]time.Duration
		var running time.Duration
		failed := ""
		for range b.rounds {
			for i, tool := range tools {
				argv := b.under(tool, j.argv)
				if j.argv[0] == "taskset" && i > 1 { // the recorder too
					argv = append([]string{"taskset", "-c", "0"}, b.under(tool, j.argv[3:])...)
					argv[3] = self()
				}
				s, err := run(argv)
				if err != nil {
					failed = fmt.Sprintf("%s: %v", tool, err)
				}
				if best[i] == 0 || s.wall < best[i] {
					best[i] = s.wall
				}
			}
			if d := b.took("ebpf"); running == 0 || d < running {
				running = d
			}
		}
		if failed != "" {
			fmt.Printf("%-20s %s\n", j.name, failed)
			continue
		}
		if j.argv[0] == "true" {
			start = best
		}
		added := func(i int) float64 { return (best[i] - start[i] - (best[0] - start[0])).Seconds() }
		cell := func(d time.Duration) string {
			return fmt.Sprintf("%.3f (%.2f)", d.Seconds(), d.Seconds()/best[0].Seconds())
		}
		fmt.Printf("%-20s %9.3f %16s %16s %16s %14.2f %14.1f %16s\n", j.name, best[0].Seconds(), cell(best[1]), cell(best[2]), cell(best[3]),
			best[1].Seconds()/best[2].Seconds(), added(1)/max(added(3), 1e-9), cell(running))
	}
	fmt.Println()
}
