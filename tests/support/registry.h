/*
 * The registry as tests use it: kexthosts, kexts, controls, event sockets that note what they
 * hear.  After each call the deliveries are taken and the kernel is audited.
 */
#ifndef TESTS_REGISTRY_H
#define TESTS_REGISTRY_H

#include "tests/support/world.h"

#define HEARD_MAX 64

/* What one recv() would give. */
struct heard {
	uint32_t total_size, vendor_code, kev_class, kev_subclass, id, event_code;
	uint8_t data[512];
};

struct listener {
	struct kernel_kev_socket *socket;
	bool full;                   /* takes nothing */
	struct listener *frees_next; /* when this one hears something that one is closed */
	uint32_t count;              /* of all that was heard, the first ones of which are kept */
	struct heard heard[HEARD_MAX];
};

/* With a filter, if @vendor is not NO_FILTER; NULL: no memory. */
#define NO_FILTER 0xffffffffu
struct listener *listener_new(struct world *w, uint32_t vendor, uint32_t class, uint32_t subclass);
/* NULL; closes its socket if that is open. */
struct listener *listener_free(struct world *w, struct listener *listener);
void listener_filter(struct listener *listener, uint32_t vendor, uint32_t class, uint32_t subclass);
/* Forgets what it has heard. */
void listener_clear(struct listener *listener);

/* Takes all deliveries. */
void registry_settle(struct world *w, struct kernel_effects *effects);

struct kernel_kext_host *kext_host_new(struct world *w, uint32_t pid);
void kext_host_die(struct world *w, struct kernel_kext_host *host);

/* Results are those of the core: 0 or an errno. */
int kext_load(struct world *w, struct kernel_kext_host *host, const char *identifier,
	      const uint32_t *dependencies, uint32_t dependency_count, uint32_t *tag);
int kext_go(struct world *w, struct kernel_kext_host *host, uint32_t tag);

struct kernel_ctl ctl_named(const char *name);
struct kernel_ctl ctl_static(const char *name, uint32_t id, uint32_t unit);
int ctl_add(struct world *w, struct kernel_kext_host *host, uint32_t kext_tag,
	    const struct kernel_ctl *ctl, uint64_t *ref, uint32_t *id);
int ctl_remove(struct world *w, struct kernel_kext_host *host, uint64_t ref);

int kev_vendor(struct world *w, const char *text, uint32_t *code);
int kev_post(struct world *w, uint32_t vendor, uint32_t class, uint32_t subclass, uint32_t code,
	     const void *data, uint32_t size_bytes);

/* As a program asks, by trap. */
int ask_ctl_info(struct actor *t, const void *name, uint32_t size_bytes, uint32_t *id);
uint32_t ask_ctl_count(struct actor *t);
int ask_ctl_find(struct actor *t, uint32_t id, uint32_t unit, uint32_t *host_id, uint32_t *flags);
uint32_t ask_kev_id(struct actor *t);
int ask_kev_vendor(struct actor *t, const void *text, uint32_t size_bytes, uint32_t *code);

#endif
