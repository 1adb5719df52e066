# SPDX-License-Identifier: MIT
"""Linux as a Guest: `make linux` has to have been there first."""

import hashlib
import json
import os
import re
import subprocess
import tempfile

from . import machine
from .machine import BUILD, TOP, Config, batch, counter_result, log_results, nested, need
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


# What goes on in the Guest that is saved: it reads its disk, again and again, and sleeps; and
# then, is all of it still there?
KEEP = r"""#!/bin/sh
now() { cut -d. -f1 /proc/uptime; }
want=$(md5sum </dev/vda) n=0 bad=0
while [ $n -lt 16 ]; do
	echo 3 >/proc/sys/vm/drop_caches
	[ "$(md5sum </dev/vda)" = "$want" ] || bad=$((bad + 1))
	n=$((n + 1)); echo "read $n"
done
echo "bad: $bad"
sed 's/^/clock: /' /sys/devices/system/clocksource/clocksource0/current_clocksource
echo "sleeping"
a=$(now); sleep 5; echo "slept: $(($(now) - a))"
a=$(now); sleep 1; echo "again: $(($(now) - a))"
ring3 >/tmp/opinions; echo "ring3: $?"
echo "random: $(head -c 16 /dev/hwrng | wc -c)"
ping -c 3 -W 5 10.0.2.2 >/tmp/ping; echo "ping: $(grep -c '64 bytes from 10.0.2.2' /tmp/ping)"
echo mark | dd of=/dev/vda bs=1 seek=5000 conv=fsync,notrunc 2>/dev/null; echo "wrote: $?"
"""
READS = 16
PAUSE = 10              # seconds between a Guest's going and its coming back
MARK = 5000             # where it writes

