/*
 * The send half: checks, copyin, delivery, and giving back what could not be delivered.
 * mach-messages.md §1 to §7.
 */
#include <string.h>

#include "tests/model/model.h"

#define SIZE_MAX_SEND 50331580u
#define PORTS_MAX 16383u

void
m_result_clear(struct m_result *result)
{
	result->code = KERN_SUCCESS;
	memset(result->values, 0, sizeof result->values);
	result->bytes_size = result->trailer_size = result->piece_count = result->file = 0;
}

void
m_msg_complete(struct m_thread *thread, kern_return_t code)
{
	thread->done = true;
	thread->result.code = code;
	thread->result.values[BERTH_MSG_CAPTURED] = thread->captured;
	thread->result.values[BERTH_MSG_SENT] = thread->sent;
}

/* ---- what a frame says ------------------------------------------------------------------------
 */

union wire_descriptor {
	uint8_t bytes[16];
	mach_msg_type_descriptor_t type;
	mach_msg_port_descriptor_t port;
	mach_msg_ool_descriptor_t ool;
	mach_msg_ool_ports_descriptor_t ports;
	mach_msg_guarded_port_descriptor_t guarded;
};

struct wire {
	mach_msg_header_t header;
	uint32_t size, descriptor_count, data_at;
	union wire_descriptor descriptors[M_WIRE_DESCRIPTORS];
};

static bool
is_ool(uint32_t type)
{
	return type == MACH_MSG_OOL_DESCRIPTOR || type == MACH_MSG_OOL_VOLATILE_DESCRIPTOR;
}

/* mach-messages.md §3, lines 9 and 10 */
static kern_return_t
wire_walk(struct wire *w, const uint8_t *bytes)
{
	uint32_t at = sizeof(mach_msg_base_t);

	for (uint32_t i = 0; i < w->descriptor_count; i++) {
		union wire_descriptor *d = &w->descriptors[i];
		uint32_t size;

		if (w->size - at < sizeof d->type)
			return MACH_SEND_MSG_TOO_SMALL;
		memcpy(d, bytes + at, sizeof d->type);
		if (d->type.type > MACH_MSG_DESCRIPTOR_MAX)
			return MACH_SEND_INVALID_TYPE;
		size = d->type.type == MACH_MSG_PORT_DESCRIPTOR ? sizeof d->port : sizeof *d;
		if (w->size - at < size)
			return MACH_SEND_MSG_TOO_SMALL;
		memcpy(d, bytes + at, size);
		at += size;
	}
	w->data_at = at;
	return MACH_MSG_SUCCESS;
}

/* lines 11 to 13 */
static kern_return_t
wire_check(const struct wire *w)
{
	uint64_t ports = 0;

	for (uint32_t i = 0; i < w->descriptor_count; i++) {
		const union wire_descriptor *d = &w->descriptors[i];

		if (is_ool(d->type.type) && d->ool.copy > MACH_MSG_VIRTUAL_COPY)
			return MACH_SEND_INVALID_TYPE;
		if (d->type.type == MACH_MSG_GUARDED_PORT_DESCRIPTOR &&
		    (d->guarded.disposition != MACH_MSG_TYPE_MOVE_RECEIVE ||
		     d->guarded.flags == 0 || d->guarded.flags > MACH_MSG_GUARD_FLAGS_MASK ||
		     ((d->guarded.flags & MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND) &&
		      d->guarded.context != 0)))
			return MACH_SEND_INVALID_TYPE;
		if (d->type.type == MACH_MSG_OOL_PORTS_DESCRIPTOR)
			ports += d->ports.count;
		else if (!is_ool(d->type.type))
			ports++;
	}
	return ports > PORTS_MAX ? MACH_SEND_TOO_LARGE : MACH_MSG_SUCCESS;
}

