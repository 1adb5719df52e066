/* SPDX-License-Identifier: MIT */
/*G:310 Two formats of page table, one header
 *
 * A 2-level table splits an address 10 + 10 + 12 bits; PAE splits it 2 + 9 + 9 + 12
 * and makes each entry eight bytes wide:
 *
 *	   31        22 21        12 11         0
 *	  [ directory  |   table    |   offset  ]	2-level
 *	   31 30 29     21 20    12 11         0
 *	  [PDPT| directory | table  |   offset  ]	PAE
 *
 * TeachOS is built twice from the same sources.  All that differs is here: the
 * width of an entry, how many fit in a page, and whether there is a small table of
 * four pointers above the directories.  Everything else asks these names.
 *
 *	 bit  11..9   8  7   6  5   4    3    2   1   0
 *	     [ ours | G | . | D | A | PCD|PWT | US| RW| P ]
 */
#ifndef PAGETABLE_H
#define PAGETABLE_H

#include "lib.h"

#define PAGE_SIZE	4096u
#define PAGE_MASK	(PAGE_SIZE - 1)

#ifdef CONFIG_PAE
typedef u64 pte_t;
#define PT_ENTRIES	512u		/* in a table and in a directory */
#define TOP_ENTRIES	4u		/* in the root */
#define TOP_SHIFT	30
#define DIR_SHIFT	21
#define TOP_FLAGS	PTE_P		/* a PDPT entry has no RW and no US */
#else
typedef u32 pte_t;
#define PT_ENTRIES	1024u
#define TOP_ENTRIES	1024u
#define TOP_SHIFT	22
#define DIR_SHIFT	22
#define TOP_FLAGS	DIR_FLAGS
#endif

#define PTE_P		0x001u
#define PTE_RW		0x002u
#define PTE_US		0x004u
#define PTE_A		0x020u
#define PTE_D		0x040u
#define PTE_COW		0x200u		/* ours: write to it and you get your own copy */

#define DIR_FLAGS	(PTE_P | PTE_RW | PTE_US)	/* the table decides */

#define DIR_SPAN	(1u << DIR_SHIFT)		/* bytes under one directory entry */

static inline u32 pte_phys(pte_t pte)
{
	return (u32)pte & ~PAGE_MASK;
}

static inline unsigned int top_index(u32 va)
{
	return va >> TOP_SHIFT;
}

static inline unsigned int pt_index(u32 va)
{
	return (va >> 12) & (PT_ENTRIES - 1);
}
/*:*/

#endif
