/*
 * Finding programs and the kernel.
 */
#include "client/find.h"

#include <berth/kernel_connection.h>

#include "client/export.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define SYSTEM_KERNEL "/run/berth/kernel"
#define CONNECT_PATIENCE_S 30

/* ---- programs ---------------------------------------------------------------------- */

/* Is there a program at FOLDER/below/name?  0, -ENOENT, -ENAMETOOLONG. */
static int
program_in(const char *folder, const char *below, const char *name, char *out, size_t size)
{
	struct stat status;
	int length = snprintf(out, size, "%s%s/%s", folder, below, name);

	if (length < 0 || (size_t)length >= size)
		return -ENAMETOOLONG;
	if (stat(out, &status) != 0 || !S_ISREG(status.st_mode) || access(out, X_OK) != 0)
		return -ENOENT;
	return 0;
}

/* In the folder of @file, or in libexec beside it. */
static int
program_near(const char *file, const char *name, char *out, size_t size)
{
	static const char *const below[] = { "", "/../libexec/berth", "/../../libexec/berth" };
	char folder[4096];
	const char *end = strrchr(file, '/');

	if (end == NULL || (size_t)(end - file) >= sizeof(folder))
		return -ENOENT;
	memcpy(folder, file, (size_t)(end - file));
	folder[end - file] = '\0';
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		int error = program_in(folder, below[i], name, out, size);
		if (error != -ENOENT)
			return error;
	}
	return -ENOENT;
}

BERTH_EXPORT int
berth_find_program(const char *name, char *out, size_t size)
{
	const char *folder = secure_getenv("BERTH_LIBEXECDIR");
	char self[4096];
	Dl_info library;
	int error = -ENOENT;

	if (folder != NULL && folder[0] != '\0')
		error = program_in(folder, "", name, out, size);
	if (error == -ENOENT) {
		ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
		if (length > 0) {
			self[length] = '\0';
			error = program_near(self, name, out, size);
		}
	}
	/* in the static library this is the executable again, by the name it was called by */
	if (error == -ENOENT && dladdr((void *)&berth_find_program, &library) != 0 &&
	    library.dli_fname != NULL && realpath(library.dli_fname, self) != NULL)
		error = program_near(self, name, out, size);
	if (error == -ENOENT)
		error = program_in(BERTH_LIBEXECDIR, "", name, out, size);
	return error;
}

/* ---- the kernel -------------------------------------------------------------------- */

int
kernel_socket_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);

	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length + 1);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* where so many wait to be let in that there is no room for one more */
	struct timeval patience = { .tv_sec = CONNECT_PATIENCE_S };
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	int result;
	do
		result = connect(fd, (struct sockaddr *)&address, sizeof(address));
	while (result != 0 && errno == EINTR);
	if (result != 0) {
		result = errno == EAGAIN ? -ETIMEDOUT : -errno;
		close(fd);
		return result;
	}
	patience.tv_sec = 0; /* for ever */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

/*
 * May @folder be trusted with the user's socket?  A folder, no symbolic link, of this user,
 * that nobody else may write (or even enter, when @is_private).
 */
static bool
folder_is_mine(const char *folder, bool is_private, char *why, size_t why_size)
{
	struct stat status;

	if (lstat(folder, &status) != 0)
		snprintf(why, why_size, "%s: %s", folder, strerror(errno));
	else if (!S_ISDIR(status.st_mode))
		snprintf(why, why_size, "%s is not a folder", folder);
	else if (status.st_uid != geteuid())
		snprintf(why, why_size, "%s belongs to another user", folder);
	else if (is_private ? (status.st_mode & 077) != 0 : (status.st_mode & 022) != 0)
		snprintf(why, why_size, "%s may be used by others (mode %03o)", folder,
			 (unsigned int)status.st_mode & 0777);
	else
		return true;
	return false;
}

