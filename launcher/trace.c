// SPDX-License-Identifier: MIT
/*L:782 The timeline
 *
 * A Guest enters and leaves some ten thousand times a second, and from outside you see
 * a prompt.  With --trace=FILE every step is written down: each stay in the Guest, what
 * ended it, what the Host did about it, each interrupt on its way.  The file is in the
 * format of Chrome's tracing, one event a line; Perfetto (ui.perfetto.dev) opens it, and
 * so does `make view TRACE=FILE`.
 *
 *	   Guest runs        Host           tracefs          a process of ours
 *	  ------------      ------         ---------        -------------------
 *	   int $0x1f  --->  lguest_exit  ->  ring of
 *	                    lguest_hyper..->  events   --->  reads, sorts, writes
 *	              <---  lguest_enter ->  (per CPU)           run.json
 *	                                        ^
 *	   Launcher: "serving the console" -----'  trace_marker
 *
 * We do not watch: the Host does, with the tracepoints that perf and trace-cmd use, into
 * the rings that they use.  Our own remarks go into the same rings, through a file called
 * trace_marker, so that all stands in one order, by one clock.
 *
 * Who reads the rings?  Not a thread: the Launcher may give up its rights once it is
 * running, or be killed with -9.  A second process, started before all that, keeps the
 * rights, holds one end of a pipe, and knows that it is over when the other end is gone.
 * Then it writes the last events, puts tracefs back as it was, and goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "trace.h"

#define ROUND_MS	20	/* how long events may wait in their ring */

static int life_line = -1;	/* closed when we end, however that happens */
static int all_written = -1;	/* its other end is closed when the reader is done */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
/*:*/

/*L:784 The reader's life
 *
 * A full disk ends the trace and not the Guest: what is written stays, up to the last
 * whole line, and the rings are closed, so that nothing is recorded for nobody.
 */
static void gave_up(const struct trace_writer *w)
{
	say("--trace=%s: %s; the trace ends here, after %" PRIu64 " events; the Guest goes on",
	    w->name, strerror(errno), trace_writer_events());
}

static void count_out(const struct trace_writer *w)
{
	if (trace_writer_lost())
		say("--trace=%s: %" PRIu64 " events were lost, because they came faster than they "
		    "could be written; %" PRIu64 " are there.  --trace-filter= makes them fewer",
		    w->name, trace_writer_lost(), trace_writer_events());
	else
		verbose("--trace=%s: %" PRIu64 " events, none lost", w->name,
			trace_writer_events());
}

/* The TSC's rate, against a clock of Linux.  At least one round lies between. */
static void measure_tsc(struct trace_writer *w)
{
	double passed = seconds() - w->started;

	w->tsc_khz = (uint64_t)((double)(__rdtsc() - w->tsc0) / passed / 1000 + 0.5);
}

static bool take_all(struct trace_reader *r, struct trace_writer *w, uint64_t before)
{
	struct trace_event ev;

	while (trace_reader_next(r, before, &ev)) {
		if (!w->main_pid) {		/* the first mark is ours: see trace_start() */
			if (ev.kind != TRACE_MARK)
				continue;
			w->main_pid = ev.pid;
			if (!trace_writer_begin(w))
				return false;
		}
		if (!trace_writer_event(w, &ev))
			return false;
	}
	return trace_writer_flush(w);
}

static void read_to_the_end(struct trace_reader *r, struct trace_writer *w, int life)
{
	struct pollfd end = { .fd = life, .events = POLLIN };
	bool over = false, good = true;
	char byte;

	while (good && !over) {
		struct timespec pause = { .tv_nsec = ROUND_MS * 1000000L };

		if (!w->tsc_khz) {
			nanosleep(&pause, NULL);
			measure_tsc(w);
			over = poll(&end, 1, 0) > 0;
		} else {
			over = poll(&end, 1, ROUND_MS) > 0;
		}
		good = take_all(r, w, over ? UINT64_MAX : __rdtsc());
	}
	if (good)
		good = trace_writer_end(w);
	if (good) {
		count_out(w);
	} else {
		gave_up(w);
		trace_reader_pause(r);
		/* The Launcher keeps the instance busy by its trace_marker. */
		while (!over && read(life, &byte, 1) < 0 && errno == EINTR)
			;
	}
	trace_reader_close(r);
}

