/*
 * The controls of this kexthost: registration, references and units.
 *
 * A kern_ctl_ref is a slot's number plus 1 and the slot's generation: nothing that can be
 * followed, and stale ones are known.  Source: kernel-control.md §1.3, §2.1, §2.2, §5.3.
 */
#include "kexts/host/control.h"

#include "kexts/host/export.h"
#include "kexts/host/kernel_link.h"
#include "kexts/host/kext_host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOT_MAX 65535u

struct control_slot {
	struct control *control; /* counted; NULL: free */
	uint16_t generation;
};

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct control_slot *slots;
static uint32_t slot_count;

struct control_statistics statistics;

/* ---- references ---------------------------------------------------------------------------- */

static kern_ctl_ref
cookie_of(uint32_t slot, uint16_t generation)
{
	return (kern_ctl_ref)((uintptr_t)(slot + 1) | (uintptr_t)generation << 16);
}

static struct control *
control_of_ref_locked(kern_ctl_ref cookie)
{
	uintptr_t number = (uintptr_t)cookie;
	uint32_t slot = (uint32_t)(number & 0xffff) - 1;

	if (number > UINT32_MAX || slot >= slot_count || slots[slot].control == NULL ||
	    slots[slot].generation != number >> 16)
		return NULL;
	return slots[slot].control;
}

struct control *
control_of_ref(kern_ctl_ref cookie)
{
	struct control *control;

	pthread_mutex_lock(&table_lock);
	control = control_of_ref_locked(cookie);
	if (control != NULL)
		control->reference_count++;
	pthread_mutex_unlock(&table_lock);
	if (control == NULL)
		statistics.bad_kctlref++;
	return control;
}

struct control *
control_find(uint32_t id, uint32_t unit)
{
	struct control *found = NULL;

	pthread_mutex_lock(&table_lock);
	for (uint32_t i = 0; i < slot_count && found == NULL; i++) {
		struct control *control = slots[i].control;

		/* id 0: its registration has not come back yet */
		if (control != NULL && control->reg.ctl_id == id && id != 0 &&
		    (!control_is_static(control) || control->reg.ctl_unit == unit))
			found = control;
	}
	if (found != NULL)
		found->reference_count++;
	pthread_mutex_unlock(&table_lock);
	return found;
}

struct control *
control_next(uint32_t *slot)
{
	struct control *found = NULL;

	pthread_mutex_lock(&table_lock);
	while (*slot < slot_count && found == NULL)
		found = slots[(*slot)++].control;
	if (found != NULL)
		found->reference_count++;
	pthread_mutex_unlock(&table_lock);
	return found;
}

void
control_unref(struct control *control)
{
	if (control == NULL || --control->reference_count > 0)
		return;
	pthread_mutex_destroy(&control->lock);
	pthread_cond_destroy(&control->detached);
	free(control->by_unit);
	free(control);
}

/* ---- registration ------------------------------------------------------------------- */

static bool
is_valid(const struct kern_ctl_reg *reg)
{
	return reg->ctl_connect != NULL && reg->ctl_name[0] != '\0' &&
	       memchr(reg->ctl_name, '\0', sizeof(reg->ctl_name)) != NULL;
}

/* A copy of what @user registers: of the members behind ctl_getopt only those that it says are
 * there, for it may have been built with the shorter structure. */
static struct control *
control_new(const struct kern_ctl_reg *user)
{
	struct control *control = calloc(1, sizeof(*control));

	if (control == NULL)
		return NULL;
	memcpy(&control->reg, user, offsetof(struct kern_ctl_reg, ctl_rcvd));
	if (user->ctl_flags & CTL_FLAG_REG_EXTENDED) {
		control->reg.ctl_rcvd = user->ctl_rcvd;
		control->reg.ctl_send_list = user->ctl_send_list;
		control->reg.ctl_bind = user->ctl_bind;
	}
	if (user->ctl_flags & CTL_FLAG_REG_SETUP) {
		control->reg.ctl_bind = user->ctl_bind;
		control->reg.ctl_setup = user->ctl_setup;
	}
	if (control->reg.ctl_sendsize == 0)
		control->reg.ctl_sendsize = SENDSIZE_DEFAULT;
	if (control->reg.ctl_recvsize == 0)
		control->reg.ctl_recvsize = RECVSIZE_DEFAULT;
	control->reference_count = 1;
	control->taken[0] = 1; /* unit 0 is never given by itself */
	pthread_mutex_init(&control->lock, NULL);
	pthread_cond_init(&control->detached, NULL);
	return control;
}

/* A free slot; UINT32_MAX: none. */
static uint32_t
slot_take(void)
{
	for (uint32_t i = 0; i < slot_count; i++)
		if (slots[i].control == NULL)
			return i;
	if (slot_count == SLOT_MAX)
		return UINT32_MAX;

	uint32_t count = slot_count == 0 ? 8 : slot_count * 2;
	if (count > SLOT_MAX)
		count = SLOT_MAX;
	struct control_slot *more = realloc(slots, count * sizeof(more[0]));
	if (more == NULL)
		return UINT32_MAX;
	memset(more + slot_count, 0, (count - slot_count) * sizeof(more[0]));
	slots = more;
	uint32_t taken = slot_count;
	slot_count = count;
	return taken;
}

