# SPDX-License-Identifier: MIT
"""
What a lab is: labs/labN/lab.json, read and checked.  labs/STAFF.md describes each key.

A folder of a lab has: README.md (the handout), lab.json, stubs/N.M.c (what the student
finds in the region), and for staff only: mutants/, hidden/, questions.py.
"""

import json
import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD") or os.path.join(TOP, "build")
NUMBERS = range(12)
STEPS = ("question", "pointer", "sketch")
SEED = re.compile(r"^\w[\w.@+-]{0,63}$")       # a word, nothing that could be an option

# Keys and whether they must be there.
LAB_KEYS = {"lab": 1, "title": 1, "part": 1, "points": 1, "hours": 1, "read": 1, "artefacts": 1,
            "show": 1, "programs": 0, "guests": 0, "exercises": 1, "hints": 1, "questions": 0,
            "choice": 0}
EXERCISE_KEYS = {"id": 1, "name": 1, "file": 1, "functions": 1, "write": 1, "contract": 1,
                 "tests": 1, "mutants": 1, "or": 0}
TEST_KEYS = {"test": 1, "points": 1, "hint": 1, "expect": 1, "hints": 0, "hidden": 0, "of": 0,
             "notices": 0}
# labN/hidden/hidden.json: tests that only the grading sees.
HIDDEN_KEYS = {"tests": 1, "visibility": 0, "programs": 0, "guests": 0, "stand": 0, "rules": 0}
HIDDEN_TEST_KEYS = {"exercise": 1, "test": 1, "takes": 1, "points": 1, "expect": 1, "notices": 1,
                    "hint": 0, "visibility": 0, "of": 0}
VISIBILITIES = ("visible", "hidden", "after_due_date", "after_published")
MUTANT_KEYS = {"name": 1, "wrong": 1, "from": 0, "to": 0, "file": 0, "killed_by": 1, "hint": 1,
               "passes": 0}


class LabError(Exception):
    """A manifest, a submission or a wish that makes no sense: one line."""


class Record:
    overlay = None      # of a test: the folder that brought it, if one did

    """The values of one JSON object, as attributes; unknown and missing keys are errors."""

    def __init__(self, where, keys, values):
        if not isinstance(values, dict):
            raise LabError("%s: expected an object, got %r" % (where, values))
        for key in values:
            if key not in keys:
                raise LabError("%s: unknown key '%s'; expected one of %s"
                               % (where, key, ", ".join(sorted(keys))))
        for key, needed in keys.items():
            if needed and key not in values:
                raise LabError("%s: '%s' is missing" % (where, key))
            setattr(self, key, values.get(key))
        self.where = where


