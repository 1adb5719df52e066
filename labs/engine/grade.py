# SPDX-License-Identifier: MIT
"""One lab, one student, all the tests: who passed, what was seen, how many points."""

import concurrent.futures
import json
import os
import re
import secrets
import sys
import time

from . import guests, questions, redteam, sandbox, unit
from .labs import BUILD
from .outcome import ERROR, FAIL, PASS, SKIP, TIMEOUT, Line, Verdict

NOT_BEGUN = "not begun: the region is still the stub"
UNIT_FIRST = "not run: first make the tests in user space pass (make check%d)"


class Report:
    """All lines of a grading, written to results.json as they come."""

    def __init__(self, lab, seed, path=None, who="", notes=()):
        self.lab, self.seed, self.path, self.who = lab, seed, path, who
        self.lines, self.asked, self.notes = [], [], list(notes)
        self.metrics = {}       # counted for the leaderboard; no points
        self.begun = time.time()
        self.complete = False
        self.write()

    def add(self, line):
        self.lines.append(line)
        self.write()

    @property
    def score(self):
        points = sum(l.points for l in self.lines) + sum(a.points for a in self.asked)
        return round(min(points, self.lab.points), 3)   # where one may choose: no more

    @property
    def errors(self):
        return [l for l in self.lines if l.verdict.word == ERROR]

    def json(self):
        """Gradescope's results.json."""
        tests = []
        for k, l in enumerate(self.lines, 1):
            said = "expected: %s" % l.test.expect
            if l.verdict.word != PASS:
                said += "\nseen: %s %s" % (l.verdict.word, l.verdict.why)
                if l.verdict.word in (FAIL, TIMEOUT):
                    said += "\nhint: make hint %s" % l.hint
            tests.append({
                "number": "%s.%d" % (l.exercise.id, k), "name": "%s %s" % (l.exercise.id,
                                                                         l.test.test),
                "score": round(l.points, 3), "max_score": l.test.points, "output": said,
                "status": "passed" if l.verdict.word == PASS else "failed",
                "tags": [l.verdict.word],
                "visibility": "visible" if not l.test.hidden else
                              l.test.hidden if isinstance(l.test.hidden, str)
                              else "after_due_date",
                "extra_data": {"verdict": l.verdict.word}})
        for a in self.asked:
            tests.append({"number": a.id, "name": "question %s" % a.id, "score": a.points,
                          "max_score": a.most, "output": a.said, "visibility": "visible",
                          "status": "passed" if a.points else "failed", "tags": ["Q"]})
        out = "Lab %d, %s. Seed %s." % (self.lab.lab, self.lab.title, self.seed)
        if self.errors:
            out += " %d tests could not be carried out (ERROR): they are to be repeated, and " \
                   "cost nothing." % len(self.errors)
        if not self.complete:
            out += " NOT COMPLETE: the grader was interrupted."
        return {"score": self.score, "execution_time": round(time.time() - self.begun, 1),
                "output": "\n".join([out] + self.notes), "visibility": "visible",
                "stdout_visibility": "hidden", "tests": tests,
                "extra_data": {"lab": self.lab.lab, "seed": str(self.seed), "who": self.who,
                               "max_score": self.lab.points, "complete": self.complete,
                               "metrics": self.metrics,
                               "errors": len(self.errors), "sandbox": sandbox.level(),
                               "note": " ".join(self.notes)}}

    def write(self):
        if not self.path:
            return
        fresh = self.path + ".new"
        with open(fresh, "w", encoding="utf-8") as f:
            json.dump(self.json(), f, indent=1)
            f.write("\n")
        os.replace(fresh, self.path)

    def tap(self):
        lines = ["1..%d" % len(self.lines)]
        for k, l in enumerate(self.lines, 1):
            word = l.verdict.word
            lines.append("%s %d - %s %s%s" % (
                "ok" if word in (PASS, SKIP) else "not ok", k, l.exercise.id, l.test.test,
                "" if word == PASS else " # SKIP " + l.verdict.why if word == SKIP
                else " # %s %s" % (word, l.verdict.why.replace("#", "."))))
        return "\n".join(lines) + "\n"


