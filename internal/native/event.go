package native

import "culprit/internal/event"

// maxSymbol bounds a name in an event, in bytes.
const maxSymbol = 4096

// Event makes the event that tells of a stack.
func Event(frames []Frame, more bool) *event.Native {
	n := &event.Native{More: more, Frames: make([]event.NativeFrame, 0, len(frames))}
	for i := range frames {
		f := &frames[i]
		n.Frames = append(n.Frames, event.NativeFrame{Object: f.Object, Addr: f.Address,
			Symbol: f.Symbol[:min(len(f.Symbol), maxSymbol)], Offset: f.Offset, Build: f.Build})
	}
	return n
}
