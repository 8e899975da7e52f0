// Package demo is the story that culprit was born from, on loopback: a TLS
// server that refuses large uploads the way a web server in front of a slow
// uplink does, and two small clients (Python, and Go for a machine without
// Python) that hide the refusal behind "Broken pipe".
//
// The server answers 413 after about 33 KB of the body, says goodbye (TLS
// close_notify, then FIN) and stops reading; a little later it closes, and
// because bytes lie unread the kernel sends RST. A reset after the peer's FIN
// makes the client's next write end in EPIPE, every time, while the answer
// waits unread in the client's receive queue.
//
// It needs no network, no root and no package. It doesn't record or explain:
// that is the caller's job.
package demo

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Host is the name in the server's certificate and, where it resolves, in its URL:
// a bare system has no /etc/hosts.
const Host = "localhost"

// Options says what the server refuses; the zero value is the story but for Dir.
type Options struct {
	// Dir is an existing directory; the CA's certificate is written to ca.pem there.
	Dir string
	// Limit is the largest body that is taken, in bytes; 5 MiB when 0.
	Limit int64
	// ReadBody is how much of a refused body is read before the answer, in
	// bytes; 32 KiB when 0.
	ReadBody int64
	// Linger is the time between FIN and close, in which nothing is read;
	// 100 ms when 0.
	Linger time.Duration
	// Patience is how long a connection may last altogether; 30 s when 0.
	Patience time.Duration
}

// Server is a running server. Its methods may be called from any goroutine.
type Server struct {
	// URL is https://localhost:PORT or https://127.0.0.1:PORT, without a path.
	URL string
	// CAFile is the PEM file of the CA that a client has to trust.
	CAFile string

	opt      Options
	tls      *tls.Config
	ln       net.Listener
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	closeErr error
	once     sync.Once
}

// Start makes a CA and a certificate, listens on a free port of 127.0.0.1 and
// serves until ctx is done or Close is called.
func Start(ctx context.Context, opt Options) (*Server, error) {
	if opt.Dir == "" {
		return nil, errors.New("start the demo's server: no directory given for the CA")
	}
	if opt.Limit == 0 {
		opt.Limit = 5 << 20
	}
	if opt.ReadBody == 0 {
		opt.ReadBody = 32 << 10
	}
	if opt.Linger == 0 {
		opt.Linger = 100 * time.Millisecond
	}
	if opt.Patience == 0 {
		opt.Patience = 30 * time.Second
	}
	id, err := newIdentity()
	if err != nil {
		return nil, fmt.Errorf("make the demo's certificates: %w", err)
	}
	caFile := filepath.Join(opt.Dir, "ca.pem")
	if err := os.WriteFile(caFile, id.caPEM, 0o644); err != nil {
		return nil, fmt.Errorf("write the demo's CA: %w", err)
	}
	ln, err := listen(ctx)
	if err != nil {
		return nil, fmt.Errorf("listen for the demo's client: %w", err)
	}
	host := Host
	if found, err := net.DefaultResolver.LookupHost(ctx, Host); err != nil || !slices.Contains(found, "127.0.0.1") {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Server{
		URL:    "https://" + net.JoinHostPort(host, strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)),
		CAFile: caFile,
		opt:    opt,
		tls: &tls.Config{
			Certificates: []tls.Certificate{id.server},
			MinVersion:   tls.VersionTLS12,
			NextProtos:   []string{"http/1.1"},
		},
		ln:     ln,
		cancel: cancel,
	}
	context.AfterFunc(ctx, s.closeListener)
	s.wg.Go(func() { s.accept(ctx) })
	return s, nil
}

// Close stops the server and waits for its connections, which it cuts.
func (s *Server) Close() error {
	s.cancel()
	s.closeListener()
	s.wg.Wait()
	return s.closeErr
}

func (s *Server) closeListener() {
	s.once.Do(func() { s.closeErr = s.ln.Close() })
}

func (s *Server) accept(ctx context.Context) {
	for {
		c, err := s.ln.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			select { // too many open files: others will be closed
			case <-time.After(10 * time.Millisecond):
				continue
			case <-ctx.Done():
				return
			}
		}
		s.wg.Go(func() { s.serve(ctx, c.(*net.TCPConn)) })
	}
}
