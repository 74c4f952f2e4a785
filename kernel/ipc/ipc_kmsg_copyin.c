/*
 * From a task to the kernel: S3 to S6 of mach-messages.md §2, the rights of header and body.
 *
 * What is looked at is the copy that ipc_kmsg_get() has made.
 */
#include <string.h>

#include "ipc/ipc_kmsg_memory.h"
#include "ipc/ipc_notify.h"
#include "ipc/ipc_right.h"
#include "kern/guard.h"
#include "kern/thread.h"
#include "kern/voucher.h"

/* ---- S3, S4: the header ------------------------------------------------------------------ */

static bool
is_send_disposition(mach_msg_type_name_t disposition)
{
	return MACH_MSG_TYPE_PORT_ANY_SEND(disposition);
}

/* Rows of §4.1: no look-ups. */
static mach_msg_return_t
check_header(const mach_msg_header_t *h)
{
	mach_msg_type_name_t remote = MACH_MSGH_BITS_REMOTE(h->msgh_bits);
	mach_msg_type_name_t local = MACH_MSGH_BITS_LOCAL(h->msgh_bits);
	mach_msg_type_name_t voucher = MACH_MSGH_BITS_VOUCHER(h->msgh_bits);
	mach_port_name_t voucher_name = voucher ? h->msgh_voucher_port : MACH_PORT_NULL;

	if (local == 0 && h->msgh_local_port != MACH_PORT_NULL)
		return MACH_SEND_INVALID_HEADER;
	if (local != 0 && !is_send_disposition(local))
		return MACH_SEND_INVALID_HEADER;
	if (voucher != 0 && voucher != MACH_MSG_TYPE_MOVE_SEND &&
	    voucher != MACH_MSG_TYPE_COPY_SEND)
		return MACH_SEND_INVALID_VOUCHER;
	if (voucher != 0 && voucher_name == MACH_PORT_DEAD)
		return MACH_SEND_INVALID_VOUCHER;
	if (!is_send_disposition(remote))
		return MACH_SEND_INVALID_HEADER;
	if (!MACH_PORT_VALID(h->msgh_remote_port))
		return MACH_SEND_INVALID_DEST;
	if (h->msgh_remote_port == voucher_name && remote != MACH_MSG_TYPE_MOVE_SEND &&
	    remote != MACH_MSG_TYPE_COPY_SEND)
		return MACH_SEND_INVALID_DEST;
	if (h->msgh_remote_port == h->msgh_local_port &&
	    (remote == MACH_MSG_TYPE_MOVE_SEND_ONCE || local == MACH_MSG_TYPE_MOVE_SEND_ONCE))
		return MACH_SEND_INVALID_DEST;
	if (MACH_PORT_VALID(voucher_name) && h->msgh_local_port == voucher_name)
		return MACH_SEND_INVALID_REPLY;
	return MACH_MSG_SUCCESS;
}

static bool
entry_is_sendable(const struct ipc_entry *entry)
{
	return entry && ie_type(entry) != MACH_PORT_TYPE_DEAD_NAME &&
	       ie_type(entry) != MACH_PORT_TYPE_PORT_SET;
}

/* The destination: dead names are refused, but for a send-once right that never was watched. */
static mach_msg_return_t
copyin_dest(struct ipc_space *space, struct ipc_kmsg *kmsg, struct ipc_entry *entry,
	    mach_msg_type_name_t disposition)
{
	struct ipc_port *port = entry->port;

	kmsg->dest_type = ipc_right_kind(disposition);
	if (disposition == MACH_MSG_TYPE_MOVE_SEND_ONCE &&
	    ie_type(entry) == MACH_PORT_TYPE_SEND_ONCE && !ip_active(port) && !entry->request) {
		entry->object = NULL;
		ipc_entry_free(space, entry);
		kmsg->dest = port;
		return MACH_MSG_SUCCESS;
	}
	if (ipc_right_copyin(space, entry, disposition, false, &kmsg->dest) != KERN_SUCCESS)
		return MACH_SEND_INVALID_DEST;
	return MACH_MSG_SUCCESS;
}

