// SPDX-License-Identifier: MIT
/*L:788 Reading what Linux wrote down
 *
 * Linux keeps events in a ring for each CPU, written without any lock.  tracefs shows
 * the rings as files.  We do what trace-cmd does:
 *
 *	instances/lguest-PID/			rings of our own: nobody else's trace is
 *						disturbed, and two Guests can have two
 *	    trace_clock				x86-tsc: a tick is what RDTSC counts
 *	    buffer_size_kb			of each ring
 *	    events/lguest/lguest_exit/enable
 *	    per_cpu/cpu0/trace_pipe_raw		pages of events, as they are in memory
 *	    trace_marker			what we write there becomes an event
 *	events/lguest/lguest_exit/format	where in an event each field is
 *
 * What is in a page (time deltas of 27 bits, padding, lost events) is documented and
 * tricky; libtraceevent, which trace-cmd and perf are made with, reads it for us.  What
 * is in an event is told by its format file, one line a field.
 *
 * Events must come out in the order of time, from however many CPUs.  Each ring is in
 * order by itself, so we look at the oldest of each and take the oldest of those.  But
 * a ring that is empty now may get an event a moment later that is older than the one
 * we hold.  So the caller reads the clock first and asks for what is older than that:
 * whatever comes later is younger.
 :*/
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <traceevent/kbuffer.h>
#include <unistd.h>

#include "trace.h"

#define RING_KB_MIN	256	/* of each CPU */
#define RING_KB_MAX	65536
#define RING_SHARE	16	/* all together at most this part of the memory that is free */
#define PREFIX		"lguest-"

struct field {
	unsigned offset, size;
};

struct layout {
	int id;				/* of the event; 0: not wanted */
	struct field field[TRACE_FIELDS_MAX];
};

struct stream {			/* one CPU's ring */
	int fd;
	struct kbuffer *buffer;
	void *page;
	const uint8_t *event;	/* the oldest not taken, NULL: not known */
	uint64_t tsc;
	unsigned size;
	uint64_t lost;		/* before it */
};

struct trace_reader {
	char root[32], instance[96];
	size_t page_size;
	struct layout layout[TRACE_KINDS];
	unsigned streams;
	struct stream *stream;
	uint64_t lost;			/* before an event that nobody wanted */
};

static const struct {
	const char *system, *event;
	const char *field[TRACE_FIELDS_MAX];
	unsigned fields;
} known[] = {
#define F(kind, name) #name,
#define E(kind, system, event, fields) { system, event, { fields(F) }, kind##_COUNT },
	TRACE_EVENTS(E)
#undef E
#undef F
};

/* ---- Small files ---- */

/* Returns the length, or -1 with errno.  text gets a NUL. */
static ssize_t read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1, got = 0;

	if (fd < 0)
		return -1;
	while ((size_t)got < size - 1 && (n = read(fd, text + got, size - 1 - (size_t)got)) > 0)
		got += n;
	close(fd);
	text[got] = '\0';
	return n < 0 ? -1 : got;
}

static bool put(const struct trace_reader *r, const char *name, const char *value)
{
	char path[256];
	int fd, error;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", r->instance, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	error = errno;
	close(fd);
	errno = error;
	return ok;
}

/*L:789 Where each field is
 *
 *	ID: 1396
 *		field:u32 trapno;	offset:8;	size:4;	signed:0;
 */
static bool find_field(const char *format, const char *name, struct field *f)
{
	size_t n = strlen(name);

	for (const char *line = format; (line = strstr(line, "field:")); line++) {
		const char *end = strchr(line, ';'), *last = end;

		if (!end)
			return false;
		if (last[-1] == ']')			/* char text[128] */
			while (last > line && *last != '[')
				last--;
		if ((size_t)(last - line) > n && !strncmp(last - n, name, n) &&
		    (last[-(ptrdiff_t)n - 1] == ' ' || last[-(ptrdiff_t)n - 1] == '*'))
			return sscanf(end, ";\toffset:%u;\tsize:%u", &f->offset, &f->size) == 2;
	}
	return false;
}

