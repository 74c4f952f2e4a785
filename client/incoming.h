/*
 * A message on its way in: from the reply of a trap into the program's memory.
 */
#ifndef BERTH_CLIENT_INCOMING_H
#define BERTH_CLIENT_INCOMING_H

#include "client/trap.h"

#include <mach/message.h>

/*
 * Write the message of a finished BERTH_TRAP_MSG to @buffer: memory for what travelled out
 * of line first, then the message itself, its tail and its trailer.
 *
 * The code of the trap, which this may change: MACH_RCV_INVALID_DATA, @buffer cannot be
 * written (the message is lost, its rights are in the space); MACH_RCV_BODY_ERROR with
 * MACH_MSG_VM_SPACE, some memory could not be had (that descriptor says address 0).
 */
mach_msg_return_t incoming_place(struct trap *trap, mach_msg_header_t *buffer,
				 mach_msg_return_t code);

/*
 * The message stays queued, for it is too large for @buffer (MACH_RCV_LARGE): write only how
 * large it is, and which port it waits at if that was asked for.
 *
 * @code, or MACH_RCV_INVALID_DATA if @buffer cannot be written.
 */
mach_msg_return_t incoming_too_large(const struct trap *trap, mach_msg_header_t *buffer,
				     mach_msg_return_t code);

#endif
