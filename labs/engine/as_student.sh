#!/bin/sh
# SPDX-License-Identifier: MIT
# In the nested machine: the student's Launcher, as somebody who is not root.
# The arguments are the Launcher's.
ulimit -l unlimited        # a Guest is locked memory
# shellcheck disable=SC2016  # the inner shell's
exec su -s /bin/sh -c 'exec /root/launcher-of-student "$@"' -- student launcher "$@"
