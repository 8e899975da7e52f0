package pcapng

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/testkit"
)

var update = flag.Bool("update", false, "write the golden files anew")

// dump is the golden form of a file: one line a block.
func dump(src Source) string {
	var b strings.Builder
	opts := func(o Options) {
		for _, opt := range o {
			fmt.Fprintf(&b, " %d=%.40q", opt.Code, opt.Value)
		}
		b.WriteByte('\n')
	}
	for {
		block, err := src.Next()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			fmt.Fprintf(&b, "error %v\n", err)
			if errors.Is(err, ErrContent) {
				continue
			}
			return b.String()
		}
		fmt.Fprintf(&b, "%d ", src.Offset())
		switch x := block.(type) {
		case *Section:
			fmt.Fprintf(&b, "section %v %d.%d length %d", x.Order, x.Major, x.Minor, x.Length)
			opts(x.Options)
		case *Interface:
			fmt.Fprintf(&b, "interface link %d snap %d name %q per second %d offset %d", x.LinkType, x.Snaplen, x.Name, x.PerSec, x.Offset)
			opts(x.Options)
		case *Packet:
			fmt.Fprintf(&b, "packet form %d interface %d time %d %v captured %d of %d flags %#x", x.Form, x.Interface, x.Nanos, x.TimeKnown, len(x.Data), x.OrigLen, x.Flags)
			opts(x.Options)
		case *Names:
			b.WriteString("names")
			for _, r := range x.Records {
				addr, names, ok := r.Split()
				fmt.Fprintf(&b, " %v%q%v", addr, names, ok)
			}
			opts(x.Options)
		case *Statistics:
			fmt.Fprintf(&b, "statistics of %d", x.Interface)
			opts(x.Options)
		case *Secrets:
			fmt.Fprintf(&b, "secrets %#x %d bytes", x.Format, len(x.Data))
			opts(x.Options)
		case *Journal:
			fmt.Fprintf(&b, "journal %.60q\n", x.Entry)
		case *Custom:
			fmt.Fprintf(&b, "custom %d copy %v %.40q\n", x.PEN, !x.DontCopy, x.Data)
		case *Raw:
			fmt.Fprintf(&b, "raw %#x %d bytes\n", x.Code, len(x.Body))
		}
	}
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.pcap*")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, name := range files {
		if strings.HasSuffix(name, ".golden") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		src, err := Open(bytes.NewReader(data))
		if err != nil {
			t.Fatal(name, err)
		}
		got := dump(src)
		if *update {
			if err := os.WriteFile(name+".golden", []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(name + ".golden")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// What is read and written again is the same file, byte for byte, with all the
// blocks and options that this package doesn't know.
func TestRewrite(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.pcapng")
	more, _ := filepath.Glob("../../../shared/captures/pcapng-format/*.pcapng")
	for _, name := range append(files, more...) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r := NewReader(bytes.NewReader(data))
		var out bytes.Buffer
		w := NewWriter(&out)
		for {
			block, err := r.Next()
			if err == io.EOF || errors.Is(err, ErrTorn) {
				data = data[:r.next]
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := w.Write(block); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(data, out.Bytes()) {
			a := dump(NewReader(bytes.NewReader(data)))
			b := dump(NewReader(bytes.NewReader(out.Bytes())))
			t.Errorf("%s differs after being written again: %d bytes, %d before\n%s", name, out.Len(), len(data), cmp.Diff(a, b))
		}
	}
}

// file makes a capture with a block of every type.
func file(o binary.ByteOrder) []byte {
	var b []byte
	order := appender(o)
	for _, block := range []Block{
		&Section{Order: o, Major: 1, Length: -1, Options: Options{Text(OptSectionApp, "test 1")}},
		&Interface{LinkType: LinkTypeEthernet, Snaplen: 0x40000, Options: Options{
			Text(OptInterfaceName, "lo"), {Code: OptInterfaceResolution, Value: []byte{9}},
			{Code: OptInterfaceOffset, Value: order.AppendUint64(nil, 5)},
		}},
		&Interface{LinkType: LinkTypeRawIP},
		&Names{Records: []Name{
			NameRecord(netip.MustParseAddr("192.0.2.1"), []string{"a.example", "b.example", "bad\x00name"}),
			NameRecord(netip.MustParseAddr("2001:db8::1"), []string{"c.example"}),
		}},
		&Secrets{Format: SecretsTLSKeyLog, Data: []byte("CLIENT_RANDOM 00 11\n")},
		&Packet{Ticks: 1_700_000_000_123_456_789, OrigLen: 99, Data: []byte("frame"), Options: Options{
			Text(OptComment, "one"), Text(OptComment, "two"),
			FlagsOption(Outbound, o), ProcessOption(41, 42, o),
		}},
		&Packet{Interface: 1, Ticks: 1_700_000_000_123_456, OrigLen: 4, Data: []byte("four")},
		&Packet{Form: Simple, OrigLen: 3, Data: []byte("spb")},
		&Packet{Form: Obsolete, Interface: 1, Drops: 7, OrigLen: 2, Data: []byte("pb")},
		&Statistics{Interface: 1, Ticks: 77, Options: Options{{Code: 4, Value: order.AppendUint64(nil, 12)}}},
		&Journal{Entry: []byte("__REALTIME_TIMESTAMP=1700000000000000\nMESSAGE=hello\n")},
		&Custom{PEN: ExamplePEN, Data: []byte("copy")},
		&Custom{DontCopy: true, PEN: 1, Data: []byte("drop")},
		&Raw{Code: 0x4000_0001, Body: []byte("12345678")},
	} {
		b = Append(b, block, o)
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	const want = `section %s 1.0 length -1 4="test 1"
interface link 1 snap 262144 name "lo" per second 1000000000 offset 5
interface link 101 snap 0 name "" per second 1000000 offset 0
names 192.0.2.1["a.example" "b.example"]true 2001:db8::1["c.example"]true
secrets 0x544c534b 20 bytes
packet form 0 interface 0 time 1700000005123456789 true captured 5 of 99 flags 0x2 1="one" 1="two"
packet form 0 interface 1 time 1700000000123456000 true captured 4 of 4 flags 0x0
packet form 1 interface 0 time 0 false captured 3 of 3 flags 0x0
packet form 2 interface 1 time 0 true captured 2 of 2 flags 0x0
statistics of 1
journal "__REALTIME_TIMESTAMP=1700000000000000\nMESSAGE=hello\n"
custom 32473 copy true "copy"
custom 1 copy false "drop"
raw 0x40000001 8 bytes
`
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		var got strings.Builder
		for line := range strings.Lines(dump(NewReader(bytes.NewReader(file(o))))) {
			_, line, _ = strings.Cut(strings.TrimSuffix(line, "\n"), " ") // without the offset
			for _, opt := range []string{` 2="lo"`, " 2=\"", " 4=\"\\"} { // options with numbers differ by order
				line, _, _ = strings.Cut(line, opt)
			}
			got.WriteString(line + "\n")
		}
		if d := cmp.Diff(fmt.Sprintf(want, o), got.String()); d != "" {
			t.Errorf("%v (-want +got):\n%s", o, d)
		}
		// Numbers inside options are read in the section's order.
		r := NewReader(bytes.NewReader(file(o)))
		for {
			block, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if p, ok := block.(*Packet); ok {
				if p.PID != 41 || p.TID != 42 || p.Direction() != Outbound || len(p.Options.Comments()) != 2 {
					t.Errorf("%v: process %d, thread %d, direction %d", o, p.PID, p.TID, p.Direction())
				}
				break
			}
		}
	}
}

// A file cut at any place gives the whole blocks before the cut, and then
// either the end or a torn block at the right offset.
func TestTorn(t *testing.T) {
	data := file(binary.BigEndian)
	var ends []int64
	whole := NewReader(bytes.NewReader(data))
	for {
		if _, err := whole.Next(); err != nil {
			break
		}
		ends = append(ends, whole.next)
	}
	for cut := range data {
		r := NewReader(bytes.NewReader(data[:cut]))
		n := 0
		var err error
		for ; err == nil; n++ {
			_, err = r.Next()
		}
		n--
		last := int64(0)
		if n > 0 {
			last = ends[n-1]
		}
		if n < len(ends) && int64(cut) >= ends[n] {
			t.Fatalf("cut at %d: only %d blocks", cut, n)
		}
		if int64(cut) == last {
			if err != io.EOF {
				t.Fatalf("cut at %d, between blocks: %v", cut, err)
			}
			continue
		}
		var e *Error
		if !errors.As(err, &e) || e.Offset != last || !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, ErrTorn) {
			t.Fatalf("cut at %d: %v, want a torn block at %d", cut, err, last)
		}
		if _, again := r.Next(); again != err {
			t.Fatalf("cut at %d: then %v", cut, again)
		}
	}
}

func TestDamage(t *testing.T) {
	le := binary.LittleEndian
	section := Append(nil, &Section{Major: 1, Length: -1}, nil)
	iface := Append(nil, &Interface{LinkType: 1}, nil)
	packet := func(change func(b []byte)) []byte {
		b := Append(nil, &Packet{Data: []byte("data"), OrigLen: 4, Options: Options{Text(1, "text")}}, nil)
		change(b)
		return b
	}
	tail := Append(nil, &Raw{Code: 77}, nil)
	for _, tt := range []struct {
		name  string
		block []byte
		class error
	}{
		{"length not a multiple of 4", packet(func(b []byte) { le.PutUint32(b[4:], 33) }), ErrFraming},
		{"length under 12", packet(func(b []byte) { le.PutUint32(b[4:], 8) }), ErrFraming},
		{"length over the limit", packet(func(b []byte) { le.PutUint32(b[4:], MaxBlock+4) }), ErrFraming},
		{"lengths differ", packet(func(b []byte) { le.PutUint32(b[len(b)-4:], 16) }), ErrFraming},
		{"captured length beyond the block", packet(func(b []byte) { le.PutUint32(b[8+12:], 0xfffffffc) }), ErrContent},
		{"interface not described", packet(func(b []byte) { b[8] = 9 }), ErrContent},
		{"option beyond the block", packet(func(b []byte) { b[8+20+4+2] = 200 }), ErrContent},
		{"packet too short", Append(nil, &Raw{Code: TypeEnhancedPacket, Body: make([]byte, 16)}, nil), ErrContent},
		{"secrets beyond the block", Append(nil, &Raw{Code: TypeSecrets, Body: bytes.Repeat([]byte{0xff}, 12)}, nil), ErrContent},
		{"name beyond the block", Append(nil, &Raw{Code: TypeNames, Body: []byte{1, 0, 0xff, 0xff}}, nil), ErrContent},
		{"empty custom block", Append(nil, &Raw{Code: TypeCustom}, nil), ErrContent},
		{"section of version 2", Append(nil, &Section{Major: 2}, nil), ErrContent},
		{"byte-order magic", Append(nil, &Raw{Code: TypeSection, Body: make([]byte, 16)}, nil), ErrFraming},
	} {
		data := bytes.Join([][]byte{section, iface, tt.block, tail}, nil)
		r := NewReader(bytes.NewReader(data))
		var got error
		sawTail := false
		for {
			block, err := r.Next()
			if err == io.EOF || got != nil && err == got {
				break
			}
			if err != nil {
				got = err
			} else if block.Type() == 77 {
				sawTail = true
			}
		}
		var e *Error
		if !errors.Is(got, tt.class) || !errors.As(got, &e) || e.Offset != int64(len(section)+len(iface)) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.class)
		}
		if sawTail != (tt.class == ErrContent) {
			t.Errorf("%s: block behind it read: %v", tt.name, sawTail)
		}
	}
}

