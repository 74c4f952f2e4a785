/*
 * Fileports as programs use them: files in messages to other processes, what they share, and
 * what closes them.
 */
#include "kernel_test.h"

#include <sys/fileport.h>
#include <sys/kern_event.h>
#include <sys/sys_domain.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS 20000 /* a hang, not a speed */

struct right_message {
	mach_msg_header_t header;
	mach_msg_body_t body;
	mach_msg_port_descriptor_t right;
	mach_msg_max_trailer_t trailer;
};

#define RIGHT_SIZE ((mach_msg_size_t)offsetof(struct right_message, trailer))

/* Sends the right @name to @to. */
static mach_msg_return_t
send_right(mach_port_t to, mach_port_t name, mach_msg_type_name_t disposition)
{
	struct right_message message = {
		.header = { .msgh_bits =
				MACH_MSGH_BITS_COMPLEX | MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
			    .msgh_remote_port = to },
		.body = { 1 },
		.right = { .name = name,
			   .disposition = disposition,
			   .type = MACH_MSG_PORT_DESCRIPTOR },
	};

	return mach_msg(&message.header, MACH_SEND_MSG, RIGHT_SIZE, 0, MACH_PORT_NULL, 0, 0);
}

/* The right that comes at @port; MACH_PORT_NULL: none did. */
static mach_port_t
receive_right(mach_port_t port)
{
	struct right_message message;

	if (mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(message), port,
		     ANSWER_MS, MACH_PORT_NULL) != MACH_MSG_SUCCESS)
		return MACH_PORT_NULL;
	return message.right.name;
}

/* ---- another process -------------------------------------------------------------------- */

/* A child that says with each number what it has done, and gets files sent. */
struct child {
	pid_t pid;
	mach_port_t from; /* where it sends its port, then numbers */
	mach_port_t to;
};

typedef int child_function(mach_port_t inbox, mach_port_t parent); /* its exit status */

static struct child
child_start(child_function *function)
{
	struct child child = { .from = port_new() };
	mach_port_t ports[3] = { child.from, MACH_PORT_NULL, MACH_PORT_NULL };

	assert_int_equal(mach_ports_register(mach_task_self(), ports, 3), KERN_SUCCESS);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		mach_port_array_t theirs;
		mach_msg_type_number_t count;

		if (mach_ports_lookup(mach_task_self(), &theirs, &count) != KERN_SUCCESS)
			_exit(100);
		mach_port_t inbox = port_new();

		if (send_right(theirs[0], inbox, MACH_MSG_TYPE_MAKE_SEND) != MACH_MSG_SUCCESS)
			_exit(101);
		_exit(function(inbox, theirs[0]));
	}
	assert_int_equal(mach_ports_register(mach_task_self(), NULL, 0), KERN_SUCCESS);
	child.to = receive_right(child.from);
	assert_int_not_equal(child.to, MACH_PORT_NULL);
	return child;
}

/* Hands a file over, and keeps neither descriptor nor right. */
static void
child_give(const struct child *child, int fd)
{
	fileport_t port = FILEPORT_NULL;

	assert_int_equal(fileport_makeport(fd, &port), 0);
	assert_int_not_equal(port, FILEPORT_NULL);
	assert_int_equal(send_right(child->to, port, MACH_MSG_TYPE_MOVE_SEND), MACH_MSG_SUCCESS);
	close(fd);
}

static void
child_ends(struct child *child, int expected)
{
	int status;

	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), expected);
	mach_port_deallocate(mach_task_self(), child->to);
	port_end(child->from);
}

/* The child's side: the descriptor of the next right, which goes; or -1. */
static int
take_file(mach_port_t inbox)
{
	mach_port_t port = receive_right(inbox);
	int fd = fileport_makefd(port);

	if (fd >= 0 && mach_port_deallocate(mach_task_self(), port) != KERN_SUCCESS)
		return -1;
	return fd;
}

/* Everybody else has closed the other end of @fd. */
static bool
hangs_up(int fd)
{
	struct pollfd look = { .fd = fd };

	return poll(&look, 1, ANSWER_MS) == 1 && (look.revents & (POLLHUP | POLLERR)) != 0;
}

/* ---- what is shared ------------------------------------------------------------------------ */

