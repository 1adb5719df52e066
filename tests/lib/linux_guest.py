# SPDX-License-Identifier: MIT
"""Linux as a Guest: `make linux` has to have been there first."""

import hashlib
import json
import os
import re
import subprocess
import tempfile

from . import machine
from .machine import BUILD, TOP, batch, counter_result, log_results, need
from .suites import at_terminal, check, left_alone, typist
from .verdict import FAIL, Broken, Result

HOME = os.path.join(BUILD, "linux")
VMLINUX = os.path.join(HOME, "vmlinux")
DEBUG = os.path.join(HOME, "vmlinux-debug")     # PAE, lockdep: tried if it has been made
RING3 = os.path.join(TOP, "linux", "ring3.c")

# What the Guest's kernel says when it is unwell.
TROUBLE = re.compile(r"(BUG|WARNING|INFO): .*|Call Trace.*|unchecked MSR.*|Bad page.*|Oops.*")

DISK_MB = 4
SEEK = 300              # in pages: where the Guest writes

# What the Guest does with its devices.  Its words are compared with what we know of the
# disk, or with what comes out of the disk's image.
TRY = r"""#!/bin/sh
echo "kernel: $(uname -sr)"
echo "disk: $(md5sum </dev/vda | cut -c1-32)"
dd if=/bin/busybox of=/dev/vda bs=4096 seek=%(seek)d count=200 conv=fsync 2>/dev/null
sync; echo 3 >/proc/sys/vm/drop_caches
echo "written: $(md5sum </dev/vda | cut -c1-32)"
head -c 819200 /bin/busybox | md5sum | sed 's/^/busybox: /'
echo "random: $(head -c 16 /dev/hwrng | wc -c)"
ping -c 3 -W 5 10.0.2.2 >/tmp/ping; echo "ping: $(grep -c '64 bytes from 10.0.2.2' /tmp/ping)"
i=0; while [ $i -lt 30 ]; do (echo $i) & i=$((i + 1)); done | sort -n | md5sum |
	sed 's/^/thirty: /'
a=$(date +%%s); sleep 2; b=$(date +%%s); echo "slept: $((b - a))"
sed -n 's/^ *\([0-9]*\):.*lguest.*/irq: \1/p' /proc/interrupts
""" % {"seek": SEEK}

# Power off in the second life; the disk remembers that there was a first.
TWICE = """#!/bin/sh
if [ "$(head -c 5 /dev/vda)" = again ]; then echo "second life"; exit 0; fi
echo "first life"
printf again | dd of=/dev/vda conv=fsync 2>/dev/null
reboot -f
"""


def opinions():
    """How many opinions ring3.c has, counted in its source: calls of report, and crimes."""
    with open(RING3, encoding="utf-8") as f:
        text = f.read()
    crimes = len(re.findall(r"^\t\{ \"", text, re.M))
    return len(re.findall(r"\breport\(\"", text)) + crimes


def make_linux(config):
    prefix = "linux/%s" % config

    def suite(wanted):
        need(VMLINUX, "make linux")
        with tempfile.TemporaryDirectory(prefix="lg-linux-") as folder:
            return tried(folder)

    def tried(folder):
        def path(name, data=None):
            name = os.path.join(folder, name)
            if data is not None:
                with open(name, "wb") as f:
                    f.write(data)
            return name

        before = os.urandom(DISK_MB << 20)
        initrd = path("initrd.gz")
        words = [os.path.join(TOP, "tools", "linux"), "initrd", initrd,
                 "--also", path("try", TRY.encode()) + ":/bin/try",
                 "--also", path("twice", TWICE.encode()) + ":/bin/twice"]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True, timeout=60)
        if done.returncode:
            raise Broken("tools/linux initrd: %s" % done.stdout)
        launch = "/bin/launcher --timeout=100 --initrd=/root/initrd.gz "
        plan = [
            ("run", "ring3", 110, launch + "--memory=64 --stats=/tmp/s /root/vmlinux quiet "
             "-- ring3; s=$?; cat /tmp/s; exit $s"),
            ("run", "try", 110, launch + "--memory=48 --rng --net=user --block=/root/disk "
             "/root/vmlinux ip=10.0.2.15/24,10.0.2.2 -- try"),
            ("run", "twice", 110, launch + "--block=/root/two /root/vmlinux quiet -- twice"),
            ("run", "panic", 110, launch + "/root/vmlinux quiet rdinit=/no-such-thing"),
            ("run", "notsc", 110, launch + "/root/vmlinux quiet notsc -- echo still here"),
        ]
        if os.path.exists(DEBUG):
            plan.append(("run", "debug", 200, launch.replace("100", "190") +
                         "--memory=96 /root/vmlinux-debug -- ring3"))
        files = [VMLINUX] + [DEBUG] * os.path.exists(DEBUG) + [
            initrd, path("disk", before), path("two", bytes(1 << 20))]
        outcome, steps, last = batch(config, plan, files, 600,
                                     collect=[("/root/disk", path("after"))],
                                     extra=["--memory", "768"])
        results = []
        results += critic(prefix + "/ring3", steps["ring3"])
        results += counters(prefix, steps["ring3"].output)
        if "debug" in steps:
            results += critic(prefix + "/debug", steps["debug"])
        for name, step in sorted(steps.items()):
            if name != "panic":
                trouble = TROUBLE.search(step.output)
                results.append(check("%s/%s/no complaints" % (prefix, name), not trouble,
                                     trouble and trouble.group(0), step.output))
        results += devices(prefix, steps["try"], before, path("after"))
        text = steps["twice"].output
        lives = re.findall(r"(first|second) life", text)
        results.append(check(prefix + "/reboot", lives == ["first", "second"] and
                             steps["twice"].status == 0,
                             "lives: %s, status %d" % (lives, steps["twice"].status), text))
        text = steps["panic"].output
        results.append(check(prefix + "/panic", steps["panic"].status == 3 and
                             re.search(r"Unable to mount root", text) is not None,
                             "status %d: %s" % (steps["panic"].status, machine.tail(text, 2)),
                             text))
        text = steps["notsc"].output
        results.append(check(prefix + "/notsc", "still here" in text and
                             steps["notsc"].status == 0, machine.tail(text, 2), text))
        results += log_results(prefix, outcome.log) + [counter_result(prefix, last)]
        return results + typed(prefix, config, initrd)
    return suite


