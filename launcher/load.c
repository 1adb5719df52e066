// SPDX-License-Identifier: MIT
/*L:250 Is this a kernel?
 *
 * A kernel file is a list of wishes: "put these bytes there, leave so many zeroes
 * behind them, and jump to here".  We take two kinds.  An ELF file says it openly,
 * in its program headers.  A bzImage is one lump that unpacks itself, and always
 * wants to be at 1 MiB.
 *
 * A wish list can be damaged, cut short or plain hostile, so nothing is copied
 * before everything was checked.  Numbers of 32 bits are added as 64-bit numbers:
 * then a sum cannot wrap, and each check reads like what it means.
 :*/
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher.h"

#define ELF_PHNUM_MAX	2048
#define BZ_LOAD_ADDRESS	0x100000u
#define BZ_SETUP_SECTS	0x1f1
#define BZ_SYSSIZE	0x1f4	/* payload in units of 16 bytes */
#define BZ_MAGIC	0x202	/* "HdrS" */
#define BZ_VERSION	0x206
#define BZ_CODE32_START	0x214
#define BZ_XLOADFLAGS	0x236	/* from version 2.12 */
#define BZ_XLF_KERNEL_64 1
#define BZ_INIT_SIZE	0x260	/* from version 2.10 */
#define BZ_HEADER_END	0x264
#define BZ_UNPACKS_AT	(16u * MIB)

bool read_exactly(int fd, void *to, size_t len, uint64_t offset)
{
	uint8_t *p = to;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = 0;
			return false;
		}
		p += n;
		len -= (size_t)n;
		offset += (size_t)n;
	}
	return true;
}

static int complain_short(const struct image *img, const char *what, uint64_t end,
			  struct complaint *c)
{
	return complain(c, STATUS_TRUNCATED, "%s: truncated: %s ends at byte %" PRIu64
			" but the file has only %" PRIu64, img->name, what, end, img->size);
}

static int fetch(const struct image *img, void *to, size_t len, uint64_t offset,
		 const char *what, struct complaint *c)
{
	if (offset + len > img->size)
		return complain_short(img, what, offset + len, c);
	if (!read_exactly(img->fd, to, len, offset))
		return complain(c, errno ? STATUS_NO_KERNEL : STATUS_TRUNCATED, "%s: could not "
				"read %s: %s", img->name, what,
				errno ? strerror(errno) : "the file has become shorter");
	return 0;
}

/*L:255 The ELF header
 * Magic, class, byte order, type, machine.  The checks are in the order in which
 * people make the mistakes: the 64-bit kernel of one's own machine first, then the
 * object file that nobody linked.
 */
/* LAB 4.1 BEGIN: is this a kernel? */
static int check_header(const struct image *img, const Elf32_Ehdr *h, struct complaint *c)
{
	if (h->e_ident[EI_CLASS] == ELFCLASS64)
		return complain(c, STATUS_IS_64BIT, "%s: a 64-bit ELF file; expected a 32-bit one "
				"(gcc -m32, nasm -f elf32, ld -m elf_i386)", img->name);
	if (h->e_ident[EI_CLASS] != ELFCLASS32)
		return complain(c, STATUS_NOT_KERNEL, "%s: ELF class %u; expected 1 (32-bit)",
				img->name, h->e_ident[EI_CLASS]);
	if (h->e_ident[EI_DATA] != ELFDATA2LSB)
		return complain(c, STATUS_WRONG_MACHINE, "%s: ELF byte order %u; expected 1 "
				"(little-endian)", img->name, h->e_ident[EI_DATA]);
	if (h->e_ident[EI_VERSION] != EV_CURRENT || h->e_version != EV_CURRENT)
		return complain(c, STATUS_NOT_KERNEL, "%s: ELF version %u/%u; expected 1/1",
				img->name, h->e_ident[EI_VERSION], h->e_version);
	if (h->e_machine != EM_386)
		return complain(c, STATUS_WRONG_MACHINE, "%s: built for machine %u; expected %u "
				"(i386)", img->name, h->e_machine, EM_386);
	if (h->e_type != ET_EXEC)
		return complain(c, STATUS_WRONG_MACHINE, "%s: ELF type %u%s; expected %u "
				"(executable)", img->name, h->e_type,
				h->e_type == ET_REL ? " (an object file, not linked yet)" :
				h->e_type == ET_DYN ? " (position independent: link with -no-pie)" :
				"", ET_EXEC);
	if (h->e_phentsize != sizeof(Elf32_Phdr))
		return complain(c, STATUS_NOT_KERNEL, "%s: program headers of %u bytes; expected "
				"%zu", img->name, h->e_phentsize, sizeof(Elf32_Phdr));
	if (h->e_phnum < 1 || h->e_phnum > ELF_PHNUM_MAX)
		return complain(c, STATUS_NOT_KERNEL, "%s: %u program headers; expected 1 to %d",
				img->name, h->e_phnum, ELF_PHNUM_MAX);
	return 0;
}
/* LAB 4.1 END */
/*:*/

