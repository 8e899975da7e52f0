/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the programs use of the kernel's interface: helper numbers and struct
 * __sk_buff (linux/bpf.h), protocol numbers (IANA, RFC 792, 4443, 9293). None of
 * its own structures: reading the kernel's BTF would take longer than all else.
 */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef _Bool bool;

#define SEC(name) __attribute__((section(name), used))
#define inline __attribute__((always_inline)) inline
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "written for little endian"
#endif
#define htons(x) ((u16)__builtin_bswap16(x))
#define htonl(x) ((u32)__builtin_bswap32(x))

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_RINGBUF = 27,

	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1,

	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_AVAIL_DATA = 0,

	PACKET_OUTGOING = 4, /* linux/if_packet.h */
	LOOPBACK = 1,	     /* the interface, in every network namespace */

	ETH_P_IP = 0x0800,
	ETH_P_IPV6 = 0x86dd,

	IPPROTO_ICMP = 1,
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
	IPPROTO_ICMPV6 = 58,

	TCP_RST = 4,
};

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static long (*bpf_skb_load_bytes)(const void *skb, u32 offset, void *to, u32 len) = (void *)26;
static void *(*bpf_ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*bpf_ringbuf_submit)(void *data, u64 flags) = (void *)132;
static u64 (*bpf_ringbuf_query)(void *ring, u64 flags) = (void *)134;

/* What a program on packets sees; the beginning of the structure. */
struct __sk_buff {
	u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority;
	u32 ingress_ifindex, ifindex;
};

/* v, at most max, in a form that the verifier follows. */
#define bounded(v, max)                                                                            \
	({                                                                                         \
		u64 _b = (v);                                                                      \
		asm volatile("" : "+r"(_b));                                                       \
		if (_b > (max))                                                                    \
			_b = (max);                                                                \
		asm volatile("" : "+r"(_b));                                                       \
		_b;                                                                                \
	})
