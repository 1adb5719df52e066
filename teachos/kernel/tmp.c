/* SPDX-License-Identifier: MIT */
/*G:474 A place for scribbles
 *
 * The box of files is glued shut: it is part of the kernel's image.  What programs
 * write goes to /tmp, one flat directory that lives in memory and is gone when the
 * lights go out.
 *
 * A file is a name, a size and one page of page numbers; with 1024 of them a file may
 * have 4 MiB.  Pages come when they are written to, and a page that never was reads
 * as zeros.  Everything has a limit, and running into one gets an honest answer: so
 * many files, so much for one file, and a quarter of the memory for all together, or
 * a runaway `cat` would leave no room for the shell that has to stop it.
 *
 * Removing a file takes away its name.  Whoever has it open keeps it until the last
 * close, as each open file counts as an owner, and so does the name.
 */
#include "kernel.h"

#define MAX_FILES	64u
#define MAX_PAGES	(PAGE_SIZE / sizeof(u32))	/* of one file */

struct tmp_file {
	struct tmp_file *next;
	char name[48];
	u32 refs;		/* the name and each open file */
	u32 size;
	u32 *pages;		/* physical addresses, 0: a hole; NULL: all holes */
};

static struct tmp_file *files;
static u32 file_count, page_count;

const char *tmp_name(const char *path)
{
	path = path_plain(path);
	if (strncmp(path, "tmp", 3) || (path[3] && path[3] != '/'))
		return NULL;
	return path_plain(path + 3);
}

static struct tmp_file **find(const char *name)
{
	struct tmp_file **link = &files;

	while (*link && strcmp((*link)->name, name))
		link = &(*link)->next;
	return link;
}

bool tmp_exists(const char *name)
{
	return *find(name) != NULL;
}

const char *tmp_list(u32 n)
{
	struct tmp_file *t = files;

	while (t && n--)
		t = t->next;
	return t ? t->name : NULL;
}

/* A page for a file; 0: -ENOSPC or -ENOMEM in *error. */
static u32 page_get(int *error)
{
	u32 frame = page_count < frames_total() / 4 ? frame_alloc_zeroed() : 0;

	*error = page_count < frames_total() / 4 ? -ENOMEM : -ENOSPC;
	page_count += frame != 0;
	return frame;
}

static void page_put(u32 frame)
{
	frame_put(frame);
	page_count--;
}

static void truncate(struct tmp_file *t)
{
	u32 i;

	t->size = 0;
	if (!t->pages)
		return;
	for (i = 0; i < MAX_PAGES; i++)
		if (t->pages[i])
			page_put(t->pages[i]);
	page_put(virt_to_phys(t->pages));
	t->pages = NULL;
}

static int create(const char *name, struct tmp_file **link)
{
	struct tmp_file *t;

	if (strlen(name) >= sizeof(t->name))
		return -ENAMETOOLONG;
	if (strchr(name, '/'))
		return -ENOENT;
	if (file_count == MAX_FILES)
		return -ENOSPC;
	t = kmalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	memset(t, 0, sizeof(*t));
	strcopy(t->name, name, sizeof(t->name));
	t->refs = 1;
	file_count++;
	*link = t;
	return 0;
}

static void put(struct tmp_file *t)
{
	if (--t->refs)
		return;
	truncate(t);
	file_count--;
	kfree(t);
}

int tmp_unlink(const char *name)
{
	struct tmp_file **link = find(name), *t = *link;

	if (!*name)
		return -EISDIR;
	if (!t)
		return -ENOENT;
	*link = t->next;
	put(t);
	return 0;
}
/*:*/

/*G:475 Reading and writing it, a page at a time */
static int read_at(struct tmp_file *t, u32 offset, u32 user, u32 length)
{
	static const u8 zeros[PAGE_SIZE];
	u32 done, n, page;

	if (offset >= t->size)		/* somebody may have truncated it */
		return 0;
	if (length > t->size - offset)
		length = t->size - offset;
	for (done = 0; done < length; done += n, offset += n) {
		n = PAGE_SIZE - offset % PAGE_SIZE;
		if (n > length - done)
			n = length - done;
		page = t->pages ? t->pages[offset / PAGE_SIZE] : 0;
		if (!copy_to_user(user + done, (page ? (u8 *)phys_to_virt(page) : zeros) +
				  offset % PAGE_SIZE, n))
			return done ? (int)done : -EFAULT;
	}
	return done;
}

/* The page of t that holds offset, made if need be; 0 or -errno. */
static int make_page(struct tmp_file *t, u32 offset, u8 **page)
{
	u32 frame;
	int error = 0;

	if (offset / PAGE_SIZE >= MAX_PAGES)
		return -EFBIG;
	if (!t->pages) {
		frame = page_get(&error);
		if (!frame)
			return error;
		t->pages = phys_to_virt(frame);
	}
	frame = t->pages[offset / PAGE_SIZE];
	if (!frame)
		frame = page_get(&error);
	if (!frame)
		return error;
	t->pages[offset / PAGE_SIZE] = frame;
	*page = phys_to_virt(frame);
	return 0;
}

static int write_at(struct tmp_file *t, u32 offset, u32 user, u32 length)
{
	u32 done, n;
	int error;
	u8 *page;

	for (done = 0; done < length; done += n, offset += n) {
		n = PAGE_SIZE - offset % PAGE_SIZE;
		if (n > length - done)
			n = length - done;
		error = make_page(t, offset, &page);
		if (!error && !copy_from_user(page + offset % PAGE_SIZE, user + done, n))
			error = -EFAULT;
		if (error)
			return done ? (int)done : error;
		if (t->size < offset + n)
			t->size = offset + n;
	}
	return done;
}

static int tmp_read(struct file *f, u32 user, u32 length)
{
	int n = read_at(f->object, f->offset, user, length);

	f->offset += n > 0 ? n : 0;
	return n;
}

static int tmp_write(struct file *f, u32 user, u32 length)
{
	struct tmp_file *t = f->object;
	int n;

	if (f->flags & O_APPEND)
		f->offset = t->size;
	n = write_at(t, f->offset, user, length);
	f->offset += n > 0 ? n : 0;
	return n;
}

static void tmp_close(struct file *f)
{
	put(f->object);
}

static const struct file_ops tmp_ops = {
	.read = tmp_read,
	.write = tmp_write,
	.close = tmp_close,
};

struct file *tmp_open(const char *name, u32 flags, int *error)
{
	struct tmp_file **link = find(name);
	struct file *f;

	*error = *link ? 0 : flags & O_CREAT ? create(name, link) : -ENOENT;
	if (*error)
		return NULL;
	*error = -ENOMEM;
	f = file_new(&tmp_ops, flags, *link);
	if (!f)
		return NULL;
	if ((flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY)
		truncate(*link);
	(*link)->refs++;
	return f;
}
/*:*/
