/*
 * Fuzzing of messages that are nearly right: a list of descriptors of all kinds with rights that
 * the sender has, arrays of rights, memory in the message and in segments, from several threads
 * of three tasks to one another; who receives uses any options.  Noise as whole frames is the
 * business of traps.c.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/input.h"
#include "tests/support/world.h"

#define TASKS 3u
#define THREADS 2u
#define KNOWN 8u
#define DESCRIPTORS_MAX 6u
#define STEPS_MAX 120u
#define AUDIT_EVERY 16u

static mach_port_name_t known[TASKS][KNOWN];
static uint32_t known_next[TASKS];

static void
learn(uint32_t task, mach_port_name_t name)
{
	if (MACH_PORT_VALID(name))
		known[task][known_next[task]++ % KNOWN] = name;
}

struct letter {
	struct trap_frame frame;
	_Alignas(8) uint8_t bytes[512];
	uint32_t size;
	struct kernel_piece pieces[DESCRIPTORS_MAX];
	struct segment *segments[DESCRIPTORS_MAX];
	uint32_t piece_count;
	mach_port_name_t names[DESCRIPTORS_MAX][8];
	uint8_t memory[DESCRIPTORS_MAX][64];
};

static void
append(struct letter *letter, const void *bytes, uint32_t size)
{
	memcpy(letter->bytes + letter->size, bytes, size);
	letter->size += size;
}

/* What a descriptor of @size bytes points to. */
static void
add_piece(struct world *w, struct input *input, struct letter *letter, const void *bytes,
	  uint32_t size, bool may_be_segment)
{
	uint8_t how = take_byte(input);
	uint32_t index = letter->piece_count++;
	struct kernel_piece piece = { .kind = KERNEL_PIECE_BYTES,
				      .size_bytes = size,
				      .bytes = bytes };

	if (how == 255) {
		piece =
		    (struct kernel_piece){ .kind = KERNEL_PIECE_UNREADABLE, .size_bytes = size };
	} else if (may_be_segment && how & 1) {
		letter->segments[index] = segment_new(w, bytes, size);
		piece = (struct kernel_piece){ .kind = KERNEL_PIECE_SEGMENT,
					       .size_bytes = size,
					       .segment = &letter->segments[index]->core };
	}
	letter->pieces[index] = piece;
}

static void
add_descriptor(struct world *w, struct input *input, uint32_t task, struct letter *letter)
{
	uint8_t what = take_byte(input),
		disposition = take_byte(input) % 8 + MACH_MSG_TYPE_MOVE_RECEIVE;
	uint32_t index = letter->piece_count, count = take_byte(input) % 9;

	switch (what % 5) {
	case MACH_MSG_PORT_DESCRIPTOR: {
		mach_msg_port_descriptor_t right = { .name = known[task][count % KNOWN],
						     .disposition = disposition,
						     .type = MACH_MSG_PORT_DESCRIPTOR };
		append(letter, &right, sizeof(right));
		break;
	}
	case MACH_MSG_OOL_PORTS_DESCRIPTOR: {
		mach_msg_ool_ports_descriptor_t ports = { .address = letter->names[index],
							  .count = count,
							  .deallocate = what >> 7,
							  .copy = what >> 6 & 1,
							  .disposition = disposition,
							  .type = MACH_MSG_OOL_PORTS_DESCRIPTOR };
		for (uint32_t i = 0; i < 8; i++)
			letter->names[index][i] = known[task][(i + what / 5) % KNOWN];
		ports.count = count % 9;
		append(letter, &ports, sizeof(ports));
		if (ports.count > 0)
			add_piece(w, input, letter, letter->names[index], ports.count * 4, false);
		break;
	}
	case 4: { /* a guarded right */
		mach_msg_guarded_port_descriptor_t right = { .context = disposition,
							     .flags = what >> 3,
							     .disposition =
								 MACH_MSG_TYPE_MOVE_RECEIVE,
							     .type =
								 MACH_MSG_GUARDED_PORT_DESCRIPTOR,
							     .name = known[task][count % KNOWN] };
		append(letter, &right, sizeof(right));
		break;
	}
	default: {
		mach_msg_ool_descriptor_t ool = { .address = letter->memory[index],
						  .size = count * 7,
						  .deallocate = what >> 7,
						  .copy = what >> 6 & 1,
						  .type = what % 5 };
		append(letter, &ool, sizeof(ool));
		if (ool.size > 0)
			add_piece(w, input, letter, letter->memory[index], ool.size, true);
		break;
	}
	}
}

