/*
 * Messages to and from stubs made by MIG: see ipc_kobject_message.h.
 *
 * Compiled as stubs are (ipc_kobject_stubs.h): the types of <mach/message.h> are those of the
 * kernel's form here, and `struct user_*` below are what a task's message has in their places.
 */
#include "ipc/ipc_kobject_stubs.h"

#include "ipc/ipc_kobject_message.h"

#include <mach/mig_errors.h>

#include <string.h>

#include "ipc/ipc_kmsg_memory.h"
#include "ipc/ipc_mqueue.h"
#include "ipc/ipc_notify.h"
#include "ipc/mach_port.h" /* beside what mig makes of it: one must agree with the other */
#include "kern/clock.h"
#include "kern/exception.h"
#include "kern/host.h"
#include "kern/host_priv.h"
#include "kern/ipc_tt.h"
#include "kern/policy.h"
#include "kern/semaphore.h"
#include "kern/voucher.h"

#include "generated/clock_server.h"
#include "generated/host_priv_server.h"
#include "generated/mach_host_server.h"
#include "generated/mach_port_server.h"
#include "generated/mach_voucher_server.h"
#include "generated/task_server.h"
#include "generated/thread_act_server.h"

#define REPLY_ID_STEP 100

/* ---- the two forms ---------------------------------------------------------------------- */

struct user_header {
	mach_msg_bits_t bits;
	mach_msg_size_t size;
	mach_port_name_t remote;
	mach_port_name_t local;
	mach_port_name_t voucher;
	mach_msg_id_t id;
};

struct user_port {
	mach_port_name_t name;
	uint32_t pad1;
	uint16_t pad2;
	uint8_t disposition;
	uint8_t type;
};

#define USER_HEADER_SIZE ((uint32_t)sizeof(struct user_header))
#define USER_PORT_SIZE ((uint32_t)sizeof(struct user_port))
#define USER_ERROR_SIZE (USER_HEADER_SIZE + (uint32_t)sizeof(NDR_record_t) + 4u)
#define HEADER_GROWTH ((uint32_t)sizeof(mach_msg_header_t) - USER_HEADER_SIZE)
#define WIDE_PORT_SIZE ((uint32_t)sizeof(mach_msg_port_descriptor_t))
#define OTHER_SIZE 16u /* of any other descriptor, in both forms */

_Static_assert(sizeof(struct user_header) == 24, "mach-messages.md: the header");
_Static_assert(sizeof(struct user_port) == 12, "mach-messages.md: a port descriptor");
_Static_assert(sizeof(mach_msg_ool_descriptor_t) == OTHER_SIZE, "memory is an address in both");
_Static_assert(sizeof(mach_msg_ool_ports_descriptor_t) == OTHER_SIZE, "arrays of ports too");
_Static_assert(sizeof(mach_msg_guarded_port_descriptor_t) == OTHER_SIZE, "has a name in both");
_Static_assert(offsetof(mach_msg_port_descriptor_t, pad1) == 12 &&
		   offsetof(mach_msg_ool_descriptor_t, size) == 12,
	       "the type is in one place, whatever it is: stubs look there");
_Static_assert(WIDE_PORT_SIZE >= OTHER_SIZE, "what a count of descriptors in a reply is had from");
_Static_assert(sizeof(mach_port_t) == sizeof(struct ipc_port *), "compiled as stubs are");

NDR_record_t NDR_record = {
	.mig_vers = NDR_PROTOCOL_2_0,
	.if_vers = NDR_PROTOCOL_2_0,
	.mig_encoding = NDR_PROTOCOL_2_0,
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	.int_rep = NDR_INT_LITTLE_ENDIAN,
#else
	.int_rep = NDR_INT_BIG_ENDIAN,
#endif
	.char_rep = NDR_CHAR_ASCII,
	.float_rep = NDR_FLOAT_IEEE,
};

/* ---- the interfaces that are served ------------------------------------------------------ */

#define SUBSYSTEMS(X)                                                                              \
	X(clock) X(host_priv) X(mach_host) X(mach_port) X(mach_voucher) X(task) X(thread_act)

#define AS_TABLE(name) (mig_subsystem_t)(uintptr_t) & name##_subsystem,
#define AS_REQUEST(name) union __RequestUnion__##name##_subsystem name;
#define AS_REPLY(name) union __ReplyUnion__##name##_subsystem name;

static const struct mig_subsystem *const subsystems[] = { SUBSYSTEMS(AS_TABLE) };

/* Where a stub reads its request and writes its reply: on the stack, so that it cannot fail. */
struct stub_request {
	union {
		mach_msg_header_t head;
		SUBSYSTEMS(AS_REQUEST)
	};
	mach_msg_max_trailer_t trailer; /* room for one behind the longest */
};