/* mach-messages.md §3 */
static kern_return_t
wire_read(struct wire *w, const struct m_call *call)
{
	kern_return_t kr;

	w->size = (uint32_t)call->args[1];
	w->descriptor_count = 0;
	w->data_at = sizeof w->header;
	if (w->size < sizeof w->header || w->size % 4 != 0)
		return MACH_SEND_MSG_TOO_SMALL;
	if (w->size > SIZE_MAX_SEND)
		return MACH_SEND_TOO_LARGE;
	memcpy(&w->header, call->bytes, sizeof w->header);
	w->header.msgh_bits &= MACH_MSGH_BITS_USER;
	if (!(w->header.msgh_bits & MACH_MSGH_BITS_COMPLEX))
		return MACH_MSG_SUCCESS;
	if (w->size < sizeof(mach_msg_base_t))
		return MACH_SEND_MSG_TOO_SMALL;
	memcpy(&w->descriptor_count, call->bytes + sizeof w->header, 4);
	if (w->descriptor_count > (w->size - sizeof(mach_msg_base_t)) / 12)
		return MACH_SEND_MSG_TOO_SMALL;
	kr = wire_walk(w, call->bytes);
	return kr ? kr : wire_check(w);
}

/* ---- the header: mach-messages.md §4 ------------------------------------------------------------
 */

static bool
is_send_disposition(uint32_t disposition)
{
	return disposition >= MACH_MSG_TYPE_MOVE_SEND &&
	       disposition <= MACH_MSG_TYPE_MAKE_SEND_ONCE;
}

static kern_return_t
header_check(const mach_msg_header_t *h)
{
	const uint32_t remote = MACH_MSGH_BITS_REMOTE(h->msgh_bits);
	const uint32_t local = MACH_MSGH_BITS_LOCAL(h->msgh_bits);
	const uint32_t voucher = MACH_MSGH_BITS_VOUCHER(h->msgh_bits);

	if (local == 0 ? h->msgh_local_port != 0 : !is_send_disposition(local))
		return MACH_SEND_INVALID_HEADER;
	if (voucher != 0 &&
	    ((voucher != MACH_MSG_TYPE_MOVE_SEND && voucher != MACH_MSG_TYPE_COPY_SEND) ||
	     h->msgh_voucher_port == MACH_PORT_DEAD))
		return MACH_SEND_INVALID_VOUCHER;
	if (!is_send_disposition(remote))
		return MACH_SEND_INVALID_HEADER;
	if (!MACH_PORT_VALID(h->msgh_remote_port))
		return MACH_SEND_INVALID_DEST;
	if (voucher != 0 && h->msgh_remote_port == h->msgh_voucher_port &&
	    remote != MACH_MSG_TYPE_MOVE_SEND && remote != MACH_MSG_TYPE_COPY_SEND)
		return MACH_SEND_INVALID_DEST;
	if (h->msgh_remote_port == h->msgh_local_port &&
	    (remote == MACH_MSG_TYPE_MOVE_SEND_ONCE || local == MACH_MSG_TYPE_MOVE_SEND_ONCE))
		return MACH_SEND_INVALID_DEST;
	if (voucher != 0 && MACH_PORT_VALID(h->msgh_local_port) &&
	    h->msgh_local_port == h->msgh_voucher_port)
		return MACH_SEND_INVALID_REPLY;
	return MACH_MSG_SUCCESS;
}

static bool
names_a_port(const struct m_entry *entry)
{
	return entry && (entry->type & MACH_PORT_TYPE_PORT_RIGHTS) != 0;
}

static bool
is_make(uint32_t disposition)
{
	return disposition == MACH_MSG_TYPE_MAKE_SEND ||
	       disposition == MACH_MSG_TYPE_MAKE_SEND_ONCE;
}

/* A send right to a port that died passes, noticed or not. */
static bool
reply_possible(const struct m_entry *entry, uint32_t disposition)
{
	if ((entry->type & MACH_PORT_TYPE_SEND_RIGHTS) && !entry->port->alive)
		return !is_make(disposition);
	return m_copyin_possible(entry, disposition);
}

