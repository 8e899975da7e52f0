package wireshark

import (
	"cmp"
	"fmt"
	"slices"

	"culprit/internal/casefile"
	"culprit/internal/pcapng"
	"culprit/internal/timeline"
)

// recorded puts the packets that were recorded into the layout, with whose they
// are in a comment: the process, its descriptor and the call.
func recorded(l *casefile.Layout, t *timeline.Timeline) {
	at := map[uint32]int{}
	var indexes []uint32
	for _, p := range t.Packets {
		if _, ok := at[p.Interface]; !ok {
			at[p.Interface] = 0
			indexes = append(indexes, p.Interface)
		}
	}
	slices.SortFunc(indexes, cmp.Compare)
	for _, i := range indexes {
		at[i] = len(l.Interfaces)
		in := casefile.Interface{Name: fmt.Sprintf("interface %d", i), LinkType: pcapng.LinkTypeRawIP,
			Description: "packets of the recorded processes, from the IP header on"}
		if known := t.Interfaces[i]; known != nil && known.Name != "" {
			in.Name = known.Name
		}
		l.Interfaces = append(l.Interfaces, in)
	}
	for _, p := range t.Packets {
		out := casefile.Packet{Time: p.Time, Interface: at[p.Interface], Direction: pcapng.Inbound, OrigLen: p.Len, Data: p.Data}
		if p.Out {
			out.Direction = pcapng.Outbound
		}
		if c := p.Conn; c != nil {
			out.PID, out.TID = c.Proc.PID, c.Proc.PID
			out.Comments = []string{whose(p)}
			if p.Call != nil {
				out.PID, out.TID = p.Call.Proc.PID, p.Call.TID
			}
		}
		l.Packets = append(l.Packets, out)
	}
}

func whose(p *timeline.Packet) string {
	call := p.Call
	if call == nil {
		call = p.Conn.Connect
	}
	if call == nil && len(p.Conn.Calls) > 0 {
		call = p.Conn.Calls[0]
	}
	who := fmt.Sprintf("%s[%d]", p.Conn.Proc.Name(), p.Conn.Proc.PID)
	if call != nil {
		who = fmt.Sprintf("%s[%d] fd %d", call.Proc.Name(), call.TID, int32(call.Raw.Args[0]))
	}
	switch {
	case p.Unread:
		return who + ": the program never read it"
	case p.Call != nil:
		return who + " " + p.Call.Name() + "()"
	}
	return who
}
