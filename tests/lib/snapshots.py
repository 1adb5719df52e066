# SPDX-License-Identifier: MIT
"""Snapshots: a Guest that is saved and restored, again and again, is the same as one that
nobody has stopped; and files that are none hurt nobody."""

import os
import random
import re
import sys
import tempfile
import threading
import types

from . import disks
from .machine import TOP, Config, log_results, need, nested, nested_script
from .suites import LAUNCHER, TEACHOS, built, check, elf

sys.path.insert(0, os.path.join(TOP, "labs"))

# TeachOS types nothing by itself: the keys come all at once, to the first Launcher, and wait
# in its snapshots.  What must be the same in both transcripts is all but how long it took.
KEYS = """echo one >/mnt/kept
time sleep 2
cat /mnt/kept /mnt/hello
echo two >>/mnt/kept; cksum /mnt/kept
sleep 1; echo slept
poweroff
"""
SAVES = 3           # of a self-test, at equal parts of its lines
PAUSE = 8           # seconds between a Guest's going and its coming back
FORGERIES = 15

SCRIPT = r"""
L="launcher --capsule=never --timeout=300"
disk() { cp /root/disk.img /root/d.img; }
# Wait until there are N lines like this in a file, or its writer has gone.
lines() {
	until [ "$(grep -c "$2" "$1")" -ge "$3" ] || ! kill -0 $p 2>/dev/null; do
		usleep 20000
	done
}
tell() { sed "s/^/$1 /" "$2"; }

# A self-test in one piece, and in pieces.
disk
$L --block=d.img 32 guest.elf selftest </dev/null >/tmp/whole 2>&1
echo "selftest-whole status $?"
disk
all=$(grep -c "^ok" /tmp/whole) from="32 guest.elf selftest" n=0
while :; do
	: >/tmp/out
	$L --save=/root/snap --block=d.img $from </dev/null >>/tmp/out 2>/tmp/err &
	p=$!
	if [ $n -lt %(saves)d ]; then
		lines /tmp/out "^ok" $((all / (%(saves)d + 1)))
		kill -USR1 $p
	fi
	wait $p
	status=$?
	cat /tmp/out >>/tmp/parts
	grep -q "saved in /root/snap" /tmp/err || break
	n=$((n + 1)) from=--restore=/root/snap
done
echo "selftest-parts status $status saves $n"
tell selftest-err /tmp/err
tell selftest-whole /tmp/whole
tell selftest-parts /tmp/parts

# A shell, and a disk that it writes to.
disk
$L --block=d.img 32 guest.elf <keys >/tmp/whole 2>&1; echo "shell-whole status $?"
disk
{ cat keys; sleep 100; } | $L --save=/root/snap --block=d.img 32 guest.elf >/tmp/first 2>/tmp/err &
p=$!
lines /tmp/first 'teachos. time sleep' 1
usleep 700000
kill -USR1 $(pidof launcher)
until grep -q "saved in" /tmp/err || ! pidof launcher >/dev/null; do usleep 20000; done
tell shell-err /tmp/err
cp d.img changed.img
echo x | dd of=changed.img conv=notrunc bs=1 seek=9000 2>/dev/null
$L --restore=snap --block=changed.img </dev/null >/tmp/said 2>&1; echo "changed status $?"
tell changed /tmp/said
$L --restore=snap </dev/null >/tmp/said 2>&1; echo "diskless status $?"
sleep %(pause)d
$L --restore=snap --block=d.img --stats=/tmp/stats --death=/tmp/death --map=/tmp/map \
	--trace=/tmp/trace --rings </dev/null >/tmp/second 2>&1
echo "shell-parts status $?"
cat /tmp/second >>/tmp/first
tell shell-whole /tmp/whole
tell shell-parts /tmp/first
for f in stats death map trace; do [ -s /tmp/$f ] && echo "wrote $f"; done

# A restart needs a kernel.
{ echo "sleep 2; reboot"; sleep 100; } | $L --save=/root/snap 32 guest.elf >/tmp/out 2>/tmp/err &
p=$!
lines /tmp/out 'teachos. sleep' 1
kill -USR1 $(pidof launcher)
until grep -q "saved in" /tmp/err || ! pidof launcher >/dev/null; do usleep 20000; done
$L --restore=snap </dev/null >/tmp/out 2>&1; echo "restart status $?"
tell restart /tmp/out
$L --restore=snap guest.elf </dev/null >/tmp/out 2>&1 &
p=$!
lines /tmp/out "to leave" 1
kill $p
wait $p
echo "restarted $(grep -c 'Type .help. for' /tmp/out)"

# Snapshots with a sum that is right, and lies inside.
$L --save=/root/snap 16 canary.elf 1 >/tmp/out 2>/tmp/err </dev/null &
p=$!
lines /tmp/out "^round" 2
kill -USR1 $p
wait $p
echo "canary status $?"
$L heartbeat.elf 1000000 >/tmp/heart 2>&1 </dev/null &
heart=$!
for n in $(seq %(forgeries)d); do
	./forge snap bad $((%(seed)d + n)) %(state_at)d || echo "forge failed"
	timeout -s KILL 60 launcher --capsule=never --timeout=0.3 --restore=bad >/tmp/said 2>&1 </dev/null
	echo "forged $? $(head -n 1 /tmp/said | cut -c 1-150)"
done
timeout -s KILL 60 launcher --capsule=never --restore=snap >/tmp/out 2>&1 </dev/null
echo "canary-again status $? $(grep "^done" /tmp/out)"
kill -0 $heart && echo "heart beats $(grep -c "^not ok" /tmp/heart)"
kill $heart
wait $heart
cd /sys/kernel/debug/lguest
echo "left $(cat guests pinned_pages | tr '\n' ' ')"
"""
# What may come of a lie: nothing, an epitaph, a death, time over, refused.
POSSIBLE = {0, 3, 4, 5, 13}
BUILDING = threading.Lock()


