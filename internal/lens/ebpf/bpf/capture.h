/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Copies memory as the rules say: what sysabi's Capture does, in the kernel. */
#pragma once
#include "state.h"

#define MAX_STRING 4096
#define MAX_IOVECS 1024
#define MAX_STRUCTS 4096
#define MAX_SOCKADDR 128
#define MAX_CONTROL 4096
#define MAX_STRINGS 1024
#define MAX_ARGV (256 << 10)
#define FAILED_DATA 256
#define UNBOUNDED (1U << 31)
#define STEP 8 /* long loops are two loops in two functions: each is verified once */

static inline u64 reg(struct scratch *s, u32 i)
{
	u64 v = s->args[bounded(i, 5)];

	return s->word == 4 ? (u32)v : v;
}

static inline void piece(struct scratch *s, u64 off, u64 addr, u32 len, u32 at)
{
	struct piece *p = (void *)(s->buf + off);

	p->addr = addr;
	p->len = len;
	p->at = at;
	p->pad[0] = p->pad[1] = p->pad[2] = 0;
	s->off = off + sizeof(*p) + ((len + 7) & ~7U);
}

/* Where the next piece begins; there is room for len bytes. */
static inline u64 space(struct scratch *s, u32 len)
{
	if (s->off + len + sizeof(struct piece) + 8 > BUF)
		part(s);
	return bounded(s->off, BUF);
}

/* Copies to the end of addr's page, at most len bytes: what can be had where a
 * longer read ran into a page that isn't there. */
static inline u32 page(struct scratch *s, u64 off, u64 addr, u32 len)
{
	u64 n = 4096 - (addr & 4095);

	if (n >= len)
		return 0; /* it was that page */
	if (bpf_probe_read_user(s->buf + off + sizeof(struct piece), bounded(n, 4096), (void *)addr))
		return 0;
	return n;
}

/* Copies up to CHUNK bytes and returns how many. */
alone int chunk(u32 slot, u64 addr, u32 len)
{
	struct scratch *s = get(slot);
	u64 off;

	if (!s || !len)
		return 0;
	if (len > CHUNK)
		len = CHUNK;
	off = space(s, len);
	if (bpf_probe_read_user(s->buf + off + sizeof(struct piece), bounded(len, CHUNK), (void *)addr)) {
		len = page(s, off, addr, len);
		if (!len)
			return 0;
	}
	piece(s, off, addr, len, s->at);
	return len;
}

/* Copies len bytes, or as many as can be read, and returns how many. */
alone int take(u32 slot, u64 addr, u32 len)
{
	u32 got = 0;

	for (u32 i = 0; i < (4 << 20) / CHUNK; i++) {
		int have;

		if (got >= len)
			break;
		have = chunk(slot, addr + got, len - got);
		if (have <= 0)
			break;
		got += have;
	}
	return got;
}

/* Copies a string with its NUL byte, limit bytes at most. A string that can't be
 * read to its end counts up to the page's end, if part is set; -1 is none. */
alone int string(u32 slot, u64 addr, u32 limit, u32 partly)
{
	struct scratch *s = get(slot);
	u64 off, size;
	long n;

	if (!s || !limit)
		return 0;
	if (limit > MAX_STRING)
		limit = MAX_STRING;
	off = space(s, MAX_STRING + 1);
	size = limit + 1; /* a string that is cut gets a NUL byte, which is not the program's */
	n = bpf_probe_read_user_str(s->buf + off + sizeof(struct piece), bounded(size, MAX_STRING + 1), (void *)addr);
	if (n < 0) {
		u32 have;

		if (!partly)
			return -1;
		have = page(s, off, addr, limit);
		if (!have)
			return -1;
		piece(s, off, addr, have, s->at);
		return have;
	}
	if ((u64)n == size)
		n--;
	if (n <= 0 || n > MAX_STRING)
		return 0;
	piece(s, off, addr, n, s->at);
	return n;
}

