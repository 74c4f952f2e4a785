/* What simulated programs ask for, and how they read what came: see programs.h. */
#include <string.h>

#include "tests/simulation/ledger.h"
#include "tests/simulation/programs.h"

#define MESSAGE_ROOM ((int32_t)SIM_LETTER_MAX)
#define TRAILER MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_SEQNO)

void
program_end(struct sim_thread *self)
{
	self->done = true;
	if (!CALM(self))
		self->task->crippled = true;
}

void
programs_done(struct sim *sim, sim_program *program, const char *what)
{
	for (uint32_t i = 0; i < sim->live_count; i++) {
		const struct sim_thread *t = sim->live[i];

		sim_must(sim, t->program != program || t->done, "thread %u waits for %s", t->number,
			 what);
	}
}

/* ---- asking ------------------------------------------------------------------------------- */

void
ask6(struct sim_thread *self, uint32_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2,
     uint64_t arg3, uint64_t arg4, uint64_t arg5)
{
	self->frame =
	    (struct trap_frame){ .number = number, .args = { arg0, arg1, arg2, arg3, arg4, arg5 } };
	self->out_size = 0;
	self->asked = true;
}

void
ask(struct sim_thread *self, uint32_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2,
    uint64_t arg3)
{
	ask6(self, number, arg0, arg1, arg2, arg3, 0, 0);
}

static mach_msg_base_t *
draft_of(struct sim_thread *self)
{
	return (mach_msg_base_t *)(void *)self->out;
}

void
draft_to(struct sim_thread *self, mach_port_name_t remote, uint32_t disposition)
{
	memset(self->out, 0, sizeof(mach_msg_base_t));
	draft_of(self)->header.msgh_bits = MACH_MSGH_BITS(disposition, 0);
	draft_of(self)->header.msgh_remote_port = remote;
	self->out_size = sizeof(mach_msg_header_t);
	self->frame = (struct trap_frame){ .number = BERTH_TRAP_MSG };
	self->letter = 0;
}

void
draft_reply(struct sim_thread *self, mach_port_name_t local, uint32_t disposition)
{
	draft_of(self)->header.msgh_local_port = local;
	draft_of(self)->header.msgh_bits |= MACH_MSGH_BITS(0, disposition);
}

void
draft_voucher(struct sim_thread *self, mach_port_name_t name, uint32_t disposition)
{
	draft_of(self)->header.msgh_voucher_port = name;
	draft_of(self)->header.msgh_bits |= MACH_MSGH_BITS_SET(0, 0, disposition, 0);
}

/* Not inlined, or gcc takes the message for its header's first field, and warns. */
static __attribute__((noinline)) void
append(struct sim_thread *self, const void *bytes, uint32_t size_bytes)
{
	memcpy(self->out + self->out_size, bytes, size_bytes);
	self->out_size += size_bytes;
}

static void
draft_descriptor(struct sim_thread *self, const void *descriptor, uint32_t size_bytes)
{
	if (!(draft_of(self)->header.msgh_bits & MACH_MSGH_BITS_COMPLEX)) {
		draft_of(self)->header.msgh_bits |= MACH_MSGH_BITS_COMPLEX;
		self->out_size = sizeof(mach_msg_base_t);
	}
	append(self, descriptor, size_bytes);
	draft_of(self)->body.msgh_descriptor_count++;
}

void
draft_port(struct sim_thread *self, mach_port_name_t name, uint32_t disposition)
{
	const mach_msg_port_descriptor_t d = { .name = name,
					       .disposition = disposition,
					       .type = MACH_MSG_PORT_DESCRIPTOR };

	draft_descriptor(self, &d, sizeof d);
}

/* The letter's last word names the byte, see ask_send(); until then it is not known. */
void
draft_bulk(struct sim_thread *self, uint32_t size_bytes, bool as_segment)
{
	const mach_msg_ool_descriptor_t d = { .address = (void *)(uintptr_t)0x12345000,
					      .copy = MACH_MSG_VIRTUAL_COPY,
					      .type = MACH_MSG_OOL_DESCRIPTOR,
					      .size = size_bytes };
	struct kernel_piece *piece = &self->out_pieces[self->frame.piece_count];

	draft_descriptor(self, &d, sizeof d);
	*piece = (struct kernel_piece){ .kind = KERNEL_PIECE_BYTES, .size_bytes = size_bytes };
	if (as_segment) {
		piece->kind = KERNEL_PIECE_SEGMENT;
		piece->segment = sim_segment_new(self, size_bytes, 0);
	}
	self->frame.piece_count++;
}

