/*
 * Sending on control sockets: each send is a call of the kext's callback.
 *
 * Source: kernel-control.md §7.1.
 */
#include "client/bsd/control.h"

#include "client/bsd/next.h"
#include "client/memory.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/kern_control.h>

/* A send to what does not listen: kill who does not want to know. */
static int
broken_pipe(const struct system_hold *hold, int flags)
{
	if ((flags & MSG_NOSIGNAL) == 0 &&
	    (atomic_load(&hold->socket->flags) & SYSTEM_NOSIGPIPE) == 0)
		pthread_kill(pthread_self(), SIGPIPE);
	return -EPIPE;
}

/* Bytes of all parts; SIZE_MAX: too many for any call. */
static size_t
size_of_parts(const struct iovec *parts, size_t part_count)
{
	size_t size = 0;

	for (size_t i = 0; i < part_count; i++) {
		if (parts[i].iov_len > (size_t)INT_MAX - size)
			return SIZE_MAX;
		size += parts[i].iov_len;
	}
	return size;
}

/* What is too much for a slot is copied by Linux, which says if it is not there. */
static bool
are_readable(const struct iovec *parts, size_t part_count, size_t size)
{
	for (size_t i = 0; size <= LANE_DATA_SIZE && i < part_count; i++)
		if (!memory_is_readable(parts[i].iov_base, parts[i].iov_len))
			return false;
	return true;
}

/* The parts of a stream that go with one call, from byte @skip on: at most @max bytes of one
 * part.  How many bytes. */
static size_t
stretch_of(const struct iovec *parts, size_t part_count, size_t skip, size_t max,
	   struct iovec *stretch)
{
	for (size_t i = 0; i < part_count; i++) {
		if (skip >= parts[i].iov_len) {
			skip -= parts[i].iov_len;
			continue;
		}
		stretch->iov_base = (uint8_t *)parts[i].iov_base + skip;
		stretch->iov_len = parts[i].iov_len - skip < max ? parts[i].iov_len - skip : max;
		return stretch->iov_len;
	}
	return 0;
}

/* One call with up to LANE_DATA_MAX bytes.  0 or an errno, and the bytes that the kext took. */
static int
send_once(const struct system_hold *hold, const struct iovec *parts, size_t part_count, size_t size,
	  int flags, size_t *taken)
{
	struct lane_call call;
	bool is_gone;
	int error = control_call_begin(hold, LANE_SEND, &call);

	*taken = 0;
	if (error != 0)
		return error;
	call.request.args[1] = (uint64_t)(flags & (MSG_EOR | MSG_OOB));
	error = lane_call_data(&call, parts, part_count, size);
	if (error == 0)
		error = control_call_run(hold, &call, &is_gone);
	if (error == 0)
		*taken = call.reply.values[0] < size ? (size_t)call.reply.values[0] : size;
	lane_call_end(&call);
	return error;
}

static ssize_t
stream_send(const struct system_hold *hold, const struct iovec *parts, size_t part_count,
	    size_t size, int flags, int *error)
{
	size_t sent = 0, taken = 0;
	struct iovec stretch;

	*error = 0;
	/* the kexthost cuts it into pieces for the kext */
	if (size <= LANE_DATA_MAX && size > 0) {
		*error = send_once(hold, parts, part_count, size, flags, &taken);
		return (ssize_t)taken;
	}
	while (sent < size && *error == 0) {
		size_t piece = stretch_of(parts, part_count, sent, LANE_DATA_MAX, &stretch);

		*error = send_once(hold, &stretch, 1, piece, flags, &taken);
		sent += taken;
		if (taken < piece)
			break;
	}
	if (sent > 0 && (*error == EINTR || *error == EWOULDBLOCK))
		*error = 0;
	return (ssize_t)sent;
}

ssize_t
control_send(const struct system_hold *hold, const struct iovec *parts, size_t part_count,
	     int flags)
{
	struct system_socket *socket = hold->socket;
	bool is_stream = socket->kind == SYSTEM_STREAM;
	size_t size = size_of_parts(parts, part_count), taken;
	int error;

	if (!is_stream && (flags & MSG_OOB) != 0)
		return -EOPNOTSUPP;
	if (size == SIZE_MAX || (is_stream && (flags & MSG_EOR) != 0))
		return -EINVAL;
	enum system_state state = control_look(hold);
	if (state == SYSTEM_DEAD)
		return broken_pipe(hold, flags);
	if (state == SYSTEM_FOREIGN) { /* as a program without this library would */
		struct msghdr message = { .msg_iov = (struct iovec *)parts,
					  .msg_iovlen = part_count };
		ssize_t sent = NEXT(sendmsg)(hold->fd, &message, flags);
		return sent < 0 ? -errno : sent;
	}
	if (state != SYSTEM_CONNECTED)
		return -ENOTCONN;
	if (!is_stream && size > atomic_load(&socket->sendsize))
		control_refresh(hold); /* who shares it may have raised the limit */
	if (!is_stream && (size > atomic_load(&socket->sendsize) || size > LANE_DATA_MAX))
		return -EMSGSIZE;
	if ((atomic_load(&socket->flags) & SYSTEM_HAS_SEND) == 0)
		return -ENOTSUP;
	if (!are_readable(parts, part_count, size))
		return -EFAULT;
	ssize_t sent = (ssize_t)size;
	if (is_stream)
		sent = stream_send(hold, parts, part_count, size, flags, &error);
	else
		error = send_once(hold, parts, part_count, size, flags, &taken);
	if (error == EPIPE)
		return broken_pipe(hold, flags);
	return error != 0 ? -error : sent;
}
