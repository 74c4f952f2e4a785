/* Messages of a random run: see random.h. */
#include <string.h>

#include "tests/rules/random.h"

static void
some_descriptor(struct world *w, struct party *party, struct message *m, struct segment **segment)
{
	static const char bytes[64] = "some bytes out of line";
	mach_port_name_t names[4];
	uint32_t count;

	switch (pick(8)) {
	case 0:
	case 1:
	case 2:
	case 3:
		message_add_port(m, some_name(party), some_disposition());
		return;
	case 4:
		message_add_ool(m, bytes, pick(sizeof bytes), pick(2), pick(2));
		return;
	case 5:
		count = pick(5);
		for (uint32_t i = 0; i < count; i++)
			names[i] = some_name(party);
		/* the names live in the message's own unused end until it is sent */
		memcpy(m->bytes + MESSAGE_MAX - 256 + 16 * (m->descriptor_count % 16), names,
		       sizeof names);
		message_add_ool_ports(m,
				      (mach_port_name_t *)(void *)(m->bytes + MESSAGE_MAX - 256 +
								   16 * (m->descriptor_count % 16)),
				      count, some_disposition());
		return;
	case 6:
		if (!*segment)
			*segment = segment_new(w, bytes, sizeof bytes);
		message_add_ool_segment(m, *segment, pick(8), 1 + pick(32));
		return;
	default:
		message_add_guarded(m, some_name(party), some_number(), 1 + pick(2),
				    MACH_MSG_TYPE_MOVE_RECEIVE);
	}
}

void
learn_received(struct actor *t)
{
	uint64_t buffer = t->outcome.values[BERTH_MSG_BUFFER];

	if (buffer == BERTH_MSG_BUFFER_NONE)
		return;
	received_parse(t, &got);
	learn(t->party, got.header.msgh_remote_port);
	learn(t->party, got.header.msgh_local_port);
	if (MACH_MSGH_BITS_HAS_VOUCHER(got.header.msgh_bits))
		learn_voucher(t->party, got.header.msgh_voucher_port);
	for (uint32_t i = 0; i < got.descriptor_count; i++) {
		struct descriptor *d = &got.descriptors[i];

		learn(t->party, d->name);
		for (uint32_t j = 0; d->names && j < d->size; j++)
			learn(t->party, d->names[j]);
	}
}

void
some_message(struct world *w, struct actor *t)
{
	struct party *party = t->party;
	struct message m = message_to(some_name(party), some_disposition());
	struct segment *segment = NULL;
	int32_t option = 0;
	uint32_t timeout_ms = chance(60) ? 0 : pick(50);
	kern_return_t code;

	if (chance(30))
		message_reply(&m, some_name(party), some_disposition());
	if (chance(20)) {
		message_header(&m)->msgh_bits |=
		    MACH_MSGH_BITS_SET_PORTS(0, 0, chance(90) ? 17 + 2 * pick(2) : pick(32));
		message_header(&m)->msgh_voucher_port = some_voucher(party);
	}
	if (chance(40))
		for (uint32_t n = pick(5); n > 0; n--)
			some_descriptor(w, party, &m, &segment);
	if (chance(30))
		message_add_data(&m, "12345678abcdefgh", 4 * pick(5));
	message_id(&m, (int32_t)pick(100));
	if (chance(90))
		option |= MACH_SEND_TIMEOUT;
	if (chance(20))
		option |= MACH_SEND_NOTIFY;
	if (chance(15))
		code = msg_send_receive(t, &m, option | MACH_RCV_TIMEOUT,
					chance(90) ? ANY_SIZE : pick(80), some_name(party),
					timeout_ms, NULL);
	else
		code = msg_send(t, &m, option, timeout_ms);
	if (code != BLOCKED)
		learn_received(t);
	if (segment)
		segment_drop(segment);
}

void
some_receive(struct actor *t)
{
	int32_t option = MACH_RCV_TRAILER_ELEMENTS(pick(16));

	if (chance(90))
		option |= MACH_RCV_TIMEOUT;
	if (chance(30))
		option |= MACH_RCV_LARGE;
	if (chance(30))
		option |= MACH_RCV_LARGE_IDENTITY;
	if (chance(50))
		option |= MACH_RCV_GUARDED_DESC;
	if (chance(30))
		option |= MACH_RCV_VOUCHER;
	if (msg_receive(t, some_name(t->party), option, chance(85) ? ANY_SIZE : pick(100),
			chance(70) ? 0 : pick(50), NULL) != BLOCKED)
		learn_received(t);
}
