package compare

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"culprit/internal/event"
	"culprit/internal/timeline"
)

const (
	maxInputs  = 24      // that are kept of a kind
	maxContent = 1 << 16 // bytes of a file that are compared
	maxFiles   = 1 << 16 // files that are looked at
)

// inputs compares what the runs were given (command, user, environment) and what
// they found (files, their contents and versions, names).
func (d *Diff) inputs(a, b *side) {
	h, g := a.t.Header, b.t.Header
	d.text(KindCommand, "command", strings.Join(a.names(h.Command), " "), strings.Join(b.names(g.Command), " "), strings.Join(h.Command, " "), strings.Join(g.Command, " "))
	if a.t.Root != nil && b.t.Root != nil && h.UID != g.UID {
		d.Inputs = append(d.Inputs, Input{Kind: KindUser, Name: "effective user", Here: fmt.Sprint(h.UID), Good: fmt.Sprint(g.UID)})
	}
	d.files(a, b)
	d.environment(a, b)
	if h.Cwd != g.Cwd {
		d.Inputs = append(d.Inputs, Input{Kind: KindDirectory, Name: "working directory", Here: h.Cwd, Good: g.Cwd})
	}
}

func (s *side) names(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = s.name(w)
	}
	return out
}

func (d *Diff) text(kind, name, here, good, hereShown, goodShown string) {
	if here != good {
		d.Inputs = append(d.Inputs, Input{Kind: kind, Name: name, Here: hereShown, Good: goodShown})
	}
}

// environment of the command, as its execve gave it. What culprit added is not
// the user's.
func environment(t *timeline.Timeline) map[string]string {
	env := map[string]string{}
	list := t.Header.Env
	if t.Root != nil && len(list) == 0 {
		for _, c := range t.Root.Calls {
			if c.Name() == "execve" && c.Raw.Ret == 0 {
				v, _ := c.Decode().Arg("envp")
				list = v.Strings
				break
			}
		}
	}
	for _, s := range list {
		name, value, _ := strings.Cut(s, "=")
		env[name] = value
	}
	for _, s := range t.Header.Added {
		name, _, _ := strings.Cut(s, "=")
		delete(env, name)
	}
	return env
}

// Variables that say where or when a program was started, not what it is to do.
var (
	idle   = regexp.MustCompile(`^(_|SHLVL|OLDPWD|PWD|WINDOWID|TERM_SESSION_ID|XDG_SESSION_ID|XDG_RUNTIME_DIR|DBUS_SESSION_BUS_ADDRESS|INVOCATION_ID|JOURNAL_STREAM|DISPLAY|COLUMNS|LINES|TMUX|TMUX_PANE|STY|.*_PID|SSH_(CLIENT|CONNECTION|TTY|AUTH_SOCK))$`)
	secret = regexp.MustCompile(`(?i)pass|secret|token|credential|api_?key|private|auth|cookie`)
)

