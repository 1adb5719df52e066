// SPDX-License-Identifier: MIT
/*
 * A Guest in a file: what goes in comes out, to the bit; and whatever a file says instead,
 * nothing happens but a sentence, or a Guest that makes no sense.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#define MEMORY	1u		/* MiB */

static struct guest_memory m, old;
static struct complaint c;
static struct bus bus;
static struct device console, disk;
static uint8_t config[16];
static uint32_t disk_sum;
static bool disk_fails;
static char path[40];		/* of a file that nobody else sees */

int host_irq(unsigned irq)
{
	(void)irq;
	return 0;
}

static unsigned bound;

int host_eventfd(uint32_t gpa, int fd)
{
	(void)gpa;
	bound += fd >= 0;
	return 0;
}

static bool contents(struct device *dev, uint32_t *sum)
{
	(void)dev;
	errno = EIO;
	*sum = disk_sum;
	return !disk_fails;
}

static unsigned served;

static void serve(struct queue *q)
{
	struct vq_chain chain;

	served++;
	while (vq_pop(&q->vq, &chain) > 0)
		vq_push(&q->vq, chain.head, 0);
}

/* A computer with a disk and a console, as new. */
static void computer(const char *disk_name)
{
	if (!path[0])
		snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd_create("snapshot", 0));
	assert_int_equal(memory_create(&m, MEMORY, &c), 0);
	bus_create(&bus, &m);
	device_create(&disk, disk_name, LGUEST_DEV_BLOCK);
	disk.config = config;
	disk.config_len = sizeof(config);
	disk.contents = contents;
	device_feature(&disk, 9);
	device_queue(&disk, serve, -1);
	bus_add(&bus, &disk);
	device_create(&console, "console", LGUEST_DEV_CONSOLE);
	device_queue(&console, serve, -1);
	device_queue(&console, serve, -1);
	bus_add(&bus, &console);
}

/* ... that has been used for a while, and is written to path. */
static void saved(const char *keys, const char *disk_name)
{
	struct snapshot s = { .state.regs.eip = 0x1234, .kernel = { .bytes = 77, .sum = 88 },
			      .command_line = "two words" };
	uint32_t pages = 0, wrote = 0;
	int fd;

	computer(disk_name);
	for (uint32_t pfn = 0; pfn < m.limit / PAGE_SIZE; pfn++) {
		if (below(3) == 0)
			continue;
		m.base[pfn * PAGE_SIZE + below(PAGE_SIZE)] = (uint8_t)(1 + below(255));
		pages++;
	}
	disk.started = console.started = true;
	disk.accepted = 1 << 9;
	console.broken = true;
	disk.queue[0].vq.next_avail = disk.queue[0].vq.next_used = 65535;
	console.queue[1].vq.next_avail = 7;
	console.queue[1].vq.next_used = 6;
	fd = open(path, O_RDWR);
	assert_int_equal(ftruncate(fd, 3 << 20), 0);	/* an older one, that was longer */
	assert_int_equal(snapshot_write(fd, &s, &bus, keys, strlen(keys), &wrote), 0);
	assert_int_equal(wrote, pages);
	close(fd);
	old = m;
}

static void opened(struct snapshot *s)
{
	if (snapshot_open(s, path, &c))
		fail_msg("refused: %s", c.text);
}

static void done_with(struct snapshot *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->device);
	free(s->key);
}

static void refused(int status, const char *words)
{
	if (c.status != status || !strstr(c.text, words) || strchr(c.text, '\n'))
		fail_msg("expected status %d and one line with '%s' in it, got status %d and '%s'", status,
			 words, c.status, c.text);
}

static uint8_t *whole(size_t *n)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	uint8_t *bytes;

	fstat(fd, &st);
	*n = (size_t)st.st_size;
	bytes = malloc(*n);
	assert_true(read_exactly(fd, bytes, *n, 0));
	close(fd);
	return bytes;
}

