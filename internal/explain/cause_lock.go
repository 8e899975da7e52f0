package explain

import (
	"fmt"
	"path"
	"strings"

	"culprit/internal/timeline"
)

var lockError = Cause{
	Names: []string{"file-locked"},
	Doc:   "a lock that the program asked for without waiting was held by another, or a lock file was in its way, and it gave up",
	Find: func(c *Case) []Finding {
		var out []Finding
		seen := map[string]int{}
		for _, call := range c.T.Calls {
			name, what := lockRefused(call)
			if name == "" || c.lockedLater(call, name) {
				continue
			}
			f := c.lockFinding(call, name, what)
			f.Links = c.lockLinks(call, name)
			if len(f.Links) == 0 {
				continue
			}
			x, ok := c.exceptionFrom(call)
			if !ok {
				if x, ok = c.lockedException(call); ok {
					f.Links = append(f.Links, Link{"raised", x.String(), c.final[x].Weight * wRaised})
				}
			}
			if ok {
				f.Evidence = append(f.Evidence, exceptionEvidence(x))
				f.Where = where(x)
			}
			k := fmt.Sprint(call.Proc.PID, name)
			if i, again := seen[k]; again {
				out[i] = f
			} else {
				seen[k] = len(out)
				out = append(out, f)
			}
		}
		return out
	},
}

// lockedException is the exception by which a library that waited and asked
// again told at last that the lock is taken (sqlite3: "database is locked").
func (c *Case) lockedException(call *timeline.Call) (*timeline.Exception, bool) {
	for _, e := range c.tied() {
		if e.Proc == call.Proc && e.TID == call.TID && e.Time >= call.Leave() && strings.Contains(strings.ToLower(e.Text), "lock") && c.aftermath(call.Proc, call.Leave()) == 0 {
			return e, true
		}
	}
	return nil, false
}

// fcntl(2)'s locking commands (asm-generic/fcntl.h).
const (
	fSetlk    = 6
	fOfdSetlk = 37
)

// lockRefused tells the calls by which programs take locks, when they failed
// because somebody else had the lock: the path of the file, and how it is
// locked.
func lockRefused(call *timeline.Call) (name, what string) {
	errno := call.Errno().Name()
	switch call.Name() {
	case "flock":
		if errno == "EAGAIN" && call.Desc != nil {
			return call.Desc.Path, "flock"
		}
	case "fcntl":
		cmd := call.Raw.Args[1]
		if (errno == "EAGAIN" || errno == "EACCES") && (cmd == fSetlk || cmd == fOfdSetlk) && call.Desc != nil {
			return call.Desc.Path, "fcntl"
		}
	case "open", "openat", "openat2", "creat", "link", "linkat", "symlink", "symlinkat", "mkdir", "mkdirat":
		if errno == "EEXIST" && lockName(call.Path) {
			return call.Path, "lock file"
		}
	}
	return "", ""
}

// lockName reports whether a name is one that programs give to lock files.
func lockName(name string) bool {
	b := strings.ToLower(path.Base(name))
	return strings.HasSuffix(b, "lock") || strings.HasSuffix(b, ".lck") || strings.HasSuffix(b, ".pid") ||
		strings.HasPrefix(b, ".lock") || strings.HasPrefix(b, ".#") || strings.HasPrefix(b, "lock")
}

// lockedLater reports whether the process got the lock after all, or made use
// of the file that was there: mkdir -p of a directory called lock is no lock.
func (c *Case) lockedLater(call *timeline.Call, name string) bool {
	for _, o := range call.Proc.Calls {
		if o.Enter <= call.Enter || o.Raw.Ret < 0 {
			continue
		}
		switch o.Name() {
		case "flock", "fcntl":
			if call.Name() == o.Name() && o.Desc != nil && o.Desc.Path == name && (o.Name() == "flock" && o.Raw.Args[1]&8 == 0 || o.Name() == "fcntl" && o.Raw.Args[1] == call.Raw.Args[1] && !unlocks(o)) {
				return true
			}
		case "open", "openat", "openat2", "creat", "link", "linkat", "symlink", "symlinkat", "mkdir", "mkdirat":
			if o.Path == name && o.Name() == call.Name() || strings.HasPrefix(o.Path, name+"/") {
				return true
			}
		}
	}
	return false
}

