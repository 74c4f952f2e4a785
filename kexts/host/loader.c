/*
 * The loader: see loader.h.
 *
 * Who is loaded is also in a table of address ranges, which any thread and the crash handler
 * look things up in without a lock: an entry is whole before its tag is set, and its tag is
 * taken away before its code goes.
 */
#include "kexts/host/loader.h"

#include "kexts/bundle/bundle.h"
#include "kexts/bundle/kext_version.h"
#include "kexts/host/crash.h"
#include "kexts/host/host_log.h"
#include "kexts/host/kernel_link.h"
#include "kexts/host/kext_host.h"
#include "kexts/host/kext_identity.h"
#include "kexts/host/kexthost.h"
#include "kexts/host/leftovers.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <mach/kmod.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define KEXT_MAX 64u        /* kexts of one process */
#define TAG_NONE UINT32_MAX /* kOSKextInvalidLoadTag */
#define LOADED_ALREADY 1    /* no OSReturn: nothing was done, and nothing is wrong */

struct kext {
	LIST_ENTRY(kext) link;
	struct kext_bundle bundle;
	void *handle;
	kmod_info_t *info; /* the kext's own; where it has none `made` */
	kmod_info_t made;
	kmod_start_func_t *start;
	kmod_stop_func_t *stop; /* NULL: there is nothing to stop */
	uintptr_t address;
	size_t size;
	uint32_t tag;
	uint32_t dependencies[WIRE_KEXT_DEPENDENCY_MAX];
	uint32_t dependency_count;
	struct code_range *range;
};

struct code_range {
	_Atomic uintptr_t start, end; /* 0, 0: free */
	_Atomic uint32_t tag;         /* TAG_NONE: not known yet */
	char identifier[KEXT_NAME_MAX], version[KEXT_NAME_MAX];
};

static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static LIST_HEAD(, kext) kexts = LIST_HEAD_INITIALIZER(kexts);
static uint32_t kext_count;
static struct code_range ranges[KEXT_MAX];

/* ---- looking up ------------------------------------------------------------------------- */

static struct code_range *
range_of(const void *address)
{
	uintptr_t at = (uintptr_t)address;

	for (size_t i = 0; i < KEXT_MAX; i++) {
		if (at >= atomic_load(&ranges[i].start) && at < atomic_load(&ranges[i].end))
			return &ranges[i];
	}
	return NULL;
}

uint32_t
loader_tag_of_address(const void *address)
{
	struct code_range *range = range_of(address);
	uint32_t tag = range ? atomic_load(&range->tag) : TAG_NONE;

	return tag != TAG_NONE ? tag : kext_activity_tag();
}

const char *
loader_identifier_of_address(const void *address)
{
	struct code_range *range = range_of(address);

	return range ? range->identifier : NULL;
}

/* For what asks who the running kext is. */
static bool
find_identity(const void *address, struct kext_identity *identity)
{
	const struct code_range *range = range_of(address);

	if (!range)
		return false;
	*identity = (struct kext_identity){
		.identifier = range->identifier,
		.version = range->version,
		.load_tag = atomic_load(&range->tag), /* TAG_NONE is kOSKextInvalidLoadTag */
	};
	return true;
}

void
loader_init(void)
{
	kext_identity_set_finder(find_identity);
}

const char *
loader_identifier_of_tag(uint32_t tag)
{
	for (size_t i = 0; tag != 0 && i < KEXT_MAX; i++) {
		if (atomic_load(&ranges[i].end) != 0 && atomic_load(&ranges[i].tag) == tag)
			return ranges[i].identifier;
	}
	return NULL;
}

uint32_t
loader_count(void)
{
	pthread_mutex_lock(&load_lock);
	uint32_t count = kext_count;
	pthread_mutex_unlock(&load_lock);
	return count;
}

static struct kext *
kext_of_identifier(const char *identifier)
{
	struct kext *kext;

	LIST_FOREACH(kext, &kexts, link)
	{
		if (strcmp(kext->bundle.identifier, identifier) == 0)
			return kext;
	}
	return NULL;
}

/* For the supervisor: who runs here. */
static void
note_kexts(void)
{
	struct kext *kext;
	size_t at = 0, size = sizeof(kexthost_note->kexts);

	if (!kexthost_note)
		return;
	kexthost_note->kexts[0] = '\0';
	LIST_FOREACH(kext, &kexts, link)
	{
		int length = snprintf(kexthost_note->kexts + at, size - at, "%s%s",
				      at > 0 ? ", " : "", kext->bundle.identifier);

		if (length < 0 || (size_t)length >= size - at)
			break;
		at += (size_t)length;
	}
}

/* ---- parts of a load ---------------------------------------------------------------------- */