void
draft_carries(struct sim_thread *self, uint32_t channel)
{
	self->letter = channel; /* kept there until it is sent */
}

/* The bytes beside a letter are its argument, over and over. */
static void
fill_bulk(struct sim_thread *self, uint32_t arg)
{
	static uint8_t bytes[256][SIM_PIECE_MAX];

	for (uint32_t i = 0; i < self->frame.piece_count; i++)
		if (self->out_pieces[i].kind == KERNEL_PIECE_BYTES) {
			memset(bytes[(uint8_t)arg], (uint8_t)arg, SIM_PIECE_MAX);
			self->out_pieces[i].bytes = bytes[(uint8_t)arg];
		} else {
			memset(self->out_segment->bytes, (uint8_t)arg, SIM_PIECE_MAX);
		}
}

static void
put_words(struct sim_thread *self, const uint32_t *words, uint32_t word_count)
{
	append(self, words, 4 * word_count);
}

static void
send_options(struct sim_thread *self, int32_t option, mach_port_name_t rcv_name,
	     uint32_t timeout_ms)
{
	self->frame.args[0] = (uint32_t)(option | TRAILER);
	self->frame.args[1] = self->out_size;
	self->frame.args[2] = (uint64_t)MESSAGE_ROOM;
	self->frame.args[3] = rcv_name;
	self->frame.args[4] = timeout_ms;
	self->frame.args[6] = 0x7000000;
	self->asked = true;
}

static void
send_letter(struct sim_thread *self, struct letter letter)
{
	letter.carries = self->letter;
	self->letter = ledger_write(self, letter);
	draft_of(self)->header.msgh_id = LETTER_ID + (int32_t)self->letter;
	fill_bulk(self, letter.arg);
	put_words(self, (uint32_t[]){ letter.channel, self->number, letter.kind, letter.arg }, 4);
}

void
ask_send(struct sim_thread *self, uint32_t channel, uint32_t kind, uint32_t arg, int32_t option,
	 uint32_t timeout_ms)
{
	send_letter(self, (struct letter){ .channel = channel, .kind = kind, .arg = arg });
	send_options(self, MACH_SEND_MSG | option, MACH_PORT_NULL, timeout_ms);
}

void
ask_call(struct sim_thread *self, uint32_t channel, uint32_t kind, uint32_t arg,
	 mach_port_name_t rcv_name, int32_t option, uint32_t timeout_ms)
{
	send_letter(
	    self, (struct letter){ .channel = channel, .kind = kind, .arg = arg, .is_call = true });
	send_options(self, MACH_SEND_MSG | MACH_RCV_MSG | option, rcv_name, timeout_ms);
}

void
ask_receive(struct sim_thread *self, mach_port_name_t name, int32_t option, uint32_t timeout_ms)
{
	self->frame = (struct trap_frame){ .number = BERTH_TRAP_MSG };
	self->out_size = 0;
	self->letter = 0;
	send_options(self, MACH_RCV_MSG | option, name, timeout_ms);
}

void
ask_resend(struct sim_thread *self, int32_t option, uint32_t timeout_ms)
{
	const struct mail mail = mail_of(self);
	struct letter letter = *ledger_letter(self->sim, mail.letter);

	self->frame = (struct trap_frame){ .number = BERTH_TRAP_MSG };
	memcpy(self->out, self->result.bytes, self->result.bytes_size);
	self->out_size = self->result.bytes_size - 16; /* its words are written anew */
	for (uint32_t i = 0; i < self->result.piece_count; i++)
		self->out_pieces[i] =
		    (struct kernel_piece){ .kind = KERNEL_PIECE_BYTES,
					   .size_bytes = self->result.piece_sizes[i] };
	self->frame.piece_count = self->result.piece_count;
	self->letter = letter.carries;
	letter.is_call = false;
	send_letter(self, letter);
	send_options(self, MACH_SEND_MSG | option, MACH_PORT_NULL, timeout_ms);
}