static int
reads_three_and_appends(mach_port_t inbox, mach_port_t parent)
{
	int fd = take_file(inbox);
	char bytes[3];

	if (fd < 0 || (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
		return 1;
	if (read(fd, bytes, sizeof(bytes)) != 3 || memcmp(bytes, "abc", 3) != 0)
		return 2;
	return fcntl(fd, F_SETFL, O_APPEND) == 0 ? 0 : 3;
}

static void
offset_and_flags_of_a_file_are_shared(void **state)
{
	struct child child = child_start(reads_three_and_appends);
	int fd = memfd_create("shared", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(write(fd, "abcdef", 6), 6);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	child_give(&child, dup(fd));
	child_ends(&child, 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 3);
	assert_true((fcntl(fd, F_GETFL) & O_APPEND) != 0);
	close(fd);
}

static int
answers_each_byte(mach_port_t inbox, mach_port_t parent)
{
	int in = take_file(inbox), out = take_file(inbox);
	char byte;

	if (in < 0 || out < 0)
		return 1;
	while (read(in, &byte, 1) == 1) {
		byte++;
		if (write(out, &byte, 1) != 1)
			return 2;
	}
	return 0;
}

static void
pipes_connect_processes(void **state)
{
	struct child child = child_start(answers_each_byte);
	int there[2], back[2];
	char byte;

	(void)state;
	assert_int_equal(pipe2(there, O_CLOEXEC), 0);
	assert_int_equal(pipe2(back, O_CLOEXEC), 0);
	child_give(&child, there[0]);
	child_give(&child, back[1]);
	for (char at = 'a'; at < 'f'; at++) {
		assert_int_equal(write(there[1], &at, 1), 1);
		assert_int_equal(read(back[0], &byte, 1), 1);
		assert_int_equal(byte, at + 1);
	}
	close(there[1]);
	child_ends(&child, 0);
	assert_int_equal(read(back[0], &byte, 1), 0); /* nobody holds the other end */
	close(back[0]);
}

static int
answers_a_socket(mach_port_t inbox, mach_port_t parent)
{
	int fd = take_file(inbox);
	char bytes[16];
	ssize_t size = fd < 0 ? -1 : recv(fd, bytes, sizeof(bytes), 0);

	return size == 5 && send(fd, bytes, 5, MSG_NOSIGNAL) == 5 ? 0 : 1;
}

static void
a_socket_is_as_good_there_as_here(void **state)
{
	struct child child = child_start(answers_a_socket);
	int ends[2];
	char bytes[16];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	child_give(&child, ends[1]);
	assert_int_equal(send(ends[0], "hello", 5, 0), 5);
	assert_int_equal(recv(ends[0], bytes, sizeof(bytes), 0), 5);
	child_ends(&child, 0);
	assert_true(hangs_up(ends[0]));
	close(ends[0]);
}

static int
reads_as_nobody(mach_port_t inbox, mach_port_t parent)
{
	char bytes[3];

	if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
		return 1;
	int fd = take_file(inbox);

	if (fd < 0 || pread(fd, bytes, sizeof(bytes), 0) != 3)
		return 2;
	return memcmp(bytes, "abc", 3) == 0 ? 0 : 3;
}

static void
a_file_crosses_users_like_any_right(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can become another */
	struct child child = child_start(reads_as_nobody);
	int fd = memfd_create("roots", MFD_CLOEXEC);

	assert_int_equal(fchmod(fd, 0), 0);
	assert_int_equal(write(fd, "abc", 3), 3);
	child_give(&child, fd);
	child_ends(&child, 0);
}

static int
asks_for_the_filter(mach_port_t inbox, mach_port_t parent)
{
	int fd = take_file(inbox);
	struct kev_request filter = { 0 };

	if (fd < 0 || ioctl(fd, SIOCGKEVFILT, &filter) != 0)
		return 1;
	return filter.vendor_code == KEV_VENDOR_APPLE && filter.kev_class == 77 ? 0 : 2;
}

static void
a_kernel_event_socket_is_one_in_every_process(void **state)
{
	struct child child = child_start(asks_for_the_filter);
	struct kev_request filter = { .vendor_code = KEV_VENDOR_APPLE, .kev_class = 77 };
	int fd = socket(PF_SYSTEM, SOCK_RAW, SYSPROTO_EVENT);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSKEVFILT, &filter), 0);
	child_give(&child, fd);
	child_ends(&child, 0);
}

/* ---- what closes it ----------------------------------------------------------------------------
 */

static void
the_last_right_closes_the_file(void **state)
{
	int ends[2], fd;
	fileport_t port;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fileport_makeport(ends[1], &port), 0);
	close(ends[1]);
	fd = fileport_makefd(port);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	assert_int_equal(mach_port_deallocate(mach_task_self(), port), KERN_SUCCESS);
	assert_true(hangs_up(ends[0]));
	close(ends[0]);
}

static void
a_message_that_is_destroyed_closes_its_file(void **state)
{
	mach_port_t queue = port_new();
	struct child to_itself = { .to = queue };
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child_give(&to_itself, ends[1]);
	struct pollfd look = { .fd = ends[0] };

	assert_int_equal(poll(&look, 1, 0), 0);
	port_end(queue);
	assert_true(hangs_up(ends[0]));
	close(ends[0]);
}

static int
holds_the_right(mach_port_t inbox, mach_port_t parent)
{
	mach_port_t port = receive_right(inbox);

	if (port == MACH_PORT_NULL || send_number(parent, 1) != MACH_MSG_SUCCESS)
		return 1;
	for (;;)
		pause();
}

