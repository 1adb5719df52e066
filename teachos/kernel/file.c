/* SPDX-License-Identifier: MIT */
/*G:480 Everything is a number
 *
 * To a process an open file is a small number; to us it is a record, and what can be
 * done with it stands in a table of functions, one table for each kind of file.  Four
 * kinds are simple enough to live here: the console, a file of the initial file system,
 * a directory, and a text that we write ourselves at the moment when somebody opens it
 * (/proc/ps and /proc/meminfo: questions to the kernel that look like files, so that
 * `cat` can ask them).  The others are neighbours: the end of a pipe (pipe.c), a file
 * in /tmp (tmp.c).
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

/*G:481 The console, and files that were there before us */
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

static int data_read(struct file *f, u32 user, u32 length)
{
	if (length > f->size - f->offset)
		length = f->size - f->offset;
	if (!copy_to_user(user, f->data + f->offset, length))
		return -EFAULT;
	f->offset += length;
	return length;
}

static const struct file_ops data_ops = {.read = data_read};

static void text_close(struct file *f)
{
	frame_put(virt_to_phys(f->data));
}

static const struct file_ops text_ops = {.read = data_read, .close = text_close};

static u32 text_processes(char *to, u32 size)
{
	static const char *const states[] = {"ready", "running", "sleeping", "stopped", "zombie"};
	u32 used = snformat(to, size, "  PID PARENT GROUP STATE    SWITCHES NAME\n");
	struct process *p;

	for (p = process_list; p && used < size; p = p->next)
		used += snformat(to + used, size - used, "%5d %6d %5d %-8s %8u %s\n", p->pid,
				 p->parent ? p->parent->pid : 0, p->group, states[p->state],
				 p->switches, p->name);
	return used < size ? used : size - 1;
}

static u32 text_memory(char *to, u32 size)
{
	u32 total = frames_total() * (PAGE_SIZE / 1024), free = frames_free() * (PAGE_SIZE / 1024);

	return snformat(to, size, "total %u KiB\nused  %u KiB\nfree  %u KiB\n",
			total, total - free, free);
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

/*G:482 Directories, and where a path leads */
static const char *list(const char *directory, u32 n, bool *is_directory)
{
	if (!tmp_name(directory))
		return initfs_list(directory, n, is_directory);
	*is_directory = false;
	return tmp_list(n);
}

/* struct linux_dirent: u32 inode, u32 offset, u16 length, name, 0, ..., u8 type. */
#define DIRENT_NAME 10
#define DT_DIR 4
#define DT_REG 8

static int directory_getdents(struct file *f, u32 user, u32 length)
{
	u32 done = 0;
	bool is_directory;
	const char *name;

	while ((name = list(f->path, f->offset, &is_directory)) != NULL) {
		char entry[128] = {0};
		u32 name_length = strnlen(name, 100);
		u16 size = (DIRENT_NAME + name_length + 2 + 3) & ~3u;
		u32 inode = f->offset + 1;

		if (done + size > length)
			break;
		memcpy(entry, &inode, 4);
		memcpy(entry + 4, &inode, 4);
		memcpy(entry + 8, &size, 2);
		memcpy(entry + DIRENT_NAME, name, name_length);
		if (entry[DIRENT_NAME + name_length - 1] == '/')
			entry[DIRENT_NAME + name_length - 1] = '\0';
		entry[size - 1] = is_directory ? DT_DIR : DT_REG;
		if (!copy_to_user(user + done, entry, size))
			return -EFAULT;
		done += size;
		f->offset++;
	}
	return done || !name ? (int)done : -EINVAL;
}

static void directory_close(struct file *f)
{
	kfree(f->path);
}

static const struct file_ops directory_ops = {
	.getdents = directory_getdents,
	.close = directory_close,
};

static struct file *open_directory(const char *path)
{
	u32 size = strlen(path) + 1;
	char *copy = kmalloc(size);
	struct file *f = copy ? file_new(&directory_ops, O_RDONLY, copy) : NULL;

	if (f)
		strcopy(copy, path, size);
	else
		kfree(copy);
	return f;
}

struct file *file_open(const char *path, u32 flags, int *error)
{
	const char *data, *name = tmp_name(path);
	struct file *f;
	u32 size;

	*error = -ENOMEM;
	if (name && *name)
		return tmp_open(name, flags, error);
	if (!strcmp(path, "/dev/console"))
		return file_console();
	if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT)) {
		*error = name || initfs_is_directory(path) ? -EISDIR : -EROFS;
		return NULL;
	}
	if (!strcmp(path, "/proc/ps"))
		return open_text(text_processes);
	if (!strcmp(path, "/proc/meminfo"))
		return open_text(text_memory);
	data = initfs_find(path, &size);
	if (!data && !name && !initfs_is_directory(path)) {
		*error = -ENOENT;
		return NULL;
	}
	if (!data)
		return open_directory(path);
	f = file_new(&data_ops, O_RDONLY, (void *)data);
	if (f)
		f->size = size;
	return f;
}

int file_unlink(const char *path)
{
	const char *name = tmp_name(path);
	u32 ignored;

	if (name)
		return tmp_unlink(name);
	return initfs_find(path, &ignored) || initfs_is_directory(path) ? -EROFS : -ENOENT;
}
/*:*/
