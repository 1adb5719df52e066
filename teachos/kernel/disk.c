/* SPDX-License-Identifier: MIT */
/*D:420 A disk is an array of sectors
 *
 * Whatever drives it, a disk has a name, a size, and one thing to be asked: move these
 * sectors from or to these pieces of memory.  Asking and waiting are two calls, so one
 * may ask several times before waiting once.
 *
 * And a disk is a file: /dev/vda.  Read it, and you see its bytes as they are, file
 * system or not; write to it, and nobody will stop you, unless it is mounted.
 */
#include "kernel.h"

#define MAX_DISKS	8u		/* vda .. vdh */
#define BOUNCE_PAGES	16u		/* how much of /dev/vda travels at once */

static struct disk *disks[MAX_DISKS];

void disk_done(struct disk_request *r, int status)
{
	r->status = status;
	wake(r);
}

void disk_submit(struct disk *disk, struct disk_request *r)
{
	r->status = -EINPROGRESS;
	disk->submit(disk, r);
}

int disk_wait(struct disk *disk, struct disk_request *r)
{
	bool irqs = irq_save();

	while (r->status == -EINPROGRESS) {
		if (irqs)
			sleep_deaf(r);
		else
			disk->poll(disk);
	}
	irq_restore(irqs);
	return r->status;
}

struct disk *disk_number(u32 n)
{
	return n < MAX_DISKS ? disks[n] : NULL;
}

struct disk *disk_find(const char *name)
{
	u32 i;

	for (i = 0; i < MAX_DISKS && disks[i]; i++)
		if (!strcmp(disks[i]->name, name))
			return disks[i];
	return NULL;
}

/* By a driver's probe(), before interrupts are on. */
void disk_add(struct disk *disk)
{
	struct disk_request r = {.action = DISK_ID, .count = 1, .part = {{disk->id, 20}}};
	char path[16];
	u32 n = 0;

	while (n < MAX_DISKS && disks[n])
		n++;
	if (n == MAX_DISKS) {
		print("disk: more than %u disks, this one is left alone\n", MAX_DISKS);
		return;
	}
	disks[n] = disk;
	snformat(disk->name, sizeof(disk->name), "vd%c", 'a' + n);
	snformat(path, sizeof(path), "dev/%s", disk->name);
	tmp_add(path, S_IFBLK | (disk->read_only ? 0400 : 0600), NULL, 0);
	disk_submit(disk, &r);
	if (disk_wait(disk, &r))
		disk->id[0] = '\0';
	print("%s: %u KiB%s%s%s\n", disk->name, disk->sectors / 2, *disk->id ? ", " : "",
	      disk->id, disk->read_only ? ", read-only" : "");
}
/*:*/

/*D:430 /dev/vda
 *
 * A process may read seven bytes at byte 1001; a disk has sectors.  So everything goes
 * by way of some pages of our own.  A write that begins or ends in the middle of a
 * sector has to know the rest of it: then what is there is read first.
 */
struct bounce {
	struct disk_request r;
	u32 pages;
	u32 skip, bytes;	/* what is wanted begins so far into it; how much */
};

static void bounce_free(struct bounce *b)
{
	while (b->pages)
		frame_put(virt_to_phys(b->r.part[--b->pages].memory));
	kfree(b);
}

/* As many pages as length wants, or as there are; NULL: not even one. */
static struct bounce *bounce_create(u32 length)
{
	struct bounce *b = kmalloc(sizeof(*b));
	u32 frame;

	if (!b)
		return NULL;
	b->pages = 0;
	do {
		frame = frame_alloc();
		if (frame)
			b->r.part[b->pages++].memory = phys_to_virt(frame);
	} while (frame && b->pages < BOUNCE_PAGES && b->pages * PAGE_SIZE < length + SECTOR_SIZE);
	if (b->pages)
		return b;
	kfree(b);
	return NULL;
}

