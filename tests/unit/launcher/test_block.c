// SPDX-License-Identifier: MIT
/*
 * A disk against a plain file, and against a Guest that lies or changes its mind.  The
 * system calls that move bytes are wrapped, so that they can be short, fail, and be
 * looked at: whatever the Guest does, not one byte outside the disk may be asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "one_device.h"

#define SECTORS	64u
#define BYTES	(SECTORS * 512)
#define HEAD	0x1000u		/* where the tests put the parts of a request */
#define STATUS	0x2000u
#define DATA	0x10000u

static struct disk disk;
static char name[64];

/* ---- The system calls ---- */

static size_t at_most;		/* bytes that one call moves; 0: all */
static int fail_with, interrupts, syncs, slow;
static atomic_int inside, moves;
static atomic_bool strayed;

typedef ssize_t (*mover)(int fd, const struct iovec *iov, int count, off_t offset);
ssize_t __real_preadv(int fd, const struct iovec *iov, int count, off_t offset);
ssize_t __real_pwritev(int fd, const struct iovec *iov, int count, off_t offset);
ssize_t __wrap_preadv(int fd, const struct iovec *iov, int count, off_t offset);
ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int count, off_t offset);
int __wrap_fdatasync(int fd);

static ssize_t moved(mover real, int fd, const struct iovec *iov, int count, off_t offset)
{
	struct iovec part[VQ_NUM];
	size_t left = at_most ? 1 + (at_most > 1 ? below((uint32_t)at_most) : 0) : SIZE_MAX, sum = 0;
	ssize_t n;

	moves++;
	for (int i = 0; i < count; i++)
		sum += iov[i].iov_len;
	if (offset < 0 || (uint64_t)offset + sum > disk.sectors * 512)
		strayed = true;
	if (interrupts) {
		interrupts--;
		errno = EINTR;
		return -1;
	}
	if (fail_with) {
		errno = fail_with;
		return -1;
	}
	for (int i = 0; i < count; i++) {
		part[i] = iov[i];
		if (part[i].iov_len > left)
			part[i].iov_len = left;
		left -= part[i].iov_len;
	}
	inside++;
	if (slow)
		usleep((unsigned)slow);
	n = real(fd, part, count, offset);
	inside--;
	return n;
}

ssize_t __wrap_preadv(int fd, const struct iovec *iov, int count, off_t offset)
{
	return moved(__real_preadv, fd, iov, count, offset);
}

ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	return moved(__real_pwritev, fd, iov, count, offset);
}

int __wrap_fdatasync(int fd)
{
	(void)fd;
	syncs++;
	errno = fail_with;
	return fail_with ? -1 : 0;
}

/* ---- A disk, and its driver ---- */

static void make_file(size_t bytes)
{
	int fd;

	strcpy(name, "/tmp/lg-test-disk-XXXXXX");
	fd = mkstemp(name);
	assert_true(fd >= 0);
	for (size_t i = 0; i < bytes; i++) {
		uint8_t b = (uint8_t)(i / 512 + i);

		if (i < 64 * 512 || i + 1024 >= bytes)
			assert_int_equal(pwrite(fd, &b, 1, (off_t)i), 1);
	}
	close(fd);
}

static uint8_t file_byte(size_t at)
{
	uint8_t b;
	int fd = open(name, O_RDONLY);

	assert_int_equal(pread(fd, &b, 1, (off_t)at), 1);
	close(fd);
	return b;
}

static uint8_t *desc_page(void)
{
	return m.base + m.ram;
}

static void set_status(uint8_t status)
{
	desc_page()[4] = status;
	assert_int_equal(bus_notify(&bus, (uint32_t)m.ram, &c), BUS_DONE);
}

static void plug_in(bool read_only)
{
	at_most = 0;
	fail_with = interrupts = syncs = slow = 0;
	strayed = false;
	sem_init(&irq, 0, 0);
	assert_int_equal(memory_create(&m, 4, &c), 0);
	bus_create(&bus, &m);
	assert_int_equal(disk_open(&disk, name, read_only, &c), 0);
	dev = block_create(&disk);
	bus_add(&bus, dev);
	bus_lay_out(&bus);
	q = &dev->queue[0];
	desc_page()[5 + 8 + 2 + 1] = 2;		/* takes FLUSH */
	set_status(3);
}

