// Package tls reads TLS connections: the handshake, and with a key log
// (SSLKEYLOGFILE) the plaintext of SSL 3.0 to TLS 1.3.
//
// A Conn takes the bytes of both directions in the order of their times. It
// verifies records (MAC or AEAD tag), not peers: no signature and no chain is
// checked. What can't be decrypted is counted with its reason.
//
//	c := tls.New(&keys)
//	for _, in := range inputs {
//		for _, out := range c.Feed(in) {
//			switch m := out.Msg.(type) {
//			case *tls.ClientHello: ...
//			case tls.AppData: use(out.Data)
//			}
//		}
//	}
//	last := c.Close()
package tls

import (
	"fmt"

	"culprit/internal/dissect"
)

// Limits of one connection.
const (
	maxRecord  = 1<<14 + 2048 // of ciphertext (RFC 5246 section 6.2.3)
	maxMessage = 1 << 20      // of a handshake message
	maxPending = 1 << 20      // bytes of records that wait for the ServerHello
)

// Record content types.
const (
	recCCS       = 20
	recAlert     = 21
	recHandshake = 22
	recData      = 23
	recHeartbeat = 24
)

// Conn is one TLS connection.
type Conn struct {
	keys *KeyLog
	half [2]half
	out  []Output
	text []byte // plaintext of this Feed's outputs

	client  *ClientHello // the newest
	server  *hello       // the newest that is not a HelloRetryRequest
	params  params
	usable  bool // params are good
	retried bool // a HelloRetryRequest was seen
	next    [2]*opener
	nextFor *hello // which ServerHello next was derived for
	nextWhy Reason
}

// stage is the epoch of TLS 1.3 that a direction's records are in.
type stage uint8

const (
	stageEarly stage = iota
	stageHandshake
	stageApp
	numStages
)

// half is one direction.
type half struct {
	dir     dissect.Dir
	begun   bool // the first record header was good
	v2      int  // length of the SSL 2.0 ClientHello that comes first, with its header
	plain   bool // not TLS
	dead    Reason
	ended   bool
	off     int64 // stream offset of the next byte
	buf     []byte
	lost    int // bytes of the record in buf that fell into a hole
	span    dissect.Span
	last    dissect.Span // of the newest input
	enc     bool         // TLS 1.2 and older: after ChangeCipherSpec
	cur     *opener
	stage   stage
	openers [numStages]*opener
	early   []*opener // candidates for 0-RTT

	hs     []byte
	hsSpan dissect.Span
	hsBad  bool

	pending      []held
	pendingBytes int

	und      []undecrypted
	lastSize int // of the last record, when it was not decrypted
	lastSpan dissect.Span
	failed   bool
}

// held is a record that came before the ServerHello that explains it.
type held struct {
	rec  []byte
	span dissect.Span
}

type undecrypted struct {
	Undecrypted
	span dissect.Span
}

// New returns a reader of one connection that looks for secrets in keys, which
// may be nil.
func New(keys *KeyLog) *Conn {
	c := &Conn{keys: keys}
	c.half[1].dir = dissect.ToClient
	c.half[1].stage = stageHandshake
	return c
}

// Feed takes the next bytes of a direction. The returned slice and the Data in
// it are valid until the next call.
func (c *Conn) Feed(in dissect.Input) []Output {
	c.reset()
	h := &c.half[in.Dir&1]
	at := dissect.At(&in)
	h.last = at
	if in.Gap != 0 {
		c.gap(h, in.Gap, &in)
	}
	if len(in.Data) > 0 {
		c.bytes(h, in.Data, &in)
	}
	if in.End {
		c.end(h)
	}
	return c.out
}

// Close says that the recording ended. It reports what Feed did not: records
// cut short, and what stayed encrypted in directions that did not end.
func (c *Conn) Close() []Output {
	c.reset()
	c.end(&c.half[0])
	c.end(&c.half[1])
	return c.out
}

// reset drops the outputs of the call before, and buffers that one large Feed
// blew up.
func (c *Conn) reset() {
	if cap(c.text) > 1<<20 {
		c.text = nil
	}
	clear(c.out)
	c.out, c.text = c.out[:0], c.text[:0]
}

func (c *Conn) emit(h *half, span dissect.Span, data []byte, m Msg) {
	c.out = append(c.out, Output{Dir: h.dir, Span: span, Data: data, Msg: m})
}

func (c *Conn) damage(h *half, fatal bool, format string, args ...any) {
	c.emit(h, h.last, nil, &Damage{Offset: h.off, What: fmt.Sprintf(format, args...), Fatal: fatal})
}

