// SPDX-License-Identifier: MIT
/*L:820 A Guest in a file
 *
 * A Guest is memory, a CPU and some devices.  The memory is ours.  What the CPU has is in
 * one structure that the Host hands out, and takes back (H:790).  Of a device we only know
 * how far it is in its rings: the rings themselves lie in Guest memory.  And that is all
 * there is to a snapshot:
 *
 *	head		magic, versions, sizes, the command line
 *	state		what the Host knows
 *	devices		one record for each, in the order of the bus
 *	keys		that were typed and not yet asked for
 *	memory		runs of pages: first page, how many, contents; 0, 0 ends it
 *	sum		CRC-32 of all before
 *
 * A page of zeroes is not written: fresh memory is zero.  Most of a small Guest is.
 *
 * Whoever can hand you a file can hand you a bad one.  The sum finds accidents: a cut, a
 * bit that flipped.  It does not find malice, for anybody can compute it.  So nothing in
 * here is believed beyond that: what is too large is refused, what the Guest is said to
 * have is compared with what it has here, and the Host looks through its part once more.
 * There is one thing that a snapshot may not do, and that is open files.  It names its
 * disks, for people; which file is a disk, you say, and not the snapshot.
 :*/
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher.h"

#define MAGIC		"lguest\x1a\n"
#define VERSION		1
#define CONFIG_MAX	32
#define PIECE		(64u * 1024)

struct head {
	char magic[8];
	uint32_t version;
	uint32_t interface;		/* LG_INTERFACE: the state's form */
	uint64_t bytes;			/* of the file, sum included */
	uint32_t memory;		/* MiB */
	uint32_t pages;			/* with the devices' page and rings */
	uint32_t devices;
	uint32_t keys;			/* bytes */
	struct fingerprint kernel;	/* bytes 0: not known */
	char command_line[COMMAND_LINE_MAX + 1];
};

struct saved_device {
	uint8_t type, queues, feature_len, config_len;
	uint8_t offered[FEATURE_BYTES];
	uint8_t config[CONFIG_MAX];
	uint32_t desc;
	uint32_t contents;		/* struct device, ->contents */
	uint32_t accepted;
	uint8_t started, broken;
	uint16_t next_avail[DEVICE_QUEUES], next_used[DEVICE_QUEUES];
	char name[SAVED_NAME];
	uint16_t reserved;
};

struct run {
	uint32_t first, pages;
};

_Static_assert(sizeof(struct head) == 56 + COMMAND_LINE_MAX + 1, "no holes in the file");
_Static_assert(sizeof(struct saved_device) == 72 + SAVED_NAME, "no holes in the file");

/*L:822 One number for many bytes
 * CRC-32, as Ethernet and gzip have it: the remainder of a division, with polynomials for
 * numbers and exclusive or for a difference.  It finds every single bit that is wrong, and
 * every burst of up to 32.
 *
 * table[0][b] is what a byte b adds to the remainder, table[k][b] what it adds with k bytes
 * of zeroes behind it.  As nothing carries in such an addition, eight bytes can be looked
 * up at once.
 */
static uint32_t table[8][256];

static void make_table(void)
{
	for (unsigned b = 0; b < 256; b++) {
		table[0][b] = b;
		for (unsigned bit = 0; bit < 8; bit++)
			table[0][b] = table[0][b] >> 1 ^ (table[0][b] & 1 ? 0xedb88320u : 0);
	}
	for (unsigned k = 1; k < 8; k++)
		for (unsigned b = 0; b < 256; b++)
			table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 0xff];
}

uint32_t snapshot_sum(uint32_t sum, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint64_t eight;

	if (!table[0][1])
		make_table();
	for (sum = ~sum; n >= 8; n -= 8, p += 8) {
		memcpy(&eight, p, 8);
		eight ^= sum;
		sum = 0;
		for (unsigned k = 0; k < 8; k++)
			sum ^= table[7 - k][eight >> 8 * k & 0xff];
	}
	for (; n; n--, p++)
		sum = sum >> 8 ^ table[0][(sum ^ *p) & 0xff];
	return ~sum;
}

