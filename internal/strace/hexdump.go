package strace

import (
	"fmt"
	"strings"

	"culprit/internal/sysabi"
)

// dumpMemory prints a buffer of size bytes in pieces of 64 KiB, as strace reads them: from the
// first on that could not be read whole only that is said.
func dumpMemory(b []byte, v *sysabi.Value, size int, pid int32) []byte {
	const piece = 64 << 10
	if len(v.Data) >= size {
		return hexdump(b, v.Data)
	}
	whole := len(v.Data) / piece * piece
	if whole == 0 {
		return b
	}
	rest, s := min(size-whole, piece), "s"
	if rest == 1 {
		s = ""
	}
	return fmt.Appendf(hexdump(b, v.Data[:whole]), " | <Cannot fetch %d byte%s from pid %d @%#x>\n", rest, s, pid, v.Uint+uint64(whole))
}

// hexdump prints 16 bytes a line, in hex and as text.
func hexdump(b, data []byte) []byte {
	width := max(5, len(fmt.Sprintf("%x", max(len(data)-1, 0))))
	for at := 0; at < len(data); at += 16 {
		row := data[at:min(at+16, len(data))]
		b = fmt.Appendf(b, " | %0*x  ", width, at)
		for i := range 16 {
			if i < len(row) {
				b = fmt.Appendf(b, "%02x ", row[i])
			} else {
				b = append(b, "   "...)
			}
			if i%8 == 7 {
				b = append(b, ' ')
			}
		}
		for _, c := range row {
			if c < ' ' || c >= 0x7f {
				c = '.'
			}
			b = append(b, c)
		}
		b = append(b, strings.Repeat(" ", 16-len(row))...)
		b = append(b, " |\n"...)
	}
	return b
}
