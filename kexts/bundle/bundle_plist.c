/*
 * Info.plist of a kext: its keys and their rules.
 *
 * Source: kext.md §2.
 */
#include "kexts/bundle/bundle.h"
#include "kexts/bundle/kext_version.h"
#include "kexts/bundle/plist_text.h"

#include <plist/plist.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY_MAX 256u

#if defined(__x86_64__)
#define KEY_SUFFIX "_x86_64"
#elif defined(__aarch64__)
#define KEY_SUFFIX "_arm64"
#endif

struct reader {
	const char *path;
	plist_t dict;
	struct kext_outcome *outcome;
};

/* ---- values ------------------------------------------------------------------------- */

/* @value's key in messages is @key, which is cut to what a line holds. */
#define VIOLATION(reader, key, format, ...)                                                        \
	kext_fails((reader)->outcome, kOSKextReturnValidation, "%s: %.64s: " format,               \
		   (reader)->path, key, ##__VA_ARGS__)

/* The value of @key, or of its variant for this machine, which goes first. */
static plist_t
value_of(const struct reader *reader, const char *key)
{
	char own[64];

	snprintf(own, sizeof(own), "%s" KEY_SUFFIX, key);
	plist_t value = plist_dict_get_item(reader->dict, own);
	return value ? value : plist_dict_get_item(reader->dict, key);
}

static bool
is_of(plist_t value, plist_type type)
{
	return plist_get_node_type(value) == type;
}

/* The string that is the value of @key; NULL: it is not there, or is none (a violation). */
static const char *
string_of(struct reader *reader, const char *key)
{
	plist_t value = value_of(reader, key);

	if (value && !is_of(value, PLIST_STRING)) {
		VIOLATION(reader, key, "must be a string");
		return NULL;
	}
	return value ? plist_get_string_ptr(value, NULL) : NULL;
}

/* Copy @text to @out.  False: it is too long or empty (a violation). */
static bool
copy_name(struct reader *reader, const char *key, const char *text, char out[KEXT_NAME_MAX])
{
	size_t length = strlen(text);

	if (length == 0)
		VIOLATION(reader, key, "must not be empty");
	else if (length >= KEXT_NAME_MAX)
		VIOLATION(reader, key, "must be shorter than %u characters", KEXT_NAME_MAX);
	else if (strstr(text, "$(") || strstr(text, "${"))
		VIOLATION(reader, key, "'%s' has a variable of a build in it", text);
	else
		return memcpy(out, text, length + 1) != NULL;
	return false;
}

/* The version that @text is, after a violation 0. */
static uint64_t
version_of(struct reader *reader, const char *key, const char *text)
{
	uint64_t version = strlen(text) < KEXT_NAME_MAX ? kext_version_parse(text) : 0;

	if (version == 0)
		VIOLATION(reader, key, "'%.64s' is no version", text);
	return version;
}

static void
check_types(struct reader *reader)
{
	static const struct {
		const char *key;
		plist_type type;
		const char *words;
	} keys[] = {
		{ "CFBundleName", PLIST_STRING, "a string" },
		{ "CFBundleInfoDictionaryVersion", PLIST_STRING, "a string" },
		{ "CFBundleShortVersionString", PLIST_STRING, "a string" },
		{ "OSBundleAllowUserLoad", PLIST_BOOLEAN, "true or false" },
		{ "OSBundleRequireExplicitLoad", PLIST_BOOLEAN, "true or false" },
		{ "OSBundleIsInterface", PLIST_BOOLEAN, "true or false" },
		{ "OSKernelResource", PLIST_BOOLEAN, "true or false" },
		{ "OSBundleEnableKextLogging", PLIST_BOOLEAN, "true or false" },
		{ "OSBundleDebugLevel", PLIST_UINT, "an integer" },
		{ "IOKitPersonalities", PLIST_DICT, "a dictionary" },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		plist_t value = value_of(reader, keys[i].key);

		if (value && !is_of(value, keys[i].type))
			VIOLATION(reader, keys[i].key, "must be %s", keys[i].words);
	}
}

static void
check_words(struct reader *reader)
{
	static const char *const required[] = { "Root", "Local-Root", "Network-Root", "Console",
						"Safe Boot" };
	const char *text = string_of(reader, "CFBundlePackageType");

	if (text && strcmp(text, "KEXT") != 0)
		VIOLATION(reader, "CFBundlePackageType", "must be KEXT, not '%.64s'", text);
	text = string_of(reader, "OSBundleRequired");
	for (size_t i = 0; text && i < sizeof(required) / sizeof(required[0]); i++) {
		if (strcmp(text, required[i]) == 0)
			text = NULL;
	}
	if (text)
		VIOLATION(reader, "OSBundleRequired",
			  "must be Root, Local-Root, Network-Root, Console or Safe Boot, not "
			  "'%.64s'",
			  text);
}

static void
check_personalities(struct reader *reader)
{
	plist_t personalities = value_of(reader, "IOKitPersonalities");
	plist_dict_iter at = NULL;
	char *name = NULL;
	plist_t value;

	if (!personalities || !is_of(personalities, PLIST_DICT))
		return;
	plist_dict_new_iter(personalities, &at);
	while (at) {
		plist_dict_next_item(personalities, at, &name, &value);
		if (!name)
			break;
		if (!is_of(value, PLIST_DICT))
			VIOLATION(reader, "IOKitPersonalities", "'%.64s' must be a dictionary",
				  name);
		free(name);
	}
	free(at);
}

/* ---- identity ----------------------------------------------------------------------- */

static void
read_identity(struct reader *reader, struct kext_bundle *bundle)
{
	const char *text = string_of(reader, "CFBundleIdentifier");

	if (text)
		copy_name(reader, "CFBundleIdentifier", text, bundle->identifier);
	else if (!value_of(reader, "CFBundleIdentifier"))
		VIOLATION(reader, "CFBundleIdentifier", "is missing");
	text = string_of(reader, "CFBundleVersion");
	if (text) {
		bundle->version = version_of(reader, "CFBundleVersion", text);
		if (bundle->version != 0)
			copy_name(reader, "CFBundleVersion", text, bundle->version_text);
	} else if (!value_of(reader, "CFBundleVersion")) {
		VIOLATION(reader, "CFBundleVersion", "is missing");
	}
	text = string_of(reader, "OSBundleCompatibleVersion");
	if (text) {
		bundle->compatible = version_of(reader, "OSBundleCompatibleVersion", text);
		if (bundle->version != 0 && bundle->compatible > bundle->version)
			VIOLATION(reader, "OSBundleCompatibleVersion",
				  "%s is later than CFBundleVersion, which is %s", text,
				  bundle->version_text);
	}
}

static void
read_executable(struct reader *reader, char executable[KEXT_NAME_MAX * 4])
{
	const char *text = string_of(reader, "CFBundleExecutable");

	executable[0] = '\0';
	if (!text)
		return;
	if (text[0] == '\0' || strchr(text, '/') || strcmp(text, ".") == 0 ||
	    strcmp(text, "..") == 0 || strlen(text) >= KEXT_NAME_MAX * 4)
		VIOLATION(reader, "CFBundleExecutable", "'%.64s' is not the name of a file", text);
	else if (strstr(text, "$(") || strstr(text, "${"))
		VIOLATION(reader, "CFBundleExecutable", "'%.64s' has a variable of a build in it",
			  text);
	else
		memcpy(executable, text, strlen(text) + 1);
}

/* ---- libraries ---------------------------------------------------------------------- */

enum library_kind { LIBRARY_KPI, LIBRARY_OLD_KERNEL, LIBRARY_KEXT, LIBRARY_REFUSED };

/* What @identifier is; where nobody may be linked against it, after a message. */
static enum library_kind
library_kind(struct reader *reader, const char *identifier)
{
	static const char *const kpis[] = { "bsd",         "iokit",   "libkern", "mach",
					    "unsupported", "private", "dsep" };
	static const char kpi[] = "com.apple.kpi.", kernel[] = "com.apple.kernel";

	if (strcmp(identifier, kernel) == 0) {
		kext_fails(reader->outcome, kOSKextReturnDependencies,
			   "%s: OSBundleLibraries: com.apple.kernel itself is not to be linked "
			   "against; name com.apple.kpi.bsd and the like",
			   reader->path);
		return LIBRARY_REFUSED;
	}
	if (strncmp(identifier, kernel, strlen(kernel)) == 0 && identifier[strlen(kernel)] == '.')
		return LIBRARY_OLD_KERNEL;
	if (strncmp(identifier, kpi, strlen(kpi)) != 0)
		return LIBRARY_KEXT;
	for (size_t i = 0; i < sizeof(kpis) / sizeof(kpis[0]); i++) {
		if (strcmp(identifier + strlen(kpi), kpis[i]) == 0)
			return LIBRARY_KPI;
	}
	kext_fails(reader->outcome, kOSKextReturnDependencies,
		   "%s: OSBundleLibraries: there is no %.64s", reader->path, identifier);
	return LIBRARY_REFUSED;
}

static void
take_library(struct reader *reader, struct kext_bundle *bundle, const char *identifier,
	     plist_t value, bool kinds[LIBRARY_REFUSED + 1])
{
	struct kext_library *library = &bundle->libraries[bundle->library_count];

	if (!is_of(value, PLIST_STRING)) {
		VIOLATION(reader, "OSBundleLibraries", "the version of '%.64s' must be a string",
			  identifier);
		return;
	}
	if (!copy_name(reader, "OSBundleLibraries", identifier, library->identifier))
		return;
	const char *text = plist_get_string_ptr(value, NULL);

	library->version = version_of(reader, "OSBundleLibraries", text);
	if (library->version == 0)
		return;
	memcpy(library->version_text, text, strlen(text) + 1);
	enum library_kind kind = library_kind(reader, identifier);

	kinds[kind] = true;
	if (kind == LIBRARY_KEXT)
		bundle->library_count++;
	else if (kind != LIBRARY_REFUSED && library->version > kext_version_parse(KEXT_KPI_VERSION))
		kext_fails(reader->outcome, kOSKextReturnDependencies,
			   "%s: OSBundleLibraries: %s %s is wanted, " KEXT_KPI_VERSION " is there",
			   reader->path, library->identifier, library->version_text);
}

static void
read_libraries(struct reader *reader, struct kext_bundle *bundle, bool has_code)
{
	static const char key[] = "OSBundleLibraries";
	plist_t dict = value_of(reader, key);
	bool kinds[LIBRARY_REFUSED + 1] = { false };
	plist_dict_iter at = NULL;

	if (dict && !is_of(dict, PLIST_DICT)) {
		VIOLATION(reader, key, "must be a dictionary");
		return;
	}
	uint32_t count = dict ? plist_dict_get_size(dict) : 0;
	if (count == 0 && has_code)
		kext_fails(reader->outcome, kOSKextReturnDependencies,
			   "%s: OSBundleLibraries: %s; a kext with code names at least "
			   "com.apple.kpi.libkern there",
			   reader->path, dict ? "is empty" : "is missing");
	if (count > LIBRARY_MAX) {
		VIOLATION(reader, key, "more than %u of them", LIBRARY_MAX);
		return;
	}
	if (count == 0)
		return;
	bundle->libraries = calloc(count, sizeof(*bundle->libraries));
	plist_dict_new_iter(dict, &at);
	if (!at || !bundle->libraries) {
		free(at);
		kext_fails(reader->outcome, kOSKextReturnNoMemory, "out of memory");
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		char *name = NULL;
		plist_t value = NULL;

		plist_dict_next_item(dict, at, &name, &value);
		if (!name)
			break;
		take_library(reader, bundle, name, value, kinds);
		free(name);
	}
	free(at);
	if (kinds[LIBRARY_OLD_KERNEL] && kinds[LIBRARY_KPI])
		kext_fails(reader->outcome, kOSKextReturnDependencies,
			   "%s: OSBundleLibraries: com.apple.kernel.* and com.apple.kpi.* do not "
			   "go together",
			   reader->path);
}

/* ---- the whole ---------------------------------------------------------------------- */

int32_t
kext_bundle_read_plist(struct kext_bundle *bundle, const char *path, const char *text, size_t size,
		       char executable[KEXT_NAME_MAX * 4], struct kext_outcome *outcome)
{
	struct reader reader = { .path = path, .outcome = outcome };

	reader.dict = plist_text_parse(path, text, size, outcome);
	if (!reader.dict)
		return outcome->result;
	read_identity(&reader, bundle);
	read_executable(&reader, executable);
	check_types(&reader);
	check_words(&reader);
	check_personalities(&reader);
	read_libraries(&reader, bundle, value_of(&reader, "CFBundleExecutable") != NULL);
	plist_free(reader.dict);
	return outcome->result;
}
