// SPDX-License-Identifier: MIT
/*M:520 A program with many opinions
 *
 * An inmate (M:400) is a Guest with a single opinion.  This is a program for a Guest that
 * is Linux: it does in ring 3 what a paravirtual kernel gets wrong most easily, and says of
 * each thing whether it came out as the manual promises.  Page tables that change while
 * somebody else runs; registers that must be the same after others had the CPU; and all that
 * ring 3 is not allowed, which must end with a signal here and nowhere else.
 *
 * It needs no C library: a 32-bit one is not to be had everywhere, and twenty system calls
 * are quickly written.
 *:*/
typedef unsigned int u32;
typedef unsigned long long u64;

#define NULL ((void *)0)
#define PAGE 4096u

enum { SYS_exit = 1, SYS_fork, SYS_read, SYS_write, SYS_open, SYS_close, SYS_waitpid,
       SYS_unlink = 10, SYS_execve = 11, SYS_getpid = 20, SYS_ptrace = 26, SYS_pause = 29,
       SYS_kill = 37, SYS_pipe = 42, SYS_munmap = 91, SYS_ftruncate = 93, SYS_setitimer = 104,
       SYS_mprotect = 125, SYS_sched_yield = 158, SYS_nanosleep = 162, SYS_rt_sigaction = 174,
       SYS_mmap2 = 192, SYS_set_thread_area = 243, SYS_process_vm_writev = 348 };

enum { SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGKILL = 9, SIGSEGV = 11, SIGALRM = 14 };

static int sys(int n, u32 a, u32 b, u32 c, u32 d, u32 e)
{
	int r;

	asm volatile("int $0x80" : "=a" (r)
		     : "0" (n), "b" (a), "c" (b), "d" (c), "S" (d), "D" (e) : "memory");
	return r;
}
#define SYS(n, ...) SYS_(n, ##__VA_ARGS__, 0, 0, 0, 0, 0)
#define SYS_(n, a, b, c, d, e, ...) sys(SYS_##n, (u32)(a), (u32)(b), (u32)(c), (u32)(d), (u32)(e))

/* Six arguments: the last one travels in ebp. */
static void *map(u32 bytes, u32 protection, u32 flags, int fd)
{
	void *r;

	asm volatile("push %%ebp\n\txor %%ebp, %%ebp\n\tint $0x80\n\tpop %%ebp" : "=a" (r)
		     : "0" (SYS_mmap2), "b" (0), "c" (bytes), "d" (protection), "S" (flags),
		       "D" (fd) : "memory");
	return r;
}
#define PROT_RW		3
#define MAP_SHARED	0x01
#define MAP_PRIVATE	0x22	/* and anonymous */

static void print(const char *s)
{
	u32 n = 0;

	while (s[n])
		n++;
	SYS(write, 1, s, n);
}

static void print_number(int n)
{
	char text[12], *p = text + sizeof(text) - 1;
	u32 u = n < 0 ? -(u32)n : (u32)n;

	*p = 0;
	do {
		*--p = '0' + u % 10;
		u /= 10;
	} while (u);
	if (n < 0)
		*--p = '-';
	print(p);
}

static int failures;

/* One line for each opinion; `got` and `want` are what is compared. */
static void report(const char *name, int got, int want)
{
	print(got == want ? "ok " : "not ok ");
	print(name);
	if (got != want) {
		print(": got ");
		print_number(got);
		print(", expected ");
		print_number(want);
		failures++;
	}
	print("\n");
}

static int wait_for(int pid)
{
	int status = -1;

	return SYS(waitpid, pid, &status, 0) == pid ? status : -1;
}

/* Runs f in a child.  Returns its wait status: 0 for return 0, else a signal or code << 8. */
static int in_child(int (*f)(u32), u32 argument)
{
	int pid = SYS(fork);

	if (!pid)
		SYS(exit, f(argument));
	return wait_for(pid);
}

