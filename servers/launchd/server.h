/*
 * Requests: from the message to the answer.
 *
 * request.c receives, finds out who asks and of which context, and lets the stubs that mig made
 * of interfaces/servers/{job,launch}.defs check the message, call the routine and fill the
 * reply.  The routines are in job_server.c and control_server.c; what a request carries is
 * theirs if they succeed, and only then (mig-codegen.md §7.3).
 */
#ifndef LAUNCHD_SERVER_H
#define LAUNCHD_SERVER_H

#include "launchd.h"

struct request {
	struct launchd *launchd;
	struct context *context; /* of the port that was asked; users of the root: their own */
	struct job *job;         /* the port is this job's; NULL: a context's */
	audit_token_t token;
	mach_msg_header_t *in;
};

/* The one that is being served: there is one thread. */
struct request *request_current(void);

/* ---- helpers of routines --------------------------------------------------------------- */

/* The context for what lives on: that of the user who asks the root is made on demand. */
kern_return_t request_own_context(struct request *request, struct context **context);
/* Who asks, as a job; made on demand.  To be given to job_collect() when done with. */
kern_return_t request_own_job(struct request *request, struct job **job);
/* Is @job the one that asks?  Makes nothing. */
bool request_is_from(const struct request *request, const struct job *job);

/*
 * May the reply right be used later?  MIG_BAD_ARGUMENTS: it is no send-once right, and so
 * nothing that a stub of an answer would take.
 */
kern_return_t request_check_reply(const struct request *request);

/* Zeroed memory for an array that a reply carries off.  BOOTSTRAP_NO_MEMORY. */
kern_return_t reply_memory(size_t size_bytes, void **memory);

/* ---- answers given later --------------------------------------------------------------- */

/* Answers the kickstart, the removal that waits for @job, if one does. */
void answer_kick(struct job *job, int error, const char *text);
void answer_removal(struct job *job);

/* Serve up to REQUESTS_PER_ROUND. */
void request_serve(struct launchd *l);

#endif
