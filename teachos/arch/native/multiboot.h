/* SPDX-License-Identifier: MIT */
/*G:191 Multiboot
 *
 * From the Multiboot Specification, version 0.6.96: what is ours of it.
 */
#ifndef MULTIBOOT_H
#define MULTIBOOT_H

#include "lib.h"

#define MULTIBOOT_HEADER	0x1badb002u	/* we to the loader, in the file */
#define MULTIBOOT_LOADED	0x2badb002u	/* the loader to us, in eax */
#define MULTIBOOT_LINE		512		/* bytes of command line that we keep */

#define MULTIBOOT_HAS_MEMORY	0x001u
#define MULTIBOOT_HAS_LINE	0x004u
#define MULTIBOOT_HAS_LOADER	0x200u

struct multiboot_info {
	u32 flags;			/* which of the others mean something */
	u32 mem_lower, mem_upper;	/* KiB from 0; KiB from 1 MiB to the first hole */
	u32 boot_device, command_line;
	u32 others[24];
};
_Static_assert(sizeof(struct multiboot_info) == 116, "boot.asm copies 29 words");

/* Copies, made by boot.asm while they could be reached. */
extern struct multiboot_info multiboot_info;
extern char multiboot_line[MULTIBOOT_LINE], multiboot_loader[8];

#endif
/*:*/
