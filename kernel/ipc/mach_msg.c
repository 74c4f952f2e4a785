/*
 * mach_msg: a send, a receive, or one after the other, in one trap.
 *
 *   mach_msg_trap ─► ipc_kmsg_get ─► ipc_kmsg_copyin ─► ipc_mqueue_send ─► mach_msg_send_done
 *                                                                               │
 *   kernel_complete ◄─ mach_msg_deliver ◄─ mach_msg_take ◄─ mach_msg_receive ◄──┘
 */
#include "ipc/mach_msg.h"

#include <string.h>

#include "ipc/ipc_kmsg_memory.h"
#include "ipc/ipc_kobject.h"
#include "ipc/ipc_lane.h"
#include "ipc/ipc_right.h"
#include "kern/guard.h"
#include "kern/thread.h"

static void
complete(struct kernel *k, struct thread *thread, mach_msg_return_t mr)
{
	thread->result.code = mr;
	kernel_complete(k, thread);
}

/* The message goes to the task with this result, and dies with it.  A timer's stays the timer's:
 * it may be due again before the host has read this one. */
static void
result_takes_kmsg(struct thread *thread, struct ipc_kmsg *kmsg, enum berth_msg_buffer buffer)
{
	struct trap_result *r = &thread->result;

	check(!thread->kmsg);
	r->bytes_size = kmsg->bytes_size;
	if (kmsg->timer) {
		memcpy(thread->timer_message, kmsg->bytes, sizeof(thread->timer_message));
		r->bytes = thread->timer_message;
		ipc_kmsg_free(thread->task->kernel, kmsg);
	} else {
		thread->kmsg = kmsg;
		r->bytes = kmsg->bytes;
	}
	r->has_tail = kmsg->tail.kind != KERNEL_PIECE_UNREADABLE;
	r->tail = kmsg->tail;
	r->pieces = kmsg->pieces;
	r->piece_count = kmsg->piece_count;
	r->values[BERTH_MSG_BUFFER] = buffer;
	r->values[BERTH_MSG_PREFIX] = r->bytes_size;
	r->values[BERTH_MSG_TAIL] = r->has_tail ? kmsg->tail.size_bytes : 0;
}

/* ---- receive ------------------------------------------------------------------------------ */

void
mach_msg_receive_failed(struct kernel *k, struct thread *thread, mach_msg_return_t mr)
{
	KERNEL_TRACE(k, .kind = TRACE_MACH_MSG_RECEIVE_RESULTS, .code = mr);
	complete(k, thread, mr);
}

static bool
is_too_large(const struct thread *thread, const struct ipc_kmsg *kmsg)
{
	return thread->msg.rcv_size <
	       (uint64_t)kmsg->size + ipc_kmsg_trailer_size(thread->msg.option);
}

bool
mach_msg_leaves_too_large(struct thread *thread, struct ipc_port *port, struct ipc_kmsg *kmsg)
{
	struct kernel *k = thread->task->kernel;
	mach_msg_option_t option = thread->msg.option;
	struct trap_result *r = &thread->result;

	if (!(option & MACH_RCV_LARGE) || !is_too_large(thread, kmsg))
		return false;
	/* the message stays; its size, and perhaps its port's name, go into the header */
	r->values[BERTH_MSG_BUFFER] = BERTH_MSG_BUFFER_LARGE;
	if (thread->msg.rcv_size >= offsetof(mach_msg_header_t, msgh_remote_port))
		r->values[BERTH_MSG_NEEDED] = kmsg->size;
	if ((option & MACH_RCV_LARGE_IDENTITY) &&
	    thread->msg.rcv_size >= offsetof(mach_msg_header_t, msgh_voucher_port))
		r->values[BERTH_MSG_IDENTITY] = port->receiver_name;
	mach_msg_receive_failed(k, thread, MACH_RCV_TOO_LARGE);
	return true;
}

