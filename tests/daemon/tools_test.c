/*
 * berthd as tools see it: tasks, rights, trace, leaks; and tasks that fork, exec and are
 * of other users.
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
#include <sys/socket.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/daemon/raw_task.h"

#define SELF ((uint64_t)BERTH_NAME_TASK_SELF)
#define TEXT_MAX (1u << 22)

/* ---- asking ------------------------------------------------------------------------ */

static char text[TEXT_MAX];

/* Takes TEXT … END from @fd into `text`. */
static struct wire_end
take_answer(int fd)
{
	static struct {
		struct wire_head head;
		char bytes[WIRE_TEXT_MAX];
	} message;
	size_t size = 0;

	for (;;) {
		unsigned fd_count;
		int fds[8];
		ssize_t n = raw_receive(fd, &message, sizeof(message), fds, &fd_count);

		assert_true(n >= (ssize_t)sizeof(message.head));
		text[size] = '\0';
		if (message.head.kind == WIRE_END) {
			struct wire_end end;

			memcpy(&end, &message, sizeof(end));
			return end;
		}
		assert_int_equal(message.head.kind, WIRE_TEXT);
		assert_true(size + (size_t)n < TEXT_MAX);
		memcpy(text + size, message.bytes, (size_t)n - sizeof(message.head));
		size += (size_t)n - sizeof(message.head);
	}
}

static struct wire_end
inspect(const struct raw_kernel *kernel, uint32_t what, uint32_t flags, int32_t pid)
{
	struct wire_inspect request = { { WIRE_INSPECT, sizeof(request) }, what, flags, pid, 0 };
	int fd = raw_connect(kernel);

	raw_send(fd, &request, sizeof(request), NULL, 0);
	struct wire_end end = take_answer(fd);

	close(fd);
	return end;
}

static void
control(const struct raw_kernel *kernel, uint32_t what)
{
	struct wire_control request = { { WIRE_CONTROL, sizeof(request) }, what, 0 };

	raw_send(kernel->control_fd, &request, sizeof(request), NULL, 0);
}

static void
send_to(struct raw_task *task, mach_port_name_t port)
{
	struct trap_slot *slot = raw_slot(task, 0);
	mach_msg_header_t header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
				     .msgh_size = sizeof(header),
				     .msgh_remote_port = port,
				     .msgh_id = 4711 };
	uint64_t args[] = { MACH_SEND_MSG, sizeof(header) };

	memcpy(slot->data, &header, sizeof(header));
	raw_fill(slot, BERTH_TRAP_MSG, args, 2);
	slot->request.stream_size_bytes = slot->request.prefix_size_bytes = sizeof(header);
	raw_publish(slot);
	raw_ring(task, 0);
	assert_true(raw_await(slot, 5000));
	assert_int_equal(slot->reply.code, MACH_MSG_SUCCESS);
}

/* ---- inspection -------------------------------------------------------------------- */

