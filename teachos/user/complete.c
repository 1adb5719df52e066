/* SPDX-License-Identifier: MIT */
/*G:886 What might you mean?
 *
 * Tab.  The word that is being typed is the beginning of something: of a program, if it
 * is the first of its command, else of a file.  All that begin so are looked at, and what
 * they have in common is typed for you.  If that is nothing, they are shown.
 */
#include "user.h"
#include "typing.h"
#include "words.h"

struct search {
	const char *part;	/* of the name, as typed so far */
	u32 length, count;
	char common[256];	/* what all found begin with */
	bool is_directory, show;
};

static void consider(const char *name, bool is_directory, void *arg)
{
	struct search *s = arg;
	u32 i = 0;

	if (strncmp(name, s->part, s->length) || (*name == '.' && !s->length))
		return;
	if (s->show)
		printf("%s%s  ", name, is_directory ? "/" : "");
	if (!s->count++) {
		strcopy(s->common, name, sizeof(s->common));
		s->is_directory = is_directory;
		return;
	}
	while (s->common[i] && s->common[i] == name[i])
		i++;
	s->common[i] = '\0';
}

static void search(struct search *s, const char *directory, bool program)
{
	const char *name;
	u32 i;

	for (i = 0; program && (name = builtin_name(i)); i++)
		consider(name, false, s);
	for_each_name(program ? "/bin" : directory, consider, s);
}

u32 complete(const char *text, u32 cursor, char *more, u32 size)
{
	u32 word = cursor, before, name, n;
	char part[256], directory[256];
	struct search s = {.part = part};
	bool program;

	while (word && !strchr(" |<>;&", text[word - 1]))
		word--;
	for (before = word; before && text[before - 1] == ' '; before--)
		;
	for (name = cursor; name > word && text[name - 1] != '/'; name--)
		;
	program = name == word && (!before || strchr("|;&", text[before - 1]));
	if (cursor - word >= sizeof(part))
		return 0;
	strcopy(part, text + name, cursor - name + 1);
	s.length = cursor - name;
	strcopy(directory, name > word ? text + word : ".", name > word ? name - word + 1 : 2);
	search(&s, directory, program);
	n = s.count ? strlen(s.common) - s.length : 0;
	if (n + 2 > size)
		return 0;
	strcopy(more, s.common + s.length, n + 1);
	if (s.count == 1)
		more[n++] = s.is_directory ? '/' : ' ';
	if (n || s.count < 2)
		return n;
	s.show = true;
	printf("\n");
	search(&s, directory, program);
	printf("\n");
	return 0;
}
/*:*/
