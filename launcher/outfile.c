// SPDX-License-Identifier: MIT
/*L:785 A file for the end
 *
 * --stats and --death write when all is over, and by then we are locked in (sandbox.c),
 * where nobody can open a file or rename one.  So the file is opened before the start,
 * which also finds out in time that it cannot be: nothing is as annoying as a long run
 * with "cannot write" at its end.  What was in it stays until then.  At the end it is
 * emptied and gets its new contents in one write(): whoever reads it meanwhile sees the
 * old, nothing, or the new, but never a half.
 :*/
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher.h"

int outfile_open(struct outfile *o, const char *option, const char *name, struct complaint *c)
{
	struct stat st;

	*o = (struct outfile){ .option = option, .name = name, .fd = STDERR_FILENO };
	if (!strcmp(name, "-"))
		return 0;
	/* O_NONBLOCK: open() of a named pipe would wait for a reader. */
	o->fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
	if (o->fd < 0 || fstat(o->fd, &st) < 0 || fcntl(o->fd, F_SETFL, 0) < 0)
		return complain(c, STATUS_USAGE, "%s=%s: cannot write there: %s", option, name,
				strerror(errno));
	o->is_regular = S_ISREG(st.st_mode);
	return 0;
}

/* False: errno says why. */
static bool put(const struct outfile *o, const char *text, size_t n)
{
	errno = ENOSPC;		/* a short pwrite() does not say why */
	if (o->is_regular)
		return !ftruncate(o->fd, 0) && pwrite(o->fd, text, n, 0) == (ssize_t)n;
	while (n) {
		ssize_t done = write(o->fd, text, n);

		if (done < 0 && errno != EINTR)
			return false;
		text += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	return true;
}

void outfile_put(const struct outfile *o, const char *text, size_t n)
{
	if (!put(o, text, n))
		say("%s=%s: could not be written: %s", o->option, o->name, strerror(errno));
}

void json_text(FILE *f, const char *text)
{
	fputc('"', f);
	for (; *text; text++) {
		unsigned char ch = (unsigned char)*text;

		if (ch < 0x20 || ch > 0x7e || ch == '"' || ch == '\\')
			fprintf(f, "\\u%04x", ch);
		else
			fputc(ch, f);
	}
	fputc('"', f);
}
