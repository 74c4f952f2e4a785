/* Exception ports and offered registers: mach-kobjects.md §9. */
#include <stdlib.h>
#include <string.h>

#include <mach/exception_types.h>
#include <mach/mig_errors.h>
#include <mach/thread_status.h>

#include "tests/support/vouchers.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define WIDE MACH_EXCEPTION_CODES
#define FLAVOR_64 x86_THREAD_STATE64
#define ARRAY_MOST 32 /* of the routines' arrays of rights, which travel whole */
#define BOTH (EXC_MASK_BAD_ACCESS | EXC_MASK_ARITHMETIC)

enum { OF_TASK = 3413, OF_THREAD = 3613, SET = 0, GET = 1, SWAP = 2 };
enum { GET_STATE = 3603, SET_STATE = 3604 };

/* ---- the calls, by message -------------------------------------------------------------------
 */

/* What a get or a swap gives. */
struct actions {
	uint32_t count;
	uint32_t masks[EXC_TYPES_COUNT], behaviors[EXC_TYPES_COUNT], flavors[EXC_TYPES_COUNT];
	mach_port_name_t ports[EXC_TYPES_COUNT];
};

static void
actions_read(struct rpc *r, struct actions *out)
{
	out->count = rpc_result_u32(r);
	assert_true(out->count <= EXC_TYPES_COUNT);
	assert_int_equal(got.descriptor_count, ARRAY_MOST);
	for (uint32_t i = 0; i < out->count; i++)
		out->masks[i] = rpc_result_u32(r);
	for (uint32_t i = 0; i < out->count; i++)
		out->behaviors[i] = rpc_result_u32(r);
	for (uint32_t i = 0; i < out->count; i++)
		out->flavors[i] = rpc_result_u32(r);
	for (uint32_t i = 0; i < out->count; i++)
		out->ports[i] = got.descriptors[i].name;
	for (uint32_t i = out->count; i < ARRAY_MOST; i++)
		assert_int_equal(got.descriptors[i].name, MACH_PORT_NULL);
}

static kern_return_t
set_ports(struct actor *t, mach_port_name_t object, int32_t kind, uint32_t mask,
	  mach_port_name_t port, uint32_t behavior, uint32_t flavor)
{
	struct rpc r = rpc_to(kind + SET);

	message_add_port(&r.message, port, COPY);
	rpc_u32(&r, mask);
	rpc_u32(&r, behavior);
	rpc_u32(&r, flavor);
	return object_call(t, object, &r);
}

static kern_return_t
swap_ports(struct actor *t, mach_port_name_t object, int32_t kind, uint32_t mask,
	   mach_port_name_t port, uint32_t behavior, uint32_t flavor, struct actions *old)
{
	struct rpc r = rpc_to(kind + SWAP);
	kern_return_t kr;

	message_add_port(&r.message, port, COPY);
	rpc_u32(&r, mask);
	rpc_u32(&r, behavior);
	rpc_u32(&r, flavor);
	kr = object_call(t, object, &r);
	if (kr == KERN_SUCCESS)
		actions_read(&r, old);
	return kr;
}

static kern_return_t
get_ports(struct actor *t, mach_port_name_t object, int32_t kind, uint32_t mask,
	  struct actions *out)
{
	struct rpc r = rpc_to(kind + GET);
	kern_return_t kr;

	rpc_u32(&r, mask);
	kr = object_call(t, object, &r);
	if (kr == KERN_SUCCESS)
		actions_read(&r, out);
	return kr;
}

/* ---- ports ------------------------------------------------------------------------------------
 */

