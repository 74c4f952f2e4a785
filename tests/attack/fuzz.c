/* A task that asks for nonsense: see fuzz.h. */
#include "tests/attack/fuzz.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ALL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define SELF ((uint64_t)BERTH_NAME_TASK_SELF)
#define LIES_A_FRAME 50 /* about as many chances as a frame has */
#define SPILL_BYTES (256u << 10)
#define FUZZ_PORTS (FUZZ_NAMES / 3) /* the first names: ports with both rights, at first */

static uint32_t
below(struct fuzz *fuzz, uint32_t limit)
{
	return attack_random(&fuzz->seed) % limit;
}

static bool
one_in(struct fuzz *fuzz, uint32_t n)
{
	return below(fuzz, n) == 0;
}

/* Is it time for a lie?  What lies everywhere does not get far, so most frames lie once. */
static bool
lies(struct fuzz *fuzz, uint32_t n)
{
	return fuzz->honest ? fuzz->lie_after-- == 0 : one_in(fuzz, n * 3);
}

uint64_t
fuzz_extreme(struct fuzz *fuzz)
{
	static const uint64_t edges[] = {
		0,
		1,
		2,
		7,
		8,
		23,
		24,
		4095,
		4096,
		8192,
		TRAP_DATA_SIZE - 1,
		TRAP_DATA_SIZE,
		TRAP_DATA_SIZE + 1,
		65536,
		SPILL_BYTES,
		0x7fffffff,
		0x80000000,
		0xfffffff0,
		0xfffffff8,
		0xffffffff,
		0x100000000,
		0x7fffffffffffffff,
		0x8000000000000000,
		0xfffffffffffff000,
		0xffffffffffffffff,
	};

	if (one_in(fuzz, 8))
		return ((uint64_t)attack_random(&fuzz->seed) << 32) | attack_random(&fuzz->seed);
	return edges[below(fuzz, sizeof(edges) / sizeof(edges[0]))];
}

static mach_port_name_t
some_name(struct fuzz *fuzz)
{
	if (lies(fuzz, 10))
		return one_in(fuzz, 2) ? MACH_PORT_NULL : (mach_port_name_t)fuzz_extreme(fuzz);
	if (one_in(fuzz, 24))
		return BERTH_NAME_TASK_SELF;
	return fuzz->names[below(fuzz, one_in(fuzz, 3) ? FUZZ_NAMES : FUZZ_PORTS)];
}

/* ---- the task ----------------------------------------------------------------------- */

bool
fuzz_drain(struct fuzz *fuzz)
{
	struct pollfd look = { .fd = fuzz->task.socket_fd, .events = POLLIN };
	uint8_t bytes[512];
	unsigned fd_count;
	int fds[8];

	while (poll(&look, 1, 0) == 1) {
		ssize_t n = raw_receive(fuzz->task.socket_fd, bytes, sizeof(bytes), fds, &fd_count);

		while (fd_count > 0)
			close(fds[--fd_count]);
		if (n <= 0)
			return false;
	}
	return true;
}

void
fuzz_init(struct fuzz *fuzz, const struct raw_kernel *kernel, uint64_t seed)
{
	int ends[2];

	*fuzz = (struct fuzz){ .kernel = kernel, .seed = seed };
	fuzz->fds[0] = raw_memfd(0, 0, ALL_SEALS);
	fuzz->fds[1] = raw_memfd(1, 1, ALL_SEALS);
	fuzz->fds[2] = raw_memfd(65536, 2, ALL_SEALS);
	fuzz->fds[3] = raw_memfd(1 << 20, 3, ALL_SEALS);
	fuzz->fds[4] = raw_memfd(1 << 20, 4, 0);
	fuzz->fds[5] = raw_memfd(1 << 20, 5, F_SEAL_WRITE);
	fuzz->fds[6] = raw_memfd(1 << 20, 6, F_SEAL_SHRINK | F_SEAL_GROW);
	if (pipe2(ends, O_CLOEXEC) != 0)
		abort();
	fuzz->fds[7] = ends[0];
	fuzz->fds[8] = ends[1];
	fuzz->fds[9] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	fuzz->fds[10] = eventfd(0, EFD_CLOEXEC);
	fuzz->fds[11] = raw_memfd(SPILL_BYTES, 7, 0);
	fuzz->spill_fd = raw_memfd(SPILL_BYTES, 0, 0);
}

