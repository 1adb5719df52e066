/* SPDX-License-Identifier: MIT */
/*G:620 Do the shadows follow?
 *
 * A Guest's page tables are only a wish; the processor reads others.  These tests
 * change the tables in every way that the ABI allows, with and without a call, and
 * look whether memory behaves as a real processor's would: what is seen, what
 * faults, what the error code says, and when the accessed and dirty bits appear.
 */
#include "selftest.h"

#define VA SCRATCH_BASE			/* kernel half */
#define USER_VA 0x20000000u		/* user half, in roots of our own */

/* The Host writes page tables too (accessed, dirty), so tests read them as volatile. */
static volatile u32 *const scratch = (u32 *)VA;
static volatile u32 *const user = (u32 *)USER_VA;

static void set_pte(u32 va, pte_t pte)
{
	*pte_create(current_root, va) = pte;
}

static u32 frame_with(u32 word)
{
	u32 frame = frame_alloc_zeroed();

	*(u32 *)phys_to_virt(frame) = word;
	return frame;
}

static void unmap(u32 va)
{
	set_pte(va, 0);
	pv.pte_changed(current_root, va, 0);
}

static const char *expect_fault(u32 address, u32 error)
{
	CHECK_EQUAL(trap_probe.hits, 1);
	CHECK_EQUAL(trap_probe.vector, 14);
	CHECK_EQUAL(trap_probe.error, error);
	CHECK_EQUAL(trap_probe.address, address);
	return NULL;
}

static void try_read(u32 va) { TRAP("movl (%%eax), %%ecx", va); }
static void try_write(u32 va) { TRAP("movl %%eax, (%%eax)", va); }

static void try_call(u32 va)
{
	TRAP("call *%%eax", va);
	asm volatile("addl $4, %%esp" : : : "memory");	/* the return address */
}

SELFTEST(absent, "paging/absent page")
{
	const char *why;

	try_read(VA + 0x123);
	why = expect_fault(VA + 0x123, 0);
	try_write(VA + 0xffc);
	return why ? why : expect_fault(VA + 0xffc, 2);
}

SELFTEST(absent_is_not_cached, "paging/a new page needs no call")
{
	u32 frame = frame_with(0x600d);

	try_read(VA);
	set_pte(VA, frame | PTE_P | PTE_RW);
	try_read(VA);
	CHECK_EQUAL(trap_probe.hits, 0);
	CHECK_EQUAL(*scratch, 0x600d);
	unmap(VA);
	frame_put(frame);
	return NULL;
}

SELFTEST(accessed_dirty, "paging/accessed and dirty")
{
	u32 frame = frame_with(7), value;
	volatile pte_t *pte = pte_lookup(current_root, VA);

	*pte = frame | PTE_P | PTE_RW;
	value = *scratch;
	CHECK_EQUAL(value, 7);
	CHECK_EQUAL(*pte & (PTE_A | PTE_D), PTE_A);
	*scratch = 8;
	CHECK_EQUAL(*pte & (PTE_A | PTE_D), PTE_A | PTE_D);
	CHECK_EQUAL(*(u32 *)phys_to_virt(frame), 8);
	/* Cleared and told: the next write must say so again. */
	*pte = frame | PTE_P | PTE_RW;
	pv.pte_changed(current_root, VA, 0);
	*scratch = 9;
	CHECK_EQUAL(*pte & (PTE_A | PTE_D), PTE_A | PTE_D);
	unmap(VA);
	frame_put(frame);
	return NULL;
}

/* SET_PTE with RW and A but without D: D must still appear with the first write. */
SELFTEST(dirty_after_set, "paging/dirty after a clean entry was announced")
{
	u32 frame = frame_with(7);
	volatile pte_t *pte = pte_lookup(current_root, VA);

	*pte = frame | PTE_P | PTE_RW | PTE_A;
	try_read(VA);
	pv.pte_changed(current_root, VA, *pte);
	CHECK_EQUAL(*scratch, 7);
	CHECK_EQUAL(*pte & PTE_D, 0);
	*scratch = 8;
	CHECK_EQUAL(*pte & PTE_D, PTE_D);
	unmap(VA);
	frame_put(frame);
	return NULL;
}

/*:*/

/*G:622 Rights, and other frames */
SELFTEST(read_only, "paging/read-only for the kernel too")
{
	u32 frame = frame_with(3);
	const char *why;

	set_pte(VA, frame | PTE_P);
	try_write(VA);			/* the very first touch is the write */
	why = expect_fault(VA, 3);
	if (why)
		return why;
	CHECK_EQUAL(*scratch, 3);
	try_write(VA + 8);
	why = expect_fault(VA + 8, 3);
	if (why)
		return why;
	set_pte(VA, frame | PTE_P | PTE_RW);
	pv.pte_changed(current_root, VA, frame | PTE_P | PTE_RW);
	try_write(VA);
	CHECK_EQUAL(trap_probe.hits, 0);
	/* And the other way round. */
	set_pte(VA, frame | PTE_P | PTE_A | PTE_D);
	pv.pte_changed(current_root, VA, frame | PTE_P | PTE_A | PTE_D);
	try_write(VA);
	why = expect_fault(VA, 3);
	unmap(VA);
	frame_put(frame);
	return why;
}

