/* SPDX-License-Identifier: MIT */
/*G:141 Wires
 *
 * A bare machine is a handful of chips, each behind a few port numbers that were given
 * out in 1981 and have been kept ever since.  All that a driver does is `out` and `in`.
 */
#ifndef NATIVE_H
#define NATIVE_H

#include "kernel.h"

static inline void outb(u16 port, u8 value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outw(u16 port, u16 value)
{
	asm volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outl(u16 port, u32 value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u16 inw(u16 port)
{
	u16 value;

	asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u32 inl(u16 port)
{
	u32 value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}
/*:*/

/* ---- boot.asm, start.c --------------------------------------------------- */
void native_start(void) __attribute__((noreturn));	/* called by kernel/boot.asm */
void native_return(void);				/* return.asm: one iret */

/* ---- cpu.c: what the processor keeps in tables and registers ----------------- */
#define NATIVE_CS	0x60u	/* the entries that are the kernel's in a Guest, too */
#define NATIVE_DS	0x68u
#define NATIVE_TSS	0x80u
void cpu_init(void);
void native_set_gate(unsigned int vector, u32 low, u32 high);
void native_set_segment(unsigned int entry, u32 low, u32 high);
void native_set_kernel_stack(u32 esp);
void native_set_tls(const u64 tls[3]);
void native_set_ts(bool set);
u32 native_fault_address(void);
void native_load_root(u32 root);
void native_flush(void);
void native_pte_changed(u32 root, u32 va, pte_t pte);
void native_top_changed(u32 root, unsigned int index);

/* ---- pic.c: interrupts 0..15 are the chips' lines, 16..31 ours to give away ------ */
#define PIC_LINES	16u
void pic_init(void);
void native_irq_mask(unsigned int irq, bool masked);
void native_interrupt(unsigned int irq);
/* Delivers one of 16..31 that a handler has found out about; interrupts are off. */
void irq_raise(unsigned int irq);

/* ---- pit.c --------------------------------------------------------------- */
void pit_init(void);
void native_clock_arm(u32 delta);
u64 native_now(void);
/* Interrupt 0 has come: is it the one that was asked for? */
bool pit_expired(void);

/* ---- rtc.c --------------------------------------------------------------- */
u32 rtc_seconds(void);			/* since 1970 */

/* ---- serial.c, vga.c, keyboard.c --------------------------------------------- */
void serial_init(void);
void serial_write(const char *text, u32 length);
void serial_listen(void);		/* from now on keys come as interrupts */
void vga_init(void);
void vga_write(const char *text, u32 length);
void keyboard_listen(void);

/* ---- drivers/virtio_pci.c -------------------------------------------------- */
void pci_find_devices(void);

#endif
