/*
 * What the files of the server stubs' generator share.
 */
#ifndef MIG_GENERATE_SERVER_H
#define MIG_GENERATE_SERVER_H

#include "mig/generate/c_text.h"

/* One stub while it is written. */
struct server_stub {
	struct writer *w;
	const struct routine *routine;
	struct c_message request; /* as it came, checked */
	struct c_message reply;   /* as it is made */
};

/* The function that checks the request, and the stub itself (server_stub.c). */
void server_write_check(const struct server_stub *stub);
void server_write_stub(const struct server_stub *stub);

/* Room for the results, and their way into the reply (server_reply.c). */
void server_declare_results(const struct server_stub *stub);
/* What the server function is given for the argument @argument, which has a result. */
const char *server_result_parameter(const struct server_stub *stub,
				    const struct argument *argument);
void server_pack_reply(const struct server_stub *stub);

/* A right or number of the request as the server function sees it (server_stub.c). */
const char *server_request_value(const struct server_stub *stub, const struct argument *argument);
/* The count that came with @argument of the request. */
const char *server_request_count(const struct server_stub *stub, const struct argument *argument);

#endif
