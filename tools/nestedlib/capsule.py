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

import os

from .common import EXIT_MACHINE, EXIT_TIMEOUT, NestedError
from .machine import run_machine

# What the Launcher's list of exit statuses calls these two (launcher/exit_status.h).
STATUS_NO_MACHINE = 30
STATUS_MACHINE_FAILED = 33


def run(request, arguments, inputs, outputs):
    """Run `launcher ARGUMENTS` in the machine described by `request`."""
    request.command = ["/bin/launcher"] + arguments
    request.directory = os.getcwd()
    request.stdin = request.split = not request.tty
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
    try:
        status = run_machine(request)
    except NestedError as e:
        e.status = STATUS_NO_MACHINE
        raise
    # The Launcher watches its own --timeout and gives the machine more time than
    # that: if it's the machine that was too slow, then something is wrong with it.
    if status in (EXIT_MACHINE, EXIT_TIMEOUT):
        return STATUS_MACHINE_FAILED
    return status
