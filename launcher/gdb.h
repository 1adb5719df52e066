/* SPDX-License-Identifier: MIT */
/*L:762 Four files behind one door
 *
 * gdb.c talks, gdb_wire.c spells, gdb_target.c knows the Guest, and gdb_threads.c what the
 * Guest's kernel makes of its one processor.
 */
#ifndef LAUNCHER_GDB_H
#define LAUNCHER_GDB_H

#include "launcher.h"

#define GDB_PACKET_MAX	0x4000	/* characters, without $, # and the sum */

/* ---- gdb_wire.c: packets ---------------------------------------------------- */

/* Listens on a TCP port.  Returns 0, or -errno.  *ear: readable when gdb wants something
 * and nobody talks with it; *port: the one that it became. */
int wire_listen(uint16_t *port, bool any_address, int *ear);
void wire_close(void);
/* Takes the call that waits, if any does. */
void wire_accept(void);
/* Waits until somebody calls; false: the run is to end. */
bool wire_wait(void);
bool wire_up(void);
/* In the porter's thread: somebody calls while another debugger is served, and is sent away.
 * False: nobody did. */
bool wire_refuse(void);
void wire_hang_up(void);
/* From now on nobody says + or -. */
void wire_no_acks(void);
/* One byte; -1: gdb has gone, or the run is to end. */
int wire_byte(void);
void wire_send(const char *packet);
/* The next packet's contents; false: as above. */
bool wire_receive(char packet[GDB_PACKET_MAX + 1]);

/* bytes as hexadecimal digits, and a NUL; returns where that stands. */
char *hex_put(char *to, const void *from, size_t bytes);
/* The other way; *p moves on.  False: other characters were found. */
bool hex_get(const char **p, void *to, size_t bytes);

/* ---- gdb_target.c: registers, memory, breakpoints ------------------------------ */

void target_use(const struct guest_memory *m, const struct image *img);
/* What the Guest is like now; after each stop. */
void target_refresh(void);
/* The trap was one of our breakpoints: eip is moved back to it. */
bool target_was_breakpoint(void);
void target_breakpoints_again(void);	/* the memory is new */
void target_breakpoints_clear(void);
/* Answers to packets, "E.." included.  p: what follows the packet's letter. */
void target_describe(char *xml);		/* at most GDB_PACKET_MAX */
void target_registers(char *out);
void target_register(const char *p, char *out);
const char *target_set_register(const char *p);
const char *target_set_registers(const char *p);
void target_memory(const char *p, char *out);
const char *target_set_memory(const char *p);
const char *target_breakpoint(bool set, uint32_t gva);
void target_walk(uint32_t gva, char *text, size_t size);
/* len bytes by the tables in use; false: not all of them are there. */
bool target_read(uint32_t gva, void *to, size_t len);
/* From now until the next refresh, registers and memory are those of this thread.  False:
 * there is no such thread, or nothing is known of it. */
bool target_select(unsigned thread);

/* Watching: has one of these changed?  By single steps, so all that can be told of is
 * writes, and only when they are done. */
const char *target_watch(bool set, uint32_t gva, size_t len);
bool target_watches(void);
bool target_watch_hit(uint32_t *gva);

/* ---- gdb_threads.c: the Guest's processes ------------------------------------------ */

#define THREADS_MAX	64

/* Says so if they are wanted and cannot be had. */
void threads_use(const struct image *img, bool wanted);
unsigned threads_current(void);
unsigned threads_list(unsigned id[THREADS_MAX]);
bool threads_exists(unsigned id);
/* "sh, pid 1, sleeping" */
void threads_describe(unsigned id, char *text, size_t size);
/* Of one that does not run; eax, ecx, edx and eflags stay as they are.  False: not known. */
bool threads_registers(unsigned id, struct lg_regs *r, uint32_t *cr3);

/*:*/
#endif
