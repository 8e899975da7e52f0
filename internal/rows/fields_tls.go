package rows

import (
	"culprit/internal/dissect/tls"
	"culprit/internal/filter"
)

var tlsFields = []Field{
	protocol("tls", Linked, "the row belongs to a TLS connection", func(r *Row) bool { return secured(r) != nil }),
	protocol("tls.alert_message", Linked, "a TLS alert", func(r *Row) bool { return r.Alert != nil }),
	symbols(number("tls.alert_message.desc", Linked, "what the alert says", func(r *Row) (uint64, bool) {
		if r.Alert == nil {
			return 0, false
		}
		return alertNumber(r.Alert.Name)
	}), alertNumber, func(n uint64) string { return tls.AlertDescription(n).String() }),
	symbols(number("tls.alert_message.level", Linked, "how grave the alert is", func(r *Row) (uint64, bool) {
		switch {
		case r.Alert == nil || r.Alert.Name == "":
			return 0, false
		case r.Alert.Fatal:
			return 2, true
		}
		return 1, true
	}), func(w string) (uint64, bool) {
		n, ok := map[string]uint64{"warning": 1, "fatal": 2}[w]
		return n, ok
	}, func(n uint64) string { return map[uint64]string{1: "warning", 2: "fatal"}[n] }),
	protocol("tls.handshake", Linked, "a handshake message: a hello or the server's certificates", func(r *Row) bool { return r.Kind == Handshake }),
	field("tls.handshake.ciphersuite", filter.Uint, Linked, "suites that the client offers, or the one that the server chose", suites),
	field("tls.handshake.extensions.supported_version", filter.Uint, Linked, "versions that the client offers, or the one that was negotiated", versions),
	field("tls.handshake.extensions_alpn_str", filter.String, Linked, "protocols offered or chosen (ALPN)", func(r *Row, to []filter.Value) []filter.Value {
		if r.Hello != nil {
			for _, p := range r.Hello.ALPN {
				to = append(to, filter.S(p))
			}
		}
		if r.ServHello != nil && r.ServHello.ALPN != "" {
			to = append(to, filter.S(r.ServHello.ALPN))
		}
		return to
	}),
	text("tls.handshake.extensions_server_name", Linked, "server that the client asks for (SNI)", func(r *Row) string {
		if r.Hello == nil {
			return ""
		}
		return r.Hello.ServerName
	}),
	text("tls.handshake.ja3", Linked, "JA3 fingerprint of the client's hello", hello((*tls.ClientHello).JA3)),
	text("tls.handshake.ja3_full", Linked, "what the JA3 fingerprint is made of", hello((*tls.ClientHello).JA3Text)),
	text("tls.handshake.ja4", Linked, "JA4 fingerprint of the client's hello", hello((*tls.ClientHello).JA4)),
	blob("tls.handshake.random", Linked, "the hello's random", func(r *Row) []byte {
		switch {
		case r.Hello != nil:
			return r.Hello.Random[:]
		case r.ServHello != nil:
			return r.ServHello.Random[:]
		}
		return nil
	}),
	symbols(number("tls.handshake.type", Linked, "type of a handshake message", func(r *Row) (uint64, bool) {
		switch {
		case r.Hello != nil:
			return 1, true
		case r.ServHello != nil:
			return 2, true
		}
		return 11, len(r.Chain) > 0
	}), handshakeNumber, func(n uint64) string { return tls.HandshakeType(n).String() }),
	number("tls.handshake.version", Linked, "legacy_version of the client's hello", func(r *Row) (uint64, bool) {
		if r.Hello == nil {
			return 0, false
		}
		return uint64(r.Hello.Version), true
	}),
	text("x509.issuer", Linked, "issuer of the server's certificate", func(r *Row) string {
		if len(r.Chain) == 0 {
			return ""
		}
		return r.Chain[0].Issuer
	}),
	field("x509.name", filter.String, Linked, "names that the server's certificate is made out for", func(r *Row, to []filter.Value) []filter.Value {
		if len(r.Chain) > 0 {
			for _, n := range r.Chain[0].Names {
				to = append(to, filter.S(n))
			}
		}
		return to
	}),
	signed("x509.not_after", filter.Time, Linked, "end of its validity", func(r *Row) (int64, bool) {
		if len(r.Chain) == 0 || r.Chain[0].NotAfter.IsZero() {
			return 0, false
		}
		return r.Chain[0].NotAfter.UnixNano(), true
	}),
	text("x509.subject", Linked, "its subject", func(r *Row) string {
		if len(r.Chain) == 0 {
			return ""
		}
		return r.Chain[0].Subject
	}),
}

func suites(r *Row, to []filter.Value) []filter.Value {
	if r.Hello != nil {
		for _, s := range r.Hello.Suites {
			to = append(to, filter.U(uint64(s)))
		}
	}
	if r.ServHello != nil {
		to = append(to, filter.U(uint64(r.ServHello.Suite)))
	}
	return to
}

func versions(r *Row, to []filter.Value) []filter.Value {
	if r.Hello != nil {
		for _, v := range r.Hello.Versions {
			to = append(to, filter.U(uint64(v)))
		}
	}
	if r.ServHello != nil && r.ServHello.Version >= tls.TLS13 {
		to = append(to, filter.U(uint64(r.ServHello.Version)))
	}
	return to
}

var (
	alertNumber     = reverse(uint64(tls.UnknownAlert), func(n uint64) string { return tls.AlertDescription(n).String() })
	handshakeNumber = reverse(255, func(n uint64) string { return tls.HandshakeType(n).String() })
)

// hello is a text of the client's hello.
func hello(get func(*tls.ClientHello) string) func(*Row) string {
	return func(r *Row) string {
		if r.Hello == nil {
			return ""
		}
		return get(r.Hello)
	}
}
