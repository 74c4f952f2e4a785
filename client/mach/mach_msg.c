/*
 * mach_msg: send and receive.
 *
 * What may be seen of a signal handler that ran meanwhile is as on Darwin: with
 * MACH_SEND_INTERRUPT or MACH_RCV_INTERRUPT the call returns, without them it is repeated with
 * its full time-out.  A wait that has neither a time-out nor one of these options is simply
 * not interrupted, which no program can tell from being repeated.
 */
#include <mach/mach.h>
#include <mach/message.h>

#include "client/carrier.h"
#include "client/export.h"
#include "client/incoming.h"
#include "client/mach_lane.h"
#include "client/outgoing.h"
#include "client/site.h"
#include "client/trap.h"

#include <string.h>

/* Options of this library; the kernel does not know them. */
#define LIBRARY_OPTIONS (MACH_SEND_INTERRUPT | MACH_RCV_INTERRUPT)

/* One call of mach_msg, as its arguments say. */
struct message_call {
	mach_msg_header_t *message;
	mach_msg_header_t *receive_buffer;
	mach_msg_option_t option;
	mach_msg_size_t send_size;
	mach_msg_size_t receive_size;
	mach_port_name_t receive_name;
	mach_msg_timeout_t timeout_ms;
	mach_msg_priority_t priority;
	mach_port_name_t sync_name; /* MACH_RCV_SYNC_WAIT: whom the receiver waits for */
};

/* What the call returns when there was no answer. */
static mach_msg_return_t
outcome_code(enum trap_outcome outcome, mach_msg_option_t option)
{
	bool receives = (option & MACH_RCV_MSG) != 0;
	bool sends = (option & MACH_SEND_MSG) != 0;

	switch (outcome) {
	case TRAP_NO_KERNEL:
		return sends ? MACH_SEND_INVALID_DEST : MACH_RCV_INVALID_NAME;
	case TRAP_DIED:
		return receives ? MACH_RCV_PORT_CHANGED : MACH_SEND_INVALID_DEST;
	default:
		return sends ? MACH_SEND_NO_BUFFER : MACH_RCV_HEADER_ERROR | MACH_MSG_IPC_KERNEL;
	}
}

static enum trap_patience
call_patience(const struct message_call *call, mach_msg_option_t option)
{
	mach_msg_option_t timed = MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT;

	if ((option & LIBRARY_OPTIONS) != 0 || ((option & timed) != 0 && call->timeout_ms != 0))
		return TRAP_INTERRUPTIBLE;
	return TRAP_PATIENT;
}

static void
fill_args(uint64_t args[TRAP_ARG_COUNT], const struct message_call *call, mach_msg_option_t option)
{
	args[0] = (uint32_t)(option & ~LIBRARY_OPTIONS);
	args[1] = call->send_size;
	args[2] = call->receive_size;
	args[3] = call->receive_name;
	args[4] = call->timeout_ms;
	args[5] = call->priority;
	args[6] = (uintptr_t)call->receive_buffer;
	args[7] = call->sync_name;
}

/*
 * Run a trap whose request is complete, and put the result where it belongs.  @out is NULL
 * if the trap does not send.
 */
static mach_msg_return_t
run_and_place(struct trap *trap, struct outgoing *out, const struct message_call *call,
	      mach_msg_option_t option)
{
	trap->waits_for_others = (option & MACH_RCV_MSG) != 0;

	enum trap_outcome outcome = trap_run(trap, call_patience(call, option));

	if (outcome != TRAP_OK && outcome != TRAP_SHORTAGE)
		return outcome_code(outcome, option);
	if (trap->send_error != 0)
		return MACH_SEND_NO_BUFFER; /* the kernel has not seen it */
	const struct trap_reply *reply = &trap->slot->reply;
	mach_msg_return_t code = reply->code;
	if (out != NULL && out->region_count > 0)
		outgoing_release(out, (uint32_t)reply->values[BERTH_MSG_CAPTURED]);
	if (outcome == TRAP_SHORTAGE && (reply->flags & (TRAP_HAS_BULK | TRAP_HAS_CARRIER)) ==
					    (TRAP_HAS_BULK | TRAP_HAS_CARRIER))
		carrier_done(trap, false);
	if (outcome ==
	    TRAP_SHORTAGE) /* what came with the answer is lost for want of a descriptor */
		return code == MACH_MSG_SUCCESS ? MACH_RCV_INVALID_DATA : code;
	switch (reply->values[BERTH_MSG_BUFFER]) {
	case BERTH_MSG_BUFFER_RECEIVE:
		return incoming_place(trap, call->receive_buffer, code);
	case BERTH_MSG_BUFFER_SEND:
		return incoming_place(trap, call->message, code);
	case BERTH_MSG_BUFFER_LARGE:
		return incoming_too_large(trap, call->receive_buffer, code);
	default:
		return code;
	}
}

