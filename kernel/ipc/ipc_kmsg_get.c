/*
 * From a task to the kernel: S1 and S2 of mach-messages.md §2, sizes and descriptors.
 *
 * The task's bytes are copied once, and everything after looks at the copy.
 */
#include <string.h>

#include "ipc/ipc_kmsg_memory.h"
#include "ipc/ipc_notify.h"
#include "kern/thread.h"

#define DESCRIPTOR_SIZE_MIN 12u

static uint32_t
descriptor_size(uint8_t type)
{
	return type == MACH_MSG_PORT_DESCRIPTOR ? sizeof(mach_msg_port_descriptor_t)
						: sizeof(mach_msg_ool_descriptor_t);
}

static mach_msg_return_t
check_guarded(const mach_msg_guarded_port_descriptor_t *d)
{
	if (d->disposition != MACH_MSG_TYPE_MOVE_RECEIVE || d->flags == 0 ||
	    (d->flags & ~MACH_MSG_GUARD_FLAGS_MASK))
		return MACH_SEND_INVALID_TYPE;
	if ((d->flags & MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND) && d->context != 0)
		return MACH_SEND_INVALID_TYPE;
	return MACH_MSG_SUCCESS;
}

/* What one descriptor asks of the whole: rights, right-making, memory to copy. */
struct body_needs {
	uint64_t port_count;
	uint64_t copy_bytes;
	uint32_t send_once_count; /* at most this many are made */
};

static mach_msg_return_t
describe_ool(struct ipc_kmsg_descriptor *d, const mach_msg_ool_descriptor_t *ool,
	     struct body_needs *needs)
{
	if (ool->copy != MACH_MSG_PHYSICAL_COPY && ool->copy != MACH_MSG_VIRTUAL_COPY)
		return MACH_SEND_INVALID_TYPE;
	d->copy = (uint8_t)ool->copy;
	d->deallocate = ool->deallocate != 0;
	d->count = ool->size;
	d->has_piece = ool->size > 0;
	if (ool->copy == MACH_MSG_PHYSICAL_COPY && !ool->deallocate && ool->size > KMSG_OOL_SMALL)
		needs->copy_bytes += ((uint64_t)ool->size + 4095) & ~4095ull;
	return MACH_MSG_SUCCESS;
}

static mach_msg_return_t
describe(struct ipc_kmsg_descriptor *d, const uint8_t *at, struct body_needs *needs)
{
	const mach_msg_ool_ports_descriptor_t *ports = (const void *)at;
	const mach_msg_port_descriptor_t *port = (const void *)at;
	const mach_msg_guarded_port_descriptor_t *guarded = (const void *)at;

	switch (d->type) {
	case MACH_MSG_PORT_DESCRIPTOR:
		d->disposition = port->disposition;
		needs->port_count++;
		needs->send_once_count += d->disposition == MACH_MSG_TYPE_MAKE_SEND_ONCE;
		return MACH_MSG_SUCCESS;
	case MACH_MSG_OOL_DESCRIPTOR:
	case MACH_MSG_OOL_VOLATILE_DESCRIPTOR:
		return describe_ool(d, (const void *)at, needs);
	case MACH_MSG_OOL_PORTS_DESCRIPTOR:
		d->disposition = ports->disposition;
		d->deallocate = ports->deallocate != 0;
		d->copy = MACH_MSG_VIRTUAL_COPY;
		d->count = ports->count;
		d->has_piece = ports->count > 0;
		needs->port_count += ports->count;
		if (d->disposition == MACH_MSG_TYPE_MAKE_SEND_ONCE &&
		    ports->count <= KMSG_PORTS_MAX)
			needs->send_once_count += ports->count;
		return MACH_MSG_SUCCESS;
	default: /* MACH_MSG_GUARDED_PORT_DESCRIPTOR: the walk let nothing else through */
		d->disposition = guarded->disposition;
		d->guard_flags = (uint16_t)guarded->flags;
		needs->port_count++;
		return check_guarded(guarded);
	}
}

