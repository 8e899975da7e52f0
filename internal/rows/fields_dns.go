package rows

import (
	"net/netip"

	"culprit/internal/dissect/dns"
	"culprit/internal/filter"
)

var dnsFields = []Field{
	protocol("dns", Linked, "a question to a name server, or its answer", func(r *Row) bool { return r.Lookup != nil }),
	dnsAddresses("dns.a", filter.IPv4),
	dnsAddresses("dns.aaaa", filter.IPv6),
	field("dns.cname", filter.String, Linked, "what a name stands for, by the answer's CNAME records", func(r *Row, to []filter.Value) []filter.Value {
		if r.Kind == Answer {
			for _, name := range r.Lookup.Aliases {
				to = append(to, filter.S(name))
			}
		}
		return to
	}),
	symbols(number("dns.flags.rcode", Linked, "response code of an answer", func(r *Row) (uint64, bool) {
		if r.Kind != Answer {
			return 0, false
		}
		return rcodeNumber(r.Lookup.Rcode)
	}), rcodeNumber, func(n uint64) string { return dns.Rcode(n).String() }),
	field("dns.flags.response", filter.Bool, Linked, "it is an answer; 0 for a question", func(r *Row, to []filter.Value) []filter.Value {
		switch r.Kind {
		case Query:
			to = append(to, filter.U(0))
		case Answer:
			to = append(to, filter.U(1))
		}
		return to
	}),
	number("dns.id", Linked, "transaction id", func(r *Row) (uint64, bool) {
		if r.Lookup == nil {
			return 0, false
		}
		return uint64(r.Lookup.ID), true
	}),
	text("dns.qry.name", Linked, "name that was asked for", func(r *Row) string {
		if r.Lookup == nil {
			return ""
		}
		return r.Lookup.Name
	}),
	symbols(number("dns.qry.type", Linked, "type of the records that were asked for", func(r *Row) (uint64, bool) {
		if r.Lookup == nil {
			return 0, false
		}
		return dnsType(r.Lookup.Type)
	}), dnsType, func(n uint64) string { return dns.Type(n).String() }),
	signed("dns.time", filter.Duration, Linked, "time from the question to its answer", func(r *Row) (int64, bool) {
		if r.Kind != Answer {
			return 0, false
		}
		return int64(r.Lookup.AnsweredAt - r.Lookup.Time), true
	}),
	mark("dns.unanswered", Linked, "no answer came to the question", func(r *Row) bool { return r.Kind == Query && !r.Lookup.Answered }),
}

func dnsAddresses(name string, t filter.Type) Field {
	return field(name, t, Linked, "addresses in an answer", func(r *Row, to []filter.Value) []filter.Value {
		if r.Kind == Answer {
			for _, a := range r.Lookup.Addrs {
				if a.Is4() == (t == filter.IPv4) && a != (netip.Addr{}) {
					to = append(to, filter.A(a))
				}
			}
		}
		return to
	})
}

var (
	rcodeNumber = reverse(24, func(n uint64) string { return dns.Rcode(n).String() })
	dnsType     = reverse(258, func(n uint64) string { return dns.Type(n).String() })
)
