/* SPDX-License-Identifier: MIT */
/* 1.1 and 1.2: a hypercall, as the Host sees it. */
#include "gate.h"
#include "lguest.h"

#define KERNEL_BASE 0xc0000000u

static struct regs seen[64];
static u32 count;
static void (*meanwhile)(struct regs *r);

static void host(u32 vector, struct regs *r)
{
	if (vector != LGUEST_TRAP_ENTRY)
		fail_msg("int 0x%x, expected int 0x%x", vector, LGUEST_TRAP_ENTRY);
	if (count == 64)
		fail_msg("more than 64 hypercalls");
	seen[count++] = *r;
	if (meanwhile)
		meanwhile(r);
}

static void begin(void (*now)(struct regs *r))
{
	count = 0;
	meanwhile = now;
	guest_on_int = host;
}

#define UNTOUCHED 0xb0b0b0b0u

static void one_call(u32 number, u32 arg1)
{
	if (count != 1)
		fail_msg("%u hypercalls, expected 1", count);
	if (seen[0].eax != number)
		fail_msg("hypercall number %u, expected %u", seen[0].eax, number);
	if (seen[0].ebx != arg1)
		fail_msg("ebx, the argument, was 0x%x, expected 0x%x%s", seen[0].ebx, arg1,
			 seen[0].ebx == arg1 + KERNEL_BASE ? ": that is the virtual address" :
			 seen[0].ebx == UNTOUCHED ? ": that was in it before" : "");
}

/* Both are called by assembly, which only wants them to come back. */
static void from_assembly(const char *name, u32 ebx)
{
	struct regs in = {.eip = guest_symbol(name), .esp = guest_stack_top - 64, .ebx = ebx,
			  .eax = 0xa0a0a0a0}, out;

	*(u32 *)guest(in.esp) = guest_end;
	out = guest_run(in);
	if (out.esp != in.esp + 4)
		fail_msg("%s came back with esp %d bytes off", name, (int)(out.esp - in.esp - 4));
}

static void first_call(void **state)
{
	(void)state;
	begin(NULL);
	from_assembly("lguest_first", UNTOUCHED);
	one_call(LHCALL_LGUEST_INIT, guest_symbol("lguest_data") - KERNEL_BASE);
}

static void second_call(void **state)
{
	u32 root = (random32() & 0xfffff) << 12;

	(void)state;
	begin(NULL);
	from_assembly("lguest_paging", root);
	one_call(LHCALL_NEW_PGTABLE, root);
}

static void five_registers(void **state)
{
	u32 i, a[5];

	(void)state;
	for (i = 0; i < 5; i++)
		a[i] = random32();
	begin(NULL);
	guest_call("call_it", 5, a[0], a[1], a[2], a[3], a[4]);
	one_call(a[0], a[1]);
	if (seen[0].ecx != a[2] || seen[0].edx != a[3] || seen[0].esi != a[4])
		fail_msg("arguments 2, 3, 4 were 0x%x, 0x%x, 0x%x, expected 0x%x, 0x%x, 0x%x",
			 seen[0].ecx, seen[0].edx, seen[0].esi, a[2], a[3], a[4]);
}

static u32 word;
static void reads_and_writes(struct regs *r)
{
	(void)r;
	if (GUEST(u32, "shared") != 1)
		fail_msg("memory: what was stored before the call had not been stored when it came");
	GUEST(u32, "shared") = word;
}

static void memory(void **state)
{
	u32 got;

	(void)state;
	word = random32() | 2;
	begin(reads_and_writes);
	got = guest_call("across", 0);
	if (got != word)
		fail_msg("memory: the Host wrote 0x%x, but 0x%x was read after the call", word, got);
}

static void registers_are_kept(void **state)
{
	u32 a = random32(), b = random32(), c = random32(), d = random32(), i, got;
	u32 e = a * 3 + b, f = b * 5 ^ c, g = c * 7 + d, h = d * 11 ^ a;

	(void)state;
	begin(NULL);
	got = guest_call("mixed", 4, a, b, c, d);
	if (count != 3)
		fail_msg("%u hypercalls, expected 3", count);
	for (i = 0; i < 3; i++) {
		if (seen[i].eax != a || seen[i].ebx != b || seen[i].ecx != c || seen[i].edx != d ||
		    seen[i].esi != e)
			fail_msg("call %u of three had other words than the first", i + 1);
		e = e * 31 + a;
		f = f * 37 + b;
		g = g * 41 + c;
		h = h * 43 + d;
	}
	if (got != (e ^ f ^ g ^ h ^ a ^ b ^ c ^ d))
		fail_msg("a register changed that the compiler did not know of: 0x%x, expected 0x%x",
			 got, e ^ f ^ g ^ h ^ a ^ b ^ c ^ d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_call), TEST(second_call), TEST(five_registers), TEST(memory),
		TEST(registers_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
