/* SPDX-License-Identifier: MIT */
/*G:360 Memory that appears when you look at it
 *
 * A process owns four kinds of regions.  Its program, read from the file; the heap, from
 * the end of the program up to brk; the stack, which may grow down from STACK_TOP; and
 * areas that it asked for by mmap.  All but the program begin as a promise.  The first
 * touch of a page faults, a zeroed frame is put there, and the instruction is tried
 * again.
 *
 *	0x00400000  program | heap ->   ...  areas  ...   <- stack | 0xbffff000
 *
 * The new entry goes in with "accessed" (and "dirty" for a write) set, as the
 * processor is about to set them anyhow, and the Host is told about it although it
 * need not be: an entry with those bits it can take over at once, which saves the
 * second fault that would fetch it.
 */
#include "kernel.h"

/* What p may do at va once there is a page: PROT_..., 0: nothing was promised. */
static u32 promised(const struct process *p, u32 va)
{
	u32 i;

	if ((va >= p->brk_start && va < p->brk) ||
	    (va >= STACK_TOP - STACK_LIMIT && va < STACK_TOP))
		return PROT_READ | PROT_WRITE;
	for (i = 0; i < p->area_count; i++)
		if (va >= p->area[i].start && va < p->area[i].end)
			return p->area[i].prot;
	return 0;
}

/* The last frames are for process 1: whoever takes all that there is shall not take the
 * shell with him. */
bool vm_enough(const struct process *p)
{
	return p->immortal || frames_free() > FRAMES_RESERVED;
}

static bool demand_zero(struct process *p, u32 va, bool write)
{
	u32 prot = promised(p, va), frame = 0;
	u32 flags = PTE_P | PTE_US | PTE_A | (prot & PROT_WRITE ? PTE_RW : 0) |
		    (write ? PTE_D : 0);

	if (prot && (!write || (prot & PROT_WRITE)) && vm_enough(p))
		frame = frame_alloc_zeroed();
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
		frame = vm_enough(p) ? frame_alloc() : 0;
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
		return demand_zero(p, va, write);
	/* Present: the only thing to mend is a write to a shared page. */
	return write && (*pte & PTE_COW) && copy_on_write(p, va, pte);
}

bool vm_had_right(struct process *p, u32 va, bool write)
{
	pte_t *pte = va < USER_TOP ? pte_lookup(p->root, va) : NULL;
	u32 prot = promised(p, va);

	if (pte && (*pte & PTE_P))
		return write && (*pte & PTE_COW);
	return prot && (!write || (prot & PROT_WRITE));
}
/*:*/

/*G:370 Never trust a pointer from ring 3
 *
 * A process hands us addresses.  We never use them as addresses: we look each page
 * up in the process's own table, make it present and writable as if the process had
 * touched it, and then use *our* address of the same frame.  A wrong pointer can't
 * hurt the kernel, because the kernel never follows it.
 *
 * If the pointer is good and only the memory is short, the process ends as it would if
 * it had touched the page itself: of SIGKILL, on its way back.
 */
static void *user_page(struct process *p, u32 va, bool write)
{
	u32 need = PTE_P | PTE_US | (write ? PTE_RW : 0);
	pte_t *pte = va < USER_TOP ? pte_lookup(p->root, va) : NULL;

	if (!pte || (*pte & need) != need) {
		if (!vm_fault(p, va, write)) {
			if (vm_had_right(p, va, write))
				signal_send(p, SIGKILL);
			return NULL;
		}
		pte = pte_lookup(p->root, va);
	}
	return (u8 *)phys_to_virt(pte_phys(*pte)) + (va & PAGE_MASK);
}

static u32 up_to_page_end(u32 va, u32 length)
{
	u32 rest = PAGE_SIZE - (va & PAGE_MASK);

	return length < rest ? length : rest;
}

