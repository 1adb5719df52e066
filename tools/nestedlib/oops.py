# SPDX-License-Identifier: MIT
#P:377 When the Host itself falls
#
# A Guest that does wrong is killed, with a sentence.  When the *Host* does wrong, Linux
# prints a page of hexadecimal and stops.  (In the nested machine; that is what it is for.)
# The two lines of that page which matter are these:
#
#     BUG: kernel NULL pointer dereference, address: 0000000000000018
#     RIP: 0010:lg_set_stack+0x14/0x90 [lg]
#
# "20 bytes into a function of 144 bytes, in module lg": lg.ko is at hand, its symbol table
# says where in its code that is, and addr2line (of binutils) says which line of the source.
# If it was inlined, it says into which function.  And if that function belongs to an exercise
# of a lab, that is where to look, and `make hint` is what to type.
#
# Only the first report counts.  What follows is what a kernel with a broken leg stumbles
# over.
#:*
"""What does the log of a kernel that crashed say, in words of the source?"""

import collections
import glob
import json
import os
import re
import subprocess

from .common import TOP

# How a report begins, and in words.  {0}, {1}: the groups of the expression.
HEADS = (
    (r"BUG: kernel NULL pointer dereference, address: 0*([0-9a-f]+)",
     "a NULL pointer was followed, to address 0x{0}"),
    (r"BUG: unable to handle page fault for address: ([0-9a-f]+)",
     "a wrong pointer was followed, to address 0x{0}"),
    (r"general protection fault, (?:probably|maybe) for (?:non-canonical )?address (0x[0-9a-f]+)",
     "a wrong pointer was followed, to address {0}"),
    (r"general protection fault(?:, |: )(.*)", "a general protection fault ({0})"),
    (r"kernel BUG at (\S+?)!", "a BUG() was reached, {0}"),
    (r"\bdivide error:", "a division by zero"),
    (r"\binvalid opcode:", "an instruction that is none"),
    (r"\bstack segment:", "a stack segment fault"),
    (r"\bdouble fault:|stack guard page was hit", "a double fault; does something call itself?"),
    (r"kernel tried to execute NX-protected page",
     "a call or jump led to what is no code"),
    (r"watchdog: BUG: soft lockup - CPU#\d+ stuck for (\d+)s",
     "{0} seconds without a pause; a loop that does not end?"),
    (r"BUG: scheduling while atomic", "it slept where that is not allowed (interrupts off, a "
                                      "lock held)"),
    (r"BUG: sleeping function called from invalid context",
     "it slept where that is not allowed (interrupts off, a lock held)"),
    (r"(?:BUG: )?Bad page (?:state|map)", "a page that is in use was given back"),
    (r"\bWARNING: .*? at (\S+)", "a WARN_ON() was true, {0}"),
    (r"\bOops: (.*)", "an oops ({0})"),
    (r"BUG: (.*)", "{0}"),
    (r"Kernel panic - not syncing: (.*)", "a kernel panic: {0}"),
)
HEADS = tuple((re.compile(pattern), words) for pattern, words in HEADS)
# Of a healthy boot: "Spectre V2 : WARNING: ...".
NOT_A_HEAD = re.compile(r"Spectre|MDS|RETBleed|MMIO|Command line:|microcode|"
                        r"watchdog: Enabled")
STAMP = re.compile(r"^(?:<\d+>)?(?:\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?)?")
PLACE = r"([\w.]+)\+0x([0-9a-f]+)/0x([0-9a-f]+)(?: \[(\w+)(?: [0-9a-f]+)?\])?"
RIP = re.compile(r"RIP: [0-9a-f]+:" + PLACE)
FRAME = re.compile(r"^ *(\? )?" + PLACE + "$")
REPORT_LINES = 120
MODULE = "lg"

Frame = collections.namedtuple("Frame", "function offset module inlined")
# function: the innermost that was inlined there; file: "host/traps.c" or None
Spot = collections.namedtuple("Spot", "function file line text")


class Report:
    """sentence: one line; lines(): for people; json(): for --death."""

    def __init__(self, what):
        self.what = what
        self.place = None       # Frame: where it happened
        self.callers = []       # [Frame], the sure ones
        self.exercise = None    # (lab, id, function)

    def spot(self):
        frames = ([self.place] if self.place else []) + self.callers
        return next((f.inlined[0] for f in frames if f.module == MODULE and f.inlined), None)

    @property
    def in_host(self):
        frames = ([self.place] if self.place else []) + self.callers
        return any(f.module == MODULE for f in frames)

    @property
    def hint(self):
        return "make hint %s" % self.exercise[1] if self.exercise else "make gdb-host"

    @property
    def sentence(self):
        text = "the %s crashed: %s" % ("Host" if self.in_host else "nested kernel", self.what)
        spot = self.spot()
        if self.place:
            inside = self.place.module == MODULE
            text += ", in %s()" % (spot.function if inside and spot else self.place.function)
            if not inside and spot:
                text += ", called by %s()" % spot.function
            if spot and spot.file:
                text += ", %s:%s" % (spot.file, spot.line)
        if self.exercise:
            text += " (lab %s, exercise %s)" % self.exercise[:2]
        return text

    def lines(self):
        said = []
        if self.place:
            said += self.tell(self.place, "at")
        said += [line for f in self.callers if f.module == MODULE for line in self.tell(f, "from")]
        if self.exercise:
            said.append("%s() belongs to lab %s, exercise %s" % (
                self.exercise[2], self.exercise[0], self.exercise[1]))
            said.append("what it should do: %s" % self.hint)
        elif self.in_host:
            said.append("to look at it while it lives: %s" % self.hint)
        return said

    @staticmethod
    def tell(frame, word):
        if not frame.inlined:
            return ["%-4s %s+0x%x" % (word, frame.function, frame.offset)]
        said = []
        for spot in frame.inlined:
            said.append("%-4s %s()  %s:%s" % (word, spot.function, spot.file, spot.line))
            if spot.text and word == "at" and len(said) == 1:
                said.append("         %s" % spot.text)
        return said

    def json(self):
        def frame(f):
            return {"function": f.function, "offset": f.offset, "module": f.module,
                    "source": [{"function": s.function, "line": "%s:%s" % (s.file, s.line)}
                               for s in f.inlined]}

        found = {"what": self.what, "sentence": self.sentence,
                 "at": frame(self.place) if self.place else None,
                 "callers": [frame(f) for f in self.callers], "hint": self.hint}
        if self.exercise:
            found["lab"], found["exercise"], found["function"] = self.exercise
        return found