/* Signals that end the Launcher reach it and us alike; but we have work to finish. */
static _Noreturn void reader_process(struct trace_reader *r, struct trace_writer *w, int life)
{
	static const int deaf[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGPIPE, SIGTTOU };

	for (unsigned i = 0; i < sizeof(deaf) / sizeof(deaf[0]); i++)
		signal(deaf[i], SIG_IGN);
	prctl(PR_SET_NAME, "lguest-trace");
	close(STDIN_FILENO);
	read_to_the_end(r, w, life);
	_exit(0);
}
/*:*/

int trace_check(const char *file, struct complaint *c)
{
	bool there = !access(file, F_OK);
	int fd;

	if (!strcmp(file, "-"))
		return 0;
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
	if (fd < 0)
		return complain(c, STATUS_USAGE, "--trace=%s: cannot write there: %s", file,
				strerror(errno));
	close(fd);
	if (!there)
		unlink(file);
	return 0;
}

/* Opens the file, and keeps others from writing to it as well. */
static int open_output(struct trace_writer *w, struct complaint *c)
{
	struct stat st;

	if (!strcmp(w->name, "-")) {
		w->live = true;
		w->fd = STDERR_FILENO;
		return 0;
	}
	w->fd = open(w->name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (w->fd < 0 || fstat(w->fd, &st) < 0)
		return complain(c, STATUS_USAGE, "--trace=%s: cannot write there: %s", w->name,
				strerror(errno));
	if (!S_ISREG(st.st_mode))
		return 0;
	if (flock(w->fd, LOCK_EX | LOCK_NB) < 0) {
		close(w->fd);
		return complain(c, STATUS_USAGE, "--trace=%s: another Launcher writes its trace "
				"there; expected a file for each", w->name);
	}
	if (ftruncate(w->fd, 0) < 0)
		return complain(c, STATUS_USAGE, "--trace=%s: %s", w->name, strerror(errno));
	return 0;
}

int trace_start(const struct options *o, const struct image *img, struct complaint *c)
{
	struct trace_writer w = { .name = o->trace, .options = o };
	int life[2], done[2], mark;
	struct trace_reader *r;
	pid_t pid;

	if (open_output(&w, c))
		return c->status;
	r = trace_reader_open(o->trace_filter, &mark, c);
	if (!r)
		return c->status;
	if (pipe2(life, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0)
		return complain(c, STATUS_INTERNAL, "--trace: pipe: %s", strerror(errno));
	trace_mark_fd = mark;
	w.started = seconds();
	w.tsc0 = __rdtsc();
	trace_mark("H");	/* and by this the reader knows our number */
	symbols_read(&w.symbols, img);
	pid = fork();
	if (pid < 0)
		return complain(c, STATUS_INTERNAL, "--trace: no process to write it: %s",
				strerror(errno));
	if (!pid) {
		close(life[1]);
		close(done[0]);
		close(mark);
		reader_process(r, &w, life[0]);
	}
	close(life[0]);
	close(done[1]);
	if (!w.live)
		close(w.fd);
	trace_reader_forget(r);
	symbols_free(&w.symbols);
	life_line = life[1];
	all_written = done[0];
	if (!(o->trace_filter & TRACE_SHOW_DEVICE)) {
		close(trace_mark_fd);
		trace_mark_fd = -1;
	}
	atexit(trace_stop);
	return 0;
}

void trace_stop(void)
{
	char byte;

	if (life_line < 0)
		return;
	if (trace_mark_fd >= 0)
		close(trace_mark_fd);
	close(life_line);
	trace_mark_fd = life_line = -1;
	while (read(all_written, &byte, 1) < 0 && errno == EINTR)
		;
}
