/* SPDX-License-Identifier: MIT */
/*G:491 A directory is a file of names
 *
 * Its blocks are rows of entries: inode, length, name.  The lengths lead from one entry
 * to the next and always fill the block; so an entry that goes away is swallowed by the
 * one before it, and a new one moves into what somebody's length has to spare.
 *
 *	| 12 12 "."  | 2 12 ".." | 13 16 "motd" | 14 4056 "hello" ............ |
 *
 * Each directory names itself "." and its parent "..", and both count as names of what
 * they lead to.  That is why a directory with three children has five links.
 */
#include "ext2.h"

#define ENTRY_HEAD 8u

/* An entry, found, and the one before it in its block. */
struct place {
	struct block_ref ref;
	struct ext2_entry *entry, *before;	/* before: NULL if it is the first */
	u32 at;					/* offset in the directory */
};

static struct ext2_node *node_of(struct node *n)
{
	return (struct ext2_node *)n;		/* which begins with it */
}

static u32 entry_bytes(u32 name_length)
{
	return (ENTRY_HEAD + name_length + 3) & ~3u;
}

/* Block number index of a directory; it has no holes. */
static int dir_block(struct ext2_node *dir, u32 index, struct block_ref *ref)
{
	bool ignored;
	u32 block;
	int error = ext2_map(dir, index, false, &block, &ignored);

	if (!error && !block)
		error = ext2_broken(dir->fs, "directory %u has a hole", dir->node.number);
	return error ? error : block_get(dir->fs, block, false, ref);
}

static bool is_sound(const struct ext2 *fs, const struct ext2_entry *e, u32 at)
{
	return at + ENTRY_HEAD <= fs->block_size && e->length >= ENTRY_HEAD + 4 &&
	       !(e->length % 4) && e->length <= fs->block_size - at &&
	       entry_bytes(e->name_length) <= e->length && e->inode <= fs->inodes;
}

/* Moves to the first entry at or behind p->at; p->ref is to be put away then.  1: there
 * is none any more.  It begins with the block's first entry: somebody may have removed
 * the one at p->at meanwhile. */
static int dir_step(struct ext2_node *dir, struct place *p)
{
	u32 size = dir->fs->block_size, at;
	int error;

	for (; p->at < dir->node.size; p->at = (p->at / size + 1) * size) {
		error = dir_block(dir, p->at / size, &p->ref);
		if (error)
			return error;
		p->before = NULL;
		for (at = 0; at < size; at += p->entry->length) {
			p->entry = (void *)(p->ref.data + at);
			if (!is_sound(dir->fs, p->entry, at)) {
				block_put(&p->ref);
				return ext2_broken(dir->fs, "directory %u has a bad entry at %u",
						   dir->node.number, p->at / size * size + at);
			}
			if (at >= p->at % size) {
				p->at = p->at / size * size + at;
				return 0;
			}
			p->before = p->entry;
		}
		block_put(&p->ref);
	}
	return 1;
}

static int dir_start(struct ext2_node *dir)
{
	if (!ext2_is_dir(dir))
		return -ENOTDIR;
	if (dir->node.size > EXT2_DIRECTORY_MAX || dir->node.size % dir->fs->block_size)
		return ext2_broken(dir->fs, "directory %u has %u bytes", dir->node.number,
				   dir->node.size);
	return 0;
}

/* Looks for an entry that is good enough; 0: *p is it (put its ref away), 1: none. */
static int dir_search(struct ext2_node *dir, struct place *p,
		      bool (*good)(const struct ext2_entry *e, const char *name, u32 length),
		      const char *name)
{
	u32 length = strlen(name);
	int error = dir_start(dir);

	for (p->at = 0; !error; p->at += p->entry->length) {
		error = dir_step(dir, p);
		if (error || good(p->entry, name, length))
			break;
		block_put(&p->ref);
	}
	return error;
}

/*:*/

/*G:492 Looking for a name */
static bool is_called(const struct ext2_entry *e, const char *name, u32 length)
{
	return e->inode && e->name_length == length && !memcmp(e->name, name, length);
}

static u32 spare(const struct ext2_entry *e)
{
	return e->length - (e->inode ? entry_bytes(e->name_length) : 0);
}

static bool has_room(const struct ext2_entry *e, const char *name, u32 length)
{
	(void)name;
	return spare(e) >= entry_bytes(length);
}

static bool is_child(const struct ext2_entry *e, const char *name, u32 length)
{
	(void)name;
	(void)length;
	return e->inode && !is_called(e, ".", 1) && !is_called(e, "..", 2);
}

