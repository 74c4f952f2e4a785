/*
 * Sends rights to ports of its own, on which the server's numbers then arrive, and receives
 * rights, which it uses.
 */
#include "mig_client.h"

#include "ports.h"

#include <mach/mig_errors.h>

static mach_port_t own; /* receive and send right; new for each test */

static void
own_new(void)
{
	own = port_new();
}

static void
own_end(void)
{
	expect_equal(right_urefs(own, MACH_PORT_RIGHT_SEND), 1);
	port_end(own);
}

static void
own_ref(unsigned count)
{
	expect_equal(mach_port_mod_refs(mach_task_self(), own, MACH_PORT_RIGHT_SEND, (int)count),
		     0);
}

static mach_port_t
own_once(void)
{
	mach_port_t name;
	mach_msg_type_name_t type;

	expect_equal(mach_port_extract_right(mach_task_self(), own, MACH_MSG_TYPE_MAKE_SEND_ONCE,
					     &name, &type),
		     0);
	return name;
}

/* These numbers have arrived, in any order within a call. */
static void
expect_numbers(int first, int count)
{
	unsigned seen = 0;

	for (int i = 0; i < count; i++) {
		int number = number_receive(own);
		expect(number >= first && number < first + count);
		seen |= 1u << (number - first);
	}
	expect_equal(seen, (1u << count) - 1);
}

static void
release(mach_port_t name, mach_port_right_t right)
{
	expect((right_type(name) & MACH_PORT_TYPE(right)) != 0);
	expect_equal(mach_port_mod_refs(mach_task_self(), name, right, -1), 0);
}

/* Two send-once rights were given up, which is told; when, is the server's business. */
static void
drain(void)
{
	for (int i = 0; i < 2; i++) {
		struct {
			mach_msg_header_t header;
			mach_msg_max_trailer_t trailer;
		} notice;
		expect_equal(mach_msg(&notice.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
				      sizeof(notice), own, 20000, MACH_PORT_NULL),
			     MACH_MSG_SUCCESS);
		expect_equal(notice.header.msgh_id, 71);
	}
}

static void
in(mach_port_t server)
{
	own_new();
	own_ref(1); /* to be moved */
	/* its queue holds 5: the sixth number stays with the server */
	expect_equal(ports_in(server, own, own, own, own, own_once(), receive_right_new(), 100),
		     KERN_SUCCESS);
	expect_numbers(100, 5);
	own_ref(1);
	expect_equal(ports_in_bare(server, own, own), KERN_SUCCESS);
	expect_numbers(1, 2);
	expect_equal(ports_in_bare(server, MACH_PORT_NULL, MACH_PORT_DEAD), KERN_SUCCESS);
	expect_equal(ports_tell(server, own, 7), MACH_MSG_SUCCESS);
	expect_numbers(7, 1);
	own_end();
}

static void
out(mach_port_t server)
{
	mach_port_t copy, made, moved, made_once, moved_once, receive, bare;

	expect_equal(ports_out(server, 55, &copy, &made, &moved, &made_once, &moved_once, &receive),
		     KERN_SUCCESS);
	expect_equal(copy, made);
	expect_equal(copy, moved);
	expect_equal(right_type(copy), MACH_PORT_TYPE_SEND);
	expect_equal(right_urefs(copy, MACH_PORT_RIGHT_SEND), 3);
	expect_equal(right_type(made_once), MACH_PORT_TYPE_SEND_ONCE);
	expect_equal(right_type(moved_once), MACH_PORT_TYPE_SEND_ONCE);
	expect(made_once != moved_once);
	expect_equal(number_receive(receive), 55);
	expect_equal(ports_out_bare(server, &bare), KERN_SUCCESS);
	expect_equal(bare, copy);
	for (int i = 0; i < 4; i++)
		release(copy, MACH_PORT_RIGHT_SEND);
	release(made_once, MACH_PORT_RIGHT_SEND_ONCE);
	release(moved_once, MACH_PORT_RIGHT_SEND_ONCE);
	receive_right_end(receive);
}

static void
inout(mach_port_t server)
{
	int number = 31;

	own_new();
	mach_port_t port = own;
	expect_equal(ports_inout(server, &number, &port), KERN_SUCCESS);
	expect_equal(number, 32);
	expect_equal(number_receive(own), 31);
	expect(port != own);
	release(port, MACH_PORT_RIGHT_SEND);
	own_end();
}

