package ebpf

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// introduce shows the programs a pipe that holds the cookie, by a call whose
// unused argument is the cookie: from it they work out where the kernel maps
// the pages that a socket's unread bytes lie in (bpf/peek.h), and from us how
// deep our PID namespace is.
func (l *loaded) introduce() error {
	cookie := l.cookie
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	b := binary.NativeEndian.AppendUint64(nil, cookie)
	b = binary.NativeEndian.AppendUint64(b, ^cookie)
	if _, err := unix.Write(p[1], b); err != nil {
		return fmt.Errorf("fill a pipe: %w", err)
	}
	_, _, e := unix.RawSyscall6(unix.SYS_FCNTL, uintptr(p[0]), unix.F_GETFD, 0, 0, 0, uintptr(cookie))
	if e != 0 {
		return fmt.Errorf("show a pipe: %w", e)
	}
	level := ^uint32(0)
	if err := l.obj.Level.Get(&level); err != nil || level == ^uint32(0) {
		return errors.New("the BPF programs could not tell our PID namespace")
	}
	return nil
}
