/*
 * Messages on a peer's socket, in both directions; never waits.
 *
 * What cannot be sent is queued, and while something is queued the peer's own messages are
 * not read: a peer that does not read cannot make the queue grow but by its replies, of
 * which each of its threads has one at a time.
 */
#include "hosts/daemon/berthd.h"
#include "hosts/daemon/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define RECEIVE_MAX 1024u /* what a task says is short; what is longer is cut and refused */

void
socket_update(struct peer *peer)
{
	uint32_t wanted = EPOLLIN;

	if (!TAILQ_EMPTY(&peer->outgoing))
		wanted = peer->starved ? 0 : EPOLLOUT;
	else if (peer->inspection != NULL)
		wanted = inspect_waits(peer->inspection) ? 0 : EPOLLOUT;
	else if (peer->kind == PEER_WAITING)
		wanted = 0;
	source_want(&peer->socket, wanted);
}

/* ---- sending ----------------------------------------------------------------------- */

/* One message.  0, -errno. */
static int
send_now(int fd, const void *bytes, size_t size_bytes, const int *descriptors,
	 uint32_t descriptor_count)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_PER_MESSAGE)];
	} control = { 0 };
	struct iovec vector = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size_bytes };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	if (descriptor_count > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptor_count);
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * descriptor_count);
		memcpy(CMSG_DATA(cmsg), descriptors, sizeof(int) * descriptor_count);
	}
	for (;;) {
		if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

static void
outgoing_free(struct peer *peer, struct outgoing *outgoing)
{
	/* one may be another task's file */
	for (uint32_t i = 0; i < outgoing->descriptor_count; i++)
		closer_close(&peer->host->closer, outgoing->descriptors[i], peer->euid);
	free(outgoing);
}

static void
outgoing_remove(struct peer *peer, struct outgoing *outgoing)
{
	TAILQ_REMOVE(&peer->outgoing, outgoing, link);
	peer->outgoing_count--;
	peer->outgoing_bytes -= outgoing->size_bytes;
	outgoing_free(peer, outgoing);
}

/* 1, -errno. */
static int
enqueue(struct peer *peer, const void *bytes, size_t size_bytes, const int *descriptors,
	uint32_t descriptor_count, struct slot *completes)
{
	struct outgoing *outgoing = calloc(1, sizeof(*outgoing) + size_bytes);

	if (outgoing == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < descriptor_count; i++) {
		int fd = fcntl(descriptors[i], F_DUPFD_CLOEXEC, 3);

		if (fd < 0) {
			int error = -errno;

			outgoing_free(peer, outgoing);
			return error;
		}
		outgoing->descriptors[outgoing->descriptor_count++] = fd;
	}
	outgoing->completes = completes;
	outgoing->size_bytes = size_bytes;
	memcpy(outgoing->bytes, bytes, size_bytes);
	TAILQ_INSERT_TAIL(&peer->outgoing, outgoing, link);
	peer->outgoing_count++;
	peer->outgoing_bytes += size_bytes;
	socket_update(peer);
	return 1;
}

/* Is this a failure that passes?  @starved: epoll will not say when. */
static bool
passes(int error, bool *starved)
{
	*starved = error == -ETOOMANYREFS || error == -ENOBUFS || error == -ENOMEM;
	return *starved || error == -EAGAIN;
}

int
socket_send(struct peer *peer, const void *bytes, size_t size_bytes, const int *descriptors,
	    uint32_t descriptor_count, struct slot *completes)
{
	int error;
	bool starved;

	if (peer->socket.fd < 0 || peer->doomed)
		return 0; /* who is gone gets nothing, and misses nothing */
	if (TAILQ_EMPTY(&peer->outgoing)) {
		error = send_now(peer->socket.fd, bytes, size_bytes, descriptors, descriptor_count);
		if (error == 0)
			return 0;
		if (!passes(error, &starved)) {
			peer_doom(peer);
			return 0;
		}
		peer->starved = starved;
		if (starved)
			host_retry_soon(peer->host);
	}
	return enqueue(peer, bytes, size_bytes, descriptors, descriptor_count, completes);
}

void
socket_flush(struct peer *peer)
{
	struct outgoing *outgoing;

	peer->starved = false;
	while (!peer->doomed && (outgoing = TAILQ_FIRST(&peer->outgoing)) != NULL) {
		int error = send_now(peer->socket.fd, outgoing->bytes, outgoing->size_bytes,
				     outgoing->descriptors, outgoing->descriptor_count);

		if (error != 0) {
			if (!passes(error, &peer->starved))
				peer_doom(peer);
			else if (peer->starved)
				host_retry_soon(peer->host);
			break;
		}
		if (outgoing->completes != NULL)
			effects_slot_done(outgoing->completes);
		outgoing_remove(peer, outgoing);
	}
	socket_update(peer);
}

void
socket_drop_outgoing(struct peer *peer)
{
	struct outgoing *outgoing;

	/* the analyser does not see that the removal gives the list another first one */
	while ((outgoing = TAILQ_FIRST(&peer->outgoing)) != NULL)
		outgoing_remove(peer, outgoing); // NOLINT(clang-analyzer-unix.Malloc)
}

void
socket_forget_slot(struct slot *slot)
{
	struct outgoing *outgoing;

	TAILQ_FOREACH(outgoing, &slot->peer->outgoing, link)
	{
		if (outgoing->completes == slot)
			outgoing->completes = NULL;
	}
}

/* ---- receiving --------------------------------------------------------------------- */

int
received_take(struct received *received, uint32_t index)
{
	if (index >= received->descriptor_count)
		return -1;
	int fd = received->descriptors[index];

	received->descriptors[index] = -1;
	return fd;
}

/* What came beside the bytes. */
static void
take_control(struct peer *peer, struct msghdr *message, struct received *received)
{
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(message); cmsg != NULL;
	     cmsg = CMSG_NXTHDR(message, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET)
			continue;
		if (credentials_shown_process(cmsg, &received->process_fd))
			continue;
		if (cmsg->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&received->credentials, CMSG_DATA(cmsg), sizeof(struct ucred));
			received->has_credentials = true;
		} else if (cmsg->cmsg_type == SCM_RIGHTS) {
			uint32_t count = (uint32_t)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));

			for (uint32_t i = 0; i < count; i++) {
				int fd;

				memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
				if (received->descriptor_count < DESCRIPTORS_PER_MESSAGE)
					received->descriptors[received->descriptor_count++] = fd;
				else
					peer_close(peer, fd);
			}
		}
	}
	received->descriptors_lost = (message->msg_flags & MSG_CTRUNC) != 0;
}

