/* SPDX-License-Identifier: MIT */
/*D:470 Postcards
 *
 * UDP (RFC 768) adds to IP what a house with many flats needs: a number on the door.
 * It may arrive, or not, or twice; that is all there is to it.
 *
 * An *endpoint* is such a door, with a letter box of sixteen packets behind it.  Pings
 * come to the same kind of door, with the echo's identifier for a number: that is how
 * Linux lets programs ping that are not trusted with more (SOCK_DGRAM, IPPROTO_ICMP).
 */
#include "net.h"

#define FIRST_PORT 49152u		/* of those for the passing trade: RFC 6335 */

struct udp_header {
	u8 from[2], to[2], length[2], checksum[2];
};

u16 port_new(bool (*taken)(u8 protocol, u16 port), u8 protocol)
{
	do {
		if (net->next_port < FIRST_PORT)
			net->next_port = FIRST_PORT + net_random() % 16384;
		net->next_port++;
	} while (!net->next_port || taken(protocol, net->next_port));
	return net->next_port;
}

struct endpoint *endpoint_find(u8 protocol, u16 port, u32 from, u16 from_port)
{
	struct endpoint *e;

	for (e = net->endpoints; e; e = e->next)
		if (e->protocol == protocol && e->port == port &&
		    (!e->remote || (e->remote == from && e->remote_port == from_port)))
			return e;
	return NULL;
}

static bool taken(u8 protocol, u16 port)
{
	struct endpoint *e;

	for (e = net->endpoints; e; e = e->next)
		if (e->protocol == protocol && e->port == port)
			return true;
	return protocol == IP_UDP && port == DHCP_CLIENT_PORT;
}

int endpoint_open(struct endpoint *e, u8 protocol, u16 port)
{
	if (port && taken(protocol, port))
		return -EADDRINUSE;
	*e = (struct endpoint){.protocol = protocol, .next = net->endpoints};
	e->port = port ? port : port_new(taken, protocol);
	net->endpoints = e;
	return 0;
}

void endpoint_close(struct endpoint *e)
{
	struct endpoint **link = &net->endpoints;
	struct packet *p;

	while (*link != e)
		link = &(*link)->next;
	*link = e->next;
	while ((p = e->queue) != NULL) {
		e->queue = p->next;
		packet_free(p);
	}
}

void endpoint_deliver(struct endpoint *e, struct packet *p, u32 from, u16 from_port)
{
	if (!e) {
		packet_drop(p, DROP_PROTOCOL);
	} else if (e->queued == ENDPOINT_QUEUE || net->packets_free < net->packets / 4) {
		packet_drop(p, DROP_QUEUE);
	} else {
		p->from = from;
		p->from_port = from_port;
		packet_append(&e->queue, p);
		e->queued++;
		net_wake(e);
	}
}

void udp_input(struct packet *p, const struct ip_header *ip)
{
	const struct udp_header *h = (void *)p->data;
	u32 from = get32(ip->from), to = get32(ip->to), length;
	struct endpoint *e;

	length = p->length < sizeof(*h) ? 0 : get16(h->length);
	if (length < sizeof(*h) || length > p->length) {
		packet_drop(p, DROP_SHORT);
		return;
	}
	if (get16(h->checksum) &&	/* 0: the sender did not bother */
	    !checksum_good(checksum_add(checksum_pseudo(from, to, IP_UDP, length), h, length))) {
		packet_drop(p, DROP_CHECKSUM);
		return;
	}
	p->length = length;
	packet_pull(p, sizeof(*h));
	if (get16(h->to) == DHCP_CLIENT_PORT) {
		dhcp_input(p);
		return;
	}
	e = endpoint_find(IP_UDP, get16(h->to), from, get16(h->from));
	if (!e)
		icmp_unreachable(ip, (const u8 *)h + length - (const u8 *)ip, ICMP_CODE_PORT);
	endpoint_deliver(e, p, from, get16(h->from));
}

int udp_send(struct packet *p, u32 from, u16 from_port, u32 to, u16 to_port)
{
	struct udp_header *h = packet_push(p, sizeof(*h));
	u32 sum = checksum_pseudo(from, to, IP_UDP, p->length);

	put16(h->from, from_port);
	put16(h->to, to_port);
	put16(h->length, p->length);
	put16(h->checksum, 0);
	checksum_put(h->checksum, checksum_add(sum, h, p->length));
	if (!get16(h->checksum))	/* would mean "none", and 0xffff is the same number */
		put16(h->checksum, 0xffff);
	return ip_send(p, from, to, IP_UDP);
}

int endpoint_send(struct endpoint *e, struct packet *p, u32 to, u16 to_port)
{
	u8 *echo = p->data;

	if (e->protocol == IP_UDP)
		return udp_send(p, ip_source(to), e->port, to, to_port);
	if (p->length < ICMP_HEADER || echo[0] != ICMP_ECHO || echo[1]) {
		packet_free(p);
		return -EINVAL;
	}
	put16(echo + 2, 0);
	put16(echo + 4, e->port);
	checksum_put(echo + 2, checksum_add(0, echo, p->length));
	return ip_send(p, ip_source(to), to, IP_ICMP);
}
/*:*/
