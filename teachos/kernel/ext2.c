/* SPDX-License-Identifier: MIT */
/*G:496 Files that are still there tomorrow
 *
 * To mount is to read the superblock and not to believe a word.  If it asks for
 * something that we have never heard of and that changes what the disk means, we refuse;
 * if it is something that only writers must know, we read.
 *
 * On the disk stands whether it was left in order.  Before the first change we write
 * down "no", and when everything is written, "yes" again.  A disk that arrives with a "no"
 * was left in a hurry: somebody pulled the plug.  Then half of a change may be on it, and
 * to write more without having looked would make it worse.  So it is mounted, but
 * read-only, until e2fsck has looked.
 *
 * One lock for each disk is enough for us: one process at a time works on it, and the
 * others sleep.
 */
#include "ext2.h"

static struct ext2_node *node_of(struct node *n)
{
	return (struct ext2_node *)n;
}

void ext2_lock(struct ext2 *fs)
{
	bool irqs = irq_save();

	while (fs->locked)
		sleep_deaf(fs);
	fs->locked = true;
	irq_restore(irqs);
}

void ext2_unlock(struct ext2 *fs)
{
	bool irqs = irq_save();

	fs->locked = false;
	wake(fs);
	irq_restore(irqs);
}

int ext2_broken(struct ext2 *fs, const char *fmt, ...)
{
	char text[96];
	va_list ap;

	if (!fs->broken) {
		va_start(ap, fmt);
		vsnformat(text, sizeof(text), fmt, ap);
		va_end(ap);
		print("ext2: %s: %s; it is read-only now, and wants e2fsck -f\n", fs->disk->name,
		      text);
	}
	fs->broken = fs->read_only = true;
	return -EIO;
}

/* The superblock, as we have it, into the cache. */
static int super_store(struct ext2 *fs)
{
	u32 in_block = EXT2_SUPER_OFFSET % fs->block_size;
	struct block_ref ref;
	int error = block_get(fs, EXT2_SUPER_OFFSET / fs->block_size, false, &ref);

	if (error)
		return error;
	memcpy(ref.data + in_block, &fs->super, sizeof(fs->super));
	block_changed(&ref);
	block_put(&ref);
	return 0;
}

int ext2_begin_write(struct ext2 *fs)
{
	int error;

	if (fs->read_only)
		return -EROFS;
	if (!fs->clean)
		return 0;
	if (!fs->counted) {
		fs->super.mounts++;
		fs->super.mount_time = wall_seconds();
		fs->counted = true;
	}
	fs->super.state &= ~EXT2_STATE_CLEAN;
	error = super_store(fs);
	if (!error)
		error = cache_write_back(fs->cache);
	if (error)
		return ext2_broken(fs, "the superblock can't be written");
	fs->clean = false;
	return 0;
}

/* Everything that was changed is on the disk, and then the word that it is. */
static int write_all(struct ext2 *fs)
{
	int error;

	if (fs->clean)		/* or never written to */
		return 0;
	if (fs->broken)
		fs->super.state |= EXT2_STATE_ERRORS;
	fs->super.write_time = wall_seconds();
	error = super_store(fs);
	if (!error)
		error = cache_write_back(fs->cache);
	if (!error && !fs->broken) {
		fs->super.state |= EXT2_STATE_CLEAN;
		error = super_store(fs);
		if (!error)
			error = cache_write_back(fs->cache);
	}
	if (error)
		return ext2_broken(fs, "the disk can't be written");
	fs->clean = true;
	return fs->broken ? -EIO : 0;
}

static int ext2_sync(struct node *n)
{
	struct ext2 *fs = node_of(n)->fs;
	int error;

	ext2_lock(fs);
	error = write_all(fs);
	ext2_unlock(fs);
	return error;
}

/* The power goes: whoever has a file open that has no name any more loses it now. */
static int ext2_leave(struct node *root)
{
	struct ext2 *fs = node_of(root)->fs;
	struct ext2_node *n;
	int error;

	ext2_lock(fs);
	for (n = fs->nodes; n; n = n->next)
		if (!n->inode.links && !n->deleted && !fs->read_only)
			ext2_inode_delete(n);
	error = write_all(fs);
	fs->read_only = true;
	ext2_unlock(fs);
	return error;
}
/*:*/

/*G:497 Who is in memory
 *
 * Each inode that somebody has in use is in memory once, however often it is opened; so
 * all see the same size.  The list is short, and searched from its beginning.
 */