void
fuzz_attach(struct fuzz *fuzz)
{
	struct raw_task *task = &fuzz->task;

	*task = raw_task_new(fuzz->kernel);
	for (unsigned i = 0; i < FUZZ_SLOTS; i++)
		fuzz->slots[i] =
		    i == 0 ? task->welcome.slot_index
			   : raw_thread_new(task, i % 3 == 2 ? fuzz->slots[i - 1] : WIRE_NO_SLOT);
	for (unsigned i = 0; i < FUZZ_NAMES; i++) {
		uint32_t number = i < FUZZ_NAMES / 2 ? BERTH_TRAP_PORT_ALLOCATE
				  : i % 3 == 0       ? BERTH_TRAP_HOST_SELF
				  : i % 3 == 1       ? BERTH_TRAP_THREAD_SELF
						     : BERTH_TRAP_REPLY_PORT;

		if (i < FUZZ_PORTS) {
			fuzz->names[i] = raw_port(task, 0);
			continue;
		}
		raw_trap(task, 0, number, 2, SELF,
			 number == BERTH_TRAP_PORT_ALLOCATE ? (uint64_t)MACH_PORT_RIGHT_PORT_SET
							    : (uint64_t)0);
		fuzz->names[i] = (mach_port_name_t)raw_slot(task, 0)->reply.values[0];
	}
}

void
fuzz_detach(struct fuzz *fuzz)
{
	raw_task_free(&fuzz->task);
}

static void
renew(struct fuzz *fuzz)
{
	fuzz->renewed++;
	fuzz_detach(fuzz);
	fuzz_attach(fuzz);
}

void
fuzz_settle(struct fuzz *fuzz, unsigned index, unsigned patience_ms)
{
	struct trap_slot *slot = raw_slot(&fuzz->task, fuzz->slots[index]);
	uint64_t begun_ns = wait_now_ns(), one = 1;
	bool rang_empty = false;

	for (;;) {
		uint64_t ms = (wait_now_ns() - begun_ns) / 1000000;

		if (atomic_load(&slot->state) == TRAP_IDLE)
			return;
		if (atomic_load(&slot->state) == TRAP_DONE) {
			atomic_store(&slot->state, TRAP_IDLE);
			fuzz->answered++;
			fuzz->succeeded += slot->reply.code == KERN_SUCCESS;
			fuzz->interrupted += slot->reply.code == MACH_RCV_INTERRUPTED ||
					     slot->reply.code == MACH_SEND_INTERRUPTED;
			if (slot->reply.values[0] != 0 && one_in(fuzz, 4))
				fuzz->names[fuzz->name_next++ % FUZZ_NAMES] =
				    (mach_port_name_t)slot->reply.values[0];
			fuzz_drain(fuzz);
			return;
		}
		if (!fuzz_drain(fuzz)) {
			renew(fuzz);
			return;
		}
		if (ms >= FUZZ_HANG_MS) {
			printf("   a frame is never answered: trap %u, flags %u, stream %u, "
			       "prefix %u, pieces %u\n",
			       slot->request.number, slot->request.flags,
			       slot->request.stream_size_bytes, slot->request.prefix_size_bytes,
			       slot->request.piece_count);
			fflush(stdout);
			abort();
		}
		if (ms >= patience_ms) {
			atomic_store(&slot->cancel, 1);
			raw_ring(&fuzz->task, fuzz->slots[index]);
			if (write(fuzz->task.event_fd, &one, sizeof(one)) < 0)
				abort();
		}
		/* one that says that descriptors come is not looked at before they have */
		if (!fuzz->passed[index] && !rang_empty &&
		    (slot->request.flags & (TRAP_HAS_SPILL | TRAP_HAS_BULK | TRAP_HAS_FILE)) != 0) {
			raw_ring_with(&fuzz->task, fuzz->slots[index], NULL, 0);
			rang_empty = true;
		}
		atomic_store(&slot->task_sleeps, 1);
		wait_futex(&slot->state, TRAP_ASKED, wait_now_ns() + 1000000);
		atomic_store(&slot->task_sleeps, 0);
	}
}

