/* Messages: see message.h. */
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"

mach_msg_header_t *
message_header(struct message *m)
{
	return (mach_msg_header_t *)(void *)m->bytes;
}

struct message
message_to(mach_port_name_t remote, uint32_t disposition)
{
	struct message m = { .size_bytes = sizeof(mach_msg_header_t) };

	message_header(&m)->msgh_bits = MACH_MSGH_BITS(disposition, 0);
	message_header(&m)->msgh_remote_port = remote;
	message_header(&m)->msgh_size = 0xdead; /* ignored on send */
	return m;
}

void
message_reply(struct message *m, mach_port_name_t local, uint32_t disposition)
{
	message_header(m)->msgh_local_port = local;
	message_header(m)->msgh_bits |= MACH_MSGH_BITS(0, disposition);
}

void
message_id(struct message *m, int32_t id)
{
	message_header(m)->msgh_id = id;
}

void
message_complex(struct message *m)
{
	if (message_header(m)->msgh_bits & MACH_MSGH_BITS_COMPLEX)
		return;
	message_header(m)->msgh_bits |= MACH_MSGH_BITS_COMPLEX;
	m->size_bytes = sizeof(mach_msg_base_t);
}

void
message_add_raw_descriptor(struct message *m, const void *bytes, uint32_t size_bytes)
{
	message_complex(m);
	assert_true(m->size_bytes + size_bytes <= MESSAGE_MAX);
	memcpy(m->bytes + m->size_bytes, bytes, size_bytes);
	m->size_bytes += size_bytes;
	m->descriptor_count++;
	((mach_msg_base_t *)(void *)m->bytes)->body.msgh_descriptor_count = m->descriptor_count;
}

void
message_add_port(struct message *m, mach_port_name_t name, uint32_t disposition)
{
	mach_msg_port_descriptor_t d = { .name = name,
					 .disposition = disposition,
					 .type = MACH_MSG_PORT_DESCRIPTOR };

	message_add_raw_descriptor(m, &d, sizeof d);
}

void
message_add_guarded(struct message *m, mach_port_name_t name, uint64_t context, uint32_t flags,
		    uint32_t disposition)
{
	mach_msg_guarded_port_descriptor_t d = { .context = context,
						 .flags = flags,
						 .disposition = disposition,
						 .type = MACH_MSG_GUARDED_PORT_DESCRIPTOR,
						 .name = name };

	message_add_raw_descriptor(m, &d, sizeof d);
}

static void
message_add_piece(struct message *m, struct kernel_piece piece)
{
	if (piece.size_bytes == 0)
		return;
	assert_true(m->piece_count < MESSAGE_PIECES_MAX);
	m->pieces[m->piece_count++] = piece;
}

static void
message_add_ool_descriptor(struct message *m, uint32_t size_bytes, bool deallocate, uint32_t copy)
{
	mach_msg_ool_descriptor_t d = { .address = (void *)(uintptr_t)0x12345000,
					.deallocate = deallocate,
					.copy = copy,
					.type = MACH_MSG_OOL_DESCRIPTOR,
					.size = size_bytes };

	message_add_raw_descriptor(m, &d, sizeof d);
}

void
message_add_ool(struct message *m, const void *bytes, uint32_t size_bytes, bool deallocate,
		uint32_t copy)
{
	message_add_ool_descriptor(m, size_bytes, deallocate, copy);
	message_add_piece(m, (struct kernel_piece){ .kind = KERNEL_PIECE_BYTES,
						    .size_bytes = size_bytes,
						    .bytes = bytes });
}

void
message_add_ool_segment(struct message *m, struct segment *segment, uint64_t offset_bytes,
			uint32_t size_bytes)
{
	message_add_ool_descriptor(m, size_bytes, false, MACH_MSG_VIRTUAL_COPY);
	message_add_piece(m, (struct kernel_piece){ .kind = KERNEL_PIECE_SEGMENT,
						    .size_bytes = size_bytes,
						    .segment = &segment->core,
						    .offset_bytes = offset_bytes });
}

void
message_add_ool_unreadable(struct message *m, uint32_t size_bytes)
{
	message_add_ool_descriptor(m, size_bytes, false, MACH_MSG_VIRTUAL_COPY);
	message_add_piece(
	    m, (struct kernel_piece){ .kind = KERNEL_PIECE_UNREADABLE, .size_bytes = size_bytes });
}

