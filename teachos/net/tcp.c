/* SPDX-License-Identifier: MIT */
/*D:480 A stream, from packets that get lost
 *
 * TCP (RFC 9293) numbers the bytes.  Each segment says which bytes it brings, and up to
 * which byte its sender has heard everything.  What has not been heard after a while is
 * said again.  All the rest is about the words "after a while", and about how to say
 * hello and good-bye so that both sides agree that they did.
 *
 *	una		nxt		end
 *	 | told, not	 | written, not	 |
 *	 | acknowledged	 | told yet	 |  room for more
 *
 *	read		rcv		read + TCP_IN
 *	 | arrived, not	 | what we may be sent: our window
 *	 | read yet	 |
 *
 * The numbers wrap around at 2^32, so "before" means that the way there is shorter
 * forwards than backwards.  Both buffers are rings whose size is a power of two: byte
 * number s lies at s modulo the size, and nothing needs to be translated.
 *
 * What comes out of order is not kept; the sender hears at once what we miss, and says
 * it again.  That costs speed on a bad line, and saves a chapter.
 *
 * (The first number, for SYN, "hello", and the last, for FIN, are counted but have no
 * byte.  FIN's is end.)
 */
#include "tcp.h"

#define FIRST_RTO 1000u			/* all in milliseconds */
#define LEAST_RTO 200u
#define LONGEST_RTO 60000u
#define LINGER_NS (60 * NET_S)		/* twice as long as a segment may get lost */
#define SYN_TRIES 5u
#define DATA_TRIES 9u
#define MOST_CHAIRS 4u

static u32 smaller(u32 a, u32 b)
{
	return a < b ? a : b;
}

void tcp_free_pages(struct tcp *t)
{
	u32 i;

	for (i = 0; i < TCP_OUT / TCP_PAGE; i++)
		if (t->out[i])
			net_page_free(t->out[i]);
	for (i = 0; i < TCP_IN / TCP_PAGE; i++)
		if (t->in[i])
			net_page_free(t->in[i]);
	*t = (struct tcp){.state = TCP_CLOSED};
}

static bool get_pages(struct tcp *t)
{
	bool all = true;
	u32 i;

	for (i = 0; i < TCP_OUT / TCP_PAGE; i++)
		all &= (t->out[i] = net_page()) != NULL;
	for (i = 0; i < TCP_IN / TCP_PAGE; i++)
		all &= (t->in[i] = net_page()) != NULL;
	if (!all)
		tcp_free_pages(t);
	return all;
}

/* A process's last act on a connection is to close it, but TCP goes on for a while, and
 * ends in an interrupt, where memory can't be given back.  Hence this. */
void tcp_sweep(void)
{
	struct tcp *t;

	for (t = net->tcp; t < net->tcp + TCP_MAX; t++)
		if (t->state == TCP_CLOSED && !t->owned && t->out[0])
			tcp_free_pages(t);
}

struct tcp *tcp_new(void)
{
	struct tcp *t, *found = NULL;

	tcp_sweep();
	for (t = net->tcp; t < net->tcp + TCP_MAX; t++) {
		if (t->owned || t->parent)
			continue;
		if (t->state == TCP_CLOSED) {
			found = t;
			break;
		}
		if (t->state == TCP_TIME_WAIT && (!found || t->deadline < found->deadline))
			found = t;	/* waits for nothing in particular: the oldest must go */
	}
	if (!found)
		return NULL;
	tcp_free_pages(found);
	if (!get_pages(found))
		return NULL;
	found->owned = true;
	return found;
}
/*:*/

/*D:481 Saying something */
u32 tcp_window(const struct tcp *t)
{
	return t->read + TCP_IN - t->rcv;
}

/* Puts the header in front of p's bytes, and sends. */
static void transmit(struct packet *p, const struct segment *s)
{
	struct tcp_header *h;
	u32 sum, option = s->flags & TCP_SYN ? 4 : 0;

	if (option) {
		u8 *mss = packet_push(p, option);

		mss[0] = OPTION_MSS;
		mss[1] = option;
		put16(mss + 2, s->mss);
	}
	h = packet_push(p, sizeof(*h));
	*h = (struct tcp_header){.offset = (sizeof(*h) + option) << 2, .flags = s->flags};
	put16(h->from, s->from_port);
	put16(h->to, s->to_port);
	put32(h->seq, s->seq);
	put32(h->ack, s->flags & TCP_ACK ? s->ack : 0);
	put16(h->window, smaller(s->window, 0xffff));
	sum = checksum_pseudo(s->from, s->to, IP_TCP, p->length);
	checksum_put(h->checksum, checksum_add(sum, h, p->length));
	ip_send(p, s->from, s->to, IP_TCP);
}

