/*
 * Changing messages: taken apart into descriptors and the bytes behind them, changed, and put
 * together again.  Whatever the change, a right that is named is there to be taken, so that
 * what a message loses or keeps shows in the counts.
 */
#include "mutation.h"

#define DESCRIPTORS_MOST 24

struct part {
	mach_msg_descriptor_type_t type;
	mach_msg_type_name_t disposition;
	uint32_t size; /* bytes, or rights */
	bool is_null;  /* a name that is none */
	bool dealloc;
};

struct apart {
	mach_msg_header_t header;
	bool is_complex;
	uint32_t part_count;
	struct part parts[DESCRIPTORS_MOST];
	size_t tail_size;
	uint8_t tail[4096];
};

static const mach_msg_type_name_t dispositions[] = {
	MACH_MSG_TYPE_MOVE_RECEIVE, MACH_MSG_TYPE_MOVE_SEND, MACH_MSG_TYPE_MOVE_SEND_ONCE,
	MACH_MSG_TYPE_COPY_SEND,    MACH_MSG_TYPE_MAKE_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE,
};

/* ---- taking apart ---------------------------------------------------------------------- */

static size_t
part_read(const uint8_t *at, struct part *part)
{
	mach_msg_type_descriptor_t type;
	mach_msg_port_descriptor_t port;
	mach_msg_ool_descriptor_t ool;
	mach_msg_ool_ports_descriptor_t ports;

	memcpy(&type, at, sizeof(type));
	*part = (struct part){ .type = type.type };
	if (type.type == MACH_MSG_PORT_DESCRIPTOR) {
		memcpy(&port, at, sizeof(port));
		part->disposition = port.disposition;
		part->is_null = !MACH_PORT_VALID(port.name);
		return sizeof(port);
	}
	if (type.type == MACH_MSG_OOL_DESCRIPTOR) {
		memcpy(&ool, at, sizeof(ool));
		part->size = ool.size;
		return sizeof(ool);
	}
	expect_equal(type.type, MACH_MSG_OOL_PORTS_DESCRIPTOR);
	memcpy(&ports, at, sizeof(ports));
	part->size = ports.count;
	part->disposition = ports.disposition;
	return sizeof(ports);
}

static void
take_apart(const mach_msg_header_t *original, size_t size, struct apart *apart)
{
	const uint8_t *bytes = (const uint8_t *)original;
	size_t at = sizeof(mach_msg_header_t);

	apart->header = *original;
	apart->is_complex = (original->msgh_bits & MACH_MSGH_BITS_COMPLEX) != 0;
	apart->part_count = 0;
	if (apart->is_complex) {
		memcpy(&apart->part_count, bytes + at, 4);
		at += 4;
		expect(apart->part_count <= DESCRIPTORS_MOST);
		for (uint32_t i = 0; i < apart->part_count; i++)
			at += part_read(bytes + at, &apart->parts[i]);
	}
	apart->tail_size = size - at;
	expect(apart->tail_size <= sizeof(apart->tail));
	memcpy(apart->tail, bytes + at, apart->tail_size);
}

/* ---- changes ----------------------------------------------------------------------------- */

static uint32_t
odd_number(void)
{
	static const uint32_t numbers[] = {
		0,     1,          2,          3,          4,          5,          10,        11,
		16,    17,         63,         64,         127,        128,        129,       1000,
		65535, 0x3fffffff, 0x40000001, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff
	};

	return numbers[choose(sizeof(numbers) / sizeof(*numbers))];
}

/* Another number in place of @number: near it, or a multiple that wraps. */
static uint32_t
other_number(uint32_t number)
{
	switch (choose(5)) {
	case 0:
		return number + 1 + choose(4);
	case 1:
		return number - 1 - choose(4);
	case 2:
		return number + (1u << (28 + choose(4)));
	default:
		return odd_number();
	}
}

static void
change_tail(struct apart *a)
{
	uint32_t at = choose((uint32_t)a->tail_size / 4 + 1) * 4;
	uint32_t number, size;

	switch (choose(8)) {
	case 0: /* a byte */
		if (at < a->tail_size)
			a->tail[at + choose(4)] = (uint8_t)choose(256);
		break;
	case 1: /* no NUL left */
		size = choose((uint32_t)a->tail_size - at + 1);
		memset(a->tail + at, 'm', size);
		break;
	case 2: /* shorter */
		a->tail_size = at;
		break;
	case 3: /* longer */
		size = 4 * (1 + choose(choose(8) == 0 ? 60 : 4));
		if (a->tail_size + size <= sizeof(a->tail)) {
			memset(a->tail + a->tail_size, 'm', size);
			a->tail_size += size;
		}
		break;
	default: /* a number: a count most often */
		if (at + 4 > a->tail_size)
			break;
		memcpy(&number, a->tail + at, 4);
		number = other_number(number);
		memcpy(a->tail + at, &number, 4);
		break;
	}
}

