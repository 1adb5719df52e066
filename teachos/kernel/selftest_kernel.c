/* SPDX-License-Identifier: MIT */
/*G:630 Time and interrupts
 */
#include "selftest.h"

/* Runs the idle loop until interrupt 0 has come count times. */
static void halt_until_tick(u32 before)
{
	while (irq_count[0] == before) {
		pv.irq_disable();
		if (irq_count[0] != before) {
			pv.irq_enable();
			return;
		}
		pv.halt();
	}
}

SELFTEST(halt_and_timer, "clock/halt until the timer rings")
{
	u32 before = irq_count[0];
	u64 start, end;

	pv.clock_arm(NS_PER_MS);	/* so that now() is fresh, whatever it is made of */
	halt_until_tick(before);
	start = pv.now();
	pv.clock_arm(20 * NS_PER_MS);
	halt_until_tick(before + 1);
	end = pv.now();
	CHECK_EQUAL(irq_count[0], before + 2);
	CHECK(end - start >= 19 * NS_PER_MS, "20 ms took only %u us",
	      (u32)div64(end - start, 1000, NULL));
	CHECK(pv.irq_enabled(), "interrupts are off after halt");
	return NULL;
}

SELFTEST(timer_cancel, "clock/a cancelled timer stays silent")
{
	u32 before = irq_count[0];

	pv.clock_arm(10 * NS_PER_MS);
	pv.clock_arm(0);
	spin_thousands(60000);	/* no timer to wait with: it would replace the first */
	CHECK_EQUAL(irq_count[0], before);
	return NULL;
}

SELFTEST(timer_replace, "clock/a new deadline replaces the old")
{
	u32 before = irq_count[0];

	pv.clock_arm(NS_PER_S);
	pv.clock_arm(NS_PER_MS);
	halt_until_tick(before);
	pv.clock_arm(0);
	spin_thousands(100);
	CHECK_EQUAL(irq_count[0], before + 1);
	return NULL;
}

SELFTEST(timer_while_busy, "clock/rings while the kernel is busy")
{
	u32 before = irq_count[0];

	pv.clock_arm(NS_PER_MS);
	CHECK(spin_until_changed(&irq_count[0], before), "no interrupt came");
	return NULL;
}

SELFTEST(blocked, "irq/a masked interrupt stays pending, then comes")
{
	u32 before = irq_count[0];

	pv.irq_mask(0, true);
	pv.clock_arm(NS_PER_MS);
	spin_thousands(20000);
	CHECK_EQUAL(irq_count[0], before);
	pv.irq_mask(0, false);
	CHECK(spin_until_changed(&irq_count[0], before), "it never came");
	spin_thousands(1000);
	CHECK_EQUAL(irq_count[0], before + 1);
	return NULL;
}

SELFTEST(coalesced, "irq/raised twice while masked, delivered once")
{
	u32 before = irq_count[0], i;

	pv.irq_mask(0, true);
	for (i = 0; i < 2; i++) {
		pv.clock_arm(NS_PER_MS);
		spin_thousands(20000);
	}
	pv.irq_mask(0, false);
	CHECK(spin_until_changed(&irq_count[0], before), "it never came");
	spin_thousands(5000);
	CHECK_EQUAL(irq_count[0], before + 1);
	return NULL;
}

/* An emulator's timer may ring late when its computer is busy: three tries. */
SELFTEST(disabled, "irq/an interrupt waits while they are off")
{
	u32 before, after, tries;

	for (tries = 0; tries < 3; tries++) {
		before = irq_count[0];
		pv.irq_disable();
		pv.clock_arm(NS_PER_MS);
		spin_thousands(20000);
		CHECK_EQUAL(irq_count[0], before);
		pv.irq_enable();	/* asks for it: it must be here at once */
		after = irq_count[0];
		if (after == before + 1)
			return NULL;
		spin_until_changed(&irq_count[0], before);
	}
	CHECK_EQUAL(after, before + 1);
	return NULL;
}

SELFTEST(sleeping, "clock/the kernel sleeps 30 ms")
{
	u32 before = irq_count[0];
	u64 deadline;
	bool irqs;

	pv.clock_arm(NS_PER_MS);
	halt_until_tick(before);
	irqs = irq_save();
	deadline = pv.now() + 30 * NS_PER_MS;
	while (pv.now() < deadline)
		sleep_on(&deadline, deadline);
	irq_restore(irqs);
	return NULL;
}

/*:*/

