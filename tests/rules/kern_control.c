/* Kernel controls in the registry: kernel-control.md §2.1, §2.2, §4.2, §5.1, §8, §9. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/registry.h"

#define NAME "com.example.control"
#define REGISTERED 1
#define DEREGISTERED 2
#define DYNAMIC_UNIT 0xffffffffu
#define COUNT_MAX 65535u

/* The dump before equals the dump after. */
#define assert_nothing_changes(w, call, expected)                                                  \
	do {                                                                                       \
		char *before_ = world_dump(w);                                                     \
		assert_int_equal(call, expected);                                                  \
		world_same(before_, world_dump(w), __FILE__, __LINE__);                            \
	} while (0)

/* The row of the control with @id and @unit; fails if there is none. */
static struct kernel_ctl_row
row_of(struct world *w, uint32_t id, uint32_t unit)
{
	struct kernel_ctl_row row;
	uint64_t at = 0;

	while (kernel_ctl_next(w->kernel, &at, &row))
		if (row.ctl->id == id && row.ctl->unit == unit)
			return row;
	fail_msg("no control %u, %u", id, unit);
	return row;
}

static uint32_t
add(struct world *w, struct kernel_kext_host *host, const struct kernel_ctl *ctl)
{
	uint32_t id;

	assert_int_equal(ctl_add(w, host, 0, ctl, NULL, &id), 0);
	return id;
}

static uint32_t
add_named(struct world *w, struct kernel_kext_host *host, const char *name)
{
	return add(w, host, &(struct kernel_ctl[1]){ ctl_named(name) }[0]);
}

/* ---- registering ---------------------------------------------------------------------------- */

TEST_1(a_control_is_found_by_its_name_and_its_id)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	struct kernel_ctl ctl = ctl_named(NAME);
	uint32_t id, found, host_id, flags;
	char name[96];

	ctl.flags = 0x1 | 0x4000; /* unknown flags are kept */
	assert_int_equal(ask_ctl_count(a), 0);
	assert_int_equal(ask_ctl_info(a, NAME, sizeof NAME, &found), ENOENT);
	id = add(w, host, &ctl);
	assert_int_equal(id, 1);
	assert_int_equal(ask_ctl_count(a), 1);
	assert_int_equal(ask_ctl_info(a, NAME, sizeof NAME, &found), 0);
	assert_int_equal(found, id);
	assert_int_equal(ask_ctl_info(a, NAME, sizeof NAME - 1, &found), 0); /* NUL or end */
	assert_int_equal(ask_ctl_find(a, id, 0, &host_id, &flags), 0);
	assert_int_equal(host_id, kernel_kext_host_id(host));
	assert_int_equal(flags, ctl.flags);
	assert_int_equal(ask_ctl_find(a, id, 77, &host_id, &flags), 0); /* any unit */
	assert_int_equal(ask_ctl_find(a, id + 1, 0, &host_id, &flags), ENOENT);
	assert_int_equal(kernel_ctl_find(w->kernel, NAME, &found, &host_id), 0);
	assert_int_equal(kernel_ctl_find(w->kernel, "com.example", &found, &host_id), ENOENT);
	assert_int_equal(kernel_ctl_find(w->kernel, "", &found, &host_id), EINVAL);
	assert_int_equal(kernel_ctl_find_id(w->kernel, id, 3, &host_id), 0);
	assert_int_equal(kernel_ctl_find_id(w->kernel, 9, 3, &host_id), ENOENT);
	assert_int_equal(kernel_ctl_name(w->kernel, id, name), 0);
	assert_string_equal(name, NAME);
	assert_int_equal(kernel_ctl_name(w->kernel, 2, name), ENOENT);
	kext_host_die(w, host);
}

