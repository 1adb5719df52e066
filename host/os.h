/* SPDX-License-Identifier: GPL-2.0-only */
/*H:140 What the pure part asks of the world
 *
 * A dozen functions.  The module has them in core.c, clock.c, memory.c and
 * x86_64/arch.c; a test program brings its own, and can then play the whole Host without
 * a kernel.
 *
 * All may be called with interrupts off; none sleeps.
 */
#ifndef LG_OS_H
#define LG_OS_H

/* End the Guest: first call wins.  format gives the sentence, reason the code; that it
 * was you who decided goes into the obituary. */
#define lg_kill(lg, reason, ...) lg_kill_by(lg, __func__, reason, __VA_ARGS__)
__attribute__((format(printf, 4, 5)))
void lg_kill_by(struct lguest *lg, const char *by, enum lg_reason reason, const char *format, ...);

/* The Guest's one-shot clock: interrupt 0 in `ns` nanoseconds; 0 cancels. */
void lg_os_set_timer(struct lguest *lg, u32 ns);

/* Wall clock: seconds and nanoseconds since 1970, UTC. */
void lg_os_wall_clock(u32 *sec, u32 *nsec);

/* What struct lguest_data.tsc_khz is to say; 0 if the TSC is not to be trusted. */
u32 lg_os_tsc_khz(void);

/* An interrupt waits although nobody may be told now: force an exit before long. */
void lg_os_nudge(struct lguest *lg);

/* The real gate of `vector` is to have this DPL; `handler` != 0: deliver directly. */
void lg_arch_set_gate(struct lguest *lg, unsigned int vector, unsigned int dpl, u32 handler);

/* Set or clear the real CR0.TS for the next stay in the Guest. */
void lg_arch_set_ts(struct lguest *lg, bool ts);

/* The time stamp counter: what the Guest's RDTSC would say now. */
static inline u64 lg_arch_tsc(void);

/* The physical address of one of our pages, as a page table entry wants it. */
static inline u64 lg_os_phys(const void *page);

/* Tracepoints. */
static inline void lg_trace_hypercall(struct lguest *lg, const struct hcall_args *args, bool ring);
static inline void lg_trace_page_fault(struct lguest *lg, u32 gva, u32 error, u32 outcome,
				       u64 directory, u64 pte, u64 was, u64 now);
static inline void lg_trace_inject(struct lguest *lg, unsigned int vector, u32 error);
static inline void lg_trace_irq(struct lguest *lg, unsigned int irq, bool again);

#ifdef __KERNEL__
#include "os_kernel.h"
#else
#include "os_userspace.h"
#endif

#endif
/*:*/
