package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"culprit/internal/dissect/http"
	"culprit/internal/dissect/http3"
	"culprit/internal/dissect/quic"
	"culprit/internal/dissect/tcp"
	"culprit/internal/dissect/tls"
	"culprit/internal/dissect/websocket"
	"culprit/internal/testkit/captest"
)

// tshark is what INDEX.md of the collection calls the expected results.
type tshark struct {
	Capinfos  map[string]string
	Filters   map[string]int
	Packets   table    `json:"K-packets"`
	HTTP      table    `json:"K-http"`
	HTTP2     table    `json:"K-http2"`
	WebSocket table    `json:"K-websocket"`
	QUIC      table    `json:"K-quic"`
	HTTP3     table    `json:"K-http3"`
	DNS       table    `json:"K-dns"`
	TLS       table    `json:"K-tls"`
	Conv      []string `json:"K-conv"`
	FollowTLS []follow `json:"K-follow-tls"`
	FollowTCP []follow `json:"K-follow-tcp"`
}

type table struct {
	Lines int
	Head  []string
}

// quicPacket is what tshark lists of the QUIC packets in a datagram.
type quicPacket struct{ versions, frames []string }

type follow struct {
	Stream int
	Node0  string `json:"node0_sha256"`
	Node1  string `json:"node1_sha256"`
}

// stream is what was said each way; worded has tshark's words where a hole is.
type stream struct{ text, worded [2][]byte }

// seen is what a walk found, in the form of the expected results.
type seen struct {
	packets                 map[int]string // by row: time, captured length, length
	ip, ipv6, tcp, udp      int
	syn, fin, rst, withData int
	streams                 [2]int                // TCP, UDP
	requests, answers       []string              // "stream method target", "stream status"
	frames                  []string              // of WebSockets: stream fin opcode mask length close code
	quic                    map[int64]*quicPacket // by packet
	http3                   []string              // stream, type and length of a frame
	dns                     []string
	suites, names, alerts   []string
	follow                  map[string]*stream // "tls 0", "tcp 0"
	stats                   Stats
	analysis                map[string]int
}

func walk(t *testing.T, path string) *seen {
	var keys tls.KeyLog
	base := strings.TrimSuffix(path, ".gz")
	if b, err := os.ReadFile(strings.TrimSuffix(base, filepath.Ext(base)) + ".keys"); err == nil {
		keys.Add(b)
	}
	s := &seen{quic: map[int64]*quicPacket{}, analysis: map[string]int{}, packets: map[int]string{}, follow: map[string]*stream{}}
	p, err := Open(path, Options{Keys: &keys, Body: -1, Data: s.data})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for {
		x, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		s.packet(x)
		s.events(x.Events)
	}
	s.events(p.Rest())
	s.stats = p.Stats
	return s
}

func (s *seen) packet(x *Packet) {
	when := ""
	if x.TimeKnown {
		when = fmt.Sprintf("%d.%09d", x.Time/1e9, x.Time%1e9)
	}
	s.packets[x.Number] = fmt.Sprintf("%s\t%d\t%d", when, len(x.Data), x.Len)
	if x.Outer != nil {
		s.udp++
		s.streams[1] = max(s.streams[1], x.Outer.ID+1)
	}
	if x.Src.Addr().Is4() {
		s.ip++
	} else if x.Src.Addr().Is6() {
		s.ipv6++
	}
	if x.Stream == nil {
		return
	}
	i := 0
	if x.Proto == tcp.ProtoUDP {
		i = 1
		s.udp++
	} else {
		s.tcp++
		for flag, n := range map[uint8]*int{tcp.FIN: &s.fin, tcp.RST: &s.rst} {
			if x.Flags&flag != 0 {
				*n++
			}
		}
		if x.Flags&(tcp.SYN|tcp.ACK) == tcp.SYN {
			s.syn++
		}
		if len(x.Payload)+x.Cut > 0 {
			s.withData++
		}
	}
	for name, a := range tcp.Analyses {
		if x.Analysis&a != 0 {
			s.analysis[name]++
		}
	}
	s.streams[i] = max(s.streams[i], x.Stream.ID+1)
}

