/* SPDX-License-Identifier: MIT */
/* The other end of a virtqueue, made from the virtio specification (0.9.5, section 2.3) and
 * from nothing of TeachOS's.  It keeps the rules to the letter and expects the same: any
 * offence fails the test, with a sentence.  When and in which order it works is up to the
 * test, and where the rules leave it a choice it takes the one that hurts. */
#ifndef DEVICE_H
#define DEVICE_H

#include "test.h"

#define DEVICE_MOST 256u

struct device_part {
	u8 *at;
	u32 length;
	bool writable;			/* by the device */
};

struct device_chain {
	struct device_chain *next;	/* in the order of their coming */
	u32 head, count;
	u32 readable, writable;		/* bytes */
	u16 slot[DEVICE_MOST];
	u8 written_down[DEVICE_MOST][16];	/* the descriptors when we took it */
	struct device_part part[DEVICE_MOST];
};

struct device {
	u32 num;
	u8 *shared;			/* the ring, as the driver sees it */
	u8 *ring;			/* the same memory, and nobody watches us there */
	int memory;
	u16 seen, used;			/* avail and used indexes, as far as we are */
	struct device_chain *under_way;
	u32 count;			/* how many that is */
	bool taken[DEVICE_MOST];	/* this descriptor is in a chain that is under way */
	u32 kicks;
	bool silent;			/* NO_NOTIFY stands in the ring: do not kick */

	/* While watched: called at each access of the driver's to the ring.  offset: where in
	 * it.  Reads: before it sees anything; stores: after the store. */
	void (*reads)(struct device *d, u32 offset);
	void (*stored)(struct device *d, u32 offset);
};

/* A ring of num slots, all zero, as after a reset.  For setup and teardown. */
void device_begin(struct device *d, u32 num);
void device_end(struct device *d);

/* Takes all that is on offer and checks it; how many chains that was. */
u32 device_look(struct device *d);
/* The n-th of those under way, from the oldest, which is 0. */
struct device_chain *device_chain(struct device *d, u32 n);
/* Gives it back, and says that so many bytes were written.  c is gone. */
void device_finish(struct device *d, struct device_chain *c, u32 written);
/* A used entry out of thin air. */
void device_lie(struct device *d, u32 id, u32 written);
/* For struct virtqueue's kick(); the number is the low half of the ring's address. */
void device_kick(u32 value);
void device_silence(struct device *d, bool silent);

/* All bytes that the device may read of c, one after the other; how many.  And the reverse. */
u32 device_gather(const struct device_chain *c, void *to, u32 most);
void device_scatter(const struct device_chain *c, const void *from, u32 length);

/* Offsets in the ring, by the specification's formulas. */
static inline u32 avail_at(const struct device *d)
{
	return 16 * d->num;
}
static inline u32 used_at(const struct device *d)
{
	return (16 * d->num + 2 * (2 + d->num) + 2 + 4095) / 4096 * 4096;
}
u32 ring_get(const struct device *d, u32 offset, u32 bytes);
void ring_put(struct device *d, u32 offset, u32 bytes, u32 value);
#define AVAIL_FLAGS(d) avail_at(d)
#define AVAIL_INDEX(d) (avail_at(d) + 2)
#define AVAIL_RING(d, i) (avail_at(d) + 4 + 2 * ((i) % (d)->num))
#define USED_FLAGS(d) used_at(d)
#define USED_INDEX(d) (used_at(d) + 2)
#define USED_RING(d, i) (used_at(d) + 4 + 8 * ((i) % (d)->num))

/* From now on each access of the driver's is seen (reads(), stored()). */
void device_watch(struct device *d);
void device_watch_no_more(void);
/* Between these two each instruction is looked at as well: did it order loads after stores
 * (a locked instruction, xchg with memory, mfence) before the driver first read at offset?
 * 1: yes; 0: no; -1: it did not read there at all. */
void fence_watch(struct device *d, u32 offset);
int fence_seen(void);

/* RAM: what a physical address may mean.  What the program has in static variables is. */
void ram_is(const void *memory, u32 length);
void ram_forget(void);

/* From now on the test may use that much of the processor's time, and then has hung: such a
 * loop looks at nothing that we could see.  0: as much as it likes. */
void hangs_after(u32 seconds);

/* Fails the running test, with a sentence. */
#define broken(...) broken_at(__FILE__, __LINE__, __VA_ARGS__)
void broken_at(const char *file, int line, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));

#endif
