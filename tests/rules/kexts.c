/* What is loaded: kext.md §3. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/registry.h"

#define DEPENDENCY_MAX 32

static struct kernel_kext_row
row_of(struct world *w, uint32_t tag)
{
	struct kernel_kext_row row;
	uint32_t at = tag - 1;

	assert_true(kernel_kext_next(w->kernel, &at, &row));
	assert_int_equal(row.tag, tag);
	assert_int_equal(at, tag);
	return row;
}

TEST_1(load_tags_grow_and_are_never_used_again)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	uint32_t tag;

	assert_int_equal(kext_load(w, host, "com.example.a", NULL, 0, &tag), 0);
	assert_int_equal(tag, 1);
	assert_int_equal(kext_go(w, host, tag), 0);
	assert_int_equal(kext_load(w, host, "com.example.a", NULL, 0, &tag), 0);
	assert_int_equal(tag, 2);
	kext_host_die(w, host);
	host = kext_host_new(w, 51);
	assert_int_equal(kext_load(w, host, "com.example.a", NULL, 0, &tag), 0);
	assert_int_equal(tag, 3);
	kext_host_die(w, host);
}

TEST_1(what_a_kext_is_can_be_seen)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	struct kernel_kext_row row;
	uint32_t library, tag, at = 0;

	assert_false(kernel_kext_next(w->kernel, &at, &row));
	assert_int_equal(kext_load(w, host, "com.example.library", NULL, 0, &library), 0);
	assert_int_equal(kext_load(w, host, "com.example.a", &library, 1, &tag), 0);
	row = row_of(w, tag);
	assert_string_equal(row.kext->identifier, "com.example.a");
	assert_string_equal(row.kext->version, "1.0");
	assert_string_equal(row.kext->path, "/Library/Extensions/Test.kext");
	assert_int_equal(row.kext->address, 0x7f0000001000);
	assert_int_equal(row.kext->size_bytes, 0x3000);
	assert_int_equal(row.kext->dependency_count, 1);
	assert_int_equal(row.kext->dependencies[0], library);
	assert_int_equal(row.host_id, kernel_kext_host_id(host));
	assert_int_equal(row.host_pid, 50);
	assert_false(row.started);
	assert_int_equal(row.reference_count, 0);
	assert_int_equal(row_of(w, library).reference_count, 1);
	assert_int_equal(kernel_kext_started(w->kernel, host, tag), 0);
	assert_true(row_of(w, tag).started);
	assert_false(row_of(w, library).started);
	assert_int_equal(kernel_kext_started(w->kernel, host, tag), EINVAL); /* once */
	assert_int_equal(world_counts(w).kexts, 2);
	assert_int_equal(world_counts(w).kext_hosts, 1);
	kext_host_die(w, host);
	assert_int_equal(world_counts(w).kexts, 0);
}

TEST_1(an_identifier_is_loaded_once)
{
	struct kernel_kext_host *host = kext_host_new(w, 50), *other = kext_host_new(w, 51);
	uint32_t tag, again = 0;
	char *before;

	assert_int_equal(kext_load(w, host, "com.example.a", NULL, 0, &tag), 0);
	before = world_dump(w);
	assert_int_equal(kext_load(w, host, "com.example.a", NULL, 0, &again), EEXIST);
	assert_int_equal(again, tag);
	again = 0;
	assert_int_equal(kext_load(w, other, "com.example.a", NULL, 0, &again), EEXIST);
	assert_int_equal(again, tag);
	world_same(before, world_dump(w), __FILE__, __LINE__);
	assert_int_equal(kext_load(w, other, "com.example.A", NULL, 0, &tag), 0);
	kext_host_die(w, host);
	kext_host_die(w, other);
}

