/*
 * The receive loops of MIG servers.
 */
#include <mach/mach.h>
#include <mach/message.h>
#include <mach/mig_errors.h>
#include <mach/vm_map.h>
#include <mach/vm_statistics.h>

#include "client/export.h"

#include <stdbool.h>
#include <string.h>

typedef boolean_t demux_function(mach_msg_header_t *request, mach_msg_header_t *reply);

/* What one call of a loop works with. */
struct server {
	demux_function *demux;
	mach_port_t receive_name;
	mach_msg_options_t options;
	mach_msg_header_t *request;
	mach_msg_size_t request_size;
	mach_msg_header_t *reply;
	mach_msg_size_t reply_size;
};

static mach_msg_return_t
buffer_new(mach_msg_size_t size, mach_msg_header_t **buffer)
{
	vm_address_t address = 0;
	kern_return_t code = vm_allocate(mach_task_self_, &address, size,
					 VM_MAKE_TAG(VM_MEMORY_MACH_MSG) | VM_FLAGS_ANYWHERE);

	*buffer = (mach_msg_header_t *)address;
	return code;
}

static void
buffer_free(mach_msg_header_t *buffer, mach_msg_size_t size)
{
	if (buffer != NULL)
		vm_deallocate(mach_task_self_, (vm_address_t)buffer, size);
}

static mach_msg_return_t
server_begin(struct server *server, mach_msg_size_t max_size)
{
	mach_msg_size_t trailer_size = REQUESTED_TRAILER_SIZE(server->options);

	server->options &= ~(MACH_SEND_MSG | MACH_RCV_MSG | MACH_RCV_VOUCHER);
	server->request_size = max_size + trailer_size;
	if ((server->options & MACH_RCV_LARGE) != 0)
		server->request_size = (mach_msg_size_t)round_page(server->request_size);
	server->reply_size = max_size;
	if (server->reply_size < sizeof(mig_reply_error_t))
		server->reply_size = sizeof(mig_reply_error_t);
	server->request = NULL;
	server->reply = NULL;
	mach_msg_return_t code = buffer_new(server->request_size, &server->request);
	if (code == KERN_SUCCESS)
		code = buffer_new(server->reply_size, &server->reply);
	return code;
}

static void
server_end(struct server *server)
{
	buffer_free(server->request, server->request_size);
	buffer_free(server->reply, server->reply_size);
}

/* Wait for a request; a buffer that is too small is replaced by a larger one. */
static mach_msg_return_t
server_receive(struct server *server)
{
	for (;;) {
		mach_msg_return_t code =
		    mach_msg(server->request, MACH_RCV_MSG | MACH_RCV_VOUCHER | server->options, 0,
			     server->request_size, server->receive_name, MACH_MSG_TIMEOUT_NONE,
			     MACH_PORT_NULL);

		if (code != MACH_RCV_TOO_LARGE || (server->options & MACH_RCV_LARGE) == 0)
			return code;
		mach_msg_size_t size = (mach_msg_size_t)round_page(
		    server->request->msgh_size + REQUESTED_TRAILER_SIZE(server->options));
		mach_msg_header_t *larger;
		code = buffer_new(size, &larger);
		if (code != KERN_SUCCESS)
			return code;
		buffer_free(server->request, server->request_size);
		server->request = larger;
		server->request_size = size;
	}
}

/* Serve the request in the buffer.  True: there is a reply to send. */
static bool
server_demux(struct server *server)
{
	mach_msg_header_t *request = server->request;
	mig_reply_error_t *reply = (mig_reply_error_t *)server->reply;
	voucher_mach_msg_state_t voucher;

	/* its voucher is the thread's meanwhile, and gone after it */
	voucher = voucher_mach_msg_adopt(request);
	server->demux(request, server->reply);
	voucher_mach_msg_revert(voucher);
	if ((reply->Head.msgh_bits & MACH_MSGH_BITS_COMPLEX) == 0) {
		if (reply->RetCode == MIG_NO_REPLY) {
			reply->Head.msgh_remote_port = MACH_PORT_NULL;
		} else if (reply->RetCode != KERN_SUCCESS) {
			/* the request's rights were not taken; the reply right is in the reply */
			request->msgh_remote_port = MACH_PORT_NULL;
			mach_msg_destroy(request);
		}
	}
	return reply->Head.msgh_remote_port != MACH_PORT_NULL;
}

