/* SPDX-License-Identifier: MIT */
/*D:490 Between the network and the rest of the kernel
 *
 * What net/ asks of its surroundings, answered by this kernel, and what the kernel asks
 * of net/: a text about it, an address from the command line, and how long an echo takes.
 */
#include "bench.h"
#include "kernel.h"
#include "net.h"
#include "selftest.h"

static struct net the_net;
u32 net_wakes;

_Static_assert(sizeof(struct packet) <= PAGE_SIZE / 2, "two to a page");

u64 net_now(void)
{
	return pv.now();
}

void net_alarm(u64 deadline)
{
	clock_request(deadline);
}

void net_wake(const void *channel)
{
	net_wakes++;
	wake(channel);
}

/* For port and sequence numbers: hard to guess from the outside, no more than that. */
u32 net_random(void)
{
	static u32 state;
	u32 fresh;

	if (random_now(&fresh, sizeof(fresh)) == sizeof(fresh))
		state ^= fresh;
	state = (state ^ (u32)rdtsc()) * 1664525u + 1013904223u;
	return state ^ state >> 15;
}

void *net_page(void)
{
	u32 frame = frame_alloc();

	return frame ? phys_to_virt(frame) : NULL;
}

void net_page_free(void *page)
{
	frame_put(virt_to_phys(page));
}

bool net_start(void)
{
	u32 i;

	if (net)
		return true;
	net = &the_net;
	for (i = 0; i < NET_PACKETS; i += 2) {
		u8 *page = net_page();

		if (!page)
			break;
		packet_give(page);
		packet_give(page + PAGE_SIZE / 2);
	}
	if (i < NET_PACKETS) {		/* a network that is short of paper is none */
		while (net->free) {
			struct packet *p = packet_new();

			if (!((u32)p & PAGE_MASK))
				net_page_free(p);
		}
		net = NULL;
	}
	return net;
}

void net_begin(const char *address)
{
	bool irqs = irq_save();

	if (address && *address && net_start() && !net_configure(address))
		print("teachos: ip=%s: expected ADDRESS/BITS[,GATEWAY[,RESOLVER]], for instance "
		      "ip=10.0.2.15/24,10.0.2.2,10.0.2.3\n", address);
	if (net && net->transmit && !net->address)
		dhcp_start();
	if (net)
		net_poll();
	irq_restore(irqs);
}

void net_clock(void)
{
	if (net)
		net_tick();
}
/*:*/

/*D:491 /proc/net
 *
 * Text that people can read and programs can search: `ip` shows it, `host` looks for
 * the line that begins with "resolver".
 */
struct text {
	char *to;
	u32 size, used;
};

static void say(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (t->used < t->size)
		t->used += vsnformat(t->to + t->used, t->size - t->used, fmt, ap);
	va_end(ap);
}

