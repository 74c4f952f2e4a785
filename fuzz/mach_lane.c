/*
 * Fuzzing of lanes in the kernel core: two hostile tasks write what they like into all memory
 * that they can reach, between steps that a library would make and traps of everybody.
 *
 *	A, B  hostile      C, D  honest      lanes: A to B, A to C, C to B, B to A, C to D
 *
 * The kernel proves itself after each step.  The honest ones prove that what they were promised
 * holds: messages of C come to D once and in order, each request of C ends once, and C holds the
 * rights that it was given and no others.
 *
 * One step: a byte for what happens, then what that needs; see step().
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/input.h"
#include "tests/support/calls.h"
#include "tests/support/lanes.h"

enum { A, B, C, D, TASKS };
enum { A_TO_B, A_TO_C, C_TO_B, B_TO_A, C_TO_D, LANES };

#define STEPS_MAX 200u
#define HELD_MAX 64u /* rights to answer that C keeps: others it drops at once */
#define COPY MACH_MSG_TYPE_COPY_SEND

static const struct {
	uint8_t from, to;
} ways[LANES] = { { A, B }, { A, C }, { C, B }, { B, A }, { C, D } };

struct scene {
	struct world *w;
	struct actor *actors[TASKS];
	struct lane_ends lanes[LANES];
	bool is_open[LANES];
	uint32_t generations[LANES]; /* of the receiver's row: another lane may have it later */
	bool is_dead[TASKS];
	mach_port_name_t replies[TASKS]; /* a receive right of each */
	uint32_t bindings[LANES];
	/* of A's requests, what C has to answer */
	mach_port_name_t held[HELD_MAX];
	uint32_t held_calls[HELD_MAX], held_count;
	uint32_t names_of_c; /* without those */
	uint32_t asked, answered;
	int32_t sent, received; /* from C to D: numbers */
};

static struct lane_taken taken;
static struct received came;

#define must(holds) ((holds) ? (void)0 : broken(#holds, __LINE__))

static _Noreturn void
broken(const char *what, int line)
{
	fprintf(stderr, "line %d: not so: %s\n", line, what);
	abort();
}

/* ---- what a library does ------------------------------------------------------------------- */

static void
open_lane(struct scene *s, uint32_t which)
{
	struct actor *from = s->actors[ways[which].from], *to = s->actors[ways[which].to];
	struct lane_ends *lane = &s->lanes[which], fresh = { .sender = from, .receiver = to };

	if (s->is_dead[ways[which].from] || s->is_dead[ways[which].to] ||
	    (s->is_open[which] && !lane_is_closed(lane)))
		return;
	fresh.right = from->party->mailbox_of[ways[which].to];
	fresh.sender_table = lane_begin(from);
	fresh.receiver_table = lane_begin(to);
	if (trap(from, BERTH_TRAP_LANE_OPEN, fresh.right, 0, 0, 0, 0, 0) != KERN_SUCCESS)
		return;
	fresh.shared = from->outcome.shared;
	fresh.sender_number = (uint32_t)from->outcome.values[0];
	if (trap(from, BERTH_TRAP_LANE_GATES, fresh.sender_number, 0, 0, 0, 0, 0) != KERN_SUCCESS)
		return;
	fresh.gates = from->outcome.shared;
	/* what others have opened meanwhile is accepted, too: then this one comes later */
	while (trap(to, BERTH_TRAP_LANE_ACCEPT, 0, 0, 0, 0, 0, 0) == KERN_SUCCESS)
		if (to->outcome.shared == fresh.shared)
			fresh.receiver_number = (uint32_t)to->outcome.values[0];
	*lane = fresh;
	s->generations[which] = fresh.receiver_table->entries[fresh.receiver_number].generation;
	s->is_open[which] = true;
	s->bindings[which] = LANE_NO_ANSWER;
	if (trap(from, BERTH_TRAP_LANE_BIND, fresh.sender_number, s->replies[ways[which].from], 0,
		 0, 0, 0) != KERN_SUCCESS)
		return;
	s->bindings[which] = (uint32_t)from->outcome.values[0];
	lane->bound[s->bindings[which]] = s->replies[ways[which].from];
	lane->bound_port[s->bindings[which]] = (uint32_t)from->outcome.values[1];
}

/* For its receiver, as the library sees when it maps anew. */
static bool
is_same(const struct scene *s, uint32_t which)
{
	const struct lane_ends *lane = &s->lanes[which];

	return s->is_open[which] &&
	       lane->receiver_table->entries[lane->receiver_number].generation ==
		   s->generations[which];
}

