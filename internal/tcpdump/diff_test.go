package tcpdump

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"culprit/internal/pcapng"
	"culprit/internal/testkit/captest"
)

// variants are options as tcpdump takes them, and the same for a Printer.
var variants = []struct {
	flags string
	o     Options
}{
	{"-n", Options{}},
	{"-n -t", Options{Time: 1}},
	{"-n -tt -v", Options{Time: 2, Verbose: 1}},
	{"-n -ttt -e", Options{Time: 3, Link: true}},
	{"-n -tttt -vv", Options{Time: 4, Verbose: 2}},
	{"-n -ttttt -vvv -e", Options{Time: 5, Verbose: 3, Link: true}},
	{"-n -q", Options{Quiet: true}},
	{"-n -q -e", Options{Quiet: true, Link: true}},
	{"-n -S -#", Options{Absolute: true, Numbers: true}},
	{"-n -x", Options{Hex: 1}},
	{"-n -xx", Options{Hex: 2}},
	{"-n -X", Options{HexASCII: 1}},
	{"-n -XX", Options{HexASCII: 2}},
	{"-n -A", Options{ASCII: 1}},
	{"-n -AA -K -v", Options{ASCII: 2, NoSums: true, Verbose: 1}},
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

// The share of lines that are tcpdump's own, over all captures; what differs is
// of protocols that this package does not print.
func TestAsTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	files := captest.All()
	if len(files) == 0 {
		t.Skip("the captures are not here")
	}
	for _, v := range variants {
		total, same := 0, 0
		shown := 0
		for _, path := range files {
			if strings.HasSuffix(path, ".gz") {
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
				if i < len(g) && w[i] == g[i] {
					same++
				} else if shown < 60 && os.Getenv("SHOW") != "" {
					shown++
					x := ""
					if i < len(g) {
						x = g[i]
					}
					t.Logf("%s %d\n want %q\n  got %q", filepath.Base(path), i, w[i], x)
					break
				}
			}
		}
		t.Logf("%-20s %d of %d lines", v.flags, same, total)
	}
}
