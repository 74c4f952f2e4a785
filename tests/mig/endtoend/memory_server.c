/*
 * Frees what is the server function's, and gives memory of every kind.
 */
#include "mig_server.h"

#include "memoryServer.h"

#define KEPT_SIZE (256 * 1024)

static uint8_t *kept; /* given again and again, never moved */

static void
begin(mach_port_t port)
{
	(void)port;
	kept = memory_new(KEPT_SIZE);
	values_fill(kept, KEPT_SIZE, 3);
}

static void
end(void)
{
	expect(values_match(kept, KEPT_SIZE, 3));
	memory_end(kept, KEPT_SIZE);
}

const struct served served = {
	.demux = memory_server,
	.max_size = 4096,
	.begin = begin,
	.end = end,
};

/* @from turned over, as new memory. */
static void *
turned(const void *from, size_t size)
{
	uint8_t *to = size > 0 ? memory_new(size) : NULL;

	for (size_t i = 0; i < size; i++)
		to[i] = ((const uint8_t *)from)[size - 1 - i];
	return to;
}

static void
take(const void *memory, size_t size)
{
	if (size > 0)
		memory_end(memory, size);
}

kern_return_t
memory_echo(mach_port_t server, int32_t before, managed_t a, mach_msg_type_number_t aCnt, owned_t b,
	    mach_msg_type_number_t bCnt, bounded_t c, mach_msg_type_number_t cCnt, fixed_t d,
	    record_ptr_t e, number_ptr_t f, managed_longs_t g, mach_msg_type_number_t gCnt,
	    owned_shorts_t h, mach_msg_type_number_t hCnt, int32_t after, managed_t *oa,
	    mach_msg_type_number_t *oaCnt, owned_t *ob, mach_msg_type_number_t *obCnt,
	    bounded_t *oc, mach_msg_type_number_t *ocCnt, fixed_t *od, record_ptr_t *oe,
	    number_ptr_t *of_, int64_t *sum)
{
	expect_equal(before, 11);
	expect_equal(after, 22);
	expect(values_match(a, aCnt, 1));
	expect(values_match(b, bCnt, 2));
	expect(values_match(c, cCnt * sizeof(*c), 3));
	expect(values_match(d, 4000, 4));
	expect(values_match(e, 24, 5));
	expect(values_match(f, 8, 6));
	expect(values_match(g, gCnt * sizeof(*g), 7));
	expect(values_match(h, hCnt * sizeof(*h), 8));
	*sum = *f;
	*oa = turned(a, *oaCnt = aCnt);
	*ob = turned(b, *obCnt = bCnt);
	*oc = turned(c, (*ocCnt = cCnt) * sizeof(*c));
	*od = turned(d, 4000);
	*oe = turned(e, 24);
	*of_ = turned(f, 8);
	take(b, bCnt);
	take(c, cCnt * sizeof(*c));
	take(d, 4000);
	take(e, 24);
	take(f, 8);
	take(h, hCnt * sizeof(*h));
	return KERN_SUCCESS;
}

kern_return_t
memory_peek(mach_port_t server, uint32_t size, owned_t *a, mach_msg_type_number_t *aCnt, owned_t *b,
	    mach_msg_type_number_t *bCnt)
{
	*a = kept;
	*aCnt = size;
	*b = kept;
	*bCnt = size / 2;
	return KERN_SUCCESS;
}

kern_return_t
memory_managed(mach_port_t server, managed_t a, mach_msg_type_number_t aCnt, boolean_t fail)
{
	expect(values_match(a, aCnt, 1));
	return fail ? KERN_FAILURE : KERN_SUCCESS;
}

kern_return_t
memory_owned(mach_port_t server, owned_t a, mach_msg_type_number_t aCnt, boolean_t fail)
{
	expect(values_match(a, aCnt, 1));
	if (fail)
		return KERN_FAILURE; /* and it is not ours */
	take(a, aCnt);
	return KERN_SUCCESS;
}

kern_return_t
memory_auto(mach_port_t server, owned_t a, mach_msg_type_number_t aCnt, boolean_t fail)
{
	return memory_managed(server, a, aCnt, fail);
}

kern_return_t
memory_moved(mach_port_t server, owned_t a, mach_msg_type_number_t aCnt, boolean_t fail)
{
	return memory_owned(server, a, aCnt, fail);
}

kern_return_t
memory_perhaps_moved(mach_port_t server, owned_t a, mach_msg_type_number_t aCnt, managed_t b,
		     mach_msg_type_number_t bCnt, boolean_t fail)
{
	expect(values_match(b, bCnt, 2));
	return memory_owned(server, a, aCnt, fail);
}

kern_return_t
memory_physical(mach_port_t server, managed_t a, mach_msg_type_number_t aCnt)
{
	expect(values_match(a, aCnt, 1));
	return KERN_SUCCESS;
}

kern_return_t
memory_given_perhaps(mach_port_t server, boolean_t move, owned_t *a, mach_msg_type_number_t *aCnt,
		     boolean_t *aDealloc)
{
	*aCnt = KEPT_SIZE;
	*aDealloc = move;
	if (move) {
		*a = memory_new(KEPT_SIZE);
		values_fill(*a, KEPT_SIZE, 4);
	} else {
		*a = kept;
	}
	return KERN_SUCCESS;
}

kern_return_t
memory_inout(mach_port_t server, owned_t *a, mach_msg_type_number_t *aCnt)
{
	expect(values_match(*a, *aCnt, 1));
	take(*a, *aCnt);
	*a = kept;
	*aCnt += 5;
	return KERN_SUCCESS;
}

kern_return_t
memory_overwrite(mach_port_t server, uint32_t size, owned_t *a, mach_msg_type_number_t *aCnt)
{
	*a = kept;
	*aCnt = size;
	return KERN_SUCCESS;
}

kern_return_t
memory_same_count(mach_port_t server, owned_t a, mach_msg_type_number_t aCnt, managed_longs_t b,
		  mach_msg_type_number_t bCnt, managed_longs_t c)
{
	expect(values_match(a, aCnt, 1));
	expect(values_match(b, bCnt * sizeof(*b), 2));
	expect(values_match(c, bCnt * sizeof(*c), 3));
	take(a, aCnt);
	return KERN_SUCCESS;
}

kern_return_t
memory_tell(mach_port_t server, managed_t a, mach_msg_type_number_t aCnt, owned_t b,
	    mach_msg_type_number_t bCnt)
{
	expect(values_match(a, aCnt, 1));
	expect(values_match(b, bCnt, 2));
	take(b, bCnt);
	return KERN_SUCCESS;
}

kern_return_t
memory_out_of_failure(mach_port_t server, owned_t *a, mach_msg_type_number_t *aCnt)
{
	/* stays the server's */
	*a = kept;
	*aCnt = KEPT_SIZE;
	return KERN_FAILURE;
}

kern_return_t
memory_claim(mach_port_t server, bounded_t *a, mach_msg_type_number_t *aCnt)
{
	/* more than the type allows */
	*a = (bounded_t)(void *)kept;
	*aCnt = 101;
	return KERN_SUCCESS;
}
