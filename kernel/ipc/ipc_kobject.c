/*
 * Serving kernel objects by message.
 *
 * A message's number finds the routine, whatever the object: a stub that finds an object of
 * another kind calls its function without one, and that says what is wrong.  The traps
 * (ipc/mach_port_traps.c, kern/task_traps.c) call the same functions.
 */
#include "ipc/ipc_kobject.h"

#include <mach/mig_errors.h>

#include "ipc/ipc_kobject_message.h"
#include "ipc/ipc_mqueue.h"
#include "kern/fileport.h"
#include "kern/memory_entry.h"
#include "kern/semaphore.h"
#include "kern/voucher.h"

const char *
ipc_kobject_kind_name(enum ipc_kobject_kind kind)
{
	switch (kind) {
	case IKOT_THREAD:
		return "thread";
	case IKOT_TASK:
		return "task";
	case IKOT_HOST:
		return "host";
	case IKOT_HOST_PRIV:
		return "host priv";
	case IKOT_TIMER:
		return "timer";
	case IKOT_TASK_NAME:
		return "task name";
	case IKOT_SEMAPHORE:
		return "semaphore";
	case IKOT_CLOCK:
		return "clock";
	case IKOT_CLOCK_CTRL:
		return "clock control";
	case IKOT_VOUCHER:
		return "voucher";
	case IKOT_NAMED_ENTRY:
		return "memory entry";
	case IKOT_FILEPORT:
		return "fileport";
	case IKOT_TASK_RESUME:
		return "task resume";
	default:
		return NULL;
	}
}

void
ipc_kobject_no_senders(struct kernel *k, struct ipc_port *port)
{
	if (port->object.kobject == IKOT_SEMAPHORE)
		semaphore_no_senders(k, port->kobject);
	else if (port->object.kobject == IKOT_VOUCHER)
		voucher_no_senders(k, port->kobject);
	else if (port->object.kobject == IKOT_FILEPORT)
		fileport_no_senders(k, port);
	else if (port->object.kobject == IKOT_NAMED_ENTRY)
		memory_entry_no_senders(k, port);
}

void
ipc_kobject_send_once_ended(struct kernel *k, struct ipc_port *port)
{
	check(port->object.kobject == IKOT_TASK_RESUME);
	task_token_ended(k, port);
}

/* The reply right of @request moves into a reply, if anybody can get one. */
static void
take_reply_right(struct ipc_kmsg *request, struct ipc_kmsg *reply)
{
	if (!ip_valid(request->reply))
		return;
	if (ip_active(request->reply) && request->reply->object.place == PORT_KERNEL)
		return; /* kernel objects have no queue, and an answer has no answer */
	reply->dest = request->reply;
	reply->dest_type = request->reply_type;
	request->reply = NULL;
}

/*
 * With the options of the request: with a time-out an answer that finds a full queue is lost.
 * Without one Mach has the asker wait for room; here the answer is let in all the same.
 */
static void
send_reply(struct kernel *k, struct thread *thread, struct ipc_kmsg *reply)
{
	bool may_be_lost = (thread->msg.option & MACH_SEND_TIMEOUT) &&
			   reply->dest_type != MACH_MSG_TYPE_PORT_SEND_ONCE;

	if (ipc_mqueue_send(k, thread, reply, MACH_SEND_TIMEOUT, 0, !may_be_lost) !=
	    MACH_MSG_SUCCESS)
		ipc_kmsg_destroy(k, reply);
}

/*
 * The reply is there before the routine is called, so that nothing is done that nobody hears
 * of.  Without memory for it nothing is done: its right dies with the request, as if the
 * server had.
 */
void
ipc_kobject_server(struct kernel *k, struct thread *thread, struct ipc_kmsg *kmsg)
{
	const mach_msg_id_t id = ikm_header(kmsg)->msgh_id;
	const struct routine_descriptor *routine = ipc_kobject_find(id);
	struct ipc_kmsg *reply = ipc_kobject_reply_new(k, thread->task->account, routine);
	kern_return_t code = MIG_BAD_ID;

	KERNEL_TRACE(k, .kind = TRACE_IPC_KOBJECT_SERVER, .port_id = kmsg->dest->id, .msgh_id = id,
		     .note = ipc_kobject_kind_name(kmsg->dest->object.kobject));
	kmsg->dest->seqno++;
	if (!reply) {
		ipc_kmsg_destroy(k, kmsg);
		return;
	}
	take_reply_right(kmsg, reply);
	if (routine) {
		k->asker = thread->task;
		k->asker_thread = thread;
		code = ipc_kobject_call(routine, kmsg, reply);
		k->asker = NULL;
		k->asker_thread = NULL;
	}
	if (code != KERN_SUCCESS && code != MIG_NO_REPLY)
		ipc_kobject_reply_error(reply, id, code);
	if (code == MIG_NO_REPLY)
		reply->dest = NULL; /* the routine keeps the right, to answer later */
	/* what the routine did not take goes before the answer does */
	ipc_kmsg_destroy(k, kmsg);
	if (reply->dest)
		send_reply(k, thread, reply);
	else
		ipc_kmsg_destroy(k, reply);
}