static int set_up(void **state)
{
	(void)state;
	make_file(BYTES);
	plug_in(false);
	return 0;
}

static int tear_down(void **state)
{
	struct stat st;

	(void)state;
	assert_false(strayed);
	bus_stop(&bus);
	assert_int_equal(fstat(disk.fd, &st), 0);
	assert_true(st.st_size <= BYTES + 511);
	close(disk.fd);
	unlink(name);
	memory_destroy(&m);
	return 0;
}

static unsigned pieces;

static struct vring_desc *descriptor(unsigned i)
{
	return (struct vring_desc *)(m.base + q->vq.gpa) + i;
}

static uint16_t *avail(void)
{
	return (uint16_t *)(m.base + q->vq.gpa + 0x1000);
}

static uint16_t used_idx(void)
{
	return ((uint16_t *)(m.base + q->vq.gpa + 0x2000))[1];
}

static uint32_t used_len(void)
{
	uint32_t len;

	memcpy(&len, m.base + q->vq.gpa + 0x2000 + 4 + 8 * ((used_idx() + 255) % 256) + 4, 4);
	return len;
}

static void piece(uint64_t gpa, uint32_t len, uint16_t flags)
{
	*descriptor(pieces) = (struct vring_desc){ gpa, len, flags, 0 };
	if (pieces) {
		descriptor(pieces - 1)->flags |= VRING_DESC_F_NEXT;
		descriptor(pieces - 1)->next = (uint16_t)pieces;
	}
	pieces++;
}

static void head(uint32_t type, uint64_t sector)
{
	uint32_t priority = 0;

	memcpy(m.base + HEAD, &type, 4);
	memcpy(m.base + HEAD + 4, &priority, 4);
	memcpy(m.base + HEAD + 8, &sector, 8);
}

static void offer(void)
{
	pieces = 0;
	avail()[2 + avail()[1] % 256] = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	avail()[1]++;
}

/* The chain as it is: returns the byte at STATUS, or -1 if nothing was given back. */
static int submit(void)
{
	uint16_t before = used_idx();

	m.base[STATUS] = 0x77;
	offer();
	queue_serve(q);
	return used_idx() == before ? -1 : m.base[STATUS];
}

/* A request as Linux makes them. */
static int request(uint32_t type, uint64_t sector, uint32_t bytes)
{
	bool write = type & 1;

	head(type, sector);
	piece(HEAD, 16, 0);
	if (bytes)
		piece(DATA, bytes, write ? 0 : VRING_DESC_F_WRITE);
	piece(STATUS, 1, VRING_DESC_F_WRITE);
	return submit();
}

/* ---- What it looks like ---- */

static void descriptor_page(void **state)
{
	static const uint8_t want[33 + 1] = {
		2, 1, 2, 16, 3,
		0x00, 0x01, 1, 0, 0x01, 0x04, 0, 0,
		0x04, 0x02, 0, 2,
		SECTORS, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 254, 0, 0, 0,
		0,
	};

	(void)state;
	assert_memory_equal(desc_page(), want, sizeof(want));
}

static void descriptor_page_of_a_read_only_one(void **state)
{
	(void)state;
	make_file(BYTES);
	plug_in(true);
	assert_int_equal(desc_page()[13], 0x24);
	assert_int_equal(desc_page()[14], 0x02);
	tear_down(NULL);
}

static void odd_size(void **state)
{
	(void)state;
	make_file(BYTES + 511);
	plug_in(false);
	assert_int_equal(disk.sectors, SECTORS);
	assert_int_equal(request(0, SECTORS, 512), 1);
	assert_int_equal(request(0, SECTORS - 1, 512), 0);
	tear_down(NULL);
}

/* ---- Good requests ---- */

static void reads(void **state)
{
	(void)state;
	assert_int_equal(request(0, 5, 1024), 0);
	assert_int_equal(used_len(), 1025);
	for (unsigned i = 0; i < 1024; i++)
		assert_int_equal(m.base[DATA + i], (uint8_t)((5 * 512 + i) / 512 + 5 * 512 + i));
	assert_int_equal(m.base[DATA + 1024], 0);
}

