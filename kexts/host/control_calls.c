/*
 * What programs ask for over their lanes.  Source: kernel-control.md §3, §5 to §7.
 */
#include "kexts/host/control.h"

#include "kexts/host/host_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the program is told of an attached socket. */
static void
tell_attached(struct lane *lane, struct connection *connection, struct lane_reply *reply)
{
	const struct control *control = connection->control;
	uint64_t flags = connection_is_connected(connection) ? LANE_IS_CONNECTED : 0;

	if (control_is_stream(control))
		flags |= LANE_IS_STREAM;
	if (control->reg.ctl_rcvd != NULL)
		flags |= LANE_WANTS_RCVD;
	if (control->reg.ctl_send != NULL)
		flags |= LANE_HAS_SEND;
	reply->values[LANE_HANDLE] = lane_handle_of(lane, connection);
	reply->values[LANE_UNIT] = connection->unit;
	reply->values[LANE_ID] = control->reg.ctl_id;
	reply->values[LANE_FLAGS] = flags;
	reply->values[LANE_SENDSIZE] = connection->sendsize;
	reply->values[LANE_RECVSIZE] = connection->recvsize;
}

/* LANE_CONNECT, LANE_BIND */
static int
attach(const struct control_request *request, const struct host_call *call,
       struct lane_reply *reply)
{
	struct sockaddr_ctl address = { 0 };
	size_t size = request->request.size_bytes;

	if (request->program_fd < 0)
		return EINVAL;
	memcpy(&address, request->data, size < sizeof(address) ? size : sizeof(address));

	/* who has bound it before, whatever came of that, need not name the control again */
	struct connection *connection = connection_of_socket(request->program_fd);
	int error = 0;
	if (connection == NULL) {
		struct program *program = request->lane->program;

		if (program_charge(program, PROGRAM_CONNECTIONS, 1) != 0)
			return ENOBUFS;
		error = connection_attach(request->program_fd, &address, request->request.args[0],
					  &call->caller, &connection);
		/* it may be refused later; until it goes it is this program's */
		if (connection != NULL)
			connection->program = program_ref(call->caller.pid);
		if (connection == NULL || connection->program == NULL)
			program_release(program, PROGRAM_CONNECTIONS, 1);
	}
	/* not here: the program may have an old idea of where the control is */
	if (error == -ENOENT) {
		reply->flags |= LANE_NOT_HERE;
		return ENOENT;
	}
	if (error == 0)
		error = request->request.operation == LANE_CONNECT
			    ? connection_connect(connection, &address)
			    : connection_bind(connection, &address);
	if (connection != NULL && (error == 0 || request->request.operation == LANE_BIND))
		tell_attached(request->lane, connection, reply);
	connection_unref(connection);
	return error;
}

static int
adopt(const struct control_request *request, struct lane_reply *reply)
{
	struct connection *connection =
	    request->program_fd < 0 ? NULL : connection_of_socket(request->program_fd);

	if (connection == NULL)
		return ENOTCONN;
	tell_attached(request->lane, connection, reply);
	connection_unref(connection);
	return 0;
}

static int
latched_take(struct connection *connection)
{
	pthread_mutex_lock(&connection->lock);
	int error = connection->latched;
	connection->latched = 0;
	pthread_mutex_unlock(&connection->lock);
	return error;
}

static int
send_data(struct connection *connection, const struct control_request *request,
	  struct lane_reply *reply)
{
	size_t taken = 0;

	connection_drain(connection, false);
	int error = latched_take(connection);
	if (error == 0)
		error = connection_deliver(connection, request->data, request->request.size_bytes,
					   (int)request->request.args[1], &taken);
	if (error != 0)
		statistics.send_fail++;
	/* a stream whose kext has taken some before it said "later" has been written that far */
	if (taken > 0 && (error == EINTR || error == EWOULDBLOCK))
		error = 0;
	reply->values[0] = taken;
	return error;
}

static int
set_option(struct connection *connection, const struct control_request *request)
{
	const struct kern_ctl_reg *reg = &connection->control->reg;
	size_t size = request->request.size_bytes;
	void *data = NULL;

	if (reg->ctl_setopt == NULL)
		return ENOTSUP;
	/* the program's library could not send the value: kernel-control.md §6, rows 4 and 5 */
	if (request->request.args[3] != 0)
		return request->request.args[3] == EFAULT ? EFAULT : EINVAL;
	if (size > 0) {
		data = malloc(size);
		if (data == NULL)
			return ENOMEM;
		memcpy(data, request->data, size);
	}
	struct kext_activity before = callback_begin(connection, "ctl_setopt");
	int error =
	    reg->ctl_setopt(connection->control->cookie, connection->unit, connection->unitinfo,
			    (int)request->request.args[1], data, size);
	kext_activity_end(before);
	free(data);
	return error;
}

/* More than fits in a slot.  0, and a memfd in *@fd; or an errno. */
static int
out_by_memfd(const void *data, size_t size, int *fd)
{
	*fd = memfd_create("berth option", MFD_CLOEXEC);
	if (*fd < 0)
		return ENOMEM;
	for (size_t at = 0; at < size;) {
		ssize_t written = write(*fd, (const uint8_t *)data + at, size - at);

		if (written <= 0) {
			close(*fd);
			*fd = -1;
			return ENOMEM;
		}
		at += (size_t)written;
	}
	return 0;
}

static int
get_option(struct connection *connection, const struct control_request *request,
	   struct lane_reply *reply, uint8_t *out, int *out_fd)
{
	const struct kern_ctl_reg *reg = &connection->control->reg;
	int option = (int)request->request.args[1];
	bool has_buffer = request->request.args[2] != 0 && request->request.args[3] != 0;
	size_t given = request->request.args[3];
	size_t size = has_buffer ? given : 0; /* whatever a program says that it has */
	void *data = NULL;

