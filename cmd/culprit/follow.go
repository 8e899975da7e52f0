package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"culprit/internal/casefile"
	"culprit/internal/dissect"
	"culprit/internal/dissect/http"
	"culprit/internal/dissect/tcp"
	"culprit/internal/dissect/websocket"
	"culprit/internal/timeline"
	"culprit/internal/wire"
)

// followOptions are the flags of `culprit follow`.
type followOptions struct {
	layer     string // "" or one of followLayers
	form      string // text, hex, raw, yaml
	direction string // client, server, both
	keyLogs   []string
}

// The values of the flags, as their help has them.
var (
	followLayers     = []string{"tls", "http", "grpc", "websocket", "quic", "tcp", "udp"}
	followForms      = []string{"text", "hex", "raw", "yaml"}
	followDirections = []string{"client", "server", "both"}
)

func followCommand() *cobra.Command {
	var o followOptions
	c := &cobra.Command{
		Use:   "follow CASE|CAPTURE [STREAM]",
		Short: "print one conversation, decrypted; without STREAM, list them",
		Long: `Prints what was said on a connection, in order: decrypted where the keys are
known, else as it went over the wire. Without STREAM it lists the conversations.

The streams of a capture have Wireshark's numbers (tcp.stream, udp.stream), those of
a case its own. --as chooses what to show: what TLS carried, HTTP messages with
their bodies decoded, gRPC's with the messages in them by protobuf's wire types, a
WebSocket's messages, what QUIC's streams and datagrams carried, the bytes of the
TCP stream, or the datagrams of a UDP flow. The number is udp.stream's with quic
and udp, and with the others where no TCP connection has it.

Exit status: 0, or 1 when the file can't be read to its end or has no such stream.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usagef("`culprit follow` wants a case or capture, and perhaps the number of a stream")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			n := -1
			if len(args) == 2 {
				var err error
				if n, err = strconv.Atoi(args[1]); err != nil || n < 0 {
					return usagef("%q is no number of a stream: `culprit follow %s` lists them", args[1], args[0])
				}
			}
			w := bufio.NewWriterSize(os.Stdout, 64<<10)
			defer w.Flush()
			return o.run(w, args[0], n)
		},
	}
	c.Flags().StringVar(&o.layer, "as", "", "what to show: tls, http, grpc, websocket, quic, tcp or udp (by itself the innermost plaintext)")
	c.Flags().StringVar(&o.form, "show", "text", "form of the bytes: text, hex, raw or yaml")
	c.Flags().StringVar(&o.direction, "direction", "both", "whose bytes: client, server or both")
	keyLogFlag(c, &o.keyLogs)
	return c
}

func (o *followOptions) check() error {
	for _, f := range []struct {
		flag, value string
		allowed     []string
	}{{"as", cmp.Or(o.layer, "tls"), followLayers}, {"show", o.form, followForms}, {"direction", o.direction, followDirections}} {
		if !slices.Contains(f.allowed, f.value) {
			return usagef("--%s %q: it is one of %s", f.flag, f.value, strings.Join(f.allowed, ", "))
		}
	}
	return nil
}

// messages says whether whole messages of HTTP are shown.
func (o *followOptions) messages() bool { return o.layer == "http" || o.layer == "grpc" }

func (o *followOptions) run(w *bufio.Writer, path string, n int) error {
	c, err := casefile.Open(path)
	if err == nil {
		err = c.Close()
	} else if notACase(err) && n >= 0 {
		return either(err, o.capture(w, path, n))
	}
	if err != nil && !notACase(err) {
		return err
	}
	s, t, err := openTimeline(path, o.keyLogs...)
	if err != nil {
		return err
	}
	defer s.Close()
	if n < 0 {
		return cmp.Or(listStreams(w, t), whole(s))
	}
	for _, conn := range t.Conns {
		if conn.ID == n {
			return cmp.Or(o.recorded(w, conn), whole(s))
		}
	}
	return fmt.Errorf("%s has no connection %d: it has %d (`culprit follow %s` lists them)", path, n, len(t.Conns), path)
}

func listStreams(w *bufio.Writer, t *timeline.Timeline) error {
	for _, c := range t.Conns {
		how := c.Plain
		if c.TLS != nil {
			how = c.TLS.Version
			if c.TLS.NoKeys != "" {
				how += " (not decrypted: " + c.TLS.NoKeys + ")"
			}
		}
		state := ""
		switch {
		case c.Errno != 0:
			state = c.Errno.Name()
		case c.Packets != nil && c.Packets.Reset:
			state = "RST from the " + side(c.Packets.ResetBy)
		}
		if c.Flow != nil {
			fmt.Fprint(w, "udp ")
		}
		fmt.Fprintf(w, "%3d  %-40s %10d sent %10d received  %s %s\n", c.ID, c.Peer(), c.Sent, c.Received, how, state)
		for _, x := range c.HTTP {
			if x.Request != nil {
				fmt.Fprintf(w, "       %s %s", x.Request.Method, x.URL)
				if x.Response != nil {
					fmt.Fprintf(w, " -> %s", x.Response.Result())
				}
				fmt.Fprintln(w)
			}
		}
	}
	for _, s := range t.Flows {
		if s.Session().Proto() == "quic" {
			continue // a connection
		}
		fmt.Fprintf(w, "udp %d  %v to %v  %d sent %d received  %s\n", s.ID, s.UDP.From, s.UDP.To, s.UDP.Bytes[0], s.UDP.Bytes[1], s.Session().Proto())
	}
	return nil
}

// side names who sent bytes of a direction.
func side(d dissect.Dir) string {
	if d == dissect.ToServer {
		return "client"
	}
	return "server"
}

// recorded prints a conversation of a case.
func (o *followOptions) recorded(w *bufio.Writer, c *timeline.Conn) error {
	segments := c.Plaintext()
	switch o.layer {
	case "tcp":
		segments = c.Segments
	case "tls":
		if c.TLS == nil {
			return fmt.Errorf("connection %d does not speak TLS", c.ID)
		}
	case "udp", "quic":
		return fmt.Errorf("--as %s is for captures: a case has connections", o.layer)
	}
	f := o.printer(w, c.Peer(), c.Local.String(), c.Remote.String())
	webSocket := o.layer == "" && len(c.WebSocket) > 0
	if o.messages() || webSocket {
		for _, x := range c.HTTP {
			for _, m := range []*http.Message{x.Request, x.Response} {
				if m != nil {
					f.message(m)
				}
			}
		}
	}
	if o.layer == "websocket" || webSocket {
		for i := range c.WebSocket {
			x := &c.WebSocket[i]
			f.frame(x.Frame, x.Unread)
		}
	}
	if o.messages() || o.layer == "websocket" || webSocket {
		return f.end()
	}
	for i := range segments {
		s := &segments[i]
		f.piece(piece{Time: s.Time, Dir: s.Dir, Data: s.Data, Unread: s.Unread})
		if s.Gap > 0 {
			f.piece(piece{Time: s.Time, Dir: s.Dir, Gap: s.Gap})
		}
	}
	return f.end()
}

// followBody is how much of an HTTP body is shown.
const followBody = 16 << 20

// errNoStream says that a capture has no stream with a number.
var errNoStream = errors.New("no such stream")

// capture prints a stream of a capture: of TCP, or of UDP when that is wanted, or
// when no TCP connection has the number.
func (o *followOptions) capture(w *bufio.Writer, path string, n int) error {
	err := errNoStream
	if o.layer != "udp" && o.layer != "quic" {
		err = o.stream(w, path, n, tcp.ProtoTCP)
	}
	if errors.Is(err, errNoStream) && o.layer != "tcp" && o.layer != "tls" {
		err = o.stream(w, path, n, tcp.ProtoUDP)
	}
	if errors.Is(err, errNoStream) {
		return fmt.Errorf("%s has no such stream: `culprit follow %s` lists them", path, path)
	}
	return err
}

// stream prints a stream as the walk comes by.
func (o *followOptions) stream(w *bufio.Writer, path string, n int, proto uint8) error {
	f := follower{o: o, w: w}
	options := wire.Options{
		Body: -1,
		Data: f.data,
		Want: func(s *wire.Stream) bool { return s.ID == n && s.Proto == proto },
	}
	if o.messages() {
		options.Body, options.Data = followBody, nil
	}
	p, err := openCapture(path, o.keyLogs, options)
	if err != nil {
		return err
	}
	defer p.Close()
	for {
		x, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if s := x.Stream; s != nil && s.ID == n && s.Proto == proto {
			f.begin(s)
			f.take(x.Events)
		}
	}
	if f.p == nil {
		return errNoStream
	}
	f.take(p.Rest())
	f.settle(true)
	if p.Torn != "" {
		fmt.Fprintf(os.Stderr, "culprit: %s: the capture ends too early: %s\n", path, p.Torn)
		return cmp.Or(f.p.end(), error(&exitError{code: 1}))
	}
	return f.p.end()
}

// follower prints the pieces of one stream of a capture.
type follower struct {
	o    *followOptions
	w    *bufio.Writer
	p    *followPrinter
	wait []waiting // pieces of which it is not known yet whether a layer opens them
}

type waiting struct {
	piece
	depth   int
	session *wire.Session
}

func (f *follower) begin(s *wire.Stream) {
	if f.p == nil {
		client, server := s.Ends()
		f.p = f.o.printer(f.w, server.String(), client.String(), server.String())
	}
}

func (f *follower) data(e *wire.Event) {
	f.begin(e.Stream)
	x := piece{Time: e.Time, Dir: e.Dir, Data: e.Data, Gap: e.Gap, Packet: e.LastRef}
	switch {
	case e.Session == nil && e.Proto == "http": // a body: its bytes have come by already
	case e.Session == nil && (f.o.layer == "" || f.o.layer == e.Proto):
		f.settle(true)
		if m, ok := e.Msg.(*websocket.Frame); ok {
			f.p.frame(m, false)
		} else {
			f.p.piece(x)
		}
	case e.Session == nil:
	case f.o.layer == "":
		x.Data = slices.Clone(x.Data)
		f.wait = append(f.wait, waiting{x, e.Depth, e.Session})
	case f.o.layer == "tls" && e.Proto == "tls", (f.o.layer == "tcp" || f.o.layer == "udp") && e.Depth == 0:
		f.p.piece(x)
	}
}

// maxWaiting bounds the pieces whose protocol is not known.
const maxWaiting = 1 << 12

// take goes on after a packet.
func (f *follower) take(events []wire.Event) {
	if f.o.messages() {
		for i := range events {
			if m, ok := events[i].Msg.(*http.Message); ok {
				f.p.message(m)
			}
		}
	}
	f.settle(len(f.wait) > maxWaiting)
}

// opened are the protocols of whose bytes only what came out of them is shown.
var opened = []string{"tls", "sslv2", "websocket", "quic"}

// settle prints those pieces that no layer opened: of bytes that TLS or a tunnel
// carries, what came out of them stands for them.
func (f *follower) settle(all bool) {
	for i := range f.wait {
		x := &f.wait[i]
		if !all && !x.session.Known() {
			f.wait = f.wait[i:]
			return
		}
		deeper := i+1 < len(f.wait) && f.wait[i+1].depth > x.depth
		if !deeper && !slices.Contains(opened, x.session.Proto()) {
			f.p.piece(x.piece)
		}
	}
	f.wait = f.wait[:0]
}
