package stage

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Recipe is a way of Debian's nginx to refuse a body over 5 MiB. With its
// defaults a client on a fast link is told: nginx drains the body (lingering).
type Recipe int

const (
	// ResetAtOnce is client_max_body_size with lingering_time 0s: the client's
	// write ends in ECONNRESET, now and then in EPIPE.
	ResetAtOnce Recipe = iota
	// FinThenReset has the limit in a back end that answers 413 at once and
	// closes: the client sees FIN, then RST, and its write ends in EPIPE.
	FinThenReset
)

func (r Recipe) String() string { return [...]string{"reset", "fin"}[r] }

// Nginx is a running nginx that refuses large uploads.
type Nginx struct {
	TLS, Plain string // URLs without a path; the host is localhost
}

// Nginx starts one. Its ports are listened on before it starts, on 127.0.0.1
// and, where there is IPv6, ::1, and it inherits them as a new nginx does from
// an old one (variable NGINX), so that no other program can take them.
func (s *Stage) Nginx(r Recipe) *Nginx {
	s.t.Helper()
	Need(s.t, "nginx")
	dir := s.Path("nginx-" + r.String())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	secure, secureDirectives := s.sockets("ssl")
	plain, plainDirectives := s.sockets("")
	limit := "client_max_body_size 5m; lingering_time 0s; location / { return 201; }"
	if r == FinThenReset {
		limit = "client_max_body_size 0; proxy_request_buffering off; proxy_http_version 1.1; lingering_close always; lingering_time 0s;\n" +
			"    location / { proxy_pass http://127.0.0.1:" + s.refusingBackEnd() + "; }"
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // else its worker, www-data, can't use dir
	}
	conf := s.File("nginx-"+r.String()+"/nginx.conf", fmt.Sprintf(`%s daemon off; worker_processes 1; pid %[2]s/pid; error_log %[2]s/error.log info;
events { worker_connections 64; }
http {
  access_log %[2]s/access.log;
  client_body_temp_path %[2]s/t1; proxy_temp_path %[2]s/t2; fastcgi_temp_path %[2]s/t3; uwsgi_temp_path %[2]s/t4; scgi_temp_path %[2]s/t5;
  ssl_certificate %[3]s; ssl_certificate_key %[4]s;
  server { server_name localhost; %[5]s %[6]s
    %[7]s
  }
}
`, user, dir, s.PKI.Good.CertFile, s.PKI.Good.KeyFile, secureDirectives, plainDirectives, limit), 0o644)

	cmd := exec.Command(Program("nginx"), "-p", dir, "-e", dir+"/error.log", "-c", conf)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	inherit := ""
	for i, l := range append(secure, plain...) {
		f, err := l.File()
		if err != nil {
			s.t.Fatal(err)
		}
		defer f.Close()
		defer l.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		inherit += fmt.Sprintf("%d;", 3+i)
	}
	cmd.Env = []string{"PATH=" + searchPath, "NGINX=" + inherit}
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("start nginx: %v", err)
	}
	s.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) // fast shutdown, nginx(8)
		err := cmd.Wait()
		if log, rerr := os.ReadFile(dir + "/error.log"); err != nil || s.t.Failed() {
			s.t.Logf("nginx: %v %v\n%s", err, rerr, log)
		}
	})
	return &Nginx{
		TLS:   "https://localhost:" + port(secure[0].Addr()),
		Plain: "http://localhost:" + port(plain[0].Addr()),
	}
}

// sockets listens on one port of 127.0.0.1 and ::1, and returns the listen
// directives for it too.
func (s *Stage) sockets(option string) (all []*net.TCPListener, directives string) {
	s.t.Helper()
	for range 20 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			s.t.Fatal(err)
		}
		p := port(l.Addr())
		d := "listen 127.0.0.1:" + p + " " + option + ";"
		l6, err := net.Listen("tcp6", "[::1]:"+p)
		switch {
		case err == nil:
			return []*net.TCPListener{l.(*net.TCPListener), l6.(*net.TCPListener)}, d + " listen [::1]:" + p + " " + option + ";"
		case strings.Contains(err.Error(), "in use"):
			l.Close()
			continue
		}
		return []*net.TCPListener{l.(*net.TCPListener)}, d // no IPv6 here
	}
	s.t.Fatal("no port is free on both 127.0.0.1 and ::1")
	return nil, ""
}

// refusingBackEnd answers 413 as soon as it has a request's head, and says FIN.
func (s *Stage) refusingBackEnd() string {
	s.t.Helper()
	return s.serve(func(c *net.TCPConn) {
		if readHead(bufio.NewReaderSize(c, 16<<10)) != nil {
			return
		}
		const page = "<html><head><title>413 Request Entity Too Large</title></head></html>\r\n"
		fmt.Fprintf(c, "HTTP/1.1 413 Request Entity Too Large\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(page), page)
		// Neither read nor closed before the test's end. If it read, nginx would
		// go on to pass a fast client's whole body through before it looks at the
		// answer; if it closed with bytes unread, that would be RST, and nginx
		// might lose the answer to it.
		c.CloseWrite()
		<-s.ctx().Done()
	})
}
