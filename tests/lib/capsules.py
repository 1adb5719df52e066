# SPDX-License-Identifier: MIT
"""The Launcher where there is no Host: the same, in a nested machine of its own."""

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

from . import inmates as inmates_of
from . import machine
from .machine import Config, need, nested
from .suites import INMATES, LAUNCHER, built, check, descendants, elf
from .verdict import Broken


def capsule(wanted):
    """The Launcher started where there is no /dev/lguest: the same, in a nested machine."""
    prefix = "capsule"
    need(LAUNCHER, "make -C launcher")
    if os.path.exists("/dev/lguest"):
        raise Broken("/dev/lguest exists on this machine: the capsule would not be used")
    results = []
    with tempfile.TemporaryDirectory(prefix="lg-capsule-") as folder:
        stats = os.path.join(folder, "stats.json")
        status, output = machine.run([LAUNCHER, "--stats=" + stats, "32", elf("hello"), "one",
                                      "two", "three"], 90)
        known = inmates_of.load(INMATES)["hello"]
        why = known.judge("", output, status)
        results.append(check(prefix + "/hello", why is None, why, output))
        results.append(check(prefix + "/stats come out", os.path.exists(stats)
                             and os.path.getsize(stats) > 100, "no %s" % stats))
        death = os.path.join(folder, "death.json")
        status, output = machine.run([LAUNCHER, "--death=" + death, elf("kill-gdt-index"), "99"],
                                     90)
        results.append(check(prefix + "/killed", status == 4 and "too many gdt" in output.lower(),
                             "exit status %d, expected 4: %s" % (status, machine.tail(output, 2))))
        try:
            with open(death, encoding="utf-8") as f:
                told = json.load(f)
        except (OSError, ValueError) as error:
            told = {"code": str(error)}
        results.append(check(prefix + "/--death comes out", told["code"] == "E-SEG-01"
                             and len(told.get("registers", ())) == 16
                             and "too many gdt" in told.get("text", ""), str(told)))
        status, output = machine.run([LAUNCHER, elf("shutdown-crash")], 90)
        results.append(check(prefix + "/crashed", status == 3 and "the sky fell" in output,
                             "exit status %d, expected 3: %s" % (status, machine.tail(output, 2))))
        status, output = machine.run([LAUNCHER, "--timeout=1", elf("silent")], 90)
        results.append(check(prefix + "/time-out", status == 5,
                             "exit status %d, expected 5: %s" % (status, machine.tail(output, 2))))
        results += capsule_network(prefix + "/net")
        begun = time.time()
        status, output = machine.run([LAUNCHER, os.path.join(folder, "missing")], 90)
        results.append(check(prefix + "/missing file, before any machine",
                             status == 10 and time.time() - begun < 1.5,
                             "exit status %d after %.1f s" % (status, time.time() - begun)))
        env = dict(os.environ, LG_QEMU="qemu-system-that-is-not-there")
        status, output = machine.run([LAUNCHER, elf("hello")], 90, env=env)
        lines = [l for l in output.splitlines() if l.strip()]
        results.append(check(prefix + "/no QEMU", status in (30, 33) and 1 <= len(lines) <= 2,
                             "exit status %d, expected 30: %s" % (status, output)))
    return results


def capsule_network(prefix):
    """--net=user in a capsule: a port of *this* machine is the Guest's, and the Guest's MAC."""
    program = built("net", "peer")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        taken = machine.run([LAUNCHER, "--net=user,hostfwd=udp:127.0.0.1:%d-:7" % port,
                             elf("net"), "1"], 60)
    said = []
    peer = threading.Thread(target=lambda: said.append(machine.run(
        [program, "127.0.0.1", str(port)], 120)))

    def on_line(line):
        if "listening" in line:
            peer.start()
    status, output = machine.run(
        [LAUNCHER, "--timeout=60", "--net=user,hostfwd=udp:127.0.0.1:%d-:7" % port, "16",
         elf("net"), "1"], 120, on_line)
    if peer.ident:
        peer.join()
    asked = machine.run([LAUNCHER, "--timeout=60", "--net=user", "16", elf("net")], 120)
    return [
        check(prefix, status == 0 and "ok somebody spoke to us" in output,
              "exit status %d: %s" % (status, machine.tail(output, 2)), output),
        check(prefix + "/from outside", said and "ok 93 datagrams came back" in said[0][1],
              "the other end says %s" % said, output),
        check(prefix + "/to the gateway", asked[0] == 0 and "ok 300 pings came back" in asked[1],
              "exit status %d: %s" % (asked[0], machine.tail(asked[1], 2)), asked[1]),
        check(prefix + "/port in use", taken[0] == 25 and "Address already in use" in taken[1]
              and len(taken[1].splitlines()) == 1, "%s" % (taken,)),
    ]


