# SPDX-License-Identifier: MIT
#M:460 What gdb does not know
#
# gdb knows one thread, the processor, or with --gdb=...,threads (L:771) one for each process
# and no more of it than a thread has.  TeachOS has processes, and of all but one of them
# the registers lie somewhere in memory: four of them and a return address on the
# process's kernel stack (switch_stacks, G:430), the rest in the frame that the last trap
# left at its top.  From there everything can be found, for the kernel was compiled with
# frame pointers: ebp points to the caller's ebp, above which lies the return address.
#
# gdb can be taught new words in Python.  Here are five, about TeachOS's own structures,
# by the names and types that the compiler has left in teachos.debug:
#
#     processes          all of them, and where each is
#     process PID        who called whom, down to the system call
#     program PID|NAME   load the symbols of what a process runs
#     walk ADDRESS       the Guest's page tables for an address
#     frames             who owns the memory
#
# They only look.  Nothing in the Guest changes.
#:*
"""gdb commands for TeachOS; `make gdb` loads them."""

import os
import struct

import gdb

STATES = ("ready", "running", "sleeping", "stopped", "zombie")
# Every process that does not run is in these; what called them is more interesting.
WAITING = ("switch_stacks", "change_process", "schedule", "yield", "sleep_on", "sleep_deaf")
PROCESSES_MAX = 4096    # a list that is longer goes round in circles
DEPTH_MAX = 32
TRAP_FRAME = 76         # bytes, asserted in kernel.h
EIP, CS = 56, 60        # offsets in it
KSTACK_SIZE = 8192      # kernel.h, too
BUILD = None            # set by tools/gdb/gdb


def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def word(address):
    return struct.unpack("<I", read(address, 4))[0]


def value(expression):
    try:
        return gdb.parse_and_eval(expression)
    except gdb.error as error:
        raise gdb.GdbError("%s: %s; expected TeachOS's kernel with its symbols" % (
            expression, error))


def register(name):
    return int(gdb.parse_and_eval("$" + name)) & 0xFFFFFFFF


def place(address):
    """function+0x12 at file:line, or the number."""
    block = gdb.execute("info symbol %#x" % address, to_string=True)
    name = block.split(" in section")[0].replace(" + ", "+")
    if name.startswith("No symbol"):
        return "%#010x" % address
    line = gdb.find_pc_line(address)
    where = ""
    if line.symtab:
        where = " at %s:%d" % (line.symtab.filename, line.line)
    return name + where


def function(address):
    return place(address).split(" ")[0].split("+")[0]


class Process:
    def __init__(self, at):
        p = at.dereference()
        self.pid = int(p["pid"])
        self.name = p["name"].string("ascii", "replace")
        self.state = int(p["state"])
        self.parent = int(p["parent"].dereference()["pid"]) if int(p["parent"]) else None
        self.root = int(p["root"])
        self.esp = int(p["esp"])
        self.kstack = int(p["kstack"])
        self.top = self.kstack + KSTACK_SIZE
        if self.pid == 0:       # the one that boot.asm began with, see process_init()
            self.top = int(value("(unsigned long)&boot_stack_top"))
            self.kstack = self.top - KSTACK_SIZE
        self.runs = int(at) == int(value("current"))

    def state_name(self):
        return STATES[self.state] if self.state < len(STATES) else "state %d" % self.state

    def within(self, address, size=4):
        return self.kstack <= address and address + size <= self.top

    def frames(self):
        """[(address, ...)] of the kernel functions that it is in, innermost first."""
        if self.runs:
            if register("cs") & 3 == 3:
                return []
            places, ebp = [register("eip")], register("ebp")
        else:
            if not self.within(self.esp, 20):
                return []
            _, _, _, ebp, ret = struct.unpack("<5I", read(self.esp, 20))
            places = [ret]
        while self.within(ebp, 8) and len(places) < DEPTH_MAX:
            following, ret = struct.unpack("<2I", read(ebp, 8))
            if not ret or gdb.execute("info symbol %#x" % ret, to_string=True).startswith("No"):
                break
            places.append(ret)
            if following <= ebp:
                break
            ebp = following
        return places

    def user(self):
        """eip in ring 3, or None if it never was there."""
        if self.runs and register("cs") & 3 == 3:
            return register("eip")
        at = self.top - TRAP_FRAME
        if self.pid == 0 or word(at + CS) & 3 != 3:
            return None
        return word(at + EIP)

    def where(self):
        if STATES[self.state:self.state + 1] == ("zombie",):
            return "its parent has not asked yet"
        places = self.frames()
        for address in places:
            if function(address) not in WAITING:
                return place(address)
        user = self.user()
        if user is not None:
            return "ring 3, %#010x" % user
        return place(places[0]) if places else "?"


