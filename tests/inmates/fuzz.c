// SPDX-License-Identifier: MIT
/*
 * A Guest that means harm, and does not know exactly how.
 *
 * Arguments: what to do, and a seed: `fuzz calls 42`.  Nearly everything that it
 * tries ends in its own death, and that is a good end: the Launcher says 4.  A power
 * off is as good.  What counts is that the Host, and the Guest beside us, do not
 * notice; the runner looks at that.
 *
 * run: calls {1..24}
 * run: polite 1
 * run: polite 555
 * run: tables {1..6}
 * run: selfmap 1
 * run: descriptors {1..6}
 * run: ring {1..6}
 * run: jump1 {1..4}
 * run: jump3 {1..4}
 * run: code1 {1..4}
 * run: code3 {1..4}
 * run: vectors 1
 * run: straddle 1
 * status: any
 * timeout: 20
 */
#include "glue.h"

#define ARENA 0x400000u		/* 4 MiB to scribble in */
#define ARENA_END 0x800000u

static uint32_t state;

/* xorshift32: small, and the same everywhere. */
static uint32_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static uint32_t below(uint32_t n)
{
	return draw() % n;
}

/* Numbers that break things: near the edges of what is allowed. */
static uint32_t nasty(void)
{
	static const uint32_t edge[] = {
		0, 1, 2, 3, 4, 0x1f, 0x20, 0x21, 0x40, 0x61, 0x69, 0x73, 0x7b, 0x80, 0xff,
		0x100, 0x3ff, 0x400, 0x401, 0xfff, 0x1000, 0x1001, 0xfffff, 0x100000,
		0x3ffffff, 0x4000000, 0x4000fff, 0x4001000, 0x7fffffff, 0x80000000,
		0xbfffffff, 0xc0000000, 0xffbfffff, 0xffc00000, 0xfffff000, 0xfffffffc,
		0xfffffffe, 0xffffffff,
	};

	switch (below(4)) {
	case 0:
		return edge[below(sizeof(edge) / sizeof(edge[0]))];
	case 1:
		return ARENA + below(ARENA_END - ARENA);
	case 2:
		return edge[below(sizeof(edge) / sizeof(edge[0]))] + below(16) - 8;
	default:
		return draw();
	}
}

/*
 * Any arguments.  The first bad ones end it soon, so there are many seeds.  HALT and
 * SHUTDOWN are left out: they end nothing that would be worth ending.
 */
static void fuzz_calls(void)
{
	static const uint8_t call[] = { 0, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 18, 19 };

	for (int i = 0; i < 10000; i++)
		hcall(below(200) ? call[below(sizeof(call))] : draw(),
		      nasty(), nasty(), nasty(), nasty());
}

