// SPDX-License-Identifier: MIT
/*L:780 Counting
 *
 * The Host counts everything that it does for a Guest.  At the end we write the
 * numbers down as JSON, for people who like to know and for tests that must.  The
 * names come from the same table (LG_STATS in lguest_user.h) that numbers them, so
 * a counter cannot be forgotten here.
 *
 * We end locked in (sandbox.c), where nobody can open a file or rename one.  So the file
 * is opened before the start, which also finds out in time that it cannot be: nothing is
 * as annoying as a long run with "cannot write" at its end.  What was in it stays until
 * then.  At the end it is emptied and gets its new contents in one write(): whoever reads
 * it meanwhile sees the old, nothing, or the new, but never a half.
 :*/
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher.h"

static int out = -1;
static bool is_regular;		/* else a pipe, or /dev/stdout */

int stats_open(const char *file, struct complaint *c)
{
	struct stat st;

	if (!strcmp(file, "-"))
		return 0;
	/* O_NONBLOCK: open() of a named pipe would wait for a reader. */
	out = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
	if (out < 0 || fstat(out, &st) < 0 || fcntl(out, F_SETFL, 0) < 0)
		return complain(c, STATUS_USAGE, "--stats=%s: cannot write there: %s", file,
				strerror(errno));
	is_regular = S_ISREG(st.st_mode);
	return 0;
}

static void print_array(FILE *f, const char *name, const __u64 *value, unsigned n)
{
	fprintf(f, ",\n \"%s\": [", name);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%s%" PRIu64, i ? (i % 16 ? "," : ",\n  ") : "", (uint64_t)value[i]);
	fputs("]", f);
}

/* A JSON string from any bytes: what is not plain ASCII becomes \u00xx. */
static void print_text(FILE *f, const char *name, const char *text)
{
	fprintf(f, ",\n \"%s\": \"", name);
	for (; *text; text++) {
		unsigned char ch = (unsigned char)*text;

		if (ch < 0x20 || ch > 0x7e || ch == '"' || ch == '\\')
			fprintf(f, "\\u%04x", ch);
		else
			fputc(ch, f);
	}
	fputs("\"", f);
}

static void print_device(FILE *f, const struct device *dev)
{
	static const char *const kind[] = { "?", "net", "block", "console", "rng" };
	static const char *const name[] = {
#define NAME(name) #name,
		DEVICE_COUNTERS(NAME)
#undef NAME
	};
	unsigned breaks = 0;

	fprintf(f, "{\"kind\": \"%s\"", kind[dev->type <= LGUEST_DEV_RNG ? dev->type : 0]);
	for (unsigned i = 0; i < COUNT_OWN; i++)
		fprintf(f, ", \"%s\": %llu", name[i], dev->count[i]);
	for (unsigned i = 0; i < dev->queues; i++)
		breaks += dev->queue[i].vq.breaks;
	fprintf(f, ", \"broken\": %u", breaks);
	for (unsigned i = 0; dev->own_names && dev->own_names[i]; i++)
		fprintf(f, ", \"%s\": %llu", dev->own_names[i], dev->count[COUNT_OWN + i]);
	fputs("}", f);
}

/* In the order of the bus, and of the command line. */
static void print_devices(FILE *f, const struct bus *bus)
{
	fputs(",\n \"devices\": [", f);
	for (unsigned i = 0; i < bus->devices; i++) {
		fputs(i ? ",\n  " : "\n  ", f);
		print_device(f, bus->device[i]);
	}
	fputs("]", f);
}

static void print_all(FILE *f, const struct lg_stats *s, const struct bus *bus,
		      const struct ending *end, unsigned boots)
{
	fprintf(f, "{\"launcher_interface\": %d,\n \"launcher_status\": %d,\n"
		" \"launcher_boots\": %u", LG_INTERFACE, end->status, boots);
	print_text(f, "launcher_code", end->run.code);
	print_text(f, "launcher_text", end->run.text);
#define ROW(name, text) fprintf(f, ",\n \"" #name "\": %" PRIu64, \
				(uint64_t)s->scalar[LG_STAT_##name]);
	LG_STATS(ROW)
#undef ROW
	print_array(f, "hypercall_direct", s->hypercall_direct, LG_HYPERCALLS);
	print_array(f, "hypercall_ring", s->hypercall_ring, LG_HYPERCALLS);
	print_array(f, "exit_vector", s->exit_vector, 256);
	print_array(f, "reflected", s->reflected, 256);
	print_array(f, "direct", s->direct, 256);
	print_array(f, "fatal", s->fatal, 256);
	print_devices(f, bus);
	fputs("}\n", f);
}

/* ---- In words ---- */

static void line(FILE *f, uint64_t n, const char *name, const char *text)
{
	if (n)
		fprintf(f, "%12" PRIu64 "  %-18s %s\n", n, name, text);
}

static void print_words(FILE *f, const struct lg_stats *s)
{
	char name[48];

	fprintf(f, "launcher: what the Host counted, but for what is 0:\n");
#define ROW(field, text) line(f, s->scalar[LG_STAT_##field], #field, text);
	LG_STATS(ROW)
#undef ROW
	for (unsigned i = 0; i < LG_HYPERCALLS; i++) {
		line(f, s->hypercall_direct[i], hypercall_name(i), "hypercall");
		line(f, s->hypercall_ring[i], hypercall_name(i), "hypercall, from the ring");
	}
	for (unsigned i = 0; i < 256; i++) {
		const char *what = vector_name(i, name, sizeof(name));

		line(f, s->exit_vector[i], what, "exits");
		line(f, s->reflected[i], what, "given to the Guest by the Host");
		line(f, s->direct[i], what, "given to the Guest by the Switcher");
	}
}

/* False: errno says why. */
static bool put(const char *text, size_t n)
{
	if (out < 0)
		return write(STDERR_FILENO, text, n) == (ssize_t)n;
	if (is_regular)
		return !ftruncate(out, 0) && pwrite(out, text, n, 0) == (ssize_t)n;
	while (n) {
		ssize_t done = write(out, text, n);

		if (done < 0 && errno != EINTR)
			return false;
		text += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	return true;
}

void stats_write(const char *file, const struct bus *bus, const struct ending *end,
		 unsigned boots)
{
	struct lg_stats stats;
	char *text = NULL;
	size_t n = 0;
	int error;
	FILE *f;

	memset(&stats, 0, sizeof(stats));
	error = -host_stats(&stats);
	if (error) {
		say("--stats=%s: the Host gives no counters: %s", file, strerror(error));
		return;
	}
	f = open_memstream(&text, &n);
	if (f && out < 0)
		print_words(f, &stats);
	else if (f)
		print_all(f, &stats, bus, end, boots);
	errno = ENOSPC;		/* a short pwrite() does not say why */
	if (!f || fclose(f) || !put(text, n))
		say("--stats=%s: could not be written: %s", file, strerror(errno));
	free(text);
}
