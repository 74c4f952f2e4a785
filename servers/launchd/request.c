/*
 * The way of a request: receive, take in what the kernel told meanwhile, resolve, check,
 * serve, reply, clean up.  The contract with routines is the one of MIG servers
 * (mig-codegen.md §7), with ownership shown by emptied fields.
 */
#include "server.h"

#include <stdlib.h>
#include <string.h>

#define RECEIVE_OPTIONS                                                                            \
	(MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0) |      \
	 MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT))

#define REPLY_SIZE_MAX 256u

/* ---- who asks -------------------------------------------------------------------------- */

static bool
is_users_request(const struct request *request)
{
	return request->launchd->is_system && !request->job &&
	       request->context == request->launchd->root &&
	       !is_privileged(request->launchd, &request->token);
}

/* False: the port is gone, and with it whoever could be asked. */
static bool
request_resolve(struct request *request)
{
	struct launchd *l = request->launchd;
	mach_port_t port = request->in->msgh_local_port;

	request->job = port_find_owner(l, port, PORT_ROLE_JOB);
	request->context =
	    request->job ? request->job->context : port_find_owner(l, port, PORT_ROLE_CONTEXT);
	if (!request->context)
		return false;
	if (is_users_request(request)) {
		struct context *own = context_find_user(l, request->token.val[1]);
		if (own)
			request->context = own;
	}
	return true;
}

kern_return_t
request_own_context(struct request *request, struct context **context)
{
	if (is_users_request(request))
		return context_get_user(request->launchd, request->token.val[1], context);
	*context = request->context;
	return KERN_SUCCESS;
}

kern_return_t
request_own_job(struct request *request, struct job **job)
{
	struct context *context;

	if (request->job) {
		*job = request->job;
		return KERN_SUCCESS;
	}
	kern_return_t kr = request_own_context(request, &context);
	if (kr != KERN_SUCCESS)
		return kr;
	return job_get_process(context, &request->token, job);
}

bool
request_is_from(const struct request *request, const struct job *job)
{
	if (request->job)
		return request->job == job;
	return job_find_process(job->context, &request->token) == job;
}

/* ---- shapes ---------------------------------------------------------------------------- */

static kern_return_t
check_descriptor(const struct request *request, const struct routine *routine)
{
	const mach_msg_base_t *base = (const void *)request->in;
	const mach_msg_port_descriptor_t *port = (const void *)(base + 1);

	if (base->body.msgh_descriptor_count != 1)
		return MIG_BAD_ARGUMENTS;
	if (routine->body == BODY_OOL)
		return port->type == MACH_MSG_OOL_DESCRIPTOR ? KERN_SUCCESS : MIG_TYPE_ERROR;
	if (port->type != MACH_MSG_PORT_DESCRIPTOR || port->disposition != MACH_MSG_TYPE_MOVE_SEND)
		return MIG_TYPE_ERROR;
	return KERN_SUCCESS;
}

static kern_return_t
request_check(const struct request *request, const struct routine *routine)
{
	bool complex = MACH_MSGH_BITS_IS_COMPLEX(request->in->msgh_bits);

	if (complex != (routine->body != BODY_SIMPLE) ||
	    request->in->msgh_size != routine->size_bytes)
		return MIG_BAD_ARGUMENTS;
	if (complex) {
		kern_return_t kr = check_descriptor(request, routine);
		if (kr != KERN_SUCCESS)
			return kr;
	}
	const char *text = (const char *)request->in + routine->text_offset;
	if (routine->text_size > 0 && !memchr(text, '\0', routine->text_size))
		return MIG_BAD_ARGUMENTS;
	return KERN_SUCCESS;
}

static kern_return_t
request_take_token(struct request *request)
{
	const mach_msg_audit_trailer_t *trailer =
	    (const void *)((const char *)request->in + round_msg(request->in->msgh_size));

	if (trailer->msgh_trailer_type != MACH_MSG_TRAILER_FORMAT_0 ||
	    trailer->msgh_trailer_size < sizeof(*trailer))
		return MIG_TRAILER_ERROR;
	request->token = trailer->msgh_audit;
	return KERN_SUCCESS;
}

static const struct routine *
routine_find(mach_msg_id_t id)
{
	const struct routine *tables[] = { job_routines, launch_routines };

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (const struct routine *routine = tables[i]; routine->id; routine++) {
			if (routine->id == id)
				return routine;
		}
	}
	return NULL;
}

static kern_return_t
request_dispatch(struct request *request)
{
	const struct routine *routine = routine_find(request->in->msgh_id);

	if (!routine)
		return MIG_BAD_ID;
	kern_return_t kr = request_check(request, routine);
	return kr == KERN_SUCCESS ? routine->serve(request) : kr;
}

/* ---- replies --------------------------------------------------------------------------- */

