package tcpdump

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"culprit/internal/pcapng"
)

// An IPv4 packet with a UDP datagram to port 53, and its Ethernet header.
var packet53 = []byte{
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 8, 0,
	0x45, 0, 0, 30, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 53,
	0x30, 0x39, 0, 80, 0, 10, 0, 0, 'h', 'i',
}

func TestPrint(t *testing.T) {
	names := Options{
		Host: func(a netip.Addr) string { return map[string]string{"192.0.2.53": "ns.example"}[a.String()] },
		Port: func(proto string, n uint16) string { return map[uint16]string{80: proto + "-http"}[n] },
	}
	p := Packet{Link: 1, Time: 1e9 + 500, Len: 44, Data: packet53}
	tests := []struct {
		name string
		o    Options
		p    Packet
		want string
	}{
		{"plain", Options{}, p, "00:00:01.000000 IP 192.0.2.1.12345 > 192.0.2.53.80: UDP, length 2\n"},
		{"nanoseconds", Options{Nanos: true, Time: 2}, p, "1.000000500 IP 192.0.2.1.12345 > 192.0.2.53.80: UDP, length 2\n"},
		{"names", names, p, "00:00:01.000000 IP 192.0.2.1.12345 > ns.example.udp-http: UDP, length 2\n"},
		{"zone", Options{Zone: time.FixedZone("", 3600), Time: 4}, p, "1970-01-01 01:00:01.000000 IP 192.0.2.1.12345 > 192.0.2.53.80: UDP, length 2\n"},
		{"number", Options{Numbers: true, Time: 1}, p, "    1  IP 192.0.2.1.12345 > 192.0.2.53.80: UDP, length 2\n"},
		{"cut short", Options{Time: 1}, Packet{1, 0, 44, packet53[:36]}, "IP 192.0.2.1 > 192.0.2.53:  [|udp]\n"},
		{"no length", Options{Time: 1}, Packet{1, 0, 0, packet53}, "[Invalid header: len==0]\n"},
		{"longer than on the wire", Options{Time: 1}, Packet{1, 0, 20, packet53}, "[Invalid header: len(20) < caplen(44)]\n"},
		{"link type", Options{Time: 1}, Packet{9999, 0, 44, packet53}, "[link type 9999 is not known]\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(New(tt.o).Print(tt.p)); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// Files are begun anew by size and by time, and named as tcpdump names them.
func TestSaver(t *testing.T) {
	tests := []struct {
		name  string
		o     SaveOptions
		every int64 // ns between packets
		want  []string
		end   error
	}{
		{"one", SaveOptions{Path: "one"}, 1e9, []string{"one 8"}, nil},
		{"by size", SaveOptions{Path: "size", Size: 150}, 1e9, []string{"size 3", "size1 3", "size2 2"}, nil},
		{"by size, in a ring", SaveOptions{Path: "ring", Size: 150, Files: 2}, 1e9, []string{"ring0 2", "ring1 3"}, nil},
		{"by time", SaveOptions{Path: "time-%S", Every: 3 * time.Second}, 1e9, []string{"time-00 3", "time-03 3", "time-06 2"}, nil},
		{"by time, some", SaveOptions{Path: "some-%s", Every: 3 * time.Second, Files: 2}, 1e9, []string{"some-0 3", "some-3 3"}, ErrEnough},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			tt.o.Path, tt.o.Link, tt.o.Snaplen = filepath.Join(dir, tt.o.Path), 1, 100
			s, err := NewSaver(tt.o)
			if err != nil {
				t.Fatal(err)
			}
			for i := range int64(8) {
				if err = s.Put(Packet{1, i * tt.every, 44, packet53}); err != nil {
					break
				}
			}
			if !errors.Is(err, tt.end) {
				t.Errorf("error %v, want %v", err, tt.end)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			var got []string
			list, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range list {
				b, err := os.ReadFile(filepath.Join(dir, e.Name()))
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				f, err := OpenFile(bytes.NewReader(b))
				for ; err == nil; n++ {
					var p Packet
					if p, err = f.Next(); err == nil && (p.Link != 1 || p.Len != 44 || !bytes.Equal(p.Data, packet53)) {
						t.Errorf("%s: packet %+v", e.Name(), p)
					}
				}
				got = append(got, e.Name()+" "+string(rune('0'+n-1)))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("files %q, want %q", got, tt.want)
			}
		})
	}
}

// Whatever a packet holds, it is printed as one, whole lines.
func FuzzPrint(f *testing.F) {
	f.Add(1, packet53, 44)
	f.Add(101, packet53[14:], 30)
	f.Add(276, append(make([]byte, 20), packet53[14:]...), 50)
	f.Add(113, append(make([]byte, 16), packet53[14:]...), 46)
	paths, _ := filepath.Glob("../wire/testdata/*.pcap")
	for _, path := range paths[:min(8, len(paths))] {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		src, err := pcapng.Open(bytes.NewReader(b))
		for i := 0; err == nil && i < 6; i++ {
			var block pcapng.Block
			if block, err = src.Next(); err == nil {
				if p, ok := block.(*pcapng.Packet); ok {
					f.Add(1, bytes.Clone(p.Data), int(p.OrigLen))
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, link int, data []byte, length int) {
		for _, o := range []Options{{}, {Verbose: 3, Link: true}, {Quiet: true, HexASCII: 2}} {
			p := New(o)
			for range 2 {
				if out := p.Print(Packet{link, 0, length, data}); len(out) == 0 || out[len(out)-1] != '\n' {
					t.Errorf("%q", out)
				}
			}
		}
	})
}
