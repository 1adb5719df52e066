/* SPDX-License-Identifier: MIT */
/*D:492 The clockwork
 *
 * After each interrupt and each system call somebody has to look whether there is
 * something to say: an acknowledgement for all that has just come in, one packet
 * instead of ten; and what we sent to ourselves wants to be received.  Then the alarm
 * is set to whatever will be due first, a question to be asked again or a segment
 * that nobody acknowledged.
 */
#include "net.h"

/* Talking to ourselves could go on for ever; the alarm goes on with the rest. */
#define LOOPED_AT_ONCE 64u

static void earlier(u64 *first, u64 deadline)
{
	if (deadline && (!*first || deadline < *first))
		*first = deadline;
}

static void set_alarm(void)
{
	u64 first = 0;
	u32 i;

	for (i = 0; i < ARP_ENTRIES; i++)
		earlier(&first, net->arp[i].address ? net->arp[i].deadline : 0);
	for (i = 0; i < TCP_MAX; i++)
		earlier(&first, net->tcp[i].deadline);
	if (net->dhcp.state != DHCP_OFF)
		earlier(&first, net->dhcp.deadline);
	if (net->looped)
		first = net_now();
	if (first)
		net_alarm(first);
}

void net_poll(void)
{
	struct packet *p;
	u32 patience = LOOPED_AT_ONCE;

	tcp_poll();
	while (patience-- && (p = net->looped) != NULL) {
		net->looped = p->next;
		ip_input(p, true);
		tcp_poll();
	}
	set_alarm();
}

void net_tick(void)
{
	u64 now = net_now();

	arp_tick(now);
	dhcp_tick(now);
	tcp_tick(now);
	net_poll();
}

bool parse_address(const char **text, u32 *address)
{
	const char *s = *text;
	u32 part, value = 0, i;

	for (i = 0; i < 4; i++) {
		if (i && *s++ != '.')
			return false;
		if (*s < '0' || *s > '9')
			return false;
		for (part = 0; *s >= '0' && *s <= '9' && part < 256; s++)
			part = part * 10 + *s - '0';
		if (part > 255)
			return false;
		value = value << 8 | part;
	}
	*address = value;
	*text = s;
	return true;
}

bool net_configure(const char *text)
{
	u32 address, gateway = 0, dns = 0, bits = 0;

	if (!parse_address(&text, &address) || *text++ != '/' || *text < '0' || *text > '9')
		return false;
	while (*text >= '0' && *text <= '9' && bits < 33)
		bits = bits * 10 + *text++ - '0';
	if (bits < 1 || bits > 30)
		return false;
	if (*text == ',' && (++text, !parse_address(&text, &gateway)))
		return false;
	if (*text == ',' && (++text, !parse_address(&text, &dns)))
		return false;
	if (*text)
		return false;
	net->dhcp.state = DHCP_OFF;
	net->address = address;
	net->mask = ~0u << (32 - bits);
	net->gateway = gateway;
	net->dns = dns;
	return true;
}
/*:*/