/* Reads and handles one message, of up to @size bytes.  False: nothing more for now, or for ever.
 */
static bool
read_into(struct peer *peer, void *buffer, size_t size)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int)) +
			      CMSG_SPACE(sizeof(int) * DESCRIPTORS_PER_MESSAGE)];
	} control;
	struct iovec vector = { .iov_base = buffer, .iov_len = size };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	struct received received = { .bytes = buffer, .process_fd = PROCESS_NOT_SHOWN };
	ssize_t n = recvmsg(peer->socket.fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			peer_hang_up(peer);
		return false;
	}
	take_control(peer, &message, &received);
	received.size_bytes = (size_t)n;
	if (n == 0)
		peer_hang_up(peer); /* an empty message says nothing either */
	else if (message.msg_flags & MSG_TRUNC)
		peer_violation(peer, "a message that is too long");
	else
		greeting_message(peer, &received);
	for (uint32_t i = 0; i < received.descriptor_count; i++)
		if (received.descriptors[i] >= 0)
			peer_close(peer, received.descriptors[i]);
	if (received.process_fd >= 0)
		close(received.process_fd);
	return n > 0;
}

static bool
read_short(struct peer *peer)
{
	uint64_t words[RECEIVE_MAX / sizeof(uint64_t)];

	return read_into(peer, words, sizeof(words));
}

/* Apart, because a large frame costs time even if little of it is used. */
static __attribute__((noinline)) bool
read_long(struct peer *peer)
{
	uint64_t words[WIRE_MESSAGE_MAX / sizeof(uint64_t)];

	return read_into(peer, words, sizeof(words));
}

/* Not a task: kexthosts, supervisors and tools have paths and text to tell of. */
static bool
says_much(const struct peer *peer)
{
	return peer->kind == PEER_NEW || peer->kind == PEER_TOOL || peer->kind == PEER_KEXT_HOST ||
	       peer->kind == PEER_KEXT_SUPERVISOR;
}

void
socket_read(struct peer *peer)
{
	uint32_t most = says_much(peer) ? LONG_MESSAGES_PER_ROUND : SOCKET_MESSAGES_PER_ROUND;

	for (uint32_t i = 0; i < most; i++) {
		if (peer->kind == PEER_GONE || peer->kind == PEER_WAITING || peer->doomed ||
		    peer->socket.fd < 0 || peer->inspection != NULL ||
		    !TAILQ_EMPTY(&peer->outgoing))
			return;
		if (!(says_much(peer) ? read_long(peer) : read_short(peer)))
			return;
	}
}
