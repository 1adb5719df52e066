/* SPDX-License-Identifier: MIT */
/*G:450 The counter
 *
 * A process rings by `int $0x80`: number in eax, arguments in ebx, ecx, edx; the
 * answer comes back in eax, and an answer between -4095 and -1 is an error.  The
 * numbers are Linux's for i386, and so are the meanings.  This trap goes straight
 * from ring 3 to ring 1, no Host in between, and interrupts stay on.
 */
#include "kernel.h"

#define REBOOT_MAGIC1	0xfee1deadu
#define REBOOT_RESTART	0x01234567u
#define REBOOT_POWER_OFF 0x4321fedcu

struct file *get_file(u32 fd)
{
	return fd < PROCESS_FILES ? current->file[fd] : NULL;
}

static int sys_exit(struct trap_frame *f)
{
	process_exit(STATUS_EXITED(f->ebx));
}

static int sys_fork(struct trap_frame *f)
{
	return process_fork(f);
}

static int sys_read(struct trap_frame *f)
{
	struct file *file = get_file(f->ebx);

	return file ? file_read(file, f->ecx, f->edx) : -EBADF;
}

static int sys_write(struct trap_frame *f)
{
	struct file *file = get_file(f->ebx);

	return file ? file_write(file, f->ecx, f->edx) : -EBADF;
}

/* The first free number from fd on; PROCESS_FILES: none. */
static u32 free_fd(u32 fd)
{
	while (fd < PROCESS_FILES && current->file[fd])
		fd++;
	return fd;
}

static int sys_open(struct trap_frame *f)
{
	char path[PATH_SIZE];
	u32 fd = free_fd(0);
	struct file *file;
	int error;

	if (!string_from_user(path, f->ebx, sizeof(path)))
		return -EFAULT;
	if (fd == PROCESS_FILES)
		return -EMFILE;
	file = file_open(path, f->ecx, &error);
	if (!file)
		return error;
	current->file[fd] = file;	/* not before: it may have slept */
	return fd;
}

static int sys_close(struct trap_frame *f)
{
	struct file *file = get_file(f->ebx);

	if (!file)
		return -EBADF;
	file_put(file);
	current->file[f->ebx] = NULL;
	return 0;
}

static int sys_pipe(struct trap_frame *f)
{
	struct file *ends[2];
	u32 fd[2];
	int error;

	fd[0] = free_fd(0);
	fd[1] = free_fd(fd[0] + 1);
	if (fd[1] >= PROCESS_FILES)
		return -EMFILE;
	error = file_pipe(ends);
	if (error)
		return error;
	if (!copy_to_user(f->ebx, fd, sizeof(fd))) {
		file_put(ends[0]);
		file_put(ends[1]);
		return -EFAULT;
	}
	current->file[fd[0]] = ends[0];
	current->file[fd[1]] = ends[1];
	return 0;
}

/* Two numbers for one open file, with one offset: what the shell's > is made of. */
static int sys_dup2(struct trap_frame *f)
{
	struct file *file = get_file(f->ebx), *old = get_file(f->ecx);

	if (!file || f->ecx >= PROCESS_FILES)
		return -EBADF;
	if (file == old)
		return f->ecx;
	file_get(file);
	current->file[f->ecx] = file;
	if (old)
		file_put(old);
	return f->ecx;
}

/*:*/

/*G:452 Families, and what becomes of them */
/* The way out of the console's reach: Ctrl-C does not find us any more. */
static int sys_setsid(struct trap_frame *f)
{
	(void)f;
	if (current->group == current->pid)
		return -EPERM;
	return current->group = current->pid;
}

static bool group_exists(int group)
{
	struct process *p;

	for (p = process_list; p && p->group != group; p = p->next)
		;
	return p && group > 0;
}

