/* SPDX-License-Identifier: MIT */
/*G:480 Everything is a number
 *
 * To a process an open file is a small number; to us it is a record with a kind.
 * There are six: the console, a file of the initial file system, a directory, a
 * text that we write ourselves at the moment when somebody opens it (/proc/ps and
 * /proc/meminfo: questions to the kernel that look like files, so that `cat` can ask
 * them), one end of a pipe, and a file in /tmp.  Only the console, a pipe and /tmp
 * can be written to.
 */
#include "kernel.h"

static struct file *file_new(enum file_kind kind)
{
	struct file *f = kmalloc(sizeof(*f));

	if (f) {
		memset(f, 0, sizeof(*f));
		f->kind = kind;
		f->refs = 1;
	}
	return f;
}

struct file *file_console(void)
{
	struct file *f = file_new(FILE_CONSOLE);

	if (f)
		f->flags = O_RDWR;
	return f;
}

int file_pipe(struct file *ends[2])
{
	struct pipe *pipe = pipe_create();

	ends[0] = pipe ? file_new(FILE_PIPE) : NULL;
	ends[1] = ends[0] ? file_new(FILE_PIPE) : NULL;
	if (!ends[1]) {
		kfree(ends[0]);
		if (pipe) {
			pipe_close(pipe, false);
			pipe_close(pipe, true);
		}
		return -ENOMEM;
	}
	ends[1]->flags = O_WRONLY;
	ends[0]->pipe = ends[1]->pipe = pipe;
	return 0;
}

void file_get(struct file *f)
{
	f->refs++;
}

void file_put(struct file *f)
{
	if (--f->refs)
		return;
	if (f->kind == FILE_TEXT)
		frame_put(virt_to_phys(f->data));
	if (f->kind == FILE_PIPE)
		pipe_close(f->pipe, f->flags & O_WRONLY);
	if (f->kind == FILE_TMP)
		tmp_put(f->tmp);
	kfree(f);
}

static u32 text_processes(char *to, u32 size)
{
	static const char *const states[] = {"ready", "running", "sleeping", "zombie"};
	u32 used = snformat(to, size, "  PID PARENT STATE    SWITCHES NAME\n");
	struct process *p;

	for (p = process_list; p && used < size; p = p->next)
		used += snformat(to + used, size - used, "%5d %6d %-8s %8u %s\n", p->pid,
				 p->parent ? p->parent->pid : 0, states[p->state],
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
	struct file *f = file_new(FILE_TEXT);
	u32 frame = f ? frame_alloc() : 0;

	if (!frame) {
		kfree(f);
		return NULL;
	}
	f->data = phys_to_virt(frame);
	f->size = write(phys_to_virt(frame), PAGE_SIZE);
	return f;
}

static struct file *open_tmp(const char *name, u32 flags, int *error)
{
	struct file *f = file_new(FILE_TMP);

	if (!f)
		return NULL;
	f->flags = flags;
	*error = tmp_open(name, flags, &f->tmp);
	if (*error) {
		kfree(f);
		return NULL;
	}
	return f;
}

struct file *file_open(const char *path, u32 flags, int *error)
{
	const char *data, *name = tmp_name(path);
	bool write = (flags & O_ACCMODE) != O_RDONLY;
	struct file *f;
	u32 size;

	*error = -ENOMEM;
	if (name && *name)
		return open_tmp(name, flags, error);
	if (!strcmp(path, "/dev/console"))
		return file_console();
	if (write || (flags & O_CREAT)) {
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
	f = file_new(data ? FILE_DATA : FILE_DIR);
	if (f && data) {
		f->data = data;
		f->size = size;
	} else if (f) {
		strcopy(f->path, path, sizeof(f->path));
	}
	return f;
}

/*:*/

/*G:482 One read, many kinds
 *
 * The switchboard: each kind has its own idea of reading and writing, and an offset that
 * moves.  It belongs to the open file, not to the number: two numbers for one file, by
 * dup2 or fork, move along together.  So what a child prints follows what its parent
 * has printed, and does not overwrite it.
 */
int file_read(struct file *f, u32 user, u32 length)
{
	if (f->kind == FILE_CONSOLE)
		return tty_read(user, length);
	if (f->kind == FILE_DIR)
		return -EISDIR;
	if ((f->flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	if (f->kind == FILE_PIPE)
		return pipe_read(f->pipe, user, length);
	if (f->kind == FILE_TMP) {
		int n = tmp_read(f->tmp, f->offset, user, length);

		f->offset += n > 0 ? n : 0;
		return n;
	}
	if (length > f->size - f->offset)
		length = f->size - f->offset;
	if (!copy_to_user(user, f->data + f->offset, length))
		return -EFAULT;
	f->offset += length;
	return length;
}

static int console_file_write(u32 user, u32 length)
{
	char chunk[256];
	u32 done, n;

	for (done = 0; done < length; done += n) {
		n = length - done < sizeof(chunk) ? length - done : sizeof(chunk);
		if (!copy_from_user(chunk, user + done, n))
			return done ? (int)done : -EFAULT;
		console_write(chunk, n);
		if (current->kill_signal)	/* Ctrl-C ends a flood */
			return done + n;
	}
	return done;
}

int file_write(struct file *f, u32 user, u32 length)
{
	int n;

	if ((f->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if (f->kind == FILE_CONSOLE)
		return console_file_write(user, length);
	if (f->kind == FILE_PIPE)
		return pipe_write(f->pipe, user, length);
	if (f->flags & O_APPEND)
		f->offset = tmp_size(f->tmp);
	n = tmp_write(f->tmp, f->offset, user, length);
	f->offset += n > 0 ? n : 0;
	return n;
}

int file_unlink(const char *path)
{
	const char *name = tmp_name(path);
	u32 ignored;

	if (name)
		return tmp_unlink(name);
	return initfs_find(path, &ignored) || initfs_is_directory(path) ? -EROFS : -ENOENT;
}

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

int file_getdents(struct file *f, u32 user, u32 length)
{
	u32 done = 0;
	bool is_directory;
	const char *name;

	if (f->kind != FILE_DIR)
		return -ENOTDIR;
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
/*:*/
