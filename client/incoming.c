/*
 * A message on its way in.
 */
#include "client/incoming.h"

#include "client/carrier.h"
#include "client/descriptor.h"
#include "client/mach/vm_landing.h"
#include "client/mach/vm_movable.h"
#include "client/memory.h"
#include "client/site.h"

#include <mach/mach_init.h>
#include <mach/mach_port.h>

#include <string.h>
#include <sys/mman.h>

/* What the reply of a trap holds. */
struct incoming {
	struct trap *trap;
	uint8_t *stream;
	uint32_t prefix_size;
	uint32_t tail_size;
	uint32_t trailer_size;
	const struct trap_piece_wire *pieces; /* of descriptors */
	uint32_t piece_count;
	const uint8_t *carrier; /* what bulk pieces count from; NULL: from the bulk memfd */
	size_t carrier_size;
	bool is_carried;
};

static bool
is_in_carrier(const struct incoming *in, const struct trap_piece_wire *piece)
{
	return in->carrier != NULL && piece->offset_bytes <= in->carrier_size &&
	       piece->size_bytes <= in->carrier_size - piece->offset_bytes;
}

/* Memory of the program's for what @piece holds: its address, 0 if there is none. */
static uint64_t
piece_map(const struct incoming *in, const struct trap_piece_wire *piece)
{
	uint64_t page_offset = 0;
	void *memory;

	if (piece->kind == TRAP_PIECE_BULK && in->is_carried) {
		if (!is_in_carrier(in, piece))
			return 0;
		memory = vm_landing_new(piece->size_bytes);
		if (memory == NULL)
			return 0;
		/* its sender could change it, so it is read here, and never again */
		memcpy(memory, in->carrier + piece->offset_bytes, piece->size_bytes);
		return (uintptr_t)memory;
	}
	if (piece->kind == TRAP_PIECE_BULK) {
		page_offset = piece->offset_bytes % PAGE_BYTES;
		memory =
		    mmap(NULL, piece->size_bytes + page_offset, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			 in->trap->bulk_fd, (off_t)(piece->offset_bytes - page_offset));
		if (memory == MAP_FAILED)
			return 0;
		if (page_offset == 0)
			vm_movable_came((uintptr_t)memory, piece->size_bytes, in->trap->bulk_fd,
					piece->offset_bytes);
		return (uintptr_t)memory + page_offset;
	}
	if (piece->kind != TRAP_PIECE_STREAM)
		return 0;
	memory = mmap(NULL, piece->size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (memory == MAP_FAILED)
		return 0;
	memcpy(memory, in->stream + piece->offset_bytes, piece->size_bytes);
	return (uintptr_t)memory;
}

/* Rights that came in an array for which there is no memory: nobody will know their names. */
static void
ports_destroy(const struct incoming *in, const struct trap_piece_wire *piece, uint32_t disposition)
{
	mach_port_name_t name;

	if (piece->kind != TRAP_PIECE_STREAM)
		return; /* arrays of names are the kernel's own and come in the stream */
	for (uint32_t at = 0; at + sizeof(name) <= piece->size_bytes; at += sizeof(name)) {
		memcpy(&name, in->stream + piece->offset_bytes + at, sizeof(name));
		if (!MACH_PORT_VALID(name))
			continue;
		if (disposition == MACH_MSG_TYPE_PORT_RECEIVE)
			mach_port_mod_refs(mach_task_self_, name, MACH_PORT_RIGHT_RECEIVE, -1);
		else
			mach_port_deallocate(mach_task_self_, name);
	}
}

/* Give each descriptor with memory its memory.  False: some could not be had. */
static bool
descriptors_place(struct incoming *in)
{
	const mach_msg_base_t *message = (const mach_msg_base_t *)in->stream;
	uint32_t offset = DESCRIPTORS_OFFSET;
	uint32_t piece_index = 0;
	bool is_complete = true;

	for (uint32_t i = 0; i < message->body.msgh_descriptor_count; i++) {
		uint8_t *at = in->stream + offset;
		if (in->prefix_size - offset < DESCRIPTOR_SIZE_MIN)
			break;
		struct descriptor d = descriptor_read(at);
		if (d.size == 0 || d.size > in->prefix_size - offset)
			break; /* a kernel that sends this is not ours */
		descriptor_read_memory(at, &d);
		offset += d.size;
		if (!d.has_memory)
			continue;
		if (piece_index == in->piece_count)
			break;
		const struct trap_piece_wire *piece = &in->pieces[piece_index++];
		uint64_t address = piece_map(in, piece);
		memcpy(at, &address, sizeof(address));
		if (address != 0)
			continue;
		is_complete = false;
		if (d.kind == MACH_MSG_OOL_PORTS_DESCRIPTOR)
			ports_destroy(in, piece, d.disposition);
		else
			memset(at + 12, 0, sizeof(uint32_t));
	}
	return is_complete;
}

/* The rest of a message behind its prefix.  False: it is lost. */
static bool
tail_place(const struct incoming *in, const struct trap_piece_wire *tail, uint8_t *to)
{
	if (tail->kind == TRAP_PIECE_STREAM) {
		memcpy(to, in->stream + tail->offset_bytes, in->tail_size);
		return true;
	}
	if (!in->is_carried)
		return memory_fd_read(in->trap->bulk_fd, to, in->tail_size, tail->offset_bytes) ==
		       0;
	if (!is_in_carrier(in, tail) || in->tail_size > tail->size_bytes)
		return false;
	memcpy(to, in->carrier + tail->offset_bytes, in->tail_size);
	return true;
}

static mach_msg_return_t
place(struct incoming *in, mach_msg_header_t *buffer, mach_msg_return_t code)
{
	const struct trap_reply *reply = &in->trap->slot->reply;
	bool is_receive = reply->values[BERTH_MSG_BUFFER] == BERTH_MSG_BUFFER_RECEIVE;

	if (in->stream == NULL) /* no memory for a very long list of descriptors */
		return is_receive ? MACH_RCV_BODY_ERROR | MACH_MSG_VM_SPACE
				  : code | MACH_MSG_VM_SPACE;
	in->pieces =
	    (const struct trap_piece_wire *)(in->stream +
					     ((in->prefix_size + in->trailer_size + 7u) & ~7u));
	struct trap_piece_wire tail = { 0 };
	if ((reply->flags & TRAP_HAS_TAIL) != 0) {
		tail = in->pieces[0];
		in->pieces++;
		in->piece_count--;
	}
	if (site_is_on()) {
		const struct site_message noted = { in->stream, in->prefix_size, in->pieces,
						    in->piece_count, reply->stream_size_bytes };
		site_message_came(&noted, !is_receive);
	}
	if (in->piece_count > 0 && in->prefix_size >= DESCRIPTORS_OFFSET && !descriptors_place(in))
		code |= is_receive ? MACH_RCV_BODY_ERROR | MACH_MSG_VM_SPACE : MACH_MSG_VM_SPACE;

	size_t size = (size_t)in->prefix_size + in->tail_size + in->trailer_size;
	if (size >= sizeof(uint64_t) && !memory_is_writable(buffer, size))
		return is_receive ? MACH_RCV_INVALID_DATA : code;
	uint8_t *at = (uint8_t *)buffer;
	memcpy(at, in->stream, in->prefix_size);
	if (in->tail_size > 0 && !tail_place(in, &tail, at + in->prefix_size))
		return is_receive ? MACH_RCV_INVALID_DATA : code;
	memcpy(at + in->prefix_size + in->tail_size, in->stream + in->prefix_size,
	       in->trailer_size);
	return code;
}

mach_msg_return_t
incoming_place(struct trap *trap, mach_msg_header_t *buffer, mach_msg_return_t code)
{
	const struct trap_reply *reply = &trap->slot->reply;
	struct incoming in = {
		.trap = trap,
		.stream = trap_stream(trap),
		.prefix_size = (uint32_t)reply->values[BERTH_MSG_PREFIX],
		.tail_size = (uint32_t)reply->values[BERTH_MSG_TAIL],
		.trailer_size = (uint32_t)reply->values[BERTH_MSG_TRAILER],
		.piece_count = reply->piece_count,
	};

	in.is_carried = (reply->flags & TRAP_HAS_CARRIER) != 0;
	if (in.is_carried)
		in.carrier = carrier_came(trap, &in.carrier_size);
	code = place(&in, buffer, code);
	if (in.is_carried)
		carrier_done(trap, in.carrier != NULL);
	return code;
}

mach_msg_return_t
incoming_too_large(const struct trap *trap, mach_msg_header_t *buffer, mach_msg_return_t code)
{
	const uint64_t *values = trap->slot->reply.values;

	if (values[BERTH_MSG_NEEDED] == 0 && values[BERTH_MSG_IDENTITY] == 0)
		return code; /* the buffer is too small even for that */
	/* asking whether it can be written writes to it, and the other fields are to stay */
	uint8_t kept[16];
	size_t size = values[BERTH_MSG_IDENTITY] != 0 ? 16 : 8;
	if (!memory_is_readable(buffer, size))
		return MACH_RCV_INVALID_DATA;
	memcpy(kept, buffer, size);
	if (!memory_is_writable(buffer, size))
		return MACH_RCV_INVALID_DATA;
	memcpy(buffer, kept, size);
	if (values[BERTH_MSG_NEEDED] != 0)
		buffer->msgh_size = (mach_msg_size_t)values[BERTH_MSG_NEEDED];
	if (values[BERTH_MSG_IDENTITY] != 0)
		buffer->msgh_local_port = (mach_port_name_t)values[BERTH_MSG_IDENTITY];
	return code;
}
