/*
 * Bundles of kernel extensions: each rule of Info.plist, versions, the code as a file.
 *
 * Source: kext.md §2.
 */
#include "kexts/bundle/bundle.h"
#include "kexts/bundle/kext_version.h"

#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD "<?xml version=\"1.0\"?>\n<plist version=\"1.0\"><dict>"
#define TAIL "</dict></plist>\n"
#define PAIR(key, value) "<key>" key "</key>" value
#define TEXT(key, value) PAIR(key, "<string>" value "</string>")
#define LIBRARIES(pairs) PAIR("OSBundleLibraries", "<dict>" pairs "</dict>")
#define KPI TEXT("com.apple.kpi.libkern", "9.0.0")
/* all that is required, but the code */
#define NAMED TEXT("CFBundleIdentifier", "com.example.k") TEXT("CFBundleVersion", "1.2.3")
#define WITH_CODE NAMED TEXT("CFBundleExecutable", "k")

/* ---- versions ------------------------------------------------------------------------------- */

static void
versions_are_told_from_other_texts(void **state)
{
	static const char *const good[] = { "0",   "1",       "9999",
					    "1.2", "1.2.3",   "9999.9999.9999",
					    "1d1", "1.0a255", "1.2.3b7",
					    "1f1", "1.0fc12", "0001" };
	static const char *const bad[] = { "",      ".",       "1.",    "1..2",  ".1",
					   "10000", "1.2.3.4", "1.2x3", "1d",    "1d0",
					   "1d256", "1d1000",  "1.0 ",  " 1",    "-1",
					   "1fcc1", "1.0-1",   "v1",    "1d1.0", "1.d1" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (kext_version_parse(good[i]) == 0)
			fail_msg("'%s' is a version", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (kext_version_parse(bad[i]) != 0)
			fail_msg("'%s' is no version", bad[i]);
	}
}

static void
versions_compare_by_numbers_then_by_stage(void **state)
{
	static const char *const rising[] = { "0",     "0.0.1",         "0.9",    "0.10",
					      "1.0d1", "1.0d2",         "1.0d10", "1.0a1",
					      "1.0b1", "1.0b255",       "1.0fc1", "1.0f2",
					      "1.0",   "1.0.1",         "1.1",    "2d1",
					      "2",     "9999.9999.9999" };

	(void)state;
	for (size_t i = 1; i < sizeof(rising) / sizeof(rising[0]); i++) {
		if (kext_version_parse(rising[i - 1]) >= kext_version_parse(rising[i]))
			fail_msg("%s is later than %s", rising[i], rising[i - 1]);
	}
	assert_true(kext_version_parse("1") == kext_version_parse("1.0.0"));
	assert_true(kext_version_parse("1f3") == kext_version_parse("1fc3"));
	assert_true(kext_version_parse("01.002") == kext_version_parse("1.2"));
}

/* ---- Info.plist -------------------------------------------------------------------------------
 */

struct rule {
	const char *plist;
	int32_t result;
	const char *says; /* a part of it */
};

static void
expect_rules(const struct rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct kext_bundle bundle = { 0 };
		struct kext_outcome outcome = { 0 };
		char executable[KEXT_NAME_MAX * 4];

		int32_t result = kext_bundle_read_plist(
		    &bundle, "P", rules[i].plist, strlen(rules[i].plist), executable, &outcome);

		kext_bundle_deinit(&bundle);
		if (result != rules[i].result || result != outcome.result ||
		    !strstr(outcome.why, rules[i].says ? rules[i].says : ""))
			fail_msg("%s\ngives 0x%x '%s', not 0x%x '%s'", rules[i].plist,
				 (unsigned)result, outcome.why, (unsigned)rules[i].result,
				 rules[i].says ? rules[i].says : "");
		/* each message names the file */
		if (result != 0)
			assert_true(outcome.why[0] == 'P');
	}
}

#define EXPECT_RULES(rules) expect_rules(rules, sizeof(rules) / sizeof((rules)[0]))

