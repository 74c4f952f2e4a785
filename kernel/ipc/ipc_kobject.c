/*
 * Serving kernel objects by message.
 *
 * What programs call on tasks and ports comes as traps (kern/syscall.c).  No routine has a
 * message form yet, so that each id is one that the object does not know.
 */
#include "ipc/ipc_kobject.h"

#include <mach/mig_errors.h>
#include <mach/ndr.h>

#include "ipc/ipc_kmsg_memory.h"
#include "ipc/ipc_mqueue.h"
#include "kern/thread.h"

#define REPLY_ID_STEP 100

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
	case IKOT_TASK_NAME:
		return "task name";
	default:
		return NULL;
	}
}

/* The error form of a reply, moved to the request's reply right. */
static void
reply_error(struct kernel *k, struct ipc_kmsg *request, kern_return_t code)
{
	struct ipc_kmsg *reply;

	if (!ip_valid(request->reply) || request->reply_type == MACH_MSG_TYPE_PORT_RECEIVE)
		return;
	if (ip_active(request->reply) && request->reply->object.place == PORT_KERNEL)
		return; /* kernel objects have no queue, and an answer has no answer */
	reply = ipc_kmsg_new_kernel(k, sizeof(mig_reply_error_t));
	if (!reply)
		return; /* the reply right dies with the request: the caller learns of it */

	mig_reply_error_t *error = (mig_reply_error_t *)(void *)reply->bytes;

	error->Head.msgh_id = ikm_header(request)->msgh_id + REPLY_ID_STEP;
	error->NDR.int_rep = NDR_INT_LITTLE_ENDIAN;
	error->RetCode = code;
	reply->dest = request->reply;
	reply->dest_type = request->reply_type;
	request->reply = NULL;
	ipc_mqueue_send_always(k, reply);
}

void
ipc_kobject_server(struct kernel *k, struct thread *thread, struct ipc_kmsg *kmsg)
{
	KERNEL_TRACE(k, .kind = TRACE_IPC_KOBJECT_SERVER, .port_id = kmsg->dest->id,
		     .msgh_id = ikm_header(kmsg)->msgh_id,
		     .note = ipc_kobject_kind_name(kmsg->dest->object.kobject));
	(void)thread;
	kmsg->dest->seqno++;
	reply_error(k, kmsg, MIG_BAD_ID);
	ipc_kmsg_destroy(k, kmsg);
}
