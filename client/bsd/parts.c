/*
 * A program's vector of buffers, of which some is filled already.
 */
#include "client/bsd/parts.h"

#include <limits.h>
#include <string.h>
#include <sys/mman.h>

size_t
parts_size(const struct iovec *vector, size_t count)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		size = vector[i].iov_len > (size_t)SSIZE_MAX - size ? (size_t)SSIZE_MAX
								    : size + vector[i].iov_len;
	return size;
}

void
parts_init(struct parts *parts, struct iovec *vector, size_t count)
{
	parts->parts = vector;
	parts->part_count = count;
	parts->size_bytes = parts_size(vector, count);
	parts->many = NULL;
	parts->is_copy = 0;
}

void
parts_deinit(struct parts *parts)
{
	if (parts->many != NULL)
		munmap(parts->many, parts->many_bytes);
	parts->many = NULL;
}

static void
parts_copy(struct parts *parts)
{
	struct iovec *copy = parts->few;

	if (parts->part_count > PARTS_FEW) {
		parts->many_bytes = parts->part_count * sizeof(parts->many[0]);
		void *memory = mmap(NULL, parts->many_bytes, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED) {
			parts->part_count = 0;
			parts->size_bytes = 0;
			return;
		}
		copy = parts->many = memory;
	}
	memcpy(copy, parts->parts, parts->part_count * sizeof(copy[0]));
	parts->parts = copy;
	parts->is_copy = 1;
}

void
parts_skip(struct parts *parts, size_t size)
{
	if (size >= parts->size_bytes) {
		parts->part_count = 0;
		parts->size_bytes = 0;
		return;
	}
	parts->size_bytes -= size;
	/* whole parts need no copy */
	while (size >= parts->parts->iov_len) {
		size -= parts->parts->iov_len;
		parts->parts++;
		parts->part_count--;
	}
	if (size == 0)
		return;
	if (!parts->is_copy)
		parts_copy(parts);
	if (parts->part_count == 0)
		return;
	parts->parts->iov_base = (char *)parts->parts->iov_base + size;
	parts->parts->iov_len -= size;
}
