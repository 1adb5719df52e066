# SPDX-License-Identifier: MIT
"""
Tier U of the Switcher, which no program can run: the student's region, assembled into
switcher_64.asm, is read by the inspector (switcher/check_object) and by some rules of the
labs, and then run on the stand (tests/lib/stand.py), where a QEMU of a quarter of a second
has no Linux to lose.

Names of tests: switcher/inspector/RULE, one of RULES below, and switcher/stand/TEST.  Overlays
with hidden tests may bring more of both.

In a handout the reference's regions cannot be objects, since a region is no function: it
falls into the next one, and its addresses are looked at.  So they are what an object would
be, written for NASM: labels and bytes (as_bytes).
"""

import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

from . import sandbox
from .labs import BUILD, TOP, LabError
from .outcome import FAIL, PASS, TIMEOUT, Verdict

sys.path.insert(0, os.path.join(TOP, "tests"))
from lib import stand  # noqa: E402  (the path has to be set first)
from lib.verdict import Broken  # noqa: E402

SOURCE = "switcher/switcher_64.asm"
PATIENCE = float(os.environ.get("LAB_PATIENCE", "20"))
_inspector = None
_lock = threading.Lock()


def is_mine(test):
    return test.startswith("switcher/")


def owns(path):
    return path.startswith("switcher/")


def inspector():
    """switcher/check_object, as a module: it has no .py in its name."""
    global _inspector
    with _lock:
        if _inspector is None:
            _inspector = _load()
    return _inspector


def _load():
    loader = importlib.machinery.SourceFileLoader(
        "check_object", os.path.join(TOP, "switcher", "check_object"))
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("check_object", loader))
    loader.exec_module(module)
    sys.dont_write_bytecode = written
    return module


def stand_folder():
    return os.path.join(BUILD, "labs", "objects", "stand")


def prepare(more=()):
    """more: sources with tests for the stand, from overlays.  -> (offsets.inc, objects)"""
    try:
        offsets, parts = stand.objects(stand_folder())
        return offsets, parts + [stand.more_tests(os.path.dirname(offsets), s) for s in more]
    except Broken as error:
        raise LabError(str(error))


def rules_of(lab):
    """{name: function}: those of RULES, and those that overlays bring."""
    found = dict(RULES)
    for path in lab.rules:
        spec = importlib.util.spec_from_file_location("rules", path)
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
            own = dict(module.RULES)
        except Exception as error:      # noqa: B902  (whatever an instructor's file may do)
            raise LabError("%s: %s: %s; expected RULES, a dictionary of functions"
                           % (path, type(error).__name__, error))
        for name in own:
            if name in found:
                raise LabError("%s: rule %s is there already" % (path, name))
        found.update(own)
    return found


def labels(text, names):
    """Raises LabError if one of these labels is not in the text."""
    for name in names:
        if not re.search(r"^%s:" % re.escape(name), text, re.M):
            raise LabError("%s: no label %s; expected it in column 0 of the region"
                           % (SOURCE, name))


# ---- Rules: what can be seen without running anything ------------------------------------

class Code:
    """The listing of an object: [(offset, mnemonic, operands)], and its labels."""

    def __init__(self, listing, symbols):
        self.where = inspector().symbols_in(symbols)
        self.all = [(o, m, re.sub(r"\s+", " ", p)) for o, m, p, _ in
                    inspector().instructions_in(listing)]

    def between(self, first, last):
        a, b = self.at(first), self.at(last)
        found = [i for i in self.all if a <= i[0] < b]
        if not found:
            raise Broken("there is nothing between %s and %s" % (first, last))
        return found

    def at(self, label):
        if label not in self.where:
            raise Broken("there is no label %s" % label)
        return self.where[label]


def find(code, pattern):
    """Offsets of the instructions that match."""
    return [o for o, m, p in code if re.search(pattern, "%s %s" % (m, p))]


def in_order(code, steps, where):
    """Each of steps, (pattern, what it is), once, in this order.  -> a complaint or None"""
    last = None
    for pattern, what in steps:
        found = find(code, pattern)
        if len(found) != 1:
            return "%s: %s is there %d times, expected once" % (where, what, len(found))
        if last and found[0] < last[0]:
            return "%s: %s comes before %s" % (where, what, last[1])
        last = found[0], what
    return None


