/*
 * A message on its way out.
 *
 * Three shapes, by what fits: the whole message in the stream; header and descriptors in
 * the stream and the rest ("tail") in the bulk memfd; or, with very many descriptors, the
 * stream itself in a memfd ("spill").
 *
 * Large memory may be the bulk memfd already, without a copy (vm_movable.h).
 */
#include "client/outgoing.h"

#include "client/carrier.h"
#include "client/descriptor.h"
#include "client/mach/vm_movable.h"
#include "client/mach/vm_object.h"
#include "client/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MESSAGE_SIZE_MAX 50331580u /* bytes: 48 MiB − 68 */
#define BULK_ALIGN 4096u
#define PORTS_BYTES_MAX 65536u /* of names in all arrays: the kernel refuses more than 16,383 */

static uint32_t
align8(uint32_t size)
{
	return (size + 7u) & ~7u;
}

/* What the descriptors of a copy amount to. */
struct survey {
	uint32_t end_offset; /* behind the last descriptor; where malformed, behind the bad one */
	uint32_t piece_count;
	uint64_t memory_bytes; /* of all OOL memory, each piece 8-aligned */
	uint64_t ports_bytes;  /* of all arrays of names, likewise */
	bool is_malformed;
	bool is_incomplete; /* there are more descriptors than were copied */
};

static struct survey
survey_descriptors(const uint8_t *copy, uint32_t copied, uint32_t size, uint32_t count)
{
	struct survey survey = { .end_offset = DESCRIPTORS_OFFSET };

	for (uint32_t i = 0; i < count; i++) {
		uint32_t offset = survey.end_offset;
		uint32_t left = size - offset;

		if (left >= DESCRIPTOR_SIZE_MIN && copied - offset < DESCRIPTOR_SIZE_MIN) {
			survey.is_incomplete = true;
			return survey;
		}
		struct descriptor d = { 0 };
		if (left >= DESCRIPTOR_SIZE_MIN)
			d = descriptor_read(copy + offset);
		if (d.size == 0 || d.size > left) {
			survey.is_malformed = true;
			survey.end_offset =
			    left < DESCRIPTOR_SIZE_MAX ? size : offset + DESCRIPTOR_SIZE_MAX;
			if (survey.end_offset > copied)
				survey.end_offset = copied;
			survey.piece_count = 0;
			return survey;
		}
		if (d.size > copied - offset) {
			survey.is_incomplete = true;
			return survey;
		}
		descriptor_read_memory(copy + offset, &d);
		if (d.has_memory) {
			survey.piece_count++;
			uint64_t bytes = ((uint64_t)d.memory_bytes + 7) & ~(uint64_t)7;
			if (d.kind == MACH_MSG_OOL_PORTS_DESCRIPTOR)
				survey.ports_bytes += bytes;
			else
				survey.memory_bytes += bytes;
		}
		survey.end_offset = offset + d.size;
	}
	return survey;
}

/* ---- bulk --------------------------------------------------------------------------- */

/* Append @size bytes at @from to the carrier.  0; -EFAULT; another -errno: no room. */
static int
carrier_append(struct outgoing *out, const void *from, uint32_t size, struct trap_piece_wire *piece)
{
	struct carrier_place *carrier = out->carrier;

	if (size > carrier->size || out->bulk_size > carrier->size - size)
		return -ENOBUFS; /* the message has grown since it was looked at */
	if (!memory_is_readable_now(from, size))
		return -EFAULT;
	memcpy(carrier->memory + out->bulk_size, from, size);
	*piece = (struct trap_piece_wire){ TRAP_PIECE_BULK, size, out->bulk_size };
	out->bulk_size += ((uint64_t)size + BULK_ALIGN - 1) & ~(uint64_t)(BULK_ALIGN - 1);
	out->flags |= TRAP_HAS_CARRIER;
	return 0;
}

