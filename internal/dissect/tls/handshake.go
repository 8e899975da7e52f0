package tls

import (
	"bytes"
	"fmt"

	"culprit/internal/dissect"
)

// handshake takes the content of a handshake record: messages may be cut at
// any place, and several may stand in one record.
func (c *Conn) handshake(h *half, b []byte, span dissect.Span) {
	if h.hsBad {
		return
	}
	if len(h.hs) == 0 {
		h.hsSpan = span
	}
	h.hsSpan.Time, h.hsSpan.LastRef = span.Time, span.LastRef
	for {
		// Without a started message b is read in place.
		src := b
		if len(h.hs) > 0 {
			need := 4
			if len(h.hs) >= 4 {
				need += u24(h.hs[1:])
			}
			n := min(need-len(h.hs), len(b))
			h.hs = append(h.hs, b[:n]...)
			b = b[n:]
			src = h.hs
		}
		if len(src) < 4 {
			if len(h.hs) == 0 {
				h.hs = append(h.hs, src...)
				return
			}
			if len(b) == 0 {
				return
			}
			continue
		}
		n := u24(src[1:])
		if n > maxMessage {
			c.emit(h, span, nil, &Damage{Offset: h.off, What: fmt.Sprintf("handshake message of %d bytes", n)})
			h.hs, h.hsBad = nil, true
			return
		}
		if len(src) < 4+n {
			if len(h.hs) == 0 {
				h.hs = append(h.hs, src...)
				return
			}
			if len(b) == 0 {
				return
			}
			continue
		}
		if len(h.hs) == 0 {
			b = b[4+n:]
		}
		msgSpan := h.hsSpan
		typ, body := HandshakeType(src[0]), src[4:4+n]
		h.hs = h.hs[:0]
		h.hsSpan = span
		c.message(h, typ, body, msgSpan)
		if len(b) == 0 || h.hsBad {
			break
		}
	}
	if cap(h.hs) > 1<<16 {
		h.hs = nil
	}
}

func u24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

// message takes one complete handshake message.
func (c *Conn) message(h *half, typ HandshakeType, b []byte, span dissect.Span) {
	ok := true
	v := TLS12
	if c.server != nil {
		v = c.server.Version
	}
	switch typ {
	case typeClientHello:
		var m *ClientHello
		m, ok = parseClientHello(b)
		m.HaveKey = c.keys.Has(m.Random)
		c.emit(h, span, nil, m)
		if h.dir == dissect.ToServer {
			c.client = m
		}
	case typeServerHello:
		var m *hello
		m, ok = parseServerHello(b)
		if ok && h.dir == dissect.ToClient {
			if c.client != nil && len(m.SessionID) > 0 && m.Version < TLS13 {
				m.Resumed = bytes.Equal(m.SessionID, c.client.SessionID)
			}
			out := m.ServerHello
			c.emit(h, span, nil, &out)
			c.chosen(m)
		}
	case typeEncryptedExtensions:
		var m EncryptedExtensions
		m, ok = parseEncryptedExtensions(b)
		c.emit(h, span, nil, m)
	case typeCertificate:
		var m *Certificate
		m, ok = parseCertificate(b, v)
		c.emit(h, span, nil, m)
	case typeCompressedCert:
		var raw []byte
		if raw, ok = decompressCert(b); ok {
			var m *Certificate
			m, ok = parseCertificate(raw, v)
			c.emit(h, span, nil, m)
		}
	case typeCertificateRequest:
		var m *CertificateRequest
		m, ok = parseCertificateRequest(b, v)
		c.emit(h, span, nil, m)
	case typeFinished:
		c.emit(h, span, nil, Finished{})
		c.leave(h, stageHandshake, v)
	default:
		c.emit(h, span, nil, Handshake{Type: typ, Len: len(b)})
		switch typ {
		case typeEndOfEarlyData:
			c.leave(h, stageEarly, v)
		case typeKeyUpdate:
			c.keyUpdate(h)
		}
	}
	if !ok {
		c.emit(h, span, nil, &Damage{Offset: h.off, What: "damaged " + typ.String()})
	}
}

// chosen takes the parameters of a ServerHello into use.
func (c *Conn) chosen(m *hello) {
	if m.HelloRetry {
		c.retried = true
		c.release(&c.half[dissect.ToServer])
		return
	}
	c.params, c.usable = m.Suite.params()
	if m.Version >= TLS13 && !c.params.aead() {
		c.usable = false
	}
	first := c.server == nil
	c.server = m
	if first {
		c.release(&c.half[dissect.ToServer])
	}
}

// leave goes on from stage s of TLS 1.3 to the next.
func (c *Conn) leave(h *half, s stage, v Version) {
	if v < TLS13 || h.stage > s {
		return
	}
	h.stage = s + 1
	h.cur = nil
	h.openers[s] = nil
}

func (c *Conn) keyUpdate(h *half) {
	if h.cur == nil || h.cur.v != TLS13 || h.stage != stageApp {
		return
	}
	o, err := nextOpener13(h.cur)
	if err != nil {
		return
	}
	h.cur, h.openers[stageApp] = o, o
}
