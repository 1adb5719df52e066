// SPDX-License-Identifier: MIT
/*
 * Lab 3, where no student looks: a day at the disk's desk.  Orders of all kinds lie there at
 * the same time, each with its own part of the disk; they are filled in any order, now and
 * then badly, and the interrupt comes when it comes.  In the end disk and memory are what a
 * copy says.
 */
#include "around.h"

#define NUM		64u
#define CLERKS		12u		/* orders at a time */
#define SHARE		32u		/* sectors for each */
#define SECTOR		512u
#define PIECES		5u

static struct device *const d = &queues[0];
static u8 platter[CLERKS * SHARE * SECTOR], copy[sizeof(platter)];
static struct disk *vda;
static u32 filled, bad, kicks, done, flushes;

static struct clerk {
	struct disk_request r;
	bool busy, fails;
	u8 memory[PIECES][4 * SECTOR], want[PIECES][4 * SECTOR];
} clerk[CLERKS];

/* The form, by the specification: type, 0, sector. */
static struct {
	u32 type, zero;
	u64 sector;
} form;

static struct clerk *whose(const struct device_chain *c)
{
	for (u32 i = 0; i < CLERKS; i++)
		if (c->part[0].at >= (u8 *)&clerk[i] && c->part[0].at < (u8 *)(&clerk[i] + 1))
			return &clerk[i];
	broken("an order's form is not in its request");
}

static void fill(struct device_chain *c)
{
	static u8 message[PIECES * 4 * SECTOR + 64], answer[sizeof(message)];
	struct clerk *who = whose(c);
	u32 n = device_gather(c, message, sizeof(message)), writes = c->writable - 1, data;

	if (!who->busy)
		broken("an order that nobody gave, or that was filled already");
	if (n < sizeof(form) || c->part[0].length != sizeof(form) || !c->writable)
		broken("an order of %u bytes to read and %u to write", n, c->writable);
	memcpy(&form, message, sizeof(form));
	data = n - sizeof(form);
	filled++;
	memset(answer, 0, sizeof(answer));
	switch (who->r.action) {
	case DISK_READ:
	case DISK_WRITE:
		if (form.type != (who->r.action == DISK_WRITE) || form.zero ||
		    form.sector != who->r.sector)
			broken("the form says type %u, sector %llu; expected %u, %u", form.type,
			       (unsigned long long)form.sector, who->r.action == DISK_WRITE,
			       (u32)who->r.sector);
		if (form.sector * SECTOR + data + writes > sizeof(platter))
			broken("beyond the end of the disk");
		if (who->r.action == DISK_WRITE && !who->fails)
			memcpy(platter + form.sector * SECTOR, message + sizeof(form), data);
		if (who->r.action == DISK_READ)
			memcpy(answer, platter + form.sector * SECTOR, writes);
		break;
	case DISK_FLUSH:
		if (form.type != 4 || data || writes)
			broken("a flush is of type 4 and has no data: %u, %u, %u", form.type, data,
			       writes);
		flushes++;
		break;
	default:
		if (form.type != 8 || data || writes != 20)
			broken("a name is of type 8 and has 20 bytes: %u, %u, %u", form.type, data,
			       writes);
		memset(answer, 'n', 20);
	}
	answer[writes] = who->fails ? 1 + below(255) : 0;
	bad += who->fails;
	device_scatter(c, answer, writes + 1);
	device_finish(d, c, writes + 1);
}

/* Fills some, and says so once; or says nothing yet. */
static bool works(void)
{
	u32 most = 1 + below(4);

	device_look(d);
	if (!d->count)
		return false;
	for (; most && d->count; most--)
		fill(device_chain(d, below(d->count)));
	raise_irq(IRQ_OF_QUEUE(0));
	return true;
}

static int set_up(void **state)
{
	struct virtio_device dev = { .type = LGUEST_DEV_BLOCK };
	u64 capacity = CLERKS * SHARE;
	u32 segments = 60;

	(void)state;
	around_begin(1, NUM);
	memset(config, 0, sizeof(config));
	memcpy(config, &capacity, 8);
	memcpy(config + 12, &segments, 4);
	config_length = 16;
	dev.features = block_driver.features;
	if (!block_driver.probe(&dev) || !disks)
		broken("probe() says that this disk can't be used");
	vda = disk[disks - 1];
	goes_on = works;
	irqs_on = true;
	hangs_after(10);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hangs_after(0);
	around_end();
	return 0;
}

