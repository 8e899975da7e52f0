package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"culprit/internal/event"
	"culprit/internal/timeline"
)

func showCommand() *cobra.Command {
	var asJSON, failed, frames bool
	c := &cobra.Command{
		Use:   "show CASE",
		Short: "print the timeline of a case: calls, signals, exceptions, messages",
		Long: `Prints what the three lenses saw in one order of time. Times count seconds from
the start of the run.

Exit status: 0, or 1 when the case can't be read to its end.`,
		Args: exactly(1, "one case"),
		RunE: func(c *cobra.Command, args []string) error {
			cf, t, err := openTimeline(args[0])
			if err != nil {
				return err
			}
			defer cf.Close()
			w := bufio.NewWriterSize(os.Stdout, 64<<10)
			defer w.Flush()
			enc := json.NewEncoder(w)
			enc.SetEscapeHTML(false)
			for _, m := range moments(t) {
				if failed && !m.Failed {
					continue
				}
				if asJSON {
					err = enc.Encode(m)
				} else {
					_, err = fmt.Fprintf(w, "%10.6f %-6s %6d %s\n", m.Time, m.Lens, m.TID, m.Text)
				}
				if err != nil {
					return err
				}
				if frames && !asJSON {
					m.printFrames(w)
				}
			}
			return whole(cf)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON lines")
	c.Flags().BoolVar(&frames, "frames", false, "with each exception its frames, innermost first, and their variables")
	c.Flags().BoolVar(&failed, "failed", false, "only what failed: calls with an error, exceptions, signals, error answers")
	return c
}

// moment is one row of the timeline.
type moment struct {
	Time   float64 `json:"time"` // seconds from the start
	Lens   string  `json:"lens"`
	Kind   string  `json:"kind"`
	PID    int32   `json:"pid,omitempty"`
	TID    int32   `json:"tid,omitempty"`
	Errno  string  `json:"errno,omitempty"`
	Conn   int     `json:"conn,omitempty"`
	Failed bool    `json:"failed,omitempty"`
	Text   string  `json:"text"`
	Frames []frame `json:"frames,omitempty"` // of an exception, innermost first

	at event.Time
}

// frame is a Python frame that an exception went through.
type frame struct {
	File   string  `json:"file"`
	Line   int     `json:"line"`
	Func   string  `json:"func"`
	Locals []local `json:"locals,omitempty"`
}

type local struct {
	Name string `json:"name"`
	Text string `json:"text"` // bounded, credentials masked
}

// printFrames writes the frames below the moment's own line.
func (m moment) printFrames(w *bufio.Writer) {
	for _, f := range m.Frames {
		fmt.Fprintf(w, "%24s %s:%d in %s\n", "", f.File, f.Line, f.Func)
		for _, l := range f.Locals {
			fmt.Fprintf(w, "%28s %s = %s\n", "", l.Name, l.Text)
		}
	}
}

func framesOf(e *timeline.Exception) []frame {
	var out []frame
	for _, f := range e.Stack {
		x := frame{File: f.File, Line: f.Line, Func: f.Func}
		for _, l := range f.Locals {
			x.Locals = append(x.Locals, local{l.Name, l.Text})
		}
		out = append(out, x)
	}
	return out
}

func moments(t *timeline.Timeline) []moment {
	var out []moment
	add := func(at event.Time, m moment) {
		m.at = at
		m.Time = float64(at-t.Start) / 1e9
		out = append(out, m)
	}
	for _, c := range t.Calls {
		m := moment{Lens: "kernel", Kind: "syscall", PID: c.Proc.PID, TID: c.TID, Text: c.Decode().String()}
		if e := c.Errno(); e != 0 {
			m.Errno, m.Failed = e.Name(), true
		}
		if c.Desc != nil && c.Desc.Conn != nil {
			m.Conn = c.Desc.Conn.ID
		}
		add(c.Enter, m)
	}
	for _, p := range t.Procs {
		for _, x := range p.Execs {
			add(x.Time, moment{Lens: "kernel", Kind: "exec", PID: p.PID, TID: p.PID, Text: "--- exec " + x.Exe + " " + strings.Join(x.Argv, " ") + " ---"})
		}
		for _, s := range p.Signals {
			add(s.Time, moment{Lens: "kernel", Kind: "signal", PID: p.PID, TID: s.TID, Failed: true, Text: "--- " + s.String() + " ---"})
		}
		for _, e := range p.Raised {
			o := e.Origin()
			add(e.Time, moment{Lens: "code", Kind: "exception", PID: p.PID, TID: e.TID, Failed: true, Frames: framesOf(e),
				Text: fmt.Sprintf("%s:%d %s: %s", o.File, o.Line, o.Func, e)})
		}
		if p.Ended {
			add(p.EndTime, moment{Lens: "kernel", Kind: "exit", PID: p.PID, TID: p.PID, Failed: p.Status != 0,
				Text: "+++ " + p.HowEnded() + " +++"})
		}
	}
	for _, c := range t.Conns {
		for _, x := range c.HTTP {
			if r := x.Request; r != nil {
				add(r.Head.First, moment{Lens: "wire", Kind: "http-request", PID: c.Proc.PID, TID: c.Proc.PID, Conn: c.ID,
					Text: fmt.Sprintf("[%d] %s %s", c.ID, r.Method, x.URL)})
			}
			if r := x.Response; r != nil {
				add(r.Head.First, moment{Lens: "wire", Kind: "http-response", PID: c.Proc.PID, TID: c.Proc.PID, Conn: c.ID, Failed: r.Status >= 400,
					Text: fmt.Sprintf("[%d] %d %s", c.ID, r.Status, r.Reason)})
			}
		}
	}
	for _, l := range t.Lookups {
		add(l.Time, moment{Lens: "wire", Kind: "dns", PID: l.Proc.PID, TID: l.Proc.PID, Failed: l.Rcode != "NOERROR",
			Text: fmt.Sprintf("DNS %s %s? to %s: %s %v", l.Type, l.Name, l.Server, cmp.Or(l.Rcode, "no answer"), l.Addrs)})
	}
	slices.SortStableFunc(out, func(x, y moment) int { return cmp.Compare(x.at, y.at) })
	return out
}
