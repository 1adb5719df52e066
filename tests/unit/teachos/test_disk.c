// SPDX-License-Identifier: MIT
/* teachos/drivers/virtio_block.c, with a disk of the specification's (virtio 0.9.5, appendix
 * D) on the other side: it takes orders as they come, and fills them as it likes. */
#include "around.h"

#define NUM 64u
#define SECTORS 256u
#define SECTOR 512u

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8 };	/* appendix D, "Device Operation" */
#define HEADER 16u

static struct device *const d = &queues[0];
static u8 platter[SECTORS * SECTOR];
static u8 page[16][4096];
static u32 orders[16];			/* filled, by type */
static u8 says;				/* the status of whatever it does */
static struct disk *vda;

/* Carries out the order c and gives it back.  Everything about it is checked. */
static void fill(struct device_chain *c)
{
	static u8 message[65536];
	u32 length = device_gather(c, message, sizeof(message)), type, zero, data, writes;
	u64 sector;
	u8 answer[65536];

	if (length < HEADER || c->part[0].length != HEADER || c->part[0].writable)
		broken("an order begins with 16 bytes for the device to read; this one has %u",
		       c->part[0].writable ? 0 : c->part[0].length);
	if (c->count < 2 || c->part[c->count - 1].length != 1 || !c->part[c->count - 1].writable)
		broken("an order ends with one byte for the device to write; this one with %u %s",
		       c->part[c->count - 1].length,
		       c->part[c->count - 1].writable ? "to write" : "to read");
	memcpy(&type, message, 4);
	memcpy(&zero, message + 4, 4);
	memcpy(&sector, message + 8, 8);
	data = length - HEADER;
	writes = c->writable - 1;
	if (zero)
		broken("bytes 4 to 7 of an order are 0x%x, expected 0", zero);
	if (type != IN && type != OUT && type != FLUSH && type != GET_ID)
		broken("an order of type %u", type);
	if (type != OUT && data)
		broken("%u bytes for the device to read, in an order of type %u", data, type);
	if (type == OUT && writes)
		broken("a WRITE has %u bytes for the device to write into", writes);
	if ((type == IN || type == OUT) &&
	    (!(data + writes) || (data + writes) % SECTOR || sector > SECTORS ||
	     (data + writes) / SECTOR > SECTORS - sector))
		broken("%u bytes at sector %llu; the disk has %u sectors of %u bytes", data + writes,
		       (unsigned long long)sector, SECTORS, SECTOR);
	if (type == GET_ID && writes != 20)
		broken("%u bytes for a name of 20", writes);
	if (type == FLUSH && writes)
		broken("a FLUSH with %u bytes", writes);
	if (*c->part[c->count - 1].at != 0xff)
		broken("before anybody has written it, the status is %u; expected 255, which is no "
		       "answer", *c->part[c->count - 1].at);
	orders[type]++;
	if (type == OUT)
		memcpy(platter + sector * SECTOR, message + HEADER, data);
	memset(answer, 0, sizeof(answer));
	if (type == IN)
		memcpy(answer, platter + sector * SECTOR, writes);
	if (type == GET_ID)
		memcpy(answer, "a disk of the test's", 20);
	answer[writes] = says;
	device_scatter(c, answer, writes + 1);
	device_finish(d, c, writes + 1);
}

static void interrupt(void)
{
	raise_irq(IRQ_OF_QUEUE(0));
}

/* Somebody sleeps: the disk does one thing, any, and then says so. */
static bool works(void)
{
	device_look(d);
	if (!d->count)
		return false;
	fill(device_chain(d, below(d->count)));
	interrupt();
	return true;
}

static void add_disk(u32 features)
{
	struct virtio_device dev = {.type = LGUEST_DEV_BLOCK};
	u64 capacity = SECTORS;
	u32 segments = 60;

	memset(config, 0, sizeof(config));
	memcpy(config, &capacity, 8);
	memcpy(config + 12, &segments, 4);
	config_length = 16;
	dev.features = features & block_driver.features;
	if (!block_driver.probe(&dev) || !disks)
		broken("probe() says that this disk can't be used");
	vda = disk[disks - 1];
}