/* Checked before: cannot fail any more. */
static void
copyin_reply(struct ipc_space *space, struct ipc_kmsg *kmsg, mach_port_name_t name,
	     mach_msg_type_name_t disposition)
{
	struct ipc_entry *entry = ipc_space_find(space, name);

	check(entry != NULL);
	check(ipc_right_copyin(space, entry, disposition, true, &kmsg->reply) == KERN_SUCCESS);
}

/* Both rights come from one name: the one that uses it up goes last. */
static mach_msg_return_t
copyin_same_name(struct ipc_space *space, struct ipc_kmsg *kmsg, struct ipc_entry *entry,
		 mach_msg_type_name_t dest, mach_msg_type_name_t reply)
{
	mach_port_name_t name = ie_name(space, entry);
	mach_msg_return_t mr;

	if (ipc_right_notice(space, entry))
		return MACH_SEND_INVALID_DEST;
	if (!ipc_right_copyin_check(entry, dest))
		return MACH_SEND_INVALID_DEST;
	if (dest == MACH_MSG_TYPE_MOVE_SEND && reply == MACH_MSG_TYPE_MOVE_SEND &&
	    ie_urefs(entry) < 2)
		return MACH_SEND_INVALID_DEST;
	if (dest == MACH_MSG_TYPE_MOVE_SEND && reply != MACH_MSG_TYPE_MOVE_SEND) {
		copyin_reply(space, kmsg, name, reply);
		mr = copyin_dest(space, kmsg, ipc_space_find(space, name), dest);
		check(mr == MACH_MSG_SUCCESS);
		return mr;
	}
	mr = copyin_dest(space, kmsg, entry, dest);
	check(mr == MACH_MSG_SUCCESS);
	copyin_reply(space, kmsg, name, reply);
	return mr;
}

/*
 * The right to the voucher that the header names: a copy, which a refusal of what comes after can
 * undo.
 */
static mach_msg_return_t
copyin_voucher(struct ipc_space *space, struct ipc_kmsg *kmsg, const mach_msg_header_t *h)
{
	struct ipc_entry *entry = ipc_space_find(space, h->msgh_voucher_port);

	if (!entry || !(ie_type(entry) & MACH_PORT_TYPE_SEND) ||
	    !convert_port_to_voucher(entry->port))
		return MACH_SEND_INVALID_VOUCHER;
	kmsg->voucher = ipc_port_copy_send(entry->port);
	return MACH_MSG_SUCCESS;
}

static mach_msg_return_t
copyin_header_rights(struct ipc_space *space, struct ipc_kmsg *kmsg, struct ipc_entry **reply_entry)
{
	const mach_msg_header_t *h = ikm_header(kmsg);
	mach_msg_type_name_t remote = MACH_MSGH_BITS_REMOTE(h->msgh_bits);
	mach_msg_type_name_t local = MACH_MSGH_BITS_LOCAL(h->msgh_bits);
	struct ipc_entry *dest = ipc_space_find(space, h->msgh_remote_port);
	struct ipc_entry *reply = NULL;
	mach_msg_return_t mr;

	if (!entry_is_sendable(dest))
		return MACH_SEND_INVALID_DEST;
	if (MACH_PORT_VALID(h->msgh_local_port)) {
		reply = ipc_space_find(space, h->msgh_local_port);
		if (!entry_is_sendable(reply) || !ipc_right_copyin_check(reply, local))
			return MACH_SEND_INVALID_REPLY;
	}
	*reply_entry = reply;
	if (kmsg->voucher && dest->port == kmsg->voucher && ie_urefs(dest) < 2 &&
	    remote == MACH_MSG_TYPE_MOVE_SEND &&
	    MACH_MSGH_BITS_VOUCHER(h->msgh_bits) == MACH_MSG_TYPE_MOVE_SEND)
		return MACH_SEND_INVALID_DEST; /* one reference cannot go twice */
	if (reply == dest)
		return copyin_same_name(space, kmsg, dest, remote, local);
	mr = copyin_dest(space, kmsg, dest, remote);
	if (mr == MACH_MSG_SUCCESS && reply)
		copyin_reply(space, kmsg, h->msgh_local_port, local);
	return mr;
}

