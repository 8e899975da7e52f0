package explain

import (
	"fmt"
	"strings"
	"time"

	"culprit/internal/event"
	"culprit/internal/timeline"
)

var tlsFailure = Cause{
	Names: []string{"tls-cert-expired", "tls-cert-not-yet-valid", "tls-cert-untrusted", "tls-hostname-mismatch",
		"tls-version-mismatch", "tls-cipher-mismatch", "tls-client-cert-required", "tls-alert", "tls-to-plaintext-port"},
	Doc: "a TLS handshake did not come to its end: by an alert of either side, or because the client went away after it saw the certificate",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, conn := range c.T.Conns {
			if conn.TLS == nil || conn.Accepted {
				continue
			}
			if f, ok := c.tlsFinding(conn); ok {
				f.Links = append(f.Links, c.linkTLS(conn)...)
				c.addException(&f, conn)
				out = append(out, f)
			}
		}
		return out
	},
}

// alertCauses maps fatal alerts that the server sent (RFC 8446 section 6.2).
var alertCauses = map[string]string{
	"protocol_version":      "tls-version-mismatch",
	"insufficient_security": "tls-cipher-mismatch",
	"handshake_failure":     "tls-cipher-mismatch",
	"certificate_required":  "tls-client-cert-required",
}

func (c *Case) tlsFinding(conn *timeline.Conn) (Finding, bool) {
	t := conn.TLS
	f := Finding{Proc: conn.Proc, Conn: conn, Side: Server, Facts: []Fact{
		{"address", conn.Remote.String()}, {"host", hostOf(conn)}, {"port", conn.Remote.Port()}}}
	if t.SNI != "" {
		f.Facts = append(f.Facts, Fact{"server_name", t.SNI})
	}
	if t.NotTLS != "" {
		f.Cause, f.Side = "tls-to-plaintext-port", Client
		f.Title = fmt.Sprintf("%s speaks plain %s, not TLS", conn.Peer(), strings.ToUpper(t.NotTLS))
		f.Why = fmt.Sprintf("%s began a TLS handshake; the server answered in plain %s: %s", conn.Proc.Program(), t.NotTLS, quote(t.NotTLSHead, 80))
		f.Next = []string{"use the protocol without TLS on this port (or STARTTLS), or the port that speaks TLS"}
		f.Facts = append(f.Facts, Fact{"answer", quote(t.NotTLSHead, 80)})
		f.Evidence = append(f.Evidence, Evidence{"wire", conn.Opened, fmt.Sprintf("%s answers the ClientHello with %s", conn.Peer(), quote(t.NotTLSHead, 80))})
		return f, true
	}
	fatal, ours, ended := t.Fatal()
	alert := fatal.Name
	if t.Used && !(ended && ours && certAlert(alert)) {
		if alert == "certificate_required" && !ours {
			f.Cause = "tls-client-cert-required"
			f.Title = fmt.Sprintf("%s wants a client certificate", conn.Peer())
			f.Next = []string{"give the program a client certificate that the server knows"}
			f.Evidence = append(f.Evidence, Evidence{"wire", fatal.Time, "alert from the server: certificate_required"})
			return f, true
		}
		return f, false
	}
	if ended {
		from := "server"
		if ours {
			from = "client"
		}
		f.Facts = append(f.Facts, Fact{"alert", alert})
		f.Evidence = append(f.Evidence, Evidence{"wire", fatal.Time, fmt.Sprintf("TLS alert from the %s: %s", from, alert)})
	}
	if ended && !ours {
		f.Cause = "tls-alert"
		if k, ok := alertCauses[alert]; ok {
			f.Cause = k
		}
		if t.WantsCert && (alert == "handshake_failure" || alert == "bad_certificate" || alert == "certificate_unknown") {
			f.Cause = "tls-client-cert-required" // TLS 1.2 has no alert of its own for it
			f.Title = fmt.Sprintf("%s wants a client certificate", conn.Peer())
			f.Why = fmt.Sprintf("The server asked %s for a certificate, did not get one that it takes, and ended the handshake with the alert %s.", conn.Proc.Program(), alert)
			f.Next = []string{"give the program a client certificate that the server knows"}
			return f, true
		}
		f.Title = fmt.Sprintf("%s ended the TLS handshake: %s", conn.Peer(), alert)
		f.Why = fmt.Sprintf("%s offered %s; the server ended the handshake with the alert %s.", conn.Proc.Program(), t.Offer, alert)
		f.Next = []string{"let client and server agree on a TLS version and cipher suite (server's TLS settings, or the client's minimum)"}
		return f, true
	}
	if len(t.Chain) == 0 {
		return f, false
	}
	if t.Done && t.Chain[0].Matches(nameOf(conn)) && !c.outdated(conn) && !c.speaksOfTrust(conn) {
		return f, false // it went away for a reason of its own
	}
	return c.certificate(f, conn, alert)
}

func certAlert(name string) bool {
	switch name {
	case "bad_certificate", "unsupported_certificate", "certificate_revoked", "certificate_expired", "certificate_unknown", "unknown_ca":
		return true
	}
	return false
}

