// Package replay sends a recorded HTTP request again and tells what happens on
// the way as `curl -v` does: resolution, connection, TLS with the certificates
// and whether they hold, heads in both directions, 100 Continue, an answer that
// comes before the body is sent, times. It also writes a request as a curl
// command.
//
// It speaks HTTP/1.1, follows no redirections, keeps no cookies and sends
// credentials to nobody but the host that got them before. Whether to send a
// request that changes something is for the caller to ask.
package replay

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"culprit/internal/dissect/http"
	"culprit/internal/timeline"
)

// Request is a request to send.
type Request struct {
	Method string
	URL    *url.URL
	Header http.Fields // as it was sent, in its order
	Body   []byte
	Length int64 // of the whole body as announced, -1 when there is none
	// Missing counts the bytes of the body that are not in Body: never sent, or
	// not recorded.
	Missing int64
}

// ErrNoRequest says that an exchange lacks its request.
var ErrNoRequest = errors.New("the request was not recorded")

// Of makes a request of a recorded exchange.
func Of(x *timeline.Exchange) (*Request, error) {
	m := x.Request
	if m == nil {
		return nil, ErrNoRequest
	}
	u, err := url.Parse(x.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no address that can be asked again", x.URL)
	}
	r := &Request{Method: m.Method, URL: u, Header: slices.Clone(m.Header), Body: m.Body, Length: -1}
	switch {
	case m.Announced >= 0:
		r.Length = m.Announced
	case len(m.Body) > 0: // chunked
		r.Length = m.Seen
		if !m.Complete {
			r.Length++ // at least
		}
	}
	if r.Length > int64(len(r.Body)) {
		r.Missing = r.Length - int64(len(r.Body))
	}
	return r, nil
}

// Harmless reports whether the request may be repeated without changing
// anything that it has not changed already (RFC 9110 section 9.2).
func (r *Request) Harmless() bool {
	switch r.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// Redirect turns the request to another address. To another host go no
// credentials; dropped names the fields, and with ? the parameters of the query
// or of a form, that were left out.
func (r *Request) Redirect(to *url.URL) (dropped []string) {
	same := strings.EqualFold(to.Host, r.URL.Host) && to.Scheme == r.URL.Scheme
	recorded := to.Path == ""
	if recorded {
		to.Path, to.RawPath, to.RawQuery = r.URL.Path, r.URL.RawPath, r.URL.RawQuery
	}
	r.URL = to
	if same {
		return nil
	}
	if recorded { // what was given is meant
		to.RawQuery, dropped = dropParameters(to.RawQuery)
	}
	if r.form() {
		rest, names := dropParameters(string(r.Body))
		if dropped = append(dropped, names...); len(names) > 0 {
			r.SetBody([]byte(rest))
		}
	}
	r.Header = slices.DeleteFunc(r.Header, func(f http.Field) bool {
		if Secret(f.Name) {
			dropped = append(dropped, f.Name)
			return true
		}
		return false
	})
	r.Set("Host", to.Host)
	return dropped
}

// Set replaces a field, or adds it.
func (r *Request) Set(name, value string) {
	for i := range r.Header {
		if strings.EqualFold(r.Header[i].Name, name) {
			r.Header[i].Value = value
			return
		}
	}
	r.Header = append(r.Header, http.Field{Name: name, Value: value})
}

// SetBody replaces the body; nil sends none.
func (r *Request) SetBody(b []byte) {
	r.Body, r.Missing, r.Length = b, 0, int64(len(b))
	if b == nil {
		r.Length = -1
	}
}

// head is the request's head as it is sent.
func (r *Request) head(expect bool) http.Fields {
	var out http.Fields
	for _, f := range r.Header {
		switch strings.ToLower(f.Name) {
		case "content-length", "transfer-encoding", "expect", "connection", "trailer":
			continue // framing is ours
		}
		out = append(out, f)
	}
	if out.Get("Host") == "" {
		out = slices.Insert(out, 0, http.Field{Name: "Host", Value: r.URL.Host})
	}
	if r.Length >= 0 {
		out = append(out, http.Field{Name: "Content-Length", Value: strconv.FormatInt(r.Length, 10)})
		if expect {
			out = append(out, http.Field{Name: "Expect", Value: "100-continue"})
		}
	}
	return append(out, http.Field{Name: "Connection", Value: "close"})
}

func target(u *url.URL) string {
	if t := u.RequestURI(); t != "" {
		return t
	}
	return "/"
}

// Secret reports whether a field, or a parameter of a query or a form, holds what
// lets its owner in.
func Secret(name string) bool {
	n := strings.ReplaceAll(strings.ToLower(name), "_", "-")
	switch n {
	case "key", "sig", "auth", "pwd", "passwd":
		return true
	}
	for _, part := range []string{"authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "session", "signature", "credential"} {
		if strings.Contains(n, part) {
			return true
		}
	}
	return false
}

const masked = "***"

// secretParameter is Secret for NAME=VALUE of application/x-www-form-urlencoded.
func secretParameter(pair string) bool {
	name, _, _ := strings.Cut(pair, "=")
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	return Secret(name)
}

// maskParameters hides the secrets of a query or a form.
func maskParameters(query string) string {
	pairs := strings.Split(query, "&")
	for i, p := range pairs {
		if name, _, ok := strings.Cut(p, "="); ok && secretParameter(p) {
			pairs[i] = name + "=" + masked
		}
	}
	return strings.Join(pairs, "&")
}

// dropParameters takes the secrets out of a query or a form, and names them.
func dropParameters(query string) (rest string, dropped []string) {
	pairs := slices.DeleteFunc(strings.Split(query, "&"), func(p string) bool {
		if !secretParameter(p) {
			return false
		}
		name, _, _ := strings.Cut(p, "=")
		dropped = append(dropped, "?"+name)
		return true
	})
	return strings.Join(pairs, "&"), dropped
}

// form reports whether the whole body is a form's.
func (r *Request) form() bool {
	return r.Missing == 0 && strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "application/x-www-form-urlencoded")
}