static mach_msg_return_t
receive_trap(const struct message_call *call, mach_msg_option_t option)
{
	struct trap trap;
	enum trap_outcome outcome = trap_begin(&trap, BERTH_TRAP_MSG);

	if (outcome != TRAP_OK)
		return outcome_code(outcome, option);
	fill_args(trap.slot->request.args, call, option);
	mach_msg_return_t code = run_and_place(&trap, NULL, call, option);
	trap_end(&trap);
	return code;
}

/* Note what rights the message takes along, of which the kernel has yet to be asked. */
static void
note_moves(const struct outgoing *out, struct site_moves *moves)
{
	if (out->is_spilled)
		return; /* it is sealed */
	const struct trap_piece_wire *pieces =
	    (const struct trap_piece_wire *)(out->stream + ((out->prefix_size + 7u) & ~7u));
	uint32_t tail_count = (out->flags & TRAP_HAS_TAIL) != 0 ? 1 : 0;
	const struct site_message message = { out->stream, out->prefix_size, pieces + tail_count,
					      out->piece_count - tail_count, out->stream_size };

	site_message_goes(&message, moves);
}

/* Has the message left the space?  One that comes back has, too. */
static bool
is_gone(const uint64_t values[TRAP_VALUE_COUNT])
{
	return values[BERTH_MSG_SENT] != 0 || values[BERTH_MSG_BUFFER] == BERTH_MSG_BUFFER_SEND;
}

/* Does the message that is ready go by the carrier? */
static bool
leave_unless_carried(const struct carrier_place *carrier, const struct outgoing *out,
		     mach_msg_return_t code)
{
	if (code == MACH_MSG_SUCCESS && (out->flags & TRAP_HAS_CARRIER) != 0)
		return true;
	carrier_leave(carrier);
	return false;
}

/* The kernel has seen the message, or it could not be sent there. */
static void
carrier_sent(const struct carrier_place *carrier, const struct trap *trap)
{
	if (trap->send_error != 0)
		carrier_leave(carrier);
	else
		carrier_gone(carrier);
}

static mach_msg_return_t
send_trap(struct message_call *call, mach_msg_option_t option)
{
	struct trap trap;
	struct outgoing out;
	struct site_moves moves = { 0 };
	struct carrier_place carrier;
	bool is_carried = carrier_find(&carrier, call->message, call->send_size);
	enum trap_outcome outcome = trap_begin(&trap, BERTH_TRAP_MSG);

	if (outcome != TRAP_OK) {
		if (is_carried)
			carrier_leave(&carrier);
		return outcome_code(outcome, option);
	}
	mach_msg_return_t code =
	    outgoing_begin(&out, call->message, call->send_size, trap.slot->data, TRAP_DATA_SIZE,
			   is_carried ? &carrier : NULL);
	is_carried = is_carried && leave_unless_carried(&carrier, &out, code);
	/* memory that the send takes from the program goes before the program waits */
	bool is_split = out.region_count > 0 && (option & MACH_RCV_MSG) != 0;
	if (code == MACH_MSG_SUCCESS) {
		struct trap_request *request = &trap.slot->request;
		mach_msg_option_t now = is_split ? option & ~MACH_RCV_MSG : option;

		if ((option & MACH_RCV_SYNC_WAIT) != 0)
			call->sync_name =
			    ((const mach_msg_header_t *)trap.slot->data)->msgh_remote_port;
		fill_args(request->args, call, now);
		request->flags = out.flags;
		request->stream_size_bytes = out.stream_size;
		request->prefix_size_bytes = out.prefix_size;
		request->piece_count = out.piece_count;
		request->carrier = is_carried ? carrier.number : 0;
		trap.spill_fd = out.spill_fd;
		trap.bulk_fd = out.bulk_fd;
		out.spill_fd = -1;
		out.bulk_fd = -1;
		if (site_is_on())
			note_moves(&out, &moves);
		code = run_and_place(&trap, &out, call, now);
		if (is_carried)
			carrier_sent(&carrier, &trap);
		if (moves.first != 0)
			site_moves_end(&moves, is_gone(trap.slot->reply.values));
	}
	outgoing_end(&out);
	trap_end(&trap);
	if (is_split && code == MACH_MSG_SUCCESS)
		code = receive_trap(call, option & ~MACH_SEND_MSG);
	return code;
}