def whole_cr3(code, where):
    """All 64 bits of CR3: tables above 4 GiB are nothing that the stand can show."""
    at = find(code, r"^mov cr3,")[0]
    register = next(p for o, _, p in code if o == at).split(",")[1]
    half = register + "d" if register[1:].isdigit() else "e" + register[1:]
    loads = [(o, m, p) for o, m, p in code if o < at and p.split(",")[0] in (register, half)]
    if loads and loads[-1][2].startswith(half + ","):
        return ("%s: %s %s, and then the write to CR3: the upper half is lost, and page tables may "
                "lie above 4 GiB" % (where, loads[-1][1], loads[-1][2]))
    return None


def way_in(c):
    """10.1: the table of S:110, and no stack where there is none."""
    code = c.between("lg_enter_guest", "enter_segments")
    why = in_order(code, [(r"^mov (QWORD PTR )?\[r(15|di)(\+\w+)?\],rsp", "saving rsp"),
                          (r"^lidt", "LIDT"), (r"^lgdt", "LGDT"), (r"^ltr", "LTR"),
                          (r"^mov cr3", "the write to CR3")], "way in")
    if why:
        return why
    stack = find(code, r"^(lea|mov) rsp,")
    if not any(find(code, r"^lidt")[0] < s < find(code, r"^mov cr3")[0] for s in stack):
        return "way in: no stack of lg_pages before CR3 is the Guest's"
    late = [o for o in find(code, r"^(push|pop)") if o > find(code, r"^lidt")[0]]
    if late:
        return "way in: push or pop after LIDT: rsp is a stack for faults there, not for us"
    fetched = [p for o, m, p in code if m == "mov" and p.startswith("rsp,QWORD PTR [")]
    if fetched:
        return "way in: mov %s: that is what lies there; the stack ends at that address: LEA" % (
            fetched[0])
    return whole_cr3(code, "way in")


def registers(c):
    """10.2: by MOV, and nothing on any stack."""
    code = c.between("enter_segments", "enter_end")
    if find(code, r"^(push|pop)"):
        return "in disguise: push or pop: the saved registers must stay whole for another try"
    for name in ("ds", "es", "fs", "gs"):
        found = find(code, r"^mov %s," % name)
        if len(found) != 1:
            return "in disguise: %s is loaded %d times, expected once" % (name, len(found))
        if not c.at("enter_segments") <= found[0] < c.at("enter_segments_end"):
            return ("in disguise: %s is not loaded between enter_segments and "
                    "enter_segments_end" % name)
    if code[-1][0] != c.at("enter_iret"):
        return "in disguise: there is something after enter_iret"
    return None


def way_out(c):
    """10.3: 32 bits of each, and not with rsp among the saved registers."""
    code = c.between("from_guest", "leave_guest")
    stores = [(o, p) for o, m, p in code
              if m == "mov" and re.match(r"((D|Q)?WORD PTR )?\[r15", p)]
    for name in ("ax", "bx", "cx", "dx", "si", "di", "bp"):
        mine = [p for _, p in stores if re.search(",[re]%s$" % name, p)]
        if not mine:
            return "way out: e%s is saved nowhere" % name
        if mine[0].endswith("r" + name):
            return "way out: mov %s: the upper half of r%s is undefined after 32-bit code" % (
                mine[0], name)
    for name in ("ds", "es", "fs", "gs"):
        if not find(code, "^mov .*,%s$" % name):
            return "way out: %s is saved nowhere" % name
    stack = find(code, r"^(lea|mov) rsp,")
    if not stack or stack[0] > stores[0][0]:
        return "way out: rsp still points into the saved registers when the first is saved"
    if find(code, r"^(push|pop)"):
        return "way out: push or pop between from_guest and leave_guest"
    return None