static void writes(void **state)
{
	(void)state;
	memset(m.base + DATA, 0xcd, 1536);
	assert_int_equal(request(1, 61, 1536), 0);
	assert_int_equal(used_len(), 1);
	assert_int_equal(file_byte(61 * 512 - 1), (uint8_t)(60 + 61 * 512 - 1));
	assert_int_equal(file_byte(61 * 512), 0xcd);
	assert_int_equal(file_byte(64 * 512 - 1), 0xcd);
	assert_int_equal(syncs, 0);
}

static void flushes(void **state)
{
	(void)state;
	assert_int_equal(request(4, 0, 0), 0);
	assert_int_equal(syncs, 1);
	assert_int_equal(used_len(), 1);
	fail_with = EIO;
	assert_int_equal(request(4, 0, 0), 1);
}

/* Who cannot flush gets every write flushed. */
static void without_flush(void **state)
{
	(void)state;
	set_status(0);
	set_status(3);
	assert_int_equal(request(1, 0, 512), 0);
	assert_int_equal(syncs, 1);
	assert_int_equal(request(0, 0, 512), 0);
	assert_int_equal(syncs, 1);
}

static void id(void **state)
{
	(void)state;
	memset(m.base + DATA, 0xee, 64);
	head(8, 0);
	piece(HEAD, 16, 0);
	piece(DATA, 20, VRING_DESC_F_WRITE);
	piece(STATUS, 1, VRING_DESC_F_WRITE);
	assert_int_equal(submit(), 0);
	assert_memory_equal(m.base + DATA, name + 5, 19);	/* lg-test-disk-XXXXXX */
	assert_int_equal(m.base[DATA + 19], 0);
	assert_int_equal(m.base[DATA + 20], 0xee);
	assert_int_equal(used_len(), 21);
	/* less room, and more */
	memset(m.base + DATA, 0xee, 64);
	assert_int_equal(request(8, 0, 3), 0);
	assert_memory_equal(m.base + DATA, "lg-\xee", 4);
	assert_int_equal(used_len(), 4);
	assert_int_equal(request(8, 0, 60), 0);
	assert_int_equal(m.base[DATA + 20], 0xee);
	assert_int_equal(request(8, 0, 0), 0);
}

static void barrier(void **state)
{
	(void)state;
	memset(m.base + DATA, 0xab, 512);
	assert_int_equal(request(0x80000001, 3, 512), 0);
	assert_int_equal(file_byte(3 * 512), 0xab);
	assert_int_equal(request(0x80000000, 4, 512), 0);
	assert_int_equal(m.base[DATA], (uint8_t)(4 + 4 * 512));
}

static void nothing_to_move(void **state)
{
	(void)state;
	assert_int_equal(request(0, 0, 0), 0);
	assert_int_equal(request(1, SECTORS, 0), 0);
	assert_int_equal(request(1, SECTORS + 1, 0), 1);
}

/* Where one buffer ends and the next begins must not matter. */
static void other_cuts(void **state)
{
	uint8_t *all = m.base + 0x30000;

	(void)state;
	/* head and data in one, in three, with empty ones between */
	head(1, 7);
	memcpy(all, m.base + HEAD, 16);
	memset(all + 16, 0x5a, 512);
	piece(0x30000, 16 + 512, 0);
	piece(STATUS, 1, VRING_DESC_F_WRITE);
	assert_int_equal(submit(), 0);
	assert_int_equal(file_byte(7 * 512), 0x5a);
	assert_int_equal(file_byte(8 * 512 - 1), 0x5a);

	head(1, 8);
	memset(m.base + DATA, 0x5b, 512);
	piece(0, 0, 0);
	piece(HEAD, 3, 0);
	piece(0, 0, 0);
	piece(HEAD + 3, 13, 0);
	piece(0, 0, 0);
	piece(DATA, 100, 0);
	piece(DATA + 100, 412, 0);
	piece(0, 0, 0);
	piece(0, 0, VRING_DESC_F_WRITE);
	piece(STATUS, 1, VRING_DESC_F_WRITE);
	piece(0, 0, VRING_DESC_F_WRITE);
	assert_int_equal(submit(), 0);
	assert_int_equal(file_byte(8 * 512), 0x5b);
	assert_int_equal(file_byte(9 * 512 - 1), 0x5b);

	/* data and status in one */
	head(0, 8);
	memset(all, 0, 1024);
	piece(HEAD, 16, 0);
	piece(0x30000, 1, VRING_DESC_F_WRITE);
	piece(0x30001, 512, VRING_DESC_F_WRITE);
	all[512] = 0x77;
	submit();
	assert_int_equal(all[0], 0x5b);
	assert_int_equal(all[511], 0x5b);
	assert_int_equal(all[512], 0);
	assert_int_equal(all[513], 0);
	assert_int_equal(used_len(), 513);
}