func (d *Diff) environment(a, b *side) {
	names := map[string]bool{}
	for n := range a.env {
		names[n] = true
	}
	for n := range b.env {
		names[n] = true
	}
	var out []Input
	for n := range names {
		x, here := a.env[n]
		y, good := b.env[n]
		if idle.MatchString(n) || here == good && a.list(x) == b.list(y) {
			continue
		}
		out = append(out, Input{Kind: KindEnvironment, Name: n, Here: shown(n, x, here), Good: shown(n, y, good)})
	}
	slices.SortFunc(out, func(x, y Input) int {
		// What is missing altogether is the likelier reason.
		return cmp.Or(boolean(y.Here == notSet)-boolean(x.Here == notSet), cmp.Compare(x.Name, y.Name))
	})
	d.Inputs = append(d.Inputs, out[:min(len(out), maxInputs)]...)
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// list is a value in which each part may be a path of the run's own.
func (s *side) list(value string) string {
	return strings.Join(s.names(strings.Split(value, ":")), ":")
}

const notSet = "not set"

func shown(name, value string, set bool) string {
	switch {
	case !set:
		return notSet
	case secret.MatchString(name):
		return "set to something else"
	}
	return value
}

// found is what became of a path in a run.
type found struct {
	opened bool
	failed *timeline.Call // the newest failure, nil when none
	data   []byte         // what was read of it from its beginning
	whole  bool           // nothing that was read is missing in data
	path   string
}

// files compares what became of the paths that the runs asked for.
func (d *Diff) files(a, b *side) {
	here, good := a.found(), b.found()
	var missing, content []Input
	for name, y := range good {
		x, asked := here[name]
		switch {
		case !asked || !y.opened:
		case !x.opened && x.failed != nil:
			e := x.failed.Errno()
			missing = append(missing, Input{Kind: KindFile, Name: x.path, Here: fmt.Sprintf("%s (%s)", e.Name(), e.Text()), Good: "it was there", Time: x.failed.Leave(), Lens: "kernel"})
			d.mark("kernel", x.failed.Leave(), "it was there")
		case x.opened && settings(x.path):
			p, q := x.data, y.data
			if !x.whole || !y.whole { // what both recordings hold
				n := min(len(p), len(q))
				p, q = p[:n], q[:n]
			}
			if h, g, ok := firstLine(p, q); ok {
				content = append(content, Input{Kind: KindContent, Name: x.path, Here: h, Good: g})
			}
		}
	}
	byTime := func(x, y Input) int { return cmp.Or(cmp.Compare(x.Time, y.Time), cmp.Compare(x.Name, y.Name)) }
	for _, list := range [][]Input{missing, places(here, good), versions(here, good), content} {
		slices.SortFunc(list, byTime)
		d.Inputs = append(d.Inputs, list[:min(len(list), maxInputs)]...)
	}
}

// found looks at all that a run did with paths.
func (s *side) found() map[string]*found {
	all := map[string]*found{}
	at := func(p string) *found {
		n := s.name(p)
		f := all[n]
		if f == nil {
			if len(all) >= maxFiles {
				return &found{}
			}
			f = &found{path: p, whole: true}
			all[n] = f
		}
		return f
	}
	next := map[*timeline.Desc]int64{} // where the next read of a descriptor begins
	for _, c := range s.t.Calls {
		switch n := c.Name(); n {
		case "open", "openat", "openat2", "execve", "stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat":
			if c.Path == "" || pseudo(c.Path) {
				continue
			}
			f := at(c.Path)
			if e := c.Errno(); e == 0 {
				f.opened = true
			} else if e.Name() != "EINVAL" && !passing[e.Name()] {
				f.failed = c
			}
		case "read", "pread64":
			desc := c.Desc
			if desc == nil || desc.Kind != timeline.DescFile || desc.Path == "" || pseudo(desc.Path) || !settings(desc.Path) || c.Raw.Ret <= 0 {
				continue
			}
			from := next[desc]
			if n == "pread64" {
				from = int64(c.Raw.Args[3])
			} else {
				next[desc] += c.Raw.Ret
			}
			f := at(desc.Path)
			if !f.whole || from != int64(len(f.data)) {
				continue // read before, or elsewhere
			}
			data := read(c)
			f.whole = int64(len(data)) == c.Raw.Ret && len(f.data)+len(data) <= maxContent
			f.data = append(f.data, data[:min(len(data), maxContent-len(f.data))]...)
		}
	}
	return all
}

// read is what of a read's data was captured.
func read(c *timeline.Call) []byte {
	for _, m := range c.Raw.Mem {
		if m.At == event.Leave && m.Addr == c.Raw.Args[1] {
			return m.Data[:min(int64(len(m.Data)), c.Raw.Ret)]
		}
	}
	return nil
}

// pseudo tells the files that the kernel makes up, and devices.
func pseudo(p string) bool {
	return strings.HasPrefix(p, "/proc/") || strings.HasPrefix(p, "/sys/") || strings.HasPrefix(p, "/dev/") || strings.HasPrefix(p, "/run/")
}

// settings tells the files that people write for programs, whose contents are
// worth a look, from libraries, logs and caches.
func settings(p string) bool {
	switch path.Ext(p) {
	case ".so", ".pyc", ".mo", ".log", ".cache", ".db", ".pid", ".lock", ".a", ".o", ".jar", ".gz", ".zip", ".png":
		return false
	}
	return !strings.Contains(p, ".so.") && !strings.HasPrefix(p, "/var/log/") && !strings.Contains(p, "/__pycache__/") && !strings.HasSuffix(p, "/ld.so.cache")
}

// firstLine finds the first line in which two texts differ.
func firstLine(here, good []byte) (h, g string, ok bool) {
	if bytes.Equal(here, good) || bytes.IndexByte(here, 0) >= 0 || bytes.IndexByte(good, 0) >= 0 {
		return "", "", false
	}
	x, y := strings.Split(string(here), "\n"), strings.Split(string(good), "\n")
	for i := range max(len(x), len(y)) {
		h, g = "(no such line)", "(no such line)"
		if i < len(x) {
			h = x[i]
		}
		if i < len(y) {
			g = y[i]
		}
		if h != g {
			break
		}
	}
	n := 1
	for n <= len(x) && n <= len(y) && x[n-1] == y[n-1] {
		n++
	}
	if secret.MatchString(h) || secret.MatchString(g) {
		h, g = "another value", "another value"
	}
	return fmt.Sprintf("line %d: %s", n, cut(h)), cut(g), true
}

func cut(s string) string {
	const most = 160
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

var library = regexp.MustCompile(`^(.*/)([^/]+?\.so)(\.[\d.]+)?$|^(.*/(?:site-packages|dist-packages|node_modules)/)([^/]+)/(?:__init__\.py|package\.json)$`)

// places finds libraries and modules that came from different directories.
func places(here, good map[string]*found) []Input {
	of := func(all map[string]*found) map[string][]string {
		m := map[string][]string{}
		for _, f := range all {
			if s := library.FindStringSubmatch(f.path); s != nil && f.opened {
				dir, name := s[1]+s[4], s[2]+s[5]
				m[name] = append(m[name], dir)
			}
		}
		for _, dirs := range m {
			slices.Sort(dirs)
		}
		return m
	}
	x, y := of(here), of(good)
	var out []Input
	for name, dirs := range x {
		if other, ok := y[name]; ok && len(dirs) == 1 && len(other) == 1 && dirs[0] != other[0] {
			out = append(out, Input{Kind: KindPlace, Name: name, Here: dirs[0], Good: other[0]})
		}
	}
	return out
}

// Version numbers in the names of what is installed: PEP 376 directories,
// libraries, interpreters.
var versioned = []*regexp.Regexp{
	regexp.MustCompile(`/([A-Za-z0-9_.]+)-(\d[\w.+!]*)\.(?:dist|egg)-info(?:/|$)`),
	regexp.MustCompile(`/([^/]+?\.so)\.(\d+(?:\.\d+)+)$`),
	regexp.MustCompile(`/lib/(python|ruby|perl5?|node|php)/?(\d+\.\d+(?:\.\d+)?)/`),
	regexp.MustCompile(`/gems/([a-z0-9_-]+)-(\d+(?:\.\d+)+)/`),
}

// versions finds what both runs used in different versions.
func versions(here, good map[string]*found) []Input {
	of := func(all map[string]*found) map[string][]string {
		m := map[string][]string{}
		for _, f := range all {
			for _, re := range versioned {
				if s := re.FindStringSubmatch(f.path); s != nil && f.opened && !slices.Contains(m[s[1]], s[2]) {
					m[s[1]] = append(m[s[1]], s[2])
				}
			}
		}
		return m
	}
	x, y := of(here), of(good)
	var out []Input
	for name, v := range x {
		slices.Sort(v)
		if w := y[name]; w != nil {
			slices.Sort(w)
			if !slices.Equal(v, w) {
				out = append(out, Input{Kind: KindVersion, Name: name, Here: strings.Join(v, ", "), Good: strings.Join(w, ", ")})
			}
		}
	}
	return out
}
