# SPDX-License-Identifier: MIT
"""
The judges of lab 11's open projects, faults and linux, and of snapshots (11.5 and 11.6).

A project may change anything, so there is no region to take: the judge is given what was
built (lg.ko, the Launcher, a bzImage), lets it loose in the nested machine, and says what it
saw and which points it would award.  What proves the judges are doubles, which do right, or
wrong in known ways (labs/lab11/hidden/doubles.py).
"""

import json
import os
import random
import re
import secrets
import subprocess
import tempfile

from . import guests, labs
from .guests import machine
from .labs import TOP, LabError

ROUNDS, WORDS = 30, 0x40000      # as in lab11-canary.asm
FLIPS = 12
SETTLED = 3                      # the round after which it is saved


class Judgement:
    """What was seen, and the points for it."""

    def __init__(self, most):
        self.most, self.points, self.seen = most, 0, []

    def note(self, good, what, points=0):
        good = bool(good)
        self.seen.append("%s %s" % ("ok    " if good else "not ok", what))
        if good:
            self.points += points
        return good


def carry_out(script, files, module=None, patience=200):
    """Run a shell script in the nested machine.  -> (lines behind the mark, log)"""
    mark = "mark-" + secrets.token_hex(8)
    config = guests.LabConfig(module)
    with tempfile.TemporaryDirectory(prefix="lg-judge-") as folder:
        path = os.path.join(folder, "judge.sh")
        with open(path, "w", encoding="utf-8") as f:
            f.write("mark=%s\n%s" % (mark, script))
        outcome = machine.nested(config, ["sh", "/root/judge.sh"], [path] + list(files),
                                 patience=patience)
    return [l.split(" ", 1)[1] for l in outcome.output.splitlines()
            if l.startswith(mark + " ")], outcome.log


# ---- snapshot -----------------------------------------------------------------------

def canary_sum(nonce):
    """What lab11-canary.asm has to say in the end."""
    state, most = nonce, 0xffffffff

    def draw():
        nonlocal state
        state = (state * 1664525 + 1013904223) & most
        return state
    memory = [draw() for _ in range(WORDS)]
    window, tls, fpu, xmm, ebx, esi, edi, ebp = (draw() for _ in range(8))
    total = ebx ^ ebp
    for word in [esi, edi] + memory + [window, window, tls, tls, fpu & 0x7fffffff, xmm]:
        total = ((total << 5 | total >> 27) & most) ^ word
    return total


SNAPSHOT = r"""
cd /root
L=/root/launcher
run() { timeout -s KILL "$@" </dev/null; }
$L --timeout=60 --save=/tmp/snap 16 lab11-canary.elf %(nonce)d \
	>/tmp/first 2>/tmp/first.err </dev/null &
p=$!
for i in $(seq 300); do grep -q "^round %(settled)d$" /tmp/first && break; usleep 100000; done
kill -USR1 $p
( sleep 30; kill -KILL $p ) 2>/dev/null & w=$!
wait $p
echo "$mark first $?"
kill $w 2>/dev/null
sed "s/^/$mark out1 /" /tmp/first
size=$(wc -c </tmp/snap 2>/dev/null || echo 0)
echo "$mark size $size"
[ "$size" -gt 0 ] || exit 0
/bin/launcher --timeout=120 16 heartbeat.elf 100 >/tmp/heart 2>&1 </dev/null & h=$!
bad() {	# NAME
	run 20 $L --timeout=4 --restore=/tmp/bad >/tmp/said 2>&1
	echo "$mark bad $1 $? $(tail -n 1 /tmp/said | cut -c 1-100)"
}
for cut in 0 1 $((size / 3)) $((size / 2)) $((size - 1)); do
	head -c $cut /tmp/snap >/tmp/bad
	bad cut-$cut
done
for flip in %(flips)s; do
	at=$((flip / 8 %% size))
	cp /tmp/snap /tmp/bad
	byte=$(dd if=/tmp/snap bs=1 skip=$at count=1 2>/dev/null | hexdump -e '1/1 "%%u"')
	printf "\\$(printf %%03o $((byte ^ (1 << (flip %% 8)))))" |
		dd of=/tmp/bad bs=1 seek=$at conv=notrunc 2>/dev/null
	bad flip-$at
done
rm -f /tmp/bad
wait $h
echo "$mark heart $? $(grep -c '^not ok' /tmp/heart)"
run 60 $L --timeout=50 --restore=/tmp/snap >/tmp/second 2>/tmp/second.err
echo "$mark second $?"
sed "s/^/$mark out2 /" /tmp/second
[ -d /sys/kernel/debug/lguest ] || mount -t debugfs none /sys/kernel/debug
cd /sys/kernel/debug/lguest
echo "$mark left $(cat guests pinned_pages | tr '\n' ' ')"
"""


