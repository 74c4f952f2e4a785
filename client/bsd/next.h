/*
 * The C library's own functions: what stands behind those of interpose.c.
 *
 * Each is looked for once, by name, behind this library in the program; where there is nothing
 * behind us, in a program that is linked without shared libraries, it is the bare system call.
 * Everything in this folder that means the C library's function says NEXT(function).
 */
#ifndef BERTH_CLIENT_BSD_NEXT_H
#define BERTH_CLIENT_BSD_NEXT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

/* name, result, parameters */
#define NEXT_FUNCTIONS(X)                                                                          \
	X(socket, int, (int, int, int))                                                            \
	X(socketpair, int, (int, int, int, int *))                                                 \
	X(bind, int, (int, const struct sockaddr *, socklen_t))                                    \
	X(connect, int, (int, const struct sockaddr *, socklen_t))                                 \
	X(listen, int, (int, int))                                                                 \
	X(accept, int, (int, struct sockaddr *, socklen_t *))                                      \
	X(accept4, int, (int, struct sockaddr *, socklen_t *, int))                                \
	X(getsockname, int, (int, struct sockaddr *, socklen_t *))                                 \
	X(getpeername, int, (int, struct sockaddr *, socklen_t *))                                 \
	X(getsockopt, int, (int, int, int, void *, socklen_t *))                                   \
	X(setsockopt, int, (int, int, int, const void *, socklen_t))                               \
	X(shutdown, int, (int, int))                                                               \
	X(ioctl, int, (int, unsigned long, ...))                                                   \
	X(send, ssize_t, (int, const void *, size_t, int))                                         \
	X(sendto, ssize_t, (int, const void *, size_t, int, const struct sockaddr *, socklen_t))   \
	X(sendmsg, ssize_t, (int, const struct msghdr *, int))                                     \
	X(sendmmsg, int, (int, struct mmsghdr *, unsigned int, int))                               \
	X(write, ssize_t, (int, const void *, size_t))                                             \
	X(writev, ssize_t, (int, const struct iovec *, int))                                       \
	X(recv, ssize_t, (int, void *, size_t, int))                                               \
	X(recvfrom, ssize_t, (int, void *, size_t, int, struct sockaddr *, socklen_t *))           \
	X(recvmsg, ssize_t, (int, struct msghdr *, int))                                           \
	X(recvmmsg, int, (int, struct mmsghdr *, unsigned int, int, struct timespec *))            \
	X(read, ssize_t, (int, void *, size_t))                                                    \
	X(readv, ssize_t, (int, const struct iovec *, int))                                        \
	X(close, int, (int))                                                                       \
	X(dup, int, (int))                                                                         \
	X(dup2, int, (int, int))                                                                   \
	X(dup3, int, (int, int, int))                                                              \
	X(fcntl, int, (int, int, ...))                                                             \
	X(fcntl64, int, (int, int, ...))                                                           \
	X(close_range, int, (unsigned int, unsigned int, int))                                     \
	X(closefrom, void, (int))                                                                  \
	X(__read_chk, ssize_t, (int, void *, size_t, size_t))                                      \
	X(__recv_chk, ssize_t, (int, void *, size_t, size_t, int))                                 \
	X(__recvfrom_chk, ssize_t,                                                                 \
	  (int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *))

#define NEXT_TYPE(name, result, parameters) typedef result next_##name parameters;
NEXT_FUNCTIONS(NEXT_TYPE)
#undef NEXT_TYPE

enum next_index {
#define NEXT_INDEX(name, result, parameters) NEXT_##name,
	NEXT_FUNCTIONS(NEXT_INDEX)
#undef NEXT_INDEX
	    NEXT_COUNT
};

typedef void next_any(void);
extern _Atomic(next_any *) next_functions[NEXT_COUNT];

/* Find them all; what every first use does. */
void next_find(void);

/* Does nothing in the end but what a plain load does. */
static inline next_any *
next_get(enum next_index index)
{
	next_any *function = atomic_load_explicit(&next_functions[index], memory_order_acquire);

	if (__builtin_expect(function == NULL, 0)) {
		next_find();
		function = atomic_load_explicit(&next_functions[index], memory_order_acquire);
	}
	return function;
}

#define NEXT(name) ((next_##name *)next_get(NEXT_##name))

#endif
