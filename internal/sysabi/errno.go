package sysabi

import "strconv"

// Errno is an error number, 0 for none. Numbers from 512 on are the kernel's
// own, which a tracer sees and the program doesn't.
type Errno uint32

// Errnos that callers decide by.
const (
	EPERM        Errno = 1
	ENOENT       Errno = 2
	EINTR        Errno = 4
	EBADF        Errno = 9
	EAGAIN       Errno = 11
	EACCES       Errno = 13
	EPIPE        Errno = 32
	ECONNRESET   Errno = 104
	ETIMEDOUT    Errno = 110
	ECONNREFUSED Errno = 111
	EINPROGRESS  Errno = 115
	ERESTARTSYS  Errno = 512
)

// Name returns the symbolic name, "EPIPE", or "errno(N)" when there is none.
func (e Errno) Name() string {
	if int64(e) < int64(len(errnos)) && errnos[e].name != "" {
		return errnos[e].name
	}
	return "errno(" + strconv.FormatUint(uint64(e), 10) + ")"
}

// Text returns what strerror(3) says, "Broken pipe".
func (e Errno) Text() string {
	if int64(e) < int64(len(errnos)) && errnos[e].text != "" {
		return errnos[e].text
	}
	if e == 0 {
		return "Success"
	}
	return "Unknown error " + strconv.FormatUint(uint64(e), 10)
}

// String returns the name.
func (e Errno) String() string { return e.Name() }

// ErrnoOf returns the errno called name.
func ErrnoOf(name string) (Errno, bool) {
	switch name {
	case "EWOULDBLOCK":
		name = "EAGAIN"
	case "EDEADLOCK":
		name = "EDEADLK"
	case "ENOTSUP":
		name = "EOPNOTSUPP"
	}
	for i := range errnos {
		if errnos[i].name == name && name != "" {
			return Errno(i), true
		}
	}
	return 0, false
}
