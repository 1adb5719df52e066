/* SPDX-License-Identifier: MIT */
/*G:670 What only a Guest can ask
 *
 * The tests of the other files would pass on a bare machine as well.  These are
 * about the contract itself: what the Host hands over at the door, that hypercalls
 * take nothing away, the ring, the no-interrupt range, the little instructions that
 * a Guest may stumble over and the Host picks up.  ABI.md is the judge.
 */
#define SELFTEST_ONLY "lguest"
#include "hypercall.h"
#include "selftest.h"

#define TEST_ENTRY 29u

void pattern_hypercall(const u32 in[7], u32 out[8]);
void pattern_wait(const u32 in[7], u32 out[8], u32 before);
u32 noirq_spin(u32 thousands);

SELFTEST(entry, "lguest/registers at the first instruction")
{
	const struct boot_registers *r = &boot_registers;

	CHECK_EQUAL(r->eax | r->ebx | r->ecx | r->edx | r->esi | r->edi | r->ebp | r->esp, 0);
	CHECK_EQUAL(r->cs & 0xffff, LGUEST_KERNEL_CS);
	CHECK_EQUAL(r->ds & 0xffff, LGUEST_KERNEL_DS);
	CHECK_EQUAL(r->es & 0xffff, LGUEST_KERNEL_DS);
	CHECK_EQUAL(r->ss & 0xffff, LGUEST_KERNEL_DS);
	CHECK_EQUAL((r->fs | r->gs) & 0xffff, 0);
	CHECK_EQUAL(r->eflags & 0x3f7fd7, 0x202);
	return NULL;
}

SELFTEST(init, "lguest/INIT filled in its fields")
{
	CHECK(lguest_data.reserve_mem <= 0x4000000, "reserve_mem 0x%x", lguest_data.reserve_mem);
	CHECK(boot_time_s > 1000000000, "wall clock %u", boot_time_s);
	CHECK(lguest_data.time.tv_sec - boot_time_s < 1000, "it went from %u to %u", boot_time_s,
	      lguest_data.time.tv_sec);
	CHECK(lguest_data.time.tv_nsec < 1000000000, "nanoseconds %u", lguest_data.time.tv_nsec);
	CHECK(!lguest_data.tsc_khz || lguest_data.tsc_khz > 1000, "tsc_khz %u",
	      lguest_data.tsc_khz);
	return NULL;
}

static const char *compare_registers(const u32 *in, const u32 *out)
{
	static const char *const names[] = {"eax", "ebx", "ecx", "edx", "esi", "edi", "ebp"};
	u32 i;

	for (i = 0; i < 7; i++)
		CHECK(in[i] == out[i], "%s was 0x%x and came back 0x%x", names[i], in[i], out[i]);
	CHECK_EQUAL(out[7] & 0xcd5, out[7] & 1 ? out[7] & 0xcd5 : 0xffffffff);	/* carry stayed */
	return NULL;
}

/* Arguments that a call does not use may be anything, and come back untouched. */
SELFTEST(registers, "lguest/a hypercall changes no register")
{
	static const u32 numbers[] = {
		LHCALL_FLUSH_ASYNC, LHCALL_SEND_INTERRUPTS, LHCALL_TS, LHCALL_FLUSH_TLB,
	};
	u32 i, out[8];
	const char *why = NULL;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && !why; i++) {
		u32 in[7] = {numbers[i], 0xdeadbeef, 0x12345678, 0x9abcdef0, 0x0f1e2d3c,
			     0xfedcba98, 0xa5a5a5a5};

		pattern_hypercall(in, out);
		why = compare_registers(in, out);
	}
	return why;
}

SELFTEST(interrupted, "lguest/an interrupt changes no register")
{
	u32 in[7] = {0xdeadbeef, 0x12345678, 0x9abcdef0, 0x0f1e2d3c, 0xfedcba98, 0xa5a5a5a5,
		     0x600dcafe}, out[8];
	u32 i;
	const char *why = NULL;

	for (i = 0; i < 10 && !why; i++) {
		u32 before = irq_count[0];

		pv.clock_arm(NS_PER_MS);
		pattern_wait(in, out, before);
		why = compare_registers(in, out);
	}
	return why;
}

