#!/bin/sh
# SPDX-License-Identifier: MIT
#M:420 Many Guests, one boot
#
# A nested machine takes two seconds to boot, a Guest a tenth of one.  So the runner
# hands over a plan, this script works through it inside the machine, and writes down
# for each Guest what it printed, how it ended, and what the Host still holds on to.
# It judges nothing: that is done outside, where there is a real language.
#
# A plan has one step a line, fields separated by tabs:
#
#     run   ID SECONDS COMMAND     run to the end; SECONDS is the hang detector
#     start ID SECONDS COMMAND     the same, in the background
#     join  ID                     wait for that one
#     say   TEXT                   to our standard output, as a sign to the runner
#:*
# Usage: batch.sh PLAN RESULTS MARK       (MARK: a word that no Guest can guess)

plan=$1
results=$2
mark=$3
tab=$(printf '\t')
counters=/sys/kernel/debug/lguest
[ -d $counters ] || mount -t debugfs none /sys/kernel/debug 2>/dev/null

now() {
	read -r up rest </proc/uptime
	echo "$up"
}

# What the Host holds, or "-" if it doesn't say.
held() {
	if [ -r "$counters/$1" ]; then cat "$counters/$1"; else echo -; fi
}

# one ID SECONDS COMMAND: output in /tmp/ID.out, status in /tmp/ID.status
one() {
	timeout -s KILL "$2" sh -c "$3" >"/tmp/$1.out" 2>&1 </dev/null
	echo $? >"/tmp/$1.status"
}

report() {
	# The output first, and a newline in case that it doesn't end in one.
	{
		echo "$mark begin $1"
		cat "/tmp/$1.out"
		echo
		echo "$mark end $1 status=$(cat "/tmp/$1.status") started=$2 ended=$(now)" \
			"guests=$(held guests) pinned=$(held pinned_pages) tables=$(held tables)"
	} >>"$results"
	rm -f "/tmp/$1.out" "/tmp/$1.status"
}

: >"$results"
while IFS="$tab" read -r verb id seconds command; do
	begun=$(now)
	case $verb in
	run)
		one "$id" "$seconds" "$command"
		report "$id" "$begun"
		;;
	start)
		one "$id" "$seconds" "$command" &
		echo "$! $begun" >"/tmp/$id.job"
		;;
	join)
		read -r pid begun <"/tmp/$id.job"
		wait "$pid"
		report "$id" "$begun"
		;;
	say)
		echo "$id"
		;;
	*)
		echo "$mark error: plan: '$verb' is none of run, start, join, say" >>"$results"
		exit 2
		;;
	esac
done <"$plan"
sync
echo "$mark done guests=$(held guests) pinned=$(held pinned_pages) tables=$(held tables)" >>"$results"
