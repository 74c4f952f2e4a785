# Completion of berth(1) for fish.

function __berth_pids
    berth ps --json 2>/dev/null | string match --all --groups-only --regex '"pid"\s*:\s*(\d+)'
end

set --local commands run cc c++ ps ports trace launch help

complete --command berth --condition "not __fish_seen_subcommand_from $commands" --no-files
complete --command berth --condition "not __fish_seen_subcommand_from $commands" --long-option version --description 'Print the version'
complete --command berth --long-option help --description 'Print a summary'

complete --command berth --condition __fish_use_subcommand --arguments run --description 'Run a program on a kernel of its own'
complete --command berth --condition __fish_use_subcommand --arguments cc --description 'Compile and link a program written for Darwin'
complete --command berth --condition __fish_use_subcommand --arguments c++ --description 'The same, with the C++ compiler'
complete --command berth --condition __fish_use_subcommand --arguments ps --description 'List the tasks of the kernel'
complete --command berth --condition __fish_use_subcommand --arguments ports --description 'List the port rights of each task'
complete --command berth --condition __fish_use_subcommand --arguments trace --description 'Show every trap, message and right as it happens'
complete --command berth --condition __fish_use_subcommand --arguments launch --description 'Run jobs as launchd does'
complete --command berth --condition __fish_use_subcommand --arguments help --description 'Tell about a command'

complete --command berth --condition '__fish_seen_subcommand_from run' --long-option trace --description 'Write the trace to stderr or =FILE'
complete --command berth --condition '__fish_seen_subcommand_from run' --long-option leaks --description 'Tell what rights were left behind'
complete --command berth --condition '__fish_seen_subcommand_from run' --arguments '(__fish_complete_subcommand --fcs-skip=2)'

complete --command berth --condition '__fish_seen_subcommand_from cc c++' --long-option apple --description 'Define __APPLE__'
complete --command berth --condition '__fish_seen_subcommand_from cc c++' --long-option print-flags --exclusive --arguments 'cflags libs' --description 'Print what is added'

complete --command berth --condition '__fish_seen_subcommand_from ps ports' --no-files --long-option json --description 'Print JSON'
complete --command berth --condition '__fish_seen_subcommand_from ports' --no-files --long-option queued --description 'Only ports with queued messages'
complete --command berth --condition '__fish_seen_subcommand_from ps ports trace' --exclusive --long-option pid --arguments '(__berth_pids)' --description 'Only this task'
complete --command berth --condition '__fish_seen_subcommand_from ps ports trace' --require-parameter --long-option kernel --arguments 'user system' --description 'Ask this kernel'

complete --command berth --condition '__fish_seen_subcommand_from launch' --arguments 'load remove list print kickstart start stop'
complete --command berth --condition '__fish_seen_subcommand_from help' --no-files --arguments 'run cc c++ ps ports trace launch'
