/* SPDX-License-Identifier: MIT */
/*G:486 Two bitmaps and their counts
 *
 * To take a block is to find a bit that is 0, make it 1, and count down twice: in the
 * group and in the superblock.  To give it back is the reverse.  A bit that already is
 * what it should become means that two files believe to own the block, and a disk in
 * that state must not be written to any more: each write makes it worse.
 */
#include "ext2.h"

int block_get(struct ext2 *fs, u32 number, bool fresh, struct block_ref *ref)
{
	u32 per_piece = PAGE_SIZE / fs->block_size;
	int error;

	ref->buffer = buffer_get(fs->cache, number / per_piece, fresh && per_piece == 1, &error);
	if (!ref->buffer)
		return error == -EIO ? ext2_broken(fs, "block %u can't be read", number) : error;
	ref->data = ref->buffer->data + number % per_piece * fs->block_size;
	return 0;
}

void block_put(struct block_ref *ref)
{
	buffer_put(ref->buffer);
}

void block_changed(struct block_ref *ref)
{
	buffer_changed(ref->buffer);
}

/* Group number n of the table, checked; wants a block_put(). */
static int group_get(struct ext2 *fs, u32 n, struct block_ref *ref, struct ext2_group **group)
{
	u32 per_block = fs->block_size / sizeof(**group);
	int error = block_get(fs, fs->super.first_data_block + 1 + n / per_block, false, ref);
	struct ext2_group *g;

	if (error)
		return error;
	*group = g = (struct ext2_group *)ref->data + n % per_block;
	if (ext2_is_data(fs, g->block_bitmap) && ext2_is_data(fs, g->inode_bitmap) &&
	    ext2_is_data(fs, g->inode_table) && fs->table_blocks < fs->blocks - g->inode_table)
		return 0;
	block_put(ref);
	return ext2_broken(fs, "group %u has its tables outside the disk", n);
}

bool ext2_is_data(const struct ext2 *fs, u32 block)
{
	return block >= fs->first_block && block < fs->blocks;
}

static bool is_table(const struct ext2 *fs, const struct ext2_group *g, u32 block)
{
	return !ext2_is_data(fs, block) || block == g->block_bitmap || block == g->inode_bitmap ||
	       (block >= g->inode_table && block - g->inode_table < fs->table_blocks);
}

/* The first 0 among bits first..count - 1; count: there is none. */
static u32 find_zero(const u8 *bitmap, u32 first, u32 count)
{
	while (first < count) {
		if (!(first % 8) && bitmap[first / 8] == 0xff)
			first += 8;
		else if (bitmap[first / 8] & 1u << first % 8)
			first++;
		else
			return first;
	}
	return count;
}

/* Takes a bit of a bitmap, at or after first, else any; -ENOSPC. */
static int take_bit(struct ext2 *fs, u32 bitmap, u32 lowest, u32 first, u32 count, u32 *bit)
{
	struct block_ref ref;
	int error = block_get(fs, bitmap, false, &ref);

	if (error)
		return error;
	*bit = find_zero(ref.data, first, count);
	if (*bit == count)
		*bit = find_zero(ref.data, lowest, count);
	if (*bit < count) {
		ref.data[*bit / 8] |= 1u << *bit % 8;
		block_changed(&ref);
	}
	block_put(&ref);
	return *bit < count ? 0 : -ENOSPC;
}

static int clear_bit(struct ext2 *fs, u32 bitmap, u32 bit, const char *what, u32 number)
{
	struct block_ref ref;
	int error = block_get(fs, bitmap, false, &ref);
	bool was_set;

	if (error)
		return error;
	was_set = ref.data[bit / 8] & 1u << bit % 8;
	ref.data[bit / 8] &= ~(1u << bit % 8);
	if (was_set)
		block_changed(&ref);
	block_put(&ref);
	return was_set ? 0 : ext2_broken(fs, "%s %u is given back, and was not taken", what, number);
}

/*:*/

/*G:487 Taking a block and giving it back */
static u32 blocks_in_group(const struct ext2 *fs, u32 n)
{
	u32 rest = fs->blocks - fs->super.first_data_block - n * fs->super.blocks_per_group;

	return rest < fs->super.blocks_per_group ? rest : fs->super.blocks_per_group;
}

static int alloc_in_group(struct ext2 *fs, u32 n, u32 first, u32 *block)
{
	struct block_ref ref;
	struct ext2_group *g;
	u32 bit;
	int error = group_get(fs, n, &ref, &g);

	if (error)
		return error;
	error = !g->free_blocks ? -ENOSPC :
		take_bit(fs, g->block_bitmap, 0, first, blocks_in_group(fs, n), &bit);
	if (!error) {
		*block = fs->super.first_data_block + n * fs->super.blocks_per_group + bit;
		if (is_table(fs, g, *block))
			error = ext2_broken(fs, "block %u is free, and a table is in it", *block);
		g->free_blocks--;
		fs->super.free_blocks--;
		block_changed(&ref);
	}
	block_put(&ref);
	return error;
}