/* Can the destination be taken?  What died is noticed. */
static bool
dest_possible(struct m_entry *entry, uint32_t remote, bool same_as_local, uint32_t local)
{
	if (entry->type == MACH_PORT_TYPE_SEND_ONCE && !entry->port->alive &&
	    remote == MACH_MSG_TYPE_MOVE_SEND_ONCE && !entry->request)
		return true;
	if (!is_make(remote) || same_as_local)
		m_entry_notice(entry);
	if (entry->type == MACH_PORT_TYPE_DEAD_NAME || !m_copyin_possible(entry, remote))
		return false;
	return !(same_as_local && remote == MACH_MSG_TYPE_MOVE_SEND &&
		 local == MACH_MSG_TYPE_MOVE_SEND && entry->urefs < 2);
}

static uint32_t
received_kind(uint32_t disposition)
{
	switch (disposition) {
	case MACH_MSG_TYPE_MOVE_RECEIVE:
		return MACH_MSG_TYPE_PORT_RECEIVE;
	case MACH_MSG_TYPE_MOVE_SEND:
	case MACH_MSG_TYPE_COPY_SEND:
	case MACH_MSG_TYPE_MAKE_SEND:
		return MACH_MSG_TYPE_PORT_SEND;
	case MACH_MSG_TYPE_MOVE_SEND_ONCE:
	case MACH_MSG_TYPE_MAKE_SEND_ONCE:
		return MACH_MSG_TYPE_PORT_SEND_ONCE;
	default:
		return 0;
	}
}

/* The send-once right of a port that died unnoticed is taken as one that lives. */
static void
take_dest(struct model *m, struct m_task *task, mach_port_name_t name, uint32_t remote,
	  struct m_message *message)
{
	struct m_entry *entry = m_entry_find(task, name);

	if (entry->type == MACH_PORT_TYPE_SEND_ONCE && !entry->port->alive) {
		message->dest = (struct m_right){ MACH_MSG_TYPE_PORT_SEND_ONCE, 0, entry->port };
		m_entry_free(m, task, entry);
		return;
	}
	m_copyin(m, task, name, remote, &message->dest);
}

/* mach-messages.md §10 */
static bool
voucher_possible(struct m_task *task, mach_port_name_t name, struct m_right *carried)
{
	struct m_entry *entry = m_entry_find(task, name);

	if (!entry || !(entry->type & MACH_PORT_TYPE_SEND) || !entry->port->voucher)
		return false;
	*carried = (struct m_right){ MACH_MSG_TYPE_PORT_SEND, 0, entry->port };
	return true;
}

/* mach-messages.md §4.2: all or nothing */
static kern_return_t
header_in(struct model *m, struct m_task *task, const mach_msg_header_t *h,
	  struct m_message *message)
{
	const uint32_t remote = MACH_MSGH_BITS_REMOTE(h->msgh_bits);
	const uint32_t local = MACH_MSGH_BITS_LOCAL(h->msgh_bits);
	const uint32_t voucher = MACH_MSGH_BITS_VOUCHER(h->msgh_bits);
	const bool same = h->msgh_remote_port == h->msgh_local_port;
	struct m_entry *dest = m_entry_find(task, h->msgh_remote_port), *reply = NULL;

	struct m_right carried = m_right_null(0);

	if (voucher != 0 && MACH_PORT_VALID(h->msgh_voucher_port) &&
	    !voucher_possible(task, h->msgh_voucher_port, &carried))
		return MACH_SEND_INVALID_VOUCHER;
	if (!names_a_port(dest))
		return MACH_SEND_INVALID_DEST;
	if (MACH_PORT_VALID(h->msgh_local_port)) {
		reply = m_entry_find(task, h->msgh_local_port);
		if (!names_a_port(reply) || !reply_possible(reply, local))
			return MACH_SEND_INVALID_REPLY;
	}
	/* one reference cannot go twice */
	if (carried.kind && h->msgh_remote_port == h->msgh_voucher_port && dest->urefs < 2 &&
	    remote == MACH_MSG_TYPE_MOVE_SEND && voucher == MACH_MSG_TYPE_MOVE_SEND)
		return MACH_SEND_INVALID_DEST;
	if (!dest_possible(dest, remote, same, local))
		return MACH_SEND_INVALID_DEST;
	message->voucher = carried;