static void
hold(struct scene *s, mach_port_name_t name, uint32_t call)
{
	if (!MACH_PORT_VALID(name))
		return;
	if (s->held_count == HELD_MAX) {
		must(port_deallocate(s->actors[C], name) == KERN_SUCCESS);
		return;
	}
	s->held_calls[s->held_count] = call;
	s->held[s->held_count++] = name;
}

static void
came_to_d(struct scene *s, const mach_msg_header_t *header)
{
	must(header->msgh_id == ++s->received);
}

static void
send_by(struct scene *s, uint32_t which, bool by_lane, bool asks)
{
	struct actor *from = s->actors[ways[which].from];
	struct message m = message_to(from->party->mailbox_of[ways[which].to], COPY);
	bool is_sent;

	if (s->is_dead[ways[which].from])
		return;
	message_id(&m, which == C_TO_D ? s->sent + 1 : 1);
	if (by_lane) {
		uint32_t binding = asks && which != C_TO_D ? s->bindings[which] : LANE_NO_ANSWER;

		if (!s->is_open[which])
			return;
		asks = binding != LANE_NO_ANSWER;
		is_sent = lane_put(&s->lanes[which], &m, binding);
	} else {
		asks = asks && which != C_TO_D;
		if (asks)
			message_reply(&m, s->replies[ways[which].from],
				      MACH_MSG_TYPE_MAKE_SEND_ONCE);
		kern_return_t kr = msg_send(from, &m, MACH_SEND_TIMEOUT, 0);

		is_sent = kr == MACH_MSG_SUCCESS;
		if (kr == MACH_SEND_TIMED_OUT && asks) {
			/* it came back, and its right to answer with it: dropped, it is answered */
			received_parse(from, &came);
			must(port_deallocate(from, came.header.msgh_local_port) == KERN_SUCCESS);
			is_sent = true;
		}
	}
	if (is_sent && which == C_TO_D)
		s->sent++;
	if (is_sent && asks && which == C_TO_B)
		s->asked++;
}

/* Who receives on his mailbox, by lane or kernel. */
static void
receive_by(struct scene *s, uint32_t which, bool by_lane)
{
	uint32_t task = ways[which].to;
	struct actor *to = s->actors[task];

	if (s->is_dead[task])
		return;
	if (by_lane) {
		if (!is_same(s, which) || !lane_take(&s->lanes[which], &taken))
			return;
		if (which == A_TO_C)
			hold(s, taken.reply, taken.call);
		if (which == C_TO_D)
			came_to_d(s, &taken.header);
		return;
	}
	if (msg_receive(to, to->party->mailbox, MACH_RCV_TIMEOUT, ANY_SIZE, 0, &came) !=
	    MACH_MSG_SUCCESS)
		return;
	if (task == C)
		hold(s, came.header.msgh_remote_port, MACH_LANE_NO_CALL);
	if (task == D)
		came_to_d(s, &came.header);
}

static void
answer(struct scene *s, bool by_lane, uint32_t which)
{
	struct lane_ends *lane = &s->lanes[A_TO_C];
	struct message m;
	mach_port_name_t name;
	uint32_t call;

	if (s->held_count == 0)
		return;
	which %= s->held_count;
	name = s->held[which];
	call = s->held_calls[which];
	s->held_count--;
	s->held[which] = s->held[s->held_count];
	s->held_calls[which] = s->held_calls[s->held_count];
	m = message_to(name, MACH_MSG_TYPE_MOVE_SEND_ONCE);
	if (by_lane && call < MACH_LANE_CALLS && is_same(s, A_TO_C) &&
	    lane_answer(lane, call, name, &m))
		return;
	/* it is there, if only as a dead name */
	must(port_deallocate(s->actors[C], name) == KERN_SUCCESS);
}

/* B answers as it should, or drops the right. */
static void
answer_of_b(struct scene *s, struct input *input)
{
	struct lane_ends *lane = &s->lanes[C_TO_B];
	uint32_t call = take_byte(input) % MACH_LANE_CALLS;
	struct message m;
	mach_port_name_t name;

	if (!s->is_open[C_TO_B] || s->is_dead[B])
		return;
	name = atomic_load(&lane->receiver_table->entries[lane->receiver_number].names[call]) |
	       MACH_LANE_NAME_IDLE;
	m = message_to(name, MACH_MSG_TYPE_MOVE_SEND_ONCE);
	if (!lane_answer(lane, call, name, &m))
		(void)port_deallocate(s->actors[B], name);
}