SELFTEST(kernel_text, "paging/the kernel cannot write its own text")
{
	try_write((u32)try_write);
	return expect_fault((u32)try_write, 3);
}

SELFTEST(other_frame, "paging/another frame behind the same address")
{
	u32 a = frame_with(0xaaaa), b = frame_with(0xbbbb);

	set_pte(VA, a | PTE_P | PTE_RW);
	CHECK_EQUAL(*scratch, 0xaaaa);
	set_pte(VA, b | PTE_P | PTE_RW);
	pv.pte_changed(current_root, VA, 0);		/* "forget what you know" */
	CHECK_EQUAL(*scratch, 0xbbbb);
	set_pte(VA, a | PTE_P | PTE_RW | PTE_A | PTE_D);
	pv.pte_changed(current_root, VA, a | PTE_P | PTE_RW | PTE_A | PTE_D);
	CHECK_EQUAL(*scratch, 0xaaaa);
	set_pte(VA, b | PTE_P | PTE_RW);
	pv.flush_all();
	CHECK_EQUAL(*scratch, 0xbbbb);
	unmap(VA);
	try_read(VA);
	frame_put(a);
	frame_put(b);
	return expect_fault(VA, 0);
}

/* The table is the law: the Host may read it again at any time, whatever it was
 * told, so a value that was announced and then changed in the table must lose. */
SELFTEST(table_wins, "paging/the table is the law")
{
	u32 a = frame_with(0xaaaa), b = frame_with(0xbbbb);

	set_pte(VA, b | PTE_P | PTE_RW);
	pv.pte_changed(current_root, VA, a | PTE_P | PTE_RW);	/* no A, no D: forget */
	CHECK_EQUAL(*scratch, 0xbbbb);
	unmap(VA);
	frame_put(a);
	frame_put(b);
	return NULL;
}

SELFTEST(not_present_bits, "paging/an absent entry with other bits set")
{
	static const u32 bits[] = {0x7ffff060, 0x00200062, 0x00200ffe};
	const char *why = NULL;
	u32 i;

	for (i = 0; i < sizeof(bits) / sizeof(bits[0]) && !why; i++) {
		set_pte(VA, 0);		/* the table that the entry is in must be known */
		page_map(current_root, VA, 0x200000, PTE_RW);
		(void)*scratch;
		set_pte(VA, bits[i]);	/* not present: all else means nothing */
		pv.pte_changed(current_root, VA, bits[i]);
		try_read(VA);
		set_pte(VA, 0);
		why = expect_fault(VA, 0);
	}
	return why;
}

SELFTEST(top_of_memory, "paging/the top of the address space")
{
	try_read(0xfffffffc);
	return expect_fault(0xfffffffc, 0);
}

SELFTEST(fetch, "paging/executing an absent page")
{
	const char *why;

	try_call(VA);
	CHECK_EQUAL(trap_probe.eip, VA);
	why = expect_fault(VA, trap_probe.error & 0x10);	/* I bit: only with NX on */
	return why;
}

/*:*/

/*G:625 Many address spaces
 *
 * A Host keeps shadows of only so many roots.  More roots than that must still each
 * see their own memory, and a root that was thrown away and built again at the same
 * address must not see its former life.
 */
#define ROOTS 300u
#define FRAMES_FOR_A_ROOT 8u

static bool enter_new_root(u32 *root, u32 word)
{
	u32 frame = frame_with(word);

	*root = root_create();
	return *root && page_map(*root, USER_VA, frame, PTE_RW | PTE_US);
}

static const char *visit_all(u32 *roots, u32 count, u32 base)
{
	u32 i, round;

	for (round = 0; round < 3; round++)
		for (i = 0; i < count; i++) {
			root_switch(roots[i]);
			CHECK(*user == base + i, "round %u, root %u sees 0x%x, expected 0x%x",
			      round, i, *user, base + i);
		}
	return NULL;
}

static void leave_all(u32 *roots, u32 count)
{
	u32 i;

	root_switch(kernel_root);
	for (i = 0; i < count; i++)
		root_destroy(roots[i]);
}

