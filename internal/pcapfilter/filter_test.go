package pcapfilter

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"culprit/internal/pcapng"
	"culprit/internal/testkit"
	"culprit/internal/testkit/captest"
)

// expressions are compiled for every link type; where libpcap refuses one, so
// must we.
var expressions = strings.Split(strings.TrimSpace(`
ip
ip6
arp
rarp
tcp
udp
icmp
icmp6
igmp
sctp
ah
esp
stp
ip or ip6
not ip
!ip6 and !arp
tcp port 80
port 53
port 443 or 80
udp port 53 or 5353
src port 53
dst port 443
src or dst port 80
src and dst port 53
tcp src port 80
portrange 1-1023
tcp dst portrange 8000-9000
port http
host 127.0.0.1
src host 127.0.0.1
dst 127.0.0.1
host 127.0.0.1 and not port 443
src and dst host 127.0.0.1
ip host 10.0.2.15
arp host 192.168.1.1
net 10.0.0.0/8
net 10
net 192.168
src net 192.168.1.0/24
dst net 172.16.0.0 mask 255.240.0.0
net 0.0.0.0/0
host ::1
ip6 host ::1
src host fe80::1
net fe80::/10
net 2001:db8::/33
net ::/0
not (host 127.0.0.1 or host ::1)
ip proto 17
ip proto \tcp
ip proto \udp
ip6 proto 58
proto 6
proto \icmp
ether proto 0x0800
ether proto \arp
ether proto 0x86dd
ether host 00:0c:29:12:34:56
ether src 00:00:00:00:00:00
ether dst ff:ff:ff:ff:ff:ff
ether broadcast
broadcast
ether multicast
multicast
ip multicast
ip6 multicast
less 100
greater 1000
len > 500
len <= 60
vlan
vlan 10
vlan and tcp
vlan and vlan and ip
pppoes
pppoes and tcp port 443
mpls
tcp[tcpflags] & tcp-syn != 0
tcp[tcpflags] & (tcp-syn|tcp-fin) != 0
tcp[13] == 2
tcp[tcpflags] == tcp-syn|tcp-ack
tcp[0:2] = 443
tcp[2:2] > 1023 and tcp[4:4] != 0
ip[0] & 0xf != 5
ip[8] < 64
ip[2:2] > 576
ip[6:2] & 0x1fff != 0
ip6[6] == 58
udp[4:2] >= 100
icmp[icmptype] == icmp-echo or icmp[icmptype] == icmp-echoreply
icmp[0] = 3 and icmp[1] = 3
icmp6[icmp6type] == icmp6-neighborsolicit
ether[12:2] = 0x0800
ether[0] & 1 = 0 and ip[16] >= 224
tcp[(tcp[12] >> 4) * 4:4] = 0x47455420
tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)
ip[2:2] - 20 > 100 or ip6[4:2] * 2 < 200
ip[0] % 2 = 1
ip[8] ^ 64 = 0
ip[8] / 2 = 32
len - ip[2:2] = 14
(tcp or udp) and (port 80 or port 53) and not net 10.0.0.0/8
tcp and port 80 or udp and port 53
tcp or udp and port 53
host 127.0.0.1 and (port 80 or 443)
tcp port (80 or 443)
not port 80 and not port 443 and not arp
inbound
outbound
(ip)
not not tcp
((((tcp))))
ip src 10.0.0.1 or ip dst 10.0.0.1
`), "\n")

var refused = strings.Split(strings.TrimSpace(`
and
tcp and
port
port 70000
port notaservice
host
host 1.2.3.4.5
net 10.0.0.1/8
net 1.2.3.4/40
net ::1/200
tcp host 1.2.3.4
ip host ::1
ip6 host 1.2.3.4
ether host 1.2.3.4
tcp[0:3] = 1
ip[0
(tcp
tcp)
1 =
ip[0] / 0 = 1
vlan 5000
foo bar
tcp port 80 80
`), "\n")

func service(name string) (uint16, uint8, bool) {
	if name == "http" {
		return 80, 0, true
	}
	return 0, 0, false
}

