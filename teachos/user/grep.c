/* SPDX-License-Identifier: MIT */
/*G:847 grep
 *
 * grep [-v] PATTERN FILE...: the lines that match; with -v those that don't.
 *
 * A character stands for itself, `.` for any one; x* is none or some of x; ^ is the
 * beginning of the line and $ its end.  Two functions that call each other are
 * enough: to match a star, match the rest at every place where the star might end.
 * The status is 0 if a line was shown, 1 if none was, 2 if something went wrong.
 */
#include "user.h"

static const char *program_pattern;
static bool inverted, several, shown;

static bool match_here(const char *pattern, const char *text);

static bool match_star(char c, const char *rest, const char *text)
{
	for (;;) {
		if (match_here(rest, text))
			return true;
		if (!*text || (*text != c && c != '.'))
			return false;
		text++;
	}
}

static bool match_here(const char *pattern, const char *text)
{
	for (; *pattern; pattern++, text++) {
		if (pattern[1] == '*')
			return match_star(pattern[0], pattern + 2, text);
		if (pattern[0] == '$' && !pattern[1])
			return !*text;
		if (!*text || (*pattern != *text && *pattern != '.'))
			return false;
	}
	return true;
}

static bool matches(const char *pattern, const char *text)
{
	if (*pattern == '^')
		return match_here(pattern + 1, text);
	do {
		if (match_here(pattern, text))
			return true;
	} while (*text++);
	return false;
}
/*:*/

static int search(int fd, const char *name)
{
	static char line[LINE_MAX + 1];
	struct reader r = {.fd = fd};
	int error = 0;

	while (reader_line(&r, line, &error) >= 0) {
		if (matches(program_pattern, line) == inverted)
			continue;
		shown = true;
		if (several)
			printf("%s:", name);
		printf("%s\n", line);
	}
	if (error)
		complain("grep: %s: %s\n", name, error_text(error));
	return error != 0;
}

int main(int argc, char **argv)
{
	int at = 1;

	if (argc > 1 && !strcmp(argv[1], "-v")) {
		inverted = true;
		at++;
	}
	if (argc <= at) {
		complain("grep: expected a pattern, and perhaps files\n");
		return 2;
	}
	program_pattern = argv[at++];
	several = argc - at > 1;
	if (for_each_file("grep", argv + at, argc - at, search))
		return 2;
	return !shown;
}
