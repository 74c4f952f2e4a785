/*
 * The way of a request: receive, take in what the kernel told meanwhile, resolve, let the stubs
 * check and serve it, reply, clean up.
 */
#include "server.h"

#include <string.h>

#include "jobServer.h"
#include "launchServer.h"

#define RECEIVE_OPTIONS                                                                            \
	(MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0) |      \
	 MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT))

union reply {
	mach_msg_header_t head;
	mig_reply_error_t error;
	union __ReplyUnion__job_mig_job_subsystem job;
	union __ReplyUnion__serve_launch_subsystem launch;
};

static struct request *current;

struct request *
request_current(void)
{
	return current;
}

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

/* False: the message does not say who sent it. */
static bool
request_take_token(struct request *request)
{
	const mach_msg_audit_trailer_t *trailer =
	    (const void *)((const char *)request->in + round_msg(request->in->msgh_size));

	if (trailer->msgh_trailer_type != MACH_MSG_TRAILER_FORMAT_0 ||
	    trailer->msgh_trailer_size < sizeof(*trailer))
		return false;
	request->token = trailer->msgh_audit;
	return true;
}

/* ---- replies --------------------------------------------------------------------------- */

kern_return_t
request_check_reply(const struct request *request)
{
	if (MACH_PORT_VALID(request->in->msgh_remote_port) &&
	    MACH_MSGH_BITS_REMOTE(request->in->msgh_bits) != MACH_MSG_TYPE_MOVE_SEND_ONCE)
		return MIG_BAD_ARGUMENTS;
	return KERN_SUCCESS;
}

kern_return_t
reply_memory(size_t size_bytes, void **memory)
{
	vm_address_t address = 0;

	*memory = NULL;
	if (size_bytes == 0)
		return KERN_SUCCESS;
	if (vm_allocate(mach_task_self(), &address, size_bytes, VM_FLAGS_ANYWHERE) != KERN_SUCCESS)
		return BOOTSTRAP_NO_MEMORY;
	*memory = (void *)address;
	return KERN_SUCCESS;
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

/* ---- the loop -------------------------------------------------------------------------- */

static void
request_dispatch(struct request *request)
{
	union reply reply;

	if (!job_server(request->in, &reply.head))
		launch_server(request->in, &reply.head);
	kern_return_t kr =
	    MACH_MSGH_BITS_IS_COMPLEX(reply.head.msgh_bits) ? KERN_SUCCESS : reply.error.RetCode;
	if (kr == MIG_NO_REPLY)
		return; /* reply right and all were taken */
	if (kr != KERN_SUCCESS) {
		request->in->msgh_remote_port = MACH_PORT_NULL; /* the reply has it */
		mach_msg_destroy(request->in);
	}
	reply_send(&reply.head);
}

static void
request_handle(struct launchd *l, mach_msg_header_t *in)
{
	struct request request = { .launchd = l, .in = in };

	if (!request_take_token(&request) || !request_resolve(&request)) {
		mach_msg_destroy(in);
		return;
	}
	if (is_kernel(&request.token)) {
		notify_take(l, in);
		return;
	}
	current = &request;
	request_dispatch(&request);
	current = NULL;
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
