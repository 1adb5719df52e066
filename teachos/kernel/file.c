/* SPDX-License-Identifier: MIT */
/*G:480 Everything is a number
 *
 * To a process an open file is a small number; to us it is a record with a kind.
 * There are four: the console, a file of the initial file system, a directory of
 * it, and a text that we write ourselves at the moment when somebody opens it
 * (/proc/ps and /proc/meminfo: questions to the kernel that look like files, so
 * that `cat` can ask them).
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
	return file_new(FILE_CONSOLE);
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

struct file *file_open(const char *path, int *error)
{
	struct file *f;
	const char *data;
	u32 size;

	*error = -ENOMEM;
	if (!strcmp(path, "/proc/ps"))
		return open_text(text_processes);
	if (!strcmp(path, "/proc/meminfo"))
		return open_text(text_memory);
	if (!strcmp(path, "/dev/console"))
		return file_console();
	data = initfs_find(path, &size);
	if (!data && !initfs_is_directory(path)) {
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

int file_read(struct file *f, u32 user, u32 length)
{
	if (f->kind == FILE_CONSOLE)
		return tty_read(user, length);
	if (f->kind == FILE_DIR)
		return -EISDIR;
	if (length > f->size - f->offset)
		length = f->size - f->offset;
	if (!copy_to_user(user, f->data + f->offset, length))
		return -EFAULT;
	f->offset += length;
	return length;
}

int file_write(struct file *f, u32 user, u32 length)
{
	char chunk[256];
	u32 done, n;

	if (f->kind != FILE_CONSOLE)
		return -EBADF;
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
	while ((name = initfs_list(f->path, f->offset, &is_directory)) != NULL) {
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