def judge_snapshot(o):
    lab = labs.load(11)
    j, nonce = Judgement(8), secrets.randbelow(1 << 31)
    flips = " ".join(str(random.SystemRandom().randrange(1 << 40)) for _ in range(FLIPS))
    files = [guests.inmate(lab, "lab11-canary")[1], guests.inmate(lab, "heartbeat")[1],
             o.launcher + ":/root/launcher"]
    lines, log = carry_out(SNAPSHOT % {"nonce": nonce, "settled": SETTLED, "flips": flips}, files,
                           o.module, 400)
    told = {}
    for line in lines:
        word, _, rest = line.partition(" ")
        told.setdefault(word, []).append(rest)
    first, second = told.get("out1", []), told.get("out2", [])
    rounds = [rounds_of(first), rounds_of(second)]
    if not j.note(told.get("first") == ["0"], "SIGUSR1 ends the Launcher with status 0: %s"
                  % (told.get("first") or ["no word"])[0]):
        return j
    if not j.note("ready" in first and rounds[0] and not any(l.startswith("done") for l in first),
                  "the Guest was in the middle of its life: round %s of %d"
                  % ((rounds[0] or ["?"])[-1], ROUNDS)):
        return j
    if not j.note(told.get("size", ["0"])[0] != "0", "there is a snapshot: %s bytes"
                  % told.get("size", ["0"])[0]):
        return j
    resumed = j.note(told.get("second") == ["0"], "the restored Guest ends by itself: status %s"
                     % (told.get("second") or ["none"])[0])
    expected = list(range(rounds[0][-1] + 1, ROUNDS + 1))
    went_on = rounds[1] in (expected, [rounds[0][-1]] + expected) and "ready" not in second
    resumed &= j.note(went_on, "it goes on where it was, and does not begin anew: rounds %s"
                      % (" ".join(str(r) for r in rounds[1][:3]) or "none"))
    right = "done 0x%08x" % canary_sum(nonce)
    resumed &= j.note(right in second and not any(l.startswith("not ok") for l in second),
                      "every canary is alive, to the bit: %s" % next(
                          (l for l in second if l.startswith(("done", "not ok"))), "no sum"))
    if resumed:
        j.points += 6
    judge_damage(j, told, log)
    return j


def rounds_of(lines):
    return [int(l[6:]) for l in lines if re.fullmatch(r"round \d+", l)]


def judge_damage(j, told, log):
    """Snapshots that are none, or are lies."""
    good = True
    for line in told.get("bad", []):
        name, status, said = (line.split(" ", 2) + ["", ""])[:3]
        allowed = ("13",) if name.startswith("cut") else ("0", "3", "4", "5", "13")
        fine = status in allowed and (status != "13" or len(said) > 10)
        if not fine:
            good = j.note(False, "%s: status %s, '%s'; expected status %s%s" % (
                name, status, said, " or ".join(allowed), " and a sentence"
                if status == "13" else ""))
    if not told.get("bad"):
        good = j.note(False, "the judge did not get as far as damaged snapshots")
    heart = told.get("heart", ["?"])[0]
    good &= j.note(heart == "0 0", "the Guest next door did not notice: %s" % heart)
    trouble = machine.check_log(log)
    good &= j.note(not trouble, "the nested kernel is well%s" % (
        ": " + trouble[0][:100] if trouble else ""))
    good &= j.note(told.get("left", ["?"])[0].split() == ["0", "0"],
                   "nothing is left in the Host: %s" % told.get("left", ["?"])[0])
    j.note(good, "%d damaged snapshots: refused, or the Guest pays" % len(told.get("bad", [])),
           2 if j.points else 0)


