// SPDX-License-Identifier: GPL-2.0-only
/*H:500 Page tables, or the Bit of Despair
 *
 * The original's author called page tables the Bit of Despair, and meant it kindly.
 * Take a breath; the idea fits in three lines.
 *
 *	The Guest has page tables.  They say GVA -> GPA, and the CPU never sees them.
 *	The Launcher's memory says where each GPA really is.
 *	We make page tables that say GVA -> there.  The CPU sees only those.
 *
 * Ours are called the shadow.  They start empty.  When the Guest touches an address,
 * the CPU faults, we read the Guest's tables, and either they say no (then the fault
 * is the Guest's own, and its handler gets it) or they say yes, and we fill in one
 * entry and try again.  It is a cache, filled on demand: a TLB made of memory.
 * Whatever may be wrong in it, throwing it away is right.
 *
 * A Guest comes with one of two formats:
 *
 *   2-level:  31      22 21      12 11      0	   4-byte entries, 1024 in a page
 *            | directory |  table   | offset |
 *
 *   PAE:      31 30 29  21 20      12 11      0   8-byte entries, 512 in a page,
 *            |PDPT| PMD   |  table   | offset |   4 in the PDPT
 *
 * Ours is the format of the long-mode CPU, which is PAE with more on top (shadow.c).
 */
#include "lg.h"

/* Bits that a directory entry may have (ABI.md 7.2): P, RW, US, A, D. */
#define DIRECTORY_BITS	(LG_PTE_PRESENT | LG_PTE_RW | LG_PTE_USER | LG_PTE_ACCESSED | LG_PTE_DIRTY)

/* What the Guest's tables say of one address. */
struct walk {
	bool present;
	u64 directory;		/* the last directory entry: RW and US count */
	u64 pte;
	void *pte_slot;		/* our address of the Guest's PTE; NULL in linear mode */
};
/*:*/

/*H:510 One entry
 *
 * Read an entry of a Guest table, 4 or 8 bytes as the Guest's format has it.  The
 * table's frame may never have been touched by the Launcher: then it is fetched first.
 */
static noinline enum lg_result no_table(struct lguest *lg, u32 gpa)
{
	if (gpa >> LG_PAGE_SHIFT < lg->pfn_limit)
		return lg_want_frame(lg, gpa >> LG_PAGE_SHIFT);
	lg_kill(lg, LG_MEM_READ,
		"bad read address %#x len %u: a page table outside memory, which ends at %#llx",
		gpa, lg->pae ? 8 : 4, (unsigned long long)lg->pfn_limit << LG_PAGE_SHIFT);
	return LG_OUT;
}

static __always_inline enum lg_result read_entry(struct lguest *lg, u32 gpa, bool pae, u64 *entry,
						 void **where)
{
	u32 pfn = gpa >> LG_PAGE_SHIFT;
	void *slot;

	if (unlikely(pfn >= lg->pfn_limit || !lg->frame[pfn]))
		return no_table(lg, gpa);
	slot = (char *)lg->frame[pfn] + LG_PAGE_OFFSET(gpa);
	*entry = pae ? READ_ONCE(*(u64 *)slot) : READ_ONCE(*(u32 *)slot);
	*where = slot;
	return LG_RESUME;
}

static noinline bool bad_directory(struct lguest *lg, u64 entry, u64 allowed, bool middle)
{
	const char *name = middle ? "middle directory" : "directory";

	if (entry & 0xfff & ~allowed)
		lg_kill(lg, middle ? LG_PT_BAD_PMD : LG_PT_BAD_PGD,
			"bad page %s entry %#llx: bits %#llx are not for Guests", name,
			(unsigned long long)entry, (unsigned long long)(entry & 0xfff & ~allowed));
	else
		lg_kill(lg, middle ? LG_PT_PMD_FRAME : LG_PT_PGD_FRAME,
			"bad page %s entry %#llx: it names frame %#llx, the Guest has %#x", name,
			(unsigned long long)entry, (unsigned long long)entry >> LG_PAGE_SHIFT,
			lg->pfn_limit);
	return false;
}

/* A PTE's frame number; bit 63 (NX) and the spare bits are no part of it. */
static u64 pte_frame(u64 pte)
{
	return (pte & LG_PTE_FRAME) >> LG_PAGE_SHIFT;
}