/* Only for oneself and one's children: it is how a shell makes a job. */
static int sys_setpgid(struct trap_frame *f)
{
	struct process *p = f->ebx ? process_find(f->ebx) : current;
	int group = f->ecx;

	if (!p || (p != current && p->parent != current))
		return -ESRCH;
	if (group < 0)
		return -EINVAL;
	if (!group)
		group = p->pid;
	if (group != p->pid && !group_exists(group))
		return -EPERM;
	p->group = group;
	return 0;
}

static int sys_getpgid(struct trap_frame *f)
{
	struct process *p = f->ebx ? process_find(f->ebx) : current;

	return p ? p->group : -ESRCH;
}

static int sys_getpgrp(struct trap_frame *f)
{
	(void)f;
	return current->group;
}

static int sys_waitpid(struct trap_frame *f)
{
	int status, pid = process_wait((int)f->ebx, &status, f->edx);

	if (pid > 0 && f->ecx && !copy_to_user(f->ecx, &status, sizeof(status)))
		return -EFAULT;
	return pid;
}

static int sys_execve(struct trap_frame *f)
{
	struct arguments args;
	char path[PATH_SIZE];
	int error;

	if (!string_from_user(path, f->ebx, sizeof(path)))
		return -EFAULT;
	error = arguments_from_user(&args, f->ecx, f->edx);
	if (!error)
		error = process_exec(path, &args, f);
	arguments_free(&args);
	return error;
}

static int sys_getpid(struct trap_frame *f)
{
	(void)f;
	return current->pid;
}

static int sys_getppid(struct trap_frame *f)
{
	(void)f;
	return current->parent->pid;
}

static int sys_brk(struct trap_frame *f)
{
	return vm_brk(current, f->ebx);
}

#define MAP_KIND	0x23u		/* MAP_SHARED, MAP_PRIVATE, MAP_ANONYMOUS */
#define MAP_OURS	0x22u		/* private and anonymous: all that we have */
#define MAP_FIXED	0x10u

static int sys_mmap2(struct trap_frame *f)
{
	if ((f->esi & MAP_KIND) != MAP_OURS)
		return -EINVAL;
	return vm_map(current, f->ebx, f->ecx, f->edx, f->esi & MAP_FIXED);
}

/* The old way: the arguments lie in memory. */
static int sys_mmap(struct trap_frame *f)
{
	u32 args[6];

	if (!copy_from_user(args, f->ebx, sizeof(args)))
		return -EFAULT;
	if ((args[3] & MAP_KIND) != MAP_OURS)
		return -EINVAL;
	return vm_map(current, args[0], args[1], args[2], args[3] & MAP_FIXED);
}

static int sys_munmap(struct trap_frame *f)
{
	return vm_unmap(current, f->ebx, f->ecx);
}

/*:*/
static int sys_reboot(struct trap_frame *f)
{
	if (f->ebx != REBOOT_MAGIC1)
		return -EINVAL;
	if (f->edx == REBOOT_RESTART)
		power_down("Restarting system", SHUTDOWN_RESTART);
	if (f->edx == REBOOT_POWER_OFF)
		power_down("Power down", SHUTDOWN_POWEROFF);
	return -EINVAL;
}

/* struct sysinfo: of its 64 bytes we fill uptime, totalram, freeram, procs, unit. */
static int sys_sysinfo(struct trap_frame *f)
{
	u32 info[16] = {0};

	info[0] = div64(clock_now(), NS_PER_S, NULL);
	info[4] = frames_total();
	info[5] = frames_free();
	info[10] = process_count() - 1;
	info[13] = PAGE_SIZE;
	return copy_to_user(f->ebx, info, sizeof(info)) ? 0 : -EFAULT;
}

/* Of struct termios (16 words are more than enough) we know ICANON and ECHO, as one. */
#define TCGETS		0x5401u
#define TCSETS		0x5402u
#define TIOCGPGRP	0x540fu
#define TIOCSPGRP	0x5410u		/* who is in the foreground */
#define TERMIOS_LFLAG	3
#define ICANON		2u
#define ECHO		8u