/* ---- a message ---------------------------------------------------------------------- */

static uint32_t
some_disposition(struct fuzz *fuzz)
{
	return one_in(fuzz, 16)
		   ? below(fuzz, 256)
		   : MACH_MSG_TYPE_MOVE_RECEIVE +
			 below(fuzz, MACH_MSG_TYPE_MAKE_SEND_ONCE - MACH_MSG_TYPE_MOVE_RECEIVE + 1);
}

/* Where the bytes of a piece are: right, or past some edge. */
static struct trap_piece_wire
some_piece(struct fuzz *fuzz, uint32_t size, uint32_t stream_size)
{
	struct trap_piece_wire piece = { TRAP_PIECE_STREAM, size, 0 };

	if (size <= stream_size / 8)
		piece.offset_bytes = (stream_size - size) & ~7u;
	else
		piece.kind = TRAP_PIECE_BULK;
	if (one_in(fuzz, 4))
		piece.kind = TRAP_PIECE_BULK;
	fuzz->needs_bulk |= piece.kind == TRAP_PIECE_BULK;
	if (piece.kind == TRAP_PIECE_BULK)
		piece.offset_bytes = below(fuzz, 16) * 4096ull;
	if (lies(fuzz, 8))
		piece.kind = one_in(fuzz, 2) ? TRAP_PIECE_UNREADABLE : below(fuzz, 5);
	if (lies(fuzz, 8))
		piece.offset_bytes = fuzz_extreme(fuzz);
	if (lies(fuzz, 8))
		piece.size_bytes = (uint32_t)fuzz_extreme(fuzz);
	if (lies(fuzz, 8)) /* begins inside, ends outside */
		piece.offset_bytes = (stream_size - below(fuzz, size + 9)) & ~7u;
	if (lies(fuzz, 16)) /* the sum is nothing again */
		piece.offset_bytes = 0 - (uint64_t)piece.size_bytes + below(fuzz, 16);
	return piece;
}

/* One descriptor at @to; its size.  A piece is added for one with memory. */
static uint32_t
some_descriptor(struct fuzz *fuzz, uint8_t *to, struct trap_piece_wire *pieces,
		uint32_t *piece_count, uint32_t stream_size)
{
	static const uint32_t sizes[] = { 0, 1, 8, 64, 4096, 8192, 8193, 65536 };
	uint32_t size = sizes[below(fuzz, 8)];

	switch (below(fuzz, 4)) {
	case 0: {
		mach_msg_port_descriptor_t port = { .name = some_name(fuzz),
						    .disposition = some_disposition(fuzz),
						    .type = MACH_MSG_PORT_DESCRIPTOR };

		memcpy(to, &port, sizeof(port));
		return sizeof(port);
	}
	case 1: {
		mach_msg_ool_descriptor_t ool = { .address = (void *)0x1000,
						  .deallocate = (boolean_t)below(fuzz, 2),
						  .copy = below(fuzz, lies(fuzz, 4) ? 256 : 2),
						  .type = one_in(fuzz, 4)
							      ? MACH_MSG_OOL_VOLATILE_DESCRIPTOR
							      : MACH_MSG_OOL_DESCRIPTOR,
						  .size = size };

		memcpy(to, &ool, sizeof(ool));
		if (size != 0)
			pieces[(*piece_count)++] = some_piece(fuzz, size, stream_size);
		return sizeof(ool);
	}
	case 2: {
		uint32_t count = below(fuzz, 20);
		mach_msg_ool_ports_descriptor_t ports = { .address = (void *)0x1000,
							  .disposition = some_disposition(fuzz),
							  .copy =
							      below(fuzz, lies(fuzz, 4) ? 256 : 2),
							  .type = MACH_MSG_OOL_PORTS_DESCRIPTOR,
							  .count = count };

		memcpy(to, &ports, sizeof(ports));
		if (count != 0) {
			pieces[(*piece_count)++] = some_piece(fuzz, count * 4, stream_size);
			if (!lies(fuzz, 8)) /* names go in the stream only */
				pieces[*piece_count - 1] =
				    (struct trap_piece_wire){ TRAP_PIECE_STREAM, count * 4,
							      (stream_size - count * 4) & ~7u };
		}
		return sizeof(ports);
	}
	default: {
		mach_msg_guarded_port_descriptor_t guarded = { .context = fuzz_extreme(fuzz),
							       .flags = below(fuzz, 4),
							       .disposition =
								   MACH_MSG_TYPE_MOVE_RECEIVE,
							       .type =
								   MACH_MSG_GUARDED_PORT_DESCRIPTOR,
							       .name = some_name(fuzz) };

		memcpy(to, &guarded, sizeof(guarded));
		return sizeof(guarded);
	}
	}
}

