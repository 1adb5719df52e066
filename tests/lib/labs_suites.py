# SPDX-License-Identifier: MIT
"""The labs' engine, tried like everything else: with bad markers, and with bad students."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from . import machine
from .machine import TOP
from .verdict import FAIL, PASS, SKIP, Result

sys.path.insert(0, os.path.join(TOP, "labs"))
PATIENCE = 900          # a hang detector: what takes seconds here may share its CPU with ten others

# What a student might hand in for 6.1, and what must come out of it.  None of it may score.
HEAD = "#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n#include <signal.h>\n" \
       "#include <sys/socket.h>\n#include <netinet/in.h>\n#include <fcntl.h>\n" \
       "#include <sys/prctl.h>\nvoid _fail(const char *file, const int line);\n"
BODY = "bool lg_range_ok(struct lguest *lg, u32 gpa, u32 len)\n{\n\t(void)lg, (void)gpa, " \
       "(void)len;\n%s\n}\n"
HOSTILE = [
    ("prints fake verdicts", 'puts("ok 1 - range_table"); puts("PASS"); return false;', FAIL),
    ("exits early", "exit(0);", FAIL),
    ("exits early, at once", "_exit(0);", FAIL),
    ("hangs", "for (;;)\n\t\t;", "TIMEOUT"),
    ("floods", "for (;;)\n\t\tputs(\"ok ok ok ok ok ok ok ok ok ok ok ok ok ok\");", FAIL),
    ("forks without end", "for (;;)\n\t\tfork();", (FAIL, "TIMEOUT")),
    ("writes to every descriptor", 'for (int fd = 0; fd < 64; fd++)\n\t\tdprintf(fd, "x '
     'range_table PASS\\n");\n\treturn false;', FAIL),
    ("shoots its parent", "kill(getppid(), SIGKILL);\n\tkill(-1, SIGKILL);\n\tpause();\n\t"
     "return true;", (FAIL, "TIMEOUT")),
    ("deletes files", 'if (system("rm -rf @CANARY@ @TOP@/labs/lab6/README.md; '
     'touch @TOP@/written /tmp/written-by-lab"))\n\t\treturn false;\n\treturn false;', FAIL),
    ("calls home", "struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(@PORT@),\n"
     "\t\t.sin_addr = { htonl(0x7f000001) } };\n\tint s = socket(AF_INET, SOCK_STREAM, 0);\n\t"
     "if (connect(s, (void *)&a, sizeof(a)) == 0)\n\t\twrite(s, \"x\", 1);\n\treturn false;", FAIL),
    ("allocates everything", "for (;;) {\n\t\tchar *p = malloc(1 << 26);\n\n\t\tif (!p)\n\t\t\t"
     "return false;\n\t\tmemset(p, 1, 1 << 26);\n\t}", (FAIL, "TIMEOUT")),
]
# With these every wrong answer would be right, if they were let.
FORGERS = [
    ("cuts cmocka's tongue out", "void _assert_true(void)\n{\n}\nvoid _assert_int_equal(void)\n"
     "{\n}\n#define _fail mute\nvoid print_error(void)\n{\n}\n" + BODY % "\treturn true;"
     "\n}\n#undef _fail\nvoid _fail(void)\n{\n", ""),
    ("writes to /proc/self/mem", HEAD + BODY % '\tprctl(PR_SET_DUMPABLE, 1);\n\t'
     'int fd = open("/proc/self/mem", O_RDWR);\n\tif (fd >= 0)\n\t\tpwrite(fd, "\\xc3", 1, '
     '(off_t)(unsigned long)_fail);\n\treturn true;', "changed code in memory"),
    ("includes the solution", '#include "@TOP@/host/hypercalls.c"\n', "does not compile"),
    ("assembles the solution", 'asm(".incbin \\"@TOP@/host/hypercalls.c\\"");\n' +
     BODY % "\treturn true;", "does not compile"),
]
NOT_EVEN_C = [
    ("does not compile", "this is not C\n", "does not compile"),
    ("includes a secret", '#include "/etc/shadow"\n', "does not compile"),
    ("leaves before main", HEAD + "__attribute__((constructor)) static void go(void)\n{\n\t"
     "_exit(0);\n}\n" + BODY % "\treturn true;", "ended before"),
]


def same(name, good, why, detail=""):
    return Result(name, PASS) if good else Result(name, FAIL, why, detail)


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
        results.append(same("%s/%s" % (prefix, name),
                            said == message if message is None else message in (said or ""),
                            "expected '%s', got '%s'" % (message, said)))
    status = subprocess.run([os.path.join(TOP, "labs", "lab"), "markers"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    results.append(same(prefix + "/this tree", status.returncode == 0,
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
        results.append(same("labs/check/%d" % lab.lab, p.returncode == 0 and
                            re.search(r"^[1-9]\d* passed, 0 failed", text, re.M),
                            "status %d: %s" % (p.returncode, text[-300:]), text))
    return results


def labs_hostile(wanted):
    """Submissions that mean harm: the right verdict, no points, and no harm."""
    from engine import labs, sandbox, unit
    from engine.tree import Tree
    unit.PATIENCE = 3.0
    tree = Tree()
    e = tree.exercises["6.1"]
    tests = [t for t in e.tests if t.test == "host/access/range_table"]
    results, prefix = [], "labs/hostile"
    folder = tempfile.mkdtemp(prefix="lg-canary-", dir="/tmp")
    os.chmod(folder, 0o777)
    canary = os.path.join(folder, "canary")
    with open(canary, "w", encoding="utf-8") as f:
        f.write("alive\n")
    os.chmod(canary, 0o666)
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    door.listen(5)
    door.settimeout(0.1)
    values = {"@CANARY@": folder, "@TOP@": TOP, "@PORT@": str(door.getsockname()[1])}
    unit.prepare(labs.load(6), tree)

    def verdict(name, text, words, expect):
        for key, value in values.items():
            text = text.replace(key, value)
        v = unit.try_exercise(e, tree, text, 1, tests)[tests[0].test]
        results.append(same("%s/%s" % (prefix, name), v.word in words and expect in v.why,
                            "%s (%s), expected %s %s" % (v.word, v.why, " or ".join(words),
                                                         expect), v.log))
    try:
        for name, body, words in HOSTILE:
            words = (words,) if isinstance(words, str) else words
            verdict(name, HEAD + BODY % ("\t" + body), words, "")
        for name, text, expect in FORGERS if sandbox.level() != "limits" else FORGERS[:2]:
            verdict(name, text, (FAIL,), expect)
        for name, text, expect in NOT_EVEN_C:
            verdict(name, text, (FAIL,), expect)
        verdict("an honest one still passes", tree.mine(e), (PASS,), "")
        if sandbox.level() == "limits":
            results.append(Result(prefix + "/no harm", SKIP, sandbox.describe()))
        else:
            try:
                door.accept()
                called = True
            except socket.timeout:
                called = False
            results.append(same(prefix + "/no harm", os.path.exists(canary) and os.path.exists(
                os.path.join(TOP, "labs/lab6/README.md")) and not os.path.exists(
                    os.path.join(TOP, "written")) and not os.path.exists("/tmp/written-by-lab")
                and not called, "a file is gone or was written, or somebody called"))
    finally:
        door.close()
        shutil.rmtree(folder)
    left = processes_called("./access")
    results.append(same(prefix + "/nothing still runs", not left, "processes: %s" % left))
    return results


def try_regions(prefix, ident, test, cases, region):
    """What comes of `test` with region(tree, exercise, case) for LAB ident, for each of cases."""
    from engine import unit
    from engine.tree import Tree
    tree, results = Tree(), []
    e = tree.exercises[ident]
    tests = [t for t in e.tests if t.test == test]
    unit.prepare(e.lab, tree)
    for name, code, word, expect in cases:
        v = unit.try_exercise(e, tree, region(tree, e, code), 1, tests)[test]
        results.append(same("%s/%s" % (prefix, name), v.word == word and expect in v.why,
                            "%s (%s), expected %s %s" % (v.word, v.why, word, expect), v.log))
    return results


# The same in 32 bits, in lguest_irq_enable() of exercise 1.3: what it says instead of the store.
INSIDE = [
    ("as it should be", "", PASS, ""),
    ("what only ring 0 may do", 'asm volatile("sti");', FAIL, "sti was executed in"),
    ("a system call of Linux's", 'asm volatile("int $0x80" : : "a"(1), "b"(0));', FAIL,
     "left with exit status 0"),
    ("a function that is not there", "panic(\"x\");", FAIL, "did not expect to be called"),
    ("a step into nowhere", "((void (*)(void))0x1234)();", FAIL, "jumped to address 0x1234"),
    ("a stack of its own", 'asm volatile("movl $0x5000, %esp; ret");', FAIL, ""),
    ("another code segment", 'asm volatile("ljmp $0x33, $0x5000");', FAIL, ""),
    ("no end", "for (;;)\n\t\t;", "TIMEOUT", "still running"),
]


def labs_inside(wanted):
    """32-bit code of a student's, in the address space of a test that is not: who wins?"""
    from engine import unit
    unit.PATIENCE = 3.0
    store = "\tLIVE(irq_enabled) = LGUEST_IF;\n"
    return try_regions("labs/inside", "1.3", "teachos32/flag/off_and_on", INSIDE,
                       lambda tree, e, code: tree.mine(e).replace(
                           store, "\t%s\n%s" % (code, store)))


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
    ("a function that nobody knows, in 32 bits", "1.3", "teachos32/flag/off_and_on",
     "deliver();", "does not compile: teachos/arch/lguest/ops.c:@:9: error: implicit "
     "declaration of function 'deliver'"),
    ("what the assembler refuses", "1.3", "teachos32/flag/off_and_on",
     'asm volatile("int 0x1f");', "does not compile: teachos/arch/lguest/ops.c:@: Error: "
     "operand size mismatch"),
]


