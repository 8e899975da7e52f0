package http

import (
	"bytes"
	"strconv"
	"strings"

	"culprit/internal/dissect"
)

// tokenByte says whether b may stand in a token (RFC 9110 section 5.6.2).
func tokenByte(b byte) bool {
	return b > ' ' && b < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, rune(b))
}

func httpVersion(b []byte) bool {
	return len(b) == 8 && string(b[:5]) == "HTTP/" && b[5] >= '0' && b[5] <= '9' && b[6] == '.' && b[7] >= '0' && b[7] <= '9'
}

// simple says whether a line is an HTTP/0.9 request.
func simple(b []byte) bool {
	return bytes.HasPrefix(b, []byte("GET /")) && bytes.Count(b, []byte{' '}) == 1
}

// old says whether the next answer is one to an HTTP/0.9 request: bare bytes.
func (c *Conn) old(h *half) bool {
	return h.dir == dissect.ToClient && len(c.queue) > 0 && c.queue[0].Version == "HTTP/0.9"
}

// startLine begins a message, if the line is a start line.
func (c *Conn) startLine(h *half, text, line []byte, long bool, in *dissect.Input) {
	if len(text) == 0 {
		return // RFC 9112 section 2.2 allows empty lines before a request
	}
	m := &Message{Exchange: -1, Announced: -1}
	ok := !long
	if ok && h.dir == dissect.ToServer {
		ok = m.requestLine(text)
	} else if ok {
		ok = m.statusLine(text)
		if !ok && c.old(h) {
			m.Answer, m.Version, m.Framing = true, "HTTP/0.9", UntilClose
			c.begin(h, m)
			m.Head = dissect.Span{First: h.span.First, Time: h.span.First, FirstRef: h.span.FirstRef, LastRef: h.span.FirstRef}
			c.answers(h, m)
			h.state = inRest
			c.body(h, line, in)
			return
		}
	}
	if !ok {
		if h.state == atStart {
			c.emit(h, h.lspan, nil, &Damage{Offset: h.off - int64(len(line)), What: "no HTTP start line where one should begin: " + strconv.Quote(string(text[:min(len(text), 40)]))})
			h.state = searching
		}
		h.drop += int64(len(line))
		return
	}
	c.begin(h, m)
	h.state = inHeader
	if h.dir == dissect.ToServer {
		m.Exchange = c.n
		c.n++
		if len(c.queue) >= maxQueue {
			c.damage(h, in, false, "more than %d requests without an answer", maxQueue)
			c.queue = append(c.queue[:0], c.queue[1:]...)
		}
		c.queue = append(c.queue, m)
		if m.Version == "HTTP/0.9" {
			m.Head = h.span
			c.done(h, in)
		}
		return
	}
	c.answers(h, m)
}

func (c *Conn) begin(h *half, m *Message) {
	h.msg, h.any = m, true
	h.span = h.lspan
}

// answers ties an answer to the oldest request without one.
func (c *Conn) answers(h *half, m *Message) {
	if len(c.queue) == 0 {
		return
	}
	r := c.queue[0]
	m.Exchange, m.Request, m.RequestSeen = r.Exchange, r, r.Seen
	m.Early = c.half[dissect.ToServer].msg == r
	if m.Informational() {
		return
	}
	r.begun = true
	c.queue[0] = nil
	c.queue = c.queue[1:]
}

func (m *Message) requestLine(b []byte) bool {
	i := bytes.IndexByte(b, ' ')
	if i <= 0 || i > 64 {
		return false
	}
	for _, x := range b[:i] {
		if !tokenByte(x) {
			return false
		}
	}
	j := bytes.LastIndexByte(b, ' ')
	switch {
	case j > i && httpVersion(b[j+1:]) && b[j+6] == '1' || j > i && string(b[j+1:]) == "HTTP/0.9":
		m.Version = string(b[j+1:])
	case simple(b):
		m.Version, j = "HTTP/0.9", len(b)
	default:
		return false
	}
	m.Method, m.Target = string(b[:i]), strings.TrimSpace(string(b[i+1:j]))
	return m.Target != ""
}

func (m *Message) statusLine(b []byte) bool {
	if len(b) < 12 || !httpVersion(b[:8]) || b[5] > '1' || b[8] != ' ' || len(b) > 12 && b[12] != ' ' {
		return false
	}
	n, err := strconv.Atoi(string(b[9:12]))
	if err != nil || n < 100 {
		return false
	}
	m.Answer, m.Version, m.Status = true, string(b[:8]), n
	if len(b) > 13 {
		m.Reason = string(b[13:])
	}
	return true
}

func (m *Message) issue(what string) {
	if len(m.Issues) < maxIssues {
		m.Issues = append(m.Issues, what)
	}
}

// field takes a line of the header or the trailer.
func (c *Conn) field(h *half, b []byte, in *dissect.Input) {
	m := h.msg
	to := &m.Header
	if h.state == inTrailer {
		to = &m.Trailer
	}
	if b[0] == ' ' || b[0] == '\t' { // obsolete line folding (RFC 9112 section 5.2)
		m.issue("folded header line")
		if n := len(*to); n > 0 {
			(*to)[n-1].Value += " " + strings.TrimSpace(string(b))
		}
		return
	}
	s := string(b)
	name, value, ok := strings.Cut(s, ":")
	if !ok {
		m.issue("header line without a colon")
		return
	}
	if t := strings.TrimRight(name, " \t"); t != name {
		m.issue("space before a header's colon")
		name = t
	}
	if len(*to) >= maxFields {
		c.abandon(h, in, "header over the limit")
		c.damage(h, in, true, "more than %d header fields", maxFields)
		return
	}
	if *to == nil {
		*to = make(Fields, 0, 8)
	}
	*to = append(*to, Field{name, strings.Trim(value, " \t")})
}

