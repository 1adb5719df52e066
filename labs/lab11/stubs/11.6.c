// SPDX-License-Identifier: MIT
int check_whole(struct snapshot *s, const struct head *h, uint64_t size, struct complaint *c)
{
	(void)h, (void)size;
	return damaged(s, c, "nobody has looked at it yet", "somebody who does");
}

int read_parts(struct snapshot *s, const struct head *h, struct complaint *c)
{
	(void)h;
	return damaged(s, c, "nobody has read it yet", "somebody who does");
}
