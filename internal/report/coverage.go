package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"culprit/internal/dissect/tls"
	"culprit/internal/explain"
	"culprit/internal/timeline"
	"culprit/internal/wire"
)

// Coverage says what each lens saw and could not see.
func Coverage(t *timeline.Timeline) map[string]map[string]any {
	kernel := map[string]any{"backend": t.Header.Backend, "calls": len(t.Calls) + t.Repeats, "processes": len(t.Procs)}
	if t.Repeats > 0 {
		kernel["repeats"] = t.Repeats
	}
	code := map[string]any{}
	wire := map[string]any{"source": "system calls", "connections": len(t.Conns)}
	if len(t.Packets) > 0 {
		wire["packets"] = len(t.Packets)
	}
	by := map[string]map[string]any{"kernel": kernel, "code": code, "wire": wire}

	if attached := t.Attached(); len(attached) > 0 {
		kernel["attached"], kernel["pause_ms"] = threadsOf(attached), pause(attached).Seconds()*1e3
	}
	var pythons []string
	raised := 0
	for _, p := range t.Procs {
		raised += len(p.Raised)
		if p.Python != nil {
			text := fmt.Sprintf("%s[%d]: Python %s by %s", p.Name(), p.PID, p.Python.Version, p.Python.Hook)
			if p.Python.Way != "" {
				text += ", which came in by " + p.Python.Way
			}
			pythons = append(pythons, text)
			governed(code, p)
		}
	}
	code["processes"], code["exceptions"] = pythons, raised
	if pythons == nil {
		code["processes"] = []string{}
	}

	encrypted, decrypted := 0, 0
	var blind, keys []string
	var holes int64
	for _, c := range t.Conns {
		holes += c.Holes
		if c.TLS == nil || c.TLS.NotTLS != "" {
			continue
		}
		encrypted++
		if c.TLS.NoKeys == "" {
			decrypted++
			if c.TLS.KeysBy != "" {
				keys = append(keys, fmt.Sprintf("connection %d to %s: %s", c.ID, c.Peer(), c.TLS.KeysBy))
			}
		} else {
			blind = append(blind, fmt.Sprintf("connection %d to %s: %s", c.ID, c.Peer(), noKeys(t, c)))
		}
	}
	wire["tls"], wire["decrypted"], wire["missing_bytes"] = encrypted, decrypted, holes
	if k := t.KeyLog; k.Lines+k.Garbage+k.Dropped > 0 {
		wire["key_log"] = map[string]int{"lines": k.Lines, "garbage": k.Garbage, "dropped": k.Dropped}
	}
	if blind != nil {
		wire["blind"] = blind
	}
	if keys != nil {
		wire["keys_by"] = keys
	}
	if t.Capture != nil {
		packets(wire, t.Capture)
	}
	for _, n := range t.Notes {
		if m := by[n.Lens]; m != nil {
			list, _ := m["notes"].([]string)
			text := n.Code + ": " + n.Text
			if !slices.Contains(list, text) {
				m["notes"] = append(list, text)
			}
		}
	}
	for _, l := range t.Loss {
		if m := by[l.Lens]; m != nil {
			list, _ := m["lost"].([]string)
			m["lost"] = append(list, fmt.Sprintf("%s: %d (%d bytes)", l.What, l.Count, l.Bytes))
		}
	}
	for _, what := range slices.Sorted(maps.Keys(t.Skipped)) {
		list, _ := kernel["lost"].([]string)
		kernel["lost"] = append(list, fmt.Sprintf("%s: %d", what, t.Skipped[what]))
	}
	return by
}

// governed says which exceptions of a Python process were left out in order not
// to slow it down.
func governed(code map[string]any, p *timeline.Process) {
	for _, c := range p.Python.Counted {
		list, _ := code["counted"].([]string)
		code["counted"] = append(list, fmt.Sprintf("%s[%d] %s:%d in %s: some of %d exceptions recorded", p.Name(), p.PID, c.Frame.File, c.Frame.Line, c.Frame.Func, c.Count))
	}
	if p.Python.Pauses > 0 {
		list, _ := code["paused"].([]string)
		code["paused"] = append(list, fmt.Sprintf("%s[%d]: in storms of exceptions none was looked at for %.1f ms in all (%d times)",
			p.Name(), p.PID, p.Python.Blind.Seconds()*1e3, p.Python.Pauses))
	}
}

// noKeys says why a connection was not decrypted, as far as the recorder could
// tell of the program: what it said of the TLS libraries that the process, or one
// that it descends from, brought.
func noKeys(t *timeline.Timeline, c *timeline.Conn) string {
	reason := c.TLS.NoKeys
	if t.Capture != nil || reason != string(tls.NoKey) && reason != string(tls.NoHandshake) {
		return reason
	}
	probed := false
	for p := c.Proc; p != nil; p = p.Parent {
		for _, n := range t.Notes {
			if n.PID != p.PID && n.PID != 0 || !strings.HasPrefix(n.Code, "tls-") {
				continue
			}
			if probed = probed || n.Code == "tls-probed"; n.Code != "tls-probed" {
				return reason + "; " + n.Text
			}
		}
	}
	if probed {
		return reason + "; the session began before its library was probed, or another library made it"
	}
	return fmt.Sprintf("%s; no TLS library that keys can be read out of was seen in %s (NSS, rustls, BoringSSL, Java's and others are not known)", reason, c.Proc.Name())
}

