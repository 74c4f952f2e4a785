/*
 * Fuzzing of the kernel core: any bytes as frames of several threads of three tasks, with time,
 * interrupts and deaths between them.  Arguments are names that the task has seen as often as
 * they are noise.  The kernel proves itself (audit) after the last step and now and then
 * before; at the end all tasks die and nothing may be left.
 *
 * One step: a byte for what happens and to whom, then what that needs; see step().
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/input.h"
#include "tests/support/world.h"

#define TASKS 3u
#define THREADS 2u
#define KNOWN 16u /* names that a task remembers */
#define STEPS_MAX 300u
#define AUDIT_EVERY 16u
#define PIECES_MAX 4u
#define MESSAGE_MAX 512u

static mach_port_name_t known[TASKS][KNOWN];
static uint32_t known_next[TASKS];

static void
learn(uint32_t task, mach_port_name_t name)
{
	if (MACH_PORT_VALID(name))
		known[task][known_next[task]++ % KNOWN] = name;
}

static uint64_t
argument(struct input *input, uint32_t task)
{
	/* rights, dispositions, notification ids, flavors, limits: what has a meaning somewhere */
	static const uint32_t words[] = { 0,
					  1,
					  2,
					  3,
					  4,
					  5,
					  16,
					  17,
					  18,
					  19,
					  20,
					  21,
					  MACH_NOTIFY_PORT_DESTROYED,
					  MACH_NOTIFY_NO_SENDERS,
					  MACH_NOTIFY_SEND_POSSIBLE,
					  MACH_NOTIFY_DEAD_NAME,
					  MACH_PORT_DEAD,
					  (uint32_t)-1,
					  0x7fffffff,
					  1024 };
	uint8_t how = take_byte(input);

	switch (how >> 6) {
	case 0:
		return how & 63;
	case 1:
		return known[task][how % KNOWN];
	case 2:
		return words[(how & 63) % (sizeof(words) / sizeof(words[0]))];
	default:
		return take_word(input, how & 8 ? 8 : 4);
	}
}

/* ---- a message ----------------------------------------------------------------------------- */

struct letter {
	struct trap_frame frame;
	uint32_t words[MESSAGE_MAX / 4];
	struct kernel_piece pieces[PIECES_MAX];
	struct segment *segments[PIECES_MAX + 1];
	uint8_t bytes[256];
};

static struct kernel_piece
some_piece(struct world *w, struct input *input, struct letter *letter, uint32_t index)
{
	uint8_t kind = take_byte(input);
	struct kernel_piece piece = { .kind = kind % 3, .size_bytes = take_byte(input) };

	if (piece.kind == KERNEL_PIECE_BYTES) {
		piece.bytes = letter->bytes;
	} else if (piece.kind == KERNEL_PIECE_SEGMENT) {
		letter->segments[index] = segment_new(w, letter->bytes, sizeof(letter->bytes));
		piece.segment = &letter->segments[index]->core;
		piece.offset_bytes = kind >> 4;
		if (piece.offset_bytes + piece.size_bytes > sizeof(letter->bytes))
			piece.size_bytes = 8;
	}
	return piece;
}

static void
write_letter(struct world *w, struct input *input, uint32_t task, struct letter *letter)
{
	uint8_t shape = take_byte(input);
	uint32_t count = 6 + (take_byte(input) & 63);

	for (uint32_t i = 0; i < count; i++)
		letter->words[i] = (uint32_t)argument(input, task);
	letter->words[0] = (uint32_t)take_word(input, 4); /* msgh_bits */
	letter->words[1] = shape & 1 ? count * 4 : letter->words[1];
	if (shape & 2)
		letter->words[0] |= MACH_MSGH_BITS_COMPLEX;
	if (shape & 4)
		letter->frame.args[1] = count * 4; /* send size */
	letter->frame.bytes = letter->words;
	letter->frame.bytes_size = count * 4;
	for (uint32_t i = 0; i < sizeof(letter->bytes); i += 4) {
		uint32_t name = known[task][(shape + i) % KNOWN];
		memcpy(letter->bytes + i, &name, sizeof(name));
	}
	letter->frame.piece_count = (shape >> 3) % (PIECES_MAX + 1);
	for (uint32_t i = 0; i < letter->frame.piece_count; i++)
		letter->pieces[i] = some_piece(w, input, letter, i);
	letter->frame.pieces = letter->pieces;
	letter->frame.has_tail = shape >> 7;
	if (letter->frame.has_tail)
		letter->frame.tail = some_piece(w, input, letter, PIECES_MAX);
}

