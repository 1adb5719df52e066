/* SPDX-License-Identifier: MIT */
#ifndef JOBS_H
#define JOBS_H

#include "lib.h"

/*G:884 Jobs */
#define MAX_COMMANDS 8		/* of one pipeline */

struct job {
	int group;		/* 0: this slot is free */
	int pids[MAX_COMMANDS], statuses[MAX_COMMANDS];
	int count, alive;
	bool stopped, background, changed;
	char names[MAX_COMMANDS][16];	/* of the programs */
	char text[60];		/* the line, or its beginning */
};

/* Does each job have a group of its own?  Yes, if somebody sits at the console. */
extern bool job_control;
void jobs_begin(void);			/* we take the console */
/* A new job's record; NULL after a complaint. */
struct job *job_new(void);
int job_number(const struct job *job);		/* from 1 on */
/* %N or N; NULL text: the youngest.  NULL after a complaint. */
struct job *job_find(const char *program, const char *text);
/* In the child, before exec: its group, its signals, perhaps the console. */
void job_join(const struct job *job);
void job_add(struct job *job, int pid);		/* in the shell, after fork */
/* Waits until all of it has ended, or stopped; true: it has ended. */
bool job_wait(struct job *job);
void job_continue(struct job *job, bool background);
void jobs_report(bool all);		/* those that changed */
int jobs_wait(void);			/* for all in the background; 130: Ctrl-C */
/*:*/
#endif
