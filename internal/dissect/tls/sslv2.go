package tls

import "culprit/internal/dissect"

// looksV2 says whether the first bytes may be the ClientHello in the form of
// SSL 2.0 by which old clients offer later versions (RFC 5246 appendix E.2).
func looksV2(d dissect.Dir, b []byte) bool {
	return d == dissect.ToServer && b[0]&0x80 != 0 && (len(b) < 3 || b[2] == 1) && (len(b) < 4 || b[3] == 3) && (len(b) < 5 || b[4] <= 3)
}

// helloV2 reads that ClientHello, or a part of it, and returns what is left of
// data. Records follow it.
func (c *Conn) helloV2(h *half, data []byte, in *dissect.Input) []byte {
	if len(h.buf) == 0 {
		h.span = dissect.At(in)
	}
	n := min(h.v2-len(h.buf), len(data))
	h.buf = append(h.buf, data[:n]...)
	h.off += int64(n)
	if len(h.buf) < h.v2 {
		return data[n:]
	}
	m, ok := parseHelloV2(h.buf[3:])
	m.HaveKey = c.keys.Has(m.Random)
	c.client = m
	c.emit(h, h.span.To(in), nil, m)
	if !ok {
		c.damage(h, false, "damaged ClientHello of SSL 2.0")
	}
	h.begun, h.v2, h.buf = true, 0, nil
	return data[n:]
}

func parseHelloV2(b []byte) (m *ClientHello, ok bool) {
	r := reader{b: b}
	m = &ClientHello{Version: Version(r.u16())}
	suites, sid, challenge := r.u16(), r.u16(), r.u16()
	for list := r.vec(suites); list.more(); {
		if s := list.u24(); !list.bad && s>>16 == 0 {
			m.Suites = append(m.Suites, Suite(s))
		}
	}
	id := r.take(sid)
	m.SessionID = append(m.SessionID, id...)
	random := r.take(challenge)
	copy(m.Random[max(0, len(m.Random)-len(random)):], random)
	return m, !r.bad && len(random) <= len(m.Random)
}