TEST_1(sizes_and_callbacks_are_kept_and_defaults_filled_in)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	struct kernel_ctl ctl = ctl_named(NAME), other = ctl_named(NAME ".other");
	struct kernel_ctl_row row;
	uint32_t id;

	id = add(w, host, &ctl);
	row = row_of(w, id, DYNAMIC_UNIT);
	assert_int_equal(row.ctl->sendsize, 2048);
	assert_int_equal(row.ctl->recvsize, 8192);
	assert_int_equal(row.ctl->callbacks[6], 7);
	assert_int_equal(row.host_id, kernel_kext_host_id(host));
	assert_int_equal(row.host_pid, 50);
	assert_int_equal(row.kext_tag, 0);
	other.sendsize = 262144;
	other.recvsize = 1;
	other.unit = 5; /* of a dynamic control: without meaning */
	id = add(w, host, &other);
	row = row_of(w, id, DYNAMIC_UNIT);
	assert_int_equal(row.ctl->sendsize, 262144);
	assert_int_equal(row.ctl->recvsize, 1);
	kext_host_die(w, host);
}

TEST_1(a_name_is_one_to_ninety_five_characters)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	struct kernel_ctl ctl = ctl_named("");
	char longest[97];
	uint32_t id;

	assert_nothing_changes(w, ctl_add(w, host, 0, &ctl, NULL, NULL), EINVAL);
	memset(longest, 'x', sizeof longest);
	longest[96] = '\0';
	ctl = ctl_named(longest);
	assert_nothing_changes(w, ctl_add(w, host, 0, &ctl, NULL, NULL), EINVAL);
	assert_int_equal(ask_ctl_info(a, longest, 96, &id), EINVAL);
	assert_int_equal(ask_ctl_info(a, longest, 97, &id), EINVAL);
	assert_int_equal(ask_ctl_info(a, "", 0, &id), EINVAL);
	assert_int_equal(ask_ctl_info(a, "\0abc", 4, &id), EINVAL);
	longest[95] = '\0';
	ctl = ctl_named(longest);
	ctl.name[95] = '\0';
	assert_int_equal(add(w, host, &ctl), 1);
	assert_int_equal(ask_ctl_info(a, longest, 96, &id), 0);
	assert_int_equal(ask_ctl_info(a, longest, 95, &id), 0);
	/* what is behind the NUL means nothing, on either side */
	ctl = ctl_named(NAME);
	memcpy(ctl.name + sizeof NAME, "rubbish", 7);
	assert_int_equal(add(w, host, &ctl), 2);
	assert_int_equal(ask_ctl_info(a, NAME "\0waste", sizeof NAME + 5, &id), 0);
	ctl = ctl_named(NAME);
	assert_nothing_changes(w, ctl_add(w, host, 0, &ctl, NULL, NULL), EEXIST);
	kext_host_die(w, host);
}

TEST_1(ids_grow_from_the_last_one_and_are_not_used_again_soon)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	struct kernel_ctl ctl;
	uint64_t middle, last;

	assert_int_equal(add_named(w, host, "a"), 1);
	ctl = ctl_named("b");
	assert_int_equal(ctl_add(w, host, 0, &ctl, &middle, NULL), 0);
	assert_int_equal(add_named(w, host, "c"), 3);
	assert_int_equal(ctl_remove(w, host, middle), 0);
	assert_int_equal(add_named(w, host, "b"), 4);
	ctl = ctl_static("d", 0x61626364, 7);
	assert_int_equal(ctl_add(w, host, 0, &ctl, &last, NULL), 0);
	assert_int_equal(add_named(w, host, "e"), 0x61626365);
	kext_host_die(w, host);
	/* the list is empty: it begins anew */
	host = kext_host_new(w, 51);
	assert_int_equal(add_named(w, host, "a"), 1);
	kext_host_die(w, host);
}

TEST_1(ids_that_wrap_fill_the_first_gap)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	struct kernel_ctl zero = ctl_static("zero", 0, 0), one = ctl_static("one", 1, 0),
			  one_more = ctl_static("one", 1, 9), three = ctl_static("three", 3, 0),
			  most = ctl_static("most", UINT32_MAX, 0);

	add(w, host, &three);
	add(w, host, &one_more);
	add(w, host, &one);
	add(w, host, &zero);
	add(w, host, &most);
	assert_int_equal(add_named(w, host, "two"), 2);
	assert_int_equal(add_named(w, host, "four"), 4);
	assert_int_equal(add_named(w, host, "five"), 5);
	kext_host_die(w, host);
	/* the highest id of all is given out, too */
	host = kext_host_new(w, 50);
	most.id--;
	add(w, host, &most);
	assert_int_equal(add_named(w, host, "highest"), UINT32_MAX);
	assert_int_equal(add_named(w, host, "gap"), 1);
	kext_host_die(w, host);
}