static int sys_ioctl(struct trap_frame *f)
{
	struct file *file = get_file(f->ebx);
	u32 termios[9] = {0};
	int group;

	if (!file)
		return -EBADF;
	if (!file_is_console(file))
		return -ENOTTY;
	switch (f->ecx) {
	case TCGETS:
		termios[TERMIOS_LFLAG] = tty_is_raw() ? 0 : ICANON | ECHO;
		return copy_to_user(f->edx, termios, sizeof(termios)) ? 0 : -EFAULT;
	case TCSETS:
		if (!copy_from_user(termios, f->edx, sizeof(termios)))
			return -EFAULT;
		tty_set_raw(!(termios[TERMIOS_LFLAG] & ICANON));
		return 0;
	case TIOCGPGRP:
		return copy_to_user(f->edx, &tty_foreground, 4) ? 0 : -EFAULT;
	case TIOCSPGRP:
		if (!copy_from_user(&group, f->edx, 4))
			return -EFAULT;
		if (!group_exists(group))
			return -EPERM;
		tty_foreground = group;
		return 0;
	}
	return -EINVAL;
}

static int sys_getdents(struct trap_frame *f)
{
	struct file *file = get_file(f->ebx);

	return file ? file_getdents(file, f->ecx, f->edx) : -EBADF;
}

static int sys_yield(struct trap_frame *f)
{
	(void)f;
	yield();
	return 0;
}

static int sys_nanosleep(struct trap_frame *f)
{
	u32 time[2];
	u64 deadline;
	bool irqs, undisturbed = true;

	if (!copy_from_user(time, f->ebx, sizeof(time)))
		return -EFAULT;
	if (time[1] >= NS_PER_S || (int)time[0] < 0)
		return -EINVAL;
	irqs = irq_save();
	deadline = pv.now() + (u64)time[0] * NS_PER_S + time[1];
	while (undisturbed && pv.now() < deadline)
		undisturbed = sleep_on(&deadline, deadline);
	irq_restore(irqs);
	return undisturbed ? 0 : -EINTR;
}

static int sys_clock_gettime(struct trap_frame *f)
{
	u32 time[2];

	time[0] = div64(clock_now(), NS_PER_S, &time[1]);
	return copy_to_user(f->ecx, time, sizeof(time)) ? 0 : -EFAULT;
}

/*G:455 A segment of one's own
 *
 * Thread-local storage is a segment whose base differs from thread to thread, so
 * that %gs:0 is another place in each.  set_thread_area() takes struct user_desc
 * (entry, base, limit, flags) and makes an 8-byte descriptor of it:
 *
 *	base 31..24 | G D 0 A | limit 19..16 | P DPL S type | base 23..0 | limit 15..0
 */
#define TLS_FIRST	6u
#define TLS_WRITABLE	0x00f2u		/* P, DPL 3, data, read/write */
#define USER_DESC_READ_ONLY	0x08u	/* flags: seg_32bit, contents:2, then this... */
#define USER_DESC_IN_PAGES	0x10u
#define USER_DESC_EMPTY		0x20u	/* seg_not_present */

static int sys_set_thread_area(struct trap_frame *f)
{
	u32 d[4], entry;	/* entry, base, limit, flags */
	u64 base, limit;

	if (!copy_from_user(d, f->ebx, sizeof(d)))
		return -EFAULT;
	entry = d[0] == 0xffffffff ? TLS_FIRST : d[0];
	if (d[0] == 0xffffffff)		/* "choose one for me" */
		while (entry < TLS_FIRST + 2 && current->tls[entry - TLS_FIRST])
			entry++;
	if (entry - TLS_FIRST >= 3)
		return -EINVAL;
	base = d[1];
	limit = d[2] & 0xfffff;
	current->tls[entry - TLS_FIRST] = d[3] & USER_DESC_EMPTY ? 0 :
		(limit & 0xffff) | (base & 0xffffff) << 16 |
		(u64)(TLS_WRITABLE & (d[3] & USER_DESC_READ_ONLY ? ~2u : ~0u)) << 40 |
		(limit >> 16) << 48 |
		(u64)(d[3] & USER_DESC_IN_PAGES ? 0xc : 0x4) << 52 | (base >> 24) << 56;
	tls_load(current->tls);
	d[0] = entry;
	return copy_to_user(f->ebx, d, sizeof(d[0])) ? 0 : -EFAULT;
}
/*:*/

