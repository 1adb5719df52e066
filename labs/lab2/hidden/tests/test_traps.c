/* SPDX-License-Identifier: MIT */
/*
 * 2.1, where no student looks: three thousand traps of any kind, of which C changes any words,
 * and a stack of which nobody else's word changes.
 */
#include "../../tests/layout.h"

#define SYSCALL		0x80u
#define STACK		guest_stack_top
#define WORDS		19u
#define DEEP		2048u

static const char *const word_name[WORDS] = {
	"gs", "fs", "es", "ds", "edi", "esi", "ebp", "esp of pusha", "ebx", "edx", "ecx", "eax",
	"vector", "error", "eip", "cs", "eflags", "esp", "ss",
};

enum { GS, FS, ES, DS, EDI, ESI, EBP, ESP_IGNORED, EBX, EDX, ECX, EAX, VECTOR, ERROR, EIP, CS,
       EFLAGS, ESP, SS };

static u32 want[WORDS], count, vector, at, calls;

/* A selector that can be loaded, or one of the four that are none.  guest_run() takes 0 for
 * DATA32. */
static u32 selector(void)
{
	return random32() % 3 == 0 ? DATA32 : 1 + random32() % 3;
}

/* On its way back to ring 3 a processor may make a 0 of 1, 2 and 3: any interrupt does that. */
static u32 plain(u32 selector)
{
	selector &= 0xffff;
	return selector < 4 ? 0 : selector;
}

static u32 handler(const u32 *args)
{
	u32 *word = guest(args[0]);

	calls++;
	for (u32 i = 0; i < count; i++) {
		u32 got = i <= DS ? plain(word[i]) : word[i];
		u32 wanted = i <= DS ? plain(want[i]) : want[i];

		if (i != ESP_IGNORED && got != wanted)
			fail_msg("vector %u: %s in the frame is 0x%x, expected 0x%x", vector,
				 word_name[i], got, wanted);
	}
	if (guest_at_call.eflags & FLAG_DF)
		fail_msg("vector %u: DF is set when C begins", vector);
	if (guest_at_call.ds != DATA32 || guest_at_call.es != DATA32 || guest_at_call.fs ||
	    guest_at_call.gs)
		fail_msg("vector %u: C begins with ds 0x%x, es 0x%x, fs 0x%x, gs 0x%x", vector,
			 guest_at_call.ds, guest_at_call.es, guest_at_call.fs, guest_at_call.gs);
	/* C may change what it likes; what a process said, and what is pushed, come out so. */
	for (u32 i = 0; i < count; i++)
		if (i != ESP_IGNORED && i != VECTOR && i != ERROR && random32() % 3 == 0) {
			want[i] = i <= DS ? selector() : random32();
			word[i] = want[i];
		}
	return random32();
}

static u32 trap_handler(const u32 *args)
{
	if (vector == SYSCALL)
		fail_msg("a system call went to trap_handler()");
	return handler(args);
}

static u32 syscall_handler(const u32 *args)
{
	if (vector != SYSCALL)
		fail_msg("vector %u went to syscall_handler()", vector);
	return handler(args);
}

static void compare(const char *name, u32 got, u32 expected)
{
	if (got != expected)
		fail_msg("vector %u: %s comes out as 0x%x, expected 0x%x", vector, name, got, expected);
}

static void one_trap(void)
{
	bool user = random32() & 1, has_error;
	u32 *sp = guest(STACK - DEEP), *high = sp;
	struct regs in, out;

	vector = random32() % 20 ? random32() % 64 : SYSCALL;
	has_error = vector == 8 || vector == 17 || (vector > 9 && vector < 15);
	for (u32 i = 0; i < WORDS; i++)
		want[i] = i <= DS ? selector() : random32();
	want[VECTOR] = vector;
	want[ERROR] = has_error ? random32() : 0;
	want[EFLAGS] = 0x202 | (random32() & 0xcd5);
	for (u32 i = 0; i < DEEP / 4; i++)
		high[i] = 0x57ac0000 + i;
	count = user ? WORDS : ESP;
	for (u32 i = count; i-- > EIP;)
		*--sp = want[i];
	at = (u32)(uintptr_t)sp;
	if (has_error)
		*--sp = want[ERROR];
	in = (struct regs){
		.eax = want[EAX], .ebx = want[EBX], .ecx = want[ECX], .edx = want[EDX],
		.esi = want[ESI], .edi = want[EDI], .ebp = want[EBP],
		.esp = (u32)(uintptr_t)sp, .eflags = random32() & 0xcd5,
		.ds = want[DS], .es = want[ES], .fs = want[FS], .gs = want[GS],
		.eip = vector == SYSCALL ? guest_symbol("syscall_stub") :
		       ((u32 *)guest(guest_symbol("trap_stubs")))[vector],
	};
	calls = 0;
	out = guest_run(in);
	if (calls != 1)
		fail_msg("vector %u: C was called %u times, expected once", vector, calls);
	if (guest_went_other != (vector == SYSCALL))
		fail_msg("vector %u went home by the other way", vector);
	compare("eax", out.eax, want[EAX]);
	compare("ebx", out.ebx, want[EBX]);
	compare("ecx", out.ecx, want[ECX]);
	compare("edx", out.edx, want[EDX]);
	compare("esi", out.esi, want[ESI]);
	compare("edi", out.edi, want[EDI]);
	compare("ebp", out.ebp, want[EBP]);
	compare("esp", out.esp, at);
	compare("ds", plain(out.ds), plain(want[DS]));
	compare("es", plain(out.es), plain(want[ES]));
	compare("fs", plain(out.fs), plain(want[FS]));
	compare("gs", plain(out.gs), plain(want[GS]));
	for (u32 i = EIP; i < count; i++)
		compare(word_name[i], ((u32 *)guest(at))[i - EIP], want[i]);
	for (u32 i = 0; i < DEEP / 4; i++)
		if (high[i] != 0x57ac0000 + i)
			fail_msg("vector %u: word %u above its frame has changed", vector, i);
}

static void any_trap(void **state)
{
	(void)state;
	guest_on_call("trap_handler", trap_handler);
	guest_on_call("syscall_handler", syscall_handler);
	PV(return_from_trap) = guest_end;
	PV(return_to_user) = guest_other_end;
	for (u32 i = 0; i < 3000; i++)
		one_trap();
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(any_trap) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
