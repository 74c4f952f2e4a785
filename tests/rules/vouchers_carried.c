/* Vouchers in messages: mach-messages.md §4, §7, §8 and §10. */
#include "tests/support/vouchers.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MOVE MACH_MSG_TYPE_MOVE_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE

/* ---- in messages --------------------------------------------------------------------------- */

static struct message
with_voucher(mach_port_name_t to, mach_port_name_t voucher, uint32_t disposition)
{
	struct message m = message_to(to, COPY);

	message_header(&m)->msgh_voucher_port = voucher;
	message_header(&m)->msgh_bits = MACH_MSGH_BITS_SET_PORTS(COPY, 0, disposition);
	return m;
}

TEST_2(a_message_carries_a_voucher)
{
	mach_port_name_t voucher = voucher_new(a, "carried"), there;
	mach_port_name_t box = a->party->mailbox_of[b->party->index];
	struct message m = with_voucher(box, voucher, COPY);

	assert_ok(msg_send(a, &m, 0, 0));
	assert_entry(a, voucher, MACH_PORT_TYPE_SEND, 1);
	assert_ok(msg_receive(b, b->party->mailbox, MACH_RCV_VOUCHER, ANY_SIZE, 0, &got));
	there = got.header.msgh_voucher_port;
	assert_int_equal(MACH_MSGH_BITS_VOUCHER(got.header.msgh_bits), MACH_MSG_TYPE_PORT_SEND);
	assert_entry(b, there, MACH_PORT_TYPE_SEND, 1);
	assert_voucher_has(b, there, USER_DATA, "carried");
	/* moved, and under the name that it has there */
	m = with_voucher(box, voucher, MOVE);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_no_entry(a, voucher);
	assert_ok(msg_receive(b, b->party->mailbox, MACH_RCV_VOUCHER, ANY_SIZE, 0, &got));
	assert_int_equal(got.header.msgh_voucher_port, there);
	assert_entry(b, there, MACH_PORT_TYPE_SEND, 2);
}

TEST_2(who_does_not_want_vouchers_gets_none)
{
	const uint32_t ports = world_counts(w).ports;
	mach_port_name_t voucher = voucher_new(a, "unwanted");
	struct message m = with_voucher(a->party->mailbox_of[b->party->index], voucher, MOVE);

	assert_ok(msg_send(a, &m, 0, 0));
	assert_int_equal(world_counts(w).ports, ports + 1);
	assert_ok(msg_receive(b, b->party->mailbox, 0, ANY_SIZE, 0, &got));
	assert_int_equal(got.header.msgh_voucher_port, 0);
	assert_int_equal(MACH_MSGH_BITS_VOUCHER(got.header.msgh_bits), 0);
	assert_int_equal(world_counts(w).ports, ports);
}

TEST_1(a_header_names_a_voucher_or_is_refused)
{
	mach_port_name_t port = new_port_with_send(a), receive = new_port(a),
			 dead = new_dead_name(a);
	const mach_port_name_t names[] = {
		port, receive, dead, 0x7703, BERTH_NAME_TASK_SELF, MACH_PORT_DEAD, new_set(a)
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct message m = with_voucher(port, names[i], i % 2 ? COPY : MOVE);

		if (names[i] ==
		    port) /* a destination that is named twice is to be a voucher, too */
			message_header(&m)->msgh_remote_port = new_port_with_send(a);
		assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_SEND_INVALID_VOUCHER);
	}
}

TEST_1(the_header_is_checked_in_order_and_then_all_taken)
{
	mach_port_name_t voucher = voucher_new(a, "x"), port = new_port_with_send(a),
			 dead = new_dead_name(a);
	struct message m = with_voucher(dead, voucher, MOVE);

	/* a bad destination after a good voucher: nothing is consumed */
	assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_SEND_INVALID_DEST);
	/* a bad voucher before a bad destination */
	m = with_voucher(dead, port, MOVE);
	assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_SEND_INVALID_VOUCHER);
	/* a bad reply after both */
	m = with_voucher(port, voucher, MOVE);
	message_reply(&m, dead, COPY);
	message_header(&m)->msgh_bits = MACH_MSGH_BITS_SET_PORTS(COPY, MAKE_ONCE, MOVE);
	assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_SEND_INVALID_REPLY);
	/* the voucher itself is no reply port */
	m = with_voucher(port, voucher, COPY);
	message_header(&m)->msgh_local_port = voucher;
	message_header(&m)->msgh_bits = MACH_MSGH_BITS_SET_PORTS(COPY, COPY, COPY);
	assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_SEND_INVALID_REPLY);
	assert_entry(a, voucher, MACH_PORT_TYPE_SEND, 1);
}