/* ---- Bad requests: status 1 or 2, and nothing else happens ---- */

static void refused(uint32_t type, uint64_t sector, uint32_t bytes, int status)
{
	int got;

	memset(m.base + DATA, 0xcd, 4096);
	moves = 0;
	got = request(type, sector, bytes);
	assert_int_equal(moves, 0);		/* not even tried */
	if (got != status)
		fail_msg("type %u, sector %llu, %u bytes: status %d", type,
			 (unsigned long long)sector, bytes, got);
	assert_int_equal(used_len(), 1);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(m.base[DATA + i], 0xcd);
	for (unsigned i = 0; i < BYTES; i += 512)
		assert_int_equal(file_byte(i), (uint8_t)(i / 512 + i));
	assert_false(dev->broken);
}

static void out_of_range(void **state)
{
	static const struct { uint64_t sector; uint32_t bytes; } bad[] = {
		{ SECTORS, 512 }, { SECTORS - 1, 1024 }, { SECTORS + 1, 512 }, { 0, BYTES + 512 },
		{ UINT64_MAX, 512 }, { UINT64_MAX - 1, 1024 }, { 0u - 2048ull, 512 },
		{ 1ull << 55, 512 }, { 1ull << 32, 512 }, { (1ull << 55) + 3, 512 },
		{ 1ull << 63, 512 }, { UINT64_MAX, 4096 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		refused(0, bad[i].sector, bad[i].bytes, 1);
		refused(1, bad[i].sector, bad[i].bytes, 1);
	}
}

static void misaligned(void **state)
{
	static const uint32_t bad[] = { 1, 511, 513, 1023, 4095 };

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		refused(0, 1, bad[i], 1);
		refused(1, 1, bad[i], 1);
	}
}

static void unsupported(void **state)
{
	static const uint32_t bad[] = { 2, 3, 6, 7, 9, 10, 11, 12, 13, 16, 17, 0x40000000,
					0x7fffffff, 0xffffffff, 0x100, 0x80000002 };

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i], 1, 512, 2);
	assert_int_equal(syncs, 0);
}

static void read_only(void **state)
{
	(void)state;
	make_file(BYTES);
	plug_in(true);
	refused(1, 1, 512, 1);
	assert_int_equal(request(0, 1, 512), 0);
	assert_int_equal(request(4, 0, 0), 0);
	tear_down(NULL);
}

/* ---- The Host's troubles ---- */

static void short_moves(void **state)
{
	(void)state;
	random_start("short_moves");
	memset(m.base + DATA, 0x11, 4096);
	at_most = 700;
	interrupts = 3;
	assert_int_equal(request(1, 10, 4096), 0);
	memset(m.base + DATA, 0x22, 4097);
	interrupts = 3;
	assert_int_equal(request(0, 10, 4096), 0);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(m.base[DATA + i], 0x11);
	assert_int_equal(m.base[DATA + 4096], 0x22);
	assert_int_equal(file_byte(18 * 512 - 1), 0x11);
	assert_int_equal(file_byte(18 * 512), (uint8_t)(18 + 18 * 512));
}

static void full_disk(void **state)
{
	static const int errors[] = { ENOSPC, EIO, EDQUOT };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		fail_with = errors[i];
		assert_int_equal(request(1, 0, 512), 1);
		assert_int_equal(request(0, 0, 512), 1);
		assert_int_equal(used_len(), 1);
	}
	fail_with = 0;
	assert_int_equal(request(1, 0, 512), 0);
}

