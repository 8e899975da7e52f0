package explain

import (
	"os"
	"testing"

	"culprit/internal/event"
)

func TestReadProgram(t *testing.T) {
	for _, c := range []struct{ head, is, interpreter string }{
		{"#!/bin/sh\n", "a script", "/bin/sh"},
		{"#! \t/bin/sh -e\n", "a script", "/bin/sh"},
		{"#!/bin/sh\r\n", "a script", "/bin/sh\r"},
		{"#!/bin/sh", "a script", "/bin/sh"},
		{"#!\n", "a script", ""},
		{"", "an empty file", ""},
		{"echo\n", "a text file whose first line names no interpreter (#!)", ""},
		{"\xef\xbb\xbf#!/bin/sh\n", "a script with a byte order mark before its #!", ""},
		{"MZ\x90\x00", "a Windows program", ""},
		{"\x00\x01", "of no format that the kernel knows", ""},
		{"\x7fELF\x02\x01", "a damaged ELF file", ""},
	} {
		p := readProgram(&event.File{Size: int64(len(c.head)), Data: []byte(c.head)})
		if p.is != c.is || p.interpreter != c.interpreter {
			t.Errorf("%q: %+v", c.head, p)
		}
	}
}

// A real program's loader is in its first page, and not in its first bytes.
func TestReadRealProgram(t *testing.T) {
	b, err := os.ReadFile("/bin/sh")
	if err != nil || len(b) < 4096 || string(b[:4]) != "\x7fELF" {
		t.Skip("/bin/sh is no ELF file")
	}
	p := readProgram(&event.File{Size: int64(len(b)), Data: b[:4096]})
	if _, err := os.Stat(p.interpreter); p.dynamic && err != nil {
		t.Errorf("loader %q: %v", p.interpreter, err)
	}
	if short := readProgram(&event.File{Size: int64(len(b)), Data: b[:128]}); short.is != p.is || short.interpreter != "" || short.dynamic != p.dynamic {
		t.Errorf("of 128 bytes: %+v, of the page: %+v", short, p)
	}
}

func FuzzReadProgram(f *testing.F) {
	f.Add([]byte("#!/bin/sh\r\n"))
	b, _ := os.ReadFile("/bin/sh")
	f.Add(b[:min(len(b), 4096)])
	f.Add([]byte("\x7fELF\x01\x02"))
	f.Fuzz(func(t *testing.T, head []byte) {
		p := readProgram(&event.File{Size: int64(len(head)), Data: head})
		if len(p.interpreter) > len(head) || p.is == "" {
			t.Errorf("%+v", p)
		}
	})
}