def grade(lab, tree, regions, seed=None, units_only=False, first=None, hidden=True, path=None,
          logs=None, who="", answers=None, stubs=False, student_seed=None, notes=(), keep=False):
    """
    regions: {exercise id: text, or an Exception that says why there is none}.  first: the
    exercises before this id are the reference's (and earn nothing).  stubs: run them, too,
    to see them fail.  keep: what is compiled of these regions is kept, for the next time.
    -> Report
    """
    seed = seed if seed is not None else secrets.randbelow(1 << 31) | 1
    report = Report(lab, seed, path, who, notes)
    begun = [e for e in lab.exercises if not (first and before(e.id, first))]
    verdicts, texts = {}, {}

    def tests_of(e):
        return [t for t in e.tests if hidden or not t.hidden]

    def user_space(e):
        return unit.try_exercise(e, tree, texts[e.id], seed, tests_of(e), keep)

    for e in lab.exercises:
        text = regions.get(e.id)
        if e not in begun:
            verdicts.update({(e.id, t.test): Verdict(SKIP, "the reference's: STEP=%s" % first)
                             for t in e.tests})
        elif text is None or isinstance(text, Exception):
            why = str(text or "there is no LAB %s in %s" % (e.id, e.file))
            verdicts.update({(e.id, t.test): Verdict(FAIL, why) for t in e.tests})
        elif tree.untouched(e, text) and not stubs:
            verdicts.update({(e.id, t.test): Verdict(SKIP, NOT_BEGUN) for t in e.tests})
        else:
            texts[e.id] = text
    tried = [e for e in lab.exercises if e.id in texts]
    if tried:
        unit.prepare(lab, tree)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for e, found in zip(tried, pool.map(user_space, tried)):
            again = [t for t in tests_of(e) if t.test in found and found[t.test].word == ERROR]
            if again:       # infrastructure: once more, with patience
                found.update(unit.try_exercise(e, tree, texts[e.id], seed, again))
            for name, v in found.items():
                verdicts[(e.id, name)] = v
    if not units_only:
        # Two that have nothing to do with each other: lab 11 has both, and two cores.
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(in_the_machine, lab, tree, tried, texts, verdicts, tests_of),
                         pool.submit(red_team, tried, texts, verdicts, tests_of)]:
                done.result()
        report.metrics = metrics_of(verdicts, texts)
    for e in lab.exercises:
        for t in tests_of(e):
            v = verdicts.get((e.id, t.test))
            if v is None:
                if units_only:
                    continue
                v = Verdict(ERROR, "nobody ran this test")
            line = Line(e, t, v)
            if logs and v.log and v.word not in (PASS, SKIP):
                os.makedirs(logs, exist_ok=True)
                line.log_file = os.path.join(logs, "%s-%s.log" % (e.id, re.sub(r"\W+", "-",
                                                                               t.test)))
                with open(line.log_file, "w", encoding="utf-8", errors="replace") as f:
                    f.write(v.log)
            report.add(line)
    if answers is not None and not units_only:
        report.asked = questions.judge(lab, answers, tree, student_seed)
    report.complete = True
    report.write()
    return report


def in_the_machine(lab, tree, tried, texts, verdicts, tests_of):
    """
    Tiers G and H.  All exercises that pass in user space go into one machine together.
    What fails there is tried with the reference: if that fails as well it was the machine,
    and costs nobody points.  If it does not, each exercise that failed is tried once more, on
    its own.  So a test has failed only if it failed twice, and once without any of the others.
    """
    ready = []
    for e in tried:
        mine = [t for t in tests_of(e) if unit.is_guest(t.test)
                and not redteam.is_redteam(t.test)]
        failed = [t for t in tests_of(e) if not unit.is_guest(t.test)
                  and verdicts[(e.id, t.test)].word not in (PASS, SKIP)]
        if failed:
            word = ERROR if all(verdicts[(e.id, t.test)].word == ERROR for t in failed) else FAIL
            for t in mine:
                verdicts[(e.id, t.test)] = Verdict(word, UNIT_FIRST % lab.lab)
        elif mine:
            ready.append((e, [t.test for t in mine]))
    if not ready:
        return
    names = sorted({n for _, tests in ready for n in tests})
    together = guests.try_guests(lab, tree, {e.id: texts[e.id] for e, _ in ready}, names)
    bad = [n for n in names if together[n].word != PASS]
    verdicts.update({(e.id, n): together[n] for e, tests in ready for n in tests})
    if not bad:
        return
    control = guests.try_guests(lab, tree, {}, bad, control=False)
    broken = [n for n in bad if control[n].word != PASS]
    if broken:          # the machine: once more, all together
        together = guests.try_guests(lab, tree, {e.id: texts[e.id] for e, _ in ready}, broken)
        verdicts.update({(e.id, n): together[n] for e, tests in ready for n in tests
                         if n in broken})
        bad = [n for n in bad if n not in broken or together[n].word != PASS]
    again = []
    for e, tests in ready:
        mine = [n for n in tests if n in bad]
        for n in mine:
            verdicts[(e.id, n)] = Verdict(ERROR, "the reference fails it as well: %s"
                                          % control[n].why, control[n].log)
        mine = [n for n in mine if control[n].word == PASS]
        if mine:
            again.append((e, mine))

    def alone(job):
        return guests.try_guests(lab, tree, {job[0].id: texts[job[0].id]}, job[1])

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for (e, mine), found in zip(again, pool.map(alone, again)):
            verdicts.update({(e.id, n): found[n] for n in mine})