/*G:635 Memory, and other goods */
SELFTEST(frames, "memory/frames are owned, shared and given back")
{
	u32 before = frames_free(), a = frame_alloc(), b = frame_alloc();

	CHECK(a && b && a != b, "0x%x and 0x%x", a, b);
	CHECK_EQUAL(frames_free(), before - 2);
	frame_get(a);
	frame_put(a);
	CHECK_EQUAL(frame_refs(a), 1);
	CHECK_EQUAL(frames_free(), before - 2);
	memset(phys_to_virt(a), 1, PAGE_SIZE);
	frame_put(a);
	frame_put(b);
	CHECK_EQUAL(frames_free(), before);
#ifdef CONFIG_DEBUG
	CHECK_EQUAL(*(u8 *)phys_to_virt(a), JUNK_BYTE);
#endif
	return NULL;
}

SELFTEST(frame_runs, "memory/frames in a row are neighbours, and nobody else's")
{
	u32 before = frames_free(), run = frame_alloc_run(3), other = frame_alloc_run(2), i;

	CHECK(run && other, "0x%x and 0x%x", run, other);
	CHECK_EQUAL(frames_free(), before - 5);
	CHECK(other + 2 * PAGE_SIZE <= run || run + 3 * PAGE_SIZE <= other,
	      "0x%x and 0x%x overlap", run, other);
	for (i = 0; i < 3; i++) {
		CHECK_EQUAL(frame_refs(run + i * PAGE_SIZE), 1);
		frame_put(run + i * PAGE_SIZE);
	}
	frame_put(other);
	frame_put(other + PAGE_SIZE);
	CHECK_EQUAL(frames_free(), before);
	CHECK(!frame_alloc_run(before + 1), "more in a row than there are");
	return NULL;
}

SELFTEST(all_frames, "memory/every frame can be had, written and given back")
{
	u32 before = frames_free(), chain = 0, frame, n = 0, bad = 0;

	while ((frame = frame_alloc()) != 0) {
		u32 *words = phys_to_virt(frame);

		words[0] = chain;
		words[1023] = frame;
		chain = frame;
		n++;
	}
	CHECK(!frame_alloc(), "more frames than there are");
	while (chain) {
		u32 next = *(u32 *)phys_to_virt(chain);

		bad += ((u32 *)phys_to_virt(chain))[1023] != chain;
		frame_put(chain);
		chain = next;
	}
	CHECK_EQUAL(n, before);
	CHECK_EQUAL(bad, 0);
	CHECK_EQUAL(frames_free(), before);
	return NULL;
}

SELFTEST(heap, "memory/heap objects do not overlap")
{
	static const u16 sizes[] = {1, 32, 33, 100, 512, 1000, 1025, 2032};
	static const u16 large[] = {2033, 4080, 4081, 65520};
	u8 *objects[64];
	u32 i, j, size, before;

	for (i = 0; i < 64; i++) {
		size = sizes[i % 8];
		objects[i] = kmalloc(size);
		CHECK(objects[i] && !((u32)objects[i] & 15), "object %u is at %p", i, objects[i]);
		memset(objects[i], i, size);
	}
	for (i = 0; i < 64; i++)
		for (j = 0; j < sizes[i % 8]; j++)
			CHECK(objects[i][j] == i, "object %u, byte %u", i, j);
	for (i = 0; i < 64; i++)
		kfree(objects[i]);

	before = frames_free();
	for (i = 0; i < 4; i++) {
		objects[i] = kmalloc(large[i]);
		CHECK(objects[i] && !((u32)objects[i] & 15), "large object %u is at %p", i,
		      objects[i]);
		memset(objects[i], i, large[i]);
	}
	CHECK_EQUAL(frames_free(), before - 1 - 1 - 2 - 16);
	for (i = 0; i < 4; i++) {
		for (j = 0; j < large[i]; j++)
			CHECK(objects[i][j] == i, "large object %u, byte %u", i, j);
		kfree(objects[i]);
	}
	CHECK_EQUAL(frames_free(), before);
	return NULL;
}

SELFTEST(strings, "lib/division, numbers, formats")
{
	char text[64];
	u32 rest, value;

	CHECK(div64(1000000000000ull, 7, &rest) == 142857142857ull && rest == 1, "div64");
	snformat(text, sizeof(text), "%5d|%-4s|%04x|%llu|%c%%", -42, "ab", 0xbeef, 1ull << 40, 'z');
	CHECK(!strcmp(text, "  -42|ab  |beef|1099511627776|z%"), "format says %s", text);
	CHECK(parse_number("0xff", &value) && value == 255, "0xff");
	CHECK(!parse_number("12x", &value) && !parse_number("", &value) &&
	      !parse_number("4294967296", &value), "accepts what is no number");
	return NULL;
}

SELFTEST(symbols, "panic/the symbol table knows this function")
{
	u32 offset;
	const char *name = symbol_name((u32)symbols + 3, &offset);

	CHECK(!strcmp(name, "symbols") && offset == 3, "it says %s+%u", name, offset);
	return NULL;
}
/*:*/
