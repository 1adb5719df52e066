# SPDX-License-Identifier: MIT
"""
Red team: the student writes a Guest that means harm, and it is set upon Hosts that were
broken on purpose.  Each test is one such Host: redteam/NAME.

A Host counts as beaten if something is different from the good one that the Guest itself
cannot just claim: how it ends (the Launcher's exit status and the Host's reason code), the
Guest next door, or the kernel's life.  Different means: each time.  Between the bad Hosts,
at places that are drawn by lot, stands the good one, again and again; a Guest that does
not end on it in always the same way gets nothing at all.

The bad Hosts are one line apart from the good one: hidden/hosts.json, for staff only.  Some
of them are in a handout, compiled (labs/lab11/hosts), to practise on.
"""

import hashlib
import json
import os
import random
import re
import secrets
import shutil
import stat
import subprocess
import tempfile
import time

from . import sandbox
from .compose import put
from .labs import BUILD, TOP, LabError, read_text
from .outcome import ERROR, FAIL, PASS, SKIP, Verdict

PREFIX = "redteam/"
SOURCES = ("host", "switcher", "include")
BEATS = 30
HUNG = "the machine hung"
STUCK = "lg.ko could not be removed any more"
RUNS_MOST = 12
ELF_MOST = 1 << 20
BOOTS_MOST = 30
PATIENCE = 400
ARGUMENTS = re.compile(r"[A-Za-z0-9 _.,=-]{0,60}")


def is_redteam(test):
    return test.startswith(PREFIX)


# ---- The Hosts --------------------------------------------------------------------

