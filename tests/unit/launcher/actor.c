// SPDX-License-Identifier: MIT
/*
 * A Host without a kernel module: it takes the place of launcher/host.c, so that the
 * whole Launcher runs under the sanitizers, on any machine.  The Guest is a thread
 * that acts the part which its command line names.  It sees nothing but Guest memory
 * and its three ways to speak: NOTIFY, POWEROFF, RESTART.
 */
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "launcher.h"

static struct guest_memory mem;
static uint32_t entry;
static int to_launcher[2] = { -1, -1 };
static sem_t handled, interrupted[LGUEST_IRQS];
static struct { uint32_t gpa; int fd; } kick[8];
static unsigned kicks;
static unsigned lives;
static atomic_bool stuck;	/* RUN does not come back, whatever happens */
static atomic_bool stop_wanted;	/* LG_DEBUG_STOP */

/* ---- What a Guest can do ---- */

static _Noreturn void sleep_for_ever(void)
{
	for (;;)
		pause();
}

static void to_host(uint32_t what, uint32_t value, const char *code, const char *text)
{
	struct lg_run run = { .what = what, .value = value };

	snprintf(run.code, sizeof(run.code), "%s", code);
	snprintf(run.text, sizeof(run.text), "%s", text);
	if (write(to_launcher[1], &run, sizeof(run)) != sizeof(run))
		sleep_for_ever();	/* the Launcher has ended us meanwhile */
}

static void notify(uint32_t gpa)
{
	for (unsigned i = 0; i < kicks; i++) {
		if (kick[i].gpa == gpa && kick[i].fd >= 0) {
			eventfd_write(kick[i].fd, 1);
			return;
		}
	}
	to_host(LG_RUN_NOTIFY, gpa, "", "");
	sem_wait(&handled);
}

static void power_off(const char *text)
{
	to_host(LG_RUN_POWEROFF, 0, "", text);
}

static void words(const char *text)
{
	strcpy((char *)mem.base + 0x8000, text);
	notify(0x8000);
}

/* ---- Drivers of the plainest kind ---- */

static uint32_t device;		/* GPA of the descriptor of the one we talk to */

/* The nth of a type, from 0.  False: there is none. */
static bool find(uint8_t type, unsigned nth)
{
	for (device = (uint32_t)mem.ram; mem.base[device];) {
		const uint8_t *d = mem.base + device;

		if (d[0] == type && !nth--)
			return true;
		device += 5u + 8 * d[1] + 2 * d[2] + d[3];
	}
	return false;
}

static uint8_t *desc_page(void)
{
	return mem.base + device;
}

static uint32_t ring_gpa(unsigned queue)
{
	uint32_t pfn;

	memcpy(&pfn, desc_page() + 5 + 8 * queue + 4, 4);
	return pfn << 12;
}

static void set_status(uint8_t status)
{
	desc_page()[4] = status;
	notify(device);
}

static volatile uint16_t *avail(unsigned queue)
{
	return (volatile uint16_t *)(mem.base + ring_gpa(queue) + 0x1000);
}

static volatile uint16_t *used(unsigned queue)
{
	return (volatile uint16_t *)(mem.base + ring_gpa(queue) + 0x2000);
}

static void offer(unsigned queue, uint32_t gpa, uint32_t len, uint16_t flags)
{
	struct vring_desc *d = (struct vring_desc *)(mem.base + ring_gpa(queue));

	d[0] = (struct vring_desc){ .addr = gpa, .len = len, .flags = flags };
	avail(queue)[2 + avail(queue)[1] % 256] = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	avail(queue)[1]++;
	notify(ring_gpa(queue));
}

static void set_up_console(void)
{
	if (!find(LGUEST_DEV_CONSOLE, 0) || desc_page()[21] != 0)
		power_off("the last device is no console");
	set_status(0);
	set_status(LGUEST_STATUS_ACKNOWLEDGE | LGUEST_STATUS_DRIVER);
}

/* A bug of ours, for addr2line to find. */
static __attribute__((noinline)) void tread_on_nothing(void)
{
	*(volatile int *)0x1234 = 1;
}

