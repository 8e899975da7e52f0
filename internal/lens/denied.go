package lens

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Denied is what the kernel refused (EPERM, EACCES) to a process without the
// capabilities caps (capabilities(7), "CAP_BPF").
func Denied(ability string, err error, caps ...string) *Unavailable {
	u := &Unavailable{Ability: ability, Reason: err.Error() + " (it takes " + join(caps) + ")", Root: os.Geteuid() != 0}
	switch missing := lacking(caps); {
	case u.Root:
		u.Remedy = "run culprit as root (sudo)"
	case len(missing) > 0:
		u.Remedy = "root lacks " + join(missing) + " here: start the container with `docker run"
		for _, c := range missing {
			u.Remedy += " --cap-add " + strings.TrimPrefix(c, "CAP_")
		}
		u.Remedy += "`"
	case !initialUsers():
		u.Remedy = "root of a user namespace is not enough: run culprit outside of the container"
	default:
		u.Remedy = "a security module, a seccomp filter or lockdown forbids it: in a container, `docker run --privileged`"
	}
	return u
}

// capabilities are the numbers of linux/capability.h.
var capabilities = map[string]int{
	"CAP_NET_ADMIN": unix.CAP_NET_ADMIN, "CAP_NET_RAW": unix.CAP_NET_RAW, "CAP_SYS_PTRACE": unix.CAP_SYS_PTRACE,
	"CAP_PERFMON": unix.CAP_PERFMON, "CAP_BPF": unix.CAP_BPF,
}

// lacking lists those that this thread's effective set has not.
func lacking(caps []string) []string {
	var data [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
		return nil
	}
	var out []string
	for _, c := range caps {
		if n := capabilities[c]; data[n/32].Effective&(1<<(n%32)) == 0 {
			out = append(out, c)
		}
	}
	return out
}

// Capable reports whether this process has a capability.
func Capable(name string) bool { return len(lacking([]string{name})) == 0 }

// initialUsers reports whether this is the initial user namespace
// (user_namespaces(7)): it maps all users to themselves.
func initialUsers() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	return err != nil || bytes.Equal(bytes.Join(bytes.Fields(b), []byte(" ")), []byte("0 0 4294967295"))
}

func join(names []string) string {
	if n := len(names); n > 1 {
		return fmt.Sprintf("%s and %s", strings.Join(names[:n-1], ", "), names[n-1])
	}
	return strings.Join(names, "")
}
