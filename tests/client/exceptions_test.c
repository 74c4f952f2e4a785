/*
 * Exceptions: a child runs into something, and this process handles it or does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mach/mach.h>
#include <mach/exception.h>
#include <mach/host_priv.h>
#include <mach/thread_act.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exception_handler.h"

#define WIDE MACH_EXCEPTION_CODES

static mach_port_t port; /* the handler's */

/* ---- the child ----------------------------------------------------------------------------------
 */

static __attribute__((noinline)) int
peek(uintptr_t address)
{
	int value;

	__asm__ volatile("movl (%%rax), %0" : "=r"(value) : "a"(address) : "memory");
	return value;
}

static pid_t
child_start(int (*body)(void))
{
	fflush(stdout);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		static const int cmockas[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };

		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		for (size_t i = 0; i < sizeof(cmockas) / sizeof(cmockas[0]); i++)
			signal(cmockas[i], SIG_DFL);
		_exit(body());
	}
	return pid;
}

/* How @body ends in a child, of whose exceptions @count are heard here. */
static int
child_run(int (*body)(void), unsigned count)
{
	int status;

	heard.count = 0;
	pid_t pid = child_start(body);
	while (heard.count < count)
		assert_int_equal(mach_msg_server_once(exception_server, 8192, port, 0),
				 MACH_MSG_SUCCESS);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(heard.count, count);
	return status;
}

static void
ports_set(exception_mask_t mask, exception_behavior_t behavior, thread_state_flavor_t flavor)
{
	assert_int_equal(task_set_exception_ports(mach_task_self(), mask, port, behavior, flavor),
			 KERN_SUCCESS);
}

static int
ports_clear(void **state)
{
	(void)state;
	assert_int_equal(task_set_exception_ports(mach_task_self(), EXC_MASK_ALL | EXC_MASK_CRASH,
						  MACH_PORT_NULL, EXCEPTION_DEFAULT,
						  THREAD_STATE_NONE),
			 KERN_SUCCESS);
	heard.answer = KERN_SUCCESS;
	return 0;
}

static int
peeks(void)
{
	return peek(BAD_ADDRESS) == 42 ? 0 : 1;
}

/* ---- ports --------------------------------------------------------------------------------------
 */

static void
what_is_set_is_got_and_swapped(void **state)
{
	exception_mask_t masks[EXC_TYPES_COUNT];
	mach_port_t ports[EXC_TYPES_COUNT];
	exception_behavior_t behaviors[EXC_TYPES_COUNT];
	thread_state_flavor_t flavors[EXC_TYPES_COUNT];
	mach_msg_type_number_t count = EXC_TYPES_COUNT;
	mach_port_urefs_t before, after;
	const exception_mask_t both = EXC_MASK_BAD_ACCESS | EXC_MASK_ARITHMETIC;

	(void)state;
	ports_set(both, EXCEPTION_DEFAULT | (exception_behavior_t)WIDE, THREAD_STATE_NONE);
	ports_set(EXC_MASK_BREAKPOINT, EXCEPTION_STATE, x86_THREAD_STATE);
	mach_port_get_refs(mach_task_self(), port, MACH_PORT_RIGHT_SEND, &before);
	assert_int_equal(task_get_exception_ports(mach_task_self(), both | EXC_MASK_BREAKPOINT,
						  masks, &count, ports, behaviors, flavors),
			 KERN_SUCCESS);
	assert_int_equal(count, 2);
	assert_int_equal(masks[0], both);
	assert_int_equal(masks[1], EXC_MASK_BREAKPOINT);
	assert_int_equal(ports[0], port);
	assert_int_equal(ports[1], port);
	assert_int_equal(behaviors[0], EXCEPTION_DEFAULT | (exception_behavior_t)WIDE);
	assert_int_equal(flavors[1], x86_THREAD_STATE);
	mach_port_get_refs(mach_task_self(), port, MACH_PORT_RIGHT_SEND, &after);
	assert_int_equal(after, before + 2);
	right_end(port);
	right_end(port);

	assert_int_equal(task_swap_exception_ports(mach_task_self(), EXC_MASK_ARITHMETIC,
						   MACH_PORT_NULL, EXCEPTION_DEFAULT,
						   THREAD_STATE_NONE, masks, &count, ports,
						   behaviors, flavors),
			 KERN_SUCCESS);
	assert_int_equal(count, 1);
	assert_int_equal(masks[0], EXC_MASK_ARITHMETIC);
	assert_int_equal(ports[0], port);
	right_end(port);
	assert_int_equal(task_get_exception_ports(mach_task_self(), EXC_MASK_ARITHMETIC, masks,
						  &count, ports, behaviors, flavors),
			 KERN_SUCCESS);
	assert_int_equal(ports[0], MACH_PORT_NULL);

	mach_port_t thread = mach_thread_self();
	assert_int_equal(thread_set_exception_ports(thread, EXC_MASK_GUARD, port,
						    EXCEPTION_STATE_IDENTITY, x86_THREAD_STATE64),
			 KERN_SUCCESS);
	assert_int_equal(thread_swap_exception_ports(thread, EXC_MASK_GUARD, MACH_PORT_NULL,
						     EXCEPTION_DEFAULT, THREAD_STATE_NONE, masks,
						     &count, ports, behaviors, flavors),
			 KERN_SUCCESS);
	assert_int_equal(count, 1);
	assert_int_equal(ports[0], port);
	assert_int_equal(behaviors[0], EXCEPTION_STATE_IDENTITY);
	right_end(port);
	right_end(thread);
}

