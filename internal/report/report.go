// Package report shows a diagnosis: as text, Markdown or HTML for people and as the JSON contract
// culprit.report/1 for programs. It holds no logic of its own.
package report

import (
	"encoding/json"
	"io"
	"math"
	"time"

	"culprit/internal/event"
	"culprit/internal/explain"
	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

// Schema names the contract of the JSON form. Fields are only ever added.
const Schema = "culprit.report/1"

// JSON is the report of one run.
type JSON struct {
	Schema   string                    `json:"schema"`
	Command  []string                  `json:"command"`
	Exit     Exit                      `json:"exit"`
	Verdict  Finding                   `json:"verdict"`
	Findings []Finding                 `json:"findings"`
	Against  *Against                  `json:"against,omitempty"`
	Threads  []Thread                  `json:"threads,omitempty"`
	Coverage map[string]map[string]any `json:"coverage"`
	Case     string                    `json:"case,omitempty"`
}

// Exit is how the command ended: a code, or the signal that ended it.
type Exit struct {
	Code    *int   `json:"code,omitempty"`
	Signal  string `json:"signal,omitempty"`
	Timeout bool   `json:"timeout,omitempty"` // culprit ended it after --timeout
}

// Finding is a verdict or another candidate.
type Finding struct {
	Cause      string         `json:"cause"`
	Title      string         `json:"title"`
	Confidence string         `json:"confidence"`
	Side       string         `json:"side"`
	Why        string         `json:"why,omitempty"`
	Where      string         `json:"where,omitempty"`
	Who        []string       `json:"who,omitempty"`
	Facts      map[string]any `json:"facts"`
	Evidence   []Evidence     `json:"evidence"`
	Chain      []Link         `json:"chain,omitempty"`
	Next       []string       `json:"next"`
}

// Thread is what a thread did when it was looked at.
type Thread struct {
	PID   int32    `json:"pid"`
	TID   int32    `json:"tid"`
	Name  string   `json:"name,omitempty"`
	State string   `json:"state"`
	Call  string   `json:"call,omitempty"`
	For   float64  `json:"for"` // seconds that it had done so, at least
	Used  *float64 `json:"processor,omitempty"`
	Waits []string `json:"waits_for"`
	Stack []Frame  `json:"stack,omitempty"` // innermost first

	Native []NativeFrame `json:"native,omitempty"` // innermost first
}

// NativeFrame is a place in native code.
type NativeFrame struct {
	Object string `json:"object"`  // file
	Addr   uint64 `json:"address"` // as the object's own tables have it
	Func   string `json:"func,omitempty"`
	Offset uint64 `json:"offset"` // in Func
	Build  string `json:"build_id,omitempty"`
}

// Frame is a place in an interpreted program.
type Frame struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Func string `json:"func"`
	// Locals are the arguments and other local variables, in that order, where
	// they were read.
	Locals []Local `json:"locals,omitempty"`
}

// Local is a variable of a frame, its value as bounded text without secrets.
type Local struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Text string `json:"text"`
}

// Evidence is one thing seen; Time counts seconds from the start of the run.
type Evidence struct {
	Lens string  `json:"lens"`
	Time float64 `json:"time"`
	Text string  `json:"text"`
}

// Link is one tie of the chain from the symptom to the finding.
type Link struct {
	Kind   string  `json:"kind"`
	Text   string  `json:"text"`
	Weight float64 `json:"weight"`
}

// New makes the report of a diagnosis. casePath may be empty.
func New(r explain.Result, casePath string) JSON {
	t := r.Case.T
	out := JSON{
		Schema: Schema, Command: t.Header.Command, Exit: ExitOf(t), Case: casePath,
		Verdict: finding(t, r.Verdict), Findings: []Finding{}, Coverage: Coverage(t), Against: against(r),
	}
	if out.Command == nil { // of a capture
		out.Command = []string{}
	}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, finding(t, f))
	}
	for _, x := range r.Case.Threads() {
		out.Threads = append(out.Threads, thread(x))
	}
	return out
}

// Write writes the report as indented JSON.
func (j JSON) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(j)
}

// ExitOf reads the command's end off the timeline. It is empty when the
// recording was cut off.
func ExitOf(t *timeline.Timeline) Exit {
	if t.End == nil {
		return Exit{}
	}
	e := Exit{Timeout: t.End.Timeout}
	if sig := t.End.Status & 0x7f; sig != 0 {
		e.Signal = sysabi.SignalName(int(sig))
	} else {
		code := int(t.End.Status >> 8 & 0xff)
		e.Code = &code
	}
	return e
}

func finding(t *timeline.Timeline, f explain.Finding) Finding {
	out := Finding{
		Cause: f.Cause, Title: f.Title, Confidence: string(f.Confidence), Side: string(f.Side),
		Why: f.Why, Where: f.Where, Who: Who(t, f), Facts: map[string]any{}, Evidence: []Evidence{}, Next: f.Next,
	}
	if out.Next == nil {
		out.Next = []string{}
	}
	for _, x := range f.Facts {
		out.Facts[x.Name] = x.Value
	}
	for _, x := range f.Evidence {
		out.Evidence = append(out.Evidence, Evidence{x.Lens, seconds(t, x.Time), x.Text})
	}
	for _, l := range f.Links {
		out.Chain = append(out.Chain, Link{l.Kind, l.Text, l.Weight})
	}
	return out
}

func thread(x explain.Thread) Thread {
	out := Thread{PID: x.Proc.PID, TID: x.TID, Name: x.Name, State: x.State, Call: x.Call, For: x.For.Round(time.Millisecond).Seconds(), Waits: x.Waits}
	if out.Waits == nil {
		out.Waits = []string{}
	}
	if x.Used >= 0 {
		used := math.Round(x.Used*1000) / 1000
		out.Used = &used
	}
	for _, f := range x.Stack {
		x := Frame{File: f.File, Line: f.Line, Func: f.Func}
		for _, l := range f.Locals {
			x.Locals = append(x.Locals, Local{l.Name, l.Kind, l.Text})
		}
		out.Stack = append(out.Stack, x)
	}
	for _, f := range x.Native {
		out.Native = append(out.Native, NativeFrame{f.Object, f.Addr, f.Function, f.Offset, f.Build})
	}
	return out
}

func seconds(t *timeline.Timeline, at event.Time) float64 {
	// Milliseconds tell events apart well enough, and read well.
	return float64((at-t.Start)/1e6) / 1e3
}
