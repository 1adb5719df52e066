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
 * It is the Guest's own thread that talks with gdb, because while it talks the Guest does
 * not run, and that is the point.  When the Guest runs, the porter listens in its place
 * and calls it back at the first byte: gdb says something then only to interrupt.
 * Stopping and stepping are the Host's part (host/debug.c).
 :*/
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gdb.h"

#define TRAP_DEBUG	1
#define TRAP_BREAK	3
/* Signal numbers as gdb has them. */
#define SIGNAL_INT	2
#define SIGNAL_TRAP	5
#define SIGNAL_KILL	9
#define SIGNAL_SEGV	11

static bool on, wait_for_gdb, stepping;
static bool watching;			/* we step, and gdb does not know */
static bool want_threads;
static uint32_t watch_hit;		/* 0: the last stop was none */
static atomic_bool knock, talking;	/* the porter's note; we are on the wire ourselves */
static pthread_t runner;
static unsigned last_trap;

/* `monitor ...` in gdb: what a hypervisor knows and a processor does not. */
static void monitor(const char *hex, char *out)
{
	char command[128] = "", text[512];

	for (size_t i = 0; i < sizeof(command) - 1 && hex_get(&hex, command + i, 1); i++)
		;
	if (!strncmp(command, "walk ", 5))
		target_walk((uint32_t)strtoul(command + 5, NULL, 16), text, sizeof(text));
	else
		snprintf(text, sizeof(text), "monitor walk ADDRESS   the Guest's page tables for "
			 "an address (hexadecimal)\n");
	hex_put(out, text, strlen(text));
}

/* A part of a long text: offset and length in hexadecimal at p. */
static void answer_part(const char *p, const char *whole, char *out)
{
	char *end;
	size_t size = strlen(whole), at = strtoul(p, &end, 16);
	size_t length = *end == ',' ? strtoul(end + 1, NULL, 16) : 0;

	if (at > size)
		at = size;
	if (length > GDB_PACKET_MAX - 1)
		length = GDB_PACKET_MAX - 1;
	out[0] = size - at > length ? 'm' : 'l';
	if (length > size - at)
		length = size - at;
	memcpy(out + 1, whole + at, length);
	out[1 + length] = '\0';
}

static void list_threads(char *out)
{
	unsigned id[THREADS_MAX], n = threads_list(id);

	for (unsigned i = 0; i < n; i++)
		out += sprintf(out, "%c%x", i ? ',' : 'm', id[i]);
}

/* Hg3: what is asked next is about thread 3; 0 and -1 are all the same to us. */
static const char *select_thread(const char *p)
{
	unsigned id = (unsigned)strtoul(p + 1, NULL, 16);

	if (*p != 'g')
		return "OK";
	if (!id || p[1] == '-')
		id = threads_current();
	return target_select(id) ? "OK" : "E22";
}

static void answer_query(const char *p, char *out)
{
	static char xml[GDB_PACKET_MAX];
	char text[80];

	if (!strncmp(p, "Supported", 9)) {
		sprintf(out, "PacketSize=%x;qXfer:features:read+;swbreak+;vContSupported+;"
			"QStartNoAckMode+", GDB_PACKET_MAX);
	} else if (!strncmp(p, "Xfer:features:read:target.xml:", 30)) {
		target_describe(xml);
		answer_part(p + 30, xml, out);
	} else if (!strcmp(p, "Attached")) {
		strcpy(out, "1");
	} else if (!strcmp(p, "C")) {
		sprintf(out, "QC%x", threads_current());
	} else if (!strcmp(p, "fThreadInfo")) {
		list_threads(out);
	} else if (!strncmp(p, "ThreadExtraInfo,", 16)) {
		threads_describe((unsigned)strtoul(p + 16, NULL, 16), text, sizeof(text));
		hex_put(out, text, strlen(text));
	} else if (!strcmp(p, "sThreadInfo")) {
		strcpy(out, "l");
	} else if (!strncmp(p, "Rcmd,", 5)) {
		monitor(p + 5, out);
	}
}

