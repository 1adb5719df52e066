// SPDX-License-Identifier: MIT
/*L:765 A debugger at the door
 *
 * gdb does not have to know what a hypervisor is.  It speaks a protocol of its own over
 * a wire (the GDB Remote Serial Protocol, in gdb's manual, appendix E), in packets that
 * one can read aloud:
 *
 *	$g#67			"the registers, please"
 *	$mc0100000,10#..	"sixteen bytes at c0100000"
 *	$Z0,c0101234,1#..	"put a breakpoint there"
 *	$c#63  $s#73		"go on", "one step"
 *	$T05swbreak:;#..	our answer, when it has stopped: "signal 5, a breakpoint"
 *
 * So we answer.  Registers come from the Host, memory is our own, found by the Guest's
 * tables (L:760).  A breakpoint is the byte 0xcc, INT3, in the Guest's code; stopping and
 * stepping are the Host's part (host/debug.c).
 *
 * It is the Guest's own thread that talks to gdb, because while it talks the Guest does
 * not run, and that is the point.  When the Guest runs, the porter listens in its place
 * and calls it back at the first byte: gdb says something then only to interrupt.
 :*/
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "launcher.h"

#define PACKET_MAX	0x4000
#define BREAKPOINTS	64
#define INT3		0xcc
#define INTERRUPT	0x03		/* the one byte that gdb says without a packet */
#define TRAP_DEBUG	1
#define TRAP_BREAK	3
/* Signal numbers as gdb has them. */
#define SIGNAL_INT	2
#define SIGNAL_TRAP	5
#define SIGNAL_KILL	9
#define SIGNAL_SEGV	11

struct breakpoint {
	bool used;
	uint32_t gva;
	uint64_t gpa;
	uint8_t byte;			/* what was there */
};

static int listening = -1, wire = -1;
static int ear = -1;			/* epoll: of these two, the one to listen to */
static bool wait_for_gdb, acks, stepping;
static atomic_bool knock, talking;	/* the porter's note; we are on the wire ourselves */
static pthread_t runner;
static struct breakpoint breakpoint[BREAKPOINTS];
static const struct guest_memory *memory;
static const struct image *image;
static struct lg_state state;		/* at the stop */

/* ---- The wire -------------------------------------------------------------- */

static void listen_to(int fd, bool yes)
{
	struct epoll_event e = { .events = EPOLLIN };

	epoll_ctl(ear, yes ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &e);
}

static void lose_gdb(void)
{
	if (wire < 0)
		return;
	listen_to(wire, false);
	close(wire);
	wire = -1;
	listen_to(listening, true);
}

static void put_all(const char *text, size_t length)
{
	while (wire >= 0 && length) {
		ssize_t n = send(wire, text, length, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR && ending_asked() < 0)
			continue;
		if (n <= 0) {
			lose_gdb();
			return;
		}
		text += n;
		length -= (size_t)n;
	}
}

/* -1: gdb has gone, or the run is to end. */
static int get_byte(void)
{
	struct pollfd p = { .fd = wire, .events = POLLIN };
	unsigned char c;

	for (;;) {
		if (wire < 0 || ending_asked() >= 0)
			return -1;
		/* Not for ever: the note that the run is to end has no sound of its own. */
		if (poll(&p, 1, 200) <= 0)
			continue;
		if (recv(wire, &c, 1, 0) == 1)
			return c;
		lose_gdb();
	}
}

static void send_packet(const char *text)
{
	char packet[PACKET_MAX + 8];
	unsigned char sum = 0;
	int n;

	for (const char *p = text; *p; p++)
		sum += (unsigned char)*p;
	n = snprintf(packet, sizeof(packet), "$%s#%02x", text, sum);
	do {
		put_all(packet, (size_t)n);
	} while (acks && get_byte() == '-');
}

