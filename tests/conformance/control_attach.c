/*
 * Finding a control, bind, connect, names and the end: kernel-control.md §3, §4, §5, §7.3.
 */
#include "tests/conformance/control_program.h"

#include <sys/resource.h>

static void
sockets_come_in_the_kinds_that_there_are(void **state)
{
	int pair[2];

	(void)state;
	close(socket_new(SOCK_DGRAM));
	close(socket_new(SOCK_STREAM));
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, 0);
	assert_true(fd >= 0);
	int type = 0;
	socklen_t size = sizeof(type);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size), 0);
	assert_int_equal(type, SOCK_DGRAM);
	close(fd);
	assert_errno(socket(PF_SYSTEM, SOCK_RAW, SYSPROTO_CONTROL), EPROTOTYPE);
	assert_errno(socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_EVENT), EPROTOTYPE);
	assert_errno(socket(PF_SYSTEM, SOCK_DGRAM, 17), EPROTONOSUPPORT);
	assert_errno(socketpair(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL, pair), EOPNOTSUPP);
}

static void
controls_are_found_by_name(void **state)
{
	struct ctl_info info = { 0 };
	int fd = socket_new(SOCK_DGRAM);
	int count = 0;

	(void)state;
	assert_errno(ioctl(fd, CTLIOCGINFO, &info), EINVAL); /* empty */
	memset(info.ctl_name, 'x', sizeof(info.ctl_name));
	assert_errno(ioctl(fd, CTLIOCGINFO, &info), EINVAL); /* no NUL */
	strcpy(info.ctl_name, "berth.test.none");
	assert_errno(ioctl(fd, CTLIOCGINFO, &info), ENOENT);
	assert_int_equal(id_of(KEXT_STATIC), STATIC_ID);
	assert_int_equal(ioctl(fd, CTLIOCGCOUNT, &count), 0);
	assert_true(count >= 10);
	assert_errno(ioctl(fd, 0x40044e7fUL, &count), ENOTSUP);
	close(fd);
}

static void
units_are_the_lowest_that_are_free(void **state)
{
	(void)state;
	int first = client_new(KEXT_DGRAM);
	int second = client_new(KEXT_DGRAM);
	assert_int_equal(unit_of(first), 1);
	assert_int_equal(unit_of(second), 2);
	close(first);
	first = client_new(KEXT_DGRAM);
	assert_int_equal(unit_of(first), 1);

	int fd = socket_new(SOCK_DGRAM);
	assert_errno(connect_fd(fd, KEXT_DGRAM, 2), EBUSY);
	/* a refusal before the callback leaves the socket as it was */
	assert_int_equal(connect_fd(fd, KEXT_DGRAM, 0xfffffff0u), 0);
	assert_int_equal(unit_of(fd), 0xfffffff0u);
	assert_errno(connect_fd(fd, KEXT_DGRAM, 0), EISCONN);
	close(fd);
	close(first);
	close(second);
}