/* The same to the carrier that there is, or to the bulk memfd. */
static int
bulk_append(struct outgoing *out, const void *from, uint32_t size, struct trap_piece_wire *piece)
{
	if (out->carrier != NULL && out->moved_index == MOVED_NONE)
		return carrier_append(out, from, size, piece);
	if (out->bulk_fd < 0) {
		int fd = memory_fd_new("berth-bulk");
		if (fd < 0)
			return fd;
		out->bulk_fd = fd;
		out->flags |= TRAP_HAS_BULK;
	}
	if (!vm_object_size_is_allowed(out->bulk_size + size))
		return -EFBIG;
	int error = memory_fd_write(out->bulk_fd, from, size, out->bulk_size);
	if (error != 0)
		return error;
	*piece = (struct trap_piece_wire){ TRAP_PIECE_BULK, size, out->bulk_size };
	out->bulk_size += ((uint64_t)size + BULK_ALIGN - 1) & ~(uint64_t)(BULK_ALIGN - 1);
	return 0;
}

/* ---- regions to deallocate ---------------------------------------------------------- */

static bool
region_add(struct outgoing *out, const struct descriptor *d, uint32_t descriptor_index)
{
	if (out->region_count == out->region_room) {
		uint32_t room = out->region_room * 4;
		struct outgoing_region *more =
		    mmap(NULL, room * sizeof(*more), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (more == MAP_FAILED)
			return false;
		memcpy(more, out->regions, out->region_count * sizeof(*more));
		if (out->regions != out->own_regions)
			munmap(out->regions, out->region_room * sizeof(*more));
		out->regions = more;
		out->region_room = room;
	}
	out->regions[out->region_count++] = (struct outgoing_region){
		.address = (uintptr_t)d->address,
		.size_bytes = d->memory_bytes,
		.descriptor_index = descriptor_index,
	};
	return true;
}

void
outgoing_release(struct outgoing *out, uint32_t captured)
{
	for (uint32_t i = 0; i < out->region_count; i++) {
		const struct outgoing_region *region = &out->regions[i];
		if (region->descriptor_index >= captured)
			break;
		uintptr_t mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
		uintptr_t first = region->address & ~mask;
		uintptr_t end = (region->address + region->size_bytes + mask) & ~mask;
		if (end > first)
			vm_movable_unmap(first, end - first);
	}
	if (out->region_count > 0)
		memory_changed();
}

/* ---- pieces ------------------------------------------------------------------------- */

/* Copy the memory of a piece to @stream_offset, if it is there. */
static void
gather_inline(struct outgoing *out, const struct descriptor *d, uint32_t *stream_offset,
	      struct trap_piece_wire *piece)
{
	const void *memory = (const void *)(uintptr_t)d->address;

	if (!memory_is_readable(memory, d->memory_bytes))
		return;
	piece->kind = TRAP_PIECE_STREAM;
	piece->offset_bytes = *stream_offset;
	memcpy(out->stream + *stream_offset, memory, d->memory_bytes);
	*stream_offset += align8(d->memory_bytes);
}

/*
 * Write the pieces of all descriptors behind the prefix.  Names always go into the stream,
 * because the kernel reads them; other memory goes there if @is_inline, else into the bulk
 * memfd.  0 or -errno.
 */
static int
gather(struct outgoing *out, const struct survey *survey, uint32_t count, bool is_inline)
{
	uint32_t offset = DESCRIPTORS_OFFSET;
	uint32_t piece_offset =
	    align8(out->prefix_size) + out->piece_count * (uint32_t)sizeof(struct trap_piece_wire);
	uint32_t stream_offset =
	    piece_offset + survey->piece_count * (uint32_t)sizeof(struct trap_piece_wire);
	bool has_too_many_ports = survey->ports_bytes > PORTS_BYTES_MAX;

	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *at = out->stream + offset;
		struct descriptor d = descriptor_read(at);
		bool is_ports = d.kind == MACH_MSG_OOL_PORTS_DESCRIPTOR;

		descriptor_read_memory(at, &d);
		offset += d.size;
		if (!d.has_memory)
			continue;
		struct trap_piece_wire piece = { TRAP_PIECE_UNREADABLE, d.memory_bytes, 0 };
		int error = 0;
		if (i == out->moved_index) {
			piece = out->moved;
		} else if (is_ports && has_too_many_ports) {
			/* refused whatever they are: nobody looks at them */
		} else if (is_ports || is_inline) {
			gather_inline(out, &d, &stream_offset, &piece);
		} else {
			error = bulk_append(out, (const void *)(uintptr_t)d.address, d.memory_bytes,
					    &piece);
		}
		if (error != 0 && error != -EFAULT)
			return error;
		if (d.deallocate && !region_add(out, &d, i))
			return -ENOMEM;
		memcpy(out->stream + piece_offset, &piece, sizeof(piece));
		piece_offset += sizeof(piece);
		out->piece_count++;
	}
	out->stream_size = stream_offset;
	return 0;
}

