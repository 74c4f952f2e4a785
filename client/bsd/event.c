/*
 * Event sockets.
 */
#include "client/bsd/event.h"

#include "client/bsd/control.h"
#include "client/bsd/next.h"
#include "client/bsd/option.h"
#include "client/bsd/user_memory.h"
#include "client/connection.h"
#include "client/trap.h"
#include "wire/kext.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/kern_event.h>
#include <unistd.h>

#define RECEIVE_SPACE 32768u /* bytes, until SO_RCVBUF says otherwise */
#define SEND_SPACE 4096

/* Ask the kernel something, with @fds.  0 or an errno. */
static int
kernel_ask(struct wire_system *ask, const int *fds, uint32_t fd_count,
	   struct wire_system_answer *answer)
{
	sigset_t signals;
	int fd = -1;

	ask->head.kind = WIRE_SYSTEM;
	ask->head.size_bytes = sizeof(*ask);
	if (!connection_ready())
		return ENOTCONN;
	connection_lock(&signals);
	int error = connection_system(ask, fds, fd_count, answer, &fd);
	connection_unlock(&signals);
	if (fd >= 0)
		NEXT(close)(fd);
	return error != 0 ? error : answer->error;
}

int
event_socket(int type_flags)
{
	struct wire_system ask = { .operation = WIRE_SYSTEM_EVENT_OPEN };
	struct wire_system_answer answer;
	int ends[2]; /* the program's, the kernel's */

	if (NEXT(socketpair)(AF_UNIX, SOCK_SEQPACKET | type_flags, 0, ends) != 0)
		return -errno;
	int error = -system_socket_name(ends[0], SYSTEM_EVENT);
	if (error == 0)
		error = kernel_ask(&ask, (int[2]){ ends[1], ends[0] }, 2, &answer);
	NEXT(close)(ends[1]);
	if (error == 0)
		error = -system_add(ends[0], SYSTEM_EVENT, SYSTEM_CONNECTED);
	if (error == 0) {
		struct system_hold hold;
		if (system_take(&hold, ends[0])) {
			atomic_store(&hold.socket->recvsize, RECEIVE_SPACE);
			system_let_go(&hold);
		}
		return ends[0];
	}
	NEXT(close)(ends[0]);
	return error == ENOTCONN ? -ENOTCONN : -ENOBUFS;
}

/* ---- ioctl ------------------------------------------------------------------------------- */

static int
filter_set(const struct system_hold *hold, const void *argument)
{
	struct wire_system ask = { .operation = WIRE_SYSTEM_EVENT_FILTER };
	struct wire_system_answer answer;
	struct kev_request filter;

	if (user_read(&filter, argument, sizeof(filter)) != 0)
		return -EFAULT;
	ask.filter[0] = filter.vendor_code;
	ask.filter[1] = filter.kev_class;
	ask.filter[2] = filter.kev_subclass;
	return -kernel_ask(&ask, &hold->fd, 1, &answer);
}

static int
filter_get(const struct system_hold *hold, void *argument)
{
	struct wire_system ask = { .operation = WIRE_SYSTEM_EVENT_GET };
	struct wire_system_answer answer;
	int error = kernel_ask(&ask, &hold->fd, 1, &answer);

	if (error != 0)
		return -error;
	struct kev_request filter = { answer.filter[0], answer.filter[1], answer.filter[2] };
	return user_write(argument, &filter, sizeof(filter)) != 0 ? -EFAULT : 0;
}

static int
last_id_get(void *argument)
{
	uint64_t values[TRAP_VALUE_COUNT];
	int error = system_trap_errno(TRAP_CALL(BERTH_TRAP_KEV_ID, values, 0));

	if (error != 0)
		return -error;
	u_int32_t id = (u_int32_t)values[0];
	return user_write(argument, &id, sizeof(id)) != 0 ? -EFAULT : 0;
}

