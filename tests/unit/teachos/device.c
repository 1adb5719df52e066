// SPDX-License-Identifier: MIT
/*M:429 A device with bad manners
 *
 * A driver that works with one device has been tested with one device: a polite one, which
 * is never done at the wrong moment.  The rules allow a lot more.  So here is another end
 * for a virtqueue, written from the specification alone, for TeachOS's drivers in a program
 * of their own.  It checks each chain that it gets, keeps some for long and gives others
 * back at once, and looks exactly when it hurts.
 *
 * When does it hurt?  In the middle of things: after the index has moved and before the
 * entry is there.  To be there in time, it takes the ring out of the driver's address
 * space.  Each access faults; the handler puts the ring back, lets that one instruction run
 * with the trap flag on, takes the ring away again, and calls the test in between.  The
 * device itself uses a second mapping of the same memory, where nobody is stopped.
 *
 * One mistake leaves no trace in memory: a load that passes a store inside the processor.
 * For that one we step through virtqueue_kick() and look at the instructions, whether one of
 * those that order loads after stores comes before the look at the flags.
 :*/
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "device.h"

#define DESC_NEXT 1u
#define DESC_WRITE 2u
#define TRAP_FLAG 0x100
#define FAULT_WAS_A_STORE 2

static struct device *known[4], *watched;

void broken_at(const char *file, int line, const char *format, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	hangs_after(0);
	device_watch_no_more();
	print_error("%s\n", text);
	_fail(file, line);
	abort();			/* it does not come back */
}

static void hangs(int signal)
{
	(void)signal;
	broken("it waits for ever, without looking at the ring");
}

void hangs_after(u32 seconds)
{
	struct itimerval time = {.it_value = {.tv_sec = seconds}};
	struct sigaction action = {.sa_handler = hangs, .sa_flags = SA_NODEFER};

	sigaction(SIGVTALRM, &action, NULL);
	setitimer(ITIMER_VIRTUAL, &time, NULL);
}

/* ---- RAM ---------------------------------------------------------------------- */

#define KERNEL_BASE 0xc0000000u
#define REGIONS 64u

static struct {
	const u8 *base;
	u32 length;
} region[REGIONS];
static u32 regions;
extern char __data_start[], _end[];

void ram_is(const void *memory, u32 length)
{
	assert_true(regions < REGIONS);
	region[regions].base = memory;
	region[regions++].length = length;
}

void ram_forget(void)
{
	regions = 0;
	ram_is(__data_start, (u32)(_end - __data_start));
}

static u8 *ram_at(u32 slot, u64 physical, u32 length)
{
	u32 i;

	for (i = 0; i < regions && physical <= UINT32_MAX; i++) {
		u32 offset = (u32)physical + KERNEL_BASE - (u32)(uintptr_t)region[i].base;

		if (offset < region[i].length && length <= region[i].length - offset)
			return (u8 *)region[i].base + offset;
	}
	broken("descriptor %u: %u bytes at physical 0x%llx are not in RAM (is it virt_to_phys()'s "
	       "address?)", slot, length, (unsigned long long)physical);
}

/* ---- The ring ----------------------------------------------------------------- */

u32 ring_get(const struct device *d, u32 offset, u32 bytes)
{
	u32 value = 0;

	memcpy(&value, d->ring + offset, bytes);
	return value;
}

void ring_put(struct device *d, u32 offset, u32 bytes, u32 value)
{
	memcpy(d->ring + offset, &value, bytes);
}

static u32 ring_bytes(const struct device *d)
{
	return (used_at(d) + 6 + 8 * d->num + 4095) / 4096 * 4096;
}

void device_begin(struct device *d, u32 num)
{
	u32 bytes, i;

	memset(d, 0, sizeof(*d));
	d->num = num;
	bytes = ring_bytes(d);
	d->memory = memfd_create("ring", MFD_CLOEXEC);
	assert_true(d->memory >= 0);
	assert_int_equal(ftruncate(d->memory, bytes), 0);
	d->shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, d->memory, 0);
	d->ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, d->memory, 0);
	assert_true(d->shared != MAP_FAILED && d->ring != MAP_FAILED);
	for (i = 0; known[i] && known[i] != d; i++)
		assert_true(i < 3);
	known[i] = d;
}

void device_end(struct device *d)
{
	struct device_chain *c;

	device_watch_no_more();
	while ((c = d->under_way) != NULL) {
		d->under_way = c->next;
		free(c);
	}
	/* The ring stays: nobody tells a driver that its device is gone. */
	if (d->num)
		close(d->memory);
	d->num = 0;
}