/*:*/
/*G:675 Around the ring
 *
 * All slots, filled from every starting point, so that each batch crosses the seam
 * between the last and the first somewhere else.  Order is seen through a descriptor: each
 * call loads the same GDT entry with another limit, `lsl` reads the limit back, and
 * the last call must win.
 */
static u32 read_limit(u32 selector)
{
	u32 limit = 0xffffffff;

	asm volatile("lsl %1, %0" : "+r"(limit) : "r"(selector) : "cc");
	return limit;
}

static bool push_limit(u32 limit)
{
	/* Byte granular writable data, DPL 1. */
	return ring_push(LHCALL_LOAD_GDT_ENTRY, TEST_ENTRY, limit, 0x0040b300, 0);
}

static const char *all_slots_free(void)
{
	u32 i;

	for (i = 0; i < LHCALL_RING_SIZE; i++)
		CHECK(lguest_data.hcall_status[i] == LHCALL_RING_FREE, "slot %u is 0x%x", i,
		      lguest_data.hcall_status[i]);
	return NULL;
}

SELFTEST(ring_order, "ring/order, at every starting point")
{
	u32 start, i, limit = 0;
	const char *why = NULL;

	for (start = 0; start < LHCALL_RING_SIZE + 1 && !why; start++) {
		for (i = 0; i < 5; i++)
			push_limit(++limit);
		CHECK(read_limit(TEST_ENTRY * 8 + 1) != limit, "it ran before anybody asked");
		ring_flush();
		CHECK_EQUAL(read_limit(TEST_ENTRY * 8 + 1), limit);
		why = all_slots_free();
	}
	return why;
}

SELFTEST(ring_full, "ring/as many calls as it has slots, and not one more")
{
	u32 round, i;
	const char *why = NULL;

	for (round = 0; round < 3 && !why; round++) {
		for (i = 0; i < LHCALL_RING_SIZE; i++)
			CHECK(push_limit(0x100 + i), "full after %u", i);
		CHECK(!push_limit(0x999), "room for one more");
		/* A direct call comes after everything that waits. */
		hypercall(LHCALL_LOAD_GDT_ENTRY, TEST_ENTRY, 0x777, 0x0040b300, 0);
		CHECK_EQUAL(read_limit(TEST_ENTRY * 8 + 1), 0x777);
		why = all_slots_free();
		push_limit(1);		/* next round, one further */
		ring_flush();
	}
	return why;
}

SELFTEST(ring_lazy, "ring/a batch of a hundred")
{
	u32 i;

	pv.batch_begin();
	for (i = 0; i < 100; i++)
		lazy_hypercall(LHCALL_LOAD_GDT_ENTRY, TEST_ENTRY, i, 0x0040b300, 0);
	pv.batch_end();
	CHECK_EQUAL(read_limit(TEST_ENTRY * 8 + 1), 99);
	return all_slots_free();
}

SELFTEST(ring_any_status, "ring/any status but 0xff means: please do")
{
	u32 position = ring_position;

	push_limit(0x321);
	lguest_data.hcall_status[position] = 0x80;
	ring_flush();
	CHECK_EQUAL(read_limit(TEST_ENTRY * 8 + 1), 0x321);
	return all_slots_free();
}

/* A NOTIFY leaves for the Launcher in the middle of the ring; the rest is still owed. */
SELFTEST(ring_notify, "ring/goes on after a NOTIFY")
{
	static const char text[] = "# this line travelled through the ring\n";

	push_limit(1);
	ring_push(LHCALL_NOTIFY, virt_to_phys(text), 0, 0, 0);
	push_limit(2);
	hypercall(LHCALL_TS, 1, 0, 0, 0);
	CHECK_EQUAL(read_limit(TEST_ENTRY * 8 + 1), 2);
	return all_slots_free();
}

