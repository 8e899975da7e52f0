package tls

import (
	"culprit/internal/dissect"
)

// whole takes one complete record, header included.
func (c *Conn) whole(h *half, rec []byte, span dissect.Span) {
	h.lastSize = 0
	switch {
	case c.server == nil && c.mustWait(h, rec):
		c.hold(h, rec, span)
	case c.server != nil && c.server.Version >= TLS13 || c.server == nil && (c.retried || rec[0] == recData):
		c.record13(h, rec, span)
	default:
		c.record12(h, rec, span)
	}
}

// mustWait says whether a record of the client can't be understood before the
// ServerHello, which packets may bring late. 0-RTT data can: its keys don't
// depend on the server.
func (c *Conn) mustWait(h *half, rec []byte) bool {
	switch {
	case h.dir == dissect.ToClient || c.client == nil:
		return false
	case len(h.pending) > 0:
		return true
	case rec[0] == recData:
		return !c.tryEarly(h)
	case rec[0] == recCCS:
		// TLS 1.3 clients send one before 0-RTT data and before the second
		// ClientHello, with no meaning.
		return !c.client.EarlyData && !c.retried
	}
	return false
}

func (c *Conn) hold(h *half, rec []byte, span dissect.Span) {
	if h.pendingBytes+len(rec) > maxPending || c.half[h.dir.Reverse()].ended {
		for _, p := range h.pending {
			h.count(NoHandshake, 1, int64(len(p.rec)), p.span)
		}
		h.pending, h.pendingBytes = nil, 0
		h.count(NoHandshake, 1, int64(len(rec)), span)
		h.dead = NoHandshake
		return
	}
	h.pending = append(h.pending, held{append([]byte(nil), rec...), span})
	h.pendingBytes += len(rec)
}

// release reads the records that waited for the ServerHello.
func (c *Conn) release(h *half) {
	list := h.pending
	h.pending, h.pendingBytes = nil, 0
	for _, p := range list {
		c.whole(h, p.rec, p.span)
	}
}

// record12 reads a record of TLS 1.2 and older, or one before the versions are
// known.
func (c *Conn) record12(h *half, rec []byte, span dissect.Span) {
	if !h.enc {
		c.content(h, rec[0], rec[5:], span, false)
		return
	}
	if h.cur == nil {
		why := c.nextWhy
		if why == "" {
			why = NoKey
		}
		c.closed(h, rec, span, why)
		return
	}
	at := len(c.text)
	out, typ, err := h.cur.open(c.text, rec[:5], rec[5:])
	if err != nil {
		c.openFailed(h, rec, span)
		return
	}
	c.text = out
	c.content(h, typ, c.text[at:len(c.text):len(c.text)], span, true)
}

// closed counts a record that stays encrypted.
func (c *Conn) closed(h *half, rec []byte, span dissect.Span, why Reason) {
	h.count(why, 1, int64(len(rec)), span)
	h.lastSize, h.lastSpan = len(rec), span
	if rec[0] == recAlert {
		c.emit(h, span, nil, Alert{Description: UnknownAlert, Encrypted: true, Opaque: true})
	}
}

func (c *Conn) openFailed(h *half, rec []byte, span dissect.Span) {
	if !h.failed {
		h.failed = true
		c.emit(h, span, nil, &Damage{Offset: h.off - int64(len(rec)), What: "a record does not decrypt: its authentication fails"})
	}
	c.closed(h, rec, span, BadKey)
}

// record13 reads a record of TLS 1.3.
func (c *Conn) record13(h *half, rec []byte, span dissect.Span) {
	switch rec[0] {
	case recCCS: // middlebox compatibility (RFC 8446 appendix D.4)
		return
	case recHandshake, recAlert:
		c.content(h, rec[0], rec[5:], span, false)
		return
	}
	if c.server == nil && !c.tryEarly(h) {
		c.closed(h, rec, span, NoHandshake)
		return
	}
	at := len(c.text)
	out, typ, why := c.open13(h, rec)
	if why != "" {
		if why == BadKey {
			c.openFailed(h, rec, span)
		} else {
			c.closed(h, rec, span, why)
		}
		return
	}
	c.text = out
	c.content(h, typ, c.text[at:len(c.text):len(c.text)], span, true)
}

