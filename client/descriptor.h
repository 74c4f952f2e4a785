/*
 * Descriptors of a message: a packed list of 12 and 16 bytes each, with the kind at byte 11.
 */
#ifndef BERTH_CLIENT_DESCRIPTOR_H
#define BERTH_CLIENT_DESCRIPTOR_H

#include <mach/message.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DESCRIPTOR_SIZE_MIN 12u
#define DESCRIPTOR_SIZE_MAX 16u
#define DESCRIPTORS_OFFSET ((uint32_t)sizeof(mach_msg_base_t))

/* The parts that the library needs of any descriptor. */
struct descriptor {
	uint32_t kind;
	uint32_t size;   /* of the descriptor itself; 0: no such kind */
	bool has_memory; /* OOL or OOL ports, and not empty */
	bool deallocate;
	bool is_virtual; /* the copy may be made when somebody writes */
	uint64_t address;
	uint32_t memory_bytes; /* 0 if its ports' size does not fit: the kernel refuses that */
	uint32_t disposition;  /* of ports */
};

/* Read the descriptor at @at, which has 16 readable bytes, or 12 if it is a port's. */
static inline struct descriptor
descriptor_read(const uint8_t *at)
{
	struct descriptor d = { .kind = at[11] };

	switch (d.kind) {
	case MACH_MSG_PORT_DESCRIPTOR:
		d.size = sizeof(mach_msg_port_descriptor_t);
		break;
	case MACH_MSG_GUARDED_PORT_DESCRIPTOR:
		d.size = sizeof(mach_msg_guarded_port_descriptor_t);
		break;
	case MACH_MSG_OOL_DESCRIPTOR:
	case MACH_MSG_OOL_VOLATILE_DESCRIPTOR:
	case MACH_MSG_OOL_PORTS_DESCRIPTOR:
		d.size = sizeof(mach_msg_ool_descriptor_t);
		break;
	default:
		break;
	}
	return d;
}

/* Read what only the three kinds with memory have; all 16 bytes must be there. */
static inline void
descriptor_read_memory(const uint8_t *at, struct descriptor *d)
{
	uint32_t count;

	if (d->kind == MACH_MSG_PORT_DESCRIPTOR || d->kind == MACH_MSG_GUARDED_PORT_DESCRIPTOR)
		return;
	memcpy(&d->address, at, sizeof(d->address));
	memcpy(&count, at + 12, sizeof(count));
	d->deallocate = at[8] != 0;
	d->is_virtual = at[9] == MACH_MSG_VIRTUAL_COPY;
	d->has_memory = count != 0;
	d->disposition = at[10];
	if (d->kind != MACH_MSG_OOL_PORTS_DESCRIPTOR)
		d->memory_bytes = count;
	else if (count <= UINT32_MAX / sizeof(mach_port_name_t))
		d->memory_bytes = count * (uint32_t)sizeof(mach_port_name_t);
}

#endif
