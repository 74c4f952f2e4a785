/*
 * From the kernel to a task: R5 and R6 of mach-messages.md §8, and the way back to a sender
 * whose message was not delivered, §7.
 */
#include <string.h>

#include "ipc/ipc_kmsg_memory.h"
#include "ipc/ipc_right.h"
#include "kern/thread.h"

/* KERN_NO_SPACE: the table is full; KERN_RESOURCE_SHORTAGE: no memory for it. */
static mach_msg_return_t
resource_bits(kern_return_t kr)
{
	if (kr == KERN_SUCCESS)
		return MACH_MSG_SUCCESS;
	return kr == KERN_NO_SPACE ? MACH_MSG_IPC_SPACE : MACH_MSG_IPC_KERNEL;
}

static mach_msg_return_t
copyout_right(struct ipc_space *space, struct ipc_port *port, mach_msg_type_name_t kind,
	      mach_port_name_t *name)
{
	return resource_bits(ipc_right_copyout(space, port, kind, name));
}

/* ---- descriptors -------------------------------------------------------------------------- */

static mach_msg_return_t
copyout_port(struct ipc_space *space, struct ipc_kmsg *kmsg, struct ipc_kmsg_descriptor *d)
{
	mach_msg_port_descriptor_t *out = (void *)(kmsg->bytes + d->offset);
	mach_port_name_t name;
	struct ipc_port *port = d->port;

	d->port = NULL;

	mach_msg_return_t bits = copyout_right(space, port, d->disposition, &name);

	memset(out, 0, sizeof(*out));
	out->name = name;
	out->disposition = d->disposition;
	out->type = d->type;
	return bits;
}

static void
fill_ool(struct ipc_kmsg *kmsg, const struct ipc_kmsg_descriptor *d, bool deallocate)
{
	mach_msg_ool_descriptor_t *out = (void *)(kmsg->bytes + d->offset);

	memset(out, 0, sizeof(*out));
	out->deallocate = deallocate;
	out->copy = d->copy;
	out->type = d->type;
	out->size = d->count;
}

static mach_msg_return_t
copyout_ool_ports(struct ipc_space *space, struct ipc_kmsg *kmsg, struct ipc_kmsg_descriptor *d)
{
	mach_msg_ool_ports_descriptor_t *out = (void *)(kmsg->bytes + d->offset);
	struct ipc_port **ports = d->ports;
	mach_msg_return_t bits = MACH_MSG_SUCCESS;

	d->ports = NULL;
	memset(out, 0, sizeof(*out));
	out->deallocate = 1;
	out->copy = MACH_MSG_VIRTUAL_COPY;
	out->disposition = d->disposition;
	out->type = d->type;
	out->count = d->count;

	/* names are half as wide as the pointers that they replace: in place, front to back */
	for (uint32_t i = 0; ports && i < d->count; i++) {
		mach_port_name_t name;

		bits |= copyout_right(space, ports[i], d->disposition, &name);
		memcpy((uint8_t *)(void *)ports + i * sizeof(name), &name, sizeof(name));
	}
	return bits;
}

/* The port gets the guard that the descriptor asks for: the receiver's buffer address. */
static mach_msg_return_t
copyout_guarded(struct thread *thread, struct ipc_kmsg *kmsg, struct ipc_kmsg_descriptor *d)
{
	struct ipc_space *space = &thread->task->space;
	mach_msg_guarded_port_descriptor_t *out = (void *)(kmsg->bytes + d->offset);
	struct ipc_port *port = d->port;
	mach_msg_return_t bits = MACH_MSG_SUCCESS;
	mach_port_name_t name = MACH_PORT_NULL;

	d->port = NULL;
	memset(out, 0, sizeof(*out));
	out->disposition = d->disposition;
	out->type = d->type;
	out->flags = d->guard_flags & MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE;
	if (!(thread->msg.option & MACH_RCV_GUARDED_DESC)) {
		ipc_port_release_right(kmsg->kernel, port, d->disposition);
		return MACH_MSG_SUCCESS;
	}
	bits = copyout_right(space, port, d->disposition, &name);
	out->name = name;
	if (MACH_PORT_VALID(name) && (d->guard_flags & MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE)) {
		struct ipc_port *received = ipc_space_find(space, name)->port;

		received->object.flags |= IPC_PORT_GUARDED | IPC_PORT_IMMOVABLE;
		received->context = thread->msg.rcv_address;
		out->context = received->context;
	}
	return bits;
}

