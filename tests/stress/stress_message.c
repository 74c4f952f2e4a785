/* Messages of streams: see stress.h. */
#include "stress.h"

#include <string.h>

/* ---- rights -------------------------------------------------------------------------- */

void
holdings_take(struct holdings *holdings)
{
	mach_msg_type_number_t type_count;

	MUST(mach_port_names(mach_task_self(), &holdings->names, &holdings->count, &holdings->types,
			     &type_count));
	if (type_count != holdings->count)
		fail("%u names and %u types", holdings->count, type_count);
}

void
holdings_free(struct holdings *holdings)
{
	MUST(vm_deallocate(mach_task_self(), (vm_address_t)holdings->names,
			   holdings->count * sizeof(holdings->names[0])));
	MUST(vm_deallocate(mach_task_self(), (vm_address_t)holdings->types,
			   holdings->count * sizeof(holdings->types[0])));
}

void
holdings_check(const struct holdings *before, const char *who)
{
	struct holdings now;
	uint32_t surplus = 0;

	holdings_take(&now);
	for (uint32_t i = 0; i < now.count; i++) {
		bool known = false;

		for (uint32_t k = 0; k < before->count && !known; k++)
			known =
			    before->names[k] == now.names[i] && before->types[k] == now.types[i];
		surplus += !known;
	}
	if (surplus > 0 || now.count != before->count)
		fail("%s held %u rights at first and holds %u now, of which %u are new", who,
		     before->count, now.count, surplus);
	holdings_free(&now);
}

mach_port_t
port_with_qlimit(mach_port_msgcount_t qlimit)
{
	mach_port_limits_t limits = { .mpl_qlimit = qlimit };
	mach_port_t port;

	MUST(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port));
	MUST(mach_port_set_attributes(mach_task_self(), port, MACH_PORT_LIMITS_INFO,
				      (mach_port_info_t)&limits, MACH_PORT_LIMITS_INFO_COUNT));
	return port;
}

void
receive_right_drop(mach_port_t port)
{
	MUST(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1));
}

/* ---- chance -------------------------------------------------------------------------- */

uint64_t
dice_next(struct dice *dice)
{
	dice->state ^= dice->state << 13;
	dice->state ^= dice->state >> 7;
	dice->state ^= dice->state << 17;
	return dice->state * 0x9e3779b97f4a7c15u;
}

uint32_t
dice_roll(struct dice *dice, uint32_t count)
{
	return (uint32_t)((dice_next(dice) >> 32) % count);
}

/* ---- bytes --------------------------------------------------------------------------- */

static void
bytes_fill(uint8_t *bytes, uint32_t size, uint64_t pattern)
{
	for (uint32_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(pattern >> (i % 8 * 8)) ^ (uint8_t)(i >> 3);
}

static void
bytes_check(const uint8_t *bytes, uint32_t size, uint64_t pattern, const char *what)
{
	for (uint32_t i = 0; i < size; i++)
		if (bytes[i] != (uint8_t)((uint8_t)(pattern >> (i % 8 * 8)) ^ (uint8_t)(i >> 3)))
			fail("byte %u of %u of the %s is wrong", i, size, what);
}

/* ---- making -------------------------------------------------------------------------- */

/* Where the next descriptor goes; its size is its kind's. */
static union descriptor *
draft_next(struct draft *draft, uint32_t size)
{
	union descriptor *descriptor = (union descriptor *)&draft->buffer[draft->offset];

	draft->offset += size;
	memset(descriptor, 0, size);
	return descriptor;
}

static void
add_port(struct draft *draft, mach_port_t name, mach_msg_type_name_t disposition)
{
	draft_next(draft, sizeof(mach_msg_port_descriptor_t))->port = (mach_msg_port_descriptor_t){
		.name = name, .disposition = disposition, .type = MACH_MSG_PORT_DESCRIPTOR
	};
}

/* A new port with messages in it; the receive right goes, the send right may stay. */
static uint32_t
add_receive_right(struct draft *draft, struct dice *dice, mach_port_t inbox, uint64_t pattern)
{
	mach_port_t port = port_with_qlimit(QUEUED_MAX), previous;
	enum keep how = (enum keep)dice_roll(dice, 4);
	uint32_t queued = dice_roll(dice, QUEUED_MAX + 1);
	struct note note = { 0 };

	MUST(mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND));
	for (uint32_t i = 0; i < queued; i++) {
		bool wants_answer = dice_roll(dice, 4) == 0;

		note.header.msgh_bits = MACH_MSGH_BITS(
		    MACH_MSG_TYPE_COPY_SEND, wants_answer ? MACH_MSG_TYPE_MAKE_SEND_ONCE : 0);
		note.header.msgh_remote_port = port;
		note.header.msgh_local_port = wants_answer ? inbox : MACH_PORT_NULL;
		note.header.msgh_id = ID_QUEUED;
		note.slot = i;
		note.incarnation = (uint32_t)pattern;
		MUST(mach_msg(&note.header, MACH_SEND_MSG, sizeof(note), 0, 0, 0, 0));
		draft->made_early += wants_answer;
	}
	if (how == KEEP_NOTHING) {
		MUST(mach_port_deallocate(mach_task_self(), port));
	} else {
		MUST(mach_port_request_notification(
		    mach_task_self(), port,
		    how == KEEP_NO_SENDERS ? MACH_NOTIFY_NO_SENDERS : MACH_NOTIFY_DEAD_NAME, 0,
		    inbox, MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous));
		draft->made_early++;
		draft->kept[draft->kept_count++] = (struct kept){ port, how };
	}
	add_port(draft, port, MACH_MSG_TYPE_MOVE_RECEIVE);
	return queued;
}

