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
of them are in a handout, compiled (labs/lab11/hosts), to practise on.  An instructor's overlay
(HIDDEN) may bring more of them, in a hosts.json of its own.
"""

import concurrent.futures
import functools
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import subprocess
import tempfile
import threading
import time

from . import sandbox
from .compose import put
from .labs import BUILD, TOP, LabError, Record, read_text
from .outcome import ERROR, FAIL, PASS, SKIP, Verdict

PREFIX = "redteam/"
SOURCES = ("host", "switcher", "include")
HOST_KEYS = {"name": 1, "file": 1, "from": 1, "to": 1}
BEATS = 30
HUNG = "the machine hung"
STUCK = "lg.ko could not be removed any more"
RUNS_MOST = 12
ELF_MOST = 1 << 20
MACHINES = min(2, os.cpu_count() or 1)     # at a time
FEW = 6             # visits for which no new machine is worth the while
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
        self.broken, self.where = {}, {}
        for folder in [os.path.join(lab.folder, "hidden")] + lab.folders[1:]:
            path = os.path.join(folder, "hosts.json")
            if os.path.exists(path) and path not in self.where.values():
                self.read(path)

    def read(self, path):
        """The course's hosts.json, or an overlay's."""
        try:
            hosts = json.loads(read_text(path))
        except ValueError as error:
            raise LabError("%s: %s" % (path, error))
        if not isinstance(hosts, list):
            raise LabError("%s: expected a list of Hosts, got %.40r" % (path, hosts))
        for number, host in enumerate(hosts, 1):
            h = Record("%s: Host %d" % (path, number), HOST_KEYS, host)
            for key in HOST_KEYS:
                if not isinstance(host[key], str):
                    raise LabError("%s: '%s' is %r; expected a text" % (h.where, key, host[key]))
            if h.name == "good" or not re.fullmatch(r"[a-z][a-z0-9-]*", h.name):
                raise LabError("%s: '%s': expected a name of small letters, not 'good'"
                               % (path, h.name))
            if h.name in self.broken:
                raise LabError("%s: Host %s is there already, in %s"
                               % (path, h.name, self.where[h.name]))
            if h.file != os.path.normpath(h.file) or h.file.split("/")[0] not in SOURCES or \
                    not os.path.isfile(os.path.join(TOP, h.file)):
                raise LabError("%s: %s: there is no file %s; expected one of %s" % (
                    path, h.name, h.file, ", ".join(p + "/..." for p in SOURCES)))
            self.broken[h.name], self.where[h.name] = host, path

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
                raise LabError("%s: %s: its 'from' is %d times in %s; expected once"
                               % (self.where[name], name, text.count(host["from"]), path))
            text = text.replace(host["from"], host["to"])
        return text

    def check(self):
        """Each mistake finds its line, and each Host has its test."""
        if not self.broken and os.path.isdir(self.given):
            return                  # a handout, which has them compiled
        for name, host in sorted(self.broken.items()):
            self.text(name, host["file"])
        tested = {t.test[len(PREFIX):] for e in self.lab.exercises for t in e.tests
                  if is_redteam(t.test)}
        for name in sorted(set(self.broken) - tested):
            raise LabError("%s: Host %s has no test; expected %s%s in lab.json, or in a hidden.json"
                           % (self.where[name], name, PREFIX, name))
        for name in sorted(tested - set(self.broken)):
            raise LabError("%s: test %s%s: there is no such Host in hosts.json; expected one of %s"
                           % (self.lab.where, PREFIX, name, ", ".join(sorted(self.broken))))

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
                raise LabError("%s: %s does not build: %s" % (
                    self.where.get(name, "hosts.json"), name, p.stdout.decode("utf-8", "replace")[-600:]))
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
        self.most = []          # and how many world switches would be too many
        self.wrong = ""         # what the student's Guest did on it
        self.unsure = False     # ... or this machine, which was too slow
        self.trouble = ""       # what was not the student's fault
        self.dead = {}          # {host: how its kernel ended}
        self.visits = {}        # {host: [what was seen, in words]}

    def is_dead(self, host):
        return self.dead.get(host, "once") != "once"


def sentence(words):
    """What redteam.sh saw of a Host, for people; '': nothing."""
    if words[0] == "ended" and words[3].startswith("often/"):
        return "run %s went home to the Host %s times, and came to no end; on the good Host it " \
               "ended with %s" % (words[1], words[3][6:], words[2])
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


def late(ending):
    """It was the clock that ended it, and the clock may be wrong: a machine may be slow."""
    return not ends(ending) and not ending.startswith("often/")


class Tournament:
    """
    All Hosts get a visit.  Each one that seemed to be different gets two more, and the good one
    two for the same run: whoever throws coins or looks at the clock will not be right each
    time.  Two machines take the visits from one heap, by lot; so where the good Host
    stands, nobody can know.  A Host that takes its machine along costs a new one, and no more.
    """

    def __init__(self, modules, names, elf, runs):
        self.modules, self.elf, self.runs = modules, elf, runs
        self.seen = Seen()
        self.heap = [n + ":0" for n in names] + ["good:0"]
        self.away = 0           # visits that somebody is paying
        self.up = 0             # machines that are
        self.boots = self.failures = 0
        self.changed = threading.Condition()

    def fight(self):
        """-> Seen"""
        with concurrent.futures.ThreadPoolExecutor(MACHINES) as pool:
            for one in [pool.submit(self.machine) for _ in range(MACHINES)]:
                one.result()
        return self.seen

    def is_over(self):
        seen = self.seen
        return bool(seen.wrong or seen.trouble or not all(map(ends, seen.good or [])))

    def take(self, fresh):
        """
        The next visit, or None: there is none any more.  fresh: it would take a new machine, so
        the last few are left to one that is up.
        """
        with self.changed:
            while not self.is_over():
                self.heap = [v for v in self.heap if not self.seen.is_dead(v.split(":")[0])]
                if not self.heap and not self.away:
                    break
                if fresh and not self.seen.good:
                    self.away += 1
                    return "good:0"
                if len(self.heap) > (FEW if fresh and self.up else 0):
                    self.away += 1
                    return self.heap.pop(secrets.randbelow(len(self.heap)))
                self.changed.wait()
            return None

    def give_back(self, visit):
        with self.changed:
            self.away -= 1
            self.heap.append(visit)
            self.changed.notify_all()

    def paid(self, visit, words):
        """A visit is over, and this was seen."""
        host, number = visit.split(":")
        seen = self.seen
        with self.changed:
            self.away -= 1
            if words[0] == "insmod":
                self.fail("insmod %s: %s" % (host, " ".join(words[1:])))
            elif host != "good":
                told = seen.visits.setdefault(host, [])
                told.append(words)
                if len(told) == 1 and sentence(words):
                    number = words[1] if words[0] == "ended" else "0"
                    self.heap += ["%s:%s" % (host, number), "good:" + number] * 2
            elif words[0] == "ended":
                self.two_ways(*words[1:4])
            elif words[0] != "nothing":
                seen.wrong, seen.unsure = seen.wrong or sentence(words), True
            self.changed.notify_all()

    def two_ways(self, run, one, other):
        seen = self.seen
        seen.wrong = seen.wrong or "on the good Host run %s ended in two ways: %s, and another " \
            "time %s" % (run, one, other)
        seen.unsure |= late(one) or late(other)

    def is_good(self, words):
        """The good Host, and how each run ended there.  One machine is the first to know."""
        endings = [w.split(":")[0] for w in words]
        with self.changed:
            if not self.seen.good:
                self.seen.good, self.seen.most = endings, [w.split(":")[1] for w in words]
            for k, (one, other) in enumerate(zip(self.seen.good, endings), 1):
                if one != other:
                    self.two_ways(k, one, other)
            self.changed.notify_all()

    def fail(self, why):
        """The machine's fault: once is forgiven."""
        with self.changed:
            self.failures += 1
            if self.failures > 1:
                self.seen.trouble = why
            self.changed.notify_all()

    def machine(self):
        """One machine after the other, as long as there are visits."""
        while True:
            visit = self.take(True)
            if not visit:
                return
            with self.changed:
                self.boots += 1
                self.up += 1
                if self.boots > BOOTS_MOST:
                    self.seen.trouble = "%d boots were not enough" % BOOTS_MOST
            try:
                self.boot(visit)
            except Exception as error:
                self.seen.trouble = str(error)      # or the others would wait for us
                raise
            finally:
                with self.changed:
                    self.up -= 1
                    self.changed.notify_all()

    def boot(self, first):
        """Boot a machine, for this visit, and then for others."""
        from .guests import machine
        now = {"visit": first, "there": False, "paid": 0}   # being paid; and has it begun?
        out, into = os.pipe()
        feed = os.fdopen(into, "w", buffering=1, encoding="ascii")
        try:
            feed.write(first + "\n")
            with tempfile.TemporaryDirectory(prefix="lg-redteam-") as folder:
                log = os.path.join(folder, "log")
                mark, words = self.words(folder, log)
                try:
                    status, output = machine.run(
                        words, PATIENCE + 30, self.listener(mark, now, feed),
                        env=guests_config().env, stdin=out)
                except machine.Overdue as error:
                    status, output = 124, str(error)
                self.post_mortem(now, status, output, read_log(log))
        finally:
            feed.close()
            os.close(out)
            if now["visit"]:
                self.give_back(now["visit"])

    def words(self, folder, log):
        """-> (a word that no Guest knows, the command line of a machine)"""
        from .guests import machine
        mark, seen = "mark-" + secrets.token_hex(8), self.seen
        with self.changed:
            known = ["%s %s" % pair for pair in zip(seen.good or [], seen.most)]
        for name, lines in (("runs", self.runs), ("good", known)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write("".join(l + "\n" for l in lines))
        heart = machine.need(os.path.join(BUILD, "inmates", "heartbeat.elf"), "make inmates")
        words = [machine.NESTED, "exec"] + guests_config().options() + [
            "--no-module", "--stdin", "--timeout", str(PATIENCE), "--log", log,
            "--append", "oops=panic panic_on_warn=1"]
        for path in (os.path.join(folder, "runs"), os.path.join(folder, "good"), heart,
                     self.elf + ":/root/evil.elf",
                     os.path.join(TOP, "labs", "engine", "redteam.sh")):
            words += ["--file", path]
        for name, path in sorted(self.modules.items()):
            words += ["--file", "%s:/root/hosts/%s.ko" % (path, name)]
        return mark, words + ["--", "sh", "/root/redteam.sh", mark, str(BEATS)]

    def listener(self, mark, now, feed):
        """Hears what a machine says, and tells it whom to visit next."""
        begun = time.monotonic()

        def on_line(line):
            words = line.split()
            if len(words) < 2 or words[0] != mark:
                return
            if words[1] == "begin":
                now["there"] = True
            elif words[1] == "good":
                self.is_good(words[2:])
            elif words[1] == "stuck" and words[2] == "good":
                self.fail(STUCK)
            elif words[1] == "stuck":
                self.seen.dead[words[2]] = STUCK
            elif words[1] == "ended" and words[2] == now["visit"]:
                now.update(visit=None, there=False, paid=now["paid"] + 1)
                self.paid(words[2], words[3:])
                fresh_enough = time.monotonic() - begun < PATIENCE / 2
                now["visit"] = self.take(False) if fresh_enough else None
                if now["visit"]:
                    feed.write(now["visit"] + "\n")
                else:
                    feed.close()
        return on_line

    def post_mortem(self, now, status, output, log):
        """Did it end in the middle of a visit?  And whose fault was that?"""
        from .guests import machine
        if not now["there"]:
            if not now["paid"]:
                self.fail("the nested machine did not start: %s" % machine.tail(output, 3))
            return
        host, seen = now["visit"].split(":")[0], self.seen
        trouble = machine.check_log(log)
        if status == 124:
            what = HUNG
        elif trouble or "Kernel panic" in log:
            what = "the kernel died: %s" % (trouble or ["Kernel panic"])[0][:120]
        else:                           # QEMU itself ended, or was ended: nobody's fault
            self.fail(machine.tail(output, 3))
            return
        if host == "good":
            self.fail("the good Host did not survive (%s): tell your instructor!" % what)
        elif what != HUNG or seen.dead.get(host) == "once":
            seen.dead[host] = what
        else:
            # That might have been us: it gets a second chance to hang.
            seen.dead[host] = "once"


@functools.lru_cache(None)
def guests_config():
    from . import guests
    return guests.LabConfig(None)


def read_log(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def beaten(seen, host):
    """Why this Host counts as beaten, or ''."""
    if seen.is_dead(host):
        return seen.dead[host]
    told = [sentence(w) for w in seen.visits.get(host, [])]
    return told[0] if len(told) >= 3 and all(told) else ""


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
            seen = Tournament(hosts.modules(names), names, elf, runs).fight()
            bad_end = [(n, e) for n, e in enumerate(seen.good or [], 1) if not ends(e)]
            if not seen.unsure and not bad_end:
                break
    for t in mine:
        why = beaten(seen, t[len(PREFIX):])
        if seen.wrong:
            v = Verdict(FAIL, seen.wrong)
        elif bad_end:
            v = Verdict(FAIL, "on the good Host run %d ended with %s: expected that it comes to an "
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
