/* SPDX-License-Identifier: MIT */
/*D:450 A network in one evening
 *
 * A packet comes up through this folder like a letter through a post office.  Each
 * layer reads its own line of the envelope, checks it, tears it off and hands the
 * rest to the next; on the way out each writes its line in front.
 *
 *	socket.c		what a process sees: numbers to read from and write to
 *	tcp_input.c, tcp.c	a stream out of packets that get lost
 *	udp.c			a packet with a port on it, dhcp.c: and who am I?
 *	ip.c			an address that means the same everywhere; ping
 *	arp.c			the address of the neighbour's network card
 *	packet.c		the envelopes, and the arithmetic of checksums
 *
 * Whatever arrives was written by a stranger.  A length is compared with what is
 * there before it is believed, and what is wrong is counted and dropped, never
 * answered with an excuse.
 *
 * Packets arrive in an interrupt, and are worked on right there.  So all of net/ runs
 * with interrupts off, and nothing here sleeps or asks for memory, but for the few
 * functions that say so.  All that the network knows is in one structure, `*net`:
 * a test in user space has two of them and lets them talk over a very bad line.
 */
#ifndef NET_H
#define NET_H

#include "lib.h"

/* ---- numbers on the wire: big end first, aligned to nothing ------------------- */
static inline u16 get16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

static inline u32 get32(const u8 *p)
{
	return (u32)get16(p) << 16 | get16(p + 2);
}

static inline void put16(u8 *p, u32 value)
{
	p[0] = value >> 8;
	p[1] = value;
}

static inline void put32(u8 *p, u32 value)
{
	put16(p, value >> 16);
	put16(p + 2, value);
}
/*:*/

/* ---- packet.c ------------------------------------------------------------- */
#define NET_MTU		1500u		/* bytes of an IP packet */
#define ETH_HEADER	14u
#define NET_FRAME	(ETH_HEADER + NET_MTU)
#define NET_PACKETS	256u		/* that there are in all */
#define PACKET_HEADROOM	64u		/* for Ethernet, IP, and TCP with an option */
#define PACKET_ROOM	1984u

struct packet {
	struct packet *next;
	u8 *data;			/* in room[]: the part that is still of interest */
	u32 length;
	u32 from;			/* a datagram's sender, for recvfrom() */
	u16 from_port;
	u8 device_header[12];		/* the driver's, for its own purposes */
	u8 room[PACKET_ROOM];
};

enum net_counter {
	RX_PACKETS, RX_BYTES, TX_PACKETS, TX_BYTES, DROP_SHORT, DROP_CHECKSUM, DROP_FRAGMENT,
	DROP_NOT_OURS, DROP_PROTOCOL, DROP_QUEUE, DROP_MEMORY, DROP_UNREACHABLE, DROP_DEVICE,
	TCP_AGAIN, TCP_EARLY, NET_COUNTERS
};
extern const char *const net_counter_name[NET_COUNTERS];

void packet_give(void *memory);		/* sizeof(struct packet) more bytes for the pool */
struct packet *packet_new(void);	/* empty, with PACKET_HEADROOM; NULL: none left */
void packet_free(struct packet *p);
void packet_drop(struct packet *p, enum net_counter why);
/* n more bytes in front, not cleared; the caller knows that there is room. */
void *packet_push(struct packet *p, u32 n);
/* Takes n bytes off the front, and returns them; NULL: p is shorter. */
void *packet_pull(struct packet *p, u32 n);
/* A queue is linked by next, first to last. */
void packet_append(struct packet **queue, struct packet *p);

/* The Internet checksum (RFC 1071), in pieces: all but the last of even length. */
u32 checksum_add(u32 sum, const void *data, u32 length);
bool checksum_good(u32 sum);		/* when the sum covers the checksum itself */
void checksum_put(u8 *at, u32 sum);
/* What TCP and UDP add up before their own bytes. */
u32 checksum_pseudo(u32 from, u32 to, u8 protocol, u32 length);

/* ---- arp.c: Ethernet, and who is who ---------------------------------------- */
#define ARP_ENTRIES 16u
struct arp_entry {
	u32 address;			/* 0: free */
	u8 mac[6];
	bool known;			/* else we have asked, tries times */
	u32 tries;
	u64 deadline;			/* known: forget it then; else: ask again then */
	struct packet *waiting;		/* the one packet that may wait for the answer */
};
/* A frame from the device; takes p. */
void net_input(struct packet *p);
/* An IP packet to a neighbour; takes p. */
void arp_send(struct packet *p, u32 next_hop);
void arp_tick(u64 now);