static void
change_part(struct apart *a)
{
	uint32_t index = choose(a->part_count);
	struct part *part = &a->parts[index];

	switch (choose(7)) {
	case 0:
		part->disposition = dispositions[choose(6)];
		break;
	case 1:
		part->type = choose(3);
		if (part->type != MACH_MSG_OOL_DESCRIPTOR && part->disposition == 0)
			part->disposition = dispositions[choose(6)];
		break;
	case 2:
		part->size = other_number(part->size);
		break;
	case 3:
		part->is_null = !part->is_null;
		break;
	case 4:
		part->dealloc = true;
		break;
	case 5: /* one less */
		a->part_count--;
		*part = a->parts[a->part_count];
		break;
	default: /* one more */
		if (a->part_count < DESCRIPTORS_MOST)
			a->parts[a->part_count++] = *part;
		break;
	}
}

static void
change_once(struct apart *a)
{
	switch (choose(10)) {
	case 0:
		a->header.msgh_id += (mach_msg_id_t)choose(30) - 15;
		break;
	case 1:
		a->is_complex = !a->is_complex;
		if (!a->is_complex)
			a->part_count = 0;
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		if (a->part_count > 0) {
			change_part(a);
			break;
		}
		/* fall through */
	default:
		change_tail(a);
		break;
	}
}

/* ---- putting together ---------------------------------------------------------------------- */

/* A name that has the right to be taken as @disposition. */
static mach_port_t
name_for(mach_msg_type_name_t disposition)
{
	mach_port_t name;
	mach_msg_type_name_t type;

	switch (disposition) {
	case MACH_MSG_TYPE_MOVE_RECEIVE:
		return receive_right_new();
	case MACH_MSG_TYPE_MOVE_SEND:
		expect_equal(mach_port_mod_refs(mach_task_self(), held, MACH_PORT_RIGHT_SEND, 1),
			     0);
		return held;
	case MACH_MSG_TYPE_MOVE_SEND_ONCE:
		expect_equal(mach_port_extract_right(mach_task_self(), held,
						     MACH_MSG_TYPE_MAKE_SEND_ONCE, &name, &type),
			     0);
		return name;
	default:
		return held;
	}
}

/* As somebody would send what has been received as @disposition. */
static mach_msg_type_name_t
sendable(mach_msg_type_name_t disposition)
{
	return disposition >= MACH_MSG_TYPE_MOVE_RECEIVE &&
		       disposition <= MACH_MSG_TYPE_MAKE_SEND_ONCE
		   ? disposition
		   : MACH_MSG_TYPE_COPY_SEND;
}

static size_t
part_write(uint8_t *at, const struct part *part, mach_port_t *names)
{
	mach_msg_type_name_t disposition = sendable(part->disposition);

	if (part->type == MACH_MSG_PORT_DESCRIPTOR) {
		mach_msg_port_descriptor_t d = {
			.name = part->is_null ? MACH_PORT_NULL : name_for(disposition),
			.disposition = disposition,
			.type = MACH_MSG_PORT_DESCRIPTOR,
		};
		memcpy(at, &d, sizeof(d));
		return sizeof(d);
	}
	if (part->type == MACH_MSG_OOL_DESCRIPTOR) {
		uint32_t size = part->size <= BLOCK_SIZE ? part->size : BLOCK_SIZE;
		bool moves = part->dealloc && size > 0;
		mach_msg_ool_descriptor_t d = {
			.address = moves ? memory_new(size) : memory_block,
			.size = size,
			.deallocate = moves,
			.copy = MACH_MSG_VIRTUAL_COPY,
			.type = MACH_MSG_OOL_DESCRIPTOR,
		};
		memcpy(at, &d, sizeof(d));
		return sizeof(d);
	}
	uint32_t count = part->size <= NAMES_MOST ? part->size : NAMES_MOST;
	for (uint32_t i = 0; i < count; i++)
		names[i] = part->is_null ? MACH_PORT_NULL : name_for(disposition);
	mach_msg_ool_ports_descriptor_t d = {
		.address = names,
		.count = count,
		.copy = MACH_MSG_VIRTUAL_COPY,
		.disposition = disposition,
		.type = MACH_MSG_OOL_PORTS_DESCRIPTOR,
	};
	memcpy(at, &d, sizeof(d));
	return sizeof(d);
}

void
change(const mach_msg_header_t *original, size_t size, unsigned changes, struct changed *copy)
{
	/* they are sent before the next is made */
	static mach_port_t names[DESCRIPTORS_MOST][NAMES_MOST];
	static struct apart apart;
	size_t at = sizeof(mach_msg_header_t);

	take_apart(original, size, &apart);
	while (changes-- > 0)
		change_once(&apart);
	memset(copy->bytes, 0, sizeof(copy->bytes));
	copy->header.msgh_id = apart.header.msgh_id;
	if (apart.is_complex) {
		copy->header.msgh_bits = MACH_MSGH_BITS_COMPLEX;
		memcpy(copy->bytes + at, &apart.part_count, 4);
		at += 4;
		for (uint32_t i = 0; i < apart.part_count; i++)
			at += part_write(copy->bytes + at, &apart.parts[i], names[i]);
	}
	expect(at + apart.tail_size <= sizeof(copy->bytes));
	memcpy(copy->bytes + at, apart.tail, apart.tail_size);
	copy->size = at + apart.tail_size;
}
