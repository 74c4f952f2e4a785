#include "bsd/kern_control.h"

#include <errno.h>
#include <string.h>

#include "bsd/kext.h"
#include "kern/state.h"

#define SEND_SIZE_DEFAULT 2048u
#define RECEIVE_SIZE_DEFAULT 8192u
#define SLOTS_FIRST 8u
#define REF_SLOT_BITS 16

_Static_assert(CTL_COUNT_MAX < 1u << REF_SLOT_BITS, "slot + 1 has room in a reference");

/* ---- life ------------------------------------------------------------------------------- */

void
ctl_init(struct kernel *k)
{
	list_init(&k->ctl.controls);
	for (uint32_t i = 0; i < CTL_BUCKETS; i++) {
		list_init(&k->ctl.by_name[i]);
		list_init(&k->ctl.by_id[i]);
	}
}

void
ctl_deinit(struct kernel *k)
{
	check(k->ctl.count == 0 && list_is_empty(&k->ctl.controls));
	kernel_memory_free(k, k->ctl.slots, k->ctl.slot_capacity * sizeof(*k->ctl.slots));
	k->ctl.slots = NULL;
	k->ctl.slot_capacity = 0;
}

/* ---- finding ------------------------------------------------------------------------------ */

int
ctl_name_copy(char to[96], const void *name, size_t size_bytes)
{
	if (size_bytes > sizeof(((struct kernel_ctl *)NULL)->name))
		return EINVAL;
	memset(to, 0, 96);
	if (size_bytes > 0)
		memcpy(to, name, size_bytes);
	if (to[0] == '\0' || to[95] != '\0')
		return EINVAL;
	/* what is behind the NUL means nothing, and must not be compared */
	memset(to + strlen(to), 0, 96 - strlen(to));
	return 0;
}

uint32_t
ctl_name_bucket(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name != '\0'; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash % CTL_BUCKETS;
}

static bool
is_static(const struct kernel_ctl *ctl)
{
	return (ctl->flags & CTL_FLAG_REG_ID_UNIT) != 0;
}

struct kern_control *
ctl_find_by_name(const struct kernel *k, const char *name)
{
	struct kern_control *found = NULL;

	LIST_FOR_EACH (control, &k->ctl.by_name[ctl_name_bucket(name)], struct kern_control,
		       by_name)
		if (strcmp(control->ctl.name, name) == 0 &&
		    (!found || control->ctl.id < found->ctl.id))
			found = control;
	return found;
}

/* Any control with @id; the one with @unit if there are several and it is among them. */
static struct kern_control *
find_by_id(const struct kernel *k, uint32_t id, uint32_t unit)
{
	struct kern_control *found = NULL;

	LIST_FOR_EACH (control, &k->ctl.by_id[id % CTL_BUCKETS], struct kern_control, by_id)
		if (control->ctl.id == id && (!found || control->ctl.unit == unit))
			found = control;
	return found;
}

struct kern_control *
ctl_find_by_id_unit(const struct kernel *k, uint32_t id, uint32_t unit)
{
	struct kern_control *control = find_by_id(k, id, unit);

	if (control && is_static(&control->ctl) && control->ctl.unit != unit)
		return NULL;
	return control;
}

int
kernel_ctl_find(struct kernel *k, const char *name, uint32_t *id, uint32_t *host_id)
{
	const struct kern_control *control;

	if (name[0] == '\0' || strlen(name) >= sizeof(control->ctl.name))
		return EINVAL;
	control = ctl_find_by_name(k, name);
	if (!control)
		return ENOENT;
	*id = control->ctl.id;
	*host_id = control->host->id;
	return 0;
}

int
kernel_ctl_find_id(struct kernel *k, uint32_t id, uint32_t unit, uint32_t *host_id)
{
	const struct kern_control *control = ctl_find_by_id_unit(k, id, unit);

	if (!control)
		return ENOENT;
	*host_id = control->host->id;
	return 0;
}

int
kernel_ctl_name(struct kernel *k, uint32_t id, char name[96])
{
	const struct kern_control *control = find_by_id(k, id, CTL_UNIT_DYNAMIC);

	if (!control)
		return ENOENT;
	memcpy(name, control->ctl.name, sizeof(control->ctl.name));
	return 0;
}

/* ---- references ---------------------------------------------------------------------------- */

