/*
 * What `berth launch` prints.
 */
#ifndef BERTH_TOOLS_LAUNCH_PRINT_H
#define BERTH_TOOLS_LAUNCH_PRINT_H

#include <plist/plist.h>

/* The table of jobs: PID, Status, Label. */
void launch_print_table(plist_t jobs);

/* A property list as launchctl(1) prints it. */
void launch_print_plist(plist_t plist);

/* One job for people: a line for each fact. */
void launch_print_job(plist_t job);

/* The names of the context and of those above; @with_jobs: who declared them, too.  0, -1. */
int launch_print_names(int with_jobs);

#endif
