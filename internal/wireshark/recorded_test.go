package wireshark

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/casefile"
	"culprit/internal/dissect"
	"culprit/internal/dissect/tcp"
	"culprit/internal/event"
	"culprit/internal/explain"
	"culprit/internal/pcapng"
	"culprit/internal/timeline"
)

// Packets that were recorded stand in the place of those that are made up, and
// say whose they are.
func TestRecorded(t *testing.T) {
	p := &timeline.Process{PID: 70, Argv: []string{"curl"}}
	call := &timeline.Call{Proc: p, TID: 71, Raw: raw(t, "write", 5)}
	call.Raw.Args[0] = 5
	conn := &timeline.Conn{Proc: p, Type: stream, Remote: addr("10.0.0.3:80"), Packets: &tcp.Conn{}, Connect: call,
		Segments: []timeline.Segment{{Dir: dissect.ToServer, Data: []byte("x"), Call: call}}}
	idle := &timeline.Conn{Proc: p, Type: stream, Remote: addr("10.0.0.4:80"), Packets: &tcp.Conn{}}
	tl := &timeline.Timeline{
		Procs: []*timeline.Process{p}, Conns: []*timeline.Conn{conn, idle},
		Interfaces: map[uint32]*event.Interface{2: {Index: 2, Name: "eth0"}},
		Packets: []*timeline.Packet{
			{Time: 1, Interface: 2, Out: true, Len: 90, Data: []byte("head"), Conn: conn, Call: call},
			{Time: 2, Interface: 9, Data: []byte("in"), Len: 2, Conn: conn, Unread: true},
			{Time: 3, Interface: 2, Data: []byte("idle"), Len: 4, Conn: idle},
			{Time: 4, Interface: 2, Data: []byte("icmp"), Len: 4},
		},
	}
	l := Layout(tl, explain.Finding{}, "")
	want := []casefile.Packet{
		{Time: 1, Interface: 1, PID: 70, TID: 71, Direction: pcapng.Outbound, OrigLen: 90, Data: []byte("head"), Comments: []string{"curl[71] fd 5 write()"}},
		{Time: 2, Interface: 2, PID: 70, TID: 70, Direction: pcapng.Inbound, OrigLen: 2, Data: []byte("in"), Comments: []string{"curl[71] fd 5: the program never read it"}},
		{Time: 3, Interface: 1, PID: 70, TID: 70, Direction: pcapng.Inbound, OrigLen: 4, Data: []byte("idle"), Comments: []string{"curl[70]"}},
		{Time: 4, Interface: 1, Direction: pcapng.Inbound, OrigLen: 4, Data: []byte("icmp")},
	}
	if d := cmp.Diff(want, l.Packets); d != "" {
		t.Errorf("packets (-want +got):\n%s", d)
	}
	var names []string
	for _, i := range l.Interfaces {
		names = append(names, i.Name)
	}
	if d := cmp.Diff([]string{"system calls", "eth0", "interface 9"}, names); d != "" {
		t.Errorf("interfaces (-want +got):\n%s", d)
	}
}
