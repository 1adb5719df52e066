/* SPDX-License-Identifier: MIT */
/* See gate.h. */
#define _GNU_SOURCE
#include "gate.h"

#include <asm/prctl.h>
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

extern struct regs gate_regs;
extern u64 gate_fs_base;
void gate_enter(void);
void gate_leave(void);
void gate_leave_other(void);
extern u32 gate_other, gate_segments[4];
void gate_signal(int number, siginfo_t *info, void *context);
void gate_caught(int number, siginfo_t *info, void *context);
_Static_assert(offsetof(struct regs, eip) == 32 && offsetof(struct regs, ds) == 40 &&
	       offsetof(struct regs, gs) == 52, "gate.asm says so");

#define IMAGE_BASE 0xc0100000u	/* guest.ld */
#define STACK_BASE 0x70000000u
#define STACK_SIZE 0x10000u
#define HOOK_BASE 0x60000000u
#define STEPS_MOST 1000000u

void (*guest_on_int)(u32 vector, struct regs *r);
void (*guest_on_step)(struct regs *r);
bool (*guest_on_fault)(const struct regs *r);
u32 guest_steps, guest_stack_top = STACK_BASE + STACK_SIZE, guest_end, guest_other_end;
bool guest_single_step, guest_went_other;
struct regs guest_at_call;

static u8 *image;
static const Elf32_Sym *symbols;
static u32 symbol_count;
static const char *names;
static struct {
	u32 address;
	u32 (*f)(const u32 *args);
} calls[64];
static u32 call_count;
static bool inside, leaving;

u32 random32(void)
{
	static u64 x;

	if (!x)
		x = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 0) * 2 + 1 : 4711;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (u32)(x >> 16);
}

/* 125 is no verdict about the code: this machine cannot run it. */
static void cannot(const char *why)
{
	fprintf(stderr, "this machine cannot run 32-bit code in a test: %s\n", why);
	_exit(125);
}

