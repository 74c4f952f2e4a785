/*
 * Connections: client sockets attached to controls.  See control.h for their states.
 */
#include "kexts/host/control.h"

#include "kexts/host/host_log.h"
#include "kexts/host/mbuf_host.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INODE_BUCKETS 16384u
#define DRAIN_MAX 64u /* messages taken at once from a socket, before the others get their turn */
#define RAW_MAX 65536u
#define REAP_PATIENCE_S 1 /* a callback that hangs keeps nobody else for longer */
/* flags of the send callback: kernel-control.md §3 */
#define SEND_OOB 1
#define SEND_MORE 4

_Atomic uint64_t detach_epoch;

static pthread_mutex_t inodes_lock = PTHREAD_MUTEX_INITIALIZER;
static struct connection *inodes[INODE_BUCKETS];

/* ---- looking connections up --------------------------------------------------------- */

void
connection_ref(struct connection *connection)
{
	connection->reference_count++;
}

void
connection_unref(struct connection *connection)
{
	if (connection == NULL || --connection->reference_count > 0)
		return;
	record_queue_deinit(&connection->out);
	pthread_mutex_destroy(&connection->lock);
	pthread_mutex_destroy(&connection->out_lock);
	pthread_cond_destroy(&connection->quiet);
	control_unref(connection->control);
	if (connection->program != NULL)
		program_release(connection->program, PROGRAM_CONNECTIONS, 1);
	program_unref(connection->program);
	free(connection);
}

static void
inode_add(struct connection *connection)
{
	struct connection **bucket = &inodes[connection->inode % INODE_BUCKETS];

	pthread_mutex_lock(&inodes_lock);
	connection->next_of_inode = *bucket;
	*bucket = connection;
	pthread_mutex_unlock(&inodes_lock);
}

static void
inode_remove(struct connection *connection)
{
	struct connection **at = &inodes[connection->inode % INODE_BUCKETS];

	pthread_mutex_lock(&inodes_lock);
	while (*at != NULL && *at != connection)
		at = &(*at)->next_of_inode;
	if (*at != NULL)
		*at = connection->next_of_inode;
	pthread_mutex_unlock(&inodes_lock);
}

/* A Unix socket that could be attached: its type and inode.  0 or an errno. */
static int
socket_look(int fd, bool *is_stream, uint64_t *inode)
{
	struct stat status;
	int domain, type;
	socklen_t size = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX)
		return ENOTSOCK;
	size = sizeof(type);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || fstat(fd, &status) != 0)
		return ENOTSOCK;
	if (type != SOCK_SEQPACKET && type != SOCK_STREAM)
		return EOPNOTSUPP;
	*is_stream = type == SOCK_STREAM;
	*inode = status.st_ino;
	return 0;
}

struct connection *
connection_of_socket(int program_fd)
{
	struct connection *found;
	bool is_stream;
	uint64_t inode;

	/* a socket's file in some file system (O_PATH) has any number that its owner likes */
	if (socket_look(program_fd, &is_stream, &inode) != 0)
		return NULL;
	pthread_mutex_lock(&inodes_lock);
	found = inodes[inode % INODE_BUCKETS];
	while (found != NULL && found->inode != inode)
		found = found->next_of_inode;
	if (found != NULL)
		connection_ref(found);
	pthread_mutex_unlock(&inodes_lock);
	return found;
}

/* ---- attaching ---------------------------------------------------------------------- */

static struct connection *
connection_new(struct control *control, const struct host_caller *caller, uint64_t inode)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (connection == NULL)
		return NULL;
	control->reference_count++;
	connection->control = control;
	connection->reference_count = 1;
	connection->caller = *caller;
	connection->inode = inode;
	connection->fd = -1;
	connection->sendsize = control->reg.ctl_sendsize;
	connection->recvsize = control->reg.ctl_recvsize;
	connection->lowat = 1;
	pthread_mutex_init(&connection->lock, NULL);
	pthread_mutex_init(&connection->out_lock, NULL);
	pthread_cond_init(&connection->quiet, NULL);
	record_queue_init(&connection->out, -1, control_is_stream(control), inode);
	return connection;
}