static void
what_cannot_be_is_refused(void **state)
{
	const exception_behavior_t wide = (exception_behavior_t)WIDE;
	const mach_port_t task = mach_task_self();
	mach_port_t host = mach_host_self();
	mach_port_urefs_t before, after;

	(void)state;
	mach_port_get_refs(task, port, MACH_PORT_RIGHT_SEND, &before);
#define SET(target, mask, behavior, flavor)                                                        \
	task_set_exception_ports(target, mask, port, behavior, flavor)
	assert_int_equal(SET(task, 1, EXCEPTION_DEFAULT, 0), KERN_INVALID_ARGUMENT);
	assert_int_equal(SET(task, 1u << 14, EXCEPTION_DEFAULT, 0), KERN_INVALID_ARGUMENT);
	assert_int_equal(SET(task, EXC_MASK_ALL, 0, 0), KERN_INVALID_ARGUMENT);
	assert_int_equal(SET(task, EXC_MASK_ALL, 6, 0), KERN_INVALID_ARGUMENT);
	assert_int_equal(SET(task, EXC_MASK_ALL, EXCEPTION_STATE, 99), KERN_INVALID_ARGUMENT);
	assert_int_equal(SET(task, EXC_MASK_ALL, EXCEPTION_IDENTITY_PROTECTED, 0),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(
	    SET(task, EXC_MASK_ALL, EXCEPTION_DEFAULT | MACH_EXCEPTION_BACKTRACE_PREFERRED, 0),
	    KERN_INVALID_ARGUMENT);
	assert_int_equal(SET(task, EXC_MASK_ALL, EXCEPTION_IDENTITY_PROTECTED | wide, 0),
			 KERN_NOT_SUPPORTED);
	assert_int_not_equal(SET(host, EXC_MASK_ALL, EXCEPTION_DEFAULT, 0), KERN_SUCCESS);
	assert_int_not_equal(SET(MACH_PORT_NULL, EXC_MASK_ALL, EXCEPTION_DEFAULT, 0), KERN_SUCCESS);
#undef SET
	mach_port_get_refs(task, port, MACH_PORT_RIGHT_SEND, &after);
	assert_int_equal(after, before);
	right_end(host);
}

static void
a_thread_that_runs_offers_no_registers(void **state)
{
	x86_thread_state64_t registers;
	mach_msg_type_number_t count = x86_THREAD_STATE64_COUNT;
	mach_port_t thread = mach_thread_self();

	(void)state;
	assert_int_equal(
	    thread_get_state(thread, x86_THREAD_STATE64, (thread_state_t)&registers, &count),
	    KERN_FAILURE);
	assert_int_equal(thread_set_state(thread, x86_THREAD_STATE64, (thread_state_t)&registers,
					  x86_THREAD_STATE64_COUNT),
			 KERN_FAILURE);
	count = x86_THREAD_STATE64_COUNT - 1;
	assert_int_equal(
	    thread_get_state(thread, x86_THREAD_STATE64, (thread_state_t)&registers, &count),
	    KERN_INVALID_ARGUMENT);
	assert_int_equal(thread_get_state(thread, 77, (thread_state_t)&registers, &count),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(thread_set_state(thread, x86_EXCEPTION_STATE64, (thread_state_t)&registers,
					  x86_EXCEPTION_STATE64_COUNT),
			 KERN_INVALID_ARGUMENT);
	right_end(thread);
}

/* ---- handled ------------------------------------------------------------------------------------
 */

static void
a_handler_elsewhere_sees_and_mends(void **state)
{
	(void)state;
	ports_set(EXC_MASK_BAD_ACCESS, EXCEPTION_DEFAULT | (exception_behavior_t)WIDE,
		  THREAD_STATE_NONE);
	assert_int_equal(child_run(peeks, 1), 0);
	assert_int_equal(heard.type, EXC_BAD_ACCESS);
	assert_int_equal(heard.codes[0], KERN_INVALID_ADDRESS);
	assert_int_equal(heard.codes[1], BAD_ADDRESS);
	assert_int_equal(heard.state.__rax, BAD_ADDRESS);
	/* with codes of 32 bits */
	ports_set(EXC_MASK_BAD_ACCESS, EXCEPTION_DEFAULT, THREAD_STATE_NONE);
	assert_int_equal(child_run(peeks, 1), 0);
	assert_int_equal(heard.codes[1], BAD_ADDRESS);
}

static void
a_state_goes_with_the_message_and_comes_back(void **state)
{
	static const exception_behavior_t behaviors[] = {
		EXCEPTION_STATE, EXCEPTION_STATE_IDENTITY,
		EXCEPTION_STATE | (exception_behavior_t)WIDE,
		EXCEPTION_STATE_IDENTITY | (exception_behavior_t)WIDE
	};

	(void)state;
	for (size_t i = 0; i < sizeof(behaviors) / sizeof(behaviors[0]); i++) {
		ports_set(EXC_MASK_BAD_ACCESS, behaviors[i], x86_THREAD_STATE);
		assert_int_equal(child_run(peeks, 1), 0);
		assert_int_equal(heard.codes[0], KERN_INVALID_ADDRESS);
	}
}

static int
breaks(void)
{
	__asm__ volatile("int3");
	return 7;
}

static int
writes_to_what_it_may_only_read(void)
{
	volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*page = 1;
	return 0;
}

static int
divides(void)
{
	int number = 7;

	/* in C it is undefined, and sanitizers say so */
	__asm__ volatile("cltd; idivl %1" : "+a"(number) : "r"(0) : "edx", "cc");
	return number;
}

static int
is_no_program(void)
{
	__asm__ volatile("ud2");
	return 0;
}

static void
each_exception_has_its_codes(void **state)
{
	(void)state;
	ports_set(EXC_MASK_ALL, EXCEPTION_DEFAULT | (exception_behavior_t)WIDE, THREAD_STATE_NONE);
	assert_int_equal(WEXITSTATUS(child_run(breaks, 1)), 7);
	assert_int_equal(heard.type, EXC_BREAKPOINT);
	assert_int_equal(heard.codes[0], 2);

	heard.answer = KERN_FAILURE;
	int status = child_run(writes_to_what_it_may_only_read, 1);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	assert_int_equal(heard.codes[0], KERN_PROTECTION_FAILURE);
	status = child_run(divides, 1);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGFPE);
	assert_int_equal(heard.type, EXC_ARITHMETIC);
	status = child_run(is_no_program, 1);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGILL);
	assert_int_equal(heard.type, EXC_BAD_INSTRUCTION);
	status = child_run(breaks, 1);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTRAP);
}