	message->reply = m_right_null(h->msgh_local_port);
	/* of one name a copy is made before the right is moved away */
	if (reply && same && local == MACH_MSG_TYPE_COPY_SEND)
		m_copyin(m, task, reply->name, local, &message->reply);
	take_dest(m, task, dest->name, remote, message);
	if (reply && !(same && local == MACH_MSG_TYPE_COPY_SEND))
		m_copyin(m, task, reply->name, local, &message->reply);
	if (carried.kind && voucher == MACH_MSG_TYPE_MOVE_SEND)
		m_entry_drop_send(m, task, m_entry_find(task, h->msgh_voucher_port), 1);
	message->dest_kind = received_kind(remote);
	message->reply_kind = received_kind(local);
	return MACH_MSG_SUCCESS;
}

/* mach-messages.md §4.3 */
static void
arm_send_possible(struct m_task *task, const mach_msg_header_t *h, struct m_message *message)
{
	struct m_entry *entry = m_entry_find(task, h->msgh_remote_port);

	if (message->dest.kind != MACH_MSG_TYPE_PORT_SEND || !entry || !entry->request ||
	    !message->dest.port->alive || message->dest.port->kernel)
		return;
	if (!m_port_full(message->dest.port))
		message->bypass = true; /* whatever the request is for, or was */
	else if (entry->request->send_possible && !entry->request->used)
		entry->request->armed = true;
}

/* ---- the body: mach-messages.md §5 --------------------------------------------------------------
 */

static bool
right_in(struct model *m, struct m_task *task, mach_port_name_t name, uint32_t disposition,
	 struct m_message *message, struct m_right *right)
{
	*right = m_right_null(name);
	if (!MACH_PORT_VALID(name))
		return true;
	if (m_copyin(m, task, name, disposition, right) != KERN_SUCCESS) {
		*right = m_right_null(0);
		return false;
	}
	if (right->kind == MACH_MSG_TYPE_PORT_RECEIVE) {
		right->port->carrier = message;
		if (m_message_circular(message)) {
			message->circular = true;
			right->port->carrier = NULL; /* or no chain past it would have an end */
		}
	}
	return true;
}

/* The guard is as the descriptor says: mach-ports.md §6.1. */
static bool
guard_matches(struct m_task *task, const mach_msg_guarded_port_descriptor_t *g)
{
	struct m_entry *entry = m_entry_find(task, g->name);

	if (!entry || !(entry->type & MACH_PORT_TYPE_RECEIVE))
		return false;
	if (g->flags & MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND)
		return !entry->port->guarded; /* the descriptor's context is 0: wire_check() */
	return entry->port->guarded && entry->port->context == g->context;
}

/* The pieces of memory of the frame that no descriptor has named yet. */
struct m_pieces {
	const struct m_piece *next;
	uint32_t left;
};

/* The next piece; NULL: there is none that can be read and is of this size. */
static const struct m_piece *
piece_take(struct m_pieces *pieces, uint64_t size)
{
	const struct m_piece *piece = pieces->next;

	if (pieces->left == 0 || piece->unreadable || piece->size != size)
		return NULL;
	pieces->next++;
	pieces->left--;
	return piece;
}

static kern_return_t
descriptor_in(struct model *m, struct m_task *task, const union wire_descriptor *wire,
	      struct m_pieces *pieces, struct m_message *message)
{
	const struct m_piece *piece;
	struct m_descriptor *d = &message->descriptors[message->descriptor_count++];

