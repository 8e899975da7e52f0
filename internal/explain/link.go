package explain

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"culprit/internal/event"
	"culprit/internal/timeline"
)

// Weights of the links, 0 to 1: how sure one link alone makes it that a trouble
// belongs to the symptom. docs/diagnosis.md gives the reasons.
const (
	wEnd       = 1.0  // the process's end itself: a fatal signal, a command that could not start
	wUncaught  = 1.0  // the exception ended the process
	wSaid      = 0.95 // the last words name the thing: path, host, status
	wRaised    = 0.95 // an exception tied to the end was made from it
	wWrapped   = 0.97 // per step from an exception to the one it was made for
	wText      = 0.75 // the last words hold the error's text but not the thing
	wCaught    = 0.7  // the last exception that the program's own code caught before it failed
	wExit      = 0.9  // sys.exit was called while the exception was being handled
	wStatus    = 0.9  // the program's exit status means this kind of trouble, by its manual
	wTraceback = 0.7  // a traceback on standard error of a process without the agent: any cause may lie behind it
	wLast      = 0.75 // the last trouble of its process, nothing but cleaning up after it
	wWire      = 0.5  // the last word from the network was a refusal, whatever came after
	wProbe     = 0.55 // the last trouble was a file that is not there: many are looked for and not needed
	wLimit     = 0.5  // what was asked for and what was in use pass a limit of the process
	wUnread    = 0.9  // an answer that lay unread when the connection broke
)

// threshold is the least weight that a verdict needs.
const threshold = 0.4

// judge works out a finding's weight and grade from its links and the share of
// the process in which it happened. Independent links add up as probabilities.
func (c *Case) judge(f *Finding) {
	if l, ok := statusLink(f); ok {
		f.Links = append(f.Links, l)
	}
	miss := 1.0
	for _, l := range f.Links {
		miss *= 1 - l.Weight
	}
	share := 1.0
	if f.Proc != nil {
		share = c.share[f.Proc]
	}
	f.weight = (1 - miss) * share * c.outlived(f)
	if f.shared {
		f.weight *= asGood
	}
	switch {
	case f.weight >= 0.9:
		f.Confidence = Certain
	case f.weight >= 0.7:
		f.Confidence = Likely
	default:
		f.Confidence = Possible
	}
}

// finals works out which exceptions belong to the end of a Python process: the
// uncaught one, those whose text was among the last words, the last one that
// the program's own code caught before it failed, and everything that these
// were made for.
func (c *Case) finals(p *timeline.Process) {
	if p.Python == nil {
		return
	}
	for _, e := range p.Raised {
		switch e.Final {
		case "excepthook":
			c.tie(e, Link{"uncaught", e.String(), wUncaught})
		case "thread", "logging", "unraisable", "asyncio":
			c.tie(e, Link{"reported", e.String(), wSaid})
		case "exit":
			if failed(p) {
				for _, from := range e.Wraps {
					c.tie(from, Link{"exit", e.String() + " while " + from.Name() + " was being handled", wExit})
				}
			}
		}
	}
	var caught *timeline.Exception
	for i := len(p.Raised) - 1; i >= 0; i-- {
		e := p.Raised[i]
		if e.Is("SystemExit") {
			continue
		}
		if len(e.Text) >= 6 {
			if l := c.said(firstLine(e.Text)); l != nil && l.Time >= e.Time {
				c.tie(e, Link{"said", l.Text, wSaid})
			}
		}
		if caught == nil && e.Handled != nil && !e.Late && c.ownCode(p, e.Handled.File) && len(becomes(e)) == 0 && !ordinary(e) {
			caught = e
		}
	}
	if caught != nil && (failed(p) || !p.Ended) {
		w := wCaught
		for n := c.aftermath(p, caught.Time); n > 0 && w > 0.05; n-- {
			w *= 0.8
		}
		c.tie(caught, Link{"caught", caught.String() + ", caught in " + frameOf(caught.Handled.Frame), w})
	}
}

