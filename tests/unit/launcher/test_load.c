// SPDX-License-Identifier: MIT
/*
 * The loader against a corpus of broken files: each is a sound file with one thing
 * wrong, so that the status says that exactly this was noticed.  Then against random
 * damage, with an oracle that works byte by byte.
 */
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#define FILE_SIZE	0x3000
#define PHDRS		4
#define RAM		(4ull * MIB)

static uint8_t file[0x8000];
static size_t file_size;
static uint64_t ram;		/* of the Guest that the file is for */
static struct complaint c;

static Elf32_Ehdr *eh(void)
{
	return (Elf32_Ehdr *)file;
}

static Elf32_Phdr *ph(unsigned i)
{
	return (Elf32_Phdr *)(file + sizeof(Elf32_Ehdr)) + i;
}

/* Text at 1 MiB, data with a bss at 2 MiB (loaded high, as kernels are), a note, an
 * empty PT_LOAD. */
static void sound_elf(void)
{
	file_size = FILE_SIZE;
	ram = RAM;
	for (size_t i = 0; i < sizeof(file); i++)
		file[i] = (uint8_t)(i * 13 + i / 256 + 1);
	memset(file, 0, sizeof(Elf32_Ehdr) + PHDRS * sizeof(Elf32_Phdr));
	memcpy(eh()->e_ident, ELFMAG, SELFMAG);
	eh()->e_ident[EI_CLASS] = ELFCLASS32;
	eh()->e_ident[EI_DATA] = ELFDATA2LSB;
	eh()->e_ident[EI_VERSION] = EV_CURRENT;
	eh()->e_type = ET_EXEC;
	eh()->e_machine = EM_386;
	eh()->e_version = EV_CURRENT;
	eh()->e_entry = 0x100010;
	eh()->e_phoff = sizeof(Elf32_Ehdr);
	eh()->e_ehsize = sizeof(Elf32_Ehdr);
	eh()->e_phentsize = sizeof(Elf32_Phdr);
	eh()->e_phnum = PHDRS;
	*ph(0) = (Elf32_Phdr){ PT_LOAD, 0x1000, 0xc0100000, 0x100000, 0x1000, 0x1000, 5, 4096 };
	*ph(1) = (Elf32_Phdr){ PT_LOAD, 0x2000, 0xc0200000, 0x200000, 0x0f00, 0x5000, 6, 4096 };
	*ph(2) = (Elf32_Phdr){ PT_NOTE, 0x0100, 0, 0, 0xffffffff, 0xffffffff, 4, 4 };
	*ph(3) = (Elf32_Phdr){ PT_LOAD, 0, 0, 0, 0, 0, 4, 4 };
}

/* As bzImages are: 4 sectors of setup, then the payload. */
static void sound_bzimage(void)
{
	uint32_t paragraphs = (FILE_SIZE - 5 * 512) / 16, start = 0x100000;

	file_size = FILE_SIZE;
	ram = 24ull * MIB;	/* it unpacks itself to 16 MiB */
	for (size_t i = 0; i < sizeof(file); i++)
		file[i] = (uint8_t)(i * 7 + 3);
	memset(file, 0, 1024);
	file[0x1f1] = 4;
	memcpy(file + 0x1f4, &paragraphs, 4);
	memcpy(file + 0x202, "HdrS\x0c\x02", 6);
	memcpy(file + 0x214, &start, 4);
	memset(file + 0x260, 0, 4);
}

static void put(unsigned offset, uint32_t value, unsigned bytes)
{
	memcpy(file + offset, &value, bytes);
}

/* Writes the file, opens it as an image, and asks whether it fits. */
static int check(struct image *img)
{
	char name[64];
	int fd = memfd_create("kernel", MFD_CLOEXEC), status;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, file, file_size), file_size);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	memset(&c, 0, sizeof(c));
	status = image_open(img, name, &c);
	close(fd);
	img->name = "kernel";
	if (!status) {
		status = image_fits(img, ram, &c);
		if (status)
			image_close(img);
	}
	return status;
}

/* ---- The corpus: one line of damage each ---- */