static noinline bool bad_pte(struct lguest *lg, u64 pte)
{
	if (pte & LG_PTE_BIT7)
		lg_kill(lg, LG_PT_BAD_PTE, "bad page table entry %#llx: bit 7 must be 0",
			(unsigned long long)pte);
	else
		lg_kill(lg, LG_PT_PTE_FRAME,
			"bad page table entry %#llx: it names frame %#llx, the Guest has %#x",
			(unsigned long long)pte, (unsigned long long)pte_frame(pte), lg->pfn_limit);
	return false;
}

/*
 * Checked before use, always: check_directory a present entry of a directory, PMD or PDPT
 * (`allowed`: its flags, in bits 0 to 11; all bits above are the frame's number), check_pte
 * a PTE.  False: the Guest is dead, bad_directory or bad_pte has said of what.  (ABI.md 7.2)
 */
/* LAB 9.1 BEGIN: may the Guest have it? */
/* May the Guest have this frame?  `frame` is a whole entry >> 12. */
static bool frame_ok(struct lguest *lg, u64 frame)
{
	return frame < lg->pfn_limit;
}

static __always_inline bool check_directory(struct lguest *lg, u64 entry, u64 allowed, bool middle)
{
	if (likely(!(entry & 0xfff & ~allowed) && frame_ok(lg, entry >> LG_PAGE_SHIFT)))
		return true;
	return bad_directory(lg, entry, allowed, middle);
}

static __always_inline bool check_pte(struct lguest *lg, u64 pte)
{
	if (likely(!(pte & LG_PTE_BIT7) && frame_ok(lg, pte_frame(pte))))
		return true;
	return bad_pte(lg, pte);
}
/* LAB 9.1 END */
/*:*/

/*H:520 The walk
 *
 * What the CPU does in a blink, in C.  Before the first NEW_PGTABLE there are no tables
 * to walk, and every address means itself, for ring 1 alone (ABI.md 1.4, "linear mode").
 *
 * LG_RESUME: *w is filled in.  LG_AGAIN, LG_OUT: as ever.
 */
/* LAB 9.2 BEGIN: the walk */
static __always_inline enum lg_result walk(struct lguest *lg, u32 gva, struct walk *w)
{
	u64 entry;
	u32 table;
	enum lg_result r;
	void *slot;
	bool pae;

	if (lg->linear) {
		w->present = true;
		w->directory = LG_PTE_PRESENT | LG_PTE_RW | LG_PTE_USER;
		w->pte = (gva & ~(LG_PAGE_SIZE - 1)) | LG_PTE_PRESENT | LG_PTE_RW |
			 LG_PTE_ACCESSED | LG_PTE_DIRTY;
		w->pte_slot = NULL;
		return LG_RESUME;
	}

	w->present = false;
	pae = lg->pae;
	if (pae) {
		r = read_entry(lg, (lg->cr3 & ~31u) + (gva >> 30) * 8, pae, &entry, &slot);
		if (r != LG_RESUME || !(entry & LG_PTE_PRESENT))
			return r;
		if (!check_directory(lg, entry, LG_PTE_PRESENT, false))
			return LG_OUT;
		table = entry & ~0xfffull;
		r = read_entry(lg, table + ((gva >> 21) & 511) * 8, pae, &entry, &slot);
	} else {
		r = read_entry(lg, (lg->cr3 & ~0xfffu) + (gva >> 22) * 4, pae, &entry, &slot);
	}
	if (r != LG_RESUME || !(entry & LG_PTE_PRESENT))
		return r;
	if (!check_directory(lg, entry, DIRECTORY_BITS, pae))
		return LG_OUT;
	w->directory = entry;
	table = entry & ~0xfffull;

	r = read_entry(lg, table + (pae ? ((gva >> 12) & 511) * 8 : ((gva >> 12) & 1023) * 4),
		       pae, &w->pte, &w->pte_slot);
	if (r != LG_RESUME)
		return r;
	w->present = w->pte & LG_PTE_PRESENT;
	return LG_RESUME;
}
/* LAB 9.2 END */

/*
 * access_allowed: would the CPU, with the Guest's own tables, have let this access pass?
 * CR0.WP is always 1: ring 1 may not write to a read-only page either.
 * set_accessed_dirty: note in the Guest's own table that the page was used, as the CPU
 * would (SDM vol. 3, 4.8).  The Guest's memory manager lives on these two bits.
 */
/* LAB 9.3 BEGIN: allowed, and noted */
static bool access_allowed(const struct walk *w, u32 error)
{
	u64 both = w->directory & w->pte;

	if ((error & LG_PF_WRITE) && !(both & LG_PTE_RW))
		return false;
	if ((error & LG_PF_USER) && !(both & LG_PTE_USER))
		return false;
	if ((error & LG_PF_FETCH) && (w->pte & LG_PTE_NX))
		return false;
	return true;
}

