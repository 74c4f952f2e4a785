/*
 * Kext bundles: a folder NAME.kext, or a shared object alone, as what is to be loaded.
 *
 * NAME.kext/Contents/Info.plist with Contents/MacOS/EXECUTABLE, or both right in NAME.kext.  A
 * shared object alone says in its kmod_info what it is called, and has no dependencies.
 *
 * Source: kext.md §1 and §2.
 */
#ifndef BERTH_KEXTS_BUNDLE_BUNDLE_H
#define BERTH_KEXTS_BUNDLE_BUNDLE_H

#include "kexts/bundle/kext_image.h"
#include "kexts/bundle/os_return.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A kext that another one is linked against. */
struct kext_library {
	char identifier[KEXT_NAME_MAX];
	char version_text[KEXT_NAME_MAX];
	uint64_t version; /* the least that will do */
};

struct kext_bundle {
	char *path;       /* absolute, without symbolic links */
	char *folder;     /* where Info.plist is; NULL: a shared object alone */
	char *executable; /* NULL: none, there is no code */
	char identifier[KEXT_NAME_MAX], version_text[KEXT_NAME_MAX];
	uint64_t version;
	uint64_t compatible;            /* the oldest that clients may want; 0: none may link */
	struct kext_library *libraries; /* without those of the kernel itself */
	size_t library_count;
};

/*
 * Read the bundle or shared object at @path, and check every rule of its Info.plist.  @bundle
 * is the caller's, to be given to kext_bundle_deinit() whatever comes out.
 *
 * 0, or an OSReturn with words in @outcome: each violation with path and key
 * kOSKextReturnNotFound      nothing is there, or it cannot be read
 * kOSKextReturnNotAKext      neither a bundle nor a shared object with kmod_info
 * kOSKextReturnBadData       Info.plist is no property list of the XML form
 * kOSKextReturnValidation    a rule of Info.plist is violated
 * kOSKextReturnDependencies  OSBundleLibraries is missing, or names what cannot be there
 * ...                        of the code: as kext_image_read()
 */
int32_t kext_bundle_read(struct kext_bundle *bundle, const char *path,
			 struct kext_outcome *outcome);

/*
 * The identifier, versions and libraries alone, of the Info.plist whose @size bytes are at
 * @text; @path is for messages.  For bundles that are looked through, and for the fuzzer.
 */
int32_t kext_bundle_read_plist(struct kext_bundle *bundle, const char *path, const char *text,
			       size_t size, char executable[KEXT_NAME_MAX * 4],
			       struct kext_outcome *outcome);

/*
 * May its files be trusted?  They belong to root or to this process's effective user, nobody
 * else may write them, and none is a symbolic link.
 *
 * 0 or kOSKextReturnAuthentication
 */
int32_t kext_bundle_authenticate(const struct kext_bundle *bundle, struct kext_outcome *outcome);

void kext_bundle_deinit(struct kext_bundle *bundle);

#endif
