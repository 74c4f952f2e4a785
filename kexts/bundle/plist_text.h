/*
 * The text of a property list, before and while the parser of libplist gets it.
 *
 * That parser recurses, and takes much that is no property list.  So what it sees is looked at
 * first: elements that are closed in their order, not nested deeply, without attributes but
 * those of <plist>; comments are taken out.
 */
#ifndef BERTH_KEXTS_BUNDLE_PLIST_TEXT_H
#define BERTH_KEXTS_BUNDLE_PLIST_TEXT_H

#include "kexts/bundle/os_return.h"

#include <plist/plist.h>
#include <stddef.h>

/*
 * The dictionary in the @size bytes at @text, which the caller frees by plist_free(); or NULL
 * and kOSKextReturnBadData, with path, line and what is wrong, or kOSKextReturnNoMemory.
 */
plist_t plist_text_parse(const char *path, const char *text, size_t size,
			 struct kext_outcome *outcome);

#endif