/* Ten thousand calls, each of them allowed: a Guest that lives, and is only strange. */
static void fuzz_polite(void)
{
	static const uint8_t gate[] = { 0x8e, 0x8f, 0xae, 0xee, 0xef, 0x00, 0x0e };

	for (int i = 0; i < 10000; i++) {
		uint32_t a = nasty();

		switch (below(14)) {
		case 0:
			hcall(LHCALL_FLUSH_ASYNC, a, a, a, a);
			break;
		case 1:
			hcall(LHCALL_FLUSH_TLB, below(2), a, a, a);
			break;
		case 2:		/* vectors that the inmate itself does not need */
			hcall(LHCALL_LOAD_IDT_ENTRY, 64 + below(64), draw(),
			      (draw() & 0xffff00ff) | gate[below(sizeof(gate))] << 8, a);
			break;
		case 3:
			hcall(LHCALL_SET_STACK, 0x69, 0x200000 + below(0x100000), below(3), a);
			break;
		case 4:
			hcall(LHCALL_TS, below(2) * 8, a, a, a);
			break;
		case 5:
			hcall(LHCALL_SET_CLOCKEVENT, draw(), a, a, a);
			break;
		case 6:
			hcall(LHCALL_SET_PTE, nasty() & ~0xfffu, ARENA + below(0x100000), 0, 0);
			break;
		case 7:
			hcall(LHCALL_SET_PGD, nasty(), below(1024), a, a);
			break;
		case 8:
			hcall(LHCALL_LOAD_TLS, ARENA + below(0x1000), a, a, a);
			break;
		case 9:
			hcall(LHCALL_LOAD_GDT_ENTRY, 14 + below(18), draw(), draw(), a);
			break;
		case 10:
			hcall(LHCALL_SEND_INTERRUPTS, a, a, a, a);
			break;
		case 11:
			lguest_block.irq_enabled = draw() & ~0x200u;
			lguest_block.blocked_interrupts = ~0u;
			break;
		case 12:
			*(volatile uint32_t *)(ARENA + (below(0x100000) & ~3u)) = draw();
			break;
		default:
			hcall(LHCALL_NOTIFY, 0, a, a, a);
			break;
		}
	}
	hcall(LHCALL_TS, 0, 0, 0, 0);
	hcall(LHCALL_SET_CLOCKEVENT, 0, 0, 0, 0);
	pass_text("ten thousand polite calls");
}

/* Page tables full of noise in the window that is not the inmate's own. */
static void fuzz_tables(void)
{
	uint32_t *table = (uint32_t *)ARENA;

	hang_on();
	for (int round = 0; round < 3000; round++) {
		uint32_t slot = 64 + below(512);
		uint32_t page = ARENA + below(64) * 4096;

		/* Mostly sane, so that it lives for a while; one time in 500 anything. */
		if (below(500) == 0)
			table[below(64 * 1024)] = draw();
		else
			table[below(64 * 1024)] =
				((0x400 + below(0xb00)) << 12) | (draw() & 0xf7f);
		kernel_root[slot] = page | (draw() & 0x67);
		if (below(300) == 0)
			kernel_root[slot] = nasty();
		switch (below(5)) {
		case 0:
			hcall(LHCALL_SET_PGD, (uint32_t)kernel_root, slot, 0, 0);
			break;
		case 1:
			hcall(LHCALL_SET_PTE, (uint32_t)kernel_root, slot << 22 | below(1 << 22),
			      table[below(64 * 1024)] & 0x3fffffff, 0);
			break;
		case 2:
			hcall(LHCALL_FLUSH_TLB, below(2), 0, 0, 0);
			break;
		}
		/* Touch it: a fault that comes back is fine. */
		{
			static const uint8_t read[] = { 0xa1, 0, 0, 0, 0, 0x0f, 0x0b };
			static const uint8_t write[] = { 0xa3, 0, 0, 0, 0, 0x0f, 0x0b };
			const uint8_t *code = below(2) ? read : write;
			uint32_t va = slot << 22 | below(1 << 22);

			for (int i = 0; i < 7; i++)
				user_page[i] = code[i];
			for (int i = 0; i < 4; i++)
				user_page[1 + i] = va >> (8 * i);
			run_code(below(2) ? 1 : 3, (uint32_t)user_page, (uint32_t)user_stack_end);
		}
	}
	pass_text("three thousand noisy mappings");
}

/* A table that maps itself, changed while it is walked. */
static void fuzz_selfmap(void)
{
	volatile uint32_t *own = (volatile uint32_t *)0x50000000u;
	uint32_t *table = (uint32_t *)ARENA;

	hang_on();
	kernel_root[0x50000000u >> 22] = ARENA | 0x67;
	table[0] = ARENA | 3;
	for (int i = 1; i < 1024; i++)
		table[i] = (ARENA + i * 4096) | 3;
	/* Entry 0 maps the table; through it we change the entries that we then use. */
	for (int i = 0; i < 5000; i++) {
		uint32_t n = 1 + below(1023);

		own[n] = (ARENA + below(1023) * 4096 + 4096) | 3;
		hcall(LHCALL_SET_PTE, (uint32_t)kernel_root, 0x50000000u + n * 4096, 0, 0);
		own[n * 1024 + below(1024)] = draw() & ~1u;
		if (own[0] != ((ARENA | 3) | 0x60)) {
			/* The write above may well have hit the table: put it right. */
			table[0] = ARENA | 3;
			hcall(LHCALL_FLUSH_TLB, 1, 0, 0, 0);
		}
	}
	pass_text("a table that maps itself");
}

