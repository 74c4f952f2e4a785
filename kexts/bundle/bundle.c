/*
 * Kext bundles: see bundle.h.
 */
#include "kexts/bundle/bundle.h"
#include "kexts/bundle/kext_version.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLIST_SIZE_MAX (1u << 20)
#define SUFFIX ".kext"

/* ---- files -------------------------------------------------------------------------- */

static bool
is_folder(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool
ends_with_suffix(const char *path)
{
	size_t length = strlen(path);

	return length > strlen(SUFFIX) && strcmp(path + length - strlen(SUFFIX), SUFFIX) == 0;
}

/* The text of the file @path, which the caller frees; NULL and an outcome. */
static char *
read_text(const char *path, size_t *size, struct kext_outcome *outcome)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = malloc(PLIST_SIZE_MAX + 1);
	struct stat status;
	ssize_t got = 1;

	*size = 0;
	if (fd < 0 || fstat(fd, &status) < 0) {
		kext_fails(outcome, errno == ENOENT ? kOSKextReturnNotAKext : kOSKextReturnNotFound,
			   "%s: %s", path, strerror(errno));
	} else if (!S_ISREG(status.st_mode)) {
		kext_fails(outcome, kOSKextReturnNotAKext, "%s is no file", path);
	} else if (!text) {
		kext_fails(outcome, kOSKextReturnNoMemory, "out of memory");
	} else {
		/* one byte more than is allowed shows that it is too much */
		while (*size <= PLIST_SIZE_MAX && got > 0) {
			got = read(fd, text + *size, PLIST_SIZE_MAX + 1 - *size);
			*size += got > 0 ? (size_t)got : 0;
		}
		if (got < 0)
			kext_fails(outcome, kOSKextReturnNotFound, "%s: %s", path, strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	if (outcome->result != 0) {
		free(text);
		text = NULL;
	}
	return text;
}

/* ---- the two kinds ------------------------------------------------------------------ */

static int32_t
read_folder(struct kext_bundle *bundle, struct kext_outcome *outcome)
{
	char name[KEXT_NAME_MAX * 4] = "";
	char *plist = NULL;
	size_t size;

	if (!ends_with_suffix(bundle->path))
		return kext_fails(outcome, kOSKextReturnNotAKext,
				  "%s is a folder, and its name does not end in " SUFFIX,
				  bundle->path);
	if (asprintf(&bundle->folder, "%s/Contents", bundle->path) < 0)
		bundle->folder = NULL;
	bool is_flat = bundle->folder && !is_folder(bundle->folder);

	if (is_flat)
		bundle->folder[strlen(bundle->path)] = '\0';
	if (!bundle->folder || asprintf(&plist, "%s/Info.plist", bundle->folder) < 0)
		return kext_fails(outcome, kOSKextReturnNoMemory, "out of memory");

	char *text = read_text(plist, &size, outcome);
	if (text)
		kext_bundle_read_plist(bundle, plist, text, size, name, outcome);
	free(text);
	free(plist);
	if (outcome->result != 0 || name[0] == '\0')
		return outcome->result;
	if (asprintf(&bundle->executable, "%s/%s%s", bundle->folder, is_flat ? "" : "MacOS/",
		     name) < 0) {
		bundle->executable = NULL;
		return kext_fails(outcome, kOSKextReturnNoMemory, "out of memory");
	}
	return 0;
}

static int32_t
check_code(struct kext_bundle *bundle, struct kext_outcome *outcome)
{
	struct kext_image image;
	int32_t result = kext_image_read(&image, bundle->executable, outcome);

	if (result != 0)
		return result;
	if (!image.has_kmod_info && !(bundle->folder && image.has_realmain))
		return kext_fails(outcome, kOSKextReturnNotAKext,
				  "%s exports no kmod_info%s: where is its KMOD_EXPLICIT_DECL?",
				  bundle->executable, bundle->folder ? ", nor _realmain" : "");
	if (bundle->folder)
		return 0;
	memcpy(bundle->identifier, image.name, sizeof(bundle->identifier));
	memcpy(bundle->version_text, image.version, sizeof(bundle->version_text));
	bundle->version = kext_version_parse(image.version);
	if (image.name[0] == '\0')
		kext_fails(outcome, kOSKextReturnValidation, "%s: kmod_info has no name",
			   bundle->path);
	if (bundle->version == 0)
		kext_fails(outcome, kOSKextReturnValidation, "%s: kmod_info: '%s' is no version",
			   bundle->path, image.version);
	return outcome->result;
}

int32_t
kext_bundle_read(struct kext_bundle *bundle, const char *path, struct kext_outcome *outcome)
{
	*bundle = (struct kext_bundle){ 0 };
	bundle->path = realpath(path, NULL);
	if (!bundle->path)
		return kext_fails(outcome, kOSKextReturnNotFound, "%s: %s", path, strerror(errno));
	if (is_folder(bundle->path))
		read_folder(bundle, outcome);
	else if (!(bundle->executable = strdup(bundle->path)))
		kext_fails(outcome, kOSKextReturnNoMemory, "out of memory");
	if (outcome->result == 0 && bundle->executable)
		check_code(bundle, outcome);
	return outcome->result;
}

void
kext_bundle_deinit(struct kext_bundle *bundle)
{
	free(bundle->path);
	free(bundle->folder);
	free(bundle->executable);
	free(bundle->libraries);
	*bundle = (struct kext_bundle){ 0 };
}

/* ---- trust -------------------------------------------------------------------------- */

static void
authenticate(const char *path, struct kext_outcome *outcome)
{
	struct stat status;

	if (lstat(path, &status) != 0)
		kext_fails(outcome, kOSKextReturnAuthentication, "%s: %s", path, strerror(errno));
	else if (S_ISLNK(status.st_mode))
		kext_fails(outcome, kOSKextReturnAuthentication, "%s is a symbolic link", path);
	else if (status.st_uid != 0 && status.st_uid != geteuid())
		kext_fails(outcome, kOSKextReturnAuthentication,
			   "%s belongs to user %lu; it must be root's or yours", path,
			   (unsigned long)status.st_uid);
	else if (status.st_mode & 022)
		kext_fails(outcome, kOSKextReturnAuthentication,
			   "%s may be written by others (mode %03o): chmod go-w", path,
			   (unsigned)status.st_mode & 07777);
}

int32_t
kext_bundle_authenticate(const struct kext_bundle *bundle, struct kext_outcome *outcome)
{
	char path[PATH_MAX + 16];

	authenticate(bundle->path, outcome);
	if (bundle->folder) {
		snprintf(path, sizeof(path), "%s/Info.plist", bundle->folder);
		authenticate(path, outcome);
		if (strcmp(bundle->folder, bundle->path) != 0)
			authenticate(bundle->folder, outcome);
	}
	if (bundle->folder && bundle->executable) {
		const char *slash = strrchr(bundle->executable, '/');

		snprintf(path, sizeof(path), "%.*s", (int)(slash - bundle->executable),
			 bundle->executable);
		if (strcmp(path, bundle->folder) != 0)
			authenticate(path, outcome);
		authenticate(bundle->executable, outcome);
	}
	return outcome->result;
}
