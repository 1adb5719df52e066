// SPDX-License-Identifier: GPL-2.0-only
/*H:400 Segments
 *
 * Nobody likes segments, and 64-bit Linux nearly forgot them.  But a CPU has just one
 * GDT at a time, and while the Guest runs it is the Guest's: whatever stands in it, a
 * kernel in ring 1 may load.  So this dull file is the wall of the castle.
 *
 * Page tables cannot be that wall.  Rings 0, 1 and 2 are all "supervisor" to them, so
 * the Switcher's own pages, mapped next to the Guest's, are not protected from ring 1
 * by the U/S bit.  What protects them is arithmetic: 32-bit code cannot name an
 * address above 4 GiB, and that is where they live.  The one thing that could undo it
 * is a code descriptor with the L bit: 64-bit mode, in ring 1.  It took one far jump,
 * when we tried it, to read the Host's text.
 */
#include "lg.h"

/* SDM vol. 3, 3.4.5: the descriptor as one 64-bit number. */
#define DESC_ACCESSED	(1ull << 40)
#define DESC_WRITABLE	(1ull << 41)	/* in a data segment */
#define DESC_CODE	(1ull << 43)
#define DESC_S		(1ull << 44)	/* 0: a system descriptor (gates, TSS, LDT) */
#define DESC_DPL_SHIFT	45
#define DESC_DPL	(3ull << DESC_DPL_SHIFT)
#define DESC_PRESENT	(1ull << 47)
#define DESC_L		(1ull << 53)
#define DESC_DB		(1ull << 54)

/*
 * Turn what a Guest wants in its GDT into what it may have (SDM vol. 3, 3.4.5):
 *
 *  - A system descriptor becomes nothing: a call gate or a TSS is a door to ring 0.
 *  - DPL 0 becomes 1, since that is what "kernel" means here.  DPL 2 becomes 3: an
 *    IRET to ring 2 then faults, and our test "bit 1 of CS means user" stays true.
 *  - L is cleared in code; in data it means nothing, and stays.  With L and D both set
 *    the CPU would refuse it anyway.
 *  - The accessed bit is set: or the CPU would, and the Guest's view of the GDT is
 *    read-only.
 *  - A writable data segment is 32 bits wide: IRETQ to a 16-bit stack leaves the
 *    upper half of ESP as it was in the Host, and that is none of the Guest's business.
 *
 * Base, limit and granularity are the Guest's own.  They cannot hurt anybody else.
 */
/* LAB 7.1 BEGIN: the wall */
u64 lg_sanitise_descriptor(u64 descriptor)
{
	u64 dpl = (descriptor & DESC_DPL) >> DESC_DPL_SHIFT;

	if (!(descriptor & DESC_S))
		return 0;
	if (dpl == 0 || dpl == 2)
		descriptor += 1ull << DESC_DPL_SHIFT;
	if (descriptor & DESC_CODE)
		descriptor &= ~DESC_L;
	else if (descriptor & DESC_WRITABLE)
		descriptor |= DESC_DB;
	return descriptor | DESC_ACCESSED;
}
/* LAB 7.1 END */
/*:*/

/*H:410 Whose entry is it?
 *
 * A few entries are not the Guest's to change.  It may try, and Linux does, in its
 * bulk loads: we nod and do nothing.  10 and 11 were the old Host's own segments, 16
 * and 31 task state segments (ABI.md section 6).  2 and 3 are ours: the Switcher runs on
 * selectors 0x10 and 0x18, which mean the same to Linux, so CS and SS survive the change
 * of GDT.
 */
static bool entry_is_ours(u32 entry)
{
	switch (entry) {
	case LG_GDT_HOST_CS:
	case LG_GDT_HOST_DS:
	case 10:
	case 11:
	case 16:
	case 31:
		return true;
	}
	return false;
}

static void set_entry(struct lguest *lg, u32 entry, u64 descriptor)
{
	lg->gdt[entry] = descriptor;
	if (!entry_is_ours(entry))
		lg->pages->gdt[entry] = lg_sanitise_descriptor(descriptor);
}

/* The two segments that a Guest finds at its first instruction (ABI.md 1.4).  The
 * Switcher's own entries are set by x86_64/arch.c. */
void lg_segments_init(struct lguest *lg)
{
	set_entry(lg, LGUEST_KERNEL_CS >> 3, 0x00cfbb000000ffffull);
	set_entry(lg, LGUEST_KERNEL_DS >> 3, 0x00cfb3000000ffffull);
}

/* LHCALL_LOAD_GDT_ENTRY (ABI.md 2.2, 6). */
void lg_load_gdt_entry(struct lguest *lg, u32 entry, u32 low, u32 high)
{
	if (entry >= LGUEST_GDT_ENTRIES) {
		lg_kill(lg, LG_SEG_GDT_INDEX, "too many gdt entries %u: there are %u", entry,
			LGUEST_GDT_ENTRIES);
		return;
	}
	set_entry(lg, entry, ((u64)high << 32) | low);
}

/* LHCALL_LOAD_TLS: three descriptors at gpa become entries 6, 7 and 8. */
enum lg_result lg_load_tls(struct lguest *lg, u32 gpa)
{
	u64 tls[3];
	enum lg_result r = lg_read(lg, gpa, tls, sizeof(tls));
	u32 i;

	if (r != LG_RESUME)
		return r;
	for (i = 0; i < 3; i++)
		set_entry(lg, 6 + i, tls[i]);
	return LG_RESUME;
}

/* The base of a segment that the Guest has loaded; 0 for what it cannot have loaded. */
u32 lg_segment_base(struct lguest *lg, u32 selector)
{
	u32 entry = (selector & 0xffff) >> 3;
	u64 d;

	if ((selector & 4) || entry >= LGUEST_GDT_ENTRIES)
		return 0;
	d = lg->pages->gdt[entry];
	return ((d >> 16) & 0xffffff) | ((d >> 32) & 0xff000000);
}
/*:*/
