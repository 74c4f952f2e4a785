/*
 * Sites: what processes noted of where they got their rights (wire/sites.h), read for a report.
 *
 * First all that a report will show is asked for, then the lines of all of it are looked up,
 * then it is printed.
 */
#ifndef BERTH_TOOLS_SITES_H
#define BERTH_TOOLS_SITES_H

#include <stdint.h>
#include <stdio.h>

struct sites_found; /* the notes of a folder */
struct sites_right; /* those of one right */

/* Read which processes left notes in @folder.  The caller frees it; NULL: no memory. */
struct sites_found *sites_found_new(const char *folder);
struct sites_found *sites_found_free(struct sites_found *found);

/*
 * The notes of the right @name that the process @pid, with the program @label, had when it ended,
 * which the kernel calls @kind ("send", "receive+send" …).  Of several programs that one process
 * executed the first that has such a right, and the next time the next.
 *
 * Borrowed from @found.  NULL: there are none, or no memory.
 */
struct sites_right *sites_right_find(struct sites_found *found, uint32_t pid, const char *label,
				     uint32_t name, const char *kind);

/* Look up functions and lines of all that were found, by addr2line(1). */
void sites_look_up(struct sites_found *found);

/* Print where the references of @right were got; NULL: that this is not known. */
void sites_right_print(struct sites_found *found, const struct sites_right *right, FILE *out);

/* Print which places left more than one right, and what could not be noted or looked up. */
void sites_summary_print(const struct sites_found *found, FILE *out);

#endif