static void
what_keeps_the_rules_is_taken(void **state)
{
	static const struct rule rules[] = {
		{ HEAD NAMED TAIL, 0, NULL }, /* no code: no libraries needed */
		{ HEAD WITH_CODE LIBRARIES(KPI) TAIL, 0, NULL },
		{ HEAD WITH_CODE LIBRARIES(KPI) TEXT("CFBundlePackageType", "KEXT")
		      TEXT("CFBundleName", "k") TEXT("CFBundleInfoDictionaryVersion", "6.0")
			  TEXT("CFBundleShortVersionString", "anything") TAIL,
		  0, NULL },
		{ HEAD WITH_CODE LIBRARIES(KPI) TEXT("OSBundleRequired", "Local-Root")
		      PAIR("OSBundleAllowUserLoad", "<true/>")
			  PAIR("OSBundleDebugLevel", "<integer>3</integer>") TAIL,
		  0, NULL },
		{ HEAD WITH_CODE LIBRARIES(KPI) TEXT("OSBundleCompatibleVersion", "1.2.3") TAIL, 0,
		  NULL },
		{ HEAD WITH_CODE LIBRARIES(KPI)
		      PAIR("IOKitPersonalities", "<dict><key>a</key><dict/></dict>") TAIL,
		  0, NULL },
		{ HEAD "<!-- <key>not</key> me -->" WITH_CODE LIBRARIES(KPI) TAIL, 0, NULL },
		{ HEAD WITH_CODE LIBRARIES(KPI) PAIR("Unknown", "<array/>") TAIL, 0, NULL },
		{ HEAD WITH_CODE LIBRARIES(TEXT("com.apple.kernel.libkern", "8.0")) TAIL, 0, NULL },
		{ HEAD WITH_CODE LIBRARIES(TEXT("com.apple.kpi.bsd", "24.6.0")) TAIL, 0, NULL },
	};

	(void)state;
	EXPECT_RULES(rules);
}

static void
each_violated_rule_is_told_of_by_its_key(void **state)
{
	static const struct rule rules[] = {
		{ HEAD TEXT("CFBundleVersion", "1") TAIL, kOSKextReturnValidation,
		  "P: CFBundleIdentifier: is missing" },
		{ HEAD TEXT("CFBundleIdentifier", "a") TAIL, kOSKextReturnValidation,
		  "P: CFBundleVersion: is missing" },
		{ HEAD TEXT("CFBundleIdentifier", "") TEXT("CFBundleVersion", "1") TAIL,
		  kOSKextReturnValidation, "CFBundleIdentifier: must not be empty" },
		{ HEAD TEXT("CFBundleIdentifier",
			    "a23456789012345678901234567890123456789012345678901234567890abcd")
		      TEXT("CFBundleVersion", "1") TAIL,
		  kOSKextReturnValidation, "CFBundleIdentifier: must be shorter than 64" },
		{ HEAD TEXT("CFBundleIdentifier", "$(PRODUCT)") TEXT("CFBundleVersion", "1") TAIL,
		  kOSKextReturnValidation, "variable" },
		{ HEAD PAIR("CFBundleIdentifier", "<true/>") TEXT("CFBundleVersion", "1") TAIL,
		  kOSKextReturnValidation, "CFBundleIdentifier: must be a string" },
		{ HEAD TEXT("CFBundleIdentifier", "a") TEXT("CFBundleVersion", "1.x") TAIL,
		  kOSKextReturnValidation, "CFBundleVersion: '1.x' is no version" },
		{ HEAD NAMED TEXT("CFBundleExecutable", "../k") LIBRARIES(KPI) TAIL,
		  kOSKextReturnValidation, "CFBundleExecutable: '../k'" },
		{ HEAD NAMED TEXT("CFBundleExecutable", "..") LIBRARIES(KPI) TAIL,
		  kOSKextReturnValidation, "CFBundleExecutable: '..'" },
		{ HEAD NAMED TEXT("CFBundleExecutable", "$(EXECUTABLE_NAME)") LIBRARIES(KPI) TAIL,
		  kOSKextReturnValidation, "CFBundleExecutable" },
		{ HEAD NAMED TEXT("CFBundlePackageType", "APPL") TAIL, kOSKextReturnValidation,
		  "CFBundlePackageType: must be KEXT" },
		{ HEAD NAMED PAIR("CFBundleName", "<dict/>") TAIL, kOSKextReturnValidation,
		  "CFBundleName: must be a string" },
		{ HEAD NAMED TEXT("OSBundleRequired", "Sometimes") TAIL, kOSKextReturnValidation,
		  "OSBundleRequired: must be Root" },
		{ HEAD NAMED TEXT("OSBundleAllowUserLoad", "yes") TAIL, kOSKextReturnValidation,
		  "OSBundleAllowUserLoad: must be true or false" },
		{ HEAD NAMED TEXT("OSBundleDebugLevel", "3") TAIL, kOSKextReturnValidation,
		  "OSBundleDebugLevel: must be an integer" },
		{ HEAD NAMED TEXT("OSBundleCompatibleVersion", "1.2.4") TAIL,
		  kOSKextReturnValidation, "OSBundleCompatibleVersion: 1.2.4 is later" },
		{ HEAD NAMED TEXT("OSBundleCompatibleVersion", "?") TAIL, kOSKextReturnValidation,
		  "OSBundleCompatibleVersion: '?' is no version" },
		{ HEAD NAMED PAIR("IOKitPersonalities", "<array/>") TAIL, kOSKextReturnValidation,
		  "IOKitPersonalities: must be a dictionary" },
		{ HEAD NAMED PAIR("IOKitPersonalities", "<dict><key>p</key><true/></dict>") TAIL,
		  kOSKextReturnValidation, "IOKitPersonalities: 'p' must be a dictionary" },
		{ HEAD WITH_CODE PAIR("OSBundleLibraries", "<array/>") TAIL,
		  kOSKextReturnValidation, "OSBundleLibraries: must be a dictionary" },
		{ HEAD WITH_CODE LIBRARIES(PAIR("com.apple.kpi.bsd", "<integer>8</integer>")) TAIL,
		  kOSKextReturnValidation, "'com.apple.kpi.bsd' must be a string" },
		{ HEAD WITH_CODE LIBRARIES(TEXT("com.apple.kpi.bsd", "eight")) TAIL,
		  kOSKextReturnValidation, "OSBundleLibraries: 'eight' is no version" },
	};

	(void)state;
	EXPECT_RULES(rules);
}

