package replay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/dissect/http"
	"culprit/internal/timeline"
)

func request(t *testing.T, method, address string, body string, header ...string) *Request {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	r := &Request{Method: method, URL: u, Length: -1}
	for i := 0; i < len(header); i += 2 {
		r.Set(header[i], header[i+1])
	}
	if body != "" {
		r.SetBody([]byte(body))
	}
	return r
}

// send sends r and returns the story.
func send(t *testing.T, r *Request, o Options) (Result, string, error) {
	t.Helper()
	var story strings.Builder
	o.Now = time.Now
	o.Tell = func(mark byte, text string) { fmt.Fprintf(&story, "%c %s\n", mark, text) }
	res, err := Send(context.Background(), r, o)
	return res, story.String(), err
}

func TestSend(t *testing.T) {
	srv := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Set-Cookie", "sid=1234")
		w.WriteHeader(418)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.RequestURI, r.Header.Get("Authorization"), b)
	}))
	defer srv.Close()
	r := request(t, "POST", srv.URL+"/a?b=c", "figures", "Authorization", "Bearer s3cret", "Accept", "*/*")
	var body strings.Builder
	res, story, err := send(t, r, Options{Body: &body})
	if err != nil {
		t.Fatal(err, story)
	}
	if res.Status != 418 || res.Sent != 7 || body.String() != "POST /a?b=c Bearer s3cret figures" {
		t.Errorf("status %d, %d bytes sent, answer %q", res.Status, res.Sent, &body)
	}
	for _, want := range []string{"> POST /a?b=c HTTP/1.1\n", "> Authorization: Bearer ***\n", "> Content-Length: 7\n", "< HTTP/1.1 418", "< Set-Cookie: ***\n", "< Content-Length: 33\n"} {
		if !strings.Contains(story, want) {
			t.Errorf("the story lacks %q:\n%s", want, story)
		}
	}
	if strings.Contains(story, "s3cret") || strings.Contains(story, "1234") {
		t.Errorf("the story tells the credential:\n%s", story)
	}
}

// refuser answers 413 as soon as it has seen the head, reads nothing more and
// closes, as nginx does.
func refuser(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(c)
			for {
				line, err := in.ReadString('\n')
				if err != nil || line == "\r\n" {
					break
				}
			}
			_, _ = io.WriteString(c, "HTTP/1.1 413 Request Entity Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbig\n")
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, in)
			c.Close()
		}
	}()
	return "http://" + l.Addr().String() + "/upload"
}

func TestExpectSeesTheRefusalBeforeTheBody(t *testing.T) {
	r := request(t, "PUT", refuser(t), "x")
	r.Length, r.Missing = 12_000_000, 11_999_999 // as recorded of an upload that broke off
	res, story, err := send(t, r, Options{Expect: true})
	if err != nil || res.Status != 413 || res.Sent != 0 || !res.Early {
		t.Errorf("status %d, %d bytes sent, early %v, error %v:\n%s", res.Status, res.Sent, res.Early, err, story)
	}
}

func TestAnswerBeforeTheBodyIsSent(t *testing.T) {
	r := request(t, "PUT", refuser(t), strings.Repeat("x", 50<<20))
	res, story, err := send(t, r, Options{})
	if err != nil || res.Status != 413 {
		t.Errorf("status %d, %d bytes sent, error %v:\n%s", res.Status, res.Sent, err, story)
	}
}

func TestPartOfABodyIsNotSent(t *testing.T) {
	r := request(t, "PUT", "http://127.0.0.1:1/", "x")
	r.Length, r.Missing = 2, 1
	if _, _, err := send(t, r, Options{}); !errors.Is(err, ErrBody) {
		t.Errorf("error %v", err)
	}
}

