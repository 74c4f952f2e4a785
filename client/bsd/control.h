/*
 * Control sockets: what a program does with them.  Source: kernel-control.md §4 to §7.
 *
 * The descriptor is a Unix socket (see the end of wire/lane.h), so waiting for it, reading from
 * it and sharing it need no help; what is a call to the kext goes over a lane to its kexthost.
 *
 * Functions give -errno (Linux's numbers) or what the call of that name gives.  Each is called
 * with the socket held, by who has made sure that it is one where it says so in interpose.c.
 */
#ifndef BERTH_CLIENT_BSD_CONTROL_H
#define BERTH_CLIENT_BSD_CONTROL_H

#include "client/bsd/lane.h"
#include "client/bsd/system_socket.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define SIZE_MAX_OF_SOCKET (8 << 20) /* what SO_RCVBUF and SO_SNDBUF are clamped to */

/* socket(PF_SYSTEM, ...): a descriptor of a control socket.  @type_flags: SOCK_CLOEXEC ... */
int control_socket(enum system_kind kind, int type_flags);

int control_bind(const struct system_hold *hold, const struct sockaddr *address, socklen_t size);
int control_connect(const struct system_hold *hold, const struct sockaddr *address, socklen_t size);
int control_listen(const struct system_hold *hold);
int control_getpeername(const struct system_hold *hold, struct sockaddr *address, socklen_t *size);
int control_shutdown(const struct system_hold *hold, int how);
int control_ioctl(const struct system_hold *hold, unsigned long request, void *argument);

int control_getsockopt(const struct system_hold *hold, int level, int option, void *value,
		       socklen_t *size);
int control_setsockopt(const struct system_hold *hold, int level, int option, const void *value,
		       socklen_t size);

/* send(), write() and all of their family.  @parts are the program's. */
ssize_t control_send(const struct system_hold *hold, const struct iovec *parts, size_t part_count,
		     int flags);

/* What control_receive() gives where the descriptor has become another's: nothing was done that
 * the C library's own function would not do again. */
#define CONTROL_STALE (-4096)

/*
 * recv(), read() and all of their family: into message->msg_iov.  On success msg_namelen,
 * msg_controllen and msg_flags are set.  Does not assume that the descriptor still is ours:
 * what comes from an ordinary one is given as the C library would, or CONTROL_STALE.
 */
ssize_t control_receive(const struct system_hold *hold, struct msghdr *message, int flags);
/* The same for one buffer, and without flags or a sender to be told. */
ssize_t control_receive_bytes(const struct system_hold *hold, struct msghdr *message, int flags);

/* May a message on this socket of SOCK_DGRAM be marked?  A process without a lane can't know. */
static inline bool
control_may_be_marked(const _Atomic uint8_t *mark)
{
	return mark == NULL || atomic_load_explicit(mark, memory_order_acquire) != 0;
}

/*
 * Is what recv(2) does all there is to do, for one who asks for @size bytes and no flags?  Then
 * what it gives goes through control_read_plainly().  An ordinary socket, which the descriptor may
 * be by now, is read just so, too.  @mark: the socket's, loaded before.
 */
static inline bool
control_is_plain(struct system_socket *socket, const _Atomic uint8_t *mark, size_t size, int flags)
{
	return atomic_load_explicit(&socket->state, memory_order_relaxed) == SYSTEM_CONNECTED &&
	       (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL)) == 0 && size != 0 &&
	       (atomic_load_explicit(&socket->flags, memory_order_relaxed) &
		(SYSTEM_DONTTRUNC | SYSTEM_WANTS_RCVD)) == 0 &&
	       atomic_load_explicit(&socket->read_bytes, memory_order_relaxed) == 0 &&
	       (socket->kind == SYSTEM_STREAM ||
		(socket->kind == SYSTEM_DGRAM && !control_may_be_marked(mark)));
}

/* The first mark came while we waited, perhaps with the very message of @received bytes that was
 * just read into @bytes: what the program gets. */
ssize_t control_read_marked(const struct system_hold *hold, void *bytes, size_t size,
			    ssize_t received);

/* What the program gets of @received bytes, that recv() gave. */
static inline ssize_t
control_read_plainly(const struct system_hold *hold, const _Atomic uint8_t *mark, void *bytes,
		     size_t size, ssize_t received)
{
	if (hold->socket->kind == SYSTEM_STREAM)
		return received;
	atomic_store_explicit(&hold->socket->peeked_end, 0, memory_order_relaxed);
	if (__builtin_expect(!control_may_be_marked(mark), 1))
		return received;
	return control_read_marked(hold, bytes, size, received);
}

/* Bytes of the first record that waits (SO_NREAD). */
int control_first_record(const struct system_hold *hold, int *bytes);

/* ---- what these share -------------------------------------------------------------------- */

/*
 * What the socket is now: asks Linux, and then its kexthost, unless it is known for good.
 * Never UNKNOWN; FOREIGN, too, where it cannot be found out.
 */
enum system_state control_look(const struct system_hold *hold);

static inline bool
control_is_attached(enum system_state state)
{
	return state == SYSTEM_BOUND || state == SYSTEM_CONNECTED;
}

/* Is the other end gone? */
bool control_is_hung_up(int fd);

/* Fetch what the kexthost knows of an attached socket, which another process may have changed. */
void control_refresh(const struct system_hold *hold);

/*
 * Begin a call about an attached socket: request.operation and args[0] are set, lane_call_end()
 * ends it.  0; EPIPE: the kext is gone; or an errno of lane_call_begin().
 */
int control_call_begin(const struct system_hold *hold, uint32_t operation, struct lane_call *call);

/* lane_call_run() for such a call.  The errno of the reply, 0: fine; EPIPE also where the kext
 * is gone, and *@is_gone. */
int control_call_run(const struct system_hold *hold, struct lane_call *call, bool *is_gone);

/* A call that takes up to three numbers behind the handle.  Gives what control_call_run() does,
 * and nothing is told apart. */
int control_call_numbers(const struct system_hold *hold, uint32_t operation, uint64_t first,
			 uint64_t second, uint64_t third, uint64_t values[LANE_VALUE_COUNT]);

/* The process's last descriptor of @socket is closed. */
void control_closed(struct system_socket *socket);

/* Make a Unix socket of @kind's name and enter it.  0 or -errno. */
int system_socket_name(int fd, enum system_kind kind);

/* An errno for the code of a trap that gives an errno: the codes of the library, too. */
int system_trap_errno(int code);

#endif
