/*
 * Site lines: see site_lines.h.
 */
#include "tools/site_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct place {
	uint64_t address;
	char *text; /* NULL: not known */
};

struct object {
	char *path;
	struct place *places; /* sorted by address once they are looked up */
	size_t count, room;
};

struct site_lines {
	struct object *objects;
	size_t count;
	bool is_sorted;
};

struct site_lines *
site_lines_new(void)
{
	return calloc(1, sizeof(struct site_lines));
}

struct site_lines *
site_lines_free(struct site_lines *lines)
{
	if (!lines)
		return NULL;
	for (size_t i = 0; i < lines->count; i++) {
		for (size_t j = 0; j < lines->objects[i].count; j++)
			free(lines->objects[i].places[j].text);
		free(lines->objects[i].places);
		free(lines->objects[i].path);
	}
	free(lines->objects);
	free(lines);
	return NULL;
}

static struct object *
object_find(const struct site_lines *lines, const char *path)
{
	for (size_t i = 0; i < lines->count; i++) {
		if (strcmp(lines->objects[i].path, path) == 0)
			return &lines->objects[i];
	}
	return NULL;
}

static struct object *
object_add(struct site_lines *lines, const char *path)
{
	struct object *objects = realloc(lines->objects, (lines->count + 1) * sizeof(objects[0]));

	if (!objects)
		return NULL;
	lines->objects = objects;
	char *copy = strdup(path);
	if (!copy)
		return NULL;
	objects[lines->count] = (struct object){ .path = copy };
	return &objects[lines->count++];
}

void
site_lines_add(struct site_lines *lines, const char *path, uint64_t address)
{
	struct object *object = object_find(lines, path);

	if (!object)
		object = object_add(lines, path);
	if (!object)
		return;
	if (object->count == object->room) {
		size_t room = object->room == 0 ? 32 : object->room * 2;
		struct place *places = realloc(object->places, room * sizeof(places[0]));

		if (!places)
			return;
		object->places = places;
		object->room = room;
	}
	object->places[object->count++] = (struct place){ .address = address };
}

static int
compare_places(const void *a, const void *b)
{
	uint64_t left = ((const struct place *)a)->address;
	uint64_t right = ((const struct place *)b)->address;

	return left < right ? -1 : left > right;
}

static void
object_sort(struct object *object)
{
	size_t kept = 0;

	if (object->count > 0)
		qsort(object->places, object->count, sizeof(object->places[0]), compare_places);
	for (size_t i = 0; i < object->count; i++) {
		if (kept == 0 || object->places[kept - 1].address != object->places[i].address)
			object->places[kept++] = object->places[i];
	}
	object->count = kept;
}

static struct place *
place_find(const struct object *object, uint64_t address)
{
	const struct place wanted = { .address = address };

	return object->count == 0 ? NULL
				  : bsearch(&wanted, object->places, object->count,
					    sizeof(object->places[0]), compare_places);
}

/* ---- addr2line ---------------------------------------------------------------------------- */

/* The addresses, as addr2line reads them from its standard input.  A descriptor or -errno. */
static int
questions(const struct object *object)
{
	int fd = memfd_create("addresses", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < object->count; i++) {
		if (dprintf(fd, "0x%" PRIx64 "\n", object->places[i].address) < 0) {
			close(fd);
			return -EIO;
		}
	}
	if (lseek(fd, 0, SEEK_SET) < 0) {
		close(fd);
		return -EIO;
	}
	return fd;
}

/* Start addr2line.  0 or -errno. */
static int
spawn(const char *path, int in_fd, int out_fd, pid_t *pid)
{
	char *argv[] = { (char *)"addr2line", (char *)"-a", (char *)"-f", (char *)"-i",
			 (char *)"-C",        (char *)"-e", (char *)path, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	int err = posix_spawn_file_actions_adddup2(&actions, in_fd, STDIN_FILENO);
	if (err == 0)
		err = posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	/* what it says of files without symbols is told by us, in the report */
	if (err == 0)
		err = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
						       O_WRONLY, 0);
	if (err == 0)
		err = posix_spawnp(pid, argv[0], &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

static void
cut_newline(char *text)
{
	text[strcspn(text, "\n")] = '\0';
}

/* Append what is known of one function: its @name, and @where, which is FILE:LINE. */
static void
place_append(struct place *place, const char *name, char *where)
{
	char folder[4096];
	char *longer = NULL;
	size_t length;

	if (strcmp(name, "??") == 0)
		return;
	where[strcspn(where, " ")] = '\0'; /* " (discriminator 2)" */
	const char *colon = strrchr(where, ':');
	bool has_line = strncmp(where, "??", 2) != 0 && colon && colon[1] >= '1' && colon[1] <= '9';
	/* from here, where the user is */
	if (getcwd(folder, sizeof(folder)) && (length = strlen(folder)) > 1 &&
	    strncmp(where, folder, length) == 0 && where[length] == '/')
		where += length + 1;
	if (asprintf(&longer, "%s%s%s%s%s", place->text ? place->text : "", place->text ? "\n" : "",
		     name, has_line ? " at " : "", has_line ? where : "") < 0)
		return;
	free(place->text);
	place->text = longer;
}

/* Each address with 0x, then pairs of lines: a function, and where it is. */
static void
answers_take(struct object *object, FILE *in)
{
	char *line = NULL, *name = NULL;
	size_t line_room = 0, name_room = 0;
	struct place *place = NULL;

	while (getline(&line, &line_room, in) > 0) {
		if (strncmp(line, "0x", 2) == 0) {
			place = place_find(object, strtoull(line, NULL, 16));
			continue;
		}
		char *spare = name;
		size_t spare_room = name_room;
		name = line;
		name_room = line_room;
		line = spare;
		line_room = spare_room;
		if (getline(&line, &line_room, in) <= 0)
			break;
		cut_newline(name);
		cut_newline(line);
		if (place)
			place_append(place, name, line);
	}
	free(line);
	free(name);
}

/* 0 or -errno. */
static int
object_look_up(struct object *object)
{
	int pipe_fds[2];
	pid_t pid;

	/* the vdso is no file, and one that is gone says nothing */
	if (object->path[0] != '/' || access(object->path, R_OK) < 0)
		return 0;
	int in_fd = questions(object);
	if (in_fd < 0)
		return in_fd;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		int err = -errno;

		close(in_fd);
		return err;
	}
	int err = spawn(object->path, in_fd, pipe_fds[1], &pid);
	close(in_fd);
	close(pipe_fds[1]);
	FILE *answers = err == 0 ? fdopen(pipe_fds[0], "r") : NULL;
	if (answers) {
		answers_take(object, answers);
		fclose(answers);
	} else {
		if (err == 0)
			err = -errno;
		close(pipe_fds[0]);
	}
	if (err == 0) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	return err;
}

int
site_lines_look_up(struct site_lines *lines)
{
	int err = 0;

	for (size_t i = 0; i < lines->count; i++) {
		object_sort(&lines->objects[i]);
		if (err == 0)
			err = object_look_up(&lines->objects[i]);
	}
	lines->is_sorted = true;
	return err;
}

const char *
site_lines_find(const struct site_lines *lines, const char *path, uint64_t address)
{
	const struct object *object = lines->is_sorted ? object_find(lines, path) : NULL;
	const struct place *place = object ? place_find(object, address) : NULL;

	return place ? place->text : NULL;
}
