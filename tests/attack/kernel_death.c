/*
 * The kernel is killed: whoever waits in a call comes back with an error, later calls fail,
 * each process says so once, and nothing is left of the kernel.
 *
 * Without an argument this is the test, which runs itself as program of `berth run`.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <berth/port_fd.h>

#include "tests/attack/traffic.h"

static void
pause_ms(unsigned ms)
{
	const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&pause, NULL);
}

/* Its status; -1: it hangs, and has been killed. */
static int
end_within_limit(pid_t pid)
{
	int status;

	for (int i = 0; i < TRAFFIC_HANG_MS / 5; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		pause_ms(5);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

/* ---- the victims ------------------------------------------------------------------- */

/* What a victim waits in; what it returns must be an error.  @ready is written before. */
typedef mach_msg_return_t wait_function(int ready, int killed);

static void
say_ready(int ready)
{
	if (write(ready, "r", 1) != 1)
		_exit(90);
}

static mach_port_t
own_port(void)
{
	mach_port_t port;

	if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) != KERN_SUCCESS ||
	    mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND) !=
		KERN_SUCCESS)
		_exit(91);
	return port;
}

static mach_msg_return_t
wait_for_message(int ready, int killed)
{
	struct {
		mach_msg_header_t header;
		mach_msg_max_trailer_t trailer;
	} message;
	mach_port_t port = own_port();

	say_ready(ready);
	return mach_msg(&message.header, MACH_RCV_MSG, 0, sizeof(message), port, 0, MACH_PORT_NULL);
}

static mach_msg_return_t
wait_with_time_out(int ready, int killed)
{
	mach_port_t port = own_port();

	say_ready(ready);
	return traffic_receive_number(port, 3600000) < 0 ? MACH_RCV_PORT_DIED : MACH_MSG_SUCCESS;
}

static mach_msg_return_t
wait_for_room(int ready, int killed)
{
	mach_port_t port = own_port();

	while (traffic_send_number(port, 1, MACH_SEND_TIMEOUT, 0) == MACH_MSG_SUCCESS)
		continue;
	say_ready(ready);
	return traffic_send_number(port, 1, 0, 0);
}

static mach_msg_return_t
wait_for_answer(int ready, int killed)
{
	mach_port_t server = traffic_server();
	uint64_t seed = 3;

	say_ready(ready);
	return traffic_call(server, &seed);
}

static void *
wait_in_thread(void *context)
{
	return (void *)(uintptr_t)wait_for_message(*(int *)context, -1);
}

static mach_msg_return_t
wait_in_two_threads(int ready, int killed)
{
	pthread_t thread;
	int other_ready[2];
	void *result;
	char byte;

	if (pipe2(other_ready, O_CLOEXEC) != 0 ||
	    pthread_create(&thread, NULL, wait_in_thread, &other_ready[1]) != 0 ||
	    read(other_ready[0], &byte, 1) != 1)
		_exit(92);
	mach_msg_return_t code = wait_for_room(ready, killed);

	if (pthread_join(thread, &result) != 0 || result == NULL)
		return MACH_MSG_SUCCESS;
	return code;
}

static mach_msg_return_t
wait_in_poll(int ready, int killed)
{
	struct pollfd look = { .events = POLLIN };

	look.fd = berth_port_fd(own_port());
	if (look.fd < 0)
		_exit(93);
	say_ready(ready);
	return poll(&look, 1, TRAFFIC_HANG_MS) == 1 ? KERN_FAILURE : MACH_MSG_SUCCESS;
}

static mach_msg_return_t
wait_for_nothing(int ready, int killed)
{
	char byte;

	own_port();
	say_ready(ready);
	/* until it has happened */
	return read(killed, &byte, 1) == 0 ? KERN_FAILURE : MACH_MSG_SUCCESS;
}

/* Calls in a row: some are on their way at any moment. */
static mach_msg_return_t
wait_for_no_answer(int ready, int killed)
{
	mach_port_t port = own_port();
	mach_msg_return_t code;

	say_ready(ready);
	do
		code = traffic_send_number(port, 1, 0, 0);
	while (code == MACH_MSG_SUCCESS && traffic_receive_number(port, TRAFFIC_HANG_MS) == 1);
	return code != MACH_MSG_SUCCESS ? code : KERN_FAILURE;
}

