package timeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"culprit/internal/event"
)

func TestLines(t *testing.T) {
	tests := []struct {
		name string
		do   func(s *synth)
		want []string // PID/FD, "*" when visible, text
	}{
		{"split and joined", func(s *synth) {
			s.write(10, 2, "one\ntw")
			s.write(10, 2, "o\n")
			s.write(10, 2, "thr")
			s.write(10, 2, "ee\r\n\n  \nfour") // empty lines say nothing
		}, []string{"10/2 one", "10/2 two", "10/2 three", "10/2 four"}},
		{"byte by byte", func(s *synth) {
			for _, c := range "curl: (22)\n" {
				s.write(10, 2, string(c))
			}
		}, []string{"10/2 curl: (22)"}},
		{"two writers", func(s *synth) {
			s.add(10, &event.Fork{Child: 11})
			s.write(10, 2, "par")
			s.write(11, 2, "kid\n")
			s.write(10, 2, "ent\n")
		}, []string{"10/2 parent", "11/2 kid"}}, // a line's time is that of its first byte
		{"standard output is told only where it is seen", func(s *synth) {
			s.add(10, &event.FD{FD: 1, Link: "/dev/pts/1"})
			s.add(10, &event.FD{FD: 2, Link: "/dev/pts/1"})
			s.write(10, 1, "out\n")
			s.write(10, 2, "err\n")
			s.call(10, 0, "close", 1)
			s.call(10, 1, "openat", fdcwd, "/tmp/file", 1)
			s.write(10, 1, "data\n")
			s.call(10, 5, "dup", 2)
			s.write(10, 5, "by another number\n")
			s.call(10, 0, "close", 2)
			s.call(10, 2, "openat", fdcwd, "/dev/null", 1)
			s.write(10, 2, "hidden\n")
		}, []string{"10/1* out", "10/2* err", "10/1* by another number", "10/2 hidden"}},
		{"what was not written", func(s *synth) {
			s.call(10, -32, "write", 2, 0x9000, 4, out(0x9000, "no\n\n"))
			s.call(10, 0, "write", 2, 0x9000, 0)
			s.call(10, 3, "write", 2, 0x9000, 9, out(0x9000, "yes and no")) // partly
			s.call(10, 4, "read", 2, 0x9000, 9, out(0x9000, "in?\n"))
		}, []string{"10/2 yes"}},
		{"the recorder kept only the beginning", func(s *synth) {
			s.call(10, 1000, "write", 2, 0x9000, 1000, out(0x9000, "begin"))
			s.write(10, 2, "next\n")
		}, []string{"10/2 begin", "10/2 next"}},
		{"gathered", func(s *synth) {
			iov := "\x00\x90\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\xa0\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00"
			s.call(10, 7, "writev", 2, 0x7000, 2, in(0x7000, iov), out(0x9000, "abc"), out(0xa000, "def\n"))
		}, []string{"10/2 abcdef"}},
		{"one endless line", func(s *synth) {
			for range 100 {
				s.write(10, 2, strings.Repeat("x", 1000))
			}
			s.write(10, 2, "\nnext\n")
		}, []string{"10/2 " + strings.Repeat("x", maxLine), "10/2 next"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSynth(t)
			tt.do(s)
			var got []string
			for _, l := range s.build().Lines {
				seen := ""
				if l.Visible {
					seen = "*"
				}
				got = append(got, fmt.Sprintf("%d/%d%s %s", l.Proc.PID, l.FD, seen, l.Text))
				if l.Call == nil || l.Call.Proc != l.Proc {
					t.Errorf("line %q has no call", l.Text)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
