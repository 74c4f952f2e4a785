/*
 * Random calls through generated stubs, each request and each reply perhaps changed on its way,
 * to be run under sanitizers: nothing is read or written where it should not, and after each
 * call the task holds what it held before.
 *
 * usage: mutation SEED CALLS
 *
 * The stubs call mach_msg(), which is ours here: it sends a changed copy of the request through
 * the kernel to a port of our own, serves it, sends back a changed copy of the reply, and lets
 * the stub receive that.  What the server looks at lies in heap blocks of just its size.
 */
#include "mutation.h"

#include "shapes.h"

#include <mach/mig_errors.h>

#define TRAILER_OPTIONS                                                                            \
	(MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0) |                                        \
	 MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT))
#define REPLY_ROOM 1024 /* more than any reply of the interface */

mach_port_t service, held;
uint8_t *memory_block;
mach_port_t held_names[NAMES_MOST];

static uint64_t seed, chosen;
static bool in_stub;     /* mach_msg() is called by one */
static bool send_failed; /* a changed message was none: who holds what is then open */

uint32_t
choose(uint32_t count)
{
	return (uint32_t)(value_of(seed, chosen++) % count);
}

/* ---- using what comes ---------------------------------------------------------------------- */

/* Where what was read goes, so that it is read. */
static volatile uint8_t touched;

void
touch(const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		touched ^= ((const uint8_t *)bytes)[i];
}

void
memory_use(const void *memory, size_t size)
{
	if (size == 0)
		return;
	touch(memory, size);
	memory_end(memory, size);
}

void
right_use(mach_port_t name, mach_msg_type_name_t disposition)
{
	mach_port_right_t right = disposition == MACH_MSG_TYPE_PORT_SEND ? MACH_PORT_RIGHT_SEND
				  : disposition == MACH_MSG_TYPE_PORT_SEND_ONCE
				      ? MACH_PORT_RIGHT_SEND_ONCE
				      : MACH_PORT_RIGHT_RECEIVE;

	if (!MACH_PORT_VALID(name))
		return;
	expect((right_type(name) & MACH_PORT_TYPE(right)) != 0);
	expect_equal(mach_port_mod_refs(mach_task_self(), name, right, -1), 0);
}

void
rights_use(const mach_port_t *names, uint32_t count, mach_msg_type_name_t disposition)
{
	for (uint32_t i = 0; i < count; i++)
		right_use(names[i], disposition);
}

static void
drain(mach_port_t port)
{
	struct changed message;

	while (mach_msg_overwrite(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
				  sizeof(message.bytes), port, 0, MACH_PORT_NULL, NULL,
				  0) == MACH_MSG_SUCCESS)
		mach_msg_destroy(&message.header);
}

/* ---- the way of a message -------------------------------------------------------------------- */

static unsigned
change_count(void)
{
	return choose(3) == 0 ? 0 : choose(4);
}

static mach_msg_return_t
send_changed(struct changed *message)
{
	mach_msg_return_t code =
	    mach_msg_overwrite(&message->header, MACH_SEND_MSG, (mach_msg_size_t)message->size, 0,
			       MACH_PORT_NULL, 0, MACH_PORT_NULL, NULL, 0);

	if (code != MACH_MSG_SUCCESS)
		send_failed = true;
	return code;
}

/* Take the request from the service, in a block of just its size. */
static mach_msg_header_t *
request_receive(void)
{
	struct changed buffer;
	mach_msg_trailer_t trailer;

	expect_equal(
	    mach_msg_overwrite(&buffer.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT | TRAILER_OPTIONS, 0,
			       sizeof(buffer.bytes), service, 20000, MACH_PORT_NULL, NULL, 0),
	    MACH_MSG_SUCCESS);
	size_t size = round_msg(buffer.header.msgh_size);
	memcpy(&trailer, buffer.bytes + size, sizeof(trailer));
	size += trailer.msgh_trailer_size;
	mach_msg_header_t *request = malloc(size);
	expect(request != NULL);
	memcpy(request, buffer.bytes, size);
	return request;
}

/* Send a changed copy of @reply by its own reply right. */
static void
reply_send(mach_msg_header_t *reply)
{
	mach_port_t right = reply->msgh_remote_port;
	struct changed copy;

	change(reply, reply->msgh_size, change_count(), &copy);
	/* nothing of it goes away with the copy */
	reply->msgh_remote_port = MACH_PORT_NULL;
	mach_msg_destroy(reply);
	mach_msg_type_name_t local = choose(20) == 0 ? MACH_MSG_TYPE_MAKE_SEND_ONCE : 0;
	copy.header.msgh_bits |= MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, local);
	copy.header.msgh_remote_port = right;
	copy.header.msgh_local_port = local ? held : MACH_PORT_NULL;
	if (send_changed(&copy) != MACH_MSG_SUCCESS &&
	    right_type(right) == MACH_PORT_TYPE_SEND_ONCE)
		expect_equal(mach_port_deallocate(mach_task_self(), right), 0);
}