static const struct {
	const char *name;
	wait_function *wait;
	bool sleeps;
} victims[] = {
	{ "receive", wait_for_message, true },
	{ "receive with a time-out", wait_with_time_out, true },
	{ "send to a full queue", wait_for_room, true },
	{ "call", wait_for_answer, true },
	{ "two threads", wait_in_two_threads, true },
	{ "poll", wait_in_poll, true },
	{ "no call", wait_for_nothing, true },
	{ "calls in a row", wait_for_no_answer, false },
};

#define VICTIMS (sizeof(victims) / sizeof(victims[0]))

/* Later calls fail, too, and do not hang. */
static int
later_calls(void)
{
	mach_port_t port;

	if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) == KERN_SUCCESS)
		return 2;
	if (traffic_send_number(0x1003, 1, 0, 0) == MACH_MSG_SUCCESS)
		return 3;
	if (traffic_receive_number(0x1003, 100000) >= 0)
		return 4;
	if (task_get_bootstrap_port(mach_task_self(), &port) == KERN_SUCCESS)
		return 5;
	return 0;
}

/* The kernel of our `berth run`, which is its parent as it is ours. */
static pid_t
kernel_pid(void)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		char path[300], text[512] = "", *after;
		int parent = 0;

		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		int fd = entry->d_name[0] < '0' || entry->d_name[0] > '9'
			     ? -1
			     : open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			continue;
		ssize_t n = read(fd, text, sizeof(text) - 1);

		close(fd);
		after = n > 0 ? strrchr(text, ')') : NULL;
		if (after != NULL && strstr(text, "(berthd)") != NULL &&
		    sscanf(after, ") %*c %d", &parent) == 1 && parent == getppid())
			found = atoi(entry->d_name);
	}
	if (folder != NULL)
		closedir(folder);
	return found;
}

/* How often the library says in the file of @fd that the kernel is gone. */
static unsigned
sayings(int fd)
{
	char text[4096];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	unsigned count = 0;

	text[n > 0 ? n : 0] = '\0';
	for (const char *at = text; (at = strstr(at, "libberth: ")) != NULL; at++)
		count++;
	if (count != 1 || strstr(text, "the kernel is gone") == NULL)
		printf("it says: %s\n", text);
	return count;
}

struct victim {
	pid_t pid;
	int said_fd; /* its stderr */
};

static struct victim
victim_start(unsigned index, int ready, const int *killed)
{
	struct victim victim = { .said_fd = memfd_create("stderr", MFD_CLOEXEC) };

	fflush(stdout);
	victim.pid = fork();
	if (victim.pid != 0)
		return victim;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(victim.said_fd, STDERR_FILENO);
	close(killed[1]);
	if (victims[index].wait(ready, killed[0]) == MACH_MSG_SUCCESS)
		_exit(1);
	_exit(later_calls());
}

/* Under `berth run`: kills its kernel while all of them wait.  How many went wrong. */
static int
victims_main(void)
{
	struct victim started[VICTIMS];
	int ready[2], killed[2], wrong = 0;
	char byte;

	traffic_port();
	if (pipe2(ready, O_CLOEXEC) != 0 || pipe2(killed, O_CLOEXEC) != 0)
		return 1;
	for (unsigned i = 0; i < VICTIMS; i++) {
		started[i] = victim_start(i, ready[1], killed);
		if (started[i].pid < 0 || read(ready[0], &byte, 1) != 1)
			return 1;
	}
	for (unsigned i = 0; i < VICTIMS; i++)
		if (victims[i].sleeps && !traffic_await_state(started[i].pid, 'S'))
			return 1;

	pid_t kernel = kernel_pid();

	if (kernel == 0 || kill(kernel, SIGKILL) != 0) {
		printf("there is no kernel to be killed\n");
		return 1;
	}
	while (kill(kernel, 0) == 0 && traffic_process_state(kernel) != 'Z')
		pause_ms(1);
	close(killed[1]);
	for (unsigned i = 0; i < VICTIMS; i++) {
		int status = end_within_limit(started[i].pid);

		if (status != 0) {
			printf("%s: %s, status 0x%x\n", victims[i].name,
			       status == -1 ? "does not come back" : "comes back wrong",
			       (unsigned)status);
			wrong++;
		} else if (sayings(started[i].said_fd) != 1) {
			printf("%s: does not say once why\n", victims[i].name);
			wrong++;
		}
	}
	if (later_calls() != 0)
		wrong++;
	printf("%d of %zu wrong\n", wrong, VICTIMS);
	fflush(stdout);
	return wrong;
}

