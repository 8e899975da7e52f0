package explain

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

// fileCauses maps the errors of calls that name a path (errno(3)).
var fileCauses = map[string]struct {
	cause string
	title string // %s: the path
}{
	"ENOENT":       {"file-missing", "%s does not exist"},
	"EACCES":       {"file-permission", "no permission for %s"},
	"EPERM":        {"file-permission", "operation not permitted on %s"},
	"ENOTDIR":      {"not-a-directory", "a part of the path %s is not a directory"},
	"EISDIR":       {"path-is-directory", "%s is a directory"},
	"ENOSPC":       {"disk-full", "the disk that holds %s is full"},
	"EDQUOT":       {"quota-exceeded", "the disk quota for %s is used up"},
	"EROFS":        {"read-only-filesystem", "the file system that holds %s is read-only"},
	"EMFILE":       {"too-many-open-files", "too many open files: %s could not be opened"},
	"ENFILE":       {"too-many-open-files", "the system has too many open files: %s could not be opened"},
	"ELOOP":        {"symlink-loop", "%s is a loop of symbolic links"},
	"ENAMETOOLONG": {"name-too-long", "the name is too long: %s"},
	"EIO":          {"io-error", "the device that holds %s reported an error"},
	"ETXTBSY":      {"text-file-busy", "%s is being executed and can't be written"},
	"EFBIG":        {"file-size-limit", "%s would grow over the limit for a file's size"},
}

var fileError = Cause{
	Names: []string{"file-missing", "file-permission", "not-a-directory", "path-is-directory", "disk-full", "quota-exceeded",
		"read-only-filesystem", "too-many-open-files", "symlink-loop", "name-too-long", "io-error", "text-file-busy", "file-size-limit"},
	Doc: "a call on a path or an open file failed, and the program's end or its last words come from it",
	Find: func(c *Case) []Finding {
		// Searching along a path fails a hundred times a run; only what a link
		// ties to the end is a candidate, and of one path the last failure.
		type key struct {
			proc  *timeline.Process
			path  string
			errno sysabi.Errno
		}
		seen := map[key]int{}
		var out []Finding
		for _, call := range c.T.Calls {
			e := call.Errno()
			kind, ok := fileCauses[e.Name()]
			if !ok {
				continue
			}
			name := call.Path
			if name == "" && call.Desc != nil {
				name = call.Desc.Path
			}
			if name == "" || strings.Contains(name, ":/") || probing(call, e) || c.foundLater(call, name) {
				continue
			}
			f := Finding{Cause: kind.cause, Side: Local, Proc: call.Proc, Title: fmt.Sprintf(kind.title, name),
				Facts: []Fact{{"path", name}, {"errno", e.Name()}, {"error", e.Text()}, {"call", call.Name()}}}
			f.Links = c.linkPath(call, name)
			if len(f.Links) == 0 {
				continue
			}
			f.Why = fmt.Sprintf("%s called %s() on %s and got %s (%s).", call.Proc.Program(), call.Name(), name, e.Name(), e.Text())
			f.Evidence = []Evidence{callEvidence(call)}
			k := key{call.Proc, name, e}
			if dirs := c.searched(call); len(dirs) > 1 {
				k.path = path.Base(name)
				searchedFinding(&f, k.path, slices.Clone(dirs))
			}
			if x, ok := c.exceptionFrom(call); ok {
				f.Evidence = append(f.Evidence, exceptionEvidence(x))
				f.Where = where(x)
			}
			if f.Next == nil {
				f.Next = fileNext(kind.cause, name, call.Proc)
			}
			if i, again := seen[k]; again {
				out[i] = f
			} else {
				seen[k] = len(out)
				out = append(out, f)
			}
		}
		return append(out, c.refusedByLibrary()...)
	},
}

// refusedByLibrary finds the OSErrors with a path that no failed call stands
// behind: Python's open() sees by itself that a path is a directory.
func (c *Case) refusedByLibrary() []Finding {
	var out []Finding
	for _, e := range c.tied() {
		n, err := strconv.Atoi(e.Attrs["errno"])
		name := e.Attrs["filename"]
		if err != nil || name == "" || len(e.Wraps) > 0 || c.madeFrom(e) != nil || c.execOf(e) != nil || filterOf(e.Proc) != nil {
			continue
		}
		kind, ok := fileCauses[sysabi.Errno(n).Name()]
		if !ok {
			continue
		}
		f := c.exceptionFinding(kind.cause, e, c.final[e])
		f.Title = fmt.Sprintf(kind.title, name)
		f.Why = fmt.Sprintf("%s refused %s with %s (%s).", e.Proc.Program(), name, sysabi.Errno(n).Name(), sysabi.Errno(n).Text())
		f.Facts = append([]Fact{{"path", name}, {"errno", sysabi.Errno(n).Name()}, {"error", sysabi.Errno(n).Text()}}, f.Facts...)
		f.Next = fileNext(kind.cause, name, e.Proc)
		out = append(out, f)
	}
	return out
}

