// SPDX-License-Identifier: GPL-2.0-only
/*H:800 A 64-bit Host
 *
 * How does a 64-bit Linux run a 32-bit kernel?  The CPU has been able to all along: a
 * code segment without the L bit is compatibility mode, at any privilege level.  It is
 * what 32-bit programs run in.  Ours just happens to be in ring 1, and to think big.
 *
 * This file builds the world that the Switcher switches to (H:810, H:820), and prepares
 * the CPU for it and back (H:830, H:840).
 */
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/tsc.h>
#include "../guest.h"

/* switcher_64.asm */
extern char lg_switcher_begin[], lg_switcher_end[], lg_stubs[], lg_int_table[];
extern void lg_stub_hypercall(void), lg_stub_syscall(void);
extern void lg_stub_nmi(void), lg_stub_df(void), lg_stub_mce(void);
asmlinkage void lg_enter_guest(struct lg_pages *pages);

#define STUB_SIZE	16
#define GUEST_PCID	0x80	/* none of Linux' own, which are small */
#define CR4_FRED	(1ul << 32)
#define CR4_CET		(1ul << 23)
#define CR4_LASS	(1ul << 27)

static inline unsigned long read_cr3_raw(void)
{
	unsigned long v;

	asm volatile("mov %%cr3, %0" : "=r"(v) : : "memory");
	return v;
}

static inline unsigned long read_cr4_raw(void)
{
	unsigned long v;

	asm volatile("mov %%cr4, %0" : "=r"(v));
	return v;
}

static inline void write_cr4_raw(unsigned long v)
{
	asm volatile("mov %0, %%cr4" : : "r"(v) : "memory");
}

static inline u64 read_msr_raw(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return low | (u64)high << 32;
}

