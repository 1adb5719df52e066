// SPDX-License-Identifier: GPL-2.0-only
/*M:535 The PC that is not there
 *
 * asm/lguest.h says what became of privileged instructions.  Here is what became of the
 * PC: its memory map, interrupt controller, timer, serial line, power switch and CPUID.
 * Linux has a function pointer for most of these (x86_init, x86_platform), because PCs
 * differ; lguest_init turns them our way, long before start_kernel.
 *:*/
#define pr_fmt(fmt) "lguest: " fmt

#include <linux/clockchips.h>
#include <linux/clocksource.h>
#include <linux/console.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/panic_notifier.h>
#include <linux/pm.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <asm/cmdline.h>
#include <asm/desc.h>
#include <asm/e820/api.h>
#include <asm/hw_irq.h>
#include <asm/i8259.h>
#include <asm/lguest.h>
#include <asm/pgtable.h>
#include <asm/reboot.h>
#include <asm/setup.h>
#include <asm/tsc.h>
#include <asm/x86_init.h>

/* All interrupts are blocked until somebody requests one, and off until start_kernel. */
struct lguest_data lguest_data __aligned(16) = {
	.blocked_interrupts = ~0u,
	.hcall_status = { [0 ... LHCALL_RING_SIZE - 1] = LHCALL_RING_FREE },
	.noirq_start = (u32)lguest_noirq_start,
	.noirq_end = (u32)lguest_noirq_end,
	.kernel_address = PAGE_OFFSET,
	.syscall_vec = IA32_SYSCALL_VECTOR,
};

unsigned long lguest_cr0 = X86_CR0_PG | X86_CR0_WP | X86_CR0_NE | X86_CR0_MP | X86_CR0_ET |
			   X86_CR0_PE;
unsigned long lguest_cr3, lguest_cr4;

/* ---- Segments and gates ---------------------------------------------------- */

/* The Host keeps to itself what it does not want us to have: the TSS, for one. */
void lguest_write_gdt_entry(int entry, const void *desc)
{
	const u32 *word = desc;

	lguest_hcall3(LHCALL_LOAD_GDT_ENTRY, entry, word[0], word[1]);
}

void lguest_load_gdt(const struct desc_ptr *dtr)
{
	const struct desc_struct *gdt = (const void *)dtr->address;
	int i;

	for (i = 0; i < (dtr->size + 1) / sizeof(*gdt); i++)
		lguest_write_gdt_entry(i, &gdt[i]);
}

/*
 * Until %gs is loaded with the next thread's, it still names a descriptor that is about
 * to change, maybe into nothing; and the Host reloads it on the way back from the call.
 * __switch_to loads %gs after this, set_thread_area's caller counts on its own.
 */
void lguest_load_tls(struct thread_struct *t)
{
	static struct desc_struct loaded[GDT_ENTRY_TLS_ENTRIES];
	bool current_too = t == &current->thread;
	unsigned int gs;

	if (!memcmp(loaded, t->tls_array, sizeof(loaded)))
		return;			/* most processes have none */
	memcpy(loaded, t->tls_array, sizeof(loaded));
	if (current_too)
		savesegment(gs, gs);
	loadsegment(gs, 0);
	lguest_hcall1(LHCALL_LOAD_TLS, __pa(t->tls_array));
	if (current_too)
		loadsegment(gs, gs);
}

/*
 * All gates of 6.1 are interrupt gates: they turn interrupts off, and that word of ours
 * only the Host can write at the right moment.  System calls are too many for that, so
 * their gate becomes a trap gate, and entry_32.S turns interrupts off for itself.
 */
void lguest_write_idt_entry(int vector, const void *desc)
{
	gate_desc gate = *(const gate_desc *)desc;
	const u32 *word = (const u32 *)&gate;

	if (gate.bits.type == GATE_TASK)	/* #DF: there is only one end for it here */
		return;
	if (gate_offset(&gate) == (unsigned long)entry_INT80_32) {
		gate.bits.type = GATE_TRAP;
		gate.offset_low = (u32)lguest_int80;
		gate.offset_middle = (u32)lguest_int80 >> 16;
	}
	lguest_hcall3(LHCALL_LOAD_IDT_ENTRY, vector, word[0], word[1]);
}

