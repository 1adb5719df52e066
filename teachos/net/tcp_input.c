/* SPDX-License-Identifier: MIT */
/*D:486 A segment arrives
 *
 * The order of the questions is that of RFC 9293, section 3.10.7: Is the header whole?
 * Whose is it?  Is it from this conversation, or an echo of an earlier one?  What does
 * it acknowledge?  Only then: what does it bring, and was it the last?
 *
 * Three answers come at once, whatever else is going on: to a segment from nowhere,
 * RST; to one that leaves a gap, what we have heard so far (three times the same, and
 * the sender goes back to it without waiting for the clock); and to a RST or SYN in
 * the middle of a conversation that does not know exactly where we are, "really?", as
 * anybody can write those (RFC 5961).
 */
#include "tcp.h"

/* The only option that we read; the list of them ends where the data begins. */
static u32 find_mss(const u8 *at, const u8 *end)
{
	while (at < end && *at != OPTION_END) {
		if (*at == OPTION_NOP) {
			at++;
			continue;
		}
		if (end - at < 2 || at[1] < 2 || at[1] > end - at)
			break;
		if (*at == OPTION_MSS && at[1] == 4)
			return get16(at + 2);
		at += at[1];
	}
	return 536;
}

/* NULL, and p is gone: it is not worth looking at. */
static struct segment *parse(struct packet *p, const struct ip_header *ip, struct segment *s)
{
	const struct tcp_header *h = (void *)p->data;
	u32 header = p->length < sizeof(*h) ? 0 : (h->offset >> 4) * 4;

	s->from = get32(ip->from);
	s->to = get32(ip->to);
	if (header < sizeof(*h) || header > p->length) {
		packet_drop(p, DROP_SHORT);
		return NULL;
	}
	if (!checksum_good(checksum_add(checksum_pseudo(s->from, s->to, IP_TCP, p->length),
					h, p->length))) {
		packet_drop(p, DROP_CHECKSUM);
		return NULL;
	}
	if (ip_is_broadcast(s->to)) {
		packet_drop(p, DROP_NOT_OURS);
		return NULL;
	}
	s->from_port = get16(h->from);
	s->to_port = get16(h->to);
	s->seq = get32(h->seq);
	s->ack = get32(h->ack);
	s->window = get16(h->window);
	s->flags = h->flags;
	s->mss = find_mss((const u8 *)(h + 1), p->data + header);
	s->data = p->data + header;
	s->length = p->length - header;
	return s;
}

static struct tcp *find(const struct segment *s)
{
	struct tcp *t, *listener = NULL;

	for (t = net->tcp; t < net->tcp + TCP_MAX; t++) {
		if (t->state < TCP_LISTEN || t->local_port != s->to_port)
			continue;
		if (t->state == TCP_LISTEN)
			listener = t;
		else if (t->remote == s->from && t->remote_port == s->from_port &&
			 t->local == s->to)
			return t;
	}
	return listener;
}

static void set_mss(struct tcp *t, u32 mss)
{
	t->mss = mss > TCP_MSS ? TCP_MSS : mss < 64 ? 64 : mss;
	t->cwnd = 4 * t->mss;
}

static void set_window(struct tcp *t, const struct segment *s)
{
	if (!t->window)			/* what we sent to knock was not let in */
		t->nxt = t->una;
	t->window = s->window;
	t->window_seq = s->seq;
	t->window_ack = s->ack;
}

/* A SYN for a listener: the caller is shown to a free chair. */
static void call(struct tcp *listener, const struct segment *s)
{
	struct tcp *t;

	if (s->flags & TCP_RST)
		return;
	if (s->flags & TCP_ACK) {
		tcp_refuse(s);
		return;
	}
	if (!(s->flags & TCP_SYN))
		return;
	for (t = net->tcp; t < net->tcp + TCP_MAX; t++)
		if (t->parent == listener && t->state == TCP_SPARE)
			break;
	if (t == net->tcp + TCP_MAX)
		return;			/* no chair; they will call again */
	tcp_begin(t, s->to, s->from, s->from_port);
	set_mss(t, s->mss);
	t->read = t->rcv = s->seq + 1;
	t->state = TCP_SYN_RECEIVED;
	tcp_send_syn(t);
}

