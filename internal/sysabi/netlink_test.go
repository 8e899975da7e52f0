package sysabi

import (
	"encoding/binary"
	stdhex "encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	stdstrings "strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "renew the goldens of this package")

// testPrinter prints for a program of 64 bits, with interfaces lo and others.
func testPrinter(style Style) *printer {
	return &printer{c: &Call{Name: "recvfrom", ptr: 8}, opt: Options{
		Style:     style,
		Interface: func(i uint32) string { return map[uint32]string{1: "lo", 0x04030201: "eth0"}[i] },
	}}
}

// attribute is an attribute with its header and padding.
func attribute(typ uint16, data []byte) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(4+len(data)))
	b = append(binary.LittleEndian.AppendUint16(b, typ), data...)
	return append(b, make([]byte, align4(len(b))-len(b))...)
}

// sample is the shortest of some values that an attribute takes, and for nested
// ones one of each.
func sample(in *attrSet, is payload) []byte {
	if set, ok := is.(*attrSet); ok {
		return samples(set)
	}
	data := make([]byte, 320)
	for i := range data {
		data[i] = byte(i + 1)
	}
	for n := 1; is != nil && n <= len(data); n++ {
		p := testPrinter(StyleAbbrev)
		if p.nl.set = in; is.decode(p, span{1, n, data[:n]}) {
			if n == 1 && !fixed(is) { // a text or a list: some more of it
				return append(data[:7:7], 0)
			}
			return data[:n]
		}
	}
	return data[:4]
}

func fixed(is payload) bool { _, ok := is.(field); return ok }

func samples(set *attrSet) []byte {
	var b []byte
	for _, a := range set.attrs {
		b = append(b, attribute(a.v, sample(set, a.is))...)
	}
	if set.every != nil {
		b = append(b, attribute(1, sample(set, set.every))...)
	}
	return append(b, attribute(0x3fff, []byte("?"))...)
}

// golden compares lines with a file of testdata.
func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(stdstrings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stdstrings.Split(stdstrings.TrimSuffix(string(want), "\n"), "\n"), lines); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// Every attribute of every table has a line, and another where names are
// remarks when that is more than that of the type.
func TestAttributes(t *testing.T) {
	for file, sets := range map[string]map[string]*attrSet{
		"route": {
			"link": attrsLink(), "linkinfo": attrsLinkInfo, "af_spec": attrsAFSpec(), "inet": attrsInetLink(),
			"inet6": attrsInet6Link(), "tun": attrsTun(), "bridge": attrsBridge(), "brport": attrsBridgePort(),
			"af_bridge": attrsBridgeAF(), "mdb": attrsBridgeMDB(), "mdb_more": attrsMDBEntryMore(),
			"router_port": attrsRouterPort(), "addr": attrsAddr(), "addrlabel": attrsAddrLabel, "neigh": attrsNeigh(),
			"neightbl": attrsNeighTable(), "netconf": attrsNetconf(), "nsid": attrsNSID, "dcb": attrsDCB,
			"route": attrsRoute(), "rule": attrsRule(), "nexthop": attrsNexthop(), "report4": attrsReport4(),
			"report6": attrsReport6(), "tc": attrsTC(), "action": attrsTCRoot(), "stats": attrsStats(), "mpls": attrsMPLS(),
		},
		"diag": {
			"inet": attrsInetDiag(), "inet_req": attrsInetDiagReq(), "unix": attrsUnixDiag(), "netlink": attrsNetlinkDiag(),
			"packet": attrsPacketDiag(), "smc": attrsSMCDiag(),
		},
		"other": {"error": attrsNlmsgerr(), "ctrl": attrsCtrl(), "crypto": attrsCrypto()},
	} {
		var lines []string
		for name, set := range sets {
			for _, a := range set.attrs {
				b := attribute(a.v, sample(set, a.is))
				text := map[Style]string{}
				for _, style := range []Style{StyleAbbrev, StyleVerbose} {
					p := testPrinter(style)
					p.nl.af = AFInet6
					set.decode(p, span{1, len(b), b})
					text[style] = string(p.b)
				}
				lines = append(lines, fmt.Sprintf("%-11s %s", name, text[StyleAbbrev]))
				if _, value, _ := stdstrings.Cut(text[StyleVerbose], "}, "); !stdstrings.HasSuffix(text[StyleAbbrev], value) {
					lines = append(lines, fmt.Sprintf("%-11s %s", name, text[StyleVerbose]))
				}
			}
		}
		slices.Sort(lines)
		golden(t, "netlink_"+file+".golden", lines)
	}
}

// message is a message with its header.
func testMessage(typ, flags uint16, body []byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(nlmsgHeader+len(body)))
	b = le.AppendUint16(le.AppendUint16(b, typ), flags)
	return append(append(b, 1, 0, 0, 0, 2, 0, 0, 0), body...)
}

