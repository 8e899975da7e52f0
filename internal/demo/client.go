package demo

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// Client uploads castFile to the server at base (Server.URL), trusting caFile,
// and hides the cause of a failure as well as the Python client does: it sends
// the whole body before it looks for an answer. TLS secrets go to keylog, if
// it isn't nil, in the format of SSLKEYLOGFILE.
//
// net/http's own client isn't used: it reads while it writes, and would see
// the refusal.
func Client(ctx context.Context, base, caFile, castFile string, keylog io.Writer) error {
	if err := upload(ctx, base, caFile, castFile, keylog); err != nil {
		return fmt.Errorf("<%s>", rootText(err))
	}
	return nil
}

// rootText is where the cause gets lost: of all the chain only the innermost
// text is left, without the type.
func rootText(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

func upload(ctx context.Context, base, caFile, castFile string, keylog io.Writer) error {
	u, err := url.Parse(base)
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("no certificate in %s", caFile)
	}
	f, err := os.Open(castFile)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}

	d := tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: u.Hostname(), KeyLogWriter: keylog, NextProtos: []string{"http/1.1"}}}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), u.Port()))
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	var part strings.Builder
	mw := multipart.NewWriter(&part)
	if _, err := mw.CreateFormFile("asciicast", "ascii.cast"); err != nil {
		return err
	}
	tail := "\r\n--" + mw.Boundary() + "--\r\n"
	// http.Request.Write isn't used: its errors don't unwrap to the errno.
	_, err = fmt.Fprintf(conn, "POST %s/api/asciicasts HTTP/1.1\r\nHost: %s\r\nUser-Agent: upload-demo/1.0\r\nAccept: application/json\r\n"+
		"Content-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		u.EscapedPath(), u.Host, mw.FormDataContentType(), int64(part.Len())+st.Size()+int64(len(tail)))
	if err != nil {
		return err
	}
	if _, err := io.Copy(conn, io.MultiReader(strings.NewReader(part.String()), f, strings.NewReader(tail))); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("HTTP status: %d", resp.StatusCode)
	}
	return nil
}