static mach_msg_return_t
copyin_header(struct thread *thread, struct ipc_kmsg *kmsg)
{
	struct ipc_space *space = &thread->task->space;
	mach_msg_header_t *h = ikm_header(kmsg);
	mach_msg_type_name_t local = MACH_MSGH_BITS_LOCAL(h->msgh_bits);
	mach_msg_type_name_t voucher = MACH_MSGH_BITS_VOUCHER(h->msgh_bits);
	struct ipc_entry *reply;
	mach_msg_return_t mr = check_header(h);

	if (mr == MACH_MSG_SUCCESS && voucher && h->msgh_voucher_port != MACH_PORT_NULL)
		mr = copyin_voucher(space, kmsg, h);
	if (mr == MACH_MSG_SUCCESS)
		mr = copyin_header_rights(space, kmsg, &reply);
	if (mr != MACH_MSG_SUCCESS) {
		if (mr == MACH_SEND_INVALID_REPLY)
			guard_message_refused(thread, kGUARD_EXC_SEND_INVALID_REPLY,
					      h->msgh_local_port);
		else if (mr == MACH_SEND_INVALID_VOUCHER)
			guard_message_refused(thread, kGUARD_EXC_SEND_INVALID_VOUCHER,
					      h->msgh_voucher_port);
		ipc_port_release_send(thread->task->kernel, kmsg->voucher);
		kmsg->voucher = NULL;
		return mr;
	}
	/* a copy was taken: for a move the name gives up one reference */
	if (kmsg->voucher && voucher == MACH_MSG_TYPE_MOVE_SEND)
		(void)ipc_right_dealloc(space, ipc_space_find(space, h->msgh_voucher_port));

	kmsg->reply_type = ipc_right_kind(local);
	kmsg->reply_name = reply ? MACH_PORT_NULL : h->msgh_local_port;
	kmsg->voucher_type = voucher;
	kmsg->voucher_name = h->msgh_voucher_port;
	kmsg->audit = thread->task->token;
	kmsg->sender_pid = thread->task->token.val[TOKEN_PID];
	if (kmsg->sender_pid == 0)
		kmsg->sender_pid = UINT32_MAX; /* a task is never taken for the kernel */
	KERNEL_TRACE(thread->task->kernel, .kind = TRACE_IPC_KMSG_COPYIN_HEADER,
		     .name = h->msgh_remote_port, .reply_name = h->msgh_local_port,
		     .bits = h->msgh_bits, .msgh_id = h->msgh_id, .port_id = kmsg->dest->id,
		     .reply_port_id = ip_valid(kmsg->reply) ? kmsg->reply->id : 0);
	return MACH_MSG_SUCCESS;
}

/* ---- S6: the body ------------------------------------------------------------------------ */

void
ipc_kmsg_carry_receive(struct ipc_kmsg *kmsg, struct ipc_port *port)
{
	if (!kmsg->dest || !ip_active(kmsg->dest))
		return; /* stays in limbo: the message is about to be destroyed */
	if (ipc_port_would_circle(port, kmsg->dest)) {
		kmsg->circular = true;
		return;
	}
	port->object.place = PORT_IN_TRANSIT;
	port->destination = ipc_port_ref(kmsg->dest);
}

static mach_msg_return_t
copyin_right(struct thread *thread, struct ipc_kmsg *kmsg, mach_port_name_t name,
	     mach_msg_type_name_t disposition, struct ipc_port **port)
{
	struct ipc_space *space = &thread->task->space;
	struct ipc_entry *entry;

	if (!MACH_PORT_VALID(name)) {
		*port = name == MACH_PORT_DEAD ? IP_DEAD : NULL;
		return MACH_MSG_SUCCESS;
	}
	entry = ipc_space_find(space, name);

	kern_return_t kr =
	    entry ? ipc_right_copyin(space, entry, disposition, true, port) : KERN_INVALID_NAME;

	if (kr == KERN_RESOURCE_SHORTAGE)
		return MACH_SEND_NO_BUFFER;
	if (kr != KERN_SUCCESS) {
		guard_right_refused(thread, name, kr, false);
		return MACH_SEND_INVALID_RIGHT;
	}
	if (disposition == MACH_MSG_TYPE_MOVE_RECEIVE)
		ipc_kmsg_carry_receive(kmsg, *port);
	return MACH_MSG_SUCCESS;
}

