#include "kexts/utun/utun_tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

_Static_assert(sizeof(pthread_t) == sizeof(uintptr_t), "a pthread_t fits in struct tun");

/* ---- the interface -------------------------------------------------------------------------- */

bool
tun_interface_exists(const char *name)
{
	return if_nametoindex(name) != 0;
}

/* A new IPv6 interface of Linux makes itself an address and sends packets of its own; Darwin's
 * utun does not.  Where there is no IPv6 there is nothing to turn off. */
static void
no_link_local(const char *name)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
		struct rtattr spec, inet6, mode;
		uint8_t mode_value;
		uint8_t pad[3];
	} request = {
		.head = { .nlmsg_len = sizeof(request),
			  .nlmsg_type = RTM_SETLINK,
			  .nlmsg_flags = NLM_F_REQUEST },
		.link = { .ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex(name) },
		.spec = { sizeof(request) - offsetof(__typeof__(request), spec), IFLA_AF_SPEC },
		.inet6 = { sizeof(request) - offsetof(__typeof__(request), inet6), AF_INET6 },
		.mode = { RTA_LENGTH(1), IFLA_INET6_ADDR_GEN_MODE },
		.mode_value = IN6_ADDR_GEN_MODE_NONE,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return;
	/* carried out before it returns */
	(void)!send(fd, &request, sizeof(request), 0);
	close(fd);
}

static int
interface_up(const char *name)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;

	if (fd < 0)
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCGIFFLAGS, &request))
		error = -errno;
	request.ifr_flags |= IFF_UP;
	if (!error && ioctl(fd, SIOCSIFFLAGS, &request))
		error = -errno;
	close(fd);
	return error;
}

int
tun_open(struct tun *tun, const char *name)
{
	struct ifreq request = { .ifr_flags = (short)(IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL) };
	int error;

	*tun = TUN_NONE;
	tun->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (tun->stop_fd < 0)
		return -errno;
	tun->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (tun->fd < 0) {
		error = errno == ENOENT || errno == ENODEV ? -ENXIO : -errno;
		goto failed;
	}
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(tun->fd, TUNSETIFF, &request)) {
		/* the name may belong to an interface that is no TUN */
		error = errno == EINVAL && tun_interface_exists(name) ? -EBUSY : -errno;
		goto failed;
	}
	no_link_local(name);
	error = interface_up(name);
	if (!error)
		return 0;
failed:
	tun_close(tun);
	return error;
}

void
tun_close(struct tun *tun)
{
	if (tun->fd >= 0)
		close(tun->fd);
	if (tun->stop_fd >= 0)
		close(tun->stop_fd);
	*tun = TUN_NONE;
}

/* ---- its thread -------------------------------------------------------------------------------
 */

struct start {
	void (*run)(void *);
	void *argument;
};

static void *
thread_main(void *argument)
{
	struct start start = *(struct start *)argument;

	free(argument);
	start.run(start.argument);
	return NULL;
}

int
tun_start(struct tun *tun, void (*run)(void *), void *argument)
{
	struct start *start = malloc(sizeof(*start));
	sigset_t all, before;
	pthread_t thread;
	int error;

	if (!start)
		return -ENOMEM;
	*start = (struct start){ run, argument };
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, thread_main, start);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		free(start);
		return -error;
	}
	pthread_setname_np(thread, "utun");
	tun->thread = (uintptr_t)thread;
	tun->has_thread = true;
	return 0;
}

void
tun_stop(struct tun *tun)
{
	if (!tun->has_thread)
		return;
	eventfd_write(tun->stop_fd, 1);
	pthread_join((pthread_t)tun->thread, NULL);
	tun->has_thread = false;
}

/* ---- packets ------------------------------------------------------------------------------------
 */

int
tun_read(const struct tun *tun, void *packet, size_t size)
{
	ssize_t got;

	do {
		got = read(tun->fd, packet, size);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : (int)got;
}

int
tun_wait(const struct tun *tun)
{
	struct pollfd polled[2] = { { .fd = tun->fd, .events = POLLIN },
				    { .fd = tun->stop_fd, .events = POLLIN } };

	while (poll(polled, 2, -1) < 0)
		if (errno != EINTR)
			return -errno;
	if (polled[1].revents)
		return -ECANCELED;
	return polled[0].revents & POLLIN ? 0 : -ENXIO;
}

int
tun_write(const struct tun *tun, const struct tun_part *parts, int count)
{
	struct iovec vector[TUN_PARTS_MAX];
	ssize_t done;

	if (count > TUN_PARTS_MAX)
		return -EMSGSIZE;
	for (int i = 0; i < count; i++)
		vector[i] = (struct iovec){ parts[i].bytes, parts[i].size };
	do {
		done = writev(tun->fd, vector, count);
	} while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : 0;
}
