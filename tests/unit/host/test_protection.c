// SPDX-License-Identifier: MIT
/*
 * #GP (ABI.md 5.1, 5.4): the handful of instructions that the Host finishes, and INT n
 * through gates that are shut.
 */
#include "world.h"

#define CODE	0xc0201000u	/* two pages of code meet here */
#define STACK	0xc0300000u

struct scene {
	struct world *w;
	u32 root, first, second, stack;
};

static void scene_new(struct scene *s, bool pae)
{
	s->w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000, .frames = 40 });
	s->w->lg.pae = pae;
	s->root = guest_root(s->w);
	s->second = world_frame(s->w);
	s->first = world_frame(s->w);
	s->stack = world_frame(s->w);
	guest_map(s->w, s->root, CODE - 4096, s->first * 4096 | 0x25);
	guest_map(s->w, s->root, CODE, s->second * 4096 | 0x25);
	guest_map(s->w, s->root, STACK, s->stack * 4096 | 0x63);
	check(world_hypercall(s->w, LHCALL_NEW_PGTABLE, s->root, 0, 0, 0) == ENTERS, "%s", s->w->lg.text);
	check(world_hypercall(s->w, LHCALL_LOAD_IDT_ENTRY, 13, 0xd000, 0x00108e00, 0) == ENTERS,
	      "gate 13");
	world_hypercall(s->w, LHCALL_SET_STACK, 0x69, STACK + 4096, 0, 0);
	lg_regs(&s->w->lg)->esp = STACK + 2048;
}

static void put_code(struct scene *s, u32 gva, const u8 *code, u32 len)
{
	u32 i, at;

	for (i = 0; i < len; i++) {
		at = gva + i;
		s->w->ram[at < CODE ? s->first * 4096 + at - (CODE - 4096) :
				      s->second * 4096 + at - CODE] = code[i];
	}
}

static void ring(struct world *w, u32 cpl)
{
	struct lg_trap_frame *regs = lg_regs(&w->lg);

	regs->cs = cpl == 1 ? 0x61 : 0x73;
	regs->ss = cpl == 1 ? 0x69 : 0x7b;
	regs->esp = STACK + 2048;
}

/* A word of the frame that was just pushed. */
static u32 stacked(struct scene *s, u32 word)
{
	u32 esp = lg_regs(&s->w->lg)->esp;

	check(esp >= STACK && esp < STACK + 4096, "esp %#x is not on the stack", esp);
	return world_get32(s->w, s->stack * 4096 + esp - STACK + 4 * word);
}

/* A #GP with this error code arrived at the Guest's handler; eip is the instruction's. */
static void got_gp(struct scene *s, u32 error, u32 eip, const char *what)
{
	struct lg_trap_frame *regs = lg_regs(&s->w->lg);

	check(regs->eip == 0x10d000, "%s: eip is %#x, not the #GP handler", what, (u32)regs->eip);
	check(stacked(s, 0) == error, "%s: error code %#x instead of %#x", what, stacked(s, 0),
	      error);
	check(stacked(s, 1) == eip, "%s: stacked eip %#x instead of %#x", what, stacked(s, 1), eip);
}

/* The table of ABI.md 5.4, written out.  len 0: not emulated. */
struct expected {
	u32 len;
	u32 ones;		/* bits of eax that become 1 */
};

static struct expected table(bool prefix, u8 op)
{
	switch (op) {
	case 0xfa:
		return (struct expected){ prefix ? 0 : 1, 0 };
	case 0xe4:
		return (struct expected){ 2 + prefix, 0xff };
	case 0xec:
		return (struct expected){ 1 + prefix, 0xff };
	case 0xe5:
		return (struct expected){ 2 + prefix, prefix ? 0xffff : 0xffffffff };
	case 0xed:
		return (struct expected){ 1 + prefix, prefix ? 0xffff : 0xffffffff };
	case 0xe6:
	case 0xe7:
		return (struct expected){ 2 + prefix, 0 };
	case 0xee:
	case 0xef:
		return (struct expected){ 1 + prefix, 0 };
	}
	return (struct expected){ 0, 0 };
}

/* All first bytes, with and without 66, in ring 1 and 3, error code 0 and not, anywhere
 * around the place where two pages meet. */
