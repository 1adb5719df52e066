/* SPDX-License-Identifier: MIT */
/*G:650 Crash test dummies
 *
 * `usertest NAME` runs one of these.  Those that live return the number of the step
 * that failed, 0 if none did, 77 if the processor can't do what is to be tested.
 * Those that die do so on purpose, and the kernel's self-test (selftest_user.c)
 * knows of what.
 */
#include "user.h"

#define SKIP 77
#define STEP(n, cond) do { if (!(cond)) return n; } while (0)
#define NOT_PRESENT_SELECTOR (29 * 8 + 3)	/* the kernel made it so */

static int bounds[2] = {5, 10};
static volatile int shared = 1;

static int wait_for(int pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static int de(void) { asm volatile("divb %%ah" : : "a"(1)); return 0; }
static int db(void) { asm volatile("pushfl; orl $256, (%%esp); popfl; nop" : : : "cc"); return 0; }
static int bp(void) { asm volatile("int3"); return 0; }
static int of(void) { asm volatile("addb $1, %%al; into" : : "a"(0x7f) : "cc"); return 0; }
static int br(void) { asm volatile("boundl %%eax, %0" : : "m"(bounds), "a"(11)); return 0; }
static int ud(void) { asm volatile("ud2"); return 0; }
static int np(void) { asm volatile("movw %%ax, %%fs" : : "a"(NOT_PRESENT_SELECTOR)); return 0; }
static int ss(void) { asm volatile("movw %%ax, %%ss" : : "a"(NOT_PRESENT_SELECTOR)); return 0; }
static int cli(void) { asm volatile("cli"); return 0; }
static int hlt(void) { asm volatile("hlt"); return 0; }
static int in(void) { asm volatile("inb $0x60, %%al" : : : "eax"); return 0; }
static int cr3(void) { asm volatile("movl %%eax, %%cr3" : : "a"(0)); return 0; }
static int kernel_cs(void) { asm volatile("movw %%ax, %%ds" : : "a"(0x60)); return 0; }
static int host_cs(void) { asm volatile("movw %%ax, %%ds" : : "a"(0x18)); return 0; }
static int sysenter(void) { asm volatile("sysenter"); return 0; }
static int syscall_insn(void) { asm volatile("syscall" : : : "ecx"); return 0; }
static int int_1f(void) { asm volatile("int $0x1f" : : "a"(2), "b"(0), "c"(1)); return 0; }
static int int_20(void) { asm volatile("int $0x20"); return 0; }
static int int_6(void) { asm volatile("int $6"); return 0; }
static int int_81(void) { asm volatile("int $0x81"); return 0; }
static int null_read(void) { asm volatile("movl 0, %%eax" : : : "eax"); return 0; }
static int null_write(void) { asm volatile("movl %eax, 4"); return 0; }
static int text_write(void) { asm volatile("movb $0, main"); return 0; }
static int kernel_read(void) { asm volatile("movl 0xc0100000, %%eax" : : : "eax"); return 0; }
static int kernel_write(void) { asm volatile("movl %eax, 0xc0101000"); return 0; }
static int beyond_brk(void) { *((volatile char *)brk(0) + 4096) = 1; return 0; }

static int ac(void)
{
	asm volatile("pushfl; orl $0x40000, (%%esp); popfl\n\t"
		     "movl 1(%%esp), %%eax\n\t"
		     "pushfl; andl $~0x40000, (%%esp); popfl" : : : "eax", "cc");
	return SKIP;
}

static int mf(void)
{
	u16 control = 0x37f & ~4u;

	asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp; fwait" : : "m"(control));
	return 0;
}

static int xf(void)
{
	u32 mxcsr = 0x1f80 & ~0x200u;

	asm volatile("ldmxcsr %0; xorps %%xmm0, %%xmm0; cvtsi2ss %1, %%xmm1; divss %%xmm0, %%xmm1"
		     : : "m"(mxcsr), "r"(1));
	return SKIP;		/* QEMU's TCG, for one */
}
/*:*/

static int syscalls(void)
{
	int i;

	STEP(1, getpid() > 0);
	STEP(2, syscall(9999, 0, 0, 0) == -38);
	STEP(3, syscall(0, 0, 0, 0) == -38);
	STEP(4, write(1, (void *)0xc0100000, 4) == -14);
	STEP(5, write(1, (void *)0x1000, 4) == -14);
	STEP(6, write(7, "x", 1) == -9);
	STEP(7, open("/no/such/file") == -2);
	STEP(8, syscall(SYS_open, 0xfffffff0, 0, 0) == -14);
	STEP(9, kill(99999, 9) == -3);
	STEP(10, syscall(SYS_reboot, 1, 2, 3) == -22);
	STEP(11, execve("/etc/help", (char *[]){"x", NULL}) == -8);
	for (i = 0; i < 1000; i++)
		STEP(12, syscall(SYS_getppid, 0, 0, 0) == 0);
	return 0;
}

/* Patterns in every register, across a system call and across some milliseconds of
 * interrupts. */
static int registers(void)
{
	u32 bad, end = 0, i;

	asm volatile("pushl %%ebp\n\t"
		     "movl $0x11111111, %%ebx\n\tmovl $0x22222222, %%ecx\n\t"
		     "movl $0x33333333, %%edx\n\tmovl $0x44444444, %%esi\n\t"
		     "movl $0x55555555, %%edi\n\tmovl $0x66666666, %%ebp\n\t"
		     "movl $20, %%eax\n\tint $0x80\n\t"
		     "xorl $0x11111111, %%ebx\n\txorl $0x22222222, %%ecx\n\t"
		     "xorl $0x33333333, %%edx\n\txorl $0x44444444, %%esi\n\t"
		     "xorl $0x55555555, %%edi\n\txorl $0x66666666, %%ebp\n\t"
		     "orl %%ecx, %%ebx\n\torl %%edx, %%ebx\n\torl %%esi, %%ebx\n\t"
		     "orl %%edi, %%ebx\n\torl %%ebp, %%ebx\n\tmovl %%ebx, %%eax\n\tpopl %%ebp"
		     : "=a"(bad) : : "ebx", "ecx", "edx", "esi", "edi", "cc", "memory");
	STEP(1, !bad);
	for (i = 0; i < 20; i++) {
		asm volatile("movl $0x31415926, %%ebx\n\tmovl $0x53589793, %%edx\n\t"
			     "movl $0x23846264, %%esi\n\tmovl $0x33832795, %%edi\n\t"
			     "stc\n1:\tloop 1b\n\tsbbl %%eax, %%eax\n\tincl %%eax\n\t"
			     "xorl $0x31415926, %%ebx\n\txorl $0x53589793, %%edx\n\t"
			     "xorl $0x23846264, %%esi\n\txorl $0x33832795, %%edi\n\t"
			     "orl %%ebx, %%eax\n\torl %%edx, %%eax\n\torl %%esi, %%eax\n\t"
			     "orl %%edi, %%eax"
			     : "=a"(bad), "=c"(end) : "1"(1000000)
			     : "ebx", "edx", "esi", "edi", "cc");
		STEP(2, !bad && !end);
	}
	return 0;
}

static int zeroed(void)
{
	volatile u32 deep[20000];
	u32 i, *heap = brk(0);

	brk(heap + 50000);
	for (i = 0; i < 10000; i++)		/* the part that nobody has used */
		STEP(1, deep[i] == 0);
	for (i = 0; i < 50000; i++)
		STEP(2, heap[i] == 0);
	return 0;
}

static int grow_and_shrink(void)
{
	char *start = brk(0);

	STEP(1, brk(start + 100000) == start + 100000);
	start[99999] = 1;
	STEP(2, brk(start + 10) == start + 10);
	STEP(3, brk(start - 1) == start + 10);
	STEP(4, brk((void *)0xc0000000) == start + 10);
	STEP(5, brk(start + 100000) == start + 100000);
	STEP(6, start[99999] == 0);
	return 0;
}

static int fork_cow(void)
{
	u32 *heap = brk(0), i;
	int pid;

	brk(heap + 20 * 1024);
	for (i = 0; i < 20; i++)
		heap[i * 1024] = i;
	pid = fork();
	STEP(1, pid >= 0);
	if (pid == 0) {
		for (i = 0; i < 20; i++)
			if (heap[i * 1024] != i)
				exit(1);
		for (i = 0; i < 20; i += 2)
			heap[i * 1024] = 100 + i;
		shared = 2;
		sched_yield();
		for (i = 0; i < 20; i++)
			if (heap[i * 1024] != (i & 1 ? i : 100 + i) || shared != 2)
				exit(2);
		exit(42);
	}
	for (i = 1; i < 20; i += 2)
		heap[i * 1024] = 200 + i;
	shared = 3;
	sched_yield();
	STEP(2, wait_for(pid) == 42 << 8);
	for (i = 0; i < 20; i++)
		STEP(3, heap[i * 1024] == (i & 1 ? 200 + i : i));
	STEP(4, shared == 3);
	return 0;
}

static int fork_many(void)
{
	int pid, i, sum = 0, status;

	for (i = 1; i <= 30; i++) {
		pid = fork();
		STEP(1, pid >= 0);
		if (!pid) {
			shared += i;
			sched_yield();
			exit(shared);
		}
	}
	while (waitpid(-1, &status, 0) > 0)
		sum += WEXITSTATUS(status);
	STEP(2, sum == 30 * 31 / 2 + 30);
	STEP(3, shared == 1);
	return 0;
}

static int exec(void)
{
	char *argv[] = {"usertest", "exec_target", "two words", "", NULL};
	int pid = fork();

	if (!pid) {
		shared = 99;
		execve("/bin/usertest", argv);
		exit(1);
	}
	STEP(1, wait_for(pid) == 33 << 8);
	return 0;
}

/* Much luggage: many words, long words, an environment, and one byte too many. */
#define MANY 6000
#define LONG 100000

static int luggage(void)
{
	static char *argv[MANY + 1], long_word[LONG + 1];
	char *names[] = {"A=1", "LONGER=two words", NULL}, **list;
	u32 i;
	int pid = fork();

	argv[0] = "usertest";
	argv[1] = "luggage_target";
	for (i = 2; i < MANY; i++)
		argv[i] = "word number n" + i % 13;
	memset(long_word, 'l', LONG);
	if (!pid) {
		environ = names;
		execve("/bin/usertest", argv);
		exit(1);
	}
	STEP(1, wait_for(pid) == 44 << 8);
	pid = fork();
	if (!pid) {
		execve("/bin/usertest", (char *[]){"usertest", "long_target", long_word, NULL});
		exit(1);
	}
	STEP(2, wait_for(pid) == 45 << 8);
	for (i = 2; i < MANY; i++)
		argv[i] = "this is more than there is room for";
	STEP(3, execve("/bin/usertest", argv) == -7);
	STEP(4, execve("/bin/true", (char *[]){long_word, long_word, NULL}) == -7);
	list = (char **)mmap(0, 4 * 30001, PROT_READ | PROT_WRITE, 0);
	for (i = 0; i < 30000; i++)	/* it is the pointers that are too many here */
		list[i] = "x";
	STEP(8, execve("/bin/true", list) == -7);
	STEP(5, syscall(SYS_execve, (u32)"/bin/true", 0xc0000000, 0) == -14);
	STEP(6, syscall(SYS_execve, (u32)"/bin/true", (u32)argv - 2, 0) == -14);
	STEP(7, syscall(SYS_execve, (u32)"/bin/true", 0, 0x1000) == -14);
	return 0;
}

static int luggage_target(int argc, char **argv)
{
	int i;

	STEP(1, argc == MANY && !argv[MANY] && !strcmp(getenv("LONGER"), "two words"));
	STEP(2, !getenv("LONG") && !strcmp(getenv("A"), "1") && !environ[2]);
	for (i = 2; i < MANY; i++)
		STEP(3, !strcmp(argv[i], "word number n" + i % 13));
	return 44;
}

static int long_target(char **argv)
{
	u32 i;

	STEP(1, strlen(argv[2]) == LONG && !environ[0]);
	for (i = 0; i < LONG; i++)
		STEP(2, argv[2][i] == 'l');
	return 45;
}

static int wait_statuses(void)
{
	int status, pid;

	STEP(1, waitpid(-1, &status, 0) == -10);
	STEP(2, waitpid(getpid(), &status, 0) == -10);
	pid = fork();
	if (!pid) {
		sleep_ms(30);
		exit(300);			/* only 8 bits of it arrive */
	}
	STEP(3, waitpid(pid, &status, WNOHANG) == 0);
	STEP(4, waitpid(pid, &status, 0) == pid && status == (300 & 255) << 8);
	STEP(5, waitpid(pid, &status, 0) == -10);
	return 0;
}

static int preempt(void)
{
	int pid = fork();

	if (!pid)
		for (;;)
			;
	sleep_ms(30);
	STEP(1, kill(pid, 15) == 0);
	STEP(2, wait_for(pid) == 15);
	return 0;
}

static int sleep_long_enough(void)
{
	u64 before;

	sleep_ms(1);		/* the clock may tick only with interrupts */
	before = uptime_ms();
	STEP(1, sleep_ms(50) == 0);
	STEP(2, uptime_ms() >= before + 49);
	before = uptime_ms();		/* and nobody but us runs now */
	while (uptime_ms() < before + 20)
		;
	return 0;
}

static u32 set_tls(u32 *base, u32 flags)
{
	u32 d[4] = {-1u, (u32)base, 0xfffff, flags};

	return syscall(SYS_set_thread_area, (u32)d, 0, 0) ? 0 : d[0] * 8 + 3;
}

static u32 read_gs(void)
{
	u32 value;

	asm volatile("movl %%gs:4, %0" : "=r"(value));
	return value;
}

static int tls(void)
{
	u32 blocks[4][2] = {{0}}, selector, i, n;	/* each has its base somewhere else */
	int pids[4];

	for (n = 0; n < 4; n++) {
		pids[n] = fork();
		if (pids[n])
			continue;
		blocks[n][1] = 1000 + n;
		selector = set_tls(blocks[n], 0x51);
		if (selector != 0x33)
			exit(1);
		asm volatile("movw %w0, %%gs" : : "r"(selector));
		for (i = 0; i < 50; i++) {
			if (read_gs() != 1000 + n)
				exit(2);
			sched_yield();
		}
		exit(n);
	}
	for (n = 0; n < 4; n++)
		STEP(1, wait_for(pids[n]) == (int)n << 8);
	return 0;
}

static int tls_stale(void)
{
	u32 block[2] = {0, 5}, d[4] = {6, 0, 0, 0x20};
	int pid = fork();

	if (!pid) {
		asm volatile("movw %w0, %%gs" : : "r"(set_tls(block, 0x51)));
		syscall(SYS_set_thread_area, (u32)d, 0, 0);	/* now %gs points nowhere */
		sched_yield();
		exit(0);
	}
	/* Killed for it, or set to null: both are fine, so long as we are here. */
	STEP(1, wait_for(pid) >= 0);
	pid = fork();
	if (!pid) {		/* the same with the stack's own segment: no way back with that */
		u32 flat[4] = {-1u, 0, 0xfffff, 0x51};

		syscall(SYS_set_thread_area, (u32)flat, 0, 0);
		asm volatile("movw %w0, %%ss\n\tint $0x80\n1:\tjmp 1b"
			     : : "r"(flat[0] * 8 + 3), "a"(SYS_set_thread_area), "b"(d));
	}
	STEP(2, wait_for(pid) == 11);
	return 0;
}

static int fpu_loop(u32 n)
{
	u32 word[4] = {n, n * 3, n * 5, n * 7}, seen[4], i, integer;

	asm volatile("fninit; fildl %0; movups %1, %%xmm5" : : "m"(n), "m"(word));
	for (i = 0; i < 100; i++) {
		if (i % 3 == 0)
			sched_yield();
		else
			asm volatile("movl $20000, %%ecx\n1:\tloop 1b" : : : "ecx");
		asm volatile("fistl %0; movups %%xmm5, %1" : "=m"(integer), "=m"(seen));
		if (integer != n || memcmp(seen, word, sizeof(word)))
			return 1;
	}
	return 0;
}

static int fpu(void)
{
	int pids[4];
	u32 n;

	for (n = 0; n < 4; n++) {
		pids[n] = fork();
		if (!pids[n])
			exit(fpu_loop(n * 1111 + 7));
	}
	STEP(1, fpu_loop(424242) == 0);
	for (n = 0; n < 4; n++)
		STEP(2 + n, wait_for(pids[n]) == 0);
	return 0;
}

static int fpu_fork(void)
{
	u32 n = 31337, seen = 0;
	int pid;

	asm volatile("fninit; fildl %0" : : "m"(n));
	pid = fork();
	asm volatile("fistpl %0" : "=m"(seen));
	if (!pid)
		exit(seen == 31337 ? 0 : 1);
	STEP(1, seen == 31337);
	STEP(2, wait_for(pid) == 0);
	return 0;
}

static int orphan(void)
{
	int ends[2], pid;
	char c;

	STEP(1, !pipe(ends));
	pid = fork();
	if (!pid) {
		if (!fork()) {
			sleep_ms(20);
			exit(syscall(SYS_getppid, 0, 0, 0) == 0 ? 0 : 1);
		}
		exit(7);
	}
	close(ends[1]);
	STEP(2, wait_for(pid) == 7 << 8);
	STEP(3, read(ends[0], &c, 1) == 0);	/* the last who could write has gone */
	sleep_ms(20);				/* and the kernel has time to bury it */
	return 0;
}

static int files(void)
{
	char text[64];
	int fd = open("/etc/motd"), i;

	STEP(1, fd == 3);
	STEP(2, read(fd, text, 7) == 7 && !memcmp(text, "Welcome", 7));
	STEP(3, read(fd, (void *)0xc0000000, 7) == -14);
	STEP(4, close(fd) == 0 && close(fd) == -9);
	STEP(5, read(fd, text, 1) == -9);
	fd = open("/bin");
	STEP(6, fd >= 0 && read(fd, text, 1) == -21);
	STEP(7, syscall(SYS_getdents, fd, (u32)text, sizeof(text)) > 0);
	STEP(8, close(fd) == 0);
	for (i = 3; i < 32; i++)
		STEP(9, open("/proc/ps") == i);
	STEP(10, open("/proc/ps") == -24);
	return 0;
}

/*G:653 Pipes under pressure */
static int pipes(void)
{
	char text[8];
	int ends[2], more[2], i, pid;

	STEP(1, pipe((int *)0xc0000000) == -14);
	STEP(2, pipe(ends) == 0 && ends[0] == 3 && ends[1] == 4);
	STEP(3, write(ends[1], "hello", 5) == 5 && read(ends[0], text, 8) == 5 &&
	     !memcmp(text, "hello", 5));
	STEP(4, write(ends[0], "x", 1) == -9 && read(ends[1], text, 1) == -9);
	STEP(5, write(ends[1], (void *)0x1000, 1) == -14);
	STEP(6, read(ends[0], text, 0) == 0);
	for (i = 0; i < 2; i++) {
		pid = fork();
		if (!pid) {			/* sleeps until somebody writes */
			if (i)
				sleep_ms(5);	/* once the sleeper comes first, once the writer */
			exit(read(ends[0], text, 3) == 3 && text[2] == 'c' ? 0 : 1);
		}
		sched_yield();
		STEP(7, write(ends[1], "abc", 3) == 3 && wait_for(pid) == 0);
	}
	STEP(8, write(ends[1], "rest", 4) == 4 && close(ends[1]) == 0);
	STEP(9, read(ends[0], text, 8) == 4 && read(ends[0], text, 8) == 0);
	close(ends[0]);
	STEP(10, pipe(ends) == 0);
	pid = fork();
	if (!pid) {
		close(ends[0]);
		for (;;)			/* nobody reads: killed by SIGPIPE, sooner or later */
			write(ends[1], text, 8);
	}
	sched_yield();
	close(ends[0]);
	STEP(11, wait_for(pid) == 13);
	close(ends[1]);
	STEP(12, pipe(ends) == 0 && pipe(more) == 0);
	while ((i = open("/etc/motd")) < 30)	/* one number is left, and a pipe wants two */
		STEP(13, i > 0);
	STEP(13, pipe(more) == -24);
	pid = fork();
	if (!pid) {				/* asleep in read(), and killed */
		read(ends[0], text, 1);
		exit(0);
	}
	sleep_ms(5);
	STEP(14, kill(pid, 15) == 0 && wait_for(pid) == 15);
	return 0;
}

#define RECORD 500u
#define RECORDS 100u

/* Four writers, each with records of its own letter; and then one long write. */
static int pipe_flow(void)
{
	static char record[RECORD], big[100001];
	u32 count[4] = {0}, n, i, at, used;
	int ends[2], got;

	STEP(1, pipe(ends) == 0);
	for (n = 0; n < 5; n++) {
		if (fork())
			continue;
		close(ends[0]);
		memset(record, 'a' + n, RECORD);
		for (i = 0; n < 4 && i < RECORDS; i++)
			if (write(ends[1], record, RECORD) != (int)RECORD)
				exit(1);
		exit(0);
	}
	close(ends[1]);
	for (;;) {
		for (used = 0; used < RECORD; used += got) {
			got = read(ends[0], record + used, RECORD - used);
			if (got <= 0)
				break;
		}
		if (used < RECORD)
			break;
		for (i = 1; i < RECORD; i++)
			STEP(2, record[i] == record[0]);
		STEP(3, record[0] >= 'a' && record[0] <= 'd');
		count[record[0] - 'a']++;
	}
	STEP(4, used == 0 && got == 0);
	for (n = 0; n < 4; n++)
		STEP(5, count[n] == RECORDS);
	while (waitpid(-1, &got, 0) > 0)
		STEP(6, got == 0);
	close(ends[0]);
	STEP(7, pipe(ends) == 0);
	if (!fork()) {
		for (i = 0; i < sizeof(big); i++)
			big[i] = i * 7 / 3;
		exit(write(ends[1], big, sizeof(big)) == sizeof(big) ? 0 : 1);
	}
	close(ends[1]);
	for (at = 0; (got = read(ends[0], big, 777)) > 0; at += got)
		for (i = 0; i < (u32)got; i++)
			STEP(8, big[i] == (char)((at + i) * 7 / 3));
	STEP(9, at == sizeof(big) && waitpid(-1, &got, 0) > 0 && got == 0);
	return 0;
}

/*:*/

/*G:654 Scribbles */
static int dup(void)
{
	char text[8];
	int fd = open("/etc/motd"), ends[2];

	STEP(1, dup2(fd, 5) == 5 && dup2(fd, fd) == fd);
	STEP(2, read(fd, text, 3) == 3 && read(5, text, 4) == 4 && !memcmp(text, "come", 4));
	STEP(3, close(fd) == 0 && read(5, text, 1) == 1);
	STEP(4, dup2(fd, 6) == -9 && dup2(5, 32) == -9 && dup2(5, -1) == -9);
	STEP(5, pipe(ends) == 0 && dup2(5, ends[1]) == ends[1]);
	STEP(6, read(ends[0], text, 1) == 0);	/* that was the only writer */
	return 0;
}

#define NEW (O_RDWR | O_CREAT | O_TRUNC)

static int tmp_files(void)
{
	static char page[5000];
	char text[8];
	int fd, again, other;

	STEP(1, open("/tmp/ut") == -2 && unlink("/tmp/ut") == -2);
	fd = open_flags("/tmp/ut", NEW);
	STEP(2, fd == 3 && read(fd, text, 1) == 0);
	STEP(3, write(fd, "0123456789", 10) == 10);
	again = open("tmp/./ut");
	STEP(4, read(again, text, 4) == 4 && read(again, text + 4, 4) == 4 &&
	     !memcmp(text, "01234567", 8));
	STEP(5, write(again, "x", 1) == -9);
	other = open_flags("/tmp/ut", O_WRONLY | O_APPEND);
	STEP(6, write(other, "ab", 2) == 2 && read(other, text, 1) == -9);
	STEP(7, read(again, text, 8) == 4 && !memcmp(text, "89ab", 4));
	memset(page, 'p', sizeof(page));
	STEP(8, write(other, page, sizeof(page)) == sizeof(page));	/* across a page */
	memset(page, 0, sizeof(page));
	STEP(9, read(again, page, sizeof(page)) == sizeof(page) && page[0] == 'p' &&
	     page[4999] == 'p' && read(again, page, 1) == 0);
	close(other);
	other = open_flags("/tmp/ut", O_WRONLY | O_TRUNC);
	STEP(10, read(again, page, 1) == 0);	/* it stands behind the end now */
	STEP(11, write(fd, "!", 1) == 1 && write(other, "z", 1) == 1);
	close(again);
	again = open("/tmp/ut");
	STEP(12, read(again, text, 8) == 8 && !memcmp(text, "z\0\0\0\0\0\0\0", 8));
	STEP(13, read(again, text, 8) == 3 && text[2] == '!');
	STEP(14, unlink("/tmp/ut") == 0 && open("/tmp/ut") == -2);
	STEP(15, write(other, "Q", 1) == 1);	/* has no name any more, but us */
	STEP(16, write(fd, (void *)0x1000, 1) == -14 && read(again, (void *)0xc0000000, 1) == 0);
	STEP(17, open_flags("/etc/motd", O_WRONLY) == -30 && open_flags("/tmp", O_WRONLY) == -21);
	STEP(18, open_flags("/new", NEW) == -30 && open_flags("/tmp/a/b", NEW) == -2);
	STEP(19, unlink("/etc/motd") == -30 && unlink("/tmp") == -21 && unlink("/none") == -2);
	STEP(20, open_flags("/tmp/a-name-that-is-much-too-long-for-this-little-file-system", NEW)
	     == -36);
	STEP(21, execve("/tmp/ut", (char *[]){"x", NULL}) == -2);
	return 0;
}

static void numbered(char *name, u32 n)
{
	snformat(name, 16, "/tmp/n%u", n);
}

static int tmp_limits(void)
{
	static char page[4096];
	char name[16];
	u32 i, n, sum = 0;
	int fd, got;

	for (n = 0;; n++) {
		numbered(name, n);
		fd = open_flags(name, NEW);
		if (fd < 0)
			break;
		close(fd);
	}
	STEP(1, fd == -28 && n >= 60);
	for (i = 0; i < n; i++) {		/* 4 MiB each, until there is no more */
		numbered(name, i);
		fd = open_flags(name, O_WRONLY);
		for (; (got = write(fd, page, sizeof(page))) > 0; sum += got)
			STEP(2, got == sizeof(page));
		close(fd);
		if (got != -27)			/* the file is too large */
			break;
	}
	STEP(3, got == -28 && sum > 4u << 20);
	for (i = 0; i < n; i++) {
		numbered(name, i);
		STEP(4, unlink(name) == 0);
	}
	fd = open_flags("/tmp/n0", NEW);	/* and all is well again */
	STEP(5, write(fd, page, sizeof(page)) == sizeof(page) && unlink("/tmp/n0") == 0);
	return 0;
}
/*:*/

/*G:656 Much, many, and nothing left */
static int die_touching(u32 address, bool write)
{
	int pid = fork();

	if (!pid) {
		if (write)
			*(volatile char *)address = 1;
		else
			(void)*(volatile char *)address;
		exit(0);
	}
	return wait_for(pid);
}

static int maps(void)
{
	const u32 rw = PROT_READ | PROT_WRITE;
	u32 a = mmap(0, 10 * 4096, rw, 0), b, i;
	volatile u32 *word = (u32 *)a;

	STEP(1, a < -4096u && !(a & 4095) && !word[0] && !word[10239]);
	for (i = 0; i < 10; i++)
		word[i * 1024] = i + 1;
	b = mmap(0, 1, PROT_READ, 0);
	STEP(2, b < -4096u && (b >= a + 10 * 4096 || b < a) && !*(volatile u32 *)b);
	STEP(3, die_touching(b, true) == 11 && die_touching(b, false) == 0);
	STEP(4, die_touching(b + 4096, false) == 11);
	STEP(5, munmap(a + 4 * 4096, 2 * 4096) == 0);
	STEP(6, die_touching(a + 4 * 4096, false) == 11 && die_touching(a + 5 * 4096, true) == 11);
	STEP(7, word[3 * 1024] == 4 && word[6 * 1024] == 7);
	STEP(8, mmap(0, 2 * 4096, rw, 0) == a + 4 * 4096);	/* the first gap */
	STEP(9, word[4 * 1024] == 0 && word[5 * 1024] == 0);
	STEP(10, mmap(a, 4096, rw, MAP_FIXED) == a && word[0] == 0 && word[1024] == 2);
	STEP(11, mmap(0, 0, rw, 0) == -22u && mmap(a + 1, 1, rw, MAP_FIXED) == -22u);
	STEP(12, munmap(0x400000, 4096) == -22 && munmap(a + 1, 4096) == -22);
	STEP(13, mmap(0, 0xf0000000, rw, 0) == -12u);
	STEP(14, munmap(a, 0x10000000) == 0 && die_touching(a, false) == 11);
	a = mmap(0, 0x80000000, rw, 0);		/* 2 GiB, as long as nobody looks */
	STEP(15, a < -4096u && die_touching(a + 0x7fffffff, true) == 0);
	STEP(16, munmap(a, 0x80000000) == 0);
	a = mmap(0, 40 * 4096, rw, 0);		/* as many holes as it can bear */
	for (i = 1; munmap(a + i * 4096, 4096) == 0; i += 2)
		STEP(17, i < 39);
	STEP(18, i > 15 && munmap(a + i * 4096, 4096) == -12);
	STEP(19, mmap(0, 4096 * 50, rw, 0) == -12u && munmap(a, 40 * 4096) == 0);
	STEP(20, mmap(0, 4096, 0, 0) == a && die_touching(a, false) == 11);
	return 0;
}

static u32 lines_of(const char *path)
{
	int fd = open(path), n, i;
	char chunk[100];
	u32 lines = 0;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		for (i = 0; i < n; i++)
			lines += chunk[i] == '\n';
	close(fd);
	return lines;
}

/* Children that sleep until the pipe ends: wanted of them, or as many as can be. */
static int crowd(u32 wanted)
{
	int ends[2], status, error = 0;
	u32 n, info[16], ended = 0;
	char c;

	STEP(1, pipe(ends) == 0);
	for (n = 0; n < wanted; n++) {
		error = fork();
		if (error < 0)
			break;
		if (!error) {
			close(ends[1]);
			exit(read(ends[0], &c, 1) == 0 ? 0 : 1);
		}
	}
	STEP(2, n == wanted || error == -12);
	STEP(3, syscall(SYS_sysinfo, (u32)info, 0, 0) == 0 && info[10] >= n + 1);
	if (wanted == 200)			/* ps sees every one of them */
		STEP(8, lines_of("/proc/ps") == info[10] + 2);
	close(ends[1]);
	while (waitpid(-1, &status, 0) > 0) {
		STEP(4, status == 0 || (wanted > 200 && status == 9));
		ended++;
	}
	STEP(5, ended == n);
	STEP(6, wanted > 200 ? n < wanted && n > 3 : n == wanted);
	n = fork();				/* and there is room again */
	if (!n)
		exit(5);
	STEP(7, wait_for(n) == 5 << 8);
	return 0;
}

static int two_hundred(void) { return crowd(200); }
static int fork_bomb(void) { return crowd(100000); }

/* A little of everything.  12 means: something said ENOMEM, as it should. */
static int enough(int result)
{
	if (result == -12)
		exit(12);
	return result;
}

static int scarce(void)
{
	char *argv[] = {"true", NULL};
	int ends[2], pid, fd, status;
	u32 area;

	STEP(1, enough(pipe(ends)) == 0);
	STEP(2, write(ends[1], "x", 1) == 1);
	area = enough(mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, 0));
	memset((void *)area, 1, 3 * 4096);
	pid = enough(fork());
	if (!pid) {
		((volatile char *)area)[4096]++;
		enough(execve("/bin/true", argv));
		exit(3);
	}
	STEP(4, pid > 0);
	status = wait_for(pid);
	STEP(5, status == 0 || status == 9 || status == 12 << 8);
	if (status)
		return 12;
	fd = enough(open("/proc/ps"));
	STEP(6, fd == 5);
	fd = enough(open_flags("/tmp/scarce", NEW));
	STEP(7, fd == 6);
	unlink("/tmp/scarce");
	STEP(8, enough(write(fd, "y", 1)) == 1);
	return 0;
}
/*:*/