bool snapshot_fingerprint(int fd, struct fingerprint *f)
{
	static uint8_t piece[PIECE];
	off_t size = lseek(fd, 0, SEEK_END);
	uint64_t done, n;

	if (size < 0)
		return false;
	*f = (struct fingerprint){ .bytes = (uint64_t)size };
	for (done = 0; done < f->bytes; done += n) {
		n = f->bytes - done < PIECE ? f->bytes - done : PIECE;
		if (!read_exactly(fd, piece, n, done))
			return false;
		f->sum = snapshot_sum(f->sum, piece, n);
	}
	return true;
}
/*:*/

/*L:824 Out
 * By the time that we are asked to, nothing can be opened any more (sandbox.c): the file
 * is open, and what was in it goes now.  If it cannot be written to the end, it has no
 * sum, and nobody will take it for a snapshot.
 */
struct sink {
	int fd;
	uint64_t at;
	uint32_t sum;
	int error;			/* errno, 0: all is well */
};

static void put(struct sink *s, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	s->sum = s->error ? s->sum : snapshot_sum(s->sum, p, n);
	while (n && !s->error) {
		ssize_t done = pwrite(s->fd, p, n, (off_t)s->at);

		if (done <= 0) {
			s->error = done == 0 ? ENOSPC : errno == EINTR ? 0 : errno;
			continue;
		}
		p += done;
		n -= (size_t)done;
		s->at += (uint64_t)done;
	}
}

static bool is_zero(const uint8_t *page)
{
	static const uint8_t zeroes[PAGE_SIZE];

	return !memcmp(page, zeroes, PAGE_SIZE);
}

static bool record_of(struct device *dev, struct saved_device *r)
{
	*r = (struct saved_device){
		.type = dev->type, .queues = (uint8_t)dev->queues, .feature_len = dev->feature_len,
		.config_len = dev->config_len, .desc = dev->desc, .accepted = dev->accepted,
		.started = dev->started, .broken = dev->broken,
	};
	if (dev->config_len > CONFIG_MAX)
		die(STATUS_INTERNAL, "%s: its configuration is too long for a snapshot", dev->name);
	memcpy(r->offered, dev->offered, sizeof(r->offered));
	if (dev->config_len)
		memcpy(r->config, dev->config, dev->config_len);
	snprintf(r->name, sizeof(r->name), "%s", dev->name);
	for (unsigned i = 0; i < dev->queues; i++) {
		r->next_avail[i] = dev->queue[i].vq.next_avail;
		r->next_used[i] = dev->queue[i].vq.next_used;
	}
	return !dev->contents || dev->contents(dev, &r->contents);
}

/*
 * snapshot_write: the parts, one behind the other, as L:820 has them.  A file that was longer
 * before is not longer afterwards.  In a run no page is zero, and between two of them there
 * is one that is.  `from` gives kernel, command_line and state; all else is the bus's, and its
 * memory's.  Returns 0 or an errno; *pages: how many were written.
 */
/* LAB 11.5 BEGIN: out */
/* The next pages from `from` on that are not zero; none: pages 0. */
static struct run next_run(const struct guest_memory *m, uint32_t from)
{
	uint32_t end = (uint32_t)(m->limit / PAGE_SIZE);
	struct run run = { .first = from };

	while (run.first < end && is_zero(m->base + (uint64_t)run.first * PAGE_SIZE))
		run.first++;
	while (run.first + run.pages < end &&
	       !is_zero(m->base + (uint64_t)(run.first + run.pages) * PAGE_SIZE))
		run.pages++;
	return run.pages ? run : (struct run){ 0, 0 };
}

static void put_memory(struct sink *s, const struct guest_memory *m)
{
	struct run run = { 0, 0 };

	do {
		run = next_run(m, run.first + run.pages);
		put(s, &run, sizeof(run));
		put(s, m->base + (uint64_t)run.first * PAGE_SIZE, (size_t)run.pages * PAGE_SIZE);
	} while (run.pages && !s->error);
}

