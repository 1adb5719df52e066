# SPDX-License-Identifier: MIT
"""
The tree we are in, and what it knows of the reference.

In the course's own tree the reference is simply the source.  In a handout it is a folder
of objects (labs/reference): one for each exercise, with every name but the exercise's own
made local.  A region that is not the student's is
then replaced by a declaration, and the object is linked.  Nobody can read an object; it
has no line numbers, no names of variables, only code.  (The Switcher's: switcher.py.)
"""

import hashlib
import json
import os
import re

from . import markers, switcher
from .labs import TOP, LabError, known_exercises, read_text

# What is built more than once: TeachOS's two kernels.
FLAVOURS = {"teachos": ("2level", "pae")}

# A function without its caller, and one that was static in the student's file: the compiler
# would complain of both, and neither is the student's doing.
QUIET = "".join('_Pragma("GCC diagnostic ignored \\"-W%s\\"") ' % w
                for w in ("unused-function", "missing-prototypes"))


def declaration(path, text, name):
    """
    The prototype of function `name`, out of its definition in the reference.  In assembly:
    `extern`, and the region has to say `global` itself, since NASM wants one or the other.
    """
    if switcher.owns(path):
        return switcher.labels(text, [name])
    if path.endswith(".asm"):
        if not re.search(r"^%s:" % re.escape(name), text, re.M) or not re.search(
                r"^\s*global\s[^;]*\b%s\b" % re.escape(name), text, re.M):
            raise LabError("%s: no label %s; expected it in column 0, and `global %s` before it, "
                           "both in the region" % (path, name, name))
        return "extern %s" % name
    m = re.search(r"^((?:[A-Za-z_][^\n;{}()]*?[\s*]))?%s\(([^{};]*)\)\n\{" % re.escape(name),
                  text, re.M)
    if not m:
        raise LabError("no definition of %s(); expected one that begins in column 0, with its "
                       "brace alone on the next line" % name)
    kind = re.sub(r"\b(static|inline|__always_inline|noinline)\b\s*", "", m.group(1) or "").strip()
    return "%s %s(%s);" % (kind, name, re.sub(r"\s+", " ", m.group(2)))


def make_global(text, names):
    """The same functions of a C file, for other files to call."""
    for name in names:
        m = re.search(r"^((?:[A-Za-z_][^\n;{}()]*?[\s*]))?%s\([^{};]*\)\n\{" % re.escape(name),
                      text, re.M)
        if not m:
            raise LabError("no definition of %s()" % name)
        kind = re.sub(r"\b(static|inline|__always_inline)\b[ \t]*", "", m.group(1) or "")
        text = text[:m.start()] + kind.lstrip() + text[m.start() + len(m.group(1) or ""):]
    return text


