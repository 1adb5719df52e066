/* SPDX-License-Identifier: MIT */
/*D:440 What was read once
 *
 * A disk is a thousand times slower than memory, and most of what is asked of it was
 * asked a moment ago: the same bitmap, the same directory.  So pieces of it, 4 KiB
 * each, are kept in memory, in a list with the latest used first.  When a new one
 * is wanted, the one that nobody has looked at for longest has to go.
 *
 * Changes stay in memory, too, until somebody says "now": a `sync`, the close of a file
 * that was written to, the power switch; or until their room is needed.  Writing at once
 * would be simpler, and safe; but a file of a thousand blocks changes the same bitmap a
 * thousand times, and it is enough that the last one arrives.  What we lose when the
 * lights go out is what nobody had closed.
 *
 * The memory is taken when the cache is made: a sixteenth of the machine's.  So later
 * it never needs any, and can't fail for want of it, just when things get tight.
 */
#include "kernel.h"

#define PIECE_SECTORS	(PAGE_SIZE / SECTOR_SIZE)
#define BUFFERS_MIN	32u		/* a few are in use at once, and DISK_PARTS travel */
#define BUFFERS_MAX	2048u
#define HEADS		256u		/* of the hash table */
#define IN_FLIGHT	4u

struct cache {
	struct disk *disk;
	struct buffer list;	/* list.newer is the oldest, list.older the newest */
	u32 dirty;
	bool write_failed;
	struct buffer *head[HEADS];
	u32 buffers;
	struct disk_request writing[IN_FLIGHT], reading[IN_FLIGHT];
};

static struct cache *cache_new(struct disk *disk)
{
	u32 frame = frame_alloc_zeroed();
	struct cache *c = phys_to_virt(frame);

	_Static_assert(sizeof(*c) <= PAGE_SIZE, "a cache is a page and its buffers");
	if (!frame)
		return NULL;
	c->disk = disk;
	c->list.newer = c->list.older = &c->list;
	return c;
}

static void unlink(struct buffer *b)
{
	b->newer->older = b->older;
	b->older->newer = b->newer;
}

static void link_newest(struct cache *c, struct buffer *b)
{
	b->newer = &c->list;
	b->older = c->list.older;
	b->older->newer = b;
	c->list.older = b;
}

static bool add_buffer(struct cache *c)
{
	struct buffer *b = kmalloc(sizeof(*b));
	u32 frame = b ? frame_alloc() : 0;

	if (!frame) {
		kfree(b);
		return false;
	}
	*b = (struct buffer){.data = phys_to_virt(frame)};
	link_newest(c, b);
	return true;
}

void cache_destroy(struct cache *c)
{
	while (c->list.older != &c->list) {
		struct buffer *b = c->list.older;

		ASSERT(!b->users);
		unlink(b);
		frame_put(virt_to_phys(b->data));
		kfree(b);
	}
	frame_put(virt_to_phys(c));
}

struct cache *cache_create(struct disk *disk)
{
	struct cache *c = cache_new(disk);
	u32 wanted = frames_total() / 16, n = 0;

	if (!c)
		return NULL;
	wanted = wanted < BUFFERS_MIN ? BUFFERS_MIN : wanted > BUFFERS_MAX ? BUFFERS_MAX : wanted;
	while (n < wanted && add_buffer(c))
		n++;
	c->buffers = n;
	if (n >= BUFFERS_MIN)
		return c;
	cache_destroy(c);
	return NULL;
}

static struct buffer **head_of(struct cache *c, u32 number)
{
	return &c->head[number % HEADS];
}

static struct buffer *lookup(struct cache *c, u32 number)
{
	struct buffer *b = *head_of(c, number);

	while (b && b->number != number)
		b = b->next;
	return b;
}

bool cache_has(struct cache *c, u32 number)
{
	return lookup(c, number) != NULL;
}

static void forget(struct cache *c, struct buffer *b)
{
	struct buffer **link = head_of(c, b->number);

	while (*link != b)
		link = &(*link)->next;
	*link = b->next;
	b->valid = false;
}

/* How much of piece number the disk has: less than all of it at its end. */
static u32 piece_bytes(const struct cache *c, u32 number)
{
	u32 rest = c->disk->sectors - number * PIECE_SECTORS;

	return (rest < PIECE_SECTORS ? rest : PIECE_SECTORS) * SECTOR_SIZE;
}

static bool on_disk(const struct cache *c, u32 number)
{
	return number <= (c->disk->sectors - 1) / PIECE_SECTORS;
}
/*:*/

/*D:442 Writing what has changed
 *
 * One request can carry many neighbours, and costs little more than a request for one.
 * So from each changed piece we look back to where its row of changed neighbours
 * begins, and send off the row.  Some requests are under way at the same time.
 *
 * A piece that can't be written is lost.  We don't try again for ever: the file system
 * is told, and stops writing.
 */
static void reap(struct cache *c, struct disk_request *r)
{
	if (r->count && disk_wait(c->disk, r))
		c->write_failed = true;
	r->count = 0;
}

static bool is_dirty(struct cache *c, u32 number)
{
	struct buffer *b = lookup(c, number);

	return b && b->dirty;
}

