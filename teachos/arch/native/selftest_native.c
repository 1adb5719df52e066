/* SPDX-License-Identifier: MIT */
/*G:695 What only a machine can do
 *
 * The counterpart of G:670: here is ring 0, and the instructions that a Guest is refused
 * must do their work.  The judges are the processor's manual and the data sheets of the
 * chips, and for the time a second clock that nobody has asked so far.
 */
#define SELFTEST_ONLY "native"
#include "native.h"
#include "selftest.h"

#define CR0_WANTED 0x80050023u		/* PG AM WP NE MP PE, SDM volume 3, 2.5 */
#define CR0_TS 8u
#define CR4_PAE 0x20u
#define CR4_OSFXSR 0x200u

static u32 read_cr0(void)
{
	u32 value;

	asm volatile("movl %%cr0, %0" : "=r"(value));
	return value;
}

SELFTEST(ring_0, "machine/ring 0, flat segments, our selectors")
{
	u32 cs, ss, tr;

	asm("movl %%cs, %0\n\tmovl %%ss, %1\n\tstr %2" : "=r"(cs), "=r"(ss), "=r"(tr));
	CHECK_EQUAL(cs & 0xffff, NATIVE_CS);
	CHECK_EQUAL(ss & 0xffff, NATIVE_DS);
	CHECK_EQUAL(tr & 0xffff, NATIVE_TSS);
	return NULL;
}

SELFTEST(control_registers, "machine/CR0, CR3, CR4 are set as they should be")
{
	u32 cr3, cr4;

	asm volatile("movl %%cr3, %0\n\tmovl %%cr4, %1" : "=r"(cr3), "=r"(cr4));
	CHECK_EQUAL(read_cr0() & CR0_WANTED, CR0_WANTED);
	CHECK_EQUAL(cr3, current_root);
	CHECK_EQUAL(cr4 & CR4_OSFXSR, CR4_OSFXSR);
	CHECK_EQUAL(cr4 & CR4_PAE, sizeof(pte_t) == 8 ? CR4_PAE : 0);
	return NULL;
}

SELFTEST(task_switched, "machine/TS is a bit of CR0")
{
	pv.set_ts(false);
	CHECK_EQUAL(read_cr0() & CR0_TS, 0);
	pv.set_ts(true);
	CHECK_EQUAL(read_cr0() & CR0_TS, CR0_TS);
	return NULL;
}

SELFTEST(cli_works, "machine/cli and popf turn interrupts off")
{
	bool after_cli, after_popf;
	u32 flags;

	asm volatile("cli; pushfl; popl %0" : "=r"(flags) : : "memory");
	after_cli = flags & EFLAGS_IF;
	asm volatile("sti; pushfl; andl $~0x200, (%%esp); popfl; pushfl; popl %0; sti"
		     : "=r"(flags) : : "memory", "cc");
	after_popf = flags & EFLAGS_IF;
	CHECK(!after_cli && !after_popf, "on after cli: %u, after popf: %u", after_cli, after_popf);
	return NULL;
}

static u8 idt_register[6];

SELFTEST(obeyed, "machine/what ring 1 is refused, ring 0 may")
{
	u32 hits = 0;

	TRAP("clts", 0);
	hits += trap_probe.hits;
	pv.set_ts(true);
	TRAP("invlpg (%%eax)", SCRATCH_BASE);
	hits = hits * 10 + trap_probe.hits;
	asm volatile("sidt %0" : "=m"(idt_register));
	TRAP("lidt (%%eax)", idt_register);
	hits = hits * 10 + trap_probe.hits;
	TRAP("movl $0x10, %%ecx\n\trdmsr", 0);		/* the time-stamp counter */
	hits = hits * 10 + trap_probe.hits;
	TRAP("movl %%dr6, %%eax", 0);
	hits = hits * 10 + trap_probe.hits;
	TRAP("wbinvd", 0);
	hits = hits * 10 + trap_probe.hits;
	CHECK(!hits, "clts, invlpg, lidt, rdmsr, dr6, wbinvd trapped so often: %06u", hits);
	return NULL;
}

/* SDM volume 2, HLT and STI: what is pending already must end it at once. */
SELFTEST(halt_pending, "irq/sti and hlt with an interrupt pending")
{
	u32 before = irq_count[0];

	pv.irq_disable();
	pv.clock_arm(NS_PER_MS);
	spin_thousands(20000);
	pv.halt();
	CHECK_EQUAL(irq_count[0], before + 1);
	return NULL;
}

/* SDM volume 3, 6.13: the error code is the gate's index, with IDT set, and EXT, which
 * says that no instruction is to blame.  (QEMU forgets EXT.) */
