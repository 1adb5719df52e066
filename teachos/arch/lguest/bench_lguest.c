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
 * When the Host needs a page it finds out which one in our tables, and puts it into
 * the shadow.  What that costs depends on how well it knows the page:
 *
 *	fill_new	nobody ever touched it: the Launcher has not got it itself
 *	fill_unpinned	the Launcher wrote to it, the Host has not met it (this needs
 *			an --initrd of two megabytes or more: those are such pages)
 *	fill_pinned	the Host had it before, only the shadow entry is missing
 *
 * 512 pages side by side are read, so that the tables they need hardly count.  The
 * scratch window of the kernel half serves.
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

static void map_scratch(u32 first, u32 flags)
{
	u32 i;

	for (i = 0; i < PAGES; i++)
		*pte_lookup(kernel_root, SCRATCH_BASE + i * PAGE_SIZE) =
			flags ? (first + i * PAGE_SIZE) | flags | PTE_P : 0;
}

static u32 forget_one_by_one(void)
{
	u64 start = rdtsc();
	u32 i;

	for (i = 0; i < PAGES; i++)
		hypercall(LHCALL_SET_PTE, kernel_root, SCRATCH_BASE + i * PAGE_SIZE, 0, 0);
	return rdtsc() - start;
}

static void bench_pages(u32 first, const char *first_touch, bool then_the_rest)
{
	u32 cold, forget, warm;

	map_scratch(first, PTE_A);
	cold = touch_all();
	forget = forget_one_by_one();
	warm = touch_all();
	bench_print(first_touch, cold * 10 / PAGES, "ticks");
	if (then_the_rest) {
		bench_print("fill_pinned", warm * 10 / PAGES, "ticks");
		bench_print("set_pte_forget", forget * 10 / PAGES, "ticks");
	}
	map_scratch(first, 0);
	pv.flush_all();
}

static void bench_fill(void)
{
	u32 memory = boot_info.memory < DIRECT_MAX ? boot_info.memory : DIRECT_MAX;
	u32 top = boot_info.ramdisk ? boot_info.ramdisk : memory;

	if (boot_info.ramdisk_size >= PAGES * PAGE_SIZE)
		bench_pages(boot_info.ramdisk, "fill_unpinned", false);
	/* Frames are handed out from the bottom, kernel stacks from the top: in the
	 * middle of memory they are as they were at boot.  They are only read. */
	bench_pages((top / 2) & ~PAGE_MASK, "fill_new", true);
}

/* What comes next shall find frames that the Host knows, as it would in a Guest that
 * has been running for a while. */
static void meet_frames(u32 count)
{
	u32 chain = 0, frame;

	while (count-- && (frame = frame_alloc()) != 0) {
		*(u32 *)phys_to_virt(frame) = chain;
		chain = frame;
	}
	while (chain) {
		frame = chain;
		chain = *(u32 *)phys_to_virt(frame);
		frame_put(frame);
	}
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
	bench_call("set_stack_1_page", (struct hcall_args){LHCALL_SET_STACK, LGUEST_KERNEL_DS,
							   (u32)__builtin_frame_address(0), 1, 0});
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

void bench_lguest(void)
{
	struct hcall_args null = {LHCALL_FLUSH_ASYNC, 0, 0, 0, 0};
	struct bench_result r;

	bench_fill();
	meet_frames(2048);
	bench_report("empty_loop", bench_measure(empty_loop, NULL, CALLS));
	r = bench_measure(repeat, &null, CALLS);
	bench_report("null_hypercall", r);
	bench_context(r.median10);
}
