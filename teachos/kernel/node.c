/* SPDX-License-Identifier: MIT */
/*G:476 Where a path leads
 *
 * A file has many names, and most of them depend on where you stand: `motd`,
 * `../etc/motd`, `/etc//motd`.  So the first thing that happens to a path is that it
 * is made plain: put behind the current directory if it does not begin with a slash,
 * and then rewritten, part by part, without dots.  What comes out is absolute and
 * the same for all those names, and the rest of the kernel never sees a `..`.
 *
 * (Unix does it the other way round and asks the disk at each `..` where up is.  That
 * is needed where symbolic links can lead sideways.  We have none, and save a walk.)
 *
 * Plain paths also make mounting simple.  A mount is a path and the root of a file
 * system: the longest one that a path begins with says who is asked about the rest.
 */
#include "kernel.h"

#define MAX_MOUNTS 6u

struct mount {
	char path[64];		/* "" is the root of all */
	struct node *root;	/* NULL: free */
	struct disk *disk;
};

static struct mount mounts[MAX_MOUNTS];

/* Adds one part to a plain path that ends at *used; false: it becomes too long. */
static bool add_part(char to[PATH_SIZE], u32 *used, const char *part, u32 length)
{
	if (!length || (length == 1 && part[0] == '.'))
		return true;
	if (length == 2 && part[0] == '.' && part[1] == '.') {
		while (*used && to[--*used] != '/')
			;
		return true;
	}
	if (*used + 1 + length >= PATH_SIZE)
		return false;
	to[(*used)++] = '/';
	memcpy(to + *used, part, length);
	*used += length;
	return true;
}

static u32 part_length(const char *path)
{
	u32 n = 0;

	while (path[n] && path[n] != '/')
		n++;
	return n;
}

int path_absolute(char to[PATH_SIZE], const char *path)
{
	u32 used = 0, n;

	if (!*path)
		return -ENOENT;
	if (*path != '/' && current->cwd) {
		strcopy(to, current->cwd, PATH_SIZE);
		used = strlen(to);
	}
	for (; *path; path += n + (path[n] == '/')) {
		n = part_length(path);
		if (!add_part(to, &used, path, n))
			return -ENAMETOOLONG;
	}
	if (!used)
		to[used++] = '/';
	to[used] = '\0';
	return 0;
}

static bool is_below(const char *path, const char *mount)
{
	u32 n = strlen(mount);

	return !strncmp(path, mount, n) && (!path[n] || path[n] == '/');
}

static struct mount *mount_of(const char *path)
{
	struct mount *m, *best = NULL;

	for (m = mounts; m < mounts + MAX_MOUNTS; m++)
		if (m->root && is_below(path, m->path) &&
		    (!best || strlen(m->path) > strlen(best->path)))
			best = m;
	return best;
}

/* From path's mount down to where path ends, or to the directory before that. */
static int walk(const char *path, bool to_parent, struct node **found, const char **last)
{
	struct mount *m = mount_of(path);
	struct node *at = m->root, *next;
	char name[NAME_SIZE];
	u32 n;
	int error;

	path += strlen(m->path);
	path += *path == '/';
	*last = path;
	if (to_parent && !*path)
		return -EBUSY;
	node_get(at);
	for (; *path; path += n + (path[n] == '/')) {
		*last = path;
		n = part_length(path);
		if (to_parent && !path[n])
			break;
		memcpy(name, path, n);
		name[n] = '\0';
		error = at->ops->lookup(at, name, &next);
		node_put(at);
		if (error)
			return error;
		at = next;
	}
	if (to_parent && (at->mode & S_IFMT) != S_IFDIR) {
		node_put(at);
		return -ENOTDIR;
	}
	*found = at;
	return 0;
}

/* On one disk, and of one kind. */
bool node_same_fs(const struct node *a, const struct node *b)
{
	struct stat x = {0}, y = {0};

	a->ops->stat((struct node *)a, &x);
	b->ops->stat((struct node *)b, &y);
	return a->ops == b->ops && x.dev == y.dev;
}

int node_find(const char *path, struct node **found)
{
	const char *last;

	return walk(path, false, found, &last);
}

int node_find_parent(const char *path, struct node **dir, const char **name)
{
	return walk(path, true, dir, name);
}
/*:*/

/*G:477 Another tree on a branch
 *
 * A mount keeps the root of its file system in memory, as one of its owners.  Taking it
 * away is allowed only to the last: as long as a file in there is open, the file
 * system is busy and stays.  When the power goes nobody is asked any more.
 */
int mount_add(const char *path, struct node *root, struct disk *disk)
{
	struct mount *m, *free = NULL;
	struct node *covered;
	bool is_directory;
	int error;

	for (m = mounts; m < mounts + MAX_MOUNTS; m++) {
		if (!m->root)
			free = m;
		else if (!strcmp(m->path, path) || (disk && m->disk == disk))
			return -EBUSY;
	}
	if (!free || strlen(path) >= sizeof(free->path))
		return free ? -ENAMETOOLONG : -ENOSPC;
	if (*path) {
		error = node_find(path, &covered);
		if (error)
			return error;
		is_directory = (covered->mode & S_IFMT) == S_IFDIR;
		node_put(covered);
		if (!is_directory || !strcmp(path, "/"))
			return is_directory ? -EBUSY : -ENOTDIR;
	}
	strcopy(free->path, path, sizeof(free->path));
	free->disk = disk;
	free->root = root;
	return 0;
}

static bool has_mount_below(const struct mount *which)
{
	struct mount *m;

	for (m = mounts; m < mounts + MAX_MOUNTS; m++)
		if (m->root && m != which && is_below(m->path, which->path))
			return true;
	return false;
}

int mount_remove(const char *path)
{
	struct mount *m = mount_of(path);
	struct node *root = m->root;
	int error;

	if (strcmp(path, m->path))
		return -EINVAL;
	if (root->refs > 1 || has_mount_below(m))
		return -EBUSY;
	error = root->ops->sync(root);
	if (root->refs > 1)		/* somebody came while we wrote */
		return -EBUSY;
	m->root = NULL;
	node_put(root);			/* the last one: the file system is closed */
	return error;
}

bool mount_of_disk(const struct disk *disk, const char **path, struct node **root)
{
	struct mount *m;

	for (m = mounts; m < mounts + MAX_MOUNTS; m++)
		if (m->root && m->disk == disk) {
			*path = m->path;
			*root = m->root;
			return true;
		}
	return false;
}

int mount_sync(void)
{
	struct mount *m;
	int error, first = 0;

	for (m = mounts; m < mounts + MAX_MOUNTS; m++) {
		error = m->root ? m->root->ops->sync(m->root) : 0;
		first = first ? first : error;
	}
	return first;
}

void mount_remove_all(void)
{
	struct mount *m;

	for (m = mounts; m < mounts + MAX_MOUNTS; m++)
		if (m->root && m->root->ops->leave)
			m->root->ops->leave(m->root);
}
/*:*/
