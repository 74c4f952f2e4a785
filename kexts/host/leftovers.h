/*
 * What a kext leaves behind when its code goes.
 */
#ifndef BERTH_KEXTS_HOST_LEFTOVERS_H
#define BERTH_KEXTS_HOST_LEFTOVERS_H

#include <stdint.h>

/*
 * Take back the controls that the kext @identifier with load tag @tag has registered still: its
 * clients are detached, with its callbacks, so its code must be there.  Each is told of in the
 * log, and so is memory, when nobody else can have it.
 */
void leftovers_take_back(const char *identifier, uint32_t tag);

#endif