def way_home(c):
    """10.4: the table of S:120."""
    code = c.between("leave_guest", "lg_stub_syscall")
    end = c.at("leave_end")
    system = [(o, m + " " + p) for o, m, p in code
              if m in ("lgdt", "lidt", "ltr", "wrmsr")
              or (m == "mov" and re.match(r"(cr3|ds|es|fs|gs),", p))]
    order = [re.match(r"mov \w+|\w+", t).group(0) for _, t in system]
    if order[:4] != ["mov cr3", "lgdt", "ltr", "lgdt"]:
        return "way home: it begins with %s; expected mov cr3, lgdt, ltr, lgdt" % (
            ", ".join(order[:4]) or "nothing")
    if order[-1] != "lidt" or order.count("lidt") != 1:
        return "way home: the last of %s is not the one LIDT" % ", ".join(order)
    if order.count("wrmsr") != 2:
        return "way home: wrmsr is there %d times, expected twice: FS base and GS base" % (
            order.count("wrmsr"))
    for name in ("ds", "es", "fs", "gs"):
        if order.count("mov " + name) != 1:
            return "way home: %s is loaded %d times, expected once" % (
                name, order.count("mov " + name))
    bases = [k for k, word in enumerate(order) if word == "wrmsr"]
    loads = sorted((order.index("mov fs"), order.index("mov gs")))
    if bases[0] < loads[0] or bases[1] < loads[1]:
        return "way home: a base is written before its selector is loaded"
    stack = find(code, r"^mov rsp,")
    if not stack or stack[-1] > system[-1][0]:
        return "way home: rsp is not the Host's before LIDT: its handlers may run then"
    if end <= system[-1][0]:
        return "way home: leave_end is not behind LIDT"
    if find([i for i in code if i[0] < end], r"^(push|pop)"):
        return "way home: push or pop before the Host's IDT is back"
    return whole_cr3(code, "way home")


def short_cut(c):
    """10.5: quick, and its stores where a fault is expected."""
    code = c.between("lg_stub_syscall", "syscall_commit_end")
    if len(code) > 24:
        return "short cut: %d instructions; expected 24 at most (19 are enough)" % len(code)
    why = stores_within(c, code, "direct_stores", "direct_stores_end")
    if why:
        return why
    if code[-1][0] != c.at("syscall_iret"):
        return "short cut: there is something after syscall_iret"
    return commit(c, code, "syscall_commit")


def stores_within(c, code, first, last):
    """What is written to the Guest's stack is 32 bits wide, and between two labels."""
    stores = [(o, p) for o, m, p in code if m in ("mov", "movnti") and re.match(
        r"(DWORD|QWORD|WORD|BYTE) PTR \[r(8|9|1[0-4])d?\b", p)]
    if not stores:
        return "short cut: nothing is written to the Guest's stack"
    for o, p in stores:
        if not p.startswith("DWORD"):
            return "short cut: mov %s: the Guest's words have 32 bits" % p
        if not c.at(first) <= o < c.at(last):
            return "short cut: mov %s: not between %s and %s, where a fault is expected" % (
                p, first, last)
    return None


def commit(c, code, label):
    """The last look at nmi_pending is behind the label."""
    after = [i for i in code if i[0] >= c.at(label)]
    if not find(after, r"DWORD PTR \[r15"):
        return "short cut: nobody looks at nmi_pending after %s" % label
    return None


def detour(c):
    """10.6: the same rules as for the system call."""
    code = c.between("direct_go", "ring0_fault")
    why = stores_within(c, code, "trap_stores", "trap_stores_end")
    return why or commit(c, [i for i in code if i[0] < c.at("direct_commit_end")], "direct_commit")


# SDM vol. 3, table 6-1: the exceptions for which the CPU itself pushes an error code.
ERROR_CODE = {8, 10, 11, 12, 13, 14, 17, 21, 29, 30}


def doors(c):
    """10.7: 16 bytes each, in order."""
    at = {o: (m, p) for o, m, p in c.all}
    first = at.get(c.at("lg_stub_hypercall"), ("nothing",))[0]
    if first != "endbr64":
        return "doors: lg_stub_hypercall begins with %s, expected ENDBR64: a gate is an indirect " \
               "branch, and a CPU with CET goes nowhere else" % first
    goal = "jmp %x " % c.at("from_guest")
    for vector in range(256):
        here = c.at("lg_stubs") + 16 * vector
        words = [("%s %s" % at[o]).strip() for o in range(here, here + 16) if o in at]
        jump = [k for k, w in enumerate(words) if w.startswith(goal)]
        if here not in at or not words[0].startswith("endbr64") or not jump:
            return "doors: at lg_stubs + 16 * %d there is '%s'; expected 16 bytes from ENDBR64 " \
                   "to the jump to from_guest" % (vector, "; ".join(words) or "no instruction")
        wanted = ["push 0x0"] * (vector not in ERROR_CODE) + ["push %#x" % vector]
        if words[1:jump[0]] != wanted:
            return "doors: vector %d says '%s'; expected '%s'" % (
                vector, "; ".join(words[1:jump[0]]), "; ".join(wanted))
    return None


