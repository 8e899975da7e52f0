package strace

//lint:file-ignore ST1005 these are strace's own words, which scripts compare

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Config is a parsed command line. The zero value is not ready; see Parse.
type Config struct {
	Command []string // with Argv0 in the place of its first word when that is given
	Program string   // what is looked up in PATH
	Attach  []int
	Env     []string // -E, in order
	User    string

	Output     string // -o, "" is standard error; "|cmd" or "!cmd" is a pipe
	Append     bool
	Separate   bool // a file for every task
	Follow     bool
	AlwaysPID  bool
	Column     int
	StrLen     int
	Interrupts int // -I, 0 when not given
	Daemonize  int // -D, how many
	KillOnExit bool
	DetachExec bool

	Trace, Abbrev, Verbose, Raw callSet
	Signals, Status             wordSet
	Quiet, DecodeFDs, PIDs      wordSet
	Labels                      wordSet // --secontext
	Read, Write                 wordSet
	TraceFDs                    *wordSet
	Paths                       []string
	Injections                  []injection
	Limit                       int64 // --syscall-limit, 0 for none
	Seccomp                     bool  // --seccomp-bpf
	Stacks                      stackStyle
	Frames                      int // of a stack at most

	Hex        int // 1: -x, 2: -xx, 3: escapes in hex
	Style      style
	Time       timeFormat
	Relative   precision
	Times      precision // -T
	Pointer    bool      // -i
	Number     bool      // -n
	ArgNames   bool      // -N
	Summary    summaryOptions
	Help, Info bool
	Debug      bool   // -d
	Color      string // --color: never, always, "auto" or "" for on terminals
	Warnings   []string
}

// stackStyle says what -k prints.
type stackStyle uint8

const (
	noStacks stackStyle = iota
	symbolStacks
	sourceStacks
)

type style uint8

const (
	abbrevStyle style = iota
	rawStyle
	verboseStyle
)

// precision is how many digits a time's fraction has.
type precision struct {
	on     bool
	digits int
}

type timeFormat struct {
	on     bool
	unix   bool
	digits int
}

// helpError is a usage error after which -h is pointed to.
type helpError struct{ text string }

func (e *helpError) Error() string { return e.text }

// Unsupported is the error for an option that strace has and this one does not.
type Unsupported struct{ Option string }

func (e *Unsupported) Error() string { return e.Option + " is not supported yet" }

// parser holds what the checks at the end need.
type parser struct {
	c                                       *Config
	quiet, yes, follow, stamps, hexes       int // how often -q, -y, -f, -t, -x
	quietSet, decodeSet, stampSet, hexSet   bool
	followLong, sepLong, oldFollow, seccomp bool
	statusFlags                             int
	argv0                                   string
}

// Parse reads a command line without its first word. self is this process,
// which can't be attached to. Errors are worded as strace words them.
func Parse(args []string, self int) (*Config, error) {
	c := &Config{
		Column: 40, StrLen: 32,
		Trace: allCalls(), Abbrev: allCalls(), Verbose: allCalls(),
		Signals: all(), Status: all(),
	}
	p := &parser{c: c}
	opts, rest, err := getopt(args, letters, longOptions)
	for i := range opts {
		if err := p.option(opts[i], self); err != nil {
			return nil, err
		}
		if c.Help {
			return c, nil
		}
	}
	if err != nil {
		return nil, &helpError{err.Error()}
	}
	if c.Info {
		return c, nil
	}
	c.Command = rest
	if len(rest) > 0 {
		c.Program = rest[0]
	}
	return c, p.finish()
}

// bad is the error of a wrong argument.
func bad(g given) error {
	if g.long != "" {
		return &helpError{fmt.Sprintf("invalid --%s argument: '%s'", g.long, g.arg)}
	}
	return &helpError{fmt.Sprintf("invalid -%s argument: '%s'", g.id, g.arg)}
}

const maxInt = 1<<31 - 1

