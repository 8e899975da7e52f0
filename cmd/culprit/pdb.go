package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"culprit/internal/pdb"
)

func pdbCommand() *cobra.Command {
	var first []string
	c := &cobra.Command{
		Use:   "pdb CASE",
		Short: "look at the recorded exceptions with pdb's commands",
		Long: `Opens pdb's prompt on a run that is over: frames, variables and source of every
recorded exception, caught ones too. It begins at the one that the diagnosis is
about, else at the last that nobody caught. Besides pdb's commands there are
exceptions, next-exception, previous-exception, and when (what the thread did at
that moment); help lists them all. Values can be looked at, not evaluated.

Commands come from -c, then from standard input; without a terminal there is no
prompt. An empty line repeats the last command.

Exit status: 0, or 1 when the case holds no exception or can't be read to its end.`,
		Example: "  culprit pdb case.pcapng -c w -c 'p locals()' -c q\n  echo when | culprit pdb case.pcapng",
		Args:    exactly(1, "one case"),
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := diagnose(args[0])
			if err != nil {
				return err
			}
			defer d.c.Close()
			w := bufio.NewWriter(os.Stdout)
			defer w.Flush()
			s, err := pdb.New(w, d.t, d.result.Verdict.Exception(d.t))
			if err != nil {
				return fmt.Errorf("%s: %w: `culprit explain %s` says in its coverage why", args[0], err, args[0])
			}
			for _, line := range first {
				if s.Run(line) {
					return whole(d.c)
				}
			}
			if err := prompt(w, s, os.Stdin); err != nil {
				return err
			}
			return whole(d.c)
		},
	}
	c.Flags().StringArrayVarP(&first, "command", "c", nil, "do this `CMD` first, as from the prompt; may be given again")
	return c
}

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