#define CORPUS(X) \
	X(class64,		STATUS_IS_64BIT,	file[EI_CLASS] = ELFCLASS64) \
	X(class64_amd64,	STATUS_IS_64BIT,	(file[EI_CLASS] = ELFCLASS64, \
								eh()->e_machine = EM_X86_64)) \
	X(class0,		STATUS_NOT_KERNEL,	file[EI_CLASS] = 0) \
	X(class3,		STATUS_NOT_KERNEL,	file[EI_CLASS] = 3) \
	X(big_endian,		STATUS_WRONG_MACHINE,	file[EI_DATA] = ELFDATA2MSB) \
	X(no_endian,		STATUS_WRONG_MACHINE,	file[EI_DATA] = 0) \
	X(ident_version,	STATUS_NOT_KERNEL,	file[EI_VERSION] = 0) \
	X(version,		STATUS_NOT_KERNEL,	eh()->e_version = 2) \
	X(machine_arm,		STATUS_WRONG_MACHINE,	eh()->e_machine = EM_ARM) \
	X(machine_amd64,	STATUS_WRONG_MACHINE,	eh()->e_machine = EM_X86_64) \
	X(machine_none,		STATUS_WRONG_MACHINE,	eh()->e_machine = 0) \
	X(machine_high_byte,	STATUS_WRONG_MACHINE,	eh()->e_machine = 0x103) \
	X(type_rel,		STATUS_WRONG_MACHINE,	eh()->e_type = ET_REL) \
	X(type_dyn,		STATUS_WRONG_MACHINE,	eh()->e_type = ET_DYN) \
	X(type_core,		STATUS_WRONG_MACHINE,	eh()->e_type = ET_CORE) \
	X(type_none,		STATUS_WRONG_MACHINE,	eh()->e_type = 0) \
	X(phentsize_0,		STATUS_NOT_KERNEL,	eh()->e_phentsize = 0) \
	X(phentsize_31,		STATUS_NOT_KERNEL,	eh()->e_phentsize = 31) \
	X(phentsize_56,		STATUS_NOT_KERNEL,	eh()->e_phentsize = 56) \
	X(phnum_0,		STATUS_NOT_KERNEL,	eh()->e_phnum = 0) \
	X(phnum_2049,		STATUS_NOT_KERNEL,	eh()->e_phnum = 2049) \
	X(phnum_65535,		STATUS_NOT_KERNEL,	eh()->e_phnum = 65535) \
	X(phnum_2048,		STATUS_TRUNCATED,	eh()->e_phnum = 2048) \
	X(phoff_at_end,		STATUS_TRUNCATED,	eh()->e_phoff = FILE_SIZE) \
	X(phoff_almost,		STATUS_TRUNCATED,	eh()->e_phoff = FILE_SIZE - 127) \
	X(phoff_wraps,		STATUS_TRUNCATED,	eh()->e_phoff = 0xffffffff) \
	X(phoff_wraps_to_0,	STATUS_TRUNCATED,	eh()->e_phoff = 0u - 128) \
	X(header_cut,		STATUS_TRUNCATED,	file_size = 51) \
	X(magic_only,		STATUS_TRUNCATED,	file_size = 4) \
	X(magic_cut,		STATUS_NOT_KERNEL,	file_size = 3) \
	X(one_byte,		STATUS_NOT_KERNEL,	file_size = 1) \
	X(empty,		STATUS_EMPTY,		file_size = 0) \
	X(phdrs_cut,		STATUS_TRUNCATED,	file_size = 52 + 32 * 4 - 1) \
	X(segment_cut,		STATUS_TRUNCATED,	file_size = 0x2eff) \
	X(segment_missing,	STATUS_TRUNCATED,	file_size = 0x1000) \
	X(magic_wrong,		STATUS_NOT_KERNEL,	file[0] = 0x7e) \
	X(script,		STATUS_NOT_KERNEL,	memcpy(file, "#!/bin/sh\n", 10)) \
	X(offset_wraps,		STATUS_TRUNCATED,	ph(0)->p_offset = 0xfffff000) \
	X(offset_too_far,	STATUS_TRUNCATED,	ph(0)->p_offset = 0x2001) \
	X(filesz_huge,		STATUS_TRUNCATED,	ph(1)->p_filesz = ph(1)->p_memsz = \
								0xffffffff) \
	X(memsz_less,		STATUS_NOT_KERNEL,	ph(1)->p_memsz = 0xeff) \
	X(memsz_0,		STATUS_NOT_KERNEL,	ph(1)->p_memsz = 0) \
	X(overlap_by_one,	STATUS_OVERLAP,		ph(1)->p_paddr = 0x100fff) \
	X(overlap_inside,	STATUS_OVERLAP,		ph(1)->p_paddr = 0x100800) \
	X(overlap_same,		STATUS_OVERLAP,		ph(1)->p_paddr = 0x100000) \
	X(overlap_around,	STATUS_OVERLAP,		(ph(1)->p_paddr = 0xff000, \
								ph(1)->p_memsz = 0x5000)) \
	X(overlap_of_bss,	STATUS_OVERLAP,		ph(1)->p_paddr = 0xfc000) \
	X(overlap_wraps,	STATUS_OVERLAP,		(ph(0)->p_paddr = 0xfffff000, \
								ph(0)->p_memsz = 0x2000, \
								ph(1)->p_paddr = 0xfffff800)) \
	X(overlap_third,	STATUS_OVERLAP,		(*ph(3) = *ph(0), \
								ph(3)->p_paddr = 0x100800)) \
	X(overlap_then_good,	STATUS_OVERLAP,		(*ph(3) = *ph(1), \
								ph(3)->p_paddr = 0x300000, \
								ph(1)->p_paddr = 0x100800)) \
	X(overlap_of_all_bss,	STATUS_OVERLAP,		(ph(1)->p_filesz = 0, \
								ph(1)->p_paddr = 0x100800)) \
	X(overlap_zero_page,	STATUS_OVERLAP,		ph(1)->p_paddr = 0) \
	X(overlap_command_line,	STATUS_OVERLAP,		ph(1)->p_paddr = 0x1fff) \
	X(outside,		STATUS_OUTSIDE,		ph(1)->p_paddr = 0x400000) \
	X(outside_by_one,	STATUS_OUTSIDE,		ph(1)->p_paddr = 0x3fb001) \
	X(outside_bss,		STATUS_OUTSIDE,		ph(1)->p_memsz = 0x200001) \
	X(outside_virtual,	STATUS_OUTSIDE,		ph(1)->p_paddr = 0xc0200000) \
	X(paddr_wraps,		STATUS_OUTSIDE,		ph(1)->p_paddr = 0xfffffff0) \
	X(paddr_wraps_exactly,	STATUS_OUTSIDE,		ph(1)->p_paddr = 0xffffb000) \
	X(memsz_wraps,		STATUS_OUTSIDE,		ph(1)->p_memsz = 0xffffffff) \
	X(entry_below,		STATUS_BAD_ENTRY,	eh()->e_entry = 0xfffff) \
	X(entry_behind,		STATUS_BAD_ENTRY,	eh()->e_entry = 0x101000) \
	X(entry_virtual,	STATUS_BAD_ENTRY,	eh()->e_entry = 0xc0100010) \
	X(entry_0,		STATUS_BAD_ENTRY,	eh()->e_entry = 0) \
	X(entry_in_bss,		STATUS_BAD_ENTRY,	eh()->e_entry = 0x200f00) \
	X(entry_last,		STATUS_BAD_ENTRY,	eh()->e_entry = 0xffffffff) \
	X(nothing_to_load,	STATUS_BAD_ENTRY,	(ph(0)->p_type = PT_NOTE, \
								ph(1)->p_type = PT_NOTE))

