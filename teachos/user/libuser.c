/* SPDX-License-Identifier: MIT */
/*G:806 The programs' side of the counter
 *
 * One line a call: arguments into registers, `int $0x80`.  printf collects a line and
 * sends it off in one piece, as each journey into the kernel costs something.
 :*/
#include "user.h"

void exit(int status)
{
	syscall(SYS_exit, status, 0, 0);
	for (;;)
		;
}

int fork(void)
{
	return syscall(SYS_fork, 0, 0, 0);
}

int read(int fd, void *to, u32 length)
{
	return syscall(SYS_read, fd, (u32)to, length);
}

int write(int fd, const void *from, u32 length)
{
	return syscall(SYS_write, fd, (u32)from, length);
}

int open(const char *path)
{
	return syscall(SYS_open, (u32)path, 0, 0);
}

int close(int fd)
{
	return syscall(SYS_close, fd, 0, 0);
}

int waitpid(int pid, int *status, int options)
{
	return syscall(SYS_waitpid, pid, (u32)status, options);
}

int execve(const char *path, char *const argv[])
{
	return syscall(SYS_execve, (u32)path, (u32)argv, 0);
}

int getpid(void)
{
	return syscall(SYS_getpid, 0, 0, 0);
}

int kill(int pid, int signal)
{
	return syscall(SYS_kill, pid, signal, 0);
}

void *brk(void *end)
{
	return (void *)syscall(SYS_brk, (u32)end, 0, 0);
}

int sched_yield(void)
{
	return syscall(SYS_sched_yield, 0, 0, 0);
}

int sleep_ms(u32 ms)
{
	u32 time[2] = {ms / 1000, ms % 1000 * 1000000};

	return syscall(SYS_nanosleep, (u32)time, 0, 0);
}

u64 uptime_ms(void)
{
	u32 time[2] = {0, 0};

	syscall(SYS_clock_gettime, 1, (u32)time, 0);
	return (u64)time[0] * 1000 + time[1] / 1000000;
}

int reboot(u32 how)
{
	return syscall(SYS_reboot, 0xfee1dead, 0x28121969, how);
}

struct out {
	char text[256];
	u32 used;
};

static void out_put(char c, void *arg)
{
	struct out *out = arg;

	out->text[out->used++] = c;
	if (out->used == sizeof(out->text)) {
		write(1, out->text, out->used);
		out->used = 0;
	}
}

static int vprintf(const char *fmt, va_list ap)
{
	struct out out = {.used = 0};
	int count = format(out_put, &out, fmt, ap);

	write(1, out.text, out.used);
	return count;
}

int printf(const char *fmt, ...)
{
	va_list ap;
	int count;

	va_start(ap, fmt);
	count = vprintf(fmt, ap);
	va_end(ap);
	return count;
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	exit(1);
}

const char *error_text(int error)
{
	switch (-error) {
	case 2: return "no such file";
	case 3: return "no such process";
	case 4: return "interrupted";
	case 7: return "too many arguments";
	case 8: return "not a program";
	case 9: return "not an open file";
	case 10: return "no children";
	case 12: return "out of memory";
	case 14: return "bad address";
	case 20: return "not a directory";
	case 21: return "is a directory";
	case 22: return "invalid argument";
	case 24: return "too many open files";
	case 38: return "no such system call";
	}
	return "error";
}
