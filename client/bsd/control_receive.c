/*
 * Receiving on control sockets: Darwin's records out of Unix messages.
 *
 * What a kext enqueues lies in the socket itself, a message each; wire/lane.h says how messages
 * and records belong together.  A message with a descriptor is *marked*: we leave no room for
 * descriptors, so that Linux says MSG_CTRUNC and installs none.
 *
 * Each message names its sender, a kexthost: what has another sender, or none and is not the
 * end, came from a descriptor that is not ours any more.
 *
 * Source: kernel-control.md §2.4, §7.2.
 */
#include "client/bsd/control.h"

#include "client/bsd/next.h"
#include "client/bsd/parts.h"
#include "client/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/un.h>

/* What one recvmsg() gave. */
struct piece {
	ssize_t size; /* of the whole message, or -errno */
	bool marked;
	bool is_cut; /* it is longer than the room for it */
	bool is_end; /* there is no message: the other end is gone, or reading is shut */
	int flags;   /* as Linux set them */
	/* who sent it: as long as Linux says, which may be more than fits */
	socklen_t sender_size;
	struct sockaddr_storage sender;
};

static bool
is_from_kexthost(const struct piece *piece)
{
	const struct sockaddr_un *sender = (const struct sockaddr_un *)&piece->sender;

	return piece->sender_size > offsetof(struct sockaddr_un, sun_path) &&
	       sender->sun_family == AF_UNIX &&
	       memmem(sender->sun_path, sizeof(sender->sun_path), KEXTHOST_SOCKET_NAME,
		      sizeof(KEXTHOST_SOCKET_NAME) - 1) != NULL;
}

static struct piece
piece_read(int fd, struct iovec *parts, size_t part_count, int flags)
{
	struct piece piece = { 0 };
	struct msghdr message = { .msg_name = &piece.sender,
				  .msg_namelen = sizeof(piece.sender),
				  .msg_iov = parts,
				  .msg_iovlen = part_count };

	piece.size = NEXT(recvmsg)(fd, &message, flags);
	if (piece.size < 0) {
		piece.size = -errno;
		return piece;
	}
	piece.sender_size = message.msg_namelen;
	piece.flags = message.msg_flags;
	piece.marked = (message.msg_flags & MSG_CTRUNC) != 0;
	piece.is_cut = (message.msg_flags & MSG_TRUNC) != 0;
	piece.is_end = piece.size == 0 && message.msg_namelen == 0;
	return piece;
}

/* Bytes of all messages that wait. */
static uint32_t
bytes_queued(int fd)
{
	int queued = 0;

	return NEXT(ioctl)(fd, FIONREAD, &queued) == 0 && queued > 0 ? (uint32_t)queued : 0;
}

static bool
peek_from(int fd, int offset)
{
	return NEXT(setsockopt)(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)) == 0;
}

/* ---- the kext's rcvd callback ------------------------------------------------------------ */

static void
tell_received(const struct system_hold *hold, int flags)
{
	int saved_errno = errno;

	control_call_numbers(hold, LANE_RCVD, (uint64_t)(unsigned int)(flags & ~MSG_PEEK), 0, 0,
			     NULL);
	errno = saved_errno;
}

static bool
wants_rcvd(const struct system_socket *socket)
{
	return (atomic_load_explicit(&socket->flags, memory_order_relaxed) & SYSTEM_WANTS_RCVD) !=
	       0;
}

/* A read that will find less than @size bytes and then wait is told to the kext before. */
static void
tell_before_wait(const struct system_hold *hold, size_t size, int flags)
{
	struct pollfd readable = { .fd = hold->fd, .events = POLLIN };

	if (!wants_rcvd(hold->socket) || (flags & MSG_DONTWAIT) != 0)
		return;
	if ((flags & MSG_WAITALL) != 0 && hold->socket->kind == SYSTEM_STREAM) {
		if (bytes_queued(hold->fd) >= size)
			return;
	} else if (poll(&readable, 1, 0) != 0) {
		return;
	}
	int status = NEXT(fcntl)(hold->fd, F_GETFL);
	if (status >= 0 && (status & O_NONBLOCK) == 0 && !system_is_stale(hold))
		tell_received(hold, flags);
}

/* ---- one record of SOCK_DGRAM ------------------------------------------------------------ */