func (s *seen) data(e *Event) {
	if e.Stream.TCP == nil || e.Proto != "tcp" && e.Proto != "tls" {
		return
	}
	name := fmt.Sprintf("%s %d", e.Proto, e.Stream.ID)
	f := s.follow[name]
	if f == nil {
		f = new(stream)
		s.follow[name] = f
	}
	if e.Gap > 0 {
		f.worded[e.Dir] = append(f.worded[e.Dir], fmt.Sprintf("[%d bytes missing in capture file]\x00", e.Gap)...)
	}
	f.text[e.Dir] = append(f.text[e.Dir], e.Data...)
	f.worded[e.Dir] = append(f.worded[e.Dir], e.Data...)
}

func (s *seen) events(list []Event) {
	for _, e := range list {
		id := e.Stream.ID
		switch m := e.Msg.(type) {
		case *http.Message:
			if m.Version == "HTTP/0.9" {
				continue
			}
			if m.Answer {
				s.answers = append(s.answers, fmt.Sprintf("%d %d", id, m.Status))
			} else {
				s.requests = append(s.requests, fmt.Sprintf("%d %s %s", id, m.Method, m.Target))
			}
		case *websocket.Frame:
			code := ""
			if m.Code != 0 {
				code = strconv.Itoa(int(m.Code))
			}
			s.frames = append(s.frames, fmt.Sprintf("%d %v %d %v %d %s", id, m.Fin, m.Opcode, m.Masked, m.ShortLength(), code))
		case *quic.Packet:
			x := s.quic[e.LastRef]
			if x == nil {
				x = new(quicPacket)
				s.quic[e.LastRef] = x
			}
			if m.Type != quic.OneRTT {
				x.versions = append(x.versions, fmt.Sprintf("0x%08x", uint32(m.Version)))
			}
			for _, n := range m.Frames {
				if n != 0 { // tshark counts padding by runs of its own
					x.frames = append(x.frames, strconv.FormatUint(n, 10))
				}
			}
		case http3.Frame:
			s.http3 = append(s.http3, fmt.Sprintf("%d %d %d", m.Stream, m.Type, m.Length))
		case DNS:
			if m.Message == nil {
				continue
			}
			rcode := ""
			if m.Response {
				rcode = strconv.Itoa(int(m.Rcode) & 15)
			}
			var names, types []string
			for _, q := range m.Questions {
				names, types = append(names, q.Name), append(types, strconv.Itoa(int(q.Type)))
			}
			if e.Proto != "dns" {
				continue
			}
			s.dns = append(s.dns, fmt.Sprintf("%d 0x%04x %v %s %s %s", e.LastRef, m.ID, m.Response, rcode, strings.Join(names, ","), strings.Join(types, ",")))
		case *tls.ClientHello:
			s.names = append(s.names, fmt.Sprintf("%d %s", id, m.ServerName))
		case *tls.ServerHello:
			s.suites = append(s.suites, fmt.Sprintf("%d 0x%04x", id, uint16(m.Suite)))
		case tls.Alert:
			if !m.Opaque {
				s.alerts = append(s.alerts, fmt.Sprintf("%d %d %d", id, m.Level, m.Description))
			}
		}
	}
}

// except lists where the walk's answer is not tshark's, by file and what is
// compared, with the reason.
var except = map[string]string{
	"doh-go-tls13.pcap dns":                                                "DNS in the bodies of HTTP, which is not looked for",
	"suricata-dns-over-https.pcap dns":                                     "the same",
	"suricata-dns-over-https.pcap http2":                                   "an answer that came after the client had reset its stream",
	"dot-kdig-unbound-tls13.pcap dns":                                      "tshark 4.0 does not look for DNS inside TLS on this port",
	"tcpdump-dns-badlabel.pcap dns":                                        "one datagram with a name that leads in a circle: only its port says that it is DNS",
	"zeek-connect-with-smtp.pcap http":                                     "a request line with a stray slash: tshark cuts the target there",
	"arkime-wireshark-retrans.pcap http":                                   "tshark lists answers again that were sent again",
	"arkime-tcp-reassembly-synthetic.pcap tcp.analysis.retransmission":     "a segment whose time goes backward: tshark takes the difference without its sign",
	"arkime-tcp-reassembly-synthetic.pcap tcp.analysis.out_of_order":       "the same",
	"tcp-loss-tls13-raw-client.pcap follow":                                "tshark stops at a hole; a record with a hole inside is passed over here and the rest decrypted",
	"tcp-mixed-trouble-tls13-raw-ipv6.pcap follow":                         "the same",
	"gopacket-linux-sll-oversized-addr.pcapng tcp":                         "flipped bits in IP and TCP headers, which tshark takes apart all the same",
	"gopacket-linux-sll-oversized-addr.pcapng data":                        "the same",
	"gopacket-linux-sll-oversized-addr.pcapng tcp.analysis.retransmission": "the same",
	"gopacket-linux-sll-oversized-addr.pcapng tcp.analysis.out_of_order":   "the same",
	"gopacket-linux-sll-oversized-addr.pcapng follow":                      "the same",
}

