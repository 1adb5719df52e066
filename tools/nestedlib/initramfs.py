# SPDX-License-Identifier: MIT
#P:330 A root file system in forty lines
#
# A Linux kernel unpacks an archive of the *newc* kind (see cpio(5)) into memory and
# starts /init from it.  That's all the disk our machine has.  We write the archive
# ourselves rather than with cpio(1): the format is a header of fourteen numbers in
# hexadecimal, a name, the bytes, and padding to four; and in an archive that we
# write, an ordinary user can have a /dev/console, which mknod would refuse.
#:*
"""Write cpio archives (newc) for the kernel's initramfs."""

import os
import stat


class Archive:
    """A cpio archive that grows in memory; bytes() gives all of it."""

    def __init__(self):
        self.parts = []
        self.seen = set()
        self.inode = 0

    def _entry(self, name, mode, data=b"", rdev=(0, 0)):
        self.inode += 1
        raw = name.encode() + b"\0"
        head = b"070701" + b"".join(
            b"%08X" % n
            for n in (
                self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(raw), 0
            )
        )
        for piece in (head + raw, data):
            self.parts.append(piece + b"\0" * (-len(piece) % 4))

    def directory(self, path):
        """Make `path` and all above it, once."""
        path = path.strip("/")
        if not path or path in self.seen:
            return
        self.directory(os.path.dirname(path))
        self.seen.add(path)
        self._entry(path, stat.S_IFDIR | 0o755)

    def file(self, path, data, mode=0o644):
        self.directory(os.path.dirname(path))
        self._entry(path.strip("/"), stat.S_IFREG | mode, data)

    def link(self, path, target):
        self.directory(os.path.dirname(path))
        self._entry(path.strip("/"), stat.S_IFLNK | 0o777, target.encode())

    def device(self, path, major, minor):
        self.directory(os.path.dirname(path))
        self._entry(path.strip("/"), stat.S_IFCHR | 0o600, rdev=(major, minor))

    def bytes(self):
        self._entry("TRAILER!!!", 0)
        return b"".join(self.parts)
