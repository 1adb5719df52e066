// SPDX-License-Identifier: MIT
/*
 * Frames on the Guest's stack (ABI.md 4.1), byte for byte.  The expected memory is built
 * here, a byte at a time, and then ALL of Guest memory is compared, and all registers.
 */
#include "world.h"

#define FRAMES	28u
#define V	0xc0101000u	/* two pages of stack meet here */

struct scene {
	struct world *w;
	u32 root;		/* 0: linear mode */
	u32 below, above;	/* the frames of the two pages */
};

static void scene_new(struct scene *s, u32 mode)
{
	s->w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000, .frames = FRAMES });
	s->root = 0;
	if (!mode) {
		s->below = world_frame(s->w);
		s->above = world_frame(s->w);
		return;
	}
	s->w->lg.pae = mode == 2;
	s->root = guest_root(s->w);
	s->above = world_frame(s->w);
	s->below = world_frame(s->w);		/* not in order: not contiguous */
	guest_map(s->w, s->root, V - 4096, s->below * 4096 | 0x63);
	guest_map(s->w, s->root, V, s->above * 4096 | 0x63);
	check(world_hypercall(s->w, LHCALL_NEW_PGTABLE, s->root, 0, 0, 0) == ENTERS, "%s", s->w->lg.text);
	check(s->w->lg.pae == (mode == 2), "table format");
}

/* A Guest-virtual address on the stack: where two pages meet, plus `at`. */
static u32 stack_at(struct scene *s, int at)
{
	return (s->root ? V : s->above * 4096) + at;
}

static u32 gpa_of(struct scene *s, u32 gva)
{
	if (!s->root)
		return gva;
	return gva < V ? s->below * 4096 + (gva - (V - 4096)) : s->above * 4096 + (gva - V);
}

static bool carries_error(u32 vector)
{
	return vector == 8 || vector == 10 || vector == 11 || vector == 12 || vector == 13 ||
	       vector == 14 || vector == 17;
}

struct picture {
	u8 ram[FRAMES * 4096];
	struct lg_trap_frame regs;
};

static struct picture want, seen;

/* Where the words of the last frame went: a word may lie on two pages. */
static struct { u32 gpa; const char *name; } pushed[6 * 4];
static u32 bytes_pushed;

static void push(struct scene *s, u32 *esp, u32 value, const char *name)
{
	u32 i;

	*esp -= 4;
	for (i = 0; i < 4; i++) {
		pushed[bytes_pushed].gpa = gpa_of(s, *esp + i);
		pushed[bytes_pushed++].name = name;
		want.ram[gpa_of(s, *esp + i)] = value >> 8 * i;
	}
}

static const char *place(u32 gpa)
{
	static char text[40];
	u32 i;

	for (i = 0; i < bytes_pushed; i++) {
		if (pushed[i].gpa == gpa) {
			snprintf(text, sizeof(text), ", in the frame's %s", pushed[i].name);
			return text;
		}
	}
	return gpa - WORLD_DATA < 4 ? ", in irq_enabled" : "";
}

/* Draw what is to be after `vector` was delivered. */
static void draw(struct scene *s, u32 vector, u32 error, u32 offset, u32 type, bool has_error)
{
	struct world *w = s->w;
	u32 irq_enabled = w->lg.data->irq_enabled, esp;
	u32 flags = want.regs.eflags;

	bytes_pushed = 0;
	if ((want.regs.ss & 3) != 1) {
		esp = w->lg.pages->esp1;
		push(s, &esp, want.regs.ss, "ss");
		push(s, &esp, want.regs.esp, "esp");
		want.regs.ss = w->lg.pages->ss1;
	} else {
		esp = want.regs.esp;
	}
	push(s, &esp, irq_enabled >> 9 & 1 ? flags | 0x200 : flags & 0xfffffdff, "eflags");
	push(s, &esp, want.regs.cs, "cs");
	push(s, &esp, want.regs.eip, "eip");
	if (has_error)
		push(s, &esp, error, "error code");
	want.regs.esp = esp;
	want.regs.cs = 0x61;
	want.regs.eip = offset;
	want.regs.eflags = flags & ~(1u << 8 | 1u << 14 | 1u << 16 | 1u << 17);
	if (w->smap)
		want.regs.eflags |= 1u << 18;
	if (type == 14)
		memset(&want.ram[WORLD_DATA], 0, 4);
	(void)vector;
}

static void take(struct world *w, struct picture *p)
{
	if (p == &want)
		bytes_pushed = 0;
	world_read(w, 0, p->ram, sizeof(p->ram));
	p->regs = *lg_regs(&w->lg);
}

