# SPDX-License-Identifier: MIT
"""
Tier U: the student's file, unchanged, in a program with sanitizers.

Each exercise is tried alone: its region is the student's, everything else the reference.
So a mistake in 6.1 costs the points of 6.1, and not those of 6.2 to 6.6.

What is not the student's is compiled once and kept by the hash of everything it depends
on; the student's file is compiled and linked in the sandbox.
"""

import functools
import hashlib
import os
import re
import secrets
import shutil
import stat
import subprocess
import tempfile
import threading
import time

from . import sandbox, switcher
from .compose import put
from .labs import BUILD, TOP, LabError, read_text
from .outcome import ERROR, FAIL, PASS, TIMEOUT, Verdict

SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all",
            "-fno-omit-frame-pointer"]
# -g1: lines, which sanitizers name; variables cost a fifth of the compiler's time, and nobody asks.
# A function that is nowhere is better said by the compiler than by the linker, or by a crash.
DECLARED = "-Werror=implicit-function-declaration"
COMMON = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", DECLARED, "-O1", "-g1", "-pthread"]
FRAMES = {
    "host": {"tests": "tests/unit/host", "source": "host",
             "folders": ["host", "include", "tests/unit/host"],
             "flags": ["-Itests/unit/host", "-Ihost", "-Iinclude", "-fno-sanitize=alignment"]},
    # Those files of TeachOS that know no processor: drivers, network.  Names are net/tcp.
    "teachos": {"tests": "tests/unit/teachos", "source": "teachos",
                "folders": ["teachos", "include", "tests/unit/teachos"],
                "flags": ["-Itests/unit/teachos", "-Iteachos/drivers", "-Iteachos/kernel",
                          "-Iteachos/net", "-Iteachos/user", "-Iinclude",
                          "-Wno-pointer-to-int-cast", "-Wno-int-to-pointer-cast"]},
    "launcher": {"tests": "tests/unit/launcher", "source": "launcher",
                 "folders": ["launcher", "include", "tests/unit/launcher"],
                 "flags": ["-Itests/unit/launcher", "-Ilauncher"]},
}
# TeachOS's code for the processor that it is made for, in a test's address space: gate.h
# tells how.  Names are files with their folder: arch/lguest/ring.c, kernel/trap.asm.
FRAMES["teachos32"] = {
    "tests": "tests/unit/teachos32", "source": "teachos", "guest": True, "sanitize": [],
    "folders": ["teachos", "include", "tests/unit/teachos32"],
    "flags": ["-Itests/unit/teachos32", "-Iinclude", "-fcf-protection=none", "-no-pie"]}
GUEST_FOLDERS = ["lib", "kernel", "arch/lguest", "arch/native", "drivers", "net"]
PATIENCE = float(os.environ.get("LAB_PATIENCE", "20"))
_lock = threading.Lock()
_locks = {}


def variables(path):
    """The simple variables of a makefile, as lists: what the tests link is said there, once."""
    found, text = {}, re.sub(r"\\\n", " ", read_text(path))
    for name, value in re.findall(r"^(\w+)\s*:?=[ \t]*(.*)$", text, re.M):
        found[name] = re.sub(r"\$\((\w+)\)", lambda m: " ".join(found.get(m.group(1), [])),
                             value).split()
    return found


class Program:
    """One cmocka program of a lab: "frame/name" in the names of its tests."""

    def __init__(self, lab, key):
        frame, _, name = key.partition("/")
        if frame not in FRAMES:
            raise LabError("%s: program %s: there is no frame '%s'; expected one of %s"
                           % (lab.where, key, frame, ", ".join(FRAMES)))
        self.key, self.frame_name, self.name = key, frame, name
        self.frame = FRAMES[frame]
        self.inside = bool(self.frame.get("guest"))
        make = {} if self.inside else variables(os.path.join(TOP, self.frame["tests"],
                                                             "Makefile"))
        more = lab.programs.get(key) or {}
        for k in more:
            if k not in ("needs", "help", "ldflags", "source"):
                raise LabError("%s: program %s: unknown key '%s'; expected needs, help, ldflags "
                               "or source" % (lab.where, key, k))
        self.source = more.get("source", "%s/test_%s.c" % (self.frame["tests"], name))
        self.needs = more.get("needs") or make.get(name + "_NEEDS") or make.get("PURE")
        self.ldflags = more.get("ldflags") or make.get(name + "_LDFLAGS", [])
        self.help = more.get("help", make.get("HELP", []))
        if frame == "teachos" and "needs" not in more and self.needs:
            # There they stand together, and a prefix says which folder a file is from.
            self.help = [n for n in self.needs if "_" not in n]
            self.needs = [n.replace("_", "/", 1) for n in self.needs if "_" in n]
        if not self.needs:
            raise LabError("%s: program %s: which sources does it need? expected 'needs'"
                           % (lab.where, key))


    @property
    def flavour(self):
        """Which of a handout's reference objects go with it."""
        return "2level" if self.inside else "unit"

    @property
    def paths(self):
        return [n if n.startswith("labs/") or os.path.isabs(n) else "%s/%s%s" % (
            self.frame["source"], n, "" if "." in n else ".c") for n in self.needs]


