# SPDX-License-Identifier: MIT
"""
A student's tree: the sources with stubs for solutions, the reference as objects, hints and
tests, in a git repository of one commit; searched for leaks, and proved to score nothing.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from . import markers, questions, redteam, reference
from .labs import TOP, LabError, load_all, read_text
from .tree import Tree


def tracked(top):
    try:
        p = subprocess.run(["git", "-C", top, "ls-files", "-z"], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL)
    except OSError:         # an autograder's image has no git, and no repository
        p = None
    if p and p.returncode == 0 and p.stdout:
        return [n for n in os.fsdecode(p.stdout).split("\0") if n]
    found = []
    for where, folders, names in os.walk(top):
        folders[:] = [f for f in folders if f not in ("build", ".git", "__pycache__")]
        found += [os.path.relpath(os.path.join(where, n), top) for n in names]
    return found


def make(tree, dest, first, seed, prove=True, say=print, hosts=True):
    """first: labs below this number keep their solutions.  -> exit status"""
    if tree.is_handout:
        raise LabError("this tree is a handout already; handouts are made from the course's tree")
    dest = os.path.abspath(dest)
    if os.path.exists(dest) and (not os.path.isdir(dest) or os.listdir(dest)):
        raise LabError("DEST=%s: is there already; expected a folder that is new or empty" % dest)
    if (dest + "/").startswith(os.path.abspath(tree.top) + "/"):
        raise LabError("DEST=%s: lies in this tree; expected a place outside of it" % dest)
    open_ones = [e for e in tree.exercises.values() if e.lab.lab >= first]
    if not open_ones:
        raise LabError("FROM=%d: no lab that has exercises is left to be solved" % first)
    stubs = {e.id: e.stub() for e in open_ones}
    count = 0
    for path in tracked(tree.top):
        source = os.path.join(tree.top, path)
        if reference.staff_only(path) or not os.path.lexists(source) or \
                path in ("labs/launcher", "labs/teachos.elf"):
            continue
        to = os.path.join(dest, path)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        if os.path.islink(source):
            os.symlink(os.readlink(source), to)
            continue
        shutil.copy(source, to)
        if markers.may_have(path):
            text = read_text(source)
            new = markers.splice(text, path, stubs)
            if new != text:
                with open(to, "w", encoding="utf-8") as f:
                    f.write(new)
        count += 1
    for lab in load_all(tree.top):
        for_students(lab, dest, seed)
    with open(os.path.join(dest, "labs", "seed"), "w", encoding="utf-8") as f:
        f.write("%s\n" % seed)
    os.makedirs(os.path.join(dest, ".github", "workflows"), exist_ok=True)
    with open(os.path.join(dest, ".github", "workflows", "labs.yml"), "w", encoding="utf-8") as f:
        f.write(workflow(read_text(os.path.join(tree.top, "labs", "templates", "classroom.yml"))))
    say("%d files; %d exercises to solve" % (count, len(open_ones)))
    reference.make(tree, open_ones, os.path.join(dest, "labs", "reference"))
    say("the reference is in labs/reference, as objects for Linux %s" % json.loads(read_text(
        os.path.join(dest, "labs", "reference", "index.json")))["release"])
    made = Tree(dest)
    with open(os.path.join(dest, "labs", "reference", "frames.json"), "w", encoding="utf-8") as f:
        json.dump({p: made.frame(p) for p in sorted({r.path for r in made.regions.values()})}, f)
        f.write("\n")
    if hosts:
        redteam.hand_out(open_ones, dest)
    repository(dest)
    leaks = search(tree, open_ones, dest)
    for leak in leaks[:20]:
        print("labs: LEAK: %s" % leak, file=sys.stderr)
    if leaks:
        return 1
    say("no line of a solution is in it, nor in its objects, nor in its history")
    if not prove:
        return 0
    return prove_it(dest, sorted({e.lab.lab for e in open_ones}), say)


def workflow(text, os_release="/etc/os-release"):
    """The classroom's workflow, in an image of the distribution that we are on."""
    try:
        fields = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', read_text(os_release), re.M))
    except OSError:
        return text
    image = {"debian": "debian:" + fields.get("VERSION_CODENAME", "sid"),
             "ubuntu": "ubuntu:" + fields.get("VERSION_ID", "latest")}.get(fields.get("ID"))
    return re.sub(r"(?m)^( +container: ).*$", r"\g<1>" + image, text) if image else text


