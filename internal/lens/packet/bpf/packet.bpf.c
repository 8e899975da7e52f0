/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Copies the packets of one cgroup's sockets into a ring.
 *
 * outgoing and incoming stand at the cgroup: they see what its sockets send
 * (retransmissions and what the kernel sends for them included) and get. They
 * can't see what no socket sends or gets: ICMP errors, and the RSTs of
 * connections whose socket is gone. Those are taken by aside, the filter of an
 * AF_PACKET socket, when they are about a flow that the first two have met.
 */
#include "kernel.h"

volatile const u64 max_stream = 16 << 20; /* bytes kept of a flow, of the larger packets */
volatile const u64 pressure = 12 << 20;	  /* bytes in the ring from which on only headers are kept */

/* Counters that the loader reads. */
u64 lost, lost_bytes; /* no room in the ring */
u64 cut, cut_bytes;   /* kept without their data: over max_stream, or under pressure */

#define RING_BYTES (16 << 20) /* set by the loader */
#define HEADERS 128	      /* kept of a packet without its data */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} ring SEC(".maps");

struct flow {
	u32 local[4], remote[4]; /* IPv4 as ::ffff:a.b.c.d */
	u16 lport, rport;
	u32 proto;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct flow);
	__type(value, u64); /* bytes kept */
} flows SEC(".maps");

struct record {
	u64 time;
	u32 ifindex;
	u32 len; /* on the wire */
	u32 cap; /* bytes that follow */
	u32 out;
};

/* What an IP packet says of itself. */
struct head {
	u32 src[4], dst[4];
	u16 sport, dport;
	u32 proto;
	u32 at; /* where the transport header begins */
};

static inline void map4(u32 to[4], u32 addr)
{
	to[0] = to[1] = 0;
	to[2] = htonl(0xffff);
	to[3] = addr;
}

/* Reads the IP header at an offset; of a fragment only the first tells ports. */
static inline bool parse(struct __sk_buff *skb, u32 off, struct head *h)
{
	u32 b[10]; /* the longer one of IP's headers */
	u16 ports[2];

	if (bpf_skb_load_bytes(skb, off, b, 20) < 0)
		return 0;
	u8 version = b[0] >> 4 & 15;
	if (version == 4) {
		u32 ihl = (b[0] & 15) * 4;
		if (ihl < 20)
			return 0;
		map4(h->src, b[3]);
		map4(h->dst, b[4]);
		h->proto = b[2] >> 8 & 255;
		h->at = off + ihl;
		if (b[1] >> 16 & htons(0x1fff))
			return 1;
	} else if (version == 6) {
		if (bpf_skb_load_bytes(skb, off, b, 40) < 0)
			return 0;
		__builtin_memcpy(h->src, b + 2, 16);
		__builtin_memcpy(h->dst, b + 6, 16);
		h->proto = b[1] >> 16 & 255;
		h->at = off + 40;
#pragma unroll
		for (int i = 0; i < 3; i++) { /* extension headers */
			u8 e[8];
			if (h->proto != 0 && h->proto != 43 && h->proto != 44 && h->proto != 60)
				break;
			if (bpf_skb_load_bytes(skb, h->at, e, 8) < 0)
				return 0;
			u32 n = h->proto == 44 ? 8 : e[1] * 8 + 8;
			h->proto = e[0];
			h->at += n;
		}
	} else {
		return 0;
	}
	if ((h->proto == IPPROTO_TCP || h->proto == IPPROTO_UDP) && bpf_skb_load_bytes(skb, h->at, ports, 4) == 0) {
		h->sport = ports[0];
		h->dport = ports[1];
	}
	return 1;
}

static inline void flow_of(struct flow *f, const struct head *h, bool out)
{
	__builtin_memcpy(f->local, out ? h->src : h->dst, 16);
	__builtin_memcpy(f->remote, out ? h->dst : h->src, 16);
	f->lport = out ? h->sport : h->dport;
	f->rport = out ? h->dport : h->sport;
	f->proto = h->proto;
}

