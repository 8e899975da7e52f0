package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"culprit/internal/event"
	"culprit/internal/timeline"
)

var configInvalid = Cause{
	Names: []string{"config-invalid"},
	Doc:   "a file that a program read was not in the form that it takes: the program named the file and the fault, its parser raised, or the content shows it",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, e := range c.tied() {
			if f, ok := c.unparsed(e); ok {
				out = append(out, f)
			}
		}
		for _, p := range c.T.Procs {
			if !failed(p) || p.Status&0x7f != 0 {
				continue
			}
			if f, ok := c.configSaid(p); ok {
				out = append(out, f)
			} else if f, ok := c.configBroken(p); ok {
				out = append(out, f)
			}
		}
		return out
	},
}

// parserErrors are the exceptions of parsers of files, by a base class of each.
var parserErrors = []struct{ class, format string }{
	{"JSONDecodeError", "JSON"}, {"YAMLError", "YAML"}, {"TOMLDecodeError", "TOML"}, {"TomlDecodeError", "TOML"},
	{"ParsingError", "INI"}, {"MissingSectionHeaderError", "INI"}, {"DuplicateOptionError", "INI"}, {"DuplicateSectionError", "INI"},
	{"NoOptionError", "INI"}, {"NoSectionError", "INI"}, {"InterpolationError", "INI"}, {"XMLSyntaxError", "XML"}, {"ExpatError", "XML"},
	{"ParseError", "XML"}, {"InvalidFileException", "property list"},
}

var positionLine = pattern(`(?i)(?:line|zeile|ligne|línea|riga)[ :]+(\d+)`)

// unparsed is the finding for an exception that says that a file is not in its
// form.
func (c *Case) unparsed(e *timeline.Exception) (Finding, bool) {
	format := ""
	for _, k := range parserErrors {
		if e.Is(k.class) {
			format = k.format
			break
		}
	}
	if format == "" {
		return Finding{}, false
	}
	call := c.lastRead(e.Proc, e.Time, func(call *timeline.Call) bool { return call.TID == e.TID })
	if x := c.answerBefore(e); call == nil || x != nil && x.Response.Head.Time > call.Enter {
		return Finding{}, false // it came over the network
	}
	f := c.exceptionFinding("config-invalid", e, c.final[e])
	c.configFinding(&f, call, format, e.Text)
	return f, true
}

func (c *Case) configFinding(f *Finding, call *timeline.Call, format, message string) {
	name := call.Desc.Path
	line := ""
	if m := positionLine().FindStringSubmatch(message); m != nil {
		line = m[1]
	} else if m := regexp.MustCompile(regexp.QuoteMeta(path.Base(name)) + `[:"']*(\d+)`).FindStringSubmatch(message); m != nil {
		line = m[1]
	}
	what := "in the form that " + f.Proc.Program() + " takes"
	if format != "" {
		what = "valid " + format
	}
	f.Title = fmt.Sprintf("%s is not %s: %s", name, what, quote(message, 160))
	f.Why = fmt.Sprintf("%s read the file and did not understand it.", f.Proc.Program())
	f.Facts = append(f.Facts, Fact{"path", name}, Fact{"message", message})
	if format != "" {
		f.Facts = append(f.Facts, Fact{"format", format})
	}
	f.Next = []string{"mend the file, and have it checked before it is used"}
	if n, err := strconv.Atoi(line); err == nil {
		f.Facts = append(f.Facts, Fact{"config_line", n})
		if text := c.lineOf(f.Proc, name, n); text != "" {
			f.Why += fmt.Sprintf(" Its line %d is %q.", n, quote(text, 120))
			f.Facts = append(f.Facts, Fact{"content", text})
		}
		f.Next[0] = fmt.Sprintf("mend %s at line %d, and have it checked before it is used", name, n)
	}
	f.Evidence = append([]Evidence{callEvidence(call)}, f.Evidence...)
}