/* A free block, as near behind goal as can be. */
static int block_alloc(struct ext2 *fs, u32 goal, u32 *block)
{
	u32 from, start, i;
	int error = -ENOSPC;

	if (!ext2_is_data(fs, goal))
		goal = fs->first_block;
	from = (goal - fs->super.first_data_block) / fs->super.blocks_per_group;
	start = (goal - fs->super.first_data_block) % fs->super.blocks_per_group;
	for (i = 0; i < fs->groups && error == -ENOSPC; i++)
		error = alloc_in_group(fs, (from + i) % fs->groups, i ? 0 : start, block);
	return error;
}

static int block_free(struct ext2 *fs, u32 block)
{
	u32 at = block - fs->super.first_data_block, n = at / fs->super.blocks_per_group;
	struct block_ref ref;
	struct ext2_group *g;
	int error;

	if (!ext2_is_data(fs, block))
		return ext2_broken(fs, "block %u is given back, of %u", block, fs->blocks);
	error = group_get(fs, n, &ref, &g);
	if (error)
		return error;
	error = is_table(fs, g, block) ?
		ext2_broken(fs, "block %u is given back, and a table is in it", block) :
		clear_bit(fs, g->block_bitmap, at % fs->super.blocks_per_group, "block", block);
	if (!error) {
		g->free_blocks++;
		fs->super.free_blocks++;
		block_changed(&ref);
	}
	block_put(&ref);
	return error;
}
/*:*/

/*G:488 Inodes: found, taken, given back */
static int inode_get(struct ext2 *fs, u32 number, struct block_ref *ref, struct ext2_inode **inode)
{
	u32 n = (number - 1) / fs->super.inodes_per_group;
	u32 at = (number - 1) % fs->super.inodes_per_group * fs->super.inode_size, table;
	struct ext2_group *g;
	int error = group_get(fs, n, ref, &g);

	if (error)
		return error;
	table = g->inode_table;
	block_put(ref);
	error = block_get(fs, table + at / fs->block_size, false, ref);
	if (!error)
		*inode = (struct ext2_inode *)(ref->data + at % fs->block_size);
	return error;
}

int ext2_inode_load(struct ext2_node *n)
{
	struct block_ref ref;
	struct ext2_inode *inode;
	int error = inode_get(n->fs, n->node.number, &ref, &inode);

	if (error)
		return error;
	n->inode = *inode;
	block_put(&ref);
	return 0;
}

int ext2_inode_store(struct ext2_node *n)
{
	struct block_ref ref;
	struct ext2_inode *inode;
	int error = inode_get(n->fs, n->node.number, &ref, &inode);

	if (error)
		return error;
	*inode = n->inode;
	block_changed(&ref);
	block_put(&ref);
	return 0;
}

/* A new inode is all zeros, also behind the part that we know of. */
static int inode_wipe(struct ext2 *fs, u32 number)
{
	struct block_ref ref;
	struct ext2_inode *inode;
	int error = inode_get(fs, number, &ref, &inode);

	if (error)
		return error;
	memset(inode, 0, fs->super.inode_size);
	block_changed(&ref);
	block_put(&ref);
	return 0;
}

static int inode_in_group(struct ext2 *fs, u32 n, bool directory, u32 *number)
{
	struct block_ref ref;
	struct ext2_group *g;
	u32 lowest = n ? 0 : fs->super.first_inode - 1, bit;
	int error = group_get(fs, n, &ref, &g);

	if (error)
		return error;
	error = !g->free_inodes ? -ENOSPC : take_bit(fs, g->inode_bitmap, lowest, lowest,
						     fs->super.inodes_per_group, &bit);
	if (!error) {
		*number = n * fs->super.inodes_per_group + bit + 1;
		g->free_inodes--;
		g->directories += directory;
		fs->super.free_inodes--;
		block_changed(&ref);
	}
	block_put(&ref);
	return error;
}

int ext2_inode_alloc(struct ext2 *fs, u32 near, bool directory, u32 *number)
{
	u32 from = (near - 1) / fs->super.inodes_per_group, i;
	int error = -ENOSPC;

	for (i = 0; i < fs->groups && error == -ENOSPC; i++)
		error = inode_in_group(fs, (from + i) % fs->groups, directory, number);
	return error ? error : inode_wipe(fs, *number);
}

