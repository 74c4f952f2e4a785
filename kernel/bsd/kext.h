/*
 * Kernel extensions: what is loaded, in which process, linked against what.
 *
 *   LOADING   kernel_kext_loading     has its load tag; its start routine runs
 *   STARTED   kernel_kext_started     serves
 *   gone      kernel_kext_gone, kernel_kext_host_died
 *
 * A kext is linked against kexts of its own host only, as they share an address space.  So all
 * that refer to a kext die with it.
 *
 * Source: kext.md §3.
 */
#ifndef KERNEL_KEXT_H
#define KERNEL_KEXT_H

#include "kernel.h"
#include "support/check.h"
#include "support/list.h"

struct kernel_kext_host {
	struct list link; /* kext_state.hosts */
	uint32_t id, pid;
	void *host; /* the host's, of the core */
	struct list kexts, controls;
};

struct kext {
	struct list link;    /* kext_state.kexts, by load tag */
	struct list in_host; /* kernel_kext_host.kexts, likewise */
	struct list controls;
	struct kernel_kext_host *host;
	uint32_t tag;
	uint32_t reference_count; /* kexts that are linked against it */
	bool started;
	size_t size_bytes; /* of this piece of memory, with dependencies and path */
	struct kernel_kext kext;
};

struct kext_state {
	struct list hosts, kexts;
	uint32_t host_count, last_host_id;
	uint32_t count, last_tag;
};

void kext_init(struct kernel *k);
void kext_deinit(struct kernel *k);
/* The kext of @host with that tag; NULL: none. */
struct kext *kext_find(const struct kernel *k, const struct kernel_kext_host *host, uint32_t tag);

#endif
