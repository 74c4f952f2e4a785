/* What each trap needs to succeed once: see trap_scenarios.h. */
#include "tests/faults/trap_scenario_parts.h"

#include <string.h>

#include "tests/support/calls.h"

#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define COPY MACH_MSG_TYPE_COPY_SEND
#define FAR_NAME ((5000u << 8) | 3u)

void
call_args(struct call *c, uint64_t one, uint64_t two, uint64_t three, uint64_t four)
{
	c->frame.args[1] = one;
	c->frame.args[2] = two;
	c->frame.args[3] = three;
	c->frame.args[4] = four;
}

void
call_bytes(struct call *c, const void *bytes, uint32_t size_bytes)
{
	assert_true(size_bytes <= sizeof c->bytes);
	memcpy(c->bytes, bytes, size_bytes);
	c->frame.bytes = c->bytes;
	c->frame.bytes_size = size_bytes;
}

/* ---- what has no name for its subject -------------------------------------------------------- */

static void
nothing(struct call *c)
{
}

static void
a_name(struct call *c)
{
	c->gives_name = true;
}

/* Without memory out of line, whose failure consumes the body: allocations.c has that. */
static void
a_message(struct call *c)
{
	mach_port_name_t port = new_port(c->caller), moves = new_port(c->caller);
	struct message *m = &c->message;

	*m = message_to(c->caller->party->mailbox_of[1], COPY);
	message_reply(m, port, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	message_add_port(m, port, MAKE);
	message_add_port(m, moves, MACH_MSG_TYPE_MOVE_RECEIVE);
	message_header(m)->msgh_size = m->size_bytes;
	c->frame.args[0] = MACH_SEND_MSG | MACH_SEND_TIMEOUT;
	c->frame.args[1] = m->size_bytes;
	c->frame.bytes = m->bytes;
	c->frame.bytes_size = m->size_bytes;
	c->frame.pieces = m->pieces;
	c->frame.piece_count = m->piece_count;
}

/* ---- names ----------------------------------------------------------------------------------- */

static void
new_receive(struct call *c)
{
	call_args(c, MACH_PORT_RIGHT_RECEIVE, 0, 0, 0);
}

static void
new_far_out(struct call *c)
{
	call_args(c, MACH_PORT_RIGHT_PORT_SET, FAR_NAME, 0, 0);
}

static void
new_far_out_full(struct call *c)
{
	call_args(c, MACH_PORT_RIGHT_RECEIVE, FAR_NAME, 1, 0);
}

static void
constructed(struct call *c)
{
	call_args(c, MPO_INSERT_SEND_RIGHT | MPO_QLIMIT | MPO_CONTEXT_AS_GUARD, 3, 4711, 0);
}

static void
own_port(struct call *c)
{
	call_args(c, new_port_with_send(c->caller), 0, 0, 0);
}

static void
guarded_port(struct call *c)
{
	mach_port_name_t port;

	assert_ok(port_construct(c->caller, MPO_CONTEXT_AS_GUARD, 0, 7, &port));
	call_args(c, port, 7, 8, 0);
}

static void
destructed(struct call *c)
{
	mach_port_name_t port;

	assert_ok(
	    port_construct(c->caller, MPO_CONTEXT_AS_GUARD | MPO_INSERT_SEND_RIGHT, 0, 7, &port));
	call_args(c, port, (uint64_t)-1, 7, 0);
}

static void
send_refs_of(struct call *c)
{
	call_args(c, new_port_with_send(c->caller), MACH_PORT_RIGHT_SEND, 0, 0);
}

static void
more_refs(struct call *c)
{
	call_args(c, new_port_with_send(c->caller), MACH_PORT_RIGHT_SEND, 3, 0);
}

static void
inserted(struct call *c)
{
	c->consumes = new_port(c->caller);
	call_args(c, FAR_NAME, c->consumes, MACH_MSG_TYPE_MAKE_SEND_ONCE, 0);
}

static void
extracted(struct call *c)
{
	call_args(c, new_port(c->caller), MACH_MSG_TYPE_MAKE_SEND_ONCE, 0, 0);
}

/* ---- sets ------------------------------------------------------------------------------------ */

static void
new_member(struct call *c)
{
	call_args(c, new_port(c->caller), new_set(c->caller), 0, 0);
}

static void
old_member(struct call *c)
{
	new_member(c);
	assert_ok(port_insert_member(c->caller, (mach_port_name_t)c->frame.args[1],
				     (mach_port_name_t)c->frame.args[2]));
}

static void
moved_member(struct call *c)
{
	old_member(c);
	c->frame.args[2] = new_set(c->caller);
}

static void
set_with_members(struct call *c)
{
	mach_port_name_t set = new_set(c->caller);

	for (int i = 0; i < 3; i++)
		assert_ok(port_insert_member(c->caller, new_port(c->caller), set));
	call_args(c, set, 0, 0, 0);
}

/* ---- attributes, requests, looking ----------------------------------------------------------- */

static void
requested(struct call *c)
{
	c->consumes = new_port(c->caller);
	call_args(c, new_port_with_send(c->caller), MACH_NOTIFY_DEAD_NAME, 0, c->consumes);
	c->frame.args[5] = MACH_MSG_TYPE_MAKE_SEND_ONCE;
}

static void
attributes(struct call *c)
{
	call_args(c, new_port(c->caller), MACH_PORT_RECEIVE_STATUS, MACH_PORT_RECEIVE_STATUS_COUNT,
		  0);
}

static void
limits_set(struct call *c)
{
	const mach_port_limits_t limits = { .mpl_qlimit = 3 };

	call_args(c, new_port(c->caller), MACH_PORT_LIMITS_INFO, MACH_PORT_LIMITS_INFO_COUNT, 0);
	call_bytes(c, &limits, sizeof limits);
}

static void
guard_asserted(struct call *c)
{
	const mach_port_guard_info_t guard = { .mpgi_guard = 7 };

	mach_port_name_t port = new_port(c->caller);

	assert_ok(port_guard(c->caller, port, 7, MPG_STRICT));
	call_args(c, port, MACH_PORT_GUARD_INFO, MACH_PORT_GUARD_INFO_COUNT, 0);
	call_bytes(c, &guard, sizeof guard);
}

static void
number_set(struct call *c)
{
	call_args(c, new_port(c->caller), 3, 0, 0);
}

static void
peeked(struct call *c)
{
	mach_port_name_t port = new_port_with_send(c->caller);

	fill(c->caller, port, 2);
	call_args(c, port, 0, 0, sizeof(mach_msg_trailer_t));
}

static void
no_rights(struct call *c)
{
	new_set(c->caller);
	new_dead_name(c->caller);
}

static void
own_task(struct call *c)
{
	call_args(c, BERTH_NAME_TASK_SELF, 0, 0, 0);
}

/*
 * The scenario of each trap.  Whoever adds a trap adds one here: without it this file is not
 * compiled.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wswitch"

scenario *
scenario_of(enum berth_trap_number number)
{
	switch (number) {
	case BERTH_TRAP_NONE:
	case BERTH_TRAP_CARRIER_FIND: /* the host answers it */
	case BERTH_TRAP_LIMIT:
		return NULL;
	case BERTH_TRAP_MSG:
		return a_message;
	case BERTH_TRAP_REPLY_PORT:
	case BERTH_TRAP_TASK_SELF:
	case BERTH_TRAP_THREAD_SELF:
	case BERTH_TRAP_HOST_SELF:
	case BERTH_TRAP_GET_SPECIAL_REPLY_PORT:
		return a_name;
	case BERTH_TRAP_LANE_BEGIN:
		return first_lanes;
	case BERTH_TRAP_LANE_GATES:
		return own_gates;
	case BERTH_TRAP_LANE_OPEN:
		return new_lane;
	case BERTH_TRAP_LANE_ACCEPT:
		return offered_lane;
	case BERTH_TRAP_LANE_BIND:
		return lane_to_bind;
	case BERTH_TRAP_LANE_CLOSE:
		return used_lane;
	case BERTH_TRAP_PORT_ALLOCATE:
		return new_receive;
	case BERTH_TRAP_PORT_ALLOCATE_NAME:
		return new_far_out;
	case BERTH_TRAP_PORT_ALLOCATE_FULL:
		return new_far_out_full;
	case BERTH_TRAP_PORT_CONSTRUCT:
		return constructed;
	case BERTH_TRAP_PORT_DESTRUCT:
		return destructed;
	case BERTH_TRAP_PORT_DESTROY:
	case BERTH_TRAP_PORT_DEALLOCATE:
	case BERTH_TRAP_PORT_GET_CONTEXT:
	case BERTH_TRAP_PORT_GET_SRIGHTS:
	case BERTH_TRAP_PORT_TYPE:
	case BERTH_TRAP_PORT_DNREQUEST_INFO:
		return own_port;
	case BERTH_TRAP_PORT_GET_REFS:
		return send_refs_of;
	case BERTH_TRAP_PORT_MOD_REFS:
		return more_refs;
	case BERTH_TRAP_PORT_INSERT_RIGHT:
		return inserted;
	case BERTH_TRAP_PORT_EXTRACT_RIGHT:
		return extracted;
	case BERTH_TRAP_PORT_INSERT_MEMBER:
		return new_member;
	case BERTH_TRAP_PORT_EXTRACT_MEMBER:
		return old_member;
	case BERTH_TRAP_PORT_MOVE_MEMBER:
		return moved_member;
	case BERTH_TRAP_PORT_GET_SET_STATUS:
		return set_with_members;
	case BERTH_TRAP_PORT_REQUEST_NOTIFICATION:
		return requested;
	case BERTH_TRAP_PORT_GET_ATTRIBUTES:
		return attributes;
	case BERTH_TRAP_PORT_SET_ATTRIBUTES:
		return limits_set;
	case BERTH_TRAP_PORT_ASSERT_ATTRIBUTES:
		return guard_asserted;
	case BERTH_TRAP_PORT_SET_CONTEXT:
	case BERTH_TRAP_PORT_GUARD:
	case BERTH_TRAP_PORT_SET_MSCOUNT:
	case BERTH_TRAP_PORT_SET_SEQNO:
		return number_set;
	case BERTH_TRAP_PORT_UNGUARD:
	case BERTH_TRAP_PORT_SWAP_GUARD:
		return guarded_port;
	case BERTH_TRAP_PORT_PEEK:
		return peeked;
	case BERTH_TRAP_PORT_NAMES:
	case BERTH_TRAP_PORT_SPACE_INFO:
		return no_rights;
	case BERTH_TRAP_PORT_KOBJECT:
		return own_task;
	case BERTH_TRAP_TASK_GET_SPECIAL_PORT:
		return special;
	case BERTH_TRAP_TASK_SET_SPECIAL_PORT:
		return special_set;
	case BERTH_TRAP_PORTS_REGISTER:
		return registered_set;
	case BERTH_TRAP_PORTS_LOOKUP:
		return registered;
	case BERTH_TRAP_TASK_IS_SELF:
	case BERTH_TRAP_PID_FOR_TASK:
		return nothing;
	case BERTH_TRAP_SEMAPHORE_SIGNAL:
	case BERTH_TRAP_SEMAPHORE_SIGNAL_ALL:
	case BERTH_TRAP_SEMAPHORE_SIGNAL_THREAD:
		return semaphore_with_waiter;
	case BERTH_TRAP_SEMAPHORE_WAIT:
	case BERTH_TRAP_SEMAPHORE_TIMEDWAIT:
		return semaphore_with_count;
	case BERTH_TRAP_SEMAPHORE_WAIT_SIGNAL:
	case BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL:
		return two_semaphores;
	case BERTH_TRAP_PORT_WATCH:
		return watched;
	case BERTH_TRAP_CTL_INFO:
	case BERTH_TRAP_CTL_COUNT:
	case BERTH_TRAP_CTL_FIND:
		return control;
	case BERTH_TRAP_KEV_ID:
	case BERTH_TRAP_SYSTEM_STATISTICS:
		return nothing;
	case BERTH_TRAP_KEV_VENDOR:
		return vendor;
	case BERTH_TRAP_MK_TIMER_CREATE:
		return nothing;
	case BERTH_TRAP_MK_TIMER_DESTROY:
	case BERTH_TRAP_MK_TIMER_ARM:
		return timer;
	case BERTH_TRAP_MK_TIMER_ARM_LEEWAY:
		return timer_with_leeway;
	case BERTH_TRAP_MK_TIMER_CANCEL:
		return armed_timer;
	case BERTH_TRAP_HOST_CREATE_MACH_VOUCHER:
		return new_voucher;
	case BERTH_TRAP_MACH_VOUCHER_EXTRACT_ATTR_RECIPE:
		return voucher;
	case BERTH_TRAP_FILEPORT_MAKE:
		return made_fileport;
	case BERTH_TRAP_FILEPORT_OPEN:
		return fileport;
	case BERTH_TRAP_THREAD_STATE_OFFER:
		return offered_state;
	case BERTH_TRAP_THREAD_STATE_WITHDRAW:
		return state_to_withdraw;
	case BERTH_TRAP_TASK_FOR_PID:
	case BERTH_TRAP_TASK_NAME_FOR_PID:
		return other_task;
	case BERTH_TRAP_TASK_PROCESS:
	case BERTH_TRAP_TASK_SUSPEND:
	case BERTH_TRAP_TASK_SUSPEND2:
		return port_of_other_task;
	case BERTH_TRAP_TASK_THREADS:
		return threads_of_other_task;
	case BERTH_TRAP_THREAD_PROCESS:
		return own_thread;
	case BERTH_TRAP_TASK_RESUME:
		return suspended_task;
	case BERTH_TRAP_MEMORY_ENTRY_MAKE:
		return made_memory_entry;
	case BERTH_TRAP_MEMORY_ENTRY_OPEN:
		return memory_entry;
	case BERTH_TRAP_HOST_GET_CLOCK_CONTROL:
		return clock_of_host;
	case BERTH_TRAP_CLOCK_CONTROL_ID:
		return clock_control;
	case BERTH_TRAP_THREAD_SUSPEND:
	case BERTH_TRAP_THREAD_ABORT:
	case BERTH_TRAP_THREAD_TERMINATE:
		return thread_beside;
	case BERTH_TRAP_THREAD_RESUME:
		return suspended_thread;
	case BERTH_TRAP_THREAD_HOLD:
		return nothing;
	case BERTH_TRAP_HOST_EXCEPTION_PORT:
		return handler_of_host;
	}
	return NULL;
}

#pragma GCC diagnostic pop