/* Join the sockets and watch ours.  0 or an errno: then the program's is as it was, or, in the
 * last step, dead. */
static int
connection_join(struct connection *connection, int program_fd)
{
	bool is_stream = control_is_stream(connection->control);
	int fd = listener_join(program_fd, is_stream);

	if (fd < 0)
		return fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -EAGAIN ? ENOBUFS
											: -fd;
	/* its hang-up may come as soon as it is watched: everything that a detach undoes is there
	 */
	pthread_mutex_lock(&connection->lock);
	connection->state = CONNECTION_BOUND;
	pthread_mutex_unlock(&connection->lock);
	inode_add(connection);
	pthread_mutex_lock(&connection->out_lock);
	connection->fd = fd;
	record_queue_deinit(&connection->out);
	record_queue_init(&connection->out, fd, is_stream, connection->inode);
	record_queue_reserve(&connection->out, connection->recvsize);
	int error = source_open(SOURCE_CONNECTION, connection, fd, EPOLLIN, &connection->source);
	if (error != 0) {
		connection->fd = -1;
		close(fd);
	}
	pthread_mutex_unlock(&connection->out_lock);
	if (error != 0)
		inode_remove(connection);
	return error != 0 ? ENOBUFS : 0;
}

static void disconnect_callback(struct connection *connection, enum connection_state from);

int
connection_attach(int program_fd, const struct sockaddr_ctl *address, uint64_t address_size,
		  const struct host_caller *caller, struct connection **result)
{
	uint32_t unit = address->sc_unit;
	bool is_stream;
	uint64_t inode;
	int error = socket_look(program_fd, &is_stream, &inode);

	*result = NULL;
	if (error != 0)
		return error;
	if (address_size != sizeof(*address))
		return EINVAL;
	struct control *control = control_find(address->sc_id, unit);
	if (control == NULL)
		return -ENOENT;
	/* a client that is gone has given its unit back, and its kext knows */
	connections_reap(control);
	struct connection *connection = NULL;
	if (is_stream != control_is_stream(control))
		error = EPROTOTYPE;
	else if ((control->reg.ctl_flags & CTL_FLAG_PRIVILEGED) && caller->euid != 0)
		error = EPERM;
	else if ((connection = connection_new(control, caller, inode)) == NULL)
		error = ENOBUFS;
	if (error == 0)
		error = control_add(control, connection, &unit);
	if (error == 0) {
		statistics.connections++;
		error = connection_join(connection, program_fd);
		if (error != 0) {
			statistics.conn_fail++;
			/* what setup has made for it must not be lost */
			disconnect_callback(connection, CONNECTION_BOUND);
			control_remove(control, connection);
		}
	}
	control_unref(control);
	if (error != 0) {
		connection_unref(connection);
		return error;
	}
	*result = connection;
	return 0;
}

/* The address as callbacks see it: what the program passed, with the final unit. */
static struct sockaddr_ctl
address_of(const struct connection *connection, const struct sockaddr_ctl *address)
{
	struct sockaddr_ctl sac = *address;

	sac.sc_len = sizeof(sac);
	sac.sc_id = connection->control->reg.ctl_id;
	sac.sc_unit = connection->unit;
	return sac;
}

/* ---- callbacks under way ------------------------------------------------------------ */

static bool
is_attached(const struct connection *connection)
{
	return connection->state == CONNECTION_BOUND || connection->state == CONNECTION_CONNECTED;
}

bool
connection_is_connected(struct connection *connection)
{
	pthread_mutex_lock(&connection->lock);
	bool is_connected = connection->state == CONNECTION_CONNECTED;
	pthread_mutex_unlock(&connection->lock);
	return is_connected;
}

bool
connection_enter(struct connection *connection, bool as_sender)
{
	bool entered;

	pthread_mutex_lock(&connection->lock);
	while (connection->is_exclusive || (as_sender && connection->is_sending))
		pthread_cond_wait(&connection->quiet, &connection->lock);
	entered = is_attached(connection) && !connection->is_refused;
	if (entered) {
		connection->running++;
		if (as_sender)
			connection->is_sending = true;
	}
	pthread_mutex_unlock(&connection->lock);
	return entered;
}