/* A message into @stream; the request's sizes, nearly right. */
static void
some_message(struct fuzz *fuzz, uint8_t *stream, uint32_t stream_size, struct trap_request *request)
{
	struct trap_piece_wire pieces[40];
	uint32_t at = sizeof(mach_msg_header_t), piece_count = 0;
	mach_msg_header_t header = {
		.msgh_bits = MACH_MSGH_BITS(some_disposition(fuzz), 0),
		.msgh_remote_port = some_name(fuzz),
		.msgh_voucher_port = lies(fuzz, 8) ? some_name(fuzz) : 0,
		.msgh_id = (mach_msg_id_t)below(fuzz, 5000),
	};

	if (one_in(fuzz, 2)) {
		header.msgh_bits |= MACH_MSGH_BITS(0, some_disposition(fuzz));
		header.msgh_local_port = some_name(fuzz);
	}
	/* names in arrays of ports lie at the end of the stream */
	for (uint32_t i = 0; i < 20; i++) {
		mach_port_name_t name = some_name(fuzz);

		memcpy(stream + stream_size - (i + 1) * sizeof(name), &name, sizeof(name));
	}
	if (one_in(fuzz, 12)) {
		pieces[piece_count++] = some_piece(fuzz, below(fuzz, 3000) & ~3u, stream_size);
		request->flags |= TRAP_HAS_TAIL;
	}
	if (!one_in(fuzz, 3)) {
		uint32_t count = below(fuzz, one_in(fuzz, 10) ? 30 : 5);
		uint32_t said = lies(fuzz, 10) ? (uint32_t)fuzz_extreme(fuzz) : count;

		header.msgh_bits |= MACH_MSGH_BITS_COMPLEX;
		memcpy(stream + at, &said, sizeof(said));
		at += sizeof(said);
		for (uint32_t i = 0; i < count; i++)
			at += some_descriptor(fuzz, stream + at, pieces, &piece_count, stream_size);
	}
	if (lies(fuzz, 16))
		header.msgh_bits = attack_random(&fuzz->seed);
	at += below(fuzz, 8) * 4;
	header.msgh_size = lies(fuzz, 12) ? (uint32_t)fuzz_extreme(fuzz) : at;
	memcpy(stream, &header, sizeof(header));
	request->prefix_size_bytes = at;
	at = (at + 7) & ~7u;
	memcpy(stream + at, pieces, piece_count * sizeof(pieces[0]));
	request->piece_count = piece_count;
	request->stream_size_bytes = stream_size;
	request->args[1] = request->prefix_size_bytes;
	for (uint32_t i = lies(fuzz, 3) ? below(fuzz, 8) : 0; i > 0; i--)
		stream[below(fuzz, at + 64)] = (uint8_t)attack_random(&fuzz->seed);
}

/* ---- a frame ------------------------------------------------------------------------ */

