/*
 * A request as it stands in shared memory, made into a frame for the core.
 *
 * The sizes are from a private copy of the request; the piece table is copied once; what
 * the pieces and the prefix point to is handed on as it is, because the core reads it once.
 * What the core copies is bounded by what the task has really handed over: pieces of the
 * stream may together not be larger than the stream.
 */
#include "hosts/daemon/berthd.h"
#include "hosts/daemon/trap_codec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KNOWN_FLAGS                                                                                \
	(TRAP_HAS_SPILL | TRAP_HAS_BULK | TRAP_HAS_TAIL | TRAP_HAS_FILE | TRAP_HAS_CARRIER)
#define PAGE_BYTES 4096u

static kern_return_t
bad_data(const struct trap_source *source)
{
	return source->request.number == BERTH_TRAP_MSG ? MACH_SEND_INVALID_DATA
							: KERN_INVALID_ARGUMENT;
}

static kern_return_t
no_memory(const struct trap_source *source)
{
	return source->request.number == BERTH_TRAP_MSG ? MACH_SEND_NO_BUFFER
							: KERN_RESOURCE_SHORTAGE;
}

/* Copies the spilled stream.  A descriptor for which Linux knows seals is a memfd: reading
 * it never waits for anybody, as a pipe or a file system of the task's own would. */
static kern_return_t
read_spill(const struct trap_source *source, struct trap_decoded *decoded)
{
	size_t size = source->request.stream_size_bytes, done = 0;

	if (fcntl(source->spill_fd, F_GET_SEALS) < 0)
		return bad_data(source);
	decoded->spill = malloc(size == 0 ? 1 : size);
	if (decoded->spill == NULL)
		return no_memory(source);
	while (done < size) {
		ssize_t n =
		    pread(source->spill_fd, decoded->spill + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOMEM)
			return no_memory(source);
		if (n <= 0)
			return bad_data(source);
		done += (size_t)n;
	}
	return KERN_SUCCESS;
}

/* One piece, from its private copy. */
static bool
decode_piece(const struct trap_source *source, const uint8_t *stream,
	     const struct trap_piece_wire *wire, uint64_t *stream_bytes, struct kernel_piece *piece)
{
	uint64_t limit;

	piece->size_bytes = wire->size_bytes;
	switch (wire->kind) {
	case TRAP_PIECE_UNREADABLE:
		piece->kind = KERNEL_PIECE_UNREADABLE;
		return true;
	case TRAP_PIECE_STREAM:
		limit = source->request.stream_size_bytes;
		if (wire->offset_bytes > limit || wire->size_bytes > limit - wire->offset_bytes)
			return false;
		*stream_bytes += wire->size_bytes;
		if (*stream_bytes > limit)
			return false;
		piece->kind = KERNEL_PIECE_BYTES;
		piece->bytes = stream + wire->offset_bytes;
		return true;
	case TRAP_PIECE_BULK:
		if (source->bulk == NULL)
			return false;
		limit = source->bulk->size_bytes;
		if (wire->offset_bytes % PAGE_BYTES != 0 || wire->offset_bytes > limit ||
		    wire->size_bytes > limit - wire->offset_bytes)
			return false;
		piece->kind = KERNEL_PIECE_SEGMENT;
		piece->segment = source->bulk;
		piece->offset_bytes = wire->offset_bytes;
		return true;
	default:
		return false;
	}
}

/* The piece table, which begins at @offset of the stream. */
static kern_return_t
decode_pieces(const struct trap_source *source, const uint8_t *stream, uint64_t offset,
	      struct trap_decoded *decoded)
{
	uint32_t count = source->request.piece_count;
	uint64_t stream_bytes = 0;

	decoded->pieces = calloc(count, sizeof(decoded->pieces[0]));
	if (decoded->pieces == NULL)
		return no_memory(source);
	for (uint32_t i = 0; i < count; i++) {
		const volatile uint64_t *from =
		    (const volatile uint64_t *)(const void *)(stream + offset) + (size_t)i * 2;
		uint64_t words[2] = { from[0], from[1] };
		struct trap_piece_wire wire;

		_Static_assert(sizeof(wire) == sizeof(words), "a piece is two words");
		memcpy(&wire, words, sizeof(wire));
		if (!decode_piece(source, stream, &wire, &stream_bytes, &decoded->pieces[i]))
			return bad_data(source);
	}
	return KERN_SUCCESS;
}

kern_return_t
trap_decode(const struct trap_source *source, struct trap_decoded *decoded)
{
	const struct trap_request *request = &source->request;
	bool spills = (request->flags & TRAP_HAS_SPILL) != 0;
	bool has_tail = (request->flags & TRAP_HAS_TAIL) != 0;
	uint64_t table_offset = ((uint64_t)request->prefix_size_bytes + 7) & ~(uint64_t)7;
	uint64_t table_size = (uint64_t)request->piece_count * sizeof(struct trap_piece_wire);
	const uint8_t *stream = source->data;
	struct trap_frame *frame = &decoded->frame;
	kern_return_t code;

	if ((request->flags & ~KNOWN_FLAGS) != 0 || request->piece_count > PIECES_MAX ||
	    request->prefix_size_bytes > request->stream_size_bytes ||
	    (request->piece_count > 0 && table_offset + table_size > request->stream_size_bytes) ||
	    (has_tail && request->piece_count == 0))
		return bad_data(source);
	if (request->stream_size_bytes > (spills ? SPILL_MAX_BYTES : TRAP_DATA_SIZE))
		return request->number == BERTH_TRAP_MSG ? MACH_SEND_TOO_LARGE
							 : KERN_INVALID_ARGUMENT;
	if (spills) {
		code = read_spill(source, decoded);
		if (code != KERN_SUCCESS)
			return code;
		stream = decoded->spill;
	}
	if (request->piece_count > 0) {
		code = decode_pieces(source, stream, table_offset, decoded);
		if (code != KERN_SUCCESS)
			return code;
	}

	_Static_assert(TRAP_ARG_COUNT == KERNEL_ARG_COUNT, "wire and core count alike");
	frame->number = request->number;
	memcpy(frame->args, request->args, sizeof(frame->args));
	frame->bytes = request->prefix_size_bytes > 0 ? stream : NULL;
	frame->bytes_size = request->prefix_size_bytes;
	frame->has_tail = has_tail;
	frame->pieces = decoded->pieces;
	frame->piece_count = request->piece_count;
	frame->file = source->file;
	frame->subject = source->subject;
	if (has_tail) {
		frame->tail = decoded->pieces[0];
		frame->pieces++;
		frame->piece_count--;
	}
	return KERN_SUCCESS;
}

void
trap_decode_free(struct trap_decoded *decoded)
{
	free(decoded->pieces);
	free(decoded->spill);
	decoded->pieces = NULL;
	decoded->spill = NULL;
}