static void
tasks_and_rights_are_shown(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	mach_port_name_t port = raw_port(&task, 0), quiet = raw_port(&task, 0);
	char wanted[128];

	send_to(&task, port);
	send_to(&task, port);
	assert_int_equal(inspect(&kernel, WIRE_INSPECT_TASKS, 0, 0).count, 1);
	assert_non_null(strstr(text, "THREADS"));
	snprintf(wanted, sizeof(wanted), "%7d daemon-tools", (int)getpid());
	assert_true(strstr(text, wanted) != NULL || strstr(text, "tools_test") != NULL);

	struct wire_end end = inspect(&kernel, WIRE_INSPECT_PORTS, 0, getpid());

	assert_int_equal(end.status, 0);
	assert_int_equal(end.count, 3); /* two ports and the task's own */
	assert_non_null(strstr(text, "receive+send"));
	snprintf(wanted, sizeof(wanted), "0x%x", quiet);
	assert_non_null(strstr(text, wanted));

	end = inspect(&kernel, WIRE_INSPECT_PORTS, WIRE_INSPECT_QUEUED, 0);
	assert_int_equal(end.count, 1);
	assert_non_null(strstr(text, "does not receive"));
	assert_null(strstr(text, wanted));

	end = inspect(&kernel, WIRE_INSPECT_PORTS, WIRE_INSPECT_JSON, 0);
	assert_int_equal(end.count, 3);
	assert_int_equal(text[0], '[');
	assert_non_null(strstr(text, "\"queued\": 2"));
	assert_string_equal(text + strlen(text) - 2, "]\n");
	assert_int_equal(inspect(&kernel, WIRE_INSPECT_TASKS, WIRE_INSPECT_JSON, 0).count, 1);

	assert_int_equal(inspect(&kernel, WIRE_INSPECT_TASKS, 0, 1).status, -ESRCH);
	assert_int_equal(inspect(&kernel, WIRE_INSPECT_COUNTS, 0, 0).status, 0);
	assert_non_null(strstr(text, "messages 2\n"));
	assert_int_equal(inspect(&kernel, WIRE_INSPECT_DUMP, 0, 0).status, 0);
	assert_true(strlen(text) > 0);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
a_long_list_comes_whole_while_tasks_are_served(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	struct wire_inspect request = {
		{ WIRE_INSPECT, sizeof(request) }, WIRE_INSPECT_PORTS, WIRE_INSPECT_JSON, 0, 0
	};
	int fd;

	for (int i = 0; i < 5000; i++)
		raw_port(&task, 0);
	fd = raw_connect(&kernel);
	raw_send(fd, &request, sizeof(request), NULL, 0);
	/* nobody reads the answer meanwhile */
	for (int i = 0; i < 100; i++)
		raw_trap(&task, 0, BERTH_TRAP_TASK_SELF, 0);
	assert_int_equal(take_answer(fd).count, 5001);
	close(fd);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* ---- trace ------------------------------------------------------------------------- */

static int
subscribe(const struct raw_kernel *kernel, int32_t pid, int *connection)
{
	struct wire_inspect request = { { WIRE_TRACE, sizeof(request) }, 0, 0, pid, 0 };
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	*connection = raw_connect(kernel);
	raw_send(*connection, &request, sizeof(request), &ends[1], 1);
	close(ends[1]);
	assert_int_equal(take_answer(*connection).status, 0);
	return ends[0];
}

/* Reads the pipe until @wanted is there, or fails after a while. */
static void
read_until(int fd, const char *wanted)
{
	size_t size = 0;

	for (;;) {
		struct pollfd more = { .fd = fd, .events = POLLIN };

		assert_int_equal(poll(&more, 1, 5000), 1);
		ssize_t n = read(fd, text + size, TEXT_MAX - 1 - size);

		assert_true(n > 0);
		size += (size_t)n;
		text[size] = '\0';
		if (strstr(text, wanted) != NULL)
			return;
	}
}

static void
the_trace_shows_each_stage_by_name(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	mach_port_name_t port = raw_port(&task, 0);
	int connection, fd = subscribe(&kernel, 0, &connection);

	send_to(&task, port);
	read_until(fd, "= mach_msg_trap");
	assert_non_null(strstr(text, "mach_msg_trap(option=SEND, send_size=24"));
	assert_non_null(strstr(text, "ipc_kmsg_copyin_header"));
	assert_non_null(strstr(text, "ipc_mqueue_send"));
	assert_non_null(strstr(text, "id=4711"));
	assert_non_null(strstr(text, "KERN_SUCCESS"));
	close(connection);
	while (read(fd, text, TEXT_MAX) > 0)
		continue; /* the kernel closes its end */
	close(fd);
	send_to(&task, port);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
a_reader_that_lags_loses_lines_and_is_told(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	int connection, fd = subscribe(&kernel, 0, &connection);
	size_t total = 0;

	/* about 100 bytes a line, two lines a trap: more than 16 MiB */
	for (int i = 0; i < 200000; i++)
		raw_trap(&task, 0, BERTH_TRAP_PORT_TYPE, 2, SELF, (uint64_t)0x9999);
	for (bool told = false; !told;) {
		struct pollfd more = { .fd = fd, .events = POLLIN };

		while (poll(&more, 1, 50) == 1) {
			ssize_t n = read(fd, text, TEXT_MAX - 1);

			assert_true(n > 0);
			text[n] = '\0';
			total += (size_t)n;
			told |= strstr(text, " lines lost\n") != NULL;
		}
		raw_trap(&task, 0, BERTH_TRAP_TASK_SELF, 0);
	}
	assert_in_range(total, 1 << 20, 40 << 20);
	close(connection);
	close(fd);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* What a subscription is answered with; the connection and the pipe stay open in *@held. */
static int32_t
try_subscribe(const struct raw_kernel *kernel, int held[2])
{
	struct wire_inspect request = { { WIRE_TRACE, sizeof(request) }, 0, 0, 0, 0 };
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	held[0] = raw_connect(kernel);
	held[1] = ends[0];
	raw_send(held[0], &request, sizeof(request), &ends[1], 1);
	close(ends[1]);
	return take_answer(held[0]).status;
}

static void
one_user_does_not_take_all_traces(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	enum { MINE = 8 };
	int held[MINE + 1][2], status;

	for (int i = 0; i < MINE; i++)
		assert_int_equal(try_subscribe(&kernel, held[i]), 0);
	assert_int_equal(try_subscribe(&kernel, held[MINE]), -EBUSY);
	if (geteuid() == 0) {
		chmod(kernel.folder, 0711);
		chmod(kernel.path, 0666);
		pid_t child = fork();

		if (child == 0) {
			int own[2];

			setenv("CMOCKA_TEST_ABORT", "1", 1);
			if (setgid(65534) != 0 || setuid(65534) != 0)
				_exit(9);
			_exit(try_subscribe(&kernel, own) == 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	/* one that ends makes room for one */
	close(held[0][0]);
	for (int i = 0; i < 1000 && read(held[0][1], text, TEXT_MAX) > 0; i++)
		continue;
	int again[2];
	assert_int_equal(try_subscribe(&kernel, again), 0);
	for (int i = 0; i <= MINE; i++) {
		if (i > 0)
			close(held[i][0]);
		close(held[i][1]);
	}
	close(again[0]);
	close(again[1]);
	raw_kernel_end(&kernel);
}

static void
one_process_does_not_take_all_connections(void **state)
{
	struct rlimit before, limit;
	struct wire_refused answer;
	unsigned fd_count;
	int fds[8], held[600], count = 0, status;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_max = limit.rlim_cur = 800; /* a kernel with so few descriptors */
	fflush(stdout);
	pid_t all = fork(); /* the limit is not taken back */
	if (all != 0) {
		assert_int_equal(waitpid(all, &status, 0), all);
		assert_int_equal(status, 0);
		return;
	}
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	struct raw_kernel kernel = raw_kernel_start(NULL);
	for (bool refused = false; !refused;) {
		assert_in_range(count, 0, 599);
		held[count] = raw_connect(&kernel);
		struct pollfd said = { .fd = held[count], .events = POLLIN };

		refused = poll(&said, 1, count < 395 ? 0 : 2000) == 1;
		count++;
	}
	assert_int_equal(raw_receive(held[count - 1], &answer, sizeof(answer), fds, &fd_count),
			 sizeof(answer));
	assert_non_null(strstr(answer.why, "process"));
	pid_t child = fork();
	if (child == 0) { /* another process is welcome */
		struct raw_task task = raw_task_new(&kernel);

		raw_task_free(&task);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	while (count > 0)
		close(held[--count]);
	raw_kernel_end(&kernel);
	_exit(0);
}

static void
a_trace_into_what_is_no_pipe_is_refused(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct wire_inspect request = { { WIRE_TRACE, sizeof(request) }, 0, 0, 0, 0 };
	int fd = raw_connect(&kernel), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	raw_send(fd, &request, sizeof(request), &null, 1);
	assert_int_equal(take_answer(fd).status, -EINVAL);
	raw_send(fd, &request, sizeof(request), NULL, 0);
	assert_int_equal(take_answer(fd).status, -EBADF);
	close(null);
	close(fd);
	raw_kernel_end(&kernel);
}

/* ---- leaks ------------------------------------------------------------------------- */

static void
leaks_of_ended_tasks_are_told_and_living_ones_listed(void **state)
{
	static const char *const options[] = { "--leaks", NULL };
	struct raw_kernel kernel = raw_kernel_start(options);
	struct raw_task task = raw_task_new(&kernel);
	char wanted[64];
	pid_t child = fork();

	if (child == 0) {
		struct raw_task dying = raw_task_new(&kernel);
		mach_port_name_t given_back = raw_port(&dying, 0);

		raw_port(&dying, 0);
		raw_trap(&dying, 0, BERTH_TRAP_PORT_MOD_REFS, 4, SELF, (uint64_t)given_back,
			 (uint64_t)MACH_PORT_RIGHT_SEND, (uint64_t)(uint32_t)-1);
		raw_trap(&dying, 0, BERTH_TRAP_PORT_MOD_REFS, 4, SELF, (uint64_t)given_back,
			 (uint64_t)MACH_PORT_RIGHT_RECEIVE, (uint64_t)(uint32_t)-1);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	control(&kernel, WIRE_CONTROL_REPORT);
	struct wire_end end = take_answer(kernel.control_fd);

	assert_int_equal(end.status, 0);
	assert_int_equal(end.count, 1);
	snprintf(wanted, sizeof(wanted), "leak: %d(", (int)child);
	assert_non_null(strstr(text, wanted));
	assert_non_null(strstr(text, "receive+send right"));
	snprintf(wanted, sizeof(wanted), "still running: %d ", (int)getpid());
	assert_non_null(strstr(text, wanted));
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* ---- fork, exec -------------------------------------------------------------------- */

/* Gives the task a special port, so that inheriting shows. */
static void
set_bootstrap(struct raw_task *task)
{
	mach_port_name_t port = raw_port(task, 0);

	assert_int_equal(raw_trap(task, 0, BERTH_TRAP_TASK_SET_SPECIAL_PORT, 3, SELF, (uint64_t)4,
				  (uint64_t)port),
			 KERN_SUCCESS);
}

static int
ask_fork(struct raw_task *task)
{
	struct wire_head ask = { WIRE_FORK, sizeof(ask) }, answer;
	unsigned fd_count;
	int fds[8];

	raw_send(task->socket_fd, &ask, sizeof(ask), NULL, 0);
	assert_int_equal(raw_receive(task->socket_fd, &answer, sizeof(answer), fds, &fd_count),
			 sizeof(answer));
	assert_int_equal(answer.kind, WIRE_CHILD);
	assert_int_equal(fd_count, 1);
	return fds[0];
}

static void
a_forked_child_is_a_task_of_its_own_that_inherits(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	int fd, unused, status;

	set_bootstrap(&task);
	fd = ask_fork(&task);
	unused = ask_fork(&task); /* a fork that failed */
	close(unused);
	pid_t child = fork();

	if (child == 0) {
		struct raw_task own = raw_task_greet(fd, WIRE_FORKED);

		if (own.welcome.bootstrap_port != BERTH_NAME_BOOTSTRAP)
			_exit(1);
		if (raw_trap(&own, 0, BERTH_TRAP_PID_FOR_TASK, 1, SELF) != KERN_SUCCESS)
			_exit(2);
		_exit(raw_slot(&own, 0)->reply.values[0] == (uint64_t)getpid() ? 0 : 3);
	}
	close(fd);
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
what_attaches_after_an_exec_inherits_what_was_before(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct raw_task before = raw_task_new(&kernel);

		set_bootstrap(&before);
		raw_task_free(&before); /* as an exec closes it */
		usleep(20000);
		struct raw_task after = raw_task_new(&kernel);
		/* its port died with its receiver, and a dead one is what it inherits */
		_exit(after.welcome.bootstrap_port == MACH_PORT_DEAD ? 0 : 1);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	raw_kernel_end(&kernel);
}

static void
a_grandchild_inherits_from_the_nearest_ancestor(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	int status;

	set_bootstrap(&task);
	pid_t child = fork();

	if (child == 0) {
		pid_t grandchild = fork();

		if (grandchild == 0) {
			struct raw_task own = raw_task_new(&kernel);

			_exit(own.welcome.bootstrap_port == BERTH_NAME_BOOTSTRAP ? 0 : 1);
		}
		waitpid(grandchild, &status, 0);
		_exit(WEXITSTATUS(status));
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* ---- users ------------------------------------------------------------------------- */

static void
another_user_is_refused_unless_of_the_process_tree(void **state)
{
	if (geteuid() != 0)
		skip();
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct wire_hello hello = { { WIRE_HELLO, sizeof(hello) }, WIRE_VERSION, 0 };
	struct wire_refused answer;
	unsigned fd_count;
	int fds[8], status;

	chmod(kernel.folder, 0711);
	chmod(kernel.path, 0666);
	pid_t child = fork();

	if (child == 0) {
		/* a descendant of the owner of the control connection: welcome */
		if (setgid(65534) != 0 || setuid(65534) != 0)
			_exit(9);
		struct raw_task own = raw_task_new(&kernel);

		_exit(own.welcome.task_self == BERTH_NAME_TASK_SELF ? 0 : 1);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);

	/* an orphan belongs to nobody's tree */
	int report[2];

	assert_int_equal(pipe(report), 0);
	child = fork();
	if (child == 0) {
		if (fork() != 0)
			_exit(0);
		pid_t parent = getppid();

		for (int i = 0; i < 1000 && getppid() == parent; i++)
			usleep(1000);
		if (setgid(65534) != 0 || setuid(65534) != 0)
			_exit(9);
		int fd = raw_connect(&kernel);

		raw_send(fd, &hello, sizeof(hello), NULL, 0);
		ssize_t n = raw_receive(fd, &answer, sizeof(answer), fds, &fd_count);
		char verdict = n == sizeof(answer) && answer.head.kind == WIRE_REFUSED ? 'r' : 'w';

		_exit(write(report[1], &verdict, 1) == 1 ? 0 : 1);
	}
	waitpid(child, NULL, 0);
	char verdict = 0;

	close(report[1]);
	assert_int_equal(read(report[0], &verdict, 1), 1);
	assert_int_equal(verdict, 'r');
	close(report[0]);
	raw_kernel_end(&kernel);
}

static void
a_library_of_another_version_is_refused_in_words(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct wire_hello hello = { { WIRE_HELLO, sizeof(hello) }, WIRE_VERSION + 1, 0 };
	struct wire_refused answer;
	unsigned fd_count;
	int fd = raw_connect(&kernel), fds[8];

	raw_send(fd, &hello, sizeof(hello), NULL, 0);
	assert_int_equal(raw_receive(fd, &answer, sizeof(answer), fds, &fd_count), sizeof(answer));
	assert_int_equal(answer.head.kind, WIRE_REFUSED);
	assert_non_null(strstr(answer.why, "version"));
	assert_int_equal(raw_receive(fd, &answer, sizeof(answer), fds, &fd_count), 0);
	close(fd);
	raw_kernel_end(&kernel);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_and_rights_are_shown),
		cmocka_unit_test(a_long_list_comes_whole_while_tasks_are_served),
		cmocka_unit_test(the_trace_shows_each_stage_by_name),
		cmocka_unit_test(a_reader_that_lags_loses_lines_and_is_told),
		cmocka_unit_test(one_user_does_not_take_all_traces),
		cmocka_unit_test(one_process_does_not_take_all_connections),
		cmocka_unit_test(a_trace_into_what_is_no_pipe_is_refused),
		cmocka_unit_test(leaks_of_ended_tasks_are_told_and_living_ones_listed),
		cmocka_unit_test(a_forked_child_is_a_task_of_its_own_that_inherits),
		cmocka_unit_test(what_attaches_after_an_exec_inherits_what_was_before),
		cmocka_unit_test(a_grandchild_inherits_from_the_nearest_ancestor),
		cmocka_unit_test(another_user_is_refused_unless_of_the_process_tree),
		cmocka_unit_test(a_library_of_another_version_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
