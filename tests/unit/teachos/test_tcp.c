// SPDX-License-Identifier: MIT
/* TCP between two machines: over a good line, a bad one, and one that somebody cut. */
#include "tcp.h"
#include "world.h"

/* One side of a conversation: writes `total` bytes of a pattern, closes, and reads
 * everything that the other side's pattern has. */
struct side {
	struct tcp *t;
	u32 salt, total, written, got;
	u32 hurry;			/* reads and writes once in so many looks */
	bool shut, closed, at_end;
};

static struct side side[2];
static struct tcp *listener;

static u8 pattern(u32 salt, u32 at)
{
	u32 x = (at + salt) * 2654435761u;

	return x >> 24 ^ x >> 11;
}

static void work(u32 m)
{
	struct side *s = &side[m];
	u32 n, i, most;
	const u8 *from;
	u8 *to;

	become(m);
	if (m == 1 && !s->t && listener)
		s->t = tcp_accept(listener);
	if (!s->t || s->closed || (s->hurry && below(s->hurry)))
		return;
	most = 1 + below(5000);
	while (s->written < s->total && most && tcp_can_send(s->t)) {
		to = tcp_room(s->t, &n);
		if (n > most)
			n = most;
		if (n > s->total - s->written)
			n = s->total - s->written;
		if (!n)
			break;
		for (i = 0; i < n; i++)
			to[i] = pattern(s->salt, s->written + i);
		tcp_wrote(s->t, n);
		s->written += n;
		most -= n;
	}
	for (most = 1 + below(5000); most; most -= n) {
		from = tcp_peek(s->t, &n);
		if (n > most)
			n = most;
		if (!n)
			break;
		for (i = 0; i < n; i++)
			if (from[i] != pattern(side[!m].salt, s->got + i))
				fail_msg("machine %u: byte %u is wrong", m, s->got + i);
		tcp_consumed(s->t, n);
		s->got += n;
	}
	tcp_peek(s->t, &n);
	s->at_end = !n && tcp_at_end(s->t);
	if (s->written == s->total && !s->shut && tcp_can_send(s->t)) {
		tcp_shutdown(s->t);
		s->shut = true;
	}
	if (s->shut && s->at_end) {
		tcp_close(s->t);
		s->closed = true;
	}
	net_poll();
}

static bool both_done(void)
{
	u32 m = !!(net->address == B), other = !m;

	if (below(2)) {
		u32 swap = m;

		m = other;
		other = swap;
	}
	work(m);
	work(other);
	return side[0].closed && side[1].closed;
}

/* Or ARP would give up on the worst of the lines before TCP does. */
static void know_each_other(void)
{
	u32 m;

	for (m = 0; m < 2; m++) {
		become(m);
		net->arp[0] = (struct arp_entry){.address = m ? A : B, .known = true,
			.mac = {2, 0, 0, 0, 0, !m + 1}, .deadline = now + 3600 * NET_S};
	}
	become(0);
}

static void begin(u32 total0, u32 total1)
{
	struct tcp *t;

	world_begin();
	know_each_other();
	side[0] = (struct side){.salt = random32(), .total = total0};
	side[1] = (struct side){.salt = random32(), .total = total1};
	become(1);
	listener = tcp_new();
	assert_int_equal(tcp_bind(listener, 80), 0);
	assert_int_equal(tcp_listen(listener, 4), 0);
	become(0);
	t = side[0].t = tcp_new();
	assert_int_equal(tcp_connect(t, B, 80), 0);
	net_poll();
}

static void end(void)
{
	become(1);
	tcp_close(listener);
	net_poll();
	world_run(now + 200 * NET_S, NULL);	/* TIME_WAIT */
	world_end();
}

static void converse(u32 total0, u32 total1)
{
	u64 begun = now;

	world_run(now + 3600 * NET_S, both_done);
	if (!side[0].closed || !side[1].closed)
		fail_msg("stuck: %u of %u and %u of %u arrived, states %d, %d, errors %d, %d",
			 side[1].got, total0, side[0].got, total1,
			 side[0].t ? (int)side[0].t->state : -1,
			 side[1].t ? (int)side[1].t->state : -1,
			 side[0].t ? side[0].t->error : -1, side[1].t ? side[1].t->error : -1);
	assert_int_equal(side[1].got, total0);
	assert_int_equal(side[0].got, total1);
	assert_true(now - begun < 3600 * NET_S);
}

static void a_good_line(void **state)
{
	u64 before;

	(void)state;
	begin(3000001, 0);
	before = now;
	converse(3000001, 0);
	assert_int_equal(net->counter[TCP_AGAIN], 0);
	/* 16 KiB in a round trip of 1 ms: 0.2 s; with a delay in each, 2 s would do. */
	assert_true(now - before < 2 * NET_S);
	become(0);
	assert_int_equal(net->counter[TCP_AGAIN], 0);
	end();
}

