/*
 * The calls of Linux that berthd makes, each of which may fail when the test says so
 * (linux_faults.h).  berthd's own objects are linked with this file, whose functions their calls
 * come to first (--wrap).
 */
#include "tests/faults/linux_faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* @name returns @failure with errno set, or what the real one does. */
#define WRAP(type, name, call, failure, parameters, arguments)                                     \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		return fails(call) ? (failure) : __real_##name arguments;                          \
	}

static const int errors[LINUX_CALL_COUNT][LINUX_WAYS] = {
	[LINUX_MEMFD_CREATE] = { EMFILE, ENOMEM }, [LINUX_FTRUNCATE] = { ENOSPC, EFBIG },
	[LINUX_MMAP] = { ENOMEM, EAGAIN },         [LINUX_EPOLL_ADD] = { ENOSPC, ENOMEM },
	[LINUX_SOCKETPAIR] = { EMFILE, ENOBUFS },  [LINUX_ACCEPT] = { EMFILE, ECONNABORTED },
	[LINUX_SENDMSG] = { ENOBUFS, EAGAIN },     [LINUX_RECVMSG] = { EAGAIN, EINTR },
	[LINUX_SEND] = { ENOBUFS, ENOMEM },        [LINUX_PIDFD] = { EMFILE, ENFILE },
	[LINUX_EVENTFD] = { EMFILE, ENFILE },      [LINUX_DUPFD] = { EMFILE, EMFILE },
	[LINUX_OPEN] = { EMFILE, ENFILE },         [LINUX_PREAD] = { ENOMEM, EINTR },
	[LINUX_PWRITE] = { ENOSPC, EINTR },        [LINUX_MALLOC] = { ENOMEM, ENOMEM },
};

static struct linux_faults *faults;

static bool
fails(enum linux_call call)
{
	uint32_t none = 0, at, first, step;

	if (faults == NULL || !atomic_load(&faults->armed))
		return false;
	at = atomic_fetch_add(&faults->asked, 1) + 1;
	first = atomic_load(&faults->fail_at);
	step = atomic_load(&faults->step);
	if (first == 0 || at < first || (at - first) % step != 0 ||
	    (at - first) / step >= atomic_load(&faults->row))
		return false;
	atomic_compare_exchange_strong(&faults->failed, &none, (uint32_t)call + 1);
	atomic_fetch_add(&faults->hits[call], 1);
	errno = errors[call][atomic_load(&faults->way) % LINUX_WAYS];
	return true;
}

WRAP(int, memfd_create, LINUX_MEMFD_CREATE, -1, (const char *name, unsigned flags), (name, flags))
WRAP(int, ftruncate64, LINUX_FTRUNCATE, -1, (int fd, off_t size), (fd, size))
WRAP(void *, mmap64, LINUX_MMAP, MAP_FAILED,
     (void *at, size_t size, int prot, int flags, int fd, off_t offset),
     (at, size, prot, flags, fd, offset))
WRAP(int, socketpair, LINUX_SOCKETPAIR, -1, (int domain, int type, int protocol, int ends[2]),
     (domain, type, protocol, ends))
WRAP(int, accept4, LINUX_ACCEPT, -1, (int fd, struct sockaddr *address, socklen_t *size, int flags),
     (fd, address, size, flags))
WRAP(ssize_t, sendmsg, LINUX_SENDMSG, -1, (int fd, const struct msghdr *message, int flags),
     (fd, message, flags))
WRAP(ssize_t, recvmsg, LINUX_RECVMSG, -1, (int fd, struct msghdr *message, int flags),
     (fd, message, flags))
WRAP(ssize_t, send, LINUX_SEND, -1, (int fd, const void *bytes, size_t size, int flags),
     (fd, bytes, size, flags))
WRAP(int, eventfd, LINUX_EVENTFD, -1, (unsigned count, int flags), (count, flags))
WRAP(ssize_t, pread64, LINUX_PREAD, -1, (int fd, void *bytes, size_t size, off_t offset),
     (fd, bytes, size, offset))
WRAP(ssize_t, pwrite64, LINUX_PWRITE, -1, (int fd, const void *bytes, size_t size, off_t offset),
     (fd, bytes, size, offset))
WRAP(void *, malloc, LINUX_MALLOC, NULL, (size_t size), (size))
WRAP(void *, calloc, LINUX_MALLOC, NULL, (size_t count, size_t size), (count, size))
WRAP(void *, realloc, LINUX_MALLOC, NULL, (void *memory, size_t size), (memory, size))

/* ---- those of which only some requests fail ------------------------------------------------ */

int __real_epoll_ctl(int epoll_fd, int request, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll_fd, int request, int fd, struct epoll_event *event);
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __real_fcntl64(int fd, int request, ...);
int __wrap_fcntl64(int fd, int request, ...);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

int
__wrap_epoll_ctl(int epoll_fd, int request, int fd, struct epoll_event *event)
{
	if (request == EPOLL_CTL_ADD && fails(LINUX_EPOLL_ADD))
		return -1;
	return __real_epoll_ctl(epoll_fd, request, fd, event);
}

int
__wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	if (name == SO_PEERPIDFD && fails(LINUX_PIDFD))
		return -1;
	return __real_getsockopt(fd, level, name, value, size);
}

int
__wrap_open64(const char *path, int flags, ...)
{
	va_list more;
	unsigned mode;

	va_start(more, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(more, unsigned) : 0;
	va_end(more);
	return fails(LINUX_OPEN) ? -1 : __real_open64(path, flags, mode);
}

int
__wrap_fcntl64(int fd, int request, ...)
{
	va_list more;
	long argument;

	va_start(more, request);
	argument = va_arg(more, long); /* not there for some requests, which don't look */
	va_end(more);
	if (request == F_DUPFD_CLOEXEC && fails(LINUX_DUPFD))
		return -1;
	return __real_fcntl64(fd, request, argument);
}

long
__wrap_syscall(long number, ...)
{
	long argument[6];
	va_list more;

	va_start(more, number);
	for (size_t i = 0; i < sizeof(argument) / sizeof(argument[0]); i++)
		argument[i] = va_arg(more, long);
	va_end(more);
	if (number == SYS_pidfd_open && fails(LINUX_PIDFD))
		return -1;
	return __real_syscall(number, argument[0], argument[1], argument[2], argument[3],
			      argument[4], argument[5]);
}

int
__wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	int result = __real_clock_gettime(clock, time);

	if (result == 0 && clock == CLOCK_REALTIME && faults != NULL)
		time->tv_sec += atomic_load(&faults->wall_jump_s);
	return result;
}

/* ---- the page ------------------------------------------------------------------------------- */

static __attribute__((constructor)) void
find_page(void)
{
	const char *path = getenv(LINUX_FAULTS_VARIABLE);
	int fd = path != NULL ? __real_open64(path, O_RDWR | O_CLOEXEC) : -1;
	void *page;

	if (fd < 0)
		return;
	page = __real_mmap64(NULL, sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page == MAP_FAILED) {
		perror(LINUX_FAULTS_VARIABLE);
		_exit(1);
	}
	faults = page;
}
