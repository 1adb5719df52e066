# SPDX-License-Identifier: MIT
"""What a machine says is kept in memory.  A machine that does not stop must not fill ours."""

MIB = 1 << 20


class Kept:
    """All that was added; of more than `most` bytes the first half of them and the last."""

    def __init__(self, most=None):
        self.half = None if most is None else most // 2
        self.first, self.last, self.total = bytearray(), bytearray(), 0

    def add(self, data):
        self.total += len(data)
        room = len(data) if self.half is None else max(0, self.half - len(self.first))
        self.first.extend(data[:room])
        self.last.extend(data[room:])
        if self.half is not None and len(self.last) > 2 * self.half:
            del self.last[:-self.half]      # now and then, not for each byte

    @property
    def left_out(self):
        return 0 if self.half is None else max(0, self.total - 2 * self.half)

    def __bytes__(self):
        if not self.left_out:
            return bytes(self.first + self.last)
        return b"%s\n[nested: %d bytes are left out here, of %d]\n%s" % (
            self.first, self.left_out, self.total, self.last[-self.half:])
