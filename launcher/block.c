// SPDX-License-Identifier: MIT
/*L:720 A disk
 *
 * A disk is a file.  Sector n is the 512 bytes from n * 512 on, and that is the whole
 * format: what the Guest writes you can look at with the tools of the Host, while
 * the Guest is switched off, and the other way round.
 *
 * A request is one chain in the one queue.  Its outer ends are fixed, and what is
 * between them depends on what is wanted:
 *
 *	we read		type, priority, sector		16 bytes
 *			data, if it is a write
 *	we write	data, if it is a read
 *			status				the last byte of all
 *
 * How the Guest cuts these into buffers is its own affair.  Linux gives the first and
 * the last a buffer of their own; somebody else may put all of it into one.  So we
 * never ask "what is in descriptor 1?" but always "what are the first 16 bytes?".
 *
 * There are two ways to go wrong, and they have different ends.  A Guest that asks
 * for a sector that is not there has made a request that fails: status 1, and life
 * goes on, as it would with a real disk.  A Guest whose chain has no room for the
 * question or for the answer has not made a request at all.  That breaks the device.
 :*/
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher.h"

#define SECTOR		512u
#define ID_BYTES	20u
#define SEGMENTS	(VQ_NUM - 2)	/* the two ends take a descriptor each */

/* Feature bits (ABI.md section 8.5; virtio 0.9.5, appendix D). */
#define FEATURE_SEG_MAX	2
#define FEATURE_RO	5
#define FEATURE_FLUSH	9

/* Bits of a request's type; 0 is a read. */
#define TYPE_WRITE	0x1u
#define TYPE_SCSI	0x2u
#define TYPE_FLUSH	0x4u
#define TYPE_GET_ID	0x8u
#define TYPE_BARRIER	0x80000000u	/* one after the other: as we do it anyway */

enum { OK, IO_ERROR, UNSUPPORTED };	/* the status byte */

struct request {
	uint32_t type;
	uint32_t priority;
	uint64_t sector;
};

struct block {
	struct device dev;		/* must be the first */
	const struct disk *disk;
	bool has_failed;		/* the user was told once */
	char name[64];
	struct {
		uint64_t capacity;	/* sectors */
		uint32_t size_max;	/* not offered */
		uint32_t seg_max;
	} config;
};

_Static_assert(sizeof(struct request) == 16, "ABI.md section 8.5");
_Static_assert(sizeof(((struct block *)0)->config) == 16, "ABI.md section 8.5");

/*L:722 One writer
 * Two kernels that write to one disk destroy it: each has its own idea of what is
 * free, and keeps it in memory.  It takes a minute, and then nobody can say what
 * happened.  So who writes must be alone, while any number may read; flock() has
 * just these two kinds of lock.  It goes with the open file, not with its name, so a
 * link to the same file, or the same file twice on one command line, is noticed too.
 * And it goes away with us, even if we crash.
 */
