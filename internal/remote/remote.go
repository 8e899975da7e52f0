// Package remote makes a thread that stands in a ptrace stop do things as if it
// had done them itself, and puts everything back afterwards: system calls, one
// at a time while nothing else happens (Thread), and functions of the program,
// which may wait for other threads and so run while the caller's loop goes on
// (Calls).
//
// It decides nothing: what is called, and when, is the caller's. All functions
// must run on the OS thread that traces the thread.
package remote

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests of ptrace(2) that x/sys has no wrapper for.
const (
	ptraceGetSigmask = 0x420a // PTRACE_GETSIGMASK
	ptraceSetSigmask = 0x420b // PTRACE_SETSIGMASK

	ptraceGetSyscallInfo = 0x420e // PTRACE_GET_SYSCALL_INFO
)

// redZone is what must stay untouched below the stack pointer (System V ABI
// for AMD64, 3.2.2).
const redZone = 128

// ErrGone is returned when the thread died during a call.
var ErrGone = errors.New("thread is gone")

// Thread is a thread between Begin and End.
type Thread struct {
	tid   int
	saved registers
	mask  uint64
	instr uint64 // where a system call instruction is
	text  []byte // what was there before, nil when it was there
	stack uint64 // next free address going down
	undo  []piece
	held  []unix.Signal // arrived meanwhile, sent again at End
}

type piece struct {
	addr uint64
	data []byte
}

// Begin takes over the thread tid, which must be in a ptrace stop of this OS
// thread and traced with PTRACE_O_TRACESYSGOOD. No signal but SIGKILL and
// SIGSTOP can reach it until End.
func Begin(tid int) (*Thread, error) {
	t := &Thread{tid: tid}
	if err := t.saved.get(tid); err != nil {
		return nil, fmt.Errorf("read registers of %d: %w", tid, err)
	}
	if err := sigmask(ptraceGetSigmask, tid, &t.mask); err != nil {
		return nil, fmt.Errorf("read signal mask of %d: %w", tid, err)
	}
	all := ^uint64(0)
	if err := sigmask(ptraceSetSigmask, tid, &all); err != nil {
		return nil, fmt.Errorf("block signals of %d: %w", tid, err)
	}
	err := t.leaveCall()
	if err == nil {
		err = t.placeInstruction()
	}
	if err != nil {
		return nil, errors.Join(err, t.End())
	}
	t.stack = t.saved.sp() - redZone
	return t, nil
}

// leaveCall gives up the system call that the thread stands before, if it does;
// it will make it again after End.
func (t *Thread) leaveCall() error {
	const entry, seccomp = 1, 3 // PTRACE_SYSCALL_INFO_ENTRY, _SECCOMP (linux/ptrace.h)
	var info [88]byte           // struct ptrace_syscall_info
	if _, _, e := unix.RawSyscall6(unix.SYS_PTRACE, ptraceGetSyscallInfo, uintptr(t.tid), uintptr(len(info)), uintptr(unsafe.Pointer(&info)), 0, 0); e != 0 ||
		info[0] != entry && info[0] != seccomp {
		return nil
	}
	r := t.saved
	r.cancel()
	if err := r.set(t.tid); err != nil {
		return fmt.Errorf("set registers of %d: %w", t.tid, err)
	}
	t.saved.reenter()
	return t.step()
}

// placeInstruction finds a system call instruction: the one that the thread
// comes from, or one of the vDSO. Where there is none it is written over the
// program's text, which other threads might run meanwhile.
func (t *Thread) placeInstruction() error {
	instr := t.saved.instruction()
	is := make([]byte, len(instr))
	if t.instr = t.saved.pc() - uint64(len(instr)); peek(t.tid, t.instr, is) == nil && bytes.Equal(is, instr) {
		return nil
	}
	if at, ok := vdso(t.tid); ok && !t.Compat() {
		image := make([]byte, 8<<10)
		if i := bytes.Index(image[:Read(t.tid, at, image)], instr); i > 0 {
			t.instr = at + uint64(i)
			return nil
		}
	}
	t.instr = t.saved.pc()
	if err := peek(t.tid, t.instr, is); err != nil {
		return fmt.Errorf("read text of %d at %#x: %w", t.tid, t.instr, err)
	}
	if err := poke(t.tid, t.instr, instr); err != nil {
		return fmt.Errorf("write text of %d: %w", t.tid, err)
	}
	t.text = is
	return nil
}

// vdso is where the kernel's library lies in a process.
func vdso(tid int) (addr uint64, ok bool) {
	const sysinfoEHDR = 33 // AT_SYSINFO_EHDR (getauxval(3))
	b, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/auxv")
	for ; err == nil && len(b) >= 16; b = b[16:] {
		if binary.NativeEndian.Uint64(b) == sysinfoEHDR {
			return binary.NativeEndian.Uint64(b[8:]), true
		}
	}
	return 0, false
}

// Compat reports whether the thread runs 32-bit code, so that pointers are four
// bytes and numbers those of the 32-bit table.
func (t *Thread) Compat() bool { return t.saved.compat() }

