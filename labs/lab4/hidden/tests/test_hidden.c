// SPDX-License-Identifier: MIT
/*
 * Lab 4, where no student looks: kernels that are built here by dice.  First sound ones,
 * whose segments lie in any order, some touching; then the same with one thing wrong, by
 * one byte.
 */
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

#define RAM	(8ull * MIB)
#define PLACES	6

static uint8_t file[0x9000], want[8 << 20];
static struct guest_memory m;
static struct complaint c;

static Elf32_Ehdr *eh(void)
{
	return (Elf32_Ehdr *)file;
}

static Elf32_Phdr *ph(unsigned i)
{
	return (Elf32_Phdr *)(file + eh()->e_phoff) + i;
}

/* Segments in places of 1 MiB, and a note; returns the one with the entry. */
static Elf32_Phdr *build(void)
{
	unsigned place[PLACES], n = 1 + below(PLACES), note = below(n + 1), k = 0;
	Elf32_Phdr *with_entry = NULL, *before = NULL;

	for (size_t i = 0; i < sizeof(file); i++)
		file[i] = (uint8_t)random32();
	memset(eh(), 0, sizeof(*eh()));
	memcpy(eh()->e_ident, ELFMAG, SELFMAG);
	eh()->e_ident[EI_CLASS] = ELFCLASS32;
	eh()->e_ident[EI_DATA] = ELFDATA2LSB;
	eh()->e_ident[EI_VERSION] = eh()->e_version = EV_CURRENT;
	eh()->e_type = ET_EXEC;
	eh()->e_machine = EM_386;
	eh()->e_phoff = sizeof(*eh()) + below(250) * 4;
	eh()->e_phentsize = sizeof(Elf32_Phdr);
	eh()->e_phnum = (uint16_t)(n + 1);
	for (unsigned i = 0; i < PLACES; i++) {
		unsigned j = below(i + 1);

		place[i] = place[j];
		place[j] = 1 + i;
	}
	for (unsigned i = 0; i <= n; i++) {
		Elf32_Phdr p = { .p_type = PT_LOAD, .p_vaddr = random32() };

		if (i == note) {
			*ph(i) = (Elf32_Phdr){ .p_type = PT_NOTE, .p_filesz = ~0u, .p_memsz = ~0u };
			continue;
		}
		p.p_paddr = place[k++] << 20 | below(0x4000);
		p.p_filesz = below(4) ? 1 + below(0x3000) : 0;
		p.p_memsz = p.p_filesz + below(3) * below(0x20000);
		p.p_offset = below((uint32_t)sizeof(file) - p.p_filesz + 1);
		if (before && below(3) == 0 && before->p_paddr + before->p_memsz >> 20 ==
		    before->p_paddr >> 20)
			p.p_paddr = before->p_paddr + before->p_memsz;	/* they touch */
		*ph(i) = p;
		before = ph(i);
		if (p.p_filesz)
			with_entry = before;
	}
	if (with_entry)
		eh()->e_entry = with_entry->p_paddr + (below(3) ? below(with_entry->p_filesz) :
						       with_entry->p_filesz - 1);
	return with_entry;
}

static int try(bool load)
{
	char name[64];
	int fd = memfd_create("kernel", MFD_CLOEXEC), status;
	struct image img;

	assert_int_equal(write(fd, file, sizeof(file)), sizeof(file));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	memset(&c, 0, sizeof(c));
	status = image_open(&img, name, &c);
	close(fd);
	if (status)
		return status;
	status = image_fits(&img, RAM, &c);
	if (!status && load) {
		memset(m.base, 0, RAM);
		status = image_load(&img, &m, &c);
	}
	image_close(&img);
	return status;
}

static void dice(void **state)
{
	unsigned sound = 0, broken = 0;

	(void)state;
	random_start("dice");
	assert_int_equal(memory_create(&m, RAM / MIB, &c), 0);
	for (unsigned round = 0; round < 400; round++) {
		Elf32_Phdr *p = build();
		unsigned what = below(6);

		if (!p)
			continue;
		if (try(round % 4 == 0))
			fail_msg("round %u: a sound kernel is refused: %s", round, c.text);
		sound++;
		if (round % 4 == 0) {
			memset(want, 0, sizeof(want));
			for (unsigned i = 0; i < eh()->e_phnum; i++)
				if (ph(i)->p_type == PT_LOAD)
					memcpy(want + ph(i)->p_paddr, file + ph(i)->p_offset,
					       ph(i)->p_filesz);
			for (size_t i = 0; i < RAM; i++)
				if (m.base[i] != want[i])
					fail_msg("round %u: byte %#zx of memory is %#x, expected %#x",
						 round, i, m.base[i], want[i]);
		}
		switch (what) {
		case 0:
			p->p_memsz = p->p_filesz - 1;
			break;
		case 1:
			p->p_offset = (uint32_t)sizeof(file) - p->p_filesz + 1;
			break;
		case 2:
			p->p_offset = 0u - p->p_filesz;
			break;
		case 3:
			eh()->e_entry = p->p_paddr + p->p_filesz;
			p->p_memsz = p->p_filesz;
			for (unsigned i = 0; i < eh()->e_phnum; i++)	/* nor in a neighbour */
				if (ph(i)->p_type == PT_LOAD && ph(i)->p_filesz &&
				    ph(i)->p_paddr == eh()->e_entry)
					p = NULL;
			break;
		case 4:
			p->p_memsz = (uint32_t)RAM - p->p_paddr + 1;
			break;
		case 5:
			p->p_paddr = 0u - p->p_memsz;
			break;
		}
		if (p && !try(false))
			fail_msg("round %u: accepted with defect %u", round, what);
		broken++;
	}
	memory_destroy(&m);
	assert_true(sound > 200 && broken > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(dice) };

	return cmocka_run_group_tests_name("hidden", tests, NULL, NULL);
}
