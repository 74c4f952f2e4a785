/*
 * mach_msg() over Berth: a service that the name server knows, small messages inline, large ones
 * as memory out of line.
 */
#include "bench/peers/mach.h"

#include <stdbool.h>
#include <string.h>

#include "bench/measure.h"
#include "bench/peers/peer.h"
#include "bench/process.h"

#define SERVICE "berth.bench"
#define INLINE_MAX 4096 /* bytes */

/* A request or a reply, whatever it carries; aligned so that words can be read where they are. */
struct message {
	mach_msg_header_t header;
	union {
		char bytes[INLINE_MAX];
		struct {
			mach_msg_body_t body;
			union {
				struct {
					mach_msg_port_descriptor_t port;
					char bytes[64];
				} right;
				mach_msg_ool_descriptor_t memory;
			};
		} complex;
	};
	mach_msg_max_trailer_t trailer;
} __attribute__((aligned(8)));

static mach_port_t service, reply_port, carried;

static mach_msg_size_t
size_with(size_t rest_bytes)
{
	return (mach_msg_size_t)(sizeof(mach_msg_header_t) + rest_bytes);
}

static bool
is_bulk(void)
{
	return shape.request_bytes > INLINE_MAX;
}

/* ---- the server ------------------------------------------------------------------------------ */

static void
release(vm_address_t address, vm_size_t size)
{
	must(vm_deallocate(mach_task_self(), address, size), "vm_deallocate");
}

/* What was moved here: let go when that was said, as freeing it costs more than all the rest. */
static struct {
	vm_address_t address;
	vm_size_t size;
} moved;

/* Look at what came, let it go, and turn the message into its reply. */
static void
message_answer(struct message *m)
{
	struct words reply[INLINE_MAX / sizeof(struct words)] = { 0 };

	if ((m->header.msgh_bits & MACH_MSGH_BITS_COMPLEX) == 0) {
		answer(m->bytes, reply);
	} else if (shape.with_right) {
		answer(m->complex.right.bytes, reply);
		must(mach_port_deallocate(mach_task_self(), m->complex.right.port.name),
		     "mach_port_deallocate");
	} else {
		const uint64_t *memory = m->complex.memory.address;
		size_t size = m->complex.memory.size;

		if (shape.region_bytes > 0) {
			reply[0].sum = memory[0] + memory[size / sizeof(memory[0]) - 1];
			moved.address = (vm_address_t)memory;
			moved.size = size;
		} else {
			answer(memory, reply);
			release((vm_address_t)memory, size);
		}
	}
	m->header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0);
	m->header.msgh_local_port = MACH_PORT_NULL;
	memcpy(m->bytes, reply, shape.reply_bytes);
}

static void
serve(void)
{
	mach_port_limits_t limits = { .mpl_qlimit = MACH_PORT_QLIMIT_LARGE };
	static struct message m;
	mach_port_t port;

	must(bootstrap_check_in(bootstrap_port, SERVICE, &port), "bootstrap_check_in");
	/* a socket takes many messages, too */
	must(mach_port_set_attributes(mach_task_self(), port, MACH_PORT_LIMITS_INFO,
				      (mach_port_info_t)&limits, MACH_PORT_LIMITS_INFO_COUNT),
	     "mach_port_set_attributes");
	serving();
	must(mach_msg(&m.header, MACH_RCV_MSG, 0, sizeof(m), port, 0, MACH_PORT_NULL), "receive");
	while (shape.oneway) {
		absorb(m.bytes);
		must(mach_msg(&m.header, MACH_RCV_MSG, 0, sizeof(m), port, 0, MACH_PORT_NULL),
		     "receive");
	}
	while (shape.region_bytes > 0) {
		message_answer(&m);
		must(mach_msg(&m.header, MACH_SEND_MSG, size_with(shape.reply_bytes), 0,
			      MACH_PORT_NULL, 0, MACH_PORT_NULL),
		     "reply");
		release(moved.address, moved.size);
		must(mach_msg(&m.header, MACH_RCV_MSG, 0, sizeof(m), port, 0, MACH_PORT_NULL),
		     "receive");
	}
	for (;;) {
		message_answer(&m);

		/* a client may have ended since */
		kern_return_t kr =
		    mach_msg(&m.header, MACH_SEND_MSG | MACH_RCV_MSG, size_with(shape.reply_bytes),
			     sizeof(m), port, 0, MACH_PORT_NULL);

		if (kr == MACH_SEND_INVALID_DEST) {
			mach_msg_destroy(&m.header);
			kr = mach_msg(&m.header, MACH_RCV_MSG, 0, sizeof(m), port, 0,
				      MACH_PORT_NULL);
		}
		must(kr, "reply and receive");
	}
}

