/* SPDX-License-Identifier: MIT */
/*L:105 The table of contents
 *
 * One header for the whole Launcher, grouped by file, in the order of the story.
 * It holds the contracts: what goes in, what comes out, who may call.  The reasons
 * are told where the code is.
 *
 *	report.c	words for people, and the way out
 *	options.c	what did you type?
 *	load.c		is this file a kernel, and where does it want to be?
 *	memory.c	the Guest's memory, and the one place that checks its addresses
 *	boot.c		what the Guest finds on its table: zero page, words, initrd
 *	host.c		/dev/lguest, and nothing else knows that it is a file
 *	bus.c		the page of devices, and how a device is started and reset
 *	virtqueue.c	the ring: the most suspicious code in the house
 *	terminal.c	borrowing your terminal, and giving it back
 *	lastwords.c	when we are the one who dies
 *	porter.c	the one thread that waits for the outside world
 *	console.c	the first device
 *	block.c		a disk, which is a file
 *	net.c		a network card, which does not understand a word of what it carries
 *	net_words.c	`--net user,hostfwd=tcp::8080-:80`: what may that mean?
 *	tap.c		a card of this machine's at the other end
 *	cable.c		or another Guest, on this machine
 *	neighbour.c	or a process that plays the Internet ...
 *	usernet.c	... which is a program of its own
 *	cell.c		what that may ask of the kernel
 *	rng.c		random numbers
 *	run.c		the loop: run, look why it stopped, again
 *	walk.c		where is that address?
 *	gdb.c		a debugger at the door (and gdb_wire.c, gdb_target.c, gdb_threads.c)
 *	postmortem.c	why did it die?
 *	death.c		... as JSON
 *	names.c		words for codes: exceptions, hypercalls
 *	symbols.c	names for addresses
 *	lines.c		lines of the source for addresses
 *	stats.c		the Host's counters, as JSON
 *	map.c		which page is where, in three kinds of address
 *	map_live.c	... drawn while it changes
 *	outfile.c	a file that is written when nothing can be opened any more
 *	trace.c		the timeline: who was where, when, and why
 *	trace_mark.c	... what we have to say to it
 *	trace_read.c	... what the Host's tracepoints tell
 *	trace_write.c	... and how we write it down
 *	snapshot.c	a Guest in a file
 *	saving.c	... and everybody holds still
 *	capsule.c	no /dev/lguest here?  Then start a machine that has one
 *	rights.c	what we are: user, root directory, capabilities; given away
 *	sandbox.c	what we may ask the kernel for: a short list
 *	launcher.c	main(): all of the above, in order
 :*/
#ifndef LAUNCHER_H
#define LAUNCHER_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "../include/lguest.h"
#include "../include/lguest_bus.h"
#include "../include/lguest_user.h"
#include "exit_status.h"

#define PAGE_SIZE	4096u
#define MIB		(1024u * 1024u)
#define FORMAT(f, a)	__attribute__((format(printf, f, a)))

/* ---- report.c ------------------------------------------------------------ */

/* What is wrong with somebody's input: filled by the checks, printed by main(). */
struct complaint {
	int status;		/* exit status, never 0 once filled */
	char text[512];
};

/* Fills *c and returns status, so that a check can end with `return complain(...)`. */
int complain(struct complaint *c, int status, const char *format, ...) FORMAT(3, 4);
/* Prints "launcher: " and one line on stderr. */
void say(const char *format, ...) FORMAT(1, 2);
/* The same, with --verbose only. */
void verbose(const char *format, ...) FORMAT(1, 2);
void verbose_on(void);
bool is_verbose(void);
/* say(), then exit(status).  Any thread. */
_Noreturn void die(int status, const char *format, ...) FORMAT(2, 3);
_Noreturn void die_complaining(const struct complaint *c);
/* The one who speaks for us if we can't (lastwords.c) needs not.  Before every _exit(); at
 * exit() it happens by itself.  Async-signal-safe. */
void last_words_said(void);
extern int last_words_fd;	/* -1: nobody waits for a word */

/* ---- options.c ----------------------------------------------------------- */

#define COMMAND_LINE_MAX 2047	/* bytes without the NUL: what i386 Linux takes */
#define MEMORY_DEFAULT	64	/* MiB */
#define MEMORY_MAX	3072	/* MiB: above that a 32-bit PC keeps its devices */

#define GDB_PORT	1234
#define DISKS_MAX	12	/* with the others they share BUS_DEVICES and the interrupts */

#define NETS_MAX	4
#define FORWARDS_MAX	16

enum capsule { CAPSULE_AUTO, CAPSULE_NEVER, CAPSULE_ALWAYS };

struct disk_wish {
	const char *name;
	bool read_only;
};

struct net_forward {
	bool udp;
	struct in_addr host_addr, guest_addr;	/* 0.0.0.0: any of ours */
	uint16_t host_port, guest_port;		/* in our byte order */
};

