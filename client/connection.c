/*
 * The connection of this process to its kernel: what goes over the socket.  Attaching is in
 * attach.c.
 */
#include "client/connection_parts.h"

#include "client/bsd/next.h"
#include "client/mach_lane.h"
#include "client/say.h"
#include "client/signals.h"
#include "wire/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_HIGH_FD 512 /* beyond the numbers that programs close in loops or compare with */

struct connection connection = {
	.generation = 1,
	.socket_fd = -1,
	.event_fd = -1,
	.first_slot = WIRE_NO_SLOT,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

/* Nothing else names the file with the handlers of fork: it would be left out of programs
 * that are linked with the static library, and their children would use our traps. */
__attribute__((used)) static void (*const fork_handlers)(void) = fork_watch;

void
connection_lock(sigset_t *signals)
{
	sigset_t all;

	sigfillset(&all);
	signals_set(SIG_SETMASK, &all, signals);
	pthread_mutex_lock(&connection.lock);
}

void
connection_unlock(const sigset_t *signals)
{
	pthread_mutex_unlock(&connection.lock);
	signals_set(SIG_SETMASK, signals, NULL);
}

void
connection_died(void)
{
	static _Atomic uint32_t said;
	uint32_t ready = CONNECTION_READY;

	/* the first task is a part of its kernel: that both end is no news */
	if (atomic_compare_exchange_strong(&connection.state, &ready, CONNECTION_DEAD) &&
	    !connection.is_first_task)
		SAY_ONCE(&said,
			 "the kernel is gone: every port of this process (pid %ld) is dead, "
			 "and Mach calls fail from now on; restart the program",
			 (long)getpid());
	mach_lanes_dropped();
	/* those of this process; and, since Linux wakes one of all only, those of others */
	wait_wake(&connection.state, INT_MAX);
	if (connection.kernel_page != NULL)
		wait_wake(&connection.kernel_page->alive, INT_MAX);
}

/* ---- messages ---------------------------------------------------------------------- */

void
connection_fds_close(int *fds, uint32_t fd_count)
{
	for (uint32_t i = 0; i < fd_count; i++)
		close(fds[i]);
}

bool
connection_send_on(int socket_fd, const struct wire_head *head, const int *fds, uint32_t fd_count,
		   bool with_ids)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(3 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control = { .bytes = { 0 } };
	struct iovec data = { .iov_base = (void *)head, .iov_len = head->size_bytes };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
	struct cmsghdr *part = &control.align;
	size_t control_size = 0;

	if (fd_count > 0) {
		part->cmsg_level = SOL_SOCKET;
		part->cmsg_type = SCM_RIGHTS;
		part->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(part), fds, fd_count * sizeof(int));
		control_size = CMSG_SPACE(fd_count * sizeof(int));
	}
	if (with_ids) {
		struct ucred ids = { .pid = getpid(), .uid = geteuid(), .gid = getegid() };

		part = (struct cmsghdr *)(control.bytes + control_size);
		part->cmsg_level = SOL_SOCKET;
		part->cmsg_type = SCM_CREDENTIALS;
		part->cmsg_len = CMSG_LEN(sizeof(ids));
		memcpy(CMSG_DATA(part), &ids, sizeof(ids));
		control_size += CMSG_SPACE(sizeof(ids));
	}
	if (control_size > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = control_size;
	}
	ssize_t sent;
	do
		sent = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)head->size_bytes;
}

bool
connection_send(const struct wire_head *head, const int *fds, uint32_t fd_count, bool with_ids)
{
	return connection_send_on(connection.socket_fd, head, fds, fd_count, with_ids);
}

ssize_t
connection_message_receive(int socket_fd, void *buffer, size_t size, int fds[3], uint32_t *fd_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(3 * sizeof(int))];
	} control;
	struct iovec data = { .iov_base = buffer, .iov_len = size };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  /* not CMSG_SPACE(), whose padding is room for a fourth one */
				  .msg_controllen = CMSG_LEN(3 * sizeof(int)) };
	ssize_t received;

	*fd_count = 0;
	do
		received = NEXT(recvmsg)(socket_fd, &message, MSG_CMSG_CLOEXEC);
	while (received < 0 && errno == EINTR);
	if (received < 0)
		return errno == ECONNRESET ? 0 : -errno;
	for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part != NULL;
	     part = CMSG_NXTHDR(&message, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		*fd_count = (uint32_t)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(part), *fd_count * sizeof(int));
	}
	const struct wire_head *head = buffer;
	/* an empty message is the end, but may come with descriptors */
	if ((size_t)received < sizeof(*head) || head->size_bytes != received ||
	    (message.msg_flags & MSG_CTRUNC) != 0) {
		connection_fds_close(fds, *fd_count);
		*fd_count = 0;
		if (received == 0)
			return 0;
		return (message.msg_flags & MSG_CTRUNC) != 0 ? -EMFILE : -EPROTO;
	}
	return received;
}

int
connection_fd_move_high(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_HIGH_FD);

	if (high < 0)
		high = fcntl(fd, F_DUPFD_CLOEXEC, 64);
	if (high < 0) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		return fd;
	}
	close(fd);
	return high;
}