static int find(struct ext2_node *dir, const char *name, struct place *p)
{
	int error = dir_search(dir, p, is_called, name);

	return error > 0 ? -ENOENT : error;
}

static int is_empty(struct ext2_node *dir)
{
	struct place p;
	int error = dir_search(dir, &p, is_child, "");

	if (!error)
		block_put(&p.ref);
	return error > 0 ? 0 : error ? error : -ENOTEMPTY;
}

static int find_node(struct ext2_node *dir, const char *name, struct ext2_node **found)
{
	struct place p;
	u32 number;
	int error = find(dir, name, &p);

	if (error)
		return error;
	number = p.entry->inode;
	block_put(&p.ref);
	return ext2_node_load(dir->fs, number, found);
}

int ext2_lookup(struct node *n, const char *name, struct node **found)
{
	struct ext2_node *dir = node_of(n), *child;
	int error;

	ext2_lock(dir->fs);
	error = find_node(dir, name, &child);
	ext2_unlock(dir->fs);
	if (!error)
		*found = &child->node;
	return error;
}

int ext2_list(struct node *n, u32 *position, struct listing *entry)
{
	static const u16 modes[] = {0, S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK,
				    S_IFLNK};
	struct ext2_node *dir = node_of(n);
	struct place p = {.at = *position};
	int error;

	ext2_lock(dir->fs);
	error = dir_start(dir);
	while (!error) {
		error = dir_step(dir, &p);
		if (error)
			break;
		*position = p.at + p.entry->length;
		if (is_child(p.entry, NULL, 0))
			break;
		block_put(&p.ref);
		p.at = *position;
	}
	if (!error) {
		entry->number = p.entry->inode;
		entry->mode = dir->fs->has_kinds && p.entry->kind < 8 ? modes[p.entry->kind] : 0;
		memcpy(entry->name, p.entry->name, p.entry->name_length);
		entry->name[p.entry->name_length] = '\0';
		block_put(&p.ref);
	}
	ext2_unlock(dir->fs);
	return error > 0 ? 0 : error ? error : 1;
}
/*:*/

/*G:493 Names that come and go
 *
 * Each of these changes two or three things that must agree: an entry, an inode, a
 * count.  All of it happens under the lock, so no process sees it half done; and what
 * can fail (no room) is tried before anything is promised.
 */
static u8 kind_of(const struct ext2_node *n)
{
	if (!n->fs->has_kinds)
		return 0;
	switch (n->inode.mode & S_IFMT) {
	case S_IFREG: return 1;
	case S_IFDIR: return 2;
	case S_IFCHR: return 3;
	case S_IFBLK: return 4;
	case S_IFIFO: return 5;
	case S_IFSOCK: return 6;
	case S_IFLNK: return 7;
	}
	return 0;
}

static void touch(struct ext2_node *n)
{
	n->inode.mtime = n->inode.ctime = wall_seconds();
	ext2_inode_store(n);
}

/* One more block at the end of dir, one unused entry in it; 0: *p is that entry. */
static int dir_grow(struct ext2_node *dir, struct place *p)
{
	u32 size = dir->fs->block_size, block;
	bool is_new;
	int error;

	if (dir->node.size >= EXT2_DIRECTORY_MAX)
		return -ENOSPC;
	error = ext2_map(dir, dir->node.size / size, true, &block, &is_new);
	if (!error && !is_new)
		error = ext2_broken(dir->fs, "directory %u has a block behind its end",
				    dir->node.number);
	if (!error)
		error = block_get(dir->fs, block, true, &p->ref);
	if (error) {
		ext2_inode_store(dir);		/* it may have a new block of numbers */
		return error;
	}
	memset(p->ref.data, 0, size);
	p->entry = (void *)p->ref.data;
	p->entry->length = size;
	block_changed(&p->ref);
	dir->inode.size = dir->node.size += size;
	return 0;
}

static void entry_fill(struct ext2_entry *e, u32 number, u8 kind, const char *name)
{
	e->inode = number;
	e->kind = kind;
	e->name_length = strlen(name);
	memcpy(e->name, name, e->name_length);
}