TEST_1(a_voucher_may_be_the_destination_too)
{
	static const struct {
		uint32_t remote, voucher, refs, left;
		mach_msg_return_t code;
	} cases[] = {
		{ COPY, COPY, 1, 1, MACH_MSG_SUCCESS },
		{ MOVE, COPY, 1, 0, MACH_MSG_SUCCESS },
		{ COPY, MOVE, 1, 0, MACH_MSG_SUCCESS },
		{ MOVE, MOVE, 1, 1, MACH_SEND_INVALID_DEST },
		{ MOVE, MOVE, 2, 0, MACH_MSG_SUCCESS },
		{ MOVE, MOVE, 3, 1, MACH_MSG_SUCCESS },
		{ MAKE_ONCE, COPY, 1, 1, MACH_SEND_INVALID_DEST },
	};
	mach_port_name_t dead = new_dead_name(a);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		mach_port_name_t voucher = voucher_new(a, "both");
		struct message m = with_voucher(voucher, voucher, 0);

		assert_ok(
		    port_mod_refs(a, voucher, MACH_PORT_RIGHT_SEND, (int32_t)cases[i].refs - 1));
		message_header(&m)->msgh_bits =
		    MACH_MSGH_BITS_SET_PORTS(cases[i].remote, 0, cases[i].voucher);
		assert_code(msg_send(a, &m, 0, 0), cases[i].code);
		if (cases[i].left == 0) {
			assert_no_entry(a, voucher);
			continue;
		}
		assert_entry(a, voucher, MACH_PORT_TYPE_SEND, cases[i].left);
		if (cases[i].code == MACH_SEND_INVALID_DEST && cases[i].remote == MOVE) {
			/* a bad reply is found before that there is one reference too few */
			message_header(&m)->msgh_local_port = dead;
			message_header(&m)->msgh_bits =
			    MACH_MSGH_BITS_SET_PORTS(MOVE, MAKE_ONCE, MOVE);
			assert_code(msg_send(a, &m, 0, 0), MACH_SEND_INVALID_REPLY);
		}
		assert_ok(port_destroy(a, voucher));
	}
}

TEST_1(a_body_that_is_refused_takes_the_voucher_along)
{
	mach_port_name_t voucher = voucher_new(a, "x"), port = new_port_with_send(a);
	struct message m = with_voucher(port, voucher, MOVE);

	message_add_port(&m, 0x7703, COPY);
	assert_code(msg_send(a, &m, 0, 0), MACH_SEND_INVALID_RIGHT);
	assert_no_entry(a, voucher);
}

TEST_1(a_kernel_object_drops_it_and_answers_without)
{
	mach_port_name_t voucher = voucher_new(a, "x"), host = host_self(a);
	mach_port_name_t reply = reply_port(a);
	struct message m = with_voucher(host, voucher, MOVE);

	message_reply(&m, reply, MAKE_ONCE);
	message_header(&m)->msgh_bits = MACH_MSGH_BITS_SET_PORTS(COPY, MAKE_ONCE, MOVE);
	message_id(&m, 201);
	assert_ok(msg_send_receive(a, &m, MACH_RCV_VOUCHER, ANY_SIZE, reply, 0, &got));
	assert_int_equal(got.header.msgh_id, 301);
	assert_int_equal(got.header.msgh_voucher_port, 0);
	assert_int_equal(MACH_MSGH_BITS_VOUCHER(got.header.msgh_bits), 0);
	assert_no_entry(a, voucher);
}

TEST_2(what_was_not_delivered_comes_back)
{
	mach_port_name_t box = a->party->mailbox_of[b->party->index];
	mach_port_name_t voucher = voucher_new(a, "back");
	struct message m = with_voucher(box, voucher, COPY);

	set_qlimit(b, b->party->mailbox, 1);
	fill(a, box, 1);
	assert_code(msg_send(a, &m, MACH_SEND_TIMEOUT, 0), MACH_SEND_TIMED_OUT);
	received_parse(a, &got);
	assert_int_equal(got.header.msgh_voucher_port, voucher);
	assert_int_equal(MACH_MSGH_BITS_VOUCHER(got.header.msgh_bits), COPY);
	assert_entry(a, voucher, MACH_PORT_TYPE_SEND, 1);
	/* moved: back under a name, to be moved again */
	m = with_voucher(box, voucher, MOVE);
	assert_code(msg_send(a, &m, MACH_SEND_TIMEOUT, 0), MACH_SEND_TIMED_OUT);
	received_parse(a, &got);
	voucher = got.header.msgh_voucher_port;
	assert_int_equal(MACH_MSGH_BITS_VOUCHER(got.header.msgh_bits), MOVE);
	assert_entry(a, voucher, MACH_PORT_TYPE_SEND, 1);
	assert_voucher_has(a, voucher, USER_DATA, "back");
	/* or with a sender that waited */
	m = with_voucher(box, voucher, MOVE);
	assert_code(msg_send(a, &m, 0, 0), BLOCKED);
	world_interrupt(a);
	assert_code(finished(a, &got), MACH_SEND_INTERRUPTED);
	assert_entry(a, got.header.msgh_voucher_port, MACH_PORT_TYPE_SEND, 1);
}

