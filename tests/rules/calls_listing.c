/* Looking at a space, counters, peek and self ports: mach-ports.md §9.16, §9.17, §10. */
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"

/* The type that mach_port_names tells of @name, or 0. */
static mach_port_type_t
listed_type(struct actor *t, mach_port_name_t name)
{
	const uint32_t *words;
	uint64_t count;
	mach_port_type_t type = 0;

	assert_ok(trap(t, BERTH_TRAP_PORT_NAMES, t->target, 0, 0, 0, 0, 0));
	count = t->outcome.values[0];
	assert_int_equal(t->outcome.bytes_size, count * 8);
	words = (const uint32_t *)(const void *)t->outcome.bytes;
	for (uint64_t i = 0; i < count; i++) {
		assert_true(i == 0 || words[i - 1] < words[i]); /* in index order */
		if (words[i] == name)
			type = words[count + i];
	}
	return type;
}

TEST_1(names_lists_each_kind_of_entry)
{
	mach_port_name_t port = new_port_with_send(a), set = new_set(a), dead = new_dead_name(a);
	mach_port_name_t once = new_send_once(a, port);

	assert_int_equal(listed_type(a, port), MACH_PORT_TYPE_SEND_RECEIVE);
	assert_int_equal(listed_type(a, set), MACH_PORT_TYPE_PORT_SET);
	assert_int_equal(listed_type(a, dead), MACH_PORT_TYPE_DEAD_NAME);
	assert_int_equal(listed_type(a, once), MACH_PORT_TYPE_SEND_ONCE);
	assert_int_equal(listed_type(a, 0x103), MACH_PORT_TYPE_SEND);
	assert_int_equal(listed_type(a, 0x7703), 0);
}

