# SPDX-License-Identifier: MIT
"""The labs' engine and the nested machine: who is what in there, and what comes out of it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time

from . import machine
from .machine import TOP
from .suites import check, descendants
from .verdict import FAIL, PASS, SKIP, Result

sys.path.insert(0, os.path.join(TOP, "labs"))

# Looks for the word that goes before all verdicts; 99: found.
SPY = """
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void look(void)
{
	static char text[65536], name[64];
	static const char *const kinds[] = { "cmdline", "environ" };
	static const char *const files[] = { "/root/plan", "/root/results" };

	for (unsigned i = 0; i < 2; i++)
		if (open(files[i], O_RDONLY) >= 0)
			_exit(99);
	for (int pid = 1; pid < 800; pid++)
		for (unsigned k = 0; k < 2; k++) {
			snprintf(name, sizeof(name), "/proc/%d/%s", pid, kinds[k]);
			int fd = open(name, O_RDONLY);
			ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 8);

			close(fd);
			for (ssize_t i = 0; i < n; i++)
				if (!memcmp(text + i, "mark-", 5))
					_exit(99);
		}
}
"""


def labs_spy(wanted):
    """A Launcher that looks for the verdicts' mark in the nested machine: it is not to be seen."""
    from engine import guests, labs
    from engine.tree import Tree
    tree = Tree()
    text = SPY + tree.mine(tree.exercises["5.1"])
    v = guests.try_guests(labs.load(5), tree, {"5.1": text}, ["guest/first-words"],
                          control=False)["guest/first-words"]
    return [check("labs/spy/finds nothing", v.word == PASS, "%s: %s" % (v.word, v.why), v.log)]


# Runs its arguments, and prints the seconds of CPU that they took, with all their children.
COUNT = """
import resource, subprocess, sys
subprocess.call(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime)
"""


def labs_stopped(wanted):
    """Ctrl-C, and `kill`, in the middle of it: at once, and nothing is left behind."""
    return stopped("check", signal.SIGINT, "./") + stopped("grade", signal.SIGTERM, "qemu-system")


def stopped(command, number, program):
    """...as soon as something runs below it whose command line has `program` in it."""
    name = "labs/stopped/%s" % command
    with tempfile.TemporaryDirectory(prefix="lg-stopped-") as folder:
        p = subprocess.Popen([os.path.join(TOP, "labs", "lab"), command, "6"], cwd=TOP,
                             env=dict(os.environ, TMPDIR=folder), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=lambda:
                             signal.signal(signal.SIGINT, signal.default_int_handler))
        machine.RUNNING.add(p)
        below, places = [], set()
        until = time.monotonic() + 100
        while p.poll() is None and time.monotonic() < until and not any(
                program in words for _, words, _ in below):
            time.sleep(0.02)
            below = [one for one in map(about, descendants(p.pid)) if one]
            places |= {at for _, _, at in below if at.startswith("/tmp/lg-lab-")}
        begun = time.monotonic()
        p.send_signal(number)
        try:
            said = p.communicate(timeout=60)[0].decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            machine.stop(p)
            said = "still running after a minute"
        machine.RUNNING.discard(p)
        took = time.monotonic() - begun
        time.sleep(0.5)
        alive = [words for pid, words, _ in below if (about(pid) or [0, ""])[1] == words]
        left = [at for at in places if os.path.exists(at)] + os.listdir(folder)
    return [check(name + "/at once", p.returncode == 128 + number and took < 10 and
                  "labs: stopped by SIG" in said, "status %s after %.1f s: %s" % (
                      p.returncode, took, said[-200:]), said),
            check(name + "/nothing is left", places and not alive and not left,
                  "of %s: running %s, folders %s" % (sorted(places), alive, left))]


def about(pid):
    """(pid, command line, current folder) of a process, or None if it is none any more."""
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return pid, f.read().replace(b"\0", b" ").decode("utf-8", "replace"), \
                os.readlink("/proc/%d/cwd" % pid)
    except OSError:
        return None