SELFTEST(many_roots, "paging/hundreds of address spaces, recycled")
{
	static u32 roots[ROOTS];
	u32 before = 0, count = frames_free() / FRAMES_FOR_A_ROOT, life, i;
	const char *why = NULL;

	if (count > ROOTS)
		count = ROOTS;
	for (life = 0; life < 3 && !why; life++) {
		if (life == 1)		/* some roots are kept as spares now */
			before = frames_free();
		for (i = 0; i < count; i++)
			CHECK(enter_new_root(&roots[i], life * 0x1000 + i), "no memory");
		why = visit_all(roots, count, life * 0x1000);
		leave_all(roots, count);
	}
	if (!why)
		CHECK_EQUAL(frames_free(), before);
	return why;
}

SELFTEST(other_root, "paging/changing a table that is not loaded")
{
	u32 roots[2], a, b;

	CHECK(enter_new_root(&roots[0], 1) && enter_new_root(&roots[1], 2), "no memory");
	root_switch(roots[0]);
	CHECK_EQUAL(*user, 1);
	root_switch(roots[1]);
	CHECK_EQUAL(*user, 2);
	a = pte_phys(*pte_lookup(roots[0], USER_VA));
	b = frame_with(3);
	*pte_lookup(roots[0], USER_VA) = b | PTE_P | PTE_RW | PTE_US;
	pv.pte_changed(roots[0], USER_VA, 0);
	frame_put(a);
	CHECK_EQUAL(*user, 2);
	root_switch(roots[0]);
	CHECK_EQUAL(*user, 3);
	root_switch(kernel_root);
	root_destroy(roots[0]);
	root_destroy(roots[1]);
	return NULL;
}

/*:*/

/*G:627 Larger changes */
SELFTEST(flush_user_part, "paging/flushing the user part")
{
	u32 root, old, new = frame_with(2);

	CHECK(enter_new_root(&root, 1), "no memory");
	root_switch(root);
	CHECK_EQUAL(*user, 1);
	old = pte_phys(*pte_lookup(root, USER_VA));
	*pte_lookup(root, USER_VA) = new | PTE_P | PTE_RW | PTE_US;
	pv.flush_user();
	CHECK_EQUAL(*user, 2);
	frame_put(old);
	root_switch(kernel_root);
	root_destroy(root);
	return NULL;
}

SELFTEST(top_entry, "paging/a whole slot of the top table exchanged")
{
	u32 one, two;
	volatile pte_t *top, *other;
	pte_t kept;

	CHECK(enter_new_root(&one, 1) && enter_new_root(&two, 2), "no memory");
	top = (pte_t *)phys_to_virt(one) + top_index(USER_VA);
	other = (pte_t *)phys_to_virt(two) + top_index(USER_VA);
	root_switch(one);
	CHECK_EQUAL(*user, 1);
	kept = *top;
	*top = *other;
	pv.top_changed(one, top_index(USER_VA));
	CHECK_EQUAL(*user, 2);
	*top = 0;
	pv.top_changed(one, top_index(USER_VA));
	try_read(USER_VA);
	CHECK_EQUAL(trap_probe.hits, 1);
	*top = kept;
	pv.top_changed(one, top_index(USER_VA));	/* see G:182 about PAE */
	CHECK_EQUAL(*user, 1);
	root_switch(kernel_root);
	root_destroy(one);
	root_destroy(two);
	return NULL;
}

SELFTEST(directory_rights, "paging/a read-only directory entry")
{
	u32 root;
	const char *why;
	pte_t *dir;

	CHECK(enter_new_root(&root, 1), "no memory");
	dir = (pte_t *)phys_to_virt(root) + top_index(USER_VA);
#ifdef CONFIG_PAE
	dir = (pte_t *)phys_to_virt(pte_phys(*dir)) + ((USER_VA >> DIR_SHIFT) & (PT_ENTRIES - 1));
#endif
	*dir &= ~(pte_t)PTE_RW;
	root_switch(root);
	CHECK_EQUAL(*user, 1);
	try_write(USER_VA);
	why = expect_fault(USER_VA, 3);
	root_switch(kernel_root);
	root_destroy(root);
	return why;
}

/*:*/

/*G:629 At the edges */
SELFTEST(unknown_root, "paging/changes to a root that was never loaded")
{
	static pte_t virgin[PAGE_SIZE / sizeof(pte_t)] __attribute__((aligned(4096)));
	u32 root = virt_to_phys(virgin), old = frame_with(1), new = frame_with(2), value;

	memcpy(virgin, phys_to_virt(kernel_root), PAGE_SIZE);
	CHECK(page_map(root, USER_VA, old, PTE_RW | PTE_US), "no memory");
	*pte_lookup(root, USER_VA) = new | PTE_P | PTE_RW | PTE_US;
	pv.pte_changed(root, USER_VA, 0);
	pv.top_changed(root, top_index(USER_VA));
	frame_put(old);
	root_switch(root);
	value = *user;
	root_switch(kernel_root);
	root_clear_user(root);
	CHECK_EQUAL(value, 2);
	return NULL;
}

