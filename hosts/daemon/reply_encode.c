/*
 * The result of a trap, as the stream that the task reads.
 *
 * It goes into the slot if it fits, else into a memfd of its own.  Bulk pieces are passed
 * as the one memfd that the sender made; where a message gathers several, they are copied
 * together, so that a receiver never has to deal with more than one.
 */
#include "hosts/daemon/berthd.h"
#include "hosts/daemon/trap_codec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define PAGE_BYTES 4096u
#define STREAM_MAX_BYTES (1u << 30)

static uint64_t
align(uint64_t value, uint64_t to)
{
	return (value + to - 1) & ~(to - 1);
}

/* Piece @index of a result, where the tail counts as the first. */
static const struct kernel_piece *
piece_at(const struct trap_result *result, uint32_t index)
{
	if (!result->has_tail)
		return &result->pieces[index];
	return index == 0 ? &result->tail : &result->pieces[index - 1];
}

static uint32_t
piece_count(const struct trap_result *result)
{
	return result->piece_count + (result->has_tail ? 1 : 0);
}

uint64_t
reply_stream_size(const struct trap_result *result)
{
	uint64_t size = (uint64_t)result->bytes_size + result->trailer_size;

	if (piece_count(result) > 0)
		size =
		    align(size, 8) + (uint64_t)piece_count(result) * sizeof(struct trap_piece_wire);
	for (uint32_t i = 0; i < piece_count(result); i++) {
		const struct kernel_piece *piece = piece_at(result, i);

		if (piece->kind == KERNEL_PIECE_BYTES)
			size = align(size, 8) + piece->size_bytes;
		if (size > STREAM_MAX_BYTES)
			return UINT64_MAX;
	}
	return size;
}

/* Copies @size bytes to @offset and clears what alignment left before it. */
static uint64_t
put(uint8_t *to, uint64_t end, uint64_t offset, const void *bytes, size_t size)
{
	if (offset > end)
		memset(to + end, 0, (size_t)(offset - end));
	if (size > 0)
		memcpy(to + offset, bytes, size);
	return offset + size;
}

void
reply_write_stream(const struct trap_result *result, const uint64_t *bulk_offsets, uint8_t *to)
{
	uint32_t count = piece_count(result);
	uint64_t end = put(to, 0, 0, result->bytes, result->bytes_size);

	end = put(to, end, end, result->trailer, result->trailer_size);
	if (count == 0)
		return;

	uint64_t table = align(end, 8);
	uint64_t bytes_end = table + (uint64_t)count * sizeof(struct trap_piece_wire);

	put(to, end, table, NULL, 0);
	for (uint32_t i = 0; i < count; i++) {
		const struct kernel_piece *piece = piece_at(result, i);
		struct trap_piece_wire wire = { .size_bytes = piece->size_bytes };

		switch (piece->kind) {
		case KERNEL_PIECE_UNREADABLE:
			wire.kind = TRAP_PIECE_UNREADABLE;
			break;
		case KERNEL_PIECE_BYTES:
			wire.kind = TRAP_PIECE_STREAM;
			wire.offset_bytes = align(bytes_end, 8);
			bytes_end =
			    put(to, bytes_end, wire.offset_bytes, piece->bytes, piece->size_bytes);
			break;
		case KERNEL_PIECE_SEGMENT:
			wire.kind = TRAP_PIECE_BULK;
			wire.offset_bytes =
			    bulk_offsets != NULL ? bulk_offsets[i] : piece->offset_bytes;
			break;
		}
		memcpy(to + table + (uint64_t)i * sizeof(wire), &wire, sizeof(wire));
	}
}

/* ---- bulk -------------------------------------------------------------------------- */