/* One descriptor into c; the number of the next, or -1 behind the last. */
static int take_part(struct device *d, struct device_chain *c, u32 slot)
{
	struct device_part *part = &c->part[c->count];
	u32 flags;
	u64 physical;

	if (slot >= d->num)
		broken("the chain from %u leads to descriptor %u, but there are only %u", c->head,
		       slot, d->num);
	if (d->taken[slot])
		broken("descriptor %u is in the chain from %u, but it is still under way in another "
		       "place", slot, c->head);
	d->taken[slot] = true;
	c->slot[c->count] = (u16)slot;
	memcpy(c->written_down[c->count], d->ring + 16 * slot, 16);
	memcpy(&physical, d->ring + 16 * slot, 8);
	part->length = ring_get(d, 16 * slot + 8, 4);
	flags = ring_get(d, 16 * slot + 12, 2);
	if (flags & ~(DESC_NEXT | DESC_WRITE))
		broken("descriptor %u has flags 0x%x: nobody agreed on those", slot, flags);
	if (!part->length)
		broken("descriptor %u is empty", slot);
	part->writable = flags & DESC_WRITE;
	if (!part->writable && c->writable)
		broken("descriptor %u is for the device to read, but comes after one to write",
		       slot);
	part->at = ram_at(slot, physical, part->length);
	*(part->writable ? &c->writable : &c->readable) += part->length;
	c->count++;
	return flags & DESC_NEXT ? (int)ring_get(d, 16 * slot + 14, 2) : -1;
}

u32 device_look(struct device *d)
{
	u16 index = (u16)ring_get(d, AVAIL_INDEX(d), 2), fresh = (u16)(index - d->seen);
	struct device_chain **last = &d->under_way;
	u32 n;

	if (fresh > d->num - d->count)
		broken("the available index went from %u to %u: of %u slots, %u are under way",
		       d->seen, index, d->num, d->count);
	while (*last)
		last = &(*last)->next;
	for (n = 0; n < fresh; n++, d->seen++) {
		struct device_chain *c = calloc(1, sizeof(*c));
		int slot;

		assert_non_null(c);
		*last = c;
		last = &c->next;
		slot = (int)ring_get(d, AVAIL_RING(d, d->seen), 2);
		c->head = (u32)slot;
		while (slot >= 0)
			slot = take_part(d, c, (u32)slot);
		d->count++;
	}
	return fresh;
}

struct device_chain *device_chain(struct device *d, u32 n)
{
	struct device_chain *c = d->under_way;

	while (n-- && c)
		c = c->next;
	if (!c)
		broken("nothing is on offer");
	return c;
}

void device_lie(struct device *d, u32 id, u32 written)
{
	ring_put(d, USED_RING(d, d->used), 4, id);
	ring_put(d, USED_RING(d, d->used) + 4, 4, written);
	ring_put(d, USED_INDEX(d), 2, ++d->used);
}

void device_finish(struct device *d, struct device_chain *c, u32 written)
{
	struct device_chain **at = &d->under_way;
	u32 i;

	for (i = 0; i < c->count; i++) {
		if (memcmp(c->written_down[i], d->ring + 16 * c->slot[i], 16))
			broken("descriptor %u was changed while the device had it", c->slot[i]);
		d->taken[c->slot[i]] = false;
	}
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	d->count--;
	device_lie(d, c->head, written);
	free(c);
}

void device_kick(u32 value)
{
	u32 i;

	for (i = 0; i < 4; i++)
		if (known[i] && known[i]->num && value == (u32)(uintptr_t)known[i]->shared) {
			if (known[i]->silent)
				broken("kicked, though the device had said NO_NOTIFY");
			known[i]->kicks++;
			return;
		}
	broken("kicked with 0x%x, which is no device's number", value);
}

void device_silence(struct device *d, bool silent)
{
	d->silent = silent;
	ring_put(d, USED_FLAGS(d), 2, silent ? 1 : 0);
}

u32 device_gather(const struct device_chain *c, void *to, u32 most)
{
	u32 n = 0, i;

	for (i = 0; i < c->count && !c->part[i].writable; i++) {
		if (c->part[i].length > most - n)
			broken("more than %u bytes for the device to read", most);
		memcpy((u8 *)to + n, c->part[i].at, c->part[i].length);
		n += c->part[i].length;
	}
	return n;
}