int snapshot_write(int fd, const struct snapshot *from, const struct bus *bus,
		   const char *keys, size_t key_bytes, uint32_t *pages)
{
	struct sink sink = { .fd = fd };
	struct saved_device record[BUS_DEVICES];
	struct head head = {
		.magic = MAGIC, .version = VERSION, .interface = LG_INTERFACE,
		.memory = (uint32_t)(bus->mem->ram / MIB),
		.pages = (uint32_t)(bus->mem->limit / PAGE_SIZE),
		.devices = bus->devices, .keys = (uint32_t)key_bytes, .kernel = from->kernel,
	};

	memcpy(head.command_line, from->command_line, strlen(from->command_line));
	for (unsigned i = 0; i < bus->devices; i++)
		if (!record_of(bus->device[i], &record[i]))
			return errno ? errno : EIO;
	head.bytes = sizeof(head) + sizeof(from->state) + bus->devices * sizeof(record[0]) +
		     key_bytes + sizeof(struct run) + sizeof(sink.sum);
	*pages = 0;
	for (struct run r = next_run(bus->mem, 0); r.pages; r = next_run(bus->mem, r.first + r.pages)) {
		head.bytes += sizeof(r) + (uint64_t)r.pages * PAGE_SIZE;
		*pages += r.pages;
	}
	if (ftruncate(fd, 0) < 0)
		return errno;
	put(&sink, &head, sizeof(head));
	put(&sink, &from->state, sizeof(from->state));
	put(&sink, record, bus->devices * sizeof(record[0]));
	put(&sink, keys, key_bytes);
	put_memory(&sink, bus->mem);
	put(&sink, &(uint32_t){ sink.sum }, sizeof(sink.sum));
	return sink.error;
}
/* LAB 11.5 END */
/*:*/

/*L:826 In
 * All that can be checked without a Guest is checked first of all, together with the other
 * things that you typed (L:110).  Memory is not read then, only its outline.
 */
static int damaged(const struct snapshot *s, struct complaint *c, const char *what,
		   const char *expected)
{
	return complain(c, STATUS_NOT_KERNEL, "%s: not a sound snapshot: %s; expected %s", s->name,
			what, expected);
}

/*
 * check_whole: `size` bytes are there, *h is the head that they begin with.  Magic, length,
 * sum and version, in this order.  read_parts: fills in *s.  What is promised of it when
 * this returns 0: memory is 1 to MEMORY_MAX, pages at least a page more and no more than there
 * can be; devices and keys are no more than there is room for; command_line has an end; the
 * runs are in order, inside `pages`, and end where the sum begins.  Both return 0 or a
 * status, STATUS_NOT_KERNEL, with a sentence that damaged() begins.  A file that has lost its
 * end "was cut short".
 */
/* LAB 11.6 BEGIN: in */
static int check_whole(struct snapshot *s, const struct head *h, uint64_t size,
		       struct complaint *c)
{
	static uint8_t piece[PIECE];
	uint64_t end = size - sizeof(uint32_t), done, n;
	uint32_t sum = 0, said;
	char text[80];

	if (memcmp(h->magic, MAGIC, sizeof(h->magic)))
		return damaged(s, c, "it begins with other bytes", "what --save=FILE wrote");
	if (h->bytes != size) {
		snprintf(text, sizeof(text), "it has %" PRIu64 " bytes", size);
		return complain(c, STATUS_NOT_KERNEL, "%s: not a sound snapshot: %s; expected %" PRIu64
				": it was cut short, or something was added", s->name, text, h->bytes);
	}
	for (done = 0; done < end; done += n) {
		n = end - done < PIECE ? end - done : PIECE;
		if (!read_exactly(s->fd, piece, n, done))
			return damaged(s, c, errno ? strerror(errno) : "it has become shorter",
				       "a file that can be read");
		sum = snapshot_sum(sum, piece, n);
	}
	if (!read_exactly(s->fd, &said, sizeof(said), end) || said != sum) {
		snprintf(text, sizeof(text), "the sum of its bytes is %08x", sum);
		return complain(c, STATUS_NOT_KERNEL, "%s: not a sound snapshot: %s; expected %08x: "
				"bytes have changed", s->name, text, said);
	}
	if (h->version != VERSION || h->interface != LG_INTERFACE)
		return complain(c, STATUS_NOT_KERNEL, "%s: a snapshot of version %u.%u; this Launcher "
				"expected %d.%d: one of its own", s->name, h->version, h->interface,
				VERSION, LG_INTERFACE);
	return 0;
}