TEST_1(what_is_set_is_got_and_equal_entries_are_one)
{
	const mach_port_name_t objects[] = { BERTH_NAME_TASK_SELF, thread_self(a) };
	const int32_t kinds[] = { OF_TASK, OF_THREAD };

	for (int i = 0; i < 2; i++) {
		mach_port_name_t port = new_port_with_send(a), other = new_port_with_send(a);
		struct actions out = { 0 };

		assert_ok(set_ports(a, objects[i], kinds[i], BOTH, port, EXCEPTION_DEFAULT | WIDE,
				    THREAD_STATE_NONE));
		assert_ok(set_ports(a, objects[i], kinds[i], EXC_MASK_CRASH, other, EXCEPTION_STATE,
				    x86_THREAD_STATE));
		assert_int_equal(srights_of(a, port), 3); /* one for each type, and a's own */
		assert_int_equal(srights_of(a, other), 2);
		assert_ok(get_ports(a, objects[i], kinds[i], BOTH | EXC_MASK_CRASH | EXC_MASK_GUARD,
				    &out));
		assert_int_equal(out.count, 3);
		assert_int_equal(out.masks[0], BOTH);
		assert_int_equal(out.ports[0], port);
		assert_int_equal(out.behaviors[0], EXCEPTION_DEFAULT | WIDE);
		assert_int_equal(out.flavors[0], THREAD_STATE_NONE);
		assert_int_equal(out.masks[1], EXC_MASK_CRASH);
		assert_int_equal(out.ports[1], other);
		assert_int_equal(out.behaviors[1], EXCEPTION_STATE);
		assert_int_equal(out.flavors[1], x86_THREAD_STATE);
		assert_int_equal(out.masks[2], EXC_MASK_GUARD); /* not set */
		assert_int_equal(out.ports[2], MACH_PORT_NULL);
		assert_entry(a, port, MACH_PORT_TYPE_SEND_RECEIVE, 2);
		/* nothing is there for what is not asked of */
		assert_ok(get_ports(a, objects[i], kinds[i], 0, &out));
		assert_int_equal(out.count, 0);
	}
}

TEST_1(the_same_port_with_another_behavior_or_flavor_is_another_entry)
{
	mach_port_name_t port = new_port_with_send(a);
	struct actions out = { 0 };

	assert_ok(set_ports(a, BERTH_NAME_TASK_SELF, OF_TASK, EXC_MASK_BAD_ACCESS, port,
			    EXCEPTION_STATE, FLAVOR_64));
	assert_ok(set_ports(a, BERTH_NAME_TASK_SELF, OF_TASK, EXC_MASK_ARITHMETIC, port,
			    EXCEPTION_STATE, x86_THREAD_STATE));
	assert_ok(set_ports(a, BERTH_NAME_TASK_SELF, OF_TASK, EXC_MASK_BREAKPOINT, port,
			    EXCEPTION_DEFAULT, FLAVOR_64));
	assert_ok(set_ports(a, BERTH_NAME_TASK_SELF, OF_TASK, EXC_MASK_SOFTWARE, port,
			    EXCEPTION_STATE, FLAVOR_64));
	assert_ok(get_ports(a, BERTH_NAME_TASK_SELF, OF_TASK,
			    BOTH | EXC_MASK_BREAKPOINT | EXC_MASK_SOFTWARE, &out));
	assert_int_equal(out.count, 3);
	assert_int_equal(out.masks[0], EXC_MASK_BAD_ACCESS | EXC_MASK_SOFTWARE);
	assert_int_equal(out.masks[1], EXC_MASK_ARITHMETIC);
	assert_int_equal(out.masks[2], EXC_MASK_BREAKPOINT);
}

TEST_1(swapping_gives_the_old_and_null_clears)
{
	const mach_port_name_t objects[] = { BERTH_NAME_TASK_SELF, thread_self(a) };
	const int32_t kinds[] = { OF_TASK, OF_THREAD };

	for (int i = 0; i < 2; i++) {
		mach_port_name_t port = new_port_with_send(a), notify = new_port(a);
		struct actions old = { 0 };

		assert_ok(
		    swap_ports(a, objects[i], kinds[i], BOTH, port, EXCEPTION_DEFAULT, 0, &old));
		assert_int_equal(old.count, 1);
		assert_int_equal(old.masks[0], BOTH);
		assert_int_equal(old.ports[0], MACH_PORT_NULL);
		assert_ok(swap_ports(a, objects[i], kinds[i], EXC_MASK_ARITHMETIC, MACH_PORT_NULL,
				     0, 0, &old));
		assert_int_equal(old.count, 1);
		assert_int_equal(old.masks[0], EXC_MASK_ARITHMETIC);
		assert_int_equal(old.ports[0], port);
		assert_int_equal(srights_of(a, port), 2);
		assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_SEND, -2));
		assert_ok(port_request_notification(a, port, MACH_NOTIFY_NO_SENDERS, 0, notify,
						    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
		assert_nothing_waits(a, notify); /* one type is left */
		assert_ok(set_ports(a, objects[i], kinds[i], EXC_MASK_ALL, MACH_PORT_NULL, 0, 0));
		assert_notification(a, notify, MACH_NOTIFY_NO_SENDERS, 1);
	}
}