// becomes lists the exceptions that were made for e; leaving the program is none.
func becomes(e *timeline.Exception) []*timeline.Exception {
	return slices.DeleteFunc(slices.Clone(e.Into), func(x *timeline.Exception) bool { return x.Is("SystemExit") })
}

// ordinary tells the exceptions that programs use to end loops and to probe.
func ordinary(e *timeline.Exception) bool {
	switch e.Name() {
	case "StopIteration", "StopAsyncIteration", "GeneratorExit", "CancelledError", "BlockingIOError", "InterruptedError":
		return true
	}
	return false
}

// ownCode tells the program's own code from the interpreter's and from the
// packages that it uses: code outside the library directories, or in the package
// that the program itself is.
func (c *Case) ownCode(p *timeline.Process, file string) bool {
	if !library(file) {
		return file != ""
	}
	own := c.ownPackage(p)
	return own != "" && packageOf(file) == own
}

// ownPackage is the installed package that a program's outermost frames lie in,
// "" for a plain script.
func (c *Case) ownPackage(p *timeline.Process) string {
	for _, e := range p.Raised {
		for i := len(e.Stack) - 1; i >= 0; i-- {
			f := e.Stack[i].File
			if f == "" || strings.HasPrefix(f, "<") {
				continue
			}
			if name := packageOf(f); name != "" {
				return name
			}
			if library(f) {
				break
			}
		}
	}
	return ""
}

// packageOf is the top package of a file below site-packages or dist-packages.
func packageOf(file string) string {
	for _, dir := range []string{"/site-packages/", "/dist-packages/"} {
		if _, rest, ok := strings.Cut(file, dir); ok {
			name, _, _ := strings.Cut(rest, "/")
			return strings.TrimSuffix(name, ".py")
		}
	}
	return ""
}

// tie links e, and what it was made for, to the end. A link that is already
// stronger stays.
func (c *Case) tie(e *timeline.Exception, l Link) {
	if c.final[e].Weight >= l.Weight {
		return
	}
	c.final[e] = l
	for _, from := range c.origins(e) {
		c.tie(from, Link{"wrapped", from.Name() + " became " + e.Name(), l.Weight * wWrapped})
	}
}

// origins lists the exceptions that e was made for: by cause and context, and,
// where neither was kept, those raised before it whose text it repeats.
func (c *Case) origins(e *timeline.Exception) []*timeline.Exception {
	if len(e.Wraps) > 0 {
		return e.Wraps
	}
	var out []*timeline.Exception
	for _, x := range e.Proc.Raised {
		if x != e && x.Time <= e.Time && len(x.Text) >= 8 && x.Type != e.Type &&
			strings.Contains(e.Text, firstLine(x.Text)) {
			out = append(out, x)
		}
	}
	return out
}

// madeFrom finds the call that an exception reports: the thread's newest failed
// call before the raise, with the errno that the exception carries if it
// carries one.
func (c *Case) madeFrom(e *timeline.Exception) *timeline.Call {
	errno := e.Attrs["errno"]
	calls := e.Proc.Calls
	for i := len(calls) - 1; i >= 0; i-- {
		call := calls[i]
		if call.TID != e.TID || call.Leave() > e.Time {
			continue
		}
		if e.Time-call.Leave() > 2e9 {
			break
		}
		x := call.Errno()
		switch {
		case x == 0:
			continue
		case errno == fmt.Sprint(uint32(x)) && namesPath(e, call):
			return call
		case e.Is("SSLError") && (x.Name() == "EPIPE" || x.Name() == "ECONNRESET"):
			return call
		case errno == "" && strings.Contains(e.Type, ".") && call.Path != "" && !asks(call) && e.Time-call.Leave() < 20e6:
			// A library in C (sqlite3, lxml) that failed on a file and made an
			// exception of its own, with nothing done in between.
			return call
		}
	}
	return nil
}

