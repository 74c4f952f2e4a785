/*
 * Fuzzing of Info.plist: any bytes as the property list of a kernel extension.
 */
#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "kexts/bundle/bundle.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct kext_bundle bundle = { 0 };
	struct kext_outcome outcome = { 0 };
	char executable[KEXT_NAME_MAX * 4];

	int32_t result = kext_bundle_read_plist(&bundle, "Info.plist", (const char *)bytes, size,
						executable, &outcome);

	/* what is refused is told of, what is taken has a name */
	if (result != outcome.result || (result == 0) != (outcome.why[0] == '\0') ||
	    (result == 0 && (bundle.identifier[0] == '\0' || bundle.version == 0)))
		abort();
	kext_bundle_deinit(&bundle);
	return 0;
}