/*
 * The path of the user's socket in @path; its folder exists then, if @make.
 * 0, or -errno and @why.
 */
static int
user_kernel_path(bool make, char *path, size_t path_size, char *why, size_t why_size)
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	char ignored[256];
	int length;

	if (runtime != NULL && runtime[0] == '/' &&
	    folder_is_mine(runtime, false, ignored, sizeof(ignored)))
		length = snprintf(path, path_size, "%s/berth", runtime);
	else
		length = snprintf(path, path_size, "/tmp/berth-%lu", (unsigned long)geteuid());
	if (length < 0 || (size_t)length + sizeof("/kernel") > path_size) {
		snprintf(why, why_size, "XDG_RUNTIME_DIR is too long for a socket's path");
		return -ENAMETOOLONG;
	}
	if (make && mkdir(path, 0700) != 0 && errno != EEXIST) {
		int error = errno;
		snprintf(why, why_size, "the folder %s cannot be made: %s", path, strerror(error));
		return -error;
	}
	struct stat status;
	if (lstat(path, &status) != 0) {
		int error = errno;
		snprintf(why, why_size, "%s: %s", path, strerror(error));
		return -error;
	}
	if (!folder_is_mine(path, true, why, why_size))
		return -EPERM;
	memcpy(path + length, "/kernel", sizeof("/kernel"));
	return 0;
}

/* Connect to the user's kernel.  A socket, or -errno and @why. */
static int
user_kernel_connect(bool start, char *why, size_t why_size)
{
	char path[KERNEL_PATH_MAX];
	char problem[512];
	int error = user_kernel_path(start, path, sizeof(path), problem, sizeof(problem));

	if (error != 0) {
		if (error == -ENOENT)
			snprintf(why, why_size, "your kernel does not run (%s)", problem);
		else
			snprintf(why, why_size,
				 "your kernel cannot be reached: %s; put that right, or set "
				 "XDG_RUNTIME_DIR to a folder of yours with mode 700, or start the "
				 "program by `berth run`, with a kernel of its own",
				 problem);
		return error;
	}
	int fd = kernel_socket_connect(path);
	if (fd >= 0)
		return fd;
	if (fd != -ENOENT && fd != -ECONNREFUSED) {
		snprintf(why, why_size, "connecting to your kernel at %s: %s", path, strerror(-fd));
		return fd;
	}
	if (!start) {
		snprintf(why, why_size, "your kernel does not run (%s: %s)", path, strerror(-fd));
		return fd;
	}
	return user_kernel_start(path, why, why_size);
}

static bool
is_socket(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

BERTH_EXPORT int
berth_kernel_connect(unsigned int flags, char *why, size_t why_size)
{
	const char *wanted = secure_getenv("BERTH_KERNEL");
	bool is_wanted = wanted != NULL && wanted[0] != '\0';
	bool start = (flags & BERTH_KERNEL_START) != 0;
	int fd;

	if (why_size > 0)
		why[0] = '\0';
	if (is_wanted && strcmp(wanted, "user") != 0 && strcmp(wanted, "system") != 0) {
		fd = kernel_socket_connect(wanted);
		if (fd < 0)
			snprintf(
			    why, why_size,
			    "connecting to the kernel that BERTH_KERNEL names (%s): %s; is it "
			    "still running? BERTH_KERNEL is a socket's path, `user` or `system`",
			    wanted, strerror(-fd));
		return fd;
	}
	if (is_wanted ? strcmp(wanted, "system") == 0 : is_socket(SYSTEM_KERNEL)) {
		fd = kernel_socket_connect(SYSTEM_KERNEL);
		if (fd < 0)
			snprintf(
			    why, why_size,
			    "connecting to the system's kernel at %s: %s; start its service, or "
			    "set BERTH_KERNEL=user for one of your own",
			    SYSTEM_KERNEL, strerror(-fd));
		return fd;
	}
	return user_kernel_connect(start, why, why_size);
}