void
ask_kernel(struct sim_thread *self, mach_port_name_t object, int32_t id, const uint32_t *words,
	   uint32_t word_count, mach_port_name_t reply)
{
	static const uint32_t ndr[2] = { 0, 1 };

	draft_of(self)->header.msgh_remote_port = object;
	draft_reply(self, reply, MAKE_ONCE);
	draft_of(self)->header.msgh_id = id;
	if (word_count) {
		put_words(self, ndr, 2);
		put_words(self, words, word_count);
	}
	self->letter = 0;
	send_options(self, MACH_SEND_MSG | MACH_RCV_MSG, reply, 0);
}

/* ---- what came ---------------------------------------------------------------------------- */

bool
was_received(const struct sim_thread *self)
{
	return self->frame.number == BERTH_TRAP_MSG &&
	       self->result.values[BERTH_MSG_BUFFER] == BERTH_MSG_BUFFER_RECEIVE;
}

bool
came_back(const struct sim_thread *self)
{
	return self->frame.number == BERTH_TRAP_MSG &&
	       self->result.values[BERTH_MSG_BUFFER] == BERTH_MSG_BUFFER_SEND;
}

struct mail
mail_of(const struct sim_thread *self)
{
	const struct sim_result *r = &self->result;
	const bool back = came_back(self);
	mach_msg_header_t header;
	struct mail mail = { 0 };
	uint32_t at = sizeof header, count = 0;

	sim_must(self->sim, r->bytes_size >= sizeof header, "a message without a header");
	memcpy(&header, r->bytes, sizeof header);
	mail.id = header.msgh_id;
	mail.local = header.msgh_local_port;
	mail.remote = header.msgh_remote_port;
	mail.remote_type = MACH_MSGH_BITS_REMOTE(header.msgh_bits);
	mail.voucher = header.msgh_voucher_port;
	mail.voucher_type = MACH_MSGH_BITS_VOUCHER(header.msgh_bits);
	if (header.msgh_id > LETTER_ID)
		mail.letter = (uint32_t)(header.msgh_id - LETTER_ID);
	if (!back && r->trailer_size >= sizeof(mach_msg_seqno_trailer_t))
		memcpy(&mail.seqno, r->trailer + offsetof(mach_msg_seqno_trailer_t, msgh_seqno), 4);
	mail.bare = r->bytes_size == sizeof header && r->code != MACH_MSG_SUCCESS && !back;
	if (mail.bare)
		return mail;
	if (header.msgh_bits & MACH_MSGH_BITS_COMPLEX) {
		memcpy(&count, r->bytes + at, 4);
		at += 4;
	}
	for (; count > 0; count--) {
		mach_msg_port_descriptor_t d;

		memcpy(&d, r->bytes + at, sizeof d);
		at += sizeof d;
		if (d.type == MACH_MSG_OOL_DESCRIPTOR)
			at += sizeof(mach_msg_ool_descriptor_t) - sizeof d;
		if (d.type != MACH_MSG_PORT_DESCRIPTOR || mail.port_count == 2)
			continue;
		mail.ports[mail.port_count] = d.name;
		mail.port_types[mail.port_count++] = d.disposition;
	}
	for (uint32_t i = 0; i < 4 && at + 4 <= r->bytes_size; i++, at += 4)
		memcpy(&mail.data[i], r->bytes + at, 4);
	mail.kind = mail.data[2];
	mail.arg = mail.data[3];
	return mail;
}

bool
is_interrupted(kern_return_t code)
{
	const kern_return_t bare = code & ~(MACH_MSG_IPC_SPACE | MACH_MSG_VM_SPACE |
					    MACH_MSG_IPC_KERNEL | MACH_MSG_VM_KERNEL);

	return bare == MACH_SEND_INTERRUPTED || bare == MACH_RCV_INTERRUPTED ||
	       code == KERN_ABORTED;
}

bool
is_send_error(kern_return_t code)
{
	return (code & 0x1fffc000) == 0x10000000 || code == MACH_MSG_VM_KERNEL;
}

bool
went_well(struct sim_thread *self)
{
	if (self->result.code == KERN_SUCCESS)
		return true;
	sim_must(self->sim, sim_is_shortage(self->result.code), "trap %u says %#x",
		 self->frame.number, (unsigned)self->result.code);
	return false;
}

void
expect(struct sim_thread *self, kern_return_t code)
{
	sim_must(self->sim, self->result.code == code, "trap %u says %#x, not %#x",
		 self->frame.number, (unsigned)self->result.code, (unsigned)code);
}

