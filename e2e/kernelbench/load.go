package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const nginxConf = `daemon off; worker_processes 1; pid %[1]s/nginx.pid; error_log /dev/null;
events { worker_connections 64; }
http { access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s;
uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
server { listen 127.0.0.1:%[2]d; location / { return 200 "hello\n"; } } }
`

var rate = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)

// server measures how many requests a second a web server answers under each
// tool.
func (b *bench) server() {
	if !strings.Contains("nginx", b.only) {
		return
	}
	for _, program := range []string{"nginx", "wrk"} {
		if _, err := exec.LookPath(program); err != nil {
			fmt.Printf("nginx: not measured: %v\n\n", err)
			return
		}
	}
	var best [4]float64
	for range max(b.rounds/2, 1) {
		for i, tool := range tools {
			n, err := b.serve(tool)
			if err != nil {
				fmt.Printf("nginx under %s: %v\n", tool, err)
				continue
			}
			best[i] = max(best[i], n)
		}
	}
	fmt.Printf("%-20s", "nginx, requests/s")
	for i, tool := range tools {
		fmt.Printf("  %s %.0f (%.0f%%)", tool, best[i], 100*best[i]/best[0])
	}
	fmt.Print("\n\n")
}

func (b *bench) serve(tool string) (float64, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	conf := filepath.Join(b.dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, b.dir, port), 0o600); err != nil {
		return 0, err
	}
	argv := b.under(tool, []string{"nginx", "-c", conf})
	cmd := exec.Command(argv[0], argv[1:]...)
	if tool == "ptrace" || tool == "ebpf" {
		cmd.Path = self()
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() {
		if pid, err := os.ReadFile(filepath.Join(b.dir, "nginx.pid")); err == nil {
			n, _ := strconv.Atoi(strings.TrimSpace(string(pid)))
			_ = syscall.Kill(n, syscall.SIGTERM)
		}
		_ = cmd.Wait()
	}()
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for range 500 {
		time.Sleep(10 * time.Millisecond)
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
			break
		}
	}
	out, err := exec.Command("wrk", "-t", "1", "-c", "8", "-d", "2s", "http://"+address+"/").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w: %s", err, out)
	}
	m := rate.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("wrk says %q", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// storm records very many calls with the eBPF recorder, and reads their case.
func (b *bench) storm(n int) {
	if !strings.Contains("storm", b.only) {
		return
	}
	argv := []string{"dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=" + strconv.Itoa(n)}
	plain, err := run(argv)
	if err != nil {
		fatal(err)
	}
	s, err := run(b.under("ebpf", argv))
	if err != nil {
		fmt.Println("storm: not measured:", err)
		return
	}
	path := b.path("ebpf") + ".partial"
	st, err := os.Stat(path)
	if err != nil {
		fatal(err)
	}
	count, _ := b.answer("count", path)
	var calls, lost float64
	_, _ = fmt.Sscan(count, &calls, &lost)
	look, m1 := b.answer("look", path)
	diagnose, m2 := b.answer("diagnose", path)
	fmt.Printf("storm of %.1f M calls: plain %.2f s, recorded %.2f s, %.2f M events/s, %.0f lost\n",
		calls/1e6, plain.wall.Seconds(), s.wall.Seconds(), calls/1e6/s.wall.Seconds(), lost)
	fmt.Printf("  recorder's peak %d MB, case %.2f bytes a call\n", s.memory>>20, float64(st.Size())/calls)
	fmt.Printf("  opened and looked through in %s with %d MB, diagnosed in %s with %d MB\n", look, m1>>20, diagnose, m2>>20)
}

// answer runs read in a process of its own.
func (b *bench) answer(how, path string) (string, int64) {
	cmd := exec.Command(self(), "read", how, path)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		fatal(err)
	}
	u := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	text := strings.TrimSpace(out.String())
	if how != "count" {
		text += fmt.Sprintf(" s (%.1f of processor time)", (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	}
	return text, u.Maxrss << 10
}