static volatile char here;	/* so that no compiler makes a loop of it */

static __attribute__((noinline)) int dig(int deeper)
{
	volatile char hole[4096];

	hole[0] = here;
	return deeper ? hole[0] + dig(deeper + 1) + here : 0;
}

/* Spins as Linux does: nothing else may be needed to get the line out. */
static void print(const char *text, size_t n)
{
	uint16_t before = used(1)[1];

	memcpy(mem.base + 0x9000, text, n);
	offer(1, 0x9000, (uint32_t)n, 0);
	if (used(1)[1] != (uint16_t)(before + 1))
		power_off("output was not complete after the kick");
}

static size_t get(char *text, size_t size)
{
	uint16_t before = used(0)[1];
	uint32_t len;

	offer(0, 0xa000, (uint32_t)size, VRING_DESC_F_WRITE);
	while (used(0)[1] == before)
		sem_wait(&interrupted[desc_page()[5 + 2]]);
	memcpy(&len, (void *)(used(0) + 2 + 4 * (before % 256) + 2), 4);
	memcpy(text, mem.base + 0xa000, len);
	return len;
}

/* ---- The parts ---- */

static void echo(void)
{
	char text[64];
	size_t n;

	set_up_console();
	print("ready\n", 6);
	do {
		n = get(text, sizeof(text));
		print(text, n);
	} while (!memchr(text, 'q', n));
	power_off(LGUEST_POWEROFF_TEXT);
}

/* Counts what comes, a small buffer at a time: a slow reader. */
static void count(void)
{
	char text[7], total[32];
	unsigned long n = 0, sum = 0;
	bool end = false;

	set_up_console();
	while (!end) {
		size_t got = get(text, sizeof(text));

		for (size_t i = 0; i < got; i++) {
			sum = sum * 31 + (unsigned char)text[i];
			end |= text[i] == 'q';
		}
		n += got;
	}
	snprintf(total, sizeof(total), "%lu %08lx\n", n, sum & 0xffffffff);
	print(total, strlen(total));
	power_off(LGUEST_POWEROFF_TEXT);
}

static void restart(void)
{
	char text[64];

	for (uint64_t i = 0x2000; i < mem.ram; i += 4096)
		if (mem.base[i] && (i < 0x100000 || i >= 0x101000))
			power_off("memory is not fresh");
	memset(mem.base + 0x200000, 0x55, 0x10000);
	snprintf(text, sizeof(text), "life %u\n", lives);
	words(text);
	set_up_console();
	print("console\n", 8);
	if (lives < 3)
		to_host(LG_RUN_RESTART, 0, "", "again");
	else
		power_off(LGUEST_POWEROFF_TEXT);
}

static void hostile_ring(void)
{
	set_up_console();
	avail(1)[1] = 1000;
	notify(ring_gpa(1));
	notify(ring_gpa(1));
	words("still alive\n");
	power_off(LGUEST_POWEROFF_TEXT);
}

static void flood(void)
{
	static char text[4000];

	memset(text, 'f', sizeof(text));
	set_up_console();
	for (;;)
		print(text, sizeof(text));
}

static void no_nul(void)
{
	memset(mem.base + mem.limit - 8, 'z', 8);
	notify((uint32_t)mem.limit - 8);
	power_off(LGUEST_POWEROFF_TEXT);
}

static void start_device(uint8_t type, unsigned nth)
{
	if (!find(type, nth))
		power_off("the device is not there");
	set_status(0);
	set_status(LGUEST_STATUS_ACKNOWLEDGE | LGUEST_STATUS_DRIVER);
}

/* The chain from descriptor 0 of queue 0, which must come back. */
static void go_and_wait(void)
{
	uint16_t before = used(0)[1];

	avail(0)[2 + avail(0)[1] % 256] = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	avail(0)[1]++;
	notify(ring_gpa(0));
	while (used(0)[1] == before)
		sem_wait(&interrupted[desc_page()[5 + 2]]);
}

