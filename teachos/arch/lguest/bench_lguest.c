/* SPDX-License-Identifier: MIT */
/*G:720 The price list of the Host
 *
 * The null hypercall is the yardstick: FLUSH_ASYNC with an empty ring, nothing but
 * the journey.  Everything else is the journey plus the work.  The loop around each
 * call is two instructions, and they are counted in.
 */
#include "bench.h"
#include "hypercall.h"

#define CALLS 1000u
#define RING_BATCH 63u

/* The same call, CALLS times. */
static void repeat(void *arg)
{
	const struct hcall_args *call = arg;
	u32 count = CALLS;

	asm volatile("1: int %1\n\tdecl %0\n\tjnz 1b"
		     : "+D"(count)
		     : "i"(LGUEST_TRAP_ENTRY), "a"(call->number), "b"(call->arg1),
		       "c"(call->arg2), "d"(call->arg3), "S"(call->arg4)
		     : "memory", "cc");
}

static void bench_call(const char *name, struct hcall_args call)
{
	bench_report(name, bench_measure(repeat, &call, CALLS));
}

static void fill_and_flush(void *arg)
{
	const struct hcall_args *call = arg;
	u32 i;

	for (i = 0; i < RING_BATCH; i++)
		ring_push(call->number, call->arg1, call->arg2, call->arg3, call->arg4);
	ring_flush();
}

/* Only what the Host does: the ring is filled before the clock starts. */
static u32 ring_host_share(struct hcall_args call, u32 null10)
{
	u32 best = 0xffffffff, round, i, ticks;

	for (round = 0; round < BENCH_BATCHES; round++) {
		u64 start;

		for (i = 0; i < RING_BATCH; i++)
			ring_push(call.number, call.arg1, call.arg2, call.arg3, call.arg4);
		start = rdtsc();
		ring_flush();
		ticks = rdtsc() - start;
		best = ticks < best ? ticks : best;
	}
	return best * 10 > null10 ? (best * 10 - null10) / RING_BATCH : 0;
}

static void bench_ring(const char *name, struct hcall_args call, u32 null10)
{
	char text[48];
	struct bench_result r = bench_measure(fill_and_flush, &call, 1);
	u32 whole = r.median10 > null10 ? (r.median10 - null10) / RING_BATCH : 0;

	snformat(text, sizeof(text), "ring_%s", name);
	bench_print(text, whole, "ticks");
	snformat(text, sizeof(text), "ring_%s_host", name);
	bench_print(text, ring_host_share(call, null10), "ticks");
}
/*:*/

/*G:730 The price of looking at a page
 *
 * When the Host has never seen a frame it must find it and pin it; when it has, only
 * a shadow entry is missing.  So several hundred pages that nobody ever touched are
 * read once, forgotten (FLUSH_TLB), and read again.  They lie side by side, so the
 * tables that they need are few.  The scratch window of the kernel half serves.
 *
 * "Never touched" is arranged by taking frames from the far end of memory, those that
 * were never handed out since boot.
 */
#define PAGES 512u

static u32 touch_all(void)
{
	u64 start = rdtsc();
	u32 va;

	for (va = SCRATCH_BASE; va < SCRATCH_BASE + PAGES * PAGE_SIZE; va += PAGE_SIZE)
		(void)*(volatile u32 *)va;
	return rdtsc() - start;
}

static void map_scratch(u32 first_frame, u32 flags)
{
	u32 i;

	for (i = 0; i < PAGES; i++)
		*pte_lookup(kernel_root, SCRATCH_BASE + i * PAGE_SIZE) =
			flags ? (first_frame + i * PAGE_SIZE) | flags | PTE_P : 0;
}

static u32 forget_all_one_by_one(void)
{
	u64 start = rdtsc();
	u32 i;

	for (i = 0; i < PAGES; i++)
		hypercall(LHCALL_SET_PTE, kernel_root, SCRATCH_BASE + i * PAGE_SIZE, 0, 0);
	return rdtsc() - start;
}

