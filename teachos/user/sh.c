/* SPDX-License-Identifier: MIT */
/*G:810 A shell in one sitting
 *
 * Read a line, split it into words, fork, exec, wait, say how it ended.  That is
 * all a shell is; the rest is comfort, and lives next door: words.c makes words of a
 * line, jobs.c knows who is in the foreground, typing.c and complete.c help with typing.
 *
 * A few things must be done by the shell itself, as a child would change only its own
 * directory, its own environment, and end only itself: `cd`, `export`, `exit`.
 */
#include "user.h"
#include "typing.h"
#include "jobs.h"
#include "words.h"

struct command {
	char **words;		/* NULL at the end */
	int count;
	char *input, *output;	/* files instead of 0 and 1, or NULL */
	bool append;
};

static bool interactive;

/*:*/

/*G:811 What the shell does itself */
static int cd(char **words)
{
	const char *where = words[1] ? words[1] : "/";
	int error = syscall(SYS_chdir, (u32)where, 0, 0);

	if (error)
		complain("cd: %s: %s\n", where, error_text(error));
	return error != 0;
}

static int pwd(char **words)
{
	char path[256];
	int length = syscall(SYS_getcwd, (u32)path, sizeof(path), 0);

	(void)words;
	if (length < 0)
		complain("pwd: %s\n", error_text(length));
	else
		printf("%s\n", path);
	return length < 0;
}

static int export(char **words)
{
	static char *names[65];		/* the environment, from the first change on */
	static char *space, *at;
	u32 n = 0, i, length;

	if (!space) {
		for (; environ[n] && n < 64; n++)
			names[n] = environ[n];
		environ = names;
		space = at = plenty(256u << 10);
	}
	for (; *++words; ) {
		const char *equals = strchr(*words, '=');

		if (!equals || equals == *words) {
			complain("export: %s: expected NAME=VALUE\n", *words);
			return 1;
		}
		length = equals - *words + 1;
		for (i = 0; names[i] && strncmp(names[i], *words, length); i++)
			;
		if (i == 64 || at + strlen(*words) >= space + (256u << 10)) {
			complain("export: %s: there is no room for more\n", *words);
			return 1;
		}
		strcopy(at, *words, strlen(*words) + 1);
		names[i] = at;
		at += strlen(at) + 1;
	}
	return 0;
}

static int status(char **words)
{
	(void)words;
	printf("%d\n", last_status);
	return 0;
}

static int list_jobs(char **words)
{
	(void)words;
	jobs_report(true);
	return 0;
}

static int finish(struct job *job);

static int fg(char **words)
{
	struct job *job = job_find("fg", words[1]);

	if (!job)
		return 1;
	printf("%s\n", job->text);
	job_continue(job, false);
	return finish(job);
}

static int bg(char **words)
{
	struct job *job = job_find("bg", words[1]);

	if (!job)
		return 1;
	job_continue(job, true);
	printf("[%d] %s\n", job_number(job), job->text);
	return 0;
}

static int wait_all(char **words)
{
	(void)words;
	return jobs_wait();
}

static int leave(char **words)
{
	u32 code = interactive ? 0 : last_status;

	if (words[1] && !parse_number(words[1], &code)) {
		complain("exit: %s: expected a number\n", words[1]);
		return 2;
	}
	exit(code);
}

static const struct {
	const char *name;
	int (*run)(char **words);
} builtins[] = {
	{"cd", cd}, {"pwd", pwd}, {"export", export}, {"status", status}, {"jobs", list_jobs},
	{"fg", fg}, {"bg", bg}, {"wait", wait_all}, {"exit", leave}, {NULL, NULL},
};

const char *builtin_name(u32 n)
{
	return n < sizeof(builtins) / sizeof(builtins[0]) ? builtins[n].name : NULL;
}

static int (*find_builtin(const struct command *c))(char **words)
{
	u32 i;

	for (i = 0; c->count && builtins[i].name; i++)
		if (!strcmp(c->words[0], builtins[i].name))
			return builtins[i].run;
	return NULL;
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
	int (*builtin)(char **) = find_builtin(c);
	char path[256];
	int error;

	if (c->input)
		open_as(0, c->input, O_RDONLY);
	if (c->output)
		open_as(1, c->output, O_WRONLY | O_CREAT | (c->append ? O_APPEND : O_TRUNC));
	if (!c->count)		/* "> FILE" makes an empty one */
		exit(0);
	if (builtin)
		exit(builtin(c->words));
	if (strlen(c->words[0]) > sizeof(path) - 6)
		die("sh: that is no name of a program: %d characters\n", strlen(c->words[0]));
	snformat(path, sizeof(path), "%s%s", strchr(c->words[0], '/') ? "" : "/bin/", c->words[0]);
	error = execve(path, c->words);
	if (error == -2)
		complain("sh: %s: no such program; `help` lists them\n", c->words[0]);
	else
		complain("sh: %s: %s\n", c->words[0], error_text(error));
	exit(127);
}