TEST_1(a_port_that_died_is_dead)
{
	mach_port_name_t port = new_port_with_send(a);
	struct actions out = { 0 };

	assert_ok(set_ports(a, BERTH_NAME_TASK_SELF, OF_TASK, EXC_MASK_CRASH, port,
			    EXCEPTION_DEFAULT, 0));
	assert_ok(port_destroy(a, port));
	assert_ok(get_ports(a, BERTH_NAME_TASK_SELF, OF_TASK, EXC_MASK_CRASH, &out));
	assert_int_equal(out.ports[0], MACH_PORT_DEAD);
}

TEST_1(what_cannot_be_set_is_refused_and_given_up)
{
	static const struct {
		uint32_t mask, behavior, flavor;
		kern_return_t code;
	} cases[] = {
		{ 1, EXCEPTION_DEFAULT, 0, KERN_INVALID_ARGUMENT },
		{ 1u << 14, EXCEPTION_DEFAULT, 0, KERN_INVALID_ARGUMENT },
		{ EXC_MASK_ALL, 0, 0, KERN_INVALID_ARGUMENT },
		{ EXC_MASK_ALL, 6, 0, KERN_INVALID_ARGUMENT },
		{ EXC_MASK_ALL, 6 | WIDE, 0, KERN_INVALID_ARGUMENT },
		{ EXC_MASK_ALL, EXCEPTION_DEFAULT, 99, KERN_INVALID_ARGUMENT },
		{ EXC_MASK_ALL, EXCEPTION_DEFAULT, (uint32_t)-1, KERN_INVALID_ARGUMENT },
		{ EXC_MASK_ALL, EXCEPTION_IDENTITY_PROTECTED, 0, KERN_INVALID_ARGUMENT },
		{ EXC_MASK_ALL, EXCEPTION_STATE_IDENTITY_PROTECTED, 0, KERN_INVALID_ARGUMENT },
		{ EXC_MASK_ALL, EXCEPTION_DEFAULT | MACH_EXCEPTION_BACKTRACE_PREFERRED, 0,
		  KERN_INVALID_ARGUMENT },
		{ EXC_MASK_ALL, EXCEPTION_IDENTITY_PROTECTED | WIDE, 0, KERN_NOT_SUPPORTED },
	};
	const mach_port_name_t objects[] = { BERTH_NAME_TASK_SELF, thread_self(a) };
	const int32_t kinds[] = { OF_TASK, OF_THREAD };
	mach_port_name_t port = new_port_with_send(a), host = host_self(a);
	struct actions old = { 0 };

	for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
		const size_t c = i / 2, o = i % 2;

		assert_code(set_ports(a, objects[o], kinds[o], cases[c].mask, port,
				      cases[c].behavior, cases[c].flavor),
			    cases[c].code);
		assert_code(swap_ports(a, objects[o], kinds[o], cases[c].mask, port,
				       cases[c].behavior, cases[c].flavor, &old),
			    cases[c].code);
		assert_entry(a, port, MACH_PORT_TYPE_SEND_RECEIVE, 1);
		assert_int_equal(srights_of(a, port), 1);
	}
	for (int i = 0; i < 2; i++) {
		assert_code(get_ports(a, objects[i], kinds[i], 1, &old), KERN_INVALID_ARGUMENT);
		/* objects of another kind */
		assert_code(
		    set_ports(a, host, kinds[i], EXC_MASK_CRASH, port, EXCEPTION_DEFAULT, 0),
		    KERN_INVALID_ARGUMENT);
		assert_code(swap_ports(a, objects[!i], kinds[i], EXC_MASK_CRASH, port,
				       EXCEPTION_DEFAULT, 0, &old),
			    KERN_INVALID_ARGUMENT);
		assert_code(get_ports(a, objects[!i], kinds[i], EXC_MASK_CRASH, &old),
			    KERN_INVALID_ARGUMENT);
	}
	assert_int_equal(srights_of(a, port), 1);
}

