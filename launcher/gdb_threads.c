// SPDX-License-Identifier: MIT
/*L:771 Threads, if asked
 *
 * gdb thinks in threads; the Guest has one processor, and what its kernel does with it is
 * the kernel's business.  But a kernel may want to be understood.  If it has a symbol
 * `debugger_threads`, that names a small table: where the list of its processes begins, and
 * where in each one its number, its name and its stack pointer are (TeachOS's stands in
 * kernel/process.c).  With --gdb=PORT,threads we read it, and gdb sees a thread for each:
 * `info threads`, `thread 3`, `backtrace`.
 *
 * Of one that does not run there are six registers, left on its stack by the switch to the
 * next (G:430): edi, esi, ebx, ebp, where it goes on, and where its stack is then.  The
 * others are gone, and gdb is told so.
 *
 * gdb's numbers begin with 1, and process 0 exists: so a thread's number is the pid and 1.
 */
#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "gdb.h"

#define MAGIC		0x44524854u	/* "THRD" */
#define NAME_MAX_	16
#define STATE_BYTES	12		/* for the name of one */

/* What the Guest says; all addresses are virtual ones of its kernel. */
struct note {
	uint32_t magic;
	uint32_t list, current;		/* of a pointer to the first, and to the one that runs */
	uint32_t next, pid, name, state, root, esp;	/* offsets in one */
	uint32_t states, state_count;	/* their names, STATE_BYTES each */
};

static struct note note;
static uint32_t note_at;		/* 0: none */

void threads_use(const struct image *img, bool wanted)
{
	note_at = 0;
	if (wanted && !symbols_lookup(img, "debugger_threads", &note_at)) {
		say("--gdb=...,threads: %s has no symbol debugger_threads; gdb will see one thread",
		    img->name);
		note_at = 0;
	}
}

static uint32_t word_at(uint32_t gva)
{
	uint32_t value = 0;

	return target_read(gva, &value, sizeof(value)) ? value : 0;
}

/* The Guest may be anywhere, also before its tables, and it may have broken all this. */
static bool read_note(void)
{
	return note_at && target_read(note_at, &note, sizeof(note)) && note.magic == MAGIC &&
	       note.state_count <= 16;
}

unsigned threads_current(void)
{
	uint32_t at = read_note() ? word_at(note.current) : 0;

	return at ? word_at(at + note.pid) + 1 : 1;
}

/* The process with this thread's number, or its place in the list if nth >= 0.  0: none. */
static uint32_t find(unsigned id, int nth)
{
	uint32_t at = read_note() ? word_at(note.list) : 0;

	for (unsigned n = 0; at && n < THREADS_MAX; n++, at = word_at(at + note.next))
		if (nth >= 0 ? n == (unsigned)nth : word_at(at + note.pid) + 1 == id)
			return at;
	return 0;
}

unsigned threads_list(unsigned id[THREADS_MAX])
{
	unsigned n = 0;

	for (uint32_t at; n < THREADS_MAX && (at = find(0, (int)n)); n++)
		id[n] = word_at(at + note.pid) + 1;
	if (!n)
		id[n++] = 1;
	return n;
}

bool threads_exists(unsigned id)
{
	return find(id, -1) || id == threads_current();
}

void threads_describe(unsigned id, char *text, size_t size)
{
	uint32_t at = find(id, -1), state = at ? word_at(at + note.state) : 0;
	char name[NAME_MAX_ + 1] = "", word[STATE_BYTES + 1] = "";

	/* Never nothing: gdb would not ask again. */
	snprintf(text, size, "the processor");
	if (!at)
		return;
	target_read(at + note.name, name, NAME_MAX_);
	for (char *p = name; *p; p++)
		*p = *p < 0x20 || *p > 0x7e ? '?' : *p;
	if (state < note.state_count)
		target_read(note.states + state * STATE_BYTES, word, STATE_BYTES);
	snprintf(text, size, "%s, pid %u, %s", name, id - 1, word[0] ? word : "in no state we know");
}

bool threads_registers(unsigned id, struct lg_regs *r, uint32_t *cr3)
{
	uint32_t at = find(id, -1), esp, root, saved[5];

	if (!at)
		return false;
	esp = word_at(at + note.esp);
	if (!esp || !target_read(esp, saved, sizeof(saved)))
		return false;
	r->edi = saved[0];
	r->esi = saved[1];
	r->ebx = saved[2];
	r->ebp = saved[3];
	r->eip = saved[4];
	r->esp = esp + sizeof(saved);
	r->cs = LGUEST_KERNEL_CS;
	r->ss = r->ds = r->es = LGUEST_KERNEL_DS;
	r->fs = r->gs = 0;
	root = word_at(at + note.root);
	if (root)
		*cr3 = root;
	return true;
}
/*:*/
