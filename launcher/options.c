// SPDX-License-Identifier: MIT
/*L:130 What did you type?
 *
 *	launcher [options] [MB] KERNEL [guest arguments...]
 *
 * The first word that is not an option ends our part of the line: everything after
 * the kernel's name belongs to the Guest, even if it looks like an option.  So
 * `launcher --verbose teachos.elf --verbose` is two requests to two programs.
 *
 * The memory may be given in two ways, because the original took a bare number in
 * front of the kernel and fingers remember.  A word that begins with a digit is
 * taken for memory, unless there is a file of that name.
 :*/
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher.h"

enum { OPT_HELP = 256, OPT_MEMORY, OPT_INITRD, OPT_VERBOSE, OPT_STATS, OPT_TIMEOUT,
       OPT_CAPSULE, OPT_NO_ESCAPE, OPT_BLOCK, OPT_RNG, OPT_NET, OPT_TUNNET, OPT_GDB,
       OPT_USERNAME, OPT_CHROOT, OPT_TRACE, OPT_TRACE_FILTER, OPT_MAP, OPT_DEATH,
       OPT_RINGS, OPT_SAVE, OPT_RESTORE };

static const struct option long_options[] = {
	{ "help", no_argument, NULL, OPT_HELP },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "initrd", required_argument, NULL, OPT_INITRD },
	{ "block", required_argument, NULL, OPT_BLOCK },
	{ "net", required_argument, NULL, OPT_NET },
	{ "tunnet", required_argument, NULL, OPT_TUNNET },
	{ "rng", no_argument, NULL, OPT_RNG },
	{ "gdb", optional_argument, NULL, OPT_GDB },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "stats", optional_argument, NULL, OPT_STATS },
	{ "rings", no_argument, NULL, OPT_RINGS },
	{ "map", optional_argument, NULL, OPT_MAP },
	{ "death", required_argument, NULL, OPT_DEATH },
	{ "trace", required_argument, NULL, OPT_TRACE },
	{ "trace-filter", required_argument, NULL, OPT_TRACE_FILTER },
	{ "save", required_argument, NULL, OPT_SAVE },
	{ "restore", required_argument, NULL, OPT_RESTORE },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "capsule", required_argument, NULL, OPT_CAPSULE },
	{ "no-escape", no_argument, NULL, OPT_NO_ESCAPE },
	{ "username", required_argument, NULL, OPT_USERNAME },
	{ "chroot", required_argument, NULL, OPT_CHROOT },
	{ NULL, 0, NULL, 0 },
};

