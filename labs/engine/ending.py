# SPDX-License-Identifier: MIT
"""
Ctrl-C, and whoever else ends us: at once, and nothing is left behind.

By itself, Python would wait for every test that is still to come: they are threads' work.
"""

import atexit
import os
import shutil
import signal
import sys
import tempfile

from . import sandbox
from .guests import machine

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_folder = []


def prepare():
    """For this process, once: a folder for all that lives no longer than we do, and handlers."""
    if _folder:
        return
    _folder.append(tempfile.mkdtemp(prefix="lg-labs-"))
    os.chmod(_folder[0], 0o711)         # another user may have to reach what is in it
    tempfile.tempdir = _folder[0]
    atexit.register(shutil.rmtree, _folder[0], True)
    for number in SIGNALS:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, end)


def end(number, _frame):
    """Context: a signal handler of the main thread; the other threads are in the middle of it."""
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    print("\nlabs: stopped by SIG%s" % signal.Signals(number).name[3:], file=sys.stderr, flush=True)
    machine.stop_all()
    sandbox.stop_all()
    shutil.rmtree(_folder[0], ignore_errors=True)
    os._exit(128 + number)