func (p *parser) option(g given, self int) (err error) {
	c := p.c
	ok := true
	switch g.id {
	case "a":
		c.Column, ok = number(g.arg, maxInt)
	case "A":
		c.Append = true
	case "b":
		if g.arg != "execve" {
			return fmt.Errorf("Syscall '%s' for -b isn't supported", g.arg) //nolint:staticcheck // strace's words
		}
		c.DetachExec = true
	case "c", "C":
		if c.Summary.mode != "" && c.Summary.mode != g.id {
			return &helpError{"-c/--summary-only and -C/--summary are mutually exclusive"}
		}
		c.Summary.mode = g.id
	case "d":
		c.Debug = true
	case "D":
		c.Daemonize++
	case "daemonize":
		switch g.arg {
		case "", "grandchild":
			c.Daemonize = 1
		case "pgroup", "pgrp":
			c.Daemonize = 2
		case "session":
			c.Daemonize = 3
		default:
			ok = false
		}
	case "e":
		return p.qualify(g.arg)
	case "E":
		c.Env = append(c.Env, g.arg)
	case "f":
		p.follow++
	case "follow":
		p.followLong = true
	case "separately":
		p.sepLong = true
	case "F":
		p.oldFollow = true
	case "h":
		c.Help = true
	case "i":
		c.Pointer = true
	case "I":
		words := []string{"anywhere", "waiting", "never", "never_tstp"}
		if g.arg == "always" {
			g.arg = "anywhere"
		}
		if c.Interrupts = slices.Index(words, g.arg) + 1; c.Interrupts == 0 {
			c.Interrupts, ok = number(g.arg, 4)
			ok = ok && c.Interrupts > 0
		}
	case "k":
		c.Stacks++
	case "stack":
		switch g.arg {
		case "", "symbol":
			c.Stacks = symbolStacks
		case "source":
			c.Stacks = sourceStacks
		default:
			ok = false
		}
	case "frames":
		c.Frames, ok = number(g.arg, maxInt)
		ok = ok && c.Frames > 0
	case "kill":
		c.KillOnExit = true
	case "limit":
		c.Limit, err = strconv.ParseInt(g.arg, 10, 64)
		ok = err == nil && c.Limit > 0
	case "n":
		c.Number = true
	case "N":
		c.ArgNames = true
	case "o":
		c.Output = g.arg
	case "O":
		c.Summary.overhead, ok = overhead(g.arg)
	case "p":
		return p.attach(g.arg, self)
	case "P":
		c.Paths = append(c.Paths, g.arg)
	case "q":
		p.quiet++
	case "r":
		c.Relative, ok = fraction(g)
	case "T":
		c.Times, ok = fraction(g)
	case "s":
		c.StrLen, ok = number(g.arg, 1<<30-1)
	case "S":
		return c.Summary.sortBy(g.arg)
	case "t":
		p.stamps++
	case "ts":
		p.stampSet = true
		c.Time, ok = timestamps(g.arg, c.Time)
	case "u":
		c.User = g.arg
	case "U":
		return c.Summary.setColumns(g.arg)
	case "v":
		c.Abbrev = callSet{}
	case "V":
		c.Info = true
	case "w":
		c.Summary.wall = true
	case "x":
		p.hexes++
	case "hex":
		p.hexSet = true
		switch g.arg {
		case "", "all":
			c.Hex = 2
		case "none":
			c.Hex = 0
		case "non-ascii":
			c.Hex = 1
		case "non-ascii-chars":
			c.Hex = 3
		default:
			ok = false
		}
	case "X":
		switch g.arg {
		case "raw":
			c.Style = rawStyle
		case "abbrev":
			c.Style = abbrevStyle
		case "verbose":
			c.Style = verboseStyle
		default:
			ok = false
		}
	case "y":
		p.yes++
	case "Y":
		return p.qualify("decode-pids=comm")
	case "pidns":
		return p.qualify("decode-pids=pidns")
	case "z":
		c.Status = wordSet{has: map[string]bool{"successful": true}}
		p.statusFlags++
	case "Z":
		c.Status = wordSet{has: map[string]bool{"failed": true}}
		p.statusFlags++
	case "seccomp":
		p.seccomp = true
	case "tips":
		return &Unsupported{"--tips"}
	case "argv0":
		p.argv0 = g.arg
	case "always":
		c.AlwaysPID = true
	case "color":
		ok = g.arg == "never" || g.arg == "auto" || g.arg == "always"
		c.Color = g.arg
	case "secontext":
		if !g.has {
			g.arg = "!full,mismatch" // only the type
		}
		return p.qualify("secontext=" + g.arg)
	case "kvm":
		return &Unsupported{"--kvm"}
	case "namespace":
		return &Unsupported{"--namespace"}
	case "quiet":
		if !g.has {
			g.arg = "attach,personality"
		}
		return p.qualify("quiet=" + g.arg)
	case "decode-fds":
		if !g.has {
			g.arg = "path"
		}
		return p.qualify("decode-fds=" + g.arg)
	default:
		return p.qualify(g.id + "=" + g.arg)
	}
	if !ok {
		return bad(g)
	}
	return nil
}

