/*
 * Options of control sockets.  Source: kernel-control.md §6.
 */
#include "client/bsd/control.h"

#include "client/bsd/next.h"
#include "client/bsd/option.h"
#include "client/bsd/user_memory.h"

#include <errno.h>
#include <string.h>
#include <sys/kern_control.h>

/* ---- at level SYSPROTO_CONTROL: the kext's own ------------------------------------------- */

/* The program's bytes as data of the request.  0; EFAULT; ENOBUFS. */
static int
user_data(struct lane_call *call, const void *value, size_t size)
{
	struct iovec part = { .iov_base = (void *)value, .iov_len = size };

	if (size > LANE_DATA_SIZE)
		return lane_call_data(call, &part, 1, size);
	call->request.size_bytes = (uint32_t)size;
	return user_read(call->slot->data, value, size);
}

/* The kext's answer to the program.  0 or -errno. */
static int
option_give(struct lane_call *call, void *value, socklen_t given, socklen_t *size)
{
	uint64_t length = call->reply.values[0];

	if (value != NULL && given > 0) {
		if (length > given)
			length = given;
		int error = lane_call_take(call, value, (size_t)length);
		if (error != 0)
			return -error;
	}
	socklen_t result = length > UINT32_MAX ? UINT32_MAX : (socklen_t)length;
	return user_write(size, &result, sizeof(result)) != 0 ? -EFAULT : 0;
}

static int
option_get(const struct system_hold *hold, int option, void *value, socklen_t *size)
{
	struct lane_call call;
	socklen_t given;
	bool is_gone;

	if (user_read(&given, size, sizeof(given)) != 0)
		return -EFAULT;
	if (!control_is_attached(control_look(hold)))
		return -EINVAL;
	if (value == NULL)
		given = 0; /* how long is it? */
	int error = control_call_begin(hold, LANE_GETOPT, &call);
	if (error != 0)
		return error == EPIPE ? -EINVAL : -error;
	bool has_buffer = given > 0, is_unreadable = false;
	call.request.args[1] = (uint32_t)option;
	call.request.args[2] = has_buffer;
	call.request.args[3] = given;
	if (has_buffer && given <= LANE_DATA_MAX) {
		error = user_data(&call, value, given);
		is_unreadable = error == EFAULT;
		/* that the callback is missing is told first: ask with a length that is refused */
		if (is_unreadable) {
			call.request.size_bytes = 0;
			call.request.args[3] = (uint64_t)LANE_DATA_MAX + 1;
			error = 0;
		}
	}
	if (error == 0) {
		error = control_call_run(hold, &call, &is_gone);
		if (is_gone || (is_unreadable && error == EINVAL))
			error = is_gone ? EINVAL : EFAULT;
	}
	error = error == 0 ? option_give(&call, value, given, size) : -error;
	lane_call_end(&call);
	return error;
}

static int
option_set(const struct system_hold *hold, int option, const void *value, socklen_t size)
{
	struct lane_call call;
	bool is_gone;

	if (value == NULL && size > 0)
		return -EFAULT;
	if (!control_is_attached(control_look(hold)))
		return -EINVAL;
	int error = control_call_begin(hold, LANE_SETOPT, &call);
	if (error != 0)
		return error == EPIPE ? -EINVAL : -error;
	call.request.args[1] = (uint32_t)option;
	call.request.args[2] = size > 0;
	error = size > LANE_DATA_MAX ? EINVAL : user_data(&call, value, size);
	/* a control without the callback says so first: this comes behind that */
	call.request.args[3] = (uint32_t)error;
	if (error != 0)
		call.request.size_bytes = 0;
	error = control_call_run(hold, &call, &is_gone);
	if (is_gone)
		error = EINVAL;
	lane_call_end(&call);
	return -error;
}

/* ---- at level SOL_SOCKET ----------------------------------------------------------------- */