#define BZ_CORPUS(X) \
	X(bz_magic,		STATUS_NOT_KERNEL,	file[0x202] = 'h') \
	X(bz_64bit,		STATUS_IS_64BIT,	file[0x236] = 1) \
	X(bz_cut,		STATUS_TRUNCATED,	file_size = 0x2ff0) \
	X(bz_setup_only,	STATUS_TRUNCATED,	file_size = 5 * 512) \
	X(bz_half_setup,	STATUS_TRUNCATED,	file_size = 0x300) \
	X(bz_many_sectors,	STATUS_TRUNCATED,	file[0x1f1] = 255) \
	X(bz_syssize_huge,	STATUS_TRUNCATED,	put(0x1f4, 0xffffffff, 4)) \
	X(bz_entry_below,	STATUS_BAD_ENTRY,	put(0x214, 0xfffff, 4)) \
	X(bz_entry_behind,	STATUS_BAD_ENTRY,	put(0x214, 0x200000, 4)) \
	X(bz_needs_more,	STATUS_TOO_LITTLE,	put(0x260, 0x800001, 4)) \
	X(bz_needs_4gib,	STATUS_TOO_LITTLE,	put(0x260, 0xffffffff, 4))

/* "16 (TRUNCATED)", as exit_status.h has it. */
static const char *named(int status)
{
	static char text[4][32];
	static unsigned next;
	char *to = text[next++ % 4];
	const char *name = "no status of exit_status.h";

#define NAME_OF(word, number, meaning) if (status == (number)) name = #word;
	EXIT_STATUSES(NAME_OF)
#undef NAME_OF
	snprintf(to, sizeof(text[0]), "%d (%s)", status, status ? name : "good");
	return to;
}

