package packet

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroup is a control group (cgroups(7), version 2) of our own, below the one
// that we are in, so that all limits of that one hold in it.
type cgroup struct {
	dir    *os.File
	path   string
	parent string
}

// newCgroup makes one.
func newCgroup() (*cgroup, error) {
	mount, err := cgroupMount("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	own, err := ownCgroup("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	parent := filepath.Join(mount, own)
	sweep(parent)
	path, err := os.MkdirTemp(parent, fmt.Sprintf("culprit-%d-", os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("make a cgroup: %w", err)
	}
	g := &cgroup{path: path, parent: parent}
	if g.dir, err = os.Open(path); err != nil {
		_ = os.Remove(path)
		return nil, fmt.Errorf("open the new cgroup: %w", err)
	}
	// Below a threaded cgroup no process can be put into a new one.
	if kind, err := os.ReadFile(filepath.Join(path, "cgroup.type")); err == nil && strings.TrimSpace(string(kind)) != "domain" {
		_ = g.remove()
		return nil, fmt.Errorf("make a cgroup: below %s it is %q and takes no process", parent, strings.TrimSpace(string(kind)))
	}
	return g, nil
}

// sweep takes away the groups of recorders that were killed. One that is in use
// can't be removed.
func sweep(parent string) {
	old, _ := filepath.Glob(filepath.Join(parent, "culprit-*-*")) // the pattern is valid
	for _, path := range old {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), "culprit-"), "-")
		if _, err := os.Stat("/proc/" + pid); os.IsNotExist(err) {
			_ = os.Remove(path)
		}
	}
}

// remove lets the processes that are left return to where they came from, and
// takes the group away.
func (g *cgroup) remove() error {
	defer g.dir.Close()
	err := os.Remove(g.path)
	if err == nil {
		return nil
	}
	pids, readErr := os.ReadFile(filepath.Join(g.path, "cgroup.procs"))
	if readErr != nil {
		return fmt.Errorf("remove our cgroup: %w", err)
	}
	for pid := range strings.FieldsSeq(string(pids)) {
		// One that has ended meanwhile is no loss.
		_ = os.WriteFile(filepath.Join(g.parent, "cgroup.procs"), []byte(pid), 0)
	}
	if err := os.Remove(g.path); err != nil {
		return fmt.Errorf("remove our cgroup: %w", err)
	}
	return nil
}

// cgroupMount finds where the hierarchy of version 2 is mounted (proc(5),
// mountinfo).
func cgroupMount(mountinfo string) (string, error) {
	f, err := os.Open(mountinfo)
	if err != nil {
		return "", fmt.Errorf("look for the cgroup v2 hierarchy: %w", err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		mount, super, ok := strings.Cut(s.Text(), " - ")
		fields := strings.Fields(mount)
		if ok && strings.HasPrefix(super, "cgroup2 ") && len(fields) > 4 && fields[3] == "/" {
			return fields[4], nil
		}
	}
	if err := s.Err(); err != nil {
		return "", fmt.Errorf("look for the cgroup v2 hierarchy: %w", err)
	}
	return "", fmt.Errorf("no cgroup v2 hierarchy is mounted: %w", unix.ENOENT)
}

// ownCgroup is our own group's path in that hierarchy.
func ownCgroup(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read our own cgroup: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			return strings.TrimSuffix(path, "\n"), nil
		}
	}
	return "", fmt.Errorf("this process is in no cgroup of version 2: %w", unix.ENOENT)
}