void
connection_leave(struct connection *connection, bool as_sender)
{
	pthread_mutex_lock(&connection->lock);
	connection->running--;
	if (as_sender)
		connection->is_sending = false;
	pthread_cond_broadcast(&connection->quiet);
	pthread_mutex_unlock(&connection->lock);
}

/* Alone: no other callback of this connection runs until the opposite. */
static void
exclusive_begin_locked(struct connection *connection)
{
	while (connection->is_exclusive)
		pthread_cond_wait(&connection->quiet, &connection->lock);
	connection->is_exclusive = true;
	while (connection->running > 0)
		pthread_cond_wait(&connection->quiet, &connection->lock);
}

static void
exclusive_end_locked(struct connection *connection)
{
	connection->is_exclusive = false;
	pthread_cond_broadcast(&connection->quiet);
}

int
connection_connect(struct connection *connection, const struct sockaddr_ctl *address)
{
	struct control *control = connection->control;
	struct sockaddr_ctl sac = address_of(connection, address);
	int error = EINVAL;

	pthread_mutex_lock(&connection->lock);
	exclusive_begin_locked(connection);
	enum connection_state state = connection->state;
	pthread_mutex_unlock(&connection->lock);

	struct kext_activity before = callback_begin(connection, "ctl_connect");
	if (state == CONNECTION_BOUND)
		error = control->reg.ctl_connect(control->cookie, &sac, &connection->unitinfo);
	else if (state == CONNECTION_CONNECTED)
		error = EISCONN;
	kext_activity_end(before);

	pthread_mutex_lock(&connection->lock);
	if (state == CONNECTION_BOUND) {
		/* after a refusal, too: its disconnect callback is due, and no other */
		connection->state = CONNECTION_CONNECTED;
		connection->is_refused = error != 0;
	}
	exclusive_end_locked(connection);
	pthread_mutex_unlock(&connection->lock);
	if (state == CONNECTION_BOUND && error != 0) {
		statistics.conn_fail++;
		connection_detach(connection);
	}
	return error;
}

int
connection_bind(struct connection *connection, const struct sockaddr_ctl *address)
{
	struct control *control = connection->control;
	struct sockaddr_ctl sac = address_of(connection, address);

	if (control->reg.ctl_bind == NULL)
		return EINVAL;
	pthread_mutex_lock(&connection->lock);
	exclusive_begin_locked(connection);
	bool is_there = is_attached(connection) && !connection->is_refused;
	pthread_mutex_unlock(&connection->lock);
	struct kext_activity before = callback_begin(connection, "ctl_bind");
	int error =
	    is_there ? control->reg.ctl_bind(control->cookie, &sac, &connection->unitinfo) : EINVAL;
	kext_activity_end(before);
	pthread_mutex_lock(&connection->lock);
	exclusive_end_locked(connection);
	pthread_mutex_unlock(&connection->lock);
	return error;
}

/* ---- the end ------------------------------------------------------------------------ */

/* The connection that this thread runs the disconnect callback of: the callback may call us. */
static __thread struct connection *detaching_here;

static void
disconnect_callback(struct connection *connection, enum connection_state from)
{
	const struct kern_ctl_reg *reg = &connection->control->reg;
	bool was_connected = from == CONNECTION_CONNECTED;
	struct connection *outer = detaching_here;

	/* of a socket that was only bound, a kext hears if it has made something for it */
	if (reg->ctl_disconnect == NULL ||
	    (!was_connected && (reg->ctl_bind == NULL || connection->unitinfo == NULL)))
		return;
	detaching_here = connection;
	struct kext_activity before = callback_begin(connection, "ctl_disconnect");
	reg->ctl_disconnect(connection->control->cookie, connection->unit, connection->unitinfo);
	kext_activity_end(before);
	detaching_here = outer;
}

/* Our end is closed, what was not read is dropped. */
static void
connection_close(struct connection *connection)
{
	pthread_mutex_lock(&connection->out_lock);
	int fd = connection->fd;
	uint32_t source = connection->source;

	connection->fd = -1;
	record_queue_deinit(&connection->out);
	pthread_mutex_unlock(&connection->out_lock);
	detach_epoch++;
	if (fd >= 0) {
		source_close(SOURCE_CONNECTION, source, fd);
		close(fd);
	}
}

