package strace

import (
	"fmt"
	"strings"
	"time"

	"culprit/internal/lens/tracer"
	"culprit/internal/sysabi"
)

// tamper does what -e inject= says of a call that is being entered. The last
// injection that names the call counts.
func (p *printer) tamper(t *tracer.Task, st *state) {
	if st.seen == nil {
		st.seen = make([]int, len(p.cfg.Injections))
	}
	for i := len(p.cfg.Injections) - 1; i >= 0; i-- {
		in := &p.cfg.Injections[i]
		if !in.calls.in(t.Sys.Arch, t.Sys.NR) {
			continue
		}
		st.seen[i]++
		if !in.hits(st.seen[i]) {
			return
		}
		st.inject = in
		if in.hasResult {
			if err := t.Skip(in.result); err != nil {
				p.message("Failed to tamper with process %d: %v", t.TID, err)
			} else {
				st.tampered = true
			}
		}
		if in.syscall != "" {
			nr, _ := sysabi.Number(t.Sys.Arch, in.syscall)
			_ = t.SetNumber(nr)
		}
		if in.signal != 0 {
			t.Deliver(in.signal)
		}
		if in.delayEnter > 0 {
			time.Sleep(in.delayEnter)
		}
		return
	}
}

func (p *printer) tamperExit(_ *tracer.Task, st *state) {
	if st.inject.delayExit > 0 {
		time.Sleep(st.inject.delayExit)
	}
}

// dump prints the data of -e read= and -e write=.
func (p *printer) dump(b []byte, t *tracer.Task, st *state) []byte {
	if !p.dumps || t.Call == nil || !t.Call.Data() || len(st.d.Args) == 0 {
		return b
	}
	fd := fmt.Sprint(int32(t.Sys.Args[0]))
	gives := givesData(t.Call)
	if gives && !p.cfg.Write.in(fd) || !gives && (!p.cfg.Read.in(fd) || st.d.Errno != 0) {
		return b
	}
	for i := range st.d.Args {
		v := &st.d.Args[i]
		switch v.Kind {
		case sysabi.KindBuffer:
			return hexdump(b, v.Data)
		case sysabi.KindIovec, sysabi.KindMessage:
			for n, data := range v.Buffers() {
				b = fmt.Appendf(b, " * %d bytes in buffer %d\n", len(data), n)
				b = hexdump(b, data)
			}
			return b
		case sysabi.KindMessages:
			messages, named := v.Messages()
			for i, buffers := range messages {
				b = fmt.Appendf(b, " = %d buffers in vector %d\n", named[i], i)
				for n, data := range buffers {
					b = fmt.Appendf(b, " * %d bytes in buffer %d\n", len(data), n)
					b = hexdump(b, data)
				}
			}
			return b
		}
	}
	return b
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
