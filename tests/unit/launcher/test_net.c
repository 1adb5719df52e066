// SPDX-License-Identifier: MIT
/*
 * A network card whose wire ends in this test: what one side puts in must come out at
 * the other, whatever the Guest's buffers look like; and a Guest that lies, is late, or
 * changes its mind harms nobody but itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

#define LARGEST	1514u
#define HEADER	10u
#define OUT	0x10000u	/* where the tests put what the Guest sends */
#define IN	0x20000u	/* ... and the buffers to be filled, 4096 bytes each */

static struct guest_memory m;
static struct complaint c;
static struct bus bus;
static struct device *dev;
static struct queue *in, *out;
static int wire;		/* our end of it */
static const uint8_t mac[6] = { 0x02, 1, 2, 3, 4, 5 };

int host_irq(unsigned n)
{
	(void)n;
	return 0;
}

int host_eventfd(uint32_t gpa, int fd)
{
	(void)gpa;
	(void)fd;
	return 0;
}

int ending_asked(void)
{
	return -1;
}

/* ---- A driver ---- */

static uint8_t *desc_page(void)
{
	return m.base + m.ram;
}

static void set_status(uint8_t status)
{
	desc_page()[4] = status;
	assert_int_equal(bus_notify(&bus, (uint32_t)m.ram, &c), BUS_DONE);
}

static volatile uint16_t *avail(const struct queue *q)
{
	return (uint16_t *)(m.base + q->vq.gpa + 0x1000);
}

static uint16_t used_idx(const struct queue *q)
{
	return __atomic_load_n((uint16_t *)(m.base + q->vq.gpa + 0x2000) + 1, __ATOMIC_ACQUIRE);
}

static uint32_t used_field(const struct queue *q, unsigned i, unsigned offset)
{
	uint32_t value;

	memcpy(&value, m.base + q->vq.gpa + 0x2000 + 4 + 8 * (i % 256) + offset, 4);
	return value;
}

static struct vring_desc *descriptor(const struct queue *q, unsigned i)
{
	return (struct vring_desc *)(m.base + q->vq.gpa) + i;
}

static void offer(struct queue *q, uint16_t head)
{
	uint16_t idx = avail(q)[1];

	avail(q)[2 + idx % 256] = head;
	__atomic_store_n((uint16_t *)(m.base + q->vq.gpa + 0x1000) + 1, (uint16_t)(idx + 1),
			 __ATOMIC_RELEASE);
}

static void kick(struct queue *q)
{
	assert_int_equal(bus_notify(&bus, (uint32_t)q->vq.gpa, &c), BUS_DONE);
}

/* Waits for the used index; returns false after ms milliseconds. */
static bool used_is(const struct queue *q, uint16_t idx, int ms)
{
	for (int i = 0; used_idx(q) != idx; i++) {
		if (i == 5 * ms)
			return false;
		usleep(200);
	}
	return true;
}

#define SOON	20000	/* ms: detects a hang, is no performance target */

static void one(struct queue *q, unsigned i, uint64_t gpa, uint32_t len, uint16_t flags)
{
	*descriptor(q, i) = (struct vring_desc){ gpa, len, flags, 0 };
}

/* A buffer to be filled; the bytes in it and behind it are 0xcc. */
static void put_buffer(unsigned i, uint32_t len)
{
	memset(m.base + IN + 4096 * i, 0xcc, 4096);
	one(in, i, IN + 4096 * i, len, VRING_DESC_F_WRITE);
	offer(in, (uint16_t)i);
}

static uint8_t pattern(unsigned round, unsigned i)
{
	return (uint8_t)(round * 7 + i + i / 251);
}

static void make_frame(uint8_t *to, uint32_t bytes, unsigned round)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = pattern(round, i);
}

static void expect_frame(const uint8_t *got, uint32_t bytes, unsigned round)
{
	for (unsigned i = 0; i < bytes; i++)
		if (got[i] != pattern(round, i))
			fail_msg("round %u: byte %u of %u is %02x", round, i, bytes, got[i]);
}

