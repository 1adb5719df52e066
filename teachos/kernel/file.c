/* SPDX-License-Identifier: MIT */
/*G:480 Everything is a number
 *
 * To a process an open file is a small number; to us it is a record, and what can be
 * done with it stands in a table of functions, one table for each kind of file.  Three
 * kinds live here: the console, a file or a directory of a file system (a node, see
 * node.c), and a text that we write ourselves at the moment when somebody opens it
 * (/proc/ps, for instance: questions to the kernel that look like files, so that
 * `cat` can ask them).  The others are neighbours: the end of a pipe (pipe.c), a whole
 * disk (disk.c).
 *
 * The offset belongs to the open file, not to the number: two numbers for one file, by
 * dup2 or fork, move along together.  So what a child prints follows what its parent
 * has printed, and does not overwrite it.
 */
#include "kernel.h"

struct file *file_new(const struct file_ops *ops, u32 flags, void *object)
{
	struct file *f = kmalloc(sizeof(*f));

	if (f)
		*f = (struct file){.ops = ops, .refs = 1, .flags = flags, .object = object};
	return f;
}

void file_get(struct file *f)
{
	f->refs++;
}

void file_put(struct file *f)
{
	if (--f->refs)
		return;
	if (f->ops->close)
		f->ops->close(f);
	kfree(f);
}

