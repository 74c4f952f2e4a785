/* What routines on names, rights, sets and attributes need: see routine_scenarios.h. */
#include "tests/faults/routine_scenarios.h"

#include "tests/support/calls.h"

#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define COPY MACH_MSG_TYPE_COPY_SEND
#define MOVE_SEND MACH_MSG_TYPE_MOVE_SEND
#define MOVE_RECEIVE MACH_MSG_TYPE_MOVE_RECEIVE
#define FAR_NAME ((900u << 8) | 3u)
#define GUARD 7

static void
nothing(struct ask *ask)
{
}

static void
a_port(struct ask *ask)
{
	ASK_WORDS(ask, new_port_with_send(ask->caller));
}

/* ---- names and rights ------------------------------------------------------------------------ */

static void
a_port_and_a_set(struct ask *ask)
{
	new_port(ask->caller);
	new_set(ask->caller);
	new_dead_name(ask->caller);
}

static void
of_the_other(struct ask *ask)
{
	ask->target = other_task_of(ask);
}

static void
new_far_out(struct ask *ask)
{
	ASK_WORDS(ask, MACH_PORT_RIGHT_PORT_SET, FAR_NAME);
}

static void
new_receive(struct ask *ask)
{
	ASK_WORDS(ask, MACH_PORT_RIGHT_RECEIVE);
}

static void
new_receive_of_the_other(struct ask *ask)
{
	of_the_other(ask);
	new_receive(ask);
}

static void
send_refs_of(struct ask *ask)
{
	ASK_WORDS(ask, new_port_with_send(ask->caller), MACH_PORT_RIGHT_SEND);
}

static void
more_refs(struct ask *ask)
{
	ASK_WORDS(ask, new_port_with_send(ask->caller), MACH_PORT_RIGHT_SEND, 3);
}

/* Its message goes, and with it the right to another port. */
static void
a_port_with_a_message(struct ask *ask)
{
	mach_port_name_t port = new_port_with_send(ask->caller);
	struct message m = message_to(port, COPY);

	message_add_port(&m, new_port(ask->caller), MOVE_RECEIVE);
	assert_ok(msg_send(ask->caller, &m, 0, 0));
	ASK_WORDS(ask, port);
}

static void
peeked(struct ask *ask)
{
	mach_port_name_t port = new_port_with_send(ask->caller);

	fill(ask->caller, port, 2);
	ASK_WORDS(ask, port, MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0), 0, 68);
}

static void
inserted(struct ask *ask, uint32_t disposition)
{
	ask_port(ask, new_port_with_send(ask->caller), disposition);
	ASK_WORDS(ask, FAR_NAME);
}

static void
inserted_once(struct ask *ask)
{
	inserted(ask, MAKE_ONCE);
}

static void
one_more_to_insert(struct ask *ask)
{
	mach_port_name_t port = new_port_with_send(ask->caller);
	mach_msg_base_t *base = (mach_msg_base_t *)(void *)ask->request.message.bytes;

	((mach_msg_port_descriptor_t *)(void *)(base + 1))->name = port;
}

/* Given to another task, and lost if the call fails: a right goes where it was sent. */
static void
moved_to_the_other(struct ask *ask)
{
	of_the_other(ask);
	inserted(ask, MOVE_SEND);
	ask->again = one_more_to_insert;
}

static void
receive_moved_to_the_other(struct ask *ask)
{
	of_the_other(ask);
	inserted(ask, MOVE_RECEIVE);
	ask->again = one_more_to_insert;
}

static void
extracted(struct ask *ask, uint32_t disposition)
{
	ASK_WORDS(ask, new_port(ask->caller), disposition);
	ask->lasts = true;
}

static void
extracted_once(struct ask *ask)
{
	extracted(ask, MAKE_ONCE);
}

/* Lost with a reply that has no room for it: so is every receive right. */
static void
extracted_receive(struct ask *ask)
{
	mach_port_name_t port = give(ask->caller, new_port(ask->caller), MOVE_RECEIVE, ask->other);

	ask->target = other_task_of(ask);
	ask->request = rpc_to(ask->request.id);
	ASK_WORDS(ask, port, MOVE_RECEIVE);
	ask->lasts = true;
	ask->again = extracted_receive;
}

