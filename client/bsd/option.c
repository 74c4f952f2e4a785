/*
 * Options at level SOL_SOCKET, of any system socket.
 */
#include "client/bsd/option.h"

#include "client/bsd/next.h"
#include "client/bsd/user_memory.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/sys_domain.h>

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

bool
option_is_refused(int option)
{
	switch (option) {
	/* these put control data into every message: there a descriptor means the record's end */
	case SO_PASSCRED:
	case SO_PASSSEC:
	case SO_PASSPIDFD:
	case SO_TIMESTAMP:
	case SO_TIMESTAMPNS:
	case SO_TIMESTAMPING:
	case SO_RXQ_OVFL:
	/* these choose what is read */
	case SO_PEEK_OFF:
	case SO_ATTACH_FILTER:
	case SO_ATTACH_BPF:
	case SO_LOCK_FILTER:
		return true;
	default:
		return false;
	}
}

int
option_int(const void *value, socklen_t size, int *number)
{
	if (size < sizeof(*number))
		return -EINVAL;
	return user_read(number, value, sizeof(*number)) != 0 ? -EFAULT : 0;
}

int
option_give_int(void *value, socklen_t *size, int number)
{
	socklen_t room;

	if (user_read(&room, size, sizeof(room)) != 0)
		return -EFAULT;
	if (room > sizeof(number))
		room = sizeof(number);
	if (user_write(value, &number, room) != 0 || user_write(size, &room, sizeof(room)) != 0)
		return -EFAULT;
	return 0;
}

int
option_set_flag(const struct system_hold *hold, int option, const void *value, socklen_t size)
{
	uint32_t flag = option == SO_NOSIGPIPE ? SYSTEM_NOSIGPIPE : SYSTEM_DONTTRUNC;
	int number, error;

	switch (option) {
	case SO_NOSIGPIPE:
	case SO_DONTTRUNC:
		error = option_int(value, size, &number);
		if (error != 0)
			return error;
		if (number != 0)
			atomic_fetch_or(&hold->socket->flags, flag);
		else
			atomic_fetch_and(&hold->socket->flags, ~flag);
		return 0;
	case SO_SNDLOWAT: /* nothing ever waits for room */
		error = option_int(value, size, &number);
		return error == 0 && number < 1 ? -EINVAL : error;
	case SO_NREAD:
	case SO_NUMRCVPKT:
		return -ENOPROTOOPT;
	default:
		return 1;
	}
}

int
option_get_other(const struct system_hold *hold, int option, void *value, socklen_t *size)
{
	uint32_t flags = atomic_load(&hold->socket->flags);

	switch (option) {
	case SO_NOSIGPIPE:
		return option_give_int(value, size, (flags & SYSTEM_NOSIGPIPE) != 0);
	case SO_DONTTRUNC:
		return option_give_int(value, size, (flags & SYSTEM_DONTTRUNC) != 0);
	case SO_DOMAIN:
		return option_give_int(value, size, AF_SYSTEM);
	default:
		return NEXT(getsockopt)(hold->fd, SOL_SOCKET, option, value, size) == 0 ? 0
											: -errno;
	}
}

int
option_ioctl(const struct system_hold *hold, unsigned long request, void *argument)
{
	switch (request) {
	case FIONBIO:
	case FIOASYNC:
	case FIOCLEX:
	case FIONCLEX:
	case FIOSETOWN:
	case FIOGETOWN:
	case SIOCSPGRP:
	case SIOCGPGRP:
		return NEXT(ioctl)(hold->fd, request, argument) == 0 ? 0 : -errno;
	default:
		return -ENOTSUP;
	}
}
