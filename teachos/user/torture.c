/* SPDX-License-Identifier: MIT */
/*G:850 torture
 * torture NUMBER [ROUNDS]: two processes fill every register with patterns made from NUMBER,
 * and trap in every way that comes back: a system call, a page that was never touched, a
 * page shared since fork, int3, no FPU, and the clock whenever it likes.  What is in the
 * registers afterwards goes into a sum, and whoever knows NUMBER can work out both. :*/
#include "user.h"

#define SIGTRAP 5
#define PAGE 4096u

/* ebx, ecx, edx, esi, edi, ebp, eflags */
struct pattern {
	u32 word[7];
};
#define EFLAGS 6
#define FLAGS 0xcd5u			/* the six that arithmetic sets, and DF */

static u32 state;
static volatile u32 shared[64 * PAGE / 4];	/* copied on write, page after page */

static u32 next(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* Loads p, does INSTRUCTION, stores p.  eax is the instruction's own. */
#define LOADED(p, a, instruction) \
	asm volatile("pushl %%ebp\n\tpushl %%ebx\n\tpushl %1\n\t" \
		     "pushl 24(%1)\n\tmovl (%1), %%ebx\n\tmovl 4(%1), %%ecx\n\tmovl 8(%1), %%edx\n\t" \
		     "movl 16(%1), %%edi\n\tmovl 20(%1), %%ebp\n\tmovl 12(%1), %%esi\n\tpopfl\n\t" \
		     instruction "\n\t" \
		     "pushfl\n\txchgl %%esi, 4(%%esp)\n\tmovl %%ebx, (%%esi)\n\tmovl %%ecx, 4(%%esi)\n\t" \
		     "movl %%edx, 8(%%esi)\n\tmovl %%edi, 16(%%esi)\n\tmovl %%ebp, 20(%%esi)\n\t" \
		     "popl 24(%%esi)\n\tpopl %%ecx\n\tmovl %%ecx, 12(%%esi)\n\t" \
		     "cld\n\tpopl %%ebx\n\tpopl %%ebp" \
		     : "+a"(a), "+S"(p) : : "ecx", "edx", "edi", "memory", "cc")

static void on_trap(int signal)
{
	(void)signal;
}

/* The sum of what comes back from `rounds` traps. */
static u32 suffer(u32 number, u32 rounds)
{
	u32 area = mmap(0, 256 * PAGE, PROT_READ | PROT_WRITE, 0), touched = 0, sum = 0, i;

	if (area >= -4095u)
		die("torture: %s\n", error_text(area));
	state = number | 1;
	for (i = 0; i < rounds; i++) {
		struct pattern pattern, *p = &pattern;
		u32 a = 20, k;		/* getpid */

		for (k = 0; k < 7; k++)
			pattern.word[k] = next();
		pattern.word[EFLAGS] = (pattern.word[EFLAGS] & FLAGS) | 0x202;
		switch (i % 64) {
		case 7:			/* a page that nobody has touched */
			a = area + touched++ % 256 * PAGE;
			LOADED(p, a, "movl (%%eax), %%eax");
			break;
		case 23:		/* one that both of us have */
			a = (u32)&shared[i / 64 % 64 * (PAGE / 4)];
			LOADED(p, a, "movl %%eax, (%%eax)");
			break;
		case 41:		/* a signal's handler, and back */
			LOADED(p, a, "int3");
			break;
		case 55:		/* the FPU, if somebody else had it */
			LOADED(p, a, "fldz\n\tfstp %%st(0)");
			break;
		default:
			LOADED(p, a, "int $0x80");
		}
		pattern.word[EFLAGS] &= FLAGS;
		for (k = 0; k < 7; k++)
			sum = sum * 31 + pattern.word[k];
	}
	return sum;
}

int main(int argc, char **argv)
{
	u32 number, rounds = 50000, sum, i;
	int status;

	if (argc < 2 || argc > 3 || !parse_number(argv[1], &number) ||
	    (argc == 3 && !parse_number(argv[2], &rounds)))
		die("torture: expected a number, and perhaps how many rounds\n");
	signal(SIGTRAP, on_trap);
	for (i = 1; i <= 2; i++) {
		if (fork() == 0) {
			sum = suffer(number * i, rounds);
			printf("torture: %u is 0x%08x\n", i, sum);
			exit(0);
		}
	}
	while (waitpid(-1, &status, 0) > 0)
		;
	return 0;
}
