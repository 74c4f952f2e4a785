/*
 * Kexthosts as berthd sees them: what they register, lanes, and their death.
 */
#include <errno.h>
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/daemon/raw_kext.h"

#define NAME "com.example.raw"

/* ---- registering -------------------------------------------------------------------- */

static void
a_task_finds_what_a_kexthost_registers(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	uint32_t host_id, found_host, tag, again, id, found;
	int host = raw_kext_host_new(&kernel, &host_id);
	struct raw_answer answer;
	uint64_t ref;

	assert_int_equal(raw_ctl_info(&task, NAME, &found), ENOENT);
	assert_int_equal(raw_kext_load(host, NAME ".kext", &tag), 0);
	assert_int_equal(tag, 1);
	assert_int_equal(raw_kext_load(host, NAME ".kext", &again), EEXIST);
	assert_int_equal(again, tag);
	assert_int_equal(raw_ctl_register(host, tag, NAME, &ref, &id), 0);
	assert_int_equal(raw_ctl_register(host, tag, NAME, NULL, NULL), EEXIST);
	assert_int_equal(ref & 0xffff, 1);
	assert_int_equal(raw_request(host, WIRE_KEXT_STARTED, (uint64_t[5]){ tag }, NULL, 0, NULL),
			 0);
	assert_int_equal(raw_ctl_info(&task, NAME, &found), 0);
	assert_int_equal(found, id);
	assert_int_equal(raw_ctl_find(&task, id, 0, &found_host), 0);
	assert_int_equal(found_host, host_id);
	assert_int_equal(raw_slot(&task, 0)->reply.values[1], 0x4);
	assert_int_equal(raw_trap(&task, 0, BERTH_TRAP_CTL_COUNT, 0), 0);
	assert_int_equal(raw_slot(&task, 0)->reply.values[0], 1);

	/* with the string's NUL or without it */
	assert_int_equal(raw_request(host, WIRE_CTL_ID_BY_NAME, NULL, NAME, sizeof(NAME), &answer),
			 0);
	assert_int_equal(answer.values[0], id);
	assert_int_equal(
	    raw_request(host, WIRE_CTL_ID_BY_NAME, NULL, NAME, sizeof(NAME) - 1, &answer), 0);
	assert_int_equal(raw_request(host, WIRE_CTL_ID_BY_NAME, NULL, "no", 2, NULL), ENOENT);
	assert_int_equal(
	    raw_request(host, WIRE_CTL_NAME_BY_ID, (uint64_t[5]){ id }, NULL, 0, &answer), 0);
	assert_string_equal(answer.payload, NAME);
	assert_int_equal(
	    raw_request(host, WIRE_CTL_NAME_BY_ID, (uint64_t[5]){ id + 1 }, NULL, 0, &answer),
	    ENOENT);
	assert_int_equal(answer.payload_size, 0);

	assert_int_equal(
	    raw_request(host, WIRE_CTL_DEREGISTER, (uint64_t[5]){ ref }, NULL, 0, NULL), 0);
	assert_int_equal(raw_ctl_info(&task, NAME, &found), ENOENT);
	assert_int_equal(raw_request(host, WIRE_KEXT_STOPPING, (uint64_t[5]){ tag }, NULL, 0, NULL),
			 0);
	assert_int_equal(raw_request(host, WIRE_KEXT_GONE, (uint64_t[5]){ tag }, NULL, 0, NULL), 0);
	assert_int_equal(raw_request(host, WIRE_KEXT_GONE, (uint64_t[5]){ tag }, NULL, 0, NULL),
			 EINVAL);
	close(host);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
everything_is_shown_an_object_a_line(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	uint32_t host_id, tag, id;
	int host = raw_kext_host_new(&kernel, &host_id);
	const char *text;
	uint64_t ref;

	assert_int_equal(raw_inspect(&kernel, WIRE_INSPECT_KEXTS, 0, &text).count, 0);
	assert_string_equal(text, "");
	assert_int_equal(raw_kext_load(host, NAME ".\"kext\"", &tag), 0);
	assert_int_equal(raw_ctl_register(host, tag, NAME, &ref, &id), 0);
	assert_int_equal(raw_ctl_register(host, 0, NAME ".free", NULL, NULL), 0);

	assert_int_equal(raw_inspect(&kernel, WIRE_INSPECT_KEXTS, 0, &text).count, 1);
	assert_true(raw_is_in(text,
			      "{\"tag\": 1, \"refs\": 0, \"address\": %llu, \"size\": 8192, "
			      "\"identifier\": \"" NAME ".\\\"kext\\\"\", \"version\": \"1.2\", "
			      "\"path\": \"/tmp/Raw.kext\", \"host_id\": %u, \"pid\": %d, "
			      "\"started\": false, \"dependencies\": []}\n",
			      0x7f0000400000ull, host_id, (int)getpid()));
	raw_request(host, WIRE_KEXT_STARTED, (uint64_t[5]){ tag }, NULL, 0, NULL);
	raw_inspect(&kernel, WIRE_INSPECT_KEXTS, WIRE_INSPECT_JSON, &text);
	assert_true(raw_is_in(text, "\"started\": true"));

	assert_int_equal(raw_inspect(&kernel, WIRE_INSPECT_CONTROLS, 0, &text).count, 2);
	assert_true(raw_is_in(text,
			      "{\"id\": %u, \"unit\": 4294967295, \"flags\": 4, \"name\": \"" NAME
			      "\", \"sendsize\": 2048, \"recvsize\": 8192, \"ref\": %llu, "
			      "\"host_id\": %u, \"pid\": %d, \"kext\": \"" NAME ".\\\"kext\\\"\", "
			      "\"tag\": 1}\n",
			      id, (unsigned long long)ref, host_id, (int)getpid()));
	assert_true(raw_is_in(text, "\"name\": \"" NAME ".free\""));
	assert_true(raw_is_in(text, "\"kext\": \"\", \"tag\": 0}\n"));

	raw_inspect(&kernel, WIRE_INSPECT_COUNTS, 0, &text);
	assert_true(raw_is_in(text, "kext_hosts 1\nkexts 1\ncontrols 2\nevent_sockets 0\n"));
	raw_inspect(&kernel, WIRE_INSPECT_DUMP, 0, &text);
	assert_true(raw_is_in(text, NAME ".free"));
	close(host);
	raw_kernel_end(&kernel);
}

static void
many_rows_come_in_slices(void **state)
{
	enum { MANY = 1500 };
	struct raw_kernel kernel = raw_kernel_start(NULL);
	int host = raw_kext_host_new(&kernel, NULL);
	const char *text;
	char name[64];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), NAME ".%d", i);
		assert_int_equal(raw_ctl_register(host, 0, name, NULL, NULL), 0);
	}
	assert_int_equal(raw_inspect(&kernel, WIRE_INSPECT_CONTROLS, 0, &text).count, MANY);
	for (int i = 0; i < MANY; i += 100)
		assert_true(raw_is_in(text, "\"name\": \"" NAME ".%d\"", i));
	close(host);
	raw_kernel_end(&kernel);
}

