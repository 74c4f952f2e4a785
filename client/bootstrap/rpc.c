#include "client/bootstrap/rpc.h"

#include <string.h>

#define AUDIT_OPTIONS                                                                              \
	(MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0) |                                        \
	 MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT))

const struct rpc_reply_shape rpc_port_reply = {
	.size_bytes = 40,
	.descriptor_count = 1,
	.descriptors = { { MACH_MSG_PORT_DESCRIPTOR, MACH_MSG_TYPE_MOVE_SEND } },
};

const struct rpc_reply_shape rpc_code_reply = { .size_bytes = sizeof(mig_reply_error_t) };

const audit_token_t *
bootstrap_rpc_audit(const mach_msg_header_t *reply)
{
	const mach_msg_audit_trailer_t *trailer =
	    (const void *)((const char *)reply + round_msg(reply->msgh_size));

	return &trailer->msgh_audit;
}

static bool
descriptors_match(const mach_msg_header_t *reply, const struct rpc_reply_shape *shape)
{
	const mach_msg_base_t *base = (const void *)reply;
	const char *at = (const char *)(base + 1);

	if (base->body.msgh_descriptor_count != shape->descriptor_count)
		return false;
	for (unsigned int i = 0; i < shape->descriptor_count; i++) {
		const struct rpc_descriptor *want = &shape->descriptors[i];
		const mach_msg_type_descriptor_t *type = (const void *)at;

		if (type->type != want->type)
			return false;
		if (want->type == MACH_MSG_PORT_DESCRIPTOR) {
			const mach_msg_port_descriptor_t *port = (const void *)at;
			if (port->disposition != want->disposition)
				return false;
			at += sizeof(*port);
		} else if (want->type == MACH_MSG_OOL_PORTS_DESCRIPTOR) {
			const mach_msg_ool_ports_descriptor_t *ports = (const void *)at;
			if (ports->disposition != want->disposition)
				return false;
			at += sizeof(*ports);
		} else {
			at += sizeof(mach_msg_ool_descriptor_t);
		}
	}
	return true;
}

static bool
is_error_form(const mach_msg_header_t *reply)
{
	return !MACH_MSGH_BITS_IS_COMPLEX(reply->msgh_bits) &&
	       reply->msgh_size == sizeof(mig_reply_error_t) &&
	       ((const mig_reply_error_t *)(const void *)reply)->RetCode != KERN_SUCCESS;
}

/* mig-codegen.md §5.4 */
static kern_return_t
reply_check(mach_msg_id_t id, const mach_msg_header_t *reply, const struct rpc_reply_shape *shape)
{
	bool complex = MACH_MSGH_BITS_IS_COMPLEX(reply->msgh_bits);
	bool fits =
	    reply->msgh_size == shape->size_bytes && complex == (shape->descriptor_count > 0);

	if (reply->msgh_id != id + 100)
		return reply->msgh_id == MACH_NOTIFY_SEND_ONCE ? MIG_SERVER_DIED
							       : MIG_REPLY_MISMATCH;
	if (!fits && !is_error_form(reply))
		return MIG_TYPE_ERROR;
	if (reply->msgh_remote_port != MACH_PORT_NULL)
		return MIG_TYPE_ERROR;
	if (!complex)
		return ((const mig_reply_error_t *)(const void *)reply)->RetCode;
	return descriptors_match(reply, shape) ? KERN_SUCCESS : MIG_TYPE_ERROR;
}

kern_return_t
bootstrap_rpc(mach_port_t port, mach_msg_id_t id, mach_msg_header_t *message,
	      mach_msg_size_t request_size, mach_msg_size_t capacity,
	      const struct rpc_reply_shape *shape)
{
	mach_port_t reply_port = mig_get_reply_port();

	message->msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE) |
			     (message->msgh_bits & MACH_MSGH_BITS_COMPLEX);
	message->msgh_size = request_size;
	message->msgh_remote_port = port;
	message->msgh_local_port = reply_port;
	message->msgh_voucher_port = MACH_PORT_NULL;
	message->msgh_id = id;

	kern_return_t kr =
	    mach_msg(message, MACH_SEND_MSG | MACH_RCV_MSG | AUDIT_OPTIONS, request_size, capacity,
		     reply_port, MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL);
	if (kr == MACH_SEND_INVALID_DATA || kr == MACH_SEND_INVALID_DEST ||
	    kr == MACH_SEND_INVALID_HEADER) {
		mig_put_reply_port(reply_port);
		return kr;
	}
	if (kr != MACH_MSG_SUCCESS) {
		/* a late reply must meet a dead port */
		mig_dealloc_reply_port(reply_port);
		return kr;
	}

	kr = reply_check(id, message, shape);
	if (kr != KERN_SUCCESS)
		mach_msg_destroy(message);
	return kr;
}
