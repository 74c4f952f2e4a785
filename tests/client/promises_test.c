/*
 * A right that came with a message is given up without waiting for the kernel, and is gone for
 * whoever asks it next.
 */
#include "kernel_test.h"

#include "client/connection.h"
#include "client/trap.h"
#include "wire/promise.h"

#include <mach/mach.h>
#include <mach/notify.h>
#include <servers/bootstrap.h>

#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVICE "berth.test.promises"
#define ROUNDS 1000u

enum operation { GIVE_UP = 1, KEEP, DROP_KEPT };

struct request {
	mach_msg_header_t header;
	mach_msg_body_t body;
	mach_msg_port_descriptor_t right;
	uint32_t operation;
};

struct answer {
	mach_msg_header_t header;
	uint32_t was_promised;
	kern_return_t code;
};

static mach_port_t service;
static pid_t service_pid;

/* What this thread may give up without a trap. */
static uint64_t
promised(void)
{
	return atomic_load(&connection_slot(thread_state()->slot_index[0])->promise);
}

static void
serve(mach_port_t port)
{
	mach_port_t kept = MACH_PORT_NULL;
	struct {
		struct request request;
		mach_msg_max_trailer_t trailer;
	} in;

	for (;;) {
		struct answer answer = { .code = KERN_SUCCESS };

		if (mach_msg(&in.request.header, MACH_RCV_MSG, 0, sizeof(in), port, 0, 0) !=
		    MACH_MSG_SUCCESS)
			_exit(1);
		mach_port_t name = in.request.right.name;
		answer.was_promised = promised() == promise_word(name, PROMISE_GIVEN);
		if (in.request.operation == DROP_KEPT)
			answer.code = mach_port_deallocate(mach_task_self(), kept);
		if (in.request.operation == KEEP)
			kept = name;
		else
			answer.code |= mach_port_deallocate(mach_task_self(), name);
		answer.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0);
		answer.header.msgh_remote_port = in.request.header.msgh_remote_port;
		if (mach_msg(&answer.header, MACH_SEND_MSG, sizeof(answer), 0, 0, 0, 0) !=
		    MACH_MSG_SUCCESS)
			_exit(2);
	}
}

static int
service_start(void **state)
{
	(void)state;
	service_pid = fork();
	if (service_pid == 0) {
		mach_port_t port;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (bootstrap_check_in(bootstrap_port, SERVICE, &port) != KERN_SUCCESS)
			_exit(3);
		serve(port);
	}
	while (bootstrap_look_up(bootstrap_port, SERVICE, &service) != KERN_SUCCESS)
		usleep(1000);
	return 0;
}

static int
service_end(void **state)
{
	(void)state;
	kill(service_pid, SIGKILL);
	waitpid(service_pid, NULL, 0);
	return mach_port_deallocate(mach_task_self(), service) == KERN_SUCCESS ? 0 : -1;
}

static struct answer
ask(uint32_t operation, mach_port_t right)
{
	struct {
		union {
			struct request request;
			struct answer answer;
		};
		mach_msg_max_trailer_t trailer;
	} message = {
		.request = { .header = { .msgh_bits = MACH_MSGH_BITS_COMPLEX |
						      MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
								     MACH_MSG_TYPE_MAKE_SEND_ONCE),
					 .msgh_remote_port = service,
					 .msgh_local_port = mig_get_reply_port() },
			     .body = { .msgh_descriptor_count = 1 },
			     .right = { .name = right,
					.disposition = MACH_MSG_TYPE_MAKE_SEND,
					.type = MACH_MSG_PORT_DESCRIPTOR },
			     .operation = operation },
	};

	assert_int_equal(mach_msg(&message.request.header, MACH_SEND_MSG | MACH_RCV_MSG,
				  sizeof(message.request), sizeof(message),
				  message.request.header.msgh_local_port, 0, 0),
			 MACH_MSG_SUCCESS);
	assert_int_equal(message.answer.code, KERN_SUCCESS);
	return message.answer;
}

static mach_port_t
receive_new(void)
{
	mach_port_t port;

	assert_int_equal(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port),
			 KERN_SUCCESS);
	return port;
}

static uint32_t
srights(mach_port_t port)
{
	mach_port_status_t status;
	mach_msg_type_number_t count = MACH_PORT_RECEIVE_STATUS_COUNT;

	assert_int_equal(mach_port_get_attributes(mach_task_self(), port, MACH_PORT_RECEIVE_STATUS,
						  (mach_port_info_t)&status, &count),
			 KERN_SUCCESS);
	return status.mps_srights;
}

static void
each_right_is_given_up_without_a_trap(void **state)
{
	mach_port_t port = receive_new();

	(void)state;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		assert_true(ask(GIVE_UP, port).was_promised);
		assert_int_equal(srights(port), 0);
	}
	port_end(port);
}

static void
a_second_reference_is_given_up_alone(void **state)
{
	mach_port_t port = receive_new();

	(void)state;
	ask(KEEP, port);
	for (uint32_t i = 0; i < 10; i++) {
		assert_true(ask(GIVE_UP, port).was_promised);
		assert_int_equal(srights(port), 1);
	}
	ask(DROP_KEPT, port);
	assert_int_equal(srights(port), 0);
	port_end(port);
}

static void
who_waits_for_the_last_sender_hears_of_it(void **state)
{
	mach_port_t port = receive_new(), notify = receive_new(), previous;
	struct {
		mach_no_senders_notification_t message;
		mach_msg_max_trailer_t trailer;
	} told;

	(void)state;
	for (mach_port_mscount_t i = 1; i <= 10; i++) {
		assert_int_equal(mach_port_request_notification(
				     mach_task_self(), port, MACH_NOTIFY_NO_SENDERS, i, notify,
				     MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous),
				 KERN_SUCCESS);
		assert_false(ask(GIVE_UP, port).was_promised);
		assert_int_equal(
		    mach_msg(&told.message.not_header, MACH_RCV_MSG, 0, sizeof(told), notify, 0, 0),
		    MACH_MSG_SUCCESS);
		assert_int_equal(told.message.not_count, i);
	}
	port_end(notify);
	port_end(port);
}

#define TEST_OF(name_) cmocka_unit_test_setup_teardown(name_, service_start, service_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OF(each_right_is_given_up_without_a_trap),
		TEST_OF(a_second_reference_is_given_up_alone),
		TEST_OF(who_waits_for_the_last_sender_hears_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
