/* SPDX-License-Identifier: MIT */
/*
 * TeachOS's 32-bit code, unchanged, inside a 64-bit test: both share one address space, as
 * every 32-bit address is one of ours, too.  What the code may not do in ring 3 (`int 0x1f`,
 * `cli`, `hlt`) is a signal, and the test plays the Host.  What it calls and nobody has
 * linked is a trap as well, and the test plays that function.
 *
 * The file PROGRAM.guest beside the program holds the code; see guest.sh.
 */
#ifndef GATE_H
#define GATE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define TEST(f) cmocka_unit_test_setup(f, guest_begin)

struct regs {
	u32 eax, ebx, ecx, edx, esi, edi, ebp, esp, eip, eflags, ds, es, fs, gs;
};

#define FLAG_CF		0x001u
#define FLAG_TF		0x100u
#define FLAG_IF		0x200u
#define FLAG_DF		0x400u
#define CODE32		0x23u
#define DATA32		0x2bu

/* A cmocka set-up: the code as it was linked, and nobody listens to anything. */
int guest_begin(void **state);

/* An address by its name, also of static things; a test fails if there is none. */
u32 guest_symbol(const char *name);
bool guest_has(const char *name);
/* The function that an address is in. */
const char *guest_name(u32 address);
static inline void *guest(u32 address)
{
	return (void *)(uintptr_t)address;
}
#define GUEST(type, name) (*(type *)guest(guest_symbol(name)))

/* f gets the words behind the return address; its result goes to eax, and edx becomes 0. */
void guest_on_call(const char *name, u32 (*f)(const u32 *args));
/* The address of a function that is played by f. */
u32 guest_hook(u32 (*f)(const u32 *args));
/* In f: all registers as they are at the call; and, instead of coming back, this is the end. */
extern struct regs guest_at_call;
void guest_leave(void);
/* `int vector`; the instruction counts as done. */
extern void (*guest_on_int)(u32 vector, struct regs *r);
/* With FLAG_TF set: after each instruction. */
extern void (*guest_on_step)(struct regs *r);
/* Before a fault is called a failure: true if it was expected, and is the end. */
extern bool (*guest_on_fault)(const struct regs *r);
extern u32 guest_steps;			/* so many so far; a million is too many */

/* Memory for stacks; 64 KiB that end here. */
extern u32 guest_stack_top;
/* Where code has to go when it is done; another such place, and whether it went there. */
extern u32 guest_end, guest_other_end;
extern bool guest_went_other;

/* All registers in; all registers out, at guest_end. */
struct regs guest_run(struct regs in);
/*
 * Calls a C function with n words; -> eax.  What the convention says is checked: ebx, esi,
 * edi, ebp and esp come back, DF is clear.
 */
u32 guest_call(const char *name, u32 n, ...);
extern bool guest_single_step;		/* guest_call() sets TF */

/* The same numbers for the same SEED. */
u32 random32(void);

#endif
