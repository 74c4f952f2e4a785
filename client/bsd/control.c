/*
 * Control sockets: making, naming, attaching, and what the kexthost is asked about them.
 */
#include "client/bsd/control.h"

#include "client/bsd/next.h"
#include "client/bsd/option.h"
#include "client/bsd/user_memory.h"
#include "client/trap.h"

#include <mach/message.h>

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <sys/random.h>
#include <sys/un.h>
#include <unistd.h>

#define ADDRESS_SIZE_MAX 255 /* bytes: longer ones are absurd */
#define NAME_TRIES 8         /* another socket may have just this name */

/* ---- making ------------------------------------------------------------------------------ */

int
system_socket_name(int fd, enum system_kind kind)
{
	static const char *const prefixes[] = { [SYSTEM_DGRAM] = SYSTEM_SOCKET_DGRAM,
						[SYSTEM_STREAM] = SYSTEM_SOCKET_STREAM,
						[SYSTEM_EVENT] = SYSTEM_SOCKET_EVENT };
	static _Atomic uint32_t counter;
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	for (int i = 0; i < NAME_TRIES; i++) {
		uint64_t random = 0;

		if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
			random = wait_now_ns();
		/* after the NUL of an abstract name */
		int length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1,
				      "%s%lx.%x.%llx", prefixes[kind], (long)getpid(),
				      atomic_fetch_add(&counter, 1), (unsigned long long)random);
		if (NEXT(bind)(fd, (struct sockaddr *)&address,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1) +
				   (socklen_t)length) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -errno;
	}
	return -EADDRINUSE;
}

int
control_socket(enum system_kind kind, int type_flags)
{
	int type = kind == SYSTEM_STREAM ? SOCK_STREAM : SOCK_SEQPACKET;
	int fd = NEXT(socket)(AF_UNIX, type | type_flags, 0);

	if (fd < 0)
		return -errno;
	int error = system_socket_name(fd, kind);
	if (error == 0)
		error = system_add(fd, kind, SYSTEM_FRESH);
	if (error != 0) {
		NEXT(close)(fd);
		return error == -EADDRINUSE ? -ENOBUFS : error;
	}
	return fd;
}

/* ---- what it is -------------------------------------------------------------------------- */

bool
control_is_hung_up(int fd)
{
	struct pollfd end = { .fd = fd, .events = 0 };

	return poll(&end, 1, 0) > 0 && (end.revents & POLLHUP) != 0;
}

/* The kexthost that the socket is connected to.  0: none; ENOTCONN: to nothing at all. */
static int
peer_host(int fd, uint32_t *host_id)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(address);
	char path[sizeof(address.sun_path) + 1];
	char *end;

	*host_id = 0;
	if (NEXT(getpeername)(fd, (struct sockaddr *)&address, &size) != 0)
		return ENOTCONN;
	if (size <= offsetof(struct sockaddr_un, sun_path) || address.sun_family != AF_UNIX)
		return 0;
	memcpy(path, address.sun_path, sizeof(address.sun_path));
	path[sizeof(address.sun_path)] = '\0';
	const char *name = strrchr(path, '/');
	name = strstr(name != NULL ? name : path, KEXTHOST_SOCKET_NAME);
	if (name == NULL)
		return 0;
	name += sizeof(KEXTHOST_SOCKET_NAME) - 1;
	unsigned long number = strtoul(name, &end, 16);
	if (end != name && *end == '\0' && number <= UINT32_MAX)
		*host_id = (uint32_t)number;
	return 0;
}

