/* SPDX-License-Identifier: MIT */
/*
 * 2.6 and 2.7, where no student looks: address spaces come, fork and go, and beside them
 * there is a Host with a good memory.  He looks at whatever he likes, at any moment, and
 * forgets only what he was told to.  So whatever he still remembers has to be true: the same
 * frame, and no right that the tables do not give.  And each frame has as many owners as there
 * are entries that name it.
 */
#include "../../tests/layout.h"

#include <sys/mman.h>

#define KERNEL_BASE	0xc0000000u
#define FIRST		0x30000000u		/* physical */
#define FRAMES		900u
#define PAGE		4096u
#define PRESENT		1u
#define WRITE		2u
#define USER		4u
#define COW		0x200u
#define SPACES		10u
#define ADDRESSES	48u
#define SPARE		8u

static u32 owners[FRAMES], notes, left, batch, kernel_root;

/* What should be: for each space and address the entry, 0: no page. */
static struct space {
	u32 root, entry[ADDRESSES];
} space[SPACES];
static u32 address[ADDRESSES];

/* What the Host remembers, by root: the entry as he saw it. */
static struct memory {
	u32 root, va, entry;
} remembers[4096];
static u32 memories;

static u32 *at(u32 phys)
{
	return guest(KERNEL_BASE + phys);
}

static u32 number(u32 phys, const char *who)
{
	u32 n = (phys - FIRST) / PAGE;

	if (phys % PAGE || n >= FRAMES || !owners[n])
		fail_msg("%s(0x%x): that is no frame, or nobody's", who, phys);
	return n;
}

static u32 take(void)
{
	u32 n = random32() % FRAMES, tries = 0;

	if (!left)
		return 0;
	while (owners[n] && tries++ < FRAMES)
		n = (n + 1) % FRAMES;
	assert_true(tries < FRAMES);
	left--;
	owners[n] = 1;
	((u32 *)guest(notes))[n] = 0;
	memset(at(FIRST + n * PAGE), 0, PAGE);
	return FIRST + n * PAGE;
}

static u32 frame_alloc_zeroed(const u32 *args) { (void)args; return take(); }
static u32 frame_get(const u32 *args) { owners[number(args[0], "frame_get")]++; return 0; }
static u32 frame_note(const u32 *args) { return notes + 4 * number(args[0], "frame_note"); }

static u32 frame_put(const u32 *args)
{
	u32 n = number(args[0], "frame_put");

	if (!--owners[n]) {
		memset(at(args[0]), 0xa5, PAGE);
		left++;
	}
	return 0;
}

static u32 frame_put_zeroed(const u32 *args)
{
	for (u32 i = 0; i < PAGE / 4; i++)
		if (at(args[0])[i])
			fail_msg("frame_put_zeroed(0x%x): word %u is 0x%x", args[0], i,
				 at(args[0])[i]);
	return frame_put(args);
}

static u32 panic(const u32 *args)
{
	fail_msg("panic: %s", (char *)guest(args[0]));
	return 0;
}

/* ---- The Host ------------------------------------------------------------------------- */

static u32 *entry(u32 root, u32 va)
{
	u32 directory = at(root)[va >> 22];

	return directory & PRESENT ? &at(directory & ~0xfffu)[va >> 12 & 1023] : NULL;
}

static void forget(u32 root, u32 from, u64 to)
{
	for (u32 i = 0; i < memories;)
		if (remembers[i].root == root && remembers[i].va >= from && remembers[i].va < to)
			remembers[i] = remembers[--memories];
		else
			i++;
}

static void look_at(u32 root, u32 va)
{
	u32 *e = entry(root, va);

	if (!e || !(*e & PRESENT) || memories == 4096)
		return;
	forget(root, va, (u64)va + 1);
	remembers[memories++] = (struct memory){ root, va, *e };
}

static bool alive(u32 root)
{
	for (u32 i = 0; i < SPACES; i++)
		if (space[i].root == root)
			return true;
	return false;
}

static void all_true(const char *when)
{
	for (u32 i = 0; i < memories; i++) {
		const struct memory *m = &remembers[i];
		u32 *e = alive(m->root) ? entry(m->root, m->va) : NULL;

		if (!alive(m->root))
			fail_msg("%s: root 0x%x is gone, and the Host was not told of its slot %u: who "
				 "gets that frame next gets its pages", when, m->root, m->va >> 22);
		if (!e || !(*e & PRESENT) || (*e ^ m->entry) >> 12)
			fail_msg("%s: the Host still has 0x%x for 0x%x; the table says 0x%x", when,
				 m->entry, m->va, e ? *e : 0);
		if ((m->entry & WRITE) && !(*e & WRITE))
			fail_msg("%s: page 0x%x is writable for the Host and not in the table: nobody "
				 "told him", when, m->va);
	}
}

