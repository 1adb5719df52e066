# SPDX-License-Identifier: MIT
#P:390 The capsule
#
# `./launcher teachos.elf` works on a computer that has no lg.ko: the Launcher notices
# that /dev/lguest is missing, and starts us with its own arguments.  We start the
# nested machine, and the Launcher again inside it.  To the user it must look as if
# nothing of that had happened, so
#
#   * files that are read are carried in, to the very same path, and the Launcher
#     runs in a directory of the same name: the arguments need no translation;
#   * a file that isn't there isn't carried in, so that it is missing there as well,
#     and the Launcher complains about it in its own words;
#   * files that are written are carried out;
#   * output, errors, terminal and exit status are passed through.
#:*
"""Run the Launcher inside a nested machine, with the caller's files."""

import json
import os
import signal
import sys

from .common import EXIT_MACHINE, EXIT_TIMEOUT, NestedError, say
from .machine import replace_file, run_machine

# What the Launcher's list of exit statuses calls these two (launcher/exit_status.h).
STATUS_NO_MACHINE = 30
STATUS_MACHINE_FAILED = 33


def run(request, arguments, inputs, outputs):
    """Run `launcher ARGUMENTS` in the machine described by `request`."""
    request.command = ["/bin/launcher"] + arguments
    request.directory = os.getcwd()
    request.stdin = request.split = not request.tty
    request.divided = "--map" in arguments[:arguments.index("--")]
    for path in inputs:
        absolute = os.path.abspath(path)
        if os.path.isdir(absolute):
            request.directories += (absolute,)
        elif os.path.isfile(absolute) and os.access(absolute, os.R_OK):
            request.files += ((absolute, absolute),)
    for path in outputs:
        absolute = os.path.abspath(path)
        request.directories += (os.path.dirname(absolute),)
        request.collect += ((absolute, absolute),)
    death = next((a[len("--death="):] for a in arguments[:arguments.index("--")]
                  if a.startswith("--death=")), None) if "--" in arguments else None
    before = stamp(death)
    try:
        status = run_machine(request)
    except NestedError as e:
        e.status = STATUS_NO_MACHINE
        raise
    # The Launcher watches its own --timeout and gives the machine more time than
    # that: if it's the machine that was too slow, then something is wrong with it.
    if status in (EXIT_MACHINE, EXIT_TIMEOUT):
        status = STATUS_MACHINE_FAILED
    if death:
        complete_death(death, before, status, request.report)
    return status


def stamp(path):
    """What a file is that somebody has written anew: another one."""
    try:
        found = os.stat(path or "")
        return found.st_ino, found.st_mtime_ns
    except OSError:
        return None


def complete_death(path, before, status, report):
    """--death tells of every end: also of one that left the Launcher in there no time to
    write it, and of what the nested kernel had to say."""
    told = {}
    if path == "-":
        if not report:
            return
    elif stamp(path) != before:
        try:
            with open(path, encoding="utf-8") as f:
                told = json.load(f)
        except (OSError, ValueError):
            told = {}
        if told and not report:
            return
    if not told:
        told = {"status": status, "code": "", "text": "", "decided_by": ""}
        if status == STATUS_MACHINE_FAILED:
            told.update(meaning="the nested machine failed", decided_by="the nested kernel")
        elif status > 128:
            told.update(meaning="the Launcher was ended by %s" % signal_name(status - 128),
                        decided_by="a signal")
        else:
            return      # it complained itself, about a file or the command line
    if report:
        told["host"] = report.json()
        told["text"] = told["text"] or report.sentence
        told["hint"] = report.hint
    text = json.dumps(told, indent=1) + "\n"
    if path == "-":
        sys.stderr.write(text)
        return
    try:
        replace_file(path, text.encode())
    except OSError as e:
        say("--death=%s: could not be written: %s" % (path, e.strerror))


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number