/* Reads a pointer or long of the task. */
static inline u64 load(struct scratch *s, u64 addr)
{
	u64 v = 0;

	if (s->word == 4) {
		u32 w = 0;

		bpf_probe_read_user(&w, sizeof(w), (void *)addr);
		return w;
	}
	bpf_probe_read_user(&v, sizeof(v), (void *)addr);
	return v;
}

static inline u32 load32(u64 addr)
{
	u32 v = 0;

	bpf_probe_read_user(&v, sizeof(v), (void *)addr);
	return v;
}

/* One element of argv, a pointer at addr: 1 at the end of the array. */
static inline int element(u32 slot, u64 addr)
{
	struct scratch *s = get(slot);
	u64 p;
	int n;

	if (!s)
		return 1;
	p = load(s, addr);
	if (!p || !s->strings)
		return 1;
	n = string(slot, p, s->strings < MAX_STRING ? s->strings : MAX_STRING, 1);
	if (n > 0)
		s->strings = (u32)n < s->strings ? s->strings - n : 0;
	return 0;
}

/* 1 when the pointer at addr ends an array. */
static inline int is_null(u32 slot, u64 addr)
{
	struct scratch *s = get(slot);

	return !s || !load(s, addr);
}

alone int count_step(u32 slot, u64 addr, u32 word)
{
	u32 n;

	for (n = 0; n < STEP; n++)
		if (is_null(slot, addr + n * word))
			break;
	return n;
}

alone int count(u32 slot, u64 addr, u32 word)
{
	u32 n = 0;

	for (u32 i = 0; i < MAX_STRINGS / STEP; i++) {
		u32 more = count_step(slot, addr + n * word, word);

		n += more;
		if (more < STEP)
			break;
	}
	return n;
}

alone int elements_step(u32 slot, u64 addr, u32 n, u32 word)
{
	for (u32 i = 0; i < STEP; i++)
		if (i >= n || element(slot, addr + i * word))
			return 1;
	return 0;
}

alone int elements(u32 slot, u64 addr, u32 n, u32 word)
{
	for (u32 i = 0; i < MAX_STRINGS; i += STEP)
		if (i >= n || elements_step(slot, addr + i * word, n - i, word))
			break;
	return 0;
}

alone int strings(u32 slot, u64 addr)
{
	struct scratch *s = get(slot);
	u32 n;

	if (!s)
		return 0;
	n = count(slot, addr, s->word);
	take(slot, addr, (n + (n < MAX_STRINGS)) * s->word);
	s->strings = MAX_ARGV;
	return elements(slot, addr, n, s->word);
}

/* Copies data as far as the call's limit allows. */
static inline int data(u32 slot, u64 addr, u32 len)
{
	struct scratch *s = get(slot);
	u32 n;

	if (!s)
		return 0;
	if (len > s->budget)
		len = s->budget;
	if (!len)
		return 0;
	n = take(slot, addr, len);
	s->budget = n < s->budget ? s->budget - n : 0;
	return n;
}

/* The data of one iovec at addr: 1 when there is no more to copy. */
static inline int vector(u32 slot, u64 addr)
{
	struct scratch *s = get(slot);
	u64 base, size;
	u32 n;

	if (!s || !s->left || !s->budget)
		return 1;
	base = load(s, addr);
	size = load(s, addr + s->word);
	n = size < s->left ? size : s->left;
	s->left -= n;
	data(slot, base, n);
	return 0;
}

alone int vectors_step(u32 slot, u64 addr, u32 n, u32 each)
{
	for (u32 i = 0; i < STEP; i++)
		if (i >= n || vector(slot, addr + i * each))
			return 1;
	return 0;
}

alone int vectors(u32 slot, u64 addr, u32 n, u32 each)
{
	for (u32 i = 0; i < MAX_IOVECS; i += STEP)
		if (i >= n || vectors_step(slot, addr + i * each, n - i, each))
			break;
	return 0;
}

/* The data of n iovecs, left bytes at most. */
static inline int buffers(u32 slot, u64 addr, u32 n, u32 left)
{
	struct scratch *s = get(slot);

	if (!s)
		return 0;
	s->left = left;
	return vectors(slot, addr, n, 2 * s->word);
}

