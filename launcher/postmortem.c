// SPDX-License-Identifier: MIT
/*L:750 Why did it die?
 *
 * The Host kills a Guest with a code and a sentence.  That is the diagnosis; here is
 * the file that goes with it: the registers at the last exit, and the exits before,
 * so that you see how the Guest came to be there.  The kernel's own symbol table
 * turns addresses into names of functions, if the file has one.
 *
 * Read the list from the bottom up.  The last line is the end; the cause is usually
 * one or two lines above it.
 :*/
#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher.h"

#define SYMBOLS_MAX	(16u * MIB)	/* no kernel has that many; a broken file may say so */
#define HIGHER_HALF	0xc0000000u

struct symbols {
	Elf32_Sym *symbol;
	size_t count;
	char *names;
	size_t names_size;
};

static void *read_section(const struct image *img, const Elf32_Shdr *s, size_t extra)
{
	char *p;

	if (s->sh_size > SYMBOLS_MAX || (uint64_t)s->sh_offset + s->sh_size > img->size)
		return NULL;
	p = calloc(1, s->sh_size + extra);
	if (p && read_exactly(img->fd, p, s->sh_size, s->sh_offset))
		return p;
	free(p);
	return NULL;
}

/* Leaves ->symbol NULL if there are none, or if anything about them is odd. */
static void symbols_read(const struct image *img, struct symbols *sym)
{
	Elf32_Ehdr h;
	Elf32_Shdr table, names;
	unsigned i;

	memset(sym, 0, sizeof(*sym));
	if (img->bzimage || !read_exactly(img->fd, &h, sizeof(h), 0) ||
	    h.e_shentsize != sizeof(table))
		return;
	for (i = 0; i < h.e_shnum; i++)
		if (!read_exactly(img->fd, &table, sizeof(table),
				  h.e_shoff + (uint64_t)i * sizeof(table)) ||
		    table.sh_type == SHT_SYMTAB)
			break;
	if (i == h.e_shnum || table.sh_type != SHT_SYMTAB || table.sh_link >= h.e_shnum ||
	    !read_exactly(img->fd, &names, sizeof(names),
			  h.e_shoff + (uint64_t)table.sh_link * sizeof(names)))
		return;
	sym->names = read_section(img, &names, 1);	/* and a NUL behind the last name */
	sym->symbol = sym->names ? read_section(img, &table, 0) : NULL;
	sym->names_size = names.sh_size;
	sym->count = table.sh_size / sizeof(*sym->symbol);
}

/* The symbol nearest below eip, as " <name+0x12>"; "" if there is none. */
static const char *name_of(const struct symbols *sym, uint32_t eip, char *text, size_t size)
{
	const Elf32_Sym *best = NULL;

	text[0] = '\0';
	for (size_t i = 0; sym->symbol && i < sym->count; i++) {
		const Elf32_Sym *s = &sym->symbol[i];
		unsigned type = ELF32_ST_TYPE(s->st_info);

		if ((type == STT_FUNC || type == STT_NOTYPE) && s->st_shndx != SHN_UNDEF &&
		    s->st_shndx < SHN_LORESERVE && s->st_name && s->st_name < sym->names_size &&
		    s->st_value <= eip && (!best || s->st_value >= best->st_value))
			best = s;
	}
	if (best && eip - best->st_value < MIB)
		snprintf(text, size, " <%.60s+0x%x>", sym->names + best->st_name,
			 eip - best->st_value);
	else if (eip < HIGHER_HALF / 4)		/* before paging: look where it will be */
		name_of(sym, eip + HIGHER_HALF, text, size);
	return text;
}

