# SPDX-License-Identifier: MIT
"""What the suites share.  Each suite is a function that carries something out and returns
Results; make_something makes one, for a kernel and a CPU."""

import glob
import os
import re

from . import machine
from .machine import BUILD, NESTED, TOP, need
from .verdict import FAIL, PASS, Broken, Result

INMATES = os.path.join(TOP, "tests", "inmates")
LAUNCHER = os.path.join(BUILD, "launcher", "launcher")
TEACHOS = {"teachos": os.path.join(BUILD, "teachos", "teachos.elf"),
           "teachos-pae": os.path.join(BUILD, "teachos", "teachos-pae.elf")}


def elf(name):
    return need(os.path.join(BUILD, "inmates", name + ".elf"), "make inmates")


def built(folder, name):
    """A program of tests/FOLDER, which is built first."""
    status, output = machine.run(["make", "-sC", os.path.join(TOP, "tests", folder),
                                  "BUILD=" + BUILD], 60)
    if status != 0:
        raise Broken("tests/%s does not build: %s" % (folder, machine.tail(output, 2)))
    return need(os.path.join(BUILD, "tests", name), "make -C tests/" + folder)


def check(name, good, why, detail=""):
    """A Result from a condition."""
    return Result(name, PASS) if good else Result(name, FAIL, why, detail)


def lines_of(prefix, outcome, pattern, least):
    """Results from a program's lines `ok NAME` and `not ok NAME: WHY`, and from its end."""
    lines = re.findall(pattern, outcome.output, re.M)
    results = [check("%s/%s" % (prefix, name), word == "ok", why) for word, name, why in lines]
    if outcome.status != 0 or len(lines) < least:
        results.append(Result(prefix, FAIL, "status %d after %d tests: %s" % (
            outcome.status, len(lines), machine.tail(outcome.output, 2)), outcome.output))
    return results + machine.log_results(prefix, outcome.log)


def at_terminal(config, files, command):
    """The words that start a command in a nested machine whose console is our terminal."""
    words = [NESTED, "exec"] + config.options() + ["--timeout", "100", "--tty"]
    for f in files:
        words += ["--file", f]
    return words + ["--"] + command


def typist(prefix, t, results):
    """A function that types on a terminal, and notes whether the answer comes."""
    def step(name, keys, pattern, patience=20):
        t.send(keys)
        came = t.expect(pattern, patience)
        results.append(check("%s/%s" % (prefix, name), came, "got %r" % t.tail()))
        return came
    return step


def left_alone(prefix, name, t, patience):
    """Results about the end of a program on a terminal: its status, and the settings."""
    status = t.wait(patience)
    return [check("%s/%s" % (prefix, name), status == 0,
                  "exit status %s, expected 0: %r" % (status, t.tail())),
            check(prefix + "/terminal restored", t.same_settings(),
                  "the terminal's settings have changed")]


def module_of(kernel):
    """The lg.ko of a kernel of the matrix, found by its release."""
    found = [p for p in glob.glob(os.path.join(BUILD, "host", "*", "lg.ko"))
             if re.match(re.escape(kernel) + r"(\.|-|$)", os.path.basename(os.path.dirname(p)))]
    if not found:
        raise Broken("no lg.ko for kernel %s under build/host: make test builds it" % kernel)
    return max(found, key=os.path.getmtime)


def descendants(pid):
    """All living processes below pid, from /proc."""
    children = {}
    for stat in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(stat) as f:
                text = f.read()
        except OSError:
            continue
        mine, rest = text.split(" ", 1)[0], text.rsplit(")", 1)[1].split()
        children.setdefault(int(rest[1]), []).append(int(mine))
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found