/* Tell the kernel.  0 and the ids, or an errno. */
static int
register_with_kernel(struct control *control)
{
	const struct kern_ctl_reg *reg = &control->reg;
	struct wire_ctl_record record = {
		.id = reg->ctl_id,
		.unit = reg->ctl_unit,
		.flags = reg->ctl_flags,
		.sendsize = reg->ctl_sendsize,
		.recvsize = reg->ctl_recvsize,
		.callbacks = { (uintptr_t)reg->ctl_connect, (uintptr_t)reg->ctl_disconnect,
			       (uintptr_t)reg->ctl_send, (uintptr_t)reg->ctl_send_list,
			       (uintptr_t)reg->ctl_setopt, (uintptr_t)reg->ctl_getopt,
			       (uintptr_t)reg->ctl_rcvd },
	};
	uint64_t args[5] = { control->kext_tag };
	uint64_t values[2];

	memcpy(record.name, reg->ctl_name, sizeof(record.name));
	int error =
	    kernel_link_request(WIRE_CTL_REGISTER, args, &record, sizeof(record), values, NULL, 0);
	if (error != 0)
		return error;
	control->kernel_ref = values[0];
	control->reg.ctl_id = (uint32_t)values[1];
	if (!control_is_static(control))
		control->reg.ctl_unit = UNIT_NONE;
	return 0;
}

KPI_EXPORT errno_t
ctl_register(struct kern_ctl_reg *userkctl, kern_ctl_ref *kctlref)
{
	int error = ENOMEM;

	if (userkctl == NULL || kctlref == NULL || !is_valid(userkctl))
		return EINVAL;
	struct control *control = control_new(userkctl);
	if (control == NULL)
		return ENOMEM;
	control->kext_tag = loader_tag_of_address((const void *)userkctl->ctl_connect);

	/* under the lock to the end: a program that hears of the control before we know its id
	 * waits here */
	pthread_mutex_lock(&table_lock);
	uint32_t slot = slot_take();
	if (slot != UINT32_MAX) {
		slots[slot].generation++;
		control->slot = slot;
		control->cookie = cookie_of(slot, slots[slot].generation);
		error = register_with_kernel(control);
	}
	if (error == 0) {
		slots[slot].control = control;
		userkctl->ctl_id = control->reg.ctl_id;
		userkctl->ctl_sendsize = control->reg.ctl_sendsize;
		userkctl->ctl_recvsize = control->reg.ctl_recvsize;
		*kctlref = control->cookie;
	}
	pthread_mutex_unlock(&table_lock);
	if (error != 0)
		control_unref(control);
	return error;
}

/* Forbid new clients, unless there are some.  0 or EBUSY. */
static int
close_door(struct control *control)
{
	int error = 0;

	pthread_mutex_lock(&control->lock);
	if (control->attached_count > 0)
		error = EBUSY;
	else if (control->is_gone)
		error = EINVAL;
	else
		control->is_gone = true;
	pthread_mutex_unlock(&control->lock);
	return error;
}

KPI_EXPORT errno_t
ctl_deregister(kern_ctl_ref kctlref)
{
	struct control *control = control_of_ref(kctlref);

	if (control == NULL)
		return EINVAL;
	/* who has closed its socket is gone, though nobody has looked yet */
	connections_reap(control);
	int error = close_door(control);
	if (error == 0) {
		uint64_t args[5] = { control->kernel_ref };

		pthread_mutex_lock(&table_lock);
		slots[control->slot].control = NULL;
		pthread_mutex_unlock(&table_lock);
		kernel_link_request(WIRE_CTL_DEREGISTER, args, NULL, 0, NULL, NULL, 0);
		statistics.gencnt++;
		control->reference_count--; /* the table's; ours keeps it until below */
	}
	control_unref(control);
	return error;
}

KPI_EXPORT u_int32_t
ctl_id_by_name(const char *name)
{
	uint64_t values[2];

	if (name == NULL || strnlen(name, MAX_KCTL_NAME) == MAX_KCTL_NAME ||
	    kernel_link_request(WIRE_CTL_ID_BY_NAME, NULL, name, strlen(name) + 1, values, NULL,
				0) != 0)
		return 0;
	return (u_int32_t)values[0];
}

KPI_EXPORT errno_t
ctl_name_by_id(u_int32_t id, char *out_name, size_t maxsize)
{
	char name[MAX_KCTL_NAME] = "";
	uint64_t args[5] = { id };

	if (out_name == NULL || maxsize == 0)
		return EINVAL;
	int error =
	    kernel_link_request(WIRE_CTL_NAME_BY_ID, args, NULL, 0, NULL, name, sizeof(name) - 1);
	if (error != 0)
		return error;
	size_t length = strnlen(name, maxsize - 1);
	memcpy(out_name, name, length);
	out_name[length] = '\0';
	return 0;
}

