/* A handler of exceptions: see exception_handler.h. */
#include "exception_handler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "exc_server.h"
#include "mach_exc_server.h"

struct heard heard;

static mach_port_t port;
static int good = 42; /* the same address in the child */

mach_port_t
exception_port_new(void)
{
	if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) != KERN_SUCCESS ||
	    mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND) !=
		KERN_SUCCESS)
		return MACH_PORT_NULL;
	return port;
}

void
right_end(mach_port_t name)
{
	assert_int_equal(mach_port_deallocate(mach_task_self(), name), KERN_SUCCESS);
}

/* Reads the registers, and lets the bad pointer be a good one. */
static kern_return_t
hear(mach_port_t thread, mach_port_t task, exception_type_t type, int64_t code, int64_t subcode)
{
	mach_msg_type_number_t count = x86_THREAD_STATE64_COUNT;
	x86_exception_state64_t fault;
	int pid;

	heard.count++;
	heard.type = type;
	heard.codes[0] = code;
	heard.codes[1] = subcode;
	assert_int_equal(
	    thread_get_state(thread, x86_THREAD_STATE64, (thread_state_t)&heard.state, &count),
	    KERN_SUCCESS);
	assert_int_equal(count, x86_THREAD_STATE64_COUNT);
	count = x86_EXCEPTION_STATE64_COUNT;
	assert_int_equal(
	    thread_get_state(thread, x86_EXCEPTION_STATE64, (thread_state_t)&fault, &count),
	    KERN_SUCCESS);
	if (type == EXC_BAD_ACCESS)
		assert_int_equal(fault.__faultvaddr, subcode);
	assert_int_equal(pid_for_task(task, &pid), KERN_SUCCESS);
	assert_int_not_equal(pid, getpid());
	if (heard.answer == KERN_SUCCESS && type == EXC_BAD_ACCESS) {
		x86_thread_state64_t changed = heard.state;

		changed.__rax = (uintptr_t)&good;
		assert_int_equal(thread_set_state(thread, x86_THREAD_STATE64,
						  (thread_state_t)&changed,
						  x86_THREAD_STATE64_COUNT),
				 KERN_SUCCESS);
	}
	right_end(thread);
	right_end(task);
	return heard.answer;
}

kern_return_t
catch_mach_exception_raise(mach_port_t exception_port, mach_port_t thread, mach_port_t task,
			   exception_type_t exception, mach_exception_data_t code,
			   mach_msg_type_number_t codeCnt)
{
	assert_int_equal(exception_port, port);
	assert_int_equal(codeCnt, 2);
	return hear(thread, task, exception, code[0], code[1]);
}

kern_return_t
catch_exception_raise(mach_port_t exception_port, mach_port_t thread, mach_port_t task,
		      exception_type_t exception, exception_data_t code,
		      mach_msg_type_number_t codeCnt)
{
	assert_int_equal(exception_port, port);
	assert_int_equal(codeCnt, 2);
	return hear(thread, task, exception, code[0], code[1]);
}

/* The state comes and goes with the message. */
static kern_return_t
hear_state(exception_type_t type, int64_t code, int flavor, const natural_t *old_state,
	   mach_msg_type_number_t old_count, natural_t *new_state,
	   mach_msg_type_number_t *new_count)
{
	x86_thread_state_t state;

	heard.count++;
	heard.type = type;
	heard.codes[0] = code;
	assert_int_equal(flavor, x86_THREAD_STATE);
	assert_int_equal(old_count, x86_THREAD_STATE_COUNT);
	memcpy(&state, old_state, sizeof(state));
	assert_int_equal(state.tsh.flavor, x86_THREAD_STATE64);
	assert_int_equal(state.uts.ts64.__rax, BAD_ADDRESS);
	state.uts.ts64.__rax = (uintptr_t)&good;
	memcpy(new_state, &state, sizeof(state));
	*new_count = x86_THREAD_STATE_COUNT;
	return heard.answer;
}

kern_return_t
catch_mach_exception_raise_state(mach_port_t exception_port, exception_type_t exception,
				 const mach_exception_data_t code, mach_msg_type_number_t codeCnt,
				 int *flavor, const thread_state_t old_state,
				 mach_msg_type_number_t old_stateCnt, thread_state_t new_state,
				 mach_msg_type_number_t *new_stateCnt)
{
	(void)exception_port;
	(void)codeCnt;
	return hear_state(exception, code[0], *flavor, old_state, old_stateCnt, new_state,
			  new_stateCnt);
}

kern_return_t
catch_mach_exception_raise_state_identity(
    mach_port_t exception_port, mach_port_t thread, mach_port_t task, exception_type_t exception,
    mach_exception_data_t code, mach_msg_type_number_t codeCnt, int *flavor,
    thread_state_t old_state, mach_msg_type_number_t old_stateCnt, thread_state_t new_state,
    mach_msg_type_number_t *new_stateCnt)
{
	(void)exception_port;
	(void)codeCnt;
	right_end(thread);
	right_end(task);
	return hear_state(exception, code[0], *flavor, old_state, old_stateCnt, new_state,
			  new_stateCnt);
}

kern_return_t
catch_exception_raise_state(mach_port_t exception_port, exception_type_t exception,
			    const exception_data_t code, mach_msg_type_number_t codeCnt,
			    int *flavor, const thread_state_t old_state,
			    mach_msg_type_number_t old_stateCnt, thread_state_t new_state,
			    mach_msg_type_number_t *new_stateCnt)
{
	(void)exception_port;
	(void)codeCnt;
	return hear_state(exception, code[0], *flavor, old_state, old_stateCnt, new_state,
			  new_stateCnt);
}

kern_return_t
catch_exception_raise_state_identity(mach_port_t exception_port, mach_port_t thread,
				     mach_port_t task, exception_type_t exception,
				     exception_data_t code, mach_msg_type_number_t codeCnt,
				     int *flavor, thread_state_t old_state,
				     mach_msg_type_number_t old_stateCnt, thread_state_t new_state,
				     mach_msg_type_number_t *new_stateCnt)
{
	(void)exception_port;
	(void)codeCnt;
	right_end(thread);
	right_end(task);
	return hear_state(exception, code[0], *flavor, old_state, old_stateCnt, new_state,
			  new_stateCnt);
}

boolean_t
exception_server(mach_msg_header_t *request, mach_msg_header_t *reply)
{
	return mach_exc_server(request, reply) || exc_server(request, reply);
}