// qualifiers are the words before "=" in an -e expression.
var qualifiers = map[string]string{
	"trace": "trace", "t": "trace", "trace-fd": "fds", "trace-fds": "fds", "fd": "fds", "fds": "fds",
	"abbrev": "abbrev", "a": "abbrev", "verbose": "verbose", "v": "verbose", "raw": "raw", "x": "raw",
	"signal": "signal", "signals": "signal", "s": "signal", "status": "status",
	"quiet": "quiet", "silent": "quiet", "silence": "quiet", "q": "quiet",
	"read": "read", "reads": "read", "r": "read", "write": "write", "writes": "write", "w": "write",
	"fault": "fault", "inject": "inject", "kvm": "kvm", "decode-fd": "decode-fds", "decode-fds": "decode-fds",
	"decode-pid": "decode-pids", "decode-pids": "decode-pids", "secontext": "secontext", "namespace": "namespace",
}

// qualify reads an -e expression; without a known word it is a set of calls.
func (p *parser) qualify(text string) (err error) {
	c := p.c
	word, value, has := strings.Cut(text, "=")
	word = qualifiers[word]
	if !has || word == "" {
		word, value = "trace", text
	}
	switch word {
	case "trace":
		c.Trace, err = parseCalls(value)
	case "abbrev":
		c.Abbrev, err = parseCalls(value)
	case "verbose":
		c.Verbose, err = parseCalls(value)
	case "raw":
		c.Raw, err = parseCalls(value)
	case "signal":
		c.Signals, err = parseWords(value, "signal", signalWord)
	case "status":
		c.Status, err = parseWords(value, "status", statusWord)
	case "quiet":
		p.quietSet = true
		c.Quiet, err = parseWords(value, "quiet", quietWord)
	case "decode-fds":
		p.decodeSet = true
		c.DecodeFDs, err = parseWords(value, "decode-fds", decodeWord)
	case "decode-pids":
		c.PIDs, err = parseWords(value, "decode-pids", pidsWord)
	case "secontext":
		c.Labels, err = parseWords(value, "secontext", labelWord)
	case "read":
		c.Read, err = parseWords(value, "descriptor", descriptor)
	case "write":
		c.Write, err = parseWords(value, "descriptor", descriptor)
	case "fds":
		var s wordSet
		s, err = parseWords(value, "descriptor", descriptor)
		c.TraceFDs = &s
	case "fault", "inject":
		var in injection
		in, err = parseInjection(value, word == "fault")
		c.Injections = append(c.Injections, in)
	default:
		return &Unsupported{"-e " + word}
	}
	return err
}

func (p *parser) attach(list string, self int) error {
	for _, w := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(", \t\n", r) }) {
		pid, ok := number(w, maxInt)
		if !ok || pid == 0 {
			return fmt.Errorf("Invalid process id: '%s'", w) //nolint:staticcheck // strace's words
		}
		if pid == self {
			return fmt.Errorf("I'm sorry, I can't let you do that, Dave.") //nolint:staticcheck // strace's words
		}
		p.c.Attach = append(p.c.Attach, pid)
	}
	return nil
}

func (p *parser) warn(text string) { p.c.Warnings = append(p.c.Warnings, text) }