/* n children at once, with argument 1 to n.  Returns how many did not end with 0. */
static int in_children(int n, int (*f)(u32))
{
	int pid[8], bad = 0, i;

	for (i = 0; i < n; i++) {
		pid[i] = SYS(fork);
		if (!pid[i])
			SYS(exit, f(i + 1));
	}
	for (i = 0; i < n; i++)
		bad += wait_for(pid[i]) != 0;
	return bad;
}

/* ---- Signals --------------------------------------------------------------- */

struct sigcontext {	/* asm/sigcontext.h, 32-bit */
	u32 gs, fs, es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax, trapno, err, eip, cs, eflags,
	    esp_at_signal, ss;
};

struct ucontext {
	u32 flags, link, stack[3];
	struct sigcontext mc;
};

struct siginfo {
	int signo, error, code;
	u32 address;		/* for SIGSEGV, SIGBUS, SIGTRAP */
};

typedef void handler_t(int, struct siginfo *, struct ucontext *);

asm("restore: mov $173, %eax\n\tint $0x80");	/* rt_sigreturn */
extern char restore[];

static void on_signal(int signal, handler_t *f)
{
	struct { handler_t *f; u32 flags; void *restore; u64 mask; } action = {
		f, 0x04000004, restore, 0 };	/* SA_RESTORER | SA_SIGINFO */

	SYS(rt_sigaction, signal, &action, NULL, 8);
}

static volatile int signals;
static volatile u32 last_address, last_code;

/* ---- Page tables ----------------------------------------------------------- */

#define COW_PAGES 400

static u32 *cow;

static int write_and_look(u32 who)
{
	int i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < COW_PAGES; i++) {
			if (cow[i * 1024 + 7] != (round ? who * 1000 + i + round - 1 : (u32)i))
				return 1;
			cow[i * 1024 + 7] = who * 1000 + i + round;
			if (i % 64 == 0)
				SYS(sched_yield);
		}
	}
	return 0;
}

static void copy_on_write(void)
{
	int i, changed = 0;

	cow = map(COW_PAGES * PAGE, PROT_RW, MAP_PRIVATE, -1);
	for (i = 0; i < COW_PAGES; i++)
		cow[i * 1024 + 7] = i;
	report("copy on write: four children see their own", in_children(4, write_and_look), 0);
	for (i = 0; i < COW_PAGES; i++)
		changed += cow[i * 1024 + 7] != (u32)i;
	report("copy on write: the parent sees what it wrote", changed, 0);
	SYS(munmap, cow, COW_PAGES * PAGE);
}

static void make_writable(int signal, struct siginfo *info, struct ucontext *uc)
{
	signals++;
	last_address = info->address;
	last_code = info->code;
	if (SYS(mprotect, info->address & -PAGE, PAGE, 3))
		SYS(exit, 99);
}

static int protection(u32 unused)
{
	volatile u32 *page = map(4 * PAGE, PROT_RW, MAP_PRIVATE, -1);
	int i;

	on_signal(SIGSEGV, make_writable);
	for (i = 0; i < 50; i++) {
		page[1024] = i;
		SYS(mprotect, page, 4 * PAGE, 1);
		page[1025] = i;		/* faults, is repaired, happens */
		if (signals != i + 1 || last_address != (u32)&page[1025] || last_code != 2 ||
		    page[1024] != (u32)i || page[1025] != (u32)i)
			return 1;
		SYS(mprotect, page, 4 * PAGE, 3);
	}
	return 0;
}

static volatile u32 *window;

static void gone(int signal, struct siginfo *info, struct ucontext *uc)
{
	SYS(exit, info->address == (u32)&window[1024] ? 42 : 43);
}

/* Another process cuts off a file that we have mapped and touched, while we don't run. */
static int zapped(u32 unused)
{
	int fd = SYS(open, "/tmp/zapped", 0102, 0600), pid;

	SYS(unlink, "/tmp/zapped");
	SYS(ftruncate, fd, 2 * PAGE);
	window = map(2 * PAGE, PROT_RW, MAP_SHARED, fd);
	window[0] = window[1024] = 1;
	pid = SYS(fork);
	if (!pid) {
		int r = SYS(ftruncate, fd, PAGE);

		SYS(exit, r != 0);
	}
	if (wait_for(pid))
		return 1;
	on_signal(SIGBUS, gone);
	if (window[0] != 1)
		return 2;
	window[1024] = 2;		/* must be noticed */
	return 3;
}

