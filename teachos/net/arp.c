/* SPDX-License-Identifier: MIT */
/*D:456 "Who has 10.0.2.2?"
 *
 * A network card knows its neighbours by six bytes that were burnt into it; the rest of
 * the world uses four that can be changed.  ARP (RFC 826) translates: shout the
 * question to everybody, and whoever it is answers.  Answers are kept for a minute,
 * as asking costs a round trip.
 *
 * While we wait, one packet for that neighbour may wait with us.  A second one replaces
 * it: whatever speaks TCP will say it again, and whatever does not expects losses.
 *
 * Only answers to questions that we asked are believed, and questions to us are
 * answered (and the asker remembered, who is about to talk to us).
 */
#include "net.h"

#define TYPE_IP		0x0800
#define TYPE_ARP	0x0806
#define ARP_REQUEST	1
#define ARP_REPLY	2
#define KEEP_NS		(60 * NET_S)
#define ASK_AGAIN_NS	NET_S
#define ASK_TRIES	3u

struct eth_header {
	u8 to[6], from[6], type[2];
};

struct arp_packet {
	u8 hardware[2], protocol[2], hardware_size, protocol_size, operation[2];
	u8 from_mac[6], from[4], to_mac[6], to[4];
};

static const u8 everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void eth_send(struct packet *p, const u8 mac[6], u16 type)
{
	struct eth_header *h = packet_push(p, sizeof(*h));
	u32 length = p->length;

	memcpy(h->to, mac, 6);
	memcpy(h->from, net->mac, 6);
	put16(h->type, type);
	if (!net->transmit(p)) {
		net->counter[DROP_DEVICE]++;
		return;
	}
	net->counter[TX_PACKETS]++;
	net->counter[TX_BYTES] += length;
}

static void arp_say(u16 operation, const u8 to_mac[6], u32 to)
{
	struct packet *p = packet_new();
	struct arp_packet *a;

	if (!p)
		return;
	a = (void *)p->data;
	p->length = sizeof(*a);
	put16(a->hardware, 1);
	put16(a->protocol, TYPE_IP);
	a->hardware_size = 6;
	a->protocol_size = 4;
	put16(a->operation, operation);
	memcpy(a->from_mac, net->mac, 6);
	put32(a->from, net->address);
	memcpy(a->to_mac, to_mac, 6);
	put32(a->to, to);
	eth_send(p, operation == ARP_REQUEST ? everybody : to_mac, TYPE_ARP);
}

static struct arp_entry *find(u32 address)
{
	u32 i;

	for (i = 0; i < ARP_ENTRIES; i++)
		if (net->arp[i].address == address)
			return &net->arp[i];
	return NULL;
}

static void forget(struct arp_entry *e)
{
	struct packet *p = e->waiting;

	*e = (struct arp_entry){0};
	if (!p)
		return;
	ip_failed(p->data, p->length, -EHOSTUNREACH);
	packet_drop(p, DROP_UNREACHABLE);
}

/* A free entry, or the one that would be the first to go. */
static struct arp_entry *create(u32 address)
{
	struct arp_entry *e = find(0);
	u32 i;

	if (!e) {
		e = &net->arp[0];
		for (i = 1; i < ARP_ENTRIES; i++)
			if (net->arp[i].deadline < e->deadline)
				e = &net->arp[i];
		forget(e);
	}
	e->address = address;
	return e;
}

static void learn(struct arp_entry *e, const u8 mac[6])
{
	struct packet *p = e->waiting;

	memcpy(e->mac, mac, 6);
	e->known = true;
	e->deadline = net_now() + KEEP_NS;
	e->waiting = NULL;
	if (p)
		eth_send(p, mac, TYPE_IP);
}
/*:*/

/*D:457 Asking and answering */
static void arp_input(struct packet *p)
{
	const struct arp_packet *a = (void *)p->data;
	struct arp_entry *e;
	u32 from;

	if (p->length < sizeof(*a)) {
		packet_drop(p, DROP_SHORT);
		return;
	}
	from = get32(a->from);
	if (get16(a->hardware) != 1 || get16(a->protocol) != TYPE_IP || a->hardware_size != 6 ||
	    a->protocol_size != 4 || !net->address || get32(a->to) != net->address ||
	    from == net->address || ip_is_broadcast(from) || (a->from_mac[0] & 1)) {
		packet_drop(p, DROP_NOT_OURS);
		return;
	}
	e = from ? find(from) : NULL;	/* from 0: "is this address free?" */
	if (!e && from && get16(a->operation) == ARP_REQUEST)
		e = create(from);
	if (e)
		learn(e, a->from_mac);
	if (get16(a->operation) == ARP_REQUEST)
		arp_say(ARP_REPLY, a->from_mac, from);
	packet_free(p);
}

void arp_send(struct packet *p, u32 next_hop)
{
	struct arp_entry *e;

	if (ip_is_broadcast(next_hop)) {
		eth_send(p, everybody, TYPE_IP);
		return;
	}
	e = find(next_hop);
	if (e && e->known) {
		eth_send(p, e->mac, TYPE_IP);
		return;
	}
	if (!e) {
		e = create(next_hop);
		e->tries = 1;
		e->deadline = net_now() + ASK_AGAIN_NS;
		arp_say(ARP_REQUEST, (u8[6]){0}, next_hop);
	}
	if (e->waiting)
		packet_drop(e->waiting, DROP_UNREACHABLE);
	e->waiting = p;
}

void arp_tick(u64 now)
{
	struct arp_entry *e;

	for (e = net->arp; e < net->arp + ARP_ENTRIES; e++) {
		if (!e->address || now < e->deadline)
			continue;
		if (e->known || e->tries++ == ASK_TRIES) {
			forget(e);
			continue;
		}
		e->deadline = now + ASK_AGAIN_NS;
		arp_say(ARP_REQUEST, (u8[6]){0}, e->address);
	}
}

void net_input(struct packet *p)
{
	const struct eth_header *h;

	net->counter[RX_PACKETS]++;
	net->counter[RX_BYTES] += p->length;
	h = packet_pull(p, sizeof(*h));
	if (!h)
		packet_drop(p, DROP_SHORT);
	else if (memcmp(h->to, net->mac, 6) && !(h->to[0] & 1))
		packet_drop(p, DROP_NOT_OURS);
	else if (get16(h->type) == TYPE_IP)
		ip_input(p, false);
	else if (get16(h->type) == TYPE_ARP)
		arp_input(p);
	else
		packet_drop(p, DROP_PROTOCOL);
}
/*:*/
