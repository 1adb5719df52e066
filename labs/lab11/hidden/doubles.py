# SPDX-License-Identifier: MIT
"""
The proof of the judges: doubles of projects, right and wrong in known ways, each with the
points that it must get and a word that must be in what the judge then says.
`labs/lab mutants 11` tries them.
"""

import os
import tempfile
import types

from engine import abi, projects

HERE = os.path.dirname(os.path.abspath(__file__))


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
    return judge


def faults(exits, status="0", wrong=None, trouble=()):
    """What a Guest and its counters would say; exits: of 4123 faults so many came home."""
    def judge():
        output = ["ok each of them arrived", "ok with its address, and an error code of 0"]
        if wrong is not None:
            output[wrong] = "not " + output[wrong]
        stats = {"exit_vector": [0] * 14 + [exits + 28], "fill_read": 20, "fill_write": 8,
                 "fill_dirty": 0, "fill_linear": 0}
        return projects.weigh_faults(123, status, output, stats, list(trouble))
    return judge


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
    return judge


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
    ("faults", "right", "", 6, "12 of them came home", faults(12)),
    ("faults", "home", "all of them come home, as ever", 0, "4123 of them came home", faults(4123)),
    ("faults", "half", "every second one comes home", 0, "not ok 2000 of them", faults(2000)),
    ("faults", "lost", "some never arrive", 0, "not ok 4123 page faults", faults(0, wrong=0)),
    ("faults", "cr2", "the Guest finds another address", 0, "not ok 4123", faults(0, wrong=1)),
    ("faults", "dead", "the Guest dies of it", 0, "status 4", faults(0, "4")),
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