func TestCaptures(t *testing.T) {
	files := captest.All()
	if len(files) == 0 {
		t.Skip("the shared capture collection does not lie beside the repository")
	}
	good := 0
	used := map[string]bool{}
	for _, path := range files {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			want := expectation(t, path)
			got := walk(t, path)
			bad := 0
			for what, diff := range compare(want, got) {
				if diff == "" {
					continue
				}
				bad++
				key := name + " " + what
				if except[key] == "" {
					t.Errorf("%s: %s", what, diff)
				}
				used[key] = true
			}
			if bad == 0 {
				good++
			}
		})
	}
	for key := range except {
		if !used[key] {
			t.Errorf("%s: equal now, take the exception out", key)
		}
	}
	t.Logf("%d of %d captures give tshark's results in all that is compared, %d with listed exceptions", good, len(files), len(files)-good)
}

func expectation(t *testing.T, path string) *tshark {
	base := strings.TrimSuffix(path, ".gz")
	b, err := os.ReadFile(strings.TrimSuffix(base, filepath.Ext(base)) + ".expected.json")
	if err != nil {
		t.Fatal(err)
	}
	x := new(tshark)
	if err := json.Unmarshal(b, x); err != nil {
		t.Fatal(err)
	}
	return x
}

// analysed are the findings of the TCP analysis that the expected results count.
var analysed = []string{"retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order", "duplicate_ack", "lost_segment",
	"ack_lost_segment", "zero_window", "keep_alive", "window_update"}

// maxConv is how many conversations the expected results list at most.
const maxConv = 12

// compare returns what differs, by name.
func compare(want *tshark, got *seen) map[string]string {
	diff := map[string]string{}
	number := func(what string, got, want int) {
		if got != want {
			diff[what] = fmt.Sprintf("%d, want %d", got, want)
		}
	}
	n, _ := strconv.Atoi(strings.ReplaceAll(want.Capinfos["Number of packets"], ",", ""))
	number("packets", len(got.packets), n)
	diff["packet"] = comparePackets(want.Packets.Head, got.packets)
	if want.Filters != nil {
		number("ip", got.ip, want.Filters["ip"])
		number("ipv6", got.ipv6, want.Filters["ipv6"])
		number("tcp", got.tcp, want.Filters["tcp"])
		number("udp", got.udp, want.Filters["udp"])
		number("syn", got.syn, want.Filters["tcp.flags.syn==1 && tcp.flags.ack==0"])
		number("fin", got.fin, want.Filters["tcp.flags & 0x01"])
		number("rst", got.rst, want.Filters["tcp.flags.reset==1"])
		for name := range tcp.Analyses {
			if f := "tcp.analysis." + name; slices.Contains(analysed, name) {
				number(f, got.analysis[name], want.Filters[f])
			}
		}
		number("data", got.withData, want.Filters["tcp.len>0"])
	}
	if n := len(want.Conv); n > 0 && n < maxConv {
		number("streams", got.streams[0]+got.streams[1], n)
	}
	diff["http"] = compareHTTP(want.HTTP, got)
	diff["http2"] = compareHTTP2(want.HTTP2, got)
	diff["websocket"] = compareWebSocket(want.WebSocket, got)
	diff["quic"] = compareQUIC(want.QUIC, got)
	diff["http3"] = compareHTTP3(want.HTTP3, got)
	diff["dns"] = compareDNS(want.DNS, got.dns)
	diff["tls"] = compareTLS(want.TLS, got)
	diff["follow"] = compareFollow("tls", want.FollowTLS, got.follow)
	if d := compareFollow("tcp", want.FollowTCP, got.follow); d != "" {
		diff["follow"] = d
	}
	return diff
}