TEST_2(a_message_that_dies_takes_the_voucher_along)
{
	const uint32_t ports = world_counts(w).ports;
	mach_port_name_t port = new_port(b), there = give(b, port, MACH_MSG_TYPE_MAKE_SEND, a);
	struct message m = with_voucher(there, voucher_new(a, "one"), MOVE);

	/* with the queue, and with a sender that waits */
	set_qlimit(b, port, 1);
	assert_ok(msg_send(a, &m, 0, 0));
	m = with_voucher(there, voucher_new(a, "two"), MOVE);
	assert_code(msg_send(a, &m, 0, 0), BLOCKED);
	assert_int_equal(world_counts(w).ports, ports + 3);
	assert_ok(port_destroy(b, port));
	assert_ok(finished(a, NULL));
	assert_ok(port_deallocate(a, there));
	assert_int_equal(world_counts(w).ports, ports);
	/* and with a task that is parked with it */
	port = new_port(b);
	there = give(b, port, MACH_MSG_TYPE_MAKE_SEND, a);
	set_qlimit(b, port, 0);
	m = with_voucher(there, voucher_new(a, "three"), MOVE);
	assert_code(msg_send(a, &m, 0, 0), BLOCKED);
	world_task_die(a->party);
}

TEST_2(too_small_a_buffer_loses_or_leaves_it)
{
	mach_port_name_t box = a->party->mailbox_of[b->party->index], mailbox = b->party->mailbox;
	struct message m = with_voucher(box, voucher_new(a, "left"), MOVE);
	const uint32_t ports = world_counts(w).ports;

	assert_ok(msg_send(a, &m, 0, 0));
	assert_code(msg_receive(b, mailbox, MACH_RCV_LARGE | MACH_RCV_VOUCHER, 8, 0, &got),
		    MACH_RCV_TOO_LARGE);
	assert_int_equal(world_counts(w).ports, ports);
	assert_code(msg_receive(b, mailbox, MACH_RCV_VOUCHER, 24, 0, &got), MACH_RCV_TOO_LARGE);
	assert_int_equal(got.header.msgh_voucher_port, 0);
	assert_int_equal(world_counts(w).ports, ports - 1);
}

/* ---- memory --------------------------------------------------------------------------------- */

TEST(making_and_carrying_fail_whole)
{
	(void)state;
	FOR_EACH_FAILURE (fault) {
		struct world *w = world_new_on(&fault, 2);
		struct actor *a = world_actor(w, 0), *b = world_actor(w, 1);
		mach_port_name_t host = host_self(a), voucher, reply = new_port(a);
		struct recipes r = recipes_of(USER_DATA, STORE, 0, "x");
		struct message m;
		kern_return_t kr;

		/* so that the receiver needs a larger table for what comes */
		while (type_of(b, 0x1f03) == MACH_PORT_TYPE_NONE)
			new_dead_name(b);
		fault_arm(&fault);
		kr = voucher_create_at(a, host, &r, &voucher);
		assert_code(kr, fault.hit ? KERN_RESOURCE_SHORTAGE : KERN_SUCCESS);
		if (kr == KERN_SUCCESS) {
			m = with_voucher(a->party->mailbox_of[1], voucher, MOVE);
			message_reply(&m, reply, MAKE_ONCE);
			message_header(&m)->msgh_bits =
			    MACH_MSGH_BITS_SET_PORTS(COPY, MAKE_ONCE, MOVE);
			kr = msg_send(a, &m, 0, 0);
			if (fault.hit)
				assert_code(kr, MACH_SEND_NO_BUFFER);
		}
		if (kr == KERN_SUCCESS) {
			kr = msg_receive(b, b->party->mailbox, MACH_RCV_VOUCHER, ANY_SIZE, 0, &got);
			if (fault.hit) {
				assert_code(kr, MACH_RCV_HEADER_ERROR | MACH_MSG_IPC_KERNEL);
				assert_int_equal(got.header.msgh_voucher_port, 0);
				assert_int_equal(got.header.msgh_remote_port, 0);
			} else {
				assert_ok(kr);
				assert_true(MACH_PORT_VALID(got.header.msgh_voucher_port));
			}
		}
		fault.armed = false;
		assert_ok(voucher_create_at(a, host, &r, &voucher));
		world_free(w);
		assert_int_equal(fault.live_count, 0);
	}
}
