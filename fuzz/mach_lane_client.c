/*
 * Fuzzing of the library's end of lanes: peers write what they like, and the library receives and
 * sends, without a kernel.  Its memory lies between pages that cannot be touched.
 *
 *	lane 0   a hostile client's     lane 1   an honest client's     both to port 0
 *	lane 2   to a hostile server, whose answers come to port 1
 *
 * What must hold: who a message is from is who had the lane, the honest client's messages come
 * once and in order, names are this task's own, nothing is written behind the buffer, and every
 * call comes back.
 *
 * One step: a byte for what happens, then what that needs; see step().  While the library sleeps
 * its peers go on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "client/connection.h"
#include "client/mach_lane_parts.h"
#include "client/memory.h"
#include "client/site.h"
#include "client/thread_hold.h"
#include "fuzz/fuzz.h"
#include "fuzz/input.h"

#define GUARD 4096u
#define LANES 3u
#define PORTS 2u
#define STEPS_MAX 400u
#define BUFFER_SIZE 65536u
#define SEND_RIGHT 0x303u
#define HONEST_ID 0x10000
#define ANSWERS 16u

static const mach_port_name_t port_names[PORTS] = { 0x103, 0x203 };

#define must(holds) ((holds) ? (void)0 : broken(#holds, __LINE__))

static _Noreturn void
broken(const char *what, int line)
{
	fprintf(stderr, "line %d: not so: %s\n", line, what);
	abort();
}

static struct {
	struct input *input;
	struct mach_lane *shared[LANES];
	struct mach_lane_gates *gates[2]; /* ours, and the hostile server's */
	struct mach_lane_table *table;
	struct kernel_page *page;
	uint8_t *buffer_end;
	int32_t sent, received; /* the honest client's messages */
	uint32_t seqno[PORTS];
	uint32_t next_index; /* of names that are handed out */
	uint32_t asleep;
	mach_port_name_t answers[ANSWERS];
	uint32_t answer_lanes[ANSWERS], answer_calls[ANSWERS];
} f;

static void peers_step(void);

/* ---- what the library has of a kernel ------------------------------------------------------ */

struct connection connection;
struct lanes lanes;
_Atomic uint32_t mach_lanes_state = MACH_LANES_READY;
_Atomic bool site_notes_on;

struct thread_state *
thread_state(void)
{
	static struct thread_state state;

	state.wait = (struct wait_state){ 0 };
	state.wait.yields_off = UINT32_MAX; /* sleep at once: the peers move meanwhile */
	return &state;
}

uint32_t
thread_hold_count(void)
{
	return 0;
}

bool
memory_message_is_readable(const void *message, size_t size)
{
	(void)message, (void)size;
	return true;
}

bool
memory_is_writable(void *address, size_t size)
{
	return (uint8_t *)address + size <= f.buffer_end;
}

uint32_t
lane_of_right(mach_port_name_t name)
{
	return name == SEND_RIGHT && lane_is_live(2, MACH_LANE_SENDER) ? 2 : MACH_LANE_MAX;
}

void
lane_count(mach_port_name_t name)
{
	(void)name;
}

bool
lane_bind(uint32_t number, mach_port_name_t name, uint32_t *binding, uint32_t *port)
{
	*binding = 0;
	*port = 1;
	return number == 2 && name == port_names[1];
}

uint32_t
lane_port_of(mach_port_name_t name)
{
	for (uint32_t i = 0; i < PORTS; i++)
		if (name == port_names[i])
			return i;
	return MACH_LANE_GATE_MAX;
}

void
lane_port_update(uint32_t number)
{
	struct lane_port *port = &lanes.ports[number];

	port->lane_count = port->bound_count = 0;
	for (uint8_t i = 0; i < 2; i++)
		if (number == 0 && lane_is_live(i, MACH_LANE_RECEIVER))
			port->lanes[port->lane_count++] = i;
	if (number == 1 && lane_is_live(2, MACH_LANE_SENDER))
		port->bound[port->bound_count++] = 2;
}

void
lane_answer_remember(mach_port_name_t name, uint32_t number, uint32_t call)
{
	must(number < 2 && call < MACH_LANE_CALLS);
	f.answers[(name >> 8) % ANSWERS] = name;
	f.answer_lanes[(name >> 8) % ANSWERS] = number;
	f.answer_calls[(name >> 8) % ANSWERS] = call;
}

bool
lane_answer_find(mach_port_name_t name, uint32_t *number, uint32_t *call)
{
	*number = f.answer_lanes[(name >> 8) % ANSWERS];
	*call = f.answer_calls[(name >> 8) % ANSWERS];
	return f.answers[(name >> 8) % ANSWERS] == name;
}