/* ---- not handled --------------------------------------------------------------------------------
 */

static int
aborts(void)
{
	abort();
}

static void
who_wants_to_hear_of_crashes_does(void **state)
{
	(void)state;
	ports_set(EXC_MASK_CRASH, EXCEPTION_DEFAULT | (exception_behavior_t)WIDE,
		  THREAD_STATE_NONE);
	int status = child_run(aborts, 1);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_int_equal(heard.type, EXC_CRASH);
	assert_int_equal(heard.codes[0], SIGABRT << 24);
	status = child_run(peeks, 1);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	assert_int_equal(heard.codes[0],
			 SIGSEGV << 24 | EXC_BAD_ACCESS << 20 | KERN_INVALID_ADDRESS);
}

static sigjmp_buf after;
static volatile int signals_got;

static void
jump_out(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	signals_got += info->si_addr == (void *)(uintptr_t)BAD_ADDRESS;
	siglongjmp(after, 1);
}

static int
takes_its_signals(void)
{
	struct sigaction action = { .sa_sigaction = jump_out, .sa_flags = SA_SIGINFO }, was;

	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR1);
	/* one Darwin call, and exceptions are watched for */
	mach_port_type_t type;
	if (mach_port_type(mach_task_self(), mach_task_self(), &type) != KERN_SUCCESS)
		return 1;
	if (signal(SIGFPE, SIG_IGN) != SIG_DFL || signal(SIGFPE, SIG_DFL) != SIG_IGN ||
	    sigaction(SIGSEGV, &action, &was) != 0 || was.sa_handler != SIG_DFL ||
	    sigaction(SIGSEGV, NULL, &was) != 0 || was.sa_sigaction != jump_out ||
	    !sigismember(&was.sa_mask, SIGUSR1))
		return 2;
	for (int i = 0; i < 3; i++)
		if (sigsetjmp(after, 1) == 0)
			peek(BAD_ADDRESS);
	if (signals_got != 3)
		return 3;
	/* sent by a program, it is no exception */
	if (sigsetjmp(after, 1) == 0)
		raise(SIGSEGV);
	return 0;
}