static int node_new(struct ext2 *fs, u32 number, struct ext2_node **made)
{
	struct ext2_node *n = kmalloc(sizeof(*n));
	int error;

	if (!n)
		return -ENOMEM;
	memset(n, 0, sizeof(*n));
	n->fs = fs;
	n->node = (struct node){&ext2_ops, 1, number, 0, 0};
	error = ext2_inode_load(n);
	if (!error && !n->inode.links)
		error = ext2_broken(fs, "inode %u has a name and is free", number);
	if (error) {
		kfree(n);
		return error;
	}
	n->node.mode = n->inode.mode;
	n->node.size = n->inode.size_high && !ext2_is_dir(n) ? 0xffffffff : n->inode.size;
	n->next = fs->nodes;
	fs->nodes = n;
	*made = n;
	return 0;
}

int ext2_node_load(struct ext2 *fs, u32 number, struct ext2_node **found)
{
	struct ext2_node *n;
	int error;

	if ((number != EXT2_ROOT && number < fs->super.first_inode) || number > fs->inodes)
		return ext2_broken(fs, "inode %u has a name", number);
	for (n = fs->nodes; n; n = n->next)
		if (n->node.number == number && !n->deleted) {
			node_get(&n->node);
			*found = n;
			return n->inode.links ? 0 : (ext2_node_drop(n), -ENOENT);
		}
	error = node_new(fs, number, found);
	if (!error && fs->root)
		node_get(&fs->root->node);	/* as long as one is in use, so is the root */
	return error;
}

static void fs_free(struct ext2 *fs)
{
	if (fs->cache)
		cache_destroy(fs->cache);
	kfree(fs);
}

void ext2_node_drop(struct ext2_node *n)
{
	struct ext2 *fs = n->fs;
	struct ext2_node **link = &fs->nodes, *root = fs->root;

	if (--n->node.refs)
		return;
	if (!n->inode.links && !n->deleted && !fs->read_only)
		ext2_inode_delete(n);
	while (*link != n)
		link = &(*link)->next;
	*link = n->next;
	kfree(n);
	if (n != root)
		root->node.refs--;	/* never the last one: the mount has it */
}

static void ext2_put(struct node *node)
{
	struct ext2 *fs = node_of(node)->fs;
	bool last = &fs->root->node == node && node->refs == 1;

	if (!last)
		ext2_lock(fs);
	ext2_node_drop(node_of(node));
	if (!last)
		ext2_unlock(fs);
	else
		fs_free(fs);
}
/*:*/

/*G:498 Reading and writing
 *
 * A file is read in order, nearly always.  So who goes on where the last read ended gets
 * more than was asked for: the blocks that follow come into the cache, too, as far as they
 * are neighbours on the disk, with a few large requests that are all under way at once.
 * The clerk is slow, but carries a lot.
 */
#define READ_AHEAD	(512u << 10)

/* Brings into the cache what follows block, which is number index of n. */
static void read_ahead(struct ext2_node *n, u32 index, u32 block)
{
	u32 size = n->fs->block_size, count = 1, next, per_piece = PAGE_SIZE / size;
	bool ignored;

	while (count < READ_AHEAD / size && index + count <= (n->node.size - 1) / size &&
	       !ext2_map(n, index + count, false, &next, &ignored) && next == block + count)
		count++;
	cache_read_ahead(n->fs->cache, block / per_piece,
			 (block + count - 1) / per_piece - block / per_piece + 1);
}

/* One piece, which lies in one block. */
static int read_piece(struct ext2_node *n, u32 offset, void *to, u32 length)
{
	u32 size = n->fs->block_size, block;
	struct block_ref ref;
	bool ignored;
	int error = ext2_map(n, offset / size, false, &block, &ignored);

	if (error)
		return error;
	if (!block) {
		memset(to, 0, length);
		return 0;
	}
	if (offset == n->next_read && !cache_has(n->fs->cache, block / (PAGE_SIZE / size)))
		read_ahead(n, offset / size, block);
	error = block_get(n->fs, block, false, &ref);
	if (error)
		return error;
	memcpy(to, ref.data + offset % size, length);
	block_put(&ref);
	n->next_read = offset + length;
	return 0;
}

static u32 piece_length(const struct ext2 *fs, u32 offset, u32 length)
{
	u32 rest = fs->block_size - offset % fs->block_size;

	return length < rest ? length : rest;
}

static int ext2_read(struct node *node, u32 offset, void *to, u32 length)
{
	struct ext2_node *n = node_of(node);
	u32 done, part;
	int error = 0;

	ext2_lock(n->fs);
	if (offset >= node->size)
		length = 0;
	else if (length > node->size - offset)
		length = node->size - offset;
	for (done = 0; done < length; done += part) {
		part = piece_length(n->fs, offset + done, length - done);
		error = read_piece(n, offset + done, (u8 *)to + done, part);
		if (error)
			break;
	}
	ext2_unlock(n->fs);
	return done ? (int)done : error;
}

