// SPDX-License-Identifier: MIT
/*M:428 A stand for the Switcher
 *
 * The Switcher cannot be tried in a program: every second instruction of it is for ring 0.
 * And inside Linux one is glad if anything is left to report.  So engineers do what they
 * do with engines: unscrew it, put it on a stand, and see how it runs without the car.
 *
 * The stand is a kernel of its own that does nothing but call lg_enter_guest.  It has a
 * GDT that is read-only but for an alias, a TSS at 0x40, an IDT, page tables in the last
 * 2 GiB: all that the Switcher knows of Linux.  It makes `struct lg_pages` as arch.c does
 * (written from H:810 and H:820, not copied), and Guests of forty instructions.  It boots
 * in a quarter of a second, and if the Switcher takes it down, nobody is hurt.
 *
 * What Linux could never do: instructions are counted here (-icount), and the APIC's timer
 * can be told to send its NMI after 17 of them, then after 18.  So each crossing is tried
 * with an NMI at each single instruction, in a second, and always the same.
 *
 * An idea for you: let a second machine check, or a page fault, hit like that.
 *:*/
#include <stdarg.h>
#include "stand.h"

#define PHYS	0xffff800000000000ull	/* all of memory, for the stand */
#define BASE	0xffffffff80000000ull
#define APIC	(PHYS + 0xfee00000ull)

#define MSR_EFER	0xc0000080
#define MSR_FS_BASE	0xc0000100
#define MSR_GS_BASE	0xc0000101

extern char image[], text_end[], image_end[], both_begin[], both_end[];
extern char lg_switcher_begin[], lg_switcher_end[], lg_stubs[];
extern char host_gates[];
extern void lg_stub_hypercall(void), lg_stub_syscall(void);
extern void lg_stub_nmi(void), lg_stub_df(void), lg_stub_mce(void);
extern void stand_enter(struct lg_pages *pages);
extern struct delivery delivery_here;	/* read-only, but for its other address */
extern void stand_deliver(struct lg_pages *pages, const struct delivery *d, u64 cr3);

#define PAGE_ALIGNED __attribute__((aligned(4096)))
static u64 host_top[512] PAGE_ALIGNED, host_pdpt[512] PAGE_ALIGNED, host_pd[512] PAGE_ALIGNED;
static u64 host_pt[512] PAGE_ALIGNED, phys_pdpt[512] PAGE_ALIGNED, phys_pd[4][512] PAGE_ALIGNED;
static u64 host_gdt[512] PAGE_ALIGNED;
static struct lg_idt_gate host_idt[256] PAGE_ALIGNED;
static struct lg_tss host_tss;
static u8 host_ist[7][4096] PAGE_ALIGNED;
static u64 guest_tables[2][8][512] PAGE_ALIGNED;
static u8 guest_ram[2][GUEST_PAGES * 4096] PAGE_ALIGNED;
static struct lg_pages guest_pages[2];
static u64 gdt_before[LG_GDT_WORDS];

struct world world[2];
struct delivery delivery;
u64 nmis;
static bool went_off;

/* ---- The outside world: one port to speak, one to leave ------------------------------- */

static void out8(u16 port, u8 value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void put(char c)
{
	out8(0xe9, (u8)c);
}

static void put_number(u64 v, unsigned int base)
{
	char digits[24];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		put(digits[--n]);
}

static void vsay(const char *format, va_list args)
{
	const char *s;

	for (; *format; format++) {
		if (*format != '%') {
			put(*format);
			continue;
		}
		switch (*++format) {
		case 's':
			for (s = va_arg(args, const char *); *s; s++)
				put(*s);
			break;
		case 'd':
			put_number(va_arg(args, u64), 10);
			break;
		case 'x':
			put('0');
			put('x');
			put_number(va_arg(args, u64), 16);
			break;
		default:
			put(*format);
		}
	}
}

/* Numbers are u64, all of them. */
void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsay(format, args);
	va_end(args);
}