static u32 top_changed(const u32 *args)
{
	u32 slot = args[1];

	if (slot > 767 || at(args[0])[slot])
		fail_msg("top_changed(0x%x, %u): the entry first, then the Host", args[0], slot);
	forget(args[0], slot << 22, ((u64)slot + 1) << 22);
	return 0;
}

/* He forgets, and at once somebody touches the page: he reads what the table says now. */
static u32 pte_changed(const u32 *args)
{
	forget(args[0], args[1], (u64)args[1] + 1);
	look_at(args[0], args[1]);
	return 0;
}

static u32 flush_user(const u32 *args)
{
	(void)args;
	forget(GUEST(u32, "current_root"), 0, KERNEL_BASE);
	return 0;
}

static u32 batch_begin(const u32 *args) { (void)args; return batch++; }
static u32 batch_end(const u32 *args) { (void)args; return batch--; }
static u32 load_root(const u32 *args) { (void)args; return 0; }

/* ---- What should be --------------------------------------------------------------------- */

static void as_it_should(const char *when)
{
	static u32 should[FRAMES];
	u32 tables = 0, sum = 0, total = 0, spare;

	if (batch)
		fail_msg("%s: a batch is open", when);
	memset(should, 0, sizeof(should));
	for (u32 s = 0; s < SPACES; s++) {
		u32 root = space[s].root;

		if (!root)
			continue;
		for (u32 i = 0; i < 768; i++)
			if (at(root)[i] & PRESENT) {
				tables++;
				should[number(at(root)[i] & ~0xfffu, when)]++;
			}
		for (u32 i = 768; i < 1024; i++)
			if (at(root)[i] != at(kernel_root)[i])
				fail_msg("%s: entry %u of root 0x%x is not the kernel's", when, i, root);
		for (u32 k = 0; k < ADDRESSES; k++) {
			u32 *e = entry(root, address[k]), got = e ? *e : 0;

			if (got != space[s].entry[k])
				fail_msg("%s: space %u has 0x%x for 0x%x, expected 0x%x", when, s, got,
					 address[k], space[s].entry[k]);
			if (got)
				should[number(got & ~0xfffu, when)]++;
		}
		should[number(root, when)]++;
	}
	should[number(kernel_root, when)]++;
	for (u32 n = 0; n < FRAMES; n++) {
		/* Roots that are kept have one owner that we do not see. */
		if (owners[n] != should[n] && !(owners[n] == 1 && !should[n]))
			fail_msg("%s: frame 0x%x has %u owners, and %u entries name it", when,
				 FIRST + n * PAGE, owners[n], should[n]);
		sum += owners[n] != 0;
		total += should[n] != 0;
	}
	spare = sum - total;
	if (spare > SPARE)
		fail_msg("%s: %u frames are nobody's, and not free; at most %u roots are kept", when,
			 spare, SPARE);
	all_true(when);
}

static struct space *some(bool there)
{
	u32 s = random32() % SPACES;

	for (u32 i = 0; i < SPACES; i++, s = (s + 1) % SPACES)
		if (!space[s].root == !there)
			return &space[s];
	return NULL;
}

static void create(struct space *s)
{
	*s = (struct space){ .root = guest_call("root_create", 0) };
	number(s->root, "root_create");
	for (u32 i = 0; i < 768; i++)
		if (at(s->root)[i])
			fail_msg("entry %u of a new root is 0x%x, expected 0", i, at(s->root)[i]);
}

static void use(struct space *s)
{
	GUEST(u32, "current_root") = s->root;
}

static void map(struct space *s)
{
	u32 k = random32() % ADDRESSES, flags = USER | (random32() & WRITE), phys;

	if (s->entry[k])
		return;
	phys = take();
	if (!(guest_call("page_map", 4, s->root, address[k], phys, flags) & 0xff))
		fail_msg("page_map() failed");
	s->entry[k] = phys | flags | PRESENT;
}

