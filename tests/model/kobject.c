/*
 * Messages to ports of the kernel's: mach-messages.md §11, mig-codegen.md §7.  Here is how they
 * are read and answered, and what makes and destroys semaphores (mach-kobjects.md §6); other
 * routines stand with what they are about.  Any number that the runner sends and that is none of
 * these is answered with MIG_BAD_ID.
 */
#include <string.h>

#include <mach/mig_errors.h>
#include <mach/sync_policy.h>

#include "tests/model/model.h"

#define REPLY_ID_STEP 100
#define SEMAPHORE_CREATE 3418
#define SEMAPHORE_DESTROY 3419
#define TASK_RESUME2 3437
#define POLICY_OLD 4 /* a bit that is let through */

static const uint8_t ndr[8] = { 0, 0, 0, 0, 1, 0, 0, 0 }; /* mach-types.md §8 */

void
m_kobject_unreferenced(struct model *m, struct m_port *port)
{
	if (port->semaphore)
		m_semaphore_terminate(m, port);
	else if (port->kernel == M_OWNER_FILEPORT)
		m_list_remove(&m->files, port);
	else if (!port->voucher)
		return; /* tasks, threads and the host live as long as they live */
	port->voucher = NULL;
	m_port_end(m, port);
}

/* ---- reading a request, making its answer ------------------------------------------------------
 */

bool
m_rpc_shape(const struct m_rpc *rpc, uint32_t descriptors, uint32_t bytes, uint32_t words)
{
	const struct m_message *request = rpc->request;
	uint32_t size = descriptors ? sizeof(mach_msg_base_t) : sizeof(mach_msg_header_t);

	size += bytes + (words ? sizeof ndr + 4 * words : 0);
	return request->complex == (descriptors > 0) && request->size == size &&
	       (descriptors == 0 || request->descriptor_count == descriptors);
}

uint32_t
m_rpc_word(const struct m_rpc *rpc, uint32_t at)
{
	uint32_t word;

	memcpy(&word, rpc->request->data + sizeof ndr + 4 * at, sizeof word);
	return word;
}

struct m_right *
m_rpc_right(const struct m_rpc *rpc, uint32_t at)
{
	struct m_descriptor *d = &rpc->request->descriptors[at];

	return d->type == MACH_MSG_PORT_DESCRIPTOR && d->disposition == MACH_MSG_TYPE_PORT_SEND
		   ? &d->rights[0]
		   : NULL;
}

void
m_rpc_answer(struct m_rpc *rpc, struct m_right right)
{
	struct m_descriptor *d = &rpc->reply->descriptors[rpc->reply->descriptor_count++];

	rpc->reply->complex = true;
	d->type = MACH_MSG_PORT_DESCRIPTOR;
	d->disposition = MACH_MSG_TYPE_PORT_SEND;
	d->count = 1;
	d->rights[0] = right;
}

/* ---- semaphores
 * ---------------------------------------------------------------------------------- */

static kern_return_t
semaphore_create(struct model *m, struct m_rpc *rpc)
{
	const struct m_port *port = rpc->request->dest.port;
	const int32_t policy = (int32_t)m_rpc_word(rpc, 0), value = (int32_t)m_rpc_word(rpc, 1);

	if (!m_rpc_shape(rpc, 0, 0, 2))
		return MIG_BAD_ARGUMENTS;
	if (port->kernel != M_OWNER_TASK || value < 0 ||
	    (policy & ~(SYNC_POLICY_LIFO | POLICY_OLD)))
		return KERN_INVALID_ARGUMENT;
	m_rpc_answer(rpc, (struct m_right){ MACH_MSG_TYPE_PORT_SEND, 0,
					    m_semaphore_new(m, port->kernel_task, value,
							    (policy & SYNC_POLICY_LIFO) != 0) });
	return KERN_SUCCESS;
}

static kern_return_t
semaphore_destroy(struct model *m, struct m_rpc *rpc)
{
	const struct m_port *port = rpc->request->dest.port;
	struct m_right *right;

	if (!m_rpc_shape(rpc, 1, sizeof(mach_msg_port_descriptor_t), 0))
		return MIG_BAD_ARGUMENTS;
	right = m_rpc_right(rpc, 0);
	if (!right)
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

static kern_return_t
run(struct model *m, struct m_rpc *rpc)
{
	kern_return_t kr;

	switch (rpc->request->id) {
	case SEMAPHORE_CREATE:
		return semaphore_create(m, rpc);
	case SEMAPHORE_DESTROY:
		return semaphore_destroy(m, rpc);
	case TASK_RESUME2:
		return m_rpc_token(rpc);
	default:
		kr = m_rpc_holding(m, rpc);
		return kr == MIG_BAD_ID ? m_rpc_exception(m, rpc) : kr;
	}
}

static void
put(struct m_message *reply, const void *bytes, uint32_t size)
{
	memcpy(reply->data + reply->data_size, bytes, size);
	reply->data_size += size;
}

/* A reply with rights says nothing of success; one without begins with the code. */
static void
finish(struct m_rpc *rpc, kern_return_t code)
{
	struct m_message *reply = rpc->reply;

	reply->size = sizeof(mach_msg_header_t);
	if (reply->complex) {
		reply->size = sizeof(mach_msg_base_t);
		for (uint32_t i = 0; i < reply->descriptor_count; i++)
			reply->size += reply->descriptors[i].type == MACH_MSG_PORT_DESCRIPTOR
					   ? sizeof(mach_msg_port_descriptor_t)
					   : sizeof(mach_msg_ool_ports_descriptor_t);
	}
	if (!reply->complex || rpc->word_count)
		put(reply, ndr, sizeof ndr);
	if (!reply->complex)
		put(reply, &code, sizeof code);
	put(reply, rpc->words, 4 * rpc->word_count);
	reply->size += reply->data_size;
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
m_kobject_serve(struct model *m, struct m_thread *thread, struct m_message *message)
{
	const bool with_timeout = (thread->option & MACH_SEND_TIMEOUT) != 0;
	struct m_message *reply = m_message_new(m);
	struct m_rpc rpc = { .thread = thread, .request = message, .reply = reply };

	message->dest.port->seqno++;
	if (is_answered(message)) {
		reply->dest = message->reply;
		reply->dest_kind = message->reply.kind;
		message->reply = m_right_null(0);
	}
	reply->id = message->id + REPLY_ID_STEP;
	m_message_room(m, reply, 1);
	finish(&rpc, run(m, &rpc));
	m_message_destroy(m, message);
	if (!reply->dest.kind || !reply->dest.port->alive ||
	    (with_timeout && reply->dest.kind == MACH_MSG_TYPE_PORT_SEND &&
	     m_port_full(reply->dest.port)))
		m_message_destroy(m, reply);
	else
		m_enqueue(m, reply->dest.port, reply);
}