static void put_whole(const uint8_t *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
}

/* ---- The tests ---- */

/* The check value of CRC-32, whichever way the bytes come. */
static void sum(void **state)
{
	uint8_t bytes[100];
	uint32_t all;

	(void)state;
	assert_int_equal(snapshot_sum(0, "123456789", 9), 0xcbf43926);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random32();
	all = snapshot_sum(0, bytes, sizeof(bytes));
	for (unsigned cut = 0; cut <= sizeof(bytes); cut++)
		assert_int_equal(snapshot_sum(snapshot_sum(0, bytes, cut), bytes + cut,
					      sizeof(bytes) - cut), all);
}

static void there_and_back(void **state)
{
	struct snapshot s;

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		saved(round % 2 ? "keys\n" : "", "disk d");
		opened(&s);
		assert_int_equal(s.memory, MEMORY);
		assert_string_equal(s.command_line, "two words");
		assert_int_equal(s.state.regs.eip, 0x1234);
		assert_int_equal(s.kernel.sum, 88);
		assert_int_equal(s.keys, round % 2 ? 5 : 0);
		assert_memory_equal(s.key, "keys\n", s.keys);
		computer("disk d");
		if (snapshot_load(&s, &bus, &c))
			fail_msg("not loaded: %s", c.text);
		assert_memory_equal(m.base, old.base, m.limit);
		assert_true(disk.started && console.started && console.broken && !disk.broken);
		assert_int_equal(disk.accepted, 1 << 9);
		assert_int_equal(disk.queue[0].vq.next_avail, 65535);
		assert_int_equal(console.queue[1].vq.next_avail, 7);
		assert_int_equal(console.queue[1].vq.next_used, 6);
		done_with(&s);
		memory_destroy(&m);
		memory_destroy(&old);
	}
}

/* Zeroes are not worth a byte. */
static void sparse(void **state)
{
	struct snapshot s = { .command_line = "" };
	uint32_t pages = 0;
	struct stat st;
	int fd;

	(void)state;
	computer("disk d");
	m.base[5 * PAGE_SIZE + 4095] = m.base[77 * PAGE_SIZE] = m.base[78 * PAGE_SIZE] = 1;
	fd = open(path, O_RDWR);
	assert_int_equal(snapshot_write(fd, &s, &bus, "", 0, &pages), 0);
	assert_int_equal(pages, 3);
	fstat(fd, &st);
	close(fd);
	if (st.st_size > (3 + 3) * (int)PAGE_SIZE)
		fail_msg("three pages are not zero, and the file has %ld bytes", (long)st.st_size);
	opened(&s);
	done_with(&s);
	memory_destroy(&m);
}

/* The disk is full: say so, and leave nothing that could be taken for a snapshot. */
static void no_room(void **state)
{
	struct snapshot s = { .command_line = "" };
	struct rlimit was, small;
	uint32_t pages;
	struct stat st;
	int fd;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	saved("", "disk d");
	fd = open(path, O_RDWR);
	fstat(fd, &st);
	getrlimit(RLIMIT_FSIZE, &was);
	for (unsigned i = 0; i < 20; i++) {
		rlim_t room = i < 3 ? 3000 * i : i < 6 ? (rlim_t)st.st_size - 1 - 4096 * (i - 3) :
			      below((uint32_t)st.st_size);
		int error;

		small = (struct rlimit){ room, was.rlim_max };
		setrlimit(RLIMIT_FSIZE, &small);
		error = snapshot_write(fd, &s, &bus, "", 0, &pages);
		setrlimit(RLIMIT_FSIZE, &was);
		if (error != EFBIG)
			fail_msg("room for %lu of %ld bytes: it says %s", (unsigned long)room,
				 (long)st.st_size, error ? strerror(error) : "that all is well");
		if (!snapshot_open(&s, path, &c))
			fail_msg("room for %lu of %ld bytes: it is a snapshot", (unsigned long)room,
				 (long)st.st_size);
		done_with(&s);
	}
	assert_int_equal(snapshot_write(fd, &s, &bus, "", 0, &pages), 0);
	close(fd);
	opened(&s);
	done_with(&s);
	memory_destroy(&m);
}

