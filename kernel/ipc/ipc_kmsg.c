/*
 * Messages: memory, and what destroying one does.  Copying in and out: ipc_kmsg_copyin.c and
 * ipc_kmsg_copyout.c.
 */
#include "ipc/ipc_kmsg.h"

#include <string.h>

#include "ipc/ipc_notify.h"
#include "ipc/ipc_kmsg_memory.h"
#include "kern/mk_timer.h"
#include "kern/thread.h"

struct ipc_kmsg *
ipc_kmsg_alloc(struct kernel *k, uint32_t bytes_size, uint32_t descriptor_count)
{
	size_t descriptors_size = descriptor_count * sizeof(struct ipc_kmsg_descriptor);
	size_t pieces_size = descriptor_count * sizeof(struct kernel_piece);
	size_t size = sizeof(struct ipc_kmsg) + descriptors_size + pieces_size + bytes_size +
		      sizeof(mach_msg_max_trailer_t);
	struct ipc_kmsg *kmsg = kernel_memory_alloc_raw(k, size);

	if (!kmsg)
		return NULL;
	memset(kmsg, 0, sizeof(*kmsg) + descriptors_size + pieces_size);
	kmsg->kernel = k;
	kmsg->alloc_size = size;
	list_init(&kmsg->link);
	kmsg->size = bytes_size;
	kmsg->bytes_size = bytes_size;
	kmsg->descriptors = (struct ipc_kmsg_descriptor *)(kmsg + 1);
	kmsg->pieces = (struct kernel_piece *)(void *)((uint8_t *)(kmsg + 1) + descriptors_size);
	kmsg->bytes = (uint8_t *)(kmsg->pieces + descriptor_count);
	k->kmsg_count++;
	return kmsg;
}

void
ipc_kmsg_charge_over(struct ipc_kmsg *kmsg, struct account *payer, uint64_t bytes)
{
	payer->queued_bytes += bytes;
	kmsg->charge_bytes += bytes;
	if (!kmsg->payer)
		kmsg->payer = account_ref(payer);
}

mustuse bool
ipc_kmsg_charge(struct ipc_kmsg *kmsg, struct account *payer, uint64_t bytes)
{
	if (payer->queued_bytes + bytes > TASK_QUEUED_BYTES_MAX)
		return false;
	ipc_kmsg_charge_over(kmsg, payer, bytes);
	return true;
}

/* ---- segments ------------------------------------------------------------------------ */

mustuse bool
ipc_segment_ref(struct kernel *k, struct kernel_segment *segment, struct account *payer)
{
	if (!segment->payer) {
		if (payer->segment_bytes + segment->size_bytes > TASK_SEGMENT_BYTES_MAX)
			return false;
		payer->segment_bytes += segment->size_bytes;
		segment->payer = account_ref(payer);
		k->segment_count++;
	}
	segment->ref_count++;
	segment->message_count++;
	return true;
}

void
kernel_segment_unref(struct kernel_segment *segment, struct kernel_effects *effects)
{
	struct account *payer = segment->payer;

	check(segment->ref_count > 0);
	if (--segment->ref_count > 0)
		return;
	if (payer) {
		payer->segment_bytes -= segment->size_bytes;
		payer->kernel->segment_count--;
		segment->payer = account_unref(payer);
	}
	segment->next = effects->segments;
	effects->segments = segment;
}

static void
piece_free(struct kernel *k, struct kernel_piece *piece)
{
	if (piece->kind == KERNEL_PIECE_BYTES)
		/* ours: written once at copyin */
		kernel_memory_free(k, (void *)(uintptr_t)piece->bytes, (size_t)piece->offset_bytes);
	else if (piece->kind == KERNEL_PIECE_SEGMENT) {
		piece->segment->message_count--;
		kernel_segment_unref(piece->segment, k->effects);
	}
	piece->kind = KERNEL_PIECE_UNREADABLE;
}

/* A segment that no other message holds; the host may, which has not let go of the trap yet. */
static void
segment_pay_by(const struct kernel_piece *piece, struct account *payer)
{
	if (piece->kind != KERNEL_PIECE_SEGMENT || piece->segment->message_count > 1 ||
	    payer->segment_bytes >= TASK_SEGMENT_BYTES_MAX)
		return;

	struct kernel_segment *segment = piece->segment;
	struct account *before = segment->payer;

	before->segment_bytes -= segment->size_bytes;
	payer->segment_bytes += segment->size_bytes;
	segment->payer = account_ref(payer);
	account_unref(before);
}

