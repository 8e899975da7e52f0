package keys

import (
	"bytes"
	"debug/elf"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
	"culprit/internal/testkit"
)

// Getters as compilers make them; the bytes are those of the code beside them.
func TestFields(t *testing.T) {
	tests := []struct {
		name string
		code []byte
		want []field
	}{
		{"in the object", []byte{
			0x48, 0x89, 0xf1, // mov rcx, rsi
			0x48, 0x85, 0xd2, // test rdx, rdx
			0x74, 0x08, // je to the return
			0x48, 0x8d, 0xb7, 0x60, 0x01, 0, 0, // lea rsi, [rdi+0x160]
			0x90,
			0xc3,
		}, []field{{valid: true, off: 0x160}}},
		{"behind a pointer, after an early return", []byte{
			0x48, 0x85, 0xd2, // test rdx, rdx
			0x75, 0x01, // jne past the return
			0xc3,
			0x48, 0x8b, 0xbf, 0xa8, 0, 0, 0, // mov rdi, [rdi+0xa8]
			0x48, 0x8d, 0x8f, 0xb8, 0, 0, 0, // lea rcx, [rdi+0xb8]
			0xc3,
		}, []field{{valid: true, off: 0xa8, indirect: true, behind: 0xb8}}},
		{"one way calls", []byte{
			0x85, 0xc0, // test eax, eax
			0x74, 0x05, // je past the call
			0xe8, 0, 1, 0, 0, // call
			0x48, 0x8d, 0xb7, 0x88, 0x01, 0, 0, // lea rsi, [rdi+0x188]
			0xc3,
		}, []field{{valid: true, off: 0x188}}},
		{"added", []byte{
			0x48, 0x89, 0xf8, // mov rax, rdi
			0x48, 0x83, 0xc0, 0x50, // add rax, 0x50
			0xc3,
		}, []field{{valid: true, off: 0x50}}},
		{"overwritten", []byte{
			0x31, 0xff, // xor edi, edi
			0x48, 0x8d, 0xb7, 0x88, 0x01, 0, 0, // lea rsi, [rdi+0x188]
			0xc3,
		}, nil},
		{"for ever", []byte{0xeb, 0xfe}, nil}, // jmp to itself
		{"no code", []byte{0x06}, nil},
		{"nothing", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, fields(tt.code), cmp.AllowUnexported(field{})); d != "" {
				t.Errorf("fields (-want +got):\n%s", d)
			}
		})
	}
}

func TestNextCall(t *testing.T) {
	tests := []struct {
		name string
		code []byte
		want uint64
	}{
		{"at once", []byte{0xe8, 0x10, 0, 0, 0}, 0x1015},
		{"after other arguments", []byte{0x48, 0x89, 0xdf, 0xe8, 0xf8, 0xff, 0xff, 0xff}, 0x1000}, // mov rdi, rbx; call
		{"another text", []byte{0x31, 0xf6, 0xe8, 0x10, 0, 0, 0}, 0},                              // xor esi, esi
		{"by a pointer", []byte{0xff, 0xd0}, 0},
		{"elsewhere", []byte{0xe9, 0x10, 0, 0, 0}, 0},
		{"returned", []byte{0xc3, 0xe8, 0x10, 0, 0, 0}, 0},
		{"cut off", []byte{0xe8, 0x10}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := nextCall(tt.code, 0x1000); got != tt.want {
				t.Errorf("%#x, want %#x", got, tt.want)
			}
		})
	}
}

