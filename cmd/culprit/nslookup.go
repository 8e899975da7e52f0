package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/spf13/cobra"

	"culprit/internal/resolve"
)

func nslookupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "nslookup [-OPTION...] NAME|ADDRESS [SERVER]",
		Short: "ask name servers as nslookup does, and say who of this machine's sources answers",
		Long: `Without a server or a type, the way of this machine is told behind nslookup's
answer: the sources of nsswitch.conf in their order, hosts, each name server and search
domain, and which of them answered.

Options are nslookup's:
  -type=TYPE, -query=TYPE   A, AAAA, MX, TXT, NS, SOA, SRV, PTR, CAA, ANY, ... (A and AAAA)
  -port=N                   port of the name server (53)
  -timeout=SECONDS          of one try
  -retry=N                  tries a server
  -vc                       ask over TCP
  -nosearch                 do not try the search domains
  -debug                    print whole answers
  -root=DIR                 read etc/resolv.conf, nsswitch.conf and hosts below DIR

Exit status: 0, or 1 when there is no answer.`,
		Example:            "  culprit nslookup example.com\n  culprit nslookup -type=mx example.com 9.9.9.9",
		DisableFlagParsing: true,
		RunE:               func(c *cobra.Command, args []string) error { return nslookup(c, args) },
	}
}

// nslookupRun is one invocation.
type nslookupRun struct {
	resolve.Config
	name     string
	types    []uint16
	server   string // as given, "" for the system's
	port     int
	debug    bool
	noSearch bool
	plain    bool // neither a type nor a server was given
}

func nslookup(c *cobra.Command, args []string) error {
	n, help, err := parseNslookup(args)
	if help {
		return c.Help()
	}
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
	defer stop()
	return n.run(ctx)
}

func parseNslookup(args []string) (n *nslookupRun, help bool, err error) {
	n = &nslookupRun{types: []uint16{dns.TypeA, dns.TypeAAAA}, plain: true, port: 53}
	root := ""
	set := []func(){}
	var words []string
	for _, a := range args {
		if !strings.HasPrefix(a, "-") || a == "-" {
			words = append(words, a)
			continue
		}
		name, value, _ := strings.Cut(strings.TrimLeft(strings.ToLower(a), "-"), "=")
		number := func() int {
			i, e := strconv.Atoi(value)
			if e != nil || i < 0 || i > 1<<16 {
				err = usagef("%s: %q is no number that fits", a, value)
			}
			return i
		}
		switch name {
		case "h", "help":
			return nil, true, nil
		case "type", "query", "querytype", "q", "ty":
			t, ok := dns.StringToType[strings.ToUpper(value)]
			if !ok {
				return nil, false, usagef("unknown query type: %s", value)
			}
			n.types, n.plain = []uint16{t}, false
		case "port", "po":
			n.port = number()
		case "timeout", "t":
			d := time.Duration(number()) * time.Second
			set = append(set, func() { n.Timeout = d })
		case "retry", "ret":
			i := number()
			set = append(set, func() { n.Tries = i })
		case "vc":
			set = append(set, func() { n.TCP = true })
		case "novc":
		case "debug", "d2":
			n.debug = true
		case "nosearch", "nodefname":
			n.noSearch = true
		case "root":
			root = value
			if i := strings.IndexByte(a, '='); i >= 0 {
				root = a[i+1:] // as written
			}
		default:
			return nil, false, usagef("unknown option %s: see `culprit nslookup --help`", a)
		}
		if err != nil {
			return nil, false, err
		}
	}
	switch len(words) {
	case 2:
		n.server, n.plain = words[1], false
		fallthrough
	case 1:
		n.name = words[0]
	default:
		return nil, false, usagef("`culprit nslookup` wants a name or an address, and a server at most: see `culprit nslookup --help`")
	}
	if n.Config, err = resolve.System(root, time.Now); err != nil {
		return nil, false, err
	}
	for _, f := range set {
		f()
	}
	if n.noSearch {
		n.Search = nil
	}
	return n, false, nil
}

func (n *nslookupRun) run(ctx context.Context) error {
	servers := n.Servers
	if n.server != "" {
		addrs := []netip.Addr{}
		if a, err := netip.ParseAddr(n.server); err == nil {
			addrs = append(addrs, a)
		} else {
			steps := n.Lookup(ctx, n.server)
			for _, s := range steps {
				addrs = append(addrs, s.Addrs...)
			}
		}
		if len(addrs) == 0 {
			return &exitError{1, fmt.Errorf("couldn't get address for the name server %q: not found", n.server)}
		}
		servers = nil
		for _, a := range addrs {
			servers = append(servers, net.JoinHostPort(a.String(), "53"))
		}
	}
	n.Servers = nil
	for _, s := range servers {
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			return fmt.Errorf("the name server %q: %w", s, err)
		}
		if n.port != 53 {
			port = strconv.Itoa(n.port)
		}
		n.Servers = append(n.Servers, net.JoinHostPort(host, port))
	}
	ok := n.ask(ctx)
	if n.plain {
		steps := n.Lookup
		if addr, err := netip.ParseAddr(n.name); err == nil {
			steps = func(ctx context.Context, _ string) []resolve.Step { return n.Reverse(ctx, addr) }
		}
		ok = way(steps(ctx, n.name)) || ok
	}
	if !ok {
		return &exitError{code: 1}
	}
	return nil
}

