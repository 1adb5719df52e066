/* SPDX-License-Identifier: MIT */
/*G:764 What DNS is asked, and what it may say :*/
#ifndef DNS_H
#define DNS_H

#include "lib.h"

#define DNS_SIZE 512u			/* what fits into a packet of it */

enum dns_result { DNS_FOUND, DNS_NO_SUCH_NAME, DNS_NO_ADDRESS, DNS_NOT_MINE, DNS_BAD_NAME };

/* Writes the question for name's address; its length, 0: that is no name. */
u32 dns_question(u8 to[DNS_SIZE], const char *name, u16 id);
/* What answer says to question, to which *ip is the answer if DNS_FOUND.
 * DNS_NOT_MINE: it answers something else, or makes no sense. */
enum dns_result dns_answer(const u8 *answer, u32 length, const u8 *question,
			   u32 question_length, u32 *ip);

#endif
