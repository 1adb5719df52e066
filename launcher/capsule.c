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
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher.h"

#define MACHINE_MIN	512	/* MiB for the nested machine */
#define MACHINE_OWN	192	/* MiB of it that its own Linux may need */
#define MACHINE_PATIENCE 120	/* seconds above --timeout, after which it has crashed itself */
#define MACHINE_FOR_EVER 1000000

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

static char *joined(const char *option, const char *value)
{
	size_t size = strlen(option) + strlen(value) + 1;
	char *word = malloc(size);

	if (!word)
		die(STATUS_INTERNAL, "out of memory");
	snprintf(word, size, "%s%s", option, value);
	return word;
}

/*L:810 The same words again
 * The options are put together anew from what we understood, and not just passed on.
 * One of them must be different, after all: a capsule that opened a capsule would be
 * a very long story.  And Ctrl-A is taken care of out here, where it works even if
 * the nested kernel has crashed; inside it is just a key.  File names stay as you
 * typed them; `--in` and `--out` tell tools/nested which words are files.
 */
int capsule_enter(const struct options *o, int argc, char **argv, struct complaint *c)
{
	char tool[PATH_MAX], memory[32], timeout[48], machine[32], patience[32];
	char **args = calloc((size_t)argc + 24, sizeof(*args)), **to = args;

	if (!args)
		die(STATUS_INTERNAL, "out of memory");
	if (!find_tool(tool)) {
		free(args);
		return complain(c, STATUS_NO_MACHINE, LG_DEVICE_PATH " is missing and so is "
				"tools/nested, which would start a machine that has it; load lg.ko, "
				"or set LG_HOME to the source tree");
	}
	*to++ = tool;
	*to++ = "capsule";
	if (isatty(STDIN_FILENO))
		*to++ = "--tty";
	snprintf(machine, sizeof(machine), "--memory=%u", o->memory < MACHINE_MIN - MACHINE_OWN ?
		 MACHINE_MIN : o->memory + MACHINE_OWN);
	*to++ = machine;
	snprintf(patience, sizeof(patience), "--timeout=%u",
		 o->timeout ? (unsigned)o->timeout + MACHINE_PATIENCE : MACHINE_FOR_EVER);
	*to++ = patience;
	*to++ = "--in";
	*to++ = (char *)o->kernel;
	if (o->initrd) {
		*to++ = "--in";
		*to++ = (char *)o->initrd;
	}
	if (o->stats) {
		*to++ = "--out";
		*to++ = (char *)o->stats;
	}
	*to++ = "--";
	*to++ = "--capsule=never";
	if (isatty(STDIN_FILENO))
		*to++ = "--no-escape";
	snprintf(memory, sizeof(memory), "--memory=%u", o->memory);
	*to++ = memory;
	if (o->initrd)
		*to++ = joined("--initrd=", o->initrd);
	if (o->stats)
		*to++ = joined("--stats=", o->stats);
	if (o->timeout) {
		snprintf(timeout, sizeof(timeout), "--timeout=%.6f", o->timeout);
		*to++ = timeout;
	}
	if (o->verbose)
		*to++ = "--verbose";
	*to++ = "--";
	for (int i = o->kernel_index; i < argc; i++)
		*to++ = argv[i];
	verbose("no %s here: starting %s", LG_DEVICE_PATH, tool);
	execv(tool, args);
	complain(c, STATUS_NO_MACHINE, "%s: cannot be started: %s%s", tool, strerror(errno),
		 errno == ENOENT ? " (is python3 installed?)" : "");
	free(args);
	return c->status;
}
/*:*/