static int hex_digit(int c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* The next packet's contents; false: gdb has gone.  An interrupt byte is no packet. */
static bool get_packet(char packet[PACKET_MAX + 1])
{
	for (;;) {
		unsigned char sum = 0;
		size_t n = 0;
		int c;

		while ((c = get_byte()) != '$')
			if (c < 0)
				return false;
		while ((c = get_byte()) != '#') {
			if (c < 0)
				return false;
			sum += (unsigned char)c;
			if (n < PACKET_MAX)
				packet[n++] = (char)c;
		}
		packet[n] = '\0';
		c = hex_digit(get_byte()) << 4;
		c |= hex_digit(get_byte());
		if (!acks)
			return wire >= 0;
		put_all(c == sum ? "+" : "-", 1);
		if (c == sum)
			return wire >= 0;
	}
}

/* ---- Memory and breakpoints -------------------------------------------------- */

static bool find(uint32_t gva, uint64_t *gpa)
{
	struct walk w;

	if (!walk_guest(memory, image, state.cr3, state.pae, gva, &w))
		return false;
	*gpa = w.gpa;
	return true;
}

static struct breakpoint *breakpoint_at(uint64_t gpa)
{
	for (unsigned i = 0; i < BREAKPOINTS; i++)
		if (breakpoint[i].used && breakpoint[i].gpa == gpa)
			return &breakpoint[i];
	return NULL;
}

/* A byte as the Guest means it: our own INT3s are not its code. */
static bool read_byte(uint32_t gva, uint8_t *byte)
{
	struct breakpoint *b;
	uint64_t gpa;

	if (!find(gva, &gpa) || !memory_fetch(memory, gpa, byte, 1))
		return false;
	b = breakpoint_at(gpa);
	if (b)
		*byte = b->byte;
	return true;
}

static bool write_byte(uint32_t gva, uint8_t byte)
{
	struct breakpoint *b;
	uint64_t gpa;

	if (!find(gva, &gpa))
		return false;
	b = breakpoint_at(gpa);
	if (b)
		b->byte = byte;
	return b || memory_store(memory, gpa, &byte, 1);
}

static bool insert(struct breakpoint *b)
{
	static const uint8_t int3 = INT3;

	return find(b->gva, &b->gpa) && memory_fetch(memory, b->gpa, &b->byte, 1) &&
	       memory_store(memory, b->gpa, &int3, 1);
}

static const char *breakpoint_set(uint32_t gva)
{
	uint64_t gpa;

	if (!find(gva, &gpa))
		return "E14";		/* EFAULT: nothing is mapped there yet */
	if (breakpoint_at(gpa))
		return "OK";
	for (unsigned i = 0; i < BREAKPOINTS; i++) {
		if (breakpoint[i].used)
			continue;
		breakpoint[i] = (struct breakpoint){ .gva = gva };
		if (!insert(&breakpoint[i]))
			return "E14";
		breakpoint[i].used = true;
		return "OK";
	}
	return "E28";			/* ENOSPC */
}

static void breakpoint_remove(struct breakpoint *b)
{
	uint8_t byte;

	b->used = false;
	/* Somebody may have loaded another program over it. */
	if (memory_fetch(memory, b->gpa, &byte, 1) && byte == INT3)
		memory_store(memory, b->gpa, &b->byte, 1);
}

static void breakpoint_clear(uint32_t gva)
{
	for (unsigned i = 0; i < BREAKPOINTS; i++)
		if (breakpoint[i].used && breakpoint[i].gva == gva)
			breakpoint_remove(&breakpoint[i]);
}

static void breakpoints_clear(void)
{
	for (unsigned i = 0; i < BREAKPOINTS; i++)
		if (breakpoint[i].used)
			breakpoint_remove(&breakpoint[i]);
}

/* ---- Registers ---------------------------------------------------------------- */

/* gdb's numbers for i386; ours behind them.  What we cannot know stands as x's. */
#define REG_ST0		16
#define REG_FCTRL	24
#define REG_CR3		32
#define REG_CR2		33
#define REGS		34

static const char *const register_name[REGS] = {
	"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags", "cs", "ss",
	"ds", "es", "fs", "gs", "st0", "st1", "st2", "st3", "st4", "st5", "st6", "st7",
	"fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop", "cr3", "cr2",
};

/* What our registers are called and how large they are, so that gdb need not guess
 * (gdb's manual, appendix G). */
static void describe_target(char *to)
{
	to += sprintf(to, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
		      "<target version=\"1.0\"><architecture>i386</architecture>"
		      "<feature name=\"org.gnu.gdb.i386.core\">");
	for (unsigned n = 0; n < REGS; n++) {
		const char *name = register_name[n];
		bool x87 = n >= REG_ST0 && n < REG_FCTRL;

		if (n == REG_CR3)
			to += sprintf(to, "</feature><feature name=\"org.lguest.paging\">");
		to += sprintf(to, "<reg name=\"%s\" bitsize=\"%d\" type=\"%s\"/>", name,
			      x87 ? 80 : 32, x87 ? "i387_ext" : !strcmp(name, "eip") ? "code_ptr" :
			      !strcmp(name, "esp") || !strcmp(name, "ebp") ? "data_ptr" : "int32");
	}
	strcpy(to, "</feature></target>");
}

/* NULL: not a register that the Host gives us. */
static uint32_t *register_at(unsigned n)
{
	struct lg_regs *r = &state.regs;
	uint32_t *const place[REG_ST0] = {
		&r->eax, &r->ecx, &r->edx, &r->ebx, &r->esp, &r->ebp, &r->esi, &r->edi,
		&r->eip, &r->eflags, &r->cs, &r->ss, &r->ds, &r->es, &r->fs, &r->gs,
	};

	return n < REG_ST0 ? place[n] : n == REG_CR3 ? &state.cr3 :
	       n == REG_CR2 ? &state.cr2 : NULL;
}

static char *put_hex(char *to, const void *from, size_t bytes)
{
	const uint8_t *p = from;

	for (size_t i = 0; i < bytes; i++)
		to += sprintf(to, "%02x", p[i]);
	return to;
}

static char *put_register(char *to, unsigned n)
{
	const uint32_t *value = register_at(n);
	size_t digits = n >= REG_ST0 && n < REG_FCTRL ? 20 : 8;

	if (value)
		return put_hex(to, value, 4);
	memset(to, 'x', digits);
	to[digits] = '\0';
	return to + digits;
}

static bool get_hex(const char **p, void *to, size_t bytes)
{
	uint8_t *out = to;

	for (size_t i = 0; i < bytes; i++, *p += 2) {
		int high = hex_digit((unsigned char)(*p)[0]);
		int low = high < 0 ? -1 : hex_digit((unsigned char)(*p)[1]);

		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static const char *set_registers(void)
{
	int error = -host_set_regs(&state.regs);

	host_state(&state);		/* as they really are now */
	return error ? "E22" : "OK";
}

static const char *write_register(const char *p)
{
	char *end;
	unsigned long n = strtoul(p, &end, 16);
	uint32_t *value = n < REG_ST0 ? register_at((unsigned)n) : NULL;
	const char *digits = end + 1;

	if (*end != '=' || !value || !get_hex(&digits, value, 4))
		return "E22";
	return set_registers();
}

static const char *write_all_registers(const char *p)
{
	for (unsigned n = 0; n < REG_ST0; n++)
		if (!get_hex(&p, register_at(n), 4))
			return "E22";
	return set_registers();
}

/* ---- What gdb asks --------------------------------------------------------------- */

static void answer_memory(const char *p, char *out)
{
	char *end;
	unsigned long at = strtoul(p, &end, 16);
	unsigned long length = *end == ',' ? strtoul(end + 1, NULL, 16) : 0;
	uint8_t byte;
	char *to = out;

	if (length > PACKET_MAX / 2 - 1)
		length = PACKET_MAX / 2 - 1;
	for (; length && read_byte((uint32_t)at, &byte); at++, length--)
		to = put_hex(to, &byte, 1);
	if (to == out)
		strcpy(out, "E14");
}

static const char *write_memory(const char *p)
{
	char *end;
	unsigned long at = strtoul(p, &end, 16);
	unsigned long length = *end == ',' ? strtoul(end + 1, &end, 16) : 0;
	const char *digits = end + 1;
	uint8_t byte;

	if (*end != ':')
		return "E22";
	for (; length; at++, length--)
		if (!get_hex(&digits, &byte, 1) || !write_byte((uint32_t)at, byte))
			return "E14";
	return "OK";
}

static void answer_target(const char *p, char *out)
{
	static char target_xml[PACKET_MAX];
	char *end;
	size_t size;
	unsigned long at = strtoul(p, &end, 16);
	unsigned long length = *end == ',' ? strtoul(end + 1, NULL, 16) : 0;

	describe_target(target_xml);
	size = strlen(target_xml);
	if (at > size)
		at = size;
	if (length > PACKET_MAX - 2)
		length = PACKET_MAX - 2;
	out[0] = size - at > length ? 'm' : 'l';
	snprintf(out + 1, length + 1 < size - at + 1 ? length + 1 : size - at + 1, "%s",
		 target_xml + at);
}

/* `monitor ...` in gdb: what a hypervisor knows and a processor does not. */
static void monitor(const char *hex, char *out)
{
	char command[128] = "", text[2000];
	struct walk w;
	char *end;
	uint32_t gva;
	int n;

	for (size_t i = 0; i < sizeof(command) - 1 && get_hex(&hex, command + i, 1); i++)
		;
	if (!strncmp(command, "walk ", 5)) {
		gva = (uint32_t)strtoul(command + 5, &end, 16);
		n = snprintf(text, sizeof(text), "%08x:", gva);
		if (!walk_guest(memory, image, state.cr3, state.pae, gva, &w))
			w.gpa = ~0ull;
		for (unsigned i = 0; i < w.levels; i++)
			n += snprintf(text + n, sizeof(text) - (size_t)n,
				      " [%08" PRIx64 "]=%0*" PRIx64, w.level[i].gpa,
				      state.pae ? 16 : 8, w.level[i].entry);
		if (w.gpa == ~0ull)
			snprintf(text + n, sizeof(text) - (size_t)n, "  not mapped\n");
		else
			snprintf(text + n, sizeof(text) - (size_t)n,
				 "  guest-physical %08" PRIx64 "%s\n", w.gpa,
				 state.cr3 ? "" : " (no page tables yet)");
	} else {
		snprintf(text, sizeof(text), "monitor walk ADDRESS   the Guest's page tables for "
			 "an address (hexadecimal)\n");
	}
	put_hex(out, text, strlen(text));
}

static void answer_query(const char *p, char *out)
{
	if (!strncmp(p, "Supported", 9))
		sprintf(out, "PacketSize=%x;qXfer:features:read+;swbreak+;vContSupported+;"
			"QStartNoAckMode+", PACKET_MAX);
	else if (!strncmp(p, "Xfer:features:read:target.xml:", 30))
		answer_target(p + 30, out);
	else if (!strcmp(p, "Attached"))
		strcpy(out, "1");
	else if (!strcmp(p, "C"))
		strcpy(out, "QC1");
	else if (!strcmp(p, "fThreadInfo"))
		strcpy(out, "m1");
	else if (!strcmp(p, "sThreadInfo"))
		strcpy(out, "l");
	else if (!strncmp(p, "Rcmd,", 5))
		monitor(p + 5, out);
}

static void stop_reply(char *out, int signal)
{
	sprintf(out, "T%02x%sthread:1;", signal, state.vector == TRAP_BREAK ? "swbreak:;" : "");
}

enum verdict { ANSWER, SILENCE, GO, STEP, LEAVE };

/* One packet; the answer in out, "" being "I don't know that one". */
static enum verdict obey(const char *p, char *out, int signal)
{
	unsigned n;
	char *to = out;

	out[0] = '\0';
	switch (*p) {
	case '?':
		stop_reply(out, signal);
		break;
	case 'g':
		for (n = 0; n < REGS; n++)
			to = put_register(to, n);
		break;
	case 'G':
		strcpy(out, write_all_registers(p + 1));
		break;
	case 'p':
		n = (unsigned)strtoul(p + 1, NULL, 16);
		if (n < REGS)
			put_register(out, n);
		else
			strcpy(out, "E22");
		break;
	case 'P':
		strcpy(out, write_register(p + 1));
		break;
	case 'm':
		answer_memory(p + 1, out);
		break;
	case 'M':
		strcpy(out, write_memory(p + 1));
		break;
	case 'Z':
	case 'z':
		if (p[1] != '0' && p[1] != '1')
			break;		/* watchpoints: gdb steps and looks, then */
		if (*p == 'z')
			breakpoint_clear((uint32_t)strtoul(p + 3, NULL, 16));
		strcpy(out, *p == 'z' ? "OK" :
		       breakpoint_set((uint32_t)strtoul(p + 3, NULL, 16)));
		break;
	case 'H':
	case 'T':
		strcpy(out, "OK");
		break;
	case 'q':
		answer_query(p + 1, out);
		break;
	case 'Q':
		if (!strcmp(p, "QStartNoAckMode")) {
			send_packet("OK");
			acks = false;
			return SILENCE;
		}
		break;
	case 'v':
		if (!strcmp(p, "vCont?"))
			strcpy(out, "vCont;c;C;s;S");
		else if (!strncmp(p, "vCont;", 6))
			return tolower(p[6]) == 's' ? STEP : GO;
		break;
	case 'c':
	case 'C':
		return GO;
	case 's':
	case 'S':
		return STEP;
	case 'D':
		send_packet("OK");
		return LEAVE;
	case 'k':
		ending_ask(STATUS_POWEROFF);
		return LEAVE;
	}
	return ANSWER;
}

/*L:766 Standing still
 *
 * Talk until gdb says how to go on.  If gdb goes away in the middle, nothing of it is
 * left behind in the Guest, which runs on as if there had never been one.
 */
static enum verdict talk(int signal)
{
	char packet[PACKET_MAX + 1], out[PACKET_MAX + 1];
	enum verdict v;

	while (get_packet(packet)) {
		v = obey(packet, out, signal);
		if (v == ANSWER)
			send_packet(out);
		else if (v != SILENCE)
			return v;
	}
	if (ending_asked() < 0)
		say("--gdb: the debugger has gone, the Guest goes on");
	return LEAVE;
}

static void go_on(enum verdict v)
{
	stepping = v == STEP;
	if (v == LEAVE) {
		breakpoints_clear();
		lose_gdb();
		host_debug(0);
	} else {
		host_debug(LG_DEBUG_ON | (stepping ? LG_DEBUG_STEP : 0));
	}
	talking = false;
}

static void take_call(void)
{
	int one = 1;

	wire = accept(listening, NULL, NULL);
	if (wire < 0)
		return;
	setsockopt(wire, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	acks = true;
	listen_to(listening, false);	/* one at a time: the next one waits */
	listen_to(wire, true);
	verbose("--gdb: a debugger has come");
}

/* In the porter's thread, while the Guest runs: gdb calls, or has something to say.  The
 * poll() that called us will call again, until the other thread has heard. */
static void heard(struct watch *w)
{
	struct timespec pause = { .tv_nsec = 5 * 1000000L };

	(void)w;
	if (!talking) {
		knock = true;
		pthread_kill(runner, SIGUSR1);
	}
	nanosleep(&pause, NULL);
}

/* Before each RUN: has gdb knocked?  Then the Guest is to stop first. */
void gdb_before_run(void)
{
	if (listening < 0 || !knock)
		return;
	talking = true;
	knock = false;
	if (wire < 0)
		take_call();
	else if (get_byte() < 0)	/* INTERRUPT, or the end of the line */
		go_on(LEAVE);
	if (wire >= 0)
		host_debug(LG_DEBUG_ON | LG_DEBUG_STOP);
	else
		talking = false;
}

/* RUN has returned LG_RUN_DEBUG. */
void gdb_stopped(unsigned trap)
{
	char out[64];
	struct breakpoint *b = NULL;
	int signal = trap ? SIGNAL_TRAP : SIGNAL_INT;
	uint64_t gpa;

	talking = true;
	host_state(&state);
	if (trap == TRAP_BREAK && find(state.regs.eip - 1, &gpa))
		b = breakpoint_at(gpa);
	if (wire < 0 || (trap == TRAP_BREAK && !b) || (trap == TRAP_DEBUG && !stepping)) {
		/* Not ours: the Guest has a debugger of its own, or wants to have trapped. */
		host_debug(wire < 0 ? LG_DEBUG_REFLECT | LG_DEBUG_ON : LG_DEBUG_ON |
			   (stepping ? LG_DEBUG_STEP : 0) | (trap ? LG_DEBUG_REFLECT : 0));
		talking = false;
		return;
	}
	state.vector = trap;
	if (b) {
		state.regs.eip--;
		host_set_regs(&state.regs);
	}
	if (!wait_for_gdb) {
		stop_reply(out, signal);
		send_packet(out);
	}
	wait_for_gdb = false;
	go_on(talk(signal));
}

/*L:767 First and last words
 *
 * A Guest under a debugger waits at its first instruction until gdb has come, and when
 * the Host has killed it, it may still be looked at: the body is there, gdb just finds
 * that it can't be made to walk.
 */
void gdb_begin(const struct guest_memory *m, const struct image *img)
{
	memory = m;
	image = img;
	runner = pthread_self();
	if (listening < 0)
		return;
	host_state(&state);
	for (unsigned i = 0; i < BREAKPOINTS; i++)	/* after a restart */
		if (breakpoint[i].used && !insert(&breakpoint[i]))
			breakpoint[i].used = false;
	if (wire < 0 && wait_for_gdb) {
		struct pollfd p = { .fd = listening, .events = POLLIN };

		talking = true;
		while (ending_asked() < 0 && poll(&p, 1, 200) <= 0)
			;
		if (ending_asked() < 0)
			take_call();
		talking = wire >= 0;
	}
	if (wire >= 0)
		host_debug(LG_DEBUG_ON | (wait_for_gdb ? LG_DEBUG_STOP : 0));
}

void gdb_over(const struct ending *end)
{
	char text[LG_TEXT_MAX + 64], out[2 * sizeof(text) + 2] = "O";

	if (wire < 0)
		return;
	talking = true;
	if (end->status == STATUS_KILLED) {
		host_state(&state);
		snprintf(text, sizeof(text), "The Host killed the Guest: %s: %s\n", end->run.code,
			 end->run.text);
		put_hex(out + 1, text, strlen(text));
		send_packet(out);
		stop_reply(out, SIGNAL_SEGV);
		send_packet(out);
		talk(SIGNAL_SEGV);
	}
	if (end->status == RUN_RESTART) {
		talking = false;
		return;
	}
	if (end->status == STATUS_KILLED)
		sprintf(out, "X%02x", SIGNAL_KILL);
	else
		sprintf(out, "W%02x", end->status & 0xff);
	send_packet(out);
	lose_gdb();
}

int gdb_open(const struct gdb_wish *wish, struct complaint *c)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons(wish->port),
		.sin_addr.s_addr = htonl(wish->any_address ? INADDR_ANY : INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(a);
	int one = 1;

	ear = epoll_create1(EPOLL_CLOEXEC);
	listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (listening < 0 || bind(listening, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(listening, 1) < 0 || getsockname(listening, (struct sockaddr *)&a, &length) < 0)
		return complain(c, STATUS_NO_NETWORK, "--gdb: port %u: %s%s", wish->port,
				strerror(errno), errno == EADDRINUSE ?
				"; is there another Guest?  Take another port: --gdb=PORT" : "");
	wait_for_gdb = !wish->run;
	if (!wish->quiet)
		say("--gdb: %s; in gdb: target remote localhost:%u", wish->run ?
		    "a debugger may come at any time" : "the Guest waits for a debugger",
		    ntohs(a.sin_port));
	listen_to(listening, true);
	porter_watch(ear, heard, NULL);
	return 0;
}
/*:*/