union stub_reply {
	mach_msg_header_t head;
	mig_reply_error_t error;
	SUBSYSTEMS(AS_REPLY)
};

_Static_assert(sizeof(struct stub_request) + sizeof(union stub_reply) <= 16384, "fits a stack");

const struct routine_descriptor *
ipc_kobject_find(mach_msg_id_t id)
{
	for (size_t i = 0; i < sizeof(subsystems) / sizeof(*subsystems); i++) {
		const struct mig_subsystem *at = subsystems[i];

		if (id >= at->start && id < at->end)
			return at->routine[id - at->start].stub_routine
				   ? &at->routine[id - at->start]
				   : NULL;
	}
	return NULL;
}

/* ---- a request in the kernel's form ----------------------------------------------------- */

static uint32_t
user_descriptor_size(uint8_t type)
{
	return type == MACH_MSG_PORT_DESCRIPTOR ? USER_PORT_SIZE : OTHER_SIZE;
}

static uint32_t
wide_descriptor_size(uint8_t type)
{
	return type == MACH_MSG_PORT_DESCRIPTOR ? WIDE_PORT_SIZE : OTHER_SIZE;
}

/* Its memory as a pointer; false: it lies where the core cannot read. */
static bool
widen_memory(mach_msg_ool_descriptor_t *out, const struct ipc_kmsg *kmsg,
	     const struct ipc_kmsg_descriptor *d)
{
	const struct kernel_piece *piece = d->has_piece ? &kmsg->pieces[d->piece_index] : NULL;

	if (piece && piece->kind != KERNEL_PIECE_BYTES)
		return false;
	*out = (mach_msg_ool_descriptor_t){
		.address = piece ? (void *)(uintptr_t)piece->bytes : NULL,
		.deallocate = d->copy == MACH_MSG_VIRTUAL_COPY,
		.copy = d->copy,
		.type = d->type,
		.size = d->count,
	};
	return true;
}

/* A right that a routine may take: a receive right is in no message any more. */
static struct ipc_port *
widen_right(struct ipc_kmsg *kmsg, struct ipc_port *port, mach_msg_type_name_t type)
{
	if (ip_valid(port) && type == MACH_MSG_TYPE_PORT_RECEIVE)
		ipc_port_leave_transit(kmsg->kernel, port);
	return port;
}

static bool
widen_descriptor(uint8_t *at, struct ipc_kmsg *kmsg, const struct ipc_kmsg_descriptor *d)
{
	switch (d->type) {
	case MACH_MSG_PORT_DESCRIPTOR:
		*(mach_msg_port_descriptor_t *)(void *)at = (mach_msg_port_descriptor_t){
			.name = widen_right(kmsg, d->port, d->disposition),
			.disposition = d->disposition,
			.type = d->type,
		};
		return true;
	case MACH_MSG_GUARDED_PORT_DESCRIPTOR:
		/* no routine takes one: it is to be seen, and refused */
		memcpy(at, kmsg->bytes + d->offset, OTHER_SIZE);
		return true;
	case MACH_MSG_OOL_PORTS_DESCRIPTOR:
		for (uint32_t i = 0; d->ports && i < d->count; i++)
			widen_right(kmsg, d->ports[i], d->disposition);
		*(mach_msg_ool_ports_descriptor_t *)(void *)at = (mach_msg_ool_ports_descriptor_t){
			.address = d->ports,
			.deallocate = 1,
			.copy = MACH_MSG_VIRTUAL_COPY,
			.disposition = d->disposition,
			.type = d->type,
			.count = d->count,
		};
		return true;
	default:
		return widen_memory((mach_msg_ool_descriptor_t *)(void *)at, kmsg, d);
	}
}

/* Who sent it, for routines that ask. */
static void
add_trailer(struct stub_request *request, const struct ipc_kmsg *kmsg, uint32_t size)
{
	mach_msg_audit_trailer_t trailer = {
		.msgh_trailer_type = MACH_MSG_TRAILER_FORMAT_0,
		.msgh_trailer_size = sizeof(trailer),
		.msgh_sender.val = { kmsg->audit.val[TOKEN_EUID], kmsg->audit.val[TOKEN_EGID] },
		.msgh_audit = kmsg->audit,
	};

	memcpy((uint8_t *)request + round_msg(size), &trailer, sizeof(trailer));
}

/*
 * KERN_SUCCESS; MIG_BAD_ARGUMENTS: longer than any request; KERN_INVALID_ARGUMENT: its memory
 * is a segment, which the core only passes on.
 */