// TestTableOfFunctions finds, in this program's file, what the running program
// says of itself.
func TestTableOfFunctions(t *testing.T) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := open(f)
	if err != nil {
		t.Fatal(err)
	}
	table, err := m.goTable()
	if err != nil || table == nil {
		t.Fatalf("no table: %v", err)
	}
	for _, f := range []any{examine, elf.NewFile, bytes.NewReader} {
		want := runtime.FuncForPC(reflect.ValueOf(f).Pointer())
		got, ok := table.function(want.Name())
		if !ok || m.Type == elf.ET_EXEC && got.begin != uint64(want.Entry()) {
			t.Errorf("%s: %#x, %v, want %#x", want.Name(), got.begin, ok, want.Entry())
		}
		if r := returns(m.at(got.begin, got.end-got.begin), got.begin); len(r) == 0 {
			t.Errorf("%s has no return", want.Name())
		}
	}
	if _, ok := table.function("culprit/internal/lens/keys.exam"); ok {
		t.Error("a part of a name was found")
	}
}

// TestExported finds what debug/elf finds.
func TestExported(t *testing.T) {
	paths, _ := filepath.Glob("/usr/lib/*/libc.so.6")
	if len(paths) == 0 {
		testkit.Lack(t, "libc.so.6 where Debian has it")
	}
	f, err := os.Open(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := open(f)
	if err != nil {
		t.Fatal(err)
	}
	all, err := m.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"read", "write", "getaddrinfo", "printf"}
	want := map[string]uint64{}
	for _, s := range all {
		for _, n := range names {
			if s.Name == n && s.Section != elf.SHN_UNDEF {
				want[n] = s.Value
			}
		}
	}
	if d := cmp.Diff(want, m.exported(append(names, "SSL_read", "")...)); d != "" || len(want) != len(names) {
		t.Errorf("exported (-want +got):\n%s", d)
	}
}

func TestDeadly(t *testing.T) {
	for release, want := range map[string]bool{
		"6.10.14": false, "6.11.0-29-generic": true, "6.12.57+deb13-amd64": true, "6.13.1": true, "6.14.0": false,
		"6.1.0-13-amd64": false, "6.18.5": false, "7.12.1": false, "": false,
	} {
		if got := deadly(release); got != want {
			t.Errorf("deadly(%q) = %v", release, got)
		}
	}
}

func TestCandidate(t *testing.T) {
	for path, want := range map[string]bool{
		"/usr/lib/x86_64-linux-gnu/libssl.so.3":                true,
		"/lib/libgnutls.so.30.34.3":                            true,
		"/usr/lib/python3.11/lib-dynload/_ssl.cpython-311.so":  true,
		"libnode.so.108":                                       true,
		"/usr/lib/x86_64-linux-gnu/libc.so.6":                  false,
		"/usr/lib/ssl/openssl.cnf":                             false,
		"/usr/lib/x86_64-linux-gnu/tls.so/libcrypt-other.so.1": false,
		"": false,
	} {
		if got := candidate(path); got != want {
			t.Errorf("candidate(%q) = %v", path, got)
		}
	}
}

// record makes a record of the ring as bpf/keys.bpf.c does.
func record(kind, lib uint32, body func(b []byte) []byte) []byte {
	b := le.AppendUint32(le.AppendUint32(nil, kind), lib)
	b = le.AppendUint32(le.AppendUint32(b, 10), 11)
	b = le.AppendUint64(le.AppendUint64(b, 5000), 0xabc)
	return body(b)
}

func secretRecord(label string, size uint32) []byte {
	return record(recordSecret, gnutls, func(b []byte) []byte {
		b = le.AppendUint32(le.AppendUint32(b, size), uint32(len(label)))
		b = append(b, bytes.Repeat([]byte{0xaa}, randomSize)...)
		b = append(b, append([]byte(label), make([]byte, labelSize)...)[:labelSize]...)
		return append(b, bytes.Repeat([]byte{0xbb}, secretSize)...)
	})
}

func plainRecord(data string, size uint32) []byte {
	return record(recordPlain, openssl, func(b []byte) []byte {
		b = le.AppendUint64(le.AppendUint64(b, 4000), 20)
		b = le.AppendUint32(le.AppendUint32(b, 0), size)
		return append(le.AppendUint64(b, 1), data...)
	})
}

