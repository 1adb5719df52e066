// SPDX-License-Identifier: MIT
/*L:736 Which network?
 *
 *	--net user[,hostfwd=tcp|udp:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT]...
 *	--net raw:CARD
 *	--net cable:PATH
 *	--tunnet IP[/BITS]
 *	--tunnet bridge:NAME
 *
 * and each may end with `,mac=AA:BB:CC:DD:EE:FF`.  The words for forwards are QEMU's,
 * because that is where people have learned them.  There are many ways to get such a
 * word wrong, so a complaint names the piece that it could not read, and not just
 * the word.
 :*/
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher.h"

#define FORWARD_FORM "tcp|udp:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT"
#define USER_NET	0x0a000200u	/* 10.0.2.0/24 */
#define USER_GUEST	0x0a00020fu	/* 10.0.2.15 */

/* A port: digits only, 1 to 65535.  0: it is none. */
static uint16_t read_port(const char *text)
{
	unsigned long value = 0;

	for (const char *p = text; *p; p++) {
		if (!isdigit((unsigned char)*p) || p - text > 4)
			return 0;
		value = value * 10 + (unsigned long)(*p - '0');
	}
	return value <= 65535 ? (uint16_t)value : 0;
}

int net_complain_port(const struct net_forward *f, int error, struct complaint *c)
{
	char addr[INET_ADDRSTRLEN] = "";
	int status = error == EACCES || error == EPERM ? STATUS_NET_PERMISSION : STATUS_NO_NETWORK;

	if (f->host_addr.s_addr)
		inet_ntop(AF_INET, &f->host_addr, addr, sizeof(addr));
	return complain(c, status, "--net: hostfwd=%s:%s:%u: %s%s", f->udp ? "udp" : "tcp", addr,
			f->host_port, strerror(error), error == EADDRINUSE ?
			"; expected a port that nobody listens on" :
			status == STATUS_NET_PERMISSION ? "; expected a port from 1024 on" : "");
}

static int read_mac(const char *text, uint8_t mac[6], const char *word, struct complaint *c)
{
	unsigned byte[6];
	char rest;

	if (strlen(text) != 17 || strspn(text, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &byte[0], &byte[1], &byte[2], &byte[3],
		   &byte[4], &byte[5], &rest) != 6)
		return complain(c, STATUS_USAGE, "%s: 'mac=%s': expected six bytes such as "
				"02:00:00:00:00:01", word, text);
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)byte[i];
	if (mac[0] & 1)
		return complain(c, STATUS_USAGE, "%s: 'mac=%s': the address of a group; expected an "
				"even first byte", word, text);
	return 0;
}

/* Cuts off what stands before the sign; NULL: there is no such sign, and *c says so. */
static char *piece(char **at, char sign, const char *whole, struct complaint *c)
{
	char *begin = *at, *end = strchr(begin, sign);

	if (!end) {
		complain(c, STATUS_USAGE, "--net: 'hostfwd=%s': no '%c' after '%s'; expected hostfwd="
			 FORWARD_FORM, whole, sign, begin);
		return NULL;
	}
	*end = '\0';
	*at = end + 1;
	return begin;
}

static int bad_piece(const char *name, const char *text, const char *wanted, const char *whole,
		     struct complaint *c)
{
	return complain(c, STATUS_USAGE, "--net: 'hostfwd=%s': %s '%s': expected %s", whole, name,
			text, wanted);
}

/* at is eaten up, from the left: "tcp", "127.0.0.1", "8080", "", "80". */
static int read_forward(char *at, struct net_forward *f, struct complaint *c)
{
	char whole[100], *text;

	snprintf(whole, sizeof(whole), "%.90s", at);
	text = piece(&at, ':', whole, c);
	if (!text)
		return c->status;
	f->udp = !strcmp(text, "udp");
	if (!f->udp && strcmp(text, "tcp"))
		return complain(c, STATUS_USAGE, "--net: 'hostfwd=%s': '%s' is neither tcp nor udp",
				whole, text);
	text = piece(&at, ':', whole, c);
	if (!text)
		return c->status;
	if (*text && inet_pton(AF_INET, text, &f->host_addr) != 1)
		return bad_piece("HOSTADDR", text, "an address such as 127.0.0.1, or nothing", whole,
				 c);
	text = piece(&at, '-', whole, c);
	if (!text)
		return c->status;
	f->host_port = read_port(text);
	if (!f->host_port)
		return bad_piece("HOSTPORT", text, "1 to 65535", whole, c);
	text = piece(&at, ':', whole, c);
	if (!text)
		return c->status;
	f->guest_addr.s_addr = htonl(USER_GUEST);
	if (*text && (inet_pton(AF_INET, text, &f->guest_addr) != 1 ||
		      (ntohl(f->guest_addr.s_addr) & 0xffffff00) != USER_NET))
		return bad_piece("GUESTADDR", text, "an address of 10.0.2.0/24, or nothing for "
				 "10.0.2.15", whole, c);
	f->guest_port = read_port(at);
	if (!f->guest_port)
		return bad_piece("GUESTPORT", at, "1 to 65535", whole, c);
	return 0;
}

