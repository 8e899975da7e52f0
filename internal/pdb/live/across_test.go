package live

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestSyscall stops threads at calls, and lets them go on as if nothing had been.
func TestSyscall(t *testing.T) {
	inTurn(t, func(t *testing.T, py string) {
		dir := program(t, `
import os, socket, threading, subprocess
def broken():
    a, b = socket.socketpair()
    b.close()
    got = None
    try:
        a.send(b'x' * 10)
    except OSError as e:
        got = e
    a.close()
    return got
def busy():
    n = 0
    while not done:
        n += 1
done = False
threads = [threading.Thread(target=busy), threading.Thread(target=broken, name='second')]
for t in threads: t.start()
threads[1].join()
print(broken())
for name in ('passwd', 'nosuch', 'group'):
    try:
        open('/etc/' + name).close()
    except OSError:
        pass
print(subprocess.check_output(['cat', '/etc/group'])[:4])
r, w = os.pipe()
r2, w2 = os.pipe()
os.write(w, b'abc')
os.write(w2, b'four')
print(os.read(r, 2), os.read(r, 2))
print(os.read(r2, 9))
done = True
threads[0].join()
end = 1
`)
		got := debug(t, dir, "", `b syscall sendto if errno == EPIPE and fd > 2
b syscall write if nosuch == 1
b syscall brk
b syscall %memory
b syscall nosuch
b open [
b
c
w
syscall
http
p threading.current_thread().name
c
n
n
n
p got
ignore 1 5
tbreak open /etc/*ss*
tbreak open /etc/nosuch if errno == ENOENT
tbreak syscall read if ret == 2
b syscall read if ret == 4 and not fd == 0
c
c
c
c
commands 5
syscall
end
condition 5 ret > 99
condition 5
b
tbreak 36
c
cl
y
b
c
`, nil, py, "prog.py")
		say := "--Syscall-- sendto(3, \"xxxxxxxxxx\", 10, 0, NULL, 0) = -1 EPIPE (Broken pipe)\n"
		at := "> " + dir + "/prog.py(8)broken()\n-> a.send(b'x' * 10)\n(Pdb) "
		wants(t, got.Pdb, "(Pdb) Breakpoint 1 at syscall sendto\n", `(Pdb) *** no field "nosuch"`, "(Pdb) *** a program can't be stopped at brk",
			`(Pdb) *** "%memory" is no class`, `(Pdb) *** "nosuch" is no system call`, "(Pdb) *** syntax error in pattern",
			"1   syscall      keep yes  sendto\n\tstop only if errno == EPIPE and fd > 2\n",
			"--Syscall-- sendto(", "= -1 EPIPE", at, "threading.py(", "(Pdb) sendto(", "*** The program was not stopped at a message of HTTP", "(Pdb) 'second'\n",
			say[:18], at, "BrokenPipeError: [Errno 32] Broken pipe\n> ", "prog.py(9)broken()", "prog.py(10)broken()", "(Pdb) None\n",
			"Will ignore next 5 crossings", "(Pdb) Breakpoint 2 at open /etc/*ss*\n", "Breakpoint 5 at syscall read\n",
			"Deleted breakpoint 2 at open /etc/*ss*\n--Syscall-- openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = ", "prog.py(24)<module>()",
			"Deleted breakpoint 3", "\"/etc/nosuch\", O_RDONLY|O_CLOEXEC) = -1 ENOENT", "prog.py(24)<module>()",
			"Deleted breakpoint 4", "--Syscall-- read(", ", \"ab\", 2) = 2", "prog.py(32)<module>()",
			"--Syscall-- read(", ", \"four\", 9) = 4", "prog.py(33)<module>()", "New condition set for breakpoint 5", "Breakpoint 5 is now unconditional",
			"5   syscall      keep yes  read\n\tbreakpoint already hit 1 time\n", "prog.py(36)<module>()", "Clear all breaks? ", "Deleted breakpoint 1 at syscall sendto")
		if want := "[Errno 32] Broken pipe\nb'root'\nb'ab' b'c'\nb'four'\n"; got.Stdout != want || got.Stderr != "" || got.Err != nil || got.Result != (Result{}) {
			t.Errorf("printed %q %q, ended with %+v, %v\n%s", got.Stdout, got.Stderr, got.Result, got.Err, got.Pdb)
		}
	})
}