/* Nobody serves a frozen queue; one that was started is served again, others are not. */
static void frozen(void **state)
{
	(void)state;
	saved("", "disk d");
	bus_thaw(&bus);
	served = 0;
	queue_serve(&disk.queue[0]);
	assert_int_equal(served, 1);
	bus_freeze(&bus);
	queue_serve(&disk.queue[0]);
	assert_int_equal(served, 1);
	disk.started = false;
	bus_thaw(&bus);
	queue_serve(&disk.queue[0]);
	assert_int_equal(served, 1);
	memory_destroy(&m);
}

/* Every cut, and every bit. */
static void accidents(void **state)
{
	struct snapshot s;
	uint8_t *bytes;
	size_t n;

	(void)state;
	saved("k", "disk d");
	bytes = whole(&n);
	opened(&s);
	done_with(&s);
	for (unsigned i = 0; i < 300; i++) {
		size_t cut = i < 8 ? i : i < 16 ? n - 1 - (i - 8) : below((uint32_t)n);

		put_whole(bytes, cut);
		if (!snapshot_open(&s, path, &c))
			fail_msg("%zu of %zu bytes were accepted", cut, n);
		refused(STATUS_NOT_KERNEL, path);
		refused(STATUS_NOT_KERNEL, "cut short");
		done_with(&s);
	}
	for (unsigned i = 0; i < 600; i++) {
		size_t at = i < 64 * 8 ? i / 8 : below((uint32_t)n);

		bytes[at] ^= (uint8_t)(1 << i % 8);
		put_whole(bytes, n);
		if (!snapshot_open(&s, path, &c))
			fail_msg("bit %u of byte %zu has changed, and it was accepted", i % 8, at);
		refused(STATUS_NOT_KERNEL, "expected");
		done_with(&s);
		bytes[at] ^= (uint8_t)(1 << i % 8);
	}
	put_whole(bytes, n);
	opened(&s);
	done_with(&s);
	free(bytes);
	memory_destroy(&m);
}

/* Where the numbers of a head are (struct head in snapshot.c). */
enum { VERSION_AT = 8, INTERFACE_AT = 12, BYTES_AT = 16, MEMORY_AT = 24, PAGES_AT = 28,
       DEVICES_AT = 32, KEYS_AT = 36, WORDS_AT = 56, STATE_AT = 56 + COMMAND_LINE_MAX + 1 };

/* 4 bytes at `at` are another number, and there are `more` bytes at `where`, so that all
 * fits together; the sum is right.  Must be refused. */
static void lie_that_fits(const uint8_t *good, size_t n, size_t at, uint32_t value,
			  size_t where, size_t more, const char *what)
{
	uint8_t *bytes = calloc(1, n + more);
	struct snapshot s;
	uint64_t length = n + more;
	uint32_t new_sum;

	memcpy(bytes, good, where);
	memcpy(bytes + where + more, good + where, n - where);
	n = length;
	if (more)
		memcpy(bytes + BYTES_AT, &length, 8);
	memcpy(bytes + at, &value, 4);
	new_sum = snapshot_sum(0, bytes, n - 4);
	memcpy(bytes + n - 4, &new_sum, 4);
	put_whole(bytes, n);
	if (!snapshot_open(&s, path, &c))
		fail_msg("%s (%u): accepted", what, value);
	refused(STATUS_NOT_KERNEL, path);
	done_with(&s);
	free(bytes);
}

static void lie(const uint8_t *good, size_t n, size_t at, uint32_t value, const char *what)
{
	lie_that_fits(good, n, at, value, n, 0, what);
}

