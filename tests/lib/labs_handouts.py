# SPDX-License-Identifier: MIT
"""What students get: a handout, the kernel it fetches, and what they pack in it."""

import os
import re
import subprocess
import sys
import tempfile

from .labs_suites import PATIENCE
from .machine import TOP
from .suites import check

sys.path.insert(0, os.path.join(TOP, "labs"))


def labs_handout(wanted):
    """A handout has no trace of the solutions, and a student's work in it is graded."""
    from engine import handout, markers, reference
    from engine.labs import load_all
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
        results.append(check(prefix + "/is made", p.returncode == 0, p.stdout.decode()[-400:]))
        if p.returncode:
            return results
        tree = Tree()
        open_ones = [e for e in tree.exercises.values() if e.lab.lab >= 6]
        # The search for leaks finds one that is planted: in a file, and in the history.
        solution = tree.mine(tree.exercises["6.6"])
        with open(os.path.join(dest, "notes.txt"), "w", encoding="utf-8") as f:
            f.write(solution)
        results.append(check(prefix + "/finds a leak in a file",
                             any("notes.txt" in l for l in handout.search(tree, open_ones, dest)),
                             "a solution in notes.txt was not found"))
        git = ["git", "-C", dest, "-c", "user.name=x", "-c", "user.email=x@example.invalid"]
        for words in (["add", "-A"], ["commit", "-qm", "x"], ["rm", "-q", "notes.txt"],
                      ["commit", "-qm", "y"]):
            subprocess.run(git + words, check=True, stdout=subprocess.DEVNULL)
        found = handout.search(tree, open_ones, dest)
        results.append(check(prefix + "/finds a leak in the history",
                             bool(found) and all("git" in l for l in found), str(found[:2])))
        results.append(check(prefix + "/has nothing of the staff's", not [
            n for n in handout.tracked(dest) if reference.staff_only(n)], "staff files are in it"))

        def check6():
            p = subprocess.run([os.path.join(dest, "labs", "lab"), "check", "6", "--stubs"],
                               env=dict(env, BUILD=os.path.join(folder, "build")), timeout=PATIENCE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            text = p.stdout.decode("utf-8", "replace")
            m = re.search(r"^(\d+) passed, (\d+) failed", text, re.M)
            return (int(m.group(1)), int(m.group(2)), text) if m else (-1, -1, text)
        good, bad, text = check6()
        results.append(check(prefix + "/stubs score nothing", good == 0 and bad > 15, text[-300:]))
        p = subprocess.run([os.path.join(dest, "labs", "lab"), "progress"], timeout=60, env=dict(
            env, BUILD=os.path.join(folder, "build")), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        text = p.stdout.decode("utf-8", "replace")
        results.append(check(prefix + "/progress: labs that came solved are given", re.search(
            r"^lab 5 .* given$", text, re.M) and re.search(r"^lab 6 .* never graded$", text, re.M)
            and re.search(r"^   6\.1 .* not begun$", text, re.M) and text.splitlines()[-1] ==
            "0 of %g points" % sum(l.points for l in load_all() if l.lab >= 6), text[-400:]))
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
        results.append(check(prefix + "/what is solved passes, linked with the reference",
                             good == 4 and "make hint 6.4-nul" in text,
                             "%d passed: %s" % (good, text[-300:])))
        results += labs_outside(dest, path, check6)
        results += labs_handout_builds(dest, folder, env)
        results += labs_submission(dest, folder, env)
    return results


def labs_outside(dest, path, check6):
    """A helper beside its region works here, and not where it is graded: that is said."""
    prefix, results = "labs/handout", []
    with open(path, encoding="utf-8") as f:
        text = f.read()
    outside = "changed outside of the regions"
    results.append(check(prefix + "/nothing is changed outside", outside not in check6()[2], ""))
    at = text[:text.index("/* LAB 6.4 BEGIN")].count("\n") + 1
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace("/* LAB 6.4 BEGIN", "static int mine;\n/* LAB 6.4 BEGIN", 1))
    said = check6()[2]
    results.append(check(prefix + "/what is changed outside is said",
                         "labs: host/hypercalls.c:%d: %s" % (at, outside) in said, said[-300:]))
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return results


def labs_handout_builds(dest, folder, env):
    """How it is built: in which order, what goes in, and what the compiler says of that."""
    from engine import compose
    from engine.tree import Tree
    prefix, results, tree = "labs/handout", [], Tree(dest)
    for where, target, asks in (("", "composed", "labs/lab compose"),
                                ("labs", "lab6", "labs/lab compose --lab 6")):
        p = subprocess.run(["make", "-n", "-C", os.path.join(dest, where), target, "NO_INSTALL=1",
                            "BUILD=" + os.path.join(folder, "empty")], timeout=60, env=env,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = p.stdout.decode("utf-8", "replace")
        at = text.find("kernel fetch"), text.find(asks)
        results.append(check("%s/the kernel is there before the reference asks for it: make %s"
                             % (prefix, target), 0 <= at[0] < at[1], text[-300:]))
    # 6.1 and 6.4 are begun; whoever cannot build them is graded on a build without them.
    os.environ["BASE"] = "none"
    try:
        none = compose.chosen(tree)[0]
    finally:
        del os.environ["BASE"]
    some = compose.chosen(tree)[0]
    bases = {}
    for base in ("student", "stubs"):
        os.environ["BASE"] = base
        try:
            bases[base] = set(compose.chosen(tree)[0])
        finally:
            del os.environ["BASE"]
    begun = {e.id for e in tree.exercises.values() if not tree.untouched(e, tree.mine(e))}
    results.append(check(prefix + "/BASE=student is what is begun, and no stub",
                         {"6.1", "6.4"} <= begun and bases["student"] == begun and
                         bases["stubs"] == set(tree.exercises), "%s; begun: %s" % (bases, begun)))
    results.append(check(prefix + "/BASE=none is nothing of the student's",
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
        results.append(check("labs/handout/no warning that is not the student's, %s" % ident,
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
    results.append(check(prefix + "/packed", p.returncode == 0 and os.path.exists(packet),
                         p.stdout.decode()[-300:]))
    results += submit_mistakes(prefix, dest, dict(env, BUILD=build), packet)
    from engine import labs, submission
    from engine.tree import Tree
    tree, lab = Tree(), labs.load(6)
    regions = submission.Submission(packet).regions(lab, tree)
    results.append(check(prefix + "/read", regions["6.1"] == tree.mine(tree.exercises["6.1"]),
                         "6.1 is not what was handed in"))
    bad = os.path.join(folder, "bad", "host")
    os.makedirs(bad)
    with open(os.path.join(bad, "hypercalls.c"), "w", encoding="utf-8") as f:
        f.write("/* LAB 6.1 BEGIN: x */\nint a;\n")
    regions = submission.Submission(os.path.dirname(bad)).regions(lab, tree)
    results.append(check(prefix + "/damaged markers", all(
        "host/hypercalls.c:1: LAB 6.1 never ends" in str(r) for r in regions.values()),
        str(regions)[:200]))
    os.remove(os.path.join(bad, "hypercalls.c"))
    os.symlink("/etc/passwd", os.path.join(bad, "hypercalls.c"))
    regions = submission.Submission(os.path.dirname(bad)).regions(lab, tree)
    results.append(check(prefix + "/a link to elsewhere", all(
        isinstance(r, Exception) and "no ordinary file" in str(r) for r in regions.values()),
        str(regions)[:200]))
    return results


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
        results.append(check("%s/%s" % (prefix, name), good,
                             "%d: %s" % (p.returncode, text[-300:])))
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
            results.append(check("%s/%s, what is open" % (prefix, name),
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
            results.append(check("labs/release/" + name, got == "linux-headers-6.1.0-%s-cloud-amd64"
                                 " linux-image-6.1.0-%s-cloud-amd64" % (number, number), str(got)))
    finally:
        for n in names:
            setattr(kernels, n, kept[n])
    return results
