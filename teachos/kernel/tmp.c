/* SPDX-License-Identifier: MIT */
/*G:473 A tree in memory
 *
 * The root of all paths is a tree that lives in memory.  Most of it is the box of files,
 * which is glued shut: it is part of the kernel's image.  What programs write without a
 * disk goes below /tmp, and is gone when the lights go out.
 *
 * A directory is the list of its children.  A file is a size and one page of page
 * numbers; with 1024 of them a file may have 4 MiB.  Pages come when they are written
 * to, and a page that never was reads as zeros.  Everything has a limit, and running
 * into one gets an honest answer: so many files, so much for one file, and a quarter of
 * the memory for all together, or a runaway `cat` would leave no room for the shell
 * that has to stop it.
 *
 * Removing a file takes away its name.  Whoever has it open keeps it until the last
 * close, as each open file counts as an owner, and so does the name.
 */
#include "kernel.h"

#define MAX_FILES	64u		/* below /tmp */
#define MAX_PAGES	(PAGE_SIZE / sizeof(u32))	/* of one file */
#define TMP_MAGIC	0x01021994u	/* statfs(): what Linux says for its own */

struct tmp_node {
	struct node node;
	struct tmp_node *parent;	/* NULL: the root, or no name any more */
	struct tmp_node *child, *sibling;
	char name[48];
	bool fixed;		/* part of the image */
	const char *data;	/* fixed: all of it */
	u32 *pages;		/* physical addresses, 0: a hole; NULL: all holes */
	u32 mtime;
};

static u32 file_count, page_count;

static const struct node_ops tmp_ops;
static struct tmp_node root = {
	.node = {&tmp_ops, 1, 1, 0, S_IFDIR | 0755},
	.fixed = true,
};
struct node *tmp_root = &root.node;

static struct tmp_node *tmp_of(struct node *n)
{
	return (struct tmp_node *)n;	/* which begins with it */
}

static bool is_directory(const struct tmp_node *t)
{
	return (t->node.mode & S_IFMT) == S_IFDIR;
}

/* Where dir's list points to the one called name, or where it ends. */
static struct tmp_node **find(struct tmp_node *dir, const char *name)
{
	struct tmp_node **link = &dir->child;

	while (*link && strcmp((*link)->name, name))
		link = &(*link)->sibling;
	return link;
}