static uint32_t
add_memory(struct draft *draft, struct dice *dice, uint64_t pattern)
{
	uint32_t limit = dice_roll(dice, 8) == 0 ? MEMORY_MAX : 1000;
	uint32_t size = dice_roll(dice, limit);
	vm_address_t memory = 0;

	if (size > 0) {
		MUST(vm_allocate(mach_task_self(), &memory, size, VM_FLAGS_ANYWHERE));
		bytes_fill((uint8_t *)memory, size, pattern);
	}
	draft_next(draft, sizeof(mach_msg_ool_descriptor_t))->memory =
	    (mach_msg_ool_descriptor_t){ .address = (void *)memory,
					 .size = size,
					 /* never both: undoing must know whose it is */
					 .deallocate = TRUE,
					 .copy = dice_roll(dice, 2) ? MACH_MSG_VIRTUAL_COPY
								    : MACH_MSG_PHYSICAL_COPY,
					 .type = MACH_MSG_OOL_DESCRIPTOR };
	return size;
}

/* One right of an array whose rights all go by @disposition. */
static mach_port_t
array_right(struct draft *draft, mach_msg_type_name_t disposition, mach_port_t destination,
	    mach_port_t inbox)
{
	switch (disposition) {
	case MACH_MSG_TYPE_MOVE_RECEIVE:
		return port_with_qlimit(QUEUED_MAX);
	case MACH_MSG_TYPE_COPY_SEND:
		return destination;
	case MACH_MSG_TYPE_MAKE_SEND_ONCE:
		draft->made++;
		return inbox;
	default:
		return inbox;
	}
}

static uint32_t
add_array(struct draft *draft, struct dice *dice, mach_port_t destination, mach_port_t inbox)
{
	static const mach_msg_type_name_t dispositions[] = { MACH_MSG_TYPE_MAKE_SEND,
							     MACH_MSG_TYPE_MAKE_SEND_ONCE,
							     MACH_MSG_TYPE_COPY_SEND,
							     MACH_MSG_TYPE_MOVE_RECEIVE };
	mach_msg_type_name_t disposition = dispositions[dice_roll(dice, 4)];
	uint32_t count = dice_roll(dice, ARRAY_MAX + 1);
	vm_address_t memory = 0;

	if (count > 0)
		MUST(vm_allocate(mach_task_self(), &memory, count * sizeof(mach_port_t),
				 VM_FLAGS_ANYWHERE));
	for (uint32_t i = 0; i < count; i++)
		((mach_port_t *)memory)[i] =
		    dice_roll(dice, 8) == 0 ? MACH_PORT_NULL
					    : array_right(draft, disposition, destination, inbox);
	draft_next(draft, sizeof(mach_msg_ool_ports_descriptor_t))->array =
	    (mach_msg_ool_ports_descriptor_t){ .address = (void *)memory,
					       .count = count,
					       .deallocate = TRUE,
					       .copy = MACH_MSG_VIRTUAL_COPY,
					       .disposition = disposition,
					       .type = MACH_MSG_OOL_PORTS_DESCRIPTOR };
	return count;
}

