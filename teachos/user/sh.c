/* SPDX-License-Identifier: MIT */
/*G:810 A shell in one sitting
 *
 * Read a line, split it into words, fork, exec, wait, say how it ended.  That is
 * all a shell is; the rest is comfort.  A few words must be done by the shell
 * itself: `exit`, because a child's exit would not end us, and `help`.  A word `&`
 * at the end means: don't wait.
 */
#include "user.h"

#define MAX_WORDS 24

static int last_status;

static int split(char *line, char **words)
{
	int n = 0;

	for (;;) {
		while (*line == ' ' || *line == '\t' || *line == '\n')
			*line++ = '\0';
		if (!*line || n == MAX_WORDS - 1)
			break;
		words[n++] = line;
		while (*line && *line != ' ' && *line != '\t' && *line != '\n')
			line++;
	}
	words[n] = NULL;
	return n;
}

static void become(char **words, bool background)
{
	char path[128];
	int error;

	if (background)		/* what is typed is not for it, Ctrl-C neither */
		close(0);
	snformat(path, sizeof(path), "%s%s", strchr(words[0], '/') ? "" : "/bin/", words[0]);
	error = execve(path, words);
	if (error == -2)
		die("sh: %s: no such program; `help` lists them\n", words[0]);
	die("sh: %s: %s\n", words[0], error_text(error));
}

static void run(char **words, int count)
{
	bool background = !strcmp(words[count - 1], "&");
	int pid, status = 0;

	if (background)
		words[--count] = NULL;
	if (!count)
		return;
	pid = fork();
	if (pid == 0)
		become(words, background);
	if (pid < 0) {
		printf("sh: cannot start %s: %s\n", words[0], error_text(pid));
		return;
	}
	if (background) {
		printf("[%d]\n", pid);
		return;
	}
	if (waitpid(pid, &status, 0) != pid)
		return;
	last_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (!WIFEXITED(status) && WTERMSIG(status) != 2)
		printf("%s: killed by signal %d\n", words[0], WTERMSIG(status));
	else if (last_status && WIFEXITED(status))
		printf("%s: exit status %d\n", words[0], last_status);
}
/*:*/

static void bury_background(void)
{
	int pid, status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		printf("[%d] done\n", pid);
}

/* One line, without its end; false: end of input. */
static bool read_line(char *line, u32 size)
{
	u32 used = 0;
	int n;

	do {
		n = read(0, line + used, size - 1 - used);
		if (n <= 0)
			return false;
		used += n;
	} while (line[used - 1] != '\n' && used < size - 1);
	line[used] = '\0';
	return true;
}

int main(int argc, char **argv)
{
	static char line[1100];
	char *words[MAX_WORDS];
	int count;

	(void)argc;
	(void)argv;
	printf("Type `help` for the programs, `poweroff` to leave.\n");
	for (;;) {
		bury_background();
		printf("teachos$ ");
		if (!read_line(line, sizeof(line)))
			break;
		count = split(line, words);
		if (!count)
			continue;
		if (!strcmp(words[0], "exit"))
			break;
		if (!strcmp(words[0], "status"))
			printf("%d\n", last_status);
		else
			run(words, count);
	}
	printf("exit\n");
	return 0;
}