/* Remember what the kexthost behind @lane says of an attached socket. */
static void
attached(struct system_socket *socket, struct lane *lane, const uint64_t *values)
{
	uint32_t flags = 0;
	sigset_t signals;

	if ((values[LANE_FLAGS] & LANE_WANTS_RCVD) != 0)
		flags |= SYSTEM_WANTS_RCVD;
	if ((values[LANE_FLAGS] & LANE_HAS_SEND) != 0)
		flags |= SYSTEM_HAS_SEND;
	system_lock(&signals);
	for (uint32_t i = 0; i < SYSTEM_LANES; i++) {
		struct system_attachment *at = &socket->attachments[i];
		struct lane *there = atomic_load(&at->lane);

		if (there == lane)
			break;
		if (there != NULL)
			continue;
		at->handle = values[LANE_HANDLE];
		lane_ref(lane);
		atomic_store_explicit(&at->lane, lane, memory_order_release);
		if (i == 0 && (uint32_t)at->handle - 1 < LANE_MARKS)
			atomic_store_explicit(&socket->mark,
					      &lane->memory->marks[(uint32_t)at->handle - 1],
					      memory_order_release);
		break;
	}
	atomic_store(&socket->host_id, lane->host_id);
	atomic_store(&socket->unit, (uint32_t)values[LANE_UNIT]);
	atomic_store(&socket->id, (uint32_t)values[LANE_ID]);
	atomic_store(&socket->sendsize, (uint32_t)values[LANE_SENDSIZE]);
	atomic_store(&socket->recvsize, (uint32_t)values[LANE_RECVSIZE]);
	atomic_fetch_or(&socket->flags, flags);
	atomic_store(&socket->state, (values[LANE_FLAGS] & LANE_IS_CONNECTED) != 0
					 ? SYSTEM_CONNECTED
					 : SYSTEM_BOUND);
	system_unlock(&signals);
}

/* Errors that kext code made up are no errno. */
static int
reply_error(const struct lane_call *call)
{
	int error = call->reply.error;

	if (error < 0)
		return error == -1 ? EINTR : EINVAL; /* -1: Darwin's ERESTART */
	return error;
}

/* Ask in the slot of @call, which is free again then, for a handle.  0 or an errno. */
static int
adopt_in(const struct system_hold *hold, struct lane_call *call)
{
	memset(&call->request, 0, sizeof(call->request));
	call->request.operation = LANE_ADOPT;
	int error = lane_call_run(call, hold->fd);
	if (error == 0)
		error = reply_error(call);
	if (error == 0 && call->reply.values[LANE_HANDLE] == 0)
		error = ENOTCONN;
	if (error == 0)
		attached(hold->socket, call->lane, call->reply.values);
	memset(&call->request, 0, sizeof(call->request));
	return error;
}

static int
adopt(const struct system_hold *hold, uint32_t host_id)
{
	struct lane_call call;
	int error = lane_call_begin(host_id, &call);

	if (error != 0)
		return error;
	error = adopt_in(hold, &call);
	lane_call_end(&call);
	return error;
}

enum system_state
control_look(const struct system_hold *hold)
{
	struct system_socket *socket = hold->socket;
	enum system_state state = atomic_load(&socket->state);
	int saved_errno = errno;
	uint32_t host_id;
	int error;

	/* who shares it may attach and connect it, and no more */
	if (state == SYSTEM_CONNECTED || state == SYSTEM_DEAD)
		return state;
	if (peer_host(hold->fd, &host_id) != 0) {
		state = SYSTEM_FRESH;
	} else if (control_is_hung_up(hold->fd)) {
		state = SYSTEM_DEAD;
	} else if (host_id == 0) {
		state = SYSTEM_FOREIGN;
	} else if ((error = adopt(hold, host_id)) == 0) {
		errno = saved_errno;
		return atomic_load(&socket->state);
	} else {
		state = control_is_hung_up(hold->fd) ? SYSTEM_DEAD : SYSTEM_FOREIGN;
	}
	errno = saved_errno;
	atomic_store(&socket->state, state);
	return state;
}

void
control_refresh(const struct system_hold *hold)
{
	adopt(hold, atomic_load(&hold->socket->host_id));
}

/* ---- calls about an attached socket ------------------------------------------------------ */

