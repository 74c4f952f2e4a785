/*
 * What the kernel bounds, filled up: the next one is refused with the code that is written down for
 * it and leaves no trace, and one that goes makes room for one.  tests/rules has the bounds that
 * stand beside other rules of their objects; these stand alone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/limits.h"
#include "tests/support/calls.h"
#include "tests/support/message.h"
#include "tests/support/registry.h"

#define COPY MACH_MSG_TYPE_COPY_SEND

/* A test of very many objects, which a busy machine takes its time for. */
#define LONG_TEST(name_)                                                                           \
	TEST_REGISTER(name_, 0, 500)                                                               \
	static void name_(void **state)

static struct kernel_effects effects;

/* ---- tasks ----------------------------------------------------------------------------------- */

static void
task_dies(struct world *w, struct task *task)
{
	kernel_effects_init(&effects);
	kernel_step(w->kernel, &(struct kernel_event){ .kind = EVENT_TASK_DIED, .task = task },
		    &effects);
}

LONG_TEST(a_kernel_has_so_many_tasks_and_no_more)
{
	static struct task *tasks[TASK_COUNT_MAX];
	struct world *w = world_new_quiet(1);
	const audit_token_t *token = &w->parties[0].token;
	uint32_t count = 0;

	while (count < TASK_COUNT_MAX &&
	       (tasks[count] = kernel_task_new(w->kernel, token, NULL, NULL)) != NULL)
		count++;
	assert_int_equal(count, TASK_COUNT_MAX - 1); /* and the world's own */
	assert_int_equal(world_counts(w).tasks, TASK_COUNT_MAX);
	task_dies(w, tasks[0]);
	tasks[0] = kernel_task_new(w->kernel, token, NULL, NULL);
	assert_non_null(tasks[0]);
	assert_null(kernel_task_new(w->kernel, token, NULL, NULL));
	kernel_audit(w->kernel);
	for (uint32_t i = 0; i < count; i++)
		task_dies(w, tasks[i]);
	world_free(w);
}

/* ---- sets ------------------------------------------------------------------------------------ */

LONG_TEST(a_task_has_so_many_members_in_its_sets_and_no_more)
{
	enum { SETS = 16, PORTS = TASK_SET_LINK_MAX / SETS };
	static mach_port_name_t sets[SETS + 1], ports[PORTS];
	struct world *w = world_new_quiet(2);
	struct actor *a = world_actor(w, 0), *b = world_actor(w, 1);

	for (uint32_t i = 0; i <= SETS; i++)
		sets[i] = new_set(a);
	for (uint32_t i = 0; i < PORTS; i++) {
		ports[i] = new_port(a);
		for (uint32_t at = 0; at < SETS; at++)
			assert_ok(port_insert_member(a, ports[i], sets[at]));
	}
	kernel_audit(w->kernel);
	assert_refused_without_trace(w, port_insert_member(a, ports[0], sets[SETS]),
				     KERN_RESOURCE_SHORTAGE);
	/* others have their own */
	assert_ok(port_insert_member(b, new_port(b), new_set(b)));
	assert_ok(port_extract_member(a, ports[1], sets[0]));
	assert_ok(port_insert_member(a, ports[0], sets[SETS]));
	assert_code(port_insert_member(a, ports[1], sets[SETS]), KERN_RESOURCE_SHORTAGE);
	/* a port takes its memberships along, and so does a set */
	assert_ok(port_destroy(a, ports[0]));
	for (uint32_t i = 0; i <= SETS; i++)
		assert_ok(port_insert_member(a, ports[1 + i], sets[SETS]));
	assert_code(port_insert_member(a, ports[2 + SETS], sets[SETS]), KERN_RESOURCE_SHORTAGE);
	assert_ok(port_destroy(a, sets[1]));
	assert_ok(port_insert_member(a, ports[2 + SETS], sets[SETS]));
	kernel_audit(w->kernel);
	world_free(w);
}

/* ---- messages -------------------------------------------------------------------------------- */

static kern_return_t
send_memory(struct actor *t, mach_port_name_t to, uint32_t size_bytes, uint32_t copy,
	    mach_port_name_t carried)
{
	struct message m = message_to(to, COPY);
	uint8_t *memory = calloc(1, size_bytes);
	kern_return_t kr;

	assert_non_null(memory);
	message_add_ool(&m, memory, size_bytes, false, copy);
	if (carried != MACH_PORT_NULL)
		message_add_port(&m, carried, COPY);
	kr = msg_send(t, &m, MACH_SEND_TIMEOUT, 0);
	free(memory);
	return kr;
}