def for_students(lab, dest, seed):
    """lab.json without mutants, questions without answers."""
    folder = os.path.join(dest, "labs", "lab%d" % lab.lab)
    path = os.path.join(folder, "lab.json")
    values = json.loads(read_text(path))
    for e in values["exercises"]:
        e["mutants"] = []
    with open(path, "w", encoding="utf-8") as f:
        json.dump(values, f, indent=1)
        f.write("\n")
    if questions.maker(lab):
        with open(os.path.join(folder, "answers.txt"), "w", encoding="utf-8") as f:
            f.write(questions.sheet(lab, seed))
        with open(os.path.join(folder, "answers.hash"), "w", encoding="utf-8") as f:
            json.dump(questions.hashes(lab, seed), f, indent=1)
            f.write("\n")


def repository(dest):
    """One commit, by nobody, at no time: two handouts with one seed are the same."""
    env = dict(os.environ, GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL="/dev/null",
               GIT_AUTHOR_NAME="course", GIT_AUTHOR_EMAIL="course@example.invalid",
               GIT_COMMITTER_NAME="course", GIT_COMMITTER_EMAIL="course@example.invalid",
               GIT_AUTHOR_DATE="2000-01-01T00:00:00Z", GIT_COMMITTER_DATE="2000-01-01T00:00:00Z")
    for key in [k for k in env if k in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")]:
        del env[key]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "The labs"]):
        subprocess.run(["git", "-C", dest] + words, check=True, env=env)


def search(tree, exercises, dest):
    """Lines of the solutions, anywhere in dest: files, git objects, compiled objects."""
    lines = reference.solution_lines(tree, exercises)
    found = []

    def look(data, where):
        # In a source, JSON or string table alike: tabs and quotes may be escaped there.
        text = data.decode("latin-1").replace('\\"', '"').replace("\\t", "\t").replace(
            "\\n", "\n")
        for line, ident in lines.items():
            if line in text:
                found.append("%s: a line of the solution of %s: %s" % (where, ident, line[:60]))

    for where, folders, names in os.walk(dest):
        folders[:] = [f for f in folders if f != ".git"]
        for name in names:
            path = os.path.join(where, name)
            if not os.path.islink(path):
                with open(path, "rb") as f:
                    look(f.read(), os.path.relpath(path, dest))
    p = subprocess.run(["git", "-C", dest, "cat-file", "--batch-all-objects", "--batch"],
                       stdout=subprocess.PIPE, check=True)
    look(p.stdout, "the git repository")
    return found


def prove_it(dest, numbers, say):
    """It compiles, as it is, and what is not solved gets nothing: really run, not assumed."""
    with tempfile.TemporaryDirectory(prefix="lg-handout-") as build:
        # Kernels are large: the proof uses ours.
        for name in ("kernels", "toolchains"):
            ours = os.path.join(os.environ.get("BUILD") or os.path.join(TOP, "build"), name)
            if os.path.exists(ours):
                os.symlink(os.path.realpath(ours), os.path.join(build, name))
        env = dict(os.environ, BUILD=build, NO_COLOR="1")
        env.pop("MAKEFLAGS", None)
        for base in ("reference", "stubs"):
            p = subprocess.run(["make", "-C", dest, "host", "placed", "BASE=" + base,
                                "BUILD=" + build], env=env, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
            if p.returncode:
                print("labs: the handout does not build with BASE=%s:\n%s" % (
                    base, p.stdout.decode("utf-8", "replace")[-3000:]), file=sys.stderr)
                return 1
        say("it builds, on the reference and with all the stubs")
        for number in numbers:
            p = subprocess.run([os.path.join(dest, "labs", "lab"), "check", "%d" % number,
                                "--stubs"], env=env, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
            text = p.stdout.decode("utf-8", "replace")
            m = re.search(r"^(\d+) passed, (\d+) failed", text, re.M)
            if not m or m.group(1) != "0" or m.group(2) == "0" or "does not compile" in text:
                print("labs: the stubs of lab %d do not score 0:\n%s" % (number, text),
                      file=sys.stderr)
                return 1
            say("lab %d: %s tests of the stubs, all of them fail: 0 points" % (number, m.group(2)))
    for leftover in ("labs/launcher", "labs/teachos.elf"):
        if os.path.exists(os.path.join(dest, leftover)):
            os.remove(os.path.join(dest, leftover))
    return 0
