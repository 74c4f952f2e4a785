# Completion of mig(1) for bash; installed as bash-completion finds it.

_mig()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}

	COMPREPLY=()
	compopt -o filenames 2>/dev/null
	case $before in
	-maxonstack) return ;;
	-cc)
		mapfile -t COMPREPLY < <(compgen -c -- "$word")
		return
		;;
	-user | -server | -header | -sheader | -iheader | -dheader | -i | -MF | -isysroot | -include)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	esac
	case $word in
	-*)
		mapfile -t COMPREPLY < <(compgen -W '-user -server -header -sheader -iheader -dheader -i
			-split -maxonstack -novouchers -R -s -L -n -b -q -v -I -D -U -MD -cc --json --help
			--version' -- "$word")
		;;
	*)
		mapfile -t COMPREPLY < <(compgen -d -- "$word"; compgen -f -X '!*.defs' -- "$word")
		;;
	esac
}

complete -F _mig mig