/* The order of the registers is the tree's own (labs/seed). */
#define REGISTER(name) [offsetof(struct lg_trap_frame, name) / 8] = #name
static const char *const register_name[sizeof(struct lg_trap_frame) / 8] = {
	REGISTER(eax), REGISTER(ebx), REGISTER(ecx), REGISTER(edx), REGISTER(esi), REGISTER(edi),
	REGISTER(ebp), REGISTER(ds), REGISTER(es), REGISTER(fs), REGISTER(gs), REGISTER(trapno),
	REGISTER(error), REGISTER(eip), REGISTER(cs), REGISTER(eflags), REGISTER(esp), REGISTER(ss),
};

/* " (TF NT)": the flags in which two values of eflags differ. */
static const char *flags_between(u64 a, u64 b)
{
	static const struct { u64 bit; const char *name; } flag[] = {
		{ LG_EFLAGS_TF, "TF" }, { LG_EFLAGS_IF, "IF" }, { LG_EFLAGS_NT, "NT" },
		{ LG_EFLAGS_RF, "RF" }, { LG_EFLAGS_VM, "VM" }, { LG_EFLAGS_AC, "AC" },
	};
	static char text[40];
	size_t i, n = 0;

	text[0] = '\0';
	for (i = 0; i < sizeof(flag) / sizeof(flag[0]); i++)
		if ((a ^ b) & flag[i].bit)
			n += snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : ": ",
				      flag[i].name);
	return text;
}

static void compare(struct world *w, const char *what)
{
	u64 *a = (u64 *)&want.regs, *b = (u64 *)&seen.regs;
	u32 i;

	take(w, &seen);
	for (i = 0; i < sizeof(want.regs) / 8; i++)
		check(a[i] == b[i], "%s%s: %s is %#llx instead of %#llx%s", what,
		      w->smap ? ", SMAP is on" : "", register_name[i],
		      (unsigned long long)b[i], (unsigned long long)a[i],
		      i == offsetof(struct lg_trap_frame, eflags) / 8 ?
		      flags_between(a[i], b[i]) : "");
	if (!memcmp(want.ram, seen.ram, sizeof(want.ram)))
		return;
	for (i = 0; i < sizeof(want.ram); i++)
		check(want.ram[i] == seen.ram[i], "%s: byte %#x%s is %02x instead of %02x",
		      what, i, place(i), seen.ram[i], want.ram[i]);
}

static void registers(struct world *w, bool user, u32 esp)
{
	static const u32 flags[] = { 0x202, 0x246, 0x10302, 0x4202, 0x24ad7, 0x50202, 0x602,
				     0x40fd7 };
	struct lg_trap_frame *regs = lg_regs(&w->lg);

	regs->eax = random32();
	regs->ebx = random32();
	regs->ecx = random32();
	regs->edx = random32();
	regs->esi = random32();
	regs->edi = random32();
	regs->ebp = random32();
	regs->ds = regs->es = user ? 0x7b : 0x69;
	regs->fs = below(2) * 0xd8;
	regs->gs = below(2) * 0x33;
	regs->eip = random32();
	regs->eflags = flags[below(8)];
	regs->cs = user ? 0x73 : 0x61;
	regs->ss = user ? 0x7b : 0x69;
	regs->esp = user ? random32() : esp;
	w->lg.pages->ss1 = 0x69;
	w->lg.pages->esp1 = user ? esp : random32();
	w->lg.pages->cr2 = random32();
}

static u32 any_vector(void)
{
	static const u8 vectors[] = { 0, 1, 3, 4, 5, 6, 9, 10, 11, 12, 16, 17, 18, 19, 20, 30,
				      13, 0x80 };

	return vectors[below(sizeof(vectors))];
}

static u32 any_image(void)
{
	static const u32 images[] = { 0, 0x200, 0x46, 0x246, 0xffffffff, 0xfffffdff, 1, 0x202,
				      0x100, 0x400 };

	return images[below(10)];
}

static void load_gate(struct world *w, u32 vector, u32 offset, u32 type)
{
	check(world_hypercall(w, LHCALL_LOAD_IDT_ENTRY, vector, offset & 0xffff,
			      (offset & 0xffff0000) | 0xe000 | type << 8, 0) == ENTERS,
	      "%s", w->lg.text);
}

/* The stack words of this delivery: is there one that lies across V? */
static bool torn(struct scene *s, u32 esp, u32 words)
{
	u32 i;

	for (i = 1; i <= words; i++)
		if (((esp - 4 * i) & 0xfff) > 0xffc)
			return true;
	(void)s;
	return false;
}

