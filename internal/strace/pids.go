package strace

import (
	"fmt"
	"os"
	"strings"

	"culprit/internal/sysabi"
)

// pids says what numbers of processes mean where this process runs, and the
// names of the processes (--decode-pids).
type pids struct {
	comm, translated bool
	procs            *procs
	task             *state // whose numbers are asked for
}

// wanted says that there is anything to say.
func (p *pids) wanted() bool { return p.comm || p.translated }

// named reads a task's command name, where names are wanted.
func (p *pids) named(st *state) {
	if p.comm {
		st.comm = p.commOf(int64(st.pid))
	}
}

func (p *pids) commOf(tid int64) string {
	b, _ := os.ReadFile(p.procs.dir(tid) + "/comm")
	return strings.TrimSuffix(string(b), "\n")
}

// changesName says that a call may change a task's command name.
func changesName(c *sysabi.Call) bool {
	return c.Name == "execve" || c.Name == "execveat" || c.Name == "prctl"
}

// appendComm prints <name>.
func appendComm(b []byte, name string) []byte {
	if name == "" {
		return b
	}
	return append(append(append(b, '<'), angled(name)...), '>')
}

// append prints what is known of a number that the present task gave or got.
func (p *pids) append(b []byte, id int64, kind sysabi.PIDKind) []byte {
	ours := p.translate(id, kind)
	if ours == 0 {
		return b
	}
	if p.comm && (kind == sysabi.TID || kind == sysabi.TGID) {
		b = appendComm(b, p.commOf(ours))
	}
	if p.translated && ours != id {
		b = fmt.Appendf(b, " /* %d in strace's PID NS */", ours)
	}
	return b
}

// translate returns the number that this process knows the one of the present
// task by, 0 when there is none.
func (p *pids) translate(id int64, kind sysabi.PIDKind) int64 {
	if p.task.space == 0 {
		list := spaces(p.procs.dir(int64(p.task.pid)))
		if len(list) == 0 {
			return 0
		}
		p.task.space = list[0]
	}
	if p.task.space == p.procs.space {
		return id
	}
	_, ours := p.procs.find(pidKey{p.task.space, id, kind})
	return ours
}