SELFTEST(ring_everything, "ring/every lazy call of a process switch")
{
	static const u64 tls[3] __attribute__((aligned(8))) = {0x0040f30000001234ull};
	u32 i, limit;

	for (i = 0; i < 3; i++) {
		ring_push(LHCALL_NEW_PGTABLE, kernel_root, 0, 0, 0);
		ring_push(LHCALL_SET_STACK, LGUEST_KERNEL_DS, (u32)__builtin_frame_address(0), 1, 0);
		ring_push(LHCALL_LOAD_TLS, virt_to_phys(tls), 0, 0, 0);
		ring_push(LHCALL_TS, 8, 0, 0, 0);
		ring_push(LHCALL_FLUSH_TLB, 0, 0, 0, 0);
		ring_push(LHCALL_SET_PTE, kernel_root, SCRATCH_BASE, 0, 0);
		ring_push(LHCALL_SET_PGD, kernel_root, 0, 0, 0);
		ring_flush();
	}
	limit = read_limit(0x33);
	for (i = 0; i < 3; i++)		/* nothing was TLS before, nothing is now */
		hypercall(LHCALL_LOAD_GDT_ENTRY, 6 + i, 0, 0, 0);
	CHECK_EQUAL(limit, 0x1234);
	return all_slots_free();
}
/*:*/

/*G:680 The door-keeper of the GDT
 *
 * A descriptor can be a key to any door: ring 0, 64-bit mode, a gate.  The Host
 * files the dangerous teeth off.  `lar` shows what is really in the table, as far as
 * our ring may see it.
 */
static u32 access_rights(u32 entry)
{
	u32 rights = 0;
	bool visible;

	asm volatile("lar %2, %0" : "+r"(rights), "=@ccz"(visible) : "r"(entry * 8 + 1));
	return visible ? rights : 0;
}

static u32 rights_after_loading(u32 high)
{
	hypercall(LHCALL_LOAD_GDT_ENTRY, TEST_ENTRY, 0xffff, high, 0);
	return access_rights(TEST_ENTRY);
}

SELFTEST(gdt_fixups, "segments/ring 0 becomes ring 1, accessed is set")
{
	CHECK_EQUAL(rights_after_loading(0x00cf9200) & 0xf0ff00, 0xc0b300);
	CHECK_EQUAL(rights_after_loading(0x00cf9a00) & 0xf0ff00, 0xc0bb00);
	CHECK_EQUAL(rights_after_loading(0x00cff200) & 0xf0ff00, 0xc0f300);
	return NULL;
}

SELFTEST(gdt_hostile, "segments/no gates, no tasks, no 64-bit code")
{
	static const u32 highs[] = {0x0000ec00, 0x00008900, 0x00008b00, 0x00008200, 0x0000ee00};
	u32 i, rights;

	for (i = 0; i < sizeof(highs) / sizeof(highs[0]); i++) {
		rights = rights_after_loading(highs[i]);
		CHECK(!(rights & 0x8000) || (rights & 0x1000), "0x%08x shows 0x%08x", highs[i],
		      rights);
	}
	rights = rights_after_loading(0x00afbb00);
	CHECK(!(rights & 0x8000) || !(rights & 0x200000), "64-bit code: 0x%08x", rights);
	hypercall(LHCALL_LOAD_GDT_ENTRY, TEST_ENTRY, 0, 0, 0);
	return NULL;
}

SELFTEST(gdt_ignored, "segments/entries of the Host are left alone")
{
	static const u8 entries[] = {10, 11, 16, 31};
	u32 i, before;

	for (i = 0; i < sizeof(entries); i++) {
		before = access_rights(entries[i]);
		hypercall(LHCALL_LOAD_GDT_ENTRY, entries[i], 0xffff, 0x00cfb300, 0);
		CHECK(access_rights(entries[i]) == before, "entry %u changed", entries[i]);
	}
	return NULL;
}