/* Where the runs are, and that all of them are in memory and in order. */
static bool memory_is_sound(const struct snapshot *s)
{
	uint64_t at = s->memory_at, end = s->bytes - sizeof(uint32_t), next = 0;
	struct run run;

	for (;;) {
		if (end - at < sizeof(run) || !read_exactly(s->fd, &run, sizeof(run), at))
			return false;
		at += sizeof(run);
		if (!run.pages)
			return at == end;
		if (run.first < next || run.pages > s->pages || run.first > s->pages - run.pages ||
		    (uint64_t)run.pages * PAGE_SIZE > end - at)
			return false;
		next = (uint64_t)run.first + run.pages;
		at += (uint64_t)run.pages * PAGE_SIZE;
	}
}

static int read_parts(struct snapshot *s, const struct head *h, struct complaint *c)
{
	uint64_t at = sizeof(*h), rest = s->bytes - sizeof(*h) - sizeof(uint32_t);
	uint64_t fixed = sizeof(s->state) + (uint64_t)h->devices * sizeof(struct saved_device) +
			 h->keys;

	if (h->memory < 1 || h->memory > MEMORY_MAX || h->devices > BUS_DEVICES ||
	    h->keys > KEYS_MAX || h->pages > memory_pages_most(h->memory) ||
	    h->pages <= h->memory * (MIB / PAGE_SIZE) || fixed > rest ||
	    h->command_line[COMMAND_LINE_MAX])
		return damaged(s, c, "a number in its head is impossible", "what --save=FILE wrote");
	s->memory = h->memory;
	s->pages = h->pages;
	s->devices = h->devices;
	s->keys = h->keys;
	s->kernel = h->kernel;
	memcpy(s->command_line, h->command_line, sizeof(s->command_line));
	s->device = calloc(h->devices + 1, sizeof(*s->device));
	s->key = malloc(h->keys + 1);
	if (!s->device || !s->key)
		die(STATUS_INTERNAL, "out of memory");
	s->memory_at = at + fixed;
	if (!read_exactly(s->fd, &s->state, sizeof(s->state), at) ||
	    !read_exactly(s->fd, s->device, h->devices * sizeof(*s->device), at += sizeof(s->state)) ||
	    !read_exactly(s->fd, s->key, h->keys, at += h->devices * sizeof(*s->device)) ||
	    !memory_is_sound(s))
		return damaged(s, c, "its parts do not fit together", "what --save=FILE wrote");
	return 0;
}
/* LAB 11.6 END */
/*:*/

/*L:827 Which file?
 * One that a person named: it may be a folder, a pipe, or somebody's holiday pictures.
 */
