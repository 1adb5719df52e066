/* SPDX-License-Identifier: MIT */
/*G:360 Memory that appears when you look at it
 *
 * A process owns four regions.  Its program, read from the file; the heap, from the
 * end of the program up to brk; and the stack, which may grow down from STACK_TOP.
 * Heap and stack begin as a promise.  The first touch of a page faults, a zeroed
 * frame is put there, and the instruction is tried again.
 *
 *	0x00400000  program  | heap ->      ...      <- stack | 0xbffff000
 *
 * The new entry goes in with "accessed" (and "dirty" for a write) set, as the
 * processor is about to set them anyhow, and the Host is told about it although it
 * need not be: an entry with those bits it can take over at once, which saves the
 * second fault that would fetch it.
 */
#include "kernel.h"

static bool promised(const struct process *p, u32 va)
{
	return (va >= p->brk_start && va < p->brk) ||
	       (va >= STACK_TOP - STACK_LIMIT && va < STACK_TOP);
}

static bool demand_zero(struct process *p, u32 va, bool write)
{
	u32 frame = frame_alloc_zeroed();
	u32 flags = PTE_P | PTE_RW | PTE_US | PTE_A | (write ? PTE_D : 0);

	if (!frame)
		return false;
	if (!page_map(p->root, va, frame, flags)) {
		frame_put(frame);
		return false;
	}
	pv.pte_changed(p->root, va & ~PAGE_MASK, frame | flags);
	return true;
}

static bool copy_on_write(struct process *p, u32 va, pte_t *pte)
{
	u32 old = pte_phys(*pte), frame = old;

	if (frame_refs(old) > 1) {
		frame = frame_alloc();
		if (!frame)
			return false;
		memcpy(phys_to_virt(frame), phys_to_virt(old), PAGE_SIZE);
		frame_put(old);
	}
	*pte = frame | PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D;
	pv.pte_changed(p->root, va & ~PAGE_MASK, *pte);
	return true;
}

bool vm_fault(struct process *p, u32 va, bool write)
{
	pte_t *pte;

	if (!p->root || va >= USER_TOP)
		return false;
	pte = pte_lookup(p->root, va);
	if (!pte || !(*pte & PTE_P))
		return promised(p, va) && demand_zero(p, va, write);
	/* Present: the only thing to mend is a write to a shared page. */
	return write && (*pte & PTE_COW) && copy_on_write(p, va, pte);
}
/*:*/

/*G:370 Never trust a pointer from ring 3
 *
 * A process hands us addresses.  We never use them as addresses: we look each page
 * up in the process's own table, make it present and writable as if the process had
 * touched it, and then use *our* address of the same frame.  A wrong pointer can't
 * hurt the kernel, because the kernel never follows it.
 */
static void *user_page(struct process *p, u32 va, bool write)
{
	u32 need = PTE_P | PTE_US | (write ? PTE_RW : 0);
	pte_t *pte = va < USER_TOP ? pte_lookup(p->root, va) : NULL;

	if (!pte || (*pte & need) != need) {
		if (!vm_fault(p, va, write))
			return NULL;
		pte = pte_lookup(p->root, va);
	}
	return (u8 *)phys_to_virt(pte_phys(*pte)) + (va & PAGE_MASK);
}

static u32 up_to_page_end(u32 va, u32 length)
{
	u32 rest = PAGE_SIZE - (va & PAGE_MASK);

	return length < rest ? length : rest;
}

bool copy_from_user(void *to, u32 from, u32 length)
{
	while (length) {
		u32 n = up_to_page_end(from, length);
		void *page = user_page(current, from, false);

		if (!page)
			return false;
		memcpy(to, page, n);
		to = (u8 *)to + n;
		from += n;
		length -= n;
	}
	return true;
}

bool copy_to_user(u32 to, const void *from, u32 length)
{
	while (length) {
		u32 n = up_to_page_end(to, length);
		void *page = user_page(current, to, true);

		if (!page)
			return false;
		memcpy(page, from, n);
		from = (const u8 *)from + n;
		to += n;
		length -= n;
	}
	return true;
}

bool string_from_user(char *to, u32 from, u32 size)
{
	for (; size--; to++, from++) {
		if (!copy_from_user(to, from, 1))
			return false;
		if (!*to)
			return true;
	}
	return false;		/* too long */
}

/* Linux's brk: returns the new end, or the old one if the wish can't be granted. */
u32 vm_brk(struct process *p, u32 new_brk)
{
	u32 va;

	if (new_brk < p->brk_start || new_brk - p->brk_start > HEAP_LIMIT)
		return p->brk;
	pv.batch_begin();
	for (va = (new_brk + PAGE_MASK) & ~PAGE_MASK; va < p->brk; va += PAGE_SIZE) {
		pte_t *pte = pte_lookup(p->root, va);

		if (!pte || !(*pte & PTE_P))
			continue;
		frame_put(pte_phys(*pte));
		*pte = 0;
		pv.pte_changed(p->root, va, 0);
	}
	pv.batch_end();
	return p->brk = new_brk;
}
/*:*/