static void both_ways(void **state)
{
	(void)state;
	begin(200000, 300000);
	converse(200000, 300000);
	end();
}

static void nothing_at_all(void **state)
{
	(void)state;
	begin(0, 0);
	converse(0, 0);
	end();
	begin(1, 1);
	converse(1, 1);
	end();
}

/* Lost, twice, late and out of order, in both directions. */
static void bad_lines(void **state)
{
	u32 round, again = 0, early = 0, m;

	(void)state;
	random_start("bad_lines");
	for (round = 0; round < 60; round++) {
		u32 total0 = below(4) ? below(100000) : 0, total1 = below(4) ? below(60000) : 0;

		begin(total0, total1);
		line.lost = below(150);
		line.twice = below(100);
		line.delay_us = below(20000);
		line.jitter_us = below(2) ? below(50000) : 0;
		side[0].hurry = below(3) ? 0 : below(8);
		side[1].hurry = below(3) ? 0 : below(8);
		converse(total0, total1);
		line = (struct line){.delay_us = 500};
		for (m = 0; m < 2; m++) {
			become(m);
			again += net->counter[TCP_AGAIN];
			early += net->counter[TCP_EARLY];
		}
		end();
	}
	assert_true(again > 100);	/* or the lines were not that bad */
	assert_true(early > 100);
}

/* A reader who does not read for a minute: the window closes, and opens again. */
static bool stalled;
static bool slow_reader(void)
{
	work(0);
	if (!stalled)
		work(1);
	else if (!side[1].t) {
		become(1);
		side[1].t = tcp_accept(listener);
	}
	return side[0].closed && side[1].closed;
}

static void a_shut_window(void **state)
{
	(void)state;
	begin(200000, 0);
	stalled = true;
	world_run(now + 60 * NET_S, slow_reader);
	become(1);
	assert_int_equal(tcp_window(side[1].t), 0);
	assert_int_equal(side[0].written, TCP_IN + TCP_OUT);
	assert_int_equal(side[0].t->state, TCP_ESTABLISHED);
	world_run(now + 1800 * NET_S, slow_reader);	/* half an hour later still alive */
	assert_int_equal(side[0].t->state, TCP_ESTABLISHED);
	stalled = false;
	become(0);
	world_run(now + 300 * NET_S, slow_reader);
	assert_int_equal(side[1].got, 200000);
	end();
}

static void nobody_listens(void **state)
{
	(void)state;
	world_begin();
	struct tcp *t = tcp_new();

	assert_int_equal(tcp_connect(t, B, 81), 0);
	world_run(now + NET_S, NULL);
	assert_int_equal(t->state, TCP_CLOSED);
	assert_int_equal(t->error, -ECONNREFUSED);
	become(0);
	tcp_close(t);
	world_end();
}

static void nobody_is_there(void **state)
{
	struct tcp *t;

	(void)state;
	world_begin();
	t = tcp_new();
	assert_int_equal(tcp_connect(t, 0x0a000009, 80), 0);
	net_poll();
	wire_cut = true;
	world_run(now + 10 * NET_S, NULL);		/* no answer to three questions */
	assert_int_equal(t->state, TCP_CLOSED);
	assert_int_equal(t->error, -EHOSTUNREACH);
	become(0);
	tcp_close(t);
	world_end();
}

/* The line is cut in the middle: both sides notice in the end, and nothing is left. */
static void a_cut_line(void **state)
{
	u32 round;

	(void)state;
	random_start("a_cut_line");
	for (round = 0; round < 20; round++) {
		u32 m;

		begin(50000, 50000);
		line.delay_us = 1000;
		world_run(now + below(60000) * 1000ull, both_done);
		wire_cut = true;
		for (m = 0; m < 2; m++) {
			become(m);
			if (side[m].t && !side[m].closed)
				tcp_close(side[m].t);
			net_poll();
		}
		world_run(now + 1200 * NET_S, NULL);
		end();
	}
}

static void a_reset(void **state)
{
	u32 m;

	(void)state;
	begin(100000, 100000);
	world_run(now + 8 * NET_MS, both_done);
	assert_non_null(side[1].t);
	/* It leaves with unread data: the other side must hear that it was lost. */
	world_run(now + 20 * NET_MS, NULL);
	become(0);
	tcp_wrote(side[0].t, 1);
	net_poll();
	world_run(now + 20 * NET_MS, NULL);
	become(1);
	assert_true(side[1].t->rcv != side[1].t->read);
	tcp_close(side[1].t);
	net_poll();
	world_run(now + NET_S, NULL);
	assert_int_equal(side[0].t->state, TCP_CLOSED);
	assert_int_equal(side[0].t->error, -ECONNRESET);
	for (m = 0; m < 2; m++)
		side[m].closed = true;
	become(0);
	tcp_close(side[0].t);
	end();
}