static void set_accessed_dirty(struct lguest *lg, struct walk *w, bool write)
{
	u64 want = w->pte | LG_PTE_ACCESSED | (write ? LG_PTE_DIRTY : 0);

	if (w->pte == want || !w->pte_slot)
		return;
	w->pte = want;
	if (lg->pae)
		WRITE_ONCE(*(u64 *)w->pte_slot, want);
	else
		WRITE_ONCE(*(u32 *)w->pte_slot, (u32)want);
}
/* LAB 9.3 END */
/*:*/

/*H:530 From their entry to ours
 *
 *	63   62..52  51            12 11..7   6   5   4 3   2    1   0
 *	NX | unused | where it really is | 0  | 1 | 1 | 0 0 | US | RW | P
 *
 * A page is writable in the shadow only when the Guest's entry is writable AND dirty.
 * A clean page that is read goes in read-only; its first write faults, we set the dirty
 * bit, and only then open it.  Cache attributes are not passed on: it is plain memory,
 * whatever the Guest believes.  Accessed and dirty are set in advance in ours, so that
 * the CPU need not.
 */
/* LAB 9.4 BEGIN: from their entry to ours */
static u64 shadow_entry(struct lguest *lg, u64 pte)
{
	u64 entry = lg_os_phys(lg->frame[pte_frame(pte)]) | LG_PTE_PRESENT | LG_PTE_ACCESSED |
		    LG_PTE_DIRTY;

	if ((pte & (LG_PTE_RW | LG_PTE_DIRTY)) == (LG_PTE_RW | LG_PTE_DIRTY))
		entry |= LG_PTE_RW;
	if (lg->linear)
		return entry;
	entry |= pte & LG_PTE_USER;
	if (lg->pae)
		entry |= pte & LG_PTE_NX;
	return entry;
}
/* LAB 9.4 END */
/*:*/

/* The fault is the Guest's own.  P in the error code is what its own tables say. */
static noinline enum lg_result reflect_fault(struct lguest *lg, u32 gva, u32 error,
					     const struct walk *w)
{
	u32 theirs = error & (LG_PF_WRITE | LG_PF_USER);
	enum lg_result r;

	if (w->present) {
		theirs |= LG_PF_PRESENT;
		/* A Guest that uses no NX never sees the fetch bit (SDM vol. 3, 4.7). */
		if (lg->pae && (w->pte & LG_PTE_NX))
			theirs |= error & LG_PF_FETCH;
	}
	lg_trace_page_fault(lg, gva, theirs,
			    w->present ? LG_FAULT_PROTECTION : LG_FAULT_ABSENT, w->directory,
			    w->pte, 0, 0);
	r = lg_deliver(lg, LG_VECTOR_PF, true, theirs);
	if (r != LG_RESUME)
		return r;
	WRITE_ONCE(lg->data->cr2, gva);
	lg->stats.reflected[LG_VECTOR_PF]++;
	if (w->present)
		lg_count(lg, fault_protection);
	else
		lg_count(lg, fault_absent);
	return LG_RESUME;
}

static void count_fill(struct lguest *lg, u32 error, u64 old)
{
	if (lg->linear)
		lg_count(lg, fill_linear);
	else if (old && (error & LG_PF_WRITE))
		lg_count(lg, fill_dirty);
	else if (error & LG_PF_WRITE)
		lg_count(lg, fill_write);
	else
		lg_count(lg, fill_read);
	if (error & LG_PF_USER)
		lg_count(lg, fill_user);
}

/*H:550 Ring 1 is a supervisor, says the CPU
 *
 * Two features of newer CPUs keep a supervisor's hands off user pages: SMAP for data,
 * SMEP for code.  The Guest's kernel in ring 1 is a supervisor to them, never heard of
 * either, and touches its users' pages all day.  The shadow allows it, the Guest's
 * tables allow it, and still it faults.
 *
 * For SMAP the CPU offers a key: EFLAGS.AC.  It does nothing else in ring 1, so we hand
 * it out freely.  For SMEP there is none, so a Guest that executes its users' pages in
 * ring 1 runs without SMEP from then on.  It can only hurt itself.
 *
 * Called when the shadow has what the access needs.  LG_OUT: CR4 must change, which
 * happens when the next section begins.
 */
