# SPDX-License-Identifier: MIT
"""
Staff only: does the grader say the same thing every time?  The reference is graded again and
again, hidden tests and questions and all, on a machine that has other things to do as well;
each run must give every point.  And the skeleton must give none.
"""

import resource
import subprocess
import sys
import time

from . import grade as grading
from . import questions
from .outcome import PASS


def answers(lab, seed):
    """answers.txt with all the right answers in it."""
    module = questions.maker(lab)
    return "".join("[%s]\nanswer: %s\n" % (ident, answer)
                   for ident, _, answer in module.ask(seed)) if module else ""


def cpu():
    """Seconds of CPU that we and all our children have used: the load does not count."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def complaints(report):
    return ["%s %s: %s %s" % (l.exercise.id, l.test.test, l.verdict.word, l.verdict.why)
            for l in report.lines if l.verdict.word != PASS] + \
           ["%s: %s" % (a.id, a.said) for a in report.asked if a.points != a.most]


def run(labs, tree, runs, load, say=print):
    """load: so many processes that do nothing, as fast as they can.  -> exit status"""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"], stdin=subprocess.DEVNULL)
            for _ in range(load)]
    status = 0
    try:
        for lab in labs:
            bad, times, seed = 0, [], questions.student_seed(tree.top)
            for k in range(1, runs + 1):
                begun, used = time.time(), cpu()
                report = grading.grade(lab, tree, {e.id: tree.mine(e) for e in lab.exercises},
                                       answers=answers(lab, seed), student_seed=seed)
                times.append((cpu() - used, time.time() - begun))
                whole = abs(report.score - lab.points) < 1e-6
                bad += not whole
                say("lab %d, run %d of %d: %g of %g points, %.1f s of CPU, %.0f s, seed %s" % (
                    lab.lab, k, runs, report.score, lab.points, times[-1][0], times[-1][1],
                    report.seed))
                for line in [] if whole else complaints(report):
                    say("    " + line)
                sys.stdout.flush()
            report = grading.grade(lab, tree, {e.id: e.stub() for e in lab.exercises},
                                   units_only=True, stubs=True, answers="")
            given = [l for l in report.lines if l.verdict.word == PASS]
            say("lab %d: %d of %d runs with all points; %.1f s of CPU in the middle, %.1f at most; "
                "the skeleton passes %d of %d tests" % (
                    lab.lab, runs - bad, runs, sorted(t[0] for t in times)[len(times) // 2],
                    max(t[0] for t in times), len(given), len(report.lines)))
            for l in given:
                say("    the skeleton passes %s %s" % (l.exercise.id, l.test.test))
            status = 1 if bad or given or not report.lines else status
    finally:
        for p in busy:
            p.kill()
            p.wait()
    return status

