# SPDX-License-Identifier: MIT
"""What needs no machine: programs with unit tests, the quest, and words misspelt."""

import os
import re
import subprocess
import tempfile

from . import machine
from .machine import BUILD, TOP, need
from .suites import check
from .verdict import ERROR, FAIL, PASS, SKIP, Result


def make_unit(folder):
    """A folder of user-space tests that prints TAP-like lines."""
    prefix = "unit/" + os.path.basename(folder)

    def suite(wanted):
        need(os.path.join(folder, "Makefile"), "this suite is part of the repository")
        status, output = machine.run(
            ["make", "--no-print-directory", "-C", folder, "run", "BUILD=" + BUILD], 300)
        results = []
        for line in output.splitlines():
            m = re.match(r"^(ok|not ok|skip) ([^:#]+?)(?::\s*(.*))?(?:\s*#.*)?$", line)
            if not m:
                continue
            name = m.group(2)
            name = name if name.startswith("unit/") else "unit/" + name
            if m.group(1) == "ok":
                results.append(Result(name, PASS))
            elif m.group(1) == "skip":
                results.append(Result(name, SKIP, m.group(3) or "it did not say why"))
            else:
                results.append(Result(name, FAIL, m.group(3) or "see above"))
        failed = [r for r in results if r.word not in (PASS, SKIP)]
        if not results:
            return [Result(prefix, ERROR, "no test was run: %s" % machine.tail(output, 3), output)]
        if status != 0 and not failed:
            results.append(Result(prefix + "/status", FAIL, "make ended with status %d: %s"
                                  % (status, machine.tail(output, 2)), output[-4000:]))
        return results
    return suite


def literate_tool(wanted):
    """tools/literate finds what it should find; each problem is planted here first."""
    tool = os.path.join(TOP, "tools", "literate")
    prefix = "literate/tool"
    opening, ending = "/*" + "%s:%s", ":" + "*/"

    def run_on(files, *arguments):
        with tempfile.TemporaryDirectory(prefix="lg-story-") as folder:
            for name, text in files.items():
                path = os.path.join(folder, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)
            p = subprocess.run([tool, "--root", folder] + list(arguments),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
            return p.returncode, p.stdout.decode(), p.stderr.decode()

    def block(letter, number, title="Title", text=" * text\n"):
        return opening % (letter, number) + " " + title + "\n" + text + " " + ending + "\n"

    whole = {"story/%s.c" % letter: block(letter, "100") for letter in "PGDLHSM"}
    planted = [
        ("clean", {}, 0, "0 problems"),
        ("duplicate", {"host/x.c": block("H", "100")}, 1, "H:100 is taken"),
        ("unterminated", {"host/x.c": (opening % ("H", "200")) + " T\n */\nint x;\n"}, 1,
         "host/x.c:1: H:200 never ends"),
        ("nested", {"host/x.c": (opening % ("H", "200")) + " T\n */\n" + block("H", "210")}, 1,
         "host/x.c:3: H:210 opens inside H:200"),
        ("unknown letter", {"host/x.c": block("Q", "100")}, 1, "unknown part letter 'Q'"),
        ("two digits", {"host/x.c": block("H", "20")}, 1, "three digits"),
        ("too long", {"host/x.c": block("H", "200", text=" * " + "word " * 601 + "\n")}, 1,
         "more than 600"),
        ("silent file", {"host/x.c": "int x;\n"}, 1, "host/x.c:1: no fragment"),
        ("silent test", {"tests/x.c": "int x;\n"}, 0, "0 problems"),
        ("stray end", {"host/x.c": block("H", "200") + "/*" + ending + "\n"}, 1,
         "no fragment is open"),
        ("no title", {"host/x.c": block("H", "200", title="")}, 1, "H:200 has no title"),
        ("NASM", {"switcher/x.asm": ";S" + ":200 T\n; text\nnop\n;" + ":*\n"}, 0, "8 fragments"),
        ("NASM, no end", {"switcher/x.asm": ";S" + ":200 T\n; text\nnop\n"}, 1, "S:200 never ends"),
        ("hash", {"Makefile": "#P" + ":200 T\n# text\nall:\n#" + ":*\n"}, 0, "8 fragments"),
    ]
    results = []
    for name, files, status, text in planted:
        got, out, err = run_on(dict(whole, **files), "--check")
        results.append(check("%s/%s" % (prefix, name), got == status and text in out,
                             "status %d, expected %d with '%s': %s" % (got, status, text, out)))
    for typo, part in (("Hots", "Host"), ("preperation", "Preparation"), ("Switch", "Switcher"),
                       ("Drivers!", "Drivers"), ("beer", "Beer")):
        got, out, err = run_on(whole, typo)
        named = part in err or part.lower() == typo.rstrip("!").lower()
        results.append(check("%s/typo %s" % (prefix, typo), got == 0 and ":100" in out and named,
                             "status %d: %s" % (got, err)))
    got, out, err = run_on(whole, "xyzzy")
    results.append(check(prefix + "/no such part", got == 2 and "xyzzy" in err
                         and len(err.splitlines()) == 1, "status %d: %s" % (got, err)))
    got, out, err = run_on({"b.c": block("H", "110", "Second") + block("H", "090", "First")
                            + "int z;\n", "a.asm": ";H" + ":100 Between\n; hello\nret\n;" + ":*\n"},
                           "Host")
    order = [out.find(t) for t in ("H:090", "H:100", "H:110")]
    results.append(check(prefix + "/order across files", order == sorted(order) and -1 not in order
                         and "\nhello\n" in out and "\nret\n" in out and "int z" not in out,
                         "got: " + out))
    return results


def literate_check(wanted):
    """The story of this very tree."""
    status, output = machine.run([os.path.join(TOP, "tools", "literate"), "--check"], 60)
    return [check("literate/check", status == 0, machine.tail(output, 1), output)]


def typos(wanted):
    """Wrong words on the make command line get the nearest right one."""
    results = []
    for word, right in (("Preperation", "Preparation"), ("tset", "test"), ("lab33", "lab3"),
                        ("Swicher", "Switcher"), ("rnu", "run")):
        status, output = machine.run(["make", "--no-print-directory", word], 60)
        results.append(check("typos/make %s" % word, status != 0 and right in output,
                             "status %d, expected '%s' to be named: %s"
                             % (status, right, machine.tail(output, 2))))
    for word in ("check", "grade", "submit"):
        status, output = machine.run(["make", "--no-print-directory", "-C", "labs", word, "6"], 60)
        results.append(check("typos/make %s 6" % word, status != 0 and len(output) < 200 and
                             "did you mean: make %s6, without the space" % word in output,
                             "status %d: %s" % (status, machine.tail(output, 2))))
    for word in ("Puppy", "Host"):
        status, output = machine.run(["make", "--no-print-directory", word], 60)
        results.append(check("typos/make %s works" % word, status == 0 and len(output) > 100,
                             "status %d: %s" % (status, machine.tail(output, 2))))
    return results