static int learn(struct trace_reader *r, enum trace_kind kind, struct complaint *c)
{
	struct layout *l = &r->layout[kind];
	char path[256], format[4096];
	const char *id;

	snprintf(path, sizeof(path), "%s/events/%s/%s/format", r->root, known[kind].system,
		 known[kind].event);
	if (read_file(path, format, sizeof(format)) < 0)
		return complain(c, STATUS_INTERFACE, "--trace: %s: %s; expected lg.ko with its "
				"tracepoints, built from the same tree", path, strerror(errno));
	id = strstr(format, "\nID: ");
	l->id = id ? atoi(id + 5) : 0;
	if (l->id <= 0)
		return complain(c, STATUS_INTERFACE, "--trace: %s has no ID", path);
	for (unsigned i = 0; i < known[kind].fields; i++)
		if (!find_field(format, known[kind].field[i], &l->field[i]))
			return complain(c, STATUS_INTERFACE, "--trace: %s has no field '%s'; build "
					"lg.ko and the Launcher from the same tree", path,
					known[kind].field[i]);
	return 0;
}
/*:*/

/* ---- An instance of our own ---- */

static int no_tracefs(struct complaint *c, const char *path)
{
	if (errno == EACCES || errno == EPERM)
		return complain(c, STATUS_NO_PERMISSION, "--trace: %s: %s; expected to be root, "
				"because tracepoints are", path, strerror(errno));
	if (errno == ENOENT)
		return complain(c, STATUS_NO_PERMISSION, "--trace: there is no %s; expected tracefs "
				"to be mounted (as root: mount -t tracefs none "
				"/sys/kernel/tracing)", path);
	return complain(c, STATUS_INTERNAL, "--trace: %s: %s", path, strerror(errno));
}

/* An instance outlives its maker if that was ended together with its reader.  A reader
 * keeps its instance busy, so that rmdir() hurts nobody. */
static void sweep(const char *instances)
{
	DIR *d = opendir(instances);
	struct dirent *e;
	char path[512];

	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)))
			continue;
		if (kill(atoi(e->d_name + strlen(PREFIX)), 0) == 0 || errno != ESRCH)
			continue;
		snprintf(path, sizeof(path), "%s/%s", instances, e->d_name);
		rmdir(path);
	}
	if (d)
		closedir(d);
}

static int make_instance(struct trace_reader *r, struct complaint *c)
{
	static const char *const place[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	char path[64];
	int error = 0;

	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/instances", place[i]);
		snprintf(r->root, sizeof(r->root), "%s", place[i]);
		snprintf(r->instance, sizeof(r->instance), "%s/" PREFIX "%d", path, (int)getpid());
		if (!access(path, F_OK))
			sweep(path);
		if (!mkdir(r->instance, 0700))
			return 0;
		if (!error || errno != ENOENT)
			error = errno;
	}
	errno = error;
	r->instance[0] = '\0';
	snprintf(path, sizeof(path), "%s/instances", place[0]);
	return no_tracefs(c, path);
}

static bool switch_on(struct trace_reader *r, enum trace_kind kind)
{
	char path[128];

	snprintf(path, sizeof(path), "events/%s/%s/enable", known[kind].system, known[kind].event);
	return put(r, path, "1");
}

