// SPDX-License-Identifier: MIT
/*
 * The descriptor page, byte by byte against ABI.md sections 8.1 and 8.5, and the
 * handshake of 8.4.  The Host is the few lines below: it notes what it is told.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "test.h"

static struct guest_memory m;
static struct complaint c;
static struct bus bus;

static unsigned irqs[32], bound;
static uint32_t bound_gpa;

int host_irq(unsigned irq)
{
	irqs[irq]++;
	return 0;
}

int host_eventfd(uint32_t gpa, int fd)
{
	bound_gpa = gpa;
	bound += fd >= 0 ? 1 : -1u;
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	memset(irqs, 0, sizeof(irqs));
	bound = 0;
	if (memory_create(&m, 4, &c))
		return -1;
	bus_create(&bus, &m);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	memory_destroy(&m);
	return 0;
}

/* ---- Devices to play with ---- */

static struct device console, block, net, rng;
static unsigned served;
static int kick;

static void serve(struct queue *q)
{
	struct vq_chain chain;

	if (!pthread_mutex_trylock(&q->lock))
		fail_msg("queue %u is served, and its lock is free: somebody could stop it meanwhile",
			 (unsigned)(q - q->dev->queue));
	served++;
	while (vq_pop(&q->vq, &chain) > 0)
		vq_push(&q->vq, chain.head, 0);
}

static void add_console(void)
{
	kick = eventfd(0, EFD_NONBLOCK);
	device_create(&console, "console", LGUEST_DEV_CONSOLE);
	device_queue(&console, serve, kick);
	device_queue(&console, serve, -1);
	bus_add(&bus, &console);
}

static void add_block(void)
{
	static const uint8_t config[16] = { 0x10, 0x27, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 254, 0, 0, 0 };

	device_create(&block, "block", LGUEST_DEV_BLOCK);
	device_queue(&block, serve, -1);
	device_feature(&block, 2);
	device_feature(&block, 9);
	block.config = config;
	block.config_len = sizeof(config);
	bus_add(&bus, &block);
}

static void add_net(void)
{
	static const unsigned bits[] = { 0, 1, 5, 7, 8, 9, 11, 12, 13, 28 };
	static const uint8_t config[10] = { 2, 0x10, 0x20, 0x30, 0x40, 0x50, 0, 0, 0, 0 };

	device_create(&net, "net", LGUEST_DEV_NET);
	device_queue(&net, serve, -1);
	device_queue(&net, serve, -1);
	for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		device_feature(&net, bits[i]);
	net.config = config;
	net.config_len = sizeof(config);
	bus_add(&bus, &net);
}

static void add_rng(void)
{
	device_create(&rng, "rng", LGUEST_DEV_RNG);
	device_queue(&rng, serve, -1);
	bus_add(&bus, &rng);
}

/* ---- The page ---- */

/* The page begins with these bytes. */
static void expect_page(const uint8_t *want, unsigned count)
{
	const uint8_t *page = m.base + 4 * MIB;
	const struct device *in = NULL;
	unsigned i = 0;

	while (i < count && page[i] == want[i])
		i++;
	if (i == count)
		return;
	for (unsigned k = 0; k < bus.devices; k++)
		if (bus.device[k]->desc <= 4 * MIB + i)
			in = bus.device[k];
	fail_msg("byte %u of the page is 0x%02x, expected 0x%02x: byte %u of the %s, which has %u queues "
		 "and %u bytes of features", i, page[i], want[i],
		 i - (unsigned)(in->desc - 4 * MIB), in->name, in->queues, in->feature_len);
}

static void console_alone(void **state)
{
	/* RAM is 1024 pages, so the rings begin at page 1025 = 0x401. */
	static const uint8_t want[22] = {
		3, 2, 0, 0, 0,
		0x00, 0x01, 1, 0, 0x01, 0x04, 0, 0,
		0x00, 0x01, 2, 0, 0x04, 0x04, 0, 0,
		0,
	};

	(void)state;
	add_console();
	bus_lay_out(&bus);
	assert_int_equal(bus.used, 21);
	expect_page(want, sizeof(want));
	for (unsigned i = 0; i < 4096 - 22; i++)
		assert_int_equal(m.base[4 * MIB + 22 + i], 0);
	assert_int_equal(m.limit, 4 * MIB + 7 * 4096);
}