/*
 * Let the memfd of the largest memory be the bulk memfd, if it has one.  @appends: something else
 * goes there in any case.  How many bytes need not be gathered any more.
 */
static uint32_t
move_largest(struct outgoing *out, const struct survey *survey, uint32_t count, bool appends)
{
	uint32_t offset = DESCRIPTORS_OFFSET;
	struct descriptor largest = { 0 };
	uint32_t largest_index = 0;
	struct vm_moved moved;

	if (survey->memory_bytes < VM_MOVABLE_MIN_BYTES)
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		struct descriptor d = descriptor_read(out->stream + offset);
		descriptor_read_memory(out->stream + offset, &d);
		offset += d.size;
		if (d.kind == MACH_MSG_OOL_DESCRIPTOR && d.has_memory &&
		    (d.deallocate || d.is_virtual) && d.memory_bytes > largest.memory_bytes) {
			largest = d;
			largest_index = i;
		}
	}
	if (survey->memory_bytes - align8(largest.memory_bytes) > TRAP_INLINE_OOL_MAX)
		appends = true;
	if (!vm_movable_take((uintptr_t)largest.address, largest.memory_bytes, !largest.deallocate,
			     appends, &moved))
		return 0;
	out->bulk_fd = moved.fd;
	out->bulk_size = moved.end;
	out->flags |= TRAP_HAS_BULK;
	out->moved_index = largest_index;
	out->moved =
	    (struct trap_piece_wire){ TRAP_PIECE_BULK, largest.memory_bytes, moved.offset };
	return align8(largest.memory_bytes);
}

/* Put what follows the prefix in the message into the bulk memfd. */
static int
gather_tail(struct outgoing *out, const mach_msg_header_t *message, uint32_t size)
{
	struct trap_piece_wire piece;
	int error = bulk_append(out, (const uint8_t *)message + out->prefix_size,
				size - out->prefix_size, &piece);

	if (error != 0)
		return error;
	memcpy(out->stream + align8(out->prefix_size), &piece, sizeof(piece));
	out->piece_count = 1;
	out->stream_size = align8(out->prefix_size) + (uint32_t)sizeof(piece);
	out->flags |= TRAP_HAS_TAIL;
	return 0;
}

/* ---- the spill ---------------------------------------------------------------------- */

/* Move the stream into a memfd of @room bytes.  0 or -errno. */
static int
spill_open(struct outgoing *out, uint32_t room, uint32_t copied)
{
	int fd = memory_fd_new("berth-stream");

	if (fd < 0)
		return fd;
	void *memory = MAP_FAILED;
	int error = ftruncate(fd, room) == 0 ? 0 : -errno;
	if (error == 0) {
		memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		error = memory == MAP_FAILED ? -errno : 0;
	}
	if (error != 0) {
		close(fd);
		return error;
	}
	memcpy(memory, out->stream, copied);
	out->stream = memory;
	out->stream_room = room;
	out->spill_fd = fd;
	out->is_spilled = true;
	out->flags |= TRAP_HAS_SPILL;
	return 0;
}

/* The stream is complete: nobody writes it any more. */
static int
spill_close(struct outgoing *out)
{
	munmap(out->stream, out->stream_room);
	out->stream = NULL;
	return memory_fd_seal(out->spill_fd);
}

