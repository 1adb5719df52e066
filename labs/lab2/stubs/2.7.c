/* SPDX-License-Identifier: MIT */
/* So many entries are told one by one. */
#define FEW 24u

bool root_fork(u32 from, u32 to)
{
	(void)from, (void)to;
	return false;
}
