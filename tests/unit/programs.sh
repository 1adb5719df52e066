# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2154  # $unit: where this file is
# For run.sh here and in launcher/, which read it in: test programs, and what came of them.

# programs LABEL DIRECTORY NAME...: cmocka's TAP becomes our lines, LABEL/NAME/test.
programs() {
	label=$1
	out=$2
	shift 2
	for name in "$@"; do
		CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 5 120 "$out/test_$name" >"$out/$name.out" 2>&1
		status=$?
		awk -v program="$label/$name" -v status=$status -f "$unit/tap.awk" "$out/$name.out"
		# A sanitizer speaks on stderr and takes the program with it.
		[ $status -eq 0 ] || sed 's/^/# /' "$out/$name.out" | tail -40
	done
}

# sum FILE: the last line; the status is 0 only if something passed and nothing failed.
sum() {
	passed=$(grep -c '^ok ' "$1")
	failed=$(grep -c '^not ok ' "$1")
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
