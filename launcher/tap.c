// SPDX-License-Identifier: MIT
/*L:738 Taps, bridges and cards
 *
 * Where does a frame go that is no user's business?  Into this machine's own kernel,
 * and that is privileged: a frame may claim to come from anybody.
 *
 * A *tap* is a network card whose wire is a file descriptor.  With `--tunnet
 * 192.168.19.1` this machine gets a new card with that address, and at the other end
 * of its wire is the Guest: the two are a network of their own.  What goes on from
 * there (forwarding, masquerading) is this machine's configuration, and not ours.
 * With `--tunnet bridge:br0` the card has no address, but is plugged into br0, like
 * a computer into a switch.
 *
 * `--net raw:eth0` makes no new card: the Guest sees all that eth0 sees, and sends as
 * if it were eth0's own machine.  It is meant for a card that nobody else uses, which
 * is what the nested machine has (L:812).
 :*/
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "launcher.h"

#ifndef PACKET_IGNORE_OUTGOING		/* Linux 4.20 */
#define PACKET_IGNORE_OUTGOING 23
#endif

/* errno becomes a sentence.  Missing rights are the usual case. */
static int refused(const struct net_wish *w, const char *deed, struct complaint *c)
{
	const char *option = w->kind == NET_RAW ? "--net" : "--tunnet";

	if (errno == EPERM || errno == EACCES)
		return complain(c, STATUS_NET_PERMISSION, "%s=%s: %s: %s; expected to be root or to "
				"have the capability %s (--net=user needs none)", option, w->text,
				deed, strerror(errno),
				w->kind == NET_RAW ? "cap_net_raw" : "cap_net_admin");
	return complain(c, STATUS_NO_NETWORK, "%s=%s: %s: %s", option, w->text, deed,
			strerror(errno));
}

static void set_address(struct ifreq *r, struct in_addr addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = addr };

	memcpy(&r->ifr_addr, &in, sizeof(in));
}

/* The new card's name is in r; s is any socket. */
static int set_up(const struct net_wish *w, struct ifreq *r, int s, struct complaint *c)
{
	struct ifreq bridge = { 0 };

	if (w->kind == NET_BRIDGE) {
		strcpy(bridge.ifr_name, w->name);
		bridge.ifr_ifindex = (int)if_nametoindex(r->ifr_name);
		if (!if_nametoindex(w->name))
			return refused(w, "there is no such bridge", c);
		if (ioctl(s, SIOCBRADDIF, &bridge) < 0)
			return refused(w, errno == EOPNOTSUPP ? "it is no bridge"
							      : "cannot plug into it", c);
	} else {
		set_address(r, w->addr);
		if (ioctl(s, SIOCSIFADDR, r) < 0)
			return refused(w, "cannot set the address", c);
		set_address(r, (struct in_addr){ htonl(~0u << (32 - w->bits)) });
		if (ioctl(s, SIOCSIFNETMASK, r) < 0)
			return refused(w, "cannot set the number of bits", c);
	}
	r->ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(s, SIOCSIFFLAGS, r) < 0)
		return refused(w, "cannot switch it on", c);
	return 0;
}

static int tap_open(const struct net_wish *w, struct net_link *link, struct complaint *c)
{
	struct ifreq r = { .ifr_name = "lg%d", .ifr_flags = IFF_TAP | IFF_NO_PI };
	int s, status;

	link->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (link->fd < 0)
		return refused(w, errno == ENOENT || errno == ENODEV ?
			       "/dev/net/tun (modprobe tun)" : "/dev/net/tun", c);
	if (ioctl(link->fd, TUNSETIFF, &r) < 0)
		return refused(w, "cannot make a tap", c);
	snprintf(link->name, sizeof(link->name), "%s", r.ifr_name);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return refused(w, "socket", c);
	status = set_up(w, &r, s, c);
	close(s);
	if (!status)
		verbose("network %s: %s %s", link->name, w->kind == NET_BRIDGE ? "plugged into" :
			"the Guest's neighbour is", w->kind == NET_BRIDGE ? w->name : w->text);
	return status;
}

/*
 * The kernel likes to join frames of one connection before it shows them to anybody
 * (GRO).  That makes frames that no wire could carry, and net.c no Guest's buffer.
 */
static void frames_as_they_are(int s, const char *card)
{
	struct ethtool_value off = { .cmd = ETHTOOL_SGRO, .data = 0 };
	struct ifreq r = { .ifr_data = (char *)&off };

	strcpy(r.ifr_name, card);
	if (ioctl(s, SIOCETHTOOL, &r) < 0)
		verbose("network %s: cannot switch off GRO: %s", card, strerror(errno));
}

static int raw_open(const struct net_wish *w, struct net_link *link, struct complaint *c)
{
	struct sockaddr_ll where = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct packet_mreq all = { .mr_type = PACKET_MR_PROMISC };
	int one = 1;

	/* Protocol 0: nothing arrives before bind(), from cards that were not meant. */
	link->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (link->fd < 0)
		return refused(w, "cannot open a raw socket", c);
	where.sll_ifindex = all.mr_ifindex = (int)if_nametoindex(w->name);
	if (!where.sll_ifindex)
		return refused(w, "there is no such card", c);
	frames_as_they_are(link->fd, w->name);
	setsockopt(link->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	if (setsockopt(link->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0 ||
	    bind(link->fd, (struct sockaddr *)&where, sizeof(where)) < 0)
		return refused(w, "cannot listen", c);
	snprintf(link->name, sizeof(link->name), "%s", w->name);
	return 0;
}

/*
 * An address of the kind that anybody may make up.  In a network of its own it may be
 * the same each time; in one with others it had better not.
 */
void net_mac(const struct net_wish *w, uint8_t mac[6])
{
	static const uint8_t ours[6] = { 0x02, 'l', 'g', 0x00, 0x02, 0x0f };

	memcpy(mac, w->has_mac ? w->mac : ours, 6);
	if (!w->has_mac && w->kind != NET_USER && getrandom(mac + 3, 3, 0) != 3)
		verbose("no random numbers for a MAC address: it is the same as last time");
}

int net_open(const struct net_wish *w, const char *user, struct net_link *link,
	     struct complaint *c)
{
	net_mac(w, link->mac);
	switch (w->kind) {
	case NET_USER:
		strcpy(link->name, "user");
		return neighbour_start(w, user, &link->fd, c);
	case NET_RAW:
		return raw_open(w, link, c);
	case NET_CABLE:
		strcpy(link->name, "cable");
		return cable_open(w, &link->fd, c);
	default:
		return tap_open(w, link, c);
	}
}
