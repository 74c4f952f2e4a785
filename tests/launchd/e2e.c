#include "e2e.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mach/mach_error.h>

#define PATIENCE_MS 30000u /* a hang, however slow the machine */
#define LOOK_MS 10u
#define WORDS_MAX 16

static void remove_folder(void);
static void show_stderr(void);

/* Without the handlers of exit(), which are not a forked child's to run. */
static _Noreturn void
fail(void)
{
	show_stderr();
	remove_folder();
	_exit(1);
}

_Noreturn void
e2e_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
	fail();
}

_Noreturn void
e2e_fail_code(const char *file, int line, const char *what, kern_return_t got,
	      kern_return_t expected)
{
	fprintf(stderr, "%s:%d: %s gave %d (%s), not %d\n", file, line, what, got,
		bootstrap_strerror(got), expected);
	fail();
}

/* ---- ports ----------------------------------------------------------------------------- */

mach_port_t
e2e_port(void)
{
	mach_port_t port;

	CHECK_KR(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port), 0);
	CHECK_KR(mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND), 0);
	return port;
}

void
e2e_drop_receive(mach_port_t port)
{
	CHECK_KR(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1), 0);
}

mach_port_urefs_t
e2e_send_refs(mach_port_t port)
{
	mach_port_urefs_t refs = 0;

	CHECK_KR(mach_port_get_refs(mach_task_self(), port, MACH_PORT_RIGHT_SEND, &refs), 0);
	return refs;
}

mach_port_type_t
e2e_type(mach_port_t port)
{
	mach_port_type_t type = 0;

	return mach_port_type(mach_task_self(), port, &type) == KERN_SUCCESS ? type : 0;
}

unsigned
e2e_name_count(void)
{
	mach_port_name_array_t names;
	mach_port_type_array_t types;
	mach_msg_type_number_t count, type_count;

	CHECK_KR(mach_port_names(mach_task_self(), &names, &count, &types, &type_count), 0);
	vm_deallocate(mach_task_self(), (vm_address_t)names, count * sizeof(*names));
	vm_deallocate(mach_task_self(), (vm_address_t)types, type_count * sizeof(*types));
	return count;
}

static bool
is_dead(void *context)
{
	return e2e_type(*(mach_port_t *)context) & MACH_PORT_TYPE_DEAD_NAME;
}

void
e2e_await_death(mach_port_t port)
{
	e2e_await(is_dead, &port, "the death of a port");
}

static kern_return_t
send_message(mach_port_t port, mach_msg_id_t id, mach_port_t reply, int timeout_ms)
{
	mach_msg_header_t head = {
		.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
					    reply ? MACH_MSG_TYPE_MAKE_SEND_ONCE : 0),
		.msgh_size = sizeof(head),
		.msgh_remote_port = port,
		.msgh_local_port = reply,
		.msgh_id = id,
	};

	return mach_msg(&head, MACH_SEND_MSG | (timeout_ms >= 0 ? MACH_SEND_TIMEOUT : 0),
			sizeof(head), 0, MACH_PORT_NULL,
			timeout_ms >= 0 ? (mach_msg_timeout_t)timeout_ms : 0, MACH_PORT_NULL);
}

kern_return_t
e2e_send(mach_port_t port, mach_msg_id_t id, int timeout_ms)
{
	return send_message(port, id, MACH_PORT_NULL, timeout_ms);
}

kern_return_t
e2e_send_asking(mach_port_t port, mach_msg_id_t id, mach_port_t reply)
{
	return send_message(port, id, reply, -1);
}

mach_msg_id_t
e2e_receive(mach_port_t port, int timeout_ms)
{
	struct {
		mach_msg_header_t head;
		char room[256];
	} message;

	if (mach_msg(&message.head, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(message), port,
		     (mach_msg_timeout_t)timeout_ms, MACH_PORT_NULL) != MACH_MSG_SUCCESS)
		return -1;
	mach_msg_id_t id = message.head.msgh_id;
	mach_msg_destroy(&message.head);
	return id;
}

/* ---- processes ------------------------------------------------------------------------- */

pid_t
e2e_fork(int (*body)(void *context), void *context)
{
	fflush(NULL);
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0)
		_exit(body(context));
	return pid;
}

int
e2e_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		CHECK(errno == EINTR);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int
e2e_in_child(int (*body)(void *context), void *context)
{
	return e2e_wait(e2e_fork(body, context));
}

void
e2e_sleep_ms(unsigned ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&pause, &pause) != 0)
		continue;
}

void
e2e_await(bool (*condition)(void *context), void *context, const char *what)
{
	for (unsigned waited = 0; !condition(context); waited += LOOK_MS) {
		if (waited > PATIENCE_MS) {
			fprintf(stderr, "waited in vain for %s\n", what);
			fail();
		}
		e2e_sleep_ms(LOOK_MS);
	}
}

/* ---- jobs ------------------------------------------------------------------------------ */

static char folder[PATH_MAX];
static pid_t folder_owner;

static int
remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return remove(path);
}

