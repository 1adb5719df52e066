// SPDX-License-Identifier: MIT
int cable_open(const struct net_wish *w, int *fd, struct complaint *c)
{
	*fd = -1;
	errno = ENOSYS;
	return refused(w, "there are no cables yet", c);
}