static uint32_t
some_number(struct fuzz *fuzz)
{
	if (lies(fuzz, 4))
		return (uint32_t)fuzz_extreme(fuzz);
	switch (below(fuzz, 9)) {
	case 8:
		if (one_in(fuzz, 3))
			return BERTH_TRAP_MEMORY_ENTRY_MAKE + below(fuzz, 2);
		return one_in(fuzz, 2)
			   ? BERTH_TRAP_FILEPORT_MAKE + below(fuzz, 2)
			   : BERTH_TRAP_TASK_FOR_PID + below(fuzz, BERTH_TRAP_TASK_SUSPEND2 -
								       BERTH_TRAP_TASK_FOR_PID + 1);
	case 0:
		return below(fuzz, BERTH_TRAP_LIMIT + 4); /* also those between the known */
	case 1:
		return BERTH_TRAP_REPLY_PORT +
		       below(fuzz, BERTH_TRAP_GET_SPECIAL_REPLY_PORT - BERTH_TRAP_REPLY_PORT + 1);
	case 2:
		return BERTH_TRAP_TASK_GET_SPECIAL_PORT +
		       below(fuzz, BERTH_TRAP_PID_FOR_TASK - BERTH_TRAP_TASK_GET_SPECIAL_PORT + 1);
	case 3:
		return BERTH_TRAP_PORT_WATCH;
	default:
		return BERTH_TRAP_PORT_ALLOCATE +
		       below(fuzz, BERTH_TRAP_PORT_DNREQUEST_INFO - BERTH_TRAP_PORT_ALLOCATE + 1);
	}
}

static void
some_args(struct fuzz *fuzz, struct trap_request *request)
{
	for (unsigned i = 0; i < TRAP_ARG_COUNT; i++)
		request->args[i] = lies(fuzz, 4)     ? fuzz_extreme(fuzz)
				   : one_in(fuzz, 2) ? some_name(fuzz)
						     : below(fuzz, 8);
	if (request->number == BERTH_TRAP_MSG) {
		request->args[0] = MACH_SEND_MSG | MACH_RCV_MSG;
		if (one_in(fuzz, 2))
			request->args[0] = one_in(fuzz, 2) ? MACH_SEND_MSG : MACH_RCV_MSG;
		if (one_in(fuzz, 3))
			request->args[0] |=
			    attack_random(&fuzz->seed) & attack_random(&fuzz->seed) & 0xfffff;
		if (!one_in(fuzz, 12)) /* the others wait until they are interrupted */
			request->args[0] |= MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT;
		request->args[0] |= MACH_RCV_TRAILER_ELEMENTS(below(fuzz, 16));
		request->args[2] = lies(fuzz, 4) ? fuzz_extreme(fuzz) : 1024;
		request->args[3] = some_name(fuzz);
		request->args[4] = below(fuzz, 3);
		request->args[7] = lies(fuzz, 8) ? some_name(fuzz) : 0;
	} else if (!lies(fuzz, 10)) {
		request->args[0] = SELF;
		request->args[1] = some_name(fuzz);
		if (request->number == BERTH_TRAP_PORT_ALLOCATE)
			request->args[1] = below(fuzz, 6);
	}
	if (request->number == BERTH_TRAP_PORT_WATCH)
		request->args[0] = some_name(fuzz);
}