static void every_encoding(void **state)
{
	u32 i, op, prefix, cpl, error, eip, eax, pae, irq_enabled;
	struct lg_trap_frame *regs;
	struct expected e;
	struct scene s;
	char what[80];
	u8 code[4];

	(void)state;
	random_start("every_encoding");
	for (pae = 0; pae < 2; pae++) {
		scene_new(&s, pae);
		regs = lg_regs(&s.w->lg);
		for (i = 0; i < 256 * 2 * 4 * 3; i++) {
			op = i & 255;
			prefix = i >> 8 & 1;
			cpl = i >> 9 & 1 ? 3 : 1;
			error = i >> 10 & 1 ? 0x70 : 0;
			eip = CODE - 3 + below(4);
			eax = random32();
			memset(code, 0x66, sizeof(code));
			code[prefix] = op;
			if (prefix && op == 0x66)
				code[2] = 0xec;		/* one prefix at most */
			else
				code[prefix + 1] = random32();
			put_code(&s, eip, code, 4);
			ring(s.w, cpl);
			regs->eip = eip;
			regs->eax = eax;
			irq_enabled = chance(50) ? 0x200 : 0x46;
			s.w->lg.data->irq_enabled = irq_enabled;
			/* 66 by itself is the prefix of what happens to stand behind it. */
			e = !prefix && op == 0x66 ? table(true, code[1]) : table(prefix, op);
			snprintf(what, sizeof(what), "%s%02x ring %u error %#x eip %#x",
				 prefix ? "66 " : "", op, cpl, error, eip);
			check(world_trap(s.w, 13, error) == ENTERS, "%s: %s", what, s.w->lg.text);
			check(regs->eax == (e.len && cpl == 1 && !error ? eax | e.ones : eax),
			      "%s: eax %#x became %#llx", what, eax, (unsigned long long)regs->eax);
			if (!e.len || cpl == 3 || error) {
				got_gp(&s, error, eip, what);
				check(s.w->lg.data->irq_enabled == 0, "%s: interrupt gate", what);
				continue;
			}
			check(regs->eip == eip + e.len, "%s: eip is %#x, %u bytes on", what,
			      (u32)regs->eip, (u32)regs->eip - eip);
			check(regs->esp == STACK + 2048, "%s: something was pushed", what);
			check(s.w->lg.data->irq_enabled == irq_enabled, "%s: irq_enabled", what);
		}
		world_free(s.w);
	}
}

/* The last byte of a page, nothing mapped behind it. */
static void at_the_edge(void **state)
{
	static const struct {
		u8 bytes[2];
		u32 len;
		bool dies;
	} codes[] = {
		{ { 0xec }, 1, false }, { { 0xef }, 1, false }, { { 0xfa }, 1, false },
		{ { 0x66 }, 1, true }, { { 0x66, 0xed }, 2, false },
		{ { 0xe4, 0x80 }, 2, false }, { { 0xf4 }, 1, false },
	};
	struct scene s;
	u32 i;

	(void)state;
	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		scene_new(&s, i & 1);
		guest_map(s.w, s.root, CODE, 0);
		put_code(&s, CODE - codes[i].len, codes[i].bytes, codes[i].len);
		lg_regs(&s.w->lg)->eip = CODE - codes[i].len;
		if (codes[i].dies) {
			assert_int_equal(world_trap(s.w, 13, 0), DEAD);
			expect_dead(s.w, LG_MEM_VIRTUAL, "Bad address 0xc0201000: not mapped");
		} else {
			check(world_trap(s.w, 13, 0) == ENTERS, "code %u: %s", i, s.w->lg.text);
		}
		world_free(s.w);
	}
}

static void code_is_gone(void **state)
{
	struct scene s;

	(void)state;
	scene_new(&s, false);
	lg_regs(&s.w->lg)->eip = 0xc0400000;
	assert_int_equal(world_trap(s.w, 13, 0), DEAD);
	expect_dead(s.w, LG_MEM_VIRTUAL, "Bad address 0xc0400000: not mapped");
	world_free(s.w);
}

/* eip counts from the base of the code segment. */
static void code_segment_with_a_base(void **state)
{
	static const u8 in_al[] = { 0xec };
	struct lg_trap_frame *regs;
	struct scene s;

	(void)state;
	scene_new(&s, false);
	regs = lg_regs(&s.w->lg);
	/* Entry 18: ring-1 code, base CODE - 0x100. */
	world_hypercall(s.w, LHCALL_LOAD_GDT_ENTRY, 18, ((CODE - 0x100) & 0xffff) << 16 | 0xffff,
			((CODE - 0x100) & 0xff000000) | 0x00cfba00 |
			((CODE - 0x100) >> 16 & 0xff), 0);
	put_code(&s, CODE + 0x20, in_al, 1);
	regs->cs = 18 * 8 + 1;
	regs->eip = 0x120;
	regs->eax = 0;
	assert_int_equal(world_trap(s.w, 13, 0), ENTERS);
	assert_int_equal(regs->eip, 0x121);
	assert_int_equal(regs->eax, 0xff);
	world_free(s.w);
}

static bool honoured(u32 vector)
{
	static const u8 no[] = { 2, 7, 8, 13, 14, 15, 0x1f };

	return vector == 0x80 || (vector < 32 && !memchr(no, vector, sizeof(no)));
}

/*
 * INT n, INT3, INTO through a gate that is shut for real.  If the Guest's own gate would
 * let it pass, it passes, without an error code; else #GP(n * 8 + 2).  Whatever the error
 * code says: one emulator makes it n * 16 + 2.
 */
