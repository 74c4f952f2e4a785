/*
 * Paths that start jobs.  WatchPaths: something about the path has changed since the last
 * look.  QueueDirectories: the directory is not empty.  PathState: the path exists, or not.
 *
 * inotify only tells that it is time to look: at each event all such jobs look again.  The
 * path may not exist yet, so that the nearest folder above which exists is watched too.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launchd.h"

#define WATCH_EVENTS                                                                               \
	(IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MODIFY |         \
	 IN_MOVE_SELF | IN_MOVED_FROM | IN_MOVED_TO)

/* What a path looked like. */
struct path_look {
	bool exists;
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct path_state {
	struct path_look *looks; /* of config->watch_paths */
};

int
paths_open(struct launchd *l)
{
	l->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return l->inotify_fd < 0 ? -errno : 0;
}

/* ---- looking --------------------------------------------------------------------------- */

static struct path_look
path_look(const char *path)
{
	struct path_look look = { .exists = false };
	struct stat st;

	if (stat(path, &st) != 0)
		return look;
	look.exists = true;
	look.device = st.st_dev;
	look.inode = st.st_ino;
	look.size = st.st_size;
	look.changed = st.st_ctim;
	return look;
}

static bool
looks_equal(const struct path_look *a, const struct path_look *b)
{
	return a->exists == b->exists && a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool
directory_is_filled(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	bool filled = false;

	if (!directory)
		return false;
	while (!filled && (entry = readdir(directory)))
		filled = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(directory);
	return filled;
}

bool
paths_queue_is_filled(const struct job *job)
{
	const struct job_strings *queues = &job->config->queue_directories;

	for (size_t i = 0; i < queues->count; i++) {
		if (directory_is_filled(queues->items[i]))
			return true;
	}
	return false;
}

bool
paths_state_holds(const struct job *job)
{
	const struct job_condition_list *states = &job->config->path_state;

	for (size_t i = 0; i < states->count; i++) {
		if ((access(states->items[i].name, F_OK) == 0) == states->items[i].wanted)
			return true;
	}
	return false;
}

/* ---- being told ------------------------------------------------------------------------ */

/* Watch @path and the nearest thing above it that exists.  Asking again changes nothing. */
static void
watch_path(struct launchd *l, const char *path)
{
	char above[PATH_MAX];

	inotify_add_watch(l->inotify_fd, path, WATCH_EVENTS);
	if (strlen(path) >= sizeof(above))
		return;
	strcpy(above, path);
	for (;;) {
		char *slash = strrchr(above, '/');
		if (!slash)
			return;
		slash[slash == above ? 1 : 0] = '\0';
		if (inotify_add_watch(l->inotify_fd, above, WATCH_EVENTS) >= 0 || slash == above)
			return;
	}
}

static void
watch_all(struct job *job)
{
	const struct job_config *config = job->config;
	struct launchd *l = job->launchd;

	for (size_t i = 0; i < config->watch_paths.count; i++)
		watch_path(l, config->watch_paths.items[i]);
	for (size_t i = 0; i < config->queue_directories.count; i++)
		watch_path(l, config->queue_directories.items[i]);
	for (size_t i = 0; i < config->path_state.count; i++)
		watch_path(l, config->path_state.items[i].name);
}

/* Has one of the watched paths changed?  Remembers what they look like now. */
static bool
paths_look_again(struct job *job)
{
	const struct job_strings *paths = &job->config->watch_paths;
	bool changed = false;

	for (size_t i = 0; i < paths->count; i++) {
		struct path_look now = path_look(paths->items[i]);
		changed |= !looks_equal(&now, &job->paths->looks[i]);
		job->paths->looks[i] = now;
	}
	return changed;
}

int
paths_watch(struct job *job)
{
	const struct job_config *config = job->config;
	size_t count = config->watch_paths.count;

	if (count + config->queue_directories.count + config->path_state.count == 0)
		return 0;
	job->paths = calloc(1, sizeof(*job->paths));
	if (!job->paths)
		return -ENOMEM;
	if (count > 0) {
		job->paths->looks = calloc(count, sizeof(*job->paths->looks));
		if (!job->paths->looks) {
			free(job->paths);
			job->paths = NULL;
			return -ENOMEM;
		}
	}
	watch_all(job);
	paths_look_again(job);
	return 0;
}

/* What inotify watches for it stays: others may need it, and a look too many harms nobody. */
void
paths_unwatch(struct job *job)
{
	if (!job->paths)
		return;
	free(job->paths->looks);
	free(job->paths);
	job->paths = NULL;
}

void
paths_changed(struct launchd *l)
{
	_Alignas(struct inotify_event) char events[16384];
	struct job *job;

	while (read(l->inotify_fd, events, sizeof(events)) > 0)
		continue;
	LIST_FOREACH(job, &l->jobs, in_all)
	{
		if (!job->paths || job->removing)
			continue;
		watch_all(job); /* what did not exist before may do now */
		if (paths_look_again(job) && job->pid == 0)
			job->start_wanted = true;
		job_update(job);
	}
}