static void from_outside(uint32_t bytes, unsigned round)
{
	uint8_t frame[4096];

	make_frame(frame, bytes, round);
	assert_int_equal(send(wire, frame, bytes, 0), bytes);
}

/* What is on the wire, or -1 after ms milliseconds. */
static int outside(uint8_t *to, size_t size, int ms)
{
	struct pollfd p = { .fd = wire, .events = POLLIN };

	if (poll(&p, 1, ms) <= 0)
		return -1;
	return (int)recv(wire, to, size, 0);
}

/* The device and its threads are never taken away, so all tests share one. */
static int plug_in(void **state)
{
	struct net_link link = { .name = "test" };
	int pair[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		return -1;
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	link.fd = pair[0];
	wire = pair[1];
	memcpy(link.mac, mac, 6);
	if (memory_create(&m, 4, &c))
		return -1;
	bus_create(&bus, &m);
	dev = net_create(&link);
	bus_add(&bus, dev);
	bus_lay_out(&bus);
	in = &dev->queue[0];
	out = &dev->queue[1];
	return 0;
}

/* A fresh driver; what the test before left on the wire is taken off it. */
static int set_up(void **state)
{
	uint8_t old[4096];

	(void)state;
	set_status(0);
	while (outside(old, sizeof(old), 0) >= 0)
		;
	set_status(3);
	from_outside(1001, 0);
	for (unsigned i = 0; ; i++) {
		assert_true(i < 1000);
		put_buffer(0, 2048);
		kick(in);
		assert_true(used_is(in, (uint16_t)(i + 1), SOON));
		if (used_field(in, i, 4) == HEADER + 1001)
			break;
	}
	set_status(0);
	set_status(3);
	return 0;
}

/* ---- What the Guest sees ---- */

static void descriptor_page(void **state)
{
	uint8_t want[] = { LGUEST_DEV_NET, 2, 1, 6, 3, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 2, 0,
			   0, 0, 0, 0, 0x20, 0, 2, 1, 2, 3, 4, 5, 0 };
	uint32_t pfn[2] = { (uint32_t)(in->vq.gpa >> 12), (uint32_t)(out->vq.gpa >> 12) };

	(void)state;
	memcpy(want + 9, &pfn[0], 4);
	memcpy(want + 17, &pfn[1], 4);
	assert_memory_equal(desc_page(), want, sizeof(want));
}

/* ---- What goes out ---- */

/* Any cuts: the header alone, a byte at a time, empty ones between. */
static void cut_up(struct queue *q, uint32_t gpa, uint32_t bytes, uint16_t flags)
{
	unsigned n = 0;

	do {
		uint32_t part = below(3) ? bytes : below(bytes + 1);

		if (n == 200)
			part = bytes;
		one(q, n, gpa, part, flags | VRING_DESC_F_NEXT);
		descriptor(q, n)->next = (uint16_t)(n + 1);
		gpa += part;
		bytes -= part;
		n++;
	} while (bytes);
	descriptor(q, n - 1)->flags = flags;
}

static void sends(void **state)
{
	uint8_t got[4096];

	(void)state;
	random_start("sends");
	for (unsigned round = 0; round < 600; round++) {	/* around the ring, twice */
		uint32_t bytes = round == 0 ? 14 : round == 1 ? LARGEST : 14 + below(LARGEST - 13);

		memset(m.base + OUT, 0, HEADER);
		m.base[OUT + 2] = (uint8_t)round;	/* what does not ask may be anything */
		make_frame(m.base + OUT + HEADER, bytes, round);
		cut_up(out, OUT, HEADER + bytes, 0);
		offer(out, 0);
		kick(out);
		assert_int_equal(outside(got, sizeof(got), SOON), bytes);
		expect_frame(got, bytes, round);
		assert_true(used_is(out, (uint16_t)(round + 1), SOON));
		assert_int_equal(used_field(out, round, 4), 0);
	}
}

/* Frames that no wire carries are lost, and the next one is not. */
static void wrong_sizes(void **state)
{
	static const uint32_t bad[] = { 0, 1, 13, LARGEST + 1, 2000, 65536 };
	uint8_t got[4096];

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(m.base + OUT, 0, HEADER);
		one(out, 0, OUT, HEADER + bad[i], 0);
		offer(out, 0);
		make_frame(m.base + OUT + 0x40000 + HEADER, 60, i);
		memset(m.base + OUT + 0x40000, 0, HEADER);
		one(out, 1, OUT + 0x40000, HEADER + 60, 0);
		offer(out, 1);
		kick(out);
		assert_int_equal(outside(got, sizeof(got), SOON), 60);
		expect_frame(got, 60, i);
		assert_true(used_is(out, (uint16_t)(2 * i + 2), SOON));
	}
	assert_false(dev->broken);
}

