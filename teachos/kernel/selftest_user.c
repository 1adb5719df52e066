/* SPDX-License-Identifier: MIT */
/*G:640 Behind the counter
 *
 * These tests happen in ring 3.  /bin/usertest holds the programs; here stands what
 * has to become of them: an exit status, or a death with the vector, error code and
 * address that the manual names.
 */
#include "selftest.h"

static const char *expect_exit(const char *name)
{
	int status = run_usertest(name);

	CHECK(status >= 0, "could not start: error %d", -status);
	if (status & 0x7f)
		return test_message("killed by signal %d (vector %u, address 0x%x)", status & 0x7f,
				    last_user_fault.vector, last_user_fault.address);
	if (status == STATUS_EXITED(77))
		return test_skip("this processor does not do that");
	CHECK(!status, "step %d failed", status >> 8);
	return NULL;
}

static const char *expect_death(const char *name, int signal, u32 vector, u32 error)
{
	int status = run_usertest(name);

	CHECK(status >= 0, "could not start: error %d", -status);
	if (status == STATUS_EXITED(77))
		return test_skip("this processor does not do that");
	CHECK(status == STATUS_KILLED(signal), "status 0x%x, expected signal %d", status, signal);
	CHECK_EQUAL(last_user_fault.vector, vector);
	CHECK_EQUAL(last_user_fault.error, error);
	return NULL;
}

