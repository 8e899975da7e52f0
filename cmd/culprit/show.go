package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"culprit/internal/casefile"
	"culprit/internal/event"
	"culprit/internal/filter"
	"culprit/internal/rows"
	"culprit/internal/show"
	"culprit/internal/strace"
	"culprit/internal/timeline"
	"culprit/internal/wire"
)

// showOptions are the flags of `culprit show`.
type showOptions struct {
	json, failed, frames, describe bool
	listFields, summary, strace    bool
	typ, stats, objects            string
	fields, columns                []string
	keyLogs, straceArgs            []string
	pid                            int32
}

func showCommand() *cobra.Command {
	o := &showOptions{}
	c := &cobra.Command{
		Use:   "show CASE|CAPTURE [FILTER]",
		Short: "print the timeline of a case or capture: calls, signals, exceptions, messages",
		Long: `Prints what the three lenses saw in one order of time, or the rows of it that a
filter lets through. Times count seconds from the start of the run.

A filter is written as in Wireshark, and its fields have Wireshark's names where
Wireshark has them (docs/filter.md; --fields lists them):

    culprit show case.pcapng 'syscall.error == EPIPE || http.response.code >= 400'
    culprit show case.pcapng 'syscall == openat && syscall.path contains ".conf"'
    culprit show case.pcapng -T fields -e frame.time_relative -e http.request.full_uri http.request
    culprit show case.pcapng --summary 'process.name == nginx'
    culprit show case.pcapng --strace -- -f -tt -e trace=%network

Exit status: 0, 1 when the case can't be read to its end, or 2 when the filter is
wrong.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 && !o.listFields {
				return usagef("`%s` wants a case: see `%s --help`", c.CommandPath(), c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return o.run(c, args) },
	}
	f := c.Flags()
	keyLogFlag(c, &o.keyLogs)
	f.BoolVar(&o.json, "json", false, "print JSON lines, the arguments of calls named and typed")
	f.BoolVar(&o.frames, "frames", false, "with each exception its frames, innermost first, and their variables")
	f.BoolVar(&o.failed, "failed", false, "only what failed: calls with an error, exceptions, signals, error answers")
	f.Int32Var(&o.pid, "process", 0, "only the rows of the process with this `PID`")
	f.BoolVarP(&o.describe, "decode-fds", "y", false, "with a descriptor what it refers to: a file, both ends of a connection")
	f.StringVarP(&o.typ, "type", "T", "text", "`FORM` of the output: text, fields or json")
	f.StringArrayVarP(&o.fields, "field", "e", nil, "a `FIELD` to print with -T fields; may be repeated")
	f.StringArrayVarP(&o.columns, "columns", "E", nil, "`OPTION` of -T fields: header=y, separator=, aggregator=; quote=d occurrence=f")
	f.BoolVar(&o.summary, "summary", false, "count calls, errors and times, as strace -c does, with percentiles")
	f.BoolVar(&o.strace, "strace", false, "print what culprit strace would have printed; strace's options follow --")
	f.StringVar(&o.stats, "stats", "", "print a `TABLE`: conv, dns, http, or io,SECONDS")
	f.StringVar(&o.objects, "export-objects", "", "write the HTTP bodies to files in the folder `DIR`")
	f.BoolVar(&o.listFields, "fields", false, "list the fields that filters know; with a PREFIX in the place of the case, those that begin so")
	return c
}

func (o *showOptions) run(c *cobra.Command, args []string) error {
	w := bufio.NewWriterSize(os.Stdout, 64<<10)
	defer w.Flush()
	if o.listFields {
		return o.list(w, args)
	}
	columns, err := o.check(c)
	if err != nil {
		return err
	}
	if dash := c.ArgsLenAtDash(); dash >= 0 && o.strace {
		o.straceArgs, args = args[dash:], args[:dash]
		if dash == 0 {
			return usagef("the case stands before --, strace's options behind it")
		}
	}
	p, err := filter.Compile(rows.Fields(), strings.Join(args[1:], " "))
	if err != nil {
		return &exitError{2, err}
	}
	src, list, err := o.open(w, args[0], p, columns)
	if err != nil {
		return err
	}
	defer src.Close()
	if list != nil {
		err = o.write(w, list, columns)
	}
	for _, l := range src.Lacks() {
		fmt.Fprintf(os.Stderr, "culprit: %s: %s\n", args[0], l)
	}
	return errors.Join(err, w.Flush(), whole(src))
}

// check makes one thing of the flags that name a form.
func (o *showOptions) check(c *cobra.Command) (*show.Columns, error) {
	switch {
	case o.json && c.Flags().Changed("type") && o.typ != "json":
		return nil, usagef("--json and -T %s: which one?", o.typ)
	case o.json:
		o.typ = "json"
	case len(o.fields) > 0 && !c.Flags().Changed("type"):
		o.typ = "fields"
	}
	forms := 0
	for _, given := range []bool{o.summary, o.stats != "", o.objects != "", o.strace, o.typ != "text"} {
		if given {
			forms++
		}
	}
	switch {
	case o.typ != "text" && o.typ != "fields" && o.typ != "json":
		return nil, usagef("-T %s: it is text, fields or json", o.typ)
	case forms > 1:
		return nil, usagef("of --summary, --stats, --strace, --export-objects and -T only one can be")
	case o.typ == "fields" && len(o.fields) == 0:
		return nil, usagef("-T fields wants a field: -e NAME (`culprit show --fields` lists them)")
	case o.typ != "fields" && len(o.fields)+len(o.columns) > 0:
		return nil, usagef("-e and -E are for -T fields")
	}
	columns := &show.Columns{}
	for _, name := range o.fields {
		f, err := rows.Fields().Find(name)
		if err != nil {
			return nil, &exitError{2, err}
		}
		columns.Fields = append(columns.Fields, f)
	}
	for _, option := range o.columns {
		if err := columns.Set(option); err != nil {
			return nil, &exitError{2, err}
		}
	}
	return columns, nil
}

// open gives the rows of a case or capture that the filter and the flags let
// through. With --strace it prints the calls, and gives none.
func (o *showOptions) open(w *bufio.Writer, path string, p *filter.Program[rows.Row], columns *show.Columns) (source, show.Rows, error) {
	keep := func(r *rows.Row) bool {
		return (o.pid == 0 || r.PID == o.pid) && (!o.failed || r.Failed()) && p.Match(r)
	}
	cf, err := casefile.Open(path)
	src := source{Case: cf}
	switch {
	case notACase(err):
		src, list, e := o.capture(path, p, columns)
		if e != nil {
			return source{}, nil, either(err, e)
		}
		return src, only(list, keep), nil
	case err != nil:
		return source{}, nil, err
	case o.strace:
		return src, nil, o.replay(w, cf, keep)
	case o.alone(columns) && rows.Streams(p):
		debug.SetGCPercent(readGarbage)
		if o.summary {
			return src, only(rows.Scan(cf.Events(), p), keep), nil
		}
		return src, only(rows.Stream(cf.Events(), p), keep), nil
	}
	options := timeline.Options{Whole: true}
	if o.objects != "" {
		options.Body = maxObject
	}
	t, err := options.Build(cf.Events())
	if err != nil {
		return source{}, nil, errors.Join(fmt.Errorf("%s: %w", path, err), cf.Close())
	}
	return src, only(rows.All(t), keep), nil
}

// maxObject bounds an exported body, in bytes.
const maxObject = 256 << 20

// capture gives the rows of a capture as its packets come by.
func (o *showOptions) capture(path string, p *filter.Program[rows.Row], columns *show.Columns) (source, show.Rows, error) {
	if o.strace {
		return source{}, nil, usagef("--strace is for cases: a capture has no system calls")
	}
	stats, _, _ := strings.Cut(o.stats, ",")
	if stats == "http" || stats == "dns" { // what was answered is known at the end
		src, t, err := captureTimeline(path, o.keyLogs)
		if err != nil {
			return source{}, nil, err
		}
		return src, rows.All(t), nil
	}
	whole, options := o.objects != "" || !rows.Streamable(p, columns.Fields), wire.Options{Body: -1}
	if whole {
		options.Body = maxObject
	}
	walk, err := openCapture(path, o.keyLogs, options)
	if err != nil {
		return source{}, nil, err
	}
	src := source{walk: walk, stats: &walk.Stats, failed: new(error)}
	return src, rows.Capture(walk, p, whole, func(err error) { *src.failed = err }), nil
}

// alone reports whether the output needs nothing but calls and signals as they
// were recorded, no timeline.
func (o *showOptions) alone(columns *show.Columns) bool {
	for _, f := range columns.Fields {
		if f.Group == rows.Linked {
			return false
		}
	}
	return !o.describe && o.typ != "json" && o.stats == "" && o.objects == ""
}

// replay prints what culprit strace would have printed.
func (o *showOptions) replay(w *bufio.Writer, cf *casefile.Case, keep func(*rows.Row) bool) error {
	c, err := strace.ParseRecorded(o.straceArgs)
	if err != nil {
		return &exitError{2, err}
	}
	var events []event.Event
	for e, err := range cf.Events() {
		if err == nil { // the case says what it lacks
			events = append(events, e)
		}
	}
	t, err := timeline.Options{Whole: true}.Build(func(yield func(event.Event, error) bool) {
		for i := range events {
			if !yield(events[i], nil) {
				return
			}
		}
	})
	if err != nil {
		return fmt.Errorf("%s: %w", cf.Path(), err)
	}
	return show.Strace(w, c, t, slices.Values(events), keep)
}

func only(list show.Rows, keep func(*rows.Row) bool) show.Rows {
	return func(yield func(*rows.Row) bool) {
		for r := range list {
			if keep(r) && !yield(r) {
				return
			}
		}
	}
}

func (o *showOptions) write(w *bufio.Writer, list show.Rows, columns *show.Columns) error {
	text := rows.TextOptions{Descriptors: o.describe}
	switch {
	case o.summary:
		return show.Summary(w, list)
	case o.stats != "":
		if err := show.WriteStats(w, list, o.stats); err != nil {
			return &exitError{2, err}
		}
		return nil
	case o.objects != "":
		return exportObjects(w, list, o.objects)
	case o.typ == "fields":
		return columns.Write(w, list)
	case o.typ == "json":
		return show.JSON(w, list, text)
	}
	return show.Text(w, list, show.TextOptions{TextOptions: text, Frames: o.frames})
}

// list prints the fields whose names begin with a prefix.
func (o *showOptions) list(w *bufio.Writer, args []string) error {
	if len(args) > 1 {
		return usagef("--fields wants one prefix at most")
	}
	prefix := strings.Join(args, "")
	found := false
	for _, f := range rows.Fields().Fields() {
		if strings.HasPrefix(f.Name, prefix) {
			found = true
			fmt.Fprintf(w, "%-45s %-17s %s\n", f.Name, f.Type, f.Doc)
		}
	}
	if !found {
		_, err := rows.Fields().Find(prefix)
		return &exitError{2, err}
	}
	return nil
}