/* The kexts of this process that @kext is linked against. */
static int32_t
find_dependencies(struct kext *kext, struct kext_outcome *outcome)
{
	const struct kext_bundle *bundle = &kext->bundle;

	if (bundle->library_count > WIRE_KEXT_DEPENDENCY_MAX)
		return kext_fails(outcome, kOSKextReturnNoResources,
				  "%s: OSBundleLibraries: more than %u kexts", bundle->path,
				  WIRE_KEXT_DEPENDENCY_MAX);
	for (size_t i = 0; i < bundle->library_count; i++) {
		const struct kext_library *library = &bundle->libraries[i];
		const struct kext *found = kext_of_identifier(library->identifier);

		if (!found)
			return kext_fails(outcome, kOSKextReturnDependencies,
					  "%s is linked against %s, which is not loaded in its "
					  "process",
					  bundle->path, library->identifier);
		if (found->bundle.compatible == 0 || library->version < found->bundle.compatible ||
		    library->version > found->bundle.version)
			return kext_fails(outcome, kOSKextReturnDependencies,
					  "%s wants %s in version %s; what is loaded, %s, does not "
					  "serve that",
					  bundle->path, library->identifier, library->version_text,
					  found->bundle.version_text);
		kext->dependencies[kext->dependency_count++] = found->tag;
	}
	return 0;
}

/* What others are linked against is seen by those who come later. */
static void
open_dependencies(const struct kext *kext)
{
	for (size_t i = 0; i < kext->bundle.library_count; i++) {
		const struct kext *found = kext_of_identifier(kext->bundle.libraries[i].identifier);
		void *handle =
		    found ? dlopen(found->bundle.executable, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD)
			  : NULL;

		if (handle)
			dlclose(handle); /* counted once more, and global from now on */
	}
}

static int
measure(struct dl_phdr_info *info, size_t size, void *data)
{
	struct kext *kext = data;
	struct link_map *map = NULL;
	uintptr_t first = UINTPTR_MAX, end = 0;

	(void)size;
	if (dlinfo(kext->handle, RTLD_DI_LINKMAP, &map) != 0 || info->dlpi_addr != map->l_addr ||
	    strcmp(info->dlpi_name, map->l_name) != 0)
		return 0;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type != PT_LOAD)
			continue;
		if (part->p_vaddr < first)
			first = part->p_vaddr;
		if (part->p_vaddr + part->p_memsz > end)
			end = part->p_vaddr + part->p_memsz;
	}
	kext->address = info->dlpi_addr + first;
	kext->size = end - first;
	return 1;
}

static int32_t
open_code(struct kext *kext, struct kext_outcome *outcome)
{
	const struct kext_bundle *bundle = &kext->bundle;
	int flags = RTLD_NOW | RTLD_LOCAL;
	struct kext_image image;

	if (kext_image_read(&image, bundle->executable, outcome) != 0)
		return outcome->result;
	if (image.sanitizer[0] != '\0' && !crash_has_sanitizer())
		return kext_fails(outcome, kOSKextReturnLinkError,
				  "%s needs the sanitizer's runtime %s, which this kexthost was "
				  "not started with",
				  bundle->executable, image.sanitizer);
	void *again = dlopen(bundle->executable, RTLD_NOW | RTLD_NOLOAD);
	if (again) {
		dlclose(again);
		return kext_fails(outcome, kOSKextReturnLinkError,
				  "%s is loaded already, as another kext", bundle->executable);
	}
	/* its own names before those of what it is linked against; sanitizers refuse that */
	if (kext->dependency_count > 0 && !crash_has_sanitizer())
		flags |= RTLD_DEEPBIND;
	open_dependencies(kext);
	kext->handle = dlopen(bundle->executable, flags);
	if (!kext->handle) {
		const char *why = dlerror();

		return kext_fails(outcome, kOSKextReturnLinkError, "%s",
				  why ? why : bundle->executable);
	}
	dl_iterate_phdr(measure, kext);
	return 0;
}

/* Who is to be called. */
static int32_t
find_routines(struct kext *kext, struct kext_outcome *outcome)
{
	const struct kext_bundle *bundle = &kext->bundle;

	kext->info = dlsym(kext->handle, "kmod_info");
	if (kext->info) {
		kext->start = kext->info->start;
		kext->stop = kext->info->stop;
		if (!kext->start)
			return kext_fails(outcome, kOSKextReturnBadData,
					  "%s: kmod_info has no start routine", bundle->executable);
		if (strncmp(kext->info->name, bundle->identifier, KMOD_MAX_NAME) != 0)
			host_log("%s: kmod_info says %.63s; that counts which Info.plist says",
				 bundle->identifier, kext->info->name);
		return 0;
	}
	kmod_start_func_t **start = dlsym(kext->handle, "_realmain");
	kmod_stop_func_t **stop = dlsym(kext->handle, "_antimain");

	kext->info = &kext->made;
	kext->made.info_version = KMOD_INFO_VERSION;
	snprintf(kext->made.name, sizeof(kext->made.name), "%s", bundle->identifier);
	snprintf(kext->made.version, sizeof(kext->made.version), "%s", bundle->version_text);
	kext->start = start ? *start : NULL;
	kext->stop = stop ? *stop : NULL;
	return 0;
}

