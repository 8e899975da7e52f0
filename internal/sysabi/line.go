package sysabi

// This file prints a call in the pieces in which a tracer learns of it: the
// arguments that are known before the call, the others after it, the result.

// AppendArgs appends the arguments from number from on, without parentheses. At
// the entry, when the call is marked Unfinished, it stops before the first
// argument that only the exit tells; next is the number to go on with then,
// len(d.Args) when there is none.
func (d *Decoded) AppendArgs(b []byte, o Options, from int) (_ []byte, next int) {
	p := d.printer(b, o)
	for i := from; i < len(d.Args); i++ {
		v := &d.Args[i]
		p.sep(i)
		if d.Unfinished && v.atExit() {
			return p.b, i
		}
		p.argument(v)
	}
	return p.b, len(d.Args)
}

// AppendMore is AppendArgs for the arguments that the entry left, with the
// separator before the first of them taken as printed.
func (d *Decoded) AppendMore(b []byte, o Options, from int) []byte {
	p := d.printer(b, o)
	for i := from; i < len(d.Args); i++ {
		if i > from {
			p.str(", ")
		}
		p.argument(&d.Args[i])
	}
	return p.b
}

// AppendResult appends the result as it stands after "= ".
func (d *Decoded) AppendResult(b []byte, o Options) []byte {
	p := d.printer(b, o)
	p.result(d)
	return p.b
}

func (d *Decoded) printer(b []byte, o Options) printer {
	return printer{b: b, opt: o, s: d.s, c: d.Call, m: memory{d.s.Mem}, failed: d.Errno != 0, unfinished: d.Unfinished}
}

func (p *printer) argument(v *Value) {
	if v.arg.named {
		p.str(v.Name)
		p.str("=")
	}
	p.value(v)
}

// atExit says that the argument's text may depend on what the kernel filled.
func (v *Value) atExit() bool {
	switch {
	case v.arg.dir == out:
		return true
	case v.arg.dir&out != 0:
		return v.arg.st != nil && v.arg.st.changes || v.Kind == KindMessage || v.Kind == KindMessages
	}
	return false
}