static void
small_table(struct ask *ask)
{
	ASK_WORDS(ask, 100);
}

static void
new_with_qos(struct ask *ask)
{
	ASK_WORDS(ask, MACH_PORT_RIGHT_RECEIVE, 0, 7);
}

static void
new_in_full(struct ask *ask)
{
	ask_port(ask, MACH_PORT_NULL, COPY);
	ASK_WORDS(ask, MACH_PORT_RIGHT_RECEIVE, 1, 0, FAR_NAME);
}

static void
constructed(struct ask *ask)
{
	static const mach_port_options_t options = { .flags = MPO_INSERT_SEND_RIGHT |
							      MPO_CONTEXT_AS_GUARD };

	message_add_ool(&ask->request.message, &options, sizeof options, false,
			MACH_MSG_VIRTUAL_COPY);
	ask_wide(ask, GUARD);
}

static mach_port_name_t
guarded_port(struct ask *ask)
{
	mach_port_name_t port;

	assert_ok(port_construct(ask->caller, MPO_CONTEXT_AS_GUARD | MPO_INSERT_SEND_RIGHT, 0,
				 GUARD, &port));
	return port;
}

static void
destructed(struct ask *ask)
{
	ASK_WORDS(ask, guarded_port(ask), (uint32_t)-1);
	ask_wide(ask, GUARD);
}

/* ---- sets ------------------------------------------------------------------------------------ */

static void
new_member(struct ask *ask)
{
	ASK_WORDS(ask, new_port(ask->caller), new_set(ask->caller));
}

static mach_port_name_t
member_of(struct ask *ask, mach_port_name_t set)
{
	mach_port_name_t port = new_port(ask->caller);

	assert_ok(port_insert_member(ask->caller, port, set));
	return port;
}

static void
old_member(struct ask *ask)
{
	mach_port_name_t set = new_set(ask->caller);

	ASK_WORDS(ask, member_of(ask, set), set);
}

static void
moved_member(struct ask *ask)
{
	mach_port_name_t port = member_of(ask, new_set(ask->caller));

	ASK_WORDS(ask, port, new_set(ask->caller));
}

static void
set_with_members(struct ask *ask)
{
	mach_port_name_t set = new_set(ask->caller);

	for (int i = 0; i < 3; i++)
		member_of(ask, set);
	ASK_WORDS(ask, set);
}

/* ---- notifications, attributes, guards ------------------------------------------------------- */

static void
requested(struct ask *ask)
{
	mach_port_name_t port = new_port_with_send(ask->caller);

	ask_port(ask, port, MAKE_ONCE);
	ASK_WORDS(ask, port, MACH_NOTIFY_DEAD_NAME, 0);
	ask->lasts = true;
}

/* The previous one comes back. */
static void
requested_again(struct ask *ask)
{
	mach_port_name_t port = new_port_with_send(ask->caller);

	assert_ok(port_request_notification(ask->caller, port, MACH_NOTIFY_NO_SENDERS, 0,
					    new_port(ask->caller), MAKE_ONCE, NULL));
	ask_port(ask, port, MAKE_ONCE);
	ASK_WORDS(ask, port, MACH_NOTIFY_NO_SENDERS, 0);
	ask->lasts = true;
}

static void
number_set(struct ask *ask)
{
	ASK_WORDS(ask, new_port(ask->caller), 3);
}

static void
status_got(struct ask *ask)
{
	ASK_WORDS(ask, new_port(ask->caller), MACH_PORT_RECEIVE_STATUS,
		  MACH_PORT_RECEIVE_STATUS_COUNT);
}

static void
limits_set(struct ask *ask)
{
	ASK_WORDS(ask, new_port(ask->caller), MACH_PORT_LIMITS_INFO, MACH_PORT_LIMITS_INFO_COUNT,
		  3);
}

/* Room for requests to come: an attribute that needs memory. */
static void
requests_made_room_for(struct ask *ask)
{
	ASK_WORDS(ask, new_port(ask->caller), MACH_PORT_DNREQUESTS_SIZE,
		  MACH_PORT_DNREQUESTS_SIZE_COUNT, 40);
}