TEST_1(a_dynamic_name_is_used_once)
{
	struct kernel_kext_host *host = kext_host_new(w, 50), *other = kext_host_new(w, 51);
	struct kernel_ctl named = ctl_named(NAME), fixed = ctl_static(NAME, 9, 1);

	add(w, host, &named);
	assert_nothing_changes(w, ctl_add(w, host, 0, &named, NULL, NULL), EEXIST);
	assert_nothing_changes(w, ctl_add(w, other, 0, &named, NULL, NULL), EEXIST);
	/* a static one does not care; then a dynamic one of that name meets it */
	assert_int_equal(add(w, other, &fixed), 9);
	kext_host_die(w, host);
	assert_nothing_changes(w, ctl_add(w, other, 0, &named, NULL, NULL), EEXIST);
	kext_host_die(w, other);
}

TEST_1(static_controls_share_names_and_ids_but_not_both_numbers)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	struct kernel_ctl high = ctl_static(NAME, 9, 1), low = ctl_static(NAME, 5, 1),
			  unit = ctl_static(NAME, 5, 2), zero = ctl_static("other", 5, 0),
			  dynamic_id = ctl_static("stranger", 10, 1);
	uint32_t id, host_id, flags;

	assert_int_equal(add(w, host, &high), 9);
	assert_int_equal(add(w, host, &low), 5);
	assert_int_equal(add(w, host, &unit), 5);
	assert_int_equal(add(w, host, &zero), 5);
	assert_nothing_changes(w, ctl_add(w, host, 0, &unit, NULL, NULL), EEXIST);
	assert_int_equal(ask_ctl_info(a, NAME, sizeof NAME, &id), 0);
	assert_int_equal(id, 5); /* the lowest answers */
	assert_int_equal(ask_ctl_find(a, 5, 0, &host_id, &flags), 0);
	assert_int_equal(ask_ctl_find(a, 5, 2, &host_id, &flags), 0);
	assert_int_equal(ask_ctl_find(a, 5, 3, &host_id, &flags), ENOENT);
	assert_int_equal(ask_ctl_find(a, 9, 2, &host_id, &flags), ENOENT);
	assert_int_equal(ask_ctl_count(a), 4);
	/* the id of a dynamic control is taken, whatever the unit */
	assert_int_equal(add_named(w, host, "dynamic"), 10);
	assert_nothing_changes(w, ctl_add(w, host, 0, &dynamic_id, NULL, NULL), EEXIST);
	kext_host_die(w, host);
}

TEST_1(a_control_belongs_to_a_kext_of_its_host)
{
	struct kernel_kext_host *host = kext_host_new(w, 50), *other = kext_host_new(w, 51);
	struct kernel_ctl ctl = ctl_named(NAME);
	uint32_t tag, foreign;

	assert_int_equal(kext_load(w, host, "com.example.k", NULL, 0, &tag), 0);
	assert_int_equal(kext_load(w, other, "com.example.other", NULL, 0, &foreign), 0);
	assert_nothing_changes(w, ctl_add(w, host, foreign, &ctl, NULL, NULL), EINVAL);
	assert_nothing_changes(w, ctl_add(w, host, 99, &ctl, NULL, NULL), EINVAL);
	assert_int_equal(ctl_add(w, host, tag, &ctl, NULL, NULL), 0);
	assert_int_equal(row_of(w, 1, DYNAMIC_UNIT).kext_tag, tag);
	kext_host_die(w, host);
	kext_host_die(w, other);
}

/* ---- references ----------------------------------------------------------------------------- */