/* Given back to its sender: a plain receive right under its name, unguarded. */
static mach_msg_return_t
copyout_guarded_back(struct ipc_space *space, struct ipc_kmsg *kmsg, struct ipc_kmsg_descriptor *d)
{
	mach_msg_guarded_port_descriptor_t *out = (void *)(kmsg->bytes + d->offset);
	struct ipc_port *port = d->port;
	mach_port_name_t name;

	d->port = NULL;

	mach_msg_return_t bits = copyout_right(space, port, d->disposition, &name);

	memset(out, 0, sizeof(*out));
	out->name = name;
	out->disposition = d->disposition;
	out->type = d->type;
	out->flags = MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND;
	return bits;
}

/* All descriptors, even after one that failed: the bits add up. */
static mach_msg_return_t
copyout_body(struct thread *thread, struct ipc_kmsg *kmsg, bool back_to_sender)
{
	struct ipc_space *space = &thread->task->space;
	mach_msg_return_t bits = MACH_MSG_SUCCESS;

	for (uint32_t i = 0; i < kmsg->descriptors_taken; i++) {
		struct ipc_kmsg_descriptor *d = &kmsg->descriptors[i];

		switch (d->type) {
		case MACH_MSG_PORT_DESCRIPTOR:
			bits |= copyout_port(space, kmsg, d);
			break;
		case MACH_MSG_OOL_PORTS_DESCRIPTOR:
			bits |= copyout_ool_ports(space, kmsg, d);
			break;
		case MACH_MSG_GUARDED_PORT_DESCRIPTOR:
			bits |= back_to_sender ? copyout_guarded_back(space, kmsg, d)
					       : copyout_guarded(thread, kmsg, d);
			break;
		default:
			fill_ool(kmsg, d, d->copy == MACH_MSG_VIRTUAL_COPY);
			break;
		}
	}
	kmsg->descriptors_taken = 0;
	return bits;
}

/* ---- header ------------------------------------------------------------------------------- */

/* A name of its own that @port, a right in a header, will need. */
static uint32_t
names_needed(const struct ipc_space *space, const struct ipc_port *port, mach_msg_type_name_t kind)
{
	if (!ip_valid(port) || !ip_active(port))
		return 0;
	return kind == MACH_MSG_TYPE_PORT_SEND_ONCE || !ipc_space_find_port(space, port);
}

/* The voucher goes to a receiver who wants it, which cannot fail; else nothing is left of it. */
static void
copyout_voucher(struct ipc_space *space, struct ipc_kmsg *kmsg, bool wanted)
{
	struct ipc_port *voucher = kmsg->voucher;

	kmsg->voucher = NULL;
	if (voucher && wanted) {
		check(copyout_right(space, voucher, MACH_MSG_TYPE_PORT_SEND, &kmsg->voucher_name) ==
		      MACH_MSG_SUCCESS);
		kmsg->voucher_type = MACH_MSG_TYPE_PORT_SEND;
	} else if (!wanted && kmsg->voucher_type != 0) {
		ipc_port_release_send(kmsg->kernel, voucher);
		kmsg->voucher_name = MACH_PORT_NULL;
		kmsg->voucher_type = 0;
	}
}