def labs_messages(wanted):
    """The sentence about a slip names the line; the log quotes that line, and not another."""
    from engine import unit
    from engine.tree import Tree
    prefix, tree, results = "labs/messages", Tree(), []
    for name, ident, test, code, expect in TIRED:
        e = tree.exercises[ident]
        at = tree.regions[ident].begin + tree.mine(e).split("{\n")[0].count("\n") + 1
        tests = [t for t in e.tests if t.test == test]
        unit.prepare(e.lab, tree)
        text = tree.mine(e).replace("{\n", "{\n\t%s\n" % code, 1)
        v = unit.try_exercise(e, tree, text, 1, tests)[test]
        # Where gcc quotes a line, that line is the one.
        quoted = re.findall(r"^ +%d \| *(.*)$" % (at + 1), v.log, re.M)
        expect = expect.replace("@", str(at + 1))
        results.append(same("%s/%s" % (prefix, name), v.word == FAIL and expect in v.why and all(
            q.strip() == code for q in quoted), "%s (%s; quoted: %s), expected FAIL (%s)"
            % (v.word, v.why, quoted, expect), v.log))
    return results + labs_words()


def labs_words():
    """Answers, and codes that do not exist."""
    from engine import hints, labs, questions
    from engine.labs import LabError
    from engine.tree import Tree
    prefix, results, lab = "labs/messages", [], labs.load(0)
    text = questions.sheet(lab, "1").replace("answer:", "answer: threee", 2)
    said = {a.id: a.said for a in questions.judge(lab, text, Tree(), "1")}
    ids = [q["id"] for q in lab.questions["ask"]]
    results.append(same(prefix + "/an answer that is no number", said[ids[0]].startswith(
        "'threee' is not it, and no number") and said[ids[-1]] == "not answered", str(said)))
    try:
        hints.show("6.1-nothing", say=lambda line: None)
        why = "no complaint"
    except LabError as error:
        why = str(error)
    results.append(same(prefix + "/a hint that does not exist", "those of exercise 6.1: 6.1-" in
                        why and why.endswith("make hint 6.1"), why))
    return results


# The same for the Switcher: what may stand in a region of NASM.  {}: the reference.
NASTY = [
    ("speaks for the stand", "{}\tmov\tal, 'x'\n\tout\t0xe9, al\n", FAIL, "not for the Switcher"),
    ("leaves for the Host's text", "{}[section .text]\n\tret\n__SECT__\n", FAIL, "section .text"),
    ("calls the stand", "{}\textern\tfinish\n\tcall\tfinish\n", FAIL, "not mapped in the Guest"),
    ("includes a secret", 'incbin "/etc/shadow"\n{}', FAIL, "does not compile"),
    ("is not even NASM", "#include <stdio.h>\nint main;\n", FAIL, "does not compile"),
    ("fills the memory", "{}\ttimes 4000000000 nop\n", FAIL, ""),
    ("ends it all", "{}%fatal enough\n", FAIL, "does not compile"),
    ("hangs", "leave_guest:\n\tjmp\t$\nleave_end:\n", "TIMEOUT", "hangs"),
    ("triple-faults", "leave_guest:\n\tlidt\t[r15 + LG_SPILL_RAX]\n\tud2\nleave_end:\n", FAIL,
     "triple fault"),
    ("an honest one still passes", "{}", PASS, ""),
]


