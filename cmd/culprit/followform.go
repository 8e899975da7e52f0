package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"

	"culprit/internal/dissect"
	"culprit/internal/dissect/grpc"
	"culprit/internal/dissect/http"
	"culprit/internal/dissect/websocket"
	"culprit/internal/event"
	"culprit/internal/rows"
)

// piece is what one side said at once.
type piece struct {
	Time   event.Time
	Dir    dissect.Dir
	Data   []byte
	Gap    int   // bytes missing before Data
	Packet int64 // of a capture; 0 otherwise
	Unread bool  // never read by the program
}

// followPrinter prints a conversation in one of the forms.
type followPrinter struct {
	o              *followOptions
	w              *bufio.Writer
	peer           string
	client, server string
	dir            dissect.Dir // of the piece before; 2 at first
	n              int
}

func (o *followOptions) printer(w *bufio.Writer, peer, client, server string) *followPrinter {
	p := &followPrinter{o: o, w: w, peer: peer, client: client, server: server, dir: 2}
	if o.form == "yaml" {
		fmt.Fprint(w, "peers:\n")
		for i, end := range []string{client, server} {
			host, port := end, "0"
			if a, err := netip.ParseAddrPort(end); err == nil {
				host, port = a.Addr().String(), fmt.Sprint(a.Port())
			}
			fmt.Fprintf(w, "  - peer: %d\n    host: %q\n    port: %s\n", i, host, port)
		}
		fmt.Fprint(w, "packets:\n")
	}
	return p
}

func (p *followPrinter) wanted(d dissect.Dir) bool {
	return p.o.direction == "both" || p.o.direction == side(d)
}

func (p *followPrinter) piece(x piece) {
	if !p.wanted(x.Dir) {
		return
	}
	switch p.o.form {
	case "raw":
		p.w.Write(x.Data)
		return
	case "yaml":
		if len(x.Data) > 0 {
			p.yaml(&x)
		}
		return
	}
	if x.Gap != 0 {
		p.gap(x.Gap)
	}
	if len(x.Data) == 0 {
		return
	}
	if x.Dir != p.dir || x.Unread {
		p.dir = x.Dir
		note := ""
		if x.Unread {
			note = " (never read by the program)"
		}
		mark := ">>> to "
		if x.Dir == dissect.ToClient {
			mark = "<<< from "
		}
		fmt.Fprintf(p.w, "\n%s%s%s\n", mark, p.peer, note)
	}
	if p.o.form == "hex" {
		p.w.WriteString(hex.Dump(x.Data))
	} else {
		p.w.Write(printable(x.Data))
	}
}

func (p *followPrinter) gap(n int) {
	if n < 0 {
		fmt.Fprint(p.w, "\n[bytes are missing here]\n")
		return
	}
	fmt.Fprintf(p.w, "\n[%d bytes are not in the recording]\n", n)
}

// yaml writes a piece as Wireshark's "Follow ... YAML" does.
func (p *followPrinter) yaml(x *piece) {
	fmt.Fprintf(p.w, "  - packet: %d\n    peer: %d\n    index: %d\n    timestamp: %d.%09d\n    data: !!binary |\n",
		x.Packet, x.Dir, p.n, x.Time/1e9, x.Time%1e9)
	p.n++
	text := base64.StdEncoding.EncodeToString(x.Data)
	for len(text) > 0 {
		n := min(len(text), 76)
		fmt.Fprintf(p.w, "      %s\n", text[:n])
		text = text[n:]
	}
}

// message prints an HTTP message: its head as it was sent, its body decoded, its
// trailer.
func (p *followPrinter) message(m *http.Message) {
	d := dissect.ToServer
	if m.Answer {
		d = dissect.ToClient
	}
	body := rows.Body(m)
	if p.o.layer == "grpc" {
		if !grpc.Is(m) {
			return
		}
		body = grpcText(m)
	}
	p.dir = 2 // each message has a mark of its own
	p.piece(piece{Time: m.Head.Time, Dir: d, Data: head(m), Packet: m.Head.LastRef})
	p.piece(piece{Time: m.Head.Time, Dir: d, Data: body, Packet: m.Head.LastRef})
	if rest := m.Seen - int64(len(m.Body)); rest > 0 && p.wanted(d) && (p.o.form == "text" || p.o.form == "hex") {
		fmt.Fprintf(p.w, "\n[%d more bytes of the body were not kept]\n", rest)
	}
	if len(m.Trailer) > 0 {
		b := bytes.NewBufferString("\r\n")
		fields(b, m.Trailer)
		p.piece(piece{Time: m.Head.Time, Dir: d, Data: b.Bytes(), Packet: m.Head.LastRef})
	}
}

// grpcText is the messages in a body, a line for each field.
func grpcText(m *http.Message) []byte {
	var b []byte
	for i, x := range grpc.Messages(m) {
		b = fmt.Appendf(b, "- message: %d\n  length: %d\n", i, x.Length)
		if x.Err != "" {
			b = fmt.Appendf(b, "  error: %q\n", x.Err)
		}
		if len(x.Data) > 0 {
			b = append(b, "  protobuf:\n"...)
			b = grpc.AppendProtobuf(b, x.Data, "    ")
		}
	}
	return b
}

// frame prints the message that a WebSocket's frame ends, if it ends one.
func (p *followPrinter) frame(x *websocket.Frame, unread bool) {
	if x.Message == nil {
		return
	}
	p.dir = 2
	p.piece(piece{Time: x.Time, Dir: x.Dir, Data: x.Message.Data, Packet: x.LastRef, Unread: unread})
	if x.Message.Err != "" && p.wanted(x.Dir) && (p.o.form == "text" || p.o.form == "hex") {
		fmt.Fprintf(p.w, "\n[%s]", x.Message.Err)
	}
	if p.o.form == "text" && p.wanted(x.Dir) {
		fmt.Fprintln(p.w)
	}
}

func head(m *http.Message) []byte {
	var b bytes.Buffer
	if m.Answer {
		fmt.Fprintf(&b, "%s %s\r\n", m.Version, m.Result())
	} else {
		fmt.Fprintf(&b, "%s %s %s\r\n", m.Method, m.Target, m.Version)
	}
	fields(&b, m.Header)
	b.WriteString("\r\n")
	return b.Bytes()
}

func fields(b *bytes.Buffer, list http.Fields) {
	for _, f := range list {
		fmt.Fprintf(b, "%s: %s\r\n", f.Name, f.Value)
	}
}

func (p *followPrinter) end() error {
	if p.o.form == "text" || p.o.form == "hex" {
		p.w.WriteByte('\n')
	}
	return p.w.Flush()
}

// printable replaces what would play tricks on a terminal. The CR of a CRLF is
// left out.
func printable(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i, c := range b {
		switch {
		case c == '\r' && i+1 < len(b) && b[i+1] == '\n':
			continue
		case c < ' ' && c != '\n' && c != '\t' || c >= 0x7f:
			c = '.'
		}
		out = append(out, c)
	}
	return out
}
