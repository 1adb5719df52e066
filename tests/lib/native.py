# SPDX-License-Identifier: MIT
"""Runs TeachOS on a bare machine: QEMU itself, without any Linux in between."""

import os
import re
import shutil

from . import machine
from .machine import BUILD, need
from .verdict import FAIL, PASS, Broken, Result

# isa-debug-exit: the word that TeachOS writes to this port (arch/native/start.c) becomes
# QEMU's exit status, 2 * word + 1.  Nothing that is printed can be taken for it.
EXIT_PORT = "0xf4"
WELL, CRASHED, RESTART = 2 * 0x10 + 1, 2 * 0x11 + 1, 2 * 0x12 + 1

# In their old form, which is the one that TeachOS knows.
LEGACY = "disable-modern=on,disable-legacy=off"

ELVES = {"teachos": os.path.join(BUILD, "teachos", "teachos.elf"),
         "teachos-pae": os.path.join(BUILD, "teachos", "teachos-pae.elf")}


def command(cpu="qemu64", memory=64, serial="stdio", more=()):
    """QEMU's command line, up to what it shall boot."""
    return [os.environ.get("LG_QEMU", "qemu-system-x86_64"), "-accel", "tcg", "-machine", "pc",
            "-nodefaults", "-no-user-config", "-display", "none", "-cpu", cpu, "-m", str(memory),
            "-serial", serial, "-device", "isa-debug-exit,iobase=%s,iosize=4" % EXIT_PORT,
            ] + list(more)


def kernel(name, arguments):
    """... and this: QEMU as the Multiboot loader."""
    return ["-kernel", need(ELVES[name], "make -C teachos"),
            "-append", ("exit=%s %s" % (EXIT_PORT, arguments)).strip()]


def run(name, arguments, cpu="qemu64", patience=60, more=(), memory=64):
    """One run to its end.  -> (exit status, what came out of the serial line)"""
    # Without a restart where one would be: -no-reboot ends QEMU with status 0.
    return machine.run(command(cpu, memory, more=["-no-reboot"] + list(more))
                       + kernel(name, arguments), patience)


def make_disk(path, megabytes=16):
    """A file with an empty ext2 in it."""
    maker = shutil.which("mke2fs", path=os.environ.get("PATH", "") + ":/sbin:/usr/sbin")
    if not maker:
        raise Broken("no mke2fs here: sudo apt-get install e2fsprogs")
    with open(path, "wb") as f:
        f.truncate(megabytes << 20)
    status, output = machine.run([maker, "-q", "-F", "-t", "ext2", "-b", "1024", path], 60)
    if status:
        raise Broken("mke2fs: %s" % machine.tail(output, 1))


def disk(path, slot):
    """... and this: a disk in a PCI slot."""
    return ["-drive", "if=none,id=d%d,format=raw,file=%s" % (slot, path.replace(",", ",,")),
            "-device", "virtio-blk-pci,drive=d%d,addr=%d,%s" % (slot, slot, LEGACY)]


def network(slot):
    """... and this: a network card, QEMU's own network behind it."""
    return ["-netdev", "user,id=n%d" % slot,
            "-device", "virtio-net-pci,netdev=n%d,addr=%d,romfile=,%s" % (slot, slot, LEGACY)]


def figures(arguments="bench", more=(), patience=120):
    """TeachOS's bench, one instruction a tick.  -> {name: ticks}"""
    status, output = run("teachos", arguments, patience=patience, more=[
        "-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01T00:00:00,clock=vm",
        "-seed", "1"] + list(more))
    found = parse(output)
    if status != WELL or not found:
        raise Broken("TeachOS's bench on a bare machine ended with status %d: %s"
                     % (status, machine.tail(output, 3)))
    return found


def parse(output):
    """The lines of a bench.  -> {name: ticks}"""
    return {name: float(value) for name, value in re.findall(
        r"^bench (\w+) ([\d.]+) ticks", output, re.M)}


def verdict(name, status, output):
    """A Result from a self-test: QEMU's status decides, the text only explains."""
    lines = output.splitlines()
    bad = [line for line in lines if line.startswith("not ok")]
    good = [line for line in lines if line.startswith("ok ")]
    if status != WELL:
        return Result(name, FAIL, "status %d: %s" % (status, bad[0] if bad else
                                                     machine.tail(output, 2)), output[-6000:])
    if bad or not good:
        return Result(name, FAIL, bad[0] if bad else "no test was run", output[-6000:])
    return Result(name, PASS, "%d tests" % len(good))
