// SPDX-License-Identifier: MIT
/*L:300 What the Guest finds on its table
 *
 * A PC has a BIOS that tells a kernel how much memory there is.  Our Guest finds a
 * letter instead: the "zero page", 4096 bytes at guest-physical 0, laid out as
 * Linux' boot loaders do it.  Most of it stays zero.  What is filled in says: you
 * have this much RAM, your command line is there, your initrd (if any) is there,
 * and, in `hardware_subarch`, the sentence that changes everything: *you are a
 * Guest*.
 *
 *	0x0000	the zero page
 *	0x1000	the command line
 *	0x2000	from here on the kernel may have its segments
 *	 ...
 *	RAM end, minus the initrd rounded up to pages: the initrd
 *
 * One field is about what we did NOT do: KEEP_SEGMENTS says that the segment
 * registers are good already.  A kernel that reloaded them from its own GDT would
 * ask for ring 0, and get a fault for an answer.
 :*/
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher.h"

/* Offsets in struct boot_params, from Linux' Documentation/x86/boot (ABI.md 1.3). */
enum {
	BP_E820_ENTRIES = 0x1e8,
	BP_VERSION = 0x206,
	BP_TYPE_OF_LOADER = 0x210,
	BP_LOADFLAGS = 0x211,
	BP_RAMDISK_IMAGE = 0x218,
	BP_RAMDISK_SIZE = 0x21c,
	BP_CMD_LINE_PTR = 0x228,
	BP_KERNEL_ALIGNMENT = 0x230,
	BP_HARDWARE_SUBARCH = 0x23c,
	BP_E820_MAP = 0x2d0,
};

#define BOOT_PROTOCOL	0x0207	/* older ones know no hardware_subarch */
#define KEEP_SEGMENTS	0x40
#define LOADER_UNKNOWN	0xff	/* but not 0: that would hide the initrd */
#define SUBARCH_LGUEST	1
#define E820_RAM	1

static uint32_t page_up(uint32_t bytes)
{
	return (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

/*L:310 Filling the form */
/* LAB 4.7 BEGIN: the letter on the table */
void zero_page_fill(uint8_t *page, uint64_t ram, uint32_t initrd_size)
{
	const uint16_t version = BOOT_PROTOCOL;
	const uint32_t command_line = COMMAND_LINE, alignment = 16 * MIB;
	const uint32_t subarch = SUBARCH_LGUEST, type = E820_RAM;

	page[BP_E820_ENTRIES] = 1;
	memcpy(page + BP_E820_MAP + 8, &ram, 8);	/* from address 0 */
	memcpy(page + BP_E820_MAP + 16, &type, 4);
	memcpy(page + BP_VERSION, &version, 2);
	page[BP_LOADFLAGS] = KEEP_SEGMENTS;
	memcpy(page + BP_CMD_LINE_PTR, &command_line, 4);
	memcpy(page + BP_KERNEL_ALIGNMENT, &alignment, 4);
	memcpy(page + BP_HARDWARE_SUBARCH, &subarch, 4);
	if (initrd_size) {
		uint32_t size = page_up(initrd_size), at = (uint32_t)(ram - size);

		page[BP_TYPE_OF_LOADER] = LOADER_UNKNOWN;
		memcpy(page + BP_RAMDISK_IMAGE, &at, 4);
		memcpy(page + BP_RAMDISK_SIZE, &size, 4);
	}
}
/* LAB 4.7 END */
/*:*/

int initrd_open(struct initrd *rd, const char *name, const struct image *img,
		uint64_t ram, struct complaint *c)
{
	struct stat st;
	uint64_t at;

	rd->name = name;
	rd->fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (rd->fd < 0)
		return complain(c, STATUS_BAD_INITRD, "%s: cannot read the initrd: %s", name,
				strerror(errno));
	if (fstat(rd->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return complain(c, STATUS_BAD_INITRD, "%s: the initrd is not a regular file", name);
	if (!st.st_size)
		return complain(c, STATUS_BAD_INITRD, "%s: the initrd is empty", name);
	if ((uint64_t)st.st_size + BOOT_END > ram)
		return complain(c, STATUS_BAD_INITRD, "%s: an initrd of %" PRIu64 " bytes does not "
				"fit into %" PRIu64 " MiB", name, (uint64_t)st.st_size, ram / MIB);
	rd->size = (uint32_t)st.st_size;
	at = ram - page_up(rd->size);
	for (unsigned i = 0; i < img->count; i++)
		if (img->segment[i].paddr + (uint64_t)img->segment[i].memsz > at)
			return complain(c, STATUS_BAD_INITRD, "%s: the initrd would begin at 0x%"
					PRIx64 ", where the kernel is; expected more --memory",
					name, at);
	return 0;
}

int boot_set_table(const struct guest_memory *m, const char *command_line,
		   const struct initrd *rd, struct complaint *c)
{
	uint8_t *page = memory_at(m, ZERO_PAGE, PAGE_SIZE);
	uint8_t *to;

	zero_page_fill(page, m->ram, rd->size);
	memory_store(m, COMMAND_LINE, command_line, strlen(command_line) + 1);
	if (!rd->size)
		return 0;
	to = memory_at(m, m->ram - page_up(rd->size), rd->size);
	if (!to || !read_exactly(rd->fd, to, rd->size, 0))
		return complain(c, STATUS_BAD_INITRD, "%s: could not read the initrd: %s", rd->name,
				errno ? strerror(errno) : "it has become shorter");
	return 0;
}
