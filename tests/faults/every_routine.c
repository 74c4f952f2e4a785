/*
 * Every allocation of every request to a kernel object fails once.
 *
 * Each routine that the kernel serves has a scenario; the tables that mig made for the kernel say
 * which those are, and one without fails by name.  Where an allocation fails, the request is
 * answered with a code that the contract has for it, and what is left is known:
 *
 *   MACH_SEND_NO_BUFFER     the request was not taken in: nothing has happened
 *   MACH_MSG_VM_KERNEL      its memory was not: the rights of its header are gone
 *   KERN_RESOURCE_SHORTAGE, KERN_NO_SPACE, MIG_SERVER_DIED (no memory for a reply)
 *                           nothing was done, and the rights in the request are gone: as if no
 *                           routine had the request's number
 *   MACH_RCV_BODY_ERROR     it was done, and a right in the reply found no room: that right is gone
 *
 * After each the same request works.  Sources: mach-messages.md §5, §8.3 and §11, mig-codegen.md
 * §7.
 */
#include <mach/mig_errors.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/dry.h"
#include "tests/faults/kernel_routines.h"
#include "tests/faults/routine_scenarios.h"
#include "tests/faults/visible.h"
#include "tests/support/calls.h"
#include "tests/support/vouchers.h"

#define NO_ROUTINE 3299

static const struct routine_row *const tables[] = {
	routine_scenarios_ports,
	routine_scenarios_tasks,
	routine_scenarios_threads,
	routine_scenarios_host,
};

/* How many names of @t there is room for. */
static uint32_t
free_names(struct actor *t)
{
	char *text = world_dump(t->world), *task, label[32];
	uint32_t count;

	snprintf(label, sizeof label, "pid %u ", kernel_task_pid(t->party->task));
	task = strstr(text, label);
	assert_non_null(task);
	count = (uint32_t)strtoul(strstr(task, " free ") + strlen(" free "), NULL, 10);
	free(text);
	return count;
}

/* Takes them all: the next one needs memory. */
static void
fill_table(struct actor *t)
{
	mach_port_name_t name;

	for (uint32_t room = free_names(t); room > 0; room--)
		assert_ok(port_allocate(t, MACH_PORT_RIGHT_DEAD_NAME, &name));
	assert_int_equal(free_names(t), 0);
}

/* How a request is made beside what it asks for. */
struct manner {
	bool full;    /* no name is free: each new one needs memory */
	bool dry;     /* where one allocation has failed others do, too */
	bool voucher; /* it carries one, which moves */
};

/* A world in which @row is about to be asked for. */
struct scene {
	struct ask *ask;
	mach_port_name_t reply;
	struct rpc request; /* as it was written */
};

/* Moves to wherever the request goes, and back if it goes nowhere; there is one more. */
static void
add_voucher(struct ask *ask)
{
	mach_msg_header_t *header = message_header(&ask->request.message);

	header->msgh_voucher_port = voucher_new(ask->caller, "carried");
	header->msgh_bits |= MACH_MSGH_BITS_SET_PORTS(0, 0, MACH_MSG_TYPE_MOVE_SEND);
	assert_ok(port_mod_refs(ask->caller, header->msgh_voucher_port, MACH_PORT_RIGHT_SEND, 1));
}

static struct scene
scene_new(struct fault *fault, const struct routine_row *row, struct manner manner)
{
	struct world *w = world_new_on(fault, 2);
	struct scene scene = { .ask = calloc(1, sizeof *scene.ask) };
	struct ask *ask = scene.ask;

	ask->world = w;
	ask->caller = world_actor(w, 0);
	ask->other = world_actor(w, 1);
	ask->target = BERTH_NAME_TASK_SELF;
	ask->expected = KERN_SUCCESS;
	ask->request = rpc_to(routine_id(row->routine));
	scene.reply = reply_port(ask->caller);
	row->prepare(ask);
	if (manner.voucher)
		add_voucher(ask);
	if (manner.full) {
		fill_table(ask->caller);
		fill_table(ask->other);
	}
	scene.request = ask->request;
	return scene;
}