SAVE = r"""
L="launcher --capsule=never --timeout=100 --save=/root/snap --block=/root/disk --rng --net=user"
LINUX="--initrd=/root/initrd.gz /root/vmlinux quiet ip=10.0.2.15/24,10.0.2.2"
# Wait until FILE has such a line, or its writer has gone.
said() {
	until grep -q "$2" "$1" 2>/dev/null || ! kill -0 $p 2>/dev/null; do usleep 20000; done
}
save() {
	kill -USR1 $p
	wait $p
	echo "saved $1 $? $(grep -c 'saved in /root/snap' /tmp/err)"
}
$L $LINUX -- keep </dev/null >/tmp/1 2>/tmp/err & p=$!
said /tmp/1 "read 6"
save reading
sleep %(pause)d
$L --restore=snap </dev/null >/tmp/2 2>/tmp/err & p=$!
said /tmp/2 sleeping
usleep 700000
save sleeping
sleep %(pause)d
[ -z "%(back)s" ] || date -s "@$(($(date +%%s) - 3600))" >/dev/null
$L --restore=snap </dev/null >/tmp/3 2>/tmp/err
echo "ended $?"
cat /tmp/1 /tmp/2 /tmp/3 /tmp/err
# At its prompt, in the middle of a word.
mkfifo one other
{ printf 'echo half'; sleep 300; } >one &
$L $LINUX <one >/tmp/4 2>/tmp/err & p=$!
said /tmp/4 'linux# .*half'
save typing
{ sleep 1; printf -- '-way there; exit\r'; sleep 300; } >other &
$L --restore=snap <other >/tmp/5 2>/tmp/err
echo "typed $?"
cat /tmp/4 /tmp/5 /tmp/err
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
        make_initrd(initrd, "--also", path("try", TRY.encode()) + ":/bin/try",
                    "--also", path("twice", TWICE.encode()) + ":/bin/twice")
        launch = "/bin/launcher --timeout=100 --initrd=/root/initrd.gz "
        plan = [
            ("run", "ring3", 110, launch + "--memory=64 --stats=/tmp/s /root/vmlinux quiet "
             "-- ring3; s=$?; cat /tmp/s; exit $s"),
            ("run", "try", 110, launch + "--memory=48 --rng --net=user --block=/root/disk "
             "/root/vmlinux ip=10.0.2.15/24,10.0.2.2 -- try"),
            # Lowmem ends at 883 MiB; what is above stays unused, and the devices lie behind it.
            ("run", "large", 110, launch + "--memory=1200 --block=/root/two /root/vmlinux quiet "
             "-- md5sum /dev/vda"),
            # Who has typed before there is a console has typed for it.
            ("run", "ahead", 60, "echo 'echo six times seven is $((6 * 7)); exit' | %s"
             "/root/vmlinux quiet" % launch.replace("100", "50")),
            ("run", "killed", 60, launch + "/root/vmlinux -- sleep 100 >/tmp/k 2>&1 & p=$!; "
             "until grep -q 'Run /init' /tmp/k || ! kill -0 $p; do usleep 50000; done; "
             "kill -9 $p; wait $p; s=$?; sleep 1; cat /tmp/k; exit $s"),
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
                                     extra=["--memory", "1600"])
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
        results.append(check(prefix + "/panic, with names", "<lguest_panic+" in text,
                             "no names in its obituary", text))
        text, want = steps["large"].output, hashlib.md5(bytes(1 << 20)).hexdigest()
        results.append(check(prefix + "/large", want in text and steps["large"].status == 0,
                             "status %d: %s" % (steps["large"].status, machine.tail(text, 2)),
                             text))
        text = steps["ahead"].output
        results.append(check(prefix + "/keys ahead", "seven is 42" in text and
                             steps["ahead"].status == 0,
                             "status %d: %s" % (steps["ahead"].status, machine.tail(text, 2)),
                             text))
        text = steps["killed"].output
        results.append(check(prefix + "/killed", steps["killed"].status == 137 and
                             steps["killed"].guests == "0" and "Run /init" in text and
                             re.search(r"^launcher: .*kill -9", text, re.M) is not None,
                             "status %d, %s guests left: %s" % (
                                 steps["killed"].status, steps["killed"].guests,
                                 machine.tail(text, 2)), text))
        text = steps["notsc"].output
        results.append(check(prefix + "/notsc", "still here" in text and
                             steps["notsc"].status == 0, machine.tail(text, 2), text))
        results += log_results(prefix, outcome.log) + [counter_result(prefix, last)]
        return results + typed(prefix, config, initrd)
    return suite


def make_saved(config, trusted):
    """Saved and restored.  trusted: on a CPU whose TSC the Host trusts, so that Linux does, too,
    and the Host must move it; else Linux lives by the time of day, and that is set back."""
    prefix = "linux/saved/%s" % config
    if trusted:
        config = Config(config.kernel, "Skylake-Client", config.smp, "tsc=reliable")

    def suite(wanted):
        need(VMLINUX, "make linux")
        with tempfile.TemporaryDirectory(prefix="lg-linux-") as folder:
            return tried(folder)

    def tried(folder):
        def path(name):
            return os.path.join(folder, name)

        before = os.urandom(DISK_MB << 20)
        script = SAVE % {"pause": PAUSE, "back": "" if trusted else "yes"}
        for name, data in ("disk", before), ("keep", KEEP.encode()), ("script", script.encode()):
            with open(path(name), "wb") as f:
                f.write(data)
        make_initrd(path("initrd.gz"), "--also", path("keep") + ":/bin/keep")
        outcome = nested(config, ["sh", "/root/script"], patience=600,
                         files=[VMLINUX, path("initrd.gz"), path("disk"), path("script")],
                         collect=[("/root/disk", path("after"))])
        with open(path("after"), "rb") as f:
            after = f.read()
        return judged(outcome.output.replace("\r", ""), before, after) + \
            log_results(prefix, outcome.log)

    def judged(text, before, after):
        said = dict(re.findall(r"^(\w+): +(.*)$", text, re.M))
        reads = [int(n) for n in re.findall(r"^read (\d+)$", text, re.M)]
        slept, again = int(said.get("slept", -1)), int(said.get("again", -1))
        trouble = TROUBLE.search(text)
        expected = [
            ("saved while it reads", "saved reading 0 1" in text, "not saved"),
            ("goes on reading", reads == list(range(1, READS + 1)) and said.get("bad") == "0",
             "it read %s, bad: %s" % (reads, said.get("bad"))),
            ("saved while it sleeps", "saved sleeping 0 1" in text, "not saved"),
            ("its clock", said.get("clock") == ("tsc" if trusted else "lguest"),
             "it is '%s'" % said.get("clock")),
            # Without a TSC it has waited, by its clock, for as long as it was away.
            ("wakes up", 5 <= slept < (PAUSE if trusted else 60),
             "a sleep of 5 seconds took %d, away for %d" % (slept, PAUSE)),
            ("sleeps again", 1 <= again < PAUSE, "a sleep of 1 second took %d" % again),
            ("ring3", said.get("ring3") == "0", "ring3: '%s'" % said.get("ring3")),
            ("random", said.get("random") == "16", "random: '%s'" % said.get("random")),
            ("ping", said.get("ping") == "3", "ping: '%s'" % said.get("ping")),
            ("disk", said.get("wrote") == "0" and
             after == before[:MARK] + b"mark\n" + before[MARK + 5:], "not what it wrote"),
            ("ended", "ended 0" in text, "it did not power off"),
            ("saved at its prompt", "saved typing 0 1" in text, "not saved"),
            ("half a word", re.search(r"^half-way there$", text, re.M) and "typed 0" in text,
             "the other half did not arrive"),
            ("no complaints", not trouble, trouble and trouble.group(0)),
        ]
        return [check("%s/%s" % (prefix, name), good, why, text) for name, good, why in expected]
    return suite


def make_initrd(to, *more):
    words = [os.path.join(TOP, "tools", "linux"), "initrd", to, *more]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, timeout=60)
    if done.returncode:
        raise Broken("tools/linux initrd: %s" % done.stdout)


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
