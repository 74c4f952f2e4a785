/*
 * Messages to ports of the kernel's: mach-messages.md §11.  No number that the runner sends is
 * one that the kernel serves, so each is answered with MIG_BAD_ID.
 */
#include <string.h>

#include <mach/mig_errors.h>

#include "tests/model/model.h"

#define REPLY_ID_STEP 100

static const uint8_t ndr[8] = { 0, 0, 0, 0, 1, 0, 0, 0 }; /* mach-types.md §8 */

/*
 * An error reply goes by the request's reply right; the request is destroyed.  Where Mach would
 * have the asker wait for room for the answer, Berth's kernel lets the answer in.
 */
void
m_kobject_serve(struct model *m, struct m_message *message, bool with_timeout)
{
	struct m_right reply_right = message->reply;
	struct m_message *reply;
	const int32_t code = MIG_BAD_ID;

	message->dest = m_right_null(0);
	message->reply = m_right_null(0);
	if (!reply_right.kind) {
		m_message_destroy(m, message);
		return;
	}
	reply = m_message_new(m);
	reply->dest = reply_right;
	reply->dest_kind = reply_right.kind;
	reply->id = message->id + REPLY_ID_STEP;
	memcpy(reply->data, ndr, sizeof ndr);
	memcpy(reply->data + sizeof ndr, &code, sizeof code);
	reply->data_size = sizeof ndr + sizeof code;
	reply->size = sizeof(mach_msg_header_t) + reply->data_size;
	m_message_destroy(m, message);
	if (!reply->dest.port->alive || reply->dest.port->kernel ||
	    (with_timeout && reply->dest.kind == MACH_MSG_TYPE_PORT_SEND &&
	     m_port_full(reply->dest.port)))
		m_message_destroy(m, reply);
	else
		m_enqueue(m, reply->dest.port, reply);
}