/* ---- ip.c ----------------------------------------------------------------- */
struct ip_header {
	u8 version_length, service, length[2], id[2], fragment[2];
	u8 ttl, protocol, checksum[2], from[4], to[4];
};
#define IP_ICMP 1
#define IP_TCP 6
#define IP_UDP 17
#define IP_BROADCAST 0xffffffffu
#define IP_LOOPBACK 0x7f000001u
#define IS_LOOPBACK(address) ((address) >> 24 == 127)
/* An IP packet, from the wire or from ourselves; takes p. */
void ip_input(struct packet *p, bool looped);
/* The address that we send from, to somebody; 0: we have none. */
u32 ip_source(u32 to);
bool ip_is_broadcast(u32 address);
/* Puts the IP header in front and sends; takes p.  0 or -errno. */
int ip_send(struct packet *p, u32 from, u32 to, u8 protocol);
/* The packet whose header (and 8 bytes of content) this is did not arrive. */
void ip_failed(const u8 *packet, u32 length, int error);
#define ICMP_HEADER 8u
#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_ECHO 8
#define ICMP_CODE_PORT 3
/* Tells the sender of header (original length bytes from there) why not; code: RFC 792. */
void icmp_unreachable(const struct ip_header *header, u32 length, u8 code);

/* ---- udp.c: datagrams, and the ends that they come to ------------------------- */
#define ENDPOINT_QUEUE 16u
#define UDP_HEADER 8u
struct endpoint {
	struct endpoint *next;
	u8 protocol;			/* IP_UDP; IP_ICMP: port is an echo's identifier */
	u16 port, remote_port;
	u32 remote;			/* connected: only from there; 0: from anybody */
	int error;			/* -errno to be told to the owner, once */
	u32 queued;
	struct packet *queue;
};
/* port 0: one that is free.  0 or -EADDRINUSE. */
int endpoint_open(struct endpoint *e, u8 protocol, u16 port);
void endpoint_close(struct endpoint *e);
struct endpoint *endpoint_find(u8 protocol, u16 port, u32 from, u16 from_port);
/* Puts p, of from:from_port, into a queue, or drops it; takes p. */
void endpoint_deliver(struct endpoint *e, struct packet *p, u32 from, u16 from_port);
/* Sends p's bytes; an echo must be an ICMP echo request.  Takes p; 0 or -errno. */
int endpoint_send(struct endpoint *e, struct packet *p, u32 to, u16 to_port);
void udp_input(struct packet *p, const struct ip_header *h);
int udp_send(struct packet *p, u32 from, u16 from_port, u32 to, u16 to_port);
u16 port_new(bool (*taken)(u8 protocol, u16 port), u8 protocol);

/* ---- dhcp.c --------------------------------------------------------------- */
#define DHCP_CLIENT_PORT 68
enum dhcp_state { DHCP_OFF, DHCP_ASKING, DHCP_REQUESTING, DHCP_BOUND };
struct dhcp {
	enum dhcp_state state;
	u32 id, tries, offered, server;
	u64 deadline;			/* ask (again) then */
	u64 lease_end;
};
void dhcp_start(void);
void dhcp_input(struct packet *p);	/* a UDP payload for DHCP_CLIENT_PORT; takes p */
void dhcp_tick(u64 now);

/* ---- tcp.c, tcp_input.c ----------------------------------------------------- */
#define TCP_MAX		32u		/* connections, waiting ones included */
#define TCP_PAGE	4096u
#define TCP_IN		32768u		/* powers of two: a sequence number is an index */
#define TCP_OUT		16384u
#define TCP_MSS		(NET_MTU - 40)
enum tcp_state {
	TCP_CLOSED, TCP_SPARE, TCP_LISTEN, TCP_SYN_SENT, TCP_SYN_RECEIVED,
	TCP_ESTABLISHED, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2, TCP_CLOSE_WAIT, TCP_CLOSING,
	TCP_LAST_ACK, TCP_TIME_WAIT
};

struct tcp {
	enum tcp_state state;
	bool owned;			/* a socket holds it */
	struct tcp *parent;		/* the listener it belongs to, until accept() */
	u32 local, remote;
	u16 local_port, remote_port;
	int error;			/* -errno, why it came to an end */