/* One request with 512 bytes at 0xc000; returns the status. */
static uint8_t disk_request(uint32_t type, uint64_t sector)
{
	struct vring_desc *d = (struct vring_desc *)(mem.base + ring_gpa(0));

	memset(mem.base + 0xb000, 0, 16);
	memcpy(mem.base + 0xb000, &type, 4);
	memcpy(mem.base + 0xb008, &sector, 8);
	mem.base[0xb800] = 0x77;
	d[0] = (struct vring_desc){ 0xb000, 16, VRING_DESC_F_NEXT, 1 };
	d[1] = (struct vring_desc){ 0xc000, 512, VRING_DESC_F_NEXT |
				    (type & 1 ? 0 : VRING_DESC_F_WRITE), 2 };
	d[2] = (struct vring_desc){ 0xb800, 1, VRING_DESC_F_WRITE, 0 };
	go_and_wait();
	return mem.base[0xb800];
}

/* Prints what sector 1 of each disk begins with, and writes "life N" there.  Twice. */
static void disks(void)
{
	char line[200] = "";
	bool all_done = lives == 2;

	for (unsigned i = 0; find(LGUEST_DEV_BLOCK, i); i++) {
		uint8_t got, put;

		start_device(LGUEST_DEV_BLOCK, i);
		got = disk_request(0, 1);
		snprintf(line + strlen(line), 40, "%u: %u '%.8s'", i, got, mem.base + 0xc000);
		snprintf((char *)mem.base + 0xc000, 9, "life %u\n", lives);
		put = disk_request(1, 1);
		snprintf(line + strlen(line), 40, " %u %u\n", put, disk_request(4, 0));
	}
	set_up_console();
	print(line, strlen(line));
	if (all_done)
		power_off(LGUEST_POWEROFF_TEXT);
	else
		to_host(LG_RUN_RESTART, 0, "", "");
}

/* A disk whose Guest is a vandal; console and second disk must not suffer. */
static void hostile_disk(void)
{
	char line[32];

	start_device(LGUEST_DEV_BLOCK, 0);
	avail(0)[1] = 1000;
	notify(ring_gpa(0));
	sleep(1);	/* its thread shall have seen it before the reset */
	start_device(LGUEST_DEV_BLOCK, 1);
	snprintf(line, sizeof(line), "other disk: %u\n", disk_request(0, 0));
	set_up_console();
	print(line, strlen(line));
	start_device(LGUEST_DEV_BLOCK, 0);
	snprintf(line, sizeof(line), "after a reset: %u\n", disk_request(0, 0));
	find(LGUEST_DEV_CONSOLE, 0);
	print(line, strlen(line));
	power_off(LGUEST_POWEROFF_TEXT);
}

static void luck(void)
{
	char line[40] = "";

	start_device(LGUEST_DEV_RNG, 0);
	*(struct vring_desc *)(mem.base + ring_gpa(0)) =
		(struct vring_desc){ 0xc000, 16, VRING_DESC_F_WRITE, 0 };
	go_and_wait();
	for (unsigned i = 0; i < 16; i++)
		sprintf(line + 2 * i, "%02x", mem.base[0xc000 + i]);
	set_up_console();
	print(line, 32);
	power_off(LGUEST_POWEROFF_TEXT);
}

/* Asks for 10.0.2.2 by ARP, with RFC 826 at hand, and prints who answers. */
static void ask(void)
{
	static const uint8_t question[] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	static const uint8_t us[] = { 10, 0, 2, 15 }, them[] = { 10, 0, 2, 2 };
	uint8_t *out = mem.base + 0xb000, *got = mem.base + 0xd000 + 10;
	char line[80];

	start_device(LGUEST_DEV_NET, 0);
	memset(out, 0, 10 + 42);
	memset(out + 10, 0xff, 6);
	memcpy(out + 16, desc_page() + 23, 6);
	out[22] = 8;
	out[23] = 6;
	memcpy(out + 24, question, 8);
	memcpy(out + 32, desc_page() + 23, 6);
	memcpy(out + 38, us, 4);
	memcpy(out + 48, them, 4);
	offer(0, 0xd000, 2048, VRING_DESC_F_WRITE);
	offer(1, 0xb000, 10 + 42, 0);
	while (!used(0)[1])
		sem_wait(&interrupted[desc_page()[5 + 2]]);
	snprintf(line, sizeof(line), "%u.%u.%u.%u is at %02x:%02x:%02x:%02x:%02x:%02x\n", got[28],
		 got[29], got[30], got[31], got[22], got[23], got[24], got[25], got[26], got[27]);
	set_up_console();
	print(line, strlen(line));
	power_off(LGUEST_POWEROFF_TEXT);
}

