// SPDX-License-Identifier: MIT
/*L:754 For the files
 *
 * The obituary again, as JSON, for whoever wants to compare a hundred of them: a teacher,
 * a test, a bug report.  Nothing is left out, nothing is rounded.  What is an address, a
 * register or an entry of a table is a string with 0x; what can be counted is a number.
 *
 * It is written for every end, so that an old file is never taken for the new one.  After
 * a good end it says so, and nothing more.
 :*/
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher.h"

static struct outfile out;

int death_open(const char *file, struct complaint *c)
{
	return outfile_open(&out, "--death", file, c);
}

static void put_text(FILE *f, const char *name, const char *text)
{
	fprintf(f, "\"%s\": ", name);
	json_text(f, text);
}

/* "kernel/vm.c:123", or null */
static void put_line(FILE *f, const struct line *line)
{
	char text[sizeof(line->file) + 16];

	if (line->number && line->file[0]) {
		snprintf(text, sizeof(text), "%s:%u", line->file, line->number);
		put_text(f, "line", text);
	} else {
		fputs("\"line\": null", f);
	}
}

/* "eip": "0xc0101234", "symbol": "vm_fault+0x3c", "line": "kernel/vm.c:123" */
static void put_place(FILE *f, const struct obituary *o, uint32_t eip, const struct line *line)
{
	char name[80];

	fprintf(f, "\"eip\": \"0x%08x\", ", eip);
	put_text(f, "symbol", symbols_name(&o->sym, eip, name, sizeof(name)));
	fputs(", ", f);
	put_line(f, line);
}

/* Of all, or of those that changed since the last entry: [from, to]. */
static void put_registers(FILE *f, const struct lg_regs *r, const struct lg_regs *from)
{
	const struct {
		const char *name;
		uint32_t value, before;
	} all[] = {
#define R(name) { #name, r->name, from ? from->name : 0 }
		R(eax), R(ebx), R(ecx), R(edx), R(esi), R(edi), R(ebp), R(esp), R(eip), R(eflags),
		R(cs), R(ds), R(es), R(fs), R(gs), R(ss),
#undef R
	};

	const char *comma = "";

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int digits = i < 10 ? 8 : 2;

		if (from && all[i].value == all[i].before)
			continue;
		fprintf(f, "%s\"%s\": ", comma, all[i].name);
		if (from)
			fprintf(f, "[\"0x%0*x\", \"0x%0*x\"]", digits, all[i].before, digits,
				all[i].value);
		else
			fprintf(f, "\"0x%0*x\"", digits, all[i].value);
		comma = ", ";
	}
}

static void put_look(FILE *f, const struct obituary *o, const struct look *l)
{
	char bits[32];

	fprintf(f, "{\"address\": \"0x%08x\", \"levels\": [", l->gva);
	for (unsigned i = 0; i < l->walk.levels; i++) {
		const struct walk_level *level = &l->walk.level[i];
		unsigned index;
		const char *name = level_name(o->st.pae, l->gva, i, &index);

		fprintf(f, "%s\n  {\"name\": \"%s\", \"index\": %u, \"at\": \"0x%08x\", "
			"\"entry\": \"0x%0*" PRIx64 "\", \"bits\": \"%s\"}", i ? "," : "", name, index,
			(unsigned)level->gpa, o->st.pae ? 16 : 8, level->entry,
			entry_bits(level->entry, bits));
	}
	fputs("],\n  \"physical\": ", f);
	if (l->mapped)
		fprintf(f, "\"0x%08x\"", (unsigned)l->walk.gpa);
	else
		fputs("null", f);
	fputs(", \"shadow\": ", f);
	if (l->shadow_known)
		fprintf(f, "{\"entry\": \"0x%016" PRIx64 "\", \"bits\": \"%s\"}", l->shadow,
			l->shadow ? entry_bits(l->shadow, bits) : "nothing there");
	else
		fputs("null", f);
	fputs("}", f);
}

static void put_exit(FILE *f, const struct obituary *o, unsigned i)
{
	const struct lg_exit_record *e = &o->st.exit[i];
	char what[48];

	fprintf(f, "%s\n  {\"ticks\": %" PRIu64 ", \"vector\": %u, \"name\": \"%s\", ", i ? "," : "",
		(uint64_t)(e->tsc - o->st.exit[i ? i - 1 : 0].tsc), e->vector,
		vector_name(e->vector, what, sizeof(what)));
	if (e->vector == LGUEST_TRAP_ENTRY)
		fprintf(f, "\"number\": %u, \"hypercall\": \"%s\", ", e->number,
			hypercall_name(e->number));
	if (e->vector == 14)
		fprintf(f, "\"cr2\": \"0x%08x\", ", e->cr2);
	fprintf(f, "\"error\": \"0x%x\", \"cs\": \"0x%02x\", ", e->error, e->cs);
	put_place(f, o, e->eip, &o->line_of_exit[i]);
	fputs("}", f);
}

/* What could not be delivered, and where its frame had no place; no gate: null. */
static void put_undelivered(FILE *f, const struct obituary *o)
{
	char what[48];
	uint32_t vector = o->st.undelivered - 1;

	fprintf(f, ",\n \"undelivered\": {\"vector\": %u, \"name\": \"%s\", \"stack\": ", vector,
		vector < 32 ? vector_name(vector, what, sizeof(what)) : "interrupt");
	if (o->stack.taken)
		put_look(f, o, &o->stack);
	else
		fputs("null", f);
	fputs("}", f);
}