static bool
answer_comes(struct scene *s, bool by_lane)
{
	bool is_there = by_lane
			    ? s->is_open[C_TO_B] && s->bindings[C_TO_B] != LANE_NO_ANSWER &&
				  lane_take_answer(&s->lanes[C_TO_B], s->bindings[C_TO_B], &taken)
			    : msg_receive(s->actors[C], s->replies[C], MACH_RCV_TIMEOUT, ANY_SIZE,
					  0, NULL) == MACH_MSG_SUCCESS;

	if (is_there)
		must(++s->answered <= s->asked);
	return is_there;
}

/* ---- what nobody should do ----------------------------------------------------------------- */

/* Where the hostile ones can write, and how much of it matters most. */
static uint8_t *
target(struct scene *s, uint8_t which, size_t *size)
{
	struct lane_ends *lane;
	uint32_t task = which & 1 ? B : A;

	if (which >= 240) { /* their own tables */
		*size = sizeof(struct mach_lane_table);
		return s->is_dead[task] ? NULL : (uint8_t *)lane_begin(s->actors[task]);
	}
	lane = &s->lanes[which % C_TO_D];
	if (!s->is_open[which % C_TO_D])
		return NULL;
	if (which >= 220) {
		*size = sizeof(struct mach_lane_gates);
		return (uint8_t *)lane->gates;
	}
	*size = sizeof(struct mach_lane);
	return (uint8_t *)lane->shared;
}

static void
scribble(struct scene *s, struct input *input)
{
	uint8_t which = take_byte(input), how = take_byte(input);
	uint64_t value = how & 0x80 ? take_word(input, 8) : take_byte(input) % 8;
	uint32_t bytes = 4u << (how & 1), at = (uint32_t)take_word(input, 2);
	size_t size;
	uint8_t *memory = target(s, which, &size);

	if (!memory)
		return;
	/* positions, calls and the first records; or their end, which is far away */
	if (which < 220 && how & 2)
		at = 4096 + at % 64 * MACH_LANE_UNIT + (how & 4 ? 8 : 0);
	else if (which < 220 && how & 8)
		at = (uint32_t)(sizeof(struct mach_lane) - at);
	else if (which < 220)
		at %= 128 + sizeof(struct mach_lane_call) * MACH_LANE_CALLS;
	at = (uint32_t)(at % (size - 8)) & ~3u;
	if (how & 16) { /* something plausible is changed a little */
		uint64_t old = 0;

		memcpy(&old, memory + at, bytes);
		value += old;
	}
	memcpy(memory + at, &value, bytes);
}

/* Positions of a lane: its calls' and records' bytes stay, and are seen once more, or not yet. */
static void
forge_positions(struct scene *s, struct input *input)
{
	uint32_t which = take_byte(input) % C_TO_D;
	uint8_t byte = take_byte(input);
	int32_t by = byte < 128 ? byte : byte - 256;
	uint8_t how = take_byte(input);
	struct mach_lane *lane = s->lanes[which].shared;

	if (!s->is_open[which])
		return;
	if (how & 1)
		atomic_fetch_add(&lane->tail, (uint64_t)(int64_t)by);
	if (how & 2)
		atomic_fetch_add(&lane->head, (uint64_t)(int64_t)by);
	if (how & 4)
		atomic_fetch_and(&lane->tail, ~(uint64_t)MACH_LANE_SHUT);
	if (how & 8)
		atomic_fetch_and(&lane->head, ~(uint64_t)MACH_LANE_SHUT);
	if (how & 16)
		atomic_store(&lane->head, atomic_load(&lane->tail));
}

/* Every call in one state. */
static void
forge_calls(struct scene *s, struct input *input)
{
	uint32_t which = take_byte(input) % C_TO_D, state = take_byte(input) % 16;

	if (!s->is_open[which])
		return;
	for (uint32_t i = 0; i < MACH_LANE_CALLS; i++) {
		struct mach_lane_call *call = &s->lanes[which].shared->calls[i];
		uint32_t number = mach_lane_call_number(atomic_load(&call->word));

		atomic_store(&call->word, mach_lane_call_word(number + state / 8 % 2, state % 8));
	}
}