/* Sends off the row that begins with piece number first. */
static void write_row(struct cache *c, struct disk_request *r, u32 first)
{
	u32 n;

	reap(c, r);
	r->action = DISK_WRITE;
	r->sector = first * PIECE_SECTORS;
	for (n = 0; n < DISK_PARTS && is_dirty(c, first + n); n++) {
		struct buffer *b = lookup(c, first + n);

		r->part[n].memory = b->data;
		r->part[n].length = piece_bytes(c, first + n);
		b->dirty = false;
		c->dirty--;
	}
	r->count = n;
	disk_submit(c->disk, r);
}

static int write_dirty(struct cache *c)
{
	struct buffer *b;
	u32 first, turn = 0, i;

	for (b = c->list.newer; c->dirty && b != &c->list; b = b->newer)
		while (b->dirty) {
			first = b->number;
			while (first && b->number - first < DISK_PARTS - 1 &&
			       is_dirty(c, first - 1))
				first--;
			write_row(c, &c->writing[turn++ % IN_FLIGHT], first);
		}
	for (i = 0; i < IN_FLIGHT; i++)
		reap(c, &c->writing[i]);
	return c->write_failed ? -EIO : 0;
}

int cache_write_back(struct cache *c)
{
	struct disk_request *r = &c->writing[0];
	int error = write_dirty(c);

	if (error)
		return error;
	*r = (struct disk_request){.action = DISK_FLUSH};
	disk_submit(c->disk, r);
	return disk_wait(c->disk, r);
}
/*:*/

/*D:444 Reading what is not there */

/* The oldest buffer that nobody uses, empty and with a new number. */
static struct buffer *recycle(struct cache *c, u32 number)
{
	struct buffer *b = c->list.newer;

	while (b != &c->list && b->users)
		b = b->newer;
	if (b == &c->list)
		return NULL;
	if (b->dirty)
		write_dirty(c);		/* errors are remembered */
	if (b->valid)
		forget(c, b);
	b->number = number;
	b->valid = true;
	b->next = *head_of(c, number);
	*head_of(c, number) = b;
	unlink(b);
	link_newest(c, b);
	return b;
}

/* A row of neighbours that are on their way. */
struct row {
	struct disk_request *request;
	u32 count;
	struct buffer *piece[DISK_PARTS];
};

/* Sends for pieces first..first + count - 1, of which none is here; as many as there are
 * buffers for. */
static void row_start(struct cache *c, struct row *row, u32 first, u32 count)
{
	struct disk_request *r = row->request;

	for (row->count = 0; row->count < count && row->count < DISK_PARTS; row->count++) {
		struct buffer *b = recycle(c, first + row->count);

		if (!b)
			break;
		b->users++;		/* or the next round takes it */
		row->piece[row->count] = b;
		r->part[row->count].memory = b->data;
		r->part[row->count].length = piece_bytes(c, first + row->count);
	}
	r->action = DISK_READ;
	r->sector = first * PIECE_SECTORS;
	r->count = row->count;
	if (row->count)
		disk_submit(c->disk, r);
}

static int row_finish(struct cache *c, struct row *row)
{
	int error = row->count ? disk_wait(c->disk, row->request) : -ENOMEM;
	u32 i;

	row->request->count = 0;
	for (i = 0; i < row->count; i++) {
		row->piece[i]->users--;
		if (error)
			forget(c, row->piece[i]);
	}
	return error;
}

static int read_row(struct cache *c, u32 first, u32 count)
{
	struct row row = {.request = &c->reading[0]};

	row_start(c, &row, first, count);
	return row_finish(c, &row);
}

void cache_read_ahead(struct cache *c, u32 first, u32 count)
{
	struct row row[IN_FLIGHT];
	u32 rows = 0, n, i;

	if (count > c->buffers / 4)	/* the others are wanted, too */
		count = c->buffers / 4;
	while (count && rows < IN_FLIGHT && on_disk(c, first)) {
		for (n = 0; n < count && n < DISK_PARTS && on_disk(c, first + n) &&
		     !cache_has(c, first + n); n++)
			;
		if (n) {
			row[rows].request = &c->reading[rows];
			row_start(c, &row[rows++], first, n);
		}
		n += !n;		/* that one is here */
		first += n;
		count -= n;
	}
	for (i = 0; i < rows; i++)
		row_finish(c, &row[i]);
}

struct buffer *buffer_get(struct cache *c, u32 number, bool fresh, int *error)
{
	struct buffer *b;

	*error = on_disk(c, number) ? 0 : -EIO;
	if (*error)
		return NULL;
	b = lookup(c, number);
	if (!b && fresh) {
		b = recycle(c, number);
	} else if (!b) {
		*error = read_row(c, number, 1);
		b = *error ? NULL : lookup(c, number);
	}
	if (!b) {
		*error = *error ? *error : -ENOMEM;
		return NULL;
	}
	unlink(b);
	link_newest(c, b);
	b->cache = c;
	b->users++;
	return b;
}

void buffer_put(struct buffer *b)
{
	b->users--;
}

void buffer_changed(struct buffer *b)
{
	if (!b->dirty)
		b->cache->dirty++;
	b->dirty = true;
}
/*:*/
