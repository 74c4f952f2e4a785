/*
 * The code of a kext as a file: an ELF shared object, looked at without running anything of it.
 */
#ifndef BERTH_KEXTS_BUNDLE_KEXT_IMAGE_H
#define BERTH_KEXTS_BUNDLE_KEXT_IMAGE_H

#include "kexts/bundle/os_return.h"

#include <limits.h>
#include <stdbool.h>

#define KEXT_NAME_MAX 64u /* bytes of an identifier or a version, with the NUL: KMOD_MAX_NAME */

struct kext_image {
	bool has_kmod_info;                               /* it exports `kmod_info` */
	bool has_realmain;                                /* it exports `_realmain` */
	char name[KEXT_NAME_MAX], version[KEXT_NAME_MAX]; /* as kmod_info has them */
	/* The runtime of a sanitizer that must be in a process from its start, as libasan.so.8;
	 * a path where the kext says where it is.  "": none */
	char sanitizer[PATH_MAX];
};

/*
 * Look at the file @path.
 *
 * 0
 * kOSKextReturnNotFound       there is none, or it cannot be read
 * kOSKextReturnNotAKext       it is no shared object
 * kOSKextReturnArchNotFound   for another kind of machine
 * kOSKextReturnBadData        what is in it contradicts itself
 */
int32_t kext_image_read(struct kext_image *image, const char *path, struct kext_outcome *outcome);

#endif
