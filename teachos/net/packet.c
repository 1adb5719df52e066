/* SPDX-License-Identifier: MIT */
/*D:452 Envelopes
 *
 * There is a fixed number of packets, made when the network starts.  They wait in a
 * heap until somebody needs one, and a network that gets more than it can handle runs
 * out of envelopes, not out of memory.
 *
 * Room is left in front of the contents, so that each layer can write its header
 * where it belongs, and nothing is ever moved.
 *
 *	|  headroom  | Ethernet | IP | TCP | contents          |      |
 *	room[]       ^ data ... and as a packet climbs, ^ data
 */
#include "net.h"

struct net *net;

const char *const net_counter_name[NET_COUNTERS] = {
	[RX_PACKETS] = "packets received", [RX_BYTES] = "bytes received",
	[TX_PACKETS] = "packets sent", [TX_BYTES] = "bytes sent",
	[DROP_SHORT] = "dropped: lengths that can't be", [DROP_CHECKSUM] = "dropped: bad checksum",
	[DROP_FRAGMENT] = "dropped: fragments", [DROP_NOT_OURS] = "dropped: not for us",
	[DROP_PROTOCOL] = "dropped: nobody here speaks that",
	[DROP_QUEUE] = "dropped: reader too slow", [DROP_MEMORY] = "dropped: no packets left",
	[DROP_UNREACHABLE] = "dropped: nobody answers there",
	[DROP_DEVICE] = "dropped: the device is full",
	[TCP_AGAIN] = "TCP segments sent again", [TCP_EARLY] = "TCP segments out of order",
};

void packet_give(void *memory)
{
	net->packets++;
	packet_free(memory);
}

struct packet *packet_new(void)
{
	struct packet *p = net->free;

	if (!p) {
		net->counter[DROP_MEMORY]++;
		return NULL;
	}
	net->free = p->next;
	net->packets_free--;
	p->next = NULL;
	p->data = p->room + PACKET_HEADROOM;
	p->length = 0;
	return p;
}

void packet_free(struct packet *p)
{
	p->next = net->free;
	net->free = p;
	net->packets_free++;
}

void packet_drop(struct packet *p, enum net_counter why)
{
	net->counter[why]++;
	packet_free(p);
}

void *packet_push(struct packet *p, u32 n)
{
	p->data -= n;
	p->length += n;
	return p->data;
}

void *packet_pull(struct packet *p, u32 n)
{
	u8 *front = p->data;

	if (n > p->length)
		return NULL;
	p->data += n;
	p->length -= n;
	return front;
}

void packet_append(struct packet **queue, struct packet *p)
{
	while (*queue)
		queue = &(*queue)->next;
	p->next = NULL;
	*queue = p;
}
/*:*/

/*D:454 A sum that does not care about byte order
 *
 * Add up all 16-bit words, put what overflows back in at the bottom, invert.  The
 * receiver adds everything, the checksum too, and must get all ones.  Because the
 * overflow comes back in, it does not matter which byte of a word is the high one:
 * swap all of them, and the sum is swapped, too.  So we add the words as our own
 * processor likes to read them, four bytes at a time, and never turn one around.
 */
u32 checksum_add(u32 sum, const void *data, u32 length)
{
	const u8 *p = data;
	u64 wide = sum;
	u32 word;

	for (; length >= 4; p += 4, length -= 4) {
		__builtin_memcpy(&word, p, 4);
		wide += word;
	}
	word = 0;
	memcpy(&word, p, length);
	wide += word;
	wide = (wide & 0xffffffff) + (wide >> 32);
	return (u32)wide + (u32)(wide >> 32);
}

static u32 fold(u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

bool checksum_good(u32 sum)
{
	return fold(sum) == 0xffff;
}

void checksum_put(u8 *at, u32 sum)
{
	u16 word = ~fold(sum);

	memcpy(at, &word, 2);
}

u32 checksum_pseudo(u32 from, u32 to, u8 protocol, u32 length)
{
	u8 header[12] = {[9] = protocol};

	put32(header, from);
	put32(header + 4, to);
	put16(header + 10, length);
	return checksum_add(0, header, sizeof(header));
}
/*:*/
