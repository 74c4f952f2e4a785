/*
 * A message on its way out: from the program's memory into the stream of a trap, and what
 * does not fit there into memfds.
 *
 * The program's buffer is read once.  Descriptors are looked at in the copy only, so that
 * what is checked, what is gathered and what the kernel gets are the same bytes.
 */
#ifndef BERTH_CLIENT_OUTGOING_H
#define BERTH_CLIENT_OUTGOING_H

#include "wire/trap_page.h"

#include <mach/message.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory of a descriptor that said `deallocate`. */
struct outgoing_region {
	uintptr_t address;
	size_t size_bytes;
	uint32_t descriptor_index;
};

#define OUTGOING_REGIONS 8 /* as many without extra memory */
#define MOVED_NONE UINT32_MAX

struct outgoing {
	uint8_t *stream; /* the caller's, then perhaps the spill's */
	uint32_t stream_room;
	uint32_t stream_size;
	uint32_t prefix_size;
	uint32_t piece_count;
	uint32_t flags; /* TRAP_HAS_* */
	int spill_fd;   /* the caller takes them, when they are not -1 */
	int bulk_fd;
	uint64_t bulk_size;
	bool may_move;
	/* the one descriptor whose memory is the bulk memfd already; MOVED_NONE */
	uint32_t moved_index;
	struct trap_piece_wire moved;
	struct carrier_place *carrier; /* where memory is copied to, instead of a memfd; NULL */
	bool is_spilled;
	/* in the order of the descriptors */
	uint32_t region_count;
	uint32_t region_room;
	struct outgoing_region *regions;
	struct outgoing_region own_regions[OUTGOING_REGIONS];
};

/*
 * Prepare the @size bytes of @message.  @stream is room for the stream, of @stream_room
 * (TRAP_DATA_SIZE) bytes.  @carrier: one that was found for this message; NULL: none.
 *
 * MACH_MSG_SUCCESS           and the request is ready; so, too, if the kernel will find
 *                            a descriptor malformed
 * MACH_SEND_MSG_TOO_SMALL, MACH_SEND_TOO_LARGE, MACH_SEND_INVALID_DATA
 *                            mach-messages.md §3, checks 1 to 5 and 8
 * MACH_SEND_NO_BUFFER        no memory or no descriptor
 *
 * In any case outgoing_end() comes after it.
 */
mach_msg_return_t outgoing_begin(struct outgoing *out, const mach_msg_header_t *message,
				 mach_msg_size_t size, uint8_t *stream, uint32_t stream_room,
				 struct carrier_place *carrier);

/* Unmap what the first @captured descriptors said to deallocate. */
void outgoing_release(struct outgoing *out, uint32_t captured);

/* Close what the caller did not take, and free. */
void outgoing_end(struct outgoing *out);

#endif