/* Under `berth run`: waits until its kernel ends, with the run or before. */
static int
waiter_main(void)
{
	mach_port_t port = own_port();

	if (write(STDOUT_FILENO, "r", 1) != 1)
		return 1;
	return traffic_receive_number(port, 3600000) < 0 ? 0 : 1;
}

/* ---- the test ---------------------------------------------------------------------- */

static const char *this_program;

/* A folder for the folders of kernels. */
static char folder[64];

static int
folder_new(void **state)
{
	strcpy(folder, "/tmp/berth-death-XXXXXX");
	if (mkdtemp(folder) == NULL || chmod(folder, 0711) != 0)
		return -1;
	setenv("TMPDIR", folder, 1);
	unsetenv("XDG_RUNTIME_DIR");
	unsetenv("BERTH_KERNEL");
	return 0;
}

/* How many entries are in it; then they are removed if @remove. */
static unsigned
folder_entries(const char *path, bool remove)
{
	DIR *open_folder = opendir(path);
	struct dirent *entry;
	unsigned count = 0;

	while (open_folder != NULL && (entry = readdir(open_folder)) != NULL) {
		char name[512];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		count++;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (remove && unlink(name) != 0) {
			folder_entries(name, true);
			rmdir(name);
		}
	}
	if (open_folder != NULL)
		closedir(open_folder);
	return count;
}

static int
folder_end(void **state)
{
	folder_entries(folder, true);
	return rmdir(folder);
}

/* `berth run -- @program @argument`, its output into @out_fd. */
static pid_t
run(const char *program, const char *argument, int out_fd)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out_fd, STDOUT_FILENO);
		dup2(out_fd, STDERR_FILENO);
		execl(getenv("BERTH"), "berth", "run", "--", program, argument, NULL);
		_exit(127);
	}
	return pid;
}

static void
who_waits_comes_back_when_the_kernel_is_killed(void **state)
{
	int out_fd = memfd_create("output", MFD_CLOEXEC);
	char text[8192];
	int status = end_within_limit(run(this_program, "victims", out_fd));

	(void)status;
	ssize_t n = pread(out_fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	printf("%s", text);
	close(out_fd);
	assert_non_null(strstr(text, "0 of 8 wrong"));
	assert_non_null(strstr(text, "was killed by signal 9"));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1); /* the kernel failed */
	assert_int_equal(folder_entries(folder, false), 0);
}

static void
what_a_killed_run_leaves_the_next_one_removes(void **state)
{
	char byte, rest[256];
	int out[2], nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct pollfd look = { .events = POLLIN };

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	look.fd = out[0];
	pid_t pid = run(this_program, "waiter", out[1]);

	close(out[1]);
	assert_int_equal(poll(&look, 1, TRAFFIC_HANG_MS), 1);
	assert_int_equal(read(out[0], &byte, 1), 1);
	assert_int_equal(folder_entries(folder, false), 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* kernel and program end by themselves: the pipe has nobody left */
	do
		assert_int_equal(poll(&look, 1, TRAFFIC_HANG_MS), 1);
	while (read(out[0], rest, sizeof(rest)) > 0);
	close(out[0]);
	pid = run("true", NULL, nowhere);
	close(nowhere);
	assert_int_equal(end_within_limit(pid), 0);
	assert_int_equal(folder_entries(folder, false), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_waits_comes_back_when_the_kernel_is_killed,
						folder_new, folder_end),
		cmocka_unit_test_setup_teardown(what_a_killed_run_leaves_the_next_one_removes,
						folder_new, folder_end),
	};

	this_program = argv[0];
	if (argc > 1 && strcmp(argv[1], "victims") == 0)
		return victims_main();
	if (argc > 1 && strcmp(argv[1], "waiter") == 0)
		return waiter_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