static kern_return_t
scene_ask(struct scene *scene, int32_t id)
{
	struct ask *ask = scene->ask;
	kern_return_t kr;

	ask->request = scene->request;
	ask->request.id = id;
	ask->caller->target = ask->target;
	kr = rpc_call(ask->caller, scene->reply, &ask->request);
	ask->caller->target = BERTH_NAME_TASK_SELF;
	return kr;
}

static void
scene_free(struct scene *scene)
{
	world_free(scene->ask->world);
	free(scene->ask);
}

/* What is left after the same request to no routine. */
static char *
refused(const struct routine_row *row, struct manner manner)
{
	struct fault none;
	struct scene scene;
	char *text;

	fault_init(&none);
	scene = scene_new(&none, row, manner);
	assert_code(scene_ask(&scene, NO_ROUTINE), MIG_BAD_ID);
	text = visible(scene.ask->world);
	scene_free(&scene);
	assert_int_equal(none.live_count, 0);
	return text;
}

/* Takes the numbers behind @label out of @text. */
static void
forget_numbers(char *text, const char *label)
{
	const size_t length = strlen(label);
	char *to = text;

	for (const char *from = text; *from;)
		if (strncmp(from, label, length) == 0)
			from += length + strspn(from + length, "0123456789");
		else
			*to++ = *from++;
	*to = '\0';
}

static bool
is_lost_result(kern_return_t code)
{
	return (code & ~MACH_MSG_MASK) == MACH_RCV_BODY_ERROR &&
	       (code & MACH_MSG_MASK) == MACH_MSG_IPC_KERNEL;
}

/* Gives back the rights of a reply whose other rights found no room. */
static void
release_results(struct actor *t)
{
	mach_port_name_t names[RECEIVED_DESCRIPTORS_MAX];
	uint32_t count = 0, missing = 0;

	for (uint32_t i = 0; i < got.descriptor_count; i++) {
		const struct descriptor *d = &got.descriptors[i];

		if (d->type == MACH_MSG_PORT_DESCRIPTOR)
			names[count++] = d->name;
		for (uint32_t at = 0; d->type == MACH_MSG_OOL_PORTS_DESCRIPTOR && at < d->size;
		     at++)
			names[count++] = d->names[at];
	}
	for (uint32_t i = 0; i < count; i++)
		if (names[i] == MACH_PORT_NULL)
			missing++;
		else
			assert_ok(port_deallocate(t, names[i]));
	assert_int_not_equal(missing, 0);
}

/* Is what the failure has left what the code says?  @before is consumed. */
static void
check_what_is_left(struct scene *scene, const struct routine_row *row, struct manner manner,
		   kern_return_t code, char *before)
{
	struct ask *ask = scene->ask;
	char *expected, *after;

	if (code == MACH_SEND_NO_BUFFER) {
		world_same(before, visible(ask->world), __FILE__, __LINE__);
		return;
	}
	free(before);
	switch (code) {
	case MACH_MSG_VM_KERNEL:
		assert_int_equal(take_id(ask->caller, scene->reply), MACH_NOTIFY_SEND_ONCE);
		break;
	case KERN_RESOURCE_SHORTAGE:
	case KERN_NO_SPACE:
	case MIG_SERVER_DIED:
		break;
	default:
		if (!is_lost_result(code))
			fail_msg("%s: %s", row->routine, code_name(code));
		assert_int_equal(got.header.msgh_id, scene->request.id + 100);
		release_results(ask->caller);
		if (ask->lasts)
			return;
		break;
	}
	expected = refused(row, manner);
	after = visible(ask->world);
	if (code == MACH_MSG_VM_KERNEL) { /* it has not reached the object */
		forget_numbers(expected, " seqno ");
		forget_numbers(after, " seqno ");
	}
	if (code == MACH_MSG_VM_KERNEL || is_lost_result(code)) {
		/* nor its rights; and those of a reply that were made are counted for good */
		forget_numbers(expected, " mscount ");
		forget_numbers(after, " mscount ");
	}
	world_same(expected, after, __FILE__, __LINE__);
}

