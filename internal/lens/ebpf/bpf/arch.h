/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where an architecture has a call's arguments. */
#pragma once
#include "kernel.h"

#if defined(__TARGET_ARCH_x86)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct pt_regs {
	unsigned long r10, r9, r8, bp, bx, cx, dx, si, di;
};
#pragma clang attribute pop

static inline bool is_compat(u64 task)
{
	struct task_struct *t = (void *)task;

	return FAST(t, thread_info.status) & 2; /* TS_COMPAT */
}

static inline void arguments(u64 *a, struct pt_regs *r, bool compat)
{
	if (unlikely(compat)) {
		a[0] = (u32)FAST(r, bx);
		a[1] = (u32)FAST(r, cx);
		a[2] = (u32)FAST(r, dx);
		a[3] = (u32)FAST(r, si);
		a[4] = (u32)FAST(r, di);
		a[5] = (u32)FAST(r, bp);
		return;
	}
	a[0] = FAST(r, di);
	a[1] = FAST(r, si);
	a[2] = FAST(r, dx);
	a[3] = FAST(r, r10);
	a[4] = FAST(r, r8);
	a[5] = FAST(r, r9);
}

#elif defined(__TARGET_ARCH_arm64)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct user_pt_regs {
	u64 regs[31];
};
struct pt_regs {
	u64 orig_x0;
	u64 regs[31];
};
#pragma clang attribute pop

static inline bool is_compat(u64 task)
{
	struct task_struct *t = (void *)task;

	return FAST(t, thread_info.flags) & 1 << 22; /* TIF_32BIT */
}

static inline void arguments(u64 *a, struct pt_regs *r, bool compat)
{
	a[0] = FAST(r, orig_x0);
	for (int i = 1; i < 6; i++)
		a[i] = FAST(r, regs[i]);
}

#endif
