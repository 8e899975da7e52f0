package filter

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// row is a row of tests: an exchange over a connection.
type row struct {
	code     uint64
	method   string
	host     []string
	src, dst netip.Addr
	ports    []uint64
	body     []byte
	dur      int64
	err      string
	ret      int64
	at       int64
}

var rcodes = map[string]uint64{"NOERROR": 0, "NXDOMAIN": 3}

func toy() *Table[row] {
	str := func(f func(*row) string) func(*row, []Value) []Value {
		return func(r *row, to []Value) []Value {
			if s := f(r); s != "" {
				to = append(to, S(s))
			}
			return to
		}
	}
	addr := func(to []Value, list ...netip.Addr) []Value {
		for _, a := range list {
			if a.Is4() {
				to = append(to, A(a))
			}
		}
		return to
	}
	return NewTable([]Field[row]{
		{Name: "http", Type: Protocol, Group: 1, Get: func(r *row, to []Value) []Value {
			if r.code != 0 {
				to = append(to, Value{})
			}
			return to
		}},
		{Name: "http.response.code", Type: Uint, Group: 1, Get: func(r *row, to []Value) []Value {
			if r.code != 0 {
				to = append(to, U(r.code))
			}
			return to
		}},
		{Name: "http.request.method", Type: String, Group: 1, Get: str(func(r *row) string { return r.method })},
		{Name: "http.host", Type: String, Group: 1, Get: func(r *row, to []Value) []Value {
			for _, h := range r.host {
				to = append(to, S(h))
			}
			return to
		}},
		{Name: "http.body", Type: Bytes, Group: 1, Get: func(r *row, to []Value) []Value {
			if r.body != nil {
				to = append(to, B(r.body))
			}
			return to
		}},
		{Name: "ip.src", Type: IPv4, Group: 2, Get: func(r *row, to []Value) []Value { return addr(to, r.src) }},
		{Name: "ip.dst", Type: IPv4, Group: 2, Get: func(r *row, to []Value) []Value { return addr(to, r.dst) }},
		{Name: "ip.addr", Type: IPv4, Group: 2, Get: func(r *row, to []Value) []Value { return addr(to, r.src, r.dst) }},
		{Name: "tcp.port", Type: Uint, Group: 2, Get: func(r *row, to []Value) []Value {
			for _, p := range r.ports {
				to = append(to, U(p))
			}
			return to
		}},
		{Name: "dns.rcode", Type: Uint, Group: 2, Get: func(r *row, to []Value) []Value { return append(to, U(3)) },
			Number: func(w string) (uint64, bool) { n, ok := rcodes[w]; return n, ok },
			Word: func(n uint64) string {
				if n == 3 {
					return "NXDOMAIN"
				}
				return ""
			}},
		{Name: "syscall.duration", Type: Duration, Group: 4, Get: func(r *row, to []Value) []Value { return append(to, I(r.dur)) }},
		{Name: "syscall.error", Type: String, Group: 4, Get: str(func(r *row) string { return r.err }),
			Words: func() []string { return []string{"EPIPE", "ENOENT", "http"} }},
		{Name: "syscall.result", Type: Int, Group: 4, Get: func(r *row, to []Value) []Value { return append(to, I(r.ret)) }},
		{Name: "syscall.slow", Type: Bool, Group: 4, Get: func(r *row, to []Value) []Value {
			if r.dur > 1e9 {
				to = append(to, U(1))
			}
			return to
		}},
		{Name: "frame.time", Type: Time, Group: 8, Get: func(r *row, to []Value) []Value { return append(to, I(r.at)) }},
	})
}

var sample = row{code: 413, method: "POST", host: []string{"Example.com", "b.org"},
	src: netip.MustParseAddr("10.1.2.3"), dst: netip.MustParseAddr("192.168.0.9"), ports: []uint64{40000, 443},
	body: []byte("\x00\x01GET \xff"), dur: 1500e6, err: "EPIPE", ret: -32, at: 1795559400e9}

