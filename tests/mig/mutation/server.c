/*
 * The server's side: functions that look at all they are given, and take it, or fail and do
 * not, or answer never.
 */
#include "mutation.h"

#include <mach/mig_errors.h>

#include "shapesServer.h"

mach_port_t served_reply_right;

void
serve(mach_msg_header_t *request, mach_msg_header_t *reply)
{
	mig_reply_error_t *error = (mig_reply_error_t *)(void *)reply;

	served_reply_right = request->msgh_remote_port;
	shapes_server(request, reply);
	if ((reply->msgh_bits & MACH_MSGH_BITS_COMPLEX) != 0 || error->RetCode == KERN_SUCCESS)
		return;
	if (error->RetCode == MIG_NO_REPLY) {
		reply->msgh_remote_port = MACH_PORT_NULL;
		return;
	}
	expect_equal(reply->msgh_size, 36);
	request->msgh_remote_port = MACH_PORT_NULL;
	mach_msg_destroy(request);
}

/* What a server function does with what it has been given. */
enum fate { TAKES, FAILS, IS_SILENT };

static enum fate
fate(void)
{
	switch (choose(6)) {
	case 0:
		return FAILS;
	case 1:
		return IS_SILENT;
	default:
		return TAKES;
	}
}

static kern_return_t
outcome(enum fate fate)
{
	if (fate == TAKES)
		return KERN_SUCCESS;
	if (fate == FAILS)
		return KERN_FAILURE;
	if (MACH_PORT_VALID(served_reply_right))
		expect_equal(mach_port_deallocate(mach_task_self(), served_reply_right), 0);
	return MIG_NO_REPLY;
}

#define SEND MACH_MSG_TYPE_PORT_SEND
#define ONCE MACH_MSG_TYPE_PORT_SEND_ONCE
#define RECEIVE MACH_MSG_TYPE_PORT_RECEIVE

kern_return_t
do_fixed(mach_port_t server, int a, int64_t *b)
{
	touch(&a, sizeof(a));
	*b = a;
	return outcome(fate());
}

kern_return_t
do_nothing(mach_port_t server)
{
	return outcome(fate());
}

kern_return_t
do_variable(mach_port_t server, bytes10_t a, mach_msg_type_number_t aCnt, int x, string128_t s,
	    string64_t f, ints5_t b, mach_msg_type_number_t bCnt, int y, ints5_t ob,
	    mach_msg_type_number_t *obCnt)
{
	expect(aCnt <= 10 && bCnt <= 5 && *obCnt <= 5);
	expect(strlen(s) < 128 && strlen(f) < 64);
	touch(a, aCnt);
	touch(b, bCnt * sizeof(*b));
	*obCnt = choose(6);
	values_fill(ob, *obCnt * sizeof(*ob), 1);
	return outcome(fate());
}

kern_return_t
do_ports(mach_port_t server, mach_port_t a, ports4_t b, mach_msg_type_number_t bCnt, ports2_t c)
{
	enum fate f = fate();

	expect(bCnt <= 4);
	if (f != FAILS) {
		right_use(a, SEND);
		rights_use(b, bCnt, SEND);
		rights_use(c, 2, SEND);
	}
	return outcome(f);
}

kern_return_t
do_memory(mach_port_t server, ool_bytes_t a, mach_msg_type_number_t aCnt, ool_ints16_t b,
	  mach_msg_type_number_t bCnt, ool_16ints_t c, ool_ports_t f, mach_msg_type_number_t fCnt)
{
	enum fate end = fate();

	expect(bCnt <= 16);
	if (end != FAILS) {
		rights_use(f, fCnt, SEND);
		memory_use(a, aCnt);
		memory_use(b, bCnt * sizeof(*b));
		memory_use(c, 64);
		memory_use(f, fCnt * sizeof(*f));
	}
	return outcome(end);
}

kern_return_t
do_poly(mach_port_t server, mach_port_t p, mach_msg_type_name_t pPoly, int x)
{
	enum fate f = fate();

	if (f != FAILS)
		right_use(p, pPoly);
	return outcome(f);
}

kern_return_t
do_both(mach_port_t server, int *a, mach_port_t *b, ool_bytes_t *c, mach_msg_type_number_t *cCnt,
	bytes3_t f)
{
	enum fate end = fate();

	touch(f, 3);
	if (end != FAILS) {
		right_use(*b, SEND);
		memory_use(*c, *cCnt);
		*b = held;
		*c = memory_block;
		*cCnt = choose(BLOCK_SIZE);
	}
	return outcome(end);
}

kern_return_t
do_rights(mach_port_t server, mach_port_t a, mach_port_t b, mach_port_t c)
{
	enum fate f = fate();

	if (f != FAILS) {
		right_use(a, SEND);
		right_use(b, ONCE);
		right_use(c, RECEIVE);
	}
	return outcome(f);
}

