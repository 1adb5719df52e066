# SPDX-License-Identifier: MIT
"""TeachOS: its self-test and its shell, as a Guest and on the bare machine."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from . import machine, native
from .machine import BUILD, batch, counter_result, log_results, need
from .suites import TEACHOS, at_terminal, check, left_alone, typist
from .verdict import FAIL, Broken, Overdue, Result

# All that a Launcher can offer, for a self-test that leaves nothing out.
SELFTEST_DEVICES = "--rng --net=user --block=/root/disk.img"


def selftest_files():
    """The disk of SELFTEST_DEVICES: an ext2 file system, fresh."""
    path = os.path.join(BUILD, "tests", "selftest-disk.img")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.truncate(4 << 20)
    subprocess.run(["mkfs.ext2", "-q", "-F", path], check=True, timeout=30)
    return [path + ":/root/disk.img"]


def make_selftest(config):
    """TeachOS's own self-test, both builds."""
    prefix = "teachos/%s" % config

    def suite(wanted):
        plan = [("run", n, 150, "/bin/launcher --timeout=120 64 /root/%s.elf selftest" % n)
                for n in TEACHOS]
        files = ["%s:/root/%s.elf" % (need(p, "make -C teachos"), n) for n, p in TEACHOS.items()]
        outcome, steps, last = batch(config, plan, files, 330)
        results = []
        for n in TEACHOS:
            text = steps[n].output
            bad = [l for l in text.splitlines() if re.match(r"^(not ok|FAIL)\b", l)]
            good = [l for l in text.splitlines() if re.match(r"^ok\b", l)]
            why = None
            if bad:
                why = bad[0]
            elif steps[n].status != 0:
                why = "exit status %d: %s" % (steps[n].status, machine.tail(text, 3))
            elif not good:
                why = "no test was run: %s" % machine.tail(text, 3)
            results.append(check("%s/%s" % (prefix, n), why is None, why, text[-6000:]))
            if why is None:
                results[-1].why = "%d tests" % len(good)
        results.append(counter_result(prefix, last))
        return results + log_results(prefix, outcome.log)
    return suite


def make_shell(config):
    """TeachOS's shell on a terminal, typed at by a script."""
    prefix = "shell/%s" % config

    def suite(wanted):
        from .terminal import Terminal
        words = at_terminal(
            config, [need(TEACHOS["teachos"], "make -C teachos") + ":/root/teachos.elf"],
            ["/bin/launcher", "64", "/root/teachos.elf"])
        results = []
        with Terminal(words) as t:
            step = typist(prefix, t, results)
            prompt = rb"[$#>] $"
            if not step("prompt", b"", prompt, 60):
                return results
            step("echo", b"echo hello from the $ shell\r",
                 rb"echo hello[^\n]*\n[^\n]*hello from")
            t.expect(prompt, 10)
            step("no such program", b"no-such-program\r",
                 rb"no-such-program: (not found|no such)")
            t.expect(prompt, 10)
            step("help", b"help\r", rb"help\r?\n[^$#>]*\w")
            t.expect(prompt, 10)
            # A line of 80 columns, and one more below it; go up, to the begin, search.
            t.send(b"edit /tmp/note\r")
            t.expect(rb"A new file", 20)
            step("edit: saved", b"a" * 85 + b"\rsecond\x1b[A\x1b[HX\x06sec\r2 \x13",
                 rb"Saved: 95 bytes")
            t.send(b"\x11")
            t.expect(prompt, 10)
            step("edit: the file", b"cat /tmp/note; wc /tmp/note\r",
                 rb"\nXa{85}\r?\n2 second +1 +3 +95")
            t.expect(prompt, 10)
            t.send(b"sleep 100\r")
            t.expect(rb"\n", 10)
            time.sleep(0.5)
            step("Ctrl-Z", b"\x1a", rb"stopped  sleep 100")
            t.expect(prompt, 10)
            # Pasted, faster than anybody reads.
            step("ten thousand characters", b"echo " + b"x" * 9990 + b" | wc\r",
                 rb"1 +1 +9991\r?\n", 60)
            t.expect(prompt, 10)
            t.send(b"\x01x")
            results += left_alone(prefix, "Ctrl-A x", t, 30)
        return results
    return suite


def make_native(cpu):
    """TeachOS's self-test in ring 0, both builds; the verdict is QEMU's exit status."""
    prefix = "native/%s" % cpu

    def suite(wanted):
        results = []
        for name in TEACHOS:
            status, output = native.run(name, "selftest", cpu=cpu, patience=90)
            results.append(native.verdict("%s/%s" % (prefix, name), status, output))
        return results
    return suite