static int dir_add(struct ext2_node *dir, const char *name, u32 number, u8 kind)
{
	struct place p;
	struct ext2_entry *e;
	u32 used;
	int error = dir_search(dir, &p, has_room, name);

	if (error > 0)
		error = dir_grow(dir, &p);
	if (error)
		return error;
	e = p.entry;
	if (e->inode) {			/* split off what it has to spare */
		used = e->length - spare(e);
		e = (void *)((u8 *)e + used);
		e->length = p.entry->length - used;
		p.entry->length = used;
	}
	entry_fill(e, number, kind, name);
	block_changed(&p.ref);
	block_put(&p.ref);
	dir->inode.flags &= ~EXT2_INDEXED;
	touch(dir);
	return 0;
}

static int dir_remove(struct ext2_node *dir, const char *name)
{
	struct place p;
	int error = find(dir, name, &p);

	if (error)
		return error;
	if (p.before)
		p.before->length += p.entry->length;
	else
		p.entry->inode = 0;
	block_changed(&p.ref);
	block_put(&p.ref);
	dir->inode.flags &= ~EXT2_INDEXED;
	touch(dir);
	return 0;
}

/* Makes an entry lead elsewhere: ".." of a directory that moves, or what rename covers. */
static int dir_change(struct ext2_node *dir, const char *name, u32 number, u8 kind)
{
	struct place p;
	int error = find(dir, name, &p);

	if (error)
		return error;
	p.entry->inode = number;
	p.entry->kind = kind;
	block_changed(&p.ref);
	block_put(&p.ref);
	touch(dir);
	return 0;
}

/*:*/

/*G:494 A new file, and a name that goes */
/* "." and "..", and the links that they are. */
static int make_dots(struct ext2_node *n, struct ext2_node *parent)
{
	struct place p;
	struct ext2_entry *up;
	int error = dir_grow(n, &p);

	if (error)
		return error;
	up = (void *)(p.ref.data + entry_bytes(1));
	up->length = n->fs->block_size - entry_bytes(1);
	p.entry->length = entry_bytes(1);
	entry_fill(p.entry, n->node.number, kind_of(n), ".");
	entry_fill(up, parent->node.number, kind_of(parent), "..");
	block_put(&p.ref);
	n->inode.links = 2;
	return 0;
}

static int make_node(struct ext2_node *dir, u16 mode, struct ext2_node **made)
{
	struct ext2_node *n = kmalloc(sizeof(*n));
	bool directory = (mode & S_IFMT) == S_IFDIR;
	u32 number;
	int error;

	if (!n)
		return -ENOMEM;
	error = ext2_inode_alloc(dir->fs, dir->node.number, directory, &number);
	if (error) {
		kfree(n);
		return error;
	}
	memset(n, 0, sizeof(*n));
	n->node = (struct node){&ext2_ops, 1, number, 0, mode};
	n->fs = dir->fs;
	n->inode.mode = mode;
	n->inode.atime = wall_seconds();
	n->next = dir->fs->nodes;
	dir->fs->nodes = n;
	node_get(&dir->fs->root->node);
	error = directory ? make_dots(n, dir) : 0;
	if (!directory)
		n->inode.links = 1;
	touch(n);
	*made = n;
	return error;
}

static int create(struct ext2_node *dir, const char *name, u16 mode, struct ext2_node **made)
{
	bool directory = (mode & S_IFMT) == S_IFDIR;
	struct place p;
	int error = find(dir, name, &p);

	if (!error)
		block_put(&p.ref);
	if (error != -ENOENT)
		return error ? error : -EEXIST;
	error = ext2_begin_write(dir->fs);
	if (!error && !dir->inode.links)	/* removed meanwhile */
		error = -ENOENT;
	if (!error && directory && dir->inode.links >= EXT2_LINKS_MAX)
		error = -EMLINK;
	if (!error)
		error = make_node(dir, mode, made);
	else
		return error;
	if (!error)
		error = dir_add(dir, name, (*made)->node.number, kind_of(*made));
	if (error) {
		if (*made) {
			(*made)->inode.links = 0;
			ext2_node_drop(*made);	/* gives all of it back */
		}
		return error;
	}
	dir->inode.links += directory;
	touch(dir);
	return 0;
}

int ext2_create(struct node *n, const char *name, u16 mode, struct node **made)
{
	struct ext2_node *dir = node_of(n), *child = NULL;
	int error = -ENAMETOOLONG;

	ext2_lock(dir->fs);
	if (strlen(name) < NAME_SIZE)
		error = create(dir, name, mode, &child);
	ext2_unlock(dir->fs);
	if (!error)
		*made = &child->node;
	return error;
}

