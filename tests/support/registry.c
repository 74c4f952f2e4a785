/* The registry as tests use it: see registry.h. */
#include "tests/support/registry.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/calls.h"

/* ---- listeners ------------------------------------------------------------------------------ */

struct listener *
listener_new(struct world *w, uint32_t vendor, uint32_t class, uint32_t subclass)
{
	struct listener *listener = calloc(1, sizeof *listener);

	listener->socket = kernel_kev_socket_new(w->kernel, listener);
	if (!listener->socket) {
		free(listener);
		return NULL;
	}
	assert_ptr_equal(kernel_kev_socket_host(listener->socket), listener);
	if (vendor != NO_FILTER)
		listener_filter(listener, vendor, class, subclass);
	kernel_audit(w->kernel);
	return listener;
}

struct listener *
listener_free(struct world *w, struct listener *listener)
{
	if (listener)
		kernel_kev_socket_free(w->kernel, listener->socket);
	free(listener);
	kernel_audit(w->kernel);
	return NULL;
}

void
listener_filter(struct listener *listener, uint32_t vendor, uint32_t class, uint32_t subclass)
{
	const uint32_t filter[3] = { vendor, class, subclass };

	kernel_kev_socket_set_filter(listener->socket, filter);
}

void
listener_clear(struct listener *listener)
{
	listener->count = 0;
	memset(listener->heard, 0, sizeof listener->heard);
}

static void
deliver(struct world *w, const struct kernel_kev_delivery *delivery)
{
	struct listener *listener = kernel_kev_socket_host(delivery->socket);
	struct heard *heard = &listener->heard[listener->count];

	assert_in_range(delivery->size_bytes, 24, 24 + 264);
	assert_int_equal(*(const uint32_t *)delivery->bytes, delivery->size_bytes);
	if (!listener->full && listener->count++ < HEARD_MAX)
		memcpy(heard, delivery->bytes, delivery->size_bytes);
	kernel_kev_delivered(w->kernel, delivery->socket, listener->full);
	if (listener->frees_next) {
		kernel_kev_socket_free(w->kernel, listener->frees_next->socket);
		listener->frees_next->socket = NULL;
		listener->frees_next = NULL;
	}
}

void
registry_settle(struct world *w, struct kernel_effects *effects)
{
	struct kernel_kev_delivery delivery;

	while (kernel_effects_kev(w->kernel, effects, &delivery))
		deliver(w, &delivery);
	assert_false(kernel_effects_kev(w->kernel, effects, &delivery));
	kernel_audit(w->kernel);
}

/* ---- hosts, kexts, controls --------------------------------------------------------------------
 */

struct kernel_kext_host *
kext_host_new(struct world *w, uint32_t pid)
{
	struct kernel_kext_host *host = kernel_kext_host_new(w->kernel, pid, w);

	kernel_audit(w->kernel);
	return host;
}

void
kext_host_die(struct world *w, struct kernel_kext_host *host)
{
	struct kernel_effects effects;

	kernel_effects_init(&effects);
	kernel_kext_host_died(w->kernel, host, &effects);
	registry_settle(w, &effects);
}

int
kext_load(struct world *w, struct kernel_kext_host *host, const char *identifier,
	  const uint32_t *dependencies, uint32_t dependency_count, uint32_t *tag)
{
	struct kernel_kext kext = { .version = "1.0",
				    .path = "/Library/Extensions/Test.kext",
				    .address = 0x7f0000001000,
				    .size_bytes = 0x3000,
				    .dependencies = dependencies,
				    .dependency_count = dependency_count };
	int error;

	memcpy(kext.identifier, identifier,
	       strlen(identifier) < sizeof kext.identifier ? strlen(identifier)
							   : sizeof kext.identifier);
	error = kernel_kext_loading(w->kernel, host, &kext, tag);
	kernel_audit(w->kernel);
	return error;
}

int
kext_go(struct world *w, struct kernel_kext_host *host, uint32_t tag)
{
	struct kernel_effects effects;
	int error;

	kernel_effects_init(&effects);
	error = kernel_kext_gone(w->kernel, host, tag, &effects);
	registry_settle(w, &effects);
	return error;
}