/* One number at a time, and the file that goes with it. */
static void lies(void **state)
{
	static const uint32_t words = 0x41414141;
	uint32_t pages, keys = 4, run_at, last, count;
	struct snapshot s;
	uint8_t *good;
	size_t n;

	(void)state;
	saved("keys", "disk d");
	good = whole(&n);
	opened(&s);
	run_at = (uint32_t)s.memory_at;
	pages = s.pages;
	done_with(&s);
	last = run_at;
	memcpy(&count, good + last + 4, 4);
	while (last + 8 + count * PAGE_SIZE + 12 < n) {
		last += 8 + count * PAGE_SIZE;
		memcpy(&count, good + last + 4, 4);
	}
	lie(good, n, VERSION_AT, 2, "another version");
	refused(STATUS_NOT_KERNEL, "expected 1");
	lie(good, n, INTERFACE_AT, LG_INTERFACE + 1, "another interface");
	lie(good, n, BYTES_AT, (uint32_t)n + 1, "another length");
	lie(good, n, BYTES_AT + 4, 1, "4 GiB more");
	lie(good, n, MEMORY_AT, 0, "no memory");
	lie(good, n, MEMORY_AT, MEMORY_MAX + 1, "too much memory");
	lie(good, n, MEMORY_AT, 0x100001, "memory that wraps");
	lie(good, n, PAGES_AT, 256, "no page for the devices");
	lie(good, n, PAGES_AT, 256 + 257, "more rings than there can be");
	lie(good, n, PAGES_AT, 0xffffffff, "more pages than there can be");
	lie_that_fits(good, n, DEVICES_AT, BUS_DEVICES + 1, run_at - keys,
		      (run_at - keys - STATE_AT - sizeof(s.state)) / 2 * (BUS_DEVICES - 1),
		      "too many devices");
	lie(good, n, DEVICES_AT, 0xffffffff, "far too many devices");
	lie_that_fits(good, n, KEYS_AT, KEYS_MAX + 1, run_at, KEYS_MAX + 1 - keys, "too many keys");
	lie(good, n, KEYS_AT, 0xffffffff, "far too many keys");
	lie(good, n, KEYS_AT, keys + 4, "keys that are memory");
	lie(good, n, STATE_AT - 4, words, "a command line without an end");
	lie(good, n, last, pages - count + 1, "a run that leads out of memory");
	lie(good, n, last, pages, "a run behind memory");
	lie(good, n, last, 0xffffffff, "a run that wraps");
	lie(good, n, run_at + 4, 0, "an end in the middle");
	lie(good, n, run_at + 4, pages, "a run of all memory");
	lie(good, n, run_at + 4, 0xffffffff, "a run of everything");
	lie(good, n, last, 0, "a run that goes back");
	free(good);
	memory_destroy(&m);
}

/* Files whose sum is right, by somebody who knows how: refused, or a Guest of its own. */
static void forgeries(void **state)
{
	static const uint32_t nasty[] = { 0, 1, 2, 255, 256, 257, 0x7fffffff, 0x80000000, 0xffffffff,
					  0xfffff000, 3072, 4096 };
	unsigned taken = 0, refusals = 0;
	struct snapshot s;
	uint8_t *good, *bytes;
	size_t n, size;

	(void)state;
	saved("keys", "disk d");
	good = whole(&size);
	bytes = malloc(size);
	for (unsigned round = 0; round < 400; round++) {
		uint32_t new_sum;

		memcpy(bytes, good, size);
		n = size;
		for (unsigned i = 0; i <= below(3); i++) {
			/* Head, records, the first run; the sum of the kernel's file; anywhere. */
			size_t at = below(2) ? 20 + below(20) : below(2) ? 2104 + below(3500) :
				    below((uint32_t)n - 8);

			if (below(2))
				bytes[at] ^= (uint8_t)(1 << below(8));
			else
				memcpy(bytes + at, &nasty[below(12)], 4);
		}
		if (below(4) == 0) {
			uint64_t shorter = n - below((uint32_t)n / 2);

			n = shorter;
			memcpy(bytes + 16, &shorter, 8);
		}
		new_sum = snapshot_sum(0, bytes, n - 4);
		memcpy(bytes + n - 4, &new_sum, 4);
		put_whole(bytes, n);
		if (snapshot_open(&s, path, &c)) {
			refused(STATUS_NOT_KERNEL, "expected");
			refusals++;
		} else {
			computer("disk d");
			if (snapshot_load(&s, &bus, &c)) {
				assert_true(c.status == STATUS_NOT_KERNEL || c.status == STATUS_BAD_DISK);
				refusals++;
			} else {
				taken++;
				assert_int_equal(disk.accepted & ~(1u << 9), 0);
				bus_thaw(&bus);
				queue_serve(&disk.queue[0]);
				queue_serve(&console.queue[1]);
			}
			memory_destroy(&m);
		}
		done_with(&s);
	}
	printf("# snapshot: 400 forgeries, %u were let in\n", taken);
	assert_true(taken > 20 && refusals > 50);
	free(good);
	free(bytes);
	memory_destroy(&old);
}