static bool complained;
static const char *nonce;

/* The first complaint of a test is what it failed of.  Always false. */
bool fail(const char *format, ...)
{
	va_list args;

	if (complained)
		return false;
	complained = true;
	say("%s fail %s ", nonce, test_name);
	va_start(args, format);
	vsay(format, args);
	va_end(args);
	put('\n');
	return false;
}

void finish(u8 status)
{
	out8(0xf4, status);
	for (;;)
		asm volatile("cli; hlt");
}

/* ---- What gcc wants ------------------------------------------------------------------- */

void *memcpy(void *to, const void *from, size_t n)
{
	void *r = to;

	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return r;
}

void *memset(void *to, int c, size_t n)
{
	void *r = to;

	asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return r;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

/* ---- The CPU --------------------------------------------------------------------------- */

static u64 read_msr(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return low | (u64)high << 32;
}

static void write_msr(u32 msr, u64 v)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)));
}

static u64 read_cr3(void)
{
	u64 v;

	asm volatile("mov %%cr3, %0" : "=r"(v));
	return v;
}

static void write_cr3(u64 v)
{
	asm volatile("mov %0, %%cr3" : : "r"(v) : "memory");
}

static u64 phys(const void *p)
{
	return (u64)p - BASE;
}

static void *alias(const void *p)
{
	return (void *)(PHYS + phys(p));
}

static u32 apic(u32 reg)
{
	return *(volatile u32 *)(APIC + reg);
}

static void set_apic(u32 reg, u32 v)
{
	*(volatile u32 *)(APIC + reg) = v;
}

/* After `count` instructions: an NMI, or interrupt 0x50.  0: nothing. */
void arm(u32 count, bool nmi)
{
	set_apic(0x380, 0);
	set_apic(0x320, nmi ? 0x400 : 0x50);
	timer_count = count;
	went_off = false;
}

/* Has it gone off before the crossing that it was armed for had ended? */
bool fired(void)
{
	return went_off;
}

void self_interrupt(u32 vector)
{
	set_apic(0x310, 0);
	set_apic(0x300, vector);
}

void end_of_interrupt(void)
{
	set_apic(0xb0, 0);
}

/* ---- A watchdog, in instructions ---------------------------------------------------------
 * Intel's 6300ESB, as QEMU makes it: it counts down twice, and then QEMU ends.  Whoever
 * hangs, with interrupts off and NMI blocked, is found after sixteen million instructions.
 */
#define WATCHDOG_TICKS	(8 * 33000 / 32)	/* of 32 cycles of a PCI clock: 8 ms */

static volatile u32 *watchdog;

static void pci_address(u32 device, u32 reg)
{
	asm volatile("outl %0, %1" : : "a"(0x80000000u | device << 11 | (reg & ~3u)),
		     "Nd"((u16)0xcf8));
}

static u32 pci_read(u32 device, u32 reg)
{
	u32 v;

	pci_address(device, reg);
	asm volatile("inl %1, %0" : "=a"(v) : "Nd"((u16)0xcfc));
	return v;
}

static void watchdog_write(u32 reg, u32 v)
{
	watchdog[3] = 0x80;		/* each write must be unlocked */
	watchdog[3] = 0x86;
	watchdog[reg] = v;
}

static void kick_watchdog(void)
{
	if (watchdog)
		watchdog_write(3, 0x100);
}

static void build_watchdog(void)
{
	u32 device;

	for (device = 0; device < 32 && pci_read(device, 0) != 0x25ab8086; device++)
		;
	if (device == 32)
		return;
	watchdog = (volatile u32 *)(PHYS + (pci_read(device, 0x10) & ~15u));
	pci_address(device, 4);
	asm volatile("outw %0, %1" : : "a"((u16)2), "Nd"((u16)0xcfc));	/* its memory is there */
	pci_address(device, 0x60);
	asm volatile("outw %0, %1" : : "a"((u16)4), "Nd"((u16)0xcfc));	/* the quick clock */
	watchdog_write(0, WATCHDOG_TICKS);
	watchdog_write(1, WATCHDOG_TICKS);
	pci_address(device, 0x68);
	asm volatile("outb %0, %1" : : "a"((u8)2), "Nd"((u16)0xcfc));	/* go */
}

