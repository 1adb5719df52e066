// SPDX-License-Identifier: MIT
/* Packets that a stranger made.  They are built by hand here, byte by byte and with a
 * checksum of our own, from RFC 791, 792, 768, 826, 2131 and 9293. */
#include "world.h"

static u8 frame[2048];
static u32 length;

/* RFC 1071 as it stands there: 16 bits at a time, high byte first. */
static u16 sum16(const u8 *p, u32 n, u32 sum)
{
	for (; n > 1; p += 2, n -= 2)
		sum += p[0] << 8 | p[1];
	if (n)
		sum += p[0] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void be16(u8 *p, u32 v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static void be32(u8 *p, u32 v)
{
	be16(p, v >> 16);
	be16(p + 2, v);
}

static u32 rd32(const u8 *p)
{
	return (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

#define IP (frame + 14)
#define BODY (frame + 34)

static void finish_ip(u8 protocol, u32 from, u32 to, u32 body)
{
	memcpy(frame, "\2\0\0\0\0\1\2\0\0\0\0\2\x08\0", 14);
	memset(IP, 0, 20);
	IP[0] = 0x45;
	be16(IP + 2, 20 + body);
	be16(IP + 4, 0x1234);
	IP[8] = 64;
	IP[9] = protocol;
	be32(IP + 12, from);
	be32(IP + 16, to);
	be16(IP + 10, sum16(IP, 20, 0));
	length = 34 + body;
}

static u32 pseudo(u32 from, u32 to, u8 protocol, u32 body)
{
	return (from >> 16) + (from & 0xffff) + (to >> 16) + (to & 0xffff) + protocol + body;
}

static void build_echo(u32 payload)
{
	u32 i;

	memset(BODY, 0, 8);
	BODY[0] = 8;
	be32(BODY + 4, 0x77770001);
	for (i = 0; i < payload; i++)
		BODY[8 + i] = i * 7 + 1;
	be16(BODY + 2, sum16(BODY, 8 + payload, 0));
	finish_ip(1, B, A, 8 + payload);
}

static void build_udp(u32 from, u32 to, u16 from_port, u16 to_port, const void *data, u32 n)
{
	be16(BODY, from_port);
	be16(BODY + 2, to_port);
	be16(BODY + 4, 8 + n);
	be16(BODY + 6, 0);
	memcpy(BODY + 8, data, n);
	be16(BODY + 6, sum16(BODY, 8 + n, pseudo(from, to, 17, 8 + n)));
	finish_ip(17, from, to, 8 + n);
}

static void build_tcp(u32 seq, u32 ack, u8 flags, const void *data, u32 n)
{
	memset(BODY, 0, 20);
	be16(BODY, 4000);
	be16(BODY + 2, 80);
	be32(BODY + 4, seq);
	be32(BODY + 8, ack);
	BODY[12] = 0x50;
	BODY[13] = flags;
	be16(BODY + 14, 20000);
	memcpy(BODY + 20, data, n);
	be16(BODY + 16, sum16(BODY, 20 + n, pseudo(B, A, 6, 20 + n)));
	finish_ip(6, B, A, 20 + n);
}

static void build_arp(u16 operation, u32 from, u32 to)
{
	memcpy(frame, "\xff\xff\xff\xff\xff\xff\2\0\0\0\0\2\x08\x06\0\1\x08\0\6\4", 20);
	be16(frame + 20, operation);
	memcpy(frame + 22, "\2\0\0\0\0\2", 6);
	be32(frame + 28, from);
	memset(frame + 32, 0, 6);
	be32(frame + 38, to);
	length = 42;
}

/* Alone with machine A, which knows B's card; nothing that it says gets anywhere. */
static void alone(void)
{
	world_begin();
	wire_cut = true;
	build_arp(2, B, A);
	memcpy(frame, "\2\0\0\0\0\1", 6);
	net->arp[0] = (struct arp_entry){.address = B, .deadline = now + NET_S};
	arrives(frame, length);
	assert_true(net->arp[0].known);
	frames_sent = 0;
}

static void arp_answers(void **state)
{
	static const u8 expected[42] = "\2\0\0\0\0\2\2\0\0\0\0\1\x08\x06\0\1\x08\0\6\4\0\2"
				       "\2\0\0\0\0\1\x0a\0\0\1\2\0\0\0\0\2\x0a\0\0\2";
	u32 cut;

	(void)state;
	alone();
	net->arp[0].address = 0;
	build_arp(1, B, A);
	arrives(frame, length);
	assert_int_equal(frames_sent, 1);
	assert_int_equal(last_length, 42);
	assert_memory_equal(last_frame, expected, 42);
	for (cut = 0; cut < length; cut++)
		arrives(frame, cut);
	build_arp(1, B, 0x0a000009);		/* not about us */
	arrives(frame, length);
	build_arp(1, A, A);			/* from "us" */
	arrives(frame, length);
	build_arp(1, B, A);
	frame[22] |= 1;				/* a card that is everybody */
	arrives(frame, length);
	frame[22] &= ~1;
	frame[18] = 8;				/* addresses of another length */
	arrives(frame, length);
	assert_int_equal(frames_sent, 1);
	world_end();
}

/* An answer that nobody asked for changes nothing. */
static void arp_believes_little(void **state)
{
	u32 i;

	(void)state;
	alone();
	build_arp(2, 0x0a000007, A);
	arrives(frame, length);
	for (i = 0; i < ARP_ENTRIES; i++)
		assert_int_not_equal(net->arp[i].address, 0x0a000007);
	for (i = 0; i < 200; i++) {		/* many who ask: the table stays bounded */
		build_arp(1, 0x0a000010 + i % 100, A);
		arrives(frame, length);
	}
	assert_int_equal(frames_sent, 200);
	world_end();
}

static void arp_forgets(void **state)
{
	struct endpoint e;
	struct packet *p;
	u32 i;

	(void)state;
	alone();
	assert_int_equal(endpoint_open(&e, IP_UDP, 5), 0);
	now += 59 * NET_S;
	net_tick();
	assert_true(net->arp[0].known);
	now += 2 * NET_S;
	net_tick();
	assert_int_equal(net->arp[0].address, 0);
	for (i = 0; i < 3; i++) {		/* two packets more than may wait */
		p = packet_new();
		p->data[0] = i;
		p->length = 1;
		endpoint_send(&e, p, B, 6);
	}
	assert_int_equal(frames_sent, 1);	/* the question */
	assert_int_equal(last_frame[13], 6);
	assert_int_equal(net->counter[DROP_UNREACHABLE], 2);
	build_arp(2, B, A);
	arrives(frame, length);
	assert_int_equal(frames_sent, 2);
	assert_int_equal(last_length, 14 + 20 + 8 + 1);
	assert_int_equal(last_frame[42], 2);	/* the last of the three */
	endpoint_close(&e);
	world_end();
}

static void echo_is_answered(void **state)
{
	u32 payload;

	(void)state;
	alone();
	for (payload = 0; payload <= 1472; payload += payload < 70 ? 1 : 467) {
		build_echo(payload);
		arrives(frame, length);
		assert_int_equal(last_length, length);
		assert_int_equal(rd32(last_frame + 26), A);
		assert_int_equal(rd32(last_frame + 30), B);
		assert_int_equal(sum16(last_frame + 14, 20, 0), 0);
		assert_int_equal(sum16(last_frame + 34, 8 + payload, 0), 0);
		assert_int_equal(last_frame[34], 0);
		assert_memory_equal(last_frame + 38, frame + 38, 4 + payload);
	}
	build_echo(3);			/* as Ethernet pads it */
	arrives(frame, 60);
	assert_int_equal(last_length, length);
	world_end();
}

/* No bit of a packet can change without being noticed, and no end can be missing. */
static void damage_is_noticed(void **state)
{
	struct endpoint e;
	struct tcp *t;
	u32 kind, cut, bit;

	(void)state;
	for (kind = 0; kind < 3; kind++) {
		alone();
		assert_int_equal(endpoint_open(&e, IP_UDP, 9), 0);
		t = tcp_new();
		tcp_bind(t, 80);
		tcp_listen(t, 1);
		if (kind == 0)
			build_echo(21);
		else if (kind == 1)
			build_udp(B, A, 7, 9, "hello, you", 10);
		else
			build_tcp(1000, 0, 2, "", 0);
		for (cut = 0; cut < length; cut++)
			arrives(frame, cut);
		for (bit = 8 * 14; bit < 8 * length; bit++) {
			frame[bit / 8] ^= 1 << bit % 8;
			arrives(frame, length);
			frame[bit / 8] ^= 1 << bit % 8;
		}
		assert_int_equal(frames_sent, 0);
		assert_null(e.queue);
		assert_int_equal(net->counter[RX_PACKETS], 1 + cut + bit - 8 * 14);
		arrives(frame, length);		/* and unharmed it would be good */
		assert_true(frames_sent == 1 || e.queue);
		tcp_close(t);
		endpoint_close(&e);
		net_poll();
		world_end();
	}
}

static void refix_ip(void)
{
	be16(IP + 10, 0);
	be16(IP + 10, sum16(IP, (IP[0] & 0xf) * 4, 0));
}

static void dropped(enum net_counter why, u32 line)
{
	u64 before = net->counter[why];

	arrives(frame, length);
	if (frames_sent || net->counter[why] != before + 1)
		fail_msg("line %u: %u sent, '%s' %u times", line, frames_sent, net_counter_name[why],
			 (u32)(net->counter[why] - before));
}
#define DROPPED(why) dropped(why, __LINE__)

static void headers_that_lie(void **state)
{
	static const u32 nobody[] = {0, 0xffffffff, 0x7f000001, 0xe0000001, 0x0a0000ff, A, 5};
	u32 i;

	(void)state;
	alone();
	build_echo(10);
	for (i = 0; i < 256; i++) {
		if (i == 0x45)
			continue;
		IP[0] = i;		/* version, header length */
		refix_ip();
		arrives(frame, length);
	}
	assert_int_equal(frames_sent, 0);
	build_echo(10);
	for (i = 0; i < 65536; i += 1 + i / 100) {
		if (i == 38)
			continue;
		be16(IP + 2, i);	/* length: the sum over less or more can't be right */
		refix_ip();
		arrives(frame, length);
	}
	assert_int_equal(frames_sent, 0);
	build_echo(10);
	IP[6] = 0x20;
	refix_ip();
	DROPPED(DROP_FRAGMENT);
	IP[6] = 0;
	IP[7] = 1;
	refix_ip();
	DROPPED(DROP_FRAGMENT);
	build_echo(10);
	IP[9] = 99;
	refix_ip();
	DROPPED(DROP_PROTOCOL);
	build_echo(10);
	be32(IP + 16, 0x0a000003);
	refix_ip();
	DROPPED(DROP_NOT_OURS);
	for (i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++) {
		build_echo(10);
		be32(IP + 12, nobody[i]);
		refix_ip();
		DROPPED(DROP_NOT_OURS);
	}
	build_echo(10);
	be32(IP + 16, 0x0a0000ff);	/* a ping to everybody */
	refix_ip();
	DROPPED(DROP_PROTOCOL);
	build_echo(10);
	frame[5] = 9;			/* another card's */
	DROPPED(DROP_NOT_OURS);
	build_echo(10);
	be16(frame + 12, 0x86dd);
	DROPPED(DROP_PROTOCOL);
	world_end();
}

static void options_are_skipped(void **state)
{
	(void)state;
	alone();
	build_echo(8);
	memmove(BODY + 8, BODY, 16);
	memset(BODY, 1, 8);		/* eight times "no operation" */
	IP[0] = 0x47;
	be16(IP + 2, 28 + 16);
	refix_ip();
	length += 8;
	arrives(frame, length);
	assert_int_equal(frames_sent, 1);
	assert_int_equal(last_length, length - 8);
	world_end();
}

static void udp_lengths(void **state)
{
	struct endpoint e;
	u32 n;

	(void)state;
	alone();
	endpoint_open(&e, IP_UDP, 9);
	for (n = 0; n < 65536; n += 1 + n / 64) {
		build_udp(B, A, 7, 9, "0123456789", 10);
		be16(BODY + 4, n);
		be16(BODY + 6, 0);	/* no checksum: only the length can be wrong */
		arrives(frame, length);
		if (n >= 8 && n <= 18) {
			assert_non_null(e.queue);
			assert_int_equal(e.queue->length, n - 8);
			assert_int_equal(e.queue->from, B);
			assert_int_equal(e.queue->from_port, 7);
			endpoint_close(&e);
			endpoint_open(&e, IP_UDP, 9);
		}
		assert_null(e.queue);
	}
	endpoint_close(&e);
	world_end();
}

/* RFC 792: the header and the first 8 bytes come back. */
static void udp_nobody_there(void **state)
{
	struct endpoint e;
	struct packet *p;

	(void)state;
	alone();
	build_udp(B, A, 7, 9, "hello", 5);
	arrives(frame, length);
	assert_int_equal(frames_sent, 1);
	assert_int_equal(last_length, 14 + 20 + 8 + 28);
	assert_int_equal(last_frame[34], 3);
	assert_int_equal(last_frame[35], 3);
	assert_int_equal(sum16(last_frame + 34, 36, 0), 0);
	assert_memory_equal(last_frame + 42, IP, 28);
	build_udp(B, 0x0a0000ff, 7, 9, "hello", 5);	/* not if everybody was asked */
	arrives(frame, length);
	assert_int_equal(frames_sent, 1);

	/* ... and the other way: who is told so, and who is not. */
	endpoint_open(&e, IP_UDP, 5);
	e.remote = B;
	e.remote_port = 9;
	p = packet_new();
	p->length = 3;
	endpoint_send(&e, p, B, 9);
	memmove(BODY + 8, last_frame + 14, 28);
	memset(BODY, 0, 8);
	BODY[0] = BODY[1] = 3;
	be16(BODY + 2, sum16(BODY, 36, 0));
	finish_ip(1, B, A, 36);
	arrives(frame, length);
	assert_int_equal(e.error, -ECONNREFUSED);
	e.error = 0;
	be16(BODY + 8 + 20, 6);		/* of another port */
	be16(BODY + 2, 0);
	be16(BODY + 2, sum16(BODY, 36, 0));
	arrives(frame, length);
	assert_int_equal(e.error, 0);
	endpoint_close(&e);
	world_end();
}

static void a_flood(void **state)
{
	struct endpoint e[40];
	u32 i;

	(void)state;
	alone();
	for (i = 0; i < 40; i++)
		assert_int_equal(endpoint_open(&e[i], IP_UDP, 100 + i), 0);
	assert_int_equal(endpoint_open(&e[0], IP_UDP, 100), -EADDRINUSE);
	for (i = 0; i < 4000; i++) {
		build_udp(B, A, 7, 100 + i % 40, "x", 1);
		arrives(frame, length);
	}
	assert_true(net->packets_free >= NET_PACKETS / 8);
	build_echo(10);			/* there is still paper for others */
	frames_sent = 0;
	arrives(frame, length);
	assert_int_equal(frames_sent, 1);
	for (i = 0; i < 40; i++)
		endpoint_close(&e[i]);
	world_end();
}

/* ---- DHCP ------------------------------------------------------------------ */

static u8 bootp[600];
static u32 bootp_length;

static void option(u8 code, u32 value)
{
	bootp[bootp_length++] = code;
	bootp[bootp_length++] = 4;
	be32(bootp + bootp_length, value);
	bootp_length += 4;
}

static void build_dhcp(u8 type, u32 yours, u32 id)
{
	memset(bootp, 0, sizeof(bootp));
	bootp[0] = 2;
	bootp[1] = 1;
	bootp[2] = 6;
	be32(bootp + 4, id);
	be32(bootp + 16, yours);
	memcpy(bootp + 28, net->mac, 6);
	be32(bootp + 236, 0x63825363);
	memcpy(bootp + 240, "\0\0\65\1", 4);	/* with two bytes of padding */
	bootp[244] = type;
	bootp_length = 245;
	option(54, 0x0a000002);
	option(1, 0xffffff00);
	option(3, 0x0a000002);
	option(6, 0x0a000003);
	option(51, 1000);
	bootp[bootp_length++] = 255;
}

static void dhcp_arrives(void)
{
	build_udp(B, 0xffffffff, 67, 68, bootp, bootp_length);
	arrives(frame, length);
}

static u32 asked_for(u8 type)
{
	const u8 *d = last_frame + 42;

	assert_int_equal(last_frame[23], 17);
	assert_int_equal(rd32(last_frame + 30), 0xffffffff);
	assert_int_equal(last_frame[37], 67);
	assert_int_equal(d[0], 1);
	assert_int_equal(rd32(d + 236), 0x63825363);
	assert_int_equal(d[240], 53);
	assert_int_equal(d[242], type);
	assert_int_equal(sum16(last_frame + 34, last_length - 34,
			       pseudo(rd32(last_frame + 26), 0xffffffff, 17, last_length - 34)), 0);
	return rd32(d + 4);
}

static void dhcp(void **state)
{
	u32 id, cut;

	(void)state;
	alone();
	net->address = net->mask = 0;
	dhcp_start();
	id = asked_for(1);
	now += 2 * NET_S;
	net_tick();			/* lost: asked again */
	assert_int_equal(frames_sent, 2);
	assert_int_equal(asked_for(1), id);
	build_dhcp(5, A, id);		/* an answer to what we did not ask yet */
	dhcp_arrives();
	build_dhcp(2, A, id + 1);	/* to somebody else */
	dhcp_arrives();
	build_dhcp(2, A, id);
	bootp[33] ^= 1;			/* to another card */
	dhcp_arrives();
	assert_int_equal(frames_sent, 2);
	assert_int_equal(net->address, 0);
	build_dhcp(2, A, id);
	dhcp_arrives();
	assert_int_equal(frames_sent, 3);
	assert_int_equal(asked_for(3), id);
	assert_int_equal(rd32(last_frame + 42 + 245), A);
	build_dhcp(5, A + 7, id);	/* that is not what was offered */
	dhcp_arrives();
	assert_int_equal(net->address, 0);
	build_dhcp(5, A, id);
	dhcp_arrives();
	assert_int_equal(net->address, A);
	assert_int_equal(net->mask, 0xffffff00);
	assert_int_equal(net->gateway, 0x0a000002);
	assert_int_equal(net->dns, 0x0a000003);
	now += 499 * NET_S;
	frames_sent = 0;
	net_tick();
	assert_int_equal(frames_sent, 0);
	now += 2 * NET_S;
	net_tick();			/* half of the time is over */
	assert_int_equal(frames_sent, 1);
	assert_int_equal(asked_for(3), id);
	assert_int_equal(rd32(last_frame + 42 + 12), A);
	build_dhcp(5, A, id);
	dhcp_arrives();
	now += 300 * NET_S;
	net_tick();
	assert_int_equal(net->address, A);
	now += 300 * NET_S;		/* nobody answers any more */
	net_tick();
	assert_int_equal(net->address, A);
	now += 500 * NET_S;
	net_tick();
	assert_int_equal(net->address, 0);
	id = asked_for(1);
	for (cut = 0; cut < 245; cut++) {	/* before the type: it says nothing */
		build_dhcp(2, A, id);
		bootp_length = cut;
		dhcp_arrives();
	}
	assert_int_equal(net->dhcp.state, DHCP_ASKING);
	for (; cut < 276; cut++) {		/* options without an end */
		build_dhcp(2, A, id);
		bootp_length = cut;
		dhcp_arrives();
	}
	build_dhcp(6, 0, id);			/* NAK */
	dhcp_arrives();
	assert_int_equal(net->dhcp.state, DHCP_ASKING);
	net->address = A;
	world_end();
}

/* ---- TCP, by hand ------------------------------------------------------------ */

static u32 their_ack(void)
{
	return rd32(last_frame + 14 + 20 + 8);
}

static struct tcp *by_hand(struct tcp **listener, u32 *ack)
{
	struct tcp *t;

	*listener = tcp_new();
	tcp_bind(*listener, 80);
	tcp_listen(*listener, 1);
	build_tcp(1000, 0, 2, "", 0);
	arrives(frame, length);
	assert_int_equal(last_frame[47], 0x12);		/* SYN, ACK */
	assert_int_equal(their_ack(), 1001);
	assert_int_equal(sum16(last_frame + 34, last_length - 34,
			       pseudo(A, B, 6, last_length - 34)), 0);
	*ack = rd32(last_frame + 38) + 1;
	build_tcp(1001, *ack, 0x10, "", 0);
	arrives(frame, length);
	t = tcp_accept(*listener);
	assert_non_null(t);
	return t;
}

static u8 pattern(u32 at)
{
	return at * 2654435761u >> 23;
}

/* Pieces that overlap, repeat, leave gaps and reach beyond the window: each byte is
 * delivered once, in order, and what is acknowledged was delivered. */
static void overlapping(void **state)
{
	static u8 data[100000];
	struct tcp *listener, *t;
	u32 ack, got = 0, n, i, round, told = 1001;
	const u8 *from;

	(void)state;
	random_start("overlapping");
	for (i = 0; i < sizeof(data); i++)
		data[i] = pattern(i);
	alone();
	t = by_hand(&listener, &ack);
	for (round = 0; round < 20000 && got < sizeof(data); round++) {
		u32 known = told - 1001, start = known + below(3000), size = below(1460);

		start = start > 1500 ? start - 1500 : 0;
		if (below(50) == 0)
			start += 30000 + below(5000);
		if (start > sizeof(data))
			start = sizeof(data);
		if (start + size > sizeof(data))
			size = sizeof(data) - start;
		build_tcp(1001 + start, ack, 0x10, data + start, size);
		arrives(frame, length);
		told = their_ack();
		assert_true(told - 1001 >= known);
		assert_true(told - 1001 <= known + 1460);
		if (below(40))
			continue;
		while (from = tcp_peek(t, &n), n) {
			for (i = 0; i < n; i++)
				assert_int_equal(from[i], pattern(got + i));
			tcp_consumed(t, n);
			got += n;
		}
		net_poll();
		assert_int_equal(got, told - 1001);
	}
	assert_int_equal(got, sizeof(data));
	build_tcp(told, ack, 0x14, "", 0);		/* RST */
	arrives(frame, length);
	assert_int_equal(t->state, TCP_CLOSED);
	tcp_close(t);
	tcp_close(listener);
	world_end();
}

static void tcp_headers_that_lie(void **state)
{
	struct tcp *listener, *t;
	u32 ack, i, k, n;
	u8 options[40];

	(void)state;
	random_start("tcp_headers_that_lie");
	alone();
	t = by_hand(&listener, &ack);
	frames_sent = 0;
	for (i = 0; i < 16; i++) {
		if (i == 5)
			continue;
		build_tcp(1001, ack, 0x18, "abc", 3);
		BODY[12] = i << 4;
		be16(BODY + 16, 0);
		be16(BODY + 16, sum16(BODY, 23, pseudo(B, A, 6, 23)));
		arrives(frame, length);
	}
	assert_int_equal(frames_sent, 0);
	tcp_peek(t, &n);
	assert_int_equal(n, 0);
	tcp_close(t);
	/* Options of a SYN: any rubbish. */
	for (i = 0; i < 2000; i++) {
		n = below(10) * 4;
		for (k = 0; k < n; k++)
			options[k] = below(2) ? below(6) : random32();
		if (n && below(4) == 0)		/* one that lacks its last two bytes */
			memcpy(options + n - 4, "\1\1\2\4", 4), memset(options, 1, n - 4);
		build_tcp(5000, 0, 2, options, n);
		BODY[12] = (20 + n) << 2;
		be16(BODY, 10000 + i);
		be16(BODY + 16, 0);
		be16(BODY + 16, sum16(BODY, 20 + n, pseudo(B, A, 6, 20 + n)));
		arrives(frame, length);
		for (k = 0; k < TCP_MAX; k++)
			if (net->tcp[k].state == TCP_SYN_RECEIVED) {
				assert_in_range(net->tcp[k].mss, 64, TCP_MSS);
				build_tcp(5001, 0, 4, "", 0);
				be16(BODY, 10000 + i);
				be16(BODY + 16, 0);
				be16(BODY + 16, sum16(BODY, 20, pseudo(B, A, 6, 20)));
				arrives(frame, length);
			}
	}
	tcp_close(listener);
	net_poll();
	now += 600 * NET_S;
	for (i = 0; i < 20; i++, now += 100 * NET_S)
		net_tick();
	world_end();
}

/* ---- Anything at all ---------------------------------------------------------- */

static void fix_sums(void)
{
	u32 header = (IP[0] & 0xf) * 4, total = IP[2] << 8 | IP[3], n;
	u8 *body = IP + header;

	if (below(4) == 0)
		return;
	IP[10] = IP[11] = 0;
	be16(IP + 10, sum16(IP, header, 0));
	if (total < header || 14 + total > length)
		return;
	n = total - header;
	if (IP[9] == 1 && n >= 4) {
		be16(body + 2, 0);
		be16(body + 2, sum16(body, n, 0));
	} else if ((IP[9] == 6 && n >= 18) || (IP[9] == 17 && n >= 8)) {
		u8 *sum = body + (IP[9] == 6 ? 16 : 6);

		be16(sum, 0);
		be16(sum, sum16(body, n, pseudo(rd32(IP + 12), rd32(IP + 16), IP[9], n)));
	}
}

static void fuzz(void **state)
{
	u32 round, i, ack = 0, id, n, k;
	struct tcp *listener = NULL, *t = NULL;
	struct endpoint e, ping;
	u64 sent = 0;

	(void)state;
	random_start("fuzz");
	alone();
	id = 0x1111;
	net->dhcp = (struct dhcp){.state = DHCP_ASKING, .id = id, .deadline = now + NET_S};
	endpoint_open(&e, IP_UDP, 9);
	endpoint_open(&ping, IP_ICMP, 0x7777);
	for (round = 0; round < 100000; round++) {
		if (round % 500 == 0) {
			if (t)
				tcp_close(t);
			if (listener)
				tcp_close(listener);
			net_poll();
			for (k = 0; k < 40; k++, now += 30 * NET_S)
				net_tick();
			tcp_sweep();
			net->address = A;
			net->mask = 0xffffff00;
			net->arp[0] = (struct arp_entry){.address = B, .known = true,
				.mac = {2, 0, 0, 0, 0, 2}, .deadline = now + 60 * NET_S};
			t = by_hand(&listener, &ack);
		}
		memset(frame, random32(), sizeof(frame));
		switch (below(6)) {
		case 0:
			build_echo(below(100));
			BODY[0] = below(2) ? 0 : below(5);
			break;
		case 1:
			build_udp(B, A, 7, below(2) ? 9 : below(100), "0123456789", below(10));
			break;
		case 2:
			build_dhcp(below(8), below(2) ? A : random32(), id);
			build_udp(B, 0xffffffff, 67, 68, bootp, bootp_length);
			break;
		case 3:
			build_arp(below(3), B + below(3), A);
			break;
		case 4:
			build_udp(A, B, 5, 6, "abcdefgh", 8);	/* in an ICMP error */
			memmove(BODY + 8, IP, 28);
			memset(BODY, 0, 8);
			BODY[0] = 3;
			finish_ip(1, B, A, 36);
			break;
		default:
			build_tcp(t->rcv + below(3) * 100 - 100, t->una + below(3), below(3) ? 0x10 :
				  random32(), "0123456789", below(10));
		}
		for (i = below(4); i; i--)
			frame[12 + below(length - 12 + 4)] = below(3) ? random32() :
				below(2) ? 0xff : 0;
		if (below(5) == 0)
			length = below(length + 1);
		else if (below(5) == 0)
			length += below(30);
		if (length >= 54 && frame[12] == 8 && !frame[13])
			fix_sums();
		arrives(frame, length);
		if (below(10) == 0) {
			now += below(1000) * NET_MS;
			net_tick();
			while (e.queue) {
				struct packet *p = e.queue;

				e.queue = p->next;
				e.queued--;
				packet_free(p);
			}
			tcp_peek(t, &n);
			tcp_consumed(t, n);
		}
		sent += frames_sent;
		frames_sent = 0;
	}
	assert_true(sent > 1000);	/* not all of it was rubbish */
	tcp_close(t);
	tcp_close(listener);
	endpoint_close(&e);
	endpoint_close(&ping);
	net->dhcp.state = DHCP_OFF;
	net_poll();
	for (k = 0; k < 40; k++, now += 30 * NET_S)
		net_tick();
	world_end();
}

static void configuration(void **state)
{
	static const char *const bad[] = {
		"", "10.0.2.15", "10.0.2.15/", "10.0.2.15/0", "10.0.2.15/31", "10.0.2.15/99999999999",
		"10.0.2/24", "10.0.2.256/24", "10.0.2.15/24,", "10.0.2.15/24,10.0.2", "x",
		"10.0.2.15/24,10.0.2.2,", "10.0.2.15/24 ", "10.0.2.15/24,10.0.2.2,1.2.3.4,5",
		"10..2.15/24", "99999999999.1.1.1/8",
	};
	u32 i;

	(void)state;
	alone();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (net_configure(bad[i]))
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(net->address, A);
	}
	assert_true(net_configure("192.168.7.9/20"));
	assert_int_equal(net->address, 0xc0a80709);
	assert_int_equal(net->mask, 0xfffff000);
	assert_int_equal(net->gateway, 0);
	assert_true(ip_is_broadcast(0xc0a80fff));
	assert_false(ip_is_broadcast(0xc0a807ff));
	assert_true(net_configure("10.0.2.15/24,10.0.2.2,10.0.2.3"));
	assert_int_equal(net->gateway, 0x0a000202);
	assert_int_equal(net->dns, 0x0a000203);
	world_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(arp_answers), TEST(arp_believes_little), TEST(arp_forgets),
		TEST(echo_is_answered), TEST(damage_is_noticed), TEST(headers_that_lie),
		TEST(options_are_skipped), TEST(udp_lengths), TEST(udp_nobody_there), TEST(a_flood),
		TEST(dhcp), TEST(overlapping), TEST(tcp_headers_that_lie), TEST(fuzz),
		TEST(configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
