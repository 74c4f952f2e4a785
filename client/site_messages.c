/*
 * Rights in messages: which come, which go.
 */
#include "client/site.h"

#include "client/descriptor.h"
#include "wire/trap_page.h"

#include <mach/mach_port.h>
#include <mach/message.h>

#include <string.h>

/* A right in a message: gained if @change is there, else taken along by @moves. */
static void
right_passes(struct site_change *change, struct site_moves *moves, mach_port_name_t name,
	     uint32_t disposition)
{
	enum site_kind kind;

	if (disposition == MACH_MSG_TYPE_MOVE_RECEIVE)
		kind = SITE_RECEIVE;
	else if (disposition == MACH_MSG_TYPE_MOVE_SEND)
		kind = SITE_SEND;
	else if (disposition == MACH_MSG_TYPE_MOVE_SEND_ONCE)
		kind = SITE_SEND_ONCE;
	else
		return; /* made or copied: nothing goes */
	if (!MACH_PORT_VALID(name))
		return;
	if (moves != NULL) {
		site_take(moves, name, kind);
		return;
	}
	if (kind == SITE_SEND_ONCE)
		site_forget(name); /* it never shares a name */
	site_gain(change, name, kind, 1);
}

static void
array_passes(const struct site_message *message, const struct trap_piece_wire *piece,
	     struct site_change *change, struct site_moves *moves, uint32_t disposition)
{
	mach_port_name_t name;

	if (piece->kind != TRAP_PIECE_STREAM || piece->offset_bytes > message->stream_size ||
	    piece->size_bytes > message->stream_size - piece->offset_bytes)
		return;
	for (uint32_t at = 0; at + sizeof(name) <= piece->size_bytes; at += sizeof(name)) {
		memcpy(&name, message->stream + piece->offset_bytes + at, sizeof(name));
		right_passes(change, moves, name, disposition);
	}
}

static void
body_passes(const struct site_message *message, struct site_change *change,
	    struct site_moves *moves)
{
	const mach_msg_base_t *base = (const mach_msg_base_t *)message->stream;
	uint32_t offset = DESCRIPTORS_OFFSET, piece_index = 0;

	for (uint32_t i = 0; i < base->body.msgh_descriptor_count; i++) {
		const uint8_t *at = message->stream + offset;
		uint32_t left = message->prefix_size - offset;
		if (left < DESCRIPTOR_SIZE_MIN)
			return;
		struct descriptor d = descriptor_read(at);
		if (d.size == 0 || d.size > left)
			return;
		descriptor_read_memory(at, &d);
		offset += d.size;
		if (d.kind == MACH_MSG_PORT_DESCRIPTOR) {
			mach_msg_port_descriptor_t port;
			memcpy(&port, at, sizeof(port));
			right_passes(change, moves, port.name, port.disposition);
		} else if (d.kind == MACH_MSG_GUARDED_PORT_DESCRIPTOR) {
			mach_msg_guarded_port_descriptor_t port;
			memcpy(&port, at, sizeof(port));
			right_passes(change, moves, port.name, port.disposition);
		}
		if (!d.has_memory)
			continue;
		if (piece_index == message->piece_count)
			return;
		struct trap_piece_wire piece;
		memcpy(&piece, &message->pieces[piece_index++], sizeof(piece));
		if (d.kind == MACH_MSG_OOL_PORTS_DESCRIPTOR)
			array_passes(message, &piece, change, moves, d.disposition);
	}
}

static void
message_passes(const struct site_message *message, struct site_change *change,
	       struct site_moves *moves, bool is_local_passed)
{
	mach_msg_header_t header;

	if (message->stream == NULL || message->prefix_size < sizeof(header))
		return;
	memcpy(&header, message->stream, sizeof(header));
	right_passes(change, moves, header.msgh_remote_port,
		     MACH_MSGH_BITS_REMOTE(header.msgh_bits));
	if (is_local_passed)
		right_passes(change, moves, header.msgh_local_port,
			     MACH_MSGH_BITS_LOCAL(header.msgh_bits));
	right_passes(change, moves, header.msgh_voucher_port,
		     MACH_MSGH_BITS_VOUCHER(header.msgh_bits));
	if (MACH_MSGH_BITS_IS_COMPLEX(header.msgh_bits) &&
	    message->prefix_size >= DESCRIPTORS_OFFSET)
		body_passes(message, change, moves);
}

void
site_message_came(const struct site_message *message, bool is_returned)
{
	struct site_change change;

	if (!site_begin(&change))
		return;
	/* in a message received it names the receive right, with what the sender had there */
	message_passes(message, &change, NULL, is_returned);
	site_end(&change);
}

void
site_message_goes(const struct site_message *message, struct site_moves *moves)
{
	struct site_change change;

	if (!site_begin(&change))
		return;
	message_passes(message, NULL, moves, true);
	site_end(&change);
}
