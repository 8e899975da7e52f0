/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reads TLS secrets where a library hands them to its key log, of any process:
 * the loader knows whose are wanted. Of the processes in a table it reads the
 * plaintext too, where they hand it to the library. It needs nothing of the
 * kernel's own structures, since looking those up takes longer than all else.
 */
#include "../../ebpf/bpf/kernel.h"

char _license[] SEC("license") = "Dual BSD/GPL";

static u64 (*bpf_get_current_pid_tgid)(void) = (void *)14;
static void *(*bpf_ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*bpf_ringbuf_submit)(void *data, u64 flags) = (void *)132;
struct ids {
	u32 pid, tgid;
};
static long (*bpf_get_ns_current_pid_tgid)(u64 dev, u64 ino, struct ids *ids, u32 size) = (void *)120;
static long (*bpf_loop)(u32 times, void *step, void *ctx, u64 flags) = (void *)181;
static u64 (*bpf_get_attach_cookie)(void *ctx) = (void *)174;

/* What a probe finds in the registers (arch/x86/include/uapi/asm/ptrace.h). */
struct regs {
	u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	u64 orig_ax, ip, cs, flags, sp;
};

volatile const u64 namespace_dev; /* of the recorder's PID namespace, 0: the first of all */
volatile const u64 namespace_ino;
u32 recording;			  /* handshakes are recorded: their secrets are of use */
u64 lost;			  /* records that did not fit into the ring */
u64 lost_bytes;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} ring SEC(".maps");

/* The processes whose plaintext is wanted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, s32);
	__type(value, u8);
} procs SEC(".maps");

struct session {
	u64 object;
	s32 pid;
	u32 pad;
};

/* Sessions whose secrets were read: their plaintext is not needed. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct session);
	__type(value, u8);
} known SEC(".maps");

struct call {
	u64 object, buf, size; /* size: where the length goes, or the length that was asked for */
	u64 cookie, start;
};

struct caller {
	u64 who; /* thread, or goroutine */
	u64 pid;
};

/* Calls under way. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct caller);
	__type(value, struct call);
} calls SEC(".maps");

enum { RECORD_SECRET = 1, RECORD_PLAIN, RECORD_EXEC };

struct head {
	u32 kind;
	u32 library;
	s32 pid, tid;
	u64 time;
	u64 object;
};

#define LABEL 48
#define SECRET 64

struct secret_record {
	struct head head;
	u32 size; /* of the secret */
	u32 label_size;
	u8 random[32];
	u8 label[LABEL];
	u8 secret[SECRET];
};

#define CHUNK 16384

struct plain_head {
	struct head head;
	u64 start; /* when the call was entered */
	u64 total; /* bytes that the call moved */
	u32 at;	   /* of them, those before these */
	u32 size;
	u32 write;
	u32 pad;
};

/* The cookie of a probe, as the loader makes it. */
#define LIBRARY(cookie) ((cookie)&7)
#define IS_GO(cookie) ((cookie)&8)
#define IS_WRITE(cookie) ((cookie)&16)
#define BY_POINTER(cookie) ((cookie)&32) /* the length is written to the fourth argument */
#define INDIRECT(cookie) ((cookie)&64)	 /* the random lies behind a pointer */
#define OFF1(cookie) ((cookie) >> 8 & 0xffffff)
#define OFF2(cookie) ((cookie) >> 32 & 0xffffff)

/* Says who this is; false where the recorder's PID namespace has no name for it. */
static inline bool who(struct head *h)
{
	u64 both = bpf_get_current_pid_tgid();
	struct ids ids = { both, both >> 32 };

	if (namespace_dev && bpf_get_ns_current_pid_tgid(namespace_dev, namespace_ino, &ids, sizeof(ids)))
		return 0;
	h->pid = ids.tgid;
	h->tid = ids.pid;
	h->time = bpf_ktime_get_ns();
	return 1;
}

static inline void lose(u64 bytes)
{
	__sync_fetch_and_add(&lost, 1);
	__sync_fetch_and_add(&lost_bytes, bytes);
}

/* log(object, label, secret, size), or Go's with lengths and capacities. */
SEC("uprobe.multi")
int secret(struct regs *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx), random, at, label, n;
	struct secret_record *r;
	struct session s = {};
	struct head h = {};
	u8 one = 1;

	if (!who(&h))
		return 0;
	h.kind = RECORD_SECRET;
	h.library = LIBRARY(cookie);
	if (IS_GO(cookie)) {
		if (ctx->si != 32)
			return 0;
		label = ctx->bx, random = ctx->di, at = ctx->r9, n = ctx->r10;
		h.object = ctx->ax;
	} else {
		label = ctx->si, at = ctx->dx, n = (u32)ctx->cx;
		h.object = ctx->di;
		random = h.object + OFF1(cookie);
		if (INDIRECT(cookie)) {
			u64 p = 0;

			bpf_probe_read_user(&p, sizeof(p), (void *)random);
			random = p + OFF2(cookie);
		}
	}
	if (n < 16 || n > SECRET)
		return 0;
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r) {
		lose(n);
		return 0;
	}
	r->head = h;
	r->size = n;
	if (IS_GO(cookie)) {
		r->label_size = bounded(ctx->cx, LABEL);
		if (bpf_probe_read_user(r->label, bounded(ctx->cx, LABEL), (void *)label))
			r->label_size = 0;
	} else {
		long len = bpf_probe_read_user_str(r->label, LABEL, (void *)label);

		r->label_size = len > 0 ? len - 1 : 0;
	}
	if (bpf_probe_read_user(r->random, 32, (void *)random) || bpf_probe_read_user(r->secret, bounded(n, SECRET), (void *)at))
		r->size = 0;
	bpf_ringbuf_submit(r, 0);
	if (recording && bpf_map_lookup_elem(&procs, &h.pid)) {
		s.object = h.object;
		s.pid = h.pid;
		bpf_map_update_elem(&known, &s, &one, BPF_ANY);
	}
	return 0;
}

