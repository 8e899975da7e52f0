package remote

// layout is where a version keeps what a stack needs: offsets in bytes on 64 bit
// machines, from the headers of that version. They hold for a minor version.
type layout struct {
	interp   uint64 // _PyRuntime.interpreters.head
	gil      uint64 // struct _gil_runtime_state in _PyRuntime; with gilOwn, a pointer to it in PyInterpreterState
	gilOwn   bool
	threads  uint64 // PyInterpreterState: threads.head
	next     uint64 // PyThreadState
	threadID uint64
	native   uint64 // native_thread_id, 0 where there is none
	frame    uint64 // the current frame; with cframe, the _PyCFrame that points to it
	cframe   bool

	cframeCurrent uint64
	back          uint64 // of a frame
	code          uint64
	instr         uint64 // f_lasti, prev_instr, instr_ptr
	owner         uint64 // 0 where there is none

	filename, name, qualname uint64 // of a code object
	first, lines, adaptive   uint64
	ascii, compact           uint64 // sizes of PyASCIIObject, PyCompactUnicodeObject
	line                     func(table []byte, first, offset int) int
}

const (
	firstMinor = 8
	lastMinor  = 13
)

// layouts holds 3.8 to 3.13.
var layouts = [lastMinor - firstMinor + 1]layout{
	8 - firstMinor: {gil: 1152, interp: 32, threads: 8, next: 8, threadID: 176, frame: 24, back: 24, code: 32, instr: 104,
		filename: 104, name: 112, first: 40, lines: 120, ascii: 48, compact: 72, line: lnotab},
	9 - firstMinor: {gil: 352, interp: 32, threads: 8, next: 8, threadID: 176, frame: 24, back: 24, code: 32, instr: 104,
		filename: 104, name: 112, first: 40, lines: 120, ascii: 48, compact: 72, line: lnotab},
	10 - firstMinor: {gil: 352, interp: 32, threads: 8, next: 8, threadID: 176, frame: 24, back: 24, code: 32, instr: 96,
		filename: 104, name: 112, first: 40, lines: 120, ascii: 48, compact: 72, line: linetable},
	11 - firstMinor: {gil: 360, interp: 40, threads: 16, next: 8, threadID: 152, native: 160, frame: 56, cframe: true, cframeCurrent: 8,
		back: 48, code: 32, instr: 56, owner: 69,
		filename: 112, name: 120, qualname: 128, first: 72, lines: 136, adaptive: 184, ascii: 48, compact: 72, line: locations},
	12 - firstMinor: {gil: 384, gilOwn: true, interp: 40, threads: 72, next: 8, threadID: 136, native: 144, frame: 56, cframe: true, cframeCurrent: 0,
		back: 8, code: 0, instr: 56, owner: 70,
		filename: 112, name: 120, qualname: 128, first: 68, lines: 136, adaptive: 192, ascii: 40, compact: 56, line: locations},
	13 - firstMinor: {gil: 16, gilOwn: true, interp: 632, threads: 7344, next: 8, threadID: 152, native: 160, frame: 72,
		back: 8, code: 0, instr: 56, owner: 70,
		filename: 112, name: 120, qualname: 128, first: 68, lines: 136, adaptive: 200, ascii: 40, compact: 56, line: locations},
}

// lnotab reads the table of 3.8 and 3.9 (Objects/lnotab_notes.txt): pairs of a
// byte count and a signed line count.
func lnotab(table []byte, line, offset int) int {
	at := 0
	for i := 0; i+1 < len(table); i += 2 {
		if at += int(table[i]); at > offset {
			break
		}
		line += int(int8(table[i+1]))
	}
	return line
}

// linetable reads the table of 3.10 (PEP 626): pairs of a byte count and a
// signed line count, -128 for code that belongs to no line. The offset counts
// units of two bytes.
func linetable(table []byte, line, offset int) int {
	offset *= 2
	end := 0
	for i := 0; i+1 < len(table); i += 2 {
		if d := int8(table[i+1]); d != -128 {
			line += int(d)
		}
		if end += int(table[i]); offset < end {
			break
		}
	}
	return line
}

// locations reads the table of 3.11 and later (PEP 657,
// Objects/locations.md): entries that begin with a byte whose top bit is set.
// The offset counts units of two bytes.
func locations(table []byte, line, offset int) int {
	end := 0
	for i := 0; i < len(table); {
		first := table[i]
		i++
		switch kind := first >> 3 & 15; kind {
		case 13, 14: // a signed line delta, and for 14 three more numbers
			d, n := varint(table[i:])
			if i += n; d&1 != 0 {
				line -= d >> 1
			} else {
				line += d >> 1
			}
		case 10, 11, 12:
			line += int(kind) - 10
		}
		for i < len(table) && table[i]&0x80 == 0 {
			i++
		}
		if end += int(first&7) + 1; offset < end {
			break
		}
	}
	return line
}

// varint reads six bits a byte, least first, with 64 as the continuation bit.
func varint(b []byte) (v, n int) {
	for shift := 0; n < len(b) && shift < 30; shift += 6 {
		x := b[n]
		n++
		v |= int(x&63) << shift
		if x&64 == 0 {
			break
		}
	}
	return v, n
}
