/*
 * Message queues: sending to one, and everybody who waits at one.
 */
#include "ipc/ipc_mqueue.h"

#include "ipc/ipc_kmsg_memory.h"
#include "ipc/ipc_lane.h"
#include "ipc/ipc_notify.h"
#include "ipc/mach_msg.h"
#include "kern/thread.h"

static void
trace_send(struct kernel *k, const struct ipc_port *port, const struct ipc_kmsg *kmsg,
	   const char *note)
{
	KERNEL_TRACE(k, .kind = TRACE_IPC_MQUEUE_SEND, .port_id = port->id, .count = port->msgcount,
		     .limit = port->qlimit, .msgh_id = ikm_header(kmsg)->msgh_id,
		     .size_bytes = kmsg->size, .note = note);
}

static void
queue_append(struct kernel *k, struct ipc_port *port, struct ipc_kmsg *kmsg)
{
	bool was_empty = list_is_empty(&port->messages);

	list_append(&port->messages, &kmsg->link);
	port->msgcount++;
	if (was_empty)
		ipc_pset_port_has_messages(k, port);
}

/* The thread that gets the next message of @port: direct waiters first, then its sets'. */
static struct thread *
first_receiver(const struct ipc_port *port)
{
	struct list *first = list_first(&port->receivers);

	if (first)
		return list_entry(first, struct thread, wait);
	LIST_FOR_EACH (link, &port->sets, struct ipc_pset_link, in_port) {
		first = list_first(&link->pset->receivers);
		if (first)
			return list_entry(first, struct thread, wait);
	}
	return NULL;
}

/*
 * Hand @kmsg to somebody who waits for it.  Receivers that leave what is too large for them
 * are told so and passed over.  False: nobody took it.
 */
static bool
hand_over(struct kernel *k, struct ipc_port *port, struct ipc_kmsg *kmsg)
{
	struct thread *receiver;

	while ((receiver = first_receiver(port)) != NULL) {
		thread_unpark(receiver);
		if (mach_msg_leaves_too_large(receiver, port, kmsg))
			continue;
		trace_send(k, port, kmsg, "handed to a receiver");
		kmsg->seqno = port->seqno++;
		mach_msg_deliver(k, receiver, port, kmsg);
		return true;
	}
	return false;
}

void
ipc_mqueue_post(struct kernel *k, struct ipc_port *port, struct ipc_kmsg *kmsg)
{
	/* messages that are there already come first */
	if (list_is_empty(&port->messages) && hand_over(k, port, kmsg))
		return;
	/* Who asked for an answer and does not take it pays for it, not the server: else a task
	 * could have any server of others run into its limit. */
	if (kmsg->dest_type == MACH_MSG_TYPE_PORT_SEND_ONCE)
		ipc_kmsg_pay_by(kmsg, port->payer);
	queue_append(k, port, kmsg);
	trace_send(k, port, kmsg, "queued");
}

mach_msg_return_t
ipc_mqueue_send(struct kernel *k, struct thread *thread, struct ipc_kmsg *kmsg,
		mach_msg_option_t option, mach_msg_timeout_t timeout_ms, bool bypass)
{
	struct ipc_port *port = kmsg->dest;

	if (kmsg->circular || !ip_active(port)) {
		trace_send(k, port, kmsg,
			   kmsg->circular ? "destroyed: circular" : "destroyed: dead port");
		ipc_kmsg_destroy(k, kmsg);
		return MACH_MSG_SUCCESS;
	}
	ipc_port_touch_to_post(k, port);
	if (thread && port->gate && port->gate->starved)
		return MACH_SEND_NO_BUFFER; /* behind what there is no memory for yet */
	if (port->msgcount < port->qlimit || (bypass && port->msgcount < QLIMIT_KERNEL)) {
		ipc_mqueue_post(k, port, kmsg);
		return MACH_MSG_SUCCESS;
	}
	if ((option & MACH_SEND_TIMEOUT) && timeout_ms == 0) {
		trace_send(k, port, kmsg, "full");
		return MACH_SEND_TIMED_OUT;
	}
	if (port->msgcount >= QLIMIT_KERNEL)
		return MACH_SEND_NO_BUFFER;
	trace_send(k, port, kmsg, "full: sender waits");
	thread->kmsg = kmsg;
	thread->wait_port = ipc_port_ref(port);
	thread_park(thread, THREAD_PARKED_SEND, &port->senders,
		    mach_msg_timeout_ns(option & MACH_SEND_TIMEOUT, timeout_ms));
	return MACH_SEND_IN_PROGRESS;
}

void
ipc_mqueue_send_always(struct kernel *k, struct ipc_kmsg *kmsg)
{
	mach_msg_return_t mr = ipc_mqueue_send(k, NULL, kmsg, MACH_SEND_TIMEOUT, 0, true);

	if (mr != MACH_MSG_SUCCESS)
		ipc_kmsg_destroy(k, kmsg);
}

void
ipc_mqueue_admit(struct kernel *k, struct ipc_port *port)
{
	while (port->msgcount < port->qlimit && !list_is_empty(&port->senders)) {
		struct thread *sender = list_entry(list_first(&port->senders), struct thread, wait);
		struct ipc_kmsg *kmsg = sender->kmsg;

		thread_unpark(sender);
		sender->kmsg = NULL;
		ipc_mqueue_post(k, port, kmsg);
		mach_msg_send_done_later(k, sender);
	}
}

void
ipc_mqueue_offer(struct kernel *k, struct ipc_port *port)
{
	struct list *first;

	while ((first = list_first(&port->messages)) != NULL) {
		struct thread *receiver = first_receiver(port);

		if (!receiver)
			return;
		thread_unpark(receiver);
		mach_msg_take(k, receiver, port);
	}
}

void
ipc_mqueue_changed(struct kernel *k, struct list *receivers)
{
	struct list *first;

	while ((first = list_first(receivers)) != NULL) {
		struct thread *receiver = list_entry(first, struct thread, wait);

		thread_unpark(receiver);
		mach_msg_receive_failed(k, receiver, MACH_RCV_PORT_CHANGED);
	}
}

void
ipc_mqueue_destroy(struct kernel *k, struct ipc_port *port)
{
	struct list *first;

	while ((first = list_first(&port->senders)) != NULL) {
		struct thread *sender = list_entry(first, struct thread, wait);
		struct ipc_kmsg *kmsg = sender->kmsg;

		thread_unpark(sender);
		sender->kmsg = NULL;
		ipc_kmsg_destroy(k, kmsg);
		mach_msg_send_done_later(k, sender);
	}
	while ((first = list_first(&port->messages)) != NULL) {
		struct ipc_kmsg *kmsg = list_entry(first, struct ipc_kmsg, link);

		list_remove(first);
		port->msgcount--;
		ipc_kmsg_destroy(k, kmsg);
	}
}