static void load_segment(int reg, uint32_t selector)
{
	static const uint8_t modrm[] = { 0xc0, 0xd8, 0xe0, 0xe8, 0xd0 }; /* es ds fs gs ss */

	user_page[0] = 0xb8;
	for (int i = 0; i < 4; i++)
		user_page[1 + i] = selector >> (8 * i);
	user_page[5] = 0x8e;
	user_page[6] = modrm[reg];
	user_page[7] = 0x0f;
	user_page[8] = 0x0b;
}

/* Random descriptors in every entry, random selectors in every register. */
static void fuzz_descriptors(void)
{
	hang_on();
	for (int i = 0; i < 10000; i++) {
		uint32_t entry = below(32);

		if (entry < 12 || entry > 15)
			hcall(LHCALL_LOAD_GDT_ENTRY, entry, draw(), draw(), 0);
		if (below(20) == 0)
			hcall(LHCALL_LOAD_TLS, ARENA + (below(4096) & ~3u), below(9), 0, 0);
		*(uint32_t *)(ARENA + (below(4096) & ~3u)) = draw();
		/* Ring 1 keeps its stack segment, or it could not even take the trap. */
		uint32_t ring = below(2) ? 1 : 3;

		load_segment(below(ring == 1 ? 4 : 5), below(8) ? draw() & 0xff : draw());
		run_code(ring, (uint32_t)user_page, (uint32_t)user_stack_end);
		if (below(50) == 0) {	/* a far jump through it */
			user_page[0] = 0xea;
			for (int k = 0; k < 4; k++)
				user_page[1 + k] = (uint32_t)(user_page + 16) >> (8 * k);
			user_page[5] = draw() & 0xff;
			user_page[6] = 0;
			for (int k = 16; k < 64; k++)
				user_page[k] = k & 1 ? 0x0b : 0x0f;
			run_code(3, (uint32_t)user_page, (uint32_t)user_stack_end);
		}
	}
	pass_text("ten thousand descriptors");
}

/* The ring full of noise: numbers, arguments and status bytes. */
static void fuzz_ring(void)
{
	for (int i = 0; i < 5000; i++) {
		uint32_t n = below(LHCALL_RING_SIZE);

		lguest_block.hcalls[n].number = !below(50) ? draw() & 31 :
			below(2) ? LHCALL_FLUSH_ASYNC : LHCALL_TS;
		lguest_block.hcalls[n].arg1 = nasty();
		lguest_block.hcalls[n].arg2 = nasty();
		lguest_block.hcalls[n].arg3 = nasty();
		lguest_block.hcalls[n].arg4 = nasty();
		lguest_block.hcall_status[below(LHCALL_RING_SIZE)] = below(2) ? 0 : draw();
		if (below(8) == 0)
			hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
	}
	pass_text("a noisy ring");
}

/* Random eip and esp. */
static void fuzz_jump(uint32_t ring)
{
	hang_on();
	for (int i = 0; i < 3000; i++)
		run_code(ring, nasty(), nasty());
	pass_text("three thousand leaps");
}

/* Random bytes as a program. */
static void fuzz_code(uint32_t ring)
{
	hang_on();
	for (int i = 0; i < 3000; i++) {
		for (int k = 0; k < 64; k++)
			user_page[k] = draw() >> 11;
		for (int k = 64; k < 4096; k++)
			user_page[k] = k & 1 ? 0x0b : 0x0f;
		run_code(ring, (uint32_t)user_page, (uint32_t)user_stack_end);
	}
	pass_text("three thousand programs of noise");
}

