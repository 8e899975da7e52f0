package main

import (
	"cmp"
	"os"

	"github.com/spf13/cobra"
)

func explainCommand() *cobra.Command {
	var asJSON, brief, asMarkdown, asHTML bool
	var keyLogs []string
	var good string
	color := colorMode("auto")
	c := &cobra.Command{
		Use:   "explain CASE|CAPTURE",
		Short: "explain a recorded case again, in full; or a capture of packets",
		Long: `Works out the diagnosis of a case anew and prints it with all its evidence, the
chain from the symptom to the cause, and the other candidates.

A capture (pcap or pcapng, also compressed by gzip or zstd) is explained from its
conversations alone; --keylog names the files with its TLS keys, those inside it
count too.

With --against the case is set beside that of another run of the same command
which worked. What both runs have is no trouble; where they part is shown for
each lens, without what differs between any two runs (process numbers, times,
addresses, random names), and weighs in the verdict.

Exit status: 0, or 1 when the file can't be read to its end.`,
		Args: exactly(1, "one case or capture"),
		RunE: func(c *cobra.Command, args []string) error {
			forms := 0
			for _, name := range []string{"json", "markdown", "html", "brief"} {
				if c.Flags().Changed(name) {
					forms++
				}
			}
			if forms > 1 {
				return usagef("of --json, --markdown, --html and --brief one at a time")
			}
			d, err := diagnoseAgainst(args[0], good, keyLogs...)
			if err != nil {
				return err
			}
			defer d.c.Close()
			switch {
			case asJSON:
				err = d.json(args[0]).Write(os.Stdout)
			case asMarkdown:
				err = d.json(args[0]).Markdown(os.Stdout)
			case asHTML:
				err = d.json(args[0]).HTML(os.Stdout)
			default:
				err = d.text(os.Stdout, color, "", !brief)
			}
			return cmp.Or(err, whole(d.c))
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	c.Flags().BoolVar(&asMarkdown, "markdown", false, "print the report as Markdown, for a bug tracker")
	c.Flags().BoolVar(&asHTML, "html", false, "print the report as one HTML page")
	c.Flags().BoolVar(&brief, "brief", false, "print what `culprit run` printed")
	c.Flags().StringVar(&good, "against", "", "case of a run of the same command that worked")
	keyLogFlag(c, &keyLogs)
	c.Flags().Var(&color, "color", "colour the text: auto, always or never")
	return c
}

// keyLogFlag adds --keylog to a command that reads captures.
func keyLogFlag(c *cobra.Command, paths *[]string) {
	c.Flags().StringArrayVar(paths, "keylog", nil, "file of TLS keys in the format of SSLKEYLOGFILE, for a capture; may be given more than once")
}