uint32_t
control_server_count(uint32_t kext_tag)
{
	uint32_t slot = 0, count = 0;
	struct control *control;

	while ((control = control_next(&slot)) != NULL) {
		count += control->kext_tag == kext_tag;
		control_unref(control);
	}
	return count;
}

/* ---- units ------------------------------------------------------------------------------------
 */

static bool
unit_is_taken(struct control *control, uint32_t unit)
{
	if (unit <= UNIT_AUTOMATIC_MAX && unit != 0)
		return (control->taken[unit / 64] >> (unit % 64) & 1) != 0;

	struct connection *other;
	LIST_FOREACH(other, &control->connections, control_link)
	{
		if (other->unit == unit)
			return true;
	}
	return false;
}

/* The lowest unit that nobody has; 0: there is none. */
static uint32_t
unit_lowest_free(struct control *control)
{
	const uint32_t words = (UNIT_AUTOMATIC_MAX + 1) / 64;

	while (control->free_hint < words && control->taken[control->free_hint] == UINT64_MAX)
		control->free_hint++;
	if (control->free_hint == words)
		return 0;
	return control->free_hint * 64 +
	       (uint32_t)__builtin_ctzll(~control->taken[control->free_hint]);
}

/* Choose or check the unit.  0 or EBUSY. */
static int
unit_settle(struct control *control, uint32_t *unit)
{
	if (!control_is_static(control) && *unit == 0) {
		*unit = unit_lowest_free(control);
		return *unit == 0 ? EBUSY : 0;
	}
	return unit_is_taken(control, *unit) ? EBUSY : 0;
}

/* Room for @unit in the fast table.  False: no memory. */
static bool
by_unit_reserve(struct control *control, uint32_t unit)
{
	uint32_t count = control->by_unit_count == 0 ? 16 : control->by_unit_count;

	if (unit > UNIT_AUTOMATIC_MAX || unit < control->by_unit_count)
		return true;
	while (count <= unit)
		count *= 2;
	struct connection **more = realloc(control->by_unit, count * sizeof(struct connection *));
	if (more == NULL)
		return false;
	memset(more + control->by_unit_count, 0,
	       (count - control->by_unit_count) * sizeof(struct connection *));
	control->by_unit = more;
	control->by_unit_count = count;
	return true;
}

static int
run_setup(struct control *control, uint32_t *unit, void **unitinfo)
{
	struct kext_activity before = kext_activity_begin("ctl_setup", *unit, control->kext_tag);
	int error = control->reg.ctl_setup(unit, unitinfo);

	kext_activity_end(before);
	return error;
}

int
control_add(struct control *control, struct connection *connection, uint32_t *unit)
{
	int error = 0;

	pthread_mutex_lock(&control->lock);
	if (control->is_gone)
		error = ENOENT;
	else if (control->reg.ctl_setup != NULL)
		error = run_setup(control, unit, &connection->unitinfo);
	else
		error = unit_settle(control, unit);
	if (error == 0 && !by_unit_reserve(control, *unit))
		error = ENOBUFS;
	if (error == 0) {
		connection->unit = *unit;
		connection_ref(connection);
		LIST_INSERT_HEAD(&control->connections, connection, control_link);
		if (*unit <= UNIT_AUTOMATIC_MAX) {
			connection->next_of_unit = control->by_unit[*unit];
			control->by_unit[*unit] = connection;
			if (*unit != 0)
				control->taken[*unit / 64] |= (uint64_t)1 << (*unit % 64);
		}
		control->attached_count++;
		statistics.pcbcount++;
		statistics.gencnt++;
	}
	pthread_mutex_unlock(&control->lock);
	return error;
}

void
control_remove(struct control *control, struct connection *connection)
{
	uint32_t unit = connection->unit;

	pthread_mutex_lock(&control->lock);
	LIST_REMOVE(connection, control_link);
	if (unit <= UNIT_AUTOMATIC_MAX) {
		struct connection **at = &control->by_unit[unit];

		while (*at != connection)
			at = &(*at)->next_of_unit;
		*at = connection->next_of_unit;
		if (control->by_unit[unit] == NULL && unit != 0) {
			control->taken[unit / 64] &= ~((uint64_t)1 << (unit % 64));
			if (unit / 64 < control->free_hint)
				control->free_hint = unit / 64;
		}
	}
	control->attached_count--;
	statistics.pcbcount--;
	statistics.gencnt++;
	pthread_mutex_unlock(&control->lock);
	connection_unref(connection);
}

struct connection *
control_connection(struct control *control, uint32_t unit)
{
	struct connection *found = NULL;

	pthread_mutex_lock(&control->lock);
	if (unit < control->by_unit_count) {
		found = control->by_unit[unit];
	} else if (unit > UNIT_AUTOMATIC_MAX) {
		LIST_FOREACH(found, &control->connections, control_link)
		{
			if (found->unit == unit)
				break;
		}
	}
	if (found != NULL)
		connection_ref(found);
	pthread_mutex_unlock(&control->lock);
	return found;
}
