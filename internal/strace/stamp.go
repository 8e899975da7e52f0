package strace

import (
	"fmt"
	"strconv"
	"time"

	"culprit/internal/event"
	"culprit/internal/lens/tracer"
)

// stamp prints what stands before a line: pid, time, number, address.
func (p *printer) stamp(b []byte, st *state, t *tracer.Task, at event.Time) []byte {
	c := p.cfg
	if p.prefix || p.tasks > 1 && c.Output == "" {
		comm := string(appendComm(nil, st.comm))
		if p.prefix {
			n := len(b)
			b = strconv.AppendInt(b, int64(st.pid), 10)
			for comm == "" && len(b)-n < 5 {
				b = append(b, ' ')
			}
			b = append(append(b, comm...), ' ')
		} else {
			b = fmt.Appendf(b, "[pid %5d%s] ", st.pid, comm)
		}
	}
	b = p.labels.task(b, t.TID)
	if c.Time.on {
		now := time.Unix(0, int64(at)).Add(p.wall)
		if c.Time.unix {
			b = strconv.AppendInt(b, now.Unix(), 10)
		} else {
			b = now.AppendFormat(b, "15:04:05")
		}
		b = append(fractional(b, int64(now.Nanosecond()), c.Time.digits), ' ')
	}
	if c.Relative.on {
		if p.last == 0 {
			p.last = at
		}
		d := int64(at - p.last)
		p.last = at
		if c.Time.on {
			b = append(b, "(+"...)
		}
		b = fmt.Appendf(b, "%6d", d/1e9)
		b = fractional(b, d%1e9, c.Relative.digits)
		if c.Time.on {
			b = append(b, ')')
		}
		b = append(b, ' ')
	}
	if c.Number {
		if t.InCall {
			b = fmt.Appendf(b, "[%4d] ", t.Sys.NR)
		} else {
			b = append(b, "[????] "...)
		}
	}
	if c.Pointer {
		if t.IP != 0 {
			b = fmt.Appendf(b, "[%016x] ", t.IP)
		} else {
			b = append(b, "[????????????????] "...)
		}
	}
	return b
}

// fractional prints .123456 for ns, cut to digits.
func fractional(b []byte, ns int64, digits int) []byte {
	if digits == 0 {
		return b
	}
	for i := digits; i < 9; i++ {
		ns /= 10
	}
	return fmt.Appendf(b, ".%0*d", digits, ns)
}