// packets says what of a capture was looked at.
func packets(m map[string]any, c *wire.Stats) {
	m["source"], m["packets"], m["bytes"] = "packets", c.Packets, c.Bytes
	for why, n := range c.Undecoded {
		list, _ := m["passed_over"].(map[string]int)
		if list == nil {
			list = map[string]int{}
			m["passed_over"] = list
		}
		list[why] = n
	}
	if c.Torn != "" {
		m["torn"] = c.Torn
	}
	if c.GivenUp > 0 {
		m["given_up"] = c.GivenUp
	}
	if c.Damaged > 0 {
		m["damaged_blocks"] = c.Damaged
	}
}

// threadsOf counts the threads that were attached to, by process.
func threadsOf(attached []*timeline.Process) map[string]int {
	out := map[string]int{}
	for _, p := range attached {
		if p.Attach.Threads > 0 {
			out[strconv.Itoa(int(p.PID))] = p.Attach.Threads
		}
	}
	return out
}

// pause is how long the thread that stood still longest did so, in order to be
// attached to or looked at.
func pause(attached []*timeline.Process) time.Duration {
	longest := time.Duration(0)
	for _, p := range attached {
		longest = max(longest, p.Attach.Pause)
	}
	return longest
}

// Caveats are the gaps of the recording that bear on the verdict, for people.
func Caveats(t *timeline.Timeline) []string {
	var out []string
	switch c := t.Capture; {
	case c == nil && t.End == nil:
		out = append(out, "the recording was cut off: what came after is not known")
	case c != nil && c.Torn != "":
		out = append(out, "the capture could not be read to its end: "+c.Torn)
	}
	if t.Capture != nil && strangers(t) {
		out = append(out, fmt.Sprintf("the keys do not match: of %d secrets in the key log none is of a connection in this capture", t.KeyLog.Lines))
	}
	if d := pause(t.Attached()); d > 0 {
		out = append(out, fmt.Sprintf("attaching made the program stand still for %.1f ms", d.Seconds()*1e3))
	}
	for _, n := range t.Notes {
		if n.Lens == "kernel" && !slices.Contains(out, n.Text) {
			out = append(out, n.Text)
		}
	}
	for _, c := range t.Conns {
		if c.TLS != nil && c.TLS.NoKeys != "" && c.TLS.Done {
			out = append(out, fmt.Sprintf("the TLS connection to %s was not decrypted (%s)", c.Peer(), c.TLS.NoKeys))
		}
	}
	for _, l := range t.Loss {
		out = append(out, fmt.Sprintf("%s: %d lost (%d bytes)", l.What, l.Count, l.Bytes))
	}
	if len(out) > 4 {
		out = append(out[:4], fmt.Sprintf("%d more, in the coverage of the report", len(out)-4))
	}
	return out
}

// strangers reports whether there are secrets and TLS connections, but no
// connection has its secrets.
func strangers(t *timeline.Timeline) bool {
	known := func(c *timeline.Conn) bool { return c.TLS != nil && c.TLS.HaveKey }
	return t.KeyLog.Lines > 0 && slices.ContainsFunc(t.Conns, func(c *timeline.Conn) bool { return c.TLS != nil && c.TLS.NoKeys != "" }) &&
		!slices.ContainsFunc(t.Conns, known)
}

// Who names the two ends: the peer of the finding's connection with what is
// known of it, and the program with the package that it came from.
func Who(t *timeline.Timeline, f explain.Finding) []string {
	var out []string
	if c := f.Conn; c != nil {
		out = append(out, peer(c))
	}
	if p := f.Proc; p != nil {
		out = append(out, program(t, p))
	}
	return out
}

// program names a process, the files that it is, and their packages.
func program(t *timeline.Timeline, p *timeline.Process) string {
	s := fmt.Sprintf("%s[%d]", p.Program(), p.PID)
	for _, file := range []string{p.Script(), p.Exe} {
		if file == "" {
			continue
		}
		s += " = " + file
		if o := t.Owners[file]; o != nil {
			s += fmt.Sprintf(" of %s %s (%s)", o.Package, o.Version, o.Manager)
		}
	}
	return s
}

func peer(c *timeline.Conn) string {
	s := c.Inode
	switch {
	case c.Path != "":
		s = c.Path
	case c.Remote.IsValid():
		s = c.Remote.String()
	}
	var by []string
	if c.Name != "" {
		s += " = " + c.Name
		by = append(by, c.NameBy)
	}
	if c.TLS != nil {
		if c.TLS.SNI != "" && c.TLS.SNI != c.Name {
			by = append(by, "SNI "+c.TLS.SNI)
		}
		if len(c.TLS.Chain) > 0 {
			leaf := c.TLS.Chain[0]
			by = append(by, fmt.Sprintf("certificate %s by %s, valid to %s", leaf.Subject, leaf.Issuer, leaf.NotAfter.Format(time.DateOnly)))
		}
		if c.TLS.Version != "" {
			by = append(by, c.TLS.Version)
		}
	}
	if len(by) > 0 {
		s += " (" + strings.Join(by, ", ") + ")"
	}
	return s
}