void *user_memory(u32 va, u32 *length, bool write)
{
	*length = up_to_page_end(va, *length);
	return user_page(current, va, write);
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

/*:*/

/*G:375 Promises taken back
 *
 * What a process gives back goes at once: the frame, the entry, and the Host's copy of
 * it.  Whole tables that were never made are skipped in one stride, so that a promise of
 * two gigabytes can be withdrawn without looking at half a million entries.
 */
static void unmap_pages(struct process *p, u32 va, u32 end)
{
	pv.batch_begin();
	for (; va < end; va += PAGE_SIZE) {
		pte_t *pte = pte_lookup(p->root, va);

		if (!pte)
			va |= DIR_SPAN - PAGE_SIZE;	/* the last page below that table */
		if (!pte || !(*pte & PTE_P))
			continue;
		frame_put(pte_phys(*pte));
		*pte = 0;
		pv.pte_changed(p->root, va, 0);
	}
	pv.batch_end();
}

/* Linux's brk: returns the new end, or the old one if the wish can't be granted. */
u32 vm_brk(struct process *p, u32 new_brk)
{
	if (new_brk < p->brk_start || new_brk - p->brk_start > HEAP_LIMIT)
		return p->brk;
	unmap_pages(p, (new_brk + PAGE_MASK) & ~PAGE_MASK, p->brk);
	return p->brk = new_brk;
}

/* The first area that ends behind va: its index, area_count if there is none. */
static u32 area_at(const struct process *p, u32 va)
{
	u32 i = 0;

	while (i < p->area_count && p->area[i].end <= va)
		i++;
	return i;
}

static void area_insert(struct process *p, u32 i, struct area new)
{
	memmove(&p->area[i + 1], &p->area[i], (p->area_count - i) * sizeof(new));
	p->area[i] = new;
	p->area_count++;
}

static void area_remove(struct process *p, u32 i)
{
	p->area_count--;
	memmove(&p->area[i], &p->area[i + 1], (p->area_count - i) * sizeof(p->area[0]));
}

/* Makes one area of number i and the next if they belong together. */
static void area_merge(struct process *p, u32 i)
{
	if (i + 1 >= p->area_count || p->area[i].end != p->area[i + 1].start ||
	    p->area[i].prot != p->area[i + 1].prot)
		return;
	p->area[i].end = p->area[i + 1].end;
	area_remove(p, i + 1);
}

int vm_unmap(struct process *p, u32 address, u32 length)
{
	u32 end, i;

	if ((address & PAGE_MASK) || !length || address < MAP_BASE || address >= MAP_TOP ||
	    length > MAP_TOP - address)
		return -EINVAL;
	end = (address + length + PAGE_MASK) & ~PAGE_MASK;
	for (i = area_at(p, address); i < p->area_count && p->area[i].start < end;) {
		struct area *a = &p->area[i], rest = {end, a->end, a->prot};

		if (a->start < address && a->end > end) {	/* a hole in the middle */
			if (p->area_count == PROCESS_AREAS)
				return -ENOMEM;
			a->end = address;
			area_insert(p, i + 1, rest);
		} else if (a->start < address) {
			a->end = address;
		} else if (a->end > end) {
			a->start = end;
		} else {
			area_remove(p, i);
			continue;
		}
		i++;
	}
	unmap_pages(p, address, end);
	return 0;
}

u32 vm_map(struct process *p, u32 address, u32 length, u32 prot, bool fixed)
{
	u32 i;
	int error;

	if (!length || (prot & ~PROT_ALL) || (fixed && (address & PAGE_MASK)))
		return -EINVAL;
	if (length > MAP_TOP - MAP_BASE || p->area_count == PROCESS_AREAS)
		return -ENOMEM;
	length = (length + PAGE_MASK) & ~PAGE_MASK;
	if (fixed) {
		error = vm_unmap(p, address, length);
		if (error)
			return error;
		if (p->area_count == PROCESS_AREAS)
			return -ENOMEM;
	} else {		/* the first gap that is wide enough */
		address = MAP_BASE;
		for (i = 0; i < p->area_count && p->area[i].start - address < length; i++)
			address = p->area[i].end;
		if (MAP_TOP - address < length)
			return -ENOMEM;
	}
	i = area_at(p, address);
	area_insert(p, i, (struct area){address, address + length, prot});
	area_merge(p, i);
	if (i)
		area_merge(p, i - 1);
	return address;
}
/*:*/
