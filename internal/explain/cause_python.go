package explain

import (
	"fmt"
	"slices"
	"strings"

	"culprit/internal/timeline"
)

var pythonModule = Cause{
	Names: []string{"python-module-missing"},
	Doc:   "an import failed for want of the module, and the program ended for it",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, e := range c.tied() {
			l := c.final[e]
			if f, ok := c.nameNotThere(e); ok {
				out = append(out, f)
				continue
			}
			if !e.Is("ModuleNotFoundError") && !(e.Is("ImportError") && strings.HasPrefix(e.Text, "No module named")) {
				continue
			}
			name := e.Attrs["name"]
			if name == "" {
				name = strings.Trim(strings.TrimPrefix(e.Text, "No module named "), "'")
			}
			f := c.exceptionFinding("python-module-missing", e, l)
			f.Title = fmt.Sprintf("the Python module %s is not installed for %s", name, interpreter(e.Proc))
			f.Why = fmt.Sprintf("%s imports %s in %s, line %d; none of the directories of sys.path has it.", e.Proc.Program(), name, e.Origin().File, e.Origin().Line)
			f.Facts = append(f.Facts, Fact{"module", name}, Fact{"python", interpreter(e.Proc)})
			f.Next = []string{fmt.Sprintf("install it for this interpreter: `%s -m pip install %s`, or your distribution's python3-%s", interpreter(e.Proc), topModule(name), strings.ToLower(topModule(name)))}
			out = append(out, f)
		}
		return out
	},
}

// cannotImport is how Python 3.8 to 3.13 say that a module lacks a name; the file
// that was found for the module stands in parentheses.
var cannotImport = pattern(`^cannot import name '([^']+)' from (?:partially initialized module )?'([^']+)'.*?\(([^)]+)\)`)

// nameNotThere is the finding for a module that was found but is not the one, or
// not of the version, that has the name.
func (c *Case) nameNotThere(e *timeline.Exception) (Finding, bool) {
	m := cannotImport().FindStringSubmatch(e.Text)
	if !e.Is("ImportError") || m == nil {
		return Finding{}, false
	}
	name, module, file := m[1], m[2], m[3]
	f := c.exceptionFinding("python-module-missing", e, c.final[e])
	f.Title = fmt.Sprintf("the Python module %s at %s has no %s", module, file, name)
	f.Why = fmt.Sprintf("%s imports %s from %s; what Python found under that name is %s.", e.Proc.Program(), name, module, file)
	f.Facts = append(f.Facts, Fact{"module", module}, Fact{"name", name}, Fact{"found", file}, Fact{"python", interpreter(e.Proc)})
	f.Next = []string{fmt.Sprintf("install the version of %s that has %s: `%s -m pip install --upgrade %s`", topModule(module), name, interpreter(e.Proc), topModule(module))}
	if !library(file) {
		f.Why += " It lies beside the program, and hides any installed module of that name."
		f.Next = []string{"rename " + file + ": it stands in front of the module that is wanted"}
	}
	return f, true
}

func topModule(name string) string {
	top, _, _ := strings.Cut(name, ".")
	return top
}

func interpreter(p *timeline.Process) string {
	if p.Python != nil && p.Python.Executable != "" {
		return p.Python.Executable
	}
	return p.Exe
}

var pythonUncaught = Cause{
	Names: []string{"python-exception"},
	Doc:   "an exception ended the program or was what it reported, and no other cause lies behind it",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, e := range c.tied() {
			l := c.final[e]
			byLibrary := l.Kind == "said" && e.Handled != nil && len(becomes(e)) == 0 && c.throughOwn(e) && !c.ownCode(e.Proc, e.Handled.File)
			if e.Final != "excepthook" && e.Final != "thread" && !byLibrary {
				continue
			}
			f := c.exceptionFinding("python-exception", e, l)
			f.Title = fmt.Sprintf("%s raised %s", placeOf(e), e)
			f.Why = fmt.Sprintf("The exception was caught by nobody and ended %s.", e.Proc.Program())
			if byLibrary {
				if at := own(e.Stack); library(e.Origin().File) && at.File != "" {
					f.Title = fmt.Sprintf("%s: %s", frameOf(at), e)
				}
				f.Why = fmt.Sprintf("%s caught the exception, told it, and the run counts as failed for it.", frameOf(e.Handled.Frame))
			}
			f.Next = []string{"`culprit show --frames CASE` shows the frames and their variables at that moment"}
			out = append(out, f)
		}
		return out
	},
}

// throughOwn reports whether an exception came out of the program's own code.
func (c *Case) throughOwn(e *timeline.Exception) bool {
	return slices.ContainsFunc(e.Stack, func(f timeline.Frame) bool { return c.ownCode(e.Proc, f.File) })
}

var pythonSwallowed = Cause{
	Names: []string{"python-swallowed-exception"},
	Doc:   "the program caught an exception, went on or gave up without telling it, and then failed",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, p := range c.T.Procs {
			if p.Python == nil || !failed(p) && p.Ended {
				continue
			}
			var newest *timeline.Exception
			for _, e := range p.Raised {
				if e.Handled == nil || e.Final == "excepthook" || e.Is("SystemExit") || len(becomes(e)) > 0 || ordinary(e) || !c.ownCode(p, e.Handled.File) {
					continue
				}
				if newest == nil || e.Time > newest.Time {
					newest = e
				}
			}
			if newest == nil {
				continue
			}
			e := newest
			for steps := 0; steps < maxChain && len(c.origins(e)) > 0; steps++ {
				e = c.origins(e)[0]
			}
			f := c.exceptionFinding("python-swallowed-exception", e, Link{"last", "the last exception that was caught before the failure", wLast})
			if l, ok := c.final[newest]; ok {
				f.Links = append(f.Links, l)
			}
			f.Title = fmt.Sprintf("%s was caught in %s and not told", e, frameOf(newest.Handled.Frame))
			f.Why = fmt.Sprintf("It was raised at %s; %s took it and the program went on without a word of it.", placeOf(e), frameOf(newest.Handled.Frame))
			f.Next = []string{fmt.Sprintf("let the except clause at %s:%d say what it caught, or let it pass", newest.Handled.File, newest.Handled.Line)}
			out = append(out, f)
		}
		return out
	},
}

func (c *Case) exceptionFinding(cause string, e *timeline.Exception, l Link) Finding {
	o := e.Origin()
	return Finding{
		Cause: cause, Side: Local, Proc: e.Proc, Links: []Link{l}, Where: where(e),
		Facts:    []Fact{{"type", e.Type}, {"text", e.Text}, {"file", o.File}, {"line", o.Line}, {"function", o.Func}},
		Evidence: []Evidence{exceptionEvidence(e)},
	}
}

// library tells code that came with the interpreter or a package from the
// program's own.
func library(file string) bool { return timeline.Library(file) }