/* R4 without MACH_RCV_LARGE: the message is lost, a bare header and trailer are left of it. */
static void
deliver_too_large(struct kernel *k, struct thread *thread, struct ipc_kmsg *kmsg, uint64_t context,
		  mach_port_name_t local_name)
{
	struct trap_result *r = &thread->result;
	uint32_t room = thread->msg.rcv_size;

	ipc_kmsg_strip(k, kmsg, local_name);
	if (room < sizeof(mach_msg_header_t)) {
		ipc_kmsg_free(k, kmsg);
		mach_msg_receive_failed(k, thread, MACH_RCV_INVALID_DATA);
		return;
	}

	uint32_t trailer_size =
	    ipc_kmsg_add_trailer(kmsg, thread->task, thread->msg.option, context, true);

	room -= (uint32_t)sizeof(mach_msg_header_t);
	if (trailer_size > room)
		trailer_size = room;
	result_takes_kmsg(thread, kmsg, BERTH_MSG_BUFFER_RECEIVE);
	r->trailer = (const uint8_t *)r->bytes + r->bytes_size;
	r->trailer_size = trailer_size;
	r->values[BERTH_MSG_TRAILER] = trailer_size;
	mach_msg_receive_failed(k, thread, MACH_RCV_TOO_LARGE);
}

/* What a server is most likely to give up before it asks for anything else. */
static void
promise_first_right(struct thread *thread, const struct ipc_kmsg *kmsg)
{
	for (uint32_t i = 0; thread->promise.word && i < kmsg->descriptor_count; i++) {
		const struct ipc_kmsg_descriptor *d = &kmsg->descriptors[i];
		const mach_msg_port_descriptor_t *out = (const void *)(kmsg->bytes + d->offset);

		if (d->type != MACH_MSG_PORT_DESCRIPTOR ||
		    d->disposition != MACH_MSG_TYPE_PORT_SEND)
			continue;
		ipc_promise_make(thread, out->name);
		return;
	}
}

void
mach_msg_deliver(struct kernel *k, struct thread *thread, struct ipc_port *port,
		 struct ipc_kmsg *kmsg)
{
	struct trap_result *r = &thread->result;
	uint64_t context = port->context;
	struct ipc_port *held = ipc_port_ref(port); /* the message's right may be the last one */
	mach_msg_return_t mr;

	KERNEL_TRACE(k, .kind = TRACE_IPC_MQUEUE_RECEIVE, .port_id = port->id,
		     .count = port->msgcount, .limit = kmsg->seqno,
		     .msgh_id = ikm_header(kmsg)->msgh_id,
		     .task_pid = thread->task->token.val[TOKEN_PID], .thread_id = thread->id);
	if (is_too_large(thread, kmsg)) {
		deliver_too_large(k, thread, kmsg, context, port->receiver_name);
		ipc_port_unref(k, held);
		return;
	}
	mr = ipc_kmsg_copyout(thread, kmsg);
	if (mr == MACH_MSG_SUCCESS)
		promise_first_right(thread, kmsg);
	thread->task->messages_received++;
	r->trailer_size = ipc_kmsg_add_trailer(kmsg, thread->task, thread->msg.option, context,
					       (mr & ~MACH_MSG_MASK) == MACH_RCV_HEADER_ERROR);
	result_takes_kmsg(thread, kmsg, BERTH_MSG_BUFFER_RECEIVE);
	r->trailer = (const uint8_t *)r->bytes + r->bytes_size;
	r->values[BERTH_MSG_TRAILER] = r->trailer_size;
	ipc_port_unref(k, held);
	KERNEL_TRACE(k, .kind = TRACE_MACH_MSG_RECEIVE_RESULTS, .code = mr,
		     .size_bytes = kmsg->size, .msgh_id = ikm_header(kmsg)->msgh_id,
		     .task_pid = thread->task->token.val[TOKEN_PID], .thread_id = thread->id);
	complete(k, thread, mr);
}

void
mach_msg_take(struct kernel *k, struct thread *thread, struct ipc_port *port)
{
	struct ipc_kmsg *kmsg = list_entry(list_first(&port->messages), struct ipc_kmsg, link);

	/* served, even if it does not fit: the port goes to the end of its sets' order */
	LIST_FOR_EACH (link, &port->sets, struct ipc_pset_link, in_port)
		if (list_is_linked(&link->in_ready) && thread->msg.rcv_name == link->pset->name) {
			list_remove(&link->in_ready);
			list_append(&link->pset->ready, &link->in_ready);
		}
	if (mach_msg_leaves_too_large(thread, port, kmsg))
		return;
	list_remove(&kmsg->link);
	port->msgcount--;
	if (list_is_empty(&port->messages))
		ipc_pset_port_is_empty(k, port);

	/* who waited to send has the slot before anything that giving the message sets off */
	kmsg->seqno = port->gate ? ipc_gate_received(k, port->gate) : port->seqno++;
	ipc_mqueue_admit(k, port);
	mach_msg_deliver(k, thread, port, kmsg);
}

