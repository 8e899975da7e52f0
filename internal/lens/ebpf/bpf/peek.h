/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Looks at what lies unread in a stream socket, without taking it. */
#pragma once
#include "file.h"

#define PEEK_CLOSE 1
#define PEEK_EXIT 2
#define PEEK_FAILED 3
#define MAX_BUFFERS 48 /* of a queue that are walked */
#define MAX_FRAGS 17   /* MAX_SKB_FRAGS */

struct unix_skb_parms {
	u32 consumed;
} __attribute__((preserve_access_index));

struct skb_shared_info {
	u8 nr_frags;
	u8 frags[1]; /* of struct frag */
} __attribute__((preserve_access_index));

struct frag { /* struct bio_vec, since 6.9 struct skb_frag: the same layout */
	u64 page;
	u32 len, offset;
};

/* Copies len bytes of kernel memory, after those to be skipped. */
alone int bytes(u32 slot, u64 from, u32 len)
{
	struct scratch *s = get(slot);
	u64 off;

	if (!s || !len)
		return 0;
	if (s->skip >= len) {
		s->skip -= len;
		return 0;
	}
	from += s->skip;
	len -= s->skip;
	s->skip = 0;
	if (len > s->budget)
		len = s->budget;
	if (len > CHUNK)
		len = CHUNK;
	off = space(s, len);
	if (!len)
		return 0;
	if (bpf_probe_read_kernel(s->buf + off + sizeof(struct piece), bounded(len, CHUNK), (void *)from))
		return 0;
	piece(s, off, 0, len, AT_DATA);
	s->budget -= len;
	s->left += len;
	return 0;
}

alone int fragment(u32 slot, u64 at)
{
	struct frag f = {};
	u64 size = TYPE_SIZE(struct page);

	bpf_probe_read_kernel(&f, sizeof(f), (void *)at);
	if (!direct || !f.page || f.page & 1 || !size)
		return 1;
	return bytes(slot, direct + ((f.page - page_structs) / size << 12) + f.offset, f.len);
}

alone int buffer(u32 slot, u64 addr)
{
	struct sk_buff *skb = (void *)addr;
	struct skb_shared_info *info = (void *)READ(skb, head) + READ(skb, end);
	u32 len = READ(skb, len), paged = READ(skb, data_len), n;
	void *frags = __builtin_preserve_access_index(&info->frags);

	bytes(slot, (u64)READ(skb, data), len - paged);
	n = READ(info, nr_frags);
	for (u32 i = 0; i < MAX_FRAGS; i++)
		if (i >= n || fragment(slot, (u64)frags + i * sizeof(struct frag)))
			break;
	return 0;
}

/* Bytes of a socket's queue up to its end, -1 when it is longer than we look. */
alone int queued_bytes(u64 first, u64 end)
{
	struct sk_buff *skb = (void *)first;
	u32 sum = 0;

	for (u32 i = 0; i < MAX_BUFFERS; i++) {
		if ((u64)skb == end || !skb)
			return sum;
		sum += READ(skb, len);
		skb = READ(skb, next);
	}
	return (u64)skb == end ? (s32)sum : -1;
}

/* Unread bytes of a socket, and how much of its first buffer has been read. */
alone int unread(u32 slot, u64 socket, u64 buffer, u64 end)
{
	struct scratch *s = get(slot);
	struct sock *sk = (void *)socket;
	struct sk_buff *first = (void *)buffer;
	u32 family = READ(sk, __sk_common.skc_family);
	s32 sum;

	if (!s)
		return 0;
	s->skip = 0;
	if (family == AF_INET || family == AF_INET6) {
		struct tcp_sock *tp = (void *)sk;
		u32 seq = 0, copied = READ(tp, copied_seq), n = READ(tp, rcv_nxt) - copied;

		if (READ(sk, sk_protocol) != 6)
			return 0;
		bpf_probe_read_kernel(&seq, 4, __builtin_preserve_access_index(&first->cb));
		s->skip = copied - seq;
		if (!n || READ(sk, __sk_common.skc_state) == 1)
			return n;
		sum = queued_bytes(buffer, end); /* a FIN has a number too */
		return sum < 0 ? n : sum - s->skip;
	}
	if (family == AF_UNIX) {
		struct unix_skb_parms *p = (void *)__builtin_preserve_access_index(&first->cb);

		s->skip = READ(p, consumed);
		sum = queued_bytes(buffer, end);
		return sum - s->skip;
	}
	return 0;
}