def red_team(tried, texts, verdicts, tests_of):
    """Guests of the students' own, against Hosts that are broken."""
    for e in tried:
        mine = [t.test for t in tests_of(e) if redteam.is_redteam(t.test)]
        if mine:
            for name, v in redteam.try_evil(e, texts[e.id], mine).items():
                verdicts[(e.id, name)] = v


def metrics_of(verdicts, texts):
    """What the Host counted for those who passed, and the size of what they wrote."""
    found = {}
    for v in verdicts.values():
        if v.word == PASS:
            found.update(v.metrics)
    beaten = [i for i, name in verdicts if redteam.is_redteam(name)
              and verdicts[i, name].word == PASS]
    if beaten:
        found["hosts"] = len(beaten)
        found["lines"] = redteam.lines_of(texts[beaten[0]])
    return found


def broke(lab, path, who, error):
    """The grader itself broke: results.json that says so, whatever else happens."""
    report = Report(lab, 0, path, who, ["The grader broke, and that is not the student's fault: "
                                        "to be repeated. (%s)" % error])
    report.lines = [Line(e, t, Verdict(ERROR, "not carried out")) for e in lab.exercises
                    for t in e.tests]
    report.write()


def before(one, other):
    return [int(x) for x in one.split(".")] < [int(x) for x in other.split(".")]


# ---- The screen -------------------------------------------------------------------

def paint(code, text):
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return "\033[%sm%s\033[0m" % (code, text)


METRICS = {"hosts": "Hosts beaten", "lines": "lines of code in your Guest",
           "exits_per_syscall": "exits to the Host for one system call",
           "fills_per_fork": "shadow entries filled for one fork"}
COLOURS = {PASS: "32", FAIL: "31", TIMEOUT: "35", ERROR: "33", SKIP: "2"}


def screen(report, units_only=False):
    lab = report.lab
    print("Lab %d: %s" % (lab.lab, lab.title))
    for e in lab.exercises:
        mine = [l for l in report.lines if l.exercise is e]
        print("\n%s  %s  %s" % (e.id, paint("1", e.name), "" if units_only else "%g of %g points"
              % (round(sum(l.points for l in mine), 3), round(sum(t.points for t in e.tests), 3))))
        skipped = {l.verdict.why for l in mine if l.verdict.word == SKIP}
        if mine and len(skipped) == 1 and all(l.verdict.word == SKIP for l in mine):
            print("     %s %s" % (paint("2", "SKIP   "), skipped.pop()))
            continue
        for l in mine:
            print("     %s %4g  %s" % (paint(COLOURS[l.verdict.word], "%-7s" % l.verdict.word),
                                       l.test.points, l.test.test))
        shown = set()
        for l in mine:
            if l.verdict.word in (PASS, SKIP):
                continue
            why = l.verdict.why or "it failed without a word"
            # What does not compile is the same for all its tests, and no hint helps there.
            compiles = not why.startswith("does not compile")
            if (why, compiles and l.hint) in shown:
                continue
            shown.add((why, compiles and l.hint))
            print("\n       %s" % l.test.test)
            print("         expected  %s" % l.test.expect)
            print("         seen      %s" % why)
            if l.verdict.warning:
                print("         gcc warns %s" % l.verdict.warning)
            if l.log_file:
                print("         log       %s" % l.log_file)
            if l.verdict.word != ERROR and compiles:
                print("         hint      make hint %s" % l.hint)
    for name, value in sorted(report.metrics.items()):
        print("\n     %s: %g" % (METRICS.get(name, name), value), end="")
    if report.metrics:
        print()
    for a in report.asked:
        print("\n%s  question  %g of %g points  %s" % (a.id, a.points, a.most, a.said))
    print()
    if units_only:
        bad = [l for l in report.lines if l.verdict.word not in (PASS, SKIP)]
        good = [l for l in report.lines if l.verdict.word == PASS]
        print("%d passed, %d failed, in %.1f s, in user space. Points: make grade%d"
              % (len(good), len(bad), time.time() - report.begun, lab.lab))
    else:
        print("%s  (%.0f s, seed %s)" % (paint("1", "%g of %g points" % (report.score,
                                                                         lab.points)),
                                         time.time() - report.begun, report.seed))
    if report.errors:
        print("%d test%s could not be carried out (ERROR). That is not your fault, and costs "
              "nothing: try again." % (len(report.errors), "s"[:len(report.errors) != 1]))
    if sandbox.level() == "limits":
        print("(sandbox: %s)" % sandbox.describe())


def log_folder(lab):
    return os.path.join(BUILD, "labs", "log", "lab%d" % lab.lab)


def result_folder(lab):
    path = os.path.join(BUILD, "labs", "results")
    os.makedirs(path, exist_ok=True)
    return os.path.join(path, "lab%d" % lab.lab)

