package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"culprit/internal/casefile"
	"culprit/internal/pdb"
	"culprit/internal/pdb/live"
)

type pdbFlags struct {
	first      []string
	file       string
	module     bool
	python     string
	hasProgram bool // arguments come after --
}

func pdbCommand() *cobra.Command {
	var f pdbFlags
	c := &cobra.Command{
		Use:   "pdb CASE | pdb [-m] -- PROGRAM [ARG...]",
		Short: "pdb on the recorded exceptions of a run, or on a running program",
		Long: `With a CASE: pdb's prompt on a run that is over: frames, variables and source of
every recorded exception, caught ones too. It begins at the one that the
diagnosis is about, else at the last that nobody caught. Besides pdb's commands
there are exceptions, next-exception, previous-exception, and when (what the
thread did at that moment); help lists them all. Values can be looked at, not
evaluated. Commands come from -c, then from -x or standard input; without a
terminal there is no prompt. An empty line repeats the last command.

With a program after --: the pdb of the program's own Python (3.8 and later),
with its commands, its texts and .pdbrc, but the program keeps its input, output
and exit status. PROGRAM is a script (its name ends in .py, .pyw or .pyz, or it
is a directory) that --python runs, with -m a module; else a command, of
which the first Python program that comes up is debugged. Its children are not.
Besides pdb's breakpoints there are, with all that pdb can do with one,
  b raise NAME [if EXPR]           an exception is raised that except NAME catches,
                                   caught or not; EXPR is Python, exc the exception
  b syscall NAME|%CLASS [if COND]  a system call has returned: %network, %file,
                                   %desc; fields errno, ret, fd, path
  b open GLOB [if COND]            a file was opened, or not: the same fields
  b http COND                      the head of a request or answer went by, over
                                   TLS too: status, method, target, host
  b dns RCODE [if COND]            an answer has come (NXDOMAIN, ...): name, type
They stop in the line of Python that is responsible; COND is in the language of
the filters of culprit show. syscall and http print what it was.
A breakpoint works in all threads. The command run starts the whole program again.
Commands come from -c, then from -x or the controlling terminal, where pdb's
texts go too; with -x, or without a terminal, they go to standard error.

Exit status: of a CASE 0, or 1 when it holds no exception or can't be read to its
end; of a program its own (128+N when signal N ended it), 0 after quit.`,
		Example: "  culprit pdb case.pcapng -c w -c 'p locals()' -c q\n  culprit pdb -- script.py args\n  culprit pdb -c 'b syscall %network if errno == EPIPE' -c c -- asciinema upload x",
		Args: func(c *cobra.Command, args []string) error {
			if f.hasProgram = c.ArgsLenAtDash() == 0 && len(args) > 0; f.hasProgram {
				return nil
			}
			if f.module {
				return usagef("-m is for a program: culprit pdb -m -- MODULE [ARG...]")
			}
			return exactly(1, "one case, or -- and a program")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if f.hasProgram {
				return pdbLive(c, args, f)
			}
			return pdbCase(args[0], f)
		},
	}
	fl := c.Flags()
	fl.StringArrayVarP(&f.first, "command", "c", nil, "do this `CMD` first, as from the prompt; may be given again")
	fl.StringVarP(&f.file, "commands", "x", "", "take the commands from `FILE`")
	fl.BoolVarP(&f.module, "module", "m", false, "PROGRAM is the name of a module")
	fl.StringVar(&f.python, "python", "python3", "`PYTHON` that runs a script or module")
	return c
}

// pdbCase is the prompt on a run that is over.
func pdbCase(name string, f pdbFlags) error {
	d, err := diagnose(name)
	if errors.Is(err, casefile.ErrNotACase) {
		return fmt.Errorf("%w (to debug a program: `culprit pdb -- %s`)", err, name)
	}
	if err != nil {
		return err
	}
	defer d.c.Close()
	in := os.Stdin
	if f.file != "" {
		if in, err = os.Open(f.file); err != nil {
			return fmt.Errorf("read the commands: %w", err)
		}
		defer in.Close()
	}
	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	s, err := pdb.New(w, d.t, d.result.Verdict.Exception(d.t))
	if err != nil {
		return fmt.Errorf("%s: %w: `culprit explain %s` says in its coverage why", name, err, name)
	}
	for _, line := range f.first {
		if s.Run(line) {
			return whole(d.c)
		}
	}
	if err := prompt(w, s, in); err != nil {
		return err
	}
	return whole(d.c)
}

// pdbLive debugs a program.
func pdbLive(c *cobra.Command, args []string, f pdbFlags) error {
	o := live.Options{Argv: pdbArgv(args, f), Env: os.Environ(), Commands: f.first, Out: os.Stderr}
	var err error
	if o.Path, err = exec.LookPath(o.Argv[0]); err != nil && !errors.Is(err, exec.ErrDot) {
		return &exitError{127, fmt.Errorf("find %s: %w", o.Argv[0], err)}
	}
	tty, noTTY := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if noTTY == nil {
		defer tty.Close()
	}
	switch {
	case f.file != "":
		file, err := os.Open(f.file)
		if err != nil {
			return fmt.Errorf("read the commands: %w", err)
		}
		defer file.Close()
		o.Input = live.Script(file, os.Stderr)
	case noTTY == nil:
		o.Input, o.Out = live.NewConsole(tty), tty
	case len(f.first) > 0:
		o.Input = live.Script(eof{}, os.Stderr)
	default:
		return usagef("there is no terminal to ask for commands (%v): give them with -x FILE or -c CMD", noTTY)
	}
	// What is typed in a terminal reaches the program too, and is for it.
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGQUIT)
	r, err := live.Run(c.Context(), o)
	if err != nil {
		if r.Status != 0 {
			err = fmt.Errorf("%w; its wait status was %#x", err, uint32(r.Status))
		}
		return err
	}
	switch st := r.Status; {
	case r.Quit:
		return nil
	case st.Signaled():
		fmt.Fprintf(o.Out, "The program was ended by %v\n", st.Signal())
		return &exitError{code: 128 + int(st.Signal())}
	case st.ExitStatus() != 0:
		return &exitError{code: st.ExitStatus()}
	}
	return nil
}

// pdbArgv is the command line of what comes after --.
func pdbArgv(args []string, f pdbFlags) []string {
	st, err := os.Stat(args[0])
	switch ext := filepath.Ext(args[0]); {
	case f.module:
		return append([]string{f.python, "-m"}, args...)
	case ext == ".py" || ext == ".pyw" || ext == ".pyz" || err == nil && st.IsDir():
		return append([]string{f.python}, args...)
	}
	return args
}

// eof has no bytes.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// prompt does the commands of a file or terminal until one ends the session.
func prompt(w *bufio.Writer, s *pdb.Session, in *os.File) error {
	asks := terminal(in)
	r := bufio.NewReader(in)
	for {
		if asks {
			fmt.Fprint(w, "(culprit-pdb) ")
		}
		if err := w.Flush(); err != nil {
			return err
		}
		line, err := r.ReadString('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("read the commands: %w", err)
		}
		if err == io.EOF && line == "" {
			if asks {
				fmt.Fprintln(w)
			}
			return w.Flush()
		}
		if s.Run(line) {
			return w.Flush()
		}
	}
}