u32 tmp_files(void)
{
	return file_count;
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

/* Gives pages number first and following back. */
static void drop_pages(struct tmp_node *t, u32 first)
{
	u32 i;

	if (!t->pages)
		return;
	for (i = first; i < MAX_PAGES; i++)
		if (t->pages[i]) {
			page_put(t->pages[i]);
			t->pages[i] = 0;
		}
	if (first)
		return;
	page_put(virt_to_phys(t->pages));
	t->pages = NULL;
}

static struct tmp_node *new_node(struct tmp_node *dir, const char *name, u16 mode)
{
	static u32 last_number = 1;
	struct tmp_node *t = kmalloc(sizeof(*t)), **link = find(dir, name);

	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	t->node = (struct node){&tmp_ops, 1, ++last_number, 0, mode};
	t->parent = dir;
	strcopy(t->name, name, sizeof(t->name));
	t->mtime = wall_seconds();
	*link = t;
	return t;
}

bool tmp_add(const char *path, u16 mode, const char *data, u32 size)
{
	struct tmp_node *dir = &root, *t;
	char name[sizeof(root.name)];
	const char *slash;

	for (; (slash = strchr(path, '/')) != NULL; path = slash + 1) {
		strcopy(name, path, slash - path < (int)sizeof(name) ? slash - path + 1u :
			sizeof(name));
		dir = *find(dir, name);
		if (!dir)
			return false;
	}
	t = new_node(dir, path, mode);
	if (!t)
		return false;
	t->fixed = strcmp(path, "tmp") != 0;
	t->data = data;
	t->node.size = size;
	return true;
}
/*:*/

/*G:474 Names in memory: found, made, moved, removed */
static int tmp_lookup(struct node *n, const char *name, struct node **found)
{
	struct tmp_node *t;

	if (!is_directory(tmp_of(n)))
		return -ENOTDIR;
	t = *find(tmp_of(n), name);
	if (!t)
		return -ENOENT;
	node_get(&t->node);
	*found = &t->node;
	return 0;
}

static int tmp_may_write(struct node *n)
{
	return tmp_of(n)->fixed ? -EROFS : 0;
}

static int tmp_create(struct node *n, const char *name, u16 mode, struct node **made)
{
	struct tmp_node *dir = tmp_of(n), *t;

	if (*find(dir, name))
		return -EEXIST;
	if (dir->fixed)
		return -EROFS;
	if (!dir->parent)		/* removed meanwhile */
		return -ENOENT;
	if (strlen(name) >= sizeof(t->name))
		return -ENAMETOOLONG;
	if (file_count == MAX_FILES)
		return -ENOSPC;
	t = new_node(dir, name, mode);
	if (!t)
		return -ENOMEM;
	file_count++;
	dir->mtime = t->mtime;
	node_get(&t->node);
	*made = &t->node;
	return 0;
}

/* Can t be removed, by unlink or by rmdir?  0 or -errno. */
static int removable(const struct tmp_node *t, bool directory)
{
	if (is_directory(t) != directory)
		return directory ? -ENOTDIR : -EISDIR;
	if (t->fixed || t->parent->fixed)
		return -EROFS;
	return t->child ? -ENOTEMPTY : 0;
}

static void unlink_node(struct tmp_node **link)
{
	struct tmp_node *t = *link;

	t->parent->mtime = wall_seconds();
	*link = t->sibling;
	t->parent = NULL;
}

static int tmp_remove(struct node *n, const char *name, bool directory)
{
	struct tmp_node **link = find(tmp_of(n), name), *t = *link;
	int error = t ? removable(t, directory) : -ENOENT;

	if (error)
		return error;
	unlink_node(link);
	node_put(&t->node);
	return 0;
}

static int tmp_rename(struct node *n, const char *name, struct node *new_n, const char *new_name)
{
	struct tmp_node *dir = tmp_of(n), *new_dir = tmp_of(new_n), *t = *find(dir, name), *up;
	struct tmp_node **link = find(new_dir, new_name);
	int error;

	if (!t)
		return -ENOENT;
	if (t->fixed || dir->fixed || new_dir->fixed)
		return -EROFS;
	if (!new_dir->parent)
		return -ENOENT;
	if (strlen(new_name) >= sizeof(t->name))
		return -ENAMETOOLONG;
	for (up = new_dir; up; up = up->parent)
		if (up == t)		/* a branch that grows out of itself */
			return -EINVAL;
	if (*link == t)
		return 0;
	if (*link) {
		error = removable(*link, is_directory(t));
		if (error)
			return error;
		tmp_remove(new_n, new_name, is_directory(t));
	}
	unlink_node(find(dir, name));
	strcopy(t->name, new_name, sizeof(t->name));
	t->sibling = new_dir->child;
	t->parent = new_dir;
	new_dir->child = t;
	return 0;
}

/* The position counts children; who removes some while reading may miss some. */
static int tmp_list(struct node *n, u32 *position, struct listing *entry)
{
	struct tmp_node *t = tmp_of(n)->child;
	u32 i;

	for (i = 0; t && i < *position; i++)
		t = t->sibling;
	if (!t)
		return 0;
	entry->number = t->node.number;
	entry->mode = t->node.mode;
	strcopy(entry->name, t->name, sizeof(entry->name));
	++*position;
	return 1;
}
/*:*/

/*G:475 Contents in memory, a page at a time */
static int tmp_read(struct node *n, u32 offset, void *to, u32 length)
{
	struct tmp_node *t = tmp_of(n);
	u32 done, part, page;

	if (offset >= n->size)
		return 0;
	if (length > n->size - offset)
		length = n->size - offset;
	if (t->data) {
		memcpy(to, t->data + offset, length);
		return length;
	}
	for (done = 0; done < length; done += part, offset += part) {
		part = PAGE_SIZE - offset % PAGE_SIZE;
		if (part > length - done)
			part = length - done;
		page = t->pages ? t->pages[offset / PAGE_SIZE] : 0;
		if (page)
			memcpy((u8 *)to + done, (u8 *)phys_to_virt(page) + offset % PAGE_SIZE,
			       part);
		else
			memset((u8 *)to + done, 0, part);
	}
	return done;
}

/* The page of t that holds offset, made if need be; 0 or -errno. */
static int make_page(struct tmp_node *t, u32 offset, u8 **page)
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

static int tmp_write(struct node *n, u32 offset, const void *from, u32 length)
{
	struct tmp_node *t = tmp_of(n);
	u32 done, part;
	int error;
	u8 *page;

	for (done = 0; done < length; done += part, offset += part) {
		part = PAGE_SIZE - offset % PAGE_SIZE;
		if (part > length - done)
			part = length - done;
		error = make_page(t, offset, &page);
		if (error)
			return done ? (int)done : error;
		memcpy(page + offset % PAGE_SIZE, (const u8 *)from + done, part);
		if (n->size < offset + part)
			n->size = offset + part;
	}
	t->mtime = wall_seconds();
	return done;
}

static int tmp_resize(struct node *n, u32 size)
{
	struct tmp_node *t = tmp_of(n);
	u32 rest = size % PAGE_SIZE, page;

	if (size > MAX_PAGES * PAGE_SIZE)
		return -EFBIG;
	drop_pages(t, (size + PAGE_SIZE - 1) / PAGE_SIZE);
	page = t->pages && rest ? t->pages[size / PAGE_SIZE] : 0;
	if (page)		/* if it grows again, this must read as zeros */
		memset((u8 *)phys_to_virt(page) + rest, 0, PAGE_SIZE - rest);
	n->size = size;
	t->mtime = wall_seconds();
	return 0;
}

static int tmp_set_times(struct node *n, u32 atime, u32 mtime)
{
	(void)atime;
	tmp_of(n)->mtime = mtime;
	return 0;
}

static void tmp_stat(struct node *n, struct stat *to)
{
	struct tmp_node *t = tmp_of(n), *child;
	u32 i, pages = 0;

	for (i = 0; t->pages && i < MAX_PAGES; i++)
		pages += t->pages[i] != 0;
	to->mode = n->mode;
	to->links = is_directory(t) ? 2 : t->parent != NULL;
	for (child = t->child; child; child = child->sibling)
		to->links += is_directory(child);
	to->ino = n->number;
	to->size = n->size;
	to->block_size = PAGE_SIZE;
	to->blocks = pages * (PAGE_SIZE / 512);
	to->atime = to->mtime = to->ctime = t->mtime;
}

static int tmp_sync(struct node *n)
{
	(void)n;
	return 0;		/* as safe as memory is */
}

static int tmp_usage(struct node *n, struct fs_usage *to)
{
	u32 most = frames_total() / 4;

	*to = (struct fs_usage){TMP_MAGIC, PAGE_SIZE, most, most - page_count, MAX_FILES,
				MAX_FILES - file_count, tmp_of(n)->fixed};
	return 0;
}

static void tmp_put(struct node *n)
{
	struct tmp_node *t = tmp_of(n);

	if (--n->refs)
		return;
	drop_pages(t, 0);
	file_count--;
	kfree(t);
}

static const struct node_ops tmp_ops = {
	.lookup = tmp_lookup,	.create = tmp_create,	.remove = tmp_remove,
	.rename = tmp_rename,	.list = tmp_list,	.read = tmp_read,
	.write = tmp_write,	.resize = tmp_resize,	.may_write = tmp_may_write,
	.set_times = tmp_set_times,	.stat = tmp_stat,	.sync = tmp_sync,
	.usage = tmp_usage,	.put = tmp_put,
};
/*:*/
