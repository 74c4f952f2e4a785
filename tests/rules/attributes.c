/* Attributes: mach-ports.md §9.14. */
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"

static uint32_t info[32];

static kern_return_t
get(struct actor *t, mach_port_name_t name, int flavor, uint32_t count)
{
	return port_get_attributes(t, name, flavor, info, &count);
}

static kern_return_t
set(struct actor *t, mach_port_name_t name, int flavor, uint32_t count)
{
	return port_set_attributes(t, name, flavor, info, count);
}

TEST_1(get_attributes_looks_at_the_count_first)
{
	assert_refused_without_trace(w, get(a, 0, MACH_PORT_LIMITS_INFO, 0), KERN_FAILURE);
	assert_refused_without_trace(w, get(a, 0x7703, MACH_PORT_RECEIVE_STATUS, 9), KERN_FAILURE);
	assert_refused_without_trace(w, get(a, 0, MACH_PORT_DNREQUESTS_SIZE, 0), KERN_FAILURE);
	assert_refused_without_trace(w, get(a, 0x7703, MACH_PORT_INFO_EXT, 16), KERN_FAILURE);
}

TEST_1(get_attributes_of_null_and_dead_is_told_by_flavor)
{
	for (int i = 0; i < 2; i++) {
		mach_port_name_t name = i ? MACH_PORT_DEAD : MACH_PORT_NULL;
		uint32_t count = 5;

		assert_ok(port_get_attributes(a, name, MACH_PORT_LIMITS_INFO, info, &count));
		assert_int_equal(count, 0);
		count = 1;
		info[0] = 99;
		assert_ok(port_get_attributes(a, name, MACH_PORT_DNREQUESTS_SIZE, info, &count));
		assert_int_equal(count, 1);
		assert_int_equal(info[0], 0);
		assert_refused_without_trace(w, get(a, name, MACH_PORT_RECEIVE_STATUS, 10),
					     KERN_INVALID_RIGHT);
		assert_refused_without_trace(w, get(a, name, MACH_PORT_INFO_EXT, 17),
					     KERN_INVALID_RIGHT);
	}
}

TEST_2(get_attributes_wants_a_receive_right)
{
	mach_port_name_t sends = give(b, new_port_with_send(b), MACH_MSG_TYPE_COPY_SEND, a);
	static const int flavors[] = { MACH_PORT_LIMITS_INFO, MACH_PORT_RECEIVE_STATUS,
				       MACH_PORT_DNREQUESTS_SIZE, MACH_PORT_INFO_EXT };

	for (size_t i = 0; i < sizeof flavors / sizeof flavors[0]; i++) {
		assert_refused_without_trace(w, get(a, 0x7703, flavors[i], 20), KERN_INVALID_NAME);
		assert_refused_without_trace(w, get(a, sends, flavors[i], 20), KERN_INVALID_RIGHT);
	}
}