static int inode_free(struct ext2 *fs, u32 number, bool directory)
{
	u32 n = (number - 1) / fs->super.inodes_per_group;
	struct block_ref ref;
	struct ext2_group *g;
	int error = group_get(fs, n, &ref, &g);

	if (error)
		return error;
	error = clear_bit(fs, g->inode_bitmap, (number - 1) % fs->super.inodes_per_group,
			  "inode", number);
	if (!error) {
		g->free_inodes++;
		g->directories -= directory && g->directories;
		fs->super.free_inodes++;
		block_changed(&ref);
	}
	block_put(&ref);
	return error;
}

/* A block of attributes may be shared: its third word counts by whom. */
#define ATTRIBUTES_MAGIC 0xea020000u

static int drop_attributes(struct ext2_node *n)
{
	struct block_ref ref;
	u32 *words, owners;
	int error;

	if (!n->inode.attributes)
		return 0;
	if (!ext2_is_data(n->fs, n->inode.attributes))
		return ext2_broken(n->fs, "inode %u has its attributes outside the disk",
				   n->node.number);
	error = block_get(n->fs, n->inode.attributes, false, &ref);
	if (error)
		return error;
	words = (u32 *)ref.data;
	owners = words[0] == ATTRIBUTES_MAGIC ? words[1] : 0;
	if (owners > 1) {
		words[1]--;
		block_changed(&ref);
	}
	block_put(&ref);
	if (!owners)
		return ext2_broken(n->fs, "inode %u has attributes that are none", n->node.number);
	return owners > 1 ? 0 : block_free(n->fs, n->inode.attributes);
}

/* Does it have blocks?  A short symbolic link keeps its text where their numbers
 * would be. */
static bool has_blocks(const struct ext2_node *n)
{
	u32 kind = n->inode.mode & S_IFMT;

	return kind == S_IFREG || kind == S_IFDIR ||
	       (kind == S_IFLNK && n->inode.size >= sizeof(n->inode.block));
}

int ext2_inode_delete(struct ext2_node *n)
{
	bool directory = ext2_is_dir(n);
	int error = has_blocks(n) ? ext2_truncate(n, 0) : 0;

	if (!error)
		error = drop_attributes(n);
	if (error)
		return error;
	n->deleted = true;
	n->inode.links = 0;
	n->inode.attributes = n->inode.blocks = 0;
	n->inode.dtime = wall_seconds();
	error = ext2_inode_store(n);
	return error ? error : inode_free(n->fs, n->node.number, directory);
}
/*:*/

/*G:489 Twelve, and three that lead further
 *
 * An inode has room for fifteen block numbers.  Twelve are the file's first blocks.
 * The thirteenth is a block full of numbers; the next, a block of numbers of such
 * blocks; the last, one level more.  So small files, which are most, cost nothing extra,
 * and with 1 KiB blocks a file may still have 16 GiB.
 *
 *	block[0..11]	data
 *	block[12]	-> numbers -> data
 *	block[13]	-> numbers -> numbers -> data
 *	block[14]	-> numbers -> numbers -> numbers -> data
 *
 * The way to block number i is a list of at most four indices.  We follow the last kind
 * to read, but do not make one.
 */
#define LEVELS_MAX 4u

/* Fills in the indices on the way to block number index; how many, 0: too far. */
static u32 way_to(const struct ext2 *fs, u32 index, u32 way[LEVELS_MAX])
{
	u32 shift = fs->block_size == 1024 ? 8 : fs->block_size == 2048 ? 9 : 10;
	u32 mask = (1u << shift) - 1, level;
	u64 rest = index, reach;

	if (index < EXT2_DIRECT) {
		way[0] = index;
		return 1;
	}
	rest -= EXT2_DIRECT;
	for (level = 1; level < LEVELS_MAX; level++, rest -= reach) {
		reach = 1ull << (shift * level);
		if (rest >= reach)
			continue;
		way[0] = EXT2_DIRECT + level - 1;
		way[1] = (u32)(rest >> (shift * (level - 1))) & mask;
		way[2] = level > 1 ? (u32)(rest >> (shift * (level - 2))) & mask : 0;
		way[3] = (u32)rest & mask;
		return level + 1;
	}
	return 0;
}

/* Puts a new block into *slot; one that leads further is emptied. */
static int fill_slot(struct ext2_node *n, u32 *slot, u32 goal, bool leads_further)
{
	struct block_ref ref;
	u32 block;
	int error = block_alloc(n->fs, goal, &block);

	if (!error && leads_further) {
		error = block_get(n->fs, block, true, &ref);
		if (error) {
			block_free(n->fs, block);
			return error;
		}
		memset(ref.data, 0, n->fs->block_size);
		block_changed(&ref);
		block_put(&ref);
	}
	if (error)
		return error;
	*slot = block;
	n->inode.blocks += n->fs->block_size / 512;
	return 0;
}

