/*
 * The life of a user's kernel: one an address, its name server, its end; and what it does
 * when Linux has nothing left to give.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/daemon/raw_kext.h"
#include "tests/daemon/raw_task.h"

#define SELF ((uint64_t)BERTH_NAME_TASK_SELF)

/* ---- a user's kernel --------------------------------------------------------------- */

static char runtime_folder[64];

/* Starts `berthd --user @options` in a folder of its own. */
static struct raw_kernel
user_kernel_start(const char *option, const char *value)
{
	struct raw_kernel kernel = { .control_fd = -1 };

	if (runtime_folder[0] == '\0') {
		strcpy(runtime_folder, "/tmp/berth-life-XXXXXX");
		assert_non_null(mkdtemp(runtime_folder));
		setenv("XDG_RUNTIME_DIR", runtime_folder, 1);
	}
	snprintf(kernel.folder, sizeof(kernel.folder), "%s/berth", runtime_folder);
	snprintf(kernel.path, sizeof(kernel.path), "%s/kernel", kernel.folder);
	kernel.pid = fork();
	if (kernel.pid == 0) {
		execl(getenv("BERTHD"), "berthd", "--user", option, value, NULL);
		_exit(127);
	}
	return kernel;
}

static void
await_listening(const struct raw_kernel *kernel)
{
	for (int i = 0; i < 1000 && access(kernel->path, F_OK) != 0; i++)
		usleep(5000);
	usleep(20000); /* between bind() and listen() */
}

