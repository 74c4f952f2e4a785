/*
 * The functions that move data and stand before the C library's: the families of send() and
 * recv().
 *
 * Reading from what may be a system socket goes ahead and looks closer at what comes; sending
 * looks first.
 */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE

#include "client/bsd/interpose.h"

#include "client/bsd/control.h"
#include "wire/wait.h"

#include <limits.h>
#include <pthread.h>
#include <sys/single_threaded.h>
#include <unistd.h>

const char interpose_io_is_here = 1;

/* ---- sending ----------------------------------------------------------------------------- */

/* False: not a system socket.  Else *@result is what send() gives. */
static bool
sends(int fd, const struct iovec *parts, size_t part_count, int flags, ssize_t *result)
{
	struct system_hold hold;

	if (__builtin_expect(system_entry(fd) == NULL, 1) || !system_take_sure(&hold, fd))
		return false;
	*result = hold.socket->kind == SYSTEM_EVENT ? -EOPNOTSUPP
						    : control_send(&hold, parts, part_count, flags);
	system_let_go(&hold);
	if (*result < 0) {
		errno = (int)-*result;
		*result = -1;
	}
	return true;
}

static bool
sends_bytes(int fd, const void *bytes, size_t size, int flags, ssize_t *result)
{
	struct iovec part = { .iov_base = (void *)bytes, .iov_len = size };

	return sends(fd, &part, 1, flags, result);
}

BERTH_EXPORT ssize_t
send(int fd, const void *bytes, size_t size, int flags)
{
	ssize_t result;

	if (sends_bytes(fd, bytes, size, flags, &result))
		return result;
	return NEXT(send)(fd, bytes, size, flags);
}

BERTH_EXPORT ssize_t
sendto(int fd, const void *bytes, size_t size, int flags, __CONST_SOCKADDR_ARG address,
       socklen_t address_size)
{
	ssize_t result;

	/* a control socket takes an address, and ignores it */
	if (sends_bytes(fd, bytes, size, flags, &result))
		return result;
	return NEXT(sendto)(fd, bytes, size, flags, address.__sockaddr__, address_size);
}

BERTH_EXPORT ssize_t
write(int fd, const void *bytes, size_t size)
{
	ssize_t result;

	if (sends_bytes(fd, bytes, size, 0, &result))
		return result;
	return NEXT(write)(fd, bytes, size);
}

/* Would a vector of so many parts be refused? */
static bool
is_bad_count(size_t part_count)
{
	return part_count > IOV_MAX;
}

BERTH_EXPORT ssize_t
writev(int fd, const struct iovec *parts, int part_count)
{
	ssize_t result;

	/* the C library refuses bad counts on any descriptor */
	if (part_count >= 0 && !is_bad_count((size_t)part_count) &&
	    sends(fd, parts, (size_t)part_count, 0, &result))
		return result;
	return NEXT(writev)(fd, parts, part_count);
}

static bool
sends_message(int fd, const struct msghdr *message, int flags, ssize_t *result)
{
	if (__builtin_expect(system_entry(fd) == NULL, 1))
		return false;
	if (message->msg_iovlen > 0 && !is_bad_count(message->msg_iovlen))
		return sends(fd, message->msg_iov, message->msg_iovlen, flags, result);

	struct system_hold hold;
	if (!system_take_sure(&hold, fd))
		return false;
	*result = system_leave(&hold, hold.socket->kind == SYSTEM_EVENT ? -EOPNOTSUPP : -EMSGSIZE);
	return true;
}

BERTH_EXPORT ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t result;

	if (sends_message(fd, message, flags, &result))
		return result;
	return NEXT(sendmsg)(fd, message, flags);
}

BERTH_EXPORT int
sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
	unsigned int sent = 0;
	ssize_t size;

	if (__builtin_expect(system_entry(fd) == NULL, 1))
		return NEXT(sendmmsg)(fd, messages, count, flags);
	for (; sent < count && sent < IOV_MAX; sent++) {
		if (!sends_message(fd, &messages[sent].msg_hdr, flags, &size))
			return sent > 0 ? (int)sent : NEXT(sendmmsg)(fd, messages, count, flags);
		if (size < 0)
			break;
		messages[sent].msg_len = (unsigned int)size;
	}
	return sent > 0 || count == 0 ? (int)sent : -1;
}

/* ---- receiving --------------------------------------------------------------------------- */

