# SPDX-License-Identifier: MIT
"""
The proof of the judges: doubles of projects, right and wrong in known ways, each with the
points that it must get and a word that must be in what the judge then says.
`labs/lab mutants 11` tries them.
"""

import os
import subprocess
import tempfile
import types

from engine import abi, labs, projects, redteam
from engine.compose import put

HERE = os.path.dirname(os.path.abspath(__file__))


def boots(judge):
    """It takes the nested machine."""
    judge.boots = True
    return judge


def says(judge):
    """It takes nothing but words."""
    judge.boots = False
    return judge


def snapshot(mode):
    """A Launcher that stops its Guest's process and calls that a snapshot: snapshot.sh"""
    def judge():
        with open(os.path.join(HERE, "snapshot.sh"), encoding="utf-8") as f:
            text = f.read()
        with tempfile.NamedTemporaryFile("w", prefix="lg-double-", suffix=".sh") as f:
            f.write(text.replace("MODE=right", "MODE=" + mode))
            f.flush()
            os.chmod(f.name, 0o755)
            return projects.judge_snapshot(types.SimpleNamespace(launcher=f.name, module=None))
    return boots(judge)


class Patched(redteam.Hosts):
    """Our Host with a solution of the project in faults.patch, and with mistakes in it."""

    def __init__(self, changes=()):
        super().__init__(labs.load(11))
        self.broken, self.changes, self.patched = {"patched": {}}, changes, {}

    def text(self, name, path):
        if not self.patched:
            self.apply(os.path.join(HERE, "faults.patch"))
        text = self.patched[path] if path in self.patched else super().text("good", path)
        for where, old, new in self.changes:
            if where == path:
                assert text.count(old) == 1, "%s: expected once: %s" % (path, old)
                text = text.replace(old, new)
        return text

    def apply(self, patch):
        with tempfile.TemporaryDirectory(prefix="lg-double-") as folder:
            names = [line[6:] for line in labs.read_text(patch).splitlines()
                     if line.startswith("+++ b/")]
            for path in names:
                put(os.path.join(folder, path), super().text("good", path).encode())
            p = subprocess.run(["git", "apply", patch], cwd=folder, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env=dict(os.environ, GIT_DIR="/"))
            if p.returncode:
                raise labs.LabError("%s does not fit any more: %s" % (
                    patch, p.stdout.decode("utf-8", "replace")))
            self.patched = {path: labs.read_text(os.path.join(folder, path)) for path in names}


def patched(*changes):
    """lg.ko with faults.patch before the judge, and with one mistake: (file, from, to)..."""
    def judge():
        module = Patched(changes).build("patched")
        return projects.judge_faults(types.SimpleNamespace(module=module))
    return boots(judge)


SWITCHER = "switcher/switcher_64.asm"


def faults(exits, status="0", wrong=None, trouble=(), killed="4", code="E-PT-02"):
    """What a Guest and its counters would say; exits: of 4123 faults so many came home."""
    def judge():
        output = ["ok each of them arrived", "ok with its address, and an error code of 0"]
        if wrong is not None:
            output[wrong] = "not " + output[wrong]
        stats = {"exit_vector": [0] * 14 + [exits + 28], "fill_read": 20, "fill_write": 8,
                 "fill_dirty": 0, "fill_linear": 0}
        return projects.weigh_faults(123, status, output, stats, killed, {"code": code},
                                     list(trouble))
    return says(judge)


def linux(status="0", word=None, trouble=(), head=None, **less):
    """What a boot of Linux 6.1 said, and its counters, with something missing."""
    def judge():
        nonce = 987654321
        said = "lg-judge %s 6.1.192" % (word or "%08x" % (nonce * 0x9e3779b1 & 0xffffffff))
        calls = [0] * (max(abi.hypercalls().values()) + 1)
        for name, n in (("NEW_PGTABLE", 6), ("LOAD_IDT_ENTRY", 499), ("SET_PTE", 14),
                        ("SET_CLOCKEVENT", 229)):
            calls[abi.number(name)] = less.get(name, n)
        stats = {"hypercall_direct": calls, "hypercall_ring": [0] * len(calls),
                 "irq_delivered": less.get("irqs", 234), "fill_read": less.get("fills", 1825),
                 "fill_write": 0, "fill_dirty": 0, "fill_linear": 0, "direct": [9] * 256}
        return projects.weigh_linux(
            nonce, status, ["Linux version 6.1.192", "Kernel command line: LGWORD=%d" % nonce, said],
            stats, list(trouble), b"\0" * 0x202 + b"HdrS" if head is None else head)
    return says(judge)