static noinline enum lg_result heal(struct lguest *lg, u32 error)
{
	if (error & LG_PF_FETCH) {
		if (!lg->smep)
			return LG_RESUME;
		lg->smep_off = true;
		lg_count(lg, smep_heals);
		return LG_OUT;		/* the next section begins without it */
	}
	if (!lg->smap)
		return LG_RESUME;
	lg_count(lg, smap_heals);
	if (lg_cpl(lg) == 1 && !(lg_regs(lg)->eflags & LG_EFLAGS_AC)) {
		lg_regs(lg)->eflags |= LG_EFLAGS_AC;
		return LG_RESUME;
	}
	/* AC counts for nothing in ring 3, where an emulator may still access the stack of
	 * an IRET as a supervisor.  Then SMAP goes, too. */
	lg->smap_off = true;
	return LG_OUT;
}
/*:*/

/*H:540 A page fault
 *
 * The heart of it.  `error` is the CPU's, about OUR tables; what the Guest is told, if
 * anything, is about ITS tables.
 *
 * fill: an access that the Guest's tables allow goes into the shadow.  LG_AGAIN: a frame or a
 * table is wanted first, and nothing has changed.  `outcome` is for the trace.
 */
/* LAB 9.5 BEGIN: a page fault */
static __always_inline enum lg_result fill(struct lguest *lg, u32 gva, u32 error, struct walk *w,
					   u32 outcome)
{
	u64 *slot, entry, was;

	if (!check_pte(lg, w->pte))
		return LG_OUT;
	if (!lg->frame[pte_frame(w->pte)])
		return lg_want_frame(lg, pte_frame(w->pte));
	slot = lg_shadow_make(lg, gva, w->directory);
	if (!slot)
		return LG_AGAIN;	/* no table to spare; lg->want says so */

	set_accessed_dirty(lg, w, error & LG_PF_WRITE);
	entry = shadow_entry(lg, w->pte);
	was = *slot;
	if (was != entry) {
		count_fill(lg, error, was);
		*slot = entry;
	}
	lg_trace_page_fault(lg, gva, error, outcome, w->directory, w->pte, was, entry);
	return LG_RESUME;
}

enum lg_result lg_page_fault(struct lguest *lg, u32 gva, u32 error)
{
	struct walk w = { .present = false, .directory = 0, .pte = 0 };
	enum lg_result r;

	if (unlikely(gva >= LG_RESERVED))
		return reflect_fault(lg, gva, error, &w);
	r = walk(lg, gva, &w);
	if (r != LG_RESUME)
		return r;
	if (!w.present || !access_allowed(&w, error))
		return reflect_fault(lg, gva, error, &w);

	r = fill(lg, gva, error, &w, LG_FAULT_FILL);
	if (r != LG_RESUME)
		return r;
	/* A supervisor's access to a user page: will it pass now? */
	if (!(error & LG_PF_USER) && (w.directory & w.pte & LG_PTE_USER))
		return heal(lg, error);
	return LG_RESUME;
}
/* LAB 9.5 END */
/*:*/

/*
 * Our address of Guest-virtual `gva`, for an access by the Guest's kernel that we make
 * in its name (a frame on its stack, the instruction it is at).  Good to the end of the
 * page.  Sets accessed and dirty as the access itself would.
 */
/* LAB 9.11 BEGIN: in the Guest's name */
enum lg_result lg_guest_address(struct lguest *lg, u32 gva, bool write, void **address)
{
	struct walk w;
	enum lg_result r = walk(lg, gva, &w);

	if (r != LG_RESUME)
		return r;
	if (gva >= LG_RESERVED || !w.present || !access_allowed(&w, write ? LG_PF_WRITE : 0)) {
		lg_kill(lg, LG_MEM_VIRTUAL, "Bad address %#x: %s, needed to %s at eip %#x", gva,
			!w.present ? "not mapped" : gva >= LG_RESERVED ? "reserved" : "read-only",
			write ? "deliver a trap or interrupt" : "read the instruction",
			(u32)lg_regs(lg)->eip);
		return LG_OUT;
	}
	if (!check_pte(lg, w.pte))
		return LG_OUT;
	if (!lg->frame[pte_frame(w.pte)])
		return lg_want_frame(lg, pte_frame(w.pte));
	set_accessed_dirty(lg, &w, write);
	*address = (char *)lg->frame[pte_frame(w.pte)] + LG_PAGE_OFFSET(gva);
	return LG_RESUME;
}
/* LAB 9.11 END */

/*H:560 The stack must be there
 *
 * When ring 3 traps, the Switcher pushes a frame on the ring-1 stack by itself.  A page
 * that is missing then costs a detour.  So the pages named by SET_STACK are filled in
 * before the Guest runs on, and again whenever the shadow was thrown away.
 */