static void all_kinds(void **state)
{
	static const uint8_t want[39 + 33 + 13 + 21 + 1] = {
		/* net: 39 bytes */
		1, 2, 4, 10, 0,
		0x00, 0x01, 1, 0, 0x01, 0x04, 0, 0,
		0x00, 0x01, 2, 0, 0x04, 0x04, 0, 0,
		0xa3, 0x3b, 0x00, 0x10, 0, 0, 0, 0,
		2, 0x10, 0x20, 0x30, 0x40, 0x50, 0, 0, 0, 0,
		/* block: 33 bytes */
		2, 1, 2, 16, 0,
		0x00, 0x01, 3, 0, 0x07, 0x04, 0, 0,
		0x04, 0x02, 0, 0,
		0x10, 0x27, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 254, 0, 0, 0,
		/* rng: 13 bytes */
		4, 1, 0, 0, 0,
		0x00, 0x01, 4, 0, 0x0a, 0x04, 0, 0,
		/* console: 21 bytes */
		3, 2, 0, 0, 0,
		0x00, 0x01, 5, 0, 0x0d, 0x04, 0, 0,
		0x00, 0x01, 6, 0, 0x10, 0x04, 0, 0,
		0,
	};

	(void)state;
	add_net();
	add_block();
	add_rng();
	add_console();
	bus_lay_out(&bus);
	expect_page(want, sizeof(want));
	assert_int_equal(console.desc, 4 * MIB + 39 + 33 + 13);
}

/* ---- The handshake ---- */

#define STATUS	(m.base + 4 * MIB + 4)		/* of the first device */
#define DESC	(4 * MIB)

static enum bus_answer status(uint8_t value)
{
	*STATUS = value;
	return bus_notify(&bus, DESC, &c);
}

static void offer(uint64_t ring, uint16_t head)
{
	uint16_t *avail = (void *)(m.base + ring + 0x1000);

	avail[2 + avail[1] % 256] = head;
	avail[1]++;
}

/* After queue_serve(): so often served, so many bells, and the lock is free again. */
static void expect_served(const struct queue *q, unsigned times, unsigned bells, const char *when)
{
	if (served != times)
		fail_msg("%s: served %u times, expected %u", when, served, times);
	if (irqs[q->irq] != bells)
		fail_msg("%s: %u interrupts, expected %u", when, irqs[q->irq], bells);
}

static void expect_unlocked(struct queue *q)
{
	if (pthread_mutex_trylock(&q->lock))
		fail_msg("queue_serve() is back, and the queue is still locked");
	pthread_mutex_unlock(&q->lock);
}

static void life_of_a_device(void **state)
{
	uint32_t ring;

	(void)state;
	add_console();
	bus_lay_out(&bus);
	ring = (uint32_t)console.queue[1].vq.gpa;
	assert_int_equal(status(0), BUS_DONE);
	assert_false(console.started);
	assert_int_equal(status(LGUEST_STATUS_ACKNOWLEDGE | LGUEST_STATUS_DRIVER), BUS_DONE);
	assert_true(console.started);
	assert_int_equal(bound, 1);
	assert_int_equal(bound_gpa, console.queue[0].vq.gpa);

	served = 0;
	((struct vring_desc *)(m.base + ring))->len = 1;
	offer(ring, 0);
	assert_int_equal(bus_notify(&bus, ring, &c), BUS_DONE);
	expect_unlocked(&console.queue[1]);
	expect_served(&console.queue[1], 1, 1, "one buffer, one kick");
	assert_int_equal(bus_notify(&bus, ring, &c), BUS_DONE);
	expect_unlocked(&console.queue[1]);
	expect_served(&console.queue[1], 2, 1, "a second kick, nothing done since the first");

	assert_int_equal(status(0), BUS_DONE);
	assert_false(console.started);
	assert_int_equal(bound, 0);
	for (unsigned i = 0; i < 10246; i++)
		assert_int_equal(m.base[ring + i], 0);
	queue_serve(&console.queue[1]);
	expect_unlocked(&console.queue[1]);
	expect_served(&console.queue[1], 2, 1, "after the reset, when the queue does not run");
	assert_int_equal(status(3), BUS_DONE);
	assert_int_equal(bound, 1);
	bus_stop(&bus);
	assert_int_equal(bound, 0);
}

static void started_twice(void **state)
{
	(void)state;
	add_console();
	bus_lay_out(&bus);
	assert_int_equal(status(3), BUS_DONE);
	assert_int_equal(status(7), BUS_FATAL);
	assert_int_equal(c.status, STATUS_KILLED);
	assert_non_null(strstr(c.text, "console twice"));
}

