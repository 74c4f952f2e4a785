#include "bsd/kext.h"

#include <errno.h>
#include <string.h>

#include "bsd/kern_control.h"
#include "kern/state.h"

void
kext_init(struct kernel *k)
{
	list_init(&k->kext.hosts);
	list_init(&k->kext.kexts);
}

void
kext_deinit(struct kernel *k)
{
	check(k->kext.host_count == 0 && list_is_empty(&k->kext.hosts));
	check(k->kext.count == 0 && list_is_empty(&k->kext.kexts));
}

/* ---- hosts ---------------------------------------------------------------------------------- */

struct kernel_kext_host *
kernel_kext_host_new(struct kernel *k, uint32_t pid, void *host)
{
	struct kernel_kext_host *kext_host;

	if (k->kext.host_count >= KEXT_HOST_COUNT_MAX || k->kext.last_host_id == UINT32_MAX)
		return NULL;
	kext_host = kernel_memory_alloc(k, sizeof(*kext_host));
	if (!kext_host)
		return NULL;
	kext_host->id = ++k->kext.last_host_id;
	kext_host->pid = pid;
	kext_host->host = host;
	list_init(&kext_host->kexts);
	list_init(&kext_host->controls);
	list_append(&k->kext.hosts, &kext_host->link);
	k->kext.host_count++;
	return kext_host;
}

uint32_t
kernel_kext_host_id(const struct kernel_kext_host *host)
{
	return host->id;
}

void *
kernel_kext_host_of_id(struct kernel *k, uint32_t host_id)
{
	LIST_FOR_EACH (host, &k->kext.hosts, struct kernel_kext_host, link)
		if (host->id == host_id)
			return host->host;
	return NULL;
}

/* ---- kexts ---------------------------------------------------------------------------------- */

static struct kext *
find_by_tag(const struct kernel *k, uint32_t tag)
{
	LIST_FOR_EACH (kext, &k->kext.kexts, struct kext, link)
		if (kext->tag == tag)
			return kext;
	return NULL;
}

struct kext *
kext_find(const struct kernel *k, const struct kernel_kext_host *host, uint32_t tag)
{
	struct kext *kext = find_by_tag(k, tag);

	return kext && kext->host == host ? kext : NULL;
}

static struct kext *
find_by_identifier(const struct kernel *k, const char *identifier)
{
	LIST_FOR_EACH (kext, &k->kext.kexts, struct kext, link)
		if (strcmp(kext->kext.identifier, identifier) == 0)
			return kext;
	return NULL;
}

/* Nobody looks further than the NUL, which must be there. */
static bool
is_text(const char *text, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		if (text[i] == '\0')
			return true;
	return false;
}

/* 0; ENOENT: one is not loaded; EINVAL: one is elsewhere, or there twice. */
static int
check_dependencies(const struct kernel *k, const struct kernel_kext_host *host,
		   const struct kernel_kext *kext)
{
	for (uint32_t i = 0; i < kext->dependency_count; i++) {
		const struct kext *other = find_by_tag(k, kext->dependencies[i]);

		if (!other)
			return ENOENT;
		if (other->host != host)
			return EINVAL;
		for (uint32_t j = 0; j < i; j++)
			if (kext->dependencies[j] == kext->dependencies[i])
				return EINVAL;
	}
	return 0;
}

