package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"culprit/internal/lens"
	"culprit/internal/lens/ebpf"
	"culprit/internal/lens/keys"
	"culprit/internal/lens/packet"
	"culprit/internal/lens/ptrace"
)

// ability is something that machines may allow or not.
type ability struct {
	what string
	err  error  // why not, nil when it is allowed
	with string // how it is, "" when nothing is to be said
	root string // arguments of the culprit that sudo would allow it
}

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "say what this machine allows each lens, and how to allow more",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			sudo := false
			for _, a := range abilities() {
				sudo = a.tell(os.Stdout) || sudo
			}
			for _, tool := range []string{"python3", "tshark"} {
				path, err := exec.LookPath(tool)
				if err != nil {
					err = errors.New("it is not in PATH")
				}
				ability{what: tool, with: path, err: err}.tell(os.Stdout)
			}
			if sudo {
				fmt.Fprintln(os.Stdout, "     With sudo, CMD runs as root too; `sudo culprit run -- sudo -u $USER CMD...` runs it as you.")
			}
			return nil
		},
	}
}

// abilities tries them all.
func abilities() []ability {
	tracing := ptrace.New(ptrace.Options{}).Probe()
	out := []ability{
		{what: "kernel lens by seccomp and ptrace", err: tracing, root: "run -- CMD..."},
		{what: "kernel lens by eBPF", err: ebpf.New(ebpf.Options{}).Probe(), root: "run --backend ebpf -- CMD..."},
		{what: "processes that run already (attach, strace -p)", err: attachable(tracing), with: "those of every user", root: "attach -p PID"},
	}
	if !lens.Capable("CAP_SYS_PTRACE") {
		out[2].with = "those of this user"
	}
	code := ability{what: "code lens, the agent in Python 3.8 to 3.13", with: "by ptrace, where an interpreter starts (Py_RunMain)"}
	if tracing != nil {
		code.with = "by PYTHONPATH, since ptrace is refused: not into a Python that ignores it (-E, -I), and only with --backend ebpf"
		code.err = out[1].err // nothing else brings it in
	}
	packets := ability{what: "wire lens, packets of the program", err: packet.New(packet.Options{}).Probe(), with: "by a cgroup and eBPF", root: "run --packets=on -- CMD..."}
	sniff := packet.Reachable()
	if packets.err != nil && sniff == nil {
		packets.with = fmt.Sprintf("by AF_PACKET and the calls seen, with --packets=on (no cgroup: %v)", packets.err)
		packets.err = nil
	}
	return append(out,
		packets,
		ability{what: "wire lens, TLS keys that programs log", with: "SSLKEYLOGFILE"},
		ability{what: "wire lens, TLS keys read out of programs by uprobes", err: keys.Probe(), with: "OpenSSL, GnuTLS, Go", root: "run -- CMD..."},
		code,
		ability{what: "tcpdump", err: sniff, with: "AF_PACKET", root: "tcpdump"})
}

// attachable says why processes that run already can't be traced.
func attachable(tracing error) error {
	scope, _ := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	if tracing == nil && strings.HasPrefix(string(scope), "1") && !lens.Capable("CAP_SYS_PTRACE") {
		return &lens.Unavailable{Ability: "kernel.yama.ptrace_scope is 1", Reason: "a user may trace only what he starts",
			Remedy: "sudo sysctl kernel.yama.ptrace_scope=0", Root: os.Geteuid() != 0}
	}
	return tracing
}

// tell prints one line, and how to allow what is not. It reports whether that
// is by sudo.
func (a ability) tell(w io.Writer) (sudo bool) {
	if a.err == nil {
		if a.with != "" {
			a.what += ": " + a.with
		}
		fmt.Fprintf(w, "yes  %s\n", a.what)
		return false
	}
	fmt.Fprintf(w, "no   %s: %v\n", a.what, a.err)
	u := (*lens.Unavailable)(nil)
	if !errors.As(a.err, &u) {
		return false
	}
	if sudo = u.Root && a.root != ""; sudo {
		fmt.Fprintf(w, "     sudo culprit %s\n", a.root)
	}
	if u.Remedy != "" && !(sudo && strings.HasPrefix(u.Remedy, "run culprit as root")) {
		fmt.Fprintf(w, "     %s\n", u.Remedy)
	}
	return sudo
}
