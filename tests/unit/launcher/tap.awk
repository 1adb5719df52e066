# SPDX-License-Identifier: MIT
# cmocka's TAP (plan, "ok 1 - name", "not ok 2 - name"; what went wrong is told before
# and behind that line) to "ok PROGRAM/name" and "not ok PROGRAM/name: why".

function flush() {
	if (failed != "")
		print "not ok " program "/" failed ": " why
	failed = why = ""
}
/^1\.\.[0-9]+/	{ planned = substr($1, 4); next }
/SEED=/		{ print; next }
/^ok [0-9]/	{ flush(); seen++; print "ok " program "/" $4; next }
/^not ok [0-9]/	{ told = failed == "" ? why : ""; flush(); why = told
		  seen++; bad++; failed = $5; next }
/^ERROR: /	{ flush(); why = substr($0, 8); next }
/^# (not )?ok/	{ next }
/^# ./ && failed != "" { line = substr($0, 3); why = why (why == "" ? "" : "; ") line }
END {
	flush()
	if (seen < planned || !planned)
		print "not ok " program ": ended after " seen + 0 " of " planned + 0 \
			" tests, status " status
	else if (status && !bad)
		print "not ok " program ": status " status
}