static void expect_refusal(const char *name, int expected)
{
	struct image img;
	int status = check(&img);
	const char *is_there = expected == STATUS_TRUNCATED ? ": truncated: " : ": ";

	if (status == 0) {
		image_close(&img);
		fail_msg("this file was taken; expected status %s", named(expected));
	}
	if (status != expected)
		fail_msg("status %s, with '%s'; expected status %s", named(status), c.text,
			 named(expected));
	if (c.status != expected || !c.text[0])
		fail_msg("returns %s, but the complaint has status %s and says '%s'", named(status),
			 named(c.status), c.text);
	if (!strstr(c.text, is_there))
		fail_msg("the complaint '%s' does not say '%s'; expected the file's name, a colon, and "
			 "what is wrong", c.text, is_there);
	if (strchr(c.text, '\n'))
		fail_msg("the complaint '%s' is more than one line: complain() needs no \\n at the end",
			 c.text);
	if (!strcmp(name, "entry_virtual") && !strstr(c.text, "physical") &&
	    !strstr(c.text, "virtual"))
		fail_msg("the complaint '%s' does not say that 0x%x looks like a virtual address", c.text,
			 eh()->e_entry);
}

/* Whatever was just asked said this; it had to be good. */
static void expect_good(const char *function, int status)
{
	if (status)
		fail_msg("%s says %s: '%s'; expected 0, this file is sound", function, named(status),
			 c.text);
}