class Lab(Record):
    def __init__(self, folder):
        path = os.path.join(folder, "lab.json")
        self.folder = folder
        where = os.path.relpath(path, TOP) if path.startswith(TOP) else path
        try:
            with open(path, encoding="utf-8") as f:
                values = json.load(f)
        except ValueError as error:
            raise LabError("%s: %s" % (where, error))
        super().__init__(where, LAB_KEYS, values)
        self.programs = self.programs or {}
        self.guests = self.guests or {}
        self.folders = [folder]         # where inmates and judge.py are looked for
        self.folder_of = {}             # {test of a Guest: the overlay that brought it}
        self.stand, self.rules = [], [] # files that overlays bring for the Switcher
        self.exercises = [Exercise(self, e) for e in self.exercises]
        ids = [e.id for e in self.exercises]
        if len(set(ids)) != len(ids):
            raise LabError("%s: an exercise is there twice: %s" % (where, ", ".join(ids)))
        total = sum(t.points for e in self.exercises for t in e.tests)
        total += sum(q["points"] for q in (self.questions or {}).get("ask", []))
        # choice: the student picks, and more than `points` earns no more.
        if (total < self.points) if self.choice else abs(total - self.points) > 1e-9:
            raise LabError("%s: the tests and questions have %g points together; expected %g"
                           % (where, total, self.points))
        for code, steps in self.hints.items():
            if tuple(sorted(steps)) != tuple(sorted(STEPS)):
                raise LabError("%s: hint %s has %s; expected %s"
                               % (where, code, ", ".join(steps), ", ".join(STEPS)))

    def add_hidden(self, folder):
        """
        Tests that students do not have, from an overlay: they take over a part of the points
        of tests that students do have, so the sum stays what it was.
        """
        path = os.path.join(folder, "hidden.json")
        try:
            with open(path, encoding="utf-8") as f:
                more = Record(path, HIDDEN_KEYS, json.load(f))
        except ValueError as error:
            raise LabError("%s: %s" % (path, error))
        for key, values in (more.programs or {}).items():
            values = dict(values)
            # Files that the overlay brings, beside those of the tree.
            for name in [values.get("source", "")] + values.get("needs", []):
                if name.startswith("tests/") and not os.path.isfile(os.path.join(folder, name)):
                    raise LabError("%s: program %s: there is no file %s in %s"
                                   % (path, key, name, folder))
            if "source" in values:
                values["source"] = os.path.join(folder, values["source"])
            if "needs" in values:
                values["needs"] = [os.path.join(folder, n) if n.startswith("tests/") else n
                                   for n in values["needs"]]
            if key in self.programs:
                raise LabError("%s: program %s is there already" % (path, key))
            self.programs[key] = values
        for name, values in (more.guests or {}).items():
            if name in self.guests:
                raise LabError("%s: %s is there already" % (path, name))
            self.guests[name] = values
            self.folder_of[name] = folder
        self.folders.append(folder)
        for key, files in (("stand", self.stand), ("rules", self.rules)):
            name = more.__dict__[key]
            if name and not os.path.isfile(os.path.join(folder, name)):
                raise LabError("%s: '%s' names %s, which is not in %s" % (path, key, name, folder))
            files += [os.path.join(folder, name)] if name else []
        for values in more.tests:
            t = Record(path, HIDDEN_TEST_KEYS, values)
            e = self.exercise(t.exercise)
            giver = [x for x in e.tests if x.test == t.takes]
            if not giver:
                raise LabError("%s: %s takes points of '%s'; expected one of %s" % (
                    path, t.test, t.takes, ", ".join(x.test for x in e.tests)))
            if not 0 < t.points <= giver[0].points + 1e-9:
                raise LabError("%s: %s takes %g points of %s, which has %g" % (
                    path, t.test, t.points, t.takes, giver[0].points))
            seen = t.visibility or more.visibility or "after_due_date"
            if seen not in VISIBILITIES:
                raise LabError("%s: %s: visibility '%s'; expected one of %s"
                               % (path, t.test, seen, ", ".join(VISIBILITIES)))
            if any(x.test == t.test for x in e.tests):
                raise LabError("%s: %s has a test %s already" % (path, e.id, t.test))
            giver[0].points = round(giver[0].points - t.points, 6)
            e.tests.append(Record(path, TEST_KEYS, {
                "test": t.test, "points": t.points, "hint": t.hint or giver[0].hint,
                "expect": t.expect, "of": t.of, "notices": t.notices, "hidden": seen}))
            e.tests[-1].overlay = folder
            if t.notices not in [m.name for m in e.mutants] and e.mutants:
                raise LabError("%s: %s is to notice mutant '%s'; expected one of %s" % (
                    path, t.test, t.notices, ", ".join(m.name for m in e.mutants)))

    def exercise(self, ident):
        for e in self.exercises:
            if e.id == ident:
                return e
        raise LabError("%s: there is no exercise %s; expected one of %s"
                       % (self.where, ident, ", ".join(e.id for e in self.exercises)))


