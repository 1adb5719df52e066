/* SPDX-License-Identifier: MIT */
/*G:810 A shell in one sitting
 *
 * Read a line, split it into words, fork, exec, wait, say how it ended.  That is
 * all a shell is; the rest is comfort.  A few words must be done by the shell
 * itself: `exit`, because a child's exit would not end us, and `status`.
 *
 * First the splitting.  A line is a row of tokens: words, and the signs | < > >> ; &
 * which need no blanks around them.  Quotes keep a word together and make a sign an
 * ordinary character.  Tokens live until the next line is read.
 */
#include "user.h"
#include "edit.h"

#define MAX_TOKENS 128
#define MAX_WORDS 31		/* of one command; exec takes no more */
#define MAX_COMMANDS 8		/* of one pipeline */
#define APPEND 'a'		/* the sign >> */

struct token {
	char sign;		/* 0: a word */
	char *word;
};

struct command {
	char *words[MAX_WORDS + 1];
	int count;
	char *input, *output;	/* files instead of 0 and 1, or NULL */
	bool append;
};

static int last_status;
static bool interactive;

/* Copies one word to *to; false: a quote is open. */
static bool take_word(const char **line, char **to)
{
	char quote = 0;

	for (; **line && (quote || !strchr(" \t\n|<>;&", **line)); (*line)++) {
		char c = **line;

		if (c == quote)
			quote = 0;
		else if (!quote && (c == '"' || c == '\''))
			quote = c;
		else
			*(*to)++ = c;
	}
	*(*to)++ = '\0';
	return !quote;
}

/* How many tokens, or -1 after a complaint.  The last has neither sign nor word. */
static int tokenize(const char *line, struct token *tokens)
{
	static char words[2 * EDIT_MAX];	/* each word is followed by a NUL */
	char *to = words;
	int n = 0;

	for (;; n++) {
		while (*line == ' ' || *line == '\t' || *line == '\n')
			line++;
		tokens[n] = (struct token){0, NULL};
		if (!*line)
			return n;
		if (n == MAX_TOKENS - 1) {
			complain("sh: more than %d words in one line\n", n);
			return -1;
		}
		if (strchr("|<>;&", *line)) {
			tokens[n].sign = *line++;
			if (tokens[n].sign == '>' && *line == '>') {
				tokens[n].sign = APPEND;
				line++;
			}
			continue;
		}
		tokens[n].word = to;
		if (!take_word(&line, &to)) {
			complain("sh: a quote is open at the end of the line\n");
			return -1;
		}
	}
}
/*:*/

/*G:812 Plumbing
 *
 * Each command of a pipeline is a child.  Between two of them is a pipe: the left one
 * has its writing end as number 1, the right one its reading end as number 0, and
 * nobody knows the difference.  Redirection is the same trick with a file.  What makes
 * it work is that fork copies the numbers and exec leaves them alone: between the two
 * the child rearranges them, and the program that comes finds them so.
 *
 * We close our copies of the ends at once, or the pipe would never end.
 */
static void open_as(int number, const char *path, u32 flags)
{
	int fd = open_flags(path, flags);

	if (fd < 0)
		die("sh: %s: %s\n", path, error_text(fd));
	if (fd != number) {
		dup2(fd, number);
		close(fd);
	}
}

static void become(struct command *c)
{
	char path[128];
	int error;

	if (c->input)
		open_as(0, c->input, O_RDONLY);
	if (c->output)
		open_as(1, c->output, O_WRONLY | O_CREAT | (c->append ? O_APPEND : O_TRUNC));
	if (!c->count)		/* "> FILE" makes an empty one */
		exit(0);
	snformat(path, sizeof(path), "%s%s", strchr(c->words[0], '/') ? "" : "/bin/", c->words[0]);
	error = execve(path, c->words);
	if (error == -2)
		complain("sh: %s: no such program; `help` lists them\n", c->words[0]);
	else
		complain("sh: %s: %s\n", c->words[0], error_text(error));
	exit(127);
}

/* Starts c between input (-1: ours) and, unless it is the last, a new pipe, whose other
 * end becomes *next.  The pid or -errno. */
static int start(struct command *c, int input, bool last, bool background, int *next)
{
	int ends[2], pid, error = last ? 0 : pipe(ends);

	if (error)
		return error;
	pid = fork();
	if (!pid) {
		signal(SIGINT, SIG_DFL);
		if (background)		/* Ctrl-C is not for it */
			setsid();
		if (input >= 0) {
			dup2(input, 0);
			close(input);
		} else if (background) {	/* what is typed neither */
			close(0);
		}
		if (!last) {
			dup2(ends[1], 1);
			close(ends[0]);
			close(ends[1]);
		}
		become(c);
	}
	if (!last)
		close(ends[1]);
	if (!last && pid < 0)
		close(ends[0]);
	*next = last || pid < 0 ? -1 : ends[0];
	return pid;
}