/* ---- The Host's side -------------------------------------------------------------------- */

static struct lg_desc_ptr gdtr = { sizeof(host_gdt) - 1, (u64)host_gdt };
static struct lg_desc_ptr gdtr_rw;
static struct lg_desc_ptr idtr = { sizeof(host_idt) - 1, (u64)host_idt };

static void set_gate(struct lg_idt_gate *gate, const void *code, u32 dpl, u32 ist)
{
	u64 a = (u64)code;

	gate->low = (a & 0xffff) | 0x10ull << 16 | (u64)ist << 32 | 0x8eull << 40 |
		    (u64)dpl << 45 | (a >> 16 & 0xffff) << 48;
	gate->high = a >> 32;
}

static void set_tss(u64 *desc, const struct lg_tss *tss)
{
	u64 a = (u64)tss;

	desc[0] = (sizeof(*tss) - 1) | (a & 0xffffff) << 16 | 0x89ull << 40 |
		  (a >> 24 & 0xff) << 56;
	desc[1] = a >> 32;
}

#define HOST_TSS 8

static void build_host(void)
{
	u64 a;
	u32 i, k;

	/* Kernel code and data, a user's data for DS and ES to hold, the TSS at 0x40. */
	host_gdt[2] = 0x00af9b000000ffffull;
	host_gdt[3] = 0x00cf93000000ffffull;
	host_gdt[5] = 0x00cff3000000ffffull;
	set_tss(&host_gdt[HOST_TSS], &host_tss);
	for (i = 0; i < 256; i++)
		set_gate(&host_idt[i], host_gates + i * 16, 0, 0);
	/* Linux' numbers. */
	set_gate(&host_idt[8], host_gates + 8 * 16, 0, 1);
	set_gate(&host_idt[2], host_gates + 2 * 16, 0, 2);
	set_gate(&host_idt[18], host_gates + 18 * 16, 0, 4);
	for (i = 0; i < 7; i++)
		host_tss.ist[i] = (u64)(host_ist[i] + sizeof(host_ist[i]));
	host_tss.iomap_base = sizeof(host_tss);

	for (i = 0; i < 4; i++) {
		phys_pdpt[i] = phys(phys_pd[i]) | 3;
		for (k = 0; k < 512; k++)
			phys_pd[i][k] = ((u64)i << 30 | (u64)k << 21) | 0x83 | LG_PTE_NX;
	}
	host_top[256] = phys(phys_pdpt) | 3;
	host_top[511] = phys(host_pdpt) | 3;
	host_pdpt[510] = phys(host_pd) | 3;
	host_pd[0] = phys(host_pt) | 3;
	for (a = (u64)image; a < (u64)image_end; a += 4096)
		host_pt[(a - BASE) >> 12] = (a - BASE) | 1 |
			(a >= (u64)text_end ? 2 | LG_PTE_NX : 0);
	/* As Linux has it: the GDT that is in use cannot be written there. */
	host_pt[phys(host_gdt) >> 12] &= ~2ull;
	gdtr_rw.limit = gdtr.limit;
	gdtr_rw.base = (u64)alias(host_gdt);
}

static void put_tss(const struct lg_desc_ptr *gdt, u64 *desc, u32 selector)
{
	desc[0] &= ~(2ull << 40);		/* whatever it says, it is not busy */
	asm volatile("lgdt %0; ltr %w1" : : "m"(*gdt), "r"(selector) : "memory");
}