static void
poly_in(mach_port_t server)
{
	static const struct {
		mach_msg_type_name_t sent, received;
	} kinds[] = {
		{ MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_PORT_SEND },
		{ MACH_MSG_TYPE_MAKE_SEND, MACH_MSG_TYPE_PORT_SEND },
		{ MACH_MSG_TYPE_MOVE_SEND, MACH_MSG_TYPE_PORT_SEND },
		{ MACH_MSG_TYPE_MAKE_SEND_ONCE, MACH_MSG_TYPE_PORT_SEND_ONCE },
		{ MACH_MSG_TYPE_MOVE_SEND_ONCE, MACH_MSG_TYPE_PORT_SEND_ONCE },
		{ MACH_MSG_TYPE_MOVE_RECEIVE, MACH_MSG_TYPE_PORT_RECEIVE },
	};

	own_new();
	for (size_t i = 0; i < 36; i++) {
		uint32_t got[2] = { 0, 0 };
		mach_port_t names[2];
		int arrive = 0;
		for (int j = 0; j < 2; j++) {
			mach_msg_type_name_t sent = kinds[j == 0 ? i % 6 : i / 6].sent;
			if (sent == MACH_MSG_TYPE_MOVE_SEND)
				own_ref(1);
			names[j] = sent == MACH_MSG_TYPE_MOVE_SEND_ONCE ? own_once()
				   : sent == MACH_MSG_TYPE_MOVE_RECEIVE ? receive_right_new()
									: own;
			arrive += sent != MACH_MSG_TYPE_MOVE_RECEIVE;
		}
		expect_equal(ports_poly_in(server, names[0], kinds[i % 6].sent, names[1],
					   kinds[i / 6].sent, &got[0], &got[1]),
			     KERN_SUCCESS);
		expect_equal(got[0], kinds[i % 6].received);
		expect_equal(got[1], kinds[i / 6].received);
		while (arrive-- > 0)
			expect_equal(number_receive(own), 9);
	}
	own_end();
}

static void
poly_out(mach_port_t server)
{
	static const struct {
		mach_msg_type_name_t sent, received;
		mach_port_right_t right;
	} kinds[] = {
		{ MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_PORT_SEND, MACH_PORT_RIGHT_SEND },
		{ MACH_MSG_TYPE_MAKE_SEND, MACH_MSG_TYPE_PORT_SEND, MACH_PORT_RIGHT_SEND },
		{ MACH_MSG_TYPE_MOVE_SEND, MACH_MSG_TYPE_PORT_SEND, MACH_PORT_RIGHT_SEND },
		{ MACH_MSG_TYPE_MAKE_SEND_ONCE, MACH_MSG_TYPE_PORT_SEND_ONCE,
		  MACH_PORT_RIGHT_SEND_ONCE },
		{ MACH_MSG_TYPE_MOVE_SEND_ONCE, MACH_MSG_TYPE_PORT_SEND_ONCE,
		  MACH_PORT_RIGHT_SEND_ONCE },
		{ MACH_MSG_TYPE_MOVE_RECEIVE, MACH_MSG_TYPE_PORT_RECEIVE, MACH_PORT_RIGHT_RECEIVE },
	};

	for (size_t i = 0; i < 6; i++) {
		mach_port_t port;
		mach_msg_type_name_t type = 0;
		expect_equal(ports_poly_out(server, kinds[i].sent, &port, &type), KERN_SUCCESS);
		expect_equal(type, kinds[i].received);
		release(port, kinds[i].right);
	}
}

static void
poly_inout(mach_port_t server)
{
	own_new();
	mach_port_t port = own;
	mach_msg_type_name_t type = MACH_MSG_TYPE_MAKE_SEND;
	expect_equal(ports_poly_inout(server, &port, &type), KERN_SUCCESS);
	expect_equal(type, MACH_MSG_TYPE_PORT_SEND_ONCE);
	expect_equal(number_receive(own), 9);
	release(port, MACH_PORT_RIGHT_SEND_ONCE);
	own_end();
}

