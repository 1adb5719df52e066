/* SPDX-License-Identifier: GPL-2.0-only */
/*M:525 Linux, in ring 1
 *
 * TeachOS was written to be a Guest.  Linux was not.  What does it take?
 *
 * At each instruction that ring 1 may not have, or has in another sense, there is a choice of
 * three.  Let it fault, and have the Host finish it: the old way of VMware.  Ask a table of
 * function pointers what to do: Linux' own pv_ops, of which its 32-bit half has lost too much
 * to be of use.  Or compile another instruction in its place.  This kernel knows what it is;
 * so the third.  It runs nowhere else, and is short.
 *
 * The instructions that fault are not the danger.  One overlooks none of them for long.  The
 * danger are those that do something else and say nothing: `pushf` shows an interrupt flag
 * that is always set, `popf` and `iret` cannot change it, and `push %cs` has a 1 in its low
 * bits where Linux would see a 0.  linux-6.1.patch has a place for each.
 *:*/
/*
 * What a privileged instruction becomes when Linux knows that it is a Guest.
 *
 * Every function here stands in for the one of the same name in irqflags.h,
 * special_insns.h, msr.h, debugreg.h or processor.h: those include this file
 * instead, if CONFIG_LGUEST_GUEST is set.  So the order of the sections is theirs.
 *
 * irqflags.h comes very early in everything's list of includes.  Hence no types
 * but the plainest ones, and whatever needs more is in lguest/boot.c.
 */
#ifndef _ASM_X86_LGUEST_H
#define _ASM_X86_LGUEST_H

#ifndef __ASSEMBLY__

#include <asm/errno.h>
#include <asm/lguest_abi.h>		/* include/lguest.h of the hypervisor */
#include <asm/processor-flags.h>

struct desc_ptr;
struct thread_struct;

extern struct lguest_data lguest_data;
extern unsigned long lguest_cr0, lguest_cr3, lguest_cr4;
extern char lguest_noirq_start[], lguest_noirq_end[], lguest_int80[];

void lguest_init(void);
void lguest_cpuid(unsigned int *eax, unsigned int *ebx, unsigned int *ecx, unsigned int *edx);
void lguest_load_gdt(const struct desc_ptr *dtr);
void lguest_write_gdt_entry(int entry, const void *desc);
void lguest_write_idt_entry(int vector, const void *gate);
void lguest_load_tls(struct thread_struct *t);
int lguest_setup_irq(unsigned int irq);

/* No hypercall returns anything, and all registers survive it. */
static __always_inline void lguest_hcall(unsigned long number)
{
	asm volatile("int %0" : : "i" (LGUEST_TRAP_ENTRY), "a" (number) : "memory");
}

static __always_inline void lguest_hcall1(unsigned long number, unsigned long arg1)
{
	asm volatile("int %0" : : "i" (LGUEST_TRAP_ENTRY), "a" (number), "b" (arg1) : "memory");
}

static __always_inline void lguest_hcall3(unsigned long number, unsigned long arg1,
					  unsigned long arg2, unsigned long arg3)
{
	asm volatile("int %0" : : "i" (LGUEST_TRAP_ENTRY), "a" (number), "b" (arg1),
		     "c" (arg2), "d" (arg3) : "memory");
}

/*M:530 sti
 *
 * The real interrupt flag is not ours.  The one that counts is a word which the Host
 * reads before it delivers anything.  (irqflags.h)
 */
static __always_inline unsigned long native_save_fl(void)
{
	return *(volatile unsigned int *)&lguest_data.irq_enabled;
}

static __always_inline void native_irq_disable(void)
{
	*(volatile unsigned int *)&lguest_data.irq_enabled = 0;
	asm volatile("" : : : "memory");
}

/* Enable first, look then: the other way round, an interrupt could come in between. */
static __always_inline void native_irq_enable(void)
{
	asm volatile("" : : : "memory");
	*(volatile unsigned int *)&lguest_data.irq_enabled = X86_EFLAGS_IF;
	if (__builtin_expect(*(volatile unsigned int *)&lguest_data.irq_pending, 0))
		lguest_hcall(LHCALL_SEND_INTERRUPTS);
}

