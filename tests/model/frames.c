/* What a step asks of the kernel, in the form of a trap: see play.h. */
#include <string.h>

#include "tests/model/play.h"

static void
descriptor_build(const struct play *p, const struct step_descriptor *d, struct m_call *call)
{
	union {
		uint8_t bytes[16];
		mach_msg_port_descriptor_t port;
		mach_msg_ool_descriptor_t ool;
		mach_msg_ool_ports_descriptor_t ports;
		mach_msg_guarded_port_descriptor_t guarded;
		mach_msg_type_descriptor_t type;
	} u = { 0 };
	struct m_piece *piece = &call->pieces[call->piece_count];
	uint32_t size = sizeof u;

	u.type.type = d->type;
	switch (d->type) {
	case MACH_MSG_OOL_DESCRIPTOR:
	case MACH_MSG_OOL_VOLATILE_DESCRIPTOR:
		u.ool.copy = d->copy;
		u.ool.deallocate = d->deallocate;
		u.ool.size = piece->size = d->count;
		for (uint32_t i = 0; i < d->count; i++)
			piece->bytes[i] = (uint8_t)(i * 7 + d->count);
		break;
	case MACH_MSG_OOL_PORTS_DESCRIPTOR:
		u.ports.disposition = d->disposition;
		u.ports.count = d->count;
		piece->size = 4 * d->count;
		for (uint32_t i = 0; i < d->count; i++) {
			mach_port_name_t name = (mach_port_name_t)play_arg(p, &d->names[i]);

			memcpy(piece->bytes + 4 * i, &name, sizeof name);
		}
		break;
	case MACH_MSG_GUARDED_PORT_DESCRIPTOR:
		u.guarded.name = (mach_port_name_t)play_arg(p, &d->names[0]);
		u.guarded.disposition = d->disposition;
		u.guarded.flags = d->flags;
		u.guarded.context = d->context;
		break;
	default:
		u.port.name = (mach_port_name_t)play_arg(p, &d->names[0]);
		u.port.disposition = d->disposition;
		size = sizeof u.port;
		break;
	}
	if (d->type >= MACH_MSG_OOL_DESCRIPTOR && d->type <= MACH_MSG_OOL_VOLATILE_DESCRIPTOR &&
	    d->count) {
		piece->unreadable = d->unreadable;
		call->piece_count++;
	}
	memcpy(call->bytes + call->bytes_size, &u, size);
	call->bytes_size += size;
}

static void
msg_build(const struct play *p, const struct step *step, struct m_call *call)
{
	const bool complex = step->complex || step->descriptor_count;
	mach_msg_base_t base = {
		.header = { .msgh_bits = MACH_MSGH_BITS_SET(
				step->dest_disposition, step->reply_disposition,
				step->voucher_disposition, complex ? MACH_MSGH_BITS_COMPLEX : 0),
			    .msgh_remote_port = (mach_port_name_t)play_arg(p, &step->dest),
			    .msgh_local_port = (mach_port_name_t)play_arg(p, &step->reply),
			    .msgh_voucher_port = (mach_port_name_t)play_arg(p, &step->voucher),
			    .msgh_id = step->msgh_id },
		.body = { step->descriptor_count + step->count_error },
	};

	call->number = BERTH_TRAP_MSG;
	memset(call->args, 0, sizeof call->args);
	call->args[0] = step->option;
	call->args[2] = step->rcv_size;
	call->args[3] = play_arg(p, &step->rcv_name);
	call->args[4] = step->timeout;
	call->args[6] = step->rcv_buffer;
	call->args[7] = play_arg(p, &step->sync_name);
	call->bytes_size = 0;
	if (!(step->option & MACH_SEND_MSG))
		return;
	call->bytes_size = complex ? sizeof base : sizeof base.header;
	memcpy(call->bytes, &base, call->bytes_size);
	for (uint32_t i = 0; i < step->descriptor_count; i++)
		descriptor_build(p, &step->descriptors[i], call);
	if (step->word_count) {
		const NDR_record_t ndr = { .int_rep = NDR_INT_LITTLE_ENDIAN };

		memcpy(call->bytes + call->bytes_size, &ndr, sizeof ndr);
		call->bytes_size += sizeof ndr;
		memcpy(call->bytes + call->bytes_size, step->words, 4 * step->word_count);
		call->bytes_size += 4 * step->word_count;
	}
	for (uint32_t i = 0; i < step->data_size; i++)
		call->bytes[call->bytes_size++] = (uint8_t)(step->id + i);
	call->args[1] = call->bytes_size + (uint32_t)step->size_error;
	if (call->args[1] < call->bytes_size)
		call->bytes_size = (uint32_t)call->args[1];
	/* what is said to follow and is not there: zeros */
	while (call->bytes_size < call->args[1] && call->bytes_size < sizeof call->bytes)
		call->bytes[call->bytes_size++] = 0;
}

/* The recipes of a voucher, of which sequence.h says how they are written. */
static void
recipes_build(struct m_call *call, uint32_t arg_count)
{
	for (uint32_t i = 1; i + 4 <= arg_count; i += 4) {
		const uint32_t content = (uint32_t)call->args[i + 3];
		const uint32_t size = content & (M_PIECE_BYTES - 1);
		const uint32_t recipe[] = { (uint32_t)call->args[i], (uint32_t)call->args[i + 1],
					    (uint32_t)call->args[i + 2],
					    content & 0x10000 ? size + 1000 : size };

		memcpy(call->bytes + call->bytes_size, recipe, sizeof recipe);
		call->bytes_size += sizeof recipe;
		memset(call->bytes + call->bytes_size, (int)(content >> 8 & 0xff), size);
		call->bytes_size += size;
		call->args[i] = 0;
	}
	call->bytes_size += arg_count > 1 && (arg_count - 1) % 4 ? 4 : 0;
}

/* The words of the text: what fills them, and how many bytes are missing. */
static void
registers_build(struct m_call *call)
{
	call->bytes_size = M_REGISTERS - (uint32_t)call->args[1] % M_REGISTERS;
	for (uint32_t i = 0; i < call->bytes_size; i++)
		call->bytes[i] = (uint8_t)(call->args[0] + i);
	call->args[0] = call->args[1] = 0;
}

static void
trap_build(const struct play *p, const struct step *step, struct m_call *call)
{
	uint64_t info = 0;

	call->number = step->trap;
	call->bytes_size = 0;
	for (uint32_t i = 0; i < M_ARGS; i++)
		call->args[i] = i < step->arg_count ? play_arg(p, &step->args[i]) : 0;
	if (step->trap == BERTH_TRAP_HOST_CREATE_MACH_VOUCHER)
		recipes_build(call, step->arg_count);
	if (step->trap == BERTH_TRAP_THREAD_STATE_OFFER)
		registers_build(call);
	if (step->trap != BERTH_TRAP_PORT_SET_ATTRIBUTES &&
	    step->trap != BERTH_TRAP_PORT_ASSERT_ATTRIBUTES)
		return;
	/* the fifth word of the text is what goes in */
	info = call->args[4];
	call->args[4] = 0;
	memset(call->bytes, 0, 64);
	memcpy(call->bytes, &info, sizeof info);
	call->bytes_size = 4 * (uint32_t)call->args[3];
}

void
call_build(const struct play *p, const struct step *step, struct m_call *call)
{
	call->piece_count = 0;
	if (step->kind == STEP_MSG)
		msg_build(p, step, call);
	else
		trap_build(p, step, call);
}