/* ---- CPUID -----------------------------------------------------------------
 * The instruction works in ring 1, and tells of much that does not: we admit only to
 * what was there in 2004.  Linux then leaves the rest alone (PAT, MTRR, the APIC, SYSENTER,
 * PCID, SMAP, XSAVE), without another line from us.
 */
#define LEAF1_ECX	(BIT(0) | BIT(9))			/* SSE3, SSSE3 */
#define LEAF1_EDX	(BIT(0) | BIT(4) | BIT(8) |		/* FPU, TSC, CX8 */ \
			 BIT(15) | BIT(23) | BIT(24) |		/* CMOV, MMX, FXSR */ \
			 BIT(25) | BIT(26))			/* SSE, SSE2 */

noinstr void lguest_cpuid(unsigned int *eax, unsigned int *ebx, unsigned int *ecx,
			  unsigned int *edx)
{
	unsigned int leaf = *eax;

	asm volatile("cpuid" : "=a" (*eax), "=b" (*ebx), "=c" (*ecx), "=d" (*edx)
		     : "0" (leaf), "2" (*ecx) : "memory");
	switch (leaf) {
	case 0:		/* one make for all: fewer ways through the kernel */
		*eax = 1;
		*ebx = 0x756e6547;	/* Genu */
		*edx = 0x49656e69;	/* ineI */
		*ecx = 0x6c65746e;	/* ntel */
		break;
	case 1:
		/* Family 5: from 6 on Linux asks MSRs about errata and microcode. */
		*eax = (*eax & ~0x0ff00f00u) | 0x500;
		*ecx = (*ecx & LEAF1_ECX) | BIT(31);	/* a hypervisor is present */
		/* PGE is free, and lets Linux keep kernel and user flushes apart. */
		*edx = (*edx & LEAF1_EDX) | BIT(13);
#ifdef CONFIG_X86_PAE
		*edx |= BIT(6);
#endif
		break;
	case 0x80000000:
		*eax = min(*eax, 0x80000004u);
		break;
	case 0x80000001:
		*ecx = 0;
		*edx &= IS_ENABLED(CONFIG_X86_PAE) ? BIT(20) : 0;	/* NX */
		break;
	case 0x80000002 ... 0x80000004:	/* the name */
		break;
	default:
		*eax = *ebx = *ecx = *edx = 0;
	}
}

/* ---- Interrupts ------------------------------------------------------------
 * Number n comes by vector 32 + n.  The Host forgets it when it is delivered, so it
 * behaves like an edge, and there is nothing to acknowledge.
 */
static void lguest_irq_mask(struct irq_data *data)
{
	lguest_data.blocked_interrupts |= BIT(data->irq);
}

static void lguest_irq_unmask(struct irq_data *data)
{
	lguest_data.blocked_interrupts &= ~BIT(data->irq);
	lguest_hcall(LHCALL_SEND_INTERRUPTS);	/* one may have come meanwhile */
}

static void lguest_irq_ack(struct irq_data *data)
{
}

static struct irq_chip lguest_irq_chip = {
	.name		= "lguest",
	.irq_mask	= lguest_irq_mask,
	.irq_unmask	= lguest_irq_unmask,
	.irq_ack	= lguest_irq_ack,
};

/*
 * Make interrupt `irq` known to Linux, still masked.  -EINVAL: without an APIC there are
 * but NR_IRQS_LEGACY, 16 of them.
 */
int lguest_setup_irq(unsigned int irq)
{
	if (irq >= NR_IRQS_LEGACY || !irq_to_desc(irq))
		return -EINVAL;
	irq_set_chip_and_handler(irq, &lguest_irq_chip, handle_edge_irq);
	__this_cpu_write(vector_irq[FIRST_EXTERNAL_VECTOR + irq], irq_to_desc(irq));
	return 0;
}

/* ---- Time ------------------------------------------------------------------ */