#define USER_TEST(name, title) \
	SELFTEST(user_##name, "user/" title) { return expect_exit(#name); }
#define USER_DEATH(name, title, ...) \
	SELFTEST(user_##name, "user/" title) { return expect_death(#name, __VA_ARGS__); }

USER_DEATH(de, "divide error", SIGFPE, 0, 0)
USER_DEATH(db, "single step", SIGTRAP, 1, 0)
USER_DEATH(bp, "breakpoint", SIGTRAP, 3, 0)
USER_DEATH(of, "overflow", SIGSEGV, 4, 0)
USER_DEATH(br, "bound", SIGSEGV, 5, 0)
USER_DEATH(ud, "invalid instruction", SIGILL, 6, 0)
/* Entry 29, user data but for its P bit. */
static const char *by_absent_segment(const char *name, u32 vector)
{
	pv.set_segment(29, 0xffff, 0x00cf7300);
	return expect_death(name, SIGSEGV, vector, 29 * 8);
}

SELFTEST(user_np, "user/segment not present") { return by_absent_segment("np", 11); }
SELFTEST(user_ss, "user/stack segment not present") { return by_absent_segment("ss", 12); }
USER_DEATH(cli, "cli", SIGSEGV, 13, 0)
USER_DEATH(hlt, "hlt", SIGSEGV, 13, 0)
USER_DEATH(in, "in: nothing is emulated for ring 3", SIGSEGV, 13, 0)
USER_DEATH(cr3, "mov cr3", SIGSEGV, 13, 0)
USER_DEATH(kernel_cs, "a kernel selector", SIGSEGV, 13, 0x60)
USER_DEATH(host_cs, "the Host's data selector", SIGSEGV, 13, 0x18)
/* #GP on Intel's processors, #UD on AMD's: see selftest_trap.c. */
SELFTEST(user_sysenter, "user/sysenter")
{
	const char *why = expect_death("sysenter", SIGSEGV, 13, 0);

	return why && last_user_fault.vector == 6 ? expect_death("sysenter", SIGILL, 6, 0) : why;
}

USER_DEATH(syscall_insn, "the syscall instruction", SIGILL, 6, 0)
USER_DEATH(int_1f, "the hypercall vector", SIGSEGV, 13, 0x1f * 8 + 2)
USER_DEATH(int_20, "an interrupt vector", SIGSEGV, 13, 0x20 * 8 + 2)
USER_DEATH(int_6, "int 6 through a gate of ring 0", SIGSEGV, 13, 6 * 8 + 2)
USER_DEATH(int_81, "a vector without a gate", SIGSEGV, 13, 0x81 * 8 + 2)
USER_DEATH(null_read, "reading address 0", SIGSEGV, 14, 4)
USER_DEATH(null_write, "writing address 0", SIGSEGV, 14, 6)
USER_DEATH(text_write, "writing its own text", SIGSEGV, 14, 7)
USER_DEATH(kernel_read, "reading the kernel", SIGSEGV, 14, 5)
USER_DEATH(kernel_write, "writing to the kernel", SIGSEGV, 14, 7)
USER_DEATH(beyond_brk, "behind the end of the heap", SIGSEGV, 14, 6)
USER_DEATH(ac, "misaligned access with AC set", SIGBUS, 17, 0)
USER_DEATH(mf, "x87 error", SIGFPE, 16, 0)
USER_DEATH(xf, "SSE division by zero", SIGFPE, 19, 0)

/*:*/

/*G:645 Programs that live */
USER_TEST(syscalls, "system calls: numbers, answers, bad pointers")
USER_TEST(registers, "registers survive system calls and interrupts")
USER_TEST(zeroed, "stack and heap begin as zeros")
USER_TEST(brk, "brk grows and shrinks")
USER_TEST(fork_cow, "fork copies on write, both ways")
USER_TEST(fork_many, "thirty children at once")
USER_TEST(exec, "exec passes arguments and replaces memory")
USER_TEST(luggage, "exec carries 6000 words, 100000 characters, the environment")
USER_TEST(wait, "wait: statuses, unknown children, not yet")
USER_TEST(preempt, "a spinning process is preempted and killed")
USER_TEST(sleep, "nanosleep sleeps long enough")
USER_TEST(tls, "thread-local segments survive process switches")
USER_TEST(tls_stale, "a TLS segment that goes away while %gs holds it")
USER_TEST(fpu, "x87 and SSE registers belong to their process")
USER_TEST(fpu_fork, "a child inherits the FPU registers")

SELFTEST(user_orphan, "user/orphans are buried")
{
	const char *why = expect_exit("orphan");

	if (!why)
		CHECK_EQUAL(process_count(), 1);	/* the kernel itself */
	return why;
}

USER_TEST(files, "files and directories")
USER_TEST(pipes, "pipes: ends, limits, who sleeps and who dies")
USER_TEST(pipe_flow, "a pipe loses nothing and mixes no records")
USER_TEST(dup, "two numbers for one open file")
USER_TEST(tmp_files, "files in /tmp")
USER_TEST(tmp_limits, "a full /tmp: many files, large files, large everything")
USER_TEST(maps, "mmap and munmap: promises, rights, holes")
USER_TEST(two_hundred, "two hundred processes")

static const char *stress(const char *what)
{
	int status = run_program("/bin/stress", what);

	CHECK(!status, "status 0x%x", status);
	CHECK_EQUAL(process_count(), 1);
	return NULL;
}

SELFTEST(stress_fork, "stress/200 processes") { return stress("fork"); }
SELFTEST(stress_memory, "stress/all memory, and more") { return stress("memory"); }
SELFTEST(stress_pipes, "stress/ten pipes at once") { return stress("pipes"); }
SELFTEST(stress_signals, "stress/a thousand signals") { return stress("signals"); }
USER_TEST(nonsense, "twenty thousand senseless system calls")

/* The same trap through the other kind of gate, straight to ring 1. */
static const char *by_trap_gate(const char *name, int signal, u32 vector, unsigned int dpl)
{
	const char *why;

	trap_set_gate(vector, trap_stub(vector), GATE_TRAP, dpl);
	why = expect_death(name, signal, vector, 0);
	trap_reset_gate(vector);
	return why;
}

SELFTEST(direct_de, "user/divide error by trap gate") { return by_trap_gate("de", SIGFPE, 0, 0); }
SELFTEST(direct_bp, "user/breakpoint by trap gate") { return by_trap_gate("bp", SIGTRAP, 3, 3); }
SELFTEST(direct_ud, "user/invalid instruction by trap gate")
{
	return by_trap_gate("ud", SIGILL, 6, 0);
}

SELFTEST(direct_xf, "user/SSE division by zero by trap gate")
{
	return by_trap_gate("xf", SIGFPE, 19, 0);
}

/* ... and the system call through an interrupt gate, by way of the Host. */
SELFTEST(reflected_syscall, "user/system calls by interrupt gate")
{
	const char *why;

	trap_set_gate(0x80, trap_stub(0x80), GATE_INTERRUPT, 3);
	why = expect_exit("syscalls");
	trap_reset_gate(0x80);
	return why;
}

SELFTEST(shell, "shell/pipes, redirection, quotes, complaints")
{
	int status = run_program("/bin/shelltest", "");

	CHECK(!status, "status 0x%x: question %d", status, (status >> 8) - 1);
	CHECK(!tmp_files(), "%u files are left in /tmp", tmp_files());
	return NULL;
}

/*:*/

/* Takes all frames but some, strung on a chain; gives back one, or all. */
static u32 take_frames_but(u32 some)
{
	u32 chain = 0, frame;

	while (frames_free() > some) {
		frame = frame_alloc();
		*(u32 *)phys_to_virt(frame) = chain;
		chain = frame;
	}
	return chain;
}

static u32 give_one(u32 chain)
{
	u32 next = *(u32 *)phys_to_virt(chain);

	frame_put(chain);
	return next;
}

/*G:648 Poverty
 *
 * Every allocation can fail, so let every one of them fail.  With no free frame at all a
 * program is run that does a little of everything; then with one; then with two; until it
 * comes through.  Each time it must end: well, or with an honest ENOMEM, or killed when
 * it touched memory that had been promised.  And each time all must be given back.
 */
static const char *poor(u32 *chain)
{
	u32 keep, failures = 0;
	int status, ignored;

	for (keep = 0; keep < 300 && *chain; keep++) {
		status = run_usertest("scarce");
		while (process_wait(-1, &ignored, 0) > 0)
			;	/* it died first, and its child is an orphan, and ours */
		if (!status)
			break;
		failures++;
		CHECK(status == -ENOMEM || status == STATUS_EXITED(12) ||
		      status == STATUS_KILLED(SIGKILL), "%u frames: status 0x%x", keep, status);
		CHECK(frames_free() == keep, "%u frames, and %u afterwards", keep, frames_free());
		CHECK_EQUAL(process_count(), 1);
		*chain = give_one(*chain);
	}
	CHECK(!status, "300 frames are not enough");
	CHECK(failures > 10, "only %u failures: nothing was scarce", failures);
	return NULL;
}

SELFTEST(scarce, "memory/runs out in every place, and each says so")
{
	const char *why;
	u32 chain;

	CHECK_EQUAL(run_usertest("scarce"), 0);
	chain = take_frames_but(0);
	why = poor(&chain);
	while (chain)
		chain = give_one(chain);
	return why;
}

SELFTEST(fork_bomb, "memory/as many processes as there is room for")
{
	u32 chain;
	int status, ignored;

	chain = take_frames_but(500);
	status = run_usertest("fork_bomb");
	/* The bomb itself may be the one who gets no page; then its children are ours. */
	while (process_count() > 1)
		process_wait(-1, &ignored, 0);
	while (chain)
		chain = give_one(chain);
	CHECK(!status || status == STATUS_KILLED(SIGKILL), "status 0x%x", status);
	return NULL;
}
/*:*/

/*G:649 And nothing is lost */
SELFTEST(nothing_leaks, "user/processes give all their memory back")
{
	u32 before, i;

	run_usertest("fork_cow");	/* fills caches of stacks and heap pages */
	run_usertest("fork_many");
	run_usertest("pipes");
	run_usertest("tmp_files");
	run_usertest("maps");
	before = frames_free();
	for (i = 0; i < 3; i++) {
		CHECK_EQUAL(run_usertest("fork_cow"), 0);
		CHECK_EQUAL(run_usertest("fork_many"), 0);
		CHECK_EQUAL(run_usertest("null_read"), STATUS_KILLED(SIGSEGV));
		CHECK_EQUAL(run_usertest("pipes"), 0);
		CHECK_EQUAL(run_usertest("tmp_files"), 0);
		CHECK_EQUAL(run_usertest("maps"), 0);
	}
	CHECK_EQUAL(frames_free(), before);
	return NULL;
}
/*:*/