static struct ipc_entry *
find_to_receive(struct ipc_space *space, mach_port_name_t name)
{
	struct ipc_entry *entry = ipc_space_find_raw(space, name);

	if (entry && (ie_type(entry) & MACH_PORT_TYPE_RECEIVE) && ipc_port_has_older(entry->port))
		return entry;
	return ipc_space_find(space, name);
}

void
mach_msg_receive(struct kernel *k, struct thread *thread)
{
	const struct mach_msg_args *args = &thread->msg;
	struct ipc_space *space = &thread->task->space;
	struct ipc_entry *entry = find_to_receive(space, args->rcv_name);
	mach_port_type_t type = entry ? ie_type(entry) : MACH_PORT_TYPE_NONE;
	struct ipc_port *port = NULL;
	struct list *queue;

	if (!(type & (MACH_PORT_TYPE_RECEIVE | MACH_PORT_TYPE_PORT_SET))) {
		guard_message_refused(thread, kGUARD_EXC_RCV_INVALID_NAME, args->rcv_name);
		mach_msg_receive_failed(k, thread, MACH_RCV_INVALID_NAME);
		return;
	}
	if ((args->option & MACH_RCV_SYNC_WAIT) && args->sync_name != MACH_PORT_NULL &&
	    (args->sync_name == MACH_PORT_DEAD || type == MACH_PORT_TYPE_PORT_SET ||
	     entry->port != thread->special_reply_port)) {
		mach_msg_receive_failed(k, thread, MACH_RCV_INVALID_NOTIFY);
		return;
	}

	if (type & MACH_PORT_TYPE_RECEIVE) {
		KERNEL_TRACE(k, .kind = TRACE_IPC_MQUEUE_COPYIN, .name = args->rcv_name,
			     .port_id = entry->port->id, .count = entry->port->msgcount);
		queue = &entry->port->receivers;
		if (!list_is_empty(&entry->port->messages))
			port = entry->port;
	} else {
		struct list *first = list_first(&entry->pset->ready);

		KERNEL_TRACE(k, .kind = TRACE_IPC_MQUEUE_COPYIN, .name = args->rcv_name,
			     .port_id = entry->pset->id, .note = "set");
		queue = &entry->pset->receivers;
		if (first)
			port = list_entry(first, struct ipc_pset_link, in_ready)->port;
	}
	if (port) {
		mach_msg_take(k, thread, port);
		return;
	}
	if ((args->option & MACH_RCV_TIMEOUT) && args->timeout_ms == 0) {
		mach_msg_receive_failed(k, thread, MACH_RCV_TIMED_OUT);
		return;
	}
	thread_park(thread, THREAD_PARKED_RECEIVE, queue,
		    mach_msg_timeout_ns(args->option & MACH_RCV_TIMEOUT, args->timeout_ms));
}

/* ---- send --------------------------------------------------------------------------------- */

void
mach_msg_send_done(struct kernel *k, struct thread *thread, mach_msg_return_t mr)
{
	thread->result.values[BERTH_MSG_SENT] = mr == MACH_MSG_SUCCESS;
	if (mr == MACH_MSG_SUCCESS)
		thread->task->messages_sent++;
	if (mr == MACH_MSG_SUCCESS && (thread->msg.option & MACH_RCV_MSG))
		mach_msg_receive(k, thread);
	else
		complete(k, thread, mr);
}

void
mach_msg_send_done_later(struct kernel *k, struct thread *thread)
{
	check(thread->state == THREAD_RUNNING && !list_is_linked(&thread->wait));
	list_append(&k->continuing, &thread->wait);
}

void
mach_msg_continue(struct kernel *k)
{
	struct list *first;

	while ((first = list_first(&k->continuing)) != NULL) {
		list_remove(first);
		mach_msg_send_done(k, list_entry(first, struct thread, wait), MACH_MSG_SUCCESS);
	}
}

/* Not delivered: everything goes back to the sender, whose buffer is rewritten. */
static void
send_undone(struct kernel *k, struct thread *thread, struct ipc_kmsg *kmsg, mach_msg_return_t mr)
{
	mr |= ipc_kmsg_copyout_pseudo(thread, kmsg);
	result_takes_kmsg(thread, kmsg, BERTH_MSG_BUFFER_SEND);
	mach_msg_send_done(k, thread, mr);
}