static inline u32 atmost(u64 v, u32 max) { return v < max ? v : max; }

/* What a msghdr at addr names besides the data. */
static inline int header(u32 slot, u64 addr)
{
	struct scratch *s = get(slot);
	u64 p, w;

	if (!s)
		return 0;
	w = s->word;
	p = load(s, addr);
	if (p)
		take(slot, p, atmost(load32(addr + w), MAX_SOCKADDR));
	p = load(s, addr + 2 * w);
	if (p)
		take(slot, p, atmost(load(s, addr + 3 * w), MAX_IOVECS) * 2 * w);
	p = load(s, addr + 4 * w);
	if (p)
		take(slot, p, atmost(load(s, addr + 5 * w), MAX_CONTROL));
	return 0;
}

/* One message: its header when it counts now, its data when ret says so. */
static inline int message(u32 slot, u64 addr, u32 dir, u32 left)
{
	struct scratch *s = get(slot);
	u64 w;

	if (!s)
		return 0;
	w = s->word;
	if (s->at == AT_ENTER)
		return header(slot, addr);
	if (dir == DIR_OUT) {
		if (s->failed)
			return 0;
		header(slot, addr);
	}
	return buffers(slot, load(s, addr + 2 * w), atmost(load(s, addr + 3 * w), MAX_IOVECS), left);
}

/* One element of a struct mmsghdr array: a msghdr, the int msg_len, padding. */
alone int one_message(u32 slot, u64 addr, u32 dir)
{
	struct scratch *s = get(slot);

	if (!s)
		return 0;
	return message(slot, addr, dir, s->failed ? UNBOUNDED : load32(addr + 7 * s->word));
}

alone int messages_step(u32 slot, u64 addr, u32 n, u32 dir, u32 each)
{
	for (u32 i = 0; i < STEP; i++) {
		if (i >= n)
			break;
		if (one_message(slot, addr + i * each, dir))
			break;
	}
	return 0;
}

static inline int each_message(u32 slot, u64 addr, u32 n, u32 dir, u32 each)
{
	for (u32 i = 0; i < MAX_IOVECS; i += STEP) {
		if (i >= n)
			break;
		messages_step(slot, addr + i * each, n - i, dir, each);
	}
	return 0;
}

/* Not called by argument: a chain of calls has eight links at most. */
alone int messages(u32 slot, u32 i)
{
	struct scratch *s = get(slot);
	struct rule *r;
	u32 n, dir;
	u64 addr;

	if (!s || i >= RULES)
		return 0;
	r = &s->row.rule[bounded(i, RULES - 1)];
	dir = r->dir;
	addr = reg(s, r->reg);
	if (!addr || (s->at == AT_ENTER && dir != DIR_IN))
		return 0;
	n = atmost((u32)reg(s, r->n), MAX_IOVECS);
	if (s->at == AT_LEAVE)
		n = s->failed ? atmost(n, 1) : atmost(n, s->ret);
	take(slot, addr, n * 8 * s->word);
	return each_message(slot, addr, n, dir, 8 * s->word);
}

/* Bytes of a structure, an array or a set. */
static inline u32 size_of(struct scratch *s, struct rule *r)
{
	u32 n = 0, elem = r->elem ? r->elem : 1, max = MAX_STRUCTS / elem;
	u64 v;

	switch (r->from) {
	case FROM_CONST:
		n = r->n;
		break;
	case FROM_ARG:
		v = s->args[bounded(r->n, 5)];
		n = (s32)v < 0 ? 0 : (u32)v;
		break;
	case FROM_SIZE:
		n = atmost(s->args[bounded(r->n, 5)], UNBOUNDED);
		break;
	case FROM_RET:
		n = s->ret < 0 ? 0 : atmost(s->ret, UNBOUNDED);
		break;
	case FROM_BITS:
		v = s->args[bounded(r->n, 5)];
		n = (s32)v < 0 ? 0 : (u32)v;
		n = atmost((n + s->word * 8 - 1) / (s->word * 8), MAX_STRUCTS) * s->word;
		break;
	}
	if (!max)
		max = 1;
	return atmost(n, max) * elem;
}