TEST_1(a_task_watches_once_a_port_was_set)
{
	mach_port_name_t port = new_port_with_send(a);

	assert_false(kernel_task_watches_exceptions(a->party->task));
	assert_ok(set_ports(a, thread_self(a), OF_THREAD, EXC_MASK_CRASH, MACH_PORT_NULL, 0, 0));
	assert_false(kernel_task_watches_exceptions(a->party->task));
	assert_ok(
	    set_ports(a, thread_self(a), OF_THREAD, EXC_MASK_CRASH, port, EXCEPTION_DEFAULT, 0));
	assert_true(kernel_task_watches_exceptions(a->party->task));
}

/* ---- who has them -----------------------------------------------------------------------------
 */

static void
task_die(struct world *w, struct task *task)
{
	struct kernel_effects effects;

	kernel_effects_init(&effects);
	kernel_step(w->kernel, &(struct kernel_event){ .kind = EVENT_TASK_DIED, .task = task },
		    &effects);
	while (kernel_effects_watch(&effects))
		;
	kernel_audit(w->kernel);
}

TEST_1(a_child_of_the_same_ids_inherits_the_tasks_ports_alone)
{
	mach_port_name_t port = new_port_with_send(a), of_thread = new_port_with_send(a);
	audit_token_t token = a->party->token;
	struct task *child;

	assert_ok(set_ports(a, BERTH_NAME_TASK_SELF, OF_TASK, BOTH, port, EXCEPTION_DEFAULT, 0));
	assert_ok(set_ports(a, thread_self(a), OF_THREAD, EXC_MASK_CRASH, of_thread,
			    EXCEPTION_DEFAULT, 0));
	token.val[5]++; /* another process */
	child = kernel_task_new(w->kernel, &token, a->party->task, NULL);
	assert_non_null(child);
	assert_true(kernel_task_watches_exceptions(child));
	assert_int_equal(srights_of(a, port), 5);
	assert_int_equal(srights_of(a, of_thread), 2);
	task_die(w, child);
	assert_int_equal(srights_of(a, port), 3);
	/* a program with other rights does not hand its ports to who started it */
	for (int id = 0; id < 5; id++) {
		audit_token_t other = token;

		other.val[id]++;
		child = kernel_task_new(w->kernel, &other, a->party->task, NULL);
		assert_non_null(child);
		assert_false(kernel_task_watches_exceptions(child));
		assert_int_equal(srights_of(a, port), 3);
		task_die(w, child);
	}
}

TEST_2(ports_go_with_their_thread_and_their_task)
{
	struct actor *thread = world_thread_new(b->party);
	mach_port_name_t port = new_port(a), there = give(a, port, MAKE, b);

	assert_ok(set_ports(b, thread_self(thread), OF_THREAD, BOTH, there, EXCEPTION_DEFAULT, 0));
	assert_int_equal(srights_of(a, port), 3);
	world_thread_exit(thread);
	assert_int_equal(srights_of(a, port), 1);
	assert_ok(set_ports(b, BERTH_NAME_TASK_SELF, OF_TASK, BOTH, there, EXCEPTION_DEFAULT, 0));
	assert_ok(set_ports(b, thread_self(b), OF_THREAD, BOTH, there, EXCEPTION_DEFAULT, 0));
	assert_int_equal(srights_of(a, port), 5);
	world_task_die(b->party);
	assert_int_equal(srights_of(a, port), 0);
}

TEST_1(the_dump_shows_exception_ports)
{
	mach_port_name_t port = new_port_with_send(a);
	char *text;

	assert_ok(set_ports(a, BERTH_NAME_TASK_SELF, OF_TASK, EXC_MASK_CRASH, port,
			    EXCEPTION_DEFAULT, 0));
	text = world_dump(w);
	assert_non_null(strstr(text, "  exception 10 port "));
	assert_null(strstr(text, "  exception 11 port "));
	free(text);
}