void
message_add_ool_ports(struct message *m, const mach_port_name_t *names, uint32_t count,
		      uint32_t disposition)
{
	mach_msg_ool_ports_descriptor_t d = { .address = (void *)(uintptr_t)0x23456000,
					      .copy = MACH_MSG_PHYSICAL_COPY,
					      .disposition = disposition,
					      .type = MACH_MSG_OOL_PORTS_DESCRIPTOR,
					      .count = count };

	message_add_raw_descriptor(m, &d, sizeof d);
	message_add_piece(m, (struct kernel_piece){ .kind = KERNEL_PIECE_BYTES,
						    .size_bytes = count * 4,
						    .bytes = names });
}

void
message_add_data(struct message *m, const void *bytes, uint32_t size_bytes)
{
	assert_true(m->size_bytes + size_bytes <= MESSAGE_MAX);
	memcpy(m->bytes + m->size_bytes, bytes, size_bytes);
	m->size_bytes += size_bytes;
}

struct received got;

/* ---- taking apart ----------------------------------------------------------------------- */

static const struct piece *
next_piece(const struct outcome *o, uint32_t *piece_index, uint32_t size_bytes)
{
	const struct piece *piece;

	if (size_bytes == 0)
		return NULL;
	assert_true(*piece_index < o->piece_count);
	piece = &o->pieces[(*piece_index)++];
	assert_int_equal(piece->size_bytes, size_bytes);
	return piece;
}

/* The bytes of a piece, kept beyond the next trap if they are few. */
static const uint8_t *
keep(struct received *r, const struct piece *piece)
{
	uint32_t room = (piece ? piece->size_bytes + 7 : 0) & ~7u;
	uint8_t *kept = r->memory + r->memory_used;

	if (!piece)
		return NULL;
	if (room > sizeof r->memory - r->memory_used)
		return piece->bytes;
	memcpy(kept, piece->bytes, piece->size_bytes);
	r->memory_used += room;
	return kept;
}

/* Reads one descriptor at @at; its size in the message. */
static uint32_t
descriptor_parse(struct received *r, struct descriptor *d, const uint8_t *at,
		 const struct outcome *o, uint32_t *piece_index)
{
	union {
		mach_msg_port_descriptor_t port;
		mach_msg_ool_descriptor_t ool;
		mach_msg_ool_ports_descriptor_t ports;
		mach_msg_guarded_port_descriptor_t guarded;
	} u;
	const struct piece *piece;

	memset(d, 0, sizeof *d);
	d->type = at[11];
	d->disposition = at[10];
	memcpy(&u, at, d->type == MACH_MSG_PORT_DESCRIPTOR ? 12 : 16);
	switch (d->type) {
	case MACH_MSG_PORT_DESCRIPTOR:
		d->name = u.port.name;
		return sizeof u.port;
	case MACH_MSG_OOL_DESCRIPTOR:
	case MACH_MSG_OOL_VOLATILE_DESCRIPTOR:
		d->address = (uintptr_t)u.ool.address;
		d->deallocate = u.ool.deallocate;
		d->copy = u.ool.copy;
		d->size = u.ool.size;
		piece = next_piece(o, piece_index, d->size);
		d->bytes = keep(r, piece);
		d->segment = piece ? piece->segment : NULL;
		return sizeof u.ool;
	case MACH_MSG_OOL_PORTS_DESCRIPTOR:
		d->address = (uintptr_t)u.ports.address;
		d->deallocate = u.ports.deallocate;
		d->copy = u.ports.copy;
		d->size = u.ports.count;
		piece = next_piece(o, piece_index, d->size * 4);
		d->names = (const mach_port_name_t *)(const void *)keep(r, piece);
		return sizeof u.ports;
	case MACH_MSG_GUARDED_PORT_DESCRIPTOR:
		d->name = u.guarded.name;
		d->context = u.guarded.context;
		d->flags = u.guarded.flags;
		return sizeof u.guarded;
	default:
		fail_msg("a descriptor of type %u came", d->type);
		return 12;
	}
}

