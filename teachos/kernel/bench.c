/* SPDX-License-Identifier: MIT */
/*
 * `bench` on the command line: what a system call, a fault, a fork and a switch
 * between processes cost.  What only one back end can measure is in arch/.
 */
#include "bench.h"

static u32 per_operation(u64 ticks, u32 count)
{
	return div64(ticks * 10 + count / 2, count, NULL);
}

struct bench_result bench_measure(void (*batch)(void *arg), void *arg, u32 count)
{
	u32 sorted[BENCH_BATCHES], i, j, value;

	for (i = 0; i < BENCH_BATCHES; i++) {
		u64 start = rdtsc();

		batch(arg);
		value = per_operation(rdtsc() - start, count);
		for (j = i; j && sorted[j - 1] > value; j--)
			sorted[j] = sorted[j - 1];
		sorted[j] = value;
	}
	return (struct bench_result){sorted[BENCH_BATCHES / 2], sorted[0]};
}

void bench_print(const char *name, u32 value10, const char *unit)
{
	print("bench %s %u.%u %s\n", name, value10 / 10, value10 % 10, unit);
}

void bench_report(const char *name, struct bench_result r)
{
	char text[48];

	bench_print(name, r.median10, "ticks");
	snformat(text, sizeof(text), "%s_min", name);
	bench_print(text, r.min10, "ticks");
}

static void nothing_to_do(unsigned int irq)
{
	(void)irq;
}

/*G:710 From the other side
 *
 * What a process feels must be measured by a process: /bin/benchuser does it and
 * prints the same lines.  The null system call is measured twice, once with a
 * handler that does nothing but return (the round trip alone), once through all of
 * TeachOS.
 */
static void run_user(const char *what)
{
	char name[32];
	char *argv[] = {"benchuser", name, NULL};
	int status = 0, pid;

	strcopy(name, what, sizeof(name));
	pid = process_spawn("/bin/benchuser", argv);
	while (pid > 0 && process_wait(-1, &status, 0) != pid)
		;
	if (pid < 0 || status)
		print("bench: /bin/benchuser %s failed: %d\n", what, pid < 0 ? pid : status);
}

static void bare_syscall(void)
{
	trap_set_gate(0x80, (void (*)(void))bench_bare_syscall, GATE_TRAP, 3);
	run_user("bare");
	trap_reset_gate(0x80);
}
/*:*/

/*G:712 The price of a knock
 *
 * The kernel does nothing but look at the stop-watch, again and again, and the egg timer
 * is set.  Two looks are a few instructions apart, but for the two between which the
 * interrupt came: what lies between those is all that it cost, from wherever the world
 * noticed it, through our handler, back to the loop.  In a Guest that includes Linux's
 * own timer interrupt, the Host, and the way back in.
 */
static u32 longest_gap(void)
{
	u32 before = irq_count[0], longest = 0, gap;
	u64 last = rdtsc(), now;

	pv.clock_arm(NS_PER_MS);
	for (last = rdtsc(); irq_count[0] == before; last = now) {
		now = rdtsc();
		gap = now - last;
		longest = gap > longest ? gap : longest;
	}
	gap = rdtsc() - last;
	return gap > longest ? gap : longest;
}

static void interrupts(void)
{
	u32 sorted[BENCH_BATCHES], i, j, value;

	irq_request(0, nothing_to_do);
	for (i = 0; i < BENCH_BATCHES; i++) {
		value = longest_gap();
		for (j = i; j && sorted[j - 1] > value; j--)
			sorted[j] = sorted[j - 1];
		sorted[j] = value;
	}
	clock_init();
	bench_print("interrupt", sorted[BENCH_BATCHES / 2] * 10, "ticks");
}
/*:*/

/*G:714 The price of a delivery
 *
 * A disk of iron and a network of copper do their work by themselves, and the processor
 * sleeps meanwhile: what it does not do costs it nothing.  In a Guest the device is a
 * process, and its work is done by the same processor.  So on the bare machine the time
 * from `hlt` to the interrupt is taken off, and in a Guest it counts.
 *
 * Only a disk that nobody has mounted is measured, and what is written to it is what was
 * read from there.
 */
#define DISK_BATCH (DISK_PARTS * PAGE_SIZE)	/* bytes in one request */
#define ECHOES 10u

static u64 idle, asleep_since;			/* asleep_since: 0 if awake */
static struct pv_ops usual;

static void watched_halt(void)
{
	asleep_since = rdtsc();
	usual.halt();
}

static void watched_interrupt(unsigned int irq)
{
	if (asleep_since)
		idle += rdtsc() - asleep_since;
	asleep_since = 0;
	usual.interrupt(irq);
}

static u32 time_busy(bool (*batch)(void *arg), void *arg)
{
	u32 sorted[BENCH_BATCHES], i, j, value;
	u64 start;

	for (i = 0; i < BENCH_BATCHES; i++) {
		idle = 0;
		start = rdtsc();
		if (!batch(arg))
			return 0;
		value = rdtsc() - start - idle;
		for (j = i; j && sorted[j - 1] > value; j--)
			sorted[j] = sorted[j - 1];
		sorted[j] = value;
	}
	return sorted[BENCH_BATCHES / 2];
}

static bool disk_batch(void *request)
{
	struct disk *disk = disk_number(0);

	disk_submit(disk, request);
	return !disk_wait(disk, request);
}

static void bench_disk(void)
{
	static struct disk_request request;
	struct disk *disk = disk_number(0);
	const char *path;
	struct node *root;
	u32 run;

	if (!disk || disk->sectors < DISK_BATCH / SECTOR_SIZE ||
	    mount_of_disk(disk, &path, &root))
		return;
	run = frame_alloc_run(DISK_PARTS);
	if (!run)
		return;
	for (request.count = 0; request.count < DISK_PARTS; request.count++) {
		request.part[request.count].memory = phys_to_virt(run + request.count * PAGE_SIZE);
		request.part[request.count].length = PAGE_SIZE;
	}
	request.action = DISK_READ;
	disk_batch(&request);
	bench_print("block_read_kib", time_busy(disk_batch, &request) * 10 / (DISK_BATCH / 1024),
		    "ticks");
	if (disk->read_only)
		return;
	request.action = DISK_WRITE;
	disk_batch(&request);
	bench_print("block_write_kib", time_busy(disk_batch, &request) * 10 / (DISK_BATCH / 1024),
		    "ticks");
}

static bool echoes(void *ignored)
{
	(void)ignored;
	return net_echoes(ECHOES, 56);
}

static void devices(void)
{
	bool guest = !strcmp(pv.name, "lguest");

	usual = pv;
	if (!guest) {
		pv.halt = watched_halt;
		pv.interrupt = watched_interrupt;
	}
	bench_disk();
	if (net_echoes(2, 56))		/* also waits for an address */
		bench_print("net_round_trip", time_busy(echoes, NULL) * 10 / ECHOES, "ticks");
	pv = usual;
}
/*:*/

void bench_run(void)
{
	static const char *const user[] = {
		"loop", "syscall", "zero", "cow", "fork", "exec", "switch2", "switch8", "pipe",
	};
	u32 i;

	print("# every figure is for one operation, in ticks of the time-stamp counter\n");
	if (!strcmp(pv.name, "lguest"))
		bench_lguest();
	interrupts();
	bare_syscall();
	for (i = 0; i < sizeof(user) / sizeof(user[0]); i++)
		run_user(user[i]);
	devices();
	power_down("Power down", SHUTDOWN_POWEROFF);
}
