/*
 * Messages built by hand.
 */
#include "raw.h"

static void *
raw_more(struct raw *raw, size_t size)
{
	void *at = raw->bytes + raw->size;

	expect(raw->size + size <= sizeof(raw->bytes));
	raw->size += size;
	return at;
}

struct raw
raw_new(mach_msg_id_t id)
{
	struct raw raw = { .size = sizeof(mach_msg_header_t) };

	raw.header.msgh_id = id;
	return raw;
}

void
raw_body(struct raw *raw)
{
	raw->header.msgh_bits |= MACH_MSGH_BITS_COMPLEX;
	raw_more(raw, sizeof(mach_msg_body_t));
}

static void
raw_descriptor(struct raw *raw, const void *descriptor, size_t size)
{
	memcpy(raw_more(raw, size), descriptor, size);
	raw->descriptor_count++;
	memcpy(raw->bytes + sizeof(mach_msg_header_t), &raw->descriptor_count, 4);
}

void
raw_port(struct raw *raw, mach_port_t name, mach_msg_type_name_t disposition)
{
	mach_msg_port_descriptor_t d = {
		.name = name,
		.disposition = disposition,
		.type = MACH_MSG_PORT_DESCRIPTOR,
	};

	raw_descriptor(raw, &d, sizeof(d));
}

void
raw_ool(struct raw *raw, const void *address, size_t size, bool dealloc)
{
	mach_msg_ool_descriptor_t d = {
		.address = (void *)(uintptr_t)address,
		.size = (mach_msg_size_t)size,
		.deallocate = dealloc,
		.copy = MACH_MSG_VIRTUAL_COPY,
		.type = MACH_MSG_OOL_DESCRIPTOR,
	};

	raw_descriptor(raw, &d, sizeof(d));
}

void
raw_ool_ports(struct raw *raw, const mach_port_t *names, uint32_t count,
	      mach_msg_type_name_t disposition)
{
	mach_msg_ool_ports_descriptor_t d = {
		.address = (void *)(uintptr_t)names,
		.count = count,
		.copy = MACH_MSG_VIRTUAL_COPY,
		.disposition = disposition,
		.type = MACH_MSG_OOL_PORTS_DESCRIPTOR,
	};

	raw_descriptor(raw, &d, sizeof(d));
}

void
raw_ndr(struct raw *raw)
{
	memcpy(raw_more(raw, sizeof(NDR_record)), &NDR_record, sizeof(NDR_record));
}

void
raw_u32(struct raw *raw, uint32_t value)
{
	memcpy(raw_more(raw, sizeof(value)), &value, sizeof(value));
}

void
raw_bytes(struct raw *raw, const void *bytes, size_t size)
{
	memcpy(raw_more(raw, (size + 3) & ~(size_t)3), bytes, size);
}

void
raw_send(struct raw *raw, mach_port_t port, mach_port_t reply_to)
{
	mach_msg_bits_t local = MACH_MSGH_BITS_LOCAL(raw->header.msgh_bits);

	/* a right to a reply port, if the test has not named one of its own */
	if (local == 0 && reply_to != MACH_PORT_NULL) {
		local = MACH_MSG_TYPE_MAKE_SEND_ONCE;
		raw->header.msgh_local_port = reply_to;
	}
	mach_msg_type_name_t remote = (right_type(port) & MACH_PORT_TYPE_SEND) != 0
					  ? MACH_MSG_TYPE_COPY_SEND
					  : MACH_MSG_TYPE_MAKE_SEND_ONCE;
	raw->header.msgh_bits =
	    (raw->header.msgh_bits & MACH_MSGH_BITS_COMPLEX) | MACH_MSGH_BITS(remote, local);
	raw->header.msgh_remote_port = port;
	expect_equal(mach_msg(&raw->header, MACH_SEND_MSG, (mach_msg_size_t)raw->size, 0,
			      MACH_PORT_NULL, 0, MACH_PORT_NULL),
		     MACH_MSG_SUCCESS);
}

struct raw
raw_receive(mach_port_t port)
{
	struct raw raw;

	expect_equal(mach_msg(&raw.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(raw.bytes),
			      port, 20000, MACH_PORT_NULL),
		     MACH_MSG_SUCCESS);
	raw.size = raw.header.msgh_size;
	return raw;
}
