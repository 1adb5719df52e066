// SPDX-License-Identifier: MIT
#include <sanitizer/asan_interface.h>

#include "world.h"

u64 now;
struct line line;
u32 pages_out, last_length, frames_sent, lose_long;
bool wire_cut;
u8 last_frame[2048];

static struct net machine[2];
static u64 alarm_at[2];
static struct frame *wire;
static struct packet *pool[2][NET_PACKETS];

u64 net_now(void)
{
	return now;
}

static u32 who(void)
{
	return net == &machine[1];
}

void become(u32 m)
{
	net = &machine[m];
}

void net_alarm(u64 deadline)
{
	if (deadline <= now)
		deadline = now + 1000;
	if (!alarm_at[who()] || deadline < alarm_at[who()])
		alarm_at[who()] = deadline;
}

void net_wake(const void *channel)
{
	assert_non_null(channel);
}

u32 net_random(void)
{
	return random32();
}

void *net_page(void)
{
	pages_out++;
	return malloc(TCP_PAGE);
}

void net_page_free(void *page)
{
	pages_out--;
	free(page);
}

static void send_one(const u8 *data, u32 length)
{
	struct frame *f = malloc(sizeof(*f) + length), **link = &wire;

	f->to = !who();
	f->when = now + 1000 * (u64)(line.delay_us + (line.jitter_us ? below(line.jitter_us) : 0));
	f->length = length;
	memcpy(f->data, data, length);
	while (*link && (*link)->when <= f->when)
		link = &(*link)->next;
	f->next = *link;
	*link = f;
}

static bool transmit(struct packet *p)
{
	assert_true(p->length <= NET_FRAME);
	frames_sent++;
	memcpy(last_frame, p->data, p->length);
	last_length = p->length;
	if (lose_long && p->length > 1000) {
		lose_long--;
	} else if (!wire_cut && below(1000) >= line.lost) {
		send_one(p->data, p->length);
		if (below(1000) < line.twice)
			send_one(p->data, p->length);
	}
	packet_free(p);
	return true;
}

void world_begin(void)
{
	u32 m, i;

	now = NET_S;
	line = (struct line){.delay_us = 500};
	wire_cut = false;
	for (m = 0; m < 2; m++) {
		become(m);
		memset(net, 0, sizeof(*net));
		memcpy(net->mac, (u8[6]){2, 0, 0, 0, 0, m + 1}, 6);
		net->address = m ? B : A;
		net->mask = 0xffffff00;
		net->transmit = transmit;
		alarm_at[m] = 0;
		for (i = 0; i < NET_PACKETS; i++) {
			pool[m][i] = malloc(sizeof(struct packet));
			packet_give(pool[m][i]);
		}
	}
	become(0);
}

void world_end(void)
{
	struct frame *f;
	u32 m, i;

	while ((f = wire) != NULL) {
		wire = f->next;
		free(f);
	}
	for (m = 0; m < 2; m++) {
		become(m);
		for (i = 0; i < ARP_ENTRIES; i++)
			if (net->arp[i].waiting)
				packet_free(net->arp[i].waiting);
		tcp_sweep();
		for (i = 0; i < TCP_MAX; i++)
			assert_int_equal(net->tcp[i].state, TCP_CLOSED);
		assert_null(net->endpoints);
		assert_int_equal(net->packets_free, NET_PACKETS);
		for (i = 0; i < NET_PACKETS; i++)
			free(pool[m][i]);
	}
	assert_int_equal(pages_out, 0);
}

void arrives(const void *data, u32 length)
{
	struct packet *p = packet_new();

	if (!p)
		return;
	assert_true(length <= NET_FRAME);
	memcpy(p->data, data, length);
	p->length = length;
	ASAN_POISON_MEMORY_REGION(p->data + length, PACKET_ROOM - PACKET_HEADROOM - length);
	net_input(p);
	ASAN_UNPOISON_MEMORY_REGION(p->room, PACKET_ROOM);
	net_poll();
}

void world_run(u64 then, bool (*done)(void))
{
	while (!done || !done()) {
		u64 next = then;
		struct frame *f = wire;
		u32 m;

		if (done && now + 10 * NET_MS < next)
			next = now + 10 * NET_MS;	/* processes run, too */
		if (f && f->when < next)
			next = f->when;
		for (m = 0; m < 2; m++)
			if (alarm_at[m] && alarm_at[m] < next)
				next = alarm_at[m];
		if (next > now)
			now = next;
		if (now >= then)
			return;
		if (f && f->when <= now) {
			wire = f->next;
			become(f->to);
			arrives(f->data, f->length);
			free(f);
			continue;
		}
		for (m = 0; m < 2; m++) {
			if (!alarm_at[m] || alarm_at[m] > now)
				continue;
			become(m);
			alarm_at[m] = 0;
			net_tick();
		}
	}
}
