# SPDX-License-Identifier: MIT
"""Lab 11: what students may hand in as a Guest, how points are capped, who leads the class."""

import os
import re
import subprocess
import sys
import tempfile
import types

from .labs_suites import same
from .machine import TOP

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
        results.append(same("%s/runs/%s" % (prefix, name), got[0] == runs and why in got[1],
                            "got %s" % (got,)))
    with tempfile.TemporaryDirectory(prefix="lg-evil-test-") as folder:
        for name, text, why in GUESTS:
            to = os.path.join(folder, name)
            got = redteam.build_guest(text, to)
            results.append(same("%s/guest/%s" % (prefix, name), (why in got if why else not got) and
                                os.path.exists(to) == (not why), "it said '%s'" % got))
    return (results + handed_out(prefix) + cap(prefix) + board(prefix) + by_another_name(prefix)
            + judges(prefix))


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
        results = [same(prefix + "/handed out", names == sorted(
            ["good.ko", "release"] + [t[8:] + ".ko" for t in shown]), str(names))]
        hosts.broken, hosts.given = {}, os.path.join(folder, "labs", "lab11", "hosts")
        results.append(same(prefix + "/known there", hosts.names() == sorted(
            t[8:] for t in shown), str(hosts.names())))
    return results


def cap(prefix):
    """More than 15 points are 15; and a sum that is too small is an error."""
    from engine import grade, labs
    from engine.outcome import PASS, Line, Verdict
    lab, results = labs.load(11), []
    report = grade.Report(lab, 1)
    e = lab.exercises[0]
    for points in (9, 5, 4):
        report.lines.append(Line(e, types.SimpleNamespace(points=points), Verdict(PASS)))
    results.append(same(prefix + "/cap", report.score == 15, "%g points, expected 15"
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
        results.append(same(prefix + "/too few to choose from", "expected 99" in said, said))
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
    return [same(prefix + "/leaderboard", order == ["dee", "bob", "ann", "eve"], str(order)),
            same(prefix + "/no leaderboard", staff.leaderboard({"cy": one()}) == [], "not empty")]


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
        return [same(prefix + "/evil.c", regions["11.3"] == '#include "glue.h"\n',
                     str(regions["11.3"])),
                same(prefix + "/the others are missing", "is not in the submission" in str(
                    regions["11.4"]), str(regions["11.4"]))]


def judges(prefix):
    """The doubles that need no nested machine; `labs/lab mutants 11` tries them all."""
    p = subprocess.run([os.path.join(TOP, "labs", "lab"), "mutants", "11", "--no-guests", "--only",
                        "doubles"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100)
    text = p.stdout.decode("utf-8", "replace")
    return [same(prefix + "/judges", p.returncode == 0 and re.search(
        r"^1\d doubles, 0 problems", text, re.M), text[-600:])]