/* 0, LOADED_ALREADY or an OSReturn. */
static int32_t
tell_kernel(struct kext *kext, struct kext_outcome *outcome)
{
	struct wire_kext_record record = {
		.address = kext->address,
		.size_bytes = kext->size,
		.dependency_count = kext->dependency_count,
	};
	uint64_t values[2] = { 0 };

	snprintf(record.identifier, sizeof(record.identifier), "%s", kext->bundle.identifier);
	snprintf(record.version, sizeof(record.version), "%s", kext->bundle.version_text);
	snprintf(record.path, sizeof(record.path), "%s", kext->bundle.path);
	memcpy(record.dependencies, kext->dependencies, sizeof(record.dependencies));
	int error =
	    kernel_link_request(WIRE_KEXT_LOADING, NULL, &record, sizeof(record), values, NULL, 0);

	if (error == 0)
		kext->tag = (uint32_t)values[0];
	if (error == 0 || error == EEXIST)
		return error == 0 ? 0 : LOADED_ALREADY;
	return kext_fails(outcome,
			  error == ENOENT   ? kOSKextReturnDependencies
			  : error == ENOMEM ? kOSKextReturnNoMemory
					    : kOSKextReturnInternalError,
			  "%s: the kernel does not take it: %s", kext->bundle.path,
			  error == ENOENT ? "a dependency is gone" : strerror(error));
}

static int
tell_kernel_tag(const struct kext *kext, uint32_t operation)
{
	uint64_t args[5] = { kext->tag };

	return kernel_link_request(operation, args, NULL, 0, NULL, NULL, 0);
}

/* ---- in the table ----------------------------------------------------------------------- */

static int32_t
range_add(struct kext *kext, struct kext_outcome *outcome)
{
	for (size_t i = 0; i < KEXT_MAX; i++) {
		struct code_range *range = &ranges[i];

		if (atomic_load(&range->end) != 0)
			continue;
		memcpy(range->identifier, kext->bundle.identifier, sizeof(range->identifier));
		memcpy(range->version, kext->bundle.version_text, sizeof(range->version));
		atomic_store(&range->tag, TAG_NONE);
		atomic_store(&range->start, kext->address);
		atomic_store(&range->end, kext->address + kext->size);
		kext->range = range;
		return 0;
	}
	return kext_fails(outcome, kOSKextReturnNoResources, "more than %u kexts in one process",
			  KEXT_MAX);
}

static void
range_remove(struct kext *kext)
{
	if (!kext->range)
		return;
	atomic_store(&kext->range->end, 0);
	atomic_store(&kext->range->start, 0);
	kext->range = NULL;
}

/* Everything of @kext goes: its code, and what the kernel knows of it.  NULL. */
static struct kext *
kext_free(struct kext *kext)
{
	if (kext->tag != 0)
		leftovers_take_back(kext->range->identifier, kext->tag, kext_count == 0);
	if (kext->handle && dlclose(kext->handle) != 0)
		host_log("%s: %s", kext->bundle.identifier, dlerror());
	range_remove(kext);
	if (kext->tag != 0)
		tell_kernel_tag(kext, WIRE_KEXT_GONE);
	kext_bundle_deinit(&kext->bundle);
	free(kext);
	return NULL;
}

/* ---- loading ------------------------------------------------------------------------------ */

/* Call @routine for @kext, and say so to whoever looks at a crash. */
static kern_return_t
kext_call(struct kext *kext, kmod_start_func_t *routine, const char *what)
{
	struct kext_activity before = kext_activity_begin(what, 0, kext->tag);
	kern_return_t result = routine(kext->info, NULL);

	kext_activity_end(before);
	return result;
}

static int32_t
kext_start(struct kext *kext, struct kext_outcome *outcome)
{
	kext->info->id = kext->tag;
	kext->info->address = kext->address;
	kext->info->size = kext->size;
	kext->info->reference_count = 0;
	if (!kext->start)
		return 0;
	kern_return_t result = kext_call(kext, kext->start, "start");

	if (result == KERN_SUCCESS)
		return 0;
	return kext_fails(outcome, kOSKextReturnStartStopError,
			  "%s (%s): its start routine returned %d (0x%x)", kext->bundle.identifier,
			  kext->bundle.path, result, (unsigned)result);
}