static void
what_nobody_handles_is_the_programs_own(void **state)
{
	(void)state;
	ports_set(EXC_MASK_BAD_ACCESS | EXC_MASK_CRASH,
		  EXCEPTION_DEFAULT | (exception_behavior_t)WIDE, THREAD_STATE_NONE);
	heard.answer = KERN_FAILURE;
	assert_int_equal(child_run(takes_its_signals, 3), 0);
}

static int
is_asked_before_its_task(void)
{
	mach_port_t dead, thread = mach_thread_self();

	/* a port of a thread whose receiver has gone is passed over */
	if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &dead) != KERN_SUCCESS ||
	    mach_port_insert_right(mach_task_self(), dead, dead, MACH_MSG_TYPE_MAKE_SEND) !=
		KERN_SUCCESS ||
	    thread_set_exception_ports(thread, EXC_MASK_BAD_ACCESS, dead,
				       EXCEPTION_DEFAULT | (exception_behavior_t)WIDE,
				       THREAD_STATE_NONE) != KERN_SUCCESS ||
	    mach_port_destroy(mach_task_self(), dead) != KERN_SUCCESS ||
	    mach_port_deallocate(mach_task_self(), thread) != KERN_SUCCESS)
		return 1;
	return peek(BAD_ADDRESS) == 42 ? 0 : 2;
}

static void
a_dead_port_is_passed_over(void **state)
{
	(void)state;
	ports_set(EXC_MASK_BAD_ACCESS, EXCEPTION_DEFAULT | (exception_behavior_t)WIDE,
		  THREAD_STATE_NONE);
	assert_int_equal(child_run(is_asked_before_its_task, 1), 0);
}

/* ---- ports that another sets --------------------------------------------------------------------
 */

static int go_fds[2], said_fds[2];

static int
waits_then_peeks(void)
{
	mach_port_type_t type;
	char byte = 0;

	mach_port_type(mach_task_self(), mach_task_self(), &type); /* the kernel knows it */
	if (write(said_fds[1], &byte, 1) != 1 || read(go_fds[0], &byte, 1) != 1)
		return 1;
	mach_port_type(mach_task_self(), mach_task_self(), &type); /* it knows its ports */
	return peek(BAD_ADDRESS) == 42 ? 0 : 2;
}

