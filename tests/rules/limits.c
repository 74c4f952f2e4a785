/* What one task, or all together, may make the kernel hold: kernel/limits.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/limits.h"
#include "tests/support/calls.h"
#include "tests/support/message.h"
#include "tests/support/registry.h"
#include "tests/support/vouchers.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define MOVE_ONCE MACH_MSG_TYPE_MOVE_SEND_ONCE

/* ---- memory in segments ------------------------------------------------------------------------
 */

/* A segment that says that it is as large as a task may have in all. */
static struct segment *
segment_of_all(struct world *w)
{
	struct segment *segment = segment_new(w, "as large as it gets.", 20);

	segment->core.size_bytes = TASK_SEGMENT_BYTES_MAX;
	return segment;
}

TEST_2(segments_are_charged_until_they_are_received)
{
	mach_port_name_t port = new_port(b), there = give(b, port, MACH_MSG_TYPE_MAKE_SEND, a);
	struct segment *large = segment_of_all(w), *small = segment_new(w, "one more", 8);
	struct message m = message_to(there, COPY), more = message_to(there, COPY);

	message_add_ool_segment(&m, large, 0, 20);
	message_add_ool_segment(&more, small, 0, 8);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_code(msg_send(a, &more, 0, 0), MACH_MSG_VM_KERNEL);
	assert_int_equal(msgcount_of(b, port), 1);
	segment_drop(large);
	take_id(b, port);
	assert_ok(msg_send(a, &more, 0, 0));
	segment_drop(small);
	take_id(b, port);
}

TEST_2(the_tail_of_a_message_is_charged_like_other_memory)
{
	mach_port_name_t port = new_port(b), there = give(b, port, MACH_MSG_TYPE_MAKE_SEND, a);
	struct message m = message_to(there, COPY), more = message_to(there, COPY);
	struct segment *large = segment_of_all(w), *tail;
	uint8_t data[4096];

	memset(data, 7, sizeof data);
	tail = segment_new(w, data, sizeof data);
	message_add_ool_segment(&m, large, 0, 20);
	assert_ok(msg_send(a, &m, 0, 0));
	message_add_data(&more, data, sizeof data);
	more.tail_from = sizeof(mach_msg_header_t);
	more.tail = tail;
	assert_refused_without_trace(w, msg_send(a, &more, 0, 0), MACH_SEND_NO_BUFFER);
	take_id(b, port);
	segment_drop(large);
	assert_ok(msg_send(a, &more, 0, 0));
	segment_drop(tail);
	take_id(b, port);
}

TEST_2(an_answer_in_a_segment_is_paid_by_who_asked)
{
	mach_port_name_t port = new_port(a), first = give(a, port, MAKE_ONCE, b),
			 second = give(a, port, MAKE_ONCE, b);
	struct segment *large = segment_of_all(w), *other = segment_new(w, "of its own", 10),
		       *third = segment_new(w, "and one more", 12);
	struct message m = message_to(first, MOVE_ONCE);

	message_add_ool_segment(&m, large, 0, 20);
	assert_ok(msg_send(b, &m, 0, 0));
	segment_drop(large);

	/* the asker has no room left ... */
	m = message_to(a->party->mailbox_of[1], COPY);
	message_add_ool_segment(&m, third, 0, 12);
	assert_code(msg_send(a, &m, 0, 0), MACH_MSG_VM_KERNEL);
	/* ... so that the next answer stays with the answerer, who has */
	m = message_to(second, MOVE_ONCE);
	message_add_ool_segment(&m, other, 0, 10);
	assert_ok(msg_send(b, &m, 0, 0));
	segment_drop(other);
	segment_drop(third);
	assert_ok(msg_receive(a, port, 0, ANY_SIZE, 0, NULL));
	assert_ok(msg_receive(a, port, 0, ANY_SIZE, 0, NULL));
}

/* ---- requests ----------------------------------------------------------------------------------
 */

TEST_1(a_port_has_so_many_requests_and_no_more)
{
	mach_port_name_t port = new_port(a), notify = new_port(a), once, last = 0;

	w->quiet_audit = true;
	for (uint32_t i = 0; i < PORT_REQUEST_MAX; i++) {
		once = new_send_once(a, port);
		assert_ok(port_request_notification(a, once, MACH_NOTIFY_DEAD_NAME, 0, notify,
						    MAKE_ONCE, NULL));
		last = i == PORT_REQUEST_MAX / 2 ? once : last;
	}
	once = new_send_once(a, port);
	assert_code(
	    port_request_notification(a, once, MACH_NOTIFY_DEAD_NAME, 0, notify, MAKE_ONCE, NULL),
	    KERN_RESOURCE_SHORTAGE);
	/* a place in the middle that becomes free is found */
	assert_ok(port_deallocate(a, last));
	assert_ok(
	    port_request_notification(a, once, MACH_NOTIFY_DEAD_NAME, 0, notify, MAKE_ONCE, NULL));
	kernel_audit(w->kernel);
	assert_ok(port_destroy(a, port));
}