int
lane_sleep(const struct wait_word *words, uint32_t count, uint64_t deadline_ns)
{
	must(count <= LANE_WORDS_MAX);
	(void)words;
	(void)deadline_ns;
	/* a hostile peer may wake it for nothing as long as it likes; the kernel ends this */
	if (++f.asleep > 8 || f.input->at == f.input->end) {
		for (uint32_t i = 0; i < PORTS; i++)
			atomic_store(&f.table->ports[i].word, MACH_LANE_IS_SHUT);
		for (uint32_t i = 0; i < LANES; i++)
			atomic_fetch_or(&f.shared[i]->tail, MACH_LANE_SHUT);
		return -EINTR;
	}
	peers_step();
	return 0;
}

/* ---- the kernel ---------------------------------------------------------------------------- */

static void
arm(uint32_t number)
{
	for (uint32_t i = 0; i < MACH_LANE_CALLS; i++) {
		/* each call has an entry of its own, above those that are ports */
		uint32_t index = 16 + number * MACH_LANE_CALLS + i + 128 * (++f.next_index % 64);

		atomic_store(&f.table->entries[number].names[i], index << 8 | 3);
	}
}

/* The kernel takes over what is in the lane, and opens it again. */
static void
take_over(uint32_t number)
{
	struct mach_lane *shared = f.shared[number];
	struct mach_lane_record record;
	const uint8_t *message;
	uint32_t units;
	uint64_t tail = atomic_fetch_or(&shared->tail, MACH_LANE_SHUT);
	uint64_t head = atomic_fetch_or(&shared->head, MACH_LANE_SHUT);

	while (mach_lane_first(shared, tail, head, &record, &message, &units)) {
		head = mach_lane_advance(head, units);
		if (number == 1) { /* who receives by the kernel has them now */
			must(((const mach_msg_header_t *)(const void *)message)->msgh_id ==
			     HONEST_ID + f.received);
			f.received++;
		}
	}
	if (number == 2)
		atomic_store(&f.table->entries[2].asked, 0);
	else
		arm(number);
	tail = ((tail >> 32) + 1) << 32 | mach_lane_passed(tail);
	atomic_store(&shared->head, tail);
	atomic_store(&shared->tail, tail);
}

void
lane_give_up(uint32_t number)
{
	must(number != 1); /* it never did anything wrong */
	take_over(number);
	atomic_store(&f.table->entries[number].role, MACH_LANE_NONE);
}

/* ---- the peers ----------------------------------------------------------------------------- */

/* One message of the honest client, as its library puts it. */
static void
honest_put(bool asks)
{
	struct mach_lane *shared = f.shared[1];
	struct mach_lane_gate *gate = &f.gates[0]->gates[0];
	mach_msg_header_t header = { .msgh_id = HONEST_ID + f.sent, .msgh_size = sizeof(header) };
	struct mach_lane_record *record;
	uint32_t units, number, ticket, call = MACH_LANE_NO_CALL;
	uint64_t tail = atomic_load(&shared->tail), head = atomic_load(&shared->head), counted;

	record = mach_lane_room(shared, tail, head, sizeof(header), &units);
	if (mach_lane_is_shut(tail) || !record)
		return;
	for (uint32_t i = 0; asks && i < MACH_LANE_CALLS && call == MACH_LANE_NO_CALL; i++)
		if (mach_lane_name_is(atomic_load(&f.table->entries[1].names[i]),
				      MACH_LANE_NAME_IDLE) &&
		    mach_lane_call_state(&shared->calls[i]) != MACH_LANE_ASKED &&
		    mach_lane_call_ask(&shared->calls[i], &number))
			call = number << MACH_LANE_CALL_NUMBER_SHIFT | i;
	/* whatever the hostile ones have made of the count */
	(void)mach_lane_count_in(gate, tail, head, &counted, &ticket);
	*record = (struct mach_lane_record){ .size_bytes = sizeof(header),
					     .ticket = ticket,
					     .call = call };
	memcpy(record + 1, &header, sizeof(header));
	must(mach_lane_move(&shared->tail, tail, units));
	f.sent++;
}

/* One that may be none of a hostile client's. */
static void
hostile_put(void)
{
	struct mach_lane *shared = f.shared[0];
	uint64_t tail = atomic_load(&shared->tail);
	uint32_t units = 1 + take_byte(f.input) % 8;
	struct mach_lane_record *record = mach_lane_record_at(shared, mach_lane_position(tail));
	uint8_t how = take_byte(f.input);

	record->size_bytes = how & 1 ? (uint32_t)take_word(f.input, 4) : units * 64 - 16;
	record->call = how & 2 ? take_byte(f.input) : MACH_LANE_NO_CALL;
	record->ticket = how & 4 ? (uint32_t)take_word(f.input, 4) : 0;
	if (record->call < MACH_LANE_CALLS && (how & 8))
		atomic_store(&shared->calls[record->call].word, MACH_LANE_ASKED);
	if (how & 16) /* who says that it is somebody else */
		((mach_msg_header_t *)(void *)(record + 1))->msgh_id = HONEST_ID;
	atomic_store(&shared->tail, mach_lane_advance(tail, units));
}

