#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the test programs of a folder here.
#	run.sh LABEL DIRECTORY-OF-PROGRAMS NAME...

unit=$(dirname "$0")
# shellcheck source=tests/unit/programs.sh
. "$unit/programs.sh"
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT

programs "$@" | tee "$lines"
sum "$lines"