static mach_msg_return_t
copyin_guarded(struct thread *thread, struct ipc_kmsg *kmsg, struct ipc_kmsg_descriptor *d)
{
	const mach_msg_guarded_port_descriptor_t *g = (const void *)(kmsg->bytes + d->offset);
	struct ipc_entry *entry;

	if (MACH_PORT_VALID(g->name)) {
		entry = ipc_space_find(&thread->task->space, g->name);
		if (!entry || !(ie_type(entry) & MACH_PORT_TYPE_RECEIVE)) {
			guard_right_refused(thread, g->name, KERN_INVALID_RIGHT, true);
			return MACH_SEND_INVALID_RIGHT;
		}

		bool guarded = entry->port->object.flags & IPC_PORT_GUARDED;
		bool matches = guarded ? entry->port->context == g->context &&
					     !(g->flags & MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND)
				       : (g->flags & MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND) &&
					     g->context == 0;

		if (!matches) {
			guard_right_refused(thread, g->name, KERN_INVALID_ARGUMENT, true);
			return MACH_SEND_INVALID_RIGHT;
		}
	}
	return copyin_right(thread, kmsg, g->name, d->disposition, &d->port);
}

/* The task's memory as of now: bytes are copied, a segment is sealed against change. */
static mach_msg_return_t
copyin_memory(struct thread *thread, struct ipc_kmsg *kmsg, struct kernel_piece *piece,
	      const struct kernel_piece *from, uint64_t size)
{
	struct kernel *k = kmsg->kernel;
	struct account *account = thread->task->account;

	if (!from || from->kind == KERNEL_PIECE_UNREADABLE || from->size_bytes != size)
		return MACH_SEND_INVALID_MEMORY;
	*piece = *from;
	if (from->kind == KERNEL_PIECE_SEGMENT) {
		if (!ipc_segment_ref(k, from->segment, account)) {
			piece->kind = KERNEL_PIECE_UNREADABLE;
			return MACH_MSG_NO_VM;
		}
		return MACH_MSG_SUCCESS;
	}

	void *copy = ipc_kmsg_charge(kmsg, account, size) ? kernel_memory_alloc_raw(k, size) : NULL;

	piece->kind = KERNEL_PIECE_UNREADABLE;
	if (!copy)
		return MACH_MSG_NO_VM;
	memcpy(copy, from->bytes, size);
	piece->kind = KERNEL_PIECE_BYTES;
	piece->bytes = copy;
	piece->offset_bytes = size; /* of ours: what was allocated */
	return MACH_MSG_SUCCESS;
}

static mach_msg_return_t
copyin_ool_ports(struct thread *thread, struct ipc_kmsg *kmsg, struct ipc_kmsg_descriptor *d,
		 struct kernel_piece *piece, const struct kernel_piece *from)
{
	struct kernel *k = kmsg->kernel;
	uint64_t size = (uint64_t)d->count * sizeof(struct ipc_port *);

	if (!from || from->kind != KERNEL_PIECE_BYTES ||
	    from->size_bytes != d->count * sizeof(mach_port_name_t))
		return MACH_SEND_INVALID_MEMORY;
	if (!ipc_kmsg_charge(kmsg, thread->task->account, size))
		return MACH_MSG_NO_VM;

	struct ipc_port **ports = kernel_memory_alloc(k, size);

