/*
 * The loader: the kexts of this process, from the file to start and from stop to nothing.
 *
 *   (nothing) ─► LOADING   loader_load(): the code is in, constructors have run, the kernel
 *                          knows it
 *   LOADING   ─► STARTED   start returned 0
 *   LOADING   ─► (nothing) start failed: destructors run, the code goes
 *   STARTED   ─► (nothing) loader_unload(): stop returned 0; else it stays STARTED
 *
 * Loads and unloads exclude each other, so that start and stop of any two kexts of a process
 * never overlap.
 */
#ifndef BERTH_KEXTS_HOST_LOADER_H
#define BERTH_KEXTS_HOST_LOADER_H

#include "kexts/bundle/os_return.h"

#include <stdint.h>

/* Once, before anything is loaded. */
void loader_init(void);

/*
 * Load and start the kext at @path.  0, also where it is loaded already; else an OSReturn of
 * kext.md §3.1, with words.  Source: kext.md §1.2, §3.
 */
int32_t loader_load(const char *path, struct kext_outcome *outcome);

/*
 * Stop and unload the kext with this load tag.  0; kOSKextReturnNotFound, InUse,
 * StartStopError: it stays loaded.
 */
int32_t loader_unload(uint32_t tag, struct kext_outcome *outcome);

/* How many are loaded; for who has just loaded or unloaded. */
uint32_t loader_count(void);

/* The identifier of the kext whose code @address is in, or whose load tag is @tag; NULL: of
 * none.  May be called in a signal handler. */
const char *loader_identifier_of_address(const void *address);
const char *loader_identifier_of_tag(uint32_t tag);

#endif