static inline u32 transferred(struct scratch *s, struct rule *r)
{
	u32 room = atmost(reg(s, r->n), UNBOUNDED);

	if (r->from == FROM_PTR)
		return atmost(load32(reg(s, r->n)), MAX_STRUCTS);
	if (s->failed)
		return room;
	if (r->from == FROM_RET || s->row.flags & CALL_DATA)
		return s->ret < 0 ? 0 : atmost(s->ret, room);
	return room;
}

/* -EINTR, or one of the codes that restart the call. */
static inline bool interrupted(s64 ret)
{
	return ret == -4 || (ret <= -512 && ret >= -516);
}

/* Memory of one argument: -1 when it should be there but can't be read whole. */
alone int argument(u32 slot, u32 i)
{
	struct scratch *s = get(slot);
	struct rule *r;
	bool enter;
	u64 addr;
	u32 n;

	if (!s || i >= RULES)
		return 0;
	r = &s->row.rule[bounded(i, RULES - 1)];
	addr = reg(s, r->reg);
	if (!addr)
		return 0;
	enter = s->at == AT_ENTER;
	switch (r->op) {
	case OP_STRING:
		if (enter && r->dir == DIR_IN)
			return string(slot, addr, MAX_STRING, s->skip);
		if (!enter && r->dir == DIR_OUT && !s->failed && s->ret > 0)
			take(slot, addr, atmost(s->ret, MAX_STRING));
		return 0;
	case OP_STRINGS:
		if (enter)
			strings(slot, addr);
		return 0;
	case OP_BUFFER:
		if (!enter && !(s->failed && r->dir == DIR_OUT))
			data(slot, addr, transferred(s, r));
		return 0;
	case OP_SOCKADDR:
		if (enter && r->dir == DIR_IN)
			n = atmost((u32)reg(s, r->n), MAX_SOCKADDR);
		else if (!enter && r->dir == DIR_OUT && !s->failed)
			n = atmost(load32(reg(s, r->n)), MAX_SOCKADDR);
		else
			return 0;
		break;
	case OP_IOVEC:
		n = atmost(reg(s, r->n), MAX_IOVECS);
		if (enter) {
			if (r->dir != DIR_IN)
				return 0;
			n *= 2 * s->word;
			break;
		}
		if (r->dir == DIR_OUT)
			take(slot, addr, n * 2 * s->word);
		if (r->dir == DIR_IN || !s->failed)
			buffers(slot, addr, n, s->failed ? UNBOUNDED : atmost(s->ret < 0 ? 0 : s->ret, UNBOUNDED));
		return 0;
	case OP_MESSAGE:
		if ((enter || r->dir == DIR_OUT) && take(slot, addr, 7 * s->word) != 7 * s->word)
			return 0;
		if (enter && r->dir != DIR_IN)
			return 0;
		return message(slot, addr, r->dir,
			       s->failed ? UNBOUNDED : atmost(s->ret < 0 ? 0 : s->ret, UNBOUNDED));
	case OP_BYTES:
		if (r->dir & ON_INTR) {
			if (enter || !interrupted(s->ret))
				return 0;
		} else if (r->dir & IF_RET && !enter && !s->ret) {
			return 0;
		} else if (!(enter ? r->dir & DIR_IN : r->dir & DIR_OUT && !s->failed)) {
			return 0;
		}
		n = size_of(s, r);
		break;
	default:
		return 0;
	}
	return (u32)take(slot, addr, n) < n ? -1 : 0;
}

/* Copies what all rules of the row name at s->at. At entry only says which
 * could not be read: they are tried again at the exit. */
static inline void capture(struct scratch *s, u32 slot, u32 which)
{
	u32 rules = s->row.rules;

	for (u32 i = 0; i < RULES; i++) {
		if (i >= rules)
			break;
		if (!(which & (1 << i)))
			continue;
		if (s->row.rule[i].op == OP_MESSAGES)
			messages(slot, i);
		else if (argument(slot, i) < 0)
			s->retry |= 1 << i;
	}
}