// lastRead is the newest call before a moment in which a process read a file
// that may hold settings or data.
func (c *Case) lastRead(p *timeline.Process, before event.Time, fits func(*timeline.Call) bool) *timeline.Call {
	for i := len(p.Calls) - 1; i >= 0; i-- {
		call := p.Calls[i]
		if call.Enter > before || call.Raw.Ret <= 0 || call.Desc == nil || call.Desc.Kind != timeline.DescFile || !readsFile(call) || !settings(call.Desc.Path) {
			continue
		}
		if fits == nil || fits(call) {
			return call
		}
	}
	return nil
}

func readsFile(call *timeline.Call) bool {
	switch call.Name() {
	case "read", "pread64", "readv", "preadv", "preadv2", "mmap":
		return true
	}
	return false
}

// settings tells files that may hold settings from programs, libraries, sources
// and what the system keeps.
func settings(name string) bool {
	if name == "" || furniture(name) || strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/sys/") || strings.HasPrefix(name, "/dev/") {
		return false
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".py", ".pyc", ".pth", ".so", ".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".go", ".rs", ".java", ".class", ".jar", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pl", ".pm",
		".sh", ".php", ".lua", ".cmake", ".mk", ".gradle", ".o", ".a", ".mo", ".cache", ".pem", ".crt", ".log":
		return false
	}
	switch path.Base(name) { // what builds run, as programs do
	case "CMakeLists.txt", "Makefile", "makefile", "GNUmakefile", "Dockerfile", "Rakefile", "Jenkinsfile", "configure", "SConstruct":
		return false
	}
	switch name {
	case "/etc/ld.so.cache", "/etc/passwd", "/etc/group", "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services":
		return false
	}
	return true
}

// How programs say that they do not understand a file.
var configWords = pattern(`(?i)syntax|pars(e|er|ing)\b|unexpected|unknown|unrecogni[sz]ed|invalid|malformed|not valid|illegal|bad |missing|duplicate|expected|unsupported|deprecated|cannot understand|failed to (load|read)|error (in|at|on|near)|line \d+` +
	`|unbekannt|ungültig|fehlerhaft|erwartet|inconnu|invalide|inattendu|desconocid|inválid|inesperad|sconosciut|non valid`)

// lineBehind matches what stands behind a file's name where a line of it is named.
var lineBehind = pattern(`^["']?(:\d+|, line|: line|\(\d+\))`)

// scriptWords are how an interpreter says that the script itself is at fault.
var scriptWords = pattern(`(?i)syntax|unexpected|unterminated|unerwartet|inattendu|inesperad`)

// childFailed tells the lines in which make names the file and line of a command
// that failed: the fault is not there.
var childFailed = pattern(`\*\*\* \[.*\] \S+ \d+`)

var warning = pattern(`(?i)\bwarn(ing)?\b|\bdeprecated\b|\bnotice\b`)

// configSaid finds the line in which a process named a file that it had read,
// and a fault in it.
func (c *Case) configSaid(p *timeline.Process) (Finding, bool) {
	var reads []*timeline.Call // the last of each file
	seen := map[string]bool{}
	for i := len(p.Calls) - 1; i >= 0 && len(reads) < 200; i-- {
		call := p.Calls[i]
		if call.Raw.Ret > 0 && call.Desc != nil && call.Desc.Kind == timeline.DescFile && readsFile(call) && (settings(call.Desc.Path) || call.Desc.Path == p.Script()) && !seen[call.Desc.Path] {
			seen[call.Desc.Path] = true
			reads = append(reads, call)
		}
	}
	if len(reads) == 0 {
		return Finding{}, false
	}
	for _, l := range c.Words { // the first complaint; others follow from it
		if l.Proc != p || childFailed().MatchString(l.Text) || warning().MatchString(l.Text) {
			continue
		}
		for _, call := range reads {
			rest, ok := without(l.Text, call.Desc.Path)
			if !ok || call.Enter > l.Time {
				continue
			}
			if call.Desc.Path == p.Script() && !scriptWords().MatchString(l.Text) {
				continue // an interpreter names the script and line with whatever it tells
			}
			if !lineBehind().MatchString(rest) && !configWords().MatchString(strings.ReplaceAll(l.Text, path.Base(call.Desc.Path), "")) {
				continue
			}
			if data, _ := c.content(p, call.Desc.Path); errnoNamed(p, l) || !text(data) {
				continue
			}
			f := Finding{Cause: "config-invalid", Side: Local, Proc: p, Links: []Link{c.linkTold(l, wSaid)}, Evidence: []Evidence{lineEvidence(l)}}
			c.configFinding(&f, call, "", l.Text)
			return f, true
		}
	}
	return Finding{}, false
}