class Tree:
    def __init__(self, top=TOP):
        self.top = top
        self.exercises = known_exercises(top)
        self.regions = markers.scan(top, set(self.exercises))
        self.index = None
        index = os.path.join(top, "labs", "reference", "index.json")
        if os.path.exists(index):
            with open(index, encoding="utf-8") as f:
                self.index = json.load(f)
        # Only a course's own tree can do without.
        if not self.index and not os.path.exists(os.path.join(top, "labs", "STAFF.md")):
            raise LabError("labs/reference/index.json is missing, and with it all that you have "
                           "not written: git checkout labs/reference")
        for e in self.exercises.values():
            region = self.regions.get(e.id)
            if not region:
                there = os.path.exists(os.path.join(top, e.file))
                raise LabError("%s: %s; expected LAB %s BEGIN and END in it, around exercise %s "
                               "(git log -p %s: as it was)" % (
                                   e.file, "the lines LAB %s are not there" % e.id if there
                                   else "no such file", e.id, e.id, e.file))
            if region.path not in e.files:
                raise LabError("%s: LAB %s is in %s, but lab.json says %s"
                               % (e.where, e.id, region.path, e.file))
        self._text = {}

    @property
    def is_handout(self):
        return self.index is not None

    def text(self, path):
        if path not in self._text:
            self._text[path] = read_text(os.path.join(self.top, path))
        return self._text[path]

    def mine(self, exercise):
        """What stands in this tree's region."""
        return self.regions[exercise.id].text

    def frame(self, path):
        """A few letters for each line outside of the regions, to know them again."""
        return [hashlib.sha256(line.encode()).hexdigest()[:6]
                for _, line in markers.outside(self.text(path), path)]

    def changed_outside(self, lab):
        """In a handout: ["file:line"], the first change in each file that no grader will see."""
        try:
            frames = json.loads(read_text(os.path.join(self.top, "labs", "reference",
                                                       "frames.json")))
        except (OSError, ValueError):
            return []
        found = []
        for path in sorted({self.regions[e.id].path for e in lab.exercises}):
            now, then = self.frame(path), frames.get(path)
            if then is None or now == then:
                continue
            same = next((k for k, (a, b) in enumerate(zip(now, then)) if a != b),
                        min(len(now), len(then)))
            numbers = [n for n, _ in markers.outside(self.text(path), path)]
            found.append("%s:%d" % (path, numbers[min(same, len(numbers) - 1)] if numbers else 1))
        return found

    def untouched(self, exercise, text):
        return markers.same_code(text, exercise.stub())

    def objects_for(self, exercise, flavour):
        entry = self.index["exercises"].get(exercise.id)
        if not entry or switcher.owns(exercise.file):
            return []
        found = []
        for one in FLAVOURS.get(flavour, (flavour,)):
            if one not in entry["objects"]:
                raise LabError("this handout has no reference of exercise %s for %s; it has %s"
                               % (exercise.id, one, ", ".join(entry["objects"])))
            found.append(os.path.join(self.top, "labs", "reference", entry["objects"][one]))
        return found

    def with_reference(self, path, student=None, flavour="unit"):
        """
        A file with the regions of `student` ({exercise id: text}) and the reference in all
        the others.  -> (text, objects to link)
        """
        student = student or {}
        new, objects = {}, []
        for region in markers.parse(self.text(path), path):
            exercise = self.exercises[region.exercise]
            if exercise.id in student:
                new[exercise.id] = self.callable(exercise, student[exercise.id])
            elif self.is_handout and exercise.id in self.index["exercises"]:
                text = self.index["exercises"][exercise.id]["declaration"]
                new[exercise.id] = text + "\n"
                objects += self.objects_for(exercise, flavour)
        text = markers.splice(self.text(path), path, new, sync=True)
        if self.is_handout and new and path.endswith(".c"):
            text = QUIET + text     # on the first line: the numbers stay
        return text, objects

    def callable(self, exercise, text):
        """In a handout the reference's objects call it, so it cannot be static."""
        if self.is_handout and exercise.id in self.index["exercises"] and \
                exercise.file.endswith(".c"):
            for name in exercise.functions:
                try:
                    text = make_global(text, [name])
                except LabError:
                    pass        # not there, or not in our style: the linker will say
        return text

    def headers(self, flavour):
        """
        {name: (text, objects)} of the headers that have regions, with the reference in them;
        only in a handout, where what stands in the tree is not that.
        """
        if not self.is_handout:
            return {}
        paths = sorted({e.file for e in self.exercises.values() if e.file.endswith(".h")})
        return {p: self.with_reference(p, None, flavour) for p in paths}

    def reference_file(self, path, flavour="unit"):
        return self.with_reference(path, None, flavour)

    def student_file(self, exercise, text, flavour="unit"):
        """-> (text, objects): for a program with one region of the student's."""
        composed, objects = self.with_reference(exercise.file, {exercise.id: text}, flavour)
        if exercise.file.endswith(".asm"):
            composed = "%%line 0 %s\n" % exercise.file + composed
        return composed, objects
