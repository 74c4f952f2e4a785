/*
 * Where in somebody's code, in words.
 */
#ifndef BERTH_KEXTS_HOST_PANIC_H
#define BERTH_KEXTS_HOST_PANIC_H

#include <stddef.h>

/* "function+0x1c", or "file+0x1234" where the function has no name outside its file. */
struct place {
	char text[96];
};

struct place place_of(const void *address);

/* Where this function was called from. */
#define CALLED_FROM __builtin_return_address(0)

#endif
