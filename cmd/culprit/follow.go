package main

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"culprit/internal/dissect"
	"culprit/internal/timeline"
)

func followCommand() *cobra.Command {
	form := "text"
	c := &cobra.Command{
		Use:   "follow CASE [N]",
		Short: "print one conversation, decrypted; without N, list them",
		Long: `Prints what was said on connection N in the order in which the program sent and
received it: decrypted where the keys are known, else as it went over the wire.
Without N it lists the connections.

Exit status: 0, or 1 when the case can't be read to its end or has no such
connection.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usagef("`culprit follow` wants a case, and perhaps the number of a connection")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if form != "text" && form != "hex" && form != "raw" {
				return usagef("--as %q: it is text, hex or raw", form)
			}
			n := 0
			if len(args) == 2 {
				var err error
				if n, err = strconv.Atoi(args[1]); err != nil {
					return usagef("%q is no number of a connection: `culprit follow %s` lists them", args[1], args[0])
				}
			}
			cf, t, err := openTimeline(args[0])
			if err != nil {
				return err
			}
			defer cf.Close()
			w := bufio.NewWriterSize(os.Stdout, 64<<10)
			defer w.Flush()
			if len(args) == 1 {
				return cmp.Or(list(w, t), whole(cf))
			}
			for _, conn := range t.Conns {
				if conn.ID == n {
					return cmp.Or(follow(w, conn, form), whole(cf))
				}
			}
			return fmt.Errorf("%s has no connection %d: it has %d (`culprit follow %s` lists them)", args[0], n, len(t.Conns), args[0])
		},
	}
	c.Flags().StringVar(&form, "as", "text", "form of the bytes: text, hex or raw")
	return c
}

func list(w *bufio.Writer, t *timeline.Timeline) error {
	for _, c := range t.Conns {
		how := c.Plain
		if c.TLS != nil {
			how = c.TLS.Version
			if c.TLS.NoKeys != "" {
				how += " (not decrypted: " + c.TLS.NoKeys + ")"
			}
		}
		state := ""
		if c.Errno != 0 {
			state = c.Errno.Name()
		}
		fmt.Fprintf(w, "%3d  %-40s %10d sent %10d received  %s %s\n", c.ID, c.Peer(), c.Sent, c.Received, how, state)
		for _, x := range c.HTTP {
			if x.Request != nil {
				fmt.Fprintf(w, "       %s %s", x.Request.Method, x.URL)
				if x.Response != nil {
					fmt.Fprintf(w, " -> %d %s", x.Response.Status, x.Response.Reason)
				}
				fmt.Fprintln(w)
			}
		}
	}
	return nil
}

func follow(w *bufio.Writer, c *timeline.Conn, form string) error {
	dir := dissect.Dir(2)
	for _, s := range c.Plaintext() {
		if form == "raw" {
			w.Write(s.Data)
			continue
		}
		if s.Dir != dir || s.Unread {
			dir = s.Dir
			note := ""
			if s.Unread {
				note = " (never read by the program)"
			}
			mark := ">>> to "
			if dir == dissect.ToClient {
				mark = "<<< from "
			}
			fmt.Fprintf(w, "\n%s%s%s\n", mark, c.Peer(), note)
		}
		if form == "hex" {
			w.WriteString(hex.Dump(s.Data))
		} else {
			w.Write(printable(s.Data))
		}
		if s.Gap > 0 {
			fmt.Fprintf(w, "\n[%d bytes are not in the recording]\n", s.Gap)
		}
	}
	w.WriteByte('\n')
	return nil
}

// printable replaces what would play tricks on a terminal.
func printable(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		if c < ' ' && c != '\n' && c != '\t' || c >= 0x7f {
			c = '.'
		}
		out[i] = c
	}
	return out
}