/* One system call for all that sockets can do: ebx says what, ecx where the arguments lie. */
static int sys_socketcall(struct trap_frame *f)
{
	static const u8 count[] = {0, 3, 3, 3, 2, 3, 3, 3, 4, 4, 4, 6, 6, 2, 5};
	u32 args[6] = {0}, fd = free_fd(0);
	struct file *opened = NULL;
	int result;

	if (f->ebx >= sizeof(count) || !count[f->ebx])
		return -EINVAL;
	if (!copy_from_user(args, f->ecx, 4 * count[f->ebx]))
		return -EFAULT;
	if (fd == PROCESS_FILES && (f->ebx == 1 || f->ebx == 5))	/* socket(), accept() */
		return -EMFILE;
	result = socket_call(f->ebx, f->ebx == 1 ? NULL : get_file(args[0]), args, &opened);
	if (opened && result < 0)
		file_put(opened);
	if (!opened || result < 0)
		return result;
	current->file[fd] = opened;
	return fd;
}

static int sys_getrandom(struct trap_frame *f)
{
	return random_read(f->ebx, f->ecx);
}

static system_call *const calls[] = {
	[1] = sys_exit,		[2] = sys_fork,		[3] = sys_read,
	[4] = sys_write,	[5] = sys_open,		[6] = sys_close,
	[7] = sys_waitpid,	[11] = sys_execve,
	[20] = sys_getpid,	[27] = sys_alarm,	[29] = sys_pause,
	[37] = sys_kill,	[42] = sys_pipe,
	[45] = sys_brk,		[54] = sys_ioctl,	[63] = sys_dup2,	[64] = sys_getppid,
	[57] = sys_setpgid,	[65] = sys_getpgrp,	[66] = sys_setsid,
	[67] = sys_sigaction,
	[88] = sys_reboot,	[90] = sys_mmap,	[91] = sys_munmap,
	[102] = sys_socketcall,
	[116] = sys_sysinfo,	[119] = sys_sigreturn,	[126] = sys_sigprocmask,
	[132] = sys_getpgid,	[141] = sys_getdents,
	[158] = sys_yield,	[162] = sys_nanosleep,	[192] = sys_mmap2,
	[173] = sys_rt_sigreturn,	[174] = sys_rt_sigaction,
	[175] = sys_rt_sigprocmask,
	[243] = sys_set_thread_area,
	/* files: syscall_file.c */
	[10] = sys_unlink,	[12] = sys_chdir,	[19] = sys_lseek,	[21] = sys_mount,
	[22] = sys_umount,	[30] = sys_utime,	[36] = sys_sync,	[38] = sys_rename,
	[39] = sys_mkdir,	[40] = sys_rmdir,	[93] = sys_ftruncate,	[99] = sys_statfs,
	[106] = sys_stat,	[108] = sys_fstat,	[118] = sys_fsync,	[183] = sys_getcwd,
	[252] = sys_exit,	[265] = sys_clock_gettime,	[355] = sys_getrandom,
};

void syscall_handler(struct trap_frame *f)
{
	u32 number = f->eax;

	if (number < sizeof(calls) / sizeof(calls[0]) && calls[number])
		f->eax = calls[number](f);
	else
		f->eax = -ENOSYS;
	return_to_user();
}