#define HAS_FLUSH (1u << 9)

static int set_up(void **state)
{
	u32 i;

	(void)state;
	around_begin(1, NUM);
	memset(orders, 0, sizeof(orders));
	says = 0;
	for (i = 0; i < sizeof(platter); i++)
		platter[i] = (u8)(i / SECTOR * 17 + i % 251);
	add_disk(HAS_FLUSH);
	goes_on = works;
	around_ready();
	return 0;
}

static void submit(struct disk_request *r)
{
	bool before = irqs_on;

	r->status = -EINPROGRESS;
	memset(r->driver, 0xa5, sizeof(r->driver));
	vda->submit(vda, r);
	if (irqs_on != before)
		broken("interrupts were %s, and are %s after submit()", before ? "on" : "off",
		       irqs_on ? "on" : "off");
}

/* parts pieces of so many bytes each, from page first on. */
static struct disk_request request(enum disk_action action, u32 sector, u32 parts, u32 bytes,
				   u32 first)
{
	struct disk_request r = {.action = action, .sector = sector, .count = parts};
	u32 i;

	for (i = 0; i < parts; i++) {
		r.part[i].memory = page[first + i];
		r.part[i].length = bytes;
	}
	return r;
}

static void finish(struct disk_request *r)
{
	u32 most = 1000;

	while (r->status == -EINPROGRESS && most--)
		if (!works())
			break;
	if (r->status == -EINPROGRESS)
		broken("the disk has done all that it was told, and the request is not done");
}

/* The disk says that it went well; so does the driver. */
static void finish_well(struct disk_request *r)
{
	finish(r);
	if (r->status)
		broken("the disk has done it and says 0, and the request ends with %d: is the byte that "
		       "the device writes the one in r->driver that collect() looks at?", r->status);
}

/* A request's form travels in it: it lies in memory that a device may see. */
static struct disk_request slot[64];

/* ---- 3.7: an order ----------------------------------------------------------------------- */

static void reads(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 20; i++) {
		u32 sector = below(SECTORS - 8);

		memset(page, 0xee, sizeof(page));
		slot[0] = request(DISK_READ, sector, 1, SECTOR * (1 + i % 8), 0);
		submit(&slot[0]);
		finish_well(&slot[0]);
		if (memcmp(page[0], platter + sector * SECTOR, slot[0].part[0].length))
			broken("sector %u was read, but its bytes are not what is there", sector);
		if (slot[0].part[0].length < 4096 && page[0][slot[0].part[0].length] != 0xee)
			broken("more was read than was asked for");
	}
	assert_int_equal(orders[IN], 20);
}

static void writes(void **state)
{
	u32 i, k;

	(void)state;
	for (i = 0; i < 20; i++) {
		static u8 expected[sizeof(platter)];
		u32 sector = below(SECTORS - 8), bytes = SECTOR * (1 + i % 8);

		for (k = 0; k < 4096; k++)
			page[0][k] = (u8)random32();
		memcpy(expected, platter, sizeof(platter));
		memcpy(expected + sector * SECTOR, page[0], bytes);
		slot[0] = request(DISK_WRITE, sector, 1, bytes, 0);
		submit(&slot[0]);
		finish_well(&slot[0]);
		if (memcmp(platter, expected, sizeof(platter)))
			broken("%u bytes were written at sector %u, and the disk looks different", bytes,
			       sector);
	}
	assert_int_equal(orders[OUT], 20);
}

static void in_pieces(void **state)
{
	u32 parts, i, at;

	(void)state;
	for (parts = 1; parts <= 16; parts++) {
		memset(page, 0xee, sizeof(page));
		slot[0] = request(DISK_READ, parts, parts, 0, 0);
		for (i = 0; i < parts; i++)
			slot[0].part[i].length = SECTOR * (1 + i % 3);
		submit(&slot[0]);
		device_look(d);
		if (device_chain(d, 0)->count != parts + 2)
			broken("%u pieces of memory make a chain of %u, expected %u", parts,
			       device_chain(d, 0)->count, parts + 2);
		finish(&slot[0]);
		for (i = 0, at = parts * SECTOR; i < parts; at += slot[0].part[i++].length)
			if (memcmp(page[i], platter + at, slot[0].part[i].length))
				broken("piece %u of %u is not what is on the disk", i, parts);
	}
}