def flow(wanted):
    """Much input for slow readers and much output for slow writers: no byte is lost."""
    config = Config("6.1", "qemu64", 1)
    results = []
    with tempfile.TemporaryDirectory(prefix="lg-flow-") as folder:
        def noise(name, size):
            path = os.path.join(folder, name)
            with open(path, "wb") as f:
                f.write(os.urandom(size))
            return path

        def checksum(path):
            with open(path, "rb") as f:
                return hashlib.sha256(f.read()).hexdigest()

        # Through a Guest, a megabyte in and out again; the pipe's other end sleeps first.
        megabyte = noise("megabyte", 1 << 20)
        script = ("/bin/launcher --timeout=60 16 echo.elf 1048576 <megabyte >out; echo status $?; "
                  "sha256sum <out; cat megabyte | /bin/launcher --timeout=60 16 echo.elf 1048576 | "
                  "{ sleep 2; sha256sum; }")
        outcome = nested(config, ["sh", "-c", script], files=[megabyte, elf("echo")], patience=100)
        sums = re.findall(r"^([0-9a-f]{64}) ", outcome.output, re.M)
        for k, name in enumerate(("file", "slow pipe")):
            results.append(check("flow/1 MB through a Guest, " + name, len(sums) == 2 and
                                 sums[k] == checksum(megabyte), machine.tail(outcome.output, 3)))
        # By the serial line, to somebody who does not read for a while.
        part = noise("part", 200 << 10)
        words = [machine.NESTED, "exec"] + config.options() + [
            "--timeout", "60", "--stdin", "--split", "--", "sh", "-c",
            "sleep 6; echo now; sha256sum"]
        taken = []
        with open(part, "rb") as f:
            status, output = machine.run(words, 90, stdin=f, on_line=lambda line: taken.append(
                os.lseek(f.fileno(), 0, os.SEEK_CUR)))
        results.append(check("flow/exec --stdin", status == 0 and checksum(part) in output,
                             "status %d: %s" % (status, machine.tail(output, 2))))
        # What a pipe can hold, and a portion or two; without flow control it is all.
        results.append(check("flow/exec --stdin waits", taken and 0 < taken[0] <= 128 << 10,
                             "%s bytes were taken before anybody read" % taken[:1]))
        # The capsule: everything between a file here and a Guest in there.
        part = noise("small", 48 << 10)
        out = os.path.join(folder, "out")
        with open(part, "rb") as f:
            status, output = machine.run(["sh", "-c", "exec %s 16 %s 49152 >%s" % (
                LAUNCHER, elf("echo"), out)], 90, stdin=f)
        results.append(check("flow/capsule, there and back", status == 0 and
                             checksum(out) == checksum(part), "status %d: %d bytes: %s" % (
                                 status, os.path.getsize(out), machine.tail(output, 2))))
    return results


def capsule_disks(wanted):
    """What a Guest wrote comes back, however it ended; and half a disk never does."""
    from .terminal import Terminal
    known = inmates_of.load(INMATES)["block"]
    results = []
    with tempfile.TemporaryDirectory(prefix="lg-disks-") as folder:
        disk = os.path.join(folder, "disk.img")
        words = [LAUNCHER, "--block=" + disk, "16", elf("block"), "1"]

        def fresh():
            with open(disk, "wb") as f:
                f.write(known.disk_before())

        def is_written():
            with open(disk, "rb") as f:
                return known.judge_disk(f.read())

        def is_whole():
            with open(disk, "rb") as f:
                if f.read() != known.disk_before():
                    return "the disk has changed"
            left = os.listdir(folder)
            return "files were left: %s" % left if len(left) > 1 else None

        def started():
            p = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, start_new_session=True)
            seen = b""
            while b"and it stays" not in seen:
                part = os.read(p.stdout.fileno(), 4096)
                if not part:
                    break
                seen += part
            return p

        fresh()
        with Terminal(words) as t:
            t.expect(rb"and it stays", 60)
            t.send(b"\x01x")
            status = t.wait(60)
            why = is_written() or (status != 0 and "exit status %s: %r" % (status, t.tail()))
            results.append(check("capsule-disks/Ctrl-A x", not why, why))
        fresh()
        p = started()
        p.terminate()
        output = p.communicate(timeout=60)[0].decode()
        why = is_written() or (p.returncode != 143 and "exit status %d: %s" % (
            p.returncode, machine.tail(output, 2)))
        results.append(check("capsule-disks/SIGTERM", not why, why, output))
        # The machine dies: QEMU is the one descendant of that name.
        fresh()
        p = started()
        for pid in descendants(p.pid):
            with open("/proc/%d/comm" % pid, encoding="ascii") as f:
                if f.read().startswith("qemu-system"):
                    os.kill(pid, signal.SIGKILL)
        output = p.communicate(timeout=60)[0].decode()
        said = ": what was written in the machine did not come out; it is as it was"
        why = is_whole() or (disk + said not in output and
                             "it is not said: " + machine.tail(output, 3))
        results.append(check("capsule-disks/the machine dies", not why and p.returncode == 33,
                             why or "exit status %d" % p.returncode, output))
    return results
