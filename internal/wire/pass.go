package wire

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"culprit/internal/dissect"
	"culprit/internal/dissect/tcp"
	"culprit/internal/dissect/tls"
	"culprit/internal/event"
	"culprit/internal/pcapng"
)

// Pass is one walk through a capture.
type Pass struct {
	Stats

	options Options
	source  source
	links   []int // link type by interface
	decoder tcp.Decoder
	asm     tcp.Assembler
	udp     flows
	talks   list.List // of *Stream, those with a session, the one that was quiet for longest first
	packet  Packet
	looked  bool // the secrets ahead have been added
	ended   bool
	rest    []Event
	event   Event        // the newest of a session
	emitted func(*Event) // p.emit
}

// Stats count what went by.
type Stats struct {
	Packets   int
	Bytes     int64 // captured
	First     event.Time
	Last      event.Time
	Undecoded map[string]int // packets that are no IP, or damaged, by reason
	Torn      string         // why the file could not be read to its end, "" when it could
	Damaged   int            // blocks whose content made no sense
	Secrets   int            // key log lines' bytes inside the file
	GivenUp   int            // conversations that were no longer followed because there were too many
}

// Packet is one packet of the capture, valid until the next one.
type Packet struct {
	Number    int // of its row in Wireshark, from 1: journal entries and custom blocks are rows too
	Time      event.Time
	TimeKnown bool
	Interface uint32
	Link      int
	Len       int // on the wire
	Data      []byte
	PID, TID  uint32 // of the process, when the capture says it

	tcp.Frame       // as far as it goes when Err is set
	Err       error // why it was not taken apart: one of package tcp's

	Stream   *Stream // nil when it is neither TCP nor UDP
	Outer    *Stream // the UDP flow that carries it in a VXLAN tunnel, nil as a rule
	Dir      dissect.Dir
	Analysis tcp.Analysis // of a TCP segment
	Events   []Event      // what it completed, in order
}

// Stream is one TCP connection or all datagrams between two ports.
type Stream struct {
	ID    int // from 0 by order of appearance, TCP and UDP apart, as tcp.stream and udp.stream
	Proto uint8
	TCP   *tcp.Conn // nil for UDP
	UDP   *Flow     // nil for TCP
	User  any       // for the walk's user

	session *Session
	place   *list.Element // in Pass.talks
	skip    bool          // Options.Want said no, or it is over
}

// Ends returns who opened the stream, or sent its first datagram, and to whom.
func (s *Stream) Ends() (client, server netip.AddrPort) {
	if s.TCP != nil {
		return s.TCP.Client, s.TCP.Server
	}
	return s.UDP.From, s.UDP.To
}

// Session is what the stream says, nil when it said nothing.
func (s *Stream) Session() *Session { return s.session }

// New returns a walk through the blocks of src.
func New(src pcapng.Source, o Options) *Pass {
	p := &Pass{options: o, source: source{Source: src}}
	p.Undecoded = map[string]int{}
	p.emitted = p.emit
	return p
}

// Next returns the next packet, valid until the following call; io.EOF at the
// end, and where the file is torn (Stats.Torn says so). Other errors are those
// of the file system.
func (p *Pass) Next() (*Packet, error) {
	for !p.ended {
		b, err := p.source.Next()
		if err != nil {
			again, err := p.damage(err)
			if again {
				continue
			}
			p.end()
			if err != nil {
				return nil, err
			}
			break
		}
		switch b := b.(type) {
		case *pcapng.Packet:
			p.take(b)
			return &p.packet, nil
		case *pcapng.Custom, *pcapng.Journal:
			p.packet.Number++
		case *pcapng.Section:
			p.links = p.links[:0]
		case *pcapng.Interface:
			p.links = append(p.links, int(b.LinkType))
		case *pcapng.Secrets:
			if !p.looked {
				p.secrets(b)
			}
		}
	}
	return nil, io.EOF
}

func (p *Pass) damage(err error) (again bool, fatal error) {
	var at *pcapng.Error
	switch {
	case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return false, nil
	case errors.Is(err, pcapng.ErrContent):
		p.Damaged++
		return true, nil
	case errors.As(err, &at):
		p.Torn = fmt.Sprintf("offset %d: %v (%s)", at.Offset, at.Err, at.What)
		return false, nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		p.Torn = "the compressed file is cut short"
		return false, nil
	}
	return false, fmt.Errorf("read the capture: %w", err)
}