	/* Sending.  una <= nxt <= max <= end + 1: told and heard, told (again), told
	 * at all, written by the process. */
	u8 *out[TCP_OUT / TCP_PAGE];
	u32 una, nxt, max, end;
	u32 window, window_seq, window_ack;	/* the other side's, and its date */
	u32 mss, cwnd, ssthresh, same_acks, recover;

	/* Receiving: what lies between read and rcv waits for the process. */
	u8 *in[TCP_IN / TCP_PAGE];
	u32 read, rcv, told_window;
	bool ended;			/* their FIN came, at rcv - 1 */
	bool due;			/* tcp_output() has something to look at */
	bool ack_due;

	u64 deadline;			/* of whatever the state waits for; 0: nothing */
	u32 tries, rto, srtt, rttvar;	/* milliseconds */
	u32 timed_seq;
	u64 timed_at;			/* 0: no segment is being timed */
};
/* A connection of one's own, closed as yet; NULL: no memory.  Processes only. */
struct tcp *tcp_new(void);
/* Gives back what the finished ones hold.  Processes only. */
void tcp_sweep(void);
/* 0 or -errno; goes on in the background until the state is no more SYN_SENT. */
int tcp_connect(struct tcp *t, u32 to, u16 port);
int tcp_bind(struct tcp *t, u16 port);
int tcp_listen(struct tcp *t, u32 backlog);	/* processes only */
struct tcp *tcp_accept(struct tcp *t);	/* NULL: nobody has called; processes only */
/* Where the next bytes may be written, and how many; then: so many were. */
u8 *tcp_room(struct tcp *t, u32 *n);
void tcp_wrote(struct tcp *t, u32 n);
/* The same for the bytes that came in. */
const u8 *tcp_peek(struct tcp *t, u32 *n);
void tcp_consumed(struct tcp *t, u32 n);
bool tcp_can_send(const struct tcp *t);
bool tcp_at_end(const struct tcp *t);	/* nothing more will come */
void tcp_shutdown(struct tcp *t);	/* we have said all that we wanted to */
void tcp_close(struct tcp *t);		/* the owner lets go of it */
void tcp_tick(u64 now);
void tcp_poll(void);			/* sends what is due */
void tcp_input(struct packet *p, const struct ip_header *h);
void tcp_failed(u32 to, u16 from_port, u16 to_port, int error);

/* ---- all of it ------------------------------------------------------------ */
struct net {
	u8 mac[6];
	u32 address, mask, gateway, dns;
	bool (*transmit)(struct packet *p);	/* takes p, a frame; false: dropped.  NULL: none */
	struct packet *free;
	struct packet *looped;			/* to ourselves */
	u32 packets, packets_free;
	u16 next_id, next_port;
	struct arp_entry arp[ARP_ENTRIES];
	struct endpoint *endpoints;
	struct dhcp dhcp;
	struct tcp tcp[TCP_MAX];
	u64 counter[NET_COUNTERS];
};
extern struct net *net;

/* net.c: after anything was done to the stack, and whenever the clock rings. */
void net_poll(void);
void net_tick(void);
/* "10.0.2.15/24,10.0.2.2,10.0.2.3": address, bits of the network, gateway, resolver; the
 * last two may be missing.  false: that makes no sense, nothing was changed. */
bool net_configure(const char *text);
bool parse_address(const char **text, u32 *address);

/* What net/ wants of its surroundings: kernel_net.c, or a test. */
u64 net_now(void);			/* nanoseconds, never backwards */
void net_alarm(u64 deadline);		/* call net_tick() then, or earlier */
void net_wake(const void *channel);	/* whoever waits for this, look again */
u32 net_random(void);
void *net_page(void);			/* a page for a process's connection; NULL: none */
void net_page_free(void *page);

#define NET_S	1000000000ull
#define NET_MS	1000000ull

/* Linux's, as kernel.h's. */
#define EINVAL 22
#define ENOMEM 12
#define ENODEV 19
#define ENOTSOCK 88
#define EDESTADDRREQ 89
#define EMSGSIZE 90
#define ENOPROTOOPT 92
#define EPROTONOSUPPORT 93
#define EOPNOTSUPP 95
#define EAFNOSUPPORT 97
#define EADDRINUSE 98
#define EADDRNOTAVAIL 99
#define ENETUNREACH 101
#define ECONNRESET 104
#define EISCONN 106
#define ENOTCONN 107
#define ETIMEDOUT 110
#define ECONNREFUSED 111
#define EHOSTUNREACH 113

#endif
