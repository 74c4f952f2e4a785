/*
 * Giving up a message that nobody will use.
 */
#include <mach/mach.h>
#include <mach/mach_port.h>
#include <mach/message.h>
#include <mach/vm_map.h>
#include <mach/vm_statistics.h>

#include "client/descriptor.h"
#include "client/export.h"

#include <string.h>

/* Give up the right @name, by how it travels. */
static void
right_destroy(mach_port_t name, mach_msg_type_name_t disposition)
{
	mach_msg_type_name_t made;
	mach_port_t made_name;

	if (!MACH_PORT_VALID(name))
		return;
	switch (disposition) {
	case MACH_MSG_TYPE_MOVE_SEND:
	case MACH_MSG_TYPE_MOVE_SEND_ONCE:
		mach_port_deallocate(mach_task_self_, name);
		break;
	case MACH_MSG_TYPE_MOVE_RECEIVE:
		mach_port_mod_refs(mach_task_self_, name, MACH_PORT_RIGHT_RECEIVE, -1);
		break;
	case MACH_MSG_TYPE_MAKE_SEND:
		/* made and given up, so that a no-senders notification comes */
		if (mach_port_insert_right(mach_task_self_, name, name, MACH_MSG_TYPE_MAKE_SEND) ==
		    KERN_SUCCESS)
			mach_port_deallocate(mach_task_self_, name);
		break;
	case MACH_MSG_TYPE_MAKE_SEND_ONCE:
		/* the same for the send-once notification */
		if (mach_port_extract_right(mach_task_self_, name, MACH_MSG_TYPE_MAKE_SEND_ONCE,
					    &made_name, &made) == KERN_SUCCESS)
			mach_port_deallocate(mach_task_self_, made_name);
		break;
	default: /* COPY_SEND: nothing was taken */
		break;
	}
}

/* The descriptor at @at, of which all bytes are there. */
static void
descriptor_destroy(const uint8_t *at, struct descriptor *d)
{
	mach_msg_guarded_port_descriptor_t guarded;
	mach_msg_port_descriptor_t port;
	mach_port_t name;

	descriptor_read_memory(at, d);
	switch (d->kind) {
	case MACH_MSG_PORT_DESCRIPTOR:
		memcpy(&port, at, sizeof(port));
		right_destroy(port.name, port.disposition);
		break;
	case MACH_MSG_GUARDED_PORT_DESCRIPTOR:
		memcpy(&guarded, at, sizeof(guarded));
		if ((guarded.flags & MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND) == 0)
			mach_port_unguard(mach_task_self_, guarded.name, guarded.context);
		right_destroy(guarded.name, guarded.disposition);
		break;
	case MACH_MSG_OOL_PORTS_DESCRIPTOR:
		for (uint32_t i = 0; i * sizeof(name) < d->memory_bytes; i++) {
			memcpy(&name, (const uint8_t *)(uintptr_t)d->address + i * sizeof(name),
			       sizeof(name));
			right_destroy(name, d->disposition);
		}
		if (d->deallocate && d->has_memory)
			vm_deallocate(mach_task_self_, (vm_address_t)d->address, d->memory_bytes);
		break;
	case MACH_MSG_OOL_DESCRIPTOR:
		if (d->deallocate && d->has_memory)
			vm_deallocate(mach_task_self_, (vm_address_t)d->address, d->memory_bytes);
		break;
	default: /* volatile memory is left alone */
		break;
	}
}

BERTH_EXPORT void
mach_msg_destroy(mach_msg_header_t *msg)
{
	mach_msg_bits_t bits = msg->msgh_bits;

	right_destroy(msg->msgh_remote_port, MACH_MSGH_BITS_REMOTE(bits));
	right_destroy(msg->msgh_voucher_port, MACH_MSGH_BITS_VOUCHER(bits));
	if ((bits & MACH_MSGH_BITS_COMPLEX) == 0)
		return;
	const uint8_t *at = (const uint8_t *)msg + DESCRIPTORS_OFFSET;
	uint32_t count = ((const mach_msg_base_t *)msg)->body.msgh_descriptor_count;
	for (uint32_t i = 0; i < count; i++) {
		struct descriptor d = descriptor_read(at);
		if (d.size == 0)
			return; /* not a message that was received or could be sent */
		descriptor_destroy(at, &d);
		at += d.size;
	}
}