class Hosts:
    """{name: lg.ko} of a lab, good one included: built from hosts.json, or as handed out."""

    def __init__(self, lab):
        self.lab = lab
        self.given = os.path.join(lab.folder, "hosts")
        self.broken = {}
        path = os.path.join(lab.folder, "hidden", "hosts.json")
        if os.path.exists(path):
            self.broken = {h["name"]: h for h in json.loads(read_text(path))}

    def names(self):
        if self.broken:
            return sorted(self.broken)
        return sorted(n[:-3] for n in os.listdir(self.given) if n != "good.ko"
                      and n.endswith(".ko")) if os.path.isdir(self.given) else []

    def modules(self, names):
        """Paths of these and of the good one, built if that is necessary."""
        if not self.broken:
            self.check_release()
            return {n: os.path.join(self.given, n + ".ko") for n in ["good"] + list(names)}
        return {n: self.build(n) for n in ["good"] + list(names)}

    def check_release(self):
        from .guests import kernel_folder
        have = read_text(os.path.join(self.given, "release")).strip()
        want = release(kernel_folder())
        if have != want:
            raise LabError("the Hosts in labs/lab11/hosts are for Linux %s, and this is %s; a "
                           "handout for another kernel is made with HOST_KERNEL=..."
                           % (have, want))

    def text(self, name, path):
        """A source as this Host has it."""
        text = read_text(os.path.join(TOP, path))
        host = self.broken.get(name)
        if host and host["file"] == path:
            if text.count(host["from"]) != 1:
                raise LabError("hosts.json: %s: its 'from' is %d times in %s; expected once"
                               % (name, text.count(host["from"]), path))
            text = text.replace(host["from"], host["to"])
        return text

    def check(self):
        """Each mistake finds its line, and each Host has its test."""
        for name, host in sorted(self.broken.items()):
            if name == "good" or not re.fullmatch(r"[a-z][a-z0-9-]*", name):
                raise LabError("hosts.json: '%s': expected a name of small letters, not 'good'"
                               % name)
            self.text(name, host["file"])
        tested = {t.test[len(PREFIX):] for e in self.lab.exercises for t in e.tests
                  if is_redteam(t.test)}
        if tested != set(self.broken):
            raise LabError("hosts.json and the tests of %s differ: %s" % (
                self.lab.where, ", ".join(sorted(tested ^ set(self.broken)))))

    def build(self, name):
        """One lg.ko, kept by the hash of its sources.  One folder for all: little is rebuilt."""
        import fcntl
        from .guests import kernel_folder
        kdir = kernel_folder()
        paths = sorted(os.path.relpath(os.path.join(where, f), TOP) for part in SOURCES
                       for where, _, files in os.walk(os.path.join(TOP, part)) for f in files)
        texts = {p: self.text(name, p).encode() for p in paths}
        digest = hashlib.sha256(release(kdir).encode())
        for p in paths:
            digest.update(p.encode() + b"\0" + texts[p] + b"\0")
        place = os.path.join(BUILD, "labs", "hosts")
        kept = os.path.join(place, "%s-%s.ko" % (name, digest.hexdigest()[:24]))
        if os.path.exists(kept):
            os.utime(kept)
            return kept
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(place, ".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.exists(kept):
                return kept
            for old in os.listdir(place):       # of sources that nobody tried today
                path = os.path.join(place, old)
                if old.endswith(".ko") and os.path.getmtime(path) < time.time() - 86400:
                    os.remove(path)
            work = os.path.join(place, "work")
            for p in paths:
                put(os.path.join(work, p), texts[p],
                    os.stat(os.path.join(TOP, p)).st_mode & 0o777)
            p = subprocess.run(["make", "-s", "-C", os.path.join(work, "host"), "KDIR=" + kdir,
                                "BUILD=" + os.path.join(work, "build")],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            built = os.path.join(work, "build", "host", release(kdir), "lg.ko")
            if p.returncode or not os.path.exists(built):
                raise LabError("hosts.json: %s does not build: %s" % (
                    name, p.stdout.decode("utf-8", "replace")[-600:]))
            subprocess.run(["strip", "--strip-debug", "-o", kept + ".new", built], check=True)
            os.replace(kept + ".new", kept)
        return kept

    def hand_out(self, folder, names):
        """For students: these Hosts, compiled, and the good one."""
        from .guests import kernel_folder
        os.makedirs(folder)
        for name, path in self.modules(names).items():
            shutil.copyfile(path, os.path.join(folder, name + ".ko"))
        with open(os.path.join(folder, "release"), "w", encoding="utf-8") as f:
            f.write(release(kernel_folder()) + "\n")


def hand_out(exercises, dest):
    """For a handout: the Hosts of all tests that are not hidden."""
    for lab in {e.lab.lab: e.lab for e in exercises}.values():
        shown = {t.test[len(PREFIX):] for e in lab.exercises for t in e.tests
                 if is_redteam(t.test) and not t.hidden}
        if shown:
            Hosts(lab).hand_out(os.path.join(dest, "labs", "lab%d" % lab.lab, "hosts"),
                                sorted(shown))


def release(kdir):
    text = read_text(os.path.join(kdir, "include", "generated", "utsrelease.h"))
    return re.search(r'"(.*)"', text).group(1)


# ---- The Guest ---------------------------------------------------------------------

def is_c(text):
    return bool(re.search(r"^[ \t]*#[ \t]*include", text, re.M))


def runs_of(text):
    """The arguments to run it with: lines `; run: WORDS` (` * run: WORDS` in C)."""
    found = []
    for arguments in re.findall(r"^(?:;| \*) run:[ \t]*(.*?)[ \t]*$", text, re.M):
        m = re.fullmatch(r"(.*)\{(\d{1,2})\.\.(\d{1,2})\}", arguments)
        more = [arguments] if not m else [m.group(1) + str(n) for n in range(
            int(m.group(2)), int(m.group(3)) + 1)]
        for one in more:
            if not ARGUMENTS.fullmatch(one):
                return None, "'run: %s': expected at most 60 letters, digits, spaces and " \
                             "_ . , = -" % one[:80]
            found.append(one)
    if len(found) > RUNS_MOST:
        return None, "%d runs; expected at most %d" % (len(found), RUNS_MOST)
    return found or [""], ""


def build_guest(text, to):
    """evil.elf, made in the sandbox.  -> '' or why not"""
    library = os.path.join(TOP, "tests", "inmates")
    with sandbox.Scratch() as scratch:
        for folder in ("tests/inmates", "include"):
            os.makedirs(os.path.join(scratch.path, folder))
            for name in sorted(os.listdir(os.path.join(TOP, folder))):
                if name.endswith((".inc", ".h", ".ld")) or name == "glue.asm":
                    shutil.copy(os.path.join(TOP, folder, name),
                                os.path.join(scratch.path, folder))
        here = "tests/inmates/evil." + ("c" if is_c(text) else "asm")
        with open(os.path.join(scratch.path, here), "w", encoding="utf-8") as f:
            f.write(text)
        make = read_text(os.path.join(library, "Makefile"))
        flags = re.search(r"^CFLAGS := (.*?[^\\])$", make, re.M | re.S).group(1)
        nasm = "nasm -f elf32 -w-all -I tests/inmates/ -o %s %s"
        script = ["set -e"]
        if is_c(text):
            script += ["gcc %s -w -c -o evil.o %s" % (flags.replace("\\\n", " "), here),
                       nasm % ("glue.o", "tests/inmates/glue.asm")]
        else:
            script += [nasm % ("evil.o", here)]
        script.append("ld -m elf_i386 -T tests/inmates/inmate.ld -z noexecstack --build-id=none "
                      "-o evil.elf %sevil.o 2>ld.txt || { cat ld.txt; exit 1; }"
                      % ("glue.o " if is_c(text) else ""))
        done = sandbox.run(["sh", "-c", "\n".join(script)], scratch, patience=60)
        if done.status != 0 or done.why:
            lines = [l for l in done.output.splitlines() if "error" in l or "undefined" in l]
            return "evil.elf does not build: %s" % (done.why or "; ".join(
                lines[:3] or done.output.splitlines()[-3:]).replace("tests/inmates/", ""))
        built = os.path.join(scratch.path, "evil.elf")
        about = os.lstat(built)
        if not stat.S_ISREG(about.st_mode) or about.st_size > ELF_MOST:
            return "evil.elf: %d bytes; expected a file of at most %d" % (about.st_size, ELF_MOST)
        shutil.copyfile(built, to)
        os.chmod(to, 0o644)
    return ""


# ---- The tournament ----------------------------------------------------------------

class Seen:
    """What the boots told."""

    def __init__(self):
        self.good = None        # how each run ended on the good Host
        self.wrong = ""         # what the student's Guest did on it
        self.unsure = False     # ... or this machine, which was too slow
        self.trouble = ""       # what was not the student's fault
        self.dead = {}          # {host: how its kernel ended}
        self.visits = {}        # {visit: [what was seen, in words]}


def sentence(words):
    """What redteam.sh saw of a Host, for people; '': nothing."""
    if words[0] == "ended":
        return "run %s ended with %s; on the good Host with %s" % (words[1], words[3], words[2])
    if words[0] == "heart":
        return "the Guest next door: %s" % " ".join(words[1:])
    if words[0] == "holds":
        return "when all were gone the Host still held %s guests, %s pages, %s tables" \
            % tuple(words[1:4])
    return ""


def ends(ending):
    """Powered off, an epitaph, or killed; and not still running."""
    return ending.split("/")[0] in ("0", "3", "4")


def boot(modules, visits, elf, runs, seen):
    """Pay these visits, in one boot if possible.  -> how many were paid"""
    from . import guests
    from .guests import machine
    mark = "mark-" + secrets.token_hex(8)
    begun, ended = [], []

    def on_line(line):
        words = line.split()
        if len(words) < 2 or words[0] != mark:
            return
        if words[1] == "begin":
            begun.append(words[2])
        elif words[1] == "good":
            seen.good = seen.good or words[2:]
        elif words[1] == "stuck":
            if words[2] == "good":
                seen.trouble = STUCK
            else:
                seen.dead[words[2]] = STUCK
        elif words[1] == "ended":
            ended.append(words[2])
            host = words[2].split(":")[0]
            if words[3] == "insmod":
                seen.trouble = "insmod %s: %s" % (host, " ".join(words[4:]))
            elif host != "good":
                seen.visits.setdefault(words[2], []).append(words[3:])
            elif words[3] == "ended":
                seen.wrong = seen.wrong or "on the good Host run %s ended in two ways: %s, and " \
                    "another time %s" % tuple(words[4:7])
                seen.unsure |= not all(ends(w) for w in words[5:7])
            elif words[3] != "nothing":
                seen.wrong, seen.unsure = seen.wrong or sentence(words[3:]), True

    config = guests.LabConfig(None)
    with tempfile.TemporaryDirectory(prefix="lg-redteam-") as folder:
        for name, lines in (("runs", runs), ("good", seen.good or [])):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write("".join(l + "\n" for l in lines))
        log = os.path.join(folder, "log")
        heart = machine.need(os.path.join(BUILD, "inmates", "heartbeat.elf"), "make inmates")
        words = [machine.NESTED, "exec"] + config.options() + [
            "--no-module", "--timeout", str(PATIENCE), "--log", log,
            "--append", "oops=panic panic_on_warn=1"]
        for path in (os.path.join(folder, "runs"), os.path.join(folder, "good"), heart,
                     elf + ":/root/evil.elf", os.path.join(TOP, "labs", "engine", "redteam.sh")):
            words += ["--file", path]
        for name in sorted({v.split(":")[0] for v in visits}):
            words += ["--file", "%s:/root/hosts/%s.ko" % (modules[name], name)]
        words += ["--", "sh", "/root/redteam.sh", mark, str(BEATS)] + visits
        try:
            status, output = machine.run(words, PATIENCE + 30, on_line, env=config.env)
        except machine.Overdue as error:
            status, output = 124, str(error)
        text = read_log(log)
    if not begun:
        seen.trouble = "the nested machine did not start: %s" % machine.tail(output, 3)
    elif len(begun) > len(ended):       # somebody never came back
        trouble = machine.check_log(text)
        host = begun[-1].split(":")[0]
        if status == 124:
            what = HUNG
        elif trouble or "Kernel panic" in text:
            what = "the kernel died: %s" % (trouble or ["Kernel panic"])[0][:120]
        else:                           # QEMU itself ended, or was ended: nobody's fault
            seen.trouble = machine.tail(output, 3)
            return len(begun) - 1
        if host == "good":
            seen.trouble = "the good Host did not survive (%s): tell your instructor!" % what
        elif what != HUNG or seen.dead.get(host) == "once":
            seen.dead[host] = what
        else:
            # That might have been us: it gets a second chance to hang.
            seen.dead[host] = "once"
            return len(begun) - 1
    return len(begun)


def read_log(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def travel(modules, visits, elf, runs, seen):
    """All boots that these visits take."""
    failures = 0
    for _ in range(BOOTS_MOST):
        visits = [v for v in visits if seen.dead.get(v.split(":")[0], "once") == "once"]
        if not visits or seen.wrong or not all(map(ends, seen.good or [])):
            return
        if not seen.good and visits[0] != "good:0":
            visits.insert(0, "good:0")
        seen.trouble = ""
        done = boot(modules, visits, elf, runs, seen)
        if seen.trouble:
            failures += 1
            if failures > 1:
                return
        visits = visits[done:]
    seen.trouble = "%d boots were not enough" % BOOTS_MOST


def shuffled(things):
    things = list(things)
    random.SystemRandom().shuffle(things)
    return things


def fight(modules, names, elf, runs):
    """
    First a round of visits to all of them.  Then, to each one that seemed to be different,
    two more, and two to the good Host for the same run, all mixed: whoever throws coins
    or looks at the clock will not be right each time.  -> Seen
    """
    seen = Seen()
    travel(modules, ["good:0"] + [n + ":0" for n in shuffled(names)] + ["good:0"], elf, runs, seen)
    again = []
    for visit, found in seen.visits.items():
        host = visit.split(":")[0]
        words = next((w for w in found if sentence(w)), None)
        if words and seen.dead.get(host, "once") == "once":
            number = words[1] if words[0] == "ended" else "0"
            again += ["%s:%s" % (host, number), "good:" + number] * 2
    if again and not seen.wrong and not seen.trouble:
        seen.visits = {}
        travel(modules, shuffled(again), elf, runs, seen)
    return seen


def beaten(seen, host):
    """Why this Host counts as beaten, or ''."""
    if seen.dead.get(host, "once") != "once":
        return seen.dead[host]
    told = [sentence(w) for v, found in seen.visits.items() if v.split(":")[0] == host
            for w in found]
    return told[0] if len(told) >= 2 and all(told) else ""


def try_evil(exercise, text, tests):
    """-> {test: Verdict}; the score is in the number of PASSes."""
    lab = exercise.lab
    hosts = Hosts(lab)
    known = hosts.names()
    verdicts = {t: Verdict(SKIP, "only your instructor has this Host") for t in tests
                if t[len(PREFIX):] not in known}
    mine = [t for t in tests if t not in verdicts]
    if hosts.broken and verdicts:
        raise LabError("%s: hosts.json has no %s" % (lab.where, ", ".join(sorted(verdicts))))
    if not mine:
        return verdicts
    runs, why = runs_of(text)
    with tempfile.TemporaryDirectory(prefix="lg-evil-") as folder:
        elf = os.path.join(folder, "evil.elf")
        why = why or build_guest(text, elf)
        if why:
            verdicts.update({t: Verdict(FAIL, why) for t in mine})
            return verdicts
        names = [t[len(PREFIX):] for t in mine]
        for _ in (1, 2):    # a slow machine is no reason to fail
            seen = fight(hosts.modules(names), names, elf, runs)
            bad_end = [e for e in seen.good or [] if not ends(e)]
            if not seen.unsure and not bad_end:
                break
    for t in mine:
        why = beaten(seen, t[len(PREFIX):])
        if seen.wrong:
            v = Verdict(FAIL, seen.wrong)
        elif bad_end:
            v = Verdict(FAIL, "on the good Host it ended with %s: expected that it comes to an "
                        "end by itself, within 6 s, or is killed" % bad_end[0])
        elif seen.trouble:
            v = Verdict(ERROR, seen.trouble)
        elif why:
            v = Verdict(PASS, why)
        else:
            v = Verdict(FAIL, "on this Host nothing was different: runs ended with %s"
                        % " ".join(seen.good or ["?"]))
        verdicts[t] = v
    return verdicts


def lines_of(text):
    """Lines of code: no blank ones, no comments."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return sum(1 for l in text.splitlines() if l.strip() and not l.strip().startswith((";", "//")))