static void
chosen(mach_port_t server)
{
	mach_port_t c = MACH_PORT_NULL;

	own_new();
	expect_equal(ports_chosen(server, own, MACH_MSG_TYPE_MAKE_SEND, own,
				  MACH_MSG_TYPE_MAKE_SEND_ONCE, FALSE, &c),
		     KERN_SUCCESS);
	expect_numbers(1, 2);
	release(c, MACH_PORT_RIGHT_SEND);
	own_ref(1);
	c = 5;
	expect_equal(ports_chosen(server, own, MACH_MSG_TYPE_MOVE_SEND, own_once(),
				  MACH_MSG_TYPE_MOVE_SEND_ONCE, TRUE, &c),
		     MIG_TYPE_ERROR);
	expect_numbers(1, 2);
	expect_equal(c, 5);
	/* the server's check: nothing is called, all is given up */
	expect_equal(ports_chosen(server, own, MACH_MSG_TYPE_MAKE_SEND_ONCE, own,
				  MACH_MSG_TYPE_MAKE_SEND_ONCE, FALSE, &c),
		     MIG_TYPE_ERROR);
	drain();
	own_end();
}

static void
rows(mach_port_t server)
{
	own_new();
	for (mach_msg_type_number_t count = 0; count <= 3; count++) {
		pair_t a = { own, own };
		row_t b = { own, own, own, own };
		pair_made_t oa;
		row_t ob;
		mach_msg_type_number_t got = 4;

		expect_equal(ports_rows(server, a, b, count, 40, oa, ob, &got), KERN_SUCCESS);
		expect_equal(number_receive(own), 40);
		expect_equal(number_receive(own), 41);
		for (mach_msg_type_number_t i = 0; i < count; i++)
			expect_equal(number_receive(own), 42);
		expect_equal(got, count);
		release(oa[0], MACH_PORT_RIGHT_SEND);
		release(oa[1], MACH_PORT_RIGHT_SEND);
		for (mach_msg_type_number_t i = 0; i < count; i++)
			release(ob[i], MACH_PORT_RIGHT_SEND);
	}
	/* too many to send: refused before anything is */
	pair_t a = { own, own };
	row_t b = { own, own, own, own };
	mach_msg_type_number_t got = 4;
	expect_equal(ports_rows(server, a, b, 5, 40, a, b, &got), MIG_ARRAY_TOO_LARGE);
	own_end();
}

/* Rights for which there is no room in the caller's array are not kept. */
static void
rows_without_room(mach_port_t server)
{
	own_new();
	for (mach_msg_type_number_t room = 0; room < 3; room++) {
		pair_t a = { MACH_PORT_NULL, MACH_PORT_NULL };
		row_t b = { own, own, own, MACH_PORT_NULL };
		pair_made_t oa = { 0, 0 };
		row_t ob = { 0, 0, 0, 0 };
		mach_msg_type_number_t got = room;

		expect_equal(ports_rows(server, a, b, 3, 40, oa, ob, &got), MIG_ARRAY_TOO_LARGE);
		expect_equal(got, 3);
		for (int i = 0; i < 3; i++)
			expect_equal(number_receive(own), 42);
		for (mach_msg_type_number_t i = room; i < 4; i++)
			expect_equal(ob[i], MACH_PORT_NULL);
		/* what was given is the caller's */
		for (int i = 0; i < 4; i++)
			if (ob[i] != MACH_PORT_NULL)
				release(ob[i], MACH_PORT_RIGHT_SEND);
		for (int i = 0; i < 2; i++)
			if (oa[i] != MACH_PORT_NULL)
				release(oa[i], MACH_PORT_RIGHT_SEND);
	}
	own_end();
}

static void
arrays(mach_port_t server)
{
	own_new();
	for (mach_msg_type_number_t count = 0; count < 2; count++) {
		mach_port_t names[4] = { own, MACH_PORT_NULL, MACH_PORT_DEAD, MACH_PORT_NULL };
		mach_port_t few[3] = { own, MACH_PORT_NULL, MACH_PORT_NULL };
		managed_sends_t moved = memory_new(4096);
		moved[0] = own;
		own_ref(count);
		expect_equal(ports_arrays(server, names, count, names, count, moved, count, names,
					  few, count * 3, 60),
			     KERN_SUCCESS);
		for (mach_msg_type_number_t i = 0; i < count; i++)
			for (int j = 0; j < 3; j++)
				expect_equal(number_receive(own), 60 + j);
		expect_equal(number_receive(own), 63);
		if (count > 0)
			expect_equal(number_receive(own), 64);
		if (memory_is_mapped(moved)) /* nothing of no bytes was moved */
			memory_end(moved, 4096);
	}
	own_end();
}

