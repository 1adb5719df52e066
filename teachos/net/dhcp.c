/* SPDX-License-Identifier: MIT */
/*D:474 Who am I?
 *
 * A machine that was just switched on has no address, so it can't ask anybody for one,
 * but it can shout.  DHCP (RFC 2131) is four shouts:
 *
 *	DISCOVER	is there somebody who gives addresses away?
 *	OFFER		you could have this one
 *	REQUEST		I would like to have it
 *	ACK		it is yours, for so many seconds
 *
 * The last two are said again when half of the time is over.  The format is that of
 * BOOTP, made in 1985 for something else, hence the 192 bytes of nothing in the middle.
 * What matters comes after it, in options: number, length, content.
 */
#include "net.h"

#define SERVER_PORT 67
#define FIXED_SIZE 240u			/* up to and with the magic number */
#define MAGIC 0x63825363u
#define BOOT_REQUEST 1
#define BOOT_REPLY 2
#define FLAG_BROADCAST 0x8000u
#define LONGEST_LEASE (30u * 24 * 3600)
#define REQUEST_TRIES 4u

enum { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACK, NAK };
enum {
	OPTION_PAD = 0, OPTION_MASK = 1, OPTION_ROUTER = 3, OPTION_DNS = 6, OPTION_ADDRESS = 50,
	OPTION_LEASE = 51, OPTION_TYPE = 53, OPTION_SERVER = 54, OPTION_WISHES = 55,
	OPTION_END = 255
};

struct bootp {
	u8 op, hardware, hardware_size, hops, id[4], seconds[2], flags[2];
	u8 client[4], yours[4], server[4], relay[4], mac[16], names[192], magic[4];
};
_Static_assert(sizeof(struct bootp) == FIXED_SIZE, "RFC 2131, section 2");

static u8 *option(u8 *at, u8 code, u8 length, u32 value)
{
	u8 bytes[4];

	put32(bytes, length == 1 ? value << 24 : value);
	*at++ = code;
	*at++ = length;
	memcpy(at, bytes, length);
	return at + length;
}

static void say(u8 type)
{
	static const u8 wishes[] = {OPTION_WISHES, 3, OPTION_MASK, OPTION_ROUTER, OPTION_DNS};
	struct packet *p = packet_new();
	struct bootp *b;
	u8 *at;

	if (!p)
		return;
	b = (void *)p->data;
	memset(b, 0, sizeof(*b));
	b->op = BOOT_REQUEST;
	b->hardware = 1;
	b->hardware_size = 6;
	put32(b->id, net->dhcp.id);
	put16(b->flags, FLAG_BROADCAST);
	put32(b->client, net->address);
	memcpy(b->mac, net->mac, 6);
	put32(b->magic, MAGIC);
	at = option((u8 *)(b + 1), OPTION_TYPE, 1, type);
	if (type == REQUEST && !net->address) {
		at = option(at, OPTION_ADDRESS, 4, net->dhcp.offered);
		at = option(at, OPTION_SERVER, 4, net->dhcp.server);
	}
	memcpy(at, wishes, sizeof(wishes));
	at += sizeof(wishes);
	*at++ = OPTION_END;
	p->length = at - p->data;
	udp_send(p, net->address, DHCP_CLIENT_PORT, IP_BROADCAST, SERVER_PORT);
}

/* Says it, and again after 1, 2, 4, 8, 8, ... seconds. */
static void ask(enum dhcp_state state, u64 now)
{
	struct dhcp *d = &net->dhcp;

	d->tries = d->state == state ? d->tries + 1 : 0;
	d->state = state;
	d->deadline = now + (NET_S << (d->tries < 3 ? d->tries : 3));
	say(state == DHCP_ASKING ? DISCOVER : REQUEST);
}

void dhcp_start(void)
{
	net->dhcp = (struct dhcp){.id = net_random()};
	ask(DHCP_ASKING, net_now());
}

/* The 4 (or 1) bytes of an option; 0: it is not there. */
static u32 find(const struct packet *p, u8 code)
{
	u32 at = FIXED_SIZE, length;

	while (at < p->length && p->data[at] != OPTION_END) {
		if (p->data[at] == OPTION_PAD) {
			at++;
			continue;
		}
		if (p->length - at < 2 || p->data[at + 1] > p->length - at - 2)
			return 0;
		length = p->data[at + 1];
		if (p->data[at] == code)
			return length >= 4 ? get32(p->data + at + 2) :
			       length == 1 ? p->data[at + 2] : 0;
		at += 2 + length;
	}
	return 0;
}

static void bound(const struct packet *p, u32 address)
{
	struct dhcp *d = &net->dhcp;
	u32 lease = find(p, OPTION_LEASE);
	u64 now = net_now();

	if (!lease || lease > LONGEST_LEASE)
		lease = LONGEST_LEASE;
	d->state = DHCP_BOUND;
	d->lease_end = now + lease * NET_S;
	d->deadline = now + lease * (NET_S / 2);
	net->address = address;
	net->mask = find(p, OPTION_MASK) ? find(p, OPTION_MASK) : 0xffffff00;
	net->gateway = find(p, OPTION_ROUTER);
	net->dns = find(p, OPTION_DNS);
	net_wake(d);
}
/*:*/

/*D:475 What the answer may be */
void dhcp_input(struct packet *p)
{
	struct dhcp *d = &net->dhcp;
	const struct bootp *b = (void *)p->data;
	u32 address, type;

	if (p->length < FIXED_SIZE) {
		packet_drop(p, DROP_SHORT);
		return;
	}
	type = find(p, OPTION_TYPE);
	address = get32(b->yours);
	if (d->state == DHCP_OFF || b->op != BOOT_REPLY || get32(b->magic) != MAGIC ||
	    get32(b->id) != d->id || memcmp(b->mac, net->mac, 6)) {
		packet_drop(p, DROP_NOT_OURS);
		return;
	}
	if (type == OFFER && d->state == DHCP_ASKING && address) {
		d->offered = address;
		d->server = find(p, OPTION_SERVER);
		ask(DHCP_REQUESTING, net_now());
	} else if (type == ACK && d->state >= DHCP_REQUESTING && address &&
		   address == (d->state == DHCP_BOUND ? net->address : d->offered)) {
		bound(p, address);
	} else if (type == NAK && d->state >= DHCP_REQUESTING) {
		net->address = 0;
		ask(DHCP_ASKING, net_now());
	}
	packet_free(p);
}

void dhcp_tick(u64 now)
{
	struct dhcp *d = &net->dhcp;

	if (d->state == DHCP_OFF || now < d->deadline)
		return;
	if (d->state == DHCP_BOUND && now < d->lease_end) {
		say(REQUEST);
		d->deadline = now + (d->lease_end - now) / 2 + NET_S;
		return;
	}
	net->address = 0;
	ask(d->state == DHCP_REQUESTING && d->tries < REQUEST_TRIES ? DHCP_REQUESTING
								    : DHCP_ASKING, now);
}
/*:*/
