package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"culprit/internal/explain"
)

// TextOptions say how the text form looks.
type TextOptions struct {
	Color bool
	Width int    // columns; 0: 110
	Case  string // path of the saved case, "" when none was kept
	Full  bool   // all evidence, the chain and the other candidates
}

// maxProof is how much evidence the short form shows.
const maxProof = 6

// Text writes the verdict as one paragraph with its proof.
func Text(w io.Writer, r explain.Result, o TextOptions) error {
	if o.Width <= 0 {
		o.Width = 110
	}
	p := printer{w: w, o: o}
	f, t := r.Verdict, r.Case.T
	if o.Full || len(t.Attached()) > 0 {
		p.threads(r.Case.Threads())
	}
	grade := ""
	if f.Confidence != explain.Certain {
		grade = fmt.Sprintf(" (%s)", f.Confidence)
	}
	p.line(p.bold("culprit: ") + p.title(f) + grade)
	p.field("why", f.Why)
	p.field("where", f.Where)
	for i, who := range Who(t, f) {
		label := "who"
		if i > 0 {
			label = ""
		}
		p.field(label, who)
	}
	evidence := f.Evidence
	if !o.Full && len(evidence) > maxProof {
		// The first piece is where it began, the last ones are what was seen of it.
		evidence = append(evidence[:2:2], evidence[len(evidence)-maxProof+2:]...)
	}
	for i, e := range evidence {
		label := "proof"
		if i > 0 {
			label = ""
		}
		p.field(label, fmt.Sprintf("+%.3f  %-6s  %s", seconds(t, e.Time), e.Lens, e.Text))
	}
	if o.Full {
		for i, l := range f.Links {
			label := "chain"
			if i > 0 {
				label = ""
			}
			p.field(label, fmt.Sprintf("%s (%.2f): %s", l.Kind, l.Weight, l.Text))
		}
		for i, x := range r.Findings {
			label := "also"
			if i > 0 {
				label = ""
			}
			p.field(label, fmt.Sprintf("%s (%s, %s)", x.Title, x.Cause, x.Confidence))
		}
	}
	if a := against(r); a != nil {
		for i, x := range a.Lines() {
			label := ""
			if i == 0 {
				label = "differs"
			}
			p.field(label, fmt.Sprintf("%-6s  %s", x.Label, x.Text))
		}
	}
	if len(f.Next) > 0 {
		p.field("next", strings.Join(f.Next, "; or "))
	}
	for i, c := range Caveats(t) {
		label := "note"
		if i > 0 {
			label = ""
		}
		p.field(label, c)
	}
	if o.Case != "" {
		p.line("case saved: " + o.Case + "   (`culprit show`, `culprit follow`; Wireshark opens it decrypted)")
	}
	return p.err
}

type printer struct {
	w   io.Writer
	o   TextOptions
	err error
}

func (p *printer) line(s string) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, s)
	}
}

const indent = 9 // two blanks, the label, a blank

// field prints a labelled text, wrapped under itself.
func (p *printer) field(label, text string) {
	if text == "" {
		return
	}
	room := max(p.o.Width-indent, 40)
	for i, l := range wrap(text, room) {
		if i > 0 {
			label = ""
		}
		p.line("  " + p.dim(fmt.Sprintf("%-6s", label)) + " " + l)
	}
}

// wrap breaks a text at blanks into lines of at most room columns.
func wrap(text string, room int) []string {
	var out []string
	for utf8.RuneCountInString(text) > room {
		cut := -1
		for i, n := 0, 0; i < len(text) && n <= room; n++ {
			_, size := utf8.DecodeRuneInString(text[i:])
			if text[i] == ' ' && i > 0 {
				cut = i
			}
			i += size
		}
		if cut < 0 { // one long word
			if cut = strings.IndexByte(text[1:], ' ') + 1; cut == 0 {
				break
			}
		}
		out = append(out, strings.TrimRight(text[:cut], " "))
		text = strings.TrimLeft(text[cut:], " ")
	}
	return append(out, text)
}

func (p *printer) title(f explain.Finding) string {
	switch f.Cause {
	case "ok":
		return p.paint("32", f.Title)
	case "unknown":
		return p.paint("33", f.Title)
	}
	return p.paint("1;31", f.Title)
}

func (p *printer) bold(s string) string { return p.paint("1", s) }
func (p *printer) dim(s string) string  { return p.paint("2", s) }

func (p *printer) paint(sgr, s string) string {
	if !p.o.Color || s == "" {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}
