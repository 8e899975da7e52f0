package strace

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

func TestPaint(t *testing.T) {
	for text, want := range map[string]string{
		"openat(AT_FDCWD, \"a\\\"b\", O_RDONLY) = -1 ENOENT (No such file)\n": "S:openat P:( C:AT_FDCWD P:, A:\"a\\\"b\" P:, C:O_RDONLY P:) R:-1 E:ENOENT M:(No such file)",
		"[pid 7] read(3, 0x10 /* x */, -5) = 3\n":                             "S:read P:( A:3 P:, A:0x10 M:/* x */ P:, A:-5 P:) R:3",
		"bind(3, {sa_family=AF_INET, sin_port=htons(80)}, 16) = 0\n":          "S:bind P:( A:3 P:, P:{ N:sa_family P:= C:AF_INET P:, N:sin_port P:= L:htons P:( A:80 P:) P:} P:, A:16 P:) R:0",
		"7 <... wait4 resumed>, NULL) = 8\n":                                  "S:wait4 P:, C:NULL P:) R:8",
		"--- SIGCHLD {si_signo=SIGCHLD} ---\n":                                "",
		"+++ exited with 0 +++\n":                                             "",
		" > /bin/true(main+0x1) [0x5]\n":                                      "",
		" | 00000  61 (b)\n":                                                  "",
	} {
		for _, cut := range []int{0, strings.IndexByte(text, ',') + 1} { // whole, and in two pieces
			var b bytes.Buffer
			w := paint(&b, NewPalette("argname=1:argval=2:call=3:comment=4:const=5:error=6:punct=7:retval=8:syscall=9"))
			for _, piece := range []string{text[:cut], text[cut:]} {
				if _, err := w.Write([]byte(piece)); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, m := range regexp.MustCompile("\x1b\\[([1-9])m(.*?)\x1b\\[0m").FindAllStringSubmatch(b.String(), -1) {
				got = append(got, string("NALMCEPRS"[m[1][0]-'1'])+":"+m[2])
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%q cut at %d:\n got %s\nwant %s", text, cut, strings.Join(got, " "), want)
			}
			if plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(b.String(), ""); plain != text {
				t.Errorf("%q became %q", text, plain)
			}
		}
	}
}

func TestPalette(t *testing.T) {
	p := NewPalette(" SyScAlL = 1;31 : unknown = 1;36 :error=:const=red:punct=;")
	if p[syscallInk] != "1;31" || p[errorInk] != "31" || p[constInk] != "34" || p[punctInk] != "0" {
		t.Errorf("%q", p)
	}
}

// Whatever is written, only colours are added.
func FuzzPaint(f *testing.F) {
	f.Add([]byte("read(3, \"x\") = 1\n"), []byte(" (a) = E\n"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if bytes.IndexByte(a, 0x1b) >= 0 || bytes.IndexByte(b, 0x1b) >= 0 {
			return
		}
		var out bytes.Buffer
		w := paint(&out, NewPalette(""))
		_, _ = w.Write(a)
		_, _ = w.Write(b)
		if got := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAll(out.Bytes(), nil); !bytes.Equal(got, append(a, b...)) {
			t.Errorf("%q %q became %q", a, b, got)
		}
	})
}