static void *guest(void *unused)
{
	const char *line = (const char *)mem.base + COMMAND_LINE;
	char part[32] = "";

	(void)unused;
	sscanf(line, "%31s", part);
	if (!strcmp(part, "poweroff")) {
		power_off(LGUEST_POWEROFF_TEXT);
	} else if (!strcmp(part, "crash")) {
		power_off(line[strlen(part)] ? line + strlen(part) + 1 : "");
	} else if (!strcmp(part, "kill")) {
		to_host(LG_RUN_KILLED, 0, "E-PT-07", "bad page table entry");
	} else if (!strcmp(part, "early")) {
		words("first words\n");
		power_off(LGUEST_POWEROFF_TEXT);
	} else if (!strcmp(part, "bad-notify")) {
		notify(0xfffff000);
	} else if (!strcmp(part, "no-nul")) {
		no_nul();
	} else if (!strcmp(part, "twice")) {
		set_up_console();
		set_status(LGUEST_STATUS_DRIVER);
	} else if (!strcmp(part, "echo")) {
		echo();
	} else if (!strcmp(part, "count")) {
		count();
	} else if (!strcmp(part, "restart")) {
		restart();
	} else if (!strcmp(part, "for-ever")) {
		to_host(LG_RUN_RESTART, 0, "", "");
	} else if (!strcmp(part, "hostile-ring")) {
		hostile_ring();
	} else if (!strcmp(part, "disks")) {
		disks();
	} else if (!strcmp(part, "hostile-disk")) {
		hostile_disk();
	} else if (!strcmp(part, "luck")) {
		luck();
	} else if (!strcmp(part, "ask")) {
		ask();
	} else if (!strcmp(part, "flood")) {
		flood();
	} else if (!strcmp(part, "deaf")) {
		words("deaf\n");
		sleep_for_ever();
	} else if (!strcmp(part, "stuck")) {
		stuck = true;
		words("stuck\n");
		sleep_for_ever();
	} else if (!strcmp(part, "abort")) {
		words("now\n");
		abort();
	} else if (!strcmp(part, "segv")) {
		tread_on_nothing();
	} else if (!strcmp(part, "overflow")) {
		words(dig(1) ? "done\n" : "");
	} else if (!strcmp(part, "silent")) {
		sleep_for_ever();
	} else {
		power_off("the actor does not know this part");
	}
	return NULL;
}

/* ---- The Host's side (contracts in launcher.h) ---- */

/* The Guest is a thread of ours: it must be made, and it sleeps. */
const struct sandbox_call host_calls[] = {
	ALWAYS(pipe2, "the actor: to the Guest's thread"),
	ALWAYS(pipe, "the actor: to the Guest's thread"),
	ALWAYS(clone3, "the actor: a Guest"),
	ALWAYS(clone, "the actor: a Guest"),
	ALWAYS(mprotect, "the actor: its stack"),
	ALWAYS(pause, "the actor: a Guest that sleeps"),
	ALWAYS(exit, "the actor: a Guest that ends"),
	CALLS_END
};

int host_open(struct complaint *c)
{
	(void)c;
	return 0;
}

int host_make_room(uint64_t bytes, struct complaint *c)
{
	(void)bytes;
	(void)c;
	return 0;
}

int host_again(struct complaint *c)
{
	host_close();
	return host_open(c);
}

