package strace

import (
	"fmt"
	"strings"

	"culprit/internal/event"
	"culprit/internal/lens/tracer"
	"culprit/internal/sysabi"
)

// callKey is a call of one table.
type callKey struct {
	arch event.Arch
	nr   uint32
}

// tamper does what -e inject= says of a call that is being entered. The last
// injection that names the call counts; each task and each call is counted by
// itself.
func (p *printer) tamper(t *tracer.Task, st *state) {
	for i := len(p.cfg.Injections) - 1; i >= 0; i-- {
		in := &p.cfg.Injections[i]
		if !in.calls.in(t.Sys.Arch, t.Sys.NR) {
			continue
		}
		if st.seen == nil {
			st.seen = map[callKey]int{}
		}
		key := callKey{t.Sys.Arch, t.Sys.NR}
		st.seen[key]++
		if in.hits(st.seen[key]) {
			st.inject = in
			p.inject(t, st)
		}
		return
	}
}

func (p *printer) inject(t *tracer.Task, st *state) {
	in := st.inject
	if in.hasResult {
		var err error
		if in.syscall != "" {
			nr, _ := sysabi.Number(t.Sys.Arch, in.syscall)
			err = t.Replace(nr, in.result)
		} else {
			err = t.Skip(in.result)
		}
		if err != nil {
			p.message("Failed to tamper with process %d: %v", t.TID, err)
		}
		st.tampered = err == nil
	}
	if in.signal != 0 {
		t.Deliver(in.signal)
	}
	p.poke(t, st, in.pokeEnter)
	if in.delayEnter > 0 {
		t.Delay(in.delayEnter)
	}
}

// tamperExit does the rest when the call is being left.
func (p *printer) tamperExit(t *tracer.Task, st *state) {
	p.poke(t, st, st.inject.pokeExit)
	if st.inject.delayExit > 0 {
		t.Delay(st.inject.delayExit)
	}
	if st.tampered && t.Spoiled {
		st.tampered = false
		p.message("Failed to tamper with process %d: unexpectedly got the result %d", t.TID, t.Sys.Ret)
	}
}

// poke writes to the memory that arguments point to.
func (p *printer) poke(t *tracer.Task, st *state, list []payload) {
	for _, w := range list {
		n := 0
		if t.Call != nil {
			n = len(t.Call.Args)
		}
		switch {
		case w.arg > n:
			p.message("Failed to tamper with process %d: requested to tamper with argument #%d, but system call '%s' has only %d arguments",
				t.TID, w.arg, sysabi.Decode(&t.Sys).Name, n)
		case t.WriteMem(w.data, t.Sys.Args[w.arg-1]) == 0:
			p.message("Failed to tamper with process %d: couldn't poke", t.TID)
		default:
			st.poked = true
		}
	}
}

// note is what the line of a call says of the tampering.
func (st *state) note() string {
	text := ""
	switch {
	case st.tampered && st.poked:
		text = " (INJECTED: args, retval)"
	case st.poked:
		text = " (INJECTED: args)"
	case st.tampered:
		text = " (INJECTED)"
	}
	if st.inject != nil && (st.inject.delayEnter > 0 || st.inject.delayExit > 0) {
		text += " (DELAYED)"
	}
	return text
}

// dump prints the data of -e read= and -e write=.
func (p *printer) dump(b []byte, t *tracer.Task, st *state) []byte {
	if !p.dumps || t.Call == nil || !t.Call.Data() && !strings.HasPrefix(t.Call.Name, "mq_timed") || len(st.d.Args) == 0 {
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
			n := v.Len
			if gives { // also what the call did not take
				n = int(min(t.Sys.Args[2], 1<<30))
			}
			return dumpMemory(b, v, n, t.TID)
		case sysabi.KindIovec, sysabi.KindMessage:
			if v.Kind == sysabi.KindIovec && !v.Readable() {
				return b
			}
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