func (p *Pass) secrets(b *pcapng.Secrets) {
	if b.Format == pcapng.SecretsTLSKeyLog && p.options.Keys != nil {
		p.Stats.Secrets += len(b.Data)
		p.options.Keys.Add(b.Data)
	}
}

func (p *Pass) take(b *pcapng.Packet) {
	x := &p.packet
	clear(x.Events)
	*x = Packet{Number: x.Number + 1, Time: event.Time(b.Nanos), TimeKnown: b.TimeKnown, Interface: b.Interface, Link: -1,
		Len: int(b.OrigLen), Data: b.Data, PID: b.PID, TID: b.TID, Events: x.Events[:0]}
	p.Packets++
	p.Bytes += int64(len(b.Data))
	if b.TimeKnown {
		if p.First == 0 {
			p.First = x.Time
		}
		p.Last = max(p.Last, x.Time)
	}
	if int(b.Interface) < len(p.links) {
		x.Link = p.links[b.Interface]
	}
	x.Err = p.decoder.Decode(&x.Frame, x.Link, b.Data, x.Time)
	if x.Err != nil {
		p.Undecoded[x.Err.Error()]++
		return
	}
	for range maxTunnels {
		switch x.Proto {
		case tcp.ProtoTCP:
			p.segment(x)
		case tcp.ProtoUDP:
			p.datagram(x)
			if f, ok := vxlan(x.Payload); ok {
				x.Frame, x.Outer = f, x.Stream
				continue
			}
		}
		return
	}
}

func (p *Pass) segment(x *Packet) {
	conn, outs := p.asm.Feed(&x.Frame, x.Time, int64(x.Number))
	x.Stream, x.Analysis = p.stream(conn), conn.Analysis
	if x.Src != conn.Client {
		x.Dir = dissect.ToClient
	}
	p.feed(outs)
}

func (p *Pass) stream(conn *tcp.Conn) *Stream {
	if s, ok := conn.Owner.(*Stream); ok {
		return s
	}
	s := &Stream{ID: conn.ID, Proto: tcp.ProtoTCP, TCP: conn}
	s.skip = p.options.Want != nil && !p.options.Want(s)
	conn.Owner = s
	return s
}

// feed hands on what came into order.
func (p *Pass) feed(outs []tcp.Output) {
	for i := range outs {
		o := &outs[i]
		s := p.stream(o.Conn)
		if o.Over || o.Gone {
			p.drop(s, &o.Input)
			if o.Gone {
				o.Conn.Owner = nil
			}
			continue
		}
		if s.skip {
			continue
		}
		p.keep(s)
		s.session.Feed(&o.Input)
	}
}

// maxTalks is how many TCP streams are listened to at a time. Each costs some
// kilobytes.
const maxTalks = 1 << 15

// keep makes the session of a stream, and puts the stream last in the order in
// which sessions are given up when there are too many.
func (p *Pass) keep(s *Stream) {
	if s.session != nil {
		if p.talks.Back() != s.place {
			p.talks.MoveToBack(s.place)
		}
		return
	}
	if p.talks.Len() >= maxTalks {
		old := p.talks.Front().Value.(*Stream)
		p.drop(old, &dissect.Input{Time: p.packet.Time})
		p.GivenUp++
	}
	s.session, s.place = p.session(s, "tcp"), p.talks.PushBack(s)
}

// drop ends the session of a stream.
func (p *Pass) drop(s *Stream, at *dissect.Input) {
	if s.session != nil {
		s.session.Close(at)
		p.talks.Remove(s.place)
	}
	s.session, s.skip = nil, true
}

func (p *Pass) session(s *Stream, carrier string) *Session {
	return &Session{shared: &shared{options: &p.options, stream: s, emit: p.emitted, event: &p.event}, carrier: carrier}
}

func (p *Pass) emit(e *Event) {
	if p.ended {
		p.rest = append(p.rest, *e)
		return
	}
	p.packet.Events = append(p.packet.Events, *e)
}

// end closes all streams.
func (p *Pass) end() {
	p.ended = true
	p.feed(p.asm.Close())
	p.udp.close(p.Last)
	p.GivenUp += p.asm.Evicted
	if n := p.decoder.Lost(); n > 0 {
		p.Undecoded["datagram whose IP fragments are not all there"] = n
	}
}

// Keys are the secrets, those of the capture among them as far as it was read.
func (p *Pass) Keys() *tls.KeyLog { return p.options.Keys }

// Rest returns what the end of the capture left unfinished, after Next returned
// an error.
func (p *Pass) Rest() []Event { return p.rest }