/*G:655 Nonsense, politely refused
 *
 * Thousands of system calls with numbers and arguments drawn from a hat: addresses that
 * are nobody's, the kernel's, at the very edge of a page.  Each must be answered, and
 * neither the process nor the kernel may come to harm.  What would block, kill or end
 * is left out, and the console is closed before.
 */
static u32 draw(u32 *hat)
{
	*hat ^= *hat << 13;		/* xorshift: the same sequence every time */
	*hat ^= *hat >> 17;
	*hat ^= *hat << 5;
	return *hat;
}

static u32 argument(u32 *hat, const char *page)
{
	switch (draw(hat) % 10) {
	case 0: return 0;
	case 1: return 0xffffffff;
	case 2: return 0xc0000000 + draw(hat) % 0x2000 - 0x1000;
	case 3: return (u32)page + 4096 - draw(hat) % 8;
	case 4: return (u32)main;
	case 5: return 0xbffff000 - draw(hat) % 16;
	case 6: return 1u << (draw(hat) % 32);
	case 7: return draw(hat) % 16;
	}
	return draw(hat);
}

static bool harmful(u32 number)
{
	return number == SYS_exit || number == SYS_fork || number == SYS_kill ||
	       number == SYS_nanosleep || number == SYS_pipe || number == SYS_pause ||
	       number == SYS_alarm || number == 119 || number == 173 || number == 252;
}

