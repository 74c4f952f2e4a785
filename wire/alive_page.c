/*
 * The page that says that a process lives: see alive_page.h.
 */
#include "wire/alive_page.h"

#include "wire/wait.h"

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
alive_page_new(struct kernel_page **result)
{
	int fd = memfd_create("berth-kernel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *page = MAP_FAILED;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, sizeof(struct kernel_page)) == 0)
		page = mmap(NULL, sizeof(struct kernel_page), PROT_READ | PROT_WRITE, MAP_SHARED,
			    fd, 0);
	/* from here on only this mapping can write */
	if (page == MAP_FAILED ||
	    fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0) {
		int error = -errno;

		if (page != MAP_FAILED)
			munmap(page, sizeof(struct kernel_page));
		close(fd);
		return error;
	}
	*result = page;
	(*result)->version = WIRE_VERSION;
	return fd;
}

int
alive_page_begin(struct kernel_page *page)
{
	atomic_store(&page->alive, (uint32_t)gettid() | FUTEX_WAITERS);
	robust_entry.next = &robust_head.list;
	robust_head.list.next = &robust_entry;
	robust_head.futex_offset = (long)((intptr_t)&page->alive - (intptr_t)&robust_entry);
	if (syscall(SYS_set_robust_list, &robust_head, sizeof(robust_head)) != 0)
		return -errno;
	return 0;
}

void
alive_page_end(struct kernel_page *page)
{
	atomic_store(&page->alive, FUTEX_OWNER_DIED);
	wait_wake(&page->alive, INT_MAX);
	robust_head.list.next = &robust_head.list;
	munmap(page, sizeof(*page));
}