/* ---- all of it ---------------------------------------------------------------------- */

/* A code for what went wrong on our side: the kernel never saw the message. */
static mach_msg_return_t
local_error(int error)
{
	return error == -EFAULT ? MACH_SEND_INVALID_DATA : MACH_SEND_NO_BUFFER;
}

/* A message whose descriptors cannot all be copied into the caller's room. */
static mach_msg_return_t
begin_spilled(struct outgoing *out, const mach_msg_header_t *message, uint32_t size,
	      uint32_t copied, uint32_t count)
{
	uint64_t prefix_max = DESCRIPTORS_OFFSET + (uint64_t)count * DESCRIPTOR_SIZE_MAX;
	uint32_t prefix = prefix_max < size ? (uint32_t)prefix_max : size;
	/* each piece of names is padded to 8 bytes */
	uint64_t room = align8(prefix) + PORTS_BYTES_MAX +
			((uint64_t)count + 1) * (sizeof(struct trap_piece_wire) + 8);

	if (copied < prefix &&
	    !memory_is_readable((const uint8_t *)message + copied, prefix - copied))
		return MACH_SEND_INVALID_DATA;
	int error = spill_open(out, (uint32_t)room, copied < prefix ? copied : prefix);
	if (error != 0)
		return local_error(error);
	if (copied < prefix)
		memcpy(out->stream + copied, (const uint8_t *)message + copied, prefix - copied);

	struct survey survey = survey_descriptors(out->stream, prefix, size, count);
	out->prefix_size = survey.end_offset;
	out->stream_size = out->prefix_size;
	if (out->prefix_size < size)
		error = gather_tail(out, message, size);
	if (error == 0 && !survey.is_malformed)
		error = gather(out, &survey, count, false);
	int seal_error = spill_close(out);
	if (error == 0)
		error = seal_error;
	return error == 0 ? MACH_MSG_SUCCESS : local_error(error);
}

/* A complex message of which @copied bytes are in the stream. */
static mach_msg_return_t
begin_complex(struct outgoing *out, const mach_msg_header_t *message, uint32_t size,
	      uint32_t copied)
{
	const uint32_t piece_size = sizeof(struct trap_piece_wire);
	uint32_t count = ((const mach_msg_base_t *)out->stream)->body.msgh_descriptor_count;
	struct survey survey = survey_descriptors(out->stream, copied, size, count);
	int error = 0;

	if (survey.is_incomplete)
		return begin_spilled(out, message, size, copied, count);

	/* whole, with or without its memory; or split */
	uint64_t needed = survey.piece_count * piece_size;
	if (survey.ports_bytes <= PORTS_BYTES_MAX)
		needed += survey.ports_bytes;
	bool is_whole = copied == size && align8(size) + needed <= out->stream_room;
	out->prefix_size = is_whole ? size : survey.end_offset;
	out->stream_size = is_whole ? size : out->prefix_size;
	if (!is_whole) {
		if (align8(out->prefix_size) + needed + piece_size > out->stream_room)
			return begin_spilled(out, message, size, copied, count);
	}
	if (out->may_move && !survey.is_malformed)
		survey.memory_bytes -= move_largest(
		    out, &survey, count,
		    !is_whole || align8(size) + needed + TRAP_INLINE_OOL_MAX > out->stream_room);
	bool is_inline = is_whole && survey.memory_bytes <= TRAP_INLINE_OOL_MAX &&
			 align8(size) + needed + survey.memory_bytes <= out->stream_room;
	if (!is_whole && out->prefix_size < size)
		error = gather_tail(out, message, size);
	if (error == 0 && !survey.is_malformed && survey.piece_count > 0)
		error = gather(out, &survey, count, is_inline);
	return error == 0 ? MACH_MSG_SUCCESS : local_error(error);
}

