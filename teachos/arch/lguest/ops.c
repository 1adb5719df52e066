/* SPDX-License-Identifier: MIT */
/*
 * The lguest back end of struct pv_ops: each privileged operation as a hypercall,
 * or, better, as a word of memory that the Host looks at when it passes by.
 */
#include "hypercall.h"
#include "kernel.h"

/* From return.asm. */
extern char noirq_start[], noirq_end[], lguest_iret[];
void lguest_return(void);
void lguest_return_to_user(void);
/* From ring.c. */
void lguest_batch_begin(void);
void lguest_batch_end(void);
/* Called by kernel/boot.asm, once the two views of memory exist. */
void lguest_start(void) __attribute__((noreturn));

/* The page both sides scribble on.  Interrupts begin off, all of them masked, and
 * the ring begins empty. */
struct lguest_data lguest_data = {
	.irq_enabled = 0,
	.blocked_interrupts = 0xffffffff,
	.hcall_status = {[0 ... LHCALL_RING_SIZE - 1] = LHCALL_RING_FREE},
	.noirq_start = (u32)noirq_start,
	.noirq_end = (u32)noirq_end,
	.kernel_address = KERNEL_BASE,
	.syscall_vec = 0x80,
};

/* The Host writes these between any two of our instructions. */
#define LIVE(field) (*(volatile __typeof__(lguest_data.field) *)&lguest_data.field)

/*G:170 The interrupt flag that is not one
 *
 * The real interrupt flag is always on while we run: it belongs to the Host, who
 * has a machine to look after.  Ours is lguest_data.irq_enabled, and turning it off
 * costs one store instead of a trip.  The Host finds an interrupt for us, sees the
 * flag off, sets irq_pending and comes again.  When we turn the flag on, we look
 * whether something waited, and ask for it at once rather than when the Host next
 * happens to pass.
 */
/* LAB 1.3 BEGIN: the interrupt flag that is not one */
static void lguest_irq_disable(void)
{
	/* Each system call comes by here; a compiler takes two instructions for it. */
	asm volatile("movl $0, %0" : "=m"(lguest_data.irq_enabled) : : "memory");
}

static void lguest_irq_enable(void)
{
	asm volatile("" : : : "memory");
	LIVE(irq_enabled) = LGUEST_IF;
	if (LIVE(irq_pending))
		hypercall(LHCALL_SEND_INTERRUPTS, 0, 0, 0, 0);
}

static bool lguest_irq_enabled(void)
{
	return LIVE(irq_enabled) & LGUEST_IF;
}

static void lguest_irq_mask(unsigned int irq, bool masked)
{
	bool irqs = irq_save();

	if (masked)
		LIVE(blocked_interrupts) |= 1u << irq;
	else
		LIVE(blocked_interrupts) &= ~(1u << irq);
	irq_restore(irqs);
	/* No call: the Host comes by often enough, and the ABI promises that. */
}

static void lguest_halt(void)
{
	hypercall(LHCALL_HALT, 0, 0, 0, 0);	/* turns interrupts on as well */
}
/* LAB 1.3 END */
/*:*/

static u32 lguest_fault_address(void)
{
	return LIVE(cr2);
}

/*G:180 Telling the Host about page tables
 *
 * Our tables are plain memory: we write what we like, and nobody notices.  The
 * processor uses other tables, the shadows, that the Host fills from ours whenever
 * a page is missing there.  So the one rule is: *our own table first, then the
 * call*.  The Host may forget a shadow entry at any moment and read ours again, and
 * then ours had better be right.  An entry that was absent and becomes present
 * needs no call at all: there is nothing to forget.
 *
 * Gates, segments and the stack for the next trap are told the same way.  What is done once,
 * at boot, is called at once; what comes with every change of process waits for its batch.
 */
/* LAB 2.5 BEGIN: telling the Host */
static void lguest_load_root(u32 root)
{
	lazy_hypercall(LHCALL_NEW_PGTABLE, root, 0, 0, 0);
}

static void lguest_flush_user(void)
{
	lazy_hypercall(LHCALL_FLUSH_TLB, 0, 0, 0, 0);
}

static void lguest_flush_all(void)
{
	lazy_hypercall(LHCALL_FLUSH_TLB, 1, 0, 0, 0);
}

static void lguest_pte_changed(u32 root, u32 va, pte_t pte)
{
	lazy_hypercall(LHCALL_SET_PTE, root, va, (u32)pte, (u32)((u64)pte >> 32));
}

static void lguest_top_changed(u32 root, unsigned int index)
{
	lazy_hypercall(LHCALL_SET_PGD, root, index, 0, 0);
}

static void lguest_set_gate(unsigned int vector, u32 low, u32 high)
{
	hypercall(LHCALL_LOAD_IDT_ENTRY, vector, low, high, 0);
}

static void lguest_set_segment(unsigned int entry, u32 low, u32 high)
{
	hypercall(LHCALL_LOAD_GDT_ENTRY, entry, low, high, 0);
}

/* One page: a trap from ring 3 arrives at the top of the stack, and only there must the
 * page be at hand.  What lies deeper is touched by our own code, and a fault there is a
 * fault like any other. */
static void lguest_set_kernel_stack(u32 esp)
{
	lazy_hypercall(LHCALL_SET_STACK, LGUEST_KERNEL_DS, esp, 1, 0);
}

static void lguest_set_tls(const u64 tls[3])
{
	lazy_hypercall(LHCALL_LOAD_TLS, virt_to_phys(tls), 0, 0, 0);
}

