package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"culprit/e2e/stage"
)

// tlsReport is the part of a report that says how connections were decrypted.
type tlsReport struct {
	Coverage struct {
		Wire struct {
			Decrypted int
			KeysBy    []string `json:"keys_by"`
			Blind     []string
			Notes     []string
		}
	}
}

// goClient asks for a page as Go programs do: by TLS 1.2 when the second
// argument says so; a third time and so on for each line of input.
const goClient = `package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	config := &tls.Config{InsecureSkipVerify: true}
	if os.Args[2] == "1.2" {
		config.MaxVersion = tls.VersionTLS12
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	for in := bufio.NewScanner(os.Stdin); ; {
		r, err := c.Get(os.Args[1])
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
		fmt.Println("ready")
		if !in.Scan() {
			return
		}
	}
}
`

// pythonClient does the same on a context made by hand.
const pythonClient = `import http.client, ssl, sys, urllib.parse
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
if sys.argv[2] == "1.2":
    context.maximum_version = ssl.TLSVersion.TLSv1_2
url = urllib.parse.urlsplit(sys.argv[1])
c = http.client.HTTPSConnection(url.hostname, url.port, context=context)
while True:
    c.request("GET", url.path)
    c.getresponse().read()
    print("ready", flush=True)
    if not sys.stdin.readline():
        break
`

const nodeClient = `const [url, version] = process.argv.slice(2)
require("https").get(url, {rejectUnauthorized: false, maxVersion: "TLSv" + version}, r => r.resume())
`

// goProgram compiles a Go program, without symbols.
func goProgram(t *testing.T, s *stage.Stage, name, source string) string {
	t.Helper()
	s.File(name+"/main.go", source, 0o644)
	s.File(name+"/go.mod", "module "+name+"\n", 0o644)
	exe := s.Path(name + "/" + name)
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", exe, ".")
	cmd.Dir = filepath.Dir(exe)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compile %s: %v\n%s", name, err, out)
	}
	return exe
}

// TestKeysWithoutAsking records programs that write no key log: their
// environment is cleaned.
func TestKeysWithoutAsking(t *testing.T) {
	stage.Need(t, "root")
	s := stage.New(t)
	exe := culprit(t)
	url := s.Status(418, &s.PKI.Good) + "/tea"
	client := goProgram(t, s, "client", goClient)
	script := s.File("client.py", pythonClient, 0o644)
	node := s.File("client.js", nodeClient, 0o644)
	tests := []struct {
		name, needs, library string
		argv                 func(version string) []string
	}{
		{"curl", "curl", "openssl", func(v string) []string { return []string{"curl", "-sk", "--tls-max", v, url} }},
		{"wget", "wget", "gnutls", func(v string) []string {
			if v == "1.2" {
				return []string{"wget", "-q", "-O-", "--no-check-certificate", "--secure-protocol=TLSv1_2", url}
			}
			return []string{"wget", "-q", "-O-", "--no-check-certificate", url}
		}},
		{"go", "", "go", func(v string) []string { return []string{client, url, v} }},
		{"python", "python3", "openssl", func(v string) []string { return []string{"/usr/bin/python3", "-I", script, url, v} }},
		{"node", "node", "openssl", func(v string) []string { return []string{"node", node, url, v} }},
	}
	for _, tt := range tests {
		for _, backend := range []string{"ptrace", "ebpf"} {
			for _, version := range []string{"1.2", "1.3"} {
				t.Run(tt.name+"/"+backend+"/"+version, func(t *testing.T) {
					if tt.needs != "" {
						stage.Need(t, tt.needs)
					}
					var r tlsReport
					c := filepath.Join(t.TempDir(), "case.pcapng")
					args := []string{"run", "--backend", backend, "--report", "-", "-q", "-o", c, "--", "env", "-i", "PATH=" + os.Getenv("PATH")}
					if backend == "ebpf" && tt.library == "go" {
						// That recorder holds no program up, but for the command itself.
						args = append(args[:len(args)-4], "--no-inject", "--")
					}
					report := recordTLS(t, exe, append(args, tt.argv(version)...)...)
					if err := json.Unmarshal(report, &r); err != nil {
						t.Fatalf("%v\n%s", err, report)
					}
					answered(t, exe, c, &r, "uprobe:"+tt.library)
				})
			}
		}
	}
	t.Run("off", func(t *testing.T) {
		var r tlsReport
		c := filepath.Join(t.TempDir(), "case.pcapng")
		report := recordTLS(t, exe, "run", "--no-inject", "--no-probes", "--report", "-", "-q", "-o", c, "--", client, url, "1.3")
		if err := json.Unmarshal(report, &r); err != nil {
			t.Fatalf("%v\n%s", err, report)
		}
		if w := r.Coverage.Wire; w.Decrypted != 0 || len(w.Blind) != 1 || !strings.Contains(w.Blind[0], "no-key; --no-probes: ") {
			t.Errorf("with --no-probes: %+v", w)
		}
	})
}

// recordTLS runs culprit, without input, and returns the report: what the
// recorded program says before it is cut off.
func recordTLS(t *testing.T, exe string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(exe, args...)
	cmd.Stderr = os.Stderr
	out, _ := cmd.Output() // the status is the program's: wget's is 8
	for i := range out {
		if rest := out[i:]; len(rest) > 2 && rest[0] == '{' && (i == 0 || out[i-1] == '\n') {
			return rest
		}
	}
	t.Fatalf("culprit %q gave no report: %s", args, out)
	return nil
}

// answered wants the answer of a case to be read, and to be told who gave the
// keys.
func answered(t *testing.T, exe, c string, r *tlsReport, by string) {
	t.Helper()
	if w := r.Coverage.Wire; w.Decrypted != 1 || len(w.KeysBy) != 1 || !strings.Contains(w.KeysBy[0], by) {
		t.Errorf("want one connection with keys by %s: %+v", by, w)
	}
	out, err := exec.Command(exe, "show", c, "http.response.code == 418").Output()
	if err != nil || !strings.Contains(string(out), "418 I'm a teapot") {
		t.Errorf("culprit show finds no answer (%v):\n%s", err, out)
	}
}

// TestKeysOfRunning attaches to programs whose handshake is over: what they say
// is read where they hand it to the library.
func TestKeysOfRunning(t *testing.T) {
	stage.Need(t, "root", "python3")
	s := stage.New(t)
	exe := culprit(t)
	url := s.Status(418, &s.PKI.Good) + "/tea"
	programs := map[string][]string{
		"go":      {goProgram(t, s, "client", goClient), url, "1.3"},
		"openssl": {"/usr/bin/python3", s.File("client.py", pythonClient, 0o644), url, "1.2"},
	}
	for library, argv := range programs {
		t.Run(library, func(t *testing.T) {
			p := start(t, s, argv...)
			c := filepath.Join(t.TempDir(), "case.pcapng")
			cmd := exec.Command(exe, "attach", "-q", "--report", "-", "-o", c, "-p", p.pid())
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			p.traced()
			fmt.Fprintln(p.in)
			p.expect("ready")
			p.in.Close()
			var r tlsReport
			decoded := json.NewDecoder(out).Decode(&r)
			if err := cmd.Wait(); err != nil || decoded != nil {
				t.Fatal(err, decoded)
			}
			answered(t, exe, c, &r, "uprobe:"+library+" (plaintext)")
		})
	}
}
