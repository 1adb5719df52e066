#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Break the Switcher in ways that still assemble; the inspector must name each."""
import os
import re
import subprocess
import sys

TOP, BUILD = sys.argv[1], sys.argv[2]
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, "tests"))
from lib import stand  # noqa: E402  (the path has to be set first)

OUT = os.path.join(BUILD, "tests", "switcher")
SOURCE = open(os.path.join(TOP, "switcher", "switcher_64.asm")).read()

# name, pattern, replacement, what the inspector must say
MUTANTS = [
    ("a call to the kernel", r"(enter_segments:\n)", r"\1\textern printk\n\tcall printk\n",
     "is not for the Switcher"),
    ("a thunk on the Guest's page tables", r"(leave_guest:\n)",
     r"\1\tjmp __x86_return_thunk\n", "that is not mapped in the Guest"),
    ("a constant in another section", r"(enter_segments:\n)",
     r"\1\tmov rax, [rel elsewhere]\n[section .rodata]\nelsewhere: dq 0\n__SECT__\n",
     "that is not mapped in the Guest"),
    ("a section that nobody knows", r"(enter_segments:\n)",
     r"[section .init.text]\n\tret\n__SECT__\n\1", "only .lgdeliver and .lgswitcher are known"),
    ("a port", r"(leave_guest:\n)", r"\1\tout 0x80, al\n", "is not for the Switcher"),
    ("CR0", r"(leave_guest:\n)", r"\1\tmov cr0, rax\n", "only CR3 is changed"),
    ("an MSR on the way in", r"(enter_segments:\n)", r"\1\twrmsr\n", "on the way home"),
    ("a constant beside the code", r"(enter_segments:\n)",
     r"\1\tmov rax, [rel lg_stubs]\n", "data beside the code"),
    ("an absolute address", r"(enter_segments:\n)", r"\1\tmov rax, [abs dword 0x1000]\n",
     "an absolute address"),
    ("an address by relocation", r"(enter_segments:\n)", r"\1\tmov rax, lg_stubs\n",
     "that is not mapped in the Guest"),
    ("a push in the NMI stub", r"(inc\tqword \[r15 \+ LG_NMI_SWITCHER\]\n)", r"\1\tpush rax\n",
     "Host's NMI stack"),
    ("an IRETQ that opens NMI", r"\to64 retf\n", "\tiretq\n", "IRET unblocks NMI"),
    ("a near RET", r"\to64 retf\n", "\tret\n", "only the last instruction"),
    ("an indirect jump", r"(enter_segments:\n)", r"\1\tjmp rax\n", "indirect jump"),
    ("interrupts on", r"(enter_segments:\n)", r"\1\tsti\n", "is not for the Switcher"),
    ("a section that ends in mid-page", r"\talign\t4096, db 0xcc.*\n", "\n",
     "whole pages expected"),
]


def inspect(name, source):
    stem = os.path.join(OUT, re.sub(r"\W+", "-", name))
    with open(stem + ".asm", "w") as file:
        file.write(source)
    built = subprocess.run(["nasm", "-felf64", "-w-all", "-DRETHUNK", "-I", OUT + "/", "-o",
                            stem + ".o", stem + ".asm"], capture_output=True, text=True)
    if built.returncode:
        return None, built.stderr
    seen = subprocess.run([os.path.join(TOP, "switcher", "check_object"), stem + ".o"],
                          capture_output=True, text=True)
    return seen.returncode, seen.stdout + seen.stderr


os.makedirs(OUT, exist_ok=True)
with open(os.path.join(OUT, "offsets.inc"), "w") as file:
    file.write(stand.offsets())
failed = 0
status, output = inspect("the Switcher itself", SOURCE)
if status == 0:
    print("ok the Switcher itself passes")
else:
    failed += 1
    print("not ok the Switcher itself passes: %s" % output.strip())
for name, pattern, replacement, expected in MUTANTS:
    mutant, times = re.subn(pattern, replacement, SOURCE, count=1)
    status, output = inspect(name, mutant) if times else (None, "the pattern is not in the source")
    if status == 1 and expected in output:
        print("ok refused: %s" % name)
    else:
        failed += 1
        print("not ok refused: %s: status %s, expected '%s' in: %s"
              % (name, status, expected, output.strip() or "(nothing)"))
sys.exit(1 if failed else 0)
