/* SPDX-License-Identifier: MIT */
/*G:171 The other answer to every question
 *
 * Put this file beside arch/lguest/ops.c and read both: the same table, twice.  What is
 * there a word that the Host looks at, or a hypercall, is here the instruction that G:120
 * says a kernel in ring 1 cannot have.  `sti` lets one more instruction pass before the
 * first interrupt, so between `sti` and `hlt` none can come and be slept through.
 *
 * There are no batches: nothing is cheaper by the dozen when nobody has to be called.
 */
#include "native.h"
#include "multiboot.h"

static void irq_off(void)
{
	asm volatile("cli" : : : "memory");
}

static void irq_on(void)
{
	asm volatile("sti" : : : "memory");
}

static bool irqs_are_on(void)
{
	u32 flags;

	asm volatile("pushfl; popl %0" : "=r"(flags) : : "memory");
	return flags & EFLAGS_IF;
}

static void halt(void)
{
	asm volatile("sti; hlt" : : : "memory");
}

static void no_batch(void)
{
}

static bool needs_no_ticks(void)
{
	return false;
}

static void early_print(const char *text)
{
	bool irqs = irq_save();

	serial_write(text, strlen(text));
	vga_write(text, strlen(text));
	irq_restore(irqs);
}

static void find_devices(void)
{
	serial_listen();
	keyboard_listen();
	pci_find_devices();
}
/*:*/

/*G:193 How a machine is put to bed
 *
 * Switching a PC off is a conversation with the ACPI tables of its board, in a byte code
 * that has to be interpreted: more code than all of TeachOS.  QEMU's boards are known,
 * though, and one word to one port does it.  On others, where CPUID does not say that this
 * is a virtual machine, we say what computers said in 1995.
 *
 * Rebooting is easier: there is a reset port on newer boards, the keyboard controller has
 * a wire to the reset line (really), and what always works is a fault without an IDT.
 *
 * A test wants a verdict that nobody can print by accident.  With `exit=PORT` among the
 * arguments the outcome goes to that port, where QEMU's isa-debug-exit makes it the exit
 * status: 2 * outcome + 1.
 */
#define EXIT_WELL	0x10u
#define EXIT_CRASHED	0x11u
#define EXIT_RESTART	0x12u
#define SLEEP_S5	0x2000u
#define QEMU_PM		0x604u
#define BOCHS_PM	0xb004u
#define RESET		0xcf9u
#define KEYBOARD_COMMAND 0x64u
#define PULSE_RESET	0xfeu
#define CPUID_VIRTUAL	0x80000000u	/* leaf 1, ecx */

static u32 exit_port;

static bool is_virtual(void)
{
	u32 eax = 1, ecx = 0;

	asm volatile("cpuid" : "+a"(eax), "+c"(ecx) : : "ebx", "edx");
	return ecx & CPUID_VIRTUAL;
}

static void reset(void)
{
	static const struct {
		u16 limit;
		u32 base;
	} __attribute__((packed)) nothing;

	outb(RESET, 0x02);
	outb(RESET, 0x06);
	outb(KEYBOARD_COMMAND, PULSE_RESET);
	asm volatile("lidt %0; int3" : : "m"(nothing));
}

/*
 * The board hears the word and goes on for a moment: whoever emulates it looks up from its
 * other work when it gets to it.  1 to 2 seconds; an end, too, where no clock ticks.
 */
static void wait_for_the_board(void)
{
	u32 patience = 200000, began = rtc_seconds();

	while (rtc_seconds() - began < 2 && --patience)
		;
}

static void native_shutdown(const char *text, enum shutdown_how how)
{
	bool well = !strcmp(text, "Power down");

	irq_off();
	if (exit_port)
		outb(exit_port, how == SHUTDOWN_RESTART ? EXIT_RESTART :
		     well ? EXIT_WELL : EXIT_CRASHED);
	if (how == SHUTDOWN_RESTART)
		reset();
	if (!well) {
		early_print("teachos: ");
		early_print(text);
		early_print("\n");
	}
	if (is_virtual()) {
		outw(QEMU_PM, SLEEP_S5);
		outw(BOCHS_PM, SLEEP_S5);
		wait_for_the_board();
	}
	early_print("It is now safe to turn off your computer.\n");
	for (;;)
		asm volatile("cli; hlt");
}
/*:*/

static const struct pv_ops native_ops = {
	.return_from_trap = native_return,
	.return_to_user = native_return,
	.iret = native_return,		/* which is nothing but that */
	.name = "native",
	.irq_disable = irq_off,
	.irq_enable = irq_on,
	.irq_enabled = irqs_are_on,
	.irq_mask = native_irq_mask,
	.interrupt = native_interrupt,
	.halt = halt,
	.set_gate = native_set_gate,
	.set_segment = native_set_segment,
	.set_kernel_stack = native_set_kernel_stack,
	.set_tls = native_set_tls,
	.set_ts = native_set_ts,
	.fault_address = native_fault_address,
	.load_root = native_load_root,
	.flush_user = native_flush,
	.flush_all = native_flush,
	.pte_changed = native_pte_changed,
	.top_changed = native_top_changed,
	.batch_begin = no_batch,
	.batch_end = no_batch,
	.clock_arm = native_clock_arm,
	.now = native_now,
	.now_needs_ticks = needs_no_ticks,
	.find_devices = find_devices,
	.early_print = early_print,
	.shutdown = native_shutdown,
};

/*G:192 What the boot loader left
 *
 * A Multiboot loader's notes (boot.asm has made a copy) say how much memory there is below
 * 640 KiB and how much from 1 MiB on, up to the first hole.  Between the two lie the screen
 * and the BIOS.  A command line may be there; QEMU puts the kernel's own name before it,
 * GRUB doesn't.
 */
#define LOW_MOST	636u	/* KiB; the BIOS keeps its own notes at the end of the 640 */
#define HIGH_MOST	(3u << 20)	/* KiB; enough for anybody, and it fits in 32 bits */

static void take_command_line(void)
{
	char *line = multiboot_line, *option;

	multiboot_line[MULTIBOOT_LINE - 1] = '\0';
	if (!(multiboot_info.flags & MULTIBOOT_HAS_LINE))
		return;
	if ((multiboot_info.flags & MULTIBOOT_HAS_LOADER) &&
	    !strncmp(multiboot_loader, "qemu", 4))
		while (*line && *line++ != ' ')
			;
	option = (char *)strstr(line, "exit=");
	if (option) {
		char *end = option;

		while (*end && *end != ' ')
			end++;
		if (*end)
			*end++ = '\0';
		if (!parse_number(option + 5, &exit_port) || exit_port > 0xffff) {
			print("teachos: %s: expected a port number, 1 to 0xffff\n", option);
			exit_port = 0;
		}
		memmove(option, end, strlen(end) + 1);
	}
	strcopy(boot_info.command_line, line, sizeof(boot_info.command_line));
}

void native_start(void)
{
	u32 low = 0, high = 0;

	pv = native_ops;
	cpu_init();
	pic_init();
	pit_init();
	boot_info.wall_clock = rtc_seconds();
	serial_init();
	vga_init();
	if (multiboot_info.flags & MULTIBOOT_HAS_MEMORY) {
		low = multiboot_info.mem_lower;
		high = multiboot_info.mem_upper;
	}
	boot_info.low_memory = (low < LOW_MOST ? low : LOW_MOST) << 10;
	boot_info.memory = (1u << 20) + ((high < HIGH_MOST ? high : HIGH_MOST) << 10);
	take_command_line();
	kernel_main();
}
/*:*/