/* Chooses the sectors for length bytes at offset, as many as there are pages for. */
static void bounce_aim(struct bounce *b, const struct disk *disk, u32 offset, u32 length)
{
	u32 sectors, i;

	b->skip = offset % SECTOR_SIZE;
	b->r.sector = offset / SECTOR_SIZE;
	sectors = (b->skip + length + SECTOR_SIZE - 1) / SECTOR_SIZE;
	if (sectors > b->pages * (PAGE_SIZE / SECTOR_SIZE))
		sectors = b->pages * (PAGE_SIZE / SECTOR_SIZE);
	if (sectors > disk->sectors - b->r.sector)
		sectors = disk->sectors - b->r.sector;
	b->bytes = sectors * SECTOR_SIZE - b->skip;
	if (b->bytes > length)
		b->bytes = length;
	b->r.count = (sectors * SECTOR_SIZE + PAGE_SIZE - 1) / PAGE_SIZE;
	for (i = 0; i < b->r.count; i++)
		b->r.part[i].length = PAGE_SIZE;
	b->r.part[i - 1].length = sectors * SECTOR_SIZE - (i - 1) * PAGE_SIZE;
}

static int bounce_go(struct bounce *b, struct disk *disk, enum disk_action action)
{
	b->r.action = action;
	disk_submit(disk, &b->r);
	return disk_wait(disk, &b->r);
}

/* Between the pages and the process. */
static bool bounce_copy(struct bounce *b, u32 user, bool to_user)
{
	u32 done, at, n;
	bool good = true;

	for (done = 0; good && done < b->bytes; done += n) {
		u8 *here;

		at = b->skip + done;
		n = PAGE_SIZE - at % PAGE_SIZE;
		if (n > b->bytes - done)
			n = b->bytes - done;
		here = (u8 *)b->r.part[at / PAGE_SIZE].memory + at % PAGE_SIZE;
		good = to_user ? copy_to_user(user + done, here, n) :
				 copy_from_user(here, user + done, n);
	}
	return good;
}

static int step(struct bounce *b, struct disk *disk, u32 user, bool write)
{
	int error = 0;

	if (!write || b->skip || b->bytes % SECTOR_SIZE)
		error = bounce_go(b, disk, DISK_READ);
	if (!error && !bounce_copy(b, user, !write))
		error = -EFAULT;
	if (!error && write)
		error = bounce_go(b, disk, DISK_WRITE);
	return error;
}

static int transfer(struct file *f, u32 user, u32 length, bool write)
{
	struct disk *disk = f->object;
	struct bounce *b;
	u32 done = 0;
	int error = 0;

	if (f->offset >= f->size)
		return write && length ? -ENOSPC : 0;
	if (length > f->size - f->offset)
		length = f->size - f->offset;
	b = bounce_create(length);
	if (!b)
		return -ENOMEM;
	while (!error && done < length && !(done && current->due)) {
		bounce_aim(b, disk, f->offset, length - done);
		error = step(b, disk, user + done, write);
		if (!error) {
			done += b->bytes;
			f->offset += b->bytes;
		}
	}
	bounce_free(b);
	return done ? (int)done : error;
}

static int disk_file_read(struct file *f, u32 user, u32 length)
{
	return transfer(f, user, length, false);
}

static int disk_file_write(struct file *f, u32 user, u32 length)
{
	struct node *root;
	const char *path;

	if (mount_of_disk(f->object, &path, &root))
		return -EBUSY;
	f->written = true;
	return transfer(f, user, length, true);
}

static void disk_file_close(struct file *f)
{
	struct disk_request r = {.action = DISK_FLUSH};

	if (!f->written)
		return;
	disk_submit(f->object, &r);
	disk_wait(f->object, &r);
}

static const struct file_ops disk_file_ops = {
	.read = disk_file_read,
	.write = disk_file_write,
	.close = disk_file_close,
};

bool disk_is_open(const struct file *f)
{
	return f->ops == &disk_file_ops;
}

struct file *disk_open(const char *name, u32 flags, int *error)
{
	struct disk *disk = disk_find(name);
	struct file *f;

	*error = !disk ? -ENOENT : disk->read_only && (flags & O_ACCMODE) != O_RDONLY ? -EROFS :
		 -ENOMEM;
	f = *error == -ENOMEM ? file_new(&disk_file_ops, flags, disk) : NULL;
	if (f)
		f->size = disk->sectors > FILE_SIZE_MAX / SECTOR_SIZE ?
			  FILE_SIZE_MAX : disk->sectors * SECTOR_SIZE;
	return f;
}
/*:*/