	d->type = wire->type.type;
	switch (d->type) {
	case MACH_MSG_PORT_DESCRIPTOR:
		d->count = 1;
		d->disposition = received_kind(wire->port.disposition);
		if (!right_in(m, task, wire->port.name, wire->port.disposition, message,
			      &d->rights[0]))
			return MACH_SEND_INVALID_RIGHT;
		return MACH_MSG_SUCCESS;
	case MACH_MSG_GUARDED_PORT_DESCRIPTOR:
		d->count = 1;
		d->disposition = MACH_MSG_TYPE_PORT_RECEIVE;
		d->flags = wire->guarded.flags;
		if (MACH_PORT_VALID(wire->guarded.name) && !guard_matches(task, &wire->guarded))
			return MACH_SEND_INVALID_RIGHT;
		if (!right_in(m, task, wire->guarded.name, MACH_MSG_TYPE_MOVE_RECEIVE, message,
			      &d->rights[0]))
			return MACH_SEND_INVALID_RIGHT;
		return MACH_MSG_SUCCESS;
	case MACH_MSG_OOL_PORTS_DESCRIPTOR:
		d->disposition = received_kind(wire->ports.disposition);
		if (wire->ports.count == 0)
			return MACH_MSG_SUCCESS;
		piece = piece_take(pieces, (uint64_t)wire->ports.count * 4);
		if (!piece)
			return MACH_SEND_INVALID_MEMORY;
		for (uint32_t i = 0; i < wire->ports.count; i++) {
			mach_port_name_t name;

			memcpy(&name, piece->bytes + 4 * i, 4);
			if (!right_in(m, task, name, wire->ports.disposition, message,
				      &d->rights[i])) {
				/* those of the array end first, the header's after them;
				 * the contract leaves open that the kernel goes backwards */
				while (i-- > 0)
					m_right_destroy(m, &d->rights[i]);
				return MACH_SEND_INVALID_RIGHT;
			}
			d->count++;
		}
		return MACH_MSG_SUCCESS;
	default:
		d->copy = wire->ool.copy;
		if (wire->ool.size == 0)
			return MACH_MSG_SUCCESS;
		piece = piece_take(pieces, wire->ool.size);
		if (!piece)
			return MACH_SEND_INVALID_MEMORY;
		d->count = wire->ool.size;
		memcpy(d->bytes, piece->bytes, d->count);
		return MACH_MSG_SUCCESS;
	}
}

/* ---- delivery: mach-messages.md §6
 * --------------------------------------------------------------- */

static void
deliver(struct model *m, struct m_thread *thread, struct m_message *message)
{
	struct m_port *port = message->dest.port;

	if (message->circular || !port->alive) {
		/* a send-once right that was sent by is used, whatever becomes of the message */
		if (message->dest.kind == MACH_MSG_TYPE_PORT_SEND_ONCE)
			message->dest = m_right_null(0);
		m_message_destroy(m, message);
	} else if (port->kernel) {
		m_kobject_serve(m, thread, message);
	} else if (message->bypass || message->dest.kind == MACH_MSG_TYPE_PORT_SEND_ONCE ||
		   !m_port_full(port)) {
		m_enqueue(m, port, message);
	} else {
		thread->message = message;
		if ((thread->option & MACH_SEND_TIMEOUT) && thread->timeout == 0) {
			m_send_give_back(m, thread, MACH_SEND_TIMED_OUT);
			return;
		}
		m_list_add(m, &port->senders, thread);
		m_park(m, thread, M_SENDING, (thread->option & MACH_SEND_TIMEOUT) != 0);
		thread->waiting_port = port;
		return;
	}
	m_send_done(m, thread);
}