func TestDecode(t *testing.T) {
	at := event.Event{Time: 5000, PID: 10, TID: 11}
	with := func(body event.Body) *event.Event { e := at; e.Body = body; return &e }
	tests := []struct {
		name string
		data []byte
		want *event.Event
	}{
		{"secret", secretRecord("CLIENT_TRAFFIC_SECRET_0", 32), with(&event.Secrets{Source: "uprobe:gnutls",
			Lines: []byte("CLIENT_TRAFFIC_SECRET_0 " + strings.Repeat("aa", 32) + " " + strings.Repeat("bb", 32) + "\n")})},
		{"secret that could not be read", secretRecord("CLIENT_RANDOM", 0), nil},
		{"secret of a lying size", secretRecord("CLIENT_RANDOM", 65), nil},
		{"label that is none", secretRecord("no label", 48), nil},
		{"no label", secretRecord("", 48), nil},
		{"secret cut off", secretRecord("CLIENT_RANDOM", 48)[:150], nil},
		{"plaintext", plainRecord("GET / HTTP/1.1\r\n....", 16), with(&event.Plain{Source: "uprobe:openssl", Object: 0xabc, Write: true,
			Dur: 1000, Total: 20, Data: []byte("GET / HTTP/1.1\r\n")})},
		{"plaintext of a lying size", plainRecord("x", 2), nil},
		{"unknown library", record(recordSecret, 9, func(b []byte) []byte { return b }), nil},
		{"unknown kind", record(7, openssl, func(b []byte) []byte { return append(b, make([]byte, 200)...) }), nil},
		{"too short", make([]byte, headSize-1), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got *event.Event
			if e, ok := decode(tt.data); ok {
				got = &e
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("decode (-want +got):\n%s", d)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(secretRecord("CLIENT_RANDOM", 48))
	f.Add(plainRecord("hello", 5))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, ok := decode(b)
		if s, is := e.Body.(*event.Secrets); ok && is && bytes.Count(s.Lines, []byte("\n")) != 1 {
			t.Errorf("%q is no line", s.Lines)
		}
	})
}

// FuzzExamine gives files to the reader of programs that are none.
func FuzzExamine(f *testing.F) {
	f.Add(tiny())
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := examine(bytes.NewReader(b), true)
		if err != nil && l == nil {
			t.Errorf("an error of no library: %v", err)
		}
		fields(b)
		nextCall(b, 0)
		returns(b, 0)
	})
}

// tiny is the head of a program with a table of symbols for the loader, whose
// contents are zeros.
func tiny() []byte {
	b := make([]byte, 64+4*64)
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], uint16(elf.ET_DYN))
	le.PutUint16(b[18:], uint16(elf.EM_X86_64))
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[40:], 64) // of section headers
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[58:], 64)
	le.PutUint16(b[60:], 4)
	le.PutUint16(b[62:], 3)
	for i, typ := range []elf.SectionType{elf.SHT_NULL, elf.SHT_GNU_HASH, elf.SHT_DYNSYM, elf.SHT_STRTAB} {
		s := b[64+64*i:]
		le.PutUint32(s[4:], uint32(typ))
		le.PutUint64(s[24:], 64)
		le.PutUint64(s[32:], 128)
		le.PutUint32(s[40:], 3)
	}
	return b
}

func BenchmarkExamine(b *testing.B) {
	for name, glob := range map[string]string{
		"libssl": "/usr/lib/*/libssl.so.[0-9]*", "libgnutls": "/usr/lib/*/libgnutls.so.[0-9]*", "python": "/usr/bin/python3", "self": "/proc/self/exe",
	} {
		paths, _ := filepath.Glob(glob)
		b.Run(name, func(b *testing.B) {
			if len(paths) == 0 {
				b.Skip("it is not here")
			}
			for b.Loop() {
				f, err := os.Open(paths[0])
				if err != nil {
					b.Fatal(err)
				}
				if _, err := examine(f, true); err != nil {
					b.Fatal(err)
				}
				f.Close()
			}
		})
	}
}