alone int peek(u32 slot, u32 fd, u32 when)
{
	struct scratch *s = get(slot);
	struct file *f = file_of(fd);
	struct sk_buff *skb;
	struct peek_body *b;
	struct inode *inode;
	struct sock *sk;
	u32 type, queued;
	u64 end;

	if (!s || !f)
		return 0;
	inode = READ(f, f_inode);
	if ((READ(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	sk = sock_of(f);
	type = READ(sk, sk_type);
	if (type != 1 && type != 5) /* SOCK_STREAM, SOCK_SEQPACKET */
		return 0;
	end = (u64)__builtin_preserve_access_index(&sk->sk_receive_queue);
	skb = READ(sk, sk_receive_queue.next);
	if ((u64)skb == end || !skb)
		return 0;
	queued = unread(slot, (u64)sk, (u64)skb, end);
	if ((s32)queued <= 0)
		return 0;
	s->left = 0;
	s->budget = queued < max_peek ? queued : max_peek;
	for (u32 i = 0; i < MAX_BUFFERS; i++) {
		if ((u64)skb == end || !skb || !s->budget)
			break;
		buffer(slot, (u64)skb);
		skb = READ(skb, next);
	}
	b = (void *)(s->buf + BODY - sizeof(*b));
	b->fd = fd;
	b->when = when;
	b->ino = READ(inode, i_ino);
	b->queued = queued;
	b->missing = atmost(queued, max_peek) - s->left;
	put(s, RECORD_PEEK, sizeof(*b));
	return 0;
}

alone int peek_step(u32 slot, u32 first, u32 last, u32 when)
{
	for (u32 i = 0; i < STEP; i++) {
		if (first + i > last)
			break;
		peek(slot, first + i, when);
	}
	return 0;
}

/* The sockets among the first 1024 descriptors from first to last. */
alone int peek_range(u32 slot, u32 first, u32 last, u32 when)
{
	u32 max = table_size();

	if (!max)
		return 0;
	if (last >= max)
		last = max - 1;
	for (u32 i = 0; i < 1024; i += STEP) {
		if (first + i > last)
			break;
		peek_step(slot, first + i, last, when);
	}
	return 0;
}

struct pipe_buffer {
	struct page *page;
	u32 offset;
} __attribute__((preserve_access_index));

struct pipe_inode_info {
	u32 tail, ring_size;
	struct pipe_buffer *bufs;
} __attribute__((preserve_access_index));

#define GIB (1ULL << 30)

/* Finds out where the kernel maps memory and its struct pages, which KASLR moves
 * by whole GiB (arch/x86/mm/kaslr.c): fd is a pipe of ours that holds the
 * cookie, so a pair is right if it leads from the pipe's page to the cookie. */
static inline bool holds_cookie(u64 at)
{
	u64 found[2] = {};

	return !bpf_probe_read_kernel(found, sizeof(found), (void *)at) && found[0] == cookie && found[1] == ~cookie;
}

alone int calibrate_step(u64 page, u32 offset, u64 base, u64 structs)
{
	u64 size = TYPE_SIZE(struct page), delta;

	if (!size || page < structs)
		return 0;
	delta = ((page - structs) / size << 12) + offset;
	for (u32 i = 0; i < STEP; i++, base -= GIB)
		if (holds_cookie(base + delta)) {
			direct = base;
			page_structs = structs;
			return 1;
		}
	return 0;
}

/* Finds out how deep the recorder's PID namespace is: every task has a number in
 * each from the first to its own. */
static inline void find_level(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct pid *pid = READ(task, thread_pid);
	u64 at = (u64)__builtin_preserve_access_index(&pid->numbers);

	for (u32 i = 0; i < 33; i++) { /* MAX_PID_NS_LEVEL */
		struct upid *u = (void *)(at + i * TYPE_SIZE(struct upid));

		if (i > READ(pid, level))
			break;
		if (READ(READ(u, ns), ns.inum) == namespace_ino)
			level = i;
	}
}

/* What the recorder's own call tells. */
alone int introduce(u32 fd)
{
	struct file *f = file_of(fd);
	struct pipe_inode_info *pipe = READ(f, private_data);
	struct pipe_buffer *b = READ(pipe, bufs) ;
	u64 page, task = bpf_get_current_task();
	u32 offset;

	find_level();
	b = (void *)b + (READ(pipe, tail) & (READ(pipe, ring_size) - 1)) * TYPE_SIZE(struct pipe_buffer);
	page = (u64)READ(b, page);
	offset = READ(b, offset);
	if (!page)
		return 0;
	for (u32 i = 0; i < 64; i++)
		if (calibrate_step(page, offset, (task & ~(GIB - 1)) - (i >> 2) * STEP * GIB,
				   (page & ~(GIB - 1)) - (i & 3) * GIB))
			break;
	return 0;
}
