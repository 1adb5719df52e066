/* SPDX-License-Identifier: MIT */
/*G:806 The programs' side of the counter
 *
 * One line a call: arguments into registers, `int $0x80`.  printf collects a line and
 * sends it off in one piece, as each journey into the kernel costs something.
 :*/
#include "user.h"

char **environ;			/* start.asm sets it */

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

int open_flags(const char *path, u32 flags)
{
	return syscall(SYS_open, (u32)path, flags, 0);
}

int unlink(const char *path)
{
	return syscall(SYS_unlink, (u32)path, 0, 0);
}

int pipe(int ends[2])
{
	return syscall(SYS_pipe, (u32)ends, 0, 0);
}

int dup2(int fd, int copy)
{
	return syscall(SYS_dup2, fd, copy, 0);
}

int setsid(void)
{
	return syscall(SYS_setsid, 0, 0, 0);
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
	return syscall(SYS_execve, (u32)path, (u32)argv, (u32)environ);
}

const char *getenv(const char *name)
{
	u32 length = strlen(name), i;

	for (i = 0; environ[i]; i++)
		if (!strncmp(environ[i], name, length) && environ[i][length] == '=')
			return environ[i] + length + 1;
	return NULL;
}

int getpid(void)
{
	return syscall(SYS_getpid, 0, 0, 0);
}

int kill(int pid, int signal)
{
	return syscall(SYS_kill, pid, signal, 0);
}

int setpgid(int pid, int group)
{
	return syscall(SYS_setpgid, pid, group, 0);
}

int getpgrp(void)
{
	return syscall(SYS_getpgrp, 0, 0, 0);
}

u32 alarm(u32 seconds)
{
	return syscall(SYS_alarm, seconds, 0, 0);
}

int pause(void)
{
	return syscall(SYS_pause, 0, 0, 0);
}

int sigaction(int signal, const struct sigaction *new, struct sigaction *old)
{
	int result;

	asm volatile("int $0x80" : "=a"(result) : "0"(SYS_rt_sigaction), "b"(signal), "c"(new),
		     "d"(old), "S"(8) : "memory");
	return result;
}

int signal(int signal, void (*handler)(int signal))
{
	struct sigaction new = {.handler = handler}, old;
	int error = sigaction(signal, &new, &old);

	return error ? error : (int)old.handler;
}

int sigprocmask(int how, const u32 *set, u32 *old)
{
	return syscall(SYS_sigprocmask, how, (u32)set, (u32)old);
}

void *brk(void *end)
{
	return (void *)syscall(SYS_brk, (u32)end, 0, 0);
}

u32 mmap(u32 address, u32 length, u32 prot, u32 flags)
{
	u32 args[6] = {address, length, prot, flags | 0x22, -1u, 0};	/* private, anonymous */

	return syscall(SYS_mmap, (u32)args, 0, 0);
}

int munmap(u32 address, u32 length)
{
	return syscall(SYS_munmap, address, length, 0);
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

/* struct termios of Linux, as far as anybody looks at it here. */
#define TCGETS 0x5401
#define TCSETS 0x5402
#define ICANON 2u
#define ECHO 8u

bool console_raw(bool raw)
{
	u32 termios[16];

	if (syscall(SYS_ioctl, 0, TCGETS, (u32)termios))
		return false;
	termios[3] = raw ? termios[3] & ~(ICANON | ECHO) : termios[3] | ICANON | ECHO;
	return !syscall(SYS_ioctl, 0, TCSETS, (u32)termios);
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

void put(const char *text, u32 length)
{
	int n;

	for (; length; text += n, length -= n) {
		n = write(1, text, length);
		if (n <= 0) {
			complain("cannot write: %s\n", error_text(n));
			exit(1);
		}
	}
}

struct out {
	int fd;
	char text[256];
	u32 used;
};

static void out_flush(struct out *out)
{
	if (out->fd == 1)
		put(out->text, out->used);
	else
		write(out->fd, out->text, out->used);
	out->used = 0;
}

static void out_put(char c, void *arg)
{
	struct out *out = arg;

	out->text[out->used++] = c;
	if (out->used == sizeof(out->text))
		out_flush(out);
}

static int vfprintf(int fd, const char *fmt, va_list ap)
{
	struct out out = {.fd = fd, .used = 0};
	int count = format(out_put, &out, fmt, ap);

	out_flush(&out);
	return count;
}

int printf(const char *fmt, ...)
{
	va_list ap;
	int count;

	va_start(ap, fmt);
	count = vfprintf(1, fmt, ap);
	va_end(ap);
	return count;
}

void complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(2, fmt, ap);
	va_end(ap);
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(2, fmt, ap);
	va_end(ap);
	exit(1);
}

void no_arguments(int argc, char **argv)
{
	if (argc > 1)
		die("%s: %s: expected no arguments\n", argv[0], argv[1]);
}

const char *error_text(int error)
{
	switch (-error) {
	case 2: return "no such file";
	case 3: return "no such process";
	case 4: return "interrupted";
	case 1: return "not permitted";
	case 5: return "the disk failed, or it is not for us";
	case 7: return "the arguments are too long";
	case 8: return "not a program";
	case 9: return "not an open file";
	case 10: return "no children";
	case 12: return "out of memory";
	case 11: return "not now";
	case 13: return "not allowed";
	case 14: return "bad address";
	case 16: return "in use";
	case 17: return "it exists already";
	case 18: return "on another disk";
	case 20: return "not a directory";
	case 21: return "is a directory";
	case 22: return "invalid argument";
	case 24: return "too many open files";
	case 25: return "not a terminal";
	case 27: return "the file is too large";
	case 28: return "no space left";
	case 29: return "there is no place to go to in it";
	case 30: return "it is read-only";
	case 31: return "too many names";
	case 32: return "nobody reads it";
	case 36: return "the name is too long";
	case 39: return "the directory is not empty";
	case 38: return "no such system call";
	case 19: return "there is no such device";
	case 88: return "not a socket";
	case 89: return "sent to nobody";
	case 90: return "too long for a packet";
	case 93: return "no such protocol";
	case 95: return "not with this kind of socket";
	case 97: return "no such kind of address";
	case 98: return "somebody has that port";
	case 99: return "not an address of ours";
	case 101: return "no way leads there (see `ip`)";
	case 104: return "the other side broke it off";
	case 106: return "connected already";
	case 107: return "not connected";
	case 110: return "no answer";
	case 111: return "nobody listens there";
	case 113: return "nobody is there";
	}
	return "error";
}

int reader_line(struct reader *r, char line[LINE_MAX + 1], int *error)
{
	int length = 0, n;

	while (length < LINE_MAX) {
		if (r->at == r->used) {
			n = read(r->fd, r->chunk, sizeof(r->chunk));
			if (n < 0)
				*error = n;
			if (n <= 0 && !length)
				return -1;
			if (n <= 0)
				break;
			r->at = 0;
			r->used = n;
		}
		line[length] = r->chunk[r->at++];
		if (line[length] == '\n')
			break;
		length++;
	}
	line[length] = '\0';
	return length;
}

int for_each_file(const char *program, char **names, int count,
		  int (*work)(int fd, const char *name))
{
	int i, fd, bad = 0;

	if (!count)
		return work(0, "standard input") != 0;
	for (i = 0; i < count; i++) {
		fd = open(names[i]);
		if (fd < 0) {
			complain("%s: %s: %s\n", program, names[i], error_text(fd));
			bad = 1;
			continue;
		}
		bad |= work(fd, names[i]) != 0;
		close(fd);
	}
	return bad;
}
