# SPDX-License-Identifier: MIT
"""Lab 11: what students may hand in as a Guest, how points are capped, who leads the class."""

import json
import os
import re
import subprocess
import sys
import tempfile
import types

from .machine import TOP
from .suites import check

sys.path.insert(0, os.path.join(TOP, "labs"))

RUNS = [
    ("none", "main:\n", [""], ""),
    ("a range", "; run: {0..3}\n; run: x=1\n", ["0", "1", "2", "3", "x=1"], ""),
    ("in C", " * run: a {1..2}\n", ["a 1", "a 2"], ""),
    ("a command", "; run: 0; rmmod lg\n", None, "expected at most 60 letters"),
    ("a substitution", "; run: $(reboot)\n", None, "expected at most 60 letters"),
    ("a long one", "; run: %s\n" % ("x" * 61), None, "expected at most 60 letters"),
    ("too many", "; run: {1..13}\n", None, "13 runs; expected at most 12"),
]
INSIDE = '%include "lib.inc"\nmain: jmp finish\n'
GUESTS = [
    ("the least", INSIDE, ""),
    ("in C", '#include "glue.h"\nint inmate_main(void)\n{\n\treturn 0;\n}\n', ""),
    ("no assembly", "this is not NASM at all\n", "does not build"),
    ("a secret", '%include "/etc/shadow"\n' + INSIDE, "does not build"),
    ("a secret in C", '#include "/etc/shadow"\n', "does not build"),
    ("too large", INSIDE + "section .data\ntimes 2000000 db 1\n", "expected a file of at most"),
    ("no main", '%include "lib.inc"\n', "does not build"),
    ("a linker's wish", INSIDE + "extern printf\ncall printf\n", "does not build"),
]


def labs_mastery(wanted):
    from engine import redteam
    results, prefix = [], "labs/mastery"
    for name, text, runs, why in RUNS:
        got = redteam.runs_of(text)
        results.append(check("%s/runs/%s" % (prefix, name), got[0] == runs and why in got[1],
                             "got %s" % (got,)))
    with tempfile.TemporaryDirectory(prefix="lg-evil-test-") as folder:
        for name, text, why in GUESTS:
            to = os.path.join(folder, name)
            got = redteam.build_guest(text, to)
            results.append(check("%s/guest/%s" % (prefix, name), (why in got if why else not got)
                                 and os.path.exists(to) == (not why), "it said '%s'" % got))
    return (results + handed_out(prefix) + cap(prefix) + board(prefix) + by_another_name(prefix)
            + overlays(prefix) + judges(prefix))


def handed_out(prefix):
    """A handout gets the good Host, and those that are not hidden; a student names others
    in vain."""
    from engine import labs, redteam
    lab = labs.load(11)
    hosts, built = redteam.Hosts(lab), []

    def no_build(name):
        built.append(name)
        return os.path.join(lab.folder, "lab.json")
    e = lab.exercise("11.3")
    shown = [t.test for t in e.tests if not t.hidden]
    with tempfile.TemporaryDirectory(prefix="lg-hosts-") as folder:
        real, redteam.Hosts.build = redteam.Hosts.build, lambda self, name: no_build(name)
        try:
            redteam.hand_out([e], folder)
        finally:
            redteam.Hosts.build = real
        names = sorted(os.listdir(os.path.join(folder, "labs", "lab11", "hosts")))
        results = [check(prefix + "/handed out", names == sorted(
            ["good.ko", "release"] + [t[8:] + ".ko" for t in shown]), str(names))]
        hosts.broken, hosts.given = {}, os.path.join(folder, "labs", "lab11", "hosts")
        results.append(check(prefix + "/known there", hosts.names() == sorted(
            t[8:] for t in shown), str(hosts.names())))
    return results


# An instructor's own Host, and its test.
HOST = {"name": "sleepy-owl", "file": "host/device.c", "from": "s->irq_pending = lg->irqs;",
        "to": "s->irq_pending = 0;"}
TEST = {"exercise": "11.3", "test": "redteam/sleepy-owl", "takes": "redteam/long-house",
        "points": 0.25, "notices": "innocent", "expect": "on this Host something is different"}


def changed(**new):
    """That Host, but for some keys; None: without it."""
    return {k: v for k, v in dict(HOST, **new).items() if v is not None}