// Shown is the address, without its credentials unless secrets is set.
func (r *Request) Shown(secrets bool) *url.URL {
	u := *r.URL
	if secrets {
		return &u
	}
	if u.User != nil {
		u.User = url.UserPassword(u.User.Username(), masked)
	}
	u.RawQuery = maskParameters(u.RawQuery)
	return &u
}

// shown is a field's value, masked where it is a secret.
func shown(f http.Field, secrets bool) string {
	if secrets || !Secret(f.Name) {
		return f.Value
	}
	if scheme, _, ok := strings.Cut(f.Value, " "); ok && strings.HasSuffix(strings.ToLower(f.Name), "authorization") {
		return scheme + " " + masked
	}
	return masked
}

// Curl writes the request as a curl command for a shell; credentials are masked
// unless secrets is set. A body that is not whole, or no text, is left out.
func (r *Request) Curl(secrets bool) string {
	words := []string{"curl", "-v"}
	hasBody := r.Length > 0
	switch {
	case r.Method == "HEAD":
		words = append(words, "-I")
	case r.Method != "GET" || hasBody:
		words = append(words, "-X", Quote(r.Method))
	}
	u := r.Shown(secrets)
	for _, f := range r.Header {
		switch strings.ToLower(f.Name) {
		case "host":
			if f.Value == r.URL.Host {
				continue
			}
		case "content-length", "connection":
			continue
		}
		words = append(words, "-H", Quote(f.Name+": "+shown(f, secrets)))
	}
	if hasBody && r.Missing == 0 && !slices.Contains(r.Body, 0) {
		body := string(r.Body)
		if r.form() && !secrets {
			body = maskParameters(body)
		}
		words = append(words, "--data-raw", Quote(body)) // --data would take a leading @ for a file
	}
	return strings.Join(append(words, Quote(u.String())), " ")
}

// Quote makes one word of a POSIX shell of any text without NUL.
func Quote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./:@%+=,", c))
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
