/*
 * The C library's own functions, and what stands for them where there is none.
 */
#include "client/bsd/next.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <unistd.h>

_Atomic(next_any *) next_functions[NEXT_COUNT];

/* ---- bare system calls ------------------------------------------------------------------- */

/* As the C library does around a call that may wait: a thread can be cancelled in it. */
static long
blocking_call(long number, long a, long b, long c, long d, long e, long f)
{
	int before;

	if (__libc_single_threaded)
		return syscall(number, a, b, c, d, e, f);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before);
	long result = syscall(number, a, b, c, d, e, f);
	int error = errno;
	pthread_setcanceltype(before, NULL);
	errno = error;
	return result;
}

#define A(value) ((long)(value))
#define WAITS(name, a, b, c, d, e, f) blocking_call(SYS_##name, A(a), A(b), A(c), A(d), A(e), A(f))

static int
bare_socket(int domain, int type, int protocol)
{
	return (int)syscall(SYS_socket, domain, type, protocol);
}

static int
bare_socketpair(int domain, int type, int protocol, int *fds)
{
	return (int)syscall(SYS_socketpair, domain, type, protocol, fds);
}

static int
bare_bind(int fd, const struct sockaddr *address, socklen_t size)
{
	return (int)syscall(SYS_bind, fd, address, size);
}

static int
bare_connect(int fd, const struct sockaddr *address, socklen_t size)
{
	return (int)WAITS(connect, fd, address, size, 0, 0, 0);
}

static int
bare_listen(int fd, int count)
{
	return (int)syscall(SYS_listen, fd, count);
}

static int
bare_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	return (int)WAITS(accept4, fd, address, size, flags, 0, 0);
}

static int
bare_accept(int fd, struct sockaddr *address, socklen_t *size)
{
	return bare_accept4(fd, address, size, 0);
}

static int
bare_getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
	return (int)syscall(SYS_getsockname, fd, address, size);
}

static int
bare_getpeername(int fd, struct sockaddr *address, socklen_t *size)
{
	return (int)syscall(SYS_getpeername, fd, address, size);
}

static int
bare_getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
	return (int)syscall(SYS_getsockopt, fd, level, option, value, size);
}

static int
bare_setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	return (int)syscall(SYS_setsockopt, fd, level, option, value, size);
}

static int
bare_shutdown(int fd, int how)
{
	return (int)syscall(SYS_shutdown, fd, how);
}

/* The one argument of a call that may have one. */
#define LAST_ARGUMENT(argument, before)                                                            \
	va_list arguments;                                                                         \
	va_start(arguments, before);                                                               \
	void *argument = va_arg(arguments, void *);                                                \
	va_end(arguments)

static int
bare_ioctl(int fd, unsigned long request, ...)
{
	LAST_ARGUMENT(argument, request);

	return (int)syscall(SYS_ioctl, fd, request, argument);
}

static ssize_t
bare_sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *address,
	    socklen_t address_size)
{
	return WAITS(sendto, fd, bytes, size, flags, address, address_size);
}

static ssize_t
bare_send(int fd, const void *bytes, size_t size, int flags)
{
	return bare_sendto(fd, bytes, size, flags, NULL, 0);
}

static ssize_t
bare_sendmsg(int fd, const struct msghdr *message, int flags)
{
	return WAITS(sendmsg, fd, message, flags, 0, 0, 0);
}

static int
bare_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
	return (int)WAITS(sendmmsg, fd, messages, count, flags, 0, 0);
}

static ssize_t
bare_write(int fd, const void *bytes, size_t size)
{
	return WAITS(write, fd, bytes, size, 0, 0, 0);
}

static ssize_t
bare_writev(int fd, const struct iovec *parts, int count)
{
	return WAITS(writev, fd, parts, count, 0, 0, 0);
}

static ssize_t
bare_recvfrom(int fd, void *bytes, size_t size, int flags, struct sockaddr *address,
	      socklen_t *address_size)
{
	return WAITS(recvfrom, fd, bytes, size, flags, address, address_size);
}