/* One page in each of hundreds of tables, and four roots that share them: more shadow
 * tables than a Host may want to keep at a time.  What it threw away it must find again. */
#define SPREAD 600u
#define SPREAD_VA(i) (0x40000000u + (i) * (2u << 20))
#define USER_HALF (top_index(USER_TOP) * sizeof(pte_t))

static u32 spread_pages(u32 root, u32 frame)
{
	u32 i;

	for (i = 0; i < SPREAD; i++) {
		pte_t *pte = pte_create(root, SPREAD_VA(i));

		if (!pte)
			break;		/* a small Guest: as many as there is memory for */
		*pte = frame | PTE_P | PTE_US | PTE_RW;
		frame_get(frame);
	}
	return i;
}

static const char *look_at_all(const u32 *roots, u32 pages)
{
	u32 round, i;

	for (round = 0; round < 12; round++) {
		root_switch(roots[round % 4]);
		for (i = 0; i < pages; i++)
			CHECK(*(volatile u32 *)SPREAD_VA(i) == 0x5eed, "round %u: 0x%x shows 0x%x",
			      round, SPREAD_VA(i), *(volatile u32 *)SPREAD_VA(i));
	}
	return NULL;
}

SELFTEST(many_tables, "paging/pages far apart, in thousands of tables")
{
	u32 roots[4], i, pages, frame = frame_with(0x5eed);
	const char *why;

	for (i = 0; i < 4; i++) {
		roots[i] = root_create();
		CHECK(roots[i], "no memory");
	}
	pages = spread_pages(roots[0], frame);
	for (i = 1; i < 4; i++)
		memcpy(phys_to_virt(roots[i]), phys_to_virt(roots[0]), USER_HALF);
	why = look_at_all(roots, pages);
	root_switch(kernel_root);
	for (i = 1; i < 4; i++)		/* the tables are root 0's */
		memset(phys_to_virt(roots[i]), 0, USER_HALF);
	pv.flush_all();
	for (i = 0; i < 4; i++)
		root_destroy(roots[i]);
	frame_put(frame);
	return why;
}

/* No Guest of this interface was ever told about SMEP or SMAP: its kernel may use and
 * even execute the pages of its processes. */
SELFTEST(user_code, "paging/the kernel executes a page of a process")
{
	u32 root, value;

	CHECK(enter_new_root(&root, 0xc3), "no memory");	/* ret */
	root_switch(root);
	asm volatile("call *%1" : "=a"(value) : "r"(USER_VA), "0"(0x1234));
	CHECK_EQUAL(value, 0x1234);
	*user = 0x90;
	CHECK_EQUAL(*user, 0x90);
	root_switch(kernel_root);
	root_destroy(root);
	return NULL;
}

/* Kernel pages look the same from every root, also those that change. */
SELFTEST(kernel_everywhere, "paging/a kernel page changes for every root")
{
	u32 root, a = frame_with(1), b = frame_with(2);

	CHECK(enter_new_root(&root, 9), "no memory");
	set_pte(VA, a | PTE_P | PTE_RW);
	CHECK_EQUAL(*scratch, 1);
	root_switch(root);
	CHECK_EQUAL(*scratch, 1);
	set_pte(VA, b | PTE_P | PTE_RW);
	pv.pte_changed(root, VA, 0);
	CHECK_EQUAL(*scratch, 2);
	root_switch(kernel_root);
	CHECK_EQUAL(*scratch, 2);
	unmap(VA);
	root_destroy(root);
	frame_put(a);
	frame_put(b);
	return NULL;
}
/*:*/

SELFTEST(much_memory, "paging/a thousand pages, each with its number")
{
	u32 i, frames[256];

	for (i = 0; i < 256; i++) {
		frames[i] = frame_with(i);
		set_pte(VA + i * PAGE_SIZE, frames[i] | PTE_P | PTE_RW);
		set_pte(VA + (i + 256) * PAGE_SIZE, frames[i] | PTE_P);
	}
	for (i = 0; i < 256; i++)
		scratch[i * 1024] += 1000;
	for (i = 0; i < 256; i++)
		CHECK(scratch[(i + 256) * 1024] == i + 1000, "page %u holds %u", i,
		      scratch[(i + 256) * 1024]);
	for (i = 0; i < 256; i++) {
		set_pte(VA + i * PAGE_SIZE, 0);
		set_pte(VA + (i + 256) * PAGE_SIZE, 0);
		frame_put(frames[i]);
	}
	pv.flush_all();
	try_read(VA + 77 * PAGE_SIZE);
	return expect_fault(VA + 77 * PAGE_SIZE, 0);
}
