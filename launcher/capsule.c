// SPDX-License-Identifier: MIT
/*L:800 A capsule
 *
 * No lg.ko on this machine?  It may be a laptop at school, a build server, or your
 * own computer, of which you would rather not crash the kernel.  Then the Launcher
 * starts a machine inside the machine, with a kernel of its own and lg.ko in it,
 * and starts itself again in there.
 *
 *	your machine   launcher teachos.elf
 *	                  |  becomes
 *	               tools/nested capsule ... -> QEMU
 *	nested machine                              Linux + lg.ko
 *	                                              launcher teachos.elf
 *	Guest                                            TeachOS
 *
 * The files that you named are carried in, the terminal and the exit status are
 * carried out.  It is slower, but otherwise you should not be able to tell.
 :*/
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "launcher.h"

#define MACHINE_MIN	512	/* MiB for the nested machine */
#define MACHINE_OWN	192	/* MiB of it that its own Linux may need */
#define MACHINE_SHARE	16	/* and of each so many for the Guest one, for lists of its pages */
#define MACHINE_PATIENCE 120	/* seconds above --timeout, after which it has crashed itself */
#define MACHINE_FOR_EVER 1000000
#define CARRIED_MAX	256	/* MiB of disks: they lie in the nested machine's memory */
#define RETURNED_MAX	64	/* MiB of them that come back, by a serial line */
#define SECONDS_PER_MIB	10	/* that this takes, on a slow machine with other work to do */

bool capsule_needed(enum capsule wish)
{
	if (wish == CAPSULE_AUTO)
		return access(LG_DEVICE_PATH, F_OK) < 0;
	return wish == CAPSULE_ALWAYS;
}

/*
 * The tool is in the tree that we were built in: LG_HOME says where that is, or we
 * look around from our own file, which is labs/launcher or build/launcher/launcher.
 */
static bool find_tool(char path[PATH_MAX])
{
	static const char *const from_here[] = { "/../tools/nested", "/../../tools/nested" };
	const char *home = getenv("LG_HOME");
	char self[PATH_MAX - 32];
	ssize_t n;

	if (home && *home)
		return snprintf(path, PATH_MAX, "%s/tools/nested", home) < PATH_MAX &&
		       !access(path, X_OK);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return false;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, PATH_MAX, "%s%s", self, from_here[i]);
		if (!access(path, X_OK))
			return true;
	}
	return false;
}

static char *joined(const char *before, const char *value, const char *after)
{
	size_t size = strlen(before) + strlen(value) + strlen(after) + 1;
	char *word = malloc(size);

	if (!word)
		die(STATUS_INTERNAL, "out of memory");
	snprintf(word, size, "%s%s%s", before, value, after);
	return word;
}

/*L:805 Disks
 * A disk is carried in like any file, and if it can be written it is carried out as
 * well, whole, when the Guest has ended, in whichever way: also after Ctrl-A x or a
 * signal.  It takes the place of the old one in one step, so that there is never half a
 * disk.  Only if the nested machine itself crashes, nothing comes back; then the disk is
 * as it was before, and tools/nested says so.  All of it travels through a serial line
 * that gives us half a megabyte in a second, so it must not be large.
 *
 * We keep the lock: the file stays open while tools/nested runs in our place, and the
 * lock belongs to the open file.
 */
struct luggage {
	uint64_t carried, returned;	/* MiB, rounded up */
};

static int pack_disks(const struct options *o, const struct disk *disk, struct luggage *l,
		      struct complaint *c)
{
	*l = (struct luggage){ 0, 0 };
	for (unsigned i = 0; i < o->disks; i++) {
		uint64_t mib = disk[i].sectors / (MIB / 512) + 1;

		l->carried += mib;
		l->returned += disk[i].read_only ? 0 : mib;
		if (l->returned > RETURNED_MAX)
			return complain(c, STATUS_BAD_DISK, "%s: too much to be carried out of the "
					"nested machine: expected at most %d MiB of disks that can be "
					"written; add ',ro', or load lg.ko here", disk[i].name,
					RETURNED_MAX);
		if (l->carried > CARRIED_MAX)
			return complain(c, STATUS_BAD_DISK, "%s: too much to be carried into the "
					"nested machine: expected at most %d MiB of disks; load lg.ko "
					"here", disk[i].name, CARRIED_MAX);
		/* execv() must not close it, and with it unlock it. */
		if (fcntl(disk[i].fd, F_SETFD, 0) < 0)
			return complain(c, STATUS_INTERNAL, "fcntl: %s", strerror(errno));
	}
	/* A snapshot has no more than all of memory; most have far less. */
	if (o->save || o->restore)
		l->carried += o->memory;
	if (o->save)
		l->returned += o->memory;
	return 0;
}
/*:*/

