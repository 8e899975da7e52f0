package timeline

import (
	"bytes"
	"cmp"
	"slices"

	"culprit/internal/event"
)

// maxLine bounds one line of a program's output, in bytes.
const maxLine = 4096

type lineKey struct {
	proc *Process
	fd   int32
}

// write takes the lines out of a write to standard output or error. What a
// process writes to its descriptor 2 counts even where a redirection hides it:
// those are its words all the same.
func (b *builder) write(c *Call) {
	fd := int32(c.Raw.Args[0])
	visible := false
	if d := c.Desc; d != nil && d.Link != "" {
		standard := fd == 1 || fd == 2
		switch d.Link {
		case b.out[1]:
			visible = true
			if !standard {
				fd = 1
			}
		case b.out[2]:
			visible = true
			if !standard {
				fd = 2
			}
		}
	}
	if fd != 1 && fd != 2 || receives(c.Name()) || c.Raw.Ret <= 0 || c.Raw.Flags&event.Unfinished != 0 {
		return
	}
	if !visible && fd == 1 && (c.Desc == nil || c.Desc.Path != "/dev/null") {
		return // data for a file or the next program of a pipe
	}
	if visible && b.options.Output {
		b.t.Output = append(b.t.Output, c)
	}
	data, missing := written(c)
	b.text(c, fd, visible, data)
	if missing > 0 {
		b.text(c, fd, visible, []byte("\n")) // the rest is not known
	}
}

// written is the data of a call that wrote, and how much is missing of it. Of
// write(2), which is nearly all of them, no more is decoded.
func written(c *Call) (data []byte, missing int) {
	if c.Name() == "write" && len(c.Raw.Mem) == 1 {
		if m := c.Raw.Mem[0]; m.At == event.Leave && m.Addr == c.Raw.Args[1] && int64(len(m.Data)) <= c.Raw.Ret {
			return m.Data, int(c.Raw.Ret) - len(m.Data)
		}
	}
	return c.Decode().Buffer()
}

func (b *builder) text(c *Call, fd int32, visible bool, data []byte) {
	if b.rest == nil {
		b.rest = map[lineKey]*Line{}
	}
	key := lineKey{c.Proc, fd}
	for len(data) > 0 {
		piece, rest, ends := bytes.Cut(data, []byte("\n"))
		data = rest
		l := b.rest[key]
		if l == nil {
			l = &Line{Time: c.Leave(), Proc: c.Proc, FD: fd, Visible: visible, Call: c}
		}
		if room := maxLine - len(l.Text); room > 0 {
			l.Text += string(piece[:min(room, len(piece))])
		}
		if ends {
			delete(b.rest, key)
			b.line(l)
		} else {
			b.rest[key] = l
		}
	}
}

func (b *builder) line(l *Line) {
	l.Text = string(bytes.TrimRight([]byte(l.Text), "\r \t"))
	if l.Text != "" {
		b.t.Lines = append(b.t.Lines, l)
	}
}

// flushLines ends the lines that had no newline, in order of time.
func (b *builder) flushLines() {
	var open []*Line
	for _, l := range b.rest {
		open = append(open, l)
	}
	slices.SortFunc(open, func(x, y *Line) int { return cmp.Or(cmp.Compare(x.Time, y.Time), cmp.Compare(x.FD, y.FD)) })
	for _, l := range open {
		b.line(l)
	}
	slices.SortStableFunc(b.t.Lines, func(x, y *Line) int { return cmp.Compare(x.Time, y.Time) })
}