static int nonsense(void)
{
	static char page[2 * 4096];
	u32 hat = 20111121, i, number;
	int pid = fork();

	if (pid)
		return wait_for(pid) ? 1 : 0;
	for (i = 0; i < 32; i++)
		close(i);
	for (i = 0; i < 20000; i++) {
		number = draw(&hat) % (i & 1 ? 300 : 12);
		if (!harmful(number))
			syscall(number, argument(&hat, page), argument(&hat, page),
				argument(&hat, page));
	}
	exit(getpid() > 0 ? 0 : 1);
}
/*:*/

static int exec_target(int argc, char **argv)
{
	STEP(1, argc == 4 && !strcmp(argv[2], "two words") && !*argv[3] && !argv[4]);
	STEP(2, shared == 1);
	STEP(3, !((u32)__builtin_frame_address(0) & 3));
	return 33;
}

#define TEST(name) {#name, name}

static const struct {
	const char *name;
	int (*run)(void);
} tests[] = {
	TEST(de), TEST(db), TEST(bp), TEST(of), TEST(br), TEST(ud), TEST(np), TEST(ss), TEST(cli),
	TEST(hlt), TEST(in), TEST(cr3), TEST(kernel_cs),
	TEST(host_cs), TEST(sysenter), TEST(syscall_insn), TEST(int_1f), TEST(int_20), TEST(int_6),
	TEST(int_81), TEST(null_read), TEST(null_write), TEST(text_write), TEST(kernel_read),
	TEST(kernel_write), TEST(beyond_brk), TEST(ac), TEST(mf), TEST(xf), TEST(syscalls),
	TEST(registers), TEST(zeroed), {"brk", grow_and_shrink}, TEST(fork_cow), TEST(fork_many),
	TEST(exec), TEST(luggage), {"wait", wait_statuses}, TEST(preempt),
	{"sleep", sleep_long_enough}, TEST(tls), TEST(tls_stale), TEST(fpu), TEST(fpu_fork),
	TEST(orphan), TEST(files),
	TEST(pipes), TEST(pipe_flow), TEST(dup), TEST(tmp_files), TEST(tmp_limits),
	TEST(maps), TEST(two_hundred), TEST(fork_bomb), TEST(scarce),
	TEST(nonsense),
};

int main(int argc, char **argv)
{
	u32 i;

	if (argc > 2 && !strcmp(argv[1], "exec_target"))
		return exec_target(argc, argv);
	if (argc > 2 && !strcmp(argv[1], "luggage_target"))
		return luggage_target(argc, argv);
	if (argc == 3 && !strcmp(argv[1], "long_target"))
		return long_target(argv);
	for (i = 0; argc == 2 && i < sizeof(tests) / sizeof(tests[0]); i++)
		if (!strcmp(argv[1], tests[i].name))
			return tests[i].run();
	die("usertest: expected the name of a test\n");
}