static void every_frame(void **state)
{
	struct scene s;
	struct world *w;
	u32 mode, i, vector, type, offset, esp, error, words;
	bool user, has_error;
	char what[128];

	(void)state;
	random_start("frames");
	for (mode = 0; mode < 3; mode++) {
		scene_new(&s, mode);
		w = s.w;
		for (i = 0; i < 6000; i++) {
			vector = any_vector();
			has_error = carries_error(vector);
			type = 14 + below(2);
			offset = random32();
			user = chance(50);
			load_gate(w, vector, offset, type);
			esp = stack_at(&s, (int)below(160) - 60 + (chance(10) ? 2000 : 0));
			if (chance(60))
				esp &= ~3u;
			registers(w, user, esp);
			w->lg.data->irq_enabled = any_image();
			w->smap = chance(30);
			error = random32() & 0xfff8;
			if (vector == 13 && !error)
				error = 8;	/* 0 is for test_protection */
			words = (user ? 5 : 3) + has_error;

			lg_regs(&w->lg)->trapno = vector;
			lg_regs(&w->lg)->error = error;
			take(w, &want);
			snprintf(what, sizeof(what), "mode %u vector %u ring %u type %u esp %#x",
				 mode, vector, user ? 3 : 1, type, esp);
			if (torn(&s, esp, words)) {
				check(world_exit(w) == DEAD, "%s: a torn word", what);
				expect_dead(w, LG_MEM_VIRTUAL, "Bad address 0x");
				compare(w, what);
				world_revive(w);
				continue;
			}
			draw(&s, vector, error, offset, type, has_error);
			check(world_exit(w) == ENTERS, "%s: %s", what, w->lg.text);
			compare(w, what);
		}
		world_free(w);
	}
}

/* Virtual interrupts use the same frame, and never an error code. */
static void interrupts(void **state)
{
	struct scene s;
	struct world *w;
	u32 mode, irq, i, type, offset;
	u32 time[2];
	char what[64];

	(void)state;
	random_start("frames of interrupts");
	for (mode = 0; mode < 3; mode++) {
		scene_new(&s, mode);
		w = s.w;
		w->lg.data->blocked_interrupts = 0;
		for (i = 0; i < 32 * 8; i++) {
			irq = i % 32;
			type = 14 + below(2);
			offset = random32();
			load_gate(w, 32 + irq, offset, type);
			registers(w, chance(50), stack_at(&s, 4 * ((int)below(12) - 3)));
			w->lg.data->irq_enabled = chance(50) ? 0x200 : 0x246;
			take(w, &want);
			draw(&s, 32 + irq, 0, offset, type, false);
			lg_irq_raise(&w->lg, irq);
			snprintf(what, sizeof(what), "mode %u irq %u type %u", mode, irq, type);
			check(world_enter(w) == ENTERS, "%s: %s", what, w->lg.text);
			memcpy(time, &w->lg.data->time, 8);	/* the clock goes on */
			memcpy(&want.ram[WORLD_DATA + 12], time, 8);
			compare(w, what);
		}
		world_free(w);
	}
}

/* LG_AGAIN in the middle: not a byte of the frame, not a register, may have changed. */
static struct picture before;
static u32 agains;

static void nothing_yet(struct world *w)
{
	struct lguest_data *data = w->lg.data;

	agains++;
	take(w, &seen);
	check(!memcmp(&before.regs, &seen.regs, sizeof(before.regs)),
	      "LG_AGAIN, but a register has changed");
	check(!memcmp(before.ram, seen.ram, sizeof(before.ram)), "half a frame was written");
	(void)data;
}

static void no_half_frames(void **state)
{
	struct scene s;
	struct world *w;
	u32 mode, i, vector, type, esp, most = 0;
	bool user;

	(void)state;
	random_start("no_half_frames");
	for (mode = 0; mode < 3; mode++) {
		for (i = 0; i < 40; i++) {
			scene_new(&s, mode);
			w = s.w;
			vector = any_vector();
			type = 14 + below(2);
			load_gate(w, vector, 0x123400, type);
			user = chance(50);
			esp = stack_at(&s, 4 + 4 * below(2));	/* always across */
			registers(w, user, esp);
			w->lg.data->irq_enabled = 0x246;
			lg_regs(&w->lg)->trapno = vector;
			lg_regs(&w->lg)->error = 0x18;
			take(w, &before);
			want = before;
			agains = 0;
			w->on_again = nothing_yet;
			draw(&s, vector, 0x18, 0x123400, type, carries_error(vector));
			check(world_exit(w) == ENTERS, "%s", w->lg.text);
			w->on_again = NULL;
			compare(w, "after LG_AGAIN");
			assert_int_equal(w->lg.stats.reflected[vector], 1);
			if (agains > most)
				most = agains;
			check(agains >= 2, "both pages were there already");
			world_free(w);
		}
	}
	check(most >= 3, "tables were never fetched");
}

