/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel lens in the kernel: follows the target and what descends from it,
 * and puts a record of each of their calls, signals, births and deaths into a
 * ring that the loader reads from time to time. Nothing here wakes anybody.
 */
#include "peek.h"
#include "arch.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* The id of a task as the recorder's PID namespace has it. */
static inline s32 id(struct task_struct *task)
{
	struct pid *pid = READ(task, thread_pid);
	u64 at = (u64)__builtin_preserve_access_index(&pid->numbers);
	struct upid *u = (void *)(at + level * TYPE_SIZE(struct upid));

	return READ(u, nr);
}

static inline void follow(u64 task, s32 pid, s32 tid, u32 gen)
{
	struct thread t = { .pid = pid, .tid = tid, .gen = gen };

	if (bpf_map_update_elem(&threads, &task, &t, BPF_NOEXIST))
		__sync_fetch_and_add(&unfollowed, 1);
	else
		__sync_fetch_and_add(&live, 1);
}

static inline struct thread *current_thread(u64 *task)
{
	*task = bpf_get_current_task();
	return bpf_map_lookup_elem(&threads, task);
}

static inline void lose(struct thread *t, u64 bytes)
{
	t->lost++;
	t->lost_bytes += bytes;
}

static inline void choose(struct scratch *s, struct thread *t, struct call *c)
{
	if (c->flags & CALL_VARY) {
		struct vary_key k = { .index = t->index };
		struct call *v;
		u32 sel = c->sel, sel2 = c->sel2;

		k.value = (u32)t->args[bounded(sel, 5)] & c->mask;
		if (sel2 < 6)
			k.value2 = t->args[bounded(sel2, 5)];
		v = bpf_map_lookup_elem(&varied, &k);
		if (v)
			c = v;
	}
	s->row = *c;
	for (u32 i = 0; i < 6; i++)
		s->args[i] = t->args[i];
}

static inline bool selected(u32 flags, u64 *a)
{
	if (flags & CALL_MMAP)
		return a[3] & 0x20 && a[1] >= 1 << 20; /* MAP_ANONYMOUS */
	if (flags & CALL_STAT3)
		return !(a[3] & 0x1000); /* AT_EMPTY_PATH */
	if (flags & CALL_STAT2)
		return !(a[2] & 0x1000);
	return 1;
}

#define RARE (CALL_ENTER | CALL_PEEK_FD | CALL_PEEK_ALL | CALL_RANGE)

enum work { WORK_ENTER = 1, WORK_GATHER = 2, WORK_EMIT = 4, WORK_BROKEN = 8, WORK_EXIT = 16 };

/* What must be done while the call has not yet taken effect. */
static inline void before(struct scratch *s, u32 slot, struct thread *t, struct call *c)
{
	u32 flags = t->flags;

	if (flags & CALL_PEEK_FD)
		peek(slot, t->args[bounded(c->fd, 5)], PEEK_CLOSE);
	if (flags & CALL_RANGE && !(t->args[2] & 4)) /* CLOSE_RANGE_CLOEXEC */
		peek_range(slot, t->args[0], t->args[1], PEEK_CLOSE);
	if (flags & CALL_PEEK_ALL)
		peek_range(slot, 0, 255, PEEK_EXIT);
	if (flags & CALL_ENTER && flags & CALL_EMIT) {
		choose(s, t, c);
		s->at = AT_ENTER;
		s->failed = 0;
		s->ret = 0;
		s->skip = 0;
		s->budget = snaplen;
		capture(s, slot, ~0U);
		part(s);
		t->parts = s->parts;
		t->retry = s->retry;
		t->lost += s->lost;
		t->lost_bytes += s->lost_bytes;
	}
}

/* Copies the memory of a call that is over. */
static inline void gather(struct scratch *s, u32 slot, struct thread *t, struct call *c)
{
	choose(s, t, c);
	if (t->retry) {
		s->at = AT_ENTER;
		s->skip = 1; /* what can be had */
		capture(s, slot, t->retry);
	}
	s->at = AT_LEAVE;
	if (t->flags & CALL_LEAVE)
		capture(s, slot, ~0U);
}