/* The Host as it should be, whatever was found. */
static void host_again(void)
{
	write_cr3(phys(host_top));
	put_tss(&gdtr_rw, (u64 *)alias(host_gdt) + HOST_TSS, HOST_TSS * 8);
	asm volatile("lgdt %0" : : "m"(gdtr));
	asm volatile("lidt %0" : : "m"(idtr));
}

void build_machine(void)
{
	build_host();
	host_again();
	out8(0x21, 0xff);
	out8(0xa1, 0xff);
	set_apic(0xf0, 0x1ff);
	set_apic(0x3e0, 0xb);		/* the timer counts each nanosecond: each instruction */
	set_apic(0x350, 0x10000);
	set_apic(0x360, 0x10000);
	arm(0, false);
	build_watchdog();
	build_world(&world[0]);
	build_world(&world[1]);
}

/* ---- The Guest's side ------------------------------------------------------------------- */

static void map_both(u64 *top, u64 tables[][512], const void *address, u64 flags)
{
	u64 a = (u64)address;

	top[511] = phys(tables[0]) | 0x27;
	tables[0][510] = phys(tables[1]) | 0x27;
	tables[1][0] = phys(tables[2]) | 0x27;
	tables[2][(a - BASE) >> 12] = phys(address) | 0x21 | flags;
}

void map_guest_page(struct world *w, u32 address, bool present)
{
	w->pt[address >> 12] = present ? phys(w->ram + (address & ~4095u)) | 0x67 : 0;
	write_cr3(read_cr3());
}

void program(struct world *w, u32 at, const void *code, u32 size)
{
	memcpy(w->ram + at, code, size);
}

static const u64 flat[][2] = {
	{ 12, 0x00cfbb000000ffffull }, { 13, 0x00cfb3000000ffffull },
	{ 14, 0x00cffb000000ffffull }, { 15, 0x00cff3000000ffffull },
	{ 20, 0x00cfb3000000ffffull }, { 21, 0x00cff3000000ffffull },
	{ 22, 0x00cf33000000ffffull },		/* not present */
};

void build_world(struct world *w)
{
	u32 k = (u32)(w - world), i;
	struct lg_pages *p = &guest_pages[k];
	u64 (*t)[512] = guest_tables[k];
	const char *text;

	w->pages = p;
	w->ram = guest_ram[k];
	w->top = t[0];
	w->pt = t[3];
	memset(p, 0, sizeof(*p));
	memset(t, 0, sizeof(guest_tables[k]));
	memset(w->ram, 0, sizeof(guest_ram[k]));
	t[0][0] = phys(t[1]) | 0x27;
	t[1][0] = phys(t[2]) | 0x27;
	t[2][0] = phys(t[3]) | 0x27;
	for (i = 1; i < GUEST_PAGES; i++)
		map_guest_page(w, i << 12, true);
	for (text = lg_switcher_begin; text < lg_switcher_end; text += 4096)
		map_both(w->top, t + 4, text, 0);
	for (text = both_begin; text < both_end; text += 4096)
		map_both(w->top, t + 4, text, 0);
	map_both(w->top, t + 4, p, LG_PTE_RW | LG_PTE_DIRTY | LG_PTE_NX);
	map_both(w->top, t + 4, p->idt, LG_PTE_NX);
	map_both(w->top, t + 4, p->gdt, LG_PTE_NX);
	map_both(w->top, t + 4, p->ist, LG_PTE_RW | LG_PTE_DIRTY | LG_PTE_NX);

	for (i = 0; i < 256; i++)
		set_gate(&p->idt[i], lg_stubs + i * 16, 0, 0);
	set_gate(&p->idt[3], lg_stubs + 3 * 16, 3, 0);
	set_gate(&p->idt[4], lg_stubs + 4 * 16, 3, 0);
	set_gate(&p->idt[0x1f], lg_stub_hypercall, 1, 0);
	set_gate(&p->idt[0x80], lg_stub_syscall, 3, 0);
	set_gate(&p->idt[8], lg_stub_df, 0, 1);
	set_gate(&p->idt[2], lg_stub_nmi, 0, 2);
	set_gate(&p->idt[18], lg_stub_mce, 0, 4);
	p->gdt[2] = host_gdt[2];
	p->gdt[3] = host_gdt[3];
	for (i = 0; i < sizeof(flat) / sizeof(flat[0]); i++)
		p->gdt[flat[i][0]] = flat[i][1];
	set_tss(&p->gdt[LG_GDT_TSS], &p->tss);
	p->tss.rsp[0] = (u64)p->regs_end;
	for (i = 0; i < 7; i++)
		p->tss.ist[i] = (u64)p->ist[i + 1];
	p->tss.iomap_base = sizeof(p->tss);
	p->guest_gdtr.limit = sizeof(p->gdt) - 1;
	p->guest_gdtr.base = (u64)p->gdt;
	p->guest_idtr.limit = sizeof(p->idt) - 1;
	p->guest_idtr.base = (u64)p->idt;
	p->guest_cr3 = phys(w->top);
	p->direct_flags = LG_EFLAGS_IF | LG_EFLAGS_FIXED;
	p->esp1 = GUEST_KERNEL_STACK;
	p->ss1 = KDS;
	p->syscall_frame.rip = GUEST_HANDLER;
	p->syscall_frame.cs = KCS;
	p->syscall_frame.rflags = p->direct_flags;
	p->syscall_frame.rsp = p->esp1 - 20;
	p->syscall_frame.ss = p->ss1;

	p->host_cr3 = phys(host_top);
	p->host_gdtr = gdtr;
	p->host_gdtr_rw = gdtr_rw;
	p->host_idtr = idtr;
	p->host_tss_desc = gdtr_rw.base + HOST_TSS * 8;
}

