/*
 * Messages built by hand, one piece after the other, so that any of them can be wrong.
 */
#ifndef TESTS_MIG_RAW_H
#define TESTS_MIG_RAW_H

#include "mig_test.h"

#include <mach/ndr.h>

struct raw {
	union {
		mach_msg_header_t header;
		uint8_t bytes[4096];
	};
	size_t size;
	uint32_t descriptor_count;
};

/* A simple message without a body. */
struct raw raw_new(mach_msg_id_t id);
/* The count of descriptors, which those that follow increase; makes it complex. */
void raw_body(struct raw *raw);
void raw_port(struct raw *raw, mach_port_t name, mach_msg_type_name_t disposition);
void raw_ool(struct raw *raw, const void *address, size_t size, bool dealloc);
void raw_ool_ports(struct raw *raw, const mach_port_t *names, uint32_t count,
		   mach_msg_type_name_t disposition);
void raw_ndr(struct raw *raw);
void raw_u32(struct raw *raw, uint32_t value);
/* Padded to a multiple of 4. */
void raw_bytes(struct raw *raw, const void *bytes, size_t size);

/*
 * Send it to @port, which keeps its rights; what the message names moves as it says.
 * @reply_to is named by the header as a send-once right that is made, unless NULL.
 */
void raw_send(struct raw *raw, mach_port_t port, mach_port_t reply_to);

/* Take the next message from @port, within 20 seconds. */
struct raw raw_receive(mach_port_t port);

#endif