static void expect_broken(struct queue *q, const char *says)
{
	char error[160];

	for (int i = 0; !dev->broken; i++) {
		assert_true(i < SOON);
		usleep(1000);
	}
	pthread_mutex_lock(&q->lock);
	memcpy(error, q->vq.error, sizeof(error));
	pthread_mutex_unlock(&q->lock);
	if (!strstr(error, says))
		fail_msg("'%s' does not say '%s'", error, says);
	set_up(NULL);
	assert_false(dev->broken);
}

static void no_packets(void **state)
{
	uint8_t got[16];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		memset(m.base + OUT, 0, HEADER);
		m.base[OUT + i] = 1;
		one(out, 0, OUT, HEADER + 60, 0);
		offer(out, 0);
		kick(out);
		expect_broken(out, i ? "gso_type 0x01" : "flags 0x01");
	}
	one(out, 0, OUT, HEADER - 1, 0);
	offer(out, 0);
	kick(out);
	expect_broken(out, "a packet of 9 bytes");
	one(out, 0, OUT, HEADER + 60, VRING_DESC_F_WRITE);
	offer(out, 0);
	kick(out);
	expect_broken(out, "to be sent, with parts to be written");
	assert_int_equal(outside(got, sizeof(got), 50), -1);
}

static void broken_rings(void **state)
{
	struct queue *const q[] = { in, out };
	uint8_t got[16];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint16_t flags = i ? 0 : VRING_DESC_F_WRITE;

		one(q[i], 0, OUT, 60, flags | VRING_DESC_F_NEXT);
		offer(q[i], 0);
		if (!i)		/* a buffer is looked at when there is something for it */
			if (!i)
			from_outside(60, 0);
		kick(q[i]);
		expect_broken(q[i], "is a loop");
		one(q[i], 0, m.limit - 100, 4096, flags);
		offer(q[i], 0);
		if (!i)
			from_outside(60, 0);
		kick(q[i]);
		expect_broken(q[i], "outside memory");
		one(q[i], 0, UINT64_MAX - 100, 4096, flags);
		offer(q[i], 0);
		if (!i)
			from_outside(60, 0);
		kick(q[i]);
		expect_broken(q[i], "outside memory");
		one(q[i], 0, OUT, 60, flags | VRING_DESC_F_INDIRECT);
		offer(q[i], 0);
		if (!i)
			from_outside(60, 0);
		kick(q[i]);
		expect_broken(q[i], "indirect");
		avail(q[i])[1] = 400;
		if (!i)
			from_outside(60, 0);
		kick(q[i]);
		expect_broken(q[i], "more than the ring's 256");
		offer(q[i], 256);
		if (!i)
			from_outside(60, 0);
		kick(q[i]);
		expect_broken(q[i], "there are only 256");
	}
	assert_int_equal(outside(got, sizeof(got), 50), -1);
}

/* ---- What comes in ---- */

