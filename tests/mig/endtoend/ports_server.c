/*
 * Uses up the rights that come, and gives some.
 */
#include "mig_server.h"

#include "portsServer.h"

static mach_port_t own; /* receive and send right */

static void
begin(mach_port_t port)
{
	(void)port;
	own = port_new();
}

static void
end(void)
{
	port_end(own);
}

const struct served served = {
	.demux = ports_server,
	.max_size = 4096,
	.begin = begin,
	.end = end,
};

/* Has the right come as a send right?  Then send over it and give it up. */
static void
use_send(mach_port_t name, int number)
{
	if (!MACH_PORT_VALID(name))
		return;
	expect((right_type(name) & MACH_PORT_TYPE_SEND) != 0);
	number_send(name, MACH_MSG_TYPE_MOVE_SEND, number);
}

static void
use_once(mach_port_t name, int number)
{
	expect_equal(right_type(name), MACH_PORT_TYPE_SEND_ONCE);
	number_send(name, MACH_MSG_TYPE_MOVE_SEND_ONCE, number);
}

static void
use_receive(mach_port_t name, int number)
{
	expect((right_type(name) & MACH_PORT_TYPE_RECEIVE) != 0);
	number_send(name, MACH_MSG_TYPE_MAKE_SEND_ONCE, number);
	expect_equal(number_receive(name), number);
	receive_right_end(name);
}

/* A name that holds a send-once right to @port. */
static mach_port_t
once_to(mach_port_t port)
{
	mach_port_t name;
	mach_msg_type_name_t type;

	expect_equal(mach_port_extract_right(mach_task_self(), port, MACH_MSG_TYPE_MAKE_SEND_ONCE,
					     &name, &type),
		     0);
	return name;
}

static void
own_ref(void)
{
	expect_equal(mach_port_mod_refs(mach_task_self(), own, MACH_PORT_RIGHT_SEND, 1), 0);
}

kern_return_t
ports_in(mach_port_t server, mach_port_t copy_send, mach_port_t make_send, mach_port_t move_send,
	 mach_port_t make_once, mach_port_t move_once, mach_port_t move_receive, int number)
{
	use_send(copy_send, number);
	use_send(make_send, number + 1);
	use_send(move_send, number + 2);
	use_once(make_once, number + 3);
	use_once(move_once, number + 4);
	use_receive(move_receive, number + 5);
	return KERN_SUCCESS;
}

kern_return_t
ports_in_bare(mach_port_t server, mach_port_t a, mach_port_t b)
{
	use_send(a, 1);
	use_send(b, 2);
	return KERN_SUCCESS;
}

kern_return_t
ports_out(mach_port_t server, int number, mach_port_t *copy_send, mach_port_t *make_send,
	  mach_port_t *move_send, mach_port_t *make_once, mach_port_t *move_once,
	  mach_port_t *move_receive)
{
	mach_port_t given = port_new();

	*copy_send = own;
	*make_send = own;
	own_ref();
	*move_send = own;
	*make_once = own;
	*move_once = once_to(own);
	expect_equal(right_urefs(own, MACH_PORT_RIGHT_SEND), 2);
	number_send(given, MACH_MSG_TYPE_MOVE_SEND, number);
	*move_receive = given;
	return KERN_SUCCESS;
}

kern_return_t
ports_out_bare(mach_port_t server, mach_port_t *port)
{
	expect_equal(right_urefs(own, MACH_PORT_RIGHT_SEND), 1);
	*port = own;
	return KERN_SUCCESS;
}

kern_return_t
ports_inout(mach_port_t server, int *a, mach_port_t *port)
{
	use_send(*port, *a);
	*a += 1;
	*port = own;
	return KERN_SUCCESS;
}

static uint32_t
use_poly(mach_port_t name, mach_msg_type_name_t type)
{
	if (type == MACH_MSG_TYPE_PORT_SEND)
		use_send(name, 9);
	else if (type == MACH_MSG_TYPE_PORT_SEND_ONCE)
		use_once(name, 9);
	else if (type == MACH_MSG_TYPE_PORT_RECEIVE)
		use_receive(name, 9);
	else
		expect(!"a received disposition");
	return type;
}

kern_return_t
ports_poly_in(mach_port_t server, mach_port_t a, mach_msg_type_name_t aPoly, mach_port_t b,
	      mach_msg_type_name_t bPoly, uint32_t *a_type, uint32_t *b_type)
{
	*a_type = use_poly(a, aPoly);
	*b_type = use_poly(b, bPoly);
	return KERN_SUCCESS;
}

kern_return_t
ports_poly_out(mach_port_t server, uint32_t disposition, mach_port_t *a,
	       mach_msg_type_name_t *aPoly)
{
	if (disposition == MACH_MSG_TYPE_MOVE_SEND)
		own_ref();
	*a = disposition == MACH_MSG_TYPE_MOVE_SEND_ONCE ? once_to(own)
	     : disposition == MACH_MSG_TYPE_MOVE_RECEIVE ? receive_right_new()
							 : own;
	*aPoly = disposition;
	return KERN_SUCCESS;
}

