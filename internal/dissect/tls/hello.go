package tls

import (
	"bytes"
	"crypto/sha256"
)

// Extensions that are looked at (IANA "TLS ExtensionType Values").
const (
	extServerName        = 0
	extSupportedGroups   = 10
	extPointFormats      = 11
	extSignatures        = 13
	extALPN              = 16
	extEncryptThenMAC    = 22
	extSessionTicket     = 35
	extPreSharedKey      = 41
	extEarlyData         = 42
	extSupportedVersions = 43
	extCertAuthorities   = 47
	extKeyShare          = 51
	extECH               = 0xfe0d
)

// helloRetryRandom marks a ServerHello as a HelloRetryRequest (RFC 8446
// section 4.1.3).
var helloRetryRandom = Random(sha256.Sum256([]byte("HelloRetryRequest")))

func grease(v int) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// parseClientHello reads as much as it can; ok is false when the message was
// damaged.
func parseClientHello(b []byte) (m *ClientHello, ok bool) {
	r := reader{b: b}
	m = &ClientHello{Version: Version(r.u16())}
	copy(m.Random[:], r.take(32))
	sid := r.vec8()
	m.SessionID = bytes.Clone(sid.b)
	for s := r.vec16(); s.more(); {
		if v := s.u16(); !s.bad && !grease(v) {
			m.Suites = append(m.Suites, Suite(v))
		}
	}
	r.vec8() // compression methods
	if r.bad || len(r.b) == 0 {
		return m, !r.bad
	}
	exts := r.vec16()
	for exts.more() {
		id := exts.u16()
		e := exts.vec16()
		if e.bad {
			break
		}
		if !grease(id) {
			m.Extensions = append(m.Extensions, uint16(id))
		}
		m.extension(id, &e)
	}
	return m, !r.bad && !exts.bad
}

func (m *ClientHello) extension(id int, e *reader) {
	switch id {
	case extServerName:
		for l := e.vec16(); l.more(); {
			if typ, name := l.u8(), l.vec16(); typ == 0 && m.ServerName == "" {
				m.ServerName = string(name.b)
			}
		}
	case extALPN:
		for l := e.vec16(); l.more(); {
			if p := l.vec8(); !p.bad && len(m.ALPN) < 64 {
				m.ALPN = append(m.ALPN, string(p.b))
			}
		}
	case extSupportedVersions:
		for l := e.vec8(); l.more(); {
			if v := l.u16(); !l.bad && !grease(v) {
				m.Versions = append(m.Versions, Version(v))
			}
		}
	case extSupportedGroups:
		for l := e.vec16(); l.more(); {
			if v := l.u16(); !l.bad && !grease(v) {
				m.Groups = append(m.Groups, uint16(v))
			}
		}
	case extPointFormats:
		l := e.vec8()
		m.PointFormats = bytes.Clone(l.b)
	case extSignatures:
		for l := e.vec16(); l.more(); {
			if v := l.u16(); !l.bad && !grease(v) {
				m.SignatureAlgorithms = append(m.SignatureAlgorithms, uint16(v))
			}
		}
	case extKeyShare:
		for l := e.vec16(); l.more(); {
			if g := l.u16(); !grease(g) {
				m.KeyShares = append(m.KeyShares, uint16(g))
			}
			l.vec16()
		}
	case extPreSharedKey:
		m.PSK = true
	case extSessionTicket:
		m.PSK = m.PSK || len(e.b) > 0
	case extEarlyData:
		m.EarlyData = true
	case extECH:
		m.ECH = true
	}
}

// hello is a ServerHello with what only the record layer needs.
type hello struct {
	ServerHello
	compression byte
	etm         bool
}

func parseServerHello(b []byte) (m *hello, ok bool) {
	r := reader{b: b}
	m = new(hello)
	m.Version = Version(r.u16())
	copy(m.Random[:], r.take(32))
	sid := r.vec8()
	m.SessionID = bytes.Clone(sid.b)
	m.Suite = Suite(r.u16())
	m.compression = byte(r.u8())
	if r.bad {
		return m, false
	}
	m.HelloRetry = m.Random == helloRetryRandom
	if len(r.b) == 0 {
		return m, true
	}
	exts := r.vec16()
	for exts.more() {
		id := exts.u16()
		e := exts.vec16()
		if e.bad {
			break
		}
		switch id {
		case extSupportedVersions:
			if v := e.u16(); !e.bad {
				m.Version = Version(v)
			}
		case extALPN:
			m.ALPN = firstALPN(&e)
		case extKeyShare:
			m.Group = uint16(e.u16())
		case extPreSharedKey:
			m.Resumed = true
		case extEncryptThenMAC:
			m.etm = true
		}
	}
	return m, !exts.bad
}

func firstALPN(e *reader) string {
	l := e.vec16()
	p := l.vec8()
	return string(p.b)
}

func parseEncryptedExtensions(b []byte) (m EncryptedExtensions, ok bool) {
	r := reader{b: b}
	exts := r.vec16()
	for exts.more() {
		id := exts.u16()
		e := exts.vec16()
		switch id {
		case extALPN:
			m.ALPN = firstALPN(&e)
		case extEarlyData:
			m.EarlyData = true
		}
	}
	return m, !exts.bad
}

func parseCertificateRequest(b []byte, v Version) (m *CertificateRequest, ok bool) {
	r := reader{b: b}
	m = new(CertificateRequest)
	var names reader
	if v >= TLS13 {
		r.vec8() // certificate_request_context
		for exts := r.vec16(); exts.more(); {
			id := exts.u16()
			e := exts.vec16()
			if id == extCertAuthorities {
				names = e.vec16()
			}
		}
	} else {
		r.vec8() // certificate_types
		if v == TLS12 {
			r.vec16() // signature algorithms
		}
		names = r.vec16()
	}
	for names.more() {
		if n := names.vec16(); !n.bad {
			m.Authorities = append(m.Authorities, bytes.Clone(n.b))
		}
	}
	return m, !r.bad && !names.bad
}
