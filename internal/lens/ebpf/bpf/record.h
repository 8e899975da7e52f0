/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What passes between the programs and the loader: the records in the ring,
 * the rules and the settings. record.go reads the same, field by field.
 *
 * A record is a struct head, a body by its type, and pieces up to its end. A
 * piece is a struct piece and its bytes, padded to 8.
 */
#pragma once

enum record {
	RECORD_SYSCALL = 1, /* a call that is over: struct call_body, pieces */
	RECORD_PART = 2,    /* pieces of a record that is still to come, by task and seq */
	RECORD_FORK = 3,    /* struct fork_body */
	RECORD_EXEC = 4,    /* struct exec_body, pieces */
	RECORD_EXIT = 5,    /* struct exit_body */
	RECORD_SIGNAL = 6,  /* a piece: siginfo */
	RECORD_FD = 7,	    /* struct fd_body, pieces */
	RECORD_PEEK = 8,    /* struct peek_body, pieces */
};

struct head {
	u8 type;
	u8 flags;
	u16 lost; /* parts or pieces of this record that did not fit */
	s32 pid, tid;
	u32 seq; /* of the task's call */
	u64 time;
};

enum head_flags {
	FLAG_UNFINISHED = 1,
	FLAG_COMPAT = 2,
	FLAG_PARTS = 4, /* parts went before */
	FLAG_FD = 8,	/* kind and ino say what the call's descriptor is */
	FLAG_THREAD = 16,
	FLAG_GROUP_DEAD = 32,
	FLAG_GENERATED = 64, /* a signal sent, not yet delivered */
	FLAG_IGNORED = 128,
};

struct call_body {
	u32 nr;
	u32 mode; /* of the descriptor's inode */
	u32 ino;  /* of a socket */
	u32 kept; /* bytes of data */
	u64 dur;
	s64 ret;
	u64 args[6];
};

struct fork_body {
	s32 child;
	u32 files; /* shared with the parent */
};

struct exec_body {
	u32 uid;
	s32 former;
	u32 secure;
	u32 argv; /* bytes in all */
};

struct exit_body {
	u32 status, group; /* exit_code; group_exit_code plus 1<<31 when it counts */
};

struct fd_body {
	s32 fd;
	u32 mode;
	u64 ino;
	u32 magic; /* of the file system */
	u32 type;  /* of a socket */
	u32 family;
	u32 deleted;
};

struct peek_body {
	s32 fd;
	u32 when;
	u64 ino;
	u32 queued;
	u32 missing; /* bytes that could not be read */
};

struct piece {
	u64 addr;
	u32 len;
	u8 at;
	u8 pad[3];
};

enum at {
	AT_ENTER = 0,
	AT_LEAVE = 1,
	AT_EXE = 2,  /* names from the file to the root, each a u16 length and bytes */
	AT_CWD = 3,
	AT_ARGV = 4,
	AT_PATH = 5,
	AT_LOCAL = 6,
	AT_REMOTE = 7,
	AT_INFO = 8,
	AT_DATA = 9,
};

/* How one argument's memory is copied: a row of sysabi's table. */
enum op {
	OP_STRING = 1,
	OP_STRINGS,
	OP_BUFFER,
	OP_SOCKADDR,
	OP_IOVEC,
	OP_MESSAGE,
	OP_MESSAGES,
	OP_BYTES,
};

enum { DIR_IN = 1, DIR_OUT = 2, ON_INTR = 4, IF_RET = 8 };

enum from { FROM_CONST, FROM_ARG, FROM_SIZE, FROM_RET, FROM_PTR, FROM_BITS };

struct rule {
	u8 op;
	u8 reg;
	u8 dir;
	u8 from;
	u8 n;
	u8 pad;
	u16 elem;
};

#define RULES 6

enum call_flags {
	CALL_EMIT = 1,
	CALL_ENTER = 2, /* has memory to copy at entry */
	CALL_LEAVE = 4,
	CALL_FD = 8,	/* fd is a descriptor whose kind matters */
	CALL_DATA = 16, /* the result counts the bytes that went through fd */
	CALL_VARY = 32, /* rules depend on the value of argument sel */
	CALL_RETFD = 64,
	CALL_CONNECT = 128,
	CALL_PEEK_FD = 256,   /* look at the queue of fd before the call */
	CALL_PEEK_ALL = 512,  /* at those of all descriptors */
	CALL_MMAP = 1024,     /* only if anonymous and of 1 MiB or more */
	CALL_STAT3 = 2048,    /* only if flags in argument 3 lack AT_EMPTY_PATH */
	CALL_STAT2 = 4096,
	CALL_TRANSFER = 8192, /* data of the call counts against the stream's limit */
	CALL_RANGE = 16384,   /* close_range */
	CALL_SIMPLE = 32768,  /* one buffer is all its memory */
};

struct call {
	u32 flags;
	u8 rules;
	u8 fd;
	u8 sel, sel2; /* arguments that choose among rules, 255: none */
	u32 mask;     /* of the first */
	u32 pad;
	struct rule rule[RULES];
};

struct vary_key {
	u32 index;
	u32 value, value2;
};

#define TABLE 512 /* numbers of one architecture; those of 32-bit programs follow */

/* A task that is followed. */
struct thread {
	u64 start; /* of the call in flight, 0: none */
	u64 args[6];
	s32 pid, tid; /* as the recorder's PID namespace has them */
	u32 nr, index;
	u32 flags; /* of the call's row */
	u32 seq;
	u32 retry; /* rules whose memory was not there at entry */
	u32 gen;   /* of execve in this process */
	u8 compat, in, parts, root;
	u32 lost; /* records that did not fit into the ring */
	u64 lost_bytes;
	u32 slot; /* of the buffer in which the call's record is being made */
	u32 pad;
};

/* A task that runs already, as /proc has it: by its id in the recorder's PID
 * namespace. */
struct running {
	s32 pid;
	u32 in, nr; /* the call that it is in */
	u32 pad;
	u64 args[6];
};

struct loss {
	u64 count, bytes;
};