struct net_wish {
	enum { NET_USER, NET_RAW, NET_CABLE, NET_TAP, NET_BRIDGE } kind;
	const char *text;	/* what stood after --net or --tunnet */
	char name[16];		/* of the card or the bridge */
	char path[92];		/* NET_CABLE; with the number of a process it fits into sun_path */
	struct in_addr addr;	/* NET_TAP: of our side */
	unsigned bits;		/* 1..30 */
	bool has_mac;
	uint8_t mac[6];
	unsigned forwards;	/* NET_USER only */
	struct net_forward forward[FORWARDS_MAX];
};

struct gdb_wish {
	bool on, run, inside;		/* run: don't wait; inside: of a capsule */
	bool threads;			/* one for each process of the Guest's */
	uint16_t port;				/* 0: any that is free */
};

struct options {
	struct gdb_wish gdb;
	bool help, verbose, no_escape, rng, rings;
	uint32_t memory;	/* MiB, 1..MEMORY_MAX; 0: the snapshot's */
	const char *kernel;	/* NULL: none, with ->restore only */
	const char *initrd;	/* NULL: none */
	const char *stats;	/* NULL: none */
	const char *map;	/* NULL: none */
	double map_every;	/* seconds; 0: only at the end and by SIGUSR2 */
	const char *death;	/* NULL: none */
	const char *save;	/* NULL: none */
	const char *restore;	/* NULL: a kernel is started */
	const char *user;	/* --username; NULL: none */
	const char *root;	/* --chroot; NULL: none */
	const char *trace;	/* NULL: none; "-": live, on stderr */
	unsigned trace_filter;	/* TRACE_SHOW_* */
	const char *trace_words; /* the same as it was typed, NULL: all */
	double timeout;		/* seconds; 0: none */
	enum capsule capsule;
	unsigned disks;
	struct disk_wish disk[DISKS_MAX];
	unsigned nets;
	struct net_wish net[NETS_MAX];
	int kernel_index;	/* argv[kernel_index] is the kernel */
	char command_line[COMMAND_LINE_MAX + 1];
};

/* Returns 0, or a status with *c filled.  With ->help nothing else was checked. */
int options_parse(struct options *o, int argc, char **argv, struct complaint *c);
/* "64", "64M", "1G" to MiB.  Returns 0 or a status. */
int parse_memory(const char *text, uint32_t *mib, struct complaint *c);
void options_help(void);

/* ---- memory.c ------------------------------------------------------------ */

struct guest_memory {
	uint8_t *base;		/* where guest-physical 0 is, in our address space */
	uint64_t ram;		/* bytes of RAM; the descriptor page begins here */
	uint64_t limit;		/* bytes that exist at all: RAM, descriptors, rings */
};

/* Maps mib MiB of zeroes plus the descriptor page.  Returns 0 or a status. */
int memory_create(struct guest_memory *m, uint32_t mib, struct complaint *c);
/* Everything back to zero, at no cost; no Guest may be running on it. */
void memory_wipe(struct guest_memory *m);
void memory_destroy(struct guest_memory *m);
/* Bytes that can ever be in use, rings and all. */
uint64_t memory_most(const struct guest_memory *m);
/* The same in pages, for a Guest with that many MiB. */
uint32_t memory_pages_most(uint32_t mib);
/* Takes pages above the descriptor page.  Returns the first pfn, 0: none are left. */
uint32_t memory_hand_out(struct guest_memory *m, uint32_t bytes);
/* THE check.  Returns a pointer to len good bytes, or NULL. */
void *memory_at(const struct guest_memory *m, uint64_t gpa, uint64_t len);
/* Checked copies; every byte of the Guest's is touched exactly once.  False: outside. */
bool memory_fetch(const struct guest_memory *m, uint64_t gpa, void *to, size_t len);
bool memory_store(const struct guest_memory *m, uint64_t gpa, const void *from, size_t len);
/* One 16-bit word, atomically: acquire for the load, release for the store. */
bool memory_load16(const struct guest_memory *m, uint64_t gpa, uint16_t *value);
bool memory_store16(const struct guest_memory *m, uint64_t gpa, uint16_t value);
/* Bytes that this machine could give us now. */
uint64_t memory_host_has(void);

/* ---- load.c -------------------------------------------------------------- */

struct segment {
	uint32_t offset, filesz;	/* in the file */
	uint32_t paddr, memsz;		/* in the Guest; what filesz leaves is zero */
};

struct image {
	const char *name;
	int fd;
	uint64_t size;
	bool bzimage;
	uint32_t entry;			/* guest-physical */
	uint64_t needs;			/* bytes of RAM that it is known to need, or 0 */
	unsigned count;
	struct segment *segment;
};

/* Opens and checks all that can be checked without knowing the memory. */
int image_open(struct image *img, const char *name, struct complaint *c);
/* Does it fit into ram bytes, above the boot pages? */
int image_fits(const struct image *img, uint64_t ram, struct complaint *c);
/* Looks at the same open file again: somebody may have written to it meanwhile. */
int image_reread(struct image *img, struct complaint *c);
/* Copies the segments into zeroed memory; image_fits() was asked before. */
int image_load(const struct image *img, const struct guest_memory *m, struct complaint *c);
void image_close(struct image *img);
/* Reads exactly len bytes at offset.  False: the file is shorter, or errno. */
bool read_exactly(int fd, void *to, size_t len, uint64_t offset);

