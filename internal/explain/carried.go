package explain

import (
	"fmt"
	"time"

	"culprit/internal/event"
)

// carried adds to a finding what the packets of its connection show: how often
// its opening was tried, who reset it, what routers said, and a peer that takes
// no more. It changes no cause and no weight: calls have the same troubles, and
// a run without root has no packets.
func carried(f *Finding) {
	conn := f.Conn
	if conn == nil {
		return
	}
	add := func(at event.Time, text string, facts ...Fact) {
		f.Evidence = append(f.Evidence, Evidence{"wire", at, text})
		f.Facts = append(f.Facts, facts...)
	}
	for _, e := range conn.ICMP {
		add(e.Time, fmt.Sprintf("ICMP from %s: %s", e.From, e.Text), Fact{"icmp", e.Text}, Fact{"icmp_from", e.From.String()})
		break // what follows is the same again
	}
	n := len(conn.SYNs)
	switch {
	case n > 0 && conn.Answered == 0 && len(conn.ICMP) == 0:
		add(conn.SYNs[0], fmt.Sprintf("SYN to %s, %s in %s: no packet came back", conn.Remote, times(n), seconds(conn.SYNs[n-1]-conn.SYNs[0])),
			Fact{"syn_sent", n}, Fact{"answered", false})
	case n > 0 && conn.Reset != 0 && conn.Packets.Established == 0 && !conn.ResetByUs:
		add(conn.Reset, fmt.Sprintf("RST from %s answers the SYN after %s", conn.Remote, seconds(conn.Reset-conn.SYNs[0])), Fact{"reset_by", "peer"})
	case conn.Reset != 0 && conn.ResetByUs:
		add(conn.Reset, fmt.Sprintf("RST sent by this machine to %s", conn.Remote), Fact{"reset_by", "this machine"})
	case conn.Reset != 0:
		add(conn.Reset, fmt.Sprintf("RST from %s, %s after the first packet", conn.Remote, seconds(conn.Reset-conn.Packets.Opened)), Fact{"reset_by", "peer"})
	}
	if conn.ZeroWindow != 0 && conn.Reset == 0 {
		add(conn.ZeroWindow, fmt.Sprintf("%s takes no more bytes from here on: its window is 0", conn.Remote), Fact{"zero_window", true})
	}
	if conn.Again > 0 && conn.Answered != 0 {
		f.Facts = append(f.Facts, Fact{"retransmitted_segments", conn.Again})
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func seconds(d event.Time) string { return time.Duration(d).Round(time.Microsecond).String() }