/* Puts the record of a call that is over. */
static inline void emit(struct scratch *s, struct thread *t)
{
	struct call_body *b = (void *)(s->buf + sizeof(struct head));
	u32 kept = s->limit - s->budget;

	if (t->flags & CALL_TRANSFER && (s->mode & S_IFMT) == S_IFSOCK && !s->failed) {
		u64 *sum = bpf_map_lookup_elem(&streams, &s->ino);

		if (sum)
			__sync_fetch_and_add(sum, kept);
	}
	b->nr = t->nr;
	b->mode = s->mode;
	b->ino = s->ino;
	b->kept = kept;
	b->dur = s->now - t->start;
	b->ret = s->ret;
	for (u32 i = 0; i < 6; i++)
		b->args[i] = t->args[i];
	if (t->parts | s->parts)
		s->head.flags |= FLAG_PARTS;
	s->head.lost = s->lost;
	t->lost_bytes += s->lost_bytes;
	if (!put(s, RECORD_SYSCALL, sizeof(*b)))
		lose(t, 0);
}

/* What a call that is over has changed. */
static inline void after(struct scratch *s, u32 slot, struct thread *t)
{
	u32 flags = t->flags;
	s64 ret = s->ret;

	s->head.flags &= FLAG_COMPAT;
	s->head.time = s->now;
	if (flags & CALL_CONNECT && (!ret || ret == -115)) /* -EINPROGRESS */
		describe(slot, s->fd);
	if (flags & CALL_RETFD && ret >= 0)
		describe(slot, ret);
}

/* Puts the record of a task's end. */
static inline void ended(struct scratch *s, struct thread *t)
{
	struct task_struct *self = (void *)bpf_get_current_task();
	struct signal_struct *signal = READ(self, signal);
	struct exit_body *b = (void *)(s->buf + BODY - sizeof(*b));

	b->status = READ(self, exit_code);
	b->group = READ(signal, group_exit_code);
	if (READ(signal, flags) & 4) /* SIGNAL_GROUP_EXIT */
		b->group |= 1U << 31;
	if (!put(s, RECORD_EXIT, sizeof(*b)))
		lose(t, 0);
}

/* Takes the current task out of the table. */
static inline void farewell(struct thread *t)
{
	u64 task = bpf_get_current_task();

	if (t->lost) {
		struct loss l = { t->lost, t->lost_bytes }, *old = bpf_map_lookup_elem(&losses, &t->tid);

		if (old) {
			l.count += old->count;
			l.bytes += old->bytes;
		}
		bpf_map_update_elem(&losses, &t->tid, &l, BPF_ANY);
	}
	bpf_map_delete_elem(&threads, &task);
	__sync_fetch_and_add(&live, -1);
}

/* Does what few calls need, at entry or exit, and lets go of the buffer. */
static inline void complete(struct thread *t, u32 slot)
{
	struct scratch *s = get(slot);
	struct call *c = bpf_map_lookup_elem(&calls, &t->index);
	u32 work;

	if (!s)
		return;
	work = s->work;
	if (work & WORK_EXIT) {
		peek_range(slot, 0, 255, PEEK_EXIT);
		ended(s, t);
		release(slot);
		farewell(t);
		return;
	}
	if (work & WORK_ENTER) {
		if (c)
			before(s, slot, t, c);
	} else {
		if (work & WORK_GATHER && c)
			gather(s, slot, t, c);
		if (work & WORK_EMIT)
			emit(s, t);
		s->head.flags &= FLAG_COMPAT;
		if (work & WORK_BROKEN)
			peek(slot, s->fd, PEEK_FAILED);
		after(s, slot, t);
	}
	release(slot);
}

/*
 * The verifier goes through all that a program can reach, so that copying memory
 * twice, at entry and at exit, would take it twice as long. Where a program with
 * functions may jump to another (on x86 since Linux 5.10) that part is loaded
 * once; where not, the two have it each.
 */
static inline bool leave_rest(u64 *ctx, struct thread *t, struct scratch *s, u32 slot, u32 work)
{
	s->work = work;
	if (split) {
		t->slot = slot;
		bpf_tail_call(ctx, &programs, 0);
		lose(t, 0); /* no jump was possible */
		release(slot);
		return 0;
	}
	complete(t, slot);
	return 1;
}

SEC("raw_tracepoint/rest")
int rest(u64 *ctx)
{
	u64 task;
	struct thread *t = current_thread(&task);

	if (t)
		complete(t, t->slot);
	return 0;
}