/* ---- set-up ------------------------------------------------------------------------------- */

static void
at_once(struct sim_thread *t)
{
	const bool armed = t->sim->heap.armed;
	const enum sim_lanes lanes = t->sim->lanes;

	t->sim->heap.armed = false;
	t->sim->lanes = SIM_LANES_OFF;
	sim_must(t->sim, sim_trap(t), "a trap of the set-up blocks");
	t->sim->heap.armed = armed;
	t->sim->lanes = lanes;
	sim_must(t->sim, t->result.code == KERN_SUCCESS, "trap %u of the set-up: %#x",
		 t->frame.number, (unsigned)t->result.code);
}

kern_return_t
setup_trap(struct sim_thread *t, uint32_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2,
	   uint64_t arg3)
{
	ask(t, number, arg0, arg1, arg2, arg3);
	at_once(t);
	return t->result.code;
}

mach_port_name_t
setup_port(struct sim_thread *t, bool with_send)
{
	setup_trap(t, BERTH_TRAP_PORT_CONSTRUCT, BERTH_NAME_TASK_SELF,
		   with_send ? MPO_INSERT_SEND_RIGHT : 0, 0, 0);
	return (mach_port_name_t)t->result.values[0];
}

mach_port_name_t
setup_set(struct sim_thread *t)
{
	setup_trap(t, BERTH_TRAP_PORT_ALLOCATE, BERTH_NAME_TASK_SELF, MACH_PORT_RIGHT_PORT_SET, 0,
		   0);
	return (mach_port_name_t)t->result.values[0];
}

void
setup_qlimit(struct sim_thread *t, mach_port_name_t name, uint32_t qlimit)
{
	ask(t, BERTH_TRAP_PORT_SET_ATTRIBUTES, BERTH_NAME_TASK_SELF, name, MACH_PORT_LIMITS_INFO,
	    1);
	memcpy(t->out, &qlimit, 4);
	t->out_size = 4;
	at_once(t);
}

/* One right from one task to another whose mailbox it has a right to. */
static mach_port_name_t
post(struct sim_thread *from, mach_port_name_t box, mach_port_name_t name, uint32_t disposition,
     struct sim_thread *to)
{
	draft_to(from, box, COPY);
	draft_port(from, name, disposition);
	send_options(from, MACH_SEND_MSG | MACH_SEND_TIMEOUT, MACH_PORT_NULL, 0);
	at_once(from);
	ask_receive(to, to->task->mailbox, MACH_RCV_TIMEOUT, 0);
	at_once(to);
	return mail_of(to).ports[0];
}

/* The first task's only thread: it has no program, and carries rights for the others. */
static struct sim_thread *
carrier_of(struct sim *sim)
{
	return sim->tasks[0]->threads;
}

struct sim_task *
setup_task(struct sim *sim, struct sim_task *parent)
{
	struct sim_task *task = sim_task_new(sim, parent);

	if (task->index == 0) {
		struct sim_thread *t = sim_thread_new(task, NULL, 0);

		task->mailbox = setup_port(t, true);
		setup_trap(t, BERTH_TRAP_TASK_SET_SPECIAL_PORT, BERTH_NAME_TASK_SELF, 4,
			   task->mailbox, 0);
	}
	return task;
}

void
setup_introduce(struct sim_thread *t)
{
	if (t->task->mailbox)
		return;
	t->task->mailbox = setup_port(t, true);
	t->task->mailbox_of_first =
	    post(t, BERTH_NAME_BOOTSTRAP, t->task->mailbox, COPY, carrier_of(t->sim));
}

mach_port_name_t
setup_give(struct sim_thread *from, mach_port_name_t name, uint32_t disposition,
	   struct sim_thread *to)
{
	struct sim_thread *carrier = carrier_of(from->sim);
	const bool once = disposition == MOVE_ONCE || disposition == MAKE_ONCE;

	if (from != carrier) {
		setup_introduce(from);
		name = post(from, BERTH_NAME_BOOTSTRAP, name, disposition, carrier);
		disposition = disposition == MOVE_RECEIVE ? MOVE_RECEIVE : once ? MOVE_ONCE : MOVE;
	}
	setup_introduce(to);
	return post(carrier, to->task->mailbox_of_first, name, disposition, to);
}
