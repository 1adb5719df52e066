# SPDX-License-Identifier: MIT
"""
What a student hands in: an archive with the files that hold the lab's regions.

The grader takes nothing from it but the text between the markers, and the answers.  All
else, makefiles and tests first of all, is the course's own.  Nothing is ever unpacked.
"""

import bz2
import gzip
import io
import json
import lzma
import os
import re
import stat
import tarfile
import tempfile
import time
import zipfile
import zlib

from . import markers, questions
from .labs import SEED, LabError, text_of

FILE_MOST = 1 << 20
REGION_MOST = 1 << 16
ARCHIVE_MOST = 32 << 20
UNPACKED_MOST = 256 << 20       # of a .tar: to find one file, all before it are unpacked
PACKED_BY = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ", lzma.open), (b"", open))
NAMES_MOST = 20000
PACKET = re.compile(r"\.(tar\.gz|tgz|tar\.xz|tar\.bz2|tar|zip)$")
# What the libraries say of an archive that is damaged, locked, or none at all.
UNREADABLE = (OSError, EOFError, KeyError, ValueError, RuntimeError, NotImplementedError,
              OverflowError, MemoryError, zipfile.BadZipFile, tarfile.TarError, zlib.error,
              lzma.LZMAError)


def unpacked(path):
    """
    What is in a .tar.gz, in a file without a name.  tarfile would unpack it, too, but by
    pieces whose size the archive says: as much as we have memory, or more.
    """
    f = tempfile.TemporaryFile()
    with open(path, "rb") as packed:
        start = packed.read(8)
    with next(o for magic, o in PACKED_BY if start.startswith(magic))(path, "rb") as packed:
        for piece in iter(lambda: packed.read(1 << 20), b""):
            if f.tell() + len(piece) > UNPACKED_MOST:
                raise too_much(path)
            f.write(piece)
    f.seek(0)
    return f


def too_much(path):
    return LabError("%s: unpacked it has more than %d MiB"
                    % (os.path.basename(path), UNPACKED_MOST >> 20))


