# SPDX-License-Identifier: MIT
"""What the sheets say, compared with what is there: numbers, commands, and the answers."""

import glob
import os
import re

from .labs_suites import labs_markers       # noqa: F401  (it has put labs/ on the path)
from .machine import TOP
from .suites import check

NUMBERS = ("no one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
           "fifteen").split()
SEEDS = [str(n) for n in range(1, 300)] + ["omar", "anna", "2027"]


def washed(high):
    """What a CPU sees of the high word of a Guest's descriptor: ABI.md 6 and 14."""
    if not high & 1 << 12:
        return 0
    dpl = {0: 1, 1: 1, 2: 3, 3: 3}[high >> 13 & 3]
    high = high & ~(3 << 13) | dpl << 13 | 1 << 8
    if high & 1 << 11:
        return high & ~(1 << 21)
    return high | 1 << 22 if high & 1 << 9 else high


def outside(text):
    """6.a, from its own words."""
    frames, gpa = (int(n, 0) for n in re.search(r"has (\d+) frames.*gpa (0x\w+)", text).groups())
    return frames * 4096 - gpa


def hypercalls(text):
    """6.b: exits, one ring slot after the other."""
    from engine.abi import ring_size
    queued, direct = (int(n) for n in re.search(r"queues (\d+) .*?makes (\d+) direct", text,
                                                re.S).groups())
    exits = used = 0
    for _ in range(queued):
        if used == ring_size():
            exits, used = exits + 1, 0
        used += 1
    return exits + direct


def order(text):
    """8.a: one handler after the other."""
    raised = {int(n) for n in re.search(r"raised: ([\d, ]+)\.", text).group(1).split(", ")}
    blocked = int(re.search(r"blocked_interrupts is (0x\w+)", text).group(1), 0)
    late = int(re.search(r"takes interrupt (\d+) out", text).group(1))
    taken = []
    while len(taken) < 4:
        taken.append(min(n for n in raised if not blocked >> n & 1))
        raised.remove(taken[-1])
        if len(taken) == 2:
            blocked &= ~(1 << late)
    return taken[3]


def alarms(text):
    """8.b: a clock that knows one alarm."""
    text = " ".join(text.split())
    first, second, at, third, then, end = (int(n) for n in re.search(
        r"\((\d+) ms\) at time 0, again \((\d+) ms\) at (\d+) ms, and \((\d+) ms\) at (\d+) ms\. "
        r"At (\d+) ms", text).groups())
    calls, off, alarm = {0: first, at: second, then: third, end: 0}, [], None
    for now in range(end + 1):
        if alarm == now:
            off.append(now)
            alarm = None
        if now in calls:
            alarm = now + calls[now] if calls[now] else None
    return 1000 * (1 if off else 0) + sum(off)


AGAIN = {
    "6.a": outside,
    "6.b": hypercalls,
    "7.b": lambda text: washed(int(re.search(r"high word (0x\w+)", text).group(1), 0)),
    "8.a": order,
    "8.b": alarms,
}


def labs_sheets(wanted):
    """Answers worked out again; functions counted; a Guest that is to die does die."""
    from engine import labs, questions
    results, prefix = [], "labs/sheets"
    for lab in labs.load_all():
        maker = questions.maker(lab)
        asked = {}
        for seed in SEEDS:
            for ident, text, answer in maker.ask(seed) if maker else []:
                asked.setdefault(ident, []).append((seed, text, answer))
        for ident in sorted(set(asked) & set(AGAIN)):
            wrong = [(seed, answer, AGAIN[ident](text)) for seed, text, answer in asked[ident]
                     if AGAIN[ident](text) != answer]
            results.append(check("%s/answer of %s" % (prefix, ident), not wrong,
                                 "%d of %d seeds; seed %s: the sheet wants %s, and right is %s"
                                 % ((len(wrong), len(SEEDS)) + (wrong or [("", 0, 0)])[0])))
        with open(os.path.join(lab.folder, "README.md"), encoding="utf-8") as f:
            sheet = f.read()
        said = re.search(r"You write (\w+) (?:small |short )?functions", sheet)
        if said and said.group(1) in NUMBERS:
            count = sum(len(e.functions) for e in lab.exercises)
            results.append(check("%s/functions of lab %d" % (prefix, lab.lab),
                                 NUMBERS.index(said.group(1)) == count,
                                 "'%s', and lab.json has %d" % (said.group(0), count)))
        for name, argument in re.findall(r"inmates/(kill-[\w-]+)\.elf(?: (\d+))?", sheet):
            source = glob.glob(os.path.join(TOP, "tests", "inmates", name + ".*"))
            with open(source[0], encoding="utf-8") as f:
                runs = re.findall(r"^; run: (.*)$", f.read(), re.M)
            results.append(check("%s/lab %d: %s" % (prefix, lab.lab, name),
                                 (argument or "0") in runs if runs else not argument,
                                 "the sheet runs it with '%s'; what kills it is one of: %s"
                                 % (argument, ", ".join(runs) or "nothing")))
    return results