// namesPath reports whether an exception that carries a path carries the call's.
func namesPath(e *timeline.Exception, call *timeline.Call) bool {
	name := e.Attrs["filename"]
	return name == "" || call.Path == "" || path.Base(name) == path.Base(call.Path)
}

// execOf is the failed execve of a child that an exception reports: subprocess
// tells of it in the parent.
func (c *Case) execOf(e *timeline.Exception) *timeline.Call {
	if !e.Is("OSError") || e.Attrs["errno"] == "" {
		return nil
	}
	for _, k := range e.Proc.Kids {
		for _, call := range k.Calls {
			if call.Name() == "execve" && e.Attrs["errno"] == fmt.Sprint(uint32(call.Errno())) && call.Leave() <= e.Time && e.Time-call.Leave() < 5e9 && namesPath(e, call) {
				return call
			}
		}
	}
	return nil
}

// linkCall ties a failed call: through the exception made from it, through the
// last words, or as the last trouble of its process. names are what the words
// would call it by (a path, a host and port).
func (c *Case) linkCall(call *timeline.Call, names ...string) []Link {
	var links []Link
	if l, ok := c.raisedFrom(call); ok {
		links = append(links, l)
	}
	text := call.Errno().Text()
	line := c.saidAfter(call, names...)
	switch {
	case line != nil:
		links = append(links, Link{"said", line.Text, wSaid})
	default:
		if line = c.saidAfter(call, text); line != nil {
			links = append(links, Link{"error text", line.Text, wText})
		}
	}
	return links
}

// saidAfter is said restricted to words that the call can have caused: spoken
// after it.
func (c *Case) saidAfter(call *timeline.Call, needles ...string) *timeline.Line {
	if l := c.said(needles...); l != nil && l.Time >= call.Enter {
		return l
	}
	return nil
}

// raisedFrom finds the strongest tie to the end among the exceptions made from
// a call.
func (c *Case) raisedFrom(call *timeline.Call) (Link, bool) {
	var best Link
	for _, e := range c.tied() {
		l := c.final[e]
		if e.Proc == call.Proc && c.madeFrom(e) == call && l.Weight > best.Weight {
			best = Link{"raised", e.String(), l.Weight * wRaised}
		}
	}
	return best, best.Weight > 0
}

// linkConn ties a connection as a whole: whatever went wrong on it, and whoever
// it was that the last words speak of.
func (c *Case) linkConn(conn *timeline.Conn) []Link {
	var links []Link
	if conn.Failed != nil {
		links = append(links, c.linkCall(conn.Failed, address(conn)...)...)
	}
	if l, ok := c.raisedOn(conn); ok {
		links = append(links, l)
	}
	if len(links) == 0 {
		if l := c.said(address(conn)...); l != nil && l.Time >= conn.Opened {
			links = append(links, Link{"said", l.Text, wText})
		}
	}
	if c.lastConn(conn) && conn.Path == "" {
		at := conn.Opened
		if conn.Failed != nil {
			at = conn.Failed.Leave()
		} else if n := len(conn.Calls); n > 0 {
			at = conn.Calls[n-1].Leave()
		}
		links = append(links, c.linkLast(conn.Proc, at, wLast, wWire, "the last connection before the end")...)
	} else if conn.Path != "" && conn.Failed != nil && c.lastConn(conn) && !furniture(conn.Path) {
		links = append(links, c.linkLast(conn.Proc, conn.Failed.Leave(), wLast, 0, "the last connection before the end")...)
	}
	return links
}

// raisedOn finds the exception tied to the end that was raised while its thread
// worked on the connection.
func (c *Case) raisedOn(conn *timeline.Conn) (Link, bool) {
	var best Link
	for _, e := range c.tied() {
		l := c.final[e]
		if e.Proc == conn.Proc && l.Weight > best.Weight && networkish(e) && c.connOf(e) == conn {
			best = Link{"raised", e.String(), l.Weight * wRaised}
		}
	}
	return best, best.Weight > 0
}

