# SPDX-License-Identifier: MIT
"""
The proof of the grader: the reference passes everything, the stub nothing, and each known
mistake is caught by the test that is named for it, with the hint that is named for it.
"""

import concurrent.futures
import importlib.util
import os
import sys

from . import guests, redteam, unit
from .labs import TOP, LabError, read_text
from .outcome import PASS, SKIP

OVERLAYS_OWN = "overlay's"
LETTER = {"PASS": ".", "FAIL": "F", "TIMEOUT": "T", "ERROR": "E", "SKIP": "-"}


class Row:
    """One version of one exercise, and what each test said."""

    def __init__(self, exercise, name, wrong, text, mutant=None):
        self.exercise, self.name, self.wrong, self.text = exercise, name, wrong, text
        self.mutant = mutant
        self.others = set()     # tests that another version of the reference is to pass
        self.verdicts = {}
        self.problem = ""

    def carry_out(self, tree, seed, with_guests):
        e = self.exercise
        self.verdicts = unit.try_exercise(e, tree, self.text, seed)
        # The reference's Guests are tried for the whole lab; a stub fails in user space, and
        # is not booted, unless the exercise has nothing else.
        wanted = [t for t in self.claims() if unit.is_guest(t)]
        if self.name == "stub" and all(unit.is_guest(t.test) for t in e.tests):
            wanted = [t.test for t in e.tests]
        if not with_guests:
            wanted = []
        if any(redteam.is_redteam(t.test) for t in e.tests):
            if with_guests:
                self.verdicts.update(redteam.try_evil(e, self.text, [t.test for t in e.tests]))
        elif wanted:
            self.verdicts.update(guests.try_guests(e.lab, tree, {e.id: self.text}, wanted))
        self.judge(with_guests)

    def claims(self):
        """The tests that say that they catch this one."""
        if not self.mutant:
            return []
        return [self.mutant.killed_by] + [t.test for t in self.exercise.tests
                                          if t.notices == self.name]

    def judge(self, with_guests):
        e = self.exercise
        tests = {t.test: t for t in e.tests}
        if self.name in ("reference", OVERLAYS_OWN):
            bad = [n for n, v in self.verdicts.items() if v.word != PASS and n not in self.others]
            if bad:
                self.problem = "the reference fails %s: %s" % (bad[0], self.verdicts[bad[0]].why)
        elif self.name == "stub":
            good = [n for n, v in self.verdicts.items() if v.word in (PASS, SKIP)]
            broken = [v.why for v in self.verdicts.values() if "does not compile" in v.why]
            if good:
                self.problem = "the stub passes %s" % ", ".join(good)
            elif broken:
                self.problem = "the stub %s" % broken[0]
        else:
            killer = self.mutant.killed_by
            v = self.verdicts.get(killer)
            if v is None:
                self.problem = "" if not with_guests else "%s was not run" % killer
                return
            killers = [n for n, x in self.verdicts.items() if x.word not in (PASS, SKIP)]
            if any("does not compile" in x.why for x in self.verdicts.values()):
                self.problem = "it does not compile: %s" % v.why
            elif v.word in (PASS, SKIP, "ERROR"):
                self.problem = "SURVIVES %s (%s); %s" % (
                    killer, v.word, "killed by " + ", ".join(killers) if killers else
                    "no test notices")
            else:
                if self.mutant.passes is not None:
                    scored = sorted(n for n, x in self.verdicts.items()
                                    if x.word == PASS and not tests[n].overlay)
                    if scored != sorted(self.mutant.passes):
                        self.problem = "it passes %s; expected %s" % (
                            ", ".join(scored) or "nothing", ", ".join(self.mutant.passes) or
                            "nothing")
                        return
                hint = e.hint_for(tests[killer], v.why + "\n" + v.log)
                if hint != self.mutant.hint:
                    self.problem = "%s shows hint %s, expected %s (seen: %s)" % (
                        killer, hint, self.mutant.hint, v.why)
            for name in self.claims()[1:]:
                v = self.verdicts.get(name)
                if not self.problem and (with_guests or not unit.is_guest(name)) and (
                        v is None or v.word in (PASS, SKIP, "ERROR")):
                    self.problem = "SURVIVES %s (%s), which claims to notice it" % (
                        name, v.word if v else "not run")


def rows_of(lab, tree):
    rows = []
    for e in lab.exercises:
        reference = tree.mine(e)
        rows.append(Row(e, "reference", "", reference))
        rows += evil_of_overlays(e, rows[-1])
        rows.append(Row(e, "stub", "not begun", e.stub()))
        if len(e.mutants) < 3:
            rows[-1].problem = "fewer than three mutants"
        for m in e.mutants:
            rows.append(Row(e, m.name, m.wrong, e.mutant_text(m, reference), m))
    return rows


def evil_of_overlays(e, reference):
    """
    Whoever brings Hosts of his own may bring an evil Guest that beats them, and then the
    course's need not.
    """
    rows, reds = [], [t for t in e.tests if redteam.is_redteam(t.test)]
    for folder in e.lab.folders[1:] if reds else []:
        for name in ("evil.asm", "evil.c"):
            path = os.path.join(folder, name)
            if os.path.exists(path):
                row = Row(e, OVERLAYS_OWN, path, read_text(path))
                mine = {t.test for t in reds if t.overlay == folder}
                row.others = {t.test for t in e.tests} - mine
                reference.others |= mine
                rows.append(row)
    return rows