static void lguest_set_ts(bool set)
{
	lazy_hypercall(LHCALL_TS, set, 0, 0, 0);
}
/* LAB 2.5 END */
/*:*/

static void lguest_clock_arm(u32 delta)
{
	hypercall(LHCALL_SET_CLOCKEVENT, delta, 0, 0, 0);
}

/*
 * Two clocks.  With a trustworthy TSC the Host tells its rate; without, it writes
 * the wall clock into lguest_data whenever it delivers an interrupt, so time then
 * passes in steps.  tsc_khz is at least 1 MHz when it isn't 0.
 */
static u64 wall_clock(void)
{
	u32 s, ns;

	do {	/* seconds may turn over between the two reads */
		s = LIVE(time.tv_sec);
		ns = LIVE(time.tv_nsec);
	} while (s != LIVE(time.tv_sec));
	return (u64)s * NS_PER_S + ns;
}

static u64 clock_base;
u32 boot_time_s;		/* the wall clock as INIT left it */

/*
 * A wall clock may be set back, and where a snapshot wakes up it may be an hour behind.  Ours
 * goes on from where it was: nobody sleeps an hour for that.  With interrupts off nobody
 * writes the time, and nobody else moves the base.
 */
static u64 lguest_now(void)
{
	static u64 latest;
	bool irqs = irq_save();
	u64 now = (lguest_data.tsc_khz ? tsc_to_ns(rdtsc(), lguest_data.tsc_khz) :
		   wall_clock()) - clock_base;

	if ((int64_t)(now - latest) < 0) {
		clock_base -= latest - now;
		now = latest;
	}
	latest = now;
	irq_restore(irqs);
	return now;
}

static bool lguest_now_needs_ticks(void)
{
	return !lguest_data.tsc_khz;
}

static void lguest_early_print(const char *text)
{
	if (*text)
		hypercall(LHCALL_NOTIFY, virt_to_phys(text), 0, 0, 0);
}

static void lguest_shutdown(const char *text, enum shutdown_how how)
{
	hypercall(LHCALL_SHUTDOWN, virt_to_phys(text), how == SHUTDOWN_RESTART ?
		  LGUEST_SHUTDOWN_RESTART : LGUEST_SHUTDOWN_POWEROFF, 0, 0);
	for (;;)	/* nobody comes back from there */
		;
}

static const struct pv_ops lguest_ops = {
	.return_from_trap = lguest_return,
	.return_to_user = lguest_return_to_user,
	.name = "lguest",
	.iret = lguest_iret,
	.irq_disable = lguest_irq_disable,
	.irq_enable = lguest_irq_enable,
	.irq_enabled = lguest_irq_enabled,
	.irq_mask = lguest_irq_mask,
	.interrupt = irq_dispatch,	/* the Host needs no thanks */
	.halt = lguest_halt,
	.set_gate = lguest_set_gate,
	.set_segment = lguest_set_segment,
	.set_kernel_stack = lguest_set_kernel_stack,
	.set_tls = lguest_set_tls,
	.set_ts = lguest_set_ts,
	.fault_address = lguest_fault_address,
	.load_root = lguest_load_root,
	.flush_user = lguest_flush_user,
	.flush_all = lguest_flush_all,
	.pte_changed = lguest_pte_changed,
	.top_changed = lguest_top_changed,
	.batch_begin = lguest_batch_begin,
	.batch_end = lguest_batch_end,
	.clock_arm = lguest_clock_arm,
	.now = lguest_now,
	.now_needs_ticks = lguest_now_needs_ticks,
	.find_devices = bus_init,
	.early_print = lguest_early_print,
	.shutdown = lguest_shutdown,
};

/* boot_params, the little of it that we look at (Documentation/x86/boot.rst). */
#define BOOT_E820_MAP		0x2d0	/* u64 address, u64 size, u32 type */
#define BOOT_RAMDISK		0x218	/* u32 address, u32 size */
#define BOOT_CMD_LINE_PTR	0x228

/*G:190 The letter on the doormat
 *
 * Physical page 0 holds struct boot_params, as a boot loader of any Linux would
 * leave it: how much memory there is (one e820 region that begins at 0) and where
 * the command line stands.  Both pages are ordinary memory and will be given away
 * later, so what matters is copied now.
 */
void lguest_start(void)
{
	const u8 *params = phys_to_virt(0);
	u64 memory;
	u32 line;

	memcpy(&memory, params + BOOT_E820_MAP + 8, sizeof(memory));
	memcpy(&line, params + BOOT_CMD_LINE_PTR, sizeof(line));
	pv = lguest_ops;
	boot_info.memory = memory;
	boot_info.low_memory = 1u << 20;	/* no hole: there was never a BIOS */
	memcpy(&boot_info.ramdisk, params + BOOT_RAMDISK, 4);
	memcpy(&boot_info.ramdisk_size, params + BOOT_RAMDISK + 4, 4);
	boot_info.reserved_top = lguest_data.reserve_mem;
	if (line && line < (8u << 20))
		strcopy(boot_info.command_line, phys_to_virt(line),
			sizeof(boot_info.command_line));
	boot_time_s = boot_info.wall_clock = lguest_data.time.tv_sec;
	clock_base = lguest_data.tsc_khz ? tsc_to_ns(rdtsc(), lguest_data.tsc_khz) : wall_clock();
	kernel_main();
}
/*:*/
