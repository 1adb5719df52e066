/* SPDX-License-Identifier: MIT */
/*G:610 Fifteen ways to trip
 *
 * Each exception that the kernel can raise is raised, twice: once through an
 * interrupt gate, which must turn interrupts off on the way in, and once through a
 * trap gate, which must not.  (A Host may let the processor deliver the second kind
 * all by itself; the Guest can't tell, and that is what is tested.)  What arrives is
 * compared with the manual: the vector, the error code, the interrupt flag inside
 * and in the frame, and the saved eip, which is the culprit itself for a fault and
 * the instruction behind it for a trap.
 *
 * What only ring 0 may do is refused in ring 1: those tests (FAULTS_IN_RING_1) are for a
 * Guest.  On a bare machine the same instructions do their work, and
 * arch/native/selftest_native.c looks whether they did.
 */
#include "selftest.h"

#define TEST_ENTRY 29u			/* a GDT entry that nobody uses */
#define TEST_SELECTOR (TEST_ENTRY * 8)
#define NOT_PRESENT_DATA 0x00cf1300u	/* writable data, DPL 0, P = 0 */

enum saved_eip { FAULT, AFTER, ANYWHERE };

struct expectation {
	void (*raise)(void);
	u32 vector, error;
	enum saved_eip eip;
};

/* The ring that the kernel is in: 0 on a bare machine, 1 in a Guest. */
static u32 ring(void)
{
	u32 cs;

	asm("movl %%cs, %0" : "=r"(cs));
	return cs & 3;
}

static const char *check_once(const struct expectation *e, enum gate_type gate)
{
	CHECK_EQUAL(trap_probe.hits, 1);
	CHECK_EQUAL(trap_probe.vector, e->vector);
	CHECK_EQUAL(trap_probe.error, e->error);
	CHECK_EQUAL(trap_probe.cs & 3, ring());
	CHECK_EQUAL(trap_probe.eflags & EFLAGS_IF, EFLAGS_IF);
	CHECK_EQUAL(trap_probe.irqs_on, gate == GATE_TRAP);
	if (e->eip != ANYWHERE)
		CHECK_EQUAL(trap_probe.eip, e->eip == FAULT ? trap_start : trap_next);
	return NULL;
}

static const char *try(const struct expectation *e, enum gate_type gate, unsigned int dpl)
{
	const char *why;

	trap_set_gate(e->vector, trap_stub(e->vector), gate, dpl);
	e->raise();
	trap_reset_gate(e->vector);
	why = check_once(e, gate);
	if (why)
		return why;
	CHECK(pv.irq_enabled(), "interrupts are off after the trap");
	/* With interrupts off, the frame must say so and the way back keep it so. */
	pv.irq_disable();
	trap_set_gate(e->vector, trap_stub(e->vector), gate, dpl);
	e->raise();
	trap_reset_gate(e->vector);
	CHECK(!pv.irq_enabled(), "interrupts are on after a trap that came with them off");
	pv.irq_enable();
	CHECK_EQUAL(trap_probe.eflags & EFLAGS_IF, 0);
	return NULL;
}

/*:*/

/*G:612 The culprits */
static void load_test_entry(u32 low, u32 high)
{
	pv.set_segment(TEST_ENTRY, low, high);
}

u32 trap_bounds[2] = {5, 10};

static void raise_de(void) { TRAP("divb %%ah", 1); }
static void raise_bp(void) { TRAP("int3", 0); }
static void raise_bp2(void) { TRAP(".byte 0xcd, 3", 0); }
static void raise_of(void) { TRAP("addb $1, %%al\n\tinto", 0x7f); }
static void raise_br(void) { TRAP("boundl %%eax, trap_bounds", 11); }
static void raise_ud(void) { TRAP("ud2", 0); }
static void raise_hlt(void) { TRAP("hlt", 0); }
static void raise_sti(void) { TRAP("sti", 0); }
static void raise_rdmsr(void) { TRAP("rdmsr", 0); }
static void raise_cr0(void) { TRAP("movl %%cr0, %%eax", 0); }
static void raise_cr3(void) { TRAP("movl %%eax, %%cr3", 0); }
static void raise_clts(void) { TRAP("clts", 0); }
static void raise_lidt(void) { TRAP("lidt trap_bounds", 0); }
static void raise_invlpg(void) { TRAP("invlpg trap_bounds", 0); }
static void raise_gate0(void) { TRAP("int $0x30", 0); }
static void raise_int5(void) { TRAP("int $5", 0); }
static void raise_int9(void) { TRAP("int $9", 0); }
static void raise_int16(void) { TRAP("int $16", 0); }
static void raise_dr(void) { TRAP("movl %%dr6, %%eax", 0); }
static void raise_wbinvd(void) { TRAP("wbinvd", 0); }
static void raise_sysenter(void) { TRAP("sysenter", 0); }
static void raise_far(void) { TRAP("movw %%ax, %%fs", 200 * 8); }