int ext2_map(struct ext2_node *n, u32 index, bool make, u32 *block, bool *is_new)
{
	u32 way[LEVELS_MAX], level, levels = way_to(n->fs, index, way), *slot, before;
	u32 goal = n->inode.block[0] ? n->inode.block[0] + index : 0;
	struct block_ref ref = {NULL, NULL}, next;
	int error = 0;

	*block = 0;
	*is_new = false;
	if (!levels || (make && levels == LEVELS_MAX))
		return -EFBIG;
	for (level = 0; !error && level < levels; level++) {
		slot = level ? (u32 *)ref.data + way[level] : &n->inode.block[way[0]];
		before = way[level] ? slot[-1] : 0;	/* its neighbour is where we want to be */
		if (!*slot && make) {
			error = fill_slot(n, slot, before ? before + 1 : goal, level < levels - 1);
			if (!error && level)
				block_changed(&ref);
			*is_new = !error;
		}
		*block = error ? 0 : *slot;
		if (level)
			block_put(&ref);
		if (!*block)
			return error;
		if (!ext2_is_data(n->fs, *block))
			return ext2_broken(n->fs, "inode %u has block %u, of %u", n->node.number,
					   *block, n->fs->blocks);
		if (level < levels - 1) {
			error = block_get(n->fs, *block, false, &next);
			ref = next;
		}
	}
	return error;
}

/*:*/

/*G:490 Making a file shorter */
/* Gives back what *slot leads to, level steps further, but for its first keep blocks. */
static int free_branch(struct ext2_node *n, u32 *slot, u32 level, u64 keep)
{
	u32 numbers = n->fs->block_size / 4, i;
	struct block_ref ref;
	u64 span = 1;
	int error = 0;

	if (!*slot)
		return 0;
	if (level) {
		if (!ext2_is_data(n->fs, *slot))
			return ext2_broken(n->fs, "inode %u has block %u, of %u", n->node.number,
					   *slot, n->fs->blocks);
		for (i = 1; i < level; i++)
			span *= numbers;
		error = block_get(n->fs, *slot, false, &ref);
		if (error)
			return error;
		for (i = 0; !error && i < numbers; i++)
			if (keep < (i + 1) * span)
				error = free_branch(n, (u32 *)ref.data + i, level - 1,
						    keep > i * span ? keep - i * span : 0);
		block_changed(&ref);
		block_put(&ref);
	}
	if (error || keep)
		return error;
	error = block_free(n->fs, *slot);
	if (error)
		return error;
	*slot = 0;
	if (n->inode.blocks >= n->fs->block_size / 512)
		n->inode.blocks -= n->fs->block_size / 512;
	return 0;
}

/* What lies behind the end in the last block must be zeros, should it grow again. */
static int clear_tail(struct ext2_node *n, u32 size)
{
	u32 rest = size % n->fs->block_size, block;
	struct block_ref ref;
	bool ignored;
	int error;

	if (!rest)
		return 0;
	error = ext2_map(n, size / n->fs->block_size, false, &block, &ignored);
	if (error || !block)
		return error == -EFBIG ? 0 : error;
	error = block_get(n->fs, block, false, &ref);
	if (error)
		return error;
	memset(ref.data + rest, 0, n->fs->block_size - rest);
	block_changed(&ref);
	block_put(&ref);
	return 0;
}

int ext2_truncate(struct ext2_node *n, u32 size)
{
	u64 keep = size / n->fs->block_size + (size % n->fs->block_size != 0), reach = 1;
	u32 numbers = n->fs->block_size / 4, level, i;
	int error = clear_tail(n, size);

	for (i = 0; !error && i < EXT2_DIRECT; i++)
		if (keep <= i)
			error = free_branch(n, &n->inode.block[i], 0, 0);
	keep = keep > EXT2_DIRECT ? keep - EXT2_DIRECT : 0;
	for (level = 1; !error && level < LEVELS_MAX; level++) {
		reach *= numbers;
		if (keep < reach)
			error = free_branch(n, &n->inode.block[EXT2_DIRECT + level - 1], level, keep);
		keep = keep > reach ? keep - reach : 0;
	}
	n->inode.size = n->node.size = size;
	n->inode.size_high = (n->inode.mode & S_IFMT) == S_IFREG ? 0 : n->inode.size_high;
	n->inode.mtime = n->inode.ctime = wall_seconds();
	ext2_inode_store(n);
	return error;
}
/*:*/