/* ---- registers --------------------------------------------------------------------------------
 */

struct registers {
	x86_thread_state64_t thread;
	x86_exception_state64_t exception;
};

static kern_return_t
offer(struct actor *t, const struct registers *registers, uint32_t size_bytes)
{
	struct trap_frame frame = { .number = BERTH_TRAP_THREAD_STATE_OFFER,
				    .bytes = (const uint8_t *)registers,
				    .bytes_size = size_bytes };

	assert_true(world_trap(t, &frame));
	return t->outcome.code;
}

static kern_return_t
withdraw(struct actor *t, struct registers *registers)
{
	kern_return_t kr = trap(t, BERTH_TRAP_THREAD_STATE_WITHDRAW, 0, 0, 0, 0, 0, 0);

	if (kr == KERN_SUCCESS) {
		assert_int_equal(t->outcome.bytes_size, sizeof *registers);
		memcpy(registers, t->outcome.bytes, sizeof *registers);
	}
	return kr;
}

static kern_return_t
get_state(struct actor *t, mach_port_name_t thread, uint32_t flavor, uint32_t room, uint32_t *state,
	  uint32_t *count)
{
	struct rpc r = rpc_to(GET_STATE);
	kern_return_t kr;

	rpc_u32(&r, flavor);
	rpc_u32(&r, room);
	kr = object_call(t, thread, &r);
	if (kr != KERN_SUCCESS)
		return kr;
	*count = rpc_result_u32(&r);
	for (uint32_t i = 0; i < *count; i++)
		state[i] = rpc_result_u32(&r);
	return kr;
}

static kern_return_t
set_state(struct actor *t, mach_port_name_t thread, uint32_t flavor, const uint32_t *state,
	  uint32_t count)
{
	struct rpc r = rpc_to(SET_STATE);

	rpc_u32(&r, flavor);
	rpc_u32(&r, count);
	for (uint32_t i = 0; i < count; i++)
		rpc_u32(&r, state[i]);
	return object_call(t, thread, &r);
}

TEST_2(offered_registers_are_seen_and_changed_by_who_has_the_thread)
{
	mach_port_name_t thread = give(b, thread_self(b), COPY, a);
	struct registers registers, back;
	uint32_t state[64], count = 0;

	memset(&registers, 0x5a, sizeof registers);
	assert_ok(offer(b, &registers, sizeof registers));
	assert_ok(get_state(a, thread, FLAVOR_64, 64, state, &count));
	assert_int_equal(count, x86_THREAD_STATE64_COUNT);
	assert_memory_equal(state, &registers.thread, sizeof registers.thread);
	assert_ok(get_state(a, thread, x86_EXCEPTION_STATE64, 64, state, &count));
	assert_int_equal(count, x86_EXCEPTION_STATE64_COUNT);
	/* the flavors of either width have a head that names the width */
	assert_ok(get_state(a, thread, x86_EXCEPTION_STATE, 64, state, &count));
	assert_int_equal(count, x86_EXCEPTION_STATE64_COUNT + 2);
	assert_int_equal(state[0], x86_EXCEPTION_STATE64);
	assert_ok(get_state(a, thread, x86_THREAD_STATE, 64, state, &count));
	assert_int_equal(count, x86_THREAD_STATE64_COUNT + 2);
	assert_int_equal(state[0], FLAVOR_64);
	assert_int_equal(state[1], x86_THREAD_STATE64_COUNT);
	assert_memory_equal(state + 2, &registers.thread, sizeof registers.thread);
	state[2] = 0x11223344;
	assert_ok(set_state(a, thread, x86_THREAD_STATE, state, count));
	state[2] = 0x55667788;
	assert_ok(set_state(a, thread, FLAVOR_64, state + 2, count - 2));
	/* offered anew before they were taken back: the last ones count */
	assert_ok(withdraw(b, &back));
	memcpy(&count, &back.thread, sizeof count);
	assert_int_equal(count, 0x55667788);
	assert_memory_equal((uint8_t *)&back + 4, (uint8_t *)&registers + 4, sizeof registers - 4);
	assert_code(withdraw(b, &back), KERN_FAILURE);
	assert_ok(offer(b, &registers, sizeof registers));
	memset(&registers, 0x77, sizeof registers);
	assert_ok(offer(b, &registers, sizeof registers));
	assert_ok(withdraw(b, &back));
	assert_memory_equal(&back, &registers, sizeof back);
}

