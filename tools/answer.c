/*
 * Answer: see answer.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "tools/answer.h"
#include "wire/socket.h"

/* Every message fits; only one is under way at a time. */
static union {
	struct wire_head head;
	struct wire_end end;
	struct wire_refused refused;
	char bytes[WIRE_MESSAGE_MAX];
} message;

int
answer_take(int fd, FILE *out, struct answer *answer)
{
	ssize_t size;

	do
		size = recv(fd, &message, sizeof(message), 0);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (size == 0)
		return -ECONNRESET;
	if ((size_t)size < sizeof(message.head) || message.head.size_bytes != (size_t)size)
		return -EPROTO;

	switch (message.head.kind) {
	case WIRE_TEXT: {
		size_t text_size = (size_t)size - sizeof(message.head);
		const char *text = message.bytes + sizeof(message.head);

		if (fwrite(text, 1, text_size, out) != text_size)
			return errno != 0 ? -errno : -EIO;
		return ANSWER_MORE;
	}
	case WIRE_END:
		if ((size_t)size != sizeof(message.end))
			return -EPROTO;
		answer->status = message.end.status;
		answer->count = message.end.count;
		answer->why[0] = '\0';
		return ANSWER_END;
	case WIRE_REFUSED:
		if ((size_t)size != sizeof(message.refused))
			return -EPROTO;
		memcpy(answer->why, message.refused.why, sizeof(answer->why));
		answer->why[sizeof(answer->why) - 1] = '\0';
		return -EACCES;
	default:
		return -EPROTO;
	}
}

int
answer_take_all(int fd, FILE *out, struct answer *answer)
{
	int step;

	do
		step = answer_take(fd, out, answer);
	while (step == ANSWER_MORE);
	return step == ANSWER_END ? 0 : step;
}

int
request_send(int fd, const void *request, size_t size_bytes, int passed_fd)
{
	struct iovec bytes = { (void *)request, size_bytes };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr header = { .msg_iov = &bytes, .msg_iovlen = 1 };
	ssize_t sent;

	if (passed_fd >= 0) {
		header.msg_control = &control;
		header.msg_controllen = sizeof(control.space);
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &passed_fd, sizeof(int));
	}
	do
		sent = sendmsg(fd, &header, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}
