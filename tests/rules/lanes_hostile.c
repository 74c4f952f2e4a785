/* Lanes: who writes into the memory what he likes spoils his own lane and nothing else. */
#include "tests/support/lanes.h"

#include <string.h>

#include "kernel/limits.h"
#include "tests/support/calls.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MOVE_ONCE MACH_MSG_TYPE_MOVE_SEND_ONCE

static struct received came;
static struct lane_taken taken;

static struct message
with_id(mach_port_name_t to, uint32_t disposition, int32_t id)
{
	struct message m = message_to(to, disposition);

	message_id(&m, id);
	return m;
}

static bool
put_id(struct lane_ends *lane, int32_t id, uint32_t binding)
{
	struct message m = with_id(lane->right, COPY, id);

	return lane_put(lane, &m, binding);
}

/* A lane from @a to the mailbox of @b. */
static struct lane_ends
to_mailbox(struct actor *a, struct actor *b)
{
	set_qlimit(b, b->party->mailbox, 16);
	return lane_make(a, a->party->mailbox_of[b->party->index], b);
}

/* ---- nothing is lost by looking -------------------------------------------------------------- */

TEST_2(who_looks_at_a_right_to_answer_loses_no_request_behind_it)
{
	struct lane_ends lane = to_mailbox(a, b);
	uint32_t binding = lane_bind(&lane, new_port(a));

	(void)w;
	assert_true(put_id(&lane, 1, binding));
	assert_true(lane_take(&lane, &taken));
	assert_true(put_id(&lane, 2, binding));
	assert_entry(b, taken.reply, MACH_PORT_TYPE_SEND_ONCE, 1);
	assert_int_equal(take_id(b, b->party->mailbox), 2);
}