class Exercise(Record):
    def __init__(self, lab, values):
        where = "%s: exercise %s" % (lab.where, values.get("id", "?"))
        super().__init__(where, EXERCISE_KEYS, values)
        self.lab = lab
        if not re.match(r"^%d\.\d+$" % lab.lab, self.id):
            raise LabError("%s: expected an id like %d.1" % (where, lab.lab))
        self.tests = [Record(where, TEST_KEYS, t) for t in self.tests]
        self.mutants = [Record(where, MUTANT_KEYS, m) for m in self.mutants or []]
        names = [t.test for t in self.tests]
        for t in self.tests:
            for code in [t.hint] + [c for _, c in t.hints or []]:
                if code not in lab.hints:
                    raise LabError("%s: test %s names hint '%s', which is not in hints"
                                   % (where, t.test, code))
        for m in self.mutants:
            if m.killed_by not in names:
                raise LabError("%s: mutant %s is to be killed by '%s'; expected one of %s"
                               % (where, m.name, m.killed_by, ", ".join(names)))

    @property
    def files(self):
        """Where the region may be: 'or' names another file (another language)."""
        return [self.file] + ([self.__dict__["or"]] if self.__dict__["or"] else [])

    @property
    def stub_path(self):
        suffix = os.path.splitext(self.file)[1]
        return os.path.join(self.lab.folder, "stubs", self.id + suffix)

    def stub(self):
        try:
            with open(self.stub_path, encoding="utf-8") as f:
                text = f.read()
        except OSError:
            raise LabError("%s: there is no stub; expected %s"
                           % (self.where, os.path.relpath(self.stub_path, TOP)))
        # The licence line is for the file, not for the region it goes to.
        return re.sub(r"\A[^\n]*SPDX-License-Identifier[^\n]*\n", "", text)

    def mutant_text(self, mutant, reference):
        """The region with the mistake in it."""
        if mutant.file:
            with open(os.path.join(self.lab.folder, "mutants", mutant.file),
                      encoding="utf-8") as f:
                return re.sub(r"\A[^\n]*SPDX-License-Identifier[^\n]*\n", "", f.read())
        if reference.count(mutant.__dict__["from"]) != 1:
            raise LabError("%s: mutant %s: its 'from' is %d times in the region; expected once"
                           % (self.where, mutant.name, reference.count(mutant.__dict__["from"])))
        return reference.replace(mutant.__dict__["from"], mutant.to)

    def hint_for(self, test, seen):
        """The hint code that goes with this test's failure."""
        for pattern, code in test.hints or []:
            if re.search(pattern, seen):
                return code
        return test.hint


def overlays(number, top=TOP):
    """The folders with hidden tests of a lab: the course's, and the one that HIDDEN names."""
    found = [os.path.join(top, "labs", "lab%d" % number, "hidden")]
    if os.environ.get("HIDDEN"):
        outside = os.path.abspath(os.environ["HIDDEN"])
        if not os.path.isdir(outside):
            raise LabError("HIDDEN=%s: expected a folder with lab%d/hidden.json or others"
                           % (outside, number))
        found.append(os.path.join(outside, "lab%d" % number))
        if os.path.exists(os.path.join(found[-1], "hosts.json")) and \
                not os.path.exists(os.path.join(found[-1], "hidden.json")):
            raise LabError("%s/hosts.json: there is no hidden.json beside it; expected one with a "
                           "test redteam/NAME for each Host" % found[-1])
    return [f for f in found if os.path.exists(os.path.join(f, "hidden.json"))]


def load(number, top=TOP, hidden=False):
    """A lab, or None.  hidden: with the tests that only the grading sees."""
    folder = os.path.join(top, "labs", "lab%d" % number)
    if not os.path.exists(os.path.join(folder, "lab.json")):
        return None
    lab = Lab(folder)
    for overlay in overlays(number, top) if hidden else ():
        lab.add_hidden(overlay)
    return lab


def load_all(top=TOP, hidden=False):
    return [lab for lab in (load(n, top, hidden) for n in NUMBERS) if lab]


def known_exercises(top=TOP):
    return {e.id: e for lab in load_all(top) for e in lab.exercises}


def text_of(data, path):
    """What an editor wrote: UTF-8, or somebody's name in a comment in an old encoding."""
    if b"\0" in data:
        raise LabError("%s is no text: it has bytes of 0%s; expected UTF-8" % (
            path, ", as UTF-16 has" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ""))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_text(path):
    with open(path, "rb") as f:
        return text_of(f.read(), os.path.relpath(path, TOP) if path.startswith(TOP) else path)
