/* SPDX-License-Identifier: MIT */
/* 2.3: gates, word by word, from the SDM's figure. */
#include "layout.h"

#define TRAP_GATE 0xfu
#define INTERRUPT_GATE 0xeu

static struct {
	u32 low, high, times;
} gate[256], segment[32];
static u32 gates, segments;

static u32 set_gate(const u32 *args)
{
	if (args[0] > 255)
		fail_msg("a gate for vector %u", args[0]);
	gate[args[0]].low = args[1];
	gate[args[0]].high = args[2];
	gate[args[0]].times++;
	gates++;
	return 0;
}

static u32 set_segment(const u32 *args)
{
	if (args[0] > 31)
		fail_msg("GDT entry %u: there are 32", args[0]);
	segment[args[0]].low = args[1];
	segment[args[0]].high = args[2];
	segment[args[0]].times++;
	segments++;
	return 0;
}

static void begin(void)
{
	memset(gate, 0, sizeof(gate));
	memset(segment, 0, sizeof(segment));
	gates = segments = 0;
	PV(set_gate) = guest_hook(set_gate);
	PV(set_segment) = guest_hook(set_segment);
	for (u32 v = 0; v < 64; v++)
		((u32 *)guest(guest_symbol("trap_stubs")))[v] = 0xc0500000 + v * 0x11;
}

static void looks_like(u32 v, u32 offset, u32 type, u32 dpl)
{
	u32 low = CODE32 << 16 | (offset & 0xffff);
	u32 high = (offset & 0xffff0000) | 1u << 15 | dpl << 13 | type << 8;

	if (gate[v].times != 1)
		fail_msg("vector %u was set %u times, expected once", v, gate[v].times);
	if ((gate[v].high & 0x6000) != (high & 0x6000))
		fail_msg("vector %u: DPL %u, expected %u", v, gate[v].high >> 13 & 3, dpl);
	if ((gate[v].high & 0x1f00) != (high & 0x1f00))
		fail_msg("vector %u: type 0x%x, expected 0x%x", v, gate[v].high >> 8 & 0x1f, type);
	if (gate[v].low != low || gate[v].high != high)
		fail_msg("vector %u: the words are 0x%08x 0x%08x, expected 0x%08x 0x%08x", v,
			 gate[v].low, gate[v].high, low, high);
	if (((u8 *)guest(guest_symbol("is_trap_gate")))[v] != (type == TRAP_GATE))
		fail_msg("is_trap_gate[%u] is %u after a gate of type 0x%x", v,
			 ((u8 *)guest(guest_symbol("is_trap_gate")))[v], type);
}

static void words(void **state)
{
	(void)state;
	for (u32 i = 0; i < 100; i++) {
		u32 v = random32() % 256, offset = random32(), dpl = random32() % 4;
		u32 type = random32() % 2 ? TRAP_GATE : INTERRUPT_GATE;

		begin();
		guest_call("trap_set_gate", 4, v, offset, type, dpl);
		looks_like(v, offset, type, dpl);
	}
}

static void the_usual(u32 v)
{
	bool users = v == 3 || v == 4 || v == 0x80;

	looks_like(v, v == 0x80 ? guest_symbol("syscall_stub") : 0xc0500000 + v * 0x11,
		   v == 0x80 ? TRAP_GATE : INTERRUPT_GATE, users ? 3 : 0);
}

static void as_it_should_be(void **state)
{
	(void)state;
	for (u32 v = 0; v < 64; v++) {
		begin();
		guest_call("trap_reset_gate", 1, v);
		the_usual(v);
	}
	begin();
	guest_call("trap_reset_gate", 1, 0x80u);
	the_usual(0x80);
}

static void all_of_them(void **state)
{
	(void)state;
	begin();
	guest_call("trap_init", 0);
	for (u32 v = 0; v < 256; v++) {
		bool wanted = v == 0x80 || (v < 64 && v != 2 && v != 15 && (v < 20 || v >= 32));

		if (!wanted && gate[v].times)
			fail_msg("vector %u got a gate: nothing ever comes there", v);
		if (wanted)
			the_usual(v);
	}
	if (segment[14].times != 1 || segment[15].times != 1 || segments != 2)
		fail_msg("%u segments were set, expected two: those of ring 3", segments);
	if (segment[14].low != 0xffff || segment[14].high != 0x00cffb00 ||
	    segment[15].low != 0xffff || segment[15].high != 0x00cff300)
		fail_msg("code 0x%08x 0x%08x, data 0x%08x 0x%08x: expected 0000ffff 00cffb00, "
			 "0000ffff 00cff300", segment[14].low, segment[14].high, segment[15].low,
			 segment[15].high);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(words), TEST(as_it_should_be), TEST(all_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
