package event

import "encoding/binary"

// Native is where a thread stood in native code, innermost frame first. Files
// and symbols are looked up when it is taken: the process may be gone at once.
type Native struct {
	Signo  uint32 // the signal that is about to end the process, 0 when there is none
	Frames []NativeFrame
	More   bool   // there are more frames than were taken
	Stack  uint32 // number of the Stack of what an interpreter ran there, 0 when not known
}

// NativeFrame is one function on a Native stack. In all but the innermost the
// address is one less than that of return, so that it lies in the call.
type NativeFrame struct {
	Object string // file that is mapped there, or "[vdso]"; "" for other memory
	Addr   uint64 // as the object's own tables have it
	Symbol string // as the linker knows it (mangled), "" when unknown
	Offset uint64 // of Addr in Symbol
	Build  string // build id of Object in hex, "" when it has none
}

// Kind says which body this is.
func (*Native) Kind() Kind { return KindNative }

func (n *Native) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(n.Signo))
	b = binary.AppendUvarint(b, uint64(len(n.Frames)))
	for i := range n.Frames {
		f := &n.Frames[i]
		b = appendString(binary.AppendUvarint(appendString(b, f.Object), f.Addr), f.Symbol)
		b = appendString(binary.AppendUvarint(b, f.Offset), f.Build)
	}
	return binary.AppendUvarint(appendBool(b, n.More), uint64(n.Stack))
}

func (n *Native) decode(c *cursor) {
	n.Signo = uint32(c.uint())
	count := c.count()
	if count > 0 {
		n.Frames = make([]NativeFrame, 0, min(count, 64))
	}
	for range count {
		if !c.more() {
			return
		}
		n.Frames = append(n.Frames, NativeFrame{Object: c.string(), Addr: c.uint(), Symbol: c.string(), Offset: c.uint(), Build: c.string()})
	}
	n.More, n.Stack = c.bool(), uint32(c.uint())
}