int
kernel_kext_loading(struct kernel *k, struct kernel_kext_host *host, const struct kernel_kext *kext,
		    uint32_t *tag)
{
	const char *path = kext->path ? kext->path : "";
	const size_t links_size = kext->dependency_count * sizeof(uint32_t);
	struct kext *made, *loaded;
	size_t path_size, size_bytes;
	int error;

	if (!is_text(kext->identifier, sizeof(kext->identifier)) || kext->identifier[0] == '\0' ||
	    !is_text(kext->version, sizeof(kext->version)) || !is_text(path, KEXT_PATH_MAX) ||
	    kext->dependency_count > KEXT_DEPENDENCY_MAX)
		return EINVAL;
	loaded = find_by_identifier(k, kext->identifier);
	if (loaded) {
		*tag = loaded->tag;
		return EEXIST;
	}
	error = check_dependencies(k, host, kext);
	if (error != 0)
		return error;
	if (k->kext.count >= KEXT_COUNT_MAX || k->kext.last_tag == UINT32_MAX)
		return ENOMEM;
	path_size = strlen(path) + 1;
	size_bytes = sizeof(*made) + links_size + path_size;
	made = kernel_memory_alloc(k, size_bytes);
	if (!made)
		return ENOMEM;

	uint32_t *links = (uint32_t *)(void *)(made + 1);
	char *path_copy = (char *)(made + 1) + links_size;

	if (links_size > 0)
		memcpy(links, kext->dependencies, links_size);
	memcpy(path_copy, path, path_size);
	made->size_bytes = size_bytes;
	made->kext = *kext;
	made->kext.dependencies = links;
	made->kext.path = path_copy;
	made->host = host;
	made->tag = ++k->kext.last_tag;
	list_init(&made->controls);
	list_append(&k->kext.kexts, &made->link);
	list_append(&host->kexts, &made->in_host);
	for (uint32_t i = 0; i < kext->dependency_count; i++)
		find_by_tag(k, links[i])->reference_count++;
	k->kext.count++;
	*tag = made->tag;
	return 0;
}

int
kernel_kext_started(struct kernel *k, struct kernel_kext_host *host, uint32_t tag)
{
	struct kext *kext = kext_find(k, host, tag);

	if (!kext || kext->started)
		return EINVAL;
	kext->started = true;
	return 0;
}

int
kernel_kext_may_stop(struct kernel *k, struct kernel_kext_host *host, uint32_t tag)
{
	const struct kext *kext = kext_find(k, host, tag);

	if (!kext)
		return EINVAL;
	return kext->reference_count > 0 ? EBUSY : 0;
}

/* @kext, which nobody is linked against, goes. */
static void
kext_end(struct kernel *k, struct kext *kext, struct kernel_effects *effects)
{
	struct list *first;

	check(kext->reference_count == 0);
	while ((first = list_first(&kext->controls)) != NULL)
		ctl_end(k, list_entry(first, struct kern_control, in_kext), effects);
	for (uint32_t i = 0; i < kext->kext.dependency_count; i++)
		find_by_tag(k, kext->kext.dependencies[i])->reference_count--;
	list_remove(&kext->link);
	list_remove(&kext->in_host);
	k->kext.count--;
	kernel_memory_free(k, kext, kext->size_bytes);
}

int
kernel_kext_gone(struct kernel *k, struct kernel_kext_host *host, uint32_t tag,
		 struct kernel_effects *effects)
{
	struct kext *kext = kext_find(k, host, tag);

	if (!kext)
		return EINVAL;
	if (kext->reference_count > 0)
		return EBUSY;
	kext_end(k, kext, effects);
	return 0;
}

void
kernel_kext_host_died(struct kernel *k, struct kernel_kext_host *host,
		      struct kernel_effects *effects)
{
	struct list *first;

	/* in the order in which they came */
	while ((first = list_first(&host->controls)) != NULL)
		ctl_end(k, list_entry(first, struct kern_control, in_host), effects);
	/* the youngest first: what is linked against others was loaded after them */
	while (!list_is_empty(&host->kexts))
		kext_end(k, list_entry(host->kexts.prev, struct kext, in_host), effects);
	list_remove(&host->link);
	k->kext.host_count--;
	kernel_memory_free(k, host, sizeof(*host));
}

/* ---- looking --------------------------------------------------------------------------------- */

bool
kernel_kext_next(struct kernel *k, uint32_t *at_tag, struct kernel_kext_row *row)
{
	LIST_FOR_EACH (kext, &k->kext.kexts, struct kext, link) {
		if (kext->tag <= *at_tag)
			continue;
		*at_tag = kext->tag;
		*row = (struct kernel_kext_row){
			.kext = &kext->kext,
			.tag = kext->tag,
			.host_id = kext->host->id,
			.host_pid = kext->host->pid,
			.reference_count = kext->reference_count,
			.started = kext->started,
		};
		return true;
	}
	return false;
}