/* LAB 4.2 BEGIN: one segment */
static int check_segment(const struct image *img, unsigned i, const struct segment *s,
			 struct complaint *c)
{
	if (s->filesz > s->memsz)
		return complain(c, STATUS_NOT_KERNEL, "%s: segment %u has 0x%x bytes in the file "
				"but only 0x%x in memory", img->name, i, s->filesz, s->memsz);
	/* A segment that is all bss may say any offset: nothing is read there. */
	if (s->filesz && (uint64_t)s->offset + s->filesz > img->size)
		return complain_short(img, "a segment", (uint64_t)s->offset + s->filesz, c);
	for (unsigned k = 0; k < img->count; k++) {
		const struct segment *o = &img->segment[k];

		if ((uint64_t)s->paddr + s->memsz > o->paddr &&
		    (uint64_t)o->paddr + o->memsz > s->paddr)
			return complain(c, STATUS_OVERLAP, "%s: segment %u (0x%x, 0x%x bytes) and "
					"an earlier one (0x%x, 0x%x bytes) overlap", img->name, i,
					s->paddr, s->memsz, o->paddr, o->memsz);
	}
	return 0;
}
/* LAB 4.2 END */

/*L:260 The program headers
 * p_vaddr is where the kernel will *think* it is, once it has page tables.  At the
 * start there are none, so only p_paddr counts.  (A higher-half kernel is the case
 * in which the two differ, and the case in which confusing them is found out.)
 *
 * The part of a segment that is not in the file, its bss, needs no work: the
 * Guest's memory is zero already.
 */
/* LAB 4.3 BEGIN: the program headers */
static int check_elf(struct image *img, struct complaint *c)
{
	Elf32_Ehdr h;
	Elf32_Phdr *ph;
	int status = fetch(img, &h, sizeof(h), 0, "the ELF header", c);

	if (!status)
		status = check_header(img, &h, c);
	if (status)
		return status;

	ph = calloc(h.e_phnum, sizeof(*ph));
	img->segment = calloc(h.e_phnum, sizeof(*img->segment));
	if (!ph || !img->segment)
		die(STATUS_INTERNAL, "out of memory");
	status = fetch(img, ph, h.e_phnum * sizeof(*ph), h.e_phoff, "the program header table", c);
	for (unsigned i = 0; !status && i < h.e_phnum; i++) {
		struct segment s = { ph[i].p_offset, ph[i].p_filesz, ph[i].p_paddr, ph[i].p_memsz };

		if (ph[i].p_type != PT_LOAD || (!s.memsz && !s.filesz))
			continue;
		status = check_segment(img, i, &s, c);
		img->segment[img->count++] = s;
	}
	free(ph);
	img->entry = h.e_entry;
	return status;
}
/* LAB 4.3 END */
/*:*/

static uint32_t field(const uint8_t *header, unsigned offset, unsigned bytes)
{
	uint32_t value = 0;

	memcpy(&value, header + offset, bytes);
	return value;
}

/*L:265 The bzImage
 * A floppy's boot sector, grown up.  Sector 0 still says at 0x1f1 how many sectors
 * of 16-bit setup code follow; a boot loader from 1995 would run them.  We step over
 * them: the 32-bit part behind is what we want, and `code32_start` is its door.
 * It unpacks the real kernel to 16 MiB, which the Guest's memory must reach.
 */
static int check_bzimage(struct image *img, const uint8_t *h, struct complaint *c)
{
	uint32_t version = field(h, BZ_VERSION, 2);
	uint32_t skip = (field(h, BZ_SETUP_SECTS, 1) + 1) * 512;
	uint64_t payload = (uint64_t)field(h, BZ_SYSSIZE, 4) * 16;

	if (version >= 0x20c && field(h, BZ_XLOADFLAGS, 2) & BZ_XLF_KERNEL_64)
		return complain(c, STATUS_IS_64BIT, "%s: a bzImage of a 64-bit kernel; expected a "
				"32-bit one", img->name);
	/* syssize is rounded up to 16, the file need not be. */
	if (img->size <= skip || skip + payload >= img->size + 16)
		return complain_short(img, "the kernel", skip + (payload ? payload : 1), c);
	if (img->size - skip > UINT32_MAX - BZ_LOAD_ADDRESS)
		return complain(c, STATUS_OUTSIDE, "%s: %" PRIu64 " bytes do not fit into 4 GiB",
				img->name, img->size);

	img->bzimage = true;
	img->entry = field(h, BZ_CODE32_START, 4);
	if (version >= 0x20a)
		img->needs = (uint64_t)BZ_UNPACKS_AT + field(h, BZ_INIT_SIZE, 4);
	img->segment = calloc(1, sizeof(*img->segment));
	if (!img->segment)
		die(STATUS_INTERNAL, "out of memory");
	img->count = 1;
	img->segment->offset = skip;
	img->segment->paddr = BZ_LOAD_ADDRESS;
	img->segment->filesz = img->segment->memsz = (uint32_t)(img->size - skip);
	return 0;
}
/*:*/

