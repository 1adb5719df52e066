/* SPDX-License-Identifier: MIT */
/* Two MMUs: one that walks the Guest's tables, as its own CPU would, and one that walks
 * the shadow, as the real CPU does.  They should never be seen to disagree. */
#ifndef MMU_H
#define MMU_H

#include "world.h"

/* An access, in the words of a page fault's error code (SDM vol. 3, 4.7). */
#define A_READ	0u
#define A_WRITE	2u
#define A_USER	4u
#define A_FETCH	16u

struct verdict {
	bool ok;
	u32 error;		/* if not */
	u32 pfn;		/* if so */
	u32 pte_gpa;		/* the Guest's PTE, if there is one */
	u64 pte;		/* what it is to hold afterwards */
};

struct verdict mmu_guest(struct world *w, u32 root, u32 gva, u32 access);
struct verdict mmu_shadow(struct world *w, u32 gva, u32 access);

/* The whole shadow: every entry explained by the Guest's tables, every table accounted
 * for.  `master`: a root whose kernel part is complete; 0 if all that is shared is. */
void mmu_check(struct world *w, u32 master);
/* Only the accounting, and that each entry maps a frame of the Guest's. */
void mmu_check_tables(struct world *w);

/* What the real CPU does: try, fault, be mended, try again.  Returns false if the Guest's
 * own #PF handler (at `handler`) was entered instead.  *faults counts. */
bool mmu_access(struct world *w, u32 gva, u32 access, u32 handler, u32 *faults);

#endif
