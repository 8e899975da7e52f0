package tracer

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"culprit/internal/event"
	"culprit/internal/remote"
)

// Offsets in struct seccomp_data (linux/seccomp.h).
const (
	dataNR   = 0
	dataArch = 4
)

// maxNumber bounds the numbers that a filter tells apart; all above stop.
const maxNumber = 1024

// program is a filter that stops a thread at the calls for which only is true
// and lets all others pass. What it allows by number alone the kernel (5.11 and
// later) finds out once and doesn't run the filter for.
func program(only func(event.Arch, uint32) bool) []unix.SockFilter {
	code := []unix.SockFilter{stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, dataArch)}
	for _, arch := range [...]event.Arch{event.ArchX8664, event.ArchI386} {
		calls := []unix.SockFilter{stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, dataNR)}
		for first := uint32(0); first < maxNumber; {
			if !only(arch, first) {
				first++
				continue
			}
			last := first
			for last+1 < maxNumber && only(arch, last+1) {
				last++
			}
			calls = append(calls, jump(unix.BPF_JGE, first, 0, 2), jump(unix.BPF_JGT, last, 1, 0), ret(unix.SECCOMP_RET_TRACE))
			first = last + 1
		}
		calls = append(calls, jump(unix.BPF_JGE, maxNumber, 0, 1), ret(unix.SECCOMP_RET_TRACE), ret(unix.SECCOMP_RET_ALLOW))
		code = append(code, jump(unix.BPF_JEQ, uint32(arch), 1, 0), stmt(unix.BPF_JMP|unix.BPF_JA, uint32(len(calls))))
		code = append(code, calls...)
	}
	return append(code, ret(unix.SECCOMP_RET_TRACE))
}

func stmt(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }
func ret(k uint32) unix.SockFilter               { return stmt(unix.BPF_RET|unix.BPF_K, k) }
func jump(op uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, Jt: yes, Jf: no, K: k}
}

// installFilter puts a filter into a process that stands in a ptrace stop.
func installFilter(pid int, code []unix.SockFilter) (err error) {
	t, err := remote.Begin(pid)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.End()) }()
	var text []byte
	for _, f := range code {
		text = binary.NativeEndian.AppendUint16(text, f.Code)
		text = append(text, f.Jt, f.Jf)
		text = binary.NativeEndian.AppendUint32(text, f.K)
	}
	at, err := t.Place(text)
	if err != nil {
		return err
	}
	prog := binary.NativeEndian.AppendUint64(nil, uint64(len(code))) // struct sock_fprog
	if at, err = t.Place(binary.NativeEndian.AppendUint64(prog, at)); err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		nr   uint64
		args []uint64
	}{
		{"prctl(PR_SET_NO_NEW_PRIVS)", unix.SYS_PRCTL, []uint64{unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0}},
		{"seccomp", unix.SYS_SECCOMP, []uint64{unix.SECCOMP_SET_MODE_FILTER, 0, at}},
	} {
		ret, err := t.Call(c.nr, c.args...)
		if err != nil {
			return err
		}
		if ret < 0 {
			return fmt.Errorf("%s: %w", c.name, unix.Errno(-ret))
		}
	}
	return nil
}
