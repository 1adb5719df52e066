/* SPDX-License-Identifier: MIT */
/*G:130 From the first line of C to the first process
 *
 * Each step needs the ones before it: no page tables without frames, no interrupts
 * without gates to receive them, no processes without all of that.  Then the words
 * of the command line decide what this machine is for today:
 *
 *	(nothing)		the shell
 *	selftest [pattern]	check all that can be checked, power off
 *	bench			measure, power off
 *	echo WORD...		say that, power off
 *	init=PATH [ARG...]	run one program instead of the shell, power off
 *	panic			trip on purpose, to see what a panic looks like
 *	panic stack		trip where there is no stack to fall on: a triple fault
 *
 * Before all these may stand how to find oneself on a network: ip=10.0.2.15/24,10.0.2.2
 * (without it: by DHCP).
 */
#include "kernel.h"

struct boot_info boot_info;
struct pv_ops pv;
extern char kernel_end[];

#define MAX_WORDS 24

static u32 split_words(char *line, char **words)
{
	u32 n = 0;

	while (n < MAX_WORDS - 1) {
		while (*line == ' ')
			*line++ = '\0';
		if (!*line)
			break;
		words[n++] = line;
		while (*line && *line != ' ')
			line++;
	}
	words[n] = NULL;
	return n;
}

void power_down(const char *text, enum shutdown_how how)
{
	mount_remove_all();
	machine_shutdown(text, how);
}

/* Runs one program as process 1 and ends with it. */
static void run_init(const char *path, char *const argv[]) __attribute__((noreturn));
static void run_init(const char *path, char *const argv[])
{
	static char text[96];
	int status = 0, pid = process_spawn(path, argv);

	if (pid < 0) {
		snformat(text, sizeof(text), "cannot run %s: %s", path,
			 pid == -ENOENT ? "no such file" : pid == -ENOEXEC ? "not a program"
									   : "out of memory");
		print("teachos: %s\n", text);
		power_down(text, SHUTDOWN_POWEROFF);
	}
	process_find(pid)->immortal = true;
	while (process_wait(-1, &status, 0) != pid)
		;		/* orphans, on their way */
	if (!status)
		power_down("Power down", SHUTDOWN_POWEROFF);
	if (status & 0x7f)
		snformat(text, sizeof(text), "%s was killed by signal %d", path, status & 0x7f);
	else
		snformat(text, sizeof(text), "%s ended with status %d", path, status >> 8);
	power_down(text, SHUTDOWN_POWEROFF);
}

static void follow_command_line(void) __attribute__((noreturn));
static void follow_command_line(void)
{
	char *all_words[MAX_WORDS];
	static char *const shell[] = {"sh", NULL};
	char **words = all_words;
	u32 count = split_words(boot_info.command_line, words);
	const char *address = NULL;

	if (count && !strncmp(words[0], "ip=", 3)) {
		address = *words++ + 3;
		count--;
	}
	net_begin(address);
	if (count && !strcmp(words[0], "selftest"))
		selftest_run(words[1]);
	if (count && !strcmp(words[0], "bench"))
		bench_run();
	if (count && !strcmp(words[0], "echo"))
		run_init("/bin/echo", words);
	if (count && !strncmp(words[0], "init=", 5) && words[0][5]) {
		words[0] += 5;
		run_init(words[0], words);
	}
	if (count > 1 && !strcmp(words[0], "panic") && !strcmp(words[1], "stack"))
		asm volatile("mov %0, %%esp\n\tpush %%eax" : : "i"(PAGE_SIZE));
	if (count && !strcmp(words[0], "panic"))
		*(volatile u32 *)0 = 1;
	if (count)
		print("teachos: \"%s\" on the command line: expected nothing, ip=, selftest, "
		      "bench, echo, init=PATH or panic; here is the shell\n", words[0]);
	run_init("/bin/sh", shell);
}
/*:*/

void kernel_main(void)
{
	process_init();
	print("TeachOS (%s, %s page tables), %u MiB\n", pv.name,
	      sizeof(pte_t) == 8 ? "PAE" : "2-level", boot_info.memory >> 20);
	trap_init();
	frame_init(virt_to_phys(kernel_end), boot_info.memory);
	paging_init();
	fpu_init();
	clock_init();
	initfs_init();
	pv.find_devices();
	pv.irq_enable();
	ext2_mount_first();
	print("%u KiB of memory free\n", frames_free() * (PAGE_SIZE / 1024));
	follow_command_line();
}