// TestHTTP stops at the answer of a server, over TLS and not, in the line of
// Python that reads it.
func TestHTTP(t *testing.T) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})
	plain, secure := httptest.NewServer(answer), httptest.NewTLSServer(answer)
	defer plain.Close()
	defer secure.Close()
	inTurn(t, func(t *testing.T, py string) {
		for _, url := range []string{plain.URL, secure.URL} {
			dir := program(t, fmt.Sprintf(`
import ssl, urllib.request, urllib.error
def ask(data):
    try:
        return urllib.request.urlopen('%s/path', data, context=ssl._create_unverified_context() if %q[4] == 's' else None).status
    except urllib.error.HTTPError as e:
        return e.code
print(ask(None))
print(ask(b'body'))
print(ask(b'body'))
end = 1
`, url, url))
			got := debug(t, dir, "", `b http status ==
b http nosuch == 1
b http status == 413 and target contains "path"
c
http
syscall
w
commands 1
silent
p 'again'
c
end
tbreak http method == POST
c
http
tbreak prog.py:11
c
b
q
`, nil, py, "prog.py")
			wants(t, got.Pdb, "(Pdb) *** ", "(Pdb) *** no field", "Breakpoint 1 at http status == 413",
				"--HTTP-- HTTP/1.1 413 Request Entity Too Large\n> ", "(Pdb) > POST /path HTTP/1.1\n", "\n< HTTP/1.1 413 ", "(Pdb) re",
				"prog.py(9)<module>()", "prog.py(5)ask()", "Breakpoint 2 at http method == POST", "--HTTP-- POST /path HTTP/1.1\n",
				"(Pdb) > POST /path HTTP/1.1\n", "(Pdb) 'again'\n", "prog.py(11)<module>()")
			if got.Stdout != "200\n413\n413\n" || got.Err != nil || !got.Result.Quit {
				t.Errorf("%s: printed %q %q, ended with %+v, %v\n%s", url, got.Stdout, got.Stderr, got.Result, got.Err, got.Pdb)
			}
		}
	})
}

// TestDNS stops where an answer says that there is no such name.
func TestDNS(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			flags := uint16(0x8180)
			if strings.Contains(string(b[:n]), "missing") {
				flags |= 3
			}
			binary.BigEndian.PutUint16(b[2:], flags)
			_, _ = server.WriteTo(b[:n], from)
		}
	}()
	inTurn(t, func(t *testing.T, py string) {
		dir := program(t, fmt.Sprintf(`
import socket, struct
def ask(name):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(('127.0.0.1', %d))
    q = b''.join(bytes([len(p)]) + p for p in name.encode().split(b'.')) + b'\0'
    s.send(struct.pack('>6H', 7, 0x100, 1, 0, 0, 0) + q + struct.pack('>2H', 1, 1))
    return s.recv(512)[3] & 15
print(ask('there.example.com'), ask('missing.example.com'), ask('missing.example.org'))
`, server.LocalAddr().(*net.UDPAddr).Port))
		got := debug(t, dir, "", "b dns NOSUCH\nb dns NXDOMAIN if name contains org\nc\np name\nc\n", nil, py, "prog.py")
		wants(t, got.Pdb, `*** "NOSUCH" is no response code`, "--DNS-- NXDOMAIN for missing.example.org A\n> "+dir+"/prog.py(8)ask()", "'missing.example.org'")
		if got.Stdout != "0 3 3\n" || got.Err != nil || got.Result != (Result{}) {
			t.Errorf("printed %q %q, ended with %+v, %v\n%s", got.Stdout, got.Stderr, got.Result, got.Err, got.Pdb)
		}
	})
}

// TestQuitAcross quits while a thread stands in a system call.
func TestQuitAcross(t *testing.T) {
	inTurn(t, func(t *testing.T, py string) {
		dir := program(t, "import os\ntry:\n    fd = os.open('/etc/passwd', 0)\n    print('not reached')\nfinally:\n    print('cleaned')\n")
		got := debug(t, dir, "", "b open /etc/passwd\nc\nq\n", nil, py, "prog.py")
		if got.Stdout != "cleaned\n" || got.Stderr != "" || got.Err != nil || !got.Result.Quit {
			t.Errorf("printed %q %q, ended with %+v, %v\n%s", got.Stdout, got.Stderr, got.Result, got.Err, got.Pdb)
		}
	})
}