/* The real thing, and with a signal that would end us: SIGXFSZ. */
static void larger_than_allowed(void **state)
{
	struct rlimit old, small;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 8 * 512;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(request(1, 20, 512), 1);
	assert_int_equal(request(1, 7, 1024), 1);	/* half of it fits */
	assert_int_equal(request(1, 7, 512), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(request(1, 20, 512), 0);
}

static void somebody_cuts_the_file(void **state)
{
	(void)state;
	assert_int_equal(truncate(name, 10 * 512 + 100), 0);
	assert_int_equal(request(0, 10, 512), 1);
	assert_int_equal(request(0, 20, 512), 1);
	assert_int_equal(request(0, 9, 1024), 1);	/* part of it is there */
	assert_int_equal(used_len(), 1);
	assert_int_equal(request(0, 9, 512), 0);
}

/* ---- Chains that are no requests: the device is out until it is reset ---- */

static void expect_broken(const char *says)
{
	assert_int_equal(submit(), -1);
	assert_true(dev->broken);
	if (!strstr(q->vq.error, says))
		fail_msg("'%s' does not say '%s'", q->vq.error, says);
	assert_int_equal(request(0, 0, 512), -1);
	set_status(0);
	set_status(3);
	assert_int_equal(request(0, 0, 512), 0);
}

static void no_requests(void **state)
{
	(void)state;
	head(0, 0);
	piece(HEAD, 15, 0);
	piece(STATUS, 1, VRING_DESC_F_WRITE);
	expect_broken("a request of 15 bytes");
	piece(HEAD, 0, 0);
	piece(STATUS, 1, VRING_DESC_F_WRITE);
	expect_broken("a request of 0 bytes");
	piece(DATA, 512, VRING_DESC_F_WRITE);
	piece(STATUS, 1, VRING_DESC_F_WRITE);
	expect_broken("a request of 0 bytes");
	piece(HEAD, 16, 0);
	expect_broken("without a byte for the status");
	piece(HEAD, 16, 0);
	piece(STATUS, 0, VRING_DESC_F_WRITE);
	piece(STATUS, 0, VRING_DESC_F_WRITE);
	expect_broken("without a byte for the status");
}

static void broken_rings(void **state)
{
	(void)state;
	piece(HEAD, 16, 0);
	piece(DATA, 512, VRING_DESC_F_WRITE);
	descriptor(1)->flags |= VRING_DESC_F_NEXT;	/* back to 0 */
	expect_broken("after one to be written");
	piece(HEAD, 16, VRING_DESC_F_NEXT);
	expect_broken("is a loop");
	piece(HEAD, 16, 0);
	piece(m.limit - 511, 512, VRING_DESC_F_WRITE);
	expect_broken("outside memory");
	piece(HEAD, 16, 0);
	piece(UINT64_MAX - 100, 512, VRING_DESC_F_WRITE);
	expect_broken("outside memory");
	piece(HEAD, 16, VRING_DESC_F_NEXT);
	descriptor(0)->next = 256;
	expect_broken("next is 256");
	avail()[1] = 400;
	expect_broken("more than the ring's 256");
	piece(HEAD, 16, VRING_DESC_F_INDIRECT);
	expect_broken("indirect");
}

/* Descriptors, head and index change while they are read, by a thread without rest. */
static atomic_bool stop;

static void *toggler(void *unused)
{
	volatile uint64_t *sector = (void *)(m.base + HEAD + 8);
	volatile uint32_t *type = (void *)(m.base + HEAD);

	(void)unused;
	for (unsigned i = 0; !stop; i++) {
		volatile struct vring_desc *d = descriptor(i % 3);

		*sector = i & 1 ? SECTORS - 1 : UINT64_MAX / 512 + i;
		*type = i & 2;
		d->addr = i & 4 ? HEAD : m.limit - 512;
		d->len = i & 8 ? 512 : i & 16 ? 1 : 1024;
		d->flags = (uint16_t)(i >> 5 & 3);
		d->next = (uint16_t)(i & 128 ? 1 : 2);
		/* and now and then a chain that is right */
		*descriptor(0) = (struct vring_desc){ HEAD, 16, VRING_DESC_F_NEXT, 1 };
		*descriptor(1) = (struct vring_desc){ DATA, 512, VRING_DESC_F_NEXT | (i & 2 ? 0 : 2), 2 };
		*descriptor(2) = (struct vring_desc){ STATUS, 1, VRING_DESC_F_WRITE, 0 };
		*type = i & 256 ? 1 : 0;
	}
	return NULL;
}

static void changes_all_the_time(void **state)
{
	unsigned given_back = 0;
	pthread_t thread;

	(void)state;
	stop = false;
	assert_int_equal(pthread_create(&thread, NULL, toggler, NULL), 0);
	/* On a busy machine the other thread may come late. */
	for (unsigned i = 0; i < 20000 || (given_back <= 100 && i < 5000000); i++) {
		if (dev->broken) {
			dev->broken = false;
			q->vq.error[0] = '\0';
			q->vq.next_avail = avail()[1];
		}
		offer();
		pthread_mutex_lock(&q->lock);		/* as queue_serve(), but silently */
		q->serve(q);
		if (q->vq.error[0])
			dev->broken = true;
		else
			given_back++;
		pthread_mutex_unlock(&q->lock);
	}
	stop = true;
	pthread_join(thread, NULL);
	assert_true(given_back > 100);
	assert_false(strayed);
}

/* ---- Against a plain file: random requests in random pieces ---- */

static uint8_t plain[BYTES];

static void cut_up(uint32_t gpa, uint32_t bytes, uint16_t flags)
{
	while (bytes) {
		uint32_t part = below(3) ? bytes : 1 + below(bytes);

		if (pieces > 200)
			part = bytes;
		if (!below(8) && pieces < 200)
			piece(gpa, 0, flags);
		piece(gpa, part, flags);
		gpa += part;
		bytes -= part;
	}
}

static void like_a_plain_file(void **state)
{
	static uint8_t before[BYTES + 4096];
	int fd = open(name, O_RDONLY);

	(void)state;
	random_start("like_a_plain_file");
	assert_int_equal(pread(fd, plain, BYTES, 0), BYTES);
	for (unsigned round = 0; round < 4000; round++) {
		bool write = below(2), good;
		uint64_t sector = below(20) ? below(SECTORS + 2) : (uint64_t)random32() << below(33);
		uint32_t bytes = below(20) ? 512 * below(12) : below(5000);
		int want, got;

		good = bytes % 512 == 0 && sector <= SECTORS && bytes / 512 <= SECTORS - sector;
		want = good ? 0 : 1;
		at_most = below(2) ? 0 : 1 + below(1500);
		interrupts = below(4) ? 0 : 1;
		for (unsigned i = 0; i < bytes; i += 4) {
			uint32_t r = random32();

			memcpy(m.base + DATA + i, &r, 4);
		}
		memcpy(before, m.base + DATA, bytes + 8);
		head(write, sector);
		cut_up(HEAD, 16, 0);
		cut_up(DATA, bytes, write ? 0 : VRING_DESC_F_WRITE);
		piece(STATUS, 1, VRING_DESC_F_WRITE);
		got = submit();
		if (got != want)
			fail_msg("round %u: %s of %u bytes at %llu: status %d", round,
				 write ? "write" : "read", bytes, (unsigned long long)sector, got);
		assert_int_equal(used_len(), good && !write ? bytes + 1 : 1);
		if (good && write)
			memcpy(plain + sector * 512, before, bytes);
		else if (good)
			memcpy(before, plain + sector * 512, bytes);
		assert_memory_equal(m.base + DATA, before, bytes + 8);
		if (round % 64 == 0 || (good && write)) {
			static uint8_t now[BYTES];

			assert_int_equal(pread(fd, now, BYTES, 0), BYTES);
			assert_memory_equal(now, plain, BYTES);
		}
	}
	close(fd);
}

/* ---- The thread ---- */

static void wait_irq(void)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 20;
	assert_int_equal(sem_timedwait(&irq, &end), 0);
}