/* Another process writes into our memory, by way of the kernel; the page was shared. */
static int written_from_outside(u32 unused)
{
	volatile u32 *page = map(PAGE, PROT_RW, MAP_PRIVATE, -1);
	struct { const void *base; u32 bytes; } from, to;
	u32 value = 77;
	int pid, i;

	page[0] = 1;
	pid = SYS(fork);
	if (!pid) {
		while (page[0] == 1)
			SYS(sched_yield);
		SYS(exit, page[0] == 77 ? 0 : 1);
	}
	for (i = 0; i < 5; i++)
		SYS(sched_yield);	/* it has read the page, which it shares with us */
	from.base = &value;
	to.base = (const void *)page;
	from.bytes = to.bytes = 4;
	asm volatile("push %%ebp\n\txor %%ebp, %%ebp\n\tint $0x80\n\tpop %%ebp" : "=a" (i)
		     : "0" (SYS_process_vm_writev), "b" (pid), "c" (&from), "d" (1), "S" (&to),
		       "D" (1) : "memory");
	if (i != 4) {
		SYS(kill, pid, SIGKILL);
		return 1;
	}
	return wait_for(pid) || page[0] != 1;
}

/* ---- Registers ------------------------------------------------------------- */

struct user_desc {
	int entry;
	u32 base, limit, flags;
};

static int tls(u32 who)
{
	static u32 area[2];
	struct user_desc d = { -1, (u32)area, 0xfffff, 0x51 };	/* 32-bit, pages, usable */
	u32 i, seen;

	area[0] = who;
	if (SYS(set_thread_area, &d))
		return 1;
	asm volatile("mov %0, %%gs" : : "r" (d.entry * 8 + 3));
	for (i = 0; i < 200; i++) {
		SYS(sched_yield);
		asm volatile("mov %%gs:0, %0" : "=r" (seen));
		if (seen != who + i)
			return 1;
		asm volatile("incl %%gs:0" : : : "memory");
	}
	return 0;
}

static int fpu(u32 who)
{
	u32 in[4] = { who, ~who, who * 3, who << 20 }, out[4];
	int i, k, x87;

	asm volatile("fninit; fildl %1; movups %0, %%xmm3" : : "m" (in), "m" (in[2]));
	for (i = 0; i < 200; i++) {
		SYS(sched_yield);
		asm volatile("movups %%xmm3, %0; fistl %1" : "=m" (out), "=m" (x87));
		for (k = 0; k < 4; k++)
			if (out[k] != in[k])
				return 1;
		if (x87 != (int)in[2])
			return 2;
	}
	return 0;
}

/* All general registers, across ticks of the clock. */
static int registers(u32 who)
{
	u32 bad;

	asm volatile("push %%ebp\n\t"
		     "mov $0x11110000, %%ebx; add %1, %%ebx\n\t"
		     "mov %%ebx, %%esi; mov %%ebx, %%edi; mov %%ebx, %%edx; mov %%ebx, %%ebp\n\t"
		     "mov $3000000, %%ecx\n"
		     "1:\tcmp %%ebx, %%esi; jne 2f; cmp %%ebx, %%edi; jne 2f\n\t"
		     "cmp %%ebx, %%edx; jne 2f; cmp %%ebx, %%ebp; jne 2f\n\t"
		     "dec %%ecx; jnz 1b\n"
		     "2:\tpop %%ebp\n\t"
		     "mov %%ecx, %0" : "=a" (bad) : "0" (who) : "ebx", "ecx", "edx", "esi", "edi");
	return bad != 0;
}

static void tick(int signal, struct siginfo *info, struct ucontext *uc)
{
	signals++;
}

static int interval_timer(u32 unused)
{
	u32 ten_ms[4] = { 0, 10000, 0, 10000 };

	on_signal(SIGALRM, tick);
	SYS(setitimer, 0, ten_ms, NULL);
	while (signals < 20)
		SYS(pause);
	return 0;
}