void
fuzz_ask(struct fuzz *fuzz, unsigned index, int *fds, unsigned *fd_count)
{
	static uint8_t spill[SPILL_BYTES];
	struct trap_slot *slot = raw_slot(&fuzz->task, fuzz->slots[index]);
	struct trap_request request = { .number = BERTH_TRAP_MSG };
	bool spills = one_in(fuzz, 3);
	uint8_t *stream = spills ? spill : slot->data;
	uint32_t size = spills ? 4096u << below(fuzz, 7) : 4096 + below(fuzz, 11) * 1024;

	fuzz->frames++;
	fuzz->needs_bulk = false;
	*fd_count = 0;
	fuzz->honest = !one_in(fuzz, 3);
	fuzz->lie_after = below(fuzz, LIES_A_FRAME);
	if (one_in(fuzz, 3))
		request.number = some_number(fuzz);
	some_args(fuzz, &request);
	if (request.number == BERTH_TRAP_MSG || lies(fuzz, 4)) {
		some_message(fuzz, stream, size, &request);
	} else if (one_in(fuzz, 2)) {
		request.stream_size_bytes = request.prefix_size_bytes = below(fuzz, 64) * 4;
		for (uint32_t i = 0; i < 64 * 4; i++)
			stream[i] = (uint8_t)attack_random(&fuzz->seed);
	}
	if (spills) {
		if (pwrite(fuzz->spill_fd, spill, size, 0) != (ssize_t)size)
			abort();
		request.flags |= TRAP_HAS_SPILL;
		fds[(*fd_count)++] =
		    one_in(fuzz, 6) ? fuzz->fds[below(fuzz, FUZZ_FDS)] : fuzz->spill_fd;
	}
	if (fuzz->needs_bulk || one_in(fuzz, 6)) {
		request.flags |= TRAP_HAS_BULK;
		fds[(*fd_count)++] = fuzz->fds[lies(fuzz, 3) ? below(fuzz, FUZZ_FDS) : 3];
	}
	if (request.number == BERTH_TRAP_TASK_FOR_PID && one_in(fuzz, 2))
		request.args[0] = (uint64_t)getpid();
	if (request.number == BERTH_TRAP_MEMORY_ENTRY_MAKE && one_in(fuzz, 2)) {
		request.args[0] = 0;
		request.args[1] = 1 + below(fuzz, 8192);
		request.args[2] = below(fuzz, 8);
		request.args[3] = 0;
	}
	if ((request.number == BERTH_TRAP_FILEPORT_MAKE ||
	     request.number == BERTH_TRAP_MEMORY_ENTRY_MAKE ||
	     request.number == BERTH_TRAP_TASK_FOR_PID) &&
	    !lies(fuzz, 4)) {
		request.flags = TRAP_HAS_FILE;
		fds[0] = fuzz->fds[below(fuzz, FUZZ_FDS)];
		*fd_count = 1;
	}
	/* what makes the rest lie */
	if (lies(fuzz, 10))
		request.flags ^=
		    one_in(fuzz, 4) ? attack_random(&fuzz->seed) : 1u << below(fuzz, 8);
	if (lies(fuzz, 12))
		request.stream_size_bytes = (uint32_t)fuzz_extreme(fuzz);
	if (lies(fuzz, 12))
		request.prefix_size_bytes = (uint32_t)fuzz_extreme(fuzz);
	if (lies(fuzz, 12))
		request.piece_count = (uint32_t)fuzz_extreme(fuzz);
	if (lies(fuzz, 20))
		request.piece_count = below(fuzz, 200000);
	if (lies(fuzz, 10))
		*fd_count = below(fuzz, 3);
	if (lies(fuzz, 40))
		*fd_count = 40;
	for (unsigned i = 0; i < *fd_count; i++)
		if (i >= 2 || lies(fuzz, 20) || fds[i] < 0)
			fds[i] = fuzz->fds[below(fuzz, FUZZ_FDS)];
	slot->request = request;
	atomic_store(&slot->cancel, one_in(fuzz, 50));
	slot->task_cpu = one_in(fuzz, 8) ? attack_random(&fuzz->seed) : wait_cpu();
	atomic_store_explicit(&slot->state, TRAP_ASKED, memory_order_release);
}

void
fuzz_ring(struct fuzz *fuzz, unsigned index, const int *fds, unsigned fd_count)
{
	uint64_t one = 1;

	fuzz->passed[index] = fd_count > 0;
	if (fd_count > 0) {
		raw_ring_with(&fuzz->task, fuzz->slots[index], fds, fd_count);
		return;
	}
	if (doorbell_ring(fuzz->task.doorbell, fuzz->slots[index]) &&
	    write(fuzz->task.event_fd, &one, sizeof(one)) < 0)
		abort();
}
