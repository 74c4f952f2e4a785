/*
 * The connection of a kexthost to its kernel, berthd.
 *
 * Requests may come from any thread but the one that reads; each waits for its own answer.
 */
#ifndef BERTH_KEXTS_HOST_KERNEL_LINK_H
#define BERTH_KEXTS_HOST_KERNEL_LINK_H

#include "wire/kext.h"

#include <stddef.h>
#include <stdint.h>

struct kernel_link_handlers {
	/* A lane to a program; owns @fd.  On the thread that reads: no requests in there. */
	void (*lane)(const struct wire_kext_lane *lane, int fd);
	/* A command, on a thread of its own; answered by kernel_link_says() and, once,
	 * kernel_link_done(), from any thread.  @payload is valid during the call. */
	void (*command)(const struct wire_kext_command_message *command, const uint8_t *payload,
			size_t payload_size);
	/* The kernel is gone, or has thrown us out: does not return. */
	void (*gone)(void);
};

/*
 * Say hello on @socket_fd, which it owns then, and start the thread that reads.
 * 0 and *@host_id; -errno, and words in @why.
 */
int kernel_link_start(int socket_fd, const struct kernel_link_handlers *handlers, uint32_t *host_id,
		      char *why, size_t why_size);

/* The page (wire/alive_page.h) that programs map to learn of our end.  Borrowed. */
int kernel_link_page_fd(void);

/*
 * One request.  @args: five, or NULL for zeros.  @values: two, or NULL.  What payload comes back
 * is cut to @out_size; @out may be NULL.
 *
 * 0 or an errno, positive, as the operation says; ENOTCONN: the kernel is gone.
 */
int kernel_link_request(uint32_t operation, const uint64_t args[5], const void *payload,
			size_t payload_size, uint64_t values[2], void *out, size_t out_size);

void kernel_link_says(uint32_t sequence, const void *text, size_t size);
void kernel_link_done(uint32_t sequence, int32_t result, const char *why);

#endif