/* @id: the number that the request has, and no routine; 0: that of @row. */
static void
fails_as_the_contract_says_and_works_afterwards(const struct routine_row *row, struct manner manner,
						int32_t id)
{
	uint64_t failures = 0;

	FOR_EACH_FAILURE (fault) {
		struct scene scene;
		struct ask *ask;
		int32_t number;
		char *before;
		kern_return_t code;

		if (manner.dry)
			fault_dry(&fault);
		scene = scene_new(&fault, row, manner);
		ask = scene.ask;
		number = id ? id : scene.request.id;
		before = visible(ask->world);
		if (id)
			ask->expected = MIG_BAD_ID;
		fault_arm(&fault);
		code = scene_ask(&scene, number);
		fault.armed = false;
		if (fault.hit) {
			failures++;
			if (code == ask->expected)
				fail_msg("%s, allocation %llu fails, and nobody is told",
					 row->routine, (unsigned long long)fault.fail_at);
			check_what_is_left(&scene, row, manner, code, before);
			ask->request = scene.request;
			if (ask->again)
				ask->again(ask);
			scene.request = ask->request;
			code = scene_ask(&scene, number);
		} else {
			free(before);
		}
		if (code != ask->expected)
			fail_msg("%s, allocation %llu failed before: %s", row->routine,
				 (unsigned long long)fault.fail_at, code_name(code));
		scene_free(&scene);
		assert_int_equal(fault.live_count, 0);
	}
	/* the request and the reply at least */
	if (failures < 2)
		fail_msg("%s: only %llu allocations failed", row->routine,
			 (unsigned long long)failures);
}

static void
fails_in_each_manner(const struct routine_row *row, int32_t id)
{
	static const struct manner manners[] = {
		{ 0 },
		{ .full = true },
		{ .full = true, .dry = true },
		{ .voucher = true },
	};

	for (size_t i = 0; i < sizeof manners / sizeof *manners; i++)
		fails_as_the_contract_says_and_works_afterwards(row, manners[i], id);
}

static bool
has_scenario(const struct kernel_routine *routine)
{
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (const struct routine_row *row = tables[i]; row->routine; row++)
			if (strcmp(row->routine, routine->name) == 0)
				return true;
	return false;
}

TEST(every_routine_that_the_kernel_serves_has_a_scenario)
{
	struct kernel_routine routine = { 0 };
	uint32_t count = 0, without = 0;

	for (; kernel_routine_next(&routine); count++)
		if (!has_scenario(&routine)) {
			print_error("%s, number %d, has no scenario\n", routine.name, routine.id);
			without++;
		}
	assert_int_not_equal(count, 0);
	assert_int_equal(without, 0);
}

static void
all_of(const struct routine_row *table)
{
	for (const struct routine_row *row = table; row->routine; row++)
		fails_in_each_manner(row, 0);
}

/* The answer that there is none needs memory, too. */
TEST(a_request_that_no_routine_serves_fails_as_the_contract_says_for_want_of_memory)
{
	fails_in_each_manner(&routine_scenarios_ports[0], NO_ROUTINE);
}

TEST(routines_on_ports_fail_as_the_contract_says_for_want_of_memory)
{
	all_of(routine_scenarios_ports);
}

TEST(routines_on_tasks_fail_as_the_contract_says_for_want_of_memory)
{
	all_of(routine_scenarios_tasks);
}

TEST(routines_on_threads_fail_as_the_contract_says_for_want_of_memory)
{
	all_of(routine_scenarios_threads);
}

TEST(routines_on_the_host_fail_as_the_contract_says_for_want_of_memory)
{
	all_of(routine_scenarios_host);
}