// TestMatch lists filters that let the sample through, and with - in front
// those that don't.
func TestMatch(t *testing.T) {
	table := toy()
	for line := range strings.Lines(`

http
http.response.code
-!http
not http || http.response.code == 413
http.response.code == 413
http.response.code eq 0x19d
http.response.code == 0635
http.response.code == 0b110011101
- http.response.code != 413
http.response.code >= 400 && http.response.code < 500
400 <= http.response.code < 500
- 400 <= http.response.code < 413
(400 <= http.response.code) and not (http.response.code > 413)
413 == http.response.code
412 < http.response.code
- 413 < http.response.code
http xor http.response.code == 200
- http ^^ http.response.code
- http && http.response.code == 1 || http.response.code == 2
http || http && http.response.code == 2
! http.response.code == 414
not not http

# several values
ip.addr == 10.1.2.3
ip.addr == 10.0.0.0/8
- ip.addr == 10.0.0.0/16
- ip.addr != 10.1.2.3
ip.addr !== 10.1.2.3
ip.addr ~= 10.1.2.3
any ip.addr != 10.1.2.3
- all ip.addr == 10.1.2.3
- ip.addr === 10.1.2.3
ip.addr all_ne 10.9.9.9
ip.addr != 10.9.0.0/16
all tcp.port > 400
- all tcp.port > 1024
any tcp.port > 1024
tcp.port > 1024
tcp.port == 443
- tcp.port != 443
ip.src == ip.addr
- ip.src == ip.dst
ip.dst > ip.src
ip.src in {10.0.0.0/8, 1.2.3.4}
ip.src in {10.1.0.0..10.2.0.0}
ip.dst not in {10.0.0.0/8}
tcp.port in {80, 443, 8000..8999}
- tcp.port in {80, 81}
tcp.port not in {80}
all tcp.port in {443, 40000..40010}
- all tcp.port in {443}
tcp.port in {442..442, 443}
syscall.result in {-33..-31}
- syscall.result in {-31 .. -33}

# strings
http.request.method == "POST"
http.request.method == POST
http.request.method == "\x50\117S\u0054"
- http.request.method == post
lower(http.request.method) == post
upper(http.host) contains "EXAMPLE"
http.host contains "b.o"
http.host contains b.o
- http.host contains "B.o"
http.host matches "^EXAMPLE\\.com$"
http.host ~ r"^example\.com$"
- http.host matches "(?-i)^example"
- all http.host matches "example"
http.host == b.org
http.request.method in {GET, "POST"}
http.request.method > "PA"
http.request.method in {"PA".."PZ"}
syscall.error == EPIPE
syscall.error == "EPIPE"
- syscall.error == http
syscall.error != ENOENT
syscall.error contains PIP
syscall.error == %EPIPE
- syscall.error == http.request.method

# bytes, slices
http.body contains "GET"
http.body contains 00:01
http.body contains 47.45.54
http.body matches "get"
http.body == 00:01:47:45:54:20:ff
- http.body == 00:01
http.body[0:2] == 00:01
http.body[2:3] == "GET"
http.body[-1] == ff
http.body[-1:1] == 0xff
http.body[-1] == '\xff'
http.body[2-4] == "GET"
http.body[-5--3] == "GET"
http.body[2:] == "GET \xff"
http.body[5:] == "\x20\xff"
http.body[:2] == 0001
http.body[0,2:3,-1] == 00:47:45:54:ff
- http.body[10:2]
- http.body[5:9] == ff
http.request.method[0:2] == "PO"
ip.src[0] == 0a
ip.src[2:2] == 02:03
http.body[2:3][0] == "G"
len(http.body) == 7
len(http.request.method) > 3

# other types
syscall.duration > 1
syscall.duration == 1.5
syscall.duration == 1500ms
syscall.duration == "1.5s"
syscall.duration < 1m1s
syscall.duration * 2 == 3s
syscall.duration / 3 >= 500ms
syscall.duration - 1s == 0.5
2 * syscall.duration == 3
- syscall.duration < 0
syscall.slow
syscall.slow == true
syscall.slow == 1
- syscall.slow == FALSE
syscall.result == -32
syscall.result < 0
abs(syscall.result) == 32
-syscall.result == 32
syscall.result == -(16 * 2)
syscall.result + 33 == 1
syscall.result % 5 == -2
http.response.code & 1
- http.response.code & 2
http.response.code & 0xf0 == 0x90
http.response.code bitand 12 == 12
http.response.code / 100 == 4
http.response.code + 1 * 2 == 415
{http.response.code + 1} * 2 == 828
(http.response.code + 1) * 2 == 828
- http.response.code / 0 == 0
http.response.code == 400 + 13
tcp.port - http.response.code == 30
dns.rcode == NXDOMAIN
dns.rcode == "NXDOMAIN"
dns.rcode == 3
dns.rcode in {NOERROR, NXDOMAIN}
vals(dns.rcode) contains "DOM"
count(ip.addr) == 2
max(tcp.port) == 40000
min(tcp.port, http.response.code) == 413
max(http.response.code, 500) == 500
string(http.response.code) matches "3$"
string(ip.src) contains "1.2"
frame.time > "2026-11-24 00:00:00Z"
frame.time < "2026-11-25T00:00:00+01:00"
- frame.time > "2027-01-01"
frame.time == 1795559400
frame.time - frame.time == 0
frame.time + 1h > "2026-11-24 23:00:00Z"
http.response.code == '\235' + 256
`) {
		text := strings.TrimSpace(line)
		if text == "" || text[0] == '#' {
			continue
		}
		want := true
		if text[0] == '-' && !strings.HasPrefix(text, "-syscall") {
			want, text = false, text[1:]
		}
		p, err := Compile(table, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := p.Match(&sample); got != want {
			t.Errorf("%s: %v", text, got)
		}
		// Functions may allocate; regular expressions do under the race detector,
		// which makes sync.Pool forget.
		if n := testing.AllocsPerRun(10, func() { p.Match(&sample) }); n > 0 && !strings.Contains(text, "(") && !strings.Contains(text, " matches ") && !strings.Contains(text, " ~ ") {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func TestErrors(t *testing.T) {
	table := toy()
	for _, c := range []struct{ text, want string }{
		{"http.respons.code == 413", "no field \"http.respons.code\"; did you mean http.response.code?\n    http.respons.code == 413\n    ^~~~~~~~~~~~~~~~~"},
		{"http and http.hosst", "no field \"http.hosst\"; did you mean http.host?\n    http and http.hosst\n             ^~~~~~~~~~"},
		{"http.host == http.hosst", "no field \"http.hosst\"; did you mean http.host?\n    http.host == http.hosst\n                 ^~~~~~~~~~"},
		{"zzzzzzzz", "no field \"zzzzzzzz\"\n    zzzzzzzz\n    ^~~~~~~~"},
		{"syscall.error == EPIP", "syscall.error is never \"EPIP\"; did you mean EPIPE?\n    syscall.error == EPIP\n                     ^~~~"},
		{"syscall.error in {EPIPE, X}", "syscall.error is never \"X\""},
		{"ip.src == 1.2.3", "1.2.3 is no IPv4 address\n    ip.src == 1.2.3\n              ^~~~~"},
		{"ip.src == ::1", "::1 is no IPv4 address"},
		{"ip.src < 10.0.0.0/8", "a network has no order"},
		{"ip.src == http.host", "ip.src is of type IPv4 address, and http.host of type string"},
		{"http.response.code == abc", "abc is no unsigned integer\n"},
		{"http.response.code == 99999999999999999999", "is no unsigned integer"},
		{"http.response.code == \"413\"", "\"413\" is no unsigned integer"},
		{"dns.rcode == NXDOMIAN", "NXDOMIAN is no unsigned integer and no name that dns.rcode has"},
		{"http.response.code contains 1", "only strings and bytes contain something"},
		{"http.response.code matches \"1\"", "regular expressions are for strings; string(http.response.code) makes one"},
		{"http.host matches \"(\"", "missing closing ): `(?i)(`"},
		{"http.host matches GET", "a regular expression stands in double quotes"},
		{"http == 1", "http has no value: it is there or not"},
		{"http.response.code == http", "http has no value"},
		{"1 == 2", "two constants are compared"},
		{"\"a\"", "\"a\" is a constant: a field is missing"},
		{"syscall.duration > abc", "abc is no duration: it is a number of seconds, or has a unit, as 20ms"},
		{"frame.time > yesterday", "yesterday is no date and time"},
		{"http.body == xyz", "xyz is no bytes"},
		{"syscall.slow == maybe", "maybe is no boolean: it is true or false"},
		{"http.response.code[0] == 1", "only strings, bytes and addresses have slices"},
		{"http.body[x] == 1", "\"x\" is no slice"},
		{"http.body[3-1] == 1", "\"3-1\" is no slice"},
		{"http.body[0", "the slice has no closing bracket"},
		{"uper(http.host)", "no function \"uper\"; did you mean upper?\n    uper(http.host)\n    ^~~~"},
		{"upper(tcp.port)", "upper is for strings"},
		{"upper()", "upper wants an argument"},
		{"upper(http.host, http.host)", "upper wants one argument, not 2"},
		{"vals(tcp.port)", "tcp.port has no symbolic names"},
		{"max(1, 2)", "1 is a constant"},
		{"ip.src + 1 == 2", "1 is no IPv4 address"},
		{"http.host - http.host == 2", "can't be applied to a string and a string"},
		{"http.host == -(1 + 2)", "a string has no negative"},
		{"http &&", "the filter ends where something is missing"},
		{"(http", "\"(\" is never closed"},
		{"http)", "\")\" is not expected here"},
		{"http http", "\"http\" is not expected here"},
		{"tcp.port in 80", "\"in\" wants a set in curly brackets"},
		{"tcp.port in {80 81}", "a comma is missing"},
		{"tcp.port in {80", "the set is never closed"},
		{"tcp.port in {}", "\"}\" is not expected here"},
		{"(http == 1) == 2", "\"==\" wants values, and what is before it is a test"},
		{"tcp.port == (tcp.port == 1)", "\"==\" wants values, and this is a test"},
		{"any http", "\"any\" wants a comparison behind it"},
		{"\"abc", "the string has no closing quote"},
		{"http.host == \"\\q\"", "is no escape sequence"},
		{"http.host == \"\\u12\"", "wants 4 hexadecimal digits"},
		{"'ab' == tcp.port", "a character constant is one byte"},
		{"ip.src#1 == 1.2.3.4", "Wireshark's layers (#) are not in culprit's filters\n    ip.src#1 == 1.2.3.4\n          ^"},
		{"http = 1", "'=' has no meaning here"},
		{"äöü", "'ä' has no meaning here"},
		{strings.Repeat("(", 1000), "nests too deep"},
		{strings.Repeat("!", 1000) + "http", "nests too deep"},
	} {
		_, err := Compile(table, c.text)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if !strings.HasPrefix(err.Error(), c.want) && !strings.Contains(e.Msg, c.want) {
			t.Errorf("%s:\n%v\nwant\n%s", c.text, err, c.want)
		}
	}
}

func TestRequires(t *testing.T) {
	table := toy()
	for _, c := range []struct {
		text     string
		needs    Group
		requires bool // of group 4
	}{
		{"", 0, false},
		{"syscall.result == 1", 4, true},
		{"!syscall.result == 1", 4, false},
		{"!!syscall.slow", 4, true},
		{"syscall.error == EPIPE && http", 5, true},
		{"syscall.error == EPIPE || http", 5, false},
		{"(syscall.slow || syscall.error == EPIPE) && !http", 5, true},
		{"frame.time > 0", 8, false},
		{"frame.time > 0 && syscall.result < 0", 12, true},
		{"syscall.slow xor http", 5, false},
		{"syscall.slow xor syscall.error == EPIPE", 4, true},
		{"tcp.port in {1, 2} && abs(syscall.result) > 3", 6, true},
		{"syscall.result not in {1}", 4, false},
		{"max(syscall.result, tcp.port) == 5", 6, true},
	} {
		p, err := Compile(table, c.text)
		if err != nil {
			t.Fatal(err)
		}
		if g, r := p.Needs(), p.Requires(4); g != c.needs || r != c.requires {
			t.Errorf("%s: needs %d, requires %v; want %d, %v", c.text, g, r, c.needs, c.requires)
		}
	}
}

func TestAppend(t *testing.T) {
	for _, c := range []struct {
		v    Value
		t    Type
		want string
	}{
		{U(7), Uint, "7"}, {I(-7), Int, "-7"}, {U(1), Bool, "1"},
		{I(1500e6), Duration, "1.500000000"}, {I(-1), Duration, "-0.000000001"}, {I(-1 << 63), Duration, "-9223372036.854775808"},
		{I(1795559400e9), Time, "2026-11-24T22:30:00.000000000Z"}, {S("a b"), String, "a b"}, {B([]byte{1, 0xfe}), Bytes, "01fe"},
		{A(netip.MustParseAddr("::1")), IPv6, "::1"}, {B([]byte{1, 2, 3, 4, 5, 0xff}), Ether, "01:02:03:04:05:ff"}, {Value{}, Protocol, ""},
	} {
		if got := string(c.v.Append(nil, c.t)); got != c.want {
			t.Errorf("%v as %v: %s, want %s", c.v, c.t, got, c.want)
		}
	}
}

func TestFind(t *testing.T) {
	if f, err := toy().Find("ip.src"); err != nil || f.Name != "ip.src" {
		t.Errorf("%v, %v", f, err)
	}
	if _, err := toy().Find("ip.scr"); err == nil || !strings.Contains(err.Error(), "did you mean ip.src?") {
		t.Errorf("%v", err)
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{
		"http.response.code == 413 && ip.addr == 10.0.0.0/8", `http.host ~ r"a\"b" or http.body[1:2,-3--1] == 0a`,
		"tcp.port in {1..2, 3} xor not all syscall.duration > 2ms", "{tcp.port + 1} * -2 & 7 <= max(tcp.port, 1) != 'a'",
		"frame.time > \"2026-11-24 00:00:00Z\"", "vals(dns.rcode) == NXDOMAIN", "a < b < c", "(((http)))",
	} {
		f.Add(s)
	}
	table := toy()
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Compile(table, text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Start < 0 || e.End < e.Start || e.End > len(text) {
				t.Fatalf("%#v", err)
			}
			_ = err.Error()
			return
		}
		empty := row{}
		p.Match(&sample)
		if p.Requires(1) && p.Match(&empty) {
			t.Fatal("a row without http passes")
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	table := toy()
	for _, text := range []string{"syscall.error == EPIPE", "http.response.code >= 400 && ip.addr == 10.0.0.0/8", "http.host matches \"^b\"", "tcp.port in {1, 2, 8000..9000}"} {
		b.Run(text, func(b *testing.B) {
			p, err := Compile(table, text)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				p.Match(&sample)
			}
		})
	}
}