kern_return_t
ports_poly_inout(mach_port_t server, mach_port_t *a, mach_msg_type_name_t *aPoly)
{
	use_poly(*a, *aPoly);
	*a = own;
	*aPoly = MACH_MSG_TYPE_MAKE_SEND_ONCE;
	return KERN_SUCCESS;
}

kern_return_t
ports_chosen(mach_port_t server, mach_port_t a, mach_port_t b, boolean_t once, mach_port_t *c,
	     mach_msg_type_name_t *cPoly)
{
	use_send(a, 1);
	use_once(b, 2);
	if (once) {
		/* not what the type says: the caller's stub refuses it */
		*c = own;
		*cPoly = MACH_MSG_TYPE_MAKE_SEND_ONCE;
		return KERN_SUCCESS;
	}
	own_ref();
	*c = own;
	*cPoly = MACH_MSG_TYPE_MOVE_SEND;
	return KERN_SUCCESS;
}

kern_return_t
ports_rows(mach_port_t server, pair_t a, row_t b, mach_msg_type_number_t bCnt, int number,
	   pair_made_t oa, row_t ob, mach_msg_type_number_t *obCnt)
{
	use_send(a[0], number);
	use_send(a[1], number + 1);
	for (mach_msg_type_number_t i = 0; i < bCnt; i++)
		use_send(b[i], number + 2);
	oa[0] = oa[1] = own;
	expect(*obCnt <= 4);
	for (mach_msg_type_number_t i = 0; i < bCnt; i++)
		ob[i] = own;
	*obCnt = bCnt;
	return KERN_SUCCESS;
}

static void
use_array(mach_port_t *names, mach_msg_type_number_t count, int number)
{
	for (mach_msg_type_number_t i = 0; i < count; i++)
		use_send(names[i], number);
}

static void
free_array(mach_port_t *names, mach_msg_type_number_t count)
{
	if (count > 0)
		memory_end(names, count * sizeof(*names));
}

kern_return_t
ports_arrays(mach_port_t server, sends_t a, mach_msg_type_number_t aCnt, made_sends_t b,
	     mach_msg_type_number_t bCnt, managed_sends_t c, mach_msg_type_number_t cCnt,
	     four_sends_t d, few_sends_t e, mach_msg_type_number_t eCnt, int number)
{
	use_array(a, aCnt, number);
	use_array(b, bCnt, number + 1);
	use_array(c, cCnt, number + 2); /* the stub frees the memory, the rights are ours */
	use_array(d, 4, number + 3);
	use_array(e, eCnt, number + 4);
	free_array(a, aCnt);
	free_array(b, bCnt);
	free_array(d, 4);
	free_array(e, eCnt);
	return KERN_SUCCESS;
}

kern_return_t
ports_arrays_out(mach_port_t server, uint32_t count, sends_t *a, mach_msg_type_number_t *aCnt,
		 made_sends_t *b, mach_msg_type_number_t *bCnt, receives_t *c,
		 mach_msg_type_number_t *cCnt, four_sends_t *d)
{
	static mach_port_t four[4];

	*a = memory_new(count * sizeof(**a));
	*b = memory_new(count * sizeof(**b));
	*c = memory_new(count * sizeof(**c));
	*aCnt = *bCnt = *cCnt = count;
	for (uint32_t i = 0; i < count; i++) {
		(*a)[i] = i % 2 == 0 ? own : MACH_PORT_NULL;
		(*b)[i] = own;
		(*c)[i] = receive_right_new();
		number_send((*c)[i], MACH_MSG_TYPE_MAKE_SEND_ONCE, (int)i);
	}
	for (int i = 0; i < 4; i++)
		four[i] = own;
	*d = four;
	return KERN_SUCCESS;
}

kern_return_t
ports_receives(mach_port_t server, receives_t a, mach_msg_type_number_t aCnt)
{
	for (mach_msg_type_number_t i = 0; i < aCnt; i++)
		use_receive(a[i], (int)i);
	free_array(a, aCnt);
	return KERN_SUCCESS;
}

kern_return_t
ports_poly_array(mach_port_t server, poly_array_t a, mach_msg_type_name_t aPoly,
		 mach_msg_type_number_t aCnt, int number)
{
	for (mach_msg_type_number_t i = 0; i < aCnt; i++)
		if (aPoly == MACH_MSG_TYPE_PORT_SEND)
			use_send(a[i], number);
		else
			use_once(a[i], number);
	free_array(a, aCnt);
	return KERN_SUCCESS;
}

kern_return_t
ports_tell(mach_port_t server, mach_port_t a, int number)
{
	use_send(a, number);
	return KERN_SUCCESS;
}

kern_return_t
ports_refuse(mach_port_t server, mach_port_t a, mach_port_t b, mach_port_t c, made_sends_t d,
	     mach_msg_type_number_t dCnt, row_t e, mach_msg_type_number_t eCnt, mach_port_t f,
	     mach_msg_type_name_t fPoly, mach_port_t *g, mach_port_t *h,
	     mach_msg_type_name_t *hPoly)
{
	*g = own;
	*h = own;
	*hPoly = MACH_MSG_TYPE_COPY_SEND;
	return KERN_FAILURE;
}