// comparePackets leaves out the rows that are no packets.
func comparePackets(rows []string, packets map[int]string) string {
	for _, row := range rows {
		f := strings.SplitN(row, "\t", 5)
		if len(f) < 5 || f[4] == "data" {
			continue
		}
		n, _ := strconv.Atoi(f[0])
		if w := strings.Join(f[1:4], "\t"); w != packets[n] {
			return fmt.Sprintf("packet %d is %q, want %q", n, packets[n], w)
		}
	}
	return ""
}

// lacks lists what of the wanted is not among the found ones, each as often.
func lacks(found, wanted []string) (out []string) {
	found = slices.Clone(found)
	for _, w := range wanted {
		if i := slices.Index(found, w); i >= 0 {
			found = slices.Delete(found, i, i+1)
		} else {
			out = append(out, w)
		}
	}
	return out
}

func fields(row string, n int) []string {
	f := strings.Split(row, "\t")
	for len(f) < n {
		f = append(f, "")
	}
	return f
}

// compareHTTP: everything that tshark lists must be there. What is there and not
// in its list are requests and answers that were broken off, which it hides.
func compareHTTP(want table, got *seen) string {
	var requests, answers []string
	for _, row := range want.Head {
		f := fields(row, 9)
		methods, targets := split(f[2]), split(f[3])
		for i, m := range methods {
			if i < len(targets) {
				requests = append(requests, f[1]+" "+m+" "+targets[i])
			}
		}
		for _, s := range split(f[5]) {
			answers = append(answers, f[1]+" "+s)
		}
	}
	return got.lacksHTTP(requests, answers)
}

func (s *seen) lacksHTTP(requests, answers []string) string {
	if r, a := lacks(s.requests, requests), lacks(s.answers, answers); len(r)+len(a) > 0 {
		return fmt.Sprintf("lacks requests %q, answers %q; has %q, %q", r, a, s.requests, s.answers)
	}
	return ""
}

// compareHTTP2 leaves out the requests that a server promised (frame type 5):
// nobody made them.
func compareHTTP2(want table, got *seen) string {
	var requests, answers []string
	for _, row := range want.Head {
		f := fields(row, 7)
		methods, targets := split(f[4]), split(f[5])
		switch {
		case len(methods) == 1:
			targets = f[5:6] // with its commas
		case len(methods) != len(targets):
			targets = nil // which commas are theirs can't be told
		}
		for i, m := range methods {
			if i < len(targets) && !slices.Contains(split(f[3]), "5") {
				requests = append(requests, f[1]+" "+m+" "+targets[i])
			}
		}
		for _, s := range split(f[6]) {
			answers = append(answers, f[1]+" "+s)
		}
	}
	return got.lacksHTTP(requests, answers)
}

// compareWebSocket takes the frames of a packet apart; the close codes stand
// with the close frames among them.
func compareWebSocket(want table, got *seen) string {
	var rows []string
	for _, row := range want.Head {
		f := fields(row, 7)
		fins, opcodes, masks, lengths, codes := split(f[2]), split(f[3]), split(f[4]), split(f[5]), split(f[6])
		for i, op := range opcodes {
			if i >= len(fins) || i >= len(masks) || i >= len(lengths) {
				break
			}
			code := ""
			if op == "8" && len(codes) > 0 {
				code, codes = codes[0], codes[1:]
			}
			rows = append(rows, fmt.Sprintf("%s %v %s %v %s %s", f[1], fins[i] == "1" || fins[i] == "True", op, masks[i] == "1" || masks[i] == "True", lengths[i], code))
		}
	}
	if l := lacks(got.frames, rows); len(l) > 0 || len(rows) != len(got.frames) && want.Lines <= len(want.Head) {
		return fmt.Sprintf("lacks %q; has %q", l, got.frames)
	}
	return ""
}