void options_help(void)
{
	printf(
"Usage: launcher [options] [MB] KERNEL [guest arguments...]\n"
"       launcher --restore=FILE [options] [KERNEL]\n"
"Runs KERNEL (an ELF file or a bzImage, 32-bit) as a Guest.\n"
"\n"
"  MB, --memory=MB      the Guest's memory in MiB, or 512M, 1G (default %d, at most %d)\n"
"  --initrd=FILE        a file for the Guest, put at the top of its memory\n"
"  --block=FILE[,ro]    a disk with the sectors of FILE; ',ro': read-only (may be repeated)\n"
"  --net=user[,hostfwd=tcp|udp:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT]...\n"
"                       a network of its own: 10.0.2.15, gateway .2, DNS .3; needs no rights;\n"
"                       hostfwd: what comes in at HOSTPORT here goes to the Guest's GUESTPORT\n"
"  --tunnet=IP[/BITS]   a tap, a card of this machine's with this address, its wire the Guest's\n"
"  --tunnet=bridge:NAME the same, plugged into a bridge\n"
"  --net=raw:CARD       all that passes through CARD, which should have no other user\n"
"  --net=cable:PATH     a cable to another Guest with the same PATH; waits until that one comes\n"
"                       (each may end with ',mac=02:00:00:00:00:01')\n"
"  --rng                a device that gives random numbers\n"
"  --gdb[=PORT][,run]   let gdb look at the Guest (port %d); the Guest waits for it, ',run': not;\n"
"                       with ',threads' gdb sees the Guest's processes as threads (TeachOS)\n"
"  --save=FILE          at SIGUSR1 put the Guest into FILE, all of it but its disks, and end\n"
"  --restore=FILE       go on with a Guest that was saved, with the same --block, --net, --rng;\n"
"                       KERNEL may be left out then: it gives names, and is for a restart\n"
"  --timeout=SECONDS    end the Guest if it still runs then\n"
"  --stats[=FILE]       write the Host's counters there at the end, as JSON; without FILE, or\n"
"                       with '-': in words, on stderr\n"
"  --rings              for --stats and --trace: tell ring 1 and ring 3 apart, always; a system\n"
"                       call goes through the Host then\n"
"  --map                show in the upper half of the screen which page is in what state; no\n"
"                       terminal: on stderr, at the end and at SIGUSR2\n"
"  --map=FILE[,every=SECONDS]  write which page is where and in what state, at the end, every\n"
"                       so often, and at SIGUSR2; tools/map shows it\n"
"  --death=FILE         write there how the Guest ended and, if badly, all that is known, as JSON\n"
"  --trace=FILE         write a timeline there (Perfetto and `make view` open it);\n"
"                       '-': live, one line an event, on stderr.  Needs root: tracefs\n"
"  --trace-filter=LIST  only these, with commas: stay, hypercall, fault, inject, irq, device\n"
"  --verbose            say what is being done\n"
"  --capsule=WHEN       run inside the nested machine: never, always, or auto\n"
"                       (default auto: when there is no %s)\n"
"  --no-escape          Ctrl-A is just a key; somebody else knows how to leave\n"
"  --username=USER      become USER (a name, UID or UID:GID) before the Guest runs\n"
"  --chroot=DIR         make DIR the root directory before the Guest runs; both need root\n"
"  --help               this text\n"
"\n"
"In a terminal all keys go to the Guest.  Ctrl-A x leaves; Ctrl-A Ctrl-A sends Ctrl-A.\n"
"\n"
"Exit status:\n", MEMORY_DEFAULT, MEMORY_MAX, GDB_PORT, LG_DEVICE_PATH);
#define ROW(name, number, text) printf("  %3d  %s\n", number, text);
	EXIT_STATUSES(ROW)
#undef ROW
	printf("  %d+n ended by signal n\n", STATUS_SIGNAL);
}

/*L:135 Numbers from people
 * strtol() is generous: it takes "64 apples" for 64, and "" for 0.  We look at each
 * character ourselves, and tell three mistakes apart, because they have three
 * different cures: not a number, no memory, too much memory.
 */
int parse_memory(const char *text, uint32_t *mib, struct complaint *c)
{
	const char *p = text, *digits;
	uint64_t value = 0;
	bool minus = *p == '-';

	if (*p == '-' || *p == '+')
		p++;
	for (digits = p; isdigit((unsigned char)*p); p++)
		if (value <= MEMORY_MAX)	/* larger is refused anyway: no overflow */
			value = value * 10 + (uint64_t)(*p - '0');
	if (p == digits)
		return complain(c, STATUS_NOT_A_NUMBER,
				"memory '%s': expected a number of MiB, such as 64 or 1G", text);
	if (!strcmp(p, "G"))
		value *= 1024;
	else if (*p && strcmp(p, "M") && strcmp(p, "MB"))
		return complain(c, STATUS_NOT_A_NUMBER,
				"memory '%s': '%s' is no unit; expected a number, M or G", text, p);
	if (minus || value == 0)
		return complain(c, STATUS_TOO_LITTLE,
				"memory '%s': expected at least 1 MiB", text);
	if (value > MEMORY_MAX)
		return complain(c, STATUS_TOO_MUCH,
				"memory '%s': a Guest can have at most %d MiB", text, MEMORY_MAX);
	*mib = (uint32_t)value;
	return 0;
}
/*:*/