static kern_return_t
widen(struct stub_request *request, struct ipc_kmsg *kmsg, const struct ipc_kmsg *reply)
{
	const bool complex = ikm_header(kmsg)->msgh_bits & MACH_MSGH_BITS_COMPLEX;
	uint8_t *bytes = (uint8_t *)request;
	uint32_t from = USER_HEADER_SIZE;
	uint32_t to = sizeof(mach_msg_header_t);
	uint64_t size = (uint64_t)kmsg->size + HEADER_GROWTH;

	for (uint32_t i = 0; i < kmsg->descriptor_count; i++)
		size += wide_descriptor_size(kmsg->descriptors[i].type) -
			user_descriptor_size(kmsg->descriptors[i].type);
	if (size > sizeof(*request) - sizeof(request->trailer) || kmsg->bytes_size != kmsg->size)
		return MIG_BAD_ARGUMENTS;

	request->head = (mach_msg_header_t){
		.msgh_bits = MACH_MSGH_BITS_SET(kmsg->reply_type, kmsg->dest_type, 0,
						complex ? MACH_MSGH_BITS_COMPLEX : 0),
		.msgh_size = (mach_msg_size_t)size,
		.msgh_remote_port = reply->dest,
		.msgh_local_port = kmsg->dest,
		.msgh_id = ((const struct user_header *)(const void *)kmsg->bytes)->id,
	};
	if (complex) {
		memcpy(bytes + to, kmsg->bytes + from, sizeof(mach_msg_body_t));
		from += sizeof(mach_msg_body_t);
		to += sizeof(mach_msg_body_t);
	}
	for (uint32_t i = 0; i < kmsg->descriptor_count; i++) {
		if (!widen_descriptor(bytes + to, kmsg, &kmsg->descriptors[i]))
			return KERN_INVALID_ARGUMENT;
		from += user_descriptor_size(kmsg->descriptors[i].type);
		to += wide_descriptor_size(kmsg->descriptors[i].type);
	}
	memcpy(bytes + to, kmsg->bytes + from, kmsg->size - from);
	add_trailer(request, kmsg, (uint32_t)size);
	return KERN_SUCCESS;
}

/* ---- a reply, or a notification, in the kernel's form --------------------------------------- */

/* Memory of the kernel's heap becomes a piece of the message. */
static void
narrow_memory(struct ipc_kmsg *kmsg, struct ipc_kmsg_descriptor *d, void *memory,
	      uint32_t size_bytes, uint64_t alloc_bytes)
{
	if (!memory)
		return;
	d->has_piece = true;
	d->piece_index = kmsg->piece_count++;
	kmsg->pieces[d->piece_index] = (struct kernel_piece){
		.kind = KERNEL_PIECE_BYTES,
		.size_bytes = size_bytes,
		.bytes = memory,
		.offset_bytes = alloc_bytes, /* of ours: what was allocated */
	};
	if (kmsg->payer)
		ipc_kmsg_charge_over(kmsg, kmsg->payer, alloc_bytes);
}

static void
narrow_right(struct ipc_kmsg *kmsg, struct ipc_port *port, mach_msg_type_name_t type)
{
	if (ip_valid(port) && type == MACH_MSG_TYPE_PORT_RECEIVE)
		ipc_kmsg_carry_receive(kmsg, port);
}

static void
narrow_descriptor(struct ipc_kmsg *kmsg, struct ipc_kmsg_descriptor *d, const uint8_t *at)
{
	const mach_msg_port_descriptor_t *port = (const void *)at;
	const mach_msg_ool_ports_descriptor_t *ports = (const void *)at;
	const mach_msg_ool_descriptor_t *memory = (const void *)at;

	switch (d->type) {
	case MACH_MSG_PORT_DESCRIPTOR:
		d->disposition = port->disposition;
		d->port = port->name;
		narrow_right(kmsg, d->port, d->disposition);
		break;
	case MACH_MSG_OOL_PORTS_DESCRIPTOR:
		d->disposition = ports->disposition;
		d->copy = MACH_MSG_VIRTUAL_COPY;
		d->count = ports->count;
		d->ports = ports->count > 0 ? ports->address : NULL;
		for (uint32_t i = 0; i < d->count; i++)
			narrow_right(kmsg, d->ports[i], d->disposition);
		narrow_memory(kmsg, d, d->ports, d->count * (uint32_t)sizeof(mach_port_name_t),
			      (uint64_t)d->count * sizeof(*d->ports));
		break;
	default:
		check(d->type == MACH_MSG_OOL_DESCRIPTOR);
		d->copy = MACH_MSG_VIRTUAL_COPY;
		d->count = memory->size;
		narrow_memory(kmsg, d, memory->size > 0 ? memory->address : NULL, memory->size,
			      memory->size);
		break;
	}
}