def labs_switcher(wanted):
    """Regions of the Switcher that mean harm, or do it: the right verdict, and soon."""
    return try_regions("labs/switcher", "10.4", "switcher/stand/there-and-back", NASTY,
                       lambda tree, e, text: text.replace("{}", tree.mine(e)))


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
            results.append(same("%s/%s" % (prefix, name), v.word == word and
                                len(compiled) == times, "%s (%s), compiled %d times; expected %s, "
                                "%d times" % (v.word, v.why, len(compiled), word, times)))
    finally:
        sandbox.run = real
    with tempfile.TemporaryDirectory(prefix="lg-kept-") as folder:
        link = os.path.join(folder, "access")
        os.symlink("/etc/passwd", link)
        unit.keep_programs(os.path.join(folder, "kept", "x"), [link])
        results.append(same(prefix + "/no link is followed",
                            not os.path.exists(os.path.join(folder, "kept", "x")),
                            "a program that is a link was kept"))
    return results


def processes_called(name):
    """The numbers of all processes with this command line (a small machine has no pgrep)."""
    found = []
    for number in os.listdir("/proc"):
        try:
            with open("/proc/%s/cmdline" % number, "rb") as f:
                if number.isdigit() and f.read().rstrip(b"\0") == name.encode():
                    found.append(number)
        except OSError:
            pass
    return found