/* Digits with at most one point in between: no "nan", no "0x10", no "1e9". */
static int parse_seconds(const char *text, double *seconds, struct complaint *c)
{
	size_t points = 0;

	for (const char *p = text; *p; p++) {
		if (*p == '.' && p != text)
			points++;
		else if (!isdigit((unsigned char)*p))
			points = 2;
	}
	*seconds = points < 2 ? strtod(text, NULL) : 0;
	if (*seconds > 0 && *seconds <= 1e6)
		return 0;
	return complain(c, STATUS_USAGE, "--timeout=%s: expected seconds, more than 0 and at "
			"most 1000000", text);
}

/*L:140 "Did you mean ...?"
 * The number of keystrokes between two words (Levenshtein, one row of the table).
 * A typo is at most two away from what was meant; further off, a guess would only
 * be noise.
 */
static unsigned keystrokes_between(const char *a, const char *b)
{
	unsigned row[32], n = (unsigned)strlen(b);

	if (n >= sizeof(row) / sizeof(row[0]))
		return n;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned corner = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			unsigned best = corner + (a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			corner = row[j];
			row[j] = best;
		}
	}
	return row[n];
}

static int complain_unknown(const char *word, struct complaint *c)
{
	char name[32];
	const char *guess = NULL;
	unsigned best = 3;
	size_t n = strcspn(word + strspn(word, "-"), "=");

	snprintf(name, sizeof(name), "%.*s", (int)(n < 31 ? n : 31), word + strspn(word, "-"));
	for (const struct option *o = long_options; o->name; o++) {
		unsigned far = keystrokes_between(name, o->name);

		if (far < best) {
			best = far;
			guess = o->name;
		}
	}
	if (guess && n)
		return complain(c, STATUS_USAGE, "'%s' is no option; did you mean --%s?",
				word, guess);
	return complain(c, STATUS_USAGE, "'%s' is no option; --help lists them", word);
}
/*:*/

static int parse_capsule(const char *text, enum capsule *when, struct complaint *c)
{
	static const char *const word[] = { "auto", "never", "always" };

	for (unsigned i = 0; i < 3; i++) {
		if (!strcmp(text, word[i])) {
			*when = (enum capsule)i;
			return 0;
		}
	}
	return complain(c, STATUS_USAGE, "--capsule=%s: expected never, always or auto", text);
}

/* FILE or FILE,ro.  The ",ro" is cut off in place: the words of main() are ours. */
static int take_disk(struct options *o, char *text, struct complaint *c)
{
	size_t n = strlen(text);
	bool read_only = n >= 3 && !strcmp(text + n - 3, ",ro");

	if (read_only && n == 3)
		return complain(c, STATUS_USAGE, "--block=%s: expected a file in front of ',ro'",
				text);
	if (o->disks == DISKS_MAX)
		return complain(c, STATUS_USAGE, "--block=%s: a Guest can have at most %d disks",
				text, DISKS_MAX);
	if (read_only)
		text[n - 3] = '\0';
	o->disk[o->disks++] = (struct disk_wish){ .name = text, .read_only = read_only };
	return 0;
}

/* Two would both be 10.0.2.15. */
/* PORT, ",run", "PORT,run", or nothing at all.  (",inside" is said by a Launcher to
 * itself, in a capsule.) */
static int take_gdb(struct options *o, const char *text, struct complaint *c)
{
	char word[16];
	size_t n;

	o->gdb = (struct gdb_wish){ .on = true, .port = GDB_PORT };
	for (const char *p = text ? text : ""; *p; p += n + (p[n] == ',')) {
		unsigned long port = 0;
		bool digits = true;

		n = strcspn(p, ",");
		snprintf(word, sizeof(word), "%.*s", (int)(n < sizeof(word) ? n : sizeof(word) - 1), p);
		for (const char *d = word; *d; d++)
			digits = digits && isdigit((unsigned char)*d);
		port = digits ? strtoul(word, NULL, 10) : 0;
		if (!strcmp(word, "run"))
			o->gdb.run = true;
		else if (!strcmp(word, "threads"))
			o->gdb.threads = true;
		else if (!strcmp(word, "inside"))
			o->gdb.inside = true;
		else if (n && digits && port <= 65535)
			o->gdb.port = (uint16_t)port;
		else if (n)
			return complain(c, STATUS_USAGE, "--gdb=%s: '%s': expected a port (0 to 65535, "
					"0: any that is free), 'run' or 'threads'", text, word);
	}
	return 0;
}

