package main

import (
	"bufio"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"culprit/internal/casefile"
	"culprit/internal/timeline"
)

// debugCommand holds what developers of culprit need; users never do.
func debugCommand() *cobra.Command {
	c := &cobra.Command{Use: "debug", Short: "look at the raw records of a case (for culprit's developers)", Hidden: true}
	thin := false
	events := &cobra.Command{
		Use:   "events CASE",
		Short: "print the records in their text form, which `culprit debug pack` reads",
		Args:  exactly(1, "one case"),
		RunE: func(c *cobra.Command, args []string) error {
			cf, err := casefile.Open(args[0])
			if err != nil {
				return err
			}
			defer cf.Close()
			events := cf.Events()
			if thin {
				t, err := timeline.Options{Whole: true}.Build(events)
				if err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
				events = thinned(events, t)
			}
			w := bufio.NewWriterSize(os.Stdout, 64<<10)
			defer w.Flush()
			return casefile.WriteText(w, events)
		},
	}
	events.Flags().BoolVar(&thin, "thin", false, "leave out what an interpreter's start-up is made of (docs/howto/add-a-cause.md)")
	c.AddCommand(events, &cobra.Command{
		Use:   "pack TEXT CASE",
		Short: "make a case from records in their text form",
		Args:  exactly(2, "a text file and the case to make"),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			events, err := casefile.ReadText(f)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			w, err := casefile.Create(args[1], casefile.Options{Culprit: version})
			if err != nil {
				return err
			}
			for _, e := range events {
				w.Put(e)
			}
			if err := w.Close(); err != nil {
				return err
			}
			d, err := diagnose(spoolOf(args[1]))
			if err != nil {
				return err
			}
			return d.save(args[1])
		},
	})
	return c
}