/* A record as it is put together. */
struct record {
	size_t size;  /* of all of it */
	bool is_cut;  /* some did not fit */
	bool is_kept; /* and stays where it is */
	bool goes_on; /* its last message was marked */
	bool is_end;  /* there is no record, but the end */
	struct parts room;
};

static void
record_add(struct record *record, const struct piece *piece)
{
	size_t size = (size_t)piece->size;

	record->size += size;
	record->is_cut = record->is_cut || piece->is_cut;
	record->goes_on = piece->marked;
	parts_skip(&record->room, size);
}

/*
 * Read on, while messages are marked, up to what was there when the first was read.  What ends
 * a record may have no bytes at all; that is all that shows of it.
 */
static void
record_read_on(int fd, struct record *record)
{
	uint32_t left = bytes_queued(fd);

	while (record->goes_on) {
		struct piece piece;

		if (left == 0) {
			piece = piece_read(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC | MSG_PEEK);
			if (piece.size != 0 || piece.is_end)
				return;
		}
		piece = piece_read(fd, record->room.parts, record->room.part_count,
				   MSG_DONTWAIT | MSG_TRUNC);
		if (piece.size < 0 || piece.is_end)
			return; /* another reader has it */
		record_add(record, &piece);
		left -= (uint32_t)piece.size < left ? (uint32_t)piece.size : left;
	}
}

/* The same without taking anything, from byte @offset of the first message: Linux remembers for us
 * how far we have looked. */
static void
record_peek(const struct system_hold *hold, uint32_t offset, struct record *record)
{
	int fd = hold->fd;
	sigset_t all, signals;

	sigfillset(&all);
	signals_set(SIG_SETMASK, &all, &signals);
	pthread_mutex_lock(&hold->socket->read_lock);
	uint32_t left = bytes_queued(fd);
	left -= offset < left ? offset : left;
	uint32_t known_end = atomic_load(&hold->socket->peeked_end);
	record->goes_on = peek_from(fd, (int)offset);
	while (record->goes_on) {
		if (known_end != 0 && offset + record->size == known_end) {
			record->goes_on = false;
			break;
		}
		struct piece piece = piece_read(fd, record->room.parts, record->room.part_count,
						MSG_DONTWAIT | MSG_TRUNC | MSG_PEEK);
		if (piece.size < 0 || piece.is_end || (left == 0 && piece.size > 0))
			break;
		if (piece.size == 0)
			atomic_store(&hold->socket->peeked_end, offset + (uint32_t)record->size);
		record_add(record, &piece);
		if (piece.is_cut)
			break; /* Linux would go on in the middle of it */
		left -= (uint32_t)piece.size < left ? (uint32_t)piece.size : left;
	}
	peek_from(fd, -1);
	pthread_mutex_unlock(&hold->socket->read_lock);
	signals_set(SIG_SETMASK, &signals, NULL);
}

/* ---- SO_DONTTRUNC: what does not fit stays ----------------------------------------------- */

/*
 * One message, of which read_bytes are read already: as much as there is room for.  What does
 * not fit stays in the socket, so that poll() and others see it.  Under read_lock.
 * False: another reader has it, or there is none.
 */
static bool
message_read_kept(int fd, struct system_socket *socket, uint32_t message_size, bool marked,
		  struct record *record)
{
	uint32_t offset = atomic_load(&socket->read_bytes);
	uint32_t rest = message_size > offset ? message_size - offset : 0;
	struct piece piece = { 0 };

	if (rest > record->room.size_bytes || offset > 0) {
		if (!peek_from(fd, (int)offset))
			return false;
		piece = piece_read(fd, record->room.parts, record->room.part_count,
				   MSG_DONTWAIT | MSG_TRUNC | MSG_PEEK);
		peek_from(fd, -1);
		if (piece.size < 0)
			return false;
	}
	if (rest > record->room.size_bytes) {
		atomic_store(&socket->read_bytes, offset + (uint32_t)record->room.size_bytes);
		record->size += record->room.size_bytes;
		parts_skip(&record->room, record->room.size_bytes);
		record->is_kept = true;
		record->goes_on = false;
		return true;
	}
	if (offset > 0)
		piece_read(fd, NULL, 0, MSG_DONTWAIT);
	else
		piece = piece_read(fd, record->room.parts, record->room.part_count, MSG_DONTWAIT);
	if (piece.size < 0)
		return false;
	atomic_store(&socket->read_bytes, 0);
	uint32_t known_end = atomic_load(&socket->peeked_end);
	atomic_store(&socket->peeked_end, known_end > message_size ? known_end - message_size : 0);
	record->size += rest;
	record->goes_on = marked;
	parts_skip(&record->room, rest);
	return true;
}

