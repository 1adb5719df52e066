# SPDX-License-Identifier: MIT
"""The images of `make iso`, booted as a real machine would boot them."""

import os
import re
import shutil

from . import native
from .machine import BUILD, need
from .suites import TEACHOS, check, typist
from .verdict import FAIL, Result


def image(name):
    return need(os.path.join(BUILD, name), "make iso")


def from_cd(path, cpu="qemu64", memory=64):
    """QEMU's command line for an image, with the program as a full path."""
    words = native.command(cpu, memory, more=["-no-reboot", "-boot", "d", "-cdrom", path])
    return [shutil.which(words[0]) or words[0]] + words[1:]


def make_iso_teachos(cpu):
    """GRUB loads what it would load on a real machine; the verdict is QEMU's status."""
    prefix = "iso/teachos/%s" % cpu

    def suite(wanted):
        from .terminal import Terminal
        results = []
        for kernel in TEACHOS:
            name = "%s/%s" % (prefix, kernel)
            with Terminal(from_cd(image("teachos.iso"), cpu)) as t:
                if not t.expect(rb"Self-test, PAE", 60):
                    results.append(Result(name, FAIL, "no menu: %r" % t.tail()))
                    continue
                # GRUB's own command line: the menu knows nothing of the test's port.
                t.send(b"c")
                t.expect(rb"grub> ", 20)
                t.send(b"multiboot /boot/%s.elf exit=%s selftest\r"
                       % (kernel.encode(), native.EXIT_PORT.encode()))
                t.expect(rb"grub> ", 20)
                t.send(b"boot\r")
                status = t.wait(90)
                text = t.seen.decode("utf-8", "replace")
            results.append(native.verdict(name, -1 if status is None else status, text))
        # And the menu's first entry, as it stands.
        with Terminal(from_cd(image("teachos.iso"), cpu)) as t:
            t.expect(rb"Self-test, PAE", 60)
            t.send(b"\r")
            good = t.expect(rb"TeachOS \(native, 2-level.*\$ ", 60)
            t.send(b"poweroff\r")
            status = t.wait(30)
            results.append(check(prefix + "/menu", good and status == 0,
                                 "status %s: %r" % (status, t.tail())))
        return results
    return suite


def iso_lguest(wanted):
    """The lab host from its image: a Guest in it passes its self-test."""
    from .terminal import Terminal
    results = []
    with Terminal(from_cd(image("lguest.iso"), memory=512)) as t:
        t.expect(rb"The lab host", 60)
        t.send(b"\r")
        if not t.expect(rb"lguest# ", 90):
            return [Result("iso/lguest", FAIL, "no prompt: %r" % t.tail())]
        for guest in TEACHOS:
            # What is typed is echoed: the status must not look like what is typed.
            t.send(b"launcher %s.elf selftest; echo ended=$?.\r" % guest.encode())
            good = t.expect(rb"ended=\d+\.", 120)
            results.append(check("iso/lguest/" + guest, good and b"ended=0." in t.seen[t.at - 12:],
                                 "got %r" % (re.findall(rb"not ok [^\r\n]*", t.seen)[:1]
                                             or t.tail())))
        typist("iso/lguest", t, results)(
            "inmate", b"launcher inmates/syscall.elf; echo ended=$?.\r", rb"ended=0\.", 30)
        t.send(b"poweroff\r")
        status = t.wait(60)
        results.append(check("iso/lguest/poweroff", status == 0, "status %s" % status))
    return results