void
connection_show_marks(struct connection *connection)
{
	struct binding *binding;

	pthread_mutex_lock(&connection->lock);
	connection->has_marks = true;
	LIST_FOREACH(binding, &connection->bindings, link)
	lane_show_marks(binding->lane, binding->index, true);
	pthread_mutex_unlock(&connection->lock);
}

static void
handles_forget(struct connection *connection)
{
	struct binding *binding;

	for (;;) {
		pthread_mutex_lock(&connection->lock);
		binding = LIST_FIRST(&connection->bindings);
		if (binding != NULL)
			LIST_REMOVE(binding, link);
		pthread_mutex_unlock(&connection->lock);
		if (binding == NULL)
			return;
		lane_forget(binding->lane, binding->index, connection);
		lane_unref(binding->lane);
		free(binding);
	}
}

void
connection_detaching_begin(struct connection *connection)
{
	pthread_mutex_lock(&connection->control->lock);
	connection->control->detaching_count++;
	pthread_mutex_unlock(&connection->control->lock);
}

void
connection_detaching_end(struct connection *connection)
{
	pthread_mutex_lock(&connection->control->lock);
	connection->control->detaching_count--;
	pthread_cond_broadcast(&connection->control->detached);
	pthread_mutex_unlock(&connection->control->lock);
}

static void
detach(struct connection *connection)
{
	struct control *control = connection->control;
	enum connection_state from;

	pthread_mutex_lock(&connection->lock);
	if (!is_attached(connection)) {
		/* somebody is at it: its end is the end of this call, too */
		while (connection->state == CONNECTION_DETACHING && detaching_here != connection)
			pthread_cond_wait(&connection->quiet, &connection->lock);
		pthread_mutex_unlock(&connection->lock);
		return;
	}
	from = connection->state;
	connection->state = CONNECTION_DETACHING;
	exclusive_begin_locked(connection);
	pthread_mutex_unlock(&connection->lock);

	struct host_call call = { .caller = connection->caller };
	struct host_call *outer = host_call_current();
	if (outer == NULL)
		host_call_set_current(&call);
	disconnect_callback(connection, from);
	host_call_set_current(outer);

	inode_remove(connection);
	connection_close(connection);
	handles_forget(connection);
	control_remove(control, connection);

	pthread_mutex_lock(&connection->lock);
	connection->state = CONNECTION_DETACHED;
	exclusive_end_locked(connection);
	pthread_mutex_unlock(&connection->lock);
}

void
connection_detach(struct connection *connection)
{
	/* before it waits for callbacks under way: who connects next waits for those, too */
	connection_detaching_begin(connection);
	detach(connection);
	connection_detaching_end(connection);
}

bool
connection_is_hung_up(struct connection *connection)
{
	struct pollfd end = { .events = 0 };

	pthread_mutex_lock(&connection->out_lock);
	end.fd = connection->fd;
	int ready = end.fd >= 0 ? poll(&end, 1, 0) : 1;
	pthread_mutex_unlock(&connection->out_lock);
	return end.fd < 0 || (ready == 1 && (end.revents & (POLLHUP | POLLERR)) != 0);
}

void
connections_reap(struct control *control)
{
	struct timespec limit;
	int error = 0;

	while (server_poll_connections())
		continue;
	if (detaching_here != NULL)
		return; /* in a disconnect callback: it would wait for itself */
	pthread_mutex_lock(&control->lock);
	if (control->detaching_count > 0) {
		clock_gettime(CLOCK_MONOTONIC, &limit);
		limit.tv_sec += REAP_PATIENCE_S;
	}
	while (control->detaching_count > 0 && error == 0)
		error = pthread_cond_clockwait(&control->detached, &control->lock, CLOCK_MONOTONIC,
					       &limit);
	pthread_mutex_unlock(&control->lock);
}

/* ---- data from the program ---------------------------------------------------------- */