/* n bytes from seq on. */
void tcp_send(struct tcp *t, u32 seq, u32 n, u8 flags)
{
	struct segment s = {
		.from = t->local, .to = t->remote,
		.from_port = t->local_port, .to_port = t->remote_port,
		.seq = seq, .ack = t->rcv, .flags = flags, .window = tcp_window(t), .mss = TCP_MSS,
	};
	struct packet *p = packet_new();
	u32 piece;

	if (!p)
		return;			/* as if it got lost on the way */
	while (n) {
		u32 at = seq % TCP_OUT;

		piece = smaller(n, TCP_PAGE - at % TCP_PAGE);
		memcpy(p->data + p->length, t->out[at / TCP_PAGE] + at % TCP_PAGE, piece);
		p->length += piece;
		seq += piece;
		n -= piece;
	}
	t->ack_due = false;
	t->told_window = t->rcv + s.window;
	transmit(p, &s);
}

void tcp_send_syn(struct tcp *t)
{
	tcp_send(t, t->una, 0, t->state == TCP_SYN_SENT ? TCP_SYN : TCP_SYN | TCP_ACK);
	t->deadline = net_now() + t->rto * NET_MS;
}

/* The answer to a segment that nobody here wants (RFC 9293, 3.10.7.1). */
void tcp_refuse(const struct segment *s)
{
	struct segment r = {
		.from = s->to, .to = s->from, .from_port = s->to_port, .to_port = s->from_port,
		.flags = TCP_RST,
	};
	struct packet *p;

	if (s->flags & TCP_RST)
		return;
	if (s->flags & TCP_ACK) {
		r.seq = s->ack;
	} else {
		r.flags |= TCP_ACK;
		r.ack = s->seq + s->length + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
	}
	p = packet_new();
	if (p)
		transmit(p, &r);
}

static bool says_goodbye(const struct tcp *t)
{
	return t->state == TCP_FIN_WAIT_1 || t->state == TCP_CLOSING || t->state == TCP_LAST_ACK;
}

/* Sends all that may be sent now, at least `least` bytes of what there is. */
static void tcp_output(struct tcp *t, u32 least)
{
	u32 limit = smaller(t->window, t->cwnd), flight, left, n;
	bool fin;

	for (;;) {
		flight = t->nxt - t->una;
		left = before(t->nxt, t->end) ? t->end - t->nxt : 0;
		n = smaller(left, t->mss);
		if (n > (limit > flight ? limit - flight : 0))
			n = limit > flight ? limit - flight : 0;
		if (n < left && n < t->mss && flight)
			n = 0;		/* no crumbs while a loaf is on its way */
		if (n < least)
			n = smaller(left, least);
		fin = says_goodbye(t) && n == left && t->nxt + n == t->end;
		if (!n && !fin)
			break;
		if (t->nxt == t->max && !t->timed_at) {
			t->timed_at = net_now();
			t->timed_seq = t->nxt;
		} else if (t->nxt != t->max) {
			net->counter[TCP_AGAIN]++;
		}
		tcp_send(t, t->nxt, n, TCP_ACK | (n == left && n ? TCP_PSH : 0) |
				       (fin ? TCP_FIN : 0));
		t->nxt += n + fin;
		if (before(t->max, t->nxt))
			t->max = t->nxt;
		least = 0;
	}
	if (t->ack_due)
		tcp_send(t, t->max, 0, TCP_ACK);
	if (t->una == t->nxt && !before(t->una, t->end)) {
		t->tries = 0;
		if (t->state != TCP_FIN_WAIT_2 && t->state != TCP_TIME_WAIT)
			t->deadline = 0;	/* those two wait for something else */
	} else if (!t->deadline) {
		t->deadline = net_now() + t->rto * NET_MS;
	}
}

void tcp_poll(void)
{
	struct tcp *t;

	for (t = net->tcp; t < net->tcp + TCP_MAX; t++) {
		if (!t->due && !t->ack_due)
			continue;
		t->due = false;
		if (t->state >= TCP_ESTABLISHED)
			tcp_output(t, 0);
		t->ack_due = false;
	}
}
/*:*/