// without is what a text says behind a file's name, and whether it names it.
func without(text, name string) (rest string, ok bool) {
	for _, n := range []string{name, path.Join(path.Base(path.Dir(name)), path.Base(name)), path.Base(name)} {
		if len(n) < 4 {
			continue
		}
		if i := strings.Index(text, n); i >= 0 && (i == 0 || !alnum(text[i-1]) && text[i-1] != '.' && text[i-1] != '-') {
			rest = text[i+len(n):]
			if rest == "" || !alnum(rest[0]) && (rest[0] != '.' || len(rest) == 1 || rest[1] == ' ') {
				return rest, true
			}
		}
	}
	return "", false
}

// errnoNamed reports whether a line tells a failed call of the process: then the
// trouble is not what stands in the file.
func errnoNamed(p *timeline.Process, l *timeline.Line) bool {
	low := strings.ToLower(l.Text)
	for _, call := range p.Calls {
		if call.Enter > l.Time {
			break
		}
		if e := call.Errno(); e != 0 && strings.Contains(low, strings.ToLower(e.Text())) {
			return true
		}
	}
	return false
}

// configBroken looks at what the process read last: a .json file that can't be
// one was not understood, whatever the program said.
func (c *Case) configBroken(p *timeline.Process) (Finding, bool) {
	call := c.lastRead(p, c.end(p), nil)
	if call == nil || !strings.HasSuffix(call.Desc.Path, ".json") {
		return Finding{}, false
	}
	data, _ := c.content(p, call.Desc.Path)
	message := jsonFault(data)
	if message == "" {
		return Finding{}, false
	}
	links := c.linkLast(p, call.Leave(), wLast, 0, "the last file that was read before the end, and it is no JSON")
	if l := c.said("JSON", "parse error", path.Base(call.Desc.Path)); l != nil && l.Proc == p && l.Time >= call.Enter {
		links = append(links, Link{"error text", l.Text, wText})
	}
	f := Finding{Cause: "config-invalid", Side: Local, Proc: p, Links: links}
	c.configFinding(&f, call, "JSON", message)
	return f, len(links) > 0
}

// text reports whether bytes, perhaps cut off in the middle of a letter, are text.
func text(data []byte) bool {
	return bytes.IndexByte(data, 0) < 0 && utf8.Valid(data[:max(0, len(data)-utf8.UTFMax)])
}

// content is the beginning of a file as a process read it, and whether that is
// all of it.
func (c *Case) content(p *timeline.Process, name string) (data []byte, whole bool) {
	for _, call := range p.Calls {
		if call.Desc == nil || call.Desc.Path != name || call.Name() != "read" || call.Raw.Ret < 0 {
			continue
		}
		if call.Raw.Ret == 0 {
			return data, true
		}
		b, missing := call.Decode().Buffer()
		if data = append(data, b...); missing > 0 || len(data) > 1<<20 {
			return data, false
		}
	}
	return data, true
}

// lineOf is a line of a file as far as the process's reads are recorded.
func (c *Case) lineOf(p *timeline.Process, name string, n int) string {
	data, whole := c.content(p, name)
	for i := 1; len(data) > 0; i++ {
		text, rest, ends := bytes.Cut(data, []byte("\n"))
		if i == n && (ends || whole) {
			return strings.TrimSpace(string(text))
		}
		data = rest
	}
	return ""
}

// jsonFault says where a text can't be JSON, "" when it can, so far as it goes.
// A text with comments is of a kind of its own.
func jsonFault(data []byte) string {
	if len(bytes.TrimSpace(data)) == 0 || bytes.Contains(data, []byte("//")) || bytes.Contains(data, []byte("/*")) {
		return ""
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := dec.Token(); err == nil {
			continue
		} else if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF) {
			line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
			return fmt.Sprintf("%s at line %d", syntax, line)
		}
		return ""
	}
}
