# SPDX-License-Identifier: MIT
"""
What a seed changes in the sources, for staff: the same hypervisor with other numbers.

    the numbers of the hypercalls       all but FLUSH_ASYNC: a slot full of zeroes is harmless
    the number of slots of the ring     a multiple of 4 from 24 to 60
    the order of the fields that INIT looks at, at the end of struct lguest_data
    the order of the saved registers, in struct lg_trap_frame

Whoever writes names gets them all right; whoever writes numbers, or copies somebody else's,
does not.  The seed `1`, or none, is the ABI of docs/ABI.md, to the last bit.

Everything is text: headers, the inmates' library and the documents are rewritten one by one
and not from each other, so that they still check each other.  What must be found and is not
is an error; prose that went another way is left alone.
"""

import os
import random
import re

from .labs import LabError, read_text

PLAIN = "1"
FIXED = "FLUSH_ASYNC"
# Fields of 4 bytes behind the ring; those in one row stay together.
BEHIND = (("reserve_mem",), ("tsc_khz",), ("noirq_start", "noirq_end"), ("kernel_address",),
          ("syscall_vec",))
SAVED = ("eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "ds", "es", "fs", "gs")
# The inmates' library has names of its own.
INMATES = {"LGUEST_INIT": "INIT", "LOAD_IDT_ENTRY": "LOAD_IDT", "SET_CLOCKEVENT": "CLOCKEVENT",
           "LOAD_GDT_ENTRY": "LOAD_GDT"}
PROSE = ("host/hypercalls.c", "teachos/arch/lguest/", "labs/", "include/lguest.h")


def plain(seed):
    return seed in (None, "", PLAIN)


def here(top):
    """The seed that this tree was rewritten for, or None."""
    try:
        return read_text(os.path.join(top, "labs", "variant")).strip() or None
    except OSError:
        return None


class Parameters:
    def __init__(self, seed, header):
        """header: the text of include/lguest.h, before it is changed."""
        r = random.Random("abi/%s" % seed)
        self.seed = seed
        self.old = {name: int(n) for name, n in CALL.findall(header)}
        if FIXED not in self.old or len(self.old) < 10:
            raise LabError("include/lguest.h: no numbers of hypercalls found")
        names = sorted(n for n in self.old if n != FIXED)
        self.numbers = dict(self.old)
        while any(self.numbers[n] == self.old[n] for n in names):   # each number is a new one
            mixed = [self.old[n] for n in names]
            r.shuffle(mixed)
            self.numbers.update(zip(names, mixed))
        self.ring = r.choice(range(24, 64, 4))
        rows = list(BEHIND)
        while rows == list(BEHIND):
            r.shuffle(rows)
        self.behind = [f for row in rows for f in row]
        self.saved = list(SAVED)
        while self.saved == list(SAVED):
            r.shuffle(self.saved)
        self.calls_at = 24 + self.ring
        self.behind_at = self.calls_at + 20 * self.ring
        self.offset = {f: self.behind_at + 4 * k for k, f in enumerate(self.behind)}
        self.size = self.behind_at + 4 * len(self.behind)

    def rewrite(self, path, text):
        """The text of one file of the tree, with this seed's numbers."""
        if path in FILES:
            text = FILES[path](self, path, text)
        if path.startswith(PROSE):
            text = self.prose(path, text)
        return text

    def prose(self, path, text):
        """What people read about the ring.  (Elsewhere 0..63 are vectors.)"""
        slots = (r"(?<=0\.\.)63\b",) if path.endswith("/hypercall.h") else ()
        for pattern in slots + (r"\b64(?= (?:slots|calls)\b)", r"(?<=queue of )64\b",
                        r"(?<=[Mm]ore than )64(?= in one)", r"(?<=at most )64(?= of them)",
                        r"(?<=freed gets )64\b", r"(?<=wrap at )64\b", r"(?<=modulo )64\b"):
            text = re.sub(pattern, lambda m: str(self.ring - 64 + int(m.group(0))), text)
        return text


CALL = re.compile(r"^#define LHCALL_(?!COUNT\b|RING_)(\w+)[ \t]+(\d+)\b", re.M)


def once(path, pattern, new, text, flags=re.M):
    text, count = re.subn(pattern, new, text, flags=flags)
    if count != 1:
        raise LabError("%s: a seed changes /%s/, which is there %d times; expected once"
                       % (path, pattern, count))
    return text


def sorted_lines(path, text, pattern, number):
    """The consecutive lines that match, in the order of number(match)."""
    found = list(re.finditer(pattern, text, re.M))
    if not found:
        raise LabError("%s: a seed sorts /%s/, and there is none" % (path, pattern))
    lines = [m.group(0) for m in sorted(found, key=number)]
    for m, line in reversed(list(zip(found, lines))):
        text = text[:m.start()] + line + text[m.end():]
    return text


def header(p, path, text):
    text = CALL.sub(lambda m: re.sub(r"\d+$", str(p.numbers[m.group(1)]), m.group(0)), text)
    text = sorted_lines(path, text, r"^#define LHCALL_(?!COUNT\b|RING_)\w+[ \t]+(\d+)\b.*$",
                        lambda m: int(m.group(1)))
    text = once(path, r"^(#define LHCALL_RING_SIZE[ \t]+)64$", r"\g<1>%d" % p.ring, text)
    said = (" * In this tree the numbers are its own (labs/seed), and none but Guests that were\n"
            " * built from it know them.  The _Static_asserts at the end are the layout.\n *:*/")
    text = once(path, r"^ \* Everything here is fixed: .*?\*/$", said, text, re.M | re.S)
    lines = {}
    for field in p.behind:
        m = re.search(r"^\tuint32_t %s;.*\n" % field, text, re.M)
        if not m:
            raise LabError("%s: no field %s" % (path, field))
        lines[field] = m.group(0)
        text = text[:m.start()] + text[m.end():]
    text = once(path, r"^(\tstruct hcall_args hcalls\[LHCALL_RING_SIZE\];\n)",
                lambda m: m.group(1) + "".join(lines[f] for f in p.behind), text)
    for field, at in [("hcalls", p.calls_at)] + list(p.offset.items()):
        text = once(path, r"^(LGUEST_ABI_CHECK\(%s, )\d+\)" % field, r"\g<1>%d)" % at, text)
    return once(path, r"(sizeof\(struct lguest_data\) == )1392\b", r"\g<1>%d" % p.size, text)


def frame(p, path, text):
    kinds = "\tu64 %s;\n\tu64 %s;\n" % (", ".join(SAVED[:7]), ", ".join(SAVED[7:]))
    return once(path, re.escape(kinds), "\tu64 %s;\n\tu64 %s;\n" % (
        ", ".join(p.saved[:7]), ", ".join(p.saved[7:])), text)


def library(p, path, text):
    for name, n in p.numbers.items():
        text = once(path, r"^(HC_%s\s+equ )%d$" % (INMATES.get(name, name), p.old[name]),
                    r"\g<1>%d" % n, text)
    text = once(path, r"^(RING_SIZE\s+equ )64\b", r"\g<1>%d" % p.ring, text)
    for field in p.behind:
        text = once(path, r"^\.%s\s+resd 1\n" % field, "", text)
    return once(path, r"^(\.calls\s+resb RING_SIZE \* 20\n)", lambda m: m.group(1) + "".join(
        ".%s\t\tresd 1\n" % f for f in p.behind), text)


def document(p, path, text):
    """docs/ABI.md: the tables of 2.2 and 3.1, and what is said about them."""
    for name, n in p.numbers.items():
        text = once(path, r"^\| %d (\| %s \|)" % (p.old[name], name), r"| %d \1" % n, text)
    begin = text.index("### 2.2 Table")
    end = text.index("### 2.3")
    text = text[:begin] + sorted_lines(path, text[begin:end], r"^\| (\d+)(?:, \d+)? \| .*$",
                                       lambda m: int(m.group(1))) + text[end:]
    text = once(path, r"^\| 24 \| 64 \| hcall_status\[64\]", "| 24 | %d | hcall_status[%d]"
                % (p.ring, p.ring), text)
    text = once(path, r"^\| 88 \| 1280 \| hcalls\[64\] \| guest \| 64 x",
                "| %d | %d | hcalls[%d] | guest | %d x" % (p.calls_at, 20 * p.ring, p.ring, p.ring),
                text)
    for field in p.behind:
        text = once(path, r"^\| \d+ (\| 4 \| %s \|)" % field, r"| %d \1" % p.offset[field], text)
    begin = text.index("### 3.1 Layout")
    end = text.index("### 3.2")
    text = text[:begin] + sorted_lines(path, text[begin:end], r"^\| (\d+) \| \d+ \| .*$",
                                       lambda m: int(m.group(1))) + text[end:]
    for pattern, new in ((r"\(1392 bytes\)", "(%d bytes)" % p.size), (r"\.\.\+1392\b",
                                                            "..+%d" % p.size),
                         (r"advances mod 64\b", "advances mod %d" % p.ring),
                         (r"all 64 status", "all %d status" % p.ring),
                         (r"at most 64 entries", "at most %d entries" % p.ring),
                         (r"\(mod 64\)", "(mod %d)" % p.ring),
                         (r"up to 64 harmless", "up to %d harmless" % p.ring),
                         (r"^\| lguest_data \| 1392 \| .*$", "| lguest_data | %d | %s (order of "
                          "3.1) |" % (p.size, ", ".join(str(n) for n in [
                              0, 4, 8, 12, 16, 20, 24, p.calls_at] + sorted(p.offset.values())))),
                         (r"fill a 1392-byte block", "fill a %d-byte block" % p.size),
                         (r"with eax 1, ebx", "with eax %d, ebx" % p.numbers["LGUEST_INIT"]),
                         (r"Load IDT entries \(6\)", "Load IDT entries (%d)"
                          % p.numbers["LOAD_IDT_ENTRY"]),
                         (r"\(hypercall 8\)", "(hypercall %d)" % p.numbers["TS"]),
                         (r"the 63 -> 0 wrap", "the %d -> 0 wrap" % (p.ring - 1))):
        text = once(path, pattern, new, text)
    return once(path, r"\A((?:<!--.*-->\n)?# .*\n)", r"\1" + """
> **This copy is for one course's or one student's tree (labs/seed).** The numbers of the
> hypercalls, the number of slots of the ring and the order of the last fields of struct
> lguest_data are its own; sections 2 and 3 have them. What is said of Linux 3.11 itself, as
> in section 9.1, has the numbers of 2011: such a Guest does not run here.
""", text, 0)


FILES = {"include/lguest.h": header, "host/x86_64/arch.h": frame,
         "tests/inmates/lib.inc": library, "docs/ABI.md": document}