/*D:483 After a while
 *
 * One clock for each connection; what it means when it rings depends on what the
 * connection waits for.  Each time that a segment must be said again, the patience
 * doubles: perhaps the network is full, and shouting more would not make it emptier.
 * For the same reason we then begin again with one segment at a time.
 */
void tcp_finish(struct tcp *t, int error)
{
	t->state = t->parent ? TCP_SPARE : TCP_CLOSED;	/* free for the listener's next guest */
	t->error = error;
	t->deadline = 0;
	t->due = t->ack_due = false;
	net_wake(t);
}

void tcp_go_back(struct tcp *t)
{
	t->ssthresh = smaller(t->window, t->cwnd) / 2;
	if (t->ssthresh < 2 * t->mss)
		t->ssthresh = 2 * t->mss;
	t->recover = t->max;
	t->nxt = t->una;
	t->timed_at = 0;		/* which of the two would be acknowledged? */
}

/* How long we are there for what the others may have missed, or still want to say. */
void tcp_linger(struct tcp *t)
{
	t->deadline = net_now() + LINGER_NS;
}

static void timeout(struct tcp *t)
{
	bool hello = t->state == TCP_SYN_SENT || t->state == TCP_SYN_RECEIVED;

	t->deadline = 0;
	if (t->state == TCP_TIME_WAIT || t->state == TCP_FIN_WAIT_2) {
		tcp_finish(t, 0);
		return;
	}
	if (t->tries++ == (hello ? SYN_TRIES : DATA_TRIES)) {
		tcp_finish(t, -ETIMEDOUT);
		return;
	}
	t->rto = smaller(2 * t->rto, LONGEST_RTO);
	if (hello) {
		tcp_send_syn(t);
		return;
	}
	tcp_go_back(t);
	t->cwnd = t->mss;
	tcp_output(t, 1);		/* one byte also through a window that is shut */
}

void tcp_tick(u64 now)
{
	struct tcp *t;

	for (t = net->tcp; t < net->tcp + TCP_MAX; t++)
		if (t->deadline && t->deadline <= now)
			timeout(t);
}

/* How long may an answer take?  Four times the usual deviation more than usual: RFC 6298. */
void tcp_round_trip(struct tcp *t)
{
	u32 ms = div64(net_now() - t->timed_at, NET_MS, NULL);
	u32 off = ms > t->srtt ? ms - t->srtt : t->srtt - ms;

	t->timed_at = 0;
	if (!t->srtt) {
		t->srtt = ms ? ms : 1;
		t->rttvar = ms / 2;
	} else {
		t->rttvar += ((int)off - (int)t->rttvar) / 4;
		t->srtt += ((int)ms - (int)t->srtt) / 8;
	}
	t->rto = smaller(t->srtt + 4 * t->rttvar, LONGEST_RTO);
	if (t->rto < LEAST_RTO)
		t->rto = LEAST_RTO;
}
/*:*/

/*D:484 What a socket can do with it */
static bool port_taken(u8 protocol, u16 port)
{
	struct tcp *t;

	(void)protocol;
	for (t = net->tcp; t < net->tcp + TCP_MAX; t++)
		if (t->local_port == port && (t->state > TCP_SPARE || t->owned))
			return true;
	return false;
}

int tcp_bind(struct tcp *t, u16 port)
{
	struct tcp *other;

	if (t->state != TCP_CLOSED || t->local_port)
		return -EINVAL;
	for (other = net->tcp; port && other < net->tcp + TCP_MAX; other++)
		if (other->owned && !other->remote && other->local_port == port)
			return -EADDRINUSE;	/* connections that it once had don't count */
	t->local_port = port ? port : port_new(port_taken, IP_TCP);
	return 0;
}

void tcp_begin(struct tcp *t, u32 local, u32 remote, u16 remote_port)
{
	t->local = local;
	t->remote = remote;
	t->remote_port = remote_port;
	t->una = t->nxt = net_random();
	t->max = t->end = t->una + 1;	/* hello is number una */
	t->read = t->rcv = 0;
	t->window = t->window_seq = t->window_ack = 0;
	t->mss = 536;			/* until we hear better */
	t->ssthresh = 65535;
	t->same_acks = t->tries = t->srtt = 0;
	t->recover = t->una;
	t->timed_at = 0;
	t->ended = false;
	t->rto = FIRST_RTO;
	t->error = 0;
}