static int lguest_next_event(unsigned long ns, struct clock_event_device *dev)
{
	lguest_hcall1(LHCALL_SET_CLOCKEVENT, ns);
	return 0;
}

static int lguest_timer_off(struct clock_event_device *dev)
{
	lguest_hcall1(LHCALL_SET_CLOCKEVENT, 0);
	return 0;
}

static struct clock_event_device lguest_clockevent = {
	.name			= "lguest",
	.features		= CLOCK_EVT_FEAT_ONESHOT,
	.set_next_event		= lguest_next_event,
	.set_state_shutdown	= lguest_timer_off,
	.rating			= 200,
};

static irqreturn_t lguest_timer_irq(int irq, void *dev)
{
	lguest_clockevent.event_handler(&lguest_clockevent);
	return IRQ_HANDLED;
}

/*
 * The Host writes the time of day before it delivers an interrupt.  A time of day may be set
 * back, and that of the machine where a snapshot wakes up may be an hour behind: to Linux this
 * would be a clock that stands still until it has caught up, and a `sleep 1` of an hour.  So
 * what it went back is added from then on.  (With interrupts off, nobody writes.)
 */
static u64 lguest_clock_read(struct clocksource *cs)
{
	static u64 latest, behind;
	unsigned long flags;
	u64 now;

	raw_local_irq_save(flags);
	now = READ_ONCE(lguest_data.time.tv_sec) * 1000000000ULL +
	      READ_ONCE(lguest_data.time.tv_nsec) + behind;
	if (now < latest) {
		behind += latest - now;
		now = latest;
	}
	latest = now;
	raw_local_irq_restore(flags);
	return now;
}

/* For a Host whose TSC is no clock (tsc_khz 0); else the TSC, with its 300, wins. */
static struct clocksource lguest_clock = {
	.name	= "lguest",
	.rating	= 200,
	.read	= lguest_clock_read,
	.mask	= CLOCKSOURCE_MASK(64),
	.flags	= CLOCK_SOURCE_IS_CONTINUOUS,
};

static void __init lguest_timer_init(void)
{
	clocksource_register_hz(&lguest_clock, NSEC_PER_SEC);
	lguest_setup_irq(LGUEST_IRQ_TIMER);
	if (request_irq(LGUEST_IRQ_TIMER, lguest_timer_irq, IRQF_TIMER, "timer", NULL))
		panic("lguest: interrupt 0 is taken");
	lguest_clockevent.cpumask = cpumask_of(0);
	lguest_clockevent.irq = LGUEST_IRQ_TIMER;
	/* One tick is one nanosecond; the Host takes 32 bits of them. */
	clockevents_config_and_register(&lguest_clockevent, NSEC_PER_SEC, 1000, 0x7fffffff);
}

static unsigned long lguest_tsc_khz(void)
{
	return lguest_data.tsc_khz;
}

static void lguest_get_wallclock(struct timespec64 *now)
{
	now->tv_sec = lguest_data.time.tv_sec;
	now->tv_nsec = lguest_data.time.tv_nsec;
}

static int lguest_set_wallclock(const struct timespec64 *now)
{
	return -ENODEV;
}

/* ---- Words for the Launcher ------------------------------------------------
 * NOTIFY with the address of a string: the Launcher prints it.  Good for the time before
 * there is a bus with a console on it (hvc0), and for nothing else: output only.
 */
static void lguest_console_write(struct console *con, const char *s, unsigned int n)
{
	static char text[80];
	unsigned long flags;

	local_irq_save(flags);
	while (n) {
		unsigned int piece = min_t(unsigned int, n, sizeof(text) - 1);

		memcpy(text, s, piece);
		text[piece] = '\0';
		lguest_hcall1(LHCALL_NOTIFY, __pa(text));
		s += piece;
		n -= piece;
	}
	local_irq_restore(flags);
}

static struct console lguest_console = {
	.name	= "lguest",
	.write	= lguest_console_write,
	.flags	= CON_BOOT | CON_PRINTBUFFER,
	.index	= -1,
};

/* ---- The end --------------------------------------------------------------- */

