/*
 * Toolchain: the headers and the library that belong to this `berth`, told from where it
 * lies.  So a Berth may be moved, and a build folder works without being installed.
 */
#ifndef BERTH_TOOLS_TOOLCHAIN_H
#define BERTH_TOOLS_TOOLCHAIN_H

#include <limits.h>
#include <stdbool.h>

struct toolchain {
	char headers[PATH_MAX]; /* the Darwin headers */
	char libdir[PATH_MAX];  /* libberth.so and libberth.a */
	bool needs_rpath;       /* the loader does not look in libdir by itself */
	char libbsd[PATH_MAX];  /* the headers of libbsd's overlay; "": not installed */
};

/*
 * Find them: in the build folder that this program lies in, in the prefix that its folder
 * belongs to, or where Berth was configured to be installed.
 *
 * 0        in @toolchain
 * -ENOENT  nowhere; @tried, which the caller frees, lists the folders, a line each
 * -errno   this program's own place is not known
 */
int toolchain_find(struct toolchain *toolchain, char **tried);

#endif