// Place writes data below the thread's stack and returns its address. It is
// taken away again at End.
func (t *Thread) Place(data []byte) (uint64, error) {
	addr := (t.stack - uint64(len(data))) &^ 15
	old := make([]byte, len(data))
	if err := peek(t.tid, addr, old); err != nil {
		return 0, fmt.Errorf("read stack of %d: %w", t.tid, err)
	}
	if err := poke(t.tid, addr, data); err != nil {
		return 0, fmt.Errorf("write stack of %d: %w", t.tid, err)
	}
	t.undo = append(t.undo, piece{addr, old})
	t.stack = addr
	return addr, nil
}

// Call makes one system call and returns its result as the kernel gives it:
// -4095..-1 is -errno.
func (t *Thread) Call(nr uint64, args ...uint64) (int64, error) {
	r := t.saved
	r.call(t.instr, nr, args)
	if err := r.set(t.tid); err != nil {
		return 0, fmt.Errorf("set registers of %d: %w", t.tid, err)
	}
	for range 2 { // to the entry, to the exit
		if err := t.step(); err != nil {
			return 0, err
		}
	}
	if err := r.get(t.tid); err != nil {
		return 0, fmt.Errorf("read result of %d: %w", t.tid, err)
	}
	return r.result(), nil
}

// step goes on to the next system call stop.
func (t *Thread) step() error {
	for {
		if err := unix.PtraceSyscall(t.tid, 0); err != nil {
			return fmt.Errorf("continue %d: %w", t.tid, err)
		}
		var st unix.WaitStatus
		for {
			_, err := unix.Wait4(t.tid, &st, unix.WALL, nil)
			if err == nil {
				break
			}
			if err != unix.EINTR {
				return fmt.Errorf("wait for %d: %w", t.tid, err)
			}
		}
		switch {
		case !st.Stopped():
			return ErrGone
		case st.StopSignal() == unix.SIGTRAP|0x80:
			return nil
		case uint32(st)>>16 == 0: // a signal: it must wait
			t.held = append(t.held, st.StopSignal())
		}
	}
}

// End puts everything back as it was at Begin.
func (t *Thread) End() error {
	var errs []error
	for i := len(t.undo) - 1; i >= 0; i-- {
		errs = append(errs, poke(t.tid, t.undo[i].addr, t.undo[i].data))
	}
	if t.text != nil {
		errs = append(errs, poke(t.tid, t.instr, t.text))
	}
	errs = append(errs,
		t.saved.set(t.tid),
		sigmask(ptraceSetSigmask, t.tid, &t.mask))
	for _, s := range t.held {
		errs = append(errs, unix.Kill(t.tid, s))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("restore thread %d: %w", t.tid, err)
	}
	return nil
}

// SetSigmask sets the blocked signals of a thread in a ptrace stop, bit n-1 for
// signal n.
func SetSigmask(tid int, mask uint64) error { return sigmask(ptraceSetSigmask, tid, &mask) }

func sigmask(req, tid int, mask *uint64) error {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(req), uintptr(tid), 8, uintptr(unsafe.Pointer(mask)), 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// StepBack puts a thread that stopped behind a breakpoint (int3) at addr back to
// that address, and reports whether it did stop there.
func StepBack(tid int, addr uint64) (hit bool, err error) {
	var r registers
	if err := r.get(tid); err != nil {
		return false, fmt.Errorf("read registers of %d: %w", tid, err)
	}
	if !r.stepBack(addr) {
		return false, nil
	}
	if err := r.set(tid); err != nil {
		return true, fmt.Errorf("set registers of %d: %w", tid, err)
	}
	return true, nil
}

// Read copies memory of a process from addr on (process_vm_readv(2)) and returns
// how many bytes it could copy.
func Read(pid int, addr uint64, p []byte) int { return move(unix.ProcessVMReadv, pid, addr, p) }

// Write copies p into memory of a process (process_vm_writev(2)) and returns how
// many bytes it could copy.
func Write(pid int, addr uint64, p []byte) int { return move(unix.ProcessVMWritev, pid, addr, p) }

func move(call func(int, []unix.Iovec, []unix.RemoteIovec, uint) (int, error), pid int, addr uint64, p []byte) int {
	if len(p) == 0 {
		return 0
	}
	n, err := call(pid, []unix.Iovec{{Base: &p[0], Len: uint64(len(p))}}, []unix.RemoteIovec{{Base: uintptr(addr), Len: len(p)}}, 0)
	if err != nil {
		return 0
	}
	return n
}

func peek(tid int, addr uint64, p []byte) error {
	n, err := unix.PtracePeekData(tid, uintptr(addr), p)
	if err == nil && n < len(p) {
		err = unix.EIO
	}
	return err
}

func poke(tid int, addr uint64, p []byte) error {
	n, err := unix.PtracePokeData(tid, uintptr(addr), p)
	if err == nil && n < len(p) {
		err = unix.EIO
	}
	return err
}