def head_of(line):
    if NOT_A_HEAD.search(line):
        return None
    for pattern, words in HEADS:
        m = pattern.search(line)
        if m:
            return words.format(*m.groups())
    return None


def read(log):
    """The first report of a log.  -> Report without lines of the source, or None."""
    lines = [STAMP.sub("", line).rstrip() for line in log.replace("\r", "").splitlines()]
    for number, line in enumerate(lines):
        what = head_of(line)
        if not what:
            continue
        report, tracing = Report(what), False
        for later in lines[number:number + REPORT_LINES]:
            m = RIP.search(later)
            if m and not report.place:
                report.place = Frame(m.group(1), int(m.group(2), 16), m.group(4), [])
            if later.startswith("Call Trace:"):
                tracing = True
            elif "</TASK>" in later or "---[ end trace" in later:
                break
            m = FRAME.match(later)
            if m and tracing and not m.group(1):
                report.callers.append(Frame(m.group(2), int(m.group(3), 16), m.group(5), []))
        return report
    return None


def symbols_of(module):
    """{function: [(section, address)]} of an ELF object."""
    found = collections.defaultdict(list)
    sections = {}

    def tell(option):
        return subprocess.run(["readelf", option, module], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout.decode("utf-8", "replace")

    for number, name in re.findall(r"^ +\[ *(\d+)\] (\S+) ", tell("-SW"), re.M):
        sections[number] = name
    for line in tell("-sW").splitlines():
        word = line.split()
        if len(word) == 8 and word[3] in ("FUNC", "NOTYPE") and word[6] in sections:
            found[word[7]].append((sections[word[6]], int(word[1], 16)))
    return found


def as_source(path):
    """Kbuild compiles copies, build/host/RELEASE/traps.c: of which file?"""
    for folder in ("host", "switcher", "include"):
        m = re.search(r"(?:^|/)%s/(?:\d[^/]*/)?(.+)$" % folder, path)
        if m:
            return "%s/%s" % (folder, m.group(1))
    return path


def line_of(path, number):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read().splitlines()[int(number) - 1].strip()
    except (OSError, ValueError, IndexError):
        return ""


def spots_at(module, section, offsets):
    """Places in a section of an ELF object.  -> for each [Spot], innermost first; [] if it has no
    lines there."""
    text = subprocess.run(
        ["addr2line", "-a", "-f", "-i", "-e", module, "-j", section] + [hex(o) for o in offsets],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode("utf-8", "replace")
    found = []
    for answer in re.split(r"^0x[0-9a-f]+\n", text, flags=re.M)[1:]:
        words, spots = answer.splitlines(), []
        for function, place in zip(words[::2], words[1::2]):
            path, _, number = place.split(" (")[0].rpartition(":")
            if path and path != "??" and number.isdigit():
                spots.append(Spot(function, as_source(path), int(number), line_of(path, number)))
        found.append(spots)
    return found or [[] for _ in offsets]


def look_up(module, symbols, frame, is_caller):
    """A Frame with `inlined` filled: [Spot], innermost first."""
    if frame.module != MODULE or len(symbols.get(frame.function, ())) != 1:
        return frame
    section, address = symbols[frame.function][0]
    return frame._replace(inlined=spots_at(
        module, section, [address + frame.offset - is_caller])[0])


def exercises():
    """{(file, function): (lab, exercise)}"""
    found = {}
    for path in glob.glob(os.path.join(TOP, "labs", "lab*", "lab.json")):
        try:
            with open(path, encoding="utf-8") as f:
                lab = json.load(f)
            for e in lab["exercises"]:
                for function in e.get("functions", ()):
                    found[e["file"], function] = (lab["lab"], e["id"])
        except (OSError, ValueError, KeyError):
            pass        # labs/lab says what is wrong with it; here it just does not help
    return found


def exercise_of(frames):
    """(lab, exercise, function) of the innermost function that a student may have written."""
    known = exercises()
    for frame in frames:
        for spot in frame.inlined:
            if (spot.file, spot.function) in known:
                return known[spot.file, spot.function] + (spot.function,)
    return None


def explain(log, module):
    """log: a kernel's, as text; module: the lg.ko that it had loaded, or None.  -> Report,
    or None if nothing in it is a report."""
    report = read(log)
    if not report or not module or not os.path.exists(module):
        return report
    try:
        symbols = symbols_of(module)
        if report.place:
            report.place = look_up(module, symbols, report.place, False)
        report.callers = [look_up(module, symbols, f, True) for f in report.callers]
    except OSError:
        return report   # no binutils: names must do
    report.exercise = exercise_of(([report.place] if report.place else []) + report.callers)
    return report
