package timeline

import (
	"encoding/hex"
	"hash/maphash"
	"slices"
	"strings"

	"culprit/internal/dissect"
	"culprit/internal/dissect/tls"
	"culprit/internal/event"
	"culprit/internal/wire"
)

// secrets is what key logs and probes told of TLS sessions.
type secrets struct {
	keys  tls.KeyLog
	seed  maphash.Seed
	lines map[uint64]bool       // that were met: logs and probes tell the same
	from  map[tls.Random]string // who told of a session
}

// add takes lines of a key log and returns those that are new.
func (s *secrets) add(b *event.Secrets) []byte {
	if s.lines == nil {
		s.seed, s.lines, s.from = maphash.MakeSeed(), map[uint64]bool{}, map[tls.Random]string{}
	}
	var fresh []byte
	for rest := b.Lines; len(rest) > 0; {
		n := len(rest)
		if i := slices.Index(rest, '\n'); i >= 0 {
			n = i + 1
		}
		line := rest[:n]
		rest = rest[n:]
		s.source(line, b.Source)
		if h := maphash.Bytes(s.seed, line); !s.lines[h] {
			s.lines[h] = true
			fresh = append(fresh, line...)
		}
	}
	s.keys.Add(fresh)
	return fresh
}

// source notes who told of the session that a line is about.
func (s *secrets) source(line []byte, from string) {
	f := strings.Fields(string(line[:min(len(line), 128)]))
	var r tls.Random
	if len(f) < 3 || len(f[1]) != 2*len(r) {
		return
	}
	if _, err := hex.Decode(r[:], []byte(f[1])); err != nil {
		return
	}
	switch had := s.from[r]; {
	case had == "":
		s.from[r] = from
	case !strings.Contains(had, from):
		s.from[r] = had + ", " + from
	}
}

// overheard ties what was read at a TLS library's functions to connections: a
// session is the one whose socket its thread used within the call.
type overheard struct {
	moved map[int32][2]move       // by thread: the newest bytes received and sent
	conns map[session]*Conn       // that are known
	early map[session][]*pieceRef // written before anything went over a socket
	held  int                     // pieces in early
}

// session is one as its program knows it: by an address.
type session struct {
	proc   *Process
	object uint64
}

// move says that bytes went over a connection's socket.
type move struct {
	conn *Conn
	at   event.Time
}

// piece is plaintext of one call.
type piece struct {
	Segment
	write  bool
	source string
}

type pieceRef struct {
	tid int32
	piece
}

// maxEarly bounds what waits for a connection, in pieces.
const maxEarly = 1 << 14

// moves notes that a thread moved bytes.
func (b *builder) moves(c *Call, conn *Conn, received bool) {
	if !conn.Stream() {
		return
	}
	if b.plain.moved == nil {
		b.plain.moved = map[int32][2]move{}
	}
	m := b.plain.moved[c.TID]
	if received {
		m[0] = move{conn, c.Leave()}
		b.plain.moved[c.TID] = m
		return
	}
	m[1] = move{conn, c.Leave()}
	b.plain.moved[c.TID] = m
	for k, waiting := range b.plain.early {
		if k.proc == c.Proc && waiting[0].tid == c.TID {
			b.tie(k, conn)
		}
	}
}

// tie says which connection a session is on.
func (b *builder) tie(k session, conn *Conn) {
	if b.plain.conns == nil {
		b.plain.conns = map[session]*Conn{}
	}
	b.plain.conns[k] = conn
	for _, p := range b.plain.early[k] {
		conn.take(p.piece)
	}
	b.plain.held -= len(b.plain.early[k])
	delete(b.plain.early, k)
}

func (c *Conn) take(p piece) {
	p.Dir = c.dir(!p.write)
	c.plain = append(c.plain, p)
}

// spoken takes plaintext.
func (b *builder) spoken(e *event.Event, x *event.Plain) {
	p := piece{Segment: Segment{Time: e.Time, Data: x.Data}, write: x.Write, source: x.Source}
	const chunk = 16384 // what a probe copies at once, internal/lens/keys
	if end := x.At + int64(len(x.Data)); end < x.Total && len(x.Data) < chunk || end < x.Total && end >= 64*chunk {
		p.Gap = int(min(x.Total-end, 1<<30))
	}
	k := session{b.process(e.PID, e.Time), x.Object}
	way := 0
	if x.Write {
		way = 1
	}
	m, conn := b.plain.moved[e.TID][way], b.plain.conns[k]
	switch within := m.conn != nil && m.at >= e.Time-event.Time(x.Dur); {
	case within && m.conn != conn:
		b.tie(k, m.conn)
		conn = m.conn
	case conn != nil && (conn.Closed == 0 || conn.Closed > e.Time-event.Time(x.Dur)):
	case !x.Write && m.conn != nil: // through memory: received before
		b.tie(k, m.conn)
		conn = m.conn
	default:
		conn = nil
	}
	if conn != nil {
		conn.take(p)
		return
	}
	if b.plain.early == nil {
		b.plain.early = map[session][]*pieceRef{}
	}
	if b.plain.held < maxEarly {
		b.plain.held++
		b.plain.early[k] = append(b.plain.early[k], &pieceRef{e.TID, p})
	} else {
		b.untied(1, len(p.Data))
	}
}

// untied counts plaintext whose connection is not known.
func (b *builder) untied(n, size int) {
	const what = "pieces of TLS plaintext of no known connection"
	for _, l := range b.t.Loss {
		if l.What == what {
			l.Count, l.Bytes = l.Count+uint64(n), l.Bytes+uint64(size)
			return
		}
	}
	b.t.Loss = append(b.t.Loss, &event.Loss{Lens: "wire", What: what, Count: uint64(n), Bytes: uint64(size)})
}

// overhear reads what was said on a connection from the plaintext that was taken
// at the TLS library, where its bytes could not be decrypted.
func (b *builder) overhear(c *Conn) {
	if len(c.plain) == 0 || c.TLS != nil && c.TLS.NoKeys == "" {
		return
	}
	if c.TLS == nil {
		c.TLS, c.Plain = &TLS{}, "tls"
	}
	t := c.TLS
	t.NoKeys, t.Done, t.KeysBy = "", true, c.plain[0].source+" (plaintext)"
	l := &listener{c: c}
	s := wire.NewSession(wire.Options{Keys: &b.secrets.keys, Body: b.options.Body}, func(e *wire.Event) { l.event(e) })
	var last dissect.Input
	for _, p := range c.plain {
		t.Data = append(t.Data, p.Segment)
		t.Bytes[p.Dir&1] += int64(len(p.Data))
		t.Used = t.Used || p.Dir == dissect.ToServer
		last = dissect.Input{Time: p.Time, Dir: p.Dir, Ref: -1}
		in := last
		in.Data = p.Data
		s.Feed(&in)
		if p.Gap > 0 {
			in.Data, in.Gap = nil, p.Gap
			s.Feed(&in)
		}
	}
	s.Close(&last)
}