/* @kmsg, which has a destination and room, becomes @message with the rights in it. */
static void
narrow(struct ipc_kmsg *kmsg, const mach_msg_header_t *message)
{
	struct user_header *head = (struct user_header *)(void *)kmsg->bytes;
	const uint8_t *from = (const uint8_t *)(message + 1);
	const uint8_t *end = (const uint8_t *)message + message->msgh_size;
	uint8_t *to = (uint8_t *)(head + 1);

	memset(head, 0, sizeof(*head));
	head->id = message->msgh_id;
	if (message->msgh_bits & MACH_MSGH_BITS_COMPLEX) {
		const mach_msg_body_t *body = (const void *)from;

		head->bits = MACH_MSGH_BITS_COMPLEX;
		kmsg->descriptor_count = body->msgh_descriptor_count;
		memcpy(to, body, sizeof(*body));
		from += sizeof(*body);
		to += sizeof(*body);
	}
	check((uint64_t)kmsg->descriptor_count * OTHER_SIZE <= (uint64_t)(end - from));
	for (uint32_t i = 0; i < kmsg->descriptor_count; i++) {
		struct ipc_kmsg_descriptor *d = &kmsg->descriptors[i];
		const mach_msg_type_descriptor_t *type = (const void *)from;

		*d = (struct ipc_kmsg_descriptor){
			.offset = (uint32_t)(to - kmsg->bytes),
			.type = type->type,
		};
		narrow_descriptor(kmsg, d, from);
		memset(to, 0, user_descriptor_size(d->type));
		from += wide_descriptor_size(d->type);
		to += user_descriptor_size(d->type);
	}
	kmsg->descriptors_taken = kmsg->descriptor_count;
	check(from <= end);
	memcpy(to, from, (size_t)(end - from));
	kmsg->size = (uint32_t)(to - kmsg->bytes) + (uint32_t)(end - from);
	kmsg->bytes_size = kmsg->size;
}

/* ---- calls ----------------------------------------------------------------------------- */

struct ipc_kmsg *
ipc_kobject_reply_new(struct kernel *k, struct account *payer,
		      const struct routine_descriptor *routine)
{
	const uint32_t base = sizeof(mach_msg_header_t) + sizeof(mach_msg_body_t);
	uint32_t bytes = routine ? routine->max_reply_msg : 0;
	/* as many descriptors as there is room for: a routine does not say how many it has */
	uint32_t descriptors = bytes > base ? (bytes - base) / OTHER_SIZE : 0;
	struct ipc_kmsg *reply =
	    ipc_kmsg_alloc(k, bytes < USER_ERROR_SIZE ? USER_ERROR_SIZE : bytes, descriptors);

	if (reply && !ipc_kmsg_charge(reply, payer, reply->alloc_size)) {
		ipc_kmsg_free(k, reply);
		return NULL;
	}
	return reply;
}

void
ipc_kobject_reply_error(struct ipc_kmsg *reply, mach_msg_id_t id, kern_return_t code)
{
	const mig_reply_error_t error = {
		.Head.msgh_size = sizeof(error),
		.Head.msgh_id = id + REPLY_ID_STEP,
		.NDR = NDR_record,
		.RetCode = code,
	};

	narrow(reply, &error.Head);
}

/* The routine has taken all rights of the body. */
static void
forget_body(struct ipc_kmsg *kmsg)
{
	for (uint32_t i = 0; i < kmsg->descriptors_taken; i++) {
		kmsg->descriptors[i].port = NULL;
		kmsg->descriptors[i].ports = NULL; /* the array itself is a piece */
	}
	kmsg->descriptors_taken = 0;
}

kern_return_t
ipc_kobject_call(const struct routine_descriptor *routine, struct ipc_kmsg *request,
		 struct ipc_kmsg *reply)
{
	struct stub_request in;
	union stub_reply out;
	kern_return_t code = widen(&in, request, reply);

	if (code != KERN_SUCCESS)
		return code;
	memset(&out, 0, sizeof(out));
	out.head.msgh_bits = MACH_MSGH_BITS(request->reply_type, 0);
	out.head.msgh_size = sizeof(out.error);
	out.head.msgh_remote_port = in.head.msgh_remote_port;
	out.head.msgh_id = in.head.msgh_id + REPLY_ID_STEP;
	routine->stub_routine(&in.head, &out.head);

	code = out.head.msgh_bits & MACH_MSGH_BITS_COMPLEX ? KERN_SUCCESS : out.error.RetCode;
	if (code != KERN_SUCCESS && code != MIG_NO_REPLY)
		return code;
	forget_body(request);
	check(out.head.msgh_size <= routine->max_reply_msg);
	if (code == KERN_SUCCESS)
		narrow(reply, &out.head);
	return code;
}

/* ---- notifications ------------------------------------------------------------------------ */

mach_msg_return_t
mach_msg_send_from_kernel(mach_msg_header_t *message, mach_msg_size_t size)
{
	struct ipc_kmsg *kmsg = ipc_notify_take(message->msgh_remote_port);

	message->msgh_size = size;
	narrow(kmsg, message);
	ipc_mqueue_send_always(kmsg->kernel, kmsg);
	return MACH_MSG_SUCCESS;
}