static int write_piece(struct ext2_node *n, u32 offset, const void *from, u32 length)
{
	u32 size = n->fs->block_size, block;
	struct block_ref ref;
	bool is_new;
	int error = ext2_map(n, offset / size, true, &block, &is_new);

	if (error)
		return error;
	error = block_get(n->fs, block, is_new || length == size, &ref);
	if (error)
		return error;
	if (is_new)
		memset(ref.data, 0, size);
	memcpy(ref.data + offset % size, from, length);
	block_changed(&ref);
	block_put(&ref);
	return 0;
}

static int ext2_write(struct node *node, u32 offset, const void *from, u32 length)
{
	struct ext2_node *n = node_of(node);
	u32 done = 0, part;
	int error;

	ext2_lock(n->fs);
	error = ext2_begin_write(n->fs);
	for (; !error && done < length; done += part) {
		part = piece_length(n->fs, offset + done, length - done);
		error = write_piece(n, offset + done, (const u8 *)from + done, part);
		if (error)
			break;
		if (offset + done + part > node->size)
			n->inode.size = node->size = offset + done + part;
	}
	if (error != -EROFS) {
		n->inode.mtime = n->inode.ctime = wall_seconds();
		ext2_inode_store(n);
	}
	ext2_unlock(n->fs);
	return done ? (int)done : error;
}

static int ext2_resize(struct node *node, u32 size)
{
	struct ext2_node *n = node_of(node);
	int error;

	ext2_lock(n->fs);
	error = ext2_begin_write(n->fs);
	if (!error)
		error = ext2_truncate(n, size);
	ext2_unlock(n->fs);
	return error;
}

static int ext2_may_write(struct node *node)
{
	return node_of(node)->fs->read_only ? -EROFS : 0;
}

static int ext2_set_times(struct node *node, u32 atime, u32 mtime)
{
	struct ext2_node *n = node_of(node);
	int error;

	ext2_lock(n->fs);
	error = ext2_begin_write(n->fs);
	if (!error) {
		n->inode.atime = atime;
		n->inode.mtime = mtime;
		n->inode.ctime = wall_seconds();
		error = ext2_inode_store(n);
	}
	ext2_unlock(n->fs);
	return error;
}

static void ext2_stat(struct node *node, struct stat *to)
{
	struct ext2_node *n = node_of(node);

	to->dev = 0x0800 + (n->fs->disk->name[2] - 'a');
	to->ino = node->number;
	to->mode = n->inode.mode;
	to->links = n->inode.links;
	to->uid = n->inode.uid;
	to->gid = n->inode.gid;
	to->size = node->size;
	to->block_size = n->fs->block_size;
	to->blocks = n->inode.blocks;
	to->atime = n->inode.atime;
	to->mtime = n->inode.mtime;
	to->ctime = n->inode.ctime;
}

static int ext2_usage(struct node *node, struct fs_usage *to)
{
	struct ext2 *fs = node_of(node)->fs;

	*to = (struct fs_usage){EXT2_MAGIC, fs->block_size, fs->blocks, fs->super.free_blocks,
				fs->inodes, fs->super.free_inodes, fs->read_only};
	return 0;
}

const struct node_ops ext2_ops = {
	.lookup = ext2_lookup,	.create = ext2_create,	.remove = ext2_remove,
	.rename = ext2_rename,	.list = ext2_list,	.read = ext2_read,
	.write = ext2_write,	.resize = ext2_resize,	.may_write = ext2_may_write,
	.set_times = ext2_set_times,	.stat = ext2_stat,	.sync = ext2_sync,
	.usage = ext2_usage,	.leave = ext2_leave,	.put = ext2_put,
};
/*:*/

/*G:499 Mounting: twenty questions to a stranger */
static const char *judge_sizes(const struct ext2 *fs)
{
	const struct ext2_super *s = &fs->super;
	u32 size = fs->block_size, bits = size * 8;

	if (s->inode_size < 128 || s->inode_size > size || (s->inode_size & (s->inode_size - 1)))
		return "its inodes have an impossible size";
	if (s->first_data_block != (size == 1024) || s->blocks <= s->first_data_block + 1)
		return "its first block is not where it should be";
	if (!s->blocks_per_group || s->blocks_per_group > bits || s->blocks_per_group % 8)
		return "its groups have an impossible number of blocks";
	if (!s->inodes_per_group || s->inodes_per_group > bits || s->inodes_per_group % 8)
		return "its groups have an impossible number of inodes";
	if ((u64)s->blocks * (size / SECTOR_SIZE) > fs->disk->sectors)
		return "it is larger than the disk";
	return NULL;
}