void
received_parse(struct actor *t, struct received *r)
{
	const struct outcome *o = &t->outcome;
	uint32_t at = sizeof(mach_msg_header_t), piece_index = 0, tail = 0;

	memset(r, 0, sizeof *r);
	r->buffer = o->values[BERTH_MSG_BUFFER];
	r->sent = o->values[BERTH_MSG_SENT] != 0;
	if (r->buffer == BERTH_MSG_BUFFER_LARGE) { /* two fields of the buffer, and no more */
		assert_int_equal(o->bytes_size + o->trailer_size + o->piece_count, 0);
		r->header.msgh_size = (mach_msg_size_t)o->values[BERTH_MSG_NEEDED];
		r->header.msgh_local_port = (mach_port_name_t)o->values[BERTH_MSG_IDENTITY];
		return;
	}
	assert_int_equal(o->values[BERTH_MSG_PREFIX], o->bytes_size);
	assert_int_equal(o->values[BERTH_MSG_TRAILER], o->trailer_size);
	if (o->has_tail)
		tail = o->tail.size_bytes;
	assert_int_equal(o->values[BERTH_MSG_TAIL], tail);
	r->size_bytes = o->bytes_size + tail;
	assert_true(r->size_bytes <= sizeof r->bytes);
	memcpy(r->bytes, o->bytes, o->bytes_size);
	if (tail)
		memcpy(r->bytes + o->bytes_size, o->tail.bytes, tail);
	memcpy(&r->header, r->bytes,
	       r->size_bytes < sizeof r->header ? r->size_bytes : sizeof r->header);
	assert_true(o->trailer_size <= sizeof r->trailer);
	r->trailer_size = o->trailer_size;
	memcpy(&r->trailer, o->trailer, o->trailer_size);

	if (r->header.msgh_bits & MACH_MSGH_BITS_COMPLEX && r->size_bytes > sizeof r->header) {
		memcpy(&r->descriptor_count, r->bytes + at, 4);
		at += 4;
		assert_true(r->descriptor_count <= RECEIVED_DESCRIPTORS_MAX);
		for (uint32_t i = 0; i < r->descriptor_count; i++)
			at +=
			    descriptor_parse(r, &r->descriptors[i], r->bytes + at, o, &piece_index);
	}
	assert_int_equal(piece_index, o->piece_count);
	r->data = r->bytes + at;
	r->data_size = r->size_bytes > at ? r->size_bytes - at : 0;
}

/* ---- sending and receiving -------------------------------------------------------------- */

static kern_return_t
msg_trap(struct actor *t, struct message *m, int32_t option, uint32_t send_size, uint32_t rcv_size,
	 mach_port_name_t rcv_name, uint32_t timeout_ms, struct received *r)
{
	struct trap_frame frame = { .number = BERTH_TRAP_MSG,
				    .args = { (uint32_t)option, send_size, rcv_size, rcv_name,
					      timeout_ms, 0, t->receive_buffer, 0 } };

	if (m) {
		frame.bytes = m->bytes;
		frame.bytes_size = send_size < m->size_bytes ? send_size : m->size_bytes;
		frame.pieces = m->pieces;
		frame.piece_count = m->piece_count;
		if (m->tail_from) {
			frame.bytes_size = m->tail_from;
			frame.has_tail = true;
			frame.tail =
			    (struct kernel_piece){ .size_bytes = send_size - m->tail_from };
			if (m->tail) {
				frame.tail.kind = KERNEL_PIECE_SEGMENT;
				frame.tail.segment = &m->tail->core;
			} else {
				frame.tail.kind = KERNEL_PIECE_BYTES;
				frame.tail.bytes = m->bytes + m->tail_from;
			}
		}
	}
	if (!world_trap(t, &frame))
		return BLOCKED;
	if (r)
		received_parse(t, r);
	return t->outcome.code;
}

kern_return_t
msg_send_sized(struct actor *t, struct message *m, uint32_t send_size, int32_t option,
	       uint32_t timeout_ms)
{
	return msg_trap(t, m, MACH_SEND_MSG | option, send_size, 0, 0, timeout_ms, NULL);
}

kern_return_t
msg_send(struct actor *t, struct message *m, int32_t option, uint32_t timeout_ms)
{
	return msg_send_sized(t, m, m->size_bytes, option, timeout_ms);
}

