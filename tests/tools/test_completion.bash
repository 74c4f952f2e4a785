#!/usr/bin/env bash
# The completions for bash load, and give the words that berth and mig take.
# Usage: test_completion.bash .../berth.bash .../mig.bash
set -u

failures=0

# complete "what is typed": fills COMPREPLY, the last word being the one to complete.
complete_words()
{
	local function

	read -ra COMP_WORDS <<<"$1"
	[[ $1 == *' ' ]] && COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	COMP_LINE=$1
	COMP_POINT=${#1}
	COMPREPLY=()
	function=$(complete -p "${COMP_WORDS[0]}" | sed 's/.*-F \([^ ]*\).*/\1/')
	"$function" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
}

expect()
{
	local typed=$1 word

	shift
	complete_words "$typed"
	for word in "$@"; do
		if ! printf '%s\n' "${COMPREPLY[@]}" | grep -qxF -- "$word"; then
			echo "'$typed' does not offer '$word' but: ${COMPREPLY[*]}" >&2
			failures=$((failures + 1))
		fi
	done
}

# A kernel with two tasks, as far as completion can see; it is what calls this.
# shellcheck disable=SC2317
berth()
{
	echo '{"tasks": [{"pid": 12, "label": "a"}, {"pid": 345}]}'
}

# shellcheck source=/dev/null
for file; do
	source "$file" || exit 1
done

expect 'berth ' run cc c++ ps ports trace launch --help --version
expect 'berth p' ps ports
expect 'berth run -' --trace --leaks --help
expect 'berth run tru' true
expect 'berth run --leaks -- tru' true
expect 'berth ports --' --queued --save --since --json --pid --kernel --help
expect 'berth ports --pid ' 12 345
expect 'berth ps --kernel ' user system
expect 'berth cc --print-flags ' cflags libs
expect 'berth cc --a' --apple
expect 'berth ' kext kctl events
expect 'berth kext ' load unload list log --help
expect 'berth kext load --' --memory= --kernel
expect 'berth kext unload -' --force
expect 'berth events --v' --vendor=
expect 'berth cc --k' --kext
expect 'berth cc /etc/passw' /etc/passwd
expect 'berth help tr' trace
expect 'mig -s' -server -sheader -split -s
expect 'mig -header /etc/passw' /etc/passwd
expect 'mig /et' /etc

exit $((failures > 0))