// probing tells the calls that ask whether something is there from those that
// need it.
func probing(call *timeline.Call, e sysabi.Errno) bool {
	switch call.Name() {
	case "execve", "execveat":
		return true // command-not-found's
	case "readlink", "readlinkat":
		return e.Name() == "EINVAL"
	case "connect", "socket", "ioctl", "statfs":
		return true
	}
	return false
}

// foundLater reports whether the same process got the path, or the same name
// elsewhere, afterwards: a search that ended well.
func (c *Case) foundLater(call *timeline.Call, name string) bool {
	if _, ok := c.readOnlyLater(call); ok {
		return false
	}
	b := path.Base(name)
	for _, o := range call.Proc.Calls {
		if o.Enter <= call.Enter || o.Raw.Ret < 0 || o.Path == "" {
			continue
		}
		if opens(o) && (o.Path == name || path.Base(o.Path) == b) || asks(call) && asks(o) && path.Base(o.Path) == b {
			return true
		}
	}
	// A shell looks a command up along PATH, and its child becomes the program.
	for _, k := range call.Proc.Kids {
		for _, x := range k.Execs {
			if x.Time > call.Enter && (path.Base(x.Exe) == b || len(x.Argv) > 0 && path.Base(x.Argv[0]) == b) {
				return true
			}
		}
	}
	return false
}

// readOnlyLater ties a file that could not be opened for writing, was then
// opened for reading, and that the program's end calls read-only.
func (c *Case) readOnlyLater(call *timeline.Call) (Link, bool) {
	if !opens(call) || call.Errno().Name() != "EACCES" && call.Errno().Name() != "EROFS" && call.Errno().Name() != "EPERM" {
		return Link{}, false
	}
	for _, e := range c.tied() {
		if e.Proc == call.Proc && e.Time >= call.Leave() && readOnlyWords().MatchString(e.Text) {
			return Link{"raised", e.String(), c.final[e].Weight * wRaised}, true
		}
	}
	for _, l := range c.Words {
		if l.Proc == call.Proc && l.Time >= call.Leave() && readOnlyWords().MatchString(l.Text) {
			return Link{"error text", l.Text, wText}, true
		}
	}
	return Link{}, false
}

var readOnlyWords = pattern(`(?i)read-?\s?only|not writ(e)?able|schreibgeschützt|lecture seule|solo lectura`)

func opens(call *timeline.Call) bool {
	switch call.Name() {
	case "open", "openat", "openat2", "creat", "mkdir", "mkdirat", "execve":
		return true
	}
	return false
}

// linkPath ties a failed call by the name that the program would have told. A
// file's base name may be a common word, so it counts only beside the error's
// text or in quotes.
func (c *Case) linkPath(call *timeline.Call, name string) []Link {
	var links []Link
	if l, ok := c.raisedFrom(call); ok {
		links = append(links, l)
	}
	text := call.Errno().Text()
	given, _ := call.Decode().Path()
	switch l := c.saidPath(call, name, given, text); {
	case l != nil:
		links = append(links, Link{"said", l.Text, wSaid})
	default:
		if l := c.saidAfter(call, text); l != nil && c.lastWith(call) && mayTell(l, call) {
			links = append(links, Link{"error text", l.Text, wText})
		}
	}
	if l, ok := c.readOnlyLater(call); ok && len(links) == 0 {
		links = append(links, l)
	}
	switch rare := call.Errno().Name() != "ENOENT"; {
	case len(links) > 0 || !failed(call.Proc) || furniture(name) || !rare && personal(name):
	case rare && !asks(call):
		links = append(links, c.linkLast(call.Proc, call.Leave(), wLast, 0, "the last trouble of the process before its end")...)
	case opens(call) && c.lastMiss(call):
		w := wProbe
		if c.onlyMiss(call) {
			w = wLast
		}
		links = append(links, c.linkLast(call.Proc, call.Leave(), w, 0, "the last thing that the process tried before its end")...)
	}
	return links
}

// personal tells the settings that a user may have and need not: dot files.
func personal(name string) bool {
	return strings.Contains(name, "/.")
}

// asks tells the calls by which programs ask whether they may.
func asks(call *timeline.Call) bool {
	switch call.Name() {
	case "access", "faccessat", "faccessat2", "stat", "lstat", "newfstatat", "statx", "readlink", "readlinkat", "getxattr", "lgetxattr":
		return true
	}
	return false
}