/* No page, or one that may not be written: the Guest dies, and its memory is as it was. */
static void bad_stacks(void **state)
{
	static const struct {
		u64 low, high;		/* flags of the two pages */
		int at;
		const char *words;
	} bad[] = {
		{ 0x63, 0x62, 8, "Bad address 0xc0101004: not mapped" },
		{ 0x62, 0x63, 8, "Bad address 0xc0100ffc: not mapped" },
		{ 0x61, 0x63, 8, "Bad address 0xc0100ffc: read-only" },
		{ 0x63, 0x61, 20, "Bad address 0xc0101010: read-only" },
		{ 0x63, 0x62, 4, "Bad address 0xc0101000: not mapped" },
		{ 0x62, 0x63, 0, "Bad address 0xc0100ffc: not mapped" },
	};
	struct scene s;
	struct world *w;
	u32 i, mode, user;

	(void)state;
	for (mode = 1; mode < 3; mode++) {
		for (i = 0; i < 12; i++) {
			user = i & 1;
			scene_new(&s, mode);
			w = s.w;
			guest_map(w, s.root, V - 4096, s.below * 4096 | bad[i / 2].low);
			guest_map(w, s.root, V, s.above * 4096 | bad[i / 2].high);
			load_gate(w, 6, 0x1000, 14);
			registers(w, user, V + bad[i / 2].at);
			w->lg.data->irq_enabled = 0x200;
			lg_regs(&w->lg)->trapno = 6;
			lg_regs(&w->lg)->error = 0;
			take(w, &want);
			check(world_exit(w) == DEAD, "case %u lived", i);
			expect_dead(w, LG_MEM_VIRTUAL, bad[i / 2].words);
			compare(w, bad[i / 2].words);
			world_free(w);
		}
	}
}

/* A trap from ring 3 before SET_STACK, and one whose stack is in the reserved area. */
static void stack_in_the_reserve(void **state)
{
	static const u32 bad[] = { 0, 0xffc00004, 0xfffffffc, 0xffe00000 };
	struct world *w = world_new(&(struct world_plan){ .kernel_address = 0xc0000000 });
	u32 i, user;

	(void)state;
	load_gate(w, 6, 0x1000, 14);
	for (i = 0; i < 4; i++) {
		for (user = 0; user < 2; user++) {
			registers(w, user, bad[i]);
			assert_int_equal(world_trap(w, 6, 0), DEAD);
			expect_dead(w, LG_MEM_VIRTUAL, "Bad address 0xff");
			world_revive(w);
		}
	}
	world_free(w);
}

static void before_init(void **state)
{
	struct world *w = world_new(&(struct world_plan){ .raw = true });

	(void)state;
	assert_int_equal(world_trap(w, 6, 0), DEAD);
	expect_dead(w, LG_TRAP_UNHANDLED, "unhandled trap 6 at 0x123456 (0");
	world_free(w);
}

/* Our own push is a write: the Guest's table must hear of it (A and D). */
static void stack_becomes_dirty(void **state)
{
	struct scene s;
	struct world *w;
	u32 mode;

	(void)state;
	for (mode = 1; mode < 3; mode++) {
		scene_new(&s, mode);
		w = s.w;
		guest_map(w, s.root, V - 4096, s.below * 4096 | 0x03);
		guest_map(w, s.root, V, s.above * 4096 | 0x03);
		load_gate(w, 6, 0x1000, 14);
		registers(w, false, V + 4);
		assert_int_equal(world_trap(w, 6, 0), ENTERS);
		assert_int_equal(guest_entry(w, guest_pte_gpa(w, s.root, V, false)),
				 s.above * 4096 | 0x63);
		assert_int_equal(guest_entry(w, guest_pte_gpa(w, s.root, V - 4096, false)),
				 s.below * 4096 | 0x63);
		world_free(w);
	}
}

/* #PF: cr2 is published, and the error code is pushed. */
static void page_fault(void **state)
{
	struct scene s;
	struct world *w;
	u32 mode, user, cr2;

	(void)state;
	random_start("frame of a page fault");
	for (mode = 1; mode < 3; mode++) {
		for (user = 0; user < 2; user++) {
			scene_new(&s, mode);
			w = s.w;
			load_gate(w, 14, 0x1000, 14);
			registers(w, user, V + 12);
			w->lg.data->irq_enabled = 0x246;
			w->lg.pages->cr2 = 0x08041234;
			lg_regs(&w->lg)->trapno = 14;
			lg_regs(&w->lg)->error = user ? 6 : 2;
			take(w, &want);
			draw(&s, 14, user ? 6 : 2, 0x1000, 14, true);
			cr2 = 0x08041234;
			memcpy(&want.ram[WORLD_DATA + 8], &cr2, 4);
			assert_int_equal(world_exit(w), ENTERS);
			compare(w, "#PF");
			world_free(w);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_frame), TEST(interrupts), TEST(no_half_frames), TEST(bad_stacks),
		TEST(stack_in_the_reserve), TEST(before_init), TEST(stack_becomes_dirty),
		TEST(page_fault),
	};

	return cmocka_run_group_tests_name("frames", tests, NULL, NULL);
}
