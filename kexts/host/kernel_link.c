/*
 * The connection to the kernel: see kernel_link.h.
 *
 * One thread reads.  A request waits in a list until its answer comes, or the kernel is gone.
 */
#include "kexts/host/kernel_link.h"

#include "kexts/host/host_log.h"
#include "wire/alive_page.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

struct waiting {
	LIST_ENTRY(waiting) link;
	uint32_t sequence;
	bool is_answered;
	int error;
	uint64_t values[2];
	void *out;
	size_t out_size;
};

static struct {
	int fd;
	int page_fd; /* says to programs whether we live, as the thread that reads does */
	struct kernel_page *page;
	struct kernel_link_handlers handlers;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t answered;
	LIST_HEAD(, waiting) waiting;
	uint32_t sequence;
	bool is_gone;
} kernel = {
	.fd = -1,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.answered = PTHREAD_COND_INITIALIZER,
};

/* ---- messages -------------------------------------------------------------------------- */

/* Send @head and @payload as one message.  0 or -errno. */
static int
message_send(const void *head, size_t head_size, const void *payload, size_t payload_size)
{
	struct iovec parts[2] = { { (void *)head, head_size }, { (void *)payload, payload_size } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = payload_size > 0 ? 2 : 1 };
	ssize_t sent;

	do
		sent = sendmsg(kernel.fd, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* Receive one message, and a descriptor if one comes with it (-1: none), which the caller
 * owns.  Its size; 0: the kernel is gone; -errno. */
static ssize_t
message_receive(void *buffer, size_t size, int *fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { buffer, size };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	ssize_t received;

	*fd = -1;
	do
		received = recvmsg(kernel.fd, &message, MSG_CMSG_CLOEXEC);
	while (received < 0 && errno == EINTR);
	if (received < 0)
		return errno == ECONNRESET ? 0 : -errno;
	for (struct cmsghdr *piece = CMSG_FIRSTHDR(&message); piece != NULL;
	     piece = CMSG_NXTHDR(&message, piece))
		if (piece->cmsg_level == SOL_SOCKET && piece->cmsg_type == SCM_RIGHTS)
			memcpy(fd, CMSG_DATA(piece), sizeof(*fd));
	return received;
}

/* ---- what comes in ----------------------------------------------------------------------- */

static void
take_answer(const struct wire_kext_answer *answer, size_t size)
{
	struct waiting *waiting;

	pthread_mutex_lock(&kernel.lock);
	LIST_FOREACH(waiting, &kernel.waiting, link)
	{
		if (waiting->sequence != answer->sequence)
			continue;
		size_t payload_size = size - sizeof(*answer);
		if (payload_size > waiting->out_size)
			payload_size = waiting->out_size;
		if (payload_size > 0)
			memcpy(waiting->out, answer->payload, payload_size);
		waiting->error = answer->error;
		memcpy(waiting->values, answer->values, sizeof(waiting->values));
		waiting->is_answered = true;
		pthread_cond_broadcast(&kernel.answered);
		break;
	}
	pthread_mutex_unlock(&kernel.lock);
}

/* A command on its way to a thread of its own. */
struct command {
	size_t payload_size;
	struct wire_kext_command_message message; /* the payload follows */
};

static void *
run_command(void *argument)
{
	struct command *command = argument;

	kernel.handlers.command(&command->message, command->message.payload, command->payload_size);
	free(command);
	return NULL;
}

/* Start a detached thread with all signals as they are here: blocked. */
static int
thread_start(void *(*run)(void *), void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	int error = pthread_create(&thread, &attributes, run, argument);
	pthread_attr_destroy(&attributes);
	return -error;
}

static void
take_command(const struct wire_kext_command_message *message, size_t size)
{
	struct command *command = malloc(offsetof(struct command, message) + size);

	if (command != NULL) {
		memcpy(&command->message, message, size);
		command->payload_size = size - sizeof(*message);
		if (thread_start(run_command, command) == 0)
			return;
		free(command);
	}
	kernel_link_done(message->sequence, -ENOMEM, "the kexthost has no memory for a command");
}

static void
kernel_gone(void)
{
	struct waiting *waiting;

	pthread_mutex_lock(&kernel.lock);
	kernel.is_gone = true;
	LIST_FOREACH(waiting, &kernel.waiting, link)
	{
		waiting->error = ENOTCONN;
		waiting->is_answered = true;
	}
	pthread_cond_broadcast(&kernel.answered);
	pthread_mutex_unlock(&kernel.lock);
	kernel.handlers.gone();
}

static void *
read_messages(void *unused)
{
	static union {
		struct wire_head head;
		struct wire_kext_answer answer;
		struct wire_kext_lane lane;
		struct wire_kext_command_message command;
		uint8_t bytes[WIRE_MESSAGE_MAX];
	} message;

	(void)unused;
	if (alive_page_begin(kernel.page) != 0)
		host_log("programs will not see the end of this kexthost at once");
	for (;;) {
		int fd;
		ssize_t size = message_receive(&message, sizeof(message), &fd);

		if (size == -ENOMEM || size == -ENOBUFS)
			continue;
		if (size <= 0)
			break;
		if (message.head.kind == WIRE_KEXT_LANE && size == sizeof(message.lane)) {
			if (fd >= 0)
				kernel.handlers.lane(&message.lane, fd);
			else
				host_log("a program was turned away: too many open files");
			continue;
		}
		if (fd >= 0)
			close(fd);
		if (message.head.kind == WIRE_KEXT_ANSWER && (size_t)size >= sizeof(message.answer))
			take_answer(&message.answer, (size_t)size);
		else if (message.head.kind == WIRE_KEXT_COMMAND &&
			 (size_t)size >= sizeof(message.command))
			take_command(&message.command, (size_t)size);
	}
	kernel_gone();
	return NULL;
}

/* ---- the functions ----------------------------------------------------------------------- */

int
kernel_link_start(int socket_fd, const struct kernel_link_handlers *handlers, uint32_t *host_id,
		  char *why, size_t why_size)
{
	struct wire_kext_host hello = { .head = { WIRE_KEXT_HOST, sizeof(hello) },
					.version = WIRE_VERSION,
					.host_pid = getpid() };
	union {
		struct wire_head head;
		struct wire_kext_welcome welcome;
		struct wire_refused refused;
	} answer;
	int fd;

	kernel.fd = socket_fd;
	kernel.handlers = *handlers;
	int error = message_send(&hello, sizeof(hello), NULL, 0);
	if (error != 0) {
		snprintf(why, why_size, "the kernel does not listen: %s", strerror(-error));
		return error;
	}
	ssize_t size = message_receive(&answer, sizeof(answer), &fd);
	if (fd >= 0)
		close(fd);
	if (size == sizeof(answer.refused) && answer.head.kind == WIRE_REFUSED) {
		answer.refused.why[sizeof(answer.refused.why) - 1] = '\0';
		snprintf(why, why_size, "the kernel refuses: %s", answer.refused.why);
		return -EPERM;
	}
	if (size != sizeof(answer.welcome) || answer.head.kind != WIRE_KEXT_WELCOME) {
		snprintf(why, why_size, "%s",
			 size == 0 ? "the kernel ended" : "the kernel speaks another language");
		return size == 0 ? -ECONNRESET : -EPROTO;
	}
	*host_id = answer.welcome.host_id;
	kernel.page_fd = alive_page_new(&kernel.page);
	if (kernel.page_fd < 0) {
		snprintf(why, why_size, "no memory: %s", strerror(-kernel.page_fd));
		return kernel.page_fd;
	}

	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = thread_start(read_messages, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		snprintf(why, why_size, "no thread can be started: %s", strerror(-error));
	return error;
}

int
kernel_link_page_fd(void)
{
	return kernel.page_fd;
}

int
kernel_link_request(uint32_t operation, const uint64_t args[5], const void *payload,
		    size_t payload_size, uint64_t values[2], void *out, size_t out_size)
{
	struct wire_kext_request request = {
		.head = { WIRE_KEXT_REQUEST, (uint32_t)(sizeof(request) + payload_size) },
		.operation = operation,
	};
	struct waiting waiting = { .out = out, .out_size = out != NULL ? out_size : 0 };

	if (payload_size > WIRE_KEXT_PAYLOAD_MAX)
		return EMSGSIZE;
	if (args != NULL)
		memcpy(request.args, args, sizeof(request.args));
	pthread_mutex_lock(&kernel.lock);
	if (kernel.is_gone || kernel.fd < 0) {
		pthread_mutex_unlock(&kernel.lock);
		return ENOTCONN;
	}
	request.sequence = waiting.sequence = ++kernel.sequence;
	LIST_INSERT_HEAD(&kernel.waiting, &waiting, link);
	pthread_mutex_unlock(&kernel.lock);

	int error = message_send(&request, sizeof(request), payload, payload_size);

	pthread_mutex_lock(&kernel.lock);
	while (error == 0 && !waiting.is_answered)
		pthread_cond_wait(&kernel.answered, &kernel.lock);
	LIST_REMOVE(&waiting, link);
	pthread_mutex_unlock(&kernel.lock);
	if (error != 0)
		return error == -EPIPE || error == -ECONNRESET ? ENOTCONN : -error;
	if (values != NULL)
		memcpy(values, waiting.values, sizeof(waiting.values));
	return waiting.error;
}

void
kernel_link_says(uint32_t sequence, const void *text, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t piece = size - at;

		if (piece > WIRE_TEXT_MAX)
			piece = WIRE_TEXT_MAX;
		struct wire_kext_says says = {
			.head = { WIRE_KEXT_SAYS, (uint32_t)(sizeof(says) + piece) },
			.sequence = sequence,
		};
		if (message_send(&says, sizeof(says), (const uint8_t *)text + at, piece) != 0)
			return;
		at += piece;
	}
}

void
kernel_link_done(uint32_t sequence, int32_t result, const char *why)
{
	struct wire_kext_done done = { .head = { WIRE_KEXT_DONE, sizeof(done) },
				       .sequence = sequence,
				       .result = result };

	snprintf(done.why, sizeof(done.why), "%s", why != NULL ? why : "");
	message_send(&done, sizeof(done), NULL, 0);
}