/* ---- lanes -------------------------------------------------------------------------- */

static void
a_lane_joins_a_program_and_a_kexthost(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	uint32_t host_id;
	int host = raw_kext_host_new(&kernel, &host_id), ours, theirs, fds[8], on = 0;
	socklen_t on_size = sizeof(on);
	struct wire_kext_lane lane;
	unsigned fd_count;
	char text[16];

	assert_int_equal(raw_lane(&task, host_id, &theirs), 0);
	assert_true(theirs >= 0);
	assert_int_equal(raw_receive(host, &lane, sizeof(lane), fds, &fd_count), sizeof(lane));
	assert_int_equal(lane.head.kind, WIRE_KEXT_LANE);
	assert_int_equal(fd_count, 1);
	ours = fds[0];
	assert_int_equal(lane.pid, getpid());
	assert_int_equal(lane.euid, geteuid());
	assert_int_equal(lane.ruid, getuid());
	assert_int_equal(lane.egid, getegid());
	assert_int_equal(lane.rgid, getgid());
	assert_true(lane.label[0] != '\0' && memchr(lane.label, '\0', 32) != NULL);
	assert_int_equal(getsockopt(ours, SOL_SOCKET, SO_PASSCRED, &on, &on_size), 0);
	assert_int_equal(on, 1);
	assert_int_equal(send(theirs, "ask", 3, 0), 3);
	assert_int_equal(recv(ours, text, sizeof(text), 0), 3);
	assert_int_equal(send(ours, "tell", 4, 0), 4);
	assert_int_equal(recv(theirs, text, sizeof(text), 0), 4);
	/* nobody else holds either end */
	close(ours);
	assert_int_equal(recv(theirs, text, sizeof(text), 0), 0);
	close(theirs);
	assert_int_equal(raw_lane(&task, host_id + 1, &theirs), ENOENT);
	assert_int_equal(theirs, -1);
	close(host);
	assert_int_equal(raw_lane(&task, host_id, &theirs), ENOENT);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
a_kexthost_that_does_not_read_gets_no_more_lanes(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	uint32_t host_id, other_id;
	int host = raw_kext_host_new(&kernel, &host_id),
	    other = raw_kext_host_new(&kernel, &other_id), fd, error = 0;
	unsigned lanes = 0;

	for (; lanes < 5000 && (error = raw_lane(&task, host_id, &fd)) == 0; lanes++)
		close(fd);
	/* what is in flight is bounded by Linux, too: for an ordinary user, to fewer */
	assert_true(error == ENOBUFS || error == ETOOMANYREFS || error == EMFILE);
	assert_in_range(lanes, 1, 4999);
	assert_int_equal(raw_lane(&task, other_id, &fd), 0);
	close(fd);
	close(host);
	close(other);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* ---- death -------------------------------------------------------------------------- */

static void
what_a_dead_kexthost_had_is_gone(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	int host = raw_kext_host_new(&kernel, NULL), events = raw_event_all(&task);
	uint32_t first, second, found, tag;
	struct raw_event event;
	const char *text;

	assert_int_equal(raw_kext_load(host, NAME, &tag), 0);
	assert_int_equal(raw_ctl_register(host, tag, NAME ".a", NULL, &first), 0);
	assert_int_equal(raw_ctl_register(host, tag, NAME ".b", NULL, &second), 0);
	assert_int_equal(raw_event_drain(events), 2);
	close(host);
	/* at once, whether berthd has noticed or not */
	assert_int_equal(raw_ctl_info(&task, NAME ".a", &found), ENOENT);
	assert_true(raw_event_next(events, &event));
	assert_int_equal(event.event_code, 2);
	assert_int_equal(*(uint32_t *)(void *)event.data, first);
	assert_true(raw_event_next(events, &event));
	assert_int_equal(*(uint32_t *)(void *)event.data, second);
	assert_int_equal(raw_inspect(&kernel, WIRE_INSPECT_KEXTS, 0, &text).count, 0);
	/* its names are free, its ids are not used again */
	host = raw_kext_host_new(&kernel, NULL);
	assert_int_equal(raw_kext_load(host, NAME, &found), 0);
	assert_int_equal(found, tag + 1);
	close(host);
	close(events);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
who_is_killed_is_gone_when_its_sockets_are(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);

	for (int i = 0; i < 30; i++) {
		int pair[2];
		uint32_t found;
		char byte;

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
		pid_t child = fork();

		if (child == 0) {
			int host = raw_kext_host_new(&kernel, NULL);

			close(pair[0]);
			if (raw_ctl_register(host, 0, NAME, NULL, NULL) != 0)
				_exit(1);
			/* Linux closes the last ones first: what clients see goes long before
			 * the connection to berthd */
			for (int fd = 100; fd < 800; fd++)
				dup2(2, fd);
			if (dup2(pair[1], 800) != 800 || close(pair[1]) != 0 ||
			    write(800, "r", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		close(pair[1]);
		assert_int_equal(read(pair[0], &byte, 1), 1);
		assert_int_equal(raw_ctl_info(&task, NAME, &found), 0);
		assert_int_equal(kill(child, SIGKILL), 0);
		/* a client sees the end of its stream, and asks at once */
		assert_int_equal(read(pair[0], &byte, 1), 0);
		assert_int_equal(raw_ctl_info(&task, NAME, &found), ENOENT);
		close(pair[0]);
		waitpid(child, NULL, 0);
	}
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
kexthosts_see_the_end_of_a_private_kernel(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	int host = raw_kext_host_new(&kernel, NULL),
	    supervisor = raw_supervisor_new(&kernel, getpid());
	uint32_t tag;
	char byte;

	assert_int_equal(raw_kext_load(host, NAME, &tag), 0);
	raw_kernel_end(&kernel);
	assert_int_equal(recv(host, &byte, 1, 0), 0);
	assert_int_equal(recv(supervisor, &byte, 1, 0), 0);
	close(host);
	close(supervisor);
}

/* ---- permission --------------------------------------------------------------------- */

static int
exit_of(pid_t child)
{
	int status;

	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void
another_user_loads_and_commands_nothing(void **state)
{
	struct raw_kernel kernel;
	uint32_t host_id, tag;
	int host;
	pid_t child;

	if (geteuid() != 0)
		skip();
	kernel = raw_kernel_start(NULL);
	chmod(kernel.folder, 0755);
	chmod(kernel.path, 0777);
	host = raw_kext_host_new(&kernel, &host_id);
	assert_int_equal(raw_kext_load(host, NAME, &tag), 0);
	child = fork();
	if (child == 0) {
		struct wire_kext_host hello = { { WIRE_KEXT_HOST, sizeof(hello) },
						WIRE_VERSION,
						0 };
		struct wire_refused refused;
		struct wire_end end;
		const char *text;
		unsigned fd_count;
		int fds[8];

		if (setgid(65534) != 0 || setuid(65534) != 0)
			_exit(9);
		for (int i = 0; i < 2; i++) {
			int fd = raw_connect_patient(&kernel);

			hello.head.kind = i == 0 ? WIRE_KEXT_HOST : WIRE_KEXT_SUPERVISOR;
			raw_send(fd, &hello, sizeof(hello), NULL, 0);
			if (raw_receive(fd, &refused, sizeof(refused), fds, &fd_count) !=
				sizeof(refused) ||
			    refused.head.kind != WIRE_REFUSED)
				_exit(1);
			close(fd);
		}
		int tool = raw_connect_patient(&kernel);

		raw_command(tool, 3, WIRE_COMMAND_UNLOAD, host_id, "", 0);
		if (raw_take_done(tool).result != -EPERM)
			_exit(2);
		if (raw_inspect(&kernel, WIRE_INSPECT_LOG, 0, &text).status != -EPERM)
			_exit(3);
		/* what is loaded is no secret, where it is, is */
		end = raw_inspect(&kernel, WIRE_INSPECT_KEXTS, 0, &text);
		if (end.status != 0 || end.count != 1 || strstr(text, "\"address\": 0,") == NULL)
			_exit(4);
		if (raw_inspect(&kernel, WIRE_INSPECT_CONTROLS, 0, &text).status != 0)
			_exit(5);
		_exit(0);
	}
	assert_int_equal(exit_of(child), 0);
	close(host);
	raw_kernel_end(&kernel);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_finds_what_a_kexthost_registers),
		cmocka_unit_test(everything_is_shown_an_object_a_line),
		cmocka_unit_test(many_rows_come_in_slices),
		cmocka_unit_test(a_lane_joins_a_program_and_a_kexthost),
		cmocka_unit_test(a_kexthost_that_does_not_read_gets_no_more_lanes),
		cmocka_unit_test(what_a_dead_kexthost_had_is_gone),
		cmocka_unit_test(who_is_killed_is_gone_when_its_sockets_are),
		cmocka_unit_test(kexthosts_see_the_end_of_a_private_kernel),
		cmocka_unit_test(another_user_loads_and_commands_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