mach_msg_return_t
ipc_kmsg_copyout(struct thread *thread, struct ipc_kmsg *kmsg)
{
	struct kernel *k = kmsg->kernel;
	struct ipc_space *space = &thread->task->space;
	mach_msg_header_t *h = ikm_header(kmsg);
	struct ipc_port *dest = kmsg->dest;
	mach_port_name_t local_name = dest->receiver_name;
	mach_port_name_t remote_name = kmsg->reply_name;
	const bool voucher_wanted = (thread->msg.option & MACH_RCV_VOUCHER) != 0;
	uint32_t names;
	struct ipc_port *reply;
	mach_msg_return_t bits;

	ipc_port_fire_send_possible(k, dest);
	names = names_needed(space, kmsg->reply, kmsg->reply_type);
	if (voucher_wanted)
		names += names_needed(space, kmsg->voucher, MACH_MSG_TYPE_PORT_SEND);
	bits = names > 0 ? resource_bits(ipc_space_reserve(space, names)) : MACH_MSG_SUCCESS;
	if (bits != MACH_MSG_SUCCESS) {
		ipc_kmsg_strip(k, kmsg, local_name);
		return MACH_RCV_HEADER_ERROR | bits;
	}
	reply = kmsg->reply;
	kmsg->reply = NULL;
	if (reply)
		check(copyout_right(space, reply, kmsg->reply_type, &remote_name) ==
		      MACH_MSG_SUCCESS);
	copyout_voucher(space, kmsg, voucher_wanted);
	ipc_kmsg_use_dest(k, kmsg);

	h->msgh_bits = MACH_MSGH_BITS_SET(kmsg->reply_type, kmsg->dest_type, kmsg->voucher_type,
					  h->msgh_bits & MACH_MSGH_BITS_COMPLEX);
	h->msgh_size = kmsg->size;
	h->msgh_remote_port = remote_name;
	h->msgh_local_port = local_name;
	h->msgh_voucher_port = kmsg->voucher_name;

	bits = copyout_body(thread, kmsg, false);
	KERNEL_TRACE(k, .kind = TRACE_IPC_KMSG_COPYOUT, .name = local_name,
		     .reply_name = remote_name, .bits = h->msgh_bits, .msgh_id = h->msgh_id,
		     .size_bytes = kmsg->size);
	return bits == MACH_MSG_SUCCESS ? MACH_MSG_SUCCESS : MACH_RCV_BODY_ERROR | bits;
}

/* A copy that was sent is as it was before; what was moved comes back. */
static mach_msg_return_t
copyout_voucher_back(struct ipc_space *space, struct ipc_kmsg *kmsg)
{
	struct ipc_port *voucher = kmsg->voucher;

	kmsg->voucher = NULL;
	if (voucher && kmsg->voucher_type == MACH_MSG_TYPE_MOVE_SEND)
		return copyout_right(space, voucher, MACH_MSG_TYPE_PORT_SEND, &kmsg->voucher_name);
	ipc_port_release_send(kmsg->kernel, voucher);
	return MACH_MSG_SUCCESS;
}

mach_msg_return_t
ipc_kmsg_copyout_pseudo(struct thread *thread, struct ipc_kmsg *kmsg)
{
	struct ipc_space *space = &thread->task->space;
	mach_msg_header_t *h = ikm_header(kmsg);
	mach_port_name_t dest_name;
	mach_port_name_t reply_name = kmsg->reply_name;
	struct ipc_port *dest = kmsg->dest;
	struct ipc_port *reply = kmsg->reply;
	mach_msg_return_t bits = MACH_MSG_SUCCESS;

	check(!kmsg->is_notification);
	kmsg->dest = NULL;
	kmsg->reply = NULL;
	bits |= copyout_right(space, dest, kmsg->dest_type, &dest_name);
	if (reply)
		bits |= copyout_right(space, reply, kmsg->reply_type, &reply_name);
	bits |= copyout_voucher_back(space, kmsg);
	h->msgh_bits = MACH_MSGH_BITS_SET(kmsg->dest_type, kmsg->reply_type, kmsg->voucher_type,
					  h->msgh_bits & MACH_MSGH_BITS_COMPLEX);
	h->msgh_size = kmsg->size;
	h->msgh_remote_port = dest_name;
	h->msgh_local_port = reply_name;
	h->msgh_voucher_port = kmsg->voucher_name;

	return bits | copyout_body(thread, kmsg, true);
}
