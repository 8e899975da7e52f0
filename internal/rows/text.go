package rows

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"culprit/internal/dissect"
	"culprit/internal/dissect/quic"
	"culprit/internal/dissect/websocket"
	"culprit/internal/sysabi"
	"culprit/internal/timeline"
)

// TextOptions say how rows are written.
type TextOptions struct {
	Calls       sysabi.Options
	Descriptors bool // behind a descriptor what it refers to, as strace -yy
}

// AppendLine appends the row's line: time, lens, thread, what it says.
func (r *Row) AppendLine(b []byte, o TextOptions) []byte {
	b = fmt.Appendf(b, "%10.6f %-6s %6d ", r.Seconds(), r.Kind.Lens(), r.TID)
	if r.Call != nil { // clean already
		b = r.Append(b, o)
		if f, ok := timeline.Own(r.stack()); ok {
			b = AppendClean(b, fmt.Sprintf("  at %s:%d in %s", path.Base(f.File), f.Line, f.Func))
		}
		return append(b, '\n')
	}
	return append(AppendClean(b, string(r.Append(nil, o))), '\n')
}

// stack is where the Python code stood that made the row's call, nil when that
// is not known.
func (r *Row) stack() []timeline.Frame {
	switch {
	case r.Call == nil:
		return nil
	case r.Call.Stack == nil && r.run != nil && r.Call.Raw != nil:
		return r.run.stacks[r.Call.Raw.Stack]
	}
	return r.Call.Stack
}

// Append appends what a row says, without its time.
func (r *Row) Append(b []byte, o TextOptions) []byte {
	id := 0
	if r.Conn != nil {
		id = r.Conn.ID
	}
	switch r.Kind {
	case Syscall:
		calls := o.Calls
		if o.Descriptors {
			calls.FD = r.Describe
		}
		calls.Netlink = r.Netlink()
		return r.Decoded().Append(b, calls)
	case Exec:
		return fmt.Appendf(b, "--- exec %s %s ---", r.Exec.Exe, strings.Join(r.Exec.Argv, " "))
	case Signal:
		return fmt.Appendf(b, "--- %s ---", r.Signal.Siginfo)
	case Native:
		return fmt.Appendf(b, "--- in %s ---", r.Native)
	case Exit:
		return fmt.Appendf(b, "+++ %s +++", (&timeline.Process{Status: r.Status}).HowEnded())
	case Exception:
		f := r.Exception.Origin()
		return fmt.Appendf(b, "%s:%d %s: %s", f.File, f.Line, f.Func, r.Exception)
	case Request:
		return fmt.Appendf(b, "[%d] %s %s", id, r.HTTP.Method, r.Exchange.URL)
	case Response:
		b = fmt.Appendf(b, "[%d] %s", id, r.HTTP.Result())
		if code, text, ok := status(r); ok { // as far as it is known
			b = fmt.Appendf(b, ", gRPC %v", code)
			if text != "" {
				b = fmt.Appendf(b, ": %s", text)
			}
		}
		return b
	case Query:
		l := r.Lookup
		b = fmt.Appendf(b, "DNS %s %s? to %s", l.Type, l.Name, l.Server)
		if !l.Answered {
			b = append(b, ": no answer"...)
		}
		return b
	case Answer:
		return fmt.Appendf(b, "DNS %s %s: %s %v", r.Lookup.Type, r.Lookup.Name, r.Lookup.Rcode, r.Lookup.Addrs)
	case QUICPacket:
		return appendQUIC(b, r.QUIC, id)
	case QUICClose:
		b = fmt.Appendf(b, "[%d] QUIC CONNECTION_CLOSE %s", id, r.Close.Name())
		if r.Close.Reason != "" {
			b = fmt.Appendf(b, ": %s", r.Close.Reason)
		}
		return b
	case Reset:
		x := r.Control.Reset
		b = fmt.Appendf(b, "[%d] HTTP/2 stream %d reset: %v", id, x.Stream, x.Code)
		if x.Request != nil {
			b = fmt.Appendf(b, " (%s %s)", x.Request.Method, x.Request.Target)
		}
		return b
	case GoAway:
		x := r.Control.GoAway
		b = fmt.Appendf(b, "[%d] HTTP/2 GOAWAY after stream %d: %v", id, x.Last, x.Code)
		if x.Debug != "" {
			b = fmt.Appendf(b, " %q", x.Debug)
		}
		return b
	case WebSocket:
		return r.appendFrame(b, id)
	case Alert:
		return r.appendAlert(b, id)
	case Packet:
		return appendPacket(b, r.Packet)
	}
	return r.appendHandshake(b, id)
}

func (r *Row) appendAlert(b []byte, id int) []byte {
	name, side := r.Alert.Name, "server"
	if name == "" {
		name = "that was not decrypted"
	}
	if r.Alert.Dir == dissect.ToServer {
		side = "client"
	}
	b = fmt.Appendf(b, "[%d] TLS alert %s", id, name)
	if r.Alert.Fatal {
		b = append(b, " (fatal)"...)
	}
	return append(append(b, " from the "...), side...)
}