static void fork_it(struct space *from, struct space *to)
{
	use(from);
	create(to);
	if (!(guest_call("root_fork", 2, from->root, to->root) & 0xff))
		fail_msg("root_fork() said false, and there is memory");
	for (u32 k = 0; k < ADDRESSES; k++) {
		if (from->entry[k] & WRITE)
			from->entry[k] = (from->entry[k] & ~WRITE) | COW;
		to->entry[k] = from->entry[k];
	}
}

static void leave(struct space *s)
{
	struct space *other = some(true);

	if (GUEST(u32, "current_root") == s->root)
		GUEST(u32, "current_root") = other && other != s ? other->root : kernel_root;
}

static void begin(void **state)
{
	(void)state;
	if (mmap(at(FIRST), FRAMES * PAGE + PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		fail_msg("no memory");
	notes = KERNEL_BASE + FIRST + FRAMES * PAGE;
	left = FRAMES;
	guest_on_call("frame_alloc_zeroed", frame_alloc_zeroed);
	guest_on_call("frame_get", frame_get);
	guest_on_call("frame_note", frame_note);
	guest_on_call("frame_put", frame_put);
	guest_on_call("frame_put_zeroed", frame_put_zeroed);
	guest_on_call("panic", panic);
	PV(top_changed) = guest_hook(top_changed);
	PV(pte_changed) = guest_hook(pte_changed);
	PV(flush_user) = guest_hook(flush_user);
	PV(batch_begin) = guest_hook(batch_begin);
	PV(batch_end) = guest_hook(batch_end);
	PV(load_root) = guest_hook(load_root);
	kernel_root = GUEST(u32, "kernel_root") = take();
	for (u32 i = 768; i < 1024; i++)
		at(kernel_root)[i] = random32() % 3 ? random32() | PRESENT : 0;
	GUEST(u32, "current_root") = kernel_root;
	/* Some near each other, some alone, the first and the last there is. */
	for (u32 k = 0; k < ADDRESSES; k++)
		address[k] = k < 8 ? 0x08048000 + k * PAGE : k == 8 ? 0 : k == 9 ? 0xbffff000 :
			     (k * 0x07c21000 + 0x00345000) % 0xbf000000;
}

static void turn(u32 what)
{
	struct space *s = some(true), *fresh = some(false);

	if (!s || (what < 15 && fresh)) {
		create(fresh);
		as_it_should("root_create()");
	} else if (what < 55) {
		map(s);
	} else if (what < 70 && fresh) {
		/* The Host saw some of it with its rights. */
		for (u32 k = 0; k < ADDRESSES; k++)
			if (random32() & 1)
				look_at(s->root, address[k]);
		fork_it(s, fresh);
		as_it_should("root_fork()");
	} else if (what < 76) {
		guest_call("root_clear_user", 1, s->root);
		memset(s->entry, 0, sizeof(s->entry));
		as_it_should("root_clear_user()");
	} else if (what < 86) {
		leave(s);
		guest_call("root_destroy", 1, s->root);
		s->root = 0;
		as_it_should("root_destroy()");
	} else {
		use(s);
	}
	for (u32 k = 0; k < 6; k++) {
		s = some(true);
		if (s)
			look_at(s->root, address[random32() % ADDRESSES]);
	}
}

static void a_good_memory(void **state)
{
	begin(state);
	for (u32 i = 0; i < 1200; i++)
		turn(random32() % 100);
	GUEST(u32, "current_root") = kernel_root;
	for (u32 s = 0; s < SPACES; s++)
		if (space[s].root) {
			guest_call("root_destroy", 1, space[s].root);
			space[s].root = 0;
		}
	as_it_should("the end");
}

/* Parents with as many pages as they can have, most of them writable, and children's children. */
static void families(void **state)
{
	begin(state);
	for (u32 round = 0; round < 60; round++) {
		create(&space[0]);
		for (u32 i = 0; i < 10 + 4 * (round % 30); i++)
			map(&space[0]);
		for (u32 s = 1; s < 5; s++) {
			u32 parent = random32() % s;

			for (u32 k = 0; k < ADDRESSES; k++)
				look_at(space[parent].root, address[k]);
			fork_it(&space[parent], &space[s]);
			for (u32 i = 0; i < 6; i++)
				map(&space[s]);
			as_it_should("root_fork()");
		}
		GUEST(u32, "current_root") = kernel_root;
		for (u32 s = 0; s < 5; s++) {
			guest_call("root_destroy", 1, space[s].root);
			space[s].root = 0;
			as_it_should("root_destroy()");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(a_good_memory), TEST(families) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
