/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a descriptor is: mode and inode, path, addresses of a socket. */
#pragma once
#include "capture.h"

/* Adds kernel memory as a piece. */
static inline void add(struct scratch *s, u64 from, u32 len, u32 at)
{
	u64 off = bounded(s->off, BUF);

	if (!len || len > 256)
		return;
	if (bpf_probe_read_kernel(s->buf + off + sizeof(struct piece), bounded(len, 256), (void *)from))
		return;
	piece(s, off, 0, len, at);
}

/* Appends one name of a path and goes to its parent: 1 at the root. */
alone int climb(u32 slot)
{
	struct scratch *s = get(slot);
	struct dentry *d, *parent;
	struct vfsmount *mnt;
	u64 off, len;

	if (!s || (s->place.dentry == s->place.root && s->place.mnt == s->place.root_mnt))
		return 1;
	mnt = (void *)s->place.mnt;
	d = (void *)s->place.dentry;
	parent = READ(d, d_parent);
	if (d == READ(mnt, mnt_root) || d == parent) {
		struct mount *m = (void *)mnt - __builtin_preserve_field_info(((struct mount *)0)->mnt, 0);
		struct mount *up = READ(m, mnt_parent);

		if (up == m || !up)
			return 1;
		s->place.dentry = (u64)READ(m, mnt_mountpoint);
		s->place.mnt = (u64)__builtin_preserve_access_index(&up->mnt);
		return 0;
	}
	len = bounded(READ(d, d_name.len), 255);
	off = bounded(s->place.off, BUF);
	*(u16 *)(s->buf + off) = len;
	bpf_probe_read_kernel(s->buf + off + 2, len, READ(d, d_name.name));
	s->place.off = off + 2 + len;
	s->place.dentry = (u64)parent;
	return 0;
}

/* A path as a piece: names from the file up to the root of the task. */
alone int path(u32 slot, u64 mnt, u64 dentry, u32 at)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct scratch *s = get(slot);
	struct fs_struct *fs = READ(task, fs);
	u32 start;

	if (!s)
		return 0;
	start = s->off;
	s->place.mnt = mnt;
	s->place.dentry = dentry;
	s->place.root_mnt = (u64)READ(fs, root.mnt);
	s->place.root = (u64)READ(fs, root.dentry);
	s->place.off = start + sizeof(struct piece);
	for (u32 i = 0; i < 64; i++)
		if (climb(slot))
			break;
	piece(s, bounded(start, BUF), 0, s->place.off - start - sizeof(struct piece), at);
	return 0;
}

static inline struct fdtable *table(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return FAST(FAST(task, files), fdt);
}

static inline struct file *file_of(u32 fd)
{
	struct fdtable *t = table();
	u64 at;

	if (fd >= FAST(t, max_fds))
		return 0;
	at = (u64)(FAST(t, fd) + fd);
	/* A pointer is loaded where a structure that begins with one could be. */
	return (void *)FAST((struct path *)(at - __builtin_preserve_field_info(((struct path *)0)->mnt, 0)), mnt);
}

static inline u32 table_size(void)
{
	struct fdtable *t = table();

	return FAST(t, max_fds);
}

static inline struct sock *sock_of(struct file *f)
{
	struct socket *sock = READ(f, private_data);

	return READ(sock, sk);
}

static inline void inet_name(struct scratch *s, struct sock *sk, u32 family, bool remote)
{
	struct inet_sock *inet = (void *)sk;
	u8 *t = s->tmp;
	u32 at = remote ? AT_REMOTE : AT_LOCAL;
	u16 port = remote ? READ(sk, __sk_common.skc_dport) : READ(inet, inet_sport);

	for (u32 i = 0; i < 28; i += 4)
		*(u32 *)(t + i) = 0;
	*(u16 *)t = family;
	*(u16 *)(t + 2) = port;
	if (family == AF_INET) {
		u32 a = remote ? READ(sk, __sk_common.skc_daddr) : READ(sk, __sk_common.skc_rcv_saddr);

		if (!a && !remote)
			a = READ(inet, inet_saddr);
		*(u32 *)(t + 4) = a;
		*(u64 *)(t + 8) = 0;
		add(s, (u64)t, 16, at);
		return;
	}
	bpf_probe_read_kernel(t + 8, 16,
			      remote ? __builtin_preserve_access_index(&sk->__sk_common.skc_v6_daddr)
				     : __builtin_preserve_access_index(&sk->__sk_common.skc_v6_rcv_saddr));
	if (t[8] == 0xfe && (t[9] & 0xc0) == 0x80)
		*(u32 *)(t + 24) = READ(sk, __sk_common.skc_bound_dev_if);
	add(s, (u64)t, 28, at);
}