kern_return_t
msg_receive(struct actor *t, mach_port_name_t name, int32_t option, uint32_t size,
	    uint32_t timeout_ms, struct received *r)
{
	return msg_trap(t, NULL, MACH_RCV_MSG | option, 0, size, name, timeout_ms, r);
}

kern_return_t
msg_send_receive(struct actor *t, struct message *m, int32_t option, uint32_t rcv_size,
		 mach_port_name_t rcv_name, uint32_t timeout_ms, struct received *r)
{
	return msg_trap(t, m, MACH_SEND_MSG | MACH_RCV_MSG | option, m->size_bytes, rcv_size,
			rcv_name, timeout_ms, r);
}

kern_return_t
finished(struct actor *t, struct received *r)
{
	kern_return_t code = world_completed(t)->code;

	if (r)
		received_parse(t, r);
	return code;
}

/* ---- short ways ----------------------------------------------------------------------- */

void
take(struct actor *t, mach_port_name_t name, struct received *r)
{
	assert_ok(msg_receive(t, name,
			      MACH_RCV_TIMEOUT | MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_CTX),
			      ANY_SIZE, 0, r));
	assert_int_equal(r->buffer, BERTH_MSG_BUFFER_RECEIVE);
	assert_int_equal(r->header.msgh_size, r->size_bytes);
}

int32_t
take_id(struct actor *t, mach_port_name_t name)
{
	static struct received r;
	kern_return_t code = msg_receive(t, name, MACH_RCV_TIMEOUT, ANY_SIZE, 0, &r);

	if (code == MACH_RCV_TIMED_OUT)
		return 0;
	assert_ok(code);
	return r.header.msgh_id;
}

kern_return_t
send_id(struct actor *t, mach_port_name_t to, uint32_t disposition, int32_t id)
{
	struct message m = message_to(to, disposition);

	message_id(&m, id);
	return msg_send(t, &m, MACH_SEND_TIMEOUT, 0);
}

void
fill(struct actor *t, mach_port_name_t to, uint32_t count)
{
	for (uint32_t i = 1; i <= count; i++)
		assert_ok(send_id(t, to, MACH_MSG_TYPE_COPY_SEND, (int32_t)i));
}

mach_port_name_t
mailbox_take(struct actor *to)
{
	static struct received r;

	take(to, to->party->mailbox, &r);
	assert_int_equal(r.descriptor_count, 1);
	return r.descriptors[0].name;
}

mach_port_name_t
give(struct actor *from, mach_port_name_t name, uint32_t disposition, struct actor *to)
{
	struct message m =
	    message_to(from->party->mailbox_of[to->party->index], MACH_MSG_TYPE_COPY_SEND);

	message_add_port(&m, name, disposition);
	assert_ok(msg_send(from, &m, MACH_SEND_TIMEOUT, 0));
	return mailbox_take(to);
}

void
check_notification(struct actor *t, mach_port_name_t name, int32_t id, uint32_t value,
		   const char *file, int line)
{
	static struct received r;
	uint32_t told = 0;
	kern_return_t code = msg_receive(
	    t, name, MACH_RCV_TIMEOUT | MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT), ANY_SIZE,
	    0, &r);

	if (code != MACH_MSG_SUCCESS) {
		print_error("no notification %d: %s\n", id, code_name(code));
		_fail(file, line);
	}
	if (id != MACH_NOTIFY_SEND_ONCE)
		memcpy(&told, r.bytes + 32, 4);
	if (r.header.msgh_id != id || told != value) {
		print_error("notification %d of %#x came, not %d of %#x\n", r.header.msgh_id, told,
			    id, value);
		_fail(file, line);
	}
	_assert_int_equal(r.header.msgh_size, id == MACH_NOTIFY_SEND_ONCE ? 24 : 36, file, line);
	_assert_int_equal(r.header.msgh_bits, MACH_MSGH_BITS(0, MACH_MSG_TYPE_PORT_SEND_ONCE), file,
			  line);
	_assert_int_equal(r.header.msgh_remote_port, 0, file, line);
	_assert_int_equal(r.header.msgh_local_port, name, file, line);
	for (int i = 0; i < 8; i++)
		_assert_int_equal(r.trailer.msgh_audit.val[i], 0, file, line);
}
