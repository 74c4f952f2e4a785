/*
 * Executions: see exec_source.h.
 *
 * One thread reads what Linux asks; each execution then has a thread of its own, so that a
 * listener that takes its time holds up no other.  Whatever goes wrong on the way means yes.
 */
#include "kexts/host/exec_source.h"

#include "kexts/host/call.h"
#include "kexts/host/host_log.h"
#include "kexts/host/identity.h"
#include "kexts/host/kauth_listen.h"
#include "kexts/host/kext_host.h"
#include "kexts/host/thread.h"
#include "kexts/host/vnode.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXECUTIONS_MAX 128u /* that wait for listeners at once; more wait for their turn */
#define EVENTS_SIZE 4096u   /* bytes of one read */

/* One that Linux asks about; owned by the thread that serves it. */
struct execution {
	struct vnode vnode;
	pid_t pid;
	int fd; /* of the program's file, and what the answer is given by */
};

static pthread_mutex_t source_lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static bool is_started;
static char trouble[512];

static char *const *folders; /* set before there are threads */
static int folder_count;
static int source_fd = -1; /* set before there are threads of ours */

static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER; /* guards running_count */
static pthread_cond_t count_fell = PTHREAD_COND_INITIALIZER;
static unsigned running_count;

static void start(const char *scope);

void
exec_source_set_folders(char *const *given, int count)
{
	folders = given;
	folder_count = count;
	if (count > 0)
		kauth_on_listen(start);
}

const char *
exec_source_trouble(void)
{
	pthread_mutex_lock(&source_lock);
	const char *words = trouble[0] != '\0' ? trouble : NULL; /* never changes once set */
	pthread_mutex_unlock(&source_lock);
	return words;
}

/* ---- asking listeners --------------------------------------------------------------------- */

/* True: somebody denies it. */
static bool
listeners_deny(struct execution *execution)
{
	struct process_facts facts;
	int error = 0;

	/* without a process to ask about, there is nobody who could be denied anything */
	if (!process_facts_read(execution->pid, &facts) ||
	    vnode_init(&execution->vnode, execution->fd) < 0)
		return false;

	struct host_call call = {
		.caller = {
			.pid = execution->pid,
			.ruid = facts.ruid,
			.euid = facts.euid,
			.rgid = facts.rgid,
			.egid = facts.egid,
		},
	};
	vnode_t vnode = &execution->vnode;

	struct kext_activity before = kext_activity_begin("an execution", 0, 0);

	host_call_set_current(&call);
	bool is_denied = kauth_authorize(KAUTH_SCOPE_VNODE, kauth_cred_get(), KAUTH_VNODE_EXECUTE,
					 (uintptr_t)vfs_context_current(), (uintptr_t)vnode, 0,
					 (uintptr_t)&error) == KAUTH_RESULT_DENY;
	if (!is_denied)
		kauth_authorize(KAUTH_SCOPE_FILEOP, kauth_cred_get(), KAUTH_FILEOP_EXEC,
				(uintptr_t)vnode, (uintptr_t)vnode->path, 0, 0);
	host_call_set_current(NULL);
	kext_activity_end(before);
	return is_denied;
}

static void
answer(int fd, bool is_denied)
{
	struct fanotify_response response = {
		.fd = fd,
		.response = is_denied ? FAN_DENY : FAN_ALLOW,
	};

	/* ENOENT: whom it was for was killed meanwhile */
	if (write(source_fd, &response, sizeof(response)) < 0 && errno != ENOENT)
		host_log("an execution could not be answered: %s", strerror(errno));
}

static void
serve(void *parameter)
{
	struct execution *execution = parameter;

	answer(execution->fd, listeners_deny(execution));
	close(execution->fd);
	free(execution);
	pthread_mutex_lock(&count_lock);
	running_count--;
	pthread_cond_signal(&count_fell);
	pthread_mutex_unlock(&count_lock);
}

/* ---- reading ------------------------------------------------------------------------ */

