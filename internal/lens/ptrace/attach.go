package ptrace

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"culprit/internal/lens"
	"culprit/internal/remote"
)

// attach seizes the stopped process from this OS thread and puts the filter
// into it. It returns whether the process had to give up gaining privileges
// (PR_SET_NO_NEW_PRIVS) for that, as a process without CAP_SYS_ADMIN must. On an
// error the process is left as it was.
func attach(pid int, choice *selection) (noNewPrivs bool, err error) {
	if e := ptrace(reqSeize, int32(pid), 0, options); e != 0 {
		return false, &lens.Unavailable{Ability: "ptrace", Reason: fmt.Sprintf("PTRACE_SEIZE of %d: %v", pid, e), Remedy: remedy()}
	}
	defer func() {
		if err != nil {
			_ = unix.PtraceDetach(pid)
		}
	}()
	var st unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &st, unix.WALL, nil)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return false, fmt.Errorf("wait for %d: %w", pid, err)
		}
	}
	if !st.Stopped() || uint32(st)>>16 != eventStop {
		return false, fmt.Errorf("process %d, wait status %#x: %w", pid, uint32(st), errNotStopped)
	}
	t, err := remote.Begin(pid)
	if err != nil {
		return false, err
	}
	noNewPrivs, err = install(t, choice.program())
	return noNewPrivs, errors.Join(err, t.End())
}

// install makes the stopped thread call seccomp(2).
func install(t *remote.Thread, prog []unix.SockFilter) (noNewPrivs bool, err error) {
	seccomp, prctl := uint64(unix.SYS_SECCOMP), uint64(unix.SYS_PRCTL)
	if t.Compat() {
		seccomp, prctl = compatSeccomp, compatPrctl
	}
	b := make([]byte, 0, 8*len(prog))
	for _, f := range prog {
		b = binary.NativeEndian.AppendUint16(b, f.Code)
		b = append(b, f.Jt, f.Jf)
		b = binary.NativeEndian.AppendUint32(b, f.K)
	}
	code, err := t.Place(b)
	if err != nil {
		return false, err
	}
	// struct sock_fprog: u16 length, padding, pointer.
	head := make([]byte, 0, 16)
	head = binary.NativeEndian.AppendUint16(head, uint16(len(prog)))
	if t.Compat() {
		head = binary.NativeEndian.AppendUint32(append(head, 0, 0), uint32(code))
	} else {
		head = binary.NativeEndian.AppendUint64(append(head, 0, 0, 0, 0, 0, 0), code)
	}
	fprog, err := t.Place(head)
	if err != nil {
		return false, err
	}
	// Before Linux 5.16 a filter slows the whole program down by switching
	// mitigations on, unless it says that it doesn't want them.
	flags := uint64(unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW)
	for {
		got, err := t.Call(seccomp, unix.SECCOMP_SET_MODE_FILTER, flags, fprog)
		switch {
		case err != nil:
			return false, err
		case got == 0:
			return noNewPrivs, nil
		case unix.Errno(-got) == unix.EINVAL && flags != 0: // before Linux 4.17
			flags = 0
		case unix.Errno(-got) == unix.EACCES && !noNewPrivs:
			if ret, err := t.Call(prctl, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil || ret != 0 {
				return false, errors.Join(unavailable("PR_SET_NO_NEW_PRIVS", ret), err)
			}
			noNewPrivs = true
		default:
			return false, unavailable("SECCOMP_SET_MODE_FILTER", got)
		}
	}
}

func unavailable(what string, ret int64) error {
	return &lens.Unavailable{Ability: "seccomp filter", Reason: fmt.Sprintf("%s: %v", what, unix.Errno(-ret))}
}
