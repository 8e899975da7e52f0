package replay

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options say how to send. Now and Tell are needed.
type Options struct {
	Now      func() time.Time
	Tell     func(mark byte, text string) // a line of the story: '*' what happens, '>' sent, '<' received
	Roots    *x509.CertPool               // authorities to trust, nil for the system's
	Insecure bool                         // go on with a certificate that does not hold
	Expect   bool                         // ask by Expect: 100-continue before the body goes
	Patience time.Duration                // for 100 Continue (0: 1 s)
	Timeout  time.Duration                // for the whole, 0: 1 min
	Secrets  bool                         // tell credentials too
	Body     io.Writer                    // gets the answer's body, at most MaxBody bytes; nil: nobody
	MaxBody  int64                        // 0: 1 MiB
}

// Result is what came of it.
type Result struct {
	Status   int
	Sent     int64 // bytes of the body
	Received int64 // bytes of the answer's body that were read
	Early    bool  // the answer came before the body was all sent
	// Times since the beginning; 0 when it did not come to that.
	Resolved, Connected, Handshaken, HeadSent, FirstByte, Total time.Duration
}

// ErrBody says that the server waits for a body that is not there.
var ErrBody = errors.New("the recorded body is not whole")

// sender sends one request.
type sender struct {
	r     *Request
	o     Options
	start time.Time
	res   Result
	conn  net.Conn
}

// Send sends the request and reads the answer.
func Send(ctx context.Context, r *Request, o Options) (Result, error) {
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.Patience == 0 {
		o.Patience = time.Second
	}
	if o.MaxBody == 0 {
		o.MaxBody = 1 << 20
	}
	if r.Missing > 0 && !o.Expect {
		return Result{}, fmt.Errorf("%w: %d of its %d bytes are missing", ErrBody, r.Missing, r.Length)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	s := &sender{r: r, o: o, start: o.Now()}
	err := s.run(ctx)
	s.res.Total = s.since()
	return s.res, err
}

func (s *sender) since() time.Duration { return max(s.o.Now().Sub(s.start), 1) }

func (s *sender) tell(format string, args ...any) { s.o.Tell('*', fmt.Sprintf(format, args...)) }

func (s *sender) run(ctx context.Context) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	defer func() { s.conn.Close() }() // of the connection as it is then
	if d, ok := ctx.Deadline(); ok {
		if err := s.conn.SetDeadline(d); err != nil {
			return fmt.Errorf("set the time limit: %w", err)
		}
	}
	if s.r.URL.Scheme == "https" {
		if err := s.handshake(ctx); err != nil {
			return err
		}
	}
	return s.exchange()
}

func (s *sender) connect(ctx context.Context) error {
	host, port := s.r.URL.Hostname(), s.r.URL.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[s.r.URL.Scheme]
	}
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		s.tell("%s could not be resolved", host)
		return fmt.Errorf("resolve %s: %w", host, err)
	}
	s.res.Resolved = s.since()
	s.tell("%s is %s (%v)", host, strings.Join(addrs, ", "), s.res.Resolved.Round(time.Microsecond))
	var failed error
	for _, a := range addrs {
		s.tell("Trying %s...", net.JoinHostPort(a, port))
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(a, port))
		if err != nil {
			s.tell("connect to %s failed: %v", net.JoinHostPort(a, port), err)
			failed = errors.Join(failed, err)
			continue
		}
		s.conn, s.res.Connected = c, s.since()
		s.tell("Connected to %s (%s) from %s (%v)", host, c.RemoteAddr(), c.LocalAddr(), s.res.Connected.Round(time.Microsecond))
		return nil
	}
	return fmt.Errorf("connect to %s: %w", s.r.URL.Host, failed)
}

func (s *sender) handshake(ctx context.Context) error {
	host := s.r.URL.Hostname()
	// The chain is told before it is judged, so that the judging is ours.
	c := tls.Client(s.conn, &tls.Config{ServerName: host, NextProtos: []string{"http/1.1"}, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10})
	if err := c.HandshakeContext(ctx); err != nil {
		s.tell("TLS handshake failed: %v", err)
		return fmt.Errorf("TLS handshake with %s: %w", s.r.URL.Host, err)
	}
	s.conn, s.res.Handshaken = c, s.since()
	st := c.ConnectionState()
	s.tell("TLS: %s, %s, ALPN %s (%v)", tls.VersionName(st.Version), tls.CipherSuiteName(st.CipherSuite), orNone(st.NegotiatedProtocol), s.res.Handshaken.Round(time.Microsecond))
	for i, x := range st.PeerCertificates {
		s.tell("certificate %d: subject %s, issuer %s, valid %s to %s%s", i, x.Subject, x.Issuer, x.NotBefore.Format(time.DateOnly), x.NotAfter.Format(time.DateOnly), namesOf(x))
	}
	err := s.verify(host, st.PeerCertificates)
	switch {
	case err == nil:
		s.tell("the certificate holds for %s", host)
	case s.o.Insecure:
		s.tell("the certificate does not hold, going on all the same: %v", err)
	default:
		return fmt.Errorf("verify the certificate of %s: %w", s.r.URL.Host, err)
	}
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func namesOf(x *x509.Certificate) string {
	names := append([]string(nil), x.DNSNames...)
	for _, ip := range x.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return ""
	}
	return ", for " + strings.Join(names, " ")
}

func (s *sender) verify(host string, chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return errors.New("the server sent none")
	}
	between := x509.NewCertPool()
	for _, x := range chain[1:] {
		between.AddCert(x)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{DNSName: host, Roots: s.o.Roots, Intermediates: between, CurrentTime: s.o.Now()})
	return err
}