class Submission:
    """A folder, .tar, .tar.gz or .zip: names and contents, by way of two functions."""

    def __init__(self, path):
        self.path = path
        try:
            self.open(path)
        except UNREADABLE as error:
            raise LabError("%s cannot be read: %s" % (os.path.basename(path), error or
                                                      type(error).__name__))

    def open(self, path):
        if os.path.isdir(path):
            self.names, self.fetch = self.of_folder(path)
            packets = [n for n in self.names if PACKET.search(n)]
            # What Gradescope makes of lab6-submission.tar.gz, or Moodle: a folder with that in it.
            if packets and not any(markers.is_source(n) for n in self.names):
                if len(packets) > 1:
                    raise LabError("%s: %s; expected one archive, or the files themselves"
                                   % (os.path.basename(path), ", ".join(packets)[:200]))
                self.of_folder(path)[1](packets[0])     # or it says why not
                self.open(os.path.join(path, packets[0]))
        elif not os.path.isfile(path):
            raise LabError("%s: there is no such submission" % path)
        elif os.path.getsize(path) > ARCHIVE_MOST:
            raise LabError("%s: %d bytes; expected at most %d MiB"
                           % (path, os.path.getsize(path), ARCHIVE_MOST >> 20))
        elif zipfile.is_zipfile(path):
            self.names, self.fetch = self.of_zip(path)
        else:
            self.names, self.fetch = self.of_tar(path)

    @staticmethod
    def of_folder(path):
        names = []
        for where, folders, files in os.walk(path):
            folders[:] = [f for f in folders if f not in (".git", "build")]
            names += [os.path.relpath(os.path.join(where, n), path) for n in files]
            if len(names) > NAMES_MOST:
                break

        def fetch(name):
            full = os.path.join(path, name)
            # A link could lead to a file that is not theirs; so could a folder on the way.
            if not stat.S_ISREG(os.lstat(full).st_mode) or not os.path.realpath(full).startswith(
                    os.path.realpath(path) + os.sep):
                raise LabError("%s: no ordinary file" % name)
            with open(full, "rb") as f:
                return f.read(FILE_MOST + 1)
        return names, fetch

    @staticmethod
    def of_zip(path):
        z = zipfile.ZipFile(path)

        def fetch(name):
            about = z.getinfo(name)
            if stat.S_ISLNK(about.external_attr >> 16):
                raise LabError("%s: no ordinary file" % name)
            # With the other methods zipfile unpacks all that it has read, however much that is.
            if about.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise LabError("%s is packed by method %d; expected 0 or 8, like everybody's .zip"
                               % (name, about.compress_type))
            with z.open(about) as f:
                return f.read(FILE_MOST + 1)
        return z.namelist()[:NAMES_MOST], fetch

    @staticmethod
    def of_tar(path):
        try:
            t = tarfile.open(fileobj=unpacked(path), mode="r:")
        except UNREADABLE:
            raise LabError("%s is no archive, or a damaged one; expected a folder, a .tar.gz or "
                           "a .zip" % os.path.basename(path))
        members, total, last = {}, 0, -1
        for m in t:
            if m.offset <= last:        # a size below 0: it would be read again and again
                raise LabError("%s: after byte %d comes byte %d of the archive; it is damaged"
                               % (os.path.basename(path), last, m.offset))
            last = m.offset
            total += m.size
            if total > UNPACKED_MOST:
                raise too_much(path)
            if m.isreg():
                members[m.name] = m
            if len(members) > NAMES_MOST:
                break

        def fetch(name):
            return t.extractfile(members[name]).read(FILE_MOST + 1)
        return list(members), fetch

    def text(self, path):
        """A file, at its place in the tree, in a folder below, or alone; None: not there."""
        good = [n for n in self.names if n == path or n.endswith("/" + path)] or \
               [n for n in self.names if n == os.path.basename(path)]
        if not good:
            return None
        try:
            data = self.fetch(min(good, key=lambda n: (n.count("/"), n)))
        except UNREADABLE as error:
            raise LabError("%s cannot be read: %s" % (path, error))
        if len(data) > FILE_MOST:
            raise LabError("%s has more than %d bytes" % (path, FILE_MOST))
        return text_of(data, path)

    def regions(self, lab, tree):
        """{exercise id: text, or the error that says why not}"""
        found = {}
        for first in sorted({e.file for e in lab.exercises}):
            mine = [e for e in lab.exercises if e.file == first]
            path = first
            try:
                for path in mine[0].files:
                    text = self.text(path)
                    if text is not None:
                        break
                if text is None:
                    raise LabError("%s is not in the submission" % first)
                there = {r.exercise: r.text for r in markers.parse(text, path,
                                                                   set(tree.exercises))}
                for e in mine:
                    found[e.id] = there.get(e.id) if e.id in there else LabError(
                        "%s: there is no LAB %s BEGIN in it" % (path, e.id))
                    if isinstance(found[e.id], str) and len(found[e.id]) > REGION_MOST:
                        found[e.id] = LabError("%s: LAB %s has more than %d bytes"
                                               % (path, e.id, REGION_MOST))
            except (LabError, markers.MarkerError) as error:
                found.update({e.id: error for e in mine})
        return found

    def answers(self, lab):
        try:
            return self.text("labs/lab%d/answers.txt" % lab.lab) or ""
        except LabError:
            return ""

    def about(self):
        """What submission.json says, if there is one."""
        try:
            said = json.loads(self.text("submission.json") or "{}")
            return said if isinstance(said, dict) else {}
        except (ValueError, LabError, RecursionError):
            return {}

    def seed(self):
        said = self.about().get("seed")
        return said if isinstance(said, str) and SEED.match(said) else None

    def lab(self):
        """The number of the lab that it is for, or None."""
        said = self.about().get("lab")
        return said if type(said) is int else None      # true is none


def pack(lab, tree, to):
    """Write the archive of one lab.  -> names in it"""
    names = sorted({tree.regions[e.id].path for e in lab.exercises})
    for extra in ("answers.txt", "time.txt"):
        path = "labs/lab%d/%s" % (lab.lab, extra)
        if os.path.lexists(os.path.join(tree.top, path)):
            names.append(path)
    for name in names:      # the grader takes no links
        if not stat.S_ISREG(os.lstat(os.path.join(tree.top, name)).st_mode):
            raise LabError("%s: no ordinary file; expected one, to be packed" % name)
    about = json.dumps({"lab": lab.lab, "seed": questions.student_seed(tree.top),
                        "packed": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}).encode()
    if os.path.isdir(to):
        raise LabError("%s: is a folder; expected none, or the packet of last time" % to)
    fresh = to + ".new"     # half a packet is worse than none, or that of yesterday
    try:
        with tarfile.open(fresh, "w:gz") as t:
            for name in names:
                t.add(os.path.join(tree.top, name), name, recursive=False)
            info = tarfile.TarInfo("submission.json")
            info.size, info.mtime = len(about), int(time.time())
            t.addfile(info, io.BytesIO(about))
        os.replace(fresh, to)
    finally:
        if os.path.exists(fresh):
            os.remove(fresh)
    return names
