package explain

import (
	"fmt"

	"culprit/internal/timeline"
)

// exposedWords are how programs say that they do not use a file because others
// may read or change it, or because it belongs to somebody else. No call fails:
// they look at the mode themselves.
var exposedWords = pattern(`(?i)bad permissions|(permissions|mode)\b.*\b(too open|insecure|unsafe|too permissive|accessible)|unprotected|insecure (permissions|mode|ownership)|unsafe (permissions|ownership)|bad owner(ship)?|wrong owner|(group|world|other)[ -](readable|writable|writeable)|accessible by others`)

var exposed = Cause{
	Names: []string{"file-permission"},
	Doc:   "a program refused a file whose rights are too wide or whose owner is not the right one, and named it",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, p := range c.T.Procs {
			if !failed(p) {
				continue
			}
			for _, l := range c.lines[p] {
				if !exposedWords().MatchString(l.Text) || warning().MatchString(l.Text) {
					continue
				}
				call := c.lookedAt(l)
				if call == nil {
					continue
				}
				name := call.Path
				out = append(out, Finding{Cause: "file-permission", Side: Local, Proc: p, Links: []Link{c.linkTold(l, wSaid)},
					Title:    fmt.Sprintf("%s does not use %s for its rights or owner: %s", p.Name(), name, quote(l.Text, 120)),
					Why:      fmt.Sprintf("%s opened %s without trouble, looked at its mode and owner, and refused it by its own rules.", p.Program(), name),
					Facts:    []Fact{{"path", name}, {"message", l.Text}},
					Evidence: []Evidence{callEvidence(call), lineEvidence(l)},
					Next:     []string{"take the rights of others away: `chmod 600 " + name + "` (700 for a directory); `ls -ld " + name + "` shows owner and mode"}})
				break
			}
		}
		return out
	},
}

// lookedAt is the newest successful call, before a line, on a file that the line
// names.
func (c *Case) lookedAt(l *timeline.Line) *timeline.Call {
	for i := len(l.Proc.Calls) - 1; i >= 0; i-- {
		call := l.Proc.Calls[i]
		if call.Enter > l.Time || call.Raw.Ret < 0 || !opens(call) && !asks(call) || furniture(call.Path) {
			continue
		}
		given, _ := call.Decode().Path()
		for _, name := range []string{call.Path, given} {
			if len(name) > 1 && hasPath(l.Text, name) {
				return call
			}
		}
	}
	return nil
}