/* ---- What is not allowed ----------------------------------------------------- */

static const struct {
	const char *name;
	unsigned char code[12];
	int signal;
} crimes[] = {
	{ "cli", { 0xfa }, SIGSEGV },
	{ "sti", { 0xfb }, SIGSEGV },
	{ "hlt", { 0xf4 }, SIGSEGV },
	{ "in al, dx", { 0xec }, SIGSEGV },
	{ "out 0x80, al", { 0xe6, 0x80 }, SIGSEGV },
	{ "mov eax, cr0", { 0x0f, 0x20, 0xc0 }, SIGSEGV },
	{ "mov cr3, eax", { 0x0f, 0x22, 0xd8 }, SIGSEGV },
	{ "mov eax, dr7", { 0x0f, 0x21, 0xf8 }, SIGSEGV },
	{ "lgdt", { 0x0f, 0x01, 0x15, 0, 0, 0, 0 }, SIGSEGV },
	{ "rdmsr", { 0x0f, 0x32 }, SIGSEGV },
	{ "int 0x1f (a hypercall)", { 0xcd, 0x1f }, SIGSEGV },
	{ "int 0x20 (a virtual interrupt)", { 0xcd, 0x20 }, SIGSEGV },
	{ "int 0x0e (a page fault)", { 0xcd, 0x0e }, SIGSEGV },
	{ "int 0xff", { 0xcd, 0xff }, SIGSEGV },
	{ "mov ss, 0x69 (ring 1's)", { 0x66, 0xb8, 0x69, 0, 0x8e, 0xd0 }, SIGSEGV },
	{ "mov ds, 0x69", { 0x66, 0xb8, 0x69, 0, 0x8e, 0xd8 }, SIGSEGV },
	{ "jmp 0x61:0 (ring 1's)", { 0xea, 0, 0, 0, 0, 0x61, 0 }, SIGSEGV },
	{ "read the kernel", { 0xa1, 0, 0, 0, 0xc1 }, SIGSEGV },
	{ "write the kernel", { 0xa3, 0, 0, 0, 0xc1 }, SIGSEGV },
	{ "jump into the kernel", { 0xb8, 0, 0, 0, 0xc1, 0xff, 0xe0 }, SIGSEGV },
	{ "read the top of memory", { 0xa1, 0, 0xf0, 0xff, 0xff }, SIGSEGV },
	{ "write nothing at all", { 0xa3, 0, 0, 0, 0 }, SIGSEGV },
	{ "ud2", { 0x0f, 0x0b }, SIGILL },
	{ "div by zero", { 0x31, 0xc9, 0xf7, 0xf1 }, SIGFPE },
	{ "int3", { 0xcc }, SIGTRAP },
};

static int commit(u32 which)
{
	unsigned char *page = map(PAGE, 7, MAP_PRIVATE, -1);
	u32 i;

	for (i = 0; i < sizeof(crimes[which].code); i++)
		page[i] = crimes[which].code[i];
	asm volatile("call *%0" : : "r" (page) : "eax", "ecx", "edx", "memory");
	return 0;
}

/* ---- Returning where one cannot -------------------------------------------------
 * A signal handler may change what its return will load.  The kernel's IRET then faults
 * on its own stack, interrupts already on in name, and must sort that out.  SIGILL is what
 * a 32-bit kernel makes of it; the 64-bit one of your own machine says SIGSEGV.
 */
static u32 bad_cs, bad_ss, bad_eip, bad_gs;

static void spoil(int signal, struct siginfo *info, struct ucontext *uc)
{
	if (bad_cs)
		uc->mc.cs = bad_cs;
	if (bad_ss)
		uc->mc.ss = bad_ss;
	if (bad_eip)
		uc->mc.eip = bad_eip;
	if (bad_gs)
		uc->mc.gs = bad_gs;
}