/*:*/

/* `sti; hlt` is one call: an interrupt between the two would find us awake. */
static __always_inline void native_safe_halt(void)
{
	lguest_hcall(LHCALL_HALT);
}

/* With interrupts off: for ever.  There is no call for that, but none will come. */
static __always_inline void native_halt(void)
{
	if (!native_save_fl())
		lguest_data.blocked_interrupts = ~0u;
	lguest_hcall(LHCALL_HALT);
}

/* ---- special_insns.h -------------------------------------------------------
 * CR0 and CR4 are the Host's; what Linux writes there it gets back.
 */
static inline unsigned long native_read_cr0(void)
{
	return lguest_cr0;
}

static inline void native_write_cr0(unsigned long val)
{
	lguest_cr0 = val;
}

static __always_inline unsigned long native_read_cr2(void)
{
	return *(volatile unsigned int *)&lguest_data.cr2;
}

static __always_inline void native_write_cr2(unsigned long val)
{
	lguest_data.cr2 = val;
}

static inline unsigned long __native_read_cr3(void)
{
	return lguest_cr3;
}

/* The Host keeps the shadow of every table it has seen: NEW_PGTABLE flushes nothing. */
static inline void lguest_switch_cr3(unsigned long val)
{
	lguest_cr3 = val;
	lguest_hcall1(LHCALL_NEW_PGTABLE, val);
}

/* A `mov cr3` does flush, all but the global pages (if there are any yet). */
static inline void native_write_cr3(unsigned long val)
{
	if (val != lguest_cr3)
		lguest_switch_cr3(val);
	lguest_hcall1(LHCALL_FLUSH_TLB, !(lguest_cr4 & X86_CR4_PGE));
}

static inline unsigned long native_read_cr4(void)
{
	return lguest_cr4;
}

static inline void native_write_cr4(unsigned long val)
{
	lguest_cr4 = val;
}

static inline void native_wbinvd(void)
{
}

/* invlpg.  PTE 0 says: forget it, and look into the table when it is touched next. */
static inline void lguest_invlpg(unsigned long addr)
{
	asm volatile("int %0" : : "i" (LGUEST_TRAP_ENTRY), "a" (LHCALL_SET_PTE),
		     "b" (lguest_cr3), "c" (addr), "d" (0), "S" (0) : "memory");
}

/* ---- msr.h: there are none, says the Host with a #GP.  We needn't ask. ------- */
static __always_inline unsigned long long __rdmsr(unsigned int msr)
{
	return 0;
}

static __always_inline void __wrmsr(unsigned int msr, unsigned int low, unsigned int high)
{
}

static inline unsigned long long native_read_msr_safe(unsigned int msr, int *err)
{
	*err = -EIO;
	return 0;
}

static inline int native_write_msr_safe(unsigned int msr, unsigned int low, unsigned int high)
{
	return -EIO;
}

/* ---- debugreg.h ------------------------------------------------------------
 * No breakpoints: the debug registers are the Host's.  So the one #DB that we can get
 * is that of a single step, and DR6 says so (bits that are "reserved" read as 1).
 */
#define LGUEST_DR6	0xffff4ff0UL	/* DR6_RESERVED | DR_STEP */

static __always_inline unsigned long native_get_debugreg(int regno)
{
	return regno == 6 ? LGUEST_DR6 : 0;
}

static __always_inline void native_set_debugreg(int regno, unsigned long value)
{
}

/* ---- processor.h ----------------------------------------------------------- */
static inline void native_cpuid(unsigned int *eax, unsigned int *ebx,
				unsigned int *ecx, unsigned int *edx)
{
	lguest_cpuid(eax, ebx, ecx, edx);
}

/* Where ring 3 lands.  Since 4.15 that is one page for life, the "entry stack". */
#define lguest_load_sp0(sp0) \
	lguest_hcall3(LHCALL_SET_STACK, LGUEST_KERNEL_DS, (sp0), 1)

#endif /* !__ASSEMBLY__ */
#endif
