package filter

import (
	"encoding/hex"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"culprit/internal/testkit"
	"culprit/internal/testkit/captest"
)

// frame is a packet as tshark prints its fields: the values of each as text.
type frame map[string][]string

// columns are the fields of the comparison, with the types that Wireshark gives
// them.
var columns = []struct {
	name string
	typ  Type
}{
	{"frame.number", Uint}, {"frame.len", Uint}, {"frame.time_relative", Duration}, {"eth.src", Ether}, {"ip.src", IPv4}, {"ip.addr", IPv4},
	{"tcp.port", Uint}, {"tcp.srcport", Uint}, {"tcp.len", Uint}, {"tcp.flags", Uint}, {"tcp.flags.syn", Bool}, {"tcp.payload", Bytes},
	{"http.request", Bool}, {"http.request.method", String}, {"http.request.uri", String}, {"http.host", String},
	{"http.user_agent", String}, {"http.response.code", Uint}, {"http.content_type", String},
}

// asked are filters that Wireshark and this package must agree on, frame by
// frame. None has a comma: tshark's statistics take it for a separator. What
// came after Wireshark 4.0 (a constant first, xor, true) isn't here.
const asked = `
http.request
!http.request
http.response.code
http.response.code == 200
http.response.code != 200
http.response.code >= 200 && http.response.code < 300
not http.response.code == 200 and tcp.len > 0
frame.len in {60..100}
frame.number in {1..3}
frame.number not in {1..3}
frame.number == 0x0a
frame.number == 010
tcp.port == 80
tcp.port != 80
tcp.port !== 80
tcp.port === 80
tcp.port ~= 80
any tcp.port != 80
all tcp.port > 1023
any tcp.port > 40000
all tcp.port in {1024..65535}
tcp.srcport == tcp.port
tcp.port in {80} || tcp.port in {9100}
ip.addr == 127.0.0.0/8
ip.addr != 10.0.0.0/8
ip.src == ip.addr
ip.src > 63.0.0.0
ip.src in {10.0.0.0/8}
ip.src[0] == 7f
ip.addr[1:2] == 00:00
eth.src[0:3] == 00:00:00
eth.src != ff:ff:ff:ff:ff:ff
eth.src == 00-00-00-00-00-00
tcp.flags & 2
tcp.flags & 0x10 == 0x10
tcp.flags.syn == 1
tcp.flags.syn == 0
tcp.flags.syn
tcp.len + 40 > 100
tcp.len * 2 >= 300
tcp.len / 100 == 1
tcp.len % 2 == 1
tcp.len - 10 > 5
{tcp.len + 1} * 2 > 500
tcp.payload[0:3] == "GET"
tcp.payload[0:3] == 47:45:54
tcp.payload[0-2] == "GET"
tcp.payload[:4] == 48545450
tcp.payload[-2:] == 0d:0a
tcp.payload[-1] == 0a
tcp.payload[1000:10]
tcp.payload contains "HTTP/1.1"
tcp.payload contains 0d:0a:0d:0a
http.host
http.host == "api.shop.test:9100"
http.host contains "shop"
http.host matches "^API"
http.host matches "(?-i)^API"
http.host ~ "mozilla|shop"
!(http.host contains "shop")
lower(http.user_agent) contains "curl"
upper(http.request.method) == "GET"
http.request.method == "\x47ET"
http.request.method == "\107ET"
http.request.method > "F" && http.request.method < "H"
http.request.method in {"GET" .. "GEZ"}
http.request.uri matches r"^/[a-z]+\.?"
http.request.uri[0] == "/"
len(http.request.uri) > 5
len(tcp.payload) > 100
count(tcp.port) == 2
count(http.host) == 0
max(tcp.srcport) > 1
min(tcp.port) < 1024
string(frame.number) matches "[13579]$"
abs(tcp.len) > 100
frame.time_relative > 0.01
frame.time_relative < 1
tcp.len > 0 && http.request || http.response.code == 404
tcp.len > 0 && (http.request || http.response.code == 404)
http.content_type contains "json" && !http.request
`

// TestTshark compares the language with Wireshark's own, on the frames of
// captures as tshark shows them.
func TestTshark(t *testing.T) {
	tshark := testkit.Program(t, "tshark")
	files := captest.Shared("http1")
	if len(files) == 0 {
		t.Skip("the shared capture collection does not lie beside the repository")
	}
	var filters []string
	for line := range strings.Lines(asked) {
		if f := strings.TrimSpace(line); f != "" {
			filters = append(filters, f)
		}
	}
	compared := 0
	for _, path := range files {
		switch filepath.Base(path) {
		case "http1-nginx-curl.pcap", "zeek-pipelined-requests.pcap":
		default:
			continue
		}
		frames := frames(t, tshark, path)
		want := counts(t, tshark, path, filters)
		for i, f := range filters {
			p, err := Compile(frameTable(), f)
			if err != nil {
				t.Errorf("%s: %v", f, err)
				continue
			}
			n := 0
			for j := range frames {
				if p.Match(&frames[j]) {
					n++
				}
			}
			if n != want[i] {
				t.Errorf("%s: %s: %d frames, tshark has %d", filepath.Base(path), f, n, want[i])
			}
			compared++
		}
	}
	if compared < 100 {
		t.Errorf("only %d comparisons", compared)
	}
}

func run(t *testing.T, tshark string, args ...string) string {
	t.Helper()
	out, err := exec.Command(tshark, args...).Output()
	if err != nil {
		t.Fatalf("tshark %q: %v", args, err)
	}
	return string(out)
}

func frames(t *testing.T, tshark, path string) []frame {
	args := []string{"-n", "-r", path, "-T", "fields", "-E", "aggregator=|"}
	for _, c := range columns {
		args = append(args, "-e", c.name)
	}
	var list []frame
	for line := range strings.Lines(run(t, tshark, args...)) {
		f := frame{}
		for i, text := range strings.Split(strings.TrimRight(line, "\n"), "\t") {
			if text != "" {
				f[columns[i].name] = strings.Split(text, "|")
			}
		}
		list = append(list, f)
	}
	return list
}

// counts asks tshark how many frames pass each filter.
func counts(t *testing.T, tshark, path string, filters []string) []int {
	out := run(t, tshark, "-n", "-r", path, "-q", "-z", "io,stat,0,"+strings.Join(filters, ","))
	var list []int
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "<>") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|\n "), "|")
		for i := 1; i < len(cells); i += 2 { // frames and bytes
			n, err := strconv.Atoi(strings.TrimSpace(cells[i]))
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			list = append(list, n)
		}
	}
	if len(list) != len(filters) {
		t.Fatalf("tshark counts %d filters of %d:\n%s", len(list), len(filters), out)
	}
	return list
}

func frameTable() *Table[frame] {
	var list []Field[frame]
	for _, c := range columns {
		list = append(list, Field[frame]{Name: c.name, Type: c.typ, Get: func(f *frame, to []Value) []Value {
			for _, s := range (*f)[c.name] {
				to = append(to, parsed(s, c.typ))
			}
			return to
		}})
	}
	return NewTable(list)
}

// parsed reads a value as tshark prints it.
func parsed(s string, t Type) Value {
	switch t {
	case Uint, Bool:
		n, _ := strconv.ParseUint(s, 0, 64)
		return U(n)
	case Duration:
		n, _ := duration(s)
		return I(n)
	case IPv4:
		a, _ := netip.ParseAddr(s)
		return A(a)
	case Bytes, Ether:
		b, _ := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
		return B(b)
	}
	return S(s)
}
