// SPDX-License-Identifier: MIT
static int refused(const struct net_wish *w, const char *deed, struct complaint *c)
{
	return complain(c, errno == EACCES || errno == EPERM ? STATUS_NET_PERMISSION :
			STATUS_NO_NETWORK, "--net=%s: %s: %s", w->text, deed, strerror(errno));
}

int cable_open(const struct net_wish *w, int *fd, struct complaint *c)
{
	*fd = -1;
	errno = ENOSYS;
	return refused(w, "there are no cables yet", c);
}