static void __noreturn lguest_shutdown(const char *why, unsigned long how)
{
	for (;;)
		asm volatile("int %0" : : "i" (LGUEST_TRAP_ENTRY), "a" (LHCALL_SHUTDOWN),
			     "b" (__pa(why)), "c" (how) : "memory");
}

static void lguest_power_off(void)
{
	lguest_shutdown(LGUEST_POWEROFF_TEXT, LGUEST_SHUTDOWN_POWEROFF);
}

static void lguest_emergency_restart(void)
{
	lguest_shutdown("Restarting system", LGUEST_SHUTDOWN_RESTART);
}

static void lguest_restart(char *command)
{
	lguest_emergency_restart();
}

static int lguest_panic(struct notifier_block *nb, unsigned long event, void *text)
{
	lguest_shutdown(text, LGUEST_SHUTDOWN_POWEROFF);
}

static struct notifier_block lguest_panic_nb = {
	.notifier_call = lguest_panic,
};

/* ---- The beginning --------------------------------------------------------- */

/* Linux wants at least two regions from a BIOS that it is to believe.  We have one. */
static char *__init lguest_memory_setup(void)
{
	int i;

	for (i = 0; i < boot_params.e820_entries; i++)
		e820__range_add(boot_params.e820_table[i].addr, boot_params.e820_table[i].size,
				boot_params.e820_table[i].type);
	e820__update_table(e820_table);
	return "LGUEST";
}

static void __init lguest_legacy_features(void)
{
	x86_platform.legacy.i8042 = X86_LEGACY_I8042_PLATFORM_ABSENT;
	x86_platform.legacy.rtc = 0;
	x86_platform.legacy.warm_reset = 0;
	x86_platform.legacy.no_vga = 1;
	x86_platform.legacy.reserve_bios_regions = 0;
	x86_platform.legacy.devices.pnpbios = 0;
}

static void __init lguest_init_irq(void)
{
	idt_setup_apic_and_irq_gates();
}

static int __init lguest_late(void)
{
	atomic_notifier_chain_register(&panic_notifier_list, &lguest_panic_nb);
	return 0;
}
early_initcall(lguest_late);

/* Called by head.S, with page tables and a stack, and before anything else of C. */
void __init lguest_init(void)
{
	x86_init.resources.memory_setup		= lguest_memory_setup;
	x86_init.resources.probe_roms		= x86_init_noop;
	x86_init.irqs.pre_vector_init		= x86_init_noop;
	x86_init.irqs.intr_init			= lguest_init_irq;
	x86_init.irqs.intr_mode_select		= x86_init_noop;
	x86_init.irqs.intr_mode_init		= x86_init_noop;
	x86_init.timers.timer_init		= lguest_timer_init;
	x86_init.timers.wallclock_init		= x86_init_noop;
	x86_platform.calibrate_cpu		= lguest_tsc_khz;
	x86_platform.calibrate_tsc		= lguest_tsc_khz;
	x86_platform.get_wallclock		= lguest_get_wallclock;
	x86_platform.set_wallclock		= lguest_set_wallclock;
	x86_platform.set_legacy_features	= lguest_legacy_features;
	x86_platform.realmode_reserve		= x86_init_noop;
	x86_platform.realmode_init		= x86_init_noop;
	legacy_pic				= &null_legacy_pic;
	machine_ops.power_off			= lguest_power_off;
	machine_ops.halt			= lguest_power_off;
	machine_ops.restart			= lguest_restart;
	machine_ops.emergency_restart		= lguest_emergency_restart;
	pm_power_off				= lguest_power_off;

	if (lguest_data.tsc_khz)
		setup_force_cpu_cap(X86_FEATURE_TSC_RELIABLE);
	else
		setup_clear_cpu_cap(X86_FEATURE_TSC);

	/* Linux itself looks for this word a little too late for us. */
	if (cmdline_find_option_bool(boot_command_line, "quiet"))
		console_loglevel = CONSOLE_LOGLEVEL_QUIET;

	/* The top of the address space is the Host's. */
	reserve_top_address(lguest_data.reserve_mem);

	register_console(&lguest_console);
	add_preferred_console("hvc", 0, NULL);
}
