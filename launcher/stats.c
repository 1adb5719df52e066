// SPDX-License-Identifier: MIT
/*L:780 Counting
 *
 * The Host counts everything that it does for a Guest.  At the end we write the
 * numbers down as JSON, for people who like to know and for tests that must.  The
 * names come from the same table (LG_STATS in lguest_user.h) that numbers them, so
 * a counter cannot be forgotten here.
 *
 * The file is written beside its final place and then renamed: whoever reads it
 * sees the old one or the new one, never a half.  And since nothing is as annoying
 * as a long run with "cannot write" at its end, we try out before the start.
 :*/
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher.h"

/*
 * Where to write: *aside is the file to rename to *final.  For what is no regular
 * file (/dev/stdout, a pipe) renaming would be wrong: *aside is empty then.
 */
static int places(const char *file, char final[PATH_MAX], char aside[PATH_MAX])
{
	struct stat st;

	bool there = !stat(file, &st);

	aside[0] = '\0';
	if (strlen(file) >= PATH_MAX - 16) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(final, file);
	if (there && !S_ISREG(st.st_mode))
		return 0;
	/* A link to a file: replace the file, not the link. */
	if (there && (!realpath(file, final) || strlen(final) >= PATH_MAX - 16))
		return -1;
	sprintf(aside, "%s.%d", final, (int)getpid());
	return 0;
}

static int open_place(const char final[PATH_MAX], const char aside[PATH_MAX])
{
	return aside[0] ? open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) :
			  open(final, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
}

int stats_check(const char *file, struct complaint *c)
{
	char final[PATH_MAX], aside[PATH_MAX];
	int fd = -1;

	if (!places(file, final, aside))
		fd = open_place(final, aside);
	if (fd < 0)
		return complain(c, STATUS_USAGE, "--stats=%s: cannot write there: %s", file,
				strerror(errno));
	close(fd);
	if (aside[0])
		unlink(aside);
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

static void print_all(FILE *f, const struct lg_stats *s, const struct ending *end, unsigned boots)
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
	fputs("}\n", f);
}

void stats_write(const char *file, const struct ending *end, unsigned boots)
{
	char final[PATH_MAX], aside[PATH_MAX];
	struct lg_stats stats;
	int fd = -1, error;
	bool ok;
	FILE *f;

	memset(&stats, 0, sizeof(stats));
	error = -host_stats(&stats);
	if (error) {
		say("--stats=%s: the Host gives no counters: %s", file, strerror(error));
		return;
	}
	if (!places(file, final, aside))
		fd = open_place(final, aside);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (f)
		print_all(f, &stats, end, boots);
	ok = f && !ferror(f);
	if (f && fclose(f))
		ok = false;
	if (ok && aside[0] && rename(aside, final))
		ok = false;
	if (ok)
		return;
	say("--stats=%s: could not be written: %s", file, strerror(errno));
	if (aside[0])
		unlink(aside);
}
