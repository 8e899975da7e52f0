/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the programs use of the kernel: helper numbers (linux/bpf.h) and the
 * fields of its structures. Every access is relocated at load time (CO-RE), so
 * that order, offset and size here don't matter, only names.
 */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;
typedef long long s64;
typedef _Bool bool;

#define SEC(name) __attribute__((section(name), used))
#define inline __attribute__((always_inline)) inline
/* Verified by itself, once, with any arguments (global function, Linux 5.6). */
#define alone __attribute__((noinline))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
/* Keeps the compiler from undoing a bound that the verifier must see. */
#define opaque(x) asm volatile("" : "+r"(x))
/* v, at most max, in a form that the verifier follows. */
#define bounded(v, max)                                                                            \
	({                                                                                         \
		u64 _b = (v);                                                                      \
		opaque(_b);                                                                        \
		if (_b > (max))                                                                    \
			_b = (max);                                                                \
		opaque(_b);                                                                        \
		_b;                                                                                \
	})

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,

	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1,

	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_AVAIL_DATA = 0,
};

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static u32 (*bpf_get_smp_processor_id)(void) = (void *)8;
static long (*bpf_tail_call)(void *ctx, void *programs, u32 index) = (void *)12;
static u64 (*bpf_get_current_task)(void) = (void *)35;
static long (*bpf_probe_read_user)(void *dst, u32 size, const void *from) = (void *)112;
static long (*bpf_probe_read_kernel)(void *dst, u32 size, const void *from) = (void *)113;
static long (*bpf_probe_read_user_str)(void *dst, u32 size, const void *from) = (void *)114;
static long (*bpf_probe_read_kernel_str)(void *dst, u32 size, const void *from) = (void *)115;
static long (*bpf_ringbuf_output)(void *ring, void *data, u64 size, u64 flags) = (void *)130;
static u64 (*bpf_ringbuf_query)(void *ring, u64 flags) = (void *)134;

/* READ(p, a.b) is p->a.b at a kernel address, 0 when it can't be read. */
#define READ(p, field)                                                                             \
	({                                                                                         \
		typeof(p) _p = (p);                                                                \
		typeof(_p->field) _v = 0;                                                          \
		bpf_probe_read_kernel(&_v, sizeof(_v), __builtin_preserve_access_index(&_p->field)); \
		_v;                                                                                \
	})

/*
 * FAST(p, a.b) is READ by a plain load, where the kernel lets a pointer be taken
 * for one of a type's (bpf_rdonly_cast, Linux 6.2): a fault reads as 0. For what
 * every call does.
 */
extern void *bpf_rdonly_cast(const void *p, u32 type) __attribute__((section(".ksyms"), weak));
#define FAST(p, field)                                                                             \
	({                                                                                         \
		typeof(p) _q = (p);                                                                \
		typeof(_q->field) _w;                                                              \
		if (bpf_rdonly_cast)                                                               \
			_w = ((typeof(_q))bpf_rdonly_cast(                                         \
				_q, __builtin_btf_type_id(*_q, 1)))->field;                        \
		else                                                                               \
			_w = READ(_q, field);                                                      \
		_w;                                                                                \
	})

#define FIELD_EXISTS(field) __builtin_preserve_field_info(field, 2)
#define TYPE_SIZE(type) __builtin_preserve_type_info(*(type *)0, 1)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	u32 inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	u32 level;
	struct upid numbers[1];
};

typedef struct {
	u32 val;
} kuid_t;

struct cred {
	kuid_t uid, euid;
};

struct qstr {
	u32 len;
	u8 *name;
};

struct hlist_bl_node {
	struct hlist_bl_node *next, **pprev;
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	u16 i_mode;
	u32 i_rdev;
	unsigned long i_ino;
	struct super_block *i_sb;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct inode *f_inode;
	struct path f_path;
	void *private_data;
};

struct fdtable {
	u32 max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct fs_struct {
	struct path root, pwd;
};

struct mm_struct {
	unsigned long arg_start, arg_end;
	unsigned long saved_auxv[46];
	struct file *exe_file;
};

struct signal_struct {
	int group_exit_code;
	u32 flags;
	struct {
		int counter;
	} live;
};

struct thread_info {
	unsigned long flags;
	u32 status;
};

struct task_struct {
	struct thread_info thread_info;
	struct mm_struct *mm;
	int exit_code;
	int pid, tgid;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct cred *cred;
	struct fs_struct *fs;
	struct files_struct *files;
	struct signal_struct *signal;
};

struct linux_binprm {
	struct mm_struct *mm;
};

struct in6_addr {
	u8 bytes[16];
};

struct sock_common {
	u32 skc_daddr, skc_rcv_saddr;
	u16 skc_dport, skc_num;
	u16 skc_family;
	u8 skc_state;
	int skc_bound_dev_if;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};

struct sk_buff;

struct sk_buff_head {
	struct sk_buff *next, *prev;
	u32 qlen;
};

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_receive_queue;
	u16 sk_type;
	u16 sk_protocol;
};

struct inet_sock {
	u32 inet_saddr;
	u16 inet_sport;
};

struct tcp_sock {
	u32 rcv_nxt, copied_seq;
};

struct unix_address {
	int len;
	u8 name[1];
};

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};

struct socket {
	struct sock *sk;
};

struct page {
	unsigned long private;
};

struct sk_buff {
	struct sk_buff *next;
	u32 len, data_len;
	u32 end;
	u8 *head, *data;
	u8 cb[48];
};


#pragma clang attribute pop

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFIFO 0010000
#define S_IFCHR 0020000
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