static void
add_descriptor(struct draft *draft, struct dice *dice, struct payload *payload, uint32_t i,
	       mach_port_t destination, mach_port_t inbox)
{
	switch (dice_roll(dice, 7)) {
	case 0:
		add_port(draft, inbox, MACH_MSG_TYPE_MAKE_SEND);
		break;
	case 1:
		add_port(draft, inbox, MACH_MSG_TYPE_MAKE_SEND_ONCE);
		draft->made++;
		break;
	case 2:
		add_port(draft, destination, MACH_MSG_TYPE_COPY_SEND);
		break;
	case 3:
		payload->queued[i] = add_receive_right(draft, dice, inbox, payload->pattern);
		break;
	case 4:
		payload->memory_size[i] = add_memory(draft, dice, payload->pattern);
		break;
	case 5:
		payload->array_count[i] = add_array(draft, dice, destination, inbox);
		break;
	default:
		add_port(draft, dice_roll(dice, 2) ? MACH_PORT_NULL : MACH_PORT_DEAD,
			 MACH_MSG_TYPE_COPY_SEND);
		break;
	}
}

/* Little most of the time, and now and then more than a slot of the wire holds. */
static uint32_t
filler_size(struct dice *dice)
{
	switch (dice_roll(dice, 64)) {
	case 0:
		return dice_roll(dice, FILLER_MAX);
	case 1:
	case 2:
	case 3:
		return dice_roll(dice, 2000);
	default:
		return dice_roll(dice, 64);
	}
}

void
draft_make(struct draft *draft, struct dice *dice, mach_port_t destination, mach_port_t inbox,
	   const struct sender *sender, uint64_t sequence)
{
	mach_msg_base_t *base = (mach_msg_base_t *)draft->buffer;
	struct payload payload = { .sender = *sender,
				   .sequence = sequence,
				   .pattern = dice_next(dice) };
	bool wants_answer = dice_roll(dice, 4) == 0;

	draft->offset = sizeof(*base);
	draft->made = draft->made_early = draft->kept_count = 0;
	payload.count = dice_roll(dice, 4) == 0 ? dice_roll(dice, DESCRIPTORS_MAX + 1) : 0;
	for (uint32_t i = 0; i < payload.count; i++)
		add_descriptor(draft, dice, &payload, i, destination, inbox);
	payload.filler_size = filler_size(dice);

	bool is_complex = payload.count > 0 || dice_roll(dice, 8) == 0;
	memset(base, 0, sizeof(*base));
	if (is_complex)
		base->body.msgh_descriptor_count = payload.count;
	else
		draft->offset = sizeof(base->header);
	base->header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
						wants_answer ? MACH_MSG_TYPE_MAKE_SEND_ONCE : 0) |
				 (is_complex ? MACH_MSGH_BITS_COMPLEX : 0);
	base->header.msgh_remote_port = destination;
	base->header.msgh_local_port = wants_answer ? inbox : MACH_PORT_NULL;
	base->header.msgh_id = ID_DATA;
	draft->made += wants_answer;
	memcpy(&draft->buffer[draft->offset], &payload, sizeof(payload));
	bytes_fill(&draft->buffer[draft->offset + sizeof(payload)], payload.filler_size,
		   payload.pattern);
	base->header.msgh_size =
	    (draft->offset + (mach_msg_size_t)sizeof(payload) + payload.filler_size + 3) & ~3u;
}

void
draft_again(struct draft *draft)
{
	struct reader reader = { .header = (mach_msg_header_t *)draft->buffer,
				 .offset = sizeof(mach_msg_base_t) };
	union descriptor *descriptor;

	/* what came back as a physical copy is ours to free, and goes with the message again */
	while ((descriptor = reader_next(&reader)) != NULL)
		if (descriptor->any.type == MACH_MSG_OOL_DESCRIPTOR)
			descriptor->memory.deallocate = TRUE;
}

/* ---- taking back --------------------------------------------------------------------- */