// exchange sends and reads at the same time: a server may answer, and close,
// while the body is still on its way.
//
//  1. The head goes.
//  2. With Expect, the body waits for 100 Continue, for the final answer, or
//     until patience is over.
//  3. The body goes until it is sent, an answer is there, or the connection breaks.
//  4. The answer is read, also after the sending broke.
func (s *sender) exchange() error {
	var head strings.Builder
	line := func(text, show string) {
		head.WriteString(text + "\r\n")
		s.o.Tell('>', show)
	}
	first := func(u *url.URL) string { return fmt.Sprintf("%s %s HTTP/1.1", s.r.Method, target(u)) }
	line(first(s.r.URL), first(s.r.Shown(s.o.Secrets)))
	for _, f := range s.r.head(s.o.Expect) {
		line(f.Name+": "+f.Value, f.Name+": "+shown(f, s.o.Secrets))
	}
	line("", "")
	if _, err := io.WriteString(s.conn, head.String()); err != nil {
		return fmt.Errorf("send the head: %w", err)
	}
	s.res.HeadSent = s.since()

	answers := make(chan answered, 4)
	go s.read(answers)
	defer func() { // the reader ends with the connection
		s.conn.Close()
		for range answers {
		}
	}()
	var got *answered
	if s.o.Expect && s.r.Length >= 0 {
		proceed, a := s.await(answers)
		if got = a; proceed && s.r.Missing > 0 {
			return fmt.Errorf("%w: %d of its %d bytes are missing, and the server waits for them", ErrBody, s.r.Missing, s.r.Length)
		}
	}
	if got == nil && len(s.r.Body) > 0 {
		got = s.body(answers)
	}
	for got == nil {
		got = s.final(<-answers)
	}
	return s.finish(*got)
}

// final tells an interim answer, and returns any other.
func (s *sender) final(a answered) *answered {
	if a.err == nil && a.StatusCode >= 100 && a.StatusCode < 200 {
		s.heads(a.Response)
		return nil
	}
	return &a
}

// await waits for 100 Continue (proceed), the final answer, or until patience is
// over.
func (s *sender) await(answers <-chan answered) (proceed bool, got *answered) {
	patience := time.NewTimer(s.o.Patience)
	defer patience.Stop()
	for {
		select {
		case a := <-answers:
			if got = s.final(a); got != nil {
				s.res.Early = true
				s.tell("answered before the body: it stays here")
				return false, got
			}
			if a.StatusCode == http.StatusContinue {
				s.tell("the server lets the body come")
				return true, nil
			}
		case <-patience.C:
			s.tell("no 100 Continue within %v: sending the body all the same", s.o.Patience)
			return true, nil
		}
	}
}

// body sends the body, and stops when an answer is there.
func (s *sender) body(answers <-chan answered) *answered {
	const piece = 16 << 10
	for rest := s.r.Body; len(rest) > 0; {
		select {
		case a := <-answers:
			if got := s.final(a); got != nil {
				s.res.Early = true
				s.tell("answered when %d of %d bytes were sent", s.res.Sent, s.r.Length)
				return got
			}
		default:
		}
		n, err := s.conn.Write(rest[:min(piece, len(rest))])
		s.res.Sent += int64(n)
		if err != nil {
			s.tell("sending broke after %d of %d bytes: %v", s.res.Sent, s.r.Length, err)
			return nil
		}
		rest = rest[n:]
	}
	s.tell("%d bytes of the body sent (%v)", s.res.Sent, s.since().Round(time.Microsecond))
	return nil
}

// answered is what the reading side found.
type answered struct {
	*http.Response
	err error
}

// read reads up to the final answer's head.
func (s *sender) read(answers chan<- answered) {
	defer close(answers)
	in := bufio.NewReader(s.conn)
	for interim := 0; ; interim++ {
		resp, err := http.ReadResponse(in, &http.Request{Method: s.r.Method})
		if err == nil && interim > 100 {
			err = errors.New("more than 100 interim answers")
		}
		answers <- answered{resp, err}
		if err != nil || resp.StatusCode < 100 || resp.StatusCode >= 200 {
			return
		}
	}
}

func (s *sender) heads(resp *http.Response) {
	s.o.Tell('<', fmt.Sprintf("%s %s", resp.Proto, resp.Status))
	var fields strings.Builder
	_ = resp.Header.Write(&fields) // in pieces of lines
	for line := range strings.Lines(fields.String()) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ": ")
		if Secret(name) && !s.o.Secrets {
			value = masked
		}
		s.o.Tell('<', name+": "+value)
	}
	s.o.Tell('<', "")
}

func (s *sender) finish(a answered) error {
	if a.err != nil {
		if errors.Is(a.err, io.EOF) || errors.Is(a.err, io.ErrUnexpectedEOF) {
			s.tell("the server closed the connection without an answer")
		}
		return fmt.Errorf("read the answer: %w", a.err)
	}
	defer a.Response.Body.Close()
	s.res.FirstByte = s.since()
	s.res.Status = a.StatusCode
	s.heads(a.Response)
	out := s.o.Body
	if out == nil {
		out = io.Discard
	}
	n, err := io.Copy(out, io.LimitReader(a.Response.Body, s.o.MaxBody))
	s.res.Received = n
	if err != nil {
		s.tell("the body broke off after %d bytes: %v", n, err)
		return nil
	}
	s.tell("%d bytes of body (%v in all)", n, s.since().Round(time.Microsecond))
	return nil
}
