/* SPDX-License-Identifier: MIT */
/*G:820 How to die in ring 3
 *
 * Each of these is a thing that a process must not do, or can't.  Try them all: the
 * shell lives on, and the kernel tells what happened.
 */
#include "user.h"

static void read_null(void) { asm volatile("movl 0, %%eax" : : : "eax"); }
static void write_text(void) { asm volatile("movb $0, main"); }
static void read_kernel(void) { asm volatile("movl 0xc0100000, %%eax" : : : "eax"); }
static void divide(void) { asm volatile("xorl %%edx, %%edx; divl %%edx" : : "a"(1) : "edx"); }
static void invalid(void) { asm volatile("ud2"); }
static void clear_if(void) { asm volatile("cli"); }
static void load_cr3(void) { asm volatile("movl %%eax, %%cr3" : : "a"(0)); }
static void port(void) { asm volatile("inb $0x60, %%al" : : : "eax"); }
static void hypercall(void) { asm volatile("int $0x1f" : : "a"(2), "b"(0), "c"(1)); }
static void stack(void) { asm volatile("movl $0x1000, %esp; pushl $0"); }

static const struct {
	const char *name, *what;
	void (*crash)(void);
} ways[] = {
	{"null", "read address 0", read_null},
	{"text", "write to the program's own text", write_text},
	{"kernel", "read the kernel's memory", read_kernel},
	{"div0", "divide by zero", divide},
	{"ud2", "an instruction that does not exist", invalid},
	{"cli", "turn interrupts off", clear_if},
	{"cr3", "load page tables", load_cr3},
	{"port", "read an I/O port", port},
	{"hypercall", "ring the Host's bell from ring 3", hypercall},
	{"stack", "push where no stack is", stack},
};

int main(int argc, char **argv)
{
	u32 i, n = sizeof(ways) / sizeof(ways[0]);

	for (i = 0; i < n && argc == 2; i++)
		if (!strcmp(argv[1], ways[i].name)) {
			ways[i].crash();
			die("crash: %s: still alive?\n", argv[1]);
		}
	printf("crash: expected one of\n");
	for (i = 0; i < n; i++)
		printf("  %-10s %s\n", ways[i].name, ways[i].what);
	return 2;
}
/*:*/