/* ---- slots and mail ----------------------------------------------------------------- */

bool
connection_memory_is_there(int fd, size_t size)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return false;
	if (S_ISREG(status.st_mode) && (uint64_t)status.st_size >= size)
		return true;
	errno = EPROTO;
	return false;
}

bool
connection_segment_map(uint32_t segment_index, int memory_fd)
{
	size_t bell_size = segment_index == 0 ? sizeof(struct doorbell) : 0;
	size_t mail_size = TRAP_SEGMENT_SLOTS * sizeof(struct slot_mail);
	uint8_t *memory;

	if (!connection_memory_is_there(memory_fd, bell_size + SEGMENT_SIZE))
		return false;
	memory =
	    mmap(NULL, bell_size + SEGMENT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	if (memory == MAP_FAILED)
		return false;
	void *mail =
	    mmap(NULL, mail_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mail == MAP_FAILED) {
		munmap(memory, bell_size + SEGMENT_SIZE);
		return false;
	}
	/* a child must not write into its parent's traps */
	madvise(memory, bell_size + SEGMENT_SIZE, MADV_DONTFORK);
	if (segment_index == 0)
		connection.doorbell = (struct doorbell *)memory;
	connection.mail[segment_index] = mail;
	connection.segments[segment_index] = (struct trap_slot *)(memory + bell_size);
	return true;
}

/* Keep @fds for whoever waits for reply @sequence in that slot.  Consumes them. */
static void
mail_file(uint32_t slot_index, uint32_t sequence, const int *fds, uint32_t fd_count)
{
	struct slot_mail *all = slot_index / TRAP_SEGMENT_SLOTS < TRAP_SEGMENT_MAX
				    ? connection.mail[slot_index / TRAP_SEGMENT_SLOTS]
				    : NULL;

	if (all == NULL) {
		connection_fds_close((int *)fds, fd_count);
		return;
	}
	struct slot_mail *mail = &all[slot_index % TRAP_SEGMENT_SLOTS];
	connection_fds_close(mail->fds, mail->fd_count); /* of a trap that somebody jumped out of */
	mail->sequence = sequence;
	mail->fd_count = fd_count;
	memcpy(mail->fds, fds, fd_count * sizeof(int));
}

/* Has a message of its kind all that is looked at in it? */
static bool
incoming_is_whole(const union incoming *message, size_t size)
{
	switch (message->head.kind) {
	case WIRE_SLOT:
	case WIRE_WAKER_IS:
		return size >= sizeof(message->slot);
	case WIRE_DESCRIPTORS:
		return size >= sizeof(message->descriptors);
	case WIRE_SYSTEM_ANSWER:
		return size >= sizeof(message->system);
	default:
		return true; /* the head says it all, or it is for nobody */
	}
}

/* Read messages, filing descriptors, until one is of @kind.  False: the kernel is gone, or what
 * it says makes no sense. */
static bool
connection_await(uint32_t kind, union incoming *message, int fds[3], uint32_t *fd_count)
{
	static _Atomic uint32_t said;

	for (;;) {
		ssize_t size = connection_message_receive(connection.socket_fd, message,
							  sizeof(*message), fds, fd_count);
		if (size == -EMFILE)
			SAY_ONCE(
			    &said,
			    "a message from the kernel was lost: this process has too many open "
			    "files");
		if (size <= 0) {
			if (size == -EMFILE &&
			    (kind == WIRE_DESCRIPTORS || message->head.kind == kind))
				return true; /* the caller sees that none came */
			return false;
		}
		if (!incoming_is_whole(message, (size_t)size)) {
			connection_fds_close(fds, *fd_count);
			return false;
		}
		if (message->head.kind == kind)
			return true;
		if (message->head.kind == WIRE_DESCRIPTORS)
			mail_file(message->descriptors.slot_index, message->descriptors.sequence,
				  fds, *fd_count);
		else
			connection_fds_close(fds, *fd_count);
	}
}

uint32_t
connection_slot_ask(uint32_t outer)
{
	struct wire_thread ask = { { WIRE_THREAD, sizeof(ask) }, outer, (uint32_t)gettid() };
	union incoming answer;
	int fds[3];
	uint32_t fd_count;

	if (outer == WIRE_NO_SLOT && connection.first_slot != WIRE_NO_SLOT) {
		uint32_t first = connection.first_slot;
		connection.first_slot = WIRE_NO_SLOT;
		return first;
	}
	if (!connection_send(&ask.head, NULL, 0, false) ||
	    !connection_await(WIRE_SLOT, &answer, fds, &fd_count)) {
		connection_died();
		return WIRE_NO_SLOT;
	}
	uint32_t slot_index = answer.slot.slot_index;
	uint32_t segment_index = slot_index / TRAP_SEGMENT_SLOTS;
	if (slot_index != WIRE_NO_SLOT && segment_index < TRAP_SEGMENT_MAX &&
	    connection.segments[segment_index] == NULL && fd_count > 0)
		connection_segment_map(segment_index, fds[0]);
	connection_fds_close(fds, fd_count);
	if (slot_index == WIRE_NO_SLOT || segment_index >= TRAP_SEGMENT_MAX)
		return WIRE_NO_SLOT;
	if (connection.segments[segment_index] == NULL) {
		/* it could not be mapped: give the slot back */
		struct wire_thread back = { { WIRE_THREAD_EXIT, sizeof(back) },
					    slot_index,
					    ask.linux_tid };
		connection_send(&back.head, NULL, 0, false);
		return WIRE_NO_SLOT;
	}
	return slot_index;
}

uint32_t
connection_mail_fetch(uint32_t slot_index, uint32_t sequence, int fds[3])
{
	struct slot_mail *mail = connection_mail(slot_index);
	union incoming message;
	uint32_t fd_count;

	if (mail->fd_count > 0) {
		fd_count = mail->fd_count;
		memcpy(fds, mail->fds, sizeof(mail->fds));
		mail->fd_count = 0;
		if (mail->sequence == sequence)
			return fd_count;
		connection_fds_close(fds, fd_count);
	}
	for (;;) {
		if (!connection_await(WIRE_DESCRIPTORS, &message, fds, &fd_count)) {
			connection_died();
			return 0;
		}
		if (fd_count == 0 || (message.descriptors.slot_index == slot_index &&
				      message.descriptors.sequence == sequence))
			return fd_count;
		mail_file(message.descriptors.slot_index, message.descriptors.sequence, fds,
			  fd_count);
	}
}

int
connection_waker_ask(uint32_t slot_index)
{
	struct wire_thread ask = { { WIRE_WAKER, sizeof(ask) }, slot_index, (uint32_t)gettid() };
	struct slot_mail *mail = connection_mail(slot_index);
	union incoming answer;
	int fds[3];
	uint32_t fd_count;

	if (!connection_send(&ask.head, NULL, 0, false) ||
	    !connection_await(WIRE_WAKER_IS, &answer, fds, &fd_count)) {
		connection_died();
		return WAKER_NONE;
	}
	if (fd_count == 1 && answer.slot.slot_index == slot_index) {
		mail->waker = connection_fd_move_high(fds[0]) + 1;
	} else {
		connection_fds_close(fds, fd_count);
		mail->waker = WAKER_NONE;
	}
	return mail->waker;
}

void
connection_waker_drop(uint32_t slot_index)
{
	struct slot_mail *mail = connection_mail(slot_index);

	if (mail->waker > 0)
		close(mail->waker - 1);
	mail->waker = 0;
}

int
connection_system(const struct wire_system *ask, const int *fds, uint32_t fd_count,
		  struct wire_system_answer *answer, int *fd)
{
	union incoming message;
	int came[3];
	uint32_t came_count;

	*fd = -1;
	if (atomic_load(&connection.state) != CONNECTION_READY)
		return ENOTCONN;
	if (!connection_send(&ask->head, fds, fd_count, false) ||
	    !connection_await(WIRE_SYSTEM_ANSWER, &message, came, &came_count)) {
		connection_died();
		return ENOTCONN;
	}
	*answer = message.system;
	if (came_count == 1)
		*fd = connection_fd_move_high(came[0]);
	else
		connection_fds_close(came, came_count);
	return 0;
}

int
connection_fork(void)
{
	struct wire_thread ask = { { WIRE_FORK, sizeof(ask) }, WIRE_NO_SLOT, (uint32_t)gettid() };
	union incoming answer;
	int fds[3];
	uint32_t fd_count;

	if (!connection_send(&ask.head, NULL, 0, false) ||
	    !connection_await(WIRE_CHILD, &answer, fds, &fd_count)) {
		connection_died();
		return -1;
	}
	if (fd_count == 1)
		return fds[0];
	connection_fds_close(fds, fd_count);
	return -1;
}

/* ---- fork ---------------------------------------------------------------------------- */

void
connection_start_over(int socket_fd)
{
	/* the mappings are gone: they are not inherited */
	if (connection.socket_fd >= 0)
		close(connection.socket_fd);
	if (connection.event_fd >= 0)
		close(connection.event_fd);
	for (uint32_t i = 0; i < TRAP_SEGMENT_MAX; i++) {
		if (connection.mail[i] != NULL) {
			for (uint32_t j = 0; j < TRAP_SEGMENT_SLOTS; j++) {
				connection_fds_close(connection.mail[i][j].fds,
						     connection.mail[i][j].fd_count);
				connection_waker_drop(i * TRAP_SEGMENT_SLOTS + j);
			}
			munmap(connection.mail[i], TRAP_SEGMENT_SLOTS * sizeof(struct slot_mail));
		}
		connection.mail[i] = NULL;
		connection.segments[i] = NULL;
	}
	connection.doorbell = NULL;
	connection.kernel_page = NULL;
	connection.event_fd = -1;
	connection.first_slot = WIRE_NO_SLOT;
	connection.socket_fd = socket_fd >= 0 ? connection_fd_move_high(socket_fd) : -1;
	atomic_fetch_add(&connection.generation, 1);
	atomic_store(&connection.state, socket_fd >= 0 ? CONNECTION_CHILD : CONNECTION_NONE);
}
