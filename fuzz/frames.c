/*
 * Fuzzing of the border between library and berthd: any bytes as requests in the slots of two
 * threads each of two tasks, and as the memory that they hand over.  What is decoded goes into
 * a kernel core, which proves itself after every few steps and at the end.
 *
 * One request: a byte for the thread and for what comes along, the request's fields as small
 * numbers or noise, then the stream.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "fuzz/input.h"
#include "hosts/daemon/berthd.h"
#include "hosts/daemon/trap_codec.h"
/* the daemon has a function of that name, which is not meant here */
#define file_new world_file_new
#include "tests/support/world.h"
#undef file_new

#define TASKS 2u
#define THREADS 2u
#define REQUESTS_MAX 64u
#define STREAM_MAX 640u
#define SEGMENT_BYTES 8192u
#define AUDIT_EVERY 8u

static const uint8_t segment_bytes[SEGMENT_BYTES];

/* A size: small and aligned, small, a border, or anything. */
static uint32_t
some_size(struct input *input)
{
	static const uint32_t borders[] = { TRAP_DATA_SIZE, TRAP_DATA_SIZE + 1, SPILL_MAX_BYTES + 1,
					    UINT32_MAX,     UINT32_MAX - 7,     4096,
					    PIECES_MAX,     PIECES_MAX + 1 };
	uint8_t how = take_byte(input);

	switch (how >> 6) {
	case 0:
		return (how & 63u) * 8;
	case 1:
		return how & 63u;
	case 2:
		return borders[how % 8];
	default:
		return (uint32_t)take_word(input, 4);
	}
}

/* What is decoded lies within what was handed over. */
static void
must_lie_within(const struct trap_source *source, const struct trap_decoded *decoded,
		const struct kernel_piece *piece)
{
	const uint8_t *stream = decoded->spill != NULL ? decoded->spill : source->data;
	uint64_t size = source->request.stream_size_bytes;

	if (piece->kind == KERNEL_PIECE_BYTES) {
		const uint8_t *bytes = piece->bytes;

		if (bytes < stream || bytes + piece->size_bytes > stream + size)
			abort();
	} else if (piece->kind == KERNEL_PIECE_SEGMENT) {
		if (piece->segment != source->bulk ||
		    piece->offset_bytes + piece->size_bytes > SEGMENT_BYTES)
			abort();
	}
}

static int
spill_new(const uint8_t *bytes, size_t size)
{
	int fd = memfd_create("fuzz spill", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		abort();
	return fd;
}

static void
request(struct world *w, struct input *input)
{
	static _Alignas(8) uint8_t data[TRAP_DATA_SIZE];
	static uint32_t used; /* the rest is zeroes */
	struct trap_source source = { .data = data, .spill_fd = -1 };
	struct trap_decoded decoded = { 0 };
	struct segment *segment = NULL;
	uint8_t what = take_byte(input), more = take_byte(input);
	struct actor *actor = &w->parties[what % TASKS].actors[what >> 1 & (THREADS - 1)];
	uint32_t size = 8 * (take_byte(input) % (STREAM_MAX / 8));

	source.request.number =
	    more & 1 ? BERTH_TRAP_MSG : take_byte(input) % (BERTH_TRAP_LIMIT + 2);
	source.request.flags = what >> 2 & 7 ? (uint32_t)(what >> 2 & 15) : take_byte(input);
	source.request.stream_size_bytes = more & 2 ? some_size(input) : size;
	source.request.prefix_size_bytes = some_size(input);
	source.request.piece_count = more & 4 ? some_size(input) : (more >> 5);
	for (uint32_t i = 0; i < TRAP_ARG_COUNT; i++)
		source.request.args[i] = some_size(input);
	if (more & 8) /* a send, or a receive */
		source.request.args[0] = take_byte(input) & 1 ? MACH_SEND_MSG : MACH_RCV_MSG;
	for (uint32_t at = 0; at < size; at += 4) {
		uint8_t how = take_byte(input);
		uint32_t word = how & 0x80 ? (uint32_t)take_word(input, 4) : how;

		memcpy(data + at, &word, sizeof(word));
	}
	if (size < used)
		memset(data + size, 0, used - size);
	used = size;
	if (source.request.flags & TRAP_HAS_SPILL && (more & 16) == 0)
		source.spill_fd = spill_new(data, size);
	if (source.request.flags & TRAP_HAS_BULK) {
		segment = segment_new(w, segment_bytes, SEGMENT_BYTES);
		source.bulk = &segment->core;
	}
	if (trap_decode(&source, &decoded) == KERN_SUCCESS) {
		if (decoded.frame.has_tail)
			must_lie_within(&source, &decoded, &decoded.frame.tail);
		for (uint32_t i = 0; i < decoded.frame.piece_count; i++)
			must_lie_within(&source, &decoded, &decoded.frame.pieces[i]);
		if (actor->done)
			world_completed(actor);
		else if (actor->parked)
			world_interrupt(actor);
		else
			world_trap(actor, &decoded.frame);
	}
	trap_decode_free(&decoded);
	if (segment != NULL)
		segment_drop(segment);
	if (source.spill_fd >= 0)
		close(source.spill_fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, bytes + size };
	struct world *w = world_new_quiet(TASKS);

	for (uint32_t i = 0; i < TASKS; i++)
		world_thread_new(&w->parties[i]);
	for (uint32_t i = 0; input.at < input.end && i < REQUESTS_MAX; i++) {
		request(w, &input);
		if (i % AUDIT_EVERY == 0)
			kernel_audit(w->kernel);
	}
	kernel_audit(w->kernel);
	world_free(w);
	return 0;
}
