/* SPDX-License-Identifier: MIT */
/*D:300 A typewriter with two trays
 *
 * The console has two queues.  Queue 0 brings what is typed: we lay out empty
 * buffers, the Launcher fills one when there is something, and interrupts us.
 * Queue 1 takes what we print: we hand over a buffer and wait until it is back.
 *
 * Waiting in a loop looks lazy, and is on purpose: the console must work when
 * nothing else does any more, in an interrupt handler or in a panic.  The Launcher
 * promises to finish output without needing anything else from us.
 */
#include "virtio.h"
#include "selftest.h"

#define INPUT_SIZE 256u

static struct virtqueue input, output;
static u32 output_irq;
static u8 input_page[PAGE_SIZE] __attribute__((aligned(4096)));
static u8 output_page[PAGE_SIZE] __attribute__((aligned(4096)));

static void offer_input(struct virtqueue *vq, void *buffer)
{
	struct virtqueue_part part = {buffer, INPUT_SIZE, true};

	virtqueue_add(vq, &part, 1, buffer);
}

/* Gives the terminal all that was typed, as long as a whole buffer has room there, and
 * every buffer back to the device.  One kick for all of them, none for none. */
/* LAB 3.6 BEGIN: what was typed */
static void take_from(struct virtqueue *vq)
{
	void *buffer;
	u32 length;
	bool any = false;

	while (tty_room() > INPUT_SIZE && (buffer = virtqueue_get(vq, &length)) != NULL) {
		tty_input(buffer, length < INPUT_SIZE ? length : INPUT_SIZE);
		offer_input(vq, buffer);
		any = true;
	}
	if (any)
		virtqueue_kick(vq);
}
/* LAB 3.6 END */

static void take_input(void)
{
	take_from(&input);
}

static void input_interrupt(unsigned int irq)
{
	(void)irq;
	take_input();
}

/* Text goes out by way of page, a page at a time, and is out when this returns.  From
 * whoever: a process, or an interrupt handler that echoes a key; so interrupts stay off
 * from before the first page is filled until the last one is back. */
/* LAB 3.5 BEGIN: what we print */
static void give_out(struct virtqueue *vq, u8 *page, const char *text, u32 length)
{
	bool irqs = irq_save();
	u32 n, ignored;

	for (; length; text += n, length -= n) {
		struct virtqueue_part part = {page, 0, false};

		part.length = n = length < PAGE_SIZE ? length : PAGE_SIZE;
		memcpy(page, text, n);
		virtqueue_add(vq, &part, 1, page);
		virtqueue_kick(vq);
		while (!virtqueue_get(vq, &ignored))
			asm volatile("pause");
	}
	irq_restore(irqs);
}
/* LAB 3.5 END */

static void console_output(const char *text, u32 length)
{
	give_out(&output, output_page, text, length);
}

static bool console_probe(struct virtio_device *dev)
{
	u32 irq, at;

	if (!virtio_queue(dev, 0, &input, &irq) || !virtio_queue(dev, 1, &output, &output_irq))
		return false;
	output.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;	/* we look for ourselves */
	for (at = 0; at < PAGE_SIZE; at += INPUT_SIZE)
		offer_input(&input, input_page + at);
	virtqueue_kick(&input);
	irq_request(irq, input_interrupt);
	tty_source(take_input);
	print_to(console_output);
	return true;
}

const struct virtio_driver console_driver = {LGUEST_DEV_CONSOLE, "console", 0, console_probe};
/*:*/

/*D:310 An interrupt on demand
 *
 * Output never asks for interrupts, but it could, and that makes a device whose
 * interrupt can be had at any time: ask for one, print, and see whether it comes.
 */
static void ignore(unsigned int irq)
{
	(void)irq;
}

SELFTEST(output_interrupt, "drivers/the console interrupts when it has printed, if asked")
{
	static const char text[] = "# asking for an interrupt\n";
	u32 before = irq_count[output_irq];

	if (!output.num)
		return test_skip("there is no virtio console");
	irq_request(output_irq, ignore);
	output.avail->flags = 0;
	console_output(text, sizeof(text) - 1);
	output.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	CHECK(spin_until_changed(&irq_count[output_irq], before), "it never came");
	irq_request(output_irq, NULL);
	before = irq_count[output_irq];
	console_output("# asking for none\n", 18);
	spin_thousands(5000);
	CHECK_EQUAL(irq_count[output_irq], before);
	return NULL;
}
/*:*/
