/* SPDX-License-Identifier: MIT */
/*G:882 From a line to words
 *
 * A line is a row of tokens: words, and the signs | < > >> ; & && || which need no blanks
 * around them.  A word may contain
 *
 *	'...'		just that		$NAME ${NAME}	from the environment
 *	"..."		that, but for $		$?		how the last program ended
 *	\c		just c			$$ $0 $1 $#	our number; a script's arguments
 *	* ?		any characters, one: if there are files of such names, they replace
 *			the word, sorted; else it stays as it is
 *	# ...		at the beginning of a word: a remark, to the end of the line
 *
 * A pipeline at a time, for `cd x; echo $?` wants to know how `cd x` ended.
 *
 * What is replaced is not looked at again: a * or a blank that came out of $NAME is a *
 * or a blank.  Words are put one behind the other into a space that is large enough for
 * any line; so are tokens.  Both spaces are promises of the kernel, and cost only what
 * is used.
 */
#include "user.h"
#include "words.h"

#define WORDS_SIZE (256u << 10)
#define STAR '\001'		/* unquoted * and ?, until we know what they stand for */
#define ANYONE '\002'

int last_status, parameter_count;
char **parameters;

static struct token *tokens;
static int token_count;
static char *words, *words_at;
static const char *problem;

void *plenty(u32 bytes)
{
	u32 at = mmap(0, bytes, PROT_READ | PROT_WRITE, 0);

	if (at >= -4095u)
		die("sh: %s\n", error_text(at));
	return (void *)at;
}

static void put_char(char c)
{
	if (words_at == words + WORDS_SIZE - 1)
		problem = "the words of the line are too long";
	else
		*words_at++ = c;
}

static void put_string(const char *s)
{
	while (s && *s)
		put_char(*s++);
}

static void add_token(char sign, char *word)
{
	if (token_count == MAX_TOKENS - 1)
		problem = "too many words in one line";
	else
		tokens[token_count++] = (struct token){sign, word};
}

static bool is_name(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* line stands behind a $.  Returns where it goes on. */
static const char *put_variable(const char *line)
{
	char name[64], number[16];
	bool brace = *line == '{';
	u32 n = 0, value;

	line += brace;
	if (strchr("?$#", *line) && *line) {
		value = *line == '?' ? (u32)last_status : *line == '$' ? (u32)getpid() :
			(u32)(parameter_count ? parameter_count - 1 : 0);
		snformat(number, sizeof(number), "%u", value);
		put_string(number);
		line++;
	} else {
		while (is_name(*line) && n < sizeof(name) - 1)
			name[n++] = *line++;
		name[n] = '\0';
		if (!n)
			put_char('$');
		else if (parse_number(name, &value))
			put_string((int)value < parameter_count ? parameters[value] : "");
		else
			put_string(getenv(name));
	}
	if (brace && *line != '}')
		problem = "expected a name and } after ${";
	return line + (brace && *line == '}');
}

/* One word to words_at, without a NUL. */
static const char *take_word(const char *line)
{
	char quote = 0;

	for (; *line && (quote || !strchr(" \t\n|<>;&", *line)); line++) {
		char c = *line;

		if (quote ? c == quote : c == '"' || c == '\'')
			quote = quote ? 0 : c;
		else if (c == '$' && quote != '\'')
			line = put_variable(line + 1) - 1;
		else if (c == '\\' && !quote && line[1])
			put_char(*++line);
		else if (!quote && (c == '*' || c == '?'))
			put_char(c == '*' ? STAR : ANYONE);
		else
			put_char(c);
	}
	if (quote)
		problem = "a quote is open at the end of the line";
	return line;
}
/*:*/

/*G:883 Names that fit a pattern */
bool for_each_name(const char *directory,
		   void (*each)(const char *name, bool is_directory, void *arg), void *arg)
{
	char entries[1024];
	int n, at, fd = open(directory);

	if (fd < 0)
		return false;
	while ((n = syscall(SYS_getdents, fd, (u32)entries, sizeof(entries))) > 0)
		for (at = 0; at < n; at += *(u16 *)(entries + at + 8)) {
			u16 size = *(u16 *)(entries + at + 8);

			each(entries + at + 10, entries[at + size - 1] == 4, arg);
		}
	close(fd);
	return true;
}

static bool fits(const char *pattern, const char *name)
{
	for (; *pattern && *pattern != STAR; pattern++, name++)
		if (!*name || (*pattern != ANYONE && *pattern != *name))
			return false;
	if (!*pattern)
		return !*name;
	do
		if (fits(pattern + 1, name))
			return true;
	while (*name++);
	return false;
}

struct glob {
	const char *prefix;	/* all up to the last / */
	u32 prefix_length;
	const char *pattern;
};

static void glob_name(const char *name, bool is_directory, void *arg)
{
	const struct glob *g = arg;
	char *word = words_at;
	u32 i;

	(void)is_directory;
	if ((*name == '.' && *g->pattern != '.') || !fits(g->pattern, name))
		return;
	for (i = 0; i < g->prefix_length; i++)
		put_char(g->prefix[i]);
	put_string(name);
	put_char('\0');
	add_token(0, word);
}

static void sort_words(int from)
{
	int i, j;

	for (i = from + 1; i < token_count; i++) {
		struct token t = tokens[i];

		for (j = i; j > from && strcmp(tokens[j - 1].word, t.word) > 0; j--)
			tokens[j] = tokens[j - 1];
		tokens[j] = t;
	}
}

/* The last word may hold a pattern: names instead of it, or the pattern as it was. */
static void expand(char *word)
{
	char directory[256], *slash = word, *c;
	struct glob g = {.prefix = word};
	int before = token_count;
	bool any = false;

	for (c = word; *c; c++) {
		any |= *c == STAR || *c == ANYONE;
		if (*c == '/')
			slash = c + 1;
	}
	g.pattern = slash;
	g.prefix_length = slash - word;
	/* One level of names is enough for us: only the last part may be a pattern. */
	if (any && g.prefix_length < sizeof(directory)) {
		strcopy(directory, g.prefix_length ? word : ".", g.prefix_length ?
			g.prefix_length + 1 : sizeof(directory));
		for_each_name(directory, glob_name, &g);
	}
	if (token_count > before) {
		sort_words(before);
		return;
	}
	for (c = word; *c; c++)
		*c = *c == STAR ? '*' : *c == ANYONE ? '?' : *c;
	add_token(0, word);
}
/*:*/

static const char *take_sign(const char *line)
{
	char sign = *line++;

	if (*line == sign && strchr(">&|", sign)) {
		sign = sign == '>' ? APPEND : sign == '&' ? AND : OR;
		line++;
	}
	add_token(sign, NULL);
	return line;
}

struct token *tokenize(const char **from)
{
	const char *line = *from;
	bool done = false;
	char *word;

	if (!tokens) {
		tokens = plenty(MAX_TOKENS * sizeof(*tokens));
		words = plenty(WORDS_SIZE);
	}
	words_at = words;
	token_count = 0;
	problem = NULL;
	while (!done) {
		while (*line == ' ' || *line == '\t' || *line == '\n')
			line++;
		if (*line == '#')
			line += strlen(line);
		if (!*line || problem)
			break;
		if (strchr("|<>;&", *line)) {
			line = take_sign(line);
			done = strchr(";&AO", tokens[token_count - 1].sign);
			continue;
		}
		word = words_at;
		line = take_word(line);
		put_char('\0');
		if (!problem)
			expand(word);
	}
	tokens[token_count] = (struct token){0, NULL};
	*from = line;
	if (problem)
		complain("sh: %s\n", problem);
	return problem ? NULL : tokens;
}
