package resolve

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// serve answers as told by a function, over UDP and TCP on one port.
func serve(t *testing.T, answer func(*dns.Msg, bool) *dns.Msg) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{Listener: l}, {PacketConn: u}} {
		tcp := s.Listener != nil
		s.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			if a := answer(q, tcp); a != nil {
				_ = w.WriteMsg(a)
			}
		})
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return l.Addr().String()
}

func reply(q *dns.Msg, rcode int, records ...string) *dns.Msg {
	a := new(dns.Msg)
	a.SetRcode(q, rcode)
	for _, r := range records {
		rr, err := dns.NewRR(r)
		if err != nil {
			panic(err)
		}
		a.Answer = append(a.Answer, rr)
	}
	return a
}

func root(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func told(steps []Step) (out []string) {
	for _, s := range steps {
		out = append(out, fmt.Sprint(s.Source, " ", s.Name, " ", s.Type, " ", s.Rcode, " ", s.Addrs))
	}
	return out
}

func TestLookupFollowsTheMachinesOrder(t *testing.T) {
	addr := serve(t, func(q *dns.Msg, _ bool) *dns.Msg {
		n := q.Question[0].Name
		if n == "api.corp.test." && q.Question[0].Qtype == dns.TypeA {
			return reply(q, dns.RcodeSuccess, n+" 60 IN CNAME web.corp.test.", "web.corp.test. 60 IN A 192.0.2.7")
		}
		if n == "api.corp.test." {
			return reply(q, dns.RcodeSuccess)
		}
		return reply(q, dns.RcodeNameError)
	})
	dir := root(t, map[string]string{
		"nsswitch.conf": "passwd: files\nhosts: files mdns4_minimal [NOTFOUND=return] dns\n",
		"hosts":         "127.0.0.1 localhost\n192.0.2.1 Printer printer.corp.test # upstairs\n",
		"resolv.conf":   "search wrong.test corp.test\noptions timeout:1 attempts:1\n",
	})
	c, err := System(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	c.Servers = []string{addr}
	for name, want := range map[string][]string{
		"printer": {"files printer   [192.0.2.1]"},
		"api": {"files api   []", "mdns4_minimal api   []",
			"dns api.wrong.test. A NXDOMAIN []", "dns api.wrong.test. AAAA NXDOMAIN []",
			"dns api.corp.test. A NOERROR [192.0.2.7]", "dns api.corp.test. AAAA NOERROR []"},
	} {
		if diff := cmp.Diff(want, told(c.Lookup(context.Background(), name))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestNextServerAfterFailure(t *testing.T) {
	bad := serve(t, func(q *dns.Msg, _ bool) *dns.Msg { return reply(q, dns.RcodeServerFailure) })
	good := serve(t, func(q *dns.Msg, _ bool) *dns.Msg { return reply(q, dns.RcodeSuccess, "a.test. 1 IN A 192.0.2.9") })
	c := Config{Servers: []string{"127.0.0.1:1", bad, good}, Timeout: time.Second, Tries: 1, Now: time.Now}
	got := c.Query(context.Background(), "a.test.", dns.TypeA)
	if len(got) != 3 || got[0].Err == nil || got[1].Rcode != "SERVFAIL" || !slices.Equal(got[2].Addrs, []netip.Addr{netip.MustParseAddr("192.0.2.9")}) {
		t.Errorf("%+v", got)
	}
}

func TestTruncatedAnswerIsFetchedOverTCP(t *testing.T) {
	addr := serve(t, func(q *dns.Msg, tcp bool) *dns.Msg {
		a := reply(q, dns.RcodeSuccess, "a.test. 1 IN TXT whole")
		if !tcp {
			a.Answer, a.Truncated = nil, true
		}
		return a
	})
	c := Config{Servers: []string{addr}, Timeout: time.Second, Tries: 1, Now: time.Now}
	if got := c.Query(context.Background(), "a.test.", dns.TypeTXT); !got[0].Found() {
		t.Errorf("%+v", got[0])
	}
}

func TestNames(t *testing.T) {
	c := Config{Search: []string{"x.test", "y.test."}, Ndots: 1}
	for name, want := range map[string][]string{
		"a":   {"a.x.test.", "a.y.test.", "a."},
		"a.b": {"a.b.", "a.b.x.test.", "a.b.y.test."},
		"a.":  {"a."},
	} {
		if diff := cmp.Diff(want, c.Names(name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestReverse(t *testing.T) {
	server := serve(t, func(q *dns.Msg, _ bool) *dns.Msg {
		if q.Question[0].Name != "1.2.0.192.in-addr.arpa." || q.Question[0].Qtype != dns.TypePTR {
			return reply(q, dns.RcodeNameError)
		}
		return reply(q, dns.RcodeSuccess, "1.2.0.192.in-addr.arpa. 60 IN PTR printer.test.")
	})
	c := Config{Servers: []string{server}, Timeout: time.Second, Now: time.Now, Root: root(t, map[string]string{
		"hosts": "127.0.0.1 localhost loop # local\n127.0.0.1 second\n::1 localhost6\n", "nsswitch.conf": "hosts: files mymachines dns\n"})}
	for addr, want := range map[string][]string{
		"127.0.0.1": {"files 127.0.0.1  [localhost loop]"},
		"::1":       {"files ::1  [localhost6]"},
		"192.0.2.1": {"files 192.0.2.1  []", "mymachines 192.0.2.1  []", "dns 1.2.0.192.in-addr.arpa. NOERROR [printer.test.]"},
		"fe80::2":   {"files fe80::2  []", "mymachines fe80::2  []", "dns 2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa. NXDOMAIN []"},
	} {
		var got []string
		for _, s := range c.Reverse(context.Background(), netip.MustParseAddr(addr)) {
			got = append(got, fmt.Sprint(s.Source, " ", s.Name, " ", s.Rcode, " ", s.Names))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", addr, diff)
		}
	}
}