/* §4.3: a full queue arms the request; a queue with room lets the message in for certain. */
static bool
arm_send_possible(struct thread *thread, mach_port_name_t name)
{
	struct ipc_entry *entry = ipc_space_find(&thread->task->space, name);
	struct ipc_port *port;
	uint32_t slot;

	if (!entry || !entry->request || ie_type(entry) == MACH_PORT_TYPE_SEND_ONCE)
		return false;
	port = entry->port;
	slot = entry->request - 1;
	if (!ip_active(port) || port->object.place == PORT_KERNEL)
		return false;
	ipc_port_touch(thread->task->kernel, port);
	if (port->msgcount < port->qlimit)
		return true;
	if (port->requests[slot].state == IPC_REQUEST_SEND_POSSIBLE)
		ipc_port_request_set_state(thread->task->kernel, port, slot, IPC_REQUEST_ARMED);
	return false;
}

static void
send(struct kernel *k, struct thread *thread, const struct trap_frame *frame)
{
	const struct mach_msg_args *args = &thread->msg;
	struct ipc_kmsg *kmsg;
	uint32_t captured = 0;
	bool bypass = false;
	mach_msg_return_t mr = ipc_kmsg_get(thread, frame, args->send_size, &kmsg);

	if (mr != MACH_MSG_SUCCESS) {
		mach_msg_send_done(k, thread, mr);
		return;
	}

	mach_port_name_t dest_name = ikm_header(kmsg)->msgh_remote_port;

	mr = ipc_kmsg_copyin_header(thread, kmsg);
	if (mr == MACH_MSG_SUCCESS) {
		if ((args->option & MACH_SEND_NOTIFY) &&
		    kmsg->dest_type != MACH_MSG_TYPE_PORT_SEND_ONCE)
			bypass = arm_send_possible(thread, dest_name);
		mr = ipc_kmsg_copyin_body(thread, kmsg, frame, &captured);
	}
	thread->result.values[BERTH_MSG_CAPTURED] = captured;
	if (mr != MACH_MSG_SUCCESS) {
		mach_msg_send_done(k, thread, mr);
		return;
	}
	if (kmsg->dest_type == MACH_MSG_TYPE_PORT_SEND_ONCE)
		bypass = true;

	if (ip_active(kmsg->dest) && kmsg->dest->object.place == PORT_KERNEL) {
		ipc_kobject_server(k, thread, kmsg);
		mach_msg_send_done(k, thread, MACH_MSG_SUCCESS);
		return;
	}
	mr = ipc_mqueue_send(k, thread, kmsg, args->option, args->timeout_ms, bypass);
	if (mr == MACH_SEND_IN_PROGRESS)
		return;
	if (mr == MACH_MSG_SUCCESS)
		mach_msg_send_done(k, thread, mr);
	else
		send_undone(k, thread, kmsg, mr);
}

void
mach_msg_give_up(struct kernel *k, struct thread *thread, bool timed_out)
{
	struct ipc_kmsg *kmsg = thread->kmsg;

	if (thread->state == THREAD_PARKED_RECEIVE) {
		thread_unpark(thread);
		mach_msg_receive_failed(k, thread,
					timed_out ? MACH_RCV_TIMED_OUT : MACH_RCV_INTERRUPTED);
		return;
	}
	check(thread->state == THREAD_PARKED_SEND);
	thread_unpark(thread);
	thread->kmsg = NULL;
	send_undone(k, thread, kmsg, timed_out ? MACH_SEND_TIMED_OUT : MACH_SEND_INTERRUPTED);
}

void
mach_msg_trap(struct kernel *k, struct thread *thread, const struct trap_frame *frame)
{
	thread->msg = (struct mach_msg_args){
		.option = (mach_msg_option_t)frame->args[0],
		.send_size = (mach_msg_size_t)frame->args[1],
		.rcv_size = (mach_msg_size_t)frame->args[2],
		.rcv_name = (mach_port_name_t)frame->args[3],
		.timeout_ms = (mach_msg_timeout_t)frame->args[4],
		.rcv_address = frame->args[6],
		.sync_name = (mach_port_name_t)frame->args[7],
	};
	if (thread->msg.option & MACH_SEND_MSG)
		send(k, thread, frame);
	else if (thread->msg.option & MACH_RCV_MSG)
		mach_msg_receive(k, thread);
	else
		complete(k, thread, MACH_MSG_SUCCESS);
}
