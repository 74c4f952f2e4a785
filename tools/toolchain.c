/*
 * Toolchain: see toolchain.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/berth_config.h"
#include "tools/toolchain.h"

/* A file that only a build folder has: its one line names the headers in the source tree. */
#define HEADERS_OF_BUILD "tools/headers-folder"

/* The folder of this program, links resolved. */
static int
own_folder(char folder[PATH_MAX])
{
	ssize_t size = readlink("/proc/self/exe", folder, PATH_MAX);

	if (size < 0)
		return -errno;
	if (size == PATH_MAX)
		return -ENAMETOOLONG;
	folder[size] = '\0';
	char *slash = strrchr(folder, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	return 0;
}

__attribute__((format(printf, 2, 3))) static bool
path_set(char path[PATH_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int length = vsnprintf(path, PATH_MAX, format, args);
	va_end(args);
	return length >= 0 && length < PATH_MAX;
}

/* Append a line to @tried; without memory the list is shorter, which is no harm. */
static void
tried_add(char **tried, const char *path)
{
	char *longer;

	if (asprintf(&longer, "%s  %s\n", *tried ? *tried : "", path) < 0)
		return;
	free(*tried);
	*tried = longer;
}

static bool
is_folder_with(const char *folder, const char *file)
{
	char path[PATH_MAX];

	return path_set(path, "%s/%s", folder, file) && access(path, R_OK) == 0;
}

/* Does every loader look there?  /lib, /usr/lib, their 64-bit twins, or one level deeper. */
static bool
is_default_libdir(const char *libdir)
{
	static const char *const defaults[] = { "/lib", "/usr/lib", "/lib64", "/usr/lib64" };

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		if (strcmp(libdir, defaults[i]) == 0)
			return true;
	}
	/* Debian's folder for one architecture, /usr/lib/x86_64-linux-gnu */
	const char *rest = strncmp(libdir, "/usr/lib/", 9) == 0 ? libdir + 9
			   : strncmp(libdir, "/lib/", 5) == 0   ? libdir + 5
								: NULL;
	return rest && !strchr(rest, '/') && strstr(rest, "-linux-");
}

/* Fill @toolchain from a build folder; false: @folder is none. */
static bool
toolchain_of_build(struct toolchain *toolchain, const char *folder)
{
	char note[PATH_MAX];

	if (!is_folder_with(folder, "libberth.so") ||
	    !path_set(note, "%s/%s", folder, HEADERS_OF_BUILD))
		return false;
	FILE *file = fopen(note, "re");
	if (!file)
		return false;
	bool read = fgets(toolchain->headers, sizeof(toolchain->headers), file) != NULL;
	fclose(file);
	if (!read)
		return false;
	toolchain->headers[strcspn(toolchain->headers, "\n")] = '\0';
	toolchain->needs_rpath = true;
	return path_set(toolchain->libdir, "%s", folder) &&
	       is_folder_with(toolchain->headers, "mach/mach.h");
}

/* Fill @toolchain from a Berth installed under @prefix; false: there is none. */
static bool
toolchain_of_prefix(struct toolchain *toolchain, const char *prefix, char **tried)
{
	char headers[PATH_MAX], libdir[PATH_MAX];

	if (!path_set(headers, "%s/%s", prefix, BERTH_INCLUDEDIR "/berth-darwin") ||
	    !path_set(libdir, "%s/%s", prefix, BERTH_LIBDIR))
		return false;
	if (!is_folder_with(headers, "mach/mach.h")) {
		tried_add(tried, headers);
		return false;
	}
	/* without ../ in it: the path ends up in programs */
	if (!realpath(headers, toolchain->headers) || !realpath(libdir, toolchain->libdir)) {
		tried_add(tried, libdir);
		return false;
	}
	toolchain->needs_rpath = !is_default_libdir(toolchain->libdir);
	return true;
}

/* Where libbsd's overlay is, if anywhere. */
static void
find_libbsd(struct toolchain *toolchain)
{
	if (!path_set(toolchain->libbsd, "%s", BERTH_LIBBSD_INCLUDEDIR "/bsd") ||
	    !is_folder_with(toolchain->libbsd, "string.h"))
		toolchain->libbsd[0] = '\0';
}

int
toolchain_find(struct toolchain *toolchain, char **tried)
{
	char own[PATH_MAX], prefix[PATH_MAX];

	*tried = NULL;
	find_libbsd(toolchain);
	int err = own_folder(own);
	if (err < 0)
		return err;
	if (toolchain_of_build(toolchain, own))
		return 0;

	size_t own_length = strlen(own), bindir_length = strlen(BERTH_BINDIR);
	if (own_length > bindir_length + 1 &&
	    strcmp(own + own_length - bindir_length, BERTH_BINDIR) == 0 &&
	    own[own_length - bindir_length - 1] == '/' &&
	    path_set(prefix, "%.*s", (int)(own_length - bindir_length - 1), own) &&
	    toolchain_of_prefix(toolchain, prefix, tried))
		return 0;
	return toolchain_of_prefix(toolchain, BERTH_PREFIX, tried) ? 0 : -ENOENT;
}