/* Nothing, FILE or FILE,every=SECONDS, cut off in place. */
static int take_map(struct options *o, char *text, struct complaint *c)
{
	char *comma = text ? strrchr(text, ',') : NULL;
	struct complaint unused;

	o->map = text ? text : "";
	if (!comma || strncmp(comma, ",every=", 7))
		return 0;
	if (comma == text || parse_seconds(comma + 7, &o->map_every, &unused) ||
	    o->map_every < 0.001)
		return complain(c, STATUS_USAGE, "--map=%s: expected FILE or FILE,every=SECONDS, at "
				"least 0.001", text);
	*comma = '\0';
	return 0;
}

static int take_net(struct options *o, bool tunnet, const char *text, struct complaint *c)
{
	struct net_wish *w = &o->net[o->nets];
	int status;

	if (o->nets == NETS_MAX)
		return complain(c, STATUS_USAGE, "--%s=%s: a Guest can have at most %d networks",
				tunnet ? "tunnet" : "net", text, NETS_MAX);
	status = net_parse(w, tunnet, text, c);
	if (status)
		return status;
	for (unsigned i = 0; i < o->nets; i++)
		if (w->kind == NET_USER && o->net[i].kind == NET_USER)
			return complain(c, STATUS_USAGE, "--net=%s: --net=user was given before; "
					"expected it once, with all forwards", text);
	o->nets++;
	return 0;
}

static int parse_filter(const char *words, unsigned *filter, struct complaint *c)
{
	static const char *const word[] = {
#define X(name, word, text) word,
		TRACE_FILTERS(X)
#undef X
	};
	size_t n;

	*filter = 0;
	for (const char *p = words;; p += n + 1) {
		unsigned i;

		n = strcspn(p, ",");
		for (i = 0; i < TRACE_BITS; i++)
			if (strlen(word[i]) == n && !strncmp(p, word[i], n))
				break;
		if (i == TRACE_BITS)
			return complain(c, STATUS_USAGE, "--trace-filter=%s: '%.*s' is none of "
					"stay, hypercall, fault, inject, irq, device", words,
					(int)(n < 100 ? n : 100), p);
		*filter |= 1u << i;
		if (!p[n])
			return 0;
	}
}

static int take_option(struct options *o, int opt, const char *word, struct complaint *c)
{
	if (opt >= OPT_MEMORY && optarg && !*optarg && opt != OPT_MEMORY)
		return complain(c, STATUS_USAGE, "'%s' needs a value", word);
	switch (opt) {
	case OPT_HELP:
		o->help = true;
		return 0;
	case OPT_MEMORY:
		if (o->memory)
			return complain(c, STATUS_USAGE, "'%s': the memory was given before", word);
		return parse_memory(optarg, &o->memory, c);
	case OPT_INITRD:
		o->initrd = optarg;
		return 0;
	case OPT_BLOCK:
		return take_disk(o, optarg, c);
	case OPT_NET:
	case OPT_TUNNET:
		return take_net(o, opt == OPT_TUNNET, optarg, c);
	case OPT_RNG:
		o->rng = true;
		return 0;
	case OPT_GDB:
		return take_gdb(o, optarg, c);
	case OPT_USERNAME:
		o->user = optarg;
		return 0;
	case OPT_CHROOT:
		o->root = optarg;
		return 0;
	case OPT_VERBOSE:
		o->verbose = true;
		return 0;
	case OPT_STATS:
		o->stats = optarg ? optarg : "-";
		return 0;
	case OPT_RINGS:
		o->rings = true;
		return 0;
	case OPT_MAP:
		return take_map(o, optarg, c);
	case OPT_DEATH:
		o->death = optarg;
		return 0;
	case OPT_TRACE:
		o->trace = optarg;
		return 0;
	case OPT_TRACE_FILTER:
		o->trace_words = optarg;
		return parse_filter(optarg, &o->trace_filter, c);
	case OPT_TIMEOUT:
		return parse_seconds(optarg, &o->timeout, c);
	case OPT_SAVE:
		o->save = optarg;
		return 0;
	case OPT_RESTORE:
		o->restore = optarg;
		return 0;
	case OPT_CAPSULE:
		return parse_capsule(optarg, &o->capsule, c);
	case OPT_NO_ESCAPE:
		o->no_escape = true;
		return 0;
	case ':':
		return complain(c, STATUS_USAGE, "'%s' needs a value", word);
	default:
		if (optopt >= OPT_HELP)		/* a flag that was given a value */
			return complain(c, STATUS_USAGE, "'%s' takes no value", word);
		if (isdigit(optopt))		/* "-5": somebody's memory */
			return parse_memory(word, &o->memory, c);
		return complain_unknown(word, c);
	}
}