void device_scatter(const struct device_chain *c, const void *from, u32 length)
{
	u32 n = 0, i;

	for (i = 0; i < c->count && n < length; i++) {
		u32 some = length - n < c->part[i].length ? length - n : c->part[i].length;

		if (!c->part[i].writable)
			continue;
		memcpy(c->part[i].at, (const u8 *)from + n, some);
		n += some;
	}
	if (n < length)
		broken("no room for %u bytes that the device has to write", length);
}

/* ---- Watching -----------------------------------------------------------------
 * The driver's view of the ring is taken away.  Each access faults; we put it back, let the
 * one instruction run with the trap flag, and take it away again. */

static u32 offset_of_access;
static bool was_store;
static int fence_offset = -1, fence_before = -1;
static bool fence_passed;

/* The kernel's own layout.  By a bare system call, since AddressSanitizer keeps SIGSEGV. */
struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void (*restorer)(void);
	u64 mask;
};
static struct kernel_sigaction before_us;
#define HAS_RESTORER 0x04000000ul

void back_from_signal(void);
asm(".globl back_from_signal\nback_from_signal:\n\tmov $15, %eax\n\tsyscall\n");

static void signal_action(int signal, const struct kernel_sigaction *new,
			  struct kernel_sigaction *old)
{
	if (syscall(SYS_rt_sigaction, signal, new, old, sizeof(new->mask)))
		abort();
}

static void open_ring(bool open)
{
	if (mprotect(watched->shared, ring_bytes(watched), open ? PROT_READ | PROT_WRITE : PROT_NONE))
		abort();
}

static void faulted(int signal, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	uintptr_t offset = (uintptr_t)info->si_addr - (watched ? (uintptr_t)watched->shared : 0);

	(void)signal;
	if (!watched || offset >= ring_bytes(watched)) {
		/* A real one: whoever came before us knows what to say. */
		signal_action(SIGSEGV, &before_us, NULL);
		return;
	}
	offset_of_access = (u32)offset;
	was_store = registers[REG_ERR] & FAULT_WAS_A_STORE;
	if (!was_store && (int)offset == fence_offset && fence_before < 0)
		fence_before = fence_passed;
	if (!was_store && watched->reads)
		watched->reads(watched, offset_of_access);
	open_ring(true);
	registers[REG_EFL] |= TRAP_FLAG;
}

/* Does the instruction at code order what comes after it behind all stores before it? */
static bool is_fence(const u8 *code)
{
	while (*code == 0x66 || *code == 0x67 || (*code & 0xf0) == 0x40)
		code++;
	return *code == 0xf0 ||					/* lock */
	       (code[0] == 0x0f && code[1] == 0xae && code[2] == 0xf0) ||	/* mfence */
	       ((code[0] == 0x86 || code[0] == 0x87) && code[1] < 0xc0);	/* xchg, memory */
}

static void stepped(int signal, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)signal;
	(void)info;
	registers[REG_EFL] &= ~(greg_t)TRAP_FLAG;
	if (!watched)
		return;
	open_ring(false);
	if (was_store && watched->stored) {
		was_store = false;
		watched->stored(watched, offset_of_access);
	}
	if (fence_offset >= 0) {
		registers[REG_EFL] |= TRAP_FLAG;
		fence_passed |= is_fence((const u8 *)registers[REG_RIP]);
	}
}

static void set_handlers(void *fault, void *step)
{
	struct kernel_sigaction on_fault = {fault, SA_SIGINFO | SA_NODEFER | HAS_RESTORER,
					    back_from_signal, 0};
	struct kernel_sigaction on_step = {step, SA_SIGINFO | SA_NODEFER | HAS_RESTORER,
					   back_from_signal, 0};

	signal_action(SIGSEGV, &on_fault, &before_us);
	signal_action(SIGTRAP, &on_step, NULL);
}

void device_watch(struct device *d)
{
	assert_null(watched);
	was_store = false;
	watched = d;
	set_handlers(faulted, stepped);
	open_ring(false);
}

void device_watch_no_more(void)
{
	if (!watched)
		return;
	open_ring(true);
	watched = NULL;
	fence_offset = -1;
	signal_action(SIGSEGV, &before_us, NULL);
}

void fence_watch(struct device *d, u32 offset)
{
	device_watch(d);
	fence_passed = false;
	fence_before = -1;
	fence_offset = (int)offset;
	asm volatile("int3" : : : "memory");
}

int fence_seen(void)
{
	int seen = fence_before;

	device_watch_no_more();
	return seen;
}
