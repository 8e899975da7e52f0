package main

import (
	"cmp"
	"os"

	"github.com/spf13/cobra"
)

func explainCommand() *cobra.Command {
	var asJSON, brief bool
	color := colorMode("auto")
	c := &cobra.Command{
		Use:   "explain CASE",
		Short: "explain a recorded case again, in full",
		Long: `Works out the diagnosis of a case anew and prints it with all its evidence, the
chain from the symptom to the cause, and the other candidates.

Exit status: 0, or 1 when the case can't be read to its end.`,
		Args: exactly(1, "one case"),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := diagnose(args[0])
			if err != nil {
				return err
			}
			defer d.c.Close()
			if asJSON {
				err = d.json(args[0]).Write(os.Stdout)
			} else {
				err = d.text(os.Stdout, color, "", !brief)
			}
			return cmp.Or(err, whole(d.c))
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	c.Flags().BoolVar(&brief, "brief", false, "print what `culprit run` printed")
	c.Flags().Var(&color, "color", "colour the text: auto, always or never")
	return c
}
