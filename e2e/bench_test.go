package e2e

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"culprit/e2e/stage"
	"culprit/internal/demo"
)

// BenchmarkSlowdown runs real programs plainly, under `culprit run` with all
// lenses and under `strace -f -o /dev/null`, in turn, and reports how many
// times longer each takes than the plain run: the median of the rounds, since
// only runs side by side compare on a shared machine. It also reports the
// size of the case.
func BenchmarkSlowdown(b *testing.B) {
	exe, err := build()
	if err != nil {
		b.Fatal(err)
	}
	stage.Need(b, "strace", "git")
	for _, w := range []struct {
		name string
		make func(b *testing.B) (argv, env []string)
	}{
		{"demo-upload", upload},
		{"python-imports", func(*testing.B) ([]string, []string) {
			return []string{"python3", "-c", "import json, ssl, urllib.request"}, nil
		}},
		{"git-log-stat", gitLog},
	} {
		b.Run(w.name, func(b *testing.B) {
			argv, env := w.make(b)
			file := filepath.Join(b.TempDir(), "bench.pcapng")
			var culprits, straces []float64
			for b.Loop() {
				plain := timed(b, env, argv)
				culprits = append(culprits, timed(b, env, append([]string{exe, "run", "-q", "-o", file, "--"}, argv...))/plain)
				straces = append(straces, timed(b, env, append([]string{"strace", "-f", "-o", os.DevNull}, argv...))/plain)
			}
			b.ReportMetric(median(culprits), "culprit/plain")
			b.ReportMetric(median(straces), "strace/plain")
			if st, err := os.Stat(file); err == nil {
				b.ReportMetric(float64(st.Size())/1024, "case-KiB")
			}
			b.ReportMetric(0, "ns/op") // one round is three runs: no figure of its own
		})
	}
}

func timed(b *testing.B, env, argv []string) float64 {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	start := time.Now()
	if err := cmd.Run(); err != nil {
		if _, exited := err.(*exec.ExitError); !exited { // the upload is meant to fail
			b.Fatal(err)
		}
	}
	return time.Since(start).Seconds()
}

func upload(b *testing.B) (argv, env []string) {
	dir := b.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	server, err := demo.Start(ctx, demo.Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Close() })
	files, err := demo.Files(filepath.Join(dir, "client"))
	if err != nil {
		b.Fatal(err)
	}
	return files.Command("python3", server)
}

// gitLog is `git log --stat` on a repository of 300 commits made for it.
func gitLog(b *testing.B) (argv, env []string) {
	dir := b.TempDir()
	script := fmt.Sprintf(`cd %s && git init -q . && git config user.name b && git config user.email b@localhost &&
		for i in $(seq 300); do seq $i $((i * 3)) >f$((i %% 40)); git add -A; git commit -q -m "change $i"; done`, dir)
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		b.Fatalf("make a repository: %v\n%s", err, out)
	}
	return []string{"git", "-C", dir, "log", "--stat"}, nil
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
