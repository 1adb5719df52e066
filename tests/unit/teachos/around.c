// SPDX-License-Identifier: MIT
#include "around.h"
#include "selftest.h"

struct device queues[2];
u8 config[64];
u32 config_length;
bool irqs_on;
bool (*goes_on)(void);
u32 sleeps, wakes;
const void *last_woken;
console_writer *console;
char typed[8192];
u32 typed_length, terminal_room;
void (*terminal_poll)(void);
struct disk *disk[8];
u32 disks;

struct pv_ops pv;
u32 irq_count[IRQ_COUNT];
static void (*handler[IRQ_COUNT])(unsigned int irq);
static u32 waiting;			/* raised while interrupts were off */
static u32 queues_given;
static jmp_buf *catches;
static char last_panic[256];

/* ---- Interrupts ------------------------------------------------------------------ */

static void deliver(void)
{
	u32 irq;

	while (irqs_on && waiting) {
		irq = (u32)__builtin_ctz(waiting);
		waiting &= waiting - 1;
		if (!handler[irq])
			continue;
		irqs_on = false;
		irq_count[irq]++;
		handler[irq](irq);
		if (irqs_on)
			broken("the handler of interrupt %u has turned interrupts on", irq);
		irqs_on = true;
	}
}

void raise_irq(u32 irq)
{
	waiting |= 1u << irq;
	deliver();
}

void irq_is_on_its_way(u32 irq)
{
	waiting |= 1u << irq;
}

static void turn_on(void)
{
	irqs_on = true;
	deliver();
}

static void turn_off(void)
{
	deliver();		/* what came at the last moment */
	irqs_on = false;
}

static bool are_on(void)
{
	return irqs_on;
}

void irq_request(unsigned int irq, void (*wanted)(unsigned int irq))
{
	assert_true(irq < IRQ_COUNT);
	handler[irq] = wanted;
}

/* ---- Sleep ------------------------------------------------------------------------- */

void wake(const void *channel)
{
	if (irqs_on)
		broken("wake() with interrupts on");
	wakes++;
	last_woken = channel;
}

void sleep_deaf(const void *channel)
{
	if (irqs_on)
		broken("sleeps with interrupts on: between the look and the sleep there is a gap");
	sleeps++;
	for (last_woken = NULL; last_woken != channel;) {
		turn_on();
		if (last_woken != channel && !(goes_on && goes_on()))
			broken("sleeps, and nobody is left who could wake it");
		turn_off();
	}
}

/* ---- Bus ------------------------------------------------------------------------------ */

bool virtio_queue(struct virtio_device *dev, u32 index, struct virtqueue *vq, u32 *irq)
{
	struct device *d = &queues[index];

	(void)dev;
	if (index >= 2 || !d->num)
		return false;
	virtqueue_init(vq, d->shared, d->num);
	vq->kick = device_kick;
	vq->kick_value = (u32)(uintptr_t)d->shared;
	*irq = IRQ_OF_QUEUE(index);
	queues_given++;
	return true;
}

bool virtio_config(struct virtio_device *dev, u32 offset, void *to, u32 length)
{
	(void)dev;
	memset(to, 0, length);
	if (offset > config_length || length > config_length - offset)
		return false;
	memcpy(to, config + offset, length);
	return true;
}

/* ---- Memory, words --------------------------------------------------------------------- */

void *kmalloc(u32 size)
{
	void *p = malloc(size);

	assert_non_null(p);
	memset(p, 0xa5, size);
	ram_is(p, size);
	return p;
}

/* Never: a driver has no end, and the next test's device must find what this one's left. */
void kfree(void *p)
{
	(void)p;
}

void print(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
}

void panic(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(last_panic, sizeof(last_panic), format, ap);
	va_end(ap);
	if (catches)
		longjmp(*catches, 1);
	broken("panic: %s", last_panic);
}

const char *panic_of(void (*run)(void))
{
	jmp_buf here;
	const char *said = NULL;

	catches = &here;
	if (setjmp(here))
		said = last_panic;
	else
		run();
	catches = NULL;
	return said;
}

/* ---- Terminal, disks ---------------------------------------------------------------------- */

u32 tty_room(void)
{
	return terminal_room;
}

void tty_input(const char *bytes, u32 length)
{
	if (length > terminal_room || length > sizeof(typed) - typed_length)
		broken("the terminal is given %u bytes, and has room for %u", length, terminal_room);
	if (irqs_on)
		broken("tty_input() with interrupts on");
	memcpy(typed + typed_length, bytes, length);
	typed_length += length;
	terminal_room -= length;
}

void tty_source(void (*poll)(void))
{
	terminal_poll = poll;
}

console_writer *print_to(console_writer *write)
{
	console_writer *before = console;

	console = write;
	return before;
}

void disk_add(struct disk *d)
{
	assert_true(disks < 8);
	disk[disks++] = d;
}

void disk_done(struct disk_request *r, int status)
{
	if (r->status != -EINPROGRESS)
		broken("disk_done() for a request that is not under way");
	r->status = status;
	wake(r);
}

/* ---- What the kernel's self-test would want; nobody runs it here ------------------------- */

const char *test_message(const char *format, ...)
{
	return format;
}

const char *test_skip(const char *why)
{
	return why;
}

void spin_thousands(u32 count)
{
	(void)count;
}

bool spin_until_changed(volatile u32 *word, u32 value)
{
	return *word != value;
}

void around_begin(u32 n, u32 num)
{
	pv.irq_enable = turn_on;
	pv.irq_disable = turn_off;
	pv.irq_enabled = are_on;
	memset(handler, 0, sizeof(handler));
	memset(irq_count, 0, sizeof(irq_count));
	waiting = sleeps = wakes = typed_length = disks = queues_given = 0;
	terminal_room = sizeof(typed);
	goes_on = NULL;
	catches = NULL;
	irqs_on = false;
	ram_forget();
	memset(queues, 0, sizeof(queues));
	while (n--)
		device_begin(&queues[n], num);
}

void around_end(void)
{
	device_end(&queues[0]);
	device_end(&queues[1]);
}

void around_ready(void)
{
	irqs_on = true;
	hangs_after(5);
}

int around_over(void **state)
{
	(void)state;
	hangs_after(0);
	around_end();
	return 0;
}