def typed(prefix, config, initrd):
    """The shell, with somebody at the keyboard."""
    from .terminal import Terminal
    words = at_terminal(config, [VMLINUX, initrd], [
        "/bin/launcher", "--initrd=/root/initrd.gz", "/root/vmlinux", "quiet"])
    results = []
    with Terminal(words) as t:
        step = typist(prefix + "/shell", t, results)
        step("prompt", b"", rb"linux# ", 90)
        step("echo", b"echo six times seven is $((6 * 7))\r", rb"seven is 42\r*\n.*linux# ", 40)
        step("a program", b"sh -c 'echo go; exec sleep 100'\r", rb"go\r*\n", 40)
        step("Ctrl-C", b"\x03", rb"linux# ", 40)
        step("its status", b"echo status $?\r", rb"status 130\r*\n", 40)
        t.send(b"exit\r")
        results += left_alone(prefix + "/shell", "exit", t, 40)
    return results


def critic(prefix, step):
    """What ring3 had to say."""
    results = []
    said = re.findall(r"^(ok|not ok) (.*?)\r?$", step.output, re.M)
    for word, what in said:
        what, _, why = what.partition(": got ")
        results.append(check("%s/%s" % (prefix, what), word == "ok", "got " + why))
    results.append(check(prefix + "/all of them", len(said) == opinions(),
                         "%d lines, expected %d" % (len(said), opinions()), step.output))
    results.append(check(prefix + "/status", step.status == 0,
                         "exit status %d, expected 0 (Power down)" % step.status, step.output))
    return results


def counters(prefix, text):
    """What the Host counted while ring3 ran: is this a Linux that knows where it is?"""
    start = text.find("\n{")
    try:
        stats = json.loads(text[start:text.rfind("}") + 1])
    except ValueError as error:
        return [Result(prefix + "/stats", FAIL, "no JSON: %s" % error, text)]
    calls = stats["hypercall_direct"]
    expected = [
        ("system calls by the Switcher alone", stats["direct"][128], lambda n: n >= 5000,
         "5000 or more"),
        ("system calls by way of the Host", stats["exit_vector"][128], lambda n: n == 0, "none"),
        ("OUT", stats["out_emulated"], lambda n: n == 0, "none"),
        ("IN", stats["in_emulated"], lambda n: n <= 1, "one at most: the DMA controller's driver"),
        ("CLI", stats["cli_skipped"], lambda n: n == 0, "none"),
        ("#UD", stats["reflected"][6], lambda n: n == 1, "ring3's one"),
        ("#DE", stats["reflected"][0], lambda n: n == 1, "ring3's one"),
        ("SET_STACK", calls[7], lambda n: n == 1, "one: the entry stack is for life"),
        ("shadows found again", stats["root_hits"], lambda n: n > 2 * stats["flush_user"],
         "more than twice the flushes of an address space, %d" % stats["flush_user"]),
        ("traps that nobody took", sum(stats["fatal"]), lambda n: n == 0, "none"),
    ]
    return [check("%s/stats/%s" % (prefix, name), good(n), "got %d, expected %s" % (n, want))
            for name, n, good, want in expected]


def devices(prefix, step, before, image):
    """The Guest's words about its devices, and the disk's image."""
    said = dict(re.findall(r"^(\w+): +(.*?)\r?$", step.output, re.M))
    with open(image, "rb") as f:
        after = f.read()
    written = after[SEEK * 4096:SEEK * 4096 + 819200]
    thirty = hashlib.md5("".join("%d\n" % i for i in range(30)).encode()).hexdigest() + "  -"
    expected = [
        ("kernel", re.match(r"Linux 6\.1\.\d+$", said.get("kernel", "")), "Linux 6.1.*"),
        ("disk", said.get("disk") == hashlib.md5(before).hexdigest(), "the image's md5"),
        ("busybox", said.get("busybox") == hashlib.md5(written).hexdigest() + "  -",
         "the md5 of what arrived in the image"),
        ("written", said.get("written") == hashlib.md5(after).hexdigest(), "the new image's md5"),
        ("random", said.get("random") == "16", "16 bytes"),
        ("ping", said.get("ping") == "3", "3 answers"),
        ("thirty", said.get("thirty") == thirty, "the numbers from 0 to 29"),
        ("slept", said.get("slept", "").isdigit() and int(said["slept"]) >= 2, "at least 2"),
        ("irq", said.get("irq", "0") != "0", "interrupts of devices"),
    ]
    results = [check("%s/try/%s" % (prefix, name), good,
                     "it said '%s', expected %s" % (said.get(name), want), step.output)
               for name, good, want in expected]
    elsewhere = after[:SEEK * 4096] == before[:SEEK * 4096] and \
        after[SEEK * 4096 + 819200:] == before[SEEK * 4096 + 819200:]
    results.append(check(prefix + "/try/nothing else was written", elsewhere,
                         "the image changed elsewhere, too"))
    results.append(check(prefix + "/try/status", step.status == 0,
                         "exit status %d" % step.status, step.output))
    return results