/* A free slot, which stays free until it is taken.  False: no memory. */
static bool
slot_reserve(struct kernel *k)
{
	struct ctl_state *ctl = &k->ctl;
	uint32_t capacity = ctl->slot_capacity ? ctl->slot_capacity * 2 : SLOTS_FIRST;
	struct ctl_slot *slots;

	if (ctl->first_free)
		return true;
	slots = kernel_memory_alloc(k, capacity * sizeof(*slots));
	if (!slots)
		return false;
	if (ctl->slots)
		memcpy(slots, ctl->slots, ctl->slot_capacity * sizeof(*slots));
	for (uint32_t i = capacity; i-- > ctl->slot_capacity;) {
		slots[i].next_free = ctl->first_free;
		ctl->first_free = i + 1;
	}
	kernel_memory_free(k, ctl->slots, ctl->slot_capacity * sizeof(*slots));
	ctl->slots = slots;
	ctl->slot_capacity = capacity;
	return true;
}

static uint64_t
slot_take(struct kernel *k, struct kern_control *control)
{
	const uint32_t slot = k->ctl.first_free - 1;

	check(k->ctl.first_free > 0 && k->ctl.first_free < 1u << REF_SLOT_BITS);
	k->ctl.first_free = k->ctl.slots[slot].next_free;
	k->ctl.slots[slot] = (struct ctl_slot){ .control = control };
	return ++k->ctl.generation << REF_SLOT_BITS | (slot + 1);
}

static void
slot_give(struct kernel *k, const struct kern_control *control)
{
	const uint32_t slot = (uint32_t)(control->ref & ((1u << REF_SLOT_BITS) - 1)) - 1;

	check(k->ctl.slots[slot].control == control);
	k->ctl.slots[slot] = (struct ctl_slot){ .next_free = k->ctl.first_free };
	k->ctl.first_free = slot + 1;
}

static struct kern_control *
find_by_ref(const struct kernel *k, uint64_t ref)
{
	const uint64_t slot = (ref & ((1u << REF_SLOT_BITS) - 1)) - 1;
	struct kern_control *control;

	if (slot >= k->ctl.slot_capacity)
		return NULL;
	control = k->ctl.slots[slot].control;
	return control && control->ref == ref ? control : NULL;
}

/* ---- registering --------------------------------------------------------------------------- */

/* The id of the next dynamic control; 0: all are taken. */
static uint32_t
next_id(const struct kernel *k)
{
	uint32_t gap = 1;

	if (list_is_empty(&k->ctl.controls))
		return 1;
	const struct kern_control *last =
	    list_entry(k->ctl.controls.prev, struct kern_control, link);

	if (last->ctl.id != UINT32_MAX)
		return last->ctl.id + 1;
	LIST_FOR_EACH (control, &k->ctl.controls, struct kern_control, link) {
		if (control->ctl.id > gap)
			break;
		if (control->ctl.id == gap)
			gap++;
	}
	return gap;
}

/* Is the place of @ctl taken?  kernel-control.md §2.1, rows 5a and 5b. */
static bool
is_taken(const struct kernel *k, const struct kernel_ctl *ctl)
{
	const struct kern_control *other;

	if (!is_static(ctl))
		return ctl_find_by_name(k, ctl->name) != NULL;
	other = find_by_id(k, ctl->id, ctl->unit);
	return other && (!is_static(&other->ctl) || other->ctl.unit == ctl->unit);
}

/* Among the others, by id and unit: mostly the last. */
static void
insert_sorted(struct kernel *k, struct kern_control *control)
{
	struct list *before = k->ctl.controls.prev;

	while (before != &k->ctl.controls) {
		const struct kernel_ctl *other =
		    &list_entry(before, struct kern_control, link)->ctl;

		if (other->id < control->ctl.id ||
		    (other->id == control->ctl.id && other->unit < control->ctl.unit))
			break;
		before = before->prev;
	}
	list_prepend(before, &control->link);
}

static struct kev_event *
ctl_event_new(struct kernel *k, uint32_t code)
{
	/* struct ctl_event_data: id and unit, which is always 0 */
	struct kev_event *event = kev_event_new(k, 2 * sizeof(uint32_t));

	if (!event)
		return NULL;
	event->header.vendor_code = KEV_VENDOR_APPLE;
	event->header.kev_class = KEV_SYSTEM_CLASS;
	event->header.kev_subclass = KEV_CTL_SUBCLASS;
	event->header.event_code = code;
	return event;
}