static kern_return_t
send(struct model *m, struct m_thread *thread, const struct m_call *call)
{
	struct m_pieces pieces = { call->pieces, call->piece_count };
	struct m_message *message;
	struct wire wire;
	kern_return_t kr = wire_read(&wire, call);

	if (kr == MACH_MSG_SUCCESS)
		kr = header_check(&wire.header);
	if (kr != MACH_MSG_SUCCESS)
		return kr;
	message = m_message_new(m);
	message->complex = (wire.header.msgh_bits & MACH_MSGH_BITS_COMPLEX) != 0;
	message->voucher_field = wire.header.msgh_voucher_port;
	message->voucher_disposition = MACH_MSGH_BITS_VOUCHER(wire.header.msgh_bits);
	message->id = wire.header.msgh_id;
	message->size = wire.size;
	message->sender = thread->task;
	message->data_size = wire.size - wire.data_at;
	memcpy(message->data, call->bytes + wire.data_at, message->data_size);
	m_message_room(m, message, wire.descriptor_count);
	kr = header_in(m, thread->task, &wire.header, message);
	if (kr != MACH_MSG_SUCCESS) {
		m_message_forget(m, message);
		return kr;
	}
	if (thread->option & MACH_SEND_NOTIFY)
		arm_send_possible(thread->task, &wire.header, message);
	for (uint32_t i = 0; i < wire.descriptor_count; i++) {
		kr = descriptor_in(m, thread->task, &wire.descriptors[i], &pieces, message);
		/* an array is captured before its names are looked at */
		if (kr == MACH_MSG_SUCCESS ||
		    (kr == MACH_SEND_INVALID_RIGHT &&
		     wire.descriptors[i].type.type == MACH_MSG_OOL_PORTS_DESCRIPTOR))
			thread->captured = i + 1;
		if (kr != MACH_MSG_SUCCESS) {
			m_message_destroy(m, message);
			return kr;
		}
	}
	deliver(m, thread, message);
	return MACH_MSG_SUCCESS;
}

void
m_send_done(struct model *m, struct m_thread *thread)
{
	thread->sent = true;
	if (thread->option & MACH_RCV_MSG)
		m_receive_start(m, thread);
	else
		m_msg_complete(thread, MACH_MSG_SUCCESS);
}

/* mach-messages.md §7 */
void
m_send_give_back(struct model *m, struct m_thread *thread, kern_return_t code)
{
	struct m_message *message = thread->message;
	mach_msg_header_t header = {
		.msgh_bits = MACH_MSGH_BITS_SET(message->dest_kind, message->reply_kind,
						message->voucher_disposition,
						message->complex ? MACH_MSGH_BITS_COMPLEX : 0),
		.msgh_size = message->size,
		.msgh_voucher_port = message->voucher_field,
		.msgh_id = message->id,
	};

	thread->message = NULL;
	header.msgh_remote_port =
	    m_copyout(m, thread->task, &message->dest,
		      m_actual_name(thread, offsetof(mach_msg_header_t, msgh_remote_port)));
	header.msgh_local_port =
	    m_copyout(m, thread->task, &message->reply,
		      m_actual_name(thread, offsetof(mach_msg_header_t, msgh_local_port)));
	/* what was moved comes back; of what was copied the name is as it was */
	if (message->voucher.kind && message->voucher_disposition == MACH_MSG_TYPE_MOVE_SEND)
		header.msgh_voucher_port = m_copyout(
		    m, thread->task, &message->voucher,
		    m_actual_name(thread, offsetof(mach_msg_header_t, msgh_voucher_port)));
	m_right_destroy(m, &message->voucher);
	thread->result.values[BERTH_MSG_BUFFER] = BERTH_MSG_BUFFER_SEND;
	m_header_out(&thread->result, &header);
	m_body_out(m, thread, message, false);
	m_message_forget(m, message);
	m_msg_complete(thread, code);
}

void
m_msg_trap(struct model *m, struct m_thread *thread, const struct m_call *call)
{
	kern_return_t kr;

	thread->option = (uint32_t)call->args[0];
	thread->rcv_size = (uint32_t)call->args[2];
	thread->rcv_name = (mach_port_name_t)call->args[3];
	thread->timeout = (uint32_t)call->args[4];
	thread->rcv_buffer = call->args[6];
	thread->sync_name = (mach_port_name_t)call->args[7];
	thread->sent = false;
	thread->captured = 0;
	if (thread->option & MACH_SEND_MSG) {
		kr = send(m, thread, call);
		if (kr != MACH_MSG_SUCCESS)
			m_msg_complete(thread, kr);
	} else if (thread->option & MACH_RCV_MSG) {
		m_receive_start(m, thread);
	} else {
		m_msg_complete(thread, MACH_MSG_SUCCESS);
	}
}
