/*
 * Property lists of jobs as files, and which jobs their user has switched on or off.
 */
#ifndef BERTH_TOOLS_LAUNCH_FILE_H
#define BERTH_TOOLS_LAUNCH_FILE_H

#include <plist/plist.h>

/*
 * Read the property list at @path.  It must belong to root or to the caller, and nobody
 * else may be able to write it.  NULL: the reason has been told on stderr.
 */
plist_t launch_file_read(const char *path);

/* The label in @plist; NULL: it has none.  Borrowed. */
const char *launch_file_label(plist_t plist);

/*
 * Is the job @label switched on?  What its user has stored, or else, what @plist says.
 */
int launch_is_enabled(const char *label, plist_t plist);

/* Store that it is, or not.  0, or -1 after telling why not. */
int launch_set_enabled(const char *label, int enabled);

/*
 * Call @each with the path of each file that @path means: itself, or the *.plist in that
 * folder, by name.  Gives -1 if it or one of the calls did, or there was nothing.
 */
int launch_each_file(const char *path, int (*each)(const char *path, void *context), void *context);

#endif
