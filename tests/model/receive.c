/*
 * The receive half: mach-messages.md §8.
 */
#include <string.h>

#include "tests/model/model.h"

static uint32_t
trailer_size(const struct m_thread *thread)
{
	return REQUESTED_TRAILER_SIZE(thread->option);
}

bool
m_receive_too_large(const struct m_thread *thread, const struct m_message *message)
{
	return thread->rcv_size < message->size + trailer_size(thread);
}

/* ---- layout ---------------------------------------------------------------------------- */

mach_port_name_t
m_actual_name(const struct m_thread *thread, uint32_t offset)
{
	mach_port_name_t name = MACH_PORT_NULL;

	if (thread->actual_done && offset + sizeof name <= thread->actual.bytes_size)
		memcpy(&name, thread->actual.bytes + offset, sizeof name);
	return name;
}

static mach_port_name_t
actual_piece_name(const struct m_thread *thread, uint32_t piece, uint32_t index)
{
	mach_port_name_t name = MACH_PORT_NULL;

	if (thread->actual_done && piece < thread->actual.piece_count &&
	    4 * index + 4 <= thread->actual.pieces[piece].size)
		memcpy(&name, thread->actual.pieces[piece].bytes + 4 * index, sizeof name);
	return name;
}

static void
bytes_out(struct m_result *result, const void *bytes, uint32_t size)
{
	memcpy(result->bytes + result->bytes_size, bytes, size);
	result->bytes_size += size;
	result->values[BERTH_MSG_PREFIX] = result->bytes_size;
}

void
m_header_out(struct m_result *result, const mach_msg_header_t *header)
{
	bytes_out(result, header, sizeof *header);
}

static void
port_out(struct model *m, struct m_thread *thread, struct m_descriptor *d)
{
	mach_msg_port_descriptor_t out = { .disposition = d->disposition, .type = d->type };

	out.name = m_copyout(m, thread->task, &d->rights[0],
			     m_actual_name(thread, thread->result.bytes_size));
	bytes_out(&thread->result, &out, sizeof out);
}

/* mach-messages.md §8.3, last two lines */
static void
guarded_out(struct model *m, struct m_thread *thread, struct m_descriptor *d, bool is_receive)
{
	const bool wanted = !is_receive || (thread->option & MACH_RCV_GUARDED_DESC);
	/* given back, the guard is gone and the descriptor says so, to be sent again as it is */
	mach_msg_guarded_port_descriptor_t out = {
		.flags = is_receive ? d->flags & MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE
				    : MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND,
		.disposition = d->disposition,
		.type = d->type
	};
	struct m_port *port = d->rights[0].port;

	if (!wanted) {
		m_right_destroy(m, &d->rights[0]);
	} else {
		out.name = m_copyout(m, thread->task, &d->rights[0],
				     m_actual_name(thread, thread->result.bytes_size + 12));
		if (is_receive && port && (d->flags & MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE)) {
			port->guarded = port->immovable = true;
			port->context = thread->rcv_buffer;
			out.context = port->context;
		}
	}
	bytes_out(&thread->result, &out, sizeof out);
}

static void
ports_out(struct model *m, struct m_thread *thread, struct m_descriptor *d)
{
	struct m_result *result = &thread->result;
	mach_msg_ool_ports_descriptor_t out = { .deallocate = 1,
						.copy = MACH_MSG_VIRTUAL_COPY,
						.disposition = d->disposition,
						.type = d->type,
						.count = d->count };
	struct m_piece *piece = &result->pieces[result->piece_count];

	for (uint32_t i = 0; i < d->count; i++) {
		mach_port_name_t name =
		    m_copyout(m, thread->task, &d->rights[i],
			      actual_piece_name(thread, result->piece_count, i));

		memcpy(piece->bytes + 4 * i, &name, sizeof name);
	}
	if (d->count) {
		piece->size = 4 * d->count;
		result->piece_count++;
	}
	bytes_out(result, &out, sizeof out);
}

static void
ool_out(struct m_thread *thread, const struct m_descriptor *d)
{
	struct m_result *result = &thread->result;
	mach_msg_ool_descriptor_t out = { .deallocate = d->copy == MACH_MSG_VIRTUAL_COPY,
					  .copy = d->copy,
					  .type = d->type,
					  .size = d->count };

	if (d->count) {
		struct m_piece *piece = &result->pieces[result->piece_count++];

		piece->size = d->count;
		memcpy(piece->bytes, d->bytes, d->count);
	}
	bytes_out(result, &out, sizeof out);
}

