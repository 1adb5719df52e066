/* SPDX-License-Identifier: MIT */
/*M:426 A forger
 *
 * A snapshot that is damaged by accident is found out by its sum.  Somebody who means harm
 * computes the sum anew.  This one changes what the Host is told to believe, and some of
 * the memory, a little or a lot, and gives the whole a sum that is right.
 *
 *	forge FROM TO SEED STATE_AT
 *
 * STATE_AT: where struct lg_snapshot begins in the file.
 *:*/
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lguest_user.h"

static uint64_t state;

static uint32_t random32(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static uint32_t below(uint32_t n)
{
	return random32() % n;
}

static uint32_t sum_of(const uint8_t *p, size_t n)
{
	uint32_t sum = ~0u;

	while (n--) {
		sum ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? 0xedb88320u : 0);
	}
	return ~sum;
}

/* What a hostile author would write, and what a dice would. */
static uint32_t nasty(void)
{
	static const uint32_t values[] = { 0, 1, 2, 3, 0x10, 0x11, 0x18, 0x60, 0x61, 0x63, 0x69, 0x73,
					   0x7b, 0x100, 0x202, 0x3202, 0x1000, 0x20202, 0xfff000,
					   0xffbfffff, 0xffc00000, 0xffffffff, 0x80000000 };

	return below(4) ? values[below(sizeof(values) / 4)] : random32();
}

static void change_state(struct lg_snapshot *s)
{
	uint32_t *named = (uint32_t *)s + 2;	/* pages up to tsc_khz */
	unsigned names = (offsetof(struct lg_snapshot, tsc) - 8) / 4;

	switch (below(6)) {
	case 0:
	case 1:
	case 2:
		named[below(names)] = nasty();
		break;
	case 3:
		named[below(names)] ^= 1u << below(32);
		break;
	case 4:
		if (below(2))
			s->gdt[below(32)] = (uint64_t)random32() << 32 | random32();
		else
			s->idt[below(256)] = (uint64_t)(nasty() | (below(2) ? 0x8e00 : 0)) << 32 | nasty();
		break;
	default:
		((uint8_t *)s->fpu)[below(sizeof(s->fpu))] ^= (uint8_t)(1 + below(255));
	}
}

int main(int argc, char **argv)
{
	FILE *f = argc == 5 ? fopen(argv[1], "rb") : NULL;
	size_t n, at;
	uint32_t sum;
	uint8_t *all;

	if (!f || fseek(f, 0, SEEK_END)) {
		fprintf(stderr, "usage: forge FROM TO SEED STATE_AT\n");
		return 2;
	}
	n = (size_t)ftell(f);
	at = strtoul(argv[4], NULL, 0);
	state = strtoull(argv[3], NULL, 0) * 2654435761u | 1;
	for (int i = 0; i < 8; i++)
		random32();
	rewind(f);
	all = malloc(n);
	if (!all || fread(all, 1, n, f) != n || at + sizeof(struct lg_snapshot) + 8 > n)
		return 2;
	fclose(f);
	for (uint32_t i = 0; i <= below(3); i++)
		change_state((struct lg_snapshot *)(all + at));
	if (below(3) == 0)
		for (uint32_t i = 0; i < 20; i++)
			all[at + sizeof(struct lg_snapshot) + below((uint32_t)(n - at - 4 -
				sizeof(struct lg_snapshot)))] ^= (uint8_t)(1 << below(8));
	sum = sum_of(all, n - 4);
	memcpy(all + n - 4, &sum, 4);
	f = fopen(argv[2], "wb");
	if (!f || fwrite(all, 1, n, f) != n || fclose(f))
		return 2;
	return 0;
}