SEC("raw_tracepoint/sys_enter")
int enter(u64 *ctx)
{
	u64 task;
	struct thread *t;
	struct call *c;
	u32 nr = ctx[1];

	if (unlikely(level == ~0U) && cookie) {
		u64 args[6];

		arguments(args, (void *)ctx[0], 0);
		if (args[5] == cookie)
			introduce(args[0]);
	}
	t = current_thread(&task);
	if (!t)
		return 0;
	t->compat = is_compat(task);
	arguments(t->args, (void *)ctx[0], t->compat);
	t->nr = nr;
	t->index = nr < TABLE ? nr + (t->compat ? TABLE : 0) : 2 * TABLE;
	c = bpf_map_lookup_elem(&calls, &t->index);
	t->flags = c ? c->flags : CALL_EMIT;
	t->in = 1;
	t->parts = 0;
	t->retry = 0;
	t->seq++;
	if (t->flags & (CALL_MMAP | CALL_STAT3 | CALL_STAT2) && !selected(t->flags, t->args))
		t->flags &= ~CALL_EMIT;
	t->start = bpf_ktime_get_ns();
	if (c && t->flags & RARE) {
		u32 slot = acquire(t);
		struct scratch *s;

		if (slot == NO_SLOT)
			return 0;
		s = get(slot);
		if (!s)
			return 0;
		s->head.time = t->start;
		leave_rest(ctx, t, s, slot, WORK_ENTER);
	}
	return 0;
}

#define SHORT 256

/* The one buffer of read(2), write(2) and their like: false when there is more to
 * it than copying a few bytes. */
static inline bool simple(struct scratch *s, struct thread *t, struct call *c)
{
	u64 addr = t->args[bounded(c->rule[0].reg, 5)];
	u32 n = atmost(t->args[bounded(c->rule[0].n, 5)], UNBOUNDED);

	if (s->failed && c->rule[0].dir == DIR_OUT)
		return 1;
	if (!s->failed && (c->rule[0].from == FROM_RET || c->flags & CALL_DATA))
		n = s->ret < 0 ? 0 : atmost(s->ret, n);
	if (n > s->budget)
		n = s->budget;
	if (!n || !addr)
		return 1;
	if (n > SHORT || bpf_probe_read_user(s->buf + BODY + sizeof(struct piece), bounded(n, SHORT), (void *)addr))
		return 0;
	piece(s, BODY, addr, bounded(n, SHORT), AT_LEAVE);
	s->budget -= n;
	return 1;
}

#define BARE 256 /* the call's memory is gone, or its data never went */

/* Ends the call that the task is in. */
static inline void finish(u64 *ctx, struct thread *t, s64 ret, u32 how)
{
	u32 slot, flags = t->flags, work = 0;
	struct scratch *s;
	struct call *c;

	t->in = 0;
	if (!(flags & (CALL_EMIT | CALL_CONNECT | CALL_RETFD)))
		return;
	slot = acquire(t);
	if (slot == NO_SLOT) {
		lose(t, 0);
		return;
	}
	s = get(slot);
	if (!s)
		return;
	s->now = bpf_ktime_get_ns();
	s->head.time = t->start;
	s->mode = s->ino = s->fd = 0;
	s->ret = ret;
	s->limit = snaplen;
	c = bpf_map_lookup_elem(&calls, &t->index);
	if (c && flags & CALL_FD) {
		s->fd = t->args[bounded(c->fd, 5)];
		if (flags & CALL_DATA) {
			describe(slot, s->fd);
			s->head.flags |= FLAG_FD;
			s->limit = data_limit(s, s->fd);
			if (ret == -32 || ret == -104) /* -EPIPE, -ECONNRESET */
				work = WORK_BROKEN;
		}
	}
	s->failed = ret < 0 && ret >= -4095;
	if (s->failed && s->limit > FAILED_DATA)
		s->limit = FAILED_DATA;
	s->budget = s->limit;
	if (flags & CALL_EMIT && storm(s)) {
		lose(t, 0);
	} else if (flags & CALL_EMIT) {
		work |= WORK_EMIT;
		s->head.flags |= how & FLAG_UNFINISHED;
		if (c && (flags & CALL_LEAVE || t->retry) && !(how & BARE) && (!(flags & CALL_SIMPLE) || !simple(s, t, c)))
			work |= WORK_GATHER;
	}
	if (!(how & BARE) && work & (WORK_GATHER | WORK_BROKEN)) {
		leave_rest(ctx, t, s, slot, work);
		return;
	}
	if (work & WORK_EMIT)
		emit(s, t);
	after(s, slot, t);
	release(slot);
}

