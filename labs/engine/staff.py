# SPDX-License-Identifier: MIT
"""Staff only: a folder of submissions, and the archive for Gradescope."""

import concurrent.futures
import csv
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import zipfile

from . import submission
from .handout import tracked
from .labs import NUMBERS, SEED, TOP, LabError

# Where a container has no namespaces to give (most have not), what the student's code may
# read is a matter of permissions: nothing of the course but the kernel's headers.
SETUP = """#!/bin/sh
# Gradescope runs this once, as root, when the image is built.
set -e
root=${AUTOGRADER:-/autograder}
mkdir -p "$root/course"
tar -C "$root/course" -xzf "$root/source/course.tar.gz"
cd "$root/course"
apt-get update
tools/setup           # make, to begin with
make host placed inmates
# Is the grader right, on this machine?
%(hidden)slabs/lab prove %(lab)d --runs 1
%(hidden)slabs/lab mutants %(lab)d --no-guests
chmod -R go-rwx .
# In there are the solutions and the seeds of all the others.
chmod go-rwx "$root/source"
chmod go+x . build
chmod -R go+rX build/kernels
[ ! -e build/toolchains ] || chmod -R go+rX build/toolchains
"""

RUN = """#!/bin/sh
# Gradescope runs this for each submission.  results.json is there before anything can break.
root=${AUTOGRADER:-/autograder}
results=$root/results/results.json
mkdir -p "$root/results"
# Hidden tests are in the results, those of last time too, and Gradescope puts them here anew.
chmod go-rwx "$root/source" "$root/results" "$root/submission_metadata.json" 2>/dev/null
cat >"$results" <<'end'
{"score": 0, "tests": [], "visibility": "visible", "stdout_visibility": "hidden",
 "output": "The grader did not come to its end. That is not your fault: ask your instructor to run it again.",
 "extra_data": {"complete": false, "errors": 1}}
end
cd "$root/course" || exit 0
%(hidden)slabs/lab grade-submission --lab %(lab)d %(seed)s--results "$results" \\
	%(seeds)s-- "$root/submission"
exit 0
"""


def add_tree(archive, folder, under):
    """A folder of the instructor's, as `under` in the course's tree."""
    for where, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(".") and f != "__pycache__"]
        for name in names:
            full = os.path.join(where, name)
            archive.add(full, os.path.join(under, os.path.relpath(full, folder)),
                        recursive=False)


def autograder(lab, to, seed, seeds=None):
    """
    Gradescope's zip: setup.sh, run_autograder, and the course's tree with everything, the
    folder HIDDEN and the list of seeds included.
    """
    hidden = os.environ.get("HIDDEN")
    values = {"lab": lab.lab, "seed": "--seed %s " % seed if seed else "",
              "hidden": 'HIDDEN="$root/course/labs/overlay" ' if hidden else "",
              "seeds": '--seeds "$root/source/seeds.csv" --metadata "$root/submission_metadata.'
                       'json" ' if seeds else ""}
    if seeds:
        read_seeds(seeds)       # or it says what is wrong with it, now
    with tempfile.TemporaryDirectory(prefix="lg-autograder-") as folder:
        archive = os.path.join(folder, "course.tar.gz")
        with tarfile.open(archive, "w:gz") as t:
            for path in tracked(TOP):
                full = os.path.join(TOP, path)
                if os.path.lexists(full):
                    t.add(full, path, recursive=False)
            if hidden:
                add_tree(t, os.path.abspath(hidden), "labs/overlay")
        with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as z:
            for name, text in (("setup.sh", SETUP), ("run_autograder", RUN)):
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o755 << 16
                z.writestr(info, text % values)
            z.write(archive, "course.tar.gz")
            if seeds:
                z.write(seeds, "seeds.csv")
    return os.path.getsize(to)


def seed_of_users(seeds, metadata):
    """The seed of those who handed in, by Gradescope's submission_metadata.json."""
    try:
        with open(metadata, encoding="utf-8") as f:
            users = json.load(f).get("users") or []
    except (OSError, ValueError, AttributeError) as error:
        raise LabError("%s: %s" % (metadata, error))
    names = [str(u.get(k) or "") for u in users for k in ("email", "sid", "name")]
    names += [n.split("@")[0] for n in names if "@" in n]
    for name in names:
        if name.lower() in seeds:
            return seeds[name.lower()]
    raise LabError("none of %s is in the list of seeds" % (", ".join(n for n in names if n) or
                                                          "nobody"))


PATIENCE = 1800         # seconds for one submission: each step in it has a hang detector too