static void
killing_the_holder_closes_the_file(void **state)
{
	struct child child = child_start(holds_the_right);
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child_give(&child, ends[1]);
	assert_int_equal(receive_number(child.from), 1);
	struct pollfd look = { .fd = ends[0] };

	assert_int_equal(poll(&look, 1, 0), 0);
	kill(child.pid, SIGKILL);
	assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
	assert_true(hangs_up(ends[0]));
	close(ends[0]);
	mach_port_deallocate(mach_task_self(), child.to);
	port_end(child.from);
}

static void
a_forked_child_has_the_descriptor_and_not_the_right(void **state)
{
	int ends[2], status;
	fileport_t port;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fileport_makeport(ends[1], &port), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		errno = 0;
		if (fileport_makefd(port) != -1 || errno != EINVAL)
			_exit(1);
		_exit(write(ends[1], "x", 1) == 1 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(mach_port_deallocate(mach_task_self(), port), KERN_SUCCESS);
	close(ends[0]);
	close(ends[1]);
}

/* ---- what is refused ---------------------------------------------------------------------------
 */

static void
fails(int result, int error)
{
	int told = errno;

	assert_int_equal(result, -1);
	assert_int_equal(told, error);
}

static void
what_is_wrong_is_told_apart(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	fileport_t port = 4711;
	mach_port_t plain = port_new();

	(void)state;
	fails(fileport_makeport(-1, &port), EBADF);
	fails(fileport_makeport(9999, &port), EBADF);
	fails(fileport_makeport(epoll, &port), EINVAL);
	assert_int_equal(port, 4711);
	fails(fileport_makeport(null, (fileport_t *)8), EFAULT);
	fails(fileport_makefd(FILEPORT_NULL), EINVAL);
	fails(fileport_makefd(MACH_PORT_DEAD), EINVAL);
	fails(fileport_makefd(0x7703), EINVAL);
	fails(fileport_makefd(plain), EINVAL);
	fails(fileport_makefd(mach_task_self()), EINVAL);
	assert_int_equal(fileport_makeport(null, &port), 0);
	mach_port_t set;

	assert_int_equal(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &set),
			 KERN_SUCCESS);
	assert_int_equal(mach_port_insert_member(mach_task_self(), port, set), KERN_INVALID_RIGHT);
	port_end(set);
	assert_int_equal(mach_port_deallocate(mach_task_self(), port), KERN_SUCCESS);
	port_end(plain);
	close(epoll);
	close(null);
}

static void
a_full_table_loses_nothing(void **state)
{
	struct rlimit before, few;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd, last = null;
	fileport_t port;

	(void)state;
	assert_int_equal(fileport_makeport(null, &port), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = (rlim_t)null + 16;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while ((fd = dup(null)) >= 0)
		last = fd;
	for (int i = 0; i < 3; i++)
		fails(fileport_makefd(port), EMFILE);
	fails(fileport_makefd(mach_task_self()), EINVAL);
	/* a port needs no descriptor of the program's */
	fileport_t another;

	assert_int_equal(fileport_makeport(null, &another), 0);
	assert_int_equal(mach_port_deallocate(mach_task_self(), another), KERN_SUCCESS);
	close(last - 2);
	assert_int_equal(fileport_makefd(port), last - 2); /* the lowest that is free */
	for (fd = null + 1; fd <= last; fd++)
		close(fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(mach_port_deallocate(mach_task_self(), port), KERN_SUCCESS);
	close(null);
}

/* ---- many at once
 * --------------------------------------------------------------------------------- */

static void *
makes_and_opens(void *argument)
{
	intptr_t *rounds = argument;

	for (*rounds = 0; *rounds < 200; ++*rounds) {
		int ends[2], fd;
		fileport_t port;
		char byte = 0;

		if (pipe2(ends, O_CLOEXEC) != 0 || fileport_makeport(ends[1], &port) != 0)
			break;
		close(ends[1]);
		fd = fileport_makefd(port);
		if (fd < 0 || write(fd, "y", 1) != 1 || read(ends[0], &byte, 1) != 1 || byte != 'y')
			break;
		close(fd);
		if (mach_port_deallocate(mach_task_self(), port) != KERN_SUCCESS)
			break;
		close(ends[0]);
	}
	return NULL;
}

static void
threads_get_each_its_own_file(void **state)
{
	pthread_t threads[4];
	intptr_t rounds[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, makes_and_opens, &rounds[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(rounds[i], 200);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offset_and_flags_of_a_file_are_shared),
		cmocka_unit_test(pipes_connect_processes),
		cmocka_unit_test(a_socket_is_as_good_there_as_here),
		cmocka_unit_test(a_file_crosses_users_like_any_right),
		cmocka_unit_test(a_kernel_event_socket_is_one_in_every_process),
		cmocka_unit_test(the_last_right_closes_the_file),
		cmocka_unit_test(a_message_that_is_destroyed_closes_its_file),
		cmocka_unit_test(killing_the_holder_closes_the_file),
		cmocka_unit_test(a_forked_child_has_the_descriptor_and_not_the_right),
		cmocka_unit_test(what_is_wrong_is_told_apart),
		cmocka_unit_test(a_full_table_loses_nothing),
		cmocka_unit_test(threads_get_each_its_own_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