/* A slot in a lane that the socket has a handle in. */
static bool
call_by_handle(const struct system_socket *socket, struct lane_call *call)
{
	for (uint32_t i = 0; i < SYSTEM_LANES; i++) {
		const struct system_attachment *at = &socket->attachments[i];
		struct lane *lane = atomic_load_explicit(&at->lane, memory_order_acquire);

		if (lane == NULL)
			return false;
		if (lane_call_on(lane, call)) {
			call->request.args[0] = at->handle;
			return true;
		}
	}
	return false;
}

int
control_call_begin(const struct system_hold *hold, uint32_t operation, struct lane_call *call)
{
	struct system_socket *socket = hold->socket;

	if (!call_by_handle(socket, call)) {
		/* all slots are taken, or the kexthost is gone */
		int error = lane_call_begin(atomic_load(&socket->host_id), call);
		if (error != 0)
			return error == ENOENT ? EPIPE : error;
		error = adopt_in(hold, call);
		if (error != 0) {
			lane_call_end(call);
			return error == ENOTCONN ? EPIPE : error;
		}
		call->request.args[0] = call->reply.values[LANE_HANDLE];
	}
	call->request.operation = operation;
	return 0;
}

int
control_call_run(const struct system_hold *hold, struct lane_call *call, bool *is_gone)
{
	int error = lane_call_run(call, -1);

	*is_gone = error != 0;
	if (error != 0)
		atomic_store(&hold->socket->state, SYSTEM_DEAD);
	return error != 0 ? error : reply_error(call);
}

int
control_call_numbers(const struct system_hold *hold, uint32_t operation, uint64_t first,
		     uint64_t second, uint64_t third, uint64_t values[LANE_VALUE_COUNT])
{
	struct lane_call call;
	bool is_gone;
	int error = control_call_begin(hold, operation, &call);

	if (error != 0)
		return error;
	call.request.args[1] = first;
	call.request.args[2] = second;
	call.request.args[3] = third;
	error = control_call_run(hold, &call, &is_gone);
	if (error == 0 && values != NULL)
		memcpy(values, call.reply.values, sizeof(call.reply.values));
	lane_call_end(&call);
	return error;
}

void
control_closed(struct system_socket *socket)
{
	struct lane_call call;
	int saved_errno = errno;

	/* a process that has no handle has not used it, or is not the last to have it */
	if (!call_by_handle(socket, &call))
		return;
	call.request.operation = LANE_CLOSED;
	lane_call_run(&call, -1);
	lane_call_end(&call);
	errno = saved_errno;
}

/* ---- bind and connect -------------------------------------------------------------------- */

int
system_trap_errno(int code)
{
	if (code == MACH_SEND_INVALID_DEST)
		return ENOTCONN; /* no kernel */
	return code == KERN_RESOURCE_SHORTAGE ? ENOBUFS : code;
}

/* Copy an address in.  0; -EINVAL, -ENAMETOOLONG, -EFAULT. */
static int
address_read(const struct sockaddr *from, socklen_t size, struct sockaddr_ctl *address)
{
	uint8_t bytes[ADDRESS_SIZE_MAX] = { 0 };

	if (size < 2)
		return -EINVAL;
	if (size > sizeof(bytes))
		return -ENAMETOOLONG;
	if (user_read(bytes, from, size) != 0)
		return -EFAULT;
	memcpy(address, bytes, sizeof(*address));
	return 0;
}

/* The kexthost of the control that @address means, as kernel-control.md §5.1, rows 7 and 8. */
static int
control_find_host(const struct sockaddr_ctl *address, socklen_t size, uint32_t *host_id)
{
	uint64_t values[TRAP_VALUE_COUNT];

	if (size != sizeof(*address))
		return EINVAL;
	int error = system_trap_errno(
	    TRAP_CALL(BERTH_TRAP_CTL_FIND, values, address->sc_id, address->sc_unit));
	*host_id = (uint32_t)values[0];
	return error;
}

/*
 * Where the control of one id was last found: the id, and the kexthost in the upper half.  A
 * kexthost that does not have it any more says so.
 */
static _Atomic uint64_t last_found;

