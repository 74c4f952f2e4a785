/*
 * The functions on descriptors that stand before the C library's: making, naming, sharing and
 * closing them.  interpose_io.c has those that move data.
 *
 * Each looks whether the descriptor is a system socket, which is one load where a process has
 * none, and calls the C library's function if it is not.
 */
#undef _FILE_OFFSET_BITS /* fcntl and fcntl64 are two functions */
#undef _FORTIFY_SOURCE

#include "client/bsd/interpose.h"

#include "client/bsd/control.h"
#include "client/bsd/event.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <unistd.h>

/* Where a function takes any address, the C library's headers say it with a union. */
#define ADDRESS(argument) ((argument).__sockaddr__)

const char interpose_is_here = 1;

/* ---- making ------------------------------------------------------------------------------ */

/* kernel-control.md §4.1, kernel-event.md §3.1 */
static int
system_socket_make(int type_and_flags, int protocol)
{
	int type = type_and_flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
	int flags = type_and_flags & (SOCK_CLOEXEC | SOCK_NONBLOCK);
	bool is_control = type == SOCK_DGRAM || type == SOCK_STREAM;

	if (protocol == 0 && is_control)
		protocol = SYSPROTO_CONTROL;
	else if (protocol == 0 && type == SOCK_RAW)
		protocol = SYSPROTO_EVENT;
	if (protocol == SYSPROTO_CONTROL && is_control)
		return control_socket(type == SOCK_DGRAM ? SYSTEM_DGRAM : SYSTEM_STREAM, flags);
	if (protocol == SYSPROTO_EVENT && type == SOCK_RAW)
		return event_socket(flags);
	return protocol == SYSPROTO_CONTROL || protocol == SYSPROTO_EVENT ? -EPROTOTYPE
									  : -EPROTONOSUPPORT;
}

/* A number that Linux has just given out: what we know of it is stale. */
static int
fresh(int fd)
{
	if (fd >= 0 && system_entry(fd) != NULL)
		system_closed(system_remove(fd));
	return fd;
}

BERTH_EXPORT int
socket(int domain, int type, int protocol)
{
	if (domain == PF_SYSTEM)
		return system_result(system_socket_make(type, protocol));
	return fresh(NEXT(socket)(domain, type, protocol));
}

BERTH_EXPORT int
socketpair(int domain, int type, int protocol, int fds[2])
{
	if (domain == PF_SYSTEM)
		return system_result(-EOPNOTSUPP);
	int result = NEXT(socketpair)(domain, type, protocol, fds);
	if (result == 0) {
		fresh(fds[0]);
		fresh(fds[1]);
	}
	return result;
}

BERTH_EXPORT int
accept4(int fd, __SOCKADDR_ARG address, socklen_t *restrict size, int flags)
{
	struct system_hold hold;

	if (system_take_sure(&hold, fd))
		return system_leave(&hold,
				    hold.socket->kind == SYSTEM_EVENT ? -EOPNOTSUPP : -EINVAL);
	return fresh(NEXT(accept4)(fd, ADDRESS(address), size, flags));
}

BERTH_EXPORT int
accept(int fd, __SOCKADDR_ARG address, socklen_t *restrict size)
{
	struct system_hold hold;

	if (system_take_sure(&hold, fd))
		return system_leave(&hold,
				    hold.socket->kind == SYSTEM_EVENT ? -EOPNOTSUPP : -EINVAL);
	return fresh(NEXT(accept)(fd, ADDRESS(address), size));
}

/* ---- names and states -------------------------------------------------------------------- */

/* @control on a control socket, @error on an event socket, else the C library's. */
#define ON_SYSTEM_SOCKET(fd, on_control, on_event)                                                 \
	do {                                                                                       \
		struct system_hold hold;                                                           \
		if (system_take_sure(&hold, fd))                                                   \
			return system_leave(                                                       \
			    &hold, hold.socket->kind == SYSTEM_EVENT ? (on_event) : (on_control)); \
	} while (0)

BERTH_EXPORT int
bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
	ON_SYSTEM_SOCKET(fd, control_bind(&hold, ADDRESS(address), size), -EOPNOTSUPP);
	return NEXT(bind)(fd, ADDRESS(address), size);
}

BERTH_EXPORT int
connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
	ON_SYSTEM_SOCKET(fd, control_connect(&hold, ADDRESS(address), size), -EOPNOTSUPP);
	return NEXT(connect)(fd, ADDRESS(address), size);
}

BERTH_EXPORT int
listen(int fd, int count)
{
	ON_SYSTEM_SOCKET(fd, control_listen(&hold), -EOPNOTSUPP);
	return NEXT(listen)(fd, count);
}

BERTH_EXPORT int
getsockname(int fd, __SOCKADDR_ARG address, socklen_t *restrict size)
{
	ON_SYSTEM_SOCKET(fd, -EOPNOTSUPP, -EOPNOTSUPP);
	return NEXT(getsockname)(fd, ADDRESS(address), size);
}

BERTH_EXPORT int
getpeername(int fd, __SOCKADDR_ARG address, socklen_t *restrict size)
{
	ON_SYSTEM_SOCKET(fd, control_getpeername(&hold, ADDRESS(address), size), -ENOTCONN);
	return NEXT(getpeername)(fd, ADDRESS(address), size);
}

BERTH_EXPORT int
getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict size)
{
	ON_SYSTEM_SOCKET(fd, control_getsockopt(&hold, level, option, value, size),
			 event_getsockopt(&hold, level, option, value, size));
	return NEXT(getsockopt)(fd, level, option, value, size);
}