static void name_and_flush(void **state)
{
	(void)state;
	slot[0] = request(DISK_ID, 0, 1, 20, 0);
	submit(&slot[0]);
	finish(&slot[0]);
	if (memcmp(page[0], "a disk of the test's", 20))
		broken("the disk's name is '%.20s'", (char *)page[0]);
	slot[0] = request(DISK_FLUSH, 0, 0, 0, 0);
	submit(&slot[0]);
	finish(&slot[0]);
	if (orders[GET_ID] != 1 || orders[FLUSH] != 1)
		broken("the disk got %u GET_IDs and %u FLUSHes, expected one of each",
		       orders[GET_ID], orders[FLUSH]);
	/* What an earlier order has left behind in it does no harm. */
	slot[0].action = DISK_READ;
	slot[0].sector = 7;
	slot[0].count = 1;
	slot[0].part[0].memory = page[0];
	slot[0].part[0].length = 512;
	submit(&slot[0]);
	finish(&slot[0]);
	assert_memory_equal(page[0], platter + 7 * SECTOR, 512);
}

/* ---- 3.8: some are done -------------------------------------------------------------------- */

static void out_of_order(void **state)
{
	u32 i, round, done;

	(void)state;
	random_start("out_of_order");
	for (round = 0; round < 200; round++) {
		for (i = 0; i < 10; i++) {
			slot[i] = request(DISK_READ, below(SECTORS), 1, SECTOR, i);
			submit(&slot[i]);
		}
		device_look(d);
		for (done = 0; done < 10; done++) {
			struct device_chain *c = device_chain(d, below(d->count));
			u8 *at = c->part[1].at;

			fill(c);
			interrupt();
			for (i = 0; i < 10; i++)
				if (slot[i].part[0].memory == at && slot[i].status)
					broken("an order was filled, but its request is not done");
		}
		for (i = 0; i < 10; i++)
			if (memcmp(page[i], platter + slot[i].sector * SECTOR, SECTOR))
				broken("request %u of 10 got somebody else's sector", i);
	}
}

static void one_interrupt_for_many(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 10; i++) {
		slot[i] = request(DISK_READ, i, 1, SECTOR, i);
		submit(&slot[i]);
	}
	device_look(d);
	for (i = 0; i < 10; i++)
		fill(device_chain(d, d->count - 1));
	interrupt();
	for (i = 0; i < 10; i++)
		if (slot[i].status)
			broken("ten were done, then came one interrupt: request %u still waits", i);
}

static void false_alarm(void **state)
{
	u32 i;

	(void)state;
	wakes = 0;
	for (i = 0; i < 5; i++)
		interrupt();
	if (wakes)
		broken("an interrupt came, nothing was done, and %u were woken", wakes);
	slot[0] = request(DISK_READ, 0, 1, SECTOR, 0);
	submit(&slot[0]);
	interrupt();
	if (slot[0].status != -EINPROGRESS)
		broken("an interrupt came, and the request counts as done; the disk has not begun");
	finish(&slot[0]);
}

static void bad_status(void **state)
{
	static const u8 bad[] = {1, 2, 77, 255};
	u32 i;

	(void)state;
	for (i = 0; i < sizeof(bad); i++) {
		says = bad[i];
		slot[0] = request(DISK_READ, 1, 1, SECTOR, 0);
		submit(&slot[0]);
		finish(&slot[0]);
		if (slot[0].status != -EIO)
			broken("the disk says status %u, the request ends with %d, expected -EIO", says,
			       slot[0].status);
	}
}

/* A device that says "done" and has not touched the status byte. */
static void says_nothing(void **state)
{
	(void)state;
	slot[0] = request(DISK_READ, 1, 1, SECTOR, 0);
	submit(&slot[0]);
	device_look(d);
	device_finish(d, device_chain(d, 0), 0);
	interrupt();
	if (slot[0].status != -EIO)
		broken("the disk gave it back without an answer; the request ends with %d, expected "
		       "-EIO", slot[0].status);
}

/* ---- 3.9: an order is placed ---------------------------------------------------------------- */