static void
libraries_that_cannot_be_there_are_refused(void **state)
{
	static const struct rule rules[] = {
		{ HEAD WITH_CODE TAIL, kOSKextReturnDependencies, "OSBundleLibraries: is missing" },
		{ HEAD WITH_CODE LIBRARIES("") TAIL, kOSKextReturnDependencies, "is empty" },
		{ HEAD WITH_CODE LIBRARIES(TEXT("com.apple.kernel", "8.0")) TAIL,
		  kOSKextReturnDependencies, "com.apple.kernel itself" },
		{ HEAD WITH_CODE LIBRARIES(KPI TEXT("com.apple.kernel.bsd", "8.0")) TAIL,
		  kOSKextReturnDependencies, "do not go together" },
		{ HEAD WITH_CODE LIBRARIES(TEXT("com.apple.kpi.nothing", "8.0")) TAIL,
		  kOSKextReturnDependencies, "there is no com.apple.kpi.nothing" },
		{ HEAD WITH_CODE LIBRARIES(TEXT("com.apple.kpi.bsd", "24.6.1")) TAIL,
		  kOSKextReturnDependencies, "24.6.1 is wanted, 24.6.0 is there" },
	};

	(void)state;
	EXPECT_RULES(rules);
}

static void
several_violations_are_all_told_of(void **state)
{
	static const char plist[] =
	    HEAD TEXT("CFBundlePackageType", "APPL") TEXT("OSBundleRequired", "No") TAIL;
	static const char *const keys[] = { "CFBundleIdentifier", "CFBundleVersion",
					    "CFBundlePackageType", "OSBundleRequired" };
	struct kext_bundle bundle = { 0 };
	struct kext_outcome outcome = { 0 };
	char executable[KEXT_NAME_MAX * 4];

	(void)state;
	assert_int_equal(
	    kext_bundle_read_plist(&bundle, "P", plist, strlen(plist), executable, &outcome),
	    kOSKextReturnValidation);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_non_null(strstr(outcome.why, keys[i]));
	kext_bundle_deinit(&bundle);
}

static void
garbage_is_no_property_list(void **state)
{
	static const struct rule rules[] = {
		{ "", kOSKextReturnBadData, NULL },
		{ "hello", kOSKextReturnBadData, NULL },
		{ "bplist00", kOSKextReturnBadData, "binary" },
		{ "<plist>", kOSKextReturnBadData, "not closed" },
		{ "<plist><array/></plist>", kOSKextReturnBadData, "dictionary at the top" },
		{ "<plist><dict></plist></dict>", kOSKextReturnBadData, "closes nothing" },
		{ "<plist><dict><script/></dict></plist>", kOSKextReturnBadData, "<script>" },
		{ "<plist><dict a=\"b\"></dict></plist>", kOSKextReturnBadData, "does not belong" },
		{ "<plist><!-- no end", kOSKextReturnBadData, "comment" },
		{ "<plist><dict", kOSKextReturnBadData, "a tag has no end" },
		{ "<!DOCTYPE plist [<!ENTITY a \"b\">]><plist><dict/></plist>",
		  kOSKextReturnBadData, NULL },
	};
	char deep[4096] = "<plist>";
	struct kext_bundle bundle = { 0 };
	struct kext_outcome outcome = { 0 };
	char executable[KEXT_NAME_MAX * 4];

	(void)state;
	EXPECT_RULES(rules);
	for (int i = 0; i < 100; i++)
		strcat(deep, "<array>");
	assert_int_equal(
	    kext_bundle_read_plist(&bundle, "P", deep, strlen(deep), executable, &outcome),
	    kOSKextReturnBadData);
	assert_non_null(strstr(outcome.why, "levels deep"));
	kext_bundle_deinit(&bundle);
}