TEST_1(a_reference_is_slot_and_generation_and_goes_stale)
{
	struct kernel_kext_host *host = kext_host_new(w, 50), *other = kext_host_new(w, 51);
	struct kernel_ctl first = ctl_named("first"), second = ctl_named("second");
	uint64_t ref, ref2, ref3;

	assert_int_equal(ctl_add(w, host, 0, &first, &ref, NULL), 0);
	assert_int_equal(ctl_add(w, host, 0, &second, &ref2, NULL), 0);
	assert_int_equal(ref & 0xffff, 1);
	assert_int_equal(ref >> 16, 1);
	assert_int_equal(ref2 & 0xffff, 2);
	assert_int_equal(ref2 >> 16, 2);
	assert_nothing_changes(w, ctl_remove(w, other, ref), EINVAL); /* another host's */
	assert_int_equal(ctl_remove(w, host, ref), 0);
	assert_nothing_changes(w, ctl_remove(w, host, ref), EINVAL);
	/* the same slot, another generation */
	assert_int_equal(ctl_add(w, host, 0, &first, &ref3, NULL), 0);
	assert_int_equal(ref3 & 0xffff, 1);
	assert_int_equal(ref3 >> 16, 3);
	assert_nothing_changes(w, ctl_remove(w, host, ref), EINVAL);
	for (uint64_t wrong = 0; wrong < 70000; wrong += 999)
		assert_int_equal(ctl_remove(w, host, wrong), EINVAL);
	assert_nothing_changes(w, ctl_remove(w, host, UINT64_MAX), EINVAL);
	assert_nothing_changes(w, ctl_remove(w, host, ref3 | 1ull << 63), EINVAL);
	assert_int_equal(ctl_remove(w, host, ref3), 0);
	assert_int_equal(ctl_remove(w, host, ref2), 0);
	kext_host_die(w, host);
	kext_host_die(w, other);
}

/* The 14 words of struct kctlstat. */
static const uint64_t *
statistics(struct actor *a)
{
	assert_ok(trap(a, BERTH_TRAP_SYSTEM_STATISTICS, 0, 0, 0, 0, 0, 0));
	assert_int_equal(a->outcome.bytes_size, 56 + 112);
	return (const uint64_t *)(const void *)a->outcome.bytes + 7;
}

TEST_1(statistics_count_controls_and_stale_references)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	uint64_t ref, generation = statistics(a)[3];
	struct kernel_ctl ctl = ctl_named(NAME);

	assert_int_equal(ctl_add(w, host, 0, &ctl, &ref, NULL), 0);
	assert_int_equal(ctl_add(w, host, 0, &ctl, NULL, NULL), EEXIST);
	assert_int_equal(statistics(a)[0], 0); /* never counted up */
	assert_int_equal(statistics(a)[1], 1);
	assert_int_equal(statistics(a)[3], generation + 1);
	assert_int_equal(statistics(a)[10], 0);
	assert_int_equal(ctl_remove(w, host, ref), 0);
	assert_int_equal(ctl_remove(w, host, ref), EINVAL);
	assert_int_equal(statistics(a)[1], 0);
	assert_int_equal(statistics(a)[3], generation + 2);
	assert_int_equal(statistics(a)[10], 1);
	kext_host_die(w, host);
}

TEST_1(there_are_as_many_controls_as_a_reference_can_name)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	struct kernel_effects effects;
	struct kernel_kev_delivery delivery;
	uint64_t ref = 0, last = 0;
	uint32_t id, count = 0;
	char name[96];

	w->quiet_audit = true;
	kernel_effects_init(&effects);
	for (;; count++) {
		struct kernel_ctl ctl = ctl_static("many", count, 3);
		int error;

		last = ref;
		error = kernel_ctl_register(w->kernel, host, 0, &ctl, &ref, &id, &effects);
		if (error != 0) {
			assert_int_equal(error, ENOMEM);
			break;
		}
		assert_int_equal(ref & 0xffff, count + 1);
	}
	assert_int_equal(count, COUNT_MAX);
	assert_false(kernel_effects_kev(w->kernel, &effects, &delivery)); /* nobody listens */
	assert_int_equal(ask_ctl_count(a), COUNT_MAX);
	assert_int_equal(statistics(a)[11], 1);
	assert_int_equal(kernel_ctl_name(w->kernel, count - 1, name), 0);
	assert_int_equal(ctl_remove(w, host, last), 0);
	assert_int_equal(add_named(w, host, "again"), COUNT_MAX - 1);
	kext_host_die(w, host);
}

