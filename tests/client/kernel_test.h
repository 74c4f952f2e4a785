/*
 * What the tests on a real kernel share.
 */
#ifndef TESTS_CLIENT_KERNEL_TEST_H
#define TESTS_CLIENT_KERNEL_TEST_H

#include <mach/mach.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A message with a number, and room for the largest trailer. */
struct number_message {
	mach_msg_header_t header;
	int number;
	mach_msg_max_trailer_t trailer;
};

#define NUMBER_SIZE ((mach_msg_size_t)offsetof(struct number_message, trailer))

/* A port with both rights under one name. */
static inline mach_port_t
port_new(void)
{
	mach_port_t port;

	assert_int_equal(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port),
			 KERN_SUCCESS);
	assert_int_equal(
	    mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND),
	    KERN_SUCCESS);
	return port;
}

static inline void
port_end(mach_port_t port)
{
	assert_int_equal(mach_port_destroy(mach_task_self(), port), KERN_SUCCESS);
}

static inline struct number_message
number_to(mach_port_t port, int number)
{
	struct number_message message = { .number = number };

	message.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0);
	message.header.msgh_remote_port = port;
	return message;
}

static inline mach_msg_return_t
send_number(mach_port_t port, int number)
{
	struct number_message message = number_to(port, number);

	return mach_msg(&message.header, MACH_SEND_MSG, NUMBER_SIZE, 0, MACH_PORT_NULL, 0, 0);
}

/* The next number, or minus the code if none comes within 5 seconds. */
static inline int
receive_number(mach_port_t port)
{
	struct number_message message;
	mach_msg_return_t code = mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
					  sizeof(message), port, 5000, MACH_PORT_NULL);

	return code == MACH_MSG_SUCCESS ? message.number : -code;
}

#endif
