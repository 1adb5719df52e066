# SPDX-License-Identifier: MIT
"""The command line of tools/nested."""

import argparse
import os
import sys

from . import capsule, kernels, toolchain
from .common import NestedError, build_dir
from .kept import MIB
from .machine import Request, run_machine

DEFAULT_TIMEOUT = 300  # seconds, for commands without a terminal


def main(argv):
    try:
        args = parse(argv)
        return args.run(args) or 0
    except NestedError as e:
        sys.stderr.write("nested: %s\n" % e)
        return e.status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + 13
    except KeyboardInterrupt:
        return 128 + 2


def number(least):
    def convert(text):
        value = int(text, 0)
        if value < least:
            raise argparse.ArgumentTypeError("%s: expected a number of at least %d" % (text, least))
        return value

    convert.__name__ = "number"
    return convert


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="nested", description="Boot a nested Linux with lg.ko and run a command in it."
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    run = verbs.add_parser("exec", help="run a command in a nested machine")
    machine_options(run)
    run.add_argument("--file", action="append", default=[], metavar="PATH[:DEST]",
                     help="put a file into the machine (default: /root/<name>)")
    run.add_argument("--collect", action="append", default=[], metavar="THERE:HERE",
                     help="fetch a file out of the machine when the command has ended")
    run.add_argument("--collect-most", type=number(1), default=256, metavar="MB",
                     help="of a longer one, only the first and the last half of that (256)")
    run.add_argument("--tty", action="store_true",
                     help="this terminal is the command's terminal; Ctrl-A x leaves")
    run.add_argument("--console", action="store_true",
                     help="--tty if standard input is a terminal, else --stdin --split")
    run.add_argument("--stdin", action="store_true", help="pass our standard input on")
    run.add_argument("--split", action="store_true",
                     help="the command's standard error goes to ours, not to our output")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND ARG...")
    run.set_defaults(run=run_exec)

    inside = verbs.add_parser(
        "capsule", help="run the Launcher in a nested machine as if it ran here"
    )
    machine_options(inside)
    inside.add_argument("--tty", action="store_true", help="this terminal is the Launcher's")
    inside.add_argument("--in", dest="inputs", action="append", default=[], metavar="FILE",
                         help="a file that the Launcher reads")
    inside.add_argument("--out", dest="outputs", action="append", default=[], metavar="FILE",
                         help="a file that the Launcher writes")
    inside.add_argument("command", nargs=argparse.REMAINDER, metavar="-- LAUNCHER-ARG...")
    inside.set_defaults(run=run_capsule)

    kernel = verbs.add_parser("kernel", help="fetch and find kernels")
    what = kernel.add_subparsers(dest="what", metavar="WHAT", required=True)
    fetch = what.add_parser("fetch", help="download and unpack kernels (nothing is installed)")
    fetch.add_argument("names", nargs="*", metavar="NAME")
    fetch.add_argument("--refresh", action="store_true",
                       help="take the newest, even if one is here")
    fetch.set_defaults(run=run_fetch)
    path = what.add_parser("path", help="print image, headers and release of a kernel")
    path.add_argument("name", nargs="?")
    path.add_argument("--kdir", action="store_true", help="only the headers' directory")
    path.add_argument("--image", action="store_true", help="only the image")
    path.add_argument("--release", action="store_true", help="only the release")
    path.add_argument("--toolchain", action="store_true",
                      help="only the directory with the compiler that was fetched for it, if any")
    path.set_defaults(run=run_path)
    listing = what.add_parser("list", help="kernels that are here, and that could be")
    listing.set_defaults(run=run_list)
    default = what.add_parser("default", help="the kernel used when none is named")
    default.set_defaults(run=lambda args: print(kernels.default_name()))
    tested = what.add_parser("tested", help="the kernels that a full test run goes through")
    tested.set_defaults(run=lambda args: print(" ".join(kernels.tested_names())))
    return parser.parse_args(argv)


