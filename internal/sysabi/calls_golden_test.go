package sysabi

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The calls of a family with memory of three kinds: numbers that count up,
// pointers to a string, nothing that can be read. What they print is what
// strace 7.2 prints, whose own tests compare it with the kernel's headers; here
// it is kept.
const (
	atNumbers  = 0x10000
	atPointers = 0x20000
	atText     = 0x30000
	atNothing  = 0x40000
)

// scene is a call: its fixed arguments, the register that takes the addresses,
// and the values of register vary that are tried.
type scene struct {
	call  string
	args  []uint64
	at    []int // registers with the address
	vary  int
	over  []uint64
	fails bool // with an error too
}

func upTo(n uint64) (list []uint64) {
	for i := range n {
		list = append(list, i)
	}
	return list
}

var scenes = map[string][]scene{
	"bpf": {
		{call: "bpf", args: []uint64{0, 0, 168}, at: []int{1}, over: upTo(40)},
		{call: "perf_event_open", args: []uint64{0, 7, 0, 3, 8}, at: []int{0}},
	},
	"clone": {
		{call: "clone3", args: []uint64{0, 88}, at: []int{0}},
		{call: "clone3", args: []uint64{0, 96}, at: []int{0}},
		{call: "sched_setattr", args: []uint64{7, 0, 0}, at: []int{1}},
		{call: "sched_getattr", args: []uint64{7, 0, 56, 1}, at: []int{1}},
		{call: "rseq", args: []uint64{0, 32, 1, 0x53053053}, at: []int{0}},
		{call: "kcmp", args: []uint64{7, 8, 0, 3, 0}, at: []int{4}, vary: 2, over: upTo(9)},
		{call: "ioprio_set", args: []uint64{1, 7, 0x4001}},
	},
	"file": {
		{call: "openat2", args: []uint64{0xffffff9c, atText, 0, 24}, at: []int{2}, vary: 3, over: []uint64{23, 24, 32}},
		{call: "file_getattr", args: []uint64{3, atText, 0, 24}, at: []int{2}, fails: true},
		{call: "name_to_handle_at", args: []uint64{3, atText, 0, 0}, at: []int{2, 3}, fails: true},
		{call: "open_by_handle_at", args: []uint64{3, 0, 0}, at: []int{1}},
		{call: "setxattrat", args: []uint64{3, atText, 0, atText, 0, 16}, at: []int{4}},
		{call: "fcntl", args: []uint64{3, 0, 0}, at: []int{2}, vary: 1, over: []uint64{5, 6, 15, 16, 1035, 1036, 1039, 1040}},
		{call: "statx", args: []uint64{3, atText, 0x6100, 0xfff, 0}, at: []int{4}, fails: true},
		{call: "quotactl", args: []uint64{0, atText, 5, 0}, at: []int{3}, vary: 0,
			over: []uint64{0x80000100, 0x80000200, 0x80000400, 0x80000500, 0x80000700, 0x80000900, 0x580100, 0x580300, 0x580500, 0x580600, 0x580800}},
	},
	"ipc": {
		{call: "msgctl", args: []uint64{5, 0, 0}, at: []int{2}, vary: 1, over: append(upTo(4), 11, 12, 13, 0x102), fails: true},
		{call: "semctl", args: []uint64{5, 1, 0, 0}, at: []int{3}, vary: 2, over: append(upTo(4), 16, 18, 19, 20)},
		{call: "shmctl", args: []uint64{5, 0, 0}, at: []int{2}, vary: 1, over: append(upTo(4), 11, 13, 14, 15)},
		{call: "msgsnd", args: []uint64{5, 0, 8, 0x800}, at: []int{1}},
		{call: "mq_notify", args: []uint64{5, 0}, at: []int{1}},
	},
	"key": {
		{call: "keyctl", args: []uint64{0, 0, 0, 0, 0}, at: []int{1, 2, 3, 4}, over: upTo(34), fails: true},
		{call: "add_key", args: []uint64{atText, atText, 0, 8, ^uint64(0)}, at: []int{2}},
	},
	"memory": {
		{call: "move_pages", args: []uint64{7, 3, 0, 0, 0, 2}, at: []int{2, 3, 4}},
		{call: "mbind", args: []uint64{0x1000, 4096, 0, 0, 64, 1}, at: []int{3}, vary: 2, over: []uint64{0, 2, 0x8003, 0xffff}},
		{call: "mincore", args: []uint64{0x1000, 8192, 0}, at: []int{2}},
		{call: "mmap", args: []uint64{0, 4096, 3, 0x40022, 3, 0}, vary: 3, over: []uint64{0x22, 0x40022, 0x54040022}},
	},
	"mount": {
		{call: "mount", args: []uint64{atText, atText, atText, 0, atText}, vary: 3, over: []uint64{0, 0x20, 0x1000, 0xc0ed0001}},
		{call: "mount_setattr", args: []uint64{3, atText, 0, 0, 32}, at: []int{3}, vary: 4, over: []uint64{31, 32, 40}},
		{call: "statmount", args: []uint64{0, 0, 600, 0}, at: []int{0, 1}},
		{call: "listmount", args: []uint64{0, 0, 2, 1}, at: []int{0, 1}},
		{call: "fsconfig", args: []uint64{3, 0, atText, 0, 4}, at: []int{3}, vary: 1, over: upTo(9)},
	},
	"prctl": {
		{call: "prctl", args: []uint64{0, 1, atText, 3, 4}, over: append(upTo(82), 0x53564d41, 0x59616d61)},
		{call: "arch_prctl", args: []uint64{0, 0}, at: []int{1}, over: []uint64{0x1001, 0x1003, 0x1011, 0x1021, 0x1023}},
		{call: "seccomp", args: []uint64{0, 1, 0}, at: []int{2}, over: upTo(4)},
	},
	"ptrace": {{call: "ptrace", args: []uint64{0, 7, 8, 0}, at: []int{3}, over: append(upTo(34), ptraceRequests()...), fails: true}},
	"security": {
		{call: "landlock_create_ruleset", args: []uint64{0, 0, 0}, at: []int{0}, vary: 1, over: []uint64{7, 8, 16, 24, 48, 56}},
		{call: "landlock_add_rule", args: []uint64{3, 0, 0, 1}, at: []int{2}, vary: 1, over: upTo(4)},
		{call: "lsm_get_self_attr", args: []uint64{100, 0, 0, 1}, at: []int{1, 2}, fails: true},
		{call: "lsm_list_modules", args: []uint64{0, 0, 0}, at: []int{0, 1}},
	},
	"wait": {
		{call: "futex", args: []uint64{atNumbers, 0, 1, 0, atText, 3}, at: []int{3}, vary: 1, over: append(upTo(15), 0x80, 0x109, 0x189)},
		{call: "futex_waitv", args: []uint64{0, 2, 0, 0, 1}, at: []int{0, 3}},
		{call: "io_submit", args: []uint64{atText, 2, 0}, at: []int{2}},
		{call: "io_cancel", args: []uint64{atText, 0, 0}, at: []int{1, 2}},
		{call: "select", args: []uint64{8, 0, 0, 0, 0}, at: []int{1, 2, 3}},
	},
}

