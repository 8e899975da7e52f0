package explain

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"culprit/internal/timeline"
)

// A search path is seen in the calls: one name, looked for in several
// directories (#include, @INC, $LOAD_PATH, NODE_PATH, the linker's -L).

// searched lists the directories in which a call's process looked for the name
// in vain, in order; nil when the call itself did not miss it.
func (c *Case) searched(call *timeline.Call) []string {
	if call.Errno().Name() != "ENOENT" {
		return nil
	}
	names := c.misses[call.Proc]
	if names == nil {
		names = map[string][]string{}
		for _, o := range call.Proc.Calls {
			if o.Path == "" || strings.HasSuffix(o.Path, ".mo") || o.Errno().Name() != "ENOENT" || !opens(o) && !asks(o) {
				continue
			}
			dir, b := path.Split(o.Path)
			if onPath(o.Path) {
				continue
			}
			if dirs := names[b]; len(dirs) < maxSearched && !slices.Contains(dirs, dir) {
				names[b] = append(dirs, dir)
			}
		}
		c.misses[call.Proc] = names
	}
	return names[path.Base(call.Path)]
}

// onPath tells the directories of PATH: what is missing there is
// command-not-found's matter.
func onPath(name string) bool {
	switch path.Base(path.Dir(name)) {
	case "bin", "sbin", "games":
		return true
	}
	return false
}

const maxSearched = 64

// searchedSaid reports whether a text names what was looked for along a path:
// by the end of its path, or without its extension beside a word for not found.
func (c *Case) searchedSaid(call *timeline.Call, name, text string) bool {
	if len(c.searched(call)) < 2 {
		return false
	}
	for end := path.Base(name); ; {
		if len(end) > 3 && hasPath(text, end) {
			return true
		}
		rest := strings.TrimSuffix(strings.TrimSuffix(name, end), "/")
		if strings.Count(end, "/") > 3 || rest == "" {
			break
		}
		end = path.Base(rest) + "/" + end
	}
	b := path.Base(name)
	stem := strings.TrimSuffix(b, path.Ext(b))
	return len(stem) > 3 && hasPath(text, stem) && notFoundSaid(text)
}

// notFoundSaid reports whether a text says that something was not found.
func notFoundSaid(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(notFoundWords, func(w string) bool { return strings.Contains(text, w) })
}

// notFoundWords are how programs say that they did not find something.
var notFoundWords = []string{"not find", "not found", "no such", "can't locate", "cannot locate", "not load", "cannot load", "can't load", "cannot open", "missing", "unable to", "does not exist", "cannot find", "can't find"}

// searchedFinding says that a name is in none of the directories, which it
// changes.
func searchedFinding(f *Finding, name string, dirs []string) {
	for same := path.Base(dirs[0]); len(same) > 1; same = path.Base(dirs[0]) { // Foo/Bar.pm, not Bar.pm
		if slices.ContainsFunc(dirs, func(d string) bool { return path.Base(d) != same }) {
			break
		}
		name = same + "/" + name
		for i, d := range dirs {
			dirs[i] = path.Dir(strings.TrimSuffix(d, "/"))
		}
	}
	f.Title = fmt.Sprintf("%s is in none of the %d directories where %s looks for it", name, len(dirs), f.Proc.Program())
	f.Why += fmt.Sprintf(" It looked in %s.", strings.Join(dirs[:min(len(dirs), 6)], ", "))
	f.Facts = append(f.Facts, Fact{"name", name}, Fact{"searched", strings.Join(dirs, ":")})
	f.Next = []string{"install what provides " + name + ", or add the directory that has it to the search path"}
}
