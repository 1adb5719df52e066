/* SPDX-License-Identifier: MIT */
/*D:400 A warehouse clerk with a tray
 *
 * A disk takes orders.  Each is a chain of buffers in the one queue: a form of 16 bytes
 * that says what is wanted, then the data, to be read by the device or to be filled by
 * it, and last of all a byte in which it says how it went.
 *
 *	type, 0, sector		16 bytes, the device reads
 *	data			whole sectors; it reads (WRITE) or writes (READ)
 *	status			1 byte, it writes: 0 well, 1 failed, 2 never heard of it
 *
 * Orders don't have to wait for each other.  We lay as many into the queue as it has
 * room for, and whoever wants one of them done sleeps; the interrupt says that some are
 * done, in any order, and wakes the right ones.  Only where nobody can sleep yet (at
 * boot, or with interrupts off) does somebody stand at the counter and look.
 *
 * The device's memory is ours: until the answer has come, neither the form nor the data
 * may be given to anybody else.  That is why who waits for a disk can't be killed until
 * it has answered.
 */
#include "virtio.h"

#define FEATURE_SEG_MAX	2
#define FEATURE_RO	5
#define FEATURE_FLUSH	9

#define CONFIG_CAPACITY	0u		/* u64, in sectors of 512 bytes */
#define CONFIG_SEG_MAX	12u		/* u32, data parts in one request */

enum { TYPE_READ = 0, TYPE_WRITE = 1, TYPE_FLUSH = 4, TYPE_GET_ID = 8 };
#define STATUS_NONE 0xff

struct block {
	struct disk disk;
	struct virtqueue vq;
	struct block *next;
	bool can_flush;
};

/* What travels with a request. */
struct order {
	struct {
		u32 type, priority;
		u64 sector;
	} form;
	volatile u8 status;
};
_Static_assert(sizeof(struct order) <= sizeof(((struct disk_request *)0)->driver), "fits");

static struct block *blocks;

/* Tells whoever waits, irqs off: an interrupt says that some are done, not how many. */
/* LAB 3.8 BEGIN: some are done */
static void collect(struct block *b)
{
	struct disk_request *r;
	bool any = false;
	u32 written;

	while ((r = virtqueue_get(&b->vq, &written)) != NULL) {
		struct order *order = (void *)r->driver;

		any = true;
		disk_done(r, order->status ? -EIO : 0);
	}
	if (any)
		wake(&b->vq);		/* there is room in the queue */
}
/* LAB 3.8 END */

/* Disks may share a line, so each is asked. */
static void block_interrupt(unsigned int irq)
{
	struct block *b;

	(void)irq;
	for (b = blocks; b; b = b->next)
		collect(b);
}

static void block_poll(struct disk *disk)
{
	collect(disk->driver);
}
/*:*/

/*D:410 An order is written */
/* Fills chain, with room for DISK_PARTS + 2, and what travels with r; how many it is. */
/* LAB 3.7 BEGIN: an order in three parts */
static u32 make_chain(struct disk_request *r, struct virtqueue_part *chain)
{
	static const u32 types[] = {
		[DISK_READ] = TYPE_READ, [DISK_WRITE] = TYPE_WRITE,
		[DISK_FLUSH] = TYPE_FLUSH, [DISK_ID] = TYPE_GET_ID,
	};
	struct order *order = (void *)r->driver;
	u32 n = 0, i;

	memset(order, 0, sizeof(*order));
	order->form.type = types[r->action];
	order->form.sector = r->sector;
	order->status = STATUS_NONE;
	chain[n++] = (struct virtqueue_part){&order->form, sizeof(order->form), false};
	for (i = 0; i < r->count; i++)
		chain[n++] = (struct virtqueue_part){r->part[i].memory, r->part[i].length,
						     r->action != DISK_WRITE};
	chain[n++] = (struct virtqueue_part){(void *)&order->status, 1, true};
	return n;
}
/* LAB 3.7 END */

/* If the queue is full: with interrupts on there is time to sleep until it is not, with
 * interrupts off nobody would wake us. */
/* LAB 3.9 BEGIN: an order is placed */
static void block_submit(struct disk *disk, struct disk_request *r)
{
	struct block *b = disk->driver;
	struct virtqueue_part chain[DISK_PARTS + 2];
	u32 n = make_chain(r, chain);
	bool irqs = irq_save();

	if (r->action == DISK_FLUSH && !b->can_flush) {
		disk_done(r, 0);	/* a device without it writes at once */
	} else {
		while (!virtqueue_add(&b->vq, chain, n, r)) {
			if (irqs)
				sleep_deaf(&b->vq);
			else
				collect(b);
		}
		virtqueue_kick(&b->vq);
	}
	irq_restore(irqs);
}
/* LAB 3.9 END */

static bool block_probe(struct virtio_device *dev)
{
	struct block *b = kmalloc(sizeof(*b));
	u64 capacity;
	u32 irq, segments;

	if (!b)
		return false;
	memset(b, 0, sizeof(*b));
	if (!virtio_config(dev, CONFIG_CAPACITY, &capacity, sizeof(capacity)) || !capacity ||
	    !virtio_queue(dev, 0, &b->vq, &irq) || b->vq.num < DISK_PARTS + 2 ||
	    ((dev->features & 1u << FEATURE_SEG_MAX) &&
	     (!virtio_config(dev, CONFIG_SEG_MAX, &segments, sizeof(segments)) ||
	      segments < DISK_PARTS))) {
		kfree(b);
		return false;
	}
	b->disk.sectors = capacity > 0xffffffff ? 0xffffffff : capacity;
	b->disk.read_only = dev->features & 1u << FEATURE_RO;
	b->disk.submit = block_submit;
	b->disk.poll = block_poll;
	b->disk.driver = b;
	b->can_flush = dev->features & 1u << FEATURE_FLUSH;
	b->next = blocks;
	blocks = b;
	irq_request(irq, block_interrupt);
	disk_add(&b->disk);
	return true;
}

const struct virtio_driver block_driver = {
	.type = LGUEST_DEV_BLOCK,
	.name = "disk",
	.features = 1u << FEATURE_SEG_MAX | 1u << FEATURE_RO | 1u << FEATURE_FLUSH,
	.probe = block_probe,
};
/*:*/