static void stop_reply(char *out, int signal)
{
	out += sprintf(out, "T%02x%s", signal, last_trap == TRAP_BREAK ? "swbreak:;" : "");
	if (watch_hit)
		out += sprintf(out, "watch:%x;", watch_hit);
	sprintf(out, "thread:%x;", threads_current());
}

enum verdict { ANSWER, SILENCE, GO, STEP, LEAVE };

/* One packet; the answer in out, "" being "I don't know that one". */
static enum verdict obey(const char *p, char *out, int signal)
{
	uint32_t at;
	char *end;

	out[0] = '\0';
	switch (*p) {
	case '?':
		stop_reply(out, signal);
		break;
	case 'g':
		target_registers(out);
		break;
	case 'G':
		strcpy(out, target_set_registers(p + 1));
		break;
	case 'p':
		target_register(p + 1, out);
		break;
	case 'P':
		strcpy(out, target_set_register(p + 1));
		break;
	case 'm':
		target_memory(p + 1, out);
		break;
	case 'M':
		strcpy(out, target_set_memory(p + 1));
		break;
	case 'Z':
	case 'z':	/* 0 and 1 are breakpoints, 2 watches for writes; for reads nobody can. */
		at = p[1] && p[2] == ',' ? (uint32_t)strtoul(p + 3, &end, 16) : 0;
		if ((p[1] == '0' || p[1] == '1') && p[2] == ',')
			strcpy(out, target_breakpoint(*p == 'Z', at));
		else if (p[1] == '2' && p[2] == ',' && *end == ',')
			strcpy(out, target_watch(*p == 'Z', at, strtoul(end + 1, NULL, 16)));
		break;
	case 'H':
		strcpy(out, select_thread(p + 1));
		break;
	case 'T':
		strcpy(out, threads_exists((unsigned)strtoul(p + 1, NULL, 16)) ? "OK" : "E22");
		break;
	case 'q':
		answer_query(p + 1, out);
		break;
	case 'Q':
		if (strcmp(p, "QStartNoAckMode"))
			break;
		wire_send("OK");
		wire_no_acks();
		return SILENCE;
	case 'v':
		if (!strcmp(p, "vCont?"))
			strcpy(out, "vCont;c;C;s;S");
		else if (!strncmp(p, "vCont;", 6))
			return tolower((unsigned char)p[6]) == 's' ? STEP : GO;
		break;
	case 'c':
	case 'C':
		return GO;
	case 's':
	case 'S':
		return STEP;
	case 'D':
		wire_send("OK");
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
	char packet[GDB_PACKET_MAX + 1], out[GDB_PACKET_MAX + 1];
	enum verdict v;

	while (wire_receive(packet)) {
		v = obey(packet, out, signal);
		if (v == ANSWER)
			wire_send(out);
		else if (v != SILENCE)
			return v;
	}
	if (ending_asked() < 0)
		say("--gdb: the debugger has gone, the Guest goes on");
	return LEAVE;
}

static unsigned how_to_go_on(void)
{
	return LG_DEBUG_ON | (stepping ? LG_DEBUG_STEP :
			      watching ? LG_DEBUG_STEP | LG_DEBUG_IRQS : 0);
}

static void go_on(enum verdict v)
{
	stepping = v == STEP;
	watching = target_watches() && v == GO;
	if (v == LEAVE) {
		target_breakpoints_clear();
		wire_hang_up();
		host_debug(0);
	} else {
		host_debug(how_to_go_on());
	}
	talking = false;
}

/* In the porter's thread, while the Guest runs: gdb calls, or has something to say.  The
 * poll() that called us will call again, until the other thread has heard. */
static void heard(struct watch *w)
{
	struct timespec pause = { .tv_nsec = 5 * 1000000L };

	(void)w;
	if (wire_refuse())
		return;
	if (!talking) {
		knock = true;
		pthread_kill(runner, SIGUSR1);
	}
	nanosleep(&pause, NULL);
}

void gdb_before_run(void)
{
	if (!knock)
		return;
	talking = true;
	knock = false;
	if (!wire_up())
		wire_accept();
	else if (wire_byte() < 0)	/* 0x03, or the end of the line */
		go_on(LEAVE);
	watching = false;
	if (wire_up())
		host_debug(LG_DEBUG_ON | LG_DEBUG_STOP);
	else
		talking = false;
}

/* Not one of ours: the Guest has a debugger of its own, or wants to have trapped. */
static void give_back(unsigned trap)
{
	host_debug(how_to_go_on() | (trap ? LG_DEBUG_REFLECT : 0));
}

void gdb_stopped(unsigned trap)
{
	int signal = trap || stepping || watching ? SIGNAL_TRAP : SIGNAL_INT;
	char out[64];

	watch_hit = 0;
	if (watching && wire_up() && trap != TRAP_BREAK && !target_watch_hit(&watch_hit))
		return;			/* the next step, as the last one */
	if (stepping)
		target_watch_hit(&watch_hit);
	target_refresh();
	if (!wire_up() || (trap == TRAP_BREAK && !target_was_breakpoint()) ||
	    (trap == TRAP_DEBUG && !stepping && !watching)) {
		give_back(trap);
		return;
	}
	talking = true;
	last_trap = trap;
	if (!wait_for_gdb) {		/* else gdb asks by itself */
		stop_reply(out, signal);
		wire_send(out);
	}
	wait_for_gdb = false;
	go_on(talk(signal));
}

/*:*/

/*L:769 First and last words
 *
 * A Guest under a debugger waits at its first instruction until gdb has come, and when
 * the Host has killed it, it may still be looked at: the body is there, gdb just finds
 * that it can't be made to walk.
 */
void gdb_begin(const struct guest_memory *m, const struct image *img)
{
	if (!on)
		return;
	target_use(m, img);
	threads_use(img, want_threads);
	target_refresh();
	target_breakpoints_again();	/* after a restart */
	runner = pthread_self();
	talking = wait_for_gdb && !wire_up();
	if (talking)
		talking = wire_wait();
	if (wire_up())
		host_debug(LG_DEBUG_ON | (wait_for_gdb ? LG_DEBUG_STOP : 0));
}

static void show_the_body(const struct lg_run *run)
{
	char text[LG_TEXT_MAX + LG_CODE_MAX + 32], out[2 * sizeof(text) + 2] = "O";

	target_refresh();
	snprintf(text, sizeof(text), "The Host killed the Guest: %s: %s\n", run->code, run->text);
	hex_put(out + 1, text, strlen(text));
	wire_send(out);
	last_trap = 0;
	watch_hit = 0;
	stop_reply(out, SIGNAL_SEGV);
	wire_send(out);
	talk(SIGNAL_SEGV);
}

void gdb_over(const struct ending *end)
{
	char out[8];

	if (!wire_up() || end->status == RUN_RESTART)
		return;
	talking = true;
	if (end->run.what == LG_RUN_KILLED)
		show_the_body(&end->run);
	if (end->run.what == LG_RUN_KILLED)
		sprintf(out, "X%02x", SIGNAL_KILL);
	else
		sprintf(out, "W%02x", end->status & 0xff);
	wire_send(out);
	wire_hang_up();
}

static int listen_or_complain(const struct gdb_wish *wish, uint16_t *port, int *ear,
			      struct complaint *c)
{
	int error;

	*port = wish->port;
	error = -wire_listen(port, wish->inside, ear);
	if (error)
		return complain(c, STATUS_NO_NETWORK, "--gdb: port %u: %s%s", wish->port,
				strerror(error), error == EADDRINUSE ?
				"; is another Guest being debugged?  Take another one: --gdb=PORT" :
				"");
	return 0;
}

int gdb_open(const struct gdb_wish *wish, struct complaint *c)
{
	uint16_t port;
	int ear, status = listen_or_complain(wish, &port, &ear, c);

	if (status)
		return status;
	on = true;
	wait_for_gdb = !wish->run;
	want_threads = wish->threads;
	porter_watch(ear, heard, NULL);
	say("--gdb: %s: target remote localhost:%u", wish->run ?
	    "whenever you like, type in gdb" : "the Guest waits; type in gdb", port);
	return 0;
}

int gdb_try_port(const struct gdb_wish *wish, uint16_t *port, struct complaint *c)
{
	int ear, status = listen_or_complain(wish, port, &ear, c);

	if (!status)
		wire_close();
	return status;
}
/*:*/