static int
vendor_get(void *argument)
{
	uint64_t values[TRAP_VALUE_COUNT];
	struct kev_vendor_code vendor;

	if (user_read(&vendor, argument, sizeof(vendor)) != 0)
		return -EFAULT;
	vendor.vendor_string[sizeof(vendor.vendor_string) - 1] = '\0';
	int error = system_trap_errno(
	    trap_call_in(BERTH_TRAP_KEV_VENDOR, (const uint64_t[TRAP_ARG_COUNT]){ 0 },
			 vendor.vendor_string, (uint32_t)strlen(vendor.vendor_string), values));
	if (error != 0)
		return -error;
	vendor.vendor_code = (u_int32_t)values[0];
	return user_write(argument, &vendor, sizeof(vendor)) != 0 ? -EFAULT : 0;
}

int
event_ioctl(const struct system_hold *hold, unsigned long request, void *argument)
{
	int none = 0;

	switch ((uint32_t)request) {
	case SIOCGKEVID:
		return last_id_get(argument);
	case SIOCSKEVFILT:
		return filter_set(hold, argument);
	case SIOCGKEVFILT:
		return filter_get(hold, argument);
	case SIOCGKEVVENDOR:
		return vendor_get(argument);
	case SIOCATMARK:
		return user_write(argument, &none, sizeof(none)) != 0 ? -EFAULT : 0;
	case FIONREAD:
		return NEXT(ioctl)(hold->fd, request, argument) == 0 ? 0 : -errno;
	default:
		return option_ioctl(hold, request, argument);
	}
}

/* ---- options ----------------------------------------------------------------------------- */

static int
receive_size_set(const struct system_hold *hold, int size)
{
	struct wire_system ask = { .operation = WIRE_SYSTEM_EVENT_SIZE };
	struct wire_system_answer answer;

	if (size < 1)
		return -EINVAL;
	if (size > SIZE_MAX_OF_SOCKET) {
		if (atomic_load(&hold->socket->recvsize) >= SIZE_MAX_OF_SOCKET)
			return -ENOBUFS;
		size = SIZE_MAX_OF_SOCKET;
	}
	ask.number = (uint32_t)size;
	int error = kernel_ask(&ask, &hold->fd, 1, &answer);
	if (error == 0)
		atomic_store(&hold->socket->recvsize, (uint32_t)size);
	return -error;
}

int
event_setsockopt(const struct system_hold *hold, int level, int option, const void *value,
		 socklen_t size)
{
	int number, error;

	if (level != SOL_SOCKET || option_is_refused(option))
		return -ENOPROTOOPT;
	error = option_set_flag(hold, option, value, size);
	if (error <= 0)
		return error;
	switch (option) {
	case SO_RCVBUF:
	case SO_SNDBUF:
	case SO_RCVLOWAT:
		error = option_int(value, size, &number);
		if (error == 0 && number < 1)
			error = -EINVAL;
		if (error != 0 || option == SO_SNDBUF)
			return error;
		if (option == SO_RCVBUF)
			return receive_size_set(hold, number);
		break;
	default:
		break;
	}
	return NEXT(setsockopt)(hold->fd, SOL_SOCKET, option, value, size) == 0 ? 0 : -errno;
}

int
event_getsockopt(const struct system_hold *hold, int level, int option, void *value,
		 socklen_t *size)
{
	uint32_t recvsize = atomic_load(&hold->socket->recvsize);

	if (level != SOL_SOCKET)
		return -ENOPROTOOPT;
	switch (option) {
	case SO_TYPE:
		return option_give_int(value, size, SOCK_RAW);
	case SO_PROTOCOL:
		return option_give_int(value, size, SYSPROTO_EVENT);
	case SO_RCVBUF:
		return option_give_int(value, size,
				       (int)(recvsize != 0 ? recvsize : RECEIVE_SPACE));
	case SO_SNDBUF:
		return option_give_int(value, size, SEND_SPACE);
	case SO_NREAD: {
		/* one event is one message */
		ssize_t first = NEXT(recv)(hold->fd, NULL, 0, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);
		return option_give_int(value, size, first > 0 ? (int)first : 0);
	}
	case SO_NUMRCVPKT: /* of datagrams only */
		return -EINVAL;
	default:
		return option_get_other(hold, option, value, size);
	}
}