/* 0, LOADED_ALREADY or an OSReturn. */
static int32_t
kext_prepare(struct kext *kext, const char *path, struct kext_outcome *outcome)
{
	const struct kext_bundle *bundle = &kext->bundle;

	if (kext_bundle_read(&kext->bundle, path, outcome) != 0 ||
	    kext_bundle_authenticate(bundle, outcome) != 0)
		return outcome->result;
	if (!bundle->executable)
		return kext_fails(outcome, kOSKextReturnNotLoadable,
				  "%s has no CFBundleExecutable: there is no code to load",
				  bundle->path);
	if (strlen(bundle->path) >= WIRE_KEXT_PATH_MAX)
		return kext_fails(outcome, kOSKextReturnInvalidArgument, "%s: too long a path",
				  bundle->path);
	const struct kext *loaded = kext_of_identifier(bundle->identifier);

	if (loaded && loaded->bundle.version == bundle->version)
		return LOADED_ALREADY;
	if (loaded)
		return kext_fails(outcome, kOSKextReturnLoadedVersionDiffers,
				  "%s is version %s of %s, of which %s is loaded", bundle->path,
				  bundle->version_text, bundle->identifier,
				  loaded->bundle.version_text);
	return find_dependencies(kext, outcome);
}

/* 0: it is in the list.  LOADED_ALREADY (elsewhere, a moment ago) or an OSReturn: it is not. */
static int32_t
kext_load(struct kext *kext, struct kext_outcome *outcome)
{
	int32_t result = open_code(kext, outcome);

	if (result == 0)
		result = find_routines(kext, outcome);
	if (result == 0)
		result = range_add(kext, outcome);
	if (result == 0)
		result = tell_kernel(kext, outcome);
	if (result != 0)
		return result;
	atomic_store(&kext->range->tag, kext->tag);
	LIST_INSERT_HEAD(&kexts, kext, link);
	kext_count++;
	note_kexts();
	result = kext_start(kext, outcome);
	if (result == 0) {
		tell_kernel_tag(kext, WIRE_KEXT_STARTED);
		return 0;
	}
	LIST_REMOVE(kext, link);
	kext_count--;
	return result;
}

int32_t
loader_load(const char *path, struct kext_outcome *outcome)
{
	struct kext *kext = calloc(1, sizeof(*kext));

	if (!kext)
		return kext_fails(outcome, kOSKextReturnNoMemory, "out of memory");
	pthread_mutex_lock(&load_lock);
	int32_t result = kext_prepare(kext, path, outcome);

	if (result == 0)
		result = kext_load(kext, outcome);
	if (result != 0) {
		kext_free(kext);
		note_kexts();
	}
	pthread_mutex_unlock(&load_lock);
	return result == LOADED_ALREADY ? 0 : result;
}

/* ---- unloading ---------------------------------------------------------------------------- */

static int32_t
kext_stop(struct kext *kext, struct kext_outcome *outcome)
{
	int error = tell_kernel_tag(kext, WIRE_KEXT_STOPPING);

	if (error == EBUSY)
		return kext_fails(outcome, kOSKextReturnInUse,
				  "%s: other kexts are linked against it", kext->bundle.identifier);
	if (error != 0)
		return kext_fails(outcome, kOSKextReturnInternalError, "%s: the kernel says: %s",
				  kext->bundle.identifier, strerror(error));
	if (!kext->stop)
		return 0;
	kern_return_t result = kext_call(kext, kext->stop, "stop");

	if (result == KERN_SUCCESS)
		return 0;
	return kext_fails(outcome, kOSKextReturnStartStopError,
			  "%s (%s): its stop routine returned %d (0x%x); it stays loaded",
			  kext->bundle.identifier, kext->bundle.path, result, (unsigned)result);
}

int32_t
loader_unload(uint32_t tag, struct kext_outcome *outcome)
{
	struct kext *kext;
	int32_t result;

	pthread_mutex_lock(&load_lock);
	LIST_FOREACH(kext, &kexts, link)
	{
		if (kext->tag == tag)
			break;
	}
	if (!kext)
		result =
		    kext_fails(outcome, kOSKextReturnNotFound, "no kext with load tag %u", tag);
	else
		result = kext_stop(kext, outcome);
	if (result == 0) {
		LIST_REMOVE(kext, link);
		kext_count--;
		kext = kext_free(kext);
		note_kexts();
	}
	pthread_mutex_unlock(&load_lock);
	return result;
}