func (c *Conn) bytes(h *half, data []byte, in *dissect.Input) {
	for len(data) > 0 {
		switch {
		case h.ended:
			c.damage(h, false, "%d bytes after the end of the direction", len(data))
			h.off += int64(len(data))
			return
		case h.plain:
			c.emit(h, dissect.At(in), c.keep(data), Plain{})
			h.off += int64(len(data))
			return
		case h.dead != "":
			h.count(h.dead, 0, int64(len(data)), dissect.At(in))
			h.off += int64(len(data))
			return
		case h.v2 > 0:
			data = c.helloV2(h, data, in)
		case !h.begun:
			data = c.begin(h, data, in)
		default:
			data = c.record(h, data, in)
		}
	}
}

// keep copies b into the buffer of this Feed's outputs.
func (c *Conn) keep(b []byte) []byte {
	at := len(c.text)
	c.text = append(c.text, b...)
	return c.text[at:len(c.text):len(c.text)]
}

// begin decides whether the direction speaks TLS, and returns what remains of
// data for others to read.
func (c *Conn) begin(h *half, data []byte, in *dissect.Input) []byte {
	if len(h.buf) == 0 {
		h.span = dissect.At(in)
	}
	n := min(dissect.SniffLen-len(h.buf), len(data))
	had := len(h.buf)
	h.buf = append(h.buf, data[:n]...)
	// Byte by byte, so that the decision does not depend on how much came.
	for i := had + 1; i <= len(h.buf); i++ {
		if looksV2(h.dir, h.buf[:i]) {
			if i < 5 {
				continue
			}
			h.v2 = int(h.buf[0]&0x7f)<<8 + int(h.buf[1]) + 2
			h.buf = h.buf[:had]
			return data
		}
		if looksTLS(h.buf[:i]) {
			if i < 5 {
				continue
			}
			h.begun = true
			h.buf = h.buf[:had]
			return data
		}
		if done, looks := notTLS(h.dir, h.buf[:i]); done {
			h.off += int64(n)
			c.notTLS(h, looks, i, in)
			return data[n:]
		}
	}
	h.off += int64(n)
	return data[n:]
}

// looksTLS says whether the first bytes may be a record header.
func looksTLS(b []byte) bool {
	if b[0] < recCCS || b[0] > recHeartbeat || len(b) > 1 && b[1] != 3 || len(b) > 2 && b[2] > 4 {
		return false
	}
	return len(b) < 5 || int(b[3])<<8|int(b[4]) <= maxRecord
}

// notTLS says whether the bytes are enough to name what they are: when a line
// is there, or SniffLen bytes.
func notTLS(d dissect.Dir, b []byte) (done bool, looks string) {
	if n := len(b); n < dissect.SniffLen && b[n-1] != '\n' {
		return false, ""
	}
	looks, _ = dissect.Sniff(d, b)
	return true, looks
}

func (c *Conn) notTLS(h *half, looks string, n int, in *dissect.Input) {
	h.plain = true
	span := h.span.To(in)
	head := append([]byte(nil), h.buf[:n]...)
	c.emit(h, span, nil, &NotTLS{Looks: looks, Head: head})
	c.emit(h, span, c.keep(h.buf), Plain{})
	h.buf = nil
}

// record reads from data up to the end of one record and returns the rest.
func (c *Conn) record(h *half, data []byte, in *dissect.Input) []byte {
	if len(h.buf) == 0 && h.lost == 0 {
		h.span = dissect.At(in)
		if len(data) >= 5 {
			n := 5 + int(data[3])<<8 + int(data[4])
			if !c.header(h, data) {
				return data
			}
			if len(data) >= n {
				h.off += int64(n)
				c.whole(h, data[:n], h.span)
				return data[n:]
			}
			h.buf = append(h.buf, data...)
			h.off += int64(len(data))
			return nil
		}
	}
	want := 5
	if len(h.buf) >= 5 {
		want = 5 + int(h.buf[3])<<8 + int(h.buf[4])
	}
	n := min(want-len(h.buf)-h.lost, len(data))
	h.buf = append(h.buf, data[:n]...)
	h.off += int64(n)
	if len(h.buf)+h.lost < want {
		return data[n:]
	}
	if want == 5 {
		h.off -= 5
		if !c.header(h, h.buf) {
			// The header's bytes are lost to the framing as well.
			h.count(h.dead, 0, 5, h.span.To(in))
			h.off += 5
			h.buf = nil
			return data[n:]
		}
		h.off += 5
		if int(h.buf[3])<<8|int(h.buf[4]) > 0 {
			return data[n:]
		}
	}
	rec, span := h.buf, h.span.To(in)
	h.buf = h.buf[:0]
	if h.lost > 0 {
		c.torn(h, rec, span)
		h.lost = 0
	} else {
		c.whole(h, rec, span)
	}
	return data[n:]
}