/* May n lose its name?  0 or -errno. */
static int removable(struct ext2_node *n, bool directory)
{
	if (ext2_is_dir(n) != directory)
		return directory ? -ENOTDIR : -EISDIR;
	if (n == n->fs->root)
		return -EBUSY;
	return directory ? is_empty(n) : 0;
}

/* n has lost a name, in dir. */
static void name_lost(struct ext2_node *n, struct ext2_node *dir)
{
	if (ext2_is_dir(n)) {
		n->inode.links = 0;		/* ".", too, does not count any more */
		dir->inode.links -= dir->inode.links > 1;
		touch(dir);
	} else {
		n->inode.links--;
	}
	n->inode.ctime = wall_seconds();
	ext2_inode_store(n);
}

int ext2_remove(struct node *node, const char *name, bool directory)
{
	struct ext2_node *dir = node_of(node), *n;
	int error;

	ext2_lock(dir->fs);
	error = find_node(dir, name, &n);
	if (!error) {
		error = removable(n, directory);
		if (!error)
			error = ext2_begin_write(dir->fs);
		if (!error)
			error = dir_remove(dir, name);
		if (!error)
			name_lost(n, dir);
		ext2_node_drop(n);
	}
	ext2_unlock(dir->fs);
	return error;
}
/*:*/

/*G:495 rename
 *
 * The hard one: a name disappears here and appears there, and what had that name before
 * goes.  A directory that moves gets a new "..".  And it must not move into itself, or a
 * whole branch would hang in the air: so we climb from the new place to the root, and
 * must not meet it on the way.
 */
static int climb(struct ext2_node *from, struct ext2_node *must_not_meet)
{
	struct ext2_node *at = from, *up;
	u32 steps;
	int error = 0;

	node_get(&at->node);
	for (steps = 0; !error && at != from->fs->root; steps++) {
		error = at == must_not_meet ? -EINVAL : find_node(at, "..", &up);
		if (!error && steps > 1000) {
			ext2_node_drop(up);
			error = ext2_broken(from->fs, "directory %u is not below the root",
					    from->node.number);
		}
		if (error)
			break;
		ext2_node_drop(at);
		at = up;
	}
	ext2_node_drop(at);
	return error;
}

/* The new name, whether or not something else has it: target, which may be NULL. */
static int put_name(struct ext2_node *dir, const char *name, struct ext2_node *n,
		    struct ext2_node *target)
{
	int error;

	if (!target)
		return dir_add(dir, name, n->node.number, kind_of(n));
	error = removable(target, ext2_is_dir(n));
	if (!error)
		error = dir_change(dir, name, n->node.number, kind_of(n));
	if (!error)
		name_lost(target, dir);
	return error;
}

static int move(struct ext2_node *dir, const char *name, struct ext2_node *new_dir,
		const char *new_name, struct ext2_node *n, struct ext2_node *target)
{
	bool moves_dir = ext2_is_dir(n) && dir != new_dir;
	int error = ext2_is_dir(n) ? climb(new_dir, n) : 0;

	if (!error && !new_dir->inode.links)
		error = -ENOENT;
	if (!error && moves_dir && new_dir->inode.links >= EXT2_LINKS_MAX)
		error = -EMLINK;
	if (!error)
		error = ext2_begin_write(dir->fs);
	if (!error)
		error = put_name(new_dir, new_name, n, target);
	if (!error)
		error = dir_remove(dir, name);
	if (!error && moves_dir) {
		error = dir_change(n, "..", new_dir->node.number, kind_of(new_dir));
		dir->inode.links -= dir->inode.links > 1;
		new_dir->inode.links++;
		touch(dir);
		touch(new_dir);
	}
	n->inode.ctime = wall_seconds();
	return error ? error : ext2_inode_store(n);
}

int ext2_rename(struct node *node, const char *name, struct node *new_node, const char *new_name)
{
	struct ext2_node *dir = node_of(node), *new_dir = node_of(new_node), *n, *target = NULL;
	int error = -ENAMETOOLONG;

	ext2_lock(dir->fs);
	if (strlen(new_name) < NAME_SIZE)
		error = find_node(dir, name, &n);
	if (!error) {
		error = find_node(new_dir, new_name, &target);
		if (error == -ENOENT)
			error = 0;
		if (!error && n != target)
			error = n == n->fs->root ? -EBUSY :
				move(dir, name, new_dir, new_name, n, target);
		if (target)
			ext2_node_drop(target);
		ext2_node_drop(n);
	}
	ext2_unlock(dir->fs);
	return error;
}
/*:*/
