// Command bench measures the wire lens beside the tools that it stands in for.
// It generates a capture of TLS 1.3 traffic (bulk answers and many small
// requests) in a temporary folder, then runs culprit, tshark and openssl on it.
//
//	go run ./internal/wire/bench -culprit bin/culprit
//
// Times are the least of several runs, programs side by side: on a busy machine
// only their ratios mean something. Nothing is judged here; the goals stand
// beside the figures.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	culprit := flag.String("culprit", "bin/culprit", "the program to measure")
	size := flag.Int("mb", 320, "size of the capture in MB")
	exact := flag.Int("bytes", 0, "its size in bytes, instead")
	large := flag.Int("large", 10, "how many times as large the file for the memory test is; 0: none")
	runs := flag.Int("runs", 3, "of how many runs the fastest counts")
	only := flag.String("generate", "", "only generate the capture, as this file and FILE.keys")
	flag.Parse()
	if err := run(*culprit, *size, *exact, *large, *runs, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(culprit string, size, exact, large, runs int, only string) error {
	if only != "" {
		if exact == 0 {
			exact = size << 20
		}
		return generate(only, only+".keys", exact)
	}
	dir, err := os.MkdirTemp("", "culprit-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	pcap, keys, err := generated(dir, "bench.pcap", size<<20)
	if err != nil {
		return err
	}
	st, err := os.Stat(pcap)
	if err != nil {
		return err
	}
	fmt.Printf("%d MB of TLS 1.3, AES-128-GCM, in segments of %d bytes\n", st.Size()>>20, segmentSize)

	const filter = "http.response.code == 413"
	ours := []string{culprit, "show", "--keylog", keys, pcap, filter}
	theirs := []string{"tshark", "-n", "-r", pcap, "-o", "tls.keylog_file:" + keys, "-Y", filter}
	us, them := pair(runs, ours, theirs)
	report("filter "+filter, us, them, "20")
	if us.lines != them.lines && them.seen {
		fmt.Printf("  rows differ: culprit %d, tshark %d\n", us.lines, them.lines)
	}
	ours = []string{culprit, "follow", "--keylog", keys, "--show", "raw", pcap, "0"}
	theirs = []string{"tshark", "-n", "-q", "-r", pcap, "-o", "tls.keylog_file:" + keys, "-z", "follow,tls,raw,0"}
	report2, them2 := pair(runs, ours, theirs)
	report("follow stream 0", report2, them2, "20")

	full, _ := pair(runs, []string{"env", "GOMAXPROCS=1", culprit, "show", "--keylog", keys, pcap, filter}, nil)
	rate := float64(st.Size()) / full.cpu.Seconds()
	if gcm := openssl(runs); gcm > 0 {
		fmt.Printf("throughput on one core: %.2f GB/s of CPU time, openssl speed aes-128-gcm %.2f GB/s: %.2f (goal 0.4)\n", rate/1e9, gcm/1e9, rate/gcm)
	}
	fmt.Printf("peak memory: %d MB (goal 150)\n", us.rss>>20)
	if large > 0 {
		big, bigKeys, err := generated(dir, "big.pcap", large*size<<20)
		if err != nil {
			return err
		}
		m, _ := pair(1, []string{culprit, "show", "--keylog", bigKeys, big, filter}, nil)
		fmt.Printf("peak memory, %d times as large: %d MB (goal: the same), %.2f s\n", large, m.rss>>20, m.wall.Seconds())
	}
	small, smallKeys, err := generated(dir, "small.pcap", 64<<10)
	if err != nil {
		return err
	}
	first, _ := pair(5*runs, []string{culprit, "show", "--keylog", smallKeys, small}, nil)
	fmt.Printf("a small capture, from start to end: %.3f s (goal 0.02), %d MB (goal 30)\n", first.wall.Seconds(), first.rss>>20)
	return nil
}

// generated has another process generate a capture: the peak memory that the
// kernel tells of a child includes what its parent had when it was started.
func generated(dir, name string, size int) (pcap, keys string, err error) {
	pcap = filepath.Join(dir, name)
	self, err := os.Executable()
	if err != nil {
		return "", "", err
	}
	cmd := exec.Command(self, "-generate", pcap, "-bytes", strconv.Itoa(size))
	cmd.Stderr = os.Stderr
	return pcap, pcap + ".keys", cmd.Run()
}

// measured is the best of several runs of one program.
type measured struct {
	seen      bool
	wall, cpu time.Duration
	rss       int64
	lines     int
}

// pair runs two programs in turns.
func pair(runs int, a, b []string) (x, y measured) {
	for range runs {
		x.take(a)
		if b != nil {
			y.take(b)
		}
	}
	return x, y
}

// lineCount counts the lines written to it. Output that was kept here would
// count as memory of the programs that are started afterwards.
type lineCount int

func (n *lineCount) Write(p []byte) (int, error) {
	*n += lineCount(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}

func (m *measured) take(args []string) {
	if _, err := exec.LookPath(args[0]); err != nil {
		return
	}
	cmd := exec.Command(args[0], args[1:]...)
	var lines lineCount
	var complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &lines, &complaint
	began := time.Now()
	err := cmd.Run()
	wall := time.Since(began)
	if err != nil {
		fmt.Printf("%s: %v\n%s", strings.Join(args, " "), err, complaint.String())
		return
	}
	m.lines = int(lines)
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if !m.seen || wall < m.wall {
		m.wall = wall
	}
	if !m.seen || cpu < m.cpu {
		m.cpu = cpu
	}
	m.rss = max(m.rss, usage.Maxrss<<10)
	m.seen = true
}

func report(what string, us, them measured, goal string) {
	fmt.Printf("%s: culprit %.2f s (%.2f s of CPU)", what, us.wall.Seconds(), us.cpu.Seconds())
	if them.seen {
		fmt.Printf(", tshark %.2f s (%.2f s of CPU): %.0f times as fast (goal %s)", them.wall.Seconds(), them.cpu.Seconds(),
			them.wall.Seconds()/us.wall.Seconds(), goal)
	}
	fmt.Println()
}

// openssl is the speed of AES-128-GCM on blocks of 16 KB, in bytes a second of
// CPU time (that is how openssl counts), 0 without the program.
func openssl(runs int) (best float64) {
	for range runs {
		out, err := exec.Command("openssl", "speed", "-mr", "-seconds", "1", "-bytes", "16384", "-evp", "aes-128-gcm").Output()
		if err != nil {
			return 0
		}
		if m := regexp.MustCompile(`(?m)^\+F:\d+:[^:]+:([0-9.]+)`).FindSubmatch(out); m != nil {
			n, _ := strconv.ParseFloat(string(m[1]), 64)
			best = max(best, n)
		}
	}
	return best
}
