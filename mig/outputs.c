/*
 * Outputs: see outputs.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mig/outputs.h"
#include "mig/support/arena.h"
#include "mig/support/names.h"

struct output {
	struct output *next;
	const char *path;
	struct text text;
	const char *target;    /* @path without links */
	const char *temporary; /* the file beside it; NULL: none is there */
};

struct outputs {
	struct arena *arena;
	struct output *first;
	struct output **last;
};

struct outputs *
outputs_new(void)
{
	struct arena *arena = arena_new();
	struct outputs *outputs = ARENA_NEW(arena, struct outputs);

	outputs->arena = arena;
	outputs->last = &outputs->first;
	return outputs;
}

struct outputs *
outputs_free(struct outputs *outputs)
{
	if (!outputs)
		return NULL;
	for (struct output *output = outputs->first; output; output = output->next)
		text_deinit(&output->text);
	arena_free(outputs->arena);
	return NULL;
}

struct text *
outputs_add(struct outputs *outputs, const char *path)
{
	struct output *output = ARENA_NEW(outputs->arena, struct output);

	output->path = arena_strdup(outputs->arena, path);
	*outputs->last = output;
	outputs->last = &output->next;
	return &output->text;
}

bool
outputs_get(const struct outputs *outputs, size_t index, const char **path,
	    const struct text **text)
{
	const struct output *output = outputs->first;

	for (; output && index > 0; index--)
		output = output->next;
	if (!output)
		return false;
	*path = output->path;
	*text = &output->text;
	return true;
}

/* ---- writing ------------------------------------------------------------------------- */

static int
write_all(int fd, const struct text *text)
{
	for (size_t done = 0; done < text->size;) {
		ssize_t size = write(fd, text->bytes + done, text->size - done);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -errno;
		done += (size_t)size;
	}
	return 0;
}

static int
close_written(int fd, int err)
{
	/* some file systems only find out now that there is no room */
	if (close(fd) < 0 && err == 0 && errno != EINTR)
		err = -errno;
	return err;
}

static bool
is_standard_output(const struct output *output)
{
	return strcmp(output->path, "-") == 0;
}

static bool
is_dropped(const struct output *output)
{
	return strcmp(output->path, "/dev/null") == 0;
}

/* Is it written where it is: a pipe, a terminal? */
static int
find_target(struct outputs *outputs, struct output *output, bool *is_direct)
{
	char resolved[PATH_MAX];
	struct stat status;

	*is_direct = is_standard_output(output) || is_dropped(output);
	output->target = output->path;
	if (*is_direct)
		return 0;
	if (stat(output->path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(status.st_mode))
		return -EISDIR;
	*is_direct = !S_ISREG(status.st_mode);
	if (*is_direct)
		return 0;
	if (!realpath(output->path, resolved))
		return -errno;
	output->target = arena_strdup(outputs->arena, resolved);
	/* what may not be written must not be replaced either */
	return access(resolved, W_OK) == 0 ? 0 : -errno;
}

/* Create an empty file beside the target that nobody else has, with the target's mode. */
static int
open_beside(struct outputs *outputs, struct output *output)
{
	const char *slash = strrchr(output->target, '/');
	int folder_size = slash ? (int)(slash - output->target) + 1 : 0;
	struct stat status;

	for (unsigned attempt = 0; attempt < 1000; attempt++) {
		const char *path = arena_printf(outputs->arena, "%.*s.mig-%ld-%u", folder_size,
						output->target, (long)getpid(), attempt);
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

		if (fd < 0 && errno == EEXIST)
			continue;
		if (fd < 0)
			return -errno;
		output->temporary = path;
		if (stat(output->target, &status) == 0)
			(void)fchmod(fd, status.st_mode & 07777); /* as far as we may */
		return fd;
	}
	return -EEXIST;
}

static int
write_beside(struct outputs *outputs, struct output *output)
{
	int fd = open_beside(outputs, output);

	return fd < 0 ? fd : close_written(fd, write_all(fd, &output->text));
}

static int
write_direct(const struct output *output)
{
	if (is_dropped(output))
		return 0;
	if (is_standard_output(output))
		return write_all(STDOUT_FILENO, &output->text);
	int fd = open(output->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : close_written(fd, write_all(fd, &output->text));
}

static void
remove_temporaries(struct outputs *outputs)
{
	for (struct output *output = outputs->first; output; output = output->next) {
		if (output->temporary)
			unlink(output->temporary);
		output->temporary = NULL;
	}
}

/* Two files of one name would each be half of what was wanted. */
static bool
find_twins(const struct outputs *outputs, FILE *errors)
{
	struct names seen = { .arena = outputs->arena };

	for (struct output *output = outputs->first; output; output = output->next) {
		if (is_dropped(output))
			continue;
		if (names_find(&seen, output->path)) {
			fprintf(errors, "mig: error: two outputs are called %s\n", output->path);
			return true;
		}
		names_set(&seen, output->path, output);
	}
	return false;
}

static int
write_one(struct outputs *outputs, struct output *output)
{
	bool is_direct;
	int err = find_target(outputs, output, &is_direct);

	if (err < 0)
		return err;
	return is_direct ? write_direct(output) : write_beside(outputs, output);
}

int
outputs_put(struct outputs *outputs, FILE *errors)
{
	if (find_twins(outputs, errors))
		return -1;
	for (struct output *output = outputs->first; output; output = output->next) {
		int err = write_one(outputs, output);

		if (err < 0) {
			fprintf(errors, "mig: error: cannot write %s: %s\n",
				is_standard_output(output) ? "standard output" : output->path,
				strerror(-err));
			remove_temporaries(outputs);
			return -1;
		}
	}
	for (struct output *output = outputs->first; output; output = output->next) {
		if (!output->temporary)
			continue;
		if (rename(output->temporary, output->target) < 0) {
			fprintf(errors, "mig: error: cannot write %s: %s\n", output->path,
				strerror(errno));
			remove_temporaries(outputs);
			return -1;
		}
		output->temporary = NULL;
	}
	return 0;
}
