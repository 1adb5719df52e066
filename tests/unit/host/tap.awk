# SPDX-License-Identifier: MIT
# cmocka's TAP to "ok PROGRAM/name" and "not ok PROGRAM/name: why".  What went wrong is
# told in lines before or behind the verdict; a program that ends early is a failure.

function verdict() {
	if (name != "")
		print "not ok " program "/" name ": " why
	name = why = ""
}
/^1\.\.[0-9]+/	{ planned = substr($1, 4); next }
/SEED=/		{ print; next }
/^ok [0-9]+/	{ verdict(); seen++; print "ok " program "/" $4; next }
/^not ok [0-9]+/ {
	before = name == "" ? why : ""
	verdict()
	seen++; bad++
	name = $5; why = before
	next
}
/^# (not )?ok/	{ next }
/^(# |ERROR: |[a-z_]+\.c:[0-9]+: )./ {
	sub(/^(# |ERROR: )/, "")
	why = why (why == "" ? "" : "; ") $0
}
END {
	verdict()
	if (seen < planned || !planned)
		print "not ok " program ": ended after " seen + 0 " of " planned + 0 \
			" tests, status " status
	else if (status && !bad)
		print "not ok " program ": status " status
}
