/* SPDX-License-Identifier: MIT */
/*G:868 Taps on the shoulder, and forged ones
 *
 * `signaltest NAME` runs one of these, as usertest.c does: 0 if all is well, else the
 * number of the step that failed.
 */
#include "user.h"

#define STEP(n, cond) do { if (!(cond)) return n; } while (0)
#define BIT(signal) (1u << ((signal) - 1))

/* What lies on the stack when a handler runs: Linux's layout, from its headers. */
struct sigcontext {
	u32 gs, fs, es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax, trapno, err, eip, cs, eflags,
	    esp_at_signal, ss, fpstate, oldmask, cr2;
};
struct ucontext {
	u32 flags, link, stack[3];
	struct sigcontext context;
	u32 mask[2];
};

static volatile u32 count, depth, deepest;
static volatile u32 last;

static void note(int signal)
{
	count++;
	last = signal;
}

static int wait_for(int pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static int handler(void)
{
	u32 bad;

	STEP(1, signal(SIGUSR1, note) == 0);
	STEP(2, kill(getpid(), SIGUSR1) == 0 && count == 1 && last == SIGUSR1);
	/* All registers are as they were, and the flags: carry is set before. */
	asm volatile("pushl %%ebp\n\tmovl $0x22222222, %%edx\n\tmovl $0x44444444, %%esi\n\t"
		     "movl $0x55555555, %%edi\n\tmovl $0x66666666, %%ebp\n\tstd\n\tstc\n\t"
		     "int $0x80\n\tsbbl %%eax, %%eax\n\tincl %%eax\n\tcld\n\t"
		     "xorl $0x22222222, %%edx\n\txorl $0x44444444, %%esi\n\t"
		     "xorl $0x55555555, %%edi\n\txorl $0x66666666, %%ebp\n\t"
		     "orl %%edx, %%eax\n\torl %%esi, %%eax\n\torl %%edi, %%eax\n\t"
		     "orl %%ebp, %%eax\n\tpopl %%ebp"
		     : "=a"(bad) : "a"(SYS_kill), "b"(getpid()), "c"(SIGUSR1)
		     : "edx", "esi", "edi", "cc", "memory");
	STEP(3, count == 2);
	STEP(4, bad == 0);
	STEP(5, signal(SIGUSR1, SIG_IGN) == (int)note);
	STEP(6, kill(getpid(), SIGUSR1) == 0 && count == 2);
	STEP(7, signal(SIGKILL, note) == -22 && signal(SIGSTOP, SIG_IGN) == -22);
	STEP(8, signal(0, note) == -22 && signal(32, note) == -22 && kill(getpid(), 64) == -22);
	return 0;
}

/* Puts memory where there was none, and lets the instruction try again. */
static volatile u32 seen[4];

static void mend(int signal, u32 *info, struct ucontext *u)
{
	seen[0] = u->context.trapno;
	seen[1] = u->context.err;
	seen[2] = u->context.cr2;
	seen[3] = info[0] == (u32)signal ? info[3] : 0;
	count++;
	mmap(u->context.cr2 & ~4095u, 4096, PROT_READ | PROT_WRITE, MAP_FIXED);
}

static void step_over(int signal, u32 *info, struct ucontext *u)
{
	(void)signal;
	(void)info;
	count++;
	u->context.eip += 2;
	u->context.eax = 4711;
}

static int segv(void)
{
	struct sigaction mender = {.handler = mend, .flags = SA_SIGINFO};
	struct sigaction skipper = {.handler = step_over, .flags = SA_SIGINFO};
	volatile u32 *hole = (u32 *)0x30000010;
	u32 answer;
	int pid;

	STEP(1, sigaction(SIGSEGV, &mender, NULL) == 0);
	*hole = 77;
	STEP(2, count == 1 && *hole == 77);
	STEP(3, seen[0] == 14 && seen[1] == 6 && seen[2] == (u32)hole && seen[3] == (u32)hole);
	STEP(4, hole[2048] == 0 && count == 2 && seen[1] == 4);
	STEP(5, sigaction(SIGILL, &skipper, NULL) == 0);
	asm volatile("ud2" : "=a"(answer) : "a"(1));
	STEP(6, answer == 4711 && count == 3);
	pid = fork();
	if (!pid) {			/* the kernel's memory cannot be had: it would go on for ever */
		sigaction(SIGSEGV, &(struct sigaction){.handler = mend,
			  .flags = SA_SIGINFO | SA_RESETHAND}, NULL);
		*(volatile u32 *)0xc0100000 = 1;
		exit(0);
	}
	STEP(7, wait_for(pid) == SIGSEGV);
	pid = fork();
	if (!pid) {			/* a fault that is held back kills */
		u32 mask = BIT(SIGSEGV);

		sigprocmask(SIG_BLOCK, &mask, NULL);
		*(volatile u32 *)0x31000000 = 1;
		exit(0);
	}
	STEP(8, wait_for(pid) == SIGSEGV);
	return 0;
}

/*:*/

/*G:870 Held back, and woken up */
static void nest(int signal)
{
	depth++;
	deepest = depth > deepest ? depth : deepest;
	if (count++ < 3)
		kill(getpid(), signal);
	depth--;
}

static int masks(void)
{
	u32 usr1 = BIT(SIGUSR1), all = ~0u, old;

	signal(SIGUSR1, note);
	STEP(1, sigprocmask(SIG_BLOCK, &usr1, &old) == 0 && old == 0);
	STEP(2, kill(getpid(), SIGUSR1) == 0 && kill(getpid(), SIGUSR1) == 0 && count == 0);
	STEP(3, sigprocmask(SIG_UNBLOCK, &usr1, &old) == 0 && old == usr1);
	STEP(4, count == 1);			/* a bit has no number */
	STEP(5, sigprocmask(SIG_SETMASK, &all, NULL) == 0);
	STEP(6, sigprocmask(SIG_SETMASK, NULL, &old) == 0 && !(old & BIT(SIGKILL)));
	STEP(7, sigprocmask(9, &all, NULL) == -22 && sigprocmask(0, (u32 *)1, NULL) == -14);
	all = 0;
	STEP(8, sigprocmask(SIG_SETMASK, &all, NULL) == 0);
	count = 0;
	signal(SIGUSR2, nest);
	kill(getpid(), SIGUSR2);		/* held back while its handler runs */
	STEP(9, count == 4 && deepest == 1);
	count = 0;
	sigaction(SIGUSR2, &(struct sigaction){.handler = nest, .flags = SA_NODEFER}, NULL);
	kill(getpid(), SIGUSR2);
	STEP(10, count == 4 && deepest == 4);
	STEP(11, sigprocmask(SIG_SETMASK, NULL, &old) == 0 && old == 0);
	sigaction(SIGUSR2, &(struct sigaction){.handler = note, .flags = SA_RESETHAND}, NULL);
	kill(getpid(), SIGUSR2);
	STEP(12, signal(SIGUSR2, SIG_DFL) == 0);	/* it was already */
	return 0;
}

static const char *number(const char *p, int *n)
{
	while (*p == ' ')
		p++;
	for (*n = 0; *p >= '0' && *p <= '9'; p++)
		*n = *n * 10 + *p - '0';
	return p;
}

/* As /proc/ps has it: pid, parent, group, and then what it does. */
static bool sleeps(int pid)
{
	static char text[8192];
	int fd = open("/proc/ps"), length = 0, n, of, skipped;
	const char *p = text;

	while ((n = read(fd, text + length, (int)sizeof(text) - 1 - length)) > 0)
		length += n;
	close(fd);
	text[length] = '\0';
	for (; *p; p += *p == '\n') {
		p = number(number(number(p, &of), &skipped), &skipped);
		if (of == pid)
			return p[0] == ' ' && p[1] == 's' && p[2] == 'l';
		while (*p && *p != '\n')
			p++;
	}
	return false;
}

/* A child that taps us when we sleep: on a busy computer ten milliseconds may be too soon. */
static int tap(int signal)
{
	int parent = getpid(), pid = fork();

	if (pid)
		return pid;
	do
		sleep_ms(10);
	while (!sleeps(parent));
	kill(parent, signal);
	exit(0);
}

static int interrupted(void)
{
	static char page[8192];
	int ends[2], pid, status;

	signal(SIGUSR1, note);
	pipe(ends);
	pid = tap(SIGUSR1);
	STEP(1, read(ends[0], page, 1) == -4 && wait_for(pid) == 0);
	pid = tap(SIGUSR1);
	STEP(2, sleep_ms(5000) == -4 && wait_for(pid) == 0);
	pid = tap(SIGUSR1);
	STEP(3, pause() == -4 && wait_for(pid) == 0);
	STEP(4, write(ends[1], page, 4096) == 4096);
	pid = tap(SIGUSR1);
	STEP(5, write(ends[1], page, 1) == -4 && wait_for(pid) == 0);
	pid = fork();
	if (!pid) {
		sleep_ms(100);
		exit(0);
	}
	status = tap(SIGUSR1);
	STEP(6, waitpid(pid, NULL, 0) == -4);
	STEP(7, wait_for(status) == 0 && wait_for(pid) == 0);
	STEP(8, count == 5);
	/* What is ignored, or nothing by default, wakes nobody. */
	signal(SIGUSR1, SIG_IGN);
	pid = tap(SIGUSR1);
	STEP(9, sleep_ms(50) == 0 && wait_for(pid) == 0);
	signal(SIGUSR1, SIG_DFL);
	pid = tap(SIGCHLD);
	STEP(10, sleep_ms(50) == 0 && wait_for(pid) == 0);
	return 0;
}

/*:*/

/*G:871 Alarms, children, and a longer sleep */
static int alarms(void)
{
	u64 begun = uptime_ms();

	signal(SIGALRM, note);
	STEP(1, alarm(100) == 0 && alarm(0) == 100 && alarm(0) == 0);
	alarm(1);
	STEP(2, pause() == -4 && count == 1 && last == SIGALRM);
	STEP(3, uptime_ms() >= begun + 990);
	return 0;
}

static int children(void)
{
	int pid, ends[2];
	char c;

	signal(SIGCHLD, note);
	pid = fork();
	if (!pid)
		exit(3);
	while (!count)
		sched_yield();
	STEP(1, last == SIGCHLD && wait_for(pid) == 3 << 8);
	signal(SIGPIPE, SIG_IGN);
	pipe(ends);
	close(ends[0]);
	STEP(2, write(ends[1], "x", 1) == -32);
	signal(SIGPIPE, note);
	STEP(3, write(ends[1], "x", 1) == -32 && last == SIGPIPE);
	close(ends[1]);
	signal(SIGUSR1, note);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	pid = fork();
	if (!pid) {			/* handlers are inherited, and lost by exec */
		kill(getpid(), SIGUSR1);
		if (last != SIGUSR1)
			exit(1);
		execve("/bin/signaltest", (char *[]){"signaltest", "after_exec", NULL});
		exit(2);
	}
	STEP(4, wait_for(pid) == 5 << 8);
	pipe(ends);
	pid = fork();
	if (!pid) {			/* a group of two, and one tap for both */
		setpgid(0, 0);
		if (fork())
			write(ends[1], "1", 1);
		else
			write(ends[1], "2", 1);
		pause();
		exit(0);
	}
	read(ends[0], &c, 1);
	read(ends[0], &c, 1);
	STEP(5, kill(-pid, 0) == 0 && kill(-99999, 15) == -3);
	STEP(6, setpgid(99999, 0) == -3 && setpgid(0, 99999) == -1);
	STEP(7, kill(-pid, SIGTERM) == 0 && wait_for(pid) == SIGTERM);
	sleep_ms(5);
	STEP(8, kill(-pid, 0) == -3);	/* the second one is gone, and was buried */
	return 0;
}

/* Of a few pages the kernel tells the Host one by one that they are shared now. */
static int few_pages(void)
{
	int pid;

	count = 0;			/* the Host has the page at hand, writable */
	pid = fork();
	if (!pid) {
		sched_yield();
		exit(count == 0 ? 0 : 1);
	}
	count = 1;			/* at once: this must not be the child's page any more */
	STEP(1, wait_for(pid) == 0);
	return 0;
}

static int after_exec(void)
{
	struct sigaction a, b;

	sigaction(SIGUSR1, NULL, &a);
	sigaction(SIGUSR2, NULL, &b);
	return !a.handler && b.handler == (void *)SIG_IGN ? 5 : 6;
}

static int stopping(void)
{
	int ends[2], status, pid;
	char c = 0;

	pipe(ends);
	pid = fork();
	if (!pid)			/* a stop is a longer sleep: read() never hears of it */
		exit(read(ends[0], &c, 1) == 1 ? 7 : 1);
	sleep_ms(5);
	STEP(1, kill(pid, SIGTSTP) == 0);
	STEP(2, waitpid(pid, &status, WUNTRACED) == pid && status == (SIGTSTP << 8 | 0x7f));
	STEP(3, waitpid(pid, &status, WUNTRACED | WNOHANG) == 0);
	write(ends[1], "x", 1);
	sleep_ms(20);
	STEP(4, waitpid(pid, &status, WNOHANG) == 0);
	STEP(5, kill(pid, SIGCONT) == 0 && wait_for(pid) == 7 << 8);
	pid = fork();
	if (!pid)
		for (;;)
			;
	STEP(6, kill(pid, SIGSTOP) == 0);
	STEP(7, waitpid(pid, &status, WUNTRACED) == pid && status == (SIGSTOP << 8 | 0x7f));
	kill(pid, SIGTERM);		/* waits until it goes on */
	sleep_ms(5);
	STEP(8, waitpid(pid, &status, WNOHANG) == 0);
	kill(pid, SIGCONT);
	STEP(9, wait_for(pid) == SIGTERM);
	pid = fork();
	if (!pid)
		for (;;)
			;
	kill(pid, SIGSTOP);
	STEP(10, waitpid(pid, &status, WUNTRACED) == pid);
	kill(pid, SIGKILL);		/* does not wait */
	STEP(11, wait_for(pid) == SIGKILL);
	pid = fork();
	if (!pid) {			/* "go on" takes back a "stop" that was not heard yet */
		u32 mask = BIT(SIGTSTP);

		sigprocmask(SIG_BLOCK, &mask, NULL);
		kill(getpid(), SIGTSTP);
		kill(getpid(), SIGCONT);
		sigprocmask(SIG_UNBLOCK, &mask, NULL);
		exit(8);
	}
	STEP(12, waitpid(pid, &status, WUNTRACED) == pid && status == 8 << 8);
	return 0;
}

/*:*/

/*G:872 What a handler must not spoil */
static void spoil_fpu(int signal)
{
	u32 junk[4] = {1, 2, 3, 4}, fresh[4];

	asm volatile("movups %%xmm5, %0" : "=m"(fresh));
	asm volatile("fninit; fld1; fld1; movups %0, %%xmm5" : : "m"(junk));
	if (!(fresh[0] | fresh[1] | fresh[2] | fresh[3]))
		note(signal);
}

static int fpu(void)
{
	u32 n = 31337, word[4] = {9, 8, 7, 6}, got[4], integer = 0;

	signal(SIGUSR1, spoil_fpu);
	asm volatile("fninit; fildl %0; movups %1, %%xmm5" : : "m"(n), "m"(word));
	kill(getpid(), SIGUSR1);
	asm volatile("fistpl %0; movups %%xmm5, %1" : "=m"(integer), "=m"(got));
	STEP(1, count == 1 && integer == n && !memcmp(got, word, sizeof(word)));
	return 0;
}

/* The calls of before the year 2000: a smaller frame, another number to come back by. */
static int old_calls(void)
{
	u32 new[4] = {(u32)note, BIT(SIGUSR2), 0, 0}, old[4];

	STEP(1, syscall(67, SIGUSR1, (u32)new, (u32)old) == 0 && old[0] == 0);
	STEP(2, syscall(67, SIGUSR1, 0, (u32)old) == 0 && !memcmp(old, new, sizeof(old)));
	kill(getpid(), SIGUSR1);
	STEP(3, count == 1 && last == SIGUSR1);
	STEP(4, syscall(67, SIGUSR1, 0x1000, 0) == -14 && syscall(67, SIGKILL, (u32)new, 0) == -22);
	return 0;
}

/*:*/

/*G:873 Frames that the kernel never made */
static u32 flags_now, cs_now, mxcsr_now;

/* Goes to the kernel with esp where a frame for sigreturn would be. */
static void sigreturn(const struct sigcontext *c)
{
	struct {
		u32 return_to, signal;
		struct sigcontext context;
	} frame = {0, 0, *c};

	asm volatile("movl %0, %%esp\n\tmovl $119, %%eax\n\tint $0x80\n\tud2"
		     : : "r"(&frame.context) : "memory");
	__builtin_unreachable();
}

static void landed(void)
{
	asm volatile("pushfl\n\tpopl %0\n\tmovl %%cs, %1" : "=r"(flags_now), "=r"(cs_now));
	asm volatile("stmxcsr %0" : "=m"(mxcsr_now));
	exit(flags_now & 0x27000 || !(flags_now & 0x200) || (cs_now & 3) != 3 ||
	     mxcsr_now >> 16 ? 1 : 42);
}

static char its_stack[4096];

static struct sigcontext modest(void)
{
	struct sigcontext c = {
		.es = 0x7b, .ds = 0x7b, .eip = (u32)landed, .cs = 0x73, .eflags = 0x202,
		.esp_at_signal = (u32)its_stack + 4000, .ss = 0x7b,
	};

	return c;
}

static int forge(struct sigcontext c)
{
	int pid = fork();

	if (!pid)
		sigreturn(&c);
	return wait_for(pid);
}

static int forged(void)
{
	static u32 fpu[128];
	struct sigcontext c;
	int pid, ends[2];

	STEP(1, forge(modest()) == 42 << 8);
	c = modest();
	c.cs = 0x61;
	c.ss = 0x69;
	STEP(2, forge(c) == 42 << 8);		/* ring 1 is not to be had */
	c = modest();
	c.eflags = 0x27000;			/* IOPL 3, NT, VM, interrupts off */
	STEP(3, forge(c) == 42 << 8);
	c = modest();
	c.ds = 0x69;				/* the kernel's data, the Host's, none at all */
	STEP(4, forge(c) == SIGSEGV);
	c.ds = 0x18;
	STEP(5, forge(c) == SIGSEGV);
	c.ds = 0xfffc;
	STEP(6, forge(c) == SIGSEGV);
	c = modest();
	c.eip = 0xc0100000;
	STEP(7, forge(c) == SIGSEGV);
	c = modest();
	c.fpstate = 0xc0100000;
	STEP(8, forge(c) == SIGSEGV);
	memset(fpu, 0xff, sizeof(fpu));		/* bits in MXCSR that no processor has */
	c.fpstate = (u32)fpu;
	STEP(9, forge(c) == 42 << 8);
	c = modest();
	c.oldmask = ~0u;			/* KILL cannot be held back */
	c.eip = (u32)pause;
	pipe(ends);
	pid = fork();
	if (!pid) {
		write(ends[1], "x", 1);
		sigreturn(&c);
	}
	read(ends[0], fpu, 1);
	sleep_ms(5);
	kill(pid, SIGKILL);
	STEP(10, wait_for(pid) == SIGKILL);
	return 0;
}

/* A handler, and a stack pointer that points nowhere good. */
static int no_stack(void)
{
	static const u32 bad[] = {0, 4, 64, 0x1000, 0xc0000000, 0xc0100000, 0xfffffff0, 0x400100};
	u32 i;
	int pid;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		pid = fork();
		if (!pid) {
			signal(SIGUSR1, note);
			asm volatile("movl %0, %%esp\n\tint $0x80\n1:\tjmp 1b"
				     : : "r"(bad[i]), "a"(SYS_kill), "b"(getpid()), "c"(SIGUSR1));
		}
		STEP(i + 1, wait_for(pid) == SIGSEGV);
	}
	return 0;
}

