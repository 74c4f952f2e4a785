/*
 * The tasks of the scenario: a server and two clients, which use all kinds of traps.
 *
 * Each ends by itself, whoever of the others dies at whatever moment: a call either succeeds or
 * says what the contract says of a dead peer.  Anything else, and a wait of more than HANG_MS,
 * ends the process with status 1 and a word on stderr.
 */
#ifndef TESTS_KILLS_TASKS_H
#define TESTS_KILLS_TASKS_H

#include <mach/mach.h>

#define HANG_MS 20000u

enum request {
	REQUEST_HELLO = 1, /* a right to be watched, and the sender's task; answered with rights */
	REQUEST_ECHO,      /* memory out of line, large and small; answered with the same */
	REQUEST_MOVE,      /* a receive right with a message in its queue */
	REQUEST_SIGNAL,    /* a semaphore to be signalled */
	REQUEST_STOP       /* the scenario is over: the server ends */
};

/* A message with everything in it that requests and answers have. */
struct letter {
	mach_msg_header_t header;
	mach_msg_body_t body;
	mach_msg_port_descriptor_t first, second;
	mach_msg_ool_descriptor_t small, large;
	mach_msg_max_trailer_t trailer;
};

#define LETTER_SIZE ((mach_msg_size_t)offsetof(struct letter, trailer))

/* A letter to @remote without memory or rights. */
struct letter letter_to(mach_port_t remote, mach_msg_id_t id, unsigned disposition);

/* Registers under @name, writes a byte to @ready, serves until REQUEST_STOP. */
void server_main(const char *name, int ready);

/* Looks @name up and asks for everything; @is_second: raises an exception, too. */
void client_main(const char *name, int is_second);

/* @code is success (true) or one of @count documented codes (false); else the process ends. */
int went(const char *call, int line, kern_return_t code, unsigned count,
	 const kern_return_t *allowed);

#define WENT(call_, ...)                                                                           \
	went(#call_, __LINE__, call_,                                                              \
	     sizeof((kern_return_t[]){ KERN_SUCCESS, __VA_ARGS__ }) / sizeof(kern_return_t),       \
	     (kern_return_t[]){ KERN_SUCCESS, __VA_ARGS__ })
#define MUST(call_) ((void)WENT(call_, KERN_SUCCESS))

#endif
