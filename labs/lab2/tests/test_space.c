/* SPDX-License-Identifier: MIT */
/*
 * 2.6 and 2.7: address spaces, made of frames that the test gives and counts.  Whenever the
 * Host is told something, the table has to say it already.
 */
#include "layout.h"

#include <sys/mman.h>

#define KERNEL_BASE 0xc0000000u
#define FIRST 0x20000000u		/* physical */
#define FRAMES 400u
#define PRESENT 1u
#define WRITE 2u
#define USER 4u
#define COW 0x200u
#define PAGE 4096u

static struct {
	u32 owners, zeroed_put;
} frame[FRAMES];
static u32 notes, told, flushed, batch, batches, left;

static u32 *at(u32 phys)
{
	return guest(KERNEL_BASE + phys);
}

static u32 number(u32 phys, const char *who)
{
	u32 n = (phys - FIRST) / PAGE;

	if (phys % PAGE || n >= FRAMES)
		fail_msg("%s(0x%x): that is no frame", who, phys);
	return n;
}

static u32 take(void)
{
	for (u32 n = 0; n < FRAMES && left; n++)
		if (!frame[n].owners) {
			left--;
			frame[n].owners = 1;
			frame[n].zeroed_put = 0;
			((u32 *)guest(notes))[n] = 0;
			memset(at(FIRST + n * PAGE), 0, PAGE);
			return FIRST + n * PAGE;
		}
	return 0;
}

static u32 frame_alloc_zeroed(const u32 *args) { (void)args; return take(); }
static u32 frame_get(const u32 *args) { frame[number(args[0], "frame_get")].owners++; return 0; }
static u32 frame_note(const u32 *args) { return notes + 4 * number(args[0], "frame_note"); }
static u32 put(u32 phys, const char *who)
{
	u32 n = number(phys, who);

	if (!frame[n].owners)
		fail_msg("%s(0x%x): nobody owns that frame any more", who, phys);
	if (!--frame[n].owners)
		memset(at(phys), 0xa5, PAGE);
	return 0;
}

static u32 frame_put(const u32 *args) { return put(args[0], "frame_put"); }
static u32 frame_put_zeroed(const u32 *args)
{
	for (u32 i = 0; i < PAGE / 4; i++)
		if (at(args[0])[i])
			fail_msg("frame_put_zeroed(0x%x): word %u is 0x%x", args[0], i,
				 at(args[0])[i]);
	frame[number(args[0], "frame_put_zeroed")].zeroed_put = 1;
	return put(args[0], "frame_put_zeroed");
}

static u32 top_slots[1024], root_told;
static u32 top_changed(const u32 *args)
{
	if (args[1] > 1023)
		fail_msg("top_changed(0x%x, %u): a table has 1024 entries", args[0], args[1]);
	root_told = args[0];
	top_slots[args[1]]++;
	if (at(args[0])[args[1]])
		fail_msg("the Host was told about entry %u before it was cleared: he reads the old "
			 "one again", args[1]);
	return 0;
}

static u32 *entry(u32 root, u32 va)
{
	u32 directory = at(root)[va >> 22];

	return directory & PRESENT ? &at(directory & ~0xfffu)[va >> 12 & 1023] : NULL;
}

static u32 pte_changed(const u32 *args)
{
	u32 *e = entry(args[0], args[1]);

	told++;
	if (!e || *e != args[2] || (*e & WRITE))
		fail_msg("the Host was told of 0x%x at 0x%x, but the table says 0x%x: the table "
			 "first", args[2], args[1], e ? *e : 0);
	return 0;
}

static u32 flush_user(const u32 *args) { (void)args; flushed++; return 0; }
static u32 batch_begin(const u32 *args)
{
	(void)args;
	if (batch)
		fail_msg("a batch inside a batch");
	batches++;
	return batch = 1;
}
static u32 batch_end(const u32 *args) { (void)args; return batch = 0; }
static u32 load_root(const u32 *args) { (void)args; return 0; }

static u32 kernel_root;