/* ---- Crossing, and looking around on the other side -------------------------------------- */

static const u16 host_selectors[] = { 0, 0x18, 0x2b };

static void prepare(struct world *w)
{
	struct lg_pages *p = w->pages;
	u64 *in = (u64 *)&host_in;
	u32 i;

	for (i = 0; i < 6; i++)
		in[i] = (u64)draw() << 32 | draw();
	/* Any of CF PF AF ZF SF OF; not TF, IF, DF.  ID may be set. */
	host_in.rflags = (draw() & 0x2008d5) | 2;
	host_in.ds = host_selectors[draw() % 3];
	host_in.es = host_selectors[draw() % 3];
	host_in.fs = host_selectors[draw() % 3];
	host_in.gs = host_selectors[draw() % 3];
	host_in.ss = 0x18;
	host_in.cs = 0x10;
	asm volatile("mov %0, %%ds" : : "r"(host_in.ds));
	asm volatile("mov %0, %%es" : : "r"(host_in.es));
	asm volatile("mov %0, %%fs" : : "r"(host_in.fs));
	asm volatile("mov %0, %%gs" : : "r"(host_in.gs));
	p->host_fs_base = 0x00007f0000000000ull | draw();
	p->host_gs_base = 0xffff888000000000ull | draw();
	write_msr(MSR_FS_BASE, p->host_fs_base);
	write_msr(MSR_GS_BASE, p->host_gs_base);
	p->host_ds = (u16)host_in.ds;
	p->host_es = (u16)host_in.es;
	p->host_fs = (u16)host_in.fs;
	p->host_gs = (u16)host_in.gs;
	p->host_rsp = 0;
	memset(&host_out, 0, sizeof(host_out));
	memcpy(gdt_before, p->gdt, sizeof(gdt_before));
}

struct around {
	u64 cr3, fs_base, gs_base;
	struct lg_desc_ptr gdtr, idtr;
	u16 tr;
};

static struct around look(void)
{
	struct around a;

	a.cr3 = read_cr3();
	a.fs_base = read_msr(MSR_FS_BASE);
	a.gs_base = read_msr(MSR_GS_BASE);
	asm volatile("sgdt %0" : "=m"(a.gdtr));
	asm volatile("sidt %0" : "=m"(a.idtr));
	asm volatile("str %0" : "=m"(a.tr));
	return a;
}