# ---- faults -------------------------------------------------------------------------

NO_SUCH_FRAME = "E-PT-02"
FILLS = ("fill_read", "fill_write", "fill_dirty", "fill_linear")
FAULTS = r"""
cd /root
/bin/launcher --timeout=50 --stats=/tmp/stats.json 16 lab11-faults.elf %d >/tmp/out 2>&1 </dev/null
echo "$mark status $?"
sed "s/^/$mark out /" /tmp/out
echo "$mark stats $(tr -d '\n' </tmp/stats.json)"
/bin/launcher --timeout=20 --death=/tmp/death.json 16 lab11-faults.elf x%d >/dev/null 2>&1 </dev/null
echo "$mark killed $?"
echo "$mark death $(tr -d '\n' </tmp/death.json)"
"""


def judge_faults(o):
    lab, nonce = labs.load(11), secrets.randbelow(1 << 31)
    lines, log = carry_out(FAULTS % (nonce, nonce), [guests.inmate(lab, "lab11-faults")[1]],
                           o.module)
    told = dict(l.split(" ", 1) for l in lines if not l.startswith("out "))
    return weigh_faults(nonce, told.get("status"), [l[4:] for l in lines if l.startswith("out ")],
                        json.loads(told.get("stats") or "{}"), told.get("killed"),
                        json.loads(told.get("death") or "{}"), machine.check_log(log))