static void
static_controls_have_one_client_a_unit(void **state)
{
	struct sockaddr_ctl address = address_of(STATIC_ID, STATIC_UNIT);
	int fd = socket_new(SOCK_DGRAM), other = socket_new(SOCK_DGRAM);

	(void)state;
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(unit_of(fd), STATIC_UNIT);
	assert_errno(connect(other, (struct sockaddr *)&address, sizeof(address)), EBUSY);
	address.sc_unit = 0;
	assert_errno(connect(other, (struct sockaddr *)&address, sizeof(address)), ENOENT);
	address.sc_unit = STATIC_UNIT + 1;
	assert_int_equal(connect(other, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	close(other);
}

static void
the_checks_of_connect_come_in_their_order(void **state)
{
	struct sockaddr_ctl address = address_of(id_of(KEXT_DGRAM), 0);
	int fd = socket_new(SOCK_DGRAM), stream = socket_new(SOCK_STREAM);

	(void)state;
	assert_errno(connect(fd, (struct sockaddr *)&address, 1), EINVAL);
	assert_errno(connect(fd, (struct sockaddr *)&address, 16), EINVAL);
	assert_errno(connect(fd, (struct sockaddr *)&address, 31), EINVAL);
	assert_errno(connect(fd, NULL, sizeof(address)), EFAULT);
	address.sc_id = 0x7777;
	assert_errno(connect(fd, (struct sockaddr *)&address, sizeof(address)), ENOENT);
	assert_errno(connect_fd(stream, KEXT_DGRAM, 0), EPROTOTYPE);
	assert_errno(connect_fd(stream, KEXT_ROOT, 0), EPROTOTYPE);
	/* family and length within the address are not looked at */
	address = (struct sockaddr_ctl){ .sc_id = id_of(KEXT_DGRAM) };
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_errno(connect(-1, (struct sockaddr *)&address, sizeof(address)), EBADF);
	close(fd);
	close(stream);
}

static void
privileged_controls_are_for_effective_root(void **state)
{
	int fd = socket_new(SOCK_DGRAM);

	(void)state;
	if (geteuid() != 0) {
		assert_errno(connect_fd(fd, KEXT_ROOT, 0), EPERM);
		close(fd);
		return;
	}
	/* made by root, and inherited by one who is not, for the moment */
	uint32_t id = id_of(KEXT_ROOT);
	struct sockaddr_ctl address = address_of(id, 0);
	if (seteuid(65534) == 0) {
		assert_errno(connect(fd, (struct sockaddr *)&address, sizeof(address)), EPERM);
		assert_int_equal(seteuid(0), 0);
	}
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);

	fd = socket_new(SOCK_DGRAM);
	pid_t pid = fork();
	if (pid == 0) {
		if (setgid(65534) != 0 || setuid(65534) != 0)
			_exit(0); /* not permitted here */
		_exit(connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1 &&
			      errno == EPERM
			  ? 0
			  : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(fd);
}

static void
a_refused_connect_runs_disconnect_and_ends_the_socket(void **state)
{
	struct sockaddr_ctl address = address_of(id_of(KEXT_DGRAM), 0);
	int fd = socket_new(SOCK_DGRAM);
	char byte;

	(void)state;
	journal_forget();
	address.sc_reserved[0] = EACCES;
	assert_errno(connect(fd, (struct sockaddr *)&address, sizeof(address)), EACCES);
	assert_journal("connect dgram 1\ndisconnect dgram 1 nothing\n");
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	assert_errno(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	close(fd);
	assert_journal("");
}

static void
the_connect_callback_may_enqueue(void **state)
{
	struct sockaddr_ctl address = address_of(id_of(KEXT_DGRAM), 0);
	int fd = socket_new(SOCK_DGRAM);

	(void)state;
	address.sc_reserved[1] = 1;
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_receives(fd, "hello");
	close(fd);
}

static void
bind_attaches_even_where_it_fails(void **state)
{
	struct sockaddr_ctl address = address_of(id_of(KEXT_DGRAM), 9);
	int fd = socket_new(SOCK_DGRAM);
	uint64_t number;
	socklen_t size = sizeof(number);
	char byte;

	(void)state;
	assert_errno(getsockopt(fd, SYSPROTO_CONTROL, GET_SIZE, NULL, &size), EINVAL);
	assert_errno(bind(fd, NULL, sizeof(address)), EDESTADDRREQ);
	assert_errno(bind(fd, (struct sockaddr *)&address, sizeof(address)), EINVAL);
	size = sizeof(number);
	assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, GET_SPACE, &number, &size), 0);
	assert_errno(recv(fd, &byte, 1, MSG_DONTWAIT), ENOTCONN);
	assert_errno(send(fd, "x", 1, MSG_NOSIGNAL), ENOTCONN);
	/* its unit is taken */
	int other = socket_new(SOCK_DGRAM);
	assert_errno(connect(other, (struct sockaddr *)&address, sizeof(address)), EBUSY);
	/* and connect takes any address */
	address = address_of(0x5555, 77);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(unit_of(fd), 9);
	close(other);
	close(fd);
}

static void
bind_runs_the_callback_where_there_is_one(void **state)
{
	struct sockaddr_ctl address = address_of(id_of(KEXT_FULL), 5);
	int fd = socket_new(SOCK_DGRAM);

	(void)state;
	journal_forget();
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	/* once attached, the address is not looked at again */
	assert_int_equal(bind(fd, (struct sockaddr *)&address, 4), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_journal("bind full 5\nbind full 5\nconnect full 5\ndisconnect full 5\n");
	/* bound only, and nothing made for it: the kext hears nothing of the end */
	fd = socket_new(SOCK_DGRAM);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_journal("bind full 5\n");
	fd = socket_new(SOCK_DGRAM);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(unit_of(fd), 5);
	close(fd);
	journal_forget();
}

static void
setup_chooses_the_unit(void **state)
{
	int fd = socket_new(SOCK_DGRAM);

	(void)state;
	assert_errno(connect_fd(fd, KEXT_SETUP, 13), ERANGE);
	assert_int_equal(connect_fd(fd, KEXT_SETUP, 0), 0);
	assert_int_equal(unit_of(fd), 41);
	close(fd);
}

static void
the_last_close_disconnects(void **state)
{
	int fd = client_new(KEXT_DGRAM);

	(void)state;
	journal_forget();
	int copy = dup(fd);
	pid_t pid = fork();
	if (pid == 0) {
		close(fd);
		close(copy);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fd);
	assert_journal("");
	assert_int_equal(unit_of(copy), 1);
	assert_int_equal(enqueue(copy, "still here", DATA_EOR), 0);
	assert_receives(copy, "still here");
	close(copy);
	assert_journal("disconnect dgram 1\n");
}

static void
a_killed_program_disconnects_once(void **state)
{
	int pipe_fds[2];
	char byte;

	(void)state;
	journal_forget();
	assert_int_equal(pipe(pipe_fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = client_new(KEXT_DGRAM);
		ssize_t written = write(pipe_fds[1], fd >= 0 ? "y" : "n", 1);
		(void)written;
		pause();
		_exit(0);
	}
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* who comes after has its unit, and comes after its end */
	int fd = client_new(KEXT_DGRAM);
	assert_int_equal(unit_of(fd), 1);
	assert_journal("connect dgram 1\ndisconnect dgram 1\nconnect dgram 1\n");
	close(fd);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	journal_forget();
}

static void
controls_in_use_stay_registered(void **state)
{
	int fd = client_new(KEXT_DGRAM), user;
	struct ctl_info info = { .ctl_name = "berth.test.fresh" };

	(void)state;
	assert_int_equal(set_option(fd, SET_REGISTER, info.ctl_name, sizeof("berth.test.fresh")),
			 0);
	assert_errno(set_option(fd, SET_REGISTER, info.ctl_name, sizeof("berth.test.fresh")),
		     EEXIST);
	user = client_new("berth.test.fresh");
	assert_errno(set_option(fd, SET_DEREGISTER, info.ctl_name, sizeof("berth.test.fresh")),
		     EBUSY);
	/* a control without the callbacks */
	socklen_t size = 8;
	char value[8];
	assert_errno(getsockopt(user, SYSPROTO_CONTROL, 1, value, &size), ENOTSUP);
	assert_errno(setsockopt(user, SYSPROTO_CONTROL, 1, value, size), ENOTSUP);
	assert_errno(send(user, "x", 1, MSG_NOSIGNAL), ENOTSUP);
	close(user);
	assert_int_equal(set_option(fd, SET_DEREGISTER, info.ctl_name, sizeof("berth.test.fresh")),
			 0);
	assert_errno(ioctl(fd, CTLIOCGINFO, &info), ENOENT);
	assert_errno(set_option(fd, SET_DEREGISTER_SELF, NULL, 0), EBUSY);
	close(fd);
}

static void
names_and_the_rest_are_as_the_contract_says(void **state)
{
	struct sockaddr_ctl address;
	socklen_t size = sizeof(address);
	int fd = socket_new(SOCK_DGRAM);

	(void)state;
	assert_errno(getpeername(fd, (struct sockaddr *)&address, &size), ENOTCONN);
	assert_errno(getsockname(fd, (struct sockaddr *)&address, &size), EOPNOTSUPP);
	assert_errno(listen(fd, 1), EOPNOTSUPP);
	assert_errno(accept(fd, NULL, NULL), EINVAL);
	assert_errno(shutdown(fd, SHUT_RD), ENOTCONN);
	assert_errno(shutdown(fd, 99), EINVAL);
	assert_int_equal(connect_fd(fd, KEXT_DGRAM, 3), 0);
	size = sizeof(address);
	assert_int_equal(getpeername(fd, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(address.sc_len, 32);
	assert_int_equal(address.sc_family, AF_SYSTEM);
	assert_int_equal(address.ss_sysaddr, AF_SYS_CONTROL);
	assert_int_equal(address.sc_id, id_of(KEXT_DGRAM));
	assert_int_equal(address.sc_unit, 3);
	assert_errno(listen(fd, 1), EINVAL);
	assert_errno(shutdown(fd, SHUT_WR), EOPNOTSUPP);
	close(fd);
}

static void
shutting_the_reading_side_drops_what_is_there(void **state)
{
	int fd = client_new(KEXT_DGRAM);
	char byte;

	(void)state;
	assert_int_equal(enqueue(fd, "lost", DATA_EOR), 0);
	assert_int_equal(shutdown(fd, SHUT_RD), 0);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	assert_errno(enqueue(fd, "more", DATA_EOR), ENOBUFS);
	/* the other way is open */
	assert_int_equal(send(fd, "x", 1, 0), 1);
	close(fd);
	fd = client_new(KEXT_DGRAM);
	assert_errno(shutdown(fd, SHUT_RDWR), EOPNOTSUPP);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

static void
a_socket_is_ready_when_there_is_something(void **state)
{
	int fd = client_new(KEXT_DGRAM);
	struct pollfd ready = { .fd = fd, .events = POLLIN | POLLOUT };

	(void)state;
	assert_int_equal(poll(&ready, 1, 0), 1);
	assert_int_equal(ready.revents, POLLOUT);
	assert_int_equal(enqueue(fd, "x", DATA_EOR), 0);
	assert_int_equal(poll(&ready, 1, 0), 1);
	assert_int_equal(ready.revents, POLLIN | POLLOUT);
	assert_receives(fd, "x");
	assert_int_equal(poll(&ready, 1, 0), 1);
	assert_int_equal(ready.revents, POLLOUT);
	close(fd);
}

static void
the_kext_knows_who_calls(void **state)
{
	int fd = client_new(KEXT_DGRAM);
	struct kext_caller caller;
	socklen_t size = sizeof(caller);

	(void)state;
	assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, GET_CALLER, &caller, &size), 0);
	assert_int_equal(caller.pid, getpid());
	assert_int_equal(caller.euid, geteuid());
	assert_true(caller.name[0] != '\0');
	pid_t pid = fork();
	if (pid == 0) {
		size = sizeof(caller);
		_exit(getsockopt(fd, SYSPROTO_CONTROL, GET_CALLER, &caller, &size) == 0 &&
			      caller.pid == getpid()
			  ? 0
			  : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
}

static void
many_clients_at_once(void **state)
{
	enum { COUNT = 500 };
	static int fds[COUNT];

	(void)state;
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	struct sockaddr_ctl address = address_of(id_of(KEXT_DGRAM), 0);
	for (int i = 0; i < COUNT; i++) {
		fds[i] = socket_new(SOCK_DGRAM);
		assert_int_equal(connect(fds[i], (struct sockaddr *)&address, sizeof(address)), 0);
		assert_int_equal(unit_of(fds[i]), i + 1);
	}
	for (int i = 0; i < COUNT; i += 7) {
		char text[32];
		snprintf(text, sizeof(text), "to %d", i);
		assert_int_equal(enqueue(fds[i], text, DATA_EOR), 0);
		assert_receives(fds[i], text);
	}
	for (int i = 0; i < COUNT; i++)
		close(fds[i]);
	journal_forget();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets_come_in_the_kinds_that_there_are),
		cmocka_unit_test(controls_are_found_by_name),
		cmocka_unit_test(units_are_the_lowest_that_are_free),
		cmocka_unit_test(static_controls_have_one_client_a_unit),
		cmocka_unit_test(the_checks_of_connect_come_in_their_order),
		cmocka_unit_test(privileged_controls_are_for_effective_root),
		cmocka_unit_test(a_refused_connect_runs_disconnect_and_ends_the_socket),
		cmocka_unit_test(the_connect_callback_may_enqueue),
		cmocka_unit_test(bind_attaches_even_where_it_fails),
		cmocka_unit_test(bind_runs_the_callback_where_there_is_one),
		cmocka_unit_test(setup_chooses_the_unit),
		cmocka_unit_test(the_last_close_disconnects),
		cmocka_unit_test(a_killed_program_disconnects_once),
		cmocka_unit_test(controls_in_use_stay_registered),
		cmocka_unit_test(names_and_the_rest_are_as_the_contract_says),
		cmocka_unit_test(shutting_the_reading_side_drops_what_is_there),
		cmocka_unit_test(a_socket_is_ready_when_there_is_something),
		cmocka_unit_test(the_kext_knows_who_calls),
		cmocka_unit_test(many_clients_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