/*
 * False: not a control socket, or not any more; nothing was done.  Else *@result is what recv()
 * gives, and @message as recvmsg() leaves it.
 *
 * The address sanitizer does not look at this one function: of a thread that is cancelled in a
 * function below, it would take that one's stack for still in use.
 */
__attribute__((no_sanitize("address"))) static bool
receives_by(ssize_t (*receive)(const struct system_hold *, struct msghdr *, int), int fd,
	    struct msghdr *message, int flags, ssize_t *result)
{
	struct system_hold hold;
	ssize_t received;

	if (!system_take(&hold, fd))
		return false;
	/* an event is a message of a Unix socket, and needs nothing done to it */
	if (hold.socket->kind == SYSTEM_EVENT) {
		system_let_go(&hold);
		return false;
	}
	if (__libc_single_threaded) { /* nobody else cancels us */
		received = receive(&hold, message, flags);
		system_let_go(&hold);
	} else {
		pthread_cleanup_push(system_let_go, &hold);
		received = receive(&hold, message, flags);
		pthread_cleanup_pop(1);
	}
	if (received == CONTROL_STALE)
		return false;
	if (received < 0) {
		errno = (int)-received;
		received = -1;
	}
	*result = received;
	return true;
}

static bool
receives(int fd, struct msghdr *message, int flags, ssize_t *result)
{
	return receives_by(control_receive, fd, message, flags, result);
}

#define NOT_PLAIN (-4097)

/* The commonest read, in the fewest steps: control_receive_bytes() where nobody else can cancel us.
 * As recv(); NOT_PLAIN: nothing was done, and the long way is the one. */
static ssize_t
receive_plainly(int fd, void *bytes, size_t size, int flags)
{
	struct system_hold hold;
	ssize_t received = NOT_PLAIN;

	if (!__libc_single_threaded || !system_take(&hold, fd))
		return NOT_PLAIN;
	const _Atomic uint8_t *mark =
	    atomic_load_explicit(&hold.socket->mark, memory_order_acquire);
	if (control_is_plain(hold.socket, mark, size, flags)) {
		received = NEXT(recv)(fd, bytes, size, flags);
		if (__builtin_expect(received >= 0, 1))
			received = control_read_plainly(&hold, mark, bytes, size, received);
		else if (errno != EAGAIN && errno != EINTR)
			received = NOT_PLAIN;
	}
	system_let_go(&hold);
	return received;
}

static bool
receives_long(int fd, void *bytes, size_t size, int flags, ssize_t *result)
{
	struct iovec part = { .iov_base = bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	return receives_by(control_receive_bytes, fd, &message, flags, result);
}

static inline bool
receives_bytes(int fd, void *bytes, size_t size, int flags, ssize_t *result)
{
	*result = receive_plainly(fd, bytes, size, flags);
	return *result != NOT_PLAIN || receives_long(fd, bytes, size, flags, result);
}

static bool
receives_from(int fd, void *bytes, size_t size, int flags, struct sockaddr *address,
	      socklen_t *address_size, ssize_t *result)
{
	struct iovec part = { .iov_base = bytes, .iov_len = size };
	struct msghdr message = { .msg_name = address,
				  .msg_namelen = address != NULL ? *address_size : 0,
				  .msg_iov = &part,
				  .msg_iovlen = 1 };

	if (!receives(fd, &message, flags, result))
		return false;
	if (*result >= 0 && address != NULL)
		*address_size = message.msg_namelen;
	return true;
}

#define IS_OURS(fd) __builtin_expect(system_entry(fd) != NULL, 0)

BERTH_EXPORT ssize_t
recv(int fd, void *bytes, size_t size, int flags)
{
	ssize_t result;

	if (IS_OURS(fd) && receives_bytes(fd, bytes, size, flags, &result))
		return result;
	return NEXT(recv)(fd, bytes, size, flags);
}

BERTH_EXPORT ssize_t
recvfrom(int fd, void *restrict bytes, size_t size, int flags, __SOCKADDR_ARG address,
	 socklen_t *restrict address_size)
{
	ssize_t result;

	if (IS_OURS(fd) &&
	    receives_from(fd, bytes, size, flags, address.__sockaddr__, address_size, &result))
		return result;
	return NEXT(recvfrom)(fd, bytes, size, flags, address.__sockaddr__, address_size);
}

BERTH_EXPORT ssize_t
read(int fd, void *bytes, size_t size)
{
	ssize_t result;

	if (IS_OURS(fd) && receives_bytes(fd, bytes, size, 0, &result))
		return result;
	return NEXT(read)(fd, bytes, size);
}

BERTH_EXPORT ssize_t
readv(int fd, const struct iovec *parts, int part_count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)parts,
				  .msg_iovlen = (size_t)part_count };
	ssize_t result;

	if (IS_OURS(fd) && part_count >= 0 && !is_bad_count((size_t)part_count) &&
	    receives(fd, &message, 0, &result))
		return result;
	return NEXT(readv)(fd, parts, part_count);
}