func TestResolution(t *testing.T) {
	for _, tt := range []struct {
		resol  byte
		offset int64
		ticks  uint64
		want   int64
		ok     bool
	}{
		{6, 0, 1_500_000, 1_500_000_000, true},
		{9, 0, 1_500_000, 1_500_000, true},
		{0, 0, 3, 3_000_000_000, true},
		{12, 0, 1_500_000_000_000, 1_500_000_000, true},
		{0x80 | 10, 0, 1536, 1_500_000_000, true},
		{0x80 | 63, 0, 1 << 62, 500_000_000, true},
		{6, -1, 1_500_000, 500_000_000, true},
		{6, 1 << 62, 0, 0, false},
		{0, 0, 1 << 63, 0, false},
		{20, 0, 1, 0, false},
		{0x80 | 64, 0, 1, 0, false},
	} {
		i := Interface{PerSec: ticksPerSecond(tt.resol), Offset: tt.offset}
		if got, ok := i.nanos(tt.ticks); got != tt.want || ok != tt.ok {
			t.Errorf("if_tsresol %#x, offset %d, ticks %d: %d %v, want %d %v", tt.resol, tt.offset, tt.ticks, got, ok, tt.want, tt.ok)
		}
	}
}

func TestPcap(t *testing.T) {
	for _, o := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for magic, scale := range map[uint32]int64{magicMicros: 1000, magicNanos: 1} {
			b := o.AppendUint32(nil, magic)
			b = o.AppendUint16(o.AppendUint16(b, 2), 4)
			for _, n := range []uint32{0, 0, 65535, 0x1000_0000 | 276, 10, 5, 3, 60} {
				b = o.AppendUint32(b, n)
			}
			b = append(b, "abc"...)
			src, err := Open(bytes.NewReader(append(b, 1, 2)))
			if err != nil {
				t.Fatal(err)
			}
			first, err := src.Next()
			if i, ok := first.(*Interface); err != nil || !ok || i.LinkType != LinkTypeLinuxSLL2 || i.Snaplen != 65535 {
				t.Errorf("%v %x: %+v %v", o, magic, first, err)
			}
			second, err := src.Next()
			if p, ok := second.(*Packet); err != nil || !ok || string(p.Data) != "abc" || p.OrigLen != 60 || p.Nanos != 10_000_000_000+5*scale {
				t.Errorf("%v %x: %+v %v", o, magic, second, err)
			}
			if _, err := src.Next(); !errors.Is(err, ErrTorn) {
				t.Errorf("two bytes too many: %v", err)
			}
		}
	}
	for name, b := range map[string]string{"text": "hello, world", "empty": "", "short header": "\xd4\xc3\xb2\xa1\x02\x00"} {
		if _, err := Open(strings.NewReader(b)); !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTorn) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWriteTooLong(t *testing.T) {
	err := NewWriter(io.Discard).Write(&Raw{Code: 1 << 30, Body: make([]byte, MaxBlock)})
	if !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
}

