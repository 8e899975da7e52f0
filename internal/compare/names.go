package compare

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"culprit/internal/timeline"
)

// side is one run with the names that are its own: what it calls its directory,
// its processes and its temporary files says nothing.
type side struct {
	t     *timeline.Timeline
	dirs  [][2]string // path and what stands for it, longest first
	pids  map[string]bool
	known map[string]string // names that were worked out before
	env   map[string]string // of the command
}

func newSide(t *timeline.Timeline) *side {
	s := &side{t: t, pids: map[string]bool{}, known: map[string]string{}}
	for _, p := range t.Procs {
		s.pids[strconv.Itoa(int(p.PID))] = true
	}
	s.env = environment(t)
	cwd := t.Header.Cwd
	s.dir(cwd, ".")
	s.dir(s.env["TMPDIR"], "/tmp")
	s.dir(s.env["HOME"], "~")
	return s
}

// dir lets a name stand for a directory, unless that is one which many have.
func (s *side) dir(path, name string) {
	path = strings.TrimRight(path, "/")
	if strings.Count(path, "/") > 1 || path == "/root" {
		s.dirs = append(s.dirs, [2]string{path, name})
	}
}

// maxNames bounds what is remembered.
const maxNames = 1 << 20

// name is a path or another text without what differs from run to run.
func (s *side) name(text string) string {
	if n, ok := s.known[text]; ok {
		return n
	}
	n := text
	for _, d := range s.dirs {
		if n == d[0] {
			n = d[1]
		} else if rest, ok := strings.CutPrefix(n, d[0]+"/"); ok {
			n = d[1] + "/" + rest
		}
	}
	n = s.words(temporary(n))
	if len(s.known) < maxNames {
		s.known[text] = n
	}
	return n
}

// Names that mkstemp(3) and its kin make up (tmp.Ab3dEf, tmpabc_d9xz,
// sh-thd.Q1w2e3), or that hold a time or a random number.
var (
	randomName = regexp.MustCompile(`(^|[./_-])(tmp\.?|sh-thd\.|pip-[a-z-]+-|cc|[A-Za-z][\w-]*[._-])?([A-Za-z0-9_]{6,12})(\.\w{1,4})?$`)
	address    = regexp.MustCompile(`0x[0-9a-fA-F]{4,}`)
	longHex    = regexp.MustCompile(`\b[0-9a-f]{12,}\b|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
	dateTime   = regexp.MustCompile(`\d{4}-\d\d-\d\d([T _-]\d\d[:.-]?\d\d([:.-]?\d\d)?([.,]\d+)?)?|\d\d:\d\d:\d\d([.,]\d+)?`)
	number     = regexp.MustCompile(`\d+`)
)

// temporary takes the made-up part out of the names in the directories where
// programs keep what only they need.
func temporary(path string) string {
	for _, dir := range []string{"/tmp/", "/var/tmp/", "/dev/shm/", "/run/user/"} {
		rest, ok := strings.CutPrefix(path, dir)
		if !ok {
			continue
		}
		parts := strings.Split(rest, "/")
		for i, part := range parts {
			m := randomName.FindStringSubmatchIndex(part)
			if m == nil || !madeUp(part[m[6]:m[7]]) && !(m[4] >= 0 && strings.HasPrefix(part[m[4]:m[5]], "tmp")) {
				continue
			}
			parts[i] = part[:m[6]] + "*" + part[m[7]:]
		}
		return dir + strings.Join(parts, "/")
	}
	return path
}

// madeUp tells letters and digits that were thrown from a word that somebody
// chose: digits among the letters, or capitals after small ones.
func madeUp(s string) bool {
	digits, mixed := 0, false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case i > 0 && c >= 'A' && c <= 'Z' && s[i-1] >= 'a' && s[i-1] <= 'z':
			mixed = true
		}
	}
	return mixed || digits > 0 && digits < len(s)
}

// words takes addresses, times and process numbers out of a text.
func (s *side) words(text string) string {
	if !strings.ContainsAny(text, "0123456789") {
		return text
	}
	text = address.ReplaceAllString(text, "0x*")
	text = longHex.ReplaceAllString(text, "*")
	text = dateTime.ReplaceAllString(text, "*")
	return number.ReplaceAllStringFunc(text, func(n string) string {
		if len(n) > 2 && s.pids[n] || len(n) >= 6 {
			return "*"
		}
		return n
	})
}

// ephemeral is where Linux takes the ports of those who did not ask for one
// (net.ipv4.ip_local_port_range begins there).
const ephemeral = 32768

// port is an address whose port was given by chance, without it.
func addrPort(a netip.AddrPort) string {
	if a.Port() >= ephemeral {
		return a.Addr().Unmap().String() + ":*"
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
}

// peer names the remote end of a connection.
func (s *side) peer(c *timeline.Conn) string {
	switch {
	case c.Path != "":
		return s.name(c.Path)
	case !c.Remote.IsValid():
		return "socket"
	case c.Name != "":
		at := addrPort(c.Remote)
		return c.Name + at[strings.LastIndexByte(at, ':'):]
	}
	return addrPort(c.Remote)
}

var urlPort = regexp.MustCompile(`^(\w+://[^/?#]*:)(\d{5})`)

// url is a URL without what differs from run to run.
func (s *side) url(u string) string {
	if m := urlPort.FindStringSubmatchIndex(u); m != nil {
		if n, err := strconv.Atoi(u[m[4]:m[5]]); err == nil && n >= ephemeral {
			u = u[:m[3]] + "*" + u[m[5]:]
		}
	}
	return s.words(u)
}