def headers_hash(top, folders):
    """One hash for all headers that a file of these folders may include."""
    digest = hashlib.sha256()
    for folder in folders:
        for where, sub, names in os.walk(os.path.join(top, folder)):
            sub.sort()
            for name in sorted(names):
                if name.endswith(".h"):
                    with open(os.path.join(where, name), "rb") as f:
                        digest.update(name.encode() + f.read())
    return digest.hexdigest()


def sanitizers(frame):
    return frame.get("sanitize", SANITIZE)


def flags_of_ours(frame):
    """For what is compiled once and kept: the compiler may take its time, the tests may not."""
    return sanitizers(frame) + frame["flags"] + ([] if frame.get("guest") else ["-O2"])


def guest_words(path, source, to, values, first=()):
    """
    The command that makes 32-bit code of a file of TeachOS's.  values: asm_values.inc; first:
    folders where headers are looked for before all others
    """
    if path.endswith(".asm"):
        return ["nasm", "-f", "elf32", "-g", "-F", "dwarf", "-i", os.path.dirname(values) + "/",
                "-o", to, source]
    flags = [f for f in variables(os.path.join(TOP, "teachos", "Makefile"))["CFLAGS_ALL"]
             if not f.startswith(("-I", "-W"))]
    return ["gcc"] + flags + ["-I" + f for f in list(first) + [
        "teachos/" + f for f in GUEST_FOLDERS]] + [
            "-Iinclude", "-DCONFIG_DEBUG", DECLARED, "-c", "-x", "c", "-o", to, source]