void
ipc_kmsg_pay_by(struct ipc_kmsg *kmsg, struct account *payer)
{
	struct account *before = kmsg->payer;

	if (!before || !payer || before == payer)
		return;
	for (uint32_t i = 0; i < kmsg->piece_count; i++)
		segment_pay_by(&kmsg->pieces[i], payer);
	segment_pay_by(&kmsg->tail, payer);
	if (payer->queued_bytes >= TASK_QUEUED_BYTES_MAX)
		return;
	before->queued_bytes -= kmsg->charge_bytes;
	payer->queued_bytes += kmsg->charge_bytes;
	kmsg->payer = account_ref(payer);
	account_unref(before);
}

/* ---- the end -------------------------------------------------------------------------- */

void
ipc_kmsg_free(struct kernel *k, struct ipc_kmsg *kmsg)
{
	check(!list_is_linked(&kmsg->link));
	check(!kmsg->dest && !ip_valid(kmsg->reply) && !kmsg->voucher);
	if (kmsg->timer) {
		mk_timer_take_back(k, kmsg->timer);
		return;
	}
	for (uint32_t i = 0; i < kmsg->piece_count; i++)
		piece_free(k, &kmsg->pieces[i]);
	if (kmsg->tail.kind != KERNEL_PIECE_UNREADABLE)
		piece_free(k, &kmsg->tail);
	if (kmsg->payer) {
		kmsg->payer->queued_bytes -= kmsg->charge_bytes;
		account_unref(kmsg->payer);
	}
	k->kmsg_count--;
	kernel_memory_free(k, kmsg, kmsg->alloc_size);
}

void
ipc_kmsg_use_dest(struct kernel *k, struct ipc_kmsg *kmsg)
{
	struct ipc_port *dest = kmsg->dest;

	kmsg->dest = NULL;
	if (kmsg->is_notification) {
		kmsg->is_notification = false;
		k->notify_in_flight_count--;
	}
	if (kmsg->dest_type == MACH_MSG_TYPE_PORT_SEND_ONCE)
		ipc_port_use_send_once(k, dest);
	else
		ipc_port_release_send(k, dest);
}

/*
 * The receive rights of a message that ends travel nowhere any more, not even the last ones of
 * it: a backup among them can still be sent what the first ones held.
 */
static void
body_leaves_transit(struct kernel *k, struct ipc_kmsg *kmsg)
{
	for (uint32_t i = 0; i < kmsg->descriptors_taken; i++) {
		struct ipc_kmsg_descriptor *d = &kmsg->descriptors[i];
		const bool is_array = d->type == MACH_MSG_OOL_PORTS_DESCRIPTOR;
		struct ipc_port **ports = is_array ? d->ports : &d->port;

		if (d->disposition != MACH_MSG_TYPE_PORT_RECEIVE || !ports)
			continue;
		for (uint32_t j = 0; j < (is_array ? d->count : 1); j++)
			if (ip_valid(ports[j]))
				ipc_port_leave_transit(k, ports[j]);
	}
}

void
ipc_kmsg_clean_body(struct kernel *k, struct ipc_kmsg *kmsg)
{
	body_leaves_transit(k, kmsg);
	for (uint32_t i = 0; i < kmsg->descriptors_taken; i++) {
		struct ipc_kmsg_descriptor *d = &kmsg->descriptors[i];

		if (d->type == MACH_MSG_OOL_PORTS_DESCRIPTOR) {
			for (uint32_t j = 0; d->ports && j < d->count; j++)
				ipc_port_release_right(k, d->ports[j], d->disposition);
			d->ports = NULL;
		} else {
			struct ipc_port *port = d->port;

			d->port = NULL;
			ipc_port_release_right(k, port, d->disposition);
		}
	}
	kmsg->descriptors_taken = 0;
}

/* Reply right and voucher. */
static void
clean_header(struct kernel *k, struct ipc_kmsg *kmsg)
{
	struct ipc_port *reply = kmsg->reply;
	struct ipc_port *voucher = kmsg->voucher;

	kmsg->reply = NULL;
	kmsg->voucher = NULL;
	ipc_port_release_right(k, reply, kmsg->reply_type);
	ipc_port_release_send(k, voucher);
}

void
ipc_kmsg_destroy(struct kernel *k, struct ipc_kmsg *kmsg)
{
	if (kmsg->dest)
		ipc_kmsg_use_dest(k, kmsg);
	clean_header(k, kmsg);
	ipc_kmsg_clean_body(k, kmsg);
	ipc_kmsg_free(k, kmsg);
}

