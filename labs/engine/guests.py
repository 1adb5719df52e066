# SPDX-License-Identifier: MIT
"""
Tiers G and H: Guests, well-behaved and hostile, in the nested machine, all in one boot.

What the Guests print is read by people and compared with their own rules; what earns the
points are exit statuses, reason codes and the Host's counters, which come out of the
machine in a file, framed with a word that no Guest knows.
"""

import filecmp
import fcntl
import importlib.util
import json
import os
import secrets
import shutil
import stat
import subprocess
import sys

from . import sandbox
from .compose import compose
from .labs import BUILD, TOP, LabError, read_text
from .outcome import ERROR, FAIL, PASS, TIMEOUT, Verdict

sys.path.insert(0, os.path.join(TOP, "tests"))
from lib import inmates as inmates_of  # noqa: E402  (the path has to be set first)
from lib import machine  # noqa: E402
from lib.verdict import Broken, Overdue  # noqa: E402

GUEST_KEYS = {"inmates", "kernels", "runs", "beside", "judge", "program", "arguments", "status",
              "output", "options", "prepare", "after", "memory", "patience", "pair"}
KERNELS = ("teachos.elf", "teachos-pae.elf")


class LabConfig(machine.Config):
    """The nested machine as the student built it, with our lg.ko in it."""

    loud = False        # hidden Guests speak there, too

    def __init__(self, module):
        # Software emulation is what all are graded on.
        self.env = dict(os.environ, LG_QEMU=sandbox.qemu(kernel_folder("--image")),
                        LG_ACCEL="tcg")
        super().__init__(os.environ.get("HOST_KERNEL") or "default", "qemu64", 1)
        self.module = module

    def options(self):
        words = []
        if os.environ.get("HOST_KERNEL"):
            words += ["--kernel", os.environ["HOST_KERNEL"]]
        if self.module:
            words += ["--module", self.module]
        return words


def kernel_folder(what="--kdir"):
    p = subprocess.run([machine.NESTED, "kernel", "path", what], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)
    path = p.stdout.decode().strip()
    if p.returncode or not path:
        raise Broken("no kernel to build for: %s" % p.stderr.decode().strip()[-200:])
    return path


def reachable(path):
    """Can another user get there?"""
    path = os.path.realpath(path)
    while path != "/":
        if not os.stat(path).st_mode & stat.S_IXOTH:
            return False
        path = os.path.dirname(path)
    return True


def build(lab, tree, student):
    """
    What the student's Guests run on: {"module": path, "launcher": path}, built in the
    sandbox.  student: {exercise id: text}.  -> (folder to remove, artefacts) or a Verdict.
    """
    scratch = sandbox.Scratch().__enter__()
    try:
        artefacts = {}
        compose(tree, os.path.join(scratch.path, "tree"), lab.artefacts, student)
        for kind in lab.artefacts:
            words = ["make", "-j2", "-C", os.path.join(scratch.path, "tree",
                     "host" if kind == "module" else kind),
                     "BUILD=" + os.path.join(scratch.path, "build")]
            if kind == "teachos":
                warm_up(scratch.path)
            if kind == "module":
                kdir = kernel_folder()
                if not reachable(kdir):
                    # Another user could not read the headers: this one step is ours then,
                    # in the same namespaces.
                    scratch.uid = os.getuid()
                words.append("KDIR=" + os.path.realpath(kdir))     # a seed's is a link
            done = sandbox.run(words, scratch, patience=240, processes=400)
            if done.status != 0:
                from .unit import compiler_says
                return Verdict(FAIL, "%s: %s" % (
                    "the build took too long" if done.why else "%s does not build" % kind,
                    compiler_says(done.output) or done.output[-300:].strip()), done.output)
            found = [os.path.join(where, name)
                     for where, _, names in os.walk(os.path.join(scratch.path, "build"))
                     for name in names if name in {"module": ("lg.ko",), "teachos": KERNELS}.get(
                         kind, (kind,))]
            for path in found:
                kept = os.path.join(scratch.path, "kept-" + os.path.basename(path))
                # Not what somebody may have put there instead of a file.
                if not stat.S_ISREG(os.lstat(path).st_mode):
                    return Verdict(FAIL, "%s is no file" % kind)
                shutil.copyfile(path, kept)
                os.chmod(kept, 0o755)
                artefacts[os.path.basename(path) if kind == "teachos" else kind] = kept
        result, scratch = (scratch, artefacts), None
        return result
    finally:
        if scratch:
            scratch.__exit__()