/* The send half, and the other one with it if @option says so. */
static mach_msg_return_t
send_by_kernel(struct message_call *call, mach_msg_option_t option)
{
	mach_msg_return_t code;

	do {
		/* the buffer holds the message as it was given back, with its new header */
		code = send_trap(call, option);
	} while (code == MACH_SEND_INTERRUPTED && (option & MACH_SEND_INTERRUPT) == 0);
	return code;
}

/* What of the call lanes can do.  What is left of @option is the kernel's; none: *@code. */
static mach_msg_option_t
by_lanes(struct message_call *call, mach_msg_option_t option, mach_msg_return_t *code)
{
	if (mach_lanes_are_offered())
		mach_lanes_accept();
	if ((option & MACH_SEND_MSG) != 0) {
		if (!mach_lane_send(call->message, option, call->send_size)) {
			mach_lane_sent_by_kernel(call->message, option, call->send_size);
			if ((option & (MACH_RCV_MSG | MACH_RCV_SYNC_WAIT)) != MACH_RCV_MSG ||
			    !mach_lane_is_awaited(call->receive_name))
				return option;
			*code = send_by_kernel(call, option & ~MACH_RCV_MSG);
			if (*code != MACH_MSG_SUCCESS)
				return option & ~(MACH_SEND_MSG | MACH_RCV_MSG);
		}
		option &= ~MACH_SEND_MSG;
	}
	if ((option & MACH_RCV_MSG) != 0 &&
	    mach_lane_receive(call->receive_buffer, option, call->receive_size, call->receive_name,
			      &call->timeout_ms, code))
		option &= ~MACH_RCV_MSG;
	return option;
}

static mach_msg_return_t
message_call(struct message_call *call)
{
	mach_msg_option_t option = call->option;
	mach_msg_return_t code = MACH_MSG_SUCCESS;

	if ((option & (MACH_SEND_MSG | MACH_RCV_MSG)) == 0)
		return MACH_MSG_SUCCESS;
	if (mach_lanes_are_on()) {
		option = by_lanes(call, option, &code);
		if ((option & (MACH_SEND_MSG | MACH_RCV_MSG)) == 0)
			return code;
	}
	if ((option & MACH_SEND_MSG) != 0) {
		code = send_by_kernel(call, option);
		if (code != MACH_RCV_INTERRUPTED || (option & MACH_RCV_INTERRUPT) != 0)
			return code;
		/* the message is sent: only the rest is repeated, and it waits for nobody special
		 */
		option &= ~(MACH_SEND_MSG | MACH_RCV_SYNC_WAIT);
	}
	do {
		code = receive_trap(call, option);
	} while (code == MACH_RCV_INTERRUPTED && (option & MACH_RCV_INTERRUPT) == 0);
	return code;
}

BERTH_EXPORT mach_msg_return_t
mach_msg_overwrite(mach_msg_header_t *msg, mach_msg_option_t option, mach_msg_size_t send_size,
		   mach_msg_size_t rcv_size, mach_port_name_t rcv_name, mach_msg_timeout_t timeout,
		   mach_msg_priority_t priority, mach_msg_header_t *rcv_msg,
		   mach_msg_size_t rcv_limit)
{
	struct message_call call = {
		.message = msg,
		.receive_buffer = rcv_msg != NULL ? rcv_msg : msg,
		.option = option,
		.send_size = send_size,
		.receive_size = rcv_size,
		.receive_name = rcv_name,
		.timeout_ms = timeout,
	};

	if ((option & MACH_SEND_MSG) != 0) {
		if ((option & MACH_SEND_OVERRIDE) != 0)
			call.priority = priority;
	} else if ((option & MACH_RCV_MSG) != 0 && (option & MACH_RCV_SYNC_WAIT) != 0) {
		/* Darwin's library hands the name over in the buffer, where programs can see it */
		msg->msgh_remote_port = priority;
		call.sync_name = priority;
	}
	return message_call(&call);
}

BERTH_EXPORT mach_msg_return_t
mach_msg(mach_msg_header_t *msg, mach_msg_option_t option, mach_msg_size_t send_size,
	 mach_msg_size_t rcv_size, mach_port_name_t rcv_name, mach_msg_timeout_t timeout,
	 mach_port_name_t notify)
{
	return mach_msg_overwrite(msg, option, send_size, rcv_size, rcv_name, timeout, notify, NULL,
				  0);
}

BERTH_EXPORT mach_msg_return_t
mach_msg_send(mach_msg_header_t *msg)
{
	return mach_msg(msg, MACH_SEND_MSG, msg->msgh_size, 0, MACH_PORT_NULL,
			MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL);
}

BERTH_EXPORT mach_msg_return_t
mach_msg_receive(mach_msg_header_t *msg)
{
	return mach_msg(msg, MACH_RCV_MSG, 0, msg->msgh_size, msg->msgh_local_port,
			MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL);
}
