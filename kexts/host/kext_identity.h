/*
 * Which kext a piece of code belongs to: the loader knows.
 */
#ifndef BERTH_KEXTS_HOST_KEXT_IDENTITY_H
#define BERTH_KEXTS_HOST_KEXT_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

struct kext_identity {
	const char *identifier, *version; /* good while the kext is loaded */
	uint32_t load_tag;
};

/* What the loader has to say: false: @address is in no kext. */
typedef bool (*kext_identity_finder)(const void *address, struct kext_identity *identity);

/* Set by the loader, before it loads anything. */
void kext_identity_set_finder(kext_identity_finder finder);

/* False: no kext, or nobody can tell. */
bool kext_identity_find(const void *address, struct kext_identity *identity);

#endif