// The headers of messages: each type that has a name, with a payload that is
// long enough, too short, and not all there.
func TestMessages(t *testing.T) {
	body := make([]byte, 72)
	for i := range body {
		body[i] = byte(i + 1)
	}
	for file, protocol := range map[string]int{"route": nlRoute, "netfilter": nlNetfilter, "diag": nlSockDiag, "crypto": nlCrypto, "xfrm": nlXfrm, "selinux": nlSELinux, "audit": nlAudit, "generic": nlGeneric, "unknown": NetlinkUnknown} {
		var lines []string
		add := func(b []byte, have int) {
			p := testPrinter(StyleAbbrev)
			p.netlink(protocol, span{0x1000, len(b), b[:have]})
			lines = append(lines, string(p.b))
		}
		types := setNLTypes.Names
		if s := nlFamilies()[protocol]; s != nil && s.types != nil {
			types = append(types[:len(types):len(types)], s.types.Names...)
		}
		for i, s := range netfilterSubsystems() {
			for _, n := range append([]Name{{V: 0x77}}, s.names()...) {
				if protocol == nlNetfilter {
					types = append(types[:len(types):len(types)], Name{uint64(i)<<8 | n.V, n.S})
				}
			}
		}
		for i, n := range append(types, Name{V: 0x7777}, Name{V: nlctrlID}) {
			families := []byte{AFInet}
			if protocol == nlSockDiag {
				families = []byte{AFUnix, AFInet, AFInet6, AFNetlink, AFPacket, AFSMC, 99}
			}
			for _, f := range families {
				body[0] = f
				add(testMessage(uint16(n.V), 0x305, body), nlmsgHeader+len(body))
				if protocol == nlSockDiag {
					add(testMessage(uint16(n.V), 0x200, body), nlmsgHeader+len(body))
				}
			}
			if i > 3 && (protocol != nlRoute || n.V%4 != 0) {
				continue // cut short they are like those before
			}
			body[0] = AFInet
			add(testMessage(uint16(n.V), 0x700, body[:3]), nlmsgHeader+3)
			add(testMessage(uint16(n.V), 0x700, body), nlmsgHeader+2)
		}
		slices.Sort(lines)
		golden(t, "messages_"+file+".golden", slices.Compact(lines))
	}
}

func (s *netfilterSubsystem) names() []Name {
	if s.types == nil {
		return nil
	}
	return s.types.Names
}

// Messages as programs send and get them: testdata/netlink.txt has lines of a
// protocol, the text, the bytes. The text is what strace 6.1 prints, with the
// names that 7.2 knows.
func TestRealMessages(t *testing.T) {
	file, err := os.ReadFile("testdata/netlink.txt")
	if err != nil {
		t.Fatal(err)
	}
	var renewed []string
	for _, l := range stdstrings.Split(stdstrings.TrimSpace(string(file)), "\n") {
		f := stdstrings.Split(l, "\t")
		var protocol int
		if _, err := fmt.Sscan(f[0], &protocol); err != nil || len(f) != 3 {
			t.Fatalf("line %.60q: %v", l, err)
		}
		b, err := stdhex.DecodeString(f[2])
		if err != nil {
			t.Fatal(err)
		}
		p := testPrinter(StyleAbbrev)
		p.netlink(protocol, span{0x1000, len(b), b})
		renewed = append(renewed, f[0]+"\t"+string(p.b)+"\t"+f[2])
		if diff := cmp.Diff(f[1], string(p.b)); diff != "" && !*update {
			t.Errorf("%s\n%s", f[1], diff)
		}
	}
	golden(t, "netlink.txt", renewed)
}

// Bytes of any kind have a text that isn't much longer than they are.
func FuzzNetlink(f *testing.F) {
	f.Add(0, samples(attrsLink()))
	f.Add(0, testMessage(24, 1, samples(attrsRoute())))
	f.Add(4, testMessage(20, 1, make([]byte, 72)))
	f.Add(12, testMessage(0x0a00, 1, make([]byte, 20)))
	f.Add(0, testMessage(2, 0x100, testMessage(2, 0, make([]byte, 40))))
	f.Fuzz(func(t *testing.T, protocol int, b []byte) {
		for _, have := range []int{len(b), len(b) / 2} {
			p := testPrinter(StyleAbbrev)
			p.opt.Verbose = true
			p.netlink(protocol%24, span{0x1000, len(b), b[:have]})
			if len(p.b) == 0 || len(p.b) > 4096+len(b)*256 {
				t.Errorf("%d bytes of text for %d", len(p.b), len(b))
			}
		}
		m := msgRoute()
		p := testPrinter(StyleVerbose)
		m.print(p, span{0x1000, len(b), b})
		p.sockaddr(DecodeSockaddr(b))
	})
}