static inline void key(struct caller *k, struct regs *ctx, u64 cookie)
{
	u64 both = bpf_get_current_pid_tgid();

	k->who = IS_GO(cookie) ? ctx->r14 : both;
	k->pid = both >> 32;
}

/* read(object, buf, size[, &n]) and the like are entered. */
SEC("uprobe.multi")
int enter(struct regs *ctx)
{
	struct session s = {};
	struct caller k = {};
	struct call c = {};
	struct head h = {};

	if (!who(&h) || !bpf_map_lookup_elem(&procs, &h.pid))
		return 0;
	c.cookie = bpf_get_attach_cookie(ctx);
	c.start = h.time;
	if (IS_GO(c.cookie)) {
		c.object = ctx->ax, c.buf = ctx->bx;
	} else {
		c.object = ctx->di, c.buf = ctx->si;
		if (BY_POINTER(c.cookie))
			c.size = ctx->cx;
	}
	s.object = c.object;
	s.pid = h.pid;
	if (bpf_map_lookup_elem(&known, &s))
		return 0;
	key(&k, ctx, c.cookie);
	bpf_map_update_elem(&calls, &k, &c, BPF_ANY);
	return 0;
}

struct piece {
	struct plain_head p;
	u64 from; /* the first byte that the call moved */
};

/* Puts one record of up to SIZE bytes. */
#define PUT(SIZE)                                                                                  \
	({                                                                                         \
		struct {                                                                           \
			struct plain_head p;                                                       \
			u8 data[SIZE];                                                             \
		} *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);                                  \
		if (r) {                                                                           \
			r->p = *p;                                                                 \
			if (bpf_probe_read_user(r->data, bounded(p->size, SIZE), (void *)from))    \
				r->p.size = 0;                                                     \
			bpf_ringbuf_submit(r, 0);                                                  \
		} else {                                                                           \
			lose(p->size);                                                             \
		}                                                                                  \
	})

/* Puts the n-th piece of what a call moved. */
static long put(u32 n, struct piece *c)
{
	struct plain_head *p = &c->p;
	u64 from = c->from + n * CHUNK, left = p->total - n * CHUNK;

	p->at = n * CHUNK;
	p->size = left < CHUNK ? left : CHUNK;
	if (p->size <= 256)
		PUT(256);
	else if (p->size <= 2048)
		PUT(2048);
	else
		PUT(CHUNK);
	return 0;
}

/* Go's calls that were under way before the probe was set: their arguments were
 * put where they would lie without registers (cmd/compile/abi-internal.md). */
static inline bool begun(struct call *c, struct regs *ctx, u64 now)
{
	u64 a[3] = {};

	if (bpf_probe_read_user(a, sizeof(a), (void *)ctx->sp + 8) || !a[0] || !a[1] || (s64)ctx->ax > (s64)a[2])
		return 0;
	c->object = a[0], c->buf = a[1];
	c->cookie = bpf_get_attach_cookie(ctx);
	c->start = now;
	return 1;
}

/* ... and left: the result says how much was moved. */
SEC("uprobe.multi")
int leave(struct regs *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx);
	struct piece piece = {};
	struct plain_head *p = &piece.p;
	struct caller k = {};
	struct call c, *found;
	s64 n = ctx->ax;

	key(&k, ctx, cookie);
	found = bpf_map_lookup_elem(&calls, &k);
	if (!who(&p->head))
		return 0;
	if (found) {
		c = *found;
		bpf_map_delete_elem(&calls, &k);
	} else if (!IS_GO(cookie) || !begun(&c, ctx, p->head.time) || !bpf_map_lookup_elem(&procs, &p->head.pid)) {
		return 0;
	}
	if (BY_POINTER(c.cookie)) {
		u64 got = 0;

		if ((u32)n == 1)
			bpf_probe_read_user(&got, sizeof(got), (void *)c.size);
		n = got;
	} else if (LIBRARY(c.cookie) == 1) {
		n = (s32)n; /* OpenSSL returns an int */
	}
	if (n <= 0)
		return 0;
	p->head.kind = RECORD_PLAIN;
	p->head.library = LIBRARY(c.cookie);
	p->head.object = c.object;
	p->start = c.start;
	p->total = n;
	p->write = !!IS_WRITE(c.cookie);
	piece.from = c.buf;
	bpf_loop(bounded((n + CHUNK - 1) / CHUNK, 64), put, &piece, 0);
	return 0;
}

/* A program begins: what reads the ring is woken, to be there before it speaks. */
SEC("raw_tracepoint/sched_process_exec")
int execed(u64 *ctx)
{
	struct head h = { .kind = RECORD_EXEC };

	if (who(&h))
		bpf_ringbuf_output(&ring, &h, sizeof(h), 2 /* BPF_RB_FORCE_WAKEUP */);
	return 0;
}
