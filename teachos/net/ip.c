/* SPDX-License-Identifier: MIT */
/*D:458 Twenty bytes that rule the world
 *
 *	 0	version 4 | length of this header, in words
 *	 2	length of all
 *	 4	identification, 6: fragment offset and flags
 *	 8	time to live | what is inside: 1 ICMP, 6 TCP, 17 UDP
 *	10	checksum of this header
 *	12	from, 16: to
 *
 * (RFC 791.)  We are a leaf, not a router: a packet is for us, or it is dropped.  We
 * never send fragments, and do not put together those of others: who speaks TCP does
 * not make any, and in UDP nothing that we use is that long.
 *
 * The way out is short.  Neighbours are those who share the first bits of our address;
 * all others are reached by way of the gateway.
 */
#include "net.h"

#define TTL 64
#define MORE_OR_OFFSET 0x3fffu		/* of header.fragment */
#define DONT_FRAGMENT 0x4000u

bool ip_is_broadcast(u32 address)
{
	return address == IP_BROADCAST ||
	       (net->mask && net->mask != IP_BROADCAST &&
		address == (net->address | ~net->mask));
}

static bool is_ours(u32 address, bool looped)
{
	if (looped)
		return IS_LOOPBACK(address) || (net->address && address == net->address);
	return ip_is_broadcast(address) || (net->address && address == net->address);
}

/* Nobody, everybody, several, ourselves: none of them can have written. */
static bool is_possible_sender(u32 address, bool looped)
{
	if (looped)
		return true;
	return address >> 24 && address >> 28 < 0xe && !IS_LOOPBACK(address) &&
	       !ip_is_broadcast(address) && address != net->address;
}

u32 ip_source(u32 to)
{
	return IS_LOOPBACK(to) ? IP_LOOPBACK : net->address;
}

static void icmp_input(struct packet *p, const struct ip_header *h);

void ip_input(struct packet *p, bool looped)
{
	const struct ip_header *h = (void *)p->data;
	u32 header, length;

	if (p->length < sizeof(*h)) {
		packet_drop(p, DROP_SHORT);
		return;
	}
	header = (h->version_length & 0xf) * 4;
	length = get16(h->length);
	if (h->version_length >> 4 != 4 || header < sizeof(*h) || length < header ||
	    length > p->length) {
		packet_drop(p, DROP_SHORT);
		return;
	}
	if (!checksum_good(checksum_add(0, h, header))) {
		packet_drop(p, DROP_CHECKSUM);
		return;
	}
	if (!is_ours(get32(h->to), looped) || !is_possible_sender(get32(h->from), looped)) {
		packet_drop(p, DROP_NOT_OURS);
		return;
	}
	if (get16(h->fragment) & MORE_OR_OFFSET) {
		packet_drop(p, DROP_FRAGMENT);
		return;
	}
	p->length = length;		/* Ethernet pads short ones */
	packet_pull(p, header);
	if (h->protocol == IP_TCP)
		tcp_input(p, h);
	else if (h->protocol == IP_UDP)
		udp_input(p, h);
	else if (h->protocol == IP_ICMP)
		icmp_input(p, h);
	else
		packet_drop(p, DROP_PROTOCOL);
}

int ip_send(struct packet *p, u32 from, u32 to, u8 protocol)
{
	struct ip_header *h = packet_push(p, sizeof(*h));

	*h = (struct ip_header){.version_length = 0x45, .ttl = TTL, .protocol = protocol};
	put16(h->length, p->length);
	put16(h->id, net->next_id++);
	put16(h->fragment, DONT_FRAGMENT);
	put32(h->from, from);
	put32(h->to, to);
	checksum_put(h->checksum, checksum_add(0, h, sizeof(*h)));
	if (IS_LOOPBACK(to) || (to && to == net->address)) {
		packet_append(&net->looped, p);
		return 0;
	}
	if (!net->transmit || (!from && to != IP_BROADCAST) ||
	    ((to ^ net->address) & net->mask && to != IP_BROADCAST && !net->gateway)) {
		packet_drop(p, DROP_UNREACHABLE);
		return -ENETUNREACH;
	}
	arp_send(p, (to ^ net->address) & net->mask && to != IP_BROADCAST ? net->gateway : to);
	return 0;
}
/*:*/

/*D:459 Ping, and bad news
 *
 * ICMP (RFC 792) is IP talking about itself.  An echo request is sent back as it is,
 * with another number in front.  "Unreachable" comes with the beginning of the packet
 * that did not arrive, enough to find out whose it was.
 */
struct icmp_header {
	u8 type, code, checksum[2], id[2], sequence[2];
};

static void icmp_send(struct packet *p, u32 from, u32 to)
{
	struct icmp_header *h = (void *)p->data;

	put16(h->checksum, 0);
	checksum_put(h->checksum, checksum_add(0, h, p->length));
	ip_send(p, from, to, IP_ICMP);
}

static void icmp_input(struct packet *p, const struct ip_header *ip)
{
	struct icmp_header *h = (void *)p->data;
	u32 from = get32(ip->from);

	if (p->length < sizeof(*h)) {
		packet_drop(p, DROP_SHORT);
	} else if (!checksum_good(checksum_add(0, h, p->length))) {
		packet_drop(p, DROP_CHECKSUM);
	} else if (h->type == ICMP_ECHO && !ip_is_broadcast(get32(ip->to))) {
		h->type = ICMP_ECHO_REPLY;
		icmp_send(p, get32(ip->to), from);
	} else if (h->type == ICMP_ECHO_REPLY) {
		endpoint_deliver(endpoint_find(IP_ICMP, get16(h->id), from, 0), p, from, 0);
	} else if (h->type == ICMP_UNREACHABLE) {
		ip_failed(p->data + sizeof(*h), p->length - sizeof(*h),
			  h->code == ICMP_CODE_PORT ? -ECONNREFUSED : -EHOSTUNREACH);
		packet_free(p);
	} else {
		packet_drop(p, DROP_PROTOCOL);
	}
}

void icmp_unreachable(const struct ip_header *header, u32 length, u8 code)
{
	struct packet *p;
	struct icmp_header *h;
	u32 quote = (header->version_length & 0xf) * 4 + 8;

	if (ip_is_broadcast(get32(header->to)))
		return;
	p = packet_new();
	if (!p)
		return;
	if (quote > length)
		quote = length;
	memcpy(p->data, header, quote);
	p->length = quote;
	h = packet_push(p, sizeof(*h));
	*h = (struct icmp_header){.type = ICMP_UNREACHABLE, .code = code};
	icmp_send(p, get32(header->to), get32(header->from));
}

void ip_failed(const u8 *packet, u32 length, int error)
{
	const struct ip_header *h = (const void *)packet;
	u32 header = length < sizeof(*h) ? 0 : (h->version_length & 0xf) * 4;
	struct endpoint *e;

	if (header < sizeof(*h) || length < header + 8 || get32(h->from) != ip_source(get32(h->to)))
		return;
	packet += header;		/* both begin with: port from, port to */
	if (h->protocol == IP_TCP)
		tcp_failed(get32(h->to), get16(packet), get16(packet + 2), error);
	e = h->protocol != IP_UDP ? NULL :
	    endpoint_find(IP_UDP, get16(packet), get32(h->to), get16(packet + 2));
	if (e && e->remote) {		/* else nobody would know whom it is about */
		e->error = error;
		net_wake(e);
	}
}
/*:*/
