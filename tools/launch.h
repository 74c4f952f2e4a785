/*
 * berth launch: run jobs as launchd does.
 */
#ifndef BERTH_TOOLS_LAUNCH_H
#define BERTH_TOOLS_LAUNCH_H

/* argv[0] is "launch".  Gives the exit code of the process. */
int berth_launch_main(int argc, char **argv);

#endif