static void kicked_too_early(void **state)
{
	(void)state;
	add_console();
	bus_lay_out(&bus);
	assert_int_equal(bus_notify(&bus, (uint32_t)console.queue[1].vq.gpa, &c), BUS_FATAL);
	assert_non_null(strstr(c.text, "queue 1 of the console"));
}

static void driver_gives_up(void **state)
{
	(void)state;
	add_console();
	bus_lay_out(&bus);
	assert_int_equal(status(3), BUS_DONE);
	assert_int_equal(status(0x83), BUS_DONE);
	assert_false(console.started);
	assert_int_equal(bound, 0);
	assert_int_equal(status(0), BUS_DONE);
	assert_int_equal(status(3), BUS_DONE);
}

static void not_mine(void **state)
{
	(void)state;
	add_console();
	bus_lay_out(&bus);
	assert_int_equal(bus_notify(&bus, 0x1000, &c), BUS_NOT_MINE);
	assert_int_equal(bus_notify(&bus, DESC + 1, &c), BUS_NOT_MINE);
	assert_int_equal(bus_notify(&bus, DESC + 21, &c), BUS_NOT_MINE);
	assert_int_equal(bus_notify(&bus, (uint32_t)console.queue[1].vq.gpa + 4096, &c),
			 BUS_NOT_MINE);
	assert_int_equal(bus_notify(&bus, 0xffffffff, &c), BUS_NOT_MINE);
}

static void features(void **state)
{
	uint8_t *accepted;

	(void)state;
	add_block();
	bus_lay_out(&bus);
	accepted = m.base + DESC + 5 + 8 + 2;
	accepted[0] = 0xff;
	accepted[1] = 0x02;
	assert_int_equal(status(3), BUS_DONE);
	assert_int_equal(block.accepted, 1u << 2 | 1u << 9);	/* only what was offered */
	assert_int_equal(status(0), BUS_DONE);
	assert_int_equal(accepted[0], 0);
	assert_int_equal(accepted[1], 0);
	assert_int_equal(accepted[-2], 0x04);
	assert_int_equal(accepted[-1], 0x02);
}

/* A broken ring costs the device, once with words, and a reset brings it back. */
static void broken_ring(void **state)
{
	uint32_t out;

	(void)state;
	add_console();
	bus_lay_out(&bus);
	out = (uint32_t)console.queue[1].vq.gpa;
	assert_int_equal(status(3), BUS_DONE);
	served = 0;
	offer(out, 0);
	offer(out, 256);
	assert_int_equal(bus_notify(&bus, out, &c), BUS_DONE);
	expect_unlocked(&console.queue[1]);
	if (!console.broken)
		fail_msg("the ring says '%s', and dev->broken is false", console.queue[1].vq.error);
	expect_served(&console.queue[1], 1, 1, "a good buffer, and behind it one that breaks the ring");
	served = 0;
	assert_int_equal(bus_notify(&bus, out, &c), BUS_DONE);
	expect_unlocked(&console.queue[1]);
	queue_serve(&console.queue[0]);
	expect_unlocked(&console.queue[0]);
	expect_served(&console.queue[1], 0, 1, "kicks for both queues of a broken device");
	assert_int_equal(status(0), BUS_DONE);
	assert_int_equal(status(3), BUS_DONE);
	offer(out, 0);
	assert_int_equal(bus_notify(&bus, out, &c), BUS_DONE);
	expect_served(&console.queue[1], 1, 2, "after a reset, a good buffer");
}

/* A kick that came through RUN although an eventfd was wanted is passed on. */
static void kick_overtakes_eventfd(void **state)
{
	eventfd_t count = 0;

	(void)state;
	add_console();
	bus_lay_out(&bus);
	assert_int_equal(status(3), BUS_DONE);
	served = 0;
	assert_int_equal(bus_notify(&bus, (uint32_t)console.queue[0].vq.gpa, &c), BUS_DONE);
	assert_int_equal(served, 0);
	assert_int_equal(eventfd_read(kick, &count), 0);
	assert_int_equal(count, 1);
}

#define ON_BUS(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BUS(console_alone), ON_BUS(all_kinds), ON_BUS(life_of_a_device),
		ON_BUS(started_twice), ON_BUS(kicked_too_early), ON_BUS(driver_gives_up),
		ON_BUS(not_mine), ON_BUS(features), ON_BUS(broken_ring),
		ON_BUS(kick_overtakes_eventfd),
	};

	return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