// header checks a record header at the current offset.
func (c *Conn) header(h *half, b []byte) bool {
	if looksTLS(b[:5]) {
		return true
	}
	c.damage(h, true, "no TLS record where one should begin (% x)", b[:5])
	h.dead = BadRecord
	return false
}

func (c *Conn) gap(h *half, n int, in *dissect.Input) {
	switch {
	case h.ended || h.dead != "" || h.plain:
		if n > 0 {
			h.off += int64(n)
		}
		if h.plain {
			c.emit(h, dissect.At(in), nil, &Damage{Offset: h.off, What: "bytes missing", Missing: max(n, 0)})
		}
		return
	case n > 0 && h.begun && len(h.buf) >= 5:
		left := 5 + int(h.buf[3])<<8 + int(h.buf[4]) - len(h.buf) - h.lost
		if n <= left {
			h.lost += n
			h.off += int64(n)
			if n == left {
				rec := h.buf
				h.buf = h.buf[:0]
				c.torn(h, rec, h.span.To(in))
				h.lost = 0
			}
			return
		}
	}
	c.damage(h, true, "%s missing", count(n))
	if len(h.buf) > 0 {
		h.count(Hole, 1, int64(len(h.buf)), h.span.To(in))
		h.buf = nil
	}
	h.begun, h.dead, h.v2 = true, Hole, 0
	h.off += int64(max(n, 0))
}

func count(n int) string {
	if n < 0 {
		return "bytes"
	}
	return fmt.Sprintf("%d bytes", n)
}

// torn handles a record with a hole inside: it is lost, but its length is
// known, so that the next ones can be read if their keys don't depend on it.
func (c *Conn) torn(h *half, rec []byte, span dissect.Span) {
	d := &Damage{Offset: h.off, What: fmt.Sprintf("%d bytes missing inside a record", h.lost)}
	o := h.cur
	switch {
	case o == nil && h.enc || o != nil && (o.stream != nil || o.block != nil && o.v < TLS11):
		d.Fatal = true
		h.dead = Hole
	case o != nil:
		o.seq++
		d.Missing = len(rec) + h.lost - 5
		if o.aead != nil {
			d.Missing -= o.aead.Overhead()
		}
	}
	if o == nil || h.stage != stageApp && o.v == TLS13 {
		h.hsBad = true
	}
	h.hs = nil
	h.count(Hole, 1, int64(len(rec)), span)
	c.emit(h, span, nil, d)
}

// count adds to the sums of Undecrypted.
func (h *half) count(why Reason, records int, n int64, span dissect.Span) {
	for i := range h.und {
		if u := &h.und[i]; u.Reason == why {
			u.Records += records
			u.Bytes += n
			u.span.Time, u.span.LastRef = span.Time, span.LastRef
			return
		}
	}
	h.und = append(h.und, undecrypted{Undecrypted{why, records, n}, span})
}

// end closes a direction.
func (c *Conn) end(h *half) {
	if h.ended {
		return
	}
	h.ended = true
	if !h.begun && len(h.buf) > 0 {
		looks, _ := dissect.Sniff(h.dir, h.buf)
		if looksTLS(h.buf) || h.v2 > 0 {
			h.begun = true
		} else {
			head := append([]byte(nil), h.buf...)
			c.emit(h, h.span, nil, &NotTLS{Looks: looks, Head: head})
			c.emit(h, h.span, c.keep(h.buf), Plain{})
			h.buf = nil
		}
	}
	for _, p := range h.pending {
		h.count(NoHandshake, 1, int64(len(p.rec)), p.span)
		h.lastSize, h.lastSpan = len(p.rec), p.span
	}
	h.pending = nil
	if n := len(h.buf) + h.lost; n > 0 {
		if len(h.buf) >= 5 {
			c.damage(h, true, "record cut short: %d of %d bytes", n, 5+int(h.buf[3])<<8+int(h.buf[4]))
		} else {
			c.damage(h, true, "record cut short: %d bytes of its header", n)
		}
	} else if len(h.hs) > 0 {
		c.damage(h, true, "handshake message cut short: %d bytes", len(h.hs))
	}
	// An alert of TLS 1.3 looks like a record of data with 2+1+16 bytes.
	if c.server != nil && c.server.Version >= TLS13 && h.lastSize == 5+19 && n13(h) {
		c.emit(h, h.lastSpan, nil, Alert{Description: UnknownAlert, Encrypted: true, Opaque: true, Guess: true})
	}
	for _, u := range h.und {
		c.emit(h, u.span, nil, u.Undecrypted)
	}
}

// n13 says whether the last record stayed closed for want of a key only.
func n13(h *half) bool { return h.dead == "" && len(h.buf) == 0 && len(h.und) > 0 }