static int read_user_option(struct net_wish *w, char *word, struct complaint *c)
{
	if (!strncmp(word, "hostfwd=", 8)) {
		if (w->forwards == FORWARDS_MAX)
			return complain(c, STATUS_USAGE, "--net: '%s': at most %d forwards", word,
					FORWARDS_MAX);
		return read_forward(word + 8, &w->forward[w->forwards++], c);
	}
	return complain(c, STATUS_USAGE, "--net: '%s' is nothing that --net=user knows; expected "
			"hostfwd=" FORWARD_FORM " or mac=AA:BB:CC:DD:EE:FF", word);
}

static int read_name(struct net_wish *w, const char *name, const char *word, struct complaint *c)
{
	if (!*name || strlen(name) >= sizeof(w->name) || strchr(name, '/'))
		return complain(c, STATUS_USAGE, "%s: '%s': expected a name of 1 to %zu letters, as "
				"`ip link` shows it", word, name, sizeof(w->name) - 1);
	strcpy(w->name, name);
	return 0;
}

/* What stands in front of the first comma. */
static int read_net(struct net_wish *w, const char *kind, struct complaint *c)
{
	if (!strcmp(kind, "user")) {
		w->kind = NET_USER;
		return 0;
	}
	if (!strncmp(kind, "cable:", 6)) {
		w->kind = NET_CABLE;
		if (!kind[6] || strlen(kind + 6) >= sizeof(w->path))
			return complain(c, STATUS_USAGE, "--net=%s: expected a name of 1 to %zu bytes, "
					"the same for both Guests", kind, sizeof(w->path) - 1);
		strcpy(w->path, kind + 6);
		return 0;
	}
	w->kind = NET_RAW;
	if (!strncmp(kind, "raw:", 4))
		return read_name(w, kind + 4, "--net", c);
	return complain(c, STATUS_USAGE, "--net=%s: there is no such network; expected user, "
			"raw:CARD or cable:PATH (a tap is --tunnet)", kind);
}

static int read_tunnet(struct net_wish *w, char *kind, struct complaint *c)
{
	char whole[64];
	char *slash;

	w->kind = NET_BRIDGE;
	if (!strncmp(kind, "bridge:", 7))
		return read_name(w, kind + 7, "--tunnet", c);
	w->kind = NET_TAP;
	w->bits = 24;
	snprintf(whole, sizeof(whole), "%s", kind);
	slash = strchr(kind, '/');
	if (slash) {
		*slash++ = '\0';
		w->bits = read_port(slash);
		if (w->bits < 1 || w->bits > 30)
			return complain(c, STATUS_USAGE, "--tunnet=%s: BITS '%s': expected 1 to 30",
					whole, slash);
	}
	if (inet_pton(AF_INET, kind, &w->addr) != 1)
		return complain(c, STATUS_USAGE, "--tunnet=%s: expected an address for the Host's "
				"side, such as 192.168.19.1 or 192.168.19.1/24, or bridge:NAME", whole);
	return 0;
}

int net_parse(struct net_wish *w, bool tunnet, const char *text, struct complaint *c)
{
	const char *option = tunnet ? "--tunnet" : "--net";
	char *copy = strdup(text), *rest = copy, *word;
	int status;

	if (!copy)
		die(STATUS_INTERNAL, "out of memory");
	memset(w, 0, sizeof(*w));
	w->text = text;
	word = strsep(&rest, ",");
	status = tunnet ? read_tunnet(w, word, c) : read_net(w, word, c);
	while (!status && (word = strsep(&rest, ",")) != NULL) {
		if (!strncmp(word, "mac=", 4)) {
			status = read_mac(word + 4, w->mac, option, c);
			w->has_mac = true;
		} else if (w->kind == NET_USER) {
			status = read_user_option(w, word, c);
		} else {
			status = complain(c, STATUS_USAGE, "%s: '%s' is nothing that %s knows; "
					  "expected mac=AA:BB:CC:DD:EE:FF", option, word, text);
		}
	}
	free(copy);
	return status;
}