// ask does what nslookup does, in its words.
func (n *nslookupRun) ask(ctx context.Context) bool {
	names, types := n.Names(n.name), n.types
	if rev, err := dns.ReverseAddr(n.name); err == nil {
		names = []string{rev}
		if n.plain || len(n.types) > 1 {
			types = []uint16{dns.TypePTR}
		}
	}
	shown, found := "", false
	for i, name := range names {
		last := i == len(names)-1
		var rcode string
		var reply *dns.Msg
		for _, t := range types {
			for _, s := range n.Query(ctx, name, t) {
				if s.Err != nil {
					fmt.Printf(";; communications error to %s: %s\n", hash(s.Server), reason(s.Err))
					continue
				}
				if shown != s.Server {
					shown = s.Server
					host, _, _ := net.SplitHostPort(s.Server)
					fmt.Printf("Server:\t\t%s\nAddress:\t%s\n\n", orName(n.server, host), hash(s.Server))
				}
				if n.debug {
					fmt.Printf("------------\n%s\n------------\n", s.Reply)
				}
				rcode, reply = s.Rcode, s.Reply
				if !s.Found() {
					continue
				}
				if !found && !s.Reply.Authoritative {
					fmt.Println("Non-authoritative answer:")
				}
				found = true
				for _, rr := range s.Reply.Answer {
					fmt.Println(recordLine(rr))
				}
			}
		}
		switch {
		case found:
			fmt.Println()
			return true
		case rcode == "":
			fmt.Println(";; no servers could be reached")
			return false
		case last && rcode == "NOERROR":
			noAnswer(n.name, reply)
		case last:
			fmt.Printf("** server can't find %s: %s\n\n", strings.TrimSuffix(name, "."), rcode)
		}
	}
	return false
}

// noAnswer says that a name exists and has no such record.
func noAnswer(name string, reply *dns.Msg) {
	if !reply.Authoritative {
		fmt.Println("Non-authoritative answer:")
	}
	fmt.Printf("*** Can't find %s: No answer\n", name)
	if !reply.Authoritative {
		fmt.Println("\nAuthoritative answers can be found from:")
		for _, rr := range reply.Ns {
			fmt.Println(recordLine(rr))
		}
		fmt.Println()
	}
}

func orName(name, host string) string {
	if name != "" {
		return name
	}
	return host
}

// hash is an address as nslookup writes it.
func hash(server string) string {
	host, port, _ := net.SplitHostPort(server)
	return host + "#" + port
}

func reason(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		text = text[i+2:]
	}
	if text == "i/o timeout" {
		return "timed out"
	}
	return text
}

// recordLine is one record in nslookup's form.
func recordLine(rr dns.RR) string {
	name := strings.TrimSuffix(rr.Header().Name, ".")
	switch x := rr.(type) {
	case *dns.A:
		return fmt.Sprintf("Name:\t%s\nAddress: %s", name, x.A)
	case *dns.AAAA:
		return fmt.Sprintf("Name:\t%s\nAddress: %s", name, x.AAAA)
	case *dns.CNAME:
		return fmt.Sprintf("%s\tcanonical name = %s", name, x.Target)
	case *dns.PTR:
		return fmt.Sprintf("%s\tname = %s", name, x.Ptr)
	case *dns.NS:
		return fmt.Sprintf("%s\tnameserver = %s", name, x.Ns)
	case *dns.MX:
		return fmt.Sprintf("%s\tmail exchanger = %d %s", name, x.Preference, x.Mx)
	case *dns.TXT:
		return fmt.Sprintf("%s\ttext = \"%s\"", name, strings.Join(x.Txt, `" "`))
	case *dns.SRV:
		return fmt.Sprintf("%s\tservice = %d %d %d %s", name, x.Priority, x.Weight, x.Port, x.Target)
	case *dns.SOA:
		return fmt.Sprintf("%s\n\torigin = %s\n\tmail addr = %s\n\tserial = %d\n\trefresh = %d\n\tretry = %d\n\texpire = %d\n\tminimum = %d",
			name, strings.TrimSuffix(x.Ns, "."), strings.TrimSuffix(x.Mbox, "."), x.Serial, x.Refresh, x.Retry, x.Expire, x.Minttl)
	}
	return fmt.Sprintf("%s\trdata_%d = %s", name, rr.Header().Rrtype, strings.TrimPrefix(rr.String(), rr.Header().String()))
}

// way tells how this machine's programs get at the name or the address.
func way(steps []resolve.Step) bool {
	fmt.Printf("\nOn this machine:\n")
	found := false
	for _, s := range steps {
		what := s.Rcode
		switch {
		case s.Source != "dns" && s.Source != "files":
			what = "not asked: culprit knows files and dns"
		case s.Err != nil:
			what = reason(s.Err)
		case len(s.Addrs) > 0:
			var a []string
			for _, x := range s.Addrs {
				a = append(a, x.String())
			}
			what, found = strings.Join(a, " "), true
		case len(s.Names) > 0:
			what, found = strings.Join(s.Names, " "), true
		case s.Source == "files":
			what = "not there"
		case s.Rcode == "NOERROR":
			what = "no such record"
		}
		where := s.Server
		if s.Source == "dns" {
			where = fmt.Sprintf("%s %s? to %s", s.Type, s.Name, hash(s.Server))
		}
		fmt.Printf("  %-6s %-50s %s", s.Source, where, what)
		if s.Source == "dns" {
			fmt.Printf(" (%v)", s.Took.Round(100*time.Microsecond))
		}
		fmt.Println()
	}
	return found
}
