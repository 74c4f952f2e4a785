/*
 * Plans: see kext_plan.h.
 */
#include "tools/kext_plan.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kexts/bundle/kext_version.h"
#include "tools/berth_config.h"

#define SUFFIX ".kext"
#define DEPTH_MAX 32 /* of kexts that are linked against others */

struct planner {
	struct kext_plan *plan;
	const struct words *folders;
	struct words installed;
	const struct kext_table *table;
	struct kext_outcome *outcome;
	const struct kext_bundle *open[DEPTH_MAX]; /* those whose dependencies we are at */
	size_t depth;
	struct words planned; /* identifiers of plan->paths */
};

/* ---- folders ----------------------------------------------------------------------------- */

/* Where shipped kexts are: beside this program in a build folder, else below its prefix. */
static void
add_installed(struct words *folders)
{
	char own[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", own, sizeof(own) - 1);

	if (size > 0) {
		own[size] = '\0';
		*strrchr(own, '/') = '\0';
		words_add(folders, own);
		words_add_text(folders, "%s/../lib/berth/kexts", own);
	}
	words_add(folders, BERTH_PREFIX "/lib/berth/kexts");
}

static bool
is_bundle_name(const char *name)
{
	size_t length = strlen(name);

	return length > strlen(SUFFIX) && strcmp(name + length - strlen(SUFFIX), SUFFIX) == 0;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
is_bundle_entry(const struct dirent *entry)
{
	return is_bundle_name(entry->d_name);
}

/* Add the bundles in @folder, or @folder itself if it is one. */
static void
add_bundles(struct words *bundles, const char *folder)
{
	struct dirent **entries;
	size_t length = strlen(folder);

	while (length > 1 && folder[length - 1] == '/')
		length--;
	if (length > strlen(SUFFIX) &&
	    memcmp(folder + length - strlen(SUFFIX), SUFFIX, strlen(SUFFIX)) == 0) {
		words_add(bundles, folder);
		return;
	}
	int count = scandir(folder, &entries, is_bundle_entry, by_name);

	for (int i = 0; i < count; i++) {
		words_add_text(bundles, "%s/%s", folder, entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

/* ---- finding --------------------------------------------------------------------------------- */

/* May @library be had from @bundle?  Else the reason is added to @why. */
static bool
serves(const struct kext_bundle *bundle, const struct kext_library *library,
       struct kext_outcome *why)
{
	if (bundle->compatible == 0)
		kext_fails(why, kOSKextReturnDependencies,
			   "%s has no OSBundleCompatibleVersion, so nobody may link against it",
			   bundle->path);
	else if (library->version < bundle->compatible)
		kext_fails(why, kOSKextReturnDependencies,
			   "%s is version %s, which no longer serves those who want %s",
			   bundle->path, bundle->version_text, library->version_text);
	else if (library->version > bundle->version)
		kext_fails(why, kOSKextReturnDependencies, "%s is version %s, too old for %s",
			   bundle->path, bundle->version_text, library->version_text);
	else
		return true;
	return false;
}

/* Read the bundle at @path if it is @identifier.  False: it is another, or none that can be
 * read; then it need not be given back. */
static bool
read_if(struct kext_bundle *bundle, const char *path, const char *identifier,
	struct kext_outcome *why)
{
	struct kext_outcome outcome = { 0 };

	kext_bundle_read(bundle, path, &outcome);
	if (strcmp(bundle->identifier, identifier) == 0) {
		if (outcome.result == 0)
			return true;
		kext_fails(why, kOSKextReturnDependencies, "%s", outcome.why);
	}
	kext_bundle_deinit(bundle);
	return false;
}

/* The first bundle in @folder that serves @library. */
static bool
find_in(struct kext_bundle *bundle, const char *folder, const struct kext_library *library,
	struct kext_outcome *why)
{
	struct words bundles = { 0 };
	bool found = false;

	add_bundles(&bundles, folder);
	for (size_t i = 0; i < bundles.count && !found; i++) {
		if (!read_if(bundle, bundles.word[i], library->identifier, why))
			continue;
		found = serves(bundle, library, why);
		if (!found)
			kext_bundle_deinit(bundle);
	}
	words_free(&bundles);
	return found;
}

static bool
find_in_all(struct kext_bundle *bundle, const struct words *folders,
	    const struct kext_library *library, struct kext_outcome *why)
{
	for (size_t i = 0; i < folders->count; i++) {
		if (find_in(bundle, folders->word[i], library, why))
			return true;
	}
	return false;
}

/* Find what @wants is linked against as @library. */
static bool
find_library(struct planner *planner, const struct kext_bundle *wants,
	     const struct kext_library *library, struct kext_bundle *bundle)
{
	struct kext_outcome why = { 0 };
	struct words near = { 0 };

	words_add_text(&near, "%.*s", (int)(strrchr(wants->path, '/') - wants->path), wants->path);
	if (wants->folder)
		words_add_text(&near, "%s/PlugIns", wants->folder);
	bool found = find_in_all(bundle, &near, library, &why) ||
		     find_in_all(bundle, planner->folders, library, &why) ||
		     find_in_all(bundle, &planner->installed, library, &why);
	words_free(&near);
	if (!found)
		kext_fails(planner->outcome, kOSKextReturnDependencies,
			   "%s: OSBundleLibraries: no kext %s for version %s is to be found%s%s",
			   wants->path, library->identifier, library->version_text,
			   why.result != 0 ? ": " : "", why.why);
	return found;
}

char *
kext_plan_find(const char *identifier, const struct words *folders)
{
	struct words places = { 0 }, bundles = { 0 };
	struct kext_outcome why = { 0 };
	struct kext_bundle bundle;
	char *path = NULL;

	for (size_t i = 0; i < folders->count; i++)
		words_add(&places, folders->word[i]);
	add_installed(&places);
	for (size_t i = 0; i < places.count; i++)
		add_bundles(&bundles, places.word[i]);
	for (size_t i = 0; i < bundles.count && !path; i++) {
		if (!read_if(&bundle, bundles.word[i], identifier, &why))
			continue;
		path = strdup(bundle.path);
		kext_bundle_deinit(&bundle);
	}
	words_free(&places);
	words_free(&bundles);
	return path;
}

/* ---- planning ---------------------------------------------------------------------------------
 */

/* @row, which is loaded, serves @library, and shares a process with all others that do. */
static int32_t
use_loaded(struct planner *planner, const struct kext_bundle *wants,
	   const struct kext_library *library, const struct kext_row *row)
{
	struct kext_bundle loaded = { 0 };
	struct kext_outcome why = { 0 };

	/* whom it serves only its bundle tells, as long as that is the same version */
	if (kext_bundle_read(&loaded, row->path, &why) != 0 ||
	    strcmp(loaded.version_text, row->version) != 0) {
		kext_bundle_deinit(&loaded);
		return kext_fails(planner->outcome, kOSKextReturnDependencies,
				  "%s is loaded, but is not at %s in version %s any more",
				  row->identifier, row->path, row->version);
	}
	bool is_served = serves(&loaded, library, &why);

	kext_bundle_deinit(&loaded);
	if (!is_served)
		return kext_fails(planner->outcome, kOSKextReturnDependencies, "%s", why.why);
	if (!row->is_started)
		return kext_fails(planner->outcome, kOSKextReturnDependencies,
				  "%s, which %s is linked against, is starting still",
				  row->identifier, wants->identifier);
	if (planner->plan->host_id != 0 && planner->plan->host_id != row->host_id)
		return kext_fails(planner->outcome, kOSKextReturnDependencies,
				  "%s is linked against kexts that run in two processes: unload %s "
				  "first; then all are loaded into one",
				  wants->path, row->identifier);
	planner->plan->host_id = row->host_id;
	return 0;
}

static int32_t plan_bundle(struct planner *planner, const struct kext_bundle *bundle);

static int32_t
plan_library(struct planner *planner, const struct kext_bundle *wants,
	     const struct kext_library *library)
{
	const struct kext_row *row = kext_table_find(planner->table, library->identifier);
	struct kext_bundle bundle;

	if (row)
		return use_loaded(planner, wants, library, row);
	for (size_t i = 0; i < planner->depth; i++) {
		if (strcmp(planner->open[i]->identifier, library->identifier) == 0)
			return kext_fails(planner->outcome, kOSKextReturnDependencies,
					  "%s: OSBundleLibraries: %s is in the end linked against "
					  "itself",
					  wants->path, library->identifier);
	}
	if (!find_library(planner, wants, library, &bundle))
		return planner->outcome->result;
	int32_t result = plan_bundle(planner, &bundle);

	kext_bundle_deinit(&bundle);
	return result;
}

static void
note_sanitizer(struct planner *planner, const struct kext_bundle *bundle)
{
	struct kext_image image;
	struct kext_outcome outcome = { 0 };

	if (kext_image_read(&image, bundle->executable, &outcome) == 0 &&
	    image.sanitizer[0] != '\0')
		memcpy(planner->plan->sanitizer, image.sanitizer, sizeof(image.sanitizer));
}

/* Plan @bundle, which is not loaded, after all that it is linked against. */
static int32_t
plan_bundle(struct planner *planner, const struct kext_bundle *bundle)
{
	for (size_t i = 0; i < planner->planned.count; i++) {
		if (strcmp(planner->planned.word[i], bundle->identifier) == 0)
			return 0;
	}
	if (kext_bundle_authenticate(bundle, planner->outcome) != 0)
		return planner->outcome->result;
	if (!bundle->executable)
		return kext_fails(planner->outcome, kOSKextReturnNotLoadable,
				  "%s has no CFBundleExecutable: there is no code to load",
				  bundle->path);
	if (planner->depth == DEPTH_MAX)
		return kext_fails(planner->outcome, kOSKextReturnDependencies,
				  "%s: more than %d kexts linked one against the next",
				  bundle->path, DEPTH_MAX);
	planner->open[planner->depth++] = bundle;
	int32_t result = 0;
	for (size_t i = 0; i < bundle->library_count && result == 0; i++)
		result = plan_library(planner, bundle, &bundle->libraries[i]);
	planner->open[--planner->depth] = NULL;
	if (result != 0)
		return result;
	note_sanitizer(planner, bundle);
	words_add(&planner->planned, bundle->identifier);
	words_add(&planner->plan->paths, bundle->path);
	return 0;
}

/* 0: @bundle is to be planned, or, with @is_loaded, is loaded as it is. */
static int32_t
look_at_loaded(struct planner *planner, const struct kext_bundle *bundle, bool *is_loaded)
{
	const struct kext_row *row = kext_table_find(planner->table, bundle->identifier);

	*is_loaded = row != NULL;
	if (row && kext_version_parse(row->version) != bundle->version)
		return kext_fails(planner->outcome, kOSKextReturnLoadedVersionDiffers,
				  "%s is version %s of %s; version %s is loaded, from %s",
				  bundle->path, bundle->version_text, bundle->identifier,
				  row->version, row->path);
	if (row && !row->is_started)
		return kext_fails(planner->outcome, kOSKextReturnInUse,
				  "%s is being loaded: its start routine has not returned yet",
				  bundle->identifier);
	return 0;
}

int32_t
kext_plan_make(struct kext_plan *plan, const char *name, const struct words *folders,
	       const struct kext_table *table, struct kext_outcome *outcome)
{
	struct planner planner = {
		.plan = plan,
		.folders = folders,
		.table = table,
		.outcome = outcome,
	};
	struct kext_bundle bundle = { 0 };
	bool is_loaded = false;
	char *found = NULL;

	*plan = (struct kext_plan){ 0 };
	add_installed(&planner.installed);
	if (access(name, F_OK) != 0 && errno == ENOENT && !strchr(name, '/'))
		found = kext_plan_find(name, folders);
	int32_t result = kext_bundle_read(&bundle, found ? found : name, outcome);

	if (result == 0)
		result = look_at_loaded(&planner, &bundle, &is_loaded);
	if (result == 0 && !is_loaded)
		result = plan_bundle(&planner, &bundle);
	if (result == 0 &&
	    (plan->paths.no_memory || planner.planned.no_memory || planner.installed.no_memory))
		result = kext_fails(outcome, kOSKextReturnNoMemory, "out of memory");
	kext_bundle_deinit(&bundle);
	words_free(&planner.installed);
	words_free(&planner.planned);
	free(found);
	return result;
}

void
kext_plan_deinit(struct kext_plan *plan)
{
	words_free(&plan->paths);
}