/* ---- a client -------------------------------------------------------------------------------- */

static void
look_up(void)
{
	must(bootstrap_look_up(bootstrap_port, SERVICE, &service), "bootstrap_look_up");
	reply_port = mach_reply_port();
	if (shape.with_right)
		carried = port_new();
}

static mach_msg_header_t
header_to_service(mach_msg_bits_t more_bits)
{
	return (mach_msg_header_t){
		.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE) |
			     more_bits,
		.msgh_remote_port = service,
		.msgh_local_port = reply_port,
	};
}

static void
exchange(struct message *m, mach_msg_size_t size)
{
	must(mach_msg(&m->header, MACH_SEND_MSG | MACH_RCV_MSG, size, sizeof(*m), reply_port, 0,
		      MACH_PORT_NULL),
	     "call");
}

static mach_msg_size_t
message_with_memory(struct message *m, void *address, size_t size_bytes, bool deallocate)
{
	m->header = header_to_service(MACH_MSGH_BITS_COMPLEX);
	m->complex.body.msgh_descriptor_count = 1;
	m->complex.memory = (mach_msg_ool_descriptor_t){
		.address = address,
		.size = (mach_msg_size_t)size_bytes,
		.deallocate = deallocate,
		.copy = MACH_MSG_VIRTUAL_COPY,
		.type = MACH_MSG_OOL_DESCRIPTOR,
	};
	return size_with(sizeof(m->complex.body) + sizeof(m->complex.memory));
}

static void
call(const void *request, void *reply)
{
	static struct message m;
	mach_msg_size_t size;

	if (is_bulk()) {
		size =
		    message_with_memory(&m, (void *)(uintptr_t)request, shape.request_bytes, false);
	} else if (shape.with_right) {
		m.header = header_to_service(MACH_MSGH_BITS_COMPLEX);
		m.complex.body.msgh_descriptor_count = 1;
		m.complex.right.port = (mach_msg_port_descriptor_t){
			.name = carried,
			.disposition = MACH_MSG_TYPE_MAKE_SEND,
			.type = MACH_MSG_PORT_DESCRIPTOR,
		};
		memcpy(m.complex.right.bytes, request, shape.request_bytes);
		size = size_with(sizeof(m.complex.body) + sizeof(m.complex.right));
	} else {
		m.header = header_to_service(0);
		memcpy(m.bytes, request, shape.request_bytes);
		size = size_with(shape.request_bytes);
	}
	exchange(&m, size);
	memcpy(reply, m.bytes, shape.reply_bytes);
}

static void
send_one(const void *message)
{
	static struct message m;

	m.header = (mach_msg_header_t){ .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
					.msgh_remote_port = service };
	memcpy(m.bytes, message, shape.request_bytes);
	must(mach_msg(&m.header, MACH_SEND_MSG, size_with(shape.request_bytes), 0, 0, 0,
		      MACH_PORT_NULL),
	     "send");
}

static void
make(void)
{
	port_destroy(port_new());
}

static uint64_t
move_region(void)
{
	static struct message m;
	size_t size = shape.region_bytes;
	vm_address_t address;

	must(vm_allocate(mach_task_self(), &address, size, VM_FLAGS_ANYWHERE), "vm_allocate");

	uint64_t *region = (uint64_t *)address;
	struct words words;

	memset(region, 1, size);
	region[0] = 40;
	region[size / sizeof(region[0]) - 1] = 2;

	uint64_t start_ns = now_ns();

	exchange(&m, message_with_memory(&m, region, size, true));

	uint64_t took_ns = now_ns() - start_ns;

	memcpy(&words, m.bytes, sizeof(words));
	if (words.sum != 42)
		die_saying("the region was not what it had been");
	return took_ns;
}

static const struct peer peer_berth = {
	.system = "berth",
	.carries_rights = true,
	.serve = serve,
	.connect = look_up,
	.call = call,
	.send = send_one,
	.make = make,
	.move = move_region,
};

const struct peer *const peers_here[] = { &peer_berth, NULL };