/* Each holds a little more than its memory, so that one less than would fit exactly does. */
TEST_2(a_task_has_so_many_bytes_on_their_way_and_no_more)
{
	enum { PIECE = 8u << 20, MOST = TASK_QUEUED_BYTES_MAX / PIECE - 1 };
	mach_port_name_t port = new_port_with_send(a), there = give(a, port, COPY, b);

	set_qlimit(a, port, MACH_PORT_QLIMIT_LARGE);
	w->quiet_audit = true;
	for (uint32_t i = 0; i < MOST; i++)
		assert_ok(send_memory(a, port, PIECE, MACH_MSG_VIRTUAL_COPY, MACH_PORT_NULL));
	assert_code(send_memory(a, port, PIECE, MACH_MSG_VIRTUAL_COPY, MACH_PORT_NULL),
		    MACH_MSG_VM_KERNEL);
	assert_int_equal(msgcount_of(a, port), MOST);
	/* what is small still goes, and others have their own */
	assert_ok(send_id(a, port, COPY, 1));
	assert_ok(send_memory(b, there, PIECE, MACH_MSG_VIRTUAL_COPY, MACH_PORT_NULL));
	assert_ok(msg_receive(a, port, 0, ANY_SIZE, 0, NULL));
	assert_ok(send_memory(a, port, PIECE, MACH_MSG_VIRTUAL_COPY, MACH_PORT_NULL));
	assert_code(send_memory(a, port, PIECE, MACH_MSG_VIRTUAL_COPY, MACH_PORT_NULL),
		    MACH_MSG_VM_KERNEL);
	w->quiet_audit = false;
}

TEST_1(a_message_asks_for_so_many_bytes_of_physical_copy_and_no_more)
{
	mach_port_name_t port = new_port_with_send(a);

	assert_ok(send_memory(a, port, KMSG_OOL_COPY_MAX, MACH_MSG_PHYSICAL_COPY, 0));
	assert_refused_without_trace(
	    w, send_memory(a, port, KMSG_OOL_COPY_MAX + 1, MACH_MSG_PHYSICAL_COPY, 0),
	    MACH_MSG_VM_KERNEL);
	/* rights count, too; copies that are shared do not */
	assert_refused_without_trace(
	    w, send_memory(a, port, KMSG_OOL_COPY_MAX, MACH_MSG_PHYSICAL_COPY, port),
	    MACH_MSG_VM_KERNEL);
	assert_ok(send_memory(a, port, KMSG_OOL_COPY_MAX + 1, MACH_MSG_VIRTUAL_COPY, port));
}

TEST_1(a_message_may_be_as_long_as_the_longest_and_no_longer)
{
	struct message m = message_to(new_port_with_send(a), COPY);

	/* that many have not come, which is looked at later */
	assert_refused_without_trace(w, msg_send_sized(a, &m, KMSG_SIZE_MAX, 0, 0),
				     MACH_SEND_INVALID_DATA);
	assert_refused_without_trace(w, msg_send_sized(a, &m, KMSG_SIZE_MAX + 4, 0, 0),
				     MACH_SEND_TOO_LARGE);
}

/* ---- the registry ---------------------------------------------------------------------------- */

TEST_1(a_kext_or_its_process_that_goes_makes_room_for_one)
{
	static struct kernel_kext_host *hosts[KEXT_HOST_COUNT_MAX];
	struct kernel_kext kext = { .version = "1" };
	uint32_t tag, first = 0;

	for (uint32_t i = 0; i < KEXT_HOST_COUNT_MAX; i++)
		assert_non_null(hosts[i] = kernel_kext_host_new(w->kernel, i, w));
	assert_null(kernel_kext_host_new(w->kernel, 1, w));
	kernel_effects_init(&effects);
	kernel_kext_host_died(w->kernel, hosts[1], &effects);
	assert_non_null(hosts[1] = kernel_kext_host_new(w->kernel, 1, w));
	assert_null(kernel_kext_host_new(w->kernel, 1, w));

	for (uint32_t i = 0; i < KEXT_COUNT_MAX; i++) {
		snprintf(kext.identifier, sizeof kext.identifier, "k%u", i);
		assert_int_equal(kernel_kext_loading(w->kernel, hosts[0], &kext, &tag), 0);
		first = i == 0 ? tag : first;
	}
	strcpy(kext.identifier, "one.more");
	assert_int_equal(kernel_kext_loading(w->kernel, hosts[0], &kext, &tag), ENOMEM);
	assert_int_equal(kernel_kext_gone(w->kernel, hosts[0], first, &effects), 0);
	assert_int_equal(kernel_kext_loading(w->kernel, hosts[1], &kext, &tag), 0);
	strcpy(kext.identifier, "two.more");
	assert_int_equal(kernel_kext_loading(w->kernel, hosts[0], &kext, &tag), ENOMEM);
	kernel_audit(w->kernel);
	for (uint32_t i = 0; i < KEXT_HOST_COUNT_MAX; i++)
		kernel_kext_host_died(w->kernel, hosts[i], &effects);
	registry_settle(w, &effects);
}
