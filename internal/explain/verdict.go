package explain

import (
	"fmt"
	"slices"
	"strings"

	"culprit/internal/sysabi"
)

// depths orders causes by how near to the root they lie: of two findings of
// equal weight the deeper one is the verdict.
var depths = []struct {
	depth  int
	prefix string
}{
	{61, "plaintext-"}, {60, "http-"}, {60, "service-"}, {50, "tls-"}, {45, "dns-"}, {45, "proxy-"},
	{40, "connection-refused"}, {40, "connect-timeout"}, {40, "network-unreachable"}, {40, "unix-socket-missing"},
	{36, "out-of-memory"}, {36, "process-limit"}, {36, "too-many-"}, {11, "broken-pipe"},
	{35, "connection-"}, {35, "crashed"}, {35, "killed-by"}, {35, "command-"}, {35, "interpreter-"}, {35, "exec-"},
	{35, "shared-library"}, {35, "symbol-"}, {32, "python-module-missing"}, {32, "env-missing"}, {32, "encoding-error"}, {32, "python-syntax"}, {33, "config-"}, {10, "python-"},
}

func depth(cause string) int {
	for _, d := range depths {
		if strings.HasPrefix(cause, d.prefix) {
			return d.depth
		}
	}
	return 30 // files and the rest
}

// merge orders the findings so that of those that tell one story the deepest
// stands first: a reset connection on which the server had answered 413 is the
// 413's, an exception made from a refused connection is the refusal's. The
// shallower ones stay behind it with what they have.
func merge(all []Finding) []Finding {
	if len(all) == 0 {
		return all
	}
	best := 0
	for i := 1; i < len(all); i++ {
		f, top := &all[i], &all[best]
		if depth(f.Cause) > depth(top.Cause) && sameStory(f, top) && f.weight >= threshold {
			best = i
		}
	}
	if best > 0 {
		deep := all[best]
		// The chain reaches the symptom through the shallower finding too.
		deep.Links = slices.Clone(deep.Links)
		for _, l := range all[0].Links {
			if !slices.Contains(deep.Links, l) {
				deep.Links = append(deep.Links, l)
			}
		}
		if all[0].weight > deep.weight {
			deep.weight, deep.Confidence = all[0].weight*wRaised, gradeOf(all[0].weight*wRaised)
		}
		all = slices.Delete(all, best, best+1)
		all = slices.Insert(all, 0, deep)
	}
	return all
}

// sameStory reports whether two findings share the thing that went wrong.
func sameStory(x, y *Finding) bool {
	if x.Conn != nil && x.Conn == y.Conn {
		return true
	}
	for _, a := range x.Evidence {
		for _, b := range y.Evidence {
			if a == b {
				return true
			}
		}
	}
	return false
}

func gradeOf(weight float64) Confidence {
	switch {
	case weight >= 0.9:
		return Certain
	case weight >= 0.7:
		return Likely
	}
	return Possible
}

func okVerdict(c *Case) Finding {
	f := Finding{Cause: "ok", Confidence: Certain, Side: Local, Title: "the run succeeded", Facts: []Fact{{"exit", 0}}}
	if c.T.Root != nil {
		f.Why = fmt.Sprintf("%s ended by itself with status 0.", c.T.Root.Name())
		f.Evidence = []Evidence{{"kernel", c.end(c.T.Root), fmt.Sprintf("%s[%d] +++ exited with 0 +++", c.T.Root.Name(), c.T.Root.PID)}}
	}
	return f
}

// unknownVerdict says what was seen and what can be excluded.
func unknownVerdict(c *Case, seen []Finding) Finding {
	f := Finding{Cause: "unknown", Confidence: Possible, Side: Local, Title: "no cause is linked to the failure", Proc: c.T.Root}
	st := uint32(0)
	if c.T.End != nil {
		st = c.T.End.Status
	}
	switch {
	case c.T.End == nil:
		f.Why = "The recording was cut off before the program ended."
	case c.T.End.Timeout:
		f.Why = "The program had not ended when its time was over."
	case st&0x7f != 0:
		f.Why = fmt.Sprintf("The program was ended by %s.", sysabi.SignalName(int(st&0x7f)))
	default:
		f.Why = fmt.Sprintf("The program exited with status %d.", exitCode(st))
	}
	f.Facts = append(f.Facts, Fact{"exit", exitCode(st)})
	f.Why += " " + c.excluded()
	for _, l := range c.Words[max(0, len(c.Words)-3):] {
		f.Evidence = append(f.Evidence, lineEvidence(l))
	}
	if len(seen) > 0 {
		f.Next = append(f.Next, "the candidates below were seen but nothing ties them to the failure")
	}
	f.Next = append(f.Next, "`culprit show CASE` lists what the program did before its end")
	return f
}

// excluded says what did not happen.
func (c *Case) excluded() string {
	var conns, refused, bad, crashed int
	for _, conn := range c.T.Conns {
		if conn.Remote.IsValid() && conn.Stream() {
			conns++
			if conn.Errno != 0 {
				refused++
			}
		}
		for _, x := range conn.HTTP {
			if x.Response != nil && x.Response.Status >= 400 {
				bad++
			}
		}
	}
	for _, p := range c.T.Procs {
		if p.Ended && p.Status&0x7f != 0 {
			crashed++
		}
	}
	return fmt.Sprintf("Of %d processes %d were ended by a signal; of %d connections %d failed; %d HTTP answers were errors.",
		len(c.T.Procs), crashed, conns, refused, bad)
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