static int lock(const struct disk *d, struct complaint *c)
{
	if (!flock(d->fd, (d->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB))
		return 0;
	if (errno == EWOULDBLOCK)
		return complain(c, STATUS_BAD_DISK, "%s: the disk is in use, by another Launcher or "
				"by another --block of this one; expected %s", d->name,
				d->read_only ? "nobody to write to it" :
				"to be alone (read-only disks, with ',ro', may be shared)");
	return complain(c, STATUS_BAD_DISK, "%s: the disk cannot be locked: %s", d->name,
			strerror(errno));
}
/*:*/

static int check_disk(struct disk *d, struct complaint *c)
{
	struct stat st;

	if (fstat(d->fd, &st) < 0)
		return complain(c, STATUS_BAD_DISK, "%s: cannot look at the disk: %s", d->name,
				strerror(errno));
	if (!S_ISREG(st.st_mode))
		return complain(c, STATUS_BAD_DISK, "%s: a disk must be a regular file", d->name);
	if (st.st_size < (off_t)SECTOR)
		return complain(c, STATUS_BAD_DISK, "%s: the disk has %" PRId64 " bytes; expected at "
				"least one sector of %u", d->name, (int64_t)st.st_size, SECTOR);
	d->sectors = (uint64_t)st.st_size / SECTOR;
	if (st.st_size % SECTOR)
		verbose("%s: the last %u bytes are not a whole sector: the Guest does not get them",
			d->name, (unsigned)(st.st_size % SECTOR));
	return lock(d, c);
}

/* root may write to any file: the permission bits still say what the owner meant. */
static bool nobody_may_write(const char *name)
{
	struct stat st;

	return !stat(name, &st) && S_ISREG(st.st_mode) && !(st.st_mode & 0222);
}

int disk_open(struct disk *d, const char *name, bool read_only, struct complaint *c)
{
	bool wish = read_only;
	int status;

	read_only |= nobody_may_write(name);
	/* O_NONBLOCK: open() of a named pipe would wait for the other end. */
	d->fd = open(name, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (d->fd < 0 && !read_only && (errno == EACCES || errno == EPERM || errno == EROFS)) {
		read_only = true;
		d->fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	if (d->fd < 0)
		return complain(c, STATUS_BAD_DISK, "%s: cannot open the disk: %s; expected "
				"--block=FILE or --block=FILE,ro", name, strerror(errno));
	d->name = name;
	d->read_only = read_only;
	status = check_disk(d, c);
	if (status) {
		close(d->fd);
		d->fd = -1;
	} else if (read_only && !wish) {
		say("%s: cannot be written to, so the Guest gets a read-only disk", name);
	}
	return status;
}

/*L:724 A run of bytes
 * What is left of a chain on one side: some buffers, and how many bytes they have
 * together.  All that we ever do is to take bytes off its front, and the last byte
 * off its end.  The chain is our own copy (vq_pop() made it), so we may eat it up.
 */
struct run {
	struct iovec *iov;
	unsigned count;
	uint64_t bytes;
};

static void skip(struct run *r, size_t n)
{
	r->bytes -= n;
	while (r->count && n >= r->iov->iov_len) {
		n -= r->iov->iov_len;
		r->iov++;
		r->count--;
	}
	if (n) {
		r->iov->iov_base = (uint8_t *)r->iov->iov_base + n;
		r->iov->iov_len -= n;
	}
}

/* Copies n bytes off the front, out of the Guest's memory or into it. */
static void take(struct run *r, void *to, size_t n)
{
	struct iovec mine = { .iov_base = to, .iov_len = n };

	while (mine.iov_len) {
		size_t part = r->iov->iov_len < mine.iov_len ? r->iov->iov_len : mine.iov_len;

		memcpy(mine.iov_base, r->iov->iov_base, part);
		mine.iov_base = (uint8_t *)mine.iov_base + part;
		mine.iov_len -= part;
		skip(r, part);
	}
}

static void give(struct run *r, const uint8_t *from, size_t n)
{
	while (n) {
		size_t part = r->iov->iov_len < n ? r->iov->iov_len : n;

		memcpy(r->iov->iov_base, from, part);
		from += part;
		n -= part;
		skip(r, part);
	}
}

/* An empty buffer at the end has no last byte. */
static uint8_t *take_last(struct run *r)
{
	struct iovec *last = &r->iov[r->count - 1];

	while (!last->iov_len) {
		last--;
		r->count--;
	}
	r->bytes--;
	return (uint8_t *)last->iov_base + --last->iov_len;
}
/*:*/

/*L:726 To the file and back
 * preadv() and pwritev() move bytes between the file and the Guest's own buffers: we
 * never hold them in between.  Either may do a part only (a signal, a disk that is
 * nearly full) and is then asked for the rest.  0 bytes mean that somebody has made
 * the file shorter while we had it open.
 */
typedef ssize_t (*mover)(int fd, const struct iovec *iov, int count, off_t offset);

static int move(mover mover, int fd, struct run *r, uint64_t offset)
{
	while (r->bytes) {
		ssize_t n = mover(fd, r->iov, (int)r->count, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			return ENODATA;
		skip(r, (size_t)n);
		offset += (uint64_t)n;
	}
	return 0;
}

/* What a disk counts besides. */
enum { READS, WRITES, FLUSHES, IDS, UNSUPPORTEDS, REFUSALS, ERRORS };
static const char *const own_names[] = { "reads", "writes", "flushes", "ids", "unsupported",
					 "refused", "errors", NULL };

static void note(struct block *b, unsigned what)
{
	device_count(&b->dev, COUNT_OWN + what, 1);
}

/* The first time is worth a line; a Guest that tries again need not fill the screen. */
static uint8_t failed(struct block *b, const char *deed, uint64_t sector, int error)
{
	(b->has_failed ? verbose : say)("%s: could not %s at sector %" PRIu64 ": %s",
					b->name, deed, sector, strerror(error));
	b->has_failed = true;
	note(b, ERRORS);
	return IO_ERROR;
}

static uint8_t flush(struct block *b, uint64_t sector)
{
	note(b, FLUSHES);
	return fdatasync(b->disk->fd) ? failed(b, "flush", sector, errno) : OK;
}

static uint8_t read_or_write(struct block *b, bool write, uint64_t sector, struct run *data)
{
	uint64_t sectors = data->bytes / SECTOR;
	int error;

	if (data->bytes % SECTOR || sector > b->disk->sectors ||
	    sectors > b->disk->sectors - sector) {
		verbose("%s: no %s of %" PRIu64 " bytes at sector %" PRIu64 " of %" PRIu64,
			b->name, write ? "write" : "read", data->bytes, sector,
			b->disk->sectors);
		note(b, REFUSALS);
		return IO_ERROR;
	}
	if (write && b->disk->read_only) {
		note(b, REFUSALS);
		return IO_ERROR;
	}
	note(b, write ? WRITES : READS);
	error = move(write ? pwritev : preadv, b->disk->fd, data, sector * SECTOR);
	if (error)
		return failed(b, write ? "write" : "read", sector, error);
	/* A driver that did not take FLUSH has no other way to be sure. */
	if (write && !(b->dev.accepted & 1u << FEATURE_FLUSH))
		return flush(b, sector);
	return OK;
}
/*:*/

static const struct sandbox_call calls[] = {
	ALWAYS(preadv, "a disk: read sectors"),
	ALWAYS(pwritev, "a disk: write sectors"),
	ALWAYS(fdatasync, "a disk: flush"),
	CALLS_END
};

/* Whose disk is it?  The file's name, without the path, as far as it goes. */
static void get_id(const struct block *b, struct run *to)
{
	const char *slash = strrchr(b->disk->name, '/');
	uint8_t id[ID_BYTES] = { 0 };

	memcpy(id, slash ? slash + 1 : b->disk->name,
	       strnlen(slash ? slash + 1 : b->disk->name, ID_BYTES));
	give(to, id, to->bytes < ID_BYTES ? (size_t)to->bytes : ID_BYTES);
}

/*L:728 One request
 * The type is a set of bits, and old drivers combine them: SCSI wins, then WRITE,
 * then FLUSH.  SCSI means "pass this command on to the real disk", and there is none;
 * a type that we have never heard of gets the same answer, as a read that nobody
 * wanted would overwrite somebody's memory.
 */
static uint8_t obey(struct block *b, const struct request *r, struct run *from, struct run *to)
{
	uint32_t type = r->type & ~TYPE_BARRIER;

	if (type == TYPE_GET_ID) {
		get_id(b, to);
		note(b, IDS);
		return OK;
	}
	if (type & ~(TYPE_WRITE | TYPE_FLUSH)) {
		note(b, UNSUPPORTEDS);
		return UNSUPPORTED;
	}
	if (type & TYPE_WRITE)
		return read_or_write(b, true, r->sector, from);
	if (type & TYPE_FLUSH)
		return flush(b, r->sector);
	return read_or_write(b, false, r->sector, to);
}

static int serve_one(struct block *b, struct vq *vq, struct vq_chain *chain)
{
	struct run from = { chain->iov, chain->readable, chain->read_bytes };
	struct run to = { chain->iov + chain->readable, chain->writable, chain->write_bytes };
	struct request request;
	uint32_t written = 1;
	uint8_t *where, status;

	if (from.bytes < sizeof(request))
		return vq_break(vq, "a request of %u bytes: its head alone has %zu",
				chain->read_bytes, sizeof(request));
	if (!to.bytes)
		return vq_break(vq, "a request without a byte for the status");
	take(&from, &request, sizeof(request));
	where = take_last(&to);
	status = obey(b, &request, &from, &to);
	*where = status;	/* from now on it may be anything: the Guest can change it */
	if (status == OK)
		written = chain->write_bytes - (uint32_t)to.bytes;
	vq_push(vq, chain->head, written);
	return 0;
}

/* In the queue's own thread. */
static void serve(struct queue *q)
{
	struct block *b = (struct block *)q->dev;
	struct vq_chain chain;

	while (ending_asked() < 0 && vq_pop(&q->vq, &chain) > 0)
		if (serve_one(b, &q->vq, &chain) < 0)
			return;
}
/*:*/

/* For a snapshot: a Guest that is away trusts that nobody writes to its disk. */
static bool contents(struct device *dev, uint32_t *sum)
{
	struct fingerprint f;
	bool good = snapshot_fingerprint(((struct block *)dev)->disk->fd, &f);

	*sum = f.sum;
	return good;
}

struct device *block_create(const struct disk *d)
{
	const char *slash = strrchr(d->name, '/');
	struct block *b = calloc(1, sizeof(*b));

	if (!b)
		die(STATUS_INTERNAL, "out of memory");
	/* A file larger than `ulimit -f` is an error to report, and none to die of. */
	signal(SIGXFSZ, SIG_IGN);
	snprintf(b->name, sizeof(b->name), "disk %s", slash ? slash + 1 : d->name);
	b->disk = d;
	b->config.capacity = d->sectors;
	b->config.seg_max = SEGMENTS;
	device_create(&b->dev, b->name, LGUEST_DEV_BLOCK);
	b->dev.calls = calls;
	b->dev.contents = contents;
	b->dev.own_names = own_names;
	b->dev.config = &b->config;
	b->dev.config_len = sizeof(b->config);
	device_feature(&b->dev, FEATURE_SEG_MAX);
	device_feature(&b->dev, FEATURE_FLUSH);
	if (d->read_only)
		device_feature(&b->dev, FEATURE_RO);
	device_queue_with_thread(&b->dev, serve);
	return &b->dev;
}

/*M:310 Yours to build: a better disk
 * Requests are served one after the other, in one thread: try io_uring, and several
 * at once.  Which order may the Guest rely on then, and what does FLUSH have to wait
 * for?  Or leave the file alone and write what changes into a second one: then each
 * student has a disk of their own, and the class has one file.
 :*/