/* Something of the file must be at the entry: zeroes are instructions, but not yours. */
/* LAB 4.4 BEGIN: the way in */
static int check_entry(const struct image *img, struct complaint *c)
{
	for (unsigned i = 0; i < img->count; i++) {
		const struct segment *s = &img->segment[i];

		if (img->entry >= s->paddr && img->entry - s->paddr < s->filesz)
			return 0;
	}
	return complain(c, STATUS_BAD_ENTRY, "%s: the entry point 0x%x is in none of the %u "
			"segments%s", img->name, img->entry, img->count,
			img->entry >= 0x80000000u ? " (it must be a physical address)" : "");
}
/* LAB 4.4 END */

static int check_file(const struct image *img, struct complaint *c)
{
	struct stat st;

	if (fstat(img->fd, &st) < 0)
		return complain(c, STATUS_NO_KERNEL, "%s: %s", img->name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return complain(c, STATUS_NOT_REGULAR, "%s: %s; expected a file", img->name,
				S_ISDIR(st.st_mode) ? "a directory" : "not a regular file");
	return 0;
}

static int check_contents(struct image *img, struct complaint *c)
{
	uint8_t head[BZ_HEADER_END] = { 0 };
	off_t size = lseek(img->fd, 0, SEEK_END);
	int status;

	if (size < 0)
		return complain(c, STATUS_NO_KERNEL, "%s: %s", img->name, strerror(errno));
	img->size = (uint64_t)size;
	if (!img->size)
		return complain(c, STATUS_EMPTY, "%s: empty; expected a kernel", img->name);
	status = fetch(img, head, img->size < sizeof(head) ? img->size : sizeof(head), 0,
		       "the header", c);
	if (status)
		return status;
	if (!memcmp(head, ELFMAG, SELFMAG))
		status = check_elf(img, c);
	else if (!memcmp(head + BZ_MAGIC, "HdrS", 4))
		status = check_bzimage(img, head, c);
	else
		return complain(c, STATUS_NOT_KERNEL, "%s: begins with %02x %02x %02x %02x; expected "
				"an ELF file (7f 45 4c 46) or a bzImage", img->name,
				head[0], head[1], head[2], head[3]);
	return status ? status : check_entry(img, c);
}

int image_open(struct image *img, const char *name, struct complaint *c)
{
	int status;

	memset(img, 0, sizeof(*img));
	img->name = name;
	/* O_NONBLOCK: open() of a named pipe would wait for a writer. */
	img->fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (img->fd < 0)
		return complain(c, STATUS_NO_KERNEL, "%s: cannot read the kernel: %s", name,
				strerror(errno));
	status = check_file(img, c);
	if (!status)
		status = check_contents(img, c);
	if (status)
		image_close(img);
	return status;
}

int image_reread(struct image *img, struct complaint *c)
{
	free(img->segment);
	*img = (struct image){ .name = img->name, .fd = img->fd };
	return check_contents(img, c);
}

/* LAB 4.5 BEGIN: does it fit? */
int image_fits(const struct image *img, uint64_t ram, struct complaint *c)
{
	for (unsigned i = 0; i < img->count; i++) {
		const struct segment *s = &img->segment[i];

		if (s->paddr < BOOT_END)
			return complain(c, STATUS_OVERLAP, "%s: a segment at 0x%x overlaps the boot "
					"page and the command line; expected 0x%x or higher",
					img->name, s->paddr, BOOT_END);
		if ((uint64_t)s->paddr + s->memsz > ram)
			return complain(c, STATUS_OUTSIDE, "%s: a segment at 0x%x with 0x%x bytes is "
					"outside the Guest's memory of %" PRIu64 " MiB", img->name,
					s->paddr, s->memsz, ram / MIB);
	}
	if (img->needs > ram)
		return complain(c, STATUS_TOO_LITTLE, "%s: needs %" PRIu64 " MiB to unpack itself; "
				"the Guest has %" PRIu64, img->name, (img->needs + MIB - 1) / MIB,
				ram / MIB);
	return 0;
}
/* LAB 4.5 END */

/* Straight from the file to where it belongs: no copy in between. */
/* LAB 4.6 BEGIN: into memory */
int image_load(const struct image *img, const struct guest_memory *m, struct complaint *c)
{
	for (unsigned i = 0; i < img->count; i++) {
		const struct segment *s = &img->segment[i];
		void *to = memory_at(m, s->paddr, s->memsz);
		int status = 0;

		if (!to)
			return complain(c, STATUS_OUTSIDE, "%s: segment outside memory", img->name);
		if (s->filesz)
			status = fetch(img, to, s->filesz, s->offset, "a segment", c);
		if (status)
			return status;
		verbose("%s: 0x%x bytes at 0x%x, then 0x%x of zeroes", img->name, s->filesz,
			s->paddr, s->memsz - s->filesz);
	}
	return 0;
}
/* LAB 4.6 END */

void image_close(struct image *img)
{
	close(img->fd);
	img->fd = -1;
	free(img->segment);
	img->segment = NULL;
	img->count = 0;
}