static const char *const host_names[] = {
	"rbx", "rbp", "r12", "r13", "r14", "r15", "rflags", "rsp", "ds", "es", "fs", "gs", "ss", "cs",
};

/* Is the Host whole?  Says what is not, and mends it, so that we can go on. */
static bool whole(struct world *w)
{
	struct lg_pages *p = w->pages;
	struct around a = look();
	const u64 *in = (u64 *)&host_in, *out = (u64 *)&host_out;
	bool busy = *(volatile u64 *)&host_gdt[HOST_TSS] >> 41 & 1;
	u32 i;

	host_again();
	for (i = 0; i < 14; i++)
		if (in[i] != out[i])
			return fail("Host: %s was %x and came back as %x", host_names[i], in[i], out[i]);
	if (a.cr3 != phys(host_top))
		return fail("Host: cr3 is %x afterwards, expected %x", a.cr3, phys(host_top));
	if (a.idtr.base != idtr.base || a.idtr.limit != idtr.limit)
		return fail("Host: the IDT in use afterwards is at %x, expected %x", a.idtr.base, idtr.base);
	if (a.gdtr.base != gdtr.base || a.gdtr.limit != gdtr.limit)
		return fail("Host: the GDT in use afterwards is at %x, expected %x (%x is its "
			    "writable alias)", a.gdtr.base, gdtr.base, gdtr_rw.base);
	if (a.tr != HOST_TSS * 8)
		return fail("Host: the task register is %x afterwards, expected %x", (u64)a.tr,
			    (u64)HOST_TSS * 8);
	if (!busy)
		return fail("Host: its TSS is not marked busy afterwards");
	if (a.fs_base != p->host_fs_base)
		return fail("Host: FS base is %x afterwards, expected %x", a.fs_base, p->host_fs_base);
	if (a.gs_base != p->host_gs_base)
		return fail("Host: GS base is %x afterwards, expected %x", a.gs_base, p->host_gs_base);
	for (i = 0; i < LG_GDT_WORDS; i++)
		if (i != LG_GDT_TSS && p->gdt[i] != gdt_before[i])
			return fail("the Guest's GDT: entry %d was %x and is %x", (u64)i, gdt_before[i],
				    p->gdt[i]);
	return true;
}

static const struct lg_pages *current;

/* One crossing and back, wherever it ended.  False if the Host was not found whole. */
bool cross(struct world *w)
{
	prepare(w);
	current = w->pages;
	stand_enter(w->pages);
	current = NULL;
	if (timer_count) {
		went_off = !apic(0x390);
		set_apic(0x380, 0);
		timer_count = 0;
	}
	return whole(w);
}

bool deliver_by_hand(struct world *w)
{
	prepare(w);
	timer_count = 0;
	current = w->pages;
	memcpy(alias(&delivery_here), &delivery, sizeof(delivery));
	put_tss(&w->pages->guest_gdtr, &w->pages->gdt[LG_GDT_TSS], LG_GDT_TSS * 8);
	asm volatile("lidt %0" : : "m"(w->pages->guest_idtr));
	stand_deliver(w->pages, &delivery_here, w->pages->guest_cr3);
	current = NULL;
	return whole(w);
}

/*
 * What arch.c makes of it: a stay in the Guest, through whatever NMIs.  After one of
 * those, no IRET may have been said yet: then a second NMI is held back until our own.
 */
