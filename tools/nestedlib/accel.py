# SPDX-License-Identifier: MIT
#P:370 With or without KVM
#
# Nothing in this project needs hardware virtualization: the Guests don't, that is
# the point of the whole thing, and the nested machine is happy with QEMU's software
# emulation (TCG).  If the real CPU has VT-x or SVM, and /dev/kvm may be used, and a
# kernel really comes up with it, then the nested machine takes it, because it's
# faster.  A /dev/kvm that opens proves nothing, so we boot once and remember.
# `LG_ACCEL=tcg` forces software.
#:*
"""Decide whether QEMU may use KVM."""

import os
import socket
import subprocess
import time

from .common import build_dir

PROBE_SECONDS = 20


def cpu_flags():
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
            for line in f:
                if line.startswith("flags"):
                    return set(line.split(":", 1)[1].split())
    except OSError:
        pass
    return set()


def kvm_works(qemu, kernel):
    """True if QEMU with KVM boots this kernel as far as its first message."""
    if os.environ.get("LG_ACCEL", "") == "tcg":
        return False
    if not cpu_flags() & {"vmx", "svm"}:
        return False
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    boot_id = open("/proc/sys/kernel/random/boot_id", encoding="ascii").read().strip()
    key = "%s %s" % (boot_id, kernel.release)
    memory = os.path.join(build_dir(), "kvm-probe")
    try:
        known, verdict = open(memory, encoding="ascii").read().split("=")
        if known == key:
            return verdict == "works"
    except (OSError, ValueError):
        pass
    works = probe(qemu, kernel)
    try:
        with open(memory, "w", encoding="ascii") as f:
            f.write("%s=%s" % (key, "works" if works else "fails"))
    except OSError:
        pass
    return works


def probe(qemu, kernel):
    """Boot without a root file system: the kernel must get as far as to panic."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [
            qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-machine", "pc", "-accel", "kvm", "-m", "256", "-kernel", kernel.image,
            "-chardev", "socket,id=s0,fd=%d" % theirs.fileno(),
            "-device", "isa-serial,chardev=s0", "-append", "console=ttyS0 panic=-1",
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    heard = b""
    end = time.monotonic() + PROBE_SECONDS
    try:
        while time.monotonic() < end and b"Kernel panic" not in heard:
            ours.settimeout(max(0.1, end - time.monotonic()))
            data = ours.recv(65536)
            if not data:
                break
            heard += data
    except OSError:
        pass
    finally:
        process.kill()
        process.wait()
        ours.close()
    return b"Kernel panic" in heard