// networkish tells the exceptions that report on a connection from the rest.
func networkish(e *timeline.Exception) bool {
	for _, base := range []string{"OSError", "HTTPException", "RequestException", "URLError", "HTTPError", "SMTPException", "ftplib.Error"} {
		if e.Is(base) {
			return true
		}
	}
	return false
}

// connOf is the connection on which a thread was working when it raised e.
func (c *Case) connOf(e *timeline.Exception) *timeline.Conn {
	calls := e.Proc.Calls
	for i := len(calls) - 1; i >= 0; i-- {
		call := calls[i]
		if call.TID != e.TID || call.Leave() > e.Time {
			continue
		}
		if e.Time-call.Leave() > 5e9 {
			break
		}
		if d := call.Desc; d != nil && d.Conn != nil && call.Name() != "close" {
			return d.Conn
		}
	}
	return nil
}

// lastConn reports whether no other connection of the process was opened after
// this one.
func (c *Case) lastConn(conn *timeline.Conn) bool {
	for _, o := range c.T.Conns {
		if o != conn && o.Proc == conn.Proc && o.Opened > conn.Opened && o.Stream() && (o.Remote.IsValid() || o.Errno == 0) {
			return false
		}
	}
	return conn.Stream()
}

// address lists what a message may call the remote end.
func address(conn *timeline.Conn) []string {
	var out []string
	if conn.Path != "" {
		return []string{conn.Path}
	}
	if conn.Name != "" {
		out = append(out, conn.Name)
	}
	if conn.Remote.IsValid() {
		out = append(out, conn.Remote.String(), conn.Remote.Addr().String(), fmt.Sprintf("port %d", conn.Remote.Port()))
	}
	return out
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// aftermath counts what a process and its later children achieved after a
// moment: files opened, connections made, programs started. Cleaning up and
// telling the user do not count. A trouble after which much was achieved was
// most likely coped with.
func (c *Case) aftermath(p *timeline.Process, at event.Time) int {
	n := 0
	for i := len(p.Calls) - 1; i >= 0 && p.Calls[i].Enter >= at; i-- {
		if call := p.Calls[i]; call.Raw.Ret >= 0 && call.Raw.Flags&event.Unfinished == 0 && achieves(call) {
			n++
		}
	}
	for _, k := range p.Kids {
		if k.Start > at {
			n++
		}
	}
	return n
}

func achieves(call *timeline.Call) bool {
	switch call.Name() {
	case "connect", "execve", "accept4", "accept":
		return true
	case "open", "openat", "openat2", "creat", "rename", "renameat", "renameat2", "mkdir":
		return !furniture(call.Path)
	}
	return false
}

// furniture tells the files that a program opens in order to speak or to end,
// not to do its work.
func furniture(path string) bool {
	for _, part := range []string{"/locale/", "/gconv", "/terminfo/", ".so", "/dev/null", "/dev/tty", "/proc/self/", "/zoneinfo/", "/etc/localtime", "/i18n/",
		"/nscd/", "/run/systemd/", "/var/lib/sss/", "locale.alias", "/locale-archive"} {
		if strings.Contains(path, part) {
			return true
		}
	}
	return false
}

// linkLast ties a trouble by what came after it: nothing, or so little that it
// may still be the reason. Trouble on the network, when it was the last word
// from there, keeps the weight wWire whatever the program did with it.
func (c *Case) linkLast(p *timeline.Process, at event.Time, w, floor float64, what string) []Link {
	for n := c.aftermath(p, at); n > 0 && w > 0.05; n-- {
		w *= 0.8
	}
	if w = max(w, floor); w < 0.1 {
		return nil
	}
	return []Link{{"last", what, w}}
}

// linkTold ties a trouble that a process told by itself. One that it went on
// after was a warning.
func (c *Case) linkTold(l *timeline.Line, w float64) Link {
	if n := c.aftermath(l.Proc, l.Time); n > 0 {
		w *= 0.5
		for ; n > 1 && w > 0.05; n-- {
			w *= 0.8
		}
	}
	return Link{"said", l.Text, w}
}
