# SPDX-License-Identifier: MIT
"""Staff only: a folder of submissions, and the archive for Gradescope."""

import concurrent.futures
import csv
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile

from .handout import tracked
from .labs import TOP, LabError

SETUP = """#!/bin/sh
# Gradescope runs this once, when the image is built.
set -e
mkdir -p /autograder/course
tar -C /autograder/course -xzf /autograder/source/course.tar.gz
cd /autograder/course
apt-get update
make setup
make host placed inmates
labs/lab mutants %(lab)d --no-guests
chmod -R go+rX /autograder/course
"""

RUN = """#!/bin/sh
# Gradescope runs this for each submission.  results.json is written as the tests end.
cd /autograder/course
exec labs/lab grade-submission /autograder/submission --lab %(lab)d %(seed)s\\
	--results /autograder/results/results.json
"""


def autograder(lab, to, seed):
    """Gradescope's zip: setup.sh, run_autograder, and the course's tree with everything."""
    values = {"lab": lab.lab, "seed": "--seed %s " % seed if seed else ""}
    with tempfile.TemporaryDirectory(prefix="lg-autograder-") as folder:
        archive = os.path.join(folder, "course.tar.gz")
        with tarfile.open(archive, "w:gz") as t:
            for path in tracked(TOP):
                full = os.path.join(TOP, path)
                if os.path.lexists(full):
                    t.add(full, path, recursive=False)
        with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as z:
            for name, text in (("setup.sh", SETUP), ("run_autograder", RUN)):
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o755 << 16
                z.writestr(info, text % values)
            z.write(archive, "course.tar.gz")
    return os.path.getsize(to)


def find(folder):
    """The submissions in a folder: archives, and folders."""
    if not os.path.isdir(folder):
        raise LabError("DIR=%s: expected a folder of submissions" % folder)
    found = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.isdir(path) or name.endswith((".tar.gz", ".tgz", ".tar", ".zip")):
            found[re.sub(r"\.(tar\.gz|tgz|tar|zip)$", "", name)] = path
    if not found:
        raise LabError("DIR=%s: there is no folder, .tar.gz or .zip in it" % folder)
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


def grade_all(lab, folder, jobs, out, seed, say=print):
    """One process for each submission; -> status"""
    found = find(folder)
    os.makedirs(out, exist_ok=True)

    def one(name):
        result = os.path.join(out, name + ".json")
        if os.path.exists(result):
            os.remove(result)
        words = [sys.executable, os.path.join(TOP, "labs", "lab"), "grade-submission",
                 found[name], "--lab", str(lab.lab), "--results", result, "--who", name]
        if seed:
            words += ["--seed", str(seed)]
        p = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        with open(os.path.join(out, name + ".txt"), "wb") as f:
            f.write(p.stdout)
        try:
            with open(result, encoding="utf-8") as f:
                return json.load(f)
        except (OSError, ValueError):
            return {"score": 0, "tests": [], "output": p.stdout.decode("utf-8", "replace")[-300:],
                    "extra_data": {"complete": False, "errors": 1}}

    results = {}
    with concurrent.futures.ThreadPoolExecutor(max(1, jobs)) as pool:
        work = {pool.submit(one, name): name for name in found}
        for done in concurrent.futures.as_completed(work):
            name = work[done]
            results[name] = done.result()
            more = results[name]["extra_data"]
            say("%-30s %5g of %g%s" % (name, results[name]["score"], lab.points,
                                       "  ERROR: to be repeated" if more.get("errors") or
                                       not more.get("complete") else ""))
    ids = [e.id for e in lab.exercises]
    with open(os.path.join(out, "grades.csv"), "w", encoding="utf-8", newline="") as f:
        rows = csv.writer(f)
        rows.writerow(["name", "score", "of", "errors", "complete"] + ids + ["questions"])
        for name in sorted(results):
            r = results[name]
            sums = [round(sum(t["score"] for t in r["tests"] if t["name"].startswith(i + " ")), 3)
                    for i in ids]
            asked = round(sum(t["score"] for t in r["tests"]
                              if t["name"].startswith("question ")), 3)
            rows.writerow([name, r["score"], lab.points, r["extra_data"].get("errors", 1),
                           r["extra_data"].get("complete", False)] + sums + [asked])
    with open(os.path.join(out, "grades.json"), "w", encoding="utf-8") as f:
        json.dump({"lab": lab.lab, "results": results}, f, indent=1, sort_keys=True)
        f.write("\n")
    for line in leaderboard(results):
        say(line)
    say("%d submissions: %s" % (len(results), os.path.join(out, "grades.csv")))
    return 1 if any(r["extra_data"].get("errors") for r in results.values()) else 0
