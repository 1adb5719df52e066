# SPDX-License-Identifier: MIT
# Read by tools/setup and tools/doctor: the list of needed packages, and the checks.

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

# each_need FUNCTION: call FUNCTION code package kind thing version-command range what-for
# for what everything needs; with ALSO=I, for what boot images need as well; with ALSO=L, for
# the Guest's Linux.
each_need() {
	while read -r code package kind thing ask range what; do
		case $code in
		E-* | "${ALSO:-E}"-*) "$1" "$code" "$package" "$kind" "$thing" "$ask" "$range" "$what" ;;
		esac
	done <"$here/packages"
}

# present KIND THING: true if it is on this machine.
present() {
	case $1 in
	cmd)
		command -v "$2" >/dev/null 2>&1
		;;
	static)
		# An ELF program without an interpreter, whose name would stand near the
		# beginning.  The package `busybox' has a dynamic one, which would find no
		# libraries in the nested machine.
		command -v "$2" >/dev/null 2>&1 &&
			! head -c 1024 "$(command -v "$2")" | grep -aq ld-linux
		;;
	file)
		# The pattern is meant to be expanded.
		# shellcheck disable=SC2086
		set -- $2
		[ -e "$1" ]
		;;
	esac
}
