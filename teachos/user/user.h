/* SPDX-License-Identifier: MIT */
/*G:805 What a program can call
 *
 * The system calls bear Linux's names and numbers for i386; they return -errno
 * instead of setting errno.
 :*/
#ifndef USER_H
#define USER_H

#include "lib.h"

#define SYS_exit 1
#define SYS_fork 2
#define SYS_read 3
#define SYS_write 4
#define SYS_open 5
#define SYS_close 6
#define SYS_waitpid 7
#define SYS_unlink 10
#define SYS_execve 11
#define SYS_chdir 12
#define SYS_getpid 20
#define SYS_alarm 27
#define SYS_pause 29
#define SYS_kill 37
#define SYS_pipe 42
#define SYS_brk 45
#define SYS_ioctl 54
#define SYS_setpgid 57
#define SYS_dup2 63
#define SYS_getppid 64
#define SYS_getpgrp 65
#define SYS_setsid 66
#define SYS_reboot 88
#define SYS_mmap 90
#define SYS_munmap 91
#define SYS_socketcall 102
#define SYS_sysinfo 116
#define SYS_sigprocmask 126
#define SYS_getpgid 132
#define SYS_getdents 141
#define SYS_sched_yield 158
#define SYS_nanosleep 162
#define SYS_rt_sigaction 174
#define SYS_getcwd 183
#define SYS_set_thread_area 243
#define SYS_clock_gettime 265
#define SYS_getrandom 355

#define WNOHANG 1
#define WUNTRACED 2
#define WIFSTOPPED(status) (((status) & 0xff) == 0x7f)
#define WSTOPSIG(status) WEXITSTATUS(status)
#define WIFEXITED(status) (!((status) & 0x7f))
#define WEXITSTATUS(status) ((status) >> 8 & 0xff)
#define WTERMSIG(status) ((status) & 0x7f)

static inline int syscall(int number, u32 a, u32 b, u32 c)
{
	int result;

	asm volatile("int $0x80" : "=a"(result) : "0"(number), "b"(a), "c"(b), "d"(c)
		     : "memory");
	return result;
}

void exit(int status) __attribute__((noreturn));
int fork(void);
int read(int fd, void *to, u32 length);
int write(int fd, const void *from, u32 length);
int open(const char *path);			/* to read */
int open_flags(const char *path, u32 flags);
#define O_RDONLY 0x000u
#define O_WRONLY 0x001u
#define O_RDWR 0x002u
#define O_CREAT 0x040u
#define O_TRUNC 0x200u
#define O_APPEND 0x400u
int unlink(const char *path);
int pipe(int ends[2]);			/* [0] to read from, [1] to write to */
int dup2(int fd, int copy);
int setsid(void);			/* away from the console: no Ctrl-C */
int close(int fd);
int waitpid(int pid, int *status, int options);
int execve(const char *path, char *const argv[]);	/* and our environment */
extern char **environ;			/* "NAME=value"..., NULL */
const char *getenv(const char *name);	/* its value, NULL: there is none */
int getpid(void);
int kill(int pid, int signal);		/* 0: all of our group, -N: all of group N */
int setpgid(int pid, int group);	/* 0: ourselves; 0: a new group, named after pid */
int getpgrp(void);
u32 alarm(u32 seconds);			/* SIGALRM then; returns what was left of the last */
int pause(void);			/* until a signal came, and was handled */

/* What becomes of signal: SIG_DFL, SIG_IGN, or a call of handler(signal).  The old
 * choice, or -errno. */
int signal(int signal, void (*handler)(int signal));
#define SIG_DFL ((void (*)(int))0)
#define SIG_IGN ((void (*)(int))1)
enum {
	SIGHUP = 1, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1,
	SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGCHLD = 17, SIGCONT, SIGSTOP, SIGTSTP,
	SIGTTIN, SIGTTOU, SIGNALS = 32
};
/* As Linux's rt_sigaction has it; mask: bit n - 1 is for signal n. */
struct sigaction {
	void *handler;
	u32 flags;
	void (*restorer)(void);
	u32 mask[2];
};
#define SA_SIGINFO	0x00000004u	/* handler(signal, siginfo, ucontext) */
#define SA_NODEFER	0x40000000u	/* the signal may come again meanwhile */
#define SA_RESETHAND	0x80000000u	/* once, then SIG_DFL again */
int sigaction(int signal, const struct sigaction *new, struct sigaction *old);
#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2
int sigprocmask(int how, const u32 *set, u32 *old);
void *brk(void *end);
/* length bytes of zeros; an address, or -errno (above -4096).  flags: MAP_FIXED or 0. */
u32 mmap(u32 address, u32 length, u32 prot, u32 flags);
int munmap(u32 address, u32 length);
#define PROT_READ 1u
#define PROT_WRITE 2u
#define MAP_FIXED 0x10u
int sched_yield(void);
int sleep_ms(u32 ms);
u64 uptime_ms(void);
/* Standard input gives keys as they come, unseen, or lines; false: it is no console. */
bool console_raw(bool raw);
int reboot(u32 how);
#define REBOOT_RESTART 0x01234567u
#define REBOOT_POWER_OFF 0x4321fedcu

/* Writes all of it to standard output; if that can't be done, says so and ends the
 * program with status 1. */
void put(const char *text, u32 length);
/* To standard output by put(), a line (or a buffer) at a time. */
int printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* To standard error, number 2: so that a complaint does not vanish in a pipe. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Complains and ends the program with status 1. */
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Ends the program with a complaint if it was given arguments. */
void no_arguments(int argc, char **argv);
const char *error_text(int error);	/* of a negative result */

/* Lines of a file, of up to LINE_MAX bytes; longer ones come in pieces of that size. */
#define LINE_MAX 1024
struct reader {
	int fd;
	u32 at, used;
	char chunk[512];
};
/* The next line without its '\n', NUL at the end: its length; -1: there is none.
 * An error of read() is in *error, which is else left alone. */
int reader_line(struct reader *r, char line[LINE_MAX + 1], int *error);

/* For programs that work on files, or on what they are fed: calls work(fd, name) for
 * each of names[0..count - 1], or for standard input if there are none.  Returns 1
 * if a file could not be opened or a call returned non-zero, else 0. */
int for_each_file(const char *program, char **names, int count,
		  int (*work)(int fd, const char *name));

int main(int argc, char **argv);

#endif