/* Rows 9 to 14: the walk, then what each descriptor says. */
static mach_msg_return_t
walk_descriptors(struct ipc_kmsg *kmsg, struct body_needs *needs)
{
	uint32_t offset = sizeof(mach_msg_base_t);

	for (uint32_t i = 0; i < kmsg->descriptor_count; i++) {
		struct ipc_kmsg_descriptor *d = &kmsg->descriptors[i];

		if (offset + DESCRIPTOR_SIZE_MIN > kmsg->size)
			return MACH_SEND_MSG_TOO_SMALL;
		if (offset + DESCRIPTOR_SIZE_MIN > kmsg->bytes_size)
			return MACH_SEND_INVALID_DATA;
		d->offset = offset;
		d->type = ((const mach_msg_type_descriptor_t *)(const void *)(kmsg->bytes + offset))
			      ->type;
		if (d->type > MACH_MSG_DESCRIPTOR_MAX)
			return MACH_SEND_INVALID_TYPE;
		offset += descriptor_size(d->type);
		if (offset > kmsg->size)
			return MACH_SEND_MSG_TOO_SMALL;
		if (offset > kmsg->bytes_size)
			return MACH_SEND_INVALID_DATA;
	}
	for (uint32_t i = 0; i < kmsg->descriptor_count; i++) {
		struct ipc_kmsg_descriptor *d = &kmsg->descriptors[i];
		mach_msg_return_t mr = describe(d, kmsg->bytes + d->offset, needs);

		if (mr != MACH_MSG_SUCCESS)
			return mr;
	}
	if (needs->port_count > KMSG_PORTS_MAX)
		return MACH_SEND_TOO_LARGE;
	if (needs->copy_bytes + 8 * needs->port_count > KMSG_OOL_COPY_MAX)
		return MACH_MSG_NO_VM;
	return MACH_MSG_SUCCESS;
}

mach_msg_return_t
ipc_kmsg_get(struct thread *thread, const struct trap_frame *frame, mach_msg_size_t send_size,
	     struct ipc_kmsg **out)
{
	struct kernel *k = thread->task->kernel;
	mach_msg_base_t base = { 0 };
	uint32_t descriptor_count = 0;
	struct ipc_kmsg *kmsg;
	mach_msg_return_t mr;

	*out = NULL;
	if (send_size < KMSG_SIZE_MIN || (send_size & 3))
		return MACH_SEND_MSG_TOO_SMALL;
	if (send_size > KMSG_SIZE_MAX)
		return MACH_SEND_TOO_LARGE;
	if (frame->bytes_size < sizeof(base.header) || frame->bytes_size > send_size)
		return MACH_SEND_INVALID_DATA;

	/* the head decides how much room is needed: read here, and not again below */
	memcpy(&base, frame->bytes,
	       frame->bytes_size < sizeof(base) ? sizeof(base.header) : sizeof(base));
	base.header.msgh_bits &= MACH_MSGH_BITS_USER;
	if (base.header.msgh_bits & MACH_MSGH_BITS_COMPLEX) {
		if (send_size < sizeof(base))
			return MACH_SEND_MSG_TOO_SMALL;
		if (frame->bytes_size < sizeof(base))
			return MACH_SEND_INVALID_DATA;
		descriptor_count = base.body.msgh_descriptor_count;
		if (descriptor_count > (send_size - sizeof(base)) / DESCRIPTOR_SIZE_MIN)
			return MACH_SEND_MSG_TOO_SMALL;
	}

	kmsg = ipc_kmsg_alloc(k, frame->bytes_size, descriptor_count);
	if (!kmsg)
		return MACH_SEND_NO_BUFFER;
	kmsg->size = send_size;
	kmsg->descriptor_count = descriptor_count;
	memcpy(kmsg->bytes, frame->bytes, frame->bytes_size);
	memcpy(kmsg->bytes, &base,
	       descriptor_count || frame->bytes_size >= sizeof(base) ? sizeof(base)
								     : sizeof(base.header));
	if (!ipc_kmsg_charge(kmsg, thread->task->account, kmsg->alloc_size)) {
		mr = MACH_SEND_NO_BUFFER;
		goto failed;
	}
	if (frame->bytes_size + (frame->has_tail ? (uint64_t)frame->tail.size_bytes : 0) !=
		send_size ||
	    (frame->has_tail && frame->tail.kind != KERNEL_PIECE_SEGMENT)) {
		mr = MACH_SEND_INVALID_DATA; /* the task could not read all of it */
		goto failed;
	}
	if (frame->has_tail) {
		if (!ipc_segment_ref(k, frame->tail.segment, thread->task->account)) {
			mr = MACH_SEND_NO_BUFFER;
			goto failed;
		}
		kmsg->tail = frame->tail;
	}

	struct body_needs needs = { 0 };

	mr = walk_descriptors(kmsg, &needs);
	if (mr != MACH_MSG_SUCCESS)
		goto failed;
	/* two for the header: from here on making a send-once right cannot fail */
	if (!ipc_notify_reserve(k, needs.send_once_count + 2)) {
		mr = MACH_SEND_NO_BUFFER;
		goto failed;
	}
	KERNEL_TRACE(k, .kind = TRACE_IPC_KMSG_GET, .size_bytes = send_size,
		     .msgh_id = base.header.msgh_id, .bits = base.header.msgh_bits,
		     .count = descriptor_count);
	*out = kmsg;
	return MACH_MSG_SUCCESS;

failed:
	ipc_kmsg_free(k, kmsg);
	return mr;
}