TEST_1(unknown_flavors_are_invalid_arguments)
{
	mach_port_name_t port = new_port(a);

	memset(info, 0, sizeof info);
	assert_refused_without_trace(w, get(a, port, 0, 20), KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, get(a, port, 99, 20), KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, set(a, port, 99, 20), KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, set(a, port, MACH_PORT_RECEIVE_STATUS, 10),
				     KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(
	    w, port_assert_attributes(a, port, MACH_PORT_LIMITS_INFO, info, 1),
	    KERN_INVALID_ARGUMENT);
}

TEST_1(set_attributes_makes_its_checks_in_order)
{
	mach_port_name_t port = new_port(a);

	info[0] = 1025;
	assert_refused_without_trace(w, set(a, 0, MACH_PORT_LIMITS_INFO, 0), KERN_FAILURE);
	assert_refused_without_trace(w, set(a, 0, MACH_PORT_LIMITS_INFO, 1), KERN_INVALID_VALUE);
	info[0] = 1024;
	assert_refused_without_trace(w, set(a, 0, MACH_PORT_LIMITS_INFO, 1), KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, set(a, MACH_PORT_DEAD, MACH_PORT_LIMITS_INFO, 1),
				     KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, set(a, 0x7703, MACH_PORT_LIMITS_INFO, 1),
				     KERN_INVALID_NAME);
	assert_ok(set(a, port, MACH_PORT_LIMITS_INFO, 1));
	assert_int_equal(status_of(a, port).mps_qlimit, 1024);
}

TEST_1(dnrequests_size_is_set_without_effect)
{
	mach_port_name_t port = new_port(a);

	info[0] = 64;
	assert_refused_without_trace(w, set(a, port, MACH_PORT_DNREQUESTS_SIZE, 0), KERN_FAILURE);
	assert_refused_without_trace(w, set(a, 0, MACH_PORT_DNREQUESTS_SIZE, 1),
				     KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, set(a, port, MACH_PORT_DNREQUESTS_SIZE, 1), KERN_SUCCESS);
}

TEST_1(lowering_the_limit_drops_no_messages)
{
	mach_port_name_t port = new_port_with_send(a);

	fill(a, port, 5);
	set_qlimit(a, port, 1);
	assert_int_equal(msgcount_of(a, port), 5);
	for (int i = 1; i <= 5; i++)
		assert_int_equal(take_id(a, port), i);
}

TEST_1(the_status_tells_the_ports_counters)
{
	mach_port_name_t port = new_port_with_send(a), set_name = new_set(a), notify = new_port(a);
	mach_port_status_t status;

	assert_ok(port_insert_right(a, port, port, MACH_MSG_TYPE_MAKE_SEND));
	new_send_once(a, port);
	assert_ok(port_insert_member(a, port, set_name));
	fill(a, port, 3);
	take_id(a, port);
	assert_ok(port_request_notification(a, port, MACH_NOTIFY_NO_SENDERS, 0, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	assert_ok(port_request_notification(a, port, MACH_NOTIFY_PORT_DESTROYED, 0, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	status = status_of(a, port);
	assert_int_equal(status.mps_pset, 1);
	assert_int_equal(status.mps_seqno, 1);
	assert_int_equal(status.mps_mscount, 2);
	assert_int_equal(status.mps_qlimit, 5);
	assert_int_equal(status.mps_msgcount, 2);
	assert_int_equal(status.mps_sorights, 1);
	assert_int_equal(status.mps_srights, 1);
	assert_int_equal(status.mps_nsrequest, 1);
	assert_int_equal(status.mps_pdrequest, 1);
	assert_int_equal(status_of(a, notify).mps_sorights, 2);
}

TEST_1(info_ext_starts_with_the_status)
{
	mach_port_name_t port = new_port_with_send(a);
	mach_port_status_t status = status_of(a, port);
	uint32_t count = 17;

	memset(info, 0xff, sizeof info);
	assert_ok(port_get_attributes(a, port, MACH_PORT_INFO_EXT, info, &count));
	assert_int_equal(count, 17);
	assert_memory_equal(info, &status, sizeof status);
	assert_int_equal(info[10], 0);
}

TEST_1(service_throttled_is_for_service_ports)
{
	mach_port_name_t port = new_port(a);

	assert_refused_without_trace(w, get(a, 0, MACH_PORT_SERVICE_THROTTLED, 1),
				     KERN_INVALID_RIGHT);
	assert_refused_without_trace(w, get(a, port, MACH_PORT_SERVICE_THROTTLED, 1),
				     KERN_INVALID_CAPABILITY);
}

TEST_1(assert_attributes_checks_a_strict_guard)
{
	mach_port_name_t port = new_port(a), strict = new_port(a);
	mach_port_guard_info_t guard = { 5 };

	assert_ok(port_guard(a, strict, 5, MPG_STRICT));
	assert_refused_without_trace(
	    w, port_assert_attributes(a, 0, MACH_PORT_GUARD_INFO, &guard, 1), KERN_FAILURE);
	assert_refused_without_trace(
	    w, port_assert_attributes(a, 0, MACH_PORT_GUARD_INFO, &guard, 2), KERN_INVALID_RIGHT);
	assert_refused_without_trace(
	    w, port_assert_attributes(a, 0x7703, MACH_PORT_GUARD_INFO, &guard, 2),
	    KERN_INVALID_NAME);
	assert_refused_without_trace(
	    w, port_assert_attributes(a, port, MACH_PORT_GUARD_INFO, &guard, 2),
	    KERN_INVALID_ARGUMENT);
	assert_ok(port_guard(a, port, 5, 0));
	assert_refused_without_trace(
	    w, port_assert_attributes(a, port, MACH_PORT_GUARD_INFO, &guard, 2),
	    KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(
	    w, port_assert_attributes(a, strict, MACH_PORT_GUARD_INFO, &guard, 2), KERN_SUCCESS);
	guard.mpgi_guard = 6;
	assert_refused_without_trace(
	    w, port_assert_attributes(a, strict, MACH_PORT_GUARD_INFO, &guard, 2),
	    KERN_INVALID_ARGUMENT);
}