def warm_up(place):
    """
    TeachOS has many files, and the student's are a few of them.  What is the same in the
    tree that BUILD was made from gets the time it has there, and its objects come along.
    """
    base = os.path.join(BUILD, "labs", "tree")
    if not os.path.isdir(os.path.join(base, "teachos")):
        base = TOP
    ours, theirs = os.path.join(BUILD, "teachos"), os.path.join(place, "build", "teachos")
    if not os.path.exists(os.path.join(ours, "teachos.elf")):
        return
    shutil.copytree(ours, theirs, ignore=shutil.ignore_patterns("*.debug", "*.elf"))
    for where, _, names in os.walk(theirs):     # lists of headers, by the object's full name
        for name in [n for n in names if n.endswith(".d")]:
            path = os.path.join(where, name)
            text = read_text(path).replace(ours + "/", theirs + "/")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
    for folder in ("teachos", "include"):
        for where, _, names in os.walk(os.path.join(place, "tree", folder)):
            for name in names:
                path = os.path.join(where, name)
                other = os.path.join(base, os.path.relpath(path, os.path.join(place, "tree")))
                if os.path.isfile(other) and filecmp.cmp(path, other, False):
                    shutil.copystat(other, path)


class Kernel:
    """TeachOS with some arguments, where others have an inmate."""

    def __init__(self, name, guest):
        self.name, self.runs = name, [""]
        self.patience = guest.get("patience", 60)
        self.memory = guest.get("memory", 24)
        self.options = guest.get("options", "")
        self.prepare = guest.get("prepare", "")
        self.after = guest.get("after", "")
        self.status = guest.get("status", 0)
        self.output = guest.get("output", [])

    def command(self, arguments):
        launch = "/bin/launcher --timeout=%d %s %d /root/%s %s" % (
            self.patience, self.options, self.memory, self.name, arguments)
        if self.prepare:
            launch = "%s && %s" % (self.prepare, launch)
        return "%s; s=$?; %s; (exit $s)" % (launch, self.after) if self.after else launch

    def judge(self, arguments, output, status):
        """None if all is well; what it printed is looked at only to say more."""
        lines = output.splitlines()
        bad = [l for l in lines if l.startswith("not ok")]
        if status in (5, 137):
            return "TIMEOUT after %d s: %s" % (self.patience, inmates_of.last_line(lines))
        if bad:
            return bad[0]
        if status != self.status:
            return "exit status %d, expected %d: %s" % (
                status, self.status, next((l for l in lines if inmates_of.CODE.search(l)),
                                          inmates_of.last_line(lines)))
        missing = [t for t in self.output if t not in output]
        return "'%s' is missing in the output" % missing[0] if missing else None