OVERLAYS = [
    # name, hosts.json (a text: as it is), hidden.json or its tests, what is said or None
    ("one Host more", [HOST], [TEST], None),
    ("no JSON", "[{", [TEST], "hosts.json: Expecting"),
    ("no list", {}, [TEST], "expected a list of Hosts, got {}"),
    ("no object", [7], [TEST], "Host 1: expected an object, got 7"),
    ("a key is missing", [changed(to=None)], [TEST], "Host 1: 'to' is missing"),
    ("a key too many", [changed(why="so")], [TEST], "unknown key 'why'; expected one of"),
    ("a number", [changed(to=0)], [TEST], "'to' is 0; expected a text"),
    ("no such file", [changed(file="host/owls.c")], [TEST],
     "sleepy-owl: there is no file host/owls.c; expected one of host/..., switcher/..."),
    ("a folder", [changed(file="host")], [TEST], "there is no file host; expected"),
    ("a way out", [changed(file="host/../launcher/cable.c")], [TEST],
     "there is no file host/../launcher/cable.c"),
    ("not the Host's", [changed(file="launcher/cable.c")], [TEST],
     "there is no file launcher/cable.c; expected one of host/..., switcher/..."),
    ("no such line", [changed(**{"from": "s->owls = 7;"})], [TEST],
     "sleepy-owl: its 'from' is 0 times in host/device.c; expected once"),
    ("many such lines", [changed(**{"from": "return"})], [TEST], "expected once"),
    ("twice", [HOST, HOST], [TEST], "Host sleepy-owl is there already, in "),
    ("the course's name", [changed(name="long-house")], [TEST],
     "Host long-house is there already, in "),
    ("good", [changed(name="good")], [TEST], "'good': expected a name of small letters"),
    ("a path for a name", [changed(name="../owl")], [TEST], "expected a name of small"),
    ("a Host without a test", [HOST, changed(name="blind-owl")], [TEST],
     "Host blind-owl has no test; expected redteam/blind-owl"),
    ("a test without a Host", [], [TEST],
     "test redteam/sleepy-owl: there is no such Host in hosts.json"),
    ("no tests at all", [HOST], None, "hosts.json: there is no hidden.json beside it"),
    # What else a hidden.json may name.
    ("no source", [HOST], {"tests": [TEST], "programs": {"host/owl": {"source": "tests/owl.c"}}},
     "program host/owl: there is no file tests/owl.c in "),
    ("no such need", [HOST], {"tests": [TEST], "programs": {"host/owl": {
        "needs": ["traps", "tests/owl.c"]}}}, "program host/owl: there is no file tests/owl.c"),
    ("no rules", [HOST], {"tests": [TEST], "rules": "owls.py"}, "'rules' names owls.py, which"),
    ("no stand", [HOST], {"tests": [TEST], "stand": "tests/owl.c"}, "'stand' names tests/owl.c"),
]


