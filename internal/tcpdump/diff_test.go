package tcpdump

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"culprit/internal/pcapng"
	"culprit/internal/testkit"
	"culprit/internal/testkit/captest"
)

// variants are options as tcpdump takes them, and the same for a Printer. The
// whole collection is printed with some of them, the committed captures with all.
var variants = []struct {
	flags string
	o     Options
	all   bool
}{
	{"-n", Options{}, true},
	{"-n -t", Options{Time: 1}, false},
	{"-n -tt -v", Options{Time: 2, Verbose: 1}, false},
	{"-n -ttt -e", Options{Time: 3, Link: true}, false},
	{"-n -tttt -vv", Options{Time: 4, Verbose: 2}, true},
	{"-n -ttttt -vvv -e", Options{Time: 5, Verbose: 3, Link: true}, true},
	{"-n -q", Options{Quiet: true}, false},
	{"-n -q -e", Options{Quiet: true, Link: true}, true},
	{"-n -S -#", Options{Absolute: true, Numbers: true}, false},
	{"-n -x", Options{Hex: 1}, false},
	{"-n -xx", Options{Hex: 2}, false},
	{"-n -X", Options{HexASCII: 1}, false},
	{"-n -XX", Options{HexASCII: 2}, false},
	{"-n -A", Options{ASCII: 1}, false},
	{"-n -AA -K -v", Options{ASCII: 2, NoSums: true, Verbose: 1}, false},
}

// ours prints a whole capture; the second result is false where it could not be
// read to its end.
func ours(t *testing.T, path string, o Options) (string, bool) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	src, err := pcapng.Open(f)
	if err != nil {
		return "", false
	}
	o.Zone = time.Local
	o.Interface = func(i uint32) string {
		if at, err := net.InterfaceByIndex(int(i)); err == nil {
			return at.Name
		}
		return ""
	}
	p := New(o)
	var out strings.Builder
	var links []int
	for {
		b, err := src.Next()
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return out.String(), true
		}
		if err != nil {
			return out.String(), false
		}
		switch b := b.(type) {
		case *pcapng.Section:
			links = nil
		case *pcapng.Interface:
			links = append(links, int(b.LinkType))
		case *pcapng.Packet:
			link := -1
			if int(b.Interface) < len(links) {
				link = links[b.Interface]
			}
			out.Write(p.Print(Packet{Link: link, Time: b.Nanos, Len: int(b.OrigLen), Data: b.Data}))
		}
	}
}

// theirs is what tcpdump prints, false when it could not read the file to its end.
func theirs(t *testing.T, path, flags string) (string, bool) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command("tcpdump", append(strings.Fields(flags), "-r", path)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	return out.String(), err == nil
}

// known are captures of what this package does not print in full, and why.
var known = func() map[string]string {
	m := map[string]string{
		"zeek-nflog-http.pcap":   "NFLOG",
		"zeek-raw-packets.pcap":  "spanning trees",
		"tcpdump-mptcp-v1.pcap":  "the option of Multipath TCP",
		"zeek-fragmented-1.pcap": "NTP with -v",
		"zeek-fragmented-2.pcap": "NTP with -v",
	}
	for _, name := range strings.Fields("le-test010 le-test012 le-test016 le-test018 be-test001 be-test007 be-test009 be-test011") {
		m["pcapng-"+name+".pcapng"] = "DHCP with -v"
	}
	return m
}()

// Over all captures what is printed is what tcpdump prints.
func TestAsTcpdump(t *testing.T) {
	testkit.Program(t, "tcpdump")
	files, err := filepath.Glob("../wire/testdata/*.pcap*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	for _, v := range variants {
		total, same := 0, 0
		list := files
		if v.all {
			list = append(slices.Clone(files), captest.All()...)
		}
		for _, path := range list {
			if strings.HasSuffix(path, ".gz") || known[filepath.Base(path)] != "" {
				continue
			}
			want, whole := theirs(t, path, v.flags)
			got, read := ours(t, path, v.o)
			if !whole || !read {
				continue
			}
			w, g := strings.SplitAfter(want, "\n"), strings.SplitAfter(got, "\n")
			total += len(w)
			for i := range w {
				x := ""
				if i < len(g) {
					x = g[i]
				}
				if w[i] != x {
					t.Errorf("%s, %s, line %d:\n want %q\n  got %q", v.flags, filepath.Base(path), i+1, w[i], x)
					break
				}
				same++
			}
		}
		t.Logf("%-20s %d of %d lines", v.flags, same, total)
	}
}
