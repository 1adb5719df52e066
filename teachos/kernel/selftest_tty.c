/* SPDX-License-Identifier: MIT */
/*G:647 The phantom typist
 *
 * Here the kernel itself sits at the keyboard: it starts a shell, puts keys where the
 * console's driver would put them, and looks at what the console would have shown.
 */
#include "selftest.h"

static char seen[16384];
static u32 seen_length;

static void capture(const char *text, u32 length)
{
	if (length > sizeof(seen) - 1 - seen_length)
		length = sizeof(seen) - 1 - seen_length;
	memcpy(seen + seen_length, text, length);
	seen_length += length;
	seen[seen_length] = '\0';
}

static void nap(void)
{
	bool irqs = irq_save();
	u64 deadline = pv.now() + 2 * NS_PER_MS;

	sleep_on(&deadline, deadline);
	irq_restore(irqs);
}

static void press(const char *keys, u32 length)
{
	bool irqs = irq_save();

	tty_input(keys, length);
	irq_restore(irqs);
}

/* Types keys at the next prompt; false: there is none for a long time. */
static bool type(struct process *shell, const char *keys, u32 length)
{
	u32 patience;

	for (patience = 3000; patience; patience--) {
		if (shell->state == ZOMBIE)
			return false;
		if (tty_is_raw() && shell->state == SLEEPING)
			break;
		nap();
	}
	if (patience)
		press(keys, length);
	return patience;
}

#define UP	"\033[A"
#define DOWN	"\033[B"
#define RIGHT	"\033[C"
#define LEFT	"\033[D"

static const struct {
	const char *keys, *answer;
} lessons[] = {
	{"echo ac" LEFT "b\r", "\nabc\n"},
	{UP LEFT LEFT "X\r", "\naXbc\n"},
	{"zecho home\033[H\033[3~\r", "\nhome\n"},
	{"cho end\001e\005!\r", "\nend!\n"},
	{"junk\025echo u\r", "\nu\n"},
	{"echo one two\027three\r", "\none three\n"},
	{"echo four" LEFT LEFT RIGHT "\013\r", "\nfou\n"},
	{UP UP UP DOWN "\b\b\b\b\b3\r", "\none 3\n"},
	{"unfinished" UP DOWN "\001echo \r", "\nunfinished\n"},
	{"rubbish\003echo after\r", "\nafter\n"},
	{"echo 1\recho 2\r", "\n2\n"},		/* typed ahead of the prompt */
};

static const char *lessons_learned(struct process *shell)
{
	static char many[1100];
	u32 i;

	for (i = 0; i < sizeof(lessons) / sizeof(lessons[0]); i++) {
		seen_length = 0;
		CHECK(type(shell, lessons[i].keys, strlen(lessons[i].keys)), "no prompt %u", i);
		CHECK(type(shell, "", 0), "lesson %u does not end", i);
		CHECK(strstr(seen, lessons[i].answer), "lesson %u: no \"%s\"", i,
		      lessons[i].answer + 1);
	}
	seen_length = 0;
	memset(many, 'x', sizeof(many));
	CHECK(type(shell, many, sizeof(many)), "no prompt for the long line");
	CHECK(type(shell, "\025echo long\r", 11) && type(shell, "", 0), "stuck on the long line");
	CHECK(strstr(seen, "\nlong\n"), "the long line stays");
	CHECK(strstr(seen, "\a"), "the long line has no end");
	for (i = 0; i < 256; i++)
		many[i] = i == 3 || i == 4 || i == '\r' || i == '\n' ? ' ' : (char)i;
	CHECK(type(shell, many, 256), "no prompt for the noise");
	seen_length = 0;
	CHECK(type(shell, "\025echo noise\r", 12) && type(shell, "", 0), "stuck on the noise");
	CHECK(strstr(seen, "\nnoise\n"), "the noise stays");
	return NULL;
}

/* Runs test(shell) with a shell on the console; whatever happens, it is gone then. */
static const char *with_shell(const char *(*test)(struct process *shell))
{
	char *argv[] = {"sh", NULL};
	console_writer *before = print_to(capture);
	int pid = process_spawn("/bin/sh", argv), status = 0;
	const char *why = "no shell";

	seen_length = 0;
	if (pid > 0) {
		why = test(process_find(pid));
		if (why || !type(process_find(pid), "exit\r", 5))
			process_kill(pid, SIGKILL);
		while (process_wait(-1, &status, 0) != pid)
			;
		if (!why && status)
			why = test_message("the shell's status is 0x%x", status);
	}
	tty_set_raw(false);
	print_to(before);
	return why;
}

SELFTEST(editing, "shell/line editing and history") { return with_shell(lessons_learned); }

/* Is there a process of that name, past its exec, that waits for something? */
static bool asleep(const char *name)
{
	struct process *p;

	for (p = process_list; p; p = p->next)
		if (!strcmp(p->name, name))
			return p->state == SLEEPING;
	return false;
}

/* Ctrl-C must reach all of a pipeline, whatever their standard input is. */
static const char *interrupted(struct process *shell)
{
	u32 patience = 3000;

	CHECK(type(shell, "cat | sleep 100\r", 16), "no prompt");
	while (!(asleep("cat") && asleep("sleep")) && --patience)
		nap();
	CHECK(patience, "the pipeline does not start");
	press("\003", 1);
	CHECK(type(shell, "echo alive\r", 11) && type(shell, "", 0), "it did not end");
	CHECK(strstr(seen, "\nalive\n"), "the shell does not go on");
	return NULL;
}

SELFTEST(interrupt, "shell/Ctrl-C ends a whole pipeline") { return with_shell(interrupted); }
/*:*/
