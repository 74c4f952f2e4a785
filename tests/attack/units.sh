#!/bin/sh
# The units of systemd are well-formed, and shut in what they start.
#
# usage: units.sh FOLDER_OF_UNITS BERTHD
set -eu
units=$1
berthd=$2

if ! systemd-analyze --version >/dev/null 2>&1; then
	echo "left out: there is no systemd-analyze (Debian: systemd)"
	exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# the program may not be installed yet where the unit looks for it
prepare() {
	mkdir -p "$folder/$2"
	sed "s,^ExecStart=[^ ]*,ExecStart=$berthd," "$units/$1" >"$folder/$2/berthd.service"
}

prepare berthd.service system
prepare berthd-user.service user
export SYSTEMD_LOG_COLOR=0
verify() {
	what=$1
	shift
	# what it says of other units of this machine is none of our business
	systemd-analyze --no-pager --man=no "$@" verify "$folder/$what/berthd.service" \
		>"$folder/said" 2>&1 || :
	if grep 'berthd\.service' "$folder/said"; then
		echo "the unit of the $what is not right"
		exit 1
	fi
}
verify system
verify user --user

# exposure from 0 (none) to 10; without its sandbox berthd would be at 9.6
if ! systemd-analyze --help | grep -q -- --offline; then
	echo "left out: this systemd-analyze cannot judge units that are not loaded"
	exit 0
fi
systemd-analyze --no-pager security --offline=true --threshold=30 \
	"$folder/system/berthd.service" | tail -n 1