static void kicks(void **state)
{
	u32 i;

	(void)state;
	for (i = 1; i <= 10; i++) {
		slot[0] = request(DISK_READ, 0, 8, 1024, 0);
		submit(&slot[0]);
		if (d->kicks != i)
			broken("%u requests of 10 descriptors each, and %u kicks", i, d->kicks);
		if (!device_look(d))
			broken("submit() came back, but nothing is on offer");
		finish(&slot[0]);
	}
}

/* More than there is room for.  With interrupts on we can sleep until some are done. */
static void full_and_sleeps(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 64; i++) {
		slot[i] = request(i % 3 ? DISK_READ : DISK_WRITE, i, 1 + i % 8, SECTOR, i % 8);
		submit(&slot[i]);
	}
	if (!sleeps)
		broken("64 requests in a ring of 64 descriptors, and nobody had to wait");
	for (i = 0; i < 64; i++)
		finish(&slot[i]);
	assert_int_equal(orders[IN] + orders[OUT], 64);
}

/* With interrupts off nobody would wake us: we look for ourselves. */
static void fills_at_a_look(struct device *dev, u32 offset)
{
	if (offset != USED_INDEX(dev))
		return;
	device_look(dev);
	if (dev->count)
		fill(device_chain(dev, below(dev->count)));
}

static void full_and_looks(void **state)
{
	u32 i;

	(void)state;
	irqs_on = false;
	goes_on = NULL;
	d->reads = fills_at_a_look;
	device_watch(d);
	for (i = 0; i < 64; i++) {
		slot[i] = request(DISK_READ, i, 1 + i % 8, SECTOR, i % 8);
		submit(&slot[i]);
	}
	for (i = 0; i < 1000 && orders[IN] < 64; i++)
		vda->poll(vda);
	vda->poll(vda);
	device_watch_no_more();
	for (i = 0; i < 64; i++)
		if (slot[i].status)
			broken("request %u of 64 ends with %d", i, slot[i].status);
	if (sleeps)
		broken("sleeps, and interrupts were off");
}

/* A disk that did not offer FLUSH writes at once, and must not be asked. */
static void no_flush(void **state)
{
	(void)state;
	device_end(d);
	device_begin(d, NUM);
	add_disk(0);
	slot[0] = request(DISK_FLUSH, 0, 0, 0, 0);
	submit(&slot[0]);
	if (device_look(d))
		broken("FLUSH was not offered, and is asked for");
	if (slot[0].status)
		broken("FLUSH was not offered: the request ends with %d, expected 0",
		       slot[0].status);
	slot[1] = request(DISK_READ, 3, 1, SECTOR, 0);
	submit(&slot[1]);
	finish(&slot[1]);
	assert_int_equal(slot[1].status, 0);
}

/* The interrupt comes while another order is being written down. */
static u32 hurry;

static void interrupts_at_a_store(struct device *dev, u32 offset)
{
	if (offset != AVAIL_INDEX(dev) || !hurry)
		return;
	hurry = 0;
	if (irqs_on)
		broken("the rings are being changed with interrupts on");
	device_look(dev);
	fill(device_chain(dev, 0));
	interrupt();			/* waits until they are on */
}

static void interrupted(void **state)
{
	u32 i;

	(void)state;
	d->stored = interrupts_at_a_store;
	for (i = 0; i < 100; i++) {
		slot[0] = request(DISK_READ, i, 2, SECTOR, 0);
		hurry = 1;
		device_watch(d);
		submit(&slot[0]);
		device_watch_no_more();
		if (slot[0].status)
			broken("the interrupt came while interrupts were off, and got lost");
	}
}

#define ON(f) cmocka_unit_test_setup_teardown(f, set_up, around_over)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(reads), ON(writes), ON(in_pieces), ON(name_and_flush),
		ON(out_of_order), ON(one_interrupt_for_many), ON(false_alarm), ON(bad_status),
		ON(says_nothing),
		ON(kicks), ON(full_and_sleeps), ON(full_and_looks), ON(no_flush), ON(interrupted),
	};

	return cmocka_run_group_tests_name("disk", tests, NULL, NULL);
}