static void
what_is_for_this_machine_goes_first(void **state)
{
#if defined(__x86_64__)
#define SUFFIX "_x86_64"
#else
#define SUFFIX "_arm64"
#endif
	static const char plist[] = HEAD WITH_CODE LIBRARIES(KPI)
	    PAIR("OSBundleLibraries" SUFFIX, "<dict>" TEXT("com.example.other", "3") "</dict>")
		TAIL;
	struct kext_bundle bundle = { 0 };
	struct kext_outcome outcome = { 0 };
	char executable[KEXT_NAME_MAX * 4];

	(void)state;
	assert_int_equal(
	    kext_bundle_read_plist(&bundle, "P", plist, strlen(plist), executable, &outcome), 0);
	assert_int_equal(bundle.library_count, 1);
	assert_string_equal(bundle.libraries[0].identifier, "com.example.other");
	assert_string_equal(executable, "k");
	assert_string_equal(bundle.identifier, "com.example.k");
	assert_string_equal(bundle.version_text, "1.2.3");
	kext_bundle_deinit(&bundle);
}

/* ---- files --------------------------------------------------------------------------------------
 */

struct place {
	char folder[64];
};

static void
place_new(struct place *place)
{
	snprintf(place->folder, sizeof(place->folder), "/tmp/berth-bundle.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
}

static void
place_free(struct place *place)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", place->folder);
	assert_int_equal(system(command), 0);
}

static void
place_write(struct place *place, const char *name, const void *bytes, size_t size)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", place->folder, name);
	for (char *slash = path + strlen(place->folder) + 1; (slash = strchr(slash, '/'));
	     slash++) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
	chmod(path, 0644);
}

static int32_t
place_read(struct place *place, const char *name, struct kext_outcome *outcome)
{
	struct kext_bundle bundle;
	char path[256];

	*outcome = (struct kext_outcome){ 0 };
	snprintf(path, sizeof(path), "%s/%s", place->folder, name);
	int32_t result = kext_bundle_read(&bundle, path, outcome);

	if (result == 0)
		result = kext_bundle_authenticate(&bundle, outcome);
	kext_bundle_deinit(&bundle);
	return result;
}

#define PLIST(text) text, strlen(text)

static void
bundles_are_folders_of_both_forms(void **state)
{
	static const char plist[] = HEAD NAMED TAIL; /* codeless */
	struct kext_outcome outcome;
	struct place place;

	(void)state;
	place_new(&place);
	place_write(&place, "deep.kext/Contents/Info.plist", PLIST(plist));
	place_write(&place, "flat.kext/Info.plist", PLIST(plist));
	place_write(&place, "other/Info.plist", PLIST(plist));
	place_write(&place, "empty.kext/file", PLIST(plist));
	assert_int_equal(place_read(&place, "deep.kext", &outcome), 0);
	assert_int_equal(place_read(&place, "flat.kext", &outcome), 0);
	assert_int_equal(place_read(&place, "deep.kext/", &outcome), 0);
	assert_int_equal(place_read(&place, "other", &outcome), kOSKextReturnNotAKext);
	assert_int_equal(place_read(&place, "empty.kext", &outcome), kOSKextReturnNotAKext);
	assert_int_equal(place_read(&place, "none.kext", &outcome), kOSKextReturnNotFound);
	place_free(&place);
}

