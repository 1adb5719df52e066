#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the test programs and turns cmocka's TAP into our lines.
#	run.sh DIRECTORY-OF-PROGRAMS NAME...
# The last line is the sum; the status is 0 only if nothing failed.

out=$1
shift
here=$(dirname "$0")
lines=$(mktemp)
trap 'rm -f "$lines" "$lines.locked"' EXIT

for name in "$@"; do
	CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 5 120 "$out/test_$name" \
		>"$out/$name.out" 2>&1
	status=$?
	awk -v program="launcher/$name" -v status=$status -f "$here/tap.awk" "$out/$name.out"
	# A sanitizer speaks on stderr and takes the program with it.
	[ $status -eq 0 ] || sed 's/^/# /' "$out/$name.out" | tail -40
done >"$lines"
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
		grep -q '^not ok' "$lines" || echo "not ok launcher/usernet: ended with status $?" >>"$lines"
done

cat "$lines"
passed=$(grep -c '^ok ' "$lines")
failed=$(grep -c '^not ok ' "$lines")
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
