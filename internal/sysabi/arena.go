package sysabi

// arenaFirst is the size of an arena's first block; arenaMax bounds what it
// holds between two Resets when Max is not set.
const (
	arenaFirst = 64 << 10
	arenaMax   = 32 << 20
)

// Arena is byte storage that is used again: memory taken from it stays valid
// until Reset. The zero value works. It isn't safe for several goroutines.
type Arena struct {
	Max  int    // bytes between two Resets, 32 MiB when 0
	Lost uint64 // bytes that were asked for over Max, of all time

	block []byte // present block, its length is what is used
	used  int    // bytes handed out since Reset
	text  []byte // what a rehearsal prints, see capture.rehearse
}

// Reset gives all memory back. The largest block is kept.
func (a *Arena) Reset() { a.block, a.used = a.block[:0], 0 }

// Used returns how many bytes were handed out since Reset.
func (a *Arena) Used() int { return a.used }

// take returns n bytes, or fewer when the arena is full.
func (a *Arena) take(n int) []byte {
	limit := a.Max
	if limit <= 0 {
		limit = arenaMax
	}
	if room := limit - a.used; n > room {
		a.Lost += uint64(n - room)
		n = room
	}
	if n > cap(a.block)-len(a.block) {
		// Older blocks live on in the pieces that point into them.
		a.block = make([]byte, 0, max(arenaFirst, n, min(2*cap(a.block), limit)))
	}
	at := len(a.block)
	a.block = a.block[:at+n]
	a.used += n
	return a.block[at : at+n : at+n]
}

// giveBack returns the last n bytes of what take returned last.
func (a *Arena) giveBack(n int) {
	a.block = a.block[:len(a.block)-n]
	a.used -= n
}
