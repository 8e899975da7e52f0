package stage

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// serve runs handle for every connection to a free port of 127.0.0.1 until the
// test ends, and returns the port.
func (s *Stage) serve(handle func(*net.TCPConn)) string {
	s.t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.serveOn(l, handle)
	return port(l.Addr())
}

func (s *Stage) serveOn(l net.Listener, handle func(*net.TCPConn)) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				stop := context.AfterFunc(s.ctx(), func() { c.Close() })
				defer stop()
				defer c.Close()
				handle(c.(*net.TCPConn))
			})
		}
	})
	s.t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
}

func port(a net.Addr) string { return strconv.Itoa(a.(*net.TCPAddr).Port) }

// HTTP serves h on 127.0.0.1, over TLS if cert is given, and returns the base
// URL, whose host is localhost.
func (s *Stage) HTTP(h http.Handler, cert *Cert) string {
	s.t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	url := "http://localhost:" + port(l.Addr())
	if cert != nil {
		url = "https" + strings.TrimPrefix(url, "http")
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert.TLS}, NextProtos: []string{"http/1.1"}})
	}
	srv := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)} // clients that hang up are the point
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	s.t.Cleanup(func() {
		srv.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			s.t.Errorf("serve %s: %v", url, err)
		}
	})
	return url
}

// Status answers every request with code and a body that names the path.
func (s *Stage) Status(code int, cert *Cert) string {
	s.t.Helper()
	return s.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="stage"`)
		}
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(code)
		fmt.Fprintf(w, "%d %s: %s\n", code, http.StatusText(code), r.URL.Path)
	}), cert)
}

// Reset reads a request's head, then cuts the connection with RST: SO_LINGER
// with a time of 0 makes close(2) do that (tcp(7)).
func (s *Stage) Reset() string {
	s.t.Helper()
	return "http://localhost:" + s.serve(func(c *net.TCPConn) {
		readHead(bufio.NewReader(c))
		c.SetLinger(0)
	})
}

// Refused returns the URL of a port that no one listens on and that nobody
// else can get: it is bound.
func (s *Stage) Refused() string {
	s.t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		s.t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		s.t.Fatal(err)
	}
	return "http://localhost:" + strconv.Itoa(sa.(*unix.SockaddrInet4).Port)
}

// Sink reads whatever comes, and returns the address HOST:PORT.
func (s *Stage) Sink() string {
	s.t.Helper()
	return "127.0.0.1:" + s.serve(func(c *net.TCPConn) { io.Copy(io.Discard, c) })
}

// readHead reads up to the empty line that ends a request's head.
func readHead(r *bufio.Reader) error {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(strings.TrimRight(string(line), "\r\n")) == 0 {
			return nil
		}
	}
}