static u32 draw(u32 *hat)
{
	*hat ^= *hat << 13;		/* xorshift: the same sequence every time */
	*hat ^= *hat >> 17;
	*hat ^= *hat << 5;
	return *hat;
}

/* A hundred frames of rubbish.  Whoever lives is killed; the kernel has to survive. */
static int rubbish(void)
{
	u32 hat = 20261120, i, j;
	int pid, status;

	for (i = 0; i < 100; i++) {
		struct sigcontext c = modest();
		u32 *words = (u32 *)&c;

		for (j = 0; j < 4; j++)
			words[draw(&hat) % 22] = draw(&hat) & (draw(&hat) & 1 ? 0xff : ~0u);
		words[draw(&hat) % 4] = (draw(&hat) % 33) << 3 | (draw(&hat) & 3);
		pid = fork();
		if (!pid)
			sigreturn(&c);
		STEP(1, pid > 0);
		sched_yield();
		kill(pid, SIGKILL);
		status = wait_for(pid);
		STEP(2, (status & 0x7f) || status == 42 << 8 || status == 1 << 8);
		STEP(3, status != 1 << 8);
	}
	return 0;
}

#define TEST(name) {#name, name}

static const struct {
	const char *name;
	int (*run)(void);
} tests[] = {
	TEST(handler), TEST(segv), TEST(masks), TEST(interrupted), TEST(alarms), TEST(children),
	TEST(few_pages), TEST(after_exec), TEST(stopping), TEST(fpu), TEST(old_calls), TEST(forged),
	TEST(no_stack), TEST(rubbish),
};

int main(int argc, char **argv)
{
	u32 i;

	for (i = 0; argc == 2 && i < sizeof(tests) / sizeof(tests[0]); i++)
		if (!strcmp(argv[1], tests[i].name))
			return tests[i].run();
	die("signaltest: expected the name of a test\n");
}
/*:*/
