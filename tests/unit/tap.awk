# SPDX-License-Identifier: MIT
# cmocka's TAP to "ok PROGRAM/name" and "not ok PROGRAM/name: why".  What went wrong is
# told in lines before or behind the verdict; a program that ends early is a failure.

function verdict() {
	if (name != "")
		print "not ok " program "/" name ": " why
	name = why = ""
}
function add(text) { return (text == "" ? "" : text "; ") $0 }

/^1\.\.[0-9]+/	{ planned = substr($1, 4); next }
/SEED=/		{ print; next }
/^# [a-z0-9_]+: [0-9]+ /	{ next }
/^ok [0-9]+/	{ verdict(); seen++; said = ""; print "ok " program "/" $4; next }
/^not ok [0-9]+/ { verdict(); seen++; bad++; name = $5; why = said; said = ""; next }
/^# (not )?ok/	{ next }
# Ours, before the verdict.
/^(ERROR: |[a-z_]+\.c:[0-9]+: )/ { sub(/^ERROR: /, ""); said = add(said); next }
# cmocka's, behind it.
/^# ./ && name != "" { sub(/^# /, ""); sub(/: error: Failure!$/, ""); why = add(why) }
END {
	verdict()
	if (seen < planned || !planned)
		print "not ok " program ": ended after " seen + 0 " of " planned + 0 \
			" tests, status " status ": " said
	else if (status && !bad)
		print "not ok " program ": status " status
}