TEST_1(texts_must_end_and_an_identifier_must_be_there)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	struct kernel_kext kext = { .identifier = "com.example.a", .version = "1" };
	char text[2000], *before = world_dump(w);
	uint32_t tag;

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	assert_int_equal(kext_load(w, host, text, NULL, 0, &tag), EINVAL);
	text[64] = '\0';
	assert_int_equal(kext_load(w, host, text, NULL, 0, &tag), EINVAL);
	assert_int_equal(kext_load(w, host, "", NULL, 0, &tag), EINVAL);
	text[64] = 'x';
	memset(kext.version, '1', sizeof kext.version);
	assert_int_equal(kernel_kext_loading(w->kernel, host, &kext, &tag), EINVAL);
	kext.version[3] = '\0';
	kext.path = text;
	assert_int_equal(kernel_kext_loading(w->kernel, host, &kext, &tag), EINVAL);
	world_same(before, world_dump(w), __FILE__, __LINE__);
	text[1023] = '\0';
	assert_int_equal(kernel_kext_loading(w->kernel, host, &kext, &tag), 0);
	assert_string_equal(row_of(w, tag).kext->path, text);
	assert_int_equal(kext_go(w, host, tag), 0);
	kext.path = NULL;
	assert_int_equal(kernel_kext_loading(w->kernel, host, &kext, &tag), 0);
	assert_string_equal(row_of(w, tag).kext->path, "");
	text[63] = '\0';
	assert_int_equal(kext_load(w, host, text, NULL, 0, &tag), 0);
	kext_host_die(w, host);
}

TEST_1(a_kext_that_others_are_linked_against_cannot_go)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	uint32_t library, both[2], user;
	char *before;

	assert_int_equal(kext_load(w, host, "library", NULL, 0, &library), 0);
	assert_int_equal(kext_load(w, host, "middle", &library, 1, &both[1]), 0);
	both[0] = library;
	assert_int_equal(kext_load(w, host, "user", both, 2, &user), 0);
	assert_int_equal(row_of(w, library).reference_count, 2);
	before = world_dump(w);
	assert_int_equal(kernel_kext_may_stop(w->kernel, host, library), EBUSY);
	assert_int_equal(kext_go(w, host, library), EBUSY);
	assert_int_equal(kernel_kext_may_stop(w->kernel, host, both[1]), EBUSY);
	assert_int_equal(kernel_kext_may_stop(w->kernel, host, user), 0);
	world_same(before, world_dump(w), __FILE__, __LINE__);
	assert_int_equal(kext_go(w, host, user), 0);
	assert_int_equal(row_of(w, library).reference_count, 1);
	assert_int_equal(kext_go(w, host, both[1]), 0);
	assert_int_equal(kernel_kext_may_stop(w->kernel, host, library), 0);
	assert_int_equal(kext_go(w, host, library), 0);
	assert_int_equal(kext_go(w, host, library), EINVAL);
	kext_host_die(w, host);
}

TEST_1(dependencies_are_loaded_here_and_each_is_named_once)
{
	struct kernel_kext_host *host = kext_host_new(w, 50), *other = kext_host_new(w, 51);
	uint32_t own, foreign, tag, many[DEPENDENCY_MAX + 1];
	char name[16], *before;

	assert_int_equal(kext_load(w, host, "own", NULL, 0, &own), 0);
	assert_int_equal(kext_load(w, other, "foreign", NULL, 0, &foreign), 0);
	before = world_dump(w);
	assert_int_equal(kext_load(w, host, "a", (uint32_t[]){ own, 99 }, 2, &tag), ENOENT);
	assert_int_equal(kext_load(w, host, "a", (uint32_t[]){ own, foreign }, 2, &tag), EINVAL);
	assert_int_equal(kext_load(w, host, "a", (uint32_t[]){ own, own }, 2, &tag), EINVAL);
	world_same(before, world_dump(w), __FILE__, __LINE__);
	for (uint32_t i = 0; i <= DEPENDENCY_MAX; i++) {
		snprintf(name, sizeof name, "many%u", i);
		assert_int_equal(kext_load(w, host, name, NULL, 0, &many[i]), 0);
	}
	assert_int_equal(kext_load(w, host, "a", many, DEPENDENCY_MAX + 1, &tag), EINVAL);
	assert_int_equal(kext_load(w, host, "a", many, DEPENDENCY_MAX, &tag), 0);
	kext_host_die(w, host);
	kext_host_die(w, other);
}

TEST_1(nobody_speaks_for_another_hosts_kext)
{
	struct kernel_kext_host *host = kext_host_new(w, 50), *other = kext_host_new(w, 51);
	uint32_t tag;
	char *before;

	assert_int_equal(kext_load(w, host, "a", NULL, 0, &tag), 0);
	before = world_dump(w);
	assert_int_equal(kernel_kext_started(w->kernel, other, tag), EINVAL);
	assert_int_equal(kernel_kext_may_stop(w->kernel, other, tag), EINVAL);
	assert_int_equal(kext_go(w, other, tag), EINVAL);
	assert_int_equal(kext_go(w, host, 0), EINVAL);
	world_same(before, world_dump(w), __FILE__, __LINE__);
	kext_host_die(w, other);
	assert_int_equal(kernel_kext_started(w->kernel, host, tag), 0);
	kext_host_die(w, host);
}

