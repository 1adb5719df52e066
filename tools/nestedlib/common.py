# SPDX-License-Identifier: MIT
#P:310 What the nested tools share
#
# Where things are, how an error is said (one line that names the thing, what was
# found and what to do), and how ELF files and kernels are recognised.  Only the
# standard library: these tools run on a machine that has nothing but Python 3.9.
#:*
"""Paths, errors and small readers used by every part of tools/nested."""

import os
import shutil
import struct
import sys

# Statuses of `tools/nested` itself; anything else is the command's own.
EXIT_TIMEOUT = 124
EXIT_MACHINE = 125

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def build_dir():
    """The directory for built files: $BUILD, or build/ at the top."""
    return os.path.abspath(os.environ.get("BUILD") or os.path.join(TOP, "build"))


class NestedError(Exception):
    """Something is missing or wrong; str() is one line meant for people."""

    def __init__(self, text, status=EXIT_MACHINE):
        super().__init__(text)
        self.status = status


def say(text):
    """A remark about the machine itself; the command's output stays clean of it."""
    sys.stderr.write("nested: %s\n" % text)
    sys.stderr.flush()


def find_program(name, package, code):
    """Full path of a program, or an error that names the package to install."""
    path = shutil.which(name)
    if path is None:
        # A plain user's PATH often leaves the sbin directories out.
        path = shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin:/bin:/usr/bin")
    if path is None:
        raise NestedError(
            "%s: no %s here; install it with: sudo apt-get install %s (or: make setup)"
            % (code, name, package)
        )
    return path


def is_static_elf(path):
    """True if `path` is an ELF program that needs no interpreter (no PT_INTERP)."""
    with open(path, "rb") as f:
        head = f.read(64)
        if len(head) < 64 or head[:4] != b"\x7fELF":
            return False
        if head[4] == 2:
            phoff, = struct.unpack_from("<Q", head, 32)
            phentsize, phnum = struct.unpack_from("<HH", head, 54)
        else:
            phoff, = struct.unpack_from("<I", head, 28)
            phentsize, phnum = struct.unpack_from("<HH", head, 42)
        f.seek(phoff)
        table = f.read(phentsize * phnum)
    PT_INTERP = 3
    for i in range(phnum):
        kind, = struct.unpack_from("<I", table, i * phentsize)
        if kind == PT_INTERP:
            return False
    return True


def bzimage_release(path):
    """The release ("6.1.0-50-cloud-amd64") that a bzImage says it is.

    Raises NestedError if the file isn't a Linux kernel.  The format is in the
    kernel's Documentation/arch/x86/boot.rst: "HdrS" at 0x202, and at 0x20e the
    place of the version string, counted from 0x200.
    """
    try:
        with open(path, "rb") as f:
            head = f.read(64 * 1024)
    except OSError as e:
        raise NestedError("kernel %s: %s" % (path, e.strerror))
    if head[0x202:0x206] != b"HdrS":
        raise NestedError("kernel %s: expected a bzImage (a vmlinuz file), this isn't one" % path)
    at = struct.unpack_from("<H", head, 0x20E)[0] + 0x200
    text = head[at : head.find(b"\0", at)].decode("ascii", "replace")
    if not text.split():
        raise NestedError("kernel %s: its header has no version string" % path)
    return text.split()[0]


def os_release():
    """/etc/os-release as a dictionary."""
    fields = {}
    try:
        with open("/etc/os-release", encoding="utf-8") as f:
            for line in f:
                key, eq, value = line.strip().partition("=")
                if eq:
                    fields[key] = value.strip("\"'")
    except OSError:
        pass
    return fields
