# SPDX-License-Identifier: MIT
"""Lab 10, where no student looks: what can be read off the object, and no run would show."""

import re

from engine.switcher import find

NAMES = ("ax", "bx", "cx", "dx", "si", "di", "bp")


def disguise(c):
    """10.2: each general register once, all 64 bits, each from a place of its own."""
    code = c.between("enter_segments", "enter_end")
    places = {}
    for name in NAMES:
        loads = [(o, p) for o, m, p in code if m == "mov" and re.match("[re]%s," % name, p)]
        if not loads:
            return "in disguise: e%s is never loaded" % name
        offset, operands = loads[-1]        # before, it may have been used for something else
        found = re.fullmatch(r"r%s,(?:QWORD PTR )?\[r15\+(0x[0-9a-f]+)\]" % name, operands)
        if not found:
            return "in disguise: mov %s: expected the whole slot, from [r15 + ...]" % operands
        if found.group(1) in places:
            return "in disguise: r%s comes from the slot of r%s" % (name,
                                                                    places[found.group(1)])
        places[found.group(1)] = name
        if any(o > offset and re.match(r"[re]%s(,|$)" % name, p) for o, _, p in code):
            return "in disguise: r%s changes after it was loaded" % name
    return None


def own_door(c):
    """10.7: the hypercall's door is a door like any other, and leads past from_guest."""
    at = c.at("lg_stub_hypercall")
    code = [("%s %s" % (m, p)).strip() for o, m, p in c.all if at <= o < at + 24]
    words = code[:4]
    if not words or not words[0].startswith("endbr64"):
        return "doors: the hypercall's begins with '%s', expected ENDBR64" % (
            words or ["nothing"])[0]
    if words[1:3] != ["push 0x0", "push 0x1f"]:
        return "doors: the hypercall's says '%s'; expected 'push 0x0; push 0x1f'" % "; ".join(
            words[1:3])
    if not re.match(r"jmp (%x|[0-9a-f]+ <save_and_leave>)\b" % c.at("save_and_leave"), words[3]):
        return "doors: the hypercall's leads to '%s', expected save_and_leave" % words[3]
    if find([i for i in c.all if at <= i[0] < at + 12], r"\[r15"):
        return "doors: the hypercall's touches lg_pages"
    return None


RULES = {"hidden-disguise": disguise, "hidden-own-door": own_door}
