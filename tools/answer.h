/*
 * Answer: what a kernel sends back to a tool: WIRE_TEXT …, WIRE_END, or WIRE_REFUSED.
 */
#ifndef BERTH_TOOLS_ANSWER_H
#define BERTH_TOOLS_ANSWER_H

#include <stdint.h>
#include <stdio.h>

enum answer_step { ANSWER_MORE = 0, ANSWER_END = 1 };

struct answer {
	int32_t status; /* of WIRE_END: 0 or -errno */
	uint32_t count; /* of WIRE_END: rows, leaks … */
	char why[240];  /* if it was refused: in the kernel's words, else "" */
};

/*
 * Take one message from @fd, waiting for it; its text goes to @out.
 *
 * ANSWER_MORE    there is more to come
 * ANSWER_END     that was all, and @answer says how it went
 * -EACCES        refused: @answer->why
 * -ECONNRESET    the kernel is gone
 * -ETIMEDOUT     it did not answer within the SO_RCVTIMEO of @fd
 * -EPROTO        what came is no answer
 * -errno         from recv, or from writing to @out
 */
int answer_take(int fd, FILE *out, struct answer *answer);

/* Take messages until one ends the answer: 0, or as answer_take. */
int answer_take_all(int fd, FILE *out, struct answer *answer);

/*
 * Send the @size_bytes bytes of @message, a struct of wire/socket.h, with the descriptor
 * @passed_fd unless that is -1.  0 or -errno.
 */
int request_send(int fd, const void *message, size_t size_bytes, int passed_fd);

#endif
