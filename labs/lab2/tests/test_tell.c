/* SPDX-License-Identifier: MIT */
/* 2.5: which hypercall, with which words; and may it wait for its batch? */
#include "layout.h"
#include "lguest.h"

#define KERNEL_BASE 0xc0000000u

static u32 number, words[4], now, later;

static void host(u32 vector, struct regs *r)
{
	if (vector != LGUEST_TRAP_ENTRY)
		fail_msg("int 0x%x", vector);
	now++;
	number = r->eax;
	words[0] = r->ebx;
	words[1] = r->ecx;
	words[2] = r->edx;
	words[3] = r->esi;
}

static u32 lazy_hypercall(const u32 *args)
{
	later++;
	number = args[0];
	memcpy(words, args + 1, sizeof(words));
	return 0;
}

static void tells(const char *name, bool may_wait, u32 what, u32 a, u32 b, u32 c, u32 d)
{
	if (now + later != 1)
		fail_msg("%s made %u hypercalls, expected 1", name, now + later);
	if (number != what)
		fail_msg("%s made hypercall %u, expected %u", name, number, what);
	if (words[0] != a || words[1] != b || words[2] != c || words[3] != d)
		fail_msg("%s told 0x%x, 0x%x, 0x%x, 0x%x, expected 0x%x, 0x%x, 0x%x, 0x%x", name,
			 words[0], words[1], words[2], words[3], a, b, c, d);
	if (may_wait && now)
		fail_msg("%s went at once: it belongs to a batch (lazy_hypercall)", name);
	if (!may_wait && later)
		fail_msg("%s waits for a batch: it is wanted now", name);
	now = later = 0;
}

static void begin(void)
{
	guest_on_int = host;
	guest_on_call("lazy_hypercall", lazy_hypercall);
	now = later = 0;
}

static void roots(void **state)
{
	u32 root = random32() << 12, va = random32() & ~0xfffu, pte = random32(), index = random32() % 768;

	(void)state;
	begin();
	guest_call("lguest_load_root", 1, root);
	tells("load_root", true, LHCALL_NEW_PGTABLE, root, 0, 0, 0);
	guest_call("lguest_pte_changed", 3, root, va, pte);
	tells("pte_changed", true, LHCALL_SET_PTE, root, va, pte, 0);
	guest_call("lguest_top_changed", 2, root, index);
	tells("top_changed", true, LHCALL_SET_PGD, root, index, 0, 0);
}

static void flushes(void **state)
{
	(void)state;
	begin();
	guest_call("lguest_flush_user", 0);
	tells("flush_user", true, LHCALL_FLUSH_TLB, 0, 0, 0, 0);
	guest_call("lguest_flush_all", 0);
	if (!words[0])
		fail_msg("flush_all told 0: that is the user part only");
	tells("flush_all", true, LHCALL_FLUSH_TLB, words[0], 0, 0, 0);
}

static void tables(void **state)
{
	u32 low = random32(), high = random32(), n = random32() % 256;

	(void)state;
	begin();
	guest_call("lguest_set_gate", 3, n, low, high);
	tells("set_gate", false, LHCALL_LOAD_IDT_ENTRY, n, low, high, 0);
	guest_call("lguest_set_segment", 3, n % 32, low, high);
	tells("set_segment", false, LHCALL_LOAD_GDT_ENTRY, n % 32, low, high, 0);
}

static void each_switch(void **state)
{
	u32 esp = KERNEL_BASE | (random32() & 0xffffff0);

	(void)state;
	begin();
	guest_call("lguest_set_kernel_stack", 1, esp);
	tells("set_kernel_stack", true, LHCALL_SET_STACK, LGUEST_KERNEL_DS, esp, 1, 0);
	guest_call("lguest_set_tls", 1, KERNEL_BASE + 0x123458);
	tells("set_tls", true, LHCALL_LOAD_TLS, 0x123458, 0, 0, 0);
	guest_call("lguest_set_ts", 1, 0u);
	tells("set_ts(false)", true, LHCALL_TS, 0, 0, 0, 0);
	guest_call("lguest_set_ts", 1, 1u);
	if (!words[0])
		fail_msg("set_ts(true) told 0: that clears it");
	tells("set_ts(true)", true, LHCALL_TS, words[0], 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(roots), TEST(flushes), TEST(tables), TEST(each_switch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