def told(output, word):
    return [l[len(word) + 1:].rstrip("\r") for l in output.splitlines() if l.startswith(word + " ")]


def timeless(lines):
    return [re.sub(r"^\d+\.\d+ seconds$", "N seconds", l) for l in lines if "status " not in l]


def results_of(lines):
    """The verdicts of a self-test, and its summary."""
    return [re.sub(r":.*", "", l) for l in lines if re.match(r"(ok|not ok|skip) |\d+ passed", l)]


def state_at():
    """Where struct lg_snapshot is: behind the head, whose size launcher/snapshot.c asserts."""
    return 56 + 2048


def canary():
    """The Guest of lab 11's judge; two threads that build it get in each other's way."""
    from engine import guests, labs
    with BUILDING:
        return guests.inmate(labs.load(11), "lab11-canary")[1]


def forger():
    with BUILDING:
        return built("device", "forge")


def make_snapshots(config, which):
    """which: teachos or teachos-pae.  On a CPU whose TSC the Host trusts, so that the Guest's
    clock is one that we have to move."""
    prefix = "snapshots/%s" % config
    config = Config(config.kernel, "Skylake-Client", config.smp, "tsc=reliable")

    def result(name, good, why, detail=""):
        return check("%s/%s" % (prefix, name), good, why, detail)

    def suite(wanted):
        with tempfile.TemporaryDirectory(prefix="lg-snapshots-") as folder:
            return tried(folder)

    def tried(folder):
        image, after = os.path.join(folder, "disk.img"), os.path.join(folder, "after.img")
        keys = os.path.join(folder, "keys")
        disks.make(image, {"hello": b"hello\n"}, kib=2048)
        with open(keys, "w", encoding="ascii") as f:
            f.write(KEYS)
        seed = int(os.environ.get("SEED") or random.randrange(1 << 30))
        print("# %s: SEED=%d" % (prefix, seed), flush=True)
        script = os.path.join(folder, "script.sh")
        with open(script, "w", encoding="ascii") as f:
            f.write(SCRIPT % {"saves": SAVES, "pause": PAUSE, "forgeries": FORGERIES, "seed": seed,
                              "state_at": state_at()})
        outcome = nested(
            config, ["sh", "/root/script.sh"], patience=400, collect=[("/root/d.img", after)],
            files=[script, image, keys, TEACHOS[which] + ":/root/guest.elf",
                   canary() + ":/root/canary.elf", elf("heartbeat"), forger()])
        return (selftest(outcome.output) + shell(outcome.output, after) + lies(outcome.output) +
                log_results(prefix, outcome.log))

    def selftest(text):
        whole, parts = told(text, "selftest-whole"), told(text, "selftest-parts")
        one, many = results_of(whole), results_of(parts)
        odd = next(("'%s', not '%s'" % (b, a) for a, b in zip(one, many) if a != b),
                   "%d lines, not %d" % (len(many), len(one)))
        return [result("self-test in one piece", "status 0" in whole[:1] and len(one) > 150,
                       "; ".join(whole[:1] + one[-1:]), text),
                result("self-test in %d pieces" % (SAVES + 1),
                       parts[:1] == ["status 0 saves %d" % SAVES] and one == many,
                       "; ".join(parts[:1] + [odd] + told(text, "selftest-err")[:1]), text)]

    def shell(text, after):
        whole, parts = told(text, "shell-whole"), told(text, "shell-parts")
        one, many = timeless(whole), timeless(parts)
        odd = next(("'%s', not '%s'" % (b, a) for a, b in zip(one, many) if a != b),
                   "%d lines, not %d" % (len(many), len(one)))
        slept = [float(l.split()[0]) for l in parts if re.match(r"\d+\.\d+ seconds$", l)]
        complaint = disks.fsck(after)
        wrote = told(text, "wrote")
        return [result("shell in one piece", "status 0" in whole and "slept" in one,
                       str(whole[-3:]), text),
                result("shell with keys and a disk", "status 0" in parts and one == many,
                       "%s; %s" % (odd, told(text, "shell-err")[:1]), text),
                result("the clock did not notice", len(slept) == 1 and 2 <= slept[0] < PAUSE,
                       "a sleep of 2 seconds took %s, away for %d" % (slept, PAUSE), text),
                result("the disk is in order", complaint is None, complaint),
                result("with --stats, --death, --map and --trace",
                       wrote == ["stats", "death", "map", "trace"], "only %s" % wrote, text),
                result("a disk that has changed", "changed status 24" in text and
                       "it has changed since the Guest was saved" in text,
                       str(told(text, "changed")), text),
                result("a disk that is missing", "diskless status 13" in text, "it is not missed",
                       text),
                result("a restart without a kernel", "restart status 10" in text and
                       "a snapshot has no kernel to do it with" in text,
                       str(told(text, "restart")), text),
                result("a restart with one", "restarted 1" in text, "it does not come", text)]

    def lies(text):
        from engine import projects
        forged = [l.split(" ", 1) for l in told(text, "forged")]
        odd = [l for l in forged if int(l[0]) not in POSSIBLE or
               (l[0] == "13" and "not a sound snapshot" not in l[1])]
        refused = sum(l[0] == "13" for l in forged)
        again = told(text, "canary-again")
        return [result("forgeries", len(forged) == FORGERIES and not odd and
                       0 < refused < FORGERIES and "forge failed" not in text,
                       "%d, %d were refused; %s" % (len(forged), refused, odd[:1]), text),
                result("and the truth", again == ["status 0 done 0x%08x" % projects.canary_sum(1)],
                       str(again), text),
                result("the Guest next door", "heart beats 0" in text, "it noticed", text),
                result("nothing is left", told(text, "left") == ["0 0 "],
                       str(told(text, "left")), text)]
    return suite