	if (reg->ctl_getopt == NULL)
		return ENOTSUP;
	if (given > LANE_DATA_MAX)
		return EINVAL;
	if (has_buffer) {
		size_t filled = request->request.size_bytes;

		data = calloc(1, given);
		if (data == NULL)
			return ENOMEM;
		memcpy(data, request->data, filled < given ? filled : given);
	}
	struct kext_activity before = callback_begin(connection, "ctl_getopt");
	int error = reg->ctl_getopt(connection->control->cookie, connection->unit,
				    connection->unitinfo, option, data, &size);
	kext_activity_end(before);
	if (error == 0 && data != NULL && size > given) {
		host_log(
		    "the getopt callback of %s said that it wrote %zu bytes of option %d into a "
		    "buffer of %zu: macOS would panic; the length was cut",
		    reg->ctl_name, size, option, given);
		size = given;
	}
	if (error == 0 && data != NULL) {
		reply->size_bytes = (uint32_t)size;
		if (size > LANE_DATA_SIZE) {
			error = out_by_memfd(data, size, out_fd);
			reply->flags = LANE_OUT_MEMFD;
		} else {
			memcpy(out, data, size);
		}
	}
	free(data);
	reply->values[0] = size;
	return error;
}

static int
received(struct connection *connection, const struct control_request *request)
{
	const struct kern_ctl_reg *reg = &connection->control->reg;

	/* who is only bound has received nothing */
	if (reg->ctl_rcvd == NULL || !connection_is_connected(connection))
		return 0;
	struct kext_activity before = callback_begin(connection, "ctl_rcvd");
	reg->ctl_rcvd(connection->control->cookie, connection->unit, connection->unitinfo,
		      (int)request->request.args[1]);
	kext_activity_end(before);
	return 0;
}

static void
shut_reading(struct connection *connection)
{
	pthread_mutex_lock(&connection->out_lock);
	connection->is_shut = true;
	pthread_mutex_unlock(&connection->out_lock);
}

static uint32_t
clamped(uint64_t size)
{
	return size > SIZE_MAX_OF_SOCKET ? SIZE_MAX_OF_SOCKET : (uint32_t)size;
}

static void
set_sizes(struct connection *connection, const struct control_request *request)
{
	const uint64_t *args = request->request.args;

	pthread_mutex_lock(&connection->out_lock);
	if (args[1] != 0) {
		connection->recvsize = clamped(args[1]);
		record_queue_reserve(&connection->out, connection->recvsize);
	}
	if (args[3] != 0)
		connection->lowat = clamped(args[3]);
	pthread_mutex_unlock(&connection->out_lock);
	if (args[2] != 0) {
		pthread_mutex_lock(&connection->lock);
		connection->sendsize = clamped(args[2]);
		pthread_mutex_unlock(&connection->lock);
	}
}

static void
tell_queued(struct connection *connection, struct lane_reply *reply)
{
	pthread_mutex_lock(&connection->out_lock);
	reply->values[0] = record_queue_count(&connection->out);
	reply->values[1] = record_queue_bytes(&connection->out);
	pthread_mutex_unlock(&connection->out_lock);
}

/* What excludes a detach: the callbacks and what looks at them. */
static int
call_attached(struct connection *connection, const struct control_request *request,
	      struct lane_reply *reply, uint8_t *out, int *out_fd)
{
	switch (request->request.operation) {
	case LANE_SEND:
		return send_data(connection, request, reply);
	case LANE_SETOPT:
		return set_option(connection, request);
	case LANE_GETOPT:
		return get_option(connection, request, reply, out, out_fd);
	case LANE_RCVD:
		return received(connection, request);
	case LANE_SHUT_RD:
		shut_reading(connection);
		return 0;
	case LANE_SIZES:
		set_sizes(connection, request);
		return 0;
	case LANE_QUEUED:
		tell_queued(connection, reply);
		return 0;
	case LANE_MARKED:
		pthread_mutex_lock(&connection->out_lock);
		reply->values[0] = record_queue_last_read_marked(&connection->out);
		pthread_mutex_unlock(&connection->out_lock);
		return 0;
	default:
		return EINVAL;
	}
}

/* Of a socket that is not attached any more: kernel-control.md §6, §7.1. */
static int
error_of_detached(uint32_t operation)
{
	switch (operation) {
	case LANE_SEND:
		return EPIPE;
	case LANE_SETOPT:
	case LANE_GETOPT:
		return EINVAL;
	default:
		return 0;
	}
}

void
control_call(const struct control_request *request, const struct host_call *call,
	     struct lane_reply *reply, uint8_t *out, int *out_fd)
{
	uint32_t operation = request->request.operation;
	bool as_sender = operation == LANE_SEND;

	if (operation == LANE_CONNECT || operation == LANE_BIND) {
		reply->error = attach(request, call, reply);
		return;
	}
	if (operation == LANE_ADOPT) {
		reply->error = adopt(request, reply);
		return;
	}

	struct connection *connection = lane_connection(request->lane, request->request.args[0]);
	if (connection == NULL) {
		reply->error = error_of_detached(operation);
		return;
	}
	if (operation == LANE_CLOSED) {
		if (connection_is_hung_up(connection))
			connection_detach(connection);
	} else if (connection_enter(connection, as_sender)) {
		reply->error = call_attached(connection, request, reply, out, out_fd);
		connection_leave(connection, as_sender);
	} else {
		reply->error = error_of_detached(operation);
	}
	connection_unref(connection);
}
