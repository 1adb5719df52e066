/* SPDX-License-Identifier: MIT */
/*G:440 A program is a file with a plan
 *
 * An ELF file says: these bytes of me go to that address, with these rights, and so
 * many zeros after them.  Everything in it is a claim made by a stranger, so every
 * number is checked against the file's size and against the user's half of memory
 * before it is used.
 */
#include "kernel.h"

struct elf_header {
	u8 ident[16];
	u16 type, machine;
	u32 version, entry, phoff, shoff, flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
	u32 type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

#define ELF_EXEC	2
#define ELF_386		3
#define SEGMENT_LOAD	1
#define SEGMENT_WRITABLE 2

/* One page of a segment: the file's bytes that fall into it, zeros elsewhere. */
static int load_page(u32 root, u32 va, struct node *file, const struct elf_segment *s)
{
	pte_t *pte = pte_create(root, va);
	u32 begin, end, frame;
	int got;

	if (!pte)
		return -ENOMEM;
	if (!(*pte & PTE_P)) {
		frame = frame_alloc_zeroed();
		if (!frame)
			return -ENOMEM;
		*pte = frame | PTE_P | PTE_US;
	}
	if (s->flags & SEGMENT_WRITABLE)
		*pte |= PTE_RW | PTE_A | PTE_D;	/* it soon will be */
	begin = va > s->vaddr ? va : s->vaddr;
	end = s->vaddr + s->filesz;
	if (end > va + PAGE_SIZE)
		end = va + PAGE_SIZE;
	if (begin >= end)
		return 0;
	got = file->ops->read(file, s->offset + (begin - s->vaddr),
			      (u8 *)phys_to_virt(pte_phys(*pte)) + (begin - va), end - begin);
	if (got < 0)
		return got;
	return got == (int)(end - begin) ? 0 : -ENOEXEC;	/* somebody made it shorter */
}

static int load_segment(u32 root, struct node *file, const struct elf_segment *s)
{
	u32 va;
	int error = 0;

	if (s->filesz > s->memsz || s->offset > file->size || s->filesz > file->size - s->offset ||
	    s->vaddr < PAGE_SIZE || s->vaddr >= STACK_TOP - STACK_LIMIT ||
	    s->memsz > STACK_TOP - STACK_LIMIT - s->vaddr)
		return -ENOEXEC;
	for (va = s->vaddr & ~PAGE_MASK; !error && va < s->vaddr + s->memsz; va += PAGE_SIZE)
		error = load_page(root, va, file, s);
	return error;
}

int elf_load(u32 root, struct node *file, u32 *entry, u32 *brk)
{
	struct elf_header h;
	struct elf_segment s;
	u32 i, top = 0;
	int error, got = file->ops->read(file, 0, &h, sizeof(h));

	if (got < 0)
		return got;
	if (got != sizeof(h) || memcmp(h.ident, "\177ELF\1\1", 6) || h.type != ELF_EXEC ||
	    h.machine != ELF_386 || h.phentsize != sizeof(s) || h.phoff > file->size ||
	    h.phnum > (file->size - h.phoff) / sizeof(s))
		return -ENOEXEC;
	for (i = 0; i < h.phnum; i++) {
		got = file->ops->read(file, h.phoff + i * sizeof(s), &s, sizeof(s));
		if (got != sizeof(s))
			return got < 0 ? got : -ENOEXEC;
		if (s.type != SEGMENT_LOAD || !s.memsz)
			continue;
		error = load_segment(root, file, &s);
		if (error)
			return error;
		if (s.vaddr + s.memsz > top)
			top = s.vaddr + s.memsz;
	}
	if (!top || h.entry >= USER_TOP)
		return -ENOEXEC;
	*entry = h.entry;
	*brk = (top + PAGE_MASK) & ~PAGE_MASK;
	return 0;
}
/*:*/
