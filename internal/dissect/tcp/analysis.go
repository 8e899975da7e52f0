package tcp

import (
	"culprit/internal/dissect"
	"culprit/internal/event"
)

// Analysis says what a segment tells of the connection's troubles. The rules
// are those of Wireshark's tcp.analysis fields, whose names they have.
type Analysis uint16

// Findings of the analysis.
const (
	Retransmission Analysis = 1 << iota // also with the two below
	FastRetransmission
	SpuriousRetransmission // its bytes had been acknowledged
	OutOfOrder
	LostSegment    // a segment before this one was not captured
	AckLostSegment // it acknowledges what was not captured
	DuplicateAck
	ZeroWindow
	ZeroWindowProbe
	ZeroWindowProbeAck
	WindowFull
	WindowUpdate
	KeepAlive
	KeepAliveAck
)

var analysisNames = [...]string{"retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order", "lost_segment", "ack_lost_segment",
	"duplicate_ack", "zero_window", "zero_window_probe", "zero_window_probe_ack", "window_full", "window_update", "keep_alive", "keep_alive_ack"}

// Names lists what is set, as in tcp.analysis.NAME.
func (a Analysis) Names() (out []string) {
	for i, n := range analysisNames {
		if a>>i&1 != 0 {
			out = append(out, n)
		}
	}
	return out
}

// Analyses gives all findings with their names.
func Analyses(yield func(string, Analysis) bool) {
	for i, n := range analysisNames {
		if !yield(n, 1<<i) {
			return
		}
	}
}

// track is what the analysis remembers of a direction.
type track struct {
	next      uint32 // the highest sequence number seen, and one more; 0: none yet
	nextAt    event.Time
	toBeAcked uint32 // up to here there was no hole; 0: none yet
	ack       uint32
	ackAt     event.Time
	dupAcks   int
	last      Analysis
	window    uint16
	scale     int8 // of the window; unscaled without the option, unknown without the SYN
	acked     bool // it has sent an ACK behind its SYN: from then on the window is scaled
}

// Scales that are none.
const (
	scaleUnknown int8 = iota - 2
	scaleNone
)

const (
	fastWithin  = 20e6 // ns after the duplicate ACK
	orderWithin = 3e6  // ns, where the round trip time is not known
)

// before says whether sequence number a comes before b.
func before(a, b uint32) bool { return int32(a-b) < 0 }

// analyze looks at a segment before it is put in order.
func (c *Conn) analyze(f *Frame, d dissect.Dir, t event.Time) (a Analysis) {
	fwd, rev := &c.track[d], &c.track[d.Reverse()]
	n := uint32(len(f.Payload) + f.Cut)
	control := f.Flags&(SYN|FIN|RST) != 0
	if f.Flags&SYN != 0 {
		fwd.scale = f.Scale
		if f.Flags&ACK == 0 {
			c.synAt = t
		}
	} else if c.RTT == 0 && c.synAt != 0 && f.Flags&ACK != 0 && n == 0 && !control && c.Established != 0 {
		c.RTT = t - c.synAt
	}
	a = fwd.acks(rev, f, n, control)
	if f.Ack != fwd.ack {
		fwd.dupAcks = 0
	}
	if rev.toBeAcked != 0 && f.Flags&ACK != 0 && before(rev.toBeAcked, f.Ack) {
		a |= rev.unseen()
	}
	if (n > 0 || f.Flags&(SYN|FIN) != 0) && a&KeepAlive == 0 {
		a |= c.again(fwd, rev, f, n, t)
	}
	next := f.Seq + n
	if f.Flags&(SYN|FIN) != 0 {
		next++
	}
	if a&ZeroWindowProbe == 0 {
		if fwd.next == 0 || before(fwd.next, next) {
			fwd.next, fwd.nextAt = next, t
		}
		if fwd.toBeAcked == 0 || fwd.toBeAcked == f.Seq {
			fwd.toBeAcked = fwd.next
		}
	}
	fwd.window, fwd.ack, fwd.ackAt, fwd.last = f.Window, f.Ack, t, a
	fwd.acked = fwd.acked || f.Flags&(SYN|ACK) == ACK
	return a
}

// unseen is the finding that bytes of the direction were acknowledged which are
// not in the capture: once for each hole, however often it is acknowledged.
func (rev *track) unseen() Analysis {
	if before(rev.toBeAcked, rev.next) {
		rev.toBeAcked = rev.next
		return AckLostSegment
	}
	known := rev.dupAcks != 0
	rev.dupAcks = told
	if known {
		return 0
	}
	return AckLostSegment
}

// told in the place of a count of duplicate ACKs says that a hole was reported.
const told = -1

// acks finds what the segment's acknowledgement and window tell.
func (fwd *track) acks(rev *track, f *Frame, n uint32, control bool) (a Analysis) {
	if n == 1 && f.Seq == fwd.next && rev.window == 0 {
		return ZeroWindowProbe
	}
	if f.Window == 0 && !control {
		a |= ZeroWindow
	}
	if fwd.next != 0 && before(fwd.next, f.Seq) && f.Flags&RST == 0 {
		a |= LostSegment
	}
	if control {
		return a
	}
	if n <= 1 && f.Seq == fwd.next-1 {
		a |= KeepAlive
	}
	if n > 0 && rev.scale != scaleUnknown && f.Seq+n == rev.ack+rev.size() {
		a |= WindowFull
	}
	if n > 0 || f.Seq != fwd.next {
		return a
	}
	same := f.Ack == fwd.ack
	switch {
	case same && f.Window != 0 && f.Window != fwd.window:
		a |= WindowUpdate
	case same && f.Window != 0 && rev.last&KeepAlive != 0:
		a |= KeepAliveAck
	case f.Window == 0 && fwd.window == 0 && (same || f.Ack == fwd.ack+1) && rev.last&ZeroWindowProbe != 0:
		a |= ZeroWindowProbeAck
		if !same { // the receiver took the probe's byte
			rev.next, rev.toBeAcked = f.Ack, f.Ack
		}
	case same && f.Window != 0:
		fwd.dupAcks = max(fwd.dupAcks, 0) + 1
		a |= DuplicateAck
	}
	return a
}

// size is the window in bytes. That of a SYN is not scaled.
func (t *track) size() uint32 {
	if t.scale > 0 && t.acked {
		return uint32(t.window) << t.scale
	}
	return uint32(t.window)
}

// again tells why a segment does not advance the sequence number.
func (c *Conn) again(fwd, rev *track, f *Frame, n uint32, t event.Time) Analysis {
	late := fwd.next != 0 && before(f.Seq, fwd.next)
	if n > 1 && fwd.next-1 == f.Seq {
		late = false // it begins with the byte of a window probe
	}
	if n > 0 && rev.ack != 0 && !before(rev.ack, f.Seq+n) {
		return SpuriousRetransmission | Retransmission
	}
	if !late {
		return 0
	}
	next := f.Seq + n
	if f.Flags&(SYN|FIN) != 0 {
		next++
	}
	within := event.Time(orderWithin)
	if c.RTT != 0 {
		within = c.RTT
	}
	switch {
	case rev.dupAcks >= 2 && rev.ack == f.Seq && t-rev.ackAt < fastWithin:
		return FastRetransmission | Retransmission
	case t-fwd.nextAt < within && fwd.next != next:
		return OutOfOrder
	}
	return Retransmission
}