int snapshot_open(struct snapshot *s, const char *name, struct complaint *c)
{
	struct head h;
	struct stat st;
	int status;

	memset(s, 0, sizeof(*s));
	s->name = name;
	/* O_NONBLOCK: open() of a named pipe would wait for a writer. */
	s->fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (s->fd < 0)
		return complain(c, STATUS_NO_KERNEL, "%s: cannot read the snapshot: %s", name,
				strerror(errno));
	if (fstat(s->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return complain(c, STATUS_NOT_REGULAR, "%s: %s; expected a snapshot, which is a file",
				name, S_ISDIR(st.st_mode) ? "a directory" : "not a regular file");
	s->bytes = (uint64_t)st.st_size;
	if (s->bytes < sizeof(h) + sizeof(s->state) + sizeof(struct run) + sizeof(uint32_t) ||
	    !read_exactly(s->fd, &h, sizeof(h), 0)) {
		char text[64];

		snprintf(text, sizeof(text), "it has %" PRIu64 " bytes", s->bytes);
		return damaged(s, c, text, "more: it was cut short, or is none");
	}
	status = check_whole(s, &h, s->bytes, c);
	return status ? status : read_parts(s, &h, c);
}

int snapshot_same_kernel(const struct snapshot *s, const struct image *img, struct complaint *c)
{
	struct fingerprint f;

	if (!snapshot_fingerprint(img->fd, &f))
		return complain(c, STATUS_NO_KERNEL, "%s: cannot read the kernel: %s", img->name,
				strerror(errno));
	if (s->kernel.bytes && (f.bytes != s->kernel.bytes || f.sum != s->kernel.sum))
		return complain(c, STATUS_NOT_KERNEL, "%s: another kernel (%" PRIu64 " bytes, sum %08x) "
				"than the one in %s; expected %" PRIu64 " bytes, sum %08x", img->name,
				f.bytes, f.sum, s->name, s->kernel.bytes, s->kernel.sum);
	return 0;
}
/*:*/

/*L:828 Is this the same computer?
 * The Guest has looked at its devices long ago, and will not look again: it knows their
 * rings, their interrupts, how many sectors a disk has.  So they must be what they were, in
 * the same order.  And a disk must hold what it held.  A file system that comes back to a
 * disk that somebody has written to meanwhile has half of its truth in memory and half
 * out there, and destroys both.
 */
static const char *list(const struct snapshot *s, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < s->devices && n < size; i++)
		n += (size_t)snprintf(text + n, size - n, "%s%.*s", i ? ", " : "", SAVED_NAME,
				      s->device[i].name);
	for (char *p = text; *p; p++)		/* somebody else's words, on your terminal */
		if (!isprint((unsigned char)*p))
			*p = '?';
	return text;
}

static bool same_device(const struct saved_device *a, const struct saved_device *b)
{
	return a->type == b->type && a->queues == b->queues && a->feature_len == b->feature_len &&
	       a->config_len == b->config_len && a->desc == b->desc &&
	       !memcmp(a->offered, b->offered, sizeof(a->offered)) &&
	       !memcmp(a->config, b->config, sizeof(a->config));
}

static int take_device(const struct snapshot *s, const struct saved_device *r, struct device *dev,
		       struct complaint *c)
{
	struct saved_device here;
	uint32_t offered;
	char text[300];

	if (!record_of(dev, &here))
		return complain(c, STATUS_BAD_DISK, "%s: cannot be read: %s", dev->name,
				strerror(errno));
	if (!same_device(r, &here))
		return complain(c, STATUS_NOT_KERNEL, "%s: its Guest has other devices than this: '%s'; "
				"expected the --block, --net and --rng of then, in that order: %s",
				s->name, dev->name, list(s, text, sizeof(text)));
	if (r->contents != here.contents)
		return complain(c, STATUS_BAD_DISK, "%s: it has changed since the Guest was saved in %s "
				"(its sum is %08x, expected %08x), and the Guest does not know; expected "
				"the disk as it was then", dev->name, s->name, here.contents, r->contents);
	memcpy(&offered, dev->offered, sizeof(offered));
	dev->accepted = r->accepted & offered;
	dev->started = r->started;
	dev->broken = r->broken;
	for (unsigned i = 0; i < dev->queues; i++) {
		dev->queue[i].vq.next_avail = r->next_avail[i];
		dev->queue[i].vq.next_used = r->next_used[i];
	}
	return 0;
}

/* Once more with all checks: the file may have changed since. */
static bool take_memory(const struct snapshot *s, const struct guest_memory *m)
{
	uint64_t at = s->memory_at, bytes;
	struct run run;
	void *to;

	for (;;) {
		if (!read_exactly(s->fd, &run, sizeof(run), at))
			return false;
		if (!run.pages)
			return true;
		bytes = (uint64_t)run.pages * PAGE_SIZE;
		to = memory_at(m, (uint64_t)run.first * PAGE_SIZE, bytes);
		if (!to || !read_exactly(s->fd, to, bytes, at += sizeof(run)))
			return false;
		at += bytes;
	}
}

int snapshot_load(const struct snapshot *s, struct bus *bus, struct complaint *c)
{
	char text[300];
	int status = 0;

	if (s->devices != bus->devices || s->pages != bus->mem->limit / PAGE_SIZE)
		return complain(c, STATUS_NOT_KERNEL, "%s: its Guest has %u devices, here are %u; "
				"expected the --block, --net and --rng of then, in that order: %s",
				s->name, s->devices, bus->devices, list(s, text, sizeof(text)));
	for (unsigned i = 0; !status && i < s->devices; i++)
		status = take_device(s, &s->device[i], bus->device[i], c);
	if (!status && !take_memory(s, bus->mem))
		status = damaged(s, c, "its memory cannot be read", "a file that nobody writes to");
	return status;
}
/*:*/
