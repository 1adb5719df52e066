/* SPDX-License-Identifier: MIT */
/*G:647 The phantom typist
 *
 * Here the kernel itself sits at the keyboard: it starts a shell, puts keys where the
 * console's driver would put them, and looks at what the console would have shown.
 */
#include "selftest.h"

static char seen[16384];
static u32 seen_length;

/* Of much text the end is kept. */
static void capture(const char *text, u32 length)
{
	const u32 half = sizeof(seen) / 2;

	if (length > half)
		return;
	if (length > sizeof(seen) - 1 - seen_length) {
		memmove(seen, seen + seen_length - (half - 1), half);
		seen_length = half - 1;
	}
	memcpy(seen + seen_length, text, length);
	seen_length += length;
	seen[seen_length] = '\0';
}

/* How many naps until something hangs: 20 s, which is much even on a machine that is busy. */
#define PATIENCE	10000u

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

	for (patience = PATIENCE; patience; patience--) {
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
	{"hel\tx\r", "sh: helx: no such program"},	/* help and hello */
	{"hell\tx\r", "\nHello from process"},
	{"he\t\025\r", "hello  help  "},
	{"cat /etc/mo\t\r", "\nWelcome"},
	{"cat /e\tmotd\r", "\nWelcome"},
	{"ech\to tab\r", "\no tab\n"},
	{"nonsens\te\r", "sh: nonsense: no such"},
};

/*:*/

/*G:646 The lessons */
static const char *lessons_learned(struct process *shell)
{
	static char many[20000];
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
	memcpy(many, "echo x", 6);
	memcpy(many + 9994, " | wc\r", 6);	/* ten thousand characters, all told */
	CHECK(type(shell, many, 10000) && type(shell, "", 0), "stuck on the long line");
	CHECK(strstr(seen, "\n      1       1    9990\n"), "the long line was not run");
	memset(many, 'x', sizeof(many));
	CHECK(type(shell, many, sizeof(many)) && type(shell, "\r", 1) && type(shell, "", 0),
	      "stuck on the line that is too long");
	CHECK(strstr(seen, "3617 characters too long: not run"), "no complaint");
	CHECK(type(shell, "echo long\r", 10) && type(shell, "", 0), "stuck after the long line");
	CHECK(strstr(seen, "\nlong\n"), "the long line stays");
	for (i = 0; i < 256; i++)
		many[i] = i == 3 || i == 4 || i == '\r' || i == '\n' ? ' ' : (char)i;
	CHECK(type(shell, many, 256), "no prompt for the noise");
	seen_length = 0;
	CHECK(type(shell, "\025echo noise\r", 12) && type(shell, "", 0), "stuck on the noise");
	CHECK(strstr(seen, "\nnoise\n"), "the noise stays");
	return NULL;
}

/* A test that failed may leave some of the shell's children behind. */
static void end_of_all(void)
{
	struct process *p;
	int status;

	for (p = process_list; p; p = p->next)
		process_kill(p->pid, SIGKILL);
	while (process_wait(-1, &status, 0) > 0)
		;
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
		end_of_all();
		if (!why && status)
			why = test_message("the shell's status is 0x%x", status);
	}
	tty_set_raw(false);
	print_to(before);
	return why;
}

SELFTEST(editing, "shell/line editing and history") { return with_shell(lessons_learned); }

/*
 * Is there a process of that name in the foreground, past its exec, and do all that are
 * with it wait?  One that is still between its fork and its exec ignores Ctrl-C.
 */
static bool asleep(const char *name)
{
	struct process *p;
	bool found = false;

	for (p = process_list; p; p = p->next) {
		if (p->group != tty_foreground)
			continue;
		if (p->state != SLEEPING)
			return false;
		found |= !strcmp(p->name, name);
	}
	return found;
}

/* Ctrl-C must reach all of a pipeline, whatever their standard input is. */
static const char *interrupted(struct process *shell)
{
	u32 patience = PATIENCE;

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

/*G:651 A dialogue */
/* Keys, and what must be seen after them. */
static const struct {
	const char *wait_for, *keys, *answer;	/* NULL: the prompt; anywhere in what follows */
} dialogue[] = {
	{NULL, "sleep 100\r", ""},
	{"sleep", "\032", "[1] stopped  sleep 100"},
	{NULL, "jobs\r", "[1] stopped  sleep 100"},
	{NULL, "bg\r", "[1] sleep 100"},
	{NULL, "jobs\r", "[1] running  sleep 100"},
	{NULL, "sleep 200 | cat\r", ""},
	{"cat", "\003", "^C"},			/* and the one in the background lives */
	{NULL, "jobs\r", "[1] running  sleep 100"},
	{NULL, "cat &\r", "[2] "},
	{NULL, "spin 30; jobs\r", "[2] stopped  cat"},	/* it wanted to read what is not for it */
	{NULL, "fg\r", "cat"},
	{"cat", "ab\033c\177\177d\r", "\nabd\n"},
	{"cat", "partial\004", "partialpartial"},
	{"cat", "\r\004", ""},
	{NULL, "sleep 300 ; echo never\r", ""},
	{"sleep", "\003", "^C"},
	{NULL, "jobs\r", "[1] running  sleep 100"},
	{NULL, "wait\r", ""},
	{"sh", "\003", "^C"},
	{NULL, "echo $?\r", "\n130\n"},
	{NULL, "fg %1\r", "sleep 100"},
	{"sleep", "\003", "^C"},
	{NULL, "jobs; echo none\r", "\nnone\n"},
	{NULL, "crash ud2\r", "crash: killed by signal 4"},
	{NULL, "sh -c 'exit 9'\r", "sh: exit status 9"},
};

static bool seen_soon(const char *what)
{
	u32 patience;

	for (patience = PATIENCE; patience && !strstr(seen, what); patience--)
		nap();
	return patience;
}

static const char *jobs_done(struct process *shell)
{
	u32 i, patience;

	for (i = 0; i < sizeof(dialogue) / sizeof(dialogue[0]); i++) {
		for (patience = PATIENCE; patience; patience--) {
			if (dialogue[i].wait_for ? !tty_is_raw() && asleep(dialogue[i].wait_for) :
			    tty_is_raw() && shell->state == SLEEPING)
				break;
			nap();
		}
		CHECK(patience, "line %u: nobody waits for it", i);
		seen_length = 0;
		seen[0] = '\0';
		press(dialogue[i].keys, strlen(dialogue[i].keys));
		CHECK(seen_soon(dialogue[i].answer), "line %u: no \"%s\"", i, dialogue[i].answer);
		CHECK(!strstr(seen, "\nnever"), "line %u: the rest of the line was run", i);
	}
	return NULL;
}

SELFTEST(jobs, "shell/jobs: Ctrl-Z, fg, bg, wait, Ctrl-D") { return with_shell(jobs_done); }
/*:*/
