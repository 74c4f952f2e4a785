/*
 * Messages to ports of the kernel's: mach-messages.md §11.  Of all that the kernel serves the
 * runner sends what makes and destroys semaphores (mach-kobjects.md §6); any other number is
 * answered with MIG_BAD_ID.
 */
#include <string.h>

#include <mach/mig_errors.h>
#include <mach/sync_policy.h>

#include "tests/model/model.h"

#define REPLY_ID_STEP 100
#define SEMAPHORE_CREATE 3418
#define SEMAPHORE_DESTROY 3419
#define POLICY_OLD 4 /* a bit that is let through */

static const uint8_t ndr[8] = { 0, 0, 0, 0, 1, 0, 0, 0 }; /* mach-types.md §8 */

void
m_kobject_unreferenced(struct model *m, struct m_port *port)
{
	if (port->semaphore)
		m_semaphore_terminate(m, port);
	else if (!port->voucher)
		return; /* tasks, threads and the host live as long as they live */
	port->voucher = NULL;
	m_port_end(m, port);
}

/* ---- routines: what is done, and the code; what @message has left is destroyed after them ---- */

/* @made: the right that goes back */
static kern_return_t
semaphore_create(struct model *m, const struct m_message *message, struct m_right *made)
{
	const struct m_port *port = message->dest.port;
	int32_t policy, value;

	if (message->complex || message->data_size != sizeof ndr + 8)
		return MIG_BAD_ARGUMENTS;
	memcpy(&policy, message->data + sizeof ndr, 4);
	memcpy(&value, message->data + sizeof ndr + 4, 4);
	if (port->kernel != M_OWNER_TASK || value < 0 ||
	    (policy & ~(SYNC_POLICY_LIFO | POLICY_OLD)))
		return KERN_INVALID_ARGUMENT;
	*made = (struct m_right){ MACH_MSG_TYPE_PORT_SEND, 0,
				  m_semaphore_new(m, port->kernel_task, value,
						  (policy & SYNC_POLICY_LIFO) != 0) };
	return KERN_SUCCESS;
}

static kern_return_t
semaphore_destroy(struct model *m, struct m_message *message)
{
	const struct m_port *port = message->dest.port;
	struct m_right *right = &message->descriptors[0].rights[0];

	if (!message->complex || message->descriptor_count != 1 ||
	    message->size != sizeof(mach_msg_base_t) + sizeof(mach_msg_port_descriptor_t))
		return MIG_BAD_ARGUMENTS;
	if (message->descriptors[0].type != MACH_MSG_PORT_DESCRIPTOR ||
	    message->descriptors[0].disposition != MACH_MSG_TYPE_PORT_SEND)
		return MIG_TYPE_ERROR;
	if (port->kernel != M_OWNER_TASK || !right->kind || !right->port->alive ||
	    !right->port->semaphore)
		return KERN_INVALID_ARGUMENT;
	if (right->port->semaphore->owner == port->kernel_task)
		m_semaphore_terminate(m, right->port);
	m_right_destroy(m, right);
	return KERN_SUCCESS;
}

/* ---- serving --------------------------------------------------------------------------------- */

static void
answer_with_code(struct m_message *reply, int32_t code)
{
	memcpy(reply->data, ndr, sizeof ndr);
	memcpy(reply->data + sizeof ndr, &code, sizeof code);
	reply->data_size = sizeof ndr + sizeof code;
	reply->size = sizeof(mach_msg_header_t) + reply->data_size;
}

static void
answer_with_right(struct m_message *reply, const struct m_right *made)
{
	reply->complex = true;
	reply->descriptor_count = 1;
	reply->descriptors[0].type = MACH_MSG_PORT_DESCRIPTOR;
	reply->descriptors[0].disposition = made->kind;
	reply->descriptors[0].count = 1;
	reply->descriptors[0].rights[0] = *made;
	reply->size = sizeof(mach_msg_base_t) + sizeof(mach_msg_port_descriptor_t);
}

/* Can an answer go there?  To no right, nor to the kernel itself. */
static bool
is_answered(const struct m_message *message)
{
	const struct m_right *reply = &message->reply;

	return reply->kind && !(reply->port->alive && reply->port->kernel);
}

/*
 * An answer goes by the request's reply right; what is left of the request is destroyed before.
 * Where Mach would have the asker wait for room for the answer, Berth's kernel lets the answer in.
 */
void
m_kobject_serve(struct model *m, struct m_message *message, bool with_timeout)
{
	struct m_message *reply = m_message_new(m);
	struct m_right made = m_right_null(0);
	int32_t code = MIG_BAD_ID;

	message->dest.port->seqno++;
	if (is_answered(message)) {
		reply->dest = message->reply;
		reply->dest_kind = message->reply.kind;
		message->reply = m_right_null(0);
	}
	reply->id = message->id + REPLY_ID_STEP;
	if (message->id == SEMAPHORE_CREATE)
		code = semaphore_create(m, message, &made);
	else if (message->id == SEMAPHORE_DESTROY)
		code = semaphore_destroy(m, message);
	if (made.kind)
		answer_with_right(reply, &made);
	else
		answer_with_code(reply, code);
	m_message_destroy(m, message);
	if (!reply->dest.kind || !reply->dest.port->alive ||
	    (with_timeout && reply->dest.kind == MACH_MSG_TYPE_PORT_SEND &&
	     m_port_full(reply->dest.port)))
		m_message_destroy(m, reply);
	else
		m_enqueue(m, reply->dest.port, reply);
}