static void bench_fill(void)
{
	/* The last pages of RAM but one mebibyte, where kernel stacks come from.  Free
	 * frames are handed out from the bottom, so these are as they were at boot; they
	 * are only read. */
	u32 memory = boot_info.memory < DIRECT_MAX ? boot_info.memory : DIRECT_MAX;
	u32 first = memory - (1u << 20) - PAGES * PAGE_SIZE, cold, warm, one_by_one;

	map_scratch(first, PTE_A);
	cold = touch_all();
	one_by_one = forget_all_one_by_one();
	warm = touch_all();
	bench_print("fill_unpinned", cold * 10 / PAGES, "ticks");
	bench_print("fill_forgotten", warm * 10 / PAGES, "ticks");
	bench_print("set_pte_forget", one_by_one * 10 / PAGES, "ticks");
	warm = touch_all();
	bench_print("touch_present", warm * 10 / PAGES, "ticks");
	map_scratch(first, 0);
	forget_all_one_by_one();
	/* The same with frames that stay pinned through their place in the direct map. */
	for (cold = 0; cold < PAGES; cold++)
		(void)*(volatile u32 *)phys_to_virt(first + cold * PAGE_SIZE);
	map_scratch(first, PTE_A);
	warm = touch_all();
	bench_print("fill_pinned", warm * 10 / PAGES, "ticks");
	map_scratch(first, 0);
	pv.flush_all();
}
/*:*/

static void empty_loop(void *arg)
{
	u32 count = CALLS;

	(void)arg;
	asm volatile("1: decl %0\n\tjnz 1b" : "+r"(count) : : "cc");
}

static void bench_context(u32 null10)
{
	static const u64 tls[3] __attribute__((aligned(8)));
	u32 frame = frame_alloc_zeroed();
	struct hcall_args ts = {LHCALL_TS, 1, 0, 0, 0};
	struct hcall_args set_pte = {LHCALL_SET_PTE, kernel_root, SCRATCH_BASE,
				     frame | PTE_P | PTE_RW | PTE_A | PTE_D, 0};

	bench_call("set_stack", (struct hcall_args){LHCALL_SET_STACK, LGUEST_KERNEL_DS,
						    (u32)__builtin_frame_address(0), 2, 0});
	bench_call("load_gdt_entry", (struct hcall_args){LHCALL_LOAD_GDT_ENTRY, 29, 0, 0, 0});
	*pte_lookup(kernel_root, SCRATCH_BASE) = set_pte.arg3;
	(void)*(volatile u32 *)SCRATCH_BASE;
	bench_call("set_pte_kernel", set_pte);
	bench_call("flush_tlb_user", (struct hcall_args){LHCALL_FLUSH_TLB, 0, 0, 0, 0});
	bench_call("load_tls", (struct hcall_args){LHCALL_LOAD_TLS, virt_to_phys(tls), 0, 0, 0});
	bench_call("ts", ts);
	bench_call("set_clockevent_cancel", (struct hcall_args){LHCALL_SET_CLOCKEVENT, 0, 0, 0, 0});
	bench_call("set_clockevent", (struct hcall_args){LHCALL_SET_CLOCKEVENT, 0xffffffff, 0, 0, 0});
	bench_call("new_pgtable_same", (struct hcall_args){LHCALL_NEW_PGTABLE, kernel_root, 0, 0, 0});
	pv.clock_arm(0);
	bench_ring("ts", ts, null10);
	bench_ring("set_pte", set_pte, null10);
	*pte_lookup(kernel_root, SCRATCH_BASE) = 0;
	pv.pte_changed(kernel_root, SCRATCH_BASE, 0);
	frame_put(frame);
}

void bench_backend(void)
{
	struct hcall_args null = {LHCALL_FLUSH_ASYNC, 0, 0, 0, 0};
	struct bench_result r;

	bench_fill();
	bench_report("empty_loop", bench_measure(empty_loop, NULL, CALLS));
	r = bench_measure(repeat, &null, CALLS);
	bench_report("null_hypercall", r);
	bench_context(r.median10);
}
