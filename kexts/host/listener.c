/*
 * The sockets that programs' control sockets are connected to.
 */
#include "kexts/host/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * Nobody connects to these but we ourselves, on behalf of programs: they are unlinked at once,
 * and reached by a descriptor.  `lock` makes a connect and the accept that belongs to it one.
 */
static struct {
	pthread_mutex_t lock;
	int fd;         /* listens */
	bool has_stray; /* somebody was connected, but not accepted: no descriptor was free */
	char at[32];    /* "/proc/self/fd/N" of the unlinked file */
} listeners[2] = { { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 },
		   { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 } };

static int
listen_one(int which, uint32_t host_id, const char *folder)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int type = which ? SOCK_STREAM : SOCK_SEQPACKET;
	int folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[64];
	int error = 0;

	if (folder_fd < 0)
		return -errno;
	snprintf(name, sizeof(name), "%s" KEXTHOST_SOCKET_NAME "%x", which ? "stream." : "",
		 host_id);
	/* the folder's own path may be longer than an address holds */
	int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", folder, name);
	if (length < 0 || (size_t)length >= sizeof(address.sun_path))
		snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
			 folder_fd, name);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlinkat(folder_fd, name, 0); /* of one that was killed just there */
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(fd, SOMAXCONN) != 0)
		error = -errno;
	int file_fd = error == 0 ? openat(folder_fd, name, O_PATH | O_CLOEXEC) : -1;
	if (error == 0 && file_fd < 0)
		error = -errno;
	unlinkat(folder_fd, name, 0);
	close(folder_fd);
	if (error != 0) {
		if (fd >= 0)
			close(fd);
		return error;
	}
	listeners[which].fd = fd;
	snprintf(listeners[which].at, sizeof(listeners[which].at), "/proc/self/fd/%d", file_fd);
	return 0;
}

int
listener_start(uint32_t host_id, const char *folder)
{
	int error = listen_one(0, host_id, folder);

	return error != 0 ? error : listen_one(1, host_id, folder);
}

/* Who waits to be accepted now is not whom the next accept is for.  0 or -errno. */
static int
strays_drop_locked(int which)
{
	int fd;

	while ((fd = accept4(listeners[which].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		close(fd);
	if (errno != EAGAIN)
		return -errno;
	listeners[which].has_stray = false;
	return 0;
}

/* Did we connect it ourselves?  A process of the same user can reach our listener, too, through
 * /proc. */
static bool
is_ours(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == getpid();
}

/* The connection that we have just made.  -errno. */
static int
accept_ours_locked(int which)
{
	for (;;) {
		int fd = accept4(listeners[which].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return -errno;
		if (is_ours(fd))
			return fd;
		close(fd);
	}
}

int
listener_join(int program_fd, bool is_stream)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int which = is_stream;
	int error = 0, fd = -1;

	memcpy(address.sun_path, listeners[which].at, sizeof(listeners[which].at));
	pthread_mutex_lock(&listeners[which].lock);
	if (listeners[which].has_stray)
		error = strays_drop_locked(which);
	if (error == 0 && connect(program_fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		error = -errno;
	if (error == 0) {
		fd = accept_ours_locked(which);
		error = fd < 0 ? fd : 0;
		listeners[which].has_stray = fd < 0;
	}
	pthread_mutex_unlock(&listeners[which].lock);
	return error != 0 ? error : fd;
}