static void put_obituary(FILE *f, const struct obituary *o)
{
	const struct lg_state *st = &o->st;
	char what[48];

	fprintf(f, ",\n \"cs\": \"0x%02x\", ", st->regs.cs);
	put_place(f, o, st->regs.eip, &o->line_of_eip);
	if (o->said[0]) {
		fputs(",\n \"said\": {", f);
		put_text(f, "place", o->said);
		fputs(", ", f);
		put_line(f, &o->line_of_said);
		fputs("}", f);
	}
	fputs(",\n \"instruction\": \"", f);
	for (size_t i = 0; i < o->code_bytes; i++)
		fprintf(f, "%s%02x", i ? " " : "", o->code[i]);
	fputs("\"", f);
	if (o->forbidden) {
		fputs(",\n ", f);
		put_text(f, "forbidden", o->forbidden);
	}
	fputs(",\n \"registers\": {", f);
	put_registers(f, &st->regs, NULL);
	fputs("},\n \"changed\": ", f);
	if (st->recorded) {
		fputs("{", f);
		put_registers(f, &st->regs, &st->entry);
		fputs("}", f);
	} else {
		fputs("null", f);
	}
	fprintf(f, ",\n \"vector\": %u, \"vector_name\": \"%s\", \"error\": \"0x%x\",\n "
		"\"cr2\": \"0x%08x\", \"page_tables\": \"0x%08x\", \"pae\": %s, "
		"\"ring1_ss\": \"0x%02x\", \"ring1_esp\": \"0x%08x\",\n "
		"\"halted\": %s, \"interrupts_waiting\": \"0x%x\"",
		st->vector, vector_name(st->vector, what, sizeof(what)), st->error, st->cr2,
		st->cr3, st->pae ? "true" : "false", st->ss1, st->esp1,
		st->halted ? "true" : "false", st->irq_pending);
	if (st->undelivered)
		put_undelivered(f, o);
	if (o->fault.taken) {
		fputs(",\n \"walk\": ", f);
		put_look(f, o, &o->fault);
	}
	fputs(",\n \"callers\": [", f);
	for (unsigned i = 0; i < o->callers; i++) {
		fputs(i ? ",\n  {" : "\n  {", f);
		put_place(f, o, o->caller[i], &o->line_of_caller[i]);
		fputs("}", f);
	}
	fputs("],\n \"exits\": [", f);
	for (unsigned i = 0; i < st->exits; i++)
		put_exit(f, o, i);
	fprintf(f, "],\n \"exits_of\": {\"programs\": %u, \"kernel\": %u, \"hypercalls\": %u, "
		"\"interrupts\": %u},\n ", o->exits_of[EXIT_USER], o->exits_of[EXIT_KERNEL],
		o->exits_of[EXIT_HYPERCALL], o->exits_of[EXIT_INTERRUPT]);
	if (o->end->run.code[0]) {
		char rule[32];

		snprintf(rule, sizeof(rule), OBITUARY_RULE "%s", o->end->run.code);
		put_text(f, "rule", rule);
		fputs(", ", f);
	}
	put_text(f, "hint", OBITUARY_HINT);
}

/* The code is the Host's alone; who ended it, if it was not? */
static const char *decided_by(const struct ending *end)
{
	switch (end->status) {
	case STATUS_CRASHED:
		return "the Guest";
	case STATUS_TIMEOUT:
		return "--timeout";
	case STATUS_KILLED:
		return end->run.what == LG_RUN_KILLED ? end->run.by : "the Launcher";
	}
	return "";
}

static const char *meaning_of(int status)
{
	switch (status) {
#define ROW(name, number, text) case number: return text;
	EXIT_STATUSES(ROW)
#undef ROW
	}
	return "ended by a signal";
}

void death_write(const struct guest_memory *mem, const struct image *img,
		 const struct ending *end)
{
	struct obituary o;
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (f) {
		fprintf(f, "{\"status\": %d, ", end->status);
		put_text(f, "meaning", meaning_of(end->status));
		fputs(",\n ", f);
		put_text(f, "code", end->run.code);
		fputs(", ", f);
		put_text(f, "text", end->run.text);
		fputs(",\n ", f);
		put_text(f, "decided_by", decided_by(end));
		if (end->status != STATUS_POWEROFF && obituary_take(&o, mem, img, end)) {
			put_obituary(f, &o);
			obituary_free(&o);
		}
		fputs("}\n", f);
	}
	if (!f || fclose(f))
		say("--death=%s: could not be written: %s", out.name, strerror(errno));
	else
		outfile_put(&out, text, n);
	free(text);
}

void death_last_words(int status, const char *text)
{
	static char words[512];
	int n = snprintf(words, sizeof(words), "{\"status\": %d, \"meaning\": \"%s\",\n \"code\": \"\", "
			 "\"text\": \"%s\",\n \"decided_by\": \"a signal\"}\n", status,
			 meaning_of(status), text);

	if (out.name && n > 0 && (size_t)n < sizeof(words))
		outfile_put(&out, words, (size_t)n);
}

int death_fd(void)
{
	return out.name ? out.fd : -1;
}

void death_use(int fd)
{
	out.fd = fd;
}
