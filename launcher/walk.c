// SPDX-License-Identifier: MIT
/*L:760 Where is that?
 *
 * A debugger speaks of addresses as the Guest sees them.  To find the bytes we do what
 * the Host does, and the CPU: walk the Guest's own tables.  Three cases:
 *
 *	before NEW_PGTABLE	an address means itself, or what the ELF file promises
 *				it will mean later (so that you can put a breakpoint
 *				into a kernel that has not mapped itself yet)
 *	2-level			directory, table
 *	PAE			four pointers, directory, table
 *
 * Nothing here changes accessed or dirty bits: looking is free.
 :*/
#include <elf.h>
#include <string.h>

#include "launcher.h"

#define ENTRY_PRESENT	1u

/*L:761 One step down, and another */
static bool entry_at(const struct guest_memory *m, uint64_t gpa, bool pae, uint64_t *entry)
{
	*entry = 0;
	return memory_fetch(m, gpa, entry, pae ? 8 : 4);
}

/* One step down; false: the walk ends here. */
static bool step(const struct guest_memory *m, struct walk *w, uint64_t table, unsigned index,
		 bool pae)
{
	struct walk_level *level = &w->level[w->levels];

	level->gpa = table + index * (pae ? 8u : 4u);
	if (!entry_at(m, level->gpa, pae, &level->entry))
		return false;
	w->levels++;
	return level->entry & ENTRY_PRESENT;
}

static uint64_t frame_of(const struct walk *w)
{
	return w->level[w->levels - 1].entry & 0x000ffffffffff000ull;
}

static bool by_tables(const struct guest_memory *m, uint32_t cr3, bool pae, uint32_t gva,
		      struct walk *w)
{
	if (pae)
		return step(m, w, cr3 & ~31u, gva >> 30, true) &&
		       step(m, w, frame_of(w), gva >> 21 & 511, true) &&
		       step(m, w, frame_of(w), gva >> 12 & 511, true);
	return step(m, w, cr3 & ~0xfffu, gva >> 22, false) &&
	       step(m, w, frame_of(w), gva >> 12 & 1023, false);
}

/* What the file says: a segment that is linked at one address and loaded at another. */
static bool by_file(const struct image *img, uint32_t gva, uint64_t *gpa)
{
	Elf32_Ehdr h;
	Elf32_Phdr p;

	if (img->bzimage || !read_exactly(img->fd, &h, sizeof(h), 0))
		return false;
	for (unsigned i = 0; i < h.e_phnum; i++) {
		if (!read_exactly(img->fd, &p, sizeof(p), h.e_phoff + (uint64_t)i * sizeof(p)))
			return false;
		if (p.p_type == PT_LOAD && gva >= p.p_vaddr && gva - p.p_vaddr < p.p_memsz) {
			*gpa = p.p_paddr + (gva - p.p_vaddr);
			return true;
		}
	}
	return false;
}

bool walk_guest(const struct guest_memory *m, const struct image *img, uint32_t cr3, bool pae,
		uint32_t gva, struct walk *w)
{
	memset(w, 0, sizeof(*w));
	if (!cr3) {
		w->gpa = gva;
		if (!memory_at(m, gva, 1) && !by_file(img, gva, &w->gpa))
			return false;
	} else {
		if (!by_tables(m, cr3, pae, gva, w))
			return false;
		w->gpa = frame_of(w) | (gva & (PAGE_SIZE - 1));
	}
	return memory_at(m, w->gpa, 1) != NULL;
}
/*:*/
