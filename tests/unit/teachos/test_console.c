// SPDX-License-Identifier: MIT
/* teachos/drivers/virtio_console.c, probed and used, with two devices of the specification's
 * on the other side: queue 0 brings what is typed, queue 1 takes what is printed. */
#include "around.h"

#define NUM 16u
#define PAGE 4096u

static struct device *const in = &queues[0], *const out = &queues[1];
static char paper[65536];		/* what was printed */
static u32 printed;
static u32 polls, patience;		/* the printer needs so many looks at its tray */
static u32 pages, most;			/* so many it got; so many is enough */
static bool rings;			/* with its next page it raises an interrupt */

/* Prints the oldest page that it has, as it is by now. */
static void print_one(void)
{
	struct device_chain *c = device_chain(out, 0);

	if (c->writable)
		broken("the device is to write %u bytes where it should print", c->writable);
	if (c->readable > PAGE)
		broken("the device is to print %u bytes from a page of %u", c->readable, PAGE);
	printed += device_gather(c, paper + printed, sizeof(paper) - printed);
	device_finish(out, c, 0);
}

/* The driver looks whether its page is back.  Not yet, not yet, now. */
static void slow_printer(struct device *d, u32 offset)
{
	if (offset != USED_INDEX(d))
		return;
	if (irqs_on)
		broken("waits for its page with interrupts on: a handler that prints would find it in "
		       "use");
	if (!d->count && !device_look(d))
		broken("waits for its page, but none is on offer");
	if (d->count > 1)
		broken("%u pages are under way, and there is one", d->count);
	if (pages >= most)
		broken("the device is given page %u of a text that needs %u", pages + 1, most);
	if (d->kicks <= pages && !d->silent)
		broken("waits for a device that nobody kicked");
	if (++polls < patience)
		return;
	polls = 0;
	pages++;
	print_one();
	if (rings)
		raise_irq(IRQ_OF_QUEUE(1));
	rings = false;
}

static int set_up(void **state)
{
	struct virtio_device dev = {.type = LGUEST_DEV_CONSOLE};

	(void)state;
	around_begin(2, NUM);
	printed = polls = pages = 0;
	rings = false;
	patience = 3;
	if (!console_driver.probe(&dev))
		broken("probe() says that this console can't be used");
	device_look(in);
	if (in->count != PAGE / 256 || device_chain(in, 0)->writable != 256)
		broken("%u buffers of %u bytes lie ready for what is typed; expected %u of 256", in->count,
		       in->count ? device_chain(in, 0)->writable : 0, PAGE / 256);
	in->kicks = 0;
	out->reads = slow_printer;
	around_ready();
	return 0;
}

/* ---- 3.5: what we print ------------------------------------------------------------- */

static void prints(const char *text, u32 length)
{
	u32 before = printed;

	out->kicks = pages = 0;
	most = (length + PAGE - 1) / PAGE;
	device_watch(out);
	console(text, length);
	device_watch_no_more();
	if (out->count || device_look(out))
		broken("%u bytes: back from printing, but not all of it is out", length);
	if (printed - before != length)
		broken("%u bytes were printed, %u came out", length, printed - before);
	if (memcmp(paper + before, text, length))
		broken("%u bytes were printed, but others came out", length);
	if (out->kicks > most)
		broken("%u kicks for %u bytes; %u are enough", out->kicks, length, most);
	if (!irqs_on)
		broken("interrupts are off after printing; they were on");
}

static char *some_text(u32 length)
{
	char *text = malloc(length + 1);
	u32 i;

	assert_non_null(text);
	for (i = 0; i < length; i++)
		text[i] = (char)('!' + (i * 31 + i / 93) % 94);
	return text;
}

static void a_line(void **state)
{
	(void)state;
	prints("Hello, world\n", 13);
	prints("and again\n", 10);
	prints("x", 1);
	prints("", 0);
}