// merged are the packets of all captures by link type, each with its number as
// its time, so that it can be told from all others.
func merged(t *testing.T) map[int][]*pcapng.Packet {
	t.Helper()
	out := map[int][]*pcapng.Packet{}
	files, err := filepath.Glob("../wire/testdata/*.pcap*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	for _, path := range append(files, captest.All()...) {
		if strings.HasSuffix(path, ".gz") {
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		src, err := pcapng.Open(f)
		var links []int
		for err == nil {
			var b pcapng.Block
			if b, err = src.Next(); err != nil {
				break
			}
			switch b := b.(type) {
			case *pcapng.Section:
				links = nil
			case *pcapng.Interface:
				links = append(links, int(b.LinkType))
			case *pcapng.Packet:
				if int(b.Interface) < len(links) && len(b.Data) > 0 && len(b.Data) < 65536 && int(b.OrigLen) >= len(b.Data) {
					link := links[b.Interface]
					out[link] = append(out[link], &pcapng.Packet{Ticks: uint64(len(out[link])) * 1000, OrigLen: b.OrigLen, Data: bytes.Clone(b.Data)})
				}
			}
		}
		f.Close()
	}
	return out
}

func write(t *testing.T, path string, link int, packets []*pcapng.Packet) {
	t.Helper()
	var b bytes.Buffer
	w := pcapng.NewWriter(&b)
	blocks := []pcapng.Block{&pcapng.Section{Major: 1}, &pcapng.Interface{LinkType: uint16(link)}}
	for _, p := range packets {
		blocks = append(blocks, p)
	}
	for _, x := range blocks {
		if err := w.Write(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// theirs are the numbers of the packets that tcpdump accepts.
func theirs(t *testing.T, path, expression string) (out []int, errText string) {
	t.Helper()
	var b, errs bytes.Buffer
	cmd := exec.Command("tcpdump", "-r", path, "-w", "-", expression)
	cmd.Stdout, cmd.Stderr = &b, &errs
	if err := cmd.Run(); err != nil {
		return nil, errs.String()
	}
	src, err := pcapng.Open(&b)
	if err != nil {
		t.Fatal(err)
	}
	for {
		x, err := src.Next()
		if errors.Is(err, io.EOF) {
			return out, ""
		}
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := x.(*pcapng.Packet); ok {
			out = append(out, int(p.Nanos/1e6))
		}
	}
}

// Every packet of all captures is accepted and rejected as tcpdump does it.
func TestAsLibpcap(t *testing.T) {
	testkit.Program(t, "tcpdump")
	for link, list := range merged(t) {
		if _, ok := layoutOf(link); !ok {
			continue
		}
		path := filepath.Join(t.TempDir(), "all.pcapng")
		write(t, path, link, list)
		for _, e := range expressions {
			want, refusal := theirs(t, path, e)
			f, err := Compile(e, Options{Link: link, Service: service})
			if strings.Contains(refusal, "rejects all packets") {
				refusal = ""
			}
			if err != nil || refusal != "" {
				if (err != nil) != (refusal != "") {
					t.Errorf("link type %d, %q: %v; tcpdump: %s", link, e, err, refusal)
				}
				continue
			}
			var got []int
			for i, p := range list {
				if f.Match(p.Data, int(p.OrigLen)) {
					got = append(got, i)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("link type %d, %q: %d packets, tcpdump: %d", link, e, len(got), len(want))
			}
		}
	}
}

// What tcpdump refuses is refused, with the place.
func TestRefused(t *testing.T) {
	for _, e := range refused {
		_, err := Compile(e, Options{Link: 1, Service: service})
		if !errors.As(err, new(*Error)) {
			t.Errorf("%q: %v", e, err)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, e := range slices.Concat(expressions, refused) {
		f.Add(e)
	}
	f.Fuzz(func(t *testing.T, e string) {
		for _, link := range []int{1, 101, 276} {
			if p, err := Compile(e, Options{Link: link}); err == nil {
				p.Match(make([]byte, 60), 60)
			}
		}
	})
}
