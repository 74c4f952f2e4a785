/*
 * A handler of exceptions, as a debugger has one: it notes what it hears, and mends it.
 */
#ifndef BERTH_TESTS_CLIENT_EXCEPTION_HANDLER_H
#define BERTH_TESTS_CLIENT_EXCEPTION_HANDLER_H

#include <mach/mach.h>
#include <mach/exception.h>
#include <mach/thread_act.h>

#include <stdint.h>

#define BAD_ADDRESS 8 /* in rax: the handler puts one there that holds 42 */

/* What came last, and what is to be answered. */
extern struct heard {
	unsigned count;
	exception_type_t type;
	int64_t codes[2];
	x86_thread_state64_t state;
	kern_return_t answer;
} heard;

/* Its port, with a send right; MACH_PORT_NULL: there is none. */
mach_port_t exception_port_new(void);
/* What it does with a message, of either subsystem: for mach_msg_server_once(). */
boolean_t exception_server(mach_msg_header_t *request, mach_msg_header_t *reply);

void right_end(mach_port_t name);

#endif
