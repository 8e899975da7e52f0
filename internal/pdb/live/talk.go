package live

import (
	"fmt"
	"os"
	"strings"

	"culprit/internal/dissect"
	"culprit/internal/dissect/dns"
	"culprit/internal/dissect/http"
	"culprit/internal/dissect/tls"
	"culprit/internal/event"
	"culprit/internal/sysabi"
	"culprit/internal/wire"
)

// talks are the calls besides those that carry data by which conversations begin
// and end.
var talks = map[string]bool{"connect": true, "accept": true, "accept4": true, "close": true, "dup2": true, "dup3": true, "shutdown": true}

// talk listens to what the program's descriptors carry.
type talk struct {
	file  string // of TLS secrets
	read  int64  // bytes of it
	keys  *tls.KeyLog
	conns map[int32]*conversation
	heard []said // by the call in hand
}

type conversation struct {
	*wire.Session
	server bool // this side was called
	passed bool // some of it was missed: it tells nothing any more
}

// said is one message.
type said struct {
	http *http.Message
	dns  *dns.Message
}

const (
	maxConversations = 4096
	maxKeys          = 64 << 20
)

func newTalk(file string) *talk {
	return &talk{file: file, keys: &tls.KeyLog{}, conns: map[int32]*conversation{}}
}

// hear takes in a call that is over, and returns the messages whose heads are
// complete by it.
func (k *talk) hear(s *event.Syscall, d *sysabi.Decoded) []said {
	k.heard = k.heard[:0]
	fd := d.FD()
	switch d.Call.Name {
	case "accept", "accept4":
		if s.Ret >= 0 {
			k.begin(int32(s.Ret), true)
		}
		return nil
	case "connect":
		k.begin(fd, false)
		return nil
	case "close":
		delete(k.conns, fd)
		return nil
	case "dup2", "dup3":
		delete(k.conns, int32(s.Ret))
		return nil
	case "shutdown":
		return nil
	}
	if !d.Call.Data() || fd < 0 || d.Errno != 0 {
		return nil
	}
	data, missing := d.Buffer()
	given := givesData(d.Call)
	if !given {
		if dns.Plausible(data) {
			if m, err := dns.Parse(data); err == nil {
				return append(k.heard, said{dns: m})
			}
		}
	}
	c := k.conns[fd]
	if c == nil { // it began before anybody listened
		c = k.begin(fd, false)
	}
	if c == nil || c.passed {
		return nil
	}
	if missing > 0 {
		c.passed = true
		return nil
	}
	if len(data) == 0 {
		return nil
	}
	k.secrets()
	in := dissect.Input{Dir: dissect.ToServer, Data: data}
	if given == c.server {
		in.Dir = dissect.ToClient
	}
	c.Feed(&in)
	return k.heard
}

func (k *talk) begin(fd int32, server bool) *conversation {
	if len(k.conns) >= maxConversations {
		return nil
	}
	c := &conversation{server: server}
	c.Session = wire.NewSession(wire.Options{Keys: k.keys, Body: -1}, func(e *wire.Event) {
		if h, ok := e.Msg.(http.Head); ok {
			k.heard = append(k.heard, said{http: h.Message})
		}
	})
	k.conns[fd] = c
	return c
}

// secrets takes in what the program has written to its key log since.
func (k *talk) secrets() {
	st, err := os.Stat(k.file)
	if err != nil || !st.Mode().IsRegular() || st.Size() <= k.read || st.Size() > maxKeys {
		return
	}
	f, err := os.Open(k.file)
	if err != nil {
		return
	}
	defer f.Close()
	b := make([]byte, st.Size()-k.read)
	n, _ := f.ReadAt(b, k.read)
	b = b[:n]
	whole := strings.LastIndexByte(string(b), '\n') + 1
	k.keys.Add(b[:whole])
	k.read += int64(whole)
}

// givesData says that a call's data comes from the program.
func givesData(c *sysabi.Call) bool {
	for i := range c.Args {
		switch c.Args[i].Kind() {
		case sysabi.KindBuffer, sysabi.KindIovec, sysabi.KindMessage, sysabi.KindMessages:
			return c.Args[i].Given()
		}
	}
	return false
}

// text is the line that a stop begins with.
func (s said) text() string {
	if s.dns != nil {
		var asked []string
		for _, q := range s.dns.Questions {
			asked = append(asked, q.Name+" "+q.Type.String())
		}
		return clean(fmt.Sprintf("--DNS-- %s for %s", s.dns.Rcode, strings.Join(asked, ", ")))
	}
	return clean("--HTTP-- " + startLine(s.http))
}

func startLine(m *http.Message) string {
	if m.Answer {
		return m.Version + " " + m.Result()
	}
	return m.Method + " " + m.Target + " " + m.Version
}

// exchange is the heads of a request and its answer as curl -v shows them.
func exchange(m *http.Message) string {
	if m == nil {
		return ""
	}
	var b strings.Builder
	head := func(mark string, m *http.Message) {
		if m == nil {
			return
		}
		fmt.Fprintf(&b, "%s %s\n", mark, clean(startLine(m)))
		for _, f := range m.Header {
			fmt.Fprintf(&b, "%s %s\n", mark, clean(f.Name+": "+f.Value))
		}
	}
	if m.Answer {
		head(">", m.Request)
		head("<", m)
	} else {
		head(">", m)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