TEST_1(registers_that_are_not_there_or_asked_for_wrongly)
{
	mach_port_name_t thread = thread_self(a);
	struct registers registers = { 0 };
	uint32_t state[64] = { 0 }, count;

	for (int offered = 0; offered < 2; offered++) {
		const kern_return_t well = offered ? KERN_SUCCESS : KERN_FAILURE;

		if (offered)
			assert_ok(offer(a, &registers, sizeof registers));
		assert_code(
		    get_state(a, thread, FLAVOR_64, x86_THREAD_STATE64_COUNT, state, &count), well);
		assert_code(set_state(a, thread, FLAVOR_64, state, x86_THREAD_STATE64_COUNT), well);
		assert_code(
		    get_state(a, thread, FLAVOR_64, x86_THREAD_STATE64_COUNT - 1, state, &count),
		    KERN_INVALID_ARGUMENT);
		assert_code(get_state(a, thread, x86_THREAD_STATE, x86_THREAD_STATE64_COUNT + 1,
				      state, &count),
			    KERN_INVALID_ARGUMENT);
		assert_code(get_state(a, thread, 77, 64, state, &count), KERN_INVALID_ARGUMENT);
		assert_code(set_state(a, thread, 77, state, 64), KERN_INVALID_ARGUMENT);
		assert_code(set_state(a, thread, x86_EXCEPTION_STATE64, state, 64),
			    KERN_INVALID_ARGUMENT);
		assert_code(set_state(a, thread, FLAVOR_64, state, x86_THREAD_STATE64_COUNT - 1),
			    KERN_INVALID_ARGUMENT);
		/* a head of another width, or length */
		state[0] = FLAVOR_64;
		state[1] = 1;
		assert_code(
		    set_state(a, thread, x86_THREAD_STATE, state, x86_THREAD_STATE64_COUNT + 2),
		    KERN_INVALID_ARGUMENT);
		state[0] = 1;
		state[1] = x86_THREAD_STATE64_COUNT;
		assert_code(
		    set_state(a, thread, x86_THREAD_STATE, state, x86_THREAD_STATE64_COUNT + 2),
		    KERN_INVALID_ARGUMENT);
		assert_code(get_state(a, BERTH_NAME_TASK_SELF, FLAVOR_64, 64, state, &count),
			    KERN_INVALID_ARGUMENT);
		assert_code(set_state(a, BERTH_NAME_TASK_SELF, FLAVOR_64, state, 64),
			    KERN_INVALID_ARGUMENT);
	}
	assert_code(offer(a, &registers, sizeof registers - 4), KERN_INVALID_ARGUMENT);
	assert_code(offer(a, &registers, 0), KERN_INVALID_ARGUMENT);
}

/* ---- memory -----------------------------------------------------------------------------------
 */

TEST(exceptions_are_set_up_whole_or_not_at_all)
{
	(void)state;
	FOR_EACH_FAILURE (fault) {
		struct world *w = world_new_on(&fault, 1);
		struct actor *a = world_actor(w, 0);
		mach_port_name_t port = new_port_with_send(a);
		struct registers registers = { 0 };
		audit_token_t token = a->party->token;
		struct task *child;
		kern_return_t kr;

		assert_ok(
		    set_ports(a, BERTH_NAME_TASK_SELF, OF_TASK, BOTH, port, EXCEPTION_DEFAULT, 0));
		token.val[5]++;
		fault_arm(&fault);
		kr = offer(a, &registers, sizeof registers);
		assert_code(kr, fault.hit ? KERN_RESOURCE_SHORTAGE : KERN_SUCCESS);
		child = fault.hit ? NULL : kernel_task_new(w->kernel, &token, a->party->task, NULL);
		assert_true(fault.hit == (child == NULL));
		fault.armed = false;
		assert_int_equal(srights_of(a, port), child ? 5 : 3);
		if (child)
			task_die(w, child);
		world_free(w);
		assert_int_equal(fault.live_count, 0);
	}
}
