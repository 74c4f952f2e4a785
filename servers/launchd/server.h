/*
 * Requests: from the message to the answer.
 *
 * request.c receives, finds out who asks and of which context, checks the shape, calls the
 * routine and answers.  A routine that takes a right out of the request empties its field;
 * what is left there is destroyed afterwards.
 */
#ifndef LAUNCHD_SERVER_H
#define LAUNCHD_SERVER_H

#include "launchd.h"

#include <berth/launch_protocol.h>

struct request {
	struct launchd *launchd;
	struct context *context; /* of the port that was asked; users of the root: their own */
	struct job *job;         /* the port is this job's; NULL: a context's */
	audit_token_t token;
	mach_msg_header_t *in;
	mach_msg_header_t *out;
	void *out_memory[3]; /* malloc()ed, sent out of line, freed after sending */
};

/* ---- what routines are described by ---------------------------------------------------- */

enum request_body {
	BODY_SIMPLE,
	BODY_PORT, /* one port descriptor, a send right */
	BODY_OOL   /* one out-of-line descriptor */
};

struct routine {
	mach_msg_id_t id;
	mach_msg_size_t size_bytes;
	enum request_body body;
	size_t text_offset, text_size; /* a c_string that must have its NUL; size 0: none */
	/* KERN_SUCCESS: @out is filled; MIG_NO_REPLY: the reply right was taken; an error. */
	kern_return_t (*serve)(struct request *request);
};

/* Each ends with id 0. */
extern const struct routine job_routines[];
extern const struct routine launch_routines[];

/* ---- helpers of routines --------------------------------------------------------------- */

/* The context for what lives on: that of the user who asks the root is made on demand. */
kern_return_t request_own_context(struct request *request, struct context **context);
/* Who asks, as a job; made on demand.  To be given to job_collect() when done with. */
kern_return_t request_own_job(struct request *request, struct job **job);
/* Is @job the one that asks?  Makes nothing. */
bool request_is_from(const struct request *request, const struct job *job);

/* The reply that carries nothing but a code. */
void reply_with_code(struct request *request, kern_return_t code);
/* The reply with one port. */
void reply_with_port(struct request *request, mach_port_t name, mach_msg_type_name_t disposition);
/* The head of a reply with descriptors. */
void reply_complex(struct request *request, mach_msg_size_t size_bytes, unsigned descriptors);
/* @bytes are malloc()ed and become the request's. */
void reply_put_memory(struct request *request, mach_msg_ool_descriptor_t *out, unsigned index,
		      void *bytes, size_t size_bytes);

/* ---- answers given later --------------------------------------------------------------- */

/* Take the reply right out of the request, to answer with launch_answer(). */
void request_keep_reply(struct request *request, mach_port_t *reply,
			mach_msg_type_name_t *disposition);
/* Send a struct launch_reply; uses up @reply (MACH_PORT_NULL: nobody waits). */
void launch_answer(mach_port_t reply, mach_msg_type_name_t disposition, mach_msg_id_t request_id,
		   int status, const char *data, size_t size_bytes);
/* Answers the LAUNCH_KICKSTART, the LAUNCH_REMOVE that waits for @job, if one does. */
void answer_kick(struct job *job, int error, const char *text);
void answer_removal(struct job *job);

/* Serve up to REQUESTS_PER_ROUND. */
void request_serve(struct launchd *l);

#endif