def others(path, numbers):
    """The rows of KILLS.md that are about other labs than these."""
    try:
        with open(path, encoding="utf-8") as f:
            rows = [line.rstrip("\n") for line in f if line[:2] == "| " and line[2].isdigit()]
    except OSError:
        return []
    return [row for row in rows if int(row[2:].split(".")[0]) not in numbers]


def doubles(lab, with_guests, only=""):
    """
    The judges of open projects, and whether they can tell right from wrong.  only: PROJECT/NAME
    """
    path = os.path.join(lab.folder, "hidden", "doubles.py")
    if not os.path.exists(path):
        return 0
    spec = importlib.util.spec_from_file_location("doubles%d" % lab.lab, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    bad = tried = 0
    print("\nthe judges of projects")
    for project, name, wrong, points, word, judge in module.ALL:
        if judge.boots and not with_guests or only not in ("", "%s/%s" % (project, name)):
            continue
        j, tried = judge(), tried + 1
        fine = j.points == points and any(word in line for line in j.seen)
        print("   %-9s %-10s %g of %g  %s" % (project, name, j.points, j.most, wrong))
        if not fine:
            bad += 1
            print("      PROBLEM: expected %g points and '%s'; it said\n         %s" % (
                points, word, "\n         ".join(j.seen)))
    if only and not tried:
        raise LabError("there is no double %s; expected one of %s" % (
            only, ", ".join("%s/%s" % one[:2] for one in module.ALL)))
    print("%d double%s, %d problem%s" % (tried, "" if tried == 1 else "s", bad,
                                         "" if bad == 1 else "s"))
    return 1 if bad else 0


def run(labs, tree, seed, with_guests=True, only=None, write=False):
    """Prints the matrix; -> exit status."""
    if tree.is_handout:
        raise LabError("a handout has no mutants")
    status, table = 0, []
    for lab in labs:
        unit.prepare(lab, tree)
        rows = [r for r in rows_of(lab, tree)
                if not only or only in ("%s-%s" % (r.exercise.id, r.name), r.exercise.id)]
        what, _, double = (only or "").partition(":")
        if what == "doubles":
            status |= doubles(lab, with_guests, double)
            continue
        if any(redteam.is_redteam(t.test) for e in lab.exercises for t in e.tests):
            hosts = redteam.Hosts(lab)
            hosts.modules(hosts.names())        # all of them compile, and are kept
        if not rows:
            raise LabError("there is no mutant %s in lab %d; expected an exercise such as %s, or "
                           "a mutant such as %s-%s" % (
                               only, lab.lab, lab.exercises[0].id, lab.exercises[0].id,
                               lab.exercises[0].mutants[0].name))
        failed = 0
        if with_guests:
            for name, v in sorted(guests.try_guests(lab, tree, {}, sorted(lab.guests)).items()):
                print("%-7s the reference, %s%s" % (v.word, name, ": " + v.why if v.why else ""))
                failed += v.word != PASS
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            jobs = {pool.submit(r.carry_out, tree, seed, with_guests): r for r in rows}
            for job in concurrent.futures.as_completed(jobs):
                job.result()
        last = None
        for r in rows:
            e = r.exercise
            if e is not last:
                print("\n%s %s" % (e.id, e.name))
                for k, t in enumerate(e.tests):
                    print("   %s %s" % ("| " * k + "+", t.test))
                last = e
            marks = [LETTER[r.verdicts[t.test].word] if t.test in r.verdicts else " "
                     for t in e.tests]
            print("   %s  %-14s %s%s" % (" ".join(marks), r.name, r.wrong,
                                         "\n      PROBLEM: " + r.problem if r.problem else ""))
            if r.mutant and not r.problem:
                table.append("| %s | %s | %s | `%s` | `%s` |" % (
                    e.id, r.name, r.wrong, r.mutant.killed_by, r.mutant.hint))
            status = 1 if r.problem else status
        sys.stdout.flush()
        bad = failed + sum(1 for r in rows if r.problem)
        status = 1 if bad else status
        print("\nlab %d: %d mutants, %d exercises, %d problem%s"
              % (lab.lab, sum(1 for r in rows if r.mutant), len(lab.exercises), bad,
                 "" if bad == 1 else "s"))
        if not only:
            status |= doubles(lab, with_guests)
    if write and not status and not only:
        path = os.path.join(TOP, "labs", "KILLS.md")
        table = others(path, {lab.lab for lab in labs}) + table
        table.sort(key=lambda row: int(row[2:].split(".")[0]))      # the rest stays as it is
        with open(path, "w", encoding="utf-8") as f:
            f.write("<!-- SPDX-License-Identifier: MIT -->\n# The kill matrix\n\nWritten by "
                    "`make mutants WRITE=yes`, when there was no problem. Each known mistake,\n"
                    "the test that caught it, and the hint that the student was given.\n\n"
                    "| exercise | mutant | what is wrong | killed by | hint |\n|---|---|---|---|"
                    "---|\n%s\n" % "\n".join(table))
    return status