static void
ports_that_another_task_sets_hold(void **state)
{
	mach_port_t task;
	char byte = 0;
	int status;

	(void)state;
	assert_int_equal(pipe(go_fds), 0);
	assert_int_equal(pipe(said_fds), 0);
	heard.count = 0;
	pid_t pid = child_start(waits_then_peeks);
	assert_int_equal(read(said_fds[0], &byte, 1), 1);
	if (task_for_pid(mach_task_self(), pid, &task) != KERN_SUCCESS) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		skip(); /* Linux lets nobody look here */
	}
	assert_int_equal(task_set_exception_ports(task, EXC_MASK_BAD_ACCESS, port,
						  EXCEPTION_DEFAULT | (exception_behavior_t)WIDE,
						  THREAD_STATE_NONE),
			 KERN_SUCCESS);
	right_end(task);
	assert_int_equal(write(go_fds[1], &byte, 1), 1);
	assert_int_equal(mach_msg_server_once(exception_server, 8192, port, 0), MACH_MSG_SUCCESS);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(heard.count, 1);
	for (int i = 0; i < 2; i++) {
		close(go_fds[i]);
		close(said_fds[i]);
	}
}

/* The host's handler hears of what nobody nearer handles, of all tasks. */
static void
the_host_s_handler_hears_last(void **state)
{
	const exception_behavior_t behavior = EXCEPTION_DEFAULT | (exception_behavior_t)WIDE;
	exception_mask_t masks[EXC_TYPES_COUNT];
	mach_port_t ports[EXC_TYPES_COUNT], host = mach_host_self(), priv;
	exception_behavior_t behaviors[EXC_TYPES_COUNT];
	thread_state_flavor_t flavors[EXC_TYPES_COUNT];
	mach_msg_type_number_t count = EXC_TYPES_COUNT;

	(void)state;
	assert_int_equal(host_get_host_priv_port(host, &priv), KERN_SUCCESS);
	assert_int_equal(
	    host_set_exception_ports(priv, EXC_MASK_BAD_ACCESS, port, behavior, THREAD_STATE_NONE),
	    KERN_SUCCESS);
	assert_int_equal(child_run(peeks, 1), 0);
	assert_int_equal(heard.codes[1], BAD_ADDRESS);
	/* the task's own is asked first, and again the host's if that does not handle it */
	ports_set(EXC_MASK_BAD_ACCESS, behavior, THREAD_STATE_NONE);
	assert_int_equal(child_run(peeks, 1), 0);
	heard.answer = KERN_FAILURE;
	int status = child_run(peeks, 2);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	heard.answer = KERN_SUCCESS;
	assert_int_equal(host_swap_exception_ports(priv, EXC_MASK_BAD_ACCESS, MACH_PORT_NULL,
						   EXCEPTION_DEFAULT, THREAD_STATE_NONE, masks,
						   &count, ports, behaviors, flavors),
			 KERN_SUCCESS);
	assert_int_equal(count, 1);
	assert_int_equal(ports[0], port);
	assert_int_equal(behaviors[0], behavior);
	right_end(port);
	count = EXC_TYPES_COUNT;
	assert_int_equal(host_get_exception_ports(host, EXC_MASK_BAD_ACCESS, masks, &count, ports,
						  behaviors, flavors),
			 KERN_SUCCESS);
	assert_int_equal(count, 1);
	assert_int_equal(ports[0], MACH_PORT_NULL);
	assert_int_equal(host_set_exception_ports(mach_task_self(), EXC_MASK_BAD_ACCESS, port,
						  behavior, THREAD_STATE_NONE),
			 KERN_INVALID_ARGUMENT);
	right_end(priv);
	right_end(host);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_is_set_is_got_and_swapped, ports_clear),
		cmocka_unit_test_teardown(what_cannot_be_is_refused, ports_clear),
		cmocka_unit_test_teardown(a_thread_that_runs_offers_no_registers, ports_clear),
		cmocka_unit_test_teardown(a_handler_elsewhere_sees_and_mends, ports_clear),
		cmocka_unit_test_teardown(a_state_goes_with_the_message_and_comes_back,
					  ports_clear),
		cmocka_unit_test_teardown(each_exception_has_its_codes, ports_clear),
		cmocka_unit_test_teardown(who_wants_to_hear_of_crashes_does, ports_clear),
		cmocka_unit_test_teardown(what_nobody_handles_is_the_programs_own, ports_clear),
		cmocka_unit_test_teardown(a_dead_port_is_passed_over, ports_clear),
		cmocka_unit_test_teardown(ports_that_another_task_sets_hold, ports_clear),
		cmocka_unit_test_teardown(the_host_s_handler_hears_last, ports_clear),
	};

	port = exception_port_new();
	if (port == MACH_PORT_NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