static void say_address(struct text *t, const char *name, u32 a)
{
	say(t, "%s %u.%u.%u.%u\n", name, a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

static void say_mac(struct text *t, const u8 *mac)
{
	say(t, "%02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void say_all(struct text *t)
{
	u32 i, bits = 0, a;

	say(t, "card ");
	if (net->transmit)
		say_mac(t, net->mac);
	else
		say(t, "none (the Launcher's option is --net=user)\n");
	a = net->address;
	while (bits < 32 && net->mask << bits)
		bits++;
	if (a)
		say(t, "address %u.%u.%u.%u/%u%s\n", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255,
		    bits, net->dhcp.state == DHCP_BOUND ? " by DHCP" : "");
	else
		say(t, "address none%s\n", net->dhcp.state == DHCP_OFF ? "" : " yet (asking)");
	if (net->gateway)
		say_address(t, "gateway", net->gateway);
	if (net->dns)
		say_address(t, "resolver", net->dns);
	for (i = 0; i < ARP_ENTRIES; i++) {
		a = net->arp[i].address;
		if (!a)
			continue;
		say(t, "neighbour %u.%u.%u.%u ", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
		if (net->arp[i].known)
			say_mac(t, net->arp[i].mac);
		else
			say(t, "does not answer\n");
	}
	for (i = 0; i < NET_COUNTERS; i++)
		if (i <= TX_BYTES || net->counter[i])
			say(t, "%s %llu\n", net_counter_name[i], net->counter[i]);
}

u32 net_text(char *to, u32 size)
{
	struct text t = {.to = to, .size = size};
	bool irqs;

	if (!net)
		return snformat(to, size, "card none (the Launcher's option is --net=user)\n");
	irqs = irq_save();
	say_all(&t);
	irq_restore(irqs);
	return t.used < size ? t.used : size - 1;
}
/*:*/

/*D:493 There and back again
 *
 * An echo to the neighbour, and a watch: the shortest journey that passes through the
 * driver, the device, the Launcher, whoever answers, and the interrupt.  No process is
 * involved but the one that waits.
 */
static bool wait_for_address(u32 seconds)
{
	u64 deadline = pv.now() + seconds * NET_S;

	while (!net->address && net->dhcp.state != DHCP_OFF && pv.now() < deadline)
		sleep_on(&net->dhcp, deadline);
	return net->address;
}

/* One echo to `to` and its answer; irqs are off. */
static bool echo(struct endpoint *e, u32 to, u32 payload)
{
	u64 deadline = pv.now() + 2 * NET_S;
	struct packet *p = packet_new();

	if (!p)
		return false;
	memset(p->data, 0, ICMP_HEADER + payload);
	p->data[0] = ICMP_ECHO;
	p->length = ICMP_HEADER + payload;
	if (endpoint_send(e, p, to, 0))
		return false;
	net_poll();
	while (!e->queue && pv.now() < deadline)
		sleep_on(e, deadline);
	p = e->queue;
	if (!p)
		return false;
	e->queue = p->next;
	e->queued--;
	packet_free(p);
	return true;
}

bool net_echoes(u32 count, u32 payload)
{
	struct endpoint e;
	bool irqs = irq_save(), good;

	good = net && net->transmit && wait_for_address(10) && net->gateway &&
	       payload <= NET_MTU - sizeof(struct ip_header) - ICMP_HEADER &&
	       !endpoint_open(&e, IP_ICMP, 0);
	if (good) {
		while (count-- && good)
			good = echo(&e, net->gateway, payload);
		endpoint_close(&e);
	}
	irq_restore(irqs);
	return good;
}

static const char *try(const char *name)
{
	int status = run_program("/bin/nettest", name);

	CHECK(status >= 0, "could not start: error %d", -status);
	CHECK(!(status & 0x7f), "killed by signal %d", status & 0x7f);
	CHECK(!status, "step %d failed", status >> 8);
	return NULL;
}

SELFTEST(net_refusals, "net/sockets: what can't be done") { return try("refusals"); }
SELFTEST(net_datagrams, "net/sockets: datagrams") { return try("datagrams"); }
SELFTEST(net_echoes_user, "net/sockets: echoes for everybody") { return try("echoes"); }
SELFTEST(net_stream, "net/sockets: a stream, to its last byte") { return try("stream"); }
SELFTEST(net_broken, "net/sockets: nobody reads any more") { return try("broken"); }
SELFTEST(net_interrupted, "net/sockets: a signal while waiting") { return try("interrupted"); }

/* Pages that are free, or with a connection that ended and waits for its sweep. */
static u32 pages_at_rest(void)
{
	u32 i, pages = frames_free();

	for (i = 0; i < TCP_MAX; i++)
		if (net->tcp[i].out[0] && !net->tcp[i].owned)
			pages += (TCP_IN + TCP_OUT) / TCP_PAGE;
	return pages;
}

SELFTEST(net_again, "net/sockets: all memory comes back")
{
	const char *why = try("again");		/* the first may make the network */
	u32 pages, packets;

	if (why)
		return why;
	pages = pages_at_rest();
	packets = net->packets_free;
	why = try("again");
	if (why)
		return why;
	CHECK_EQUAL(pages_at_rest(), pages);
	CHECK_EQUAL(net->packets_free, packets);
	return NULL;
}
/*:*/

/*D:489 And with a card */
SELFTEST(echoes, "net/the gateway answers an echo")
{
	u64 sent, received;

	if (!net || !net->transmit)
		return test_skip("there is no network card");
	if (!net_echoes(0, 0))
		return test_skip("there is no gateway");
	sent = net->counter[TX_PACKETS];
	received = net->counter[RX_PACKETS];
	CHECK(net_echoes(1, 56), "no answer in 2 s");
	CHECK(net_echoes(8, 1472), "no answer to a long one");
	CHECK(net->counter[TX_PACKETS] >= sent + 9, "9 sent, %u counted",
	      (u32)(net->counter[TX_PACKETS] - sent));
	CHECK(net->counter[RX_PACKETS] >= received + 9, "9 received, %u counted",
	      (u32)(net->counter[RX_PACKETS] - received));
	return NULL;
}
/*:*/
