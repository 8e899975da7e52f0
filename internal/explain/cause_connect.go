package explain

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"culprit/internal/dissect"
	"culprit/internal/event"
	"culprit/internal/timeline"
)

// connectCauses maps connect(2)'s errors to causes.
var connectCauses = map[string]struct {
	cause string
	side  Side
	title string // %s: the peer
}{
	"ECONNREFUSED":  {"connection-refused", Server, "nothing listens at %s: the connection was refused"},
	"ETIMEDOUT":     {"connect-timeout", Network, "%s did not answer the connection attempt in time"},
	"EHOSTUNREACH":  {"network-unreachable", Network, "there is no way to the host %s"},
	"ENETUNREACH":   {"network-unreachable", Network, "there is no route to the network of %s"},
	"EADDRNOTAVAIL": {"network-unreachable", Local, "this machine has no address from which %s can be reached"},
}

var connectError = Cause{
	Names: []string{"connection-refused", "connect-timeout", "network-unreachable", "unix-socket-missing", "proxy-unreachable"},
	Doc:   "connect(2) failed, and no other address or later attempt for the same peer succeeded",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, conn := range c.T.Conns {
			if conn.Connect == nil || conn.Errno == 0 || conn.Sent+conn.Received > 0 {
				continue
			}
			kind, ok := connectCauses[conn.Errno.Name()]
			if conn.Path != "" {
				kind, ok = unixCause(conn)
			}
			if cacheDaemon(conn.Path) && c.said(conn.Path) == nil {
				continue
			}
			if !ok || conn.Remote.IsValid() && conn.Remote.Port() == 53 || c.reachedLater(conn) || c.triedLater(conn) {
				continue
			}
			links := c.linkConn(conn)
			if len(links) == 0 {
				if !saysSo(kind.cause, conn) {
					continue // a service that was looked for and not needed
				}
				links = []Link{{"last", "the last connection that failed", wWire}}
			}
			cause, title := kind.cause, fmt.Sprintf(kind.title, conn.Peer())
			f := Finding{
				Cause: cause, Side: kind.side, Proc: conn.Proc, Conn: conn, Title: title,
				Links: links,
				Facts: []Fact{{"address", conn.Remote.String()}, {"errno", conn.Errno.Name()}},
			}
			if conn.Path != "" {
				f.Facts = []Fact{{"path", conn.Path}, {"errno", conn.Errno.Name()}}
			} else {
				f.Facts = append(f.Facts, Fact{"host", hostOf(conn)}, Fact{"port", conn.Remote.Port()})
			}
			if variable, via := c.proxy(conn); via {
				f.Cause, f.Side = "proxy-unreachable", Local
				f.Title = fmt.Sprintf("the proxy %s that %s names can't be reached: %s", conn.Peer(), variable, conn.Errno.Text())
				f.Facts = append(f.Facts, Fact{"variable", variable})
			}
			f.Why = fmt.Sprintf("%s called connect() for %s and got %s (%s).", conn.Proc.Program(), conn.Peer(), conn.Errno.Name(), conn.Errno.Text())
			for _, o := range c.T.Conns {
				if o != conn && samePeer(o, conn) && o.Connect != nil && o.Opened < conn.Opened {
					f.Evidence = append(f.Evidence, callEvidence(o.Connect))
					f.Facts = append(f.Facts, Fact{"also", o.Remote.String()})
				}
			}
			f.Evidence = append(f.Evidence, callEvidence(conn.Connect))
			if conn.Failed != nil && conn.Failed != conn.Connect {
				f.Evidence = append(f.Evidence, callEvidence(conn.Failed))
			}
			c.addException(&f, conn)
			f.Next = connectNext(conn)
			out = append(out, f)
		}
		return out
	},
}

// cacheDaemon tells the sockets of daemons that the C library asks where they
// run and does without where they don't.
func cacheDaemon(socket string) bool {
	return strings.Contains(socket, "/nscd/") || strings.Contains(socket, "/var/lib/sss/") || strings.Contains(socket, "/systemd/userdb/")
}