static void establish(struct tcp *t, const struct segment *s)
{
	t->state = TCP_ESTABLISHED;
	t->una = t->nxt = s->ack;
	t->tries = 0;
	t->deadline = 0;
	t->rto = 1000;
	set_window(t, s);
	t->due = true;
	net_wake(t->parent ? t->parent : t);
}

/* The answer to our own SYN. */
static void answer(struct tcp *t, const struct segment *s)
{
	bool to_us = (s->flags & TCP_ACK) && s->ack == t->una + 1;

	if ((s->flags & TCP_ACK) && !to_us) {
		tcp_refuse(s);
		return;
	}
	if (s->flags & TCP_RST) {
		if (to_us)
			tcp_finish(t, -ECONNREFUSED);
		return;
	}
	if (!(s->flags & TCP_SYN))
		return;
	t->read = t->rcv = s->seq + 1;
	set_mss(t, s->mss);
	if (to_us) {
		establish(t, s);
		t->ack_due = true;
	} else {			/* both called at the same moment */
		t->state = TCP_SYN_RECEIVED;
		tcp_send_syn(t);
	}
}
/*:*/

/*D:487 Which part of it is news?
 *
 * A segment may begin with what we have heard already, and end beyond what we have
 * room for.  Both ends are cut off.  Nothing is left of an echo but the wish for an
 * acknowledgement: our last one may have got lost.
 */
static bool trim(struct tcp *t, struct segment *s)
{
	u32 window = tcp_window(t), old = t->rcv - s->seq, room;

	if ((int)old > 0) {
		t->ack_due = true;
		if (old > s->length + !!(s->flags & TCP_FIN))
			return false;
		if (old > s->length) {
			s->flags &= ~TCP_FIN;
			old--;
			s->seq++;
		}
		s->data += old;
		s->length -= old;
		s->seq += old;
	}
	if (s->seq - t->rcv > window) {
		t->ack_due = true;
		return false;
	}
	room = window - (s->seq - t->rcv);
	if (s->length > room) {
		t->ack_due = true;
		s->length = room;
		s->flags &= ~TCP_FIN;
	}
	return true;
}

static void acknowledged(struct tcp *t, u32 ack)
{
	u32 n = ack - t->una;

	if (t->timed_at && before(t->timed_seq, ack))
		tcp_round_trip(t);
	t->una = ack;
	if (before(t->nxt, ack))
		t->nxt = ack;
	t->tries = t->same_acks = 0;
	t->deadline = 0;
	if (t->cwnd < t->ssthresh)	/* double it in a round trip, later add one segment */
		t->cwnd += n < t->mss ? n : t->mss;
	else
		t->cwnd += t->mss * t->mss / t->cwnd;
	if (t->cwnd > 65535)
		t->cwnd = 65535;
	net_wake(t);
	if (ack != t->end + 1)
		return;
	if (t->state == TCP_FIN_WAIT_1) {	/* they know that we are done */
		t->state = TCP_FIN_WAIT_2;
		if (!t->owned)
			tcp_linger(t);
	} else if (t->state == TCP_CLOSING) {
		t->state = TCP_TIME_WAIT;
		tcp_linger(t);
	} else if (t->state == TCP_LAST_ACK) {
		tcp_finish(t, 0);
	}
}