static mach_msg_return_t
begin(struct outgoing *out, const mach_msg_header_t *message, mach_msg_size_t size, uint8_t *stream,
      uint32_t stream_room, struct carrier_place *carrier, bool may_move)
{
	out->stream = stream;
	out->stream_room = stream_room;
	out->stream_size = 0;
	out->prefix_size = 0;
	out->piece_count = 0;
	out->flags = 0;
	out->spill_fd = -1;
	out->bulk_fd = -1;
	out->bulk_size = 0;
	out->moved_index = MOVED_NONE;
	out->may_move = may_move;
	out->carrier = carrier;
	out->is_spilled = false;
	out->region_count = 0;
	out->region_room = OUTGOING_REGIONS;
	out->regions = out->own_regions;

	if (size < sizeof(mach_msg_header_t) || size % 4 != 0)
		return MACH_SEND_MSG_TOO_SMALL;
	if (size > MESSAGE_SIZE_MAX)
		return MACH_SEND_TOO_LARGE;

	uint32_t copied = size < stream_room ? size : stream_room;
	bool is_readable = memory_message_is_readable(message, copied);
	if (!is_readable) /* checks 4 and 5 come before the rest is missed */
		copied = PAGE_BYTES - (uint32_t)((uintptr_t)message % PAGE_BYTES);
	if (copied < sizeof(mach_msg_header_t))
		return MACH_SEND_INVALID_DATA;
	memcpy(stream, message, copied);

	const mach_msg_base_t *copy = (const mach_msg_base_t *)stream;
	bool is_complex = (copy->header.msgh_bits & MACH_MSGH_BITS_COMPLEX) != 0;
	if (is_complex && size < sizeof(mach_msg_base_t))
		return MACH_SEND_MSG_TOO_SMALL;
	if (is_complex && copied < sizeof(mach_msg_base_t))
		return MACH_SEND_INVALID_DATA;
	if (is_complex && copy->body.msgh_descriptor_count >
			      (size - sizeof(mach_msg_base_t)) / DESCRIPTOR_SIZE_MIN)
		return MACH_SEND_MSG_TOO_SMALL;
	if (!is_readable)
		return MACH_SEND_INVALID_DATA;

	mach_msg_return_t code = MACH_MSG_SUCCESS;
	if (is_complex) {
		code = begin_complex(out, message, size, copied);
	} else if (copied == size) {
		out->prefix_size = size;
		out->stream_size = size;
	} else {
		out->prefix_size = sizeof(mach_msg_header_t);
		int error = gather_tail(out, message, size);
		if (error != 0)
			code = local_error(error);
	}
	if (code == MACH_MSG_SUCCESS && out->bulk_fd >= 0 && memory_fd_seal(out->bulk_fd) != 0)
		code = MACH_SEND_NO_BUFFER;
	if (code == MACH_MSG_SUCCESS && (out->flags & TRAP_HAS_CARRIER) != 0 && carrier->fd >= 0) {
		out->bulk_fd = carrier->fd;
		out->flags |= TRAP_HAS_BULK;
		carrier->fd = -1;
	}
	return code;
}

mach_msg_return_t
outgoing_begin(struct outgoing *out, const mach_msg_header_t *message, mach_msg_size_t size,
	       uint8_t *stream, uint32_t stream_room, struct carrier_place *carrier)
{
	mach_msg_return_t code = begin(out, message, size, stream, stream_room, carrier, true);

	/* Linux does not let the memfd be written, or sealed, because somebody else has it */
	if (code == MACH_SEND_NO_BUFFER && (out->moved_index != MOVED_NONE || carrier != NULL)) {
		outgoing_end(out);
		code = begin(out, message, size, stream, stream_room, NULL, false);
	}
	return code;
}

void
outgoing_end(struct outgoing *out)
{
	if (out->is_spilled && out->stream != NULL)
		munmap(out->stream, out->stream_room);
	if (out->spill_fd >= 0)
		close(out->spill_fd);
	if (out->bulk_fd >= 0)
		close(out->bulk_fd);
	if (out->regions != out->own_regions)
		munmap(out->regions, out->region_room * sizeof(*out->regions));
}