// certificate explains why the client went away after it saw the chain. A date
// that is over and a name that differs can be read off the certificate; that an
// issuer is not trusted is what remains, and what an alert or the program says.
func (c *Case) certificate(f Finding, conn *timeline.Conn, alert string) (Finding, bool) {
	leaf := conn.TLS.Chain[0]
	at := c.wall(conn.Opened)
	name := nameOf(conn)
	f.Facts = append(f.Facts, Fact{"subject", leaf.Subject}, Fact{"issuer", leaf.Issuer},
		Fact{"not_before", leaf.NotBefore.Format(time.DateOnly)}, Fact{"not_after", leaf.NotAfter.Format(time.DateOnly)})
	f.Evidence = append(f.Evidence, Evidence{"wire", conn.TLS.CertAt, fmt.Sprintf("certificate %s, issued by %s, for %s, valid %s to %s",
		leaf.Subject, leaf.Issuer, strings.Join(leaf.Names, " "), leaf.NotBefore.Format(time.DateOnly), leaf.NotAfter.Format(time.DateOnly))})
	old := expired(conn, at)
	verify := c.verifyCode(conn)
	switch {
	case old >= 0 && verify != "62":
		x := conn.TLS.Chain[old]
		f.Cause = "tls-cert-expired"
		f.Title = fmt.Sprintf("the certificate of %s ended on %s", conn.Peer(), x.NotAfter.Format(time.DateOnly))
		f.Why = fmt.Sprintf("%s broke off the handshake: %s was valid until %s, %s before this run.", conn.Proc.Program(), x.Subject,
			x.NotAfter.Format("2006-01-02 15:04 MST"), days(at.Sub(x.NotAfter)))
		f.Next = []string{"have the certificate of " + conn.Peer() + " renewed", "check this machine's clock: it said " + at.Format("2006-01-02 15:04 MST")}
	case at.Before(leaf.NotBefore):
		f.Cause = "tls-cert-not-yet-valid"
		f.Title = fmt.Sprintf("the certificate of %s is valid only from %s", conn.Peer(), leaf.NotBefore.Format(time.DateOnly))
		f.Why = fmt.Sprintf("This machine's clock said %s.", at.Format("2006-01-02 15:04 MST"))
		f.Next = []string{"set this machine's clock"}
		f.Side = Local
	case alert != "unknown_ca" && !(leaf.Subject == leaf.Issuer && alert == "" && verify == "" && c.said("host name", "hostname", "altname", "match") == nil) && name != "" && !leaf.Matches(name) && verify != "18" && verify != "19" && verify != "20":
		f.Cause = "tls-hostname-mismatch"
		f.Title = fmt.Sprintf("the certificate is for %s, not for %s", strings.Join(leaf.Names, ", "), name)
		f.Why = fmt.Sprintf("%s connected to %s and broke off: the certificate names %s.", conn.Proc.Program(), name, strings.Join(leaf.Names, ", "))
		f.Facts = append(f.Facts, Fact{"names", strings.Join(leaf.Names, " ")}, Fact{"name", name})
		f.Next = []string{"use the name that the certificate is for: " + strings.Join(leaf.Names, ", "), "or have the server's certificate made out for " + name}
	default:
		f.Cause, f.Side = "tls-cert-untrusted", Client
		root := conn.TLS.Chain[len(conn.TLS.Chain)-1].Issuer
		f.Title = fmt.Sprintf("%s does not trust the certificate of %s: its issuer is %s", conn.Proc.Program(), conn.Peer(), root)
		f.Why = fmt.Sprintf("%s broke off the handshake after it saw the certificate. It is in date and made out for %s; its chain ends at %s.", conn.Proc.Program(), name, root)
		if leaf.Subject == leaf.Issuer {
			f.Why += " It is self-signed."
		}
		f.Next = []string{"if " + root + " is your own authority, add its certificate to the store that the program uses (SSL_CERT_FILE, --cacert, update-ca-certificates)"}
	}
	return f, true
}

// speaksOfTrust reports whether the program's words or status say that it
// refused a certificate: GnuTLS verifies only after the handshake, so that the
// wire alone does not tell.
func (c *Case) speaksOfTrust(conn *timeline.Conn) bool {
	if l := c.said("certificate", "not trusted", "self-signed", "self signed"); l != nil && l.Time >= conn.Opened {
		return true
	}
	return saysSo("tls-cert-untrusted", conn)
}

// nameOf is the name that the client holds the certificate against.
func nameOf(conn *timeline.Conn) string {
	if conn.TLS.SNI != "" {
		return conn.TLS.SNI
	}
	return hostOf(conn)
}

// expired returns the index of the first certificate of the chain whose time is
// over, -1 when all are in date.
func expired(conn *timeline.Conn, at time.Time) int {
	for i, x := range conn.TLS.Chain {
		if !x.NotAfter.IsZero() && at.After(x.NotAfter) {
			return i
		}
	}
	return -1
}

func (c *Case) outdated(conn *timeline.Conn) bool {
	at := c.wall(conn.Opened)
	return expired(conn, at) >= 0 || at.Before(conn.TLS.Chain[0].NotBefore)
}

// wall is the time of day of an event.
func (c *Case) wall(at event.Time) time.Time {
	return time.Unix(0, c.T.Header.Wall+int64(at-c.T.Start)).UTC()
}

// verifyCode is OpenSSL's verify result as Python's SSLCertVerificationError
// carries it (X509_V_ERR_*, x509_vfy.h), "" when there is none.
func (c *Case) verifyCode(conn *timeline.Conn) string {
	for _, e := range conn.Proc.Raised {
		if e.Is("SSLCertVerificationError") && c.connOf(e) == conn {
			return e.Attrs["verify_code"]
		}
	}
	return ""
}

func (c *Case) linkTLS(conn *timeline.Conn) []Link {
	links := c.linkConn(conn)
	if l := c.said("certificate", "SSL", "TLS", "handshake"); l != nil && l.Time >= conn.Opened {
		links = append(links, Link{"error text", l.Text, wText})
	}
	return links
}

func days(d time.Duration) string {
	if n := int(d.Hours() / 24); n > 0 {
		return fmt.Sprintf("%d days", n)
	}
	return d.Round(time.Minute).String()
}