/* ---- events and ends ------------------------------------------------------------------------- */

static void
assert_ctl_event(const struct listener *listener, uint32_t index, uint32_t code, uint32_t id)
{
	const struct heard *heard = &listener->heard[index];
	uint32_t data[2];

	assert_true(index < listener->count);
	assert_int_equal(heard->total_size, 32);
	assert_int_equal(heard->vendor_code, 1);
	assert_int_equal(heard->kev_class, 3);
	assert_int_equal(heard->kev_subclass, 2);
	assert_int_equal(heard->event_code, code);
	memcpy(data, heard->data, sizeof data);
	assert_int_equal(data[0], id);
	assert_int_equal(data[1], 0);
}

TEST_1(registering_and_deregistering_are_told_of_in_order)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	struct listener *listener = listener_new(w, 1, 3, 2), *deaf = listener_new(w, 1, 3, 7);
	struct kernel_ctl ctl = ctl_static(NAME, 40, 17);
	uint64_t ref;

	assert_int_equal(ctl_add(w, host, 0, &ctl, &ref, NULL), 0);
	assert_int_equal(ctl_add(w, host, 0, &ctl, NULL, NULL), EEXIST); /* no event */
	assert_int_equal(ctl_remove(w, host, ref), 0);
	assert_int_equal(ctl_remove(w, host, ref), EINVAL);
	assert_int_equal(listener->count, 2);
	assert_int_equal(deaf->count, 0);
	assert_ctl_event(listener, 0, REGISTERED, 40);
	assert_ctl_event(listener, 1, DEREGISTERED, 40);
	assert_int_equal(listener->heard[0].id, 1);
	assert_int_equal(listener->heard[1].id, 2);
	assert_int_equal(ask_kev_id(a), 2);
	listener_free(w, listener);
	listener_free(w, deaf);
	kext_host_die(w, host);
}

TEST_1(the_death_of_a_host_takes_its_controls_and_tells_of_each)
{
	struct kernel_kext_host *host = kext_host_new(w, 50), *other = kext_host_new(w, 51);
	struct listener *listener = listener_new(w, 0, 0, 0);
	uint32_t first = add_named(w, host, "first"), kept = add_named(w, other, "kept"),
		 last = add_named(w, host, "last"), id, host_id = kernel_kext_host_id(host), flags;

	listener_clear(listener);
	assert_ptr_equal(kernel_kext_host_of_id(w->kernel, host_id), w);
	kext_host_die(w, host);
	assert_null(kernel_kext_host_of_id(w->kernel, host_id));
	assert_int_equal(listener->count, 2);
	assert_ctl_event(listener, 0, DEREGISTERED, first);
	assert_ctl_event(listener, 1, DEREGISTERED, last);
	assert_int_equal(ask_ctl_info(a, "first", 6, &id), ENOENT);
	assert_int_equal(ask_ctl_find(a, last, 0, &host_id, &flags), ENOENT);
	assert_int_equal(ask_ctl_info(a, "kept", 5, &id), 0);
	assert_int_equal(id, kept);
	/* the name is free, and a host's id is never used again */
	host = kext_host_new(w, 50);
	assert_int_not_equal(kernel_kext_host_id(host), host_id);
	assert_int_equal(kernel_kext_host_id(host), 3);
	assert_int_not_equal(add_named(w, host, "first"), first);
	kext_host_die(w, host);
	kext_host_die(w, other);
	listener_free(w, listener);
}