static int
deliver_piece(struct connection *connection, const void *data, size_t size, bool eor, int flags)
{
	const struct kern_ctl_reg *reg = &connection->control->reg;
	mbuf_t m = mbuf_packet_new(data, size, eor);

	if (m == NULL)
		return ENOBUFS;
	struct kext_activity before = callback_begin(connection, "ctl_send");
	int error = reg->ctl_send(connection->control->cookie, connection->unit,
				  connection->unitinfo, m, flags);
	kext_activity_end(before);
	return error;
}

int
connection_deliver(struct connection *connection, const void *data, size_t size, int flags,
		   size_t *taken)
{
	bool is_stream = control_is_stream(connection->control);
	const uint8_t *bytes = data;
	int error = 0;

	*taken = 0;
	if (!connection_is_connected(connection))
		return ENOTCONN;
	if (!is_stream && size > connection->sendsize)
		return EMSGSIZE;
	if (connection->control->reg.ctl_send == NULL)
		return ENOTSUP;
	if (!is_stream) {
		error = deliver_piece(connection, bytes, size, (flags & MSG_EOR) != 0, 0);
		*taken = error == 0 ? size : 0;
		return error;
	}
	while (error == 0 && *taken < size) {
		size_t piece = size - *taken;

		if (piece > connection->sendsize)
			piece = connection->sendsize;
		error = deliver_piece(connection, bytes + *taken, piece, false,
				      ((flags & MSG_OOB) ? SEND_OOB : 0) |
					  (*taken + piece < size ? SEND_MORE : 0));
		if (error == 0)
			*taken += piece;
	}
	return error;
}

void
connection_drain(struct connection *connection, bool to_the_end)
{
	static __thread uint8_t *buffer;
	size_t taken;

	for (uint32_t i = 0; i < DRAIN_MAX || to_the_end; i++) {
		uint8_t probe;
		/* most often there is nothing: that costs no buffer */
		ssize_t size = recv(connection->fd, &probe, 1, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);

		if (size < 0 && errno == ECONNRESET)
			continue; /* it left something unread; what it wrote is still here */
		if (size < 0)
			return;
		if (buffer == NULL)
			buffer = malloc(RAW_MAX);
		if (buffer == NULL)
			return;
		/* no room for descriptors: none gets in */
		size = recv(connection->fd, buffer, RAW_MAX, MSG_TRUNC | MSG_DONTWAIT);
		if (size < 0 || (size == 0 && connection_is_hung_up(connection)))
			return;

		int error = (size_t)size > RAW_MAX
				? EMSGSIZE
				: connection_deliver(connection, buffer, (size_t)size, 0, &taken);
		if (error != 0) {
			statistics.send_fail++;
			pthread_mutex_lock(&connection->lock);
			connection->latched = error;
			pthread_mutex_unlock(&connection->lock);
		}
	}
}

/* Watch our end for what is of interest now. */
static void
connection_arm(struct connection *connection)
{
	pthread_mutex_lock(&connection->out_lock);
	if (connection->fd >= 0)
		source_arm(SOURCE_CONNECTION, connection->source, connection->fd,
			   EPOLLIN | (connection->wants_room ? (uint32_t)EPOLLOUT : 0u));
	pthread_mutex_unlock(&connection->out_lock);
}

void
connection_event(struct connection *connection, uint32_t events)
{
	if (events & EPOLLOUT) {
		pthread_mutex_lock(&connection->out_lock);
		if (connection->fd >= 0 && record_queue_flush(&connection->out) != 0)
			connection->is_shut = true;
		connection->wants_room = record_queue_has_backlog(&connection->out);
		pthread_mutex_unlock(&connection->out_lock);
	}
	if ((events & (EPOLLIN | EPOLLHUP)) && connection_enter(connection, true)) {
		struct host_call call = { .caller = connection->caller };
		struct host_call *outer = host_call_current();

		host_call_set_current(&call);
		connection_drain(connection, (events & EPOLLHUP) != 0);
		host_call_set_current(outer);
		connection_leave(connection, true);
	}
	if (events & (EPOLLHUP | EPOLLERR))
		connection_detach(connection);
	else
		connection_arm(connection);
}