/* false: the rest of it is not to be looked at. */
static bool take_ack(struct tcp *t, const struct segment *s)
{
	if (t->state == TCP_SYN_RECEIVED) {
		if (s->ack != t->una + 1) {
			tcp_refuse(s);
			return false;
		}
		establish(t, s);
	}
	if (before(t->max, s->ack)) {	/* we never said that */
		t->ack_due = true;
		return false;
	}
	t->due = true;
	if (before(t->una, s->ack)) {
		acknowledged(t, s->ack);
	} else if (s->ack == t->una && !s->length && !(s->flags & TCP_FIN) && t->window &&
		   s->window == t->window && t->una != t->max && ++t->same_acks == 3 &&
		   !before(t->una, t->recover)) {
		tcp_go_back(t);
		t->cwnd = t->ssthresh;
	}
	if (!t->window && t->owned)
		t->tries = 0;		/* it is there, it only has no room */
	if (before(t->window_seq, s->seq) ||
	    (t->window_seq == s->seq && !before(s->ack, t->window_ack)))
		set_window(t, s);
	return t->state != TCP_CLOSED && t->state != TCP_SPARE;
}

static void take_data(struct tcp *t, const struct segment *s)
{
	const u8 *from = s->data;
	u32 left = s->length, at, n;

	for (; left; from += n, left -= n) {
		at = t->rcv % TCP_IN;
		n = TCP_PAGE - at % TCP_PAGE;
		if (n > left)
			n = left;
		memcpy(t->in[at / TCP_PAGE] + at % TCP_PAGE, from, n);
		t->rcv += n;
	}
	t->ack_due = true;
	net_wake(t);
}

static void take_fin(struct tcp *t)
{
	t->rcv++;
	t->ended = t->ack_due = true;
	if (t->state == TCP_ESTABLISHED) {
		t->state = TCP_CLOSE_WAIT;
	} else if (t->state == TCP_FIN_WAIT_1) {
		t->state = TCP_CLOSING;
	} else {
		t->state = TCP_TIME_WAIT;
		tcp_linger(t);
	}
	net_wake(t);
}

static void converse(struct tcp *t, struct segment *s)
{
	if (s->flags & TCP_RST) {
		if (s->seq == t->rcv)
			tcp_finish(t, -ECONNRESET);
		else if (s->seq - t->rcv < tcp_window(t))
			t->ack_due = true;
		return;
	}
	if (s->flags & TCP_SYN) {
		if (t->state == TCP_SYN_RECEIVED && s->seq + 1 == t->rcv)
			tcp_send_syn(t);
		else
			t->ack_due = true;
		return;
	}
	if (!(s->flags & TCP_ACK) || !trim(t, s) || !take_ack(t, s))
		return;
	if (!s->length && !(s->flags & TCP_FIN))
		return;
	if (t->ended) {
		t->ack_due = true;	/* more, after "that was all"? */
	} else if (s->seq != t->rcv) {
		net->counter[TCP_EARLY]++;
		tcp_send(t, t->max, 0, TCP_ACK);
	} else if (s->length && !t->owned && !t->parent) {
		tcp_refuse(s);		/* nobody is there to read it */
		tcp_finish(t, 0);
	} else {
		if (s->length)
			take_data(t, s);
		if (s->flags & TCP_FIN)
			take_fin(t);
	}
}
/*:*/

/*D:488 Whose is it? */
void tcp_input(struct packet *p, const struct ip_header *ip)
{
	struct segment s;
	struct tcp *t;

	if (!parse(p, ip, &s))
		return;
	t = find(&s);
	if (!t)
		tcp_refuse(&s);
	else if (t->state == TCP_LISTEN)
		call(t, &s);
	else if (t->state == TCP_SYN_SENT)
		answer(t, &s);
	else
		converse(t, &s);
	packet_free(p);
}

/* IP says that a segment of ours did not arrive.  Once a conversation has begun that may
 * be a passing cloud, or a lie; before it has, it is the answer. */
void tcp_failed(u32 to, u16 from_port, u16 to_port, int error)
{
	struct tcp *t;

	for (t = net->tcp; t < net->tcp + TCP_MAX; t++)
		if (t->state == TCP_SYN_SENT && t->remote == to && t->local_port == from_port &&
		    t->remote_port == to_port)
			tcp_finish(t, error);
}
/*:*/