kern_return_t
do_tell(mach_port_t server, int a, mach_port_t p)
{
	enum fate f = fate();

	if (f != FAILS)
		right_use(p, SEND);
	return outcome(f);
}

kern_return_t
do_token(mach_port_t server, audit_token_t audit, int a)
{
	touch(&audit, sizeof(audit));
	return outcome(fate());
}

kern_return_t
do_managed(mach_port_t server, managed_t a, mach_msg_type_number_t aCnt)
{
	touch(a, aCnt);
	return outcome(fate());
}

kern_return_t
do_longs(mach_port_t server, ool_longs_t a, mach_msg_type_number_t aCnt, ool_4ports_t b)
{
	enum fate f = fate();

	if (f != FAILS) {
		rights_use(b, 4, SEND);
		memory_use(a, aCnt * sizeof(*a));
		memory_use(b, 16);
	}
	return outcome(f);
}

kern_return_t
do_gives_port(mach_port_t server, mach_port_t *p)
{
	*p = choose(4) == 0 ? MACH_PORT_NULL : held;
	return outcome(fate());
}

kern_return_t
do_gives_variable(mach_port_t server, bytes10_t a, mach_msg_type_number_t *aCnt, int *x,
		  string128_t s, ints5_t b, mach_msg_type_number_t *bCnt)
{
	expect(*aCnt == 10 && *bCnt == 5);
	*aCnt = choose(11);
	values_fill(a, *aCnt, 1);
	*x = 7;
	memset(s, 's', 128);
	s[choose(128)] = '\0';
	*bCnt = choose(6);
	values_fill(b, *bCnt * sizeof(*b), 2);
	return outcome(fate());
}

kern_return_t
do_gives_complex(mach_port_t server, mach_port_t *a, ports4_t b, mach_msg_type_number_t *bCnt,
		 ool_bytes_t *c, mach_msg_type_number_t *cCnt, ool_ints16_t *d,
		 mach_msg_type_number_t *dCnt, ool_16ints_t *e, ool_ports_t *f,
		 mach_msg_type_number_t *fCnt, ool_4ports_t *g, int *x, bytes10_t y,
		 mach_msg_type_number_t *yCnt)
{
	*a = held;
	*bCnt = choose(5);
	memcpy(b, held_names, sizeof(ports4_t));
	*c = memory_block;
	*cCnt = choose(BLOCK_SIZE);
	*d = (ool_ints16_t)(void *)memory_block;
	*dCnt = choose(17);
	*e = (ool_16ints_t)(void *)memory_block;
	*f = held_names;
	*fCnt = choose(NAMES_MOST);
	*g = held_names;
	*x = 5;
	*yCnt = choose(11);
	values_fill(y, *yCnt, 1);
	return outcome(fate());
}

kern_return_t
do_gives_poly(mach_port_t server, mach_port_t *p, mach_msg_type_name_t *pPoly)
{
	*p = held;
	*pPoly = choose(2) == 0 ? MACH_MSG_TYPE_MAKE_SEND_ONCE : MACH_MSG_TYPE_COPY_SEND;
	return outcome(fate());
}

kern_return_t
do_many(mach_port_t server, odds7_t a, mach_msg_type_number_t aCnt, longs7_t b, int64_t x,
	string64_t s, longs7_t e, mach_msg_type_number_t *eCnt, odds7_t f, int64_t *y,
	string128_t t)
{
	expect(aCnt <= 7 && *eCnt <= 7 && strlen(s) < 64);
	touch(a, aCnt * sizeof(*a));
	touch(b, aCnt * sizeof(*b));
	*eCnt = choose(8);
	values_fill(e, *eCnt * sizeof(*e), 1);
	values_fill(f, *eCnt * sizeof(*f), 1);
	*y = x;
	strcpy(t, s);
	return outcome(fate());
}

kern_return_t
do_rows(mach_port_t server, rows_t a, mach_msg_type_number_t aCnt, mach_msg_type_number_t *aSubs,
	int x)
{
	enum fate f = fate();

	expect(aCnt <= 3);
	if (f != FAILS)
		for (mach_msg_type_number_t i = 0; i < aCnt; i++)
			memory_use(a[i], aSubs[i] * sizeof(**a));
	return outcome(f);
}

/* Not called here: they would keep what they are given. */
kern_return_t
do_hold(mach_port_t server, mach_port_t p)
{
	return KERN_FAILURE;
}

kern_return_t
do_let_go(mach_port_t server)
{
	return KERN_SUCCESS;
}

kern_return_t
do_calls(mach_port_t server, int *count)
{
	*count = 0;
	return KERN_SUCCESS;
}

kern_return_t
do_die(mach_port_t server, mach_port_t p)
{
	return KERN_FAILURE;
}
