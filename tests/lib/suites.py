# SPDX-License-Identifier: MIT
"""What the suites share.  Each suite is a function that carries something out and returns
Results; make_something makes one, for a kernel and a CPU."""

import glob
import os
import re

from .machine import BUILD, TOP, need
from .verdict import FAIL, PASS, Broken, Result

INMATES = os.path.join(TOP, "tests", "inmates")
LAUNCHER = os.path.join(BUILD, "launcher", "launcher")
TEACHOS = {"teachos": os.path.join(BUILD, "teachos", "teachos.elf"),
           "teachos-pae": os.path.join(BUILD, "teachos", "teachos-pae.elf")}


def elf(name):
    return need(os.path.join(BUILD, "inmates", name + ".elf"), "make inmates")


def check(name, good, why, detail=""):
    """A Result from a condition."""
    return Result(name, PASS) if good else Result(name, FAIL, why, detail)


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
