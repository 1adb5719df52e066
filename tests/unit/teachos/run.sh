#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the test programs and turns cmocka's TAP into our lines.
#	run.sh DIRECTORY-OF-PROGRAMS NAME...
# The last line is the sum; the status is 0 only if something passed and nothing failed.

out=$1
shift
here=$(dirname "$0")
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT

for name in "$@"; do
	# A test that fails leaves its world behind: that is no news.
	ASAN_OPTIONS=detect_leaks=0:handle_segv=2 CMOCKA_MESSAGE_OUTPUT=TAP \
		timeout -k 5 120 "$out/test_$name" >"$out/$name.out" 2>&1
	status=$?
	awk -v program="teachos/$name" -v status=$status -f "$here/../host/tap.awk" "$out/$name.out" |
		tee -a "$lines"
	# A sanitizer speaks on stderr and takes the program with it.
	[ $status -eq 0 ] || sed 's/^/# /' "$out/$name.out" | tail -40
done

passed=$(grep -c '^ok ' "$lines")
failed=$(grep -c '^not ok ' "$lines")
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