static int open_streams(struct trace_reader *r, struct complaint *c)
{
	int cpus = get_nprocs_conf();
	char path[192], text[1024];
	const char *data;
	struct field f;

	r->page_size = 4096;
	snprintf(path, sizeof(path), "%s/events/header_page", r->root);
	data = read_file(path, text, sizeof(text)) > 0 ? strstr(text, "char data;") : NULL;
	if (data && sscanf(data, "char data;\toffset:%u;\tsize:%u", &f.offset, &f.size) == 2)
		r->page_size = f.offset + f.size;
	r->stream = calloc((size_t)cpus, sizeof(*r->stream));
	for (int i = 0; r->stream && i < cpus; i++) {
		struct stream *s = &r->stream[r->streams];

		snprintf(path, sizeof(path), "%s/per_cpu/cpu%d/trace_pipe_raw", r->instance, i);
		s->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (s->fd < 0)
			continue;		/* a CPU that could be there, but is not */
		s->page = malloc(r->page_size);
		s->buffer = kbuffer_alloc(KBUFFER_LSIZE_8, KBUFFER_ENDIAN_LITTLE);
		r->streams++;
		if (!s->page || !s->buffer)
			return complain(c, STATUS_INTERNAL, "--trace: out of memory");
	}
	if (!r->streams)
		return complain(c, STATUS_INTERNAL, "--trace: %s/per_cpu: no CPU can be read: %s",
				r->instance, strerror(errno));
	return 0;
}

static int set_up(struct trace_reader *r, unsigned filter, int *mark, struct complaint *c)
{
	const bool wanted[TRACE_KINDS] = {
		[TRACE_ENTER] = filter & TRACE_SHOW_STAY,
		[TRACE_EXIT] = filter & (TRACE_SHOW_STAY | TRACE_SHOW_FAULT),
		[TRACE_HYPERCALL] = filter & TRACE_SHOW_HYPERCALL,
		[TRACE_FAULT] = filter & TRACE_SHOW_FAULT,
		[TRACE_INJECT] = filter & TRACE_SHOW_INJECT,
		[TRACE_IRQ] = filter & TRACE_SHOW_IRQ,
		[TRACE_KILL] = true,
		[TRACE_MARK] = true,
	};
	char path[160], number[24];
	uint64_t kb = memory_host_has() / 1024 / RING_SHARE / (unsigned)get_nprocs_conf();

	if (!put(r, "trace_clock", "x86-tsc"))
		return complain(c, STATUS_INTERNAL, "--trace: %s/trace_clock does not take x86-tsc: %s",
				r->instance, strerror(errno));
	kb = kb < RING_KB_MIN ? RING_KB_MIN : kb > RING_KB_MAX ? RING_KB_MAX : kb;
	do
		snprintf(number, sizeof(number), "%" PRIu64, kb);
	while (!put(r, "buffer_size_kb", number) && (kb /= 2) >= RING_KB_MIN);
	if (open_streams(r, c))
		return c->status;
	snprintf(path, sizeof(path), "%s/trace_marker", r->instance);
	*mark = open(path, O_WRONLY | O_CLOEXEC);
	if (*mark < 0)
		return complain(c, STATUS_INTERNAL, "--trace: %s: %s", path, strerror(errno));
	for (enum trace_kind k = 0; k < TRACE_KINDS; k++) {
		if (!wanted[k])
			continue;
		if (learn(r, k, c))
			return c->status;
		if (k != TRACE_MARK && !switch_on(r, k))	/* marks are always on */
			return complain(c, STATUS_INTERNAL, "--trace: %s cannot be switched on: %s",
					known[k].event, strerror(errno));
	}
	return 0;
}

struct trace_reader *trace_reader_open(unsigned filter, int *mark, struct complaint *c)
{
	struct trace_reader *r = calloc(1, sizeof(*r));

	*mark = -1;
	if (!r) {
		complain(c, STATUS_INTERNAL, "--trace: out of memory");
		return NULL;
	}
	if (!make_instance(r, c) && !set_up(r, filter, mark, c))
		return r;
	if (*mark >= 0)
		close(*mark);
	trace_reader_close(r);
	return NULL;
}

void trace_reader_forget(struct trace_reader *r)
{
	for (unsigned i = 0; i < r->streams; i++) {
		close(r->stream[i].fd);
		free(r->stream[i].page);
		kbuffer_free(r->stream[i].buffer);
	}
	free(r->stream);
	free(r);
}