#define CORPUS_TEST(name, status, damage) \
	static void elf_##name(void **state) \
	{ (void)state; sound_elf(); damage; expect_refusal(#name, status); }
#define BZ_CORPUS_TEST(name, status, damage) \
	static void name(void **state) \
	{ (void)state; sound_bzimage(); damage; expect_refusal(#name, status); }
CORPUS(CORPUS_TEST)
BZ_CORPUS(BZ_CORPUS_TEST)

/* ---- What is no file at all ---- */

static void no_files(void **state)
{
	struct image img;

	(void)state;
	assert_int_equal(image_open(&img, "/no/such/file", &c), STATUS_NO_KERNEL);
	assert_non_null(strstr(c.text, "/no/such/file: "));
	assert_int_equal(image_open(&img, "", &c), STATUS_NO_KERNEL);
	assert_int_equal(image_open(&img, "/", &c), STATUS_NOT_REGULAR);
	assert_int_equal(image_open(&img, "/dev/zero", &c), STATUS_NOT_REGULAR);
}

/* It must not wait for somebody to write into the pipe. */
static void named_pipe(void **state)
{
	char name[] = "pipe-XXXXXX";
	struct image img;
	int status;

	(void)state;
	assert_true(mkstemp(name) >= 0);
	unlink(name);
	assert_int_equal(mkfifo(name, 0600), 0);
	status = image_open(&img, name, &c);
	unlink(name);
	assert_int_equal(status, STATUS_NOT_REGULAR);
}

/* ---- What is sound ---- */

/* Loads into fresh memory and compares every byte with what the file says. */
static void expect_loaded(struct image *img, const uint8_t *want)
{
	struct guest_memory m;

	assert_int_equal(memory_create(&m, (uint32_t)(ram / MIB), &c), 0);
	expect_good("image_load()", image_load(img, &m, &c));
	if (memcmp(m.base, want, RAM)) {
		uint64_t i = 0;

		while (m.base[i] == want[i])
			i++;
		fail_msg("byte 0x%llx is %02x instead of %02x", (unsigned long long)i, m.base[i],
			 want[i]);
	}
	memory_destroy(&m);
}

static uint8_t want[RAM];

static void sound(void **state)
{
	struct image img;

	(void)state;
	sound_elf();
	expect_good("image_open() or image_fits()", check(&img));
	assert_int_equal(img.entry, 0x100010);
	assert_int_equal(img.count, 2);
	memset(want, 0, sizeof(want));
	memcpy(want + 0x100000, file + 0x1000, 0x1000);
	memcpy(want + 0x200000, file + 0x2000, 0xf00);
	expect_loaded(&img, want);
	image_close(&img);
}

/* What is to be loaded is listed: in order, without gaps, with all four numbers. */
static void the_list(void **state)
{
	static const struct segment listed[] = {
		{ 0x1000, 0x1000, 0x100000, 0x1000 }, { 0x2000, 0x0f00, 0x200000, 0x5000 },
		{ 0x0010, 0, 0x300000, 0x4000 },
	};
	struct image img;

	(void)state;
	sound_elf();
	*ph(3) = *ph(1);		/* a note, an empty one, and then the three */
	*ph(1) = *ph(0);
	*ph(0) = *ph(2);
	*ph(2) = (Elf32_Phdr){ PT_LOAD, 0, 0, 0, 0, 0, 4, 4 };
	*ph(4) = (Elf32_Phdr){ PT_LOAD, 0x10, 0xc0300000, 0x300000, 0, 0x4000, 6, 4096 };
	eh()->e_phnum = 5;
	expect_good("image_open() or image_fits()", check(&img));
	if (img.count != 3 || img.entry != 0x100010)
		fail_msg("%u segments are to be loaded, and the entry is 0x%x; expected 3, and 0x100010",
			 img.count, img.entry);
	for (unsigned i = 0; i < 3; i++) {
		const struct segment *s = &img.segment[i], *l = &listed[i];

		if (memcmp(s, l, sizeof(*s)))
			fail_msg("segment %u of the list: offset 0x%x, filesz 0x%x, paddr 0x%x, memsz 0x%x; "
				 "expected 0x%x, 0x%x, 0x%x, 0x%x", i, s->offset, s->filesz, s->paddr,
				 s->memsz, l->offset, l->filesz, l->paddr, l->memsz);
	}
	image_close(&img);
}

/* A table that no stack would like, and no fixed array. */
static void long_table(void **state)
{
	struct image img;

	(void)state;
	sound_elf();
	eh()->e_phoff = 0x1000;
	eh()->e_phnum = 256;
	memset(file + 0x1000, 0, 256 * sizeof(Elf32_Phdr));
	memcpy(file + 0x1000 + 255 * sizeof(Elf32_Phdr), ph(1), sizeof(Elf32_Phdr));
	eh()->e_entry = 0x200000;
	expect_good("image_open() or image_fits()", check(&img));
	if (img.count != 1)
		fail_msg("256 program headers, the last one is to be loaded: %u are", img.count);
	image_close(&img);
}

/* Neighbours touch, the last byte of RAM is used, the entry is a segment's last byte. */
static void sound_to_the_brim(void **state)
{
	struct image img;

	(void)state;
	sound_elf();
	ph(1)->p_paddr = 0x101000;
	ph(1)->p_memsz = 0x400000 - 0x101000;
	eh()->e_entry = 0x101eff;
	ph(0)->p_paddr = 0x2000;	/* the first byte that is free */
	expect_good("image_open() or image_fits()", check(&img));
	image_close(&img);
	ph(0)->p_paddr = 0x100000;
	expect_good("image_open() or image_fits()", check(&img));
	image_close(&img);
	ph(1)->p_paddr = 0xfb000;	/* the second ends where the first begins */
	ph(1)->p_memsz = 0x5000;
	eh()->e_entry = 0x100000;
	expect_good("image_open() or image_fits()", check(&img));
	image_close(&img);
}

/* A segment that is nothing but bss has no place in the file, whatever it says. */
static void sound_all_bss(void **state)
{
	struct image img;

	(void)state;
	sound_elf();
	ph(1)->p_filesz = 0;
	ph(1)->p_offset = 0xfffffff0;
	expect_good("image_open() or image_fits()", check(&img));
	memset(want, 0, sizeof(want));
	memcpy(want + 0x100000, file + 0x1000, 0x1000);
	expect_loaded(&img, want);
	image_close(&img);
}

static void sound_bz(void **state)
{
	struct image img;

	(void)state;
	sound_bzimage();
	put(0x260, 0x800000, 4);
	file_size = FILE_SIZE - 5;	/* syssize is rounded up to 16 bytes */
	expect_good("image_open() or image_fits()", check(&img));
	assert_true(img.bzimage);
	assert_int_equal(img.entry, 0x100000);
	memset(want, 0, sizeof(want));
	memcpy(want + 0x100000, file + 5 * 512, FILE_SIZE - 5 - 5 * 512);
	expect_loaded(&img, want);
	image_close(&img);
}

/* Where the header ends depends on the version; an old one has no xloadflags. */
static void sound_old_bz(void **state)
{
	struct image img;

	(void)state;
	sound_bzimage();
	file[0x206] = 0x07;
	file[0x236] = 1;
	put(0x260, 0x7fffffff, 4);
	expect_good("image_open() or image_fits()", check(&img));
	image_close(&img);
}

static void shrinks_while_we_read(void **state)
{
	struct guest_memory m;
	struct image img;
	char name[64];
	int fd = memfd_create("kernel", MFD_CLOEXEC), status;

	(void)state;
	sound_elf();
	assert_int_equal(write(fd, file, file_size), file_size);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	expect_good("image_open()", image_open(&img, name, &c));
	assert_int_equal(memory_create(&m, RAM / MIB, &c), 0);
	assert_int_equal(ftruncate(fd, 0x1800), 0);
	status = image_load(&img, &m, &c);
	if (status != STATUS_TRUNCATED)
		fail_msg("the file has become shorter, image_load() says %s; expected status %s",
			 named(status), named(STATUS_TRUNCATED));
	memory_destroy(&m);
	image_close(&img);
	close(fd);
}

/* With --verbose: a line on standard error for each segment.  It stays on: the last test. */
static void says_so(void **state)
{
	static const char *const places[] = { "0x100000", "0x200000" };
	int log = memfd_create("log", MFD_CLOEXEC), before = dup(STDERR_FILENO);
	char said[1024];
	struct image img;
	ssize_t n;

	(void)state;
	sound_elf();
	expect_good("image_open() or image_fits()", check(&img));
	verbose_on();
	assert_true(dup2(log, STDERR_FILENO) >= 0);
	memset(want, 0, sizeof(want));
	memcpy(want + 0x100000, file + 0x1000, 0x1000);
	memcpy(want + 0x200000, file + 0x2000, 0xf00);
	expect_loaded(&img, want);
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	close(before);
	n = pread(log, said, sizeof(said) - 1, 0);
	assert_true(n >= 0);
	said[n] = '\0';
	close(log);
	for (unsigned i = 0; i < 2; i++)
		if (!strstr(said, places[i]))
			fail_msg("with --verbose, nothing is said of the segment at %s; expected a line by "
				 "verbose(), seen '%s'", places[i], said);
	image_close(&img);
}

/* ---- Random damage ---- */

/* An oracle without arithmetic to get wrong: it paints every byte.  Returns whether
 * the file is acceptable, and what memory looks like then. */
static bool paint(void)
{
	static uint8_t owner[RAM];
	bool entered = false;

	memset(want, 0, sizeof(want));
	memset(owner, 0, sizeof(owner));
	memset(owner, 0xff, 0x2000);
	for (unsigned i = 0; i < eh()->e_phnum; i++) {
		Elf32_Phdr p = *ph(i);

		if (p.p_type != PT_LOAD)
			continue;
		if (p.p_filesz > p.p_memsz)
			return false;
		for (uint64_t b = 0; b < p.p_memsz; b++) {
			uint64_t at = p.p_paddr + b;

			if (at >= RAM || owner[at])
				return false;
			owner[at] = 1;
			if (b < p.p_filesz) {
				if (p.p_offset + b >= file_size)
					return false;
				want[at] = file[p.p_offset + b];
				entered |= at == eh()->e_entry;
			}
		}
	}
	return entered;
}

/* Numbers near the places where things change. */
static uint32_t interesting(void)
{
	static const uint32_t base[] = { 0, 0x1000, 0x2000, FILE_SIZE, 0x100000, 0x101000, 0x200000,
					 0x205000, RAM, 0x80000000, 0xc0100000 };

	if (below(4) == 0)
		return random32();
	return base[below(sizeof(base) / sizeof(base[0]))] + below(5) - 2;
}

static void random_segments(void **state)
{
	unsigned accepted = 0;

	(void)state;
	random_start("random_segments");
	for (unsigned round = 0; round < 1500; round++) {
		struct image img;
		bool good;
		int status;

		sound_elf();
		for (unsigned n = below(3); n; n--) {
			uint32_t *word = (uint32_t *)ph(below(2));

			word[(unsigned[]){ 1, 3, 4, 5 }[below(4)]] = interesting();
		}
		if (below(4) == 0)
			eh()->e_entry = interesting();
		good = paint();
		status = check(&img);
		if (good != !status)
			fail_msg("round %u: who paints each byte finds it %s, image_open() says %s '%s'; "
				 "(offset, filesz, paddr, memsz) (0x%x, 0x%x, 0x%x, 0x%x), (0x%x, 0x%x, "
				 "0x%x, 0x%x), entry 0x%x, a file of 0x%x bytes, RAM 0x%x", round,
				 good ? "good" : "bad", named(status), c.text, ph(0)->p_offset,
				 ph(0)->p_filesz, ph(0)->p_paddr, ph(0)->p_memsz, ph(1)->p_offset,
				 ph(1)->p_filesz, ph(1)->p_paddr, ph(1)->p_memsz, eh()->e_entry,
				 (unsigned)file_size, (unsigned)RAM);
		if (!status) {
			accepted++;
			if (round % 8 == 0)
				expect_loaded(&img, want);
			image_close(&img);
		}
	}
	assert_in_range(accepted, 100, 1400);
}

/* Any byte may be anything: no crash, and a status from our list. */
static void random_bytes(void **state)
{
	(void)state;
	random_start("random_bytes");
	for (unsigned round = 0; round < 20000; round++) {
		struct image img;
		int status;

		if (round & 1)
			sound_elf();
		else
			sound_bzimage();
		for (unsigned n = 1 + below(8); n; n--)
			file[below(round & 1 ? 200 : 0x270)] = (uint8_t)random32();
		if (below(4) == 0)
			file_size = below(FILE_SIZE);
		status = check(&img);
		if (!status)
			image_close(&img);
		else
			assert_true(status >= STATUS_NO_KERNEL && status <= STATUS_TOO_LITTLE);
	}
}

#define ELF_ENTRY(name, status, damage) TEST(elf_##name),
#define BZ_ENTRY(name, status, damage) TEST(name),

int main(void)
{
	const struct CMUnitTest tests[] = {
		CORPUS(ELF_ENTRY)
		BZ_CORPUS(BZ_ENTRY)
		TEST(no_files), TEST(named_pipe), TEST(sound), TEST(the_list), TEST(long_table),
		TEST(sound_to_the_brim),
		TEST(sound_all_bss), TEST(sound_bz),
		TEST(sound_old_bz), TEST(shrinks_while_we_read), TEST(random_segments),
		TEST(random_bytes), TEST(says_so),
	};

	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