TEST_1(names_tells_of_requests)
{
	mach_port_name_t one = new_port_with_send(a), two = new_port_with_send(a),
			 notify = new_port(a);

	assert_ok(port_request_notification(a, one, MACH_NOTIFY_DEAD_NAME, 0, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	fill(a, two, 5);
	assert_ok(port_request_notification(a, two, MACH_NOTIFY_SEND_POSSIBLE, 1, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	assert_true(listed_type(a, one) & MACH_PORT_TYPE_DNREQUEST);
	assert_true(listed_type(a, two) & MACH_PORT_TYPE_SPREQUEST);
}

TEST_1(type_tells_of_null_dead_and_requests)
{
	mach_port_name_t port = new_port_with_send(a), notify = new_port(a);
	mach_port_type_t type;

	assert_refused_without_trace(w, port_type(a, 0, &type), KERN_INVALID_NAME);
	assert_ok(port_type(a, MACH_PORT_DEAD, &type));
	assert_int_equal(type, MACH_PORT_TYPE_DEAD_NAME);
	assert_refused_without_trace(w, port_type(a, 0x7703, &type), KERN_INVALID_NAME);
	assert_ok(port_request_notification(a, port, MACH_NOTIFY_DEAD_NAME, 0, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	assert_ok(port_type(a, port, &type));
	assert_int_equal(type, MACH_PORT_TYPE_SEND_RECEIVE | MACH_PORT_TYPE_DNREQUEST);
}

TEST_1(type_strips_send_possible_bits_and_keeps_dnrequest)
{
	mach_port_name_t port = new_port_with_send(a), notify = new_port(a);
	mach_port_type_t type;

	fill(a, port, 5);
	assert_ok(port_request_notification(a, port, MACH_NOTIFY_SEND_POSSIBLE, 1, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	assert_ok(port_type(a, port, &type));
	assert_int_equal(type, MACH_PORT_TYPE_SEND_RECEIVE | MACH_PORT_TYPE_DNREQUEST);
}

TEST_1(kobject_tells_plain_ports_from_kernel_objects)
{
	mach_port_name_t port = new_port(a), set = new_set(a), once = new_send_once(a, port);

	assert_ok(trap(a, BERTH_TRAP_PORT_KOBJECT, a->target, port, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], 0);
	assert_int_equal(a->outcome.values[1], 0);
	assert_ok(trap(a, BERTH_TRAP_PORT_KOBJECT, a->target, 0x103, 0, 0, 0, 0));
	assert_int_not_equal(a->outcome.values[0], 0);
	assert_int_equal(a->outcome.values[1], 0);
	assert_refused_without_trace(
	    w, trap(a, BERTH_TRAP_PORT_KOBJECT, a->target, 0x7703, 0, 0, 0, 0), KERN_INVALID_NAME);
	assert_refused_without_trace(
	    w, trap(a, BERTH_TRAP_PORT_KOBJECT, a->target, set, 0, 0, 0, 0), KERN_INVALID_RIGHT);
	assert_refused_without_trace(
	    w, trap(a, BERTH_TRAP_PORT_KOBJECT, a->target, once, 0, 0, 0, 0), KERN_INVALID_RIGHT);
}

TEST_1(space_info_has_a_row_for_each_entry)
{
	struct {
		uint32_t words[7];
	} row;
	mach_port_name_t port = new_port_with_send(a);
	uint32_t rows, in_use = 0;
	bool seen = false;

	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_SEND, 4));
	assert_ok(trap(a, BERTH_TRAP_PORT_SPACE_INFO, a->target, 0, 0, 0, 0, 0));
	assert_int_equal(a->outcome.bytes_size % sizeof row, 0);
	rows = a->outcome.bytes_size / sizeof row;
	for (uint32_t i = 0; i < rows; i++) {
		memcpy(&row, a->outcome.bytes + i * sizeof row, sizeof row);
		in_use += row.words[2] != 0;
		if (row.words[0] == port) {
			assert_int_equal(row.words[2] & MACH_PORT_TYPE_ALL_RIGHTS,
					 MACH_PORT_TYPE_SEND_RECEIVE);
			assert_int_equal(row.words[3], 5);
			seen = true;
		}
	}
	assert_true(seen);
	assert_int_equal(a->outcome.values[2], in_use);
}

TEST_1(dnrequest_info_counts_the_slots_in_use)
{
	mach_port_name_t port = new_port_with_send(a), notify = new_port(a);

	assert_ok(trap(a, BERTH_TRAP_PORT_DNREQUEST_INFO, a->target, port, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], 0);
	assert_int_equal(a->outcome.values[1], 0);
	assert_ok(port_request_notification(a, port, MACH_NOTIFY_DEAD_NAME, 0, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	assert_ok(trap(a, BERTH_TRAP_PORT_DNREQUEST_INFO, a->target, port, 0, 0, 0, 0));
	assert_true(a->outcome.values[0] >= 1);
	assert_int_equal(a->outcome.values[1], 1);
	assert_code(trap(a, BERTH_TRAP_PORT_DNREQUEST_INFO, a->target, 0x7703, 0, 0, 0, 0),
		    KERN_INVALID_NAME);
}

/* ---- counters ----------------------------------------------------------------------------------
 */

TEST_1(set_mscount_and_set_seqno_store_what_they_are_given)
{
	mach_port_name_t port = new_port_with_send(a);

	assert_ok(port_set_mscount(a, port, 1234));
	assert_ok(port_set_seqno(a, port, 0xfffffffe));
	assert_int_equal(status_of(a, port).mps_mscount, 1234);
	assert_int_equal(status_of(a, port).mps_seqno, 0xfffffffe);
	fill(a, port, 3);
	take(a, port, &got);
	assert_int_equal(got.trailer.msgh_seqno, 0xfffffffe);
	take(a, port, &got);
	take(a, port, &got);
	assert_int_equal(got.trailer.msgh_seqno, 0);
}

TEST_1(counter_calls_make_their_checks_in_order)
{
	mach_port_name_t sends = host_self(a);
	uint32_t count;

	for (int i = 0; i < 2; i++) {
		mach_port_name_t name = i ? MACH_PORT_DEAD : MACH_PORT_NULL;

		assert_refused_without_trace(w, port_set_mscount(a, name, 1), KERN_INVALID_RIGHT);
		assert_refused_without_trace(w, port_set_seqno(a, name, 1), KERN_INVALID_RIGHT);
	}
	assert_refused_without_trace(w, port_set_mscount(a, 0x7703, 1), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_set_seqno(a, 0x7703, 1), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_get_srights(a, 0x7703, &count), KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_set_mscount(a, sends, 1), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_set_seqno(a, sends, 1), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, port_get_srights(a, sends, &count), KERN_INVALID_RIGHT);
}

static kern_return_t
peek(struct actor *t, mach_port_name_t name, uint32_t type, uint32_t seqno, uint32_t capacity)
{
	return trap(t, BERTH_TRAP_PORT_PEEK, t->target, name, type, seqno, capacity, 0);
}

TEST_1(peek_tells_of_a_message_that_stays_queued)
{
	mach_port_name_t port = new_port_with_send(a);

	fill(a, port, 3);
	assert_ok(peek(a, port, MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT), 0, 68));
	assert_int_equal(a->outcome.values[0], 0);
	assert_int_equal(a->outcome.values[2], 1);
	assert_int_equal(a->outcome.values[3], 52);
	assert_true(a->outcome.values[1] >= 24);
	assert_int_equal(take_id(a, port), 1);
	assert_ok(peek(a, port, 0, 2, 68));
	assert_int_equal(a->outcome.values[2], 3);
	assert_int_equal(msgcount_of(a, port), 2);
}

TEST_1(peek_makes_its_checks_in_order)
{
	mach_port_name_t port = new_port_with_send(a);

	assert_refused_without_trace(w, peek(a, 0, MACH_RCV_TRAILER_ELEMENTS(9), 0, 0),
				     KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, peek(a, MACH_PORT_DEAD, 0, 0, 68), KERN_INVALID_RIGHT);
	assert_refused_without_trace(
	    w, peek(a, 0x7703, MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_CTX), 0, 68),
	    KERN_INVALID_VALUE);
	assert_refused_without_trace(
	    w, peek(a, 0x7703, MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT), 0, 51),
	    KERN_INVALID_VALUE);
	assert_refused_without_trace(w, peek(a, 0x7703, 0, 0, 68), KERN_INVALID_NAME);
	assert_refused_without_trace(w, peek(a, port, 0, 0, 68), KERN_FAILURE);
	fill(a, port, 2);
	assert_refused_without_trace(w, peek(a, port, 0, 2, 68), KERN_FAILURE);
	assert_int_equal(take_id(a, port), 1);
	assert_int_equal(take_id(a, port), 2);
	fill(a, port, 1);
	assert_refused_without_trace(w, peek(a, port, 0, 1, 68), KERN_FAILURE);
	assert_refused_without_trace(w, peek(a, port, 0, 3, 68), KERN_FAILURE);
	assert_ok(peek(a, port, 0, 2, 68));
}

TEST_1(get_srights_and_peek_look_at_the_name)
{
	mach_port_name_t sends = host_self(a), set = new_set(a);
	uint32_t count;

	for (int i = 0; i < 2; i++)
		assert_refused_without_trace(
		    w, port_get_srights(a, i ? MACH_PORT_DEAD : MACH_PORT_NULL, &count),
		    KERN_INVALID_NAME);
	assert_refused_without_trace(w, port_get_srights(a, set, &count), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, peek(a, sends, 0, 0, 68), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, peek(a, set, 0, 0, 68), KERN_INVALID_RIGHT);
}

/* ---- self and reply ports (§10)
 * ------------------------------------------------------------------ */

TEST_1(self_ports_gain_a_reference_with_each_call)
{
	mach_port_name_t thread = thread_self(a), host = host_self(a);
	uint32_t task_refs = send_refs(a, 0x103);

	assert_int_equal(thread_self(a), thread);
	assert_entry(a, thread, MACH_PORT_TYPE_SEND, 2);
	assert_int_equal(host_self(a), host);
	assert_entry(a, host, MACH_PORT_TYPE_SEND, 2);
	assert_int_equal(task_self(a), 0x103);
	assert_int_equal(send_refs(a, 0x103), task_refs + 1);
}

TEST_1(each_thread_has_a_port_of_its_own)
{
	struct actor *other = world_thread_new(a->party);

	assert_int_not_equal(thread_self(a), thread_self(other));
}

TEST_1(a_thread_port_is_dead_after_its_thread)
{
	struct actor *other = world_thread_new(a->party);
	mach_port_name_t thread = thread_self(other);

	world_thread_exit(other);
	assert_entry(a, thread, MACH_PORT_TYPE_DEAD_NAME, 1);
}

TEST_1(a_reply_port_is_a_lone_receive_right)
{
	mach_port_name_t port = reply_port(a);

	assert_entry(a, port, MACH_PORT_TYPE_RECEIVE, 0);
	assert_int_not_equal(reply_port(a), port);
}

TEST_1(a_special_reply_port_is_new_with_each_call_and_the_old_one_stays_a_port)
{
	mach_port_name_t one = special_reply_port(a), two = special_reply_port(a);

	assert_int_not_equal(one, two);
	assert_entry(a, one, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	assert_entry(a, two, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	fill(a, one, 1);
	assert_int_equal(take_id(a, one), 1);
}

TEST_1(task_is_self_knows_the_own_task)
{
	mach_port_name_t port = new_port_with_send(a);

	assert_ok(trap(a, BERTH_TRAP_TASK_IS_SELF, 0x103, 0, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], 1);
	assert_ok(trap(a, BERTH_TRAP_TASK_IS_SELF, port, 0, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], 0);
}

TEST_2(pid_for_task_tells_the_pid_of_any_task)
{
	mach_port_name_t task = give(b, 0x103, MACH_MSG_TYPE_COPY_SEND, a);

	assert_ok(trap(a, BERTH_TRAP_PID_FOR_TASK, task, 0, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], b->party->token.val[5]);
	assert_code(trap(a, BERTH_TRAP_PID_FOR_TASK, new_port_with_send(a), 0, 0, 0, 0, 0),
		    KERN_FAILURE);
}
