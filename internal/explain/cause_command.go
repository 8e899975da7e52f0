package explain

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

var commandMissing = Cause{
	Names: []string{"command-not-found", "interpreter-missing", "exec-format", "exec-permission"},
	Doc:   "a program could not be started: no directory of PATH has it, its interpreter is missing, or it may not be executed",
	Find: func(c *Case) []Finding {
		if f, ok := c.spawnFailed(); ok {
			return []Finding{f}
		}
		var out []Finding
		for _, p := range c.T.Procs {
			if f, ok := c.shellMiss(p); ok {
				out = append(out, f)
			} else if f, ok := c.execFailed(p); ok {
				out = append(out, f)
			}
		}
		return out
	},
}

// spawnFailed: the command itself never ran.
func (c *Case) spawnFailed() (Finding, bool) {
	s := c.T.Spawn
	if s == nil || s.Errno == 0 {
		return Finding{}, false
	}
	e := sysabi.Errno(s.Errno)
	name := c.T.Header.Command[0]
	f := Finding{Side: Local, Links: []Link{{"end", "the command could not be started", wEnd}}}
	f.Facts = []Fact{{"command", name}, {"errno", e.Name()}}
	for _, t := range s.Tried {
		f.Evidence = append(f.Evidence, Evidence{"kernel", c.T.Start, fmt.Sprintf("execve(%q) fails", t)})
	}
	f.describeExec(name, e)
	for _, t := range s.Tried {
		if !path.IsAbs(t) {
			t = path.Join(c.T.Header.Cwd, t)
		}
		if c.describeFile(&f, t, e) {
			return f, true
		}
	}
	if strings.Contains(name, "/") {
		return f, true
	}
	if e.Name() == "ENOENT" || e.Name() == "ENOTDIR" {
		f.Why = fmt.Sprintf("%s is in none of the directories of PATH: %s.", name, c.T.Header.Path)
		f.Facts = append(f.Facts, Fact{"PATH", c.T.Header.Path})
	}
	return f, true
}

// describeExec fills in what a failed execve(2) means.
func (f *Finding) describeExec(name string, e sysabi.Errno) {
	switch e.Name() {
	case "ENOENT", "ENOTDIR":
		f.Cause = "command-not-found"
		f.Title = fmt.Sprintf("the command %s was not found", name)
		f.Why = fmt.Sprintf("There is no %s.", name)
		if strings.HasSuffix(name, "\r") {
			f.Title = fmt.Sprintf("the command %q was not found", name)
			f.Why = fmt.Sprintf(`There is no %q. The carriage return (\r) is of a Windows line ending (CRLF) in the script that calls it.`, name)
			f.Next = []string{`take the carriage returns out of the script: sed -i 's/\r$//' SCRIPT`}
			break
		}
		f.Next = []string{"install the package that has " + path.Base(name) + " (`apt-file search bin/" + path.Base(name) + "`, `dnf provides " + path.Base(name) + "`), or correct the name or PATH"}
	case "EACCES", "EPERM":
		f.Cause = "exec-permission"
		f.Title = fmt.Sprintf("%s may not be executed", name)
		f.Why = fmt.Sprintf("execve() of %s failed with %s (%s).", name, e.Name(), e.Text())
		f.Next = []string{"`chmod +x " + name + "`, or see with `findmnt -T " + name + "` whether its file system is mounted noexec"}
	case "ENOEXEC":
		f.Cause = "exec-format"
		f.Title = fmt.Sprintf("%s is not a program that this machine can run", name)
		f.Why = fmt.Sprintf("execve() of %s failed with ENOEXEC (%s).", name, e.Text())
		f.Next = []string{"`file " + name + "` says what it is"}
	default:
		f.Cause = "exec-format"
		f.Title = fmt.Sprintf("%s could not be started: %s", name, e.Text())
		f.Why = fmt.Sprintf("execve() of %s failed with %s (%s).", name, e.Name(), e.Text())
	}
}

// describeFile fills in why a file that is there could not be executed, and
// reports whether the recording has the file.
func (c *Case) describeFile(f *Finding, name string, e sysabi.Errno) bool {
	file := c.T.Files[name]
	if file == nil {
		return false
	}
	p := readProgram(file)
	switch e.Name() {
	case "ENOENT", "ENOTDIR":
		if !p.script && !p.elf {
			return false // it was made later
		}
		f.missingInterpreter(name, p)
	case "ENOEXEC":
		f.Facts = append(f.Facts, Fact{"path", name}, Fact{"format", p.is})
		f.Title = fmt.Sprintf("%s is %s: it can't be executed here", name, p.is)
		f.Why = fmt.Sprintf("execve() of %s failed with ENOEXEC (%s).", name, e.Text())
		if m := c.T.Header.Machine; p.elf && machines[p.machine] != m && m != "" {
			f.Why += fmt.Sprintf(" This machine is %s.", m)
			f.Next = []string{"get the build for " + m + ", or run it under `qemu-user`"}
		} else if p.text && file.Size > 0 {
			f.Next = []string{"give the file a first line that names its interpreter, e.g. #!/bin/sh, without anything before it"}
		}
	default:
		return false // permissions: describeExec and the file's mode say it
	}
	return true
}