/* 0, a record and *@is_there; else -errno, that of the first look. */
static int
record_read_kept(const struct system_hold *hold, struct record *record)
{
	struct system_socket *socket = hold->socket;
	sigset_t all, signals;
	uint32_t left = 0;
	bool is_first = true;
	int error = 0;

	sigfillset(&all);
	signals_set(SIG_SETMASK, &all, &signals);
	pthread_mutex_lock(&socket->read_lock);
	do {
		struct piece piece =
		    piece_read(hold->fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC | MSG_PEEK);

		if (piece.size < 0 || piece.is_end) {
			error = is_first && piece.size < 0 ? (int)piece.size : 0;
			record->is_end = is_first && piece.is_end;
			break;
		}
		if (!is_first && left == 0 && piece.size > 0)
			break;
		if (is_first)
			left = bytes_queued(hold->fd);
		if (!message_read_kept(hold->fd, socket, (uint32_t)piece.size, piece.marked,
				       record)) {
			error = is_first ? -EAGAIN : 0;
			break;
		}
		left -= (uint32_t)piece.size < left ? (uint32_t)piece.size : left;
		is_first = false;
	} while (record->goes_on);
	pthread_mutex_unlock(&socket->read_lock);
	signals_set(SIG_SETMASK, &signals, NULL);
	return error;
}

/* Wait for a record, then read it as above. */
static int
record_await_kept(const struct system_hold *hold, int flags, struct record *record)
{
	for (;;) {
		int error = record_read_kept(hold, record);

		if (error != -EAGAIN || (flags & MSG_DONTWAIT) != 0 || record->room.size_bytes == 0)
			return error;
		tell_before_wait(hold, 0, flags);
		/* waits as the socket is set to wait, and copies nothing */
		struct piece piece = piece_read(hold->fd, NULL, 0, MSG_PEEK);
		if (piece.size < 0)
			return (int)piece.size;
	}
}

/* ---- what the program gets --------------------------------------------------------------- */

/* What comes from a descriptor that is not ours any more: as the C library gives it. */
static ssize_t
ordinary(struct msghdr *message, const struct piece *piece, int flags)
{
	size_t room = parts_size(message->msg_iov, message->msg_iovlen);

	if (message->msg_name != NULL) {
		socklen_t fits = piece->sender_size < message->msg_namelen ? piece->sender_size
									   : message->msg_namelen;
		memcpy(message->msg_name, &piece->sender, fits);
		message->msg_namelen = piece->sender_size;
	}
	message->msg_controllen = 0;
	message->msg_flags = piece->flags;
	if ((flags & MSG_TRUNC) != 0 || (size_t)piece->size <= room)
		return piece->size;
	return (ssize_t)room;
}

/* An empty queue, a dead socket or a descriptor of something else: what is it? */
static ssize_t
no_message(const struct system_hold *hold, int error, bool is_empty_read)
{
	if (error == -ENOTSOCK || error == -EBADF)
		return system_is_stale(hold) ? CONTROL_STALE : error;
	if (error == -EAGAIN)
		return is_empty_read ? 0 : error;
	/* not connected; or the kext has left what we wrote unread and gone */
	if (error == -ENOTCONN || error == -EINVAL || error == -ECONNRESET) {
		enum system_state state;

		if (system_is_stale(hold))
			return CONTROL_STALE;
		state = control_look(hold);
		if (state == SYSTEM_DEAD || state == SYSTEM_CONNECTED)
			return 0;
		return error == -ECONNRESET ? 0 : -ENOTCONN;
	}
	return error;
}

static void
message_finish(struct msghdr *message, int flags)
{
	message->msg_namelen = 0;
	message->msg_controllen = 0;
	message->msg_flags = flags;
}

