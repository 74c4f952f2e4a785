/*
 * The connection of this process to its kernel: attaching, and what goes over the socket.
 */
#include "client/connection.h"

#include "client/bsd/next.h"
#include "client/find.h"
#include "client/say.h"
#include "client/signals.h"
#include "wire/kext.h"
#include "wire/wait.h"

#include <berth/kernel_connection.h>
#include <berth/syscall_sw.h>
#include <mach/mach_init.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define WELCOME_PATIENCE_MS 30000 /* the name server may be starting on a loaded machine */
#define FIRST_HIGH_FD 512 /* beyond the numbers that programs close in loops or compare with */
#define ATTACH_TRIES 3    /* a kernel that nobody uses may end between connect and hello */
#define SEGMENT_SIZE ((size_t)TRAP_SLOT_SIZE * TRAP_SEGMENT_SLOTS)

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

/* berthd started this process, as its name server. */
static bool is_first_task;

void
connection_died(void)
{
	static _Atomic uint32_t said;
	uint32_t ready = CONNECTION_READY;

	/* the first task is a part of its kernel: that both end is no news */
	if (atomic_compare_exchange_strong(&connection.state, &ready, CONNECTION_DEAD) &&
	    !is_first_task)
		SAY_ONCE(&said,
			 "the kernel is gone: every port of this process (pid %ld) is dead, "
			 "and Mach calls fail from now on; restart the program",
			 (long)getpid());
	/* those of this process; and, since Linux wakes one of all only, those of others */
	wait_wake(&connection.state, INT_MAX);
	if (connection.kernel_page != NULL)
		wait_wake(&connection.kernel_page->alive, INT_MAX);
}

/* ---- messages ---------------------------------------------------------------------- */

static void
fds_close(int *fds, uint32_t fd_count)
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

/* Receive one message of at most @size bytes into @buffer, with up to 3 descriptors that the
 * caller owns then.  Its size; 0: the other side is gone; or -errno. */
static ssize_t
message_receive(int socket_fd, void *buffer, size_t size, int fds[3], uint32_t *fd_count)
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
		fds_close(fds, *fd_count);
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

/* Is there as much behind @fd as is to be mapped?  What is beyond its end would kill us with
 * SIGBUS, long after. */
static bool
memory_is_there(int fd, size_t size)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return false;
	if (S_ISREG(status.st_mode) && (uint64_t)status.st_size >= size)
		return true;
	errno = EPROTO;
	return false;
}

/* Map what a segment needs.  @memory_fd stays the caller's. */
static bool
segment_map(uint32_t segment_index, int memory_fd)
{
	size_t bell_size = segment_index == 0 ? sizeof(struct doorbell) : 0;
	size_t mail_size = TRAP_SEGMENT_SLOTS * sizeof(struct slot_mail);
	uint8_t *memory;

	if (!memory_is_there(memory_fd, bell_size + SEGMENT_SIZE))
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
		fds_close((int *)fds, fd_count);
		return;
	}
	struct slot_mail *mail = &all[slot_index % TRAP_SEGMENT_SLOTS];
	fds_close(mail->fds, mail->fd_count); /* of a trap that somebody jumped out of */
	mail->sequence = sequence;
	mail->fd_count = fd_count;
	memcpy(mail->fds, fds, fd_count * sizeof(int));
}

/* A message that comes while a thread waits for one of another kind. */
union incoming {
	struct wire_head head;
	struct wire_slot slot;
	struct wire_descriptors descriptors;
	struct wire_welcome welcome;
	struct wire_refused refused;
	struct wire_system_answer system;
};

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
		ssize_t size =
		    message_receive(connection.socket_fd, message, sizeof(*message), fds, fd_count);
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
			fds_close(fds, *fd_count);
			return false;
		}
		if (message->head.kind == kind)
			return true;
		if (message->head.kind == WIRE_DESCRIPTORS)
			mail_file(message->descriptors.slot_index, message->descriptors.sequence,
				  fds, *fd_count);
		else
			fds_close(fds, *fd_count);
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
		segment_map(segment_index, fds[0]);
	fds_close(fds, fd_count);
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
		fds_close(fds, fd_count);
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
		fds_close(fds, fd_count);
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
		fds_close(came, came_count);
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
	fds_close(fds, fd_count);
	return -1;
}

/* ---- attaching ---------------------------------------------------------------------- */

/* The socket that berthd handed to its first task, or -1. */
static int
inherited_socket(void)
{
	const char *number = secure_getenv("BERTH_TASK_FD");
	char *end;

	if (number == NULL)
		return -1;
	long fd = strtol(number, &end, 10);
	bool is_number = end != number && *end == '\0' && fd >= 0 && fd <= INT_MAX;
	struct stat status;
	unsetenv("BERTH_TASK_FD"); /* children are not the first task */
	if (!is_number || fstat((int)fd, &status) != 0 || !S_ISSOCK(status.st_mode))
		return -1;
	return (int)fd;
}

/* Wait for the answer to our first message and map what comes with it.
 * 0, -EAGAIN (the kernel ended: try another), or -errno and @why. */