struct kernel_ctl
ctl_named(const char *name)
{
	struct kernel_ctl ctl = { .callbacks = { 1, 2, 3, 4, 5, 6, 7 } };

	assert_true(strlen(name) <= sizeof ctl.name);
	memcpy(ctl.name, name, strlen(name));
	return ctl;
}

struct kernel_ctl
ctl_static(const char *name, uint32_t id, uint32_t unit)
{
	struct kernel_ctl ctl = ctl_named(name);

	ctl.flags = 0x2; /* CTL_FLAG_REG_ID_UNIT */
	ctl.id = id;
	ctl.unit = unit;
	return ctl;
}

int
ctl_add(struct world *w, struct kernel_kext_host *host, uint32_t kext_tag,
	const struct kernel_ctl *ctl, uint64_t *ref, uint32_t *id)
{
	struct kernel_effects effects;
	uint64_t some_ref;
	uint32_t some_id;
	int error;

	kernel_effects_init(&effects);
	error = kernel_ctl_register(w->kernel, host, kext_tag, ctl, ref ? ref : &some_ref,
				    id ? id : &some_id, &effects);
	registry_settle(w, &effects);
	return error;
}

int
ctl_remove(struct world *w, struct kernel_kext_host *host, uint64_t ref)
{
	struct kernel_effects effects;
	int error;

	kernel_effects_init(&effects);
	error = kernel_ctl_deregister(w->kernel, host, ref, &effects);
	registry_settle(w, &effects);
	return error;
}

/* ---- events -------------------------------------------------------------------------------------
 */

int
kev_vendor(struct world *w, const char *text, uint32_t *code)
{
	int error = kernel_kev_vendor(w->kernel, text, strlen(text), KERNEL_VENDOR_EVENT, code);

	kernel_audit(w->kernel);
	return error;
}

int
kev_post(struct world *w, uint32_t vendor, uint32_t class, uint32_t subclass, uint32_t code,
	 const void *data, uint32_t size_bytes)
{
	const uint32_t what[4] = { vendor, class, subclass, code };
	struct kernel_effects effects;
	int error;

	kernel_effects_init(&effects);
	error = kernel_kev_post(w->kernel, what, data, size_bytes, false, &effects);
	registry_settle(w, &effects);
	return error;
}

/* ---- traps
 * --------------------------------------------------------------------------------------- */

static int
ask_bytes(struct actor *t, uint32_t number, const void *bytes, uint32_t size_bytes, uint32_t *value)
{
	struct trap_frame frame = { .number = number,
				    .bytes = size_bytes ? bytes : NULL,
				    .bytes_size = size_bytes };

	assert_true(world_trap(t, &frame));
	*value = (uint32_t)t->outcome.values[0];
	return t->outcome.code;
}

int
ask_ctl_info(struct actor *t, const void *name, uint32_t size_bytes, uint32_t *id)
{
	return ask_bytes(t, BERTH_TRAP_CTL_INFO, name, size_bytes, id);
}

uint32_t
ask_ctl_count(struct actor *t)
{
	assert_ok(trap(t, BERTH_TRAP_CTL_COUNT, 0, 0, 0, 0, 0, 0));
	return (uint32_t)t->outcome.values[0];
}

int
ask_ctl_find(struct actor *t, uint32_t id, uint32_t unit, uint32_t *host_id, uint32_t *flags)
{
	int error = trap(t, BERTH_TRAP_CTL_FIND, id, unit, 0, 0, 0, 0);

	*host_id = (uint32_t)t->outcome.values[0];
	*flags = (uint32_t)t->outcome.values[1];
	return error;
}

uint32_t
ask_kev_id(struct actor *t)
{
	assert_ok(trap(t, BERTH_TRAP_KEV_ID, 0, 0, 0, 0, 0, 0));
	return (uint32_t)t->outcome.values[0];
}

int
ask_kev_vendor(struct actor *t, const void *text, uint32_t size_bytes, uint32_t *code)
{
	return ask_bytes(t, BERTH_TRAP_KEV_VENDOR, text, size_bytes, code);
}