/* The first message of a record of SOCK_DGRAM.  True: it is one, and in @record. */
static bool
record_begin(const struct system_hold *hold, struct msghdr *message, int flags,
	     struct record *record, ssize_t *result)
{
	size_t room = parts_size(message->msg_iov, message->msg_iovlen);

	/* nothing is wanted: nothing is waited for.  No MSG_TRUNC of our own: TCP, which it may be
	 * by now, takes that for "throw it away" */
	struct piece piece = piece_read(hold->fd, message->msg_iov, message->msg_iovlen,
					room == 0 ? flags | MSG_DONTWAIT : flags);
	if (piece.size < 0) {
		*result = no_message(hold, (int)piece.size, room == 0);
		message_finish(message, 0);
		return false;
	}
	if (!piece.is_end && !is_from_kexthost(&piece) && system_is_stale(hold)) {
		*result = ordinary(message, &piece, flags);
		return false;
	}
	if (piece.is_end) {
		*result = 0;
		message_finish(message, 0);
		return false;
	}
	parts_init(&record->room, message->msg_iov, message->msg_iovlen);
	record_add(record, &piece);
	return true;
}

static ssize_t
record_finish(const struct system_hold *hold, struct msghdr *message, int flags,
	      const struct record *record)
{
	size_t room = parts_size(message->msg_iov, message->msg_iovlen);
	size_t copied = record->size < room ? record->size : room;
	int result_flags = 0;

	if (record->is_cut || record->size > room)
		result_flags |= MSG_TRUNC;
	if (!record->goes_on && !record->is_kept)
		result_flags |= MSG_EOR;
	message_finish(message, result_flags);
	if ((flags & MSG_PEEK) == 0 && wants_rcvd(hold->socket))
		tell_received(hold, flags | result_flags);
	return (ssize_t)((flags & MSG_TRUNC) != 0 ? record->size : copied);
}

static ssize_t
dgram_receive(const struct system_hold *hold, struct msghdr *message, int flags)
{
	struct system_socket *socket = hold->socket;
	struct record record = { 0 };
	ssize_t result;

	uint32_t read_bytes = atomic_load(&socket->read_bytes);
	if ((flags & MSG_PEEK) == 0 &&
	    (read_bytes > 0 || (atomic_load(&socket->flags) & SYSTEM_DONTTRUNC) != 0)) {
		if (system_is_stale(hold))
			return CONTROL_STALE;
		parts_init(&record.room, message->msg_iov, message->msg_iovlen);
		bool is_empty_read = record.room.size_bytes == 0;
		int error = record_await_kept(hold, flags, &record);
		parts_deinit(&record.room);
		if (error != 0 || record.is_end) {
			message_finish(message, 0);
			return error != 0 ? no_message(hold, error, is_empty_read) : 0;
		}
		return record_finish(hold, message, flags, &record);
	}
	tell_before_wait(hold, 0, flags);
	if (!record_begin(hold, message, flags, &record, &result))
		return result;
	if ((flags & MSG_PEEK) == 0) {
		atomic_store_explicit(&socket->peeked_end, 0, memory_order_relaxed);
		if (record.goes_on)
			record_read_on(hold->fd, &record);
	} else if (record.goes_on || read_bytes > 0) {
		parts_deinit(&record.room);
		record = (struct record){ 0 };
		parts_init(&record.room, message->msg_iov, message->msg_iovlen);
		record_peek(hold, read_bytes, &record);
	}
	parts_deinit(&record.room);
	return record_finish(hold, message, flags, &record);
}

static ssize_t
stream_receive(const struct system_hold *hold, struct msghdr *message, int flags)
{
	size_t room = parts_size(message->msg_iov, message->msg_iovlen);

	if (room > 0)
		tell_before_wait(hold, room, flags);
	struct piece piece = piece_read(hold->fd, message->msg_iov, message->msg_iovlen,
					room == 0 ? flags | MSG_DONTWAIT : flags);
	if (piece.size < 0) {
		message_finish(message, 0);
		return no_message(hold, (int)piece.size, room == 0);
	}
	/* reading nothing tells no sender, nor does the end */
	if (piece.size > 0 && !is_from_kexthost(&piece) && system_is_stale(hold))
		return ordinary(message, &piece, flags);
	int result_flags = piece.marked && piece.size > 0 ? MSG_EOR : 0;
	message_finish(message, result_flags);
	if ((flags & MSG_PEEK) == 0 && piece.size > 0 && wants_rcvd(hold->socket))
		tell_received(hold, flags | result_flags);
	return piece.size;
}