TEST_1(a_task_has_so_many_requests_and_no_more)
{
	mach_port_name_t notify = new_port(a), port = MACH_PORT_NULL, once = MACH_PORT_NULL;

	w->quiet_audit = true;
	for (uint32_t i = 0; i < TASK_REQUEST_MAX; i++) {
		if (i % (PORT_REQUEST_MAX / 2) == 0)
			port = new_port(a);
		once = new_send_once(a, port);
		assert_ok(port_request_notification(a, once, MACH_NOTIFY_DEAD_NAME, 0, notify,
						    MAKE_ONCE, NULL));
	}
	port = new_port(a);
	once = new_send_once(a, port);
	assert_code(
	    port_request_notification(a, once, MACH_NOTIFY_DEAD_NAME, 0, notify, MAKE_ONCE, NULL),
	    KERN_RESOURCE_SHORTAGE);
	/* requests that are of the port itself are not of that kind */
	assert_ok(
	    port_request_notification(a, port, MACH_NOTIFY_NO_SENDERS, 0, notify, MAKE_ONCE, NULL));
	kernel_audit(w->kernel);
}

/* ---- what is kept for reuse --------------------------------------------------------------------
 */

TEST_1(the_low_byte_of_a_name_starts_again_after_16_32_48_or_64)
{
	uint32_t seen[5] = { 0 }, length = 0;

	for (uint32_t i = 0; i < 4000; i++) {
		mach_port_name_t name = new_port(a);

		assert_ok(port_destroy(a, name));
		length++;
		if ((name & 0xff) != 3)
			continue;
		if (i >= length) { /* the first is not whole */
			assert_int_equal(length % 16, 0);
			assert_true(length >= 16 && length <= 64);
			seen[length / 16]++;
		}
		length = 0;
	}
	for (uint32_t i = 1; i <= 4; i++)
		assert_true(seen[i] > 0);
}

/* ---- the registry ------------------------------------------------------------------------------
 */

TEST_1(there_are_so_many_vendor_codes_and_no_more)
{
	char text[16];
	uint32_t code;

	for (uint32_t i = 0; i < KEV_CODE_COUNT_MAX; i++) {
		size_t size = (size_t)snprintf(text, sizeof text, "v%u", i);

		assert_int_equal(
		    kernel_kev_vendor(w->kernel, text, size, KERNEL_VENDOR_EVENT, &code), 0);
	}
	assert_int_equal(kernel_kev_vendor(w->kernel, "more", 4, KERNEL_VENDOR_EVENT, &code),
			 ENOMEM);
	assert_int_equal(kernel_kev_vendor(w->kernel, "v0", 2, KERNEL_VENDOR_EVENT, &code), 0);
	assert_int_equal(code, 1000);
	kernel_audit(w->kernel);
}

TEST_1(there_are_so_many_event_sockets_and_no_more)
{
	static struct kernel_kev_socket *sockets[KEV_SOCKET_COUNT_MAX];

	for (uint32_t i = 0; i < KEV_SOCKET_COUNT_MAX; i++) {
		sockets[i] = kernel_kev_socket_new(w->kernel, NULL);
		assert_non_null(sockets[i]);
	}
	assert_null(kernel_kev_socket_new(w->kernel, NULL));
	kernel_kev_socket_free(w->kernel, sockets[0]);
	sockets[0] = kernel_kev_socket_new(w->kernel, NULL);
	assert_non_null(sockets[0]);
	for (uint32_t i = 0; i < KEV_SOCKET_COUNT_MAX; i++)
		kernel_kev_socket_free(w->kernel, sockets[i]);
	kernel_audit(w->kernel);
}

/* ---- tasks and threads -------------------------------------------------------------------------
 */

TEST_1(a_task_has_so_many_threads_and_no_more)
{
	static struct thread *threads[TASK_THREAD_MAX];
	uint32_t count = 0;
	struct kernel_effects effects;

	while (count < TASK_THREAD_MAX &&
	       (threads[count] = kernel_thread_new(a->party->task, NULL, NULL)) != NULL)
		count++;
	assert_int_equal(count, TASK_THREAD_MAX - 1); /* and `a` itself */
	for (uint32_t i = 0; i < count; i++) {
		kernel_effects_init(&effects);
		kernel_step(
		    w->kernel,
		    &(struct kernel_event){ .kind = EVENT_THREAD_EXIT, .thread = threads[i] },
		    &effects);
	}
	kernel_audit(w->kernel);
}