def native_devices(wanted):
    """All virtio devices over PCI, two and two on one interrupt line, the same drivers."""
    checker = shutil.which("e2fsck", path=os.environ.get("PATH", "") + ":/sbin:/usr/sbin")
    if not checker:
        raise Broken("no e2fsck here: sudo apt-get install e2fsprogs")
    with tempfile.TemporaryDirectory(prefix="lg-native-") as folder:
        path, disk = os.path.join(folder, "console"), os.path.join(folder, "disk")
        native.make_disk(disk)
        # Slots 4 and 8 are wired to the same line on this board, and 5 and 9.
        status, output = native.run("teachos", "selftest", patience=120, more=[
            "-chardev", "file,id=c,path=" + path,
            "-device", "virtio-serial-pci,addr=4,max_ports=1," + native.LEGACY,
            "-device", "virtconsole,chardev=c",
            "-device", "virtio-rng-pci,addr=5," + native.LEGACY,
            *native.disk(disk, 8), *native.network(9)])
        with open(path, encoding="utf-8", errors="replace") as f:
            text = f.read()
        checked, complaint = machine.run([checker, "-fn", disk], 60)
    results = [native.verdict("native/virtio-pci", status, text),
               check("native/virtio-pci/e2fsck", checked == 0, complaint)]
    for word, what in (("the console interrupts", "console"), ("on a disk", "disk"),
                       ("answers an echo", "network"), ("random numbers", "rng")):
        results.append(check("native/virtio-pci/" + what, re.search(
            "^ok .*" + word, text, re.M), "no test '%s' was passed" % word, text))
    return results


def native_ends(wanted):
    """Each way a machine can end has its own status, also without any console."""
    results = []
    for name, arguments, cpu, expected, says in (
            ("power off", "init=/bin/poweroff", "qemu64", native.WELL, None),
            ("restart", "init=/bin/reboot", "qemu64", native.RESTART, None),
            ("panic", "panic", "qemu64", native.CRASHED, "page fault (vector 14"),
            ("no such program", "init=/bin/nonsense", "qemu64", native.CRASHED,
             "cannot run /bin/nonsense: no such file")):
        status, output = native.run("teachos", arguments, cpu=cpu)
        results.append(check("native/ends/" + name, status == expected and (says or "") in output,
                             "status %d, expected %d: %s" % (
                                 status, expected, machine.tail(output, 3)), output))
    # The battery's clock, on a day that not every year has.
    status, output = native.run("teachos", "init=/bin/stat /etc/motd", more=[
        "-rtc", "base=2028-02-29T23:58:00"])
    results.append(check("native/ends/date", "changed 2028-02-29 23:5" in output,
                         machine.tail(output, 1), output))
    # Without the test's port: the board's own switch (QEMU ends with 0), and a real reset.
    words = native.command(more=["-no-reboot"]) + ["-kernel", TEACHOS["teachos"], "-append"]
    for name, program in (("ACPI", "/bin/poweroff"), ("reset", "/bin/reboot")):
        status, output = machine.run(words + ["init=" + program], 60)
        # Where neither happens the machine stands still, and that is Overdue.  What it prints
        # does not count: on a busy machine QEMU lets it run on for a while.
        results.append(check("native/ends/" + name, status == 0,
                             "status %d: %s" % (status, machine.tail(output, 3)), output))
    # A processor that is too old is told so.  It stops there: the line must come, not the end.
    for name, cpu in (("teachos", "pentium"), ("teachos-pae", "pentium")):
        said = threading.Event()

        def look(line):
            if "needs a processor with" in line:
                said.set()
        try:
            machine.run(native.command(cpu) + native.kernel(name, ""), 4, on_line=look)
        except Overdue:
            pass
        results.append(check("native/ends/%s on a Pentium" % name, said.is_set(),
                             "it did not complain"))
    return results


def native_keys(wanted):
    """A person at the machine: the serial line, then the keyboard."""
    from .terminal import Terminal
    results = []
    with tempfile.TemporaryDirectory(prefix="lg-native-") as folder:
        path = os.path.join(folder, "monitor")
        words = native.command(more=["-no-reboot", "-vga", "std", "-monitor",
                                     "unix:%s,server=on,wait=off" % path])
        words[0] = shutil.which(words[0]) or words[0]
        with Terminal(words + native.kernel("teachos", "")) as t:
            if not t.expect(rb"\$ $", 60):
                return [Result("native/keys", FAIL, "no prompt: %r" % t.tail())]
            step = typist("native/keys", t, results)
            step("serial line", b"echo from the $ line | wc\r", rb"\n +1 +4 +16")
            t.expect(rb"\$ $", 10)
            # More than the UART and the terminal's line can hold, with nobody reading.
            step("typed ahead", b"sleep 1\r" + b"echo " + b"x" * 900 + b" | wc\r",
                 rb"\n +1 +1 +901", 30)
            t.expect(rb"\$ $", 10)
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                keys = ["shift-h", "i", "backspace", "backspace", "e", "c", "h", "o", "spc",
                        "shift-q", "semicolon", "up", "down", "c", "backspace", "ret"]
                s.sendall("".join("sendkey %s 10\n" % k for k in keys).encode())
                results.append(check("native/keys/keyboard", t.expect(rb"\nQ\r*\n", 20),
                                     "got %r" % t.tail()))
            t.expect(rb"\$ $", 10)
            t.send(b"poweroff\r")
            status = t.wait(30)
            results.append(check("native/keys/poweroff", status == native.WELL,
                                 "status %s, expected %d" % (status, native.WELL)))
    return results
