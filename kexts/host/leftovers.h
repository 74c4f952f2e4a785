/*
 * What a kext leaves behind when its code goes.
 */
#ifndef BERTH_KEXTS_HOST_LEFTOVERS_H
#define BERTH_KEXTS_HOST_LEFTOVERS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Take back the controls that the kext @identifier with load tag @tag has registered still: its
 * clients are detached, with its callbacks, so its code must be there.  Each is told of in the
 * log, and so is the memory that its code has taken and not freed.  @is_last: no other kext is
 * in this process, so that what belongs to nobody was its.
 */
void leftovers_take_back(const char *identifier, uint32_t tag, bool is_last);

#endif
