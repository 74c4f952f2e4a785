/* Requests to kernel objects: see rpc.h. */
#include <string.h>

#include <mach/mig_errors.h>

#include "tests/support/calls.h"
#include "tests/support/rpc.h"

static const uint8_t ndr[8] = { [4] = 1 }; /* little endian integers, all else 0 */

struct rpc
rpc_to(int32_t id)
{
	return (struct rpc){ .message = message_to(0, MACH_MSG_TYPE_COPY_SEND), .id = id };
}

static void
rpc_bytes(struct rpc *r, const void *bytes, uint32_t size_bytes)
{
	if (r->data_size == 0) {
		memcpy(r->data, ndr, sizeof ndr);
		r->data_size = sizeof ndr;
	}
	assert_true(r->data_size + size_bytes <= sizeof r->data);
	memcpy(r->data + r->data_size, bytes, size_bytes);
	r->data_size += size_bytes;
}

void
rpc_u32(struct rpc *r, uint32_t value)
{
	rpc_bytes(r, &value, sizeof value);
}

void
rpc_u64(struct rpc *r, uint64_t value)
{
	rpc_bytes(r, &value, sizeof value);
}

kern_return_t
rpc_call(struct actor *t, mach_port_name_t reply, struct rpc *r)
{
	struct message *m = &r->message;
	kern_return_t kr;

	message_header(m)->msgh_remote_port = t->target;
	message_reply(m, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	message_id(m, r->id);
	if (r->data_size > 0)
		message_add_data(m, r->data, r->data_size);
	kr = msg_send_receive(t, m, MACH_RCV_TIMEOUT, ANY_SIZE, reply, 0, &got);
	if (kr != MACH_MSG_SUCCESS)
		return kr;
	if (got.header.msgh_id == MACH_NOTIFY_SEND_ONCE)
		return MIG_SERVER_DIED;
	assert_int_equal(got.header.msgh_id, r->id + 100);
	assert_int_equal(got.header.msgh_remote_port, 0);
	assert_int_equal(got.header.msgh_local_port, reply);
	r->read = got.data_size > 0 ? sizeof ndr : 0;
	if (got.data_size > 0)
		assert_memory_equal(got.data, ndr, sizeof ndr);
	if (got.header.msgh_bits & MACH_MSGH_BITS_COMPLEX)
		return KERN_SUCCESS;
	kr = (kern_return_t)rpc_result_u32(r);
	if (kr != KERN_SUCCESS)
		assert_int_equal(got.header.msgh_size, 36);
	return kr;
}

static void
read_bytes(struct rpc *r, void *bytes, uint32_t size_bytes)
{
	assert_true(r->read + size_bytes <= got.data_size);
	memcpy(bytes, got.data + r->read, size_bytes);
	r->read += size_bytes;
}

uint32_t
rpc_result_u32(struct rpc *r)
{
	uint32_t value;

	read_bytes(r, &value, sizeof value);
	return value;
}

uint64_t
rpc_result_u64(struct rpc *r)
{
	uint64_t value;

	read_bytes(r, &value, sizeof value);
	return value;
}