static void
remove_folder(void)
{
	if (getpid() == folder_owner)
		nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* What jobs said, for whoever must find out why the test failed. */
static void
show_stderr(void)
{
	char line[512];

	if (!*folder || getpid() != folder_owner)
		return;
	FILE *stream = fopen(e2e_path("stderr"), "re");
	while (stream && fgets(line, sizeof(line), stream))
		fprintf(stderr, "job: %s", line);
	if (stream)
		fclose(stream);
}

/* A started job finds the folder of the test that it belongs to beside its arguments. */
const char *
e2e_folder(void)
{
	const char *given = getenv("E2E_FOLDER");
	const char *parent = getenv("TMPDIR");

	if (*folder)
		return folder;
	if (given) {
		snprintf(folder, sizeof(folder), "%s", given);
		return folder;
	}
	snprintf(folder, sizeof(folder), "%s/launchd-test-XXXXXX", parent ? parent : "/tmp");
	CHECK(mkdtemp(folder) != NULL);
	folder_owner = getpid();
	atexit(remove_folder);
	return folder;
}

/* All paths that were asked for: they stay as long as the process. */
struct kept_path {
	struct kept_path *next;
	char text[PATH_MAX];
};

static struct kept_path *kept_paths;

const char *
e2e_path(const char *name)
{
	struct kept_path *path = malloc(sizeof(*path));

	CHECK(path != NULL);
	CHECK(snprintf(path->text, sizeof(path->text), "%s/%s", e2e_folder(), name) < PATH_MAX);
	path->next = kept_paths;
	kept_paths = path;
	return path->text;
}

const char *
e2e_self(void)
{
	static char path[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);

	CHECK(size > 0);
	path[size] = '\0';
	return path;
}

const char *
e2e_plist(const char *label, const char *mode, const char *keys)
{
	char name[256];

	snprintf(name, sizeof(name), "%s.plist", label);
	const char *path = e2e_path(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CHECK(fd >= 0 && fchmod(fd, 0644) == 0);
	FILE *file = fdopen(fd, "w");
	CHECK(file != NULL);
	fprintf(file,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\">\n<dict>\n"
		"<key>Label</key><string>%s</string>\n"
		"<key>ProgramArguments</key><array><string>%s</string><string>%s</string></array>\n"
		"<!-- comments are fine here -->\n"
		"<key>EnvironmentVariables</key><dict>"
		"<key>E2E_FOLDER</key><string>%s</string></dict>\n"
		"<key>StandardErrorPath</key><string>%s</string>\n"
		"%s</dict>\n</plist>\n",
		label, e2e_self(), mode, e2e_folder(), e2e_path("stderr"), keys);
	CHECK(fclose(file) == 0);
	return path;
}

static void
read_all(int fd, char *out, size_t size)
{
	char scratch[1024];
	size_t used = 0;

	for (;;) {
		bool room = used + 1 < size;
		ssize_t got =
		    read(fd, room ? out + used : scratch, room ? size - 1 - used : sizeof(scratch));
		if (got <= 0)
			break;
		if (room)
			used += (size_t)got;
	}
	if (size > 0)
		out[used] = '\0';
}

int
e2e_launch(char *out, size_t size, const char *word, ...)
{
	const char *berth = getenv("BERTH");
	const char *words[WORDS_MAX] = { berth ? berth : "berth", "launch", word };
	size_t count = 3;
	int ends[2];
	va_list args;

	va_start(args, word);
	while (count < WORDS_MAX - 1 && (words[count] = va_arg(args, const char *)))
		count++;
	va_end(args);
	words[count] = NULL;
	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	fflush(NULL);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		execvp(words[0], (char **)(uintptr_t)words);
		_exit(127);
	}
	close(ends[1]);
	read_all(ends[0], out, out ? size : 0);
	close(ends[0]);
	return e2e_wait(pid);
}

void
e2e_load(const char *label, const char *mode, const char *keys)
{
	char out[4096];

	if (e2e_launch(out, sizeof(out), "load", e2e_plist(label, mode, keys), NULL) != 0) {
		fprintf(stderr, "%s", out);
		CHECK(!"loaded");
	}
}

void
e2e_note(const char *file, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	int size = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	line[size] = '\n';
	int fd = open(e2e_path(file), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	CHECK(fd >= 0 && write(fd, line, (size_t)size + 1) == size + 1);
	close(fd);
}

unsigned
e2e_notes(const char *file)
{
	FILE *stream = fopen(e2e_path(file), "re");
	unsigned count = 0;
	int c;

	if (!stream)
		return 0;
	while ((c = getc(stream)) != EOF)
		count += c == '\n';
	fclose(stream);
	return count;
}

struct awaited {
	const char *file;
	unsigned count;
};

static bool
has_notes(void *context)
{
	const struct awaited *awaited = context;

	return e2e_notes(awaited->file) >= awaited->count;
}

void
e2e_await_notes(const char *file, unsigned count)
{
	struct awaited awaited = { file, count };
	char text[128];

	snprintf(text, sizeof(text), "line %u in %s", count, file);
	e2e_await(has_notes, &awaited, text);
}

void
e2e_read_note(const char *file, unsigned index, char *line, size_t size)
{
	FILE *stream = fopen(e2e_path(file), "re");

	CHECK(stream != NULL);
	for (unsigned i = 0; i <= index; i++)
		CHECK(fgets(line, (int)size, stream) != NULL);
	line[strcspn(line, "\n")] = '\0';
	fclose(stream);
}
