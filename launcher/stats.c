// SPDX-License-Identifier: MIT
/*L:780 Counting
 *
 * The Host counts everything that it does for a Guest.  At the end we write the
 * numbers down as JSON, for people who like to know and for tests that must.  The
 * names come from the same table (LG_STATS in lguest_user.h) that numbers them, so
 * a counter cannot be forgotten here.
 :*/
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher.h"

static struct outfile out;

int stats_open(const char *file, struct complaint *c)
{
	return outfile_open(&out, "--stats", file, c);
}

static void print_array(FILE *f, const char *name, const __u64 *value, unsigned n)
{
	fprintf(f, ",\n \"%s\": [", name);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%s%" PRIu64, i ? (i % 16 ? "," : ",\n  ") : "", (uint64_t)value[i]);
	fputs("]", f);
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
	fputs(",\n \"launcher_code\": ", f);
	json_text(f, end->run.code);
	fputs(",\n \"launcher_text\": ", f);
	json_text(f, end->run.text);
#define ROW(name, text) fprintf(f, ",\n \"" #name "\": %" PRIu64, \
				(uint64_t)s->scalar[LG_STAT_##name]);
	LG_STATS(ROW)
#undef ROW
#define ROW(name, text) fprintf(f, ",\n \"ticks_" #name "\": %" PRIu64, \
				(uint64_t)s->ticks[LG_WORLD_##name]);
	LG_WORLDS(ROW)
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

/*L:781 Whose time was it?
 * In ticks of the TSC; under -icount a tick is an instruction.  The Launcher and sleep are
 * not in it: the Host keeps these while we are in RUN (watch.c).
 */
static void print_worlds(FILE *f, const struct lg_stats *s)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < LG_WORLD_COUNT; i++)
		all += s->ticks[i];
	if (!all)
		return;
	fprintf(f, "launcher: whose time it was, in ticks of the TSC:\n");
#define ROW(name, text) fprintf(f, "%14" PRIu64 " %5.1f %%  %-9s %s\n", \
				(uint64_t)s->ticks[LG_WORLD_##name], \
				100 * (double)s->ticks[LG_WORLD_##name] / (double)all, #name, text);
	LG_WORLDS(ROW)
#undef ROW
}
/*:*/

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
	print_worlds(f, s);
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
	if (f && !strcmp(file, "-"))
		print_words(f, &stats);
	else if (f)
		print_all(f, &stats, bus, end, boots);
	if (!f || fclose(f))
		say("--stats=%s: could not be written: %s", file, strerror(errno));
	else
		outfile_put(&out, text, n);
	free(text);
}