// missingInterpreter: execve(2) gives ENOENT also when the file is there and
// what is to run it is not.
func (f *Finding) missingInterpreter(name string, p program) {
	f.Cause = "interpreter-missing"
	f.Facts = append(f.Facts, Fact{"path", name}, Fact{"interpreter", p.interpreter})
	names := "its first line names"
	if p.elf {
		names = "it asks for"
	}
	if p.interpreter == "" {
		f.Title = fmt.Sprintf("%s is there, but the interpreter that %s is not", name, names)
	} else {
		f.Title = fmt.Sprintf("%s is there, but the interpreter %q that %s is not", name, p.interpreter, names)
	}
	f.Why = fmt.Sprintf("execve() of %s failed with ENOENT although the file exists.", name)
	show := strings.ReplaceAll(name, "'", `'\''`)
	switch {
	case strings.HasSuffix(p.interpreter, "\r"):
		f.Why += ` Its first line ends in a carriage return (\r, shown by some as ^M): a Windows line ending (CRLF), which counts as part of the interpreter's name.`
		f.Next = []string{fmt.Sprintf(`take the carriage returns out: sed -i 's/\r$//' '%s' (and keep git from putting them in: "* text=auto" and "*.sh eol=lf" in .gitattributes)`, show)}
	case p.elf && p.interpreter == "":
		f.Why += fmt.Sprintf(" It is %s; the name of its loader lies behind the part of it that was recorded.", p.is)
		f.Next = []string{"`readelf -l '" + show + "'` shows the loader that it asks for"}
	case p.elf:
		f.Why += fmt.Sprintf(" It is %s, and its loader is not installed.", p.is)
		hint := "install the C library that has " + p.interpreter + ", or get a build for this system"
		if strings.Contains(p.interpreter, "ld-musl") {
			hint = "it was built for musl (Alpine): install musl, or get the build for glibc"
		}
		f.Next = []string{hint}
	default:
		f.Next = []string{"install what has " + p.interpreter + ", or correct the first line (`command -v " + path.Base(p.interpreter) + "` shows where it is)"}
	}
}

// searchPath is the PATH that a process has.
func (c *Case) searchPath(p *timeline.Process) string {
	if v, ok := c.environment(p)["PATH"]; ok {
		return v
	}
	return c.T.Header.Path
}

// shellMiss: a shell looked a command up along PATH, found it nowhere, and went
// on with (or ended with) status 127. Shells look with stat(2) or access(2), so
// that often no execve is seen at all.
func (c *Case) shellMiss(p *timeline.Process) (Finding, bool) {
	if !p.Ended {
		return Finding{}, false
	}
	tried := map[string][]*timeline.Call{}
	there := map[string]bool{} // execFailed knows more of these
	searchPath := c.searchPath(p)
	var last string
	for _, call := range p.Calls {
		if !lookup(call) || call.Path == "" {
			continue
		}
		b := path.Base(call.Path)
		dir := path.Dir(call.Path)
		inPath := slices.Contains(strings.Split(searchPath, ":"), dir)
		if !inPath && (call.Name() != "execve" || c.explicit(call)) {
			continue
		}
		if c.T.Files[call.Path] != nil || p.Name() == "env" && strings.HasSuffix(b, "\r") {
			there[b] = true
		}
		if call.Raw.Ret < 0 {
			tried[b] = append(tried[b], call)
			last = b
		} else {
			delete(tried, b)
		}
	}
	// The name that the words speak of, or the last one when the shell ended for it.
	name := ""
	for b := range tried {
		if l := c.said(b+": not found", b+": command not found", b+": "+sysabi.Errno(2).Text()); l != nil {
			name = b
		}
	}
	if name == "" && exitCode(p.Status) == 127 {
		name = last
	}
	calls := tried[name]
	if name == "" || len(calls) == 0 || there[name] {
		return Finding{}, false
	}
	f := Finding{Proc: p, Side: Local, Facts: []Fact{{"command", name}, {"PATH", searchPath}}}
	f.describeExec(name, sysabi.Errno(2))
	if !strings.HasSuffix(name, "\r") {
		f.Why = fmt.Sprintf("%s looked for %s in every directory of PATH (%s) and found it in none.", p.Name(), name, searchPath)
	}
	if l := c.said(name+": not found", name+": command not found", name); l != nil {
		f.Links = append(f.Links, Link{"said", l.Text, wSaid})
	}
	if exitCode(p.Status) == 127 {
		f.Links = append(f.Links, Link{"status", "the shell's status 127 says: command not found", wRaised})
	}
	for _, call := range calls[max(0, len(calls)-6):] {
		f.Evidence = append(f.Evidence, callEvidence(call))
	}
	return f, len(f.Links) > 0
}

// explicit reports whether an execve was given a path by whoever wanted the
// program, instead of one made from a directory of PATH.
func (c *Case) explicit(call *timeline.Call) bool {
	given, _ := call.Decode().Path()
	return !path.IsAbs(given) || c.saidAfter(call, given+": not found", given+": No such file") != nil
}

