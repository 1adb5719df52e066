/* SPDX-License-Identifier: MIT */
/*G:885 Who has the keyboard?
 *
 * A job is what one line with | starts: up to eight processes that belong together.  The
 * kernel knows them as a group, and the console has one group in the foreground: Ctrl-C
 * and Ctrl-Z go to it, and it alone may read.  All that a shell does is to say which,
 * and when its job has ended or stopped, to say "me again".
 *
 * A script does not do this: its programs are in the group of the script, and Ctrl-C ends
 * all of them together.  Only what it starts with & gets a group, so that it lives on.
 */
#include "user.h"
#include "jobs.h"

#define MAX_JOBS 16
#define TIOCSPGRP 0x5410

static struct job jobs[MAX_JOBS];
static int shell_group;
bool job_control;

static void foreground(int group)
{
	if (job_control)
		syscall(SYS_ioctl, 0, TIOCSPGRP, (u32)&group);
}

/* What is for the jobs and would hurt the shell. */
static void console_signals(void (*handler)(int))
{
	signal(SIGINT, handler);
	signal(SIGQUIT, handler);
	signal(SIGTSTP, handler);
	signal(SIGTTIN, handler);
}

void jobs_begin(void)
{
	job_control = true;
	console_signals(SIG_IGN);
	setpgid(0, 0);
	shell_group = getpgrp();
	foreground(shell_group);
}

static void note(int pid, int status)
{
	int i, n;

	for (i = 0; i < MAX_JOBS; i++)
		for (n = 0; n < jobs[i].count; n++) {
			if (jobs[i].pids[n] != pid)
				continue;
			jobs[i].changed = true;
			jobs[i].stopped = WIFSTOPPED(status);
			if (jobs[i].stopped)
				return;
			jobs[i].statuses[n] = status;
			jobs[i].pids[n] = 0;
			jobs[i].alive--;
			return;
		}
}

/* What has happened in the background. */
static void catch_up(void)
{
	int pid, status;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0)
		note(pid, status);
}

struct job *job_new(void)
{
	int i;

	catch_up();
	for (i = 0; i < MAX_JOBS; i++)
		if (!jobs[i].count || (!jobs[i].alive && !(jobs[i].changed && job_control))) {
			memset(&jobs[i], 0, sizeof(jobs[i]));
			return &jobs[i];
		}
	complain("sh: %d jobs are running; `wait` for them, or `kill` some\n", MAX_JOBS);
	return NULL;
}

int job_number(const struct job *job)
{
	return job - jobs + 1;
}

struct job *job_find(const char *program, const char *text)
{
	u32 n = 0, i;

	for (i = 0; !text && i < MAX_JOBS; i++)
		if (jobs[i].alive)
			n = i + 1;
	if (text && !parse_number(text + (*text == '%'), &n))
		n = 0;
	if (n && n <= MAX_JOBS && jobs[n - 1].alive)
		return &jobs[n - 1];
	if (text)
		complain("%s: %s: no such job; `jobs` lists them\n", program, text);
	else
		complain("%s: there is no job\n", program);
	return NULL;
}

void job_join(const struct job *job)
{
	if (job_control || job->background)
		setpgid(0, job->group);
	if (job_control) {
		if (!job->background)
			foreground(getpgrp());
		console_signals(SIG_DFL);
	} else if (job->background) {
		close(0);		/* what is typed is not for it */
	}
}

void job_add(struct job *job, int pid)
{
	if (!job->group)
		job->group = pid;
	if (job_control || job->background)
		setpgid(pid, job->group);	/* the child may not have come to it yet */
	job->pids[job->count++] = pid;
	job->alive++;
	if (!job->background)
		foreground(job->group);
}

bool job_wait(struct job *job)
{
	int pid, status;

	while (job->alive && !job->stopped) {
		pid = waitpid(-1, &status, WUNTRACED);
		if (pid > 0)
			note(pid, status);
		else if (pid != -4)
			break;
	}
	foreground(shell_group);
	job->changed = job->alive;
	if (job->alive)
		job->background = true;
	return !job->alive;
}

void job_continue(struct job *job, bool background)
{
	job->background = background;
	job->stopped = job->changed = false;
	if (!background)
		foreground(job->group);
	kill(-job->group, SIGCONT);
}

void jobs_report(bool all)
{
	int i, last;

	catch_up();
	for (i = 0; i < MAX_JOBS; i++) {
		struct job *job = &jobs[i];

		if (!job->count || !(job->changed || (all && job->alive)))
			continue;
		job->changed = false;
		last = job->statuses[job->count - 1];
		if (job->alive)
			printf("[%d] %s  %s\n", i + 1, job->stopped ? "stopped" : "running",
			       job->text);
		else if (!WIFEXITED(last))
			printf("[%d] killed by signal %d  %s\n", i + 1, WTERMSIG(last), job->text);
		else if (WEXITSTATUS(last))
			printf("[%d] exit status %d  %s\n", i + 1, WEXITSTATUS(last), job->text);
		else
			printf("[%d] done  %s\n", i + 1, job->text);
	}
}

static void nothing(int signal)
{
	(void)signal;
}

int jobs_wait(void)
{
	int pid, status, i;
	bool running;

	signal(SIGINT, nothing);	/* Ctrl-C ends the waiting, not us */
	do {
		for (running = false, i = 0; i < MAX_JOBS; i++)
			running |= jobs[i].alive && !jobs[i].stopped;
		pid = running ? waitpid(-1, &status, WUNTRACED) : 0;
		if (pid > 0)
			note(pid, status);
	} while (pid > 0);
	signal(SIGINT, job_control ? SIG_IGN : SIG_DFL);
	return pid == -4 ? 130 : 0;
}
/*:*/