/* ---- boot.c -------------------------------------------------------------- */

#define ZERO_PAGE	0x0000u
#define COMMAND_LINE	0x1000u
#define BOOT_END	0x2000u		/* segments begin here or later */

struct initrd {
	const char *name;
	int fd;
	uint32_t size;			/* bytes; 0: no initrd */
};

/* Opens the file and checks that it fits between the image and the end of RAM. */
int initrd_open(struct initrd *rd, const char *name, const struct image *img,
		uint64_t ram, struct complaint *c);
/* page: 4096 bytes.  initrd_size: bytes, 0 for none.  (ABI.md section 1.3) */
void zero_page_fill(uint8_t *page, uint64_t ram, uint32_t initrd_size);
/* Zero page, command line and initrd into zeroed memory.  Returns 0 or a status. */
int boot_set_table(const struct guest_memory *m, const char *command_line,
		   const struct initrd *rd, struct complaint *c);

/* ---- sandbox.c ----------------------------------------------------------- */

/* A system call that we may make while a Guest runs: always, or if one of its
 * arguments is as it should be. */
struct sandbox_call {
	int number;
	const char *why;		/* NULL: the list ends here */
	unsigned narrow;		/* 1: (argument & mask) == value, mask 0: all bits */
	unsigned argument;		/* 0..5 */
	uint64_t mask, value;
};

