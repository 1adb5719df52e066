/* SPDX-License-Identifier: MIT */
/*G:478 The counter for files
 *
 * Most of these are one question: which directory does the path lead to, and what is
 * the last name in it?  The rest is the file system's business.  The numbers and
 * structures are Linux's for i386.
 */
#include "kernel.h"

static int path_from_user(char absolute[PATH_SIZE], u32 user)
{
	char path[PATH_SIZE];

	if (!string_from_user(path, user, sizeof(path)))
		return -EFAULT;
	return path_absolute(absolute, path);
}

/* Finds the directory that a path of the process's ends in; 0 or -errno. */
static int parent_from_user(char path[PATH_SIZE], u32 user, struct node **dir, const char **name)
{
	int error = path_from_user(path, user);

	return error ? error : node_find_parent(path, dir, name);
}

static int node_from_user(u32 user, struct node **found)
{
	char path[PATH_SIZE];
	int error = path_from_user(path, user);

	return error ? error : node_find(path, found);
}

static int remove(u32 user, bool directory)
{
	char path[PATH_SIZE];
	const char *name;
	struct node *dir;
	int error = parent_from_user(path, user, &dir, &name);

	if (error)
		return error == -EBUSY && !directory ? -EISDIR : error;
	error = dir->ops->remove(dir, name, directory);
	node_put(dir);
	return error;
}

int sys_unlink(struct trap_frame *f)
{
	return remove(f->ebx, false);
}

int sys_rmdir(struct trap_frame *f)
{
	return remove(f->ebx, true);
}

int sys_mkdir(struct trap_frame *f)
{
	char path[PATH_SIZE];
	const char *name;
	struct node *dir, *made;
	int error = parent_from_user(path, f->ebx, &dir, &name);

	if (error)
		return error == -EBUSY ? -EEXIST : error;
	error = dir->ops->create(dir, name, S_IFDIR | (f->ecx & 0777), &made);
	node_put(dir);
	if (!error)
		node_put(made);
	return error;
}

int sys_rename(struct trap_frame *f)
{
	char from[PATH_SIZE], to[PATH_SIZE];
	const char *name, *new_name;
	struct node *dir, *new_dir;
	int error = parent_from_user(from, f->ebx, &dir, &name);

	if (error)
		return error;
	error = parent_from_user(to, f->ecx, &new_dir, &new_name);
	if (error) {
		node_put(dir);
		return error;
	}
	error = node_same_fs(dir, new_dir) ?
		dir->ops->rename(dir, name, new_dir, new_name) : -EXDEV;
	node_put(new_dir);
	node_put(dir);
	return error;
}

int sys_chdir(struct trap_frame *f)
{
	char path[PATH_SIZE], *copy;
	struct node *n;
	bool is_directory;
	int error = path_from_user(path, f->ebx);

	if (!error)
		error = node_find(path, &n);
	if (error)
		return error;
	is_directory = (n->mode & S_IFMT) == S_IFDIR;
	node_put(n);
	if (!is_directory)
		return -ENOTDIR;
	copy = strcmp(path, "/") ? kmalloc(strlen(path) + 1) : NULL;
	if (copy)
		strcopy(copy, path, strlen(path) + 1);
	else if (strcmp(path, "/"))
		return -ENOMEM;
	kfree(current->cwd);
	current->cwd = copy;
	return 0;
}

int sys_getcwd(struct trap_frame *f)
{
	const char *path = current->cwd ? current->cwd : "/";
	u32 size = strlen(path) + 1;

	if (f->ecx < size)
		return -ERANGE;
	return copy_to_user(f->ebx, path, size) ? (int)size : -EFAULT;
}

/*:*/

/*G:479 What a file is like, and where we are in it */
static int stat_to_user(struct node *n, u32 user)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	n->ops->stat(n, &st);
	return copy_to_user(user, &st, sizeof(st)) ? 0 : -EFAULT;
}

int sys_stat(struct trap_frame *f)
{
	struct node *n;
	int error = node_from_user(f->ebx, &n);

	if (error)
		return error;
	error = stat_to_user(n, f->ecx);
	node_put(n);
	return error;
}