/*L:812 The network of a capsule
 * One could start usernet in there, behind the network that QEMU gives the nested
 * machine.  Then 10.0.2.2 would be the nested machine and not yours, and each forward
 * would need a second one.  But QEMU plays the same game as usernet, with the same
 * library.  So the nested machine's card gets no address and no user but one: the
 * Launcher in there, which passes frames between it and the Guest (`--net=raw:eth0`).
 * What the Guest sees is what it would see out here, to the last byte.
 *
 * A port that is in use should be said in our words, and at once: we try each.  (In the
 * second until QEMU opens it, somebody else may take it.  Then QEMU complains.)
 */
#define CARD_INSIDE	"--net=raw:eth0,mac="

static int try_port(const struct net_forward *f, struct complaint *c)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = f->host_addr,
				  .sin_port = htons(f->host_port) };
	int one = 1, status = 0;
	int s = socket(AF_INET, (f->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

	if (s < 0)
		return net_complain_port(f, errno, c);
	if (!f->udp)
		setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s, (struct sockaddr *)&at, sizeof(at)) < 0 || (!f->udp && listen(s, 1) < 0))
		status = net_complain_port(f, errno, c);
	close(s);
	return status;
}

/* The words after `user`, for QEMU; what concerns the Guest's address stays ours. */
static char *forwards_for_qemu(const struct net_wish *w)
{
	static char text[FORWARDS_MAX * 64];
	size_t n = (size_t)snprintf(text, sizeof(text), "--net=user");

	for (unsigned i = 0; i < w->forwards; i++) {
		const struct net_forward *f = &w->forward[i];
		char host[INET_ADDRSTRLEN], guest[INET_ADDRSTRLEN];

		inet_ntop(AF_INET, &f->host_addr, host, sizeof(host));
		inet_ntop(AF_INET, &f->guest_addr, guest, sizeof(guest));
		n += (size_t)snprintf(text + n, sizeof(text) - n, ",hostfwd=%s:%s:%u-%s:%u",
				      f->udp ? "udp" : "tcp", host, f->host_port, guest,
				      f->guest_port);
	}
	return text;
}

/* At most one network gets through: --net=user was given once at most. */
static const struct net_wish *pack_net(const struct options *o, struct complaint *c)
{
	const struct net_wish *user = NULL;

	c->status = 0;
	for (unsigned i = 0; i < o->nets; i++) {
		user = &o->net[i];
		if (user->kind != NET_USER) {
			complain(c, STATUS_NO_NETWORK, "--%s=%s: without " LG_DEVICE_PATH " here the "
				 "Guest runs in a nested machine, and only there this network "
				 "would be; expected --net=user, or lg.ko to be loaded",
				 user->kind < NET_TAP ? "net" : "tunnet", user->text);
			return NULL;
		}
		for (unsigned k = 0; k < user->forwards; k++)
			if (try_port(&user->forward[k], c))
				return NULL;
	}
	return user;
}
/*:*/

/*L:810 The same words again
 * The options are put together anew from what we understood, and not just passed on.
 * One of them must be different, after all: a capsule that opened a capsule would be
 * a very long story.  And Ctrl-A is taken care of out here, where it works even if
 * the nested kernel has crashed; inside it is just a key.  File names stay as you
 * typed them; `--in` and `--out` tell tools/nested which words are files.
 */