static void
learn_outcome(uint32_t task, const struct outcome *outcome)
{
	learn(task, (mach_port_name_t)outcome->values[0]);
	for (uint32_t at = 8; at + 4 <= outcome->bytes_size && at < 64; at += 4) {
		mach_port_name_t name;

		memcpy(&name, outcome->bytes + at, sizeof(name));
		if (name >= 0x100 && name < 0x100000)
			learn(task, name);
	}
}

static void
trap(struct input *input, struct actor *actor, uint32_t task)
{
	struct letter letter = { .frame = { 0 } };
	uint8_t number = take_byte(input);

	/* messages are most of what there is to find */
	letter.frame.number = number & 0x80 ? BERTH_TRAP_MSG : number % (BERTH_TRAP_LIMIT + 2);
	uint8_t argument_count = take_byte(input) % (KERNEL_ARG_COUNT + 1);
	for (uint32_t i = 0; i < argument_count; i++)
		letter.frame.args[i] = argument(input, task);
	if (letter.frame.number != BERTH_TRAP_MSG && (number & 0x40))
		letter.frame.args[0] = BERTH_NAME_TASK_SELF;
	if (letter.frame.number == BERTH_TRAP_MSG || argument_count > 6)
		write_letter(actor->world, input, task, &letter);
	if (world_trap(actor, &letter.frame))
		learn_outcome(task, &actor->outcome);
	for (uint32_t i = 0; i <= PIECES_MAX; i++)
		if (letter.segments[i] != NULL)
			segment_drop(letter.segments[i]);
}

/* ---- steps --------------------------------------------------------------------------------- */

static void
step(struct world *w, struct input *input, struct party **alive)
{
	uint8_t what = take_byte(input);
	uint32_t task = what % TASKS;
	struct party *party = alive[task];
	struct actor *actor = &party->actors[(what >> 2) % THREADS];

	if (what >= 250) { /* death, and another task in its place */
		struct party *parent = alive[(task + 1) % TASKS];
		if (w->party_count == WORLD_TASKS_MAX)
			return;
		world_task_die(party);
		alive[task] = world_task_new(w, parent);
		world_thread_new(alive[task]);
		memset(known[task], 0, sizeof(known[task]));
		learn(task, BERTH_NAME_BOOTSTRAP);
	} else if (what >= 244) {
		world_advance_ms(w, take_byte(input));
	} else if (actor->thread == NULL) {
		return;
	} else if (actor->done) {
		learn_outcome(task, world_completed(actor));
	} else if (actor->parked || what >= 240) {
		world_interrupt(actor);
	} else if (what == 239) {
		world_thread_exit(actor);
	} else {
		trap(input, actor, task);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, bytes + size };
	struct world *w = world_new(TASKS);
	struct party *alive[TASKS];

	memset(known, 0, sizeof(known));
	memset(known_next, 0, sizeof(known_next));
	w->quiet_audit = true;
	for (uint32_t task = 0; task < TASKS; task++) {
		alive[task] = &w->parties[task];
		world_thread_new(alive[task]);
		learn(task, BERTH_NAME_TASK_SELF);
		learn(task, alive[task]->mailbox);
		for (uint32_t other = 0; other < TASKS; other++)
			if (other != task)
				learn(task, alive[task]->mailbox_of[other]);
	}
	for (uint32_t i = 0; input.at < input.end && i < STEPS_MAX; i++) {
		step(w, &input, alive);
		if (i % AUDIT_EVERY == 0)
			kernel_audit(w->kernel);
	}
	kernel_audit(w->kernel);
	world_free(w);
	return 0;
}