// saysSo reports whether the program's exit status means that it did not reach
// the peer.
func saysSo(cause string, conn *timeline.Conn) bool {
	_, ok := statusLink(&Finding{Cause: cause, Proc: conn.Proc, Conn: conn, Links: []Link{{Weight: 1}}})
	return ok && !furniture(conn.Path)
}

type connectKind = struct {
	cause string
	side  Side
	title string
}

func unixCause(conn *timeline.Conn) (connectKind, bool) {
	switch conn.Errno.Name() {
	case "ENOENT":
		return connectKind{"unix-socket-missing", Local, "the Unix socket %s does not exist"}, true
	case "ECONNREFUSED":
		return connectKind{"connection-refused", Local, "the Unix socket %s exists, but nobody listens on it"}, true
	}
	return connectKind{}, false
}

// reachedLater reports whether the peer, or the same name at another address,
// was connected to after all.
func (c *Case) reachedLater(conn *timeline.Conn) bool {
	return slices.ContainsFunc(c.T.Conns, func(o *timeline.Conn) bool {
		if o == conn || o.Connect == nil || o.Errno != 0 && o.Sent+o.Received == 0 || o.Opened < conn.Opened || o.Received == 0 {
			return false
		}
		if conn.Path != "" {
			return o.Path == conn.Path
		}
		return o.Remote == conn.Remote || conn.Name != "" && o.Name == conn.Name && o.Remote.Port() == conn.Remote.Port()
	})
}

// samePeer reports whether two connections of one process were meant for the
// same service, perhaps at another of its addresses.
func samePeer(x, y *timeline.Conn) bool {
	if x.Proc != y.Proc || x.Path != y.Path {
		return false
	}
	if x.Path != "" {
		return true
	}
	return x.Remote == y.Remote || x.Remote.Port() == y.Remote.Port() && (x.Name != "" && x.Name == y.Name || x.Remote.Addr().IsLoopback() && y.Remote.Addr().IsLoopback())
}

// triedLater reports whether the same service was tried again: the last attempt
// stands for all.
func (c *Case) triedLater(conn *timeline.Conn) bool {
	return slices.ContainsFunc(c.T.Conns, func(o *timeline.Conn) bool {
		return o != conn && o.Opened > conn.Opened && o.Connect != nil && samePeer(o, conn)
	})
}

// proxyVariables are the environment variables by which programs are told of a
// proxy (curl(1), ENVIRONMENT; npm's config).
var proxyVariables = []string{"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
	"ftp_proxy", "npm_config_proxy", "npm_config_https_proxy", "socks_proxy", "SOCKS_PROXY"}

// proxy names the environment variable that sent the program to this peer as to
// a proxy.
func (c *Case) proxy(conn *timeline.Conn) (string, bool) {
	env := c.environment(conn.Proc)
	for _, name := range proxyVariables {
		value, ok := env[name]
		if !ok {
			continue
		}
		if !strings.Contains(value, "://") {
			value = "http://" + value
		}
		u, err := url.Parse(value)
		if err != nil || u.Port() != strconv.Itoa(int(conn.Remote.Port())) {
			continue
		}
		if host := u.Hostname(); host == conn.Name || host == conn.Remote.Addr().String() || conn.Name == "" || conn.Remote.Addr().IsLoopback() {
			return name, true
		}
	}
	return "", false
}

// environment is what the newest execve of a process, or of the nearest
// ancestor that had one, gave as its environment.
func (c *Case) environment(p *timeline.Process) map[string]string {
	for ; p != nil; p = p.Parent {
		for i := len(p.Calls) - 1; i >= 0; i-- {
			call := p.Calls[i]
			if call.Name() != "execve" || call.Raw.Ret != 0 {
				continue
			}
			v, _ := call.Decode().Arg("envp")
			return variables(v.Strings)
		}
	}
	return variables(c.T.Header.Env)
}

func variables(list []string) map[string]string {
	env := make(map[string]string, len(list))
	for _, s := range list {
		name, value, _ := strings.Cut(s, "=")
		env[name] = value
	}
	return env
}

func hostOf(conn *timeline.Conn) string {
	if conn.Name != "" {
		return conn.Name
	}
	return conn.Remote.Addr().String()
}