def labs_limits(wanted):
    """The same where a machine offers no namespaces, as containers do: only limits."""
    status, output = machine.run(
        [os.path.join(TOP, "tests", "run"), "labs/machine"], 120,
        env=dict(os.environ, LAB_SANDBOX="limits"))
    results = [Result(name.replace("labs/machine", "labs/limits"), PASS if word == "ok" else FAIL,
                      why) for word, name, why in
               re.findall(r"^(ok|not ok) (labs/machine/[^:\n]+)(?:: (.*))?$", output, re.M)]
    if status not in (0, 1) or len(results) < 2:
        results.append(Result("labs/limits", FAIL, "status %d: %s" % (
            status, machine.tail(output, 3)), output))
    return results


def labs_machine(wanted):
    """QEMU, too, has no more rights than it needs; and it goes when its starter goes."""
    from engine import guests, sandbox
    prefix, results, seen = "labs/machine", [], {}
    config = guests.LabConfig(None)
    mark = os.path.dirname(config.env["LG_QEMU"])
    running = subprocess.Popen([machine.NESTED, "exec"] + config.options() +
                               ["--timeout", "60", "--", "sleep", "40"], env=config.env,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def ours():
        """{pid: its status file} of the QEMUs whose command line names that folder."""
        found = {}
        for pid in os.listdir("/proc"):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    words = f.read().split(b"\0")
                if pid.isdigit() and b"qemu" in words[0] and mark.encode() in b" ".join(words):
                    with open("/proc/%s/status" % pid, encoding="ascii") as f:
                        found[pid] = dict(l.rstrip("\n").split(":\t", 1) for l in f if ":\t" in l)
            except (OSError, ValueError):
                pass
        return found
    try:
        end = time.time() + 40
        while time.time() < end and not any(s.get("Seccomp") == "2" for s in seen.values()):
            time.sleep(0.1)
            seen = ours()
        if sandbox.level() == "limits":
            results.append(Result(prefix + "/rights", SKIP, sandbox.describe()))
        else:
            pid, status = (list(seen.items()) or [("0", {})])[0]
            uid = status.get("Uid", "").split("\t")[0]
            results.append(check(prefix + "/rights", (os.geteuid() != 0 or uid not in ("", "0")) and
                                 status.get("NoNewPrivs") == "1" and
                                 status.get("CapEff", "1").strip("0") == "" and
                                 os.readlink("/proc/%s/ns/net" % pid) !=
                                 os.readlink("/proc/self/ns/net"),
                                 "uid %s, %s" % (uid, {k: status.get(k) for k in (
                                     "CapEff", "NoNewPrivs", "Seccomp")})))
            results.append(check(prefix + "/calls", status.get("Seccomp") == "2",
                                 "QEMU's -sandbox is not on: Seccomp %s" % status.get("Seccomp")))
    finally:
        running.kill()
        running.wait()
    end = time.time() + 10
    while time.time() < end and ours():
        time.sleep(0.1)
    results.append(check(prefix + "/ends with us", not ours(), "QEMU still runs: %s" % ours()))
    # `make prove` says what a grade costs: a machine's CPU time must not get lost on the way.
    used = subprocess.run([sys.executable, "-c", COUNT, machine.NESTED, "exec"] +
                          config.options() + ["--no-module", "--", "true"], env=config.env,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout.decode().strip()
    results.append(check(prefix + "/its time is ours", float(used or 0) > 1,
                         "a boot took %s s of CPU, by our count; expected more than 1" % used))
    return results


def labs_crash(wanted):
    """A region that passes in user space and takes the nested kernel down: FAIL, no points."""
    from engine import guests, labs
    from engine.tree import Tree
    tree = Tree()
    e = tree.exercises["6.1"]
    text = tree.mine(e).replace("\tu64 end", "#ifdef __KERNEL__\n\t*(volatile int *)8 = 1;\n#endif"
                                "\n\tu64 end").replace("bool", "bool", 1)
    v = guests.try_guests(labs.load(6), tree, {"6.1": text},
                          ["guest/first-words"])["guest/first-words"]
    return [check("labs/crash/nested kernel", v.word in (FAIL, "TIMEOUT"),
                  "%s: %s" % (v.word, v.why)),
            # It is said what and where, and whose: by the one who wrote it.
            check("labs/crash/in words", re.search(
                 r"the Host crashed: a NULL pointer was followed, to address 0x8, in %s\(\), "
                 r"host/hypercalls.c:\d+ \(lab 6, exercise 6.1\)" % e.functions[0], v.why)
                 and "make hint 6.1" in v.log, "%s: %s" % (v.why, v.log[:1000]))]