static void served_by_its_thread(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 300; i++) {		/* around the ring */
		head(0, i % SECTORS);
		piece(HEAD, 16, 0);
		piece(DATA, 512, VRING_DESC_F_WRITE);
		piece(STATUS, 1, VRING_DESC_F_WRITE);
		offer();
		eventfd_write(q->kick_fd, 1);
		wait_irq();
		assert_int_equal(used_idx(), i);
		assert_int_equal(m.base[DATA], (uint8_t)(i % SECTORS + i % SECTORS * 512));
	}
}

/* When a reset returns, nobody is inside any more, and nothing is written later. */
static void reset_waits(void **state)
{
	(void)state;
	slow = 200000;
	head(0, 1);
	piece(HEAD, 16, 0);
	piece(DATA, 512, VRING_DESC_F_WRITE);
	piece(STATUS, 1, VRING_DESC_F_WRITE);
	offer();
	eventfd_write(q->kick_fd, 1);
	while (!inside)
		usleep(1000);
	set_status(0);
	assert_int_equal(inside, 0);
	assert_int_equal(used_idx(), 0);
	slow = 0;
	eventfd_write(q->kick_fd, 1);		/* of no consequence */
	set_status(3);
	assert_int_equal(request(0, 0, 512), 0);
}

/* ---- Files that are no disks ---- */