static void
arrays_too_long(mach_port_t server)
{
	mach_port_t names[4] = { 0 };

	expect_equal(ports_arrays(server, names, 0, names, 0, names, 0, names, names, 4, 60),
		     MIG_ARRAY_TOO_LARGE);
}

static void
arrays_out(mach_port_t server)
{
	sends_t a;
	made_sends_t b;
	receives_t c;
	four_sends_t d;
	mach_msg_type_number_t a_count, b_count, c_count;

	expect_equal(ports_arrays_out(server, 5, &a, &a_count, &b, &b_count, &c, &c_count, &d),
		     KERN_SUCCESS);
	expect(a_count == 5 && b_count == 5 && c_count == 5);
	for (int i = 0; i < 5; i++) {
		if (i % 2 == 0)
			release(a[i], MACH_PORT_RIGHT_SEND);
		else
			expect_equal(a[i], MACH_PORT_NULL);
		release(b[i], MACH_PORT_RIGHT_SEND);
		expect_equal(number_receive(c[i]), i);
		receive_right_end(c[i]);
	}
	for (int i = 0; i < 4; i++)
		release(d[i], MACH_PORT_RIGHT_SEND);
	memory_end(a, 20);
	memory_end(b, 20);
	memory_end(c, 20);
	memory_end(d, 16);
}

static void
receives(mach_port_t server)
{
	mach_port_t names[3];

	for (int i = 0; i < 3; i++)
		names[i] = receive_right_new();
	expect_equal(ports_receives(server, names, 3), KERN_SUCCESS);
	for (int i = 0; i < 3; i++)
		expect_equal(right_type(names[i]), 0);
}

static void
poly_array(mach_port_t server)
{
	mach_port_t names[3];

	own_new();
	for (int kind = 0; kind < 4; kind++) {
		static const mach_msg_type_name_t kinds[] = { MACH_MSG_TYPE_COPY_SEND,
							      MACH_MSG_TYPE_MAKE_SEND,
							      MACH_MSG_TYPE_MAKE_SEND_ONCE,
							      MACH_MSG_TYPE_MOVE_SEND_ONCE };
		for (int i = 0; i < 3; i++)
			names[i] = kind == 3 ? own_once() : own;
		expect_equal(ports_poly_array(server, names, kinds[kind], 3, FALSE, 70 + kind),
			     KERN_SUCCESS);
		for (int i = 0; i < 3; i++)
			expect_equal(number_receive(own), 70 + kind);
	}
	own_end();
}

/* What the server function refuses is destroyed: nobody has it then. */
static void
refused(mach_port_t server)
{
	mach_port_t g = 1, h = 2;
	mach_msg_type_name_t type = 3;

	own_new();
	mach_port_t receive = receive_right_new();
	mach_port_t names[2] = { own, own };
	row_t row = { own, own, own, own };
	expect_equal(ports_refuse(server, own, own, receive, names, 2, row, 3, own,
				  MACH_MSG_TYPE_MAKE_SEND_ONCE, &g, &h, &type),
		     KERN_FAILURE);
	expect_equal(right_type(receive), 0);
	expect(g == 1 && h == 2 && type == 3);
	drain();
	own_end();
}

void
client(mach_port_t server)
{
	static void (*const all[])(mach_port_t server) = {
		in,
		out,
		inout,
		poly_in,
		poly_out,
		poly_inout,
		chosen,
		rows,
		rows_without_room,
		arrays,
		arrays_too_long,
		arrays_out,
		receives,
		poly_array,
		refused,
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct server_state server_before = server_state(server);
		struct holdings before = holdings_now();
		all[i](server);
		holdings_expect_equal(holdings_now(), before);
		holdings_expect_equal(server_state(server).holdings, server_before.holdings);
	}
	/* each array of rights has memory too: 4 to 8 pages a turn */
	repeat_and_count(server, 200, 16384, arrays_out);
	repeat_and_count(server, 200, 4096, refused);
	repeat_and_count(server, 200, 8192, receives);
}