static void raise_np(void)
{
	load_test_entry(0xffff, NOT_PRESENT_DATA | ring() << 13);
	TRAP("movw %%ax, %%fs", TEST_SELECTOR + ring());
}

static void raise_ss(void)
{
	load_test_entry(0xffff, NOT_PRESENT_DATA | ring() << 13);
	TRAP("movw %%ax, %%ss", TEST_SELECTOR + ring());
}

static void raise_pf_read(void) { TRAP("movl (%%eax), %%ecx", SCRATCH_BASE); }
static void raise_pf_write(void) { TRAP("movl %%ecx, (%%eax)", SCRATCH_BASE); }

/* x87: 1/0 with that exception unmasked is reported by the next x87 instruction. */
static void raise_mf(void)
{
	u16 control = 0x37f & ~4u;

	pv.set_ts(false);
	asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp" : : "m"(control));
	TRAP("fwait", 0);
	asm volatile("fninit");
	pv.set_ts(true);
}

static void raise_xf(void)
{
	u32 unmasked = 0x1f80 & ~0x200u, masked = 0x1f80;

	pv.set_ts(false);
	asm volatile("ldmxcsr %0; xorps %%xmm0, %%xmm0" : : "m"(unmasked));
	TRAP("cvtsi2ss %%eax, %%xmm1\n\tdivss %%xmm0, %%xmm1", 1);
	asm volatile("ldmxcsr %0" : : "m"(masked));
	pv.set_ts(true);
}

static void raise_nm(void)
{
	pv.set_ts(true);
	TRAP("fldz", 0);
}

