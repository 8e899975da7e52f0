package explain

import (
	"fmt"
	"path"
	"strings"

	"culprit/internal/timeline"
)

var badArguments = Cause{
	Names: []string{"bad-arguments"},
	Doc:   "a program did not understand its command line, said so, and ended",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, p := range c.T.Procs {
			if !failed(p) || p.Status&0x7f != 0 || len(p.Argv) == 0 {
				continue
			}
			if l, arg := c.complaint(p); l != nil {
				out = append(out, c.argumentFinding(p, l, arg))
			}
		}
		return out
	},
}

// How programs begin to complain of their command line (getopt(3), argparse,
// popt, Go's flag, cobra, clap, commander), in the languages of their
// translations.
var optionWords = pattern(`(?i)(unrecogni[sz]ed|unknown|invalid|illegal|bad|unexpected|no such|ambiguous|unsupported) (long |short |command.line )?(option|argument|flag|switch|parameter|command|subcommand|operand|predicate|primary)` +
	`|flag provided but not defined|invalid choice:|option .* is unknown|option.* (requires|needs|expects) (an|a|one|at least)|requires an argument` +
	`|arguments? (is|are) required|required (argument|option|flag)|missing (file |required )?(operand|argument|parameter|option)|(too few|too many|extra) (argument|operand|parameter)` +
	`|is not a \S+ command|no such (sub)?command` +
	`|unbekannte Option|ungültige Option|fehlender (Datei)?operand|Option .* (benötigt|erfordert|verlangt)` +
	`|option (non reconnue|invalide|inconnue)|opérande .*manquant` +
	`|opción (inválida|no reconocida|desconocida)|falta un operando|opzione (non riconosciuta|non valida|sconosciuta)|opção (inválida|não reconhecida)`)

// usageHint tells the lines by which programs point to their manual, in
// whatever language: they name the option --help, or begin with the usage.
var usageHint = pattern(`--help\b|(?i)^\s*usage:|(?i)^\s*(benutzung|aufruf|utilisation|uso|gebruik)\s*:|\bhelp\b.*\b(command|option|usage)`)

// complaint finds the line in which a process refused its command line, and the
// argument of its own that the line names.
func (c *Case) complaint(p *timeline.Process) (*timeline.Line, string) {
	var usage bool
	var named *timeline.Line
	var arg string
	for _, l := range c.lines[p] {
		usage = usage || usageHint().MatchString(l.Text)
		a := namedArgument(p, l.Text)
		if optionWords().MatchString(l.Text) {
			if e := errnoText(l.Text); e {
				continue
			}
			return l, a
		}
		if named == nil && strings.HasPrefix(a, "-") {
			named, arg = l, a
		}
	}
	if usage && named != nil && !strings.Contains(named.Text, "--help") {
		return named, arg
	}
	return nil, ""
}

// errnoText reports whether a line is about a call's EINVAL, whose text in C is
// "Invalid argument", and not about a command line.
func errnoText(text string) bool {
	return strings.HasSuffix(text, "Invalid argument") || strings.Contains(text, "[Errno 22]") || strings.Contains(text, "EINVAL")
}

// namedArgument is the argument that a line names: whole, without its value, or
// as the letter of an option (getopt: invalid option -- 'z').
func namedArgument(p *timeline.Process, text string) string {
	var options, words []string
	for _, a := range p.Argv[1:] {
		if strings.HasPrefix(a, "-") {
			options = append(options, a)
		} else if path.Base(a) != p.Program() { // the script itself
			words = append(words, a)
		}
	}
	argv := append(options, words...)
	for _, a := range argv {
		name, _, _ := strings.Cut(a, "=")
		bare := strings.TrimLeft(name, "-")
		switch {
		case len(bare) >= 2 && hasWord(text, bare):
			return name
		case len(bare) == 1 && strings.HasPrefix(a, "-") && (strings.HasSuffix(text, "'"+bare+"'") || strings.HasSuffix(text, " "+bare) || hasWord(text, name)):
			return name
		}
	}
	for _, a := range argv {
		if len(a) > 2 && a[0] == '-' && a[1] != '-' { // letters of several options
			if i := strings.LastIndex(text, "-- "); i >= 0 && strings.Contains(a[1:], strings.Trim(text[i+3:], "'\"")) {
				return "-" + strings.Trim(text[i+3:], "'\"")
			}
		}
	}
	return ""
}

func (c *Case) argumentFinding(p *timeline.Process, l *timeline.Line, arg string) Finding {
	name := p.Program()
	f := Finding{
		Cause: "bad-arguments", Side: Client, Proc: p,
		Title:    fmt.Sprintf("%s was called with arguments that it does not take: %s", name, quote(l.Text, 160)),
		Why:      fmt.Sprintf("The command was `%s`. It ended with status %d without doing its work.", quote(strings.Join(p.Argv, " "), 200), exitCode(p.Status)),
		Facts:    []Fact{{"command", name}, {"message", l.Text}, {"exit", exitCode(p.Status)}},
		Links:    []Link{{"said", l.Text, wSaid}},
		Evidence: []Evidence{lineEvidence(l)},
		Next:     []string{fmt.Sprintf("`%s --help` lists what this version takes", name)},
	}
	if arg != "" {
		f.Title = fmt.Sprintf("%s does not take the argument %s", name, arg)
		f.Facts = append(f.Facts, Fact{"argument", arg})
		if near := c.nearOption(p, arg); near != "" {
			f.Facts = append(f.Facts, Fact{"nearest", near})
			f.Next = append([]string{fmt.Sprintf("write %s: that is an option of it", near)}, f.Next...)
		}
	}
	if q := p.Parent; q != nil {
		f.Why += fmt.Sprintf(" %s called it so.", q.Program())
		f.Facts = append(f.Facts, Fact{"caller", q.Program()})
	}
	return f
}

var optionName = pattern(`--[A-Za-z][\w-]*`)

// nearOption is the option nearest in spelling that the program's own usage
// text names.
func (c *Case) nearOption(p *timeline.Process, arg string) string {
	best, least := "", 3
	for _, l := range c.lines[p] {
		for _, o := range optionName().FindAllString(l.Text, -1) {
			if d := distance(o, arg); d > 0 && d < least {
				best, least = o, d
			}
		}
	}
	return best
}

// distance counts the letters to put in, leave out or change that make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