void trace_reader_pause(const struct trace_reader *r)
{
	put(r, "tracing_on", "0");
}

/* A Launcher that is just being killed may hold it for another moment. */
void trace_reader_close(struct trace_reader *r)
{
	struct timespec pause = { .tv_nsec = 10000000 };
	char instance[sizeof(r->instance)];

	memcpy(instance, r->instance, sizeof(instance));
	if (instance[0])
		trace_reader_pause(r);
	trace_reader_forget(r);
	for (unsigned i = 0; instance[0] && rmdir(instance) < 0; i++) {
		if (errno != EBUSY || i == 200) {
			say("--trace: %s stays behind: %s", instance, strerror(errno));
			break;
		}
		nanosleep(&pause, NULL);
	}
}

/* ---- Events ---- */

static uint64_t number_at(const uint8_t *p, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, p, size < 8 ? size : 8);
	return value;
}

/* Makes ->event the next one of this ring, if there is one. */
static void advance(struct trace_reader *r, struct stream *s)
{
	unsigned long long tsc;
	ssize_t n;

	if (s->event) {
		s->event = kbuffer_next_event(s->buffer, &tsc);
		s->lost = 0;
	}
	while (!s->event) {
		do
			n = read(s->fd, s->page, r->page_size);
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			return;
		memset((char *)s->page + n, 0, r->page_size - (size_t)n);
		if (kbuffer_load_subbuffer(s->buffer, s->page) < 0)
			continue;
		n = kbuffer_missed_events(s->buffer);
		if (n)			/* -1: some; the kernel had no room for the number */
			s->lost += n > 0 ? (uint64_t)n : 1;
		s->event = kbuffer_read_event(s->buffer, &tsc);
	}
	s->tsc = tsc;
	s->size = (unsigned)kbuffer_event_size(s->buffer);
}

static void take_text(const struct stream *s, const struct field *f, char text[TRACE_TEXT])
{
	size_t n = f->offset < s->size ? s->size - f->offset : 0;

	if (f->size && f->size < n)
		n = f->size;
	if (n > TRACE_TEXT - 1)
		n = TRACE_TEXT - 1;
	memcpy(text, s->event + f->offset, n);
	text[n] = '\0';
}

/* False: an event that we did not ask for. */
static bool decode(struct trace_reader *r, const struct stream *s, struct trace_event *ev)
{
	int id = (int)number_at(s->event, 2);
	enum trace_kind k;

	for (k = 0; k < TRACE_KINDS; k++)
		if (r->layout[k].id == id)
			break;
	if (k == TRACE_KINDS) {
		r->lost += s->lost;
		return false;
	}
	ev->kind = k;
	ev->tsc = s->tsc;
	ev->pid = (int)number_at(s->event + 4, 4);	/* common_pid */
	ev->lost = s->lost + r->lost;
	r->lost = 0;
	for (unsigned i = 0; i < known[k].fields; i++) {
		const struct field *f = &r->layout[k].field[i];

		if (k == TRACE_KILL || k == TRACE_MARK)
			take_text(s, f, ev->text[i]);
		else
			ev->v[i] = f->offset + f->size <= s->size ?
				   number_at(s->event + f->offset, f->size) : 0;
	}
	return true;
}

bool trace_reader_next(struct trace_reader *r, uint64_t before, struct trace_event *ev)
{
	for (;;) {
		struct stream *oldest = NULL;
		bool good;

		for (unsigned i = 0; i < r->streams; i++) {
			struct stream *s = &r->stream[i];

			if (!s->event)
				advance(r, s);
			if (s->event && s->tsc < before && (!oldest || s->tsc < oldest->tsc))
				oldest = s;
		}
		if (!oldest)
			return false;
		good = decode(r, oldest, ev);
		advance(r, oldest);
		if (good)
			return true;
	}
}