static ssize_t
bare_recv(int fd, void *bytes, size_t size, int flags)
{
	return bare_recvfrom(fd, bytes, size, flags, NULL, NULL);
}

static ssize_t
bare_recvmsg(int fd, struct msghdr *message, int flags)
{
	return WAITS(recvmsg, fd, message, flags, 0, 0, 0);
}

static int
bare_recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags,
	      struct timespec *limit)
{
	return (int)WAITS(recvmmsg, fd, messages, count, flags, limit, 0);
}

static ssize_t
bare_read(int fd, void *bytes, size_t size)
{
	return WAITS(read, fd, bytes, size, 0, 0, 0);
}

static ssize_t
bare_readv(int fd, const struct iovec *parts, int count)
{
	return WAITS(readv, fd, parts, count, 0, 0, 0);
}

static int
bare_close(int fd)
{
	return (int)WAITS(close, fd, 0, 0, 0, 0, 0);
}

static int
bare_dup(int fd)
{
	return (int)syscall(SYS_dup, fd);
}

static int
bare_dup3(int from, int to, int flags)
{
	return (int)syscall(SYS_dup3, from, to, flags);
}

static int
bare_dup2(int from, int to)
{
	/* dup3 refuses what dup2 does not: the same descriptor twice */
	if (from == to)
		return syscall(SYS_fcntl, from, F_GETFD) < 0 ? -1 : to;
	return bare_dup3(from, to, 0);
}

static int
bare_fcntl(int fd, int command, ...)
{
	LAST_ARGUMENT(argument, command);

	if (command == F_SETLKW || command == F_OFD_SETLKW)
		return (int)WAITS(fcntl, fd, command, argument, 0, 0, 0);
	return (int)syscall(SYS_fcntl, fd, command, argument);
}

static int
bare_fcntl64(int fd, int command, ...)
{
	LAST_ARGUMENT(argument, command);

	return bare_fcntl(fd, command, argument);
}

static int
bare_close_range(unsigned int first, unsigned int last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

static void
bare_closefrom(int first)
{
	syscall(SYS_close_range, first < 0 ? 0u : (unsigned int)first, UINT_MAX, 0);
}

/* What the compiler calls instead where it knows the buffer's size. */
static void
buffer_check(size_t size, size_t room)
{
	if (size > room)
		__builtin_trap();
}

static ssize_t
bare___read_chk(int fd, void *bytes, size_t size, size_t room)
{
	buffer_check(size, room);
	return bare_read(fd, bytes, size);
}

static ssize_t
bare___recv_chk(int fd, void *bytes, size_t size, size_t room, int flags)
{
	buffer_check(size, room);
	return bare_recv(fd, bytes, size, flags);
}

static ssize_t
bare___recvfrom_chk(int fd, void *bytes, size_t size, size_t room, int flags,
		    struct sockaddr *address, socklen_t *address_size)
{
	buffer_check(size, room);
	return bare_recvfrom(fd, bytes, size, flags, address, address_size);
}

/* ---- finding ----------------------------------------------------------------------------- */

void
next_find(void)
{
#define NEXT_ROW(name, result, parameters) { #name, (next_any *)bare_##name },
	static const struct {
		const char *name;
		next_any *bare;
	} functions[NEXT_COUNT] = { NEXT_FUNCTIONS(NEXT_ROW) };
#undef NEXT_ROW
	int saved_errno = errno;
	bool is_static = false;

	for (int i = 0; i < NEXT_COUNT; i++) {
		/* where the first is not behind us none is */
		next_any *function =
		    is_static ? NULL : (next_any *)dlsym(RTLD_NEXT, functions[i].name);

		is_static = i == 0 ? function == NULL : is_static;
		if (function == NULL)
			function = functions[i].bare;
		atomic_store_explicit(&next_functions[i], function, memory_order_release);
	}
	errno = saved_errno;
}

/* Before main(), so that no signal handler is the first to look for them. */
__attribute__((constructor(101))) static void
next_start(void)
{
	next_find();
}
