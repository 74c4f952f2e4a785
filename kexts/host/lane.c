/*
 * Lanes: a program's calls, from its shared memory to the control server and back.
 *
 * All memory of a lane, and all that comes over its socket, is a hostile program's.  What the
 * server decides by is in struct lane.  Source: wire/lane.h.
 */
#include "kexts/host/control.h"

#include "kexts/host/host_log.h"
#include "kexts/host/kernel_link.h"
#include "kexts/host/kext_host.h"
#include "wire/wait.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANDLES_FIRST 8u

/* A handle is the index of one of these, plus 1, and its generation. */
struct lane_handle {
	struct connection *connection; /* counted; NULL: free */
	uint32_t generation;
	uint32_t next_free; /* index + 1 */
};

static void
mail_drop(struct lane_mail *mail)
{
	for (uint32_t i = 0; i < mail->fd_count; i++)
		close(mail->fds[i]);
	mail->fd_count = 0;
}

/* ---- life --------------------------------------------------------------------------- */

void
lane_ref(struct lane *lane)
{
	lane->reference_count++;
}

void
lane_unref(struct lane *lane)
{
	if (lane == NULL || --lane->reference_count > 0)
		return;
	if (lane->memory != NULL)
		munmap(lane->memory, sizeof(*lane->memory));
	if (lane->bell_fd >= 0)
		close(lane->bell_fd);
	if (lane->fd >= 0)
		close(lane->fd);
	if (lane->program != NULL)
		program_release(lane->program, PROGRAM_LANES, 1);
	program_unref(lane->program);
	pthread_mutex_destroy(&lane->lock);
	pthread_mutex_destroy(&lane->mail_lock);
	for (uint32_t i = 0; i < LANE_SLOTS; i++)
		mail_drop(&lane->mail[i]);
	free(lane->handles);
	free(lane);
}

/* The shared memory, mapped here; its descriptor is the caller's.  -errno. */
static int
memory_new(struct lane *lane)
{
	int fd = memfd_create("berth lane", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, sizeof(*lane->memory)) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
		void *memory =
		    mmap(NULL, sizeof(*lane->memory), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (memory != MAP_FAILED) {
			lane->memory = memory;
			lane->memory->bell.host_sleeps = 1;
			return fd;
		}
	}
	int error = -errno;
	close(fd);
	return error;
}

