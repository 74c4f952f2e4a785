/*
 * Where a user's or a system's kernel listens.
 *
 * A lock beside the socket is held for as long as the kernel runs: so there is one kernel
 * an address, and a socket without a holder of the lock is a dead one's and may go.
 *
 * A private kernel listens where its owner, `berth run`, has bound a socket in a folder made
 * for it.  The owner removes both; the kernel does, too, for an owner who was killed.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SYSTEM_FOLDER "/run/berth"
#define SOCKET_NAME "kernel"
#define LOCK_NAME "kernel.running"
#define PRIVATE_FOLDER_PREFIX "berth-run." /* of tools/private_kernel.c */
#define ENDING_NS 5000000000u              /* a kernel that ends takes less */

/* Is @path a folder of ours, and no link, with none of the permissions @forbidden?  0, -errno. */
static int
check_folder(const char *path, mode_t forbidden)
{
	struct stat status;

	if (lstat(path, &status) != 0)
		return -errno;
	if (!S_ISDIR(status.st_mode))
		return -ENOTDIR; /* a symbolic link, too */
	if (status.st_uid != geteuid() || (status.st_mode & forbidden) != 0)
		return -EPERM;
	return 0;
}

/* Makes the folder if it is not there, and checks it. */
static int
make_folder_checked(const char *path, mode_t mode)
{
	if (mkdir(path, mode) != 0 && errno != EEXIST)
		return -errno;
	return check_folder(path, (mode_t)(~mode & 0777));
}

int
address_user_path(char *path, size_t size, bool make_folder)
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	char folder[PATH_MAX];
	int n, error;

	if (runtime != NULL && runtime[0] == '/' && check_folder(runtime, S_IWGRP | S_IWOTH) == 0)
		n = snprintf(folder, sizeof(folder), "%s/berth", runtime);
	else
		n = snprintf(folder, sizeof(folder), "/tmp/berth-%u", (unsigned)geteuid());
	if (n < 0 || (size_t)n >= sizeof(folder))
		return -ENAMETOOLONG;
	if (make_folder) {
		error = make_folder_checked(folder, 0700);
		if (error != 0)
			return error;
	}
	n = snprintf(path, size, "%s/" SOCKET_NAME, folder);
	return n > 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

/*
 * Take the lock at @path.  A lock file is removed when its kernel ends, perhaps between our
 * opening and our locking it: so it counts only if it is still what the path names.
 *
 * The descriptor; -EWOULDBLOCK: a kernel runs; -errno.
 */
static int
take_lock(const char *path)
{
	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		struct stat ours, theirs;

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
			int error = -errno;

			close(fd);
			return error;
		}
		if (fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 &&
		    ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev)
			return fd;
		close(fd);
	}
}

/* The same, but one that is just ending, whose socket is gone already, is waited for. */
static int
take_lock_of(const char *path, const char *socket_path)
{
	uint64_t limit_ns = wait_now_ns() + ENDING_NS;
	int fd;

	while ((fd = take_lock(path)) == -EWOULDBLOCK && access(socket_path, F_OK) != 0 &&
	       wait_now_ns() < limit_ns)
		poll(NULL, 0, 10);
	return fd;
}

/* A listening socket at @path.  The descriptor, -errno. */
static int
listen_at(struct host *host, const char *path, mode_t mode)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat status;
	int fd, error;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* a dead kernel's: we hold the lock */
	if ((unlink(path) != 0 && errno != ENOENT) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || chmod(path, mode) != 0 ||
	    stat(path, &status) != 0 || listen(fd, SOMAXCONN) != 0) {
		error = -errno;
		close(fd);
		return error;
	}
	host->socket_device = status.st_dev;
	host->socket_inode = status.st_ino;
	return fd;
}

static int
bind_at(struct host *host, const char *path, mode_t mode)
{
	char *lock_path;
	int fd;

	if (asprintf(&lock_path, "%.*s" LOCK_NAME, (int)(strlen(path) - strlen(SOCKET_NAME)),
		     path) < 0)
		return -ENOMEM;
	host->lock_fd = take_lock_of(lock_path, path);
	if (host->lock_fd < 0) {
		if (host->lock_fd == -EWOULDBLOCK)
			log_line("a kernel runs at %s already", path);
		else
			log_line("cannot lock %s: %s", lock_path, strerror(-host->lock_fd));
		free(lock_path);
		return host->lock_fd;
	}
	host->lock_path = lock_path;
	fd = listen_at(host, path, mode);
	if (fd < 0) {
		log_line("cannot listen at %s: %s", path, strerror(-fd));
		return fd;
	}
	host->socket_path = strdup(path);
	host->options.listen_fd = fd;
	return host->socket_path != NULL ? 0 : -ENOMEM;
}

/* Remember where a private kernel's owner has bound the socket.  One without a path, or in
 * somebody's folder that was not made for it, is none of our business.  0, -ENOMEM. */
static int
remember_private(struct host *host)
{
	struct sockaddr_un address = { .sun_family = AF_UNSPEC };
	socklen_t size = sizeof(address) - 1; /* so that the path is terminated */
	struct stat status;
	char *slash, *folder;

	if (getsockname(host->options.listen_fd, (struct sockaddr *)&address, &size) != 0 ||
	    address.sun_family != AF_UNIX || address.sun_path[0] != '/' ||
	    lstat(address.sun_path, &status) != 0)
		return 0;
	slash = strrchr(address.sun_path, '/');
	*slash = '\0';
	folder = strrchr(address.sun_path, '/');
	if (folder == NULL ||
	    strncmp(folder + 1, PRIVATE_FOLDER_PREFIX, sizeof(PRIVATE_FOLDER_PREFIX) - 1) != 0)
		return 0;
	*slash = '/';
	host->socket_device = status.st_dev;
	host->socket_inode = status.st_ino;
	host->socket_path = strdup(address.sun_path);
	return host->socket_path != NULL ? 0 : -ENOMEM;
}

int
address_bind(struct host *host)
{
	char path[PATH_MAX];
	int error;

	if (host->options.mode == MODE_PRIVATE)
		return remember_private(host);
	if (host->options.mode == MODE_SYSTEM) {
		error = make_folder_checked(SYSTEM_FOLDER, 0755);
		if (error != 0) {
			log_line("cannot use %s: %s", SYSTEM_FOLDER, strerror(-error));
			return error;
		}
		return bind_at(host, SYSTEM_FOLDER "/" SOCKET_NAME, 0666);
	}
	error = address_user_path(path, sizeof(path), true);
	if (error != 0) {
		log_line(
		    "cannot use the folder of %s, which must be this user's, with mode 0700 and no "
		    "link: %s",
		    error == -ENAMETOOLONG ? "the socket" : "the user's kernel", strerror(-error));
		return error;
	}
	return bind_at(host, path, 0600);
}

void
address_unlink(struct host *host)
{
	struct stat status;

	if (host->socket_path != NULL && lstat(host->socket_path, &status) == 0 &&
	    status.st_dev == host->socket_device && status.st_ino == host->socket_inode &&
	    unlink(host->socket_path) == 0 && host->options.mode == MODE_PRIVATE) {
		*strrchr(host->socket_path, '/') = '\0';
		rmdir(host->socket_path);
	}
	free(host->socket_path);
	host->socket_path = NULL;
}

void
address_unlock(struct host *host)
{
	if (host->lock_fd < 0)
		return;
	unlink(host->lock_path);
	close(host->lock_fd);
	free(host->lock_path);
	host->lock_path = NULL;
	host->lock_fd = -1;
}