def all_processes():
    at, seen = value("process_list"), []
    while int(at):
        if len(seen) == PROCESSES_MAX:
            raise gdb.GdbError("the list of processes does not end: %d of them" % len(seen))
        seen.append(Process(at))
        at = at.dereference()["next"]
    return seen


def wanted(word_, by_name=False):
    found = [p for p in all_processes() if str(p.pid) == word_ or (by_name and p.name == word_)]
    if not found:
        raise gdb.GdbError("'%s' is no process; expected one of %s" % (
            word_, ", ".join(str(p.pid) for p in all_processes())))
    return found[0]


class Command(gdb.Command):
    def __init__(self, name):
        super().__init__(name, gdb.COMMAND_STATUS)
        self.name = name

    def invoke(self, argument, from_tty):
        try:
            self.run(argument.strip())
        except (gdb.MemoryError, struct.error) as error:
            raise gdb.GdbError("%s: %s (has the kernel set itself up yet?)" % (self.name, error))


class Processes(Command):
    """All processes of TeachOS: pid, parent, state, page directory, name, and where it is."""

    def run(self, argument):
        print(" pid parent state    root       name             where")
        for p in all_processes():
            print("%s%3d %6s %-8s %#010x %-16s %s" % (
                "*" if p.runs else " ", p.pid, "-" if p.parent is None else p.parent,
                p.state_name(), p.root, p.name, p.where()))


class OneProcess(Command):
    """process PID: the functions of the kernel that a process is in, innermost first."""

    def run(self, argument):
        if not argument:
            raise gdb.GdbError("process: expected a pid; `processes` lists them")
        p = wanted(argument)
        print("%d %s, %s, root %#x, kernel stack %#x-%#x" % (
            p.pid, p.name, p.state_name(), p.root, p.kstack, p.top))
        for n, address in enumerate(p.frames()):
            print("#%-2d %#010x %s" % (n, address, place(address)))
        user = p.user()
        if user is not None:
            print("    %#010x in ring 3" % user)


class Program(Command):
    """program PID or NAME: load the symbols of what a process runs."""

    def run(self, argument):
        if not argument:
            raise gdb.GdbError("program: expected a pid or the name of a program")
        name = wanted(argument).name if argument.isdigit() else argument
        path = os.path.join(BUILD or "build", "teachos", "user", name + ".debug")
        if "/" in name or not os.path.exists(path):
            raise gdb.GdbError("%s: there is no %s; expected a program that TeachOS comes with"
                               % (name, path))
        gdb.execute("add-symbol-file %s" % path, to_string=True)
        print("symbols of %s; all programs are linked at the same address, so mind whose they "
              "are" % name)


class Walk(Command):
    """walk ADDRESS: the Guest's page tables for an address, entry by entry."""

    def run(self, argument):
        if not argument:
            raise gdb.GdbError("walk: expected an address, or an expression that is one")
        try:
            at = int(gdb.parse_and_eval("(unsigned long)(%s)" % argument)) & 0xFFFFFFFF
        except gdb.error as error:
            raise gdb.GdbError("walk: %s" % error)
        gdb.execute("monitor walk %x" % at)


class Frames(Command):
    """TeachOS's memory: frames free, owned by one, shared, and never to be given away."""

    def run(self, argument):
        total, free = int(value("frame_count")), int(value("free_count"))
        usable = int(value("usable_count"))
        table = int(value("frames"))
        if not table:
            raise gdb.GdbError("frames: there is no table yet; the kernel has not come so far")
        refs = [r for _, _, r in struct.iter_unpack("<3I", read(table, 12 * total))]
        counted = refs.count(0)
        print("%d frames of 4 KiB, %d to be given away" % (total, usable))
        print("%7d free%s" % (free, "" if counted == free else
                              ", but %d have no owner!" % counted))
        print("%7d with one owner" % refs.count(1))
        shared = [r for r in refs if r > 1]
        print("%7d shared%s" % (len(shared), ", one of them by %d" % max(shared) if shared else ""))


for command, name in ((Processes, "processes"), (OneProcess, "process"), (Program, "program"),
                      (Walk, "walk"), (Frames, "frames")):
    command(name)