/* One segment is lost: three equal acknowledgements bring it again before the clock does. */
static void a_single_loss(void **state)
{
	u64 before;

	(void)state;
	begin(300000, 0);
	while (side[1].got < 50000)
		world_run(now + NET_MS, both_done);
	lose_long = 1;
	before = now;
	converse(300000, 0);
	assert_true(now - before < 190 * NET_MS);	/* the shortest patience is 200 */
	assert_int_equal(lose_long, 0);
	end();
}

/* RFC 6298: 1 s, then twice as long each time. */
static void patience_doubles(void **state)
{
	static const u32 at[] = {0, 1, 3, 7, 15, 31};
	struct tcp *t;
	u32 second, sent = 0;

	(void)state;
	world_begin();
	know_each_other();
	wire_cut = true;
	frames_sent = 0;
	t = tcp_new();
	assert_int_equal(tcp_connect(t, B, 80), 0);
	net_poll();
	for (second = 0; second < 62; second++) {
		world_run(now + NET_S / 2, NULL);
		while (sent < 6 && at[sent] <= second)
			sent++;
		assert_int_equal(frames_sent, sent);
		assert_int_equal(t->state, TCP_SYN_SENT);
		world_run(now + NET_S / 2, NULL);
	}
	world_run(now + 2 * NET_S, NULL);
	assert_int_equal(t->state, TCP_CLOSED);
	assert_int_equal(t->error, -ETIMEDOUT);
	become(0);
	tcp_close(t);
	world_end();
}

/* More callers than chairs: those who are turned away call again. */
static void many_callers(void **state)
{
	struct tcp *caller[12], *guest[12];
	u32 i, n = 0;

	(void)state;
	begin(0, 0);
	become(0);
	tcp_close(side[0].t);
	side[0].t = NULL;
	for (i = 0; i < 12; i++) {
		caller[i] = tcp_new();
		assert_non_null(caller[i]);
		assert_int_equal(tcp_connect(caller[i], B, 80), 0);
	}
	net_poll();
	for (i = 0; i < 100; i++) {
		world_run(now + NET_S / 5, NULL);
		become(1);
		while (n < 12 && (guest[n] = tcp_accept(listener)) != NULL)
			n++;
		net_poll();
	}
	assert_int_equal(n, 12);
	become(0);
	for (i = 0; i < 12; i++)
		assert_int_equal(caller[i]->state, TCP_ESTABLISHED);
	for (i = 0; i < 12; i++)
		tcp_close(caller[i]);
	become(1);
	for (i = 0; i < 12; i++)
		tcp_close(guest[i]);
	become(0);
	net_poll();
	become(1);
	net_poll();
	end();
}

/* One after the other, faster than TIME_WAIT would allow: there is always a place. */
static void hundreds(void **state)
{
	u32 i;

	(void)state;
	begin(10, 10);
	converse(10, 10);
	for (i = 0; i < 200; i++) {
		become(0);
		side[0] = (struct side){.salt = i, .total = 100};
		side[1] = (struct side){.salt = ~i, .total = 100};
		side[0].t = tcp_new();
		assert_non_null(side[0].t);
		assert_int_equal(tcp_connect(side[0].t, B, 80), 0);
		net_poll();
		converse(100, 100);
	}
	end();
}

/* RFC 5961: a stranger who guesses badly can't end a conversation. */
static void forged(void **state)
{
	struct segment s;
	u32 i;

	(void)state;
	begin(1000, 0);
	world_run(now + 5 * NET_MS, NULL);
	become(1);
	side[1].t = tcp_accept(listener);
	assert_non_null(side[1].t);
	for (i = 0; i < 3; i++) {
		become(0);
		s = (struct segment){.seq = side[1].t->rcv + (i == 0 ? 1 : i == 1 ? 30000 : -1u)};
		tcp_send(side[0].t, s.seq, 0, TCP_RST);
		tcp_send(side[0].t, s.seq, 0, TCP_SYN);
		world_run(now + NET_MS * 10, NULL);
		assert_int_equal(side[1].t->state, TCP_ESTABLISHED);
		assert_int_equal(side[0].t->state, TCP_ESTABLISHED);
	}
	become(0);
	tcp_send(side[0].t, side[1].t->rcv, 0, TCP_RST);
	world_run(now + NET_MS * 10, NULL);
	assert_int_equal(side[1].t->state, TCP_CLOSED);
	assert_int_equal(side[1].t->error, -ECONNRESET);
	tcp_close(side[1].t);
	become(0);
	tcp_close(side[0].t);
	net_poll();
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_line), TEST(both_ways), TEST(nothing_at_all), TEST(bad_lines),
		TEST(a_shut_window), TEST(nobody_listens), TEST(nobody_is_there), TEST(a_cut_line),
		TEST(a_reset), TEST(a_single_loss), TEST(patience_doubles), TEST(many_callers),
		TEST(hundreds), TEST(forged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