// Other programs accept what is written.
func TestTshark(t *testing.T) {
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		path := filepath.Join(t.TempDir(), "x.pcapng")
		// Without the block of an unknown type, which capinfos complains of.
		data := file(o)
		if err := os.WriteFile(path, data[:len(data)-20], 0o600); err != nil {
			t.Fatal(err)
		}
		out := run(t, "tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.cap_len", "-e", "frame.comment")
		if !strings.Contains(out, "1700000005.123456789\t5\tone,two\n") {
			t.Errorf("%v: tshark says\n%s", o, out)
		}
		if out := run(t, "capinfos", path); !strings.Contains(out, "test 1") {
			t.Errorf("%v: capinfos says\n%s", o, out)
		}
	}
}

// run runs a program of Wireshark's; without it the test is skipped, but not in
// CI.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	testkit.Program(t, name)
	var out, errs bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, errs.String())
	}
	return out.String()
}

func FuzzReader(f *testing.F) {
	f.Add(file(binary.LittleEndian))
	f.Add(file(binary.BigEndian))
	f.Add(append(file(binary.LittleEndian), file(binary.BigEndian)...))
	files, _ := filepath.Glob("testdata/*.pcap*")
	for _, name := range files {
		if data, err := os.ReadFile(name); err == nil && !strings.HasSuffix(name, ".golden") {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		src, err := Open(bytes.NewReader(data))
		if err != nil {
			return
		}
		// What was understood survives being written and read again.
		var out bytes.Buffer
		w := NewWriter(&out)
		count := 0
		for {
			block, err := src.Next()
			if err != nil {
				if errors.Is(err, ErrContent) {
					return
				}
				break
			}
			if p, ok := block.(*Packet); ok && p.Form == Classic {
				return
			}
			if err := w.Write(block); err != nil {
				t.Fatal(err)
			}
			count++
		}
		if _, ok := src.(*Reader); !ok {
			return
		}
		first := dump(NewReader(bytes.NewReader(out.Bytes())))
		if n := strings.Count(first, "\n"); n != count || strings.Contains(first, "\nerror") {
			t.Fatalf("%d blocks written, read again as\n%s", count, first)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	data := Append(nil, &Section{Major: 1, Length: -1}, nil)
	data = Append(data, &Interface{LinkType: 1}, nil)
	for range 1000 {
		data = Append(data, &Packet{Data: make([]byte, 1000), OrigLen: 1000, Options: Options{ProcessOption(1, 2, nil)}}, nil)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(bytes.NewReader(data))
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}

func BenchmarkAppendPacket(b *testing.B) {
	p := &Packet{Data: make([]byte, 1000), OrigLen: 1000, Options: Options{ProcessOption(1, 2, nil)}}
	buf := make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], p, nil)
	}
}
