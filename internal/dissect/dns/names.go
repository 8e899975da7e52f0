package dns

import (
	"net/netip"
	"strings"

	"culprit/internal/event"
)

// maxNamed bounds the addresses that Names keeps.
const maxNamed = 1 << 16

// Names tells which name an address was asked for by. The zero value is ready.
type Names struct {
	by      map[netip.Addr][]named
	Dropped int // answers over the limit
}

type named struct {
	name string
	at   event.Time
}

// Add takes the answers of a response that came at time t: each address is
// filed under the name that was asked, through any chain of CNAMEs.
func (n *Names) Add(m *Message, t event.Time) {
	if !m.Response || len(m.Questions) == 0 {
		return
	}
	// from leads from an alias' target back to the alias.
	from := map[string]string{}
	for i := range m.Answers {
		if r := &m.Answers[i]; r.Type == CNAME {
			from[strings.ToLower(r.Host)] = strings.ToLower(r.Name)
		}
	}
	for i := range m.Answers {
		r := &m.Answers[i]
		if !r.Addr.IsValid() {
			continue
		}
		name := strings.ToLower(r.Name)
		for range from { // at most that many steps: a loop ends
			alias, ok := from[name]
			if !ok {
				break
			}
			name = alias
		}
		n.Put(r.Addr, name, t)
	}
}

// Put files an address under a name, as an /etc/hosts file or a resolver's
// interface tells it.
func (n *Names) Put(a netip.Addr, name string, t event.Time) {
	a = a.Unmap()
	list := n.by[a]
	for i := range list {
		if list[i].name == name {
			return
		}
	}
	if len(n.by) >= maxNamed && list == nil || len(list) >= 64 {
		n.Dropped++
		return
	}
	if n.by == nil {
		n.by = make(map[netip.Addr][]named)
	}
	n.by[a] = append(list, named{name, t})
}

// Name returns the name that was given a last before time t, or the first one
// given later, "" when there is none.
func (n *Names) Name(a netip.Addr, t event.Time) string {
	best := ""
	var when event.Time
	for _, x := range n.by[a.Unmap()] {
		switch {
		case best == "",
			x.at <= t && (when > t || x.at >= when),
			x.at > t && when > t && x.at < when:
			best, when = x.name, x.at
		}
	}
	return best
}

// All returns every name of a, in order of appearance.
func (n *Names) All(a netip.Addr) (names []string) {
	for _, x := range n.by[a.Unmap()] {
		names = append(names, x.name)
	}
	return names
}