// headDone gives out a header and goes on to the body that follows it.
func (c *Conn) headDone(h *half, in *dissect.Input) {
	m := h.msg
	h.state = c.framing(m)
	c.emit(h, h.span, nil, Head{m})
	if h.state == atStart {
		c.done(h, in)
	}
}

// framing decides what body follows a header: atStart means none.
func (c *Conn) framing(m *Message) state {
	m.ReadLength()
	te := m.Header.Get("Transfer-Encoding")
	coded := te != "" && !strings.EqualFold(te, "identity")
	if coded && m.Announced >= 0 {
		m.issue("both Transfer-Encoding and Content-Length")
	}
	switch {
	case m.Answer && c.bodyless(m):
		m.Framing = NoBody
	case coded && finalChunked(m.Header):
		m.Framing = Chunked
		return atChunk
	case coded:
		m.Framing = UntilClose
		if !m.Answer {
			m.issue("Transfer-Encoding of a request does not end in chunked")
		}
		return inRest
	case m.Announced > 0:
		m.Framing = Length
		m.chunked = m.Announced
		return inBody
	case m.Announced == 0:
		m.Framing = Length
	case m.Answer:
		m.Framing = UntilClose
		return inRest
	}
	return atStart
}

// bodyless says whether an answer has no body whatever its header says.
func (c *Conn) bodyless(m *Message) bool {
	if m.Status < 200 || m.Status == 204 || m.Status == 304 {
		return true
	}
	return m.Request != nil && (m.Request.Method == "HEAD" || m.Request.Method == "CONNECT" && m.Status < 300)
}

// ReadLength reads Content-Length into Announced.
func (m *Message) ReadLength() {
	for _, f := range m.Header {
		if !strings.EqualFold(f.Name, "Content-Length") {
			continue
		}
		for v := range strings.SplitSeq(f.Value, ",") {
			n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			switch {
			case err != nil || n < 0:
				m.issue("Content-Length is no number")
			case m.Announced < 0:
				m.Announced = n
			case m.Announced != n:
				m.issue("Content-Length given twice, with different values")
			}
		}
	}
}

func finalChunked(f Fields) bool {
	last := ""
	for i := range f {
		if strings.EqualFold(f[i].Name, "Transfer-Encoding") {
			last = f[i].Value
		}
	}
	last = last[strings.LastIndexByte(last, ',')+1:]
	return strings.EqualFold(strings.TrimSpace(last), "chunked")
}

func (c *Conn) chunkSize(h *half, text []byte, in *dissect.Input) {
	if i := bytes.IndexByte(text, ';'); i >= 0 {
		text = text[:i]
	}
	text = bytes.TrimSpace(text)
	n, err := strconv.ParseUint(string(text[:min(len(text), 20)]), 16, 62)
	if err != nil {
		c.abandon(h, in, "damaged chunk size")
		c.damage(h, in, true, "chunk size is no number: %q", text[:min(len(text), 20)])
		return
	}
	h.head = 0
	h.msg.chunked = int64(n)
	if h.state = inChunk; n == 0 {
		h.state = inTrailer
	}
}

// body takes a piece of the current body.
func (c *Conn) body(h *half, b []byte, in *dissect.Input) {
	m := h.msg
	m.Seen += int64(len(b))
	h.span = h.span.To(in)
	if room := c.limit - len(m.Body); room > 0 {
		m.Body = append(m.Body, b[:min(room, len(b))]...)
	}
	if c.pieces {
		c.emit(h, dissect.At(in), b, Body{m})
	}
}

// done ends a message.
func (c *Conn) done(h *half, in *dissect.Input) {
	m := h.msg
	if m.Missing > 0 {
		m.Why = "bytes missing in the recording"
	} else {
		m.Complete = true
	}
	h.state = atStart
	c.finish(h)
	switch {
	case !m.Answer:
		if !m.begun && (m.Method == "CONNECT" || m.Header.Get("Upgrade") != "" && m.Header.Has("Connection", "upgrade")) {
			h.state = onHold
		}
	case m.Status == 101, m.Request != nil && m.Request.Method == "CONNECT" && m.Status >= 200 && m.Status < 300:
		c.upgrade(h, m, in)
	case !m.Informational():
		c.noUpgrade(in)
	}
}

// finish gives out the current message.
func (c *Conn) finish(h *half) {
	m := h.msg
	h.msg = nil
	m.Decode(c.limit)
	c.emit(h, h.span, nil, m)
}

func (c *Conn) upgrade(h *half, m *Message, in *dissect.Input) {
	u := &Upgrade{Protocol: "tunnel", Answer: m}
	if m.Status == 101 {
		u.Protocol = m.Header.Get("Upgrade")
	}
	c.emit(h, dissect.At(in), nil, u)
	for d := range c.half {
		x := &c.half[d]
		if x.msg != nil {
			c.abandon(x, in, "the connection changed its protocol")
		}
		c.goRaw(x, x.lspan)
	}
}

// noUpgrade goes on with HTTP after an upgrade was refused.
func (c *Conn) noUpgrade(in *dissect.Input) {
	h := &c.half[dissect.ToServer]
	if h.state != onHold {
		return
	}
	h.state = atStart
	held := h.hold
	h.hold = nil
	if len(held) > 0 {
		h.off -= int64(len(held))
		c.bytes(h, held, &dissect.Input{Time: in.Time, Dir: h.dir, Ref: h.holdSpan.LastRef})
	}
}