/* Another computer than that one. */
static void other_devices(void **state)
{
	struct snapshot s;

	(void)state;
	saved("", "disk d");
	opened(&s);
	computer("disk d");
	config[0] = 9;
	assert_int_not_equal(snapshot_load(&s, &bus, &c), 0);
	refused(STATUS_NOT_KERNEL, "other devices than this: 'disk d'");
	refused(STATUS_NOT_KERNEL, "in that order: disk d, console");
	config[0] = 0;
	bus.devices--;
	assert_int_not_equal(snapshot_load(&s, &bus, &c), 0);
	refused(STATUS_NOT_KERNEL, "2 devices, here are 1");
	bus.devices++;
	disk_sum = 5;
	assert_int_not_equal(snapshot_load(&s, &bus, &c), 0);
	refused(STATUS_BAD_DISK, "disk d: it has changed since");
	disk_sum = 0;
	disk_fails = true;
	assert_int_not_equal(snapshot_load(&s, &bus, &c), 0);
	refused(STATUS_BAD_DISK, "cannot be read");
	disk_fails = false;
	bus.device[0] = &console;
	bus.device[1] = &disk;
	assert_int_not_equal(snapshot_load(&s, &bus, &c), 0);
	refused(STATUS_NOT_KERNEL, "other devices");
	done_with(&s);
	memory_destroy(&m);
	memory_destroy(&old);
}

/* A name in a file is no way to write on somebody's terminal. */
static void rude_name(void **state)
{
	struct snapshot s;

	(void)state;
	saved("", "disk \033[2J\n-----------------------------------------------------");
	opened(&s);
	computer("disk d");
	bus.devices = 1;
	assert_int_not_equal(snapshot_load(&s, &bus, &c), 0);
	refused(STATUS_NOT_KERNEL, "disk ?[2J?---");
	done_with(&s);
	memory_destroy(&m);
	memory_destroy(&old);
}

static void not_there(void **state)
{
	struct snapshot s;

	(void)state;
	assert_int_not_equal(snapshot_open(&s, "/nowhere/s", &c), 0);
	refused(STATUS_NO_KERNEL, "/nowhere/s");
	done_with(&s);
	assert_int_not_equal(snapshot_open(&s, "/tmp", &c), 0);
	refused(STATUS_NOT_REGULAR, "a directory");
	done_with(&s);
	assert_int_not_equal(snapshot_open(&s, "/proc/self/exe", &c), 0);
	refused(STATUS_NOT_KERNEL, "other bytes");
	done_with(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sum), TEST(there_and_back), TEST(sparse), TEST(no_room), TEST(frozen),
		TEST(accidents), TEST(lies), TEST(forgeries),
		TEST(other_devices), TEST(rude_name), TEST(not_there),
	};

	random_start("snapshot");
	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
