/* SPDX-License-Identifier: MIT */
/*G:750 What a program can do with files
 *
 * The rest of the counter: names, places and properties, for the programs that move
 * files about.  As in user.h, the results are Linux's, and errors are negative.
 :*/
#ifndef FILES_H
#define FILES_H

#include "user.h"

#define SYS_chdir 12
#define SYS_lseek 19
#define SYS_mount 21
#define SYS_umount 22
#define SYS_utime 30
#define SYS_sync 36
#define SYS_rename 38
#define SYS_mkdir 39
#define SYS_rmdir 40
#define SYS_ftruncate 93
#define SYS_statfs 99
#define SYS_stat 106
#define SYS_fstat 108
#define SYS_fsync 118
#define SYS_getcwd 183

#define O_EXCL 0x080u
#define O_DIRECTORY 0x10000u
#define S_IFMT 0170000u
#define S_IFIFO 0010000u
#define S_IFCHR 0020000u
#define S_IFDIR 0040000u
#define S_IFBLK 0060000u
#define S_IFREG 0100000u
#define S_IFLNK 0120000u
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
#define PATH_SIZE 256

struct stat {
	u32 dev, ino;
	u16 mode, links, uid, gid;
	u32 rdev, size, block_size, blocks;
	u32 atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns;
	u32 unused[2];
};

/* One entry of a directory; kind: S_IF..., 0: the directory does not know. */
struct entry {
	u32 inode, kind;
	char *name;
};

struct directory {
	int fd;
	u32 at, used;
	u32 buffer[256];
};

int chdir(const char *path);
int getcwd(char *to, u32 size);		/* bytes with the NUL */
int lseek(int fd, int offset, int whence);
int rename(const char *from, const char *to);
int mkdir(const char *path);
int rmdir(const char *path);
int ftruncate(int fd, u32 size);
int stat(const char *path, struct stat *to);
int fstat(int fd, struct stat *to);
int fsync(int fd);
int sync(void);

int directory_open(struct directory *d, const char *path);
/* 1: *e is the next entry, until the next call; 0: there is none; -errno. */
int directory_next(struct directory *d, struct entry *e);
bool is_directory(const char *path);
/* directory/name; false: too long. */
bool path_join(char to[PATH_SIZE], const char *directory, const char *name);
const char *last_part(const char *path);
/* For cp and mv: where FROM goes if TO is a directory or a name; false: too long. */
bool target_of(char to[PATH_SIZE], const char *from, const char *where);
/* Copies a file; 0 or -errno, after a complaint in program's name. */
int copy_file(const char *program, const char *from, const char *to);
/* Removes path, and what is below it if it is a directory; complains. */
int remove_tree(const char *program, const char *path);
char kind_letter(u32 mode);		/* as ls -l and stat show it */
/* "2026-11-20 17:40" from seconds since 1970. */
void date_text(u32 seconds, char to[20]);

#endif