static void long_text(void **state)
{
	static const u32 lengths[] = {PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 10000};
	u32 i;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		/* Exactly so long, and somewhere where no device may look. */
		char *text = some_text(lengths[i]);

		prints(text, lengths[i]);
		free(text);
	}
}

static void slow(void **state)
{
	(void)state;
	patience = 50;
	prints("patience\n", 9);
	patience = 1;
	prints("none needed\n", 12);
}

static void silent_printer(void **state)
{
	(void)state;
	device_silence(out, true);
	prints("it watches by itself\n", 21);
	device_silence(out, false);
	prints("and now no more\n", 16);
}

/* In a handler, or in a panic: interrupts are off, and stay so. */
static void from_a_handler(void **state)
{
	u32 before = printed;

	(void)state;
	irqs_on = false;
	out->kicks = pages = 0;
	most = 1;
	device_watch(out);
	console("echo", 4);
	device_watch_no_more();
	if (irqs_on)
		broken("interrupts are on after printing; they were off");
	if (printed - before != 4 || memcmp(paper + before, "echo", 4))
		broken("a handler printed 'echo', and it did not come out");
}

static void echo(unsigned int irq)
{
	(void)irq;
	console("echo", 4);
}

/* A handler that prints comes at the worst moments: just before interrupts are off, and
 * between two pages. */
static void an_interrupt(void **state)
{
	static const char line[] = "a line, and no more\n";
	const u32 length = sizeof(line) - 1;
	char *text = some_text(PAGE + 10);

	(void)state;
	irq_request(IRQ_OF_QUEUE(1), echo);
	most = 2;
	out->kicks = pages = 0;
	device_watch(out);
	irq_is_on_its_way(IRQ_OF_QUEUE(1));
	console(line, length);
	device_watch_no_more();
	if (printed != length + 4 || memcmp(paper, "echo", 4) || memcmp(paper + 4, line, length))
		broken("a handler printed 'echo' at the last moment before interrupts were off, and what "
		       "came out is '%.*s'; expected 'echo', and the whole line", (int)printed, paper);
	most = 3;
	out->kicks = pages = printed = 0;
	rings = true;
	device_watch(out);
	console(text, PAGE + 10);
	device_watch_no_more();
	if (printed != PAGE + 14 || memcmp(paper, text, PAGE))
		broken("an interrupt came while the first of two pages was under way: %u bytes came out, "
		       "expected %u, and 4 of an echo", printed, PAGE + 10);
	if (memcmp(paper + PAGE, text + PAGE, 10))
		broken("what a handler prints came out between two pages of one text: interrupts were on "
		       "there");
	free(text);
}

/* More often than there are slots: each page comes back and can be used again. */
static void for_a_long_time(void **state)
{
	char line[32];
	u32 i, length;

	(void)state;
	patience = 1;
	for (i = 0; i < 3000; i++) {
		length = (u32)snprintf(line, sizeof(line), "line %u\n", i);
		printed = 0;
		prints(line, length);
	}
}

/* ---- 3.6: what was typed ---------------------------------------------------------------- */

static void types(const char *text, u32 length, u32 claims)
{
	struct device_chain *c = device_chain(in, 0);

	device_scatter(c, text, length);
	device_finish(in, c, claims);
}

static void interrupt(void)
{
	raise_irq(IRQ_OF_QUEUE(0));
}

static void arrived(const char *text)
{
	if (typed_length != strlen(text) || memcmp(typed, text, typed_length))
		broken("'%s' was typed, %zu bytes; %u bytes arrived, '%.*s'", text, strlen(text),
		       typed_length, (int)typed_length, typed);
}

/* Those that were used last are out again, but for `kept` that the driver has not taken. */
static void gave_back(u32 fresh, u32 kept)
{
	u32 n = device_look(in);

	if (n != fresh || in->count != PAGE / 256 - kept)
		broken("of the buffers, %u came back with what was typed: %u of them were offered again, "
		       "and %u lie ready, of %u", fresh, n, in->count, PAGE / 256);
}

