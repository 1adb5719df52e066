// SPDX-License-Identifier: MIT
/* Random numbers: where they go, how many, and what a Guest may not ask for. */
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "one_device.h"

static size_t at_most;
static int interrupts, fails_after = -1;
static bool real;

ssize_t __real_getrandom(void *to, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *to, size_t n, unsigned flags);

/* Gives 1, 2, 3, ..., so that each byte can be looked at. */
ssize_t __wrap_getrandom(void *to, size_t n, unsigned flags)
{
	static uint8_t next;

	if (real)
		return __real_getrandom(to, n, flags);
	if (!to) {
		next = 0;
		return 0;
	}
	assert_int_equal(flags, 0);
	if (interrupts) {
		interrupts--;
		errno = EINTR;
		return -1;
	}
	if (fails_after == 0) {		/* once */
		fails_after = -1;
		errno = ENOSYS;
		return -1;
	}
	fails_after--;
	if (at_most && n > at_most)
		n = at_most;
	for (size_t i = 0; i < n; i++)
		((uint8_t *)to)[i] = ++next;
	return (ssize_t)n;
}

static void set_status(uint8_t status)
{
	m.base[m.ram + 4] = status;
	assert_int_equal(bus_notify(&bus, (uint32_t)m.ram, &c), BUS_DONE);
}

static int set_up(void **state)
{
	(void)state;
	at_most = 0;
	interrupts = 0;
	fails_after = -1;
	real = false;
	__wrap_getrandom(NULL, 0, 0);
	sem_init(&irq, 0, 0);
	if (memory_create(&m, 1, &c))
		return -1;
	bus_create(&bus, &m);
	if (!dev)
		dev = rng_create();
	bus_add(&bus, dev);
	bus_lay_out(&bus);
	q = &dev->queue[0];
	set_status(3);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bus_stop(&bus);
	memory_destroy(&m);
	return 0;
}

static unsigned pieces;

static void piece(uint64_t gpa, uint32_t len, uint16_t flags)
{
	struct vring_desc *d = (struct vring_desc *)(m.base + q->vq.gpa) + pieces;

	*d = (struct vring_desc){ gpa, len, flags, 0 };
	if (pieces) {
		d[-1].flags |= VRING_DESC_F_NEXT;
		d[-1].next = (uint16_t)pieces;
	}
	pieces++;
}

static uint16_t used_idx(void)
{
	return ((uint16_t *)(m.base + q->vq.gpa + 0x2000))[1];
}

static void offer(void)
{
	uint16_t *avail = (uint16_t *)(m.base + q->vq.gpa + 0x1000);

	pieces = 0;
	avail[2 + avail[1] % 256] = 0;
	avail[1]++;
}

/* How many bytes were given, or -1. */
static int submit(void)
{
	uint16_t before = used_idx();
	uint32_t len;

	offer();
	queue_serve(q);
	if (used_idx() == before)
		return -1;
	memcpy(&len, m.base + q->vq.gpa + 0x2000 + 4 + 8 * (before % 256) + 4, 4);
	return (int)len;
}

static void expect_counting(uint32_t gpa, unsigned from, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(m.base[gpa + i], (uint8_t)(from + i));
	assert_int_equal(m.base[gpa + n], 0);
}

static void descriptor_page(void **state)
{
	static const uint8_t want[13 + 1] = { 4, 1, 0, 0, 3, 0x00, 0x01, 1, 0, 0x01, 0x01, 0, 0, 0 };

	(void)state;
	assert_memory_equal(m.base + m.ram, want, sizeof(want));
}

static void fills(void **state)
{
	(void)state;
	piece(0x5000, 64, VRING_DESC_F_WRITE);
	assert_int_equal(submit(), 64);
	expect_counting(0x5000, 1, 64);
	assert_int_equal(sem_trywait(&irq), 0);
}

static void several_buffers(void **state)
{
	(void)state;
	piece(0x5000, 10, VRING_DESC_F_WRITE);
	piece(0x5500, 0, VRING_DESC_F_WRITE);
	piece(0x6000, 1, VRING_DESC_F_WRITE);
	piece(0x7000, 20, VRING_DESC_F_WRITE);
	assert_int_equal(submit(), 31);
	expect_counting(0x5000, 1, 10);
	expect_counting(0x6000, 11, 1);
	expect_counting(0x7000, 12, 20);
}

static void no_more_than_a_portion(void **state)
{
	(void)state;
	piece(0x10000, 3000, VRING_DESC_F_WRITE);
	piece(0x20000, 0xc0000, VRING_DESC_F_WRITE);
	piece(0x5000, 10, VRING_DESC_F_WRITE);
	assert_int_equal(submit(), 4096);
	expect_counting(0x10000, 1, 3000);
	expect_counting(0x20000, 3001, 1096);
	assert_int_equal(m.base[0x5000], 0);
}

static void short_and_interrupted(void **state)
{
	(void)state;
	at_most = 7;
	interrupts = 2;
	piece(0x5000, 100, VRING_DESC_F_WRITE);
	assert_int_equal(submit(), 100);
	expect_counting(0x5000, 1, 100);
}

/* Only what was filled is claimed to be: a Guest must not take zeroes for luck. */
static void kernel_fails(void **state)
{
	(void)state;
	at_most = 8;
	fails_after = 2;
	piece(0x5000, 100, VRING_DESC_F_WRITE);
	piece(0x6000, 100, VRING_DESC_F_WRITE);
	assert_int_equal(submit(), 16);
	expect_counting(0x5000, 1, 16);
	assert_int_equal(m.base[0x6000], 0);
}

static void expect_broken(void)
{
	assert_int_equal(submit(), -1);
	assert_true(dev->broken);
	assert_non_null(strstr(q->vq.error, "need a buffer to be written into"));
	set_status(0);
	set_status(3);
	piece(0x5000, 4, VRING_DESC_F_WRITE);
	assert_int_equal(submit(), 4);
}

static void bad_buffers(void **state)
{
	(void)state;
	piece(0x5000, 10, 0);
	expect_broken();
	piece(0x5000, 10, 0);
	piece(0x6000, 10, VRING_DESC_F_WRITE);
	expect_broken();
	piece(0x5000, 0, VRING_DESC_F_WRITE);
	expect_broken();
}

/* The real ones: 32 bytes are not the same twice. */
static void they_are_random(void **state)
{
	(void)state;
	real = true;
	piece(0x5000, 32, VRING_DESC_F_WRITE);
	assert_int_equal(submit(), 32);
	piece(0x6000, 32, VRING_DESC_F_WRITE);
	assert_int_equal(submit(), 32);
	assert_memory_not_equal(m.base + 0x5000, m.base + 0x6000, 32);
}

static void served_by_its_thread(void **state)
{
	struct timespec end;

	(void)state;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 20;
	piece(0x5000, 32, VRING_DESC_F_WRITE);
	offer();
	eventfd_write(q->kick_fd, 1);
	assert_int_equal(sem_timedwait(&irq, &end), 0);
	assert_int_equal(used_idx(), 1);
	expect_counting(0x5000, 1, 32);
}

#define ON_RNG(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RNG(descriptor_page), ON_RNG(fills), ON_RNG(several_buffers),
		ON_RNG(no_more_than_a_portion), ON_RNG(short_and_interrupted), ON_RNG(kernel_fails),
		ON_RNG(bad_buffers), ON_RNG(they_are_random), ON_RNG(served_by_its_thread),
	};

	return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