/* Joins the words by one space; the Guest sees one string, as Linux does. */
static int join_words(struct options *o, char **word, struct complaint *c)
{
	size_t n = 0;

	for (; *word; word++) {
		size_t len = strlen(*word);

		if (n + (n > 0) + len > COMMAND_LINE_MAX)
			return complain(c, STATUS_USAGE, "the Guest's arguments are too long: "
					"expected at most %d bytes", COMMAND_LINE_MAX);
		if (n)
			o->command_line[n++] = ' ';
		memcpy(o->command_line + n, *word, len);
		n += len;
	}
	o->command_line[n] = '\0';
	return 0;
}

int options_parse(struct options *o, int argc, char **argv, struct complaint *c)
{
	const char *word;
	int opt, status, at = 1;

	memset(o, 0, sizeof(*o));
	optind = 0;	/* glibc: begin again, also for the second call in a test */
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:", long_options, NULL)) != -1) {
		status = take_option(o, opt, argv[at], c);
		if (status || o->help)
			return status;
		at = optind;
	}

	word = argv[optind];
	if (word && isdigit((unsigned char)*word) && access(word, F_OK) < 0) {
		uint32_t mib;

		status = parse_memory(word, &mib, c);
		if (status)
			return status;
		if (o->memory)
			return complain(c, STATUS_USAGE, "memory '%s': --memory said %u before",
					word, o->memory);
		o->memory = mib;
		word = argv[++optind];
	}
	if (!o->memory && !o->restore)
		o->memory = MEMORY_DEFAULT;
	if (!o->trace_words)
		o->trace_filter = TRACE_SHOW_ALL;
	else if (!o->trace)
		return complain(c, STATUS_USAGE, "--trace-filter=%s: there is no --trace to filter",
				o->trace_words);
	if (o->rings && !o->stats && !o->trace)
		return complain(c, STATUS_USAGE, "--rings: there is no --stats or --trace that would "
				"show it");
	if (o->save && o->gdb.on)
		return complain(c, STATUS_USAGE, "--save=%s: not together with --gdb, whose breakpoints "
				"are in the Guest's memory", o->save);
	if (o->restore && o->initrd && !word)
		return complain(c, STATUS_USAGE, "--initrd=%s: with --restore it is for a restart, and "
				"no KERNEL was given for one", o->initrd);
	if (o->restore && word && argv[optind + 1])
		return complain(c, STATUS_USAGE, "'%s': the Guest in %s has had its arguments; expected "
				"none", argv[optind + 1], o->restore);
	o->kernel_index = optind;
	if (o->restore && !word)
		return 0;
	if (!word)
		return complain(c, STATUS_USAGE, "no kernel given; expected: launcher [options] "
				"[MB] KERNEL [guest arguments...] (see --help)");
	o->kernel = word;
	return join_words(o, argv + optind + 1, c);
}