/* ---- plain reads ------------------------------------------------------------------------ */

/* Was the message that was just read the first one with a mark?  The kexthost knows. */
static bool
last_was_marked(const struct system_hold *hold)
{
	struct lane_call call;
	bool is_gone, is_marked = false;

	if (control_call_begin(hold, LANE_MARKED, &call) != 0)
		return false;
	if (control_call_run(hold, &call, &is_gone) == 0 && !is_gone)
		is_marked = call.reply.values[0] != 0;
	lane_call_end(&call);
	return is_marked;
}

ssize_t
control_read_marked(const struct system_hold *hold, void *bytes, size_t size, ssize_t received)
{
	int saved_errno = errno;

	if (last_was_marked(hold)) {
		struct iovec part = { .iov_base = bytes, .iov_len = size };
		struct record record = { .size = (size_t)received, .goes_on = true };

		parts_init(&record.room, &part, 1);
		parts_skip(&record.room, (size_t)received);
		record_read_on(hold->fd, &record);
		parts_deinit(&record.room);
		received = (ssize_t)(record.size < size ? record.size : size);
	}
	errno = saved_errno;
	return received;
}

ssize_t
control_receive_bytes(const struct system_hold *hold, struct msghdr *message, int flags)
{
	const _Atomic uint8_t *mark =
	    atomic_load_explicit(&hold->socket->mark, memory_order_acquire);
	const struct iovec *part = message->msg_iov;

	if (!control_is_plain(hold->socket, mark, part->iov_len, flags))
		return control_receive(hold, message, flags);
	ssize_t received = NEXT(recv)(hold->fd, part->iov_base, part->iov_len, flags);
	if (received >= 0)
		return control_read_plainly(hold, mark, part->iov_base, part->iov_len, received);
	if (errno == EAGAIN || errno == EINTR)
		return -errno;
	return control_receive(hold, message, flags);
}

ssize_t
control_receive(const struct system_hold *hold, struct msghdr *message, int flags)
{
	/* what was connected once is read until it ends, whatever has become of it */
	if (atomic_load_explicit(&hold->socket->state, memory_order_relaxed) != SYSTEM_CONNECTED) {
		if (system_is_stale(hold))
			return CONTROL_STALE;
		enum system_state state = control_look(hold);
		if (state == SYSTEM_FRESH || state == SYSTEM_BOUND)
			return -ENOTCONN;
	}
	if ((flags & MSG_OOB) != 0)
		return system_is_stale(hold) ? CONTROL_STALE : -EOPNOTSUPP;
	/* room for descriptors is there in an ordinary message: better look before */
	if (message->msg_controllen > 0 && system_is_stale(hold))
		return CONTROL_STALE;
	if (hold->socket->kind == SYSTEM_DGRAM)
		return dgram_receive(hold, message, flags);
	return stream_receive(hold, message, flags);
}

int
control_first_record(const struct system_hold *hold, int *bytes)
{
	uint32_t queued = bytes_queued(hold->fd);
	uint32_t read_bytes = atomic_load(&hold->socket->read_bytes);

	*bytes = (int)queued;
	if (hold->socket->kind != SYSTEM_DGRAM || queued == 0)
		return 0;
	struct piece piece = piece_read(hold->fd, NULL, 0, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);
	if (piece.size < 0) {
		*bytes = 0;
		return 0;
	}
	if (!piece.marked) {
		*bytes = (int)piece.size - (int)read_bytes;
		return 0;
	}
	/* several messages: walk over them, which means to copy them */
	void *scratch =
	    mmap(NULL, queued, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (scratch == MAP_FAILED)
		return -ENOBUFS;
	struct iovec part = { .iov_base = scratch, .iov_len = queued };
	struct record record = { 0 };
	parts_init(&record.room, &part, 1);
	record_peek(hold, read_bytes, &record);
	parts_deinit(&record.room);
	munmap(scratch, queued);
	*bytes = (int)record.size;
	return 0;
}
