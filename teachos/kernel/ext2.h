/* SPDX-License-Identifier: MIT */
/*G:485 What an ext2 disk looks like
 *
 * Ext2 is from 1993, and every Linux still makes and checks it.  A disk is blocks of 1,
 * 2 or 4 KiB.  They are divided into groups, and each group looks after itself:
 *
 *	superblock | group table | block bitmap | inode bitmap | inodes | data ...
 *	(copies, and not in all groups)
 *
 * The superblock says how big everything is.  A bitmap has a bit for each block (inode)
 * of the group: is it taken?  An *inode* is a file without a name: kind, size, times, and
 * the numbers of its blocks.  Names are in directories, and those are files, too: rows
 * of (inode, length, name).  One inode may have several names; it counts them.
 *
 * All numbers are little-endian, as ours are.  And all of them were written by
 * somebody we don't know: each is checked before it is used, each time.
 */
#ifndef EXT2_H
#define EXT2_H

#include "kernel.h"

#define EXT2_MAGIC		0xef53u
#define EXT2_SUPER_OFFSET	1024u		/* bytes from the disk's beginning */
#define EXT2_STATE_CLEAN	1u
#define EXT2_STATE_ERRORS	2u
#define EXT2_INCOMPAT_FILETYPE	0x0002u		/* entries say what kind they name */
#define EXT2_RO_COMPAT_KNOWN	0x0003u		/* sparse superblocks, large files */
#define EXT2_ROOT		2u		/* the root directory's inode */
#define EXT2_DIRECT		12u		/* block numbers in the inode itself */
#define EXT2_SLOTS		15u		/* ... and three that lead further */
#define EXT2_INDEXED		0x1000u		/* a directory with an index, which we drop */
#define EXT2_LINKS_MAX		32000u
#define EXT2_DIRECTORY_MAX	(16u << 20)	/* bytes: what we are willing to search */

struct ext2_super {
	u32 inodes, blocks, reserved_blocks, free_blocks, free_inodes;
	u32 first_data_block;		/* 1 with 1 KiB blocks, else 0 */
	u32 log_block_size;		/* 1024 << this */
	u32 log_fragment_size;
	u32 blocks_per_group, fragments_per_group, inodes_per_group;
	u32 mount_time, write_time;
	u16 mounts, mounts_max, magic, state, on_errors, minor_revision;
	u32 last_check, check_interval, creator;
	u32 revision;
	u16 reserved_uid, reserved_gid;
	u32 first_inode;		/* below it are those with a special purpose */
	u16 inode_size, group_of_this;
	u32 compat, incompat, ro_compat;	/* features: may ignore, must not mount,
						 * must not write if unknown */
	u8 rest[1024 - 104];
};
_Static_assert(sizeof(struct ext2_super) == 1024, "ext2");

struct ext2_group {
	u32 block_bitmap, inode_bitmap, inode_table;	/* block numbers */
	u16 free_blocks, free_inodes, directories, padding;
	u32 reserved[3];
};
_Static_assert(sizeof(struct ext2_group) == 32, "ext2");

struct ext2_inode {
	u16 mode, uid;
	u32 size, atime, ctime, mtime, dtime;
	u16 gid, links;
	u32 blocks;			/* of 512 bytes, those that lead further included */
	u32 flags, os1;
	u32 block[EXT2_SLOTS];
	u32 generation, attributes;	/* a block of extended attributes, or 0 */
	u32 size_high;			/* files only */
	u32 fragment, os2[3];
};
_Static_assert(sizeof(struct ext2_inode) == 128, "ext2");

struct ext2_entry {
	u32 inode;			/* 0: unused */
	u16 length;			/* to the next entry */
	u8 name_length, kind;
	char name[];
};
/*:*/

/* A mounted file system. */
struct ext2 {
	struct disk *disk;
	struct cache *cache;
	bool locked;
	bool read_only;
	bool broken;			/* and therefore read-only */
	bool clean;			/* the disk says that all is well */
	bool has_kinds;
	bool counted;			/* this mount, in super.mounts */
	u32 block_size, blocks, inodes, groups, table_blocks, first_block;
	struct ext2_node *nodes;	/* all that are in memory */
	struct ext2_node *root;
	struct ext2_super super;
};

struct ext2_node {
	struct node node;
	struct ext2 *fs;
	struct ext2_node *next;
	u32 next_read;			/* offset: who reads on from here reads all */
	bool deleted;
	struct ext2_inode inode;
};

/* A block in the cache.  Wants a block_put(). */
struct block_ref {
	struct buffer *buffer;
	u8 *data;
};

static inline bool ext2_is_dir(const struct ext2_node *n)
{
	return (n->inode.mode & S_IFMT) == S_IFDIR;
}

/* Everything below is called with the file system locked, and returns 0 or -errno. */

/* ext2.c */
void ext2_lock(struct ext2 *fs);
void ext2_unlock(struct ext2 *fs);
/* The disk contradicts itself: says so, once, and from now on nothing is written. */
int ext2_broken(struct ext2 *fs, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Before anything is changed; -EROFS. */
int ext2_begin_write(struct ext2 *fs);
int ext2_node_load(struct ext2 *fs, u32 number, struct ext2_node **found);
void ext2_node_drop(struct ext2_node *n);	/* ops->put, locked already */
extern const struct node_ops ext2_ops;

/* ext2_blocks.c */
/* fresh: the caller fills all of the block. */
int block_get(struct ext2 *fs, u32 number, bool fresh, struct block_ref *ref);
void block_put(struct block_ref *ref);
void block_changed(struct block_ref *ref);
bool ext2_is_data(const struct ext2 *fs, u32 block);	/* could it be, by its number? */
int ext2_inode_alloc(struct ext2 *fs, u32 near, bool directory, u32 *number);
int ext2_inode_load(struct ext2_node *n);
int ext2_inode_store(struct ext2_node *n);
/* The inode and all its blocks are free again. */
int ext2_inode_delete(struct ext2_node *n);
/* The block that holds block number index of the file, 0: a hole.  make: there shall be
 * none; *is_new: it was one, and the block holds anything. */
int ext2_map(struct ext2_node *n, u32 index, bool make, u32 *block, bool *is_new);
int ext2_truncate(struct ext2_node *n, u32 size);

/* ext2_dir.c */
int ext2_lookup(struct node *dir, const char *name, struct node **found);
int ext2_create(struct node *dir, const char *name, u16 mode, struct node **made);
int ext2_remove(struct node *dir, const char *name, bool directory);
int ext2_rename(struct node *dir, const char *name, struct node *new_dir, const char *new_name);
int ext2_list(struct node *dir, u32 *position, struct listing *entry);

#endif
