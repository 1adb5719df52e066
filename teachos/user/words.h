/* SPDX-License-Identifier: MIT */
#ifndef WORDS_H
#define WORDS_H

#include "lib.h"

/*G:881 What a line is made of */
#define MAX_TOKENS 8192
enum { APPEND = 'a', AND = 'A', OR = 'O' };	/* the signs >> && || */

struct token {
	char sign;		/* 0: a word */
	char *word;
};

/* What $? and $1, $2... stand for. */
extern int last_status;
extern int parameter_count;		/* with $0 */
extern char **parameters;

/* The tokens of *line up to ; & && or ||, which is the last but one, or to its end;
 * with $NAME, * and ? replaced; good until the next call.  The last has neither sign nor
 * word.  *line moves on.  NULL after a complaint. */
struct token *tokenize(const char **line);

/* Calls each(name, is_directory, arg) for all names in a directory; false: there is no
 * such. */
bool for_each_name(const char *directory,
		   void (*each)(const char *name, bool is_directory, void *arg), void *arg);
/* So many bytes of zeros that are there when they are looked at, and not before. */
void *plenty(u32 bytes);
/*:*/
#endif