def ordinary(name):
    """The ELF file of an inmate of tests/inmates."""
    elf = os.path.join(BUILD, "inmates", name + ".elf")
    os.makedirs(os.path.join(BUILD, "inmates"), exist_ok=True)
    with open(os.path.join(BUILD, ".lock-inmates"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)        # as the top-level Makefile does
        p = subprocess.run(["make", "-s", "-C", os.path.join(TOP, "tests", "inmates"),
                            "BUILD=" + BUILD, elf], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if p.returncode:
        raise Broken("inmate %s: %s" % (name, p.stdout.decode("utf-8", "replace")[-300:]))
    return elf


def inmate(lab, name):
    """-> (Inmate, its ELF file), built if it is one of the lab's own."""
    own = [p for p in (os.path.join(f, "inmates", name + ".asm") for f in lab.folders)
           if os.path.exists(p)]
    if not own:
        for suffix in (".asm", ".c"):
            path = os.path.join(TOP, "tests", "inmates", name + suffix)
            if os.path.exists(path):
                return inmates_of.Inmate(path), ordinary(name)
        raise LabError("%s: there is no inmate '%s' in the lab's inmates/ or in tests/inmates"
                       % (lab.where, name))
    own = own[0]
    folder = os.path.join(BUILD, "labs", "inmates")
    os.makedirs(folder, exist_ok=True)
    elf = os.path.join(folder, name + ".elf")
    shared = os.path.join(TOP, "tests", "inmates")
    if not os.path.exists(elf) or os.path.getmtime(elf) < max(
            os.path.getmtime(p) for p in (own, os.path.join(shared, "lib.inc"))):
        fresh = "%s.%d" % (elf, os.getpid())
        for words in (["nasm", "-f", "elf32", "-I", shared + "/", "-o", fresh + ".o", own],
                      ["ld", "-m", "elf_i386", "-T", os.path.join(shared, "inmate.ld"),
                       "-z", "noexecstack", "--build-id=none", "-o", fresh, fresh + ".o"]):
            p = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if p.returncode:
                raise Broken("%s: %s" % (own, p.stdout.decode()[-300:]))
        os.remove(fresh + ".o")
        os.replace(fresh, elf)
    return inmates_of.Inmate(own), elf


def judge_of(lab, name, folder):
    spec = importlib.util.spec_from_file_location("judge%d" % lab.lab,
                                                  os.path.join(folder, "judge.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def small(nonce):
    """What `{small}` stands for: so many processes, rounds, ... as a Guest can do in a second."""
    return 10 + nonce % 50


class Plan:
    """All the Guests of some tests, as steps of one boot."""

    def __init__(self, lab, tests, nonce):
        self.lab, self.nonce = lab, nonce
        self.steps, self.files, self.checks, self.heart = [], set(), {}, None
        for test in tests:
            guest = lab.guests.get(test)
            if not guest:
                raise LabError("%s: test %s is not in guests" % (lab.where, test))
            for key in guest:
                if key not in GUEST_KEYS:
                    raise LabError("%s: %s: unknown key '%s'; expected one of %s"
                                   % (lab.where, test, key, ", ".join(sorted(GUEST_KEYS))))
            self.checks[test] = []
            if guest.get("beside"):
                self.heart = guest["beside"]
            for name in guest.get("inmates", []) + guest.get("kernels", []):
                self.add(test, guest, name)
        if self.heart:
            heart, elf = inmate(lab, self.heart)
            self.files.add(elf)
            self.steps.insert(0, ("start", "heart", heart.patience + 10, heart.command("100")))
            self.steps.append(("join", "heart"))
            self.heart_inmate = heart

    def add(self, test, guest, name):
        if name in KERNELS:
            if "teachos" not in self.lab.artefacts:
                raise LabError("%s: %s boots %s; expected 'teachos' in artefacts"
                               % (self.lab.where, test, name))
            one = Kernel(name, {k: v.replace("{nonce}", str(self.nonce)) if isinstance(v, str)
                                else v for k, v in guest.items()})
        else:
            one, elf = inmate(self.lab, name)
            self.files.add(elf)
        runs = one.runs[:guest.get("runs", 2)]
        if guest.get("arguments"):
            runs = [a.replace("{nonce}", str(self.nonce)).replace("{small}", str(
                small(self.nonce))) for a in guest["arguments"]]
        for k, arguments in enumerate(runs):
            ident = "%d.%s.%d" % (len(self.steps), name, k)
            if guest.get("options") and name not in KERNELS:
                one.options = guest["options"] + " "
            command = one.command(arguments)
            if guest.get("pair"):       # the same inmate once more, at the same time
                options, words = guest["pair"]
                other = one.command(words).replace(one.options, options + " ", 1)
                command = "%s >/tmp/pair 2>&1 & p=$!; %s; s=$?; kill $p; wait $p 2>/dev/null; " \
                    "(exit $s)" % (other, command)
            judge = guest.get("judge")
            if judge:
                command = command.replace("/bin/launcher",
                                          "/bin/launcher --stats=/tmp/stats.json", 1)
                command = "rm -f /tmp/stats.json; %s; s=$?; cat /tmp/stats.json; exit $s" % command
            self.steps.append(("run", ident, one.patience + 10, command))
            self.checks[test].append((ident, one, arguments, judge))

    def verdicts(self, steps):
        """{test: Verdict} from what batch.sh wrote down."""
        found = {}
        for test, checks in self.checks.items():
            found[test] = Verdict(PASS)
            for ident, one, arguments, judge in checks:
                step = steps.get(ident)
                if not step:
                    found[test] = Verdict(FAIL, "the machine did not get as far as %s" % one.name)
                    break
                why = one.judge(arguments, step.output.split("\n{", 1)[0] if judge
                                else step.output, step.status)
                if not why and judge:
                    why = self.ask(test, judge, step)
                    if isinstance(why, dict):       # it passed, and something was counted
                        found[test].metrics.update(why)
                        why = None
                if not why and not self.heart and \
                        (step.guests, step.pinned, step.tables) != ("0", "0", "0"):
                    why = "the Host still holds %s guests, %s pages, %s tables" % (
                        step.guests, step.pinned, step.tables)
                if why:
                    word = TIMEOUT if why.startswith("TIMEOUT") else FAIL
                    found[test] = Verdict(word, "%s %s: %s" % (one.name, arguments, why)
                                          if arguments else "%s: %s" % (one.name, why),
                                          step.output)
                    break
            guest = self.lab.guests[test]
            if found[test].word == PASS and guest.get("beside"):
                step = steps.get("heart")
                why = step and self.heart_inmate.judge("100", step.output, step.status)
                if why or not step:
                    found[test] = Verdict(FAIL, "the Guest beside it: %s" % (why or "no word"),
                                          step.output if step else "")
        return found

    def ask(self, test, judge, step):
        at = step.output.find("\n{")
        try:
            stats = json.loads(step.output[at:step.output.rindex("}") + 1])
        except ValueError:
            return "the Launcher wrote no counters"
        judgement = judge_of(self.lab, judge, self.lab.folder_of.get(test, self.lab.folder))
        try:
            return judgement(self.nonce, step.output[:at], step.status, stats)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            # The counters may come from a Launcher that is the student's.  If the reference's
            # make no sense either, that is found out later.
            return "the counters make no sense: %r" % error


def try_guests(lab, tree, student, tests, control=True):
    """Build, boot, judge.  -> {test: Verdict}"""
    built = build(lab, tree, student)
    if isinstance(built, Verdict):
        return {t: built for t in tests}
    scratch, artefacts = built
    try:
        return boot(lab, tree, artefacts, tests, control)
    finally:
        scratch.__exit__()


def boot(lab, tree, artefacts, tests, control):
    plan = Plan(lab, tests, secrets.randbelow(1 << 31))
    files = sorted(plan.files) + ["%s:/root/%s" % (artefacts[k], k) for k in KERNELS
                                  if k in artefacts]
    steps = plan.steps
    if artefacts.get("launcher"):
        # Theirs, and so not root in there: it could write down its own verdict.
        files += ["%s:/root/launcher-of-student" % artefacts["launcher"],
                  "%s:/root/launcher" % os.path.join(TOP, "labs", "engine", "as_student.sh")]
        steps = [tuple(w.replace("/bin/launcher", "/root/launcher") if isinstance(w, str) else w
                       for w in s) for s in steps]
        steps.insert(0, ("run", "student", 20, "echo student::1000:1000::/tmp:/bin/sh "
                         ">>/etc/passwd; chmod 1777 /tmp; chmod 666 /dev/lguest"))
    trouble = ""
    for attempt in (1, 2):
        try:
            config = LabConfig(artefacts.get("module"))
            outcome, seen, last = machine.batch(config, steps, files, 150)
            found = plan.verdicts(seen)
            bad = machine.check_log(outcome.log)
            after = ""
            said = machine.explanation(outcome.output)
            if bad:
                after = said.partition("\n")[0] or "the nested kernel complains: %s" % bad[0]
            elif last and last != {"guests": "0", "pinned": "0", "tables": "0"}:
                after = "in the end the Host held %(guests)s guests, %(pinned)s pages, " \
                        "%(tables)s tables" % last
            elif "nested: rmmod lg: ok" not in outcome.log:
                after = "lg.ko could not be removed"
            if after:
                log = said + "\n\n" + outcome.log[-8000:]
                found = {t: v if v.word != PASS else Verdict(FAIL, after, log)
                         for t, v in found.items()}
            return found
        except Overdue as error:
            # Its kernel died, or hung: that is an answer, not an accident.
            return {t: Verdict(FAIL if "died" in str(error) else TIMEOUT, str(error),
                               error.detail) for t in tests}
        except Broken as error:
            trouble = str(error)
    # Twice no answer at all.  Is it the machine, or what runs in it?  Ask the reference.
    if control and artefacts:
        reference = try_guests(lab, tree, {}, tests, control=False)
        if all(v.word == PASS for v in reference.values()):
            return {t: Verdict(FAIL, "the nested machine ended without an answer (%s); with the "
                               "reference it does not" % trouble) for t in tests}
    return {t: Verdict(ERROR, trouble) for t in tests}