@functools.lru_cache(None)
def asm_values():
    """NASM's constants, as TeachOS's Makefile gets them out of the headers; made once a run."""
    path = os.path.join(BUILD, "teachos", "2level", "asm_values.inc")
    with _lock:
        p = subprocess.run(["make", "-s", "-C", os.path.join(TOP, "teachos"), "BUILD=" + BUILD,
                            path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           env={k: v for k, v in os.environ.items() if k != "MAKEFLAGS"})
    if p.returncode:
        raise LabError("asm_values.inc: %s" % p.stdout.decode("utf-8", "replace")[-500:])
    return path


def trusted_object(path, text, flags, headers, place, words=None):
    """Compile what is ours; -> the kept object.  words: with this, not with the C compiler."""
    words = words or [os.environ.get("CC", "gcc")] + COMMON + flags + ["-c", "-x", "c", "-o",
                                                                      "TO", "-"]
    key = hashlib.sha256("\0".join(words + [path, headers, text]).encode()).hexdigest()[:32]
    folder = os.path.join(BUILD, "labs", "objects")
    kept = os.path.join(folder, key + ".o")
    with _lock:
        mine = _locks.setdefault(key, threading.Lock())
    with mine:
        if not os.path.exists(kept):
            os.makedirs(folder, exist_ok=True)
            fresh = "%s.%d" % (kept, os.getpid())
            with tempfile.NamedTemporaryFile("w", suffix=os.path.splitext(path)[1]) as f:
                f.write(text if path.endswith(".asm") else '#line 1 "%s"\n' % path + text)
                f.flush()
                p = subprocess.run([{"TO": fresh, "-": f.name}.get(w, w) for w in words],
                                   cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if p.returncode:
                raise LabError("%s does not compile: %s"
                               % (path, p.stdout.decode("utf-8", "replace")[-800:]))
            os.replace(fresh, kept)
    return kept


def sources_for(frame, scratch, top=TOP):
    """Copies what the compiler may read into the scratch folder."""
    for folder in frame["folders"]:
        for where, _, names in os.walk(os.path.join(top, folder)):
            to = os.path.join(scratch, os.path.relpath(where, top))
            os.makedirs(to, exist_ok=True)
            for name in names:
                if name.endswith((".h", ".inc")):
                    shutil.copy(os.path.join(where, name), to)


def prepare(lab, tree):
    """Compile all that is ours for this lab's programs."""
    for key in sorted({t.test.rsplit("/", 1)[0] for e in lab.exercises for t in e.tests
                       if in_program(t.test)}):
        objects_of(Program(lab, key), tree, None)
    if any(switcher.is_mine(t.test) for e in lab.exercises for t in e.tests):
        switcher.prepare(lab.stand)


def reference_headers(tree, program, student):
    """-> ([a folder with a handout's headers as they are in the reference], objects)"""
    headers = {p: h for p, h in tree.headers(program.flavour).items() if p != student}
    if not headers:
        return [], []
    digest = hashlib.sha256("".join(t for t, _ in headers.values()).encode()).hexdigest()[:16]
    folder = os.path.join(BUILD, "labs", "headers", digest)
    with _lock:
        for path, (text, _) in headers.items():
            put(os.path.join(folder, os.path.basename(path)), text.encode())
    return [folder], [o for _, objects in headers.values() for o in objects]


def objects_of(program, tree, student):
    """
    Objects of a program but for the student's file (student: its path, or None).  -> (those
    of the program, those of the 32-bit code inside it)
    """
    frame, inside = program.frame, []
    headers = headers_hash(TOP, frame["folders"])
    flags = flags_of_ours(frame)
    own = os.path.dirname(program.source)
    found = [trusted_object("labs/engine/runner.c",
                            read_text(os.path.join(TOP, "labs/engine/runner.c")),
                            [], "", TOP),
             trusted_object(program.source, read_text(os.path.join(TOP, program.source)),
                            flags + ["-I" + own], headers + headers_hash(TOP, [own]), TOP)]
    for name in program.help:
        path = "%s/%s.c" % (frame["tests"], name)
        found.append(trusted_object(path, read_text(os.path.join(TOP, path)), flags, headers, TOP))
    if program.inside:
        for name, words in (("gate.c", None),
                            ("gate.asm", ["nasm", "-f", "elf64", "-o", "TO", "-"])):
            path = "%s/%s" % (frame["tests"], name)
            found.append(trusted_object(path, read_text(os.path.join(TOP, path)), flags, headers,
                                        TOP, words))
        values = asm_values()
        headers += read_text(values)
        first, more = reference_headers(tree, program, student)
        inside += more
        headers += "".join(first)
    if student and student.endswith(".h"):
        return found, inside        # every file may include it
    for path in program.paths:
        if path != student:
            text, more = tree.reference_file(path, program.flavour)
            kept = trusted_object(path, text, flags, headers, TOP, guest_words(
                path, "-", "TO", values, first) if program.inside else None)
            (inside if program.inside else found).extend([kept] + more)
    return found, inside


def names_of(exercise, program, tree):
    """
    What the student's file may be called by: what the reference's is, and the exercise's
    functions.  All else that it defines is its own affair, or somebody would bring a memcmp, or an
    _assert_true, of their own.
    """
    return sorted(defined_in(reference_of(exercise, program, tree)) | set(exercise.functions))


def reference_of(exercise, program, tree):
    """What the student's file is in the reference, as an object."""
    text, _ = tree.reference_file(exercise.file, program.flavour)
    return trusted_object(exercise.file, text, flags_of_ours(program.frame),
                          headers_hash(TOP, program.frame["folders"]), TOP)


@functools.lru_cache(None)
def defined_in(path):
    """The global names that an object brings; its path has a hash of it."""
    p = subprocess.run(["nm", "-g", "--defined-only", "-P", path], stdout=subprocess.PIPE,
                       check=True)
    return {line.split()[0] for line in p.stdout.decode().splitlines() if line.strip()}


def is_guest(test):
    return test.split("/", 1)[0] in ("guest", "hostile", "redteam")


def in_program(test):
    """Is it one of a cmocka program's?"""
    return not is_guest(test) and not switcher.is_mine(test)


def try_exercise(exercise, tree, text, seed, tests=None, keep=False):
    """
    Run the unit tests of one exercise with `text` in its region.  keep: keep the programs, too,
    since this text may come again.  -> {test name: Verdict}; names as in lab.json.
    """
    lab = exercise.lab
    tests = tests or exercise.tests
    verdicts = {}
    mine = [t for t in tests if switcher.is_mine(t.test)]
    if mine:
        verdicts = switcher.try_exercise(exercise, tree, text, seed, mine)
    tests = [t for t in tests if in_program(t.test)]
    keys = []
    for t in tests:
        key = t.test.rsplit("/", 1)[0]
        if key not in keys:
            keys.append(key)
    if not keys:
        return verdicts
    with sandbox.Scratch() as scratch:
        place = os.path.join(scratch.path, exercise.file)
        programs = [Program(lab, key) for key in keys]
        for program in programs:
            sources_for(program.frame, scratch.path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        os.makedirs(os.path.join(scratch.path, "objects"))
        script, seen, sections = ["set -e"], set(), set()
        for program in programs:
            frame = program.frame_name
            composed, more = tree.student_file(exercise, text, program.flavour)
            with open(place, "w", encoding="utf-8") as f:
                f.write(composed)
            flags = COMMON + sanitizers(program.frame)
            if frame not in seen:
                seen.add(frame)
                if program.inside:
                    shutil.copy(asm_values(), os.path.join(scratch.path, "asm_values.inc"))
                    for path, (header, _) in tree.headers(program.flavour).items():
                        if path != exercise.file:
                            with open(os.path.join(scratch.path, path), "w",
                                      encoding="utf-8") as f:
                                f.write(header)
                else:
                    script.append(sandbox.quote(["gcc"] + flags + program.frame["flags"] + [
                        "-c", "-o", frame + ".o", exercise.file]))
                    with open(os.path.join(scratch.path, frame + ".names"), "w",
                              encoding="ascii") as f:
                        f.write("\n".join(names_of(exercise, program, tree)) + "\n")
                    script.append("objcopy --keep-global-symbols=%s.names %s.o" % (frame, frame))
                    script.append("readelf -SWs %s.o >%s" % (frame, ABOUT + frame))
                    sections |= sections_in(reference_of(exercise, program, tree))
            names, inside = [], []
            ours, theirs = objects_of(program, tree, exercise.file)
            for kept, found in ((names, ours), (inside, theirs)):
                for o in found + (more if (kept is inside) == program.inside else []):
                    name = "objects/%s-%s-%d.o" % (frame, program.name, len(names + inside))
                    shutil.copy(o, os.path.join(scratch.path, name))
                    kept.append(name)
            if program.inside:
                theirs = of_student(program, exercise, tree, scratch.path, inside)
                script += [sandbox.quote(words) for words in theirs]
            else:
                names.insert(0, frame + ".o")
            script.append(sandbox.quote(
                ["gcc"] + flags + (["-no-pie"] if program.inside else []) +
                ["-o", program.name] + names + program.ldflags +
                ["-Wl,--wrap=_cmocka_run_group_tests", "-Wl,-z,relro,-z,now", "-lcmocka"]))
            if program.inside:
                tests_of = os.path.join(TOP, program.frame["tests"])
                for name in ("guest.sh", "guest.ld"):
                    shutil.copy(os.path.join(tests_of, name), scratch.path)
                script.append(sandbox.quote(["sh", "guest.sh", ".", program.name + ".guest"] +
                                            inside))
        # Beside the student's region there is the reference of all others.
        script.append("rm -rf labs objects *.o " + " ".join(sorted({
            f.split("/")[0] for p in programs for f in p.frame["folders"]})))
        built = build_programs(programs, script, scratch, keep, sections)
        if built.status != 0:
            why = compiler_says(built.output) or "does not compile: %s" % built.output[-300:]
            if built.why:
                why = "the compiler was stopped: %s" % built.why
            return {t.test: Verdict(FAIL, why, built.output) for t in tests}
        for program in programs:
            mine = [t for t in tests if t.test.rsplit("/", 1)[0] == program.key]
            # Each in a folder of its own: who runs in one program could write the next one.
            with sandbox.Scratch() as own:
                for name in products_of(program):
                    shutil.copy(os.path.join(scratch.path, name), own.path, follow_symlinks=False)
                verdicts.update(run_program(program, mine, own, seed))
        warning = compiler_warns(built.output, exercise, tree, text)
        for t in tests:
            verdicts[t.test].warning = warning
    return verdicts


def products_of(program):
    return [program.name] + [program.name + ".guest"] * program.inside


def build_programs(programs, script, scratch, keep, sections):
    """
    Compile and link, in the sandbox.  keep: whoever works at 9.5 has not changed the other
    thirteen, so what came out is kept, by the hash of all that went in.  sections: what the
    reference has.  -> sandbox.Ended
    """
    script = "\n".join(script)
    products = [n for p in programs for n in products_of(p)]
    kept = keep and os.path.join(BUILD, "labs", "programs", hash_of(scratch.path, script))
    if kept and os.path.exists(os.path.join(kept, "compiler.txt")):
        os.utime(kept)
        for name in os.listdir(scratch.path):
            if name != "tmp":
                path = os.path.join(scratch.path, name)
                (shutil.rmtree if os.path.isdir(path) else os.remove)(path)
        for name in products:
            shutil.copy(os.path.join(kept, name), scratch.path)
        return sandbox.Ended(0, read_text(os.path.join(kept, "compiler.txt")), "", 0)
    built = sandbox.run(["sh", "-c", script], scratch, patience=120)
    if built.status == 0 and not built.why:
        early = runs_early(scratch.path, sections)
        if early:
            return sandbox.Ended(1, early, "", built.seconds)
    if kept and built.status == 0 and not built.why:
        keep_programs(kept, [os.path.join(scratch.path, n) for n in products], built.output)
    return built


ABOUT = "readelf-"
# What any C file may have: nothing of that runs by itself.
ORDINARY = re.compile(r"\.(text|data|rodata|bss|tdata|tbss|rela?|note|group|comment|eh_frame|"
                      r"gcc_except_table|symtab|strtab|shstrtab)(\.|$)|\.debug_")
# The sanitizer's own, eight bytes each: one function.
SANITIZERS_OWN = (".init_array.00099", ".fini_array.00099")


@functools.lru_cache(None)
def sections_in(path):
    p = subprocess.run(["readelf", "-SW", path], stdout=subprocess.PIPE, check=True)
    return frozenset(s for s, _ in map(section_of, p.stdout.decode().splitlines()) if s)


def section_of(line):
    """-> (name, size) in a line of readelf's, or (None, 0)"""
    m = re.match(r"\s*\[ *[1-9]\d*\] (.*)$", line)
    if not m:
        return None, 0
    m = re.match(r"(\S+)\s+\S+\s+[0-9a-f]{16} [0-9a-f]+ ([0-9a-f]+) ", m.group(1)) or m
    return m.group(1), int(m.group(2), 16) if m.lastindex > 1 else 0


def runs_early(folder, sections):
    """
    What of the student's object would run before the tests do, or in the sanitizer's place: there
    it could read the nonce.  By what readelf said of it when nothing of it had run; sections: what
    the reference has, too.  -> a sentence
    """
    for name in sorted(n for n in os.listdir(folder) if n.startswith(ABOUT)):
        seen = set()
        for line in read_text(os.path.join(folder, name)).splitlines():
            section, size = section_of(line)
            if section in SANITIZERS_OWN and section not in seen and size == 8:
                seen.add(section)
            elif section and not ORDINARY.match(section) and (
                    section in SANITIZERS_OWN or section not in sections):
                return "error: section %s: nothing of yours may run before the tests, or after " \
                    "them" % section[:60]
            m = re.match(r"\s*\d+: [0-9a-f]+ +\S+ +(\S+) +\S+ +\S+ +(?!UND)\S+ (\S+)$", line)
            if m and (m.group(1) == "IFUNC" or re.match(
                    r"__(asan|ubsan|lsan|sanitizer|interceptor)_", m.group(2))):
                return "error: %s: that is the sanitizer's, or the linker's" % m.group(2)
    return ""


def hash_of(folder, script):
    """Of all files in it, of this script, and of the compiler."""
    about = os.stat(shutil.which("gcc") or "/")
    digest = hashlib.sha256(("%s\0%d %d\0" % (script, about.st_size, about.st_mtime_ns)).encode())
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(where, name)
            with open(path, "rb") as f:
                data = f.read()
            digest.update(b"%s\0%d\0" % (os.path.relpath(path, folder).encode(), len(data)) + data)
    return digest.hexdigest()[:32]


def keep_programs(kept, paths, said=""):
    """They come out of the sandbox: files are taken, and not what else may have those names."""
    if not all(os.path.exists(p) and stat.S_ISREG(os.lstat(p).st_mode) for p in paths):
        return
    place = os.path.dirname(kept)
    os.makedirs(place, exist_ok=True)
    for old in os.listdir(place):       # nobody asked for these today
        path = os.path.join(place, old)
        try:
            if os.path.getmtime(path) < time.time() - 86400:
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass                        # somebody else was quicker
    fresh = tempfile.mkdtemp(prefix="new-", dir=place)
    for path in paths:
        shutil.copy(path, fresh, follow_symlinks=False)
    with open(os.path.join(fresh, "compiler.txt"), "w", encoding="utf-8") as f:
        f.write(said)
    try:
        os.rename(fresh, kept)
    except OSError:                     # it is there by now
        shutil.rmtree(fresh, ignore_errors=True)


def of_student(program, exercise, tree, place, inside):
    """The commands that compile the student's file; if it is a header, all that it is in."""
    commands = []
    for path in program.paths if exercise.file.endswith(".h") else [exercise.file]:
        if path != exercise.file:
            text, more = tree.reference_file(path, program.flavour)
            if os.path.isabs(path):     # an overlay's
                path = "labs/" + os.path.basename(path)
            os.makedirs(os.path.dirname(os.path.join(place, path)), exist_ok=True)
            with open(os.path.join(place, path), "w", encoding="utf-8") as f:
                f.write(text)
            for o in more:
                shutil.copy(o, os.path.join(place, "objects"))
                inside.append("objects/" + os.path.basename(o))
        to = "objects/%s-%s.o" % (program.name, os.path.basename(path))
        inside.insert(0, to)
        commands.append(guest_words(path, path, to, "./asm_values.inc"))
    return commands


def compiler_says(output):
    """The first error: the compiler's, the linker's, or (with a capital) the assembler's."""
    for line in output.splitlines():
        if re.search(r"[Ee]rror:|undefined reference|multiple definition", line):
            return "does not compile: " + line.strip()
    return ""


def compiler_warns(output, exercise, tree, text):
    """The first warning about the student's lines: `ss & 3 != 1` compiles."""
    begin = tree.regions[exercise.id].begin
    for line in output.splitlines():
        m = re.match(r"%s:(\d+):(?:\d+:)? warning: (.*)" % re.escape(exercise.file), line)
        if m and begin < int(m.group(1)) <= begin + text.count("\n"):
            return "%s:%s: %s" % (exercise.file, m.group(1), m.group(2))
    return ""


def run_program(program, tests, scratch, seed):
    nonce = secrets.token_hex(16)
    # A test may stand for several of the program's: it passes if they all do.
    parts = [t.of or [t.test.rsplit("/", 1)[1]] for t in tests]
    names = sorted({n for p in parts for n in p})
    logs = os.path.join(scratch.path, "logs-" + program.name)
    os.makedirs(logs, exist_ok=True)
    out, into = os.pipe()        # the way of the verdicts
    text = []

    def read():
        with os.fdopen(out, "rb") as f:
            text.append(f.read(1 << 20))
            while f.read(1 << 16):
                pass

    reader = threading.Thread(target=read)
    reader.start()
    try:
        ended = sandbox.run(
            ["./" + program.name], scratch, patience=PATIENCE * (len(names) + 1),
            stdin=(nonce + "\n").encode(), pass_fds=(into,), processes=64,
            env={"LAB_VERDICTS": str(into), "LAB_TESTS": ",".join(names),
                 "LAB_PATIENCE": "%d" % PATIENCE, "LAB_LOGS": logs,
                 "SEED": str(seed), "CMOCKA_MESSAGE_OUTPUT": "TAP",
                 # What was freed is kept back for a while, to see who still uses it.  256 MiB
                 # would be the default, and every page of them new.
                 "ASAN_OPTIONS": "detect_leaks=0:handle_segv=2:hard_rss_limit_mb=1500:"
                                 "quarantine_size_mb=16",
                 "UBSAN_OPTIONS": "print_stacktrace=0"})
    finally:
        os.close(into)
        reader.join()
    said = {}
    for line in text[0].decode("utf-8", "replace").splitlines():
        words = line.split(" ", 3)
        if len(words) >= 3 and words[0] == nonce:
            said.setdefault(words[1], (words[2], words[3] if len(words) > 3 else ""))
    verdicts = {}
    for t, part in zip(tests, parts):
        for name in part:
            v = verdict_of(name, said, ended, logs, program, scratch)
            if len(part) > 1 and v.word != PASS:
                v.why = "%s: %s" % (name, v.why)
            verdicts[t.test] = v
            if v.word != PASS:
                break
    return verdicts


AT = re.compile(r" \[eip (0x[0-9a-f]+)\]")


def with_lines(log, program, scratch):
    """
    Where 32-bit code was, in lines of the source.  The file that tells has come out of the
    sandbox, so it is read in there.
    """
    at = sorted(set(AT.findall(log)))[:20]
    if not at or not program.inside:
        return log
    p = sandbox.run(["addr2line", "-e", program.name + ".guest"] + at, scratch, patience=10)
    lines = dict(zip(at, p.output.splitlines() if p.status == 0 else []))

    def line(m):
        found = re.match(r"(?:.*/)?(teachos/[\w./-]+:\d+)", lines.get(m.group(1), ""))
        return " (%s)" % found.group(1) if found else ""
    return AT.sub(line, log)


def log_of(logs, name):
    """What a test said.  The student's code was there, too, and may have put a link here."""
    try:
        if not stat.S_ISDIR(os.lstat(logs).st_mode):
            return ""
        fd = os.open(os.path.join(logs, name + ".log"), os.O_RDONLY | os.O_NOFOLLOW |
                     os.O_NONBLOCK)
        with os.fdopen(fd, encoding="utf-8", errors="replace") as f:
            return f.read(1 << 18) if stat.S_ISREG(os.fstat(fd).st_mode) else ""
    except OSError:
        return ""


def verdict_of(name, said, ended, logs, program, scratch):
    """One test of a program, from what came by the way of the verdicts."""
    log = with_lines(log_of(logs, name), program, scratch)
    word, why = said.get(name, (None, ""))
    if word == "PASS":
        return Verdict(PASS, "", log)
    if word == "TIMEOUT":
        at = re.search(FRAME, log.partition("\nSTILL RUNNING\n")[2], re.M)
        return Verdict(TIMEOUT, why + (", in %s(), %s" % at.groups() if at else ""), log)
    if word == "FAIL":
        # How it ended says less than what it complained of.  What the runner itself found
        # out about it says more.
        ended_badly = why.startswith(("exit status", "ended by signal"))
        return Verdict(FAIL, (ended_badly and reason(log)) or why or reason(log), log)
    if word == "ERROR" or ended.status == 125:
        return Verdict(ERROR, why or ended.output[-200:].strip(), log)
    if said.get("."):
        return Verdict(ERROR, "there is no test %s in %s" % (name, program.source), log)
    if ended.why == "TIMEOUT":
        return Verdict(TIMEOUT, "the whole program was still running", log)
    return Verdict(FAIL, "the program ended before this test: %s"
                   % (ended.why or "status %s" % ended.status), log or ended.output)


# A line of AddressSanitizer's call stack that is about a source of ours.
FRAME = r"^ +#\d+ 0x\w+ in (?!where_are_you )(\w+) (\w[^\s:]*:\d+)"
NOISE = re.compile(r"^(ok|not ok|1\.\.|# [a-z_]+: \d+ test|# ok|# not ok|TAP version)|Failure!$")


def reason(log):
    """The first line that says what was wrong, and where that is in the sources."""
    for line in log.splitlines():
        m = re.search(r"(?:(\w\S*?:\d+)(?::\d+)?: )?runtime error: (.*)", line)
        if m:
            return ": ".join(filter(None, m.groups()))
        m = re.search(r"ERROR: (AddressSanitizer: .*?)(?: on unknown| at pc| \(pc|$)", line)
        if m:
            # The top of the stack may be in a library of the sanitizer's.
            at = re.search(FRAME, log, re.M)
            return m.group(1) + (", in %s(), %s" % at.groups() if at else "")
    lines = log.splitlines()
    # What a program says of itself comes before what its test says of it.
    complaint = [i for i, l in enumerate(lines) if re.match(r"(# )?ERROR: ", l)]
    lines = lines[complaint[0]:] if complaint else lines
    lines = [re.sub(r"^# ", "", re.sub(r"^ERROR: ", "", l.strip())) for l in lines]
    lines = [l for l in lines if l and not NOISE.search(l) and not re.match(
        r"^[\w./-]+:\d+: (0|cond)$", l) and "SEED=" not in l]
    where = re.search(r"(\S+:\d+): error: Failure!", log)
    if where and lines and not re.search(r"\.(c|h|asm):\d+", lines[0]):
        lines.insert(1, "at " + where.group(1))
    return "; ".join(lines[:3])[:300]