static void begin(void)
{
	if (mmap(at(FIRST), FRAMES * PAGE + PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		fail_msg("no memory");
	notes = KERNEL_BASE + FIRST + FRAMES * PAGE;
	memset(frame, 0, sizeof(frame));
	memset(top_slots, 0, sizeof(top_slots));
	told = flushed = batch = batches = 0;
	left = FRAMES;
	guest_on_call("frame_alloc_zeroed", frame_alloc_zeroed);
	guest_on_call("frame_get", frame_get);
	guest_on_call("frame_note", frame_note);
	guest_on_call("frame_put", frame_put);
	guest_on_call("frame_put_zeroed", frame_put_zeroed);
	guest_on_call("panic", panics);
	PV(top_changed) = guest_hook(top_changed);
	PV(pte_changed) = guest_hook(pte_changed);
	PV(flush_user) = guest_hook(flush_user);
	PV(batch_begin) = guest_hook(batch_begin);
	PV(batch_end) = guest_hook(batch_end);
	PV(load_root) = guest_hook(load_root);
	kernel_root = GUEST(u32, "kernel_root") = take();
	for (u32 i = 768; i < 1024; i++)
		at(kernel_root)[i] = i % 3 ? 0x00700063 + (i << 12) : 0;
	GUEST(u32, "current_root") = kernel_root;
}

static u32 new_root(void)
{
	u32 root = guest_call("root_create", 0);

	if (!root)
		fail_msg("root_create() gave nothing, with %u frames free", left);
	number(root, "root_create");
	for (u32 i = 0; i < 1024; i++)
		if (at(root)[i] != (i < 768 ? 0 : at(kernel_root)[i]))
			fail_msg("entry %u of a new root is 0x%x, expected 0x%x: %s", i, at(root)[i],
				 i < 768 ? 0 : at(kernel_root)[i], i < 768 ? "the user part is empty"
				 : "the kernel is the same for all");
	return root;
}

/* Maps a page of `flags`; -> its frame. */
static u32 page(u32 root, u32 va, u32 flags)
{
	u32 phys = take();

	if (!(guest_call("page_map", 4, root, va, phys, flags | USER) & 0xff))
		fail_msg("page_map() failed");
	return phys;
}

static u32 owned(void)
{
	u32 sum = 0;

	for (u32 n = 0; n < FRAMES; n++)
		sum += frame[n].owners != 0;
	return sum;
}

static void fresh(void **state)
{
	(void)state;
	begin();
	u32 a = new_root(), b = new_root();

	if (a == b || a == kernel_root)
		fail_msg("two address spaces have one root");
	left = 0;
	if (guest_call("root_create", 0))
		fail_msg("there was no frame left, and root_create() gave a root");
}

static void all_goes_back(void **state)
{
	(void)state;
	begin();
	u32 before = owned(), root = new_root(), shared;

	for (u32 i = 0; i < 40; i++)
		page(root, 0x08048000 + i * PAGE * (i % 2 ? 1 : 700), WRITE);
	shared = page(root, 0xbffff000, 0);
	frame[number(shared, "")].owners++;
	guest_call("root_destroy", 1, root);
	if (frame[number(shared, "")].owners != 1)
		fail_msg("a page that somebody else owns as well has %u owners, expected 1",
			 frame[number(shared, "")].owners);
	/* The root itself may be kept for the next one. */
	if (owned() > before + 2)
		fail_msg("%u frames are still owned, expected none", owned() - before - 2);
	root = new_root();
	guest_call("root_clear_user", 1, root);
	new_root();
}

static void told_of_each(void **state)
{
	(void)state;
	begin();
	u32 root = new_root();

	page(root, 0x00400000, WRITE);
	page(root, 0x00401000, WRITE);
	page(root, 0x08048000, 0);
	page(root, 0xbfc00000, WRITE);
	guest_call("root_destroy", 1, root);
	for (u32 i = 0; i < 1024; i++) {
		u32 expected = i == 1 || i == 0x20 || i == 0x2ff;

		if (top_slots[i] != expected)
			fail_msg("the Host was told %u times that slot %u is gone, expected %u: it "
				 "finds the root by its address when that is used again",
				 top_slots[i], i, expected);
	}
	if (root_told != root)
		fail_msg("the Host was told about root 0x%x, expected 0x%x", root_told, root);
}

static void again_and_again(void **state)
{
	(void)state;
	begin();
	u32 roots[12], before = owned();

	for (u32 round = 0; round < 6; round++) {
		for (u32 i = 0; i < 12; i++) {
			roots[i] = new_root();
			for (u32 k = 0; k < i; k++)
				if (roots[i] == roots[k])
					fail_msg("one root was given out twice");
			page(roots[i], 0x08048000 + (i << 22), WRITE);
			page(roots[i], i * PAGE, WRITE);
		}
		for (u32 i = 0; i < 12; i++)
			guest_call("root_destroy", 1, roots[i]);
		if (owned() > before + 8)
			fail_msg("after round %u %u roots are kept: at most 8 are spare", round + 1,
				 owned() - before);
	}
}

static void some_pages(u32 root, u32 count, u32 *frames)
{
	for (u32 i = 0; i < count; i++)
		frames[i] = page(root, 0x08048000 + i * PAGE * 3, i % 3 ? WRITE : 0);
}

static void both_share(void **state)
{
	u32 frames[30];

	(void)state;
	begin();
	u32 a = new_root(), b = new_root();

	GUEST(u32, "current_root") = a;
	some_pages(a, 30, frames);
	if (!(guest_call("root_fork", 2, a, b) & 0xff))
		fail_msg("root_fork() failed");
	for (u32 i = 0; i < 30; i++) {
		u32 va = 0x08048000 + i * PAGE * 3;
		u32 *one = entry(a, va), *other = entry(b, va);
		u32 expected = frames[i] | PRESENT | USER | (i % 3 ? COW : 0);

		if (!other || !(*other & PRESENT))
			fail_msg("the child has no page at 0x%x", va);
		if (*one != expected || *other != expected)
			fail_msg("page 0x%x, which was %s: parent 0x%x, child 0x%x, expected 0x%x", va,
				 i % 3 ? "writable" : "read-only", *one, *other, expected);
		if (frame[number(frames[i], "")].owners != 2)
			fail_msg("page 0x%x has %u owners, expected 2", va,
				 frame[number(frames[i], "")].owners);
	}
}

static void a_right_is_taken(void **state)
{
	(void)state;
	for (u32 count = 3; count <= 120; count += 9) {
		u32 frames[120];

		begin();
		u32 a = new_root(), b = new_root(), rights = count - (count + 2) / 3;

		GUEST(u32, "current_root") = a;
		some_pages(a, count, frames);
		guest_call("root_fork", 2, a, b);
		if (batch || batches != 1)
			fail_msg("%u batches, the last is %s; expected one, closed", batches,
				 batch ? "open" : "closed");
		if (rights <= 24 && (told != rights || flushed))
			fail_msg("%u pages lost their RW: the Host was told of %u and flushed %u times, "
				 "expected %u and 0", rights, told, flushed, rights);
		if (rights > 24 && flushed != 1)
			fail_msg("%u pages lost their RW: flushed %u times, expected once", rights,
				 flushed);
		if (told > 24)
			fail_msg("the Host was told of %u entries one by one, expected 24 at most", told);
	}
}

static void no_frame_left(void **state)
{
	u32 frames[30];

	(void)state;
	begin();
	u32 a = new_root(), b = new_root(), c = new_root();

	GUEST(u32, "current_root") = a;
	some_pages(a, 30, frames);
	if (!(guest_call("root_fork", 2, a, b) & 0xff))
		fail_msg("there was room for everything, and root_fork() said false");
	left = 0;
	if (guest_call("root_fork", 2, a, c) & 0xff)
		fail_msg("there was no frame for the child's tables, and root_fork() said true");
	if (batch)
		fail_msg("the batch is still open");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fresh), TEST(all_goes_back), TEST(told_of_each), TEST(again_and_again),
		TEST(both_share), TEST(a_right_is_taken), TEST(no_frame_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