SELFTEST(no_gate, "irq/without a gate it is a general protection fault")
{
	pv.set_gate(IRQ_VECTOR, 0, 0);
	pv.clock_arm(NS_PER_MS);
	TRAP("9: jmp 9b", 0);
	trap_reset_gate(IRQ_VECTOR);
	pv.clock_arm(0);
	outb(0x20, 0x20);		/* the controller believes that we are at work */
	CHECK_EQUAL(trap_probe.vector, 13);
	CHECK_EQUAL(trap_probe.error & ~1u, IRQ_VECTOR * 8 + 2);
	CHECK_EQUAL(trap_probe.eip, trap_start);
	return NULL;
}
/*:*/

/*G:697 The chips */
#define IN_SERVICE 0x0b			/* 8259A data sheet: OCW3, read ISR */

static u32 in_service(void)
{
	outb(0x20, IN_SERVICE);
	outb(0xa0, IN_SERVICE);
	return inb(0x20) | inb(0xa0) << 8;
}

/* `int n` comes by the same vector, but not from the controller: it looks like the call
 * of a line that was pulled back too early. */
SELFTEST(spurious, "irq/lines 7 and 15, when nobody called, are not counted")
{
	u32 seven = irq_count[7], fifteen = irq_count[15];

	asm volatile("int $0x27; int $0x2f" : : : "memory");
	CHECK_EQUAL(irq_count[7], seven);
	CHECK_EQUAL(irq_count[15], fifteen);
	CHECK_EQUAL(in_service(), 0);
	return NULL;
}

SELFTEST(end_of_interrupt, "irq/nothing stays in service")
{
	u32 before = irq_count[0];

	pv.clock_arm(NS_PER_MS);
	CHECK(spin_until_changed(&irq_count[0], before), "it never came");
	CHECK_EQUAL(in_service(), 0);
	return NULL;
}

/* 120 ms are three rounds of the chip's counter; TeachOS must see one. */
SELFTEST(long_wait, "clock/longer than the timer can count")
{
	u32 before = irq_count[0];
	u64 start = pv.now(), took;

	pv.clock_arm(120 * NS_PER_MS);
	while (irq_count[0] == before)
		pv.halt();
	took = pv.now() - start;
	CHECK(took >= 119 * NS_PER_MS, "120 ms took only %u us", (u32)div64(took, 1000, NULL));
	CHECK_EQUAL(irq_count[0], before + 1);
	return NULL;
}

/* The third clock of a PC runs on a quartz of its own: MC146818A, register 0 holds the
 * seconds, register A bit 7 says "I am busy changing them". */
static u32 rtc_second(void)
{
	u32 value;

	do {
		outb(0x70, 0x0a);
	} while (inb(0x71) & 0x80);
	outb(0x70, 0);
	value = inb(0x71);
	return value;
}

static u64 next_second(void)
{
	u32 now = rtc_second();

	while (rtc_second() == now)
		;
	return pv.now();
}

/* Three tries: an emulator on a busy machine looks too late. */
SELFTEST(real_time_clock, "clock/a second is a second for the real-time clock, too")
{
	u64 start = next_second(), took;
	u32 tries;

	for (tries = 0; tries < 3; tries++) {
		took = next_second() - start;
		if (took > 930 * NS_PER_MS && took < (u64)1070 * NS_PER_MS)
			return NULL;
		start += took;
	}
	return test_message("it took %u us", (u32)div64(took, 1000, NULL));
}

/* 16550D data sheet: with bit 4 of the modem register what is sent is received. */
SELFTEST(loopback, "drivers/the serial line, looped back")
{
	static const u8 bytes[] = {0x00, 0x55, 0xaa, 0xff, 'A'};
	u32 i, patience, wrong = 0;
	bool irqs = irq_save();
	u8 modem = inb(0x3fc);

	outb(0x3fc, modem | 0x10);
	for (i = 0; i < sizeof(bytes); i++) {
		outb(0x3f8, bytes[i]);
		for (patience = 100000; patience && !(inb(0x3fd) & 1); patience--)
			;
		wrong += !patience || inb(0x3f8) != bytes[i];
	}
	outb(0x3fc, modem);
	irq_restore(irqs);
	CHECK_EQUAL(wrong, 0);
	return NULL;
}

SELFTEST(hole, "memory/the screen and the BIOS are nobody's frames")
{
	u32 phys;

	for (phys = 0xa0000; phys < 0x100000; phys += PAGE_SIZE)
		CHECK(frame_refs(phys), "frame 0x%x is free", phys);
	return NULL;
}
/*:*/
