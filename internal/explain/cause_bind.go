package explain

import (
	"fmt"
	"path"
	"strings"

	"culprit/internal/timeline"
)

var bindError = Cause{
	Names: []string{"address-in-use", "bind-permission"},
	Doc:   "bind(2) or listen(2) was refused an address, and the process got it neither later nor took another instead",
	Find: func(c *Case) []Finding {
		var out []Finding
		for _, p := range c.T.Procs {
			last := map[string]int{} // address -> index in out
			for i, call := range p.Calls {
				name := call.Name()
				if name != "bind" && name != "listen" {
					continue
				}
				errno := call.Errno().Name()
				if errno != "EADDRINUSE" && errno != "EACCES" && !(errno == "EPERM" && name == "bind") {
					continue
				}
				addr, port := boundAddress(p, i)
				if addr == "" || boundLater(p, i, addr) {
					continue
				}
				f := c.bindFinding(call, addr, port)
				f.Links = c.linkCall(call, addressWords(addr, port)...)
				f.Links = append(f.Links, c.linkLast(p, call.Leave(), wLast, 0, "the last service that it tried to offer before the end")...)
				if len(f.Links) == 0 {
					continue
				}
				if x, ok := c.exceptionFrom(call); ok {
					f.Evidence = append(f.Evidence, exceptionEvidence(x))
					f.Where = where(x)
				}
				if j, again := last[addr]; again {
					out[j] = f // a retry; the last one counts
				} else {
					last[addr] = len(out)
					out = append(out, f)
				}
			}
		}
		return out
	},
}

// boundAddress is the address that a bind, or the bind before a listen, names.
func boundAddress(p *timeline.Process, i int) (addr string, port uint16) {
	call := p.Calls[i]
	if call.Name() == "listen" {
		for j := i - 1; j >= 0; j-- {
			if o := p.Calls[j]; o.Name() == "bind" && o.Raw.Args[0] == call.Raw.Args[0] {
				call = o
				break
			}
		}
	}
	a, ok := call.Decode().Sockaddr()
	switch {
	case !ok:
		return "", 0
	case a.Path != "":
		return a.Path, 0
	case a.AddrPort.IsValid():
		return a.AddrPort.String(), a.AddrPort.Port()
	}
	return "", 0
}

// boundLater reports whether the process got the address on another try, or
// bound the same socket to another one: most programs that look for a free port
// do that.
func boundLater(p *timeline.Process, i int, addr string) bool {
	call := p.Calls[i]
	for j := i + 1; j < len(p.Calls); j++ {
		o := p.Calls[j]
		if o.Raw.Ret != 0 || o.Name() != call.Name() {
			continue
		}
		other, port := boundAddress(p, j)
		_, wanted := boundAddress(p, i)
		if other == addr {
			return true
		}
		// Another port of the same kind of socket is a second choice; port 0 and a
		// next port are asked for only by who has one.
		if other != "" && o.Desc != nil && call.Desc != nil && o.Desc.Type == call.Desc.Type && port != wanted &&
			strings.HasPrefix(other, "/") == strings.HasPrefix(addr, "/") && !reserved(p, other, i) {
			return true
		}
	}
	return false
}

// reserved reports whether the process had tried that address before too: then
// it is one of several that it needs, not a second choice.
func reserved(p *timeline.Process, addr string, before int) bool {
	for j := range p.Calls[:before] {
		if p.Calls[j].Name() == "bind" {
			if a, _ := boundAddress(p, j); a == addr {
				return true
			}
		}
	}
	return false
}

// addressWords is how a message may call an address.
func addressWords(addr string, port uint16) []string {
	if port == 0 {
		return []string{addr, path.Base(addr)}
	}
	return []string{addr, fmt.Sprintf("port %d", port), fmt.Sprintf("port: %d", port), fmt.Sprintf(":%d", port), fmt.Sprintf("', %d)", port)}
}

func (c *Case) bindFinding(call *timeline.Call, addr string, port uint16) Finding {
	p, errno := call.Proc, call.Errno()
	f := Finding{Side: Local, Proc: p, Facts: []Fact{{"address", addr}}, Evidence: []Evidence{callEvidence(call)}}
	if port != 0 {
		f.Facts = append(f.Facts, Fact{"port", port})
	}
	f.Facts = append(f.Facts, Fact{"errno", errno.Name()})
	if errno.Name() != "EADDRINUSE" {
		f.Cause = "bind-permission"
		f.Title = fmt.Sprintf("%s may not listen on %s", p.Name(), addr)
		f.Why = fmt.Sprintf("%s() of %s for %s failed with %s (%s).", call.Name(), p.Name(), addr, errno.Name(), errno.Text())
		f.Next = []string{"`namei -l " + path.Dir(addr) + "` shows who may make files there"}
		if port != 0 && port < 1024 {
			f.Why += " Ports under 1024 are for root, or for programs with CAP_NET_BIND_SERVICE (ip(7), ip_unprivileged_port_start)."
			f.Next = []string{"use a port from 1024 on", "`setcap cap_net_bind_service=+ep " + p.Exe + "`, or `sysctl net.ipv4.ip_unprivileged_port_start`"}
		} else if port != 0 {
			f.Why += " The port is not a reserved one: a security module or a container's rule forbids it."
			f.Next = []string{"look for denials in the system journal: `journalctl -k | grep -i denied`"}
		}
		return f
	}
	f.Cause = "address-in-use"
	f.Title = fmt.Sprintf("the address %s is in use", addr)
	f.Why = fmt.Sprintf("%s() of %s for %s failed with EADDRINUSE (%s).", call.Name(), p.Name(), addr, errno.Text())
	f.Next = []string{fmt.Sprintf("`ss -ltnup 'sport = :%d'` shows who listens there", port), "use another port, or end the other program"}
	if port == 0 {
		f.Next = []string{"if no program uses it any more: `rm " + addr + "`"}
	}
	for i := range p.Holders {
		h := &p.Holders[i]
		if h.What != "address" || h.Name != addr {
			continue
		}
		name := holderText(*h)
		switch {
		case name == "":
			f.Why += " " + strings.ToUpper(h.Detail[:min(1, len(h.Detail))]) + h.Detail[min(1, len(h.Detail)):] + "."
			f.Facts = append(f.Facts, Fact{"state", h.Detail})
		case h.Process == p.PID:
			f.Title = fmt.Sprintf("%s uses the address %s twice", p.Name(), addr)
			f.Why += " It listens there already itself: the address is asked for twice."
			f.Next = []string{"look for the address in the program's settings: it is there twice, or once for all addresses and once for one"}
		default:
			f.Title = fmt.Sprintf("the address %s is in use by %s", addr, name)
			f.Why += " " + name + " has it."
			f.Facts = append(f.Facts, Fact{"holder", name})
			f.Next[len(f.Next)-1] = "use another address, or end " + name
		}
		f.Evidence = append(f.Evidence, Evidence{"kernel", h.Time, fmt.Sprintf("%s is held by %s", addr, orNobody(name, h.Detail))})
	}
	return f
}

func orNobody(name, detail string) string {
	if name == "" {
		return "a process that is not known: " + detail
	}
	return name
}
