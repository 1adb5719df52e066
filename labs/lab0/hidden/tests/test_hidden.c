// SPDX-License-Identifier: MIT
/*
 * Lab 0, where no student looks.  The names are read off one long text, and the classes are
 * painted: first all of it, then what is an exception to that, then what is one to those.
 */
#include "test.h"

#define MOST	4096u

/* Word by word as the SDM's table has them; a bar between two. */
static const char list[] =
	"#DE divide|#DB debug|NMI|#BP breakpoint|#OF overflow|#BR bound|#UD bad instruction|"
	"#NM no FPU|#DF double fault|FPU overrun|#TS bad TSS|#NP no segment|#SS stack segment|"
	"#GP protection|#PF page fault|reserved|#MF FPU error|#AC alignment|#MC machine check|"
	"#XF SIMD error|";

/* What vector_name() should say, into `to`. */
static void should_say(uint32_t vector, char to[64])
{
	const char *at = list;

	if (vector >= 32 && vector < 256) {
		strcpy(to, vector == 0x80 ? "system call" : "real interrupt");
		return;
	}
	if (vector >= 256) {
		sprintf(to, "fault %lld in the Switcher", (long long)vector - 256);
		return;
	}
	for (uint32_t k = 0; *at && k < vector; k++)
		at = strchr(at, '|') + 1;
	if (*at)
		sprintf(to, "%.*s", (int)strcspn(at, "|"), at);
	else
		sprintf(to, vector == 31 ? "hypercall" : "vector %u", vector);
}

static void any_vector(void **state)
{
	char text[64], want[64];

	(void)state;
	random_start("any_vector");
	for (uint32_t i = 0; i < 100300; i++) {
		uint32_t vector = i < 300 ? i : random32() >> below(24);
		const char *got;

		memset(text, '~', sizeof(text));
		got = vector_name(vector, text, sizeof(text));
		should_say(vector, want);
		if (!got || strcmp(got, want))
			fail_msg("vector %#x is '%s', expected '%s'", vector, got ? got : "(nothing)",
				 want);
	}
}

/*
 * A name that is written down is cut where the place ends.  On both sides of it there are
 * bytes that belong to somebody else.
 */
static void any_place(void **state)
{
	char around[64 + 2 * 16], want[64];

	(void)state;
	random_start("any_place");
	for (uint32_t round = 0; round < 40000; round++) {
		uint32_t vector = round & 1 ? 256 + (random32() >> (8 + below(16))) : below(300);
		size_t size = 1 + below(40), i;
		const char *got;

		memset(around, '~', sizeof(around));
		got = vector_name(vector, around + 16, size);
		should_say(vector, want);
		for (i = 0; i < sizeof(around); i++)
			if (around[i] != '~' && (i < 16 || i >= 16 + size))
				fail_msg("vector %#x in a place of %zu bytes: byte %d was written",
					 vector, size, (int)i - 16);
		/* Who uses the place has as much room as it has; a constant is whole. */
		if (got == around + 16)
			want[size - 1] = 0;
		if (got && !strcmp(got, want))
			continue;
		fail_msg("vector %#x in a place of %zu bytes is '%.40s', expected '%s'", vector, size,
			 got ? got : "(nothing)", want);
	}
}

static unsigned char class_of[4][MOST];	/* [ring][vector] */

static void paint(uint32_t first, uint32_t last, uint32_t rings, enum exit_class class)
{
	for (uint32_t ring = 0; ring < 4; ring++)
		for (uint32_t vector = first; vector <= last; vector++)
			if (rings >> ring & 1)
				class_of[ring][vector] = (unsigned char)class;
}

static void paint_all(void)
{
	paint(0, MOST - 1, 15, EXIT_SWITCHER);
	paint(0, 255, 15, EXIT_INTERRUPT);
	paint(0, 31, 7, EXIT_KERNEL);
	paint(0, 31, 8, EXIT_USER);
	paint(0x80, 0x80, 7, EXIT_KERNEL);
	paint(0x80, 0x80, 8, EXIT_USER);
	paint(2, 2, 15, EXIT_INTERRUPT);
	paint(18, 18, 15, EXIT_INTERRUPT);
	paint(LGUEST_TRAP_ENTRY, LGUEST_TRAP_ENTRY, 15, EXIT_HYPERCALL);
}

static void same_class(uint32_t cs, uint32_t vector, enum exit_class want)
{
	enum exit_class got = exit_class(cs, vector);

	if (got != want)
		fail_msg("cs %#x, vector %#x: class %d, expected %d", cs, vector, got, want);
}

static void any_exit(void **state)
{
	(void)state;
	random_start("any_exit");
	paint_all();
	for (uint32_t vector = 0; vector < MOST; vector++)
		for (uint32_t ring = 0; ring < 4; ring++)
			same_class((random32() & 0xfffc) | ring, vector, class_of[ring][vector]);
	for (uint32_t i = 0; i < 100000; i++) {
		uint32_t vector = random32() >> below(24), cs = random32() & 0xffff;

		same_class(cs, vector, vector < MOST ? class_of[cs & 3][vector] : EXIT_SWITCHER);
	}
}

/* One bit of cs is turned over; the class is another one only if the ring was 3, or is. */
static void bits_of_cs(void **state)
{
	(void)state;
	random_start("bits_of_cs");
	paint_all();
	for (uint32_t i = 0; i < 60000; i++) {
		uint32_t cs = random32() & 0xffff, vector = i & 1 ? below(32) : below(300);
		uint32_t other = cs ^ 1u << below(16);
		enum exit_class one = class_of[cs & 3][vector], two = class_of[other & 3][vector];

		same_class(cs, vector, one);
		same_class(other, vector, two);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(any_vector), TEST(any_place), TEST(any_exit), TEST(bits_of_cs),
	};

	return cmocka_run_group_tests_name("hidden", tests, NULL, NULL);
}
