# SPDX-License-Identifier: MIT
#P:378 When the Host does not come back
#
# A crash at least says something.  A loop that does not end, with interrupts off, says
# nothing at all: no key helps, no log grows, and after a while somebody stops the machine.
# So before it is stopped we have a look inside, through QEMU, which needs nobody's help in
# there: where is each CPU?  Five times, because once may be chance.
#
# A CPU in the Guest is 32-bit, one that sleeps has executed HLT, and lg.ko has told us
# where its sections are.  In Linux' own code it may still be we who called it: then there
# is a return address of ours on the stack.  (Old ones lie about there as well.  One counts
# only if there is a CALL before the place that it leads to.)
#
# If all five looks find a CPU below one and the same function of ours, that is the loop.
#:*
"""Where is a machine that does not answer?"""

import collections
import json
import re
import socket
import struct
import time

from . import oops

LOOKS = 5
BETWEEN = 0.05      # seconds
PATIENCE = 3        # for all of it: a QEMU that is itself stuck is not worth more
STACK_WORDS = 256
SWITCHER_ENDS = 1 << 32     # the Switcher runs where the Guest could have memory

WHERE = ("the Host", "Linux", "idle", "the Switcher", "the Guest's kernel", "the Guest's programs",
         "a program")


class Monitor:
    """QEMU's machine protocol, on a socket that is connected already."""

    def __init__(self, s):
        self.socket = s
        self.end = time.monotonic() + PATIENCE
        self.lines = s.makefile("r", encoding="utf-8", errors="replace")
        self.said()                             # the greeting
        self.ask("qmp_capabilities")

    def said(self):
        self.socket.settimeout(max(0.01, self.end - time.monotonic()))
        line = self.lines.readline()
        if not line:
            raise OSError("QEMU has hung up")
        return json.loads(line)

    def ask(self, what, **arguments):
        self.socket.sendall(json.dumps({"execute": what, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = self.said()
            if "return" in answer or "error" in answer:
                return answer.get("return")

    def human(self, line, cpu):
        text = self.ask("human-monitor-command", **{"command-line": line, "cpu-index": cpu})
        return text if isinstance(text, str) else ""

    def words(self, address):
        """Of memory, as many of STACK_WORDS as there are."""
        text = self.human("x /%dgx 0x%x" % (STACK_WORDS, address), self.cpu)
        return [int(w, 16) for w in re.findall(r" 0x([0-9a-f]{16})", text)]

    def look(self, cpu):
        """-> (one of WHERE, program counter, words of the stack)"""
        self.cpu = cpu
        text = self.human("info registers", cpu)
        found = dict(re.findall(r"\b(RIP|EIP|RSP|CPL|HLT)=([0-9a-f]+)", text))
        if "CPL" not in found:
            raise OSError("QEMU does not say where CPU %d is" % cpu)
        at, ring = int(found.get("RIP") or found["EIP"], 16), int(found["CPL"])
        if "EIP" in found:
            return ("the Guest's programs" if ring == 3 else "the Guest's kernel"), at, []
        if ring == 3:
            return "a program", at, []
        if found.get("HLT") == "1":
            return "idle", at, []
        if at < SWITCHER_ENDS:
            return "the Switcher", at, []
        return "Linux", at, self.words(int(found["RSP"], 16))


class Code:
    """The sections of lg.ko: where they are in there, and what is in them."""

    def __init__(self, module, loaded):
        """loaded: {section: address}"""
        self.module = module
        self.sections = []
        with open(module, "rb") as f:
            data = f.read()
        shoff, = struct.unpack_from("<Q", data, 40)
        size, count, names = struct.unpack_from("<HHH", data, 58)
        headers = [struct.unpack_from("<IIQQQQ", data, shoff + i * size) for i in range(count)]
        strings = headers[names][4]
        for name, _, _, _, offset, length in headers:
            name = data[strings + name:data.index(b"\0", strings + name)].decode("ascii", "replace")
            if name in loaded:
                self.sections.append((name, loaded[name], data[offset:offset + length]))

    def find(self, address):
        """-> (section, offset, bytes), or None"""
        for name, at, code in self.sections:
            if at <= address < at + len(code):
                return name, address - at, code
        return None

    def is_return(self, address):
        """CALL, direct or through a register or memory (SDM vol. 2A, CALL)."""
        found = self.find(address)
        if not found or found[1] < 5:
            return False
        _, at, code = found
        return code[at - 5] == 0xe8 or any(code[at - n] == 0xff and code[at - n + 1] & 0x38 == 0x10
                                           for n in (2, 3, 4))


    def chain(self, at, stack):
        """Places of ours, (section, offset), from the innermost outwards."""
        here = self.find(at)
        callers = [self.find(word) for word in stack if self.is_return(word)]
        return ([here[:2]] if here else []) + [(name, at - 1) for name, at, _ in callers]

    def lines(self, chains):
        """Chains of places -> chains of Spots."""
        spots = {}
        for section in {name for c in chains for name, _ in c}:
            offsets = sorted({at for c in chains for name, at in c if name == section})
            for at, found in zip(offsets, oops.spots_at(self.module, section, offsets)):
                spots[section, at] = found
        return [[spot for place in c for spot in spots[place]] for c in chains]


class Stuck(oops.Report):
    """What was seen.  in_host: the Host is in a loop."""

    def __init__(self, tallies, loop):
        """tallies: a Counter of WHERE for each CPU; loop: [Spot], where and called by whom"""
        super().__init__("does not come back")
        self.tallies = tallies
        self.loop = loop
        if loop:
            self.place, *self.callers = [oops.Frame(s.function, 0, oops.MODULE, [s]) for s in loop]
            self.exercise = oops.exercise_of([self.place] + self.callers)

    @property
    def sentence(self):
        if self.loop:
            text = "the Host does not come back: all of %d looks found it in %s(), %s:%d" % (
                LOOKS, self.loop[0].function, self.loop[0].file, self.loop[0].line)
            return text + (" (lab %s, exercise %s)" % self.exercise[:2] if self.exercise else "")
        said = ["CPU %d: %s" % (n, ", ".join(
            "%s (%d)" % (where, tally[where]) for where in WHERE if tally[where]))
            for n, tally in enumerate(self.tallies)]
        return "where it was, in %d looks: %s" % (LOOKS, "; ".join(said))


def examine(s, cpus, module, loaded, only_host=False):
    """Look into a machine.  s: a socket to QEMU's machine protocol; module: the lg.ko in there or
    None; loaded: {section: address}; only_host: nothing else matters, and nobody is to wait for
    it.  -> Stuck, or None if QEMU does not say, or for only_host if the Host is not in a loop."""
    try:
        code = Code(module, loaded) if module and loaded else None
        monitor = Monitor(s)
        tallies, chains = [collections.Counter() for _ in range(cpus)], {}
        for look in range(LOOKS):
            if look:
                time.sleep(BETWEEN)
            for cpu in range(cpus):
                where, at, stack = monitor.look(cpu)
                ours = code.chain(at, stack) if code and where == "Linux" else []
                tallies[cpu]["the Host" if ours else where] += 1
                chains.setdefault(cpu, []).append(ours)
            if only_host and not any(found[look] for found in chains.values()):
                return None
    except (OSError, ValueError, KeyError, IndexError, struct.error, socket.timeout):
        return None
    for found in chains.values():
        loop = common(code.lines(found)) if all(found) else []
        if loop:
            return Stuck(tallies, loop)
    return None if only_host else Stuck(tallies, [])


def common(found):
    """The innermost function that is in all the looks, and who called it; [] if none is."""
    for n, spot in enumerate(found[0]):
        if all(any((s.file, s.function) == (spot.file, spot.function) for s in spots)
               for spots in found):
            return found[0][n:]
    return []
