# SPDX-License-Identifier: MIT
"""
The Switcher on its stand (tests/unit/switcher/stand): a kernel of its own, in a QEMU that
counts instructions.  No Linux, no lg.ko; a boot takes a quarter of a second.
"""

import hashlib
import os
import re
import secrets
import shutil
import subprocess

from .verdict import FAIL, PASS, TIMEOUT, Broken

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCE = os.path.join(TOP, "tests", "unit", "switcher", "stand")
INCLUDES = ["-I" + os.path.join(TOP, d) for d in
            ("tests/unit/switcher/stand", "host", "include", "tests/unit/host")]
CFLAGS = ("-m64 -std=gnu11 -mcmodel=kernel -ffreestanding -mno-red-zone -mgeneral-regs-only "
          "-fno-pic -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables "
          "-O1 -g -Wall -Wextra").split()
# Seconds.  What hangs is found by the watchdog in the machine, long before.
PATIENCE = 30
WATCHDOG = "i6300esb_timer_expired"


def call(words, what):
    p = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if p.returncode:
        raise Broken("%s: %s" % (what, p.stdout.decode("utf-8", "replace")[-800:]))
    return p.stdout.decode()


def offsets():
    """offsets.inc, made as the kernel's build makes it, with the user-space headers."""
    text = call(["gcc", "-S", "-O1", "-o", "-"] + INCLUDES[1:] +
                [os.path.join(TOP, "host", "x86_64", "offsets.c")], "offsets.c")
    return "".join("%%define %s %s\n" % m for m in re.findall(r'"->(\w+) (-?\d+)"', text))


def names():
    """All tests of the stand, in order."""
    with open(os.path.join(SOURCE, "tests.c"), encoding="utf-8") as f:
        text = f.read()
    return re.findall(r'^\t\{ "([\w-]+)", \w+ \}', text, re.M)


def objects(folder):
    """The stand without a Switcher, compiled into `folder` once.  -> (offsets.inc, objects)"""
    values = offsets()
    digest = hashlib.sha256(values.encode())
    for path in sorted(os.path.join(SOURCE, n) for n in os.listdir(SOURCE)) + [
            os.path.join(TOP, p) for p in ("host/lg.h", "host/x86_64/arch.h", "include/lguest.h")]:
        with open(path, "rb") as f:
            digest.update(f.read())
    place = os.path.join(folder, digest.hexdigest()[:16])
    found = [os.path.join(place, n) for n in ("boot.o", "stand.o", "tests.o")]
    if not os.path.exists(place):
        fresh = "%s.%d" % (place, os.getpid())
        os.makedirs(fresh, exist_ok=True)
        with open(os.path.join(fresh, "offsets.inc"), "w", encoding="utf-8") as f:
            f.write(values)
        call(["nasm", "-felf64", "-I", fresh + "/", "-o", os.path.join(fresh, "boot.o"),
              os.path.join(SOURCE, "boot.asm")], "the stand")
        for name in ("stand", "tests"):
            call(["gcc"] + CFLAGS + INCLUDES + ["-c", "-o", os.path.join(fresh, name + ".o"),
                                               os.path.join(SOURCE, name + ".c")], "the stand")
        try:
            os.rename(fresh, place)
        except OSError:             # somebody was quicker
            shutil.rmtree(fresh, ignore_errors=True)
    return os.path.join(place, "offsets.inc"), found


def more_tests(place, source):
    """Tests that somebody else brings, compiled for the stand whose objects are there; once."""
    with open(source, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()[:16]
    to = os.path.join(place, "more-%s.o" % digest)
    if not os.path.exists(to):
        fresh = "%s.%s" % (to, secrets.token_hex(4))
        call(["gcc"] + CFLAGS + INCLUDES + ["-c", "-o", fresh, source], source)
        os.replace(fresh, to)
    return to


def link_words(elf, parts):
    return ["ld", "-m", "elf_x86_64", "-T", os.path.join(SOURCE, "stand.ld"), "-z", "noexecstack",
            "-z", "max-page-size=4096", "-o", elf] + parts


def flat_words(elf, image):
    return ["objcopy", "-O", "binary", elf, image]


def qemu_words(image, line):
    return [os.environ.get("LG_QEMU", "qemu-system-x86_64"), "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot", "-machine", "pc", "-cpu", "qemu64", "-m", "16",
            "-accel", "tcg", "-icount", "shift=0,sleep=off", "-kernel", image, "-append", line,
            "-debugcon", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
            "-device", "i6300esb", "-action", "watchdog=poweroff"]


def symbols_in(text):
    """[(address, name)] of what nm -n says about code."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in "tT":
            found.append((int(words[0], 16), words[2]))
    return found


def named(text, table):
    """The text with addresses of the image as label+distance."""
    def name(m):
        address = int(m.group(0), 16)
        below = [s for s in table if s[0] <= address]
        if not below or address - below[-1][0] > 0x2000:
            return m.group(0)
        return "%s+%#x" % (below[-1][1], address - below[-1][0])
    return re.sub(r"0xffffffff80[0-9a-f]{6}\b", name, text)


def run(image, table, tests, seed, runner, patience=PATIENCE):
    """
    Try these tests; after one that takes the machine down, the others in a fresh machine.
    table: symbols_in() of the image.  runner(words, patience) -> (exit status, output, was
    it too late?).
    -> {test: (word, why)}; raises Broken if QEMU does not start.
    """
    found, left = {}, list(tests)
    while left:
        nonce = secrets.token_hex(12)
        status, output, late = runner(
            qemu_words(image, "%s %d %s" % (nonce, seed, " ".join(left))), patience)
        current, why = None, {}
        for line in output.splitlines():
            words = line.split(" ", 3)
            if words[0] != nonce or len(words) < 3:
                continue
            if words[1] == "unknown":
                raise Broken("the stand knows no test %s" % words[2])
            if words[1] == "begin":
                current = words[2]
            elif words[1] == "pass" and words[2] == current and current not in why:
                found[current] = (PASS, "")
            elif words[1] == "fail":
                why.setdefault(words[2], named(words[3] if len(words) > 3 else "", table))
        for name, text in why.items():
            found[name] = (FAIL, text)
        if current is None:
            raise Broken("the stand did not start, status %s: %s" % (status, output[-300:]))
        if current not in found:
            if late or WATCHDOG in output:
                found[current] = (TIMEOUT, "it hangs: sixteen million instructions and no end")
            else:
                found[current] = (FAIL, "the machine went down: a triple fault, with no IDT, GDT "
                                        "or stack left to report it")
        left = [t for t in left if t not in found]
    return found
