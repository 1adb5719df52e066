// SPDX-License-Identifier: MIT
/*
 * Lines for addresses.  Real compilers wrote the files (the Makefile: DWARF 4, DWARF 5 and
 * NASM's DWARF 2), and binutils says what each address should give.  Then the same files
 * with random damage: whatever is in them, we come back, and only harmless characters go
 * to a terminal.  The sanitizers watch.
 */
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

#define ADDRESSES	1024
#define ROUNDS		1500	/* of each file */

static const char *const files[] = { "lines4", "lines5", "lines2" };

static void open_image(struct image *img, const char *path)
{
	*img = (struct image){ .name = path, .fd = open(path, O_RDONLY) };
	assert_true(img->fd >= 0);
	img->size = (uint64_t)lseek(img->fd, 0, SEEK_END);
}

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Each line of the oracle: 0x00100010 /a/path/file.c:12 */
static void compare(const char *name)
{
	static struct line line[ADDRESSES];
	static char want[ADDRESSES][256];
	char path[256], got[160];
	struct image img;
	unsigned n = 0, known = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.oracle", FIXTURES, name);
	f = fopen(path, "r");
	assert_non_null(f);
	while (n < ADDRESSES && fscanf(f, "%x %255s%*[^\n]", &line[n].address, want[n]) == 2)
		n++;
	fclose(f);
	snprintf(path, sizeof(path), "%s/%s.elf", FIXTURES, name);
	open_image(&img, path);
	lines_find(&img, line, n);
	for (unsigned i = 0; i < n; i++) {
		snprintf(got, sizeof(got), "%s:%u", base(line[i].file), line[i].number);
		if (strstr(want[i], ":?") || strstr(want[i], ":0"))
			assert_int_equal(line[i].number, 0);
		else
			assert_string_equal(got, base(want[i]));
		known += line[i].number != 0;
	}
	assert_true(n > 50 && known > n / 2);
	close(img.fd);
}

static void test_dwarf2(void **state)
{
	(void)state;
	compare("lines2");
}

static void test_dwarf4(void **state)
{
	(void)state;
	compare("lines4");
}

static void test_dwarf5(void **state)
{
	(void)state;
	compare("lines5");
}

/* A folder is told, too, unless it is the one that the compiler was in. */
static void test_folder(void **state)
{
	struct line line;
	struct symbols sym;
	struct image img;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		char path[256];

		snprintf(path, sizeof(path), "%s/%s.elf", FIXTURES, files[i]);
		open_image(&img, path);
		symbols_read(&sym, &img);
		assert_true(symbols_address(&sym, "strlen", &line.address));
		lines_find(&img, &line, 1);
		assert_string_equal(line.file, "lib/string.c");
		symbols_free(&sym);
		close(img.fd);
	}
}

static void test_not_linked(void **state)
{
	struct line line[] = { { .address = 0 }, { .address = 8 }, { .address = 0xffffffff } };
	struct image img;

	(void)state;
	open_image(&img, FIXTURES "/lines5.elf");
	lines_find(&img, line, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(line[i].number, 0);
	close(img.fd);
}

/* Damage where it can hurt: the tables of lines and names, the headers of sections. */
static void damage(uint8_t *file, const uint8_t *sound, size_t size)
{
	const Elf32_Ehdr *h = (const Elf32_Ehdr *)sound;
	const Elf32_Shdr *s = (const Elf32_Shdr *)(sound + h->e_shoff);
	const char *names = (const char *)sound + s[h->e_shstrndx].sh_offset;

	for (unsigned left = 1 + below(6); left;) {
		const Elf32_Shdr *to = &s[below(h->e_shnum)];
		const char *name = names + to->sh_name;
		size_t at;

		if (!below(12)) {
			at = h->e_shoff + below(h->e_shnum * sizeof(*s));
		} else if (to->sh_size && (!strncmp(name, ".debug_line", 11) ||
					   !strcmp(name, ".strtab"))) {
			/* The headers of units, at the beginning, more often than the rest. */
			at = to->sh_offset + below(below(2) && to->sh_size > 120 ? 120 : to->sh_size);
		} else {
			continue;
		}
		if (at < size)
			file[at] = below(3) ? (uint8_t)random32() : below(2) ? 0xff : 0;
		left--;
	}
}

static void test_damage(void **state)
{
	(void)state;
	random_start("lines/damage");
	for (unsigned k = 0; k < sizeof(files) / sizeof(files[0]) * ROUNDS; k++) {
		struct line line[40];
		struct symbols sym;
		struct image img;
		char path[256], name[80];
		uint8_t *sound, *file;
		int fd;

		snprintf(path, sizeof(path), "%s/%s.elf", FIXTURES, files[k % 3]);
		open_image(&img, path);
		sound = mmap(NULL, img.size, PROT_READ, MAP_PRIVATE, img.fd, 0);
		file = malloc(img.size);
		memcpy(file, sound, img.size);
		damage(file, sound, img.size);
		fd = memfd_create("damaged", 0);
		assert_int_equal(write(fd, file, img.size), (ssize_t)img.size);
		close(img.fd);
		img.fd = fd;
		for (unsigned i = 0; i < 40; i++)
			line[i].address = 0x100000 + below(0x1800);
		lines_find(&img, line, 40);
		symbols_read(&sym, &img);
		for (unsigned i = 0; i < 40; i++) {
			assert_true(strlen(line[i].file) < sizeof(line[i].file));
			symbols_name(&sym, line[i].address, name, sizeof(name));
			for (const char *p = line[i].file; *p; p++)
				assert_in_range((unsigned char)*p, 0x20, 0x7e);
			for (const char *p = name; *p; p++)
				assert_in_range((unsigned char)*p, 0x20, 0x7e);
		}
		symbols_free(&sym);
		munmap(sound, img.size);
		free(file);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_dwarf2), TEST(test_dwarf4), TEST(test_dwarf5), TEST(test_folder),
		TEST(test_not_linked), TEST(test_damage),
	};

	return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