static int
copy_range(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t size)
{
	off_t at = (off_t)from_offset;

	if (lseek(to, (off_t)to_offset, SEEK_SET) < 0)
		return -errno;
	while (size > 0) {
		ssize_t n = sendfile(to, from, &at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		size -= (uint64_t)n;
	}
	return 0;
}

/* Copies the pieces of several segments into one sealed memfd.  0, -errno. */
static int
gather_bulk(const struct trap_result *result, uint64_t *offsets, int *fd_out)
{
	int fd = memfd_create("berth-bulk", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint64_t end = 0;
	int error = 0;

	if (fd < 0)
		return -errno;
	for (uint32_t i = 0; i < piece_count(result) && error == 0; i++) {
		const struct kernel_piece *piece = piece_at(result, i);

		offsets[i] = end;
		if (piece->kind != KERNEL_PIECE_SEGMENT)
			continue;
		error = copy_range(bulk_fd(piece->segment), piece->offset_bytes, fd, end,
				   piece->size_bytes);
		end = align(end + piece->size_bytes, PAGE_BYTES);
	}
	if (error == 0 && ftruncate(fd, (off_t)end) != 0)
		error = -errno;
	if (error == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
		error = -errno;
	if (error != 0) {
		close(fd);
		return error;
	}
	*fd_out = fd;
	return 0;
}

/* The one segment that all bulk pieces lie in; NULL: none, or several (@several). */
static const struct kernel_segment *
only_segment(const struct trap_result *result, bool *several)
{
	const struct kernel_segment *only = NULL;

	*several = false;
	for (uint32_t i = 0; i < piece_count(result); i++) {
		const struct kernel_piece *piece = piece_at(result, i);

		if (piece->kind != KERNEL_PIECE_SEGMENT)
			continue;
		if (only != NULL && only != piece->segment) {
			*several = true;
			return NULL;
		}
		only = piece->segment;
	}
	return only;
}

/* ---- all of it --------------------------------------------------------------------- */

static int
spill(const uint8_t *bytes, size_t size, int *fd_out)
{
	int fd = memfd_create("berth-spill", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;

	if (fd < 0)
		return -errno;
	while (done < size) {
		ssize_t n = pwrite(fd, bytes + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int error = n < 0 ? -errno : -ENOSPC;

			close(fd);
			return error;
		}
		done += (size_t)n;
	}
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	*fd_out = fd;
	return 0;
}

/* Bulk and stream.  What was made by then is released by the caller on failure, too. */
static int
encode(struct host *host, const struct trap_result *result, uint64_t stream_size, uint8_t *data,
       struct reply_encoded *encoded, uint64_t **offsets)
{
	bool several;
	const struct kernel_segment *only = only_segment(result, &several);
	int error;

	encoded->carrier = only != NULL ? bulk_carrier(only) : NULL;
	if (encoded->carrier != NULL && !carrier_leads_to(encoded->carrier, encoded->receiver)) {
		/* its other end is somebody who is not to see more of it */
		encoded->carrier = NULL;
		several = true;
	}
	if (encoded->carrier != NULL) {
		encoded->reply.carrier = carrier_show(encoded->carrier, &encoded->bulk_fd);
		encoded->reply.flags |= TRAP_HAS_CARRIER;
	} else if (only != NULL && !several) {
		encoded->bulk_fd = bulk_fd(only);
	} else if (several) {
		*offsets = calloc(piece_count(result), sizeof(**offsets));
		if (*offsets == NULL)
			return -ENOMEM;
		error = gather_bulk(result, *offsets, &encoded->bulk_fd);
		if (error != 0)
			return error;
		encoded->bulk_is_ours = true;
	}
	if (stream_size <= encoded->capacity) {
		reply_write_stream(result, *offsets, data);
		return 0;
	}
	uint8_t *scratch = host_scratch(host, (size_t)stream_size);

	if (scratch == NULL)
		return -ENOMEM;
	reply_write_stream(result, *offsets, scratch);
	return spill(scratch, (size_t)stream_size, &encoded->spill_fd);
}

int
reply_encode(struct host *host, const struct trap_result *result, uint8_t *data,
	     struct reply_encoded *encoded)
{
	uint64_t stream_size = reply_stream_size(result);
	uint64_t *offsets = NULL;
	int error;

	encoded->spill_fd = -1;
	encoded->bulk_fd = -1;
	encoded->bulk_is_ours = false;
	encoded->carrier = NULL;
	encoded->reply = (struct trap_reply){ .code = result->code };
	_Static_assert(TRAP_VALUE_COUNT == KERNEL_VALUE_COUNT, "wire and core count alike");
	memcpy(encoded->reply.values, result->values, sizeof(encoded->reply.values));
	encoded->reply.guard = (struct trap_guard){
		.code = result->guard.code,
		.subcode = result->guard.subcode,
		.name_type = result->guard.name_type,
		.name_refs = result->guard.name_refs,
	};
	if (stream_size == UINT64_MAX) {
		encoded->reply.code = KERN_RESOURCE_SHORTAGE;
		return 0;
	}
	error = encode(host, result, stream_size, data, encoded, &offsets);
	free(offsets);
	if (error != 0) {
		reply_encoded_free(encoded);
		return error;
	}
	encoded->reply.stream_size_bytes = (uint32_t)stream_size;
	encoded->reply.prefix_size_bytes = result->bytes_size;
	encoded->reply.piece_count = piece_count(result);
	if (result->has_tail)
		encoded->reply.flags |= TRAP_HAS_TAIL;
	if (encoded->spill_fd >= 0)
		encoded->reply.flags |= TRAP_HAS_SPILL;
	if (encoded->bulk_fd >= 0)
		encoded->reply.flags |= TRAP_HAS_BULK;
	return 0;
}

void
reply_encoded_free(struct reply_encoded *encoded)
{
	if (encoded->spill_fd >= 0)
		close(encoded->spill_fd);
	if (encoded->bulk_is_ours && encoded->bulk_fd >= 0)
		close(encoded->bulk_fd);
	encoded->spill_fd = -1;
	encoded->bulk_fd = -1;
}
