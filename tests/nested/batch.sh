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
#     exec  ID SECONDS WORDS       run a program to the end; SECONDS is the hang detector
#     run   ID SECONDS COMMAND     the same for a line of shell
#     start ID SECONDS COMMAND     the same, in the background
#     join  ID                     wait for that one
#     say   TEXT                   to our standard output, as a sign to the runner
#
# Its first line is a word that no Guest can guess, and that goes before each line of ours.
# Who runs in here without being root cannot find it: not on our command line, and in no file
# that they may read.
#
# Two hundred steps are usual, and each fork costs ten milliseconds in there: hence
# the built-in commands where a reader might expect cat and date.
#:*
# Usage: batch.sh PLAN RESULTS       (PLAN is removed)

results=$2
exec 5<"$1"
rm -f "$1"
read -r mark <&5
tab=$(printf '\t')
counters=/sys/kernel/debug/lguest
[ -d $counters ] || mount -t debugfs none /sys/kernel/debug 2>/dev/null

# What the Host holds, or "-" if it doesn't say, into $guests, $pinned, $tables; and the
# time into $now.
look() {
	guests=- pinned=- tables=-
	if [ -r $counters/guests ]; then
		read -r guests <$counters/guests
		read -r pinned <$counters/pinned_pages
		read -r tables <$counters/tables
	fi
	read -r now rest </proc/uptime
}

# ended ID STATUS BEGUN: the line that closes a step
ended() {
	look
	# A newline in case that the output didn't end in one.
	printf '\n%s %s\n' "$mark end $1 status=$2 started=$3 ended=$now" \
		"guests=$guests pinned=$pinned tables=$tables" >>"$results"
}

: >"$results"
chmod 600 "$results"
while IFS="$tab" read -r verb id seconds command; do
	read -r begun rest </proc/uptime
	# If the machine hangs, this is all that comes out of it.
	echo "# $begun $verb $id"
	case $verb in
	exec)
		echo "$mark begin $id" >>"$results"
		# shellcheck disable=SC2086  # the words are meant to be split
		timeout -s KILL "$seconds" $command >>"$results" 2>&1 </dev/null 5<&-
		ended "$id" $? "$begun"
		;;
	run)
		echo "$mark begin $id" >>"$results"
		timeout -s KILL "$seconds" sh -c "$command" >>"$results" 2>&1 </dev/null 5<&-
		ended "$id" $? "$begun"
		;;
	start)
		timeout -s KILL "$seconds" sh -c "$command" >"/tmp/$id.out" 2>&1 </dev/null 5<&- &
		echo "$! $begun" >"/tmp/$id.job"
		;;
	join)
		read -r pid begun <"/tmp/$id.job"
		wait "$pid"
		status=$?
		{
			echo "$mark begin $id"
			cat "/tmp/$id.out"
		} >>"$results"
		ended "$id" $status "$begun"
		rm -f "/tmp/$id.out" "/tmp/$id.job"
		;;
	say)
		echo "$id"
		;;
	*)
		echo "$mark error: plan: '$verb' is none of exec, run, start, join, say" >>"$results"
		exit 2
		;;
	esac
done <&5
look
echo "$mark done guests=$guests pinned=$pinned tables=$tables" >>"$results"
