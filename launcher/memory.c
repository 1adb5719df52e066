// SPDX-License-Identifier: MIT
/*L:200 The Guest's memory
 *
 * A Guest believes that it owns a computer.  What it owns is this: one piece of our
 * own address space.  Guest-physical address 0 is `base`, guest-physical n is
 * `base + n`, and that is all the magic there is.
 *
 *	  guard   PROT_NONE: a Launcher that runs backwards falls over at once
 *	+-------+ base          guest-physical 0
 *	|  RAM  |               what the Guest knows about
 *	+-------+ ram           one page of device descriptors   (bus.c)
 *	| rings |               the virtqueues                   (virtqueue.c)
 *	+-------+ limit         the Guest's world ends here
 *	  guard   PROT_NONE again: the rings not handed out yet, and one page more
 *
 * We only *ask* for this memory.  An anonymous mapping is a promise of zeroes, and
 * a page comes into being when somebody first touches it.  So a Guest with 1 GiB
 * starts as fast as one with 16 MiB, and we never clear anything ourselves.
 :*/
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include "launcher.h"

#define EXTRA_PAGES	256	/* the descriptor page, and at most 255 pages of rings */

/* Bytes of address space, both guards included. */
static size_t span(const struct guest_memory *m)
{
	return m->ram + (size_t)(EXTRA_PAGES + 2) * PAGE_SIZE;
}

uint64_t memory_most(const struct guest_memory *m)
{
	return m->ram + (uint64_t)EXTRA_PAGES * PAGE_SIZE;
}

uint32_t memory_pages_most(uint32_t mib)
{
	return mib * (MIB / PAGE_SIZE) + EXTRA_PAGES;
}

static bool open_up(const struct guest_memory *m, uint64_t from, uint64_t bytes)
{
	return !mprotect(m->base + from, bytes, PROT_READ | PROT_WRITE);
}

int memory_create(struct guest_memory *m, uint32_t mib, struct complaint *c)
{
	uint8_t *p;

	m->ram = (uint64_t)mib * MIB;
	m->limit = m->ram + PAGE_SIZE;
	p = mmap(NULL, span(m), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return complain(c, STATUS_TOO_MUCH, "memory '%u': no address space for that "
				"many MiB: %s", mib, strerror(errno));
	m->base = p + PAGE_SIZE;
	if (!open_up(m, 0, m->limit)) {
		int error = errno;

		memory_destroy(m);
		return complain(c, STATUS_TOO_MUCH, "memory '%u': the Host does not give us that "
				"many MiB: %s", mib, strerror(error));
	}
	return 0;
}

/*
 * A restart wants zeroes again.  To throw the pages away and let the next touch
 * bring new ones is cheaper than writing zeroes into them.
 */
void memory_wipe(struct guest_memory *m)
{
	if (madvise(m->base, m->limit, MADV_DONTNEED) < 0)
		die(STATUS_INTERNAL, "could not clear the Guest's memory: %s", strerror(errno));
}

void memory_destroy(struct guest_memory *m)
{
	munmap(m->base - PAGE_SIZE, span(m));
	m->base = NULL;
}

uint32_t memory_hand_out(struct guest_memory *m, uint32_t bytes)
{
	uint64_t first = m->limit, size = ((uint64_t)bytes + PAGE_SIZE - 1) & -(uint64_t)PAGE_SIZE;

	if (size > m->ram + (uint64_t)EXTRA_PAGES * PAGE_SIZE - m->limit ||
	    !open_up(m, first, size))
		return 0;
	m->limit += size;
	return (uint32_t)(first / PAGE_SIZE);
}

/*L:210 One door
 * Every address that a Guest ever gives us goes through these four lines.  Nothing
 * else in the Launcher adds a Guest's number to a pointer.
 *
 * Mind the order.  `gpa + len > limit` looks right and is wrong: with gpa near 2^64
 * the sum wraps round to something small and friendly.  So we never add what the
 * Guest gave us; we subtract what we know to be the smaller one.
 */
/* LAB 5.1 BEGIN: one door */
void *memory_at(const struct guest_memory *m, uint64_t gpa, uint64_t len)
{
	if (gpa > m->limit || len > m->limit - gpa)
		return NULL;
	return m->base + gpa;
}
/* LAB 5.1 END */
/*:*/

/*L:220 Look once
 * A check is worth nothing if the thing can change after it.  The Guest may run
 * while our other thread reads a ring, so whatever we want to check is first
 * copied to a place that is ours, and only the copy is looked at.  The compiler is
 * a suspect as well: given two plain reads it may make one, and given one it may
 * make two.  `volatile` tells it that each of these reads happens, once.
 */
bool memory_fetch(const struct guest_memory *m, uint64_t gpa, void *to, size_t len)
{
	const volatile uint8_t *from = memory_at(m, gpa, len);
	uint8_t *t = to;

	if (!from)
		return false;
	while (len--)
		*t++ = *from++;
	return true;
}

bool memory_store(const struct guest_memory *m, uint64_t gpa, const void *from, size_t len)
{
	void *to = memory_at(m, gpa, len);

	if (to && len)
		memcpy(to, from, len);
	return to;
}

/*
 * Indexes must be read and written whole, and in order with what they index: a new
 * index says "all before it is ready".  That is acquire and release; on x86 they
 * cost nothing but keep the compiler honest.
 */
bool memory_load16(const struct guest_memory *m, uint64_t gpa, uint16_t *value)
{
	const uint16_t *p = memory_at(m, gpa, sizeof(*p));

	if (!p || gpa % sizeof(*p))
		return false;
	*value = __atomic_load_n(p, __ATOMIC_ACQUIRE);
	return true;
}

bool memory_store16(const struct guest_memory *m, uint64_t gpa, uint16_t value)
{
	uint16_t *p = memory_at(m, gpa, sizeof(*p));

	if (!p || gpa % sizeof(*p))
		return false;
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
	return true;
}
/*:*/

/* "Available" is free memory plus what the kernel would give up for us. */
uint64_t memory_host_has(void)
{
	unsigned long long kib = 0;
	struct sysinfo info;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	if (kib)
		return kib * 1024;
	if (sysinfo(&info) < 0)
		return UINT64_MAX;	/* then mmap() has to be the judge */
	return ((uint64_t)info.freeram + info.bufferram) * info.mem_unit;
}