func connectNext(conn *timeline.Conn) []string {
	if conn.Path != "" {
		return []string{"start the server that makes " + conn.Path + ", or point the program at the socket's real place (`ss -xl` lists those that listen)"}
	}
	port := conn.Remote.Port()
	if conn.Remote.Addr().IsLoopback() {
		return []string{fmt.Sprintf("start the service on port %d of this machine, or see what listens (`ss -ltnp 'sport = :%d'`)", port, port)}
	}
	return []string{fmt.Sprintf("check on %s that the service listens on port %d and that no firewall rejects it", hostOf(conn), port)}
}

// closedAt is when the program learnt that its peer was gone.
func closedAt(conn *timeline.Conn) event.Time {
	if conn.EOF != 0 {
		return conn.EOF
	}
	return conn.Failed.Leave()
}

// lastWords is what a server said instead of its protocol before it closed:
// one short text.
func lastWords(conn *timeline.Conn) string {
	if conn.TLS != nil || len(conn.HTTP) > 0 || conn.Received == 0 || conn.Received > 512 {
		return ""
	}
	var text []byte
	for _, s := range conn.Segments {
		if s.Dir == dissect.ToClient {
			text = append(text, s.Data...)
		}
	}
	line := strings.TrimSpace(firstLine(string(text)))
	for _, b := range []byte(line) {
		if b < ' ' && b != '\t' || b >= 0x7f {
			return ""
		}
	}
	if strings.HasPrefix(line, "SSH-") {
		return "" // its banner
	}
	return line
}

var transferError = Cause{
	Names: []string{"connection-reset", "connection-closed-early"},
	Doc:   "an established connection broke (ECONNRESET, EPIPE), or ended before an answer, with nothing from the server that says why",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, conn := range c.T.Conns {
			if !conn.Stream() || conn.Accepted || !conn.Remote.IsValid() {
				continue
			}
			errno := conn.Errno.Name()
			words := lastWords(conn)
			broke := (errno == "ECONNRESET" || errno == "EPIPE") && conn.Failed != conn.Connect && words == ""
			early := !broke && (conn.Errno == 0 && conn.EOF != 0 && conn.Received == 0 || words != "" && (conn.EOF != 0 || conn.Errno != 0))
			if !broke && !early || c.reachedLater(conn) {
				continue
			}
			f := Finding{
				Cause: "connection-reset", Side: Server, Proc: conn.Proc, Conn: conn,
				Links: c.linkConn(conn),
				Facts: []Fact{{"address", conn.Remote.String()}, {"host", hostOf(conn)}, {"sent", conn.Sent}, {"received", conn.Received}},
			}
			if broke {
				f.Title = fmt.Sprintf("%s broke the connection: %s", conn.Peer(), conn.Errno.Text())
				f.Why = fmt.Sprintf("After %s bytes sent and %s received, %s() failed with %s (%s); nothing that the server sent says why.",
					count(conn.Sent), count(conn.Received), conn.Failed.Name(), errno, conn.Errno.Text())
				f.Facts = append(f.Facts, Fact{"errno", errno})
				f.Evidence = append(f.Evidence, callEvidence(conn.Failed))
			} else {
				f.Cause = "connection-closed-early"
				f.Title = fmt.Sprintf("%s closed the connection without a word", conn.Peer())
				f.Why = fmt.Sprintf("%s sent %s bytes; the server closed and had sent nothing.", conn.Proc.Program(), count(conn.Sent))
				if words != "" {
					f.Title = fmt.Sprintf("%s closed the connection: %s", conn.Peer(), words)
					f.Why = fmt.Sprintf("%s sent %s bytes; the server said %q and closed.", conn.Proc.Program(), count(conn.Sent), words)
					f.Facts = append(f.Facts, Fact{"words", words})
				}
				f.Evidence = append(f.Evidence, Evidence{"wire", closedAt(conn), fmt.Sprintf("%s closes connection %d, %d bytes received: %s", conn.Peer(), conn.ID, conn.Received, words)})
			}
			c.addException(&f, conn)
			f.Next = []string{"look into the server's own log at that time: the reason is known only there"}
			out = append(out, f)
		}
		return out
	},
}