void
ipc_kmsg_destroy_unsent(struct kernel *k, struct ipc_kmsg *kmsg)
{
	/* a send-once destination that no message reached: its port is told */
	if (kmsg->dest && kmsg->dest_type == MACH_MSG_TYPE_PORT_SEND_ONCE) {
		struct ipc_port *dest = kmsg->dest;

		kmsg->dest = NULL;
		ipc_port_release_send_once(k, dest);
	}
	ipc_kmsg_destroy(k, kmsg);
}

void
ipc_kmsg_strip(struct kernel *k, struct ipc_kmsg *kmsg, mach_port_name_t local_name)
{
	mach_msg_header_t *h = ikm_header(kmsg);
	mach_port_name_t remote_name = ip_valid(kmsg->reply) ? MACH_PORT_NULL : kmsg->reply_name;
	mach_port_name_t voucher_name = kmsg->voucher ? MACH_PORT_NULL : kmsg->voucher_name;

	if (kmsg->reply == IP_DEAD)
		remote_name = MACH_PORT_DEAD;
	if (kmsg->dest)
		ipc_kmsg_use_dest(k, kmsg);
	clean_header(k, kmsg);
	ipc_kmsg_clean_body(k, kmsg);
	h->msgh_bits = MACH_MSGH_BITS_SET(kmsg->reply_type, kmsg->dest_type, kmsg->voucher_type,
					  h->msgh_bits & MACH_MSGH_BITS_COMPLEX);
	h->msgh_size = sizeof(*h);
	h->msgh_remote_port = remote_name;
	h->msgh_local_port = local_name;
	h->msgh_voucher_port = voucher_name;
	for (uint32_t i = 0; i < kmsg->piece_count; i++)
		piece_free(k, &kmsg->pieces[i]);
	kmsg->piece_count = 0;
	if (kmsg->tail.kind != KERNEL_PIECE_UNREADABLE)
		piece_free(k, &kmsg->tail);
	kmsg->size = sizeof(*h);
	kmsg->bytes_size = sizeof(*h);
}

/* ---- trailers ------------------------------------------------------------------------- */

uint32_t
ipc_kmsg_trailer_size(mach_msg_option_t option)
{
	switch (GET_RCV_ELEMENTS(option)) {
	case MACH_RCV_TRAILER_NULL:
		return sizeof(mach_msg_trailer_t);
	case MACH_RCV_TRAILER_SEQNO:
		return sizeof(mach_msg_seqno_trailer_t);
	case MACH_RCV_TRAILER_SENDER:
		return sizeof(mach_msg_security_trailer_t);
	case MACH_RCV_TRAILER_AUDIT:
		return sizeof(mach_msg_audit_trailer_t);
	case MACH_RCV_TRAILER_CTX:
		return sizeof(mach_msg_context_trailer_t);
	default:
		return sizeof(mach_msg_max_trailer_t);
	}
}

uint32_t
ipc_kmsg_add_trailer(struct ipc_kmsg *kmsg, const struct task *receiver, mach_msg_option_t option,
		     uint64_t context, bool kernel_tokens)
{
	const uint32_t size = ipc_kmsg_trailer_size(option);
	mach_msg_max_trailer_t trailer = {
		.msgh_trailer_type = MACH_MSG_TRAILER_FORMAT_0,
		.msgh_trailer_size = size,
		.msgh_seqno = kmsg->seqno,
		.msgh_context = context,
	};

	if (kernel_tokens || kmsg->sender_pid == 0) {
		trailer.msgh_sender.val[1] =
		    1; /* KERNEL_SECURITY_TOKEN; the audit token is all 0 */
	} else if (kmsg->lane_task_id != 0 && kmsg->lane_task_id != receiver->id) {
		/* nobody's: no uid and no pid is so large */
		memset(&trailer.msgh_sender, 0xff, sizeof(trailer.msgh_sender));
		memset(&trailer.msgh_audit, 0xff, sizeof(trailer.msgh_audit));
	} else {
		trailer.msgh_sender.val[0] = kmsg->audit.val[TOKEN_EUID];
		trailer.msgh_sender.val[1] = kmsg->audit.val[TOKEN_EGID];
		trailer.msgh_audit = kmsg->audit;
	}
	memcpy(kmsg->bytes + kmsg->bytes_size, &trailer, size);
	return size;
}
