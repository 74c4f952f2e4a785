/*
 * Carriers: where large memory in messages is copied through (wire/trap_page.h).
 *
 * The kernel says who may use which, so each is in one thread's hands at a time.  A right is asked
 * about from the third large message on: one that is sent but once is cheaper in a memfd of its
 * own.
 */
#ifndef BERTH_CLIENT_CARRIER_H
#define BERTH_CLIENT_CARRIER_H

#include "client/trap.h"

#include <mach/message.h>

/* Memory for one message on its way out. */
struct carrier_place {
	uint8_t *memory;
	size_t size;
	uint32_t number;
	int fd; /* -1, or the carrier is new, and the kernel has yet to get it */
};

/* Is there a carrier for @message, of @size bytes, which was not looked at yet?  True: then
 * carrier_gone() or carrier_leave() comes. */
bool carrier_find(struct carrier_place *place, const mach_msg_header_t *message,
		  mach_msg_size_t size);

/* The kernel has the message. */
void carrier_gone(const struct carrier_place *place);

/* The message does not go by it. */
void carrier_leave(const struct carrier_place *place);

/* The bytes that a reply's pieces count from, *@size of them; NULL: they could not be mapped. */
const uint8_t *carrier_came(const struct trap *trap, size_t *size);

/* All that was wanted of them has been copied. */
void carrier_done(const struct trap *trap, bool is_mapped);

/* In the child of a fork: all of them are the parent's. */
void carriers_forked(void);

#endif
