/* SPDX-License-Identifier: MIT */
/*D:482 Between tcp.c, which talks, and tcp_input.c, which listens :*/
#ifndef TCP_H
#define TCP_H

#include "net.h"

struct tcp_header {
	u8 from[2], to[2], seq[4], ack[4];
	u8 offset;			/* of the data: words, in the upper half */
	u8 flags, window[2], checksum[2], urgent[2];
};
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_MSS 2

/* The same, understood. */
struct segment {
	u32 from, to;
	u16 from_port, to_port;
	u32 seq, ack, window, mss;
	u8 flags;
	const u8 *data;
	u32 length;
};

static inline bool before(u32 a, u32 b)
{
	return (int)(a - b) < 0;
}

/* Sets up a conversation: our first number, and modest expectations. */
void tcp_begin(struct tcp *t, u32 local, u32 remote, u16 remote_port);
u32 tcp_window(const struct tcp *t);	/* how much we may be sent from rcv on */
void tcp_send(struct tcp *t, u32 seq, u32 n, u8 flags);
void tcp_send_syn(struct tcp *t);
void tcp_refuse(const struct segment *s);
void tcp_finish(struct tcp *t, int error);
void tcp_linger(struct tcp *t);
void tcp_go_back(struct tcp *t);	/* all from una on again, and slower */
void tcp_round_trip(struct tcp *t);	/* timed_seq has just been acknowledged */
void tcp_free_pages(struct tcp *t);

#endif