void
m_body_out(struct model *m, struct m_thread *thread, struct m_message *message, bool is_receive)
{
	if (message->complex)
		bytes_out(&thread->result, &message->descriptor_count, 4);
	for (uint32_t i = 0; i < message->descriptor_count; i++) {
		struct m_descriptor *d = &message->descriptors[i];

		switch (d->type) {
		case MACH_MSG_PORT_DESCRIPTOR:
			port_out(m, thread, d);
			break;
		case MACH_MSG_GUARDED_PORT_DESCRIPTOR:
			guarded_out(m, thread, d, is_receive);
			break;
		case MACH_MSG_OOL_PORTS_DESCRIPTOR:
			ports_out(m, thread, d);
			break;
		default:
			ool_out(thread, d);
			break;
		}
	}
	bytes_out(&thread->result, message->data, message->data_size);
}

/* mach-messages.md §8.5 */
static void
trailer_out(struct m_thread *thread, const struct m_task *sender, uint32_t seqno, uint64_t context)
{
	struct m_result *result = &thread->result;
	mach_msg_mac_trailer_t trailer = { .msgh_trailer_size = trailer_size(thread),
					   .msgh_seqno = seqno,
					   .msgh_sender = KERNEL_SECURITY_TOKEN_VALUE,
					   .msgh_context = context };

	if (sender) {
		trailer.msgh_sender.val[0] = sender->token.val[1];
		trailer.msgh_sender.val[1] = sender->token.val[2];
		trailer.msgh_audit = sender->token;
	}
	memcpy(result->trailer, &trailer, sizeof trailer);
	result->trailer_size = trailer_size(thread);
	result->values[BERTH_MSG_TRAILER] = result->trailer_size;
}

/* ---- a message that comes --------------------------------------------------------------- */

/* What @task calls @port, which it receives on. */
static mach_port_name_t
receiver_name(struct m_task *task, const struct m_port *port)
{
	const struct m_entry *entry = m_entry_of_port(task, port);

	return entry && (entry->type & MACH_PORT_TYPE_RECEIVE) ? entry->name : MACH_PORT_NULL;
}

static uint32_t
min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* mach-messages.md §8.1, right column: the message is lost, its header is told */
static void
take_too_large(struct model *m, struct m_thread *thread, struct m_port *port,
	       struct m_message *message, uint32_t seqno)
{
	const uint64_t context = port->context;
	struct m_result *result = &thread->result;
	mach_msg_header_t header = {
		.msgh_bits = MACH_MSGH_BITS_SET(message->reply_kind, message->dest_kind,
						message->voucher_disposition,
						message->complex ? MACH_MSGH_BITS_COMPLEX : 0),
		.msgh_size = sizeof header,
		.msgh_remote_port = message->reply.kind ? MACH_PORT_NULL : message->reply.name,
		.msgh_local_port = receiver_name(thread->task, port),
		.msgh_voucher_port = message->voucher.kind ? 0 : message->voucher_field,
		.msgh_id = message->id,
	};

	if (message->dest.kind == MACH_MSG_TYPE_PORT_SEND_ONCE)
		message->dest = m_right_null(0); /* it was used, if for nothing */
	m_message_destroy(m, message);
	if (thread->rcv_size < sizeof header) {
		m_msg_complete(thread, MACH_RCV_INVALID_DATA);
		return;
	}
	result->values[BERTH_MSG_BUFFER] = BERTH_MSG_BUFFER_RECEIVE;
	m_header_out(result, &header);
	trailer_out(thread, NULL, seqno, context);
	result->trailer_size = min(result->trailer_size, thread->rcv_size - sizeof header);
	result->values[BERTH_MSG_TRAILER] = result->trailer_size;
	m_msg_complete(thread, MACH_RCV_TOO_LARGE);
}

/* mach-messages.md §10: a copy arrives as a send right does; without one the field is as sent */
static uint32_t
received_voucher(const struct m_message *message)
{
	return message->voucher.kind ? MACH_MSG_TYPE_PORT_SEND : message->voucher_disposition;
}

