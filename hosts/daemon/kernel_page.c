/*
 * The kernel page: how sleepers learn that their kernel is gone.
 *
 * Its word `alive` is a robust futex held by the main thread.  When the process ends, by
 * whatever means, Linux walks the list registered here, marks the word and wakes a sleeper,
 * who wakes the next.  The list replaces the one that libc registered for this thread,
 * which has none of libc's robust mutexes.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* Linux reads it when the thread ends: it lives as long as the process. */
static struct robust_list_head robust_head;
static struct robust_list robust_entry;

int
kernel_page_new(struct host *host)
{
	int fd = memfd_create("berth-kernel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct kernel_page *page;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, sizeof(*page)) != 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	/* from here on only this mapping can write */
	if (page == MAP_FAILED ||
	    fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	page->version = WIRE_VERSION;
	atomic_store(&page->alive, (uint32_t)gettid() | FUTEX_WAITERS);

	robust_entry.next = &robust_head.list;
	robust_head.list.next = &robust_entry;
	robust_head.futex_offset = (long)((intptr_t)&page->alive - (intptr_t)&robust_entry);
	if (syscall(SYS_set_robust_list, &robust_head, sizeof(robust_head)) != 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	host->page = page;
	host->page_fd = fd;
	return 0;
}

void
kernel_page_end(struct host *host)
{
	if (host->page == NULL)
		return;
	atomic_store(&host->page->alive, FUTEX_OWNER_DIED);
	wait_wake(&host->page->alive, INT_MAX);
	robust_head.list.next = &robust_head.list;
	munmap(host->page, sizeof(*host->page));
	close(host->page_fd);
	host->page = NULL;
}