static inline void write_msr_raw(u32 msr, u64 value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

/* Refuse Hosts that this cannot work on, and say what to do instead. */
int lg_arch_check_host(void)
{
	u16 cs;

	asm volatile("mov %%cs, %0" : "=r"(cs));
	if ((cs & 3) || boot_cpu_has(X86_FEATURE_XENPV)) {
		pr_err("lguest: this kernel is itself a Guest without ring 0 (Xen PV): boot it on a "
		       "real or fully virtual machine\n");
		return -ENODEV;
	}
	if (read_cr4_raw() & CR4_FRED) {
		pr_err("lguest: this kernel uses FRED, which knows no ring 1: boot with fred=off\n");
		return -ENODEV;
	}
	if (cs != __KERNEL_CS || __KERNEL_CS != LG_GDT_HOST_CS * 8 ||
	    __KERNEL_DS != LG_GDT_HOST_DS * 8 || GDT_ENTRY_TSS * 8 != 0x40) {
		pr_err("lguest: this kernel's GDT is not laid out as the Switcher expects\n");
		return -ENODEV;
	}
	return 0;
}
/*:*/

/*H:810 A world of four pages
 *
 * The Guest's page tables, seen from the top: slot 0 leads to the PDPT, whose first four
 * entries are the Guest (shadow.c writes them).  Far above, wherever Linux happens to
 * have put them, the Switcher's text and struct lg_pages appear at the very addresses
 * that they have in Linux.  Nothing else does.
 *
 * With 5-level paging there is one more table on top, else this is the same.
 */
static u64 *new_table(struct lg_guest *g)
{
	struct lg_arch *a = &g->arch;
	u64 *table;

	if (a->tables == LG_ARCH_PAGES)
		return NULL;
	table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (table)
		a->table[a->tables++] = table;
	return table;
}

/* The table that entry `index` of `table` leads to, made if it is missing. */
static u64 *next_table(struct lg_guest *g, u64 *table, unsigned int index)
{
	u64 *next;

	if (table[index] & LG_PTE_PRESENT)
		return __va(__sme_clr(table[index]) & LG_PTE_FRAME);
	next = new_table(g);
	if (next)
		table[index] = lg_os_phys(next) | LG_PTE_PRESENT | LG_PTE_RW | LG_PTE_USER |
			       LG_PTE_ACCESSED;
	return next;
}

/* Map one page of ours where Linux has it. */
static int map_page(struct lg_guest *g, const void *address, u64 flags)
{
	unsigned long a = (unsigned long)address;
	u64 *table = g->arch.table[0];
	int shift = read_cr4_raw() & X86_CR4_LA57 ? 48 : 39;

	for (; table && shift > 12; shift -= 9)
		table = next_table(g, table, (a >> shift) & 511);
	if (!table)
		return -ENOMEM;
	table[(a >> 12) & 511] = __sme_set((u64)vmalloc_to_pfn(address) << PAGE_SHIFT) | flags |
				 LG_PTE_PRESENT | LG_PTE_ACCESSED;
	return 0;
}

static int build_tables(struct lg_guest *g)
{
	struct lg_pages *pages = g->lg.pages;
	char *text;
	u64 *table;
	int err;

	table = new_table(g);
	if (table && (read_cr4_raw() & X86_CR4_LA57))
		table = next_table(g, table, 0);
	if (table)
		table = next_table(g, table, 0);
	if (!table)
		return -ENOMEM;
	g->lg.pdpt = table;

	for (text = lg_switcher_begin; text < lg_switcher_end; text += PAGE_SIZE) {
		err = map_page(g, text, 0);
		if (err)
			return err;
	}
	err = map_page(g, pages, LG_PTE_RW | LG_PTE_DIRTY | LG_PTE_NX);
	if (!err)
		err = map_page(g, pages->idt, LG_PTE_NX);
	if (!err)
		err = map_page(g, pages->gdt, LG_PTE_NX);
	if (!err)
		err = map_page(g, pages->ist, LG_PTE_RW | LG_PTE_DIRTY | LG_PTE_NX);
	return err;
}
/*:*/

/*H:820 GDT, IDT, TSS
 *
 * SDM vol. 3, 6.14.1: a 64-bit gate.  All are interrupt gates (type 14) to selector
 * 0x10, so they all come in with interrupts off.
 *
 *	 low: 63..48 offset 31..16 | 47 P | 46..45 DPL | 43..40 type | 34..32 IST |
 *	      31..16 selector | 15..0 offset 15..0
 *	high: 31..0 offset 63..32
 *
 * The IST numbers are Linux' own (1 #DF, 2 NMI, 4 #MC): for a few instructions our IDT
 * is used with Linux' TSS, and then they must name a stack that is there.
 */
#define GATE_DPL_SHIFT	45
#define GATE_DPL	(3ull << GATE_DPL_SHIFT)

static void set_real_gate(struct lg_pages *pages, unsigned int vector, const void *stub,
			  unsigned int dpl, unsigned int ist)
{
	u64 a = (u64)stub;

	pages->idt[vector].low = (a & 0xffff) | (u64)(LG_GDT_HOST_CS * 8) << 16 |
		(u64)ist << 32 | 0x8eull << 40 | (u64)dpl << GATE_DPL_SHIFT |
		(a & 0xffff0000) << 32;
	pages->idt[vector].high = a >> 32;
}

/*
 * The real gates.  lg_set_syscall: the stub that takes the short cut is in the gate only while
 * there is one to take (handler 0: there is none).  lg_arch_set_gate: who may use INT n on
 * this gate, and whether the Switcher delivers it (traps.c).
 */
/* LAB 11.2 BEGIN: the way past the Host */
static void lg_set_syscall(struct lg_pages *pages, u32 handler)
{
	pages->syscall_frame.rip = handler;
	set_real_gate(pages, LG_VECTOR_SYSCALL, handler ? (const char *)lg_stub_syscall :
		      (const char *)lg_stubs + STUB_SIZE * LG_VECTOR_SYSCALL, 0, 0);
}

void lg_arch_set_gate(struct lguest *lg, unsigned int vector, unsigned int dpl, u32 handler)
{
	struct lg_pages *pages = lg->pages;

	/* INT n pushes no error code, but these stubs count on one: they stay shut, and
	 * traps.c finishes the instruction (H:230).  18 is Linux' machine check. */
	if ((vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 ||
	    vector == 30 || vector == LG_VECTOR_MC)
		dpl = 0;
	if (vector < 32)
		pages->direct[vector] = handler;
	else if (vector == LG_VECTOR_SYSCALL)
		lg_set_syscall(pages, handler);
	else
		return;
	pages->idt[vector].low = (pages->idt[vector].low & ~GATE_DPL) |
				 (u64)dpl << GATE_DPL_SHIFT;
}
/* LAB 11.2 END */

static void build_descriptors(struct lg_pages *pages)
{
	u64 tss = (u64)&pages->tss;
	unsigned int i;

	for (i = 0; i < 256; i++)
		set_real_gate(pages, i, lg_stubs + i * STUB_SIZE, 0, 0);
	set_real_gate(pages, LGUEST_TRAP_ENTRY, lg_stub_hypercall, 1, 0);
	pages->syscall_frame.cs = LGUEST_KERNEL_CS;
	lg_set_syscall(pages, 0);
	set_real_gate(pages, LG_VECTOR_DF, lg_stub_df, 0, 1);
	set_real_gate(pages, LG_VECTOR_NMI, lg_stub_nmi, 0, 2);
	set_real_gate(pages, LG_VECTOR_MC, lg_stub_mce, 0, 4);

	/* SDM vol. 3, 3.4.5: present, ring 0, accessed; L code, and writable data. */
	pages->gdt[LG_GDT_HOST_CS] = 0x00af9b000000ffffull;
	pages->gdt[LG_GDT_HOST_DS] = 0x00cf93000000ffffull;
	/* SDM vol. 3, 8.2.3: an available 64-bit TSS, 16 bytes of descriptor. */
	pages->gdt[LG_GDT_TSS] = (sizeof(struct lg_tss) - 1) | (tss & 0xffffff) << 16 |
				 0x89ull << 40 | (tss >> 24 & 0xff) << 56;
	pages->gdt[LG_GDT_TSS + 1] = tss >> 32;

	pages->tss.rsp[0] = (u64)pages->regs_end;
	for (i = 0; i < 7; i++)
		pages->tss.ist[i] = (u64)pages->ist[i + 1];	/* the end of stack i */
	pages->tss.iomap_base = sizeof(struct lg_tss);		/* past the limit: no port */

	pages->guest_gdtr.limit = sizeof(pages->gdt) - 1;
	pages->guest_gdtr.base = (u64)pages->gdt;
	pages->guest_idtr.limit = sizeof(pages->idt) - 1;
	pages->guest_idtr.base = (u64)pages->idt;
}
/*:*/

static void initial_fpu(struct lg_guest *g)
{
	*(u16 *)&g->arch.fxsave[0] = 0x37f;	/* FCW after FNINIT */
	*(u32 *)&g->arch.fxsave[24] = 0x1f80;	/* MXCSR after reset */
}

/*
 * Build the machine: registers as ABI.md 1.4 has them, with `entry` in eip.  Returns 0
 * or -ENOMEM; lg_arch_free cleans up in either case.  May sleep.
 */
int lg_arch_init(struct lg_guest *g, u32 entry)
{
	struct lg_trap_frame *regs;
	int err;

	g->lg.pages = vzalloc(sizeof(struct lg_pages));
	if (!g->lg.pages)
		return -ENOMEM;
	err = build_tables(g);
	if (err)
		return err;
	build_descriptors(g->lg.pages);
	initial_fpu(g);
	g->arch.clear_buffers = boot_cpu_has_bug(X86_BUG_MDS);

	regs = lg_regs(&g->lg);
	regs->cs = LGUEST_KERNEL_CS;
	regs->ds = regs->es = regs->ss = LGUEST_KERNEL_DS;
	regs->eflags = LG_EFLAGS_IF | LG_EFLAGS_FIXED;
	regs->eip = entry;
	return 0;
}

void lg_arch_free(struct lg_guest *g)
{
	while (g->arch.tables)
		free_page((unsigned long)g->arch.table[--g->arch.tables]);
	vfree(g->lg.pages);
}

/* The bits that MXCSR may have on this CPU (SDM vol. 1, 11.6.6).  May sleep. */
u32 lg_arch_mxcsr_bits(void)
{
	u8 image[512] __aligned(16) = { 0 };
	u32 bits;

	kernel_fpu_begin();
	asm volatile("fxsave %0" : "=m"(image));
	kernel_fpu_end();
	memcpy(&bits, image + 28, sizeof(bits));
	return bits ? bits : 0xffbf;
}

u32 lg_os_tsc_khz(void)
{
	if (!boot_cpu_has(X86_FEATURE_CONSTANT_TSC) || check_tsc_unstable())
		return 0;
	return tsc_khz;
}

void lg_arch_set_ts(struct lguest *lg, bool ts)
{
	unsigned long cr0;

	if (ts) {
		asm volatile("mov %%cr0, %0" : "=r"(cr0));
		asm volatile("mov %0, %%cr0" : : "r"(cr0 | X86_CR0_TS) : "memory");
	} else {
		asm volatile("clts" : : : "memory");
	}
}

/*H:830 Making the CPU ready
 *
 * What must be different while a Guest runs, apart from what the Switcher changes on
 * each crossing:
 *
 *  FPU           The Guest's own.  kernel_fpu_begin puts the Launcher's away (and lets
 *                nobody else use it: that is why preemption is off in a section).
 *  CR4.OSXSAVE   Off, so AVX and its friends do not exist, and FXSAVE is the whole state.
 *  CR4.CET, LASS Off: ring 1 has no ENDBR at its jump targets, and lives below 4 GiB.
 *  CR4.PKE, PCE, Off: no protection keys, no counting the Host's events, and CLI in
 *      VME, PVI  ring 3 is a #GP.
 *  CR4.TSD       On for a Guest whose clock was another machine's (H:794).
 *  CR4.SMEP, SMAP  Stay on until the Guest needs them off (H:550).
 *  EFER.SCE      Off: SYSCALL would enter Linux' system call handler, in ring 0, on the
 *                Guest's page tables.  We have seen it.
 *  SYSENTER_CS   0, for the same reason.
 *  DR7           0: a debugger's breakpoint on an address that the Guest uses as well
 *                would go off in the Switcher.
 *  LDTR          Empty: the Launcher's descriptors are not for the Guest.
 *
 * While CR4 lacks what Linux set, only this module's own code runs, with interrupts
 * off, and Linux' NMI handler, which needs none of it.
 *
 * Context: preemptible; returns with preemption and interrupts off.
 */
void lg_arch_section_begin(struct lg_guest *g)
{
	struct lg_pages *pages = g->lg.pages;
	struct lg_arch *a = &g->arch;
	struct desc_struct *gdt_rw;
	struct lg_desc_ptr table;

	kernel_fpu_begin();
	if (boot_cpu_has_bug(X86_BUG_FXSAVE_LEAK)) {
		static const u32 zero;

		/* FXRSTOR on these CPUs leaves the last x87 instruction's address: bury it. */
		asm volatile("fnclex; emms; fildl %0" : : "m"(zero));
	}
	asm volatile("fxrstor %0" : : "m"(a->fxsave));
	local_irq_disable();

	gdt_rw = get_cpu_gdt_rw(smp_processor_id());
	asm volatile("sgdt %0" : "=m"(table));
	pages->host_gdtr = table;
	pages->host_gdtr_rw.limit = table.limit;
	pages->host_gdtr_rw.base = (u64)gdt_rw;
	pages->host_tss_desc = (u64)&gdt_rw[GDT_ENTRY_TSS];
	asm volatile("sidt %0" : "=m"(table));
	pages->host_idtr = table;
	asm volatile("mov %%ds, %0" : "=m"(pages->host_ds));
	asm volatile("mov %%es, %0" : "=m"(pages->host_es));
	asm volatile("mov %%fs, %0" : "=m"(pages->host_fs));
	asm volatile("mov %%gs, %0" : "=m"(pages->host_gs));
	pages->host_fs_base = read_msr_raw(MSR_FS_BASE);
	pages->host_gs_base = read_msr_raw(MSR_GS_BASE);

	asm volatile("sldt %0" : "=m"(a->host_ldt));
	if (a->host_ldt)
		asm volatile("lldt %w0" : : "r"(0));

	a->host_cr4 = read_cr4_raw();
	a->guest_cr4 = a->host_cr4 & ~(X86_CR4_OSXSAVE | X86_CR4_PKE | X86_CR4_PCE | X86_CR4_VME |
				       X86_CR4_PVI | X86_CR4_TSD | CR4_CET | CR4_LASS);
	if (g->lg.moved.yes)
		a->guest_cr4 |= X86_CR4_TSD;
	if (g->lg.smap_off)
		a->guest_cr4 &= ~X86_CR4_SMAP;
	if (g->lg.smep_off)
		a->guest_cr4 &= ~X86_CR4_SMEP;
	g->lg.smap = a->guest_cr4 & X86_CR4_SMAP;
	g->lg.smep = a->guest_cr4 & X86_CR4_SMEP;
	pages->direct_flags = LG_EFLAGS_IF | LG_EFLAGS_FIXED | (g->lg.smap ? LG_EFLAGS_AC : 0);
	pages->syscall_frame.rflags = pages->direct_flags;
	pages->host_cr3 = read_cr3_raw();
	pages->guest_cr3 = lg_os_phys(a->table[0]);
	if (a->host_cr4 & X86_CR4_PCIDE) {
		pages->host_cr3 |= X86_CR3_PCID_NOFLUSH;		/* the Host's TLB entries are good */
		pages->guest_cr3 |= GUEST_PCID;		/* the Guest's may not be */
	}
	if (a->guest_cr4 != a->host_cr4)
		write_cr4_raw(a->guest_cr4);

	a->host_efer = read_msr_raw(MSR_EFER);
	if (a->host_efer & EFER_SCE)
		write_msr_raw(MSR_EFER, a->host_efer & ~(u64)EFER_SCE);
	a->host_sysenter_cs = read_msr_raw(MSR_IA32_SYSENTER_CS);
	if (a->host_sysenter_cs)
		write_msr_raw(MSR_IA32_SYSENTER_CS, 0);
	asm volatile("mov %%db7, %0" : "=r"(a->host_dr7));
	if (a->host_dr7 & 0xff)
		asm volatile("mov %0, %%db7" : : "r"(0ul));
	if (g->lg.ts)
		lg_arch_set_ts(&g->lg, true);
}
/*:*/

/*H:840 ... and back
 *
 * Everything in reverse.  A real interrupt that ended the Guest's stay is handed to
 * Linux as soon as the CPU is Linux' again, before any other can come (S:170).
 */
void lg_arch_section_end(struct lg_guest *g, unsigned int interrupt)
{
	struct lg_arch *a = &g->arch;

	asm volatile("clts" : : : "memory");
	if (a->host_dr7 & 0xff)
		asm volatile("mov %0, %%db7" : : "r"(a->host_dr7));
	if (a->host_sysenter_cs)
		write_msr_raw(MSR_IA32_SYSENTER_CS, a->host_sysenter_cs);
	if (a->host_efer & EFER_SCE)
		write_msr_raw(MSR_EFER, a->host_efer);
	if (a->guest_cr4 != a->host_cr4)
		write_cr4_raw(a->host_cr4);
	if (a->host_ldt)
		asm volatile("lldt %0" : : "m"(a->host_ldt));
	/* What the Guest taught the branch predictors, Linux should not believe. */
	if (boot_cpu_has(X86_FEATURE_IBPB))
		write_msr_raw(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);

	if (interrupt) {
		void (*deliver)(void) = (void *)(lg_int_table + interrupt * STUB_SIZE);

		lg_count(&g->lg, irq_exits);
		deliver();
	}
	local_irq_enable();
	asm volatile("fxsave %0" : "=m"(a->fxsave));
	kernel_fpu_end();
}
/*:*/

/*
 * One stay in the Guest.  Returns true if there is an exit to handle, false if the
 * section must end: *interrupt is then the vector of a real interrupt, or 0.
 *
 * Not traced, not probed: after an NMI, nothing may IRET before our own `int $2` (S:150).
 */
bool notrace lg_arch_enter(struct lg_guest *g, unsigned int *interrupt)
{
	struct lg_pages *pages = g->lg.pages;
	struct lg_trap_frame *regs = &pages->regs;
	static const u16 data_selector = __KERNEL_DS;

	if (unlikely(g->arch.clear_buffers))
		asm volatile("verw %0" : : "m"(data_selector) : "cc");
	lg_enter_guest(pages);

	if (unlikely(pages->nmi_pending || regs->trapno == LG_VECTOR_NMI)) {
		pages->nmi_pending = 0;
		asm volatile("int $2" : : : "memory");
		if (regs->trapno == LG_VECTOR_NMI || regs->trapno == LG_TRAP_ENTRY_ABORT) {
			if (regs->trapno == LG_VECTOR_NMI)
				lg_count(&g->lg, nmi_exits);
			return false;
		}
	}
	regs->eip = (u32)regs->eip;
	regs->esp = (u32)regs->esp;
	if (regs->trapno >= 32) {
		if (regs->trapno < 256 && regs->trapno != LG_VECTOR_SYSCALL) {
			*interrupt = regs->trapno;
			g->lg.stats.exit_vector[regs->trapno]++;
			return false;
		}
		return true;
	}
	if (unlikely(regs->trapno == LG_VECTOR_MC)) {
		asm volatile("int $18" : : : "memory");
		return false;
	}
	return true;
}