SEC("raw_tracepoint/sys_exit")
int leave(u64 *ctx)
{
	u64 task;
	struct thread *t = current_thread(&task);

	if (t && t->in)
		finish(ctx, t, ctx[1], 0);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int forked(u64 *ctx)
{
	struct task_struct *child = (void *)ctx[1], *self;
	struct fork_body *b;
	struct scratch *s;
	struct thread *t;
	s32 tid, pid;
	bool thread;
	u64 task;
	u32 slot;

	t = current_thread(&task);
	if (!t)
		return 0;
	self = (void *)task;
	tid = id(child);
	thread = READ(child, tgid) == READ(self, tgid);
	pid = thread ? t->pid : tid;
	slot = acquire(t);
	if (slot == NO_SLOT) {
		lose(t, 0);
	} else {
		s = get(slot);
		if (!s)
			return 0;
		s->head.time = bpf_ktime_get_ns();
		if (thread)
			s->head.flags |= FLAG_THREAD;
		b = (void *)(s->buf + BODY - sizeof(*b));
		b->child = tid;
		b->files = READ(child, files) == READ(self, files);
		if (!put(s, RECORD_FORK, sizeof(*b)))
			lose(t, 0);
		release(slot);
	}
	follow((u64)child, pid, tid, thread ? t->gen : 0);
	return 0;
}

static inline bool secure(struct mm_struct *mm)
{
	for (u32 i = 0; i < 22; i++) {
		unsigned long pair[2] = {};

		bpf_probe_read_kernel(pair, sizeof(pair), __builtin_preserve_access_index(&mm->saved_auxv[0]) + 2 * i);
		if (pair[0] == 23) /* AT_SECURE */
			return pair[1];
	}
	return 0;
}

SEC("tp_btf/sched_process_exec")
int execed(u64 *ctx)
{
	struct task_struct *self;
	struct mm_struct *mm;
	struct exec_body *b;
	struct scratch *s;
	struct thread *t;
	struct file *exe;
	u32 slot, former = 0, size;
	u64 task;

	t = current_thread(&task);
	if (!t)
		return 0;
	self = (void *)task;
	if (t->in)
		finish(ctx, t, 0, BARE);
	if (t->tid != t->pid) {
		former = t->tid;
		t->tid = t->pid;
	}
	t->gen++;
	slot = acquire(t);
	if (slot == NO_SLOT) {
		lose(t, 0);
		return 0;
	}
	s = get(slot);
	if (!s)
		return 0;
	s->head.time = bpf_ktime_get_ns();
	t->seq++;
	s->head.seq = t->seq;
	mm = READ(self, mm);
	s->at = AT_ARGV;
	size = READ(mm, arg_end) - READ(mm, arg_start);
	take(slot, READ(mm, arg_start), atmost(size, MAX_ARGV));
	if (s->off > BUF - 16384)
		part(s);
	exe = READ(mm, exe_file);
	path(slot, (u64)READ(exe, f_path.mnt), (u64)READ(exe, f_path.dentry), AT_EXE);
	path(slot, (u64)READ(READ(self, fs), pwd.mnt), (u64)READ(READ(self, fs), pwd.dentry), AT_CWD);
	b = (void *)(s->buf + BODY - sizeof(*b));
	b->uid = READ(READ(self, cred), euid.val);
	b->former = former;
	b->secure = secure(mm);
	b->argv = size;
	if (s->parts)
		s->head.flags |= FLAG_PARTS;
	if (!put(s, RECORD_EXEC, sizeof(*b)))
		lose(t, 0);
	release(slot);
	return 0;
}

SEC("raw_tracepoint/sched_process_exit")
int exited(u64 *ctx)
{
	struct signal_struct *signal;
	struct scratch *s;
	struct thread *t;
	u32 slot;
	u64 task;

	t = current_thread(&task);
	if (!t)
		return 0;
	signal = READ((struct task_struct *)task, signal);
	if (t->in)
		finish(ctx, t, 0, FLAG_UNFINISHED | BARE);
	slot = acquire(t);
	s = get(slot);
	if (slot == NO_SLOT || !s) {
		lose(t, 0);
	} else {
		s->head.time = bpf_ktime_get_ns();
		if (READ(signal, live.counter) == 0) {
			s->head.flags |= FLAG_GROUP_DEAD;
			if (leave_rest(ctx, t, s, slot, WORK_EXIT))
				return 0;
		} else {
			ended(s, t);
			release(slot);
		}
	}
	farewell(t);
	return 0;
}

SEC("tp_btf/signal_deliver")
int delivered(u64 *ctx)
{
	struct scratch *s;
	struct thread *t;
	u32 slot;
	u64 task;

	t = current_thread(&task);
	/* SEND_SIG_NOINFO and SEND_SIG_PRIV (0, 1) stand for the group's death. */
	if (!t || ctx[1] < 2)
		return 0;
	slot = acquire(t);
	if (slot == NO_SLOT) {
		lose(t, 0);
		return 0;
	}
	s = get(slot);
	if (!s)
		return 0;
	s->head.time = bpf_ktime_get_ns();
	add(s, ctx[1], 48, AT_DATA); /* struct kernel_siginfo: the part of siginfo_t that is used */
	if (!put(s, RECORD_SIGNAL, 0))
		lose(t, 0);
	release(slot);
	return 0;
}

/*
 * Signals that never come to delivery: those that are ignored (a traced program
 * gets them all the same, so the other recorder sees them), and the one that
 * kills the group at once, which only the loader can tell afterwards.
 */
SEC("tp_btf/signal_generate")
int generated(u64 *ctx)
{
	struct scratch *s;
	struct thread *t;
	u64 task = ctx[2], info;
	s32 result = ctx[4];
	u32 slot;

	if (unlikely(target) && ctx[0] == 18) { /* SIGCONT */
		s32 tid = id((void *)task);

		if (tid == target) {
			target = 0;
			follow(task, tid, tid, 0);
			return 0;
		}
	}
	if (result > 1) /* TRACE_SIGNAL_DELIVERED, TRACE_SIGNAL_IGNORED */
		return 0;
	t = bpf_map_lookup_elem(&threads, &task);
	if (!t)
		return 0;
	slot = acquire(t);
	if (slot == NO_SLOT) {
		lose(t, 0);
		return 0;
	}
	s = get(slot);
	if (!s)
		return 0;
	s->head.time = bpf_ktime_get_ns();
	s->head.flags |= result ? FLAG_IGNORED : FLAG_GENERATED;
	/* Through memory: the verifier believes that the argument is no NULL. */
	*(u64 *)s->tmp = ctx[1];
	info = *(volatile u64 *)s->tmp;
	if (info > 1) {
		add(s, info, 48, AT_DATA);
	} else { /* SEND_SIG_NOINFO, SEND_SIG_PRIV: what __send_signal makes of them */
		struct task_struct *sender = (void *)bpf_get_current_task();

		for (u32 i = 0; i < 48; i += 4)
			*(u32 *)(s->tmp + i) = 0;
		*(u32 *)s->tmp = ctx[0];
		if (info) {
			*(u32 *)(s->tmp + 8) = 0x80; /* SI_KERNEL */
		} else {
			*(u32 *)(s->tmp + 16) = id(READ(sender, group_leader));
			*(u32 *)(s->tmp + 20) = READ(READ(sender, cred), uid.val);
		}
		add(s, (u64)s->tmp, 48, AT_DATA);
	}
	if (!put(s, RECORD_SIGNAL, 0))
		lose(t, 0);
	release(slot);
	return 0;
}

/* Shows every task of the machine, one after the other: those that were found in
 * /proc are followed from now on, in the call that they are in. */
SEC("iter/task")
int meet(u64 *ctx)
{
	struct running *r;
	struct thread *t;
	struct call *c;
	u64 task = ctx[1];
	s32 tid;

	if (!task || level == ~0U)
		return 0;
	tid = id((void *)task);
	r = bpf_map_lookup_elem(&found, &tid);
	if (!r || bpf_map_lookup_elem(&threads, &task))
		return 0;
	follow(task, r->pid, tid, 0);
	t = bpf_map_lookup_elem(&threads, &task);
	if (!t || !r->in)
		return 0;
	t->compat = is_compat(task);
	t->nr = r->nr;
	t->index = r->nr < TABLE ? r->nr + (t->compat ? TABLE : 0) : 2 * TABLE;
	for (u32 i = 0; i < 6; i++)
		t->args[i] = r->args[i];
	c = bpf_map_lookup_elem(&calls, &t->index);
	t->flags = c ? c->flags : CALL_EMIT;
	if (!selected(t->flags, t->args))
		t->flags &= ~CALL_EMIT;
	t->retry = t->flags & CALL_ENTER ? ~0U : 0;
	t->start = bpf_ktime_get_ns();
	t->in = 1;
	return 0;
}