int capsule_enter(const struct options *o, const struct disk *disk, const struct rights *r,
		  int argc, char **argv, struct complaint *c)
{
	char tool[PATH_MAX], memory[32], timeout[48], machine[32], patience[32], seconds[32], card[48],
	     user[48], gdb[32] = "";
	uint16_t port;
	const struct net_wish *net;
	struct luggage luggage;
	uint8_t mac[6];
	char **args = calloc((size_t)argc + 48 + 5 * o->disks, sizeof(*args)), **to = args;
	uint32_t needs = o->memory + o->memory / MACHINE_SHARE + MACHINE_OWN;

	if (!args)
		die(STATUS_INTERNAL, "out of memory");
	if (!find_tool(tool)) {
		free(args);
		return complain(c, STATUS_NO_MACHINE, LG_DEVICE_PATH " is missing and so is "
				"tools/nested, which would start a machine that has it; load lg.ko, "
				"or set LG_HOME to the source tree");
	}
	net = pack_net(o, c);
	if (c->status || pack_disks(o, disk, &luggage, c)) {
		free(args);
		return c->status;
	}
	*to++ = tool;
	*to++ = "capsule";
	if (isatty(STDIN_FILENO))
		*to++ = "--tty";
	/* Each disk is there twice for a moment: packed, and unpacked. */
	snprintf(machine, sizeof(machine), "--memory=%u",
		 (needs < MACHINE_MIN ? MACHINE_MIN : needs) + 2 * (unsigned)luggage.carried);
	*to++ = machine;
	snprintf(patience, sizeof(patience), "--timeout=%u",
		 o->timeout ? (unsigned)o->timeout + MACHINE_PATIENCE +
		 SECONDS_PER_MIB * (unsigned)luggage.returned : MACHINE_FOR_EVER);
	*to++ = patience;
	if (o->gdb.on) {
		if (gdb_try_port(&o->gdb, &port, c)) {
			free(args);
			return c->status;
		}
		snprintf(gdb, sizeof(gdb), "%u", port);
		*to++ = joined("--forward=", gdb, "");
	}
	if (o->kernel) {
		*to++ = "--in";
		*to++ = (char *)o->kernel;
	}
	if (net)
		*to++ = forwards_for_qemu(net);
	if (o->initrd) {
		*to++ = "--in";
		*to++ = (char *)o->initrd;
	}
	if (r->root) {		/* a directory is made, and stays empty */
		*to++ = "--in";
		*to++ = (char *)r->root;
	}
	if (o->stats && strcmp(o->stats, "-")) {
		*to++ = "--out";
		*to++ = (char *)o->stats;
	}
	if (o->map && *o->map) {
		*to++ = "--out";
		*to++ = (char *)o->map;
	}
	if (o->death && strcmp(o->death, "-")) {
		*to++ = "--out";
		*to++ = (char *)o->death;
	}
	if (o->restore) {
		*to++ = "--in";
		*to++ = (char *)o->restore;
	}
	if (o->save) {
		*to++ = "--out";
		*to++ = (char *)o->save;
	}
	if (o->trace && strcmp(o->trace, "-")) {
		*to++ = "--out";
		*to++ = (char *)o->trace;
	}
	for (unsigned i = 0; i < o->disks; i++) {
		*to++ = "--in";
		*to++ = (char *)disk[i].name;
		if (!disk[i].read_only) {
			*to++ = "--out";
			*to++ = (char *)disk[i].name;
		}
	}
	*to++ = "--";
	*to++ = "--capsule=never";
	if (isatty(STDIN_FILENO))
		*to++ = "--no-escape";
	snprintf(memory, sizeof(memory), "--memory=%u", o->memory);
	*to++ = memory;
	if (o->initrd)
		*to++ = joined("--initrd=", o->initrd, "");
	if (o->stats)
		*to++ = joined("--stats=", o->stats, "");
	if (o->rings)
		*to++ = "--rings";
	if (o->map && !*o->map)
		*to++ = "--map";
	else if (o->map) {
		snprintf(seconds, sizeof(seconds), ",every=%.6f", o->map_every);
		*to++ = joined("--map=", o->map, o->map_every ? seconds : "");
	}
	if (o->death)
		*to++ = joined("--death=", o->death, "");
	if (o->restore)
		*to++ = joined("--restore=", o->restore, "");
	if (o->save)
		*to++ = joined("--save=", o->save, "");
	if (o->trace)
		*to++ = joined("--trace=", o->trace, "");
	if (o->trace_words)
		*to++ = joined("--trace-filter=", o->trace_words, "");
	for (unsigned i = 0; i < o->disks; i++)
		*to++ = joined("--block=", disk[i].name, disk[i].read_only ? ",ro" : "");
	if (net) {
		net_mac(net, mac);
		snprintf(card, sizeof(card), CARD_INSIDE "%02x:%02x:%02x:%02x:%02x:%02x", mac[0],
			 mac[1], mac[2], mac[3], mac[4], mac[5]);
		*to++ = card;
	}
	if (o->rng)
		*to++ = "--rng";
	if (o->gdb.on)
		*to++ = joined(o->gdb.threads ? "--gdb=threads," : "--gdb=", gdb,
			       o->gdb.run ? ",inside,run" : ",inside");
	if (o->timeout) {
		snprintf(timeout, sizeof(timeout), "--timeout=%.6f", o->timeout);
		*to++ = timeout;
	}
	if (r->user) {		/* a number: the names of this machine are not known in there */
		snprintf(user, sizeof(user), "--username=%u:%u", r->uid, r->gid);
		*to++ = user;
	}
	if (r->root)
		*to++ = joined("--chroot=", r->root, "");
	if (o->verbose)
		*to++ = "--verbose";
	*to++ = "--";
	for (int i = o->kernel_index; i < argc; i++)
		*to++ = argv[i];
	verbose("no %s here: starting %s", LG_DEVICE_PATH, tool);
	saving_hold(false);
	execv(tool, args);
	complain(c, STATUS_NO_MACHINE, "%s: cannot be started: %s%s", tool, strerror(errno),
		 errno == ENOENT ? " (is python3 installed?)" : "");
	free(args);
	return c->status;
}
/*:*/
