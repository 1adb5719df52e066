/* SPDX-License-Identifier: MIT */
/*G:181 The tables that the Host kept for us
 *
 * A Guest says LOAD_GDT_ENTRY, LOAD_IDT_ENTRY, SET_STACK, and somebody in ring 0 writes
 * tables that it never sees.  Here they are.  The processor reads them by itself: the GDT
 * when a segment register is loaded, the IDT when something happens, and in the TSS it
 * finds the stack for ring 0 when that something came from ring 3.
 *
 * The selectors are a Guest's but for their lowest bits, the ring.  Nothing else in TeachOS
 * knows a kernel selector: trap.asm takes the one that is in ss, gates take the one in cs.
 */
#include "native.h"

/* The 32-bit TSS, SDM volume 3, 8.2.1.  We use three fields of it. */
struct tss {
	u32 link, esp0, ss0;
	u32 rest[22];
	u16 trap, io_map;		/* a map beyond the limit: ring 3 has no ports */
};
_Static_assert(sizeof(struct tss) == 104, "SDM volume 3, figure 8-2");

struct table_register {
	u16 limit;
	u32 base;
} __attribute__((packed));

#define GDT_ENTRIES 32u
#define CODE_DPL0 0x00cf9b000000ffffull	/* flat, 4 GiB, accessed */
#define DATA_DPL0 0x00cf93000000ffffull
#define TSS_DPL0  0x0000890000000067ull	/* available 32-bit TSS, 104 bytes, base 0 */

static struct tss tss = {.ss0 = NATIVE_DS, .io_map = sizeof(struct tss)};
static u64 idt[256] __attribute__((aligned(8)));
static u64 gdt[GDT_ENTRIES] __attribute__((aligned(8))) = {
	[NATIVE_CS / 8] = CODE_DPL0,
	[NATIVE_DS / 8] = DATA_DPL0,
	[NATIVE_TSS / 8] = TSS_DPL0,
};

void native_set_gate(unsigned int vector, u32 low, u32 high)
{
	idt[vector] = (u64)high << 32 | low;
}

void native_set_segment(unsigned int entry, u32 low, u32 high)
{
	gdt[entry] = (u64)high << 32 | low;
}

void native_set_kernel_stack(u32 esp)
{
	tss.esp0 = esp;
}

void native_set_tls(const u64 tls[3])
{
	memcpy(&gdt[6], tls, 3 * sizeof(tls[0]));
}

static void load_tables(void)
{
	struct table_register gdtr = {sizeof(gdt) - 1, (u32)gdt};
	struct table_register idtr = {sizeof(idt) - 1, (u32)idt};
	u64 base = (u32)&tss;

	gdt[NATIVE_TSS / 8] |= (base & 0xffffff) << 16 | (base >> 24) << 56;
	asm volatile("lgdt %0\n\t"
		     "ljmp %2, $1f\n"
		     "1:\tmovl %3, %%ss\n\t"
		     "movl %3, %%ds\n\t"
		     "movl %3, %%es\n\t"
		     "movl %4, %%fs\n\t"
		     "movl %4, %%gs\n\t"
		     "lidt %1\n\t"
		     "ltr %w5"
		     : : "m"(gdtr), "m"(idtr), "i"(NATIVE_CS), "r"(NATIVE_DS), "r"(0),
		       "r"(NATIVE_TSS) : "memory");
}
/*:*/

/*G:182 Registers with switches in them
 *
 * CR0 and CR4 are where a kernel tells the processor how to behave.  TS is the one switch
 * that we throw all the time (fpu.c); the others are set once.  A Guest finds them set:
 * the Host has chosen, and chose what a kernel of its time expects.
 *
 *	CR0.MP, NE	`wait` minds TS; x87 errors are trap 16, not interrupt 13
 *	CR0.AM		a process that sets AC in its flags gets trap 17
 *	CR0.EM, CD, NW	off: there is an FPU, and there are caches
 *	CR4.OSFXSR, OSXMMEXCPT	we save SSE registers, and know trap 19
 *
 * A page table entry that changed may still be known to the processor as it was.  `invlpg`
 * makes it forget one page, loading CR3 makes it forget all of them.  What is not loaded
 * it does not know: there is nothing to do about other roots, and that is the greatest
 * difference to a Host, which keeps shadows of them all.  The four entries at the top of
 * a PAE table are read only when CR3 is loaded (SDM volume 3, 4.4.1).
 */
#define CR0_MP 0x2u
#define CR0_EM 0x4u
#define CR0_TS 0x8u
#define CR0_NE 0x20u
#define CR0_AM 0x40000u
#define CR0_NW 0x20000000u
#define CR0_CD 0x40000000u
#define CR4_OSFXSR 0x200u
#define CR4_OSXMMEXCPT 0x400u

void cpu_init(void)
{
	u32 value;

	load_tables();
	asm volatile("movl %%cr0, %0" : "=r"(value));
	value = (value & ~(CR0_EM | CR0_TS | CR0_NW | CR0_CD)) | CR0_MP | CR0_NE | CR0_AM;
	asm volatile("movl %0, %%cr0" : : "r"(value));
	asm volatile("movl %%cr4, %0" : "=r"(value));
	value |= CR4_OSFXSR | CR4_OSXMMEXCPT;
	asm volatile("movl %0, %%cr4" : : "r"(value));
}

void native_set_ts(bool set)
{
	u32 value;

	if (!set) {
		asm volatile("clts" : : : "memory");
		return;
	}
	asm volatile("movl %%cr0, %0" : "=r"(value));
	asm volatile("movl %0, %%cr0" : : "r"(value | CR0_TS) : "memory");
}

u32 native_fault_address(void)
{
	u32 value;

	asm volatile("movl %%cr2, %0" : "=r"(value));
	return value;
}

void native_load_root(u32 root)
{
	asm volatile("movl %0, %%cr3" : : "r"(root) : "memory");
}

void native_flush(void)
{
	native_load_root(current_root);
}

void native_pte_changed(u32 root, u32 va, pte_t pte)
{
	(void)pte;
	if (root == current_root || va >= KERNEL_BASE)
		asm volatile("invlpg (%0)" : : "r"(va) : "memory");
}

void native_top_changed(u32 root, unsigned int index)
{
	(void)index;
	if (root == current_root)
		native_flush();
}
/*:*/