static void receives(void **state)
{
	(void)state;
	random_start("receives");
	for (unsigned round = 0; round < 600; round++) {
		uint32_t bytes = round == 0 ? 14 : round == 1 ? LARGEST : 14 + below(LARGEST - 13);
		uint32_t buffer = HEADER + LARGEST + below(1000);
		uint8_t *got = m.base + IN;

		memset(got, 0xcc, 4096);
		cut_up(in, IN, buffer, VRING_DESC_F_WRITE);
		offer(in, 0);
		kick(in);
		from_outside(bytes, round);
		assert_true(used_is(in, (uint16_t)(round + 1), SOON));
		assert_int_equal(used_field(in, round, 4), HEADER + bytes);
		for (unsigned i = 0; i < HEADER; i++)
			assert_int_equal(got[i], 0);
		expect_frame(got + HEADER, bytes, round);
		for (unsigned i = HEADER + bytes; i < 4096; i++)
			if (got[i] != 0xcc)
				fail_msg("byte %u behind a frame of %u was written", i, bytes);
	}
}

/* Many at once, in order, each in the buffer that was offered for it. */
static void receives_many(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++)
		put_buffer(39 - i, 2048);
	kick(in);
	for (unsigned i = 0; i < 40; i++)
		from_outside(60 + i, i);
	assert_true(used_is(in, 40, SOON));
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(used_field(in, i, 0), 39 - i);
		assert_int_equal(used_field(in, i, 4), HEADER + 60 + i);
		expect_frame(m.base + IN + 4096 * (39 - i) + HEADER, 60 + i, i);
	}
}

static void odd_frames_from_outside(void **state)
{
	(void)state;
	put_buffer(0, 2048);
	put_buffer(1, 2048);
	kick(in);
	from_outside(13, 1);
	from_outside(LARGEST + 1, 2);
	from_outside(4000, 3);
	from_outside(100, 4);
	assert_true(used_is(in, 1, SOON));
	assert_int_equal(used_field(in, 0, 4), HEADER + 100);
	expect_frame(m.base + IN + HEADER, 100, 4);
}

static void no_buffers(void **state)
{
	(void)state;
	put_buffer(0, HEADER + LARGEST - 1);
	from_outside(60, 0);		/* it would have had room for this one */
	expect_broken(in, "a buffer of 1523 bytes");
	one(in, 0, IN, 2048, 0);
	offer(in, 0);
	from_outside(60, 0);
	expect_broken(in, "with parts to be read");
}

/* A little late is not too late. */
static void late_buffers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		from_outside(100 + i, i);
		usleep(30000);
		put_buffer(i, 2048);
		kick(in);
		assert_true(used_is(in, (uint16_t)(i + 1), SOON));
		expect_frame(m.base + IN + 4096 * i + HEADER, 100 + i, i);
	}
}

/* Far too late: what came until then is lost, what comes then is not. */
static void too_late(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		from_outside(100 + i, i);
	usleep(1000000);
	put_buffer(0, 2048);
	kick(in);
	assert_false(used_is(in, 1, 100));
	from_outside(60, 77);
	assert_true(used_is(in, 1, SOON));
	assert_int_equal(used_field(in, 0, 4), HEADER + 60);
	expect_frame(m.base + IN + HEADER, 60, 77);
}

static void nobody_listens(void **state)
{
	(void)state;
	set_status(0);
	for (unsigned i = 0; i < 5; i++)
		from_outside(100, i);
	usleep(200000);
	set_status(3);
	put_buffer(0, 2048);
	kick(in);
	assert_false(used_is(in, 1, 100));
	from_outside(60, 78);
	assert_true(used_is(in, 1, SOON));
	expect_frame(m.base + IN + HEADER, 60, 78);
}

/* ---- A wire that is full ---- */