RULES = {"way-in": way_in, "registers": registers, "way-out": way_out, "way-home": way_home,
         "short-cut": short_cut, "detour": detour, "doors": doors}


# ---- Assembling and trying -----------------------------------------------------------------

def try_exercise(exercise, tree, text, seed, tests):
    """-> {test name: Verdict}"""
    with sandbox.Scratch() as scratch:
        composed, _ = tree.student_file(exercise, text)
        rules = rules_of(exercise.lab)
        why = build(scratch, composed, exercise.lab.stand)
        if why:
            return {t.test: why for t in tests}
        said = read(scratch, "inspected").splitlines()
        if said[-1:] == ["refused"]:
            # There will be no lg.ko with it, and on the stand it might speak for the stand.
            first = re.sub(r"^switcher\.o: ", "", said[0]) if len(said) > 1 else "refused"
            return {t.test: Verdict(FAIL, "the inspector: " + first, "\n".join(said))
                    for t in tests}
        found = inspect(scratch, rules,
                        [t for t in tests if t.test.startswith("switcher/inspector/")])
        runs = [t for t in tests if t.test.startswith("switcher/stand/")]
        if runs:
            found.update(on_the_stand(scratch, runs, seed))
        for t in tests:
            if t.test not in found:
                raise LabError("%s: %s: expected switcher/inspector/%s, or switcher/stand/ and a "
                               "test of tests/unit/switcher/stand"
                               % (t.where, t.test, "|".join(rules)))
        return found


def build(scratch, composed, more=()):
    """Assemble, list, link, in the sandbox.  more: see prepare().  -> None or a Verdict"""
    offsets, parts = prepare(more)
    place = scratch.path
    os.makedirs(os.path.join(place, "switcher"))
    with open(os.path.join(place, SOURCE), "w", encoding="utf-8") as f:
        f.write(composed)
    for path in [offsets, os.path.join(stand.SOURCE, "stand.ld"),
                 os.path.join(TOP, "switcher", "check_object")] + parts:
        shutil.copy(path, place)
    names = [os.path.basename(p) for p in parts]
    link = stand.link_words("stand.elf", names + ["switcher.o"])
    link[link.index(os.path.join(stand.SOURCE, "stand.ld"))] = "stand.ld"
    script = "\n".join([
        "set -e", "ulimit -v 2000000",
        "nasm -f elf64 -Worphan-labels -I ./ -o switcher.o " + SOURCE,
        "python3 check_object switcher.o >inspected 2>&1 || echo refused >>inspected",
        "objdump -t switcher.o >symbols",
        sandbox.quote(inspector().LISTING + ("switcher.o",)) + " >listing",
        "{ %s && %s && nm -n stand.elf >names; } >linked 2>&1 || true" % (
            sandbox.quote(link), sandbox.quote(stand.flat_words("stand.elf", "stand.bin")))])
    built = sandbox.run(["sh", "-c", script], scratch, patience=60)
    if built.status:
        errors = [l for l in built.output.splitlines() if "error:" in l]
        why = "does not compile: %s" % (errors[0].strip() if errors else built.output[-300:])
        if built.why:
            why = "the assembler was stopped: %s" % built.why
        return Verdict(FAIL, why, built.output)
    return None


def read(scratch, name):
    try:
        with open(os.path.join(scratch.path, name), encoding="utf-8", errors="replace") as f:
            return f.read(1 << 21)
    except OSError:
        return ""


def inspect(scratch, rules, tests):
    found = {}
    for t in tests:
        rule = rules.get(t.test.rsplit("/", 1)[1])
        if not rule:
            continue
        try:
            why = rule(Code(read(scratch, "listing"), read(scratch, "symbols")))
        except Broken as error:
            why = str(error)
        found[t.test] = Verdict(FAIL, why) if why else Verdict(PASS)
    return found