int file_read(struct file *f, u32 user, u32 length)
{
	if (f->ops->getdents)
		return -EISDIR;
	if (!f->ops->read || (f->flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	return f->ops->read(f, user, length);
}

int file_write(struct file *f, u32 user, u32 length)
{
	if (!f->ops->write || (f->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	return f->ops->write(f, user, length);
}

int file_getdents(struct file *f, u32 user, u32 length)
{
	return f->ops->getdents ? f->ops->getdents(f, user, length) : -ENOTDIR;
}
/*:*/

/*G:481 The console, and questions to the kernel */
static int console_read(struct file *f, u32 user, u32 length)
{
	(void)f;
	return tty_read(user, length);
}

static int console_file_write(struct file *f, u32 user, u32 length)
{
	char chunk[256];
	u32 done, n;

	(void)f;
	for (done = 0; done < length; done += n) {
		n = length - done < sizeof(chunk) ? length - done : sizeof(chunk);
		if (!copy_from_user(chunk, user + done, n))
			return done ? (int)done : -EFAULT;
		console_write(chunk, n);
		if (current->due)	/* Ctrl-C ends a flood */
			return done + n;
	}
	return done;
}

static const struct file_ops console_ops = {.read = console_read, .write = console_file_write};

struct file *file_console(void)
{
	return file_new(&console_ops, O_RDWR, NULL);
}

bool file_is_console(const struct file *f)
{
	return f->ops == &console_ops;
}

static int text_read(struct file *f, u32 user, u32 length)
{
	if (length > f->size - f->offset)
		length = f->size - f->offset;
	if (!copy_to_user(user, f->data + f->offset, length))
		return -EFAULT;
	f->offset += length;
	return length;
}

static void text_close(struct file *f)
{
	frame_put(virt_to_phys(f->data));
}

static const struct file_ops text_ops = {.read = text_read, .close = text_close};

/* One line of ps: 0 is the heading, then process after process.  0: there are no more. */
static u32 process_line(char *to, u32 size, u32 n)
{
	struct process *p = process_list;

	if (!n)
		return snformat(to, size, "  PID PARENT GROUP STATE    SWITCHES NAME\n");
	while (p && --n)
		p = p->next;
	return !p ? 0 : snformat(to, size, "%5d %6d %5d %-8s %8u %s\n", p->pid,
				 p->parent ? p->parent->pid : 0, p->group, process_states[p->state],
				 p->switches, p->name);
}

/* However many there are; f->offset counts lines, f->size what was read of the next. */
static int processes_read(struct file *f, u32 user, u32 length)
{
	u32 done = 0, n, part;
	char line[96];

	while (done < length && (n = process_line(line, sizeof(line), f->offset)) != 0) {
		part = n > f->size ? n - f->size : 0;	/* it may be another one by now */
		if (part > length - done)
			part = length - done;
		if (!copy_to_user(user + done, line + f->size, part))
			return done ? (int)done : -EFAULT;
		done += part;
		f->size += part;
		if (f->size >= n) {
			f->offset++;
			f->size = 0;
		}
	}
	return done;
}

static const struct file_ops processes_ops = {.read = processes_read};

static u32 text_memory(char *to, u32 size)
{
	u32 total = frames_total() * (PAGE_SIZE / 1024), free = frames_free() * (PAGE_SIZE / 1024);

	return snformat(to, size, "total %u KiB\nused  %u KiB\nfree  %u KiB\n",
			total, total - free, free);
}

/* One line a disk: what it is, where it is mounted, and how full it is. */
static u32 text_disks(char *to, u32 size)
{
	u32 used = snformat(to, size, "DISK      SIZE KiB   FREE KiB MODE MOUNTED ON\n"), i;
	struct fs_usage usage;
	struct disk *disk;
	struct node *root;
	const char *path;

	for (i = 0; (disk = disk_number(i)) != NULL && used < size; i++) {
		if (mount_of_disk(disk, &path, &root) && !root->ops->usage(root, &usage))
			used += snformat(to + used, size - used, "%-8s %9u %10u %-4s %s\n",
					 disk->name, disk->sectors / 2, usage.blocks_free *
					 (usage.block_size / 1024), usage.read_only ? "ro" : "rw",
					 path);
		else
			used += snformat(to + used, size - used, "%-8s %9u %10s %-4s -\n",
					 disk->name, disk->sectors / 2, "-",
					 disk->read_only ? "ro" : "rw");
	}
	return used < size ? used : size - 1;
}

static struct file *open_text(u32 (*write)(char *to, u32 size))
{
	u32 frame = frame_alloc();
	struct file *f = frame ? file_new(&text_ops, O_RDONLY, phys_to_virt(frame)) : NULL;

	if (f)
		f->size = write(phys_to_virt(frame), PAGE_SIZE);
	else if (frame)
		frame_put(frame);
	return f;
}
/*:*/

/*G:482 Files with a place
 *
 * A node knows how to move bytes between itself and the kernel's memory.  What a
 * process hands us is a range of *its* memory, so we go through that page by page, and
 * for each piece the node gets the kernel's own address of it: the bytes are copied
 * once.  The page can't go away while a disk is waited for, as the only one who could
 * unmap it is the process itself, and that is here.
 */
static int node_read(struct file *f, u32 user, u32 length)
{
	struct node *n = f->node;
	u32 done = 0, part;
	void *page;
	int got;

	if (f->offset >= n->size)
		return 0;
	if (length > n->size - f->offset)
		length = n->size - f->offset;
	while (done < length && !(done && current->due)) {
		part = length - done;
		page = user_memory(user + done, &part, true);
		got = page ? n->ops->read(n, f->offset, page, part) : -EFAULT;
		if (got < 0 && !done)
			return got;
		if (got <= 0)
			break;
		done += got;
		f->offset += got;
	}
	return done;
}

static int node_write(struct file *f, u32 user, u32 length)
{
	struct node *n = f->node;
	u32 done = 0, part;
	void *page;
	int got;

	if (f->flags & O_APPEND)
		f->offset = n->size;
	while (done < length && !(done && current->due)) {
		part = length - done;
		page = user_memory(user + done, &part, false);
		got = !page ? -EFAULT : f->offset > FILE_SIZE_MAX - part ? -EFBIG :
		      n->ops->write(n, f->offset, page, part);
		if (got < 0 && !done)
			return got;
		if (got <= 0)
			break;
		f->written = true;
		done += got;
		f->offset += got;
	}
	return done;
}

/* Who has written to a file and closes it shall find it on the disk. */
static void node_close(struct file *f)
{
	if (f->written)
		f->node->ops->sync(f->node);
	node_put(f->node);
}

static const struct file_ops node_file_ops = {
	.read = node_read,
	.write = node_write,
	.close = node_close,
};

/*:*/

/*G:483 Names, and opening what they lead to */
/* struct linux_dirent: u32 inode, u32 offset, u16 length, name, 0, ..., u8 type. */
#define DIRENT_NAME 10

static int node_getdents(struct file *f, u32 user, u32 length)
{
	struct listing entry;
	char out[DIRENT_NAME + NAME_SIZE + 4];
	u32 done = 0, next = f->offset;
	int got;

	while ((got = f->node->ops->list(f->node, &next, &entry)) > 0) {
		u16 size = (DIRENT_NAME + strlen(entry.name) + 2 + 3) & ~3u;

		if (done + size > length)
			return done ? (int)done : -EINVAL;
		memset(out, 0, size);
		memcpy(out, &entry.number, 4);
		memcpy(out + 4, &next, 4);
		memcpy(out + 8, &size, 2);
		strcopy(out + DIRENT_NAME, entry.name, NAME_SIZE);
		out[size - 1] = entry.mode >> 12;	/* DT_REG, DT_DIR... are just that */
		if (!copy_to_user(user + done, out, size))
			return -EFAULT;
		done += size;
		f->offset = next;
	}
	return done || !got ? (int)done : got;
}

static const struct file_ops directory_ops = {
	.getdents = node_getdents,
	.close = node_close,
};

struct node *file_node(const struct file *f)
{
	return f->ops == &node_file_ops || f->ops == &directory_ops ? f->node : NULL;
}

bool file_can_seek(const struct file *f)
{
	return file_node(f) || f->ops == &text_ops || f->ops == &processes_ops || disk_is_open(f);
}

/* Finds the node at path, or makes it if flags say so; 0 or -errno. */
static int find_or_create(const char *path, u32 flags, struct node **found)
{
	struct node *dir;
	const char *name;
	int error;

	do {		/* again, if somebody else makes it after we did not find it */
		error = node_find(path, found);
		if (!error && (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
			node_put(*found);
			return -EEXIST;
		}
		if (error != -ENOENT || !(flags & O_CREAT))
			return error;
		error = node_find_parent(path, &dir, &name);
		if (error)
			return error;
		error = dir->ops->create(dir, name, S_IFREG | 0644, found);
		node_put(dir);
	} while (error == -EEXIST && !(flags & O_EXCL));
	return error;
}

/* What the flags want of a node, before it is opened: 0 or -errno. */
static int prepare(struct node *n, u32 flags)
{
	bool write = (flags & O_ACCMODE) != O_RDONLY;
	u32 kind = n->mode & S_IFMT;
	int error;

	if (kind == S_IFDIR)
		return write || (flags & O_CREAT) ? -EISDIR : 0;
	if (kind != S_IFREG)		/* a pipe, a device, a symbolic link of somebody else's */
		return -ENXIO;
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	error = write ? n->ops->may_write(n) : 0;
	if (!error && write && (flags & O_TRUNC) && n->size)
		error = n->ops->resize(n, 0);
	return error;
}

static struct file *open_node(const char *path, u32 flags, int *error)
{
	struct node *n;
	struct file *f;

	*error = find_or_create(path, flags, &n);
	if (*error)
		return NULL;
	*error = prepare(n, flags);
	f = *error ? NULL : file_new((n->mode & S_IFMT) == S_IFDIR ? &directory_ops :
				     &node_file_ops, flags, n);
	if (f) {
		f->written = flags & (O_TRUNC | O_CREAT);
		return f;
	}
	if (!*error)
		*error = -ENOMEM;
	node_put(n);
	return NULL;
}

struct file *file_open(const char *path, u32 flags, int *error)
{
	static const struct {
		const char *path;
		u32 (*write)(char *to, u32 size);
	} texts[] = {
		{"/proc/meminfo", text_memory},
		{"/proc/disks", text_disks},
		{"/proc/net", net_text},
	};
	char absolute[PATH_SIZE];
	u32 i;

	*error = path_absolute(absolute, path);
	if (*error)
		return NULL;
	*error = -ENOMEM;
	if (!strcmp(absolute, "/dev/console"))
		return file_console();
	if (!strcmp(absolute, "/proc/ps") && (flags & O_ACCMODE) == O_RDONLY)
		return file_new(&processes_ops, O_RDONLY, NULL);
	if (!strcmp(absolute, "/dev/random"))
		return file_random(error);
	if (!strncmp(absolute, "/dev/vd", 7))
		return disk_open(absolute + 5, flags, error);
	for (i = 0; (flags & O_ACCMODE) == O_RDONLY && i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(absolute, texts[i].path))
			return open_text(texts[i].write);
	return open_node(absolute, flags, error);
}
/*:*/