/* Starts c between input (-1: ours) and, unless it is the last, a new pipe, whose other
 * end becomes *next.  0 or -errno. */
static int start(struct job *job, struct command *c, int input, bool last, int *next)
{
	int ends[2], pid, error = last ? 0 : pipe(ends);

	if (error)
		return error;
	pid = fork();
	if (!pid) {
		job_join(job);
		if (input >= 0) {
			dup2(input, 0);
			close(input);
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
	if (pid < 0)
		return pid;
	job_add(job, pid);
	return 0;
}

static bool cancelled;		/* by Ctrl-C or Ctrl-Z: the rest of the line, too */

/* Waits for the job, says what there is to say; the status of its last process. */
static int finish(struct job *job)
{
	int i, last, result;

	if (!job_wait(job)) {
		cancelled = true;
		printf("\n");
		return 128 + SIGTSTP;
	}
	last = job->statuses[job->count - 1];
	for (i = 0; i < job->count; i++) {
		int status = job->statuses[i], signal = WTERMSIG(status);

		cancelled |= !WIFEXITED(status) && signal == SIGINT;
		/* Ctrl-C you know of; SIGPIPE is what `head` does to who feeds it. */
		if (!WIFEXITED(status) && signal != SIGINT && signal != SIGPIPE)
			complain("%s: killed by signal %d\n", job->names[i], signal);
	}
	result = WIFEXITED(last) ? WEXITSTATUS(last) : 128 + WTERMSIG(last);
	if (interactive && WIFEXITED(last) && last)
		complain("%s: exit status %d\n", job->names[job->count - 1], result);
	return result;
}

static void describe(struct job *job, struct command *c, int count)
{
	int i, n;

	for (i = 0; i < count; i++) {
		strcopy(job->names[i], c[i].count ? c[i].words[0] : "sh", sizeof(job->names[i]));
		for (n = 0; n < c[i].count; n++) {
			u32 used = strlen(job->text);

			snformat(job->text + used, sizeof(job->text) - used, "%s%s",
				 n ? " " : i ? " | " : "", c[i].words[n]);
		}
	}
}

/* For `kill`: %N is the job, @GROUP is what the kernel calls it. */
static bool name_jobs(struct command *c)
{
	static char groups[4][16];
	int i, n = 0;

	for (i = 1; i < c->count && n < 4; i++) {
		struct job *job;

		if (c->words[i][0] != '%')
			continue;
		job = job_find("kill", c->words[i]);
		if (!job)
			return false;
		snformat(groups[n], sizeof(groups[n]), "@%d", job->group);
		c->words[i] = groups[n++];
	}
	return true;
}

static int run(struct command *c, int count, bool background)
{
	int (*builtin)(char **) = find_builtin(c);
	int input = -1, next = -1, i, error = 0;
	struct job *job;

	if (builtin && count == 1 && !background && !c->input && !c->output)
		return builtin(c->words);
	if (count == 1 && c->count && !strcmp(c->words[0], "kill") && !name_jobs(c))
		return 1;
	job = job_new();
	if (!job)
		return 126;
	job->background = background;
	describe(job, c, count);
	for (i = 0; i < count && !error; i++) {
		error = start(job, &c[i], input, i == count - 1, &next);
		if (input >= 0)
			close(input);
		input = next;
		if (error)
			complain("sh: cannot start %s: %s\n", c[i].count ? c[i].words[0] : "sh",
				 error_text(error));
	}
	if (job->count && background && !error) {
		if (interactive)
			printf("[%d] %d\n", job_number(job), job->pids[job->count - 1]);
		return 0;
	}
	if (job->count)
		i = finish(job);
	return error ? 126 : i;
}
/*:*/

/*G:813 Grammar
 *
 *	line:		pipeline, then ; or & or && or || and another, and so on
 *	pipeline:	command | command | ...
 *	command:	words, and < FILE, > FILE, >> FILE anywhere between them
 */
static char **word_space;	/* for the lists of words of one pipeline */

/* One command, up to a sign that ends it; the number of tokens used, -1: complained. */
static int parse_command(const struct token *t, struct command *c)
{
	int n = 0;

	memset(c, 0, sizeof(*c));
	c->words = word_space;
	for (; t[n].word || (t[n].sign && strchr("<>a", t[n].sign)); n++) {
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
	c->words[c->count] = NULL;
	word_space += c->count + 1;
	return n;
}

static const char *spelled(char sign)
{
	static char text[2];

	if (sign == AND || sign == OR)
		return sign == AND ? "&&" : "||";
	text[0] = sign;
	return text;
}

/* Runs one pipeline (or not, if it is only to be skipped) and returns the number of
 * tokens used, -1 after a complaint. */
static int run_pipeline(const struct token *t, bool skip)
{
	static struct command commands[MAX_COMMANDS];
	static char **space;
	int at = 0, count = 0, used;

	if (!space)
		space = plenty((MAX_TOKENS + MAX_COMMANDS) * sizeof(char *));
	word_space = space;
	for (;; at++) {
		if (count == MAX_COMMANDS) {
			complain("sh: more than %d programs in one pipeline\n", count);
			return -1;
		}
		used = parse_command(t + at, &commands[count]);
		if (used < 0)
			return -1;
		if (!used) {
			complain("sh: expected a program %s %s\n", t[at].sign ? "before" : "after",
				 t[at].sign ? spelled(t[at].sign) : spelled(t[at - 1].sign));
			return -1;
		}
		at += used;
		count++;
		if (t[at].sign != '|')
			break;
	}
	if (!skip)
		last_status = run(commands, count, t[at].sign == '&');
	return at;
}

static void run_line(const char *line)
{
	const struct token *t;
	char sign = 0;		/* between what was run and what comes */
	int used = 0;

	for (cancelled = false; !cancelled; sign = t[used].sign) {
		t = tokenize(&line);
		if (t && !t->word && !t->sign) {
			if (sign != AND && sign != OR)
				return;
			complain("sh: expected a program after %s\n", spelled(sign));
			t = NULL;
		}
		used = t ? run_pipeline(t, (sign == AND && last_status) ||
					   (sign == OR && !last_status)) : -1;
		if (used < 0) {
			last_status = 2;
			return;
		}
	}
}
/*:*/

/*G:814 Where lines come from */
/* From a file, byte by byte: what follows a line may be for our children. */
static bool read_line(int fd, char *line)
{
	u32 used = 0, lost = 0;
	char c;

	while (read(fd, &c, 1) == 1) {
		if (used < EDIT_MAX - 1)
			line[used++] = c;
		else
			lost++;
		if (c == '\n')
			break;
	}
	line[used] = '\0';
	if (!lost)
		return used;
	complain("sh: a line is longer than %u characters: not run\n", EDIT_MAX - 1);
	last_status = 2;
	line[0] = '\n';
	line[1] = '\0';
	return true;
}

/* Where children do not meet it. */
static int open_script(const char *path)
{
	int fd = open(path);

	if (fd < 0)
		die("sh: %s: %s\n", path, error_text(fd));
	return fd;
}

int main(int argc, char **argv)
{
	char *line = plenty(EDIT_MAX);
	int from = 0;

	if (argc > 1 && !strcmp(argv[1], "-c")) {
		if (argc < 3)
			die("sh: expected COMMANDS after -c\n");
		parameters = argv + 2;		/* as everywhere: what follows is $1, $2... */
		parameter_count = argc - 2;
		run_line(argv[2]);
		return last_status;
	}
	if (argc > 1 && argv[1][0] == '-')
		die("sh: %s: expected -c COMMANDS, a FILE, or nothing\n", argv[1]);
	parameters = argc > 1 ? argv + 1 : argv;
	parameter_count = argc > 1 ? argc - 1 : argc;
	if (argc > 1)
		from = open_script(argv[1]);
	interactive = !from && edit_possible();
	if (interactive) {
		jobs_begin();
		printf("Type `help` for the programs, `poweroff` to leave.\n");
	}
	for (;;) {
		if (interactive)
			jobs_report(false);
		if (interactive ? !edit_line("teachos$ ", line) : !read_line(from, line))
			break;
		run_line(line);
	}
	if (interactive)
		printf("exit\n");
	return interactive ? 0 : last_status;
}
/*:*/