#define BOTH_GATES(name, title, ...) \
	static const struct expectation name##_expected = {__VA_ARGS__}; \
	SELFTEST(name##_reflected, "trap/" title " by interrupt gate") \
	{ return try(&name##_expected, GATE_INTERRUPT, name##_expected.vector != 14); } \
	SELFTEST(name##_direct, "trap/" title " by trap gate") \
	{ return try(&name##_expected, GATE_TRAP, name##_expected.vector != 14); }

BOTH_GATES(de, "divide error", raise_de, 0, 0, FAULT)
BOTH_GATES(bp, "breakpoint", raise_bp, 3, 0, AFTER)
BOTH_GATES(bp2, "int 3 in two bytes", raise_bp2, 3, 0, AFTER)
BOTH_GATES(of, "overflow", raise_of, 4, 0, AFTER)
BOTH_GATES(br, "bound", raise_br, 5, 0, FAULT)
BOTH_GATES(ud, "invalid instruction", raise_ud, 6, 0, FAULT)
BOTH_GATES(nm, "no FPU while TS is set", raise_nm, 7, 0, FAULT)
BOTH_GATES(np, "segment not present", raise_np, 11, TEST_SELECTOR, FAULT)
BOTH_GATES(ss, "stack segment not present", raise_ss, 12, TEST_SELECTOR, FAULT)
BOTH_GATES(gp, "selector behind the GDT", raise_far, 13, 200 * 8, FAULT)
BOTH_GATES(pf, "page fault", raise_pf_read, 14, 0, FAULT)
BOTH_GATES(mf, "x87 error", raise_mf, 16, 0, FAULT)
BOTH_GATES(int5, "int 5 by software", raise_int5, 5, 0, AFTER)
BOTH_GATES(int9, "int 9 by software", raise_int9, 9, 0, AFTER)
BOTH_GATES(int16, "int 16 by software", raise_int16, 16, 0, AFTER)
/*:*/

#define FAULTS_IN_RING_1(name, title, ...) \
	static const struct expectation name##_expected = {__VA_ARGS__}; \
	SELFTEST_FOR("lguest", name##_test, "trap/" title) \
	{ return try(&name##_expected, GATE_INTERRUPT, 0); }

FAULTS_IN_RING_1(hlt, "hlt is refused", raise_hlt, 13, 0, FAULT)
FAULTS_IN_RING_1(sti, "sti is refused", raise_sti, 13, 0, FAULT)
FAULTS_IN_RING_1(rdmsr, "rdmsr is refused", raise_rdmsr, 13, 0, FAULT)
FAULTS_IN_RING_1(cr0, "reading cr0 is refused", raise_cr0, 13, 0, FAULT)
FAULTS_IN_RING_1(cr3, "writing cr3 is refused", raise_cr3, 13, 0, FAULT)
FAULTS_IN_RING_1(clts, "clts is refused", raise_clts, 13, 0, FAULT)
FAULTS_IN_RING_1(lidt, "lidt is refused", raise_lidt, 13, 0, FAULT)
FAULTS_IN_RING_1(invlpg, "invlpg is refused", raise_invlpg, 13, 0, FAULT)
FAULTS_IN_RING_1(gate0, "int n through a gate of ring 0", raise_gate0, 13, 0x30 * 8 + 2, FAULT)
FAULTS_IN_RING_1(dr, "reading a debug register is refused", raise_dr, 13, 0, FAULT)

/* SDM vol. 2: #GP(0) in ring 1.  QEMU 10 has forgotten to ask, and does nothing. */
SELFTEST_FOR("lguest", wbinvd_test, "trap/wbinvd is refused")
{
	static const struct expectation e = {raise_wbinvd, 13, 0, FAULT};
	const char *why = try(&e, GATE_INTERRUPT, 0);

	return trap_probe.hits ? why : test_skip("this processor lets it pass");
}

/* SDM vol. 2: #GP(0), since nobody (or the Host) has set a segment to enter.  AMD's manual, vol. 3:
 * #UD, in long mode there is no such instruction. */
SELFTEST(sysenter_test, "trap/sysenter leads nowhere")
{
	trap_set_gate(6, trap_stub(6), GATE_INTERRUPT, 0);
	trap_set_gate(13, trap_stub(13), GATE_INTERRUPT, 0);
	raise_sysenter();
	trap_reset_gate(6);
	trap_reset_gate(13);
	CHECK_EQUAL(trap_probe.hits, 1);
	CHECK(trap_probe.vector == 6 || trap_probe.vector == 13,
	      "trap %u, expected 13 (Intel) or 6 (AMD)", trap_probe.vector);
	CHECK_EQUAL(trap_probe.error, 0);
	CHECK_EQUAL(trap_probe.eip, trap_start);
	return NULL;
}

static const struct expectation pf_write_expected = {raise_pf_write, 14, 2, FAULT};
SELFTEST(pf_write, "trap/page fault by a write")
{
	return try(&pf_write_expected, GATE_INTERRUPT, 0);
}

SELFTEST(xf, "trap/SSE division by zero")
{
	static const struct expectation e = {raise_xf, 19, 0, ANYWHERE};

	raise_xf();
	if (!trap_probe.hits)
		return test_skip("this processor does not raise it (QEMU's TCG does not)");
	return try(&e, GATE_INTERRUPT, 0);
}

/*G:615 One step at a time
 *
 * TF in eflags makes the processor trap after each instruction.  The handler must
 * be entered with TF off (else it would trap on its own first instruction), and the
 * frame must hold it, or nobody could single-step.
 */
static void raise_step(void)
{
	trap_probe.single_steps = true;
	TRAP("pushfl\n\torl $0x100, (%%esp)\n\tpopfl\n\tnop", 0);
	trap_probe.single_steps = false;
}

SELFTEST(single_step, "trap/single step")
{
	raise_step();
	CHECK_EQUAL(trap_probe.hits, 1);
	CHECK_EQUAL(trap_probe.vector, 1);
	CHECK_EQUAL(trap_probe.eip, trap_next);
	CHECK_EQUAL(trap_probe.eflags & EFLAGS_TF, EFLAGS_TF);
	return NULL;
}

SELFTEST(single_step_direct, "trap/single step by trap gate")
{
	trap_set_gate(1, trap_stub(1), GATE_TRAP, 0);
	raise_step();
	trap_reset_gate(1);
	CHECK_EQUAL(trap_probe.hits, 1);
	CHECK_EQUAL(trap_probe.eip, trap_next);
	return NULL;
}

SELFTEST(ts_clear, "trap/no trap while TS is clear")
{
	pv.set_ts(false);
	TRAP("fldz\n\tfstp %%st(0)", 0);
	pv.set_ts(true);
	CHECK_EQUAL(trap_probe.hits, 0);
	return NULL;
}

/* The DPL of a gate says who may name it with `int n`: with 0, nobody outside ring
 * 0, and a Guest's kernel is outside. */
SELFTEST(gate_dpl, "trap/int 5 through a gate of ring 0")
{
	trap_set_gate(5, trap_stub(5), GATE_INTERRUPT, 0);
	raise_int5();
	CHECK_EQUAL(trap_probe.hits, 1);
	CHECK_EQUAL(trap_probe.vector, ring() ? 13 : 5);
	CHECK_EQUAL(trap_probe.error, ring() ? 5 * 8 + 2 : 0);
	return NULL;
}
/*:*/
