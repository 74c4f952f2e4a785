/*
 * The registry of kexts, controls and events for those who look at the whole kernel.
 */
#ifndef KERNEL_REGISTRY_H
#define KERNEL_REGISTRY_H

#include "kernel.h"

/* Where a dump goes, and how: dump.c. */
struct dump {
	kernel_write *write;
	void *context;
};

void dump_text(const struct dump *d, const char *text);
void dump_number(const struct dump *d, const char *label, uint64_t value, unsigned base);

void registry_audit(const struct kernel *k);
void registry_dump(const struct dump *d, const struct kernel *k);

#endif
