/*
 * No server function here should be called with what requests_client.c sends, but where it
 * says so.
 */
#include "mig_server.h"

#include "shapesServer.h"

#include <unistd.h>

static mach_port_t held;
static int call_count;

static void
end(void)
{
	expect_equal(held, MACH_PORT_NULL);
}

/* Without a word of trailers. */
const struct served served = { .demux = shapes_server, .max_size = 4096, .end = end };

static kern_return_t
called(void)
{
	call_count++;
	return KERN_FAILURE; /* and takes nothing */
}

kern_return_t
fixed(mach_port_t server, int a, int64_t *b)
{
	*b = a;
	called();
	return KERN_SUCCESS;
}

kern_return_t
nothing(mach_port_t server)
{
	called();
	return KERN_SUCCESS;
}

kern_return_t
variable(mach_port_t server, bytes10_t a, mach_msg_type_number_t aCnt, int x, string128_t s,
	 string64_t f, ints5_t b, mach_msg_type_number_t bCnt, int y, ints5_t ob,
	 mach_msg_type_number_t *obCnt)
{
	called();
	expect_equal(x, 'x');
	expect_equal(y, 'y');
	expect(strlen(s) < 128 && strlen(f) < 64);
	/* told in return, for the client to see that each was found where it lies */
	expect(*obCnt >= 4);
	ob[0] = (int)aCnt;
	ob[1] = (int)strlen(s);
	ob[2] = (int)strlen(f);
	ob[3] = (int)bCnt;
	*obCnt = 4;
	return KERN_SUCCESS;
}

kern_return_t
ports(mach_port_t server, mach_port_t a, ports4_t b, mach_msg_type_number_t bCnt, ports2_t c)
{
	return called();
}

kern_return_t
memory(mach_port_t server, ool_bytes_t a, mach_msg_type_number_t aCnt, ool_ints16_t b,
       mach_msg_type_number_t bCnt, ool_16ints_t c, ool_ports_t f, mach_msg_type_number_t fCnt)
{
	return called();
}

kern_return_t
poly(mach_port_t server, mach_port_t p, mach_msg_type_name_t pPoly, int x)
{
	return called();
}

kern_return_t
both(mach_port_t server, int *a, mach_port_t *b, ool_bytes_t *c, mach_msg_type_number_t *cCnt,
     bytes3_t f)
{
	return called();
}

kern_return_t
rights(mach_port_t server, mach_port_t a, mach_port_t b, mach_port_t c)
{
	return called();
}

kern_return_t
tell(mach_port_t server, int a, mach_port_t p)
{
	return called();
}

kern_return_t
token(mach_port_t server, audit_token_t audit, int a)
{
	return called();
}

kern_return_t
managed(mach_port_t server, managed_t a, mach_msg_type_number_t aCnt)
{
	return called();
}

kern_return_t
longs(mach_port_t server, ool_longs_t a, mach_msg_type_number_t aCnt, ool_4ports_t b)
{
	return called();
}

kern_return_t
gives_port(mach_port_t server, mach_port_t *p)
{
	return called();
}

kern_return_t
gives_variable(mach_port_t server, bytes10_t a, mach_msg_type_number_t *aCnt, int *x, string128_t s,
	       ints5_t b, mach_msg_type_number_t *bCnt)
{
	return called();
}

kern_return_t
gives_complex(mach_port_t server, mach_port_t *a, ports4_t b, mach_msg_type_number_t *bCnt,
	      ool_bytes_t *c, mach_msg_type_number_t *cCnt, ool_ints16_t *d,
	      mach_msg_type_number_t *dCnt, ool_16ints_t *e, ool_ports_t *f,
	      mach_msg_type_number_t *fCnt, ool_4ports_t *g, int *x, bytes10_t y,
	      mach_msg_type_number_t *yCnt)
{
	return called();
}

kern_return_t
gives_poly(mach_port_t server, mach_port_t *p, mach_msg_type_name_t *pPoly)
{
	return called();
}

kern_return_t
many(mach_port_t server, odds7_t a, mach_msg_type_number_t aCnt, longs7_t b, int64_t x,
     string64_t s, longs7_t e, mach_msg_type_number_t *eCnt, odds7_t f, int64_t *y, string128_t t)
{
	return called();
}

kern_return_t
rows(mach_port_t server, rows_t a, mach_msg_type_number_t aCnt, mach_msg_type_number_t *aSubs,
     int x)
{
	return called();
}

kern_return_t
hold(mach_port_t server, mach_port_t p)
{
	held = p;
	return KERN_SUCCESS;
}

kern_return_t
let_go(mach_port_t server)
{
	expect_equal(mach_port_deallocate(mach_task_self(), held), 0);
	held = MACH_PORT_NULL;
	return KERN_SUCCESS;
}

kern_return_t
calls(mach_port_t server, int *count)
{
	*count = call_count;
	call_count = 0;
	return KERN_SUCCESS;
}

kern_return_t
die(mach_port_t server, mach_port_t p)
{
	/* with its rights: the system clears up */
	_exit(0);
}
