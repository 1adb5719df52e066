// SPDX-License-Identifier: MIT
/*L:100 The Launcher
 *
 * You have met a kernel that wants to be a Guest, and drivers that want to talk to
 * somebody.  Here is the somebody.  A Guest needs memory, a kernel in that memory,
 * a few devices, and a person who listens when it speaks.  All of that is an
 * ordinary program, without any privilege but one: it may open /dev/lguest.
 *
 *	           the Launcher (a process like any other)
 *	+------------------------------------------------------+
 *	|  our code   |   a big piece of memory                |
 *	|  our data   | +------------------------------------+ |
 *	|  our stack  | |  "this is my computer",            | |
 *	|             | |            says the Guest          | |
 *	|             | +------------------------------------+ |
 *	+--------|---------------------------------------------+
 *	         | ioctl(RUN)           ^ NOTIFY: "I have a question"
 *	+--------v----------------------|----------------------+
 *	|  the Host (lg.ko) lets the Guest run, and watches it |
 *	+------------------------------------------------------+
 *
 * Two things are worth knowing before you read on.  First, the Guest is not to be
 * trusted.  It may be hostile; much more often it is a student's kernel at half past
 * two in the morning, which comes to the same.  Second, it is not to be despised:
 * whatever it does wrong deserves an answer that helps.
 :*/
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher.h"

/* If somebody closed stdin for us, the first file we open would become it. */
static void keep_stdio_open(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(STATUS_INTERNAL);
}

/*L:110 All mistakes first
 * Every file is opened and every number looked at before anything is started.  A
 * machine that takes two seconds to boot, in order to say that you mistyped a name,
 * is a rude machine.
 */
static void check_kernel(const struct options *o, struct image *img, struct initrd *rd)
{
	uint64_t ram = (uint64_t)o->memory * MIB;
	struct complaint c;

	/* A Guest in a snapshot needs no kernel: then there is no file to be asked. */
	*img = (struct image){ .name = "", .fd = -1, .bzimage = true };
	if (o->kernel && (image_open(img, o->kernel, &c) || image_fits(img, ram, &c) ||
			  (o->initrd && initrd_open(rd, o->initrd, img, ram, &c))))
		die_complaining(&c);
}

/* What the snapshot says of its Guest takes the place of what was not typed. */
static void check_snapshot(struct options *o, struct snapshot *s)
{
	struct complaint c;

	if (snapshot_open(s, o->restore, &c))
		die_complaining(&c);
	if (o->memory && o->memory != s->memory)
		die(STATUS_USAGE, "memory '%u': the Guest in %s has %u MiB; expected the same, or "
		    "nothing", o->memory, o->restore, s->memory);
	o->memory = s->memory;
	memcpy(o->command_line, s->command_line, sizeof(o->command_line));
}

static void check_save(const struct options *o, const struct image *img, const struct snapshot *s)
{
	struct fingerprint kernel = s->kernel;
	struct complaint c;

	if (o->kernel && !snapshot_fingerprint(img->fd, &kernel))
		die(STATUS_NO_KERNEL, "%s: cannot read the kernel: %s", img->name, strerror(errno));
	if (saving_open(o->save, o->command_line, &kernel, &c))
		die_complaining(&c);
}

static void check_everything(struct options *o, struct image *img, struct initrd *rd,
			     struct disk *disk, struct rights *rights, struct snapshot *s)
{
	struct complaint c;

	if (o->restore)
		check_snapshot(o, s);
	check_kernel(o, img, rd);
	if ((o->restore && o->kernel && snapshot_same_kernel(s, img, &c)) ||
	    (o->trace && trace_check(o->trace, &c)) ||
	    rights_find(rights, o->user, o->root, &c))
		die_complaining(&c);
	for (unsigned i = 0; i < o->disks; i++)
		if (disk_open(&disk[i], o->disk[i].name, o->disk[i].read_only, &c))
			die_complaining(&c);
	/* The last ones, as they make the file if there is none. */
	if ((o->stats && stats_open(o->stats, &c)) || (o->death && death_open(o->death, &c)))
		die_complaining(&c);
	if (o->map && map_open(o->map, o->map_every, &c))
		die_complaining(&c);
	if (o->save)
		check_save(o, img, s);
}

static void check_host_memory(const struct options *o)
{
	uint64_t has = memory_host_has() / MIB;

	if (o->memory > has)
		die(STATUS_TOO_MUCH, "memory '%u': this machine has only %" PRIu64
		    " MiB available", o->memory, has);
}

/*:*/

/* Only if somebody wants to know: it costs time in each entry. */
static unsigned what_to_watch(const struct options *o)
{
	return (o->stats || o->trace ? LG_CREATE_TIME : 0) | (o->rings ? LG_CREATE_RINGS : 0);
}

/*L:120 One life
 * Furnish the world, wake the Guest, wait until it is over.  A restart is just the
 * next life, in the same memory, wiped, with the kernel read again from its file.  It
 * is the file that we opened at the start, so a kernel that was built anew in its place
 * is not seen: we are locked in by then (sandbox.c), and cannot look for it.
 */
static void live(const struct options *o, struct image *img, const struct initrd *rd,
		 struct bus *bus, struct ending *end)
{
	struct complaint c;