func compareQUIC(want table, got *seen) string {
	if want.Lines != len(got.quic) {
		return fmt.Sprintf("%d datagrams, want %d", len(got.quic), want.Lines)
	}
	for _, row := range want.Head {
		f := fields(row, 5)
		n, _ := strconv.ParseInt(f[0], 10, 64)
		x := got.quic[n]
		if x == nil {
			return "lacks " + row
		}
		frames := slices.DeleteFunc(split(f[3]), func(t string) bool { return t == "0" })
		if g, w := strings.Join(x.frames, ","), strings.Join(frames, ","); g != w || strings.Join(x.versions, ",") != f[1] {
			return fmt.Sprintf("packet %d has frames %s of %v, want %s of %s", n, g, x.versions, w, f[1])
		}
	}
	return ""
}

func compareHTTP3(want table, got *seen) string {
	var rows []string
	for _, row := range want.Head {
		f := fields(row, 4)
		streams, types, lengths := split(f[1]), split(f[2]), split(f[3])
		for i, t := range types {
			if len(streams) == 1 || len(streams) == len(types) {
				rows = append(rows, streams[i%len(streams)]+" "+t+" "+lengths[i])
			}
		}
	}
	if l := lacks(got.http3, rows); len(l) > 0 {
		return fmt.Sprintf("lacks %q; has %q", l, got.http3)
	}
	return ""
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func compareDNS(want table, got []string) string {
	var rows []string
	for _, row := range want.Head {
		f := fields(row, 10)
		response := f[2] == "1" || f[2] == "True"
		ids, rcodes, names, types := split(f[1]), split(f[3]), split(f[4]), split(f[5])
		if len(ids) < 2 || len(names) != len(ids) {
			rows = append(rows, fmt.Sprintf("%s %s %v %s %s %s", f[0], f[1], response, f[3], f[4], f[5]))
			continue
		}
		for i := range ids { // several messages in one packet
			rcode := ""
			if i < len(rcodes) {
				rcode = rcodes[i]
			}
			rows = append(rows, fmt.Sprintf("%s %s %v %s %s %s", f[0], ids[i], response, rcode, names[i], types[i]))
		}
	}
	if l := lacks(got, rows); len(l) > 0 {
		return fmt.Sprintf("lacks %d of %d: %q; has %q", len(l), len(rows), l, got)
	}
	if len(rows) == 0 && len(got) > 0 {
		return fmt.Sprintf("tshark has none: %q", got)
	}
	return ""
}

func compareTLS(want table, got *seen) string {
	var suites, names, alerts []string
	for _, row := range want.Head {
		f := fields(row, 8)
		if f[1] == "" {
			continue // DTLS, QUIC
		}
		types := split(f[2])
		if slices.Contains(types, "2") && !slices.Contains(types, "1") {
			for _, s := range split(f[3]) {
				suites = append(suites, f[1]+" "+s)
			}
		}
		for _, n := range split(f[4]) {
			names = append(names, f[1]+" "+n)
		}
		levels, kinds := split(f[6]), split(f[7])
		for i := range levels {
			if i < len(kinds) {
				alerts = append(alerts, f[1]+" "+levels[i]+" "+kinds[i])
			}
		}
	}
	if s, n, a := lacks(got.suites, suites), lacks(got.names, names), lacks(got.alerts, alerts); len(s)+len(n)+len(a) > 0 {
		return fmt.Sprintf("lacks suites %q, names %q, alerts %q; has %q %q %q", s, n, a, got.suites, got.names, got.alerts)
	}
	return ""
}

// compareFollow compares both directions' bytes. tshark puts words where a hole
// is, but none where the end of a packet was cut off.
func compareFollow(kind string, want []follow, got map[string]*stream) string {
	sum := func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }
	for _, w := range want {
		f := got[fmt.Sprintf("%s %d", kind, w.Stream)]
		if f == nil {
			f = new(stream)
		}
		same := func(b [2][]byte) bool {
			x, y := sum(b[0]), sum(b[1])
			return x == w.Node0 && y == w.Node1 || x == w.Node1 && y == w.Node0
		}
		if !same(f.text) && !same(f.worded) {
			return fmt.Sprintf("%s stream %d: %d and %d bytes differ", kind, w.Stream, len(f.text[0]), len(f.text[1]))
		}
	}
	return ""
}