TEST_1(every_row_is_seen_once_whatever_comes_and_goes)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	struct kernel_ctl_row row;
	uint64_t refs[20], at = 0;
	uint32_t seen = 0;
	char name[96];

	for (uint32_t i = 0; i < 20; i++) {
		struct kernel_ctl ctl = ctl_static("row", i, i);

		assert_int_equal(ctl_add(w, host, 0, &ctl, &refs[i], NULL), 0);
	}
	while (kernel_ctl_next(w->kernel, &at, &row)) {
		assert_int_equal(row.ctl->id, seen);
		assert_int_equal(row.ref, refs[seen]);
		if (seen % 2 == 0)
			assert_int_equal(ctl_remove(w, host, refs[seen]), 0);
		seen++;
	}
	assert_int_equal(seen, 20);
	assert_int_equal(kernel_ctl_name(w->kernel, 0, name), ENOENT);
	assert_int_equal(kernel_ctl_name(w->kernel, 1, name), 0);
	assert_int_equal(ask_ctl_count(a), 10);
	kext_host_die(w, host);
}

/* ---- long random sequences ----------------------------------------------------------------------
 */

/* The rules once more, so plainly that they are obviously right. */
struct model {
	bool used;
	bool is_static;
	char name;
	uint32_t id, unit;
	uint64_t ref;
};

#define MODEL_MAX 24

static uint32_t
model_next_id(const struct model *all)
{
	uint32_t highest = 0;
	bool any = false;

	for (int i = 0; i < MODEL_MAX; i++) {
		if (all[i].used && all[i].id >= highest)
			highest = all[i].id;
		any |= all[i].used;
	}
	if (!any)
		return 1;
	if (highest != UINT32_MAX)
		return highest + 1;
	for (uint32_t id = 1;; id++) {
		bool taken = false;

		for (int i = 0; i < MODEL_MAX; i++)
			taken |= all[i].used && all[i].id == id;
		if (!taken)
			return id;
	}
}

static int
model_add(const struct model *all, struct model *new)
{
	for (int i = 0; i < MODEL_MAX; i++) {
		if (!all[i].used)
			continue;
		if (!new->is_static && all[i].name == new->name)
			return EEXIST;
		if (new->is_static && all[i].id == new->id &&
		    (!all[i].is_static || all[i].unit == new->unit))
			return EEXIST;
	}
	if (!new->is_static)
		new->id = model_next_id(all);
	return 0;
}

static uint32_t
model_lookup(const struct model *all, char name, bool *found)
{
	uint32_t lowest = UINT32_MAX;

	*found = false;
	for (int i = 0; i < MODEL_MAX; i++)
		if (all[i].used && all[i].name == name) {
			*found = true;
			lowest = all[i].id < lowest ? all[i].id : lowest;
		}
	return lowest;
}

TEST_1(random_sequences_agree_with_the_model)
{
	static const uint32_t ids[] = { 0, 1, 2, 3, 7, UINT32_MAX - 1, UINT32_MAX };
	struct kernel_kext_host *host = kext_host_new(w, 50);
	struct model all[MODEL_MAX] = { { 0 } };
	unsigned seed = 20;

	for (int step = 0; step < 20000; step++) {
		int slot = rand_r(&seed) % MODEL_MAX;
		char name[2] = { (char)('a' + rand_r(&seed) % 8), '\0' };
		uint32_t id, expected;
		bool found;

		if (all[slot].used) {
			assert_int_equal(ctl_remove(w, host, all[slot].ref), 0);
			all[slot].used = false;
		} else {
			struct model new = { .used = true,
					     .is_static = rand_r(&seed) % 2,
					     .name = name[0],
					     .id = ids[rand_r(&seed) % 7],
					     .unit = (uint32_t)rand_r(&seed) % 3 };
			struct kernel_ctl ctl =
			    new.is_static ? ctl_static(name, new.id, new.unit) : ctl_named(name);
			int error = model_add(all, &new);

			assert_int_equal(ctl_add(w, host, 0, &ctl, &new.ref, &id), error);
			if (error == 0) {
				assert_int_equal(id, new.id);
				all[slot] = new;
			}
		}
		expected = model_lookup(all, name[0], &found);
		assert_int_equal(ask_ctl_info(a, name, 2, &id), found ? 0 : ENOENT);
		if (found)
			assert_int_equal(id, expected);
	}
	kext_host_die(w, host);
}
