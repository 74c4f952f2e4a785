/*
 * The results of loading and unloading, for people; and how the loader tells them on.
 */
#ifndef BERTH_KEXTS_BUNDLE_OS_RETURN_H
#define BERTH_KEXTS_BUNDLE_OS_RETURN_H

#include <libkern/OSKextLib.h>
#include <stdint.h>

/* "link error"; NULL: no result that is known.  @name, unless NULL: "kOSKextReturnLinkError". */
const char *os_return_words(int32_t result, const char **name);

#define KEXT_WHY_MAX 512u

/* How something went: 0, or an OSReturn and what is wrong, with path and key. */
struct kext_outcome {
	int32_t result;
	char why[KEXT_WHY_MAX];
};

/*
 * Note that it failed with @result, because of what is in @format.  A second one is added to
 * the text; the first result stays.  Gives the result.
 */
__attribute__((format(printf, 3, 4))) int32_t kext_fails(struct kext_outcome *outcome,
							 int32_t result, const char *format, ...);

#endif