int tcp_connect(struct tcp *t, u32 to, u16 port)
{
	if (t->state != TCP_CLOSED || t->remote)
		return -EISCONN;
	if (!ip_source(to))
		return -ENETUNREACH;
	if (!port || ip_is_broadcast(to))
		return -EINVAL;
	if (!t->local_port)
		tcp_bind(t, 0);
	tcp_begin(t, ip_source(to), to, port);
	t->state = TCP_SYN_SENT;
	tcp_send_syn(t);
	return 0;
}

static void fill_chairs(struct tcp *listener, u32 wanted)
{
	struct tcp *t;

	for (t = net->tcp; t < net->tcp + TCP_MAX; t++)
		wanted -= wanted && t->parent == listener;
	for (; wanted && (t = tcp_new()) != NULL; wanted--) {
		t->state = TCP_SPARE;
		t->owned = false;
		t->parent = listener;
		t->local_port = listener->local_port;
	}
}

int tcp_listen(struct tcp *t, u32 backlog)
{
	if (t->state == TCP_LISTEN)
		return 0;
	if (t->state != TCP_CLOSED || !t->local_port || t->remote)
		return -EINVAL;
	t->state = TCP_LISTEN;
	t->end = smaller(backlog ? backlog : 1, MOST_CHAIRS);	/* it sends nothing else */
	fill_chairs(t, t->end);
	return 0;
}

struct tcp *tcp_accept(struct tcp *listener)
{
	struct tcp *t;

	for (t = net->tcp; t < net->tcp + TCP_MAX; t++) {
		if (t->parent != listener || t->state < TCP_ESTABLISHED)
			continue;
		t->parent = NULL;
		t->owned = true;
		fill_chairs(listener, listener->end);
		return t;
	}
	return NULL;
}

bool tcp_can_send(const struct tcp *t)
{
	return t->state == TCP_ESTABLISHED || t->state == TCP_CLOSE_WAIT;
}

bool tcp_at_end(const struct tcp *t)
{
	return t->ended || t->state < TCP_SYN_SENT;
}

u8 *tcp_room(struct tcp *t, u32 *n)
{
	u32 at = t->end % TCP_OUT;

	*n = smaller(t->una + TCP_OUT - t->end, TCP_PAGE - at % TCP_PAGE);
	return t->out[at / TCP_PAGE] + at % TCP_PAGE;
}

void tcp_wrote(struct tcp *t, u32 n)
{
	t->end += n;
	t->due = true;
}

const u8 *tcp_peek(struct tcp *t, u32 *n)
{
	u32 at = t->read % TCP_IN;

	*n = smaller(t->rcv - t->ended - t->read, TCP_PAGE - at % TCP_PAGE);
	return t->in[at / TCP_PAGE] + at % TCP_PAGE;
}

void tcp_consumed(struct tcp *t, u32 n)
{
	t->read += n;			/* worth mentioning once it is half of the window */
	if (t->state >= TCP_ESTABLISHED && t->read + TCP_IN - t->told_window >= TCP_IN / 2)
		t->ack_due = true;
}

void tcp_shutdown(struct tcp *t)
{
	if (t->state == TCP_ESTABLISHED)
		t->state = TCP_FIN_WAIT_1;
	else if (t->state == TCP_CLOSE_WAIT)
		t->state = TCP_LAST_ACK;
	t->due = true;
}

static void reset(struct tcp *t)
{
	if (t->state >= TCP_SYN_RECEIVED && t->state != TCP_TIME_WAIT)
		tcp_send(t, t->max, 0, TCP_RST | TCP_ACK);
	t->parent = NULL;
	tcp_finish(t, -ECONNRESET);
}

void tcp_close(struct tcp *t)
{
	struct tcp *child;

	t->owned = false;
	for (child = net->tcp; child < net->tcp + TCP_MAX; child++)
		if (child->parent == t)
			reset(child);
	if (t->state <= TCP_SYN_SENT)
		tcp_finish(t, 0);
	else if (t->read != t->rcv - t->ended)
		reset(t);		/* what it did not read is lost, and they should know */
	tcp_shutdown(t);
	if (t->state == TCP_FIN_WAIT_2)
		tcp_linger(t);
}
/*:*/
