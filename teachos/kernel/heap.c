/* SPDX-License-Identifier: MIT */
/*G:306 Small change
 *
 * Objects smaller than a page share one.  Each page holds objects of one size,
 * begins with a note that says which, and the free ones are strung on a list that
 * runs through the objects themselves.  So kfree() needs no size: it rounds the
 * address down to the page and reads the note.  The few that are larger have pages
 * of their own, in a row, and the same note at the top of the first.
 */
#include "kernel.h"

#define SMALLEST_SHIFT	5		/* 32 bytes */
#define CLASSES		6		/* 32 .. 1024 */
#define LARGEST		2032u		/* and two to a page */
#define LARGE		(CLASSES + 1)	/* slab.class of an object with pages of its own */
#define LARGE_MOST	65520u
#define SLAB_MAGIC	0x51ab51abu

struct slab {
	u32 magic, size, class, unused;	/* 16 bytes: objects stay aligned to 16 */
};

static void *free_objects[CLASSES + 1];

static u32 class_of(u32 size)
{
	u32 class = 0;

	while (class < CLASSES && size > 1u << (SMALLEST_SHIFT + class))
		class++;
	return class;
}

static bool slab_grow(u32 class)
{
	u32 size = class == CLASSES ? LARGEST : 1u << (SMALLEST_SHIFT + class), at;
	u32 phys = frame_alloc();
	struct slab *slab = phys_to_virt(phys);

	if (!phys)
		return false;
	*slab = (struct slab){.magic = SLAB_MAGIC, .size = size, .class = class};
	for (at = sizeof(*slab); at + size <= PAGE_SIZE; at += size) {
		void **object = (void **)((u8 *)slab + at);

		*object = free_objects[class];
		free_objects[class] = object;
	}
	return true;
}

static u32 pages_of(u32 size)
{
	return (sizeof(struct slab) + size + PAGE_MASK) / PAGE_SIZE;
}

static void *large_alloc(u32 size)
{
	u32 phys = frame_alloc_run(pages_of(size));
	struct slab *slab = phys_to_virt(phys);

	if (!phys)
		return NULL;
	*slab = (struct slab){.magic = SLAB_MAGIC, .size = size, .class = LARGE};
	return slab + 1;
}

static void large_free(struct slab *slab)
{
	u32 pages = pages_of(slab->size);

	slab->magic = 0;
	while (pages--)
		frame_put(virt_to_phys(slab) + pages * PAGE_SIZE);
}

void *kmalloc(u32 size)
{
	u32 class = class_of(size);
	void **object;

	ASSERT(size <= LARGE_MOST);
	if (size > LARGEST)
		return large_alloc(size);
	if (!free_objects[class] && !slab_grow(class))
		return NULL;
	object = free_objects[class];
	free_objects[class] = *object;
	return object;
}

void kfree(void *object)
{
	struct slab *slab = (struct slab *)((u32)object & ~PAGE_MASK);

	if (!object)
		return;
	if (slab->magic != SLAB_MAGIC)
		panic("kfree(%p): no object of ours", object);
	if (slab->class == LARGE) {
		large_free(slab);
		return;
	}
#ifdef CONFIG_DEBUG
	memset(object, JUNK_BYTE, slab->size < JUNK_LENGTH ? slab->size : JUNK_LENGTH);
#endif
	*(void **)object = free_objects[slab->class];
	free_objects[slab->class] = object;
}
/*:*/
