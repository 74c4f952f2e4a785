/*
 * Traps as they lie in a slot, and as the core has them.
 */
#ifndef BERTH_HOSTS_DAEMON_TRAP_CODEC_H
#define BERTH_HOSTS_DAEMON_TRAP_CODEC_H

#include "hosts/daemon/berthd.h"

/* ---- trap_decode.c ----------------------------------------------------------------- */

/* A request, decoded.  Zeroed before; trap_decode_free() after, whatever decode said. */
struct trap_decoded {
	struct trap_frame frame;
	struct kernel_piece *pieces; /* its own */
	uint8_t *spill;              /* its own */
	struct kernel_segment *bulk; /* counted */
};

/* What a request without the core amounts to: all that decoding needs to know. */
struct trap_source {
	struct trap_request request; /* a private copy */
	const uint8_t *data;         /* TRAP_DATA_SIZE bytes; may change while they are read */
	int spill_fd;                /* -1: none.  Borrowed */
	struct kernel_segment *bulk; /* NULL: none.  Borrowed */
	struct kernel_file *file;    /* likewise */
	struct task *subject;        /* likewise */
};

/* KERN_SUCCESS, or what the trap completes with. */
mustuse kern_return_t trap_decode(const struct trap_source *source, struct trap_decoded *decoded);
void trap_decode_free(struct trap_decoded *decoded);

/* ---- reply_encode.c ---------------------------------------------------------------- */

/* A result as it goes out. */
struct reply_encoded {
	struct trap_reply reply;
	int spill_fd; /* -1: none.  Its own */
	int bulk_fd;  /* -1: none */
	bool bulk_is_ours;
	struct carrier *carrier; /* that the bulk lies in; NULL: none.  Borrowed */
	struct peer *receiver;   /* given: whose slot it goes to */
	uint32_t
	    capacity; /* given: of where the stream goes, in bytes: it spills if it is longer */
};

/* The size of the stream that holds @result; UINT64_MAX: too large for anything. */
uint64_t reply_stream_size(const struct trap_result *result);
/* Writes the stream to @to, which has room.  @bulk_offsets: NULL, or where each piece of a
 * segment lies in the receiver's memfd, tail first. */
void reply_write_stream(const struct trap_result *result, const uint64_t *bulk_offsets,
			uint8_t *to);
/* 0; -errno: no memory or descriptors, try again later. */
mustuse int reply_encode(struct host *host, const struct trap_result *result, uint8_t *data,
			 struct reply_encoded *encoded);
void reply_encoded_free(struct reply_encoded *encoded);

#endif
