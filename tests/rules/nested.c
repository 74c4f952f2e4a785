/* Nested levels: a signal handler's calls, which are the same thread to others (kernel/kernel.h).
 */
#include "tests/support/calls.h"
#include "tests/support/semaphores.h"
#include "tests/support/vouchers.h"

/* A level above @below, which may be one itself. */
static struct actor *
level_new(struct actor *below)
{
	struct party *party = below->party;
	struct actor *level = &party->actors[party->actor_count++];

	*level = (struct actor){ .world = party->world,
				 .party = party,
				 .target = BERTH_NAME_TASK_SELF,
				 .receive_buffer = 0x7000000 };
	level->thread = kernel_thread_new(party->task, below->thread, level);
	assert_non_null(level->thread);
	return level;
}

TEST_1(all_levels_are_one_thread)
{
	struct actor *level = level_new(a), *higher = level_new(level);
	mach_port_name_t self = thread_self(a);

	assert_int_equal(thread_self(level), self);
	assert_int_equal(thread_self(higher), self);
}

TEST_1(a_number_that_a_level_learns_is_the_threads)
{
	struct actor *level = level_new(a);
	mach_port_name_t self = thread_self(a);

	kernel_thread_set_number(level->thread, 815);
	assert_ok(trap(a, BERTH_TRAP_THREAD_PROCESS, self, 0, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[BERTH_TASK_THREAD], 815);
}

TEST_1(a_thread_is_found_in_the_level_that_waits)
{
	struct actor *level = level_new(a), *higher = level_new(level),
		     *other = world_thread_new(a->party);
	mach_port_name_t sem = new_semaphore(a, 0, 0), self = thread_self(a);

	assert_int_equal(sem_wait(other, sem), BLOCKED);
	assert_int_equal(sem_wait(higher, sem), BLOCKED);
	assert_ok(sem_signal_thread(a, sem, self));
	assert_ok(sem_finished(higher));
	assert_true(other->parked);
	assert_code(sem_signal_thread(a, sem, self), KERN_NOT_WAITING);
	assert_int_equal(sem_wait(level, sem), BLOCKED);
	assert_ok(sem_signal_thread(a, sem, self));
	assert_ok(sem_finished(level));
	assert_ok(sem_signal(a, sem));
	assert_ok(sem_finished(other));
}

TEST_1(levels_share_the_special_reply_port_and_the_voucher)
{
	struct actor *level = level_new(a);
	mach_port_name_t first = special_reply_port(level), second, voucher = voucher_new(a, "v");
	struct rpc r = rpc_to(3626); /* thread_set_mach_voucher */

	/* the thread's one special reply port is replaced, whoever asks */
	second = special_reply_port(a);
	assert_int_not_equal(first, second);
	message_add_port(&r.message, voucher, MACH_MSG_TYPE_COPY_SEND);
	assert_ok(object_call(level, thread_self(level), &r));
	assert_ok(port_destroy(a, first)); /* an ordinary one by now */
}

TEST_1(a_level_whose_thread_ends_is_a_thread_of_its_own)
{
	struct actor *below = world_thread_new(a->party), *level = level_new(below);
	mach_port_name_t before = thread_self(level);

	world_thread_exit(below);
	assert_int_not_equal(thread_self(level), before);
	assert_int_equal(type_of(a, before), MACH_PORT_TYPE_DEAD_NAME);
}
