#include "tools/launch_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/launch_client.h"

#define SYSTEM_STATE_FOLDER "/var/lib/berth"
#define OVERRIDES_NAME "overrides.plist"

/* ---- files ----------------------------------------------------------------------------- */

/* A job runs with its owner's rights: nobody else may have a say in what it is. */
static int
check_owner(const char *path, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return launch_tell(path, "not a file");
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return launch_tell(path, "belongs to neither root nor you: not loaded");
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return launch_tell(path, "others may write it: not loaded (chmod go-w)");
	if (st->st_size > LAUNCH_PLIST_MAX)
		return launch_tell(path, "longer than %d bytes", LAUNCH_PLIST_MAX);
	return 0;
}

/* All of @fd, which has @size bytes.  NULL: told. */
static char *
read_all(const char *path, int fd, size_t size)
{
	char *bytes = malloc(size + 1);
	size_t done = 0;

	if (!bytes) {
		launch_tell(path, "out of memory");
		return NULL;
	}
	while (done < size) {
		ssize_t got = read(fd, bytes + done, size - done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			launch_tell(path, "%s", got < 0 ? strerror(errno) : "it became shorter");
			free(bytes);
			return NULL;
		}
		done += (size_t)got;
	}
	bytes[size] = '\0';
	return bytes;
}

plist_t
launch_file_read(const char *path)
{
	plist_t plist = NULL;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		launch_tell(path, "%s", strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) != 0)
		launch_tell(path, "%s", strerror(errno));
	else if (check_owner(path, &st) == 0) {
		char *bytes = read_all(path, fd, (size_t)st.st_size);
		if (bytes) {
			plist_from_memory(bytes, (uint32_t)st.st_size, &plist);
			free(bytes);
			if (!plist)
				launch_tell(path, "not a well-formed property list");
		}
	}
	close(fd);
	if (plist && plist_get_node_type(plist) != PLIST_DICT) {
		launch_tell(path, "must be a dictionary at the top");
		plist_free(plist);
		plist = NULL;
	}
	return plist;
}

const char *
launch_file_label(plist_t plist)
{
	plist_t label = plist_dict_get_item(plist, "Label");

	return label && plist_get_node_type(label) == PLIST_STRING
		   ? plist_get_string_ptr(label, NULL)
		   : NULL;
}

static int
is_plist(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 6 &&
	       strcmp(entry->d_name + length - 6, ".plist") == 0;
}

int
launch_each_file(const char *path, int (*each)(const char *path, void *context), void *context)
{
	struct dirent **entries;
	struct stat st;
	int result = 0;

	if (stat(path, &st) != 0)
		return launch_tell(path, "%s", strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return each(path, context);
	int count = scandir(path, &entries, is_plist, alphasort);
	if (count < 0)
		return launch_tell(path, "%s", strerror(errno));
	for (int i = 0; i < count; i++) {
		char full[PATH_MAX];
		int size = snprintf(full, sizeof(full), "%s/%s", path, entries[i]->d_name);
		if (size < 0 || (size_t)size >= sizeof(full))
			result = launch_tell(path, "too long a name");
		else if (each(full, context))
			result = -1;
		free(entries[i]);
	}
	free(entries);
	if (count == 0)
		return launch_tell(path, "no *.plist in there");
	return result;
}

/* ---- switched on or off ---------------------------------------------------------------- */

/* Where the caller's choices are kept.  False: there is no place for them. */
static bool
state_folder(char *folder, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	int n;

	if (geteuid() == 0)
		n = snprintf(folder, size, "%s", SYSTEM_STATE_FOLDER);
	else if (state && *state == '/')
		n = snprintf(folder, size, "%s/berth", state);
	else if (home && *home == '/')
		n = snprintf(folder, size, "%s/.local/state/berth", home);
	else
		return false;
	return n > 0 && (size_t)n + sizeof("/" OVERRIDES_NAME ".XXXXXX") < size;
}

/* The stored choices, {label: {Disabled: bool}}.  NULL: there are none. */
static plist_t
overrides_read(const char *folder)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, OVERRIDES_NAME);
	return access(path, F_OK) == 0 ? launch_file_read(path) : NULL;
}

/* 1, 0, or -1: @dict does not say. */
static int
read_disabled(plist_t dict)
{
	plist_t disabled = dict && plist_get_node_type(dict) == PLIST_DICT
			       ? plist_dict_get_item(dict, "Disabled")
			       : NULL;
	uint8_t value = 0;

	if (!disabled || plist_get_node_type(disabled) != PLIST_BOOLEAN)
		return -1;
	plist_get_bool_val(disabled, &value);
	return value;
}

int
launch_is_enabled(const char *label, plist_t plist)
{
	char folder[PATH_MAX - 64];
	int disabled = -1;

	if (label && state_folder(folder, sizeof(folder))) {
		plist_t overrides = overrides_read(folder);
		if (overrides) {
			disabled = read_disabled(plist_dict_get_item(overrides, label));
			plist_free(overrides);
		}
	}
	if (disabled < 0)
		disabled = read_disabled(plist);
	return disabled != 1;
}

static int
make_folders(const char *folder)
{
	char path[PATH_MAX];

	strcpy(path, folder);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) != 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return mkdir(path, 0755) != 0 && errno != EEXIST ? -1 : 0;
}

/* Put @plist in the place of the stored choices, in one step. */
static int
overrides_write(const char *folder, plist_t plist)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	char *xml = NULL;
	uint32_t size = 0;

	snprintf(path, sizeof(path), "%s/%s", folder, OVERRIDES_NAME);
	snprintf(temporary, sizeof(temporary), "%s/%s.XXXXXX", folder, OVERRIDES_NAME);
	plist_to_xml(plist, &xml, &size);
	if (!xml)
		return launch_tell(path, "out of memory");
	int fd = mkostemp(temporary, O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, xml, size) == (ssize_t)size && fchmod(fd, 0644) == 0 &&
		  fsync(fd) == 0;
	int error = errno;
	if (fd >= 0)
		close(fd);
	if (ok && rename(temporary, path) != 0) {
		error = errno;
		ok = false;
	}
	if (!ok && fd >= 0)
		unlink(temporary);
	plist_to_xml_free(xml);
	return ok ? 0 : launch_tell(path, "cannot store it: %s", strerror(error));
}

int
launch_set_enabled(const char *label, int enabled)
{
	char folder[PATH_MAX - 64];

	if (!state_folder(folder, sizeof(folder)))
		return launch_tell(
		    label, "no place to store that: neither XDG_STATE_HOME nor HOME is set");
	if (make_folders(folder) != 0)
		return launch_tell(folder, "%s", strerror(errno));
	int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0 || flock(lock, LOCK_EX) != 0) {
		launch_tell(folder, "%s", strerror(errno));
		if (lock >= 0)
			close(lock);
		return -1;
	}
	plist_t overrides = overrides_read(folder);
	if (!overrides)
		overrides = plist_new_dict();
	plist_t row = plist_new_dict();
	plist_dict_set_item(row, "Disabled", plist_new_bool(!enabled));
	plist_dict_set_item(overrides, label, row);
	int result = overrides_write(folder, overrides);
	plist_free(overrides);
	close(lock);
	return result;
}