/* Any order, in any number of pieces, within one's own share of the disk. */
static void order(struct clerk *who)
{
	u32 first = (u32)(who - clerk) * SHARE, at, i;
	struct disk_request *r = &who->r;

	memset(r, 0xa5, sizeof(*r));
	r->status = -EINPROGRESS;
	i = below(20);
	r->action = i < 9 ? DISK_READ : i < 17 ? DISK_WRITE : i < 19 ? DISK_FLUSH : DISK_ID;
	r->sector = first + below(SHARE - PIECES * 4 + 1);
	r->count = r->action == DISK_FLUSH ? 0 : r->action == DISK_ID ? 1 : 1 + below(PIECES);
	who->busy = true;
	who->fails = below(8) == 0;
	at = (u32)r->sector * SECTOR;
	for (i = 0; i < r->count; i++) {
		u32 bytes = r->action == DISK_ID ? 20 : SECTOR * (1 + below(4));

		r->part[i].memory = who->memory[i];
		r->part[i].length = bytes;
		for (u32 k = 0; k < sizeof(who->memory[i]); k++)
			who->memory[i][k] = (u8)random32();
		memcpy(who->want[i], who->memory[i], sizeof(who->want[i]));
		if (r->action == DISK_ID)
			memset(who->want[i], 'n', 20);
		if (r->action == DISK_READ)
			memcpy(who->want[i], copy + at, bytes);
		if (r->action == DISK_WRITE && !who->fails)
			memcpy(copy + at, who->memory[i], bytes);
		at += bytes;
	}
	kicks++;
	/* With interrupts off, and no room, it would have to look until the disk is done. */
	for (at = i = 0; i < CLERKS; i++)
		if (clerk[i].busy && clerk[i].r.status == -EINPROGRESS)
			at += clerk[i].r.count + 2;
	irqs_on = at > NUM || below(4);
	i = irqs_on;
	vda->submit(vda, r);
	if (irqs_on != (i != 0))
		broken("interrupts were %s, and after submit() they are not", i ? "on" : "off");
	if (d->kicks != kicks)
		broken("%u orders, and %u kicks", kicks, d->kicks);
	irqs_on = true;
}

/* Who is done has what he wanted. */
static void ask(struct clerk *who)
{
	if (!who->busy || who->r.status == -EINPROGRESS)
		return;
	if (who->r.status != (who->fails ? -EIO : 0))
		broken("an order that went %s ends with %d", who->fails ? "wrong" : "well",
		       who->r.status);
	for (u32 i = 0; i < who->r.count && !who->fails; i++)
		if (memcmp(who->memory[i], who->want[i], sizeof(who->want[i])))
			broken("piece %u of %u, of an order of kind %d at sector %u, is not what it "
			       "should be", i, who->r.count, who->r.action, (u32)who->r.sector);
	who->busy = false;
	done++;
}

static bool all_asked(void)
{
	bool any = false;

	for (u32 i = 0; i < CLERKS; i++) {
		ask(&clerk[i]);
		any |= clerk[i].busy;
	}
	return !any;
}

static void any_day(void **state)
{
	(void)state;
	random_start("any_day");
	memset(clerk, 0, sizeof(clerk));
	for (u32 i = 0; i < sizeof(platter); i++)
		platter[i] = copy[i] = (u8)random32();
	filled = bad = kicks = done = flushes = 0;
	for (u32 step = 0; step < 6000; step++) {
		struct clerk *who = &clerk[below(CLERKS)];

		ask(who);
		if (!who->busy) {
			order(who);
		} else if (below(5) == 0) {
			works();
			/* One interrupt for all that was filled: all of those are done. */
			for (u32 i = 0; i < CLERKS; i++)
				ask(&clerk[i]);
			if (kicks - done != d->count)
				broken("%u orders are with the disk, and %u are not done", d->count,
				       kicks - done);
		} else if (below(9) == 0) {
			vda->poll(vda);
		}
	}
	while (!all_asked())
		if (!works())
			broken("the disk has done all that it was told, and an order is not done");
	if (done != kicks || filled != kicks || !bad || !flushes)
		broken("%u orders, %u filled, %u of them badly, %u done", kicks, filled, bad, done);
	if (memcmp(platter, copy, sizeof(platter)))
		broken("the disk is not what was written to it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(any_day, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("desk", tests, NULL, NULL);
}
