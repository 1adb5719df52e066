/* SPDX-License-Identifier: MIT */
/*G:751 Moving files about
 *
 * What cp, mv, rm and ls have in common: walking through a directory, gluing names
 * together, copying bytes, and telling the date.
 */
#include "files.h"

int chdir(const char *path) { return syscall(SYS_chdir, (u32)path, 0, 0); }
int getcwd(char *to, u32 size) { return syscall(SYS_getcwd, (u32)to, size, 0); }
int lseek(int fd, int offset, int whence) { return syscall(SYS_lseek, fd, offset, whence); }
int rename(const char *from, const char *to) { return syscall(SYS_rename, (u32)from, (u32)to, 0); }
int mkdir(const char *path) { return syscall(SYS_mkdir, (u32)path, 0755, 0); }
int rmdir(const char *path) { return syscall(SYS_rmdir, (u32)path, 0, 0); }
int ftruncate(int fd, u32 size) { return syscall(SYS_ftruncate, fd, size, 0); }
int stat(const char *path, struct stat *to) { return syscall(SYS_stat, (u32)path, (u32)to, 0); }
int fstat(int fd, struct stat *to) { return syscall(SYS_fstat, fd, (u32)to, 0); }
int fsync(int fd) { return syscall(SYS_fsync, fd, 0, 0); }
int sync(void) { return syscall(SYS_sync, 0, 0, 0); }

struct dirent {
	u32 inode, offset;
	u16 length;
	char name[];		/* ..., 0, and in the last byte the kind */
};

int directory_open(struct directory *d, const char *path)
{
	d->at = d->used = 0;
	d->fd = open_flags(path, O_RDONLY | O_DIRECTORY);
	return d->fd < 0 ? d->fd : 0;
}

int directory_next(struct directory *d, struct entry *e)
{
	struct dirent *entry;
	int n;

	if (d->at == d->used) {
		n = syscall(SYS_getdents, d->fd, (u32)d->buffer, sizeof(d->buffer));
		if (n <= 0)
			return n;
		d->at = 0;
		d->used = n;
	}
	entry = (void *)((char *)d->buffer + d->at);
	d->at += entry->length;
	e->inode = entry->inode;
	e->name = entry->name;
	e->kind = (u32)((u8 *)entry)[entry->length - 1] << 12;
	return 1;
}

bool is_directory(const char *path)
{
	struct stat st;

	return !stat(path, &st) && (st.mode & S_IFMT) == S_IFDIR;
}

bool path_join(char to[PATH_SIZE], const char *directory, const char *name)
{
	u32 length = strlen(directory);
	bool slash = length && directory[length - 1] != '/';

	return snformat(to, PATH_SIZE, "%s%s%s", directory, slash ? "/" : "", name) < PATH_SIZE;
}

const char *last_part(const char *path)
{
	const char *last = path;

	for (; *path; path++)
		if (*path == '/' && path[1])
			last = path + 1;
	return last;
}

bool target_of(char to[PATH_SIZE], const char *from, const char *where)
{
	if (is_directory(where))
		return path_join(to, where, last_part(from));
	strcopy(to, where, PATH_SIZE);
	return strlen(where) < PATH_SIZE;
}

static int copy_bytes(int in, int out)
{
	static char chunk[16384];
	int n, done, part;

	while ((n = read(in, chunk, sizeof(chunk))) > 0)
		for (done = 0; done < n; done += part) {
			part = write(out, chunk + done, n - done);
			if (part <= 0)
				return part ? part : -5;
		}
	return n;
}

static int complain_about(const char *program, const char *path, int error)
{
	if (error)
		complain("%s: %s: %s\n", program, path, error_text(error));
	return error;
}

int copy_file(const char *program, const char *from, const char *to)
{
	struct stat a, b;
	int in = open(from), out, error;

	if (in < 0)
		return complain_about(program, from, in);
	if (!fstat(in, &a) && !stat(to, &b) && a.dev == b.dev && a.ino == b.ino) {
		close(in);
		complain("%s: %s and %s are one file\n", program, from, to);
		return -22;
	}
	out = (a.mode & S_IFMT) == S_IFDIR ? -21 : open_flags(to, O_WRONLY | O_CREAT | O_TRUNC);
	if (out < 0) {
		close(in);
		return complain_about(program, out == -21 ? from : to, out);
	}
	error = copy_bytes(in, out);
	if (!error)
		error = fsync(out) == -5 ? -5 : 0;
	close(in);
	close(out);
	return complain_about(program, to, error);
}
/*:*/

/*G:752 A tree is removed from its leaves
 *
 * While we read a directory, we don't remove from it: we take one entry, remove it, and
 * begin again from the front.  So it does not matter what a file system does to the
 * places of the others.  How deep it may go is limited by the length of a path, so not
 * even a directory that contains itself keeps us for ever.
 */
static int remove_first(const char *program, const char *path)
{
	char child[PATH_SIZE];
	struct directory d;
	struct entry e;
	int got = directory_open(&d, path);

	if (got < 0)
		return complain_about(program, path, got);
	got = directory_next(&d, &e);
	if (got > 0 && !path_join(child, path, e.name))
		got = -36;
	close(d.fd);
	if (got <= 0)
		return complain_about(program, path, got);
	got = remove_tree(program, child);
	return got ? got : 1;
}

int remove_tree(const char *program, const char *path)
{
	int error = unlink(path);

	if (error != -21)
		return complain_about(program, path, error);
	while ((error = remove_first(program, path)) > 0)
		;
	return error ? error : complain_about(program, path, rmdir(path));
}

char kind_letter(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR: return 'd';
	case S_IFREG: return '-';
	case S_IFCHR: return 'c';
	case S_IFBLK: return 'b';
	case S_IFIFO: return 'p';
	case S_IFLNK: return 'l';
	}
	return '?';
}

/* Days are counted from 1 March, so that a leap day is the last of its year. */
void date_text(u32 seconds, char to[20])
{
	u32 minutes = seconds / 60 % 1440, days = seconds / 86400 + 719468;
	u32 era = days / 146097, of_era = days % 146097;
	u32 year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	u32 of_year = of_era - (365 * year + year / 4 - year / 100);
	u32 month = (5 * of_year + 2) / 153;

	snformat(to, 20, "%04u-%02u-%02u %02u:%02u", year + era * 400 + (month >= 10),
		 month < 10 ? month + 3 : month - 9, of_year - (153 * month + 2) / 5 + 1,
		 minutes / 60, minutes % 60);
}
/*:*/
