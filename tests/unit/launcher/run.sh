#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the test programs, and then the whole Launcher.
#	run.sh DIRECTORY-OF-PROGRAMS NAME...

out=$1
shift
here=$(dirname "$0")
unit=$here/..
# shellcheck source=tests/unit/programs.sh
. "$unit/programs.sh"
lines=$(mktemp)
trap 'rm -f "$lines" "$lines.locked"' EXIT

programs launcher "$out" "$@" >"$lines"
# As it is delivered, sandbox and all, beside the one with the sanitizers.
timeout -k 5 180 python3 "$here/test_process.py" "$out/plain/launcher" locked >"$lines.locked" &
timeout -k 5 180 python3 "$here/test_process.py" "$out/launcher" >>"$lines" ||
	grep -q '^not ok' "$lines" || echo "not ok launcher/process: ended with status $?" >>"$lines"
wait $! || grep -q '^not ok' "$lines.locked" ||
	echo "not ok launcher/locked: ended with status $?" >>"$lines.locked"
cat "$lines.locked" >>"$lines"
for variant in "usernet" "plain/usernet cell"; do
	# shellcheck disable=SC2086  # a program and perhaps a word
	timeout -k 5 100 python3 "$here/test_usernet.py" "$out/"$variant >>"$lines" ||
		grep -q '^not ok' "$lines" ||
		echo "not ok launcher/usernet: ended with status $?" >>"$lines"
done

cat "$lines"
sum "$lines"