/* SO_RCVBUF, SO_SNDBUF */
static int
size_set(const struct system_hold *hold, int option, int size)
{
	struct system_socket *socket = hold->socket;
	bool is_receive = option == SO_RCVBUF;
	_Atomic uint32_t *known = is_receive ? &socket->recvsize : &socket->sendsize;

	if (size < 1)
		return -EINVAL;
	bool is_attached = control_is_attached(control_look(hold));
	if (size > SIZE_MAX_OF_SOCKET) {
		if (atomic_load(known) >= SIZE_MAX_OF_SOCKET)
			return -ENOBUFS;
		size = SIZE_MAX_OF_SOCKET;
	}
	if (is_attached) {
		int error = control_call_numbers(hold, LANE_SIZES, is_receive ? (uint64_t)size : 0,
						 is_receive ? 0 : (uint64_t)size, 0, NULL);
		if (error != 0)
			return error == EPIPE ? -EINVAL : -error;
	}
	atomic_store(known, (uint32_t)size);
	return 0;
}

static int
socket_set(const struct system_hold *hold, int option, const void *value, socklen_t size)
{
	int number;

	if (option_is_refused(option))
		return -ENOPROTOOPT;
	int error = option_set_flag(hold, option, value, size);
	if (error <= 0)
		return error;
	switch (option) {
	case SO_RCVBUF:
	case SO_SNDBUF:
		error = option_int(value, size, &number);
		return error != 0 ? error : size_set(hold, option, number);
	case SO_RCVLOWAT:
		error = option_int(value, size, &number);
		if (error == 0 && number < 1)
			error = -EINVAL;
		if (error == 0 && control_is_attached(control_look(hold)))
			control_call_numbers(hold, LANE_SIZES, 0, 0, (uint64_t)number, NULL);
		break;
	default:
		error = 0;
		break;
	}
	if (error != 0)
		return error;
	return NEXT(setsockopt)(hold->fd, SOL_SOCKET, option, value, size) == 0 ? 0 : -errno;
}

static int
socket_get(const struct system_hold *hold, int option, void *value, socklen_t *size)
{
	struct system_socket *socket = hold->socket;
	bool is_dgram = socket->kind == SYSTEM_DGRAM;
	uint64_t values[LANE_VALUE_COUNT];
	int number = 0, error;

	switch (option) {
	case SO_TYPE:
		return option_give_int(value, size, is_dgram ? SOCK_DGRAM : SOCK_STREAM);
	case SO_PROTOCOL:
		return option_give_int(value, size, SYSPROTO_CONTROL);
	case SO_RCVBUF:
	case SO_SNDBUF:
		/* who shares the socket may have changed it */
		if (control_is_attached(control_look(hold)))
			control_refresh(hold);
		return option_give_int(value, size,
				       (int)(option == SO_RCVBUF ? atomic_load(&socket->recvsize)
								 : atomic_load(&socket->sendsize)));
	case SO_NREAD:
		error = control_first_record(hold, &number);
		return error != 0 ? error : option_give_int(value, size, number);
	case SO_NUMRCVPKT:
		if (!is_dgram)
			return -EINVAL;
		if (control_look(hold) == SYSTEM_CONNECTED &&
		    control_call_numbers(hold, LANE_QUEUED, 0, 0, 0, values) == 0)
			number = (int)values[0];
		return option_give_int(value, size, number);
	default:
		return option_get_other(hold, option, value, size);
	}
}

/* ---- both -------------------------------------------------------------------------------- */

int
control_getsockopt(const struct system_hold *hold, int level, int option, void *value,
		   socklen_t *size)
{
	if (level == SOL_SOCKET)
		return socket_get(hold, option, value, size);
	return level == SYSPROTO_CONTROL ? option_get(hold, option, value, size) : -EINVAL;
}

int
control_setsockopt(const struct system_hold *hold, int level, int option, const void *value,
		   socklen_t size)
{
	if (level == SOL_SOCKET)
		return socket_set(hold, option, value, size);
	return level == SYSPROTO_CONTROL ? option_set(hold, option, value, size) : -EINVAL;
}