#define ALWAYS(call, reason)	{ .number = __NR_##call, .why = reason }
#define ONLY_IF(call, arg, is, reason) \
	{ .number = __NR_##call, .why = reason, .narrow = 1, .argument = arg, .value = is }
#define UNLESS(call, arg, bits, reason) \
	{ .number = __NR_##call, .why = reason, .narrow = 1, .argument = arg, .mask = bits }
#define CALLS_END		{ .why = NULL }

struct bus;
/* From now on only the calls that are listed, by us, by each device and in more (may be
 * NULL), in all threads; any other one ends the process with STATUS_SANDBOX.  After
 * rights_drop(). */
void sandbox_shut(const struct bus *bus, const struct sandbox_call *more);
/* What a call that is not listed will do: say its name.  Done by both of the others, once; a
 * process that is forked after it need not do it again. */
void sandbox_prepare(void);
/* The same as sandbox_shut() for a process that needs nothing but these. */
void sandbox_shut_to(const struct sandbox_call *calls);

/* ---- host.c: one Launcher, one Guest ------------------------------------- */

/* Opens /dev/lguest and compares interfaces.  Returns 0 or a status. */
int host_open(struct complaint *c);
/* After a Guest has ended: the next one.  Opens no file.  Returns 0 or a status. */
int host_again(struct complaint *c);
/* What all this needs of the sandbox. */
extern const struct sandbox_call host_calls[];
/* Lets CREATE lock that much memory: raises our limit if need be.  Returns 0 or a status. */
int host_make_room(uint64_t bytes, struct complaint *c);
/* flags: LG_CREATE_*. */
int host_create(const struct guest_memory *m, uint32_t entry, unsigned flags, struct complaint *c);
/* Returns 0, or -errno.  Only the thread that called host_create(). */
int host_run(struct lg_run *run);
/* Returns 0, or -errno.  Any thread. */
int host_irq(unsigned irq);
int host_eventfd(uint32_t gpa, int fd);
int host_stats(struct lg_stats *stats);
int host_state(struct lg_state *state);
/* These only by the thread that runs the Guest, between two runs. */
int host_debug(unsigned flags);			/* LG_DEBUG_* */
int host_set_regs(const struct lg_regs *regs);
int host_shadow(struct lg_shadow *shadow);
int host_roots(struct lg_roots *roots);
int host_frames(struct lg_frames *frames);
int host_save(struct lg_snapshot *state);
/* After host_create(), before any host_run().  -EINVAL: state->why says why not. */
int host_restore(struct lg_snapshot *state);
/* The Guest is gone and its pages are ours again. */
void host_close(void);

/* ---- virtqueue.c --------------------------------------------------------- */

#define VQ_NUM	256		/* entries in every ring that we offer */

struct vq {
	const struct guest_memory *mem;
	uint64_t gpa;		/* the ring */
	uint16_t num;		/* a power of two, at most VQ_NUM */
	uint16_t next_avail;	/* both run freely and wrap at 65536 */
	uint16_t next_used;
	unsigned breaks;	/* ever */
	bool pushed;		/* since the last vq_wants_interrupt() */
	char error[160];	/* not "": the Guest broke it, nothing works until a reset */
};

/* One chain of buffers: first the ones to read, then the ones to write. */
struct vq_chain {
	uint16_t head;
	unsigned readable, writable;	/* how many of iov[] */
	uint32_t read_bytes, write_bytes;
	struct iovec iov[VQ_NUM];
};

/* ->mem, ->gpa and ->num stay; the ring is zeroed, the error forgotten. */
void vq_reset(struct vq *vq);
/* 1: a chain, all checked; 0: nothing there; -1: broken, see ->error. */
int vq_pop(struct vq *vq, struct vq_chain *chain);
/* Gives a chain back.  written: bytes that we wrote into it. */
void vq_push(struct vq *vq, uint16_t head, uint32_t written);
/* Marks the ring broken, for what only the device can know.  Returns -1. */
int vq_break(struct vq *vq, const char *format, ...) FORMAT(2, 3);
/* Was something pushed, and does the Guest want to hear of it?  Ask once a batch. */
bool vq_wants_interrupt(struct vq *vq);

/* ---- bus.c --------------------------------------------------------------- */

#define DEVICE_QUEUES	4
#define BUS_DEVICES	16
#define FEATURE_BYTES	4

struct device;

/*
 * A queue is served at the door, by the thread that runs the Guest, or (with a
 * kick_fd) whenever somebody else's poll() says that the eventfd was signalled.
 */
struct queue {
	struct vq vq;
	struct device *dev;
	uint16_t irq;
	int kick_fd;			/* eventfd, or -1: served at the door */
	void (*serve)(struct queue *q);	/* lock held, device running */
	pthread_mutex_t lock;
	bool running;			/* under lock */
};

/* What the bus counts for every device; a device may count more (own_names). */
#define DEVICE_COUNTERS(X) \
	X(resets) X(starts) X(failures)
#define DEVICE_COUNTER_ENUM(name) COUNT_##name,
enum { DEVICE_COUNTERS(DEVICE_COUNTER_ENUM) COUNT_OWN };
#undef DEVICE_COUNTER_ENUM
#define DEVICE_OWN_COUNTERS 8

struct device {
	const char *name;
	uint8_t type;			/* LGUEST_DEV_* */
	uint8_t feature_len, config_len;
	uint8_t offered[FEATURE_BYTES];
	const void *config;		/* config_len bytes, copied into the page */
	const struct sandbox_call *calls;	/* what it needs beyond the rest; or NULL */
	unsigned queues;
	struct queue queue[DEVICE_QUEUES];
	bool started;			/* only the run thread looks */
	atomic_bool broken;
	uint32_t desc;			/* GPA of the descriptor, by bus_add() */
	uint32_t accepted;		/* feature bits, once started */
	/* NULL, or how to tell whether what is in it has changed.  False: errno says why. */
	bool (*contents)(struct device *dev, uint32_t *sum);
	const char *const *own_names;	/* NULL, or names and a NULL behind the last */
	atomic_ullong count[COUNT_OWN + DEVICE_OWN_COUNTERS];
};

/* n: COUNT_..., or COUNT_OWN + the place in own_names.  Any thread. */
static inline void device_count(struct device *dev, unsigned n, uint64_t how_many)
{
	atomic_fetch_add_explicit(&dev->count[n], how_many, memory_order_relaxed);
}

struct bus {
	struct guest_memory *mem;
	unsigned devices;
	struct device *device[BUS_DEVICES];
	uint32_t used;			/* bytes of the descriptor page */
	uint16_t next_irq;
};

void bus_create(struct bus *bus, struct guest_memory *m);
void device_create(struct device *dev, const char *name, uint8_t type);
/* kick_fd: see struct queue.  The order of the calls numbers the queues from 0. */
struct queue *device_queue(struct device *dev, void (*serve)(struct queue *q), int kick_fd);
/* The same, with an eventfd and a thread of its own that serves it.  After
 * porter_prepare(); the thread never ends, and neither may the device. */
struct queue *device_queue_with_thread(struct device *dev, void (*serve)(struct queue *q));
void device_feature(struct device *dev, unsigned bit);
/* Gives the device its place on the bus, its rings and interrupts. */
void bus_add(struct bus *bus, struct device *dev);
/* Writes the descriptor page into zeroed memory (again after memory_wipe()). */
void bus_lay_out(struct bus *bus);
/* Tells the trace where everything is; bus_lay_out() does it, too. */
void bus_announce(const struct bus *bus);
/* Nobody serves a queue any more, until all that were started are thawed.  The thread that
 * runs the Guest, which stands still. */
void bus_freeze(struct bus *bus);
void bus_thaw(struct bus *bus);
/* Stops all devices; nobody touches Guest memory after this. */
void bus_stop(struct bus *bus);

enum bus_answer { BUS_NOT_MINE, BUS_DONE, BUS_FATAL };
/* A NOTIFY came.  BUS_FATAL: the Guest broke the protocol, *c says how. */
enum bus_answer bus_notify(struct bus *bus, uint32_t gpa, struct complaint *c);
/* Serves a queue if its device runs; raises its interrupt.  Any thread. */
void queue_serve(struct queue *q);

/* ---- terminal.c ---------------------------------------------------------- */

/* If stdin is a terminal that is ours to use: raw mode, undone on every way out. */
void terminal_raw(void);
/* Async-signal-safe, any thread, any number of times. */
void terminal_restore(void);
/* NULL, or what is to be done before that: by somebody who draws on the screen. */
extern void (*terminal_first)(void);

enum escape { ESCAPE_NONE, ESCAPE_LEAVE, ESCAPE_HELP };
/* Takes Ctrl-A sequences out of n bytes at text, in place.  *pending (start with
 * false) remembers a Ctrl-A at the end.  *n becomes the bytes that are left. */
enum escape escape_filter(char *text, size_t *n, bool *pending);

/* ---- lastwords.c --------------------------------------------------------- */

/* Crashes of ours give the terminal back, say where they were, and write --death's file.
 * Once, at the start, after death_open(). */
void lastwords_guard(void);
/* Starts the process that does the same when we are killed without warning.  After all
 * other processes of ours, before any thread, and before /dev/lguest is opened: it has
 * copies of what is open until it closes them.  Returns 0 or a status. */
int lastwords_start(struct complaint *c);
/* Waits until that process is in its sandbox.  After lastwords_start(), and before a Guest
 * runs; blocks.  Returns 0 or a status. */
int lastwords_await(struct complaint *c);

/* ---- porter.c ------------------------------------------------------------ */

struct watch {
	int fd;				/* -1: never again */
	bool paused;
	void (*ready)(struct watch *w);
	void *arg;
};

/* Blocks the signals that the porter is to take; before any thread is made. */
void porter_prepare(void);
/* Calls ready() in the porter's thread when fd can be read.  Before porter_start(). */
struct watch *porter_watch(int fd, void (*ready)(struct watch *w), void *arg);
/* A ready(): calls the thread that runs the Guest back from RUN, where it finds *arg, an
 * atomic_bool, true.  Every 5 ms again, until that thread has emptied fd. */
void porter_knock(struct watch *w);
/* timeout: seconds, 0 for none.  The caller is the thread that runs the Guest. */
void porter_start(double timeout);
/* The run is to end with this status.  The first to ask wins.  Any thread. */
void ending_ask(int status);
/* The status that was asked for, or -1. */
int ending_asked(void);
/* The porter calls nobody until he may go on.  Not by the porter. */
void porter_hold(void);
void porter_go_on(void);

/* ---- console.c ----------------------------------------------------------- */

/* Makes the device and tells the porter about stdin.  There is one console.
 * no_escape: at a terminal too, Ctrl-A is just a key. */
struct device *console_create(bool no_escape);
/* All of it to stdout, as it is. */
void console_write(const struct iovec *iov, unsigned count);
/* Did the Guest ever say anything?  One that was saved is believed to have. */
bool console_spoke(void);
#define KEYS_MAX (1u << 20)
/* What was typed and is not the Guest's yet.  While the porter holds still. */
size_t console_keys(const char **keys);
/* The same again, at most KEYS_MAX bytes; before porter_start(). */
void console_give_keys(const char *keys, size_t n);

/* ---- block.c ------------------------------------------------------------- */

struct disk {
	const char *name;
	int fd;				/* open and locked until we end */
	bool read_only;			/* by wish, or because it cannot be written */
	uint64_t sectors;		/* of 512 bytes; a last piece of one does not count */
};

/* Opens, checks and locks the file.  Says so if a disk can only be read against the
 * wish.  Returns 0 or a status; then nothing is open. */
int disk_open(struct disk *d, const char *name, bool read_only, struct complaint *c);
/* Makes the device and its thread.  *d must stay. */
struct device *block_create(const struct disk *d);

/* ---- net_words.c --------------------------------------------------------- */

/* Reads what stood after --net, or after --tunnet.  text must stay.  0 or a status. */
int net_parse(struct net_wish *w, bool tunnet, const char *text, struct complaint *c);
/* A port could not be opened, and errno was error.  Returns a status. */
int net_complain_port(const struct net_forward *f, int error, struct complaint *c);

/* ---- tap.c, cable.c, neighbour.c ------------------------------------------ */

#define NEIGHBOUR_FD	3	/* where usernet finds its end of the socket */

/* An open network: write() sends a frame, read() gets one, neither waits. */
struct net_link {
	int fd;
	char name[32];
	uint8_t mac[6];		/* for the Guest's card */
};

/* Opens what was wished for.  user: whom usernet is to become, or NULL.  Before any
 * thread, and before rights_drop().  Returns 0 or a status. */
int net_open(const struct net_wish *w, const char *user, struct net_link *link,
	     struct complaint *c);
/* The address of the Guest's card: the one that was wished for, or one of ours. */
void net_mac(const struct net_wish *w, uint8_t mac[6]);
/* For NET_CABLE: finds the other end, or waits for it.  Returns 0 and *fd, or a status. */
int cable_open(const struct net_wish *w, int *fd, struct complaint *c);
/* Starts usernet, for NET_USER.  Returns 0 and *fd, or a status. */
int neighbour_start(const struct net_wish *w, const char *user, int *fd, struct complaint *c);

/* In usernet: from now on only the calls that are listed there.  Returns 0 or a status. */
int cell_shut(struct complaint *c);

/* ---- net.c --------------------------------------------------------------- */

/* Makes the device and its two threads.  The fd is its own from now on. */
struct device *net_create(const struct net_link *link);
/* Says what was sent and what was lost, with --verbose.  At the end. */
void net_farewell(void);

/* ---- rng.c --------------------------------------------------------------- */

/* Makes the device and its thread.  There is one. */
struct device *rng_create(void);

/* ---- run.c --------------------------------------------------------------- */

#define RUN_RESTART	(-1)

/* How a Guest ended. */
struct ending {
	int status;			/* RUN_RESTART, or the exit status */
	struct lg_run run;		/* the Host's last answer */
};

/* Runs the Guest to its end and tells the user why it came. */
void run_guest(struct bus *bus, const struct image *img, struct ending *end);

/* ---- walk.c --------------------------------------------------------------- */

struct walk_level {
	uint64_t gpa;			/* where the entry stands */
	uint64_t entry;
};

struct walk {
	unsigned levels;		/* entries that were read, from the top; 0: linear mode */
	struct walk_level level[3];
	uint64_t gpa;
};

/* Where is gva?  cr3, pae: as struct lg_state has them; cr3 0: linear mode.  False: not
 * mapped, or outside the Guest's memory; w->level[] says how far the walk came. */
bool walk_guest(const struct guest_memory *m, const struct image *img, uint32_t cr3, bool pae,
		uint32_t gva, struct walk *w);

/* ---- gdb.c: all but gdb_open() in the thread that runs the Guest --------------- */

/* Listens.  Returns 0 or a status.  After porter_prepare(), before porter_start(). */
int gdb_open(const struct gdb_wish *wish, struct complaint *c);
/* Can we listen?  *port: where.  Closes again: a capsule will listen there. */
int gdb_try_port(const struct gdb_wish *wish, uint16_t *port, struct complaint *c);
/* What it needs of the sandbox. */
extern const struct sandbox_call gdb_calls[];
/* A Guest is about to run for the first time; waits for gdb if that was wished. */
void gdb_begin(const struct guest_memory *m, const struct image *img);
void gdb_before_run(void);
/* The Host said LG_RUN_DEBUG: talk, and tell the Host how to go on. */
void gdb_stopped(unsigned trap);
/* The Guest has ended; it is still there to be looked at. */
void gdb_over(const struct ending *end);
/* ---- rights.c ------------------------------------------------------------ */

#define RIGHTS_GROUPS	64

struct rights {
	const char *user, *root;	/* as they were typed; NULL: not at all */
	uint32_t uid, gid;		/* of ->user */
	uint32_t group[RIGHTS_GROUPS];
	unsigned groups;
	int root_fd;
};

/* Who is user (NULL: we stay who we are), is root a directory?  Returns 0 or a status. */
int rights_find(struct rights *r, const char *user, const char *root, struct complaint *c);
/* May we do that, here?  Returns 0 or a status. */
int rights_check(const struct rights *r, struct complaint *c);
/* No way back.  Whatever needs a right is open by now, and no thread was made yet. */
int rights_drop(struct rights *r, struct complaint *c);

/* ---- names.c ------------------------------------------------------------- */

/* What the CPU calls a vector; 256 and up: in the Switcher.  May use text. */
const char *vector_name(uint32_t vector, char *text, size_t size);
/* Whose doing an exit was: cs of the Guest, and the vector (256 + n: in the Switcher). */
enum exit_class {
	EXIT_USER,		/* a program's: a trap in ring 3 */
	EXIT_KERNEL,		/* the Guest kernel's: a trap in ring 1 */
	EXIT_HYPERCALL,
	EXIT_INTERRUPT,		/* the real machine's: none of the Guest's business */
	EXIT_SWITCHER,		/* a fault in the Switcher */
	EXIT_CLASSES,
};
enum exit_class exit_class(uint32_t cs, uint32_t vector);
const char *hypercall_name(uint32_t number);
/* Of n bytes of code: which instruction of ring 0 this is, and what a Guest says instead.
 * NULL: it is none of those. */
const char *forbidden_instruction(const uint8_t *code, size_t n);
/* The name of argument n (0..3), NULL if the call does not look at it. */
const char *hypercall_argument(uint32_t number, unsigned n);

/* ---- symbols.c ----------------------------------------------------------- */

struct symbol {
	uint32_t address;
	const char *name;
};

struct symbols {
	struct symbol *symbol;	/* sorted; code only */
	size_t count;
	char *names;
};

/* No names if the file has none, or if anything about them is odd. */
void symbols_read(struct symbols *sym, const struct image *img);
void symbols_free(struct symbols *sym);
/* "name+0x12" in text, or "" if nothing is near.  Returns text. */
const char *symbols_name(const struct symbols *sym, uint32_t address, char *text, size_t size);

/* The other way.  False: there is no such name. */
bool symbols_address(const struct symbols *sym, const char *name, uint32_t *address);
/* Where a kernel that was linked high is before it has page tables: that much lower. */
#define SYMBOLS_HIGHER_HALF 0xc0000000u
/* Of any symbol, data included, without having read the others.  False: there is none. */
bool symbols_lookup(const struct image *img, const char *name, uint32_t *address);
/* The contents of a section of the ELF file, and a NUL behind them.  NULL: there is none
 * of that name, or it is compressed, or broken.  free() it. */
void *symbols_section(const struct image *img, const char *name, size_t *size);

/* ---- lines.c ------------------------------------------------------------- */

struct line {
	uint32_t address;
	unsigned number;	/* 0: not known */
	char file[96];		/* as the compiler was given it; "": not known */
};

/* Fills number and file of n addresses, from what the file says (DWARF 2 to 5).  Opens no
 * file. */
void lines_find(const struct image *img, struct line *sought, unsigned n);

/* ---- postmortem.c, death.c ------------------------------------------------ */

#define CALLERS_MAX	16
#define CODE_BYTES	16
#define OBITUARY_HINT	"every step before: the same with --trace=run.json, and then make view " \
			"TRACE=run.json"

#define OBITUARY_RULE	"make hint "	/* and the code */

/* One address of the Guest's, looked at from all sides. */
struct look {
	bool taken;			/* else nothing here means anything */
	uint32_t gva;
	struct walk walk;
	bool mapped;			/* walk.gpa is in the Guest's memory */
	bool shadow_known;
	uint64_t shadow;		/* the Host's entry; 0: none */
};

/* All that can be known of a Guest that has stopped. */
struct obituary {
	const struct guest_memory *mem;
	const struct image *img;
	const struct ending *end;
	struct lg_state st;
	struct symbols sym;
	uint8_t code[CODE_BYTES];	/* at eip */
	size_t code_bytes;		/* of them, how many could be read */
	const char *forbidden;		/* NULL, or what it died of was one of ring 0's */
	struct look fault;		/* at cr2, if it died of a page fault, or had one last */
	struct look stack;		/* at st.undelivered_at, if that is not 0 */
	uint32_t caller[CALLERS_MAX];
	unsigned callers;
	struct line line_of_eip, line_of_caller[CALLERS_MAX], line_of_exit[LG_EXIT_RECORDS];
	char said[80];			/* a place in the Guest's last words: "vm_fault+0x3c" */
	struct line line_of_said;
	unsigned exits_of[EXIT_CLASSES + 1];	/* of st.exit[], by enum exit_class */
};

/* Looks, and prints nothing.  The thread that runs the Guest, which has stopped.  False:
 * the Host gives no state; then there is nothing to free. */
bool obituary_take(struct obituary *o, const struct guest_memory *mem, const struct image *img,
		   const struct ending *end);
void obituary_free(struct obituary *o);
/* "P RW US A D" in text, or "not present".  Returns text. */
const char *entry_bits(uint64_t entry, char text[32]);
/* What entry i of a walk for gva belongs to, and its index there. */
const char *level_name(bool pae, uint32_t gva, unsigned i, unsigned *index);
/* The obituary on stderr, with names and lines if img has any.  The thread that runs the
 * Guest, which has stopped. */
void postmortem(const struct guest_memory *mem, const struct image *img,
		const struct ending *end);

/* Opens the file ("-": stderr).  Returns 0 or a status. */
int death_open(const char *file, struct complaint *c);
/* Writes how the Guest ended; if badly, with all of its obituary.  Opens no file. */
void death_write(const struct guest_memory *mem, const struct image *img,
		 const struct ending *end);
/* For an end of our own, if there is --death: text has no character that JSON minds.
 * Async-signal-safe.  The file is known as a descriptor, for a process that closes the
 * others: STDERR_FILENO, or above. */
void death_last_words(int status, const char *text);
int death_fd(void);
void death_use(int fd);

/* ---- outfile.c ------------------------------------------------------------ */

struct outfile {
	const char *option, *name;	/* for complaints */
	int fd;
	bool is_regular;		/* else a pipe, or /dev/stdout */
};

/* Opens the file for writing ("-": stderr); what is in it stays.  Returns 0 or a status. */
int outfile_open(struct outfile *o, const char *option, const char *name, struct complaint *c);
/* Replaces what is in it by this, or says why not.  Opens no file. */
void outfile_put(const struct outfile *o, const char *text, size_t n);
/* A JSON string from any bytes: what is not plain ASCII becomes \u00xx. */
void json_text(FILE *f, const char *text);

/* ---- stats.c ------------------------------------------------------------- */

/* Opens the file ("-": words on stderr); what is in it stays until the end.  Returns 0 or
 * a status. */
int stats_open(const char *file, struct complaint *c);
/* Writes the counters of the Guest that has just ended.  Opens no file. */
void stats_write(const char *file, const struct bus *bus, const struct ending *end,
		 unsigned boots);

/* ---- map.c --------------------------------------------------------------- */

#define MAP_RESERVED	0xffc00000u	/* ABI.md 15: reserve_mem is 4 MiB, always */

/* Opens the file, and what only root may open.  every: seconds, 0: not by the clock.
 * Returns 0 or a status. */
int map_open(const char *file, double every, struct complaint *c);
/* Each page of this address space that the Guest or the shadow has, in order. */
typedef void map_visitor(uint64_t gva, uint64_t gpa, const char *state);
void map_visit(const struct guest_memory *m, uint32_t root, bool pae, map_visitor *visit);
/* host: the address, 0 if only root may know. */
void map_visit_pinned(const struct guest_memory *m, void (*visit)(uint64_t gpa, uint64_t host));
/* After porter_prepare(), before any other thread.  From here on nothing is done without
 * map_open(). */
void map_watch(void);
/* Both only by the thread that runs the Guest, between two runs. */
void map_before_run(const struct guest_memory *m);
void map_write(const struct guest_memory *m, const char *why);

/* ---- map_live.c ---------------------------------------------------------- */

/* True: there is a terminal, and half of it is for the map. */
bool map_live_open(void);
void map_live_begin(void);
void map_live_draw(const struct guest_memory *m, const struct lg_roots *roots, bool pae,
		   double seconds);
/* The Guest's console has the whole screen again. */
void map_live_leave(void);

/* ---- trace.c ------------------------------------------------------------- */

/* What a trace is to show: the words of --trace-filter. */
#define TRACE_FILTERS(X) \
	X(STAY, "stay", "when the Guest runs, and what ends it") \
	X(HYPERCALL, "hypercall", "hypercalls, by name, with arguments") \
	X(FAULT, "fault", "page faults, and how they ended") \
	X(INJECT, "inject", "traps and interrupts given to the Guest") \
	X(IRQ, "irq", "interrupts raised") \
	X(DEVICE, "device", "what the Launcher does")
#define TRACE_BIT(name, word, text) TRACE_BIT_##name,
enum { TRACE_FILTERS(TRACE_BIT) TRACE_BITS };
#undef TRACE_BIT
#define TRACE_MASK(name, word, text) TRACE_SHOW_##name = 1u << TRACE_BIT_##name,
enum { TRACE_FILTERS(TRACE_MASK) TRACE_SHOW_ALL = (1u << TRACE_BITS) - 1 };
#undef TRACE_MASK

/* Can the file be written?  Returns 0 or a status; changes nothing. */
int trace_check(const char *file, struct complaint *c);
/* Starts a process that writes what the Host's tracepoints tell, until trace_stop() or
 * our end, whichever way it comes.  It has a copy of all our descriptors, so this comes
 * before /dev/lguest is opened; before any thread; and before rights are given up, for
 * afterwards only write(), close() and read() are needed.  Returns 0 or a status. */
int trace_start(const struct options *o, const struct image *img, struct complaint *c);
/* Returns when all is written.  At exit it happens by itself. */
void trace_stop(void);

/* ---- trace_mark.c -------------------------------------------------------- */

extern int trace_mark_fd;	/* -1: remarks are not wanted */
/* A remark of ours (at most 200 bytes), at its place among the Host's.  Any thread;
 * does nothing without --trace.  The words are in trace_write.c. */
void trace_mark(const char *format, ...) FORMAT(1, 2);

/* ---- snapshot.c ---------------------------------------------------------- */

#define SAVED_NAME	32

struct fingerprint {
	uint64_t bytes;
	uint32_t sum;
	uint32_t reserved;
};

/* What a file says; nothing of it is to be believed. */
struct snapshot {
	const char *name;
	int fd;
	uint64_t bytes, memory_at;
	uint32_t memory;		/* MiB */
	uint32_t pages, devices, keys;
	struct saved_device *device;
	char *key;
	struct fingerprint kernel;
	char command_line[COMMAND_LINE_MAX + 1];
	struct lg_snapshot state;
};

/* CRC-32 of what came before (0: nothing) and these. */
uint32_t snapshot_sum(uint32_t sum, const void *bytes, size_t n);
/* Of a whole file.  False: errno says why. */
bool snapshot_fingerprint(int fd, struct fingerprint *f);
/* from: kernel, command_line and state.  Replaces what is in fd.  Returns 0 or an errno;
 * *pages: how many were worth writing. */
int snapshot_write(int fd, const struct snapshot *from, const struct bus *bus,
		   const char *keys, size_t key_bytes, uint32_t *pages);
/* Opens and checks all that can be checked alone.  Returns 0 or a status. */
int snapshot_open(struct snapshot *s, const char *name, struct complaint *c);
int snapshot_same_kernel(const struct snapshot *s, const struct image *img, struct complaint *c);
/* Memory and devices, into zeroed memory and a bus with all its devices, none of them
 * started; then bus_thaw().  Returns 0 or a status. */
int snapshot_load(const struct snapshot *s, struct bus *bus, struct complaint *c);

/* ---- saving.c ------------------------------------------------------------ */

/* Opens the file; what is in it stays until then.  Returns 0 or a status. */
int saving_open(const char *file, const char *command_line, const struct fingerprint *kernel,
		struct complaint *c);
/* A signal that comes too early is not the end of us, but kept (hold), until it is let in:
 * at the end of porter_start(), or by who becomes another program.  Before any thread. */
void saving_hold(bool hold);
/* After porter_prepare().  Neither does anything without saving_open(). */
void saving_watch(void);
/* The rest by the thread that runs the Guest: is it to be saved? */
bool saving_asked(void);
/* It has stopped (LG_DEBUG_STOP).  True: it is saved, and that was its last moment. */
bool saving_done(struct bus *bus);

/* ---- capsule.c ----------------------------------------------------------- */

bool capsule_needed(enum capsule wish);
/* Becomes `tools/nested capsule ...`.  Returns only to complain.  disk: o->disks of
 * them, opened; what the Guest writes to them comes back when it has ended. */
int capsule_enter(const struct options *o, const struct disk *disk, const struct rights *r,
		  int argc, char **argv, struct complaint *c);

#endif