TEST_1(controls_that_a_kext_leaves_behind_go_with_it)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	struct listener *listener = listener_new(w, 1, 3, 2);
	struct kernel_ctl own = ctl_named("own"), hosts = ctl_named("hosts");
	uint32_t tag, id;
	uint64_t ref;

	assert_int_equal(kext_load(w, host, "a", NULL, 0, &tag), 0);
	assert_int_equal(ctl_add(w, host, tag, &own, &ref, NULL), 0);
	assert_int_equal(ctl_add(w, host, 0, &hosts, NULL, NULL), 0);
	listener_clear(listener);
	assert_int_equal(kext_go(w, host, tag), 0);
	assert_int_equal(listener->count, 1);
	assert_int_equal(listener->heard[0].event_code, 2);
	assert_int_equal(ask_ctl_info(a, "own", 4, &id), ENOENT);
	assert_int_equal(ask_ctl_info(a, "hosts", 6, &id), 0);
	assert_int_equal(ctl_remove(w, host, ref), EINVAL);
	kext_host_die(w, host);
	listener_free(w, listener);
}

TEST_1(a_dying_host_takes_linked_kexts_along)
{
	struct kernel_kext_host *host = kext_host_new(w, 50), *other = kext_host_new(w, 51);
	uint32_t first, second, third, tag, at = 0;
	struct kernel_kext_row row;

	assert_int_equal(kext_load(w, host, "first", NULL, 0, &first), 0);
	assert_int_equal(kext_load(w, other, "other", NULL, 0, &tag), 0);
	assert_int_equal(kext_load(w, host, "second", &first, 1, &second), 0);
	assert_int_equal(kext_load(w, host, "third", (uint32_t[]){ second, first }, 2, &third), 0);
	kext_host_die(w, host);
	assert_true(kernel_kext_next(w->kernel, &at, &row));
	assert_int_equal(row.tag, tag);
	assert_false(kernel_kext_next(w->kernel, &at, &row));
	kext_host_die(w, other);
}

TEST_1(rows_go_on_after_a_tag_that_is_gone)
{
	struct kernel_kext_host *host = kext_host_new(w, 50);
	uint32_t tags[10], at = 0, seen = 0;
	struct kernel_kext_row row;
	char name[16];

	for (uint32_t i = 0; i < 10; i++) {
		snprintf(name, sizeof name, "k%u", i);
		assert_int_equal(kext_load(w, host, name, NULL, 0, &tags[i]), 0);
	}
	while (kernel_kext_next(w->kernel, &at, &row)) {
		assert_int_equal(row.tag, tags[seen++]);
		assert_int_equal(kext_go(w, host, row.tag), 0);
	}
	assert_int_equal(seen, 10);
	kext_host_die(w, host);
}

TEST_1(hosts_and_kexts_have_their_limits)
{
	enum { HOSTS = 1024, KEXTS = 4096 };
	static struct kernel_kext_host *hosts[HOSTS];
	struct kernel_kext kext = { .version = "1" };
	uint32_t tag;

	for (uint32_t i = 0; i < HOSTS; i++)
		assert_non_null(hosts[i] = kernel_kext_host_new(w->kernel, i, w));
	assert_null(kernel_kext_host_new(w->kernel, 1, w));
	for (uint32_t i = 0; i < KEXTS; i++) {
		snprintf(kext.identifier, sizeof kext.identifier, "k%u", i);
		assert_int_equal(kernel_kext_loading(w->kernel, hosts[i % HOSTS], &kext, &tag), 0);
	}
	strcpy(kext.identifier, "one.more");
	assert_int_equal(kernel_kext_loading(w->kernel, hosts[0], &kext, &tag), ENOMEM);
	for (uint32_t i = 0; i < HOSTS; i++) {
		struct kernel_effects effects;

		kernel_effects_init(&effects);
		kernel_kext_host_died(w->kernel, hosts[i], &effects);
	}
	kernel_audit(w->kernel);
}
