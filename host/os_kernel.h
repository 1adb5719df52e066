/* SPDX-License-Identifier: GPL-2.0-only */
/*H:145 The world, when it is a Linux kernel
 *
 * The inline half of os.h; the rest is in core.c, clock.c, memory.c and
 * x86_64/arch.c.
 */
#ifndef LG_OS_KERNEL_H
#define LG_OS_KERNEL_H

#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include "lg_trace.h"

static inline u64 lg_os_phys(const void *page)
{
	return __sme_set(__pa(page));
}

static inline u64 lg_arch_tsc(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return low | (u64)high << 32;
}

static inline void lg_trace_hypercall(struct lguest *lg, const struct hcall_args *args, bool ring)
{
	trace_lguest_hypercall(args->number, args->arg1, args->arg2, args->arg3, args->arg4,
			       ring);
}

static inline void lg_trace_page_fault(struct lguest *lg, u32 gva, u32 error, u32 outcome,
				       u64 directory, u64 pte, u64 was, u64 now)
{
	trace_lguest_page_fault(lg, gva, error, outcome, directory, pte, was, now);
}

static inline void lg_trace_inject(struct lguest *lg, unsigned int vector, u32 error)
{
	trace_lguest_inject(vector, error, (u32)lg_regs(lg)->eip);
}

static inline void lg_trace_irq(struct lguest *lg, unsigned int irq, bool again)
{
	trace_lguest_irq(lg, irq, again);
}

#endif
/*:*/