	if (!ports)
		return MACH_MSG_NO_VM;
	*piece = (struct kernel_piece){
		.kind = KERNEL_PIECE_BYTES,
		.size_bytes = from->size_bytes,
		.bytes = ports,
		.offset_bytes = size,
	};
	for (uint32_t i = 0; i < d->count; i++) {
		mach_port_name_t name;

		memcpy(&name, (const uint8_t *)from->bytes + i * sizeof(name), sizeof(name));

		mach_msg_return_t mr = copyin_right(thread, kmsg, name, d->disposition, &ports[i]);

		if (mr == MACH_MSG_SUCCESS)
			continue;
		while (i-- > 0)
			ipc_port_release_right(k, ports[i], ipc_right_kind(d->disposition));
		return mr;
	}
	d->ports = ports;
	return MACH_MSG_SUCCESS;
}

static mach_msg_return_t
copyin_descriptor(struct thread *thread, struct ipc_kmsg *kmsg, struct ipc_kmsg_descriptor *d,
		  const struct kernel_piece *from)
{
	const mach_msg_port_descriptor_t *port = (const void *)(kmsg->bytes + d->offset);
	struct kernel_piece *piece = NULL;
	mach_msg_return_t mr = MACH_MSG_SUCCESS;

	if (d->has_piece) {
		d->piece_index = kmsg->piece_count;
		piece = &kmsg->pieces[kmsg->piece_count++];
	}
	switch (d->type) {
	case MACH_MSG_PORT_DESCRIPTOR:
		mr = copyin_right(thread, kmsg, port->name, d->disposition, &d->port);
		break;
	case MACH_MSG_GUARDED_PORT_DESCRIPTOR:
		mr = copyin_guarded(thread, kmsg, d);
		break;
	case MACH_MSG_OOL_PORTS_DESCRIPTOR:
		if (piece)
			mr = copyin_ool_ports(thread, kmsg, d, piece, from);
		break;
	default:
		if (piece)
			mr = copyin_memory(thread, kmsg, piece, from, d->count);
		break;
	}
	if (d->type != MACH_MSG_OOL_DESCRIPTOR && d->type != MACH_MSG_OOL_VOLATILE_DESCRIPTOR)
		d->disposition = (uint8_t)ipc_right_kind(d->disposition);
	return mr;
}

static mach_msg_return_t
copyin_body(struct thread *thread, struct ipc_kmsg *kmsg, const struct trap_frame *frame,
	    uint32_t *captured)
{
	uint32_t next = 0; /* of the frame's pieces */

	for (uint32_t i = 0; i < kmsg->descriptor_count; i++) {
		struct ipc_kmsg_descriptor *d = &kmsg->descriptors[i];
		const struct kernel_piece *from = NULL;
		mach_msg_return_t mr;

		if (d->has_piece && next < frame->piece_count)
			from = &frame->pieces[next++];
		mr = copyin_descriptor(thread, kmsg, d, from);
		if (mr != MACH_MSG_SUCCESS) {
			/* an array of names is read, and goes, before its rights are taken */
			*captured = mr == MACH_SEND_INVALID_RIGHT && d->has_piece ? i + 1 : i;
			return mr;
		}
		kmsg->descriptors_taken = i + 1;
	}
	*captured = kmsg->descriptor_count;
	KERNEL_TRACE(kmsg->kernel, .kind = TRACE_IPC_KMSG_COPYIN_BODY,
		     .count = kmsg->descriptor_count, .port_id = kmsg->dest->id);
	return MACH_MSG_SUCCESS;
}

mach_msg_return_t
ipc_kmsg_copyin_header(struct thread *thread, struct ipc_kmsg *kmsg)
{
	mach_msg_return_t mr = copyin_header(thread, kmsg);

	if (mr != MACH_MSG_SUCCESS)
		ipc_kmsg_free(kmsg->kernel, kmsg);
	return mr;
}

mach_msg_return_t
ipc_kmsg_copyin_body(struct thread *thread, struct ipc_kmsg *kmsg, const struct trap_frame *frame,
		     uint32_t *captured)
{
	mach_msg_return_t mr = copyin_body(thread, kmsg, frame, captured);

	if (mr != MACH_MSG_SUCCESS)
		ipc_kmsg_destroy_unsent(kmsg->kernel, kmsg);
	return mr;
}