static void wait_for(const struct command *c, int pid, bool last)
{
	int status = 0, result;

	do
		result = waitpid(pid, &status, 0);
	while (result == -4);
	if (result != pid)
		return;
	if (last)
		last_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	/* 2 is Ctrl-C, which you know of, and 13 what `head` does to who feeds it. */
	if (!WIFEXITED(status) && WTERMSIG(status) != 2 && WTERMSIG(status) != 13)
		complain("%s: killed by signal %d\n", c->words[0], WTERMSIG(status));
	else if (interactive && last && last_status && WIFEXITED(status))
		complain("%s: exit status %d\n", c->words[0], last_status);
}

static void run(struct command *c, int count, bool background)
{
	int pids[MAX_COMMANDS], input = -1, next = -1, i, started;

	for (started = 0; started < count; started++) {
		bool last = started == count - 1;

		pids[started] = start(&c[started], input, last, background, &next);
		if (input >= 0)
			close(input);
		input = next;
		if (pids[started] < 0) {
			complain("sh: cannot start %s: %s\n", c[started].words[0],
				 error_text(pids[started]));
			last_status = 126;
			break;
		}
	}
	if (background && started == count && interactive)
		printf("[%d]\n", pids[count - 1]);
	for (i = 0; !background && i < started; i++)
		wait_for(&c[i], pids[i], i == count - 1);
}
/*:*/

/* One command, up to a sign that ends it; the number of tokens used, -1: complained. */
static int parse_command(const struct token *t, struct command *c)
{
	int n = 0;

	memset(c, 0, sizeof(*c));
	for (; t[n].word || (t[n].sign && strchr("<>a", t[n].sign)); n++) {
		if (t[n].word && c->count == MAX_WORDS) {
			complain("sh: more than %d words after %s\n", MAX_WORDS, c->words[0]);
			return -1;
		}
		if (t[n].word) {
			c->words[c->count++] = t[n].word;
			continue;
		}
		if (!t[n + 1].word) {
			complain("sh: expected the name of a file after %s\n",
				 t[n].sign == '<' ? "<" : t[n].sign == '>' ? ">" : ">>");
			return -1;
		}
		if (t[n].sign == '<')
			c->input = t[n + 1].word;
		else
			c->output = t[n + 1].word;
		if (t[n].sign != '<')
			c->append = t[n].sign == APPEND;
		n++;
	}
	if (!c->count)
		c->words[0] = "sh";	/* to be called something */
	return n;
}

/* Runs one pipeline and returns the number of tokens used, -1 after a complaint. */
static int run_pipeline(const struct token *t)
{
	static struct command commands[MAX_COMMANDS];
	int at = 0, count = 0, used;

	for (;; at++) {
		if (count == MAX_COMMANDS) {
			complain("sh: more than %d programs in one pipeline\n", count);
			return -1;
		}
		used = parse_command(t + at, &commands[count]);
		if (used < 0)
			return -1;
		if (!used) {
			complain("sh: expected a program %s\n", t[at].sign == '|' ? "before |" :
				 at ? "after |" : t[at].sign == '&' ? "before &" : "before ;");
			return -1;
		}
		at += used;
		count++;
		if (t[at].sign != '|')
			break;
	}
	if (count == 1 && commands[0].count && !strcmp(commands[0].words[0], "exit"))
		exit(interactive ? 0 : last_status);
	if (count == 1 && commands[0].count == 1 && !strcmp(commands[0].words[0], "status")) {
		printf("%d\n", last_status);
		last_status = 0;
	} else {
		run(commands, count, t[at].sign == '&');
	}
	return at;
}

static void run_line(const char *line)
{
	static struct token tokens[MAX_TOKENS];
	const struct token *t = tokens;
	int used;

	if (tokenize(line, tokens) < 0) {
		last_status = 2;
		return;
	}
	while (t->word || t->sign) {
		used = run_pipeline(t);
		if (used < 0) {
			last_status = 2;
			return;
		}
		t += used;
		if (t->sign)		/* ; or & */
			t++;
	}
}

static void bury_background(void)
{
	int pid, status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (interactive)
			printf("[%d] done\n", pid);
}

/* A line that nobody types, byte by byte: what follows it may be for our children. */
static bool read_line(char *line)
{
	u32 used = 0;

	while (used < EDIT_MAX - 1 && read(0, line + used, 1) == 1)
		if (line[used++] == '\n')
			break;
	line[used] = '\0';
	return used;
}

int main(int argc, char **argv)
{
	static char line[EDIT_MAX];

	if (argc == 3 && !strcmp(argv[1], "-c")) {
		if (strlen(argv[2]) >= EDIT_MAX)
			die("sh: the command is too long\n");
		run_line(argv[2]);
		return last_status;
	}
	if (argc > 1)
		die("sh: %s: expected -c COMMANDS or nothing\n", argv[1]);
	interactive = edit_possible();
	if (interactive)
		signal(SIGINT, SIG_IGN);	/* that is for the others */
	if (interactive)
		printf("Type `help` for the programs, `poweroff` to leave.\n");
	for (;;) {
		bury_background();
		if (interactive ? !edit_line("teachos$ ", line) : !read_line(line))
			break;
		run_line(line);
	}
	if (interactive)
		printf("exit\n");
	return interactive ? 0 : last_status;
}