static void
ctl_event_post(struct kernel *k, struct kev_event *event, uint32_t id,
	       struct kernel_effects *effects)
{
	memcpy(event->data, &id, sizeof(id));
	kev_event_post(k, event, effects);
}

int
kernel_ctl_register(struct kernel *k, struct kernel_kext_host *host, uint32_t kext_tag,
		    const struct kernel_ctl *ctl, uint64_t *ref, uint32_t *id,
		    struct kernel_effects *effects)
{
	struct kernel_ctl copy = *ctl;
	struct kext *kext = NULL;
	struct kern_control *control;
	struct kev_event *begun;

	if (ctl_name_copy(copy.name, ctl->name, sizeof(ctl->name)) != 0)
		return EINVAL;
	if (kext_tag != 0) {
		kext = kext_find(k, host, kext_tag);
		if (!kext)
			return EINVAL;
	}
	if (k->ctl.count >= CTL_COUNT_MAX) {
		k->ctl.table_full++;
		return ENOMEM;
	}
	if (is_taken(k, &copy))
		return EEXIST;

	control = kernel_memory_alloc(k, sizeof(*control));
	begun = ctl_event_new(k, KEV_CTL_REGISTERED);
	if (control)
		control->ended = ctl_event_new(k, KEV_CTL_DEREGISTERED);
	if (!control || !begun || !control->ended || !slot_reserve(k)) {
		kev_event_free(k, begun);
		if (control)
			kev_event_free(k, control->ended);
		kernel_memory_free(k, control, sizeof(*control));
		return ENOMEM;
	}

	if (!is_static(&copy)) {
		copy.id = next_id(k);
		copy.unit = CTL_UNIT_DYNAMIC;
	}
	if (copy.sendsize == 0)
		copy.sendsize = SEND_SIZE_DEFAULT;
	if (copy.recvsize == 0)
		copy.recvsize = RECEIVE_SIZE_DEFAULT;
	control->ctl = copy;
	control->host = host;
	control->kext = kext;
	control->ref = slot_take(k, control);
	insert_sorted(k, control);
	list_append(&k->ctl.by_name[ctl_name_bucket(copy.name)], &control->by_name);
	list_append(&k->ctl.by_id[copy.id % CTL_BUCKETS], &control->by_id);
	list_append(&host->controls, &control->in_host);
	list_init(&control->in_kext);
	if (kext)
		list_append(&kext->controls, &control->in_kext);
	k->ctl.count++;
	k->ctl.gencnt++;
	*ref = control->ref;
	*id = copy.id;
	ctl_event_post(k, begun, copy.id, effects);
	return 0;
}

void
ctl_end(struct kernel *k, struct kern_control *control, struct kernel_effects *effects)
{
	slot_give(k, control);
	list_remove(&control->link);
	list_remove(&control->by_name);
	list_remove(&control->by_id);
	list_remove(&control->in_host);
	list_remove(&control->in_kext);
	k->ctl.count--;
	k->ctl.gencnt++;
	ctl_event_post(k, control->ended, control->ctl.id, effects);
	kernel_memory_free(k, control, sizeof(*control));
}

int
kernel_ctl_deregister(struct kernel *k, struct kernel_kext_host *host, uint64_t ref,
		      struct kernel_effects *effects)
{
	struct kern_control *control = find_by_ref(k, ref);

	if (!control || control->host != host) {
		k->ctl.bad_ref++;
		return EINVAL;
	}
	ctl_end(k, control, effects);
	return 0;
}

/* ---- looking --------------------------------------------------------------------------------- */

bool
kernel_ctl_next(struct kernel *k, uint64_t *at, struct kernel_ctl_row *row)
{
	/* by slot: a place that does not move, whatever comes and goes meanwhile */
	while (*at < k->ctl.slot_capacity) {
		const struct kern_control *control = k->ctl.slots[(*at)++].control;

		if (!control)
			continue;
		*row = (struct kernel_ctl_row){
			.ctl = &control->ctl,
			.ref = control->ref,
			.kext_tag = control->kext ? control->kext->tag : 0,
			.host_id = control->host->id,
			.host_pid = control->host->pid,
		};
		return true;
	}
	return false;
}