/* One try at that kexthost.  0 or an errno; *@is_elsewhere: the control is not there. */
static int
attach_at(const struct system_hold *hold, uint32_t host_id, uint32_t operation,
	  const struct sockaddr_ctl *address, socklen_t size, bool *is_elsewhere)
{
	struct iovec data = { .iov_base = (void *)address, .iov_len = sizeof(*address) };
	struct lane_call call;
	int error = lane_call_begin(host_id, &call);

	*is_elsewhere = error == ENOENT;
	if (error != 0)
		return error;
	call.request.operation = operation;
	call.request.args[0] = size;
	lane_call_data(&call, &data, 1, sizeof(*address));
	bool is_gone = lane_call_run(&call, hold->fd) != 0;
	error = is_gone ? ENOENT : reply_error(&call);
	*is_elsewhere = is_gone || (call.reply.flags & LANE_NOT_HERE) != 0;
	if (!is_gone && call.reply.values[LANE_HANDLE] != 0)
		attached(hold->socket, call.lane, call.reply.values);
	else if (error != 0)
		atomic_store(&hold->socket->state, SYSTEM_UNKNOWN); /* fresh, or dead: look */
	lane_call_end(&call);
	return error;
}

/* LANE_CONNECT or LANE_BIND.  0 or -errno. */
static int
attach(const struct system_hold *hold, enum system_state state, uint32_t operation,
       const struct sockaddr_ctl *address, socklen_t size)
{
	uint32_t host_id = atomic_load(&hold->socket->host_id);
	uint64_t found = atomic_load(&last_found);
	bool is_elsewhere;

	if (state == SYSTEM_BOUND)
		return -attach_at(hold, host_id, operation, address, size, &is_elsewhere);
	if (found != 0 && (uint32_t)found == address->sc_id && size == sizeof(*address)) {
		int error = attach_at(hold, (uint32_t)(found >> 32), operation, address, size,
				      &is_elsewhere);
		if (!is_elsewhere)
			return -error;
		atomic_store(&last_found, 0);
	}
	int error = control_find_host(address, size, &host_id);
	if (error != 0)
		return -error;
	atomic_store(&last_found, (uint64_t)host_id << 32 | address->sc_id);
	return -attach_at(hold, host_id, operation, address, size, &is_elsewhere);
}

int
control_bind(const struct system_hold *hold, const struct sockaddr *address, socklen_t size)
{
	struct sockaddr_ctl copy;

	if (address == NULL)
		return -EDESTADDRREQ;
	int error = address_read(address, size, &copy);
	if (error != 0)
		return error;
	enum system_state state = control_look(hold);
	if (state == SYSTEM_DEAD || state == SYSTEM_FOREIGN)
		return -EINVAL;
	/* attached already: which control is meant is known */
	return attach(hold, state == SYSTEM_CONNECTED ? SYSTEM_BOUND : state, LANE_BIND, &copy,
		      size);
}

int
control_connect(const struct system_hold *hold, const struct sockaddr *address, socklen_t size)
{
	struct sockaddr_ctl copy;
	uint32_t host_id;
	int error = address_read(address, size, &copy);

	if (error != 0)
		return error;
	enum system_state state = control_look(hold);
	if (state == SYSTEM_CONNECTED || state == SYSTEM_FOREIGN)
		return -EISCONN;
	if (state == SYSTEM_DEAD) /* says yes, and stays shut: kernel-control.md §3.1 */
		return -control_find_host(&copy, size, &host_id);
	return attach(hold, state, LANE_CONNECT, &copy, size);
}

/* ---- the rest ---------------------------------------------------------------------------- */

int
control_listen(const struct system_hold *hold)
{
	return control_look(hold) == SYSTEM_CONNECTED ? -EINVAL : -EOPNOTSUPP;
}