BERTH_EXPORT int
setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	ON_SYSTEM_SOCKET(fd, control_setsockopt(&hold, level, option, value, size),
			 event_setsockopt(&hold, level, option, value, size));
	return NEXT(setsockopt)(fd, level, option, value, size);
}

BERTH_EXPORT int
shutdown(int fd, int how)
{
	ON_SYSTEM_SOCKET(fd, control_shutdown(&hold, how),
			 how == SHUT_RD || how == SHUT_WR || how == SHUT_RDWR ? -ENOTCONN
									      : -EINVAL);
	return NEXT(shutdown)(fd, how);
}

BERTH_EXPORT int
ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;

	va_start(arguments, request);
	void *argument = va_arg(arguments, void *);
	va_end(arguments);
	ON_SYSTEM_SOCKET(fd, control_ioctl(&hold, request, argument),
			 event_ioctl(&hold, request, argument));
	return NEXT(ioctl)(fd, request, argument);
}

/* ---- sharing and closing ----------------------------------------------------------------- */

BERTH_EXPORT int
close(int fd)
{
	if (__builtin_expect(system_entry(fd) == NULL, 1))
		return NEXT(close)(fd);
	struct system_socket *socket = system_remove(fd);
	int result = NEXT(close)(fd);
	int error = errno;
	system_closed(socket);
	errno = error;
	return result;
}

/* @fd is made of the descriptor in @hold.  @fd, or -1 and it is closed. */
static int
dup_finish(struct system_hold *hold, int fd)
{
	int error = fd < 0 ? -errno : system_add_dup(fd, hold->socket);

	if (error == 0)
		return system_leave(hold, fd);
	if (fd >= 0)
		NEXT(close)(fd);
	return system_leave(hold, error == -ENOBUFS ? -EMFILE : error);
}

BERTH_EXPORT int
dup(int fd)
{
	struct system_hold hold;

	if (system_take_sure(&hold, fd))
		return dup_finish(&hold, NEXT(dup)(fd));
	return fresh(NEXT(dup)(fd));
}

/* dup2 and dup3, where either is a system socket. */
static int
dup_to(int from, int to, int flags, bool is_dup3)
{
	struct system_hold hold;
	bool is_held = system_take_sure(&hold, from);
	/* out of the table first: from the moment of the dup its number means another */
	struct system_socket *before = from != to ? system_remove(to) : NULL;
	int fd = is_dup3 ? NEXT(dup3)(from, to, flags) : NEXT(dup2)(from, to);
	int error = errno;

	if (fd < 0)
		system_put_back(to, before);
	else
		system_closed(before);
	errno = error;
	if (is_held && fd >= 0 && from != to)
		return dup_finish(&hold, fd);
	return is_held ? system_leave(&hold, fd < 0 ? -error : fd) : fd;
}

BERTH_EXPORT int
dup2(int from, int to)
{
	if (__builtin_expect(system_entry(from) != NULL || system_entry(to) != NULL, 0))
		return dup_to(from, to, 0, false);
	return NEXT(dup2)(from, to);
}

BERTH_EXPORT int
dup3(int from, int to, int flags)
{
	if (__builtin_expect(system_entry(from) != NULL || system_entry(to) != NULL, 0))
		return dup_to(from, to, flags, true);
	return NEXT(dup3)(from, to, flags);
}

/* F_DUPFD, F_DUPFD_CLOEXEC on a system socket?  Then *@result is what fcntl() gives. */
static bool
fcntl_dups(int fd, int command, void *argument, int *result)
{
	struct system_hold hold;

	if ((command != F_DUPFD && command != F_DUPFD_CLOEXEC) || !system_take_sure(&hold, fd))
		return false;
	*result = dup_finish(&hold, NEXT(fcntl)(fd, command, argument));
	return true;
}

#define FCNTL(name)                                                                                \
	BERTH_EXPORT int name(int fd, int command, ...)                                            \
	{                                                                                          \
		va_list arguments;                                                                 \
		int result;                                                                        \
                                                                                                   \
		va_start(arguments, command);                                                      \
		void *argument = va_arg(arguments, void *);                                        \
		va_end(arguments);                                                                 \
		if (__builtin_expect(system_entry(fd) != NULL, 0) &&                               \
		    fcntl_dups(fd, command, argument, &result))                                    \
			return result;                                                             \
		return NEXT(name)(fd, command, argument);                                          \
	}

FCNTL(fcntl)
FCNTL(fcntl64)

/* Close the system sockets among these one by one. */
static void
close_ours(unsigned int first, unsigned int last)
{
	if (last >= SYSTEM_FD_MAX)
		last = SYSTEM_FD_MAX - 1;
	for (unsigned int fd = first; fd <= last; fd++) {
		if (atomic_load(&system_table[fd >> SYSTEM_PAGE_BITS]) == NULL)
			fd |= SYSTEM_PAGE_FDS - 1; /* a page without any */
		else if (system_entry((int)fd) != NULL)
			close((int)fd);
	}
}

BERTH_EXPORT int
close_range(unsigned int first, unsigned int last, int flags)
{
	if (flags == 0 && first <= last)
		close_ours(first, last);
	return NEXT(close_range)(first, last, flags);
}

BERTH_EXPORT void
closefrom(int first)
{
	close_ours(first < 0 ? 0u : (unsigned int)first, UINT_MAX);
	NEXT(closefrom)(first);
}