static void
guard_asserted(struct ask *ask)
{
	mach_port_name_t port = new_port(ask->caller);

	assert_ok(port_guard(ask->caller, port, GUARD, MPG_STRICT));
	ASK_WORDS(ask, port, MACH_PORT_GUARD_INFO, MACH_PORT_GUARD_INFO_COUNT, GUARD, 0);
}

static void
context_set(struct ask *ask)
{
	a_port(ask);
	ask_wide(ask, GUARD);
}

static void
guarded(struct ask *ask)
{
	context_set(ask);
	ASK_WORDS(ask, TRUE);
}

static void
guarded_with_flags(struct ask *ask)
{
	context_set(ask);
	ask_wide(ask, MPG_STRICT);
}

static void
unguarded(struct ask *ask)
{
	ASK_WORDS(ask, guarded_port(ask));
	ask_wide(ask, GUARD);
}

static void
guard_swapped(struct ask *ask)
{
	unguarded(ask);
	ask_wide(ask, GUARD + 1);
}

/* ---- what no port of this kernel is ---------------------------------------------------------- */

static void
no_service_port(struct ask *ask)
{
	a_port(ask);
	ask->expected = KERN_INVALID_CAPABILITY;
}

static void
no_connection(struct ask *ask)
{
	no_service_port(ask);
	ASK_WORDS(ask, new_port(ask->caller));
}

const struct routine_row routine_scenarios_ports[] = {
	{ "mach_port_names", a_port_and_a_set },
	{ "mach_port_names", of_the_other },
	{ "mach_port_type", a_port },
	{ "mach_port_allocate_name", new_far_out },
	{ "mach_port_allocate", new_receive },
	{ "mach_port_allocate", new_receive_of_the_other },
	{ "mach_port_destroy", a_port_with_a_message },
	{ "mach_port_deallocate", a_port },
	{ "mach_port_get_refs", send_refs_of },
	{ "mach_port_mod_refs", more_refs },
	{ "mach_port_peek", peeked },
	{ "mach_port_set_mscount", number_set },
	{ "mach_port_get_set_status", set_with_members },
	{ "mach_port_move_member", moved_member },
	{ "mach_port_request_notification", requested },
	{ "mach_port_request_notification", requested_again },
	{ "mach_port_insert_right", inserted_once },
	{ "mach_port_insert_right", moved_to_the_other },
	{ "mach_port_insert_right", receive_moved_to_the_other },
	{ "mach_port_extract_right", extracted_once },
	{ "mach_port_extract_right", extracted_receive },
	{ "mach_port_set_seqno", number_set },
	{ "mach_port_get_attributes", status_got },
	{ "mach_port_set_attributes", limits_set },
	{ "mach_port_set_attributes", requests_made_room_for },
	{ "mach_port_allocate_qos", new_with_qos },
	{ "mach_port_allocate_full", new_in_full },
	{ "task_set_port_space", small_table },
	{ "mach_port_get_srights", a_port },
	{ "mach_port_space_info", a_port_and_a_set },
	{ "mach_port_space_info", of_the_other },
	{ "mach_port_dnrequest_info", a_port },
	{ "mach_port_kernel_object", a_port },
	{ "mach_port_insert_member", new_member },
	{ "mach_port_extract_member", old_member },
	{ "mach_port_get_context", a_port },
	{ "mach_port_set_context", context_set },
	{ "mach_port_kobject", a_port },
	{ "mach_port_construct", constructed },
	{ "mach_port_destruct", destructed },
	{ "mach_port_guard", guarded },
	{ "mach_port_unguard", unguarded },
	{ "mach_port_space_basic_info", nothing },
	{ "mach_port_special_reply_port_reset_link", no_service_port },
	{ "mach_port_guard_with_flags", guarded_with_flags },
	{ "mach_port_swap_guard", guard_swapped },
	{ "mach_port_kobject_description", a_port },
	{ "mach_port_is_connection_for_service", no_connection },
	{ "mach_port_get_service_port_info", no_service_port },
	{ "mach_port_assert_attributes", guard_asserted },
	{ 0 },
};