/* A reply to a send-once right cannot block; to any other, a client must not hold us up. */
static mach_msg_option_t
reply_option(const struct server *server)
{
	mach_msg_option_t option = MACH_SEND_MSG | server->options;

	if (MACH_MSGH_BITS_REMOTE(server->reply->msgh_bits) != MACH_MSG_TYPE_MOVE_SEND_ONCE)
		option |= MACH_SEND_TIMEOUT;
	return option;
}

/* Is @code one of a client that does not take its reply?  Then the reply is given up. */
static bool
reply_undelivered(struct server *server, mach_msg_return_t code)
{
	mach_msg_header_t *reply = server->reply;
	mach_msg_type_name_t local = MACH_MSGH_BITS_LOCAL(reply->msgh_bits);

	if (code != MACH_SEND_INVALID_DEST && code != MACH_SEND_TIMED_OUT &&
	    code != MACH_SEND_INTERRUPTED)
		return false;
	/* mach_msg_destroy() leaves the local right alone */
	if (MACH_PORT_VALID(reply->msgh_local_port) &&
	    (local == MACH_MSG_TYPE_MOVE_SEND || local == MACH_MSG_TYPE_MOVE_SEND_ONCE))
		mach_port_deallocate(mach_task_self_, reply->msgh_local_port);
	mach_msg_destroy(reply);
	return true;
}

BERTH_EXPORT mach_msg_return_t
mach_msg_server_once(demux_function *demux, mach_msg_size_t max_size, mach_port_t rcv_name,
		     mach_msg_options_t options)
{
	struct server server = { .demux = demux, .receive_name = rcv_name, .options = options };
	mach_msg_return_t code = server_begin(&server, max_size);

	if (code == KERN_SUCCESS)
		code = server_receive(&server);
	if (code == MACH_MSG_SUCCESS && server_demux(&server)) {
		code = mach_msg(server.reply, reply_option(&server), server.reply->msgh_size, 0,
				MACH_PORT_NULL, 0, MACH_PORT_NULL);
		if (reply_undelivered(&server, code))
			code = MACH_MSG_SUCCESS;
	}
	server_end(&server);
	return code;
}

/*
 * Send the reply and, in the same call, receive the next request.  A reply that could block
 * has a time-out of 0, and so has the receive then: it comes back with MACH_RCV_TIMED_OUT.
 */
static mach_msg_return_t
reply_and_receive(struct server *server)
{
	mach_msg_option_t option = reply_option(server) | MACH_RCV_MSG | MACH_RCV_VOUCHER;

	if ((option & MACH_SEND_TIMEOUT) != 0)
		option |= MACH_RCV_TIMEOUT;

	return mach_msg_overwrite(server->reply, option, server->reply->msgh_size,
				  server->request_size, server->receive_name, 0, MACH_PORT_NULL,
				  server->request, 0);
}

BERTH_EXPORT mach_msg_return_t
mach_msg_server(demux_function *demux, mach_msg_size_t max_size, mach_port_t rcv_name,
		mach_msg_options_t options)
{
	struct server server = { .demux = demux, .receive_name = rcv_name, .options = options };
	mach_msg_return_t code = server_begin(&server, max_size);

	if (code == KERN_SUCCESS)
		code = server_receive(&server);
	while (code == MACH_MSG_SUCCESS) {
		bool has_request = false;
		if (server_demux(&server)) {
			code = reply_and_receive(&server);
			has_request = code == MACH_MSG_SUCCESS;
			if (!has_request && code != MACH_RCV_TIMED_OUT &&
			    !reply_undelivered(&server, code) &&
			    (code != MACH_RCV_TOO_LARGE || (server.options & MACH_RCV_LARGE) == 0))
				break;
		}
		if (!has_request)
			code = server_receive(&server);
	}
	server_end(&server);
	return code;
}

BERTH_EXPORT mach_msg_return_t
mach_msg_server_importance(demux_function *demux, mach_msg_size_t max_size, mach_port_t rcv_name,
			   mach_msg_options_t options)
{
	return mach_msg_server(demux, max_size, rcv_name, options);
}
