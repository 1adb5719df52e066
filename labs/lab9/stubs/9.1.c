/* SPDX-License-Identifier: GPL-2.0-only */
/* May the Guest have this frame?  `frame` is a whole entry >> 12. */
bool frame_ok(struct lguest *lg, u64 frame)
{
	/* TODO 9.1 */
	(void)lg;
	(void)frame;
	return false;
}

bool check_directory(struct lguest *lg, u64 entry, u64 allowed, bool middle)
{
	/* TODO 9.1.  If it is fine: true.  If not, this kills and returns false: */
	return bad_directory(lg, entry, allowed, middle);
}

bool check_pte(struct lguest *lg, u64 pte)
{
	/* TODO 9.1.  Likewise. */
	return bad_pte(lg, pte);
}
