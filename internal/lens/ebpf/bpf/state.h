/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Maps, settings, and the buffer in which a record is put together. */
#pragma once
#include "kernel.h"
#include "record.h"

/* Settings, fixed before the programs are loaded. */
volatile const u32 namespace_ino; /* of that namespace */
volatile const u32 snaplen = 256;
volatile const u32 terminal_snaplen = 4096;
volatile const u32 max_transfer = 4 << 20;
volatile const u32 max_peek = 256 << 10;
volatile const u64 max_stream = 16 << 20;
volatile const u64 ring_limit = 1 << 20; /* bytes in the ring above which calls are dropped */
volatile const u64 cookie;		 /* marks the recorder's own call, see calibrate */

volatile const u32 split; /* rest is a program of its own */

/* State that the loader reads. */
s32 target;	   /* process to be followed from the SIGCONT on that starts it */
u32 level = ~0U;   /* depth of the recorder's PID namespace */
s32 live;	   /* tasks that are followed now */
u32 unfollowed;	   /* tasks that did not fit into the table */
u64 direct;	   /* where the kernel maps all memory, 0: not known */
u64 page_structs;  /* where its struct pages are */
u64 overrun;	   /* calls lost because no buffer was free */

#define RING_BYTES (64 << 20) /* set by the loader */
#define MAX_TASKS 16384
#define SIGNATURES 16384

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} ring SEC(".maps");

/* By address of the task_struct: unique among the living, in any namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TASKS);
	__type(key, u64);
	__type(value, struct thread);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * TABLE);
	__type(key, u32);
	__type(value, struct call);
} calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct vary_key);
	__type(value, struct call);
} varied SEC(".maps");

/* Bytes kept of a socket's traffic, by inode. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u64);
} streams SEC(".maps");

/* What was last said of a descriptor, so that it is said once: a filter only,
 * the loader keeps the truth. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SIGNATURES);
	__type(key, u32);
	__type(value, u64);
} signatures SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TASKS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, s32);
	__type(value, struct running);
} found SEC(".maps");

/* By thread id, in the recorder's PID namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TASKS);
	__type(key, s32);
	__type(value, struct loss);
} losses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} programs SEC(".maps");

#define CHUNK 32768
#define BUF 65536
#define BODY (sizeof(struct head) + sizeof(struct call_body)) /* pieces begin here */

/* Where climbing from a file to the root has come. */
struct place {
	u64 mnt, dentry, root_mnt, root;
	u32 off;
};

struct scratch {
	u32 busy;
	u32 off;
	u32 lost, lost_bytes;
	u32 parts;
	u32 retry;
	struct head head;
	u64 args[6];
	s64 ret;
	u64 ino, file, sock;
	u32 mode, rdev;
	u32 word; /* bytes of a pointer */
	u32 at;
	u32 failed;
	u32 budget; /* bytes of data left */
	u32 strings;
	u32 left;
	u32 gen;
	u32 skip;
	u32 ticks, full;
	u32 work; /* what is left for rest */
	u32 fd, limit;
	u64 now;
	struct call row;
	struct place place;
	u8 tmp[128];
	u8 buf[BUF + CHUNK + 4096 + 512];
};

/* Two a processor: a program may be preempted by another task's. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

static inline struct scratch *get(u32 slot)
{
	return bpf_map_lookup_elem(&scratches, &slot);
}

#define NO_SLOT (~0U)

static inline u32 acquire(struct thread *t)
{
	u32 slot = 2 * bpf_get_smp_processor_id();
	struct scratch *s = get(slot);

	if (s && s->busy) {
		slot++;
		s = get(slot);
	}
	if (!s || s->busy) {
		__sync_fetch_and_add(&overrun, 1);
		return NO_SLOT;
	}
	s->busy = 1;
	s->off = BODY;
	s->lost = s->lost_bytes = s->parts = s->retry = 0;
	s->head.pid = t->pid;
	s->head.tid = t->tid;
	s->head.seq = t->seq;
	s->head.flags = t->compat ? FLAG_COMPAT : 0;
	s->head.lost = 0;
	s->gen = t->gen;
	s->word = t->compat ? 4 : 8;
	return slot;
}

static inline void release(u32 slot)
{
	struct scratch *s = get(slot);

	if (s)
		s->busy = 0;
}

/* The last MiB of the ring is kept for what calls are not: their end of life
 * must not be lost in a storm. Small records look now and then only. */
static inline bool storm(struct scratch *s)
{
	if (s->off > 1024 || !(s->ticks++ & 7))
		s->full = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > ring_limit;
	return s->full;
}

/* Puts the record in the buffer, with a body of so many bytes, into the ring. */
static inline bool put(struct scratch *s, u32 type, u32 body)
{
	u32 start = BODY - sizeof(struct head) - body;
	struct head *h = (void *)(s->buf + start);
	u64 size = s->off - start;

	*h = s->head;
	h->type = type;
	s->off = BODY;
	return !bpf_ringbuf_output(&ring, h, bounded(size, BUF + CHUNK), BPF_RB_NO_WAKEUP);
}

/* Puts the pieces so far as a part of the record to come. */
static inline void part(struct scratch *s)
{
	u32 size = s->off - BODY;

	if (s->off <= BODY)
		return;
	if (storm(s) || !put(s, RECORD_PART, 0)) {
		s->off = BODY;
		s->lost++;
		s->lost_bytes += size;
	}
	s->parts = 1;
}