// lastMiss reports whether the process missed no other file after this one.
func (c *Case) lastMiss(call *timeline.Call) bool {
	for i := len(call.Proc.Calls) - 1; i >= 0 && call.Proc.Calls[i].Enter > call.Enter; i-- {
		if o := call.Proc.Calls[i]; o.Errno() == call.Errno() && opens(o) && !furniture(o.Path) {
			return false
		}
	}
	return true
}

// onlyMiss reports whether the file is the only one that the process wanted to
// open and did not find.
func (c *Case) onlyMiss(call *timeline.Call) bool {
	for _, o := range call.Proc.Calls {
		if o.Errno() == call.Errno() && opens(o) && o.Path != call.Path && !furniture(o.Path) {
			return false
		}
	}
	return true
}

// saidPath finds the newest of the last words, spoken after the call, that
// name the path: in full, as the program gave it, or by its base name with the
// error's text or quotes beside it.
func (c *Case) saidPath(call *timeline.Call, name, given, text string) *timeline.Line {
	b := path.Base(name)
	for i := len(c.Words) - 1; i >= 0; i-- {
		l := c.Words[i]
		if l.Time < call.Enter {
			break
		}
		if tellsOther(l.Text, text) {
			continue
		}
		// Who speaks is not what is spoken of.
		said := strings.TrimPrefix(l.Text, call.Proc.Name()+": ")
		switch {
		case strings.Contains(name, "/") && hasPath(said, name),
			mayTell(l, call) && (c.searchedSaid(call, name, said) ||
				len(given) > 3 && strings.Contains(given, "/") && hasPath(said, given) ||
				hasPath(said, b) && (strings.Contains(said, text) || l.Proc == call.Proc && len(b) > 3 && call.Errno().Name() == "ENOENT" && !onPath(name) && notFoundSaid(said)) ||
				len(b) > 2 && (strings.Contains(said, "'"+b+"'") || strings.Contains(said, "\""+b+"\"") || strings.Contains(said, "`"+b+"'") || strings.Contains(said, "\u2018"+b+"\u2019"))):
			return l
		}
	}
	return nil
}

// mayTell reports whether a line can speak of a call: its own process said it, or
// one that may know of it. Another program that the call's process started does
// not tell its parent's troubles.
func mayTell(l *timeline.Line, call *timeline.Call) bool {
	if l.Proc == call.Proc {
		return true
	}
	started := false
	for p := l.Proc; p != nil; p = p.Parent {
		if p == call.Proc {
			return !started
		}
		started = started || len(p.Execs) > 0
	}
	return true
}

// tellsOther reports whether a line gives the text of another error than the
// call's: then it speaks of another call.
func tellsOther(line, text string) bool {
	if strings.Contains(line, text) {
		return false
	}
	for name := range fileCauses {
		if e, ok := sysabi.ErrnoOf(name); ok && strings.Contains(line, e.Text()) {
			return true
		}
	}
	return false
}

// hasPath reports whether a text holds a path that nothing continues on either
// side: not a part of a longer path or URL.
func hasPath(text, name string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 || name == "" {
			return false
		}
		i += from
		j := i + len(name)
		if (i == 0 || !pathByte(text[i-1])) && (j == len(text) || !pathByte(text[j]) || text[j] == '.' && (j+1 == len(text) || text[j+1] == ' ')) {
			return true
		}
		from = i + 1
	}
}

func pathByte(b byte) bool {
	return alnum(b) || b == '/' || b == '-' || b == '.' || b == '+' || b == '~'
}

// lastWith reports whether no later call of the process failed with the same errno.
func (c *Case) lastWith(call *timeline.Call) bool {
	for _, o := range call.Proc.Calls {
		if o.Enter > call.Enter && o.Errno() == call.Errno() && o.Path != "" {
			return false
		}
	}
	return true
}

func fileNext(cause, name string, p *timeline.Process) []string {
	switch cause {
	case "file-missing":
		return []string{"make " + name + ", or tell the program where it is", "`ls -l " + path.Dir(name) + "` shows what is there instead"}
	case "file-permission":
		return []string{"`namei -l " + name + "` shows which part of the path forbids it", fmt.Sprintf("run %s as a user who may, or change the rights of %s", p.Program(), name)}
	case "disk-full":
		return []string{"free space: `df -h " + path.Dir(name) + "` shows the disk"}
	case "read-only-filesystem":
		return []string{"`findmnt -T " + name + "` shows the mount and its options"}
	case "too-many-open-files":
		return []string{"raise the limit (`ulimit -n`), or find what is left open: `ls /proc/PID/fd`"}
	}
	return []string{"look at it: `stat " + name + "`"}
}