/* Traps of a hostile task that concern its lanes. */
static void
hostile_trap(struct scene *s, struct input *input)
{
	uint8_t what = take_byte(input);
	uint32_t task = what & 1 ? B : A;
	struct actor *t = s->actors[task];
	struct lane_ends *lane = &s->lanes[take_byte(input) % C_TO_D];
	uint32_t number = take_byte(input) % MACH_LANE_MAX;

	if (s->is_dead[task])
		return;
	switch (what >> 1 & 7) {
	case 0:
		(void)trap(t, BERTH_TRAP_LANE_CLOSE, number, 0, 0, 0, 0, 0);
		break;
	case 1:
		(void)trap(t, BERTH_TRAP_LANE_CLOSE,
			   lane->sender == t ? lane->sender_number : lane->receiver_number, 0, 0, 0,
			   0, 0);
		break;
	case 2:
		(void)trap(t, BERTH_TRAP_LANE_BIND, number, new_port(t), 0, 0, 0, 0);
		break;
	case 3: /* a name that may be kept for an answer */
		(void)port_allocate_name(t, MACH_PORT_RIGHT_RECEIVE,
					 (uint32_t)take_word(input, 2) << 4 | 3);
		break;
	case 4:
		(void)port_destroy(t, s->replies[task]);
		s->replies[task] = new_port(t);
		break;
	case 5:
		(void)port_mod_refs(t, t->party->mailbox_of[take_byte(input) % TASKS],
				    MACH_PORT_RIGHT_SEND, -1);
		break;
	case 6:
		(void)trap(t, BERTH_TRAP_LANE_OPEN, t->party->mailbox_of[take_byte(input) % TASKS],
			   0, 0, 0, 0, 0);
		break;
	default:
		(void)trap(t, BERTH_TRAP_LANE_ACCEPT, 0, 0, 0, 0, 0, 0);
		break;
	}
}

static uint32_t
names_of(struct actor *t)
{
	must(trap(t, BERTH_TRAP_PORT_NAMES, t->target, 0, 0, 0, 0, 0) == KERN_SUCCESS);
	return (uint32_t)t->outcome.values[0];
}

static void
look_at_names(struct scene *s)
{
	must(names_of(s->actors[C]) == s->names_of_c + s->held_count);
}

static void
die(struct scene *s, uint32_t task)
{
	if (s->is_dead[task])
		return;
	s->is_dead[task] = true;
	world_task_die(s->actors[task]->party);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static void
step(struct scene *s, struct input *input)
{
	uint8_t what = take_byte(input);
	uint32_t which = what % LANES;

	switch (what / 8) {
	case 0 ... 7:
		send_by(s, which, true, what & 8);
		break;
	case 8 ... 10:
		send_by(s, which, false, what & 8);
		break;
	case 11 ... 13:
		receive_by(s, which, true);
		break;
	case 14:
		receive_by(s, which, false);
		break;
	case 15:
		answer(s, what & 4, take_byte(input));
		break;
	case 16:
		answer_of_b(s, input);
		break;
	case 17:
		(void)answer_comes(s, what & 4);
		break;
	case 18 ... 23:
		scribble(s, input);
		break;
	case 24 ... 25:
		forge_positions(s, input);
		break;
	case 26:
		forge_calls(s, input);
		break;
	case 27:
		hostile_trap(s, input);
		break;
	case 28:
		world_look(s->w);
		break;
	case 29:
		open_lane(s, which);
		break;
	case 30:
		world_advance_ms(s->w, take_byte(input) * 100);
		break;
	default:
		if (what == 255)
			die(s, take_byte(input) & 1 ? B : A);
		else
			look_at_names(s);
		break;
	}
}

/* Everything comes to its end: nothing is lost. */
static void
finish(struct scene *s)
{
	look_at_names(s);
	die(s, B);
	while (answer_comes(s, false))
		continue;
	must(s->answered == s->asked);
	while (msg_receive(s->actors[D], s->actors[D]->party->mailbox, MACH_RCV_TIMEOUT, ANY_SIZE,
			   0, &came) == MACH_MSG_SUCCESS)
		came_to_d(s, &came.header);
	must(s->received == s->sent);
	while (s->held_count > 0)
		answer(s, false, 0);
	look_at_names(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, bytes + size };
	struct scene s = { .w = world_new(TASKS) };

	s.w->keeps_shared = true;
	for (uint32_t task = 0; task < TASKS; task++) {
		s.actors[task] = world_actor(s.w, task);
		s.replies[task] = new_port(s.actors[task]);
		set_qlimit(s.actors[task], s.actors[task]->party->mailbox, 8);
	}
	for (uint32_t which = 0; which < LANES; which++)
		open_lane(&s, which);
	s.names_of_c = names_of(s.actors[C]);
	for (uint32_t i = 0; input.at < input.end && i < STEPS_MAX; i++)
		step(&s, &input);
	finish(&s);
	world_free(s.w);
	return 0;
}
