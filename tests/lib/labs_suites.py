# SPDX-License-Identifier: MIT
"""The labs' engine, tried like everything else: markers, the reference, what is kept, the kill
matrix, and the sentences about a slip."""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time

from .machine import TOP
from .suites import check
from .verdict import FAIL, PASS, Result

sys.path.insert(0, os.path.join(TOP, "labs"))
PATIENCE = 900          # a hang detector: what takes seconds here may share its CPU with ten others


def labs_markers(wanted):
    """Each way to get a marker wrong, and the one line that says so."""
    from engine import markers
    prefix, results = "labs/markers", []
    begin, end = "/* LAB %s BEGIN: x */\n", "/* LAB %s END */\n"
    planted = [
        ("good", begin % "6.1" + "int a;\n" + end % "6.1", None),
        ("nested", begin % "6.1" + begin % "6.2", "f.c:2: LAB 6.2 begins inside LAB 6.1 (line 1)"),
        ("unterminated", "\n" + begin % "6.1" + "int a;\n", "f.c:2: LAB 6.1 never ends"),
        ("unknown", begin % "6.9" + end % "6.9", "f.c:1: there is no exercise 6.9"),
        ("stray end", end % "6.1", "f.c:1: LAB 6.1 ends, but none has begun"),
        ("wrong end", begin % "6.1" + end % "6.2", "f.c:2: LAB 6.2 ends, but LAB 6.1 is open"),
        ("twice", (begin % "6.1" + end % "6.1") * 2, "f.c:3: LAB 6.1 begins a second time"),
        ("no title", "/* LAB 6.1 BEGIN */\n" + end % "6.1", "f.c:1: LAB 6.1 BEGIN has no title"),
        ("misspelt", "/* LAB 6.1 BEGN: x */\n", "f.c:1: '/* LAB 6.1 BEGN: x */' is no marker"),
        ("no number", "; lab six begin\n", "f.c:1: '; lab six begin' is no marker"),
    ]
    for name, text, message in planted:
        try:
            markers.parse(text, "f.c", {"6.1", "6.2"})
            said = None
        except markers.MarkerError as error:
            said = str(error)
        results.append(check("%s/%s" % (prefix, name),
                             said == message if message is None else message in (said or ""),
                             "expected '%s', got '%s'" % (message, said)))
    status = subprocess.run([os.path.join(TOP, "labs", "lab"), "markers"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    results.append(check(prefix + "/this tree", status.returncode == 0,
                         status.stdout.decode()[-300:]))
    return results


def labs_check(wanted):
    """make check6 on the reference: everything passes."""
    from engine import labs
    results = []
    for lab in labs.load_all():
        p = subprocess.run([os.path.join(TOP, "labs", "lab"), "check", str(lab.lab)],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        text = p.stdout.decode("utf-8", "replace")
        results.append(check("labs/check/%d" % lab.lab, p.returncode == 0 and
                             re.search(r"^[1-9]\d* passed, 0 failed", text, re.M),
                             "status %d: %s" % (p.returncode, text[-300:]), text))
    return results


def labs_kept(wanted):
    """What was compiled for `make check` comes again for the same text, and for no other."""
    from engine import sandbox, unit
    from engine.tree import Tree
    prefix, results, tree, compiled = "labs/kept", [], Tree(), []
    e = tree.exercises["6.1"]
    tests = [t for t in e.tests if t.test == "host/access/range_table"]
    unit.prepare(e.lab, tree)
    real, ours = sandbox.run, threading.get_ident()

    def run(words, *more, **others):
        if threading.get_ident() == ours:       # other suites compile at the same time
            compiled.extend(w for w in words[:1] if w == "sh")
        return real(words, *more, **others)

    good = tree.mine(e) + "/* %d */\n" % time.time_ns()
    bad = good.replace("u64 end = (u64)gpa", "u32 end = gpa")
    if bad == good:
        return [Result(prefix, FAIL, "the reference of 6.1 has changed: nothing to make wrong")]
    sandbox.run = run
    try:
        for name, text, keep, word, times in (
                ("a new text", good, True, PASS, 1), ("the same again", good, True, PASS, 0),
                ("a wrong one", bad, True, FAIL, 1), ("wrong again", bad, True, FAIL, 0),
                ("and back", good, True, PASS, 0), ("nothing is kept", good, False, PASS, 1)):
            del compiled[:]
            v = unit.try_exercise(e, tree, text, 1, tests, keep)[tests[0].test]
            results.append(check("%s/%s" % (prefix, name), v.word == word and
                                 len(compiled) == times, "%s (%s), compiled %d times; expected %s, "
                                 "%d times" % (v.word, v.why, len(compiled), word, times)))
    finally:
        sandbox.run = real
    with tempfile.TemporaryDirectory(prefix="lg-kept-") as folder:
        link = os.path.join(folder, "access")
        os.symlink("/etc/passwd", link)
        unit.keep_programs(os.path.join(folder, "kept", "x"), [link])
        results.append(check(prefix + "/no link is followed",
                             not os.path.exists(os.path.join(folder, "kept", "x")),
                             "a program that is a link was kept"))
    return results


def labs_mutants(wanted):
    """The proof itself is put to the test: each kind of false claim is called one."""
    import contextlib
    import io
    from engine import labs, mutants
    from engine.tree import Tree
    prefix, results, tree = "labs/mutants", [], Tree()

    def said(change, only):
        """The problems, after `change` was made to 6.2 and its first mutant."""
        lab = labs.load(6, hidden=True)
        e = lab.exercise("6.2")
        e.mutants = e.mutants[:3]
        change(e, e.mutants[0])
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = mutants.run([lab], tree, 1, with_guests=False,
                                 only="6.2" + only)
        return status, " ".join(re.findall(r"PROBLEM: (.*)", out.getvalue()))

    def give(thing, **values):
        thing.__dict__.update(values)

    reference = tree.mine(tree.exercises["6.2"])
    for name, only, change, status, words in (
            ("the truth", "", lambda e, m: None, 0, ""),
            ("wrong killer", "-straight",
             lambda e, m: give(m, killed_by="host/access/read_outside"), 1,
             "SURVIVES host/access/read_outside (PASS); "
             "killed by host/access/read_across_frames"),
            ("wrong hint", "-straight", lambda e, m: give(m, hint="6.2-outside"), 1,
             "shows hint 6.2-frames, expected 6.2-outside"),
            ("no mistake at all", "-straight", lambda e, m: give(m, to=m.__dict__["from"]), 1,
             "no test notices"),
            ("does not compile", "-straight", lambda e, m: give(m, to="this is not C"), 1,
             "it does not compile"),
            ("notices nothing", "-straight", lambda e, m: give(e.tests[1], notices=m.name), 1,
             "SURVIVES host/access/read_outside (PASS), which claims to notice it"),
            ("two are not enough", "-stub", lambda e, m: e.mutants.pop(), 1,
             "fewer than three mutants"),
            ("a stub that passes", "-stub", lambda e, m: give(e, stub=lambda: reference), 1,
             "the stub passes host/access/read_across_frames")):
        got = said(change, only)
        results.append(check("%s/%s" % (prefix, name), got[0] == status and words in got[1] and
                             bool(words) == bool(got[1]), "status %d: %s" % got))
    p = subprocess.run([os.path.join(TOP, "labs", "lab"), "mutants", "6", "--only", "6.77"],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    results.append(check(prefix + "/no such mutant", p.returncode == 2 and
                         b"there is no mutant 6.77 in lab 6" in p.stdout, p.stdout.decode()[-200:]))
    return results


# What a tired student writes, and the place that must stand in the sentence: in the region's
# first function, the line after its opening brace.  @: that line's number.
TIRED = [
    ("a word too few", "6.1", "host/access/range_table", "return 0", "does not compile: "
     "host/hypercalls.c:@:17: error: expected ';'"),
    ("a function that nobody knows", "6.1", "host/access/range_table", "return is_it_ok();",
     "does not compile: host/hypercalls.c:@:16: error: implicit declaration of function "
     "'is_it_ok'"),
    ("a NULL pointer", "6.1", "host/access/range_table", "*(volatile char *)0 = 1;",
     "host/hypercalls.c:@: store to null pointer"),
    ("a loop down the stack", "6.1", "host/access/range_table", "volatile char a[4]; "
     "a[(gpa & 1) + 4] = 1;", "host/hypercalls.c:@: index "),
    ("a use after the end", "6.1", "host/access/range_table", "char *a = __builtin_malloc(4); "
     "__builtin_free(a); *(volatile char *)a = 1;", ", in lg_range_ok(), host/hypercalls.c:@"),
    ("a loop without end", "6.1", "host/access/range_table", "for (;;) *(volatile char *)&gpa = 1;",
     "still running after 3 s, in lg_range_ok(), host/hypercalls.c:@"),
    ("what the program says itself", "5.6", "launcher/bus/life_of_a_device",
     'say("one"); say("two"); return;', "one buffer, one kick: served 0 times"),
    ("a function that nobody knows, in 32 bits", "1.3", "teachos32/flag/off_and_on",
     "deliver();", "does not compile: teachos/arch/lguest/ops.c:@:9: error: implicit "
     "declaration of function 'deliver'"),
    ("what the assembler refuses", "1.3", "teachos32/flag/off_and_on",
     'asm volatile("int 0x1f");', "does not compile: teachos/arch/lguest/ops.c:@: Error: "
     "operand size mismatch"),
    ("a NULL pointer, in 32 bits", "2.9", "teachos32/sched/slices", "*(volatile u32 *)16 = 5;",
     "sched_tick() went to address 0x10 (teachos/kernel/sched.c:@)"),
    ("a privileged instruction", "2.8", "teachos32/switch/to_another", "cli",
     "cli was executed in switch_stacks(): that traps, and a Guest asks instead "
     "(teachos/kernel/switch.asm:@)"),
]


def labs_messages(wanted):
    """The sentence about a slip names the line; the log quotes that line, and not another."""
    from engine import unit
    from engine.tree import Tree
    prefix, tree, results = "labs/messages", Tree(), []
    unit.PATIENCE = 3.0
    for name, ident, test, code, expect in TIRED:
        e = tree.exercises[ident]
        opens = ":\n" if e.file.endswith(".asm") else "{\n"
        at = tree.regions[ident].begin + tree.mine(e).split(opens)[0].count("\n") + 1
        tests = [t for t in e.tests if t.test == test]
        unit.prepare(e.lab, tree)
        text = tree.mine(e).replace(opens, "%s\t%s\n" % (opens, code), 1)
        v = unit.try_exercise(e, tree, text, 1, tests)[test]
        # Where gcc quotes a line, that line is the one.
        quoted = re.findall(r"^ +%d \| *(.*)$" % (at + 1), v.log, re.M)
        expect = expect.replace("@", str(at + 1))
        word = "TIMEOUT" if expect.startswith("still running") else FAIL
        results.append(check("%s/%s" % (prefix, name), v.word == word and expect in v.why and all(
            q.strip() == code for q in quoted), "%s (%s; quoted: %s), expected %s (%s)"
            % (v.word, v.why, quoted, word, expect), v.log))
    return results + labs_warnings() + labs_words()


def labs_warnings():
    """What compiles, and is not what was meant: gcc's warning is shown, also the next time."""
    from engine import unit
    from engine.tree import Tree
    tree, results = Tree(), []
    e = tree.exercises["7.4"]
    tests = [t for t in e.tests if t.test == "host/hypercalls/set_stack"]
    unit.prepare(e.lab, tree)
    good = tree.mine(e)
    bad = good.replace("(ss & 3) != 1", "ss & 3 != 1")
    line = tree.regions[e.id].begin + bad[:bad.find("ss & 3")].count("\n") + 1
    expect = "host/traps.c:%d: suggest parentheses around comparison" % line
    for name, text, keep, right in (("compiled", bad, True, expect), ("kept", bad, True, expect),
                                    ("none about the reference", good, False, "")):
        v = unit.try_exercise(e, tree, text, 1, tests, keep=keep)[tests[0].test]
        results.append(check("labs/messages/gcc's warning, %s" % name, v.warning.startswith(right)
                             and bool(v.warning) == bool(right) and (v.word == PASS) == (not right),
                             "%s, warning '%s', expected '%s'" % (v.word, v.warning, right)))
    return results


def labs_words():
    """Answers, and codes that do not exist."""
    from engine import hints, labs, questions
    from engine.labs import LabError
    from engine.tree import Tree
    prefix, results, lab = "labs/messages", [], labs.load(0)
    text = questions.sheet(lab, "1").replace("answer:", "answer: threee", 2)
    said = {a.id: a.said for a in questions.judge(lab, text, Tree(), "1")}
    ids = [q["id"] for q in lab.questions["ask"]]
    results.append(check(prefix + "/an answer that is no number", said[ids[0]].startswith(
        "'threee' is not it, and no number") and said[ids[-1]] == "not answered", str(said)))
    for name, code, begin, end in (
            ("a hint that does not exist", "6.1-nothing", "there is no hint '6.1-nothing'; those of "
             "exercise 6.1: 6.1-", "make hint 6.1"),
            ("an exercise that does not exist", "6.10", "there is no exercise '6.10'",
             "lab 6 has 6.1 to 6.6"),
            ("a comma", "6,1-wrap", "there is no exercise '6,1'", "is it 6.1-wrap? It is written "
             "with a full stop")):
        try:
            hints.show(code, say=lambda line: None)
            why = "no complaint"
        except LabError as error:
            why = str(error)
        results.append(check("%s/%s" % (prefix, name), why.startswith(begin) and why.endswith(end),
                             why))
    return results
