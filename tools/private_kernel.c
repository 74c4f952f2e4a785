/*
 * Private kernel: see private_kernel.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/answer.h"
#include "tools/command.h"
#include "tools/private_kernel.h"
#include "wire/socket.h"

#define FOLDER_PREFIX "berth-run."
#define FOLDER_PATTERN FOLDER_PREFIX "XXXXXX"
#define SOCKET_NAME "kernel"
#define SITES_NAME "sites"

/* A program's first call may come before berthd accepts: it waits in this queue. */
#define BACKLOG 4096

/* Folders that others removed between our making and locking them: more is no accident. */
#define PLACE_TRIES 16

void
private_kernel_init(struct private_kernel *kernel)
{
	*kernel = (struct private_kernel){ .folder_fd = -1, .listen_fd = -1, .control_fd = -1 };
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Never 0, 1 or 2, even if berth was started without them: those may be written to. */
static int
above_standard(int fd)
{
	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int err = errno;

	close(fd);
	errno = err;
	return moved;
}

/* ---- the folder --------------------------------------------------------------------- */

/* Can everybody pass through @path and all folders above it?  @path is absolute. */
static bool
others_may_enter(const char *path)
{
	char folder[PATH_MAX];
	struct stat status;

	for (size_t length = strlen(path); length > 0;) {
		memcpy(folder, path, length);
		folder[length] = '\0';
		if (stat(folder, &status) < 0 || !(status.st_mode & S_IXOTH))
			return false;
		while (length > 0 && path[length - 1] != '/')
			length--;
		while (length > 1 && path[length - 1] == '/')
			length--;
		if (length == 1)
			break;
	}
	return true;
}

/*
 * Bind and listen.  0, or -errno; -ENOENT if somebody has removed the folder.
 * The modes are set behind the umask's back: others connect, but cannot list the folder.
 */
static int
listen_in_folder(struct private_kernel *kernel)
{
	int on = 1;

	kernel->listen_fd = above_standard(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	if (kernel->listen_fd < 0)
		return -errno;
	if (fchmod(kernel->folder_fd, 0711) < 0 ||
	    bind(kernel->listen_fd, (struct sockaddr *)&kernel->address, sizeof(kernel->address)) <
		0 ||
	    fchmodat(kernel->folder_fd, SOCKET_NAME, 0666, 0) < 0 ||
	    /* before anybody connects: credentials come with the very first message */
	    setsockopt(kernel->listen_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
	    listen(kernel->listen_fd, BACKLOG) < 0)
		return -errno;
	return 0;
}

/* Make a folder in kernel->parent and listen in it.  0 or -errno, and nothing is left. */
static int
place_once(struct private_kernel *kernel)
{
	/* the parent is short enough: place_in() has seen to that */
	memcpy(stpcpy(kernel->folder, kernel->parent), "/" FOLDER_PATTERN,
	       sizeof("/" FOLDER_PATTERN));
	if (!mkdtemp(kernel->folder)) {
		int err = errno;

		kernel->folder[0] = '\0';
		return -err;
	}
	memcpy(stpcpy(kernel->address.sun_path, kernel->folder), "/" SOCKET_NAME,
	       sizeof("/" SOCKET_NAME));
	kernel->folder_fd =
	    above_standard(open(kernel->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	int err = kernel->folder_fd < 0 ? -errno : 0;

	/* a sweeper may hold it for a moment; then it is gone, and bind says so */
	while (err == 0 && flock(kernel->folder_fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			err = -errno;
	}
	if (err == 0)
		err = listen_in_folder(kernel);
	if (err < 0) {
		close_fd(&kernel->listen_fd);
		private_kernel_remove(kernel);
	}
	return err;
}

__attribute__((format(printf, 3, 4))) static void
tried_add(char **tried, const char *folder, const char *format, ...)
{
	char why[256];
	char *longer;
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	if (asprintf(&longer, "%s  %s: %s\n", *tried ? *tried : "", folder, why) < 0)
		return; /* the list is shorter, which is no harm */
	free(*tried);
	*tried = longer;
}

static int
place_in(struct private_kernel *kernel, const char *parent, bool for_others, char **tried)
{
	if (!realpath(parent, kernel->parent)) {
		tried_add(tried, parent, "%s", strerror(errno));
		return -ENOENT;
	}
	if (strcmp(kernel->parent, "/") == 0)
		kernel->parent[0] = '\0';
	size_t path_length = strlen(kernel->parent) + strlen("/" FOLDER_PATTERN "/" SOCKET_NAME);
	if (path_length >= sizeof(kernel->address.sun_path)) {
		tried_add(tried, parent,
			  "a socket's path would have %zu bytes, and %zu is the most", path_length,
			  sizeof(kernel->address.sun_path) - 1);
		return -ENOENT;
	}
	if (for_others && !others_may_enter(kernel->parent)) {
		tried_add(tried, parent,
			  "other users cannot enter it, and root's programs may become one");
		return -ENOENT;
	}
	int err = -ENOENT;
	for (int i = 0; i < PLACE_TRIES && err == -ENOENT; i++)
		err = place_once(kernel);
	if (err < 0)
		tried_add(tried, parent, "%s", strerror(-err));
	return err;
}

int
private_kernel_place(struct private_kernel *kernel, char **tried)
{
	const char *parents[] = { getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp" };

	*tried = NULL;
	kernel->address.sun_family = AF_UNIX;
	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
		if (!parents[i] || parents[i][0] == '\0')
			continue;
		if (place_in(kernel, parents[i], geteuid() == 0, tried) == 0) {
			free(*tried);
			*tried = NULL;
			return 0;
		}
	}
	return -ENOENT;
}

int
private_kernel_sites_make(struct private_kernel *kernel, char *path, size_t size)
{
	int length = snprintf(path, size, "%s/" SITES_NAME, kernel->folder);

	if (length < 0 || (size_t)length >= size)
		return -ENAMETOOLONG;
	return mkdirat(kernel->folder_fd, SITES_NAME, 0700) < 0 ? -errno : 0;
}

/* Remove the notes of programs, which are plain files; what else a program put there stays. */
static void
sites_remove(int folder_fd)
{
	int fd = openat(folder_fd, SITES_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *sites = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!sites) {
		close_fd(&fd);
		return;
	}
	while ((entry = readdir(sites)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(fd, entry->d_name, 0);
	}
	closedir(sites);
	unlinkat(folder_fd, SITES_NAME, AT_REMOVEDIR);
}

void
private_kernel_remove(struct private_kernel *kernel)
{
	/* the program may have been faster, by emptying its $TMPDIR: no harm */
	if (kernel->folder_fd >= 0) {
		unlinkat(kernel->folder_fd, SOCKET_NAME, 0);
		sites_remove(kernel->folder_fd);
	}
	if (kernel->folder[0] != '\0')
		rmdir(kernel->folder);
	kernel->folder[0] = '\0';
	close_fd(&kernel->folder_fd);
}

/* Remove @name in @parent_fd if it is one of ours whose owner is gone. */
static void
sweep_folder(int parent_fd, const char *name)
{
	struct stat status;
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	if (fstat(fd, &status) == 0 && status.st_uid == geteuid() &&
	    flock(fd, LOCK_EX | LOCK_NB) == 0) {
		unlinkat(fd, SOCKET_NAME, 0);
		sites_remove(fd);
		unlinkat(parent_fd, name, AT_REMOVEDIR);
	}
	close(fd);
}

void
private_kernel_sweep(const struct private_kernel *kernel)
{
	const char *own_name = kernel->folder + strlen(kernel->parent) + 1;
	DIR *parent = opendir(kernel->parent[0] != '\0' ? kernel->parent : "/");
	const struct dirent *entry;

	if (!parent)
		return;
	while ((entry = readdir(parent)) != NULL) {
		if (strncmp(entry->d_name, FOLDER_PREFIX, strlen(FOLDER_PREFIX)) == 0 &&
		    strlen(entry->d_name) == strlen(FOLDER_PATTERN) &&
		    strcmp(entry->d_name, own_name) != 0)
			sweep_folder(dirfd(parent), entry->d_name);
	}
	closedir(parent);
}

/* ---- berthd ------------------------------------------------------------------------- */

/*
 * In the child of vfork, whose memory is the parent's: only system calls, and @err.
 *
 * A process group of its own keeps the terminal's signals away.  It is no session of its own,
 * because Linux schedules sessions as groups (autogroup): with berthd in another one than its
 * tasks, sparse calls took twice as long.
 */
static void
become_berthd(const char *berthd, char **argv, int null_fd, int listen_fd, int control_fd,
	      volatile int *err)
{
	sigset_t none;

	sigemptyset(&none);
	if (setpgid(0, 0) >= 0 && dup2(null_fd, STDIN_FILENO) >= 0 &&
	    dup2(null_fd, STDOUT_FILENO) >= 0 && fcntl(listen_fd, F_SETFD, 0) >= 0 &&
	    fcntl(control_fd, F_SETFD, 0) >= 0 && sigprocmask(SIG_SETMASK, &none, NULL) >= 0)
		execv(berthd, argv);
	*err = errno;
	_exit(COMMAND_NOT_EXECUTABLE);
}

/* Execute @berthd with the two descriptors.  Its pid, or -errno. */
static pid_t
berthd_spawn(const char *berthd, int null_fd, int listen_fd, int control_fd, bool leaks,
	     bool strict)
{
	char listen_number[16], control_number[16], owner_number[16];
	const char *argv[] = {
		"berthd",       "--listen-fd", listen_number, "--control-fd",
		control_number, "--owner-uid", owner_number,  leaks ? "--leaks" : NULL,
		NULL,           NULL,
	};
	volatile int err = 0;
	size_t end = 0;

	while (argv[end])
		end++;
	if (strict)
		argv[end] = "--strict";

	snprintf(listen_number, sizeof(listen_number), "%d", listen_fd);
	snprintf(control_number, sizeof(control_number), "%d", control_fd);
	snprintf(owner_number, sizeof(owner_number), "%u", (unsigned)geteuid());
	pid_t pid = vfork();
	if (pid == 0)
		become_berthd(berthd, (char **)argv, null_fd, listen_fd, control_fd, &err);
	if (pid < 0)
		return -errno;
	if (err != 0) {
		waitpid(pid, NULL, 0);
		return -err;
	}
	return pid;
}

static int
control_send(const struct private_kernel *kernel, enum wire_control_what what)
{
	struct wire_control control = {
		.head = { WIRE_CONTROL, sizeof(control) },
		.what = what,
	};
	return request_send(kernel->control_fd, &control, sizeof(control), -1);
}

int
private_kernel_start(struct private_kernel *kernel, const char *berthd, bool leaks)
{
	int pair[2] = { -1, -1 };
	int err = 0;

	int null_fd = above_standard(open("/dev/null", O_RDWR | O_CLOEXEC));
	if (null_fd < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		err = -errno;
		close(null_fd);
		return err;
	}
	kernel->control_fd = above_standard(pair[0]);
	pair[1] = above_standard(pair[1]);
	if (kernel->control_fd < 0 || pair[1] < 0)
		err = -errno;

	/* these wait in the socket until berthd looks */
	if (err == 0)
		err = control_send(kernel, WIRE_CONTROL_OWN);
	if (err == 0 && leaks)
		err = control_send(kernel, WIRE_CONTROL_LEAKS);
	if (err == 0) {
		pid_t pid = berthd_spawn(berthd, null_fd, kernel->listen_fd, pair[1], leaks,
					 kernel->strict);

		if (pid > 0)
			kernel->pid = pid;
		else
			err = (int)pid;
	}
	/* berthd's alone: when it dies, whoever waits in the queue is told */
	close_fd(&kernel->listen_fd);
	close_fd(&pair[1]);
	close(null_fd);
	if (err < 0)
		close_fd(&kernel->control_fd);
	return err;
}

int
private_kernel_ask_report(struct private_kernel *kernel)
{
	return control_send(kernel, WIRE_CONTROL_REPORT);
}

int
private_kernel_connect(const struct private_kernel *kernel)
{
	int fd = above_standard(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&kernel->address, sizeof(kernel->address)) < 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

void
private_kernel_end(struct private_kernel *kernel)
{
	close_fd(&kernel->control_fd);
}
