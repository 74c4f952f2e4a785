/*
 * A program's vector of buffers, of which some is filled already.
 */
#ifndef BERTH_CLIENT_BSD_PARTS_H
#define BERTH_CLIENT_BSD_PARTS_H

#include <stddef.h>
#include <sys/uio.h>

#define PARTS_FEW 8 /* copied here; more go to memory of their own */

/* What is still empty.  A copy is made when the first byte is skipped, and the program's own
 * vector is not written. */
struct parts {
	struct iovec *parts;
	size_t part_count;
	size_t size_bytes; /* of all */
	struct iovec few[PARTS_FEW];
	struct iovec *many; /* mapped; NULL: none */
	size_t many_bytes;
	_Bool is_copy;
};

void parts_init(struct parts *parts, struct iovec *vector, size_t count);
void parts_deinit(struct parts *parts);

/* @size bytes more are filled: all, if there are fewer, or if there is no memory for a copy. */
void parts_skip(struct parts *parts, size_t size);

size_t parts_size(const struct iovec *vector, size_t count);

#endif