static bool
receives_message(int fd, struct msghdr *message, int flags, ssize_t *result)
{
	struct msghdr copy = *message;

	if (is_bad_count(message->msg_iovlen) || !receives(fd, &copy, flags, result))
		return false;
	if (*result >= 0) {
		message->msg_namelen = copy.msg_namelen;
		message->msg_controllen = copy.msg_controllen;
		message->msg_flags = copy.msg_flags;
	}
	return true;
}

BERTH_EXPORT ssize_t
recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t result;

	if (IS_OURS(fd) && receives_message(fd, message, flags, &result))
		return result;
	result = NEXT(recvmsg)(fd, message, flags);
	if (result >= 0 && message->msg_controllen > 0)
		system_recognise_passed(message);
	return result;
}

/* recvmmsg() on a control socket; -1 and *@is_ours false where it is none. */
static int
receive_many(int fd, struct mmsghdr *messages, unsigned int count, int flags,
	     const struct timespec *limit, bool *is_ours)
{
	uint64_t end_ns = UINT64_MAX;
	unsigned int received = 0;
	ssize_t size = 0;

	if (limit != NULL)
		end_ns = wait_now_ns() + (uint64_t)limit->tv_sec * 1000000000u +
			 (uint64_t)limit->tv_nsec;
	for (; received < count && received < IOV_MAX; received++) {
		int more = received > 0 && (flags & MSG_WAITFORONE) != 0 ? MSG_DONTWAIT : 0;

		*is_ours = receives_message(fd, &messages[received].msg_hdr,
					    (flags & ~MSG_WAITFORONE) | more, &size);
		if (!*is_ours || size < 0)
			break;
		messages[received].msg_len = (unsigned int)size;
		/* as Linux does it: the limit is looked at after each message */
		if (wait_now_ns() >= end_ns) {
			received++;
			break;
		}
	}
	if (received > 0)
		*is_ours = true;
	return received > 0 || count == 0 ? (int)received : -1;
}

BERTH_EXPORT int
recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *limit)
{
	if (IS_OURS(fd)) {
		bool is_ours = true;
		int result = receive_many(fd, messages, count, flags, limit, &is_ours);

		if (is_ours)
			return result;
	}
	int result = NEXT(recvmmsg)(fd, messages, count, flags, limit);
	for (int i = 0; i < result; i++)
		if (messages[i].msg_hdr.msg_controllen > 0)
			system_recognise_passed(&messages[i].msg_hdr);
	return result;
}

/* ---- what the compiler calls where it knows the buffer's size ---------------------------- */

ssize_t __read_chk(int fd, void *bytes, size_t size, size_t room);
ssize_t __recv_chk(int fd, void *bytes, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *restrict bytes, size_t size, size_t room, int flags,
		       __SOCKADDR_ARG address, socklen_t *restrict address_size);

/* A buffer that is too small is the C library's to report. */

BERTH_EXPORT ssize_t
__read_chk(int fd, void *bytes, size_t size, size_t room)
{
	ssize_t result;

	if (IS_OURS(fd) && size <= room && receives_bytes(fd, bytes, size, 0, &result))
		return result;
	return NEXT(__read_chk)(fd, bytes, size, room);
}

BERTH_EXPORT ssize_t
__recv_chk(int fd, void *bytes, size_t size, size_t room, int flags)
{
	ssize_t result;

	if (IS_OURS(fd) && size <= room && receives_bytes(fd, bytes, size, flags, &result))
		return result;
	return NEXT(__recv_chk)(fd, bytes, size, room, flags);
}

BERTH_EXPORT ssize_t
__recvfrom_chk(int fd, void *restrict bytes, size_t size, size_t room, int flags,
	       __SOCKADDR_ARG address, socklen_t *restrict address_size)
{
	ssize_t result;

	if (IS_OURS(fd) && size <= room &&
	    receives_from(fd, bytes, size, flags, address.__sockaddr__, address_size, &result))
		return result;
	return NEXT(__recvfrom_chk)(fd, bytes, size, room, flags, address.__sockaddr__,
				    address_size);
}
