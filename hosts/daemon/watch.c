/*
 * Watches: a port or set that a task waits for in an event loop of its own, as a readable
 * eventfd.  The core says when it is ready; the descriptor says it to whoever polls.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* watch->host holds the descriptor plus 1, so that NULL is "none". */
static int
descriptor_of(const struct kernel_watch *watch)
{
	return (int)(intptr_t)watch->host - 1;
}

static void
show(int fd, bool ready)
{
	uint64_t value = 1;
	ssize_t n = ready ? write(fd, &value, sizeof(value)) : read(fd, &value, sizeof(value));

	(void)n; /* full is readable, empty is not: both are what is wanted */
}

int
watch_descriptor(struct kernel_watch *watch)
{
	if (watch->host == NULL) {
		int fd = eventfd(watch->ready ? 1 : 0, EFD_NONBLOCK | EFD_CLOEXEC);

		if (fd < 0)
			return -errno;
		watch->host = (void *)((intptr_t)fd + 1);
	}
	return descriptor_of(watch);
}

void
watch_changed(struct host *host, struct kernel_watch *watch)
{
	if (watch->host != NULL)
		show(descriptor_of(watch), watch->ready || watch->closed);
	if (!watch->closed)
		return;
	if (watch->host != NULL)
		close(descriptor_of(watch));
	watch->host = NULL;
	kernel_watch_free(host->kernel, watch);
}
