/* What comes before and after what: the host's clock, and events that are under way. */
#include "tests/support/calls.h"
#include "tests/support/message.h"

#define ANY 0u /* KEV_ANY_VENDOR and the like */

static mach_port_name_t
timer_new(struct actor *t)
{
	assert_ok(trap(t, BERTH_TRAP_MK_TIMER_CREATE, 0, 0, 0, 0, 0, 0));
	return (mach_port_name_t)t->outcome.values[0];
}

TEST_1(a_clock_that_goes_back_stands_still)
{
	mach_port_name_t timer = timer_new(a);
	uint64_t start_ns;

	world_advance_ms(w, 1000);
	start_ns = w->now_ns;
	w->now_ns = start_ns - 600000000;
	/* past for the kernel, which has been there */
	assert_ok(trap(a, BERTH_TRAP_MK_TIMER_ARM, timer, start_ns - 300000000, 0, 0, 0, 0));
	assert_int_equal(msgcount_of(a, timer), 1);
	w->now_ns = start_ns;
	take_id(a, timer);
}

TEST_1(a_socket_does_not_hear_what_was_posted_before_it_was_opened)
{
	static const uint32_t event[4] = { 1, 2, 3, 4 }, all[3] = { ANY, ANY, ANY };
	struct kernel_kev_socket *old = kernel_kev_socket_new(w->kernel, NULL), *young;
	struct kernel_kev_delivery delivery;
	struct kernel_effects effects;

	kernel_kev_socket_set_filter(old, all);
	kernel_effects_init(&effects);
	assert_int_equal(kernel_kev_post(w->kernel, event, NULL, 0, true, &effects), 0);
	/* a program that hears of one event may open another socket */
	young = kernel_kev_socket_new(w->kernel, NULL);
	kernel_kev_socket_set_filter(young, all);
	assert_true(kernel_effects_kev(w->kernel, &effects, &delivery));
	assert_ptr_equal(delivery.socket, old);
	assert_false(kernel_effects_kev(w->kernel, &effects, &delivery));
	kernel_kev_socket_free(w->kernel, young);
	kernel_kev_socket_free(w->kernel, old);
}

/* A thread whose trap has just completed may end before the host has taken the result. */
TEST_1(a_thread_that_ends_leaves_the_list_of_those_that_completed)
{
	struct actor *first = world_thread_new(a->party), *second = world_thread_new(a->party),
		     *third = world_thread_new(a->party);
	struct actor *const waiters[] = { first, second, third };
	mach_port_name_t set = new_set(a);
	struct kernel_effects effects;
	struct thread *thread;
	uint32_t taken = 0;

	for (int i = 0; i < 3; i++)
		assert_int_equal(msg_receive(waiters[i], set, MACH_RCV_TIMEOUT, ANY_SIZE, 10, NULL),
				 BLOCKED);
	kernel_effects_init(&effects);
	kernel_step(
	    w->kernel,
	    &(struct kernel_event){ .kind = EVENT_DEADLINE, .now_ns = w->now_ns + 20000000 },
	    &effects);
	for (int i = 1; i < 3; i++) {
		kernel_step(w->kernel,
			    &(struct kernel_event){ .kind = EVENT_THREAD_EXIT,
						    .thread = waiters[i]->thread },
			    &effects);
		waiters[i]->thread = NULL;
	}
	while ((thread = kernel_effects_thread(&effects)) != NULL) {
		assert_ptr_equal(thread, first->thread);
		assert_int_equal(thread_result(thread)->code, MACH_RCV_TIMED_OUT);
		thread_result_free(thread, &effects);
		taken++;
	}
	assert_int_equal(taken, 1);
	first->parked = false;
	for (int i = 1; i < 3; i++)
		waiters[i]->parked = false;
}
