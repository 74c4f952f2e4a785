/*
 * Looking at memory that may not be there: rt_sigprocmask(2) reads a new mask before it
 * finds that it is not told what to do with it, and rt_sigpending(2) writes the pending signals
 * to wherever it is told.  So they answer "is this readable, writable" in 0.2 µs, need no
 * permission, and change nothing but the 8 bytes.  (Valgrind passes the second on to Linux; the
 * old mask of rt_sigprocmask it writes by itself, and dies where it cannot.)
 */
#include "client/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3 */
#endif

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

#define KERNEL_SIGSET_BYTES 8
#define KNOWN_PAGES 8 /* pages known to be writable, a thread */

/* The page of @address: by the 8 bytes from there, or by its last 8. */
static bool
page_is_readable(uintptr_t address)
{
	const uintptr_t last_word = (address | (PAGE_BYTES - 1)) - (KERNEL_SIGSET_BYTES - 1);
	int saved_errno = errno;

	if (address > last_word || address == 0) /* the null pointer means "no set" */
		address = last_word;
	bool is_readable =
	    syscall(SYS_rt_sigprocmask, -1, (void *)address, NULL, KERNEL_SIGSET_BYTES) == 0 ||
	    errno != EFAULT;

	errno = saved_errno;
	return is_readable;
}

static bool
word_is_writable(uintptr_t address)
{
	int saved_errno = errno;
	bool is_writable = syscall(SYS_rt_sigpending, (void *)address, KERNEL_SIGSET_BYTES) == 0;

	errno = saved_errno;
	return is_writable;
}

bool
memory_is_readable(const void *address, size_t size)
{
	uintptr_t at = (uintptr_t)address;
	uintptr_t last = at + size - 1;

	if (size == 0)
		return true;
	if (last < at)
		return false;
	for (;; at = (at | (PAGE_BYTES - 1)) + 1) {
		if (!page_is_readable(at))
			return false;
		if ((at | (PAGE_BYTES - 1)) >= last)
			return true;
	}
}

bool
memory_is_readable_now(const void *address, size_t size)
{
	uintptr_t start = (uintptr_t)address & ~(uintptr_t)(PAGE_BYTES - 1);
	uintptr_t end = (uintptr_t)address + size;
	int saved_errno = errno;

	if (end < start)
		return false;
	/* refused for memory of devices, too: that is looked at page by page */
	bool is_there =
	    size > PAGE_BYTES && madvise((void *)start, end - start, MADV_POPULATE_READ) == 0;
	errno = saved_errno;
	return is_there || memory_is_readable(address, size);
}

/* Counts calls of memory_changed(). */
static _Atomic uint32_t memory_epoch = 1;

void
memory_changed(void)
{
	atomic_fetch_add_explicit(&memory_epoch, 1, memory_order_relaxed);
}

/* Pages that could be read or written when this thread last asked; entry = page number, hashed. */
static __thread struct {
	uint32_t epoch;
	uintptr_t readable[KNOWN_PAGES], writable[KNOWN_PAGES];
} known __attribute__((tls_model("initial-exec")));

/* What is known is true of now, or forgotten. */
static void
known_bring_up_to_date(void)
{
	uint32_t epoch = atomic_load_explicit(&memory_epoch, memory_order_relaxed);

	if (known.epoch == epoch)
		return;
	for (int i = 0; i < KNOWN_PAGES; i++)
		known.readable[i] = known.writable[i] = 0;
	known.epoch = epoch;
}

bool
memory_message_is_readable(const void *message, size_t size)
{
	uintptr_t at = ((uintptr_t)message | (PAGE_BYTES - 1)) + 1;
	uintptr_t end = (uintptr_t)message + size;

	if (end <= at && end >= (uintptr_t)message)
		return true;
	if (end < at)
		return false;
	known_bring_up_to_date();
	for (; at < end; at += PAGE_BYTES) {
		uintptr_t page = at / PAGE_BYTES;

		if (known.readable[page % KNOWN_PAGES] == page ||
		    known.writable[page % KNOWN_PAGES] == page)
			continue;
		if (!page_is_readable(at))
			return false;
		known.readable[page % KNOWN_PAGES] = page;
	}
	return true;
}

bool
memory_is_writable(void *address, size_t size)
{
	uintptr_t at = (uintptr_t)address;
	uintptr_t end = at + size;

	if (end < at)
		return false;
	known_bring_up_to_date();
	while (at < end) {
		uintptr_t page = at / PAGE_BYTES;
		/* the last 8 bytes of the range may begin in the page before: that one is fine */
		uintptr_t word = end - at < 8 ? end - 8 : at;
		if (known.writable[page % KNOWN_PAGES] != page) {
			if (!word_is_writable(word))
				return false;
			known.writable[page % KNOWN_PAGES] = page;
		}
		at = (page + 1) * PAGE_BYTES;
	}
	return true;
}

int
memory_fd_new(const char *name)
{
	static _Atomic unsigned int more_flags = MFD_NOEXEC_SEAL;
	unsigned int more = atomic_load_explicit(&more_flags, memory_order_relaxed);
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | more);

	if (fd < 0 && errno == EINVAL && more != 0) {
		atomic_store_explicit(&more_flags, 0, memory_order_relaxed);
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	}
	return fd < 0 ? -errno : fd;
}

int
memory_fd_seal(int fd)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

	if (fcntl(fd, F_ADD_SEALS, seals | F_SEAL_SEAL) == 0)
		return 0;
	int error = errno;
	int found = fcntl(fd, F_GET_SEALS);
	return found >= 0 && (found & seals) == seals ? 0 : -error;
}

int
memory_fd_write(int fd, const void *from, size_t size, uint64_t offset)
{
	const uint8_t *at = from;

	while (size > 0) {
		ssize_t written = pwrite(fd, at, size, (off_t)offset);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written == 0 ? -ENOSPC : -errno;
		at += written;
		offset += (uint64_t)written;
		size -= (size_t)written;
	}
	return 0;
}

int
memory_fd_read(int fd, void *to, size_t size, uint64_t offset)
{
	uint8_t *at = to;

	while (size > 0) {
		ssize_t got = pread(fd, at, size, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0 ? -EIO : -errno;
		at += got;
		offset += (uint64_t)got;
		size -= (size_t)got;
	}
	return 0;
}