int host_create(const struct guest_memory *m, uint32_t first, unsigned flags, struct complaint *c)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	sigset_t all, old;
	pthread_t thread;

	mem = *m;
	entry = first;
	lives++;
	if (pipe(to_launcher) < 0)
		return complain(c, STATUS_INTERNAL, "pipe");
	sem_init(&handled, 0, 0);
	for (unsigned i = 0; i < LGUEST_IRQS; i++)
		sem_init(&interrupted[i], 0, 0);
	/* As in the Launcher's own threads: what a bug raises, is not blocked. */
	sigfillset(&all);
	for (unsigned i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		sigdelset(&all, deadly[i]);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_create(&thread, NULL, guest, NULL);
	pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return 0;
}

int host_run(struct lg_run *run)
{
	static bool owed;
	struct pollfd p = { .fd = to_launcher[0], .events = POLLIN };

	if (owed) {
		owed = false;
		sem_post(&handled);
	}
	if (stop_wanted) {
		stop_wanted = false;
		run->what = LG_RUN_DEBUG;
		run->value = 0;
		return 0;
	}
	while (poll(&p, 1, -1) < 0)
		if (!stuck)
			return -errno;
	if (read(to_launcher[0], run, sizeof(*run)) != sizeof(*run))
		return -EIO;
	owed = run->what == LG_RUN_NOTIFY;
	return 0;
}

int host_irq(unsigned irq)
{
	sem_post(&interrupted[irq]);
	return 0;
}

int host_eventfd(uint32_t gpa, int fd)
{
	unsigned i = 0;

	while (i < kicks && kick[i].gpa != gpa)
		i++;
	if (i == sizeof(kick) / sizeof(kick[0]))
		return -ENOSPC;
	kick[i].gpa = gpa;
	kick[i].fd = fd;
	if (i == kicks)
		kicks++;
	return 0;
}

int host_stats(struct lg_stats *stats)
{
	stats->scalar[LG_STAT_switches] = 4711;
	stats->scalar[LG_STAT_ring_runs] = UINT64_MAX;
	stats->hypercall_direct[LHCALL_NOTIFY] = 42;
	stats->exit_vector[255] = 9;
	stats->ticks[LG_WORLD_user] = 300;
	stats->ticks[LG_WORLD_host] = 100;
	return 0;
}

int host_state(struct lg_state *state)
{
	state->regs.eip = entry + 4;
	state->regs.cs = LGUEST_KERNEL_CS;
	state->exits = 3;
	state->exit[0] = (struct lg_exit_record){ .vector = LGUEST_TRAP_ENTRY, .number = 17,
						  .eip = entry, .cs = 0x61, .tsc = 1000 };
	state->exit[1] = (struct lg_exit_record){ .vector = 14, .error = 2, .cr2 = 0xdeadb000,
						  .eip = entry + 4, .cs = 0x61, .tsc = 1500 };
	state->exit[2] = (struct lg_exit_record){ .vector = 256 + 13, .eip = 0x1234, .tsc = 1700 };
	return 0;
}

void host_close(void)
{
	close(to_launcher[0]);
	close(to_launcher[1]);
}

int host_shadow(struct lg_shadow *shadow)
{
	(void)shadow;
	return -ENOENT;		/* no Host, no shadow */
}

int host_roots(struct lg_roots *roots)
{
	(void)roots;
	return -ENOENT;
}

int host_frames(struct lg_frames *frames)
{
	(void)frames;
	return -ENOENT;
}

/* The actor stops at once if it has not asked anything; its state is where it stands. */
int host_debug(unsigned flags)
{
	stop_wanted = flags & LG_DEBUG_STOP;
	return 0;
}

int host_save(struct lg_snapshot *state)
{
	memset(state, 0, sizeof(*state));
	state->bytes = sizeof(*state);
	state->interface = LG_INTERFACE;
	state->regs.eip = entry;
	return 0;
}

int host_restore(struct lg_snapshot *state)
{
	if (state->bytes == sizeof(*state) && state->interface == LG_INTERFACE)
		return 0;
	strcpy(state->why, "the actor does not know this state");
	return -EINVAL;
}

int host_set_regs(const struct lg_regs *regs)
{
	(void)regs;
	return 0;
}
