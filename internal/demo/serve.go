package demo

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// maxHead bounds a request's head, in bytes.
const maxHead = 16 << 10

const tooLarge = "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n" +
	"<body>\r\n<center><h1>413 Request Entity Too Large</h1></center>\r\n" +
	"<hr><center>culprit-demo</center>\r\n</body>\r\n</html>\r\n"

// serve answers the one request of a connection. A failure here is the
// client's to see; the server has nobody to tell.
func (s *Server) serve(ctx context.Context, raw *net.TCPConn) {
	defer raw.Close()
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	timer := time.AfterFunc(s.opt.Patience, func() { raw.Close() })
	defer timer.Stop()

	conn := tls.Server(raw, s.tls)
	if conn.HandshakeContext(ctx) != nil {
		return
	}
	head := &io.LimitedReader{R: conn, N: maxHead}
	br := bufio.NewReaderSize(head, 4<<10)
	req, err := http.ReadRequest(br)
	if err != nil {
		answer(conn, http.StatusBadRequest, "text/plain", "this is no HTTP request\n")
		conn.Close()
		return
	}
	head.N = 1 << 62 // the head is read; the body has its own bound
	if req.ContentLength > s.opt.Limit {
		s.refuse(ctx, raw, conn, req.Body)
		return
	}
	n, err := io.Copy(io.Discard, io.LimitReader(req.Body, s.opt.Limit+1))
	switch {
	case err != nil:
		return
	case n > s.opt.Limit: // chunked, so nothing was announced
		s.refuse(ctx, raw, conn, req.Body)
		return
	}
	answer(conn, http.StatusCreated, "application/json", fmt.Sprintf("{\"url\": %q, \"size\": %d}\n", s.URL+"/a/1", n))
	conn.Close()
}

// refuse is recipe "FIN first, then RST":
//
//  1. read a little of the body, as a server does that had it in its buffer;
//  2. answer 413, close_notify, FIN: the client's side is in CLOSE_WAIT now,
//     where a reset means EPIPE (in ESTABLISHED it would mean ECONNRESET);
//  3. read nothing for a while: the client fills both buffers and blocks;
//  4. close with bytes unread, which is what makes the kernel send RST
//     (RFC 2525, section 2.17).
func (s *Server) refuse(ctx context.Context, raw *net.TCPConn, conn *tls.Conn, body io.Reader) {
	if _, err := io.CopyN(io.Discard, body, s.opt.ReadBody); err != nil {
		return
	}
	if answer(conn, http.StatusRequestEntityTooLarge, "text/html", tooLarge) != nil || conn.CloseWrite() != nil || raw.CloseWrite() != nil {
		return
	}
	select {
	case <-time.After(s.opt.Linger):
	case <-ctx.Done():
	}
}

func answer(w io.Writer, code int, contentType, body string) error {
	reason := http.StatusText(code)
	_, err := fmt.Fprintf(w, "HTTP/1.1 %d %s\r\nServer: culprit-demo\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		code, reason, contentType, len(body), body)
	return err
}