def find(folder):
    """{name: path} of what lies in a folder: archives, folders, and what is neither."""
    if not os.path.isdir(folder):
        raise LabError("DIR=%s: expected a folder of submissions" % folder)
    names = [n for n in sorted(os.listdir(folder)) if not n.startswith(".")
             and n != "__MACOSX"]
    if not names:
        raise LabError("DIR=%s: there is nothing in it; expected folders, .tar.gz or .zip"
                       % folder)
    short = [submission.PACKET.sub("", n) for n in names]
    found = {}
    for n, s in zip(names, short):
        # anna.zip beside anna.tar.gz: both are graded, under their whole names.
        name = tame(n if short.count(s) > 1 else s)
        found[name if name not in found else tame(n, True)] = os.path.join(folder, n)
    return found


NAME_MOST = 200         # bytes; names of files have 255, and ours are longer by .json.new


def tame(name, other=False):
    """
    A name as it may stand in a table, in a cell of a spreadsheet, and before .json: no line ends,
    no formula, not too long.  other: there is one of this name.
    """
    said = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]|^[=+@-]", "?", name)
    # "?" too for what is no UTF-8, as half a letter where we cut.
    said = os.fsencode(said)[:NAME_MOST].decode(errors="replace").replace("\ufffd", "?")
    if said == name and not other:
        return name
    return "%s~%s" % (said, hashlib.sha256(os.fsencode(name)).hexdigest()[:8])


def read_seeds(path):
    """{name: seed} from lines `name,seed`; a line of titles and empty ones do not count."""
    found = {}
    try:
        with open(path, encoding="utf-8-sig", newline="") as f:
            for number, row in enumerate(csv.reader(f), 1):
                row = [c.strip() for c in row]
                if not any(row) or row[0].startswith("#") or \
                        (number == 1 and row[1:2] and row[1].lower() == "seed"):
                    continue
                # More columns: `Miller, Anna,x1` without quotes, and Anna is no seed.
                if len(row) < 2 or not row[0] or not SEED.match(row[1]) or any(row[2:]):
                    raise LabError("%s:%d: '%s'; expected a name, a comma and a seed (letters, "
                                   "digits and .@+-_)" % (path, number, ",".join(row)))
                if row[0].lower() in found:
                    raise LabError("%s:%d: %s is there a second time" % (path, number, row[0]))
                found[row[0].lower()] = row[1]
    except OSError as error:
        raise LabError("SEEDS=%s: %s; expected a file of lines name,seed" % (path, error.strerror))
    except (UnicodeDecodeError, csv.Error) as error:
        raise LabError("SEEDS=%s: %s; expected lines of name,seed in UTF-8" % (path, error))
    if not found:
        raise LabError("SEEDS=%s: nobody is in it; expected lines of name,seed" % path)
    return found


ORDER = (("hosts", -1, "Hosts beaten"), ("lines", 1, "lines"),
         ("exits_per_syscall", 1, "exits a syscall"), ("fills_per_fork", 1, "fills a fork"))


def leaderboard(results):
    """The class, ordered by what was counted: most Hosts, then fewest lines."""
    about = {n: r["extra_data"].get("metrics") or {} for n, r in results.items()}
    names = [n for n in about if about[n]]
    if not names:
        return []

    def place(name):
        return [sign * about[name][key] if key in about[name] else float("inf")
                for key, sign, _ in ORDER]
    lines = ["", "     " + " ".join("%15s" % title for _, _, title in ORDER)]
    for k, name in enumerate(sorted(names, key=lambda n: (place(n), n)), 1):
        lines.append("%3d. " % k + " ".join(
            "%15s" % ("%g" % about[name][key] if key in about[name] else "-")
            for key, _, _ in ORDER) + "  " + name)
    return lines + [""]


def seed_for(seeds, name):
    """The seed of whoever handed in `name`: anna, or anna_lab6_late as course systems write."""
    name = submission.PACKET.sub("", name).lower()
    good = [n for n in seeds if name == n or
            (name.startswith(n) and not name[len(n)].isalnum())]
    return seeds[max(good, key=len)] if good else None


def failed(why, errors):
    """A result for what never came to be graded."""
    return {"score": 0, "tests": [], "output": why,
            "extra_data": {"complete": not errors, "errors": errors, "note": why}}


def regions_of(lab, tree, path, to):
    """The student's texts, for whoever compares them."""
    try:
        texts = submission.Submission(path).regions(lab, tree)
    except LabError:
        return
    with open(to, "w", encoding="utf-8", errors="replace") as f:
        for ident, text in texts.items():
            if isinstance(text, str):
                f.write("/* LAB %s */\n%s\n" % (ident, text))