static int bad_return(u32 how)
{
	u32 gs, pid = SYS(getpid);

	*(how == 0 ? &bad_cs : how == 1 ? &bad_ss : how == 2 ? &bad_eip : &bad_gs) =
		how == 2 ? 0xc1000000 : 0x43;	/* 0x43: a TLS entry that nobody has set */
	on_signal(SIGALRM, spoil);
	SYS(kill, pid, SIGALRM);
	asm volatile("mov %%gs, %0" : "=r" (gs));
	return gs;
}

/* ---- Single steps --------------------------------------------------------------- */

static void step(int signal, struct siginfo *info, struct ucontext *uc)
{
	signals++;
	last_code = info->code;
}

static int single_steps(u32 unused)
{
	on_signal(SIGTRAP, step);
	asm volatile("mov $20, %%eax\n\t"	/* getpid */
		     "pushf; orl $0x100, (%%esp); popf\n\t"
		     "nop\n\t"			/* the first trap is after this one */
		     "int $0x80\n\t"
		     "nop\n\t"
		     "pushf; andl $~0x100, (%%esp); popf\n\t"
		     : : : "eax", "memory", "cc");
	/* nop, int 0x80 (with the nop after it, or its own), nop, pushf, and, popf */
	return signals >= 5 && signals <= 6 && last_code == 2 ? 0 : 100 + signals;
}

/* ---- Many ---------------------------------------------------------------------- */

static int run_again(u32 unused)
{
	char *arguments[] = { "ring3", "child", NULL };

	SYS(execve, "/proc/self/exe", arguments, NULL);
	return 1;
}

static int nothing(u32 unused)
{
	return 0;
}

static int ping_pong(u32 unused)
{
	int to[2], from[2], i, pid;
	char c;

	SYS(pipe, to);
	SYS(pipe, from);
	pid = SYS(fork);
	if (!pid) {
		for (i = 0; i < 500; i++) {
			SYS(read, to[0], &c, 1);
			c++;
			SYS(write, from[1], &c, 1);
		}
		SYS(exit, 0);
	}
	for (i = 0; i < 500; i++) {
		c = i;
		SYS(write, to[1], &c, 1);
		SYS(read, from[0], &c, 1);
		if (c != (char)(i + 1))
			return 1;
	}
	return wait_for(pid);
}

/* ------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
	int bad = 0;
	u32 i;

	if (argc > 1)	/* one of the fifty */
		return 0;
	copy_on_write();
	report("mprotect: fault, repair, go on", in_child(protection, 0), 0);
	report("a page that another process took away", in_child(zapped, 0), 42 << 8);
	report("a page that another process wrote", in_child(written_from_outside, 0), 0);
	report("TLS of four processes", in_children(4, tls), 0);
	report("FPU and SSE of four processes", in_children(4, fpu), 0);
	report("registers of four processes", in_children(4, registers), 0);
	report("interval timer", in_child(interval_timer, 0), 0);
	for (i = 0; i < sizeof(crimes) / sizeof(*crimes); i++) {
		int status = in_child(commit, i);

		report(crimes[i].name, status & 0x7f, crimes[i].signal);
	}
	report("return with a bad cs", in_child(bad_return, 0) & 0x7f, SIGILL);
	report("return with a bad ss", in_child(bad_return, 1) & 0x7f, SIGILL);
	report("return into the kernel", in_child(bad_return, 2) & 0x7f, SIGSEGV);
	report("return with a bad gs", in_child(bad_return, 3), 0);
	report("single steps", in_child(single_steps, 0), 0);
	report("500 times there and back", in_child(ping_pong, 0), 0);
	for (i = 0; i < 100; i++)
		bad += in_child(nothing, 0) != 0;
	report("100 forks", bad, 0);
	for (bad = i = 0; i < 50; i++)
		bad += in_child(run_again, 0) != 0;
	report("50 times fork and exec", bad, 0);
	print(failures ? "# some failed\n" : "# all well\n");
	return failures != 0;
}

asm(".globl _start\n_start:\tmov (%esp), %eax\n\tlea 4(%esp), %edx\n\tand $-16, %esp\n\t"
    "sub $8, %esp\n\tpush %edx\n\tpush %eax\n\tcall main\n\tmov %eax, %ebx\n\tmov $1, %eax\n\t"
    "int $0x80");