def weigh_faults(nonce, status, output, stats, killed, death, trouble):
    j, faults = Judgement(6), 4000 + nonce % 1000
    fine = j.note("ok each of them arrived" in output and
                  "ok with its address, and an error code of 0" in output,
                  "%d page faults arrive, with cr2 and error code" % faults)
    wrong = [l[7:] for l in output if l.startswith("not ok ")]
    fine &= j.note(status == "0" and not wrong, "each kind of fault is as ABI.md has it, 4.1, 5.5 "
                   "and 7.4: %s" % ("; ".join(wrong) or "status %s" % status))
    fine &= j.note(killed == "4" and death.get("code") == NO_SUCH_FRAME,
                   "a Guest that names a frame it has not dies of %s: status %s, %s" % (
                       NO_SUCH_FRAME, killed, death.get("code")))
    fine &= j.note(not trouble, "the nested kernel is well%s" % (
        ": " + trouble[0][:100] if trouble else ""))
    if not fine or "exit_vector" not in stats:
        return j
    exits, fills = stats["exit_vector"][14], sum(stats[k] for k in FILLS)
    home = exits - fills
    # Some of the first ones have to ask; so may those after a shadow was thrown away.
    j.note(home <= faults // 10, "%d of them came home to the Host (%d exits, %d fills); "
           "expected %d at most" % (home, exits, fills, faults // 10), 6)
    return j


# ---- linux --------------------------------------------------------------------------

LINUX = r"""
cd /root
/bin/launcher --timeout=100 --stats=/tmp/stats.json --death=/tmp/death.json \
	--initrd=/root/initrd 64 /root/kernel console=hvc0 LGWORD=%d >/tmp/out 2>&1 </dev/null
echo "$mark status $?"
sed "s/^/$mark out /" /tmp/out
echo "$mark stats $(tr -d '\n' </tmp/stats.json)"
"""


def cpio(entries):
    """An initrd of the kind `newc`: [(name, mode, data, device)]"""
    out = b""
    for n, (name, mode, data, device) in enumerate(entries + [("TRAILER!!!", 0, b"", (0, 0))]):
        head = "070701" + "".join("%08x" % v for v in (
            n + 1, mode, 0, 0, 1, 0, len(data), 0, 0, device[0], device[1], len(name) + 1, 0))
        out += (head + name).encode() + b"\0"
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return out


def initrd(folder):
    init = os.path.join(folder, "init")
    for words in (["nasm", "-f", "elf32", "-o", init + ".o",
                   os.path.join(TOP, "labs", "lab11", "linux-init.asm")],
                  ["ld", "-m", "elf_i386", "-z", "noexecstack", "-o", init, init + ".o"]):
        subprocess.run(words, check=True)
    with open(init, "rb") as f:
        data = f.read()
    path = os.path.join(folder, "initrd")
    with open(path, "wb") as f:
        f.write(cpio([("dev", 0o40755, b"", (0, 0)), ("dev/console", 0o20600, b"", (5, 1)),
                      ("init", 0o100755, data, (0, 0))]))
    return path


def judge_linux(o):
    if not o.kernel or not os.path.isfile(o.kernel):
        raise LabError("judge linux: --kernel=%s: expected a bzImage, or a vmlinux"
                       % (o.kernel or ""))
    nonce = secrets.randbelow(1 << 31)
    with tempfile.TemporaryDirectory(prefix="lg-judge-") as folder:
        lines, log = carry_out(LINUX % nonce, [initrd(folder), o.kernel + ":/root/kernel"],
                               o.module)
    told = dict(l.split(" ", 1) for l in lines if not l.startswith("out "))
    with open(o.kernel, "rb") as f:
        head = f.read(0x206)
    return weigh_linux(nonce, told.get("status"), [l[4:] for l in lines if l.startswith("out ")],
                       json.loads(told.get("stats") or "{}"), machine.check_log(log), head)


def weigh_linux(nonce, status, output, stats, trouble, head):
    from . import abi
    j, word = Judgement(8), "%08x" % (nonce * 0x9e3779b1 & 0xffffffff)
    if not j.note(head[0x202:0x206] == b"HdrS" or head[:5] == b"\x7fELF\1",
                  "it begins as a bzImage does, or a vmlinux of 32 bits"):
        return j
    said = [m for l in output for m in re.findall(r"lg-judge ([0-9a-f]{8}) ([\w.+~-]+)", l)]
    fine = j.note(status == "0", "it boots, and powers off: status %s" % status)
    fine &= j.note(bool(said) and said[0][0] == word and re.match(r"\d+\.\d+", said[0][1]),
                   "its init says uname and the word of this boot: %s" % (
                       " ".join(said[0]) if said else "nothing; its last words were '%s'" % (
                           [l for l in output if l.strip()] or [""])[-1][:100]))
    fine &= j.note(not trouble, "the nested kernel is well")
    if not stats:
        j.note(False, "the Launcher wrote no counters")
        return j

    def calls(name):
        n = abi.number(name)
        return stats["hypercall_direct"][n] + stats["hypercall_ring"][n]
    fills = sum(stats[k] for k in FILLS)
    for what, value, least in (
            ("page tables: NEW_PGTABLE", calls("NEW_PGTABLE"), 3),
            ("gates: LOAD_IDT_ENTRY", calls("LOAD_IDT_ENTRY"), 20),
            ("page table changes: SET_PTE", calls("SET_PTE"), 5),
            ("the clock: SET_CLOCKEVENT", calls("SET_CLOCKEVENT"), 1),
            ("interrupts delivered", stats["irq_delivered"], 1),
            ("shadow entries filled", fills, 1000),
            ("system calls past the Host", stats["direct"][0x80], 5)):
        fine &= j.note(value >= least, "%s: %d, expected %d at least" % (what, value, least))
    if fine:
        j.points = j.most
    return j


JUDGES = {"snapshot": judge_snapshot, "faults": judge_faults, "linux": judge_linux}


def run(o):
    if o.project not in JUDGES:
        raise LabError("there is no judge for '%s'; expected one of %s"
                       % (o.project, ", ".join(sorted(JUDGES))))
    for name in ("module", "launcher", "kernel"):
        path = getattr(o, name)
        if path and not os.path.isfile(path):
            raise LabError("--%s=%s: there is no such file" % (name, path))
    if o.project == "snapshot" and not o.launcher:
        raise LabError("judge snapshot: --launcher=FILE is missing: the Launcher that you built")
    j = JUDGES[o.project](o)
    for line in j.seen:
        print(line)
    print("the judge would award %d of %d points" % (j.points, j.most))
    return 0 if j.points == j.most else 1