func appendQUIC(b []byte, p *quic.Packet, id int) []byte {
	b = fmt.Appendf(b, "[%d] QUIC", id)
	if p.Version != 0 {
		b = fmt.Appendf(b, " %v", p.Version)
	}
	b = fmt.Appendf(b, " %v", p.Type)
	switch {
	case p.Type == quic.VersionNegotiation:
		b = fmt.Appendf(b, " %v", p.Supported)
	case p.Type == quic.Retry:
	case p.Opened:
		b = fmt.Appendf(b, " %d", p.Number)
	}
	if p.Why != "" {
		b = fmt.Appendf(b, " (%s)", p.Why)
	}
	return b
}

func (r *Row) appendFrame(b []byte, id int) []byte {
	f := r.Frame
	b = fmt.Appendf(b, "[%d] WebSocket %v", id, f.Opcode)
	switch {
	case f.Opcode == websocket.Close && f.Code != 0:
		b = fmt.Appendf(b, " %d", f.Code)
		if name := f.Code.String(); name != "" {
			b = fmt.Appendf(b, " (%s)", name)
		}
		if f.Reason != "" {
			b = fmt.Appendf(b, ": %s", f.Reason)
		}
	case f.Message != nil && f.Message.Opcode == websocket.Text && f.Message.Data != nil:
		b = fmt.Appendf(b, ": %s", f.Message.Data[:min(len(f.Message.Data), maxShown)])
	case len(f.Data) == 0:
		b = fmt.Appendf(b, ", %d bytes", f.Length)
	}
	if !f.Complete {
		b = fmt.Appendf(b, " (cut short: %s)", f.Why)
	}
	return b
}

// maxShown is how much of a text message a row's line has, in bytes.
const maxShown = 200

func (r *Row) appendHandshake(b []byte, id int) []byte {
	b = fmt.Appendf(b, "[%d] TLS ", id)
	switch {
	case r.Hello != nil:
		b = append(b, "client hello"...)
		if r.Hello.ServerName != "" {
			b = append(append(b, " to "...), r.Hello.ServerName...)
		}
		if len(r.Hello.ALPN) > 0 {
			b = fmt.Appendf(b, ", ALPN %s", strings.Join(r.Hello.ALPN, " "))
		}
	case r.ServHello != nil:
		b = fmt.Appendf(b, "server hello: %s, %s", r.ServHello.Version, r.ServHello.Suite)
	default:
		c := &r.Chain[0]
		b = fmt.Appendf(b, "certificate of %s, from %s", c.Subject, c.Issuer)
		if !c.NotAfter.IsZero() {
			b = fmt.Appendf(b, ", valid to %s", c.NotAfter.Format("2006-01-02"))
		}
	}
	return b
}

// Describe appends what a descriptor of the row's call refers to, in the angle
// brackets of strace -y and -yy. Only the descriptor that the call works on is
// known, and the one that it returned.
func (r *Row) Describe(b []byte, fd int64) []byte {
	d := r.Call.Desc
	if d == nil {
		return b
	}
	name := r.Decoded().Name
	own := name != "accept" && name != "accept4" && int64(r.Decoded().FD()) == fd
	if !own && fd != r.Call.Raw.Ret {
		return b
	}
	text := descText(d)
	if text == "" {
		return b
	}
	return append(append(append(b, '<'), text...), '>')
}

// Netlink returns a hook for sysabi.Options that says of which protocol of netlink
// the socket is that the row's call works on; nil when it is none.
func (r *Row) Netlink() func(fd int64) int {
	protocol := r.Call.Desc.Netlink()
	if protocol == sysabi.NotNetlink {
		return nil
	}
	return func(int64) int { return protocol }
}

func descText(d *timeline.Desc) string {
	c := d.Conn
	switch {
	case d.Path != "":
		return angled(d.Path)
	case c == nil || d.Kind != timeline.DescSocket:
		return angled(d.Link)
	case c.Remote.IsValid():
		proto := "UDP"
		if c.Type == sockStream {
			proto = "TCP"
		}
		remote := unmapped(c.Remote)
		if remote.Addr().Is6() {
			proto += "v6"
		}
		if c.Local.IsValid() {
			return fmt.Sprintf("%s:[%s->%s]", proto, unmapped(c.Local), remote)
		}
		return fmt.Sprintf("%s:[->%s]", proto, remote)
	case c.Path != "":
		return "UNIX:[\"" + angled(c.Path) + "\"]"
	}
	return angled(d.Link)
}

// angled escapes a name that stands between < and >.
func angled(name string) string {
	var b []byte
	for i := range len(name) {
		switch c := name[i]; {
		case c == '<' || c == '>' || c == '\\' || c < ' ' || c >= 0x7f:
			b = fmt.Appendf(b, "\\%03o", c)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// AppendClean appends text that came from a program or the network, so that it
// keeps to its line and plays no tricks on a terminal: control characters and
// what is no UTF-8 are escaped.
func AppendClean(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\r':
			b = append(b, '\\', 'r')
		case r == '\t':
			b = append(b, '\\', 't')
		case r == utf8.RuneError && n == 1, unicode.IsControl(r):
			for _, c := range []byte(s[i : i+n]) {
				b = fmt.Appendf(b, "\\x%02x", c)
			}
		default:
			b = append(b, s[i:i+n]...)
		}
		i += n
	}
	return b
}