bool stay(struct world *w)
{
	struct lg_pages *p = w->pages;
	bool nmi;
	u64 before;

	for (;;) {
		if (!cross(w))
			return false;
		nmi = p->regs.trapno == LG_VECTOR_NMI;
		if (!p->nmi_pending && !nmi)
			return true;
		p->nmi_pending = 0;
		before = nmis;
		set_apic(0x310, 0);
		set_apic(0x300, 0x4400);	/* an NMI to ourselves */
		asm volatile("nop; nop; nop; nop" : : : "memory");
		if (nmis != before)
			return fail("NMI: an IRET was said before `int $2`: the next one is not held back");
		asm volatile("int $2" : : : "memory");
		asm volatile("nop; nop; nop; nop" : : : "memory");
		if (nmis != before + 2)
			return fail("NMI: the Host has seen %d of 2", nmis - before);
		nmis = before + 1;
		if (!nmi && p->regs.trapno != LG_TRAP_ENTRY_ABORT)
			return true;
	}
}

/* ---- The Host's handlers ------------------------------------------------------------------ */

struct host_frame {
	u64 vector, error, rip, cs, rflags, rsp, ss;
};

void host_trap(struct host_frame *f);
void host_trap(struct host_frame *f)
{
	struct around a = look();
	u64 cr2;

	/* Only while the Switcher has the floor: the stand itself changes tables, too. */
	if (!current)
		;
	else if (a.cr3 != phys(host_top))
		fail("Host: trap %d on the Host's IDT and the Guest's page tables, rip %x", f->vector,
		     f->rip);
	else if (a.tr != HOST_TSS * 8)
		fail("Host: trap %d on the Host's IDT with TSS %x, rip %x", f->vector, (u64)a.tr, f->rip);
	else if (a.gdtr.base != gdtr.base)
		fail("Host: trap %d on the Host's IDT with the GDT at %x, rip %x", f->vector,
		     a.gdtr.base, f->rip);
	else if (a.gs_base != current->host_gs_base)
		fail("Host: trap %d on the Host's IDT with GS base %x, rip %x", f->vector, a.gs_base,
		     f->rip);
	if (f->vector == 2) {
		nmis++;
		return;
	}
	if (f->vector >= 32) {		/* one that came too late for the Guest */
		end_of_interrupt();
		return;
	}
	asm volatile("mov %%cr2, %0" : "=r"(cr2));
	fail("Host: exception %d, error %x, at %x, cr2 %x", f->vector, f->error, f->rip, cr2);
	finish(2);
}

/* ---- Everything ------------------------------------------------------------------------------ */

static u32 seed;
const char *test_name = "?";

u32 draw(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 13 | seed << 19;
}

/* The command line: a word nobody can guess, a seed, the names of the tests. */
static char words[1024];

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static const struct test *find(const char *name)
{
	const struct test *t;

	for (t = tests; t->name; t++)
		if (same(t->name, name))
			return t;
	for (t = more_tests; t < more_tests_end; t++)
		if (same(t->name, name))
			return t;
	return NULL;
}

void stand_main(const char *line);
void stand_main(const char *line)
{
	char *w = words, *word[48];
	int n = 0, i;
	const struct test *t;
	u32 first = 0;

	while (*line && w < words + sizeof(words) - 1) {
		while (*line == ' ')
			line++;
		if (!*line || n == 48)
			break;
		word[n++] = w;
		while (*line && *line != ' ' && w < words + sizeof(words) - 2)
			*w++ = *line++;
		*w++ = 0;
	}
	if (n < 3)
		finish(3);
	nonce = word[1];		/* word 0 is the kernel's own name */
	for (w = word[2]; *w; w++)
		first = first * 10 + (u32)(*w - '0');
	build_machine();
	for (i = 3; i < n; i++) {
		t = find(word[i]);
		if (!t) {
			say("%s unknown %s\n", nonce, word[i]);
			finish(3);
		}
		test_name = t->name;
		complained = false;
		seed = first | 1;
		kick_watchdog();
		say("%s begin %s\n", nonce, test_name);
		if (t->run() && !complained)
			say("%s pass %s\n", nonce, test_name);
		else
			fail("it failed without a word");
		arm(0, false);
		build_world(&world[0]);
		build_world(&world[1]);
	}
	say("%s end all\n", nonce);
	finish(0);
}