	trace_mark("S");
	bus_lay_out(bus);
	if (image_load(img, bus->mem, &c) ||
	    boot_set_table(bus->mem, o->command_line, rd, &c) ||
	    host_create(bus->mem, img->entry, what_to_watch(o), &c))
		die_complaining(&c);
	verbose("%u MiB, entry 0x%x, arguments \"%s\"", o->memory, img->entry, o->command_line);
	run_guest(bus, img, end);
}

/* The same, for a Guest that has lived before: its memory is there already. */
static void live_again(const struct options *o, const struct image *img, struct snapshot *s,
		       struct bus *bus, struct ending *end)
{
	struct complaint c;

	trace_mark("S");
	bus_announce(bus);
	if (host_create(bus->mem, 0, what_to_watch(o), &c))
		die_complaining(&c);
	switch (-host_restore(&s->state)) {
	case 0:
		break;
	case EINVAL:
		die(STATUS_NOT_KERNEL, "%s: not a sound snapshot: the Host refuses its state: %s; "
		    "expected what --save=FILE wrote", s->name, s->state.why);
	default:
		die(STATUS_INTERNAL, "%s: the Host does not restore the Guest: %s", s->name,
		    strerror(errno));
	}
	bus_thaw(bus);
	verbose("%u MiB, from %s, arguments \"%s\"", o->memory, s->name, o->command_line);
	run_guest(bus, img, end);
}

static int life_after_life(const struct options *o, struct image *img, struct initrd *rd,
			   struct snapshot *s, struct bus *bus)
{
	struct ending end;
	struct complaint c;

	for (unsigned boots = 1;; boots++) {
		if (o->restore && boots == 1)
			live_again(o, img, s, bus, &end);
		else
			live(o, img, rd, bus, &end);
		if (o->death && end.status != RUN_RESTART)
			death_write(bus->mem, img, &end);
		gdb_over(&end);
		if (o->stats && end.status != RUN_RESTART)
			stats_write(o->stats, bus, &end, boots);
		if (end.status != RUN_RESTART)
			map_write(bus->mem, "end");
		bus_stop(bus);
		if (end.status != RUN_RESTART) {
			host_close();
			net_farewell();
			return end.status;
		}
		if (!o->kernel)
			die(STATUS_NO_KERNEL, "the Guest restarts, and a snapshot has no kernel to do it "
			    "with; expected --restore=%s KERNEL", o->restore);
		if (host_again(&c))
			die_complaining(&c);
		memory_wipe(bus->mem);
		if (image_reread(img, &c) || image_fits(img, bus->mem->ram, &c))
			die_complaining(&c);
	}
}
/*:*/

int main(int argc, char **argv)
{
	struct options o;
	struct image img;
	struct initrd rd = { .fd = -1 };
	struct guest_memory memory;
	struct disk disk[DISKS_MAX];
	struct net_link net[NETS_MAX];
	struct rights rights;
	struct snapshot snapshot = { .fd = -1 };
	struct bus bus;
	struct complaint c;

	keep_stdio_open();
	if (options_parse(&o, argc, argv, &c))
		die_complaining(&c);
	if (o.help) {
		options_help();
		return fflush(stdout) ? STATUS_INTERNAL : 0;
	}
	if (o.verbose)
		verbose_on();
	saving_hold(o.save);
	check_everything(&o, &img, &rd, disk, &rights, &snapshot);
	check_host_memory(&o);
	if (capsule_needed(o.capsule)) {
		capsule_enter(&o, disk, &rights, argc, argv, &c);
		die_complaining(&c);
	}
	if (rights_check(&rights, &c) || (o.trace && trace_start(&o, &img, &c)))
		die_complaining(&c);
	for (unsigned i = 0; i < o.nets; i++)
		if (net_open(&o.net[i], o.user, &net[i], &c))
			die_complaining(&c);
	lastwords_guard();
	if (lastwords_start(&c))
		die_complaining(&c);
	if (host_open(&c) || memory_create(&memory, o.memory, &c))
		die_complaining(&c);
	/* Here ends the part that may need a right.  The devices below bring threads. */
	if (host_make_room(memory_most(&memory), &c) || rights_drop(&rights, &c))
		die_complaining(&c);

	porter_prepare();
	if (o.gdb.on && gdb_open(&o.gdb, &c))
		die_complaining(&c);
	map_watch();
	saving_watch();
	bus_create(&bus, &memory);
	for (unsigned i = 0; i < o.disks; i++)
		bus_add(&bus, block_create(&disk[i]));
	for (unsigned i = 0; i < o.nets; i++)
		bus_add(&bus, net_create(&net[i]));
	if (o.rng)
		bus_add(&bus, rng_create());
	bus_add(&bus, console_create(o.no_escape));
	if (o.restore) {
		if (snapshot_load(&snapshot, &bus, &c))
			die_complaining(&c);
		console_give_keys(snapshot.key, snapshot.keys);
	}
	atexit(terminal_restore);
	terminal_raw();
	porter_start(o.timeout);
	if (lastwords_await(&c))
		die_complaining(&c);
	sandbox_shut(&bus, o.gdb.on ? gdb_calls : NULL);
	exit(life_after_life(&o, &img, &rd, &snapshot, &bus));
}

/*M:300 Yours to build: more devices
 * A clock that tells the Guest the date.  A second console, for the kernel's log.
 * A framebuffer that is a file.  A 9P file server, so that the Guest sees your home
 * directory.  Each is one file beside console.c and one bus_add() in main().
 :*/