static mach_msg_return_t
request_send(const mach_msg_header_t *request, size_t size, mach_port_t reply_port)
{
	struct changed copy;

	change(request, size, change_count(), &copy);
	copy.header.msgh_bits |=
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
			   reply_port != MACH_PORT_NULL ? MACH_MSG_TYPE_MAKE_SEND_ONCE : 0);
	copy.header.msgh_remote_port = service;
	copy.header.msgh_local_port = reply_port;
	return send_changed(&copy);
}

mach_msg_return_t
mach_msg(mach_msg_header_t *msg, mach_msg_option_t option, mach_msg_size_t send_size,
	 mach_msg_size_t rcv_size, mach_port_name_t rcv_name, mach_msg_timeout_t timeout,
	 mach_port_name_t notify)
{
	if (!in_stub)
		return mach_msg_overwrite(msg, option, send_size, rcv_size, rcv_name, timeout,
					  notify, NULL, 0);
	if (request_send(msg, send_size, rcv_name) != MACH_MSG_SUCCESS)
		return MACH_SEND_INVALID_DATA;

	mach_msg_header_t *request = request_receive();
	mach_msg_header_t *reply = malloc(REPLY_ROOM);
	expect(reply != NULL);
	in_stub = false;
	serve(request, reply);
	if (reply->msgh_remote_port != MACH_PORT_NULL)
		reply_send(reply);
	in_stub = true;
	free(request);
	free(reply);
	if ((option & MACH_RCV_MSG) == 0)
		return MACH_MSG_SUCCESS;
	/* a reply, or the notice that none comes */
	return mach_msg_overwrite(msg, (option & ~MACH_SEND_MSG) | MACH_RCV_TIMEOUT, 0, rcv_size,
				  rcv_name, 20000, MACH_PORT_NULL, NULL, 0);
}

/* ---- calls ----------------------------------------------------------------------------------- */

#define ROUTINES 18

/* What a stub may write to, in heap blocks of just the size. */
struct room {
	uint8_t *bytes10;
	int *ints5;
	char *string128, *string64;
	mach_port_t *ports4;
	uint8_t *bytes3;
	odd_t *odds7;
	int64_t *longs7;
};

static void
call_ins(unsigned which, const struct room *r)
{
	int one[3] = { 1, 2, 3 };
	rows_t three = { one, one, one };
	mach_msg_type_number_t subs[3] = { choose(4), choose(4), choose(4) };
	mach_msg_type_number_t count = choose(6);
	int64_t number;

	switch (which) {
	case 0:
		fixed(service, 1, &number);
		break;
	case 1:
		nothing(service);
		break;
	case 2:
		memset(r->string128, 's', 127);
		r->string128[choose(128)] = '\0';
		memset(r->string64, 's', 63);
		r->string64[choose(64)] = '\0';
		if (variable(service, r->bytes10, choose(11), 1, r->string128, r->string64,
			     r->ints5, choose(6), 2, r->ints5, &count) == KERN_SUCCESS)
			expect(count <= 5);
		break;
	case 3:
		ports(service, held, held_names, choose(5), held_names);
		break;
	case 4:
		memory(service, memory_block, choose(BLOCK_SIZE), (int *)(void *)memory_block,
		       choose(17), (int *)(void *)memory_block, held_names, choose(NAMES_MOST));
		break;
	case 5:
		poly(service, held, MACH_MSG_TYPE_MAKE_SEND + choose(2), 1);
		break;
	case 6:
		rights(service, held, held, held);
		break;
	case 7:
		tell(service, 1, held);
		break;
	case 8:
		token(service, 1);
		break;
	case 9:
		managed(service, memory_block, choose(BLOCK_SIZE));
		break;
	case 10:
		longs(service, (int64_t *)(void *)memory_block, choose(BLOCK_SIZE / 8), held_names);
		break;
	default:
		rows(service, three, choose(4), subs, 5);
		break;
	}
}

