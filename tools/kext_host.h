/*
 * Kexthosts, as the tools see them: starting one, and commanding one that runs.
 */
#ifndef BERTH_TOOLS_KEXT_HOST_H
#define BERTH_TOOLS_KEXT_HOST_H

#include <stdint.h>
#include <stdio.h>

#include "kexts/bundle/os_return.h"
#include "tools/words.h"

/*
 * Start a kexthost that loads @paths in their order, as a process of its own that nobody waits
 * for, and wait until their start routines have run.  @options: options for it.  @preload: the
 * runtime that must be in it from the start, or "".
 *
 * 0, perhaps with words of what does not work all the same; or an OSReturn with words in @outcome
 */
int32_t kext_host_start(const char *command, const struct words *paths, const struct words *options,
			const char *preload, struct kext_outcome *outcome);

/*
 * Send a command (enum wire_kext_command) to kexthost @host_id; what it says goes to @out,
 * unless that is NULL.  Waits @patience_s seconds for the end; 0: for ever.
 *
 * 0               it was carried out, and what it says of that is in @outcome
 * COMMAND_FAILED  it was not, after saying why
 * -EPIPE          the kexthost has died of it, or before
 * -ETIMEDOUT
 */
int kext_host_command(const char *command, uint32_t host_id, uint32_t what, const uint64_t args[2],
		      const void *payload, size_t payload_size, unsigned patience_s, FILE *out,
		      struct kext_outcome *outcome);

/* The paths in @paths, each with its NUL, as the payload of WIRE_COMMAND_LOAD. */
int32_t kext_host_load(const char *command, uint32_t host_id, const struct words *paths,
		       struct kext_outcome *outcome);

#endif
