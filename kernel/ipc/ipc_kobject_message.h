/*
 * Messages of kernel objects in the form that stubs made by MIG work on.
 *
 * That form has objects where a task's message has names, so that header and port descriptors
 * are wider.  Only ipc_kobject_message.c and the stubs know it; everybody else sees messages
 * as struct ipc_kmsg.
 */
#ifndef KERNEL_IPC_KOBJECT_MESSAGE_H
#define KERNEL_IPC_KOBJECT_MESSAGE_H

#include "ipc/ipc_kmsg.h"

struct routine_descriptor; /* <mach/mig.h> */

/* The routine of that number, NULL: the kernel serves none. */
const struct routine_descriptor *ipc_kobject_find(mach_msg_id_t id);

/*
 * Room for any reply of @routine, error forms too (@routine NULL: for these only), charged to
 * @payer; NULL: no memory, or @payer has too much unreceived already.
 */
mustuse struct ipc_kmsg *ipc_kobject_reply_new(struct kernel *k, struct account *payer,
					       const struct routine_descriptor *routine);
/* The error form, in answer to a request of number @id. */
void ipc_kobject_reply_error(struct ipc_kmsg *reply, mach_msg_id_t id, kern_return_t code);

/*
 * Call @routine with @request and fill @reply, which has its destination.
 *
 * KERN_SUCCESS, MIG_NO_REPLY  the routine has consumed the rights of @request's body; with the
 *                             former @reply is filled and holds what came out
 * anything else               the body is as it was, but that its receive rights are in hand
 *
 * The reply right of @request is not touched.
 */
kern_return_t ipc_kobject_call(const struct routine_descriptor *routine, struct ipc_kmsg *request,
			       struct ipc_kmsg *reply);

#endif
