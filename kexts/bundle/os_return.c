/*
 * Results: see os_return.h.
 */
#include "kexts/bundle/os_return.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define RESULT(name, words)                                                                        \
	{                                                                                          \
		kOSKextReturn##name, "kOSKextReturn" #name, words                                  \
	}

static const struct {
	OSReturn result;
	const char *name, *words;
} results[] = {
	{ kOSReturnSuccess, "kOSReturnSuccess", "success" },
	{ kOSReturnError, "kOSReturnError", "error" },
	RESULT(InternalError, "internal error"),
	RESULT(NoMemory, "out of memory"),
	RESULT(NoResources, "out of resources"),
	RESULT(NotPrivileged, "not privileged"),
	RESULT(InvalidArgument, "invalid argument"),
	RESULT(NotFound, "not found"),
	RESULT(BadData, "bad data"),
	RESULT(Serialization, "serialization error"),
	RESULT(Unsupported, "not supported"),
	RESULT(Disabled, "disabled"),
	RESULT(NotAKext, "not a kernel extension"),
	RESULT(Validation, "validation failed"),
	RESULT(Authentication, "authentication failed"),
	RESULT(Dependencies, "dependencies cannot be resolved"),
	RESULT(ArchNotFound, "no code for this machine"),
	RESULT(Cache, "cache error"),
	RESULT(Deferred, "deferred"),
	RESULT(BootLevel, "not allowed at this boot level"),
	RESULT(NotLoadable, "not loadable"),
	RESULT(LoadedVersionDiffers, "a different version is loaded"),
	RESULT(DependencyLoadError, "a dependency failed to load"),
	RESULT(LinkError, "link error"),
	RESULT(StartStopError, "start or stop routine failed"),
	RESULT(InUse, "in use"),
	RESULT(Timeout, "timed out"),
	RESULT(Stopping, "is stopping"),
	RESULT(SystemPolicy, "refused by system policy"),
};

const char *
os_return_words(int32_t result, const char **name)
{
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if ((int32_t)results[i].result == result) {
			if (name)
				*name = results[i].name;
			return results[i].words;
		}
	}
	return NULL;
}

int32_t
kext_fails(struct kext_outcome *outcome, int32_t result, const char *format, ...)
{
	size_t length = strlen(outcome->why);
	va_list args;

	if (outcome->result == 0)
		outcome->result = result;
	if (length > 0 && length + 3 < sizeof(outcome->why)) {
		memcpy(outcome->why + length, "; ", sizeof("; "));
		length += 2;
	}
	va_start(args, format);
	vsnprintf(outcome->why + length, sizeof(outcome->why) - length, format, args);
	va_end(args);
	return outcome->result;
}