# (project, double, what is wrong, points, what the judge must say, how)
ALL = [
    ("snapshot", "right", "", 8, "every canary is alive", snapshot("right")),
    ("snapshot", "anew", "restores by starting the same Guest anew", 0, "not ok it goes on where",
     snapshot("anew")),
    ("snapshot", "forgetful", "one canary is dead", 0, "not ok every canary", snapshot("forgetful")),
    ("snapshot", "deaf", "does not hear SIGUSR1", 0, "not ok the Guest was in the middle",
     snapshot("deaf")),
    ("snapshot", "empty", "saves nothing", 0, "not ok there is a snapshot", snapshot("empty")),
    ("snapshot", "trusting", "believes a file that ends too early", 6, "not ok cut-0: status 0",
     snapshot("trusting")),
    ("snapshot", "crash", "dies of a damaged file", 6, "status 139", snapshot("crash")),
    ("snapshot", "silent", "refuses, and does not say why", 6, "and a sentence", snapshot("silent")),
    ("faults", "patch", "faults.patch, which is one way to do it", 6, "ok     each kind of fault",
     patched()),
    ("faults", "memory", "remembers the last absent page, and does not look again", 0,
     "over and over", patched((SWITCHER, """	mov	r10d, r12d
	shr	r10d, 22
window_reads:
""", """	mov	r10d, r12d
	shr	r10d, 12
	cmp	r10, [r15 + LG_BUG_RIP]
	je	fault_is_absent
	shr	r10d, 10
window_reads:
"""), (SWITCHER, "fault_is_absent:	", """fault_is_absent:
	mov	r10, cr2
	shr	r10, 12
	mov	[r15 + LG_BUG_RIP], r10
	"""))),
    ("faults", "its-code", "P in the error code is the shadow's", 0,
     "a read-only page that was never read: got 0x00000002",
     patched((SWITCHER, "	or	r13d, PF_PRESENT\n", ""))),
    ("faults", "real-if", "IF in the frame is the CPU's", 0,
     "and the IF that the Guest believes in: got", patched((
         SWITCHER, "	or	r11d, r8d\n", "	or	r11d, FLAG_IF\n"))),
    ("faults", "two-faults", "CR2 of the frame's own fault", 0, "not ok each kind of fault",
     patched((SWITCHER, "	mov	r10, [r15 + LG_FAULT_CR2]	; a", "	mov	r10, cr2	; a"))),
    ("faults", "all-traps", "an interrupt gate leaves interrupts on", 0,
     "an interrupt gate turns them off: got", patched((
         "host/traps.c", "~0u : 0;", "~0u : ~0u;"))),
    ("faults", "right", "", 6, "12 of them came home", faults(12)),
    ("faults", "home", "all of them come home, as ever", 0, "4123 of them came home", faults(4123)),
    ("faults", "half", "every second one comes home", 0, "not ok 2000 of them", faults(2000)),
    ("faults", "lost", "some never arrive", 0, "not ok 4123 page faults", faults(0, wrong=0)),
    ("faults", "cr2", "the Guest finds another address", 0, "not ok 4123", faults(0, wrong=1)),
    ("faults", "dead", "the Guest dies of it", 0, "status 4", faults(0, "4")),
    ("faults", "kind", "one kind of fault is not as it should be", 0, "not ok each kind of fault",
     faults(0, "3")),
    ("faults", "lenient", "a frame beyond the Guest's memory is no reason to die", 0,
     "not ok a Guest that names", faults(0, killed="0", code="")),
    ("faults", "oops", "the Host has had an accident", 0, "not ok the nested kernel",
     faults(0, trouble=["Oops"])),
    ("linux", "right", "", 8, "ok     its init says uname", linux()),
    ("linux", "replay", "the log of another boot", 0, "not ok its init says",
     linux(word="deadbeef")),
    ("linux", "echo", "the number of the command line, as it is", 0, "not ok its init says",
     linux(word="%08x" % 987654321)),
    ("linux", "panic", "does not power off", 0, "status 3", linux("3")),
    ("linux", "oops", "the Host has had an accident", 0, "not ok the nested kernel",
     linux(trouble=["BUG"])),
    ("linux", "inmate", "prints the right words, and is no kernel", 0, "not ok gates",
     linux(LOAD_IDT_ENTRY=2, SET_PTE=0, fills=12)),
    ("linux", "clockless", "no clock, no interrupts", 0, "not ok the clock",
     linux(SET_CLOCKEVENT=0, irqs=0)),
    ("linux", "teachos", "some other file", 0, "not ok it begins", linux(head=b"\x7fELF\2" + b"\0" * 600)),
]
