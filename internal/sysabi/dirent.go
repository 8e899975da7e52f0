package sysabi

import "bytes"

// Buffers of directory entries: struct linux_dirent, whose type stands in the
// last byte, and struct linux_dirent64 (getdents(2)).
var (
	layoutDirents   = &layout{1, 1, nil, false}
	layoutDirents64 = &layout{1, 1, nil, false}
)

// dirents prints the number of entries, or the entries.
func (p *printer) dirents(v *Value) {
	old := v.arg.st == layoutDirents
	word := p.word()
	head, inoff, lenAt := 19, 8, 16
	if old {
		head, inoff, lenAt = 2*word+2, word, 2*word
	}
	n := 0
	mark := len(p.b)
	p.str("[")
	q := v.Data
	for len(q) >= head {
		size := int(le16(q, lenAt))
		if size < head || size > len(q) {
			break
		}
		if !p.abbreviated() {
			p.sep(n)
			p.str("{d_ino=")
			typ := q[size-1]
			name := q[head:size]
			if old {
				p.uint(p.long(q, 0))
				p.field("d_off")
				p.int(p.slong(q[inoff:], 0))
				name = q[head : size-1]
			} else {
				p.uint(le64(q, 0))
				p.field("d_off")
				p.int(int64(le64(q, inoff)))
				typ = q[18]
			}
			if i := bytes.IndexByte(name, 0); i >= 0 {
				name = name[:i]
			}
			p.field("d_reclen")
			p.uint(uint64(size))
			if !old {
				p.field("d_type")
				p.enum(setDirentTypes, uint64(typ))
			}
			p.field("d_name")
			p.quote(name, len(name), whole)
			if old {
				p.field("d_type")
				p.enum(setDirentTypes, uint64(typ))
			}
			p.str("}")
		}
		n++
		q = q[size:]
	}
	if !p.abbreviated() {
		if v.Truncated {
			p.sep(n)
			p.str("...")
		}
		p.str("]")
		return
	}
	p.b = p.b[:mark]
	p.ptr(v.Uint)
	p.str(" /* ")
	p.int(int64(n))
	if v.Truncated {
		p.str("+")
	}
	if n == 1 {
		p.str(" entry */")
	} else {
		p.str(" entries */")
	}
}
