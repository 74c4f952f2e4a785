# Completion of berth(1) for bash; installed as bash-completion finds it.

# Pids of the tasks of the kernel that would be asked; nothing if none runs.
_berth_pids()
{
	berth ps --json 2>/dev/null | grep -o '"pid": *[0-9]*' | grep -o '[0-9]*$'
}

_berth_words()
{
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_berth_files()
{
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# A command of the user's, from COMP_WORDS[$1] on.
_berth_command()
{
	if declare -F _command_offset >/dev/null; then
		_command_offset "$1"
	elif ((COMP_CWORD == $1)); then
		mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
	else
		_berth_files "${COMP_WORDS[COMP_CWORD]}"
	fi
}

_berth_run()
{
	local i

	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--)
			_berth_command $((i + 1))
			return
			;;
		--trace | --leaks | --leaks=* | --strict | --root | -h | --help) ;;
		=) ((i++)) ;; # bash cuts --trace=FILE in three
		*)
			_berth_command "$i"
			return
			;;
		esac
	done
	case $1 in
	-*)
		_berth_words '--trace --trace= --leaks --leaks=sites --strict --root --help --' "$1"
		[[ ${COMPREPLY[*]} == *= ]] && compopt -o nospace 2>/dev/null
		;;
	*)
		if [[ $2 == = || $1 == = ]]; then
			_berth_files "${1#=}"
		else
			_berth_command "$COMP_CWORD"
		fi
		;;
	esac
}

# Identifiers of the kexts that are loaded.
_berth_kexts()
{
	berth kext list --json 2>/dev/null | grep -o '"identifier": *"[^"]*"' | cut -d '"' -f 4
}

_berth_kext()
{
	if ((COMP_CWORD == 2)); then
		_berth_words 'load unload list log --help' "$1"
		return
	fi
	case ${COMP_WORDS[2]} in
	load)
		if [[ $1 == -* ]]; then
			_berth_words '-d --dependency --memory= --exec-events= --kernel --help' "$1"
		else
			_berth_files "$1"
		fi
		;;
	unload)
		if [[ $1 == -* ]]; then
			_berth_words '--force --kernel --help' "$1"
		else
			_berth_files "$1"
			mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W "$(_berth_kexts)" -- "$1")
		fi
		;;
	list) _berth_words '--json --kernel --help' "$1" ;;
	log) _berth_words "-f --follow --kernel --help $(_berth_kexts)" "$1" ;;
	esac
}

_berth()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		_berth_words 'run cc c++ ps ports trace launch kext kctl events help --help --version' "$word"
		return
	fi
	case $before in
	--pid)
		_berth_words "$(_berth_pids)" "$word"
		return
		;;
	--save | --since)
		_berth_files "$word"
		return
		;;
	--kernel)
		_berth_files "$word"
		[[ $word == */* ]] || mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(
			compgen -W 'user system' -- "$word")
		return
		;;
	--print-flags)
		_berth_words 'cflags libs' "$word"
		return
		;;
	esac
	case ${COMP_WORDS[1]} in
	run) _berth_run "$word" "$before" ;;
	cc | c++)
		if [[ $word == -* ]]; then
			_berth_words '--apple --kext --info-plist= --print-flags --help -o -c -S -E -g -O2 -Wall -Wextra -shared -static' "$word"
		else
			_berth_files "$word"
		fi
		;;
	ps) _berth_words '--json --pid --kernel --help' "$word" ;;
	ports) _berth_words '--queued --save --since --json --pid --kernel --help' "$word" ;;
	trace) _berth_words '--pid --kernel --help' "$word" ;;
	launch)
		if ((COMP_CWORD == 2)); then
			_berth_words 'load remove list print kickstart start stop --help' "$word"
		else
			_berth_files "$word"
		fi
		;;
	kext) _berth_kext "$word" ;;
	kctl) _berth_words '--json --kernel --help' "$word" ;;
	events) _berth_words '--vendor= --class= --subclass= --count= --kernel --help' "$word" ;;
	help) _berth_words 'run cc c++ ps ports trace launch kext kctl events' "$word" ;;
	esac
}

complete -F _berth berth