func ptraceRequests() (list []uint64) {
	for i := range uint64(0x13) {
		list = append(list, 0x4200+i)
	}
	return list
}

func TestScenes(t *testing.T) {
	m := newMemory()
	var numbers, pointers []byte
	for i := range uint32(1024) {
		numbers = binary.LittleEndian.AppendUint32(numbers, i+1)
		pointers = binary.LittleEndian.AppendUint64(pointers, atText)
	}
	binary.LittleEndian.PutUint32(numbers[4:], 144) // a size, for those that have one there
	m.put(atNumbers, numbers)
	m.put(atPointers, pointers)
	m.put(atText, append([]byte("text"), make([]byte, 60)...))
	for family, list := range scenes {
		t.Run(family, func(t *testing.T) {
			var got bytes.Buffer
			for _, s := range list {
				s.play(t, m, &got)
			}
			path := filepath.Join("testdata", "calls_"+family+".golden")
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		})
	}
}

func (s scene) play(t *testing.T, m *fakeMemory, w *bytes.Buffer) {
	over := s.over
	if over == nil {
		over = []uint64{0}
	}
	for _, v := range over {
		args := append([]uint64{}, s.args...)
		if s.over != nil {
			args[s.vary] = v
		}
		for _, addr := range []uint64{atNumbers, atPointers, atNothing} {
			for _, reg := range s.at {
				args[reg] = addr
			}
			d := Decode(record(t, m, testLimits, 2, s.call, args...))
			short := d.Append(nil, Options{})
			w.Write(append(short, '\n'))
			for _, o := range []Options{{Verbose: true}, {Style: StyleVerbose}} {
				if long := d.Append(nil, o); addr == atNumbers && !bytes.Equal(long, short) {
					w.Write(append(long, '\n'))
				}
			}
			if s.fails && addr == atNumbers {
				w.Write(append(Decode(record(t, m, testLimits, -22, s.call, args...)).Append(nil, Options{}), '\n'))
			}
			if len(s.at) == 0 {
				break
			}
		}
	}
}