/* LAB 9.12 BEGIN: the stack must be there */
enum lg_result lg_pin_stack(struct lguest *lg)
{
	enum lg_result r;
	struct walk w;
	u32 i, gva;
	u64 *slot;

	for (i = 0; i < lg->stack_pages; i++) {
		gva = lg->pages->esp1 - 1 - i * LG_PAGE_SIZE;
		slot = lg_shadow_find(lg, &lg->root[lg->current_root], gva);
		if (slot && (*slot & LG_PTE_RW))
			continue;	/* still there: the usual case in a context switch */
		r = walk(lg, gva, &w);
		if (r != LG_RESUME)
			return r;
		if (gva >= LG_RESERVED || !w.present || !access_allowed(&w, LG_PF_WRITE)) {
			lg_kill(lg, LG_TRAP_STACK_PAGE, "bad stack page %#x: %s", gva,
				w.present ? "not writable" : "not mapped");
			return LG_OUT;
		}
		r = fill(lg, gva, LG_PF_WRITE, &w, LG_FAULT_STACK);
		if (r != LG_RESUME)
			return r;
		lg_count(lg, stack_pins);
	}
	lg->stack_unpinned = false;
	return LG_RESUME;
}
/* LAB 9.12 END */
/*:*/

/*H:570 SET_PTE: "I changed something"
 *
 * The Guest has changed an entry in its own table and tells us which.  If our copy
 * exists, it is stale.  When the new entry is one that will be used at once (accessed is
 * set) and its frame is at hand, we put it in place and save a fault; else we just forget
 * the old one, and the next touch will read the Guest's table.  (The original took dirty
 * for a reason, too.  But a page that is dirty and not accessed is one whose Guest wants
 * to know when it is used again.)
 */
/* LAB 9.6 BEGIN: I changed something */
static void apply_pte(struct lguest *lg, struct lg_root *root, u32 gva, u64 pte)
{
	u64 *slot = lg_shadow_find(lg, root, gva);

	if (!slot)
		return;
	if ((pte & LG_PTE_PRESENT) && (pte & LG_PTE_ACCESSED) && lg->frame[pte_frame(pte)])
		*slot = shadow_entry(lg, pte);
	else
		*slot = 0;
}

void lg_set_pte(struct lguest *lg, u32 root_gpa, u32 gva, u64 pte)
{
	struct lg_root *root;
	u32 i;

	if (gva >= LG_RESERVED) {
		lg_kill(lg, LG_PT_SWITCHER,
			"attempt to set pte into Switcher pages: %#x, all from %#x up is reserved",
			gva, LG_RESERVED);
		return;
	}
	if ((pte & LG_PTE_PRESENT) && (pte & (LG_PTE_ACCESSED | LG_PTE_DIRTY)) &&
	    !check_pte(lg, pte))
		return;
	if (lg->linear)
		return;

	if (gva >= lg->kernel_address) {
		lg_count(lg, set_pte_kernel);
		if (gva >> 30 >= lg->shared) {
			apply_pte(lg, &lg->root[lg->current_root], gva, pte);
			return;
		}
		for (i = 1; i < LG_ROOTS; i++)
			if (lg->root[i].used)
				apply_pte(lg, &lg->root[i], gva, pte);
		return;
	}
	root = lg_find_root(lg, root_gpa);
	if (!root) {
		lg_count(lg, set_pte_absent);
		return;
	}
	lg_count(lg, set_pte_user);
	apply_pte(lg, root, gva, pte);
}
/* LAB 9.6 END */
/*:*/

/*M:120 Yours to build: fill more than was asked
 *
 * A program that touches one page soon touches the next.  One fault could fill eight
 * neighbours, if their entries are present and accessed already (why must they be?), and
 * their frames pinned.  Watch fill_read and fill_write in the counters, and fork in the
 * bench.  When does it become slower?
 *:*/

/*M:125 A fault that never comes home
 *
 * Most page faults of a busy Guest are its own: copy-on-write, demand-zero.  We walk its
 * tables to find that out.  The Switcher could see it in the error code alone, sometimes:
 * P set, and the shadow entry as the Guest's was.  For an absent page it can not: a bit in
 * an absent shadow entry could say "the Guest's is absent, too", but who would clear it?  A
 * Guest may fill its entry and tell nobody (ABI.md 7.4).  So somebody has to look.  What of
 * the Guest's memory could the Switcher see, and where, so that the Guest can not?
 *:*/
