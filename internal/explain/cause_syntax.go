package explain

import (
	"fmt"
	"strings"
)

var pythonSyntax = Cause{
	Names: []string{"python-syntax-error"},
	Doc:   "a Python file could not be compiled, and the program ended for it",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, e := range c.tied() {
			file, line := e.Attrs["filename"], e.Attrs["lineno"]
			if !e.Is("SyntaxError") || file == "" || strings.HasPrefix(file, "<") {
				continue // what eval() was given is no file
			}
			f := c.exceptionFinding("python-syntax-error", e, c.final[e])
			f.Title = fmt.Sprintf("%s, line %s is no Python that %s understands: %s", file, line, interpreter(e.Proc), firstLine(e.Attrs["msg"]))
			f.Why = fmt.Sprintf("%s compiles the file before it runs any of it.", e.Proc.Name())
			if text := strings.TrimSpace(e.Attrs["text"]); text != "" {
				f.Why += fmt.Sprintf(" The line is %q.", quote(text, 120))
			}
			f.Facts = append(f.Facts, Fact{"path", file}, Fact{"syntax_line", line}, Fact{"message", e.Attrs["msg"]}, Fact{"python", interpreter(e.Proc)})
			if v := e.Proc.Python; v != nil {
				f.Facts = append(f.Facts, Fact{"version", v.Version})
			}
			f.Next = []string{fmt.Sprintf("mend the line, or run it with the Python that it was written for: `%s -m py_compile %s` checks it", interpreter(e.Proc), file)}
			out = append(out, f)
		}
		return out
	},
}
