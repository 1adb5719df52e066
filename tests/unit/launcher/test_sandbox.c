// SPDX-License-Identifier: MIT
/*
 * Every system call there is, made by a child that has locked itself in.  What may pass
 * is written down here a second time, by hand.  No sanitizer: it would not be allowed to.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "test.h"

static const struct sandbox_call extra[] = {
	ALWAYS(fdatasync, "a test"),
	CALLS_END
};

const struct sandbox_call host_calls[] = {
	ONLY_IF(ioctl, 1, LG_IOC_RUN, "a test"),
	CALLS_END
};

static struct device device = { .calls = extra };
static char said[4096];

/* What becomes of a process that does this inside?  Exit status, or -signal. */
static int inside(void (*what)(long), long argument)
{
	struct bus bus = { .devices = 1, .device = { &device } };
	ssize_t n = 0, got;
	int status, ends[2];
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (!child) {
		dup2(ends[1], STDERR_FILENO);
		sandbox_shut(&bus, NULL);
		what(argument);
		syscall(SYS_exit_group, 77);
	}
	close(ends[1]);
	while ((got = read(ends[0], said + n, sizeof(said) - 1 - (size_t)n)) > 0)
		n += got;
	said[n] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void just_call(long number)
{
	syscall(number, 0, 0, 0, 0, 0, 0);
}

static bool in_list(const long *list, long number)
{
	for (; *list >= 0; list++)
		if (*list == number)
			return true;
	return false;
}

static void every_call(void **state)
{
	static const long may[] = {
		SYS_read, SYS_write, SYS_poll, SYS_restart_syscall, SYS_futex, SYS_clock_gettime,
		SYS_clock_nanosleep, SYS_pread64, SYS_lseek, SYS_pwrite64, SYS_ftruncate, SYS_close,
		SYS_madvise, SYS_brk, SYS_munmap, SYS_mmap, SYS_getpgrp, SYS_rt_sigprocmask,
		SYS_getpid, SYS_gettid, SYS_rseq, SYS_set_robust_list, SYS_fdatasync,
		SYS_sysinfo, -1,
	};
	/* After these nobody is left to say so; and two that Linux makes itself, for uprobes,
	 * never come to a filter (they are of no use to anybody else). */
	static const long other[] = { SYS_rt_sigreturn, SYS_exit_group, 335, 336, -1 };
	unsigned forbidden = 0;

	(void)state;
	for (long n = 0; n < 460; n++) {
		char number[32];
		int end;

		if (in_list(other, n))
			continue;
		end = inside(just_call, n);
		if (end != (in_list(may, n) ? 77 : STATUS_SANDBOX))
			fail_msg("system call %ld: ended with %d: %s", n, end, said);
		snprintf(number, sizeof(number), "system call %ld (", n);
		if (!in_list(may, n) && !strstr(said, number))
			fail_msg("system call %ld: said '%s'", n, said);
		forbidden += !in_list(may, n);
	}
	assert_true(forbidden > 400);
}

static void by_name(void **state)
{
	(void)state;
	assert_int_equal(inside(just_call, SYS_execve), 34);
	assert_non_null(strstr(said, "launcher: the sandbox forbids system call 59 (execve), at 0x"));
	assert_int_equal(inside(just_call, SYS_socket), 34);
	assert_non_null(strstr(said, "(socket)"));
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);	/* one line */
}

/* ---- Calls of which only some are allowed ---- */

static void kill_parent(long unused) { (void)unused; kill(getppid(), 0); }
static void kill_pid(long pid) { syscall(SYS_kill, pid, 0); }
static void kill_me(long unused) { (void)unused; kill(getpid(), 0); }
static void tgkill_pid(long pid) { syscall(SYS_tgkill, pid, pid, 0); }
static void do_ioctl(long request) { ioctl(0, (unsigned long)request, 0); }

static void map(long protection)
{
	if (mmap(NULL, 4096, (int)protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		_exit(1);
}

static void protect(long protection)
{
	mprotect((void *)((uintptr_t)&device & ~4095ul), 4096, (int)protection);
}

static void handler(long unused)
{
	(void)unused;
	signal(SIGSYS, SIG_IGN);
}

static void behind_a_mask(long unused)
{
	sigset_t all;

	(void)unused;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	syscall(SYS_socket, 1, 1, 0);
}

/* The 32-bit door: number 1 is exit there. */
static void other_door(long unused)
{
	(void)unused;
	__asm__ volatile("int $0x80" : : "a"(1), "b"(0) : "memory");
}

static void some_arguments(void **state)
{
	(void)state;
	assert_int_equal(inside(kill_me, 0), 77);
	assert_int_equal(inside(kill_pid, getpid()), 34);
	assert_int_equal(inside(kill_pid, 1), 34);
	assert_int_equal(inside(kill_pid, -1), 34);
	assert_int_equal(inside(tgkill_pid, getpid()), 34);
	assert_int_equal(inside(kill_parent, 0), 34);
	assert_non_null(strstr(said, "(getppid)"));
	assert_int_equal(inside(do_ioctl, TCGETS), 77);
	assert_int_equal(inside(do_ioctl, TCSETS), 77);
	assert_int_equal(inside(do_ioctl, TIOCGPGRP), 77);
	assert_int_equal(inside(do_ioctl, LG_IOC_RUN), 77);
	assert_int_equal(inside(do_ioctl, LG_IOC_CREATE), 34);
	assert_int_equal(inside(do_ioctl, TIOCSTI), 34);	/* types for you after we ended */
	assert_int_equal(inside(do_ioctl, TIOCLINUX), 34);
	assert_int_equal(inside(map, PROT_READ | PROT_WRITE), 77);
	assert_int_equal(inside(map, PROT_READ | PROT_WRITE | PROT_EXEC), 34);
	assert_int_equal(inside(map, PROT_EXEC), 34);
	assert_int_equal(inside(protect, PROT_READ | PROT_EXEC), 34);
	assert_int_equal(inside(handler, 0), 34);
}

/* Without a message, but not carried out either. */
static void dead_at_once(void **state)
{
	(void)state;
	assert_int_equal(inside(behind_a_mask, 0), -SIGSYS);
	assert_int_equal(inside(other_door, 0), -SIGSYS);
}

/* ---- All threads ---- */

static int go[2];

static void *thread(void *unused)
{
	char c;

	(void)unused;
	if (read(go[0], &c, 1) == 1)
		syscall(SYS_socket, 1, 1, 0);
	return NULL;
}

static void threads_made_before(void **state)
{
	struct bus bus = { 0 };
	pthread_t t;
	int status;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(go), 0);
	child = fork();
	if (!child) {
		freopen("/dev/null", "w", stderr);
		pthread_create(&t, NULL, thread, NULL);
		sandbox_shut(&bus, NULL);
		if (write(go[1], "x", 1) == 1)
			for (;;)
				poll(NULL, 0, -1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 34);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_call), TEST(by_name), TEST(some_arguments), TEST(dead_at_once),
		TEST(threads_made_before),
	};

	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
