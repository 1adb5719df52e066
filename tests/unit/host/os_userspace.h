/* SPDX-License-Identifier: MIT */
/*
 * The inline half of host/os.h; the rest is in world.c.
 *
 * "Physical" addresses differ from ours by a bit that no user address has.  So code of
 * the Host that forgets to translate, either way, does not work by accident.
 */
#ifndef LG_OS_USERSPACE_H
#define LG_OS_USERSPACE_H

#define WORLD_PHYS	(1ull << 50)

void world_bad_page(const void *page);

static inline u64 lg_os_phys(const void *page)
{
	if (!page || (u64)page % 4096)
		world_bad_page(page);
	return (u64)page | WORLD_PHYS;
}

static inline u64 lg_arch_tsc(void)
{
	static u64 tsc;

	return tsc += 1000;
}

static inline void lg_trace_hypercall(struct lguest *lg, const struct hcall_args *args, bool ring)
{
	(void)lg, (void)args, (void)ring;
}

static inline void lg_trace_page_fault(struct lguest *lg, u32 gva, u32 error, u32 outcome,
				       u64 directory, u64 pte, u64 was, u64 now)
{
	(void)lg, (void)gva, (void)error, (void)outcome;
	(void)directory, (void)pte, (void)was, (void)now;
}

static inline void lg_trace_inject(struct lguest *lg, unsigned int vector, u32 error)
{
	(void)lg, (void)vector, (void)error;
}

static inline void lg_trace_irq(struct lguest *lg, unsigned int irq, bool again)
{
	(void)lg, (void)irq, (void)again;
}

#endif