/* 0x10 and 0x18 are the Host's own segments of ring 0, one of them 64 bits wide. */
SELFTEST(host_selectors, "segments/the Host's selectors cannot be loaded")
{
	static const u8 selectors[] = {0x10, 0x11, 0x18, 0x19};
	u32 i;

	for (i = 0; i < sizeof(selectors); i++) {
		TRAP("movw %%ax, %%fs", selectors[i]);
		CHECK(trap_probe.hits == 1 && trap_probe.vector == 13, "0x%x went into fs",
		      selectors[i]);
		CHECK_EQUAL(trap_probe.error, selectors[i] & ~3u);
	}
	TRAP("ljmp $0x10, $0", 0);
	CHECK_EQUAL(trap_probe.hits, 1);
	CHECK_EQUAL(trap_probe.vector, 13);
	CHECK_EQUAL(trap_probe.error, 0x10);
	return NULL;
}

SELFTEST(syscall_instruction, "segments/the syscall instruction leads nowhere")
{
	TRAP("syscall", 0);
	CHECK_EQUAL(trap_probe.hits, 1);
	CHECK_EQUAL(trap_probe.vector, 6);
	CHECK_EQUAL(trap_probe.eip, trap_start);
	return NULL;
}

SELFTEST(idt_ignored, "segments/gates of the Host are left alone")
{
	static const u8 vectors[] = {2, 8, 15, 0x1f};
	u32 i;

	for (i = 0; i < sizeof(vectors); i++) {
		/* A task gate, as Linux sends one for 8; then a gate that leads nowhere. */
		hypercall(LHCALL_LOAD_IDT_ENTRY, vectors[i], 0x00f80000, 0x00008500, 0);
		hypercall(LHCALL_LOAD_IDT_ENTRY, vectors[i], 0x00611000, 0x0000ef00, 0);
	}
	hypercall(LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
	return NULL;
}

SELFTEST(tls_call, "segments/LOAD_TLS, and %gs with a base")
{
	static u32 block[2] = {1, 0x7ea7};
	u64 base = (u32)block, tls[3] = {
		0x0040f20000000007ull | (base & 0xffffff) << 16 | (base >> 24) << 56,
	};
	u32 value;

	hypercall(LHCALL_LOAD_TLS, virt_to_phys(tls), 0, 0, 0);
	asm volatile("movw %w1, %%gs\n\tmovl %%gs:4, %0\n\tmovw %w2, %%gs"
		     : "=r"(value) : "r"(0x33), "r"(0));
	tls[0] = 0;
	hypercall(LHCALL_LOAD_TLS, virt_to_phys(tls), 0, 0, 0);
	CHECK_EQUAL(value, 0x7ea7);
	return NULL;
}
/*:*/

/*G:685 Stumbling over instructions
 *
 * Old drivers talk to ports that are not there, and read all ones.  A kernel that
 * was never told about Hosts says `cli`.  Both are picked up silently.
 */
SELFTEST(in, "emulation/in gives all ones, in the right width")
{
	u32 b, w, l, bi, wi, li;

	asm volatile("inb %%dx, %%al" : "=a"(b) : "0"(0x12345678), "d"(0x60));
	asm volatile("inw %%dx, %%ax" : "=a"(w) : "0"(0x12345678), "d"(0xcfc));
	asm volatile("inl %%dx, %%eax" : "=a"(l) : "0"(0x12345678), "d"(0xcfc));
	asm volatile("inb $0x64, %%al" : "=a"(bi) : "0"(0x12345678));
	asm volatile("inw $0x64, %%ax" : "=a"(wi) : "0"(0x12345678));
	asm volatile("inl $0x64, %%eax" : "=a"(li) : "0"(0x12345678));
	CHECK_EQUAL(b, 0x123456ff);
	CHECK_EQUAL(w, 0x1234ffff);
	CHECK_EQUAL(l, 0xffffffff);
	CHECK_EQUAL(bi, 0x123456ff);
	CHECK_EQUAL(wi, 0x1234ffff);
	CHECK_EQUAL(li, 0xffffffff);
	return NULL;
}

SELFTEST(out, "emulation/out vanishes")
{
	u32 eax;

	asm volatile("outb %%al, %%dx\n\toutw %%ax, %%dx\n\toutl %%eax, %%dx\n\t"
		     "outb %%al, $0x80\n\toutw %%ax, $0x80\n\toutl %%eax, $0x80"
		     : "=a"(eax) : "0"(0x12345678), "d"(0xcf8));
	CHECK_EQUAL(eax, 0x12345678);
	return NULL;
}

SELFTEST(cli, "emulation/cli is skipped and means nothing")
{
	asm volatile("cli");
	CHECK_EQUAL(lguest_data.irq_enabled & LGUEST_IF, LGUEST_IF);
	return NULL;
}

SELFTEST(popf, "emulation/popf cannot turn interrupts off")
{
	u32 flags;

	asm volatile("pushfl\n\tandl $~0x200, (%%esp)\n\tpopfl\n\tpushfl\n\tpopl %0"
		     : "=r"(flags) : : "cc", "memory");
	CHECK_EQUAL(flags & 0x3200, 0x200);	/* IF stays 1, IOPL 0 */
	return NULL;
}

SELFTEST(tsc, "emulation/rdtsc counts up")
{
	u64 first = rdtsc();

	spin_thousands(10);
	CHECK(rdtsc() > first, "it stood still");
	return NULL;
}
/*:*/

/*G:687 A stack that is not there
 *
 * When ring 3 traps, somebody pushes a frame on the ring-1 stack.  Here that stack is a
 * page that our tables have and the shadow has not, and SET_STACK does not ask for it
 * to be pinned.  The trap must arrive all the same.
 */
static void borrowed_stack(u32 esp)
{
	(void)esp;
	hypercall(LHCALL_SET_STACK, LGUEST_KERNEL_DS, SCRATCH_BASE + PAGE_SIZE, 0, 0);
	hypercall(LHCALL_SET_PTE, kernel_root, SCRATCH_BASE, 0, 0);
}

SELFTEST(absent_stack, "user/a system call while the kernel's stack is not at hand")
{
	void (*usual)(u32 esp) = pv.set_kernel_stack;
	u32 frame = frame_alloc_zeroed(), used, i;
	int status;

	page_map(kernel_root, SCRATCH_BASE, frame, PTE_RW);
	pv.set_kernel_stack = borrowed_stack;
	status = run_usertest("registers");
	pv.set_kernel_stack = usual;
	*pte_lookup(kernel_root, SCRATCH_BASE) = 0;
	pv.pte_changed(kernel_root, SCRATCH_BASE, 0);
	for (used = 0, i = 0; i < 1024; i++)
		used += ((u32 *)phys_to_virt(frame))[i] != 0;
	frame_put(frame);
	CHECK_EQUAL(status, 0);
	CHECK(used, "nothing was ever pushed there");
	return NULL;
}
/*:*/

/*G:690 Do not disturb
 *
 * The timer rings while we sit in the no-interrupt range with interrupts on.  It
 * must wait until we leave, and then come by itself; irq_pending is none of the
 * Host's business meanwhile.
 */
SELFTEST(noirq, "irq/nothing is delivered in the no-interrupt range")
{
	u32 before = irq_count[0], inside;

	pv.irq_disable();
	pv.clock_arm(5 * NS_PER_MS);
	inside = noirq_spin(40000);
	CHECK_EQUAL(inside, before);
	CHECK(spin_until_changed(&irq_count[0], before), "it never came");
	return NULL;
}

SELFTEST(pending_word, "irq/irq_pending says that one waits")
{
	volatile u32 *pending = (volatile u32 *)&lguest_data.irq_pending;
	u32 before = irq_count[0];

	pv.irq_disable();
	CHECK_EQUAL(*pending, 0);
	pv.clock_arm(NS_PER_MS);
	CHECK(spin_until_changed(pending, 0), "irq_pending was never set");
	CHECK_EQUAL(*pending, LGUEST_IF);
	CHECK_EQUAL(irq_count[0], before);
	pv.irq_enable();
	CHECK_EQUAL(irq_count[0], before + 1);
	CHECK_EQUAL(*pending, 0);
	return NULL;
}

/* HALT is "sti; hlt": what is pending already must end it at once. */
SELFTEST(halt_pending, "irq/HALT with an interrupt pending")
{
	u32 before = irq_count[0];

	pv.irq_disable();
	pv.clock_arm(NS_PER_MS);
	spin_thousands(20000);
	pv.halt();
	CHECK_EQUAL(irq_count[0], before + 1);
	CHECK(pv.irq_enabled(), "interrupts are off");
	return NULL;
}

SELFTEST(notify_nothing, "lguest/NOTIFY of 0 is nothing")
{
	hypercall(LHCALL_NOTIFY, 0, 0, 0, 0);
	return NULL;
}

/* The Host keeps it for better times.  (A bare processor has taken it from the controller
 * by then, and can only fault: selftest_native.c.) */
SELFTEST(no_gate, "irq/without a gate it stays pending")
{
	u32 before = irq_count[0];

	pv.set_gate(IRQ_VECTOR, 0, 0);
	pv.clock_arm(NS_PER_MS);
	spin_thousands(20000);
	CHECK_EQUAL(irq_count[0], before);
	trap_set_gate(IRQ_VECTOR, trap_stub(IRQ_VECTOR), GATE_INTERRUPT, 0);
	CHECK(spin_until_changed(&irq_count[0], before), "it never came");
	return NULL;
}

/* The Host may not wait to be asked: a Guest of 2011 never asks. */
SELFTEST(unasked, "irq/comes without SEND_INTERRUPTS")
{
	u32 before = irq_count[0];

	pv.irq_disable();
	pv.clock_arm(NS_PER_MS);
	spin_thousands(20000);
	*(volatile u32 *)&lguest_data.irq_enabled = LGUEST_IF;
	CHECK(spin_until_changed(&irq_count[0], before), "it never came");
	return NULL;
}

SELFTEST(whole_flags, "irq/irq_enabled is one bit, not a word")
{
	u32 before = irq_count[0];

	*(volatile u32 *)&lguest_data.irq_enabled = 0x46;	/* flags, but not IF */
	pv.clock_arm(NS_PER_MS);
	spin_thousands(20000);
	CHECK_EQUAL(irq_count[0], before);
	*(volatile u32 *)&lguest_data.irq_enabled = 0x246;
	CHECK(spin_until_changed(&irq_count[0], before), "it never came");
	return NULL;
}
/*:*/

#ifdef CONFIG_PAE
SELFTEST(set_pmd, "paging/SET_PMD after a directory entry changed")
{
	u32 root = root_create(), a = frame_alloc_zeroed(), b = frame_alloc_zeroed(), one, two;
	u32 table = frame_alloc_zeroed();
	pte_t *directory;
	const u32 va = 0x20000000;

	*(u32 *)phys_to_virt(a) = 1;
	*(u32 *)phys_to_virt(b) = 2;
	CHECK(page_map(root, va, a, PTE_RW | PTE_US), "no memory");
	directory = phys_to_virt(pte_phys(((pte_t *)phys_to_virt(root))[va >> 30]));
	root_switch(root);
	one = *(volatile u32 *)va;
	((pte_t *)phys_to_virt(table))[0] = b | PTE_P | PTE_RW | PTE_US;
	frame_put(a);
	frame_put(pte_phys(directory[(va >> 21) & 511]));
	directory[(va >> 21) & 511] = table | DIR_FLAGS;
	hypercall(LHCALL_SET_PMD, virt_to_phys(directory), (va >> 21) & 511, 0, 0);
	two = *(volatile u32 *)va;
	root_switch(kernel_root);
	root_destroy(root);
	CHECK_EQUAL(one, 1);
	CHECK_EQUAL(two, 2);
	return NULL;
}
#endif