# Where the TSC is no clock, a Guest has the time of day, and that of another machine may be an
# hour behind: it is to sleep no hour longer for it.
BACK = r"""
L="launcher --capsule=never --timeout=60"
mkfifo keys
{ echo "time sleep 3; time sleep 1; poweroff"; sleep 100; } >keys &
$L --save=/root/snap 32 guest.elf <keys >/tmp/out 2>/tmp/err & p=$!
until grep -q "teachos. time" /tmp/out || ! kill -0 $p; do usleep 20000; done
usleep 500000
kill -USR1 $p
wait $p
cat /tmp/err
date -s "@$(($(date +%s) - 3600))" >/dev/null
$L --restore=snap </dev/null; echo "status $?"
"""


def make_set_back(config, which):
    prefix = "snapshots/set back/%s" % config

    def suite(wanted):
        outcome = nested_script(config, BACK, [TEACHOS[which] + ":/root/guest.elf"])
        slept = [float(n) for n in re.findall(r"^(\d+\.\d+) seconds", outcome.output, re.M)]
        good = len(slept) == 2 and 3 <= slept[0] < 20 and 1 <= slept[1] < 20
        return [check(prefix + "/the clock goes on", good and "status 0" in outcome.output,
                      "sleeps of 3 seconds and of 1 took %s" % slept, outcome.output)] + \
            log_results(prefix, outcome.log)
    return suite


def judge(wanted):
    """The judge of lab 11, which knows more of canaries."""
    from engine import projects
    canary()
    j = projects.judge_snapshot(types.SimpleNamespace(launcher=need(LAUNCHER, "make"), module=None))
    return [check("snapshots/judge", j.points == j.most, "%d of %d points: %s" % (
        j.points, j.most, [l for l in j.seen if l.startswith("not ok")][:1]), "\n".join(j.seen))]
