package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"culprit/internal/casefile"
	"culprit/internal/report"
	"culprit/internal/timeline"
)

func castCommand() *cobra.Command {
	var columns, rows int
	c := &cobra.Command{
		Use:   "cast CASE",
		Short: "print the program's terminal output as an asciicast, for asciinema play",
		Long: `Prints what the run put on its terminal, or wherever else its output went, with its times, in
the format of asciinema (asciicast v2). Writes that were longer than --snaplen of the recording
are cut, which is told on standard error.

Exit status: 0, or 1 when the case can't be read to its end.`,
		Example: "  culprit cast demo.pcapng > demo.cast",
		Args:    exactly(1, "one case"),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			cf, err := casefile.Open(args[0])
			if err != nil {
				return err
			}
			defer cf.Close()
			t, err := timeline.Options{Output: true}.Build(cf.Events())
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			w := bufio.NewWriter(os.Stdout)
			missing, err := report.Cast(w, t, columns, rows)
			if err := errors.Join(err, w.Flush()); err != nil {
				return err
			}
			if missing > 0 {
				fmt.Fprintf(os.Stderr, "culprit: %d bytes of the output were not recorded: record with a larger --snaplen\n", missing)
			}
			return whole(source{Case: cf})
		},
	}
	c.Flags().IntVar(&columns, "columns", 80, "width of the terminal to play it on")
	c.Flags().IntVar(&rows, "rows", 24, "height of the terminal to play it on")
	return c
}