static const char *vector_name(uint32_t vector, char *text, size_t size)
{
	static const char *const name[] = {
		"#DE divide", "#DB debug", "NMI", "#BP breakpoint", "#OF overflow", "#BR bound",
		"#UD bad instruction", "#NM no FPU", "#DF double fault", "FPU overrun",
		"#TS bad TSS", "#NP no segment", "#SS stack segment", "#GP protection",
		"#PF page fault", "reserved", "#MF FPU error", "#AC alignment",
		"#MC machine check", "#XF SIMD error",
	};

	if (vector < sizeof(name) / sizeof(name[0]))
		return name[vector];
	if (vector >= 256)
		snprintf(text, size, "fault %u in the Switcher", vector - 256);
	else if (vector == 0x80)
		return "system call";
	else if (vector >= 32)
		return "real interrupt";
	else
		snprintf(text, size, "vector %u", vector);
	return text;
}

static const char *hypercall_name(uint32_t number)
{
	static const char *const name[LHCALL_COUNT] = {
		"FLUSH_ASYNC", "LGUEST_INIT", "SHUTDOWN", NULL, "NEW_PGTABLE", "FLUSH_TLB",
		"LOAD_IDT_ENTRY", "SET_STACK", "TS", "SET_CLOCKEVENT", "HALT", NULL, NULL,
		"SET_PMD", "SET_PTE", "SET_PGD", "LOAD_TLS", "NOTIFY", "LOAD_GDT_ENTRY",
		"SEND_INTERRUPTS",
	};

	return number < LHCALL_COUNT && name[number] ? name[number] : "unassigned";
}

static void print_exit(const struct symbols *sym, const struct lg_exit_record *e, uint64_t last)
{
	char where[96], what[48];

	name_of(sym, e->eip, where, sizeof(where));
	if (e->vector == LGUEST_TRAP_ENTRY)
		fprintf(stderr, "  %+10" PRId64 "  hypercall %u %s", (int64_t)(e->tsc - last),
			e->number, hypercall_name(e->number));
	else
		fprintf(stderr, "  %+10" PRId64 "  %s", (int64_t)(e->tsc - last),
			vector_name(e->vector, what, sizeof(what)));
	if (e->vector == 14)
		fprintf(stderr, " at %08x: %s, %s, from ring %u;", e->cr2,
			e->error & 1 ? "not allowed" : "not present",
			e->error & 16 ? "fetch" : e->error & 2 ? "write" : "read", e->cs & 3);
	else if (e->error)
		fprintf(stderr, " error 0x%x", e->error);
	fprintf(stderr, " at eip %02x:%08x%s\n", e->cs, e->eip, where);
}

void postmortem(const struct image *img)
{
	struct lg_state st;
	const struct lg_regs *r = &st.regs;
	struct symbols sym;
	char where[96];
	unsigned exits;

	memset(&st, 0, sizeof(st));
	if (host_state(&st) < 0)
		return;
	symbols_read(img, &sym);
	fprintf(stderr, "  eax %08x  ebx %08x  ecx %08x  edx %08x\n"
		"  esi %08x  edi %08x  ebp %08x  esp %02x:%08x\n"
		"  ds %02x  es %02x  fs %02x  gs %02x  eflags %08x\n"
		"  eip %02x:%08x%s\n",
		r->eax, r->ebx, r->ecx, r->edx, r->esi, r->edi, r->ebp, r->ss, r->esp,
		r->ds, r->es, r->fs, r->gs, r->eflags,
		r->cs, r->eip, name_of(&sym, r->eip, where, sizeof(where)));
	fprintf(stderr, "  page tables %08x%s  cr2 %08x  ring-1 stack %02x:%08x%s",
		st.cr3, st.cr3 ? "" : " (none yet: virtual = physical)", st.cr2, st.ss1, st.esp1,
		st.halted ? "  halted" : "");
	if (st.irq_pending)
		fprintf(stderr, "  interrupts waiting: 0x%x", st.irq_pending);
	exits = st.exits < LG_EXIT_RECORDS ? st.exits : LG_EXIT_RECORDS;
	fprintf(stderr, "\n  the last %u exits, oldest first (left: TSC ticks since the one before)\n",
		exits);
	for (unsigned i = 0; i < exits; i++)
		print_exit(&sym, &st.exit[i], st.exit[i ? i - 1 : 0].tsc);
	free(sym.symbol);
	free(sym.names);
}