static void
step_send(struct world *w, struct input *input, struct actor *actor, uint32_t task)
{
	struct letter letter = { .size = 0 };
	uint8_t shape = take_byte(input);
	uint32_t count = shape % (DESCRIPTORS_MAX + 1);
	mach_msg_base_t base = {
		.header = { .msgh_bits = MACH_MSGH_BITS_SET(
				take_byte(input) % 8 + MACH_MSG_TYPE_MOVE_RECEIVE,
				shape & 0x40 ? take_byte(input) % 8 + MACH_MSG_TYPE_MOVE_RECEIVE
					     : 0,
				0, count > 0 ? MACH_MSGH_BITS_COMPLEX : 0),
			    .msgh_remote_port = known[task][take_byte(input) % KNOWN] },
		.body = { .msgh_descriptor_count = count },
	};

	if (shape & 0x40)
		base.header.msgh_local_port = known[task][take_byte(input) % KNOWN];
	append(&letter, &base, count > 0 ? sizeof(base) : sizeof(base.header));
	for (uint32_t i = 0; i < count; i++)
		add_descriptor(w, input, task, &letter);
	uint32_t body = take_byte(input) % 64 & ~3u;
	letter.size += body;
	((mach_msg_header_t *)(void *)letter.bytes)->msgh_size = letter.size;
	letter.frame = (struct trap_frame){
		.number = BERTH_TRAP_MSG,
		.args = { MACH_SEND_MSG | (shape & 0x80 ? MACH_SEND_TIMEOUT : 0), letter.size },
		.bytes = letter.bytes,
		.bytes_size = letter.size,
		.pieces = letter.pieces,
		.piece_count = letter.piece_count,
	};
	world_trap(actor, &letter.frame);
	for (uint32_t i = 0; i < DESCRIPTORS_MAX; i++)
		if (letter.segments[i] != NULL)
			segment_drop(letter.segments[i]);
}

static void
learn_outcome(uint32_t task, const struct outcome *outcome)
{
	for (uint32_t at = 8; at + 4 <= outcome->bytes_size && at < 128; at += 4) {
		mach_port_name_t name;

		memcpy(&name, outcome->bytes + at, sizeof(name));
		if (name >= 0x100 && name < 0x100000)
			learn(task, name);
	}
}

static void
step(struct world *w, struct input *input)
{
	uint8_t what = take_byte(input);
	uint32_t task = what % TASKS;
	struct actor *actor = &w->parties[task].actors[what / TASKS % THREADS];

	if (actor->done) {
		learn_outcome(task, world_completed(actor));
	} else if (actor->parked) {
		world_interrupt(actor);
	} else if (what < 160) {
		step_send(w, input, actor, task);
	} else if (what < 240) {
		uint8_t how = take_byte(input);
		struct trap_frame frame = {
			.number = BERTH_TRAP_MSG,
			.args = { MACH_RCV_MSG | (how & 1 ? MACH_RCV_TIMEOUT : 0) |
				      (how & 2 ? MACH_RCV_LARGE : 0) |
				      (how & 4 ? MACH_RCV_GUARDED_DESC : 0) |
				      (how & 8 ? MACH_RCV_VOUCHER : 0),
				  0, how & 16 ? 64 : 1024, known[task][how >> 5] },
		};
		if (world_trap(actor, &frame))
			learn_outcome(task, &actor->outcome);
	} else {
		struct trap_frame frame = { .number = BERTH_TRAP_PORT_ALLOCATE,
					    .args = { BERTH_NAME_TASK_SELF,
						      MACH_PORT_RIGHT_RECEIVE } };
		if (world_trap(actor, &frame))
			learn(task, (mach_port_name_t)actor->outcome.values[0]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, bytes + size };
	struct world *w = world_new_quiet(TASKS);

	memset(known, 0, sizeof(known));
	memset(known_next, 0, sizeof(known_next));
	for (uint32_t task = 0; task < TASKS; task++) {
		world_thread_new(&w->parties[task]);
		learn(task, w->parties[task].mailbox);
		for (uint32_t other = 0; other < TASKS; other++)
			if (other != task)
				learn(task, w->parties[task].mailbox_of[other]);
	}
	for (uint32_t i = 0; input.at < input.end && i < STEPS_MAX; i++) {
		step(w, &input);
		if (i % AUDIT_EVERY == 0)
			kernel_audit(w->kernel);
	}
	kernel_audit(w->kernel);
	world_free(w);
	return 0;
}