static void
reply_head(struct request *request, mach_msg_size_t size_bytes)
{
	memset(request->out, 0, size_bytes);
	request->out->msgh_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(request->in->msgh_bits), 0);
	request->out->msgh_size = size_bytes;
	request->out->msgh_remote_port = request->in->msgh_remote_port;
	request->out->msgh_id = request->in->msgh_id + JOB_REPLY_OFFSET;
}

void
reply_with_code(struct request *request, kern_return_t code)
{
	mig_reply_error_t *reply = (void *)request->out;

	reply_head(request, sizeof(*reply));
	reply->NDR = NDR_record;
	reply->RetCode = code;
}

void
reply_complex(struct request *request, mach_msg_size_t size_bytes, unsigned descriptors)
{
	mach_msg_base_t *base = (void *)request->out;

	reply_head(request, size_bytes);
	base->header.msgh_bits |= MACH_MSGH_BITS_COMPLEX;
	base->body.msgh_descriptor_count = descriptors;
}

void
reply_with_port(struct request *request, mach_port_t name, mach_msg_type_name_t disposition)
{
	struct job_port_reply *reply = (void *)request->out;

	reply_complex(request, sizeof(*reply), 1);
	reply->port.name = name;
	reply->port.disposition = disposition;
	reply->port.type = MACH_MSG_PORT_DESCRIPTOR;
}

void
reply_put_memory(struct request *request, mach_msg_ool_descriptor_t *out, unsigned index,
		 void *bytes, size_t size_bytes)
{
	request->out_memory[index] = bytes;
	out->address = bytes;
	out->size = (mach_msg_size_t)size_bytes;
	out->copy = MACH_MSG_VIRTUAL_COPY;
	out->type = MACH_MSG_OOL_DESCRIPTOR;
}

/* The reply right is used up, whatever happens; what the reply moves is destroyed if it
 * cannot arrive.  A client that does not listen loses its answer and holds up nobody. */
static void
reply_send(mach_msg_header_t *reply)
{
	if (reply->msgh_remote_port == MACH_PORT_NULL) {
		mach_msg_destroy(reply);
		return;
	}
	kern_return_t kr = mach_msg(reply, MACH_SEND_MSG | MACH_SEND_TIMEOUT, reply->msgh_size, 0,
				    MACH_PORT_NULL, 0, MACH_PORT_NULL);
	if (kr != MACH_MSG_SUCCESS)
		mach_msg_destroy(reply);
}

void
request_keep_reply(struct request *request, mach_port_t *reply, mach_msg_type_name_t *disposition)
{
	*reply = request->in->msgh_remote_port;
	*disposition = MACH_MSGH_BITS_REMOTE(request->in->msgh_bits);
	request->in->msgh_remote_port = MACH_PORT_NULL;
}

/* ---- the loop -------------------------------------------------------------------------- */

static void
request_handle(struct launchd *l, mach_msg_header_t *in)
{
	_Alignas(8) char out[REPLY_SIZE_MAX];
	struct request request = { .launchd = l, .in = in, .out = (void *)out };

	kern_return_t kr = request_take_token(&request);
	if (kr == KERN_SUCCESS && !request_resolve(&request)) {
		mach_msg_destroy(in);
		return;
	}
	if (kr == KERN_SUCCESS && is_kernel(&request.token)) {
		/* the only notification that comes to such a port */
		if (in->msgh_id == MACH_NOTIFY_NO_SENDERS && request.job)
			job_senders_gone(request.job);
		mach_msg_destroy(in);
		return;
	}
	if (kr == KERN_SUCCESS)
		kr = request_dispatch(&request);
	if (kr != MIG_NO_REPLY) {
		if (kr != KERN_SUCCESS)
			reply_with_code(&request, kr);
		in->msgh_remote_port = MACH_PORT_NULL; /* the reply has it */
		reply_send(request.out);
	}
	for (size_t i = 0; i < sizeof(request.out_memory) / sizeof(request.out_memory[0]); i++)
		free(request.out_memory[i]);
	mach_msg_destroy(in);
}

void
request_serve(struct launchd *l)
{
	static _Alignas(8) char in[REQUEST_SIZE_MAX + MAX_TRAILER_SIZE];

	for (unsigned i = 0; i < REQUESTS_PER_ROUND; i++) {
		mach_msg_header_t *head = (void *)in;
		kern_return_t kr = mach_msg(head, RECEIVE_OPTIONS, 0, sizeof(in), l->request_set, 0,
					    MACH_PORT_NULL);

		if (kr == MACH_RCV_TOO_LARGE)
			continue; /* the kernel has destroyed it, and told the sender so */
		if (kr == MACH_RCV_INTERRUPTED)
			continue;
		if (kr != MACH_MSG_SUCCESS && (kr & ~MACH_MSG_MASK) != MACH_RCV_BODY_ERROR) {
			if (kr != MACH_RCV_TIMED_OUT)
				receive_failed(l, kr);
			return;
		}
		/* whoever asks may do so because of what the kernel has told us already */
		notify_serve(l);
		request_handle(l, head);
	}
}
