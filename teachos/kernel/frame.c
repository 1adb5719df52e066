/* SPDX-License-Identifier: MIT */
/*G:300 Who owns this page?
 *
 * Memory comes in frames of 4 KiB, and each frame has a count of owners: after a
 * fork two processes own the same frame until one of them writes to it.  Nobody
 * left, and the frame goes to the front of the free list, to be handed out again
 * first.  That order matters more for a Guest than for a machine: a frame that was
 * used a moment ago is one that the Host has at hand already.
 *
 * A freed frame begins with junk.  Whoever still believes in it finds out soon, and not
 * on a rainy day in production.  Those that come back full of zeros (page tables that
 * were taken apart, entry by entry) have a list of their own: whoever wants zeros next is
 * spared a thousand stores.
 */
#include "kernel.h"

struct frame {
	u32 next, prev;		/* free: in a list, by number; NONE ends it */
	/* not free: next is a word for the owner, see frame_note() */
	u32 refs;		/* 0: free */
};

#define NONE 0u			/* frame 0 is never free: its address means "none" */

static struct frame *frames;
static u32 frame_count, free_count, usable_count;
static u32 free_head, clean_head;

static void free_push(u32 n, u32 *head)
{
	frames[n] = (struct frame){.next = *head, .prev = NONE};
	if (*head != NONE)
		frames[*head].prev = n;
	*head = n;
	free_count++;
}

static void free_remove(u32 n)
{
	struct frame *f = &frames[n];

	if (f->prev != NONE)
		frames[f->prev].next = f->next;
	else if (free_head == n)
		free_head = f->next;
	else
		clean_head = f->next;
	if (f->next != NONE)
		frames[f->next].prev = f->prev;
	free_count--;
	*f = (struct frame){.refs = 1};
}

static bool within(u32 n, u32 begin, u32 end)
{
	return n * PAGE_SIZE >= begin && n * PAGE_SIZE < end;
}

/*
 * first_free: the first physical byte after the kernel's image; the table of frames
 * is put there.  What lies between 4 KiB and 1 MiB is free as well: all of it in a Guest,
 * whose PC never had a BIOS, some of it on a real one.
 */
void frame_init(u32 first_free, u32 memory)
{
	u32 n, table_end;

	if (memory > DIRECT_MAX)
		memory = DIRECT_MAX;
	frame_count = memory / PAGE_SIZE;
	frames = phys_to_virt((first_free + PAGE_MASK) & ~PAGE_MASK);
	table_end = virt_to_phys(frames + frame_count);
	if (table_end > memory)
		panic("%u KiB of memory do not even hold the kernel", memory >> 10);
	memset(frames, 0, frame_count * sizeof(*frames));
	for (n = frame_count - 1; n > 0; n--) {
		if (within(n, boot_info.low_memory, table_end) ||
		    within(n, boot_info.ramdisk, boot_info.ramdisk + boot_info.ramdisk_size))
			frames[n].refs = 1;
		else
			free_push(n, &free_head);
	}
	frames[0].refs = 1;
	usable_count = free_count;
}

static struct frame *frame_of(u32 phys)
{
	u32 n = phys / PAGE_SIZE;

	if (n == 0 || n >= frame_count || (phys & PAGE_MASK) || !frames[n].refs)
		panic("frame 0x%x: %s", phys, n && n < frame_count ? "free or not aligned"
								    : "not ours to give");
	return &frames[n];
}

u32 frame_alloc(void)
{
	u32 n = free_head != NONE ? free_head : clean_head;

	if (n == NONE)
		return 0;
	free_remove(n);
	return n * PAGE_SIZE;
}

u32 frame_alloc_zeroed(void)
{
	u32 phys;

	if (clean_head != NONE) {
		phys = clean_head * PAGE_SIZE;
		free_remove(clean_head);
		return phys;
	}
	phys = frame_alloc();
	if (phys)
		memset(phys_to_virt(phys), 0, PAGE_SIZE);
	return phys;
}

void frame_get(u32 phys)
{
	frame_of(phys)->refs++;
}

void frame_put(u32 phys)
{
	if (--frame_of(phys)->refs)
		return;
#ifdef CONFIG_DEBUG
	memset(phys_to_virt(phys), JUNK_BYTE, JUNK_LENGTH);
#endif
	free_push(phys / PAGE_SIZE, &free_head);
}

void frame_put_zeroed(u32 phys)
{
	if (--frame_of(phys)->refs == 0)
		free_push(phys / PAGE_SIZE, &clean_head);
}

u32 *frame_note(u32 phys)
{
	return &frames[phys / PAGE_SIZE].next;
}

u32 frame_refs(u32 phys)
{
	return frames[phys / PAGE_SIZE].refs;
}

u32 frames_free(void)
{
	return free_count;
}

u32 frames_total(void)
{
	return usable_count;
}
/*:*/

/*G:305 Two pages in a row
 *
 * A kernel stack is two frames that must be neighbours.  A few stacks that were given
 * back are kept for the next process; only when there are none do we look for two
 * neighbours that are both free, from the top of memory down.  (The rings of a device on
 * PCI are three.)  Each of the frames can be given back by itself.
 */
u32 frame_alloc_run(u32 count)
{
	u32 last, n;

	for (last = frame_count - 1; last >= count; last = n - 1) {
		for (n = last; n > last - count && !frames[n].refs; n--)
			;
		if (n > last - count)
			continue;	/* this one is taken: go on below it */
		while (++n <= last)
			free_remove(n);
		return (last - count + 1) * PAGE_SIZE;
	}
	return 0;
}

#define SPARE_STACKS 8u

static void *spare_stacks;
static u32 spare_count;

void *kstack_alloc(void)
{
	u32 stack_phys;

	if (spare_stacks) {
		void *stack = spare_stacks;

		spare_stacks = *(void **)stack;
		spare_count--;
		return stack;
	}
	stack_phys = frame_alloc_run(KSTACK_SIZE / PAGE_SIZE);
	return stack_phys ? phys_to_virt(stack_phys) : NULL;
}

void kstack_free(void *base)
{
	if (spare_count == SPARE_STACKS) {
		frame_put(virt_to_phys(base));
		frame_put(virt_to_phys(base) + PAGE_SIZE);
		return;
	}
	*(void **)base = spare_stacks;
	spare_stacks = base;
	spare_count++;
}
/*:*/
