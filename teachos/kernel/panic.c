/* SPDX-License-Identifier: MIT */
/*G:520 Last words
 *
 * When the kernel finds that something can't be, it does not try to go on: it would
 * only spread the damage.  It tells what it knows: for a page fault, what its own tables
 * say of the address; the registers; then the chain of calls that led here, by name; and
 * shuts down with the reason as its epitaph.  (Lines of the source it does not know.  The
 * Launcher looks them up, and `tools/autopsy` does for a console that was kept.)
 *
 * The chain is easy to follow, for every function begins by pushing ebp: ebp points
 * at the caller's ebp, and above it lies the return address.  The names come from
 * the kernel's own symbol table, linked into the image in a second pass (see the
 * Makefile), sorted by address.
 */
#include "kernel.h"

struct symbol {
	u32 address;
	const char *name;
};

extern const struct symbol symbols[], symbols_end[];
extern char kernel_text_start[], kernel_text_end[], kernel_end[];

const char *symbol_name(u32 address, u32 *offset)
{
	const struct symbol *s, *best = NULL;

	*offset = 0;
	if (address < (u32)kernel_text_start || address >= (u32)kernel_text_end)
		return "?";
	for (s = symbols; s < symbols_end && s->address <= address; s++)
		best = s;
	if (!best)
		return "?";
	*offset = address - best->address;
	return best->name;
}

static void print_caller(u32 address)
{
	u32 offset;
	const char *name = symbol_name(address, &offset);

	print("  0x%08x %s+0x%x\n", address, name, offset);
}

/* What the page tables say of an address, entry by entry, down to the one that says no. */
static void print_walk(u32 va)
{
	static const struct {
		const char *name;
		u32 shift, entries;
	} level[] = {
#ifdef CONFIG_PAE
		{"pointers", TOP_SHIFT, TOP_ENTRIES},
#endif
		{"directory", DIR_SHIFT, PT_ENTRIES},
		{"table", 12, PT_ENTRIES},
	};
	u32 table = current_root;

	for (u32 i = 0; table && i < sizeof(level) / sizeof(level[0]); i++) {
		u32 index = va >> level[i].shift & (level[i].entries - 1);
		pte_t entry;

		if (table >= boot_info.memory) {
			print("  outside memory\n");
			return;
		}
		entry = ((const pte_t *)phys_to_virt(table))[index];
		print("  %s entry %u at 0x%08x: 0x%08x, %s%s%s\n", level[i].name, index,
		      table + index * (u32)sizeof(entry), (u32)entry,
		      entry & PTE_P ? "present" : "not present",
		      entry & PTE_P && entry & PTE_RW ? ", writable" : "",
		      entry & PTE_P && entry & PTE_US ? ", for ring 3" : "");
		if (!(entry & PTE_P))
			return;
		table = pte_phys(entry);
	}
}

static void backtrace(u32 ebp)
{
	u32 deepest = 16;

	while (deepest-- && ebp >= KERNEL_BASE && ebp < SCRATCH_BASE && !(ebp & 3) &&
	       pte_lookup(kernel_root ? kernel_root : current_root, ebp)) {
		const u32 *frame = (const u32 *)ebp;

		if (!frame[1])
			return;
		print_caller(frame[1]);
		if (frame[0] <= ebp)	/* stacks grow down, callers are above */
			return;
		ebp = frame[0];
	}
}

static char epitaph[128];

static void last_words(const char *fmt, va_list ap) __attribute__((noreturn));
static void last_words(const char *fmt, va_list ap)
{
	vsnformat(epitaph, sizeof(epitaph), fmt, ap);
	pv.irq_disable();
	pv.batch_end();
	print_to(NULL);		/* a driver may be what broke */
	machine_shutdown(epitaph, SHUTDOWN_POWEROFF);
}

static void say(const char *fmt, ...) __attribute__((noreturn));
static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	last_words(fmt, ap);
}

static void headline(void)
{
	static bool again;

	pv.irq_disable();
	print_to(NULL);
	if (again)
		say("panic inside panic");
	again = true;
	print("\npanic in process %d (%s): ", current ? current->pid : 0,
	      current ? current->name : "boot");
}

void panic(const char *fmt, ...)
{
	va_list ap;

	headline();
	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
	print("\nbacktrace:\n");
	backtrace((u32)__builtin_frame_address(0));
	va_start(ap, fmt);
	last_words(fmt, ap);
}

void panic_trap(const struct trap_frame *f, const char *what)
{
	u32 offset, address = f->vector == 14 ? pv.fault_address() : 0;
	const char *name = symbol_name(f->eip, &offset);

	headline();
	print("%s (vector %u, error 0x%x) in the kernel\n", what ? what : "unknown trap",
	      f->vector, f->error);
	if (f->vector == 14) {
		print("%s of address 0x%08x, page tables at 0x%08x\n",
		      f->error & 2 ? "write" : "read", address, current_root);
		print_walk(address);
	}
	print("eax %08x  ebx %08x  ecx %08x  edx %08x\n", f->eax, f->ebx, f->ecx, f->edx);
	print("esi %08x  edi %08x  ebp %08x  esp %08x\n", f->esi, f->edi, f->ebp,
	      (u32)&f->esp);
	print("eip %08x  cs %04x  eflags %08x\nbacktrace:\n", f->eip, f->cs & 0xffff,
	      f->eflags);
	print_caller(f->eip);
	backtrace(f->ebp);
	say("kernel: %s at %s+0x%x, address 0x%x", what ? what : "unknown trap", name, offset,
	    address);
}
/*:*/
