/* SPDX-License-Identifier: MIT */
#ifndef STAND_H
#define STAND_H

#include "lg.h"

/* What the Host had before the crossing, and after it: boot.asm has the same order. */
struct host_view {
	u64 rbx, rbp, r12, r13, r14, r15, rflags, rsp;
	u64 ds, es, fs, gs, ss, cs;
};
extern struct host_view host_in, host_out;
extern u64 timer_count;		/* the APIC's timer, started right before the call; 0: not */

/* What a program of the Guest sees of its registers. */
struct guest_view {
	u32 reg[7];		/* eax ebx ecx edx esi edi ebp */
	u32 segment[4];		/* ds es fs gs */
	u32 flags, esp;
};

/* An exception, delivered by hand (stand_deliver). */
struct delivery {
	const void *stub;
	u64 words;
	u64 word[8];
	u64 reg[7];
};

#define GUEST_CODE	0x10000u
#define GUEST_TAIL	0x10800u
#define GUEST_SEEN	0x20000u
#define GUEST_NEXT	0x20100u
#define GUEST_STACK	0x30000u	/* its end */
#define GUEST_KERNEL_STACK 0x34000u	/* for ring 3's visits to ring 1 */
#define GUEST_HANDLER	0x11000u
#define GUEST_PAGES	64u		/* mapped from 0 */

#define KCS	0x61
#define KDS	0x69
#define UCS	0x73
#define UDS	0x7b

/* A Guest: its pages, its tables, its memory. */
struct world {
	struct lg_pages *pages;
	u64 *top, *pt;		/* the top-level table, and the one that maps its memory */
	u8 *ram;
};

extern struct world world[2];
extern u64 nmis;		/* that the Host's own handler has seen */
extern struct delivery delivery;

void build_machine(void);
void build_world(struct world *w);
bool cross(struct world *w);
bool deliver_by_hand(struct world *w);
bool stay(struct world *w);
void arm(u32 count, bool nmi);
bool fired(void);
void self_interrupt(u32 vector);
void end_of_interrupt(void);
void program(struct world *w, u32 at, const void *code, u32 size);
void map_guest_page(struct world *w, u32 address, bool present);

u32 draw(void);
bool fail(const char *format, ...);
void say(const char *format, ...);
void finish(u8 status) __attribute__((noreturn));

struct test {
	const char *name;
	bool (*run)(void);
};
extern const struct test tests[];
/* Who brings tests of his own puts them here: MORE_TESTS = { { "name", function }, ... }; */
extern const struct test more_tests[], more_tests_end[];
#define MORE_TESTS static const struct test more[] \
	__attribute__((section(".more_tests"), used, aligned(16)))
extern const char *test_name;

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