static void
code_that_is_missing_or_none_is_told_of(void **state)
{
	static const char plist[] = HEAD WITH_CODE LIBRARIES(KPI) TAIL;
	static const uint8_t macho[64] = { 0xcf, 0xfa, 0xed, 0xfe };
	Elf64_Ehdr head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB },
			    .e_type = ET_DYN,
			    .e_machine = EM_S390 };
	struct kext_outcome outcome;
	struct place place;

	(void)state;
	place_new(&place);
	place_write(&place, "k.kext/Contents/Info.plist", PLIST(plist));
	assert_int_equal(place_read(&place, "k.kext", &outcome), kOSKextReturnNotFound);
	place_write(&place, "k.kext/Contents/MacOS/k", "", 0);
	assert_int_equal(place_read(&place, "k.kext", &outcome), kOSKextReturnNotAKext);
	place_write(&place, "k.kext/Contents/MacOS/k", PLIST("#!/bin/sh\n"));
	assert_int_equal(place_read(&place, "k.kext", &outcome), kOSKextReturnNotAKext);
	place_write(&place, "k.kext/Contents/MacOS/k", macho, sizeof(macho));
	assert_int_equal(place_read(&place, "k.kext", &outcome), kOSKextReturnArchNotFound);
	assert_non_null(strstr(outcome.why, "macOS"));
	place_write(&place, "k.kext/Contents/MacOS/k", &head, sizeof(head));
	assert_int_equal(place_read(&place, "k.kext", &outcome), kOSKextReturnArchNotFound);
	place_free(&place);
}

static uint32_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 16);
}

/* This very program is code of some kind: each byte of it may be wrong. */
static void
damaged_code_harms_nobody(void **state)
{
	enum { RUNS = 300 };
	struct kext_outcome outcome;
	struct kext_image image;
	struct place place;
	char path[128];
	uint64_t random = 20261121;
	const char *library = getenv("BERTH_SOME_LIBRARY");
	FILE *file = fopen(library ? library : "/proc/self/exe", "re");
	uint8_t *bytes = malloc(1 << 20);

	(void)state;
	assert_non_null(file);
	assert_non_null(bytes);
	place_new(&place);
	size_t size = fread(bytes, 1, 1 << 20, file);

	fclose(file);
	snprintf(path, sizeof(path), "%s/code", place.folder);
	for (int run = 0; run < RUNS; run++) {
		uint8_t old[8];
		size_t at[8];

		/* mostly where tables are: the head, the program's parts, the end */
		for (int i = 0; i < 8; i++) {
			at[i] = next_random(&random) % 4 == 0 ? next_random(&random) % size
							      : next_random(&random) % 1024;
			old[i] = bytes[at[i]];
			bytes[at[i]] = (uint8_t)next_random(&random);
		}
		place_write(&place, "code", bytes,
			    run % 3 == 0 ? next_random(&random) % size : size);
		outcome = (struct kext_outcome){ 0 };
		int32_t result = kext_image_read(&image, path, &outcome);

		assert_true(result == outcome.result && (result == 0) == (outcome.why[0] == '\0'));
		for (int i = 7; i >= 0; i--)
			bytes[at[i]] = old[i];
	}
	free(bytes);
	place_free(&place);
}

static void
files_that_others_may_write_are_not_trusted(void **state)
{
	static const char plist[] = HEAD NAMED TAIL;
	struct kext_outcome outcome;
	struct place place;
	char path[128];

	(void)state;
	place_new(&place);
	place_write(&place, "k.kext/Contents/Info.plist", PLIST(plist));
	assert_int_equal(place_read(&place, "k.kext", &outcome), 0);
	snprintf(path, sizeof(path), "%s/k.kext/Contents/Info.plist", place.folder);
	chmod(path, 0664);
	assert_int_equal(place_read(&place, "k.kext", &outcome), kOSKextReturnAuthentication);
	assert_non_null(strstr(outcome.why, path));
	chmod(path, 0644);
	snprintf(path, sizeof(path), "%s/k.kext/Contents", place.folder);
	chmod(path, 0757);
	assert_int_equal(place_read(&place, "k.kext", &outcome), kOSKextReturnAuthentication);
	chmod(path, 0755);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 65534, 65534), 0);
		assert_int_equal(place_read(&place, "k.kext", &outcome),
				 kOSKextReturnAuthentication);
		assert_non_null(strstr(outcome.why, "65534"));
	}
	place_free(&place);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_told_from_other_texts),
		cmocka_unit_test(versions_compare_by_numbers_then_by_stage),
		cmocka_unit_test(what_keeps_the_rules_is_taken),
		cmocka_unit_test(each_violated_rule_is_told_of_by_its_key),
		cmocka_unit_test(libraries_that_cannot_be_there_are_refused),
		cmocka_unit_test(several_violations_are_all_told_of),
		cmocka_unit_test(garbage_is_no_property_list),
		cmocka_unit_test(what_is_for_this_machine_goes_first),
		cmocka_unit_test(bundles_are_folders_of_both_forms),
		cmocka_unit_test(code_that_is_missing_or_none_is_told_of),
		cmocka_unit_test(damaged_code_harms_nobody),
		cmocka_unit_test(files_that_others_may_write_are_not_trusted),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