/* NULL, or why it can't be mounted.  Fills in fs on the way. */
static const char *judge(struct ext2 *fs)
{
	const struct ext2_super *s = &fs->super;
	static char text[64];
	const char *why;

	if (s->revision != 1)
		return "it is not of revision 1";
	if (s->incompat & ~EXT2_INCOMPAT_FILETYPE) {
		snformat(text, sizeof(text), "it needs features (0x%x) that we don't have",
			 s->incompat & ~EXT2_INCOMPAT_FILETYPE);
		return text;
	}
	if (s->log_block_size > 2)
		return "its blocks are not of 1, 2 or 4 KiB";
	fs->block_size = 1024u << s->log_block_size;
	why = judge_sizes(fs);
	if (why)
		return why;
	fs->blocks = s->blocks;
	fs->inodes = s->inodes;
	fs->has_kinds = s->incompat & EXT2_INCOMPAT_FILETYPE;
	fs->groups = (s->blocks - s->first_data_block - 1) / s->blocks_per_group + 1;
	fs->table_blocks = ((u32)s->inodes_per_group * s->inode_size + fs->block_size - 1) /
			   fs->block_size;
	fs->first_block = s->first_data_block + 1 +
			  (fs->groups * sizeof(struct ext2_group) - 1) / fs->block_size + 1;
	if ((u64)fs->groups * s->inodes_per_group != s->inodes || s->first_inode <= EXT2_ROOT ||
	    s->first_inode > s->inodes_per_group)
		return "its number of inodes is impossible";
	if (fs->first_block >= fs->blocks)
		return "its group table is larger than the disk";
	return NULL;
}

/* May it be written to?  Says why not. */
static void judge_order(struct ext2 *fs)
{
	const char *why = NULL;

	if (fs->super.ro_compat & ~EXT2_RO_COMPAT_KNOWN)
		why = "it has features that only readers may not know";
	else if (!(fs->super.state & EXT2_STATE_CLEAN) || (fs->super.state & EXT2_STATE_ERRORS))
		why = "it was not left in order (e2fsck -f)";
	if (why && !fs->read_only)
		print("ext2: %s is mounted read-only: %s\n", fs->disk->name, why);
	fs->read_only |= why != NULL;
}

static int super_read(struct disk *disk, struct ext2_super *s)
{
	struct disk_request r = {
		.action = DISK_READ, .sector = EXT2_SUPER_OFFSET / SECTOR_SIZE,
		.count = 1, .part = {{s, sizeof(*s)}},
	};

	if (disk->sectors < (EXT2_SUPER_OFFSET + sizeof(*s)) / SECTOR_SIZE)
		return -EINVAL;
	disk_submit(disk, &r);
	return disk_wait(disk, &r) ? -EIO : s->magic == EXT2_MAGIC ? 0 : -EINVAL;
}

/* Everything but the place in the tree; 0 or -errno, *why if there is more to say. */
static int open_fs(struct ext2 *fs, const char **why)
{
	int error = super_read(fs->disk, &fs->super);

	*why = error == -EINVAL ? "there is no ext2 on it" : NULL;
	if (error)
		return error;
	*why = judge(fs);
	if (*why)
		return -EINVAL;
	fs->cache = cache_create(fs->disk);
	if (!fs->cache)
		return -ENOMEM;
	judge_order(fs);
	error = node_new(fs, EXT2_ROOT, &fs->root);
	if (!error && ext2_is_dir(fs->root))
		return 0;
	*why = error ? "its root can't be read" : "its root is not a directory";
	return error ? error : -EINVAL;
}

int ext2_mount(struct disk *disk, const char *path, bool read_only)
{
	struct ext2 *fs = kmalloc(sizeof(*fs));
	const char *why;
	int error;

	if (!fs)
		return -ENOMEM;
	memset(fs, 0, sizeof(*fs));
	fs->disk = disk;
	fs->read_only = read_only || disk->read_only;
	fs->clean = true;
	error = open_fs(fs, &why);
	if (!error) {
		why = NULL;
		error = mount_add(path, &fs->root->node, disk);
	}
	if (!error)
		return 0;
	if (why)
		print("ext2: %s can't be mounted: %s\n", disk->name, why);
	if (fs->root)
		kfree(fs->root);
	fs_free(fs);
	return error;
}

void ext2_mount_first(void)
{
	struct ext2_super *s = kmalloc(sizeof(*s));
	struct disk *disk;
	u32 i;

	for (i = 0; s && (disk = disk_number(i)) != NULL; i++)
		if (!super_read(disk, s) && !ext2_mount(disk, "/mnt", false)) {
			print("%s is mounted on /mnt\n", disk->name);
			break;
		}
	kfree(s);
}
/*:*/
