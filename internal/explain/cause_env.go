package explain

import (
	"fmt"
	"strings"

	"culprit/internal/timeline"
)

var envMissing = Cause{
	Names: []string{"env-missing"},
	Doc:   "the program wanted an environment variable that was not set",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, e := range c.tied() {
			l := c.final[e]
			o := e.Origin()
			frozen := o.File == "<frozen os>" // since 3.11
			if !e.Is("KeyError") || !frozen && !strings.HasSuffix(o.File, "/os.py") || !strings.HasSuffix(o.Func, "__getitem__") {
				continue // os.environ is the mapping of os.py
			}
			f := c.exceptionFinding("env-missing", e, l)
			c.variableMissing(&f, strings.Trim(e.Text, "'\""), fmt.Sprintf("%s reads it at %s and goes on only with it.", e.Proc.Program(), frameOf(own(e.Stack))))
			out = append(out, f)
		}
		for _, p := range c.T.Procs {
			if !failed(p) {
				continue
			}
			if l, name := c.variableSaid(p); l != nil {
				w := wSaid
				if !shell(p) && !strings.Contains(strings.ToLower(l.Text), "env") {
					w = wWire // it may be a setting of another kind
				}
				f := Finding{Cause: "env-missing", Side: Local, Proc: p, Links: []Link{c.linkTold(l, w)}, Evidence: []Evidence{lineEvidence(l)}}
				c.variableMissing(&f, name, fmt.Sprintf("%s said so, and the variable is not in its environment.", p.Program()))
				out = append(out, f)
			}
		}
		return out
	},
}

func (c *Case) variableMissing(f *Finding, name, why string) {
	state := "not set"
	if _, ok := c.environment(f.Proc)[name]; ok {
		state = "empty"
	}
	f.Title = fmt.Sprintf("the environment variable %s is %s", name, state)
	f.Why = why
	f.Facts = append(f.Facts, Fact{"variable", name}, Fact{"state", state})
	if c.clean(f.Proc) {
		f.Why += " It was started with an environment of its own (env -i, cron, sudo), so what a login shell sets is not there."
	}
	f.Next = []string{"set it where the program is started: `export " + name + "=...`, Environment= of the unit, or the crontab"}
}

// clean reports whether a process got hardly any environment.
func (c *Case) clean(p *timeline.Process) bool {
	env := c.environment(p)
	return len(env) > 0 && len(env) < 12
}

// How shells (bash and dash in whatever language: "line 3: NAME: ...") and other
// programs name a variable that they miss.
var (
	shellVariable = pattern(`(?:^|: )(?:line )?\d+: ([A-Za-z_]\w*): [^:]+$`)
	wantsVariable = pattern(`\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[A-Z][A-Z0-9_]{3,})\b`)
	missingWords  = pattern(`(?i)not set|unset|undefined|not defined|missing|must be (set|defined|provided)|required|unbound|parameter (not set|null)|is empty|no value`)
)

// variableSaid finds the last line in which a process named a variable as
// missing that is in fact not in its environment, or empty.
func (c *Case) variableSaid(p *timeline.Process) (*timeline.Line, string) {
	env := c.environment(p)
	for i := len(c.Words) - 1; i >= 0; i-- {
		l := c.Words[i]
		if l.Proc != p || optionWords().MatchString(l.Text) {
			continue
		}
		if m := shellVariable().FindStringSubmatch(l.Text); m != nil && shell(p) && env[m[1]] == "" && !c.commandNamed(p, m[1]) && !errnoNamed(p, l) {
			return l, m[1]
		}
		if !missingWords().MatchString(l.Text) {
			continue
		}
		for _, m := range wantsVariable().FindAllStringSubmatch(l.Text, -1) {
			if env[m[1]] == "" && (strings.Contains(m[1], "_") || strings.Contains(strings.ToLower(l.Text), "env")) {
				return l, m[1]
			}
		}
	}
	return nil, ""
}

func shell(p *timeline.Process) bool {
	switch strings.TrimLeft(p.Exe[strings.LastIndexByte(p.Exe, '/')+1:], "-") {
	case "sh", "bash", "dash", "ksh", "zsh", "busybox":
		return true
	}
	return false
}

// commandNamed reports whether a process looked for a command of that name: then
// a shell's "line 3: name: ..." is about it.
func (c *Case) commandNamed(p *timeline.Process, name string) bool {
	for _, call := range p.Calls {
		if call.Errno() != 0 && strings.HasSuffix(call.Path, "/"+name) {
			return true
		}
	}
	for _, k := range p.Kids {
		if k.Name() == name {
			return true
		}
	}
	return false
}
