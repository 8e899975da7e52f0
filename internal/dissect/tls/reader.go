package tls

// reader reads a handshake message's fields. Its first fault sticks: later
// reads give zero values, so callers look at bad once, at the end.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u8() int {
	if b := r.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (r *reader) u16() int {
	if b := r.take(2); b != nil {
		return int(b[0])<<8 | int(b[1])
	}
	return 0
}

func (r *reader) u24() int {
	if b := r.take(3); b != nil {
		return int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	}
	return 0
}

// vec8, vec16 and vec24 return a reader of a vector with that length prefix.
func (r *reader) vec8() reader  { return r.vec(r.u8()) }
func (r *reader) vec16() reader { return r.vec(r.u16()) }
func (r *reader) vec24() reader { return r.vec(r.u24()) }

func (r *reader) vec(n int) reader {
	b := r.take(n)
	return reader{b: b, bad: r.bad}
}

// more says whether there is anything left to read.
func (r *reader) more() bool { return !r.bad && len(r.b) > 0 }
