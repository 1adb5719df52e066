#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the Switcher on its stand, all tests; then break it, and see the stand say so."""
import os
import re
import subprocess
import sys

TOP, BUILD = sys.argv[1], sys.argv[2]
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, "tests"))
from lib import machine, stand  # noqa: E402  (the path has to be set first)
from lib.verdict import FAIL, PASS, TIMEOUT, Broken, Overdue  # noqa: E402

OUT = os.path.join(BUILD, "tests", "switcher")
SOURCE = open(os.path.join(TOP, "switcher", "switcher_64.asm")).read()

# name, pattern, replacement, the test, its verdict, what it says.  The labs have more.
BROKEN = [
    ("a hang", r"(leave_guest:\n)", r"\1\tjmp $\n", "there-and-back", TIMEOUT, "hangs"),
    ("a triple fault", r"\tlidt\t\[r15 \+ LG_GUEST_IDTR\]\n",
     "\tlidt [r15 + LG_SCRATCH_TOP - 16]\n\tud2\n", "there-and-back", FAIL, "triple fault"),
    ("an IRET after an NMI", r"\tpopfq\n\to64 retf\n", """
%define FRAME r15 + LG_SCRATCH_TOP - 64
	pop	qword [FRAME + 16]
	pop	qword [FRAME]
	pop	qword [FRAME + 8]
	mov	[FRAME + 24], rsp
	mov	qword [FRAME + 32], KERNEL_DS
	lea	rsp, [FRAME]
	iretq
""", "nmi-everywhere", FAIL, "an IRET was said before"),
    ("an NMI that nobody notes", r"\tmov\tdword \[r15 \+ LG_NMI_PENDING\], 1\n", "",
     "nmi-everywhere", FAIL, "trapno is 0x200"),
    ("the Host's IDT too early", r"(leave_guest:\n)", r"\1\tlidt [r15 + LG_HOST_IDTR]\n",
     "nmi-everywhere", FAIL, "triple fault"),
]


def runner(words, patience):
    try:
        status, output = machine.run(words, patience)
    except Overdue:
        return -1, "", True
    return status, output, False


def try_it(name, source, tests):
    stem = os.path.join(OUT, "stand-" + re.sub(r"\W+", "-", name))
    with open(stem + ".asm", "w") as file:
        file.write(source)
    offsets, parts = stand.objects(os.path.join(OUT, "stand"))
    for words in (["nasm", "-felf64", "-w-all", "-I", os.path.dirname(offsets) + "/", "-o",
                   stem + ".o", stem + ".asm"],
                  stand.link_words(stem + ".elf", parts + [stem + ".o"]),
                  stand.flat_words(stem + ".elf", stem + ".bin")):
        p = subprocess.run(words, capture_output=True, text=True)
        if p.returncode:
            raise Broken("%s: %s" % (name, p.stderr.strip()))
    table = stand.symbols_in(stand.call(["nm", "-n", stem + ".elf"], "nm"))
    return stand.run(stem + ".bin", table, tests, int(os.environ.get("SEED", "1")), runner)


os.makedirs(OUT, exist_ok=True)
failed = 0
for name, (word, why) in try_it("itself", SOURCE, stand.names()).items():
    failed += word != PASS
    print("ok stand: %s" % name if word == PASS else "not ok stand: %s: %s %s" % (name, word, why))
for name, pattern, replacement, test, expected, text in BROKEN:
    mutant, times = re.subn(pattern, replacement, SOURCE, count=1)
    word, why = try_it(name, mutant, [test])[test] if times else (None, "no such text")
    good = word == expected and text in why
    failed += not good
    print("ok noticed on the stand: %s" % name if good else
          "not ok noticed on the stand: %s: expected %s '%s', got %s %s"
          % (name, expected, text, word, why))
sys.exit(1 if failed else 0)