func lookup(call *timeline.Call) bool {
	switch call.Name() {
	case "stat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "execve":
		return true
	}
	return false
}

// execFailed: a process never became the program that it was made for.
func (c *Case) execFailed(p *timeline.Process) (Finding, bool) {
	var miss []*timeline.Call
	for _, call := range p.Calls {
		if call.Name() != "execve" {
			continue
		}
		if call.Raw.Ret == 0 {
			miss = nil
		} else {
			miss = append(miss, call)
		}
	}
	if len(miss) == 0 {
		return Finding{}, false
	}
	call := miss[len(miss)-1]
	for _, m := range miss { // EACCES in one directory outlives ENOENT in the rest
		if m.Errno().Name() != "ENOENT" && m.Errno().Name() != "ENOTDIR" {
			call = m
		}
	}
	for _, m := range miss { // of the paths tried, the one that is there
		if c.T.Files[m.Path] != nil {
			call = m
		}
	}
	name := call.Path
	if len(miss) > 1 && call.Errno().Name() == "ENOENT" {
		name = path.Base(name)
	}
	f := Finding{Proc: p, Side: Local, Facts: []Fact{{"command", name}, {"errno", call.Errno().Name()}}}
	f.describeExec(name, call.Errno())
	if len(miss) > 1 && f.Cause == "command-not-found" {
		f.Why = fmt.Sprintf("%s tried %d paths for %s; none exists.", p.Name(), len(miss), name)
		f.Facts = append(f.Facts, Fact{"PATH", c.T.Header.Path})
	}
	if c.describeFile(&f, call.Path, call.Errno()) {
		if call.Errno().Name() == "ENOEXEC" && c.ranAsScript(call) {
			return Finding{}, false
		}
	} else if script := carriageReturn(p, call); script != "" {
		f.missingInterpreter(script, program{script: true, interpreter: path.Base(call.Path)})
		f.Why = fmt.Sprintf("%s was told to find %q along PATH.", p.Name(), path.Base(call.Path)) + strings.TrimPrefix(f.Why, fmt.Sprintf("execve() of %s failed with ENOENT although the file exists.", script))
	} else if f.Cause == "command-not-found" && c.exists(call.Path) {
		f.Cause = "interpreter-missing"
		f.Title = fmt.Sprintf("%s is there, but its interpreter is not", call.Path)
		f.Why = fmt.Sprintf("execve() of %s failed with ENOENT although the file exists: the interpreter that its first line names does not.", call.Path)
		f.Next = []string{"`head -n 1 " + call.Path + " | cat -A` shows the first line; a ^M at its end is a Windows line ending"}
	}
	if failed(p) {
		f.Links = append(f.Links, Link{"end", "the process ended without becoming the program", wRaised})
	}
	if l := c.saidAfter(call, path.Base(call.Path)); l != nil {
		f.Links = append(f.Links, Link{"said", l.Text, wSaid})
	}
	for _, e := range c.tied() {
		if made := c.execOf(e); made != nil && made.Proc == p {
			f.Links = append(f.Links, Link{"raised", e.String(), c.final[e].Weight * wRaised})
			f.Evidence = append(f.Evidence, exceptionEvidence(e))
			f.Where = where(e)
			break
		}
	}
	// A parent that is told by the child through a pipe (posix_spawn, subprocess).
	if len(f.Links) == 0 && p.Parent != nil {
		f.Links = append(f.Links, Link{"last", "its parent went on without it", wLast})
	}
	for _, m := range miss[max(0, len(miss)-6):] {
		f.Evidence = append(f.Evidence, callEvidence(m))
	}
	return f, true
}

// carriageReturn is the script whose first line gave env(1) a name that ends in
// a carriage return, "" when there is none.
func carriageReturn(p *timeline.Process, call *timeline.Call) string {
	if !strings.HasSuffix(call.Path, "\r") || p.Name() != "env" {
		return ""
	}
	for i, a := range p.Argv {
		if strings.HasSuffix(a, "\r") && i+1 < len(p.Argv) {
			if script := p.Argv[i+1]; path.IsAbs(script) {
				return path.Clean(script)
			}
			return path.Join(p.Cwd, p.Argv[i+1])
		}
	}
	return ""
}

// ranAsScript reports whether a shell took a text file that the kernel didn't
// want to execute for a script of its own, as POSIX has it.
func (c *Case) ranAsScript(call *timeline.Call) bool {
	return readProgram(c.T.Files[call.Path]).text && slices.ContainsFunc(call.Proc.Calls, func(o *timeline.Call) bool {
		return o.Enter > call.Enter && o.Raw.Ret >= 0 && (opens(o) && o.Path == call.Path || o.Name() == "execve")
	})
}

// exists reports whether the run saw the path succeed in a call.
func (c *Case) exists(name string) bool {
	return slices.ContainsFunc(c.T.Calls, func(o *timeline.Call) bool {
		return o.Path == name && o.Raw.Ret >= 0 && o.Name() != "unlink"
	})
}