def on_the_stand(scratch, tests, seed):
    names = {t.test.rsplit("/", 1)[1]: t.test for t in tests}
    if not os.path.exists(os.path.join(scratch.path, "names")):
        lines = [l for l in read(scratch, "linked").splitlines() if l.strip()]
        why = next((l for l in lines if "undefined" in l), lines[0] if lines else "no reason given")
        return {full: Verdict(FAIL, "does not link: %s" % why) for full in names.values()}

    def runner(words, patience):
        ended = sandbox.run(words, scratch, patience=patience, processes=64)
        return ended.status, ended.output, ended.why == "TIMEOUT"
    try:
        found = stand.run("stand.bin", stand.symbols_in(read(scratch, "names")), list(names),
                          int(seed) & 0x7fffffff, runner, PATIENCE)
    except Broken as error:
        # It is our own code that speaks first there.  Without the student's it would.
        return {full: Verdict("ERROR", str(error)) for full in names.values()}
    return {names[n]: Verdict({"PASS": PASS, "TIMEOUT": TIMEOUT}.get(word, FAIL), why)
            for n, (word, why) in found.items()}


# ---- The reference, for a handout -----------------------------------------------------------

def as_bytes(tree, exercise):
    """
    The reference of one region as NASM text that is no source: labels, bytes, and for what
    lies in other regions its name.
    """
    whole = tree.text(exercise.file)
    head = whole[:whole.index("section .lgswitcher")]
    text = tree.regions[exercise.id].text
    offsets, _ = prepare()
    macros = "\n".join(re.findall(r"^%macro .*?^%endmacro$", whole.replace(text, ""), re.M | re.S))
    with tempfile.TemporaryDirectory(prefix="lg-bytes-") as place:
        path, out = os.path.join(place, "part.asm"), os.path.join(place, "part.o")
        shutil.copy(offsets, place)
        outside = set(re.findall(r"^(\w+):", whole.replace(text, ""), re.M))
        extern = sorted(outside & set(re.findall(r"\w+", text + macros)))
        with open(path, "w", encoding="utf-8") as f:
            f.write("%s\n%s\nsection .lgswitcher progbits alloc exec nowrite align=4096\n%s%s"
                    % (head, macros, "".join("extern %s\n" % n for n in extern), text))
        p = subprocess.run(["nasm", "-f", "elf64", "-w-all", "-I", place + "/", "-o", out, path],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if p.returncode:
            raise LabError("LAB %s by itself: %s" % (exercise.id, p.stdout.decode()[-300:]))
        names = inspector().symbols_in(stand.call(["objdump", "-t", out], "objdump"))
        holes = {}
        for line in stand.call(["objdump", "-r", "-j", ".lgswitcher", out], "objdump").splitlines():
            m = re.match(r"^([0-9a-f]+) (R_X86_64_\w+) +([\w.]+?)(?:([-+])0x([0-9a-f]+))?$", line)
            if m:
                kind, name = m.group(2), m.group(3)
                if kind not in ("R_X86_64_PC32", "R_X86_64_PLT32"):
                    raise LabError("LAB %s: %s to %s: only distances can be written down"
                                   % (exercise.id, kind, name))
                add = int(m.group(5) or "0", 16) * (-1 if m.group(4) == "-" else 1)
                holes[int(m.group(1), 16)] = (name, add)
        flat = os.path.join(place, "part.bin")
        stand.call(["objcopy", "-O", "binary", "-j", ".lgswitcher", out, flat], "objcopy")
        with open(flat, "rb") as f:
            data = f.read()
    here = {}
    for name, offset in names.items():
        if name != ".lgswitcher":
            here.setdefault(offset, []).append(name)
    return written_down(data, here, holes)


def written_down(data, names, holes):
    lines, row, at = [], [], 0

    def flush():
        if row:
            lines.append("\tdb\t" + ",".join("0x%02x" % b for b in row))
            row.clear()

    while at <= len(data):
        if at in names or at in holes or len(row) == 16 or at == len(data):
            flush()
        if at in names:
            lines += [name + ":" for name in names[at]]
        if at in holes:
            # `dd X - $` is X minus the place of the hole, which is what the CPU wants, less 4.
            lines.append("\tdd\t%s - $ %+d" % holes[at])
            at += 4
        elif at < len(data):
            row.append(data[at])
            at += 1
        else:
            break
    return "\n".join(lines) + "\n"
