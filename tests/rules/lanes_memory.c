/* Lanes without memory: what was sent is not lost, what fails leaves no trace. */
#include "tests/support/lanes.h"

#include "tests/support/calls.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE

static struct received came;
static struct lane_taken taken;

TEST(nothing_that_is_in_lanes_is_lost_for_want_of_memory)
{
	FOR_EACH_FAILURE (fault) {
		struct world *w = world_new_on(&fault, 2);
		struct actor *a = world_actor(w, 0), *b = world_actor(w, 1);
		struct lane_ends lane = to_mailbox(a, b);
		mach_port_name_t reply = new_port(a);
		uint32_t binding = lane_bind(&lane, reply);
		int32_t next = 1;

		for (int32_t i = 1; i <= 3; i++)
			assert_true(put_id(&lane, i, binding));
		fault_arm(&fault);
		/* whatever fails, in the end each has come, and in its order */
		while (next <= 3) {
			kern_return_t kr =
			    msg_receive(b, b->party->mailbox, MACH_RCV_TIMEOUT, ANY_SIZE, 0, &came);

			if (kr == MACH_MSG_SUCCESS)
				assert_int_equal(came.header.msgh_id, next++);
			else
				assert_true(fault.hit);
		}
		fault.armed = false;
		world_free(w);
	}
}

TEST(answers_come_in_their_order_for_want_of_memory)
{
	FOR_EACH_FAILURE (fault) {
		struct world *w = world_new_on(&fault, 2);
		struct actor *a = world_actor(w, 0), *b = world_actor(w, 1);
		struct lane_ends lane = to_mailbox(a, b);
		mach_port_name_t reply = new_port(a);
		uint32_t binding = lane_bind(&lane, reply);
		struct lane_taken requests[3];
		int32_t next = 1;

		for (int32_t i = 0; i < 3; i++) {
			assert_true(put_id(&lane, i, binding));
			assert_true(lane_take(&lane, &requests[i]));
		}
		for (int32_t i = 0; i < 3; i++)
			assert_true(answer_id(&lane, &requests[i], i + 1));
		fault_arm(&fault);
		while (next <= 3) {
			kern_return_t kr =
			    msg_receive(a, reply, MACH_RCV_TIMEOUT, ANY_SIZE, 0, &came);

			if (kr == MACH_MSG_SUCCESS)
				assert_int_equal(came.header.msgh_id, next++);
			else
				assert_true(fault.hit);
		}
		fault.armed = false;
		/* who asks now has a right to answer, or no lane */
		for (uint32_t i = 0; i < MACH_LANE_CALLS && put_id(&lane, 4, binding); i++) {
			assert_true(lane_take(&lane, &taken));
			assert_true(answer_id(&lane, &taken, 5));
			assert_true(lane_take_answer(&lane, binding, &taken));
		}
		if (put_id(&lane, 4, binding)) {
			assert_true(lane_take(&lane, &taken));
			assert_entry(b, taken.reply, MACH_PORT_TYPE_SEND_ONCE, 1);
		}
		world_free(w);
	}
}

TEST(a_send_is_refused_only_in_the_step_that_has_no_memory)
{
	FOR_EACH_FAILURE (fault) {
		struct world *w = world_new_on(&fault, 2);
		struct actor *a = world_actor(w, 0), *b = world_actor(w, 1);
		struct lane_ends lane = to_mailbox(a, b);

		for (int32_t i = 1; i <= 3; i++)
			assert_true(put_id(&lane, i, LANE_NO_ANSWER));
		fault.lasting = true;
		fault_arm(&fault);

		kern_return_t kr = send_id(a, lane.right, COPY, 4);

		fault.armed = false;
		if (kr != MACH_MSG_SUCCESS) {
			assert_true(fault.hit);
			assert_ok(send_id(a, lane.right, COPY, 4));
		}
		for (int32_t i = 1; i <= 4; i++)
			assert_int_equal(take_id(b, b->party->mailbox), i);
		world_free(w);
	}
}

TEST(a_receive_right_does_not_leave_messages_behind_for_want_of_memory)
{
	FOR_EACH_FAILURE (fault) {
		struct world *w = world_new_on(&fault, 2);
		struct actor *a = world_actor(w, 0), *b = world_actor(w, 1);
		struct lane_ends lane = to_mailbox(a, b);
		mach_port_name_t box = b->party->mailbox, other = new_port(b);

		assert_ok(send_id(b, other, MAKE_ONCE, 9)); /* room for one more notification */
		assert_int_equal(take_id(b, other), 9);
		assert_true(put_id(&lane, 1, LANE_NO_ANSWER));
		fault.lasting = true;
		fault_arm(&fault);

		kern_return_t kr = port_insert_right(b, box, box, MACH_MSG_TYPE_MOVE_RECEIVE);

		fault.armed = false;
		assert_true(kr == KERN_SUCCESS || fault.hit);
		assert_int_equal(take_id(b, box), 1);
		world_free(w);
	}
}

TEST(opening_a_lane_fails_without_a_trace)
{
	FOR_EACH_FAILURE (fault) {
		struct world *w = world_new_on(&fault, 2);
		struct actor *a = world_actor(w, 0), *b = world_actor(w, 1);
		struct lane_ends lane;
		mach_port_name_t reply = new_port(a);

		assert_non_null(lane_begin(a));
		assert_non_null(lane_begin(b));
		fault_arm(&fault);
		if (trap(a, BERTH_TRAP_LANE_OPEN, a->party->mailbox_of[1], 0, 0, 0, 0, 0) !=
		    KERN_SUCCESS) {
			assert_true(fault.hit);
			assert_int_equal(world_counts(w).lanes, 0);
		}
		fault.armed = false;
		world_free(w);
		(void)reply;
		(void)lane;
	}
}

TEST_2(without_memory_of_the_host_there_are_no_lanes)
{
	w->no_shared = true;
	assert_null(lane_begin(a));
	w->no_shared = false;
	assert_non_null(lane_begin(a));
	assert_non_null(lane_begin(b));
	w->no_shared = true;
	assert_code(trap(a, BERTH_TRAP_LANE_OPEN, a->party->mailbox_of[1], 0, 0, 0, 0, 0),
		    KERN_RESOURCE_SHORTAGE);
	(void)b;
}