// finish checks what depends on several options.
func (p *parser) finish() error {
	c := p.c
	switch {
	case len(c.Command) == 0 && len(c.Attach) == 0:
		return &helpError{"must have PROG [ARGS] or -p PID"}
	case len(c.Command) == 0 && p.argv0 != "":
		return &helpError{"PROG [ARGS] must be specified with --argv0"}
	case len(c.Command) == 0 && c.Daemonize > 0:
		return &helpError{"PROG [ARGS] must be specified with -D/--daemonize"}
	case c.Daemonize > 3:
		return &helpError{fmt.Sprintf("Too many -D's (%d), maximum supported -D count is 3", c.Daemonize)}
	case p.stamps > 0 && p.stampSet:
		return fmt.Errorf("-t and --absolute-timestamps cannot be provided simultaneously")
	case p.hexes > 0 && p.hexSet:
		return fmt.Errorf("-x and --strings-in-hex cannot be provided simultaneously")
	case p.yes > 0 && p.decodeSet:
		return fmt.Errorf("-y and --decode-fds cannot be provided simultaneously")
	case p.follow > 0 && p.followLong:
		return fmt.Errorf("-f and --follow-forks cannot be provided simultaneously")
	case p.follow > 1 && p.sepLong:
		return fmt.Errorf("-ff and --output-separately cannot be provided simultaneously")
	}
	if p.argv0 != "" {
		c.Command = append([]string{p.argv0}, c.Command[1:]...)
	}
	switch p.stamps {
	case 0:
	case 1:
		c.Time = timeFormat{on: true}
	case 2:
		c.Time = timeFormat{on: true, digits: 6}
	default:
		c.Time = timeFormat{on: true, unix: true, digits: 6}
	}
	if p.hexes > 0 {
		c.Hex = min(p.hexes, 2)
	}
	switch p.yes {
	case 0:
	case 1:
		c.DecodeFDs = wordSet{has: map[string]bool{"path": true}}
	default:
		c.DecodeFDs = all()
	}
	c.Follow = p.follow > 0 || p.followLong
	c.Separate = p.follow > 1 || p.sepLong
	p.seccompChecks()
	switch {
	case c.Stacks > sourceStacks:
		c.Stacks = sourceStacks
	case c.Stacks == noStacks && c.Frames > 0:
		p.warn("--stack-trace-frame-limit has no effect without -k/--stack-trace")
	}
	if c.Frames == 0 {
		c.Frames = defaultFrames
	}
	if p.oldFollow {
		if c.Follow {
			p.warn("deprecated option -F ignored")
		} else {
			p.warn("option -F is deprecated, please use -f/--follow-forks instead")
			c.Follow = true
		}
	}
	s := &c.Summary
	switch {
	case c.Separate && s.mode != "":
		return &helpError{"(-c/--summary-only or -C/--summary) and -ff/--output-separately are mutually exclusive"}
	case s.wall && s.mode == "":
		return &helpError{"-w/--summary-wall-clock must be given with (-c/--summary-only or -C/--summary)"}
	case s.columnsSet && s.mode == "":
		return &helpError{"-U/--summary-columns must be given with (-c/--summary-only or -C/--summary)"}
	}
	if s.sortSet && s.mode == "" {
		p.warn("-S/--summary-sort-by has no effect without (-c/--summary-only or -C/--summary)")
	}
	p.withoutEffect()
	if c.KillOnExit && len(c.Attach) > 0 {
		return fmt.Errorf("--kill-on-exit and -p/--attach are mutually exclusive options")
	}
	if c.Output == "" {
		c.Separate = false
	} else if c.Separate && (c.Output[0] == '|' || c.Output[0] == '!') {
		return &helpError{"piping the output and -ff/--output-separately are mutually exclusive"}
	}
	if c.Output != "" && len(c.Command) > 0 && p.quiet == 0 && !p.quietSet {
		p.quiet = 1
	}
	if p.quiet > 0 {
		if p.quietSet {
			return fmt.Errorf("-q and -e quiet/--quiet cannot be provided simultaneously")
		}
		c.Quiet = wordSet{has: map[string]bool{"attach": true, "personality": true}}
		if p.quiet > 1 {
			c.Quiet.has["exit"] = true
		}
		if p.quiet > 2 {
			c.Quiet = all()
		}
	}
	return nil
}

// seccompChecks decides whether --seccomp-bpf can be had, in strace's words.
func (p *parser) seccompChecks() {
	if !p.seccomp {
		return
	}
	switch {
	case !p.c.Follow:
		p.warn("--seccomp-bpf cannot be used without -f/--follow-forks, disabling")
	case p.c.DetachExec:
		p.warn("--seccomp-bpf is not enabled because it is not compatible with -b")
	case p.c.Limit > 0:
		p.warn("--seccomp-bpf is not enabled because it is not compatible with --syscall-limit")
	default:
		p.c.Seccomp = len(p.c.Command) > 0
	}
	if len(p.c.Attach) > 0 {
		p.warn("--seccomp-bpf is not enabled for processes attached with -p")
	}
}

func (p *parser) withoutEffect() {
	c := p.c
	if c.Summary.mode == "c" {
		for _, o := range []struct {
			given bool
			name  string
		}{
			{c.Pointer, "-i/--instruction-pointer"}, {c.Number, "-n/--syscall-number"}, {c.ArgNames, "-N/--arg-names"},
			{c.Relative.on, "-r/--relative-timestamps"}, {c.Time.on, "-t/--absolute-timestamps"},
			{c.Times.on, "-T/--syscall-times"}, {!c.DecodeFDs.empty(), "-y/--decode-fds"},
		} {
			if o.given {
				p.warn(o.name + " has no effect with -c/--summary-only")
			}
		}
	}
	if c.Output == "" {
		if c.Separate && !c.Follow {
			p.warn("--output-separately has no effect without -o/--output")
		}
		if c.Append {
			p.warn("-A/--output-append-mode has no effect without -o/--output")
		}
	}
	if p.statusFlags > 1 {
		p.warn("Only the last of -z/--successful-only/-Z/--failed-only options will take effect. " +
			"See status qualifier for more complex filters.")
	}
}