def grade_one(lab, name, path, out, seed, student_seed):
    """Grade one submission in a process of its own.  -> its results.json"""
    result = os.path.join(out, name + ".json")
    if os.path.exists(result):
        os.remove(result)
    words = [sys.executable, os.path.join(TOP, "labs", "lab"), "grade-submission",
             "--lab=%d" % lab.lab, "--results=" + result, "--who=" + name]
    words += ["--seed=%s" % seed] if seed else []
    words += ["--student-seed=" + student_seed] if student_seed else []
    p = subprocess.Popen(words + ["--", os.path.abspath(path)], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         start_new_session=True)
    try:
        said, _ = p.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        said = p.communicate()[0] + b"\nstopped after %d s\n" % PATIENCE
    with open(os.path.join(out, name + ".txt"), "wb") as f:
        f.write(said)
    try:
        with open(result, encoding="utf-8") as f:
            return json.load(f)
    except (OSError, ValueError):
        return failed(said.decode("utf-8", "replace").strip()[-300:], 1)


def grade_all(lab, tree, folder, jobs, out, seed, seeds=None, only=None, say=print):
    """
    One process for each submission; seeds: {name: the seed of the handout}; only: these
    names.  -> status, 0 if all could be graded
    """
    found = {n: p for n, p in find(folder).items() if only is None or n in only}
    os.makedirs(os.path.join(out, "regions"), exist_ok=True)

    def one(name):
        path = found[name]
        if not os.path.isdir(path) and not submission.PACKET.search(path):
            return failed("%s: expected a folder, a .tar.gz or a .zip" % os.path.basename(path),
                          0)
        theirs = seed_for(seeds, os.path.basename(path)) if seeds is not None else None
        if seeds is not None and not theirs:
            return failed("nobody in SEEDS has a name that '%s' begins with" % name, 1)
        regions_of(lab, tree, path, os.path.join(out, "regions", name + ".c"))
        result = grade_one(lab, name, path, out, seed, theirs)
        more = result["extra_data"]
        if more.get("errors") or not more.get("complete"):      # the machine: once more
            result = grade_one(lab, name, path, out, seed, theirs)
        result["extra_data"]["student_seed"] = theirs or ""
        return result

    def broken(result):
        more = result["extra_data"]
        return more.get("errors") or not more.get("complete")

    results = {}
    with concurrent.futures.ThreadPoolExecutor(max(1, jobs)) as pool:
        work = {pool.submit(one, name): name for name in found}
        for done in concurrent.futures.as_completed(work):
            name = work[done]
            results[name] = r = done.result()
            note = r["extra_data"].get("note", "")
            say("%-30s %5g of %g%s%s" % (name, r["score"], lab.points,
                                         "  ERROR: to be repeated" if broken(r) else "",
                                         "  " + note if note else ""))
    ids = [e.id for e in lab.exercises]
    with open(os.path.join(out, "grades.csv"), "w", encoding="utf-8", errors="replace",
              newline="") as f:
        rows = csv.writer(f)
        rows.writerow(["name", "score", "of", "errors", "complete"] + ids +
                      ["questions", "seed", "note"])
        for name in sorted(results):
            r = results[name]
            sums = [round(sum(t["score"] for t in r["tests"] if t["name"].startswith(i + " ")), 3)
                    for i in ids]
            asked = round(sum(t["score"] for t in r["tests"]
                              if t["name"].startswith("question ")), 3)
            more = r["extra_data"]
            rows.writerow([name, r["score"], lab.points, more.get("errors", 1),
                           more.get("complete", False)] + sums +
                          [asked, more.get("student_seed", ""), more.get("note", "")])
    with open(os.path.join(out, "grades.json"), "w", encoding="utf-8") as f:
        json.dump({"lab": lab.lab, "results": results}, f, indent=1, sort_keys=True)
        f.write("\n")
    for line in leaderboard(results):
        say(line)
    say("%d submissions: %s" % (len(results), os.path.join(out, "grades.csv")))
    return 1 if any(broken(r) for r in results.values()) else 0


def by_lab(folder):
    """Without N: {number of a lab: names}, and {name: why it is none}."""
    found, others = {}, {}
    for name, path in find(folder).items():
        try:
            number = submission.Submission(path).lab()
            if number in NUMBERS:
                found.setdefault(number, []).append(name)
            else:
                others[name] = "its submission.json does not say which lab; N=..."
        except LabError as error:
            others[name] = str(error)
    return found, others