static void software_interrupts(void **state)
{
	u32 i, vector, cpl, dpl, type, len, eip, error, present;
	struct lg_trap_frame *regs;
	struct scene s;
	char what[96];
	u8 code[2];

	(void)state;
	random_start("software_interrupts");
	scene_new(&s, true);
	regs = lg_regs(&s.w->lg);
	for (i = 0; i < 256 * 4 * 2 * 2 * 2 * 2; i++) {
		vector = i & 255;
		dpl = i >> 8 & 3;
		cpl = i >> 10 & 1 ? 3 : 1;
		present = i >> 11 & 1;
		type = 14 + (i >> 12 & 1);
		code[0] = 0xcd;
		code[1] = vector;
		len = 2;
		if ((vector == 3 || vector == 4) && chance(50)) {
			code[0] = vector == 3 ? 0xcc : 0xce;
			len = 1;
		}
		eip = CODE - 2 + below(3);
		put_code(&s, eip, code, len);
		if (vector != 13)
			check(world_hypercall(s.w, LHCALL_LOAD_IDT_ENTRY, vector, 0x8000 + vector,
					      0x00200000 | present << 15 | dpl << 13 | type << 8,
					      0) == ENTERS, "%s", s.w->lg.text);
		ring(s.w, cpl);
		regs->eip = eip;
		s.w->lg.data->irq_enabled = 0x246;
		error = i >> 13 & 1 ? vector * 8 + 2 : vector * 16 + 2;
		snprintf(what, sizeof(what), "int %u from ring %u, gate dpl %u, error %#x", vector,
			 cpl, dpl, error);
		check(world_trap(s.w, 13, error) == ENTERS, "%s: %s", what, s.w->lg.text);
		if (!(honoured(vector) && present && dpl >= cpl)) {
			got_gp(&s, vector * 8 + 2, eip, what);
			continue;
		}
		check(regs->eip == 0x208000 + vector, "%s: eip %#x", what, (u32)regs->eip);
		check(stacked(&s, 0) == eip + len, "%s: stacked eip %#x instead of %#x", what,
		      stacked(&s, 0), eip + len);
		check(stacked(&s, 1) == (cpl == 1 ? 0x61 : 0x73), "%s: stacked cs", what);
		check(regs->esp == (cpl == 1 ? STACK + 2048 - 12 : STACK + 4096 - 20),
		      "%s: esp %#x", what, (u32)regs->esp);
		check(s.w->lg.data->irq_enabled == (type == 14 ? 0 : 0x246), "%s: IF", what);
	}
	world_free(s.w);
}

/* The stack of the handler is fetched in the middle: INT n is still taken once. */
static void software_interrupt_again(void **state)
{
	static const u8 code[] = { 0xcd, 0x0b };
	struct lg_trap_frame *regs;
	struct scene s;

	(void)state;
	scene_new(&s, false);
	regs = lg_regs(&s.w->lg);
	world_hypercall(s.w, LHCALL_LOAD_IDT_ENTRY, 11, 0x8000, 0x0020ee00, 0);
	put_code(&s, CODE - 1, code, 2);
	ring(s.w, 3);
	regs->eip = CODE - 1;
	s.w->again = 0;
	assert_int_equal(world_trap(s.w, 13, 11 * 8 + 2), ENTERS);
	check(s.w->again >= 3, "code and stack were not there, and LG_AGAIN came only %u times",
	      s.w->again);
	check(regs->eip == 0x208000, "int 11, the gate is open to ring 3: the Guest is at %#x, %s",
	      (u32)regs->eip, regs->eip == 0x10d000 ? "its #GP handler" : "not in its handler");
	check(stacked(&s, 0) == CODE + 1, "int 11 at %#x: the eip in the frame is %#x, not behind it",
	      CODE - 1, stacked(&s, 0));
	check(s.w->lg.stats.reflected[11] == 1, "int 11 was delivered once: stats.reflected[11] is "
	      "%llu", (unsigned long long)s.w->lg.stats.reflected[11]);
	world_free(s.w);
}

/* A selector error, or one of an external event, is passed on as it is. */
static void other_errors(void **state)
{
	static const u32 errors[] = { 0x70, 0x73 & ~2u, 0x0c, 0xfff8, 4, 1 };
	static const u8 code[] = { 0x8e, 0xd8 };	/* mov ds, ax */
	struct scene s;
	u32 i;

	(void)state;
	scene_new(&s, false);
	put_code(&s, CODE, code, 2);
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		ring(s.w, i & 1 ? 3 : 1);
		lg_regs(&s.w->lg)->eip = CODE;
		assert_int_equal(world_trap(s.w, 13, errors[i]), ENTERS);
		got_gp(&s, errors[i], CODE, "selector");
	}
	/* "IDT" in the error code, and no INT n at eip: nothing to correct. */
	ring(s.w, 1);
	lg_regs(&s.w->lg)->eip = CODE;
	assert_int_equal(world_trap(s.w, 13, 0x82), ENTERS);
	got_gp(&s, 0x82, CODE, "not an INT");
	world_free(s.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_encoding), TEST(at_the_edge), TEST(code_is_gone),
		TEST(code_segment_with_a_base), TEST(software_interrupts),
		TEST(software_interrupt_again), TEST(other_errors),
	};

	return cmocka_run_group_tests_name("protection", tests, NULL, NULL);
}