int
control_getpeername(const struct system_hold *hold, struct sockaddr *address, socklen_t *size)
{
	enum system_state state = control_look(hold);
	socklen_t room;

	if (state == SYSTEM_DEAD || (state == SYSTEM_CONNECTED && control_is_hung_up(hold->fd)))
		return -EINVAL;
	if (state != SYSTEM_CONNECTED)
		return -ENOTCONN;
	struct sockaddr_ctl name = { .sc_len = sizeof(name),
				     .sc_family = AF_SYSTEM,
				     .ss_sysaddr = AF_SYS_CONTROL,
				     .sc_id = atomic_load(&hold->socket->id),
				     .sc_unit = atomic_load(&hold->socket->unit) };
	if (user_read(&room, size, sizeof(room)) != 0)
		return -EFAULT;
	if (room > sizeof(name))
		room = sizeof(name);
	if (user_write(address, &name, room) != 0 ||
	    user_write(size, &(socklen_t){ sizeof(name) }, sizeof(*size)) != 0)
		return -EFAULT;
	return 0;
}

int
control_shutdown(const struct system_hold *hold, int how)
{
	struct system_socket *socket = hold->socket;
	uint8_t rest[512];

	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	if (control_look(hold) != SYSTEM_CONNECTED || control_is_hung_up(hold->fd))
		return -ENOTCONN;
	if (how == SHUT_WR)
		return -EOPNOTSUPP;
	/* the kext sends no more, then nothing comes any more, then what has come is dropped */
	control_call_numbers(hold, LANE_SHUT_RD, 0, 0, 0, NULL);
	NEXT(shutdown)(hold->fd, SHUT_RD);
	atomic_fetch_or(&socket->flags, SYSTEM_IS_SHUT);
	atomic_store(&socket->read_bytes, 0);
	struct iovec part = { .iov_base = rest, .iov_len = sizeof(rest) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct sockaddr_un sender;
	do {
		/* an empty record has a sender, the end has none */
		message.msg_name = &sender;
		message.msg_namelen = sizeof(sender);
	} while (NEXT(recvmsg)(hold->fd, &message, MSG_DONTWAIT) >= 0 && message.msg_namelen > 0);
	return how == SHUT_RDWR ? -EOPNOTSUPP : 0;
}

/* CTLIOCGINFO */
static int
ioctl_info(void *argument)
{
	uint64_t values[TRAP_VALUE_COUNT];
	struct ctl_info info;

	if (user_read(&info, argument, sizeof(info)) != 0)
		return -EFAULT;
	size_t length = strnlen(info.ctl_name, sizeof(info.ctl_name));
	if (length == 0 || length == sizeof(info.ctl_name))
		return -EINVAL;
	int error = system_trap_errno(trap_call_in(BERTH_TRAP_CTL_INFO,
						   (const uint64_t[TRAP_ARG_COUNT]){ 0 },
						   info.ctl_name, (uint32_t)length, values));
	if (error != 0)
		return -error;
	info.ctl_id = (uint32_t)values[0];
	return user_write(argument, &info, sizeof(info)) != 0 ? -EFAULT : 0;
}

static int
ioctl_int(void *argument, int value)
{
	return user_write(argument, &value, sizeof(value)) != 0 ? -EFAULT : 0;
}

int
control_ioctl(const struct system_hold *hold, unsigned long request, void *argument)
{
	uint64_t values[TRAP_VALUE_COUNT];
	int queued = 0, error;

	switch ((uint32_t)request) { /* Darwin's are 32 bits, and programs let them grow signs */
	case CTLIOCGINFO:
		return ioctl_info(argument);
	case CTLIOCGCOUNT:
		error = system_trap_errno(TRAP_CALL(BERTH_TRAP_CTL_COUNT, values, 0));
		return error != 0 ? -error : ioctl_int(argument, (int)values[0]);
	case FIONREAD:
		if (NEXT(ioctl)(hold->fd, FIONREAD, &queued) != 0)
			queued = 0;
		return ioctl_int(argument, queued - (int)atomic_load(&hold->socket->read_bytes));
	case SIOCATMARK:
		return ioctl_int(argument, 0);
	default:
		return option_ioctl(hold, request, argument);
	}
}
