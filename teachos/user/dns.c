/* SPDX-License-Identifier: MIT */
/*G:763 The telephone book
 *
 * DNS (RFC 1035): twelve bytes of header, then the question, then the answers in the
 * same format.  A name is its parts, each with its length in front, 0 at the end.  To
 * save room a name may end in a pointer to where its tail stood before; a joker could
 * let two of them point to each other.  We never need to follow one: all that matters
 * is how long the name is *here*, and a pointer ends it.
 *
 * An answer counts if it repeats our question, number and all.
 */
#include "dns.h"

#define HEADER 12u
#define TYPE_A 1
#define CLASS_IN 1
#define FLAG_ANSWER 0x80
#define FLAG_RECURSE 0x01
#define CODE_MASK 0x0f
#define CODE_NO_SUCH_NAME 3
#define POINTER 0xc0

u32 dns_question(u8 to[DNS_SIZE], const char *name, u16 id)
{
	static const u8 tail[] = {0, 0, TYPE_A, 0, CLASS_IN};
	u32 at = HEADER, length;

	memset(to, 0, HEADER);
	to[0] = id >> 8;
	to[1] = id;
	to[2] = FLAG_RECURSE;
	to[5] = 1;			/* question */
	do {
		for (length = 0; name[length] && name[length] != '.'; length++)
			;
		if (!length || length > 63 || at + length > HEADER + 253)
			return 0;
		to[at++] = length;
		memcpy(to + at, name, length);
		at += length;
		name += length;
	} while (*name && *++name);	/* "name." is as good as "name" */
	memcpy(to + at, tail, sizeof(tail));
	return at + sizeof(tail);
}

/* Behind the name that begins at `at`; 0: it has no end. */
static u32 skip_name(const u8 *p, u32 length, u32 at)
{
	while (at < length) {
		if (p[at] >= POINTER)
			return at + 2;
		if (!p[at])
			return at + 1;
		at += 1 + p[at];
	}
	return 0;
}

static u32 get(const u8 *p)
{
	return p[0] << 8 | p[1];
}

static u8 lower(u8 c)
{
	return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c;
}

enum dns_result dns_answer(const u8 *p, u32 length, const u8 *question,
			   u32 question_length, u32 *ip)
{
	u32 at, left, size, i;

	if (length < question_length || get(p) != get(question) || !(p[2] & FLAG_ANSWER) ||
	    get(p + 4) != 1)
		return DNS_NOT_MINE;
	for (i = HEADER; i < question_length; i++)	/* lengths are too small to be letters */
		if (lower(p[i]) != lower(question[i]))
			return DNS_NOT_MINE;
	if ((p[3] & CODE_MASK) == CODE_NO_SUCH_NAME)
		return DNS_NO_SUCH_NAME;
	at = question_length;
	for (left = get(p + 6); left; left--) {
		at = skip_name(p, length, at);
		if (!at || at > length || length - at < 10)
			break;
		size = get(p + at + 8);
		if (size > length - at - 10)
			break;
		if (get(p + at) == TYPE_A && get(p + at + 2) == CLASS_IN && size == 4) {
			p += at + 10;
			*ip = (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
			return DNS_FOUND;
		}
		at += 10 + size;
	}
	return DNS_NO_ADDRESS;
}
/*:*/