static void
scribble(void)
{
	uint8_t which = take_byte(f.input), how = take_byte(f.input);
	uint32_t at = (uint32_t)take_word(f.input, 3), bytes = 4u << (how & 1);
	uint64_t value = how & 0x80 ? take_word(f.input, 8) : take_byte(f.input) % 8;
	uint8_t *memory = (uint8_t *)f.shared[which & 1 ? 2 : 0];
	size_t size = sizeof(struct mach_lane);

	if (which & 0x80) {
		memory = (uint8_t *)f.gates[which & 1];
		size = sizeof(struct mach_lane_gates);
	} else if (how & 2) {
		at = how & 64 ? at % 192
			      : (uint32_t)(offsetof(struct mach_lane, calls) +
					   at % MACH_LANE_CALLS * sizeof(struct mach_lane_call) +
					   at / MACH_LANE_CALLS % 16);
	}
	at = (uint32_t)(at % (size - 8)) & ~3u;
	if (how & 4) {
		uint64_t old = 0;

		memcpy(&old, memory + at, bytes);
		value += old;
	}
	memcpy(memory + at, &value, bytes);
}

/* The hostile server answers calls, of those that it was asked and of others. */
static void
hostile_answer(void)
{
	uint32_t index = take_byte(f.input) % MACH_LANE_CALLS;
	uint8_t how = take_byte(f.input);
	struct mach_lane_call *call = &f.shared[2]->calls[index];

	call->size_bytes = how & 1 ? (uint32_t)take_word(f.input, 4) : 24 + (how >> 4) * 4u;
	call->order = how & 2 ? (uint32_t)take_word(f.input, 4) : 0;
	if (how & 4)
		atomic_store(&call->word, (uint32_t)take_word(f.input, 2) & ~0xf8u);
	else
		mach_lane_call_set(call, MACH_LANE_ANSWERED);
}

static void
peers_step(void)
{
	uint8_t what = take_byte(f.input);

	switch (what % 8) {
	case 0:
		honest_put(what & 8);
		break;
	case 1 ... 2:
		hostile_put();
		break;
	case 3 ... 4:
		scribble();
		break;
	case 5:
		hostile_answer();
		break;
	case 6:
		take_over(what / 8 % LANES);
		break;
	default: /* the kernel has let lanes be opened anew */
		atomic_store(&f.table->entries[0].role, MACH_LANE_RECEIVER);
		atomic_store(&f.table->entries[2].role, MACH_LANE_SENDER);
		for (uint32_t i = 0; i < PORTS; i++)
			atomic_store(&f.table->ports[i].word, 0);
		for (uint32_t i = 0; i < LANES; i++)
			if (mach_lane_is_shut(atomic_load(&f.shared[i]->tail)))
				take_over(i);
		break;
	}
}

/* ---- the program --------------------------------------------------------------------------- */

static void
look_at(const mach_msg_header_t *header, uint32_t port)
{
	const mach_msg_max_trailer_t *trailer =
	    (const void *)((const uint8_t *)header + header->msgh_size);
	uint32_t from = trailer->msgh_audit.val[0];

	must(header->msgh_local_port == port_names[port]);
	must(trailer->msgh_seqno == f.seqno[port]++);
	if (port == 1) {
		must(from == 2 && header->msgh_remote_port == 0);
		return;
	}
	must(from < 2 && trailer->msgh_audit.val[7] == from);
	if (from == 1)
		must(header->msgh_id == HONEST_ID + f.received++);
	if (header->msgh_remote_port != 0) {
		uint32_t lane, call;

		must(lane_answer_find(header->msgh_remote_port, &lane, &call) && lane == from);
		must(atomic_load(&f.table->entries[lane].names[call]) ==
		     mach_lane_name_word(header->msgh_remote_port, MACH_LANE_NAME_HELD));
	}
}