/* A right that was to go.  What was to be copied or made is still where it was. */
static void
right_take_back(mach_port_t name, mach_msg_type_name_t disposition)
{
	if (!MACH_PORT_VALID(name))
		return;
	switch (disposition) {
	case MACH_MSG_TYPE_MOVE_RECEIVE:
		receive_right_drop(name);
		break;
	case MACH_MSG_TYPE_MOVE_SEND:
	case MACH_MSG_TYPE_MOVE_SEND_ONCE:
		MUST(mach_port_deallocate(mach_task_self(), name));
		break;
	default:
		break;
	}
}

static void
array_take_back(const mach_msg_ool_ports_descriptor_t *array)
{
	for (uint32_t i = 0; i < array->count; i++)
		right_take_back(((mach_port_t *)array->address)[i], array->disposition);
	if (array->count > 0)
		MUST(vm_deallocate(mach_task_self(), (vm_address_t)array->address,
				   array->count * sizeof(mach_port_t)));
}

void
draft_undo(struct draft *draft)
{
	mach_msg_base_t *base = (mach_msg_base_t *)draft->buffer;
	mach_msg_bits_t bits = base->header.msgh_bits;
	struct reader reader = { .header = &base->header, .offset = sizeof(*base) };
	union descriptor *descriptor;

	right_take_back(base->header.msgh_remote_port, MACH_MSGH_BITS_REMOTE(bits));
	right_take_back(base->header.msgh_local_port, MACH_MSGH_BITS_LOCAL(bits));
	while ((descriptor = reader_next(&reader)) != NULL) {
		if (descriptor->any.type == MACH_MSG_PORT_DESCRIPTOR)
			right_take_back(descriptor->port.name, descriptor->port.disposition);
		else if (descriptor->any.type == MACH_MSG_OOL_PORTS_DESCRIPTOR)
			array_take_back(&descriptor->array);
		else if (descriptor->memory.size > 0)
			MUST(vm_deallocate(mach_task_self(),
					   (vm_address_t)descriptor->memory.address,
					   descriptor->memory.size));
	}
}

/* ---- reading ------------------------------------------------------------------------- */

void
reader_init(struct reader *reader, mach_msg_header_t *header)
{
	*reader = (struct reader){ .header = header, .offset = sizeof(mach_msg_base_t) };
	if ((header->msgh_bits & MACH_MSGH_BITS_COMPLEX) == 0) {
		reader->offset = sizeof(mach_msg_header_t);
	} else {
		while (reader_next(reader) != NULL)
			;
	}
	uint32_t size = reader->offset + (uint32_t)sizeof(struct payload);
	if (header->msgh_size < size)
		fail("a message of at least %u bytes came with %u", size, header->msgh_size);
	memcpy(&reader->payload, (const uint8_t *)header + reader->offset, sizeof(reader->payload));
	if (header->msgh_size != ((size + reader->payload.filler_size + 3) & ~3u))
		fail("%u bytes of inline data came in a message of %u", reader->payload.filler_size,
		     header->msgh_size);
	bytes_check((const uint8_t *)header + size, reader->payload.filler_size,
		    reader->payload.pattern, "inline data");
	reader->offset = sizeof(mach_msg_base_t);
	reader->index = 0;
}

union descriptor *
reader_next(struct reader *reader)
{
	const mach_msg_base_t *base = (const mach_msg_base_t *)reader->header;
	union descriptor *descriptor =
	    (union descriptor *)((uint8_t *)reader->header + reader->offset);

	if ((base->header.msgh_bits & MACH_MSGH_BITS_COMPLEX) == 0 ||
	    reader->index == base->body.msgh_descriptor_count)
		return NULL;
	reader->index++;
	reader->offset += descriptor->any.type == MACH_MSG_PORT_DESCRIPTOR
			      ? (uint32_t)sizeof(descriptor->port)
			      : (uint32_t)sizeof(descriptor->memory);
	return descriptor;
}

void
reader_memory(const struct reader *reader, const mach_msg_ool_descriptor_t *memory)
{
	uint32_t size = reader->payload.memory_size[reader->index - 1];

	if (memory->size != size)
		fail("%u bytes of memory came as %u", size, memory->size);
	if (size == 0)
		return;
	bytes_check(memory->address, size, reader->payload.pattern, "memory");
	MUST(vm_deallocate(mach_task_self(), (vm_address_t)memory->address, size));
	atomic_fetch_add(&plan->memories, 1);
	atomic_fetch_add(&plan->memory_bytes, size);
}