// open13 finds the key of a record. The stages are normally left by messages
// (Finished, EndOfEarlyData), but trying the later ones as well makes up for a
// key log that lacks a stage, and for refused 0-RTT data.
func (c *Conn) open13(h *half, rec []byte) (out []byte, typ byte, why Reason) {
	if h.cur != nil {
		why = BadKey
		if out, typ, err := h.cur.open(c.text, rec[:5], rec[5:]); err == nil {
			return out, typ, ""
		}
	}
	for s := h.stage; s < numStages; s++ {
		if s == stageEarly {
			if !c.tryEarly(h) {
				continue
			}
			for _, o := range h.early {
				if o == h.cur {
					continue
				}
				if out, typ, err := o.open(c.text, rec[:5], rec[5:]); err == nil {
					h.cur = o
					return out, typ, ""
				}
			}
			continue
		}
		if c.server == nil {
			break
		}
		o := h.openers[s]
		if o == nil {
			var r Reason
			if o, r = c.opener13(h, s); r != "" {
				if why == "" {
					why = r
				}
				continue
			}
			h.openers[s] = o
		}
		if o == h.cur {
			continue
		}
		if out, typ, err := o.open(c.text, rec[:5], rec[5:]); err == nil {
			h.cur, h.stage = o, s
			return out, typ, ""
		}
	}
	if why == "" {
		why = BadKey
	}
	return nil, 0, why
}

func (c *Conn) opener13(h *half, s stage) (*opener, Reason) {
	l := [2][numStages]label{
		{clientEarly, clientHandshake, clientApp},
		{clientEarly, serverHandshake, serverApp},
	}[h.dir][s]
	if !c.usable {
		return nil, NoCipher
	}
	if c.client == nil {
		return nil, NoHandshake
	}
	secret := c.keys.get(c.client.Random, l)
	if secret == nil {
		return nil, NoKey
	}
	o, err := newOpener13(&c.params, secret)
	if err != nil {
		return nil, BadKey
	}
	return o, ""
}

// tryEarly makes the openers of 0-RTT data: one for each offered suite that
// fits the secret's length, since which suite the ticket was for is not on the
// wire. It reports whether there are any.
func (c *Conn) tryEarly(h *half) bool {
	if h.dir != dissect.ToServer || c.client == nil || !c.client.EarlyData {
		return false
	}
	if h.early != nil {
		return true
	}
	secret := c.keys.get(c.client.Random, clientEarly)
	if secret == nil {
		return false
	}
	for _, s := range c.client.Suites {
		if p, ok := s.params(); ok && s>>8 == 0x13 && len(h.early) < 8 {
			if o, err := newOpener13(&p, secret); err == nil {
				h.early = append(h.early, o)
			}
		}
	}
	return h.early != nil
}

// content takes the content of a record, decrypted or sent in the clear.
func (c *Conn) content(h *half, typ byte, b []byte, span dissect.Span, encrypted bool) {
	switch typ {
	case recHandshake:
		c.handshake(h, b, span)
	case recAlert:
		if len(b) > 2 && !encrypted { // the start of the encryption was not seen
			c.emit(h, span, nil, Alert{Description: UnknownAlert, Encrypted: true, Opaque: true})
			return
		}
		if len(b) != 2 {
			c.emit(h, span, nil, &Damage{Offset: h.off, What: "alert of a wrong length"})
			return
		}
		c.emit(h, span, nil, Alert{Level: b[0], Description: AlertDescription(b[1]), Encrypted: encrypted})
	case recCCS:
		c.changeCipherSpec(h)
	case recData:
		switch {
		case !encrypted:
			h.count(NoHandshake, 1, int64(len(b)+5), span)
		case len(b) == 0:
		case h.cur != nil && h.cur.v == TLS13 && h.stage == stageEarly:
			c.emit(h, span, b, EarlyData{})
		default:
			c.emit(h, span, b, AppData{})
		}
	case recHeartbeat:
	default:
		c.emit(h, span, nil, &Damage{Offset: h.off, What: "record of an unknown content type"})
	}
}

// changeCipherSpec switches a direction of TLS 1.2 and older to the keys of
// the newest hellos.
func (c *Conn) changeCipherSpec(h *half) {
	h.enc = true
	h.cur = nil
	if c.server == nil || c.client == nil {
		c.nextWhy = NoHandshake
		return
	}
	if c.nextFor != c.server {
		c.nextFor = c.server
		c.next, c.nextWhy = c.derive12()
	}
	h.cur = c.next[h.dir]
}

func (c *Conn) derive12() (o [2]*opener, why Reason) {
	secret := c.keys.get(c.client.Random, master)
	switch {
	case !c.usable || c.server.compression != 0:
		return o, NoCipher
	case secret == nil:
		return o, NoKey
	}
	o, err := newOpeners12(c.server.Version, &c.params, c.server.etm, secret, &c.client.Random, &c.server.Random)
	if err != nil {
		return o, NoCipher
	}
	return o, ""
}