static inline void unix_name(struct scratch *s, struct sock *sk, u32 at)
{
	struct unix_sock *u = (void *)sk;
	struct unix_address *a = READ(u, addr);
	u32 len;

	*(u16 *)s->tmp = AF_UNIX;
	len = a ? READ(a, len) : 0;
	if (!len) {
		add(s, (u64)s->tmp, 2, at);
		return;
	}
	if (len > 110)
		len = 110;
	add(s, (u64)__builtin_preserve_access_index(&a->name), len, at);
}

static inline u64 mix(u64 h, u64 v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	return h ^ (h >> 29);
}

/* Whether getpeername(2) would succeed on an internet socket. */
static inline bool has_peer(struct sock *sk)
{
	u8 state = READ(sk, __sk_common.skc_state);

	/* TCP_CLOSE, TCP_SYN_SENT; TCP_LISTEN has no port. */
	return state != 7 && state != 2 && READ(sk, __sk_common.skc_dport);
}

/* Fills in what fd is and says so, if that is news. */
alone int describe(u32 slot, u32 fd)
{
	struct scratch *s = get(slot);
	struct file *f = file_of(fd);
	struct fd_body *b;
	struct inode *inode;
	struct sock *sk = 0;
	u32 family = 0, key;
	bool peer = 0;
	u64 sign, *last;

	if (!s)
		return 0;
	s->file = (u64)f;
	s->mode = s->ino = s->sock = 0;
	if (!f)
		return 0;
	inode = FAST(f, f_inode);
	s->mode = FAST(inode, i_mode);
	s->ino = FAST(inode, i_ino);
	if ((s->mode & S_IFMT) == S_IFCHR)
		s->rdev = FAST(inode, i_rdev);
	sign = (u64)s->head.pid << 32 | fd;
	key = mix(sign, 0) >> 20 & (SIGNATURES - 1);
	sign = mix(mix(mix(mix(sign, 0), s->gen), *(volatile u64 *)&s->file), s->ino); /* a number, not a pointer */
	if ((s->mode & S_IFMT) == S_IFSOCK) {
		sk = sock_of(f);
		s->sock = (u64)sk;
		family = READ(sk, __sk_common.skc_family);
		if (family == AF_INET || family == AF_INET6) {
			peer = has_peer(sk);
			sign = mix(sign, READ(sk, __sk_common.skc_num) | (u64)peer << 16 |
						 (u64)READ(sk, __sk_common.skc_dport) << 32);
		} else if (family == AF_UNIX) {
			struct unix_sock *u = (void *)sk;

			sign = mix(mix(sign, (u64)READ(u, addr)), (u64)READ(u, peer));
		}
	}
	last = bpf_map_lookup_elem(&signatures, &key);
	if (!last || *last == sign)
		return 0;
	b = (void *)(s->buf + BODY - sizeof(*b));
	b->fd = fd;
	b->mode = s->mode;
	b->ino = s->ino;
	b->magic = READ(READ(inode, i_sb), s_magic);
	b->type = 0;
	b->family = family;
	b->deleted = 0;
	if (sk) {
		b->type = READ(sk, sk_type);
		if (family == AF_INET || family == AF_INET6) {
			inet_name(s, sk, family, 0);
			if (peer)
				inet_name(s, sk, family, 1);
		} else if (family == AF_UNIX) {
			struct unix_sock *u = (void *)sk;
			struct sock *other = READ(u, peer);

			unix_name(s, sk, AT_LOCAL);
			if (other)
				unix_name(s, other, AT_REMOTE);
		}
	} else {
		struct dentry *d = READ(f, f_path.dentry);

		b->deleted = !READ(d, d_hash.pprev) && d != READ(d, d_parent);
		path(slot, (u64)READ(f, f_path.mnt), (u64)d, AT_PATH);
		if (d == READ(d, d_parent)) { /* of a file system that isn't mounted: the name is all */
			u32 len = READ(d, d_name.len);

			add(s, (u64)READ(d, d_name.name), len > 255 ? 255 : len, AT_INFO);
		}
	}
	if (put(s, RECORD_FD, sizeof(*b)))
		*last = sign;
	return 0;
}

static inline bool is_terminal(struct scratch *s)
{
	u32 major = s->rdev >> 20;

	return (s->mode & S_IFMT) == S_IFCHR &&
	       ((major >= 136 && major <= 143) || major == 4 || major == 5 || major == 204 || major == 188 || major == 166);
}

/* How many bytes of a transfer through fd are kept. */
static inline u32 data_limit(struct scratch *s, u32 fd)
{
	u32 type = s->mode & S_IFMT;

	if (type == S_IFSOCK) {
		u64 *kept = bpf_map_lookup_elem(&streams, &s->ino), zero = 0;

		if (!kept) {
			bpf_map_update_elem(&streams, &s->ino, &zero, BPF_NOEXIST);
			return atmost(max_stream, max_transfer);
		}
		return *kept < max_stream ? atmost(max_stream - *kept, max_transfer) : 0;
	}
	if (type == S_IFIFO || fd == 1 || fd == 2 || is_terminal(s))
		return snaplen > terminal_snaplen ? snaplen : terminal_snaplen;
	return snaplen;
}