/* Room of a given size, since the verifier wants it constant, and one copy into it. */
#define PUT(size)                                                                                  \
	({                                                                                         \
		struct record *r = bpf_ringbuf_reserve(&ring, sizeof(*r) + (size), 0);             \
		if (r) {                                                                           \
			u64 n = bounded(want, (size));                                             \
			r->time = bpf_ktime_get_ns();                                              \
			r->ifindex = skb->ifindex;                                                 \
			r->len = skb->len;                                                         \
			r->cap = n;                                                                \
			r->out = out;                                                              \
			if (n == 0 || bpf_skb_load_bytes(skb, 0, r + 1, n) < 0)                    \
				r->cap = 0;                                                        \
			bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);                                   \
		}                                                                                  \
		r != 0;                                                                            \
	})

static inline void put(struct __sk_buff *skb, u32 want, bool out)
{
	bool done = 0;

	if (want > 16384)
		done = PUT(65536);
	else if (want > 2048)
		done = PUT(16384);
	else if (want > HEADERS)
		done = PUT(2048);
	if (done)
		return;
	if (want > HEADERS) { /* the ring is full, or nearly so */
		__sync_fetch_and_add(&cut, 1);
		__sync_fetch_and_add(&cut_bytes, skb->len - HEADERS);
		want = HEADERS;
	}
	if (PUT(HEADERS))
		return;
	__sync_fetch_and_add(&lost, 1);
	__sync_fetch_and_add(&lost_bytes, skb->len);
}

static inline int take(struct __sk_buff *skb, bool out)
{
	struct head h = {};
	struct flow f = {};
	u32 want = skb->len;
	u64 *kept, none = 0;

	if (!parse(skb, 0, &h))
		return 1;
	flow_of(&f, &h, out);
	kept = bpf_map_lookup_elem(&flows, &f);
	if (!kept) {
		bpf_map_update_elem(&flows, &f, &none, BPF_NOEXIST);
		kept = bpf_map_lookup_elem(&flows, &f);
	}
	/* A flow that finds no room in the table is one of very many. */
	if (want > HEADERS && (!kept || *kept >= max_stream || bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > pressure)) {
		__sync_fetch_and_add(&cut, 1);
		__sync_fetch_and_add(&cut_bytes, want - HEADERS);
		want = HEADERS;
	}
	if (kept && want > HEADERS)
		__sync_fetch_and_add(kept, want);
	put(skb, want, out);
	return 1;
}

SEC("cgroup_skb/egress")
int outgoing(struct __sk_buff *skb)
{
	return take(skb, 1);
}

SEC("cgroup_skb/ingress")
int incoming(struct __sk_buff *skb)
{
	return take(skb, 0);
}

/* Is it an ICMP error, which quotes the packet that it is about? */
static inline bool is_error(struct __sk_buff *skb, const struct head *h)
{
	u8 type;

	if (h->proto != IPPROTO_ICMP && h->proto != IPPROTO_ICMPV6)
		return 0;
	if (bpf_skb_load_bytes(skb, h->at, &type, 1) < 0)
		return 0;
	if (h->proto == IPPROTO_ICMPV6)
		return type >= 1 && type <= 4;
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

SEC("socket")
int aside(struct __sk_buff *skb)
{
	struct head h = {}, quoted = {};
	struct head *about = &h;
	struct flow f = {};
	u8 flags = 0;
	bool out = 1;

	if (skb->protocol != htons(ETH_P_IP) && skb->protocol != htons(ETH_P_IPV6))
		return 0;
	if (skb->ifindex == LOOPBACK && skb->pkt_type == PACKET_OUTGOING)
		return 0; /* it comes in again */
	if (!parse(skb, 0, &h))
		return 0;
	if (h.proto == IPPROTO_TCP) {
		if (bpf_skb_load_bytes(skb, h.at + 13, &flags, 1) < 0 || !(flags & TCP_RST))
			return 0;
	} else if (is_error(skb, &h)) {
		if (!parse(skb, h.at + 8, &quoted))
			return 0;
		about = &quoted;
	} else {
		return 0;
	}
	flow_of(&f, about, 1);
	if (!bpf_map_lookup_elem(&flows, &f)) {
		flow_of(&f, about, 0);
		if (!bpf_map_lookup_elem(&flows, &f))
			return 0;
		out = 0;
	}
	/* Who quotes a packet is the other side of it. */
	put(skb, skb->len, out == (about == &h));
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
