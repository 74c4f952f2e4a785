/*
 * Leaks: the kernel's report of what was left behind, with the sites that it came from.
 */
#ifndef BERTH_TOOLS_LEAKS_H
#define BERTH_TOOLS_LEAKS_H

#include <stdio.h>

/*
 * Print the kernel's @report (which is written to) and, behind each right, where it was got, as
 * noted in the folder @sites.  Without memory the report is printed without sites.
 */
void leaks_print(char *report, const char *sites, FILE *out);

#endif