/* A message with up to three descriptors.  0 or -errno. */
static int
lane_send(struct lane *lane, uint32_t kind, uint32_t number, const int *fds, uint32_t fd_count)
{
	struct lane_message text = { .head = { kind, sizeof(text) }, .slot_index = number };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(3 * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec part = { &text, sizeof(text) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd_count > 0) {
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, fd_count * sizeof(int));
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
	}
	return sendmsg(lane->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* The process pays for one more lane.  0, -ENOBUFS, -ENOMEM. */
static int
lane_pay(struct lane *lane)
{
	struct program *program = program_ref(lane->caller.pid);
	int error = program == NULL ? -ENOMEM : program_charge(program, PROGRAM_LANES, 1);

	if (error != 0) {
		program_unref(program);
		return error;
	}
	lane->program = program;
	return 0;
}

void
control_server_lane(const struct wire_kext_lane *from, int fd)
{
	struct lane *lane = calloc(1, sizeof(*lane));
	int on = 1;

	if (lane == NULL) {
		close(fd);
		return;
	}
	lane->reference_count = 1;
	lane->fd = fd;
	lane->caller =
	    (struct host_caller){ from->pid, from->ruid, from->euid, from->rgid, from->egid };
	pthread_mutex_init(&lane->lock, NULL);
	pthread_mutex_init(&lane->mail_lock, NULL);
	lane->bell_fd = -1;
	int error = lane_pay(lane);
	if (error != 0) {
		lane_send(lane, LANE_REFUSED, LANE_VERSION, NULL, 0);
		lane_unref(lane);
		return;
	}
	lane->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int memory_fd = lane->bell_fd >= 0 ? memory_new(lane) : -errno;
	error = memory_fd < 0 ? memory_fd : 0;
	if (error == 0) {
		int fds[3] = { memory_fd, lane->bell_fd, kernel_link_page_fd() };

		fcntl(fd, F_SETFL, O_NONBLOCK);
		setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
		error = lane_send(lane, LANE_WELCOME, LANE_VERSION, fds, 3);
		close(memory_fd);
	}
	if (error == 0)
		error = source_open(SOURCE_BELL, lane, lane->bell_fd, EPOLLIN | EPOLLET,
				    &lane->bell_source);
	if (error == 0) {
		error = source_open(SOURCE_LANE, lane, fd, EPOLLRDHUP, &lane->socket_source);
		if (error != 0)
			source_close(SOURCE_BELL, lane->bell_source, lane->bell_fd);
	}
	if (error != 0 && error != -EPIPE && error != -ECONNRESET)
		host_log("a program (pid %ld) was turned away: %s", (long)from->pid,
			 strerror(-error));
	lane_unref(lane);
}

/* ---- handles -----------------------------------------------------------------------------------
 */

static uint64_t
handle_of(const struct lane *lane, uint32_t index)
{
	return (uint64_t)lane->handles[index].generation << 32 | (index + 1);
}

static bool
handles_reserve(struct lane *lane)
{
	uint32_t count = lane->handle_count == 0 ? HANDLES_FIRST : lane->handle_count * 2;

	if (lane->handle_free != 0)
		return true;
	struct lane_handle *more = realloc(lane->handles, count * sizeof(more[0]));
	if (more == NULL)
		return false;
	lane->handles = more;
	for (uint32_t i = count; i-- > lane->handle_count;) {
		more[i] = (struct lane_handle){ .generation = 1, .next_free = lane->handle_free };
		lane->handle_free = i + 1;
	}
	lane->handle_count = count;
	return true;
}

uint64_t
lane_handle_of(struct lane *lane, struct connection *connection)
{
	struct binding *binding;
	uint64_t handle = 0;

	pthread_mutex_lock(&connection->lock);
	LIST_FOREACH(binding, &connection->bindings, link)
	{
		if (binding->lane == lane)
			break;
	}
	if (binding != NULL) {
		pthread_mutex_lock(&lane->lock);
		handle = handle_of(lane, binding->index);
		pthread_mutex_unlock(&lane->lock);
	} else if ((connection->state == CONNECTION_BOUND ||
		    connection->state == CONNECTION_CONNECTED) &&
		   (binding = malloc(sizeof(*binding))) != NULL) {
		pthread_mutex_lock(&lane->lock);
		bool has_room = !lane->is_dead && handles_reserve(lane);
		if (has_room) {
			uint32_t index = lane->handle_free - 1;

			lane->handle_free = lane->handles[index].next_free;
			lane->handles[index].connection = connection;
			connection_ref(connection);
			handle = handle_of(lane, index);
			lane_show_marks(lane, index, connection->has_marks);
			*binding = (struct binding){ .lane = lane, .index = index };
			lane_ref(lane);
		}
		pthread_mutex_unlock(&lane->lock);
		if (has_room)
			LIST_INSERT_HEAD(&connection->bindings, binding, link);
		else
			free(binding);
	}
	pthread_mutex_unlock(&connection->lock);
	return handle;
}

void
lane_show_marks(struct lane *lane, uint32_t index, bool has_marks)
{
	if (index < LANE_MARKS)
		atomic_store_explicit(&lane->memory->marks[index], has_marks, memory_order_seq_cst);
}

struct connection *
lane_connection(struct lane *lane, uint64_t handle)
{
	uint32_t index = (uint32_t)handle - 1;
	struct connection *connection = NULL;

	pthread_mutex_lock(&lane->lock);
	if ((uint32_t)handle != 0 && index < lane->handle_count &&
	    lane->handles[index].generation == handle >> 32)
		connection = lane->handles[index].connection;
	if (connection != NULL)
		connection_ref(connection);
	pthread_mutex_unlock(&lane->lock);
	return connection;
}

void
lane_forget(struct lane *lane, uint32_t index, struct connection *connection)
{
	bool had = false;

	pthread_mutex_lock(&lane->lock);
	if (lane->handles[index].connection == connection) {
		lane->handles[index].connection = NULL;
		lane->handles[index].generation++;
		lane->handles[index].next_free = lane->handle_free;
		lane->handle_free = index + 1;
		had = true;
	}
	pthread_mutex_unlock(&lane->lock);
	if (had)
		connection_unref(connection);
}

/* The program is gone: it speaks for nothing any more. */
static void
handles_drop(struct lane *lane)
{
	for (uint32_t index = 0;; index++) {
		struct connection *connection = NULL;
		struct binding *binding;

		pthread_mutex_lock(&lane->lock);
		bool is_end = index >= lane->handle_count;
		if (!is_end && (connection = lane->handles[index].connection) != NULL)
			connection_ref(connection);
		pthread_mutex_unlock(&lane->lock);
		if (is_end)
			return;
		if (connection == NULL)
			continue;
		pthread_mutex_lock(&connection->lock);
		LIST_FOREACH(binding, &connection->bindings, link)
		{
			if (binding->lane == lane)
				break;
		}
		if (binding != NULL)
			LIST_REMOVE(binding, link);
		pthread_mutex_unlock(&connection->lock);
		if (binding != NULL) {
			lane_forget(lane, index, connection);
			lane_unref(lane);
			free(binding);
		}
		connection_unref(connection);
	}
}

void
lane_end(struct lane *lane)
{
	pthread_mutex_lock(&lane->lock);
	bool was_dead = lane->is_dead;
	lane->is_dead = true;
	for (uint32_t i = 0; i < LANE_SLOTS; i++) {
		if (lane->running[i].call == NULL)
			continue;
		lane->running[i].call->interrupted = 1;
		sleep_interrupt(lane->running[i].call);
	}
	pthread_mutex_unlock(&lane->lock);
	if (was_dead)
		return;
	handles_drop(lane);
	source_close(SOURCE_BELL, lane->bell_source, lane->bell_fd);
	source_close(SOURCE_LANE, lane->socket_source, lane->fd);
}

/* ---- what came on the socket --------------------------------------------------------- */

/* One LANE_FDS.  Its size, 0 at the end, -errno.  The descriptors are the caller's. */
static ssize_t
mail_receive(struct lane *lane, struct lane_message *text, struct lane_mail *mail)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec part = { text, sizeof(*text) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	ssize_t size;

	*mail = (struct lane_mail){ .fd_count = 0 };
	do
		size = recvmsg(lane->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return -errno;
	for (struct cmsghdr *piece = CMSG_FIRSTHDR(&message); piece != NULL;
	     piece = CMSG_NXTHDR(&message, piece)) {
		if (piece->cmsg_level != SOL_SOCKET)
			continue;
		if (piece->cmsg_type == SCM_RIGHTS) {
			/* as many as there was room for, behind the ids that always come */
			mail->fd_count = (uint32_t)((piece->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			assert(mail->fd_count <= 2);
			memcpy(mail->fds, CMSG_DATA(piece), mail->fd_count * sizeof(int));
		} else if (piece->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&mail->ids, CMSG_DATA(piece), sizeof(mail->ids));
			mail->has_ids = true;
		}
	}
	return size;
}

/* What was sent for the request in that slot; its descriptors are the caller's. */
static struct lane_mail
mail_fetch(struct lane *lane, uint32_t slot_index)
{
	struct lane_message text;
	struct lane_mail mail;

	pthread_mutex_lock(&lane->mail_lock);
	while (lane->mail[slot_index].fd_count == 0) {
		ssize_t size = mail_receive(lane, &text, &mail);

		if (size <= 0) {
			mail_drop(&mail);
			break;
		}
		if (size != sizeof(text) || text.head.kind != LANE_FDS ||
		    text.slot_index >= LANE_SLOTS) {
			mail_drop(&mail);
			continue;
		}
		mail_drop(&lane->mail[text.slot_index]);
		lane->mail[text.slot_index] = mail;
	}
	mail = lane->mail[slot_index];
	lane->mail[slot_index].fd_count = 0;
	pthread_mutex_unlock(&lane->mail_lock);
	return mail;
}

/* ---- one call ------------------------------------------------------------------------- */

/* The slot is this thread's until call_end().  False: a call runs there, which is to be
 * interrupted (that is done), or to be told of (*@is_overdue). */
static bool
call_begin(struct lane *lane, uint32_t slot_index, struct host_call *call, bool *is_overdue)
{
	struct lane_slot *slot = &lane->memory->slots[slot_index];
	struct lane_running *running = &lane->running[slot_index];
	bool is_mine;

	pthread_mutex_lock(&lane->lock);
	is_mine = running->call == NULL && !lane->is_dead &&
		  atomic_load_explicit(&slot->state, memory_order_acquire) == LANE_ASKED;
	if (is_mine) {
		*running = (struct lane_running){ .call = call };
		atomic_store_explicit(&slot->state, LANE_TAKEN, memory_order_relaxed);
	} else if (running->call != NULL && atomic_load(&slot->cancel) != 0) {
		running->call->interrupted = 1;
		sleep_interrupt(running->call);
	}
	*is_overdue = !is_mine && running->call != NULL && atomic_load(&slot->overdue) != 0;
	pthread_mutex_unlock(&lane->lock);
	return is_mine;
}

static void
call_end(struct lane *lane, uint32_t slot_index, const struct lane_reply *reply)
{
	struct lane_slot *slot = &lane->memory->slots[slot_index];

	/* first here, then there: once the program sees the end it may ask again */
	pthread_mutex_lock(&lane->lock);
	lane->running[slot_index].call = NULL;
	pthread_mutex_unlock(&lane->lock);
	slot->reply = *reply;
	atomic_store_explicit(&slot->state, LANE_DONE, memory_order_seq_cst);
	if (atomic_load_explicit(&slot->program_sleeps, memory_order_seq_cst) != 0)
		wait_wake(&slot->state, 1);
}

/* The bytes of a request that came in a memfd, in memory of our own.  0 or an errno. */
static int
fetch_memfd(int fd, size_t size, uint8_t **data)
{
	/* a read of anything else may take for ever */
	if (fcntl(fd, F_GET_SEALS) < 0)
		return EFAULT;
	*data = malloc(size > 0 ? size : 1);
	if (*data == NULL)
		return ENOMEM;
	for (size_t at = 0; at < size;) {
		ssize_t got = pread(fd, *data + at, size - at, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return EFAULT;
		at += (size_t)got;
	}
	return 0;
}

/* What a call may hold besides its slot: what comes and goes by memfd, and the copies of it. */
static uint64_t
call_bytes(const struct lane_request *request)
{
	uint64_t bytes = 0, given = request->args[3];

	if (request->flags & LANE_IN_MEMFD && request->size_bytes <= LANE_DATA_MAX)
		bytes += 2 * (uint64_t)request->size_bytes;
	if (request->operation == LANE_GETOPT && given > LANE_DATA_SIZE && given <= LANE_DATA_MAX)
		bytes += 2 * given;
	return bytes;
}

static void
call_run(struct lane *lane, uint32_t slot_index, struct host_call *call)
{
	struct lane_slot *slot = &lane->memory->slots[slot_index];
	struct control_request request = {
		.lane = lane, .request = slot->request, .data = slot->data, .program_fd = -1
	};
	struct lane_reply reply = { 0 };
	struct lane_mail mail = { .fd_count = 0 };
	uint32_t operation = request.request.operation;
	bool shows = operation == LANE_CONNECT || operation == LANE_BIND || operation == LANE_ADOPT;
	bool in_memfd = (request.request.flags & LANE_IN_MEMFD) != 0;
	uint8_t *fetched = NULL;
	int out_fd = -1;
	uint64_t bytes = call_bytes(&request.request);

	pthread_mutex_lock(&lane->lock);
	lane->running[slot_index].operation = operation;
	lane->running[slot_index].handle = request.request.args[0];
	pthread_mutex_unlock(&lane->lock);
	if (shows || in_memfd)
		mail = mail_fetch(lane, slot_index);
	if (shows && mail.fd_count > 0)
		request.program_fd = mail.fds[0];
	if (shows && mail.has_ids) {
		call->caller.euid = mail.ids.uid;
		call->caller.egid = mail.ids.gid;
	}
	if (bytes > 0 && program_charge(lane->program, PROGRAM_BYTES, bytes) != 0) {
		reply.error = operation == LANE_SEND ? ENOBUFS : ENOMEM;
		bytes = 0;
	}
	if (reply.error == 0 && in_memfd) {
		if (mail.fd_count == 0 || request.request.size_bytes > LANE_DATA_MAX)
			reply.error = EINVAL;
		else
			reply.error = fetch_memfd(mail.fds[mail.fd_count - 1],
						  request.request.size_bytes, &fetched);
		request.data = fetched;
	} else if (reply.error == 0 && request.request.size_bytes > LANE_DATA_SIZE) {
		reply.error = EINVAL;
	}
	if (reply.error == 0)
		control_call(&request, call, &reply, slot->data, &out_fd);
	free(fetched);
	if (bytes > 0)
		program_release(lane->program, PROGRAM_BYTES, bytes);
	/* before the program goes on: what it closes next must be closed then */
	mail_drop(&mail);
	if (out_fd >= 0) {
		if (lane_send(lane, LANE_REPLY, slot_index, &out_fd, 1) != 0)
			reply.error = ENOMEM;
		close(out_fd);
	}
	call_end(lane, slot_index, &reply);
}

static const char *
operation_name(uint32_t operation)
{
	switch (operation) {
	case LANE_CONNECT:
		return "ctl_connect";
	case LANE_BIND:
		return "ctl_bind";
	case LANE_SEND:
		return "ctl_send";
	case LANE_SETOPT:
		return "ctl_setopt";
	case LANE_GETOPT:
		return "ctl_getopt";
	case LANE_RCVD:
		return "ctl_rcvd";
	case LANE_CLOSED:
		return "ctl_disconnect";
	default:
		return "a call";
	}
}

/* A program has waited long: the log says so, once a call. */
static void
tell_overdue(struct lane *lane, uint32_t slot_index)
{
	struct lane_running *running = &lane->running[slot_index];

	pthread_mutex_lock(&lane->lock);
	bool is_news = running->call != NULL && !running->is_overdue;
	uint32_t operation = running->operation;
	uint64_t handle = running->handle;
	running->is_overdue = true;
	pthread_mutex_unlock(&lane->lock);
	if (!is_news)
		return;
	struct connection *connection = lane_connection(lane, handle);
	if (connection != NULL)
		host_log("%s of control %s, unit %u, hangs: a program (pid %ld) has waited for it "
			 "for %u seconds",
			 operation_name(operation), connection->control->reg.ctl_name,
			 connection->unit, (long)lane->caller.pid, LANE_OVERDUE_S);
	else
		host_log("%s hangs: a program (pid %ld) has waited for it for %u seconds",
			 operation_name(operation), (long)lane->caller.pid, LANE_OVERDUE_S);
	connection_unref(connection);
}

void
lane_serve(struct lane *lane, uint32_t slot_index)
{
	struct host_call call = { .caller = lane->caller };
	bool is_overdue;

	if (!call_begin(lane, slot_index, &call, &is_overdue)) {
		if (is_overdue)
			tell_overdue(lane, slot_index);
		return;
	}
	server_keep_awake();
	host_call_set_current(&call);
	call_run(lane, slot_index, &call);
	host_call_set_current(NULL);
}
