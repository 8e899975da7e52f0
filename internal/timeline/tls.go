package timeline

import (
	"slices"
	"time"

	"culprit/internal/dissect"
	"culprit/internal/dissect/tls"
	"culprit/internal/event"
)

// TLS is what a connection's TLS layer showed.
type TLS struct {
	Hello      *tls.ClientHello // the last one, nil when none came
	HelloAt    event.Time
	Server     *tls.ServerHello // the last that was no HelloRetryRequest, nil when none came
	ServerAt   event.Time
	SNI        string
	ALPN       string
	Offer      string // versions that the client offered, e.g. "TLS 1.2, TLS 1.3"
	Version    string // negotiated, "" when no ServerHello came
	Suite      string
	Chain      []Certificate // the server's, leaf first
	CertAt     event.Time
	Alerts     []Alert
	Data       []Segment // plaintext, of a recorded connection
	Bytes      [2]int64  // of plaintext, by direction
	Done       bool      // both sides' Finished were seen, or application data flowed
	Used       bool      // the client sent application data: it was content with the server
	WantsCert  bool      // the server asked for a client certificate
	HaveKey    bool      // the key log knows the session
	KeysBy     string    // who told the keys, of a recorded connection: "SSLKEYLOGFILE", "uprobe:openssl"
	NoKeys     string    // why it was not decrypted, "" when it was
	NotTLS     string    // protocol that the peer spoke instead, "" when it spoke TLS
	NotTLSHead string    // its first bytes
	Damage     []string
}

// Certificate is what a diagnosis needs of an X.509 certificate.
type Certificate struct {
	Subject, Issuer     string // as RFC 2253 writes them, the common name alone when there is nothing else
	NotBefore, NotAfter time.Time
	Names               []string // DNS names and addresses that it is made out for
	DER                 []byte
	matches             func(name string) error
}

// Matches reports whether the certificate is made out for a host name or an IP
// address (RFC 9525).
func (c Certificate) Matches(name string) bool { return c.matches == nil || c.matches(name) == nil }

// Alert is one TLS alert.
type Alert struct {
	Time  event.Time
	Dir   dissect.Dir
	Name  string // RFC 8446 section 6, "" when it could not be decrypted
	Fatal bool
}

// Fatal returns the first alert that ended the connection, and whether the
// program's side sent it; "" when there was none that could be read.
func (t *TLS) Fatal() (a Alert, ours, ok bool) {
	for _, a := range t.Alerts {
		if a.Name != "" && a.Name != "close_notify" && a.Name != "user_canceled" {
			return a, a.Dir == dissect.ToServer, true
		}
	}
	return Alert{}, false, false
}

func certificates(m *tls.Certificate) []Certificate {
	var out []Certificate
	for _, c := range m.Chain {
		x := Certificate{DER: c.Raw}
		if c.X509 != nil {
			x.Subject, x.Issuer = c.X509.Subject.String(), c.X509.Issuer.String()
			x.NotBefore, x.NotAfter = c.X509.NotBefore.UTC(), c.X509.NotAfter.UTC()
			x.Names = slices.Clone(c.X509.DNSNames)
			for _, ip := range c.X509.IPAddresses {
				x.Names = append(x.Names, ip.String())
			}
			if len(x.Names) == 0 && c.X509.Subject.CommonName != "" {
				x.Names = []string{c.X509.Subject.CommonName}
			}
			x.matches = c.X509.VerifyHostname
		}
		out = append(out, x)
	}
	return out
}