def overlays(prefix):
    """HIDDEN brings bad Hosts of its own; and what is wrong with them is said in one line."""
    results = []
    for name, hosts, tests, want in OVERLAYS:
        with tempfile.TemporaryDirectory(prefix="lg-overlay-") as folder:
            place = os.path.join(folder, "lab11")
            os.makedirs(place)
            for file, values in (("hosts.json", hosts), ("hidden.json", {
                    "tests": tests} if isinstance(tests, list) else tests)):
                if values is not None:
                    with open(os.path.join(place, file), "w", encoding="utf-8") as f:
                        f.write(values if isinstance(values, str) else json.dumps(values))
            # Some as a person sees it; most without a process for each.
            if name in ("one Host more", "no such file", "no tests at all"):
                p = subprocess.run([os.path.join(TOP, "labs", "lab"), "markers"], timeout=100,
                                   env=dict(os.environ, HIDDEN=folder), stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
                status, said = p.returncode, p.stdout.decode()
            else:
                status, said = checked(place)
            why = ""
            if status != (2 if want else 0) or said.count("\n") != 1 or \
                    (want or ", 0 problems") not in said:
                why = "status %d: %s" % (status, said)
            elif not want:
                why = joined(place)
            results.append(check("%s/overlay/%s" % (prefix, name), not why, why))
    return results


def checked(place):
    """What `labs/lab markers` does with an overlay's folder.  -> (status, what it says)"""
    from engine import labs, redteam
    try:
        lab = labs.load(11, hidden=True)
        lab.add_hidden(place)
        redteam.Hosts(lab).check()
    except labs.LabError as error:
        return 2, "labs: %s\n" % error
    return 0, "it was content\n"


def joined(place):
    """That one Host stands beside the course's, and students do not know it.  -> why not"""
    from engine import labs, redteam
    lab = labs.load(11, hidden=True)
    lab.add_hidden(place)
    hosts, theirs = redteam.Hosts(lab), redteam.Hosts(labs.load(11)).names()
    own = hosts.text(HOST["name"], HOST["file"])
    if HOST["name"] not in hosts.names() or "long-house" not in hosts.names():
        return "Hosts %s" % hosts.names()
    if HOST["from"] in own or HOST["from"] not in hosts.text("long-house", HOST["file"]):
        return "its mistake is not in it, or in another one"
    return "students know it" if HOST["name"] in theirs else ""


def cap(prefix):
    """More than 15 points are 15; and a sum that is too small is an error."""
    from engine import grade, labs
    from engine.outcome import PASS, Line, Verdict
    lab, results = labs.load(11), []
    report = grade.Report(lab, 1)
    e = lab.exercises[0]
    for points in (9, 5, 4):
        report.lines.append(Line(e, types.SimpleNamespace(points=points), Verdict(PASS)))
    results.append(check(prefix + "/cap", report.score == 15, "%g points, expected 15"
                         % report.score))
    with tempfile.TemporaryDirectory(prefix="lg-lab-") as folder:
        with open(os.path.join(lab.folder, "lab.json"), encoding="utf-8") as f:
            text = f.read()
        with open(os.path.join(folder, "lab.json"), "w", encoding="utf-8") as f:
            f.write(text.replace('"points": 15,', '"points": 99,', 1))
        try:
            labs.Lab(folder)
            said = "nothing"
        except labs.LabError as error:
            said = str(error)
        results.append(check(prefix + "/too few to choose from", "expected 99" in said, said))
    return results


def board(prefix):
    """Most Hosts first, then fewest lines; who counted nothing is not in it."""
    from engine import staff

    def one(**metrics):
        return {"extra_data": {"metrics": metrics}}
    lines = staff.leaderboard({
        "ann": one(hosts=9, lines=80), "bob": one(hosts=12, lines=300), "cy": one(),
        "dee": one(hosts=12, lines=90), "eve": one(exits_per_syscall=0)})
    order = [l.split()[-1] for l in lines if re.match(r" *\d+\. ", l)]
    return [check(prefix + "/leaderboard", order == ["dee", "bob", "ann", "eve"], str(order)),
            check(prefix + "/no leaderboard", staff.leaderboard({"cy": one()}) == [], "not empty")]


def by_another_name(prefix):
    """evil.c in place of evil.asm."""
    from engine import labs, submission
    from engine.tree import Tree
    tree, lab = Tree(), labs.load(11)
    with tempfile.TemporaryDirectory(prefix="lg-submission-") as folder:
        place = os.path.join(folder, "labs", "lab11", "evil")
        os.makedirs(place)
        with open(os.path.join(place, "evil.c"), "w", encoding="utf-8") as f:
            f.write("/* LAB 11.3 BEGIN: mine */\n#include \"glue.h\"\n/* LAB 11.3 END */\n")
        regions = submission.Submission(folder).regions(lab, tree)
        return [check(prefix + "/evil.c", regions["11.3"] == '#include "glue.h"\n',
                      str(regions["11.3"])),
                check(prefix + "/the others are missing", "is not in the submission" in str(
                     regions["11.4"]), str(regions["11.4"]))]


def judges(prefix):
    """The doubles that need no nested machine; `labs/lab mutants 11` tries them all."""
    p = subprocess.run([os.path.join(TOP, "labs", "lab"), "mutants", "11", "--no-guests", "--only",
                        "doubles"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100)
    text = p.stdout.decode("utf-8", "replace")
    return [check(prefix + "/judges", p.returncode == 0 and re.search(
        r"^1\d doubles, 0 problems", text, re.M), text[-600:]), a_solution(prefix)]


def a_solution(prefix):
    """faults.patch fits the sources, and the judge is content with it."""
    p = subprocess.run([os.path.join(TOP, "labs", "lab"), "mutants", "11", "--only",
                        "doubles:faults/patch"], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=400)
    text = p.stdout.decode("utf-8", "replace")
    return check(prefix + "/faults.patch", p.returncode == 0 and "1 double, 0 problems" in text,
                text[-900:])