static void full_wire(void **state)
{
	struct timespec begin, end;
	unsigned i;

	(void)state;
	memset(m.base + OUT, 0, HEADER + LARGEST);
	one(out, 0, OUT, HEADER + LARGEST, 0);
	for (i = 0; i < 2000; i++) {
		offer(out, 0);
		kick(out);
		if (!used_is(out, (uint16_t)(i + 1), 50))
			break;
	}
	assert_true(i < 2000);
	/* A reset does not wait for who takes what we sent. */
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (unsigned k = 0; k < 20; k++)
		offer(out, 0);
	kick(out);
	usleep(20000);
	set_status(0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true(end.tv_sec - begin.tv_sec < 10);
	assert_int_equal(used_idx(out), 0);
	set_up(NULL);
	assert_false(dev->broken);
}

/* ---- A Guest that changes its mind all the time ---- */

static atomic_bool stop;

static void *toggler(void *unused)
{
	(void)unused;
	for (unsigned i = 0; !stop; i++) {
		struct queue *q = i & 1 ? in : out;
		uint16_t flags = q == in ? VRING_DESC_F_WRITE : 0;
		volatile struct vring_desc *d = descriptor(q, i / 2 % 3);

		d->addr = i & 4 ? OUT : m.limit - 100;
		d->len = i & 8 ? 2048 : i & 16 ? 20 : 70000;
		d->flags = (uint16_t)(i >> 5 & 3);
		d->next = (uint16_t)(i & 128 ? 1 : i & 256 ? 2 : 300);
		((volatile uint8_t *)m.base)[OUT] = i % 64 == 5;
		/* and often a chain that is right */
		if (i >> 14 & 1) {
			m.base[OUT] = 0;
			*descriptor(q, 0) = (struct vring_desc){ OUT, HEADER,
				(uint16_t)(flags | VRING_DESC_F_NEXT), 1 };
			*descriptor(q, 1) = (struct vring_desc){ OUT + HEADER, LARGEST, flags, 0 };
		}
	}
	return NULL;
}

/* A thousand sentences about what is broken are of no use to anybody. */
static void hush(bool on)
{
	static int saved;
	int null;

	if (on) {
		saved = dup(STDERR_FILENO);
		null = open("/dev/null", O_WRONLY);
		dup2(null, STDERR_FILENO);
		close(null);
	} else {
		dup2(saved, STDERR_FILENO);
		close(saved);
	}
}

static void changes_all_the_time(void **state)
{
	unsigned arrived = 0, broken = 0, given = 0;
	uint16_t before = 0;
	uint8_t got[70000];
	pthread_t thread;

	(void)state;
	hush(true);
	stop = false;
	assert_int_equal(pthread_create(&thread, NULL, toggler, NULL), 0);
	for (unsigned i = 0; i < 3000 ||
	     ((arrived < 50 || broken < 50 || given < 50) && i < 2000000); i++) {
		int n;

		if (i % 64 == 63)
			sched_yield();		/* the other thread, on a machine that is busy */
		if (dev->broken) {
			broken++;
			set_status(0);
			set_status(3);
		}
		given += used_idx(in) != before;
		before = used_idx(in);
		offer(in, 0);
		offer(out, 0);
		kick(out);
		send(wire, got, 14 + i % 1500, MSG_DONTWAIT);
		while ((n = outside(got, sizeof(got), 0)) >= 0) {
			assert_in_range(n, 14, LARGEST);
			arrived++;
		}
	}
	stop = true;
	pthread_join(thread, NULL);
	hush(false);
	printf("# %u went out, %u came in, %u times broken\n", arrived, given, broken);
	assert_true(arrived >= 50 && broken >= 50 && given >= 50);
}

/* ---- The other end goes away: the last test, as it does not come back ---- */

static void nobody_is_there(void **state)
{
	(void)state;
	close(wire);
	memset(m.base + OUT, 0, HEADER + 60);
	for (unsigned i = 0; i < 3; i++) {
		one(out, 0, OUT, HEADER + 60, 0);
		offer(out, 0);
		kick(out);
		assert_true(used_is(out, (uint16_t)(i + 1), SOON));
	}
	assert_false(dev->broken);
	set_status(0);
	set_status(3);
	wire = -1;
}

#define FRESH(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(descriptor_page), FRESH(sends), FRESH(wrong_sizes), FRESH(no_packets),
		FRESH(broken_rings), FRESH(receives), FRESH(receives_many),
		FRESH(odd_frames_from_outside), FRESH(no_buffers), FRESH(late_buffers),
		FRESH(too_late), FRESH(nobody_listens), FRESH(full_wire),
		FRESH(changes_all_the_time), FRESH(nobody_is_there),
	};

	return cmocka_run_group_tests_name("net", tests, plug_in, NULL);
}