/* int 0..255, from both rings, over and over. */
static void fuzz_vectors(void)
{
	hang_on();
	for (int round = 0; round < 8; round++) {
		for (uint32_t v = 0; v < 256; v++) {
			for (uint32_t ring = 1; ring <= 3; ring += 2) {
				if (v == 0x1f && ring == 1)
					continue;	/* that one is meant to work */
				user_page[0] = 0xcd;
				user_page[1] = v;
				user_page[2] = 0x0f;
				user_page[3] = 0x0b;
				do	/* a late clock may hide the trap: once more */
					run_code(ring, (uint32_t)user_page, (uint32_t)user_stack_end);
				while (last_trap.vector == 32);
				if (v > 31 && v != 0x80 &&
				    (last_trap.vector != 13 || last_trap.error != v * 8 + 2)) {
					fail_text("int n must be #GP(n*8+2)");
					return;
				}
			}
		}
	}
	pass_text("every int from every ring");
}

/* Accesses and code that run over the end of the address space. */
static void fuzz_straddle(void)
{
	uint32_t *table = (uint32_t *)ARENA;

	hang_on();
	kernel_root[1023] = ARENA | 0x67;
	for (int i = 0; i < 1024; i++)
		table[i] = 0x600007;
	if (lguest_block.reserve_mem == 0)
		for (uint32_t off = 0; off < 8; off++)
			for (uint32_t ring = 1; ring <= 3; ring += 2) {
				static const uint8_t access[] = { 0x8b, 0x03, 0x89, 0x03, 0x0f, 0x0b };

				user_page[0] = 0xbb;	/* mov ebx, 0xfffffff8 + off */
				user_page[1] = 0xf8 + off;
				user_page[2] = user_page[3] = user_page[4] = 0xff;
				for (int k = 0; k < 6; k++)
					user_page[5 + k] = access[k];
				run_code(ring, (uint32_t)user_page, (uint32_t)user_stack_end);
				/* a stack at the end, code at the end */
				run_code(ring, (uint32_t)user_page, off);
				*(uint32_t *)0x600ff8 = 0x90909090;
				*(uint32_t *)0x600ffc = 0x90909090;
				run_code(ring, 0xfffffff8 + off, (uint32_t)user_stack_end);
			}
	pass_text("over the end of the world");
}

static int is(const char *word)
{
	const char *text = text_argument;

	while (*word && *word == *text)
		word++, text++;
	return !*word && (*text == ' ' || !*text);
}

int inmate_main(void)
{
	/* The mode may end in a digit: the seed is what follows the last space. */
	const char *p = text_argument, *seed = p;

	for (; *p; p++)
		if (*p == ' ')
			seed = p + 1;
	for (state = 0; *seed >= '0' && *seed <= '9'; seed++)
		state = state * 10 + (*seed - '0');
	state = state * 2654435761u + 12345;
	if (!state)
		state = 1;

	if (is("calls"))
		fuzz_calls();
	else if (is("polite"))
		fuzz_polite();
	else if (is("tables"))
		fuzz_tables();
	else if (is("selfmap"))
		fuzz_selfmap();
	else if (is("descriptors"))
		fuzz_descriptors();
	else if (is("ring"))
		fuzz_ring();
	else if (is("jump1"))
		fuzz_jump(1);
	else if (is("jump3"))
		fuzz_jump(3);
	else if (is("code1"))
		fuzz_code(1);
	else if (is("code3"))
		fuzz_code(3);
	else if (is("vectors"))
		fuzz_vectors();
	else if (is("straddle"))
		fuzz_straddle();
	else
		fail_text("arguments: expected a mode (calls, polite, tables, ...) and a seed");
	return 0;
}