static void guest_stack(void)
{
	if (mmap(guest(STACK_BASE), STACK_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		cannot("no memory for a stack");
	if (mmap(guest(HOOK_BASE), 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		cannot("no memory for hooks");
}

static void load(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 8);
	const Elf32_Ehdr *e;
	const Elf32_Shdr *s;
	int fd, i;

	if (n < 0)
		cannot("no /proc");
	strcpy(path + n, ".guest");
	fd = open(path, O_RDONLY);
	if (fd < 0)
		cannot("the .guest file is missing");
	n = lseek(fd, 0, SEEK_END);
	image = mmap(NULL, (size_t)n, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	e = (const void *)image;
	s = (const void *)(image + e->e_shoff);
	for (i = 0; i < e->e_shnum; i++)
		if (s[i].sh_type == SHT_SYMTAB) {
			symbols = (const void *)(image + s[i].sh_offset);
			symbol_count = s[i].sh_size / sizeof(*symbols);
			names = (const char *)image + s[s[i].sh_link].sh_offset;
		}
}

int guest_begin(void **state)
{
	const Elf32_Ehdr *e;
	const Elf32_Phdr *p;
	stack_t other = {.ss_size = 1 << 16};
	u32 i;

	(void)state;
	if (!image)
		load();
	e = (const void *)image;
	p = (const void *)(image + e->e_phoff);
	for (i = 0; i < e->e_phnum; i++) {
		u32 from = p[i].p_vaddr & ~0xfffu, to = (p[i].p_vaddr + p[i].p_memsz + 0xfff) & ~0xfffu;

		if (p[i].p_type != PT_LOAD || !p[i].p_memsz)
			continue;
		if (mmap(guest(from), to - from, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			cannot("no memory where TeachOS is linked");
		memcpy(guest(p[i].p_vaddr), image + p[i].p_offset, p[i].p_filesz);
	}
	guest_stack();
	if ((u64)(uintptr_t)gate_leave >> 32)
		cannot("the program is not below 4 GiB");
	syscall(SYS_arch_prctl, ARCH_GET_FS, &gate_fs_base);
	other.ss_sp = malloc(other.ss_size);
	sigaltstack(&other, NULL);
	guest_end = (u32)(uintptr_t)gate_leave;
	guest_other_end = (u32)(uintptr_t)gate_leave_other;
	guest_on_int = NULL;
	guest_on_fault = NULL;
	guest_on_step = NULL;
	guest_single_step = false;
	guest_steps = call_count = 0;
	inside = false;
	return 0;
}

static const Elf32_Sym *find(const char *name)
{
	for (u32 i = 0; i < symbol_count; i++)
		if (symbols[i].st_shndx != SHN_UNDEF && !strcmp(names + symbols[i].st_name, name))
			return &symbols[i];
	return NULL;
}

bool guest_has(const char *name)
{
	return find(name);
}

u32 guest_symbol(const char *name)
{
	const Elf32_Sym *s = find(name);

	if (!s)
		fail_msg("there is no %s in what was compiled", name);
	return s->st_value;
}

const char *guest_name(u32 address)
{
	const Elf32_Sym *best = NULL;

	for (u32 i = 0; i < symbol_count; i++)
		if (symbols[i].st_shndx != SHN_UNDEF && symbols[i].st_shndx < SHN_LORESERVE &&
		    *(names + symbols[i].st_name) && symbols[i].st_value <= address &&
		    (!best || symbols[i].st_value > best->st_value))
			best = &symbols[i];
	return best && address - best->st_value < 4096 ? names + best->st_name : "nowhere";
}

static void trap_at(u32 address, u32 (*f)(const u32 *args))
{
	u32 i;

	for (i = 0; i < call_count && calls[i].address != address; i++)
		;
	assert_true(i < 64);
	calls[i].address = address;
	calls[i].f = f;
	call_count += i == call_count;
	memcpy(guest(address), "\x0f\x0b\xc3", 3);	/* ud2, ret */
}

void guest_on_call(const char *name, u32 (*f)(const u32 *args))
{
	if (guest_has(name))		/* whom nobody calls, nobody has to play */
		trap_at(guest_symbol(name), f);
}

u32 guest_hook(u32 (*f)(const u32 *args))
{
	u32 address = HOOK_BASE + call_count * 16, i;

	for (i = 0; i < call_count; i++)
		if (calls[i].f == f && calls[i].address - HOOK_BASE < 4096)
			return calls[i].address;
	trap_at(address, f);
	return address;
}

void guest_leave(void)
{
	leaving = true;
}

static void from_context(struct regs *r, const greg_t *g)
{
	*r = (struct regs){
		.eax = g[REG_RAX], .ebx = g[REG_RBX], .ecx = g[REG_RCX], .edx = g[REG_RDX],
		.esi = g[REG_RSI], .edi = g[REG_RDI], .ebp = g[REG_RBP], .esp = g[REG_RSP],
		.eip = g[REG_RIP], .eflags = g[REG_EFL],
	};
}

static void to_context(const struct regs *r, greg_t *g)
{
	g[REG_RAX] = r->eax;
	g[REG_RBX] = r->ebx;
	g[REG_RCX] = r->ecx;
	g[REG_RDX] = r->edx;
	g[REG_RSI] = r->esi;
	g[REG_RDI] = r->edi;
	g[REG_RBP] = r->ebp;
	g[REG_RSP] = r->esp;
	g[REG_RIP] = r->eip;
	g[REG_EFL] = r->eflags;
}

/* The grader makes a line of the source of it (labs/engine/unit.py). */
#define AT " [eip 0x%x]"

static void wrong_instruction(const struct regs *r, int number, const siginfo_t *info)
{
	const char *what = NULL;
	u8 code = 0;

	if (!strcmp(guest_name(r->eip), "nowhere"))
		fail_msg("it jumped to address 0x%x, where no code is", r->eip);
	if (number == SIGSEGV && info->si_code == SI_KERNEL)
		code = *(u8 *)guest(r->eip);
	what = code == 0xfa ? "cli" : code == 0xfb ? "sti" : code == 0xf4 ? "hlt" :
	       code == 0x0f ? "a privileged instruction (0f ..)" : NULL;
	if (what)
		fail_msg("%s was executed in %s(): that traps, and a Guest asks instead" AT, what,
			 guest_name(r->eip), r->eip);
	if (number == SIGILL)
		fail_msg("%s(): an instruction that no processor has, or a function that this "
			 "test did not expect to be called" AT, guest_name(r->eip), r->eip);
	if (number == SIGSEGV && info->si_code != SI_KERNEL)
		fail_msg("%s() went to address 0x%x" AT, guest_name(r->eip),
			 (u32)(uintptr_t)info->si_addr, r->eip);
	if (number == SIGSEGV)
		fail_msg("%s(): #GP: memory through an empty segment register, or a "
			 "selector that does not exist" AT, guest_name(r->eip), r->eip);
	fail_msg("%s(): signal %d" AT, guest_name(r->eip), number, r->eip);
}

void gate_caught(int number, siginfo_t *info, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
	struct regs r;
	u32 i;

	if ((g[REG_CSGSFS] & 0xffff) != CODE32) {
		if (number == SIGTRAP)	/* a step too far, on the way out */
			return;
		signal(number, SIG_DFL);
		return;
	}
	from_context(&r, g);
	if (number == SIGTRAP) {
		if (r.eip < IMAGE_BASE)
			return;
		if (++guest_steps > STEPS_MOST)
			fail_msg("a million instructions, and no end: last in %s()" AT,
				 guest_name(r.eip), r.eip);
		if (guest_on_step)
			guest_on_step(&r);
		to_context(&r, g);
		return;
	}
	if (number == SIGILL)
		for (i = 0; i < call_count; i++)
			if (calls[i].address == r.eip) {
				guest_at_call = r;
				guest_at_call.ds = gate_segments[0] & 0xffff;
				guest_at_call.es = gate_segments[1] & 0xffff;
				guest_at_call.fs = gate_segments[2] & 0xffff;
				guest_at_call.gs = gate_segments[3] & 0xffff;
				leaving = false;
				g[REG_RAX] = calls[i].f((u32 *)guest(r.esp) + 1);
				g[REG_RDX] = 0;		/* so a u64 can be the result */
				g[REG_RIP] = leaving ? guest_end : g[REG_RIP] + 2;
				return;
			}
	if (number == SIGSEGV && info->si_code == SI_KERNEL && *(u8 *)guest(r.eip) == 0xcd &&
	    guest_on_int) {
		u32 vector = *(u8 *)guest(r.eip + 1);

		r.eip += 2;
		guest_on_int(vector, &r);
		to_context(&r, g);
		return;
	}
	if (guest_on_fault && guest_on_fault(&r)) {
		g[REG_RSP] = guest_stack_top - 1024;
		g[REG_RIP] = guest_end;
		return;
	}
	wrong_instruction(&r, number, info);
}

struct regs guest_run(struct regs in)
{
	/* Each time: cmocka has handlers of its own, and sets them before each test. */
	struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	static const int signals[] = {SIGSEGV, SIGILL, SIGTRAP, SIGBUS, SIGFPE};

	action.sa_sigaction = gate_signal;
	for (u32 i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	assert_false(inside);
	inside = true;
	in.ds = in.ds ? in.ds : DATA32;
	in.es = in.es ? in.es : DATA32;
	in.eflags |= 2;
	gate_regs = in;
	gate_other = 0;
	gate_enter();
	inside = false;
	guest_went_other = gate_other;
	return gate_regs;
}

/* Before any test, and in a process of its own: in through one door and out of the other.
 * Where that does not work (some emulators, some sandboxes) no test can tell anything. */
__attribute__((constructor)) static void try_the_doors(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		syscall(SYS_arch_prctl, ARCH_GET_FS, &gate_fs_base);
		guest_stack();
		guest_end = (u32)(uintptr_t)gate_leave;
		gate_regs = (struct regs){.esp = guest_stack_top, .eip = guest_end, .eflags = 2,
					  .ds = DATA32, .es = DATA32, .eax = 4711};
		gate_enter();
		_exit(gate_regs.eax != 4711);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		cannot("a 32-bit code segment does not work here");
}

u32 guest_call(const char *name, u32 n, ...)
{
	struct regs in = {
		.ebx = 0xb0b0b0b0, .esi = 0x51515151, .edi = 0xd1d1d1d1, .ebp = 0xbebebebe,
		.ecx = 0xc0c0c0c0, .edx = 0xd0d0d0d0, .eax = 0xa0a0a0a0,
		.eip = guest_symbol(name), .eflags = guest_single_step ? FLAG_TF : 0,
	}, out;
	u32 *stack = guest(guest_stack_top - 256);
	va_list ap;

	in.esp = guest_stack_top - 256;
	*stack = guest_end;
	va_start(ap, n);
	for (u32 i = 1; i <= n; i++)
		stack[i] = va_arg(ap, u32);
	va_end(ap);
	out = guest_run(in);
	if (out.esp != in.esp + 4)
		fail_msg("%s() came back with esp %d bytes off", name, (int)(out.esp - in.esp - 4));
	if (out.ebx != in.ebx || out.esi != in.esi || out.edi != in.edi || out.ebp != in.ebp)
		fail_msg("%s() came back with another %s: a C function keeps ebx, esi, edi and ebp",
			 name, out.ebx != in.ebx ? "ebx" : out.esi != in.esi ? "esi" :
			 out.edi != in.edi ? "edi" : "ebp");
	if (out.eflags & FLAG_DF)
		fail_msg("%s() came back with the direction flag set", name);
	return out.eax;
}
