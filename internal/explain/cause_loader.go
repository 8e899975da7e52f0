package explain

import (
	"fmt"
	"path"
	"strings"

	"culprit/internal/timeline"
)

// What the dynamic loader writes before it ends a program with status 127
// (glibc elf/dl-error, musl ldso). It does so before any locale is set.
var (
	symbolError  = pattern(`^(\S+): symbol lookup error: (\S+): undefined symbol: ([^\s,]+)`)
	versionError = pattern("^(\\S+): (\\S+): version [`'](\\S+)' not found \\(required by (\\S+)\\)")
	libraryError = pattern(`^(\S+): error while loading shared libraries: ([^\s:]+): (.*)`)
)

var loaderError = Cause{
	Names: []string{"shared-library-missing", "symbol-missing"},
	Doc:   "the dynamic loader could not put the program together: a library, or a function in one, is missing",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, l := range c.T.Lines {
			p := l.Proc
			if !p.Ended || exitCode(p.Status) != 127 {
				continue
			}
			f := Finding{Proc: p, Side: Local, Links: []Link{{"end", "the loader's words, and its status 127", wEnd}},
				Evidence: []Evidence{lineEvidence(l)}}
			if m := symbolError().FindStringSubmatch(l.Text); m != nil {
				wants, lib := m[2], c.provider(p, m[3])
				f.Cause = "symbol-missing"
				f.Title = fmt.Sprintf("%s wants the function %s, which the libraries it was loaded with do not have", path.Base(m[1]), m[3])
				f.Why = fmt.Sprintf("%s refers to %s; the loader found it in none of the libraries.", wants, m[3])
				f.Facts = []Fact{{"symbol", m[3]}, {"wanted_by", wants}}
				if lib != "" {
					f.Why += " " + lib
					f.Facts = append(f.Facts, Fact{"suspect", lib})
				}
				f.Next = []string{"`ldd " + p.Exe + "` shows which libraries are taken; unset LD_LIBRARY_PATH or install libraries of matching versions"}
			} else if m := versionError().FindStringSubmatch(l.Text); m != nil {
				f.Cause = "symbol-missing"
				f.Title = fmt.Sprintf("%s is too old for %s: it lacks the version %s", m[2], path.Base(m[4]), m[3])
				f.Why = fmt.Sprintf("%s needs %s of %s.", m[4], m[3], m[2])
				f.Facts = []Fact{{"version", m[3]}, {"library", m[2]}, {"wanted_by", m[4]}}
				f.Next = []string{"run it on a newer system, or take a build made for this one"}
			} else if m := libraryError().FindStringSubmatch(l.Text); m != nil {
				f.Cause = "shared-library-missing"
				f.Title = fmt.Sprintf("%s wants the shared library %s, which is not there", path.Base(m[1]), m[2])
				f.Why = fmt.Sprintf("The loader looked for %s in every library directory: %s.", m[2], m[3])
				f.Facts = []Fact{{"library", m[2]}, {"program", p.Exe}}
				f.Next = []string{libraryNext(m[2])}
				for _, call := range p.Calls {
					if path.Base(call.Path) == m[2] && call.Raw.Ret < 0 && len(f.Evidence) < 5 {
						f.Evidence = append(f.Evidence, callEvidence(call))
					}
				}
			} else {
				continue
			}
			out = append(out, f)
		}
		for _, e := range c.tied() {
			if f, ok := c.notLoaded(e); ok {
				out = append(out, f)
			}
		}
		return out
	},
}

// What dlerror(3) says when dlopen(3) finds nothing (glibc; musl).
var dlopenError = pattern(`(?:^|[\s"'(])([^\s"'(:]+\.so[\w.]*): cannot open shared object file|Error loading shared library ([^\s:]+): No such file`)

// notLoaded is the finding for an exception made from a dlopen(3) that failed.
func (c *Case) notLoaded(e *timeline.Exception) (Finding, bool) {
	m := dlopenError().FindStringSubmatch(e.Text)
	if m == nil {
		return Finding{}, false
	}
	name := m[1] + m[2]
	f := c.exceptionFinding("shared-library-missing", e, c.final[e])
	f.Title = fmt.Sprintf("%s wants the shared library %s, which is not there", e.Proc.Program(), name)
	f.Why = fmt.Sprintf("%s loads it at %s; the loader found it in none of the library directories.", e.Proc.Program(), frameOf(own(e.Stack)))
	f.Facts = append([]Fact{{"library", name}, {"program", e.Proc.Exe}}, f.Facts...)
	f.Next = []string{libraryNext(name)}
	for _, call := range e.Proc.Calls {
		if path.Base(call.Path) == path.Base(name) && call.Raw.Ret < 0 && call.Leave() <= e.Time && len(f.Evidence) < 4 {
			f.Evidence = append([]Evidence{callEvidence(call)}, f.Evidence...)
		}
	}
	return f, true
}

func libraryNext(name string) string {
	return "install the package that has it (`apt-file search " + name + "`, `dnf provides '*/" + name + "'`), or set LD_LIBRARY_PATH to its directory"
}

// provider names the libraries that came from an unusual directory: one of them
// was taken in place of the system's.
func (c *Case) provider(p *timeline.Process, symbol string) string {
	env := c.environment(p)
	var out []string
	for _, dir := range strings.Split(env["LD_LIBRARY_PATH"], ":") {
		if dir == "" {
			continue
		}
		for _, call := range p.Calls {
			if call.Raw.Ret >= 0 && opens(call) && strings.HasPrefix(call.Path, strings.TrimSuffix(dir, "/")+"/") {
				out = append(out, call.Path)
			}
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "LD_LIBRARY_PATH made it load " + strings.Join(out, ", ") + " in place of the system's."
}
