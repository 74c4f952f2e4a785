# Completion of berth(1) for fish.

function __berth_pids
    berth ps --json 2>/dev/null | string match --all --groups-only --regex '"pid"\s*:\s*(\d+)'
end

set --local commands run cc c++ ps ports trace launch kext kctl events help

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
complete --command berth --condition __fish_use_subcommand --arguments kext --description 'Load, unload and list kernel extensions'
complete --command berth --condition __fish_use_subcommand --arguments kctl --description 'Show kernel controls'
complete --command berth --condition __fish_use_subcommand --arguments events --description 'Show kernel events as they come'
complete --command berth --condition __fish_use_subcommand --arguments help --description 'Tell about a command'

complete --command berth --condition '__fish_seen_subcommand_from run' --long-option trace --description 'Write the trace to stderr or =FILE'
complete --command berth --condition '__fish_seen_subcommand_from run' --long-option leaks --arguments sites --description 'Tell what rights were left behind'
complete --command berth --condition '__fish_seen_subcommand_from run' --long-option root --description 'Be root of this kernel'
complete --command berth --condition '__fish_seen_subcommand_from run' --arguments '(__fish_complete_subcommand --fcs-skip=2)'

complete --command berth --condition '__fish_seen_subcommand_from cc c++' --long-option apple --description 'Define __APPLE__'
complete --command berth --condition '__fish_seen_subcommand_from cc c++' --long-option print-flags --exclusive --arguments 'cflags libs' --description 'Print what is added'

complete --command berth --condition '__fish_seen_subcommand_from cc c++' --long-option kext --description 'Make a kernel extension'
complete --command berth --condition '__fish_seen_subcommand_from cc c++' --long-option info-plist --require-parameter --description 'The Info.plist of the bundle'

complete --command berth --condition '__fish_seen_subcommand_from ps ports' --no-files --long-option json --description 'Print JSON'
complete --command berth --condition '__fish_seen_subcommand_from ports' --no-files --long-option queued --description 'Only ports with queued messages'
complete --command berth --condition '__fish_seen_subcommand_from ports' --long-option save --require-parameter --description 'Write a look to a file'
complete --command berth --condition '__fish_seen_subcommand_from ports' --long-option since --require-parameter --description 'What is different from a saved look'
complete --command berth --condition '__fish_seen_subcommand_from ps ports trace' --exclusive --long-option pid --arguments '(__berth_pids)' --description 'Only this task'
complete --command berth --condition '__fish_seen_subcommand_from ps ports trace kext kctl events' --require-parameter --long-option kernel --arguments 'user system' --description 'Ask this kernel'

complete --command berth --condition '__fish_seen_subcommand_from kext' --arguments 'load unload list log'
complete --command berth --condition '__fish_seen_subcommand_from load' --short-option d --long-option dependency --require-parameter --description 'Look for dependencies there'
complete --command berth --condition '__fish_seen_subcommand_from load' --long-option memory --exclusive --description 'How much memory the process may have'
complete --command berth --condition '__fish_seen_subcommand_from load' --long-option exec-events --require-parameter --description 'Tell of programs run in this folder'
complete --command berth --condition '__fish_seen_subcommand_from unload' --long-option force --description 'End the process of one that does not stop'
complete --command berth --condition '__fish_seen_subcommand_from log' --short-option f --long-option follow --description 'Go on with what comes'
complete --command berth --condition '__fish_seen_subcommand_from kctl list' --long-option json --description 'Print JSON'
complete --command berth --condition '__fish_seen_subcommand_from events' --no-files --exclusive --long-option vendor --description 'Only of this vendor'
complete --command berth --condition '__fish_seen_subcommand_from events' --exclusive --long-option class --description 'Only of this class'
complete --command berth --condition '__fish_seen_subcommand_from events' --exclusive --long-option subclass --description 'Only of this subclass'
complete --command berth --condition '__fish_seen_subcommand_from events' --exclusive --long-option count --description 'End after so many'

complete --command berth --condition '__fish_seen_subcommand_from launch' --arguments 'load remove list print kickstart start stop'
complete --command berth --condition '__fish_seen_subcommand_from help' --no-files --arguments 'run cc c++ ps ports trace launch kext kctl events'