static void
receive(bool waits, uint32_t port)
{
	uint32_t room = 24 + take_byte(f.input) * 16u;
	mach_msg_header_t *buffer = (mach_msg_header_t *)(void *)(f.buffer_end - room);
	mach_msg_timeout_t timeout_ms = 0;
	mach_msg_return_t code;
	mach_msg_option_t option = MACH_RCV_MSG | (waits ? 0 : MACH_RCV_TIMEOUT) |
				   MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT);

	uint32_t asked = atomic_load(&f.table->entries[2].asked);

	f.asleep = 0;
	if (!mach_lane_receive(buffer, option, room, port_names[port], &timeout_ms, &code))
		return;
	must(code == MACH_MSG_SUCCESS);
	must(buffer->msgh_size + sizeof(mach_msg_audit_trailer_t) <= room);
	look_at(buffer, port);
	/* that call, if the kernel has not claimed others: whoever answers it next wakes nobody */
	asked &= ~atomic_load(&f.table->entries[2].asked);
	if (port == 1 && asked != 0 && (asked & (asked - 1)) == 0)
		must(atomic_load(&f.shared[2]->calls[__builtin_ctz(asked)].sleeps) == 0);
}

static void
send(uint8_t what)
{
	mach_msg_header_t message = {
		.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
		.msgh_size = sizeof(message),
		.msgh_remote_port = SEND_RIGHT,
	};
	mach_msg_option_t option = MACH_SEND_MSG | (what & 16 ? MACH_SEND_TIMEOUT : 0);

	if (what & 32) {
		message.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0);
		message.msgh_remote_port = f.answers[take_byte(f.input) % ANSWERS];
	} else if (what & 64) {
		message.msgh_bits =
		    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE);
		message.msgh_local_port = port_names[1];
	}
	f.asleep = 0;
	(void)mach_lane_send(&message, option, sizeof(message));
}

static void
step(void)
{
	uint8_t what = take_byte(f.input);

	switch (what & 7) {
	case 0 ... 1:
		receive(what & 32, what >> 4 & 1);
		break;
	case 2:
		send(what);
		break;
	default:
		peers_step();
		break;
	}
}

/* ---- memory -------------------------------------------------------------------------------- */

/* Zeroes, and nothing before or behind them. */
static void *
guarded(size_t size)
{
	uint8_t *memory =
	    mmap(NULL, size + 2 * (size_t)GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(memory != MAP_FAILED && size % GUARD == 0);
	must(mprotect(memory + GUARD, size, PROT_READ | PROT_WRITE) == 0);
	return memory + GUARD;
}

static void
start(void)
{
	for (uint32_t i = 0; i < LANES; i++)
		f.shared[i] = guarded(sizeof(struct mach_lane));
	for (uint32_t i = 0; i < 2; i++)
		f.gates[i] = guarded(sizeof(struct mach_lane_gates));
	f.table = guarded(sizeof(struct mach_lane_table));
	f.page = guarded(GUARD);
	f.buffer_end = (uint8_t *)guarded(BUFFER_SIZE) + BUFFER_SIZE;
	atomic_store(&f.page->alive, 1);
	connection.kernel_page = f.page;
	atomic_store(&connection.state, CONNECTION_READY);
	lanes.table = f.table;
	lanes.gates = f.gates[0];
}

static void
begin(struct input *input)
{
	f.input = input;
	f.sent = f.received = 0;
	memset(f.seqno, 0, sizeof(f.seqno));
	memset(f.answers, 0, sizeof(f.answers));
	memset((void *)f.table, 0, sizeof(*f.table));
	memset(f.gates[0], 0, sizeof(*f.gates[0]));
	memset(f.gates[1], 0, sizeof(*f.gates[1]));
	memset(lanes.lanes, 0, sizeof(lanes.lanes));
	memset(lanes.ports, 0, sizeof(lanes.ports));
	for (uint32_t i = 0; i < PORTS; i++)
		atomic_store(&f.table->ports[i].name, port_names[i]);
	for (uint32_t i = 0; i < LANES; i++) {
		struct mach_lane_entry *row = &f.table->entries[i];

		memset((void *)f.shared[i], 0, sizeof(*f.shared[i]));
		row->name = i == 2 ? SEND_RIGHT : port_names[0];
		atomic_store(&row->role, i == 2 ? MACH_LANE_SENDER : MACH_LANE_RECEIVER);
		for (uint32_t j = 0; j < MACH_LANE_TOKEN_WORDS; j++)
			atomic_store(&row->token[j], i);
		lanes.lanes[i].shared = f.shared[i];
		lanes.lanes[i].gates = f.gates[i == 2];
		lanes.lanes[i].gate = &f.gates[i == 2]->gates[0];
		atomic_store(&lanes.lanes[i].bindings[0].name, port_names[1]);
		atomic_store(&lanes.lanes[i].bindings[0].port, 1);
		if (i < 2)
			arm(i);
		atomic_store(&f.gates[i == 2]->gates[0].limit, 16);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, bytes + size };

	if (!f.table)
		start();
	begin(&input);
	for (uint32_t i = 0; input.at < input.end && i < STEPS_MAX; i++)
		step();
	/* what the honest client sent is there, whatever the others did */
	take_over(1);
	must(f.received == f.sent);
	return 0;
}