def machine_options(parser):
    """The options that say what kind of machine it is."""
    add = parser.add_argument
    add("--kernel", metavar="NAME", help="6.1, 6.12, sid, own, or a path to a bzImage")
    add("--cpu", default=os.environ.get("CPU") or "qemu64", help="QEMU's CPU model (qemu64)")
    add("--smp", type=number(1), default=number(1)(os.environ.get("SMP") or "1"), metavar="N",
        help="number of CPUs (1)")
    add("--memory", type=number(64), default=512, metavar="MB", help="memory (512)")
    add("--icount", action="store_true", default=os.environ.get("ICOUNT", "") not in ("", "0"),
        help="count instructions instead of time: repeatable (or ICOUNT=1 in the environment)")
    add("--timeout", type=float, default=None, metavar="S",
        help="stop after S seconds (%d; with --tty: never)" % DEFAULT_TIMEOUT)
    add("--net", metavar="user[,hostfwd=...]",
        help="a network card, eth0, on QEMU's user network; the options are QEMU's")
    add("--forward", type=number(1), metavar="PORT",
        help="this port of 127.0.0.1 leads to the same port in there")
    add("--load", action="append", default=[], metavar="MODULE",
        help="load a kernel module first: tun, bridge or veth")
    add("--log", metavar="FILE", help="write the nested kernel's complete dmesg to FILE")
    add("--monitor", metavar="SOCKET", help="QEMU's monitor on a UNIX socket")
    add("--gdb-host", type=number(1), metavar="PORT",
        help="QEMU lets gdb in, at this port of 127.0.0.1; the kernel stays where it was linked")
    add("--append", default="", metavar="ARGS", help="more arguments for the nested kernel")
    add("--module", metavar="FILE", help="load this lg.ko instead of the built one")
    add("--module-args", default="", metavar="ARGS", help="arguments for lg.ko")
    add("--no-module", action="store_true", help="don't load lg.ko")
    add("--keep-module", action="store_true", help="don't try rmmod when the command has ended")


def request_from(args):
    request = Request()
    for name in ("kernel", "cpu", "smp", "memory", "icount", "timeout", "log", "monitor",
                 "append", "module_args", "keep_module", "forward", "gdb_host"):
        setattr(request, name, getattr(args, name))
    request.load = tuple(args.load)
    if args.net is not None:
        kind, comma, request.net = args.net.partition(",")
        if kind != "user":
            raise NestedError("--net %s: expected user[,hostfwd=...]" % args.net, 2)
    request.module = None if args.no_module else args.module or True
    return request


def split_pair(text, option, want):
    first, colon, second = text.rpartition(":")
    if not colon or not first or not second:
        raise NestedError("%s %s: expected %s" % (option, text, want), 2)
    return first, second


def run_exec(args):
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise NestedError("exec: no command; for example: tools/nested exec -- uname -a", 2)
    if args.console:
        args.tty = os.isatty(0)
        args.stdin = args.split = not args.tty
    if args.tty and not os.isatty(0):
        raise NestedError("--tty: standard input is not a terminal", 2)
    request = request_from(args)
    request.command = command
    for text in args.file:
        if ":" in text:
            request.files += (split_pair(text, "--file", "PATH or PATH:DEST"),)
        else:
            request.files += ((text, "/root/" + os.path.basename(text)),)
    for text in args.collect:
        request.collect += (split_pair(text, "--collect", "PATH-IN-MACHINE:PATH-HERE"),)
    request.collect_most = args.collect_most * MIB
    request.tty, request.stdin, request.split = args.tty, args.stdin, args.split
    if request.timeout is None and not args.tty:
        request.timeout = DEFAULT_TIMEOUT
    return run_machine(request)


def run_capsule(args):
    request = request_from(args)
    request.tty = args.tty and os.isatty(0)
    arguments = args.command[1:] if args.command[:1] == ["--"] else args.command
    return capsule.run(request, arguments, args.inputs, args.outputs)


def run_fetch(args):
    for name in args.names or [kernels.default_name()]:
        kernels.fetch(name, args.refresh)


def run_path(args):
    kernel = kernels.select(args.name)
    if args.toolchain:
        print(toolchain.bin_for(kernel.kdir) or "")
        return
    if args.kdir or args.image or args.release:
        chosen = kernel.kdir if args.kdir else kernel.image if args.image else kernel.release
        print(chosen or "")
        return
    print("release %s\nimage   %s\nheaders %s" % (kernel.release, kernel.image, kernel.kdir))


def run_list(args):
    here = kernels.listing()
    for kernel in here:
        print("%-8s %s" % (kernel.name, kernel.release))
    rest = [n for n in kernels.known_names() if n not in [k.name for k in here]]
    if rest:
        print("(could be fetched: %s)" % ", ".join(rest))
    print("(kept in %s)" % os.path.relpath(os.path.join(build_dir(), "kernels")))
