/* SPDX-License-Identifier: MIT */
/*G:600 A kernel that doubts itself
 *
 * A test is a function that returns NULL if all is well, and otherwise what was
 * wrong, in words.  SELFTEST() writes it into a list that the linker collects
 * (kernel.ld, `.selftests`), so a new test is one function in one file and nothing
 * else anywhere.
 *
 *	SELFTEST(two_and_two, "arithmetic/addition")
 *	{
 *		CHECK(2 + 2 == 4, "2 + 2 is %d", 2 + 2);
 *		return NULL;
 *	}
 *
 * What is right was read in the processor's manual and in ABI.md, never in the code
 * that is being tested.
 */
#ifndef SELFTEST_H
#define SELFTEST_H

#include "kernel.h"

struct selftest {
	const char *name;
	const char *only;		/* the back end (pv.name) that it is about; NULL: any */
	const char *(*run)(void);
};

/* A file about one back end says which before it includes this. */
#ifndef SELFTEST_ONLY
#define SELFTEST_ONLY NULL
#endif
#define SELFTEST_FOR(backend, function, title) \
	static const char *function(void); \
	static const struct selftest function##_entry \
		__attribute__((section(".selftests"), used, aligned(4))) = \
		{title, backend, function}; \
	static const char *function(void)
#define SELFTEST(function, title) SELFTEST_FOR(SELFTEST_ONLY, function, title)

/* Formats into a buffer of its own, good until the next call. */
const char *test_message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define CHECK(cond, ...) \
	do { if (!(cond)) return test_message(__VA_ARGS__); } while (0)
#define CHECK_EQUAL(a, b) \
	do { \
		u32 left_ = (u32)(a), right_ = (u32)(b); \
		if (left_ != right_) \
			return test_message("line %d: " #a " is 0x%x, expected 0x%x", \
					    __LINE__, left_, right_); \
	} while (0)
/* A result that means: this machine can't do that, so nothing was tested. */
const char *test_skip(const char *why);

/*
 * Runs INSTRUCTION and expects it to trap.  What happened stands in trap_probe, and
 * trap_start and trap_next are the addresses of the instruction and of the one
 * after it.  eax, ecx and edx may be used; eax begins as VALUE.
 */
extern u32 trap_start, trap_next;
#define TRAP(instruction, value) \
	do { \
		trap_probe.hits = 0; \
		trap_probe.armed = true; \
		asm volatile("movl $1f, trap_start\n\tmovl $2f, trap_next\n\t" \
			     "movl $2f, trap_probe+4\n1:\t" instruction "\n2:" \
			     : : "a"(value) : "ecx", "edx", "memory", "cc"); \
		trap_probe.armed = false; \
	} while (0)
_Static_assert(offsetof(struct trap_probe, resume) == 4, "the TRAP macro writes there");

/* Runs /bin/usertest NAME and waits for it: the status as waitpid() gives it, or
 * -errno.  Messages about its death are kept quiet. */
int run_usertest(const char *name);
/* The same with any program, NAME being its argument. */
int run_program(const char *path, const char *name);

/* Idles in the kernel without any clock: about so many thousand instructions. */
void spin_thousands(u32 count);
/* Spins until *word differs from value, at most a few seconds; true if it does. */
bool spin_until_changed(volatile u32 *word, u32 value);
/*:*/
#endif