static int
be_welcomed(char *why, size_t why_size)
{
	union incoming answer;
	struct pollfd readable = { .fd = connection.socket_fd, .events = POLLIN };
	int fds[3];
	uint32_t fd_count;
	int ready;

	do
		ready = poll(&readable, 1, WELCOME_PATIENCE_MS);
	while (ready < 0 && errno == EINTR);
	if (ready == 0) {
		snprintf(why, why_size, "the kernel does not answer; is its name server stuck?");
		return -ETIMEDOUT;
	}
	ssize_t size =
	    message_receive(connection.socket_fd, &answer, sizeof(answer), fds, &fd_count);
	if (size == 0) {
		snprintf(why, why_size, "the kernel ended while this process attached");
		return -EAGAIN;
	}
	int error = size < 0 ? (int)size : 0;
	if (error == 0 && answer.head.kind == WIRE_REFUSED && size == sizeof(answer.refused)) {
		answer.refused.why[sizeof(answer.refused.why) - 1] = '\0';
		snprintf(why, why_size, "the kernel refused this process: %s", answer.refused.why);
		fds_close(fds, fd_count);
		return -EACCES;
	}
	if (error == 0 && (answer.head.kind != WIRE_WELCOME || size != sizeof(answer.welcome) ||
			   fd_count != 3 || answer.welcome.version != WIRE_VERSION ||
			   answer.welcome.slot_index >= TRAP_SEGMENT_SLOTS))
		error = -EPROTO;
	if (error == 0 && !segment_map(0, fds[0]))
		error = -errno;
	if (error == 0) {
		size_t page_size = sizeof(struct kernel_page);
		void *page = memory_is_there(fds[1], page_size)
				 ? mmap(NULL, page_size, PROT_READ, MAP_SHARED, fds[1], 0)
				 : MAP_FAILED;
		if (page == MAP_FAILED)
			error = -errno;
		else
			connection.kernel_page = page;
	}
	if (error != 0) {
		snprintf(why, why_size, "attaching to the kernel: %s",
			 error == -EPROTO ? "it and this library are of different versions"
					  : strerror(-error));
		fds_close(fds, fd_count);
		return error;
	}
	madvise((void *)connection.kernel_page, sizeof(struct kernel_page), MADV_DONTFORK);
	close(fds[0]);
	close(fds[1]);
	connection.event_fd = connection_fd_move_high(fds[2]);
	connection.first_slot = answer.welcome.slot_index;
	/* programs may have changed them already */
	if (answer.welcome.task_self != BERTH_NAME_TASK_SELF &&
	    mach_task_self_ == BERTH_NAME_TASK_SELF)
		mach_task_self_ = answer.welcome.task_self;
	if (answer.welcome.bootstrap_port != BERTH_NAME_BOOTSTRAP &&
	    bootstrap_port == BERTH_NAME_BOOTSTRAP)
		bootstrap_port = answer.welcome.bootstrap_port;
	return 0;
}

/* Drop a half-made connection. */
static void
connection_drop(void)
{
	close(connection.socket_fd);
	connection.socket_fd = -1;
	if (connection.doorbell != NULL) {
		munmap(connection.doorbell, sizeof(struct doorbell) + SEGMENT_SIZE);
		munmap(connection.mail[0], TRAP_SEGMENT_SLOTS * sizeof(struct slot_mail));
		connection.doorbell = NULL;
		connection.segments[0] = NULL;
		connection.mail[0] = NULL;
	}
}

/* Connect and say hello, under the lock.  0, or -errno and @why. */
static int
attach_locked(char *why, size_t why_size)
{
	bool is_child = connection.state == CONNECTION_CHILD;
	int error;

	if (is_child) {
		error = be_welcomed(why, why_size); /* said hello right after the fork */
		if (error != 0)
			connection_drop();
		return error;
	}
	for (int attempt = 1;; attempt++) {
		int fd = inherited_socket();
		is_first_task = fd >= 0;
		if (fd < 0)
			fd = berth_kernel_connect(BERTH_KERNEL_START, why, why_size);
		if (fd < 0)
			return fd;
		connection.socket_fd = connection_fd_move_high(fd);
		struct wire_hello hello = { { WIRE_HELLO, sizeof(hello) }, WIRE_VERSION, 0 };
		if (connection_send(&hello.head, NULL, 0, false)) {
			error = be_welcomed(why, why_size);
		} else {
			snprintf(why, why_size, "the kernel ended while this process attached");
			error = -EAGAIN;
		}
		if (error == 0)
			return 0;
		connection_drop();
		if (error != -EAGAIN || attempt == ATTACH_TRIES)
			return error;
	}
}

bool
connection_open(void)
{
	static _Atomic uint32_t said;
	sigset_t signals;
	char why[1024] = "";
	int saved_errno = errno;

	uint32_t state = atomic_load(&connection.state);
	if (state == CONNECTION_FAILED || state == CONNECTION_DEAD)
		return false;
	connection_lock(&signals);
	state = atomic_load(&connection.state);
	if (state == CONNECTION_NONE || state == CONNECTION_CHILD) {
		if (attach_locked(why, sizeof(why)) == 0) {
			state = CONNECTION_READY;
		} else {
			state = CONNECTION_FAILED;
			SAY_ONCE(&said, "no Mach kernel for this process (pid %ld): %s",
				 (long)getpid(), why);
		}
		atomic_store(&connection.state, state);
	}
	connection_unlock(&signals);
	errno = saved_errno;
	return state == CONNECTION_READY;
}

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
				fds_close(connection.mail[i][j].fds,
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