int sys_fstat(struct trap_frame *f)
{
	struct file *file = get_file(f->ebx);
	struct stat st;

	if (!file)
		return -EBADF;
	if (file_node(file))
		return stat_to_user(file_node(file), f->ecx);
	memset(&st, 0, sizeof(st));	/* it has no place, but it has a kind */
	st.mode = file_is_console(file) ? S_IFCHR | 0600 : S_IFIFO | 0600;
	st.links = 1;
	return copy_to_user(f->ecx, &st, sizeof(st)) ? 0 : -EFAULT;
}

enum { SEEK_SET, SEEK_CUR, SEEK_END };

int sys_lseek(struct trap_frame *f)
{
	struct file *file = get_file(f->ebx);
	int64_t at = (int)f->ecx;

	if (!file)
		return -EBADF;
	if (!file_can_seek(file))
		return -ESPIPE;
	if (f->edx == SEEK_CUR)
		at += file->offset;
	else if (f->edx == SEEK_END)
		at += file_node(file) ? file_node(file)->size : file->size;
	else if (f->edx != SEEK_SET)
		return -EINVAL;
	if (at < 0 || at > FILE_SIZE_MAX)
		return -EINVAL;
	file->offset = at;
	return at;
}

int sys_ftruncate(struct trap_frame *f)
{
	struct file *file = get_file(f->ebx);
	struct node *n = file ? file_node(file) : NULL;

	if (!file)
		return -EBADF;
	if (!n || (n->mode & S_IFMT) != S_IFREG || (file->flags & O_ACCMODE) == O_RDONLY)
		return -EINVAL;
	file->written = true;
	return f->ecx > FILE_SIZE_MAX ? -EFBIG : n->ops->resize(n, f->ecx);
}

/* utime(): struct utimbuf is two words, NULL is now. */
int sys_utime(struct trap_frame *f)
{
	u32 times[2] = {wall_seconds(), wall_seconds()};
	struct node *n;
	int error;

	if (f->ecx && !copy_from_user(times, f->ecx, sizeof(times)))
		return -EFAULT;
	error = node_from_user(f->ebx, &n);
	if (error)
		return error;
	error = n->ops->may_write(n);
	if (!error)
		error = n->ops->set_times(n, times[0], times[1]);
	node_put(n);
	return error;
}

int sys_sync(struct trap_frame *f)
{
	(void)f;
	mount_sync();		/* Linux's sync() can't fail: fsync() tells */
	return 0;
}

int sys_fsync(struct trap_frame *f)
{
	struct file *file = get_file(f->ebx);
	struct node *n = file ? file_node(file) : NULL;

	return !file ? -EBADF : n ? n->ops->sync(n) : -EINVAL;
}

/* struct statfs: 16 words, of which we fill ten. */
static int usage_to_user(struct node *n, u32 user)
{
	struct fs_usage u;
	u32 words[16] = {0};
	int error = n->ops->usage(n, &u);

	if (error)
		return error;
	words[0] = u.magic;
	words[1] = words[10] = u.block_size;
	words[2] = u.blocks;
	words[3] = words[4] = u.blocks_free;
	words[5] = u.files;
	words[6] = u.files_free;
	words[9] = NAME_SIZE - 1;
	words[11] = u.read_only;		/* ST_RDONLY */
	return copy_to_user(user, words, sizeof(words)) ? 0 : -EFAULT;
}

int sys_statfs(struct trap_frame *f)
{
	struct node *n;
	int error = node_from_user(f->ebx, &n);

	if (error)
		return error;
	error = usage_to_user(n, f->ecx);
	node_put(n);
	return error;
}

#define MS_RDONLY 1u

/* mount(disk, directory, type, flags): the type is ext2, whatever you say. */
int sys_mount(struct trap_frame *f)
{
	char source[PATH_SIZE], target[PATH_SIZE];
	struct disk *disk;
	int error = path_from_user(source, f->ebx);

	if (!error)
		error = path_from_user(target, f->ecx);
	if (error)
		return error;
	disk = strncmp(source, "/dev/", 5) ? NULL : disk_find(source + 5);
	return disk ? ext2_mount(disk, target, f->esi & MS_RDONLY) : -ENODEV;
}

int sys_umount(struct trap_frame *f)
{
	char path[PATH_SIZE];
	int error = path_from_user(path, f->ebx);

	return error ? error : strcmp(path, "/") ? mount_remove(path) : -EBUSY;
}
/*:*/