static void refuses(const char *file, bool ro, const char *says)
{
	struct disk d;

	memset(&c, 0, sizeof(c));
	assert_int_equal(disk_open(&d, file, ro, &c), STATUS_BAD_DISK);
	assert_int_equal(c.status, 24);
	assert_int_equal(d.fd, -1);
	if (!strstr(c.text, says) || strncmp(c.text, file, strlen(file)))
		fail_msg("%s: '%s' does not say '%s'", file, c.text, says);
}

static void no_disks(void **state)
{
	char pipe[80];

	(void)state;
	refuses("/no/such/disk", false, "No such file");
	refuses("/no/such/disk,rw", false, "expected --block=FILE or --block=FILE,ro");
	refuses("/tmp", false, "directory");
	refuses("/tmp", true, "regular file");
	refuses("/dev/null", false, "regular file");
	make_file(0);
	refuses(name, false, "has 0 bytes; expected at least one sector");
	refuses(name, true, "has 0 bytes");
	unlink(name);
	snprintf(pipe, sizeof(pipe), "%s.pipe", name);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	refuses(pipe, false, "regular file");
	refuses(pipe, true, "regular file");
	unlink(pipe);
	make_file(511);
	refuses(name, false, "has 511 bytes");
	unlink(name);
	make_file(512);
	assert_int_equal(disk_open(&disk, name, false, &c), 0);
	assert_int_equal(disk.sectors, 1);
	close(disk.fd);
	unlink(name);
}

static void one_writer(void **state)
{
	char other[80];
	struct disk a, b;

	(void)state;
	make_file(BYTES);
	snprintf(other, sizeof(other), "%s.link", name);
	assert_int_equal(link(name, other), 0);
	assert_int_equal(disk_open(&a, name, false, &c), 0);
	refuses(name, false, "in use");
	refuses(name, true, "nobody to write");
	refuses(other, false, "in use");
	close(a.fd);
	assert_int_equal(disk_open(&a, name, true, &c), 0);
	assert_int_equal(disk_open(&b, other, true, &c), 0);	/* readers may be many */
	refuses(name, false, "to be alone");
	close(a.fd);
	refuses(name, false, "in use");
	close(b.fd);
	assert_int_equal(disk_open(&a, name, false, &c), 0);
	assert_false(a.read_only);
	close(a.fd);
	unlink(other);
	unlink(name);
}

static void files_that_cannot_be_written(void **state)
{
	(void)state;
	make_file(BYTES);
	assert_int_equal(chmod(name, 0444), 0);
	assert_int_equal(disk_open(&disk, name, false, &c), 0);
	assert_true(disk.read_only);
	assert_int_equal(fcntl(disk.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	close(disk.fd);
	unlink(name);
}

#define ON_DISK(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DISK(descriptor_page), TEST(descriptor_page_of_a_read_only_one), TEST(odd_size),
		ON_DISK(reads), ON_DISK(writes), ON_DISK(flushes), ON_DISK(without_flush),
		ON_DISK(id), ON_DISK(barrier), ON_DISK(nothing_to_move), ON_DISK(other_cuts),
		ON_DISK(out_of_range), ON_DISK(misaligned), ON_DISK(unsupported), TEST(read_only),
		ON_DISK(short_moves), ON_DISK(full_disk), ON_DISK(larger_than_allowed),
		ON_DISK(somebody_cuts_the_file), ON_DISK(no_requests), ON_DISK(broken_rings),
		ON_DISK(changes_all_the_time), ON_DISK(like_a_plain_file),
		ON_DISK(served_by_its_thread), ON_DISK(reset_waits),
		TEST(no_disks), TEST(one_writer), TEST(files_that_cannot_be_written),
	};

	return cmocka_run_group_tests_name("block", tests, NULL, NULL);
}