static void
take_event(const struct fanotify_event_metadata *event)
{
	if (event->fd < 0) /* more happened than Linux could tell: it let that through */
		return;
	struct execution *execution =
	    event->mask & FAN_OPEN_EXEC_PERM ? calloc(1, sizeof(*execution)) : NULL;

	if (!execution) {
		answer(event->fd, false);
		close(event->fd);
		return;
	}
	execution->fd = event->fd;
	execution->pid = event->pid;
	pthread_mutex_lock(&count_lock);
	while (running_count >= EXECUTIONS_MAX)
		pthread_cond_wait(&count_fell, &count_lock);
	running_count++;
	pthread_mutex_unlock(&count_lock);
	if (thread_spawn("execution", serve, execution) != 0)
		serve(execution);
}

static void
read_events(void *parameter)
{
	struct pollfd wait = { .fd = source_fd, .events = POLLIN };

	(void)parameter;
	for (;;) {
		_Alignas(struct fanotify_event_metadata) char buffer[EVENTS_SIZE];
		const struct fanotify_event_metadata *event = (const void *)buffer;
		ssize_t size = read(source_fd, buffer, sizeof(buffer));

		/* any other error was about one event, which Linux has answered with a denial */
		if (size < 0 && errno == EAGAIN)
			poll(&wait, 1, -1);
		for (; size > 0 && FAN_EVENT_OK(event, size); event = FAN_EVENT_NEXT(event, size))
			take_event(event);
	}
}

/* ---- starting ----------------------------------------------------------------------- */

/* 0; -errno, with words in trouble.  source_lock is held. */
static int
watch_folder(const char *folder)
{
	struct stat status, root;
	int error = 0;

	if (stat(folder, &status) < 0 || stat("/", &root) < 0)
		error = errno;
	else if (!S_ISDIR(status.st_mode))
		error = ENOTDIR;
	else if (status.st_dev == root.st_dev && status.st_ino == root.st_ino)
		error = EINVAL;
	else if (fanotify_mark(source_fd, FAN_MARK_ADD | FAN_MARK_ONLYDIR,
			       FAN_OPEN_EXEC_PERM | FAN_EVENT_ON_CHILD, AT_FDCWD, folder) < 0)
		error = errno;
	if (error != 0)
		snprintf(trouble, sizeof(trouble), "executions in %.300s cannot be watched: %s",
			 folder, error == EINVAL ? "not in this folder" : strerror(error));
	return -error;
}

/* 0 or -errno; source_lock is held. */
static int
start_locked(void)
{
	source_fd =
	    fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC);
	if (source_fd < 0) {
		int error = errno;

		snprintf(trouble, sizeof(trouble),
			 error == EPERM ? "executions cannot be watched: Linux permits that to "
					  "root only (CAP_SYS_ADMIN)"
					: "executions cannot be watched: no fanotify: %s",
			 strerror(error));
		return -error;
	}
	for (int i = 0; i < folder_count; i++) {
		int error = watch_folder(folders[i]);

		if (error != 0)
			return error;
	}
	int error = thread_spawn("executions", read_events, NULL);

	if (error != 0)
		snprintf(trouble, sizeof(trouble), "executions cannot be watched: no thread: %s",
			 strerror(-error));
	return error;
}

/* Somebody listens to @scope. */
static void
start(const char *scope)
{
	if (strcmp(scope, KAUTH_SCOPE_VNODE) != 0 && strcmp(scope, KAUTH_SCOPE_FILEOP) != 0)
		return;
	pthread_mutex_lock(&source_lock);
	bool is_first = !is_started;

	is_started = true;
	if (is_first && start_locked() != 0 && source_fd >= 0) {
		close(source_fd); /* and with it all marks: nobody waits for us */
		source_fd = -1;
	}
	pthread_mutex_unlock(&source_lock);
	if (is_first && exec_source_trouble())
		host_log("%s", exec_source_trouble());
}
