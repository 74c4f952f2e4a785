/*
 * The variables that kexts publish, for the rest of the host.
 */
#ifndef BERTH_KEXTS_HOST_SYSCTL_H
#define BERTH_KEXTS_HOST_SYSCTL_H

#include "kexts/host/kpi.h"

#include <stddef.h>

#define SYSCTL_NAME_MAX 256 /* bytes of a whole name, with the NUL */

/*
 * Read and write the variable @name ("debug.mine.level").  @old: where its value goes, *@old_size
 * bytes of room, then of value; NULL: only its size.  @new: NULL: it stays.
 *
 * 0
 * ENOENT  there is no such variable
 * EISDIR  it is a node
 * EPERM   it may not be read, or not be written, or not by who this thread runs for
 * EINVAL, ENOMEM, or what else its handler says
 */
int sysctl_request(const char *name, void *old, size_t *old_size, const void *new, size_t new_size);

/* Every variable but nodes, by its whole name, with the format of its value ("I", "A" ...).
 * Called with the registry locked: must not come back to it. */
void sysctl_each(void (*found)(const char *name, const char *format, void *context), void *context);

#endif