func TestCertificate(t *testing.T) {
	srv := httptest.NewTLSServer(nethttp.NotFoundHandler())
	defer srv.Close()
	_, story, err := send(t, request(t, "GET", srv.URL, ""), Options{})
	if err == nil || !strings.Contains(err.Error(), "verify the certificate") || !strings.Contains(story, "* certificate 0: subject O=Acme Co") {
		t.Errorf("error %v:\n%s", err, story)
	}
	pool := srv.Client().Transport.(*nethttp.Transport).TLSClientConfig.RootCAs
	for _, o := range []Options{{Insecure: true}, {Roots: pool}} {
		if res, story, err := send(t, request(t, "GET", srv.URL, ""), o); err != nil || res.Status != 404 {
			t.Errorf("status %d, error %v:\n%s", res.Status, err, story)
		}
	}
}

func TestCredentialsStayWithTheirHost(t *testing.T) {
	r := request(t, "GET", "https://a.test/x", "", "Host", "a.test", "Cookie", "c", "X-Api-Key", "k", "Accept", "*/*")
	to, _ := url.Parse("https://b.test")
	if diff := cmp.Diff([]string{"Cookie", "X-Api-Key"}, r.Redirect(to)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(http.Fields{{Name: "Host", Value: "b.test"}, {Name: "Accept", Value: "*/*"}}, r.Header); diff != "" {
		t.Error(diff)
	}
	if r.URL.String() != "https://b.test/x" {
		t.Errorf("address %s", r.URL)
	}
}

func TestCredentialsOfQueriesAndForms(t *testing.T) {
	make := func() *Request {
		return request(t, "POST", "http://a.test/x?b=1&access_token=t0p&key=t0p", "user=me&pass%77ord=t0p&z", "Content-Type", "application/x-www-form-urlencoded")
	}
	r := make()
	if got, want := r.Curl(false), "--data-raw 'user=me&pass%77ord=***&z' 'http://a.test/x?b=1&access_token=***&key=***'"; !strings.HasSuffix(got, want) {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := r.Curl(true); strings.Count(got, "t0p") != 3 {
		t.Errorf("with secrets: %s", got)
	}
	other, _ := url.Parse("http://b.test")
	if diff := cmp.Diff([]string{"?access_token", "?key", "?pass%77ord"}, r.Redirect(other)); diff != "" {
		t.Error(diff)
	}
	if got := r.URL.String(); got != "http://b.test/x?b=1" || string(r.Body) != "user=me&z" || r.Length != 9 {
		t.Errorf("%s, body %q of %d", got, r.Body, r.Length)
	}
	r = make()
	same, _ := url.Parse("http://a.test")
	if dropped := r.Redirect(same); dropped != nil || !strings.Contains(r.URL.RawQuery, "t0p") {
		t.Errorf("to the same host: %v, %s", dropped, r.URL)
	}
}

func TestOf(t *testing.T) {
	x := &timeline.Exchange{URL: "https://a.test/up", Request: &http.Message{Method: "POST", Announced: 10, Body: []byte("four")}}
	r, err := Of(x)
	if err != nil || r.Missing != 6 || r.Length != 10 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := Of(&timeline.Exchange{}); !errors.Is(err, ErrNoRequest) {
		t.Errorf("error %v", err)
	}
}

func TestCurlIsSafeForAShell(t *testing.T) {
	r := request(t, "POST", "http://a.test/x?a=$(id)", "it's `date`\n$HOME", "Authorization", "Basic abc", "X-Note", `"quoted" 'twice'`)
	got := r.Curl(false)
	if strings.Contains(got, "abc") || !strings.Contains(got, "Basic ***") {
		t.Errorf("credentials: %s", got)
	}
	out, err := exec.Command("sh", "-c", "curl() { printf '%s\\n' \"$@\"; }; "+r.Curl(true)).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := "-v\n-X\nPOST\n-H\nAuthorization: Basic abc\n-H\nX-Note: \"quoted\" 'twice'\n--data-raw\nit's `date`\n$HOME\nhttp://a.test/x?a=$(id)\n"
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Errorf("what curl gets (-want +got):\n%s", diff)
	}
}