static int
exit_status(pid_t pid, unsigned ms)
{
	uint64_t limit_ns = wait_now_ns() + ms * 1000000ull;
	int status;

	while (wait_now_ns() < limit_ns) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
		usleep(2000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1000; /* it did not end */
}

static void
nothing_is_left(const struct raw_kernel *kernel)
{
	char path[128];

	assert_int_equal(access(kernel->path, F_OK), -1);
	snprintf(path, sizeof(path), "%s/kernel.running", kernel->folder);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(rmdir(kernel->folder), 0);
	assert_int_equal(rmdir(runtime_folder), 0);
	runtime_folder[0] = '\0';
}

static void
a_user_has_one_kernel_and_its_end_leaves_nothing(void **state)
{
	struct raw_kernel kernel = user_kernel_start("--no-launchd", NULL), second;
	struct stat status;

	await_listening(&kernel);
	struct raw_task task = raw_task_new(&kernel);

	assert_int_equal(stat(kernel.folder, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
	second = user_kernel_start("--no-launchd", NULL);
	assert_int_equal(exit_status(second.pid, 5000), 1);
	raw_port(&task, 0); /* and has not disturbed the first */
	kill(kernel.pid, SIGTERM);
	assert_int_equal(exit_status(kernel.pid, 5000), 0);
	raw_task_free(&task);
	nothing_is_left(&kernel);
}

static void
a_dead_kernels_socket_is_no_obstacle(void **state)
{
	struct raw_kernel kernel = user_kernel_start("--no-launchd", NULL);

	await_listening(&kernel);
	kill(kernel.pid, SIGKILL);
	assert_int_equal(exit_status(kernel.pid, 5000), -SIGKILL);
	assert_int_equal(access(kernel.path, F_OK), 0);
	kernel = user_kernel_start("--no-launchd", NULL);
	usleep(100000);
	struct raw_task task = raw_task_new(&kernel);

	raw_port(&task, 0);
	raw_task_free(&task);
	kill(kernel.pid, SIGTERM);
	assert_int_equal(exit_status(kernel.pid, 5000), 0);
	nothing_is_left(&kernel);
}

static void
a_kernel_that_nobody_uses_ends(void **state)
{
	struct raw_kernel kernel = user_kernel_start("--idle-exit", "1");
	uint64_t begin_ns;

	await_listening(&kernel);
	struct raw_task task = raw_task_new(&kernel);

	usleep(1500000);
	raw_port(&task, 0); /* used: it stays */
	assert_int_equal(kill(kernel.pid, 0), 0);
	raw_task_free(&task);
	begin_ns = wait_now_ns();
	/* this process lives on and might attach again: that is use, too, until it ends */
	pid_t child = fork();

	if (child == 0) {
		struct raw_task own = raw_task_new(&kernel);

		raw_port(&own, 0);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	usleep(1500000);
	assert_int_equal(kill(kernel.pid, SIGTERM), 0);
	assert_int_equal(exit_status(kernel.pid, 5000), 0);
	nothing_is_left(&kernel);

	kernel = user_kernel_start("--idle-exit", "1");
	await_listening(&kernel);
	begin_ns = wait_now_ns();
	assert_int_equal(exit_status(kernel.pid, 8000), 0);
	assert_in_range((wait_now_ns() - begin_ns) / 1000000, 500, 7000);
	nothing_is_left(&kernel);
}

static void
a_kernel_with_kexts_is_used(void **state)
{
	struct raw_kernel kernel = user_kernel_start("--idle-exit", "1");
	uint32_t tag;
	int host;

	await_listening(&kernel);
	host = raw_kext_host_new(&kernel, NULL);
	assert_int_equal(raw_kext_load(host, "com.example.idle", &tag), 0);
	usleep(2500000);
	assert_int_equal(raw_request(host, WIRE_KEXT_STARTED, (uint64_t[5]){ tag }, NULL, 0, NULL),
			 0);
	close(host);
	assert_int_equal(exit_status(kernel.pid, 60000), 0);
	nothing_is_left(&kernel);
}

static void
a_folder_of_somebody_elses_making_is_not_used(void **state)
{
	char path[128];
	struct raw_kernel kernel;

	strcpy(runtime_folder, "/tmp/berth-life-XXXXXX");
	assert_non_null(mkdtemp(runtime_folder));
	setenv("XDG_RUNTIME_DIR", runtime_folder, 1);
	snprintf(path, sizeof(path), "%s/berth", runtime_folder);
	assert_int_equal(symlink("/tmp", path), 0);
	kernel = user_kernel_start("--no-launchd", NULL);
	assert_int_equal(exit_status(kernel.pid, 5000), 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0770), 0); /* whatever the umask says */
	kernel = user_kernel_start("--no-launchd", NULL);
	assert_int_equal(exit_status(kernel.pid, 5000), 1);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(runtime_folder), 0);
	runtime_folder[0] = '\0';
}

/* ---- the name server --------------------------------------------------------------- */

/* The pid of the name server, as the kernel tells; 0: none now. */
static pid_t
name_server(const struct raw_kernel *kernel)
{
	struct wire_inspect request = {
		{ WIRE_INSPECT, sizeof(request) }, WIRE_INSPECT_TASKS, WIRE_INSPECT_JSON, 0, 0
	};
	struct {
		struct wire_head head;
		char text[WIRE_TEXT_MAX + 1];
	} answer;
	int fd = raw_connect(kernel), fds[8], pid = 0;
	unsigned fd_count;
	ssize_t n;

	raw_send(fd, &request, sizeof(request), NULL, 0);
	while ((n = raw_receive(fd, &answer, sizeof(answer) - 1, fds, &fd_count)) > 0 &&
	       answer.head.kind == WIRE_TEXT) {
		((char *)&answer)[n] = '\0';
		char *row = strstr(answer.text, "\"name_server\": true");

		while (row != NULL && row > answer.text && *row != '{')
			row--;
		if (row != NULL)
			sscanf(row, "{\"pid\": %d", &pid);
	}
	close(fd);
	return pid;
}

static void
a_name_server_that_dies_is_started_again(void **state)
{
	struct raw_kernel kernel = user_kernel_start(NULL, NULL);

	await_listening(&kernel);
	struct raw_task before = raw_task_new(&kernel);
	pid_t first = name_server(&kernel), second = 0;

	unsigned descriptors = raw_kernel_descriptors(&kernel);

	assert_int_equal(before.welcome.bootstrap_port, BERTH_NAME_BOOTSTRAP);
	assert_true(first > 0);
	kill(first, SIGKILL);
	for (int i = 0; i < 1000 && (second == 0 || second == first); i++) {
		usleep(5000);
		second = name_server(&kernel);
	}
	assert_true(second > 0 && second != first);
	/* a process that is not one of this task's children inherits from the new one */
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (fork() != 0) {
			usleep(300000);
			_exit(0);
		}
		setsid();
		struct raw_task own = raw_task_new(&kernel);

		_exit(own.welcome.bootstrap_port != 0 ? 0 : 1);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	raw_port(&before, 0);
	/* nothing of the first is left; the child's may be, for a moment */
	for (int i = 0; i < 1000 && raw_kernel_descriptors(&kernel) > descriptors; i++)
		usleep(5000);
	assert_true(raw_kernel_descriptors(&kernel) <= descriptors);
	raw_task_free(&before);
	kill(kernel.pid, SIGTERM);
	assert_int_equal(exit_status(kernel.pid, 5000), 0);
	assert_int_equal(kill(second, 0), -1);
	nothing_is_left(&kernel);
}

/* ---- scarcity ---------------------------------------------------------------------- */

static void
a_kernel_without_descriptors_refuses_and_recovers(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task good = raw_task_new(&kernel);
	struct rlimit limit;
	static int fds[64];
	unsigned refused = 0;

	assert_int_equal(prlimit(kernel.pid, RLIMIT_NOFILE, NULL, &limit), 0);
	struct rlimit low = { .rlim_cur = 48, .rlim_max = limit.rlim_max };

	assert_int_equal(prlimit(kernel.pid, RLIMIT_NOFILE, &low, NULL), 0);
	for (unsigned i = 0; i < 64; i++) {
		struct wire_hello hello = { { WIRE_HELLO, sizeof(hello) }, WIRE_VERSION, 0 };
		union {
			struct wire_head head;
			struct wire_welcome welcome;
			struct wire_refused refused;
		} answer;
		int passed[8];
		unsigned count;

		fds[i] = raw_connect(&kernel);
		raw_send(fds[i], &hello, sizeof(hello), NULL, 0);
		ssize_t n = raw_receive(fds[i], &answer, sizeof(answer), passed, &count);

		if (n > 0 && answer.head.kind == WIRE_REFUSED)
			refused++;
		while (count > 0)
			close(passed[--count]);
	}
	assert_true(refused > 30 && refused < 64);
	raw_port(&good, 0); /* others are served */
	for (unsigned i = 0; i < 64; i++)
		close(fds[i]);
	usleep(100000);
	struct raw_task late = raw_task_new(&kernel);

	raw_port(&late, 0);
	raw_task_free(&late);
	raw_task_free(&good);
	raw_kernel_end(&kernel);
}

/* A large message to @port whose bytes are in a spill. */
static void
send_spilled(struct raw_task *task, mach_port_name_t port, uint32_t size)
{
	struct trap_slot *slot = raw_slot(task, 0);
	mach_msg_header_t header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
				     .msgh_size = size,
				     .msgh_remote_port = port };
	uint64_t args[] = { MACH_SEND_MSG, size };
	int spill = raw_memfd(size, 7, 0);

	assert_int_equal(pwrite(spill, &header, sizeof(header), 0), sizeof(header));
	raw_fill(slot, BERTH_TRAP_MSG, args, 2);
	slot->request.flags = TRAP_HAS_SPILL;
	slot->request.stream_size_bytes = slot->request.prefix_size_bytes = size;
	raw_publish(slot);
	raw_ring_with(task, 0, &spill, 1);
	assert_true(raw_await(slot, 5000));
	assert_int_equal(slot->reply.code, MACH_MSG_SUCCESS);
	close(spill);
}

static void
a_reply_that_linux_has_no_descriptor_for_comes_later(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	struct trap_slot *slot = raw_slot(&task, 0);
	mach_port_name_t port = raw_port(&task, 0);
	uint64_t args[] = { MACH_RCV_MSG, 0, 100000, port };
	struct rlimit limit, low;
	int fds[8];

	send_spilled(&task, port, 65536);
	assert_int_equal(prlimit(kernel.pid, RLIMIT_NOFILE, NULL, &limit), 0);
	low = (struct rlimit){ .rlim_cur = 4, .rlim_max = limit.rlim_max };
	assert_int_equal(prlimit(kernel.pid, RLIMIT_NOFILE, &low, NULL), 0);
	raw_ask(slot, BERTH_TRAP_MSG, args, 4);
	raw_ring(&task, 0);
	assert_false(raw_await(slot, 100));
	assert_int_equal(prlimit(kernel.pid, RLIMIT_NOFILE, &limit, NULL), 0);
	assert_true(raw_await(slot, 5000));
	assert_int_equal(slot->reply.code, MACH_MSG_SUCCESS);
	assert_int_equal(raw_descriptors(&task, fds), 1);
	close(fds[0]);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
a_stopped_task_with_full_socket_gets_all_when_it_goes_on(void **state)
{
	enum { THREADS = 400 }; /* more than a socket holds messages for */
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	uint64_t args[] = { raw_port(&task, 0) };
	static uint32_t slots[THREADS];
	struct rlimit limit;
	unsigned done = 0;
	int fds[8];

	(void)state;
	/* the descriptors in flight count against both of us */
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (unsigned i = 0; i < THREADS; i++)
		slots[i] = raw_thread_new(&task, WIRE_NO_SLOT);
	/* each reply brings a descriptor, and nobody reads the socket meanwhile */
	for (unsigned i = 0; i < THREADS; i++) {
		raw_ask(raw_slot(&task, slots[i]), BERTH_TRAP_PORT_WATCH, args, 1);
		raw_ring(&task, slots[i]);
	}
	usleep(100000);
	for (unsigned i = 0; i < THREADS; i++)
		done += raw_await(raw_slot(&task, slots[i]), 0);
	assert_true(done > 0 && done < THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(raw_descriptors(&task, fds), 1);
		close(fds[0]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_true(raw_await(raw_slot(&task, slots[i]), 5000) &&
			    raw_slot(&task, slots[i])->reply.code == KERN_SUCCESS);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_has_one_kernel_and_its_end_leaves_nothing),
		cmocka_unit_test(a_dead_kernels_socket_is_no_obstacle),
		cmocka_unit_test(a_kernel_that_nobody_uses_ends),
		cmocka_unit_test(a_kernel_with_kexts_is_used),
		cmocka_unit_test(a_folder_of_somebody_elses_making_is_not_used),
		cmocka_unit_test(a_name_server_that_dies_is_started_again),
		cmocka_unit_test(a_kernel_without_descriptors_refuses_and_recovers),
		cmocka_unit_test(a_reply_that_linux_has_no_descriptor_for_comes_later),
		cmocka_unit_test(a_stopped_task_with_full_socket_gets_all_when_it_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