void
m_receive_take(struct model *m, struct m_thread *thread, struct m_port *port,
	       struct m_message *message, uint32_t seqno)
{
	const uint64_t context = port->context;
	const bool wants_voucher = (thread->option & MACH_RCV_VOUCHER) != 0;
	const uint32_t dest_kind = message->dest.kind;
	mach_msg_header_t header = {
		.msgh_bits = MACH_MSGH_BITS_SET(message->reply_kind, dest_kind,
						wants_voucher ? received_voucher(message) : 0,
						message->complex ? MACH_MSGH_BITS_COMPLEX : 0),
		.msgh_size = message->size,
		.msgh_voucher_port = message->voucher_disposition ? 0 : message->voucher_field,
		.msgh_id = message->id,
	};

	if (m_receive_too_large(thread, message)) {
		take_too_large(m, thread, port, message, seqno);
		return;
	}
	m_requests_send_possible(m, port);
	header.msgh_remote_port =
	    m_copyout(m, thread->task, &message->reply,
		      m_actual_name(thread, offsetof(mach_msg_header_t, msgh_remote_port)));
	if (message->voucher.kind && wants_voucher)
		header.msgh_voucher_port = m_copyout(
		    m, thread->task, &message->voucher,
		    m_actual_name(thread, offsetof(mach_msg_header_t, msgh_voucher_port)));
	m_right_destroy(m, &message->voucher);
	header.msgh_local_port = receiver_name(thread->task, port);
	message->dest = m_right_null(0);
	if (dest_kind == MACH_MSG_TYPE_PORT_SEND)
		m_senders_check(m, port);
	thread->result.values[BERTH_MSG_BUFFER] = BERTH_MSG_BUFFER_RECEIVE;
	m_header_out(&thread->result, &header);
	m_body_out(m, thread, message, true);
	trailer_out(thread, message->sender, seqno, context);
	m_message_forget(m, message);
	m_msg_complete(thread, MACH_MSG_SUCCESS);
}

/* mach-messages.md §8.1, left column */
void
m_receive_stays(struct model *m, struct m_thread *thread, struct m_port *port,
		const struct m_message *message)
{
	struct m_result *result = &thread->result;

	(void)m;
	result->values[BERTH_MSG_BUFFER] = BERTH_MSG_BUFFER_LARGE;
	if (thread->rcv_size >= 8)
		result->values[BERTH_MSG_NEEDED] = message->size;
	if ((thread->option & MACH_RCV_LARGE_IDENTITY) && thread->rcv_size >= 16)
		result->values[BERTH_MSG_IDENTITY] = receiver_name(thread->task, port);
	m_msg_complete(thread, MACH_RCV_TOO_LARGE);
}

/* ---- the trap's half -------------------------------------------------------------------- */

static void
wait(struct model *m, struct m_thread *thread, struct m_port *port, struct m_set *set)
{
	const bool timed = (thread->option & MACH_RCV_TIMEOUT) != 0;

	if (timed && thread->timeout == 0) {
		m_msg_complete(thread, MACH_RCV_TIMED_OUT);
		return;
	}
	m_list_add(m, set ? &set->waiting : &port->receivers, thread);
	m_park(m, thread, M_RECEIVING, timed);
	thread->waiting_port = port;
	thread->waiting_set = set;
}

void
m_receive_start(struct model *m, struct m_thread *thread)
{
	struct m_entry *entry = m_entry_find(thread->task, thread->rcv_name);
	struct m_port *port = NULL;
	struct m_set *set = NULL;
	struct m_message *message;

	if (entry && entry->type == MACH_PORT_TYPE_PORT_SET)
		set = entry->set;
	else if (entry && (entry->type & MACH_PORT_TYPE_RECEIVE))
		port = entry->port;
	if (!set && !port) {
		m_msg_complete(thread, MACH_RCV_INVALID_NAME);
		return;
	}
	if ((thread->option & MACH_RCV_SYNC_WAIT) && thread->sync_name != MACH_PORT_NULL &&
	    (thread->sync_name == MACH_PORT_DEAD || !port || port != thread->special_reply)) {
		m_msg_complete(thread, MACH_RCV_INVALID_NOTIFY);
		return;
	}
	if (set)
		port = set->ready.count ? set->ready.items[0] : NULL;
	if (!port || port->queue.count == 0) {
		wait(m, thread, port, set);
		return;
	}
	message = port->queue.items[0];
	if ((thread->option & MACH_RCV_LARGE) && m_receive_too_large(thread, message)) {
		if (set && m_list_remove(&set->ready, port))
			m_list_add(m, &set->ready, port);
		m_receive_stays(m, thread, port, message);
	} else {
		uint32_t seqno = port->seqno;

		m_dequeue(m, port, set);
		m_receive_take(m, thread, port, message, seqno);
	}
}
