/*
 * One call of the bootstrap protocol: send a request, take the reply, check its shape.
 */
#ifndef BERTH_CLIENT_BOOTSTRAP_RPC_H
#define BERTH_CLIENT_BOOTSTRAP_RPC_H

#include <stdbool.h>

#include <mach/mach.h>

#define RPC_DESCRIPTORS_MAX 3u

/* What a descriptor of a good reply is. */
struct rpc_descriptor {
	mach_msg_descriptor_type_t type;
	mach_msg_type_name_t disposition; /* as received; of ports only */
};

/* The reply that a routine expects when it did not fail. */
struct rpc_reply_shape {
	mach_msg_size_t size_bytes;
	unsigned int descriptor_count; /* 0: a simple reply, with a code */
	struct rpc_descriptor descriptors[RPC_DESCRIPTORS_MAX];
};

/*
 * Send the request in @message to @port and receive the reply into the same buffer of
 * @capacity bytes, which has room for the audit trailer too.
 *
 * The header is filled here but for MACH_MSGH_BITS_COMPLEX in msgh_bits.  Follows
 * mig-codegen.md §5: the reply port after failures, the checks in their order; a reply that
 * is refused is destroyed.  KERN_SUCCESS: the reply has the shape and all that it carries
 * is the caller's.
 */
kern_return_t bootstrap_rpc(mach_port_t port, mach_msg_id_t id, mach_msg_header_t *message,
			    mach_msg_size_t request_size, mach_msg_size_t capacity,
			    const struct rpc_reply_shape *shape);

/* The audit token in the trailer of a reply that bootstrap_rpc() received. */
const audit_token_t *bootstrap_rpc_audit(const mach_msg_header_t *reply);

extern const struct rpc_reply_shape rpc_port_reply; /* one send right, nothing else */
extern const struct rpc_reply_shape rpc_code_reply; /* a code, nothing else */

#endif