// unlocks tells fcntl's F_UNLCK (2 in l_type, the first field of struct flock).
func unlocks(call *timeline.Call) bool {
	for _, m := range call.Raw.Mem {
		if m.Addr == call.Raw.Args[2] && len(m.Data) >= 2 {
			return m.Data[0] == 2
		}
	}
	return false
}

// lockLinks ties a refused lock: by the words that name the file or speak of a
// lock, by an exception, or because the process gave up right then.
func (c *Case) lockLinks(call *timeline.Call, name string) []Link {
	links := c.linkPath(call, name)
	for _, l := range links {
		if l.Kind == "said" {
			return links
		}
	}
	if l := c.saidAfter(call, path.Base(name)); l != nil && len(path.Base(name)) > 5 {
		return append(links, Link{"said", l.Text, wSaid})
	}
	if l := c.saidAfter(call, "locked", " lock", "already running", "another instance", "another process"); l != nil {
		links = append(links, Link{"error text", l.Text, wText})
	}
	if len(links) > 0 || !failed(call.Proc) && call.Proc.Ended {
		return links
	}
	return append(links, c.linkLast(call.Proc, call.Leave(), wLast, 0, "it gave up when it did not get the lock")...)
}

func (c *Case) lockFinding(call *timeline.Call, name, what string) Finding {
	p, errno := call.Proc, call.Errno()
	f := Finding{Cause: "file-locked", Side: Local, Proc: p, Evidence: []Evidence{callEvidence(call)},
		Facts: []Fact{{"path", name}, {"call", call.Name()}, {"errno", errno.Name()}}}
	kind := "lock"
	if what == "lock file" {
		kind = "lock-file"
		f.Title = fmt.Sprintf("the lock file %s is there already", name)
		f.Why = fmt.Sprintf("%s tried to make %s with %s() and got EEXIST (%s): it is there as long as somebody works, or since somebody was killed.", p.Name(), name, call.Name(), errno.Text())
		f.Next = []string{"see whether the program that made it still runs; if not: `rm " + name + "`"}
	} else {
		f.Title = fmt.Sprintf("%s is locked by another process", name)
		f.Why = fmt.Sprintf("%s asked for a lock on %s with %s(), without waiting, and got %s (%s).", p.Name(), name, call.Name(), errno.Name(), errno.Text())
		f.Next = []string{"`fuser -v " + name + "` and `lslocks` show who has it; wait for that program or end it"}
	}
	for i := range p.Holders {
		h := &p.Holders[i]
		if h.What != kind || h.Name != name {
			continue
		}
		holder := holderText(*h)
		switch {
		case h.Process != 0 && h.Comm != "":
			if kind == "lock" {
				f.Title = fmt.Sprintf("%s is locked by %s", name, holder)
			} else {
				f.Title += ", made for " + holder
			}
			f.Why += " " + holder + " holds it."
			f.Facts = append(f.Facts, Fact{"holder", holder})
			f.Next = []string{"wait for " + holder + " or end it, then run the program again"}
		case kind == "lock-file":
			f.Title = fmt.Sprintf("the lock file %s is left over", name)
			if strings.Contains(h.Detail, "may be looked into") {
				f.Title = fmt.Sprintf("the lock file %s is there already", name)
			}
			f.Why += fmt.Sprintf(" The file: %s.", h.Detail)
			f.Facts = append(f.Facts, Fact{"state", h.Detail})
		}
		if h.Detail != "" {
			f.Evidence = append(f.Evidence, Evidence{"kernel", h.Time, fmt.Sprintf("%s: %s", name, h.Detail)})
		}
	}
	return f
}