static void a_key(void **state)
{
	(void)state;
	types("k", 1, 1);
	interrupt();
	arrived("k");
	gave_back(1, 0);
	if (in->kicks != 1)
		broken("%u kicks for one buffer that was given back, expected 1", in->kicks);
	types("ey", 2, 2);
	interrupt();
	arrived("key");
}

static void one_interrupt_for_many(void **state)
{
	(void)state;
	types("one ", 4, 4);
	types("two ", 4, 4);
	types("three", 5, 5);
	interrupt();
	arrived("one two three");
	gave_back(3, 0);
	if (in->kicks != 1)
		broken("%u kicks for three buffers that were given back together, expected 1",
		       in->kicks);
}

/* A device that fills a buffer as soon as it has it. */
static void fills(struct device *dev, u32 offset)
{
	if (offset == AVAIL_INDEX(dev) && device_look(dev))
		device_scatter(device_chain(dev, dev->count - 1), "later", 5);
}

static void a_quick_device(void **state)
{
	(void)state;
	types("keys", 4, 4);
	in->stored = fills;
	device_watch(in);
	interrupt();
	device_watch_no_more();
	if (typed_length == 4 && !memcmp(typed, "late", 4))
		broken("the buffer was offered again before what was in it had been taken: it is the "
		       "device's then");
	arrived("keys");
}

static void false_alarm(void **state)
{
	(void)state;
	interrupt();
	interrupt();
	arrived("");
	if (in->kicks)
		broken("nothing was given back, but there were %u kicks", in->kicks);
	types("x", 1, 1);
	interrupt();
	interrupt();			/* the first has taken it already */
	arrived("x");
	gave_back(1, 0);
}

/* The terminal is full: what comes stays with the device until it asks again. */
static void no_room(void **state)
{
	(void)state;
	terminal_room = 260;
	types("12345678", 8, 8);
	types("abcdefgh", 8, 8);
	interrupt();
	if (typed_length > 8)
		broken("a terminal that had room for 252 bytes was given another buffer, which has 256");
	arrived("12345678");
	gave_back(1, 1);
	terminal_room = 0;
	interrupt();
	arrived("12345678");
	terminal_room = 1000;
	irqs_on = false;
	terminal_poll();
	irqs_on = true;
	arrived("12345678abcdefgh");
	gave_back(1, 0);
}

/* For ever, and from one buffer to the next. */
static void a_novel(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 2000; i++) {
		char words[3] = {(char)('a' + i % 26), (char)('a' + i / 26 % 26), ' '};

		typed_length = 0;
		terminal_room = sizeof(typed);
		types(words, 3, 3);
		interrupt();
		if (typed_length != 3 || memcmp(typed, words, 3))
			broken("word %u of a novel did not arrive", i);
		gave_back(1, 0);
	}
}

/* It says that it wrote more than there was room for.  What lies behind is ours. */
static void lies_about_length(void **state)
{
	static const u32 claims[] = {257, 4096, 8000, 0x7fffffff, 0x80000000, 0xffffffff};
	u32 i;

	(void)state;
	for (i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		typed_length = 0;
		terminal_room = sizeof(typed);
		types("tall", 4, claims[i]);
		interrupt();
		if (typed_length > 256)
			broken("the device says %u bytes, the buffer has 256, the terminal got %u",
			       claims[i], typed_length);
		gave_back(1, 0);
	}
}

#define ON(f) cmocka_unit_test_setup_teardown(f, set_up, around_over)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(a_line), ON(long_text), ON(slow), ON(silent_printer), ON(from_a_handler),
		ON(an_interrupt), ON(for_a_long_time),
		ON(a_key), ON(one_interrupt_for_many), ON(a_quick_device),
		ON(false_alarm), ON(no_room), ON(a_novel), ON(lies_about_length),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
