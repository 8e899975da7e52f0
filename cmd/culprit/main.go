// Command culprit answers one question: why did this program fail?
//
// It records one run through three lenses (system calls, Python, decrypted
// traffic), joins what they saw, and walks back from the symptom to the root.
// This package is the only place of culprit that prints, reads the environment
// and exits; everything else is in internal.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// version is the release, set by the release build with -ldflags.
var version = "0.1-dev"

// exitError carries an exit status through cobra. An empty text prints nothing.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &exitError{2, fmt.Errorf(format, args...)}
}

func main() { os.Exit(Main()) }

// Main runs the command line and returns the exit status: 0, 1 for a failure, 2
// for wrong usage; `run` returns the traced program's own.
func Main() int {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case betweenCommand:
			return straceBetween(os.Args[0], os.Args[2:])
		case daemonCommand:
			return straceDaemonized(os.Args[0], os.Args[2:])
		}
	}
	if filepath.Base(os.Args[0]) == "strace" {
		return straceMain(os.Args[0], os.Args[1:], 0)
	}
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case recorderCommand:
			return recorder()
		case demoClient:
			return runDemoClient(os.Args[2:])
		}
	}
	err := root().ExecuteContext(context.Background())
	if err == nil {
		return 0
	}
	code := 1
	var e *exitError
	if errors.As(err, &e) {
		code = e.code
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(os.Stderr, "culprit: "+text)
		for _, h := range hints(err) {
			fmt.Fprintln(os.Stderr, "hint: "+h)
		}
	}
	return code
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "culprit",
		Short: "why did this program fail?",
		Long: `culprit records one run of a program (system calls, Python exceptions, decrypted
traffic), joins what it saw, and explains why the program failed.

    culprit run -- asciinema upload demo.cast`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q: `culprit run -- %s` records and explains it", args[0], args[0])
			}
			return c.Help()
		},
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exitError{2, err} })
	c.AddCommand(
		runCommand(), attachCommand(), explainCommand(), showCommand(), followCommand(),
		straceCommand(), tcpdumpCommand(), ownerCommand(), replayCommand(), curlCommand(), nslookupCommand(), pdbCommand(), castCommand(),
		demoCommand(), doctorCommand(), debugCommand(),
	)
	return c
}

// exactly is cobra.ExactArgs with status 2 and a message that names what is
// missing.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("`%s` wants %s: see `%s --help`", c.CommandPath(), what, c.CommandPath())
		}
		return nil
	}
}