static void
call_outs(unsigned which, const struct room *r)
{
	mach_port_t p = held;
	mach_msg_type_name_t type = 0;
	mach_msg_type_number_t b_count = choose(5), c_count = choose(BLOCK_SIZE), d_count, f_count,
			       y_count;
	ool_bytes_t c = memory_block;
	ool_ints16_t d;
	ool_16ints_t e;
	ool_ports_t f;
	ool_4ports_t g;
	int x = 0;
	int64_t y;
	audit_token_t audit;

	switch (which) {
	case 12:
		if (both(service, &x, &p, &c, &c_count, r->bytes3) == KERN_SUCCESS) {
			right_use(p, MACH_MSG_TYPE_PORT_SEND);
			memory_use(c, c_count);
		}
		break;
	case 13:
		if (gives_port(service, &p) == KERN_SUCCESS)
			right_use(p, MACH_MSG_TYPE_PORT_SEND);
		break;
	case 14:
		if (gives_variable(service, r->bytes10, &y_count, &x, r->string128, r->ints5,
				   &b_count) == KERN_SUCCESS)
			expect(y_count <= 10 && b_count <= 5 && strnlen(r->string128, 128) < 128);
		break;
	case 15:
		b_count = 4;
		if (gives_complex(service, &p, r->ports4, &b_count, &c, &c_count, &d, &d_count, &e,
				  &f, &f_count, &g, &x, r->bytes10, &y_count) != KERN_SUCCESS)
			break;
		expect(b_count <= 4 && d_count <= 16 && y_count <= 10);
		right_use(p, MACH_MSG_TYPE_PORT_SEND);
		rights_use(r->ports4, b_count, MACH_MSG_TYPE_PORT_SEND);
		rights_use(f, f_count, MACH_MSG_TYPE_PORT_SEND);
		rights_use(g, 4, MACH_MSG_TYPE_PORT_SEND);
		memory_use(c, c_count);
		memory_use(d, d_count * sizeof(*d));
		memory_use(e, 64);
		memory_use(f, f_count * sizeof(*f));
		memory_use(g, 16);
		break;
	case 16:
		if (gives_poly(service, &p, &type, &audit) == KERN_SUCCESS)
			right_use(p, type);
		break;
	default:
		memset(r->string64, 's', 63);
		r->string64[choose(64)] = '\0';
		f_count = b_count = choose(8);
		if (many(service, r->odds7, choose(8), r->longs7, 3, r->string64, r->longs7,
			 &f_count, r->odds7, &y, r->string128) == KERN_SUCCESS)
			expect(f_count <= b_count && strnlen(r->string64, 64) < 64);
		break;
	}
}

static void *
block(size_t size)
{
	void *bytes = calloc(1, size);

	expect(bytes != NULL);
	return bytes;
}

static void
call(unsigned which)
{
	struct room r = { block(10),
			  block(20),
			  block(128),
			  block(64),
			  block(16),
			  block(3),
			  block(sizeof(odds7_t)),
			  block(sizeof(longs7_t)) };

	in_stub = true;
	if (which < 12)
		call_ins(which, &r);
	else
		call_outs(which, &r);
	in_stub = false;
	free(r.bytes10);
	free(r.ints5);
	free(r.string128);
	free(r.string64);
	free(r.ports4);
	free(r.bytes3);
	free(r.odds7);
	free(r.longs7);
}

/* ---- the space ---------------------------------------------------------------------------------
 */

/* A message that could not be sent may have lost some rights and left others: give up all
 * that is not the test's own. */
static void
space_reset(const struct holdings *at_rest)
{
	mach_port_name_array_t names;
	mach_port_type_array_t types;
	mach_msg_type_number_t name_count, type_count;

	expect_equal(mach_port_names(mach_task_self(), &names, &name_count, &types, &type_count),
		     0);
	for (mach_msg_type_number_t i = 0; i < name_count; i++) {
		if (types[i] == MACH_PORT_TYPE_SEND_ONCE)
			expect_equal(mach_port_deallocate(mach_task_self(), names[i]), 0);
		else if (types[i] == MACH_PORT_TYPE_RECEIVE && names[i] != mig_get_reply_port())
			receive_right_end(names[i]);
	}
	memory_end(names, name_count * sizeof(*names));
	memory_end(types, type_count * sizeof(*types));
	int more = (int)right_urefs(held, MACH_PORT_RIGHT_SEND) - 1;
	expect_equal(mach_port_mod_refs(mach_task_self(), held, MACH_PORT_RIGHT_SEND, -more), 0);
	drain(held);
	holdings_expect_equal(holdings_now(), *at_rest);
}

static void
set_up(void)
{
	service = port_new();
	held = port_new();
	for (size_t i = 0; i < NAMES_MOST; i++)
		held_names[i] = held;
	memory_block = memory_new(BLOCK_SIZE);
	values_fill(memory_block, BLOCK_SIZE, 1);
	mig_get_reply_port();
}

int
main(int argc, char **argv)
{
	expect_equal(argc, 3);
	seed = strtoull(argv[1], NULL, 10);
	unsigned long calls = strtoul(argv[2], NULL, 10);
	unsigned long unsent = 0;

	set_up();
	struct holdings at_rest = holdings_now();
	uint64_t mapped = memory_mapped();
	for (unsigned long i = 0; i < calls; i++) {
		send_failed = false;
		call(choose(ROUTINES));
		drain(service);
		drain(held);
		drain(mig_get_reply_port());
		if (send_failed) {
			unsent++;
			space_reset(&at_rest);
			continue;
		}
		struct holdings now = holdings_now();
		if (memcmp(&now, &at_rest, sizeof(now)) != 0)
			fprintf(stderr, "seed %llu, call %lu:\n", (unsigned long long)seed, i);
		holdings_expect_equal(now, at_rest);
	}
	expect(values_match(memory_block, BLOCK_SIZE, 1)); /* nobody has written to it */
	/* every tenth carries 32 KiB that one side or the other frees; the library keeps some to
	 * copy them through */
	expect(memory_mapped() < mapped + (1 << 20));
	expect(unsent < calls / 3);
	memory_end(memory_block, BLOCK_SIZE);
	port_end(service);
	port_end(held);
	puts("done");
	return 0;
}