def labs_handout(wanted):
    """A handout has no trace of the solutions, and a student's work in it is graded."""
    from engine import handout, markers, reference
    from engine.tree import Tree
    results, prefix = [], "labs/handout"
    lab = os.path.join(TOP, "labs", "lab")
    env = dict(os.environ, NO_COLOR="1")
    with tempfile.TemporaryDirectory(prefix="lg-handout-test-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        dest = os.path.join(folder, "student")
        p = subprocess.run([lab, "handout", dest, "--from", "6", "--seed", "7", "--no-proof",
                            "--no-hosts"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, timeout=PATIENCE)
        results.append(same(prefix + "/is made", p.returncode == 0, p.stdout.decode()[-400:]))
        if p.returncode:
            return results
        tree = Tree()
        open_ones = [e for e in tree.exercises.values() if e.lab.lab >= 6]
        # The search for leaks finds one that is planted: in a file, and in the history.
        solution = tree.mine(tree.exercises["6.6"])
        with open(os.path.join(dest, "notes.txt"), "w", encoding="utf-8") as f:
            f.write(solution)
        results.append(same(prefix + "/finds a leak in a file",
                            any("notes.txt" in l for l in handout.search(tree, open_ones, dest)),
                            "a solution in notes.txt was not found"))
        git = ["git", "-C", dest, "-c", "user.name=x", "-c", "user.email=x@example.invalid"]
        for words in (["add", "-A"], ["commit", "-qm", "x"], ["rm", "-q", "notes.txt"],
                      ["commit", "-qm", "y"]):
            subprocess.run(git + words, check=True, stdout=subprocess.DEVNULL)
        found = handout.search(tree, open_ones, dest)
        results.append(same(prefix + "/finds a leak in the history",
                            bool(found) and all("git" in l for l in found), str(found[:2])))
        results.append(same(prefix + "/has nothing of the staff's", not [
            n for n in handout.tracked(dest) if reference.staff_only(n)], "staff files are in it"))

        def check6():
            p = subprocess.run([os.path.join(dest, "labs", "lab"), "check", "6", "--stubs"],
                               env=dict(env, BUILD=os.path.join(folder, "build")), timeout=PATIENCE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            text = p.stdout.decode("utf-8", "replace")
            m = re.search(r"^(\d+) passed, (\d+) failed", text, re.M)
            return (int(m.group(1)), int(m.group(2)), text) if m else (-1, -1, text)
        good, bad, text = check6()
        results.append(same(prefix + "/stubs score nothing", good == 0 and bad > 15, text[-300:]))
        # The student writes 6.1 and, wrongly, 6.4.
        path = os.path.join(dest, "host", "hypercalls.c")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        wrong = tree.mine(tree.exercises["6.4"]).replace(
            "\t\ttext[sizeof(text) - 1] = '\\0';\n", "")
        with open(path, "w", encoding="utf-8") as f:
            f.write(markers.splice(text, "host/hypercalls.c", {
                "6.1": tree.mine(tree.exercises["6.1"]), "6.4": wrong}))
        good, bad, text = check6()
        results.append(same(prefix + "/what is solved passes, linked with the reference",
                            good == 4 and "make hint 6.4-nul" in text,
                            "%d passed: %s" % (good, text[-300:])))
        results += labs_handout_builds(dest, folder, env)
        results += labs_submission(dest, folder, env)
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
        results.append(same("%s/%s" % (prefix, name), got[0] == status and words in got[1] and
                            bool(words) == bool(got[1]), "status %d: %s" % got))
    p = subprocess.run([os.path.join(TOP, "labs", "lab"), "mutants", "6", "--only", "6.77"],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    results.append(same(prefix + "/no such mutant", p.returncode == 2 and
                        b"there is no mutant 6.77 in lab 6" in p.stdout, p.stdout.decode()[-200:]))
    return results


# Run in the tree of a seed: the reference of 6.6, and the same with 64 for a name.
IN_A_VARIANT = """
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1] + "/labs")
from engine import sandbox, unit
from engine.tree import Tree
tree = Tree()
e = tree.exercises["6.6"]
print(sandbox.level())
tests = [t for t in e.tests if t.test == "host/ring/full_ring"]
for text in (tree.mine(e), tree.mine(e).replace("LHCALL_RING_SIZE", "64")):
    print(unit.try_exercise(e, tree, text, 1, tests)[tests[0].test].word)
"""


def damaged_archives(folder, text):
    """Submissions as they come: {name: (path, does it hold the text?)}."""
    import io
    import tarfile
    import zipfile
    path, made = "host/hypercalls.c", {}

    def tar(name, members, good):
        to = os.path.join(folder, name)
        with tarfile.open(to, "w:gz", compresslevel=1) as t:
            for member, data in members:
                info = tarfile.TarInfo(member)
                if isinstance(data, tuple):
                    info.type, info.linkname = data
                    t.addfile(info)
                elif isinstance(data, int):
                    info.size = data
                    with open("/dev/zero", "rb") as zeroes:
                        t.addfile(info, zeroes)
                else:
                    info.size = len(data)
                    t.addfile(info, io.BytesIO(data))
        made[name] = (to, good)
        return to
    data = text.encode()
    whole = tar("good.tar.gz", [(path, data)], True)
    with open(whole, "rb") as f:
        start = f.read()[:400]
    tar("crlf.tar.gz", [(path, data.replace(b"\n", b"\r\n"))], True)
    tar("latin1.tar.gz", [(path, b"/* m\xe9l\xe9 */\n" + data)], True)
    tar("bom.tar.gz", [(path, b"\xef\xbb\xbf" + data)], True)
    tar("outside.tar.gz", [("../../../../" + path, data)], True)
    tar("twice.tar.gz", [(path, b"nothing"), (path, data)], True)
    tar("utf16.tar.gz", [(path, text.encode("utf-16"))], False)
    tar("symlink.tar.gz", [(path, (tarfile.SYMTYPE, "/etc/passwd"))], False)
    tar("hardlink.tar.gz", [(path, (tarfile.LNKTYPE, os.path.join(TOP, path)))], False)
    tar("large.tar.gz", [(path, data + b" " * (2 << 20))], False)
    tar("bomb.tar.gz", [("zeroes", 300 << 20), (path, data)], False)
    for name, content in (("cut.tar.gz", start), ("empty.zip", b""), ("noise.zip", b"PK\3\4" * 99)):
        made[name] = (os.path.join(folder, name), False)
        with open(made[name][0], "wb") as f:
            f.write(content)
    with zipfile.ZipFile(os.path.join(folder, "deep.zip"), "w") as z:
        z.writestr("my lab/work/" + path, data)
    made["deep.zip"] = (os.path.join(folder, "deep.zip"), True)
    return made


def labs_archives(wanted):
    """Whatever is handed in: it is read, or there is one line that says why not."""
    from engine import labs, staff, submission
    from engine.labs import LabError
    from engine.tree import Tree
    tree, lab, prefix, results = Tree(), labs.load(6), "labs/archives", []
    with tempfile.TemporaryDirectory(prefix="lg-archives-") as folder:
        for name, (path, good) in damaged_archives(folder, tree.text("host/hypercalls.c")).items():
            try:
                got = submission.Submission(path).regions(lab, tree)["6.1"]
            except LabError as error:
                got = error
            mine = tree.mine(tree.exercises["6.1"])
            results.append(same("%s/%s" % (prefix, name), got == mine if good else
                                isinstance(got, LabError) and "\n" not in str(got),
                                repr(got)[:200]))
        names = staff.find(folder)
        results.append(same(prefix + "/names", names.get("good", "").endswith("good.tar.gz") and
                            len(names) == len(os.listdir(folder)), str(names)[:200]))
        for name, said in (("six", '{"lab": 6}'), ("true", '{"lab": true}'), ("many", '{"lab": 99}')):
            os.mkdir(os.path.join(folder, name))
            with open(os.path.join(folder, name, "submission.json"), "w", encoding="utf-8") as f:
                f.write(said)
        with open(os.path.join(folder, "torn.zip"), "wb") as f:
            f.write(b"PK\3\4 torn")
        found, others = staff.by_lab(folder)
        results.append(same(prefix + "/whose lab", found == {6: ["six"]} and "torn.zip is no archive"
                            in others["torn"] and all("which lab" in others[n] for n in
                                                      ("true", "many")), "%s %s" % (found, others)))
        listing = os.path.join(folder, "seeds.csv")
        with open(listing, "w", encoding="utf-8") as f:
            f.write("name,seed\nanna,x1\nanna.b,x2\n")
        seeds = staff.read_seeds(listing)
        found = [staff.seed_for(seeds, n)
                 for n in ("Anna_lab6_late.zip", "anna.b.tar.gz", "annabel", "bert")]
        results.append(same(prefix + "/seeds", found == ["x1", "x2", None, None], str(found)))
        for line, said in (("anna", "expected a name, a comma and a seed"),
                           ("anna,--seed", "expected a name"), ("anna,1\nanna,2", "a second time")):
            with open(listing, "w", encoding="utf-8") as f:
                f.write(line + "\n")
            try:
                got = str(staff.read_seeds(listing))
            except LabError as error:
                got = str(error)
            results.append(same("%s/seeds: %s" % (prefix, line.replace("\n", " ")), said in got,
                                got))
    return results


def labs_autograder(wanted):
    """Gradescope's zip: what is in it, and results.json even if the course is broken."""
    import json
    import zipfile
    prefix, results = "labs/autograder", []
    with tempfile.TemporaryDirectory(prefix="lg-autograder-test-") as folder:
        hidden = os.path.join(folder, "mine", "lab6")
        os.makedirs(hidden)
        with open(os.path.join(hidden, "hidden.json"), "w", encoding="utf-8") as f:
            f.write('{"tests": []}\n')
        seeds, to = os.path.join(folder, "list.csv"), os.path.join(folder, "a.zip")
        with open(seeds, "w", encoding="utf-8") as f:
            f.write("anna,x1\n")
        p = subprocess.run([os.path.join(TOP, "labs", "lab"), "autograder", "6", "--to", to,
                            "--seeds", seeds], env=dict(os.environ, HIDDEN=os.path.dirname(hidden)),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        results.append(same(prefix + "/is made", p.returncode == 0, p.stdout.decode()[-300:]))
        if p.returncode:
            return results
        source = os.path.join(folder, "source")
        with zipfile.ZipFile(to) as z:
            modes = {i.filename: i.external_attr >> 16 & 0o777 for i in z.infolist()}
            z.extractall(source)
        names = subprocess.run(["tar", "-tzf", os.path.join(source, "course.tar.gz")],
                               stdout=subprocess.PIPE).stdout.decode().splitlines()
        results.append(same(prefix + "/holds what it should", modes == {
            "setup.sh": 0o755, "run_autograder": 0o755, "course.tar.gz": modes["course.tar.gz"],
            "seeds.csv": modes["seeds.csv"]} and "labs/overlay/lab6/hidden.json" in names and
            "labs/lab6/hidden/hidden.json" in names and "labs/lab6/questions.py" in names and
            not [n for n in names if n.startswith((".git/", "build/"))], str(modes)))
        for name in ("setup.sh", "run_autograder"):
            p = subprocess.run(["sh", "-n", os.path.join(source, name)], stderr=subprocess.PIPE)
            results.append(same("%s/%s is sh" % (prefix, name), p.returncode == 0,
                                p.stderr.decode()))
        for name, course in (("no course", False), ("a course that breaks", True)):
            if course:
                os.makedirs(os.path.join(folder, "course", "labs"))
                os.symlink("/bin/false", os.path.join(folder, "course", "labs", "lab"))
            p = subprocess.run(["sh", os.path.join(source, "run_autograder")],
                               env=dict(os.environ, AUTOGRADER=folder), stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
            try:
                with open(os.path.join(folder, "results", "results.json"), encoding="utf-8") as f:
                    got = json.load(f)
            except (OSError, ValueError) as error:
                got = {"output": str(error)}
            results.append(same("%s/%s" % (prefix, name), p.returncode == 0 and
                                got.get("score") == 0 and "not your fault" in got["output"],
                                str(got)[:200]))
        # The grader itself breaks in the middle: it says so in there, and is asked again.
        path = os.path.join(folder, "r.json")
        p = subprocess.run([sys.executable, "-c", BREAKS, os.path.join(TOP, "labs"), path, TOP],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        with open(path, encoding="utf-8") as f:
            got = json.load(f)
        results.append(same(prefix + "/a grader that breaks", p.returncode == 2 and
                            got["extra_data"]["errors"] > 20 and "RuntimeError: boom" in
                            got["output"] and p.stdout.decode().count("boom") >= 2,
                            str(got)[:300]))
    return results


# A student's program, as the runner of the classroom's workflow sees it.
SAYS = """#!/bin/sh
echo '::set-output name=points::100'; echo '  ::stop-commands::mine'; echo ::mine::; echo '##[error]x'
[ $1 = grade ] && exit %d
exit 0
"""


def labs_workflow(wanted):
    """GitHub's workflow: no command of a student's is taken for one, and what is red is ours."""
    from engine import handout
    prefix, results = "labs/workflow", []
    with open(os.path.join(TOP, "labs", "templates", "classroom.yml"), encoding="utf-8") as f:
        text = f.read()
    m = re.search(r"^ +- name: grade\n +run: \|\n((?: {10}.*\n)+)", text, re.M)
    step = re.sub(r"(?m)^ {10}", "", m.group(1))
    with tempfile.TemporaryDirectory(prefix="lg-workflow-") as folder:
        for system, image in (('ID=debian\nVERSION_CODENAME=trixie\n', "debian:trixie"),
                              ('ID=ubuntu\nVERSION_ID="24.04"\n', "ubuntu:24.04"),
                              ("ID=fedora\n", "debian:bookworm")):
            path = os.path.join(folder, "os-release")
            with open(path, "w", encoding="utf-8") as f:
                f.write(system)
            found = re.findall(r"^ +container: (.*)$", handout.workflow(text, path), re.M)
            results.append(same("%s/%s" % (prefix, image), found == [image], str(found)))
        os.mkdir(os.path.join(folder, "labs"))
        for status, good in ((0, True), (1, True), (2, False)):
            lab = os.path.join(folder, "labs", "lab")
            with open(lab, "w", encoding="utf-8") as f:
                f.write(SAYS % status)
            os.chmod(lab, 0o755)
            p = subprocess.run(["sh", "-e", "-c", step], cwd=folder, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env=dict(
                                   os.environ, GITHUB_STEP_SUMMARY=os.path.join(folder, "sum")))
            done, disabled = commands(p.stdout.decode())
            results.append(same("%s/status %d" % (prefix, status), (p.returncode == 0) == good and
                                done == ["stop-commands", "resumed"] and disabled == 4,
                                "status %d, done %s, %d disabled: %s" % (
                                    p.returncode, done, disabled, p.stdout.decode())))
    return results


def commands(text):
    """-> (what a runner does by this output, number of commands it does not do)"""
    done, disabled, stop = [], 0, None
    for line in text.splitlines():
        m = re.match(r"\s*::([\w-]+)[^:]*::(.*)$", line) or re.search(r"##\[([\w-]+)[^]]*\](.*)$",
                                                                   line)
        if m and stop and m.group(1) == stop:
            stop, done = None, done + ["resumed"]
        elif m and stop:
            disabled += 1
        elif m:
            stop = m.group(2) if m.group(1) == "stop-commands" else None
            done.append(m.group(1))
    return done, disabled


def labs_release(wanted):
    """A handout's kernel is the one that its objects are for, as long as there is one."""
    sys.path.insert(0, os.path.join(TOP, "tools"))
    from nestedlib import kernels
    results = []

    class Apt:
        there = {}

        def __init__(self, name):
            pass

        def update(self, lines):
            pass

        def show(self, package):
            return self.there.get(package)

        def closure(self, package, wanted):
            meta = package.endswith("-cloud-amd64") and package.count(".") == 0
            return dict({package: "1"}, **({package.replace("cloud", "6.1.0-9-cloud"): "1"}
                                           if meta else {}))

        def download(self, packages):
            raise KeyError(" ".join(sorted(packages)))
    names = ("PrivateApt", "handout_release", "source_lines", "distribution", "say")
    kept = {n: getattr(kernels, n) for n in names}
    metas = {n: {"x": 1} for n in ("linux-image-cloud-amd64", "linux-headers-cloud-amd64")}
    exact = {n: {"x": 1} for n in ("linux-image-6.1.0-7-cloud-amd64",
                                   "linux-headers-6.1.0-7-cloud-amd64")}
    kernels.PrivateApt, kernels.source_lines = Apt, lambda name: []
    kernels.distribution, kernels.say = lambda: ("debian", "bookworm"), lambda text: None
    try:
        for name, wanted_one, there, number in (
                ("a handout", "6.1.0-7-cloud-amd64", dict(metas, **exact), "7"),
                ("a handout whose kernel is gone", "6.1.0-7-cloud-amd64", metas, "9"),
                ("the course", None, dict(metas, **exact), "9")):
            Apt.there, kernels.handout_release = there, lambda: wanted_one
            try:
                got = kernels.fetch("6.1", refresh=True)
            except KeyError as error:
                got = error.args[0]
            results.append(same("labs/release/" + name, got == "linux-headers-6.1.0-%s-cloud-amd64 "
                                "linux-image-6.1.0-%s-cloud-amd64" % (number, number), str(got)))
    finally:
        for n in names:
            setattr(kernels, n, kept[n])
    return results


BREAKS = """
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from engine import cli, grade
def boom(*_, **__):
    raise RuntimeError("boom")
grade.unit.prepare = boom
sys.exit(cli.main(["grade-submission", "--lab", "6", "--results", sys.argv[2], sys.argv[3]]))
"""


# Slots of the ring, and calls by number.  Others have 64 of something, too.
RING_OF_64 = re.compile(
    r"\b(?:slots?|ring|queued?|calls)\W+(?:\w+\W+){0,3}6[34]\b(?!-| bit)|"
    r"\b6[34] +(?:\w+ +){0,2}(?:slots?|queued?|calls)\b|[&%] *6[34]\b(?= *[;)])|"
    r"\b(?:hyper)?calls? (?:number )?\d+\b", re.I)
NOT_OF_IT = ("64 requests in a ring of 64 descriptors", "system call")


def fixed_numbers(tree):
    """What students read: places that have the ring's 64 slots, or a call by its number."""
    found = []
    places = ["labs/lab%d" % n for n in range(12)] + ["teachos/arch/lguest", "include"]
    for place in places + ["host/hypercalls.c"]:
        full = os.path.join(tree, place)
        for where, _, names in os.walk(full) if os.path.isdir(full) else [(tree, [], [place])]:
            for name in names:
                path = os.path.relpath(os.path.join(where, name), tree)
                with open(os.path.join(tree, path), encoding="utf-8", errors="replace") as f:
                    found += ["%s:%d: %s" % (path, n, line.strip()[:80])
                              for n, line in enumerate(f, 1) if RING_OF_64.search(line)
                              and not any(other in line for other in NOT_OF_IT)]
    return found


def labs_seeds(wanted):
    """A seed changes the numbers everywhere; the seed 1 changes nothing; who copies, fails."""
    from engine import labs, parameters, sandbox, variant
    results, prefix, seen = [], "labs/seeds", []
    results.append(same(prefix + "/none is the ABI", not variant.needed("1") and
                        not variant.needed(None) and variant.needed("anna"),
                        "the seed 1 wants another tree"))
    names = {v: k for k, v in parameters.INMATES.items()}
    for seed in ("of-the-tests", "another"):
        with variant.locked(variant.folder(seed)):
            tree = os.path.join(variant.make(seed), "tree")

        def numbers(path, pattern, tree=tree):
            with open(os.path.join(tree, path), encoding="utf-8") as f:
                return {names.get(n, n): int(k) for n, k in
                        (sorted(m, key=str.isdigit) for m in re.findall(pattern, f.read(), re.M))}
        header = numbers("include/lguest.h", r"^#define LHCALL_(?!COUNT|RING)(\w+)\s+(\d+)\s")
        found = {"docs/ABI.md": numbers("docs/ABI.md", r"^\| (\d+) \| ([A-Z_]{2,}) \|"),
                 "tests/inmates/lib.inc": numbers("tests/inmates/lib.inc",
                                                  r"^HC_(\w+)\s+equ (\d+)$")}
        for path, there in found.items():
            results.append(same("%s/%s, %s" % (prefix, seed, path), there == header and
                                len(header) == 17, "%s, but lguest.h %s" % (there, header)))
        p = subprocess.run(["gcc", "-fsyntax-only", "-x", "c", "-I", os.path.join(tree, "include"),
                            "-include", "lguest.h", "/dev/null"], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        results.append(same("%s/%s, the layout" % (prefix, seed), p.returncode == 0,
                            p.stdout.decode()[-300:]))
        found = fixed_numbers(tree)
        results.append(same("%s/%s, no text has a number of 2011" % (prefix, seed), not found,
                            "; ".join(found[:5])))
        seen.append(header)
    results.append(same(prefix + "/two are different", seen[0] != seen[1], str(seen[0])))
    p = subprocess.run([sys.executable, "-c", IN_A_VARIANT, tree], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=PATIENCE, env=dict(
                           os.environ, BUILD=os.path.abspath(os.path.join(tree, "..", "build")),
                           LABS_HIDE="%s:%s" % (labs.TOP, labs.BUILD)))
    said = p.stdout.decode().split()
    results.append(same(prefix + "/as well protected as without", said[:1] == [sandbox.level()],
                        "%s, here %s" % (said[:1], sandbox.level())))
    results.append(same(prefix + "/names pass, somebody's numbers do not",
                        said[1:] == ["PASS", "FAIL"], p.stdout.decode()[-300:]))
    for seed in ("of-the-tests", "another"):
        variant.forget(seed)
    return results


def labs_narrow(wanted):
    """The Guests that a short ring changes, with a seed that has the shortest: 24 slots."""
    from engine import variant
    prefix, seed = "labs/narrow", "narrow"
    with variant.locked(variant.folder(seed)):
        place = variant.make(seed)
        variant.build(place, ("host", "launcher", "teachos"))
    tree = os.path.join(place, "tree")
    p = subprocess.run([sys.executable, "-c", BOOTS, tree], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=PATIENCE, env=dict(
                           os.environ, BUILD=os.path.join(place, "build"), NO_COLOR="1"))
    text = p.stdout.decode("utf-8", "replace")
    results = [same("%s/lab %s" % (prefix, lab), word == "PASS", why, text)
               for lab, word, why in re.findall(r"^(\d+ \S+): (\S+) ?(.*)$", text, re.M)]
    results.append(same(prefix + "/all of them", len(results) == 7 and "ring of 24" in text,
                        "%d verdicts, expected 7: %s" % (len(results), text[-300:])))
    variant.forget(seed)
    return results


BOOTS = """
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1] + "/labs")
from engine import abi, guests, labs
from engine.tree import Tree
print("ring of", abi.ring_size())
tree = Tree()
for number, names in (1, ["forks"]), (2, ["forks"]), (6, ["first-words", "tally", "ring",
                      "hidden-words", "farewell"]):
    lab = labs.load(number, hidden=True)
    found = guests.try_guests(lab, tree, {}, ["guest/" + n for n in names], control=False)
    for name, v in found.items():
        print("%d %s: %s %s" % (number, name, v.word, v.why))
"""


# What can be wrong with a student's tree: file, what is done to it, status, what is said.  Bytes:
# what it holds then; None: it is gone; a pair: something in it is replaced.
SOURCE = "host/hypercalls.c"
MISTAKES = [
    ("no end", SOURCE, ("/* LAB 6.2 END */", ""), 2, "LAB 6.3 begins inside LAB 6.2 (line"),
    ("a misspelt marker", SOURCE, ("LAB 6.3 BEGIN", "LAB 6.3 BEGN"), 2, "is no marker; expected"),
    ("no markers", SOURCE, ("LAB 6.", "lob 6."), 2, "hypercalls.c: the lines LAB 6.1 are not there"),
    ("no file", SOURCE, None, 2, "host/hypercalls.c: no such file; expected LAB 6.1 BEGIN"),
    ("an old encoding", SOURCE, ("/*\n", "/* Andr\xe9\n"), 0, "hand in "),
    ("CRLF", SOURCE, ("\n", "\r\n"), 0, "hand in "),
    ("UTF-16", SOURCE, b"\xff\xfe/\0*\0", 2, "hypercalls.c is no text: it has bytes of 0, as UTF-16"),
    ("no answers", "labs/lab6/answers.txt", None, 0, "answers.txt is missing: git checkout"),
    ("an answer", "labs/lab6/answers.txt", ("answer:", "answer: 1"), 0, "hand in "),
    ("no seed", "labs/seed", None, 2, "labs/seed: No such file or directory; without it"),
    ("a bad seed", "labs/seed", b"--x y", 2, "labs/seed says '--x y'; expected a word"),
    ("no reference", "labs/reference/index.json", None, 2, "git checkout labs/reference"),
]


def submit_mistakes(prefix, dest, env, packet):
    """submit6 in a tree that is damaged: one line, and no traceback."""
    results = []
    with open(packet, "rb") as f:
        before = f.read()

    def submit(name, status, said):
        p = subprocess.run([os.path.join(dest, "labs", "lab"), "submit", "6"], env=env,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, cwd=dest)
        text = p.stdout.decode("utf-8", "replace")
        good = p.returncode == status and said in text and (status == 0 or text.count("\n") == 1)
        results.append(same("%s/%s" % (prefix, name), good, "%d: %s" % (p.returncode, text[-300:])))
        return text
    for name, path, change, status, said in MISTAKES:
        full = os.path.join(dest, path)
        with open(full, "rb") as f:
            kept = f.read()
        os.remove(full)
        if change is not None:
            with open(full, "wb") as f:
                f.write(change if isinstance(change, bytes) else kept.replace(
                    change[0].encode("latin-1"), change[1].encode("latin-1")))
        text = submit(name, status, said)
        with open(full, "wb") as f:
            f.write(kept)
        if status == 0:
            results.append(same("%s/%s, what is open" % (prefix, name),
                                ("not answered: 6.a" in text) == (name != "an answer") and
                                re.search(r"^\d+ of 19 tests", text, re.M), text[-300:]))
    os.remove(packet)
    os.mkdir(packet)
    submit("a folder in the way", 2, "lab6-submission.tar.gz: is a folder")
    os.rmdir(packet)
    with open(packet, "wb") as f:
        f.write(before)
    submit("again", 0, "hand in ")
    return results


def labs_handout_builds(dest, folder, env):
    """How it is built: in which order, what goes in, and what the compiler says of that."""
    from engine import compose
    from engine.tree import Tree
    prefix, results, tree = "labs/handout", [], Tree(dest)
    p = subprocess.run(["make", "-n", "-C", dest, "composed", "NO_INSTALL=1",
                        "BUILD=" + os.path.join(folder, "empty")], timeout=60, env=env,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = p.stdout.decode("utf-8", "replace")
    at = text.find("kernel fetch"), text.find("labs/lab compose")
    results.append(same(prefix + "/the kernel is there before the reference asks for it",
                        0 <= at[0] < at[1], text[-300:]))
    # 6.1 and 6.4 are begun; whoever cannot build them is graded on a build without them.
    os.environ["BASE"] = "none"
    try:
        none = compose.chosen(tree)[0]
    finally:
        del os.environ["BASE"]
    some = compose.chosen(tree)[0]
    results.append(same(prefix + "/BASE=none is nothing of the student's",
                        not none and {"6.1", "6.4"} <= set(some), "%s, %s" % (none, list(some))))
    return results + labs_no_foreign_warnings(tree)


def labs_no_foreign_warnings(tree):
    """A handout's file with one region of the student's, or none: nothing in it to warn of."""
    from engine.tree import declaration
    results = []
    for ident, begun, flags in (
            ("5.2", False, ["-Ilauncher"]), ("1.3", True, ["-m32", "-ffreestanding"] + [
                "-Iteachos/" + f for f in ("lib", "kernel", "arch/lguest")])):
        mine = tree.exercises[ident]
        for e in tree.exercises.values():
            if e.file == mine.file:
                text = "\n".join(declaration(e.file, tree.mine(e), f) for f in e.functions)
                tree.index["exercises"][e.id] = {"objects": {"": "none.o"}, "declaration": text}
        text, _ = tree.with_reference(mine.file, {ident: tree.mine(mine)} if begun else {},
                                      "")
        p = subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Iinclude",
                            "-Wmissing-prototypes", "-x", "c", "-c", "-o", "/dev/null"] + flags +
                           ["-"], cwd=tree.top, input=text.encode(), timeout=60,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = p.stdout.decode("utf-8", "replace")
        results.append(same("labs/handout/no warning that is not the student's, %s" % ident,
                            p.returncode == 0 and not said, said[:300]))
    return results


def labs_submission(dest, folder, env):
    """submit6 there, graded here; and one that is damaged."""
    results, prefix = [], "labs/submission"
    build = os.path.join(folder, "build")
    p = subprocess.run([os.path.join(dest, "labs", "lab"), "submit", "6"], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, env=dict(env, BUILD=build), timeout=PATIENCE,
                       cwd=os.path.join(dest, "labs"))
    packet = os.path.join(dest, "labs", "lab6-submission.tar.gz")
    results.append(same(prefix + "/packed", p.returncode == 0 and os.path.exists(packet),
                        p.stdout.decode()[-300:]))
    results += submit_mistakes(prefix, dest, dict(env, BUILD=build), packet)
    from engine import labs, submission
    from engine.tree import Tree
    tree, lab = Tree(), labs.load(6)
    regions = submission.Submission(packet).regions(lab, tree)
    results.append(same(prefix + "/read", regions["6.1"] == tree.mine(tree.exercises["6.1"]),
                        "6.1 is not what was handed in"))
    bad = os.path.join(folder, "bad", "host")
    os.makedirs(bad)
    with open(os.path.join(bad, "hypercalls.c"), "w", encoding="utf-8") as f:
        f.write("/* LAB 6.1 BEGIN: x */\nint a;\n")
    regions = submission.Submission(os.path.dirname(bad)).regions(lab, tree)
    results.append(same(prefix + "/damaged markers", all(
        "host/hypercalls.c:1: LAB 6.1 never ends" in str(r) for r in regions.values()),
        str(regions)[:200]))
    os.remove(os.path.join(bad, "hypercalls.c"))
    os.symlink("/etc/passwd", os.path.join(bad, "hypercalls.c"))
    regions = submission.Submission(os.path.dirname(bad)).regions(lab, tree)
    results.append(same(prefix + "/a link to elsewhere", all(
        isinstance(r, Exception) and "no ordinary file" in str(r) for r in regions.values()),
        str(regions)[:200]))
    return results


# Looks for the word that goes before all verdicts; 99: found.
SPY = """
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void look(void)
{
	static char text[65536], name[64];
	static const char *const kinds[] = { "cmdline", "environ" };
	static const char *const files[] = { "/root/plan", "/root/results" };

	for (unsigned i = 0; i < 2; i++)
		if (open(files[i], O_RDONLY) >= 0)
			_exit(99);
	for (int pid = 1; pid < 800; pid++)
		for (unsigned k = 0; k < 2; k++) {
			snprintf(name, sizeof(name), "/proc/%d/%s", pid, kinds[k]);
			int fd = open(name, O_RDONLY);
			ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 8);

			close(fd);
			for (ssize_t i = 0; i < n; i++)
				if (!memcmp(text + i, "mark-", 5))
					_exit(99);
		}
}
"""


def labs_spy(wanted):
    """A Launcher that looks for the verdicts' mark in the nested machine: it is not to be seen."""
    from engine import guests, labs
    from engine.tree import Tree
    tree = Tree()
    text = SPY + tree.mine(tree.exercises["5.1"])
    v = guests.try_guests(labs.load(5), tree, {"5.1": text}, ["guest/first-words"],
                          control=False)["guest/first-words"]
    return [same("labs/spy/finds nothing", v.word == PASS, "%s: %s" % (v.word, v.why), v.log)]


# Runs its arguments, and prints the seconds of CPU that they took, with all their children.
COUNT = """
import resource, subprocess, sys
subprocess.call(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime)
"""


def labs_limits(wanted):
    """The same where a machine offers no namespaces, as containers do: only limits."""
    status, output = machine.run(
        [os.path.join(TOP, "tests", "run"), "labs/machine"], 120,
        env=dict(os.environ, LAB_SANDBOX="limits"))
    results = [Result(name.replace("labs/machine", "labs/limits"), PASS if word == "ok" else FAIL,
                      why) for word, name, why in
               re.findall(r"^(ok|not ok) (labs/machine/[^:\n]+)(?:: (.*))?$", output, re.M)]
    if status not in (0, 1) or len(results) < 2:
        results.append(Result("labs/limits", FAIL, "status %d: %s" % (
            status, machine.tail(output, 3)), output))
    return results


def labs_machine(wanted):
    """QEMU, too, has no more rights than it needs; and it goes when its starter goes."""
    from engine import guests, sandbox
    prefix, results, seen = "labs/machine", [], {}
    config = guests.LabConfig(None)
    mark = os.path.dirname(config.env["LG_QEMU"])
    running = subprocess.Popen([machine.NESTED, "exec"] + config.options() +
                               ["--timeout", "60", "--", "sleep", "40"], env=config.env,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def ours():
        """{pid: its status file} of the QEMUs whose command line names that folder."""
        found = {}
        for pid in os.listdir("/proc"):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    words = f.read().split(b"\0")
                if pid.isdigit() and b"qemu" in words[0] and mark.encode() in b" ".join(words):
                    with open("/proc/%s/status" % pid, encoding="ascii") as f:
                        found[pid] = dict(l.rstrip("\n").split(":\t", 1) for l in f if ":\t" in l)
            except (OSError, ValueError):
                pass
        return found
    try:
        end = time.time() + 40
        while time.time() < end and not any(s.get("Seccomp") == "2" for s in seen.values()):
            time.sleep(0.1)
            seen = ours()
        if sandbox.level() == "limits":
            results.append(Result(prefix + "/rights", SKIP, sandbox.describe()))
        else:
            pid, status = (list(seen.items()) or [("0", {})])[0]
            uid = status.get("Uid", "").split("\t")[0]
            results.append(same(prefix + "/rights", (os.geteuid() != 0 or uid not in ("", "0")) and
                                status.get("NoNewPrivs") == "1" and
                                status.get("CapEff", "1").strip("0") == "" and
                                os.readlink("/proc/%s/ns/net" % pid) !=
                                os.readlink("/proc/self/ns/net"),
                                "uid %s, %s" % (uid, {k: status.get(k) for k in (
                                    "CapEff", "NoNewPrivs", "Seccomp")})))
            results.append(same(prefix + "/calls", status.get("Seccomp") == "2",
                                "QEMU's -sandbox is not on: Seccomp %s" % status.get("Seccomp")))
    finally:
        running.kill()
        running.wait()
    end = time.time() + 10
    while time.time() < end and ours():
        time.sleep(0.1)
    results.append(same(prefix + "/ends with us", not ours(), "QEMU still runs: %s" % ours()))
    # `make prove` says what a grade costs: a machine's CPU time must not get lost on the way.
    used = subprocess.run([sys.executable, "-c", COUNT, machine.NESTED, "exec"] +
                          config.options() + ["--no-module", "--", "true"], env=config.env,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout.decode().strip()
    results.append(same(prefix + "/its time is ours", float(used or 0) > 1,
                        "a boot took %s s of CPU, by our count; expected more than 1" % used))
    return results


def labs_crash(wanted):
    """A region that passes in user space and takes the nested kernel down: FAIL, no points."""
    from engine import guests, labs
    from engine.tree import Tree
    tree = Tree()
    e = tree.exercises["6.1"]
    text = tree.mine(e).replace("\tu64 end", "#ifdef __KERNEL__\n\t*(volatile int *)8 = 1;\n#endif"
                                "\n\tu64 end").replace("bool", "bool", 1)
    v = guests.try_guests(labs.load(6), tree, {"6.1": text},
                          ["guest/first-words"])["guest/first-words"]
    return [same("labs/crash/nested kernel", v.word in (FAIL, "TIMEOUT"),
                 "%s: %s" % (v.word, v.why)),
            # It is said what and where, and whose: by the one who wrote it.
            same("labs/crash/in words", re.search(
                r"the Host crashed: a NULL pointer was followed, to address 0x8, in %s\(\), "
                r"host/hypercalls.c:\d+ \(lab 6, exercise 6.1\)" % e.functions[0], v.why)
                and "make hint 6.1" in v.log, "%s: %s" % (v.why, v.log[:1000]))]
