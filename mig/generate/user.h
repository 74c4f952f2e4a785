/*
 * What the files of the user stubs' generator share.
 */
#ifndef MIG_GENERATE_USER_H
#define MIG_GENERATE_USER_H

#include "mig/generate/c_text.h"

/* One stub while it is written. */
struct user_stub {
	struct writer *w;
	const struct routine *routine;
	struct c_message request;
	struct c_message reply;
	bool is_big;                           /* its messages are allocated, not on the stack */
	const struct argument *reply_argument; /* the caller's reply port, NULL: the thread's */
	const char *send_size;                 /* C expression, in bytes */
};

/* Leave the stub with @result, a C expression. */
void user_leave(const struct user_stub *stub, const char *indent, const char *result);
/* "" or " | MACH_SEND_TIMEOUT | …": options of the send half; the time-out that goes with. */
const char *user_send_options(const struct user_stub *stub);
const char *user_timeout(const struct user_stub *stub);

/* The call of mach_msg() and what follows its failure (user_call.c). */
void user_write_call(const struct user_stub *stub);

/* The function that checks the reply, and the use of it (user_reply.c). */
void user_write_check(const struct user_stub *stub);
void user_write_results(const struct user_stub *stub);

#endif
