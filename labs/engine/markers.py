# SPDX-License-Identifier: MIT
"""
Solutions lie in the real sources, between two marker lines:

    /* LAB 6.1 BEGIN: what the student writes here */
    ...
    /* LAB 6.1 END */

In NASM the line begins with `;`, in make, Python and shell with `#`.  A region holds whole
functions, and an exercise has one region.  Everything odd is an error with file and line.
"""

import os
import re

from .labs import read_text

FOLDERS = ("host", "launcher", "switcher", "teachos", "include", "labs/lab11/evil")
SUFFIXES = (".c", ".h", ".asm", ".inc", ".S", ".py", ".sh", ".mk")
NAMES = ("Makefile", "Kbuild")

MARKER = re.compile(r"^\s*(?:/\*|//|;|#)\s*LAB\s+(\d+\.\d+)\s+(BEGIN|END)\s*(?::\s*(.*?))?"
                    r"\s*(?:\*/)?\s*$")
# What somebody may have meant as one.  In comments only, and not in prose.
NEARLY = re.compile(r"^\s*(?:/\*|//|;|#)\s*LAB\b", re.I)


class MarkerError(Exception):
    """One line that names the file, the line, what is there and what was expected."""


class Region:
    def __init__(self, exercise, title, path, begin):
        self.exercise = exercise
        self.title = title
        self.path = path        # relative to the tree
        self.begin = begin      # line number of the BEGIN marker, from 1
        self.end = None
        self.text = ""          # all lines between the markers


def may_have(path):
    """Is it a source in one of the folders?"""
    return path.startswith(tuple(f + "/" for f in FOLDERS)) and is_source(path)


def is_source(path):
    return path.endswith(SUFFIXES) or os.path.basename(path) in NAMES


def parse(text, path, known=None):
    """All regions of a file, in order.  known: the exercises that exist (None: any)."""
    found, current, lines = [], None, []
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        m = MARKER.match(line)
        where = "%s:%d: " % (path, number)
        if not m:
            if NEARLY.match(line):
                raise MarkerError(where + "'%s' is no marker; expected LAB n.m BEGIN: TITLE, or "
                                  "LAB n.m END" % line.strip())
            if current:
                lines.append(line)
            continue
        exercise, word, title = m.groups()
        if known is not None and exercise not in known:
            raise MarkerError(where + "there is no exercise %s; expected one that a "
                              "labs/labN/lab.json has" % exercise)
        if word == "BEGIN":
            if current:
                raise MarkerError(where + "LAB %s begins inside LAB %s (line %d); regions do not "
                                  "nest" % (exercise, current.exercise, current.begin))
            if any(r.exercise == exercise for r in found):
                raise MarkerError(where + "LAB %s begins a second time; an exercise has one region"
                                  % exercise)
            if not title:
                raise MarkerError(where + "LAB %s BEGIN has no title; expected "
                                  "LAB %s BEGIN: TITLE" % (exercise, exercise))
            current, lines = Region(exercise, title, path, number), []
        else:
            if not current:
                raise MarkerError(where + "LAB %s ends, but none has begun" % exercise)
            if current.exercise != exercise:
                raise MarkerError(where + "LAB %s ends, but LAB %s is open (line %d)"
                                  % (exercise, current.exercise, current.begin))
            current.end, current.text = number, "".join(lines)
            found.append(current)
            current = None
    if current:
        raise MarkerError("%s:%d: LAB %s never ends; expected LAB %s END"
                          % (path, current.begin, current.exercise, current.exercise))
    return found


def outside(text, path):
    """[(number, line)] of all that is in no region, without the markers."""
    inside = set()
    for region in parse(text, path):
        inside.update(range(region.begin, region.end + 1))
    return [(n, line.rstrip()) for n, line in enumerate(text.splitlines(), 1) if n not in inside]


def splice(text, path, replacements, sync=False):
    """
    The text with the regions of `replacements` ({exercise: text}) replaced.  sync: what comes
    after one has the line number that it had, in the messages of the compiler or of NASM; if
    it can be, by empty lines, as then the lines that they quote are the right ones, too.
    """
    lines = text.splitlines(keepends=True)
    for region in reversed(parse(text, path)):
        new = replacements.get(region.exercise)
        if new is not None:
            if new and not new.endswith("\n"):
                new += "\n"
            short = region.end - 1 - region.begin - new.count("\n")
            if sync and short >= 0:
                new += "\n" * short
            elif sync and path.endswith((".c", ".h")):
                new += '#line %d "%s"\n' % (region.end, path)
            elif sync and path.endswith(".asm"):
                # NASM counts from the line that says so.
                new += "%%line %d %s\n" % (region.end - 1, path)
            lines[region.begin:region.end - 1] = [new]
    return "".join(lines)


def scan(root, known=None):
    """{exercise: Region} of a whole tree."""
    found = {}
    for folder in FOLDERS:
        for where, folders, names in os.walk(os.path.join(root, folder)):
            folders.sort()
            for name in sorted(names):
                path = os.path.relpath(os.path.join(where, name), root)
                if not is_source(path) or os.path.islink(os.path.join(root, path)):
                    continue
                for region in parse(read_text(os.path.join(root, path)), path, known):
                    if region.exercise in found:
                        other = found[region.exercise]
                        raise MarkerError("%s:%d: LAB %s begins a second time; the first is at "
                                          "%s:%d" % (path, region.begin, region.exercise,
                                                     other.path, other.begin))
                    found[region.exercise] = region
    return found


def same_code(one, other):
    """Is it the same, but for white space?"""
    return one.split() == other.split()
